#include "control/management_desk.h"

#include "base/log.h"
#include "control/api/api.h"
#include "control/api/tokens.h"
#include "control/webhook_changes.h"
#include "dialect/dialect.h"
#include "incoming/receiver.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

using api::LoggedDelivery;
using index::DeliveryFacts;
using journal::EventView;
using subscription::Webhook;

Problem beyond_token() {
  return api::refusal_of_member(403, "sources",
                                "goes beyond the sources that the token is restricted to");
}

void ManagementDesk::begin(const api::Call& call, Instant now) {
  call_ = &call;
  now_ = now;
  outgoing_.reset();
  change_.reset();
}

std::optional<Change> ManagementDesk::take_change() {
  return std::exchange(change_, std::nullopt);
}

bool ManagementDesk::may_see(const Webhook& webhook) const {
  return call_->token == nullptr || call_->token->covers(webhook.sources);
}

bool ManagementDesk::may_touch(std::string_view source) const {
  return call_->token == nullptr || call_->token->may_touch(source);
}

/// @param organization  whose object; empty: the caller's.
void ManagementDesk::note(std::string_view operation, const Ulid& object,
                          std::vector<std::string> members, std::string_view organization) {
  change_ = Change{.operation = operation,
                   .object = object.to_text(),
                   .members = std::move(members),
                   .organization = std::string{organization}};
}

std::optional<Outgoing> ManagementDesk::take_outgoing() {
  return std::exchange(outgoing_, std::nullopt);
}

// --- webhooks ------------------------------------------------------------------------------------

const Webhook* ManagementDesk::webhook(std::string_view organization, const Ulid& id) const {
  const Webhook* webhook = parts_.registry.find(organization, id);
  return webhook != nullptr && may_see(*webhook) ? webhook : nullptr;
}

const Webhook* ManagementDesk::webhook(uint32_t number) const {
  return parts_.registry.find(number);
}

std::vector<const Webhook*> ManagementDesk::webhooks(const Group& group) const {
  auto found = parts_.registry.group(group.organization, group.dialect, group.name);
  std::erase_if(found, [this](const Webhook* webhook) { return !may_see(*webhook); });
  return found;
}

const Webhook* ManagementDesk::called_webhook(const Ulid& id) const {
  return parts_.registry.find_called(id);
}

std::variant<const Webhook*, Problem> ManagementDesk::create(Webhook webhook) {
  if (!may_see(webhook)) return beyond_token();
  const bool own = webhook.organization == call_->organization;
  if (!own && (call_->token == nullptr || !call_->token->is_operator())) {
    return refusal(403,
                   "must be the organization of your own token; only the relay's operator "
                   "makes webhooks of others",
                   "organization");
  }
  webhook.id = Ulid::mint(call_->now, parts_.random);
  webhook.created_at = webhook.updated_at = call_->now;
  const auto created = parts_.registry.create(std::move(webhook));
  if (!created) return store_failed(created.error());
  note(api::webhook_create, (*created)->id, members_set(**created), (*created)->organization);
  return *created;
}

std::variant<const Webhook*, Problem> ManagementDesk::update(Webhook webhook,
                                                             std::string_view operation) {
  if (!may_see(webhook)) return beyond_token();
  if (webhook.previous_secret_until <= call_->now) webhook.previous_secret.clear();  // It is over.
  auto members = changed_members(*parts_.registry.find(webhook.number), webhook);
  webhook.updated_at = call_->now;
  const auto updated = parts_.registry.update(std::move(webhook));
  if (!updated) return store_failed(updated.error());
  note(operation, (*updated)->id, std::move(members));
  return *updated;
}

std::optional<Problem> ManagementDesk::remove(const Webhook& webhook) {
  const Ulid id = webhook.id;
  const auto removed = parts_.registry.remove(webhook);
  if (!removed) return store_failed(removed.error());
  note("webhook.delete", id, {});
  return std::nullopt;
}

std::optional<std::string> ManagementDesk::object_to_destination(
    const subscription::Destination& destination) const {
  if (!parts_.checks.allow_destination) return std::nullopt;
  return parts_.checks.allow_destination(destination);
}

// --- the log -------------------------------------------------------------------------------------

namespace {

/// A log shows what can be read; only a passing fault (too many open files) hides what is there.
void say_unreadable(const Error& error) {
  log_error("the history of deliveries cannot be read: " + describe(error));
}

}  // namespace

