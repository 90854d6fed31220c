#include "dialect/buildkite/events.h"

#include "subscription/patterns.h"

#include <algorithm>
#include <array>

namespace ringpost::dialect::buildkite {
namespace {

constexpr std::array<std::string_view, 18> names{"ping",
                                                 "build.scheduled",
                                                 "build.running",
                                                 "build.failing",
                                                 "build.finished",
                                                 "build.skipped",
                                                 "job.scheduled",
                                                 "job.started",
                                                 "job.finished",
                                                 "job.activated",
                                                 "job.promised_exit_status",
                                                 "agent.connected",
                                                 "agent.lost",
                                                 "agent.disconnected",
                                                 "agent.stopping",
                                                 "agent.stopped",
                                                 "agent.blocked",
                                                 "cluster_token.registration_blocked"};

}  // namespace

Subject subject_of(std::string_view type) {
  if (type.starts_with("build.") || type.starts_with("job.")) return Subject::pipeline;
  if (type.starts_with("agent.") || type.starts_with("cluster_token.")) return Subject::agent;
  return type == "ping" ? Subject::ping : Subject::other;
}

std::span<const std::string_view> event_names() {
  return names;
}

bool is_event_name(std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::string object_to_event_name(std::string_view pattern) {
  const auto matched = [&](std::string_view name) {
    return subscription::event_matches(pattern, name);
  };
  if (std::ranges::any_of(names, matched)) return {};
  std::string text = "is not an event of Buildkite's; these are:";
  for (const std::string_view name : names) {
    text.append(name == names.front() ? " " : ", ").append(name);
  }
  return text + ", and patterns such as \"build.*\" and \"*\"";
}

}  // namespace ringpost::dialect::buildkite
