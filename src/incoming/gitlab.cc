#include "incoming/payload.h"

namespace ringpost::incoming {
namespace {

using json::Path;

struct Paths {
  Path action = Path::constant("object_attributes.action");
  Path after = Path::constant("after");
  Path before = Path::constant("before");
  Path checkout = Path::constant("checkout_sha");
  Path commit_id = Path::constant("commit.id");
  Path event_name = Path::constant("event_name");
  Path iid = Path::constant("object_attributes.iid");
  Path issue_iid = Path::constant("issue.iid");
  Path kind = Path::constant("object_kind");
  Path last_commit = Path::constant("object_attributes.last_commit.id");
  Path merge_request_branch = Path::constant("merge_request.source_branch");
  Path merge_request_commit = Path::constant("merge_request.last_commit.id");
  Path merge_request_iid = Path::constant("merge_request.iid");
  Path merge_request_target = Path::constant("merge_request.target_branch");
  Path note = Path::constant("object_attributes.note");
  Path old_revision = Path::constant("object_attributes.oldrev");
  Path ref = Path::constant("ref");
  Path repository = Path::constant("project.path_with_namespace");
  Path source_branch = Path::constant("object_attributes.source_branch");
  Path target_branch = Path::constant("object_attributes.target_branch");
  Path title = Path::constant("object_attributes.title");
  Path user = Path::constant("user_username");
  Path user_in_object = Path::constant("user.username");
};

const Paths& paths() {
  static const Paths all;
  return all;
}

std::optional<http::Problem> read_push(std::string_view event, const Payload& payload,
                                       Facts& facts) {
  const std::string ref = payload.text(paths().ref);
  if (ref.empty()) return not_of_event(event, "ref");
  set_ref(facts, ref);
  set_move(facts, payload.text(paths().before), payload.text(paths().after));
  const std::string checkout = payload.text(paths().checkout);
  if (!facts.commit.empty() && !checkout.empty()) facts.commit = checkout;
  const std::string element = payload.element_with("commits", "id", facts.commit);
  if (!element.empty()) facts.title = first_line(payload.text(element + ".message"));
  return std::nullopt;
}

std::optional<http::Problem> read_merge_request(std::string_view event, const Payload& payload,
                                                Facts& facts) {
  facts.type = pull_request_type;
  facts.number = payload.text(paths().iid);
  if (facts.number.empty()) return not_of_event(event, "object_attributes.iid");
  facts.subject = "pull_request/" + facts.number;
  facts.branch = payload.text(paths().source_branch);
  facts.base = payload.text(paths().target_branch);
  facts.commit = payload.text(paths().last_commit);
  facts.title = first_line(payload.text(paths().title));
  if (facts.action != "update") return std::nullopt;
  // Commits came, or anything else changed.
  facts.action = payload.has(paths().old_revision) ? "synchronized" : "edited";
  return std::nullopt;
}

std::optional<http::Problem> read_note(std::string_view event, const Payload& payload,
                                       Facts& facts) {
  facts.type = comment_type;
  if (!payload.has(paths().note)) return not_of_event(event, "object_attributes.note");
  facts.title = first_line(payload.text(paths().note));
  facts.action = facts.action == "update" ? "edited" : "created";
  facts.number = payload.text(paths().merge_request_iid);
  if (!facts.number.empty()) {
    facts.subject = "pull_request/" + facts.number;
    facts.branch = payload.text(paths().merge_request_branch);
    facts.base = payload.text(paths().merge_request_target);
    facts.commit = payload.text(paths().merge_request_commit);
    return std::nullopt;
  }
  facts.number = payload.text(paths().issue_iid);
  facts.commit = payload.text(paths().commit_id);
  if (!facts.number.empty()) facts.subject = "issue/" + facts.number;
  if (!facts.commit.empty()) facts.subject = "commit/" + facts.commit;
  return std::nullopt;
}

/// What `X-Gitlab-Event` says of these four, the body says as well.
std::string_view kind_of(std::string_view event) {
  if (event == "Push Hook") return "push";
  if (event == "Tag Push Hook") return "tag_push";
  if (event == "Merge Request Hook") return "merge_request";
  if (event == "Note Hook") return "note";
  return {};
}

std::optional<http::Problem> read_kind(std::string_view event, const std::string& kind,
                                       const Payload& payload, Facts& facts) {
  if (kind == "push" || kind == "tag_push") return read_push(event, payload, facts);
  if (kind == "merge_request") return read_merge_request(event, payload, facts);
  if (kind == "note") return read_note(event, payload, facts);
  facts.type = other_type(kind);
  return std::nullopt;
}

}  // namespace

std::optional<http::Problem> read_gitlab(std::string_view event, const Payload& payload,
                                         std::vector<Facts>& out) {
  // Calls of groups and of the whole host have a name only.
  const std::string kind = payload.text(paths().kind, paths().event_name);
  if (kind.empty()) return not_of_event(event, "object_kind");
  const std::string_view expected = kind_of(event);
  if (!expected.empty() && expected != kind) {
    return disagreement("X-Gitlab-Event", event, "object_kind", kind);
  }
  Facts facts;
  facts.repository = payload.text(paths().repository);
  facts.author = payload.text(paths().user, paths().user_in_object);
  facts.action = shared_action(payload.text(paths().action));
  auto problem = read_kind(event, kind, payload, facts);
  if (!problem) out.push_back(std::move(facts));
  return problem;
}

}  // namespace ringpost::incoming
