#include "cli/commands.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/time_range.h"
#include "cli/totals.h"
#include "cli/view.h"
#include "cli/webhook_body.h"
#include "cli/webhook_options.h"
#include "dialect/dialect.h"
#include "dialect/guide.h"

#include <chrono>
#include <cstdio>
#include <thread>

namespace ringpost::cli {
namespace {

std::string path_of(const std::string& id) {
  return "/v1/webhooks/" + percent_encoded(id);
}

/// @param request  the body that was sent: a secret in it is known to the user.
int print_answer(Session& session, const std::optional<Answer>& answer,
                 const std::string& request = {}) {
  if (!answer) return session.failure_code();
  if (session.json) return 0;
  simdjson::dom::parser parser;
  simdjson::dom::element sent;
  const bool parsed = parse_json(request, parser, sent);
  std::printf(
      "%s", show_webhook(answer->body, parsed ? text_of(sent, "/secret") : std::string{}).c_str());
  return 0;
}

/// Why nothing is ever sent to a webhook that was just shown. Beside JSON, too, where a person may
/// not see it.
int warn(const std::optional<Answer>& answer, int code) {
  if (!answer) return code;
  std::fflush(stdout);  // What it warns of comes first.
  std::fprintf(stderr, "%s", warnings_of(answer->body).c_str());
  return code;
}

/// What came of asking the receiver, which the relay does as soon as the webhook is in force.
struct Permission {
  std::string state;   ///< As `permission` of a webhook.
  std::string reason;  ///< If it is not permission.

