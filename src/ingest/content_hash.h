#pragma once

#include "base/siphash.h"
#include "journal/record.h"

#include <array>
#include <cstdint>

namespace ringpost::ingest {

/// A keyed hash of all that a producer says of an event, except its key (source, id) and in which
/// trace it was sent: who repeats a request does so in a span of its own. Two events
/// that CloudEvents calls the same have the same hash, in whichever mode they came: attributes
/// count by their text (a number is what a header would say) and `time` as the instant that it is,
/// extensions in any order, and of a content type neither case nor white space counts, nor what a
/// JSON text is by default.
///
/// Computed from the event's record alone, so that it is the same after a restart.
uint64_t content_hash(const journal::EventView& event, const std::array<HashKey, 2>& secret);

}  // namespace ringpost::ingest
