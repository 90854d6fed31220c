#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/line_input.h"
#include "cli/refusal.h"
#include "cli/spool.h"
#include "cli/text.h"
#include "http/date.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

namespace ringpost::cli {
namespace {

/// A batch's size stays well below the relay's usual limit of 16 MiB.
constexpr size_t batch_bytes_max = 8u << 20;

struct SendOptions {
  std::string file = "-";
  std::string type;
  std::string source;
  std::string data;  ///< JSON, or @file, or @- for standard input.
  std::string id;
  uint32_t batch = 1000;  ///< Events in one request.
  std::string wait = "5m";
  bool wait_given = false;
  bool best_effort = false;
  std::string spool;  ///< A drop directory; empty: none.
};

/// What one request carries.
struct Batch {
  const char* content_type;
  std::string_view body;
  uint64_t lines_before = 0;  ///< Of the input.
};

/// When the relay wants to be asked again; nothing if that would not help. A relay whose storage
/// has failed needs a person, and may have stored what it refused.
std::optional<std::chrono::seconds> pause_of(const Answer& answer) {
  if (answer.status != 429 && answer.status != 503 && answer.status != 507) return std::nullopt;
  const WallTime now = std::chrono::system_clock::now();
  const auto pause = http::parse_retry_after(answer.retry_after, now);
  simdjson::dom::parser parser;
  simdjson::dom::element problem;
  if (!pause || !parse_answer(answer, parser, problem)) return std::nullopt;
  if (raw_text_of(problem, "/type") == "urn:ringpost:storage-failed") return std::nullopt;
  return std::clamp(*pause, std::chrono::seconds{1}, std::chrono::seconds{1'000'000});
}

/// As the relay sees it: it skips blank lines.
bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

class Sender {
 public:
  /// @param spool        empty: none.
  /// @param best_effort  what can be no event goes into the spool all the same: the relay sets it
  ///                     aside, where somebody can mend it.
  Sender(Session& session, std::chrono::milliseconds wait_max, const std::string& spool,
         bool best_effort)
      : session_(session), wait_max_(wait_max), best_effort_(best_effort) {
    if (!spool.empty()) spool_.emplace(spool);
  }

  /// Into the spool if the relay is away or has no room, and then all that follows, too.
  /// @returns false after printing why it failed.
  bool post(const Batch& batch);
  /// Sends NDJSON in batches, the next lines of the input. Each batch is all or nothing; earlier
  /// ones stay accepted.
  bool post_lines(std::string_view text, size_t batch_events_max);
  /// Sends what a file or standard input has: NDJSON, or one JSON object of any number of lines.
  /// @returns an exit code, after printing why if it is not 0.
  int post_input(LineInput& input, size_t batch_events_max);
  /// The one event of the options.
  bool post_event(std::string_view event);
  /// Requests that were accepted, or went into the spool.
  uint64_t batches() const { return batches_; }

  /// After what failed.
  int failure_code() const { return no_event_ ? exit_refused : session_.failure_code(); }

  /// Prints what became of it all.
  void report() const;

 private:
  std::optional<Answer> ask(const Batch& batch);
  bool keep(const Batch& batch);
  bool holds_events(const Batch& batch);
  void report_cut(size_t lines) const;
  /// @returns the text up to the end of the first batch that has more than blank lines.
  Usable<std::string> beginning_of(LineInput& input, size_t batch_events_max);

