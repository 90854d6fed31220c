#include "load/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

namespace ringpost::load {
namespace {

constexpr uint32_t bits = 10;
constexpr uint64_t per_power = uint64_t{1} << bits;
constexpr uint32_t powers = 37;  // 2^37 us are 38 hours.
constexpr size_t bucket_count = (powers - bits + 1) << bits;

size_t bucket_of(uint64_t us) {
  if (us < per_power) return us;
  const auto power = static_cast<uint32_t>(std::bit_width(us)) - 1;
  const uint64_t within = (us >> (power - bits)) & (per_power - 1);
  const size_t index = (size_t{power - bits + 1} << bits) + within;
  return std::min(index, bucket_count - 1);
}

/// The largest value of the bucket.
Duration upper_bound(size_t index) {
  if (index < per_power) return std::chrono::microseconds{index};
  const uint64_t shift = (index >> bits) - 1;
  const uint64_t first = (per_power + (index & (per_power - 1))) << shift;
  return std::chrono::microseconds{first + (uint64_t{1} << shift) - 1};
}

Duration from_us(double us) {
  return Duration{static_cast<int64_t>(us * 1000)};
}

double in_ms(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

LatencyHistogram::LatencyHistogram() : buckets_(bucket_count) {}

void LatencyHistogram::record(Duration duration) {
  const Duration value = std::max(duration, Duration::zero());
  const auto us = static_cast<uint64_t>(value.count() / 1000);
  ++buckets_[bucket_of(us)];
  ++count_;
  max_ = std::max(max_, value);
  const auto exact = static_cast<double>(value.count()) / 1000;
  sum_us_ += exact;
  squares_us_ += exact * exact;
}

void LatencyHistogram::add(const LatencyHistogram& other) {
  for (size_t index = 0; index < bucket_count; ++index) buckets_[index] += other.buckets_[index];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_us_ += other.sum_us_;
  squares_us_ += other.squares_us_;
}

void LatencyHistogram::clear() {
  if (count_ > 0) *this = LatencyHistogram{};
}

Duration LatencyHistogram::mean() const {
  return count_ == 0 ? Duration{} : from_us(sum_us_ / static_cast<double>(count_));
}

Duration LatencyHistogram::standard_deviation() const {
  if (count_ == 0) return {};
  const double mean_us = sum_us_ / static_cast<double>(count_);
  const double variance = squares_us_ / static_cast<double>(count_) - mean_us * mean_us;
  return from_us(std::sqrt(std::max(variance, 0.0)));
}

Duration LatencyHistogram::quantile(double share) const {
  if (count_ == 0) return {};
  const double wanted = std::ceil(share * static_cast<double>(count_));
  uint64_t left = std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, count_);
  for (size_t index = 0; index < bucket_count; ++index) {
    if (buckets_[index] >= left) return std::min(upper_bound(index), max_);
    left -= buckets_[index];
  }
  return max_;
}

double LatencyHistogram::share_above(Duration limit) const {
  if (count_ == 0) return 0;
  const size_t bucket = bucket_of(static_cast<uint64_t>(limit.count() / 1000));
  uint64_t above = 0;
  for (size_t index = bucket + 1; index < bucket_count; ++index) above += buckets_[index];
  return static_cast<double>(above) / static_cast<double>(count_);
}

std::vector<LatencyHistogram::Point> LatencyHistogram::points(uint32_t ticks_per_half) const {
  std::vector<Point> points;
  if (count_ == 0) return points;
  double share = 0;
  uint64_t seen = 0;
  for (size_t index = 0; index < bucket_count; ++index) {
    if (buckets_[index] == 0) continue;
    seen += buckets_[index];
    const double reached = static_cast<double>(seen) / static_cast<double>(count_);
    if (reached < share) continue;
    points.push_back({seen == count_ ? 1.0 : reached, std::min(upper_bound(index), max_), seen});
    if (seen == count_) break;
    while (share <= reached) {
      const double halvings = std::floor(std::log2(1 / (1 - share))) + 1;
      share += 1 / (std::exp2(halvings) * ticks_per_half);
    }
  }
  return points;
}

std::string to_hgrm(const LatencyHistogram& histogram) {
  std::string text = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
  char line[160];
  for (const auto& point : histogram.points()) {
    const auto total = static_cast<unsigned long long>(point.count);
    if (point.share < 1) {
      std::snprintf(line, sizeof line, "%12.3f %2.12f %10llu %14.2f\n", in_ms(point.value),
                    point.share, total, 1 / (1 - point.share));
    } else {
      std::snprintf(line, sizeof line, "%12.3f %2.12f %10llu\n", in_ms(point.value), 1.0, total);
    }
    text += line;
  }
  std::snprintf(line, sizeof line, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n",
                in_ms(histogram.mean()), in_ms(histogram.standard_deviation()));
  text += line;
  std::snprintf(line, sizeof line, "#[Max     = %12.3f, Total count    = %12llu]\n",
                in_ms(histogram.max()), static_cast<unsigned long long>(histogram.count()));
  text += line;
  std::snprintf(line, sizeof line, "#[Buckets = %12u, SubBuckets     = %12llu]\n",
                powers - bits + 1, static_cast<unsigned long long>(per_power));
  return text + line;
}

}  // namespace ringpost::load
