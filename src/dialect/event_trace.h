#pragma once

#include "base/ulid.h"
#include "http/trace_context.h"
#include "journal/record.h"

#include <cstdint>
#include <string>

namespace ringpost::dialect {

/// Where an event stands in a trace. All of it follows from the event, so nothing is stored, and
/// it is the same for every shard, the control thread and the next start.
struct EventTrace {
  /// `span` is the event's own: its deliveries' attempts are the children.
  http::TraceContext context;
  /// Of the event's own span; all zero: the trace begins with it.
  http::SpanId parent{};
};

/// The trace that the producer began, if the event tells of one; else one of its own, the same for
/// whatever has its organization, source and id. A redelivery is in the trace of the event that it
/// repeats, beneath that event's span.
/// @param sample_ratio  of traces of its own, the part that is sampled: 0 to 1. A producer's are as
///                      the producer says.
EventTrace trace_of(const journal::EventView& event, double sample_ratio);

/// Of an attempt. @param attempt  1 for the first.
http::SpanId attempt_span(const Ulid& delivery, uint32_t attempt);

/// The text of the event's attribute `tracestate`, if it belongs to its `traceparent` and may be
/// passed on; else empty.
std::string trace_state_of(const journal::EventView& event);

}  // namespace ringpost::dialect
