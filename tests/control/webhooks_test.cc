// Goal: a change of a webhook is true on every shard when it is answered, and belongs to the
// caller's organization.

#include "control_fixture.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using testing::at;
using testing::ControlTest;
using testing::Json;
using testing::made;
using testing::shard_count;

// --- webhooks ------------------------------------------------------------------------------------

TEST_F(ControlTest, AnswersACreateWhenEveryShardHasSeenIt) {
  send("POST", "/v1/webhooks", R"({"url": "https://ci.example.org/in"})");
  EXPECT_FALSE(answered());
  control_->flush();
  EXPECT_FALSE(answered());
  const auto first = post_.take<SnapshotPublished>(0);
  const auto second = post_.take<SnapshotPublished>(1);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(matches(), 1u);
  tell(0, SnapshotSeen{first->version});
  tell(1, SnapshotSeen{second->version - 1});
  EXPECT_FALSE(answered());
  tell(1, SnapshotSeen{second->version});
  const auto response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 201);
  Json json(response->body);
  EXPECT_TRUE(json.text("/secret").starts_with("whsec_"));
  EXPECT_EQ(json.text("/state"), "active");
  EXPECT_EQ(response->headers[0].value, "/v1/webhooks/" + json.text("/id"));
}

TEST_F(ControlTest, MakesWebhooksOfOtherOrganizationsForTheOperatorAlone) {
  add_token("other-token", "other", static_cast<uint8_t>(subscription::Scope::admin));
  const std::string body = R"({"url": "https://ci.example.org/in", "organization": "other"})";
  const auto response = ask("POST", "/v1/webhooks", body);
  ASSERT_EQ(response.status, 201) << response.body;
  Json made(response.body);
  EXPECT_EQ(made.text("/organization"), "other");
  EXPECT_EQ(ask("GET", "/v1/webhooks/" + made.text("/id"), {}, "other-token").status, 200);
  EXPECT_EQ(Json(ask("GET", "/v1/audit?organization=other").body).text("/items/0/operation"),
            "webhook.create");
  const auto refused =
      ask("POST", "/v1/webhooks",
          R"({"url": "https://ci.example.org/in", "organization": "default"})", "other-token");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(Json(refused.body).text("/member"), "organization");
  EXPECT_EQ(ask("POST", "/v1/webhooks", body, "other-token").status, 201);
  const auto moved = ask("PATCH", "/v1/webhooks/" + made.text("/id"),
                         R"({"organization": "default"})", "other-token");
  EXPECT_EQ(moved.status, 422);
  EXPECT_EQ(ask("POST", "/v1/webhooks",
                R"({"url": "https://ci.example.org/in", "organization": "Not One"})")
                .status,
            422);
}

TEST_F(ControlTest, PublishesSeveralChangesAtOnceAndAnswersAll) {
  for (int count = 0; count < 5; ++count) {
    send("POST", "/v1/webhooks", R"({"url": "https://ci.example.org/in"})");
  }
  control_->flush();
  EXPECT_EQ(post_.sent[1].size(), 1u);
  settle();
  for (int count = 0; count < 5; ++count) EXPECT_EQ(answered()->status, 201);
  EXPECT_EQ(matches(), 5u);
}

TEST_F(ControlTest, SeesAChangeThatIsNotPublishedYet) {
  const std::string id = make_webhook();
  send("PATCH", "/v1/webhooks/" + id, R"({"description": "one"})");
  send("PATCH", "/v1/webhooks/" + id, R"({"timeout_ms": 500})");
  settle();
  EXPECT_EQ(answered()->status, 200);
  Json json(answered()->body);
  EXPECT_EQ(json.text("/description"), "one");
  EXPECT_EQ(json.number("/timeout_ms"), 500);
  send("DELETE", "/v1/webhooks/" + id);
  send("PATCH", "/v1/webhooks/" + id, R"({"timeout_ms": 600})");
  EXPECT_EQ(answered()->status, 404);  // At once: nothing to wait for.
  settle();
  EXPECT_EQ(answered()->status, 204);
}

TEST_F(ControlTest, EndsDeliveriesOfDeletedAndDisabledWebhooks) {
  const std::string deleted = make_webhook();
  const std::string disabled = make_webhook();
  const uint32_t deleted_number = number_of(deleted);
  EXPECT_EQ(ask("DELETE", "/v1/webhooks/" + deleted).status, 204);
  EXPECT_EQ(ended_, (std::vector{deleted_number, deleted_number}));  // To both shards.
  ended_.clear();
  EXPECT_EQ(ask("POST", "/v1/webhooks/" + disabled + "/disable").status, 200);
  EXPECT_EQ(ended_.size(), 2u);
  EXPECT_EQ(matches(), 0u);
  ended_.clear();
  EXPECT_EQ(ask("POST", "/v1/webhooks/" + disabled + "/enable").status, 200);
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(matches(), 1u);
  EXPECT_EQ(ask("GET", "/v1/webhooks/" + deleted).status, 404);
}

// It matches nothing and sends nothing: whether it takes calls is a setting.
TEST_F(ControlTest, NeverActivatesAWebhookThatIsCalled) {
  const auto made = ask("POST", "/pipelines/33/hooks/incoming", R"({"name": "n"})");
  EXPECT_EQ(made.status, 201) << made.body;
  const std::string path = "/v1/webhooks/" + Json(made.body).text("/id");
  EXPECT_EQ(ask("POST", path + "/enable").status, 409);
  EXPECT_EQ(ask("PATCH", path, R"({"enabled": true})").status, 422);
  EXPECT_EQ(ask("PATCH", path, R"({"description": "d"})").status, 200);
  EXPECT_EQ(Json(ask("GET", path).body).text("/state"), "disabled");
}

TEST_F(ControlTest, ShowsASecretOnlyWhenItIsMade) {
  const std::string id = make_webhook();
  EXPECT_EQ(Json(ask("GET", "/v1/webhooks/" + id).body).text("/secret"), "(none)");
  EXPECT_EQ(Json(ask("PATCH", "/v1/webhooks/" + id, R"({"description": ""})").body).text("/secret"),
            "(none)");
  const auto list = ask("GET", "/v1/webhooks");
  EXPECT_EQ(list.body.find("whsec_"), std::string::npos);
  const std::string rotated =
      Json(ask("POST", "/v1/webhooks/" + id + "/rotate-secret").body).text("/secret");
  EXPECT_TRUE(rotated.starts_with("whsec_"));
  EXPECT_EQ(table_.current().webhook(number_of(id))->secret, rotated);
  EXPECT_EQ(ask("POST", "/v1/webhooks/" + id + "/rotate-secret", R"({"secret": "x"})").status, 422);
  EXPECT_EQ(ask("POST", "/v1/webhooks/" + id + "/rotate-secret", R"({"other": "x"})").status, 422);
}

TEST_F(ControlTest, PagesWebhooksWhileNewOnesCome) {
  std::vector<std::string> made;
  for (int count = 0; count < 7; ++count) {
    made.push_back(make_webhook());
    ++clock_;
  }
  std::vector<std::string> seen;
  std::string target = "/v1/webhooks?limit=3";
  while (true) {
    Json page(ask("GET", target).body);
    for (size_t index = 0; index < page.size("/items"); ++index) {
      seen.push_back(page.text("/items/" + std::to_string(index) + "/id"));
    }
    make_webhook();
    ++clock_;
    if (page.is_null("/next_cursor")) break;
    target = "/v1/webhooks?limit=3&cursor=" + page.text("/next_cursor");
  }
  EXPECT_EQ(seen, std::vector<std::string>(made.rbegin(), made.rend()));
}

TEST_F(ControlTest, RefusesWrongListParameters) {
  const std::string id = make_webhook();
  for (const char* query : {"limit=0", "limit=201", "limit=x", "limit=", "limit=-1",
                            "cursor=", "cursor=abc", "cursor=d01J0000000000000000000000",
                            "limit=1&limit=2", "other=1", "status=dead", "a=%zz"}) {
    EXPECT_EQ(ask("GET", std::string("/v1/webhooks?") + query).status, 400) << query;
  }
  for (const char* query : {"status=lost", "since=yesterday", "until=1", "cursor=w", "what=1",
                            "cursor=w01J0000000000000000000000"}) {
    const auto response = ask("GET", "/v1/webhooks/" + id + "/deliveries?" + query);
    EXPECT_EQ(response.status, 400) << query;
    EXPECT_NE(Json(response.body).text("/member"), "(none)") << query;
  }
}

TEST_F(ControlTest, KeepsWebhooksAndTokensOverARestart) {
  const std::string id = make_webhook(R"(, "description": "kept")");
  // On the heap: g++ 12's sanitizer does not align objects on the stack to 64 bytes.
  const auto table = std::make_unique<subscription::SubscriptionTable>(shard_count, HashKey{});
  const Control::Options options;
  Control control(
      {*store_, *table, journals_, history_.index, post_, places_, {&counters_[0], &counters_[1]}},
      options);
  ASSERT_TRUE(control.load());
  EXPECT_EQ(table->current().webhook_count(), 1u);
  EXPECT_EQ(table->current().token_count(), 1u);
}

TEST_F(ControlTest, DisablesAWebhookWhoseEndpointIsGone) {
  const std::string id = make_webhook();
  tell(1, EndpointGone{version_of(id)});
  settle();
  EXPECT_EQ(ended_.size(), 2u);
  EXPECT_EQ(matches(), 0u);
  Json json(ask("GET", "/v1/webhooks/" + id).body);
  EXPECT_EQ(json.text("/state"), "disabled");
  EXPECT_EQ(json.text("/state_reason"), "the endpoint answered 410 Gone");
  tell(1, EndpointGone{version_of(id)});
  tell(1, EndpointGone{{12345, {}}});
  settle();
  EXPECT_EQ(ended_.size(), 2u);
}

// Goal: what came of an attempt to where the webhook led before says nothing of where it leads now.
TEST_F(ControlTest, DoesNotTakeWhatTheReceiverOfBeforeDidForTheNewOnes) {
  const std::string id = make_webhook(R"(, "dialect": "cloudevents")");
  const std::string path = "/v1/webhooks/" + id;
  const subscription::WebhookVersion before = version_of(id);
  ask("PATCH", path, R"({"url": "https://other.example.org/"})");
  const WallTime later = at(clock_) + std::chrono::hours{1};
  tell(0, PermissionAsked{before, std::nullopt});
  tell(0, ReceiverPaused{before, later});
  tell(0, CircuitChanged{before, 7, later, {Errc::refused, Side::endpoint}});
  tell(1, EndpointGone{before});
  settle();
  Json shown(ask("GET", path).body);
  EXPECT_EQ(shown.text("/permission"), "unknown");
  EXPECT_EQ(shown.text("/paused_until"), "(none)");
  EXPECT_EQ(shown.text("/circuit"), "(none)");
  EXPECT_EQ(shown.text("/state"), "active");
  EXPECT_TRUE(ended_.empty());
}

// Goal: a version is known by its time, also of two changes at one time.
TEST_F(ControlTest, GivesEachVersionOfAWebhookATimeOfItsOwn) {
  const std::string id = make_webhook();
  const subscription::WebhookVersion first = version_of(id);
  ask("PATCH", "/v1/webhooks/" + id, R"({"description": "second"})");
  const subscription::WebhookVersion second = version_of(id);
  ask("PATCH", "/v1/webhooks/" + id, R"({"description": "third"})");
  EXPECT_GT(second.updated_at, first.updated_at);
  EXPECT_GT(version_of(id).updated_at, second.updated_at);
}

// Bitrise's API shows no state: to mend the webhook is how one goes on.
TEST_F(ControlTest, StartsABitriseWebhookAgainWhenItIsMendedAfterA410) {
  const std::string path = "/v0.1/apps/c0ffee/outgoing-webhooks";
  const std::string body = R"({"events": ["all"], "url": "https://ci.example.org/"})";
  const std::string id = Json(ask("POST", path, body).body).text("/data/slug");
  const auto state = [&] { return Json(ask("GET", "/v1/webhooks/" + id).body).text("/state"); };
  tell(1, EndpointGone{version_of(id)});
  settle();
  EXPECT_EQ(state(), "disabled");
  restart();
  EXPECT_EQ(ask("PUT", path + "/" + id, body).status, 200);
  EXPECT_EQ(state(), "active");
  tell(1, EndpointGone{version_of(id)});
  settle();
  ask("POST", "/v1/webhooks/" + id + "/disable");
  EXPECT_EQ(ask("PUT", path + "/" + id, body).status, 200);
  EXPECT_EQ(state(), "disabled") << "a person has said so since";
}

// --- rotation ------------------------------------------------------------------------------------

TEST_F(ControlTest, KeepsTheOldSecretForTheOverlapOfARotation) {
  const std::string id = make_webhook();
  const std::string path = "/v1/webhooks/" + id + "/rotate-secret";
  const auto webhook = [&] { return table_.current().webhook(number_of(id)); };
  const std::string first = webhook()->secret;
  const auto rotated = ask("POST", path);
  ASSERT_EQ(rotated.status, 200) << rotated.body;
  EXPECT_EQ(webhook()->previous_secret, first);
  EXPECT_EQ(webhook()->previous_secret_until - at(clock_), std::chrono::hours{24});
  EXPECT_EQ(Json(rotated.body).text("/previous_secret_until"),
            to_rfc3339(webhook()->previous_secret_until));
  EXPECT_EQ(rotated.body.find(first), std::string::npos);
  const std::string shown = ask("GET", "/v1/webhooks/" + id).body;
  EXPECT_EQ(shown.find("whsec_"), std::string::npos);
  EXPECT_NE(shown.find("\"previous_secret_until\":\"2"), std::string::npos) << shown;

  // A rotation during an overlap gives the oldest one up.
  const std::string second = webhook()->secret;
  ASSERT_EQ(ask("POST", path, R"({"overlap_s": 60})").status, 200);
  EXPECT_EQ(webhook()->previous_secret, second);
  EXPECT_EQ(webhook()->previous_secret_until - at(clock_), std::chrono::seconds{60});

  // At once: the old one is void.
  ASSERT_EQ(ask("POST", path, R"({"overlap_s": 0})").status, 200);
  EXPECT_EQ(webhook()->previous_secret, "");
  EXPECT_TRUE(Json(ask("GET", "/v1/webhooks/" + id).body).is_null("/previous_secret_until"));
}

TEST_F(ControlTest, ForgetsAnOldSecretWhoseTimeIsOver) {
  const std::string id = make_webhook();
  const std::string path = "/v1/webhooks/" + id;
  ASSERT_EQ(ask("POST", path + "/rotate-secret", R"({"overlap_s": 5})").status, 200);
  clock_ += 4;
  ASSERT_EQ(ask("PATCH", path, R"({"description": "a"})").status, 200);
  EXPECT_NE(table_.current().webhook(number_of(id))->previous_secret, "");
  clock_ += 1;
  ASSERT_EQ(ask("PATCH", path, R"({"description": "b"})").status, 200);
  EXPECT_EQ(table_.current().webhook(number_of(id))->previous_secret, "");
  // A secret that is set, not rotated, counts at once and alone.
  ASSERT_EQ(ask("POST", path + "/rotate-secret").status, 200);
  ASSERT_EQ(ask("PATCH", path, R"({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})").status,
            200);
  EXPECT_EQ(table_.current().webhook(number_of(id))->previous_secret, "");
}

TEST_F(ControlTest, RefusesRotationsThatMakeNoSense) {
  const std::string standard = make_webhook();
  const std::string bearer = make_webhook(R"(, "dialect": "cloudevents", "secret": "abc")");
  const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const auto rotate = [&](const std::string& id, const std::string& body) {
    const auto answer = ask("POST", "/v1/webhooks/" + id + "/rotate-secret", body);
    return answer.status == 422 ? Json(answer.body).text("/member") : std::to_string(answer.status);
  };
  for (const char* overlap : {"-1", "1.5", "\"1\"", "2592001", "null"}) {
    EXPECT_EQ(rotate(standard, std::string{R"({"overlap_s": )"} + overlap + "}"), "overlap_s");
  }
  EXPECT_EQ(rotate(standard, R"({"secret": ")" + secret + "\"}"), "200");
  EXPECT_EQ(rotate(standard, R"({"secret": ")" + secret + "\"}"), "secret") << "it is that one";
  EXPECT_EQ(rotate(standard, R"({"secret": "", "overlap_s": 0})"), "secret");
  EXPECT_EQ(rotate(bearer, ""), "200");
  EXPECT_EQ(table_.current().webhook(number_of(bearer))->secret.size(), 64u) << "minted";
  EXPECT_EQ(rotate(bearer, R"({"secret": "def", "overlap_s": 60})"), "overlap_s");
  EXPECT_EQ(rotate(bearer, R"({"secret": "def"})"), "200");
  EXPECT_EQ(table_.current().webhook(number_of(bearer))->previous_secret, "");
}

TEST_F(ControlTest, ShowsAPublicKeyAndRotatesWithinItsKind) {
  const std::string id = make_webhook(R"(, "settings": {"signature": "v1a"})");
  const std::string path = "/v1/webhooks/" + id;
  Json before(ask("GET", path).body);
  EXPECT_EQ(before.text("/settings/signature"), "v1a");
  EXPECT_TRUE(before.text("/settings/public_key").starts_with("whpk_"));
  Json rotated(ask("POST", path + "/rotate-secret").body);
  EXPECT_TRUE(rotated.text("/secret").starts_with("whsk_"));
  EXPECT_NE(rotated.text("/settings/public_key"), before.text("/settings/public_key"));
  // To the other kind, by naming a secret of it.
  Json other(ask("POST", path + "/rotate-secret",
                 R"({"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})")
                 .body);
  EXPECT_EQ(other.text("/settings/signature"), "v1");
  EXPECT_TRUE(table_.current().webhook(number_of(id))->previous_secret.starts_with("whsk_"));
}

TEST_F(ControlTest, ShowsThatAReceiverFailsUntilItWorksAgain) {
  const std::string id = make_webhook();
  const std::string path = "/v1/webhooks/" + id;
  const uint32_t number = number_of(id);
  const auto shown = [&](const char* member) { return Json(ask("GET", path).body).text(member); };
  EXPECT_EQ(shown("/circuit"), "(none)");
  const WallTime next = at(clock_) + std::chrono::seconds{30};
  tell(0, CircuitChanged{version_of(id), 7, next, {Errc::refused, Side::endpoint}});
  EXPECT_EQ(Json(ask("GET", path).body).number("/circuit/failures"), 7);
  EXPECT_EQ(shown("/circuit/next_attempt_at"), to_rfc3339(next));
  EXPECT_EQ(shown("/circuit/last_failure"), describe({Errc::refused, Side::endpoint}));
  accept(number, "event-1");
  const std::string list = ask("GET", path + "/deliveries").body;
  EXPECT_EQ(Json(list).text("/items/0/next_attempt_at"), to_rfc3339(next));
  tell(0, CircuitChanged{.webhook = version_of(id)});
  EXPECT_EQ(shown("/circuit"), "(none)");
  tell(0, CircuitChanged{version_of(id), 7, next, {Errc::refused, Side::endpoint}});
  ask("PATCH", path, R"({"url": "https://other.example.org/"})");
  EXPECT_EQ(shown("/circuit"), "(none)") << "it was about the receiver of before";
}

TEST_F(ControlTest, ShowsWhatAReceiverAskedForAndHoldsItBackFromNobodyElse) {
  const std::string id = make_webhook(R"(, "dialect": "cloudevents")");
  const std::string path = "/v1/webhooks/" + id;
  const uint32_t number = number_of(id);
  const auto shown = [&](const char* member) { return Json(ask("GET", path).body).text(member); };
  EXPECT_EQ(shown("/permission"), "unknown");
  EXPECT_EQ(shown("/permission_reason"), "");
  EXPECT_EQ(shown("/paused_until"), "(none)");
  tell(0, PermissionAsked{version_of(id), Error{Errc::refused, Side::endpoint}});
  EXPECT_EQ(shown("/permission"), "unknown");
  EXPECT_EQ(shown("/permission_reason"), describe({Errc::refused, Side::endpoint}));
  tell(0, PermissionAsked{version_of(id), Error{Errc::origin_refused, Side::endpoint, 405}});
  EXPECT_EQ(shown("/permission"), "refused");
  EXPECT_NE(shown("/permission_reason").find("405"), std::string::npos);
  tell(0, PermissionAsked{version_of(id), std::nullopt});
  EXPECT_EQ(shown("/permission"), "granted");
  EXPECT_EQ(shown("/permission_reason"), "");
  const WallTime until = at(clock_) + std::chrono::hours{1};
  tell(0, ReceiverPaused{version_of(id), until});
  EXPECT_EQ(shown("/paused_until"), to_rfc3339(until));
  const auto event = accept(number, "event-1");
  const std::string list = ask("GET", path + "/deliveries").body;
  EXPECT_EQ(Json(list).text("/items/0/next_attempt_at"), to_rfc3339(until));
  ask("PATCH", path, R"({"description": "other"})");
  EXPECT_EQ(shown("/permission"), "unknown") << "it was permission for what was before";
  EXPECT_EQ(shown("/paused_until"), to_rfc3339(until));
  ask("PATCH", path, R"({"url": "https://other.example.org/"})");
  EXPECT_EQ(shown("/paused_until"), "(none)");
  EXPECT_EQ(Json(ask("GET", "/v1/webhooks/" + make_webhook()).body).text("/permission"),
            "not_needed");
  tell(0, ReceiverPaused{version_of(id), until});
  const subscription::WebhookVersion version = version_of(id);
  ask("DELETE", path);
  tell(0, ReceiverPaused{version, until});  // On its way when it was deleted.
}

}  // namespace
}  // namespace ringpost::control
