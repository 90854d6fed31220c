#pragma once

#include "base/clock.h"
#include "base/prng.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace ringpost::delivery {

/// A receiver may ask for a pause with Retry-After; it cannot ask for more than this.
inline constexpr Duration retry_after_max = std::chrono::hours{1};

/// What http::parse_retry_after reads, clamped to retry_after_max, however far it lies beyond.
std::optional<Duration> parse_retry_after(std::string_view value, WallTime now);

/// Whether an answer of this status makes the webhook wait if it has a Retry-After: "the sender
/// must refrain from further requests" until then (CloudEvents' HTTP webhook binding, 2.2).
constexpr bool may_pause(uint16_t http_status) {
  return http_status == 429 || http_status == 503;
}

/// How long to wait after attempt number `attempt` (1 for the first) failed: the schedule's entry,
/// spread over 75 % to 125 % of itself so that a wave of failures does not come back as a wave, and
/// not before what the receiver asked for.
/// @returns nothing when the schedule has no further attempt.
std::optional<Duration> next_delay(std::span<const uint32_t> schedule_s, uint32_t attempt,
                                   std::optional<Duration> retry_after, Prng& random);

/// The most that `next_delay` can have said after attempt number `attempt`, whatever was asked for.
Duration longest_delay(std::span<const uint32_t> schedule_s, uint32_t attempt);

/// How long a delivery may wait for a receiver that does not work, without attempts: as long as its
/// schedule could take, an hour at least.
Duration patience_of(std::span<const uint32_t> schedule_s);

}  // namespace ringpost::delivery
