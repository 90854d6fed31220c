#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "cli/time_range.h"
#include "control/store/store.h"
#include "control/stored_journals.h"
#include "io/posix_disk.h"
#include "journal/gap_audit.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::cli {
namespace {

using journal::Fate;
using journal::FateCounts;
using journal::GapAudit;
using journal::OpenDelivery;

constexpr int exit_sound = 0;
constexpr int exit_gaps = 1;
constexpr size_t lines_shown_max = 100;
constexpr std::array all_fates = {Fate::delivered, Fate::dead,    Fate::cancelled, Fate::pending,
                                  Fate::overdue,   Fate::expired, Fate::missing};

struct GapsOptions {
  std::string config_file;
  std::optional<std::string> data_dir;
  std::string since;
  std::string until;
  bool json = false;
  bool csv = false;
};

uint64_t count_of(const FateCounts& counts, Fate fate) {
  return counts[static_cast<size_t>(fate)];
}

int complain(const std::string& problem) {
  std::fprintf(stderr, "ringpost: %s\n", problem.c_str());
  return exit_gaps;
}

std::optional<std::string> read_time(const std::string& option, const std::string& text,
                                     std::optional<WallTime>& out) {
  if (text.empty()) return std::nullopt;
  out = parse_rfc3339(text);
  if (out) return std::nullopt;
  return option + " \"" + shown(text) + "\" must be a time like 2031-05-04T09:08:07Z";
}

/// What the control store beside the journals tells.
struct Stored {
  control::StoredJournals journals;
  std::map<uint32_t, std::string> webhook_ids;
};

std::optional<Stored> read_store(const std::string& data_dir, std::string& problem) {
  const std::string path = data_dir + "/control.db";
  auto journals = control::read_stored_journals(path, problem);
  if (!journals) return std::nullopt;
  if (!*journals || !(*journals)->directory_id) {
    problem = data_dir + " has no relay's data; give the data directory of a relay (--data-dir)";
    return std::nullopt;
  }
  auto facts = control::StoreFacts::open(path, problem);
  if (!facts) return std::nullopt;
  auto ids = (*facts)->webhook_ids();
  if (!ids) {
    problem = path + ": " + describe(ids.error());
    return std::nullopt;
  }
  return Stored{**journals, *std::move(ids)};
}

/// Feeds the audit, and says what is wrong with the files.
class Reading final : public journal::RecoveryVisitor {
 public:
  explicit Reading(GapAudit& audit) : audit_(audit) {}

  void on_event(journal::Position position, const journal::EventView& event, Bytes) override {
    audit_.on_event(position, event);
  }
  void on_outcome(journal::Position position, const journal::OutcomeView& outcome) override {
    audit_.on_outcome(position, outcome);
  }
  void on_finding(const journal::Finding& finding) override {
    using Kind = journal::Finding::Kind;
    if (finding.kind == Kind::torn_tail || finding.kind == Kind::note) return;
    ++bad_;
    complain(std::string{journal::name(finding.kind)} + ": " + journal::describe(finding));
  }
  uint64_t bad() const { return bad_; }

 private:
  GapAudit& audit_;
  uint64_t bad_ = 0;
};

/// Prints what was found, in one of the three forms.
class Printer {
 public:
  Printer(const GapsOptions& options, const std::map<uint32_t, std::string>& webhook_ids)
      : options_(options), webhook_ids_(webhook_ids) {
    if (options_.csv) std::puts("fate,delivery,webhook,accepted_at,attempts,next_attempt_at");
  }

  void open(const OpenDelivery& delivery) {
    if (options_.csv || options_.json) {
      print_line(options_.csv ? csv(delivery) : json(delivery));
    } else if (delivery.fate == Fate::missing && missing_.size() < lines_shown_max) {
      missing_.push_back(delivery);
    }
  }

