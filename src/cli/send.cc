#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/text.h"
#include "io/read_file.h"

#include <algorithm>
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
bool post(Session& session, const char* content_type, std::string_view body, Totals& totals,
          int& code) {
  Client* client = session.connect();
  if (client == nullptr) {
    code = session.failure_code();
    return false;
  }
  std::string problem;
  const auto answer = client->request("POST", "/v1/events", content_type, body, problem);
  if (!answer) {
    std::fprintf(stderr, "ringpost: %s: %s\n", session.client.url.c_str(), problem.c_str());
    code = exit_unreachable;
    return false;
  }
  if (!session.accept(*answer)) {
    code = exit_refused;
    return false;
  }
  simdjson::dom::parser parser;
  simdjson::dom::element result;
  uint64_t count = 0;
  if (parser.parse(answer->body).get(result) != simdjson::SUCCESS) return true;
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
int send_lines(Session& session, std::string_view text, size_t batch_events_max, Totals& totals) {
  int code = 0;
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
    if (!post(session, "application/x-ndjson", text.substr(0, size), totals, code)) {
      if (lines_done > 0) {
        std::fprintf(stderr,
                     "ringpost: the batch that begins after line %s was refused; the lines before "
                     "it were accepted\n",
                     grouped(lines_done).c_str());
      }
      return code;
    }
    lines_done += lines;
    text.remove_prefix(size);
  }
  return 0;
}

/// The event that the options describe, as JSON. Nothing after a problem was printed.
std::optional<std::string> event_from_options(const SendOptions& options) {
  std::string data = options.data.empty() ? "{}" : options.data;
  if (data.starts_with('@')) {
    auto read = read_input(data.substr(1));
    if (!read) return std::nullopt;
    data = std::move(*read);
    while (!data.empty() && (data.back() == '\n' || data.back() == '\r')) data.pop_back();
  }
  std::string event;
  JsonWriter json{event};
  json.begin_object().member("type", options.type).member("source", options.source);
  if (!options.id.empty()) json.member("id", options.id);
  json.key("data").raw(data).end_object();
  return event;
}

int send(Session& session, const SendOptions& options) {
  Totals totals;
  int code = 0;
  if (!options.type.empty()) {
    if (options.source.empty() || !options.file.empty()) {
      std::fprintf(stderr, "ringpost: --type goes with --source and --data, and without a file\n");
      return exit_usage;
    }
    const auto event = event_from_options(options);
    if (!event) return exit_usage;
    if (!post(session, "application/json", *event, totals, code)) return code;
  } else {
    const auto text = read_input(options.file.empty() ? "-" : options.file);
    if (!text) return exit_usage;
    if (is_one_document(*text)) {
      if (!post(session, "application/json", *text, totals, code)) return code;
    } else if ((code = send_lines(session, *text, options.batch, totals)) != 0) {
      return code;
    }
  }
  if (session.json) return 0;
  std::printf("accepted %s", grouped(totals.accepted).c_str());
  if (totals.duplicates > 0) std::printf(", duplicates %s", grouped(totals.duplicates).c_str());
  std::printf("\n");
  return 0;
}

}  // namespace

void add_send_command(CLI::App& app, Session& session, Action& action) {
  CLI::App* command =
      app.add_subcommand("send", "Post events to a relay: NDJSON or one JSON object");
  auto options = std::make_shared<SendOptions>();
  command->add_option("FILE", options->file, "Events; - or nothing reads standard input");
  command->add_option("--type", options->type, "Event type, e.g. build/finished");
  command->add_option("--source", options->source, "Source, e.g. app/c0ffee1234abcd56");
  command->add_option("--data", options->data, "The event's data: JSON, or @FILE, or @-");
  command->add_option("--id", options->id, "Idempotency key; minted by the relay if absent");
  command
      ->add_option("--batch", options->batch,
                   "Lines of NDJSON in one request; each is all or nothing")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  add_session_options(*command, session);
  command->callback([&session, &action, options] {
    action = [&session, options] { return send(session, *options); };
  });
}

}  // namespace ringpost::cli
