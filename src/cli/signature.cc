#include "base/log.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/webhook_body.h"
#include "dialect/dialect.h"
#include "http/syntax.h"

#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// `sign` and `verify`: a receiver's author tries a signature out without a relay.

namespace ringpost::cli {
namespace {

struct SignatureOptions {
  std::string dialect;
  std::string secret_from;  ///< Where it is read from (read_secret).
  std::string secret;       ///< Filled in by dialect_of.
  std::string body_file = "-";
  // sign
  std::string id;
  std::string timestamp;
  std::string type;  ///< Empty: of an event of the dialect's own; the source likewise.
  std::string source;
  std::vector<std::string> settings;  ///< As of `webhook add`.
  // verify
  std::vector<std::string> headers;
  std::string tolerance = "5m";
};

int fail(const std::string& problem) {
  return report_usage({problem});
}

/// The body's bytes. Nothing after a problem was printed.
std::optional<std::string> body_of(const SignatureOptions& options) {
  auto body = read_file(options.body_file);
  if (auto* text = std::get_if<std::string>(&body)) return std::move(*text);
  report_usage(std::get<UsageProblem>(body));
  return std::nullopt;
}

/// The chosen dialect, and its secret read; nullptr after a problem was printed.
const dialect::Dialect* dialect_of(SignatureOptions& options) {
  auto secret = read_secret("--secret", options.secret_from, "RINGPOST_SECRET");
  if (const auto* wrong = std::get_if<UsageProblem>(&secret)) {
    report_usage(*wrong);
    return nullptr;
  }
  options.secret = std::get<std::string>(std::move(secret));
  const dialect::Dialect* chosen = dialect::find(options.dialect);
  std::string problem;
  if (chosen == nullptr || !chosen->verifies()) {
    problem = "--dialect " + printable(options.dialect) + " must be one of";
    const char* separator = " ";
    for (const dialect::Dialect* known : dialect::all()) {
      if (!known->verifies()) continue;
      problem.append(std::exchange(separator, ", ")).append(known->name());
    }
  } else if (options.secret.empty()) {
    problem = "give the secret with --secret @FILE or in RINGPOST_SECRET";
  } else if (const auto objection = chosen->object_to_secret(options.secret); !objection.empty()) {
    problem = "the secret " + std::string{objection};
  }
  if (problem.empty()) return chosen;
  fail(problem);
  return nullptr;
}

/// `--timestamp`, or now. Nothing if it is no time.
std::optional<WallTime> time_of(const SignatureOptions& options) {
  if (options.timestamp.empty()) return wall_now();
  if (const auto time = parse_rfc3339(options.timestamp)) return time;
  constexpr uint64_t seconds_max = 9'000'000'000;  // Nanoseconds have to fit 64 bits.
  const auto seconds = http::parse_decimal(options.timestamp);
  if (!seconds || *seconds > seconds_max) return std::nullopt;
  return from_unix_ns(static_cast<int64_t>(*seconds) * 1'000'000'000);
}

// --- sign ----------------------------------------------------------------------------------------

/// A webhook of the dialect with the options' secret and settings. Nothing after a problem was
/// printed.
std::optional<subscription::Webhook> webhook_of(const dialect::Dialect& dialect,
                                                const SignatureOptions& options) {
  subscription::Webhook webhook = dialect.defaults();
  webhook.secret = options.secret;
  webhook.destination = {.url = "https://receiver.invalid/",
                         .tls = true,
                         .host = "receiver.invalid",
                         .port = 443,
                         .target = "/"};
  const auto settings = settings_object(options.settings);
  if (const auto* wrong = std::get_if<UsageProblem>(&settings)) {
    report_usage(*wrong);
    return std::nullopt;
  }
  const auto problem = dialect.read_settings(std::get<std::string>(settings), webhook);
  if (!problem) return webhook;
  const std::string place = problem->member.empty() ? "--setting" : problem->member;
  fail(printable(place + ": " + problem->detail));
  return std::nullopt;
}

/// Prints a head's header lines but for those that depend on where the request goes and on who
/// sends it: a client writes these itself.
void print_headers(std::string_view head) {
  head.remove_prefix(head.find("\r\n") + 2);
  while (!head.starts_with("\r\n")) {
    const size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    const std::string_view name = line.substr(0, line.find(':'));
    if (http::equal_ignoring_case(name, "host") ||
        http::equal_ignoring_case(name, "content-length")) {
      continue;
    }
    std::printf("%s\n", printable(line).c_str());
  }
}

/// Why a request does not carry the body that was given: its signature would be of another one.
int fail_for_other_body(const std::string& dialect, std::string_view sent) {
  constexpr size_t shown_max = 4096;
  std::string problem =
      "the dialect " + dialect + " sends another body for this event; sign that one: ";
  problem += sent.size() <= shown_max ? printable(sent) : std::to_string(sent.size()) + " bytes";
  return fail(problem);
}

int sign(SignatureOptions& options) {
  const dialect::Dialect* dialect = dialect_of(options);
  if (dialect == nullptr) return exit_usage;
  const auto time = time_of(options);
  if (!time) {
    return fail("--timestamp must be seconds since 1970, or a time like 2031-05-04T09:08:07Z");
  }
  Prng random{static_cast<uint64_t>(to_unix_ns(wall_now()))};
  const auto id = options.id.empty() ? Ulid::mint(*time, random) : Ulid::parse_either(options.id);
  if (!id) return fail("--id must be a delivery id: 26 letters and digits (a ULID), or a UUID");
  const auto webhook = webhook_of(*dialect, options);
  if (!webhook) return exit_usage;
  const auto body = body_of(options);
  if (!body) return exit_usage;
  journal::EventView event;
  const dialect::Dialect::ExampleEvent example = dialect->example_event();
  event.type = options.type.empty() ? example.type : std::string_view{options.type};
  event.source = options.source.empty() ? example.source : std::string_view{options.source};
  event.data = as_bytes(*body);
  dialect::Request request;
  const auto renderer = dialect->make_renderer(*webhook);
  if (const auto error =
          renderer->render({.event = event, .delivery = *id, .now = *time}, request)) {
    return fail(describe(*error));
  }
  if (as_text(request.body) != *body) {
    return fail_for_other_body(options.dialect, as_text(request.body));
  }
  print_headers(request.head);
  return 0;
}

// --- verify --------------------------------------------------------------------------------------

/// Signatures are of yesterday at the most; a longer time is a slip.
constexpr auto tolerance_max = std::chrono::hours{366 * 24};

/// Nothing after a problem was printed.
std::optional<std::vector<http::Header>> headers_of(const std::vector<std::string>& options) {
  std::vector<http::Header> headers;
  for (const std::string& option : options) {
    const auto lines = read_lines("--header", option);
    if (const auto* wrong = std::get_if<UsageProblem>(&lines)) {
      report_usage(*wrong);
      return std::nullopt;
    }
    for (const auto& [place, line] : std::get<std::vector<PlacedLine>>(lines)) {
      const auto field = http::parse_field_line(line);
      if (!field) {
        fail(place + " \"" + printable(line) + "\" must have the form 'Name: value'");
        return std::nullopt;
      }
      headers.push_back({std::string{field->name}, std::string{field->value}});
    }
  }
  return headers;
}

int verify(SignatureOptions& options) {
  const dialect::Dialect* dialect = dialect_of(options);
  if (dialect == nullptr) return exit_usage;
  const auto read = read_duration("--tolerance", options.tolerance);
  if (const auto* problem = std::get_if<UsageProblem>(&read)) return report_usage(*problem);
  const auto tolerance = std::get<std::chrono::milliseconds>(read);
  if (tolerance > tolerance_max) return fail("--tolerance must be at most 366d");
  const auto now = time_of(options);
  if (!now) return fail("--at must be seconds since 1970, or a time like 2031-05-04T09:08:07Z");
  const auto headers = headers_of(options.headers);
  if (!headers) return exit_usage;
  const auto body = body_of(options);
  if (!body) return exit_usage;
  const dialect::Verdict verdict = dialect->verify({*headers, as_bytes(*body)}, options.secret,
                                                   {.now = *now, .tolerance = tolerance});
  if (verdict.authentic()) {
    std::printf("valid\n");
    return 0;
  }
  std::printf("not valid: %s\n", printable(verdict.reason).c_str());
  return exit_refused;
}

// --- options -------------------------------------------------------------------------------------

void add_common_options(CLI::App& command, SignatureOptions& options) {
  std::vector<std::string> known;
  for (const dialect::Dialect* dialect : dialect::all()) {
    if (dialect->verifies()) known.emplace_back(dialect->name());
  }
  suggest(command.add_option("--dialect", options.dialect, "How requests are signed")->required(),
          known);
  command
      .add_option("--secret", options.secret_from,
                  "The webhook's secret: @FILE, or - for standard input; default: RINGPOST_SECRET")
      ->type_name("@FILE");
  command.add_option("--body", options.body_file, "File with the body's exact bytes; - reads them")
      ->type_name("FILE")
      ->capture_default_str();
}

void add_sign_command(CLI::App& app, Action& action) {
  auto options = std::make_shared<SignatureOptions>();

  CLI::App* signing = app.add_subcommand(
      "sign", "Print the headers that a request with this body would carry; needs no relay");
  add_common_options(*signing, *options);
  signing->add_option("--id", options->id, "The delivery's id, a ULID; default: a new one");
  signing->add_option("--timestamp", options->timestamp,
                      "When it is sent: seconds since 1970 or RFC 3339; default: now");
  signing->add_option("--type", options->type,
                      "The event's type; default: build.finished, or as the dialect spells it");
  signing->add_option("--source", options->source,
                      "The event's source; default: as the dialect names one");
  signing
      ->add_option("--setting", options->settings,
                   "key=value of the webhook's settings: a word, JSON, or @FILE; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  signing->footer(
      "Examples:\n"
      "  export RINGPOST_SECRET=relay-demo-secret\n"
      "  ringpost sign --dialect bitrise --body build.json\n"
      "  ringpost sign --dialect bitrise --body build.json |\n"
      "    curl -H @- --data-binary @build.json https://ci.example.org/in\n"
      "\nExit codes: 0 done; 2 wrong usage.");
  signing->callback([&action, options] { action = [options] { return sign(*options); }; });
}

void add_verify_command(CLI::App& app, Action& action) {
  auto options = std::make_shared<SignatureOptions>();
  CLI::App* verifying = app.add_subcommand(
      "verify", "Say whether a request is authentic, and why not; needs no relay");
  add_common_options(*verifying, *options);
  verifying
      ->add_option(
          "--header", options->headers,
          "'Name: value' of the request, or @FILE of such lines; repeatable; other headers "
          "are ignored")
      ->type_name("HEADER")
      ->allow_extra_args(false);
  verifying
      ->add_option("--tolerance", options->tolerance,
                   "How far the signed time may be from now, e.g. 90s or 5m")
      ->type_name("TIME")
      ->capture_default_str();
  verifying->add_option("--at", options->timestamp,
                        "Verify as of this time: seconds since 1970 or RFC 3339; default: now");
  verifying->footer(
      "Examples:\n"
      "  export RINGPOST_SECRET=relay-demo-secret\n"
      "  ringpost verify --dialect bitrise --body body.json \\\n"
      "    --header 'Bitrise-Hook-Signature: sha256=6ec7…'\n"
      "  ringpost sign --dialect bitrise --body body.json |\n"
      "    ringpost verify --dialect bitrise --body body.json --header @-\n"
      "\nExit codes: 0 valid; 1 not valid; 2 wrong usage.");
  verifying->callback([&action, options] { action = [options] { return verify(*options); }; });
}

}  // namespace

// Each has options of its own: those of a command that was not chosen are filled from the
// environment too.
void add_signature_commands(CLI::App& app, Action& action) {
  add_sign_command(app, action);
  add_verify_command(app, action);
}

}  // namespace ringpost::cli
