#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/text.h"

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

std::string query_of(const DeliveryOptions& options) {
  std::string query = "?limit=" + std::to_string(options.limit);
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) query += std::string("&") + name + "=" + percent_encoded(value);
  };
  add("status", options.status);
  add("type", options.type);
  add("since", options.since);
  add("until", options.until);
  add("cursor", options.cursor);
  return query;
}

/// The last attempt's result in one word or number.
std::string result_of(simdjson::dom::element delivery) {
  std::string status = text_of(delivery, "/last_attempt/response_status");
  if (!status.empty()) return status;
  const std::string code = text_of(delivery, "/last_attempt/error/code");
  return code.empty() ? "-" : code;
}

int list(Session& session, const DeliveryOptions& options) {
  const auto answer = session.call("GET", "/v1/webhooks/" + percent_encoded(options.webhook) +
                                              "/deliveries" + query_of(options));
  if (!answer) return session.failure_code();
  if (session.json) return 0;
  simdjson::dom::parser parser;
  simdjson::dom::element page;
  simdjson::dom::array items;
  if (parser.parse(answer->body).get(page) != simdjson::SUCCESS) return 0;
  if (page["items"].get(items) != simdjson::SUCCESS) return 0;
  Table table({"DELIVERY", "STATUS", "RESULT", "ATTEMPTS", "TYPE", "SOURCE", "NEXT ATTEMPT"});
  for (const simdjson::dom::element item : items) {
    table.add({text_of(item, "/id"), text_of(item, "/status"), result_of(item),
               text_of(item, "/attempt_count"), text_of(item, "/event/type"),
               text_of(item, "/event/source"), short_time(text_of(item, "/next_attempt_at"))});
  }
  if (table.empty()) {
    std::printf("No deliveries match.\n");
  } else {
    std::printf("%s", table.to_text().c_str());
  }
  const std::string next = text_of(page, "/next_cursor");
  if (!next.empty()) std::printf("… more with --cursor %s\n", next.c_str());
  return 0;
}

void print_headers(simdjson::dom::element message) {
  simdjson::dom::element headers;
  if (message["headers"].get(headers) != simdjson::SUCCESS) return;
  simdjson::dom::object object;
  if (headers.get(object) == simdjson::SUCCESS) {
    for (const auto& [name, value] : object) {
      std::printf("      %s: %s\n", printable(name).c_str(), text_of(value, "").c_str());
    }
    return;
  }
  simdjson::dom::array array;
  if (headers.get(array) != simdjson::SUCCESS) return;
  for (const simdjson::dom::element header : array) {
    std::printf("      %s: %s\n", text_of(header, "/name").c_str(),
                text_of(header, "/value").c_str());
  }
}

void print_body(simdjson::dom::element message) {
  const std::string body = text_of(message, "/body");
  if (body.empty()) return;
  constexpr size_t shown = 600;
  std::printf("      %s%s\n", body.substr(0, shown).c_str(), body.size() > shown ? " …" : "");
}

void print_attempt(simdjson::dom::element attempt) {
  std::printf("\n  attempt %s at %s, %s ms\n", text_of(attempt, "/number").c_str(),
              short_time(text_of(attempt, "/started_at")).c_str(),
              text_of(attempt, "/duration_ms").c_str());
  const std::string error = text_of(attempt, "/error/detail");
  if (!error.empty()) std::printf("    error     %s\n", error.c_str());
  simdjson::dom::element request;
  if (attempt["request"].get(request) == simdjson::SUCCESS && request.is_object()) {
    std::printf("    request   %s %s\n", text_of(request, "/method").c_str(),
                text_of(request, "/url").c_str());
    print_headers(request);
    print_body(request);
  }
  simdjson::dom::element response;
  if (attempt["response"].get(response) == simdjson::SUCCESS && response.is_object()) {
    std::printf("    response  %s\n", text_of(response, "/status").c_str());
    print_headers(response);
    print_body(response);
  }
}

int show(Session& session, const DeliveryOptions& options) {
  const auto answer = session.call("GET", "/v1/deliveries/" + percent_encoded(options.id));
  if (!answer) return session.failure_code();
  if (session.json) return 0;
  simdjson::dom::parser parser;
  simdjson::dom::element delivery;
  if (parser.parse(answer->body).get(delivery) != simdjson::SUCCESS) return 0;
  std::printf("delivery   %s\nstatus     %s\nwebhook    %s\nevent      %s  %s  %s\n",
              text_of(delivery, "/id").c_str(), text_of(delivery, "/status").c_str(),
              text_of(delivery, "/webhook").c_str(), text_of(delivery, "/event/id").c_str(),
              text_of(delivery, "/event/type").c_str(), text_of(delivery, "/event/source").c_str());
  const std::string origin = text_of(delivery, "/redelivery_of");
  if (!origin.empty()) std::printf("repeats    %s\n", origin.c_str());
  const std::string next = text_of(delivery, "/next_attempt_at");
  if (!next.empty()) std::printf("next       %s\n", short_time(next).c_str());
  simdjson::dom::array attempts;
  if (delivery["attempts"].get(attempts) == simdjson::SUCCESS) {
    for (const simdjson::dom::element attempt : attempts) print_attempt(attempt);
  }
  return 0;
}

int redeliver(Session& session, const DeliveryOptions& options) {
  std::string body;
  if (!options.data.empty()) {
    JsonWriter json{body};
    json.begin_object().key("data").raw(options.data).end_object();
  }
  const auto answer =
      session.call("POST", "/v1/deliveries/" + percent_encoded(options.id) + "/redeliver", body);
  if (!answer) return session.failure_code();
  if (session.json) return 0;
  simdjson::dom::parser parser;
  simdjson::dom::element delivery;
  if (parser.parse(answer->body).get(delivery) == simdjson::SUCCESS) {
    std::printf("redelivery %s\n", text_of(delivery, "/id").c_str());
  }
  return 0;
}

}  // namespace

void add_delivery_commands(CLI::App& app, Session& session, Action& action) {
  CLI::App* group = app.add_subcommand("delivery", "Read deliveries and send them again");
  group->require_subcommand(1);
  auto options = std::make_shared<DeliveryOptions>();

  CLI::App* listing = group->add_subcommand("list", "A webhook's deliveries, newest first");
  listing->add_option("WEBHOOK", options->webhook, "The webhook's id")->required();
  listing->add_option("--status", options->status,
                      "pending, in_flight, delivered, dead or cancelled");
  listing->add_option("--type", options->type, "Event type");
  listing->add_option("--since", options->since, "Not before this time, RFC 3339");
  listing->add_option("--until", options->until, "Not after this time, RFC 3339");
  listing->add_option("--limit", options->limit, "At most so many, 1 to 200")
      ->capture_default_str();
  listing->add_option("--cursor", options->cursor, "Go on where the page before ended");
  add_session_options(*listing, session);
  listing->callback(
      [&, options] { action = [&session, options] { return list(session, *options); }; });

  CLI::App* showing = group->add_subcommand("show", "One delivery with all its attempts");
  showing->add_option("ID", options->id, "The delivery's id")->required();
  add_session_options(*showing, session);
  showing->callback(
      [&, options] { action = [&session, options] { return show(session, *options); }; });

  CLI::App* again = group->add_subcommand("redeliver", "Deliver it again, as a new delivery");
  again->add_option("ID", options->id, "The delivery's id")->required();
  again->add_option("--data", options->data, "JSON to send in place of the stored data");
  add_session_options(*again, session);
  again->callback(
      [&, options] { action = [&session, options] { return redeliver(session, *options); }; });
}

}  // namespace ringpost::cli
