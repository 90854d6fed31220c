#pragma once

#include "json/document.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::subscription {

/// One event as rules see it: its attributes, and its data, which is parsed when the first rule
/// asks. Branch, cluster and teams are read once, however many rules ask. Borrows everything for
/// one match. One thread.
class EventFacts {
 public:
  static constexpr size_t teams_max = 1000;  ///< Of one event; what it names beyond is not seen.

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
    std::string_view branch;  ///< Empty: `routing` says where it is in the data.
  };

  /// @param data        assigned to the event's data.
  /// @param extensions  assigned to the event's extensions: an object with `cluster` and `teams`,
  ///                    or nothing.
  EventFacts(const Attributes& attributes, json::Document& data, json::Document& extensions,
             const RoutingPaths& routing)
      : attributes_(attributes), data_(data), extensions_(extensions), routing_(routing) {}

  std::string_view source() const { return attributes_.source; }
  std::string_view type() const { return attributes_.type; }
  /// Other names of the source, out of the data, if the event's sender may use them.
  std::span<const std::string> other_names() const { return other_names_; }
  void set_other_names(std::span<const std::string> names) { other_names_ = names; }
  json::Document& data() const { return data_; }

  /// Empty if the event has none.
  std::string_view branch() const;
  std::string_view cluster() const;
  /// Each once, in order of their bytes.
  std::span<const std::string> teams() const;

  /// What rules have looked at so far (json::Document::work).
  uint64_t work() const { return data_.work() + extensions_.work(); }

 private:
  std::string_view find(const json::Path* path) const;
  std::string find_branch() const;
  std::string find_cluster() const;
  std::vector<std::string> find_teams() const;

  const Attributes attributes_;
  json::Document& data_;
  json::Document& extensions_;
  const RoutingPaths routing_;
  std::span<const std::string> other_names_;

  // Nothing until somebody asks.
  mutable std::optional<std::string> branch_;
  mutable std::optional<std::string> cluster_;
  mutable std::optional<std::vector<std::string>> teams_;
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
  /// Why not, as a sentence without its full stop; empty: it wants it.
  virtual std::string why_not(const EventFacts& event) const = 0;
};

}  // namespace ringpost::subscription
