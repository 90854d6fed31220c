#pragma once

#include <cstdint>
#include <string_view>

namespace ringpost {

/// How a figure behaves over time, as OpenMetrics names it.
enum class MetricKind : uint8_t {
  counter,    ///< Only grows, from 0 at the start of the process.
  gauge,      ///< Goes both ways.
  histogram,  ///< Counts by size (base/histogram.h).
  info,       ///< Always 1: its labels are what it says.
};

/// A family of figures: what `GET /metrics` says of it besides the values.
struct MetricInfo {
  /// `[a-z_]`, without the suffix that the samples of its kind have (`_total`, `_bucket`, `_info`);
  /// ends with the unit if there is one.
  std::string_view name;
  MetricKind kind{};
  std::string_view unit;  ///< `bytes` or `seconds`; empty: a count.
  std::string_view help;  ///< A sentence for operators.
};

/// Tells the figures of one family apart. The name is ours; the value may hold any bytes.
struct MetricLabel {
  std::string_view name;
  std::string_view value;
};

}  // namespace ringpost