  /// @param damages  findings in the files: what they told is not in the figures.
  void summary(const GapAudit& audit, uint64_t records_lost, uint64_t damages) const {
    if (options_.csv) return;
    if (options_.json) return print_line(json(audit, records_lost, damages));
    std::printf("events %s, of them for no webhook %s\n\n", grouped(audit.events()).c_str(),
                grouped(audit.events_without_webhook()).c_str());
    print_table(audit);
    if (records_lost > 0) {
      std::printf("\n%s %s cannot be read any more, and these figures lack what they held\n",
                  grouped(records_lost).c_str(), records_lost == 1 ? "record" : "records");
    }
    print_missing(count_of(audit.total(), Fate::missing), damages);
  }

 private:
  static void print_line(const std::string& line) {
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
  }

  std::string webhook(uint32_t number) const {
    const auto found = webhook_ids_.find(number);
    return found == webhook_ids_.end() ? "removed #" + std::to_string(number) : found->second;
  }

  static std::string id_of(const OpenDelivery& delivery) {
    return journal::delivery_id(delivery.event_uid, delivery.webhook_number).to_text();
  }

  static std::string next_of(const OpenDelivery& delivery) {
    return delivery.next_attempt_at == WallTime{} ? "" : to_rfc3339(delivery.next_attempt_at);
  }

  std::string csv(const OpenDelivery& delivery) const {
    return std::string{name(delivery.fate)} + "," + id_of(delivery) + "," +
           webhook(delivery.webhook_number) + "," + to_rfc3339(delivery.accepted_at) + "," +
           std::to_string(delivery.attempts) + "," + next_of(delivery);
  }

  std::string json(const OpenDelivery& delivery) const {
    std::string line;
    JsonWriter json{line};
    json.begin_object().member("fate", name(delivery.fate)).member("delivery", id_of(delivery));
    json.member("webhook", webhook(delivery.webhook_number));
    json.member("accepted_at", to_rfc3339(delivery.accepted_at));
    json.member("attempts", delivery.attempts).key("next_attempt_at");
    if (const std::string next = next_of(delivery); next.empty()) {
      json.null();
    } else {
      json.value(next);
    }
    json.end_object();
    return line;
  }

  static void write_counts(JsonWriter& json, const FateCounts& counts) {
    for (const Fate fate : all_fates) json.member(name(fate), count_of(counts, fate));
  }

  std::string json(const GapAudit& audit, uint64_t records_lost, uint64_t damages) const {
    std::string line;
    JsonWriter json{line};
    json.begin_object().key("summary").begin_object();
    json.member("events", audit.events());
    json.member("events_without_webhook", audit.events_without_webhook());
    write_counts(json, audit.total());
    json.member("records_lost", records_lost).member("damages", damages);
    json.key("webhooks").begin_array();
    for (const auto& [number, counts] : audit.by_webhook()) {
      json.begin_object().member("webhook", webhook(number));
      write_counts(json, counts);
      json.end_object();
    }
    json.end_array().end_object().end_object();
    return line;
  }

  void print_table(const GapAudit& audit) const {
    std::vector<std::string> head{"WEBHOOK"};
    for (const Fate fate : all_fates) {
      std::string title{name(fate)};
      std::ranges::transform(title, title.begin(),
                             [](char byte) { return static_cast<char>(byte - ('a' - 'A')); });
      head.push_back(std::move(title));
    }
    Table table(std::move(head));
    const auto add = [&table](std::string title, const FateCounts& counts) {
      std::vector<std::string> row{std::move(title)};
      for (const Fate fate : all_fates) row.push_back(grouped(count_of(counts, fate)));
      table.add(std::move(row));
    };
    for (const auto& [number, counts] : audit.by_webhook()) add(webhook(number), counts);
    add("all", audit.total());
    std::fputs(table.to_text().c_str(), stdout);
  }

  void print_missing(uint64_t count, uint64_t damages) const {
    if (damages > 0) {
      std::printf(
          "\nThe journals are damaged or not complete (%s, see above): what was lost with them "
          "cannot be counted, and what ended may be shown as pending.\n",
          grouped(damages).c_str());
    }
    if (count == 0) {
      if (damages == 0) std::puts("\nNothing is missing.");
      return;
    }
    std::printf("\nMissing: %s deliveries. Send them again: ringpost delivery redeliver ID\n",
                grouped(count).c_str());
    for (const OpenDelivery& delivery : missing_) {
      std::printf("  %s  to %s, accepted %s\n", id_of(delivery).c_str(),
                  webhook(delivery.webhook_number).c_str(),
                  to_rfc3339(delivery.accepted_at).c_str());
    }
    if (count > missing_.size()) {
      std::printf("  … and %s more; --csv and --json list all\n",
                  grouped(count - missing_.size()).c_str());
    }
  }

