#include "control/forward.h"

#include "control/store/store.h"
#include "control_fakes.h"
#include "http/gzip.h"
#include "http/hops.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

// Goal: the central relay gets each event once and those of a source in order, whatever it answers
// and whenever this relay ends; what is wrong is said.
// Method: journals in memory, and a central relay that answers what the test tells it to.

namespace ringpost::control {
namespace {

using journal::Position;
using testing::at;
using testing::FakeHistory;
using testing::FakeJournals;
using testing::FakePost;

constexpr uint32_t journal_count = 2;

std::string header_of(const net::ClientRequest& request, std::string_view name) {
  for (const http::Header& header : request.headers) {
    if (header.name == name) return header.value;
  }
  return "(absent)";
}

/// The body of a request, unpacked.
std::string body_of(const net::ClientRequest& request) {
  if (header_of(request, "Content-Encoding") == "(absent)") return request.body;
  EXPECT_EQ(header_of(request, "Content-Encoding"), "gzip");
  std::string_view packed = request.body;
  std::string body;
  http::GzipReader reader;
  while (reader.read(packed, body, 1 << 24) == http::GzipReader::Progress::more) continue;
  return body;
}

/// The ids of a request, in their order.
std::vector<std::string> ids_of(const net::ClientRequest& request) {
  const std::string binary_id = header_of(request, "ce-id");
  if (binary_id != "(absent)") return {binary_id};
  const std::string body = body_of(request);
  std::vector<std::string> ids;
  simdjson::dom::parser parser;
  for (size_t begin = 0; begin <= body.size();) {
    const bool lines = body.front() != '[';
    const size_t end = lines ? std::min(body.find('\n', begin), body.size()) : body.size();
    simdjson::dom::element root;
    EXPECT_FALSE(parser.parse(body.substr(begin, end - begin)).get(root)) << body;
    simdjson::dom::array array;
    std::string_view id;
    if (!root.get(array)) {
      for (const simdjson::dom::element event : array) {
        EXPECT_FALSE(event["id"].get(id));
        ids.emplace_back(id);
      }
    } else if (!root["id"].get(id)) {
      ids.emplace_back(id);
    }
    begin = end + 1;
  }
  return ids;
}

class ForwardTest : public ::testing::Test {
 protected:
  ForwardTest() : store_(Store::open(":memory:", {.keyring = Keyring{}.with_new_key()}).store) {
    settings_.url = std::get<http::Url>(http::parse_url("https://central.example.org/v1/events"));
    settings_.token = "the-token";
    for (uint32_t journal = 0; journal < journal_count; ++journal) open_segment(journal);
    start();
  }

  void open_segment(uint32_t journal) {
    journals_.want(journal);
    const uint32_t number = journals_.take()->segment.number;
    history_.index.begin(static_cast<uint16_t>(journal), number);
    offsets_[journal] = 4096;
  }

  /// As after a crash: what is not in the store is gone, and each journal goes on in a new segment.
  void restart() {
    for (uint32_t journal = 0; journal < journal_count; ++journal) {
      journals_.on_sealed(journal, journals_.next_segment[journal]);
      open_segment(journal);
    }
    start();
  }
  void start() {
    forward_.reset();
    calls_ = std::make_unique<OutgoingCalls>(post_, 1);
    while (post_.take<SendCall>(0)) {
    }
    forward_ = std::make_unique<Forward>(Forward::Parts{.store = *store_,
                                                        .journals = journals_,
                                                        .history = history_.index,
                                                        .calls = *calls_,
                                                        .random = random_},
                                         [] {});
    forward_->set(settings_);
    ASSERT_TRUE(forward_->load());
  }

  journal::EventRef write(const std::string& id, uint32_t journal = 0,
                          const std::function<void(journal::EventView&)>& change = {}) {
    journal::EventView view;
    view.uid = Ulid::mint(from_unix_ns(to_unix_ns(at(seconds_)) + ++minted_ * 1000), random_);
    view.accepted_at = at(seconds_);
    view.organization = "default";
    view.id = id;
    view.id_given = true;
    view.source = "app/x";
    view.type = "build/finished";
    view.data = as_bytes(R"({"build": 1.0})");
    view.data_checked = true;
    if (change) change(view);
    return journals_.put_event(
        view, Position::make(journal, journals_.next_segment[journal], offsets_[journal] += 64));
  }
  void tell(const journal::EventRef& event) {
    history_.index.on_event(event->view(), event->position());
    forward_->on_event(event->view(), event->position());
  }
  void accept(const std::string& id, uint32_t journal = 0,
              const std::function<void(journal::EventView&)>& change = {}) {
    tell(write(id, journal, change));
  }

  /// Lets it work until it waits, at most for this long.
  void run(Duration time = std::chrono::milliseconds(200)) {
    const Instant end = now_ + time;
    for (int turn = 0; turn < 1000; ++turn) {
      calls_->finish();
      if (forward_->step(at(seconds_), now_)) continue;
      const auto due = forward_->due();
      if (!due || *due > end) return;
      now_ = std::max(now_, *due);
    }
    FAIL() << "it never comes to rest";
  }
  void pass(int64_t seconds) {
    seconds_ += seconds;
    now_ += std::chrono::seconds(seconds);
  }

