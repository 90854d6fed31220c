#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/text.h"

#include <cstdio>
#include <fstream>
#include <iterator>

namespace ringpost::cli {
namespace {

/// What `add` and `update` may set; what was not given is not sent.
struct WebhookOptions {
  std::string id;
  std::string url;
  std::string dialect;
  std::string description;
  std::string organization;
  std::vector<std::string> sources;
  std::vector<std::string> events;
  std::vector<std::string> headers;
  std::string secret;
  bool insecure = false;
  std::string ca_file;
  std::vector<uint32_t> schedule;
  bool no_retries = false;
  uint32_t timeout_ms = 0;
  uint32_t concurrency = 0;
};

void print_webhook(simdjson::dom::element webhook) {
  const auto row = [&](const char* label, const std::string& value) {
    if (!value.empty()) std::printf("%-13s %s\n", label, value.c_str());
  };
  row("id", text_of(webhook, "/id"));
  row("url", text_of(webhook, "/url"));
  row("dialect", text_of(webhook, "/dialect"));
  row("state", text_of(webhook, "/state"));
  row("reason", text_of(webhook, "/state_reason"));
  row("description", text_of(webhook, "/description"));
  row("organization", text_of(webhook, "/organization"));
  row("sources", list_of(webhook, "/sources"));
  row("events", list_of(webhook, "/events"));
  row("schedule", list_of(webhook, "/schedule"));
  row("timeout", text_of(webhook, "/timeout_ms") + " ms");
  row("TLS verify", text_of(webhook, "/tls/verify"));
  row("created", short_time(text_of(webhook, "/created_at")));
  row("secret", text_of(webhook, "/secret"));
  if (!text_of(webhook, "/secret").empty()) {
    std::printf("\nThe secret is shown this once: give it to the receiver now.\n");
  }
}

int print_answer(Session& session, const std::optional<Answer>& answer) {
  if (!answer) return session.failure_code();
  if (session.json) return 0;
  simdjson::dom::parser parser;
  simdjson::dom::element webhook;
  if (parser.parse(answer->body).get(webhook) == simdjson::SUCCESS) print_webhook(webhook);
  return 0;
}

/// @returns false after a problem was printed.
bool write_headers(JsonWriter& json, const std::vector<std::string>& headers) {
  if (headers.empty()) return true;
  json.key("headers").begin_object();
  for (const std::string& header : headers) {
    const size_t colon = header.find(':');
    if (colon == std::string::npos || colon == 0) {
      std::fprintf(stderr, "ringpost: --header \"%s\" must have the form 'Name: value'\n",
                   printable(header).c_str());
      return false;
    }
    const size_t value = header.find_first_not_of(' ', colon + 1);
    json.member(header.substr(0, colon), value == std::string::npos ? "" : header.substr(value));
  }
  json.end_object();
  return true;
}

bool write_tls(JsonWriter& json, const WebhookOptions& options) {
  if (!options.insecure && options.ca_file.empty()) return true;
  json.key("tls").begin_object();
  if (options.insecure) json.member("verify", false);
  if (!options.ca_file.empty()) {
    std::ifstream in(options.ca_file, std::ios::binary);
    if (!in) {
      std::fprintf(stderr, "ringpost: --ca-file %s cannot be read\n", options.ca_file.c_str());
      return false;
    }
    json.member("ca", std::string{std::istreambuf_iterator<char>(in), {}});
  }
  json.end_object();
  return true;
}

/// The request's body. Nothing after a problem was printed.
std::optional<std::string> body_from(const WebhookOptions& options) {
  std::string body;
  JsonWriter json{body};
  json.begin_object();
  const auto text = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) json.member(key, value);
  };
  text("url", options.url);
  text("dialect", options.dialect);
  text("description", options.description);
  text("organization", options.organization);
  text("secret", options.secret);
  write_texts(json, "sources", options.sources);
  write_texts(json, "events", options.events);
  if (!write_headers(json, options.headers) || !write_tls(json, options)) return std::nullopt;
  if (options.no_retries || !options.schedule.empty()) {
    json.key("schedule").begin_array();
    for (uint32_t seconds : options.schedule) json.value(seconds);
    json.end_array();
  }
  if (options.timeout_ms != 0) json.member("timeout_ms", options.timeout_ms);
  if (options.concurrency != 0) json.member("concurrency_max", options.concurrency);
  json.end_object();
  return body;
}

int add(Session& session, const WebhookOptions& options) {
  const auto body = body_from(options);
  if (!body) return exit_usage;
  return print_answer(session, session.call("POST", "/v1/webhooks", *body));
}

int update(Session& session, const WebhookOptions& options) {
  const auto body = body_from(options);
  if (!body) return exit_usage;
  return print_answer(session, session.call("PATCH", "/v1/webhooks/" + options.id, *body));
}

