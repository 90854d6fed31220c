#pragma once

#include "api/answer.h"
#include "http/message.h"
#include "io/address.h"
#include "subscription/token.h"

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ringpost::dialect {
class Dialect;
}

namespace ringpost::control {

/// Answers to calls that wait for a server elsewhere.
class LateAnswers {
 public:
  /// Who waits, and for whom the audit log notes the change.
  struct Caller {
    uint32_t shard = 0;
    http::RequestHandle handle;
    const dialect::Dialect* api = nullptr;  ///< Null: the native API.
    std::optional<subscription::Token> token;
    io::Address peer;
  };
  struct Ready {
    Caller caller;
    api::Answer answer;
  };

  /// For an operation that is answered with Answer::When::later: its Answer::ticket.
  uint64_t expect() { return next_ticket_++; }
  /// The answer is here: now, published or changed, as for any operation. Once for each ticket.
  void give(uint64_t ticket, api::Answer answer) { given_.emplace_back(ticket, std::move(answer)); }

  void hold(uint64_t ticket, Caller caller) { callers_.emplace(ticket, std::move(caller)); }
  /// What was given since the last time.
  std::vector<Ready> take() {
    std::vector<Ready> ready;
    for (auto& [ticket, answer] : std::exchange(given_, {})) {
      auto caller = callers_.extract(ticket);
      if (!caller.empty()) ready.push_back({std::move(caller.mapped()), std::move(answer)});
    }
    return ready;
  }

 private:
  std::unordered_map<uint64_t, Caller> callers_;  // By ticket.
  std::vector<std::pair<uint64_t, api::Answer>> given_;
  uint64_t next_ticket_ = 1;
};

}  // namespace ringpost::control