  /// The request that is under way.
  std::optional<net::ClientRequest> asked() {
    run();
    auto call = post_.take<SendCall>(0);
    if (!call) return std::nullopt;
    ticket_ = call->ticket;
    return std::move(*call->request);
  }
  void answer(net::ClientAnswer&& answer) {
    calls_->on_answered({ticket_, std::make_unique<net::ClientAnswer>(std::move(answer))});
    calls_->finish();
  }
  void take(size_t count, size_t duplicates = 0) {
    answer({.status = 202,
            .headers = {},
            .body = R"({"accepted":)" + std::to_string(count - duplicates) + R"(,"duplicates":)" +
                    std::to_string(duplicates) + "}"});
  }
  void refuse(uint16_t status, const std::string& members = {},
              std::vector<http::Header> headers = {}) {
    headers.push_back({"Content-Type", "application/problem+json"});
    answer({.status = status,
            .headers = std::move(headers),
            .body = R"({"status":)" + std::to_string(status) + members + "}"});
  }
  /// Takes everything that comes; the ids.
  std::vector<std::string> drain() {
    std::vector<std::string> all;
    while (const auto request = asked()) {
      const auto ids = ids_of(*request);
      all.insert(all.end(), ids.begin(), ids.end());
      take(ids.size());
    }
    return all;
  }

  Prng random_{5};
  std::unique_ptr<Store> store_;
  FakeJournals journals_;
  FakeHistory history_;
  FakePost post_{1};
  std::unique_ptr<OutgoingCalls> calls_;
  ForwardSettings settings_;
  std::unique_ptr<Forward> forward_;
  std::map<uint32_t, uint32_t> offsets_;
  int64_t seconds_ = 0;
  int64_t minted_ = 0;
  Instant now_{std::chrono::seconds(1000)};
  uint64_t ticket_ = 0;
};

using Ids = std::vector<std::string>;

TEST_F(ForwardTest, SendsWhatWasTakenInItsOrderAndOnce) {
  for (int number = 0; number < 9; ++number) accept(std::to_string(number), number % 2);
  EXPECT_EQ(forward_->status().backlog, 9u);
  const auto request = asked();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->method, "POST");
  EXPECT_EQ(request->url.text(), "https://central.example.org/v1/events");
  EXPECT_EQ(header_of(*request, "Authorization"), "Bearer the-token");
  EXPECT_EQ(header_of(*request, "Content-Type"), "application/cloudevents-batch+json");
  EXPECT_EQ(header_of(*request, std::string{http::hops_header}), "1");
  EXPECT_TRUE(request->operator_named);
  EXPECT_EQ(ids_of(*request), (Ids{"0", "1", "2", "3", "4", "5", "6", "7", "8"}));
  EXPECT_EQ(forward_->status().state, ForwardState::sending);
  take(9);
  EXPECT_EQ(drain(), Ids{});
  EXPECT_EQ(forward_->status().state, ForwardState::idle);
  EXPECT_EQ(forward_->status().backlog, 0u);
  EXPECT_EQ(forward_->status().forwarded, 9u);
  restart();
  EXPECT_EQ(drain(), Ids{});
  accept("9");
  EXPECT_EQ(drain(), Ids{"9"});
}

/// What another shard took earlier may be told later.
TEST_F(ForwardTest, WaitsForWhatIsOnItsWay) {
  accept("first", 1);
  EXPECT_EQ(drain(), Ids{"first"});
  const auto earlier = write("earlier", 0);
  accept("later", 1);
  forward_->step(at(seconds_), now_);
  tell(earlier);
  EXPECT_EQ(drain(), (Ids{"earlier", "later"}));
}

TEST_F(ForwardTest, SendsNoMoreThanFits) {
  settings_.batch_events_max = 3;
  forward_->set(settings_);
  for (int number = 0; number < 4; ++number) accept(std::to_string(number));
  EXPECT_EQ(ids_of(*asked()).size(), 3u);
  take(3);
  settings_.batch_bytes_max = 1;
  forward_->set(settings_);
  accept("4");
  EXPECT_EQ(ids_of(*asked()), Ids{"3"});
  take(1);
  EXPECT_EQ(ids_of(*asked()), Ids{"4"});
}

TEST_F(ForwardTest, PacksWhatIsLongUntilThatIsRefused) {
  accept("small");
  EXPECT_EQ(header_of(*asked(), "Content-Encoding"), "(absent)");
  take(1);
  Ids ids;
  for (int number = 0; number < 100; ++number) accept(ids.emplace_back(std::to_string(number)));
  const auto packed = asked();
  ASSERT_TRUE(packed);
  EXPECT_EQ(header_of(*packed, "Content-Encoding"), "gzip");
  EXPECT_EQ(ids_of(*packed), ids);
  EXPECT_LT(packed->body.size(), body_of(*packed).size() / 3);
  refuse(415);
  const auto again = asked();
  ASSERT_TRUE(again);
  EXPECT_EQ(header_of(*again, "Content-Encoding"), "(absent)");
  EXPECT_EQ(ids_of(*again), ids);
  EXPECT_EQ(forward_->status().problem, "");
  refuse(415);  // Whatever else it is about.
  EXPECT_FALSE(asked());
  EXPECT_EQ(forward_->status().state, ForwardState::held);
  pass(3);
  EXPECT_EQ(header_of(*asked(), "Content-Encoding"), "(absent)");
  take(100);
  forward_->set(settings_);  // Another relay, perhaps.
  for (int number = 0; number < 100; ++number) accept(std::to_string(number + 100));
  EXPECT_EQ(header_of(*asked(), "Content-Encoding"), "gzip");
}

TEST_F(ForwardTest, SendsAgainWhatMayHaveBeenLost) {
  accept("a");
  accept("b");
  EXPECT_EQ(ids_of(*asked()), (Ids{"a", "b"}));
  answer({.error = Error{Errc::closed, Side::endpoint}, .headers = {}, .body = {}});
  EXPECT_FALSE(asked());
  EXPECT_EQ(forward_->status().state, ForwardState::waiting);
  EXPECT_FALSE(forward_->status().problem.empty());
  pass(2);
  EXPECT_EQ(ids_of(*asked()), (Ids{"a", "b"}));
  restart();  // In the middle of the request.
  EXPECT_EQ(ids_of(*asked()), (Ids{"a", "b"}));
  take(2, 2);
  run();
  EXPECT_EQ(forward_->status().duplicates, 2u);
  EXPECT_EQ(forward_->status().state, ForwardState::idle);
}

TEST_F(ForwardTest, AsksForWhatIsOlderThanTheWindow) {
  accept("a/b");
  accept("b");
  ASSERT_TRUE(asked());
  answer({.error = Error{Errc::timed_out, Side::endpoint}, .headers = {}, .body = {}});
  run();
  pass(24 * 3600);
  const auto question = asked();
  ASSERT_TRUE(question);
  EXPECT_EQ(question->method, "GET");
  EXPECT_EQ(question->url.target, "/v1/events/a%2Fb?source=app%2Fx");
  answer({.status = 200, .headers = {}, .body = R"({"id":"a/b","source":"app/x","type":"t"})"});
  ASSERT_EQ(asked()->method, "GET");
  refuse(404, R"(,"detail":"There is no such event.")");
  const auto rest = asked();
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->method, "POST");
  EXPECT_EQ(ids_of(*rest), Ids{"b"});
  take(1);
  EXPECT_EQ(drain(), Ids{});
  EXPECT_EQ(forward_->status().forwarded, 2u);
}

