#pragma once

#include "base/clock.h"
#include "githost/host_api.h"
#include "githost/reply.h"

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// The host's own log of what its webhook sent. GitHub and GitLab have one; the APIs of Bitbucket,
// Gitea, Forgejo and Gogs show none.

namespace ringpost::githost {

bool has_delivery_log(GitHost host);

/// One call of a webhook, as the host's log has it. Repetitions are calls of their own.
struct LoggedCall {
  std::string number;   ///< The host's, of this call alone.
  std::string id;       ///< The delivery's, which the call and its repetitions have in a header.
  std::string event;    ///< The host's name for it: `push`, `Push Hook`.
  WallTime at{};        ///< When it was made; GitLab does not say: then it is zero.
  uint16_t status = 0;  ///< What was answered; 0: nothing, in time.

  bool is_accepted() const { return status >= 200 && status < 300; }
};

/// Whether the call `left` was made before `right`: GitLab counts them.
bool is_older(std::string_view left, std::string_view right);

/// Where reading may stop: whichever comes first.
struct LogEnd {
  WallTime before{};   ///< Calls that were made before this are not wanted.
  std::string number;  ///< Calls up to this one are known; empty: none.
};

/// Reads the log of one webhook, the newest calls first. Calls that come in meanwhile move the
/// pages: a call is taken once, however often it is seen.
class DeliveryLog {
 public:
  DeliveryLog(const Repository& repository, std::string_view hook, LogEnd end);

  /// For the next page. Only while it is not complete.
  Request request() const;
  /// Takes the page. @returns why it is none.
  std::optional<Failure> add(const Reply& reply, WallTime now);
  bool is_complete() const { return next_.empty(); }
  /// There is more before the end than is read.
  bool is_cut() const { return cut_; }
  /// Entries without a number or without the delivery's id: what they tell of is not known.
  size_t unreadable() const { return unreadable_; }
  const std::vector<LoggedCall>& calls() const { return calls_; }

 private:
  Repository repository_;
  LogEnd end_;
  std::string list_;  ///< The log's URL.
  std::string next_;  ///< That of its next page.
  size_t pages_ = 0;
  bool cut_ = false;
  size_t unreadable_ = 0;
  std::set<std::string> numbers_;  ///< Of `calls_`.
  std::vector<LoggedCall> calls_;
};

/// Asks the host to make a call once more.
Request ask_again(const Repository& repository, std::string_view hook, std::string_view number);

}  // namespace ringpost::githost
