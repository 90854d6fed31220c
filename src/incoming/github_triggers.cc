#include "incoming/build_trigger.h"

#include <algorithm>
#include <array>

namespace ringpost::incoming {
namespace {

using json::Path;

struct Paths {
  Path action = Path::constant("action");
  Path changes_base = Path::constant("changes.base");
  Path comment_body = Path::constant("comment.body");
  Path comment_id = Path::constant("comment.id");
  Path deleted = Path::constant("deleted");
  Path head = Path::constant("head_commit.id");
  Path issue_author = Path::constant("issue.user.login");
  Path issue_body = Path::constant("issue.body");
  Path issue_draft = Path::constant("issue.draft");
  Path issue_merged = Path::constant("issue.pull_request.merged_at");
  Path issue_number = Path::constant("issue.number");
  Path issue_pull_request = Path::constant("issue.pull_request");
  Path issue_diff = Path::constant("issue.pull_request.diff_url");
  Path issue_state = Path::constant("issue.state");
  Path issue_title = Path::constant("issue.title");
  Path label = Path::constant("label.name");
  Path message = Path::constant("head_commit.message");
  Path number = Path::constant("number");
  Path old_body = Path::constant("changes.body.from");
  Path old_title = Path::constant("changes.title.from");
  Path pusher = Path::constant("pusher.name");
  Path ref = Path::constant("ref");
  Path sender = Path::constant("sender.login");
};

const Paths& paths() {
  static const Paths all;
  return all;
}

std::string part(const Payload& payload, const std::string& object, const char* member) {
  return payload.text(object + '.' + member);
}

/// Git's own way in for a private repository, https for a public one.
std::string url_of(const Payload& payload, const std::string& repository) {
  const bool is_private = payload.is_true(json::Path::constant(repository + ".private"));
  return part(payload, repository, is_private ? "ssh_url" : "clone_url");
}

// --- push ----------------------------------------------------------------------------------------

Triggers read_push(const Payload& payload) {
  if (payload.is_true(paths().deleted)) {
    return starts_nothing("This is a 'Deleted' event, no build can be started");
  }
  Facts facts;
  set_ref(facts, payload.text(paths().ref));
  if (facts.branch.empty() && facts.tag.empty()) {
    return starts_nothing("The ref is neither a branch nor a tag: " + facts.ref);
  }
  Build build;
  build.commit_hash = payload.text(paths().head);
  if (build.commit_hash.empty()) return cannot_start("Missing commit hash");
  build.commit_message = payload.text(paths().message);
  add_commits(build, payload, "commits");
  if (build.commit_messages.empty()) build.commit_messages.push_back(build.commit_message);
  build.branch = facts.branch;
  build.tag = facts.tag;
  build.base_repository_url = url_of(payload, "repository");
  Triggers triggers;
  triggers.user = payload.text(paths().pusher);
  const std::string text = build.commit_message;
  add_build(triggers, std::move(build), text);
  return triggers;
}

// --- pull_request --------------------------------------------------------------------------------

bool starts_builds(std::string_view action) {
  constexpr std::array<std::string_view, 6> actions{"opened", "reopened",         "synchronize",
                                                    "edited", "ready_for_review", "labeled"};
  return std::ranges::find(actions, action) != actions.end();
}

/// An edit matters if it changes where the pull request goes, or takes a skip marker away.
bool edit_matters(const Payload& payload) {
  return payload.has(paths().changes_base) || has_skip_marker(payload.text(paths().old_title)) ||
         has_skip_marker(payload.text(paths().old_body));
}

std::string ready_state(bool draft, std::string_view action) {
  if (draft) return "draft";
  return action == "ready_for_review" ? "converted_to_ready_for_review" : "ready_for_review";
}

void set_refs(Build& build, bool merge_verified) {
  const std::string start = "pull/" + build.pull_request_id;
  build.pull_request_head_branch = start + "/head";
  (merge_verified ? build.pull_request_merge_branch : build.pull_request_unverified_merge_branch) =
      start + "/merge";
}

/// Why a pull request starts nothing, if it does not.
std::string objection(const Payload& payload, const std::string& action) {
  const auto is = [&](const char* member, const char* value) {
    const json::Path path = Path::constant("pull_request." + std::string{member});
    return payload.spelled(path) == value;
  };
  if (!starts_builds(action)) return "Pull request action does not require a build: " + action;
  if (action == "edited" && !edit_matters(payload)) {
    return "Pull request edit does not require a build: only title or description was changed, "
           "and no skip marker was removed";
  }
  if (is("merged", "true")) return "Pull request already merged";
  if (action == "labeled" && is("mergeable", "null")) {
    return "Pull request label added to a pull request that is not open yet";
  }
  if (is("mergeable", "false")) return "Pull request is not mergeable";
  return {};
}

Triggers read_pull_request(const Payload& payload) {
  const std::string pull = "pull_request";
  const std::string action = payload.text(paths().action);
  std::string why_not = objection(payload, action);
  if (!why_not.empty()) return starts_nothing(std::move(why_not));
  Build build;
  build.pull_request_id = payload.text(paths().number);
  build.commit_hash = part(payload, pull, "head.sha");
  if (build.commit_hash.empty() || build.pull_request_id.empty()) {
    return cannot_start("Missing number or head of the pull request");
  }
  build.commit_message = title_and_text(part(payload, pull, "title"), part(payload, pull, "body"));
  build.branch = part(payload, pull, "head.ref");
  build.branch_repo_owner = part(payload, pull, "head.repo.owner.login");
  build.branch_dest = part(payload, pull, "base.ref");
  build.branch_dest_repo_owner = part(payload, pull, "base.repo.owner.login");
  build.base_repository_url = url_of(payload, pull + ".base.repo");
  build.head_repository_url = url_of(payload, pull + ".head.repo");
  const std::string_view mergeable = payload.spelled(Path::constant("pull_request.mergeable"));
  set_refs(build, mergeable == "true");
  build.pull_request_author = part(payload, pull, "user.login");
  const bool draft = payload.is_true(Path::constant("pull_request.draft"));
  build.pull_request_ready_state = ready_state(draft, action);
  if (draft) build.environments.emplace_back("GITHUB_PR_IS_DRAFT", "true");
  if (action == "labeled") build.pull_request_labels_added = {payload.text(paths().label)};
  build.pull_request_labels = texts_of(payload, pull + ".labels", "name");
  build.diff_url = part(payload, pull, "diff_url");
  Triggers triggers;
  triggers.user = payload.text(paths().sender);
  const std::string text = build.commit_message;
  add_build(triggers, std::move(build), text);
  return triggers;
}

// --- issue_comment -------------------------------------------------------------------------------

Triggers read_comment(const Payload& payload) {
  const std::string action = payload.text(paths().action);
  if (action != "created" && action != "edited") {
    return starts_nothing("Comment action does not require a build: " + action);
  }
  if (!payload.is_object(paths().issue_pull_request)) {
    return starts_nothing("The comment is not of a pull request");
  }
  if (payload.text(paths().issue_state) != "open" || !payload.text(paths().issue_merged).empty()) {
    return starts_nothing("Pull request is not open");
  }
  Build build;
  build.pull_request_id = payload.text(paths().issue_number);
  if (build.pull_request_id.empty()) return cannot_start("Missing number of the pull request");
  build.commit_message =
      title_and_text(payload.text(paths().issue_title), payload.text(paths().issue_body));
  build.base_repository_url = url_of(payload, "repository");
  set_refs(build, false);
  build.pull_request_author = payload.text(paths().issue_author);
  build.pull_request_ready_state = ready_state(payload.is_true(paths().issue_draft), "");
  build.pull_request_labels = texts_of(payload, "issue.labels", "name");
  build.pull_request_comment = payload.text(paths().comment_body);
  build.pull_request_comment_id = payload.text(paths().comment_id);
  build.diff_url = payload.text(paths().issue_diff);
  Triggers triggers;
  triggers.user = payload.text(paths().sender);
  const std::string text = build.pull_request_comment;
  add_build(triggers, std::move(build), text);
  return triggers;
}

}  // namespace

Triggers read_github_triggers(std::string_view event, const Payload& payload) {
  if (event == "ping") return starts_nothing("Ping event received");
  if (event == "push") return read_push(payload);
  if (event == "pull_request") return read_pull_request(payload);
  if (event == "issue_comment") return read_comment(payload);
  return starts_nothing("Unsupported GitHub event: " + std::string{event});
}

}  // namespace ringpost::incoming
