#include "ingest/intake.h"

#include "crypto/base64.h"
#include "crypto/digest.h"
#include "http/gzip.h"
#include "tests/incoming/calls.h"
#include "tests/incoming/payloads.h"
#include "tests/ingest/memory_ring.h"
#include "tests/ingest/requests.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// Goal: 202 means durable, a refusal means nothing was stored, and where neither is certain there
// is no answer. Method: an intake over a journal and a server that the test plays.

namespace ringpost::ingest {
namespace {

using journal::EventRef;
using journal::Position;

class TestLog final : public EventLog {
 public:
  Result<void> admit(uint32_t count, uint64_t bytes) const override {
    if (failure) return *failure;
    if (count > events_max || bytes > bytes_max) return Error{Errc::overloaded};
    return {};
  }
  Result<Position> append(Bytes record) override {
    if (failure) return *failure;
    if (appends_left-- == 0) return Error{Errc::out_of_space, Side::disk};
    records.push_back(std::vector<std::byte>(record.begin(), record.end()));
    const Position position = Position::make(1, 1, offset);
    offset += 100;
    return position;
  }
  /// Just behind the last record.
  Position end() const { return Position::make(1, 1, offset); }
  Position begin(uint32_t index) const { return Position::make(1, 1, 4096 + index * 100); }

  std::optional<Error> failure;
  uint32_t events_max = 100'000;
  uint64_t bytes_max = 100'000'000;
  uint32_t appends_left = 1'000'000;
  uint32_t offset = 4096;
  std::vector<std::vector<std::byte>> records;
};

class TestAnswers final : public Answers {
 public:
  void answer(http::RequestHandle handle, const http::Response& response) override {
    EXPECT_FALSE(answered.contains(handle.index)) << handle.index;
    answered[handle.index] = response;
    order.push_back(handle.index);
  }
  bool hold(http::RequestHandle, uint64_t bytes) override {
    held = std::max(held, bytes);
    return bytes <= room;
  }
  void drop(http::RequestHandle handle) override { dropped.push_back(handle.index); }

  uint64_t held = 0;  ///< The most.
  uint64_t room = 100'000'000;
  std::map<uint32_t, http::Response> answered;
  std::vector<uint32_t> order;
  std::vector<uint32_t> dropped;
};

class TestSink final : public IntakeSink {
 public:
  std::optional<http::Problem> refuse_share(std::string_view, std::span<const uint32_t>,
                                            uint64_t) override {
    return share_problem;
  }
  void on_event_durable(EventRef event, bool) override { events.push_back(std::move(event)); }
  void on_own_event_settled(uint64_t ticket, const Ulid& uid, std::optional<Error> error) override {
    redeliveries.push_back({ticket, uid, error});
  }
  struct Redelivery {
    uint64_t ticket;
    Ulid uid;
    std::optional<Error> error;
  };
  std::optional<http::Problem> share_problem;
  std::vector<EventRef> events;
  std::vector<Redelivery> redeliveries;
};

constexpr uint8_t writes = static_cast<uint8_t>(subscription::Scope::events_write);
constexpr uint8_t reads = static_cast<uint8_t>(subscription::Scope::webhooks_read);

/// One shard's intake with its own journal; shards share the window.
struct Shard {
  explicit Shard(test::MemoryRing& ring, IdempotencyWindow& window)
      : intake({ring, counters, log, window, answers, sink}, {}) {
    add_token(1, "good", writes);
    add_token(2, "reader", reads);
    add_token(3, "root", static_cast<uint8_t>(subscription::Scope::admin));
    table.publish();
  }

  void add_token(uint32_t number, std::string_view text, uint8_t scopes) {
    table.put_token({.number = number,
                     .organization = "acme",
                     .scopes = scopes,
                     .sha256 = crypto::sha256(as_bytes(text))});
  }

  uint32_t post(std::string_view type, std::string_view body,
                std::string_view authorization = "Bearer good") {
    intake.on_request({++requests, 1},
                      std::make_unique<http::Request>(
                          test::request_of(type, body, {{"Authorization", authorization}})),
                      peer, table.current());
    return requests;
  }
  uint32_t post_with(std::string_view body,
                     std::vector<std::pair<std::string_view, std::string_view>> headers) {
    headers.emplace_back("Authorization", "Bearer good");
    intake.on_request(
        {++requests, 1},
        std::make_unique<http::Request>(test::request_of("application/json", body, headers)), peer,
        table.current());
    return requests;
  }
  uint32_t post_one(std::string_view id) { return post("application/json", event_of(id)); }
  uint32_t post_lines(const std::vector<std::string>& ids) {
    std::string body;
    for (const std::string& id : ids) body += event_of(id) + "\n";
    return post("application/x-ndjson", body);
  }
  static std::string event_of(std::string_view id) {
    return R"({"type":"t","source":"s","data":{"n":1.0})" +
           (id.empty() ? "" : R"(,"id":")" + std::string{id} + "\"") + "}";
  }
  /// A file of a drop directory.
  uint32_t drop(std::string_view type, std::string_view body, std::string id) {
    intake.on_file({++requests, 1},
                   std::make_unique<http::Request>(test::request_of(type, body, {})), "acme",
                   std::move(id), table.current());
    return requests;
  }
  void add_source(subscription::GitHost host, std::string_view path_token, bool enabled = true) {
    auto source = incoming::test::source_of(host);
    source.number = ++sources;
    source.organization = "acme";
    source.enabled = enabled;
    source.sha256 = crypto::sha256(as_bytes(path_token));
    table.put_git_source(source);
    table.publish();
  }
  /// A call of a git host.
  uint32_t call(std::string_view path, const http::Request& signed_call) {
    auto request = std::make_unique<http::Request>(signed_call);
    request->path = path;
    request->body.reserve(signed_call.body.size() + 64);
    intake.on_call({++requests, 1}, std::move(request), table.current());
    return requests;
  }
  uint32_t push(std::string_view path, std::string_view id,
                std::string_view payload = incoming::test::github_push) {
    using incoming::test::headers_of;
    return call(path, incoming::test::call_of(
                          payload, headers_of(subscription::GitHost::github, "push", payload, id)));
  }
  void make_durable() { intake.on_durable(log.end()); }
  uint16_t status(uint32_t request) const {
    const auto found = answers.answered.find(request);
    return found == answers.answered.end() ? 0 : found->second.status;
  }
  const std::string& body(uint32_t request) { return answers.answered[request].body; }

