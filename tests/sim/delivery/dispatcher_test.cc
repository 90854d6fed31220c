// Goal: every rule about what may be sent when, and about what follows an attempt's end: the status
// table, paces, permissions, deadlines, events that give no request.
// Method: one dispatcher on a simulated ring, webhooks of a dialect made for this test, scripted
// receivers, and the outcomes as the shard would write them down.

#include "delivery/dispatcher.h"

#include "dialect/dialect.h"
#include "dialect/head.h"
#include "http/answers/table.h"
#include "sim/http_receiver.h"
#include "sim/relay/resolver.h"
#include "sim/ring.h"
#include "sim/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace ringpost::dialect {
namespace {

/// What a webhook of it does is in its settings, as words.
class Tried final : public Dialect {
 public:
  static bool says(const subscription::Webhook& webhook, std::string_view word) {
    return webhook.settings.find(word) != std::string::npos;
  }

  std::string_view name() const override { return "standard"; }
  subscription::Webhook defaults() const override { return {}; }
  std::string_view object_to_secret(std::string_view) const override { return {}; }
  std::unique_ptr<Renderer> make_renderer(const subscription::Webhook& webhook) const override {
    return std::make_unique<TriedRenderer>(webhook);
  }
  bool retries_status(uint16_t http_status) const override { return http_status != 418; }
  Duration connect_time() const override { return std::chrono::seconds{3}; }
  bool asks_first(const subscription::Webhook& webhook) const override {
    return says(webhook, "ask");
  }
  bool newer_supersedes_older(const subscription::Webhook& webhook) const override {
    return says(webhook, "supersede");
  }

 private:
  class TriedRenderer final : public Renderer {
   public:
    explicit TriedRenderer(const subscription::Webhook& webhook)
        : webhook_(webhook), renders_(!says(webhook, "unrenderable")) {}

    std::optional<Error> render(const AttemptFacts& facts, Request& request) override {
      if (!renders_) {
        return Error{Errc::not_renderable, Side::producer,
                     static_cast<int32_t>(Unrenderable::target_bytes)};
      }
      request.head = fixed_part(webhook_);
      request.body = facts.event.data;
      finish(request, facts);
      return std::nullopt;
    }
    /// The data's first byte, if it is a letter.
    uint64_t subject(const journal::EventView& event) override {
      const char first = event.data.empty() ? '{' : static_cast<char>(event.data.front());
      return first == '{' ? 0 : static_cast<uint64_t>(first);
    }
    void render_question(std::string_view origin, std::string& head) const override {
      head = fixed_part(webhook_, "OPTIONS");
      append_header(head, "WebHook-Request-Origin", origin);
      head += "\r\n";
    }

   private:
    const subscription::Webhook webhook_;
    const bool renders_;
  };
};

}  // namespace

/// In place of registry.cc.
std::span<const Dialect* const> all() {
  static const Tried tried;
  static const std::array<const Dialect*, 1> dialects{&tried};
  return dialects;
}

}  // namespace ringpost::dialect

namespace ringpost::delivery {
namespace {

using journal::DeliveryStatus;
using sim::HttpReceiver;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using subscription::Webhook;
using subscription::WebhookVersion;
using Answer = HttpReceiver::Answer;
using Request = HttpReceiver::Request;

net::EgressPolicy open_policy() {
  std::string why;
  auto policy = net::EgressPolicy::create(
      {.allow_networks = {"10.0.0.0/8"}, .allow_plain_http_networks = {"10.0.0.0/8"}}, why);
  RINGPOST_ASSERT(policy.has_value());
  return std::move(*policy);
}

/// A shard that has nothing but deliveries.
class DispatcherTest : public testing::Test, public sim::Actor, public Host {
 protected:
  struct Noted {
    uint32_t webhook = 0;
    uint32_t attempt = 0;
    DeliveryStatus status{};
    std::optional<Error> error;
    uint16_t http_status = 0;
    std::string request_line;
    std::string note;
    WallTime next_attempt_at{};
    Instant at{};
    uint64_t event = 0;
    ConnectionFacts connection;
  };

  struct Asked {
    uint64_t ticket = 0;
    uint32_t attempt = 0;
    std::string head;
  };

  explicit DispatcherTest(const sim::World::Options& options = {.seed = 7}) : world_(options) {
    table_.reader(0).online();
    world_.add_actor(*this, ring_);
  }
  ~DispatcherTest() override {
    dispatcher_.stop();
    dispatcher_.abort();
    ring_.waker().wake();
    world_.run_until([&] { return dispatcher_.stopped() && ring_.pending_count() == 0; },
                     minutes{1});
    world_.remove_actor(*this);
    table_.reader(0).offline();
    // Those that the end cut off have no result.
    const uint64_t started = counters_.value(Counter::attempts_started);
    EXPECT_LE(attempts_counted(), started);
    EXPECT_LE(started, attempts_counted() + counters_.value(Counter::deliveries_in_flight));
    EXPECT_EQ(counters_.value(Counter::delivery_connections), 0u);
  }

  /// Those that ended with any result, and those that were put back.
  uint64_t attempts_counted() const {
    uint64_t sum = counters_.value(Counter::attempts_put_back);
    for (const CounterInfo& row : counter_table()) {
      if (row.label.name == "result" && row.name.starts_with("attempts_")) {
        sum += counters_.value(row.counter);
      }
    }
    return sum;
  }

  // Actor
  void turn() override {
    ring_.turn(true);
    dispatcher_.turn();
    table_.reader(0).quiescent();
    ++turns_;
    if (dispatcher_.has_work()) ring_.waker().wake();
  }

  // Host
  void on_attempt_traced(const journal::OutcomeView&, const journal::EventRef&) override {}
  const subscription::Snapshot& snapshot() override { return table_.reader(0).snapshot(); }
  void record(const journal::OutcomeView& outcome, journal::Urgency) override {
    if (outcome.status == DeliveryStatus::in_flight) return starts_.push_back(outcome.attempt);
    const std::string_view head = outcome.request_head;
    noted_.push_back({.webhook = outcome.webhook_number,
                      .attempt = outcome.attempt,
                      .status = outcome.status,
                      .error = outcome.failed ? std::optional{outcome.error} : std::nullopt,
                      .http_status = outcome.http_status,
                      .request_line = std::string{head.substr(0, head.find("\r\n"))},
                      .note = outcome.response_note == BadAnswer{}
                                  ? std::string{}
                                  : std::string{describe(outcome.response_note)},
                      .next_attempt_at = outcome.next_attempt_at,
                      .at = world_.now(),
                      .event = outcome.event.packed,
                      .connection = outcome.connection});
  }
  bool has_room_for_attempt(uint32_t) const override { return has_room_; }
  journal::EventRef event_at_hand(journal::Position) override { return {}; }
  void want_payload(journal::Position event, uint64_t ticket) override {
    world_.after(milliseconds{1}, [this, event, ticket] {
      dispatcher_.on_payload(ticket, events_.at(event.packed), {});
      ring_.waker().wake();
    });
  }
  void on_receiver_paused(const WebhookVersion& webhook, WallTime until) override {
    paused_[webhook.number] = until;
  }
  void on_circuit_open(const WebhookVersion& webhook, const OpenCircuit& circuit) override {
    if (is_current(webhook)) circuits_[webhook.number] = circuit;
  }
  void on_circuit_closed(const WebhookVersion& webhook) override {
    if (is_current(webhook)) circuits_.erase(webhook.number);
  }
  void on_permission(const WebhookVersion& webhook, const std::optional<Error>& why_not) override {
    permissions_.emplace_back(webhook.number, why_not);
  }
  void on_listener_request(const ListenerRequest& request) override {
    asked_.push_back({request.ticket, request.attempt, std::string{request.head}});
  }
  void on_listener_request_over(uint32_t, uint64_t ticket) override { over_.push_back(ticket); }
  void on_endpoint_gone(const WebhookVersion& webhook) override { gone_.push_back(webhook); }

  bool is_current(const WebhookVersion& version) {
    const Webhook* webhook = snapshot().webhook(version.number);
    return webhook != nullptr && webhook->updated_at == version.updated_at;
  }

  /// @param at  the last part of the receiver's address.
  Webhook make(uint32_t number, int at = 2) {
    Webhook webhook;
    webhook.number = number;
    const std::string host = "10.0.0." + std::to_string(at);
    webhook.destination = {
        .url = "http://" + host + "/", .tls = false, .host = host, .port = 80, .target = "/"};
    return webhook;
  }
  Webhook make_named(uint32_t number, const std::string& host, std::string_view organization) {
    Webhook webhook = make(number);
    webhook.organization = organization;
    webhook.destination.url = "http://" + host + "/";
    webhook.destination.host = host;
    return webhook;
  }
  /// Makes or changes a webhook.
  void put(Webhook webhook) {
    webhook.updated_at = world_.wall_now() + Duration{++changes_};
    const uint32_t number = webhook.number;
    table_.put(std::move(webhook));
    table_.publish();
    circuits_.erase(number);  // As the control thread forgets what was said of the one before.
    dispatcher_.on_changed(number);
    if (dispatcher_.has_work()) ring_.waker().wake();
  }
  void submit(uint32_t webhook, uint32_t count = 1, std::string_view data = "{}",
              bool by_hand = false) {
    for (uint32_t index = 0; index < count; ++index) {
      journal::EventView event;
      event.uid = Ulid::mint(world_.wall_now(), world_.random());
      event.accepted_at = world_.wall_now();
      event.organization = "default";
      event.source = "app/x";
      event.type = "t";
      event.data = as_bytes(data);
      journal::EventRef stored = journal::EventCodec::encode(event);
      stored->set_position(journal::Position::make(0, 0, offset_ += 8));
      events_[stored->position().packed] = stored;
      submitted_[stored->position().packed] = world_.now();
      dispatcher_.submit(stored, webhook, by_hand);
    }
    ring_.waker().wake();
  }
  void redeliver(uint32_t webhook) { submit(webhook, 1, "{}", true); }
  size_t counted(DeliveryStatus status) const {
    return static_cast<size_t>(std::ranges::count(noted_, status, &Noted::status));
  }
  size_t delivered_to(uint32_t webhook) const {
    return static_cast<size_t>(std::ranges::count_if(noted_, [&](const Noted& noted) {
      return noted.webhook == webhook && noted.status == DeliveryStatus::delivered;
    }));
  }
  bool settle(Duration within = std::chrono::hours{2}) {
    return world_.run_until([&] { return dispatcher_.pending_count() == 0; }, within);
  }
  Noted deliver(uint32_t webhook) {
    submit(webhook);
    EXPECT_TRUE(settle());
    world_.run_for(milliseconds{200});  // The connection has shown that it may be used again.
    return noted_.back();
  }
  size_t posts(const HttpReceiver& receiver) const {
    return static_cast<size_t>(std::ranges::count_if(
        receiver.requests(), [](const Request& request) { return request.method() == "POST"; }));
  }
  size_t questions(const HttpReceiver& receiver) const {
    return receiver.requests().size() - posts(receiver);
  }

