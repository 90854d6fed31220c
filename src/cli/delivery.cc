#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "cli/view.h"

#include <cstdio>

namespace ringpost::cli {
namespace {

struct DeliveryOptions {
  std::string id;
  std::string webhook;
  std::string status;
  std::string type;
  std::string since;
  std::string until;
  std::string cursor;
  uint32_t limit = 20;
  std::string data;
};

std::string path_of(const std::string& id) {
  return "/v1/deliveries/" + percent_encoded(id);
}

std::string list_target(const DeliveryOptions& options) {
  return with_query("/v1/webhooks/" + percent_encoded(options.webhook) + "/deliveries",
                    {{"status", options.status},
                     {"type", options.type},
                     {"since", options.since},
                     {"until", options.until}});
}

int list(Session& session, const DeliveryOptions& options) {
  Table table({"DELIVERY", "STATUS", "RESULT", "ATTEMPTS", "TYPE", "SOURCE", "NEXT ATTEMPT"});
  const bool done =
      session.for_each_item(list_target(options), {options.limit, options.cursor}, [&](auto item) {
        table.add({text_of(item, "/id"), text_of(item, "/status"), result_of(item),
                   text_of(item, "/attempt_count"), text_of(item, "/event/type"),
                   text_of(item, "/event/source"), short_time(text_of(item, "/next_attempt_at"))});
      });
  if (!done) return session.failure_code();
  session.print(table, "No deliveries match.\n");
  return 0;
}

int show(Session& session, const DeliveryOptions& options) {
  const auto answer = session.call("GET", path_of(options.id));
  if (!answer) return session.failure_code();
  simdjson::dom::parser parser;
  simdjson::dom::element delivery;
  if (!session.json && parse_answer(*answer, parser, delivery)) {
    std::printf("%s", show_delivery(delivery).c_str());
  }
  return 0;
}

int redeliver(Session& session, const DeliveryOptions& options) {
  std::string body;
  if (!options.data.empty()) {
    const auto data = read_json("--data", options.data);
    if (const auto* problem = std::get_if<UsageProblem>(&data)) return report_usage(*problem);
    JsonWriter json{body};
    json.begin_object().key("data").raw(std::get<std::string>(data)).end_object();
  }
  const auto answer = session.call("POST", path_of(options.id) + "/redeliver", body);
  if (!answer) return session.failure_code();
  simdjson::dom::parser parser;
  simdjson::dom::element delivery;
  if (!session.json && parse_answer(*answer, parser, delivery)) {
    std::printf("redelivery %s\n", text_of(delivery, "/id").c_str());
  }
  return 0;
}

}  // namespace

void add_delivery_commands(CLI::App& app, Session& session, Action& action) {
  CLI::App* group = app.add_subcommand("delivery", "Read deliveries and send them again");
  group->require_subcommand(1);
  add_notes(*group, "");
  auto options = std::make_shared<DeliveryOptions>();

  CLI::App* listing = group->add_subcommand("list", "A webhook's deliveries, newest first");
  listing->add_option("WEBHOOK", options->webhook, "The webhook's id")->required();
  suggest(listing->add_option("--status", options->status, "Only deliveries with this status")
              ->type_name("STATUS"),
          {"pending", "in_flight", "delivered", "dead", "cancelled"});
  listing->add_option("--type", options->type, "Event type")->type_name("TYPE");
  listing->add_option("--since", options->since, "Not before this time, RFC 3339")
      ->type_name("TIME");
  listing->add_option("--until", options->until, "Before this time, RFC 3339")->type_name("TIME");
  add_range_options(*listing, options->limit, options->cursor);
  add_session_options(*listing, session);
  listing->callback(
      [&, options] { action = [&session, options] { return list(session, *options); }; });

  CLI::App* showing = group->add_subcommand("show", "One delivery with all its attempts");
  showing->add_option("ID", options->id, "The delivery's id")->required();
  add_session_options(*showing, session);
  add_notes(
      *showing,
      "Control bytes of what was sent and answered are shown as \\xNN; --json has every byte.");
  showing->callback(
      [&, options] { action = [&session, options] { return show(session, *options); }; });

  CLI::App* again = group->add_subcommand("redeliver", "Send it again, as a new delivery");
  again->add_option("ID", options->id, "The delivery's id")->required();
  again
      ->add_option("--data", options->data,
                   "Send this instead of the stored data: JSON, or @FILE, or @-")
      ->type_name("JSON");
  add_session_options(*again, session);
  again->callback(
      [&, options] { action = [&session, options] { return redeliver(session, *options); }; });
}

}  // namespace ringpost::cli