/// An earlier run may have sent them just before it ended.
TEST_F(ForwardTest, AsksAfterALongTimeAway) {
  accept("a");
  pass(25 * 3600);
  accept("b");
  restart();
  EXPECT_EQ(asked()->url.target, "/v1/events/a?source=app%2Fx");
  answer({.status = 200, .headers = {}, .body = "<html>"});  // Somebody else's answer.
  run();
  EXPECT_EQ(forward_->status().state, ForwardState::held);
  pass(120);
  EXPECT_EQ(asked()->method, "GET");
  refuse(404, R"(,"detail":"There is no such event.")");
  EXPECT_EQ(ids_of(*asked()), (Ids{"a", "b"}));
}

/// They may be more than one request holds now.
TEST_F(ForwardTest, AsksForEverythingThatAnEarlierRunMayHaveSent) {
  accept("a");
  accept("b");
  pass(25 * 3600);
  restart();
  settings_.batch_events_max = 1;
  forward_->set(settings_);
  EXPECT_EQ(asked()->url.target, "/v1/events/a?source=app%2Fx");
  answer({.status = 200, .headers = {}, .body = R"({"id":"a","source":"app/x","type":"t"})"});
  EXPECT_EQ(asked()->url.target, "/v1/events/b?source=app%2Fx");
}

/// A backup that is older than the window: what was sent after it may be more than one request.
TEST_F(ForwardTest, AsksForEverythingThatWasSentAfterABackup) {
  constexpr uint32_t sent = ForwardSettings::batch_events_limit + 300;
  for (uint32_t number = 0; number < sent; ++number) accept(std::to_string(number));
  accept("new");
  pass(25 * 3600);
  restart();
  for (uint32_t number = 0; number < sent; ++number) {
    const auto question = asked();
    ASSERT_TRUE(question);
    const std::string id = std::to_string(number);
    ASSERT_EQ(question->url.target, "/v1/events/" + id + "?source=app%2Fx");
    answer({.status = 200, .headers = {}, .body = R"({"id":")" + id + R"(","source":"app/x"})"});
  }
  EXPECT_EQ(asked()->url.target, "/v1/events/new?source=app%2Fx");
  refuse(404, R"(,"detail":"There is no such event.")");
  EXPECT_EQ(ids_of(*asked()), Ids{"new"});
}

/// Within the window the central relay says itself that it has them, and beyond it is asked.
TEST_F(ForwardTest, GoesOnAskingAfterDuplicates) {
  constexpr uint32_t known = ForwardSettings::batch_events_limit;
  settings_.batch_events_max = known;
  settings_.batch_bytes_max = 32 << 20;
  for (uint32_t number = 0; number < known; ++number) accept(std::to_string(number));
  accept("next");
  restart();
  ASSERT_EQ(ids_of(*asked()).size(), known);
  take(known, known);
  pass(25 * 3600);
  EXPECT_EQ(asked()->url.target, "/v1/events/next?source=app%2Fx");
}

