#include "control/streams.h"

#include "control_fixture.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

// Goal: whoever listens hears of every delivery that it may see and wants, once, in the order in
// which they ended, and after a pause goes on where it was; whoever does not listen well, or may
// not any more, is cut off.
// Method: the control side with shards that take what they are sent when the test says so.

namespace ringpost::control {
namespace {

using journal::DeliveryStatus;
using namespace ringpost::control::testing;

/// One event of a stream: its fields.
struct Told {
  std::string event;
  std::string id;
  std::string data;
  std::string comment;
};

std::vector<Told> parse(std::string_view text) {
  std::vector<Told> all;
  while (!text.empty()) {
    const size_t end = text.find("\n\n");
    EXPECT_NE(end, std::string_view::npos) << text;
    if (end == std::string_view::npos) break;
    std::string_view lines = text.substr(0, end + 1);
    text.remove_prefix(end + 2);
    Told& told = all.emplace_back();
    while (!lines.empty()) {
      const std::string_view line = lines.substr(0, lines.find('\n'));
      lines.remove_prefix(line.size() + 1);
      if (line.starts_with("event: ")) told.event = line.substr(7);
      if (line.starts_with("id: ")) told.id = line.substr(4);
      if (line.starts_with("data: ")) told.data = line.substr(6);
      if (line.starts_with(": ")) told.comment = line.substr(2);
    }
  }
  return all;
}

class StreamsTest : public ControlTest {
 protected:
  StreamsTest() {
    journals_.files = {{0, 1, true}, {1, 1, true}};
    webhook_ = make_webhook();
    number_ = number_of(webhook_);
  }

  /// @returns the handle's index; the answer is in `response_`, if it is none of a stream.
  uint32_t open(const std::string& query = {}, const std::string& last_id = {},
                const std::string& token = "admin-token") {
    auto request = std::make_unique<http::Request>();
    request->method = "GET";
    request->target = request->path = "/v1/stream";
    request->query = query;
    request->headers.push_back({"Authorization", "Bearer " + token});
    if (!last_id.empty()) request->headers.push_back({"Last-Event-ID", last_id});
    const http::RequestHandle handle{.index = next_handle_++};
    tell(0, ApiRequest{handle, std::move(request), {}});
    if (const auto opened = post_.take<StreamOpened>(0)) {
      response_ = *opened->head;
    } else {
      response_ = *post_.take<ApiReply>(0)->response;
    }
    return handle.index;
  }
  void open_refused(uint16_t status, const std::string& query, const std::string& last_id = {},
                    const std::string& token = "admin-token") {
    open(query, last_id, token);
    EXPECT_EQ(response_.status, status) << query << ' ' << response_.body;
    EXPECT_EQ(header_of(response_, "Content-Type"), "(absent)");
  }
  /// Some turns, a second each. @returns what the stream was told, all of it taken.
  std::vector<Told> listen(uint32_t index, int turns = 4) {
    std::string text;
    for (int turn = 0; turn < turns; ++turn) {
      step();
      text += take(index);
    }
    return parse(text);
  }
  void step() {
    ++clock_;
    control_->step(at(clock_), monotonic(clock_));
  }
  /// What is on its way to the client, which takes it.
  std::string take(uint32_t index, bool says_so = true) {
    std::string text;
    std::deque<ToShard> others;
    for (ToShard& message : post_.sent[0]) {
      const auto* piece = std::get_if<StreamPiece>(&message);
      if (piece == nullptr || piece->handle.index != index) {
        others.push_back(std::move(message));
        continue;
      }
      text += piece->bytes;
      if (piece->last) ended_streams_.push_back(index);
    }
    post_.sent[0] = std::move(others);
    if (says_so && !text.empty()) tell(0, StreamTaken{{.index = index}, text.size()});
    return text;
  }
  /// One that ends, with its record in this segment of the journal 1. @returns its id.
  Ulid deliver_in(uint32_t segment) {
    const auto event = accept(number_);
    const journal::OutcomeView view{.delivery = journal::delivery_id(event->view().uid, number_),
                                    .event = event->position(),
                                    .webhook_number = number_,
                                    .attempt = 1,
                                    .status = DeliveryStatus::delivered};
    const auto position = journal::Position::make(1, segment, 8192);
    journals_.put_outcome(view, position);
    tell(1, OutcomeRecorded{.delivery = view.delivery,
                            .event = view.event,
                            .position = position,
                            .webhook_number = number_,
                            .attempt = 1,
                            .status = DeliveryStatus::delivered});
    return view.delivery;
  }
  /// One that ends. @returns its id.
  std::string deliver(DeliveryStatus status = DeliveryStatus::delivered, uint16_t http_status = 200,
                      const std::string& type = "build/finished", uint32_t attempt = 1) {
    const auto event = accept(number_, {}, type);
    return settle_delivery(event, status, attempt, http_status).to_text();
  }
  static std::vector<std::string> ids(const std::vector<Told>& all) {
    std::vector<std::string> ids;
    for (const Told& told : all) {
      if (!told.data.empty() && told.event != "notice") ids.push_back(Json(told.data).text("/id"));
    }
    return ids;
  }

