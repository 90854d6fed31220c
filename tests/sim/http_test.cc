// Goal: the receiver and the producer say what happened, and misbehave as told.
// Method: they talk to each other, and to scripted peers that write raw bytes.

#include "sim/http_producer.h"
#include "sim/http_receiver.h"
#include "sim/peer.h"
#include "sim/world.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

namespace ringpost::sim {
namespace {

using Answer = HttpReceiver::Answer;
using State = HttpProducer::Exchange::State;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

const io::Address there = address("10.0.0.2", 80);

std::vector<HttpMessage> read_all(HttpReader::Kind kind, std::string_view bytes, size_t step) {
  HttpReader reader(kind);
  std::vector<HttpMessage> messages;
  for (size_t at = 0; at < bytes.size(); at += step) {
    reader.push(bytes.substr(at, step));
    while (auto message = reader.next()) messages.push_back(std::move(*message));
  }
  EXPECT_FALSE(reader.broken());
  EXPECT_FALSE(reader.midway());
  return messages;
}

TEST(HttpReader, ReadsTheSameHoweverTheBytesAreCut) {
  const std::string_view bytes =
      "POST /a HTTP/1.1\r\nHost: x\r\ncontent-length: 3\r\nEmpty:\r\n\r\nabc"
      "GET /b HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n"
      "Trailer: t\r\n\r\n"
      "POST /d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  for (size_t step = 1; step <= bytes.size(); ++step) {
    const auto messages = read_all(HttpReader::Kind::request, bytes, step);
    ASSERT_EQ(messages.size(), 4u) << "step " << step;
    EXPECT_EQ(messages[0].method(), "POST");
    EXPECT_EQ(messages[0].target(), "/a");
    EXPECT_EQ(messages[0].body, "abc");
    EXPECT_TRUE(messages[0].has_header("empty"));
    EXPECT_EQ(messages[1].target(), "/b");
    EXPECT_EQ(messages[2].body, "hello");
    EXPECT_EQ(messages[3].body, "");
  }
}

TEST(HttpReader, PassesOverInterimResponsesAndReadsToTheEndWithoutLength) {
  HttpReader reader(HttpReader::Kind::response);
  reader.push("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\n\r\nall of");
  EXPECT_EQ(reader.next()->status(), 204);
  EXPECT_FALSE(reader.next());
  reader.push(" it");
  reader.end_of_stream();
  const auto last = reader.next();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->body, "all of it");
}

TEST(HttpReader, RefusesWhatCanBeReadInTwoWays) {
  for (const std::string_view bytes : {
           "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
           "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
           "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
           "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
           "POST / HTTP/1.1\r\nContent-Length : 1\r\n\r\n",
           "POST / HTTP/1.1\r\nno colon\r\n\r\n",
           "POST / HTTP/2\r\n\r\n",
           "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
           "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
       }) {
    HttpReader reader(HttpReader::Kind::request);
    reader.push(bytes);
    EXPECT_FALSE(reader.next()) << bytes;
    EXPECT_TRUE(reader.broken()) << bytes;
  }
}

TEST(HttpReceiver, RecordsRequestsAndAnswersThemInOrder) {
  World world({});
  HttpReceiver receiver(world, there, [](const HttpReceiver::Request& request) {
    return Answer{.status = 202, .body = "to " + request.body(), .delay = milliseconds{5}};
  });
  HttpProducer producer(world, {.to = there, .connections = 1, .headers = {{"X-Token", "t"}}});
  producer.post("/one", "1", {{"X-Own", "o"}});
  producer.post("/two", "2");
  ASSERT_TRUE(world.run_until([&] { return producer.open_count() == 0; }, seconds{5}));
  ASSERT_EQ(receiver.requests().size(), 2u);
  EXPECT_EQ(receiver.requests()[0].target(), "/one");
  EXPECT_EQ(receiver.requests()[0].header("x-token"), "t");
  EXPECT_EQ(receiver.requests()[0].header("x-own"), "o");
  EXPECT_EQ(receiver.requests()[1].body(), "2");
  EXPECT_EQ(producer.exchanges()[1].status(), 202);
  EXPECT_EQ(producer.exchanges()[1].answer.body, "to 2");
  EXPECT_GE(producer.exchanges()[1].ended_at - producer.exchanges()[1].sent_at, milliseconds{5});
  EXPECT_EQ(receiver.connection_count(), 1u);  // Kept.
}

TEST(HttpReceiver, AnswersPipelinedRequestsOneByOne) {
  World world({});
  HttpReceiver receiver(world, there, [](const HttpReceiver::Request& request) {
    return Answer{.body = std::string{request.target()}, .delay = milliseconds{3}};
  });
  Peer peer(world, there);
  peer.send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n");
  world.run_for(seconds{1});
  const auto answers = read_all(HttpReader::Kind::response, peer.received(), 1'000);
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].body + answers[1].body + answers[2].body, "/1/2/3");
}

