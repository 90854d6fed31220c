#include "subscription/data_condition.h"

#include "base/assert.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>
#include <utility>

namespace ringpost::subscription {
namespace {

using json::Found;
using json::Kind;
using json::Path;
using Problem = std::optional<DataConditionProblem>;

/// Where the reader's document keeps the condition: a look-up needs a name.
constexpr std::string_view root = "data";

struct BoundName {
  std::string_view name;
  DataTest::Relation relation;
};

constexpr std::array bound_names = {BoundName{"at_least", DataTest::Relation::at_least},
                                    BoundName{"at_most", DataTest::Relation::at_most},
                                    BoundName{"above", DataTest::Relation::above},
                                    BoundName{"below", DataTest::Relation::below}};

/// The number that a JSON number is spelled as; one that is too large or too small to be kept is
/// infinite or 0.
long double number_of(std::string_view text) {
  long double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc::result_out_of_range) return number;
  const bool small = text.find("e-") != text.npos || text.find("E-") != text.npos;
  if (small) return 0;
  constexpr auto infinity = std::numeric_limits<long double>::infinity();
  return text.starts_with('-') ? -infinity : infinity;
}

bool in_bound(const DataTest::Bound& bound, long double number) {
  switch (bound.relation) {
    case DataTest::Relation::at_least: return number >= bound.number;
    case DataTest::Relation::at_most: return number <= bound.number;
    case DataTest::Relation::above: return number > bound.number;
    case DataTest::Relation::below: return number < bound.number;
  }
  RINGPOST_UNREACHABLE();
}

/// `data.all.2.path` as people write it: `all[2].path`.
std::string shown_place(const Path& place) {
  std::string shown;
  for (size_t index = 1; index < place.names_count(); ++index) {
    const std::string name{place.name(index)};
    if (place.element(index)) {
      shown += "[" + name + "]";
    } else {
      shown += (shown.empty() ? "" : ".") + name;
    }
  }
  return shown;
}

template <typename Number>
bool fits(std::string_view text) {
  Number number{};
  return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc{};
}

/// Whether every JSON reader can show it as it is.
bool is_common_number(const Found& value) {
  if (value.kind == Kind::number) return fits<double>(value.text);
  return fits<int64_t>(value.text) || fits<uint64_t>(value.text);
}

bool is_number(const Found& value) {
  return value.kind == Kind::integer || value.kind == Kind::number;
}

/// Why a value cannot be compared with; empty if it can.
std::string_view object_to_scalar(const Found& value) {
  if (value.kind == Kind::array || value.kind == Kind::object) {
    return "must be a string, a number, true, false or null";
  }
  if (value.broken) return "has an unpaired surrogate";
  if (is_number(value) && !is_common_number(value)) return "is a number of more than 64 bits";
  return {};
}

}  // namespace

bool DataTest::accepts(const Found& value) const {
  if (values_ && !values_->holds(value)) return false;
  if (prefix_ && (value.kind != Kind::string || !value.text.starts_with(*prefix_))) return false;
  if (bounds_.empty()) return true;
  if (!is_number(value)) return false;
  const long double number = number_of(value.text);
  return std::ranges::all_of(bounds_,
                             [number](const Bound& bound) { return in_bound(bound, number); });
}

bool DataTest::holds(json::Document& data) const {
  const Found found = data.scalar(path_);
  if (exists_) {
    const bool exists = found.kind != Kind::missing && found.kind != Kind::null;
    if (exists != *exists_) return false;
  }
  if (!asks_value()) return true;
  if (found.kind != Kind::array) return accepts(found);
  bool holds = false;
  data.for_each_leaf(path_, [&](const Found& leaf) {
    holds = accepts(leaf);
    return !holds;
  });
  return holds;
}

/// Reads a condition out of its JSON. Places are paths in the document that it keeps.
class DataCondition::Reader {
 public:
  explicit Reader(std::string_view json)
      : json_("{\"" + std::string{root} + "\":" + std::string{json} + "}") {
    document_.assign(json_);
  }

