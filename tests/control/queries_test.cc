// Goal: lists of deliveries and events hold what was asked for, all of it and nothing else, page by
// page; what cannot be answered is refused by name.

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

class QueriesTest : public ControlTest {
 protected:
  static std::string with(const std::string& path, const std::string& query) {
    return query.empty() ? path : path + "?" + query;
  }
  /// A member of all items of a list, page by page.
  std::vector<std::string> all(const std::string& path, const std::string& query = {},
                               const std::string& member = "/id", const std::string& limit = "50",
                               const std::string& token = "admin-token") {
    std::vector<std::string> found;
    std::string cursor;
    for (int pages = 0; pages < 100; ++pages) {
      const std::string target = with(path, query + (query.empty() ? "" : "&") + "limit=" + limit +
                                                (cursor.empty() ? "" : "&cursor=" + cursor));
      const auto response = ask("GET", target, {}, token);
      EXPECT_EQ(response.status, 200) << target << response.body;
      Json page(response.body);
      const size_t items = page.size("/items");
      if (items == SIZE_MAX) return found;
      for (size_t index = 0; index < items; ++index) {
        found.push_back(page.text("/items/" + std::to_string(index) + member));
      }
      if (page.is_null("/next_cursor")) return found;
      cursor = page.text("/next_cursor");
    }
    ADD_FAILURE() << "the list does not end";
    return found;
  }
  std::vector<std::string> deliveries(const std::string& query = {},
                                      const std::string& limit = "50") {
    return all("/v1/deliveries", query, "/id", limit);
  }
  static std::string id_of(const journal::EventRef& event, uint32_t webhook_number) {
    return journal::delivery_id(event->view().uid, webhook_number).to_text();
  }
  void expect_refused(const std::string& target, const std::string& member) {
    const auto response = ask("GET", target);
    EXPECT_EQ(response.status, 400) << target << response.body;
    EXPECT_EQ(Json(response.body).text("/member"), member) << target;
  }
};

using Ids = std::vector<std::string>;

TEST_F(QueriesTest, ListsAllDeliveriesOfTheOrganizationInOneOrder) {
  const uint32_t first = number_of(make_webhook());
  const uint32_t second = number_of(make_webhook());
  Ids expected;
  for (int index = 0; index < 5; ++index) {
    const auto both = accept_for({first, second});
    const auto one = accept(index % 2 == 0 ? first : second);
    expected.insert(expected.begin(), {id_of(one, index % 2 == 0 ? first : second),
                                       id_of(both, second), id_of(both, first)});
  }
  accept(4711, {}, "build/finished", "acme");
  for (const char* limit : {"1", "2", "4", "50"})
    EXPECT_EQ(deliveries({}, limit), expected) << limit;
  EXPECT_EQ(all("/v1/deliveries", {}, "/webhook", "3").size(), expected.size());
}

