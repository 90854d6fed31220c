#pragma once

#include "api/problem.h"
#include "http/message.h"

#include <cstdint>
#include <string>
#include <utility>

namespace ringpost::api {

/// What an operation comes to: a response, now or when its change is in force.
struct Answer {
  enum class When : uint8_t {
    now,
    published,  ///< When every shard has seen the change.
    stored,     ///< When the event that Management took for it is durable.
  };

  http::Response response;
  When when = When::now;
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
