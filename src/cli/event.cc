#include "cli/commands.h"
#include "cli/text.h"
#include "cli/time_range.h"
#include "cli/view.h"

#include <cstdio>

namespace ringpost::cli {
namespace {

struct EventOptions {
  std::string id;
  std::string source;
  std::string type;
  std::string text;
  std::string since;
  std::string until;
  std::string cursor;
  uint32_t limit = 20;
};

std::string list_target(const EventOptions& options) {
  return with_query("/v1/events", {{"source", options.source},
                                   {"type", options.type},
                                   {"id", options.id},
                                   {"since", options.since},
                                   {"until", options.until},
                                   {"text", options.text}});
}

int list(Session& session, const EventOptions& options) {
  Table table({"ACCEPTED", "TYPE", "SOURCE", "DELIVERIES", "EVENT"});
  const bool done =
      session.for_each_item(list_target(options), {options.limit, options.cursor}, [&](auto event) {
        table.add({short_time(text_of(event, "/accepted_at")), text_of(event, "/type"),
                   text_of(event, "/source"), text_of(event, "/delivery_count"),
                   text_of(event, "/id")});
      });
  if (!done) return session.failure_code();
  session.print(table, "No events match.\n");
  return 0;
}

int show(Session& session, const EventOptions& options) {
  const auto answer = session.call(
      "GET", with_query("/v1/events/" + percent_encoded(options.id), {{"source", options.source}}));
  if (!answer) return session.failure_code();
  if (!session.json) std::printf("%s", show_event(answer->body).c_str());
  return 0;
}

constexpr const char* list_notes =
    "Redeliveries are not listed: they are shown with the event that they repeat. A filter on "
    "something "
    "rare may be cut: what was found so far is shown, with the cursor to go on from. A cursor "
    "works "
    "with the same filters only.\n"
    "\n"
    "  ringpost event list --source app/mobile --since 2031-05-04T09:00:00Z\n"
    "  ringpost event list --id build-128\n"
    "  ringpost event show build-128";

}  // namespace

void add_event_commands(CLI::App& app, Session& session, Action& action) {
  CLI::App* group = app.add_subcommand("event", "Read the events that were accepted");
  group->require_subcommand(1);
  add_notes(*group, "");
  auto options = std::make_shared<EventOptions>();

  CLI::App* listing = group->add_subcommand("list", "Events of the organization, newest first");
  listing->add_option("--source", options->source, "Only from this source, exactly")
      ->type_name("SOURCE");
  listing->add_option("--type", options->type, "Only of this type, exactly")->type_name("TYPE");
  listing->add_option("--id", options->id, "Only with this id, which is unique within its source")
      ->type_name("ID");
  add_time_range(*listing, options->since, options->until, "Accepted");
  listing->add_option("--text", options->text, "Only with this text in their data")
      ->type_name("TEXT");
  add_range_options(*listing, options->limit, options->cursor);
  add_session_options(*listing, session);
  add_notes(*listing, list_notes);
  listing->callback(
      [&, options] { action = [&session, options] { return list(session, *options); }; });

  CLI::App* showing = group->add_subcommand("show", "One event with its data and its deliveries");
  showing->add_option("ID", options->id, "The event's id")->required();
  showing
      ->add_option("--source", options->source,
                   "The event of this source, if several sources used the id; default: the newest")
      ->type_name("SOURCE");
  add_session_options(*showing, session);
  showing->callback(
      [&, options] { action = [&session, options] { return show(session, *options); }; });
}

}  // namespace ringpost::cli
