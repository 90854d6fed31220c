#pragma once

#include "cli/commands.h"

namespace ringpost::cli {

/// `webhook totals`.
void add_totals_command(CLI::App& webhook, Session& session, Action& action);

}  // namespace ringpost::cli
