#include "control/tracing.h"

#include "control_fakes.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

// Goal: the collector gets each span once, in batches; whatever it does, nothing grows without
// bound, and what it does not get is counted.
// Method: a clock of the test's own, and a collector that answers what the test tells it to.

namespace ringpost::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakePost;

class TracingTest : public ::testing::Test {
 protected:
  TracingTest() { tracing_.set(settings()); }

  static TracingSettings settings() {
    TracingSettings made;
    made.endpoint = std::get<http::Url>(http::parse_url("https://otlp.example.org/v1/traces"));
    made.headers = {{"x-api-key", "hush"}};
    made.resource = {{"service.name", "ringpost"}};
    return made;
  }

  void accept(int count, const std::string& subject = {}) {
    for (int i = 0; i < count; ++i) {
      const std::string id = std::to_string(++ids_);
      tracing_.on_event({.uid = Ulid::mint(from_unix_ns(1), random_),
                         .organization = "default",
                         .id = id,
                         .source = "app/x",
                         .type = "build/finished",
                         .subject = subject},
                        WallTime{}, now_);
    }
  }
  void step(Duration after = {}) {
    now_ += after;
    calls_.finish();
    tracing_.step(WallTime{now_.time_since_epoch()}, now_);
    while (auto message = post_.take<SendCall>(0)) sent_.push_back(std::move(*message));
  }
  /// How many spans the last request has.
  static int64_t spans_of(const net::ClientRequest& request) {
    int64_t count = 0;
    for (size_t at = request.body.find("\"traceId\""); at != std::string::npos;
         at = request.body.find("\"traceId\"", at + 1)) {
      ++count;
    }
    return count;
  }
  void answer(uint16_t status, const std::string& body = "{}",
              std::vector<http::Header> headers = {}) {
    auto made = std::make_unique<net::ClientAnswer>();
    made->status = status;
    made->body = body;
    made->headers = std::move(headers);
    calls_.on_answered({sent_.back().ticket, std::move(made)});
    step();
  }
  void fail(Errc code) {
    auto made = std::make_unique<net::ClientAnswer>();
    made->error = Error{code, Side::endpoint};
    calls_.on_answered({sent_.back().ticket, std::move(made)});
    step();
  }

  Prng random_{1};
  FakePost post_{1};
  OutgoingCalls calls_{post_, 1};
  int wakes_ = 0;
  Tracing tracing_{calls_, random_, [this] { ++wakes_; }};
  Instant now_ = Instant{} + seconds{100};
  std::vector<SendCall> sent_;
  int ids_ = 0;
};

TEST_F(TracingTest, SendsABatchAfterASecond) {
  accept(3);
  EXPECT_EQ(wakes_, 1) << "the first of a batch";
  step(milliseconds{999});
  EXPECT_TRUE(sent_.empty());
  EXPECT_EQ(tracing_.due(), now_ + milliseconds{1});
  step(milliseconds{1});
  ASSERT_EQ(sent_.size(), 1u);
  const net::ClientRequest& request = *sent_[0].request;
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url.text(), "https://otlp.example.org/v1/traces");
  EXPECT_TRUE(request.operator_named);
  EXPECT_EQ(request.headers[0].value, "hush");
  EXPECT_EQ(spans_of(request), 3);
  EXPECT_NE(request.body.find(R"({"key":"service.instance.id","value":{"stringValue":")"),
            std::string::npos);
  EXPECT_EQ(tracing_.due(), std::nullopt) << "one request at a time";
  accept(1);
  step(seconds{10});
  EXPECT_EQ(sent_.size(), 1u);
  answer(200);
  EXPECT_EQ(tracing_.status().exported, 3u);
  step(seconds{1});
  ASSERT_EQ(sent_.size(), 2u);
  EXPECT_EQ(spans_of(*sent_[1].request), 1);
}

TEST_F(TracingTest, AFullBatchGoesAtOnce) {
  accept(Tracing::batch_spans_max + 1);
  step();
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_EQ(spans_of(*sent_[0].request), int64_t{Tracing::batch_spans_max});
}

