#include "control/webhook_registry.h"

#include "base/assert.h"
#include "control/store/store.h"
#include "control/token_registry.h"

#include <utility>

namespace ringpost::control {

using subscription::Webhook;

WebhookRegistry::WebhookRegistry(Store& store, subscription::SubscriptionTable& table)
    : store_(store), table_(table) {}

Result<void> WebhookRegistry::load(TokenRegistry& tokens) {
  const auto loaded = store_.load(
      [this](Webhook&& webhook) {
        ids_.emplace(Key{webhook.organization, webhook.id}, webhook.number);
        table_.put(std::move(webhook));
      },
      [&](subscription::Token&& token) { tokens.add_loaded(std::move(token)); });
  if (!loaded) return loaded;
  table_.publish();
  return {};
}

Result<const Webhook*> WebhookRegistry::create(Webhook webhook) {
  if (auto stored = store_.insert_webhook(webhook); !stored) return stored.error();
  ids_.emplace(Key{webhook.organization, webhook.id}, webhook.number);
  put(webhook);
  return find(webhook.number);
}

Result<const Webhook*> WebhookRegistry::update(Webhook webhook) {
  const Webhook* before = find(webhook.number);
  RINGPOST_ASSERT(before != nullptr);
  if (auto stored = store_.update_webhook(webhook); !stored) return stored.error();
  if (before->active() && !webhook.active()) ended_.push_back(webhook.number);
  if (webhook.active()) std::erase(ended_, webhook.number);
  put(webhook);
  return find(webhook.number);
}

Result<void> WebhookRegistry::remove(const Webhook& webhook) {
  const uint32_t number = webhook.number;  // `webhook` may live in changed_.
  if (auto removed = store_.delete_webhook(number); !removed) return removed;
  ids_.erase(Key{webhook.organization, webhook.id});
  std::erase(ended_, number);
  ended_.push_back(number);
  changed_[number] = std::nullopt;
  table_.remove(number);
  return {};
}

void WebhookRegistry::put(const Webhook& webhook) {
  table_.put(webhook);
  changed_[webhook.number] = webhook;
}

const Webhook* WebhookRegistry::find(uint32_t number) const {
  if (const auto changed = changed_.find(number); changed != changed_.end()) {
    return changed->second ? &*changed->second : nullptr;
  }
  return table_.current().webhook(number);
}

const Webhook* WebhookRegistry::find(std::string_view organization, const Ulid& id) const {
  const auto found = ids_.find(Key{organization, id});
  return found == ids_.end() ? nullptr : find(found->second);
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
  Published published{table_.publish(), std::exchange(ended_, {})};
  changed_.clear();
  if (published.version == before && published.ended.empty()) return std::nullopt;
  return published;
}

}  // namespace ringpost::control