TEST_F(QueriesTest, FiltersByWhatBecameOfDeliveries) {
  const std::string first = make_webhook();
  const std::string second = make_webhook();
  const auto delivered = accept_for({number_of(first), number_of(second)});
  settle_delivery(delivered, DeliveryStatus::delivered);
  settle_delivery(delivered, DeliveryStatus::delivered, 1, 204, 1);
  const std::string slow =
      settle_delivery(accept(number_of(first)), DeliveryStatus::pending, 1, 0).to_text();
  const auto mended = accept(number_of(second));
  settle_delivery(mended, DeliveryStatus::pending, 1, 503);
  const std::string late = settle_delivery(mended, DeliveryStatus::delivered, 2).to_text();
  const auto again = accept(number_of(second));
  settle_delivery(again, DeliveryStatus::pending, 1, 503);
  const std::string running = settle_delivery(again, DeliveryStatus::in_flight, 2, 0).to_text();
  const std::string dead =
      settle_delivery(accept(number_of(first)), DeliveryStatus::dead, 1, 404).to_text();

  EXPECT_EQ(deliveries("status=dead"), Ids{dead});
  EXPECT_EQ(deliveries("error=timed_out"), Ids{slow});
  EXPECT_EQ(deliveries("error=bad_status"), (Ids{dead, running}));
  EXPECT_EQ(deliveries("error=bad_status&status=dead"), Ids{dead});
  EXPECT_EQ(deliveries("error=bad_status&webhook=" + second), Ids{running});
  EXPECT_EQ(deliveries("error=refused"), Ids{});
  EXPECT_EQ(deliveries("response_status=404"), Ids{dead});
  EXPECT_EQ(deliveries("response_status=5xx"), Ids{running});
  EXPECT_EQ(deliveries("response_status=200"), (Ids{late, id_of(delivered, number_of(first))}));
  EXPECT_EQ(deliveries("response_status=2xx").size(), 3u);
  EXPECT_EQ(all("/v1/webhooks/" + first + "/deliveries", "response_status=4xx"), Ids{dead});
  EXPECT_EQ(all("/v1/webhooks/" + second + "/deliveries", "error=timed_out"), Ids{});
  EXPECT_EQ(deliveries("webhook=" + first, "1").size(), 3u);
}

TEST_F(QueriesTest, FiltersByEventAndTime) {
  const std::string webhook = make_webhook();
  const uint32_t number = number_of(webhook);
  const auto a = accept_for({number}, {}, "build/finished", "default", "app/a");
  const auto b = accept_for({number}, {}, "build/started", "default", "app/a");
  const auto c = accept_for({number}, {}, "build/started", "default", "app/c");
  const Ids both{id_of(c, number), id_of(b, number)};
  EXPECT_EQ(deliveries("type=build%2Fstarted"), both);
  EXPECT_EQ(deliveries("source=app%2Fa&type=build%2Fstarted"), Ids{id_of(b, number)});
  EXPECT_EQ(all("/v1/webhooks/" + webhook + "/deliveries", "source=app%2Fc"),
            Ids{id_of(c, number)});
  const std::string later = to_rfc3339(c->view().accepted_at);
  const std::string sooner = to_rfc3339(a->view().accepted_at);
  EXPECT_EQ(deliveries("since=" + later), Ids{id_of(c, number)});
  EXPECT_EQ(deliveries("until=" + later + "&since=" + sooner),
            (Ids{id_of(b, number), id_of(a, number)}));
}

TEST_F(QueriesTest, ShowsDeliveriesOfDeletedWebhooksToTheirOrganizationOnly) {
  const std::string webhook = make_webhook();
  const uint32_t number = number_of(webhook);
  accept(number);
  accept(number, {}, "build/finished", "acme");  // Of a number that was never the organization's.
  ASSERT_EQ(ask("DELETE", "/v1/webhooks/" + webhook).status, 204);
  Json page(ask("GET", "/v1/deliveries").body);
  ASSERT_EQ(page.size("/items"), 1u);
  EXPECT_TRUE(page.is_null("/items/0/webhook"));
  expect_refused("/v1/deliveries?webhook=" + webhook, "webhook");
}

TEST_F(QueriesTest, ShowsATokenOnlyWhatItsSourcesCover) {
  const std::string narrow = make_webhook(R"(, "sources": ["app/a"])");
  const std::string wide = make_webhook();
  const auto made = ask("POST", "/v1/tokens",
                        R"({"name": "a", "scopes": ["deliveries:read"], "sources": ["app/a"]})");
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string token = Json(made.body).text("/token");
  const auto a = accept_for({number_of(narrow), number_of(wide)}, "a", "t", "default", "app/a");
  accept_for({number_of(wide)}, "b", "t", "default", "app/b");
  EXPECT_EQ(all("/v1/deliveries", {}, "/id", "50", token), Ids{id_of(a, number_of(narrow))});
  EXPECT_EQ(all("/v1/events", {}, "/id", "50", token), Ids{"a"});
  EXPECT_EQ(all("/v1/events"), (Ids{"b", "a"}));
}

