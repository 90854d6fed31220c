#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/text.h"
#include "crypto/scrypt.h"
#include "io/silent_terminal.h"

#include <cstdio>

// `user`: people who sign in to the console with a name and a password.

namespace ringpost::cli {
namespace {

struct UserOptions {
  std::string id;
  std::string name;
  std::string organization;
  std::vector<std::string> scopes;
  std::vector<std::string> sources;
  std::string password_file;
  bool password = false;
  bool enable = false;
  bool disable = false;
};

/// Of the user that an id or a sign-in name is about; nothing after a problem, which was printed.
std::optional<std::string> path_of(Session& session, const std::string& given) {
  const size_t slash = given.find('/');  // ORGANIZATION/NAME
  const std::string organization = slash == std::string::npos ? "" : given.substr(0, slash);
  const auto id = session.id_of(given, with_query("/v1/users", {{"organization", organization}}),
                                "/sign_in_name", "ringpost user list");
  if (!id) return std::nullopt;
  return "/v1/users/" + percent_encoded(*id);
}

void print_user(simdjson::dom::element user) {
  Rows rows(13);
  rows.add("id", text_of(user, "/id"))
      .add("signs in as", text_of(user, "/sign_in_name"))
      .add("organization", text_of(user, "/organization"))
      .add("scopes", list_of(user, "/scopes"))
      .add("sources", list_of(user, "/sources"))
      .add("state", text_of(user, "/enabled") == "true" ? "enabled" : "disabled")
      .add("created", short_time(text_of(user, "/created_at")))
      .add("changed", short_time(text_of(user, "/updated_at")));
  std::printf("%s", rows.take().c_str());
}

int print_answer(Session& session, const std::optional<Answer>& answer) {
  if (!answer) return session.failure_code();
  if (session.json) return 0;
  simdjson::dom::parser parser;
  simdjson::dom::element user;
  if (parse_answer(*answer, parser, user)) print_user(user);
  return 0;
}

// --- passwords -----------------------------------------------------------------------------------

/// Typed twice at a terminal; otherwise the first line of standard input.
Usable<std::string> ask_for_password() {
  const io::SilentTerminal terminal;
  const auto password = terminal.ask("Password: ", crypto::password_bytes_max);
  const auto again =
      terminal.is_terminal() ? terminal.ask("Repeat: ", crypto::password_bytes_max) : password;
  if (!password || !again) return UsageProblem{"no password was read"};
  if (*password != *again) return UsageProblem{"the two passwords differ; nothing was changed"};
  return *password;
}

/// @param file  empty: none was named.
Usable<std::string> read_password(const std::string& file) {
  auto read = file.empty() ? ask_for_password() : read_text_file(file);
  auto* password = std::get_if<std::string>(&read);
  if (password == nullptr) return read;
  if (password->ends_with('\n')) password->pop_back();
  if (password->ends_with('\r')) password->pop_back();
  if (password->empty()) {
    return UsageProblem{
        "the password is empty: type one, or give it by --password-file or standard input"};
  }
  if (!simdjson::validate_utf8(password->data(), password->size())) {
    return UsageProblem{"the password is not valid UTF-8"};
  }
  return read;
}

// --- commands ------------------------------------------------------------------------------------

int add(Session& session, const UserOptions& options) {
  const auto password = read_password(options.password_file);
  if (const auto* problem = std::get_if<UsageProblem>(&password)) return report_usage(*problem);
  std::string body;
  JsonWriter json{body};
  json.begin_object().member("name", options.name);
  json.member("password", std::get<std::string>(password));
  if (!options.organization.empty()) json.member("organization", options.organization);
  write_texts(json, "scopes", options.scopes);
  write_texts(json, "sources", options.sources);
  json.end_object();
  return print_answer(session, session.call("POST", "/v1/users", body));
}

int list(Session& session, const UserOptions& options) {
  Table table({"ID", "SIGNS IN AS", "SCOPES", "SOURCES", "STATE"});
  const std::string target = with_query("/v1/users", {{"organization", options.organization}});
  const bool done = session.for_each_item(target, {}, [&](auto item) {
    table.add({text_of(item, "/id"), text_of(item, "/sign_in_name"), list_of(item, "/scopes"),
               list_of(item, "/sources"),
               text_of(item, "/enabled") == "true" ? "enabled" : "disabled"});
  });
  if (!done) return session.failure_code();
  session.print(table, "No users. Add one: ringpost user add --name ann --scope webhooks:read\n");
  return 0;
}

int change(Session& session, const UserOptions& options) {
  const bool sets_password = options.password || !options.password_file.empty();
  if (options.scopes.empty() && options.sources.empty() && !sets_password && !options.enable &&
      !options.disable) {
    return report_usage(
        {"--scope, --source, --password, --password-file, --enable or --disable is required"});
  }
  std::string body;
  JsonWriter json{body};
  json.begin_object();
  write_texts(json, "scopes", options.scopes);
  write_texts(json, "sources", options.sources);
  if (options.enable || options.disable) json.member("enabled", options.enable);
  if (sets_password) {
    const auto password = read_password(options.password_file);
    if (const auto* problem = std::get_if<UsageProblem>(&password)) return report_usage(*problem);
    json.member("password", std::get<std::string>(password));
  }
  json.end_object();
  const auto path = path_of(session, options.id);
  if (!path) return session.failure_code();
  return print_answer(session, session.call("PATCH", *path, body));
}

int show(Session& session, const UserOptions& options) {
  const auto path = path_of(session, options.id);
  if (!path) return session.failure_code();
  return print_answer(session, session.call("GET", *path));
}

int remove(Session& session, const UserOptions& options) {
  const auto path = path_of(session, options.id);
  if (!path) return session.failure_code();
  return session.remove(*path, options.id, "; nobody is signed in as this user any more");
}

void add_rights(CLI::App& command, UserOptions& options) {
  suggest(command.add_option("--scope", options.scopes, "What the user may do; repeatable")
              ->type_name("SCOPE")
              ->allow_extra_args(false),
          {"events:write", "webhooks:read", "webhooks:write", "deliveries:read",
           "deliveries:redeliver", "metrics:read", "admin"});
  command
      .add_option("--source", options.sources,
                  "Restrict the user to a source, e.g. app/c0ffee or 'app/*'; repeatable; '*': all")
      ->type_name("SOURCE")
      ->allow_extra_args(false);
  command
      .add_option("--password-file", options.password_file,
                  "Read the password from this file; - for standard input")
      ->type_name("FILE");
}

}  // namespace

void add_user_commands(CLI::App& app, Session& session, Action& action) {
  CLI::App* group =
      app.add_subcommand("user", "Manage users, who sign in to the console with a password");
  group->require_subcommand(1);
  add_notes(*group, "");
  auto options = std::make_shared<UserOptions>();
  const auto command = [&](const char* name, const char* description, auto run) {
    CLI::App* made = group->add_subcommand(name, description);
    made->callback([&action, &session, options, run] {
      action = [&session, options, run] { return run(session, *options); };
    });
    return made;
  };

  CLI::App* adding = command("add", "Create a user", add);
  adding->add_option("--name", options->name, "Of a-z, 0-9 and . _ @ + -")
      ->type_name("NAME")
      ->required();
  add_rights(*adding, *options);
  adding->get_option("--scope")->required();
  adding
      ->add_option("--organization", options->organization,
                   "Organization of the user (operators only; default: your own)")
      ->type_name("NAME");
  add_session_options(*adding, session);
  add_notes(*adding,
            "Asks for the password, twice and without showing it, or reads it from a file or from "
            "standard input: at least 12 characters of any kind. Users of other organizations than "
            "default sign in as ORGANIZATION/NAME.\n\n"
            "  ringpost user add --name ann --scope webhooks:read --scope deliveries:read\n"
            "  ringpost user add --name bob --scope admin --password-file bob.password");

  CLI::App* listing = command("list", "List users, newest first", list);
  listing->add_option("--organization", options->organization, "Organization; default: your own")
      ->type_name("NAME");
  add_session_options(*listing, session);

  CLI::App* showing = command("show", "Show one", show);
  CLI::App* changing = command("change", "Change what a user may do, or the password", change);
  CLI::App* removing = command("remove", "Delete a user; their sessions end", remove);
  for (CLI::App* one : {showing, changing, removing}) {
    one->add_option("USER", options->id, "The user's id, or the name they sign in as")->required();
    add_session_options(*one, session);
  }
  add_rights(*changing, *options);
  changing->add_flag("--password", options->password, "Ask for a new password");
  CLI::Option* enable = changing->add_flag("--enable", options->enable, "Let the user sign in");
  changing->add_flag("--disable", options->disable, "Let nobody sign in as this user")
      ->excludes(enable);
  add_notes(*changing,
            "What the user may do counts at once, also for sessions that there are. Another "
            "password, or --disable, ends all sessions of the user.\n\n"
            "  ringpost user change ann --scope webhooks:read --source 'app/*'\n"
            "  ringpost user change ann --password");
}

}  // namespace ringpost::cli
