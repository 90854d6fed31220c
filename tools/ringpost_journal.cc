// ringpost-journal: reads the journals of a data directory without a relay, and changes nothing in
// them. What can be read of a damaged segment it writes to a new file.

#include "base/json_writer.h"
#include "cli/manual.h"
#include "cli/output.h"
#include "cli/usage.h"
#include "control/stored_journals.h"
#include "index/file_part.h"
#include "io/posix_disk.h"
#include "io/process.h"
#include "journal/format.h"
#include "journal/journal_mark.h"
#include "journal/reader.h"
#include "journal/recovery.h"
#include "journal_repair.h"
#include "ringpost/version.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace {

using namespace ringpost;

constexpr int exit_sound = 0;
constexpr int exit_damaged = 1;
constexpr int exit_failed = 2;

void print_line(const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

std::string position_text(journal::Position position) {
  return journal::journal_name(static_cast<uint16_t>(position.journal())) + '/' +
         std::to_string(position.segment()) + '/' + std::to_string(position.offset());
}

bool is_bad(journal::Finding::Kind kind) {
  switch (kind) {
    case journal::Finding::Kind::damage:
    case journal::Finding::Kind::missing:
    case journal::Finding::Kind::refused: return true;
    case journal::Finding::Kind::torn_tail:
    case journal::Finding::Kind::note: return false;
  }
  RINGPOST_UNREACHABLE();
}

/// Whether a torn tail begins below what the note beside the segment says was durable: then it is
/// no write that was cut short.
bool was_durable(const journal::Finding& finding) {
  const std::filesystem::path path(finding.path);
  const std::string directory = path.parent_path().string();
  const auto journal = journal::parse_journal_name(path.parent_path().filename().string());
  const auto segment = journal::parse_segment_name(path.filename().string());
  if (!journal || !segment) return false;
  io::PosixDisk disk;
  const auto written = journal::read_written(disk, directory, *journal, false);
  return written && *written && (*written)->segment == *segment && finding.offset < (*written)->end;
}

bool is_loss(const journal::Finding& finding) {
  return is_bad(finding.kind) ||
         (finding.kind == journal::Finding::Kind::torn_tail && was_durable(finding));
}

/// Counts what is wrong; the modes add what they print.
class Visitor : public journal::RecoveryVisitor {
 public:
  void on_event(journal::Position, const journal::EventView&, Bytes) override {}
  void on_outcome(journal::Position, const journal::OutcomeView&) override {}
  void on_finding(const journal::Finding& finding) override {
    if (is_loss(finding)) ++bad_;
    stops_ = stops_ || (is_bad(finding.kind) && finding.kind != journal::Finding::Kind::damage);
    report(finding);
  }
  /// Right before the journals are read.
  virtual void open(const std::string& /*directory*/, uint64_t /*directory_id*/) {}
  /// Findings of something that is lost: no notes, and no torn tails that may be unfinished writes.
  uint64_t bad() const { return bad_; }
  /// Whether a relay refuses to start because of one of them.
  bool stops() const { return stops_; }

 protected:
  /// A line for people: what, where, how to mend.
  virtual void report(const journal::Finding& finding) {
    print_line(std::string(name(finding.kind)) + ": " + describe(finding));
  }

 private:
  uint64_t bad_ = 0;
  bool stops_ = false;
};

/// Which records a dump has.
struct Chosen {
  bool with_data = false;
  std::string record;  ///< `event` or `outcome`; empty: both.
  std::string source;  ///< Of the event, also of an outcome; empty: all. Likewise `type`.
  std::string type;
  std::optional<WallTime> since;  ///< When the event was accepted, or the attempt began.
  std::optional<WallTime> until;
  std::map<uint32_t, journal::Position> after;  ///< By journal: records behind it alone.

  bool has_time(WallTime time) const {
    return (!since || time >= *since) && (!until || time < *until);
  }
  bool has_event(const journal::EventView& event) const {
    return (source.empty() || event.source == source) && (type.empty() || event.type == type);
  }
  bool asks_event() const { return !source.empty() || !type.empty(); }
};

/// One JSON object per record and finding.
class Dump final : public Visitor {
 public:
  explicit Dump(const Chosen& chosen) : chosen_(chosen), with_data_(chosen.with_data) {}

  /// The options that have a later dump go on behind this one.
  std::string resume_options() const {
    std::string options;
    for (const auto& [journal, position] : last_) options += " --after " + position_text(position);
    return options;
  }

  void on_event(journal::Position position, const journal::EventView& event, Bytes) override {
    if (!is_next(position) || chosen_.record == "outcome") return;
    if (!chosen_.has_time(event.accepted_at) || !chosen_.has_event(event)) return;
    JsonWriter json = begin("event", position);
    json.member("uid", event.uid.to_text());
    json.member("accepted_at", to_rfc3339(event.accepted_at));
    json.member("organization", event.organization);
    json.member("id", event.id);
    json.member("id_given", event.id_given);
    json.member("source", event.source);
    json.member("type", event.type);
    text(json, "time", event.time);
    text(json, "subject", event.subject);
    text(json, "data_content_type", event.data_content_type);
    text(json, "branch", event.branch);
    text(json, "ordering_key", event.ordering_key);
    text(json, "trace_parent", event.trace_parent);
    text(json, "extensions", event.extensions);
    if (event.is_redelivery()) json.member("redelivery_of", event.redelivery_of.to_text());
    json.key("webhooks").begin_array();
    for (uint32_t index = 0; index < event.webhook_count(); ++index) {
      json.value(event.webhook_number(index));
    }
    json.end_array();
    json.member("data_bytes", event.data.size());
    if (with_data_) json.member("data", as_text(event.data));
    end(json);
  }

  void open(const std::string& directory, uint64_t directory_id) override {
    reader_.emplace(disk_, directory, directory_id, journal::Reader::Access::read_only);
  }

  void on_outcome(journal::Position position, const journal::OutcomeView& outcome) override {
    if (!is_next(position) || chosen_.record == "event") return;
    if (!chosen_.has_time(outcome.started_at) || !is_of_chosen_event(outcome)) return;
    JsonWriter json = begin("outcome", position);
    json.member("delivery", outcome.delivery.to_text());
    json.member("event", position_text(outcome.event));
    json.member("webhook", outcome.webhook_number);
    json.member("attempt", outcome.attempt);
    json.member("status", name(outcome.status));
    json.member("started_at", to_rfc3339(outcome.started_at));
    json.member("duration_ns", outcome.duration.count());
    if (outcome.status == journal::DeliveryStatus::pending) {
      json.member("next_attempt_at", to_rfc3339(outcome.next_attempt_at));
    }
    if (outcome.failed) json.member("error", name(outcome.error.code));
    json.member("http_status", outcome.http_status);
    if (with_data_) write_texts(json, position, outcome);
    end(json);
  }

  void write_texts(JsonWriter& json, journal::Position position,
                   const journal::OutcomeView& recorded) {
    journal::OutcomeView outcome = recorded;
    Result<journal::StoredOutcome> whole = Error{};  // Has the texts.
    if (recorded.base_offset != 0) {
      whole = reader_->read_outcome(position);
      if (!whole) return text(json, "unreadable", describe(whole.error()));
      outcome = whole->view;
    }
    text(json, "request_head", outcome.request_head);
    text(json, "response_head", outcome.response_head);
    text(json, "response_body", as_text(outcome.response_body));
    text(json, "request_body", as_text(outcome.request_body));
  }

 protected:
  void report(const journal::Finding& finding) override {
    line_.clear();
    JsonWriter json(line_);
    json.begin_object().member("finding", name(finding.kind)).member("path", finding.path);
    json.member("offset", finding.offset).member("bytes", finding.bytes);
    json.member("text", finding.text);
    end(json);
  }

 private:
  /// Whether the record was not in the dump that this one goes on from.
  bool is_next(journal::Position position) {
    const auto [at, first] = last_.emplace(position.journal(), position);
    if (!first && at->second.packed < position.packed) at->second = position;
    const auto after = chosen_.after.find(position.journal());
    return after == chosen_.after.end() || position.packed > after->second.packed;
  }
  bool is_of_chosen_event(const journal::OutcomeView& outcome) {
    if (!chosen_.asks_event()) return true;
    const auto event = reader_->read_event(outcome.event);
    return event && chosen_.has_event((*event)->view());
  }

  JsonWriter begin(std::string_view record, journal::Position position) {
    line_.clear();
    JsonWriter json(line_);
    json.begin_object().member("record", record).member("position", position_text(position));
    return json;
  }
  static void text(JsonWriter& json, std::string_view key, std::string_view value) {
    if (!value.empty()) json.member(key, value);
  }
  void end(JsonWriter& json) {
    json.end_object();
    print_line(line_);
  }

  const Chosen& chosen_;
  const bool with_data_;
  std::map<uint32_t, journal::Position> last_ = chosen_.after;  ///< By journal.
  io::PosixDisk disk_;
  std::optional<journal::Reader> reader_;  ///< While the journals are read.
  std::string line_;
};

/// Counts by journal and by outcome.
class Stats final : public Visitor {
 public:
  void on_event(journal::Position position, const journal::EventView& event, Bytes) override {
    Count& count = journals_[position.journal()];
    ++count.events;
    count.data_bytes += event.data.size();
    count.deliveries += event.webhook_count();
  }
  void on_outcome(journal::Position position, const journal::OutcomeView& outcome) override {
    ++journals_[position.journal()].outcomes;
    ++statuses_[std::string(name(outcome.status))];
  }

  void print(const journal::RecoveryReport& report) const {
    std::printf("%-8s %12s %14s %12s %12s\n", "journal", "events", "data bytes", "deliveries",
                "outcomes");
    for (const auto& [number, count] : journals_) {
      std::printf("%-8u %12llu %14llu %12llu %12llu\n", number, wide(count.events),
                  wide(count.data_bytes), wide(count.deliveries), wide(count.outcomes));
    }
    for (const auto& [status, count] : statuses_) {
      std::printf("outcomes %s: %llu\n", status.c_str(), wide(count));
    }
    std::printf(
        "segments %llu, read %llu bytes, damages %llu, records lost %llu, torn tails %llu\n",
        wide(report.segments), wide(report.bytes_read), wide(report.damages),
        wide(report.records_lost), wide(report.torn_tails));
  }

 private:
  struct Count {
    uint64_t events = 0;
    uint64_t data_bytes = 0;
    uint64_t deliveries = 0;
    uint64_t outcomes = 0;
  };
  static unsigned long long wide(uint64_t value) { return value; }

  std::map<uint32_t, Count> journals_;
  std::map<std::string, uint64_t> statuses_;
};

/// The id of the data directory as the first readable segment header gives it.
std::optional<uint64_t> find_directory_id(io::Disk& disk, const std::string& directory) {
  const auto journals = disk.list(directory);
  if (!journals) return std::nullopt;
  for (const std::string& journal : *journals) {
    if (!journal::parse_journal_name(journal)) continue;
    const std::string journal_directory = directory + '/' + journal;
    const auto names = disk.list(journal_directory);
    if (!names) continue;
    for (const std::string& entry : *names) {
      if (!journal::parse_segment_name(entry)) continue;
      const auto file = disk.open(journal_directory + '/' + entry, io::Disk::OpenMode::read);
      if (!file) continue;
      std::vector<std::byte> page(journal::page_bytes);
      const auto read = disk.read_at(*file, 0, page);
      disk.close(*file);
      if (!read) continue;
      const auto header =
          journal::read_segment_header(Bytes{page}.first(static_cast<size_t>(*read)));
      if (header) return header->directory_id;
    }
  }
  return std::nullopt;
}

int complain(const std::string& problem) {
  std::fprintf(stderr, "ringpost-journal: %s\n", problem.c_str());
  return exit_failed;
}

/// What a start would say before it reads the journals; nothing if it would go on.
std::optional<journal::Finding> refused_before(
    const std::string& directory, const std::vector<std::string>& journals,
    const std::optional<control::StoredJournals>& stored) {
  if ((stored && stored->directory_id) || journals.empty()) return std::nullopt;
  return journal::Finding{.kind = journal::Finding::Kind::refused,
                          .path = directory,
                          .text = "the start refuses: " + control::unknown_journals(directory)};
}

/// Reads everything, as a start does, but for that it goes on after a loss, to name all of them.
/// @returns nothing if that was not possible; `problem` says why, unless a finding does.
std::optional<journal::RecoveryReport> read_all(const std::string& data_directory, Visitor& visitor,
                                                std::string& problem) {
  io::PosixDisk disk;
  const std::string directory = data_directory + "/journal";
  const auto stored = control::read_stored_journals(data_directory + "/control.db", problem);
  if (!stored) return std::nullopt;
  const auto listed = disk.list(directory);
  if (!listed && (listed.error().code != Errc::not_found || !*stored)) {
    problem = directory + ": " + describe(listed.error()) +
              "; give the data directory of a relay ([server] data_dir)";
    return std::nullopt;
  }
  if (listed) {
    if (const auto refused = refused_before(directory, *listed, *stored)) {
      visitor.on_finding(*refused);
    }
  }
  journal::RecoveryOptions options{.accept_loss = true, .read_only = true};
  if (*stored) options.begun = (*stored)->begun;
  // Without one readable header there is nothing that an id would be needed for.
  options.directory_id = *stored && (*stored)->directory_id
                             ? *(*stored)->directory_id
                             : find_directory_id(disk, directory).value_or(0);
  visitor.open(directory, options.directory_id);
  auto report = journal::recover(disk, directory, options, visitor);
  if (report) return *report;
  if (visitor.bad() == 0) problem = directory + ": " + describe(report.error());
  return std::nullopt;
}

/// The indexes beside the segments. What is wrong with one costs nothing but time: a relay makes it
/// again from its segment.
class Indexes {
 public:
  explicit Indexes(const std::string& data_directory) : directory_(data_directory + "/journal") {}

  void check(uint64_t directory_id) {
    const auto journals = disk_.list(directory_);
    if (!journals) return;
    for (const std::string& name : *journals) {
      if (const auto journal = journal::parse_journal_name(name)) check(directory_id, *journal);
    }
  }
  std::string to_text() const {
    std::string text = std::to_string(sound_) + " indexes";
    if (bad_ > 0) text += ", " + std::to_string(bad_) + " of no use";
    return text;
  }

 private:
  static std::string reason(const Error& error) {
    if (error.code != Errc::unsupported) return describe(error);
    return "format " + std::to_string(error.detail) + ", and this ringpost has " +
           std::to_string(index::format_version);
  }

  void check(uint64_t directory_id, uint16_t journal) {
    const auto names = disk_.list(journal::journal_path(directory_, journal));
    if (!names) return;
    for (const std::string& name : *names) {
      const auto segment = journal::parse_index_name(name);
      if (!segment || name != journal::index_name(*segment)) continue;
      const auto checked = index::verify_index(disk_, directory_, directory_id, journal, *segment);
      ++(checked ? sound_ : bad_);
      if (checked) continue;
      print_line("note: " + directory_ + '/' + journal::journal_name(journal) + '/' + name +
                 ": the index is of no use (" + reason(checked.error()) +
                 "); nothing is lost: a relay makes it again from the segment");
    }
  }

  io::PosixDisk disk_;
  const std::string directory_;
  uint64_t sound_ = 0;
  uint64_t bad_ = 0;
};

/// Notes the id of the data directory.
class Verification final : public Visitor {
 public:
  void open(const std::string&, uint64_t id) override { directory_id_ = id; }
  uint64_t directory_id() const { return directory_id_; }

 private:
  uint64_t directory_id_ = 0;
};

int verify(const std::string& data_directory) {
  Verification visitor;
  std::string problem;
  const auto report = read_all(data_directory, visitor, problem);
  if (!report && visitor.bad() == 0) return complain(problem);
  Indexes indexes(data_directory);
  indexes.check(visitor.directory_id());
  if (visitor.bad() > 0) {
    std::printf("damaged: %llu %s; a start %s\n", static_cast<unsigned long long>(visitor.bad()),
                visitor.bad() == 1 ? "finding" : "findings",
                visitor.stops() ? "refuses this directory" : "goes on without what is damaged");
    return exit_damaged;
  }
  const std::string verdict =
      report->torn_tails == 0 ? "sound"
      : report->torn_tails == 1
          ? "sound except for 1 torn tail"
          : "sound except for " + std::to_string(report->torn_tails) + " torn tails";
  std::printf("%s: %llu segments, %llu events, %llu outcomes; %s\n", verdict.c_str(),
              static_cast<unsigned long long>(report->segments),
              static_cast<unsigned long long>(report->events),
              static_cast<unsigned long long>(report->outcomes), indexes.to_text().c_str());
  return exit_sound;
}

/// What the options of a dump say, as texts.
struct DumpOptions {
  std::string since;
  std::string until;
  std::vector<std::string> after;
  Chosen chosen;
};

/// `000/12/4096`, as a dump writes it.
std::optional<journal::Position> parse_position(const std::string& text) {
  unsigned journal = 0;
  unsigned segment = 0;
  unsigned offset = 0;
  int end = 0;
  const int read = std::sscanf(text.c_str(), "%3u/%9u/%9u%n", &journal, &segment, &offset, &end);
  if (read != 3 || static_cast<size_t>(end) != text.size() || journal > UINT8_MAX ||
      segment >= 1u << 28 || offset >= 1u << 28) {
    return std::nullopt;
  }
  return journal::Position::make(journal, segment, offset);
}

/// @returns what is wrong with them.
std::optional<std::string> read_options(DumpOptions& options) {
  for (const auto& [name, text, time] :
       {std::tuple{"--since", &options.since, &options.chosen.since},
        std::tuple{"--until", &options.until, &options.chosen.until}}) {
    if (text->empty()) continue;
    *time = parse_rfc3339(*text);
    if (!*time) return std::string{name} + " must be a time like 2031-05-04T09:08:07Z";
  }
  for (const std::string& text : options.after) {
    const auto position = parse_position(text);
    if (!position) return "--after must be a position like 000/12/4096, as a dump prints it";
    options.chosen.after[position->journal()] = *position;
  }
  return std::nullopt;
}

int dump(const std::string& data_directory, DumpOptions& options) {
  if (const auto problem = read_options(options)) return complain(*problem);
  Dump visitor(options.chosen);
  std::string problem;
  const auto report = read_all(data_directory, visitor, problem);
  if (!report) return visitor.bad() > 0 ? exit_failed : complain(problem);
  std::fflush(stdout);
  const std::string resume = visitor.resume_options();
  if (!resume.empty()) std::fprintf(stderr, "To go on later:%s\n", resume.c_str());
  return visitor.bad() > 0 ? exit_damaged : exit_sound;
}

int stats(const std::string& data_directory) {
  Stats visitor;
  std::string problem;
  const auto report = read_all(data_directory, visitor, problem);
  if (!report) return visitor.bad() > 0 ? exit_failed : complain(problem);
  visitor.print(*report);
  return visitor.bad() > 0 ? exit_damaged : exit_sound;
}

/// `007/42`, as messages and a dump name a segment.
std::optional<std::pair<uint16_t, uint32_t>> parse_segment(const std::string& text) {
  const auto position = parse_position(text + "/0");
  if (!position || position->segment() == 0) return std::nullopt;
  return std::pair{static_cast<uint16_t>(position->journal()), position->segment()};
}

int repair(const std::string& data_directory, const std::string& segment,
           const std::string& output) {
  const auto which = parse_segment(segment);
  if (!which) return complain("SEGMENT must be a journal and a segment's number like 007/42");
  std::string problem;
  const auto stored = control::read_stored_journals(data_directory + "/control.db", problem);
  if (!stored) return complain(problem);
  io::PosixDisk disk;
  const std::string directory = data_directory + "/journal";
  const auto id = *stored && (*stored)->directory_id ? (*stored)->directory_id
                                                     : find_directory_id(disk, directory);
  if (!id) {
    return complain(directory +
                    ": neither control.db nor any segment tells the id of the data "
                    "directory, without which no record can be checked");
  }
  const auto read_journals = [&](journal::RecoveryVisitor& visitor) {
    static_cast<void>(journal::recover(
        disk, directory, {.directory_id = *id, .accept_loss = true, .read_only = true}, visitor));
  };
  switch (tools::repair({.data_directory = data_directory,
                         .directory_id = *id,
                         .journal = which->first,
                         .segment = which->second,
                         .output = output,
                         .read_journals = read_journals},
                        problem)) {
    case tools::Repair::not_needed: return exit_sound;
    case tools::Repair::done: return exit_damaged;
    case tools::Repair::failed: return complain(problem);
  }
  RINGPOST_UNREACHABLE();
}

int run(int argument_count, char** arguments) {
  CLI::App app{
      "Reads the journals of a ringpost data directory; changes nothing in them.\n"
      "While a relay writes, its newest records may look unfinished.",
      "ringpost-journal"};
  app.set_version_flag("--version", std::string("ringpost-journal ") + version);
  app.require_subcommand(1);
  std::string data_directory;
  DumpOptions options;
  const auto add = [&](const char* command, const char* text) {
    CLI::App* one = app.add_subcommand(command, text);
    one->add_option("data_dir", data_directory, "The relay's data directory")->required();
    return one;
  };
  CLI::App* dump_command = add("dump", "Print every record as a line of JSON");
  dump_command->alias("export");
  dump_command->add_flag("--data", options.chosen.with_data,
                         "With event data and answers; bytes that are not UTF-8 are replaced");
  dump_command->add_option("--record", options.chosen.record, "Only records of this kind")
      ->type_name("KIND")
      ->check(CLI::IsMember({"event", "outcome"}));
  dump_command
      ->add_option("--since", options.since,
                   "Only events accepted, and attempts begun, from this time on, RFC 3339")
      ->type_name("TIME");
  dump_command->add_option("--until", options.until, "The same, before this time")
      ->type_name("TIME");
  dump_command
      ->add_option("--source", options.chosen.source, "Only of events of this source, exactly")
      ->type_name("SOURCE");
  dump_command->add_option("--type", options.chosen.type, "Only of events of this type, exactly")
      ->type_name("TYPE");
  dump_command
      ->add_option("--after", options.after,
                   "Go on behind this position of a journal, as the dump before said at its end; "
                   "once for each journal")
      ->type_name("POSITION")
      ->allow_extra_args(false);
  CLI::App* verify_command = add(
      "verify",
      "Check every checksum, name segment and offset of damage, and say whether a relay starts");
  add("stats", "Count records by journal");
  CLI::App* repair_command =
      add("repair",
          "Write a new file with every record of a damaged segment that can be read, each at its "
          "place, and say what is lost");
  std::string segment;
  std::string output;
  repair_command->add_option("SEGMENT", segment, "Its journal and number, like 007/42")->required();
  repair_command
      ->add_option("--output", output,
                   "The new file; there is none yet. While a relay runs, not in its data directory")
      ->type_name("FILE")
      ->required();
  app.footer(
      "A torn tail is a newest segment whose end is unfinished or damaged. Usually a crash cut a\n"
      "write short, and nothing is damaged. Where the note beside the segment says that more of "
      "it\n"
      "was durable, acknowledged events are lost: that counts as damage.\n"
      "\n"
      "What is on the disk is shown, also what a relay does not show any more, because it is "
      "older\n"
      "than the age of its organization ([organizations.NAME] retention_age).\n"
      "\n"
      "Exit codes: 0 no damage, perhaps torn tails; 1 damage was found (by repair: and a new file\n"
      "written); 2 the journals could not be read, or wrong usage.");
  if (const auto done = ringpost::cli::write_manual(
          app, argument_count, arguments,
          {.version = std::string("ringpost ") + version, .see_also = {"ringpost"}})) {
    return *done;
  }
  try {
    cli::parse(app, argument_count, arguments);
  } catch (const CLI::ParseError& error) {
    return cli::report_parse_error(app, error, exit_failed);
  }
  if (dump_command->parsed()) return dump(data_directory, options);
  if (verify_command->parsed()) return verify(data_directory);
  if (repair_command->parsed()) return repair(data_directory, segment, output);
  return stats(data_directory);
}

}  // namespace

int main(int argument_count, char** arguments) {
  ringpost::io::secure_process();
  try {
    return cli::finish_output("ringpost-journal", run(argument_count, arguments), exit_failed);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ringpost-journal: %s\n", error.what());
    return exit_failed;
  }
}
