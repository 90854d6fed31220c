// Goal: any authentic call of any git host is refused, makes no event, or makes events that keep
// the promises of Receiver. Method: the first byte chooses the host, the second the event, the rest
// is the body, or with an upper-case first byte the JSON of a form; it is signed as the host does.

#include "base/assert.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "http/query.h"
#include "tests/incoming/calls.h"
#include "tests/incoming/payloads.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::incoming {
namespace {

using subscription::GitHost;

constexpr std::array<std::string_view, 16> events{"push",
                                                  "pull_request",
                                                  "issue_comment",
                                                  "commit_comment",
                                                  "release",
                                                  "Push Hook",
                                                  "Tag Push Hook",
                                                  "Merge Request Hook",
                                                  "Note Hook",
                                                  "repo:push",
                                                  "pullrequest:created",
                                                  "pullrequest:comment_updated",
                                                  "repo:refs_changed",
                                                  "pr:from_ref_updated",
                                                  "pr:comment:added",
                                                  "ping"};

void check(const journal::EventView& event, std::string_view json) {
  for (const std::string_view text :
       {event.type, event.source, event.id, event.subject, event.branch, event.extensions}) {
    RINGPOST_ASSERT(!has_forbidden_character(text));
    RINGPOST_ASSERT(simdjson::validate_utf8(text.data(), text.size()));
  }
  RINGPOST_ASSERT(event.type.starts_with("git.") && event.type.size() <= 256);
  RINGPOST_ASSERT(event.source.starts_with("repository/") && event.source.size() <= 256);
  RINGPOST_ASSERT(event.id.size() <= 128);
  RINGPOST_ASSERT(event.subject.size() <= 1024 && event.branch.size() <= 1024);
  RINGPOST_ASSERT(as_text(event.data) == json);
  static simdjson::dom::parser parser;
  simdjson::dom::object extensions;
  RINGPOST_ASSERT(parser.parse(std::string{event.extensions}).get(extensions) == simdjson::SUCCESS);
  for (const auto [key, value] : extensions) {
    std::string_view text;
    RINGPOST_ASSERT(value.get(text) == simdjson::SUCCESS);
    RINGPOST_ASSERT(key.starts_with("git") && !text.empty() && text.size() <= 1024);
  }
}

void check(GitHost host, std::string_view event, std::string_view json, bool form) {
  static Receiver receiver;
  std::string body{json};
  if (form) {
    body = "payload=";
    http::append_percent_encoded(body, json);
  }
  const bool signs_json =
      host == GitHost::gitea || host == GitHost::forgejo || host == GitHost::gogs;
  const auto headers = test::headers_of(host, event, signs_json ? json : body);
  const http::Request request =
      test::call_of(body, headers, form ? "application/x-www-form-urlencoded" : "application/json");
  std::vector<journal::EventView> made;
  const auto outcome = receiver.receive(request, test::source_of(host), WallTime{}, made);
  if (std::holds_alternative<Receiver::Accepted>(outcome)) {
    RINGPOST_ASSERT(!made.empty() && made.size() <= 20);
  } else {
    RINGPOST_ASSERT(made.empty());
  }
  if (const auto* problem = std::get_if<http::Problem>(&outcome)) {
    RINGPOST_ASSERT(problem->status == 400 || problem->status == 415 || problem->status == 422);
    RINGPOST_ASSERT(!problem->detail.empty());
  }
  for (const auto& one : made) check(one, json);
  auto of_app = test::source_of(host);
  of_app.path_token = "c0ffee/t0ken";
  receiver.receive(request, of_app, WallTime{}, made);
  RINGPOST_ASSERT(made.size() <= 20);
  static simdjson::dom::parser parser;
  for (const auto& build : made) {
    RINGPOST_ASSERT(build.type == "build/trigger" && build.source == "app/c0ffee");
    const auto error = parser.parse(std::string{as_text(build.data)}).error();
    RINGPOST_ASSERT(error == simdjson::SUCCESS || error == simdjson::NUMBER_ERROR ||
                    error == simdjson::STRING_ERROR);
  }
}

std::string seed(GitHost host, std::string_view event, std::string_view json, bool form = false) {
  const auto number = static_cast<size_t>(std::ranges::find(events, event) - events.begin());
  std::string text;
  text += static_cast<char>((form ? 'A' : 'a') + static_cast<int>(host));
  text += static_cast<char>('a' + number);
  return text.append(json);
}

}  // namespace
}  // namespace ringpost::incoming

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringpost::incoming;
  if (size < 2) return 0;
  const auto host = ringpost::subscription::all_git_hosts[(data[0] + 31u) % 32 % 7];
  const std::string_view event = events[(data[1] + 31u) % events.size()];
  const std::string_view json{reinterpret_cast<const char*>(data + 2), size - 2};
  check(host, event, json, data[0] < 'a');
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  using namespace ringpost::incoming;
  using enum ringpost::subscription::GitHost;
  using namespace test;
  return {seed(github, "push", github_push),
          seed(github, "push", github_push, true),
          seed(github, "push", github_tag),
          seed(github, "push", github_deletion),
          seed(github, "pull_request", github_pull_request),
          seed(github, "issue_comment", github_comment),
          seed(github, "release", github_release),
          seed(gitlab, "Push Hook", gitlab_push),
          seed(gitlab, "Tag Push Hook", gitlab_tag),
          seed(gitlab, "Merge Request Hook", gitlab_merge_request),
          seed(gitlab, "Note Hook", gitlab_note),
          seed(bitbucket, "repo:push", bitbucket_push),
          seed(bitbucket, "repo:push", bitbucket_two_changes),
          seed(bitbucket, "pullrequest:created", bitbucket_pull_request),
          seed(bitbucket, "pullrequest:comment_updated", bitbucket_comment),
          seed(bitbucket_server, "repo:refs_changed", bitbucket_server_push),
          seed(bitbucket_server, "pr:from_ref_updated", bitbucket_server_pull_request),
          seed(bitbucket_server, "pr:comment:added", bitbucket_server_comment),
          seed(gitea, "push", gitea_push),
          seed(gitea, "pull_request", gitea_pull_request, true),
          seed(forgejo, "issue_comment", gitea_comment),
          seed(gogs, "push", gitea_push)};
}
