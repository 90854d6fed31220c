#include "cli/commands.h"
#include "cli/text.h"

#include <cstdio>
#include <fstream>

namespace ringpost::cli {
namespace {

/// Prints a refusal: the problem's title and detail, its place, and what to do about the token.
void print_refusal(const Answer& answer) {
  simdjson::dom::parser parser;
  simdjson::dom::element problem;
  std::string text;
  if (parser.parse(answer.body).get(problem) == simdjson::SUCCESS) {
    text = text_of(problem, "/detail");
    if (text.empty()) text = text_of(problem, "/title");
    const std::string line = text_of(problem, "/line");
    const std::string member = text_of(problem, "/member");
    if (!member.empty()) text = "\"" + member + "\": " + text;
    if (!line.empty()) text = "line " + line + ": " + text;
  }
  if (text.empty()) text = printable(std::string_view(answer.body).substr(0, 500));
  std::fprintf(stderr, "ringpost: the relay answered %u: %s\n", answer.status, text.c_str());
  if (answer.status == 401) {
    std::fprintf(stderr,
                 "Give a token with --token or RINGPOST_TOKEN; the first start wrote one to "
                 "admin.token in its data directory.\n");
  }
}

}  // namespace

void add_session_options(CLI::App& command, Session& session, const std::string& url_option) {
  command.add_option(url_option, session.client.url, "The relay: http://, https:// or unix:/path")
      ->envname("RINGPOST_URL")
      ->capture_default_str();
  command
      .add_option("--token", session.client.token, "Token with the scopes that the command needs")
      ->envname("RINGPOST_TOKEN");
  command.add_option("--ca", session.client.ca_file, "PEM file of a private CA, for https");
  command.add_flag("--json", session.json, "Print the relay's answer as JSON");
  command.footer(exit_codes);
}

Client* Session::connect() {
  if (client_ != nullptr) return client_.get();
  std::string problem;
  bool wrong_usage = false;
  client_ = Client::create(client, problem, wrong_usage);
  if (client_ == nullptr) {
    std::fprintf(stderr, "ringpost: %s\n", problem.c_str());
    failure_code_ = wrong_usage ? exit_usage : exit_unreachable;
  }
  return client_.get();
}

std::optional<Answer> Session::call(std::string_view method, const std::string& target,
                                    std::string_view body) {
  Client* connected = connect();
  if (connected == nullptr) return std::nullopt;
  std::string problem;
  auto answer = connected->request(method, target, "application/json", body, problem);
  if (!answer) {
    std::fprintf(stderr, "ringpost: %s: %s\n", client.url.c_str(), problem.c_str());
    failure_code_ = exit_unreachable;
    return std::nullopt;
  }
  if (!accept(*answer)) return std::nullopt;
  return answer;
}

bool Session::accept(const Answer& answer) {
  if (!answer.ok()) {
    print_refusal(answer);
    failure_code_ = exit_refused;
    return false;
  }
  if (json && !answer.body.empty()) std::printf("%s\n", answer.body.c_str());
  return true;
}

}  // namespace ringpost::cli
