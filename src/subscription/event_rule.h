#pragma once

#include "json/document.h"

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace ringpost::subscription {

/// One event as rules see it: its attributes, and its data, which is parsed when the first rule
/// asks. Borrows everything for one match.
class EventFacts {
 public:
  /// Where an event keeps its routing attributes if it does not name them itself. A null path:
  /// nowhere.
  struct RoutingPaths {
    const json::Path* branch = nullptr;
    const json::Path* cluster = nullptr;
    /// False: events of the type know no branch, whatever an attribute says.
    bool has_branch = true;
  };

  struct Attributes {
    std::string_view organization;
    std::string_view source;
    std::string_view type;
    std::string_view branch;  ///< Empty: `routing` says where it stands in the data.
  };

  /// @param data        assigned to the event's data.
  /// @param extensions  assigned to the event's extensions: an object with `cluster` and `teams`,
  ///                    or nothing.
  EventFacts(const Attributes& attributes, json::Document& data, json::Document& extensions,
             const RoutingPaths& routing)
      : attributes_(attributes), data_(data), extensions_(extensions), routing_(routing) {}

  std::string_view source() const { return attributes_.source; }
  std::string_view type() const { return attributes_.type; }
  /// Other names of the source, out of the data, as far as who sent the event may use them.
  std::span<const std::string> other_names() const { return other_names_; }
  void set_other_names(std::span<const std::string> names) { other_names_ = names; }
  json::Document& data() const { return data_; }

  /// Valid until the next question; empty if the event has none.
  std::string_view branch() const;
  std::string_view cluster() const;
  /// Whether the event names a team for which `wanted` answers true.
  bool any_team(const std::function<bool(std::string_view)>& wanted) const;

 private:
  std::string_view find(const json::Path* path) const;

  const Attributes attributes_;
  json::Document& data_;
  json::Document& extensions_;
  const RoutingPaths routing_;
  std::span<const std::string> other_names_;
};

/// What a webhook asks of an event beyond source and type, prepared when the webhook was made or
/// changed. Immutable; asked by all shards at once.
class EventRule {
 public:
  EventRule() = default;
  EventRule(const EventRule&) = delete;
  EventRule& operator=(const EventRule&) = delete;
  virtual ~EventRule() = default;

  virtual bool wants(const EventFacts& event) const = 0;
};

}  // namespace ringpost::subscription
