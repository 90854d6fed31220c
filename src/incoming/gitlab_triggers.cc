#include "base/utf8.h"
#include "incoming/build_trigger.h"

#include <algorithm>

namespace ringpost::incoming {
namespace {

using json::Path;

constexpr int64_t public_level = 20;

std::string text(const Payload& payload, const std::string& path) {
  return payload.text(path);
}

bool is_true(const Payload& payload, const std::string& path) {
  return payload.is_true(Path::constant(path));
}

/// Git's own way in, unless everybody may read the project.
std::string url_of(const Payload& payload, const std::string& project) {
  const bool is_public =
      text(payload, project + ".visibility_level") == std::to_string(public_level);
  return text(payload, project + (is_public ? ".git_http_url" : ".git_ssh_url"));
}

// --- push ----------------------------------------------------------------------------------------

constexpr size_t listed_commits_max = 20;
constexpr size_t listed_bytes_max = 256 * 1024;

/// At most `bytes_max` of a message, ended with `...` if it is cut; characters stay whole.
std::string cut(const std::string& message, size_t bytes_max) {
  constexpr std::string_view end = "...";
  if (message.size() <= bytes_max) return message;
  size_t size = 0;
  while (size < message.size()) {
    const size_t next = std::max<size_t>(utf8_sequence_size(message.substr(size, 4)), 1);
    if (size + next + end.size() > bytes_max) break;
    size += next;
  }
  return message.substr(0, size).append(end);
}

/// Lines `- <message>`; if they are too long together, each has an equal share.
std::string list_of(std::vector<std::string> messages) {
  if (messages.size() > listed_commits_max) {
    messages.erase(messages.begin(), messages.end() - listed_commits_max);
  }
  constexpr std::string_view bullet = "- ";
  const size_t share = listed_bytes_max / std::max<size_t>(messages.size(), 1) - bullet.size() - 1;
  std::string list;
  for (const std::string& message : messages) {
    list.append(bullet).append(cut(message, share)).append("\n");
  }
  return list;
}

Triggers read_push(const Payload& payload) {
  Facts facts;
  set_ref(facts, text(payload, "ref"));
  if (facts.branch.empty()) return starts_nothing("The ref is not a branch: " + facts.ref);
  Build build;
  build.commit_hash = text(payload, "checkout_sha");
  if (build.commit_hash.empty()) {
    return starts_nothing("This is a 'Deleted' event, no build can be started");
  }
  if (!payload.has("commits.0")) return starts_nothing("The push has no commits");
  const std::string head = payload.element_with("commits", "id", build.commit_hash);
  if (head.empty()) return cannot_start("The commit of checkout_sha is not among the commits");
  build.commit_message = text(payload, head + ".message");
  add_commits(build, payload, "commits");
  build.branch = facts.branch;
  build.base_repository_url = url_of(payload, "project");
  build.environments.emplace_back("BITRISE_WEBHOOK_COMMIT_MESSAGES",
                                  list_of(build.commit_messages));
  Triggers triggers;
  triggers.user = text(payload, "user_username");
  const std::string message = build.commit_message;
  add_build(triggers, std::move(build), message);
  return triggers;
}

Triggers read_tag(const Payload& payload) {
  if (text(payload, "object_kind") != "tag_push") {
    return cannot_start("object_kind is not tag_push");
  }
  Facts facts;
  set_ref(facts, text(payload, "ref"));
  if (facts.tag.empty()) return cannot_start("The ref is not a tag: " + facts.ref);
  Build build;
  build.commit_hash = text(payload, "checkout_sha");
  if (build.commit_hash.empty()) {
    return starts_nothing("This is a 'Deleted' event, no build can be started");
  }
  const std::string head = payload.element_with("commits", "id", build.commit_hash);
  if (!head.empty()) build.commit_message = text(payload, head + ".message");
  add_commits(build, payload, "commits");
  build.tag = facts.tag;
  build.base_repository_url = url_of(payload, "project");
  Triggers triggers;
  triggers.user = text(payload, "user_username");
  const std::string message = build.commit_message;
  add_build(triggers, std::move(build), message);
  return triggers;
}

// --- merge requests ------------------------------------------------------------------------------

bool is_draft(const Payload& payload, const std::string& request) {
  return is_true(payload, request + ".draft") || is_true(payload, request + ".work_in_progress");
}

bool left_draft(const Payload& payload) {
  return is_true(payload, "changes.draft.previous") &&
         payload.spelled(Path::constant("changes.draft.current")) == "false";
}

std::vector<std::string> added_labels(const Payload& payload) {
  std::vector<std::string> added = texts_of(payload, "changes.labels.current", "title");
  const auto before = texts_of(payload, "changes.labels.previous", "title");
  std::erase_if(added, [&](const std::string& label) {
    return std::ranges::find(before, label) != before.end();
  });
  return added;
}

std::string ready_state(const Payload& payload, const std::string& request) {
  if (is_draft(payload, request)) return "draft";
  return left_draft(payload) ? "converted_to_ready_for_review" : "ready_for_review";
}

/// What merge requests and comments on them have in common.
/// @param request  where in the payload it is: `object_attributes`.
Build build_of(const Payload& payload, const std::string& request) {
  Build build;
  build.pull_request_id = text(payload, request + ".iid");
  build.commit_hash = text(payload, request + ".last_commit.id");
  build.commit_message =
      title_and_text(text(payload, request + ".title"), text(payload, request + ".description"));
  build.branch = text(payload, request + ".source_branch");
  build.branch_repo_owner = text(payload, request + ".source.namespace");
  build.branch_dest = text(payload, request + ".target_branch");
  build.branch_dest_repo_owner = text(payload, request + ".target.namespace");
  build.base_repository_url = url_of(payload, request + ".target");
  build.head_repository_url = url_of(payload, request + ".source");
  const std::string start = "merge-requests/" + build.pull_request_id;
  build.pull_request_head_branch = start + "/head";
  const std::string status = text(payload, request + ".merge_status");
  if (status != "preparing" && status != "unchecked") {
    build.pull_request_merge_branch = start + "/merge";
  }
  build.pull_request_ready_state = ready_state(payload, request);
  build.pull_request_labels = texts_of(payload, request + ".labels", "title");
  return build;
}

/// Why a merge request in this state starts nothing, if it does not.
std::string object_to_state(const Payload& payload, const std::string& request) {
  const std::string state = text(payload, request + ".state");
  if (state != "opened" && state != "reopened") return "Merge request is not open: " + state;
  if (!text(payload, request + ".merge_commit_sha").empty()) return "Merge request already merged";
  if (!text(payload, request + ".merge_error").empty()) return "Merge request is not mergeable";
  if (text(payload, request + ".merge_status") == "cannot_be_merged") {
    return "Merge request is not mergeable";
  }
  return {};
}

std::string object_to_action(const Payload& payload) {
  const std::string action = text(payload, "object_attributes.action");
  if (action == "open") return {};
  const bool matters =
      action == "update" && (!text(payload, "object_attributes.oldrev").empty() ||
                             left_draft(payload) || !added_labels(payload).empty());
  return matters ? std::string{} : "Merge request action does not require a build: " + action;
}

Triggers read_merge_request(const Payload& payload) {
  const std::string request = "object_attributes";
  std::string why_not = object_to_action(payload);
  if (why_not.empty()) why_not = object_to_state(payload, request);
  if (!why_not.empty()) return starts_nothing(std::move(why_not));
  Build build = build_of(payload, request);
  if (build.pull_request_id.empty() || build.commit_hash.empty()) {
    return cannot_start("Missing iid or last commit of the merge request");
  }
  build.pull_request_author = text(payload, "user.username");
  build.pull_request_labels_added = added_labels(payload);
  Triggers triggers;
  triggers.user = text(payload, "user.username");
  const std::string message = build.commit_message;
  add_build(triggers, std::move(build), message);
  return triggers;
}

Triggers read_note(const Payload& payload) {
  const std::string request = "merge_request";
  if (text(payload, "object_attributes.noteable_type") != "MergeRequest") {
    return starts_nothing("The comment is not of a merge request");
  }
  std::string why_not = object_to_state(payload, request);
  if (!why_not.empty()) return starts_nothing(std::move(why_not));
  Build build = build_of(payload, request);
  if (build.pull_request_id.empty()) return cannot_start("Missing iid of the merge request");
  build.pull_request_comment = text(payload, "object_attributes.note");
  build.pull_request_comment_id = text(payload, "object_attributes.id");
  Triggers triggers;
  triggers.user = text(payload, "user.username");
  const std::string comment = build.pull_request_comment;
  add_build(triggers, std::move(build), comment);
  return triggers;
}

}  // namespace

Triggers read_gitlab_triggers(std::string_view event, const Payload& payload) {
  if (event == "Push Hook") return read_push(payload);
  if (event == "Tag Push Hook") return read_tag(payload);
  if (event == "Merge Request Hook") return read_merge_request(payload);
  if (event == "Note Hook") return read_note(payload);
  return starts_nothing("Unsupported GitLab event: " + std::string{event});
}

}  // namespace ringpost::incoming
