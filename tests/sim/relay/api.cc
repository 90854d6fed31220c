#include "sim/relay/api.h"

#include "sim/relay/harness.h"

#include <gtest/gtest.h>
#include <simdjson.h>

namespace ringpost::sim {
namespace {

namespace dom = simdjson::dom;
using std::chrono::milliseconds;
using std::chrono::minutes;

/// A string member, empty if it is null or not there.
std::string text_of(dom::element object, std::string_view member) {
  std::string_view text;
  return object[member].get(text) == simdjson::SUCCESS ? std::string{text} : std::string{};
}

uint64_t number_of(dom::element object, std::string_view member) {
  uint64_t number = 0;
  return object[member].get(number) == simdjson::SUCCESS ? number : 0;
}

std::string error_of(dom::element object) {
  dom::element error;
  if (object["error"].get(error) != simdjson::SUCCESS || error.is_null()) return {};
  return text_of(error, "code");
}

DeliveryItem delivery_item(dom::element item) {
  DeliveryItem delivery{.id = text_of(item, "id"),
                        .event_id = {},
                        .status = text_of(item, "status"),
                        .attempt_count = number_of(item, "attempt_count"),
                        .next_attempt_at = text_of(item, "next_attempt_at"),
                        .redelivery_of = text_of(item, "redelivery_of"),
                        .last_error = {}};
  dom::element part;
  if (item["event"].get(part) == simdjson::SUCCESS) delivery.event_id = text_of(part, "id");
  if (item["last_attempt"].get(part) == simdjson::SUCCESS && !part.is_null()) {
    delivery.last_error = error_of(part);
  }
  return delivery;
}

}  // namespace

HttpHeaders authorized(std::string_view content_type) {
  return {{"Authorization", "Bearer " + std::string{RelayHarness::token}},
          {"Content-Type", std::string{content_type}}};
}

std::string event_json(std::string_view id, std::string_view source, std::string_view type,
                       std::string_view data) {
  std::string json = "{";
  if (!id.empty()) json.append("\"id\":\"").append(id).append("\",");
  json.append("\"source\":\"").append(source).append("\",\"type\":\"").append(type);
  return json.append("\",\"data\":").append(data).append("}");
}

ApiClient::ApiClient(World& world)
    : world_(world),
      requests_(world, {.to = RelayHarness::address, .connections = 1, .timeout = minutes{1}}) {}

HttpMessage ApiClient::call(std::string method, std::string target, std::string body) {
  // People are slow: the end of a connection to a relay that died has arrived by now.
  world_.run_for(milliseconds{1});
  const size_t number = requests_.request(std::move(method), std::move(target), std::move(body),
                                          authorized("application/json"));
  world_.run_until([this] { return requests_.open_count() == 0; }, minutes{2});
  return requests_.exchanges()[number].answer;
}

std::string ApiClient::create_webhook(std::string body) {
  const HttpMessage answer = call("POST", "/v1/webhooks", std::move(body));
  EXPECT_EQ(answer.status(), 201) << answer.body;
  dom::parser parser;
  dom::element root;
  if (parser.parse(answer.body).get(root) != simdjson::SUCCESS) return {};
  return text_of(root, "id");
}

std::vector<DeliveryItem> ApiClient::deliveries(const std::string& webhook) {
  std::vector<DeliveryItem> all;
  std::string cursor;
  do {
    std::string target = "/v1/webhooks/" + webhook + "/deliveries?limit=100";
    if (!cursor.empty()) target += "&cursor=" + cursor;
    const HttpMessage answer = call("GET", target);
    EXPECT_EQ(answer.status(), 200) << answer.body;
    dom::parser parser;
    dom::element root;
    dom::array items;
    if (parser.parse(answer.body).get(root) != simdjson::SUCCESS) return all;
    if (root["items"].get(items) != simdjson::SUCCESS) return all;
    for (dom::element item : items) all.push_back(delivery_item(item));
    cursor = text_of(root, "next_cursor");
  } while (!cursor.empty());
  return all;
}

std::vector<AttemptItem> ApiClient::attempts(const std::string& delivery) {
  std::vector<AttemptItem> all;
  const HttpMessage answer = call("GET", "/v1/deliveries/" + delivery);
  EXPECT_EQ(answer.status(), 200) << answer.body;
  dom::parser parser;
  dom::element root;
  dom::array attempts;
  if (parser.parse(answer.body).get(root) != simdjson::SUCCESS) return all;
  if (root["attempts"].get(attempts) != simdjson::SUCCESS) return all;
  for (dom::element item : attempts) {
    AttemptItem& attempt = all.emplace_back();
    attempt.number = number_of(item, "number");
    attempt.started_at = text_of(item, "started_at");
    attempt.error = error_of(item);
    dom::element response;
    const bool answered = item["response"].get(response) == simdjson::SUCCESS;
    if (answered && !response.is_null()) attempt.response_status = number_of(response, "status");
  }
  return all;
}

std::string ApiClient::webhook_member(const std::string& webhook, std::string_view member) {
  const HttpMessage answer = call("GET", "/v1/webhooks/" + webhook);
  dom::parser parser;
  dom::element root;
  if (parser.parse(answer.body).get(root) != simdjson::SUCCESS) return {};
  return text_of(root, member);
}

int ApiClient::post_event(std::string_view id, std::string_view source, std::string_view type,
                          std::string_view data) {
  return call("POST", "/v1/events", event_json(id, source, type, data)).status();
}

}  // namespace ringpost::sim
