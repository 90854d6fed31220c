#include "dialect/buildkite/rule.h"

#include "dialect/buildkite/events.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <utility>

namespace ringpost::dialect::buildkite {

using json::Path;
using subscription::EventFacts;
using subscription::EventRule;
using subscription::Webhook;

namespace {

constexpr std::string_view pipeline_kind = "pipeline/";

struct Paths {
  Path branch = Path::constant("build.branch");
  Path pipeline_id = Path::constant("pipeline.id");
  Path pipeline_slug = Path::constant("pipeline.slug");
  Path pipeline_cluster = Path::constant("pipeline.cluster_id");
  Path agent_cluster = Path::constant("agent.job.cluster_id");
  Path token_cluster_url = Path::constant("cluster_token.cluster_url");
};

const Paths& paths() {
  static const Paths paths;
  return paths;
}

/// Good until the next look-up; empty if there is no such text.
std::string_view text_at(const EventFacts& event, const Path& path) {
  const json::Found found = event.data().scalar(path);
  return found.kind == json::Kind::string ? found.text : std::string_view{};
}

class ScopeRule final : public EventRule {
 public:
  explicit ScopeRule(std::optional<Settings> settings) : readable_(settings.has_value()) {
    if (!settings) return;
    scope_ = settings->scope;
    ids_ = std::move(settings->scope_ids);
    std::ranges::sort(ids_);
  }

  bool wants(const EventFacts& event) const override {
    const Subject subject = subject_of(event.type());
    return readable_ && subject != Subject::ping && is_in_scope(event, subject);
  }

  std::string why_not(const EventFacts& event) const override {
    if (wants(event)) return {};
    if (!readable_) return "its `settings` cannot be read";
    if (subject_of(event.type()) == Subject::ping) return "a ping goes to the webhook it is for";
    if (ids_.empty()) return "`settings.scope_uuids` is empty";
    return "it is not in the scope " + std::string{name(scope_)} + " of `settings.scope_uuids`";
  }

 private:
  bool is_in_scope(const EventFacts& event, Subject subject) const {
    if (scope_ != Scope::all && ids_.empty()) return false;
    switch (scope_) {
      case Scope::all: return true;
      case Scope::some_projects: return subject == Subject::agent || wants_pipeline(event);
      case Scope::some_teams: return subject == Subject::agent || wants_team(event);
      case Scope::some_clusters: return wants_cluster(event, subject);
    }
    return false;
  }

  bool holds(std::string_view text) const {
    const auto id = Ulid::parse_uuid(text);
    return id && std::ranges::binary_search(ids_, *id);
  }

  bool is_of_pipeline(std::string_view source) const {
    return source.starts_with(pipeline_kind) && holds(source.substr(pipeline_kind.size()));
  }

  bool wants_pipeline(const EventFacts& event) const {
    return is_of_pipeline(event.source()) ||
           std::ranges::any_of(event.other_names(),
                               [this](const std::string& name) { return is_of_pipeline(name); });
  }

  bool wants_team(const EventFacts& event) const {
    return std::ranges::any_of(event.teams(),
                               [this](const std::string& team) { return holds(team); });
  }

  bool wants_cluster(const EventFacts& event, Subject subject) const {
    std::string_view cluster = event.cluster();
    if (cluster.empty() && subject == Subject::agent) {
      const std::string_view url = text_at(event, paths().token_cluster_url);
      cluster = url.substr(url.rfind('/') + 1);
      if (cluster.empty()) return true;
    }
    return holds(cluster);
  }

  const bool readable_;
  Scope scope_ = Scope::all;
  std::vector<Ulid> ids_;
};

void add_name(const EventFacts& event, std::string_view pipeline, std::vector<std::string>& names) {
  std::string name{pipeline_kind};
  // Webhooks name pipelines by UUIDs in lower case.
  if (const auto id = Ulid::parse_uuid(pipeline)) {
    name += id->to_given_uuid_text();
  } else {
    name += pipeline;
  }
  const bool usable =
      !pipeline.empty() && subscription::object_to_name(name, subscription::source_bytes_max) == "";
  if (usable && name != event.source()) names.push_back(std::move(name));
}

}  // namespace

std::unique_ptr<const EventRule> make_scope_rule(const Webhook& webhook) {
  auto settings = settings_of(webhook);
  const bool asks = !settings || settings->scope != Scope::all ||
                    subscription::any_event_matches(webhook.events, "ping");
  if (!asks) return nullptr;
  return std::make_unique<ScopeRule>(std::move(settings));
}

std::string why_scope_matches_nothing(const Webhook& webhook) {
  const auto settings = settings_of(webhook);
  if (!settings) return "Nothing is ever sent: its `settings` cannot be read. Set them again.";
  const std::string scope{name(settings->scope)};
  if (settings->scope != Scope::all && settings->scope_ids.empty()) {
    return "Nothing is ever sent: `settings.scope` is " + scope +
           ", and `settings.scope_uuids` is empty. List the UUIDs there, or set the scope to all.";
  }
  if (settings->scope != Scope::some_clusters || webhook.filter.clusters.empty()) return {};
  const bool may_match = std::ranges::any_of(webhook.filter.clusters, [&](std::string_view text) {
    const auto id = Ulid::parse_uuid(text);
    return id && std::ranges::find(settings->scope_ids, *id) != settings->scope_ids.end();
  });
  if (may_match) return {};
  return "Nothing is ever sent: no cluster is both in `filter.clusters` and in "
         "`settings.scope_uuids`. Remove one of the two.";
}

std::optional<EventFacts::RoutingPaths> routing_of(std::string_view type) {
  switch (subject_of(type)) {
    case Subject::pipeline:
      return EventFacts::RoutingPaths{.branch = &paths().branch,
                                      .cluster = &paths().pipeline_cluster};
    case Subject::agent:
      return EventFacts::RoutingPaths{.cluster = &paths().agent_cluster, .has_branch = false};
    default: return std::nullopt;
  }
}

bool is_pipeline_name(std::string_view source) {
  return source.starts_with(pipeline_kind);
}

void add_pipeline_names(const EventFacts& event, std::vector<std::string>& names) {
  if (subject_of(event.type()) != Subject::pipeline) return;
  add_name(event, text_at(event, paths().pipeline_id), names);
  add_name(event, text_at(event, paths().pipeline_slug), names);
}

}  // namespace ringpost::dialect::buildkite
