#include "incoming/receiver.h"

#include "http/query.h"
#include "tests/incoming/calls.h"
#include "tests/incoming/payloads.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

// Goal: each host's calls become the events of src/incoming/README.md, with the host's bytes as
// data; anything else is answered as the host expects. Method: small payloads of each host.

namespace ringpost::incoming {
namespace {

using journal::EventView;
using subscription::GitHost;
using test::call_of;
using test::headers_of;
using test::source_of;

constexpr std::string_view commit = "3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c";
constexpr std::string_view old_commit = "1111111111111111111111111111111111111111";

/// The attributes of an event that come from the payload.
using Attributes = std::map<std::string, std::string>;

Attributes attributes_of(const EventView& event) {
  Attributes all;
  simdjson::dom::parser parser;
  simdjson::dom::object extensions;
  EXPECT_EQ(parser.parse(std::string{event.extensions}).get(extensions), simdjson::SUCCESS);
  for (const auto [key, value] : extensions) {
    std::string_view text;
    EXPECT_EQ(value.get(text), simdjson::SUCCESS) << key;
    all[std::string{key}] = text;
  }
  all["type"] = event.type;
  all["source"] = event.source;
  all["subject"] = event.subject;
  if (!event.branch.empty()) all["branch"] = event.branch;
  return all;
}

class ReceiverTest : public testing::Test {
 protected:
  void receive(GitHost host, const http::Request& request) {
    request_ = request;  // The events view it.
    request_.body.reserve(request.body.size() + 64);
    outcome_ = receiver_.receive(request_, source_of(host), WallTime{}, events_);
  }
  /// A call for the builds of an app.
  void receive_for_app(GitHost host, std::string_view event, std::string_view json) {
    auto source = source_of(host);
    source.path_token = "c0ffee/t0ken";
    request_ = call_of(json, headers_of(host, event, json));
    outcome_ = receiver_.receive(request_, source, WallTime{}, events_);
  }
  /// What is answered once the events are durable.
  const Receiver::Notice& later_answer() const {
    static const Receiver::Notice none{.status = 0, .body = {}};
    const auto* accepted = std::get_if<Receiver::Accepted>(&outcome_);
    return accepted != nullptr && accepted->answer ? *accepted->answer : none;
  }
  void receive(GitHost host, std::string_view event, std::string_view json) {
    receive(host, call_of(json, headers_of(host, event, json)));
  }
  /// 0: there are events; 200: a notice.
  uint16_t status() const {
    if (const auto* problem = std::get_if<http::Problem>(&outcome_)) return problem->status;
    const auto* notice = std::get_if<Receiver::Notice>(&outcome_);
    return notice == nullptr ? uint16_t{0} : notice->status;
  }
  std::string detail() const {
    if (const auto* notice = std::get_if<Receiver::Notice>(&outcome_)) return notice->body;
    const auto* problem = std::get_if<http::Problem>(&outcome_);
    return problem == nullptr ? std::string{} : problem->detail;
  }
  Attributes only_event() {
    EXPECT_EQ(status(), 0) << detail();
    EXPECT_EQ(events_.size(), 1u);
    return events_.empty() ? Attributes{} : attributes_of(events_.front());
  }

