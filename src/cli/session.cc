#include "base/ulid.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/json.h"
#include "cli/refusal.h"
#include "cli/text.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <utility>

namespace ringpost::cli {
namespace {

constexpr std::string_view default_url = "http://127.0.0.1:8420";

}  // namespace

// All commands share the URL, so the variable is read here, once it is known that no option says
// more: CLI11 would read it for each of the commands, also for those that were not chosen, and over
// the option of the one that was.
std::string relay_url(const std::string& option) {
  if (!option.empty()) return option;
  const char* variable = std::getenv("RINGPOST_URL");
  if (variable != nullptr && *variable != '\0') return variable;
  return std::string{default_url};
}

WallTime wall_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return from_unix_ns(int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec);
}

int report_usage(const UsageProblem& problem) {
  std::fprintf(stderr, "ringpost: %s\n", problem.text.c_str());
  return exit_usage;
}

CLI::Option* suggest(CLI::Option* option, const std::vector<std::string>& values) {
  std::string list = "{";
  for (const std::string& value : values) list += (list.size() > 1 ? "," : "") + value;
  return option->check(CLI::Validator{[](std::string&) { return std::string{}; }, list + "}", ""});
}

void add_range_options(CLI::App& command, uint32_t& limit, std::string& cursor) {
  command.add_option("--limit", limit, "Maximum number of items")
      ->type_name("COUNT")
      ->check(CLI::Range(1u, 1'000'000u))
      ->capture_default_str();
  command
      .add_option("--cursor", cursor, "Continue from this cursor, which the previous list printed")
      ->type_name("CURSOR");
}

void add_session_options(CLI::App& command, Session& session, RelayOptions names) {
  const bool own = names == RelayOptions::long_names;
  command
      .add_option(own ? "--relay" : "--url,--relay", session.url,
                  "The relay: http://, https:// or unix:/path; default: RINGPOST_URL, or " +
                      std::string{default_url})
      ->type_name("URL")
      ->group(relay_group);
  command
      .add_option(
          "--token", session.token_from,
          "A token with the scopes that the command requires: @FILE, or - for standard input; "
          "default: RINGPOST_TOKEN, which may be the token or @FILE")
      ->type_name("@FILE")
      ->group(relay_group);
  command
      .add_option(own ? "--relay-ca" : "--ca,--relay-ca", session.client.ca_file,
                  "PEM file of the relay's private CA, for https")
      ->type_name("FILE")
      ->group(relay_group);
  command.add_flag("--json", session.json, "Print the relay's answers as JSON, one per line");
  add_notes(command, "");
}

void add_notes(CLI::App& command, const std::string& notes) {
  command.footer((notes.empty() ? "" : notes + "\n\n") + exit_codes);
}

Client* Session::connect() {
  if (client_ != nullptr) return client_.get();
  failure_code_ = exit_usage;
  client.url = relay_url(url);
  Usable<std::string> token;
  if (!anonymous) token = read_secret("--token", token_from, "RINGPOST_TOKEN");
  if (const auto* problem = std::get_if<UsageProblem>(&token)) {
    report_usage(*problem);
    return nullptr;
  }
  client.token = std::get<std::string>(std::move(token));
  std::string problem;
  bool wrong_usage = false;
  client_ = Client::create(client, problem, wrong_usage);
  if (client_ == nullptr) {
    report_usage({shown(problem)});
    failure_code_ = wrong_usage ? exit_usage : exit_unreachable;
  }
  return client_.get();
}

int Session::remove(const std::string& target, const std::string& id, std::string_view then) {
  if (!call("DELETE", target)) return failure_code();
  if (json) {
    std::string body;
    JsonWriter{body}.begin_object().member("removed", id).end_object();
    std::printf("%s\n", shown_json(body).c_str());
  } else {
    std::printf("removed %s%s\n", shown(id).c_str(), std::string{then}.c_str());
  }
  return 0;
}

bool Session::wait_until_ready(std::chrono::milliseconds wait_max) {
  constexpr std::chrono::milliseconds pause{100};
  if (wait_max.count() == 0) return true;
  const auto deadline = std::chrono::steady_clock::now() + wait_max;
  ClientOptions without_token{.url = relay_url(url), .token = {}, .ca_file = client.ca_file};
  std::string problem;
  bool wrong_usage = false;
  const auto probe = Client::create(without_token, problem, wrong_usage);
  if (probe == nullptr) return true;  // The request itself says what is wrong.
  do {
    const auto answer = probe->request("GET", "/readyz", "", "", problem);
    if (answer && answer->ok()) return true;
    std::this_thread::sleep_for(pause);
  } while (std::chrono::steady_clock::now() < deadline);
  return false;
}

std::optional<Answer> Session::call(std::string_view method, const std::string& target,
                                    std::string_view body, std::string_view content_type) {
  auto answer = exchange(method, target, body, content_type);
  if (!answer || !accept(*answer, target)) return std::nullopt;
  return answer;
}

