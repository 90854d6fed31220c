#include "incoming/build_trigger.h"

namespace ringpost::incoming {
namespace {

/// A build of one branch or tag that was pushed; nothing if there is none to be made.
std::optional<Build> read_change(const Payload& payload, const std::string& change) {
  const std::string type = payload.text(change + ".type");
  const std::string of = payload.text(change + ".ref.type");
  const bool branch = of == "BRANCH" && (type == "ADD" || type == "UPDATE");
  const bool tag = of == "TAG" && type == "ADD";
  if (!branch && !tag) return std::nullopt;
  Build build;
  build.commit_hash = payload.text(change + ".toHash");
  (branch ? build.branch : build.tag) = payload.text(change + ".ref.displayId");
  return build;
}

/// They are those of all changes: of a push of several it is not known whose a commit is.
void add_messages(Build& build, const Payload& payload) {
  build.commit_messages = texts_of(payload, "commits", "message");
  const std::string head = payload.element_with("commits", "id", build.commit_hash);
  if (!head.empty()) build.commit_message = payload.text(head + ".message");
}

Triggers read_push(const Payload& payload) {
  std::vector<Build> builds;
  for (size_t index = 0; index < changes_max; ++index) {
    const std::string change = "changes." + std::to_string(index);
    if (!payload.has(change)) break;
    if (auto build = read_change(payload, change)) builds.push_back(std::move(*build));
  }
  if (builds.empty()) return starts_nothing("No branch or tag was added or updated");
  if (builds.size() == 1) add_messages(builds.front(), payload);
  Triggers triggers;
  triggers.user = payload.text("actor.name");
  for (Build& build : builds) {
    const std::string message = build.commit_message;
    add_build(triggers, std::move(build), message);
  }
  return triggers;
}

Triggers read_pull_request(std::string_view event, const Payload& payload) {
  const std::string pull = "pullRequest";
  const std::string state = payload.text(pull + ".state");
  if (state != "OPEN") return starts_nothing("Pull request is not open: " + state);
  Build build;
  build.pull_request_id = payload.text(pull + ".id");
  build.commit_hash = payload.text(pull + ".fromRef.latestCommit");
  if (build.pull_request_id.empty() || build.commit_hash.empty()) {
    return cannot_start("Missing id or latest commit of the pull request");
  }
  build.commit_message =
      title_and_text(payload.text(pull + ".title"), payload.text(pull + ".description"));
  build.branch = payload.text(pull + ".fromRef.displayId");
  build.branch_repo_owner = payload.text(pull + ".fromRef.repository.project.key");
  build.branch_dest = payload.text(pull + ".toRef.displayId");
  build.branch_dest_repo_owner = payload.text(pull + ".toRef.repository.project.key");
  build.pull_request_author = payload.text(pull + ".author.user.name");
  build.pull_request_ready_state =
      payload.is_true(json::Path::constant(pull + ".draft")) ? "draft" : "ready_for_review";
  if (event.starts_with("pr:comment:")) {
    build.pull_request_comment = payload.text("comment.text");
    build.pull_request_comment_id = payload.text("comment.id");
  }
  return of_pull_request(std::move(build), payload.text("actor.name"));
}

}  // namespace

Triggers read_bitbucket_server_triggers(std::string_view event, const Payload& payload) {
  if (event == "repo:refs_changed") return read_push(payload);
  if (event == "pr:opened" || event == "pr:modified" || event == "pr:merged" ||
      event == "pr:from_ref_updated" || event == "pr:comment:added" ||
      event == "pr:comment:edited") {
    return read_pull_request(event, payload);
  }
  return starts_nothing("Unsupported Bitbucket Data Center event: " + std::string{event});
}

}  // namespace ringpost::incoming
