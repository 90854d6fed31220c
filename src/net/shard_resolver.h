#pragma once

#include "base/counters.h"
#include "io/ring.h"
#include "net/fair_resolver.h"
#include "net/name_service.h"

#include <cstdint>
#include <string>

namespace ringpost::net {

/// One shard's side of the NameService. IP addresses are answered without the thread. Never blocks
/// (asking wakes the thread: one eventfd write).
class ShardResolver final : public FairResolver {
 public:
  /// @param service  lives longer, as do the others.
  /// @param time_max  as FairResolver's.
  ShardResolver(io::Ring& ring, NameService& service, Counters& counters,
                Duration time_max = usual_time_max);
  ~ShardResolver() override;

  /// Runs the handlers of what is answered. The shard calls it each turn; the ring is woken for it.
  void poll();

 private:
  void ask(uint64_t id, const std::string& host) override;
  void take_answers();

  NameService& service_;
  NameService::Channel* channel_ = nullptr;  // From the first question on.
};

}  // namespace ringpost::net