/// What never arrived is not asked for, however long the central relay is away.
TEST_F(ForwardTest, AsksForNothingThatNeverArrived) {
  accept("a");
  for (int hour = 0; hour < 30; ++hour) {
    const auto request = asked();
    ASSERT_TRUE(request);
    EXPECT_EQ(request->method, "POST");
    answer({.error = Error{Errc::refused, Side::endpoint}, .headers = {}, .body = {}});
    run();
    pass(3600);
  }
  EXPECT_EQ(drain(), Ids{"a"});
}

TEST_F(ForwardTest, SetsAsideWhatIsRefused) {
  for (const char* id : {"a", "poison", "b"}) accept(id);
  ASSERT_TRUE(asked());
  refuse(422, R"(,"line":2,"detail":"`subject` is\n bad, the-token.")");
  EXPECT_EQ(drain(), (Ids{"a", "b"}));
  const auto list = forward_->set_aside().list(std::nullopt, 10);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 1u);
  const SetAsideEvent& event = list->front();
  EXPECT_EQ(event.id, "poison");
  EXPECT_EQ(event.status, 422);
  EXPECT_EQ(event.reason, "it answered 422: `subject` is  bad, *****.");
  EXPECT_EQ(forward_->status().set_aside, 1u);
  restart();
  EXPECT_EQ(drain(), Ids{});
  EXPECT_EQ(forward_->status().set_aside, 1u);
}

/// When somebody has mended what was wrong.
TEST_F(ForwardTest, SendsAgainWhatWasSetAside) {
  for (const char* id : {"a", "poison", "b"}) accept(id);
  ASSERT_TRUE(asked());
  refuse(422, R"(,"line":2)");
  EXPECT_EQ(drain(), (Ids{"a", "b"}));
  ASSERT_EQ(*forward_->send_again({.id = "poison", .source = "app/x"}), 1u);
  EXPECT_EQ(forward_->status().again, 1u);
  EXPECT_EQ(forward_->status().state, ForwardState::sending);
  restart();  // It is not forgotten.
  const auto request = asked();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->method, "POST");
  EXPECT_EQ(ids_of(*request), Ids{"poison"});
  take(1);
  EXPECT_EQ(drain(), Ids{});
  EXPECT_EQ(forward_->status().set_aside, 0u);
  EXPECT_EQ(forward_->status().state, ForwardState::idle);
}

TEST_F(ForwardTest, SetsAsideAgainWhatIsStillRefused) {
  accept("poison");
  ASSERT_TRUE(asked());
  refuse(422, R"(,"line":1,"detail":"before")");
  run();
  ASSERT_EQ(*forward_->send_again({}), 1u);
  ASSERT_TRUE(asked());
  refuse(409, R"(,"detail":"after")");
  EXPECT_EQ(drain(), Ids{});
  const auto list = forward_->set_aside().list(std::nullopt, 10);
  ASSERT_EQ(list->size(), 1u);
  EXPECT_EQ(list->front().reason, "it answered 409: after");
  EXPECT_FALSE(list->front().again);
}

/// Thousands that are refused again keep nothing that is new, and hold nothing.
TEST_F(ForwardTest, TakesTurnsWithWhatIsNew) {
  settings_.batch_events_max = 10;
  forward_->set(settings_);
  for (int number = 0; number < 60; ++number) {
    accept("old" + std::to_string(number));
    ASSERT_TRUE(asked());
    refuse(422, R"(,"line":1)");
    run();
  }
  for (int number = 0; number < 150; ++number) {
    accept("older" + std::to_string(number));
    ASSERT_TRUE(asked());
    refuse(422, R"(,"line":1)");
    run();
    accept("good");
    ASSERT_TRUE(asked());
    take(1);
    run();
  }
  ASSERT_EQ(*forward_->send_again({}), 210u);
  for (int number = 0; number < 30; ++number) accept("new" + std::to_string(number));
  size_t refused = 0;
  Ids arrived;
  while (const auto request = asked()) {
    const Ids ids = ids_of(*request);
    now_ += std::chrono::milliseconds(20);  // New ones settle meanwhile.
    if (ids.front().starts_with("old")) {
      ++refused;
      refuse(422, R"(,"line":1)");
      continue;
    }
    EXPECT_LE(refused, 60u);
    arrived.insert(arrived.end(), ids.begin(), ids.end());
    take(ids.size());
  }
  EXPECT_EQ(arrived.size(), 30u);
  EXPECT_EQ(refused, 210u);
  EXPECT_EQ(forward_->status().state, ForwardState::idle);
  EXPECT_EQ(forward_->status().set_aside, 210u);
  EXPECT_EQ(forward_->status().again, 0u);
}

