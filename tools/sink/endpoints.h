#pragma once

#include "http/message.h"
#include "io/ring.h"
#include "sink/endpoint.h"

#include <simdjson.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace ringpost::sink {

/// What all endpoints have in common.
struct Options {
  bool print = false;       ///< Show every request.
  std::string ledger_file;  ///< Append one line per request.
  std::string
      id_member;  ///< JSON pointer in the body, without its first slash: numbers events from 1.
  std::string order_key;  ///< Likewise: events of one key are to come in order. Needs `id_member`.
  uint64_t expect = 0;    ///< With `id_member`: each endpoint is to get events 1 to this number.
  uint64_t seed = 1;
  /// Hears of every request, before it is answered, on its receiver's thread; may be empty.
  std::function<void(const http::Request&, const dialect::Verdict&)> on_request;
};

/// All endpoints, and what they received.
///
/// Thread safety: `add` and `wake_at` before the first connection; after that everything from any
/// thread.
class Endpoints {
 public:
  /// @param start  when the times of the plans begin.
  Endpoints(const Options& options, Instant start);
  ~Endpoints();

  Endpoint& add(EndpointPlan plan);
  /// Wakes a ring when this many requests have come.
  void wake_at(uint64_t requests, io::Waker& waker);

  /// The endpoint `NAME.sink.localhost` that a Host header means; null: there is none.
  Endpoint* find(std::string_view host);

  /// When a request was read.
  struct Moment {
    Instant monotonic;
    WallTime wall;
  };
  /// Verifies, decides, counts and notes a request. @param parser  of the calling thread.
  Endpoint::Taken take(Endpoint& endpoint, const http::Request& request, const Moment& moment,
                       simdjson::dom::parser& parser);
  /// Counts a connection or what came of it. @param endpoint  null: not known.
  void count(Endpoint* endpoint, uint64_t Totals::*what);

  uint64_t requests() const { return requests_.load(std::memory_order_relaxed); }
  /// Of all endpoints. Not cheap.
  Totals totals() const;
  /// The sum of one figure of all ledgers.
  uint64_t sum(uint64_t (Ledger::*figure)() const) const;
  const std::deque<Endpoint>& all() const { return endpoints_; }
  std::deque<Endpoint>& all() { return endpoints_; }
  const Options& options() const { return options_; }
  Instant start() const { return start_; }
  /// From the first request to the last one.
  Duration busy_time() const;

 private:
  struct Judgement {
    const dialect::Verdict& signature;
    std::string_view delivery;
    uint16_t status = 0;  ///< Of the answer.
  };
  void note(const Endpoint& endpoint, const http::Request& request, const Judgement& judgement,
            WallTime now);
  void print(const Endpoint& endpoint, const http::Request& request, const Judgement& judgement);
  void write_line(const Endpoint& endpoint, const http::Request& request,
                  const Judgement& judgement, WallTime now);

  const Options options_;
  const Instant start_;
  const HashKey key_;
  std::FILE* ledger_ = nullptr;
  std::deque<Endpoint> endpoints_;  ///< Stay where they are.
  std::unordered_map<std::string, Endpoint*> by_host_;
  uint64_t wake_at_ = 0;
  io::Waker* waker_ = nullptr;
  std::atomic<uint64_t> requests_{0};
  std::atomic<Instant> first_request_{};
  std::atomic<Instant> last_request_{};
  mutable std::mutex unnamed_mutex_;
  Totals unnamed_;  ///< Of connections, and of requests that no endpoint was found for.
};

}  // namespace ringpost::sink
