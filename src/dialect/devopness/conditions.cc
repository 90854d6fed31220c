#include "dialect/devopness/conditions.h"

#include "dialect/devopness/names.h"

#include <algorithm>
#include <utility>

namespace ringpost::dialect::devopness {
namespace {

using json::Found;
using json::Kind;
using json::Path;

/// The documented example of an outgoing hook, `action.pipeline.id`, is no member of an action.
constexpr std::string_view documented_pipeline = "action.pipeline.id";
constexpr std::string_view pipeline = "action.pipeline_id";

}  // namespace

/// Reads conditions out of the JSON of a request.
class Conditions::Reader {
 public:
  Reader(std::string_view json, std::span<const std::string_view> roots) : roots_(roots) {
    document_.assign(json);
  }

  std::optional<ConditionsProblem> read(std::vector<Condition>& conditions);

 private:
  /// A member of the condition that is being read.
  Found find(std::string_view member) { return document_.find(Path::constant(place(member))); }
  std::string place(std::string_view member) const {
    return std::to_string(index_) + '.' + std::string{member};
  }
  ConditionsProblem refuse(std::string_view member, std::string reason) const {
    return {place(member), std::move(reason)};
  }

  std::optional<ConditionsProblem> read_condition(std::vector<Condition>& conditions);
  std::optional<ConditionsProblem> check_path(std::string_view path) const;
  std::optional<ConditionsProblem> read_accepted(Condition& condition);

  std::span<const std::string_view> roots_;
  json::Document document_;
  size_t index_ = 0;
};

std::optional<ConditionsProblem> Conditions::Reader::read(std::vector<Condition>& conditions) {
  const Kind root = document_.root().kind;
  if (root == Kind::null) return std::nullopt;
  if (root != Kind::array) return ConditionsProblem{{}, "must be an array of conditions"};
  while (document_.has_member(Path::constant(std::to_string(index_)))) {
    if (index_ == conditions_max) return ConditionsProblem{{}, "must be at most 64 conditions"};
    if (auto refusal = read_condition(conditions)) return refusal;
    ++index_;
  }
  return std::nullopt;
}

std::optional<ConditionsProblem> Conditions::Reader::check_path(std::string_view text) const {
  if (const auto objection = Path::object_to(text); !objection.empty()) {
    return refuse("path", "is not a path: it " + std::string{objection});
  }
  const Path path = Path::constant(text);
  if (roots_.empty()) return std::nullopt;
  if (std::ranges::find(roots_, path.root()) != roots_.end()) {
    if (!leads_to_relation(path)) return std::nullopt;
    return refuse("path", "leads to a relation of the resource, which a hook cannot see");
  }
  std::string reason = "begins with an unknown name; known names are";
  for (const std::string_view root : roots_) {
    reason.append(root == roots_.front() ? " " : ", ").append(root);
  }
  return refuse("path", std::move(reason));
}

std::optional<ConditionsProblem> Conditions::Reader::read_condition(
    std::vector<Condition>& conditions) {
  const Path here = Path::constant(std::to_string(index_));
  if (document_.find(here).kind != Kind::object) {
    return ConditionsProblem{here.text(), "must be an object with path and accepted_values"};
  }
  const Found type = find("type");
  const bool said = type.kind != Kind::missing && type.kind != Kind::null;
  if (said && (type.kind != Kind::string || type.text != "request_body")) {
    return refuse("type", "must be request_body");
  }
  const Kind name = find("name").kind;
  if (name != Kind::missing && name != Kind::null && name != Kind::string) {
    return refuse("name", "must be a string");
  }
  const Found path = find("path");
  if (path.kind != Kind::string) return refuse("path", "must be a string");
  if (auto refusal = check_path(path.text)) return refusal;
  const bool alias = !roots_.empty() && path.text == documented_pipeline;
  Condition condition{.path = Path::constant(alias ? pipeline : path.text)};
  if (auto refusal = read_accepted(condition)) return refusal;
  conditions.push_back(std::move(condition));
  return std::nullopt;
}

std::optional<ConditionsProblem> Conditions::Reader::read_accepted(Condition& condition) {
  if (find("accepted_values").kind != Kind::array) {
    return refuse("accepted_values", "must be an array");
  }
  size_t count = 0;
  std::optional<ConditionsProblem> refusal;
  document_.for_each_element(Path::constant(place("accepted_values")), [&](const Found& value) {
    if (count == accepted_values_max) {
      refusal = refuse("accepted_values", "must be at most 256 values");
    } else if (value.kind == Kind::array || value.kind == Kind::object) {
      refusal = refuse("accepted_values." + std::to_string(count),
                       "must be a string, a number, true, false or null");
    } else if (value.broken) {
      refusal = refuse("accepted_values." + std::to_string(count), "holds an unpaired surrogate");
    } else {
      condition.accepted.add(value);
    }
    ++count;
    return !refusal;
  });
  return refusal;
}

std::variant<Conditions, ConditionsProblem> Conditions::compile(
    std::string_view json, std::span<const std::string_view> roots) {
  static_assert(json_bytes_max == 64 * 1024 && conditions_max == 64 && accepted_values_max == 256,
                "the sentences say so");
  if (json.size() > json_bytes_max) return ConditionsProblem{{}, "must be at most 64 KiB"};
  Conditions made;
  if (auto refusal = Reader{json, roots}.read(made.conditions_)) return *std::move(refusal);
  return made;
}

bool Conditions::holds(const Condition& condition, json::Document& document) {
  const Found found = document.scalar(condition.path);
  if (found.kind != Kind::array) return condition.accepted.holds(found);
  bool holds = false;
  document.for_each_leaf(condition.path, [&](const Found& leaf) {
    holds = condition.accepted.holds(leaf);
    return !holds;
  });
  return holds;
}

void Conditions::decide(std::string_view root, json::Document& document) {
  std::erase_if(conditions_, [&](const Condition& one) {
    if (one.path.root() != root) return false;
    never_ = never_ || !holds(one, document);
    return true;
  });
}

bool Conditions::never_hold() const {
  return never_ || std::ranges::any_of(conditions_,
                                       [](const Condition& one) { return one.accepted.empty(); });
}

bool Conditions::hold(json::Document& document) const {
  return !never_ && std::ranges::all_of(conditions_, [&document](const Condition& one) {
    return holds(one, document);
  });
}

}  // namespace ringpost::dialect::devopness