TEST_F(QueriesTest, FindsWhatRepeatsADelivery) {
  const std::string webhook = make_webhook();
  const uint32_t number = number_of(webhook);
  const auto event = accept(number, "build-1");
  const auto other = accept(number, "build-2");
  const std::string first = settle_delivery(event, DeliveryStatus::dead, 1, 500).to_text();
  settle_delivery(other, DeliveryStatus::dead, 1, 500);
  Ids repeats;
  for (int round = 0; round < 3; ++round) {
    send("POST", "/v1/deliveries/" + first + "/redeliver");
    settle();
    auto stored = post_.take<StoreEvent>(0);
    if (!stored) stored = post_.take<StoreEvent>(1);
    ASSERT_TRUE(stored);
    stored->event->set_position(journal::Position::make(0, 1, offset_ += 64));
    journals_.events[stored->event->position().packed].assign(stored->event->record().begin(),
                                                              stored->event->record().end());
    tell(0, EventAccepted{stored->event});
    repeats.insert(repeats.begin(), id_of(stored->event, number));
    ++clock_;
  }
  EXPECT_EQ(deliveries("redelivery_of=" + first, "2"), repeats);
  EXPECT_EQ(all("/v1/webhooks/" + webhook + "/deliveries", "redelivery_of=" + first), repeats);
  EXPECT_EQ(deliveries("redelivery_of=" + first + "&status=dead"), Ids{});
  EXPECT_EQ(deliveries("redelivery_of=" + id_of(other, number)), Ids{});
  EXPECT_EQ(all("/v1/webhooks/" + make_webhook() + "/deliveries", "redelivery_of=" + first), Ids{});
  EXPECT_EQ(all("/v1/events"), (Ids{"build-2", "build-1"}));
  expect_refused("/v1/deliveries?redelivery_of=01J00000000000000000000000", "redelivery_of");
}

TEST_F(QueriesTest, ListsEventsWithAndWithoutDeliveries) {
  const uint32_t number = number_of(make_webhook());
  accept_for({number}, "one", "build/started", "default", "app/a");
  accept_for({}, "two", "build/finished", "default", "app/a");
  accept_for({number}, "one", "build/finished", "default", "app/b");
  accept_for({}, "secret", "build/finished", "acme", "app/a");
  EXPECT_EQ(all("/v1/events", {}, "/id", "1"), (Ids{"one", "two", "one"}));
  EXPECT_EQ(all("/v1/events", "source=app%2Fa"), (Ids{"two", "one"}));
  EXPECT_EQ(all("/v1/events", "type=build%2Ffinished"), (Ids{"one", "two"}));
  EXPECT_EQ(all("/v1/events", "id=one", "/source", "1"), (Ids{"app/b", "app/a"}));
  EXPECT_EQ(all("/v1/events", "id=one&source=app%2Fa", "/type"), Ids{"build/started"});
  EXPECT_EQ(all("/v1/events", "id=one&type=build%2Ffinished", "/source"), Ids{"app/b"});
  EXPECT_EQ(all("/v1/events", "id=secret"), Ids{});
  Json page(ask("GET", "/v1/events").body);
  EXPECT_EQ(page.number("/items/0/delivery_count"), 1);
  EXPECT_EQ(page.number("/items/1/delivery_count"), 0);
  EXPECT_EQ(page.text("/items/0/data"), "(none)");
}

