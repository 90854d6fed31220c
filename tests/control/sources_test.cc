// Goal: a git source has a URL that nobody guesses and a secret that is shown once, is in effect
// when it is answered, and belongs to one organization.

#include "control_fixture.h"
#include "crypto/digest.h"
#include "incoming/receiver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using subscription::GitHost;
using subscription::GitSource;
using subscription::Scope;
using testing::at;
using testing::ControlTest;
using testing::Json;
using testing::made;

constexpr uint8_t writes = static_cast<uint8_t>(Scope::webhooks_write);
constexpr uint8_t sends = static_cast<uint8_t>(Scope::events_write);
constexpr uint8_t reads = static_cast<uint8_t>(Scope::webhooks_read);

class Sources : public ControlTest {
 protected:
  http::Response add(const std::string& members = R"("host": "github")",
                     const std::string& token = "admin-token") {
    return ask("POST", "/v1/sources", "{" + members + "}", token);
  }
  /// The source whose URL an answer has, as the shards see it.
  const GitSource* published(const http::Response& response) {
    const std::string url = Json(response.body).text("/url");
    const size_t path = std::min(url.find("/in/"), url.find("/deliver/"));
    const auto address = path == std::string::npos
                             ? std::nullopt
                             : incoming::read_address(std::string_view{url}.substr(path));
    return address ? table_.current().git_source(address->sha256) : nullptr;
  }
};

TEST_F(Sources, AreMadeWithAUrlAndASecret) {
  clock_ = 5;
  const auto response = add(R"("host": "bitbucket-server", "description": "all of acme")");
  ASSERT_EQ(response.status, 201) << response.body;
  Json json(response.body);
  EXPECT_EQ(json.text("/host"), "bitbucket-server");
  EXPECT_EQ(json.text("/organization"), "default");
  EXPECT_EQ(json.text("/description"), "all of acme");
  EXPECT_EQ(json.text("/created_at"), to_rfc3339(at(5)));
  const std::string url = json.text("/url");
  const std::string start = "http:///in/bitbucket-server/";
  EXPECT_TRUE(url.starts_with(start)) << url;
  EXPECT_EQ(url.size(), start.size() + 32) << "128 random bits";
  const std::string secret = json.text("/secret");
  EXPECT_TRUE(secret.starts_with("whsec_")) << "GitLab may sign with it";
  EXPECT_TRUE(subscription::object_to_git_secret(secret).empty());
  const GitSource* source = published(response);
  ASSERT_NE(source, nullptr) << "in effect when it is answered";
  EXPECT_EQ(source->secret, secret);
  EXPECT_EQ(source->host, GitHost::bitbucket_server);
  EXPECT_TRUE(source->enabled);
  EXPECT_NE(Json(add().body).text("/url"), Json(add().body).text("/url"));
  EXPECT_NE(Json(add().body).text("/secret"), Json(add().body).text("/secret"));
}

TEST_F(Sources, ShowTheirSecretOnce) {
  const auto response = add(R"("host": "gitea", "secret": "a-secret-of-sixteen")");
  ASSERT_EQ(response.status, 201) << response.body;
  Json json(response.body);
  EXPECT_EQ(json.text("/secret"), "a-secret-of-sixteen");
  const std::string path = "/v1/sources/" + json.text("/id");
  for (const auto& shown : {ask("GET", path), ask("GET", "/v1/sources"),
                            ask("PATCH", path, R"({"description": "x"})")}) {
    EXPECT_EQ(shown.status, 200) << shown.body;
    EXPECT_EQ(shown.body.find("secret-of"), std::string::npos) << shown.body;
    EXPECT_NE(shown.body.find(json.text("/url")), std::string::npos) << "to be pasted again";
  }
}

