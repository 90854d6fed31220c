#pragma once

#include "api/problem.h"

#include <string>

namespace ringpost::api {

/// What is wrong, for answers that have no member beside it that says where: as
/// Problem::sentence(), with the member's name in any case. "`settings.url`: The port is 0."
inline std::string full_sentence(const Problem& problem) {
  const std::string text = problem.sentence();
  if (problem.member.empty() || text.find(problem.member) != std::string::npos) return text;
  return "`" + problem.member + "`: " + text;
}

}  // namespace ringpost::api