  Receiver receiver_;
  http::Request request_;
  std::vector<EventView> events_;
  Receiver::Outcome outcome_;
};

struct Row {
  GitHost host;
  const char* event;
  std::string_view payload;
  Attributes expected;
};

/// @param more  beside those that every row has.
Row row(GitHost host, const char* event, std::string_view payload, std::string_view repository,
        Attributes more) {
  more["githost"] = name(host);
  more["gitevent"] = event;
  more["gitrepository"] = repository;
  more["source"] = "repository/" + std::string{name(host)} + '/' + std::string{repository};
  return {host, event, payload, std::move(more)};
}

const std::string feature = "feature/login";

Attributes push_of(const std::string& branch) {
  return {{"type", "git.push"},
          {"subject", "refs/heads/" + branch},
          {"branch", branch},
          {"gitref", "refs/heads/" + branch},
          {"gitaction", "updated"},
          {"gitcommit", std::string{commit}},
          {"gitbefore", std::string{old_commit}},
          {"gittitle", "Add login"},
          {"gitauthor", "ada"}};
}

Attributes tag_of(const std::string& tag) {
  return {{"type", "git.tag"},
          {"subject", "refs/tags/" + tag},
          {"gitref", "refs/tags/" + tag},
          {"gittag", tag},
          {"gitaction", "created"},
          {"gitcommit", std::string{commit}},
          {"gittitle", "Add login"},
          {"gitauthor", "ada"}};
}

Attributes pull_request_of(const std::string& action) {
  return {{"type", "git.pull_request"},
          {"subject", "pull_request/57"},
          {"branch", feature},
          {"gitbase", "main"},
          {"gitnumber", "57"},
          {"gitaction", action},
          {"gitcommit", std::string{commit}},
          {"gittitle", "Login"},
          {"gitauthor", "ada"}};
}

Attributes comment_of(Attributes more) {
  more.insert({{"type", "git.comment"},
               {"subject", "pull_request/57"},
               {"gitnumber", "57"},
               {"gitaction", "created"},
               {"gittitle", "Looks good"},
               {"gitauthor", "bob"}});
  return more;
}

Attributes with(Attributes attributes, const std::string& name, const std::string& value) {
  attributes[name] = value;
  return attributes;
}

const Attributes of_branches{
    {"branch", feature}, {"gitbase", "main"}, {"gitcommit", std::string{commit}}};
const std::string short_commit{commit.substr(0, 12)};

const std::vector<Row>& rows() {
  static const std::vector<Row> all{
      row(GitHost::github, "push", test::github_push, "acme/shop", push_of(feature)),
      row(GitHost::github, "push", test::github_tag, "acme/shop", tag_of("v1.0")),
      row(GitHost::github, "push", test::github_deletion, "acme/shop",
          {{"type", "git.push"},
           {"subject", "refs/heads/old"},
           {"branch", "old"},
           {"gitref", "refs/heads/old"},
           {"gitaction", "deleted"},
           {"gitbefore", std::string{commit}},
           {"gitauthor", "ada"}}),
      row(GitHost::github, "pull_request", test::github_pull_request, "acme/shop",
          pull_request_of("synchronized")),
      row(GitHost::github, "issue_comment", test::github_comment, "acme/shop", comment_of({})),
      row(GitHost::github, "release", test::github_release, "acme/shop",
          {{"type", "git.release"},
           {"subject", ""},
           {"gitaction", "published"},
           {"gitauthor", "ada"}}),
      row(GitHost::gitlab, "Push Hook", test::gitlab_push, "acme/shop", push_of("main")),
      row(GitHost::gitlab, "Tag Push Hook", test::gitlab_tag, "acme/tools/shop", tag_of("v1.0")),
      row(GitHost::gitlab, "Merge Request Hook", test::gitlab_merge_request, "acme/tools/shop",
          pull_request_of("synchronized")),
      row(GitHost::gitlab, "Note Hook", test::gitlab_note, "acme/tools/shop",
          comment_of(of_branches)),
      row(GitHost::gitlab, "Pipeline Hook", test::gitlab_pipeline, "acme/tools/shop",
          {{"type", "git.pipeline"}, {"subject", ""}, {"gitauthor", "ada"}}),
      row(GitHost::bitbucket, "repo:push", test::bitbucket_push, "acme/shop", push_of("main")),
      row(GitHost::bitbucket, "pullrequest:created", test::bitbucket_pull_request, "acme/shop",
          with(pull_request_of("opened"), "gitcommit", short_commit)),
      row(GitHost::bitbucket, "pullrequest:fulfilled", test::bitbucket_pull_request, "acme/shop",
          with(pull_request_of("merged"), "gitcommit", short_commit)),
      row(GitHost::bitbucket, "pullrequest:comment_updated", test::bitbucket_comment, "acme/shop",
          comment_of(with(with(of_branches, "gitaction", "edited"), "gitcommit", short_commit))),
      row(GitHost::bitbucket_server, "repo:refs_changed", test::bitbucket_server_push, "ACME/shop",
          [] {
            Attributes push = push_of("main");
            push.erase("gittitle");
            return push;
          }()),
      row(GitHost::bitbucket_server, "pr:from_ref_updated", test::bitbucket_server_pull_request,
          "ACME/shop", pull_request_of("synchronized")),
      row(GitHost::bitbucket_server, "pr:comment:added", test::bitbucket_server_comment,
          "ACME/shop", with(comment_of(of_branches), "gitauthor", "ada")),
      row(GitHost::github, "create",
          R"({"ref":"v1.0","ref_type":"tag","master_branch":"main","repository":{"full_name":)"
          R"("acme/shop"},"sender":{"login":"ada"}})",
          "acme/shop",
          {{"type", "git.create"},
           {"subject", "refs/tags/v1.0"},
           {"gitref", "refs/tags/v1.0"},
           {"gittag", "v1.0"},
           {"gitaction", "created"},
           {"gitauthor", "ada"}}),
      row(GitHost::gitea, "delete",
          R"({"ref":"feature/login","ref_type":"branch","pusher_type":"user","repository":)"
          R"({"full_name":"acme/shop"},"sender":{"login":"ada"}})",
          "acme/shop",
          {{"type", "git.delete"},
           {"subject", "refs/heads/feature/login"},
           {"branch", feature},
           {"gitref", "refs/heads/feature/login"},
           {"gitaction", "deleted"},
           {"gitauthor", "ada"}}),
      row(GitHost::gitea, "create",
          R"({"sha":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c","ref":"refs/heads/main",)"
          R"("ref_type":"branch","repository":{"full_name":"acme/shop"},"sender":{"login":"ada"}})",
          "acme/shop",
          {{"type", "git.create"},
           {"subject", "refs/heads/main"},
           {"branch", "main"},
           {"gitref", "refs/heads/main"},
           {"gitcommit", std::string{commit}},
           {"gitaction", "created"},
           {"gitauthor", "ada"}}),
      row(GitHost::gitea, "push", test::gitea_push, "acme/shop", push_of("main")),
      row(GitHost::gitea, "pull_request", test::gitea_pull_request, "acme/shop",
          pull_request_of("synchronized")),
      row(GitHost::gitea, "issue_comment", test::gitea_comment, "acme/shop", comment_of({})),
      row(GitHost::forgejo, "push", test::gitea_push, "acme/shop", push_of("main")),
      row(GitHost::gogs, "push", test::gitea_push, "acme/shop", push_of("main")),
  };
  return all;
}

TEST_F(ReceiverTest, MakesTheSameKindOfEventOfEveryHostsCalls) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(std::string{name(row.host)} + ' ' + row.event);
    receive(row.host, row.event, row.payload);
    EXPECT_EQ(only_event(), row.expected);
    if (events_.empty()) continue;
    const EventView& event = events_.front();
    EXPECT_EQ(event.id, "d-1");
    EXPECT_TRUE(event.id_given);
    EXPECT_EQ(as_text(event.data), row.payload) << "the host's bytes";
    EXPECT_EQ(event.data_content_type, "application/json");
    EXPECT_TRUE(event.data_checked);
  }
}

