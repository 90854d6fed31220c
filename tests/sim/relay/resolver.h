#pragma once

#include "io/ring.h"
#include "net/resolver.h"

#include <map>
#include <string>
#include <vector>

namespace ringpost::sim {

/// Names of the simulated network, as all shards see them. May change while a relay runs.
using Names = std::map<std::string, std::vector<io::Address>, std::less<>>;

/// A resolver with a table: answers in the next turn of its ring, from literals and from `names`.
class Resolver final : public net::Resolver {
 public:
  /// Both are borrowed.
  Resolver(io::Ring& ring, const Names& names) : ring_(ring), names_(names) {}
  ~Resolver() override;  // Pending queries are taken back.

 private:
  void submit(net::Query& query, std::string_view host) override;
  void on_timer();

  io::Ring& ring_;
  const Names& names_;
  IntrusiveList<net::Query, &net::Query::link> ready_;
  io::Timer timer_;
};

}  // namespace ringpost::sim