  sim::World world_;
  sim::Ring& ring_{world_.add_ring()};
  sim::Names names_;
  Counters counters_;
  sim::Resolver resolver_{ring_, counters_, names_};
  const net::EgressPolicy policy_ = open_policy();
  subscription::PendingCounts pending_counts_;
  subscription::SubscriptionTable table_{1, HashKey{}};
  Dispatcher dispatcher_{{.ring = ring_,
                          .resolver = resolver_,
                          .policy = policy_,
                          .counters = counters_,
                          .host = *this,
                          .pending_counts = pending_counts_,
                          .origin = "relay.example.org"},
                         {}};
  std::function<Answer(const Request&)> answer_;
  HttpReceiver receiver_{world_, sim::address("10.0.0.2", 80), [this](const Request& request) {
                           return answer_ ? answer_(request) : Answer{};
                         }};
  std::vector<Noted> noted_;
  std::vector<uint32_t> starts_;  ///< The attempts' numbers.
  std::vector<Asked> asked_;      ///< Of programs that listen.
  std::vector<uint64_t> over_;
  std::vector<WebhookVersion> gone_;
  std::map<uint32_t, WallTime> paused_;
  std::map<uint32_t, OpenCircuit> circuits_;
  std::vector<std::pair<uint32_t, std::optional<Error>>> permissions_;
  bool has_room_ = true;
  std::map<uint64_t, journal::EventRef> events_;
  std::map<uint64_t, Instant> submitted_;
  uint32_t offset_ = 0;
  int64_t changes_ = 0;
  uint64_t turns_ = 0;
  uint32_t webhooks_ = 100;
};

// Reliability N-5, the whole table.
TEST_F(DispatcherTest, JudgesStatusesByTheTable) {
  enum class End { delivered, repeated, dead, gone };
  const std::map<int, End> table = {
      {200, End::delivered}, {201, End::delivered}, {204, End::delivered}, {299, End::delivered},
      {301, End::repeated},  {302, End::repeated},  {307, End::repeated},  {308, End::repeated},
      {400, End::repeated},  {401, End::repeated},  {404, End::repeated},  {408, End::repeated},
      {410, End::gone},      {425, End::repeated},  {429, End::repeated},  {500, End::repeated},
      {502, End::repeated},  {503, End::repeated},  {504, End::repeated},  {599, End::repeated},
      {508, End::dead},                                                // A relay's: a loop.
      {600, End::repeated},  {99, End::repeated},   {418, End::dead},  // The dialect's own rule.
  };
  Webhook webhook = make(1);
  webhook.schedule_s = {10};
  put(webhook);
  for (const auto& [status, end] : table) {
    put(webhook);  // A change is a new beginning: what was before opens no circuit.
    const size_t before = receiver_.requests().size();
    answer_ = [&, status = status](const Request&) {
      return Answer{.status = status, .headers = {{"Location", "http://10.0.0.2/elsewhere"}}};
    };
    noted_.clear();
    gone_.clear();
    const Noted last = deliver(1);
    const size_t attempts = end == End::repeated ? 2 : 1;
    EXPECT_EQ(receiver_.requests().size() - before, attempts) << status;
    ASSERT_EQ(noted_.size(), attempts) << status;
    EXPECT_EQ(last.status, end == End::delivered ? DeliveryStatus::delivered : DeliveryStatus::dead)
        << status;
    EXPECT_EQ(gone_.size(), end == End::gone ? 1u : 0u) << status;
    if (status >= 200 && status <= 599) {
      EXPECT_EQ(last.http_status, status);
    } else {
      EXPECT_EQ(last.error->code, Errc::malformed) << status;
    }
    if (end == End::repeated) {
      const Duration pause = noted_[1].at - noted_[0].at;
      EXPECT_GE(pause, milliseconds{7500}) << status;
      EXPECT_LE(pause, milliseconds{12'600}) << status;
    }
  }
  for (const Request& request : receiver_.requests()) EXPECT_EQ(request.target(), "/");
}

// Goal: operators see what receivers do by its kind. Method: one attempt of each kind; the sum is
// compared with the attempts after every test here.
TEST_F(DispatcherTest, CountsAttemptsByTheirResult) {
  const auto counts = [&](Counter counter, const Webhook& webhook, Answer answer) {
    put(webhook);
    answer_ = [answer](const Request&) { return answer; };
    const uint64_t before = counters_.value(counter);
    deliver(1);
    return counters_.value(counter) == before + 1;
  };
  Webhook webhook = make(1);
  webhook.timeout_ms = 1000;
  EXPECT_TRUE(counts(Counter::attempts_succeeded, webhook, {.status = 204}));
  EXPECT_TRUE(counts(Counter::attempts_redirected, webhook, {.status = 302}));
  EXPECT_TRUE(counts(Counter::attempts_client_error, webhook, {.status = 404}));
  EXPECT_TRUE(counts(Counter::attempts_server_error, webhook, {.status = 500}));
  EXPECT_TRUE(counts(Counter::attempts_bad_answer, webhook, {.status = 600}));
  EXPECT_TRUE(counts(Counter::attempts_bad_answer, webhook, {.way = Answer::Way::drop}));
  EXPECT_TRUE(counts(Counter::attempts_timed_out, webhook, {.way = Answer::Way::never}));
  EXPECT_TRUE(counts(Counter::attempts_connection_failed, webhook, {.way = Answer::Way::reset}));
  EXPECT_TRUE(counts(Counter::attempts_connection_failed, make(1, 99), {}));  // Nobody listens.
  Webhook denied = make(1);
  denied.destination = {
      .url = "http://11.0.0.1/", .tls = false, .host = "11.0.0.1", .port = 80, .target = "/"};
  EXPECT_TRUE(counts(Counter::attempts_denied, denied, {}));
  Webhook nameless = make(1);
  nameless.destination.host = "nobody.example.org";
  EXPECT_TRUE(counts(Counter::attempts_name_unresolved, nameless, {}));
  Webhook unrenderable = make(1);
  unrenderable.settings = "unrenderable";
  EXPECT_TRUE(counts(Counter::attempts_failed_otherwise, unrenderable, {}));
}

/// RFC 9110, 5.6.7: IMF-fixdate.
std::string http_date(WallTime time) {
  const std::time_t when = to_unix_seconds(time);
  std::tm parts{};
  char text[32];
  gmtime_r(&when, &parts);
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

TEST_F(DispatcherTest, HonoursRetryAfterInBothFormsUpToAnHour) {
  Webhook webhook = make(1);
  webhook.schedule_s = {1};
  put(webhook);
  using Value = std::function<std::string()>;  // When the answer is given.
  for (const auto& [value, least, most] :
       {std::tuple{Value{[] { return "120"; }}, seconds{120}, seconds{122}},
        {[this] { return http_date(world_.wall_now() + seconds{120}); }, seconds{118},
         seconds{122}},
        {[] { return "86400"; }, seconds{3600}, seconds{3602}},
        {[this] { return http_date(world_.wall_now() + std::chrono::hours{24}); }, seconds{3600},
         seconds{3602}},
        {[this] { return http_date(world_.wall_now() - seconds{5}); }, seconds{0}, seconds{2}},
        {[] { return "0"; }, seconds{0}, seconds{2}},
        {[] { return "soon"; }, seconds{0}, seconds{2}}}) {
    for (const int status : {429, 503}) {
      bool first = true;
      answer_ = [&, value = value](const Request&) {
        if (!std::exchange(first, false)) return Answer{};
        return Answer{.status = status, .headers = {{"Retry-After", value()}}};
      };
      noted_.clear();
      EXPECT_EQ(deliver(1).status, DeliveryStatus::delivered);
      ASSERT_EQ(noted_.size(), 2u);
      EXPECT_GE(noted_[1].at - noted_[0].at, least) << value();
      EXPECT_LE(noted_[1].at - noted_[0].at, most) << value();
    }
  }
}

// --- starts on record ---------------------------------------------------------------------------

TEST_F(DispatcherTest, RecordsTheConnectionAndWhatTheTimeWentTo) {
  names_["ci.test"] = {sim::address("10.0.0.2", 0)};
  put(make_named(1, "ci.test", "one"));
  answer_ = [](const Request&) { return Answer{.delay = milliseconds{20}}; };
  const ConnectionFacts first = deliver(1).connection;
  EXPECT_EQ(first.ip_bytes, 4);
  EXPECT_EQ((std::array{first.ip[0], first.ip[3]}), (std::array<uint8_t, 2>{10, 2}));
  EXPECT_EQ(first.port, 80);
  EXPECT_FALSE(first.reused);
  EXPECT_TRUE(first.timings.name);
  EXPECT_GT(first.timings.connect, Duration::zero());
  EXPECT_FALSE(first.timings.tls);
  EXPECT_GE(first.timings.first_byte, milliseconds{20});
  EXPECT_LT(first.timings.first_byte, milliseconds{40});

  const ConnectionFacts second = deliver(1).connection;
  EXPECT_EQ(second.ip, first.ip);
  EXPECT_TRUE(second.reused);
  EXPECT_FALSE(second.timings.name);
  EXPECT_FALSE(second.timings.connect);
  EXPECT_GE(second.timings.first_byte, milliseconds{20});
}

// Goal: the step that an attempt ended in took the time that it took, and no step after it any.
TEST_F(DispatcherTest, RecordsTheStepThatTheTimeWasLostIn) {
  names_["silent.test"];
  world_.network().set_reach(sim::address("10.0.0.9", 80), sim::Reach::black_hole);
  answer_ = [](const Request&) { return Answer{.way = Answer::Way::never}; };
  const auto try_once = [&](Webhook webhook) {
    webhook.schedule_s.clear();
    webhook.timeout_ms = 2000;
    put(std::move(webhook));
    return deliver(1).connection;
  };
  const ConnectionFacts unresolved = try_once(make_named(1, "silent.test", "one"));
  EXPECT_EQ(unresolved.ip_bytes, 0);
  EXPECT_GE(unresolved.timings.name, seconds{2});
  EXPECT_FALSE(unresolved.timings.connect);

  const ConnectionFacts unreached = try_once(make(1, 9));
  EXPECT_EQ(unreached.ip[3], 9);
  EXPECT_FALSE(unreached.timings.name) << "an address has no name to ask for";
  EXPECT_GE(unreached.timings.connect, seconds{2});
  EXPECT_FALSE(unreached.timings.first_byte);

  const ConnectionFacts unanswered = try_once(make(1));
  EXPECT_LT(unanswered.timings.connect, seconds{1});
  EXPECT_GE(unanswered.timings.first_byte, seconds{1});
}

TEST_F(DispatcherTest, RecordsTheStartOfAFirstAttemptOnlyIfItTakesLong) {
  put(make(1));
  deliver(1);  // There is a connection that may be used again.
  starts_.clear();
  answer_ = [](const Request&) { return Answer{.delay = milliseconds{2}}; };
  deliver(1);
  EXPECT_EQ(starts_, std::vector<uint32_t>{});
  answer_ = [](const Request&) { return Answer{.delay = milliseconds{100}}; };
  submit(1);
  world_.run_for(milliseconds{30});
  EXPECT_EQ(starts_, std::vector<uint32_t>{1});
  ASSERT_TRUE(settle());
  EXPECT_EQ(starts_, std::vector<uint32_t>{1});
  EXPECT_EQ(noted_.back().status, DeliveryStatus::delivered);
}

// A start of the relay cannot know that they were begun: their events came long before.
TEST_F(DispatcherTest, RecordsTheStartsOfLaterAttemptsAtOnce) {
  Webhook webhook = make(1);
  webhook.schedule_s = {1, 1};
  put(webhook);
  deliver(1);
  starts_.clear();
  std::vector<size_t> recorded;  // When the receiver has the request.
  answer_ = [&](const Request&) {
    recorded.push_back(starts_.size());
    return Answer{.status = recorded.size() < 3 ? 500 : 200};
  };
  deliver(1);
  EXPECT_EQ(recorded, (std::vector<size_t>{0, 1, 2}));
  EXPECT_EQ(starts_, (std::vector<uint32_t>{2, 3}));
}

TEST_F(DispatcherTest, RecordsTheStartOfADelayedFirstAttemptAtOnce) {
  has_room_ = false;
  put(make(1));
  submit(1);
  world_.run_for(seconds{1});
  has_room_ = true;
  ring_.waker().wake();
  std::vector<uint32_t> recorded;
  answer_ = [&](const Request&) {
    recorded = starts_;
    return Answer{};
  };
  ASSERT_TRUE(settle());
  EXPECT_EQ(recorded, std::vector<uint32_t>{1});
}

TEST_F(DispatcherTest, RecordsTheStartsOfWhatAStopCutsOff) {
  put(make(1));
  deliver(1);
  starts_.clear();
  answer_ = [](const Request&) { return Answer{.way = Answer::Way::never}; };
  submit(1);
  ASSERT_TRUE(world_.run_until([&] { return dispatcher_.in_flight_count() == 1; }, seconds{1}));
  EXPECT_EQ(starts_, std::vector<uint32_t>{});
  dispatcher_.stop();
  dispatcher_.abort();
  EXPECT_EQ(starts_, std::vector<uint32_t>{1});
}

// --- pauses --------------------------------------------------------------------------------------

/// The first answers ask for a pause.
class PauseTest : public DispatcherTest {
 protected:
  PauseTest() {
    answer_ = [this](const Request&) {
      if (pauses_ == 0) return Answer{};
      --pauses_;
      return Answer{.status = status_, .headers = {{"Retry-After", pause_}}};
    };
  }
  Webhook patient() {
    Webhook webhook = make(1);
    webhook.schedule_s = {1, 1, 1};
    return webhook;
  }
  Duration since_first(size_t request) const {
    return receiver_.requests().at(request).at - receiver_.requests().at(0).at;
  }

  int status_ = 429;
  std::string pause_ = "8";
  int pauses_ = 1;
};

// CloudEvents' HTTP webhook binding, 2.2: no further request until then; and none is lost.
TEST_F(PauseTest, HoldsBackWhateverIsForTheWebhook) {
  for (const int status : {429, 503}) {
    status_ = status;
    pauses_ = 1;
    put(patient());
    const size_t before = receiver_.requests().size();
    submit(1);
    world_.run_for(seconds{1});
    submit(1, 5);
    world_.run_for(seconds{6});
    EXPECT_EQ(receiver_.requests().size(), before + 1) << status;
    ASSERT_TRUE(settle(minutes{1}));
    EXPECT_EQ(receiver_.requests().size(), before + 7) << status;
    const Instant first = receiver_.requests()[before].at;
    for (size_t index = before + 1; index < before + 7; ++index) {
      EXPECT_GE(receiver_.requests()[index].at - first, seconds{8}) << status;
    }
    EXPECT_GE(paused_.at(1), world_.wall_now() - minutes{1});
  }
  EXPECT_EQ(std::ranges::count(noted_, DeliveryStatus::delivered, &Noted::status), 12);
}

TEST_F(PauseTest, IsKeptByAWebhookWithOneAttempt) {
  Webhook webhook = make(1);
  webhook.schedule_s.clear();
  put(webhook);
  EXPECT_EQ(deliver(1).status, DeliveryStatus::dead);
  EXPECT_EQ(deliver(1).status, DeliveryStatus::delivered);
  EXPECT_GE(since_first(1), seconds{8});
}

// What waited does not fall upon the receiver at once: the first finds out whether it may.
TEST_F(PauseTest, SendsOneAheadOfTheOthers) {
  pauses_ = 2;
  put(patient());
  submit(1);
  world_.run_for(seconds{1});
  submit(1, 20);
  world_.run_for(seconds{12});
  EXPECT_EQ(receiver_.requests().size(), 2u);
  ASSERT_TRUE(settle(minutes{1}));
  EXPECT_GE(since_first(2), seconds{16});
  EXPECT_EQ(receiver_.requests().size(), 23u);
}

TEST_F(PauseTest, HoldsUpNoOtherWebhookOfTheEndpoint) {
  put(patient());
  Webhook other = make(2);
  put(other);
  submit(1);
  world_.run_for(seconds{1});
  submit(2);
  world_.run_for(seconds{1});
  EXPECT_EQ(receiver_.requests().size(), 2u);
  ASSERT_TRUE(settle(minutes{1}));
}

TEST_F(PauseTest, LastsAnHourAtMost) {
  for (const char* pause : {"99999999999", "Mon, 01 Jan 2300 00:00:00 GMT"}) {
    pause_ = pause;
    pauses_ = 1;
    put(patient());
    const size_t before = receiver_.requests().size();
    submit(1);
    world_.run_for(seconds{1});
    submit(1, 3);
    world_.run_for(minutes{59});
    EXPECT_EQ(receiver_.requests().size(), before + 1) << pause;
    world_.run_for(minutes{2});
    EXPECT_EQ(receiver_.requests().size(), before + 5) << pause;
  }
}

TEST_F(PauseTest, IsAskedForByTheseAnswersAlone) {
  for (const auto& [status, pause] :
       {std::pair{500, "8"}, {404, "8"}, {429, "0"}, {429, "soon"}, {503, ""}}) {
    status_ = status;
    pause_ = pause;
    pauses_ = 1;
    put(patient());
    const size_t before = receiver_.requests().size();
    submit(1);
    world_.run_for(milliseconds{500});
    submit(1);
    world_.run_for(milliseconds{200});
    EXPECT_EQ(receiver_.requests().size(), before + 2) << status << " " << pause;
    ASSERT_TRUE(settle());
  }
  EXPECT_TRUE(paused_.empty());
}

TEST_F(PauseTest, EndsWithTheUrlThatAskedForItAndNotWithOtherChanges) {
  pause_ = "3000";
  put(patient());
  submit(1);
  world_.run_for(seconds{1});
  submit(1, 2);
  Webhook described = patient();
  described.description = "other";
  put(described);
  world_.run_for(minutes{10});
  EXPECT_EQ(receiver_.requests().size(), 1u);
  Webhook moved = patient();
  moved.destination.url = "http://10.0.0.2/moved";
  moved.destination.target = "/moved";
  put(moved);
  world_.run_for(seconds{1});
  EXPECT_EQ(receiver_.requests().size(), 3u);
  ASSERT_TRUE(settle());
}

TEST_F(PauseTest, EndsWithTheWebhookThatIsDisabled) {
  pause_ = "3000";
  Webhook webhook = patient();
  webhook.schedule_s.clear();
  put(webhook);
  deliver(1);
  webhook.state = subscription::WebhookState::disabled;
  put(webhook);
  dispatcher_.cancel(1);
  webhook.state = subscription::WebhookState::active;
  put(webhook);
  submit(1);
  EXPECT_TRUE(settle(seconds{1}));
}

// Goal: a webhook with a long backlog may be disabled and enabled again, and holds up nobody.
TEST_F(DispatcherTest, CancelsALongBacklogInPartsAndWhileThereIsRoom) {
  constexpr uint32_t count = 5000;
  answer_ = [](const Request&) { return Answer{.way = Answer::Way::never}; };
  put(make(1));
  submit(1, count);
  world_.run_for(seconds{1});
  const auto ended = [&](DeliveryStatus status) {
    return static_cast<uint32_t>(std::ranges::count(noted_, status, &Noted::status));
  };
  has_room_ = false;
  Webhook disabled = make(1);
  disabled.state = subscription::WebhookState::disabled;
  put(disabled);
  dispatcher_.cancel(1);
  world_.run_for(seconds{1});
  EXPECT_EQ(ended(DeliveryStatus::cancelled), 0u) << "it could not be written down";
  EXPECT_EQ(dispatcher_.pending_count(), count);
  has_room_ = true;
  answer_ = [](const Request&) { return Answer{}; };
  put(make(1));
  dispatcher_.turn();
  EXPECT_GT(ended(DeliveryStatus::cancelled), 0u);
  EXPECT_LT(ended(DeliveryStatus::cancelled), count / 2) << "others have their turn";
  submit(1);
  ASSERT_TRUE(settle());
  EXPECT_GE(ended(DeliveryStatus::cancelled), count - 64) << "all but what was in flight";
  EXPECT_EQ(receiver_.requests().size(), count - ended(DeliveryStatus::cancelled) + 1);
}

// Goal: what a program is given and gives back is an attempt like any other, and no attempt is used
// up while none listens.
class ListenerTest : public DispatcherTest {
 protected:
  ListenerTest() {
    Webhook webhook = make(1);
    webhook.is_listener = true;
    webhook.schedule_s = {};
    put(webhook);
  }
  void listen(bool listening = true) {
    dispatcher_.set_listening(1, listening);
    ring_.waker().wake();
    world_.run_for(seconds{1});
    dispatcher_.check();
  }
  void answer(const Asked& asked, std::string_view bytes, std::optional<Error> error = {}) {
    dispatcher_.on_listener_answer(asked.ticket, as_bytes(bytes), error);
    ring_.waker().wake();
    world_.run_for(seconds{1});
    dispatcher_.check();
  }
};

TEST_F(ListenerTest, IsGivenRequestsWhileItListens) {
  submit(1);
  world_.run_for(minutes{5});
  EXPECT_TRUE(asked_.empty());
  listen();
  ASSERT_EQ(asked_.size(), 1u);
  EXPECT_TRUE(asked_[0].head.starts_with("POST / HTTP/1.1\r\n")) << asked_[0].head;
  answer(asked_[0], "HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_EQ(noted_.size(), 1u);
  EXPECT_EQ(noted_[0].status, DeliveryStatus::delivered);
  EXPECT_EQ(noted_[0].http_status, 204);
  EXPECT_TRUE(receiver_.requests().empty()) << "nothing is sent";
}

TEST_F(ListenerTest, IsAskedAgainForWhatItDidNotAnswer) {
  submit(1, 3);
  listen();
  ASSERT_EQ(asked_.size(), 3u);
  listen(false);
  EXPECT_EQ(dispatcher_.in_flight_count(), 0u);
  world_.run_for(minutes{5});
  EXPECT_EQ(asked_.size(), 3u);
  listen();
  ASSERT_EQ(asked_.size(), 6u);
  for (size_t index = 0; index < 3; ++index) {
    answer(asked_[index], "HTTP/1.1 200 OK\r\n\r\n");  // Too late.
  }
  EXPECT_EQ(dispatcher_.in_flight_count(), 3u);
  for (size_t index = 3; index < 6; ++index) {
    EXPECT_EQ(asked_[index].attempt, 1u);
    answer(asked_[index], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  }
  EXPECT_EQ(counted(DeliveryStatus::delivered), 3u);
}

TEST_F(ListenerTest, SaysWhatWentWrong) {
  listen();
  submit(1, 4);
  world_.run_for(seconds{1});
  ASSERT_EQ(asked_.size(), 4u);
  answer(asked_[0], "HTTP/1.1 500 Internal Server Error\r\n\r\n");
  answer(asked_[1], "no answer at all\r\n");
  answer(asked_[2], {}, Error{Errc::refused, Side::endpoint});
  world_.run_for(minutes{1});
  ASSERT_EQ(noted_.size(), 4u);
  const std::array expected{Errc::bad_status, Errc::malformed, Errc::refused, Errc::timed_out};
  for (size_t index = 0; index < expected.size(); ++index) {
    EXPECT_EQ(noted_[index].status, DeliveryStatus::dead);
    EXPECT_EQ(noted_[index].error->code, expected[index]);
  }
  EXPECT_EQ(over_, std::vector{asked_[3].ticket}) << "nobody waits for the last one";
}

TEST_F(ListenerTest, MayChangeOrGoWhileItIsAsked) {
  listen();
  submit(1, 2);
  world_.run_for(seconds{1});
  Webhook webhook = make(1, 3);
  webhook.is_listener = true;
  put(webhook);
  submit(1);
  world_.run_for(seconds{1});
  ASSERT_EQ(asked_.size(), 3u);
  answer(asked_[0], "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(counted(DeliveryStatus::delivered), 1u);
  webhook.state = subscription::WebhookState::disabled;
  put(webhook);
  dispatcher_.cancel(1);
  dispatcher_.check();
  listen(false);
  ASSERT_TRUE(settle(minutes{1}));
  EXPECT_EQ(counted(DeliveryStatus::cancelled), 2u);
}

TEST_F(ListenerTest, HoldsUpNoStop) {
  listen();
  submit(1, 2);
  world_.run_for(seconds{1});
  dispatcher_.stop();
  EXPECT_FALSE(dispatcher_.stopped());
  dispatcher_.abort();
  EXPECT_TRUE(dispatcher_.stopped());
}

// Goal: what was to be cancelled does not come back for a webhook that is enabled again.
TEST_F(DispatcherTest, AStopFirstCancelsTheRest) {
  constexpr uint32_t count = 5000;
  put(make(1));
  submit(1, count);
  dispatcher_.cancel(1);
  dispatcher_.stop();
  EXPECT_FALSE(dispatcher_.stopped());
  ring_.waker().wake();
  ASSERT_TRUE(world_.run_until([&] { return dispatcher_.stopped(); }, minutes{1}));
  EXPECT_EQ(dispatcher_.pending_count(), 0u);
  EXPECT_EQ(std::ranges::count(noted_, DeliveryStatus::cancelled, &Noted::status), count);
}

TEST_F(DispatcherTest, AnAbortedStopLeavesTheRestPending) {
  put(make(1));
  submit(1, 5000);
  has_room_ = false;
  dispatcher_.cancel(1);
  dispatcher_.stop();
  dispatcher_.abort();
  has_room_ = true;
  ring_.waker().wake();
  ASSERT_TRUE(world_.run_until([&] { return dispatcher_.stopped(); }, minutes{1}));
  EXPECT_EQ(dispatcher_.pending_count(), 5000u);
  EXPECT_TRUE(noted_.empty());
}

// Goal: what the receiver of before says is not for the next attempt, which goes elsewhere; and who
// hears of its 410 can tell.
TEST_F(DispatcherTest, DoesNotTakeALastWordOfTheReceiverOfBeforeForTheNewOnes) {
  HttpReceiver other(world_, sim::address("10.0.0.3", 80));
  for (const auto& [status, headers] :
       std::vector<std::pair<int, sim::HttpHeaders>>{{410, {}}, {429, {{"Retry-After", "3600"}}}}) {
    answer_ = [&](const Request&) {
      return Answer{.status = status, .headers = headers, .delay = seconds{5}};
    };
    Webhook webhook = make(1);
    webhook.schedule_s = {1};
    put(webhook);
    submit(1);
    const size_t before = other.requests().size();
    world_.run_for(seconds{1});
    const WallTime version = table_.reader(0).snapshot().webhook(1)->updated_at;
    webhook = make(1, 3);
    webhook.schedule_s = {1};
    put(webhook);
    ASSERT_TRUE(settle(minutes{1})) << status;
    EXPECT_EQ(noted_.back().status, DeliveryStatus::delivered) << status;
    EXPECT_EQ(other.requests().size(), before + 1) << status;
    if (status == 410) {
      ASSERT_EQ(gone_.size(), 1u);
      EXPECT_EQ(gone_.front().updated_at, version);
    }
  }
}

TEST_F(DispatcherTest, EndsWhatGivesNoRequestForGoodAndSaysWhy) {
  Webhook webhook = make(1);
  webhook.schedule_s = {1, 1, 1};
  webhook.settings = "unrenderable";
  put(webhook);
  const Noted end = deliver(1);
  EXPECT_EQ(noted_.size(), 1u);
  EXPECT_EQ(end.status, DeliveryStatus::dead);
  ASSERT_TRUE(end.error);
  EXPECT_EQ(describe(*end.error),
            "no valid request can be made from the event: the URL would be too long");
  EXPECT_EQ(end.request_line, "");
  EXPECT_TRUE(receiver_.requests().empty());
  // Its connection is as good as before.
  webhook.settings.clear();
  put(webhook);
  EXPECT_EQ(deliver(1).status, DeliveryStatus::delivered);
  EXPECT_EQ(receiver_.connection_count(), 1u);
}

TEST_F(DispatcherTest, BeginsNoAttemptWhoseEndCouldNotBeWrittenDown) {
  put(make(1));
  has_room_ = false;
  submit(1, 3);
  world_.run_for(seconds{60});
  EXPECT_FALSE(dispatcher_.has_work());
  EXPECT_TRUE(receiver_.requests().empty());
  EXPECT_EQ(dispatcher_.pending_count(), 3u);
  has_room_ = true;
  EXPECT_TRUE(dispatcher_.has_work());
  ring_.waker().wake();
  world_.run_for(seconds{1});
  EXPECT_EQ(receiver_.requests().size(), 3u);
}

// --- what a receiver answers
// ----------------------------------------------------------------------

Answer raw_answer(const http::AnswerRow& row) {
  const auto end = row.end == "open"    ? Answer::End::open
                   : row.end == "reset" ? Answer::End::reset
                                        : Answer::End::closed;
  return {.body = row.bytes, .way = Answer::Way::raw, .end = end};
}

// The table of answers, through a whole delivery. A stream that is cut is one of TLS: not here.
TEST_F(DispatcherTest, CountsAnswersAsTheTableSays) {
  for (const http::AnswerRow& row : http::answer_table()) {
    if (row.end == "cut") continue;
    SCOPED_TRACE(row.name);
    // Each its own endpoint, so that what one showed is not held against the next.
    const uint32_t number = ++webhooks_;
    const io::Address at = sim::address("10.0.0.3", static_cast<uint16_t>(1000 + number));
    HttpReceiver receiver{world_, at, [&](const Request&) { return raw_answer(row); }};
    Webhook webhook = make(number, 3);
    webhook.destination.port = at.port;
    webhook.timeout_ms = 2000;
    put(webhook);
    const Noted end = deliver(number);
    EXPECT_EQ(end.attempt, 1u);
    EXPECT_EQ(end.status, row.success ? DeliveryStatus::delivered : DeliveryStatus::dead);
    EXPECT_EQ(end.http_status, row.status);
    EXPECT_EQ(end.error.has_value(), !row.success);
    EXPECT_EQ(row.status == 0 ? describe(*end.error) : end.note, row.note);
    EXPECT_EQ(gone_.size(), row.status == 410 ? 1u : 0u);
    deliver(number);
    gone_.clear();
    EXPECT_EQ(receiver.connection_count(), row.kept ? 1u : 2u);
  }
}

/// Every attempt but the first of a connection; what the receiver does then.
struct LastWord {
  Answer::Way way;
  Duration after;
};

// RFC 9110, 9.2.2: a request that the receiver has read is not repeated, however it ends the
// connection.
TEST_F(DispatcherTest, RepeatsNoRequestThatTheReceiverHasRead) {
  put(make(1));
  for (const LastWord& last :
       {LastWord{Answer::Way::drop, {}}, LastWord{Answer::Way::drop, seconds{6}},
        LastWord{Answer::Way::reset, {}}, LastWord{Answer::Way::reset, seconds{6}}}) {
    answer_ = {};
    ASSERT_EQ(deliver(1).status, DeliveryStatus::delivered);
    const size_t before = receiver_.requests().size();
    noted_.clear();
    answer_ = [&](const Request&) { return Answer{.delay = last.after, .way = last.way}; };
    const Noted end = deliver(1);
    EXPECT_EQ(receiver_.requests().size() - before, 1u);
    EXPECT_EQ(receiver_.requests()[before].connection, receiver_.requests()[before - 1].connection);
    ASSERT_EQ(noted_.size(), 1u);
    EXPECT_EQ(end.status, DeliveryStatus::dead);
    EXPECT_EQ(describe(*end.error), last.way == Answer::Way::drop
                                        ? "the receiver closed the connection without an answer"
                                        : "connection reset by the peer (ECONNRESET)");
  }
}

// Goal: an idle timeout met on the millisecond costs nothing. Method: the second request leaves at
// every tenth of a millisecond around the moment at which the receiver closes.
TEST_F(DispatcherTest, LosesNothingToAReceiverThatClosesAnIdleConnection) {
  put(make(1));
  answer_ = [](const Request&) { return Answer{.close_after = milliseconds{900}}; };
  size_t fresh = 0;
  for (int step = 0; step < 100; ++step) {
    submit(1);
    ASSERT_TRUE(settle());
    world_.run_for(milliseconds{894} + step * std::chrono::microseconds{100});
    const size_t before = receiver_.requests().size();
    noted_.clear();
    submit(1);
    ASSERT_TRUE(settle());
    EXPECT_EQ(receiver_.requests().size() - before, 1u) << step;
    ASSERT_EQ(noted_.size(), 1u) << step;
    EXPECT_EQ(noted_[0].status, DeliveryStatus::delivered)
        << step << (noted_[0].error ? describe(*noted_[0].error) : std::string{});
    fresh += receiver_.requests()[before].connection != receiver_.requests()[before - 1].connection;
    world_.run_for(seconds{5});
  }
  EXPECT_GT(fresh, 10u);
  EXPECT_LT(fresh, 100u) << "the moment was missed";
}

TEST_F(DispatcherTest, ClosesItsConnectionsSoonerThanAReceiverThatClosesThem) {
  put(make(1));
  answer_ = [](const Request&) { return Answer{.close_after = seconds{20}}; };
  deliver(1);
  world_.run_for(seconds{21});
  deliver(1);
  world_.run_for(seconds{16});
  EXPECT_EQ(world_.network().connection_count(), 0u);
}

// Goal: an answer that comes twice is never taken for the next request's. Method: the second one
// comes 0 to 5 ms later, while many deliveries wait; every delivery that counts has arrived.
TEST_F(DispatcherTest, TakesNoAnswerForTheNextRequests) {
  Webhook webhook = make(1);
  webhook.concurrency_max = 8;
  put(webhook);
  for (const auto& [again, closes] : {std::pair{Duration{}, true},
                                      {milliseconds{1}, true},
                                      {milliseconds{5}, true},
                                      {Duration{}, false},
                                      {milliseconds{2}, false},
                                      {milliseconds{5}, false}}) {
    const Duration pause = again;
    const bool close_behind = closes;
    answer_ = [pause, close_behind](const Request&) {
      Answer answer{.again_after = pause};
      if (close_behind) answer.close_after = pause + milliseconds{1};
      return answer;
    };
    noted_.clear();
    const size_t before = receiver_.requests().size();
    submit(1, 300);
    ASSERT_TRUE(settle());
    EXPECT_EQ(receiver_.requests().size() - before, 300u) << pause.count();
    EXPECT_TRUE(std::ranges::all_of(
        noted_, [](const Noted& noted) { return noted.status == DeliveryStatus::delivered; }));
  }
  EXPECT_EQ(noted_.back().note, describe(BadAnswer::distrusted));
  const auto newest = [&] {
    return std::ranges::max(receiver_.requests(), {}, &Request::connection).connection;
  };
  const auto last = newest();
  world_.run_for(minutes{10});  // The endpoint is forgotten, what it showed is not.
  answer_ = {};
  EXPECT_EQ(deliver(1).note, describe(BadAnswer::distrusted));
  EXPECT_EQ(deliver(1).note, describe(BadAnswer::distrusted));
  EXPECT_EQ(newest(), last + 2);
}

/// Answers 200 when it has the head, and reads on only after a while, if ever.
class EarlyReceiver {
 public:
  EarlyReceiver(sim::World& world, std::optional<Duration> reads_on_after)
      : reads_on_after_(reads_on_after),
        endpoint_(world, sim::address("10.0.0.4", 80), [this](sim::Peer& peer) {
          peer.set_on_change([this, &peer] { on_change(peer); });
        }) {}

  size_t connection_count() const { return endpoint_.peers().size(); }

 private:
  void on_change(sim::Peer& peer) {
    if (peer.ended() && !peer.closed()) return peer.close();
    if (answered_.contains(&peer) || !peer.received().contains("\r\n\r\n")) return;
    answered_.insert(&peer);
    peer.pause_reading();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    if (reads_on_after_) return peer.after(*reads_on_after_, [&peer] { peer.resume_reading(); });
    peer.after(seconds{1}, [&peer] { peer.close(); });
  }

  const std::optional<Duration> reads_on_after_;
  std::set<sim::Peer*> answered_;
  sim::Endpoint endpoint_;
};

// A 2xx from a receiver that does not have the request is no success.
TEST_F(DispatcherTest, CountsAnEarlyAnswerOnceTheRequestIsTaken) {
  put(make(1, 4));
  const std::string data(300'000, ' ');
  {
    EarlyReceiver receiver{world_, std::nullopt};
    submit(1, 1, data);
    ASSERT_TRUE(settle());
    EXPECT_EQ(noted_.back().status, DeliveryStatus::dead);
    EXPECT_EQ(noted_.back().http_status, 200);
    EXPECT_EQ(describe(*noted_.back().error), describe(BadAnswer::early));
    world_.run_for(seconds{10});
  }
  EarlyReceiver receiver{world_, seconds{1}};
  for (int round = 0; round < 2; ++round) {
    submit(1, 1, data);
    ASSERT_TRUE(settle());
    EXPECT_EQ(noted_.back().status, DeliveryStatus::delivered);
    EXPECT_EQ(noted_.back().note, describe(BadAnswer::early));
    world_.run_for(seconds{10});
  }
  EXPECT_EQ(receiver.connection_count(), 2u);
}

/// Answers whoever connects, and reads nothing.
class HastyReceiver {
 public:
  /// @param patient  so many connections get no answer first.
  HastyReceiver(sim::World& world, std::string answer, Duration pause, bool closes,
                size_t patient = 0)
      : endpoint_(world, sim::address("10.0.0.4", 80), [=, this](sim::Peer& peer) {
          peer.pause_reading();
          if (connection_count() <= patient) return;
          peer.after(pause, [=, &peer] {
            peer.send(answer);
            if (closes) peer.close();
          });
          peer.after(seconds{1}, [&peer] { peer.close(); });
        }) {}

  size_t connection_count() const { return endpoint_.peers().size(); }

 private:
  sim::Endpoint endpoint_;
};

// Nothing that came before the request was sent answers it, in whatever pieces and however the
// stream ends.
TEST_F(DispatcherTest, TakesNoAnswerThatCameBeforeTheRequest) {
  put(make(1, 4));
  for (const auto& [answer, error] :
       {std::pair{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", describe(BadAnswer::early)},
        {"HTTP/1.1 204 No Content\r\n\r\n", describe(BadAnswer::early)},
        {"HTTP/1.1 200 OK\r\n\r\n", describe(BadAnswer::early)},
        {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", std::string_view{"HTTP status 503"}}}) {
    for (const Duration pause :
         {Duration{}, Duration{milliseconds{1}}, Duration{milliseconds{5}}}) {
      for (const bool closes : {false, true}) {
        HastyReceiver receiver{world_, answer, pause, closes};
        noted_.clear();
        submit(1, 1, "{}");
        ASSERT_TRUE(settle());
        EXPECT_EQ(noted_.back().status, DeliveryStatus::dead) << answer;
        EXPECT_EQ(describe(*noted_.back().error), error) << answer;
        world_.run_for(seconds{5});
      }
    }
  }
}

/// Receivers far away: what they send is long on its way.
class FarDispatcherTest : public DispatcherTest {
 protected:
  FarDispatcherTest()
      : DispatcherTest({.seed = 7,
                        .network_latency_min = milliseconds{30},
                        .network_latency_max = milliseconds{40}}) {}
};

// Goal: an answer that was written before the request arrived is none, also where it comes after
// the request was sent, to a receiver that was patient before. Method: it comes later than the time
// that the relay listens, for posts and questions, with and without a whole head in one piece.
TEST_F(FarDispatcherTest, TakesNoAnswerThatCameBeforeTheRequestArrived) {
  Webhook webhook = make(1, 4);
  for (const bool asks : {false, true}) {
    webhook.settings = asks ? "ask" : "";
    for (const std::string_view answer :
         {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nWebHook-Allowed-Origin: *\r\n\r\n",
          "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
          "HTTP/1.1 200 OK\r\n\r\n"}) {
      for (const Duration pause : {milliseconds{0}, milliseconds{20}, milliseconds{35}}) {
        HastyReceiver receiver{world_, std::string{answer}, pause, false};
        put(webhook);
        noted_.clear();
        submit(1, 1, "{}");
        ASSERT_TRUE(settle());
        EXPECT_EQ(noted_.back().status, DeliveryStatus::dead) << answer << pause.count();
        ASSERT_TRUE(noted_.back().error);
        EXPECT_EQ(describe(*noted_.back().error), describe(BadAnswer::early)) << answer;
        world_.run_for(seconds{5});
      }
    }
  }
}

// Goal: bytes that were there before the request are no answer, on a connection that was opened
// without a moment of silence. Method: a first delivery's connection is silent and stays open.
TEST_F(DispatcherTest, TakesNoAnswerOfAReceiverThatWasPatient) {
  for (const size_t size : {2, 10'000, 60'000}) {
    HastyReceiver receiver{world_, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", {}, false, 1};
    put(make(1, 4));
    noted_.clear();
    submit(1);
    world_.run_for(seconds{1});
    submit(1, 1, std::string(size, ' '));
    ASSERT_TRUE(world_.run_until([&] { return !noted_.empty(); }, seconds{10}));
    EXPECT_EQ(receiver.connection_count(), 2u);
    EXPECT_EQ(noted_.back().status, DeliveryStatus::dead) << size;
    ASSERT_TRUE(noted_.back().error) << size;
    EXPECT_EQ(describe(*noted_.back().error), describe(BadAnswer::early)) << size;
    ASSERT_TRUE(settle());
    world_.run_for(minutes{10});
  }
}

// A receiver that turns hasty is found out once it is distrusted, and never by luck alone.
TEST_F(DispatcherTest, ListensToADistrustedReceiverEachTime) {
  put(make(1, 4));
  HastyReceiver receiver{world_, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", {}, false};
  for (size_t round = 1; round <= 3; ++round) {
    submit(1, 1, "{}");
    ASSERT_TRUE(settle());
    EXPECT_EQ(noted_.back().status, DeliveryStatus::dead);
    EXPECT_EQ(receiver.connection_count(), round);
  }
}

// --- time ----------------------------------------------------------------------------------------

TEST_F(DispatcherTest, GivesConnectingNoMoreThanTheDialectSays) {
  Webhook webhook = make(1);
  webhook.timeout_ms = 20'000;
  put(webhook);
  world_.set_faults({.connect_black_hole = 10'000});
  const Instant begun = world_.now();
  const Noted end = deliver(1);
  EXPECT_EQ(end.error->code, Errc::timed_out);
  EXPECT_GE(end.at - begun, seconds{3});
  EXPECT_LE(end.at - begun, milliseconds{3100});
}

// Goal: connecting's part is not added to the answer's. Method: a receiver that answers just before
// the answer's 17 of 20 seconds end, then one that never does, over a new connection and a kept
// one.
TEST_F(DispatcherTest, GivesAnAnswerItsOwnPartOfTheTime) {
  Webhook webhook = make(1);
  webhook.timeout_ms = 20'000;
  put(webhook);
  const auto expect_late = [&] {
    const Instant begun = world_.now();
    const Noted end = deliver(1);
    ASSERT_TRUE(end.error);
    EXPECT_EQ(end.error->code, Errc::timed_out);
    EXPECT_GE(end.at - begun, seconds{17});
    EXPECT_LE(end.at - begun, milliseconds{17'100});
  };
  answer_ = [](const Request&) { return Answer{.way = Answer::Way::never}; };
  expect_late();
  answer_ = [](const Request&) { return Answer{.delay = milliseconds{16'500}}; };
  EXPECT_EQ(deliver(1).status, DeliveryStatus::delivered);
  answer_ = [](const Request&) { return Answer{.way = Answer::Way::never}; };
  expect_late();
  EXPECT_EQ(receiver_.connection_count(), 2u);
}

TEST_F(DispatcherTest, KeepsTheWholeDeadlineBelowTheConnectTime) {
  Webhook webhook = make(1);
  webhook.timeout_ms = 1000;
  put(webhook);
  world_.set_faults({.connect_black_hole = 10'000});
  const Instant begun = world_.now();
  EXPECT_LE(deliver(1).at - begun, milliseconds{1100});
}

// --- pace ----------------------------------------------------------------------------------------

/// The most requests that arrived within any second.
size_t busiest_second(const HttpReceiver& receiver) {
  size_t most = 0;
  const auto& requests = receiver.requests();
  for (size_t first = 0; first < requests.size(); ++first) {
    size_t last = first;
    while (last < requests.size() && requests[last].at - requests[first].at < seconds{1}) ++last;
    most = std::max(most, last - first);
  }
  return most;
}

TEST_F(DispatcherTest, BeginsNoMoreAttemptsInASecondThanTheWebhookAllows) {
  for (const uint32_t rate : {1u, 7u, 100u, 1000u}) {
    Webhook webhook = make(rate);
    webhook.rate_per_second = rate;
    put(webhook);
    const size_t before = receiver_.requests().size();
    const uint32_t count = rate * 5;
    const Instant begun = world_.now();
    submit(rate, count);
    ASSERT_TRUE(settle()) << rate;
    const Duration taken = world_.now() - begun;
    // 5 s worth of them: the first at once, none of them lost to the timers' ticks.
    EXPECT_GE(taken, seconds{5} - Duration{seconds{1}} / rate - milliseconds{60}) << rate;
    EXPECT_LE(taken, milliseconds{5200}) << rate;
    EXPECT_EQ(receiver_.requests().size() - before, count);
  }
  EXPECT_LE(busiest_second(receiver_), 1000u + 60u);
}

TEST_F(DispatcherTest, AllowsNoBurstAfterASilence) {
  Webhook webhook = make(1);
  webhook.rate_per_second = 10;
  put(webhook);
  deliver(1);
  world_.run_for(minutes{5});  // Long enough for the connection and the target to be forgotten.
  submit(1, 30);
  ASSERT_TRUE(settle());
  EXPECT_LE(busiest_second(receiver_), 11u);
}

TEST_F(DispatcherTest, RemembersThePaceOfAReceiverThatClosesItsConnections) {
  answer_ = [](const Request&) { return Answer{.close = true}; };
  Webhook webhook = make(1);
  webhook.rate_per_second = 1;
  put(webhook);
  for (int index = 0; index < 5; ++index) deliver(1);
  EXPECT_LE(busiest_second(receiver_), 2u);
  EXPECT_GE(receiver_.requests().back().at - receiver_.requests().front().at, milliseconds{3900});
}

TEST_F(DispatcherTest, HoldsUpNobodyElseAndDoesNotTurnWhileItPaces) {
  HttpReceiver other(world_, sim::address("10.0.0.3", 80));
  Webhook slow = make(1);
  slow.rate_per_second = 1;
  put(slow);
  Webhook same_endpoint = make(2);
  put(same_endpoint);
  put(make(3, 3));
  submit(1, 100);
  submit(2, 100);
  submit(3, 100);
  const Instant begun = world_.now();
  ASSERT_TRUE(world_.run_until([&] { return other.requests().size() == 100; }, seconds{1}));
  ASSERT_TRUE(world_.run_until([&] { return receiver_.requests().size() >= 101; }, seconds{1}));
  EXPECT_LT(world_.now() - begun, seconds{1});
  const uint64_t before = turns_;
  world_.run_for(seconds{20});
  EXPECT_LT(turns_ - before, 20u * 12u);  // A handful for each attempt.
  ASSERT_TRUE(settle());
}

// --- permission ----------------------------------------------------------------------------------

Answer permission(std::string origin, std::string rate = {}) {
  Answer answer{.status = 204, .headers = {{"WebHook-Allowed-Origin", std::move(origin)}}};
  if (!rate.empty()) answer.headers.emplace_back("WebHook-Allowed-Rate", std::move(rate));
  return answer;
}

class PermissionTest : public DispatcherTest {
 protected:
  PermissionTest() {
    Webhook webhook = asking();
    put(webhook);
    answer_ = [this](const Request& request) {
      return request.method() == "OPTIONS" ? on_question_ : Answer{};
    };
  }
  Webhook asking() {
    Webhook webhook = make(1);
    webhook.settings = "ask";
    webhook.schedule_s = {60};
    return webhook;
  }

  Answer on_question_ = permission("*");
};

TEST_F(PermissionTest, IsAskedForOnceThenTheSameAttemptDelivers) {
  submit(1, 20);
  ASSERT_TRUE(settle());
  EXPECT_EQ(questions(receiver_), 1u);
  EXPECT_EQ(posts(receiver_), 20u);
  const Request& question = receiver_.requests()[0];
  EXPECT_EQ(question.method(), "OPTIONS");
  EXPECT_EQ(question.header("webhook-request-origin"), "relay.example.org");
  EXPECT_EQ(receiver_.requests()[1].connection, question.connection);
  for (const Noted& noted : noted_) EXPECT_EQ(noted.attempt, 1u);
  world_.run_for(minutes{10});
  EXPECT_EQ(deliver(1).status, DeliveryStatus::delivered);
  EXPECT_EQ(questions(receiver_), 1u) << "once in the life of the process";
}

TEST_F(PermissionTest, IsGivenByOurOriginOrAnAsteriskAndASuccessAlone) {
  struct Row {
    Answer answer;
    bool granted;
  };
  const auto status = [](int code) {
    Answer answer = permission("*");
    answer.status = code;
    return answer;
  };
  const std::vector<Row> rows = {
      {permission("*"), true},
      {permission("relay.example.org"), true},
      {permission("Relay.Example.ORG", "*"), true},
      {permission("*", "6000"), true},
      {status(200), true},
      {permission("other.example.org"), false},
      {permission("*.example.org"), false},
      {permission("relay.example.org, other.example.org"), false},
      {permission("*", "0"), false},
      {permission("*", "many"), false},
      {permission("*", "-1"), false},
      {Answer{.status = 200}, false},
      {Answer{.status = 405}, false},
      {status(405), false},
      {status(302), false},
      {status(500), false},
  };
  for (size_t index = 0; index < rows.size(); ++index) {
    Webhook webhook = asking();
    webhook.schedule_s.clear();
    put(webhook);  // Changed: it is asked again.
    on_question_ = rows[index].answer;
    const Noted end = deliver(1);
    if (rows[index].granted) {
      EXPECT_EQ(end.status, DeliveryStatus::delivered) << index;
      continue;
    }
    EXPECT_EQ(end.status, DeliveryStatus::dead) << index;
    EXPECT_EQ(end.error, (Error{Errc::origin_refused, Side::endpoint, rows[index].answer.status}));
    EXPECT_EQ(end.request_line, "OPTIONS / HTTP/1.1");
    EXPECT_EQ(end.http_status, rows[index].answer.status);
  }
  EXPECT_EQ(questions(receiver_), rows.size());
}

TEST_F(PermissionTest, IsNotWaitedForByAStop) {
  on_question_ = Answer{.way = Answer::Way::never};
  submit(1);
  world_.run_for(seconds{1});
  EXPECT_EQ(questions(receiver_), 1u);
  dispatcher_.stop();
  ring_.waker().wake();
  EXPECT_TRUE(world_.run_until([&] { return dispatcher_.stopped(); }, seconds{5}));
  EXPECT_EQ(dispatcher_.pending_count(), 1u) << "the delivery is as it was";
  ASSERT_EQ(noted_.size(), 1u);
  EXPECT_EQ(noted_[0].attempt, 0u) << "its start is taken back";
}

TEST_F(PermissionTest, IsAskedForAgainByTheSchedule) {
  on_question_ = Answer{.status = 405};
  submit(1);
  world_.run_for(seconds{1});
  ASSERT_EQ(noted_.size(), 1u);
  EXPECT_EQ(noted_[0].status, DeliveryStatus::pending);
  on_question_ = permission("*");
  ASSERT_TRUE(settle());
  EXPECT_EQ(noted_.back().status, DeliveryStatus::delivered);
  EXPECT_EQ(noted_.back().attempt, 2u);
  EXPECT_EQ(questions(receiver_), 2u);
  EXPECT_EQ(posts(receiver_), 1u);
}

TEST_F(PermissionTest, IsOneQuestionAtATime) {
  on_question_.delay = seconds{5};
  submit(1, 10);
  world_.run_for(seconds{4});
  EXPECT_EQ(receiver_.requests().size(), 1u);
  EXPECT_EQ(dispatcher_.in_flight_count(), 1u);
  ASSERT_TRUE(settle());
  EXPECT_EQ(questions(receiver_), 1u);
  EXPECT_EQ(posts(receiver_), 10u);
}

// Question and request share the four seconds that the three for connecting leave.
TEST_F(PermissionTest, IsAskedForWithinTheTimeForTheAnswer) {
  Webhook webhook = asking();
  webhook.timeout_ms = 7000;
  webhook.schedule_s.clear();
  put(webhook);
  on_question_.delay = seconds{3};
  answer_ = [this](const Request& request) {
    return request.method() == "OPTIONS" ? on_question_ : Answer{.delay = seconds{3}};
  };
  const Instant begun = world_.now();
  const Noted end = deliver(1);
  EXPECT_EQ(end.error->code, Errc::timed_out);
  EXPECT_EQ(end.request_line, "POST / HTTP/1.1");
  EXPECT_LE(end.at - begun, milliseconds{4100});
}

TEST_F(PermissionTest, MovesToAFreshConnectionWhereTheReceiverClosesItsOwn) {
  on_question_.close = true;
  EXPECT_EQ(deliver(1).status, DeliveryStatus::delivered);
  EXPECT_EQ(noted_.size(), 1u);
  EXPECT_EQ(receiver_.connection_count(), 2u);
}

TEST_F(PermissionTest, SurvivesAReceiverThatBreaksOnTheQuestion) {
  for (const Answer::Way way : {Answer::Way::drop, Answer::Way::reset}) {
    put(asking());
    on_question_ = permission("*");
    on_question_.way = way;
    noted_.clear();
    submit(1);
    world_.run_for(seconds{1});
    ASSERT_EQ(noted_.size(), 1u);
    EXPECT_EQ(noted_[0].status, DeliveryStatus::pending);
    EXPECT_EQ(noted_[0].request_line, "OPTIONS / HTTP/1.1");
    on_question_ = permission("*");
    ASSERT_TRUE(settle());
    EXPECT_EQ(noted_.back().status, DeliveryStatus::delivered);
  }
}

TEST_F(PermissionTest, IsAskedForAgainOnceTheWebhookChangedOrWasAway) {
  deliver(1);
  put(asking());
  deliver(1);
  EXPECT_EQ(questions(receiver_), 2u);
  Webhook away = asking();
  away.state = subscription::WebhookState::disabled;
  put(away);
  dispatcher_.cancel(1);
  put(asking());
  deliver(1);
  EXPECT_EQ(questions(receiver_), 3u);
}

TEST_F(PermissionTest, DoesNotTakeAnAnswerToAnOlderQuestion) {
  on_question_.delay = seconds{2};
  submit(1);
  world_.run_for(seconds{1});
  put(asking());
  submit(1);
  ASSERT_TRUE(settle());
  EXPECT_EQ(questions(receiver_), 2u);
  EXPECT_EQ(posts(receiver_), 2u);
}

TEST_F(PermissionTest, SetsThePaceThatTheReceiverAllows) {
  on_question_ = permission("*", "30");
  submit(1, 10);
  ASSERT_TRUE(settle());
  const auto& requests = receiver_.requests();
  for (size_t index = 2; index < requests.size(); ++index) {
    EXPECT_GE(requests[index].at - requests[index - 1].at, milliseconds{1900});
    EXPECT_LE(requests[index].at - requests[index - 1].at, milliseconds{2100});
  }
}

TEST_F(PermissionTest, KeepsToTheSlowerOfBothPaces) {
  Webhook webhook = asking();
  webhook.rate_per_second = 1;
  put(webhook);
  on_question_ = permission("*", "6000");
  submit(1, 5);
  ASSERT_TRUE(settle());
  EXPECT_GE(receiver_.requests().back().at - receiver_.requests()[1].at, milliseconds{3900});
}

// A person who makes a webhook hears at once whether its receiver agrees; no event is needed.
TEST_F(PermissionTest, IsEnquiredForBeforeThereIsAnEvent) {
  using Permissions = std::vector<std::pair<uint32_t, std::optional<Error>>>;
  const Error refused{Errc::origin_refused, Side::endpoint, 405};
  on_question_ = Answer{.status = 405};
  dispatcher_.enquire(1);
  ring_.waker().wake();
  world_.run_for(minutes{10});
  EXPECT_EQ(questions(receiver_), 1u);
  EXPECT_EQ(permissions_, (Permissions{{1, refused}}));
  on_question_ = permission("*");
  dispatcher_.enquire(1);
  dispatcher_.enquire(1);
  ring_.waker().wake();
  world_.run_for(minutes{10});
  EXPECT_EQ(questions(receiver_), 2u);
  EXPECT_EQ(posts(receiver_), 0u);
  EXPECT_EQ(permissions_, (Permissions{{1, refused}, {1, std::nullopt}}));
  EXPECT_TRUE(noted_.empty()) << "there is no delivery to write down";
  EXPECT_EQ(dispatcher_.in_flight_count(), 0u);
  EXPECT_EQ(deliver(1).status, DeliveryStatus::delivered);
  EXPECT_EQ(questions(receiver_), 2u) << "the permission holds";
}

TEST_F(PermissionTest, IsEnquiredForWhereItIsNeededAlone) {
  put(make(2));
  for (const uint32_t number : {2u, 3u}) dispatcher_.enquire(number);
  Webhook disabled = asking();
  disabled.state = subscription::WebhookState::disabled;
  put(disabled);
  dispatcher_.enquire(1);
  ring_.waker().wake();
  world_.run_for(minutes{1});
  EXPECT_TRUE(receiver_.requests().empty());
}

TEST_F(PermissionTest, OfAnEnquiryMayComeFromAReceiverThatClosesOrIsNotThere) {
  on_question_.close = true;
  dispatcher_.enquire(1);
  Webhook absent = asking();
  absent.number = 2;
  absent.destination = make(2, 77).destination;
  put(absent);
  dispatcher_.enquire(2);
  ring_.waker().wake();
  world_.run_for(minutes{10});
  ASSERT_EQ(permissions_.size(), 2u);
  EXPECT_EQ(std::ranges::count_if(permissions_, [](const auto& each) { return !each.second; }), 1);
  EXPECT_EQ(dispatcher_.in_flight_count(), 0u);
  EXPECT_EQ(posts(receiver_), 0u);
}

TEST_F(PermissionTest, MayComeWithAPause) {
  on_question_ = Answer{.status = 429, .headers = {{"Retry-After", "30"}}};
  dispatcher_.enquire(1);
  ring_.waker().wake();
  world_.run_for(seconds{1});
  submit(1);
  world_.run_for(seconds{25});
  EXPECT_EQ(receiver_.requests().size(), 1u);
  on_question_ = permission("*");
  ASSERT_TRUE(settle());
  EXPECT_EQ(posts(receiver_), 1u);
}

TEST_F(PermissionTest, EndsWithAReceiverThatIsGone) {
  on_question_ = Answer{.status = 410};
  EXPECT_EQ(deliver(1).status, DeliveryStatus::dead);
  ASSERT_EQ(gone_.size(), 1u);
  EXPECT_EQ(gone_.front().number, 1u);
}

// --- what a newer event makes pointless ----------------------------------------------------------

/// A webhook of which only the newest event about each subject is worth sending. Data `a1` is about
/// `a`; data `{}` stands for itself.
class SupersessionTest : public DispatcherTest {
 protected:
  SupersessionTest() { put(one_at_a_time()); }
  ~SupersessionTest() override { EXPECT_EQ(dispatcher_.pending_count(), 0u); }

  Webhook one_at_a_time() {
    Webhook webhook = make(1);
    webhook.settings = "supersede";
    webhook.concurrency_max = 1;
    webhook.schedule_s = {60, 60, 60};
    return webhook;
  }
  /// Each a millisecond after the one before: ids say which is newer.
  void submit_all(const std::vector<std::string>& all) {
    for (const std::string& data : all) {
      submit(1, 1, data);
      world_.run_for(milliseconds{2});
    }
  }
  std::vector<std::string> sent() const {
    std::vector<std::string> all;
    for (const Request& request : receiver_.requests()) all.emplace_back(request.body());
    return all;
  }
  void fail() {
    answer_ = [](const Request&) { return Answer{.status = 500}; };
  }
  void check() {
    dispatcher_.check();
    uint64_t superseded = 0;
    for (const Noted& noted : noted_) {
      const bool said = noted.error && noted.error->code == Errc::cancelled;
      if (!said) continue;
      EXPECT_EQ(noted.error->detail, static_cast<int32_t>(Withdrawal::superseded));
      ++superseded;
    }
    superseded_ = superseded;
  }

  uint64_t superseded_ = 0;
};

TEST_F(SupersessionTest, SendsTheNewestOfEachSubjectWhileTheReceiverIsSlow) {
  answer_ = [](const Request&) { return Answer{.delay = seconds{5}}; };
  submit_all({"a1", "a2", "b1", "a3", "{}", "b2", "a4"});
  check();
  EXPECT_TRUE(settle());
  check();
  EXPECT_EQ(sent(), (std::vector<std::string>{"a1", "{}", "b2", "a4"}));
  EXPECT_EQ(superseded_, 3u);
  EXPECT_EQ(counted(DeliveryStatus::cancelled), 3u);
  EXPECT_EQ(counted(DeliveryStatus::delivered), 4u);
}

TEST_F(SupersessionTest, DoesNotRepeatWhatFailedAfterANewerOneCame) {
  fail();
  submit_all({"a1"});
  world_.run_for(seconds{1});
  answer_ = {};
  submit_all({"a2"});
  check();
  EXPECT_EQ(superseded_, 1u) << "at once, so that it stays so after a restart";
  EXPECT_TRUE(settle());
  world_.run_for(minutes{10});
  check();
  EXPECT_EQ(sent(), (std::vector<std::string>{"a1", "a2"}));
}

TEST_F(SupersessionTest, DoesNotRepeatWhatFailsWhileANewerOneWaits) {
  answer_ = [](const Request& request) {
    return Answer{.status = request.body() == "a1" ? 500 : 200, .delay = seconds{2}};
  };
  submit_all({"a1", "a2"});
  EXPECT_TRUE(settle());
  check();
  EXPECT_EQ(sent(), (std::vector<std::string>{"a1", "a2"}));
  ASSERT_FALSE(noted_.empty());
  EXPECT_EQ(noted_.front().status, DeliveryStatus::cancelled);
  EXPECT_EQ(noted_.front().http_status, 500);
}

TEST_F(SupersessionTest, IsOfOneWebhookAndOfEventsThatSayWhatTheyAreAbout) {
  Webhook other = make(2);
  put(other);
  fail();
  submit_all({"a1", "{}", "{}"});
  submit(2, 1, "a0");
  world_.run_for(seconds{1});
  answer_ = {};
  submit_all({"{}"});
  EXPECT_TRUE(settle());
  check();
  EXPECT_EQ(superseded_, 0u);
}

TEST_F(SupersessionTest, IsForgottenWithTheWebhookThatIsDisabled) {
  fail();
  submit_all({"a1", "b1", "{}"});
  world_.run_for(seconds{1});
  submit_all({"a2"});
  Webhook disabled = one_at_a_time();
  disabled.state = subscription::WebhookState::disabled;
  put(disabled);
  dispatcher_.cancel(1);
  dispatcher_.check();
  EXPECT_TRUE(settle());
  dispatcher_.check();
  EXPECT_EQ(counted(DeliveryStatus::cancelled), 4u);
  answer_ = {};
  put(one_at_a_time());
  submit_all({"a3"});
  EXPECT_TRUE(settle());
  EXPECT_EQ(sent().back(), "a3");
}

// What an event is about is not known before it is read back: all are tried at once, and the newest
// is the last to be sent, or the only one.
TEST_F(SupersessionTest, FindsOutAfterARestart) {
  const auto restore = [&](const char* data, uint32_t attempts) {
    journal::EventView event;
    event.uid = Ulid::mint(world_.wall_now(), world_.random());
    event.source = "app/x";
    event.type = "t";
    const std::string text = data;
    event.data = as_bytes(text);
    journal::EventRef stored = journal::EventCodec::encode(event);
    stored->set_position(journal::Position::make(0, 0, offset_ += 8));
    events_[stored->position().packed] = stored;
    submitted_[stored->position().packed] = world_.now();
    dispatcher_.restore(PendingDelivery{.id = journal::delivery_id(stored->view().uid, 1),
                                        .event = stored->position(),
                                        .webhook_number = 1,
                                        .attempts = attempts,
                                        .next_attempt_at = world_.wall_now() + seconds{60}});
    world_.run_for(milliseconds{2});
  };
  has_room_ = false;
  restore("a1", 1);
  restore("a2", 0);
  restore("b1", 1);
  has_room_ = true;
  ring_.waker().wake();
  EXPECT_TRUE(settle(seconds{10}));
  check();
  const std::vector<std::string> all = sent();
  ASSERT_FALSE(all.empty());
  EXPECT_NE(std::ranges::find(all, std::string{"b1"}), all.end());
  const auto newest = std::ranges::find(all, std::string{"a2"});
  ASSERT_NE(newest, all.end());
  EXPECT_EQ(std::find(newest, all.end(), "a1"), all.end());
}

// --- isolation -----------------------------------------------------------------------------------

class IsolationTest : public DispatcherTest {
 protected:
  static Answer hang(const Request&) { return {.way = Answer::Way::never}; }
  static Answer unavailable(const Request&) { return {.status = 503}; }
  /// How many requests `receiver` had at work at once, at most, each taking `time`.
  static size_t most_at_once(const HttpReceiver& receiver, Duration time) {
    size_t most = 0;
    const auto& requests = receiver.requests();
    for (size_t first = 0, last = 0; first < requests.size(); ++first) {
      while (last < requests.size() && requests[last].at - requests[first].at < time) ++last;
      most = std::max(most, last - first);
    }
    return most;
  }
  Duration slowest() const {
    Duration most{};
    for (const Noted& noted : noted_) {
      if (noted.webhook == 1) most = std::max(most, noted.at - submitted_.at(noted.event));
    }
    return most;
  }
  /// An event for webhook 1 every 20 ms, and one for each of the bad ones every second.
  void run_traffic(uint32_t bad_count) {
    for (int tick = 0; tick < 3000; ++tick) {
      submit(1);
      for (uint32_t bad = 0; bad < bad_count; ++bad) {
        if (tick % 50 == static_cast<int>(bad % 50)) submit(10 + bad);
      }
      world_.run_for(milliseconds{20});
    }
  }
};

// Goal: receivers that hang cost the others nothing, however many they are, for as long as it
// lasts. Method: the slowest delivery to a good receiver within a minute, alone and beside 300
// that never answer, on a shard with room for 64 attempts.
TEST_F(IsolationTest, AGoodReceiverDoesNotNoticeHundredsThatHang) {
  Limits limits;
  limits.attempts_in_flight_max = 64;
  limits.connections_max = 128;
  dispatcher_.reconfigure({.policy = policy_, .limits = limits, .origin = "relay.example.org"});
  put(make(1));
  run_traffic(0);
  const Duration alone = slowest();
  ASSERT_EQ(receiver_.requests().size(), 3000u);
  HttpReceiver bad(world_, sim::address("10.0.0.3", 80), hang);
  for (uint32_t index = 0; index < 300; ++index) put(make(10 + index, 3));
  noted_.clear();
  run_traffic(300);
  EXPECT_EQ(receiver_.requests().size(), 6000u);
  EXPECT_LE(slowest(), alone * 12 / 10);
  EXPECT_GE(bad.requests().size(), 48u) << "they were tried";
}

TEST_F(IsolationTest, AFailingReceiverGetsOneAttemptAtATime) {
  answer_ = unavailable;
  Webhook webhook = make(1);
  webhook.schedule_s = {3600};
  put(webhook);
  submit(1, 500);
  world_.run_for(minutes{10});
  // 1, 2, 4, 8, 16, 32 s, and then one a minute.
  EXPECT_LE(receiver_.requests().size(), 5u + 4u + 6u + 12u);
  EXPECT_GE(receiver_.requests().size(), 5u + 6u + 6u);
  EXPECT_EQ(dispatcher_.pending_count(), 500u);
  const uint64_t before = turns_;
  world_.run_for(minutes{10});
  EXPECT_LT(turns_ - before, 500u) << "waiting takes no turns";
  ASSERT_EQ(circuits_.size(), 1u);
  EXPECT_EQ(circuits_[1].last_failure, (Error{Errc::bad_status, Side::endpoint, 503}));
  EXPECT_GE(circuits_[1].failures, 16u);
  EXPECT_GE(circuits_[1].probe_at, world_.wall_now());
  answer_ = nullptr;
  ASSERT_TRUE(settle());
  EXPECT_TRUE(circuits_.empty());
  for (const Noted& noted : noted_) EXPECT_NE(noted.status, DeliveryStatus::dead);
}

TEST_F(IsolationTest, OfAnEndpointThatCannotBeReachedOneAttemptOfAllItsWebhooksIsMade) {
  receiver_.stop();
  for (uint32_t number = 1; number <= 50; ++number) {
    put(make(number));
    submit(number, 10);
  }
  world_.run_for(minutes{10});
  // Those that were under way when the first ones failed, then 1, 2, 4, … s and one a minute.
  EXPECT_LE(noted_.size(), 64u + 6u + 14u);
  EXPECT_EQ(circuits_.size(), 50u) << "told for each webhook";
  receiver_.start();
  const Instant back = world_.now();
  ASSERT_TRUE(settle());
  EXPECT_LE(world_.now() - back, seconds{80});
  EXPECT_EQ(receiver_.requests().size() + noted_.size() - counted(DeliveryStatus::delivered), 500u);
}

TEST_F(IsolationTest, AWebhookThatFailsDoesNotHoldUpOthersOfItsEndpoint) {
  answer_ = [](const Request& request) {
    return request.target() == "/bad" ? Answer{.status = 500} : Answer{};
  };
  Webhook bad = make(1);
  bad.destination.target = "/bad";
  put(bad);
  put(make(2));
  submit(1, 100);
  submit(2, 100);
  world_.run_for(seconds{2});
  EXPECT_EQ(delivered_to(2), 100u);
}

// A webhook with one attempt would lose what comes while its receiver is away, if it were not held
// back; but it does not wait for ever.
TEST_F(IsolationTest, WaitsForAReceiverNoLongerThanItsScheduleWouldTake) {
  receiver_.stop();
  put(make(1));
  submit(1, 300);
  world_.run_for(minutes{50});
  EXPECT_GT(dispatcher_.pending_count(), 0u);
  const uint64_t before = dispatcher_.pending_count();
  EXPECT_GT(before, 200u) << "one attempt a minute";
  world_.run_for(minutes{20});
  EXPECT_EQ(dispatcher_.pending_count(), 0u);
  submit(1);
  ASSERT_TRUE(settle());
  EXPECT_EQ(noted_.back().status, DeliveryStatus::dead);
  EXPECT_EQ(noted_.back().error->code, Errc::refused);
}

// A probe that is under way when something else changes still says what it found.
TEST_F(IsolationTest, AProbeCountsWhateverIsReconfiguredMeanwhile) {
  answer_ = [](const Request&) { return Answer{.way = Answer::Way::never}; };
  Webhook webhook = make(1);
  webhook.timeout_ms = 2000;
  webhook.schedule_s = std::vector<uint32_t>(32, 1);
  put(webhook);
  submit(1, 6);
  ASSERT_TRUE(world_.run_until([&] { return circuits_.contains(1); }, minutes{1}));
  const size_t before = receiver_.requests().size();
  ASSERT_TRUE(world_.run_until([&] { return receiver_.requests().size() > before; }, minutes{1}));
  dispatcher_.reconfigure({.policy = policy_, .limits = {}, .origin = "other.example.org"});
  answer_ = nullptr;
  submit(1);
  ASSERT_TRUE(settle(minutes{5}));
  EXPECT_TRUE(circuits_.empty());
}

TEST_F(IsolationTest, AChangeDuringAProbeLeavesNothingOfTheReceiverOfBefore) {
  HttpReceiver good(world_, sim::address("10.0.0.3", 80));
  answer_ = [](const Request&) { return Answer{.way = Answer::Way::never}; };
  Webhook webhook = make(1);
  webhook.timeout_ms = 2000;
  put(webhook);
  submit(1, 6);
  ASSERT_TRUE(world_.run_until([&] { return circuits_.contains(1); }, minutes{1}));
  submit(1);
  const size_t before = receiver_.requests().size();
  ASSERT_TRUE(world_.run_until([&] { return receiver_.requests().size() > before; }, minutes{1}));
  webhook = make(1, 3);
  put(webhook);
  world_.run_for(seconds{10});
  submit(1, 3);
  ASSERT_TRUE(settle(seconds{5}));
  EXPECT_GE(good.requests().size(), 3u);
  EXPECT_TRUE(circuits_.empty());
}

TEST_F(IsolationTest, AChangeDoesNotWaitForTheEndpointOfBefore) {
  HttpReceiver good(world_, sim::address("10.0.0.3", 80));
  receiver_.stop();
  Webhook webhook = make(1);
  webhook.schedule_s = {3600};
  put(webhook);
  submit(1, 100);
  world_.run_for(minutes{10});
  put(make(1, 3));
  world_.run_for(seconds{1});
  EXPECT_GE(good.requests().size(), 4u);
}

TEST_F(IsolationTest, ASuccessIsANewBeginningAlsoForAnEndpointThatIsForgotten) {
  answer_ = [](const Request&) { return Answer{.close = true}; };
  put(make(1));
  receiver_.stop();
  submit(1, 20);
  world_.run_for(seconds{1});
  ASSERT_TRUE(circuits_.contains(1));
  receiver_.start();
  ASSERT_TRUE(settle());
  world_.run_for(minutes{2});
  receiver_.stop();
  submit(1);
  world_.run_for(seconds{5});
  EXPECT_TRUE(circuits_.empty()) << "one failure";
}

TEST_F(IsolationTest, FailuresInARowAreCountedAlsoOneAtATime) {
  receiver_.stop();
  put(make(1));
  for (int index = 0; index < 5; ++index) {
    submit(1);
    world_.run_for(seconds{5});
  }
  EXPECT_TRUE(circuits_.contains(1));
}

// Goal: a success closes the circuit also for what waits for its probe. Method: attempts that began
// together; the last one succeeds long after the others opened the circuit.
TEST_F(IsolationTest, ASuccessOfAnOlderAttemptEndsThePause) {
  Limits limits;
  limits.circuit.first_pause = minutes{10};
  limits.circuit.pause_max = minutes{10};
  limits.circuit.failures_max = 3;
  dispatcher_.reconfigure({.policy = policy_, .limits = limits, .origin = "relay.example.org"});
  answer_ = [](const Request& request) {
    return request.number == 3 ? Answer{.delay = seconds{5}} : Answer{.status = 503};
  };
  put(make(1));
  submit(1, 8);
  world_.run_for(seconds{4});
  ASSERT_TRUE(circuits_.contains(1));
  ASSERT_EQ(receiver_.requests().size(), 4u);
  answer_ = nullptr;
  world_.run_for(seconds{4});
  EXPECT_TRUE(circuits_.empty());
  EXPECT_EQ(receiver_.requests().size(), 8u);
}

TEST_F(IsolationTest, ALowerLimitOfPausesHoldsForThoseUnderWay) {
  answer_ = unavailable;
  Limits limits;
  limits.circuit.pause_max = std::chrono::hours{1};
  dispatcher_.reconfigure({.policy = policy_, .limits = limits, .origin = "relay.example.org"});
  Webhook webhook = make(1);
  webhook.schedule_s = {36'000};
  put(webhook);
  submit(1, 100);
  world_.run_for(std::chrono::hours{3});
  answer_ = nullptr;
  limits.circuit.pause_max = seconds{1};
  dispatcher_.reconfigure({.policy = policy_, .limits = limits, .origin = "relay.example.org"});
  ring_.waker().wake();
  world_.run_for(seconds{10});
  EXPECT_GE(delivered_to(1), 50u);
}

TEST_F(IsolationTest, AReceiverThatSaysWhenToComeBackIsTakenAtItsWord) {
  answer_ = [](const Request&) { return Answer{.status = 429, .headers = {{"Retry-After", "3"}}}; };
  Webhook webhook = make(1);
  webhook.schedule_s = std::vector<uint32_t>(64, 1);
  put(webhook);
  submit(1, 20);
  world_.run_for(minutes{2});
  EXPECT_TRUE(circuits_.empty());
  EXPECT_GE(receiver_.requests().size(), 30u);
}

TEST_F(IsolationTest, ARedeliveryByHandIsTriedAtOnce) {
  receiver_.stop();
  Webhook webhook = make(1);
  webhook.schedule_s = {3600};
  put(webhook);
  submit(1, 20);
  world_.run_for(minutes{5});
  receiver_.start();
  const uint32_t by_hand = offset_ + 8;
  redeliver(1);
  ASSERT_TRUE(world_.run_until([&] { return counted(DeliveryStatus::delivered) > 0; }, seconds{1}));
  const auto first = std::ranges::find(noted_, DeliveryStatus::delivered, &Noted::status);
  EXPECT_EQ(first->event, journal::Position::make(0, 0, by_hand).packed) << "before the others";
  ASSERT_TRUE(settle());
}

TEST_F(IsolationTest, AChangedWebhookBeginsAnew) {
  answer_ = unavailable;
  Webhook webhook = make(1);
  webhook.schedule_s = {3600};
  put(webhook);
  submit(1, 50);
  world_.run_for(minutes{5});
  answer_ = nullptr;
  put(webhook);
  world_.run_for(seconds{1});
  EXPECT_GE(delivered_to(1), 30u);
}

TEST_F(IsolationTest, RemembersAReceiverThatFailsBeyondItsDeliveries) {
  answer_ = [](const Request&) { return Answer{.status = 503, .close = true}; };
  put(make(1));  // One attempt each.
  for (int index = 0; index < 600; ++index) {
    submit(1);
    world_.run_for(milliseconds{500});
  }
  EXPECT_LE(receiver_.requests().size(), 30u);
}

TEST_F(IsolationTest, AskedByManyOneIsEnoughToFillTheWindowAgain) {
  Webhook webhook = make(1);
  webhook.schedule_s = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  put(webhook);
  answer_ = [](const Request&) { return Answer{.delay = milliseconds{100}}; };
  submit(1, 4000);
  ASSERT_TRUE(settle());
  EXPECT_GE(most_at_once(receiver_, milliseconds{100}), 60u);
  EXPECT_LE(most_at_once(receiver_, milliseconds{100}), 66u);
}

// Requests that are being sent are in memory, however many receivers take them slowly.
TEST_F(IsolationTest, LargeEventsInFlightAreBoundedByTheirBytes) {
  size_t under_way = 0;
  size_t most = 0;
  answer_ = [&](const Request&) {
    most = std::max(most, ++under_way);
    world_.after(milliseconds{900}, [&] { --under_way; });
    return Answer{.delay = seconds{1}};
  };
  const std::string data = "\"" + std::string(1 << 20, 'x') + "\"";
  for (uint32_t number = 1; number <= 40; ++number) {
    put(make(number));
    submit(number, 5, data);
  }
  submit(41, 1, "\"" + std::string(100 << 20, 'x') + "\"");  // Larger than all that is allowed.
  put(make(41));
  ASSERT_TRUE(settle());
  EXPECT_EQ(counted(DeliveryStatus::delivered), 201u);
  EXPECT_GT(most, 30u);
  EXPECT_LE(most, 64u);
}

TEST_F(IsolationTest, WhatIsShortHereCostsNoAttempt) {
  put(make(1));  // One attempt: a failure would be the end of it.
  world_.set_faults({.connect_short = 5'000});
  answer_ = [](const Request&) { return Answer{.close = true}; };
  submit(1, 200);
  ASSERT_TRUE(settle());
  EXPECT_EQ(delivered_to(1), 200u);
  const auto put_back = std::ranges::count(noted_, 0u, &Noted::attempt);
  EXPECT_GT(put_back, 20);
  // Those that were recorded; each recorded start is taken back or has an end.
  EXPECT_GE(counters_.value(Counter::attempts_put_back), static_cast<uint64_t>(put_back));
  EXPECT_GE(starts_.size(), static_cast<size_t>(put_back));
  EXPECT_LE(starts_.size(), static_cast<size_t>(put_back) + 200);
  for (const Noted& noted : noted_) {
    EXPECT_LE(noted.attempt, 1u);
    // A start that is taken back is said to be due again.
    EXPECT_EQ(noted.status,
              noted.attempt == 0 ? DeliveryStatus::pending : DeliveryStatus::delivered);
    EXPECT_EQ(noted.next_attempt_at > WallTime{}, noted.attempt == 0);
  }
  EXPECT_EQ(counters_.value(Counter::attempts_failed), 0u);
}

TEST_F(IsolationTest, SilentNamesOfOneOrganizationKeepNoOtherFromResolving) {
  for (uint32_t number = 100; number < 500; ++number) {
    const std::string host = "silent-" + std::to_string(number) + ".test";
    names_[host];
    put(make_named(number, host, "dead names"));
    submit(number, 4);
  }
  world_.run_for(seconds{1});
  for (uint32_t number = 1; number <= 50; ++number) {
    const std::string host = "good-" + std::to_string(number) + ".test";
    names_[host] = {sim::address("10.0.0.2", 0)};
    put(make_named(number, host, "others"));  // One attempt each.
    submit(number, 3);
  }
  ASSERT_TRUE(
      world_.run_until([&] { return counted(DeliveryStatus::delivered) == 150; }, seconds{5}));
  EXPECT_EQ(counted(DeliveryStatus::dead), 0u);
  EXPECT_GT(counters_.value(Counter::names_queued), 0u);
}

TEST_F(IsolationTest, SilentNamesKeepTheirOwnOrganizationsOtherNamesFromNothing) {
  for (uint32_t number = 100; number < 500; ++number) {
    const std::string host = "silent-" + std::to_string(number) + ".test";
    names_[host];
    Webhook webhook = make_named(number, host, "one");
    webhook.schedule_s = {5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5};
    put(webhook);
    submit(number, 4);
  }
  world_.run_for(seconds{1});
  for (uint32_t number = 1; number <= 50; ++number) {
    const std::string host = "good-" + std::to_string(number) + ".test";
    names_[host] = {sim::address("10.0.0.2", 0)};
    put(make_named(number, host, "one"));  // One attempt each.
    submit(number, 3);
  }
  ASSERT_TRUE(
      world_.run_until([&] { return counted(DeliveryStatus::delivered) == 150; }, minutes{1}));
  EXPECT_EQ(counted(DeliveryStatus::dead), 0u)
      << "a name that was never asked for costs no attempt";
}

TEST_F(IsolationTest, AnAttemptWhoseNameDidNotResolveInTimeSaysSo) {
  names_["silent.test"];
  for (const seconds timeout : {seconds{2}, seconds{30}}) {
    Webhook webhook = make_named(1, "silent.test", "one");
    webhook.timeout_ms = static_cast<uint32_t>(timeout.count() * 1000);
    put(webhook);
    submit(1);
    ASSERT_TRUE(settle());
    EXPECT_EQ(noted_.back().status, DeliveryStatus::dead);
    ASSERT_TRUE(noted_.back().error);
    EXPECT_EQ(noted_.back().error->code, Errc::name_timed_out);
    EXPECT_EQ(noted_.back().error->side, Side::operator_);
  }
}

TEST_F(IsolationTest, IdleConnectionsMakeRoomForEndpointsThatHaveNone) {
  Limits limits;
  limits.connections_max = 8;
  dispatcher_.reconfigure({.policy = policy_, .limits = limits, .origin = "relay.example.org"});
  std::vector<std::unique_ptr<HttpReceiver>> receivers;
  for (int at = 10; at < 40; ++at) {
    receivers.push_back(std::make_unique<HttpReceiver>(
        world_, sim::address(("10.0.0." + std::to_string(at)).c_str(), 80)));
    put(make(static_cast<uint32_t>(at), at));
  }
  for (int round = 0; round < 3; ++round) {
    for (uint32_t number = 10; number < 40; ++number) submit(number);
    ASSERT_TRUE(settle(seconds{10}));
  }
  EXPECT_EQ(counted(DeliveryStatus::delivered), 90u);
}

TEST_F(IsolationTest, AnOrganizationWithAThousandWebhooksDoesNotHoldUpAnother) {
  Limits limits;
  limits.attempts_in_flight_max = 16;
  dispatcher_.reconfigure({.policy = policy_, .limits = limits, .origin = "relay.example.org"});
  answer_ = [](const Request&) { return Answer{.delay = milliseconds{50}}; };
  for (uint32_t number = 100; number < 1100; ++number) {
    Webhook webhook = make(number);
    webhook.organization = "many";
    put(webhook);
    submit(number, 5);
  }
  world_.run_for(milliseconds{200});
  Webhook webhook = make(1);
  webhook.organization = "one";
  put(webhook);
  submit(1);
  ASSERT_TRUE(world_.run_until([&] { return delivered_to(1) == 1; }, milliseconds{300}));
}

// --- settings that change

class SettingsTest : public PermissionTest {
 protected:
  void reconfigure() {
    dispatcher_.reconfigure({.policy = next_policy_, .limits = limits_, .origin = origin_});
    ring_.waker().wake();
  }

  net::EgressPolicy next_policy_ = open_policy();
  Limits limits_;
  std::string origin_ = "relay.example.org";
};

TEST_F(SettingsTest, APolicyThatDeniesEndsConnectionsThatAreKept) {
  put(make(2));
  ASSERT_EQ(deliver(2).status, DeliveryStatus::delivered);
  ASSERT_EQ(counters_.value(Counter::connections_opened), 1u);
  next_policy_ = {};
  reconfigure();
  EXPECT_EQ(deliver(2).error, (Error{Errc::destination_denied, Side::operator_}));
  EXPECT_EQ(receiver_.requests().size(), 1u);
  next_policy_ = open_policy();
  reconfigure();
  EXPECT_EQ(deliver(2).status, DeliveryStatus::delivered);
  EXPECT_EQ(counters_.value(Counter::connections_opened), 2u);
}

TEST_F(SettingsTest, APolicyThatDeniesLetsAnAttemptEndAndNoOtherFollow) {
  Webhook webhook = make(2);
  webhook.concurrency_max = 1;
  webhook.schedule_s.clear();
  put(webhook);
  answer_ = [](const Request&) { return Answer{.delay = seconds{5}}; };
  submit(2, 2);
  world_.run_for(seconds{1});
  ASSERT_EQ(receiver_.requests().size(), 1u);
  next_policy_ = {};
  reconfigure();
  ASSERT_TRUE(settle());
  ASSERT_EQ(noted_.size(), 2u);
  EXPECT_EQ(noted_[0].status, DeliveryStatus::delivered);
  EXPECT_EQ(noted_[1].error, (Error{Errc::destination_denied, Side::operator_}));
  EXPECT_EQ(receiver_.requests().size(), 1u);
}

TEST_F(SettingsTest, APolicyThatAllowsKeepsWhatItFinds) {
  put(make(2));
  ASSERT_EQ(deliver(2).status, DeliveryStatus::delivered);
  reconfigure();
  ASSERT_EQ(deliver(2).status, DeliveryStatus::delivered);
  EXPECT_EQ(counters_.value(Counter::connections_opened), 1u);
}

TEST_F(SettingsTest, MoreRoomIsUsedByThoseWhoWaitForIt) {
  for (uint32_t number = 2; number < 10; ++number) put(make(number));
  limits_.connections_per_endpoint_max = 2;
  reconfigure();
  answer_ = [](const Request&) { return Answer{.delay = seconds{20}}; };
  for (uint32_t number = 2; number < 10; ++number) submit(number);
  world_.run_for(seconds{2});
  EXPECT_EQ(receiver_.requests().size(), 2u);
  limits_.connections_per_endpoint_max = 5;
  reconfigure();
  world_.run_for(seconds{2});
  EXPECT_EQ(receiver_.requests().size(), 5u);
  limits_.connections_per_endpoint_max = 64;
  limits_.attempts_in_flight_max = 8;  // Of which a quarter is for those in good standing.
  reconfigure();
  world_.run_for(seconds{2});
  EXPECT_EQ(receiver_.requests().size(), 6u);
  ASSERT_TRUE(settle());
}

TEST_F(SettingsTest, ConnectionsAreKeptForAsLongAsItIsSaidNow) {
  put(make(2));
  ASSERT_EQ(deliver(2).status, DeliveryStatus::delivered);
  limits_.idle_max = seconds{2};
  reconfigure();
  ASSERT_EQ(deliver(2).status, DeliveryStatus::delivered);
  world_.run_for(seconds{10});
  ASSERT_EQ(deliver(2).status, DeliveryStatus::delivered);
  EXPECT_EQ(counters_.value(Counter::connections_opened), 2u);
}

TEST_F(SettingsTest, AnotherOriginIsAskedForAnew) {
  on_question_ = permission("relay.example.org");
  ASSERT_EQ(deliver(1).status, DeliveryStatus::delivered);
  reconfigure();
  ASSERT_EQ(deliver(1).status, DeliveryStatus::delivered);
  EXPECT_EQ(questions(receiver_), 1u) << "nothing has changed";
  origin_ = "hooks.example.org";
  reconfigure();
  submit(1);
  world_.run_for(seconds{1});
  EXPECT_EQ(questions(receiver_), 2u);
  EXPECT_EQ(receiver_.requests().back().header("webhook-request-origin"), "hooks.example.org");
  EXPECT_EQ(noted_.back().error->code, Errc::origin_refused);
}

}  // namespace
}  // namespace ringpost::delivery
