#pragma once

#include "json/document.h"
#include "json/path.h"
#include "json/scalar_set.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ringpost::dialect::devopness {

/// Why conditions are refused on create and update.
struct ConditionsProblem {
  std::string member;  ///< Inside the conditions: `0.accepted_values.2`; empty if all of it.
  std::string reason;  ///< Part of a sentence: "must be ...".
};

/// `trigger_when.conditions`, compiled: what an event must say so that a hook is triggered.
///
///   [{"path": "action.triggered_from.hook_parsed_variables.pipeline_id", "accepted_values":
///   [123]}]
///
/// All must hold. One holds if an accepted value equals the value at its path (json::ScalarSet); an
/// array holds if something in it does (of a large one the first json::Document::leaves_max values
/// are looked at), an object never.
class Conditions {
 public:
  static constexpr size_t json_bytes_max = 64 * 1024;
  static constexpr size_t conditions_max = 64;
  static constexpr size_t accepted_values_max = 256;  ///< Of one condition.

  /// @param json   an array of `{"path", "accepted_values"}`; accepted values are scalars and null.
  /// A
  ///               `type` may be there and must be `request_body` then (incoming hooks); other
  ///               members are ignored. `null` is no restriction.
  /// @param roots  the first names that a path may have, those of an outgoing hook's variables:
  /// then
  ///               `action.pipeline.id` is understood as `action.pipeline_id`. Empty for an
  ///               incoming hook, whose paths lead into the request's body: any.
  static std::variant<Conditions, ConditionsProblem> compile(
      std::string_view json, std::span<const std::string_view> roots);

  /// No restriction.
  Conditions() = default;

  bool empty() const { return conditions_.empty() && !never_; }

  /// Whether they cannot hold, whatever the event: one that was decided does not, or one accepts
  /// nothing.
  bool never_hold() const;

  /// Judges the conditions whose paths begin with `root` once and for all: what they look at is in
  /// `document`, and does not come with the events.
  void decide(std::string_view root, json::Document& document);

  /// Whether all hold for `document`. Allocates nothing once `document` is warm.
  bool hold(json::Document& document) const;

 private:
  struct Condition {
    json::Path path;
    json::ScalarSet accepted;
  };
  class Reader;

  static bool holds(const Condition& condition, json::Document& document);

  std::vector<Condition> conditions_;
  bool never_ = false;  ///< A condition that was decided does not hold.
};

}  // namespace ringpost::dialect::devopness