  std::string webhook_;
  uint32_t number_ = 0;
  uint32_t next_handle_ = 1;
  http::Response response_;
  std::vector<uint32_t> ended_streams_;
};

TEST_F(StreamsTest, TellOfDeliveriesAsTheyEnd) {
  deliver();  // Before anybody listened.
  const uint32_t stream = open();
  EXPECT_EQ(response_.status, 200);
  EXPECT_EQ(response_.content_type, "text/event-stream");
  EXPECT_EQ(header_of(response_, "X-Accel-Buffering"), "no");
  const auto first = listen(stream);
  ASSERT_EQ(first.size(), 1u);  // A place to go on from, at once.
  EXPECT_FALSE(first[0].id.empty());
  EXPECT_EQ(first[0].data, "");

  const std::string one = deliver();
  deliver(DeliveryStatus::pending, 500);  // There will be another attempt.
  const std::string two = deliver(DeliveryStatus::dead, 503);
  const auto told = listen(stream);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].event, "delivery");
  Json json(told[0].data);
  EXPECT_EQ(json.text("/id"), one);
  EXPECT_EQ(json.text("/webhook"), webhook_);
  EXPECT_EQ(json.text("/status"), "delivered");
  EXPECT_EQ(json.text("/event/type"), "build/finished");
  EXPECT_EQ(json.number("/attempt_count"), 1);
  EXPECT_EQ(json.number("/last_attempt/response_status"), 200);
  EXPECT_EQ(json.number("/last_attempt/duration_ms"), 12);
  EXPECT_EQ(Json(told[1].data).text("/id"), two);
  EXPECT_EQ(Json(told[1].data).text("/last_attempt/error/code"), "bad_status");
  EXPECT_NE(told[0].id, told[1].id);
  EXPECT_EQ(journals_.passages, 0u);  // Nothing of it was read from the journals.
}

TEST_F(StreamsTest, TellOfFailedAttemptsWhenAsked) {
  const uint32_t both = open("attempts=true");
  const uint32_t failures = open("status=pending");
  listen(both);
  listen(failures);
  const std::string failed = deliver(DeliveryStatus::pending, 500);
  const std::string ended = deliver();
  const auto told = listen(both);
  EXPECT_EQ(ids(told), (std::vector{failed, ended}));
  EXPECT_EQ(told[0].event, "attempt");
  EXPECT_EQ(told[1].event, "delivery");
  EXPECT_EQ(ids(listen(failures)), std::vector{failed});
}

TEST_F(StreamsTest, ShowWhatTheFiltersMean) {
  const std::string other = make_webhook();
  const struct {
    std::string query;
    std::vector<size_t> wanted;
  } cases[] = {
      {"", {0, 1, 2, 3}},
      {"webhook=" + webhook_, {0, 1, 2}},
      {"webhook=" + other, {3}},
      {"status=dead", {1}},
      {"status=cancelled", {2}},
      {"error=bad_status", {1}},
      {"error=timed_out", {}},
      {"response_status=5xx", {1}},
      {"response_status=200", {0, 3}},
      {"type=build/finished", {1, 2, 3}},
      {"type=build/started", {0}},
      {"source=app/x", {0, 1, 2, 3}},
      {"source=app/y", {}},
      {"type=build/started&status=delivered&webhook=" + webhook_, {0}},
  };
  std::vector<uint32_t> streams;
  for (const auto& one : cases) {
    streams.push_back(open(one.query));
    EXPECT_EQ(response_.status, 200) << one.query;
    take(streams.back());
  }
  std::vector<std::string> all;
  all.push_back(deliver(DeliveryStatus::delivered, 200, "build/started"));
  all.push_back(deliver(DeliveryStatus::dead, 503));
  all.push_back(deliver(DeliveryStatus::cancelled, 0, "build/finished", 0));
  all.push_back(settle_delivery(accept(number_of(other)), DeliveryStatus::delivered).to_text());
  for (int turn = 0; turn < 8; ++turn) step();
  for (size_t index = 0; index < streams.size(); ++index) {
    std::vector<std::string> wanted;
    for (const size_t place : cases[index].wanted) wanted.push_back(all[place]);
    EXPECT_EQ(ids(parse(take(streams[index]))), wanted) << cases[index].query;
  }
}