  Counters counters;
  TestLog log;
  subscription::SubscriptionTable table{0, {5, 6}};
  TestAnswers answers;
  TestSink sink;
  Intake intake;
  io::Address peer = *io::Address::parse("192.0.2.1:1000");
  uint32_t requests = 0;
  uint32_t sources = 0;
};

/// The body of a 202. @param events  the objects in it.
std::string answer_of(int accepted, int duplicates, int deliveries, int unmatched,
                      std::string_view events) {
  return R"({"accepted":)" + std::to_string(accepted) + R"(,"duplicates":)" +
         std::to_string(duplicates) + R"(,"deliveries":)" + std::to_string(deliveries) +
         R"(,"unmatched":)" + std::to_string(unmatched) + R"(,"organization":"acme","events":[)" +
         std::string{events} + "]}";
}

class IntakeTest : public testing::Test {
 protected:
  test::MemoryRing ring_;
  IdempotencyWindow window_{{}, {HashKey{1, 2}, HashKey{3, 4}}};
  Shard shard_{ring_, window_};
  Shard other_{ring_, window_};
};

TEST_F(IntakeTest, AnswersWhenTheEventIsDurableAndNotBefore) {
  const uint32_t request = shard_.post_one("e1");
  EXPECT_EQ(shard_.status(request), 0);
  EXPECT_TRUE(shard_.sink.events.empty());
  shard_.intake.on_durable(shard_.log.begin(0));  // Up to its first byte.
  EXPECT_EQ(shard_.status(request), 0);
  EXPECT_TRUE(shard_.sink.events.empty());
  shard_.make_durable();
  EXPECT_EQ(shard_.status(request), 202);
  EXPECT_EQ(shard_.body(request), answer_of(1, 0, 0, 1, R"({"id":"e1","webhooks":0})"));
  ASSERT_EQ(shard_.sink.events.size(), 1u);
  EXPECT_EQ(shard_.sink.events[0]->position(), shard_.log.begin(0));
  EXPECT_EQ(shard_.counters.value(Counter::events_accepted), 1u);
  EXPECT_TRUE(shard_.intake.idle());
}

TEST_F(IntakeTest, StoresTheEventWithItsWebhooks) {
  for (const uint32_t number : {7u, 8u, 9u}) {
    shard_.table.put({.number = number, .organization = "acme", .sources = {"s"}});
  }
  shard_.table.put({.number = 10, .organization = "acme", .sources = {"other"}});
  shard_.table.put({.number = 11, .organization = "other"});
  shard_.table.publish();
  shard_.post_one("e1");
  shard_.make_durable();
  const auto& view = shard_.sink.events.at(0)->view();
  EXPECT_EQ(view.organization, "acme");
  EXPECT_EQ(view.id, "e1");
  EXPECT_TRUE(view.id_given);
  EXPECT_EQ(view.accepted_at, ring_.wall_now());
  EXPECT_EQ(as_text(view.data), R"({"n":1.0})");
  ASSERT_EQ(view.webhook_count(), 3u);
  EXPECT_EQ(view.webhook_number(2), 9u);
  EXPECT_EQ(shard_.log.records.at(0).size(), shard_.sink.events[0]->record().size());
}

// People, and time servers, set clocks back.
TEST_F(IntakeTest, MintsIdsThatGrowWhateverTheWallClockDoes) {
  std::vector<Ulid> ids;
  const auto accept = [&] {
    shard_.post_one("");
    shard_.make_durable();
    ids.push_back(shard_.sink.events.back()->view().uid);
    ring_.pass(std::chrono::milliseconds{100});
  };
  accept();
  accept();
  const WallTime before = ring_.wall_now();
  ring_.set_wall_clock(before - std::chrono::hours{24 * 365});
  accept();
  EXPECT_EQ(shard_.sink.events.back()->view().accepted_at, before - std::chrono::hours{24 * 365});
  accept();
  ring_.set_wall_clock(before + std::chrono::hours{1});
  accept();
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_EQ(ids.back().time(), before + std::chrono::hours{1});
}

// --- CloudEvents at the root

TEST_F(IntakeTest, TakesATokenAsPasswordAtTheRootOnly) {
  const auto post = [&](std::string_view path, const std::string& credentials) {
    auto request = test::request_of(
        "application/json", Shard::event_of(""),
        {{"Authorization", "Basic " + crypto::base64_encode(as_bytes(credentials))}});
    request.path = path;
    auto owned = std::make_unique<http::Request>(std::move(request));
    shard_.intake.on_request({++shard_.requests, 1}, std::move(owned), shard_.peer,
                             shard_.table.current());
    shard_.make_durable();
    return shard_.status(shard_.requests);
  };
  EXPECT_EQ(post("/", "token:good"), 202);
  EXPECT_EQ(post("/", ":good"), 202);
  EXPECT_EQ(post("/v1/events", "token:good"), 401);
  for (const char* wrong : {"token:bad", "good", "good:", "token:reader:", ""}) {
    EXPECT_EQ(post("/", wrong), 401) << wrong;
  }
  EXPECT_EQ(post("/", "token:reader"), 403);
}

// --- files of drop directories

TEST_F(IntakeTest, TakesAFileForItsOrganization) {
  const uint32_t request = shard_.drop("application/json", Shard::event_of("e1"), "drop-1");
  EXPECT_EQ(shard_.status(request), 0);
  shard_.make_durable();
  EXPECT_EQ(shard_.status(request), 202);
  EXPECT_EQ(shard_.sink.events.at(0)->view().organization, "acme");
  EXPECT_EQ(shard_.sink.events.at(0)->view().id, "e1");
}

TEST_F(IntakeTest, TakesAFileOnceWhoseEventsHaveNoIds) {
  const std::string lines =
      Shard::event_of("") + "\n\n" + Shard::event_of("e2") + "\n" + Shard::event_of("") + "\n";
  for (const bool again : {false, true}) {
    const uint32_t lines_request = shard_.drop("application/x-ndjson", lines, "drop-1");
    const uint32_t one = shard_.drop("application/json", Shard::event_of(""), "drop-2");
    shard_.make_durable();
    EXPECT_EQ(shard_.status(lines_request), 202);
    EXPECT_EQ(shard_.status(one), 202) << again;
  }
  std::vector<std::string> ids;
  for (const EventRef& event : shard_.sink.events) ids.emplace_back(event->view().id);
  EXPECT_EQ(ids, (std::vector<std::string>{"drop-1-1", "e2", "drop-1-4", "drop-2"}));
  EXPECT_EQ(shard_.counters.value(Counter::events_duplicate), 4u);
}

TEST_F(IntakeTest, RefusesAFileAsItDoesARequest) {
  EXPECT_EQ(shard_.status(shard_.drop("application/json", "{}", "d")), 422);
  EXPECT_EQ(shard_.status(shard_.drop("application/x-ndjson", "{}\n{\n", "d")), 422);
  EXPECT_EQ(shard_.status(shard_.drop("application/json", "{", "d")), 400);
  EXPECT_EQ(shard_.status(shard_.drop("application/json", std::string(1'100'000, ' '), "d")), 413);
  shard_.log.failure = Error{Errc::overloaded};
  EXPECT_EQ(shard_.status(shard_.drop("application/json", Shard::event_of(""), "d")), 503);
  EXPECT_TRUE(shard_.sink.events.empty());
  EXPECT_TRUE(shard_.intake.idle());
}

// --- a turn gives way

/// Lines that together are more work than a turn does for all.
std::string large_batch(std::string_view prefix = "") {
  std::string body;
  for (int event = 0; event < 12; ++event) {
    const std::string id =
        prefix.empty() ? "" : R"("id":")" + std::string{prefix} + std::to_string(event) + R"(",)";
    body += "{" + id + R"("type":"t","source":"s","data":{"text":")" + std::string(900'000, 'x') +
            "\"}}\n";
  }
  return body;
}

TEST_F(IntakeTest, LetsASmallRequestPassALargeBatch) {
  const uint32_t large = shard_.post("application/x-ndjson", large_batch());
  EXPECT_TRUE(shard_.intake.has_work());
  const uint32_t small = shard_.post_one("e1");
  shard_.make_durable();
  EXPECT_EQ(shard_.status(small), 202);
  EXPECT_EQ(shard_.status(large), 0);
  EXPECT_FALSE(shard_.intake.idle());
  int turns = 0;
  for (; shard_.intake.has_work(); ++turns) shard_.intake.turn(shard_.table.current());
  EXPECT_GE(turns, 2);
  shard_.make_durable();
  EXPECT_EQ(shard_.status(large), 202);
  EXPECT_EQ(shard_.sink.events.size(), 13u);
  EXPECT_TRUE(shard_.intake.idle());
}

