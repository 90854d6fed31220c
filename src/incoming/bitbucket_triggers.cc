#include "incoming/build_trigger.h"

namespace ringpost::incoming {
namespace {

using json::Path;

bool is_true(const Payload& payload, const std::string& path) {
  return payload.is_true(Path::constant(path));
}

/// Payloads have no URLs to clone from.
std::string url_of(const Payload& payload, const std::string& repository) {
  const std::string name = payload.text(repository + ".full_name");
  if (name.empty()) return {};
  const bool is_private = is_true(payload, repository + ".is_private");
  return (is_private ? "git@bitbucket.org:" : "https://bitbucket.org/") + name + ".git";
}

std::string owner_of(const Payload& payload, const std::string& repository) {
  const std::string name = payload.text(repository + ".full_name");
  return name.substr(0, name.find('/'));
}

/// A build of one branch or tag that was pushed; nothing if there is none to be made.
std::optional<Build> read_change(const Payload& payload, const std::string& change) {
  const std::string type = payload.text(change + ".new.type");
  const bool branch = type == "branch" || type == "named_branch";
  if ((!branch && type != "tag") || payload.text(change + ".new.target.type") != "commit") {
    return std::nullopt;
  }
  Build build;
  build.commit_hash = payload.text(change + ".new.target.hash");
  build.commit_message = payload.text(change + ".new.target.message");
  build.commit_messages = texts_of(payload, change + ".commits", "message");
  if (build.commit_messages.empty()) build.commit_messages.push_back(build.commit_message);
  (branch ? build.branch : build.tag) = payload.text(change + ".new.name");
  build.base_repository_url = url_of(payload, "repository");
  return build;
}

Triggers read_push(const Payload& payload) {
  Triggers triggers;
  triggers.user = payload.text("actor.nickname");
  for (size_t index = 0; index < changes_max; ++index) {
    const std::string change = "push.changes." + std::to_string(index);
    if (!payload.has(change)) break;
    auto build = read_change(payload, change);
    if (!build) continue;
    const std::string message = build->commit_message;
    add_build(triggers, std::move(*build), message);
  }
  if (triggers.builds.empty() && triggers.skipped.empty()) {
    return cannot_start(
        "'changes' specified in the webhook, but none can be transformed into a build");
  }
  return triggers;
}

Triggers read_pull_request(std::string_view event, const Payload& payload) {
  const std::string pull = "pullrequest";
  const std::string state = payload.text(pull + ".state");
  if (state != "OPEN") return starts_nothing("Pull request is not open: " + state);
  Build build;
  build.pull_request_id = payload.text(pull + ".id");
  build.commit_hash = payload.text(pull + ".source.commit.hash");
  if (build.pull_request_id.empty() || build.commit_hash.empty()) {
    return cannot_start("Missing id or source commit of the pull request");
  }
  build.commit_message =
      title_and_text(payload.text(pull + ".title"), payload.text(pull + ".description"));
  build.branch = payload.text(pull + ".source.branch.name");
  build.branch_repo_owner = owner_of(payload, pull + ".source.repository");
  build.branch_dest = payload.text(pull + ".destination.branch.name");
  build.branch_dest_repo_owner = owner_of(payload, pull + ".destination.repository");
  build.base_repository_url = url_of(payload, pull + ".destination.repository");
  build.head_repository_url = url_of(payload, pull + ".source.repository");
  build.pull_request_author = payload.text(pull + ".author.nickname");
  build.pull_request_ready_state = is_true(payload, pull + ".draft") ? "draft" : "ready_for_review";
  if (event.starts_with("pullrequest:comment_")) {
    build.pull_request_comment = payload.text("comment.content.raw");
    build.pull_request_comment_id = payload.text("comment.id");
  }
  return of_pull_request(std::move(build), payload.text("actor.nickname"));
}

}  // namespace

Triggers read_bitbucket_triggers(std::string_view event, const Payload& payload) {
  if (event == "repo:push") return read_push(payload);
  if (event == "pullrequest:created" || event == "pullrequest:updated" ||
      event == "pullrequest:comment_created" || event == "pullrequest:comment_updated") {
    return read_pull_request(event, payload);
  }
  return starts_nothing("Unsupported Bitbucket event: " + std::string{event});
}

}  // namespace ringpost::incoming