  bool is_known() const { return state != "unknown" || !reason.empty(); }
};

/// Waits a while for it to be known.
Permission await_permission(Session& session, const std::string& id) {
  constexpr int looks_max = 50;
  Permission permission{"unknown", ""};
  for (int look = 0; look < looks_max && !permission.is_known(); ++look) {
    if (look > 0) std::this_thread::sleep_for(std::chrono::milliseconds{100});
    const auto answer = session.exchange("GET", path_of(id), "", "");
    simdjson::dom::parser parser;
    simdjson::dom::element webhook;
    if (!answer || !answer->ok() || !parse_answer(*answer, parser, webhook)) break;
    permission = {text_of(webhook, "/permission"), text_of(webhook, "/permission_reason")};
  }
  return permission;
}

/// Where the receiver has to agree to deliveries: whether it does, and what it takes if not. Beside
/// JSON, which is for programs, it goes to standard error.
/// @param changed  the answer that shows the webhook as it is now.
void print_permission(Session& session, const Answer& changed) {
  simdjson::dom::parser parser;
  simdjson::dom::element webhook;
  if (!parse_answer(changed, parser, webhook)) return;
  FILE* const out = session.json ? stderr : stdout;
  if (text_of(webhook, "/permission") != "unknown") return;
  const Permission permission = await_permission(session, text_of(webhook, "/id"));
  if (permission.state == "granted") {
    std::fprintf(out,
                 "\nThe receiver was asked for permission (OPTIONS) and accepts deliveries.\n");
  } else if (permission.reason.empty()) {
    std::fprintf(
        out,
        "\nThe receiver was asked for permission (OPTIONS) and has not answered yet; see ringpost "
        "webhook show.\n");
  } else {
    std::fprintf(out,
                 "\nNothing is delivered yet: %s.\n"
                 "Each delivery asks again. To deliver without asking: --setting handshake=false\n",
                 permission.reason.c_str());
  }
}

int add(Session& session, const WebhookOptions& options) {
  const auto body = webhook_body(options, true);
  if (const auto* problem = std::get_if<UsageProblem>(&body)) return report_usage(*problem);
  const auto& request = std::get<std::string>(body);
  const auto created = session.call("POST", "/v1/webhooks", request);
  const int code = print_answer(session, created, request);
  if (created) print_permission(session, *created);
  return warn(created, code);
}

int update(Session& session, const WebhookOptions& options) {
  const auto body = webhook_body(options, false);
  if (const auto* problem = std::get_if<UsageProblem>(&body)) return report_usage(*problem);
  if (std::get<std::string>(body) == "{}") {
    return report_usage(
        {"nothing to change: see ringpost webhook update --help for what can be changed"});
  }
  const auto& request = std::get<std::string>(body);
  const auto changed = session.call("PATCH", path_of(options.id), request);
  const int code = print_answer(session, changed, request);
  if (changed) print_permission(session, *changed);
  return warn(changed, code);
}

int rotate_secret(Session& session, const std::string& id, const RotationOptions& options) {
  const auto body = rotation_body(options);
  if (const auto* problem = std::get_if<UsageProblem>(&body)) return report_usage(*problem);
  const auto& request = std::get<std::string>(body);
  return print_answer(session, session.call("POST", path_of(id) + "/rotate-secret", request),
                      request);
}

/// Where its requests go.
std::string place_of(simdjson::dom::element webhook) {
  const std::string url = text_of(webhook, "/url");
  return text_of(webhook, "/listener") == "true" ? url + " (ringpost listen)" : url;
}

int list(Session& session, const WebhookOptions& options) {
  if (options.sources.size() + options.apps.size() + options.pipelines.size() > 1) {
    return report_usage({"give one of --source, --app and --pipeline"});
  }
  std::string source;
  if (!options.sources.empty()) source = options.sources.front();
  if (!options.apps.empty()) source = "app/" + options.apps.front();
  if (!options.pipelines.empty()) source = "pipeline/" + options.pipelines.front();
  Table table({"ID", "STATE", "DIALECT", "URL", "SOURCES", "EVENTS", "FILTER"});
  const bool done =
      session.for_each_item(with_query("/v1/webhooks", {{"source", source}}), {}, [&](auto item) {
        table.add({text_of(item, "/id"), state_of(item), text_of(item, "/dialect"), place_of(item),
                   short_list_of(item, "/sources"), short_list_of(item, "/events"),
                   filter_of(item)});
      });
  if (!done) return session.failure_code();
  session.print(table, source.empty()
                           ? "No webhooks yet. Add one: ringpost webhook add --url https://…\n"
                           : "No webhook receives events from this source.\n");
  return 0;
}

// --- dry run -------------------------------------------------------------------------------------

/// Which events of the past a dry run looks at.
struct PastEvents {
  std::string id;
  std::string since;
  std::string until;
  std::string cursor;
  uint32_t limit = 20;
};

int dry_run(Session& session, const WebhookOptions& options, const PastEvents& events) {
  const bool creates = options.id.empty();
  WebhookOptions tried = options;
  if (creates && !tried.url) tried.url = "https://dry-run.invalid/";  // Nothing is sent.
  const auto body = webhook_body(tried, creates);
  if (const auto* problem = std::get_if<UsageProblem>(&body)) return report_usage(*problem);
  uint32_t received = 0;
  uint32_t seen = 0;
  Table table({"RECEIVED", "ACCEPTED", "TYPE", "SOURCE", "EVENT", "WHY NOT"});
  const std::string target =
      with_query(creates ? "/v1/dry-run" : path_of(options.id) + "/dry-run",
                 {{"id", events.id}, {"since", events.since}, {"until", events.until}});
  const bool done = session.for_each_item(
      target, {events.limit, events.cursor, std::get<std::string>(body)}, [&](auto item) {
        const bool would = text_of(item, "/would_receive") == "true";
        received += would ? 1 : 0;
        ++seen;
        table.add({would ? "yes" : "no", short_time(text_of(item, "/event/accepted_at")),
                   text_of(item, "/event/type"), text_of(item, "/event/source"),
                   text_of(item, "/event/id"), text_of(item, "/reason")});
      });
  if (!done) return session.failure_code();
  session.print(table, "No events match.\n");
  if (!session.json && seen > 0) {
    std::printf("The webhook would receive %u of these %u events.\n", received, seen);
  }
  return 0;
}

int remove(Session& session, const std::string& id) {
  return session.remove(path_of(id), id);
}

int ping(Session& session, const WebhookOptions& options) {
  const auto answer = session.call("POST", path_of(options.id) + "/ping");
  if (!answer) return session.failure_code();
  simdjson::dom::parser parser;
  simdjson::dom::element delivery;
  if (!parse_answer(*answer, parser, delivery)) return 0;
  if (!session.json) std::printf("delivery %s\n", text_of(delivery, "/id").c_str());
  std::fflush(stdout);  // It is made, whatever comes of the wait.
  if (!options.wait.empty()) {
    return follow_delivery(session, std::string{raw_text_of(delivery, "/id")}, options.wait);
  }
  return 0;
}

/// @param as  with what the user says of the relay.
int check(Session& session, const std::string& id, const ReceiverCheck& as,
          const CheckReceiver& check_receiver) {
  const bool as_json = std::exchange(session.json, false);  // The webhook itself is not printed.
  const auto answer = session.call("GET", path_of(id));
  if (!answer) return session.failure_code();
  simdjson::dom::parser parser;
  simdjson::dom::element webhook;
  if (!parse_answer(*answer, parser, webhook)) return exit_refused;
  ReceiverCheck check = as;
  check.url = raw_text_of(webhook, "/url");
  check.ca_pem = raw_text_of(webhook, "/tls/ca");
  check.json = as_json;
  bool verify = true;
  if (webhook.at_pointer("/tls/verify").get(verify) == simdjson::SUCCESS) check.verify = verify;
  return check_receiver(check);
}

// --- notes ---------------------------------------------------------------------------------------

std::string guides() {
  std::string text =
      "What each dialect takes (all options work with every dialect; --setting depends on it):";
  for (const dialect::Dialect* one : dialect::all()) {
    std::string_view guide = dialect::guide(one->name());
    while (guide.ends_with('\n')) guide.remove_suffix(1);
    text.append("\n\n").append(guide);
  }
  return text;
}

constexpr const char* update_notes =
    "Lists replace what was there; --setting and --header change what they name and keep the "
    "rest.\n"
    "RINGPOST_SECRET is ignored here, so that a forgotten variable changes no secret.\n"
    "\n"
    "  ringpost webhook update 01JARQ5Z --branches 'main release/*' --rate 20\n"
    "  printenv RINGPOST_SECRET | ringpost webhook update 01JARQ5Z --secret -\n"
    "  ringpost webhook update 01JARQ5Z --reset schedule";

constexpr const char* check_notes =
    "Name, network policy, TCP, TLS, and a HEAD request, as a delivery would go; no event is sent. "
    "Run it on the relay's machine. To send a test event: ringpost webhook ping ID\n"
    "\n"
    "  ringpost webhook check 01JARQ5Z --config /etc/ringpost/ringpost.toml";

constexpr const char* dry_run_notes =
    "Looks at the newest events of the organization and says of each whether the webhook would "
    "receive it, and why not. Nothing is stored and nothing is sent. With ID it is that webhook, "
    "with the other options as changes; without, a new webhook. Whether it is enabled does not "
    "matter.\n"
    "\n"
    "  ringpost webhook dry-run --event build/finished --branches main --where "
    "build.status=failed\n"
    "  ringpost webhook dry-run 01JARQ5Z --branches 'main release/*' --since "
    "2031-05-04T09:00:00Z\n"
    "  ringpost webhook dry-run 01JARQ5Z --id build-128";

constexpr const char* rotate_notes =
    "During the overlap requests carry both signatures, so that the receiver can switch at any "
    "time.\n"
    "Dialects with one signature per request take --overlap 0 only.\n"
    "\n"
    "  ringpost webhook rotate-secret 01JARQ5Z --overlap 24h";

}  // namespace

void add_webhook_commands(CLI::App& app, Session& session, Action& action,
                          const CheckReceiver& check_receiver) {
  CLI::App* group = app.add_subcommand("webhook", "Manage webhooks");
  group->require_subcommand(1);
  add_notes(*group, "");
  auto options = std::make_shared<WebhookOptions>();
  auto rotation = std::make_shared<RotationOptions>();

  const auto begin = [&](const char* name, const char* help, bool takes_id) {
    CLI::App* added = group->add_subcommand(name, help);
    if (takes_id) added->add_option("ID", options->id, "The webhook's id")->required();
    return added;
  };
  const auto command = [&](const char* name, const char* help, bool takes_id) {
    CLI::App* added = begin(name, help, takes_id);
    add_session_options(*added, session);
    return added;
  };

  CLI::App* adding = begin("add", "Create a webhook", false);
  add_target_options(*adding, *options, true);
  add_match_options(*adding, *options);
  add_request_options(*adding, *options, true);
  add_session_options(*adding, session, RelayOptions::long_names);
  add_notes(*adding, guides());
  adding->callback(
      [&, options] { action = [&session, options] { return add(session, *options); }; });

  CLI::App* listing = command("list", "List webhooks, newest first", false);
  listing
      ->add_option("--source", options->sources, "Only those that receive events from this source")
      ->type_name("SOURCE")
      ->allow_extra_args(false);
  listing->add_option("--app", options->apps, "The same as --source app/SLUG")
      ->type_name("SLUG")
      ->allow_extra_args(false);
  listing->add_option("--pipeline", options->pipelines, "The same as --source pipeline/…")
      ->type_name("ID|SLUG")
      ->allow_extra_args(false);
  listing->callback(
      [&, options] { action = [&session, options] { return list(session, *options); }; });

  command("show", "Show one webhook", true)->callback([&, options] {
    action = [&session, options] {
      const auto answer = session.call("GET", path_of(options->id));
      return warn(answer, print_answer(session, answer));
    };
  });

  CLI::App* checking =
      command("check", "Connect to its receiver from this machine, step by step", true);
  auto as = std::make_shared<ReceiverCheck>();
  checking
      ->add_option("--config", as->config_file,
                   "The relay's configuration file: its network policy and CAs count")
      ->type_name("FILE");
  checking
      ->add_option("--set", as->assignments,
                   "Override a configuration key, as the relay was given it; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  add_notes(*checking, check_notes);
  checking->callback([&, options, as, check_receiver] {
    action = [&session, options, as, check_receiver] {
      return check(session, options->id, *as, check_receiver);
    };
  });

  CLI::App* updating = begin("update", "Change the given options, keep the rest", true);
  add_target_options(*updating, *options, false);
  add_match_options(*updating, *options);
  add_request_options(*updating, *options, false);
  suggest(
      updating
          ->add_option("--reset", options->reset, "Reset this member to its default; repeatable")
          ->type_name("MEMBER")
          ->allow_extra_args(false),
      {"description", "sources", "events", "filter", "headers", "tls", "schedule", "timeout_ms",
       "concurrency_max", "rate_per_second"});
  add_session_options(*updating, session, RelayOptions::long_names);
  add_notes(*updating, update_notes);
  updating->callback(
      [&, options] { action = [&session, options] { return update(session, *options); }; });

  CLI::App* trying = begin("dry-run", "Say which recorded events it would receive, and why", false);
  auto events = std::make_shared<PastEvents>();
  trying->add_option("ID", options->id, "A webhook's id; default: a new webhook");
  add_match_options(*trying, *options);
  constexpr const char* own = "The webhook's dialect";
  add_dialect_option(*trying, *options, own);
  add_setting_option(*trying, *options, own);
  constexpr const char* past = "Events of the past";
  trying->add_option("--id", events->id, "Only the event with this id")
      ->type_name("EVENT")
      ->group(past);
  add_time_range(*trying, events->since, events->until, "Accepted");
  for (const char* bound : {"--since", "--until"}) trying->get_option(bound)->group(past);
  add_range_options(*trying, events->limit, events->cursor);
  add_session_options(*trying, session);
  add_notes(*trying, dry_run_notes);
  trying->callback([&, options, events] {
    action = [&session, options, events] { return dry_run(session, *options, *events); };
  });

  add_totals_command(*group, session, action);

  command("remove", "Delete a webhook and cancel its pending deliveries", true)
      ->callback(
          [&, options] { action = [&session, options] { return remove(session, options->id); }; });

  CLI::App* pinging =
      command("ping", "Send an event of type ping to a webhook, whatever its event types", true);
  add_wait_option(*pinging, options->wait);
  pinging->callback(
      [&, options] { action = [&session, options] { return ping(session, *options); }; });

  const auto verb = [&](const char* name, const char* help) {
    command(name, help, true)->callback([&session, &action, options, name = std::string(name)] {
      action = [&session, options, name] {
        const auto answer = session.call("POST", path_of(options->id) + "/" + name);
        const int code = print_answer(session, answer);
        return name == "enable" ? warn(answer, code) : code;
      };
    });
  };
  verb("enable", "Resume deliveries to a webhook");
  verb("disable", "Stop delivering to a webhook and cancel its pending deliveries");

  CLI::App* rotating =
      command("rotate-secret", "Replace its signing secret and show the new one once", true);
  add_secret_option(
      *rotating, rotation->secret,
      "The new secret: @FILE, or - for standard input; default: a new one is generated");
  rotating
      ->add_option("--overlap", rotation->overlap,
                   "How long the old secret signs as well, e.g. 12h; default: 24h, or 0 where a "
                   "request of the dialect has one signature")
      ->type_name("TIME");
  add_notes(*rotating, rotate_notes);
  rotating->callback([&, options, rotation] {
    action = [&session, options, rotation] {
      return rotate_secret(session, options->id, *rotation);
    };
  });
}

}  // namespace ringpost::cli
