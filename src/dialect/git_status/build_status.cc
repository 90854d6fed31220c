#include "dialect/git_status/build_status.h"

#include "base/assert.h"

#include <algorithm>
#include <array>

namespace ringpost::dialect::git_status {
namespace {

using json::Document;
using json::Found;
using json::Kind;
using json::Path;

constexpr std::array<std::string_view, 13> types{
    "build/triggered",       "build/finished", "build.scheduled", "build.running",
    "build.failing",         "build.finished", "build.skipped",   "action.created",
    "action.status_changed", "action.queued",  "action.started",  "action.completed",
    "action.failed"};

struct NamedState {
  std::string_view name;
  State state;
};

std::optional<State> find_state(std::span<const NamedState> states, std::string_view name) {
  const auto found = std::ranges::find(states, name, &NamedState::name);
  if (found == states.end()) return std::nullopt;
  return found->state;
}

/// Text, or a number as text: nothing else is a name.
std::string_view scalar(Document& data, const Path& path) {
  const Found found = data.scalar(path);
  const bool plain = found.kind == Kind::string || found.kind == Kind::integer;
  return plain && !found.broken ? found.text : std::string_view{};
}

/// Bitrise's `build_status`: 0 not finished, 1 success, 2 failed, 3 aborted with failure, 4 aborted
/// with success.
std::optional<State> state_of_bitrise(std::string_view type, Document& data) {
  if (type == "build/triggered") return State::running;
  static const Path status = Path::constant("build_status");
  constexpr std::array<NamedState, 5> states{{{"0", State::running},
                                              {"1", State::success},
                                              {"2", State::failure},
                                              {"3", State::canceled},
                                              {"4", State::success}}};
  return find_state(states, scalar(data, status));
}

/// A build that is blocked keeps the state that it had: only `blocked` tells.
std::optional<State> state_of_buildkite(std::string_view type, Document& data) {
  if (type == "build.scheduled") return State::pending;
  if (type == "build.skipped") return State::canceled;
  if (type != "build.finished") return State::running;  // A build that is failing goes on.
  static const Path blocked = Path::constant("build.blocked");
  static const Path state = Path::constant("build.state");
  const Found is_blocked = data.scalar(blocked);
  if (is_blocked.kind == Kind::boolean && is_blocked.text == "true") return State::pending;
  constexpr std::array<NamedState, 6> states{{{"passed", State::success},
                                              {"failed", State::failure},
                                              {"canceled", State::canceled},
                                              {"canceling", State::canceled},
                                              {"skipped", State::canceled},
                                              {"not_run", State::canceled}}};
  return find_state(states, scalar(data, state));
}

std::optional<State> state_of_devopness(Document& data) {
  static const Path status = Path::constant("action.status");
  constexpr std::array<NamedState, 7> states{{{"pending", State::pending},
                                              {"waiting", State::pending},
                                              {"queued", State::pending},
                                              {"in-progress", State::running},
                                              {"completed", State::success},
                                              {"failed", State::failure},
                                              {"skipped", State::canceled}}};
  return find_state(states, scalar(data, status));
}

/// The first of these places that says anything.
std::string first_of(EventValues& values, std::span<const Path> places) {
  for (const Path& place : places) {
    if (const std::string_view text = values.find(place); !text.empty()) return std::string{text};
  }
  return {};
}

/// The path of a repository's URL: of `https://host/acme/shop.git`, `git@host:acme/shop.git` and
/// `ssh://git@host/acme/shop.git` it is `acme/shop`. Of anything else it is the text.
std::string_view path_of_url(std::string_view text) {
  const size_t scheme = text.find("://");
  const size_t colon = text.find(':');
  if (scheme != std::string_view::npos) {
    text.remove_prefix(std::min(text.find('/', scheme + 3), text.size()));
  } else if (colon != std::string_view::npos) {
    text.remove_prefix(colon + 1);
  }
  while (text.starts_with('/')) text.remove_prefix(1);
  while (text.ends_with('/')) text.remove_suffix(1);
  if (text.ends_with(".git")) text.remove_suffix(4);
  return text;
}

std::string_view words_of(State state) {
  switch (state) {
    case State::pending: return "is waiting";
    case State::running: return "is running";
    case State::success: return "passed";
    case State::failure: return "failed";
    case State::canceled: return "was canceled";
  }
  RINGPOST_UNREACHABLE();
}

}  // namespace

std::span<const std::string_view> event_types() {
  return types;
}

std::optional<State> state_of(std::string_view type, Document& data) {
  if (std::ranges::find(types, type) == types.end()) return std::nullopt;
  if (type.starts_with("build/")) return state_of_bitrise(type, data);
  if (type.starts_with("build.")) return state_of_buildkite(type, data);
  return state_of_devopness(data);
}

EventValues::EventValues(const journal::EventView& event, Document& data, Document& extensions)
    : event_(event), data_(data), extensions_(extensions) {
  data_.assign(as_text(event.data));
  extensions_.assign(event.extensions);
}

std::string_view EventValues::find(const Path& path) {
  if (path.root() == "event" && path.names_count() == 2) return attribute(path);
  const Found found = data_.scalar(path);
  const bool opaque = found.kind == Kind::object || found.kind == Kind::array || found.broken;
  text_.assign(opaque ? std::string_view{} : found.text);
  return text_;
}

std::string_view EventValues::attribute(const Path& path) {
  const std::string_view name = path.name(1);
  if (name == "type") return event_.type;
  if (name == "source") return event_.source;
  if (name == "id") return event_.id;
  if (name == "subject") return event_.subject;
  if (name == "branch") return event_.branch;
  text_.assign(scalar(extensions_, Path::constant(name)));
  return text_;
}

std::string commit_of(EventValues& values) {
  static const std::array places{
      Path::constant("event.gitcommit"), Path::constant("build.commit"),
      Path::constant("action.action_data.commit.hash"),
      Path::constant("action.triggered_from.hook_parsed_variables.commit_hash"),
      Path::constant("git.commit_hash")};
  return first_of(values, places);
}

std::string repository_of(EventValues& values) {
  static const std::array places{Path::constant("event.gitrepository"),
                                 Path::constant("pipeline.repository"),
                                 Path::constant("action.action_data.commit.clone_url"),
                                 Path::constant("action.action_data.commit.repository")};
  return std::string{path_of_url(first_of(values, places))};
}

std::string target_url_of(EventValues& values) {
  static const std::array places{Path::constant("build.web_url"),
                                 Path::constant("action.url_web_permalink")};
  return first_of(values, places);
}

std::string description_of(State state, EventValues& values) {
  static const std::array numbers{Path::constant("build_number"), Path::constant("build.number"),
                                  Path::constant("action.id")};
  std::string text{values.event().type.starts_with("action.") ? "Action" : "Build"};
  if (const std::string number = first_of(values, numbers); !number.empty()) text += " " + number;
  return text.append(" ").append(words_of(state));
}

}  // namespace ringpost::dialect::git_status