TEST_F(ReceiverTest, RefusesEveryCallThatIsNotSigned) {
  for (const Row& row : rows()) {
    auto headers = headers_of(row.host, row.event, row.payload);
    for (size_t index = 2; index < headers.size(); ++index) {
      if (headers[index].first.ends_with("-Event")) continue;
      headers[index].second.back() ^= 1;
    }
    receive(row.host, call_of(row.payload, headers));
    EXPECT_EQ(status(), 401) << name(row.host);
    EXPECT_TRUE(events_.empty());
  }
}

TEST_F(ReceiverTest, MakesAnEventOfEachBranchAndTagOfAPush) {
  receive(GitHost::bitbucket, "repo:push", test::bitbucket_two_changes);
  ASSERT_EQ(events_.size(), 2u) << detail();
  EXPECT_EQ(attributes_of(events_[0])["gittag"], "v1.0");
  EXPECT_EQ(events_[0].type, "git.tag");
  EXPECT_EQ(events_[0].id, "d-1");
  Attributes second = attributes_of(events_[1]);
  EXPECT_EQ(second["branch"], "old");
  EXPECT_EQ(second["gitaction"], "deleted");
  EXPECT_EQ(events_[1].id, "d-1.2");
  for (const EventView& event : events_) EXPECT_EQ(as_text(event.data), request_.body);
}

