#include "index/totals.h"

#include <algorithm>
#include <bit>

namespace ringpost::index {
namespace {

constexpr unsigned steps_bits = 3;  // Eight ranges for each doubling.
constexpr uint64_t steps = 1u << steps_bits;

uint32_t sum(uint32_t a, uint32_t b) {
  return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

uint64_t middle_of(uint8_t range) {
  if (range < steps) return range;
  const auto doublings = static_cast<unsigned>(range / steps - 1);
  const uint64_t first = (steps + range % steps) << doublings;
  return first + (uint64_t{1} << doublings) / 2;
}

}  // namespace

uint8_t LatencyHistogram::range_of(Duration latency) {
  const int64_t whole = std::chrono::floor<std::chrono::milliseconds>(latency).count();
  const auto ms = static_cast<uint64_t>(std::clamp<int64_t>(whole, 0, UINT32_MAX));
  if (ms < steps) return static_cast<uint8_t>(ms);
  const auto doublings = static_cast<unsigned>(std::bit_width(ms)) - 1 - steps_bits;
  return static_cast<uint8_t>(steps * (doublings + 1) + (ms >> doublings) - steps);
}

void LatencyHistogram::add(uint8_t range, uint32_t count) {
  const auto place = std::ranges::lower_bound(ranges_, range, {}, &Range::number);
  if (place != ranges_.end() && place->number == range) {
    place->count = sum(place->count, count);
  } else {
    ranges_.insert(place, {range, count});
  }
}

void LatencyHistogram::add(const LatencyHistogram& other) {
  for (const Range& range : other.ranges_) add(range.number, range.count);
}

std::optional<uint64_t> LatencyHistogram::percentile_ms(unsigned percent) const {
  uint64_t all = 0;
  for (const Range& range : ranges_) all += range.count;
  const uint64_t wanted = (all * percent + 99) / 100;
  uint64_t passed = 0;
  for (const Range& range : ranges_) {
    passed += range.count;
    if (passed >= wanted) return middle_of(range.number);
  }
  return std::nullopt;
}

void Totals::add(const Totals& other) {
  events += other.events;
  delivered += other.delivered;
  failed += other.failed;
  dead += other.dead;
  cancelled += other.cancelled;
  latencies.add(other.latencies);
}

}  // namespace ringpost::index
