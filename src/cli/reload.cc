#include "cli/commands.h"
#include "cli/text.h"

#include <cstdio>

namespace ringpost::cli {
namespace {

int reload(Session& session) {
  const auto answer = session.call("POST", "/v1/admin/reload");
  if (!answer) return session.failure_code();
  if (session.json) return 0;
  simdjson::dom::parser parser;
  simdjson::dom::element reloaded;
  if (!parse_answer(*answer, parser, reloaded)) return 0;
  std::printf("configuration reloaded at %s\n",
              short_time(text_of(reloaded, "/applied_at")).c_str());
  const std::string waiting = list_of(reloaded, "/needs_restart");
  if (!waiting.empty()) std::printf("takes effect after a restart: %s\n", waiting.c_str());
  return 0;
}

}  // namespace

void add_reload_command(CLI::App& app, Session& session, Action& action) {
  CLI::App* command =
      app.add_subcommand("reload", "Make the relay read its configuration again, as SIGHUP does");
  add_session_options(*command, session);
  add_notes(
      *command,
      "The relay reads its configuration file again, and the certificates and keys that the "
      "file names. If anything is wrong, nothing changes; run ringpost check-config first. No "
      "connection is closed. Keys that only a restart can change are listed. Requires an "
      "operator token.");
  command->callback([&] { action = [&session] { return reload(session); }; });
}

}  // namespace ringpost::cli
