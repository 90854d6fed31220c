#pragma once

#include "api/management.h"
#include "api/route.h"
#include "base/bytes.h"
#include "dialect/dialect.h"
#include "subscription/token.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// The control side in memory, for the tests of the dialects' management APIs.

namespace ringpost::dialect {

class FakeManagement final : public api::Management {
 public:
  /// What is logged of an attempt, as the journal keeps it.
  struct Logged {
    Ulid id;
    uint32_t webhook_number = 0;
    journal::DeliveryStatus status{};
    journal::EventRef event;
    std::vector<std::vector<std::byte>> outcomes;  ///< Oldest first.
  };
  struct Notified {
    uint32_t webhook_number = 0;
    journal::EventRef event;
  };

  std::string organization = "default";  ///< The caller's.
  WallTime now = from_unix_ns(1'935'652'087'123'456'000);
  std::map<uint32_t, Webhook> stored;  ///< By number.
  std::deque<Logged> logged;           ///< Newest first.
  std::optional<std::string> denied_destination;
  std::optional<api::Problem> failure;  ///< What changes come to.
  std::vector<Ulid> redelivered;
  std::vector<journal::EventRef> accepted;
  std::vector<Notified> notified;
  std::vector<std::pair<std::string, Registered>> registered;  ///< Apps.

  /// Logs a delivery of `event`, whose uid and time are set here: now.
  Logged& log_delivery(const Webhook& webhook, journal::EventView event,
                       journal::DeliveryStatus status = journal::DeliveryStatus::pending) {
    event.uid = Ulid::mint(now, random_);
    event.accepted_at = now;
    event.organization = webhook.organization;
    std::array<std::byte, 4> number{};
    store_le(number.data(), webhook.number);
    event.webhook_numbers = number;
    logged.push_front({.id = journal::delivery_id(event.uid, webhook.number),
                       .webhook_number = webhook.number,
                       .status = status,
                       .event = journal::EventCodec::encode(event),
                       .outcomes = {}});
    return logged.front();
  }
  static void log_attempt(Logged& to, journal::OutcomeView outcome) {
    outcome.delivery = to.id;
    outcome.webhook_number = to.webhook_number;
    outcome.attempt = static_cast<uint32_t>(to.outcomes.size() + 1);
    outcome.status = to.status;
    journal::encode_outcome(outcome, to.outcomes.emplace_back());
  }

  const Webhook* webhook(std::string_view of, const Ulid& id) const override {
    for (const auto& [number, webhook] : stored) {
      if (same(webhook.id, id) && webhook.organization == of) return &webhook;
    }
    return nullptr;
  }
  const Webhook* webhook(uint32_t number) const override {
    const auto found = stored.find(number);
    return found == stored.end() ? nullptr : &found->second;
  }
  const Webhook* called_webhook(const Ulid& id) const override {
    for (const auto& [number, webhook] : stored) {
      if (same(webhook.id, id) && of(webhook).takes_calls(webhook)) return &webhook;
    }
    return nullptr;
  }
  std::vector<const Webhook*> webhooks(const Group& group) const override {
    std::vector<const Webhook*> found;
    for (const auto& [number, webhook] : stored) {
      if (webhook.organization == group.organization && webhook.dialect == group.dialect &&
          is_in(of(webhook).groups(webhook), group.name)) {
        found.push_back(&webhook);
      }
    }
    return found;
  }

  std::variant<const Webhook*, api::Problem> create(Webhook webhook) override {
    if (failure) return *failure;
    webhook.number = ++last_number_;
    webhook.organization = organization;
    webhook.id = Ulid::mint(now, random_);
    webhook.created_at = webhook.updated_at = now;
    return &(stored[webhook.number] = std::move(webhook));
  }
  std::variant<const Webhook*, api::Problem> update(Webhook webhook, std::string_view) override {
    if (failure) return *failure;
    webhook.updated_at = now;
    return &(stored[webhook.number] = std::move(webhook));
  }
  std::optional<api::Problem> remove(const Webhook& webhook) override {
    if (failure) return *failure;
    const uint32_t number = webhook.number;
    std::erase_if(logged, [&](const Logged& item) { return item.webhook_number == number; });
    stored.erase(number);
    return std::nullopt;
  }
  std::optional<std::string> object_to_destination(
      const subscription::Destination&) const override {
    return denied_destination;
  }

  std::vector<api::LoggedDelivery> log(const Webhook& webhook, size_t deliveries_max) override {
    std::vector<api::LoggedDelivery> found;
    for (const Logged& item : logged) {
      if (item.webhook_number == webhook.number && found.size() < deliveries_max) {
        found.push_back(read(item));
      }
    }
    return found;
  }
  std::vector<Ulid> newest(const Webhook& webhook, size_t deliveries_max) const override {
    std::vector<Ulid> ids;
    for (const Logged& item : logged) {
      if (item.webhook_number == webhook.number && ids.size() < deliveries_max) {
        ids.push_back(item.id);
      }
    }
    return ids;
  }
  std::optional<api::LoggedDelivery> delivery(const Webhook& webhook, const Ulid& id) override {
    for (const Logged& item : logged) {
      if (same(item.id, id) && item.webhook_number == webhook.number) return read(item);
    }
    return std::nullopt;
  }
  std::optional<api::LoggedDelivery> delivery(std::string_view of, const Ulid& id) override {
    for (const Logged& item : logged) {
      if (same(item.id, id) && item.event->view().organization == of) return read(item);
    }
    return std::nullopt;
  }

