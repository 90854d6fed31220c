#pragma once

#include "base/json_writer.h"
#include "http/message.h"
#include "http/request_parser.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace ringpost::http {

/// A refusal as RFC 9457 has it, with our extension members.
struct Problem {
  uint16_t status = 500;
  std::string type = "about:blank";  ///< Or `urn:ringpost:<slug>`.
  std::string title;                 ///< The status's reason phrase if empty.
  std::string detail;                ///< What is wrong; may quote a peer's bytes.
  std::optional<uint64_t> line;      ///< Of a batch, from 1.
  std::string member;                ///< The member of the body (or header, or parameter) to blame.
  uint32_t retry_after_s = 0;        ///< 0: no Retry-After header.
  bool of_member = false;  ///< `detail` goes on where the member's name ends: "is required".

  /// `detail` as a whole sentence, which names the member: "`url` is required."
  std::string sentence() const;
};

/// The answer: `application/problem+json`, with Retry-After if the problem says when to come back.
/// @param more  writes members of the problem's own type behind the others; may be empty.
Response problem_response(const Problem& problem,
                          const std::function<void(JsonWriter&)>& more = {});

/// What to say (415) of a body that came without a content type, or with one that is none of
/// JSON's.
std::string wrong_content_type(const Request& request);

/// What the parser refused, as a problem.
Problem to_problem(const HttpError& error);

}  // namespace ringpost::http
