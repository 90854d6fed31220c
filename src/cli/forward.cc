#include "cli/commands.h"
#include "cli/text.h"
#include "cli/view.h"

#include <cstdio>
#include <memory>
#include <string>

namespace ringpost::cli {
namespace {

void row(const char* label, const std::string& value) {
  std::printf("  %-18s %s\n", label, value.c_str());
}

std::string time_or_dash(simdjson::dom::element answer, const char* path) {
  const std::string at = text_of(answer, path);
  return at.empty() ? "-" : short_time(at);
}

void print(simdjson::dom::element forward) {
  const std::string state = text_of(forward, "/state");
  if (state == "off") {
    std::puts("Nothing is forwarded: the configuration has no [forward] url.");
  } else {
    std::printf("%s: %s\n\n", text_of(forward, "/url").c_str(), state.c_str());
    row("backlog", grouped(number_of(forward, "/backlog_events")));
    row("oldest", time_or_dash(forward, "/oldest_at"));
    row("forwarded", grouped(number_of(forward, "/forwarded")));
    row("  known there", grouped(number_of(forward, "/duplicates")));
    row("last success", time_or_dash(forward, "/last_success_at"));
  }
  if (const auto count = number_of(forward, "/set_aside"); count > 0) {
    row("set aside", grouped(count) + ": ringpost forward list");
  }
  if (const auto count = number_of(forward, "/send_again"); count > 0) {
    row("  sent again", grouped(count) + " wait for their turn");
  }
  if (const auto lost = number_of(forward, "/lost"); lost > 0) {
    row("lost", grouped(lost) + ", for want of room (journal.retention_bytes)");
  }
  const std::string problem = text_of(forward, "/problem");
  if (problem.empty()) return;
  row(state == "held" ? "HELD" : "waits", problem);
  row("  since", time_or_dash(forward, "/problem_since"));
  row("  tried again", time_or_dash(forward, "/retry_at"));
}

int show_status(Session& session) {
  const auto answer = session.call("GET", "/v1/forward");
  if (!answer) return session.failure_code();
  simdjson::dom::parser parser;
  simdjson::dom::element forward;
  if (!session.json && parse_answer(*answer, parser, forward)) print(forward);
  return 0;
}

struct ListOptions {
  std::string cursor;
  uint32_t limit = 50;
};

int list(Session& session, const ListOptions& options) {
  Table table({"SET ASIDE", "STATUS", "ID", "SOURCE", "TYPE", "REASON"});
  const bool done = session.for_each_item(
      "/v1/forward/set-aside", {options.limit, options.cursor}, [&](auto event) {
        table.add({short_time(text_of(event, "/set_aside_at")), text_of(event, "/status"),
                   text_of(event, "/id"), text_of(event, "/source"), text_of(event, "/type"),
                   text_of(event, "/reason")});
      });
  if (!done) return session.failure_code();
  session.print(table, "The central relay refused no event.\n");
  return 0;
}

/// Which of those that were set aside.
struct Choice {
  std::string id;
  std::string source;
  bool all = false;
};

int change(Session& session, const Choice& choice, const char* method, const char* path,
           const char* done) {
  if (choice.id.empty() && choice.source.empty() && !choice.all) {
    return report_usage({"give an ID, --source or --all"});
  }
  const auto answer =
      session.call(method, with_query(path, {{"id", choice.id}, {"source", choice.source}}));
  if (!answer) return session.failure_code();
  simdjson::dom::parser parser;
  simdjson::dom::element parsed;
  if (!session.json && parse_answer(*answer, parser, parsed)) {
    std::printf("%s %s\n", grouped(number_of(parsed, "/events")).c_str(), done);
  }
  return 0;
}

int send_again(Session& session, const Choice& choice) {
  return change(session, choice, "POST", "/v1/forward/set-aside/send-again",
                "to be sent again: ringpost forward status, ringpost forward list");
}

int drop(Session& session, const Choice& choice) {
  return change(session, choice, "DELETE", "/v1/forward/set-aside",
                "dropped from the list; the history keeps them");
}

void add_change(CLI::App& group, Session& session, Action& action, const char* name,
                const char* what, int (*run)(Session&, const Choice&)) {
  auto choice = std::make_shared<Choice>();
  CLI::App* command = group.add_subcommand(name, what);
  CLI::Option* id = command->add_option("id", choice->id, "The event's id")->type_name("ID");
  CLI::Option* source =
      command->add_option("--source", choice->source, "Those of this source")->type_name("SOURCE");
  command->add_flag("--all", choice->all, "All of them")->excludes(id)->excludes(source);
  add_session_options(*command, session);
  command->callback([&session, &action, choice, run] {
    action = [&session, choice, run] { return run(session, *choice); };
  });
}

constexpr const char* notes =
    "What is forwarded, and where, says the section [forward] of the configuration. Requires an "
    "operator token (scope admin, organization default).\n"
    "\n"
    "  ringpost forward status\n"
    "  ringpost forward list --json | jq -r '.items[] | [.id, .reason] | @tsv'\n"
    "  ringpost forward send-again --all\n"
    "  ringpost forward drop 4711 --source app/c0ffee1234abcd56";

}  // namespace

void add_forward_commands(CLI::App& app, Session& session, Action& action) {
  CLI::App* group = app.add_subcommand("forward", "See what goes to the central relay");
  group->require_subcommand(1);
  add_notes(*group, notes);
  CLI::App* status = group->add_subcommand("status", "How far it is, and what keeps it");
  add_session_options(*status, session);
  status->callback([&] { action = [&session] { return show_status(session); }; });
  auto options = std::make_shared<ListOptions>();
  CLI::App* listing =
      group->add_subcommand("list", "Events that the central relay refused, the last one first");
  add_range_options(*listing, options->limit, options->cursor);
  add_session_options(*listing, session);
  listing->callback(
      [&, options] { action = [&session, options] { return list(session, *options); }; });
  add_change(*group, session, action, "send-again",
             "Send events again that it refused, when the cause is mended", send_again);
  add_change(*group, session, action, "drop", "Take events off that list: they are not sent", drop);
}

}  // namespace ringpost::cli
