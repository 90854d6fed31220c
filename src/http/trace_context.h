#pragma once

#include "base/bytes.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ringpost::http {

using TraceId = std::array<std::byte, 16>;
using SpanId = std::array<std::byte, 8>;

/// W3C Trace Context, level 1: where in which trace something happens. All zero: nowhere.
struct TraceContext {
  static constexpr size_t text_size = 55;

  TraceId trace{};
  SpanId span{};         ///< What follows is its child.
  bool sampled = false;  ///< Somebody records the trace.
  /// Level 2: the last seven bytes of `trace` are known to be random.
  bool random = false;

  bool operator==(const TraceContext&) const = default;
};

/// What a `traceparent` says. Of a later version than 00, as much as 00 knows; nothing: it is none
/// (3.2.2: version ff, ids of zeros, capital letters, another length).
std::optional<TraceContext> parse_trace_parent(std::string_view text);

/// As version 00. Writes `text_size` characters, without a terminating zero.
void write_trace_parent(const TraceContext& context, char* to);

/// Whether it may be passed on as a `tracestate` (3.3.1): at most 32 entries `key=value` and 512
/// characters.
bool is_trace_state(std::string_view text);

}  // namespace ringpost::http