  Session& session_;
  const std::chrono::milliseconds wait_max_;
  uint64_t lines_done_ = 0;
  uint64_t batches_ = 0;
  uint64_t accepted_ = 0;
  uint64_t duplicates_ = 0;
  std::optional<uint64_t> deliveries_;  ///< Nothing: an older relay does not say.
  uint64_t unmatched_ = 0;
  std::string organization_;
  std::optional<Spool> spool_;
  const bool best_effort_;
  bool no_event_ = false;  ///< Something cannot be one, and was not kept.
  bool away_ = false;      ///< The relay: what is sent goes into the spool, if there is one.
  uint64_t files_kept_ = 0;
};

/// Asks until the relay takes or refuses the batch, or has let it wait for too long. An interrupt
/// ends the process, as anywhere else.
std::optional<Answer> Sender::ask(const Batch& batch) {
  constexpr const char* target = "/v1/events";
  auto left = wait_max_;
  while (true) {
    auto answer = session_.exchange("POST", target, batch.body, batch.content_type);
    away_ = !answer;
    if (!answer) return std::nullopt;
    const auto pause = pause_of(*answer);
    if (!pause || *pause > left) {
      away_ = answer->status == 429 || answer->status >= 500;
      if (session_.accept(*answer, target, batch.lines_before)) return answer;
      return std::nullopt;
    }
    std::fprintf(stderr, "ringpost: %s; retrying automatically, %s accepted so far\n",
                 explain_refusal(*answer, target, batch.lines_before).c_str(),
                 grouped(accepted_).c_str());
    std::this_thread::sleep_for(*pause);
    left -= *pause;
  }
}

/// @returns false after printing what can be no event, if that is not to be kept.
bool Sender::holds_events(const Batch& batch) {
  const bool is_one = batch.content_type == std::string_view{"application/json"};
  std::string_view left = batch.body;
  for (uint64_t line = batch.lines_before + 1; !left.empty(); ++line) {
    const size_t size = is_one ? left.size() : std::min(left.find('\n'), left.size());
    const std::string_view event = left.substr(0, size);
    left.remove_prefix(std::min(size + 1, left.size()));
    if (is_blank(event)) continue;
    const std::string objection = object_to_event(event);
    if (objection.empty()) continue;
    const std::string what =
        (is_one ? "the input" : "line " + grouped(line)) + " is not an event: it " + objection;
    no_event_ = !best_effort_;
    std::fprintf(stderr, "ringpost: %s; %s\n", what.c_str(),
                 best_effort_
                     ? "the relay will set the file with it aside (bad/)"
                     : (is_one ? "it was not kept for the relay"
                               : "its batch was not kept for the relay, nor what follows"));
    return best_effort_;
  }
  return true;
}

bool Sender::keep(const Batch& batch) {
  if (!holds_events(batch)) return false;
  const std::string problem = spool_->keep(batch.body);
  if (!problem.empty()) {
    std::fprintf(stderr, "ringpost: the events are lost: %s\n", shown(problem).c_str());
    return false;
  }
  ++files_kept_;
  ++batches_;
  return true;
}

bool Sender::post(const Batch& batch) {
  if (spool_ && away_) return keep(batch);
  const auto answer = ask(batch);
  if (!answer) return spool_ && away_ && keep(batch);
  ++batches_;
  simdjson::dom::parser parser;
  simdjson::dom::element result;
  if (!parse_answer(*answer, parser, result)) return true;
  const auto add = [&result](const char* member, uint64_t& sum) {
    uint64_t count = 0;
    if (result[member].get(count) == simdjson::SUCCESS) sum += count;
  };
  add("accepted", accepted_);
  add("duplicates", duplicates_);
  uint64_t deliveries = 0;
  if (result["deliveries"].get(deliveries) == simdjson::SUCCESS) {
    deliveries_ = deliveries_.value_or(0) + deliveries;
  }
  add("unmatched", unmatched_);
  organization_ = raw_text_of(result, "/organization");
  return true;
}

bool Sender::post_event(std::string_view event) {
  return post({"application/json", spool_ ? with_id(event) : std::string{event}});
}

void Sender::report() const {
  if (files_kept_ > 0) {
    std::fprintf(
        stderr,
        "ringpost: what the relay has not accepted is in %s/new (files: %s); a relay with this "
        "[[source]] takes it from there\n",
        shown(spool_->directory()).c_str(), grouped(files_kept_).c_str());
  }
  if (session_.json) return;
  std::printf("accepted %s", grouped(accepted_).c_str());
  if (duplicates_ > 0) std::printf(", duplicates %s", grouped(duplicates_).c_str());
  if (deliveries_) std::printf(", deliveries %s", grouped(*deliveries_).c_str());
  std::printf("\n");
  if (unmatched_ == 0) return;
  std::fprintf(stderr,
               "ringpost: %s matched no active webhook of the token's organization, which is %s "
               "(see: ringpost webhook list)\n",
               (grouped(unmatched_) + (unmatched_ == 1 ? " event" : " events")).c_str(),
               shown(organization_).c_str());
}

/// @param lines  of the batch that was not accepted, or whose answer did not come.
void Sender::report_cut(size_t lines) const {
  if (no_event_) return;  // That was said.
  if (session_.failure_code() == exit_unreachable) {
    std::fprintf(stderr,
                 "ringpost: whether lines %s to %s were accepted is not known, and nothing after "
                 "them was sent; send them again only if their events have ids\n",
                 grouped(lines_done_ + 1).c_str(), grouped(lines_done_ + lines).c_str());
  } else if (lines_done_ > 0) {
    std::fprintf(stderr, "ringpost: nothing after line %s was accepted; the lines up to it were\n",
                 grouped(lines_done_).c_str());
  }
}

bool Sender::post_lines(std::string_view text, size_t batch_events_max) {
  const std::string named = spool_ ? with_ids(text) : std::string{};
  if (spool_) text = named;
  while (!text.empty()) {
    size_t size = 0;
    size_t lines = 0;
    size_t events = 0;
    while (size < text.size() && events < batch_events_max) {
      const size_t end = text.find('\n', size);
      const size_t next = end == std::string_view::npos ? text.size() : end + 1;
      if (size > 0 && next > batch_bytes_max) break;
      events += is_blank(text.substr(size, next - size)) ? 0 : 1;
      size = next;
      ++lines;
    }
    if (events > 0 && !post({"application/x-ndjson", text.substr(0, size), lines_done_})) {
      report_cut(lines);
      return false;
    }
    lines_done_ += lines;
    text.remove_prefix(size);
  }
  return true;
}

Usable<std::string> Sender::beginning_of(LineInput& input, size_t batch_events_max) {
  std::string text;
  do {
    post_lines(text, batch_events_max);  // Blank ones are only counted.
    auto read = input.take(batch_events_max, batch_bytes_max);
    if (std::holds_alternative<UsageProblem>(read)) return read;
    text = std::get<std::string>(std::move(read));
    if (text.empty()) return text;
  } while (is_blank(text));
  const size_t begin = text.find_first_not_of(" \t\r\n");
  const size_t end = std::min(text.find('\n', begin), text.size());
  if (is_json(std::string_view{text}.substr(begin, end - begin))) return text;
  auto read = input.rest();  // One object on many lines, or nothing that can be sent.
  if (std::holds_alternative<UsageProblem>(read)) return read;
  return text + std::get<std::string>(read);
}

int Sender::post_input(LineInput& input, size_t batch_events_max) {
  auto read = beginning_of(input, batch_events_max);
  if (const auto* text = std::get_if<std::string>(&read); text != nullptr && input.at_end()) {
    if (is_json(*text)) {
      return post_event(*text) ? 0 : failure_code();
    }
  }
  while (true) {
    if (const auto* problem = std::get_if<UsageProblem>(&read)) return report_usage(*problem);
    const auto& text = std::get<std::string>(read);
    if (is_blank(text) && input.at_end()) return 0;
    if (!post_lines(text, batch_events_max)) return failure_code();
    read = input.take(batch_events_max, batch_bytes_max);
  }
}

/// The event that the options describe, as JSON.
Usable<std::string> event_from_options(const SendOptions& options) {
  std::string data = "{}";
  if (!options.data.empty()) {
    auto read = read_json("--data", options.data);
    if (std::holds_alternative<UsageProblem>(read)) return read;
    data = std::get<std::string>(std::move(read));
  }
  std::string event;
  JsonWriter json{event};
  json.begin_object().member("type", options.type).member("source", options.source);
  if (!options.id.empty()) json.member("id", options.id);
  json.key("data").raw(data).end_object();
  return event;
}

/// What the options contradict; null: nothing.
const char* object_to(const SendOptions& options) {
  const bool described = !options.type.empty();
  if (described && options.file != "-") {
    return "give either a FILE, or --type and --source, not both";
  }
  if (described && options.source.empty()) {
    return "--type requires --source, and neither may be empty";
  }
  return nullptr;
}

int send(Session& session, const SendOptions& options) {
  const bool described = !options.type.empty();
  const auto wait_max = std::get<std::chrono::milliseconds>(read_duration("--wait", options.wait));
  const auto event = described ? event_from_options(options) : std::string{};
  if (const auto* problem = std::get_if<UsageProblem>(&event)) return report_usage(*problem);
  auto input = LineInput::open(options.file);
  if (const auto* problem = std::get_if<UsageProblem>(&input)) return report_usage(*problem);

  if (options.wait_given) session.wait_until_ready(wait_max);
  Sender sender(session, wait_max, options.spool, options.best_effort);
  if (described) {
    if (!sender.post_event(std::get<std::string>(event))) return sender.failure_code();
  } else {
    auto& lines = *std::get<std::unique_ptr<LineInput>>(input);
    if (const int code = sender.post_input(lines, options.batch); code != 0) return code;
  }
  if (sender.batches() == 0) {
    std::fprintf(stderr, "ringpost: there is nothing to send: %s contains no event\n",
                 options.file == "-" ? "standard input" : shown(options.file).c_str());
    return exit_refused;
  }
  sender.report();
  return 0;
}

constexpr const char* notes =
    "An event with an id can be sent again safely: within a day the relay drops the duplicate.\n"
    "\n"
    "A delivery is one event for one webhook. Events that match no webhook are accepted "
    "as well, and a warning on standard error says how many there are.\n"
    "\n"
    "Blank lines are skipped. Empty input is an error: exit code 1.\n"
    "\n"
    "Lines of a pipe are sent as they come, so its writer may keep it open.\n"
    "\n"
    "When the relay is overloaded (429, 503 or 507 with Retry-After), send waits as long as it "
    "asks, retries, and reports it on standard error. With --wait it also waits at first until "
    "the relay is there.\n"
    "\n"
    "With --spool the events that the relay could not take (it is away, or still refuses with 429 "
    "or "
    "5xx) are written to files in a drop directory of the relay, which takes them from there "
    "([[source]] of its configuration). Events without an id get one, so that none is taken twice. "
    "Then the exit code is 0, too. What can be no event (no JSON object, no type or source) is "
    "not kept, nor what follows: its line is named, and the exit code is 1. With --best-effort it "
    "is kept after a warning, and the relay sets it aside.\n"
    "\n"
    "  ringpost send --type build/finished --source app/c0ffee --data '{\"build_number\":128}'\n"
    "  ringpost send events.ndjson\n"
    "  producer | ringpost send --batch 100 --json\n"
    "  ringpost send --wait 10s --best-effort --type build/finished --source app/c0ffee\n"
    "  producer | ringpost send --wait 10s --best-effort --spool /var/spool/ringpost";

}  // namespace

void add_send_command(CLI::App& app, Session& session, Action& action) {
  CLI::App* command =
      app.add_subcommand("send", "Post events to a relay: NDJSON or one JSON object");
  auto options = std::make_shared<SendOptions>();
  command->add_option("FILE", options->file, "File of events; - or none: standard input")
      ->type_name("FILE");
  command->add_option("--type", options->type, "Event type, e.g. build/finished")
      ->type_name("TYPE");
  command->add_option("--source", options->source, "Source, e.g. app/c0ffee1234abcd56")
      ->type_name("SOURCE");
  command->add_option("--data", options->data, "The event's data: JSON, or @FILE, or @-")
      ->type_name("JSON");
  command->add_option("--id", options->id, "Idempotency key; default: the relay generates one")
      ->type_name("ID");
  command
      ->add_option("--batch", options->batch,
                   "Events per request when sending NDJSON; each request is accepted as a whole or "
                   "not at all")
      ->type_name("COUNT")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command
      ->add_option("--wait", options->wait,
                   "How long to keep retrying while the relay is overloaded; 0: do not retry. "
                   "If given, it is also how long to wait for a relay that cannot be reached yet")
      ->type_name("TIME")
      ->check(object_to_duration)
      ->capture_default_str();
  command->add_flag("--best-effort", options->best_effort,
                    "For a build that must not fail: problems are printed, and the exit "
                    "code is 0 except for wrong usage");
  command
      ->add_option("--spool", options->spool,
                   "Drop directory for what the relay cannot take now, so that it takes it later")
      ->type_name("DIR");
  add_session_options(*command, session);
  add_notes(*command, notes);
  command->callback([&session, &action, options, command] {
    options->wait_given = command->count("--wait") > 0;
    action = [&session, options] {
      if (const char* objection = object_to(*options)) return report_usage({objection});
      const int code = send(session, *options);
      return options->best_effort ? 0 : code;
    };
  });
}

}  // namespace ringpost::cli