TEST_F(StreamsTest, RefuseWhatMakesNoSense) {
  open_refused(400, "status=in_flight");
  open_refused(400, "status=done");
  open_refused(400, "attempts=yes");
  open_refused(400, "since=2031-05-04T09:08:07Z");
  open_refused(400, "limit=5");
  open_refused(400, "cursor=abc");
  open_refused(400, "webhook=" + Ulid::mint(at(0), random_).to_text());
  open_refused(400, "", "no cursor");
  open_refused(400, "", "l00000000");
}

// What is told of a delivery at the moment when it ends is told whatever its age; who comes back
// later hears of it no more.
TEST_F(StreamsTest, TellWhoComesBackNothingThatIsTooOldForItsOrganization) {
  settings_.retention.organization_ages = {{"default", std::chrono::seconds{600}}};
  control_->reconfigure(settings_);
  const uint32_t first = open("attempts=true");
  const std::string begin = listen(first)[0].id;
  tell(0, StreamGone{{.index = first}});
  deliver();
  const auto waiting = accept(number_);
  const std::string failed = settle_delivery(waiting, DeliveryStatus::pending, 1, 500).to_text();
  clock_ += 600;
  const std::string newer = deliver();
  const uint32_t second = open("attempts=true", begin);
  EXPECT_EQ(ids(listen(second)), (std::vector{failed, newer}));
  const std::string ended = settle_delivery(waiting, DeliveryStatus::delivered, 2).to_text();
  const auto told = listen(second);
  EXPECT_EQ(ids(told), std::vector{ended});
  EXPECT_EQ(Json(told[0].data).text("/event/type"), "build/finished");
  tell(0, StreamGone{{.index = second}});
  EXPECT_EQ(ids(listen(open("attempts=true", begin))), std::vector{newer});
}

TEST_F(StreamsTest, GoOnBehindTheLastEvent) {
  const uint32_t first = open("type=build/finished");
  listen(first);
  const std::string one = deliver();
  const auto told = listen(first);
  ASSERT_EQ(told.size(), 1u);
  tell(0, StreamGone{{.index = first}});
  const std::string two = deliver();
  deliver(DeliveryStatus::pending, 500);
  deliver(DeliveryStatus::delivered, 200, "other");
  const std::string three = deliver(DeliveryStatus::dead, 500);
  const uint32_t second = open("type=build/finished", told[0].id);
  ASSERT_EQ(response_.status, 200) << response_.body;
  const auto missed = listen(second, 6);
  EXPECT_EQ(ids(missed), (std::vector{two, three}));
  EXPECT_GT(journals_.passages, 0u);
  const std::string four = deliver();
  EXPECT_EQ(ids(listen(second)), std::vector{four});
  // From any event on, and also after a restart.
  const uint32_t third = open("type=build/finished", missed[1].id);
  EXPECT_EQ(ids(listen(third, 6)), (std::vector{three, four}));
  restart();
  journals_.files = {{0, 1, false}, {0, 2, true}, {1, 1, false}, {1, 2, true}};
  const uint32_t fourth = open("type=build/finished", missed[1].id);
  ASSERT_EQ(response_.status, 200) << response_.body;
  EXPECT_EQ(ids(listen(fourth, 6)), (std::vector{three, four}));
  const std::string five = deliver();
  EXPECT_EQ(ids(listen(fourth)), std::vector{five});
}

TEST_F(StreamsTest, GoOnOnlyWhereTheIdIsFrom) {
  const uint32_t stream = open("type=build/finished");
  const std::string id = listen(stream).at(0).id;
  open_refused(400, "", id);
  open_refused(400, "type=build/started", id);
  std::string damaged = id;
  damaged[3] = damaged[3] == '0' ? '1' : '0';
  open_refused(400, "type=build/finished", damaged);
  open_refused(400, "type=build/finished", id + "0");
  open("type=build/finished", id);
  EXPECT_EQ(response_.status, 200);
}