TEST_F(ForwardTest, SendsAgainWhenTheCentralRelayIsBack) {
  accept("poison");
  ASSERT_TRUE(asked());
  refuse(422, R"(,"line":1)");
  run();
  ASSERT_EQ(*forward_->send_again({.id = "poison", .source = {}}), 1u);
  ASSERT_TRUE(asked());
  refuse(503);
  run();
  EXPECT_EQ(forward_->status().state, ForwardState::waiting);
  EXPECT_EQ(forward_->status().backlog, 0u);
  accept("new");
  pass(3);
  const Ids both = drain();
  EXPECT_EQ(std::set<std::string>(both.begin(), both.end()),
            (std::set<std::string>{"new", "poison"}));
  EXPECT_EQ(forward_->status().set_aside, 0u);
}

/// An earlier run may have sent it, and ended before that was stored.
TEST_F(ForwardTest, AsksBeforeItSendsAgainWhatIsOld) {
  for (const char* id : {"sent", "differs", "new"}) accept(id);
  ASSERT_TRUE(asked());
  refuse(422, R"(,"line":1)");
  ASSERT_TRUE(asked());
  refuse(409, R"(,"line":1)");
  EXPECT_EQ(drain(), Ids{"new"});
  pass(25 * 3600);
  ASSERT_EQ(*forward_->send_again({}), 2u);
  EXPECT_EQ(asked()->url.target, "/v1/events/sent?source=app%2Fx");
  answer({.status = 200, .headers = {}, .body = R"({"id":"sent","source":"app/x","type":"t"})"});
  EXPECT_EQ(asked()->url.target, "/v1/events/differs?source=app%2Fx");
  answer({.status = 200, .headers = {}, .body = R"({"id":"differs","source":"app/x","type":"t"})"});
  EXPECT_EQ(drain(), Ids{});
  const auto list = forward_->set_aside().list(std::nullopt, 10);
  ASSERT_EQ(list->size(), 1u);
  EXPECT_EQ(list->front().id, "differs");
  EXPECT_FALSE(list->front().again);
  EXPECT_EQ(list->front().status, 409);
}

TEST_F(ForwardTest, SaysThatAnEventIsGone) {
  accept("poison");
  ASSERT_TRUE(asked());
  refuse(422, R"(,"line":1)");
  run();
  journals_.on_sealed(0, 1);
  open_segment(0);
  journals_.expire(0, 2);
  history_.index.forget(0, 1);
  ASSERT_EQ(*forward_->send_again({}), 1u);
  EXPECT_EQ(drain(), Ids{});
  const auto list = forward_->set_aside().list(std::nullopt, 10);
  ASSERT_EQ(list->size(), 1u);
  EXPECT_NE(list->front().reason.find("no journal has it"), std::string::npos);
  EXPECT_FALSE(list->front().again);
  EXPECT_EQ(*forward_->set_aside().drop({.id = "poison", .source = {}}), 1u);
  EXPECT_EQ(forward_->status().set_aside, 0u);
}

/// While its request is under way.
TEST_F(ForwardTest, KeepsNothingThatWasDropped) {
  accept("poison");
  ASSERT_TRUE(asked());
  refuse(422, R"(,"line":1)");
  run();
  ASSERT_EQ(*forward_->send_again({}), 1u);
  ASSERT_TRUE(asked());
  EXPECT_EQ(*forward_->set_aside().drop({}), 1u);
  refuse(422, R"(,"line":1)");
  EXPECT_EQ(drain(), Ids{});
  EXPECT_EQ(forward_->status().set_aside, 0u);
}

/// A refusal without a line: the batch is halved until one event is left.
TEST_F(ForwardTest, FindsTheEventThatIsTooLarge) {
  for (const char* id : {"a", "b", "huge", "c"}) accept(id);
  Ids arrived;
  while (const auto request = asked()) {
    const Ids ids = ids_of(*request);
    if (std::ranges::count(ids, "huge") > 0) {
      refuse(413);
      continue;
    }
    arrived.insert(arrived.end(), ids.begin(), ids.end());
    take(ids.size());
  }
  EXPECT_EQ(arrived, (Ids{"a", "b", "c"}));
  EXPECT_EQ(forward_->status().set_aside, 1u);
}

/// Base64 makes bytes a third longer; alone they go as they are.
TEST_F(ForwardTest, SendsWhatIsTooLargeInBinaryMode) {
  accept("a");
  accept("large \"id\" %", 0, [](auto& view) {
    view.source = "a source?\u00e4";
    view.subject = "s";
    view.data = as_bytes("\x01\xff");
    view.data_content_type = "application/x";
    view.extensions = R"({"cluster":"x","number":7})";
  });
  accept("json");
  accept("b");
  while (const auto request = asked()) {
    const bool is_large = request->body.find("data_base64") != std::string::npos;
    const bool is_json = request->body.find(R"("id":"json")") != std::string::npos;
    if (is_large || is_json) {
      refuse(413);
      continue;
    }
    const std::string id = header_of(*request, "ce-id");
    if (id.starts_with("large")) {
      EXPECT_EQ(id, "large%20%22id%22%20%25");
      EXPECT_EQ(header_of(*request, "ce-source"), "a%20source?%C3%A4");
      EXPECT_EQ(header_of(*request, "ce-specversion"), "1.0");
      EXPECT_EQ(header_of(*request, "ce-type"), "build/finished");
      EXPECT_EQ(header_of(*request, "ce-subject"), "s");
      EXPECT_EQ(header_of(*request, "ce-cluster"), "x");
      EXPECT_EQ(header_of(*request, "ce-number"), "7");
      EXPECT_EQ(header_of(*request, "Content-Type"), "application/x");
      EXPECT_EQ(header_of(*request, std::string{http::hops_header}), "1");
      EXPECT_EQ(request->body, "\x01\xff");
    } else if (id == "json") {
      EXPECT_EQ(header_of(*request, "Content-Type"), "(absent)");
      EXPECT_EQ(request->body, R"({"build": 1.0})");
    }
    take(ids_of(*request).size());
  }
  EXPECT_EQ(forward_->status().set_aside, 0u);
  EXPECT_EQ(forward_->status().forwarded, 4u);
}

