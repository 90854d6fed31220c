#pragma once

#include "http/problem.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace ringpost::api {

using http::Problem;

/// @param member  the member, parameter or header at fault, as a path (`tls.ca`); may be empty.
inline Problem refusal(uint16_t status, std::string_view detail, std::string_view member = {}) {
  return {.status = status, .detail = std::string{detail}, .member = std::string{member}};
}

/// A value that breaks a rule: 422, with the member named.
inline Problem invalid(std::string_view member, std::string_view detail) {
  return refusal(422, detail, member);
}

}  // namespace ringpost::api
