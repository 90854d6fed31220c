#include "cli/top_view.h"

#include "base/clock.h"
#include "cli/text.h"
#include "cli/view.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>
#include <string_view>

namespace ringpost::cli {
namespace {

using simdjson::dom::element;

std::string label(std::string_view name) {
  constexpr size_t width = 20;
  std::string text = "  " + std::string{name};
  text.append(width - std::min(width, name.size()), ' ');
  return text;
}

/// A counter's difference in a second; `-`: it is not known, or began again at zero.
class Rates {
 public:
  explicit Rates(const TopFacts& facts) : facts_(facts) {
    const bool restarted = facts.before != nullptr && number_of(facts.status, "/uptime_s") <
                                                          number_of(*facts.before, "/uptime_s");
    known_ = facts.before != nullptr && !restarted && facts.seconds > 0;
  }

  std::string of(const std::string& path) const {
    const uint64_t now = number_of(facts_.status, path);
    const uint64_t before = known_ ? number_of(*facts_.before, path) : 0;
    if (!known_ || now < before) return "-";
    const double rate = static_cast<double>(now - before) / facts_.seconds;
    if (rate >= 100) return grouped(static_cast<uint64_t>(rate + 0.5)) + "/s";
    char text[32];
    std::snprintf(text, sizeof text, "%.1f/s", rate);
    return text;
  }

 private:
  const TopFacts& facts_;
  bool known_ = false;
};

std::string age_of(const TopFacts& facts) {
  const auto oldest = parse_rfc3339(raw_text_of(facts.status, "/oldest_undelivered_at"));
  const auto now = parse_rfc3339(facts.now);
  if (!oldest || !now) return "-";
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(*now - *oldest).count();
  return span_of(age < 0 ? 0 : static_cast<uint64_t>(age));
}

std::string percentiles(element status, const std::string& path) {
  return "50 % in " + latency_of(number_of(status, path + "/p50_us")) + ", 99 % in " +
         latency_of(number_of(status, path + "/p99_us"));
}

void add_figures(const TopFacts& facts, const Rates& rates, std::vector<std::string>& lines) {
  const element status = facts.status;
  const auto total = [&](const std::string& name) {
    return grouped(number_of(status, "/totals/" + name));
  };
  lines.push_back(label("events") + rates.of("/totals/events_accepted") + ", " +
                  total("events_accepted") + " accepted, " + total("events_refused") + " refused");
  lines.push_back(label("deliveries") + rates.of("/totals/deliveries_delivered") + ", " +
                  total("deliveries_delivered") + " delivered, " + total("deliveries_dead") +
                  " dead");
  lines.push_back(label("failed attempts") + rates.of("/totals/attempts_failed") + ", " +
                  total("attempts_failed") + " of " + total("attempts_started"));
  lines.push_back(label("backlog") + grouped(number_of(status, "/backlog")) + ", " +
                  total("deliveries_in_flight") + " in flight");
  lines.push_back(label("oldest undelivered") + age_of(facts));
  lines.push_back(label("latency to 202") + percentiles(status, "/latency/accept"));
  lines.push_back(label("latency to delivery") + percentiles(status, "/latency/delivery"));
  const std::string detail = text_of(status, "/storage/detail");
  lines.push_back(label("disk") + text_of(status, "/storage/state") +
                  (detail.empty() ? "" : " (" + detail + ")") + ", journal " +
                  grouped(number_of(status, "/storage/journal_bytes") >> 20) + " MiB");
  if (const std::string failed = text_of(status, "/last_failure/delivery"); !failed.empty()) {
    lines.push_back(label("last failure") + "ringpost delivery show " + failed);
  }
}

void add_table(const Table& table, std::vector<std::string>& lines) {
  const std::string text = table.to_text();
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back("  " + text.substr(begin, end - begin));
    begin = end + 1;
  }
}

void add_worst(const TopFacts& facts, std::vector<std::string>& lines) {
  if (facts.worst == nullptr) return;
  lines.emplace_back();
  if (facts.worst->empty()) {
    lines.emplace_back("  No webhook is in trouble.");
    return;
  }
  Table table({"WEBHOOK", "NAME", "TROUBLE"});
  constexpr size_t name_width = 32;
  for (const TroubledWebhook& webhook : *facts.worst) {
    table.add({webhook.id, std::string{cut_to_width(webhook.name, name_width)}, webhook.trouble});
  }
  add_table(table, lines);
}

void add_shards(const TopFacts& facts, const Rates& rates, std::vector<std::string>& lines) {
  simdjson::dom::array shards;
  if (facts.status["shards"].get(shards) != simdjson::SUCCESS) return;
  Table table({"SHARD", "EVENTS", "DELIVERED", "PENDING", "IN FLIGHT", "CONNECTIONS OUT"});
  for (size_t index = 0; index < shards.size(); ++index) {
    const std::string path = "/shards/" + std::to_string(index) + "/";
    const auto count = [&](const char* name) {
      return grouped(number_of(facts.status, path + name));
    };
    table.add({std::to_string(index), rates.of(path + "events_accepted"),
               rates.of(path + "deliveries_delivered"), count("deliveries_pending"),
               count("deliveries_in_flight"), count("connections_opened")});
  }
  lines.emplace_back();
  add_table(table, lines);
}

}  // namespace

void add_if_troubled(element webhook, size_t count_max, std::vector<TroubledWebhook>& worst) {
  std::string trouble = trouble_of(webhook);
  if (trouble.empty()) return;
  std::string name = text_of(webhook, "/description");
  if (name.empty()) name = text_of(webhook, "/url");
  // Who gets nothing any more comes before who gets it late; then whose failures are the most.
  constexpr uint64_t stopped = uint64_t{1} << 40;
  const uint64_t weight = (raw_text_of(webhook, "/state") == "active" ? 0 : stopped) +
                          number_of(webhook, "/circuit/failures");
  TroubledWebhook found{text_of(webhook, "/id"), std::move(name), std::move(trouble), weight};
  const auto place =
      std::ranges::upper_bound(worst, weight, std::greater{}, &TroubledWebhook::weight);
  worst.insert(place, std::move(found));
  if (worst.size() > count_max) worst.pop_back();
}

std::vector<std::string> show_top(const TopFacts& facts) {
  const Rates rates(facts);
  std::vector<std::string> lines;
  lines.push_back("ringpost " + text_of(facts.status, "/version") + " at " + shown(facts.url) +
                  ", up " + span_of(number_of(facts.status, "/uptime_s")) +
                  (facts.hint.empty() ? "" : "   " + facts.hint));
  if (const auto note = storage_note(facts.status); !note.empty()) lines.emplace_back(note);
  if (!facts.notice.empty()) lines.push_back(facts.notice);
  lines.emplace_back();
  add_figures(facts, rates, lines);
  add_worst(facts, lines);
  add_shards(facts, rates, lines);
  return lines;
}

std::vector<std::string> fit(std::vector<std::string> lines, size_t columns, size_t rows) {
  if (lines.size() > rows) {
    const size_t hidden = lines.size() - rows + 1;
    lines.resize(rows);
    if (!lines.empty()) lines.back() = "… " + std::to_string(hidden) + " lines more";
  }
  for (std::string& line : lines) line = cut_to_width(line, columns);
  return lines;
}

}  // namespace ringpost::cli
