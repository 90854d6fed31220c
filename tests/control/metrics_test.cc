// Goal: `GET /metrics` shows what the relay counts, to those who may see it, in the format they
// want, with a bounded number of series.

#include "control_fixture.h"
#include "subscription/pending_counts.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>

namespace ringpost::control {
namespace {

using subscription::PendingCounts;
using testing::at;
using testing::header_of;
using testing::Json;
using testing::monotonic;

constexpr const char* openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr const char* prometheus = "text/plain; version=0.0.4; charset=utf-8";

class MetricsTest : public testing::ControlTest {
 protected:
  MetricsTest() : pending_(testing::shard_count) { start({}); }

  void start(const MetricSettings& metrics, const MachineSource& machine = {}) {
    Control::Settings settings;
    settings.retention = {.age = std::chrono::hours{2}, .bytes = 1000};
    settings.metrics = metrics;
    control_ = std::make_unique<Control>(Control::Parts{.store = *store_,
                                                        .table = table_,
                                                        .journals = journals_,
                                                        .history = history_.index,
                                                        .post = post_,
                                                        .places = places_,
                                                        .counters = {&counters_[0], &counters_[1]},
                                                        .pending_counts = pending_,
                                                        .machine = machine},
                                         Control::Options{.settings = settings});
    EXPECT_TRUE(control_->load());
    EXPECT_TRUE(control_->finish_recovery());
  }

  /// @param token  empty: none is sent.
  http::Response scrape(const std::string& accept, const std::string& token = "admin-token",
                        const std::string& method = "GET", bool open = false) {
    auto request = std::make_unique<http::Request>();
    request->method = method;
    request->target = request->path = "/metrics";
    if (!token.empty()) request->headers.push_back({"Authorization", "Bearer " + token});
    if (!accept.empty()) request->headers.push_back({"Accept", accept});
    tell(0, ApiRequest{.handle = {}, .request = std::move(request), .metrics_open = open});
    settle();
    const auto response = answered();
    EXPECT_TRUE(response);
    return response.value_or(http::Response{});
  }

  /// The samples, by what stands before their value.
  static std::map<std::string, std::string> samples_of(const std::string& text) {
    std::map<std::string, std::string> samples;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with('#')) continue;
      const size_t space = line.rfind(' ');
      EXPECT_TRUE(samples.emplace(line.substr(0, space), line.substr(space + 1)).second) << line;
    }
    return samples;
  }
  std::map<std::string, std::string> samples() {
    return samples_of(scrape("application/openmetrics-text").body);
  }

  void pend(const std::string& id, int count, uint32_t shard = 0) {
    for (int one = 0; one < count; ++one) {
      pending_[shard].add(subscription::organization_key("default"), number_of(id));
    }
  }

  std::vector<PendingCounts> pending_;
};

TEST_F(MetricsTest, AddsUpTheShards) {
  counters_[0].add(Counter::events_accepted, 3);
  counters_[1].add(Counter::events_accepted, 4);
  counters_[1].add(Counter::attempts_timed_out, 5);
  counters_[0].set(Counter::deliveries_pending, 2);
  counters_[0].add(Counter::ring_submissions, 11);
  counters_[1].accept_latency.record(std::chrono::milliseconds{2});
  auto found = samples();
  EXPECT_EQ(found["ringpost_events_accepted_total"], "7");
  EXPECT_EQ(found[R"(ringpost_attempts_finished_total{result="timed_out"})"], "5");
  EXPECT_EQ(found[R"(ringpost_attempts_finished_total{result="success"})"], "0");
  EXPECT_EQ(found["ringpost_deliveries_pending"], "2");
  EXPECT_EQ(found["ringpost_ring_submissions_total"], "11");
  EXPECT_EQ(found[R"(ringpost_accept_latency_seconds_bucket{le="0.001536"})"], "0");
  EXPECT_EQ(found[R"(ringpost_accept_latency_seconds_bucket{le="0.002048"})"], "1");
  EXPECT_EQ(found["ringpost_accept_latency_seconds_count"], "1");
  EXPECT_EQ(found["ringpost_accept_latency_seconds_sum"], "0.002");
  EXPECT_EQ(found["ringpost_delivery_latency_seconds_count"], "0");
  EXPECT_EQ(found["ringpost_journal_retention_limit_bytes"], "1000");
  EXPECT_EQ(found["ringpost_journal_retention_limit_seconds"], "7200");
}

// Goal: whatever is in the table of counters is in both, with the same value.
TEST_F(MetricsTest, ShowsWhatTheStatusShows) {
  for (const CounterInfo& row : counter_table()) {
    counters_[0].add(row.counter, 10 + static_cast<uint64_t>(row.counter));
  }
  auto found = samples();
  Json status(ask("GET", "/v1/status").body);
  for (const CounterInfo& row : counter_table()) {
    const std::string value = std::to_string(10 + static_cast<uint64_t>(row.counter));
    EXPECT_EQ(std::to_string(status.number("/totals/" + std::string{row.name})), value);
    if (row.family.name.empty()) continue;
    std::string sample{row.family.name};
    if (row.family.kind == MetricKind::counter) sample += "_total";
    if (!row.label.name.empty()) {
      sample += "{" + std::string{row.label.name} + "=\"" + std::string{row.label.value} + "\"}";
    }
    EXPECT_EQ(found[sample], value) << sample;
  }
}

