#include "dialect/devopness/names.h"

#include <algorithm>

namespace ringpost::dialect::devopness {
namespace {

constexpr std::string_view access_token = "application.source_provider.access_token";
constexpr std::string_view deployment = "deployment";

}  // namespace

std::string list_of(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

EventSet event_bit(std::string_view name) {
  const auto found = std::ranges::find(event_names, name);
  if (found == event_names.end()) return 0;
  return static_cast<EventSet>(1u << (found - event_names.begin()));
}

EventSet events_of_status(std::string_view status) {
  if (status.empty()) return 0;
  const EventSet changed = event_bit("action.status_changed");
  if (status == "queued") return changed | event_bit("action.queued");
  if (status == "in-progress") return changed | event_bit("action.started");
  if (status == "completed") return changed | event_bit("action.completed");
  if (status == "failed") return changed | event_bit("action.failed");
  return changed;
}

std::vector<std::string_view> roots_for(std::string_view resource_type) {
  std::vector<std::string_view> roots{"action", "hook", "user"};
  if (resource_type.empty()) {
    roots.insert(roots.end(), resource_types.begin(), resource_types.end());
    return roots;
  }
  roots.push_back(resource_type);
  if (resource_type == "application") roots.push_back(deployment);
  return roots;
}

bool is_resource(std::string_view root) {
  return root != deployment && std::ranges::find(resource_types, root) != resource_types.end();
}

bool leads_to_relation(const json::Path& path) {
  return path.names_count() > 2 && is_resource(path.root()) && path.text() != access_token;
}

std::span<const json::Path> secret_paths() {
  static const std::array paths{json::Path::constant(access_token),
                                json::Path::constant("hook.secret")};
  return paths;
}

}  // namespace ringpost::dialect::devopness
