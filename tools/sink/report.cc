#include "sink/report.h"

#include "base/json_writer.h"
#include "base/log.h"
#include "sink/endpoints.h"

#include <algorithm>
#include <cstdio>
#include <sys/resource.h>

namespace ringpost::sink {
namespace {

constexpr size_t missing_shown = 10;
constexpr size_t endpoints_shown = 20;

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// CPU of this process so far, in seconds.
struct Cpu {
  double user = 0;
  double system = 0;

  double us_each(uint64_t requests) const {
    return requests == 0 ? 0 : (user + system) * 1e6 / static_cast<double>(requests);
  }
};

Cpu cpu_used() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto in_seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {in_seconds(usage.ru_utime), in_seconds(usage.ru_stime)};
}

double rate(uint64_t requests, Duration time) {
  return requests < 2 || time <= Duration::zero()
             ? 0
             : static_cast<double>(requests - 1) / seconds(time);
}

void append_row(std::string& out, const char* label, uint64_t value) {
  char line[80];
  std::snprintf(line, sizeof line, "  %-22s %llu\n", label, static_cast<unsigned long long>(value));
  out += line;
}

template <typename... Values>
void append_line(std::string& out, const char* format, Values... values) {
  char line[256];
  std::snprintf(line, sizeof line, format, values...);
  out += line;
}

void append_faults(std::string& out, const Totals& totals) {
  for (const Fault fault : all_faults) {
    const uint64_t count = totals.faults[static_cast<size_t>(fault)];
    if (fault == Fault::none || count == 0) continue;
    append_row(out, ("fault " + std::string{name(fault)}).c_str(), count);
  }
}

void append_losses(std::string& out, const Endpoints& endpoints) {
  append_row(out, "missing events", endpoints.sum(&Ledger::missing_count));
  size_t shown = 0;
  for (const Endpoint& endpoint : endpoints.all()) {
    for (const uint64_t number : endpoint.read().ledger.first_missing(missing_shown - shown)) {
      append_line(out, "    missing: %llu", static_cast<unsigned long long>(number));
      out += endpoints.all().size() > 1 ? " at " + endpoint.name() + "\n" : "\n";
      ++shown;
    }
    if (shown == missing_shown) return;
  }
}

void append_disorders(std::string& out, const Endpoints& endpoints) {
  append_row(out, "out of order", endpoints.sum(&Ledger::out_of_order));
  for (const Endpoint& endpoint : endpoints.all()) {
    const Endpoint::Reading reading = endpoint.read();
    for (const Ledger::Disorder& disorder : reading.ledger.disorders()) {
      append_line(out, "    %s: %llu came after %llu, key ", endpoint.name().c_str(),
                  static_cast<unsigned long long>(disorder.number),
                  static_cast<unsigned long long>(disorder.after));
      out += printable(disorder.key) + "\n";
    }
  }
}

/// Whether some endpoint has a secret to verify requests with.
bool verifies(const Endpoints& endpoints) {
  return std::ranges::any_of(
      endpoints.all(), [](const Endpoint& endpoint) { return !endpoint.plan().secrets.empty(); });
}

/// The endpoints with most trouble first: of many, only some are shown.
void append_endpoints(std::string& out, const Endpoints& endpoints) {
  if (endpoints.all().size() < 2) return;
  std::vector<const Endpoint*> order;
  for (const Endpoint& endpoint : endpoints.all()) order.push_back(&endpoint);
  const auto trouble = [](const Endpoint* endpoint) {
    const auto [lock, totals, ledger] = endpoint->read();
    return ledger.missing_count() + totals.signatures_bad + totals.requests - totals.answered_2xx;
  };
  std::ranges::stable_sort(order, std::greater{}, trouble);
  append_line(out, "  %-24s %10s %10s %10s %8s %8s\n", "endpoint", "requests", "2xx", "duplicates",
              "bad sig.", "missing");
  for (size_t index = 0; index < order.size() && index < endpoints_shown; ++index) {
    const auto [lock, totals, ledger] = order[index]->read();
    append_line(out, "  %-24s %10llu %10llu %10llu %8llu %8llu\n", order[index]->name().c_str(),
                static_cast<unsigned long long>(totals.requests),
                static_cast<unsigned long long>(totals.answered_2xx),
                static_cast<unsigned long long>(ledger.duplicates()),
                static_cast<unsigned long long>(totals.signatures_bad),
                static_cast<unsigned long long>(ledger.missing_count()));
  }
  if (order.size() > endpoints_shown) {
    append_line(out, "  and %llu more; --json has all\n",
                static_cast<unsigned long long>(order.size() - endpoints_shown));
  }
}

void append_statuses(std::string& out, const Totals& totals) {
  for (const auto& [status, count] : totals.statuses) {
    append_row(out, ("answered " + std::to_string(status)).c_str(), count);
  }
}

void write_counts(JsonWriter& json, const Totals& totals) {
  json.member("requests", totals.requests)
      .member("answered_2xx", totals.answered_2xx)
      .member("signatures_good", totals.signatures_good)
      .member("signatures_bad", totals.signatures_bad)
      .member("unsigned", totals.unsigned_requests)
      .member("malformed", totals.malformed)
      .member("connections", totals.connections)
      .member("handshakes_failed", totals.handshakes_failed)
      .member("body_bytes", totals.body_bytes);
  json.key("statuses").begin_object();
  for (const auto& [status, count] : totals.statuses) json.member(std::to_string(status), count);
  json.end_object().key("faults").begin_object();
  for (const Fault fault : all_faults) {
    const uint64_t count = totals.faults[static_cast<size_t>(fault)];
    if (fault != Fault::none && count > 0) json.member(name(fault), count);
  }
  json.end_object().key("dialects").begin_object();
  for (const auto& [dialect, signatures] : totals.dialects) {
    json.key(dialect).begin_object().member("good", signatures.good).member("bad", signatures.bad);
    json.end_object();
  }
  json.end_object();
}

void write_endpoint(JsonWriter& json, const Endpoint& endpoint, Duration elapsed) {
  const auto [lock, totals, ledger] = endpoint.read();
  json.begin_object().member("name", endpoint.name()).member("url", endpoint.url);
  const Outage* outage = endpoint.plan().outage_at(elapsed);
  json.member("outage", outage == nullptr ? std::string_view{}
                                          : outage_names[static_cast<size_t>(outage->kind)]);
  write_counts(json, totals);
  json.member("deliveries", ledger.deliveries())
      .member("duplicates", ledger.duplicates())
      .member("duplicates_after_success", ledger.duplicates_after_success())
      .member("missing", ledger.missing_count())
      .member("out_of_order", ledger.out_of_order());
  json.key("first_missing").begin_array();
  for (const uint64_t number : ledger.first_missing(missing_shown)) json.value(number);
  json.end_array().key("first_out_of_order").begin_array();
  for (const Ledger::Disorder& disorder : ledger.disorders()) {
    json.begin_object()
        .member("key", disorder.key)
        .member("number", disorder.number)
        .member("after", disorder.after)
        .end_object();
  }
  json.end_array().end_object();
}

}  // namespace