TEST_F(MetricsTest, NegotiatesTheFormat) {
  const auto type = [this](const std::string& accept) { return scrape(accept).content_type; };
  EXPECT_EQ(type(""), prometheus);
  EXPECT_EQ(type("*/*"), prometheus);
  EXPECT_EQ(type("text/plain"), prometheus);
  EXPECT_EQ(type("application/json"), prometheus);  // Neither: every scraper reads this one.
  EXPECT_EQ(type("application/openmetrics-text"), openmetrics);
  EXPECT_EQ(type("application/openmetrics-text; version=1.0.0; charset=utf-8"), openmetrics);
  EXPECT_EQ(type("application/openmetrics-text; version=0.0.1"), prometheus);
  EXPECT_EQ(type("application/openmetrics-text;q=0"), prometheus);
  EXPECT_EQ(type("application/openmetrics-text;q=0.4,text/plain;q=0.5"), prometheus);
  EXPECT_EQ(type("text/plain;q=0.5,application/openmetrics-text;q=0.5"), openmetrics);
  EXPECT_EQ(type("application/openmetrics-text;q=0.5,text/plain;q=0.2,*/*"), openmetrics);
  EXPECT_EQ(type("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version="
                 "0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            openmetrics);
  const auto response = scrape("application/openmetrics-text");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(header_of(response, "Vary"), "Accept");
  EXPECT_TRUE(response.body.ends_with("\n# EOF\n"));
  EXPECT_EQ(scrape("text/plain").body.find("# EOF"), std::string::npos);
}

TEST_F(MetricsTest, LetsInWhoMayReadThem) {
  add_token("scraper", "default", static_cast<uint8_t>(subscription::Scope::metrics_read));
  add_token("producer", "default", static_cast<uint8_t>(subscription::Scope::events_write));
  add_token("tenant", "acme", static_cast<uint8_t>(subscription::Scope::metrics_read));
  add_token("tenant-admin", "acme", static_cast<uint8_t>(subscription::Scope::admin));
  EXPECT_EQ(scrape("", "admin-token").status, 200);
  EXPECT_EQ(scrape("", "scraper").status, 200);
  EXPECT_EQ(scrape("", "").status, 401);
  EXPECT_EQ(scrape("", "wrong").status, 401);
  EXPECT_EQ(scrape("", "producer").status, 403);
  EXPECT_EQ(scrape("", "tenant").status, 403);
  EXPECT_EQ(scrape("", "tenant-admin").status, 403);
  EXPECT_EQ(ask("GET", "/v1/webhooks", {}, "scraper").status, 403);
  EXPECT_EQ(ask("GET", "/v1/status", {}, "scraper").status, 403);
}

TEST_F(MetricsTest, NeedsNoTokenWhereAListenerServesThem) {
  EXPECT_EQ(scrape("", "", "GET", true).status, 200);
  EXPECT_EQ(scrape("", "wrong", "GET", true).status, 200);
  EXPECT_EQ(scrape("", "", "HEAD", true).status, 200);
}

TEST_F(MetricsTest, TakesOnlyGetAndHead) {
  EXPECT_EQ(scrape("", "admin-token", "HEAD").status, 200);
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    const auto response = scrape("", "admin-token", method);
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_EQ(header_of(response, "Allow"), "GET, HEAD") << method;
  }
}

// Goal: many webhooks are few series, and the worst of them are named.
TEST_F(MetricsTest, ShowsTheWorstWebhooksAlone) {
  start({.webhooks_max = 2});
  const std::string small = make_webhook();
  const std::string large = make_webhook();
  const std::string middle = make_webhook();
  const std::string idle = make_webhook();
  pend(small, 1);
  pend(large, 7);
  pend(large, 2, 1);
  pend(middle, 5);
  clock_ = 100;
  const auto first = accept(number_of(large));
  accept(number_of(large));
  auto found = samples();
  const auto sample = [](const std::string& family, const std::string& id) {
    return family + R"({organization="default",webhook=")" + id + "\"}";
  };
  const std::string pending = "ringpost_webhook_deliveries_pending";
  const std::string oldest = "ringpost_webhook_oldest_undelivered_timestamp_seconds";
  EXPECT_EQ(found[sample(pending, large)], "9");
  EXPECT_EQ(found[sample(pending, middle)], "5");
  EXPECT_FALSE(found.contains(sample(pending, small)));
  EXPECT_FALSE(found.contains(sample(pending, idle)));
  EXPECT_EQ(found[sample(oldest, large)], std::to_string(to_unix_seconds(at(100))));
  EXPECT_FALSE(found.contains(sample(oldest, middle)));  // The index has nothing of it.
  settle_delivery(first, journal::DeliveryStatus::delivered);
  EXPECT_EQ(samples()[sample(oldest, large)], std::to_string(to_unix_seconds(at(101))));
  start({.webhooks_max = 0});
  EXPECT_EQ(scrape("").body.find("webhook="), std::string::npos);
}

