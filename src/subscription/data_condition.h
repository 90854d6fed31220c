#pragma once

#include "json/document.h"
#include "json/path.h"
#include "json/scalar_set.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ringpost::subscription {

/// Why a condition is refused.
struct DataConditionProblem {
  std::string member;  ///< Inside the condition, as in `all[2].path`; empty if all of it.
  std::string reason;  ///< Part of a sentence: "must be ...".
};

/// What one value of an event's data must be. All that is asked for must hold; of an array, for one
/// of the values in it (of a large one the first json::Document::leaves_max are looked at).
class DataTest {
 public:
  enum class Relation : uint8_t { at_least, at_most, above, below };
  struct Bound {
    Relation relation;
    long double number;
  };

  explicit DataTest(json::Path path) : path_(std::move(path)) {}

  void ask_exists(bool exists) { exists_ = exists; }
  void ask_one_of(json::ScalarSet values) { values_ = std::move(values); }
  void ask_prefix(std::string_view prefix) { prefix_ = prefix; }
  void ask_bound(Bound bound) { bounds_.push_back(bound); }

  bool asks_values() const { return values_.has_value(); }
  /// Whether it asks for more than that there is a value.
  bool asks_value() const { return values_ || prefix_ || !bounds_.empty(); }
  bool holds(json::Document& data) const;
  const json::Path& path() const { return path_; }

 private:
  bool accepts(const json::Found& value) const;

  json::Path path_;
  std::optional<bool> exists_;
  std::optional<json::ScalarSet> values_;
  std::optional<std::string> prefix_;
  std::vector<Bound> bounds_;
};

/// `filter.data` of a webhook, compiled: what an event's data must say. An object with one of
///
///   {"all": [condition, …]}    every one holds
///   {"any": [condition, …]}    at least one holds
///   {"not": condition}         it does not hold
///   {"path": "build.status", "in": ["failed", "aborted"]}
///
/// and beside a `path` (json::Path) one or more of: `equals` (a scalar), `in` (scalars; both as
/// json::ScalarSet compares), `prefix` (of a string), `at_least`, `at_most`, `above`, `below` (of a
/// number, compared with at least 64 bits), and `exists`. A value that is null does not exist.
/// In data that is no JSON nothing exists.
///
/// The work for an event is linear: each test is one look-up (json::Document).
class DataCondition {
 public:
  static constexpr size_t json_bytes_max = 16 * 1024;
  static constexpr size_t conditions_max = 100;  ///< With all that are inside of others.
  static constexpr size_t depth_max = 8;
  static constexpr size_t values_max = 256;  ///< Of one `in`.

  static std::variant<DataCondition, DataConditionProblem> compile(std::string_view json);

  /// Asks for nothing: holds always.
  DataCondition() = default;

  bool holds(json::Document& data) const;
  /// Which part of it does not hold, as the subject of a sentence: the path of a test, or where in
  /// the condition it stands. Of a condition that does not hold.
  std::string failing(json::Document& data) const;

 private:
  class Reader;
  enum class Form : uint8_t { all, any, negation, test };

  Form form_ = Form::all;
  std::vector<DataCondition> parts_;  ///< One of a negation, none of a test.
  std::optional<DataTest> test_;
};

}  // namespace ringpost::subscription
