// Goal: nobody who only asks waits for the disk under the store, and nothing that is not on it is
// answered or in force. Method: whoever syncs the store takes as long as the test likes.

#include "control/begun_journals.h"
#include "control_fixture.h"

namespace ringpost::control::testing {
namespace {

class DurabilityTest : public ControlTest, private StoreSyncs {
 protected:
  DurabilityTest() {
    control_ = std::make_unique<Control>(Control::Parts{.store = *store_,
                                                        .table = table_,
                                                        .journals = journals_,
                                                        .history = history_.index,
                                                        .post = post_,
                                                        .places = places_,
                                                        .counters = {&counters_[0], &counters_[1]},
                                                        .syncs = this},
                                         options_);
    EXPECT_TRUE(control_->load());
    EXPECT_TRUE(control_->finish_recovery());
  }

  void keep_no_bytes() {
    Control::Settings settings;
    settings.retention.bytes = 0;
    control_->reconfigure(std::move(settings));
  }

  /// The sync that is under way ends.
  void sync(std::optional<Error> failure = std::nullopt) {
    ASSERT_EQ(wanted_, 1);
    --wanted_;
    control_->on_store_synced({.failure = failure}, at(clock_), monotonic(clock_));
    settle();
  }
  uint16_t status() {
    const auto response = answered();
    return response ? response->status : 0;
  }
  /// Makes a webhook as far as it goes without a sync.
  void post_webhook() {
    send("POST", "/v1/webhooks", R"({"url": "https://ci.example.org/in"})");
    settle();
  }
  std::string only_webhook() { return Json(ask("GET", "/v1/webhooks").body).text("/items/0/id"); }
  uint32_t only_number() {
    uint32_t number = 0;
    table_.current().for_each_webhook(
        [&](const subscription::Webhook& webhook) { number = webhook.number; });
    return number;
  }

  const Control::Options options_;
  int wanted_ = 0;

 private:
  void send(StoreSyncWanted) override { ++wanted_; }

 protected:
  using ControlTest::send;
};

TEST_F(DurabilityTest, AChangeIsAnsweredAndInForceOnceItIsDurable) {
  post_webhook();
  EXPECT_EQ(status(), 0);
  EXPECT_EQ(matches(), 0u);
  EXPECT_EQ(ask("GET", "/v1/webhooks").status, 200);
  EXPECT_EQ(ask("GET", "/v1/audit").status, 200);
  EXPECT_EQ(matches(), 0u);
  sync();
  EXPECT_EQ(status(), 201);
  EXPECT_EQ(matches(), 1u);
  EXPECT_EQ(wanted_, 0);
}

TEST_F(DurabilityTest, ReadsAloneNeedNoSync) {
  EXPECT_EQ(ask("GET", "/v1/webhooks").status, 200);
  EXPECT_EQ(wanted_, 0);
}

TEST_F(DurabilityTest, ManyChangesShareASync) {
  for (int index = 0; index < 5; ++index) {
    send("POST", "/v1/webhooks", R"({"url": "https://ci.example.org/in"})");
  }
  settle();
  EXPECT_EQ(wanted_, 1);
  sync();
  for (int index = 0; index < 5; ++index) EXPECT_EQ(status(), 201);
  EXPECT_EQ(wanted_, 0);
}

// Goal: what is published together is durable together.
TEST_F(DurabilityTest, ChangesDuringASyncAreMadeAfterIt) {
  post_webhook();
  post_webhook();
  post_webhook();
  EXPECT_EQ(wanted_, 1);
  sync();
  EXPECT_EQ(status(), 201);
  EXPECT_EQ(status(), 0);
  EXPECT_EQ(matches(), 1u);
  sync();
  EXPECT_EQ(status(), 201);
  EXPECT_EQ(status(), 201);
  EXPECT_EQ(matches(), 3u);
}

// Goal: nobody is told what another change that may be lost has led to.
TEST_F(DurabilityTest, ARefusalWaitsForTheChangeItSpeaksOf) {
  post_webhook();
  sync();
  EXPECT_EQ(status(), 201);
  const std::string path = "/v1/webhooks/" + only_webhook();
  send("DELETE", path);
  send("DELETE", path);
  settle();
  EXPECT_EQ(status(), 0);
  sync();
  const uint16_t first = status();
  const uint16_t second = status();
  EXPECT_EQ(std::min(first, second), 204);
  EXPECT_EQ(std::max(first, second), 404);
}

// Goal: an audit entry alone is waited for, too: what was done is never answered without it.
TEST_F(DurabilityTest, AnAnswerWaitsForItsAuditEntry) {
  send("POST", "/v1/admin/reload");
  settle();
  EXPECT_EQ(status(), 0);
  sync();
  EXPECT_EQ(status(), 200);
}

// Goal: what is in effect without the store is not refused for its audit entry.
TEST_F(DurabilityTest, AReloadIsAnsweredAlthoughItsAuditEntryIsLost) {
  send("POST", "/v1/admin/reload");
  settle();
  sync(Error{Errc::io_failed, Side::disk, EIO});
  EXPECT_EQ(status(), 200);
}

TEST_F(DurabilityTest, ARedeliveryIsMadeOnceItsAuditEntryIsDurable) {
  post_webhook();
  sync();
  EXPECT_EQ(status(), 201);
  const auto event = accept(only_number());
  const Ulid delivery = settle_delivery(event, journal::DeliveryStatus::dead, 1, 500);
  send("POST", "/v1/deliveries/" + delivery.to_text() + "/redeliver");
  settle();
  const auto stored = [&] {
    auto first = post_.take<StoreEvent>(0);
    return first ? std::move(first) : post_.take<StoreEvent>(1);
  };
  EXPECT_FALSE(stored());
  sync();
  EXPECT_TRUE(stored());
}

// Goal: a GET that changes something is no read.
TEST_F(DurabilityTest, ALogoutWaits) {
  post_webhook();
  send("GET", "/users/logout");
  settle();
  EXPECT_EQ(status(), 0);
  sync();
  EXPECT_NE(status(), 0);
}

TEST_F(DurabilityTest, AnEndpointThatIsGoneStopsItsWebhookAfterTheSync) {
  post_webhook();
  sync();
  EXPECT_EQ(status(), 201);
  const uint32_t number = only_number();
  post_webhook();
  tell(0, EndpointGone{{number, table_.current().webhook(number)->updated_at}});
  settle();
  EXPECT_TRUE(ended_.empty());
  sync();
  EXPECT_TRUE(ended_.empty());
  sync();
  EXPECT_EQ(ended_, (std::vector<uint32_t>(shard_count, number)));  // Told to each.
}

// Goal: a failed sync is told, nothing of the change comes into force, and from then on changes are
// refused, since a later sync that succeeds would prove nothing. Reads go on.
TEST_F(DurabilityTest, AFailedSyncRefusesChangesFromThenOn) {
  post_webhook();
  post_webhook();
  sync(Error{Errc::io_failed, Side::disk, EIO});
  const auto refused = answered();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_NE(refused->body.find("restart"), std::string::npos) << refused->body;
  EXPECT_EQ(status(), 503);  // The one that waited.
  post_webhook();
  EXPECT_EQ(status(), 503);
  EXPECT_EQ(wanted_, 0);
  EXPECT_EQ(matches(), 0u);
  EXPECT_EQ(ask("GET", "/v1/webhooks").status, 200);
  Json status_shown(ask("GET", "/v1/status").body);
  EXPECT_EQ(status_shown.text("/storage/state"), "ok");
  EXPECT_EQ(status_shown.text("/storage/store_state"), "failed");
  EXPECT_NE(status_shown.text("/storage/store_detail").find("EIO"), std::string::npos);
  EXPECT_EQ(ask("GET", "/v1/audit").status, 200);
  EXPECT_EQ(ask("GET", "/users/logout").status, 204);  // It changes nothing for this token.
  control_->step(at(clock_), monotonic(clock_));
  EXPECT_EQ(wanted_, 0);
}

// Goal: after a loss of power no start misses a segment that was removed on purpose.
TEST_F(DurabilityTest, ASegmentIsRemovedOnceItsNoteIsDurable) {
  BegunJournals begun(*store_);
  ASSERT_TRUE(begun.replace({{0, 1}}));
  journals_.note = [&](uint32_t journal, uint32_t oldest) { return begun.expire(journal, oldest); };
  keep_no_bytes();
  const auto step = [&] { control_->step(at(clock_), monotonic(clock_)); };
  tell(0, SegmentWanted{});
  step();
  sync();
  tell(0, SegmentSealed{1});
  step();
  EXPECT_EQ(begun.oldest().at(0), 2u);
  step();
  EXPECT_EQ(journals_.files.size(), 1u);
  sync();
  step();
  EXPECT_EQ(journals_.files.size(), 0u);
  EXPECT_EQ(wanted_, 0);
}

// Goal: nor is it removed if its note may be lost.
TEST_F(DurabilityTest, NoSegmentIsRemovedAfterAFailedSync) {
  BegunJournals begun(*store_);
  ASSERT_TRUE(begun.replace({{0, 1}}));
  journals_.note = [&](uint32_t journal, uint32_t oldest) { return begun.expire(journal, oldest); };
  keep_no_bytes();
  const auto step = [&] { control_->step(at(clock_), monotonic(clock_)); };
  tell(0, SegmentWanted{});
  step();
  sync();
  tell(0, SegmentSealed{1});
  step();
  sync(Error{Errc::io_failed, Side::disk, EIO});
  step();
  step();
  EXPECT_EQ(journals_.files.size(), 1u);
}

// Goal: while the disk works, housekeeping changes nothing and does not spin.
TEST_F(DurabilityTest, HousekeepingWaitsForTheSync) {
  subscription::Token token;
  token.id = Ulid::mint(at(0), random_);
  token.name = token.organization = "a";
  token.scopes = 1;
  token.expires_at = at(10);
  const auto inserted = store_->insert_token(token);
  ASSERT_TRUE(inserted);
  post_webhook();
  EXPECT_EQ(wanted_, 1);
  for (clock_ = 0; clock_ < 4000; clock_ += 50) {
    EXPECT_FALSE(control_->step(at(clock_), monotonic(clock_)));
    const auto due = control_->next_due();
    EXPECT_TRUE(!due || *due > monotonic(clock_));
  }
  EXPECT_EQ(wanted_, 1);
}

}  // namespace
}  // namespace ringpost::control::testing
