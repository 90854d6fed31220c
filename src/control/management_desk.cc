#include "control/management_desk.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

using api::LoggedDelivery;
using journal::EventView;
using subscription::Webhook;

namespace {

Problem store_failed(const Error& error) {
  Problem problem = refusal(503, "the change could not be stored: " + describe(error));
  problem.retry_after_s = 5;
  return problem;
}

}  // namespace

void ManagementDesk::begin(std::string_view organization, WallTime now) {
  organization_ = organization;
  now_ = now;
  outgoing_.reset();
}

std::optional<Outgoing> ManagementDesk::take_outgoing() {
  return std::exchange(outgoing_, std::nullopt);
}

// --- webhooks -----------------------------------------------------------------------------------

const Webhook* ManagementDesk::webhook(std::string_view organization, const Ulid& id) const {
  return parts_.registry.find(organization, id);
}

const Webhook* ManagementDesk::webhook(uint32_t number) const {
  return parts_.registry.find(number);
}

std::vector<const Webhook*> ManagementDesk::webhooks(const Group& group) const {
  return parts_.registry.group(group.organization, group.dialect, group.name);
}

const Webhook* ManagementDesk::called_webhook(const Ulid& id) const {
  return parts_.registry.find_called(id);
}

std::variant<const Webhook*, Problem> ManagementDesk::create(Webhook webhook) {
  webhook.organization = organization_;
  webhook.id = Ulid::mint_uuid(now_, parts_.random);
  webhook.created_at = webhook.updated_at = now_;
  const auto created = parts_.registry.create(std::move(webhook));
  if (!created) return store_failed(created.error());
  return *created;
}

std::variant<const Webhook*, Problem> ManagementDesk::update(Webhook webhook) {
  webhook.updated_at = now_;
  const auto updated = parts_.registry.update(std::move(webhook));
  if (!updated) return store_failed(updated.error());
  return *updated;
}

std::optional<Problem> ManagementDesk::remove(const Webhook& webhook) {
  const auto removed = parts_.registry.remove(webhook);
  if (!removed) return store_failed(removed.error());
  return std::nullopt;
}

std::optional<std::string> ManagementDesk::object_to_destination(
    const subscription::Destination& destination) const {
  if (!parts_.checks.allow_destination) return std::nullopt;
  return parts_.checks.allow_destination(destination);
}

// --- the log ------------------------------------------------------------------------------------

std::optional<LoggedDelivery> ManagementDesk::read(const DeliveryFacts& facts) {
  auto event = parts_.journals.read_event(facts.event);
  if (!event) return std::nullopt;
  LoggedDelivery logged{
      .id = facts.id, .status = facts.status, .event = std::move(*event), .attempts = {}};
  for (const journal::Position position : parts_.history.outcomes(facts)) {
    auto outcome = parts_.journals.read_outcome(position);
    if (outcome) logged.attempts.push_back(std::move(*outcome));
  }
  std::ranges::reverse(logged.attempts);
  return logged;
}

std::vector<LoggedDelivery> ManagementDesk::log(const Webhook& webhook, size_t deliveries_max) {
  std::vector<LoggedDelivery> log;
  for (auto walk = parts_.history.newest(webhook.number);
       !walk.ended() && log.size() < deliveries_max; walk.advance()) {
    if (auto logged = read(walk.facts())) log.push_back(std::move(*logged));
  }
  return log;
}

std::optional<LoggedDelivery> ManagementDesk::delivery(const Webhook& webhook, const Ulid& id) {
  const auto facts = parts_.history.delivery(id);
  if (!facts || facts->webhook_number != webhook.number) return std::nullopt;
  return read(*facts);
}

std::optional<LoggedDelivery> ManagementDesk::delivery(std::string_view organization,
                                                       const Ulid& id) {
  const auto facts = parts_.history.delivery(id);
  if (!facts) return std::nullopt;
  auto logged = read(*facts);
  if (!logged || logged->event->view().organization != organization) return std::nullopt;
  return logged;
}

// --- sending ------------------------------------------------------------------------------------

uint32_t ManagementDesk::owner_of(const Webhook& webhook) const {
  return subscription::owner_shard(webhook, parts_.shard_count);
}

std::optional<Problem> ManagementDesk::redeliver(const LoggedDelivery& delivery) {
  RINGPOST_ASSERT(!outgoing_);
  const auto facts = parts_.history.delivery(delivery.id);
  const Webhook* webhook = facts ? parts_.registry.find(facts->webhook_number) : nullptr;
  if (webhook == nullptr) return refusal(409, "the delivery's webhook was deleted");
  if (!webhook->active()) return refusal(409, "the delivery's webhook is not active");
  const EventView event = repetition(delivery.event->view(), delivery.id);
  outgoing_ = Outgoing{encode_for(event, webhook->number, now_, parts_.random), owner_of(*webhook)};
  return std::nullopt;
}

std::optional<Problem> ManagementDesk::accept(EventView event, const Webhook* logged_at) {
  RINGPOST_ASSERT(!outgoing_);
  if (event.organization.empty()) event.organization = organization_;
  std::vector<const Webhook*> webhooks;
  matcher_.match(parts_.table.current(), event, webhooks);
  std::vector<uint32_t> numbers;
  for (const Webhook* webhook : webhooks) numbers.push_back(webhook->number);
  if (logged_at != nullptr) {
    RINGPOST_ASSERT(!logged_at->active());
    numbers.push_back(logged_at->number);
  }
  outgoing_ = Outgoing{encode_for(event, numbers, now_, parts_.random), 0};
  return std::nullopt;
}

void ManagementDesk::notify(const Webhook& webhook, EventView event) {
  event.organization = webhook.organization;
  // Ticket 0: nobody waits for it.
  parts_.publisher.send_when_seen(
      owner_of(webhook),
      Redeliver{.ticket = 0, .event = encode_for(event, webhook.number, now_, parts_.random)});
}

uint64_t ManagementDesk::mint_number() {
  const auto now_us = static_cast<uint64_t>(to_unix_ns(now_) / 1000);
  last_number_ = std::max(last_number_ + 1, now_us);
  return last_number_;
}

}  // namespace ringpost::control
