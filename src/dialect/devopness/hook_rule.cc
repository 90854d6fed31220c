#include "dialect/devopness/hook_rule.h"

#include "base/assert.h"
#include "dialect/devopness/compiled_hook.h"
#include "dialect/devopness/hook.h"
#include "dialect/devopness/hook_writer.h"

#include <optional>
#include <string>
#include <utility>

namespace ringpost::dialect::devopness {
namespace {

using subscription::EventFacts;
using subscription::EventRule;
using subscription::Webhook;

const json::Path& status_path() {
  static const json::Path path = json::Path::constant("action.status");
  return path;
}

const json::Path& type_path() {
  static const json::Path path = json::Path::constant("action.type");
  return path;
}

class HookRule final : public EventRule {
 public:
  HookRule(const Hook& hook, Conditions conditions)
      : events_(hook.events),
        action_type_(hook.pipeline_id ? "" : hook.action_type),
        conditions_(std::move(conditions)) {}

  bool wants(const EventFacts& event) const override { return find_miss(event) == Miss::none; }

  std::string why_not(const EventFacts& event) const override {
    switch (find_miss(event)) {
      case Miss::none: return {};
      case Miss::type: return "its type is not a change of an action's status";
      case Miss::no_status: return "its data has no `action.status`";
      case Miss::status:
        return "its `action.status` is none of what `settings.trigger_when.events` names";
      case Miss::action_type: return "its `action.type` is not " + action_type_;
      case Miss::condition: return "`settings.trigger_when.conditions` do not all hold";
    }
    RINGPOST_UNREACHABLE();
  }

 private:
  enum class Miss : uint8_t { none, type, no_status, status, action_type, condition };

  Miss find_miss(const EventFacts& event) const {
    // That an action was made is no change of its status.
    if (!event.type().starts_with("action.") || event.type() == action_created) return Miss::type;
    json::Document& data = event.data();
    const json::Found status = data.scalar(status_path());
    if (status.kind != json::Kind::string) return Miss::no_status;
    if ((events_of_status(status.text) & events_) == 0) return Miss::status;
    if (!action_type_.empty() && data.scalar(type_path()).text != action_type_) {
      return Miss::action_type;
    }
    return conditions_.hold(data) ? Miss::none : Miss::condition;
  }

  const EventSet events_;
  const std::string action_type_;  ///< Empty: a pipeline has one operation.
  const Conditions conditions_;
};

class NeverRule final : public EventRule {
 public:
  bool wants(const EventFacts&) const override { return false; }
  std::string why_not(const EventFacts&) const override {
    return "the hook is incoming, or its `settings.trigger_when` lets nothing through";
  }
};

/// Conditions may also look at the hook itself, which no event changes.
void decide_on_hook(const Webhook& webhook, const Hook& hook, Conditions& conditions) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("hook");
  write_hook(json, webhook, hook, Shape::named, {});
  json.end_object();
  json::Document document;
  document.assign(text);
  conditions.decide("hook", document);
}

/// Nothing if they cannot be used.
std::optional<Conditions> decided_conditions(const Webhook& webhook, const Hook& hook) {
  auto compiled = compile_conditions(hook);
  auto* conditions = std::get_if<Conditions>(&compiled);
  if (conditions == nullptr) return std::nullopt;
  if (!conditions->empty()) decide_on_hook(webhook, hook, *conditions);
  return std::move(*conditions);
}

}  // namespace

std::unique_ptr<const EventRule> make_hook_rule(const Webhook& webhook) {
  const Hook hook = hook_of(webhook);
  if (hook.incoming || hook.events == 0) return std::make_unique<NeverRule>();
  auto conditions = decided_conditions(webhook, hook);
  if (!conditions) return std::make_unique<NeverRule>();
  return std::make_unique<HookRule>(hook, std::move(*conditions));
}

std::string why_no_action_matches(const Webhook& webhook) {
  const Hook hook = hook_of(webhook);
  if (hook.incoming) return {};  // It takes calls and sends nothing.
  if (hook.events == 0) {
    return "No action is ever sent: `settings.trigger_when.events` names no event. Set it, for "
           "example to [\"action.completed\", \"action.failed\"].";
  }
  const auto conditions = decided_conditions(webhook, hook);
  if (conditions && !conditions->never_hold()) return {};
  return "No action is ever sent: `settings.trigger_when.conditions` cannot all hold, whatever the "
         "action. Change or remove the condition that is wrong.";
}

}  // namespace ringpost::dialect::devopness