  std::variant<journal::EventRef, api::Problem> redeliver(const api::LoggedDelivery& delivery,
                                                          const Overrides&) override {
    if (failure) return *failure;
    redelivered.push_back(delivery.id);
    return delivery.event;
  }
  std::variant<journal::EventRef, api::Problem> ping(const Webhook& webhook) override {
    const auto made = of(webhook).ping(webhook, "https://relay.example.org");
    if (const auto* why_not = std::get_if<std::string>(&made)) return api::refusal(409, *why_not);
    const auto& ping = std::get<Dialect::Ping>(made);
    return journal::EventCodec::encode({.organization = webhook.organization,
                                        .source = ping.source,
                                        .type = ping.type,
                                        .data = as_bytes(ping.data)});
  }
  std::optional<api::Problem> accept(journal::EventView event, const Webhook* logged_at) override {
    if (failure) return *failure;
    if (event.organization.empty()) event.organization = organization;
    if (logged_at != nullptr) log_call(*logged_at, event);
    accepted.push_back(journal::EventCodec::encode(event));
    return std::nullopt;
  }
  void notify(const Webhook& webhook, journal::EventView event) override {
    event.organization = webhook.organization;
    if (!webhook.active()) log_call(webhook, event);
    notified.push_back({webhook.number, journal::EventCodec::encode(event)});
  }

  std::variant<api::Answer, api::Problem> register_at_host(std::string_view app,
                                                           Registered done) override {
    if (failure) return *failure;
    registered.emplace_back(app, std::move(done));
    api::Answer later;
    later.when = api::Answer::When::later;
    later.ticket = registered.size();
    return later;
  }

  Prng& random() override { return random_; }
  uint64_t mint_number() override { return ++last_minted_; }

  std::variant<Granted, api::Problem> login(std::string_view email,
                                            std::string_view password) override {
    if (email == "ada@example.org" && password == "correct") {
      return Granted{"rp_granted", now + std::chrono::hours(24), "rp_refresh"};
    }
    return api::refusal(401, "the email or the password is wrong");
  }
  std::variant<Granted, api::Problem> refresh(std::string_view refresh_token) override {
    if (refresh_token == "rp_refresh") {
      return Granted{"rp_granted_again", now + std::chrono::hours(24), "rp_refresh_again"};
    }
    return api::refusal(
        401,
        "the refresh token is not valid: it was used, has expired or was revoked; log in again");
  }
  std::optional<api::Problem> logout() override { return failure; }

 private:
  static bool is_in(const std::vector<std::string>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
  }
  /// In either spelling.
  static bool same(const Ulid& left, const Ulid& right) {
    return left.as_uuid() == right.as_uuid();
  }
  /// An inactive webhook's delivery is cancelled at once.
  void log_call(const Webhook& webhook, journal::EventView event) {
    event.accepted_at = now;
    std::array<std::byte, 4> number{};
    store_le(number.data(), webhook.number);
    event.webhook_numbers = number;
    logged.push_front({.id = journal::delivery_id(event.uid, webhook.number),
                       .webhook_number = webhook.number,
                       .status = journal::DeliveryStatus::cancelled,
                       .event = journal::EventCodec::encode(event),
                       .outcomes = {}});
  }
  static api::LoggedDelivery read(const Logged& item) {
    api::LoggedDelivery found{
        .id = item.id, .status = item.status, .event = item.event, .attempts = {}};
    for (const auto& record : item.outcomes) {
      journal::StoredOutcome& outcome = found.attempts.emplace_back();
      outcome.record = record;
      outcome.view = *journal::decode_outcome(outcome.record);
    }
    return found;
  }

  Prng random_{7};
  uint32_t last_number_ = 0;
  uint64_t last_minted_ = 8800;
};

/// Asks a dialect's API as the relay does, past authentication.
inline api::Answer ask(const Dialect& dialect, FakeManagement& management, std::string method,
                       const std::string& target, std::string body = {},
                       std::vector<http::Header> headers = {}) {
  http::Request request;
  request.method = std::move(method);
  request.target = target;
  request.path = target.substr(0, target.find('?'));
  if (target.find('?') != std::string::npos) request.query = target.substr(target.find('?') + 1);
  request.headers = std::move(headers);
  request.body = std::move(body);
  EXPECT_TRUE(dialect.owns_path(request.path)) << target;
  auto found = api::find_route(dialect.routes(), request.method, request.path);
  if (std::holds_alternative<api::NoSuchPath>(found)) {
    return {dialect.refuse(api::refusal(404, "there is no such path"))};
  }
  if (const auto* wrong = std::get_if<api::WrongMethod>(&found)) {
    return {dialect.refuse(api::to_problem(*wrong))};
  }
  const auto& match = std::get<api::Match>(found);
  const subscription::Token token;
  const io::Address peer = *io::Address::parse("192.0.2.10:4711");
  const api::Call call{.request = request,
                       .token = match.route->access == api::Access::token ? &token : nullptr,
                       .organization = management.organization,
                       .parameters = match.parameters,
                       .base_url = "https://relay.example.org",
                       .peer = &peer,
                       .now = management.now};
  return dialect.handle(*match.route, call, management);
}

}  // namespace ringpost::dialect
