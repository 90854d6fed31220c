// Goal: what is older than the age of its organization is gone for everybody who asks, on every
// road, and nothing else is: not what is still pending, and nothing of other organizations.
// Method: the control side with one organization that has an age of its own and one that has none,
// which have the same events; each road is asked before and behind that age.

#include "control_fixture.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using journal::DeliveryStatus;
using testing::at;
using testing::ControlTest;
using testing::Json;
using testing::monotonic;

constexpr int64_t age_s = 600;

class VisibleHistoryTest : public ControlTest {
 protected:
  VisibleHistoryTest() {
    clock_ = 100'000;
    const auto all = static_cast<uint8_t>(subscription::Scope::admin);
    add_token("acme-token", "acme", all);
    set_age(std::chrono::seconds{age_s});
    restart();
  }

  void set_age(Duration age) { settings_.retention.organization_ages = {{"acme", age}}; }
  static std::string token(const std::string& organization) {
    return organization == "acme" ? "acme-token" : "admin-token";
  }

  /// Of one organization, with its token.
  struct Side {
    std::string organization;
    std::string webhook;
    uint32_t number = 0;
    journal::EventRef event;
    std::string delivery;
  };
  Side make(const std::string& organization, DeliveryStatus status = DeliveryStatus::delivered) {
    Side side{.organization = organization, .webhook = {}, .event = {}, .delivery = {}};
    const auto made =
        ask("POST", "/v1/webhooks", R"({"url": "https://ci.example.org/in"})", token(organization));
    side.webhook = Json(made.body).text("/id");
    side.number = number_of(side.webhook);
    add_event(side, status);
    return side;
  }
  void add_event(Side& side, DeliveryStatus status, const std::string& id = "event-1") {
    side.event = accept(side.number, id, "build/finished", side.organization);
    const uint16_t answer = status == DeliveryStatus::delivered ? 200 : 503;
    side.delivery = settle_delivery(side.event, status, 1, answer).to_text();
  }
  http::Response get(const Side& side, const std::string& path) {
    return ask("GET", path, {}, token(side.organization));
  }
  http::Response post(const Side& side, const std::string& path, const std::string& body = {}) {
    return ask("POST", path, body, token(side.organization));
  }
  size_t items(const http::Response& response) {
    EXPECT_EQ(response.status, 200) << response.body;
    Json page(response.body);
    EXPECT_TRUE(page.is_null("/next_cursor")) << response.body;
    return page.size("/items");
  }
  /// How many deliveries a replay of the organization would send again.
  int64_t replayed(const Side& side) {
    const auto begun = post(side, "/v1/replays", R"({"dry_run": true, "status": "delivered"})");
    EXPECT_EQ(begun.status, 201) << begun.body;
    for (int turn = 0; turn < 20; ++turn) {
      ++clock_;
      while (control_->step(at(clock_), monotonic(clock_))) {
      }
    }
    Json json(get(side, "/v1/replays/" + Json(begun.body).text("/id")).body);
    EXPECT_EQ(json.text("/state"), "done");
    return json.number("/matched");
  }

  void expect(const Side& side, bool visible) {
    SCOPED_TRACE(side.organization + (visible ? " sees" : " does not see"));
    const size_t count = visible ? 1 : 0;
    const uint16_t found = visible ? 200 : 404;
    const std::string lists[] = {"/v1/deliveries",
                                 "/v1/webhooks/" + side.webhook + "/deliveries",
                                 "/v1/deliveries?webhook=" + side.webhook,
                                 "/v1/deliveries?text=build",
                                 "/v1/deliveries?status=delivered",
                                 "/v1/events",
                                 "/v1/events?text=build",
                                 "/v1/events?id=event-1"};
    for (const std::string& list : lists) EXPECT_EQ(items(get(side, list)), count) << list;
    const std::string delivery = "/v1/deliveries/" + side.delivery;
    for (const std::string& path : {delivery, delivery + "/body", delivery + "/body?of=response",
                                    std::string{"/v1/events/event-1"}}) {
      EXPECT_EQ(get(side, path).status, found) << path;
    }
    EXPECT_EQ(get(side, "/v1/deliveries?redelivery_of=" + side.delivery).status,
              visible ? 200 : 400);
    const std::string webhook = R"({"url": "https://ci.example.org/in"})";
    EXPECT_EQ(items(post(side, "/v1/dry-run", webhook)), count);
    EXPECT_EQ(items(post(side, "/v1/webhooks/" + side.webhook + "/dry-run")), count);
    const auto preview = post(side, "/v1/webhooks/" + side.webhook + "/preview");
    EXPECT_EQ(Json(preview.body).is_null("/event"), !visible) << preview.body;
    EXPECT_EQ(replayed(side), static_cast<int64_t>(count));
    if (visible) return;
    EXPECT_EQ(post(side, delivery + "/redeliver").status, 404);
  }
};

TEST_F(VisibleHistoryTest, HidesWhatIsOldOnEveryRoad) {
  const Side acme = make("acme");
  const Side other = make("default");
  expect(acme, true);
  expect(other, true);
  clock_ += age_s;
  expect(acme, false);
  expect(other, true);
}

TEST_F(VisibleHistoryTest, EndsWithAgeToTheSecondAndAfterARestart) {
  const Side acme = make("acme");
  const int64_t accepted = clock_ - 1;
  clock_ = accepted + age_s;
  EXPECT_EQ(items(get(acme, "/v1/deliveries")), 1u);
  restart();
  EXPECT_EQ(items(get(acme, "/v1/deliveries")), 1u);
  clock_ = accepted + age_s + 1;
  EXPECT_EQ(items(get(acme, "/v1/deliveries")), 0u);
  restart();
  EXPECT_EQ(items(get(acme, "/v1/deliveries")), 0u);
}

TEST_F(VisibleHistoryTest, UsesTheAgeOfAReloadAtOnce) {
  const Side acme = make("acme");
  clock_ += age_s;
  EXPECT_EQ(items(get(acme, "/v1/events")), 0u);
  set_age(std::chrono::seconds{10 * age_s});
  control_->reconfigure(settings_);
  EXPECT_EQ(items(get(acme, "/v1/events")), 1u);
  set_age(std::chrono::seconds{age_s});
  control_->reconfigure(settings_);
  EXPECT_EQ(items(get(acme, "/v1/events")), 0u);
  settings_.retention.organization_ages.clear();
  control_->reconfigure(settings_);
  EXPECT_EQ(items(get(acme, "/v1/events")), 1u);
}

// Whoever looks after the relay must see what is still to be sent.
TEST_F(VisibleHistoryTest, ShowsWhatIsPendingUntilItHasEnded) {
  Side acme = make("acme");
  add_event(acme, DeliveryStatus::pending, "event-2");
  const std::string path = "/v1/deliveries/" + acme.delivery;
  clock_ += age_s;
  for (const char* list : {"/v1/deliveries", "/v1/deliveries?status=pending", "/v1/events"}) {
    EXPECT_EQ(items(get(acme, list)), 1u) << list;
  }
  EXPECT_EQ(get(acme, path).status, 200);
  EXPECT_EQ(Json(get(acme, "/v1/events/event-2").body).size("/deliveries"), 1u);
  EXPECT_EQ(get(acme, "/v1/events/event-1").status, 404);
  settle_delivery(acme.event, DeliveryStatus::delivered, 2);
  for (const char* list : {"/v1/deliveries", "/v1/events"}) {
    EXPECT_EQ(items(get(acme, list)), 0u) << list;
  }
  EXPECT_EQ(get(acme, path).status, 404);
  EXPECT_EQ(get(acme, "/v1/events/event-2").status, 404);
}

// Of an event that is pending for one webhook, what has ended for another is gone.
TEST_F(VisibleHistoryTest, ShowsOfAnOldEventOnlyWhatIsPending) {
  const Side acme = make("acme");
  const Side second = make("acme");
  const auto event = accept_for({acme.number, second.number}, "event-2", "build/finished", "acme");
  settle_delivery(event, DeliveryStatus::delivered, 1, 200, 0);
  settle_delivery(event, DeliveryStatus::pending, 1, 503, 1);
  clock_ += age_s;
  Json shown(get(acme, "/v1/events/event-2").body);
  EXPECT_EQ(shown.size("/deliveries"), 1u);
  EXPECT_EQ(shown.text("/deliveries/0/status"), "pending");
  EXPECT_EQ(items(get(acme, "/v1/webhooks/" + acme.webhook + "/deliveries")), 0u);
  EXPECT_EQ(items(get(acme, "/v1/webhooks/" + second.webhook + "/deliveries")), 1u);
}

TEST_F(VisibleHistoryTest, CountsNothingOlderThanTheHourOfTheAge) {
  const Side acme = make("acme");
  const Side other = make("default");
  const auto delivered = [&](const Side& side) {
    Json json(get(side, "/v1/webhooks/" + side.webhook + "/totals").body);
    int64_t count = 0;
    for (size_t item = 0; item < json.size("/items"); ++item) {
      count += json.number("/items/" + std::to_string(item) + "/delivered");
    }
    return count;
  };
  const auto begins = [&](const Side& side) {
    return parse_rfc3339(Json(get(side, "/v1/totals").body).text("/history_since"));
  };
  EXPECT_EQ(delivered(acme), 1);
  clock_ += 3600 + age_s;
  EXPECT_EQ(delivered(acme), 0);
  EXPECT_EQ(delivered(other), 1);
  EXPECT_EQ(Json(get(acme, "/v1/totals?by=webhook").body).number("/items/0/events"), 0);
  Side newer = acme;
  add_event(newer, DeliveryStatus::delivered, "event-2");
  EXPECT_EQ(delivered(acme), 1);
  EXPECT_GE(*begins(acme), at(clock_ - age_s - 3600));
  EXPECT_LT(*begins(other), at(clock_ - age_s - 3600));
}

// One that is open is still to come.
TEST_F(VisibleHistoryTest, ShowsNoOldGapOfASourceThatIsOver) {
  settings_.gaps.interval = Duration::zero();  // The host is not asked.
  restart();
  const auto make_source = [&](const std::string& organization) {
    const auto made = ask("POST", "/v1/sources",
                          R"({"host": "github", "git": {"url": "https://github.com/a/b.git", )"
                          R"("token": "token-of-the-host"}})",
                          token(organization));
    EXPECT_EQ(made.status, 201) << made.body;
    return "/v1/sources/" + Json(made.body).text("/id");
  };
  const std::string acme = make_source("acme");
  const std::string other = make_source("default");
  for (const uint32_t source : {1u, 2u}) {
    for (const GapState state : {GapState::open, GapState::given_up}) {
      ASSERT_TRUE(store_->git_links().put_gap({.source = source,
                                               .delivery = std::string{name(state)},
                                               .number = "7",
                                               .event = "push",
                                               .at = at(clock_),
                                               .state = state,
                                               .found_at = at(clock_),
                                               .detail = {}}));
    }
  }
  restart();
  const auto gaps = [&](const std::string& source, const std::string& organization) {
    return Json(ask("GET", source + "/gaps", {}, token(organization)).body).size("/items");
  };
  EXPECT_EQ(gaps(acme, "acme"), 2u);
  clock_ += age_s + 1;
  EXPECT_EQ(gaps(acme, "acme"), 1u);
  EXPECT_EQ(gaps(other, "default"), 2u);
  Json shown(ask("GET", acme, {}, token("acme")).body);
  EXPECT_EQ(shown.number("/git/gaps/missing"), 1);
  EXPECT_EQ(shown.number("/git/gaps/given_up"), 0);
}

// A batch was chosen while it was visible, and waits for its turn.
TEST_F(VisibleHistoryTest, SendsNothingAgainThatBecameOldMeanwhile) {
  const Side acme = make("acme", DeliveryStatus::dead);
  const auto begun = post(acme, "/v1/replays", R"({"status": "dead"})");
  const std::string replay = Json(begun.body).text("/id");
  control_->step(at(clock_), monotonic(clock_));  // It is chosen.
  clock_ += age_s;
  for (int turn = 0; turn < 20; ++turn) {
    ++clock_;
    while (control_->step(at(clock_), monotonic(clock_))) {
    }
  }
  Json json(get(acme, "/v1/replays/" + replay).body);
  EXPECT_EQ(json.text("/state"), "done");
  EXPECT_EQ(json.number("/matched"), 0);
  EXPECT_FALSE(post_.take<StoreEvent>(0) || post_.take<StoreEvent>(1));
}

}  // namespace
}  // namespace ringpost::control
