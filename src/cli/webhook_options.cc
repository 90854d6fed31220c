#include "cli/webhook_options.h"

#include "cli/commands.h"
#include "dialect/dialect.h"

#include <optional>
#include <string>
#include <vector>

namespace ringpost::cli {
namespace {

/// An option whose empty value counts: `--branches ''` asks for every branch.
CLI::Option* add_text(CLI::App& command, const char* name, std::optional<std::string>& out,
                      const char* help) {
  return command.add_option_function<std::string>(
      name, [&out](const std::string& text) { out = text; }, help);
}

}  // namespace

CLI::Option* add_secret_option(CLI::App& command, std::string& from, const char* help) {
  return command.add_option("--secret", from, help)->type_name("@FILE");
}

void add_dialect_option(CLI::App& command, WebhookOptions& options, const char* group) {
  std::vector<std::string> dialects;
  for (const dialect::Dialect* one : dialect::all()) dialects.emplace_back(one->name());
  suggest(
      add_text(command, "--dialect", options.dialect, "Format of the requests; default: standard")
          ->group(group),
      dialects);
}

void add_setting_option(CLI::App& command, WebhookOptions& options, const char* group) {
  command
      .add_option(
          "--setting", options.settings,
          "A setting of the dialect as key=value; the value is a word, JSON, or @FILE; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false)
      ->group(group);
}

void add_target_options(CLI::App& command, WebhookOptions& options, bool creates) {
  constexpr const char* group = "The webhook";
  add_text(command, "--url", options.url, "Where to deliver, https://…")
      ->type_name("URL")
      ->required(creates)
      ->group(group);
  if (creates) {
    add_dialect_option(command, options, group);
    add_text(command, "--organization", options.organization,
             "Organization that owns it; default: the token's")
        ->group(group);
  }
  add_text(command, "--description", options.description, "Description")->group(group);
  add_secret_option(
      command, options.secret,
      creates ? "Signing secret or token, as the dialect wants it: @FILE, or - for standard "
                "input; default: RINGPOST_SECRET, or one that the dialect generates"
              : "Replace the signing secret or token at once: @FILE, or - for standard input")
      ->group(group);
  add_setting_option(command, options, group);
}

void add_match_options(CLI::App& command, WebhookOptions& options) {
  constexpr const char* group = "Which events";
  const auto texts = [&](const char* name, std::vector<std::string>& out, const char* label,
                         const char* help) {
    command.add_option(name, out, help)->type_name(label)->allow_extra_args(false)->group(group);
  };
  texts("--source", options.sources, "SOURCE",
        "Source, e.g. app/c0ffee, 'app/*' or '*'; repeatable; default: all");
  texts("--app", options.apps, "SLUG", "The source app/SLUG; repeatable");
  texts("--pipeline", options.pipelines, "ID|SLUG", "The source pipeline/…; repeatable");
  texts("--resource", options.resources, "TYPE/ID", "The source resource/TYPE/ID; repeatable");
  texts("--event", options.events, "TYPE",
        "Event type, e.g. build/finished, 'build/*' or 'build.*'; repeatable; default: all");
  add_text(command, "--branches", options.branches,
           "Branch patterns, e.g. 'main release/* !release/old'; '' is every branch")
      ->type_name("PATTERNS")
      ->group(group);
  texts("--team", options.teams, "TEAM", "Only events of this team; repeatable");
  texts("--cluster", options.clusters, "CLUSTER", "Only events of this cluster; repeatable");
  texts("--where", options.where, "CONDITION",
        "Only events whose data says so: build.status=failed, 'build.number>=3', "
        "'branch!=main', 'branch^=release/' (a prefix), flaky (exists), '!flaky', "
        "'branch=[\"main\",\"next\"]', a "
        "condition as JSON, or @FILE; repeatable, all must hold; '' is any data");
}

void add_header_option(CLI::App& command, WebhookOptions& options, bool creates,
                       const char* group) {
  command
      .add_option("--header", options.headers,
                  creates ? "'Name: value' to send along, or @FILE of such lines; repeatable"
                          : "'Name: value' to send along, 'Name:' to leave it out, or @FILE of "
                            "such lines; repeatable")
      ->type_name("HEADER")
      ->allow_extra_args(false)
      ->group(group);
}

void add_request_options(CLI::App& command, WebhookOptions& options, bool creates) {
  constexpr const char* group = "Each request";
  add_header_option(command, options, creates, group);
  command
      .add_option("--schedule", options.schedule,
                  "Time before attempts 2, 3, …, e.g. 5s,5m,30m; repeatable")
      ->type_name("TIME")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group(group);
  command.add_flag("--no-retries", options.no_retries, "One attempt only")
      ->excludes("--schedule")
      ->group(group);
  command.add_option("--timeout", options.timeout, "Total time of one attempt, 100ms to 120s")
      ->type_name("TIME")
      ->group(group);
  command.add_option("--concurrency", options.concurrency, "Attempts in flight at once, 1 to 256")
      ->type_name("COUNT")
      ->group(group);
  command.add_option("--rate", options.rate, "Attempts per second, 1 to 100000")
      ->type_name("COUNT")
      ->group(group);
  command.add_option("--ca", options.ca_file, "PEM file: verify the receiver against this CA")
      ->type_name("FILE")
      ->group(group);
  command.add_flag("--no-verify", options.no_verify, "Do not verify the receiver's certificate")
      ->group(group);
}

}  // namespace ringpost::cli