std::string push_of_many(size_t count) {
  std::string changes;
  for (size_t index = 0; index < count; ++index) {
    if (index > 0) changes += ',';
    changes += R"({"old":null,"new":{"type":"branch","name":"b)" + std::to_string(index) +
               R"(","target":{"hash":"ab"}}})";
  }
  return R"({"actor":{"nickname":"ada"},"repository":{"full_name":"acme/shop"},"push":{"changes":[)" +
         changes + "]}}";
}

TEST_F(ReceiverTest, MakesOneEventOfAPushOfVeryMany) {
  receive(GitHost::bitbucket, "repo:push", push_of_many(20));
  EXPECT_EQ(events_.size(), 20u);
  EXPECT_EQ(events_.back().branch, "b19");
  receive(GitHost::bitbucket, "repo:push", push_of_many(21));
  Attributes event = only_event();
  EXPECT_EQ(event["type"], "git.push");
  EXPECT_EQ(event.count("branch"), 0u) << "so no webhook's branch filter hides it";
  receive(GitHost::bitbucket, "repo:push", push_of_many(0));
  EXPECT_EQ(status(), 200) << detail();
}

TEST_F(ReceiverTest, RefusesChangesThatAreNone) {
  for (const std::string changes : {"null", "{}", "[null]", R"([{"new":null},5])", "\"x\""}) {
    receive(GitHost::bitbucket, "repo:push",
            R"({"repository":{"full_name":"acme/shop"},"push":{"changes":)" + changes + "}}");
    EXPECT_EQ(status(), 422) << changes;
    EXPECT_TRUE(events_.empty()) << changes;
    receive(GitHost::bitbucket_server, "repo:refs_changed",
            R"({"repository":{"slug":"shop","project":{"key":"ACME"}},"changes":)" + changes + "}");
    EXPECT_EQ(status(), 422) << changes;
  }
}

TEST_F(ReceiverTest, AnswersPings) {
  constexpr std::string_view ping = R"({"zen":"Speak like a human.","hook_id":1})";
  receive(GitHost::github, "ping", ping);
  EXPECT_EQ(status(), 200);
  EXPECT_NE(detail().find("pong"), std::string::npos) << detail();
  auto headers = headers_of(GitHost::github, "ping", ping);
  headers.pop_back();
  receive(GitHost::github, call_of(ping, headers));
  EXPECT_EQ(status(), 401) << "a ping is signed as well";
  receive(GitHost::bitbucket_server, call_of("", {{"X-Event-Key", "diagnostics:ping"}}, ""));
  EXPECT_EQ(status(), 200);
  receive(GitHost::bitbucket, call_of("", {{"X-Event-Key", "diagnostics:ping"}}));
  EXPECT_EQ(status(), 401) << "of Data Center alone";
}

TEST_F(ReceiverTest, SaysWhyACallMakesNoEvent) {
  receive(GitHost::github, "membership", test::github_membership);
  EXPECT_EQ(status(), 200);
  EXPECT_NE(detail().find("membership"), std::string::npos) << detail();
  // GitLab switches off a webhook whose calls are refused; those of groups have a name alone.
  receive(GitHost::gitlab, "Member Hook", R"({"event_name":"user_add_to_group","group_id":7})");
  EXPECT_EQ(status(), 200) << detail();
}

std::string form_of(std::string_view json) {
  std::string form = "payload=";
  http::append_percent_encoded(form, json);
  return form;
}

TEST_F(ReceiverTest, ReadsForms) {
  constexpr std::string_view form_type = "application/x-www-form-urlencoded; charset=utf-8";
  const std::string form = form_of(test::github_push);
  receive(GitHost::github, call_of(form, headers_of(GitHost::github, "push", form), form_type));
  EXPECT_EQ(only_event()["gitrepository"], "acme/shop");
  EXPECT_EQ(as_text(events_.front().data), test::github_push) << "the JSON in it";
  // Gitea signs the JSON.
  const std::string gitea_form = "first=1&" + form_of(test::gitea_push) + "&last=2";
  receive(GitHost::gitea,
          call_of(gitea_form, headers_of(GitHost::gitea, "push", test::gitea_push), form_type));
  EXPECT_EQ(only_event()["gitrepository"], "acme/shop");

  for (const std::string& wrong : {std::string{"x=1"}, form + "&" + form, std::string{"payload=%7"},
                                   std::string{"payload"}, std::string{}}) {
    receive(GitHost::github, call_of(wrong, headers_of(GitHost::github, "push", wrong), form_type));
    EXPECT_EQ(status(), 400) << wrong;
  }
  receive(GitHost::gitlab,
          call_of(form, headers_of(GitHost::gitlab, "Push Hook", form), form_type));
  EXPECT_EQ(status(), 415) << "GitLab sends no forms";
}

