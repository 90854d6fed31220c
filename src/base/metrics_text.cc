#include "base/metrics_text.h"

#include "base/assert.h"
#include "base/utf8.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace ringpost {
namespace {

/// Of the histogram's buckets, those whose upper bounds are shown: 128 us, 192 us, 256 us, … 67 s.
constexpr size_t first_bound = 39;
constexpr size_t last_bound = 191;
constexpr size_t bound_step = 4;
static_assert(last_bound < Histogram::bucket_count - 1, "the last bucket has no upper bound");

/// Doubles hold every whole number up to here.
constexpr double whole_number_max = 9007199254740992.0;

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char letter) {
    return (letter >= 'a' && letter <= 'z') || letter == '_';
  });
}

/// @param quotes  whether `"` has to be escaped, too.
void append_escaped(std::string& out, std::string_view text, bool quotes) {
  while (!text.empty()) {
    const char letter = text.front();
    const size_t size = utf8_sequence_size(text);
    if (letter == '\n') {
      out += "\\n";
    } else if (letter == '\\' || (quotes && letter == '"')) {
      out += '\\';
      out += letter;
    } else {
      out += size > 0 ? text.substr(0, size) : utf8_replacement;
    }
    text.remove_prefix(std::max<size_t>(size, 1));
  }
}

std::string_view type_of(MetricKind kind, bool openmetrics) {
  switch (kind) {
    case MetricKind::counter: return "counter";
    case MetricKind::gauge: return "gauge";
    case MetricKind::histogram: return "histogram";
    case MetricKind::info: return openmetrics ? "info" : "gauge";
  }
  RINGPOST_UNREACHABLE();
}

}  // namespace

void MetricsText::family(const MetricInfo& info) {
  RINGPOST_ASSERT(is_name(info.name));
  RINGPOST_ASSERT(!info.help.empty());
  info_ = &info;
  const bool openmetrics = format_ == Format::openmetrics;
  describe("TYPE", type_of(info.kind, openmetrics));
  if (openmetrics && !info.unit.empty()) describe("UNIT", info.unit);
  describe("HELP", info.help);
}

/// The older format names the samples, OpenMetrics the family.
void MetricsText::describe(std::string_view keyword, std::string_view text) {
  const bool openmetrics = format_ == Format::openmetrics;
  out_.append("# ").append(keyword).append(" ").append(info_->name);
  if (!openmetrics) out_ += suffix();
  out_ += ' ';
  append_escaped(out_, text, openmetrics);
  out_ += '\n';
}

std::string_view MetricsText::suffix() const {
  switch (info_->kind) {
    case MetricKind::counter: return "_total";
    case MetricKind::info: return "_info";
    case MetricKind::gauge:
    case MetricKind::histogram: return {};
  }
  RINGPOST_UNREACHABLE();
}

void MetricsText::begin_sample(std::string_view suffix, Labels labels) {
  out_.append(info_->name).append(suffix);
  char before = '{';
  for (const MetricLabel& label : labels) {
    RINGPOST_ASSERT(is_name(label.name));
    out_ += before;
    out_.append(label.name).append("=\"");
    append_escaped(out_, label.value, true);
    out_ += '"';
    before = ',';
  }
  if (before == ',') out_ += '}';
  out_ += ' ';
}

void MetricsText::sample(Labels labels, uint64_t value) {
  RINGPOST_ASSERT(info_ != nullptr);
  RINGPOST_ASSERT(info_->kind != MetricKind::histogram);
  begin_sample(suffix(), labels);
  append(value);
}

void MetricsText::sample(Labels labels, double value) {
  RINGPOST_ASSERT(info_ != nullptr);
  RINGPOST_ASSERT(info_->kind != MetricKind::histogram);
  begin_sample(suffix(), labels);
  append(value);
}

void MetricsText::append(uint64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out_.append(digits, end).append("\n");
}

/// Whole numbers without exponent: people read them, too.
void MetricsText::append(double value) {
  if (value >= 0 && value <= whole_number_max && value == std::floor(value)) {
    return append(static_cast<uint64_t>(value));
  }
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out_.append(digits, end).append("\n");
}

void MetricsText::histogram(const Histogram::Buckets& buckets, Duration sum) {
  RINGPOST_ASSERT(info_ != nullptr);
  RINGPOST_ASSERT(info_->kind == MetricKind::histogram);
  uint64_t count = 0;
  for (size_t index = 0; index < buckets.size(); ++index) {
    count += buckets[index];
    const bool shown =
        index >= first_bound && index <= last_bound && (index - first_bound) % bound_step == 0;
    if (!shown) continue;
    char digits[32];
    const double bound = to_seconds(Histogram::upper_bound(index));
    const auto end = std::to_chars(digits, digits + sizeof digits, bound).ptr;
    begin_sample("_bucket", {{"le", {digits, static_cast<size_t>(end - digits)}}});
    append(count);
  }
  begin_sample("_bucket", {{"le", "+Inf"}});
  append(count);
  begin_sample("_sum", {});
  append(to_seconds(sum));
  begin_sample("_count", {});
  append(count);
}

void MetricsText::finish() {
  if (format_ == Format::openmetrics) out_ += "# EOF\n";
}

std::string_view content_type(MetricsText::Format format) {
  switch (format) {
    case MetricsText::Format::openmetrics:
      return "application/openmetrics-text; version=1.0.0; charset=utf-8";
    case MetricsText::Format::prometheus: return "text/plain; version=0.0.4; charset=utf-8";
  }
  RINGPOST_UNREACHABLE();
}

double to_seconds(WallTime time) {
  return to_seconds(Duration{time.time_since_epoch()});
}

double to_seconds(Duration duration) {
  return static_cast<double>(duration.count()) / 1e9;
}

}  // namespace ringpost
