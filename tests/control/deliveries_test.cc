// Goal: what is told of deliveries and events is complete, and a redelivery is what was asked for.

#include "control_fixture.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using journal::DeliveryStatus;
using testing::at;
using testing::ControlTest;
using testing::Json;
using testing::made;
using testing::shard_count;

TEST_F(ControlTest, ShowsADeliveryWithItsAttempts) {
  const std::string id = make_webhook();
  const auto event = accept(number_of(id), "event-1");
  settle_delivery(event, DeliveryStatus::pending, 1, 500);
  const std::string delivery = settle_delivery(event, DeliveryStatus::delivered, 2).to_text();
  const auto response = ask("GET", "/v1/deliveries/" + delivery);
  EXPECT_EQ(response.status, 200) << response.body;
  Json json(response.body);
  EXPECT_EQ(json.text("/webhook"), id);
  EXPECT_EQ(json.text("/event/id"), "event-1");
  EXPECT_EQ(json.text("/status"), "delivered");
  EXPECT_EQ(json.size("/attempts"), 2u);
  EXPECT_EQ(json.number("/attempts/0/number"), 1);
  EXPECT_EQ(json.text("/attempts/0/error/code"), "bad_status");
  EXPECT_TRUE(json.is_null("/attempts/1/error"));
  EXPECT_EQ(json.number("/attempts/1/duration_ms"), 12);
  EXPECT_EQ(json.text("/attempts/1/request/method"), "POST");
  EXPECT_EQ(json.text("/attempts/1/request/url"), "https://ci.example.org/in");
  EXPECT_EQ(json.text("/attempts/1/request/headers/X-A"), "1");
  EXPECT_EQ(json.text("/attempts/1/request/body"), R"({"build": 1.0})");
  EXPECT_EQ(json.number("/attempts/1/response/status"), 200);
  EXPECT_EQ(json.text("/attempts/1/response/headers/Set-Cookie"), "a, b");
  EXPECT_EQ(json.text("/attempts/1/response/body"), "<b>\xEF\xBF\xBD");
}

