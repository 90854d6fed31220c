#pragma once

#include "base/clock.h"
#include "io/ring.h"
#include "net/name_service.h"
#include "net/resolver.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::net {

/// One shard's side of the NameService. Questions for one name share a look-up; IP addresses are
/// answered without the thread. Never blocks (asking wakes the thread: one eventfd write).
class ShardResolver final : public Resolver {
 public:
  static constexpr Duration deadline = std::chrono::seconds{10};

  /// @param service  lives longer.
  ShardResolver(io::Ring& ring, NameService& service);
  ~ShardResolver() override;  // Pending queries are taken back.

  /// Runs the handlers of what is answered. The shard calls it each turn; the ring is woken for it.
  void poll();
  /// Whether `poll` has something to tell already, so that the shard's turn may not sleep.
  bool has_answers() const { return !ready_.empty(); }

 protected:
  void submit(Query& query, std::string_view host) override;

 private:
  using QueryList = IntrusiveList<Query, &Query::link>;

  /// One question to the thread, with all that wait for it.
  struct Lookup {
    uint64_t id;
    std::string host;
    Instant deadline;
    QueryList waiting;
  };

  void settle_now(Query& query, Error error);
  Lookup* find(std::string_view host);
  bool ask(Query& query, std::string host);
  void take_answers();
  void tell_ready();
  void on_timer();
  void arm_timer();

  io::Ring& ring_;
  NameService& service_;
  NameService::Channel* channel_ = nullptr;       // From the first question on.
  std::vector<std::unique_ptr<Lookup>> lookups_;  // Oldest first, so in order of their deadlines.
  QueryList ready_;
  size_t unanswered_ = 0;  // Also those whose lookup has timed out here.
  uint64_t last_id_ = 0;
  io::Timer timer_;
};

}  // namespace ringpost::net