TEST_F(TracingTest, ABatchOfLargeSpansHasFewer) {
  accept(Tracing::batch_spans_max, std::string(8000, 'x'));
  step();
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_LE(sent_[0].request->body.size(), Tracing::batch_bytes_max + 10'000);
}

TEST_F(TracingTest, WhatDoesNotFitIsDroppedAndCounted) {
  accept(Tracing::queued_spans_max + 5);
  EXPECT_EQ(tracing_.status().queued, Tracing::queued_spans_max);
  EXPECT_EQ(tracing_.status().dropped_full, 5u);
}

TEST_F(TracingTest, TheQueueIsBoundedInBytes) {
  accept(Tracing::queued_spans_max, std::string(8000, 'x'));
  EXPECT_LE(tracing_.status().queued * 8000, Tracing::queued_bytes_max);
  EXPECT_EQ(tracing_.status().queued + tracing_.status().dropped_full, Tracing::queued_spans_max);
}

TEST_F(TracingTest, WhatIsNotSampledIsNoSpan) {
  TracingSettings none = settings();
  none.sample_ratio = 0;
  tracing_.set(none);
  accept(3);
  EXPECT_EQ(tracing_.status().queued, 0u);
  EXPECT_EQ(wakes_, 0);
}

TEST_F(TracingTest, TriesAgainWhatPasses) {
  for (const uint16_t status : std::initializer_list<uint16_t>{429, 502, 503, 504}) {
    accept(1);
    step(seconds{1});
    const size_t before = sent_.size();
    answer(status);
    EXPECT_EQ(sent_.size(), before) << "not at once";
    step(Tracing::pause_max);
    ASSERT_EQ(sent_.size(), before + 1) << status;
    EXPECT_EQ(sent_[before].request->body, sent_[before - 1].request->body);
    answer(200);
  }
  EXPECT_EQ(tracing_.status().exported, 4u);
  EXPECT_EQ(tracing_.status().problem, "");
}

TEST_F(TracingTest, WaitsAsLongAsItIsAsked) {
  accept(1);
  step(seconds{1});
  answer(503, "", {{"Retry-After", "120"}});
  EXPECT_EQ(tracing_.due(), now_ + seconds{120});
  step(seconds{120});
  answer(503, "", {{"Retry-After", "99999"}});
  accept(1);
  EXPECT_EQ(tracing_.due(), now_ + Tracing::asked_pause_max);
}

TEST_F(TracingTest, GivesABatchUpWhileTheCollectorIsAway) {
  accept(2);
  step(seconds{1});
  const Instant begin = now_;
  while (tracing_.status().dropped_away == 0) {
    ASSERT_LT(now_ - begin, Tracing::tried_for_max + 2 * Tracing::pause_max);
    fail(Errc::refused);
    if (const auto due = tracing_.due()) step(*due - now_);
  }
  EXPECT_EQ(tracing_.status().dropped_away, 2u);
  EXPECT_EQ(tracing_.status().queued, 0u);
  EXPECT_NE(tracing_.status().problem.find("otlp.example.org"), std::string::npos);
  accept(1);  // A newer one gets its turn, no sooner than the pause allows.
  EXPECT_GT(*tracing_.due(), now_);
  step(*tracing_.due() - now_ + Tracing::batch_delay_max);
  answer(200);
  EXPECT_EQ(tracing_.status().exported, 1u);
}

TEST_F(TracingTest, DropsWhatIsRefused) {
  for (const uint16_t status : std::initializer_list<uint16_t>{400, 401, 404, 413, 500, 301}) {
    accept(1);
    step(seconds{1});
    const size_t before = sent_.size();
    answer(status, R"({"code":3,"message":"no x-api-key hush\nhere"})");
    step(seconds{60});
    EXPECT_EQ(sent_.size(), before) << status;
    EXPECT_EQ(tracing_.status().problem, "the collector otlp.example.org answered " +
                                             std::to_string(status) + ": no x-api-key ***** here");
  }
  EXPECT_EQ(tracing_.status().dropped_refused, 6u);
  EXPECT_EQ(tracing_.status().exported, 0u);
}

TEST_F(TracingTest, CountsWhatWasRefusedOfABatch) {
  accept(10);
  step(seconds{1});
  answer(200, R"({"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}})");
  EXPECT_EQ(tracing_.status().exported, 7u);
  EXPECT_EQ(tracing_.status().dropped_refused, 3u);
  EXPECT_EQ(tracing_.status().problem, "the collector refused 3 spans: too old");
  accept(1);
  step(seconds{1});
  answer(200, R"({"partialSuccess":{"rejectedSpans":99}})");
  EXPECT_EQ(tracing_.status().dropped_refused, 4u) << "no more than there were";
  accept(1);
  step(seconds{1});
  answer(200, "");
  EXPECT_EQ(tracing_.status().problem, "");
}

TEST_F(TracingTest, AnAnswerMayBeAnything) {
  for (const std::string body : {"", "[]", "null", "{\"partialSuccess\":7}", "\xff\xfe", "{{{{",
                                 "{\"partialSuccess\":{\"rejectedSpans\":-1}}"}) {
    accept(1);
    step(seconds{1});
    answer(200, body);
  }
  EXPECT_EQ(tracing_.status().exported, 7u);
}

TEST_F(TracingTest, SwitchedOffItHasNothing) {
  accept(3);
  tracing_.set({});
  EXPECT_EQ(tracing_.status().queued, 0u);
  EXPECT_EQ(tracing_.status().dropped_away, 3u);
  EXPECT_EQ(tracing_.due(), std::nullopt);
  step(seconds{10});
  EXPECT_TRUE(sent_.empty());
}

TEST_F(TracingTest, SwitchedOffWhileABatchIsOnItsWay) {
  accept(3);
  step(seconds{1});
  tracing_.set({});
  answer(200);
  EXPECT_EQ(tracing_.status().queued, 0u);
  EXPECT_EQ(tracing_.due(), std::nullopt);
}

TEST_F(TracingTest, AStopOfTheRelayIsNoProblem) {
  accept(1);
  step(seconds{1});
  fail(Errc::cancelled);
  EXPECT_EQ(tracing_.status().problem, "");
}

}  // namespace
}  // namespace ringpost::control
