#include "incoming/payload.h"

namespace ringpost::incoming {
namespace {

using json::Path;

/// Gitea, Forgejo and Gogs have GitHub's payloads but for a few members.
struct Paths {
  Path action = Path::constant("action");
  Path after = Path::constant("after");
  Path base_ref = Path::constant("pull_request.base.ref");
  Path before = Path::constant("before");
  Path comment_body = Path::constant("comment.body");
  Path comment_commit = Path::constant("comment.commit_id");
  Path head_commit_id = Path::constant("head_commit.id");
  Path head_commit_message = Path::constant("head_commit.message");
  Path head_ref = Path::constant("pull_request.head.ref");
  Path head_sha = Path::constant("pull_request.head.sha");
  Path is_pull = Path::constant("is_pull");  // Gitea's.
  Path issue_number = Path::constant("issue.number");
  Path issue_pull_request = Path::constant("issue.pull_request");
  Path merged = Path::constant("pull_request.merged");
  Path number = Path::constant("number");
  Path pull_request = Path::constant("pull_request");
  Path pull_request_number = Path::constant("pull_request.number");
  Path pusher_name = Path::constant("pusher.name");
  Path pusher_username = Path::constant("pusher.username");  // Gogs'.
  Path ref = Path::constant("ref");
  Path ref_type = Path::constant("ref_type");
  Path sha = Path::constant("sha");  // Gitea's.
  Path repository = Path::constant("repository.full_name");
  Path sender_login = Path::constant("sender.login");
  Path sender_username = Path::constant("sender.username");  // Gogs'.
  Path title = Path::constant("pull_request.title");
};

const Paths& paths() {
  static const Paths all;
  return all;
}

std::string commit_title(const Payload& payload, const std::string& commit) {
  const std::string message = payload.text(paths().head_commit_message);
  if (!message.empty() || commit.empty()) return first_line(message);
  const std::string element = payload.element_with("commits", "id", commit);
  return element.empty() ? std::string{} : first_line(payload.text(element + ".message"));
}

std::optional<http::Problem> read_push(const Payload& payload, Facts& facts) {
  const std::string ref = payload.text(paths().ref);
  if (ref.empty()) return not_of_event("push", "ref");
  set_ref(facts, ref);
  set_move(facts, payload.text(paths().before), payload.text(paths().after));
  facts.title = commit_title(payload, facts.commit);
  // Of an annotated tag `after` is the tag's own object.
  const std::string head = payload.text(paths().head_commit_id);
  if (!facts.commit.empty() && !head.empty()) facts.commit = head;
  if (facts.author.empty()) {
    facts.author = payload.text(paths().pusher_username, paths().pusher_name);
  }
  return std::nullopt;
}

/// A branch or tag came or went, beside or in place of a push. Its name is short, or in full.
std::optional<http::Problem> read_ref_change(std::string_view event, const Payload& payload,
                                             Facts& facts) {
  facts.type = other_type(event);
  facts.action = event == "create" ? "created" : "deleted";
  const std::string ref = payload.text(paths().ref);
  if (ref.empty()) return not_of_event(event, "ref");
  const bool is_tag = payload.text(paths().ref_type) == "tag";
  const bool in_full = ref.starts_with("refs/");
  set_ref(facts, in_full ? ref : (is_tag ? "refs/tags/" : "refs/heads/") + ref);
  facts.type = other_type(event);  // A push of a tag has a type of its own, this has not.
  facts.commit = payload.text(paths().sha);
  return std::nullopt;
}

void read_head(const Payload& payload, Facts& facts) {
  facts.number = payload.text(paths().number, paths().pull_request_number);
  facts.branch = payload.text(paths().head_ref);
  facts.commit = payload.text(paths().head_sha);
  facts.base = payload.text(paths().base_ref);
  facts.subject = "pull_request/" + facts.number;
}

std::optional<http::Problem> read_pull_request(std::string_view event, const Payload& payload,
                                               Facts& facts) {
  facts.type = pull_request_type;
  read_head(payload, facts);
  if (facts.number.empty()) return not_of_event(event, "number");
  facts.title = first_line(payload.text(paths().title));
  if (facts.action == "closed" && payload.is_true(paths().merged)) facts.action = "merged";
  return std::nullopt;
}

std::optional<http::Problem> read_comment(std::string_view event, const Payload& payload,
                                          Facts& facts) {
  facts.type = comment_type;
  facts.title = first_line(payload.text(paths().comment_body));
  if (payload.is_object(paths().pull_request)) {
    read_head(payload, facts);
    return std::nullopt;
  }
  facts.commit = payload.text(paths().comment_commit);
  facts.subject = "commit/" + facts.commit;
  if (!facts.commit.empty()) return std::nullopt;
  facts.number = payload.text(paths().issue_number);
  if (facts.number.empty()) return not_of_event(event, "issue.number");
  const bool of_pull_request =
      payload.is_object(paths().issue_pull_request) || payload.is_true(paths().is_pull);
  facts.subject = (of_pull_request ? "pull_request/" : "issue/") + facts.number;
  return std::nullopt;
}

/// Discussions, which have comments as well, belong to no commit, issue or pull request.
bool is_comment(std::string_view event) {
  return event == "issue_comment" || event == "commit_comment" || event == "pull_request_comment" ||
         event == "pull_request_review_comment";
}

std::optional<http::Problem> read_known(std::string_view event, const Payload& payload,
                                        Facts& facts) {
  if (event == "push") return read_push(payload, facts);
  if (is_comment(event)) return read_comment(event, payload, facts);
  if (event == "pull_request") return read_pull_request(event, payload, facts);
  if (event == "create" || event == "delete") return read_ref_change(event, payload, facts);
  facts.type = other_type(event);
  return std::nullopt;
}

}  // namespace

std::optional<http::Problem> read_github(std::string_view event, const Payload& payload,
                                         std::vector<Facts>& out) {
  Facts facts;
  facts.repository = payload.text(paths().repository);
  facts.author = payload.text(paths().sender_login, paths().sender_username);
  facts.action = shared_action(payload.text(paths().action));
  auto problem = read_known(event, payload, facts);
  if (!problem) out.push_back(std::move(facts));
  return problem;
}

}  // namespace ringpost::incoming
