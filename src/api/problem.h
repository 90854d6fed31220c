#pragma once

#include "http/problem.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace ringpost::api {

using http::Problem;

/// @param detail  a sentence; its capital and full stop may be left out.
/// @param member  the member, parameter or header at fault, as a path (`tls.ca`); may be empty.
inline Problem refusal(uint16_t status, std::string_view detail, std::string_view member = {}) {
  return {.status = status, .detail = std::string{detail}, .member = std::string{member}};
}

/// @param what  what is wrong with the member, after its name: "is required".
inline Problem refusal_of_member(uint16_t status, std::string_view member, std::string_view what) {
  Problem problem = refusal(status, what, member);
  problem.of_member = true;
  return problem;
}

/// A value that breaks a rule: 422.  @param what  as of refusal_of_member.
inline Problem invalid(std::string_view member, std::string_view what) {
  return refusal_of_member(422, member, what);
}

}  // namespace ringpost::api
