#pragma once

#include <string>
#include <string_view>

namespace ringpost::incoming {

// The types of events that all hosts share. Any other call is `git.` and what the host calls it.
inline constexpr std::string_view push_type = "git.push";
inline constexpr std::string_view tag_type = "git.tag";
inline constexpr std::string_view pull_request_type = "git.pull_request";
inline constexpr std::string_view comment_type = "git.comment";

/// What a call of a git host says, in words that all hosts share. Empty: the call does not say.
struct Facts {
  std::string type;        ///< Of the event.
  std::string subject;     ///< `refs/heads/main`, `pull_request/57`, `issue/3`, `commit/<id>`.
  std::string repository;  ///< Its path at the host: `acme/shop`.
  std::string action;      ///< `created`, `updated`, `deleted`, `opened`, `merged`, …: README.md.
  std::string ref;         ///< In full: `refs/heads/main`.
  std::string branch;      ///< Of a pull request its head.
  std::string tag;
  std::string base;    ///< The branch that a pull request goes to.
  std::string commit;  ///< What the ref, or the head of the pull request, is now.
  std::string before;  ///< What the ref was.
  std::string number;  ///< Of a pull request or issue, in decimal.
  std::string title;   ///< The first line of the commit's message, the pull request, the comment.
  std::string author;  ///< Who did it, as the host calls them.
};

/// Fills in what follows from the full name of a ref: type, subject, branch or tag.
void set_ref(Facts& facts, std::string_view ref);

/// Fills in what a push did: `created`, `deleted` or `updated`, and between which commits.
/// @param before, after  zeros, or empty: there was, or is, none.
void set_move(Facts& facts, std::string_view before, std::string_view after);

/// The action of a pull request or comment in the words of README.md.
/// @param host_action  as the host calls it.
std::string_view shared_action(std::string_view host_action);

/// Up to the end of its first line, and at most 250 bytes of it.
std::string first_line(std::string_view text);

/// `git.` and the host's name for the event, in lower case with `_` in place of what is neither a
/// letter nor a digit: `git.check_run`, `git.repo_fork`.
std::string other_type(std::string_view event);

}  // namespace ringpost::incoming
