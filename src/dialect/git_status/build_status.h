#pragma once

#include "dialect/git_status/text_template.h"
#include "journal/record.h"
#include "json/document.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// What the build events of Bitrise, Buildkite and Devopness say about a commit, in one form.

namespace ringpost::dialect::git_status {

/// Where a build is, as all git hosts can show it.
enum class State : uint8_t {
  pending,   ///< It has not begun, or waits for somebody.
  running,   ///< It runs; also one that is certain to fail and goes on.
  success,   ///< Over.
  failure,   ///< Over.
  canceled,  ///< Over without a verdict: canceled, skipped or not run.
};

/// The types of events that are about builds.
std::span<const std::string_view> event_types();

/// The state that an event says its build is in; nothing if it is not about a build, or says none.
/// @param data  assigned to the event's data.
std::optional<State> state_of(std::string_view type, json::Document& data);

/// An event's values by path: those of its data, and its attributes as `event.<name>`, extension
/// attributes too. Borrows the event and the documents, which it assigns, for its life.
class EventValues final : public Values {
 public:
  EventValues(const journal::EventView& event, json::Document& data, json::Document& extensions);

  std::string_view find(const json::Path& path) override;

  const journal::EventView& event() const { return event_; }
  json::Document& data() { return data_; }

 private:
  std::string_view attribute(const json::Path& path);

  const journal::EventView& event_;
  json::Document& data_;
  json::Document& extensions_;
  std::string text_;  ///< The newest value.
};

// What an event says where a webhook does not say it. Each is empty if the event does not.

/// The commit: `gitcommit` among the attributes, else where the data of each kind has it.
std::string commit_of(EventValues& values);
/// The repository's path at its host, `acme/shop`: `gitrepository` among the attributes, else that
/// of the URL that the data has.
std::string repository_of(EventValues& values);
/// A page about the build.
std::string target_url_of(EventValues& values);
/// A sentence about the build's state.
std::string description_of(State state, EventValues& values);

}  // namespace ringpost::dialect::git_status