std::vector<DeliveryFacts> ManagementDesk::newest_facts(const Webhook& webhook,
                                                        size_t deliveries_max) const {
  auto page =
      parts_.history.of(webhook.organization, call_->now)
          .page({.webhook_number = webhook.number, .limit = static_cast<uint32_t>(deliveries_max)});
  if (page) return std::move(page->items);
  say_unreadable(page.error());
  return {};
}

std::optional<DeliveryFacts> ManagementDesk::facts_of(std::string_view organization,
                                                      const Ulid& id) const {
  auto facts = parts_.history.of(organization, call_->now).delivery(id);
  if (facts) return std::move(*facts);
  say_unreadable(facts.error());
  return std::nullopt;
}

std::optional<LoggedDelivery> ManagementDesk::read(const DeliveryFacts& facts) {
  auto event = parts_.journals.read_event(facts.event.position);
  if (!event) return std::nullopt;
  LoggedDelivery logged{
      .id = facts.id, .status = facts.state.status, .event = std::move(*event), .attempts = {}};
  for (const journal::Position position : facts.state.records) {
    auto outcome = parts_.journals.read_outcome(position);
    if (outcome) logged.attempts.push_back(std::move(*outcome));
  }
  std::ranges::reverse(logged.attempts);
  return logged;
}

std::vector<LoggedDelivery> ManagementDesk::log(const Webhook& webhook, size_t deliveries_max) {
  std::vector<LoggedDelivery> log;
  for (const DeliveryFacts& facts : newest_facts(webhook, deliveries_max)) {
    if (auto logged = read(facts)) log.push_back(std::move(*logged));
  }
  return log;
}

std::vector<Ulid> ManagementDesk::newest(const Webhook& webhook, size_t deliveries_max) const {
  std::vector<Ulid> ids;
  for (const DeliveryFacts& facts : newest_facts(webhook, deliveries_max)) ids.push_back(facts.id);
  return ids;
}

std::optional<LoggedDelivery> ManagementDesk::delivery(const Webhook& webhook, const Ulid& id) {
  const auto facts = facts_of(webhook.organization, id);
  if (!facts || facts->webhook_number != webhook.number) return std::nullopt;
  return read(*facts);
}

std::optional<LoggedDelivery> ManagementDesk::delivery(std::string_view organization,
                                                       const Ulid& id) {
  const auto facts = facts_of(organization, id);
  if (!facts) return std::nullopt;
  const Webhook* webhook = parts_.registry.find(facts->webhook_number);
  if (webhook != nullptr && !may_see(*webhook)) return std::nullopt;
  auto logged = read(*facts);
  if (!logged) return std::nullopt;
  const EventView& event = logged->event->view();
  if (event.organization != organization) return std::nullopt;
  // As in the webhook's log: an event may have come in by another name of its source.
  if (webhook == nullptr && !may_touch(event.source)) return std::nullopt;
  return logged;
}

// --- sending -------------------------------------------------------------------------------------

uint32_t ManagementDesk::owner_of(const Webhook& webhook) const {
  return subscription::owner_shard(webhook, parts_.shard_count);
}

std::variant<journal::EventRef, Problem> ManagementDesk::redeliver(const LoggedDelivery& delivery,
                                                                   const Overrides& overrides) {
  RINGPOST_ASSERT(!outgoing_);
  const auto facts = facts_of(delivery.event->view().organization, delivery.id);
  const Webhook* webhook = facts ? parts_.registry.find(facts->webhook_number) : nullptr;
  if (webhook == nullptr) return refusal(409, "the delivery's webhook was deleted");
  if (!webhook->active()) return refusal(409, "the delivery's webhook is not active");
  std::string time;
  EventView event = repetition(delivery.event->view(), delivery.id, time);
  if (!overrides.data.empty() && overrides.data != as_text(event.data)) {
    event.data = as_bytes(overrides.data);
    event.message = {};
  }
  event.header_overrides = overrides.headers;  // Those of an earlier one were for that one.
  event.hops = std::max(event.hops, call_->hops);
  outgoing_ =
      Outgoing{encode_for(event, webhook->number, call_->now, parts_.random), owner_of(*webhook)};
  note("delivery.redeliver", delivery.id, overrides.members);
  return outgoing_->event;
}

