#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/text.h"

#include <cstdio>

namespace ringpost::cli {
namespace {

struct TokenOptions {
  std::string id;
  std::string name;
  std::string organization;
  std::vector<std::string> scopes;
  std::vector<std::string> sources;
  std::string expires_in;
  OfflineToken offline;
};

void print_token(simdjson::dom::element token) {
  Rows rows(13);
  rows.add("id", text_of(token, "/id"))
      .add("name", text_of(token, "/name"))
      .add("organization", text_of(token, "/organization"))
      .add("scopes", list_of(token, "/scopes"))
      .add("sources", list_of(token, "/sources"))
      .add("expires", short_time(text_of(token, "/expires_at")))
      .add("token", text_of(token, "/token"));
  std::printf(
      "%s\nThe token is shown only this once: keep it where only its user can read it. The relay "
      "stores\n"
      "only a hash. If you lose the token, remove it and create another.\n",
      rows.take().c_str());
}

int add(Session& session, const TokenOptions& options) {
  std::string body;
  JsonWriter json{body};
  json.begin_object().member("name", options.name);
  if (!options.organization.empty()) json.member("organization", options.organization);
  write_texts(json, "scopes", options.scopes);
  write_texts(json, "sources", options.sources);
  if (!options.expires_in.empty()) {
    const auto seconds = read_seconds("--expires-in", options.expires_in);
    if (const auto* problem = std::get_if<UsageProblem>(&seconds)) return report_usage(*problem);
    json.member("expires_in_s", std::get<int64_t>(seconds));
  }
  json.end_object();
  const auto answer = session.call("POST", "/v1/tokens", body);
  if (!answer) return session.failure_code();
  if (session.json) return 0;
  simdjson::dom::parser parser;
  simdjson::dom::element token;
  if (parse_answer(*answer, parser, token)) print_token(token);
  return 0;
}

bool is_offline(const TokenOptions& options) {
  return !options.offline.data_dir.empty() || !options.offline.config_file.empty();
}

/// Such a token is for who cannot get in: it may do everything, and whoever uses it makes others.
int add_offline(const TokenOptions& options, const MakeOfflineToken& make_offline) {
  const bool admin_alone =
      options.scopes.empty() || options.scopes == std::vector<std::string>{"admin"};
  if (!admin_alone || !options.sources.empty() || !options.expires_in.empty() ||
      !options.organization.empty()) {
    return report_usage(
        {"with --data-dir or --config the token is an admin token of the organization default: "
         "leave out --scope, --source, --expires-in and --organization"});
  }
  OfflineToken offline = options.offline;
  offline.name = options.name.empty() ? "admin" : options.name;
  return make_offline(offline);
}

int add_token(Session& session, const TokenOptions& options, const MakeOfflineToken& make_offline) {
  if (is_offline(options)) return add_offline(options, make_offline);
  if (!options.offline.file.empty() || !options.offline.assignments.empty()) {
    return report_usage({"--out and --set require --data-dir or --config, and a stopped relay"});
  }
  if (options.name.empty()) return report_usage({"--name is required"});
  if (options.scopes.empty()) return report_usage({"--scope is required"});
  return add(session, options);
}

int list(Session& session, const TokenOptions& options) {
  Table table({"ID", "NAME", "ORGANIZATION", "SCOPES", "SOURCES", "EXPIRES"});
  const std::string target = with_query("/v1/tokens", {{"organization", options.organization}});
  const bool done = session.for_each_item(target, {}, [&](auto item) {
    const std::string expires = short_time(text_of(item, "/expires_at"));
    table.add({text_of(item, "/id"), text_of(item, "/name"), text_of(item, "/organization"),
               list_of(item, "/scopes"), list_of(item, "/sources"),
               expires.empty() ? "never" : expires});
  });
  if (!done) return session.failure_code();
  session.print(table, "No tokens. Add one: ringpost token add --name ci --scope events:write\n");
  return 0;
}

int remove(Session& session, const std::string& given) {
  const auto id = session.id_of(given, "/v1/tokens", "/name", "ringpost token list");
  if (!id) return session.failure_code();
  return session.remove("/v1/tokens/" + percent_encoded(*id), *id, "; it is refused from now on");
}

}  // namespace

namespace {

void add_offline_options(CLI::App& command, OfflineToken& options) {
  constexpr const char* group = "While the relay is stopped";
  command
      .add_option("--data-dir", options.data_dir,
                  "Create an admin token directly in this data directory")
      ->type_name("DIR")
      ->group(group);
  command
      .add_option("--config", options.config_file,
                  "The same, in the data directory that this configuration file names")
      ->type_name("FILE")
      ->group(group);
  command
      .add_option("--set", options.assignments,
                  "Override a configuration key: section.key=value; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false)
      ->group(group);
  command
      .add_option("--out", options.file,
                  "Write the token to this new file, which only you can read; default: print it")
      ->type_name("FILE")
      ->group(group);
}

}  // namespace

void add_token_commands(CLI::App& app, Session& session, Action& action,
                        MakeOfflineToken make_offline) {
  CLI::App* group = app.add_subcommand("token", "Manage tokens: who may do what");
  group->require_subcommand(1);
  add_notes(*group, "");
  auto options = std::make_shared<TokenOptions>();

  CLI::App* adding =
      group->add_subcommand("add", "Create a token and print it; it is shown only once");
  adding->add_option("--name", options->name, "What the token is for")->type_name("NAME");
  suggest(adding->add_option("--scope", options->scopes, "What it may do; repeatable")
              ->type_name("SCOPE")
              ->allow_extra_args(false),
          {"events:write", "webhooks:read", "webhooks:write", "deliveries:read",
           "deliveries:redeliver", "metrics:read", "admin"});
  adding
      ->add_option("--source", options->sources,
                   "Restrict it to a source, e.g. app/c0ffee or 'app/*'; repeatable; default: all")
      ->type_name("SOURCE")
      ->allow_extra_args(false);
  adding
      ->add_option("--expires-in", options->expires_in,
                   "Lifetime: 90s, 15m, 12h, 30d; default: until it is removed")
      ->type_name("TIME");
  adding
      ->add_option("--organization", options->organization,
                   "Organization of the token (operators only; default: your own)")
      ->type_name("NAME");
  add_offline_options(*adding, options->offline);
  add_session_options(*adding, session);
  add_notes(
      *adding,
      "--name and --scope are required, unless the relay is stopped. If you have lost the admin "
      "token:\nstop the relay, create another token in its data directory, and start it again.\n"
      "\n"
      "  ringpost token add --name ci --scope events:write --source 'app/*' --expires-in 90d\n"
      "  ringpost token add --data-dir ~/ringpost --out ~/ringpost/admin.token");
  adding->callback([&, options, make_offline] {
    action = [&session, options, make_offline] {
      return add_token(session, *options, make_offline);
    };
  });

  CLI::App* listing = group->add_subcommand("list", "List tokens, newest first");
  listing->add_option("--organization", options->organization, "Organization; default: your own")
      ->type_name("NAME");
  add_session_options(*listing, session);
  listing->callback(
      [&, options] { action = [&session, options] { return list(session, *options); }; });

  CLI::App* removing =
      group->add_subcommand("remove", "Delete a token; it is refused from then on");
  removing->add_option("TOKEN", options->id, "The token's id or name")->required();
  add_session_options(*removing, session);
  removing->callback(
      [&, options] { action = [&session, options] { return remove(session, options->id); }; });
}

}  // namespace ringpost::cli
