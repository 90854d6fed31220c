#pragma once

#include "http/message.h"
#include "ingest/refusal.h"
#include "journal/record.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace ringpost::ingest {

struct EventLimits {
  uint32_t event_bytes_max = 1024 * 1024;       ///< One event, as in the body.
  uint32_t batch_bytes_max = 16 * 1024 * 1024;  ///< A whole batch.
  uint32_t batch_events_max = 10'000;
};

/// How events are laid out in the body of `POST /v1/events`, by its content type and headers.
enum class Packing : uint8_t {
  native_one,         ///< application/json; a bare document of CDEvents too (cdevent.h)
  native_lines,       ///< application/x-ndjson: one a line; blank lines are passed over
  cloudevents_one,    ///< application/cloudevents+json
  cloudevents_batch,  ///< application/cloudevents-batch+json: an array
  cloudevents_binary  ///< `ce-specversion` is there: attributes in `ce-` headers, the body is
                      ///< `data`
};

/// Nothing if the content type is none of ours (415).
std::optional<Packing> packing_of(const http::Request& request);

/// The size that a body of this packing may have: known before its first byte is read.
uint64_t body_bytes_max(std::optional<Packing> packing, const EventLimits& limits);

/// Where the event that was read as number `index` (from 0) is in a batch, from 1: the line of
/// an NDJSON body, the place in an array. 0 if the request is no batch.
uint32_t place_of(const http::Request& request, size_t index);

/// Reads events from requests (design, section 6.1). One per shard: its buffers are used again.
class EventParser {
 public:
  explicit EventParser(const EventLimits& limits);
  ~EventParser();

  /// For what is parsed from now on.
  void set_limits(const EventLimits& limits);

  /// Reads all events of `request` into `events` (emptied first), or refuses all of them. No event
  /// and no refusal: a batch of CloudEvents that is the empty array.
  ///
  /// Of each event the attributes, `extensions`, `data`, `data_checked` and `id_given` are set;
  /// `id` is empty where none was given. The rest is the caller's. Views point into the request and
  /// into this parser: good until the request goes or the next call.
  /// @param request  64 bytes behind its body are readable (http::Request).
  std::optional<Refusal> parse(const http::Request& request,
                               std::vector<journal::EventView>& events);

  /// Where the event of the last call with this index stood: its line or its place in the array,
  /// from 1; 0 if the request is no batch.
  uint32_t line_of(size_t index) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ringpost::ingest
