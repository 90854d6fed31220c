#include "control/webhook_changes.h"

#include "control/webhook_json.h"
#include "dialect/dialect.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace ringpost::control {

using subscription::Webhook;

std::vector<std::string> changed_members(const Webhook& before, const Webhook& after) {
  // Compared as the API shows them, so that a new member is never forgotten here.
  const auto text_of = [](const Webhook& webhook) {
    std::string text;
    JsonWriter json(text);
    write_webhook(json, webhook, true);
    return text;
  };
  constexpr std::array<std::string_view, 2> not_set_by_people{"updated_at", "state_reason"};
  JsonBody old_members;
  JsonBody new_members;
  std::vector<std::string> changed;
  if (old_members.parse(text_of(before)) || new_members.parse(text_of(after))) return changed;
  for (const auto [name, value] : new_members.root()) {
    if (std::ranges::find(not_set_by_people, name) != not_set_by_people.end()) continue;
    if (old_members.compact(name) != new_members.compact(name)) changed.emplace_back(name);
  }
  return changed;
}

std::vector<std::string> members_set(const Webhook& made) {
  Webhook defaults = dialect::of(made).defaults();
  defaults.id = made.id;
  defaults.organization = made.organization;
  defaults.created_at = made.created_at;
  return changed_members(defaults, made);
}

}  // namespace ringpost::control
