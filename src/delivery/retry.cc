#include "delivery/retry.h"

#include "http/date.h"

#include <algorithm>

namespace ringpost::delivery {

std::optional<Duration> parse_retry_after(std::string_view value, WallTime now) {
  const auto pause = http::parse_retry_after(value, now);
  if (!pause) return std::nullopt;
  return std::min<Duration>(*pause, retry_after_max);
}

std::optional<Duration> next_delay(std::span<const uint32_t> schedule_s, uint32_t attempt,
                                   std::optional<Duration> retry_after, Prng& random) {
  if (attempt == 0 || attempt > schedule_s.size()) return std::nullopt;
  const Duration planned = std::chrono::seconds{schedule_s[attempt - 1]};
  const auto ns = static_cast<uint64_t>(planned.count());
  const Duration spread{static_cast<int64_t>(random.between(ns - ns / 4, ns + ns / 4))};
  return std::max(spread, retry_after.value_or(Duration::zero()));
}

Duration longest_delay(std::span<const uint32_t> schedule_s, uint32_t attempt) {
  if (attempt == 0 || attempt > schedule_s.size()) return retry_after_max;
  const Duration planned = std::chrono::seconds{schedule_s[attempt - 1]};
  return std::max(planned + planned / 4, retry_after_max);
}

Duration patience_of(std::span<const uint32_t> schedule_s) {
  Duration planned{};
  for (const uint32_t delay_s : schedule_s) planned += std::chrono::seconds{delay_s};
  return std::max<Duration>(planned + planned / 4, std::chrono::hours{1});
}

}  // namespace ringpost::delivery
