#pragma once

#include "dialect/renderer.h"

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringpost::dialect {

/// What the request heads of all dialects have in common. A head is built as
/// `fixed part` + dialect's headers + `append_common` + `finish`.

/// Request line, Host, User-Agent and the user's own headers.
/// @param user_agent  empty: `ringpost/<version>`.
std::string fixed_part(const subscription::Webhook& webhook, std::string_view method = "POST",
                       std::string_view user_agent = {});

inline void append_header(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

inline void append_header(std::string& head, std::string_view name, uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  append_header(head, name, {digits, static_cast<size_t>(end - digits)});
}

/// Content-Type, a redelivery's own headers, ringpost-hops, Content-Length of `request.body`, and
/// the blank line.
void finish_untraced(Request& request, const AttemptFacts& facts, std::string_view content_type);

/// traceparent if there is one (AttemptFacts::trace_parent), the event's tracestate with it, then
/// `finish_untraced`.
void finish_bare(Request& request, const AttemptFacts& facts, std::string_view content_type);

/// ringpost-delivery and ringpost-attempt.
void append_delivery(std::string& head, const AttemptFacts& facts);

/// `append_delivery`, then `finish_bare` with the data's content type (content_type_of).
void finish(Request& request, const AttemptFacts& facts);

}  // namespace ringpost::dialect