TEST(HttpReceiver, CountsWhatIsNoRequestAndDoesNotRecordUnfinishedOnes) {
  World world({});
  HttpReceiver receiver(world, there);
  Peer wrong(world, there);
  wrong.send("nonsense\r\n\r\n");
  Peer unfinished(world, there);
  unfinished.send("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf");
  unfinished.shutdown_send();
  world.run_for(seconds{1});
  EXPECT_EQ(receiver.broken_count(), 1u);
  EXPECT_TRUE(receiver.requests().empty());
  EXPECT_TRUE(wrong.ended().has_value());
  EXPECT_TRUE(unfinished.ended().has_value());
}

/// What a peer sees of an answer, and how it ended.
struct Seen {
  std::string bytes;
  std::optional<int32_t> ended;
};

Seen ask(const Answer& answer, Duration within) {
  World world({});
  HttpReceiver receiver(world, there, [&answer](const auto&) { return answer; });
  Peer peer(world, there);
  peer.send("GET / HTTP/1.1\r\n\r\n");
  world.run_for(within);
  EXPECT_EQ(receiver.requests().size(), 1u);
  return {peer.received(), peer.ended()};
}

TEST(HttpReceiver, MisbehavesAsTold) {
  const Seen whole = ask({.body = "body"}, seconds{1});
  EXPECT_TRUE(whole.bytes.ends_with("\r\nContent-Length: 4\r\n\r\nbody"));
  EXPECT_FALSE(whole.ended);
  const Seen closing = ask({.body = "body", .close = true}, seconds{1});
  EXPECT_NE(closing.bytes.find("Connection: close"), std::string::npos);
  EXPECT_EQ(closing.ended, 0);
  const Seen never = ask({.way = Answer::Way::never}, hours{2});
  EXPECT_EQ(never.bytes, "");
  EXPECT_FALSE(never.ended);
  EXPECT_EQ(ask({.way = Answer::Way::drop}, seconds{1}).ended, 0);
  EXPECT_EQ(ask({.way = Answer::Way::reset}, seconds{1}).ended, -ECONNRESET);
  const Seen late = ask({.delay = seconds{10}}, seconds{9});
  EXPECT_EQ(late.bytes, "");
  const Seen cut = ask({.body = "body", .way = Answer::Way::cut, .bytes = 20}, seconds{1});
  EXPECT_EQ(cut.bytes, whole.bytes.substr(0, 20));
  EXPECT_EQ(cut.ended, 0);
  const Seen drip = ask({.body = "body", .way = Answer::Way::drip}, milliseconds{10'500});
  EXPECT_EQ(drip.bytes, whole.bytes.substr(0, 11));
  const Seen endless =
      ask({.way = Answer::Way::endless, .interval = milliseconds{1}}, milliseconds{1'000});
  EXPECT_GT(endless.bytes.size(), 900'000u);
}

TEST(HttpProducer, CallsItIndeterminateWhenTheConnectionBreaksOrTimeIsUp) {
  for (const auto way :
       {Answer::Way::drop, Answer::Way::reset, Answer::Way::never, Answer::Way::cut}) {
    World world({});
    HttpReceiver receiver(world, there, [way](const HttpReceiver::Request& request) {
      return Answer{.way = request.number == 0 ? way : Answer::Way::whole, .bytes = 30};
    });
    std::vector<State> ends;
    HttpProducer producer(world, {.to = there, .connections = 1},
                          [&ends](const auto& exchange) { ends.push_back(exchange.state); });
    producer.post("/", "first");
    producer.post("/", "second");
    ASSERT_TRUE(world.run_until([&] { return producer.open_count() == 0; }, hours{1}));
    EXPECT_EQ(ends, (std::vector<State>{State::indeterminate, State::answered}));
    EXPECT_EQ(receiver.requests().size(), 2u);  // Nothing is posted twice.
  }
}

TEST(HttpProducer, KeepsTryingToConnectWhileSomethingIsQueued) {
  World world({});
  HttpProducer producer(world, {.to = there});
  producer.post("/", "patience");
  world.run_for(seconds{10});
  EXPECT_EQ(producer.exchanges()[0].state, State::queued);
  HttpReceiver receiver(world, there);
  ASSERT_TRUE(world.run_until([&] { return producer.open_count() == 0; }, seconds{10}));
  EXPECT_EQ(producer.exchanges()[0].status(), 200);
}

}  // namespace
}  // namespace ringpost::sim
