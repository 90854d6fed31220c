#pragma once

#include "base/clock.h"
#include "http/trace_context.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ringpost::control {

// The OpenTelemetry Protocol (OTLP 1.x) over HTTP, in JSON: what a collector takes at /v1/traces.

struct OtlpAttribute {
  std::string_view key;
  std::variant<std::string, int64_t, double, bool> value;
};

/// One operation within a trace.
struct OtlpSpan {
  /// The protocol's numbers.
  enum class Kind : uint8_t { internal = 1, server = 2, client = 3 };

  http::TraceContext context;  ///< `span` is its own id.
  http::SpanId parent{};       ///< All zero: it has none.
  bool parent_is_remote = false;
  std::string trace_state{};
  std::string name{};
  Kind kind = Kind::internal;
  WallTime begin{};
  WallTime end{};
  std::vector<OtlpAttribute> attributes{};
  std::vector<http::TraceContext> links{};
  std::string failure{};  ///< Empty: it did not fail.
};

/// The span as a JSON object.
std::string to_otlp(const OtlpSpan& span);

/// The body of a request with these spans.
/// @param resource  whose they are. @param spans  objects of `to_otlp`.
std::string otlp_request(std::span<const OtlpAttribute> resource,
                         std::span<const std::string> spans);

}  // namespace ringpost::control
