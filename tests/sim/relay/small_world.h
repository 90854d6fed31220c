#pragma once

#include "sim/http_receiver.h"
#include "sim/relay/api.h"
#include "sim/relay/harness.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

namespace ringpost::sim {

/// A relay, one receiver and a person, without faults but those that a test asks for.
struct SmallWorld {
  using Answer = HttpReceiver::Answer;
  using Request = HttpReceiver::Request;

  explicit SmallWorld(uint64_t seed = 1, uint32_t shard_count = 1, RelayHarness::Adjust adjust = {})
      : world({.seed = seed}), relay(world, shard_count, std::move(adjust)) {
    start();
  }

  void start() { EXPECT_EQ(relay.start(), ""); }
  void restart(Crash kind = Crash::power) {
    relay.crash(kind);
    start();
  }
  /// A webhook of everything. @param members  more of its JSON, each with a comma before it.
  std::string hook(std::string_view members = {}) {
    return api.create_webhook(R"({"url":"http://10.0.0.2/hook")" + std::string{members} + "}");
  }
  int post(const std::string& id) {
    return api.post_event(id, "app/one", "build/done", R"({"id":")" + id + R"("})");
  }
  bool settle(Duration within = std::chrono::hours{1}) { return relay.settle(within); }
  bool run_until_requests(size_t count, Duration within = std::chrono::minutes{1}) {
    return world.run_until([&] { return receiver.requests().size() >= count; }, within);
  }
  /// How often the receiver got the event that was posted as `id`.
  size_t received(std::string_view id) const {
    const std::string body = R"({"id":")" + std::string{id} + R"("})";
    size_t count = 0;
    for (const Request& request : receiver.requests()) count += request.body() == body ? 1 : 0;
    return count;
  }
  DeliveryItem delivery(const std::string& webhook, std::string_view event) {
    for (DeliveryItem& item : api.deliveries(webhook)) {
      if (item.event_id == event) return std::move(item);
    }
    return {};
  }

  World world;
  RelayHarness relay;
  ApiClient api{world};
  std::function<Answer(const Request&)> answer;  ///< Absent: 200.
  HttpReceiver receiver{world, address("10.0.0.2", 80), [this](const Request& request) {
                          return answer ? answer(request) : Answer{};
                        }};
};

}  // namespace ringpost::sim
