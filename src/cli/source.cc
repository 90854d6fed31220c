#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "cli/webhook_body.h"
#include "subscription/git_source.h"

#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace ringpost::cli {
namespace {

struct SourceOptions {
  std::string id;
  std::string host;
  std::optional<std::string> description;
  std::optional<std::string> app;
  std::optional<std::string> pipeline;
  std::string secret;  ///< Where it is read from (read_secret); so is the next one.
  std::string git_token;
  std::optional<std::string> git;
  bool no_git = false;
};

/// Where a source's repository is, and the token for it, as bodies have them; nothing if neither
/// was given.
std::variant<std::string, UsageProblem> git_body(const SourceOptions& options) {
  if (options.no_git && (options.git || !options.git_token.empty())) {
    return UsageProblem{"--no-git excludes --git and --git-token"};
  }
  if (options.no_git) return std::string{"null"};
  auto token = read_secret("--git-token", options.git_token, nullptr);
  if (auto* problem = std::get_if<UsageProblem>(&token)) return *problem;
  const auto& text = std::get<std::string>(token);
  if (!options.git && text.empty()) return std::string{};
  std::string body;
  JsonWriter json{body};
  json.begin_object();
  if (options.git) json.member("url", *options.git);
  if (!text.empty()) json.member("token", text);
  json.end_object();
  return body;
}

std::string path_of(const std::string& id) {
  return "/v1/sources/" + percent_encoded(id);
}

/// What to enter in the host's form for a new webhook, beside URL and secret.
const char* form_of(const std::string& host) {
  if (host == "buildkite") return "sign with the secret, as GitHub or Linear do";
  if (host == "gitlab") return "paste the URL and, as secret token, the secret; choose the events";
  if (host == "github" || host == "gitea" || host == "forgejo" || host == "gogs") {
    return "paste the URL and the secret, choose the content type application/json and the events";
  }
  return "paste the URL and the secret, and choose the events";
}

/// The title of a host; its name if it is unknown here.
std::string title_of(const std::string& host) {
  const auto known = subscription::parse_git_host(host);
  return known ? std::string{title(*known)} : host;
}

/// Which events the calls of a source make.
std::string events_of(const std::string& host, const std::string& app,
                      const std::string& pipeline) {
  if (!pipeline.empty()) return "pipeline.triggered of pipeline/" + pipeline;
  return app.empty() ? "repository/" + host + "/<path>" : "build/trigger of app/" + app;
}

/// "yes (webhook 7)", or why not.
std::string registration_of(simdjson::dom::element source) {
  const std::string result = text_of(source, "/git/registration/result");
  const std::string hook = text_of(source, "/git/registration/hook_id");
  const std::string at = short_time(text_of(source, "/git/registration/result_at"));
  std::string text = hook.empty() ? "no" : "webhook " + hook;
  if (result.empty()) return text + "; ringpost source register " + text_of(source, "/id");
  const bool failed = text_of(source, "/git/registration/failed") == "true";
  return text + (failed ? "; the last try failed at " : "; ") + at + ": " + result;
}

/// What the search could not look at, as sentences without a full stop; empty: nothing.
std::string unsearched_of(simdjson::dom::element source) {
  const std::string search = text_of(source, "/git/gaps/search");
  if (search == "not_offered") return "not known: the API of this host shows no log of calls";
  if (search == "off") return "not looked for: the source is not registered or not enabled";
  const std::string problem = text_of(source, "/git/gaps/problem");
  const std::string unsearched = text_of(source, "/git/gaps/not_searched");
  std::string text = problem.empty() ? "" : "the last try failed: " + problem;
  if (!unsearched.empty())
    text.append(text.empty() ? "" : "; ").append("not looked at: " + unsearched);
  return text;
}

/// How the search for what did not come goes.
std::string gaps_of(simdjson::dom::element source) {
  const std::string unsearched = unsearched_of(source);
  if (text_of(source, "/git/gaps/search") != "on") return unsearched;
  const std::string at = short_time(text_of(source, "/git/gaps/searched_at"));
  return text_of(source, "/git/gaps/missing") + " missing, " +
         text_of(source, "/git/gaps/given_up") + " given up" +
         (at.empty() ? "" : "; looked at " + at) + (unsearched.empty() ? "" : "; " + unsearched);
}

void add_git_rows(Rows& rows, simdjson::dom::element source) {
  const std::string url = text_of(source, "/git/url");
  if (url.empty()) return;
  rows.add("repository", url)
      .add("registered", registration_of(source))
      .add("deliveries", gaps_of(source));
}

/// @param sent  the secret of the request: the user knows it.
void print_source(simdjson::dom::element source, const std::string& sent) {
  const std::string secret = text_of(source, "/secret");
  const std::string host = text_of(source, "/host");
  const std::string app = text_of(source, "/app");
  const std::string url = text_of(source, "/url");
  Rows rows(16);
  rows.add("id", text_of(source, "/id"))
      .add("host", title_of(host))
      .add("description", text_of(source, "/description"))
      .add("organization", text_of(source, "/organization"))
      .add("state", text_of(source, "/enabled") == "true" ? "enabled" : "disabled")
      .add("url", url)
      .add("secret", secret == sent && !sent.empty() ? "(as given)" : secret)
      .add("old secret until", short_time(text_of(source, "/previous_secret_until")))
      .add("events", events_of(host, app, text_of(source, "/pipeline")));
  add_git_rows(rows, source);
  rows.add("created", short_time(text_of(source, "/created_at")))
      .add("updated", short_time(text_of(source, "/updated_at")));
  std::printf("%s", rows.take().c_str());
  const auto is_at = [&url](const char* own) { return url.find(own) != std::string::npos; };
  if (is_at("://127.") || is_at("://localhost") || is_at("://[::1]")) {
    std::printf(
        "\nOnly this machine can call this URL: set server.public_url to how the host reaches the "
        "relay.\n");
  }
  if (secret.empty()) return;
  if (!text_of(source, "/git/url").empty()) {
    std::printf("\nMake the webhook at %s: ringpost source register %s\n", title_of(host).c_str(),
                text_of(source, "/id").c_str());
    return;
  }
  std::printf("\nThe secret is shown only this once. In the webhook's settings at %s: %s.\n",
              title_of(host).c_str(), form_of(host));
}

int print_answer(Session& session, const std::optional<Answer>& answer,
                 const std::string& sent = {}) {
  if (!answer) return session.failure_code();
  if (session.json) return 0;
  simdjson::dom::parser parser;
  simdjson::dom::element source;
  if (parse_answer(*answer, parser, source)) print_source(source, sent);
  return 0;
}

int add(Session& session, const SourceOptions& options) {
  const auto secret = read_secret("--secret", options.secret, nullptr);
  if (const auto* problem = std::get_if<UsageProblem>(&secret)) return report_usage(*problem);
  const auto& text = std::get<std::string>(secret);
  const auto git = git_body(options);
  if (const auto* problem = std::get_if<UsageProblem>(&git)) return report_usage(*problem);
  std::string body;
  JsonWriter json{body};
  json.begin_object().member("host", options.host);
  if (options.description) json.member("description", *options.description);
  if (options.app) json.member("app", *options.app);
  if (options.pipeline) json.member("pipeline", *options.pipeline);
  if (!text.empty()) json.member("secret", text);
  if (const auto& repository = std::get<std::string>(git); !repository.empty()) {
    json.key("git").raw(repository);
  }
  json.end_object();
  return print_answer(session, session.call("POST", "/v1/sources", body), text);
}

int list(Session& session) {
  Table table({"ID", "HOST", "STATE", "DESCRIPTION", "URL"});
  const bool done = session.for_each_item("/v1/sources", {}, [&](auto item) {
    table.add({text_of(item, "/id"), text_of(item, "/host"),
               text_of(item, "/enabled") == "true" ? "enabled" : "disabled",
               text_of(item, "/description"), text_of(item, "/url")});
  });
  if (!done) return session.failure_code();
  session.print(table, "No git sources yet. Add one: ringpost source add --host github\n");
  return 0;
}

int update(Session& session, const SourceOptions& options) {
  const auto git = git_body(options);
  if (const auto* problem = std::get_if<UsageProblem>(&git)) return report_usage(*problem);
  const auto& repository = std::get<std::string>(git);
  if (!options.description && repository.empty()) {
    return report_usage({"--description, --git, --git-token or --no-git is required"});
  }
  std::string body;
  JsonWriter json{body};
  json.begin_object();
  if (options.description) json.member("description", *options.description);
  if (!repository.empty()) json.key("git").raw(repository);
  json.end_object();
  return print_answer(session, session.call("PATCH", path_of(options.id), body));
}

int register_at_host(Session& session, const std::string& id) {
  const auto answer = session.call("POST", path_of(id) + "/register");
  if (!answer) return session.failure_code();
  if (session.json) return 0;
  simdjson::dom::parser parser;
  simdjson::dom::element registration;
  if (parse_answer(*answer, parser, registration)) {
    std::printf("%s: %s\n", id.c_str(), text_of(registration, "/result").c_str());
  }
  return 0;
}

/// The gaps of one source as rows. @returns whether the relay told of them.
bool add_gaps(Session& session, const std::string& id, Table& table) {
  const auto answer = session.call("GET", path_of(id) + "/gaps");
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array items;
  if (!answer || !parse_answer(*answer, parser, root)) return false;
  if (root.at_pointer("/items").get(items)) return false;
  for (const auto item : items) {
    const std::string status = text_of(item, "/status");
    table.add({id, text_of(item, "/delivery"), text_of(item, "/event"),
               short_time(text_of(item, "/sent_at")), status.empty() ? "none" : status,
               text_of(item, "/state"), text_of(item, "/asked"), text_of(item, "/detail")});
  }
  return true;
}

/// The sources whose gaps are wanted: by id, what of the search is to be known beside its gaps.
using Searches = std::map<std::string, std::string>;

void add_search(Searches& searches, simdjson::dom::element source) {
  const std::string url = text_of(source, "/git/url");
  if (!url.empty()) searches.emplace(text_of(source, "/id"), unsearched_of(source));
}

std::optional<Searches> read_searches(Session& session, const std::string& id) {
  Searches searches;
  if (id.empty()) {
    const bool as_json = std::exchange(session.json, false);
    const bool done =
        session.for_each_item("/v1/sources", {}, [&](auto item) { add_search(searches, item); });
    session.json = as_json;
    return done ? std::optional{searches} : std::nullopt;
  }
  simdjson::dom::parser parser;
  simdjson::dom::element source;
  const auto answer = session.call("GET", path_of(id));
  if (!answer || !parse_answer(*answer, parser, source)) return std::nullopt;
  add_search(searches, source);
  if (searches.empty()) searches.emplace(id, "not looked for: the source has no --git");
  return searches;
}

int gaps(Session& session, const std::string& id) {
  Table table({"SOURCE", "DELIVERY", "EVENT", "SENT", "ANSWER", "STATE", "ASKED", "DETAIL"});
  const auto searches = read_searches(session, id);
  if (!searches) return session.failure_code();
  for (const auto& [each, unsearched] : *searches) {
    if (!add_gaps(session, each, table)) return session.failure_code();
  }
  session.print(table, "Nothing is missing, as far as the hosts' logs tell.\n");
  for (const auto& [each, unsearched] : *searches) {
    if (!unsearched.empty()) {
      std::fprintf(stderr, "%s: %s\n", each.c_str(), unsearched.c_str());
    }
  }
  return 0;
}

int set_enabled(Session& session, const std::string& id, bool enabled) {
  std::string body;
  JsonWriter{body}.begin_object().member("enabled", enabled).end_object();
  return print_answer(session, session.call("PATCH", path_of(id), body));
}

int rotate_secret(Session& session, const std::string& id, const RotationOptions& options) {
  const auto body = rotation_body(options);
  if (const auto* problem = std::get_if<UsageProblem>(&body)) return report_usage(*problem);
  return print_answer(
      session, session.call("POST", path_of(id) + "/rotate-secret", std::get<std::string>(body)));
}

int remove(Session& session, const std::string& id) {
  return session.remove(path_of(id), id, "; calls to its URL are answered 404 from now on");
}

constexpr const char* add_notes_text =
    "A git source is the URL and the secret of a webhook at a git host. Each push, tag, pull "
    "request and comment there becomes an event: git.push, git.tag, git.pull_request, "
    "git.comment, and git.NAME for anything else that the host sends. Its source is "
    "repository/HOST/PATH, its data what the host sent. Any webhook can subscribe to these "
    "events. Requires a token with the scopes webhooks:write and events:write, since the secret is "
    "enough to send events.\n"
    "\n"
    "With --app, a push, pull request or comment that starts a build by the rules of Bitrise's "
    "receiver becomes an event build/trigger of the source app/SLUG; its data is a body of "
    "POST /apps/SLUG/builds.\n"
    "\n"
    "With --git and --git-token, `ringpost source register` makes the webhook at the host, and "
    "what "
    "the host sent while the relay could not take it is asked for again (GitHub and GitLab). The "
    "token must be allowed to manage the repository's webhooks.\n"
    "\n"
    "With --host buildkite, the URL is a pipeline trigger of Buildkite's: each call with a JSON "
    "body "
    "becomes an event pipeline.triggered of the source pipeline/SLUG, with the body in it. With "
    "--secret, calls must be signed as GitHub or Linear sign theirs.\n"
    "\n"
    "  ringpost source add --host github --description 'all of acme'\n"
    "  ringpost source add --host buildkite --pipeline main-app\n"
    "  ringpost source add --host gitlab --app c0ffee1234abcd56\n"
    "  ringpost source add --host github --app c0ffee1234abcd56 --git "
    "https://github.com/acme/shop.git --git-token @token\n"
    "  ringpost webhook add --url https://ci.example.org/in --source repository/github/acme/shop "
    "--event git.push";

constexpr const char* rotate_notes =
    "Both secrets are accepted for --overlap, so that the webhook at the host can be changed in "
    "between.\n"
    "\n"
    "  ringpost source rotate-secret 01JARQ5Z --overlap 1h";

constexpr const char* register_notes =
    "Needs the source's --git and --git-token, and server.public_url in the relay's configuration. "
    "A "
    "webhook of the source that is there already is changed; no second one is made. The source "
    "gets "
    "a new secret each time, and the relay accepts the old one until the host has the new one, and "
    "24 hours longer.\n"
    "\n"
    "  ringpost source register 01JARQ5Z";

constexpr const char* gaps_notes =
    "The relay reads the logs of registered GitHub and GitLab webhooks when it starts and every "
    "incoming.gap_interval, and asks the host for what did not come: three times at most for each "
    "delivery. States: open (to be asked for), asked, filled (it came), given_up, too_old (the "
    "relay no longer remembers whether it came). The APIs of Bitbucket, Gitea, Forgejo and Gogs "
    "show no such log.\n"
    "\n"
    "  ringpost source gaps 01JARQ5Z";

void add_git_options(CLI::App& command, SourceOptions& options) {
  command
      .add_option("--git", options.git,
                  "The URL of the repository at the host, for `ringpost source register`")
      ->type_name("URL");
  command
      .add_option("--git-token", options.git_token,
                  "A token of the host that may manage the repository's webhooks: @FILE, or - for "
                  "standard input; of Bitbucket Cloud also USER:PASSWORD")
      ->type_name("@FILE");
}

std::vector<std::string> host_names() {
  std::vector<std::string> names;
  for (const auto host : subscription::all_git_hosts) names.emplace_back(name(host));
  return names;
}

}  // namespace

