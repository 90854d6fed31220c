#pragma once

#include "control/control.h"
#include "control/store/store.h"
#include "control_fakes.h"
#include "crypto/digest.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// The control side as its tests ask it: with an in-memory store and journals, and a post whose
// shards answer when told to.

namespace ringpost::control::testing {

inline constexpr uint32_t shard_count = 2;

inline Instant monotonic(int64_t seconds) {
  return Instant{std::chrono::seconds(seconds)};
}

/// Reads an answer's body; a test asks for members by path.
class Json {
 public:
  explicit Json(const std::string& text) : text_(text) {
    EXPECT_FALSE(parser_.parse(text_).get(root_)) << text;
  }
  std::string text(std::string_view pointer) {
    std::string_view value;
    if (root_.at_pointer(pointer).get(value)) return "(none)";
    return std::string{value};
  }
  int64_t number(std::string_view pointer) {
    int64_t value = -1;
    if (root_.at_pointer(pointer).get(value)) return -1;
    return value;
  }
  size_t size(std::string_view pointer) {
    simdjson::dom::array array;
    if (root_.at_pointer(pointer).get(array)) return SIZE_MAX;
    return array.size();
  }
  bool is_true(std::string_view pointer) {
    bool value = false;
    return !root_.at_pointer(pointer).get(value) && value;
  }
  bool is_null(std::string_view pointer) {
    simdjson::dom::element value;
    return !root_.at_pointer(pointer).get(value) && value.is_null();
  }

 private:
  std::string text_;
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

class ControlTest : public ::testing::Test {
 protected:
  ControlTest()
      : store_(Store::open(":memory:", {.keyring = Keyring{}.with_new_key()}).store),
        table_(shard_count, HashKey{}),
        post_(shard_count),
        counters_(shard_count) {
    add_token("admin-token", "default", static_cast<uint8_t>(subscription::Scope::admin));
    restart();
  }

  void restart(Reload reload = {}) {
    Control::Parts parts{
        *store_, table_, journals_, history_.index, post_, places_, {&counters_[0], &counters_[1]}};
    parts.is_known = [this](std::string_view, std::string_view source, std::string_view id,
                            Instant) {
      return known_.contains(std::string{source} + ' ' + std::string{id});
    };
    control_ = std::make_unique<Control>(
        parts, Control::Options{.settings = settings_, .reload = std::move(reload)});
    for (uint16_t journal = 0; journal < shard_count; ++journal) {
      if (!history_.index.has(journal, 1)) history_.index.begin(journal, 1);
    }
    EXPECT_TRUE(control_->load());
    EXPECT_TRUE(control_->finish_recovery());
  }

  void add_token(const std::string& text, const std::string& organization, uint8_t scopes) {
    subscription::Token token;
    token.id = Ulid::mint(at(0), random_);
    token.name = text;
    token.organization = organization;
    token.scopes = scopes;
    token.sha256 = crypto::sha256(as_bytes(text));
    ASSERT_TRUE(store_->insert_token(token));
    table_.put_token(token);
    table_.publish();
  }

  void tell(uint32_t shard, ToControl message) {
    control_->handle(shard, std::move(message), at(clock_), monotonic(clock_));
  }

  /// Sends a request, without publishing anything.
  void send(const std::string& method, const std::string& target, const std::string& body = {},
            const std::string& token = "admin-token") {
    auto request = std::make_unique<http::Request>();
    request->method = method;
    request->target = target;
    request->path = target.substr(0, target.find('?'));
    if (target.find('?') != std::string::npos) request->query = target.substr(target.find('?') + 1);
    if (!token.empty()) request->headers.push_back({"Authorization", "Bearer " + token});
    if (!body.empty()) request->headers.push_back({"Content-Type", "application/json"});
    request->body = body;
    tell(0, ApiRequest{{}, std::move(request), {}});
  }
  std::optional<http::Response> answered() {
    auto reply = post_.take<ApiReply>(0);
    if (!reply) return std::nullopt;
    return *reply->response;
  }
  /// The shards take every published snapshot.
  void settle() {
    control_->flush();
    for (uint32_t shard = 0; shard < shard_count; ++shard) {
      while (auto published = post_.take<SnapshotPublished>(shard)) {
        ended_.insert(ended_.end(), published->ended.begin(), published->ended.end());
        tell(shard, SnapshotSeen{published->version});
      }
      while (auto published = post_.take<SettingsPublished>(shard)) {
        tell(shard, SettingsSeen{published->version});
      }
    }
  }
  http::Response ask(const std::string& method, const std::string& target,
                     const std::string& body = {}, const std::string& token = "admin-token") {
    send(method, target, body, token);
    settle();
    auto response = answered();
    EXPECT_TRUE(response) << method << " " << target;
    return response ? *response : http::Response{};
  }

