#include "control/webhook_registry.h"

#include "base/assert.h"
#include "control/store/store.h"
#include "control/token_registry.h"
#include "dialect/dialect.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

using subscription::Webhook;

namespace {

/// No name holds a NUL (patterns.h).
std::string group_key(std::string_view organization, std::string_view dialect,
                      std::string_view group) {
  std::string key{organization};
  return key.append(1, '\0').append(dialect).append(1, '\0').append(group);
}

}  // namespace

WebhookRegistry::WebhookRegistry(Store& store, subscription::SubscriptionTable& table)
    : store_(store), table_(table), failing_(store) {}

Result<void> WebhookRegistry::load(TokenRegistry& tokens) {
  const auto loaded = store_.load(
      [this](Webhook&& webhook) {
        ids_.emplace(Key{webhook.organization, webhook.id}, webhook.number);
        add_to_groups(webhook);
        webhook.rule = dialect::make_rule(webhook);
        table_.put(std::move(webhook));
      },
      [&](subscription::Token&& token) { tokens.add_loaded(std::move(token)); });
  if (!loaded) return loaded;
  table_.publish();
  return failing_.load();
}

Result<const Webhook*> WebhookRegistry::create(Webhook webhook) {
  if (auto stored = store_.insert_webhook(webhook); !stored) return stored.error();
  const uint32_t number = webhook.number;
  ids_.emplace(Key{webhook.organization, webhook.id}, number);
  add_to_groups(webhook);
  put(std::move(webhook));
  return find(number);
}

Result<const Webhook*> WebhookRegistry::update(Webhook webhook) {
  const Webhook* before = find(webhook.number);
  RINGPOST_ASSERT(before != nullptr);
  // Versions are told apart by it (subscription::WebhookVersion), on a clock that is set back too.
  webhook.updated_at = std::max(webhook.updated_at, before->updated_at + Duration{1});
  if (auto stored = store_.update_webhook(webhook); !stored) return stored.error();
  if (before->active() && !webhook.active()) ended_.push_back(webhook.number);
  if (webhook.active()) std::erase(ended_, webhook.number);
  if (webhook.active() && !before->active()) failing_.clear(webhook.number);
  receivers_.on_change(*before, webhook);
  remove_from_groups(*before);
  add_to_groups(webhook);
  const uint32_t number = webhook.number;
  put(std::move(webhook));
  return find(number);
}

Result<void> WebhookRegistry::remove(const Webhook& webhook) {
  const uint32_t number = webhook.number;  // `webhook` may live in changed_.
  if (auto removed = store_.delete_webhook(number); !removed) return removed;
  ids_.erase(Key{webhook.organization, webhook.id});
  remove_from_groups(webhook);
  std::erase(ended_, number);
  ended_.push_back(number);
  failing_.forget(number);
  receivers_.forget(number);
  changed_[number] = std::nullopt;
  table_.remove(number);
  return {};
}

void WebhookRegistry::put(Webhook webhook) {
  webhook.rule = dialect::make_rule(webhook);
  table_.put(webhook);
  const uint32_t number = webhook.number;
  changed_[number] = std::move(webhook);
}

/// Only where somebody lists groups: with a million webhooks each entry counts.
void WebhookRegistry::add_to_groups(const Webhook& webhook) {
  const dialect::Dialect& dialect = dialect::of(webhook);
  if (dialect.routes().empty()) return;
  for (const std::string& group : dialect.groups(webhook)) {
    groups_.emplace(Key{group_key(webhook.organization, webhook.dialect, group), webhook.id},
                    webhook.number);
  }
  if (dialect.takes_calls(webhook)) called_.emplace(webhook.id.as_uuid(), webhook.number);
}

void WebhookRegistry::remove_from_groups(const Webhook& webhook) {
  for (const std::string& group : dialect::of(webhook).groups(webhook)) {
    groups_.erase(Key{group_key(webhook.organization, webhook.dialect, group), webhook.id});
  }
  called_.erase(webhook.id.as_uuid());
}

std::vector<const Webhook*> WebhookRegistry::group(std::string_view organization,
                                                   std::string_view dialect,
                                                   std::string_view group) const {
  const std::string key = group_key(organization, dialect, group);
  std::vector<const Webhook*> found;
  for (auto place = groups_.lower_bound(Key{key, Ulid{}});
       place != groups_.end() && place->first.first == key; ++place) {
    found.push_back(find(place->second));
  }
  return found;
}

const Webhook* WebhookRegistry::find(uint32_t number) const {
  if (const auto changed = changed_.find(number); changed != changed_.end()) {
    return changed->second ? &*changed->second : nullptr;
  }
  return table_.current().webhook(number);
}

const Webhook* WebhookRegistry::find(const subscription::WebhookVersion& version) const {
  const Webhook* webhook = find(version.number);
  return webhook != nullptr && webhook->updated_at == version.updated_at ? webhook : nullptr;
}

const Webhook* WebhookRegistry::find_called(const Ulid& id) const {
  const auto found = called_.find(id.as_uuid());
  return found == called_.end() ? nullptr : find(found->second);
}

const Webhook* WebhookRegistry::find(std::string_view organization, const Ulid& id) const {
  Ulid first{};  // Of the same millisecond: the spellings of one id differ behind that.
  std::copy_n(id.bytes.begin(), 6, first.bytes.begin());
  for (auto place = ids_.lower_bound(Key{organization, first});
       place != ids_.end() && place->first.first == organization &&
       place->first.second.time_ms() == id.time_ms();
       ++place) {
    if (place->first.second.as_uuid() == id.as_uuid()) return find(place->second);
  }
  return nullptr;
}

std::vector<const Webhook*> WebhookRegistry::list(std::string_view organization,
                                                  const std::optional<Ulid>& before,
                                                  size_t count) const {
  Ulid above_all;
  above_all.bytes.fill(0xFF);
  std::vector<const Webhook*> found;
  auto place = ids_.lower_bound(Key{organization, before.value_or(above_all)});
  while (found.size() < count && place != ids_.begin()) {
    --place;
    if (place->first.first != organization) break;
    found.push_back(find(place->second));
  }
  return found;
}

std::optional<WebhookRegistry::Published> WebhookRegistry::publish() {
  const uint64_t before = table_.current().version();
  Published published{table_.publish(), std::exchange(ended_, {}), {}};
  for (const auto& [number, webhook] : changed_) {
    if (webhook && webhook->active()) published.changed.push_back(number);
  }
  std::ranges::sort(published.changed);
  changed_.clear();
  if (published.version == before && published.ended.empty()) return std::nullopt;
  return published;
}

}  // namespace ringpost::control
