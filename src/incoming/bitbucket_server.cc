#include "incoming/payload.h"

namespace ringpost::incoming {
namespace {

using json::Path;

struct Paths {
  Path actor = Path::constant("actor.name");
  Path comment = Path::constant("comment.text");
  Path event = Path::constant("eventKey");
  Path from = Path::constant("pullRequest.fromRef.displayId");
  Path from_commit = Path::constant("pullRequest.fromRef.latestCommit");
  Path number = Path::constant("pullRequest.id");
  Path project = Path::constant("repository.project.key");
  Path slug = Path::constant("repository.slug");
  Path title = Path::constant("pullRequest.title");
  Path to = Path::constant("pullRequest.toRef.displayId");
  Path to_project = Path::constant("pullRequest.toRef.repository.project.key");
  Path to_slug = Path::constant("pullRequest.toRef.repository.slug");
};

const Paths& paths() {
  static const Paths all;
  return all;
}

void read_change(const Payload& payload, const std::string& place, Facts& facts) {
  set_ref(facts, payload.text(place + ".ref.id"));
  set_move(facts, payload.text(place + ".fromHash"), payload.text(place + ".toHash"));
  const std::string element = payload.element_with("commits", "id", facts.commit);
  if (!element.empty()) facts.title = first_line(payload.text(element + ".message"));
}

/// Pull requests name the repository that they go to.
std::string repository_of(const Payload& payload) {
  const std::string project = payload.text(paths().project, paths().to_project);
  const std::string slug = payload.text(paths().slug, paths().to_slug);
  return project.empty() || slug.empty() ? std::string{} : project + '/' + slug;
}

std::optional<http::Problem> read_pull_request(std::string_view event, std::string_view what,
                                               const Payload& payload, Facts& facts) {
  constexpr std::string_view comment = "comment:";
  facts.number = payload.text(paths().number);
  if (facts.number.empty()) return not_of_event(event, "pullRequest.id");
  facts.subject = "pull_request/" + facts.number;
  facts.branch = payload.text(paths().from);
  facts.base = payload.text(paths().to);
  facts.commit = payload.text(paths().from_commit);
  const bool comments = what.starts_with(comment);
  facts.type = comments ? comment_type : pull_request_type;
  facts.action = shared_action(comments ? what.substr(comment.size()) : what);
  facts.title = first_line(payload.text(comments ? paths().comment : paths().title));
  return std::nullopt;
}

}  // namespace

std::optional<http::Problem> read_bitbucket_server(std::string_view event, const Payload& payload,
                                                   std::vector<Facts>& out) {
  constexpr std::string_view pull_request = "pr:";
  const std::string key = payload.text(paths().event);
  if (key != event) return disagreement("X-Event-Key", event, "eventKey", key);
  Facts facts;
  facts.repository = repository_of(payload);
  facts.author = payload.text(paths().actor);
  if (event == "repo:refs_changed")
    return read_changes(event, payload, "changes", facts, read_change, out);
  std::optional<http::Problem> problem;
  if (event.starts_with(pull_request)) {
    problem = read_pull_request(event, event.substr(pull_request.size()), payload, facts);
  } else {
    facts.type = other_type(event);
  }
  if (!problem) out.push_back(std::move(facts));
  return problem;
}

}  // namespace ringpost::incoming
