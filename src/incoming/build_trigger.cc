#include "incoming/build_trigger.h"

#include "base/assert.h"
#include "base/json_writer.h"
#include "http/syntax.h"

#include <array>

namespace ringpost::incoming {

using subscription::GitHost;

bool has_skip_marker(std::string_view text) {
  constexpr std::array<std::string_view, 4> words{"ci skip", "skip ci", "bitrise skip",
                                                  "skip bitrise"};
  constexpr std::array<std::string_view, 3> escapes{"", "\\", "\\\\"};
  for (const std::string_view word : words) {
    for (const std::string_view escape : escapes) {
      const std::string marker =
          std::string{escape} + '[' + std::string{word} + std::string{escape} + ']';
      if (text.find(marker) != std::string_view::npos) return true;
    }
  }
  return false;
}

Triggers starts_nothing(std::string message) {
  Triggers triggers;
  triggers.message = std::move(message);
  return triggers;
}

Triggers cannot_start(std::string error) {
  Triggers triggers;
  triggers.error = std::move(error);
  return triggers;
}

void add_build(Triggers& triggers, Build&& build, std::string_view text) {
  (has_skip_marker(text) ? triggers.skipped : triggers.builds).push_back(std::move(build));
}

Triggers of_pull_request(Build&& build, std::string user) {
  Triggers triggers;
  triggers.user = std::move(user);
  const std::string text =
      build.pull_request_comment.empty() ? build.commit_message : build.pull_request_comment;
  add_build(triggers, std::move(build), text);
  return triggers;
}

std::string title_and_text(const std::string& title, const std::string& text) {
  return text.empty() ? title : title + "\n\n" + text;
}

namespace {

/// A push of more commits than any host lists.
constexpr size_t elements_max = 4096;

}  // namespace

std::vector<std::string> texts_of(const Payload& payload, const std::string& array,
                                  std::string_view member) {
  std::vector<std::string> texts;
  for (size_t index = 0; index < elements_max; ++index) {
    const std::string element = array + '.' + std::to_string(index);
    if (!payload.has(element)) break;
    texts.push_back(payload.text(element + '.' + std::string{member}));
  }
  return texts;
}

void add_commits(Build& build, const Payload& payload, const std::string& array) {
  build.commit_messages = texts_of(payload, array, "message");
  if (build.commit_messages.empty()) return;
  JsonWriter json{build.commit_paths};
  json.begin_array();
  for (size_t index = 0; index < build.commit_messages.size(); ++index) {
    const std::string commit = array + '.' + std::to_string(index);
    json.begin_object();
    for (const char* kind : {"added", "removed", "modified"}) {
      const std::string_view list = payload.array(commit + '.' + kind);
      json.key(kind).raw(list.empty() ? "[]" : list);
    }
    json.end_object();
  }
  json.end_array();
}

Triggers read_triggers(GitHost host, std::string_view event, const Payload& payload) {
  switch (host) {
    case GitHost::github: return read_github_triggers(event, payload);
    case GitHost::gitlab: return read_gitlab_triggers(event, payload);
    case GitHost::bitbucket: return read_bitbucket_triggers(event, payload);
    case GitHost::bitbucket_server: return read_bitbucket_server_triggers(event, payload);
    case GitHost::gitea:
    case GitHost::forgejo:
    case GitHost::gogs:
    case GitHost::buildkite: return read_gogs_triggers(event, payload);
  }
  RINGPOST_UNREACHABLE();
}

namespace {

void write_text(JsonWriter& json, std::string_view name, const std::string& text) {
  if (!text.empty()) json.member(name, text);
}

void write_list(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  json.key(name).begin_array();
  for (const std::string& text : texts) json.value(text);
  json.end_array();
}

void write_params(JsonWriter& json, const Build& build) {
  json.begin_object();
  write_text(json, "commit_hash", build.commit_hash);
  write_text(json, "commit_message", build.commit_message);
  write_list(json, "commit_messages", build.commit_messages);
  if (!build.commit_paths.empty()) json.key("commit_paths").raw(build.commit_paths);
  write_text(json, "branch", build.branch);
  write_text(json, "tag", build.tag);
  write_text(json, "branch_repo_owner", build.branch_repo_owner);
  write_text(json, "branch_dest", build.branch_dest);
  write_text(json, "branch_dest_repo_owner", build.branch_dest_repo_owner);
  if (const auto id = http::parse_decimal(build.pull_request_id)) {
    json.member("pull_request_id", *id);
  }
  write_text(json, "base_repository_url", build.base_repository_url);
  write_text(json, "head_repository_url", build.head_repository_url);
  write_text(json, "pull_request_repository_url", build.head_repository_url);
  write_text(json, "pull_request_head_branch", build.pull_request_head_branch);
  write_text(json, "pull_request_merge_branch", build.pull_request_merge_branch);
  write_text(json, "pull_request_unverified_merge_branch",
             build.pull_request_unverified_merge_branch);
  write_text(json, "pull_request_author", build.pull_request_author);
  write_text(json, "pull_request_ready_state", build.pull_request_ready_state);
  write_list(json, "pull_request_labels_added", build.pull_request_labels_added);
  write_list(json, "pull_request_labels", build.pull_request_labels);
  write_text(json, "pull_request_comment", build.pull_request_comment);
  write_text(json, "pull_request_comment_id", build.pull_request_comment_id);
  write_text(json, "diff_url", build.diff_url);
  if (!build.environments.empty()) {
    json.key("environments").begin_array();
    for (const auto& [name, value] : build.environments) {
      json.begin_object().member("mapped_to", name).member("value", value);
      json.member("is_expand", false).end_object();
    }
    json.end_array();
  }
  json.end_object();
}

}  // namespace

void write_build(std::string& out, const Build& build, std::string_view service,
                 std::string_view user) {
  JsonWriter json{out};
  json.begin_object().key("hook_info").begin_object().member("type", "bitrise").end_object();
  json.key("build_params");
  write_params(json, build);
  std::string by = "webhook";
  if (!user.empty()) by.append("-").append(service).append("/").append(user);
  json.member("triggered_by", by).end_object();
}

}  // namespace ringpost::incoming