TEST_F(ReceiverTest, TakesParametersInTheContentTypeAndNoOtherType) {
  const auto headers = headers_of(GitHost::github, "push", test::github_push);
  for (const char* type : {"application/json; charset=utf-8", "APPLICATION/JSON"}) {
    receive(GitHost::github, call_of(test::github_push, headers, type));
    EXPECT_EQ(status(), 0) << type;
  }
  for (const char* type : {"", "text/plain", "application/jsonx", "application/vnd.github+json"}) {
    receive(GitHost::github, call_of(test::github_push, headers, type));
    EXPECT_EQ(status(), 415) << type;
  }
}

TEST_F(ReceiverTest, RefusesWhatCannotBeRead) {
  struct Bad {
    GitHost host;
    const char* event;
    std::string body;
    uint16_t status;
  };
  const Bad bad[] = {
      {GitHost::github, "push", "", 400},
      {GitHost::github, "push", "{", 400},
      {GitHost::github, "push", "[]", 400},
      {GitHost::github, "push", "null", 400},
      {GitHost::github, "push", std::string{test::github_push} + "x", 400},
      {GitHost::github, "push", std::string(200, '['), 400},
      {GitHost::github, "", std::string{test::github_push}, 400},
      {GitHost::github, "a\x7f", std::string{test::github_push}, 400},
      {GitHost::github, "push", std::string{test::github_pull_request}, 422},
      {GitHost::github, "pull_request", std::string{test::github_push}, 422},
      {GitHost::github, "issue_comment", std::string{test::github_push}, 422},
      {GitHost::github, "push", R"({"ref":"refs/heads/main","after":"ab"})", 422},
      {GitHost::github, "push", R"({"ref":7,"repository":{"full_name":"a/b"}})", 0},
      {GitHost::github, "push", R"({"ref":null,"repository":{"full_name":"a/b"}})", 422},
      {GitHost::github, "push",
       R"({"ref":"refs/heads/main","repository":{"full_name":")" + std::string(300, 'a') + "\"}}",
       422},
      {GitHost::github, "push",
       R"({"ref":"refs/heads/main","repository":{"full_name":"a\u0007b"}})", 422},
      {GitHost::gitlab, "Push Hook", std::string{test::gitlab_merge_request}, 422},
      {GitHost::gitlab, "Push Hook", std::string{test::github_push}, 422},
      {GitHost::bitbucket, "repo:push", std::string{test::bitbucket_pull_request}, 422},
      {GitHost::bitbucket, "pullrequest:created", std::string{test::bitbucket_push}, 422},
      {GitHost::bitbucket_server, "pr:opened", std::string{test::bitbucket_server_push}, 422},
      {GitHost::bitbucket_server, "repo:refs_changed", std::string{test::bitbucket_push}, 422},
  };
  for (const Bad& one : bad) {
    receive(one.host, one.event, one.body);
    EXPECT_EQ(status(), one.status) << one.event << ' ' << one.body << '\n' << detail();
    EXPECT_EQ(detail().empty(), one.status == 0);
  }
}

TEST_F(ReceiverTest, TakesCallsWithoutADeliveryId) {
  auto headers = headers_of(GitHost::gitlab, "Push Hook", test::gitlab_push);
  std::erase_if(headers, [](const auto& header) { return header.first == "Idempotency-Key"; });
  receive(GitHost::gitlab, call_of(test::gitlab_push, headers));
  only_event();
  EXPECT_FALSE(events_.front().id_given) << "GitLab before 15.7";
  headers.push_back({"X-Gitlab-Event-UUID", "u-1"});
  receive(GitHost::gitlab, call_of(test::gitlab_push, headers));
  EXPECT_EQ(events_.front().id, "u-1");
  for (const std::string& wrong : {std::string(121, 'x'), std::string{"a\x01"}, std::string{}}) {
    headers.back().second = wrong;
    receive(GitHost::gitlab, call_of(test::gitlab_push, headers));
    EXPECT_EQ(status(), 400) << wrong;
  }
}

