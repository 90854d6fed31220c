#pragma once

#include "incoming/payload.h"
#include "subscription/git_source.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::incoming {

/// A build that a call starts: `build_params` of Bitrise's API (`POST /apps/{slug}/builds`). What
/// is empty is left out.
struct Build {
  std::string commit_hash;
  std::string commit_message;
  std::vector<std::string> commit_messages;
  std::string commit_paths;  ///< A JSON array of `{added, removed, modified}`.
  std::string branch;
  std::string tag;
  std::string branch_repo_owner;
  std::string branch_dest;
  std::string branch_dest_repo_owner;
  std::string pull_request_id;  ///< In decimal; written as a number.
  std::string base_repository_url;
  std::string head_repository_url;
  std::string pull_request_head_branch;
  std::string pull_request_merge_branch;
  std::string pull_request_unverified_merge_branch;
  std::string pull_request_author;
  std::string pull_request_ready_state;
  std::vector<std::string> pull_request_labels_added;
  std::vector<std::string> pull_request_labels;
  std::string pull_request_comment;
  std::string pull_request_comment_id;
  std::string diff_url;
  std::vector<std::pair<std::string, std::string>> environments;
};

/// What a call starts.
struct Triggers {
  std::vector<Build> builds;
  std::vector<Build> skipped;  ///< For a skip marker in the commit's message, or the comment.
  std::string user;            ///< Who did it, as the host calls them.
  std::string message;         ///< It is a good call that starts nothing: why not.
  std::string error;           ///< It is none that can start anything: why not.
};

/// Whether a commit's message, a pull request's text or a comment asks for no build: `[ci skip]`,
/// `[skip ci]`, `[bitrise skip]` or `[skip bitrise]`, also with one or two backslashes before each
/// bracket.
bool has_skip_marker(std::string_view text);

/// What a call starts, by the rules of Bitrise's own receiver (README.md, "Builds of Bitrise").
/// @param event  the host's name for it, as its header has it.
Triggers read_triggers(subscription::GitHost host, std::string_view event, const Payload& payload);

// By host, and of this folder only.
Triggers read_github_triggers(std::string_view event, const Payload& payload);
Triggers read_gitlab_triggers(std::string_view event, const Payload& payload);
Triggers read_bitbucket_triggers(std::string_view event, const Payload& payload);
Triggers read_bitbucket_server_triggers(std::string_view event, const Payload& payload);
Triggers read_gogs_triggers(std::string_view event, const Payload& payload);

/// A call that starts nothing, and one that cannot start anything.
Triggers starts_nothing(std::string message);
Triggers cannot_start(std::string error);
/// Puts the build where it belongs: to those that are skipped if `text` says so.
void add_build(Triggers& triggers, Build&& build, std::string_view text);
/// What a pull request's call starts: its one build, unless its comment, or else its title and
/// description, asks for none. @param user  Triggers::user.
Triggers of_pull_request(Build&& build, std::string user);
/// Title, blank line, description; the title alone if there is no description.
std::string title_and_text(const std::string& title, const std::string& text);
/// Messages and paths of the commits in an array, `commits` for example.
void add_commits(Build& build, const Payload& payload, const std::string& array);
/// The texts of `member` of each object in an array.
std::vector<std::string> texts_of(const Payload& payload, const std::string& array,
                                  std::string_view member);

/// Appends the event's data: `{"hook_info":…,"build_params":{…},"triggered_by":…}`, which is a body
/// of `POST /apps/{slug}/builds`.
void write_build(std::string& out, const Build& build, std::string_view service,
                 std::string_view user);

}  // namespace ringpost::incoming
