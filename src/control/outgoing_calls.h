#pragma once

#include "control/messages.h"
#include "net/http_client.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <unordered_map>

namespace ringpost::control {

/// Requests of the control side to other servers: git hosts, another relay. They wait for their
/// turn here, and the shards send them (net::HttpClient).
class OutgoingCalls {
 public:
  /// Of all shards. One that stops, or has as many of its own, refuses.
  static constexpr uint32_t under_way_max = net::HttpClient::requests_max;
  static constexpr size_t waiting_max = 256;

  /// May change the store, and start more calls.
  using Done = std::function<void(const net::ClientAnswer&)>;

  /// @param post  outlives it.
  OutgoingCalls(Post& post, uint32_t shard_count) : post_(post), shard_count_(shard_count) {}

  /// `done` is called once, from `finish`: with Errc::overloaded (of Side::self) if too many wait.
  void start(net::ClientRequest&& request, Done done);

  void on_answered(CallAnswered&& message);
  /// Tells of what was answered. Only while the store may be changed.
  void finish();

 private:
  struct Waiting {
    net::ClientRequest request;
    Done done;
  };
  struct Finished {
    net::ClientAnswer answer;
    Done done;
  };

  void send_waiting();

  Post& post_;
  const uint32_t shard_count_;
  std::deque<Waiting> waiting_;
  std::unordered_map<uint64_t, Done> under_way_;  // By ticket.
  std::deque<Finished> finished_;
  uint64_t next_ticket_ = 1;
};

}  // namespace ringpost::control
