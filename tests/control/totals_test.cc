#include "control_fixture.h"

// Totals of deliveries: by time and by webhook, and who may ask for them.

namespace ringpost::control::testing {
namespace {

using journal::DeliveryStatus;

constexpr int64_t hour = 3600;

class TotalsTest : public ControlTest {
 protected:
  /// An event, and how its delivery ends.
  void deliver(const std::string& webhook, DeliveryStatus status,
               const std::string& organization = "default") {
    const auto event = accept(number_of(webhook), {}, "build/finished", organization);
    settle_delivery(event, status, 1, status == DeliveryStatus::delivered ? 200 : 503);
  }
  void go_on(int64_t seconds) { clock_ += seconds; }
};

TEST_F(TotalsTest, CountsByHour) {
  const std::string id = make_webhook();
  deliver(id, DeliveryStatus::delivered);
  deliver(id, DeliveryStatus::dead);
  go_on(3 * hour);
  deliver(id, DeliveryStatus::delivered);
  const auto response = ask("GET", "/v1/webhooks/" + id + "/totals");
  ASSERT_EQ(response.status, 200) << response.body;
  Json json(response.body);
  EXPECT_EQ(json.number("/step_s"), hour);
  ASSERT_EQ(json.size("/items"), 24u);
  EXPECT_EQ(json.number("/items/20/events"), 2);
  EXPECT_EQ(json.number("/items/20/delivered"), 1);
  EXPECT_EQ(json.number("/items/20/failed"), 1);
  EXPECT_EQ(json.number("/items/20/dead"), 1);
  EXPECT_EQ(json.number("/items/21/events"), 0);
  EXPECT_TRUE(json.is_null("/items/21/p50_ms"));
  EXPECT_EQ(json.number("/items/23/delivered"), 1);
  // The delivery began a second after its event.
  EXPECT_NEAR(static_cast<double>(json.number("/items/23/p99_ms")), 1012, 62);
  EXPECT_EQ(json.text("/items/20/at"), json.text("/history_since"));
  EXPECT_FALSE(json.is_true("/cut"));
}

TEST_F(TotalsTest, CountsByDay) {
  const std::string id = make_webhook();
  deliver(id, DeliveryStatus::delivered);
  go_on(24 * hour);
  deliver(id, DeliveryStatus::delivered);
  Json json(ask("GET", "/v1/totals?step=1d").body);
  EXPECT_EQ(json.number("/step_s"), 24 * hour);
  ASSERT_EQ(json.size("/items"), 30u);
  EXPECT_EQ(json.number("/items/28/delivered"), 1);
  EXPECT_EQ(json.number("/items/29/delivered"), 1);
  EXPECT_TRUE(json.text("/items/29/at").ends_with("T00:00:00.000000Z"));
}

TEST_F(TotalsTest, CountsOnlyTheStepsThatWereAskedFor) {
  const std::string id = make_webhook();
  deliver(id, DeliveryStatus::delivered);
  const std::string now = to_rfc3339(at(clock_));
  go_on(2 * hour);
  deliver(id, DeliveryStatus::delivered);
  Json first(ask("GET", "/v1/totals?since=" + now + "&until=" + now).body);
  ASSERT_EQ(first.size("/items"), 1u);
  EXPECT_EQ(first.number("/items/0/delivered"), 1);
  const std::string end = first.text("/until");
  Json same(ask("GET", "/v1/totals?since=" + now + "&until=" + end).body);
  EXPECT_EQ(same.size("/items"), 1u) << "a whole hour is not one more";
  Json rest(ask("GET", "/v1/totals?since=" + end + "&until=2099-01-01T00:00:00Z").body);
  ASSERT_EQ(rest.size("/items"), 2u) << "nothing that is to come";
  EXPECT_EQ(rest.number("/items/1/delivered"), 1);
  Json none(ask("GET", "/v1/totals?since=2098-01-01T00:00:00Z").body);
  EXPECT_EQ(none.size("/items"), 0u);
}

TEST_F(TotalsTest, SaysFromWhenOnThereAreSome) {
  Json json(ask("GET", "/v1/totals?since=1969-01-01T00:00:00Z").body);
  EXPECT_TRUE(json.is_true("/cut"));
  EXPECT_EQ(json.size("/items"), 1000u);
  EXPECT_EQ(json.text("/since"), json.text("/items/0/at"));
  EXPECT_TRUE(json.is_null("/history_since"));
}

TEST_F(TotalsTest, CountsByWebhookInPages) {
  std::vector<std::string> ids;
  for (int webhook = 0; webhook < 5; ++webhook) {
    ids.push_back(make_webhook());
    go_on(1);
  }
  deliver(ids[1], DeliveryStatus::delivered);
  deliver(ids[4], DeliveryStatus::dead);
  std::vector<std::string> found;
  std::string cursor;
  do {
    Json page(ask("GET", "/v1/totals?by=webhook&limit=2" + cursor).body);
    ASSERT_NE(page.size("/items"), SIZE_MAX);
    for (size_t item = 0; item < page.size("/items"); ++item) {
      const std::string at = "/items/" + std::to_string(item);
      found.push_back(page.text(at + "/webhook"));
      EXPECT_EQ(page.number(at + "/delivered"), found.back() == ids[1] ? 1 : 0);
      EXPECT_EQ(page.number(at + "/dead"), found.back() == ids[4] ? 1 : 0);
    }
    cursor = page.is_null("/next_cursor") ? "" : "&cursor=" + page.text("/next_cursor");
  } while (!cursor.empty());
  EXPECT_EQ(found, (std::vector<std::string>{ids[4], ids[3], ids[2], ids[1], ids[0]}));
}

TEST_F(TotalsTest, TellsNothingOfOtherOrganizations) {
  add_token("acme-token", "acme", static_cast<uint8_t>(subscription::Scope::admin));
  const std::string id = make_webhook();
  deliver(id, DeliveryStatus::delivered);
  const auto as_acme = [&](const std::string& target) {
    return ask("GET", target, {}, "acme-token");
  };
  Json all(as_acme("/v1/totals").body);
  ASSERT_EQ(all.size("/items"), 24u);
  EXPECT_EQ(all.number("/items/23/events"), 0);
  EXPECT_EQ(Json(as_acme("/v1/totals?by=webhook").body).size("/items"), 0u);
  EXPECT_EQ(as_acme("/v1/webhooks/" + id + "/totals").status, 404);
  const auto filtered = as_acme("/v1/totals?webhook=" + id);
  EXPECT_EQ(filtered.status, 400) << filtered.body;
}

// They count the events of all sources, which its lists do not show.
TEST_F(TotalsTest, TellsNothingToATokenOfSomeSources) {
  subscription::Token token;
  token.id = Ulid::mint(at(0), random_);
  token.organization = "default";
  token.scopes = static_cast<uint8_t>(subscription::Scope::deliveries_read);
  token.sources = {"app/x"};
  token.sha256 = crypto::sha256(as_bytes("some"));
  ASSERT_TRUE(store_->insert_token(token));
  table_.put_token(token);
  table_.publish();
  const std::string id = make_webhook(R"(, "sources": ["app/x"])");
  const std::string hidden = make_webhook(R"(, "sources": ["app/y"])");
  EXPECT_EQ(ask("GET", "/v1/webhooks/" + hidden + "/totals", {}, "some").status, 404);
  for (const std::string& target : {std::string("/v1/totals"), std::string("/v1/totals?by=webhook"),
                                    "/v1/webhooks/" + id + "/totals"}) {
    const auto response = ask("GET", target, {}, "some");
    EXPECT_EQ(response.status, 403) << target;
    EXPECT_NE(response.body.find("not restricted"), std::string::npos) << response.body;
  }
}

TEST_F(TotalsTest, ForgetsWebhooksThatWereDeleted) {
  const std::string id = make_webhook();
  deliver(id, DeliveryStatus::delivered);
  EXPECT_EQ(Json(ask("GET", "/v1/totals").body).number("/items/23/delivered"), 1);
  ASSERT_EQ(ask("DELETE", "/v1/webhooks/" + id).status, 204);
  EXPECT_EQ(Json(ask("GET", "/v1/totals").body).number("/items/23/delivered"), 0);
}

TEST_F(TotalsTest, SaysWhatIsWrongWithAQuestion) {
  const std::string id = make_webhook();
  for (const auto& [target, name] : std::vector<std::pair<std::string, std::string>>{
           {"/v1/totals?step=2h", "step"},
           {"/v1/totals?by=day", "by"},
           {"/v1/totals?limit=5", "limit"},
           {"/v1/totals?cursor=x", "cursor"},
           {"/v1/totals?by=webhook&step=1d", "step"},
           {"/v1/totals?by=webhook&webhook=" + id, "webhook"},
           {"/v1/totals?by=webhook&cursor=x", "cursor"},
           {"/v1/totals?since=yesterday", "since"},
           {"/v1/totals?since=2030-01-02T00:00:00Z&until=2030-01-01T00:00:00Z", "until"},
           {"/v1/totals?webhook=none", "webhook"},
           {"/v1/webhooks/" + id + "/totals?by=webhook", "by"},
           {"/v1/webhooks/" + id + "/totals?limit=2", "limit"},
       }) {
    const auto response = ask("GET", target);
    EXPECT_EQ(response.status, 400) << target;
    EXPECT_NE(response.body.find('`' + name + '`'), std::string::npos) << response.body;
  }
}

}  // namespace
}  // namespace ringpost::control::testing