// The others of its headers may be changed under way.
TEST_F(ReceiverTest, KnowsASignedCallOfGitlabByTheIdThatIsSigned) {
  auto headers = headers_of(GitHost::gitlab, "Push Hook", test::gitlab_push, "d-other");
  headers.push_back({"webhook-id", "signed-1"});
  receive(GitHost::gitlab, call_of(test::gitlab_push, headers));
  EXPECT_EQ(events_.front().id, "d-other") << "without a signature";
  headers.push_back({"webhook-signature", "v1,AAAA"});
  receive(GitHost::gitlab, call_of(test::gitlab_push, headers));
  EXPECT_EQ(events_.front().id, "signed-1");
}

TEST_F(ReceiverTest, LeavesNothingOutOfDataAndNoControlCharacterInAttributes) {
  constexpr std::string_view odd =
      R"({"ref":"refs/heads/a\u0001b","before":"11","after":"22","repository":{"full_name":"a/b"},)"
      R"("head_commit":{"id":"22","message":"tab\there \u0085"},"sender":{"login":"x\ud800"}} )";
  receive(GitHost::github, "push", odd);
  Attributes event = only_event();
  EXPECT_EQ(event["branch"], "a b");
  EXPECT_EQ(event.count("gittitle"), 0u) << "U+0085 is a control character, too";
  EXPECT_EQ(event.count("gitauthor"), 0u) << "half a character is no text";
  EXPECT_EQ(as_text(events_.front().data), odd);
}

