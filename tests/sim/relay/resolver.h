#pragma once

#include "net/fair_resolver.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ringpost::sim {

/// Names of the simulated network, as all shards see them. May change while a relay runs. One
/// without addresses has silent servers.
using Names = std::map<std::string, std::vector<io::Address>, std::less<>>;

/// A resolver with a table: answers in the next turn of its ring, from literals and from `names`.
class Resolver final : public net::FairResolver {
 public:
  /// How long it waits for servers that are silent.
  static constexpr Duration silence = std::chrono::seconds{14};

  /// All are borrowed.
  Resolver(io::Ring& ring, Counters& counters, const Names& names)
      : FairResolver(ring, counters), names_(names) {}
  ~Resolver() override;

  size_t asked() const { return asked_; }  ///< Questions so far.
  size_t open() const { return answers_.size(); }

 private:
  struct Answer {
    uint64_t id;
    std::string host;
    bool silent;
  };

  void ask(uint64_t id, const std::string& host) override;
  void answer(const Answer& answer);
  void on_timer();

  const Names& names_;
  std::multimap<Instant, Answer> answers_;  ///< By when they are given.
  size_t asked_ = 0;
  io::Timer timer_;
};

}  // namespace ringpost::sim
