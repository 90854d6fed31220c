#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "cli/time_range.h"
#include "cli/view.h"
#include "cli/webhook_body.h"
#include "index/format.h"

#include <chrono>
#include <cstdio>
#include <thread>

namespace ringpost::cli {
namespace {

struct DeliveryOptions {
  std::string id;
  DeliveryFilter filter;
  std::string redelivery_of;
  std::string text;
  std::string cursor;
  uint32_t limit = 20;
  std::string data;
  std::vector<std::string> headers;
  std::string wait;
};

std::string path_of(const std::string& id) {
  return "/v1/deliveries/" + percent_encoded(id);
}

std::string list_target(const DeliveryOptions& options) {
  const DeliveryFilter& filter = options.filter;
  const std::string path = filter.webhook.empty()
                               ? "/v1/deliveries"
                               : "/v1/webhooks/" + percent_encoded(filter.webhook) + "/deliveries";
  return with_query(path, {{"source", filter.source},
                           {"type", filter.type},
                           {"status", filter.status},
                           {"error", filter.error},
                           {"response_status", filter.response_status},
                           {"since", filter.since},
                           {"until", filter.until},
                           {"redelivery_of", options.redelivery_of},
                           {"text", options.text}});
}

int list(Session& session, const DeliveryOptions& options) {
  const bool of_all = options.filter.webhook.empty();
  const std::string of = of_all ? "WEBHOOK" : "NEXT ATTEMPT";
  Table table({"DELIVERY", "STATUS", "RESULT", "ATTEMPTS", "TYPE", "SOURCE", of});
  const bool done =
      session.for_each_item(list_target(options), {options.limit, options.cursor}, [&](auto item) {
        const std::string webhook = text_of(item, "/webhook");
        table.add({text_of(item, "/id"), text_of(item, "/status"), result_of(item),
                   text_of(item, "/attempt_count"), text_of(item, "/event/type"),
                   text_of(item, "/event/source"),
                   of_all ? (webhook.empty() ? "removed" : webhook)
                          : short_time(text_of(item, "/next_attempt_at"))});
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

constexpr const char* list_notes =
    "A filter on something rare may be cut: what was found so far is shown, with the cursor to go "
    "on from. A cursor works with the same filters only.\n"
    "\n"
    "  ringpost delivery list --status dead --since 2031-05-04T09:00:00Z\n"
    "  ringpost delivery list --error timed_out --limit 100\n"
    "  ringpost delivery list --response-status 5xx --type build/finished\n"
    "  ringpost delivery list --text 'out of memory' --since 2031-05-04T09:00:00Z";

/// Whether an attempt has come to its end.
bool has_ended(simdjson::dom::element delivery) {
  simdjson::dom::element attempt;
  if (delivery.at_pointer("/attempts/0").get(attempt) != simdjson::SUCCESS) return false;
  return text_of(delivery, "/status") != "in_flight";
}

Usable<std::string> redelivery_body(const DeliveryOptions& options) {
  std::string body;
  JsonWriter json{body};
  json.begin_object();
  if (!options.data.empty()) {
    auto data = read_json("--data", options.data);
    if (auto* problem = std::get_if<UsageProblem>(&data)) return std::move(*problem);
    json.key("data").raw(std::get<std::string>(data));
  }
  if (auto problem = write_headers(json, options.headers, true)) return std::move(*problem);
  json.end_object();
  return body;
}

int redeliver(Session& session, const DeliveryOptions& options) {
  const auto body = redelivery_body(options);
  if (const auto* problem = std::get_if<UsageProblem>(&body)) return report_usage(*problem);
  const auto answer =
      session.call("POST", path_of(options.id) + "/redeliver", std::get<std::string>(body));
  if (!answer) return session.failure_code();
  simdjson::dom::parser parser;
  simdjson::dom::element delivery;
  if (!parse_answer(*answer, parser, delivery)) return 0;
  if (!session.json) std::printf("redelivery %s\n", text_of(delivery, "/id").c_str());
  std::fflush(stdout);  // It is made, whatever comes of the wait.
  if (!options.wait.empty()) {
    return follow_delivery(session, std::string{raw_text_of(delivery, "/id")}, options.wait);
  }
  return 0;
}

}  // namespace

int follow_delivery(Session& session, const std::string& id, const std::string& wait) {
  constexpr std::chrono::milliseconds pause{100};
  const auto deadline =
      std::chrono::steady_clock::now() +
      std::get<std::chrono::milliseconds>(read_duration("--wait", wait));  // As it was checked.
  do {
    const auto answer = session.exchange("GET", path_of(id), {}, {});
    if (!answer) return session.failure_code();
    simdjson::dom::parser parser;
    simdjson::dom::element delivery;
    const bool is_there = answer->ok() && parse_answer(*answer, parser, delivery);
    if (is_there && !has_ended(delivery)) {
      std::this_thread::sleep_for(pause);
      continue;
    }
    if (!session.accept(*answer, path_of(id))) return session.failure_code();
    if (!session.json && is_there) std::printf("%s", show_delivery(delivery).c_str());
    return is_there && text_of(delivery, "/status") == "delivered" ? 0 : exit_refused;
  } while (std::chrono::steady_clock::now() < deadline);
  std::fprintf(stderr, "ringpost: no attempt has ended within %s; see: ringpost delivery show %s\n",
               shown(wait).c_str(), shown(id).c_str());
  return exit_refused;
}

/// Those of an attempt that has ended.
std::vector<std::string> error_codes() {
  std::vector<std::string> codes;
  for (uint8_t code = 0; code <= static_cast<uint8_t>(index::last_error); ++code) {
    codes.emplace_back(name(static_cast<Errc>(code)));
  }
  return codes;
}

void add_result_filter(CLI::App& command, DeliveryFilter& filter,
                       const std::vector<std::string>& statuses) {
  command.add_option("--source", filter.source, "Only of events from this source, exactly")
      ->type_name("SOURCE");
  command.add_option("--type", filter.type, "Only of events of this type, exactly")
      ->type_name("TYPE");
  suggest(command.add_option("--status", filter.status, "Only deliveries with this status")
              ->type_name("STATUS"),
          statuses);
  suggest(command
              .add_option("--error", filter.error,
                          "Only if the last attempt that ended failed with this error")
              ->type_name("CODE"),
          error_codes());
  command
      .add_option("--response-status", filter.response_status,
                  "Only if the last answer had this HTTP status: 503, or 5xx for a class")
      ->type_name("STATUS");
}

void add_delivery_filter(CLI::App& command, DeliveryFilter& filter) {
  add_result_filter(command, filter, {"pending", "in_flight", "delivered", "dead", "cancelled"});
  add_time_range(command, filter.since, filter.until, "Only of events accepted");
}

CLI::Option* add_wait_option(CLI::App& command, std::string& wait) {
  return command
      .add_option("--wait", wait,
                  "Wait at most this long for the first attempt, and show what came of it, e.g. "
                  "30s; exit code 1 if it failed, or has not ended")
      ->type_name("TIME")
      ->check(object_to_duration);
}

void add_delivery_commands(CLI::App& app, Session& session, Action& action) {
  CLI::App* group = app.add_subcommand("delivery", "Read deliveries and send them again");
  group->require_subcommand(1);
  add_notes(*group, "");
  auto options = std::make_shared<DeliveryOptions>();

  CLI::App* listing =
      group->add_subcommand("list", "Deliveries of a webhook, or of all, newest first");
  listing->add_option("WEBHOOK", options->filter.webhook,
                      "The webhook's id; default: all of the organization");
  add_delivery_filter(*listing, options->filter);
  listing
      ->add_option("--redelivery-of", options->redelivery_of,
                   "Only those that repeat the delivery with this id")
      ->type_name("ID");
  listing
      ->add_option(
          "--text", options->text,
          "Only those with this text in the event's data, or in what was sent and answered")
      ->type_name("TEXT");
  add_range_options(*listing, options->limit, options->cursor);
  add_session_options(*listing, session);
  add_notes(*listing, list_notes);
  listing->callback(
      [&, options] { action = [&session, options] { return list(session, *options); }; });

  add_tail_command(*group, session, action);

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
  again
      ->add_option("--header", options->headers,
                   "'Name: value' to send along, or @FILE of such lines; repeatable")
      ->type_name("HEADER")
      ->allow_extra_args(false);
  add_wait_option(*again, options->wait);
  add_session_options(*again, session);
  again->callback(
      [&, options] { action = [&session, options] { return redeliver(session, *options); }; });
}

}  // namespace ringpost::cli