TEST_F(IntakeTest, GivesEachRequestItsTurnWhereMuchIsToBeDone) {
  std::vector<uint32_t> large;
  for (int count = 0; count < 8; ++count) {
    large.push_back(shard_.post("application/x-ndjson", large_batch()));
  }
  const uint32_t small = shard_.post_one("e1");  // This turn's work is done: it waits as they do.
  shard_.make_durable();
  EXPECT_EQ(shard_.status(small), 0);
  int turns_for_all = 0;
  int turns_for_small = 0;
  while (shard_.intake.has_work()) {
    shard_.intake.turn(shard_.table.current());
    shard_.make_durable();
    ++turns_for_all;
    if (shard_.status(small) == 0) ++turns_for_small;
  }
  EXPECT_LE(turns_for_small, 3);
  EXPECT_GT(turns_for_all, 10);
  for (const uint32_t request : large) EXPECT_EQ(shard_.status(request), 202);
}

// A token and a snapshot live for a turn.
TEST_F(IntakeTest, GoesOnWithABatchWhenTokenAndWebhooksHaveChanged) {
  shard_.table.put({.number = 7, .organization = "acme", .sources = {"s"}});
  shard_.table.put({.number = 8, .organization = "acme", .sources = {"s"}});
  shard_.table.publish();
  const uint32_t large = shard_.post("application/x-ndjson", large_batch());
  shard_.table.remove_token(1);
  shard_.table.remove(7);
  shard_.table.publish();
  shard_.table.reclaim();
  while (shard_.intake.has_work()) shard_.intake.turn(shard_.table.current());
  shard_.make_durable();
  EXPECT_EQ(shard_.status(large), 202);
  ASSERT_EQ(shard_.sink.events.size(), 12u);
  EXPECT_EQ(shard_.sink.events.front()->view().webhook_count(), 2u);
  EXPECT_EQ(shard_.sink.events.back()->view().webhook_count(), 1u);
  EXPECT_EQ(shard_.sink.events.back()->view().organization, "acme");
}

TEST_F(IntakeTest, ForgetsABatchThatIsNotStored) {
  const uint32_t large = shard_.post("application/x-ndjson", large_batch("e"));
  EXPECT_EQ(window_.size(), 2u);
  shard_.intake.on_storage_failed({Errc::io_failed, Side::disk});
  EXPECT_EQ(shard_.status(large), 503);
  EXPECT_EQ(window_.size(), 0u);
  EXPECT_TRUE(shard_.intake.idle());
}

TEST_F(IntakeTest, MintsAnIdWhereNoneIsGiven) {
  const uint32_t request = shard_.post_lines({"", ""});
  shard_.make_durable();
  ASSERT_EQ(shard_.sink.events.size(), 2u);
  const auto& first = shard_.sink.events[0]->view();
  EXPECT_FALSE(first.id_given);
  EXPECT_EQ(first.id, first.uid.to_text());
  EXPECT_NE(first.uid, shard_.sink.events[1]->view().uid);
  EXPECT_EQ(shard_.body(request),
            answer_of(2, 0, 0, 2,
                      R"({"id":")" + first.uid.to_text() + R"(","webhooks":0},{"id":")" +
                          shard_.sink.events[1]->view().uid.to_text() + R"(","webhooks":0})"));
}

TEST_F(IntakeTest, SaysHowManyWebhooksAnEventGoesTo) {
  for (const uint32_t number : {7u, 8u}) {
    shard_.table.put({.number = number, .organization = "acme", .events = {"t"}});
  }
  shard_.table.put({.number = 9, .organization = "another", .events = {"t"}});
  shard_.table.publish();
  const uint32_t request =
      shard_.post("application/x-ndjson", Shard::event_of("a") + "\n" +
                                              R"({"type":"u","source":"s","id":"b"})" + "\n" +
                                              Shard::event_of("a") + "\n");
  shard_.make_durable();
  EXPECT_EQ(
      shard_.body(request),
      answer_of(2, 1, 2, 1,
                R"({"id":"a","webhooks":2},{"id":"b","webhooks":0},{"id":"a","duplicate":true})"));
}

// One event, in whichever mode of CloudEvents it comes.
TEST_F(IntakeTest, KnowsAnEventAgainInAnotherMode) {
  const auto post = [this](http::Request request) {
    shard_.intake.on_request({++shard_.requests, 1},
                             std::make_unique<http::Request>(std::move(request)), shard_.peer,
                             shard_.table.current());
    shard_.make_durable();
    return shard_.body(shard_.requests);
  };
  const std::string_view token = "Bearer good";
  post(test::request_of("application/json", " {\"n\":1}\n",
                        {{"Authorization", token},
                         {"ce-specversion", "1.0"},
                         {"ce-type", "t"},
                         {"ce-source", "s"},
                         {"ce-id", "1"},
                         {"ce-count", "7"},
                         {"ce-flag", "true"},
                         {"ce-time", "2031-05-04T09:08:07Z"}}));
  const std::string structured =
      R"({"specversion":"1.0","id":"1","source":"s","type":"t","flag":true,"count":7,)"
      R"("time":"2031-05-04t09:08:07z",)";
  for (const char* data :
       {R"("data":{"n":1}})", R"("datacontenttype":"application/json","data":{"n":1}})",
        R"("datacontenttype":"application/json","data_base64":"eyJuIjoxfQ=="})"}) {
    EXPECT_EQ(post(test::request_of("application/cloudevents+json", structured + data,
                                    {{"Authorization", token}})),
              answer_of(0, 1, 0, 0, R"({"id":"1","duplicate":true})"))
        << data;
  }
}

TEST_F(IntakeTest, AnswersAnEmptyBatchOfCloudEventsAtOnce) {
  const uint32_t request = shard_.post("application/cloudevents-batch+json", "[]");
  EXPECT_EQ(shard_.status(request), 202);
  EXPECT_EQ(shard_.body(request), answer_of(0, 0, 0, 0, ""));
  EXPECT_TRUE(shard_.log.records.empty());
}

TEST_F(IntakeTest, StoresABareCdeventForWhoWantsItsTypeWithoutTheVersion) {
  shard_.table.put({.number = 7,
                    .organization = "acme",
                    .sources = {"ci"},
                    .events = {"dev.cdevents.pipelinerun.finished"}});
  shard_.table.put(
      {.number = 8, .organization = "acme", .events = {"dev.cdevents.pipelinerun.finished.0.3.0"}});
  shard_.table.publish();
  const std::string document =
      R"({"context":{"id":"c1","source":"ci","type":"dev.cdevents.pipelinerun.finished.0.2.0",)"
      R"("timestamp":"2031-01-01T00:00:00Z"},"subject":{"id":"run"}})";
  const uint32_t request = shard_.post("application/json", document);
  shard_.make_durable();
  const uint32_t again = shard_.post("application/json", document);
  EXPECT_EQ(shard_.body(request), answer_of(1, 0, 1, 0, R"({"id":"c1","webhooks":1})"));
  EXPECT_EQ(shard_.body(again), answer_of(0, 1, 0, 0, R"({"id":"c1","duplicate":true})"));
  const auto& view = shard_.sink.events.at(0)->view();
  EXPECT_EQ(as_text(view.data), document);
  ASSERT_EQ(view.webhook_count(), 1u);
  EXPECT_EQ(view.webhook_number(0), 7u);
}