  Problem read(DataCondition& condition) {
    if (!document_.valid()) return DataConditionProblem{{}, "is not JSON"};
    return read_condition(std::string{root}, depth_max, condition);
  }

 private:
  Problem read_condition(const std::string& place, size_t levels_left, DataCondition& condition);
  Problem read_list(const std::string& place, size_t levels_left, DataCondition& condition);
  Problem read_test(const std::string& place, std::span<const std::string> names,
                    DataCondition& condition);
  Problem read_operator(const std::string& place, std::string_view name, DataTest& test);
  Problem read_value(const std::string& place, DataTest& test);
  Problem read_values(const std::string& place, DataTest& test);
  Problem read_prefix(const std::string& place, DataTest& test);
  Problem read_exists(const std::string& place, DataTest& test);
  Problem read_bound(const std::string& place, DataTest::Relation relation, DataTest& test);

  Found find(const std::string& place) { return document_.find(Path::constant(place)); }
  static DataConditionProblem refuse(const std::string& place, std::string_view reason) {
    return {shown_place(Path::constant(place)), std::string{reason}};
  }

  const std::string json_;
  json::Document document_;
  size_t count_ = 0;
};

Problem DataCondition::Reader::read_condition(const std::string& place, size_t levels_left,
                                              DataCondition& condition) {
  if (find(place).kind != Kind::object) return refuse(place, "must be an object");
  if (levels_left == 0) return refuse(place, "is nested deeper than 8 levels");
  if (++count_ > conditions_max)
    return refuse(place, "is one too many: 100 conditions are allowed");
  static_assert(depth_max == 8 && conditions_max == 100, "the sentences say so");
  const std::vector<std::string> names = document_.member_names(Path::constant(place));
  const auto has = [&names](std::string_view name) {
    return std::ranges::find(names, name) != names.end();
  };
  if (has("path")) return read_test(place, names, condition);
  if (names.size() != 1 || !(has("all") || has("any") || has("not"))) {
    return refuse(place, "must have either \"all\", \"any\" or \"not\", or a \"path\"");
  }
  const std::string inside = place + "." + names.front();
  if (names.front() == "not") {
    condition.form_ = Form::negation;
    return read_condition(inside, levels_left - 1, condition.parts_.emplace_back());
  }
  condition.form_ = names.front() == "all" ? Form::all : Form::any;
  return read_list(inside, levels_left, condition);
}

Problem DataCondition::Reader::read_list(const std::string& place, size_t levels_left,
                                         DataCondition& condition) {
  const auto part = [&] { return place + "." + std::to_string(condition.parts_.size()); };
  if (find(place).kind != Kind::array || !document_.has_member(Path::constant(part()))) {
    return refuse(place, "must be an array of at least one condition");
  }
  while (document_.has_member(Path::constant(part()))) {
    const std::string next = part();
    if (auto problem = read_condition(next, levels_left - 1, condition.parts_.emplace_back())) {
      return problem;
    }
  }
  return std::nullopt;
}

Problem DataCondition::Reader::read_test(const std::string& place,
                                         std::span<const std::string> names,
                                         DataCondition& condition) {
  const Found path = find(place + ".path");
  if (path.kind != Kind::string) return refuse(place + ".path", "must be a string");
  if (const auto objection = Path::object_to(path.text); !objection.empty()) {
    return refuse(place + ".path", objection);
  }
  DataTest test{Path::constant(path.text)};
  for (const std::string& name : names) {
    if (name == "path") continue;
    if (auto problem = read_operator(place, name, test)) return problem;
  }
  if (names.size() == 1) {
    return refuse(
        place,
        "must say what it asks for: equals, in, prefix, at_least, at_most, above, below or "
        "exists");
  }
  condition.form_ = Form::test;
  condition.test_ = std::move(test);
  return std::nullopt;
}