int list(Session& session) {
  Table table({"ID", "STATE", "DIALECT", "URL", "SOURCES", "EVENTS"});
  std::string cursor;
  do {
    const auto answer =
        session.call("GET", "/v1/webhooks?limit=200" + (cursor.empty() ? "" : "&cursor=" + cursor));
    if (!answer) return session.failure_code();
    simdjson::dom::parser parser;
    simdjson::dom::element page;
    simdjson::dom::array items;
    if (parser.parse(answer->body).get(page) != simdjson::SUCCESS) break;
    if (page["items"].get(items) != simdjson::SUCCESS) break;
    for (const simdjson::dom::element item : items) {
      table.add({text_of(item, "/id"), text_of(item, "/state"), text_of(item, "/dialect"),
                 text_of(item, "/url"), list_of(item, "/sources"), list_of(item, "/events")});
    }
    cursor = text_of(page, "/next_cursor");
  } while (!cursor.empty());
  if (session.json) return 0;
  if (table.empty()) {
    std::printf("No webhooks yet. Add one: ringpost webhook add --url https://…\n");
  } else {
    std::printf("%s", table.to_text().c_str());
  }
  return 0;
}

int remove(Session& session, const std::string& id) {
  if (!session.call("DELETE", "/v1/webhooks/" + id)) return session.failure_code();
  if (!session.json) std::printf("removed %s\n", id.c_str());
  return 0;
}

void add_webhook_options(CLI::App& command, WebhookOptions& options, bool creating) {
  command.add_option("--url", options.url, "Where to deliver, https://…")->required(creating);
  if (creating) {
    command.add_option("--dialect", options.dialect, "standard (default) or bitrise");
    command.add_option("--organization", options.organization, "Owner; default: default");
  }
  command.add_option("--description", options.description, "A word for people");
  command.add_option("--source", options.sources,
                     "Source, e.g. app/c0ffee, 'app/*' or '*'; repeatable");
  command.add_option("--event", options.events,
                     "Event type, e.g. build/finished or 'build/*'; repeatable");
  command.add_option("--header", options.headers, "'Name: value' to send along; repeatable");
  command.add_option("--secret", options.secret, "Signing secret; minted if absent (standard)");
  command.add_flag("--insecure", options.insecure, "Do not verify the receiver's certificate");
  command.add_option("--ca-file", options.ca_file, "PEM file: verify against this CA instead");
  command.add_option("--schedule", options.schedule, "Seconds before attempts 2, 3, …; repeatable");
  command.add_flag("--no-retries", options.no_retries, "One attempt only");
  command.add_option("--timeout-ms", options.timeout_ms, "Total time of one attempt");
  command.add_option("--concurrency", options.concurrency, "Attempts in flight at once");
}

}  // namespace

void add_webhook_commands(CLI::App& app, Session& session, Action& action) {
  CLI::App* group = app.add_subcommand("webhook", "Manage webhooks");
  group->require_subcommand(1);
  auto options = std::make_shared<WebhookOptions>();

  // `--url` is the webhook's here; the relay is named by --relay or RINGPOST_URL.
  const auto command = [&](const char* name, const char* help, bool takes_id) {
    CLI::App* added = group->add_subcommand(name, help);
    if (takes_id) added->add_option("ID", options->id, "The webhook's id")->required();
    add_session_options(*added, session, "--relay");
    return added;
  };

  CLI::App* adding = command("add", "Create a webhook", false);
  add_webhook_options(*adding, *options, true);
  adding->callback(
      [&, options] { action = [&session, options] { return add(session, *options); }; });

  command("list", "List webhooks, newest first", false)->callback([&] {
    action = [&session] { return list(session); };
  });

  command("show", "Show one webhook", true)->callback([&, options] {
    action = [&session, options] {
      return print_answer(session, session.call("GET", "/v1/webhooks/" + options->id));
    };
  });

  CLI::App* updating = command("update", "Change what is given, keep the rest", true);
  add_webhook_options(*updating, *options, false);
  updating->callback(
      [&, options] { action = [&session, options] { return update(session, *options); }; });

  command("remove", "Delete a webhook; what is pending for it is cancelled", true)
      ->callback(
          [&, options] { action = [&session, options] { return remove(session, options->id); }; });

  const auto verb = [&](const char* name, const char* help) {
    command(name, help, true)->callback([&session, &action, options, name = std::string(name)] {
      action = [&session, options, name] {
        return print_answer(session,
                            session.call("POST", "/v1/webhooks/" + options->id + "/" + name));
      };
    });
  };
  verb("enable", "Deliver to it again");
  verb("disable", "Stop delivering to it; what is pending is cancelled");
  verb("rotate-secret", "Mint a new signing secret and show it once");
}

}  // namespace ringpost::cli
