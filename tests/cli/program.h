#pragma once

#include "cli/commands.h"

#include <memory>

namespace ringpost::cli {

/// The client's whole command line, for tests.
struct Program {
  Program() {
    add_send_command(app, session, action);
    add_webhook_commands(app, session, action, nullptr);
    add_delivery_commands(app, session, action);
    add_source_commands(app, session, action);
    add_event_commands(app, session, action);
    add_replay_commands(app, session, action);
    add_token_commands(app, session, action, [](const OfflineToken&) { return 0; });
    add_audit_commands(app, session, action, nullptr);
    add_status_command(app, session, action);
    add_top_command(app, session, action);
    add_config_command(app, session, action);
    add_open_command(app, session, action);
    add_reload_command(app, session, action);
    add_signature_commands(app, action);
    add_completion_command(app, action);
  }

  CLI::App app{"The program: all of it", "ringpost"};
  Session session;
  Action action;
};

}  // namespace ringpost::cli
