#pragma once

#include "cli/webhook_body.h"

#include <CLI/CLI.hpp>

#include <string>

namespace ringpost::cli {

// Options that say what a webhook is to be. What they set lives as long as the command.

/// @param from  where the secret is read from (read_secret).
CLI::Option* add_secret_option(CLI::App& command, std::string& from, const char* help);
void add_dialect_option(CLI::App& command, WebhookOptions& options, const char* group);
void add_setting_option(CLI::App& command, WebhookOptions& options, const char* group);
/// @param creates  the webhook is made, and not changed.
void add_header_option(CLI::App& command, WebhookOptions& options, bool creates, const char* group);
/// Where it sends to, and as what.
void add_target_options(CLI::App& command, WebhookOptions& options, bool creates);
/// Which events it gets.
void add_match_options(CLI::App& command, WebhookOptions& options);
/// Each request: headers, retries, pace, certificates.
void add_request_options(CLI::App& command, WebhookOptions& options, bool creates);

}  // namespace ringpost::cli
