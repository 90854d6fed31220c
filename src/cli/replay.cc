#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "cli/view.h"

#include <chrono>
#include <cstdio>
#include <thread>

namespace ringpost::cli {
namespace {

struct ReplayOptions {
  std::string id;
  DeliveryFilter filter;
  std::string into;
  std::string wait;
  std::string cursor;
  uint32_t limit = 20;
  bool dry_run = false;
  bool again = false;
};

std::string path_of(std::string_view id) {
  return "/v1/replays/" + percent_encoded(id);
}

std::string body_of(const ReplayOptions& options) {
  std::string body;
  JsonWriter json{body};
  json.begin_object();
  const auto text = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) json.member(name, value);
  };
  const DeliveryFilter& filter = options.filter;
  text("webhook", filter.webhook);
  text("into", options.into);
  text("source", filter.source);
  text("type", filter.type);
  text("status", filter.status);
  text("error", filter.error);
  text("response_status", filter.response_status);
  text("since", filter.since);
  text("until", filter.until);
  if (options.dry_run) json.member("dry_run", true);
  if (options.again) json.member("again", true);
  json.end_object();
  return body;
}

/// "running, 1,200 matched, 1,180 sent, 20 skipped".
std::string progress_of(simdjson::dom::element replay) {
  const auto count = [&](const char* member) {
    uint64_t number = 0;
    return replay.at_pointer(member).get(number) == simdjson::SUCCESS ? grouped(number) : "?";
  };
  return text_of(replay, "/state") + ", " + count("/matched") + " matched, " + count("/sent") +
         " sent, " + count("/skipped") + " skipped";
}

int show_answer(const Session& session, const Answer& answer) {
  simdjson::dom::parser parser;
  simdjson::dom::element replay;
  if (!session.json && parse_answer(answer, parser, replay)) {
    std::printf("%s", show_replay(replay).c_str());
  }
  return 0;
}

/// Asks until it is over, or the time is up. Progress goes to standard error, where it changed.
int follow(Session& session, const std::string& id, const std::string& wait) {
  constexpr std::chrono::milliseconds pause{500};
  const auto deadline =
      std::chrono::steady_clock::now() +
      std::get<std::chrono::milliseconds>(read_duration("--wait", wait));  // As it was checked.
  std::string told;
  do {
    const auto answer = session.exchange("GET", path_of(id), {}, {});
    if (!answer) return session.failure_code();
    simdjson::dom::parser parser;
    simdjson::dom::element replay;
    const bool is_there = answer->ok() && parse_answer(*answer, parser, replay);
    const std::string state = is_there ? text_of(replay, "/state") : "";
    if (state != "running") {
      if (!session.accept(*answer, path_of(id))) return session.failure_code();
      if (is_there) show_answer(session, *answer);
      return state == "done" ? 0 : exit_refused;
    }
    const std::string progress = progress_of(replay);
    if (progress != told) std::fprintf(stderr, "%s\n", progress.c_str());
    told = progress;
    std::this_thread::sleep_for(pause);
  } while (std::chrono::steady_clock::now() < deadline);
  std::fprintf(stderr, "ringpost: the replay goes on after %s; see: ringpost replay show %s\n",
               shown(wait).c_str(), shown(id).c_str());
  return exit_refused;
}

int start(Session& session, const ReplayOptions& options) {
  const auto answer = session.call("POST", "/v1/replays", body_of(options));
  if (!answer) return session.failure_code();
  simdjson::dom::parser parser;
  simdjson::dom::element replay;
  if (!parse_answer(*answer, parser, replay)) return 0;
  if (!session.json) std::printf("replay %s\n", text_of(replay, "/id").c_str());
  std::fflush(stdout);  // It is started, whatever comes of the wait.
  if (options.wait.empty()) {
    if (!session.json) {
      std::printf("It runs in the background; see: ringpost replay show %s\n",
                  text_of(replay, "/id").c_str());
    }
    return 0;
  }
  return follow(session, std::string{raw_text_of(replay, "/id")}, options.wait);
}