/// Then the central relay is what is wrong, and not so many events.
TEST_F(ForwardTest, StopsWhenEverythingIsRefused) {
  for (int number = 0; number < 300; ++number) accept(std::to_string(number));
  while (asked()) refuse(422, R"(,"line":1)");
  EXPECT_EQ(forward_->status().state, ForwardState::held);
  EXPECT_EQ(forward_->status().set_aside, Forward::refused_in_a_row_max + 1);
}

TEST_F(ForwardTest, HoldsUntilTheTokenIsMended) {
  accept("a");
  ASSERT_TRUE(asked());
  refuse(401, R"(,"detail":"The token is not valid.")");
  run();
  EXPECT_EQ(forward_->status().state, ForwardState::held);
  EXPECT_EQ(forward_->status().problem,
            "the central relay central.example.org: it answered 401: The token is not valid.");
  EXPECT_EQ(forward_->status().backlog, 1u);
  settings_.token = "another";
  forward_->set(settings_);
  const auto again = asked();
  ASSERT_TRUE(again);
  EXPECT_EQ(header_of(*again, "Authorization"), "Bearer another");
  take(1);
  run();
  EXPECT_EQ(forward_->status().state, ForwardState::idle);
  EXPECT_EQ(forward_->status().problem, "");
}

TEST_F(ForwardTest, WaitsAsLongAsItIsAsked) {
  accept("a");
  ASSERT_TRUE(asked());
  refuse(503, "", {{"Retry-After", "120"}});
  run();
  EXPECT_EQ(forward_->status().state, ForwardState::waiting);
  pass(119);
  EXPECT_FALSE(asked());
  pass(2);
  EXPECT_TRUE(asked());
  refuse(429, "", {{"Retry-After", "99999999999"}});
  run();
  EXPECT_EQ(forward_->status().retry_at, at(seconds_) + Forward::asked_pause_max);
}

TEST_F(ForwardTest, SaysWhereARedirectLeads) {
  accept("a");
  ASSERT_TRUE(asked());
  answer({.status = 308, .headers = {{"Location", "https://b.example.org/"}}, .body = {}});
  run();
  EXPECT_EQ(forward_->status().state, ForwardState::held);
  EXPECT_EQ(forward_->status().problem,
            "the central relay central.example.org: it answered 308 and leads to "
            "https://b.example.org/");
}