  const GapsOptions& options_;
  const std::map<uint32_t, std::string>& webhook_ids_;
  std::vector<OpenDelivery> missing_;  ///< The first ones.
};

int run_gaps(const GapsOptions& options, const FindDataDirectory& find_data_directory) {
  GapAudit::Options range{.now = std::chrono::system_clock::now()};
  for (auto [option, text, time] : {std::tuple{"--since", &options.since, &range.since},
                                    std::tuple{"--until", &options.until, &range.until}}) {
    if (const auto problem = read_time(option, *text, *time)) return report_usage({*problem});
  }
  if (range.since && range.until && *range.until < *range.since) {
    return report_usage({"--until must not be before --since"});
  }
  const auto found = find_data_directory(options.config_file, options.data_dir);
  if (!found) return exit_gaps;
  const std::string& data_dir = *found;
  std::string problem;
  const auto stored = read_store(data_dir, problem);
  if (!stored) return complain(problem);

  range.settled_through = stored->journals.settled;
  GapAudit audit(std::move(range));
  Reading reading(audit);
  io::PosixDisk disk;
  const journal::RecoveryOptions recovery{.directory_id = *stored->journals.directory_id,
                                          .accept_loss = true,
                                          .read_only = true,
                                          .begun = stored->journals.begun};
  const auto report = journal::recover(disk, data_dir + "/journal", recovery, reading);
  if (!report) {
    return reading.bad() > 0 ? exit_gaps
                             : complain(data_dir + "/journal: " + describe(report.error()));
  }
  Printer printer(options, stored->webhook_ids);
  audit.finish(*report, [&printer](const OpenDelivery& delivery) { printer.open(delivery); });
  printer.summary(audit, report->records_lost, reading.bad());
  const bool sound = count_of(audit.total(), Fate::missing) == 0 && reading.bad() == 0;
  return sound ? exit_sound : exit_gaps;
}

constexpr const char* notes =
    "Reads the journals in the data directory, and changes nothing; run it as the relay's user, on "
    "the relay's machine. The relay may run.\n"
    "\n"
    "  delivered, dead, cancelled   ended, and how\n"
    "  pending                      waiting for an attempt, or under way\n"
    "  overdue                      should have been tried more than 5 minutes ago: the relay is "
    "stopped, or its receiver fails, is paused or limited\n"
    "  expired                      ended; the record of how is older than the retention\n"
    "  missing                      lost: no record of an end, and nobody is going to deliver it\n"
    "\n"
    "  ringpost audit gaps --data-dir /var/lib/ringpost/data --since 2031-05-04T00:00:00Z\n"
    "  ringpost audit gaps --config /etc/ringpost/ringpost.toml --csv\n"
    "\n"
    "Exit codes: 0 nothing is missing and nothing damaged; 1 something is, or the journals cannot "
    "be read; 2 wrong usage.";

}  // namespace

void add_gaps_command(CLI::App& audit, Action& action,
                      const FindDataDirectory& find_data_directory) {
  auto options = std::make_shared<GapsOptions>();
  CLI::App* command = audit.add_subcommand(
      "gaps", "Compare what was accepted with what was delivered: is anything missing?");
  command->add_option("--config", options->config_file, "Configuration file (TOML)")
      ->type_name("FILE");
  command->add_option("--data-dir", options->data_dir, "The relay's data directory")
      ->type_name("DIR");
  add_time_range(*command, options->since, options->until, "Only events accepted");
  command->add_flag("--json", options->json,
                    "A line of JSON for each delivery that has not ended, then one of totals");
  command->add_flag("--csv", options->csv, "The deliveries that have not ended, as CSV")
      ->excludes("--json");
  command->footer(notes);
  command->callback([&action, options, find_data_directory] {
    action = [options, find_data_directory] { return run_gaps(*options, find_data_directory); };
  });
}

}  // namespace ringpost::cli