TEST_F(QueriesTest, FindsATextInWhatWasSentAndAnswered) {
  const uint32_t number = number_of(make_webhook());
  const auto settled = accept(number);
  settle_delivery(settled, DeliveryStatus::pending, 1, 503);
  settle_delivery(settled, DeliveryStatus::in_flight, 2, 0);
  accept(number);
  const Ids found{id_of(settled, number)};
  for (const char* text : {"%3CB%3E", "x-a%3A%201", "POST%20/IN", "SET-cookie"}) {
    EXPECT_EQ(deliveries(std::string{"text="} + text), found) << text;
  }
  EXPECT_EQ(deliveries("text=%3Cb%3Ex"), Ids{});
  EXPECT_EQ(deliveries("text=%3Cb%3E&status=dead"), Ids{});
  expect_refused("/v1/deliveries?text=", "text");
  expect_refused("/v1/events?text=" + std::string(257, 'x'), "text");
  expect_refused("/v1/webhooks?text=x", "text");
}

TEST_F(QueriesTest, SaysWhichEventsAWebhookWouldReceive) {
  const std::string id = make_webhook();
  accept_for({number_of(id)}, {}, "build/finished", "default", "app/a");
  accept_for({}, {}, "build/started", "default", "app/a");
  accept_for({}, {}, "build/finished", "default", "app/b");
  accept_for({}, {}, "build/finished", "acme", "app/a");
  const auto run = [&](const std::string& path, const std::string& body,
                       const std::string& query = {}) {
    const auto response = ask("POST", with(path, query), body);
    EXPECT_EQ(response.status, 200) << response.body;
    Json page(response.body);
    Ids reasons;
    for (size_t index = 0; index < page.size("/items"); ++index) {
      const std::string item = "/items/" + std::to_string(index);
      const std::string reason = page.is_null(item + "/reason") ? "" : page.text(item + "/reason");
      EXPECT_EQ(page.is_true(item + "/would_receive"), reason.empty());
      reasons.push_back(reason);
    }
    return reasons;
  };
  const std::string of_webhook = "/v1/webhooks/" + id + "/dry-run";
  EXPECT_EQ(run(of_webhook, ""), (Ids{"", "", ""}));
  const std::string source = "its source is not among `sources`";
  const std::string type = "its type is not among `events`";
  EXPECT_EQ(run(of_webhook, R"({"sources":["app/a"]})"), (Ids{source, "", ""}));
  const std::string made =
      R"({"url":"https://a.example/","sources":["app/a"],"events":["build/finished"]})";
  EXPECT_EQ(run("/v1/dry-run", made), (Ids{source, type, ""}));
  EXPECT_EQ(run("/v1/dry-run", made, "source=app%2Fa"), (Ids{type, ""}));
  EXPECT_EQ(run("/v1/dry-run", made, "limit=1"), (Ids{source}));
  EXPECT_EQ(Json(ask("GET", "/v1/webhooks").body).size("/items"), 1u) << "nothing is stored";
  EXPECT_EQ(run(of_webhook, ""), (Ids{"", "", ""})) << "nor changed";
}