TEST_F(StreamsTest, SayWhereSomethingIsMissing) {
  journals_.files = {{0, 1, true}, {1, 1, true}};
  const uint32_t stream = open();
  const std::string id = listen(stream).at(0).id;
  deliver();
  // Everything of that time goes.
  journals_.files = {{0, 1, true}, {1, 4, true}};
  history_.index.begin(1, 4);
  journals_.outcomes.clear();
  journals_.expired[1] = 4;
  const Ulid delivery = deliver_in(4);
  const uint32_t again = open("", id);
  const auto told = listen(again, 8);
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[1].event, "notice");
  EXPECT_EQ(Json(told[1].data).text("/code"), "gap");
  EXPECT_EQ(Json(told[2].data).text("/id"), delivery.to_text());
}

TEST_F(StreamsTest, SayNothingOfSegmentsThatWereNeverWritten) {
  journals_.files = {{0, 1, true}, {1, 1, true}};
  const uint32_t stream = open();
  const std::string id = listen(stream).at(0).id;
  // A restart leaves out what holds nothing.
  journals_.files = {{0, 1, true}, {1, 2, true}};
  history_.index.begin(1, 2);
  journals_.outcomes.clear();
  const Ulid delivery = deliver_in(2);
  const uint32_t again = open("", id);
  const auto told = listen(again, 8);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(Json(told[1].data).text("/id"), delivery.to_text());
}

// A relay that was restored from a backup has others under the numbers of segments that came after
// it, or none yet.
TEST_F(StreamsTest, TellAllThatWasWrittenAfterABackupWasRestored) {
  for (const uint32_t before : {3u, 9u}) {
    SCOPED_TRACE(before);
    journals_.files = {{0, 1, true}, {1, 1, false}, {1, before, true}};
    history_.index.begin(1, before);
    const uint32_t stream = open();
    listen(stream);
    deliver_in(before);
    const auto told = listen(stream);
    ASSERT_EQ(told.size(), 1u);
    restart();
    journals_.outcomes.clear();
    journals_.files = {{0, 1, true}, {1, 1, false}, {1, 2, false}, {1, 3, false}, {1, 4, true}};
    journals_.created = {{{1, 3}, at(100)}, {{1, 4}, at(101)}};
    for (const uint32_t segment : {2u, 3u, 4u}) history_.index.begin(1, segment);
    deliver_in(2);  // It was told.
    const std::string one = deliver_in(3).to_text();
    const std::string two = deliver_in(4).to_text();
    const auto again = listen(open("", told[0].id), 8);
    ASSERT_GE(again.size(), 2u);
    EXPECT_EQ(again[1].event, "notice");
    EXPECT_EQ(Json(again[1].data).text("/code"), "gap");
    EXPECT_EQ(ids(again), (std::vector{one, two}));
    // From then on nothing is missing.
    EXPECT_EQ(ids(listen(open("", again[2].id), 8)), std::vector{two});
    EXPECT_EQ(listen(open("", again[2].id), 8)[1].event, "delivery");
    journals_.created.clear();
    restart();
  }
}

// A start makes a segment anew that nothing was written to; its clock may have been set back.
TEST_F(StreamsTest, GoOnInASegmentThatAStartMadeAnew) {
  for (const int64_t created : {100, -100}) {
    SCOPED_TRACE(created);
    const std::string id = listen(open()).at(0).id;
    restart();
    journals_.created[{1, 1}] = at(created);
    const std::string one = deliver();
    const auto told = listen(open("", id), 8);
    EXPECT_EQ(ids(told), std::vector{one});
    if (created > 0) {
      EXPECT_EQ(told.at(1).event, "delivery");
    }
    journals_.created.clear();
    journals_.outcomes.clear();
    restart();
  }
}

TEST_F(StreamsTest, KeepToTheOrganizationAndTheSourcesOfTheToken) {
  add_token("theirs", "other", static_cast<uint8_t>(subscription::Scope::deliveries_read));
  add_token("writer", "default", static_cast<uint8_t>(subscription::Scope::webhooks_read));
  open_refused(403, "", "", "writer");
  const uint32_t theirs = open("", "", "theirs");
  take(theirs);
  open_refused(400, "webhook=" + webhook_, "", "theirs");
  const auto minted =
      made(ask("POST", "/v1/tokens",
               R"({"name": "y", "scopes": ["deliveries:read"], "sources": ["app/y"]})"));
  const uint32_t restricted = open("", "", minted.text);
  take(restricted);
  deliver();
  for (int turn = 0; turn < 4; ++turn) step();
  EXPECT_EQ(ids(parse(take(theirs))).size(), 0u);
  EXPECT_EQ(ids(parse(take(restricted))).size(), 0u);
}

