#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "control/outgoing_calls.h"
#include "githost/host_api.h"
#include "githost/reply.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace ringpost::control {

/// How long a git host may take to answer one call.
inline constexpr Duration host_call_timeout = std::chrono::seconds(10);
/// What is read of an answer: a page of GitLab's log holds whole payloads.
inline constexpr uint32_t host_answer_bytes_max = 8 * 1024 * 1024;

/// What came of a call to a git host.
struct HostAnswer {
  std::optional<Error> error{};  ///< There was no answer.
  uint16_t status = 0;
  std::string head;  ///< The lines of the headers.
  std::string body;
  bool truncated = false;  ///< There was more than is read.

  githost::Reply reply() const { return {status, head, body}; }
};

/// Makes a call, without waiting for it: `done` is called on the control thread, later, once.
using HostCaller =
    std::function<void(githost::Request request, std::function<void(HostAnswer)> done)>;

/// Over the relay's own calls, which outlive it.
HostCaller host_caller(OutgoingCalls& calls);

/// Why the call did not do what it was for, if it did not.
std::optional<githost::Failure> failure_of(const githost::Repository& repository,
                                           const HostAnswer& answer, WallTime now);
/// Whether it is certain that the host never got the call.
bool never_arrived(const Error& error);

/// Calls to git hosts that are under way. Their answers wait here until they are taken, since they
/// come at a time at which nothing may be changed.
class HostTalk {
 public:
  /// @param wake  called when an answer is there.
  HostTalk(HostCaller caller, std::function<void()> wake);

  /// @returns the call's ticket.
  uint64_t start(githost::Request request);

  struct Answered {
    uint64_t ticket = 0;
    HostAnswer answer;
  };
  std::optional<Answered> take();
  bool has_answers() const { return !inbox_->empty(); }

 private:
  HostCaller caller_;
  std::function<void()> wake_;
  uint64_t next_ticket_ = 1;
  std::shared_ptr<std::deque<Answered>> inbox_;  ///< Calls may outlive this.
};

}  // namespace ringpost::control
