#include "subscription/filter_rule.h"

#include "base/assert.h"
#include "subscription/branch_patterns.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::subscription {
namespace {

class FilterRule final : public EventRule {
 public:
  FilterRule(BranchPatterns branches, const Filter& filter)
      : asks_branch_(!filter.branches.empty()),
        branches_(std::move(branches)),
        teams_(filter.teams),
        clusters_(filter.clusters) {
    std::ranges::sort(teams_);
    std::ranges::sort(clusters_);
  }

  /// What knows no branch (an agent, say) is not filtered by branch, as with Buildkite.
  bool wants(const EventFacts& event) const override {
    if (asks_branch_ && !wants_branch(event.branch())) return false;
    if (!clusters_.empty() && !holds(clusters_, event.cluster())) return false;
    if (teams_.empty()) return true;
    return std::ranges::any_of(event.teams(),
                               [this](const std::string& team) { return holds(teams_, team); });
  }

 private:
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
};

}  // namespace

std::unique_ptr<const EventRule> make_filter_rule(const Filter& filter) {
  if (filter.empty()) return nullptr;
  auto branches = BranchPatterns::compile(filter.branches);
  RINGPOST_ASSERT(branches.has_value());
  return std::make_unique<FilterRule>(std::move(*branches), filter);
}

}  // namespace ringpost::subscription