TEST_F(StreamsTest, EndWithTheToken) {
  const auto minted =
      made(ask("POST", "/v1/tokens", R"({"name": "t", "scopes": ["deliveries:read"]})"));
  const uint32_t stream = open("", "", minted.text);
  listen(stream);
  EXPECT_EQ(ask("DELETE", "/v1/tokens/" + minted.id).status, 204);
  deliver();
  const auto told = listen(stream);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].event, "notice");
  EXPECT_EQ(Json(told[0].data).text("/code"), "signed_out");
  EXPECT_EQ(ended_streams_, std::vector{stream});
}

TEST_F(StreamsTest, AreBoundedInNumber) {
  Control::Settings settings;
  settings.streams = {.count_max = 3, .per_organization_max = 2};
  control_->reconfigure(settings);
  add_token("theirs", "other", static_cast<uint8_t>(subscription::Scope::deliveries_read));
  add_token("more", "third", static_cast<uint8_t>(subscription::Scope::deliveries_read));
  const uint32_t first = open();
  open();
  open_refused(429, "");
  EXPECT_EQ(Json(response_.body).text("/type"), "urn:ringpost:too-many-streams");
  open("", "", "theirs");
  EXPECT_EQ(response_.status, 200);
  open_refused(503, "", "", "more");
  tell(0, StreamGone{{.index = first}});
  open("", "", "more");
  EXPECT_EQ(response_.status, 200);
}

TEST_F(StreamsTest, SaySomethingNowAndThen) {
  const uint32_t stream = open();
  const auto told = listen(stream, 60);
  ASSERT_EQ(told.size(), 5u);
  EXPECT_EQ(told[1].comment, "still here");
  EXPECT_EQ(told[1].id, told[0].id);
  EXPECT_EQ(told[1].data, "");
}

/// A client that is slow costs no more memory than its window, and loses nothing.
TEST_F(StreamsTest, WaitForAClientThatIsSlow) {
  const uint32_t stream = open();
  std::vector<std::string> all;
  for (int one = 0; one < 300; ++one) all.push_back(deliver());
  std::vector<std::string> heard;
  for (int turn = 0; turn < 60 && heard.size() < all.size(); ++turn) {
    for (int idle = 0; idle < 10; ++idle) step();  // In which nothing is taken.
    const std::string text = take(stream);
    EXPECT_LT(text.size(), Streams::window_bytes + 2000);
    const auto told = ids(parse(text));
    heard.insert(heard.end(), told.begin(), told.end());
  }
  EXPECT_EQ(heard, all);
}

TEST_F(StreamsTest, CutOffAClientThatTakesNothing) {
  const uint32_t stream = open();
  for (int one = 0; one < 300; ++one) deliver();
  for (int turn = 0; turn < 60; ++turn) step();
  const auto told = parse(take(stream));
  EXPECT_EQ(told.back().event, "notice");
  EXPECT_EQ(Json(told.back().data).text("/code"), "too_slow");
  EXPECT_EQ(ended_streams_, std::vector{stream});
  // And goes on where it was.
  const uint32_t again = open("", told[told.size() - 2].id);
  const auto rest = ids(listen(again, 60));
  EXPECT_EQ(rest.size() + told.size() - 2, 300u);
}

/// More than is kept in memory: the journals have it.
TEST_F(StreamsTest, LoseNothingWhenTheyFallFarBehind) {
  const uint32_t stream = open();
  take(stream, false);
  const size_t count = Streams::recent_max + 500;
  std::vector<std::string> all;
  for (size_t one = 0; one < count; ++one) all.push_back(deliver());
  std::vector<std::string> heard;
  for (int turn = 0; turn < 2000 && heard.size() < count; ++turn) {
    const auto told = ids(listen(stream, 1));
    heard.insert(heard.end(), told.begin(), told.end());
  }
  EXPECT_EQ(heard, all);
}

TEST_F(StreamsTest, AskForNoTimeWhileNobodyListens) {
  deliver();
  step();
  const auto before = control_->next_due();
  const uint32_t stream = open();
  step();
  ASSERT_TRUE(control_->next_due());
  EXPECT_LE(*control_->next_due(), monotonic(clock_) + Streams::heartbeat_interval);
  tell(0, StreamGone{{.index = stream}});
  step();
  EXPECT_EQ(before.has_value(), control_->next_due().has_value());
}

}  // namespace
}  // namespace ringpost::control