// The wall clock was set back since the attempt.
TEST_F(ControlTest, ShowsNoNextAttemptLaterThanTheScheduleHasPauses) {
  const std::string id = make_webhook();
  const auto event = accept(number_of(id));
  const Ulid delivery = settle_delivery(event, DeliveryStatus::pending, 1, 500);
  const WallTime years_away = at(clock_) + std::chrono::hours{24 * 3650};
  tell(1, OutcomeRecorded{delivery, event->position(), journal::Position::make(1, 1, offset_ + 64),
                          number_of(id), 1, DeliveryStatus::pending, at(clock_), years_away});
  Json json(ask("GET", "/v1/deliveries/" + delivery.to_text()).body);
  const auto shown = parse_rfc3339(json.text("/next_attempt_at"));
  ASSERT_TRUE(shown);
  EXPECT_GT(*shown, at(clock_));
  EXPECT_LE(*shown, at(clock_) + std::chrono::seconds{50'400 * 5 / 4 + 60});
}

TEST_F(ControlTest, TellsAnAttemptUnderWayFromOneWhoseEndIsUnknown) {
  const std::string id = make_webhook();
  const auto event = accept(number_of(id));
  const std::string path =
      "/v1/deliveries/" + settle_delivery(event, DeliveryStatus::in_flight, 1, 0).to_text();
  Json under_way(ask("GET", path).body);
  EXPECT_EQ(under_way.text("/status"), "in_flight");
  EXPECT_TRUE(under_way.is_null("/attempts/0/error"));
  EXPECT_TRUE(under_way.is_null("/attempts/0/duration_ms"));
  EXPECT_TRUE(under_way.is_null("/attempts/0/response"));
  settle_delivery(event, DeliveryStatus::delivered, 2);
  Json done(ask("GET", path).body);
  EXPECT_EQ(done.size("/attempts"), 2u);
  EXPECT_EQ(done.text("/attempts/0/error/code"), "interrupted");
  EXPECT_TRUE(done.is_null("/attempts/1/error"));
}

TEST_F(ControlTest, ShowsADeliveryWhoseWebhookOrRecordsAreGone) {
  const std::string id = make_webhook();
  const auto event = accept(number_of(id));
  const std::string delivery = settle_delivery(event, DeliveryStatus::dead).to_text();
  ASSERT_EQ(ask("DELETE", "/v1/webhooks/" + id).status, 204);
  journals_.outcomes.clear();
  Json json(ask("GET", "/v1/deliveries/" + delivery).body);
  EXPECT_TRUE(json.is_null("/webhook"));
  EXPECT_EQ(json.size("/attempts"), 1u);
  EXPECT_EQ(json.text("/attempts/0/error/code"), "not_found");
  journals_.events.clear();
  EXPECT_EQ(ask("GET", "/v1/deliveries/" + delivery).status, 404);
  EXPECT_EQ(ask("GET", "/v1/deliveries/nonsense").status, 404);
}

TEST_F(ControlTest, FiltersAndPagesDeliveries) {
  const std::string id = make_webhook();
  std::vector<std::string> dead;
  for (int index = 0; index < 9; ++index) {
    const auto event =
        accept(number_of(id), {}, index % 2 == 0 ? "build/finished" : "build/started");
    const auto status = index % 3 == 0 ? DeliveryStatus::dead : DeliveryStatus::delivered;
    const Ulid delivery = settle_delivery(event, status);
    if (index % 3 == 0) dead.push_back(delivery.to_text());
  }
  const std::string base = "/v1/webhooks/" + id + "/deliveries";
  Json first(ask("GET", base + "?status=dead&limit=2").body);
  ASSERT_EQ(first.size("/items"), 2u);
  EXPECT_EQ(first.text("/items/0/id"), dead[2]);
  EXPECT_EQ(first.number("/items/0/last_attempt/response_status"), 200);
  accept(number_of(id));
  Json second(ask("GET", base + "?status=dead&limit=2&cursor=" + first.text("/next_cursor")).body);
  ASSERT_EQ(second.size("/items"), 1u);
  EXPECT_EQ(second.text("/items/0/id"), dead[0]);
  EXPECT_TRUE(second.is_null("/next_cursor"));
  EXPECT_EQ(Json(ask("GET", base + "?type=build%2Fstarted").body).size("/items"), 4u);
  EXPECT_EQ(Json(ask("GET", base + "?status=pending").body).size("/items"), 1u);
  const std::string since = to_rfc3339(at(4));
  const std::string until = to_rfc3339(at(6));
  EXPECT_EQ(Json(ask("GET", base + "?since=" + since + "&until=" + until).body).size("/items"), 2u);
  // A plus in a query is a space, and where an offset begins a space can only have been a plus.
  const auto later = [](WallTime time) {
    std::string text = to_rfc3339(time + std::chrono::hours{1});
    return text.replace(text.size() - 1, 1, "+01:00");
  };
  const std::string offsets = "?since=" + later(at(4)) + "&until=" + later(at(6));
  EXPECT_EQ(Json(ask("GET", base + offsets).body).size("/items"), 2u);
  EXPECT_EQ(ask("GET", base + "?since=2031-05-04T09:08:07+0100").status, 400);
}

// Goal: a page that finds little takes a bounded time, says so, and the next goes on there.
TEST_F(ControlTest, CutsAPageThatPassesOverTooMuch) {
  const std::string id = make_webhook();
  const uint32_t number = number_of(id);
  const Ulid dead = settle_delivery(accept(number), DeliveryStatus::dead);
  for (int index = 0; index < 20'100; ++index) accept(number);
  const std::string base = "/v1/webhooks/" + id + "/deliveries?status=dead";
  const std::string first = ask("GET", base).body;
  EXPECT_EQ(Json(first).size("/items"), 0u);
  EXPECT_NE(first.find("\"cut\":true"), std::string::npos) << first;
  const std::string second = ask("GET", base + "&cursor=" + Json(first).text("/next_cursor")).body;
  EXPECT_EQ(Json(second).text("/items/0/id"), dead.to_text());
  EXPECT_TRUE(Json(second).is_null("/next_cursor"));
  EXPECT_NE(second.find("\"cut\":false"), std::string::npos) << second;
}

// Goal: "there is none" is said only when all of the history was asked.
TEST_F(ControlTest, SaysThatWhatIsNotFoundMayBeInAnIndexThatIsStillMade) {
  journals_.segments_unindexed = 2;
  for (const std::string path :
       {"/v1/deliveries/01J00000000000000000000000", "/v1/events/unknown"}) {
    const auto response = ask("GET", path);
    EXPECT_EQ(response.status, 503) << path;
    EXPECT_NE(response.body.find("2 journal segments"), std::string::npos) << response.body;
    EXPECT_EQ(testing::header_of(response, "Retry-After"), "1");
  }
  EXPECT_EQ(Json(ask("GET", "/v1/status").body).number("/history/segments_unindexed"), 2);
  journals_.segments_unindexed = 0;
  EXPECT_EQ(ask("GET", "/v1/events/unknown").status, 404);
}

TEST_F(ControlTest, ShowsAnEventWithDeliveriesAndRedeliveries) {
  const std::string id = make_webhook();
  const auto event = accept(number_of(id), "a/b%c");
  settle_delivery(event, DeliveryStatus::dead);
  Json json(ask("GET", "/v1/events/a%2Fb%25c").body);
  EXPECT_EQ(json.text("/id"), "a/b%c");
  EXPECT_EQ(json.text("/type"), "build/finished");
  EXPECT_EQ(json.size("/deliveries"), 1u);
  EXPECT_EQ(json.text("/deliveries/0/status"), "dead");
  EXPECT_EQ(ask("GET", "/v1/events/a%2Fb%25c?source=app/x").status, 200);
  EXPECT_EQ(ask("GET", "/v1/events/a%2Fb%25c?source=app/y").status, 404);
  EXPECT_EQ(ask("GET", "/v1/events/other").status, 404);
}

TEST_F(ControlTest, RedeliversThroughTheOwnerShard) {
  const std::string id = make_webhook();
  const uint32_t number = number_of(id);
  const auto event = accept(number, "event-1");
  const Ulid delivery = settle_delivery(event, DeliveryStatus::dead);
  send("POST", "/v1/deliveries/" + delivery.to_text() + "/redeliver",
       R"({"data": {"build":  2.0}, "headers": {"X-Again": "yes"}})");
  EXPECT_FALSE(answered());
  const uint32_t owner = subscription::owner_shard(*table_.current().webhook(number), shard_count);
  const auto redeliver = post_.take<StoreEvent>(owner);
  ASSERT_TRUE(redeliver);
  const journal::EventView& repeated = redeliver->event->view();
  EXPECT_EQ(repeated.redelivery_of, delivery);
  EXPECT_EQ(repeated.time, to_rfc3339(event->view().accepted_at)) << "it is the same event";
  EXPECT_EQ(repeated.id, "event-1");
  EXPECT_FALSE(repeated.id_given);
  EXPECT_EQ(as_text(repeated.data), R"({"build":  2.0})");
  EXPECT_EQ(repeated.header_overrides, "X-Again: yes\n");
  ASSERT_EQ(repeated.webhook_count(), 1u);
  EXPECT_EQ(repeated.webhook_number(0), number);
  tell(owner, StoreEventDone{redeliver->ticket, false, {}, repeated.uid});
  const auto response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 202);
  Json json(response->body);
  EXPECT_EQ(json.text("/id"), journal::delivery_id(repeated.uid, number).to_text());
  EXPECT_EQ(json.text("/redelivery_of"), delivery.to_text());
  EXPECT_EQ(json.text("/status"), "pending");
  tell(owner, StoreEventDone{redeliver->ticket, false, {}, repeated.uid});
  EXPECT_FALSE(answered());  // Answered once.
}

// What one redelivery had of its own was for that one: by whichever API it is repeated.
TEST_F(ControlTest, ARedeliveryOfARedeliveryHasTheWebhooksHeaders) {
  const std::string id = make_webhook(R"(, "dialect": "bitrise", "sources": ["app/x"])");
  const uint32_t number = number_of(id);
  const uint32_t owner = subscription::owner_shard(*table_.current().webhook(number), shard_count);
  const auto redeliver = [&](const std::string& path, const std::string& body) {
    send("POST", path, body);
    auto made = post_.take<StoreEvent>(owner);
    EXPECT_TRUE(made) << path;
    tell(owner, StoreEventDone{made->ticket, false, {}, made->event->view().uid});
    EXPECT_TRUE(answered());
    auto stored =
        journals_.put_event(made->event->view(), journal::Position::make(0, 1, offset_ += 64));
    tell(0, EventAccepted{stored});
    return stored;
  };
  const auto text_of = [&](const journal::EventRef& event) {
    return journal::delivery_id(event->view().uid, number).to_text();
  };
  const Ulid first = settle_delivery(accept(number, "event-1"), DeliveryStatus::dead);
  const auto second = redeliver("/v1/deliveries/" + first.to_text() + "/redeliver",
                                R"({"headers": {"X-Debug": "1"}, "data": {"a": 1}})");
  ASSERT_EQ(second->view().header_overrides, "X-Debug: 1\n");
  for (const std::string& path : {"/v1/deliveries/" + text_of(second) + "/redeliver",
                                  "/v0.1/apps/x/outgoing-webhooks/" + id + "/delivery-items/" +
                                      text_of(second) + "/redeliver"}) {
    const auto third = redeliver(path, {});
    EXPECT_EQ(third->view().header_overrides, "") << path;
    EXPECT_EQ(as_text(third->view().data), R"({"a": 1})") << path;
    EXPECT_EQ(third->view().redelivery_of, *Ulid::parse(text_of(second))) << path;
  }
}

// Ids are handed out as ULIDs by some APIs and as UUIDs by others: each is taken by all.
TEST_F(ControlTest, TakesEitherSpellingOfAnId) {
  const std::string id =
      make_webhook(R"(, "dialect": "bitrise", "sources": ["app/x"], "events": ["build/*"])");
  const auto uuid = [](const std::string& ulid) { return Ulid::parse(ulid)->to_uuid_text(); };
  const auto event = accept(number_of(id));
  const std::string event_id = event->view().uid.to_text();
  const std::string delivery = settle_delivery(event, DeliveryStatus::dead).to_text();
  const std::string token =
      made(ask("POST", "/v1/tokens", R"({"name": "n", "scopes": ["webhooks:read"]})")).id;
  for (const std::string& path :
       {"/v1/webhooks/" + uuid(id), "/v1/webhooks/" + uuid(id) + "/deliveries",
        "/v1/deliveries/" + uuid(delivery), "/v1/events/" + uuid(event_id),
        "/v0.1/apps/x/outgoing-webhooks/" + uuid(id) + "/delivery-items",
        "/v0.1/apps/x/outgoing-webhooks/" + uuid(id) + "/delivery-items/" + uuid(delivery)}) {
    EXPECT_EQ(ask("GET", path).status, 200) << path;
  }
  EXPECT_EQ(Json(ask("GET", "/v1/deliveries/" + uuid(delivery)).body).text("/id"), delivery);
  EXPECT_EQ(ask("DELETE", "/v1/tokens/" + uuid(token)).status, 204);
  const std::string hook =
      Json(ask("POST", "/pipelines/33/hooks/incoming", R"({"name":"n"})").body).text("/id");
  EXPECT_EQ(ask("GET", "/hooks/incoming/" + Ulid::parse_uuid(hook)->to_text()).status, 200);
}

TEST_F(ControlTest, FindsAnEventHoweverManyOthersHaveItsId) {
  const uint32_t number = number_of(make_webhook());
  accept(number, "same");
  for (int index = 0; index < 1100; ++index) accept(number, "same", "build/finished", "acme");
  const auto shown = ask("GET", "/v1/events/same");
  EXPECT_EQ(shown.status, 200) << shown.body;
  EXPECT_EQ(Json(shown.body).size("/deliveries"), 1u);
}

// A receiver knows a message that it has had by its id, however often a person sends it again;
// other data is another message.
TEST_F(ControlTest, RepeatsAMessageUnderTheIdThatItHad) {
  const uint32_t number = number_of(make_webhook());
  const uint32_t owner = subscription::owner_shard(*table_.current().webhook(number), shard_count);
  const auto event = accept(number, "event-1");
  const Ulid first = settle_delivery(event, DeliveryStatus::dead);
  const auto redeliver = [&](const Ulid& delivery, const std::string& body) {
    send("POST", "/v1/deliveries/" + delivery.to_text() + "/redeliver", body);
    const auto stored = post_.take<StoreEvent>(owner);
    RINGPOST_ASSERT(stored.has_value());
    return stored->event;
  };
  const auto plain = redeliver(first, "");
  EXPECT_EQ(plain->view().message, first);
  EXPECT_EQ(journal::message_id(plain->view(), Ulid{.bytes = {1}}), first);
  EXPECT_EQ(redeliver(first, R"({"headers": {"X-Again": "yes"}})")->view().message, first);
  const std::string same{as_text(event->view().data)};
  EXPECT_EQ(redeliver(first, R"({"data": )" + same + "}")->view().message, first);
  const auto edited = redeliver(first, R"({"data": {"other": 1}})");
  EXPECT_TRUE(edited->view().is_edited());
  EXPECT_EQ(journal::message_id(edited->view(), Ulid{.bytes = {1}}), (Ulid{.bytes = {1}}));
}

// The journal is not sealed: what a redelivery replaces stands there as it came.
TEST_F(ControlTest, TakesNoCredentialWithARedelivery) {
  const uint32_t number = number_of(make_webhook());
  const Ulid delivery = settle_delivery(accept(number, "event-1"), DeliveryStatus::dead);
  const auto refused = ask("POST", "/v1/deliveries/" + delivery.to_text() + "/redeliver",
                           R"({"headers": {"X-Again": "yes", "X-Auth-Token": "t0p"}})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(Json(refused.body).text("/member"), "headers.X-Auth-Token");
  EXPECT_EQ(refused.body.find("t0p"), std::string::npos);
}

// A call names its own log entry before it is stored, and no two get the same number.
TEST_F(ControlTest, TakesACallOfAnIncomingHookByItsIdAlone) {
  add_token("other-token", "other", static_cast<uint8_t>(subscription::Scope::admin));
  const std::string id =
      Json(ask("POST", "/pipelines/33/hooks/incoming", R"({"name":"n"})", "other-token").body)
          .text("/id");
  const std::string path = "/hooks/incoming/" + id;
  EXPECT_EQ(ask("GET", path).status, 404);
  std::vector<std::string> numbers;
  for (int call = 0; call < 2; ++call) {
    send("POST", path, "{}", "");
    EXPECT_FALSE(answered());
    const auto made = post_.take<StoreEvent>(0);
    ASSERT_TRUE(made);
    const journal::EventView& event = made->event->view();
    EXPECT_EQ(event.organization, "other");
    EXPECT_EQ(event.type, "hook.triggered");
    ASSERT_EQ(event.webhook_count(), 1u);
    const Ulid request = journal::delivery_id(event.uid, event.webhook_number(0));
    Json data{std::string{as_text(event.data)}};
    EXPECT_EQ(data.text("/action/triggered_from/hook_request_id"), request.to_uuid_text());
    tell(0, StoreEventDone{made->ticket, false, {}, event.uid});
    const auto response = answered();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
    numbers.push_back(response->headers.at(0).value);
  }
  EXPECT_EQ(numbers[0].size(), numbers[1].size());
  EXPECT_LT(numbers[0], numbers[1]);
  EXPECT_EQ(ask("DELETE", path, {}, "other-token").status, 204);
  EXPECT_EQ(ask("POST", path, "{}", "").status, 404);
}

TEST_F(ControlTest, ListsAHookInAllItsGroups) {
  const std::string body =
      R"({"name":"n","target_url":"https://a.example/","resource_type":"application","resource_id":44})";
  const std::string id = Json(ask("POST", "/pipelines/33/hooks/outgoing", body).body).text("/id");
  EXPECT_NE(ask("GET", "/pipelines/33/hooks").body, "[]");
  EXPECT_NE(ask("GET", "/applications/44/hooks").body, "[]");
  EXPECT_EQ(
      ask("PUT", "/hooks/outgoing/" + id, R"({"id":")" + id + R"(","name":"n","resource_id":45})")
          .status,
      204);
  EXPECT_EQ(ask("GET", "/applications/44/hooks").body, "[]");
  EXPECT_NE(ask("GET", "/applications/45/hooks").body, "[]");
  EXPECT_EQ(ask("DELETE", "/hooks/outgoing/" + id).status, 204);
  EXPECT_EQ(ask("GET", "/pipelines/33/hooks").body, "[]");
  EXPECT_EQ(ask("GET", "/applications/45/hooks").body, "[]");
}

TEST_F(ControlTest, ListsAHookThatTheNativeApiMadeForAPipelineByItsSource) {
  const std::string id = make_webhook(R"(, "dialect": "devopness", "sources": ["pipeline/33"])");
  Json list(ask("GET", "/pipelines/33/hooks").body);
  EXPECT_EQ(list.size(""), 1u);
  EXPECT_EQ(list.number("/0/pipeline_id"), 33);
  restart();
  EXPECT_EQ(ask("PATCH", "/v1/webhooks/" + id, R"({"sources": ["pipeline/34"]})").status, 200);
  EXPECT_EQ(ask("GET", "/pipelines/33/hooks").body, "[]");
  EXPECT_EQ(Json(ask("GET", "/pipelines/34/hooks").body).number("/0/pipeline_id"), 34);
}

TEST_F(ControlTest, KeepsAUrlAsItWasSpelledOverARestart) {
  const std::string id = make_webhook();
  const std::string path = "/v1/webhooks/" + id;
  ask("PATCH", path, R"({"url": "https://CI.Example.org"})");
  restart();
  EXPECT_EQ(Json(ask("GET", path).body).text("/url"), "https://CI.Example.org");
  EXPECT_EQ(table_.current().webhook(number_of(id))->destination.host, "ci.example.org");
}

TEST_F(ControlTest, KeepsTheStoredBytesWhenARedeliveryReplacesNothing) {
  const std::string id = make_webhook();
  const Ulid delivery = settle_delivery(accept(number_of(id)), DeliveryStatus::dead);
  send("POST", "/v1/deliveries/" + delivery.to_text() + "/redeliver");
  const uint32_t owner =
      subscription::owner_shard(*table_.current().webhook(number_of(id)), shard_count);
  EXPECT_EQ(as_text(post_.take<StoreEvent>(owner)->event->view().data), R"({"build": 1.0})");
}

TEST_F(ControlTest, TellsWhyARedeliveryIsRefused) {
  const std::string id = make_webhook();
  const uint32_t number = number_of(id);
  const Ulid delivery = settle_delivery(accept(number), DeliveryStatus::dead);
  const std::string path = "/v1/deliveries/" + delivery.to_text() + "/redeliver";
  for (const char* body : {R"({"data": 1})", R"({"data": null})", R"({"headers": {"Host": "x"}})",
                           R"({"headers": {"X": "a\nb"}})",
                           R"({"headers": {"X-A": "1", "x-a": "2"}})", R"({"other": 1})"}) {
    EXPECT_EQ(ask("POST", path, body).status, 422) << body;
  }
  EXPECT_EQ(ask("POST", path, "[]").status, 400);
  send("POST", path);
  const uint32_t owner = subscription::owner_shard(*table_.current().webhook(number), shard_count);
  const auto redeliver = post_.take<StoreEvent>(owner);
  ASSERT_TRUE(redeliver);
  tell(owner, StoreEventDone{redeliver->ticket, true, {Errc::out_of_space, Side::disk}, {}});
  const auto full = answered();
  EXPECT_EQ(full->status, 507);
  EXPECT_EQ(full->headers[0].name, "Retry-After");
  ASSERT_EQ(ask("POST", "/v1/webhooks/" + id + "/disable").status, 200);
  EXPECT_EQ(ask("POST", path).status, 409);
  ASSERT_EQ(ask("DELETE", "/v1/webhooks/" + id).status, 204);
  EXPECT_EQ(ask("POST", path).status, 409);
}

}  // namespace
}  // namespace ringpost::control