constexpr std::string_view trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr std::string_view other_trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

TEST_F(IntakeTest, ContinuesTheTraceOfTheRequest) {
  shard_.post_with(Shard::event_of("e1"),
                   {{"traceparent", trace}, {"tracestate", "a=1"}, {"TraceState", "b=\"2\""}});
  shard_.make_durable();
  EXPECT_EQ(shard_.status(1), 202);
  const journal::EventView& event = shard_.sink.events.at(0)->view();
  EXPECT_EQ(event.trace_parent, trace);
  EXPECT_EQ(event.extensions, R"({"tracestate":"a=1,b=\"2\""})");
}

TEST_F(IntakeTest, TheEventsOwnTraceComesFirst) {
  shard_.post_with(R"({"type":"t","source":"s","traceparent":")" + std::string{other_trace} + "\"}",
                   {{"traceparent", trace}, {"tracestate", "a=1"}});
  shard_.post_with(R"({"type":"t","source":"s","mine":1,"tracestate":"own=1"})",
                   {{"traceparent", trace}, {"tracestate", "a=1"}});
  shard_.post_with(R"({"type":"t","source":"s","mine":1})",
                   {{"traceparent", trace}, {"tracestate", "a=1"}});
  shard_.make_durable();
  const auto view = [&](size_t index) { return shard_.sink.events.at(index)->view(); };
  EXPECT_EQ(view(0).trace_parent, other_trace);
  EXPECT_EQ(view(0).extensions, "");
  EXPECT_EQ(view(1).trace_parent, trace);
  EXPECT_EQ(view(1).extensions, R"({"mine":1,"tracestate":"own=1"})");
  EXPECT_EQ(view(2).extensions, R"({"mine":1,"tracestate":"a=1"})");
}

