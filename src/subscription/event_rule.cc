#include "subscription/event_rule.h"

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
  const json::Found found = data_.find(*path);
  return found.kind == json::Kind::string ? found.text : std::string_view{};
}

std::string_view EventFacts::branch() const {
  if (!routing_.has_branch) return {};
  return attributes_.branch.empty() ? find(routing_.branch) : attributes_.branch;
}

std::string_view EventFacts::cluster() const {
  const json::Found own = extensions_.find(cluster_path());
  return own.kind == json::Kind::string ? own.text : find(routing_.cluster);
}

bool EventFacts::any_team(const std::function<bool(std::string_view)>& wanted) const {
  const json::Found teams = extensions_.find(teams_path());
  if (teams.kind == json::Kind::string) return wanted(teams.text);
  bool any = false;
  extensions_.for_each_element(teams_path(), [&](const json::Found& team) {
    any = team.kind == json::Kind::string && wanted(team.text);
    return !any;
  });
  return any;
}

}  // namespace ringpost::subscription