void add_source_commands(CLI::App& app, Session& session, Action& action) {
  CLI::App* group =
      app.add_subcommand("source", "Manage git sources: webhooks of git hosts that call the relay");
  group->require_subcommand(1);
  add_notes(*group, "");
  auto options = std::make_shared<SourceOptions>();
  auto rotation = std::make_shared<RotationOptions>();

  const auto command = [&](const char* name, const char* help, bool takes_id) {
    CLI::App* added = group->add_subcommand(name, help);
    if (takes_id) added->add_option("ID", options->id, "The source's id")->required();
    return added;
  };
  const auto run = [&](CLI::App* chosen, std::function<int()> work) {
    add_session_options(*chosen, session);
    chosen->callback([&action, work = std::move(work)] { action = work; });
  };

  CLI::App* adding =
      command("add", "Create a git source; prints its URL and, once, its secret", false);
  suggest(adding->add_option("--host", options->host, "What kind of host calls")
              ->type_name("HOST")
              ->required(),
          host_names());
  adding->add_option("--description", options->description, "Description")->type_name("TEXT");
  adding
      ->add_option(
          "--app", options->app,
          "The slug of an app: calls start its builds, as Bitrise's receiver does; default: "
          "they are events of repositories")
      ->type_name("SLUG");
  adding
      ->add_option("--pipeline", options->pipeline,
                   "With --host buildkite: the slug of the pipeline that the calls trigger")
      ->type_name("SLUG");
  adding
      ->add_option("--secret", options->secret,
                   "A secret of your own: @FILE, or - for standard input; default: a new one is "
                   "generated, but with --host buildkite none")
      ->type_name("@FILE");
  add_git_options(*adding, *options);
  run(adding, [&session, options] { return add(session, *options); });
  add_notes(*adding, add_notes_text);

  run(command("list", "List git sources, newest first", false),
      [&session] { return list(session); });
  run(command("show", "Show one, with its URL", true), [&session, options] {
    return print_answer(session, session.call("GET", path_of(options->id)));
  });

  CLI::App* updating = command("update", "Change its description or its repository", true);
  updating->add_option("--description", options->description, "Description")->type_name("TEXT");
  add_git_options(*updating, *options);
  updating->add_flag("--no-git", options->no_git,
                     "Forget the repository and its token; the webhook there stays");
  run(updating, [&session, options] { return update(session, *options); });

  run(command("enable", "Take its calls again", true),
      [&session, options] { return set_enabled(session, options->id, true); });
  run(command("disable", "Answer its calls with 404 until it is enabled", true),
      [&session, options] { return set_enabled(session, options->id, false); });

  CLI::App* rotating =
      command("rotate-secret", "Replace its secret and show the new one once", true);
  rotating
      ->add_option("--secret", rotation->secret,
                   "The new secret: @FILE, or - for standard input; default: a new one is "
                   "generated")
      ->type_name("@FILE");
  rotating
      ->add_option("--overlap", rotation->overlap,
                   "How long the old secret is accepted as well, e.g. 12h; default: 24h")
      ->type_name("TIME");
  run(rotating,
      [&session, options, rotation] { return rotate_secret(session, options->id, *rotation); });
  add_notes(*rotating, rotate_notes);

  CLI::App* registering =
      command("register", "Make its webhook at the git host, or change the one there", true);
  run(registering, [&session, options] { return register_at_host(session, options->id); });
  add_notes(*registering, register_notes);

  CLI::App* showing_gaps = command("gaps", "Show what the host sent and what did not come", false);
  showing_gaps->add_option("ID", options->id, "The source's id; default: all sources");
  run(showing_gaps, [&session, options] { return gaps(session, options->id); });
  add_notes(*showing_gaps, gaps_notes);

  run(command("remove", "Delete a git source", true),
      [&session, options] { return remove(session, options->id); });
}

}  // namespace ringpost::cli