// W3C Trace Context, 4.3: as if they were not there. The event is taken.
TEST_F(IntakeTest, HeadersOfATraceThatBreakTheRulesCountForNothing) {
  const std::string long_one = "00-" + std::string(100'000, 'a');
  const std::vector<std::vector<std::pair<std::string_view, std::string_view>>> cases{
      {{"traceparent", ""}},
      {{"traceparent", long_one}},
      {{"traceparent", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
      {{"traceparent", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"}},
      {{"traceparent", "00-00000000000000000000000000000000-b7ad6b7169203331-01"}},
      {{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"}},
      {{"traceparent", trace}, {"Traceparent", trace}},
      {{"traceparent", trace}, {"traceparent", other_trace}},
      {{"tracestate", "a=1"}},
  };
  for (const auto& headers : cases) shard_.post_with(R"({"type":"t","source":"s"})", headers);
  shard_.make_durable();
  ASSERT_EQ(shard_.sink.events.size(), cases.size());
  for (const EventRef& event : shard_.sink.events) {
    EXPECT_EQ(event->view().trace_parent, "");
    EXPECT_EQ(event->view().extensions, "");
  }
  shard_.post_with(R"({"type":"t","source":"s"})", {{"traceparent", trace}, {"tracestate", "A"}});
  shard_.make_durable();
  EXPECT_EQ(shard_.sink.events.back()->view().trace_parent, trace);
  EXPECT_EQ(shard_.sink.events.back()->view().extensions, "");
}

TEST_F(IntakeTest, ARetryInAnotherSpanIsADuplicate) {
  shard_.post_with(Shard::event_of("e1"), {{"traceparent", trace}, {"tracestate", "a=1"}});
  shard_.make_durable();
  const uint32_t again = shard_.post_with(Shard::event_of("e1"), {{"traceparent", other_trace}});
  EXPECT_EQ(shard_.status(again), 202);
  EXPECT_EQ(shard_.log.records.size(), 1u);
}

TEST_F(IntakeTest, AnswersABatchAfterItsLastEvent) {
  const uint32_t batch = shard_.post_lines({"a", "b", "c"});
  const uint32_t next = shard_.post_one("d");
  shard_.intake.on_durable(shard_.log.begin(2));
  EXPECT_EQ(shard_.status(batch), 0);
  EXPECT_EQ(shard_.sink.events.size(), 2u);
  shard_.intake.on_durable(shard_.log.begin(3));
  EXPECT_EQ(shard_.status(batch), 202);
  EXPECT_EQ(shard_.status(next), 0);
  shard_.make_durable();
  EXPECT_EQ(shard_.answers.order, (std::vector<uint32_t>{batch, next}));
}

// --- duplicates ----------------------------------------------------------------------------------

TEST_F(IntakeTest, AcknowledgesADurableDuplicateAtOnceAndStoresItOnce) {
  shard_.post_one("e1");
  shard_.make_durable();
  const uint32_t again = shard_.post_one("e1");
  EXPECT_EQ(shard_.status(again), 202);
  EXPECT_EQ(shard_.body(again), answer_of(0, 1, 0, 0, R"({"id":"e1","duplicate":true})"));
  EXPECT_EQ(shard_.log.records.size(), 1u);
  EXPECT_EQ(shard_.counters.value(Counter::events_duplicate), 1u);
}

TEST_F(IntakeTest, HoldsADuplicateUntilTheFirstIsDurable) {
  shard_.post_one("e1");
  const uint32_t here = shard_.post_one("e1");
  const uint32_t there = other_.post_one("e1");
  ring_.pass(std::chrono::seconds{5});
  EXPECT_EQ(shard_.status(here), 0);
  EXPECT_EQ(other_.status(there), 0);
  shard_.make_durable();
  ring_.pass(std::chrono::milliseconds{100});
  EXPECT_EQ(shard_.status(here), 202);
  EXPECT_EQ(other_.status(there), 202);
  EXPECT_EQ(shard_.log.records.size() + other_.log.records.size(), 1u);
  EXPECT_TRUE(other_.intake.idle());
}

TEST_F(IntakeTest, CountsADuplicateWithinOneBatch) {
  const uint32_t request = shard_.post_lines({"a", "b", "a"});
  shard_.make_durable();
  EXPECT_EQ(
      shard_.body(request),
      answer_of(2, 1, 0, 2,
                R"({"id":"a","webhooks":0},{"id":"b","webhooks":0},{"id":"a","duplicate":true})"));
  EXPECT_EQ(shard_.sink.events.size(), 2u);
}

/// An event with the id `id` that says something else than Shard::event_of.
std::string other_event_of(std::string_view id) {
  return R"({"type":"t","source":"s","data":{"n":1},"id":")" + std::string{id} + "\"}";
}

TEST_F(IntakeTest, RefusesAnIdThatNamesAnotherContentAndStoresNothingOfTheRequest) {
  shard_.post_one("e1");
  for (const bool durable : {false, true}) {
    if (durable) shard_.make_durable();
    for (Shard* shard : {&shard_, &other_}) {
      const uint32_t alone = shard->post("application/json", other_event_of("e1"));
      EXPECT_EQ(shard->status(alone), 409);
      EXPECT_NE(shard->body(alone).find(R"("type":"urn:ringpost:id-conflict")"), std::string::npos);
      EXPECT_NE(shard->body(alone).find("`e1`"), std::string::npos) << shard->body(alone);
      EXPECT_NE(shard->body(alone).find(R"("member":"id")"), std::string::npos);
      EXPECT_EQ(shard->body(alone).find("\"line\""), std::string::npos);
      const uint32_t batch =
          shard->post("application/x-ndjson",
                      "\n" + Shard::event_of("fresh") + "\n\n" + other_event_of("e1") + "\n");
      EXPECT_EQ(shard->status(batch), 409);
      EXPECT_NE(shard->body(batch).find(R"("line":4)"), std::string::npos) << shard->body(batch);
    }
    EXPECT_EQ(window_.size(), 1u) << "the other keys of a refused request are forgotten";
  }
  EXPECT_EQ(shard_.log.records.size() + other_.log.records.size(), 1u);
  EXPECT_EQ(shard_.sink.events.size(), 1u);
  EXPECT_EQ(shard_.counters.value(Counter::events_refused), 4u);
  // The same bytes are a duplicate all the while.
  EXPECT_EQ(shard_.status(shard_.post_one("e1")), 202);
}

TEST_F(IntakeTest, RefusesTwoContentsUnderOneIdWithinABatch) {
  const uint32_t lines =
      shard_.post("application/x-ndjson", Shard::event_of("a") + "\n" + other_event_of("a") + "\n");
  EXPECT_EQ(shard_.status(lines), 409);
  EXPECT_NE(shard_.body(lines).find(R"("line":2)"), std::string::npos) << shard_.body(lines);
  const std::string first = R"({"specversion":"1.0","id":"a","type":"t","source":"s"})";
  const std::string second = R"({"specversion":"1.0","id":"a","type":"u","source":"s"})";
  const uint32_t array =
      shard_.post("application/cloudevents-batch+json", "[" + first + "," + second + "]");
  EXPECT_EQ(shard_.status(array), 409);
  EXPECT_NE(shard_.body(array).find(R"("line":2)"), std::string::npos) << shard_.body(array);
  EXPECT_TRUE(shard_.log.records.empty());
  EXPECT_EQ(window_.size(), 0u);
}

TEST_F(IntakeTest, TellsSourcesApartThatUseTheSameIds) {
  shard_.post_one("1");
  const uint32_t elsewhere =
      shard_.post("application/json", R"({"type":"t","source":"s2","data":{},"id":"1"})");
  shard_.make_durable();
  EXPECT_EQ(shard_.status(elsewhere), 202);
  EXPECT_EQ(shard_.sink.events.size(), 2u);
}

TEST_F(IntakeTest, StoresOneOfFiftyEqualEventsThatTwoShardsGetAtOnce) {
  std::vector<std::pair<Shard*, uint32_t>> requests;
  for (int index = 0; index < 50; ++index) {
    Shard* shard = index % 2 == 0 ? &shard_ : &other_;
    requests.emplace_back(shard, shard->post_one("e1"));
  }
  shard_.make_durable();
  other_.make_durable();
  ring_.pass(std::chrono::milliseconds{100});
  uint32_t accepted = 0;
  for (const auto& [shard, request] : requests) {
    EXPECT_EQ(shard->status(request), 202);
    const bool fresh = shard->body(request).find(R"("accepted":1)") != std::string::npos;
    accepted += fresh ? 1 : 0;
    EXPECT_EQ(shard->body(request), fresh
                                        ? answer_of(1, 0, 0, 1, R"({"id":"e1","webhooks":0})")
                                        : answer_of(0, 1, 0, 0, R"({"id":"e1","duplicate":true})"));
  }
  EXPECT_EQ(accepted, 1u);
  EXPECT_EQ(shard_.log.records.size() + other_.log.records.size(), 1u);
}

TEST_F(IntakeTest, RefusesADuplicateWhoseFirstWasNotStored) {
  shard_.post_one("e1");
  const uint32_t there = other_.post_one("e1");
  const uint32_t mixed = other_.post_lines({"x", "e1"});
  other_.make_durable();
  shard_.intake.on_storage_failed(Error{Errc::io_failed, Side::disk});
  ring_.pass(std::chrono::milliseconds{100});
  EXPECT_EQ(other_.status(there), 503);
  // One of its events is stored: no status would be true of both.
  EXPECT_EQ(other_.status(mixed), 0);
  EXPECT_EQ(other_.answers.dropped, (std::vector<uint32_t>{mixed}));
  EXPECT_EQ(other_.sink.events.size(), 1u);
}

// --- refusals ------------------------------------------------------------------------------------

TEST_F(IntakeTest, AsksForATokenWithTheScope) {
  for (const char* bad :
       {"", "good", "Bearer", "Bearer ", "Bearer bad", "Basic good", "Bearer good2"}) {
    const uint32_t request = shard_.post("application/json", Shard::event_of("e"), bad);
    EXPECT_EQ(shard_.status(request), 401) << bad;
    EXPECT_EQ(shard_.answers.answered[request].headers.at(0).value, "Bearer");
    const bool token = std::string_view{bad}.starts_with("Bearer ") && bad[7] != '\0';
    const std::string_view said = token ? "This token is not known" : "No token can be read";
    EXPECT_NE(shard_.answers.answered[request].body.find(said), std::string::npos) << bad;
  }
  EXPECT_EQ(shard_.status(shard_.post("application/json", Shard::event_of("e"), "Bearer reader")),
            403);
  EXPECT_EQ(shard_.status(shard_.post("text/plain", "{", "Bearer bad")), 401);
  EXPECT_TRUE(shard_.log.records.empty());
  shard_.post("application/json", Shard::event_of("a"), "bearer good");
  shard_.post("application/json", Shard::event_of("b"), "Bearer root");
  EXPECT_EQ(shard_.log.records.size(), 2u);
  shard_.make_durable();
}

TEST_F(IntakeTest, RefusesARevokedTokenWithTheSnapshotThatRevokedIt) {
  for (int round = 0; round < 5; ++round) shard_.post_one("");
  EXPECT_EQ(shard_.log.records.size(), 5u);
  shard_.table.remove_token(1);
  shard_.table.publish();
  EXPECT_EQ(shard_.status(shard_.post_one("")), 401);
  shard_.add_token(1, "good", reads);
  shard_.table.publish();
  EXPECT_EQ(shard_.status(shard_.post_one("")), 403);
  shard_.make_durable();
}

TEST_F(IntakeTest, StoresNothingOfABadBatchAndForgetsItsKeys) {
  const std::string good = Shard::event_of("a");
  const uint32_t bad = shard_.post("application/x-ndjson", good + "\n" + good + "\n{\"type\":1}\n");
  EXPECT_EQ(shard_.status(bad), 422);
  EXPECT_NE(shard_.body(bad).find(R"("line":3)"), std::string::npos) << shard_.body(bad);
  EXPECT_NE(shard_.body(bad).find(R"("member":"type")"), std::string::npos) << shard_.body(bad);
  EXPECT_TRUE(shard_.log.records.empty());
  EXPECT_EQ(window_.size(), 0u);
  EXPECT_EQ(shard_.counters.value(Counter::events_refused), 1u);
}

TEST_F(IntakeTest, RefusesWhatTheJournalDoesNotTakeAndForgetsItsKeys) {
  struct Case {
    Errc code;
    uint16_t status;
    bool retry;
  };
  for (const Case& expected :
       {Case{Errc::overloaded, 503, true}, Case{Errc::out_of_space, 507, true},
        Case{Errc::io_failed, 503, true}, Case{Errc::too_large, 413, false}}) {
    shard_.log.failure = Error{expected.code, Side::disk};
    const uint32_t request = shard_.post_lines({"a", "b"});
    EXPECT_EQ(shard_.status(request), expected.status);
    EXPECT_EQ(!shard_.answers.answered[request].headers.empty(), expected.retry);
    EXPECT_EQ(window_.size(), 0u);
  }
  shard_.log.failure.reset();
  shard_.log.events_max = 1;  // Passes the first look, not the whole batch.
  EXPECT_EQ(shard_.status(shard_.post_lines({"a", "b"})), 503);
  EXPECT_EQ(window_.size(), 0u);
  EXPECT_TRUE(shard_.log.records.empty());
  shard_.log.events_max = 2;
  shard_.post_lines({"a", "b"});
  shard_.make_durable();
  EXPECT_EQ(shard_.sink.events.size(), 2u);
}

TEST_F(IntakeTest, DropsABatchThatTheJournalCutsShort) {
  shard_.log.appends_left = 1;
  const uint32_t request = shard_.post_lines({"a", "b", "c"});
  EXPECT_EQ(shard_.status(request), 0);
  EXPECT_EQ(shard_.answers.dropped, (std::vector<uint32_t>{request}));
  shard_.make_durable();
  EXPECT_EQ(shard_.sink.events.size(), 1u);  // It is stored, so it is delivered.
  shard_.log.appends_left = 100;
  const uint32_t again = shard_.post_lines({"a", "b", "c"});
  shard_.make_durable();
  EXPECT_EQ(
      shard_.body(again),
      answer_of(2, 1, 0, 2,
                R"({"id":"a","duplicate":true},{"id":"b","webhooks":0},{"id":"c","webhooks":0})"));
}

TEST_F(IntakeTest, StorageFailureLeavesNoAnswerToWhatWasUnderWay) {
  const uint32_t first = shard_.post_one("a");
  shard_.intake.on_durable(shard_.log.begin(1));
  const uint32_t second = shard_.post_one("b");
  shard_.log.failure = Error{Errc::io_failed, Side::disk, 5};
  shard_.intake.on_storage_failed(*shard_.log.failure);
  const uint32_t third = shard_.post_one("c");
  EXPECT_EQ(shard_.status(first), 202);
  EXPECT_EQ(shard_.status(second), 0);
  EXPECT_EQ(shard_.answers.dropped, (std::vector<uint32_t>{second}));
  EXPECT_EQ(shard_.status(third), 503);
  EXPECT_EQ(shard_.sink.events.size(), 1u);
  EXPECT_TRUE(shard_.intake.idle());
}

TEST_F(IntakeTest, RefusesATokenFromItsExpiryOnAlsoWhenItWasJustUsed) {
  shard_.table.put_token({.number = 4,
                          .organization = "acme",
                          .scopes = writes,
                          .sha256 = crypto::sha256(as_bytes("short")),
                          .expires_at = ring_.wall_now() + std::chrono::seconds(10)});
  shard_.table.publish();
  const auto status = [&] {
    const uint32_t request = shard_.post("application/json", Shard::event_of(""), "Bearer short");
    shard_.make_durable();
    return shard_.status(request);
  };
  EXPECT_EQ(status(), 202);
  ring_.pass(std::chrono::seconds(9));
  EXPECT_EQ(status(), 202);
  ring_.pass(std::chrono::seconds(1));
  EXPECT_EQ(status(), 401);
  const uint32_t unknown = shard_.post("application/json", Shard::event_of(""), "Bearer unknown");
  EXPECT_EQ(shard_.body(unknown), shard_.body(unknown - 1));  // The same text.
}

TEST_F(IntakeTest, RefusesEventsOfSourcesThatTheTokenMayNotTouch) {
  shard_.table.put_token({.number = 4,
                          .organization = "acme",
                          .scopes = writes,
                          .sha256 = crypto::sha256(as_bytes("narrow")),
                          .sources = {"app/*", "s"}});
  shard_.table.publish();
  const auto post = [&](const char* type, const std::string& body) {
    const uint32_t request = shard_.post(type, body, "Bearer narrow");
    shard_.make_durable();
    return request;
  };
  const std::string own = R"({"type":"t","source":"app/x","data":{}})";
  const std::string foreign = R"({"type":"t","source":"apple/x","data":{}})";
  EXPECT_EQ(shard_.status(post("application/json", own)), 202);
  EXPECT_EQ(shard_.status(post("application/json", Shard::event_of(""))), 202);
  const size_t stored = shard_.log.records.size();

  const uint32_t one = post("application/json", foreign);
  EXPECT_EQ(shard_.status(one), 403);
  EXPECT_NE(shard_.body(one).find(R"("member":"source")"), std::string::npos) << shard_.body(one);
  EXPECT_EQ(shard_.body(one).find("line"), std::string::npos) << shard_.body(one);

  const uint32_t batch = post("application/x-ndjson", own + "\n\n \n" + foreign + "\n" + own);
  EXPECT_EQ(shard_.status(batch), 403);
  EXPECT_NE(shard_.body(batch).find(R"("line":4)"), std::string::npos) << shard_.body(batch);

  const auto event = [](std::string source) {
    return R"({"specversion":"1.0","id":"1","type":"t","source":")" + source + R"(","data":{}})";
  };
  const uint32_t array = post("application/cloudevents-batch+json",
                              "[" + event("s") + "," + event("app/y") + "," + event("z") + "]");
  EXPECT_EQ(shard_.status(array), 403);
  EXPECT_NE(shard_.body(array).find(R"("line":3)"), std::string::npos) << shard_.body(array);
  EXPECT_EQ(shard_.log.records.size(), stored);
}

TEST_F(IntakeTest, SlowsDownWhoeverGuessesAndNobodyElse) {
  const auto guess = [&] {
    return shard_.status(shard_.post("application/json", "{}", "Bearer guess"));
  };
  for (uint32_t count = 0; count < net::FailureThrottle::failures_at_once; ++count) {
    EXPECT_EQ(guess(), 401) << count;
  }
  EXPECT_EQ(guess(), 429);
  const auto& refused = shard_.answers.answered[shard_.requests];
  ASSERT_FALSE(refused.headers.empty());
  EXPECT_EQ(refused.headers.back().name, "Retry-After");
  EXPECT_EQ(refused.headers.back().value, "3");
  EXPECT_EQ(shard_.counters.value(Counter::tokens_refused), 21u);
  EXPECT_EQ(shard_.counters.value(Counter::tokens_throttled), 1u);

  const uint32_t good = shard_.post_one("");  // The same address, a good token.
  shard_.make_durable();
  EXPECT_EQ(shard_.status(good), 202);
  shard_.peer = *io::Address::parse("192.0.2.2:1000");
  EXPECT_EQ(guess(), 401);
  shard_.peer = *io::Address::parse("192.0.2.1:1000");
  EXPECT_EQ(guess(), 429);
  ring_.pass(net::FailureThrottle::failure_interval);
  EXPECT_EQ(guess(), 401);
}

TEST_F(IntakeTest, DoesNotCountRequestsWithoutAToken) {
  for (int count = 0; count < 100; ++count) {
    shard_.intake.on_request(
        {++shard_.requests, 1},
        std::make_unique<http::Request>(test::request_of("application/json", "{}", {})),
        shard_.peer, shard_.table.current());
    EXPECT_EQ(shard_.status(shard_.requests), 401) << count;
  }
  EXPECT_EQ(shard_.counters.value(Counter::tokens_refused), 0u);
}

TEST_F(IntakeTest, RefusesBeforeTheBodyWhatNeedsNoBody) {
  BodyTerms terms{.bytes_max = 0};
  const auto before = [&](const char* type, const char* token) {
    const auto problem =
        shard_.intake.before_body(test::request_of(type, "", {{"Authorization", token}}),
                                  shard_.peer, shard_.table.current(), terms);
    return problem ? problem->status : 0;
  };
  EXPECT_EQ(before("application/json", "Bearer good"), 0);
  EXPECT_EQ(terms.bytes_max, 1u << 20);
  EXPECT_TRUE(terms.organization);
  EXPECT_EQ(before("application/x-ndjson", "Bearer good"), 0);
  EXPECT_EQ(terms.bytes_max, 16u << 20);
  terms = {};
  EXPECT_EQ(before("application/json", "Bearer bad"), 401);
  EXPECT_FALSE(terms.organization);
  EXPECT_EQ(before("application/json", "Bearer reader"), 403);
  shard_.log.failure = Error{Errc::out_of_space, Side::disk};
  EXPECT_EQ(before("application/json", "Bearer good"), 507);
}

TEST_F(IntakeTest, GivesTheEventsOfABatchIdsInTheirOrder) {
  std::vector<std::string> ids;
  for (int number = 0; number < 50; ++number) ids.push_back("b" + std::to_string(number));
  shard_.post_lines(ids);
  shard_.make_durable();
  ASSERT_EQ(shard_.sink.events.size(), ids.size());
  for (size_t index = 1; index < ids.size(); ++index) {
    EXPECT_EQ(shard_.sink.events[index]->view().id, ids[index]);
    EXPECT_GT(shard_.sink.events[index]->view().uid, shard_.sink.events[index - 1]->view().uid);
  }
}

// --- packed bodies -------------------------------------------------------------------------------

class PackedBodyTest : public IntakeTest {
 protected:
  uint32_t post(std::string_view type, std::string_view packed) {
    shard_.intake.on_request(
        {++shard_.requests, 1},
        std::make_unique<http::Request>(test::request_of(
            type, packed, {{"Authorization", "Bearer good"}, {"Content-Encoding", "gzip"}})),
        shard_.peer, shard_.table.current());
    for (int turn = 0; turn < 1000 && shard_.intake.has_work(); ++turn) {
      shard_.intake.turn(shard_.table.current());
    }
    shard_.make_durable();
    return shard_.requests;
  }
  std::string detail() { return shard_.answers.answered[shard_.requests].body; }
};

TEST_F(PackedBodyTest, IsReadAsIfItWereNotPacked) {
  const std::string event = shard_.event_of("one");
  EXPECT_EQ(shard_.status(post("application/json", http::gzip(event))), 202);
  EXPECT_EQ(shard_.status(post("application/x-ndjson",
                               http::gzip(event + "\n") + http::gzip(shard_.event_of("two")))),
            202);
  EXPECT_NE(detail().find(R"("accepted":1,"duplicates":1)"), std::string::npos) << detail();
}

TEST_F(PackedBodyTest, IsRefusedIfItIsDamaged) {
  const std::string packed = http::gzip(shard_.event_of("one"));
  for (const std::string& body :
       {std::string{}, shard_.event_of("one"), packed.substr(0, packed.size() - 1), packed + "x"}) {
    EXPECT_EQ(shard_.status(post("application/json", body)), 400);
    EXPECT_NE(detail().find("not gzip"), std::string::npos) << detail();
  }
  EXPECT_TRUE(shard_.log.records.empty());
}

TEST_F(PackedBodyTest, MayBeAsLargeAsAnyWhenUnpacked) {
  std::string event = shard_.event_of("one");
  event.insert(event.size() - 1, (1u << 20) - event.size(), ' ');
  EXPECT_EQ(shard_.status(post("application/json", http::gzip(event))), 202);
  EXPECT_EQ(shard_.status(post("application/json", http::gzip(event + " "))), 413);
  EXPECT_NE(detail().find("1048576 bytes when unpacked"), std::string::npos) << detail();
}

TEST_F(PackedBodyTest, TakesNoMoreRoomThanThereIs) {
  const std::string bomb = http::gzip(std::string(100u << 20, ' '));
  shard_.answers.room = 1u << 20;
  EXPECT_EQ(shard_.status(post("application/x-ndjson", bomb)), 503);
  EXPECT_NE(detail().find("ingest.bodies_bytes_max"), std::string::npos) << detail();
  shard_.answers.room = 100u << 20;
  EXPECT_EQ(shard_.status(post("application/x-ndjson", bomb)), 413);
  EXPECT_LE(shard_.answers.held, (16u << 20) + bomb.size() + 1);
}

TEST_F(PackedBodyTest, KeepsNobodyElseWaiting) {
  const std::string large = http::gzip(std::string(15u << 20, ' ') + shard_.event_of("large"));
  shard_.intake.on_request({++shard_.requests, 1},
                           std::make_unique<http::Request>(test::request_of(
                               "application/x-ndjson", large,
                               {{"Authorization", "Bearer good"}, {"Content-Encoding", "gzip"}})),
                           shard_.peer, shard_.table.current());
  const uint32_t first = shard_.requests;
  EXPECT_TRUE(shard_.intake.has_work());
  shard_.intake.turn(shard_.table.current());
  const uint32_t small = shard_.post_one("small");
  shard_.make_durable();
  EXPECT_EQ(shard_.status(small), 202);
  EXPECT_FALSE(shard_.answers.answered.contains(first));
  shard_.log.failure = Error{Errc::io_failed, Side::disk};
  shard_.intake.on_storage_failed(*shard_.log.failure);  // In the middle.
  EXPECT_EQ(shard_.status(first), 503);
}

// --- redeliveries --------------------------------------------------------------------------------

TEST_F(IntakeTest, StoresARedeliveryAndSaysSo) {
  shard_.post_one("a");
  shard_.make_durable();
  const EventRef event = journal::EventCodec::encode(shard_.sink.events[0]->view());
  shard_.intake.append_own(event, 7);
  EXPECT_TRUE(shard_.sink.redeliveries.empty());
  shard_.make_durable();
  ASSERT_EQ(shard_.sink.events.size(), 2u);
  ASSERT_EQ(shard_.sink.redeliveries.size(), 1u);
  EXPECT_EQ(shard_.sink.redeliveries[0].ticket, 7u);
  EXPECT_FALSE(shard_.sink.redeliveries[0].error);
  EXPECT_EQ(shard_.sink.redeliveries[0].uid, event->view().uid);
}

TEST_F(IntakeTest, SaysWhyARedeliveryIsNotStored) {
  shard_.post_one("a");
  shard_.make_durable();
  const EventRef event = journal::EventCodec::encode(shard_.sink.events[0]->view());
  shard_.intake.append_own(event, 1);
  shard_.intake.on_storage_failed(Error{Errc::io_failed, Side::disk});
  shard_.log.failure = Error{Errc::overloaded};
  shard_.intake.append_own(event, 2);
  ASSERT_EQ(shard_.sink.redeliveries.size(), 2u);
  EXPECT_EQ(shard_.sink.redeliveries[0].error->code, Errc::io_failed);
  EXPECT_EQ(shard_.sink.redeliveries[1].error->code, Errc::overloaded);
  EXPECT_EQ(shard_.sink.events.size(), 1u);
}

// What a producer may send, the relay may send again: an empty queue takes what is larger than it.
TEST_F(IntakeTest, AsksForRoomForARedelivery) {
  shard_.post_one("a");
  shard_.make_durable();
  const EventRef event = journal::EventCodec::encode(shard_.sink.events[0]->view());
  shard_.log.bytes_max = 1;
  shard_.intake.append_own(event, 1);
  ASSERT_EQ(shard_.sink.redeliveries.size(), 1u);
  EXPECT_EQ(shard_.sink.redeliveries[0].error->code, Errc::overloaded);
  EXPECT_EQ(shard_.log.records.size(), 1u);
}

// --- calls of git hosts

constexpr std::string_view github_path = "/in/github/t0ken";

TEST_F(IntakeTest, TakesACallOfAGitHostAsAnEvent) {
  shard_.add_source(subscription::GitHost::github, "t0ken");
  shard_.table.put({.number = 7, .organization = "acme", .sources = {"repository/*"}});
  shard_.table.put({.number = 8, .organization = "other", .sources = {"repository/*"}});
  shard_.table.publish();
  const uint32_t request = shard_.push(github_path, "d-1");
  EXPECT_EQ(shard_.status(request), 0) << "not before it is durable";
  shard_.make_durable();
  EXPECT_EQ(shard_.status(request), 202);
  EXPECT_EQ(shard_.body(request), answer_of(1, 0, 1, 0, R"({"id":"d-1","webhooks":1})"));
  ASSERT_EQ(shard_.sink.events.size(), 1u);
  const auto& view = shard_.sink.events[0]->view();
  EXPECT_EQ(view.organization, "acme");
  EXPECT_EQ(view.source, "repository/github/acme/shop");
  EXPECT_EQ(view.type, "git.push");
  EXPECT_EQ(view.branch, "feature/login");
  EXPECT_EQ(as_text(view.data), incoming::test::github_push);
  EXPECT_EQ(shard_.counters.value(Counter::events_accepted), 1u);
}

// Hosts send a delivery again, and may have rendered it anew: that is no other event.
TEST_F(IntakeTest, AnswersARepeatedDeliveryWithoutActing) {
  for (Shard* shard : {&shard_, &other_}) {
    shard->add_source(subscription::GitHost::github, "t0ken");
  }
  const uint32_t first = shard_.push(github_path, "d-1");
  const uint32_t early = other_.push(github_path, "d-1");
  EXPECT_EQ(other_.status(early), 0) << "the first one is not durable yet";
  shard_.make_durable();
  EXPECT_EQ(shard_.status(first), 202);
  ring_.pass(std::chrono::milliseconds{100});
  EXPECT_EQ(other_.status(early), 200);
  EXPECT_EQ(other_.body(early), answer_of(0, 1, 0, 0, R"({"id":"d-1","duplicate":true})"));
  const std::string again =
      R"({"ref":"refs/heads/main","repository":{"full_name":"acme/shop"},"after":"ab"})";
  EXPECT_EQ(shard_.status(shard_.push(github_path, "d-1", again)), 200);
  EXPECT_EQ(shard_.sink.events.size() + other_.sink.events.size(), 1u);
}

TEST_F(IntakeTest, RefusesCallsOfNobodyItKnows) {
  shard_.add_source(subscription::GitHost::github, "t0ken");
  shard_.add_source(subscription::GitHost::gitea, "off", false);
  for (const char* path : {"/in/github/other", "/in/gitlab/t0ken", "/in/nothing/t0ken",
                           "/in/github/", "/in/gitea/off"}) {
    const uint32_t request = shard_.push(path, "d-1");
    EXPECT_EQ(shard_.status(request), 404) << path;
    http::Request head;
    head.path = path;
    BodyTerms terms;
    const auto early = shard_.intake.before_call_body(head, shard_.table.current(), terms);
    ASSERT_TRUE(early) << path;
    EXPECT_EQ(early->status, 404) << path;
  }
  auto unsigned_call = incoming::test::call_of(
      incoming::test::github_push, {{"X-GitHub-Event", "push"}, {"X-GitHub-Delivery", "d-1"}});
  const uint32_t request = shard_.call(github_path, unsigned_call);
  EXPECT_EQ(shard_.status(request), 401);
  EXPECT_EQ(shard_.counters.value(Counter::events_refused_unauthorized), 1u);
  EXPECT_EQ(window_.size(), 0u);
  EXPECT_TRUE(shard_.sink.events.empty());
}

TEST_F(IntakeTest, ReadsNoMoreOfACallThanItsHostSends) {
  shard_.add_source(subscription::GitHost::github, "t0ken");
  shard_.add_source(subscription::GitHost::bitbucket, "cloud");
  http::Request head;
  BodyTerms terms;
  head.path = github_path;
  EXPECT_FALSE(shard_.intake.before_call_body(head, shard_.table.current(), terms));
  EXPECT_EQ(terms.bytes_max, 25u * 1024 * 1024);
  EXPECT_TRUE(terms.organization);
  head.path = "/in/bitbucket/cloud";
  EXPECT_FALSE(shard_.intake.before_call_body(head, shard_.table.current(), terms));
  EXPECT_EQ(terms.bytes_max, 1024u * 1024);
  shard_.log.failure = Error{Errc::out_of_space, Side::disk};
  EXPECT_TRUE(shard_.intake.before_call_body(head, shard_.table.current(), terms));
}

TEST_F(IntakeTest, AnswersAPingAtOnce) {
  shard_.add_source(subscription::GitHost::github, "t0ken");
  constexpr std::string_view ping = R"({"zen":"Speak like a human."})";
  const uint32_t request = shard_.call(
      github_path, incoming::test::call_of(ping, incoming::test::headers_of(
                                                     subscription::GitHost::github, "ping", ping)));
  EXPECT_EQ(shard_.status(request), 200);
  EXPECT_NE(shard_.body(request).find("pong"), std::string::npos);
  EXPECT_TRUE(shard_.intake.idle());
  const uint32_t next = shard_.push(github_path, "d-1");
  shard_.make_durable();
  EXPECT_EQ(shard_.status(next), 202) << "nothing of the ping is left";
  const uint32_t event = shard_.post_one("e1");
  shard_.make_durable();
  EXPECT_EQ(shard_.status(event), 202) << "nor of the call";
}

// A source and a snapshot live for a turn.
TEST_F(IntakeTest, GoesOnWithACallWhenItsSourceIsGone) {
  shard_.add_source(subscription::GitHost::github, "t0ken");
  shard_.post("application/x-ndjson", large_batch());
  const uint32_t request = shard_.push(github_path, "d-1");  // This turn's work is done.
  shard_.table.remove_git_source(1);
  shard_.table.publish();
  shard_.table.reclaim();
  while (shard_.intake.has_work()) shard_.intake.turn(shard_.table.current());
  shard_.make_durable();
  EXPECT_EQ(shard_.status(request), 202);
  EXPECT_EQ(shard_.status(shard_.push(github_path, "d-2")), 404);
}

// Loops: what came over too many relays does not go on.
TEST_F(IntakeTest, CountsTheRelaysThatACallCameOver) {
  shard_.add_source(subscription::GitHost::github, "t0ken");
  auto headers = incoming::test::headers_of(subscription::GitHost::github, "push",
                                            incoming::test::github_push);
  headers.push_back({"ringpost-hops", "8"});
  const uint32_t last =
      shard_.call(github_path, incoming::test::call_of(incoming::test::github_push, headers));
  shard_.make_durable();
  EXPECT_EQ(shard_.status(last), 202);
  EXPECT_EQ(shard_.sink.events.at(0)->view().hops, 8u);
  headers.back().second = "9";
  const uint32_t beyond =
      shard_.call(github_path, incoming::test::call_of(incoming::test::github_push, headers));
  EXPECT_EQ(shard_.status(beyond), 508);
}

}  // namespace
}  // namespace ringpost::ingest