TEST_F(QueriesTest, RefusesADryRunOfWhatCouldNotBeStored) {
  const std::string id = make_webhook();
  const auto refused = [&](const std::string& path, const std::string& body) {
    const auto response = ask("POST", path, body);
    EXPECT_EQ(response.status, 422) << body << response.body;
    return Json(response.body).text("/member");
  };
  EXPECT_EQ(refused("/v1/dry-run", "{}"), "url");
  EXPECT_EQ(refused("/v1/dry-run", R"({"url":"ftp://a.example/"})"), "url");
  const std::string of_webhook = "/v1/webhooks/" + id + "/dry-run";
  EXPECT_EQ(refused(of_webhook, R"({"filter":{"branches":5}})"), "filter.branches");
  EXPECT_EQ(refused(of_webhook, R"({"events":[]})"), "events");
  EXPECT_EQ(refused(of_webhook, R"({"more":1})"), "more");
  EXPECT_EQ(ask("POST", "/v1/webhooks/01JARQ5Z00000000000000NONE/dry-run").status, 404);
}

TEST_F(QueriesTest, RefusesACursorOfAnotherListOrFilter) {
  const std::string first = make_webhook();
  const std::string second = make_webhook();
  for (int index = 0; index < 3; ++index) accept_for({number_of(first), number_of(second)});
  const std::string path = "/v1/webhooks/" + first + "/deliveries";
  const std::string query = "limit=1&status=pending&type=build%2Ffinished";
  const std::string cursor = Json(ask("GET", path + "?" + query).body).text("/next_cursor");
  ASSERT_NE(cursor, "(none)");
  const std::string goes_on = "cursor=" + cursor;
  EXPECT_EQ(ask("GET", path + "?type=build/finished&status=pending&" + goes_on).status, 200);
  for (const std::string& other :
       {path + "?", path + "?status=pending&", path + "?status=dead&type=build%2Ffinished&",
        "/v1/webhooks/" + second + "/deliveries?status=pending&type=build%2Ffinished&",
        std::string{"/v1/deliveries?status=pending&type=build%2Ffinished&"},
        std::string{"/v1/events?type=build%2Ffinished&"}, std::string{"/v1/webhooks?"}}) {
    expect_refused(other + goes_on, "cursor");
  }
  const std::string same = path + "?status=pending&type=build%2Ffinished&cursor=";
  for (size_t at = 0; at < cursor.size(); ++at) {
    std::string damaged = cursor;
    damaged[at] = damaged[at] == '7' ? '1' : '7';
    expect_refused(same + damaged, "cursor");
  }
  expect_refused(same + cursor.substr(1), "cursor");
  expect_refused(same + cursor + "0", "cursor");
}

TEST_F(QueriesTest, RefusesWhatCannotBeAnswered) {
  for (const char* path : {"/v1/deliveries", "/v1/events", "/v1/audit"}) {
    expect_refused(std::string{path} + "?since=2031-05-04T10:00:00Z&until=2031-05-04T09:00:00Z",
                   "until");
  }
  for (const char* value : {"", "Timed_out", "interrupted", "0"}) {
    expect_refused(std::string{"/v1/deliveries?error="} + value, "error");
  }
  for (const char* value : {"", "0", "99", "600", "5", "50x", "5XX", "xx", "5000", "-500"}) {
    expect_refused(std::string{"/v1/deliveries?response_status="} + value, "response_status");
  }
  expect_refused("/v1/deliveries?webhook=none", "webhook");
  expect_refused("/v1/deliveries?webhook=01J00000000000000000000000", "webhook");
  expect_refused("/v1/deliveries?redelivery_of=x", "redelivery_of");
  expect_refused("/v1/events?status=dead", "status");
  expect_refused("/v1/deliveries?id=1", "id");
}

// Goal: what is rare is looked for in steps, each of which says that it is one.
TEST_F(QueriesTest, CutsAPageThatPassesOverTooMuch) {
  const uint32_t number = number_of(make_webhook());
  const auto rare = accept(number, "rare", "build/rare");
  const std::string dead = settle_delivery(rare, DeliveryStatus::dead, 1, 500).to_text();
  for (int index = 0; index < 20'100; ++index) accept(number);
  for (const std::string& target :
       {std::string{"/v1/deliveries?status=dead"}, std::string{"/v1/deliveries?type=build%2Frare"},
        std::string{"/v1/events?type=build%2Frare"}}) {
    const std::string body = ask("GET", target).body;
    Json first(body);
    EXPECT_EQ(first.size("/items"), 0u) << target;
    EXPECT_NE(body.find("\"cut\":true"), std::string::npos) << body;
    EXPECT_FALSE(first.is_null("/next_cursor")) << body;
    const std::string path = target.substr(0, target.find('?'));
    const Ids expected = {path == "/v1/events" ? "rare" : dead};
    EXPECT_EQ(all(path, target.substr(path.size() + 1)), expected);
  }
}

}  // namespace
}  // namespace ringpost::control
