#include "incoming/payload.h"

namespace ringpost::incoming {
namespace {

using json::Path;

struct Paths {
  Path actor = Path::constant("actor.nickname");
  Path branch = Path::constant("pullrequest.source.branch.name");
  Path comment = Path::constant("comment.content.raw");
  Path commit = Path::constant("pullrequest.source.commit.hash");
  Path commit_comment = Path::constant("commit.hash");
  Path destination = Path::constant("pullrequest.destination.branch.name");
  Path number = Path::constant("pullrequest.id");
  Path repository = Path::constant("repository.full_name");
  Path title = Path::constant("pullrequest.title");
};

const Paths& paths() {
  static const Paths all;
  return all;
}

/// One branch or tag. Bookmarks of Mercurial's days have other types; they move like branches.
void read_change(const Payload& payload, const std::string& place, Facts& facts) {
  const std::string after = payload.text(place + ".new.target.hash");
  const std::string side = place + (after.empty() ? ".old" : ".new");
  const bool tag = payload.text(side + ".type") == "tag";
  set_ref(facts, (tag ? "refs/tags/" : "refs/heads/") + payload.text(side + ".name"));
  set_move(facts, payload.text(place + ".old.target.hash"), after);
  facts.title = first_line(payload.text(place + ".new.target.message"));
}

std::optional<http::Problem> read_pull_request(std::string_view event, std::string_view what,
                                               const Payload& payload, Facts& facts) {
  constexpr std::string_view comment = "comment_";
  facts.number = payload.text(paths().number);
  if (facts.number.empty()) return not_of_event(event, "pullrequest.id");
  facts.subject = "pull_request/" + facts.number;
  facts.branch = payload.text(paths().branch);
  facts.base = payload.text(paths().destination);
  facts.commit = payload.text(paths().commit);
  if (what.starts_with(comment)) {
    facts.type = comment_type;
    facts.action = what == "comment_updated" ? "edited" : what.substr(comment.size());
    facts.title = first_line(payload.text(paths().comment));
    return std::nullopt;
  }
  facts.type = pull_request_type;
  facts.action = what == "created" ? "opened" : shared_action(what);
  facts.title = first_line(payload.text(paths().title));
  return std::nullopt;
}

void read_commit_comment(const Payload& payload, Facts& facts) {
  facts.type = comment_type;
  facts.action = "created";
  facts.commit = payload.text(paths().commit_comment);
  facts.subject = "commit/" + facts.commit;
  facts.title = first_line(payload.text(paths().comment));
}

}  // namespace

std::optional<http::Problem> read_bitbucket(std::string_view event, const Payload& payload,
                                            std::vector<Facts>& out) {
  constexpr std::string_view pull_request = "pullrequest:";
  Facts facts;
  facts.repository = payload.text(paths().repository);
  facts.author = payload.text(paths().actor);
  if (event == "repo:push")
    return read_changes(event, payload, "push.changes", facts, read_change, out);
  std::optional<http::Problem> problem;
  if (event.starts_with(pull_request)) {
    problem = read_pull_request(event, event.substr(pull_request.size()), payload, facts);
  } else if (event == "repo:commit_comment_created") {
    read_commit_comment(payload, facts);
  } else {
    facts.type = other_type(event);
  }
  if (!problem) out.push_back(std::move(facts));
  return problem;
}

}  // namespace ringpost::incoming