  /// @returns the id.
  std::string make_webhook(const std::string& members = {}) {
    const auto response =
        ask("POST", "/v1/webhooks", R"({"url": "https://ci.example.org/in")" + members + "}");
    EXPECT_EQ(response.status, 201) << response.body;
    return Json(response.body).text("/id");
  }
  uint32_t number_of(const std::string& id) {
    uint32_t number = 0;
    table_.current().for_each_webhook([&](const subscription::Webhook& webhook) {
      if (webhook.id.to_text() == id) number = webhook.number;
    });
    return number;
  }
  subscription::WebhookVersion version_of(const std::string& id) {
    const uint32_t number = number_of(id);
    return {number, table_.current().webhook(number)->updated_at};
  }
  size_t matches() {
    std::vector<const subscription::Webhook*> found;
    table_.current().match({"default", "app/x", "build/finished"}, found);
    return found.size();
  }

  journal::EventRef accept(uint32_t number, const std::string& id = {},
                           const std::string& type = "build/finished",
                           const std::string& organization = "default") {
    return accept_for({number}, id, type, organization);
  }
  journal::EventRef accept_for(const std::vector<uint32_t>& webhooks, const std::string& id = {},
                               const std::string& type = "build/finished",
                               const std::string& organization = "default",
                               const std::string& source = "app/x") {
    const auto numbers = pack_numbers(webhooks);
    journal::EventView view;
    view.uid = Ulid::mint(at(clock_), random_);
    const std::string text = id.empty() ? view.uid.to_text() : id;
    view.accepted_at = at(clock_);
    view.organization = organization;
    view.id = text;
    view.source = source;
    view.type = type;
    view.data = as_bytes(R"({"build": 1.0})");
    view.webhook_numbers = numbers;
    auto event = journals_.put_event(view, journal::Position::make(0, 1, offset_ += 64));
    tell(0, EventAccepted{event});
    ++clock_;
    return event;
  }
  Ulid settle_delivery(const journal::EventRef& event, journal::DeliveryStatus status,
                       uint32_t attempt = 1, uint16_t http_status = 200, uint32_t which = 0) {
    journal::OutcomeView view;
    view.webhook_number = event->view().webhook_number(which);
    view.delivery = journal::delivery_id(event->view().uid, view.webhook_number);
    view.event = event->position();
    view.attempt = attempt;
    view.status = status;
    view.started_at = at(clock_);
    view.duration = std::chrono::milliseconds(12);
    const bool unanswered = http_status == 0 && (status == journal::DeliveryStatus::pending ||
                                                 status == journal::DeliveryStatus::dead);
    view.failed = http_status >= 300 || unanswered;
    view.error = {unanswered ? Errc::timed_out : Errc::bad_status, Side::endpoint, http_status};
    view.http_status = http_status;
    view.request_head = "POST /in HTTP/1.1\r\nHost: ci.example.org\r\nX-A: 1\r\n\r\n";
    view.response_head = "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nset-cookie: b\r\nbad line\r\n\r\n";
    view.response_body = as_bytes("<b>\xff");
    const journal::Position position = journal::Position::make(1, 1, offset_ += 64);
    journals_.put_outcome(view, position);
    tell(1, OutcomeRecorded{view.delivery, view.event, position, view.webhook_number, attempt,
                            status, view.started_at, view.next_attempt_at, view.error, view.failed,
                            view.http_status, view.duration});
    return view.delivery;
  }

  Prng random_{3};
  int64_t clock_ = 0;
  uint32_t offset_ = 4096;
  std::unique_ptr<Store> store_;
  subscription::SubscriptionTable table_;
  FakeJournals journals_;
  journal::CarriedPlaces places_;
  FakeHistory history_;
  FakePost post_;
  std::vector<Counters> counters_;
  std::vector<uint32_t> ended_;
  Control::Settings settings_;   ///< For the next `restart`.
  std::set<std::string> known_;  ///< Events that came: source and id.
  std::unique_ptr<Control> control_;
};

inline std::string header_of(const http::Response& response, std::string_view name) {
  for (const http::Header& header : response.headers) {
    if (header.name == name) return header.value;
  }
  return "(absent)";
}

/// What a create request answered.
struct MadeToken {
  std::string text;
  std::string id;
};
inline MadeToken made(const http::Response& response) {
  EXPECT_EQ(response.status, 201) << response.body;
  Json json(response.body);
  return {json.text("/token"), json.text("/id")};
}

}  // namespace ringpost::control::testing