TEST_F(Sources, MayBeTriggersOfAPipeline) {
  const auto response = add(R"("host": "buildkite", "pipeline": "main-app")");
  ASSERT_EQ(response.status, 201) << response.body;
  Json json(response.body);
  EXPECT_EQ(json.text("/pipeline"), "main-app");
  EXPECT_EQ(json.text("/secret"), "") << "no signature is asked for";
  EXPECT_NE(json.text("/url").find("/deliver/bktr_"), std::string::npos) << json.text("/url");
  const GitSource* source = published(response);
  ASSERT_NE(source, nullptr);
  EXPECT_EQ(source->host, GitHost::buildkite);
  EXPECT_EQ(source->sha256, incoming::path_hash_of(*source));
  for (int count = 1; count < 10; ++count) {
    EXPECT_EQ(add(R"("host": "buildkite", "pipeline": "main-app")").status, 201);
  }
  EXPECT_EQ(add(R"("host": "buildkite", "pipeline": "main-app")").status, 409);
  EXPECT_EQ(add(R"("host": "buildkite", "pipeline": "other")").status, 201);
}

TEST_F(Sources, RefuseWhatCannotBe) {
  struct Row {
    const char* body;
    const char* member;
  };
  const std::string long_text(300, 'x');
  const std::string long_secret = R"({"host": "github", "secret": ")" + long_text + "\"}";
  const std::string long_description =
      R"({"host": "github", "description": ")" + std::string(1025, 'x') + "\"}";
  const Row rows[] = {{"{}", "host"},
                      {R"({"host": "sourceforge"})", "host"},
                      {R"({"host": "GitHub"})", "host"},
                      {R"({"host": null})", "host"},
                      {R"({"host": "buildkite"})", "pipeline"},
                      {R"({"host": "buildkite", "pipeline": "a/b"})", "pipeline"},
                      {R"({"host": "buildkite", "pipeline": "p", "app": "a"})", "app"},
                      {R"({"host": "github", "pipeline": "p"})", "pipeline"},
                      {R"({"host": "github", "secret": ""})", "secret"},
                      {R"({"host": "github", "secret": "fifteen-letters"})", "secret"},
                      {R"({"host": "github", "secret": "a secret of sixteen"})", "secret"},
                      {R"({"host": "github", "secret": "a-sécret-of-sixteen"})", "secret"},
                      {long_secret.c_str(), "secret"},
                      {long_description.c_str(), "description"},
                      {R"({"host": "github", "enabled": "yes"})", "enabled"},
                      {R"({"host": "github", "url": "https://mine"})", "url"}};
  for (const Row& row : rows) {
    const auto response = ask("POST", "/v1/sources", row.body);
    EXPECT_EQ(response.status, 422) << row.body;
    EXPECT_EQ(Json(response.body).text("/member"), row.member) << response.body;
  }
  const std::string path = "/v1/sources/" + Json(add().body).text("/id");
  for (const char* body : {R"({"host": "gitlab"})", R"({"secret": "a-secret-of-sixteen"})"}) {
    EXPECT_EQ(ask("PATCH", path, body).status, 422) << body;
  }
}

TEST_F(Sources, AreListedByAgeAndPaged) {
  std::vector<std::string> ids;
  for (int count = 0; count < 3; ++count) {
    ++clock_;
    ids.push_back(Json(add().body).text("/id"));
  }
  Json first(ask("GET", "/v1/sources?limit=2").body);
  EXPECT_EQ(first.text("/items/0/id"), ids[2]);
  EXPECT_EQ(first.text("/items/1/id"), ids[1]);
  Json second(ask("GET", "/v1/sources?limit=2&cursor=" + first.text("/next_cursor")).body);
  EXPECT_EQ(second.text("/items/0/id"), ids[0]);
  EXPECT_EQ(second.text("/next_cursor"), "(none)");
  EXPECT_EQ(ask("GET", "/v1/sources?cursor=w" + ids[0]).status, 400) << "of another list";
}

TEST_F(Sources, ChangeAndGoWhenItIsAnswered) {
  const auto response = add();
  const std::string path = "/v1/sources/" + Json(response.body).text("/id");
  ++clock_;
  const auto disabled = ask("PATCH", path, R"({"enabled": false})");
  EXPECT_EQ(disabled.status, 200) << disabled.body;
  EXPECT_EQ(Json(disabled.body).text("/updated_at"), to_rfc3339(at(clock_)));
  ASSERT_NE(published(response), nullptr);
  EXPECT_FALSE(published(response)->enabled);
  EXPECT_EQ(ask("PATCH", path, R"({"enabled": true})").status, 200);
  EXPECT_TRUE(published(response)->enabled);
  EXPECT_EQ(ask("DELETE", path).status, 204);
  EXPECT_EQ(published(response), nullptr);
  for (const auto& gone : {ask("GET", path), ask("DELETE", path), ask("PATCH", path, "{}"),
                           ask("POST", path + "/rotate-secret")}) {
    EXPECT_EQ(gone.status, 404);
  }
}

TEST_F(Sources, KeepTheOldSecretForAWhile) {
  const auto response = add(R"("host": "github", "secret": "a-secret-of-sixteen")");
  const std::string path = "/v1/sources/" + Json(response.body).text("/id");
  clock_ = 10;
  const auto rotated = ask("POST", path + "/rotate-secret", R"({"overlap_s": 60})");
  ASSERT_EQ(rotated.status, 200) << rotated.body;
  const std::string secret = Json(rotated.body).text("/secret");
  EXPECT_EQ(Json(rotated.body).text("/previous_secret_until"), to_rfc3339(at(70)));
  EXPECT_EQ(published(response)->secret, secret);
  EXPECT_EQ(published(response)->previous_secret, "a-secret-of-sixteen");
  EXPECT_EQ(published(response)->previous_secret_until, at(70));
  clock_ = 70;
  EXPECT_EQ(Json(ask("GET", path).body).text("/previous_secret_until"), "(none)") << "it is over";

  const std::string own = R"({"secret": "another-secret-of-ours", "overlap_s": 0})";
  EXPECT_EQ(ask("POST", path + "/rotate-secret", own).status, 200);
  EXPECT_EQ(published(response)->secret, "another-secret-of-ours");
  EXPECT_TRUE(published(response)->previous_secret.empty());
  EXPECT_EQ(ask("POST", path + "/rotate-secret", own).status, 422) << "the present one";
  EXPECT_EQ(ask("POST", path + "/rotate-secret", R"({"secret": "short"})").status, 422);
  EXPECT_EQ(ask("POST", path + "/rotate-secret", R"({"overlap_s": -1})").status, 422);
}

// A secret is enough to send events: who may not send them gets none.
TEST_F(Sources, NeedTheRightToSendEvents) {
  add_token("manager", "default", writes | reads);
  restart();
  const std::string path = "/v1/sources/" + Json(add().body).text("/id");
  EXPECT_EQ(add(R"("host": "gitlab")", "manager").status, 403);
  EXPECT_EQ(ask("POST", path + "/rotate-secret", {}, "manager").status, 403);
  EXPECT_EQ(ask("PATCH", path, R"({"enabled": false})", "manager").status, 200);
}

TEST_F(Sources, AreOfOneOrganization) {
  add_token("acme-token", "acme", writes | reads | sends);
  restart();
  const std::string path = "/v1/sources/" + Json(add().body).text("/id");
  EXPECT_EQ(ask("GET", path, {}, "acme-token").status, 404);
  EXPECT_EQ(ask("DELETE", path, {}, "acme-token").status, 404);
  EXPECT_EQ(ask("GET", "/v1/sources", {}, "acme-token").body, R"({"items":[],"next_cursor":null})");
  const auto own = add(R"("host": "gitlab")", "acme-token");
  EXPECT_EQ(own.status, 201) << own.body;
  EXPECT_EQ(published(own)->organization, "acme");
  EXPECT_EQ(ask("GET", "/v1/sources/" + Json(own.body).text("/id")).status, 404)
      << "not the operator's either";
}

TEST_F(Sources, AskForScopesAndForAllRepositories) {
  add_token("reader", "default", reads);
  restart();
  EXPECT_EQ(ask("GET", "/v1/sources", {}, "reader").status, 200);
  EXPECT_EQ(add(R"("host": "github")", "reader").status, 403);
  const auto restricted = [&](const char* source) {
    return made(ask("POST", "/v1/tokens",
                    R"({"name": "t", "scopes": ["admin"], "sources": [")" + std::string{source} +
                        "\"]}"))
        .text;
  };
  EXPECT_EQ(add(R"("host": "github")", restricted("app/*")).status, 403);
  EXPECT_EQ(add(R"("host": "github")", restricted("repository/github/acme/shop")).status, 403)
      << "its calls may be about any repository";
  EXPECT_EQ(add(R"("host": "github")", restricted("repository/*")).status, 201);
}

