#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/text.h"

#include <charconv>
#include <cstdio>
#include <limits>

namespace ringpost::cli {
namespace {

struct TokenOptions {
  std::string id;
  std::string name;
  std::string organization;
  std::vector<std::string> scopes;
  std::vector<std::string> sources;
  std::string expires_in;
};

/// `90`, `90s`, `15m`, `12h` or `30d` in seconds.
std::optional<uint64_t> parse_span(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number > std::numeric_limits<uint32_t>::max()) return std::nullopt;
  const std::string_view unit{end, static_cast<size_t>(text.data() + text.size() - end)};
  if (unit.empty() || unit == "s") return number;
  if (unit == "m") return number * 60;
  if (unit == "h") return number * 3600;
  if (unit == "d") return number * 86'400;
  return std::nullopt;
}

void print_token(simdjson::dom::element token) {
  const auto row = [&](const char* label, const std::string& value) {
    if (!value.empty()) std::printf("%-13s %s\n", label, value.c_str());
  };
  row("id", text_of(token, "/id"));
  row("name", text_of(token, "/name"));
  row("organization", text_of(token, "/organization"));
  row("scopes", list_of(token, "/scopes"));
  row("sources", list_of(token, "/sources"));
  row("expires", short_time(text_of(token, "/expires_at")));
  row("token", text_of(token, "/token"));
  std::printf(
      "\nThe token is shown this once: keep it where only its user can read it. The relay has its\n"
      "hash only; who loses it removes it and makes another.\n");
}

int add(Session& session, const TokenOptions& options) {
  std::string body;
  JsonWriter json{body};
  json.begin_object().member("name", options.name);
  if (!options.organization.empty()) json.member("organization", options.organization);
  write_texts(json, "scopes", options.scopes);
  write_texts(json, "sources", options.sources);
  if (!options.expires_in.empty()) {
    const auto seconds = parse_span(options.expires_in);
    if (!seconds) {
      std::fprintf(stderr,
                   "ringpost: --expires-in \"%s\" must be a number with s, m, h or d, as in 30d\n",
                   printable(options.expires_in).c_str());
      return exit_usage;
    }
    json.member("expires_in_s", *seconds);
  }
  json.end_object();
  const auto answer = session.call("POST", "/v1/tokens", body);
  if (!answer) return session.failure_code();
  if (session.json) return 0;
  simdjson::dom::parser parser;
  simdjson::dom::element token;
  if (parser.parse(answer->body).get(token) == simdjson::SUCCESS) print_token(token);
  return 0;
}

std::string query_escaped(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    char code[4];
    std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned>(static_cast<uint8_t>(byte)));
    out += code;
  }
  return out;
}

int list(Session& session, const TokenOptions& options) {
  Table table({"ID", "NAME", "ORGANIZATION", "SCOPES", "SOURCES", "EXPIRES"});
  const std::string organization =
      options.organization.empty() ? "" : "&organization=" + query_escaped(options.organization);
  std::string cursor;
  do {
    const auto answer = session.call(
        "GET", "/v1/tokens?limit=200" + organization + (cursor.empty() ? "" : "&cursor=" + cursor));
    if (!answer) return session.failure_code();
    simdjson::dom::parser parser;
    simdjson::dom::element page;
    simdjson::dom::array items;
    if (parser.parse(answer->body).get(page) != simdjson::SUCCESS) break;
    if (page["items"].get(items) != simdjson::SUCCESS) break;
    for (const simdjson::dom::element item : items) {
      const std::string expires = short_time(text_of(item, "/expires_at"));
      table.add({text_of(item, "/id"), text_of(item, "/name"), text_of(item, "/organization"),
                 list_of(item, "/scopes"), list_of(item, "/sources"),
                 expires.empty() ? "never" : expires});
    }
    cursor = text_of(page, "/next_cursor");
  } while (!cursor.empty());
  if (session.json) return 0;
  if (table.empty()) {
    std::printf("No tokens there. Add one: ringpost token add --name ci --scope events:write\n");
  } else {
    std::printf("%s", table.to_text().c_str());
  }
  return 0;
}

int remove(Session& session, const std::string& id) {
  if (!session.call("DELETE", "/v1/tokens/" + id)) return session.failure_code();
  if (!session.json) std::printf("removed %s; it is refused from now on\n", id.c_str());
  return 0;
}

}  // namespace

void add_token_commands(CLI::App& app, Session& session, Action& action) {
  CLI::App* group = app.add_subcommand("token", "Manage tokens: who may do what");
  group->require_subcommand(1);
  auto options = std::make_shared<TokenOptions>();

  CLI::App* adding = group->add_subcommand("add", "Make a token and print it, this once");
  adding->add_option("--name", options->name, "What it is for, for people")->required();
  adding
      ->add_option("--scope", options->scopes,
                   "events:write, webhooks:read, webhooks:write, deliveries:read, "
                   "deliveries:redeliver or admin; repeatable")
      ->required();
  adding->add_option("--source", options->sources,
                     "Bind it to a source, e.g. app/c0ffee or 'app/*'; repeatable; default: all");
  adding->add_option("--expires-in", options->expires_in,
                     "Until when it is good: 90s, 15m, 12h, 30d; default: until it is removed");
  adding->add_option("--organization", options->organization,
                     "Whose token it is; another than your own only for the operator");
  add_session_options(*adding, session);
  adding->callback(
      [&, options] { action = [&session, options] { return add(session, *options); }; });

  CLI::App* listing = group->add_subcommand("list", "List tokens, newest first");
  listing->add_option("--organization", options->organization, "Whose; default: your own");
  add_session_options(*listing, session);
  listing->callback(
      [&, options] { action = [&session, options] { return list(session, *options); }; });

  CLI::App* removing = group->add_subcommand("remove", "Delete a token; refused from then on");
  removing->add_option("ID", options->id, "The token's id")->required();
  add_session_options(*removing, session);
  removing->callback(
      [&, options] { action = [&session, options] { return remove(session, options->id); }; });
}

}  // namespace ringpost::cli
