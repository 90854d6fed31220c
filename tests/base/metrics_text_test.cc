#include "base/metrics_text.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost {
namespace {

using Format = MetricsText::Format;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr MetricInfo requests{"ringpost_requests", MetricKind::counter, "", "Requests."};
constexpr MetricInfo sent{"ringpost_sent_bytes", MetricKind::counter, "bytes", "Bytes."};
constexpr MetricInfo open{"ringpost_open", MetricKind::gauge, "", "Open."};
constexpr MetricInfo latency{"ringpost_latency_seconds", MetricKind::histogram, "seconds", "Long."};
constexpr MetricInfo build{"ringpost_build", MetricKind::info, "", "What runs."};

/// All that `write(text)` writes.
template <typename Write>
std::string written(Format format, Write write) {
  std::string out;
  MetricsText text(out, format);
  write(text);
  text.finish();
  return out;
}

// Goal: each kind as the grammar of OpenMetrics 1.0 has it: the family without the suffix, the
// samples with it, and the end marked.
TEST(MetricsText, WritesOpenMetrics) {
  const auto text = written(Format::openmetrics, [](MetricsText& to) {
    to.family(requests);
    to.sample({{"reason", "share"}}, uint64_t{7});
    to.sample({{"reason", "other"}, {"kind", "x"}}, uint64_t{0});
    to.family(sent);
    to.sample({}, uint64_t{18446744073709551615u});
    to.family(open);
    to.sample({}, 2.5);
    to.family(build);
    to.sample({{"version", "1.2"}}, uint64_t{1});
  });
  EXPECT_EQ(text,
            "# TYPE ringpost_requests counter\n"
            "# HELP ringpost_requests Requests.\n"
            "ringpost_requests_total{reason=\"share\"} 7\n"
            "ringpost_requests_total{reason=\"other\",kind=\"x\"} 0\n"
            "# TYPE ringpost_sent_bytes counter\n"
            "# UNIT ringpost_sent_bytes bytes\n"
            "# HELP ringpost_sent_bytes Bytes.\n"
            "ringpost_sent_bytes_total 18446744073709551615\n"
            "# TYPE ringpost_open gauge\n"
            "# HELP ringpost_open Open.\n"
            "ringpost_open 2.5\n"
            "# TYPE ringpost_build info\n"
            "# HELP ringpost_build What runs.\n"
            "ringpost_build_info{version=\"1.2\"} 1\n"
            "# EOF\n");
}

// Goal: the older format describes the samples by their own names, and knows neither units nor
// infos nor an end.
TEST(MetricsText, WritesTheOlderFormat) {
  const auto text = written(Format::prometheus, [](MetricsText& to) {
    to.family(sent);
    to.sample({}, uint64_t{7});
    to.family(build);
    to.sample({{"version", "1.2"}}, uint64_t{1});
  });
  EXPECT_EQ(text,
            "# TYPE ringpost_sent_bytes_total counter\n"
            "# HELP ringpost_sent_bytes_total Bytes.\n"
            "ringpost_sent_bytes_total 7\n"
            "# TYPE ringpost_build_info gauge\n"
            "# HELP ringpost_build_info What runs.\n"
            "ringpost_build_info{version=\"1.2\"} 1\n");
}

// Goal: no value of a label ends its string, its line or the text, whatever bytes it has.
TEST(MetricsText, EscapesHostileLabels) {
  const auto line = [](std::string_view value) {
    const auto text = written(Format::openmetrics, [&](MetricsText& to) {
      to.family(open);
      to.sample({{"name", value}}, uint64_t{1});
    });
    const size_t begin = text.find("ringpost_open{");
    return text.substr(begin, text.find("\n# EOF") - begin);
  };
  EXPECT_EQ(line("plain é 漢 😀"), "ringpost_open{name=\"plain é 漢 😀\"} 1");
  EXPECT_EQ(line("\"} 9\nringpost_open 8"), "ringpost_open{name=\"\\\"} 9\\nringpost_open 8\"} 1");
  EXPECT_EQ(line("\\n\\"), "ringpost_open{name=\"\\\\n\\\\\"} 1");
  EXPECT_EQ(line("\n# EOF\n"), "ringpost_open{name=\"\\n# EOF\\n\"} 1");
  EXPECT_EQ(line(""), "ringpost_open{name=\"\"} 1");
  EXPECT_EQ(line("a\xFF"
                 "b\xC0\xAF"
                 "c\xED\xA0\x80"
                 "d\xE2\x82"),
            "ringpost_open{name=\"a\uFFFDb\uFFFD\uFFFDc\uFFFD\uFFFD\uFFFDd\uFFFD\uFFFD\"} 1");
}

// Goal: descriptions are escaped as each format says: OpenMetrics also wants quotes escaped.
TEST(MetricsText, EscapesDescriptions) {
  constexpr MetricInfo odd{"ringpost_odd", MetricKind::gauge, "", "a \"b\" \\ c\nd"};
  const auto help = [&](Format format) {
    const auto text = written(format, [&](MetricsText& to) { to.family(odd); });
    const size_t begin = text.find("# HELP");
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  EXPECT_EQ(help(Format::openmetrics), "# HELP ringpost_odd a \\\"b\\\" \\\\ c\\nd");
  EXPECT_EQ(help(Format::prometheus), "# HELP ringpost_odd a \"b\" \\\\ c\\nd");
}

TEST(MetricsText, WritesNumbersThatPeopleCanRead) {
  const auto number = [](double value) {
    const auto text = written(Format::openmetrics, [&](MetricsText& to) {
      to.family(open);
      to.sample({}, value);
    });
    const size_t begin = text.rfind("ringpost_open ") + 14;
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  EXPECT_EQ(number(0), "0");
  EXPECT_EQ(number(1764483728), "1764483728");
  EXPECT_EQ(number(1764483728.125), "1764483728.125");
  EXPECT_EQ(number(0.25), "0.25");
  EXPECT_EQ(number(-1), "-1");
}

// Goal: cumulative buckets with rising bounds that end in +Inf, a count that is the last bucket's,
// and the sum of what was recorded.
TEST(MetricsText, WritesAHistogramOfItsBuckets) {
  Histogram histogram;
  histogram.record(microseconds{100});
  histogram.record(microseconds{150});
  histogram.record(seconds{1});
  histogram.record(seconds{100});
  Histogram::Buckets buckets{};
  histogram.add_to(buckets);
  const auto text = written(Format::openmetrics, [&](MetricsText& to) {
    to.family(latency);
    to.histogram(buckets, histogram.sum());
  });
  for (const char* line : {
           "ringpost_latency_seconds_bucket{le=\"0.000128\"} 1\n",
           "ringpost_latency_seconds_bucket{le=\"0.000192\"} 2\n",
           "ringpost_latency_seconds_bucket{le=\"0.786432\"} 2\n",
           "ringpost_latency_seconds_bucket{le=\"1.048576\"} 3\n",
           "ringpost_latency_seconds_bucket{le=\"67.108864\"} 3\n",
           "ringpost_latency_seconds_bucket{le=\"+Inf\"} 4\n",
           "ringpost_latency_seconds_sum 101.00025\n",
           "ringpost_latency_seconds_count 4\n",
       }) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  double last_bound = 0;
  uint64_t last_count = 0;
  size_t bounds = 0;
  for (size_t at = text.find("{le=\"0"); at < text.find("+Inf"); at = text.find("{le=\"", at + 1)) {
    const double bound = std::stod(text.substr(at + 5));
    const uint64_t count = std::stoull(text.substr(text.find(' ', at)));
    EXPECT_GT(bound, last_bound);
    EXPECT_GE(count, last_count);
    last_bound = bound;
    last_count = count;
    ++bounds;
  }
  EXPECT_EQ(bounds, 40u);  // The last is +Inf.
}

TEST(MetricsText, NamesItsFormat) {
  EXPECT_EQ(content_type(Format::openmetrics),
            "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_EQ(content_type(Format::prometheus), "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace
}  // namespace ringpost
