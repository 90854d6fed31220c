#include "dialect/event_trace.h"

#include "base/siphash.h"
#include "json/document.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <span>
#include <string_view>

namespace ringpost::dialect {
namespace {

using http::SpanId;

// Fixed keys: the ids must come out the same after a restart, and guard nothing. "ringpost" and
// what for.
constexpr uint64_t ours = 0x72696e67706f7374;
constexpr HashKey high_key = {ours, 0x74726163652d6869};     // "trace-hi"
constexpr HashKey low_key = {ours, 0x74726163652d6c6f};      // "trace-lo"
constexpr HashKey event_key = {ours, 0x6576656e74207370};    // "event sp"
constexpr HashKey attempt_key = {ours, 0x617474656d707420};  // "attempt "

/// Never all zero, which is no id.
SpanId span_id(const HashKey& key, Bytes of) {
  SpanId id;
  store_le(id.data(), std::max<uint64_t>(siphash(key, of), 1));
  return id;
}

/// Sizes before the texts: no two identities give the same bytes.
std::string identity_of(const journal::EventView& event) {
  std::string identity;
  for (const std::string_view text : {event.organization, event.source, event.id}) {
    identity.append(std::to_string(text.size())).append(":").append(text);
  }
  return identity;
}

/// As OpenTelemetry's TraceIdRatioBased: all who ask with the same ratio agree.
bool is_sampled(uint64_t low, double ratio) {
  if (ratio >= 1) return true;
  return static_cast<double>(low >> 1) < std::ldexp(ratio, 63);
}

http::TraceContext own_trace(Bytes identity, double sample_ratio) {
  const uint64_t low = std::max<uint64_t>(siphash(low_key, identity), 1);
  http::TraceContext context;
  store_le(&context.trace[0], siphash(high_key, identity));
  store_le(&context.trace[8], std::byteswap(low));  // Written as the number that it is.
  context.sampled = is_sampled(low, sample_ratio);
  return context;
}

}  // namespace

EventTrace trace_of(const journal::EventView& event, double sample_ratio) {
  const std::string identity = identity_of(event);
  const auto told = http::parse_trace_parent(event.trace_parent);
  EventTrace trace;
  trace.context = told ? *told : own_trace(as_bytes(identity), sample_ratio);
  trace.parent = trace.context.span;
  trace.context.span = span_id(event_key, as_bytes(identity));
  if (!event.is_redelivery()) return trace;
  trace.parent = trace.context.span;
  trace.context.span = span_id(event_key, std::as_bytes(std::span{event.uid.bytes}));
  return trace;
}

SpanId attempt_span(const Ulid& delivery, uint32_t attempt) {
  std::array<std::byte, 20> input;
  std::memcpy(input.data(), delivery.bytes.data(), delivery.bytes.size());
  store_le<uint32_t>(&input[16], attempt);
  return span_id(attempt_key, input);
}

std::string trace_state_of(const journal::EventView& event) {
  if (event.trace_parent.empty()) return {};
  if (event.extensions.find(R"("tracestate":")") == std::string_view::npos) return {};
  json::Document document;
  document.assign(event.extensions);
  std::string text{document.scalar(json::Path::constant("tracestate")).text};
  return http::is_trace_state(text) ? text : std::string{};
}

}  // namespace ringpost::dialect