TEST_F(ReceiverTest, StartsTheBuildsOfAnApp) {
  receive_for_app(GitHost::github, "push", test::github_push);
  ASSERT_EQ(events_.size(), 1u) << detail();
  const EventView& event = events_.front();
  EXPECT_EQ(event.type, "build/trigger");
  EXPECT_EQ(event.source, "app/c0ffee");
  EXPECT_EQ(event.id, "d-1");
  EXPECT_EQ(event.branch, "feature/login");
  EXPECT_TRUE(
      as_text(event.data)
          .starts_with(R"({"hook_info":{"type":"bitrise"},"build_params":{"commit_hash":"3b1f)"))
      << as_text(event.data);
  EXPECT_TRUE(as_text(event.data).ends_with(R"("triggered_by":"webhook-github/ada"})"));
  EXPECT_EQ(later_answer().status, 201);
  EXPECT_TRUE(later_answer().body.starts_with(R"({"success_responses":[{"status":"ok")"));
  receive_for_app(GitHost::gitlab, "Push Hook", test::gitlab_push);
  EXPECT_EQ(later_answer().status, 200) << "GitLab's is never waited for";
  EXPECT_TRUE(later_answer().body.ends_with(R"("did_not_wait_for_trigger_response":true})"));
}

TEST_F(ReceiverTest, AnswersCallsThatStartNoBuild) {
  std::string skipped{test::github_push};
  for (size_t at = skipped.find("Add login"); at != std::string::npos;
       at = skipped.find("Add login", at + 1)) {
    skipped.replace(at, 9, "[skip ci]");
  }
  receive_for_app(GitHost::github, "push", skipped);
  EXPECT_EQ(status(), 200);
  EXPECT_TRUE(detail().starts_with(R"({"success_responses":[],"skipped_responses":[{"message":)"))
      << detail();
  receive_for_app(GitHost::github, "push", test::github_deletion);
  EXPECT_EQ(status(), 200);
  EXPECT_TRUE(detail().starts_with(R"({"message":)")) << detail();
  // A host that is answered 4xx may switch its webhook off.
  receive_for_app(GitHost::github, "release", test::github_release);
  EXPECT_EQ(status(), 200);
  EXPECT_TRUE(detail().starts_with(R"({"message":"Unsupported)")) << detail();
}

TEST_F(ReceiverTest, IsTheSameAfterAnyCallBefore) {
  for (const Row& first : rows()) {
    for (const Row& second : rows()) {
      receive(first.host, first.event, first.payload);
      receive(second.host, second.event, second.payload);
      ASSERT_EQ(only_event(), second.expected) << first.event << ' ' << second.event;
    }
  }
}

TEST(Address, IsHostAndToken) {
  const auto address = read_address("/in/github/abc");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->host, "github");
  EXPECT_EQ(address->sha256, read_address("/in/other/abc")->sha256);
  EXPECT_NE(address->sha256, read_address("/in/github/abcd")->sha256);
  for (const char* path : {"/in/github/", "/in/github", "/in/", "/in", "/v1/in/github/abc"}) {
    EXPECT_FALSE(read_address(path)) << path;
  }
  EXPECT_FALSE(read_address("/in/github/" + std::string(129, 'a')));
  subscription::GitSource source = source_of(GitHost::bitbucket_server);
  source.path_token = "t0ken";
  EXPECT_EQ(path_of(source), "/in/bitbucket-server/t0ken");
  EXPECT_TRUE(read_address(path_of(source))->names(source));
}

TEST(Address, OfAnAppIsThatOfBitrisesReceiver) {
  for (const auto& [host, service] : {std::pair{GitHost::github, "github"},
                                      {GitHost::gitlab, "gitlab"},
                                      {GitHost::bitbucket, "bitbucket-v2"},
                                      {GitHost::bitbucket_server, "bitbucket-server"},
                                      {GitHost::gitea, "gogs"},
                                      {GitHost::forgejo, "gogs"},
                                      {GitHost::gogs, "gogs"}}) {
    subscription::GitSource source = source_of(host);
    source.path_token = "c0ffee/t0ken";
    EXPECT_EQ(path_of(source), "/h/" + std::string{service} + "/c0ffee/t0ken");
    EXPECT_TRUE(read_address(path_of(source))->names(source));
    EXPECT_FALSE(read_address("/h/slack/c0ffee/t0ken")->names(source));
    EXPECT_FALSE(read_address("/h/" + std::string{service} + "/other/t0ken")->names(source));
    EXPECT_FALSE(read_address("/in/" + std::string{name(host)} + "/t0ken")->names(source));
  }
  for (const char* path :
       {"/h/github/c0ffee", "/h/github/c0ffee/", "/h/github//t0ken", "/h//a/b"}) {
    EXPECT_FALSE(read_address(path)) << path;
  }
}

TEST(BodyLimit, IsWhatTheHostSendsAtMost) {
  EXPECT_EQ(body_bytes_max(GitHost::github), 25u * 1024 * 1024);
  EXPECT_EQ(body_bytes_max(GitHost::bitbucket), 1024u * 1024);
  for (const GitHost host : {GitHost::gitlab, GitHost::bitbucket_server, GitHost::gitea,
                             GitHost::forgejo, GitHost::gogs}) {
    EXPECT_EQ(body_bytes_max(host), 5u * 1024 * 1024) << name(host);
  }
}

// --- pipeline triggers of Buildkite --------------------------------------------------------------

class TriggerTest : public ReceiverTest {
 protected:
  static subscription::GitSource trigger(std::string_view secret = {}) {
    subscription::GitSource source;
    source.host = GitHost::buildkite;
    source.id = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV");
    source.description = "from \"anywhere\"";
    source.path_token = "main-app/bktr_t0ken";
    source.secret = secret;
    return source;
  }
  void call(const subscription::GitSource& source, std::string_view body,
            const test::Headers& headers = {}, std::string_view type = "application/json") {
    request_ = call_of(body, headers, type);
    outcome_ = receiver_.receive(request_, source, WallTime{}, events_);
  }
};

TEST_F(TriggerTest, MakesAnEventOfAnyJson) {
  for (const std::string body : {R"({"ref":"main","n":1.0})", "[1, 2]", R"("text")", "null"}) {
    call(trigger(), body);
    ASSERT_EQ(status(), 0) << body << detail();
    ASSERT_EQ(events_.size(), 1u);
    const EventView& event = events_.front();
    EXPECT_EQ(event.type, "pipeline.triggered");
    EXPECT_EQ(event.source, "pipeline/main-app");
    EXPECT_FALSE(event.id_given) << "each call is an event";
    EXPECT_EQ(as_text(event.data),
              R"({"trigger":{"id":"01563e3a-b5d3-8676-8c61-efb99302bd5b","description":)"
              R"("from \"anywhere\""},"pipeline":{"slug":"main-app"},"webhook":)" +
                  body + "}");
    EXPECT_TRUE(std::get<Receiver::Accepted>(outcome_).answers_id);
  }
}

