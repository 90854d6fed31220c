#include "subscription/event_rule.h"

#include <algorithm>

namespace ringpost::subscription {
namespace {

const json::Path& cluster_path() {
  static const json::Path path = json::Path::constant("cluster");
  return path;
}

const json::Path& teams_path() {
  static const json::Path path = json::Path::constant("teams");
  return path;
}

}  // namespace

std::string_view EventFacts::find(const json::Path* path) const {
  if (path == nullptr) return {};
  const json::Found found = data_.scalar(*path);
  return found.kind == json::Kind::string ? found.text : std::string_view{};
}

std::string_view EventFacts::branch() const {
  if (!branch_) branch_ = find_branch();
  return *branch_;
}

std::string EventFacts::find_branch() const {
  if (!routing_.has_branch) return {};
  return std::string{attributes_.branch.empty() ? find(routing_.branch) : attributes_.branch};
}

std::string_view EventFacts::cluster() const {
  if (!cluster_) cluster_ = find_cluster();
  return *cluster_;
}

std::string EventFacts::find_cluster() const {
  const json::Found own = extensions_.scalar(cluster_path());
  return std::string{own.kind == json::Kind::string ? own.text : find(routing_.cluster)};
}

std::span<const std::string> EventFacts::teams() const {
  if (!teams_) teams_ = find_teams();
  return *teams_;
}

std::vector<std::string> EventFacts::find_teams() const {
  std::vector<std::string> found;
  const auto add = [&found](const json::Found& team) {
    if (team.kind == json::Kind::string) found.emplace_back(team.text);
    return found.size() < teams_max;
  };
  if (const json::Found team = extensions_.scalar(teams_path()); team.kind != json::Kind::array) {
    add(team);
  } else {
    extensions_.for_each_element(teams_path(), add);
  }
  std::ranges::sort(found);
  const auto repeated = std::ranges::unique(found);
  found.erase(repeated.begin(), repeated.end());
  return found;
}

}  // namespace ringpost::subscription
