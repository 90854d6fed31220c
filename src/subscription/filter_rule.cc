#include "subscription/filter_rule.h"

#include "base/assert.h"
#include "subscription/branch_patterns.h"
#include "subscription/data_condition.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ringpost::subscription {
namespace {

class FilterRule final : public EventRule {
 public:
  FilterRule(BranchPatterns branches, DataCondition data, const Filter& filter)
      : asks_branch_(!filter.branches.empty()),
        branches_(std::move(branches)),
        teams_(filter.teams),
        clusters_(filter.clusters),
        data_(std::move(data)) {
    std::ranges::sort(teams_);
    std::ranges::sort(clusters_);
  }

  bool wants(const EventFacts& event) const override { return find_miss(event) == Miss::none; }

  std::string why_not(const EventFacts& event) const override {
    switch (find_miss(event)) {
      case Miss::none: return {};
      case Miss::branch: return not_among("branch", event.branch(), "filter.branches");
      case Miss::cluster: return not_among("cluster", event.cluster(), "filter.clusters");
      case Miss::team:
        return event.teams().empty() ? not_among("team", "", "filter.teams")
                                     : "none of its teams is among `filter.teams`";
      case Miss::data: return why_not_data(event.data());
    }
    RINGPOST_UNREACHABLE();
  }

 private:
  enum class Miss : uint8_t { none, branch, cluster, team, data };

  /// What knows no branch (an agent, say) is not filtered by branch, as with Buildkite.
  Miss find_miss(const EventFacts& event) const {
    if (asks_branch_ && !wants_branch(event.branch())) return Miss::branch;
    if (!clusters_.empty() && !holds(clusters_, event.cluster())) return Miss::cluster;
    if (!teams_.empty() && !wants_team(event)) return Miss::team;
    return data_.holds(event.data()) ? Miss::none : Miss::data;
  }

  static std::string not_among(const std::string& what, std::string_view value,
                               const std::string& member) {
    if (value.empty()) return "it names no " + what + ", and `" + member + "` asks for one";
    return "its " + what + " \"" + std::string{value} + "\" is not among `" + member + "`";
  }

  std::string why_not_data(json::Document& data) const {
    return "`filter.data` does not hold: " + data_.failing(data);
  }

  bool wants_team(const EventFacts& event) const {
    return std::ranges::any_of(event.teams(),
                               [this](const std::string& team) { return holds(teams_, team); });
  }

  bool wants_branch(std::string_view branch) const {
    return branch.empty() || branches_.matches(branch);
  }

  static bool holds(const std::vector<std::string>& sorted, std::string_view name) {
    return std::binary_search(sorted.begin(), sorted.end(), name, std::less<>{});
  }

  const bool asks_branch_;
  const BranchPatterns branches_;
  std::vector<std::string> teams_;
  std::vector<std::string> clusters_;
  const DataCondition data_;
};

/// Without a condition: one that asks for nothing.
DataCondition compile_data(const std::string& json) {
  if (json.empty()) return {};
  auto compiled = DataCondition::compile(json);
  RINGPOST_ASSERT(std::holds_alternative<DataCondition>(compiled));
  return std::get<DataCondition>(std::move(compiled));
}

}  // namespace

std::unique_ptr<const EventRule> make_filter_rule(const Filter& filter) {
  if (filter.empty()) return nullptr;
  auto branches = BranchPatterns::compile(filter.branches);
  RINGPOST_ASSERT(branches.has_value());
  return std::make_unique<FilterRule>(std::move(*branches), compile_data(filter.data), filter);
}

}  // namespace ringpost::subscription