TEST_F(TriggerTest, RefusesWhatIsNoJsonInBuildkitesWay) {
  for (const char* body : {"", "{", "{}{}", "x"}) {
    call(trigger(), body);
    EXPECT_EQ(status(), 400) << body;
    EXPECT_TRUE(detail().starts_with(R"({"message":")")) << detail();
    EXPECT_TRUE(events_.empty());
  }
  call(trigger(), "{}", {}, "text/plain");
  EXPECT_EQ(status(), 415);
}

TEST_F(TriggerTest, ChecksSignaturesWhereItHasASecret) {
  const auto source = trigger(test::secret);
  const std::string digits = test::sign(test::secret, "{}");
  const std::string other = test::sign("another-secret-of-ours", "{}");
  for (const auto& [headers, good] : std::vector<std::pair<test::Headers, bool>>{
           {{{"X-Hub-Signature-256", "sha256=" + digits}}, true},
           {{{"Linear-Signature", digits}}, true},
           {{}, false},
           {{{"X-Hub-Signature-256", digits}}, false},
           {{{"X-Hub-Signature-256", "sha256=" + other}}, false},
           {{{"Linear-Signature", other}}, false},
           {{{"X-Hub-Signature-256", "sha256=" + other}, {"Linear-Signature", digits}}, false},
           {{{"Linear-Signature", digits}, {"Linear-Signature", digits}}, false}}) {
    call(source, "{}", headers);
    EXPECT_EQ(status(), good ? 0 : 401);
  }
}

TEST_F(TriggerTest, IsFoundByTheTokenInItsPathAlone) {
  auto source = trigger();
  source.sha256 = path_hash_of(source);
  EXPECT_EQ(path_of(source), "/deliver/bktr_t0ken");
  EXPECT_EQ(app_of(source), "");
  EXPECT_EQ(pipeline_of(source), "main-app");
  EXPECT_EQ(events_source_of(source), "pipeline/main-app");
  const auto address = read_address("/deliver/bktr_t0ken");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->sha256, source.sha256);
  EXPECT_TRUE(address->names(source));
  for (const char* path : {"/in/buildkite/bktr_t0ken", "/h/buildkite/main-app/bktr_t0ken"}) {
    const auto foreign = read_address(path);
    ASSERT_TRUE(foreign);
    EXPECT_FALSE(foreign->names(source)) << path;
  }
  EXPECT_FALSE(address->names(source_of(GitHost::github)));
  EXPECT_EQ(pipeline_of(source_of(GitHost::github)), "");
}

TEST_F(TriggerTest, IsRefusedInBuildkitesWords) {
  auto source = trigger();
  const auto refused = [](std::string_view path, const subscription::GitSource* found) {
    const auto problem = refuse_call(path, found);
    return problem ? std::to_string(problem->status) + " " + problem->title : std::string{};
  };
  EXPECT_EQ(refused("/deliver/bktr_t0ken", &source), "");
  EXPECT_EQ(refused("/deliver/bktr_t0ken", nullptr), "404 Pipeline trigger not found");
  EXPECT_EQ(refused("/deliver/t0ken", nullptr), "400 Invalid pipeline trigger token");
  EXPECT_EQ(refused("/deliver/bktr_" + std::string(200, 'a'), nullptr),
            "400 Invalid pipeline trigger token");
  source.enabled = false;
  EXPECT_EQ(refused("/deliver/bktr_t0ken", &source), "403 Pipeline trigger is disabled");
  const auto host = source_of(GitHost::github);
  EXPECT_FALSE(refuse_call("/in/github/t0ken", &host));
  EXPECT_EQ(refuse_call("/in/github/t0ken", nullptr)->status, 404);
}

}  // namespace
}  // namespace ringpost::incoming