TEST_F(Sources, MayStartTheBuildsOfAnApp) {
  const auto response = add(R"("host": "bitbucket", "app": "c0ffee")");
  ASSERT_EQ(response.status, 201) << response.body;
  Json json(response.body);
  EXPECT_EQ(json.text("/app"), "c0ffee");
  const std::string url = json.text("/url");
  const std::string start = "http:///h/bitbucket-v2/c0ffee/";
  ASSERT_TRUE(url.starts_with(start)) << url;
  const auto address = incoming::read_address(std::string_view{url}.substr(7));
  ASSERT_TRUE(address);
  const GitSource* source = table_.current().git_source(address->sha256);
  ASSERT_NE(source, nullptr);
  EXPECT_TRUE(address->names(*source));
  restart();
  settle();
  EXPECT_EQ(Json(ask("GET", "/v1/sources/" + json.text("/id")).body).text("/app"), "c0ffee");
  for (const char* app : {R"("")", R"("a/b")", R"("a b")", "7"}) {
    EXPECT_EQ(add(R"("host": "github", "app": )" + std::string{app}).status, 422) << app;
  }
  EXPECT_EQ(add(R"("host": "github", "app": ")" + std::string(65, 'a') + "\"").status, 422);
  EXPECT_EQ(ask("PATCH", "/v1/sources/" + json.text("/id"), R"({"app": "other"})").status, 422);
}

