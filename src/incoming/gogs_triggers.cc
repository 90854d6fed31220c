#include "incoming/build_trigger.h"

namespace ringpost::incoming {
namespace {

std::string user_of(const Payload& payload) {
  static const json::Path login = json::Path::constant("sender.login");
  static const json::Path username = json::Path::constant("sender.username");
  return payload.text(login, username);
}

std::string url_of(const Payload& payload) {
  const bool is_private = payload.is_true(json::Path::constant("repository.private"));
  return payload.text(is_private ? "repository.ssh_url" : "repository.clone_url");
}

Triggers read_push(const Payload& payload) {
  Facts facts;
  set_ref(facts, payload.text("ref"));
  if (facts.branch.empty()) return starts_nothing("The ref is not a branch: " + facts.ref);
  set_move(facts, payload.text("before"), payload.text("after"));
  if (facts.action == "deleted") {
    return starts_nothing("This is a 'Deleted' event, no build can be started");
  }
  const std::string head = payload.element_with("commits", "id", facts.commit);
  if (head.empty()) return cannot_start("The commit of `after` is not among the commits");
  Build build;
  build.commit_hash = facts.commit;
  build.commit_message = payload.text(head + ".message");
  add_commits(build, payload, "commits");
  build.branch = facts.branch;
  build.base_repository_url = url_of(payload);
  Triggers triggers;
  triggers.user = user_of(payload);
  const std::string message = build.commit_message;
  add_build(triggers, std::move(build), message);
  return triggers;
}

/// It names no commit.
Triggers read_create(const Payload& payload) {
  if (payload.text("ref_type") != "tag") return starts_nothing("No tag was created");
  Build build;
  build.tag = payload.text("ref");
  if (build.tag.empty()) return cannot_start("Missing name of the tag");
  build.base_repository_url = url_of(payload);
  Triggers triggers;
  triggers.user = user_of(payload);
  triggers.builds.push_back(std::move(build));
  return triggers;
}

}  // namespace

Triggers read_gogs_triggers(std::string_view event, const Payload& payload) {
  if (event == "push") return read_push(payload);
  if (event == "create") return read_create(payload);
  return starts_nothing("Unsupported Gogs or Gitea event: " + std::string{event});
}

}  // namespace ringpost::incoming
