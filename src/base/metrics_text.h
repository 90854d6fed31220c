#pragma once

#include "base/clock.h"
#include "base/histogram.h"
#include "base/metric.h"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace ringpost {

/// Appends the text that monitoring systems scrape to a string: OpenMetrics 1.0, or the older
/// format of Prometheus (version 0.0.4). One family after another; a family's samples follow it.
/// Values of labels may hold any bytes: what the formats cannot hold is escaped, and bytes that are
/// not UTF-8 become U+FFFD.
class MetricsText {
 public:
  enum class Format : uint8_t { openmetrics, prometheus };
  using Labels = std::initializer_list<MetricLabel>;

  MetricsText(std::string& out, Format format) : out_(out), format_(format) {}

  /// Begins a family. @param info  lives until the next family begins.
  void family(const MetricInfo& info);
  /// A sample of the family, which is no histogram. Names of labels are ours: `[a-z_]`, each once,
  /// and not `le`.
  void sample(Labels labels, uint64_t value);
  void sample(Labels labels, double value);
  /// All samples of a family that is a histogram: two buckets for each power of two from 128 us to
  /// 67 s, and those beyond. @param sum  of all durations in `buckets`.
  void histogram(const Histogram::Buckets& buckets, Duration sum);
  /// After the last family, once.
  void finish();

 private:
  void describe(std::string_view keyword, std::string_view name);
  void begin_sample(std::string_view suffix, Labels labels);
  void append(uint64_t value);
  void append(double value);
  std::string_view suffix() const;

  std::string& out_;
  const Format format_;
  const MetricInfo* info_ = nullptr;  ///< The family at hand.
};

/// Of an answer in that format.
std::string_view content_type(MetricsText::Format format);

/// A point in time, as metrics show it: seconds since the epoch.
double to_seconds(WallTime time);
double to_seconds(Duration duration);

}  // namespace ringpost
