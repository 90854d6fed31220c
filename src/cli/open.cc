#include "cli/commands.h"
#include "cli/text.h"
#include "http/url.h"

#include <cstdio>

namespace ringpost::cli {
namespace {

/// How a browser reaches the relay: scheme and authority, without a slash.
Usable<std::string> console_url(const Session& session, const std::string& option) {
  const std::string url = option.empty() ? relay_url(session.url) : option;
  if (url.starts_with("unix:")) {
    return UsageProblem{
        "a browser cannot use " + shown(url) +
        ": give --console the http:// or https:// address of a listener that serves the console"};
  }
  const auto parsed = http::parse_url(url);
  if (const auto* problem = std::get_if<http::UrlProblem>(&parsed)) {
    return UsageProblem{"the console's URL " + shown(url) + " " + problem->reason};
  }
  const auto& read = std::get<http::Url>(parsed);
  if (read.target != "/") {
    return UsageProblem{"the console's URL " + shown(url) +
                        " has a path or a query: leave it out; the link has its own"};
  }
  return std::string{read.tls ? "https://" : "http://"} + read.authority();
}

/// Whether there is a console where the commands reach the relay. Says why not.
/// @returns the exit code; 0: there is one.
int check_console(Session& session, const std::string& url) {
  const auto page = session.exchange("GET", "/console/", {}, {});
  if (!page) return session.failure_code();
  if (page->ok()) return 0;
  std::fprintf(stderr,
               "ringpost: no console is served at %s: give --console the address of a listener "
               "whose `serves` has \"console\"\n",
               shown(url).c_str());
  return exit_refused;
}

int open_console(Session& session, const std::string& option) {
  const auto url = console_url(session, option);
  if (const auto* problem = std::get_if<UsageProblem>(&url)) return report_usage(*problem);
  const std::string& base = std::get<std::string>(url);
  if (option.empty()) {
    if (const int code = check_console(session, base); code != 0) return code;
  }
  const auto answer = session.call("POST", "/v1/session-links");
  if (!answer) return session.failure_code();
  simdjson::dom::parser parser;
  simdjson::dom::element link;
  if (session.json || !parse_answer(*answer, parser, link)) return 0;
  std::printf("%s%s\n", base.c_str(), text_of(link, "/path").c_str());
  std::fprintf(stderr, "Open this link in a browser within a minute. It can be used once.\n");
  return 0;
}

}  // namespace

void add_open_command(CLI::App& app, Session& session, Action& action) {
  CLI::App* command = app.add_subcommand("open", "Print a link that signs a browser in, once");
  auto console = std::make_shared<std::string>();
  command
      ->add_option("--console", *console,
                   "How the browser reaches the relay: http:// or https://; default: as this "
                   "command does")
      ->type_name("URL");
  add_session_options(*command, session);
  add_notes(*command,
            "The link signs in to the console with the rights of the token, without the token "
            "itself: it has a code that is good once and for a minute. Who has the link can use "
            "it: do not send it to others. The session ends as any other; the console's page "
            "Sessions has them all.\n"
            "\n"
            "  ringpost open\n"
            "  xdg-open \"$(ringpost open)\"\n"
            "  ringpost open --url unix:/run/ringpost.sock --console https://relay.example.org");
  command->callback(
      [&, console] { action = [&session, console] { return open_console(session, *console); }; });
}

}  // namespace ringpost::cli
