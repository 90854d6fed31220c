#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ringpost::dialect::buildkite {

/// What an event is about, which decides on the filters that apply to it.
enum class Subject : uint8_t {
  pipeline,  ///< `build.*`, `job.*`: has a branch and a pipeline.
  agent,     ///< `agent.*`, `cluster_token.*`: at most a cluster.
  ping,      ///< Of one webhook alone.
  other,     ///< None of Buildkite's.
};

Subject subject_of(std::string_view type);

/// All events that a webhook may name, in the documentation's order.
std::span<const std::string_view> event_names();
bool is_event_name(std::string_view name);
/// As Dialect::object_to_event.
std::string object_to_event_name(std::string_view pattern);

}  // namespace ringpost::dialect::buildkite
