#pragma once

#include "base/counters.h"
#include "http/problem.h"
#include "ringpost/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace ringpost::ingest {

/// Why a request for events is refused, before it is put into the words of RFC 9457.
struct Refusal {
  /// 400: not JSON; 422: JSON, but not an event; 413 and 415: too large, unknown type; 409: the id
  /// of another event; 508: it came over too many relays.
  uint16_t status = 400;
  std::string detail;  ///< A sentence for a person.
  /// Of a batch, from 1: the line of an NDJSON body, the event's place in an array, or the line at
  /// which an array is not JSON. 0: none.
  uint32_t line = 0;
  std::string member;   ///< The member or header at fault; empty: the event as a whole.
  bool syntax = false;  ///< The text is not JSON: `detail` may be replaced by what says where.
};

/// The answer to a producer when the journal takes no event: it is full, a write has failed, the
/// event is too large, or (else) more comes in than the disk takes.
/// @param retry_after_s  of the last: when it may look better.
http::Problem journal_refusal(const Error& error, uint32_t retry_after_s);

/// The answer when there is no room for the body of a request.
http::Problem bodies_refusal();

/// The answer to a producer who has more deliveries pending than its share: 429.
/// @param detail  who has how many.
http::Problem share_refusal(std::string detail, uint32_t retry_after_s);

/// Counts a refused request for events, by its reason.
void count_refusal(Counters& counters, const http::Problem& problem);

/// 422 for a member (or header): its name, and the complaint as the rest of the sentence.
Refusal wrong(std::string_view member, std::string_view complaint);
/// The same for one that is required and not there.
/// @param slip  what may stand there in its place, misspelt; empty: nothing.
Refusal missing(std::string_view member, std::string_view slip);

}  // namespace ringpost::ingest