TEST_F(ForwardTest, TriesAgainWhereAnAnswerBreaksOff) {
  accept("a");
  ASSERT_TRUE(asked());
  answer({.status = 202, .headers = {}, .body = R"({"accep)", .truncated = true});
  run();
  EXPECT_EQ(forward_->status().state, ForwardState::waiting);
  EXPECT_NE(forward_->status().problem.find("broke off"), std::string::npos);
  pass(3);
  EXPECT_EQ(drain(), Ids{"a"});
}

/// Nobody is away who says what an event lacks.
TEST_F(ForwardTest, HasNoProblemAfterAnAnswerAboutAnEvent) {
  accept("a");
  ASSERT_TRUE(asked());
  refuse(503);
  run();
  EXPECT_EQ(forward_->status().state, ForwardState::waiting);
  pass(3);
  ASSERT_TRUE(asked());
  refuse(422, R"(,"line":1)");
  run();
  EXPECT_EQ(forward_->status().state, ForwardState::idle);
  EXPECT_EQ(forward_->status().problem, "");
  EXPECT_EQ(forward_->status().set_aside, 1u);
}

/// A path that is not there tells nothing of an event.
TEST_F(ForwardTest, BelievesNo404ButThatOfAnEvent) {
  accept("a");
  pass(25 * 3600);
  restart();
  ASSERT_EQ(asked()->method, "GET");
  refuse(404, R"(,"detail":"There is no such path.")");
  EXPECT_FALSE(asked());
  EXPECT_EQ(forward_->status().state, ForwardState::held);
}

/// No path can name them.
TEST_F(ForwardTest, AsksForDotsWithAList) {
  accept("..");
  accept(".");
  pass(25 * 3600);
  restart();
  EXPECT_EQ(asked()->url.target, "/v1/events?id=..&source=app%2Fx");
  answer({.status = 200,
          .headers = {},
          .body = R"({"items":[{"id":"..","source":"app/x","type":"t"}],"next_cursor":null})"});
  EXPECT_EQ(asked()->url.target, "/v1/events?id=.&source=app%2Fx");
  answer({.status = 200, .headers = {}, .body = R"({"items":[],"next_cursor":null})"});
  EXPECT_EQ(ids_of(*asked()), Ids{"."});
}

TEST_F(ForwardTest, IsNotIdleBehindEvents) {
  accept("a");
  restart();
  EXPECT_EQ(forward_->status().state, ForwardState::sending);
  EXPECT_EQ(forward_->status().backlog, 1u);
}

/// Whoever answers 200 to everything has stored nothing.
TEST_F(ForwardTest, BelievesNoAnswerButThatOfARelay) {
  accept("a");
  accept("b");
  for (const char* body : {"", "ok", "[]", R"({"accepted":1})", R"({"accepted":2,"duplicates":1})",
                           R"({"accepted":18446744073709551615,"duplicates":3})"}) {
    ASSERT_TRUE(asked()) << body;
    answer({.status = 200, .headers = {}, .body = body});
    run();
    EXPECT_EQ(forward_->status().state, ForwardState::held) << body;
    pass(120);
  }
  EXPECT_EQ(drain(), (Ids{"a", "b"}));
}

TEST_F(ForwardTest, EndsCircles) {
  accept("far", 0, [](auto& view) { view.hops = 3; });
  accept("near");
  accept("round", 0, [](auto& view) { view.hops = http::hops_max; });
  auto request = asked();
  EXPECT_EQ(ids_of(*request), Ids{"far"});
  EXPECT_EQ(header_of(*request, std::string{http::hops_header}), "4");
  take(1);
  request = asked();
  EXPECT_EQ(ids_of(*request), Ids{"near"});
  EXPECT_EQ(header_of(*request, std::string{http::hops_header}), "1");
  take(1);
  EXPECT_EQ(drain(), Ids{});
  EXPECT_EQ(forward_->status().set_aside, 1u);
}

TEST_F(ForwardTest, PassesOverWhatIsNotWanted) {
  settings_.sources = {"app/*"};
  settings_.events = {"build/*"};
  forward_->set(settings_);
  accept("ping", 0, [](auto& view) { view.addressed = true; });
  accept("again", 0, [](auto& view) { view.redelivery_of = Ulid{{1}}; });
  accept("source", 0, [](auto& view) { view.source = "pipeline/x"; });
  accept("type", 0, [](auto& view) { view.type = "deploy/done"; });
  accept("wanted");
  EXPECT_EQ(drain(), Ids{"wanted"});
  accept("type", 0, [](auto& view) { view.type = "deploy/done"; });
  run();
  pass(60);
  EXPECT_EQ(drain(), Ids{});
  EXPECT_EQ(forward_->status().backlog, 0u);
}

/// As it came, whatever it was.
TEST_F(ForwardTest, ChangesNothing) {
  accept("a", 0, [](auto& view) {
    view.time = "2031-05-04T09:08:07.5+02:00";
    view.subject = "s \"q\"";
    view.branch = "main";
    view.ordering_key = "k";
    view.trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    view.extensions = R"({"cluster":"x","number":7})";
  });
  accept("text", 0, [](auto& view) {
    view.data = as_bytes("two\nlines");
    view.data_content_type = "text/plain";
  });
  accept("bytes", 0, [](auto& view) {
    view.data = as_bytes("\x01\xff");
    view.data_content_type = "application/x";
  });
  EXPECT_EQ(
      asked()->body,
      R"([{"specversion":"1.0","id":"a","source":"app/x","type":"build/finished",)"
      R"("time":"2031-05-04T09:08:07.5+02:00","subject":"s \"q\"","branch":"main",)"
      R"("orderingkey":"k","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",)"
      R"("cluster":"x","number":7,"data":{"build": 1.0}},)"
      R"({"specversion":"1.0","id":"text","source":"app/x","type":"build/finished","time":")" +
          to_rfc3339(at(0)) +
          R"(","datacontenttype":"text/plain","data":"two\nlines"},)"
          R"({"specversion":"1.0","id":"bytes","source":"app/x","type":"build/finished","time":")" +
          to_rfc3339(at(0)) + R"(","datacontenttype":"application/x","data_base64":"Af8="}])");
}

/// CloudEvents has no attribute that is an array.
TEST_F(ForwardTest, SendsSeveralTeamsNatively) {
  const auto teams = [](auto& view) { view.extensions = R"({"teams":["a","b"]})"; };
  accept("one", 0, teams);
  accept("two", 0, teams);
  accept("broken", 0, [&](auto& view) {
    teams(view);
    view.data = as_bytes("{\n}");
  });
  accept("none");
  auto request = asked();
  EXPECT_EQ(header_of(*request, "Content-Type"), "application/x-ndjson");
  EXPECT_EQ(ids_of(*request), (Ids{"one", "two"}));
  EXPECT_NE(request->body.find(R"("teams":["a","b"])"), std::string::npos);
  take(2);
  request = asked();
  EXPECT_EQ(header_of(*request, "Content-Type"), "application/json");
  take(1);
  EXPECT_EQ(ids_of(*asked()), Ids{"none"});
}