TEST_F(MetricsTest, ForgetsWebhooksThatAreGone) {
  const std::string id = make_webhook();
  pend(id, 3);
  EXPECT_NE(scrape("").body.find(id), std::string::npos);
  EXPECT_EQ(ask("DELETE", "/v1/webhooks/" + id).status, 204);
  EXPECT_EQ(scrape("").body.find(id), std::string::npos);
}

TEST_F(MetricsTest, CountsOpenCircuits) {
  const std::string id = make_webhook();
  EXPECT_EQ(samples()["ringpost_webhooks_circuit_open"], "0");
  tell(0, CircuitChanged{.webhook = version_of(id), .failures = 5});
  EXPECT_EQ(samples()["ringpost_webhooks_circuit_open"], "1");
  tell(0, CircuitChanged{.webhook = version_of(id), .failures = 0});
  EXPECT_EQ(samples()["ringpost_webhooks_circuit_open"], "0");
}

// Goal: what there is no value of has no sample, so that no alert compares with a zero.
TEST_F(MetricsTest, LeavesOutWhatThereIsNot) {
  auto found = samples();
  EXPECT_FALSE(found.contains("ringpost_oldest_undelivered_timestamp_seconds"));
  EXPECT_FALSE(found.contains("ringpost_configuration_reload_successful"));
  EXPECT_FALSE(found.contains("ringpost_data_directory_free_bytes"));
  EXPECT_FALSE(found.contains("process_cpu_seconds_total"));
  clock_ = 77;
  accept(number_of(make_webhook()));
  EXPECT_EQ(samples()["ringpost_oldest_undelivered_timestamp_seconds"],
            std::to_string(to_unix_seconds(at(77))));
}

TEST_F(MetricsTest, ShowsTheProcessAndTheDisk) {
  start({.certificates = {{"unix:/a\"\n\\\xff", at(5)}}}, [] {
    return MachineFigures{
        .started_at = at(3),
        .process = io::ProcessFigures{.resident_bytes = 4096,
                                      .virtual_bytes = 8192,
                                      .descriptors_open = 12,
                                      .descriptors_max = 1024,
                                      .cpu_time = std::chrono::milliseconds{1500}},
        .free_bytes = 123456};
  });
  control_->note_queue(17);
  auto found = samples();
  EXPECT_EQ(found["process_resident_memory_bytes"], "4096");
  EXPECT_EQ(found["process_virtual_memory_bytes"], "8192");
  EXPECT_EQ(found["process_open_fds"], "12");
  EXPECT_EQ(found["process_max_fds"], "1024");
  EXPECT_EQ(found["process_cpu_seconds_total"], "1.5");
  EXPECT_EQ(found["ringpost_data_directory_free_bytes"], "123456");
  EXPECT_EQ(found["ringpost_control_queue_messages"], "17");
  EXPECT_TRUE(
      found.contains("ringpost_certificate_expiry_timestamp_seconds"
                     "{listener=\"unix:/a\\\"\\n\\\\\uFFFD\"}"));
  EXPECT_TRUE(found.contains(R"(ringpost_build_info{version="0.1.0"})"));
  EXPECT_TRUE(found.contains(R"(ringpost_engine_info{engine="io_uring"})"));
}

TEST_F(MetricsTest, ShowsFailuresOfTheDisk) {
  EXPECT_EQ(samples()["ringpost_journal_file_preparation_failed"], "0");
  EXPECT_EQ(samples()["ringpost_store_failed"], "0");
  journals_.prepared_max = 0;
  tell(0, SegmentWanted{});
  control_->step(at(1), monotonic(1));
  EXPECT_EQ(samples()["ringpost_journal_file_preparation_failed"], "1");
}

// Goal: each family is described once, and its samples follow it, which OpenMetrics demands.
TEST_F(MetricsTest, KeepsFamiliesTogether) {
  const std::string id = make_webhook();
  pend(id, 1);
  accept(number_of(id));
  std::istringstream lines(scrape("application/openmetrics-text").body);
  std::set<std::string> families;
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    if (line == "# EOF") break;
    if (line.starts_with("# TYPE ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(family).second) << family;
    } else if (line.starts_with('#')) {
      EXPECT_NE(line.find(' ' + family + ' '), std::string::npos) << line;
    } else {
      EXPECT_TRUE(line.starts_with(family)) << line << " in " << family;
    }
  }
  EXPECT_GT(families.size(), 50u);
  EXPECT_TRUE(families.contains("ringpost_webhook_deliveries_pending"));
}

}  // namespace
}  // namespace ringpost::control