int list(Session& session, const ReplayOptions& options) {
  Table table({"REPLAY", "STARTED", "STATE", "MATCHED", "SENT", "SKIPPED", "OF"});
  const bool done =
      session.for_each_item("/v1/replays", {options.limit, options.cursor}, [&](auto replay) {
        const std::string webhook = text_of(replay, "/webhook");
        const bool dry_run = text_of(replay, "/dry_run") == "true";
        table.add({text_of(replay, "/id"), short_time(text_of(replay, "/created_at")),
                   text_of(replay, "/state") + (dry_run ? ", dry run" : ""),
                   text_of(replay, "/matched"), text_of(replay, "/sent"),
                   text_of(replay, "/skipped"), webhook.empty() ? "all webhooks" : webhook});
      });
  if (!done) return session.failure_code();
  session.print(table, "There are no replays.\n");
  return 0;
}

/// @param verb  what is done to it; empty: it is shown.
int ask(Session& session, const ReplayOptions& options, const std::string& verb) {
  const auto answer = verb.empty() ? session.call("GET", path_of(options.id))
                                   : session.call("POST", path_of(options.id) + "/" + verb);
  if (!answer) return session.failure_code();
  return show_answer(session, *answer);
}

constexpr const char* start_notes =
    "Sends again, in the background and slower than live events, what the options choose of the "
    "past; each becomes a new delivery. --since or --status is required. The newest go first. "
    "Passed over are deliveries that are still pending, those that were sent again before, unless "
    "that failed (--again sends these, too), and redeliveries themselves: they are reached by what "
    "they repeat. So a replay that is started twice sends nothing twice. Webhooks that are not "
    "active are passed over, too. Replays of one organization go one after another. --source and "
    "--type are exact; there are no patterns.\n"
    "\n"
    "  ringpost replay start --status dead\n"
    "  ringpost replay start 01J9Z3K4M5N6P7Q8R9S0T1V2W3 --since 2031-05-04T09:00:00Z --dry-run "
    "--wait 1m\n"
    "  ringpost replay start --since 2031-05-04T09:00:00Z --error timed_out --wait 1h";

}  // namespace

void add_replay_commands(CLI::App& app, Session& session, Action& action) {
  CLI::App* group = app.add_subcommand("replay", "Send many deliveries of the past again");
  group->require_subcommand(1);
  add_notes(*group, "");
  auto options = std::make_shared<ReplayOptions>();

  CLI::App* starting = group->add_subcommand("start", "Start a replay");
  starting->add_option("WEBHOOK", options->filter.webhook,
                       "Only deliveries to this webhook; default: to all of the organization");
  add_delivery_filter(*starting, options->filter);
  starting
      ->add_option("--into", options->into,
                   "Send them to this webhook; default: each to its own once more")
      ->type_name("WEBHOOK");
  starting->add_flag("--dry-run", options->dry_run, "Only count them; nothing is sent");
  starting->add_flag("--again", options->again, "Also those that were sent again before");
  starting
      ->add_option("--wait", options->wait,
                   "Wait at most this long for its end and show progress, e.g. 10m; exit code 1 if "
                   "it is not done by then")
      ->type_name("TIME")
      ->check(object_to_duration);
  add_session_options(*starting, session);
  add_notes(*starting, start_notes);
  starting->callback(
      [&, options] { action = [&session, options] { return start(session, *options); }; });

  CLI::App* listing = group->add_subcommand("list", "Replays, newest first");
  add_range_options(*listing, options->limit, options->cursor);
  add_session_options(*listing, session);
  listing->callback(
      [&, options] { action = [&session, options] { return list(session, *options); }; });

  const auto add = [&](const char* name, const char* verb, const char* what) {
    CLI::App* command = group->add_subcommand(name, what);
    command->add_option("ID", options->id, "The replay's id")->required();
    add_session_options(*command, session);
    command->callback([&, options, verb] {
      action = [&session, options, verb] { return ask(session, *options, verb); };
    });
  };
  add("show", "", "One replay and how far it has come");
  add("pause", "pause", "Stop it until it is resumed");
  add("resume", "resume", "Go on with one that is paused");
  add("cancel", "cancel", "Stop it for good; what was sent stays sent");
}

}  // namespace ringpost::cli