TEST_F(ForwardTest, NeedsSegmentsUntilTheyAreForwarded) {
  accept("a");
  EXPECT_TRUE(forward_->needs(0, 1));
  EXPECT_FALSE(forward_->needs(1, 1));
  journals_.on_sealed(0, 1);
  open_segment(0);
  accept("b");
  EXPECT_EQ(ids_of(*asked()), (Ids{"a", "b"}));
  EXPECT_TRUE(forward_->needs(0, 1));
  take(2);
  run();
  EXPECT_FALSE(forward_->needs(0, 1));
  settings_.url.reset();
  forward_->set(settings_);
  accept("c");
  EXPECT_FALSE(forward_->needs(0, 2));
  EXPECT_EQ(forward_->status().state, ForwardState::off);
}

TEST_F(ForwardTest, CountsWhatIsRemovedBeforeItWasForwarded) {
  settings_.batch_events_max = 1;
  forward_->set(settings_);
  for (int number = 0; number < 600; ++number) accept("old" + std::to_string(number));
  journals_.on_sealed(0, 1);
  open_segment(0);
  accept("new");
  ASSERT_TRUE(asked());
  refuse(503);
  run();
  forward_->on_removing(0, 1);
  const uint64_t lost = forward_->status().lost;
  EXPECT_GT(lost, 300u);
  forward_->on_removing(0, 1);
  EXPECT_EQ(forward_->status().lost, lost);
  journals_.expire(0, 2);
  history_.index.forget(0, 1);
  EXPECT_FALSE(forward_->needs(0, 1));
  pass(10);
  const Ids rest = drain();  // What was read ahead is not lost.
  EXPECT_EQ(rest.size() + lost, 601u);
  EXPECT_EQ(rest.back(), "new");
  restart();
  EXPECT_EQ(forward_->status().lost, lost);
  EXPECT_EQ(drain(), Ids{});
}

/// What is only in memory any more is lost when this run ends, and waits until then.
TEST_F(ForwardTest, CountsEachEventThatItHasNotSent) {
  settings_.batch_events_max = 100;
  forward_->set(settings_);
  for (int number = 0; number < 600; ++number) accept(std::to_string(number));
  journals_.on_sealed(0, 1);
  open_segment(0);
  for (int number = 600; number < 650; ++number) accept(std::to_string(number));
  const auto all = [&] { return forward_->status().lost + forward_->status().backlog; };
  ASSERT_TRUE(asked());
  refuse(503);
  run();
  EXPECT_EQ(all(), 650u);
  forward_->on_removing(0, 1);
  journals_.expire(0, 2);
  history_.index.forget(0, 1);
  EXPECT_EQ(all(), 650u);
  EXPECT_LT(forward_->status().lost, 600u);
  pass(10);
  ASSERT_EQ(ids_of(*asked()).size(), 100u);
  take(100);
  run();
  EXPECT_EQ(all(), 550u);
  restart();
  EXPECT_EQ(forward_->status().lost, 500u);
  EXPECT_EQ(forward_->status().backlog, 50u);
  EXPECT_EQ(drain().size(), 50u);
  EXPECT_EQ(all(), 500u);
}

/// As after a start with more shards, while a batch waits.
TEST_F(ForwardTest, CountsWhatAJournalLosesThatWasNotRead) {
  settings_.batch_events_max = 1;
  forward_->set(settings_);
  accept("a");
  accept("b");
  ASSERT_TRUE(asked());
  constexpr uint32_t added = journal_count;
  open_segment(added);
  for (int number = 0; number < 5; ++number) accept(std::to_string(number), added);
  journals_.on_sealed(added, 1);
  open_segment(added);
  EXPECT_EQ(forward_->status().backlog, 7u);
  forward_->on_removing(added, 1);
  journals_.expire(added, 2);
  history_.index.forget(added, 1);
  EXPECT_EQ(forward_->status().lost, 5u);
  EXPECT_EQ(forward_->status().backlog, 2u);
}

TEST_F(ForwardTest, BeginsWithWhatComesWhenItIsSwitchedOn) {
  store_ = Store::open(":memory:", {.keyring = Keyring{}.with_new_key()}).store;
  const auto url = std::exchange(settings_.url, std::nullopt);
  start();
  accept("before");
  EXPECT_EQ(drain(), Ids{});
  settings_.url = url;
  forward_->set(settings_);
  run();
  EXPECT_EQ(forward_->status().backlog, 0u);
  accept("after");
  EXPECT_EQ(drain(), Ids{"after"});
}

TEST(ForwardPlaces, AreReadAsTheyWereWritten) {
  const ForwardPlaces places{{0, {Position::make(0, 3, 4096), 7}},
                             {200, {Position::make(200, 1, 0), 0}}};
  EXPECT_EQ(parse_forward_places(to_text(places)), places);
  EXPECT_EQ(parse_forward_places(""), ForwardPlaces{});
  for (const char* text : {"x", "0", "0:1", "0:1:2", "1:268435456:0", "0:268435456:", " "}) {
    EXPECT_FALSE(parse_forward_places(text)) << text;
  }
}

}  // namespace
}  // namespace ringpost::control
