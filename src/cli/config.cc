#include "cli/commands.h"
#include "cli/text.h"

#include <cstdio>

namespace ringpost::cli {
namespace {

bool is_true(simdjson::dom::element object, std::string_view path) {
  bool value = false;
  return object.at_pointer(path).get(value) == simdjson::SUCCESS && value;
}

std::string note_of(simdjson::dom::element key) {
  if (is_true(key, "/waiting")) return "a restart, for a new value";
  return is_true(key, "/reloadable") ? "" : "restart";
}

int show(Session& session, bool given_alone) {
  const auto answer = session.call("GET", "/v1/admin/config");
  if (!answer) return session.failure_code();
  if (session.json) return 0;
  simdjson::dom::parser parser;
  simdjson::dom::element configuration;
  simdjson::dom::array keys;
  if (!parse_answer(*answer, parser, configuration)) return 0;
  if (configuration["items"].get(keys) != simdjson::SUCCESS) return 0;
  Table table({"KEY", "VALUE", "SET", "CHANGES WITH"});
  for (const simdjson::dom::element key : keys) {
    const bool given = is_true(key, "/given");
    if (given_alone && !given) continue;
    const std::string value = text_of(key, "/value");
    const std::string note = note_of(key);
    table.add({text_of(key, "/key"), value.empty() ? "-" : value, given ? "yes" : "default",
               note.empty() ? "reload" : note});
  }
  session.print(table, "Nothing is set: all values are defaults.\n");
  return 0;
}

}  // namespace

void add_config_command(CLI::App& app, Session& session, Action& action) {
  CLI::App* command = app.add_subcommand("config", "Show the configuration that is in force");
  auto given_alone = std::make_shared<bool>(false);
  command->add_flag("--set-only", *given_alone, "Only what the file or the command line sets");
  add_session_options(*command, session);
  add_notes(*command,
            "Every key with its value in the running relay, passwords masked, and whether a new "
            "value comes into force with a reload or a restart. ringpost check-config --example "
            "explains the keys. Requires an operator token.\n"
            "\n"
            "  ringpost config --set-only");
  command->callback([&, given_alone] {
    action = [&session, given_alone] { return show(session, *given_alone); };
  });
}

}  // namespace ringpost::cli
