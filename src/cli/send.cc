#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/text.h"

#include <cstdio>

namespace ringpost::cli {
namespace {

/// A batch's size stays well below the relay's usual limit of 16 MiB.
constexpr size_t batch_bytes_max = 8u << 20;

struct SendOptions {
  std::string file;
  std::string type;
  std::string source;
  std::string data;  ///< JSON, or @file, or @- for standard input.
  std::string id;
  uint32_t batch = 1000;  ///< Lines in one request.
};

struct Totals {
  uint64_t accepted = 0;
  uint64_t duplicates = 0;
};

/// Posts one body. @returns false after printing why it failed.
bool post(Session& session, const char* content_type, std::string_view body, Totals& totals) {
  const auto answer = session.call("POST", "/v1/events", body, content_type);
  if (!answer) return false;
  simdjson::dom::parser parser;
  simdjson::dom::element result;
  uint64_t count = 0;
  if (!parse_answer(*answer, parser, result)) return true;
  if (result["accepted"].get(count) == simdjson::SUCCESS) totals.accepted += count;
  if (result["duplicates"].get(count) == simdjson::SUCCESS) totals.duplicates += count;
  return true;
}

/// One JSON value, or one per line?
bool is_one_document(const std::string& text) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  return parser.parse(text).get(document) == simdjson::SUCCESS;
}

/// Sends NDJSON in batches. Each batch is all or nothing; earlier ones stay accepted.
bool send_lines(Session& session, std::string_view text, size_t batch_events_max, Totals& totals) {
  uint64_t lines_done = 0;
  while (!text.empty()) {
    size_t size = 0;
    size_t lines = 0;
    while (size < text.size() && lines < batch_events_max) {
      const size_t end = text.find('\n', size);
      const size_t next = end == std::string_view::npos ? text.size() : end + 1;
      if (size > 0 && next > batch_bytes_max) break;
      size = next;
      ++lines;
    }
    if (!post(session, "application/x-ndjson", text.substr(0, size), totals)) {
      if (lines_done > 0) {
        std::fprintf(stderr,
                     "ringpost: the batch that begins after line %s was refused; the lines before "
                     "it were accepted\n",
                     grouped(lines_done).c_str());
      }
      return false;
    }
    lines_done += lines;
    text.remove_prefix(size);
  }
  return true;
}

/// The event that the options describe, as JSON.
Usable<std::string> event_from_options(const SendOptions& options) {
  std::string data = "{}";
  if (!options.data.empty()) {
    auto read = read_text_or_file(options.data);
    if (std::holds_alternative<UsageProblem>(read)) return read;
    data = std::get<std::string>(std::move(read));
    while (data.ends_with('\n') || data.ends_with('\r')) data.pop_back();
  }
  std::string event;
  JsonWriter json{event};
  json.begin_object().member("type", options.type).member("source", options.source);
  if (!options.id.empty()) json.member("id", options.id);
  json.key("data").raw(data).end_object();
  return event;
}

int send(Session& session, const SendOptions& options) {
  const bool described = !options.type.empty();
  if (described && (options.source.empty() || !options.file.empty())) {
    return report_usage({"--type goes with --source and --data, and without a file"});
  }
  const auto input = described ? event_from_options(options)
                               : read_file(options.file.empty() ? "-" : options.file);
  if (const auto* problem = std::get_if<UsageProblem>(&input)) return report_usage(*problem);
  const auto& text = std::get<std::string>(input);
  Totals totals;
  const bool done = described || is_one_document(text)
                        ? post(session, "application/json", text, totals)
                        : send_lines(session, text, options.batch, totals);
  if (!done) return session.failure_code();
  if (session.json) return 0;
  std::printf("accepted %s", grouped(totals.accepted).c_str());
  if (totals.duplicates > 0) std::printf(", duplicates %s", grouped(totals.duplicates).c_str());
  std::printf("\n");
  return 0;
}

constexpr const char* notes =
    "Events with an id can be sent again at any time: the relay knows them for a day.\n"
    "\n"
    "  ringpost send --type build/finished --source app/c0ffee --data '{\"build_number\":128}'\n"
    "  ringpost send events.ndjson\n"
    "  producer | ringpost send --batch 100 --json";

}  // namespace

void add_send_command(CLI::App& app, Session& session, Action& action) {
  CLI::App* command =
      app.add_subcommand("send", "Post events to a relay: NDJSON or one JSON object");
  auto options = std::make_shared<SendOptions>();
  command->add_option("FILE", options->file, "Events; - or nothing reads standard input")
      ->type_name("FILE");
  command->add_option("--type", options->type, "Event type, e.g. build/finished")
      ->type_name("TYPE");
  command->add_option("--source", options->source, "Source, e.g. app/c0ffee1234abcd56")
      ->type_name("SOURCE");
  command->add_option("--data", options->data, "The event's data: JSON, or @FILE, or @-")
      ->type_name("JSON");
  command->add_option("--id", options->id, "Idempotency key; minted by the relay if absent")
      ->type_name("ID");
  command
      ->add_option("--batch", options->batch,
                   "Lines of NDJSON in one request; each is all or nothing")
      ->type_name("COUNT")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  add_session_options(*command, session);
  add_notes(*command, notes);
  command->callback([&session, &action, options] {
    action = [&session, options] { return send(session, *options); };
  });
}

}  // namespace ringpost::cli