std::string report_table(const Endpoints& endpoints, Duration elapsed) {
  const Totals totals = endpoints.totals();
  const Cpu cpu = cpu_used();
  std::string out = "ringpost-sink received\n";
  append_row(out, "requests", totals.requests);
  append_row(out, "answered 2xx", totals.answered_2xx);
  append_row(out, "signatures good", totals.signatures_good);
  append_row(out, "signatures bad", totals.signatures_bad);
  append_row(out, verifies(endpoints) ? "without signature" : "not verified: no secret",
             totals.unsigned_requests);
  append_row(out, "duplicate deliveries", endpoints.sum(&Ledger::duplicates));
  append_row(out, "  after a success", endpoints.sum(&Ledger::duplicates_after_success));
  append_row(out, "malformed requests", totals.malformed);
  append_row(out, "connections", totals.connections);
  append_row(out, "handshakes failed", totals.handshakes_failed);
  if (totals.statuses.size() > 1) append_statuses(out, totals);
  append_faults(out, totals);
  if (endpoints.options().expect > 0) append_losses(out, endpoints);
  if (!endpoints.options().order_key.empty()) append_disorders(out, endpoints);
  append_endpoints(out, endpoints);
  append_line(out, "  %.1f s, %.0f requests/s between the first and the last\n", seconds(elapsed),
              rate(totals.requests, endpoints.busy_time()));
  append_line(out, "  CPU of the sink        %.2f s user + %.2f s system, %.1f us per request\n",
              cpu.user, cpu.system, cpu.us_each(totals.requests));
  return out;
}

std::string report_json(const Endpoints& endpoints, Duration elapsed) {
  const Totals totals = endpoints.totals();
  const Cpu cpu = cpu_used();
  std::string text;
  JsonWriter json{text};
  json.begin_object();
  write_counts(json, totals);
  json.member("duplicates", endpoints.sum(&Ledger::duplicates))
      .member("duplicates_after_success", endpoints.sum(&Ledger::duplicates_after_success))
      .member("missing", endpoints.sum(&Ledger::missing_count))
      .member("out_of_order", endpoints.sum(&Ledger::out_of_order))
      .member("expect", endpoints.options().expect)
      .member("ordered", !endpoints.options().order_key.empty())
      .member("verifies", verifies(endpoints))
      .member("seconds", seconds(elapsed))
      .member("requests_per_second", rate(totals.requests, endpoints.busy_time()));
  json.key("cpu")
      .begin_object()
      .member("user_seconds", cpu.user)
      .member("system_seconds", cpu.system)
      .member("us_per_request", cpu.us_each(totals.requests))
      .end_object();
  json.key("endpoints").begin_array();
  for (const Endpoint& endpoint : endpoints.all()) {
    write_endpoint(json, endpoint, elapsed);
  }
  json.end_array().end_object();
  return text;
}

}  // namespace ringpost::sink