std::variant<journal::EventRef, Problem> ManagementDesk::ping(const Webhook& webhook) {
  RINGPOST_ASSERT(!outgoing_);
  RINGPOST_ASSERT(webhook.active());
  const auto made = dialect::of(webhook).ping(webhook, call_->base_url);
  if (const auto* why_not = std::get_if<std::string>(&made)) return refusal(409, *why_not);
  outgoing_ = ping_for(webhook, std::get<dialect::Dialect::Ping>(made), *call_, parts_.random,
                       parts_.shard_count);
  note("webhook.ping", webhook.id, {});
  return outgoing_->event;
}

std::optional<Problem> ManagementDesk::accept(EventView event, const Webhook* logged_at) {
  RINGPOST_ASSERT(!outgoing_);
  if (event.organization.empty()) event.organization = call_->organization;
  event.hops = call_->hops;
  if (!may_touch(event.source)) return beyond_token();
  const auto matched = matcher_.match(parts_.table.current(), event, nullptr);
  std::vector<uint32_t> numbers(matched.begin(), matched.end());
  if (logged_at != nullptr) {
    RINGPOST_ASSERT(!logged_at->active());
    numbers.push_back(logged_at->number);
  }
  outgoing_ = Outgoing{encode_for(event, numbers, call_->now, parts_.random), 0};
  return std::nullopt;
}

void ManagementDesk::notify(const Webhook& webhook, EventView event) {
  event.organization = webhook.organization;
  event.hops = call_->hops;
  // Ticket 0: nobody waits for it.
  parts_.publisher.send_when_seen(
      owner_of(webhook),
      StoreEvent{.ticket = 0,
                 .event = encode_for(event, webhook.number, call_->now, parts_.random)});
}

// --- logins --------------------------------------------------------------------------------------

std::variant<ManagementDesk::Granted, Problem> ManagementDesk::login(std::string_view email,
                                                                     std::string_view password) {
  return answer_login(parts_.login.attempt({.email = email,
                                            .password = password,
                                            .peer = *call_->peer,
                                            .wall_now = call_->now,
                                            .now = now_}),
                      "the email or the password is wrong");
}

std::variant<ManagementDesk::Granted, Problem> ManagementDesk::refresh(
    std::string_view refresh_token) {
  return answer_login(
      parts_.login.refresh(
          {.token = refresh_token, .peer = *call_->peer, .wall_now = call_->now, .now = now_}),
      "the refresh token is not valid: it was used, has expired or was revoked; log in again");
}

std::variant<api::Answer, Problem> ManagementDesk::register_at_host(std::string_view app,
                                                                    Registered registered) {
  if (!may_touch("app/" + std::string{app})) return beyond_token();
  const auto found = parts_.git_sources.list(
      call_->organization, std::nullopt, 1, [&](const subscription::GitSource& source) {
        return incoming::app_of(source) == app && parts_.git_links.find(source.number) != nullptr;
      });
  if (found.empty()) {
    return refusal(409,
                   "the app has no git repository here; give it one first: ringpost source add "
                   "--app SLUG --host HOST --git URL --git-token @FILE");
  }
  return parts_.registrations.begin(*found.front(), std::move(registered), now_);
}

std::optional<Problem> ManagementDesk::logout() {
  const subscription::Token& token = *call_->token;
  if (!token.name.starts_with(login_token_prefix)) return std::nullopt;
  if (auto removed = parts_.tokens.remove(token.id); !removed) return store_failed(removed.error());
  note("token.delete", token.id, {});
  return std::nullopt;
}

/// @param wrong  why who is refused is refused.
std::variant<ManagementDesk::Granted, Problem> ManagementDesk::answer_login(
    const Login::Result& result, std::string_view wrong) {
  if (const auto* granted = std::get_if<Login::Granted>(&result)) {
    parts_.publisher.on_change();
    return Granted{granted->token, granted->expires_at, granted->refresh_token};
  }
  if (const auto* throttled = std::get_if<Login::Throttled>(&result)) {
    Problem problem = refusal(429, "too many attempts to log in; try again later");
    problem.retry_after_s = throttled->retry_after_s;
    return problem;
  }
  if (const auto* error = std::get_if<Error>(&result)) return store_failed(*error);
  return refusal(401, wrong);
}

uint64_t ManagementDesk::mint_number() {
  const auto now_us = static_cast<uint64_t>(to_unix_ns(call_->now) / 1000);
  last_number_ = std::max(last_number_ + 1, now_us);
  return last_number_;
}

}  // namespace ringpost::control