Problem DataCondition::Reader::read_operator(const std::string& place, std::string_view name,
                                             DataTest& test) {
  const std::string member = place + "." + std::string{name};
  const auto bound = std::ranges::find(bound_names, name, &BoundName::name);
  if (bound != bound_names.end()) return read_bound(member, bound->relation, test);
  if (name == "equals") return read_value(member, test);
  if (name == "in") return read_values(member, test);
  if (name == "prefix") return read_prefix(member, test);
  if (name == "exists") return read_exists(member, test);
  // Not a path: it may be any text.
  return refuse(place, "has an unknown member \"" + std::string{name.substr(0, 64)} + "\"");
}

Problem DataCondition::Reader::read_value(const std::string& place, DataTest& test) {
  const Found value = find(place);
  if (const auto objection = object_to_scalar(value); !objection.empty()) {
    return refuse(place, objection);
  }
  if (test.asks_values()) return refuse(place, "cannot be given together with in");
  json::ScalarSet values;
  values.add(value);
  test.ask_one_of(std::move(values));
  return std::nullopt;
}

Problem DataCondition::Reader::read_values(const std::string& place, DataTest& test) {
  if (find(place).kind != Kind::array) return refuse(place, "must be an array of values");
  if (test.asks_values()) return refuse(place, "cannot be given together with equals");
  static_assert(values_max == 256, "the sentence says so");
  json::ScalarSet values;
  size_t count = 0;
  Problem problem;
  document_.for_each_element(Path::constant(place), [&](const Found& value) {
    if (count == values_max) problem = refuse(place, "has more than 256 values");
    if (const auto objection = object_to_scalar(value); !objection.empty()) {
      problem = refuse(place + "." + std::to_string(count), objection);
    }
    if (problem) return false;
    values.add(value);
    ++count;
    return true;
  });
  if (!problem && values.empty()) problem = refuse(place, "must have at least one value");
  test.ask_one_of(std::move(values));
  return problem;
}

Problem DataCondition::Reader::read_prefix(const std::string& place, DataTest& test) {
  const Found prefix = find(place);
  if (prefix.kind != Kind::string || prefix.broken || prefix.text.empty()) {
    return refuse(place, "must be a string that is not empty");
  }
  test.ask_prefix(prefix.text);
  return std::nullopt;
}

Problem DataCondition::Reader::read_exists(const std::string& place, DataTest& test) {
  const Found exists = find(place);
  if (exists.kind != Kind::boolean) return refuse(place, "must be true or false");
  test.ask_exists(exists.text == "true");
  return std::nullopt;
}

Problem DataCondition::Reader::read_bound(const std::string& place, DataTest::Relation relation,
                                          DataTest& test) {
  const Found number = find(place);
  if (!is_number(number)) return refuse(place, "must be a number");
  if (!is_common_number(number)) return refuse(place, "is a number of more than 64 bits");
  test.ask_bound({relation, number_of(number.text)});
  return std::nullopt;
}

std::variant<DataCondition, DataConditionProblem> DataCondition::compile(std::string_view json) {
  static_assert(json_bytes_max == 16 * 1024, "the sentence says so");
  if (json.size() > json_bytes_max) return DataConditionProblem{{}, "is longer than 16 KiB"};
  DataCondition made;
  if (auto problem = Reader{json}.read(made)) return *std::move(problem);
  return made;
}

std::string DataCondition::failing(json::Document& data) const {
  switch (form_) {
    case Form::all: {
      const auto part = std::ranges::find_if(
          parts_, [&data](const DataCondition& one) { return !one.holds(data); });
      RINGPOST_ASSERT(part != parts_.end());
      return part->failing(data);
    }
    case Form::any: return "none of what `any` lists";
    case Form::negation: return "what `not` excludes";
    case Form::test: return "`" + test_->path().text() + "`";
  }
  RINGPOST_UNREACHABLE();
}

bool DataCondition::holds(json::Document& data) const {
  const auto part_holds = [&data](const DataCondition& part) { return part.holds(data); };
  switch (form_) {
    case Form::all: return std::ranges::all_of(parts_, part_holds);
    case Form::any: return std::ranges::any_of(parts_, part_holds);
    case Form::negation: return !parts_.front().holds(data);
    case Form::test: return test_->holds(data);
  }
  RINGPOST_UNREACHABLE();
}

}  // namespace ringpost::subscription