TEST_F(Sources, AreSeenByTokensOfTheirApp) {
  const auto token = made(ask("POST", "/v1/tokens",
                              R"({"name": "t", "scopes": ["admin"], "sources": ["app/mine"]})"))
                         .text;
  const std::string other = Json(add(R"("host": "github", "app": "other")").body).text("/id");
  const auto mine = add(R"("host": "github", "app": "mine")", token);
  EXPECT_EQ(mine.status, 201) << mine.body;
  EXPECT_EQ(add(R"("host": "github", "app": "other")", token).status, 403);
  EXPECT_EQ(ask("GET", "/v1/sources/" + other, {}, token).status, 404);
  Json list(ask("GET", "/v1/sources", {}, token).body);
  EXPECT_EQ(list.text("/items/0/app"), "mine");
  EXPECT_EQ(list.text("/items/1/app"), "(none)");
}

TEST_F(Sources, SurviveARestart) {
  const auto response = add();
  const std::string id = Json(response.body).text("/id");
  const std::string secret = Json(response.body).text("/secret");
  restart();
  settle();
  EXPECT_EQ(Json(ask("GET", "/v1/sources/" + id).body).text("/url"),
            Json(response.body).text("/url"));
  ASSERT_NE(published(response), nullptr);
  EXPECT_EQ(published(response)->secret, secret);
}

TEST_F(Sources, AreInTheAuditLogWithoutTheirSecret) {
  const std::string id =
      Json(add(R"("host": "github", "secret": "a-secret-of-sixteen")").body).text("/id");
  const std::string path = "/v1/sources/" + id;
  ask("PATCH", path, R"({"enabled": false})");
  ask("POST", path + "/rotate-secret");
  ask("DELETE", path);
  const std::string log = ask("GET", "/v1/audit").body;
  for (const char* operation :
       {"source.create", "source.update", "source.rotate_secret", "source.delete"}) {
    EXPECT_NE(log.find(operation), std::string::npos) << operation;
  }
  EXPECT_EQ(log.find("secret-of"), std::string::npos);
  EXPECT_NE(log.find(R"("members":["enabled"])"), std::string::npos) << log;
}

}  // namespace
}  // namespace ringpost::control