std::optional<Answer> Session::exchange(std::string_view method, const std::string& target,
                                        std::string_view body, std::string_view content_type) {
  Client* connected = connect();
  if (connected == nullptr) return std::nullopt;
  std::string problem;
  auto answer = connected->request(method, target, content_type, body, problem);
  if (!answer) report_unreachable(problem);
  return answer;
}

std::optional<Answer> Session::request(std::string_view method, const std::string& target,
                                       std::string& problem) {
  Client* connected = connect();
  if (connected == nullptr) return std::nullopt;
  failure_code_ = 0;
  return connected->request(method, target, {}, {}, problem);
}

int Session::report_unreachable(const std::string& problem) {
  std::fprintf(stderr, "ringpost: %s: %s\n", shown(client.url).c_str(), shown(problem).c_str());
  return failure_code_ = exit_unreachable;
}

std::optional<Followed> Session::follow(const std::string& target, const std::string& last_id,
                                        const std::function<bool(std::string_view)>& take) {
  Client* connected = connect();
  if (connected == nullptr) return std::nullopt;
  return connected->follow(target, last_id, take);
}

bool Session::accept(const Answer& answer, std::string_view target, uint64_t lines_before) {
  failure_code_ = exit_refused;
  const bool has_json = is_json(answer.body);
  if (json && has_json) {
    std::printf("%s\n", shown_json(answer.body).c_str());
    std::fflush(stdout);  // A reader of our pipe may wait for it.
  }
  if (!answer.ok()) {
    std::fprintf(stderr, "ringpost: %s\n", explain_refusal(answer, target, lines_before).c_str());
    return false;
  }
  if (has_json || answer.body.empty()) return true;
  std::fprintf(
      stderr,
      "ringpost: the answer of %s is not JSON; is that a ringpost relay? Check RINGPOST_URL or "
      "--url.\n",
      shown(client.url).c_str());
  return false;
}

bool parse_answer(const Answer& answer, simdjson::dom::parser& parser,
                  simdjson::dom::element& out) {
  return parse_json(answer.body, parser, out) && out.is_object();
}

bool Session::for_each_item(const std::string& target, const Range& range,
                            const std::function<void(simdjson::dom::element)>& take) {
  constexpr uint32_t page_max = 200;
  uint32_t calls_left = range.limit / page_max + 100;  // The relay may cut pages that find little.
  std::string cursor = range.cursor;
  uint32_t left = range.limit;
  while (left > 0 && calls_left-- > 0) {
    const uint32_t wanted = std::min(left, page_max);
    const auto answer =
        call(range.question.empty() ? "GET" : "POST",
             with_query(target, {{"limit", std::to_string(wanted)}, {"cursor", cursor}}),
             range.question);
    if (!answer) return false;
    simdjson::dom::parser parser;
    simdjson::dom::element page;
    simdjson::dom::array items;
    if (!parse_answer(*answer, parser, page)) return true;
    if (page["items"].get(items) != simdjson::SUCCESS) return true;
    uint32_t taken = 0;
    for (const simdjson::dom::element item : items) {
      take(item);
      ++taken;
    }
    cursor = raw_text_of(page, "/next_cursor");
    next_cursor_ = cursor;
    if (cursor.empty()) break;
    left -= std::min(left, taken);
  }
  return true;
}

std::optional<std::string> Session::id_of(const std::string& given, const std::string& target,
                                          const char* member, const char* list_command) {
  if (Ulid::parse_either(given)) return given;
  std::vector<std::string> ids;
  const bool prints_json = std::exchange(json, false);
  const bool listed = for_each_item(target, {}, [&](simdjson::dom::element item) {
    if (raw_text_of(item, member) == given) ids.emplace_back(raw_text_of(item, "/id"));
  });
  json = prints_json;
  if (!listed) return std::nullopt;
  if (ids.size() == 1) return ids.front();
  failure_code_ = exit_refused;
  std::string problem =
      "nothing has the id or the name \"" + shown(given) + "\"; see what there is: " + list_command;
  if (!ids.empty()) {
    problem = std::to_string(ids.size()) + " have the name \"" + shown(given) + "\"; give an id:";
    for (const std::string& id : ids) problem += ' ' + shown(id);
  }
  std::fprintf(stderr, "ringpost: %s\n", problem.c_str());
  return std::nullopt;
}

void Session::print(const Table& table, const char* if_empty) const {
  if (json) return;
  if (table.empty() && !next_cursor_.empty()) {
    std::printf("Nothing found so far; go on with --cursor %s\n", shown(next_cursor_).c_str());
    return;
  }
  std::printf("%s", table.empty() ? if_empty : table.to_text().c_str());
  if (next_cursor_.empty()) return;
  std::printf("… more: raise --limit, or go on with --cursor %s\n", shown(next_cursor_).c_str());
}

}  // namespace ringpost::cli
