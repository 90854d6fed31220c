#pragma once

#include "api/answer.h"
#include "api/problem.h"

#include <cstdint>
#include <string_view>

namespace ringpost::dialect::devopness {

/// A refusal as the API has it: `{"message", "errors": {field: [sentence]}}`, without `errors` if
/// no field is to blame.
http::Response refusal_response(const api::Problem& problem);

/// `{"message", "errors": null}`.
std::string message_body(std::string_view message);

inline api::Answer refuse(const api::Problem& problem) {
  return {.response = refusal_response(problem)};
}

}  // namespace ringpost::dialect::devopness
