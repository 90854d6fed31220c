#pragma once

#include "api/problem.h"
#include "http/message.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::api {

/// What an operation changed, for the audit log. Names only: values may be secrets.
struct Change {
  std::string_view operation;  ///< `webhook.update`; static text.
  std::string object;          ///< The id of what was changed.
  std::vector<std::string> members;
  std::string organization;  ///< Whose object; empty: the caller's.
};

/// The result of an operation: a response, now or when its change is in force.
struct Answer {
  enum class When : uint8_t {
    now,
    published,  ///< When every shard has seen the change.
    reloaded,   ///< When every shard uses the configuration that was read.
    stored,     ///< When the event that Management took for it is durable.
    later,      ///< When it is given by `ticket`: it waits for a server elsewhere.
  };

  http::Response response;
  When when = When::now;
  uint64_t ticket = 0;           ///< Of one that comes later (control::LateAnswers).
  std::optional<Change> change;  ///< For the audit log; set by whoever changed something.
};

inline Answer answer_json(uint16_t status, std::string body,
                          Answer::When when = Answer::When::now) {
  Answer answer;
  answer.response.status = status;
  answer.response.body = std::move(body);
  answer.when = when;
  return answer;
}

}  // namespace ringpost::api
