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
std::string fixed_part(const subscription::Webhook& webhook);

inline void append_header(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

inline void append_header(std::string& head, std::string_view name, uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  append_header(head, name, {digits, static_cast<size_t>(end - digits)});
}

/// ringpost-delivery, ringpost-attempt, traceparent, Content-Type, a redelivery's own headers,
/// Content-Length, and the blank line.
void finish(std::string& head, const AttemptFacts& facts);

std::unique_ptr<Renderer> make_standard_renderer(const subscription::Webhook& webhook);
std::unique_ptr<Renderer> make_bitrise_renderer(const subscription::Webhook& webhook);

}  // namespace ringpost::dialect
