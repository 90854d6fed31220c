#pragma once

#include "sim/http_producer.h"
#include "sim/world.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::sim {

/// A delivery as the API's list shows it.
struct DeliveryItem {
  std::string id;
  std::string event_id;
  std::string status;
  uint64_t attempt_count = 0;
  std::string next_attempt_at;  ///< Empty for null.
  std::string redelivery_of;    ///< Empty for null.
  std::string last_error;       ///< Code of the last attempt's error; empty if it had none.
};

/// An attempt of a delivery as the API shows it.
struct AttemptItem {
  uint64_t number = 0;
  std::string started_at;
  std::string error;             ///< Its code; empty for null.
  uint64_t response_status = 0;  ///< 0 for null.
};

/// A person at the management API: one request after the other, each waited for by running the
/// world. For times without faults of the network.
class ApiClient {
 public:
  explicit ApiClient(World& world);

  /// @returns the answer; one with status 0 if there was none within a minute.
  HttpMessage call(std::string method, std::string target, std::string body = {});

  /// @returns the new webhook's id; empty (and a failed expectation) if it was refused.
  std::string create_webhook(std::string body);
  /// All deliveries of a webhook, newest first, over all pages.
  std::vector<DeliveryItem> deliveries(const std::string& webhook);
  std::vector<AttemptItem> attempts(const std::string& delivery);
  /// A member of a webhook: `state`, `state_reason`, …
  std::string webhook_member(const std::string& webhook, std::string_view member);
  /// Posts one event of native JSON. @returns the answer's status.
  int post_event(std::string_view id, std::string_view source, std::string_view type,
                 std::string_view data);

 private:
  World& world_;
  HttpProducer requests_;
};

/// Native JSON of one event; without `id` if that is empty.
std::string event_json(std::string_view id, std::string_view source, std::string_view type,
                       std::string_view data);

/// Headers of a request to the relay: the harness's token and a content type.
HttpHeaders authorized(std::string_view content_type);

}  // namespace ringpost::sim
