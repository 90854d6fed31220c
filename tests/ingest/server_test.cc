#include "ingest/server.h"

#include "tests/ingest/memory_ring.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Goal: a connection reads one request at a time however its bytes are cut, answers in order, and
// gives no peer more than its share of bytes, connections or time.
// Method: the server over a ring whose clients are strings and whose clock the test turns.

namespace ringpost::ingest {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::MemoryRing;

constexpr std::string_view get_a = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view post_b = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
constexpr std::string_view chunked_c =
    "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
    "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";

class TestBackend final : public Backend {
 public:
  std::optional<http::Problem> before_body(const http::Request& head, const Origin& origin,
                                           BodyTerms& terms) override {
    heads.push_back(head.path);
    serves = origin.serves;
    terms.bytes_max = body_limit;
    if (vouched) terms.organization = ++organizations;
    return refusal;
  }
  http::Response refuse(const http::Request& head, const Origin& origin,
                        const http::Problem& problem) override {
    EXPECT_TRUE(origin.serves.events);
    ++refusals;
    http::Response response = refusal_response(problem);
    response.headers.push_back({"Refused-Path", head.path});
    return response;
  }
  void on_request(http::RequestHandle handle, std::unique_ptr<http::Request> request,
                  const Origin& origin) override {
    serves = origin.serves;
    bodies.push_back(request->body);
    EXPECT_GE(request->body.capacity(), request->body.size() + 64);
    paths.push_back(request->path);
    handles.push_back(handle);
    if (answers != nullptr) answers->answer(handle, {.body = request->path + " " + request->body});
  }

  void on_pieces_taken(http::RequestHandle, uint64_t bytes) override { taken += bytes; }
  void on_answer_cut(http::RequestHandle handle) override { cut.push_back(handle); }

  Answers* answers = nullptr;  ///< Answers at once with path and body; nullptr: the test answers.
  std::optional<http::Problem> refusal;
  uint64_t body_limit = 1000;
  bool vouched = true;
  uint64_t organizations = 0;  ///< Each request is another one's.
  uint32_t refusals = 0;
  Serves serves;
  std::vector<std::string> heads;
  std::vector<std::string> paths;
  std::vector<std::string> bodies;
  std::vector<http::RequestHandle> handles;
  uint64_t taken = 0;  ///< Of pieces.
  std::vector<http::RequestHandle> cut;
};

class ServerTest : public testing::Test {
 protected:
  explicit ServerTest(const ServerLimits& limits = {})
      : server_(std::make_unique<Server>(ring_, counters_, backend_, limits)) {
    EXPECT_TRUE(server_->listen({.serves = {.events = true, .api = true}}));
  }
  ~ServerTest() override {
    server_->stop();
    server_->stop();
    ring_.pass(seconds{40});
    EXPECT_TRUE(server_->stopped());
    EXPECT_EQ(ring_.pending_count(), 0u);
  }

  void answer_at_once() { backend_.answers = server_.get(); }
  MemoryRing::Client connect() {
    const auto client = ring_.connect();
    ring_.settle();
    return client;
  }
  void send(MemoryRing::Client client, std::string_view bytes) {
    ring_.send_bytes(client, bytes);
    ring_.settle();
  }
  std::string ask(MemoryRing::Client client, std::string_view bytes) {
    send(client, bytes);
    return ring_.take_output(client);
  }
  static uint32_t count(std::string_view text, std::string_view what) {
    uint32_t found = 0;
    for (size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) {
      ++found;
    }
    return found;
  }

  MemoryRing ring_;
  Counters counters_;
  TestBackend backend_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  answer_at_once();
  const auto client = connect();
  for (int round = 0; round < 3; ++round) {
    const std::string answer = ask(client, post_b);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n/b hello")) << answer;
    EXPECT_EQ(answer.find("onnection: close"), std::string::npos);
  }
  EXPECT_FALSE(ring_.closed(client));
  EXPECT_EQ(counters_.value(Counter::http_requests), 3u);
  EXPECT_EQ(counters_.value(Counter::connections_accepted), 1u);
}

TEST_F(ServerTest, TellsTheBackendWhatTheListenerServes) {
  answer_at_once();
  EXPECT_TRUE(server_->listen({.serves = {.metrics = true}}));
  ask(connect(), get_a);
  EXPECT_TRUE(backend_.serves.events);
  EXPECT_FALSE(backend_.serves.metrics);
  const auto client = ring_.connect(1);
  ask(client, get_a);
  EXPECT_FALSE(backend_.serves.events);
  EXPECT_TRUE(backend_.serves.metrics);
}

// --- answers in pieces ---------------------------------------------------------------------------

class PiecesTest : public ServerTest {
 protected:
  /// @returns the head of the answer.
  std::string open(MemoryRing::Client client, std::string_view request) {
    send(client, request);
    wanted_ = server_->open_answer(handle(), {.content_type = "text/event-stream"});
    ring_.settle();
    return ring_.take_output(client);
  }
  std::string add(MemoryRing::Client client, std::string_view piece) {
    server_->add_to_answer(handle(), piece);
    ring_.settle();
    return ring_.take_output(client);
  }
  http::RequestHandle handle() const { return backend_.handles.back(); }

  bool wanted_ = false;
};

TEST_F(PiecesTest, GoAsChunksAndKeepTheConnection) {
  const auto client = connect();
  const std::string head = open(client, get_a);
  EXPECT_TRUE(wanted_);
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n")) << head;
  EXPECT_EQ(count(head, "\r\nTransfer-Encoding: chunked\r\n"), 1u) << head;
  EXPECT_EQ(count(head, "\r\nContent-Type: text/event-stream\r\n"), 1u) << head;
  EXPECT_EQ(count(head, "Content-Length"), 0u);
  EXPECT_EQ(count(head, "Connection: close"), 0u);
  EXPECT_EQ(add(client, "hello"), "5\r\nhello\r\n");
  EXPECT_EQ(add(client, std::string(26, 'x')), "1a\r\n" + std::string(26, 'x') + "\r\n");
  EXPECT_EQ(backend_.taken, 31u);
  server_->end_answer(handle());
  ring_.settle();
  EXPECT_EQ(ring_.take_output(client), "0\r\n\r\n");
  answer_at_once();
  EXPECT_TRUE(ask(client, post_b).ends_with("/b hello"));
  EXPECT_TRUE(backend_.cut.empty());
}

TEST_F(PiecesTest, AreNotCutByTimeAsLongAsTheyAreTaken) {
  const auto client = connect();
  open(client, get_a);
  ring_.pass(seconds{600});  // Nothing is said for longer than any limit.
  EXPECT_EQ(add(client, "a"), "1\r\na\r\n");
  for (int minute = 0; minute < 10; ++minute) {
    ring_.pass(seconds{60});
    EXPECT_EQ(add(client, "a"), "1\r\na\r\n");
  }
  EXPECT_FALSE(ring_.closed(client));
  EXPECT_TRUE(backend_.cut.empty());
}

TEST_F(PiecesTest, AreCutForWhoTakesNothing) {
  const auto client = connect();
  open(client, get_a);
  ring_.set_reading(client, false);
  for (int second = 0; second < 29; ++second) {
    add(client, "more");
    ring_.pass(seconds{1});
  }
  EXPECT_TRUE(backend_.cut.empty());
  EXPECT_EQ(backend_.taken, 0u);
  ring_.pass(seconds{3});
  ASSERT_EQ(backend_.cut.size(), 1u);
  EXPECT_TRUE(ring_.closed(client));
  server_->add_to_answer(handle(), "late");  // Ignored, as the end is.
  server_->end_answer(handle());
  ring_.settle();
  EXPECT_EQ(backend_.cut.size(), 1u);
}

TEST_F(PiecesTest, EndWithTheConnectionForHttp10) {
  const auto client = connect();
  const std::string head =
      open(client, "GET /a HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(count(head, "Transfer-Encoding"), 0u) << head;
  EXPECT_EQ(count(head, "\r\nConnection: close\r\n"), 1u) << head;
  EXPECT_EQ(add(client, "hello"), "hello");
  server_->end_answer(handle());
  ring_.settle();
  EXPECT_EQ(ring_.take_output(client), "");
  EXPECT_TRUE(ring_.half_closed(client));
}

TEST_F(PiecesTest, AreNotWantedForHead) {
  const auto client = connect();
  const std::string head = open(client, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_FALSE(wanted_);
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
  EXPECT_EQ(count(head, "\r\nTransfer-Encoding: chunked\r\n"), 1u) << head;
  EXPECT_EQ(add(client, "stale"), "");
  answer_at_once();
  EXPECT_TRUE(ask(client, post_b).ends_with("/b hello"));
}

TEST_F(PiecesTest, EndWhenTheClientHasGone) {
  for (const bool in_order : {true, false}) {
    const auto client = connect();
    open(client, get_a);
    EXPECT_EQ(add(client, "a"), "1\r\na\r\n");
    in_order ? ring_.end(client) : ring_.reset(client);
    ring_.settle();
    ASSERT_EQ(backend_.cut.size(), in_order ? 1u : 2u);
    EXPECT_EQ(backend_.cut.back().index, handle().index);
    EXPECT_TRUE(ring_.closed(client));
  }
}

TEST_F(PiecesTest, AreNotBegunForAClientThatHasGone) {
  const auto client = connect();
  ring_.send_bytes(client, get_a);
  ring_.end(client);
  ring_.settle();
  EXPECT_FALSE(server_->open_answer(handle(), {}));
  ring_.settle();
  EXPECT_EQ(ring_.take_output(client), "");
  EXPECT_TRUE(ring_.closed(client));
}

TEST_F(PiecesTest, AreCompleteWhenTheServerStops) {
  const auto client = connect();
  open(client, get_a);
  server_->stop();
  ring_.settle();
  ASSERT_EQ(backend_.cut.size(), 1u);
  EXPECT_EQ(ring_.take_output(client), "0\r\n\r\n");
  ring_.pass(seconds{3});
  EXPECT_TRUE(ring_.closed(client));
  EXPECT_TRUE(server_->stopped());
}

TEST_F(PiecesTest, EndAtOnceIfTheServerStopsBefore) {
  const auto client = connect();
  send(client, get_a);
  server_->stop();
  EXPECT_FALSE(server_->open_answer(handle(), {.content_type = "text/event-stream"}));
  ring_.settle();
  const std::string output = ring_.take_output(client);
  EXPECT_EQ(count(output, "\r\nConnection: close\r\n"), 1u) << output;
  EXPECT_TRUE(output.ends_with("\r\n\r\n0\r\n\r\n")) << output;
}

/// Whoever has an answer under way is not displaced, and what comes behind its request waits.
TEST_F(PiecesTest, LetTheNextRequestWait) {
  answer_at_once();
  const auto client = connect();
  backend_.answers = nullptr;
  open(client, std::string{get_a} + std::string{post_b});
  EXPECT_EQ(backend_.paths.size(), 1u);
  EXPECT_EQ(add(client, "a"), "1\r\na\r\n");
  answer_at_once();
  server_->end_answer(backend_.handles[0]);
  ring_.settle();
  const std::string output = ring_.take_output(client);
  EXPECT_TRUE(output.starts_with("0\r\n\r\nHTTP/1.1 200 OK\r\n")) << output;
  EXPECT_TRUE(output.ends_with("/b hello")) << output;
}

class KnownHostsTest : public ServerTest {
 protected:
  static ServerLimits limits() {
    ServerLimits limits;
    limits.hosts = std::make_shared<const KnownHosts>(std::vector<std::string>{"relay"}, "");
    return limits;
  }
  KnownHostsTest() : ServerTest(limits()) { answer_at_once(); }

  static std::string get(const std::string& host) {
    return "GET /a HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
  }
};

TEST_F(KnownHostsTest, AreCheckedOfEachRequestBeforeTheBackendIsAsked) {
  const auto client = connect();
  for (const char* host : {"relay", "relay", "127.0.0.1:80", "relay:1"}) {
    EXPECT_TRUE(ask(client, get(host)).starts_with("HTTP/1.1 200 ")) << host;
  }
  EXPECT_EQ(backend_.paths.size(), 4u);
  const std::string refused = ask(client, get("evil.example"));
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 421 Misdirected Request\r\n")) << refused;
  EXPECT_NE(refused.find("Refused-Path: /a\r\n"), std::string::npos);
  EXPECT_TRUE(ring_.half_closed(client));
  const std::string with_body =
      ask(connect(), "POST /b HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_TRUE(with_body.starts_with("HTTP/1.1 421 ")) << with_body;
  EXPECT_EQ(backend_.paths.size(), 4u);
  EXPECT_TRUE(backend_.heads.empty());
}

TEST_F(KnownHostsTest, AreNotAskedForOnAUnixSocket) {
  ring_.peers = {.family = io::Address::Family::unix_path, .path = "/run/x.sock"};
  EXPECT_TRUE(ask(connect(), get("evil.example")).starts_with("HTTP/1.1 200 "));
}

TEST_F(ServerTest, RefusesAChangeThatAnotherSiteMadeABrowserSend) {
  answer_at_once();
  const std::string origin = "Origin: https://evil.example\r\n\r\n";
  const std::string refused =
      ask(connect(), "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" + origin);
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 403 ")) << refused;
  EXPECT_TRUE(backend_.paths.empty());
  EXPECT_TRUE(
      ask(connect(), "GET /b HTTP/1.1\r\nHost: x\r\n" + origin).starts_with("HTTP/1.1 200 "));
}

TEST_F(ServerTest, ReadsTheSameRequestsHoweverTheyAreCut) {
  answer_at_once();
  const std::string stream =
      std::string{get_a} + std::string{post_b} + std::string{chunked_c} + std::string{get_a};
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    const auto client = connect();
    const std::string first = ask(client, stream.substr(0, cut));
    const std::string answers = first + ask(client, stream.substr(cut));
    EXPECT_EQ(count(answers, "HTTP/1.1 200"), 4u) << cut;
    EXPECT_TRUE(answers.ends_with("/a ")) << cut;
    EXPECT_NE(answers.find("/c abcde"), std::string::npos) << cut;
    ring_.end(client);
    ring_.settle();
  }
  const auto client = connect();
  std::string answers;
  for (const char byte : stream) answers += ask(client, {&byte, 1});
  EXPECT_EQ(count(answers, "HTTP/1.1 200"), 4u);
}

TEST_F(ServerTest, HandsOverTheNextRequestOnlyAfterTheAnswer) {
  const auto client = connect();
  send(client, std::string{get_a} + std::string{post_b} + std::string{chunked_c});
  ASSERT_EQ(backend_.paths, (std::vector<std::string>{"/a"}));
  server_->answer(backend_.handles[0], {.body = "1"});
  ring_.settle();
  ASSERT_EQ(backend_.paths, (std::vector<std::string>{"/a", "/b"}));
  server_->answer(backend_.handles[1], {.body = "2"});
  ring_.settle();
  ASSERT_EQ(backend_.paths.size(), 3u);
  server_->answer(backend_.handles[2], {.body = "3"});
  ring_.settle();
  const std::string answers = ring_.take_output(client);
  EXPECT_LT(answers.find("\r\n\r\n1"), answers.find("\r\n\r\n2"));
  EXPECT_LT(answers.find("\r\n\r\n2"), answers.find("\r\n\r\n3"));
}

TEST_F(ServerTest, TakesInLittleWhileARequestWaits) {
  const auto client = connect();
  std::string flood;
  while (flood.size() < 1'000'000) flood += get_a;
  send(client, flood);
  EXPECT_EQ(backend_.paths.size(), 1u);
  EXPECT_GT(ring_.unread(client), 900'000u);
}

TEST_F(ServerTest, AnswersAFloodOfPipelinedRequestsInOrder) {
  answer_at_once();
  const auto client = connect();
  std::string flood;
  for (int index = 0; index < 3000; ++index) {
    flood += "GET /" + std::to_string(index) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  ring_.send_bytes(client, flood);
  ring_.pass(seconds{1});
  ASSERT_EQ(backend_.paths.size(), 3000u);
  for (int index = 0; index < 3000; ++index) {
    EXPECT_EQ(backend_.paths[static_cast<size_t>(index)], "/" + std::to_string(index));
  }
  EXPECT_EQ(count(ring_.take_output(client), "HTTP/1.1 200"), 3000u);
}

TEST_F(ServerTest, ClosesAfterTheAnswerWhenTheClientAsksForIt) {
  answer_at_once();
  const auto client = connect();
  const std::string answer =
      ask(client, "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + std::string{get_a});
  EXPECT_EQ(count(answer, "HTTP/1.1 200"), 1u);
  EXPECT_EQ(count(answer, "Connection: close"), 1u) << answer;
  EXPECT_TRUE(ring_.half_closed(client));
  EXPECT_EQ(backend_.paths.size(), 1u);
  ring_.pass(seconds{3});
  EXPECT_TRUE(ring_.closed(client));
  EXPECT_EQ(server_->connection_count(), 0u);
}

TEST_F(ServerTest, AnswersHeadWithoutBody) {
  answer_at_once();
  const std::string answer = ask(connect(), "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
  EXPECT_NE(answer.find("Content-Length: 3"), std::string::npos) << answer;
}

// --- refusals ------------------------------------------------------------------------------------

TEST_F(ServerTest, RefusesOnceAndClosesWhatCannotBeRead) {
  answer_at_once();
  const std::vector<std::pair<std::string, std::string>> cases{
      {"garbage\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: "
       "chunked\r\n\r\n0\r\n\r\nX",
       "400"},
      {"POST /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
      {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "505"},
      {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", "414"},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(9000, 'a') + "\r\n\r\n", "431"},
      {"POST / HTTP/1.1\r\nHost: x\r\nExpect: cake\r\nContent-Length: 1\r\n\r\n", "417"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", "413"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n", "413"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
           std::string(1001, 'x') + "\r\n0\r\n\r\n",
       "413"},
  };
  for (const auto& [bytes, status] : cases) {
    const auto client = connect();
    const std::string answer = ask(client, bytes + std::string{get_a});
    EXPECT_EQ(count(answer, "\r\nDate: "), 1u) << bytes.substr(0, 80) << answer;
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + status)) << bytes.substr(0, 80) << answer;
    EXPECT_NE(answer.find("application/problem+json"), std::string::npos);
    EXPECT_TRUE(ring_.half_closed(client));
  }
  EXPECT_TRUE(backend_.paths.empty());
  EXPECT_EQ(backend_.refusals, cases.size());
  ring_.pass(seconds{3});
  EXPECT_EQ(server_->connection_count(), 0u);
}

TEST_F(ServerTest, AsksTheBackendForTheWordsOfARefusalByItsPath) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"garbage\r\n\r\n", ""},
      {"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", "/%00"},
      {"GET /e/%66 HTTP/1.1\r\nHost: x\r\nA: " + std::string(9000, 'a') + "\r\n\r\n", "/e/f"},
      {"POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", "/e"},
      {"POST /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "/e"},
      {"BREW /e HTTP/1.1\r\nHost: x\r\n\r\n", "/e"},
      {"GET /e%2Df?" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", "/e-f"},
      {"GET /e/" + std::string(9000, 'a'), "/e/" + std::string(8192 - 7, 'a')},
      {std::string(9000, 'a'), ""},
  };
  for (const auto& [bytes, path] : cases) {
    const std::string answer = ask(connect(), bytes);
    EXPECT_NE(answer.find("\r\nRefused-Path: " + path + "\r\n"), std::string::npos) << answer;
  }
  const auto slow = connect();
  EXPECT_EQ(ask(slow, "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe"), "");
  ring_.pass(seconds{31});
  const std::string answer = ring_.take_output(slow);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408")) << answer;
  EXPECT_NE(answer.find("\r\nRefused-Path: /slow\r\n"), std::string::npos) << answer;
}

// Reliability I-10.
TEST_F(ServerTest, AnswersThePrefaceOfHttp2OnceAndCloses) {
  answer_at_once();
  const std::string preface =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\x04\0\0\0\0\0", 9);
  for (size_t cut = 0; cut <= preface.size(); ++cut) {
    const auto client = connect();
    std::string answer = ask(client, preface.substr(0, cut));
    answer += ask(client, preface.substr(cut));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 505")) << cut << answer;
    EXPECT_NE(answer.find("Connection: close"), std::string::npos) << answer;
    EXPECT_EQ(count(answer, "\r\nDate: "), 1u) << answer;
    EXPECT_TRUE(ring_.half_closed(client)) << cut;
  }
  EXPECT_TRUE(backend_.paths.empty());
  ring_.pass(seconds{3});
  EXPECT_EQ(server_->connection_count(), 0u);
}

TEST_F(ServerTest, IgnoresAnUpgradeToHttp2) {
  answer_at_once();
  constexpr std::string_view upgrade =
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
  const auto client = connect();
  for (int round = 0; round < 2; ++round) {
    const std::string get =
        ask(client, "GET /a HTTP/1.1\r\nHost: x\r\n" + std::string{upgrade} + "\r\n");
    EXPECT_TRUE(get.starts_with("HTTP/1.1 200")) << get;
    const std::string post = ask(client, "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" +
                                             std::string{upgrade} + "\r\nhello");
    EXPECT_TRUE(post.starts_with("HTTP/1.1 200")) << post;
    EXPECT_TRUE(post.ends_with("/b hello")) << post;
  }
  EXPECT_FALSE(ring_.half_closed(client));
}

TEST_F(ServerTest, RefusesBeforeTheBodyIsReadAndCloses) {
  backend_.refusal = http::Problem{.status = 401};
  const auto client = connect();
  const std::string answer = ask(
      client, "POST /b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 401")) << answer;
  EXPECT_NE(answer.find("WWW-Authenticate: Bearer"), std::string::npos) << answer;
  EXPECT_TRUE(ring_.half_closed(client));
  EXPECT_TRUE(backend_.paths.empty());
}

TEST_F(ServerTest, TakesABodyOfExactlyTheLimit) {
  answer_at_once();
  const std::string body(1000, 'x');
  const std::string answer =
      ask(connect(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + body);
  EXPECT_TRUE(answer.ends_with(body));
}

TEST_F(ServerTest, SendsContinueWhenTheBodyIsWanted) {
  answer_at_once();
  const auto client = connect();
  const std::string interim = ask(
      client, "POST /b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(interim, "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(ask(client, "hello").ends_with("/b hello"));
  // Also to a client that did not wait.
  const std::string together =
      ask(client,
          "POST /b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_TRUE(together.starts_with("HTTP/1.1 200")) << together;
  EXPECT_FALSE(ring_.closed(client));
}

// --- time ----------------------------------------------------------------------------------------

TEST_F(ServerTest, CutsSlowHeads) {
  answer_at_once();
  const auto client = connect();
  for (int second = 0; second < 9; ++second) {
    send(client, second == 0 ? "G" : (second == 1 ? "E" : "T"));
    ring_.pass(seconds{1});
    ASSERT_FALSE(ring_.half_closed(client)) << second;
  }
  ring_.pass(seconds{2});
  EXPECT_TRUE(ring_.output(client).starts_with("HTTP/1.1 408")) << ring_.output(client);
  ring_.pass(seconds{3});
  EXPECT_TRUE(ring_.closed(client));
}

TEST_F(ServerTest, ClosesAConnectionThatSendsNothing) {
  const auto client = connect();
  ring_.pass(milliseconds{9'900});
  EXPECT_FALSE(ring_.half_closed(client));
  ring_.pass(seconds{3});
  EXPECT_TRUE(ring_.closed(client));
  EXPECT_EQ(ring_.output(client), "");
}

TEST_F(ServerTest, HeadTimeOfALaterRequestRunsFromItsFirstByte) {
  answer_at_once();
  const auto client = connect();
  ask(client, get_a);
  ring_.pass(seconds{70});
  send(client, "GET");
  ring_.pass(milliseconds{9'900});
  EXPECT_FALSE(ring_.half_closed(client));
  ring_.pass(seconds{1});
  EXPECT_TRUE(ring_.output(client).starts_with("HTTP/1.1 408"));
}

TEST_F(ServerTest, ClosesIdleConnectionsQuietly) {
  answer_at_once();
  const auto client = connect();
  ask(client, get_a);
  ring_.pass(seconds{74});
  EXPECT_FALSE(ring_.half_closed(client));
  ring_.pass(seconds{4});
  EXPECT_TRUE(ring_.closed(client));
  EXPECT_EQ(ring_.output(client), "");
}

TEST_F(ServerTest, CutsSlowBodiesAtATotalDeadline) {
  backend_.body_limit = 100'000;
  const auto client = connect();
  send(client, "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n");
  for (int second = 0; second < 29; ++second) {
    send(client, std::string(1100, 'x'));
    ring_.pass(seconds{1});
    ASSERT_FALSE(ring_.half_closed(client)) << second;
  }
  ring_.pass(seconds{2});
  EXPECT_TRUE(ring_.output(client).starts_with("HTTP/1.1 408"));
  EXPECT_TRUE(backend_.paths.empty());
  EXPECT_EQ(counters_.value(Counter::requests_too_slow), 1u);
}

TEST_F(ServerTest, CutsABodyThatComesSlowerThanTheLeastPace) {
  backend_.body_limit = 16'000'000;
  const auto client = connect();
  send(client, "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 16000000\r\n\r\n");
  send(client, std::string(1'000'000, 'x'));
  ring_.pass(milliseconds{9'900});
  send(client, std::string(20'000, 'x'));
  ring_.pass(seconds{1});
  EXPECT_FALSE(ring_.half_closed(client));
  for (int second = 0; second < 8; ++second) {  // A byte now and then is no pace.
    send(client, "x");
    ring_.pass(seconds{1});
    ASSERT_FALSE(ring_.half_closed(client)) << second;
  }
  ring_.pass(milliseconds{1'200});
  EXPECT_TRUE(ring_.output(client).starts_with("HTTP/1.1 408")) << ring_.output(client);
}

TEST_F(ServerTest, GivesUpOnAClientThatTakesNoAnswer) {
  const auto client = connect();
  send(client, get_a);
  ring_.set_reading(client, false);
  server_->answer(backend_.handles[0], {.body = std::string(100'000, 'x')});
  ring_.pass(seconds{29});
  EXPECT_FALSE(ring_.closed(client));
  ring_.pass(seconds{4});
  EXPECT_TRUE(ring_.closed(client));
  EXPECT_EQ(server_->connection_count(), 0u);
}

TEST_F(ServerTest, WaitsForTheBackendWithoutADeadline) {
  const auto client = connect();
  send(client, get_a);
  ring_.pass(seconds{300});
  EXPECT_FALSE(ring_.closed(client));
  server_->answer(backend_.handles[0], {.body = "late"});
  ring_.settle();
  EXPECT_TRUE(ring_.output(client).ends_with("late"));
}

// --- ends ----------------------------------------------------------------------------------------

TEST_F(ServerTest, IgnoresHalfARequest) {
  const std::string request{post_b};
  for (size_t size = 0; size < request.size(); ++size) {
    const auto client = connect();
    send(client, request.substr(0, size));
    ring_.end(client);
    ring_.pass(seconds{3});
    EXPECT_TRUE(ring_.closed(client)) << size;
  }
  EXPECT_TRUE(backend_.paths.empty());
  EXPECT_EQ(server_->connection_count(), 0u);
}

TEST_F(ServerTest, AnswersAClientThatOnlyEndedItsSide) {
  const auto client = connect();
  send(client, std::string{get_a} + std::string{post_b});
  ring_.end(client);
  ring_.settle();
  ASSERT_EQ(backend_.paths.size(), 1u);
  server_->answer(backend_.handles[0], {.body = "1"});
  ring_.settle();
  ASSERT_EQ(backend_.paths.size(), 2u);
  server_->answer(backend_.handles[1], {.body = "2"});
  ring_.pass(seconds{3});
  EXPECT_EQ(count(ring_.output(client), "HTTP/1.1 200"), 2u);
  EXPECT_TRUE(ring_.closed(client));
}

TEST_F(ServerTest, NoticesStaleHandles) {
  const auto first = connect();
  send(first, get_a);
  const auto handle = backend_.handles[0];
  ring_.reset(first);
  ring_.pass(seconds{1});
  EXPECT_EQ(server_->connection_count(), 0u);
  const auto second = connect();
  send(second, get_a);
  ASSERT_EQ(backend_.handles[1].index, handle.index);  // The same object, opened again.
  server_->answer(handle, {.body = "stale"});
  server_->drop(handle);
  server_->answer({1234, 1}, {.body = "unknown"});
  ring_.settle();
  EXPECT_EQ(ring_.output(second), "");
  server_->answer(backend_.handles[1], {.body = "fresh"});
  server_->answer(backend_.handles[1], {.body = "again"});
  ring_.settle();
  EXPECT_TRUE(ring_.output(second).ends_with("fresh"));
}

TEST_F(ServerTest, DropsWithoutAnAnswer) {
  const auto client = connect();
  send(client, get_a);
  server_->drop(backend_.handles[0]);
  ring_.settle();
  EXPECT_TRUE(ring_.closed(client));
  EXPECT_EQ(ring_.output(client), "");
}

TEST_F(ServerTest, SurvivesAResetAtAnyMoment) {
  const std::string request{post_b};
  for (size_t size = 0; size <= request.size(); ++size) {
    for (const bool answered : {false, true}) {
      const auto client = connect();
      send(client, request.substr(0, size));
      if (answered && size == request.size()) {
        server_->answer(backend_.handles.back(), {.body = "x"});
      }
      ring_.reset(client);
      ring_.settle();
      if (!backend_.handles.empty()) server_->answer(backend_.handles.back(), {.body = "late"});
      ring_.pass(seconds{3});
      EXPECT_TRUE(ring_.closed(client)) << size;
    }
  }
  EXPECT_EQ(server_->connection_count(), 0u);
}

TEST_F(ServerTest, StopClosesIdleConnectionsAndAnswersTheOthers) {
  const auto idle = connect();
  send(idle, get_a);
  server_->answer(backend_.handles[0], {.body = "1"});
  const auto waiting = connect();
  send(waiting, get_a);
  const auto halfway = connect();
  send(halfway, std::string{post_b}.substr(0, 50));
  const auto fresh = connect();
  server_->stop();
  ring_.settle();
  EXPECT_TRUE(ring_.half_closed(idle));
  EXPECT_FALSE(ring_.half_closed(fresh));
  EXPECT_FALSE(ring_.half_closed(waiting));
  EXPECT_FALSE(server_->stopped());

  server_->answer(backend_.handles[1], {.body = "2"});
  send(halfway, std::string{post_b}.substr(50));
  send(fresh, get_a);
  ASSERT_EQ(backend_.paths.size(), 4u);
  server_->answer(backend_.handles[2], {.body = "3"});
  server_->answer(backend_.handles[3], {.body = "4"});
  ring_.pass(seconds{3});
  for (const auto client : {waiting, halfway, fresh}) {
    EXPECT_NE(ring_.output(client).find("Connection: close"), std::string::npos);
    EXPECT_TRUE(ring_.closed(client));
  }
  EXPECT_TRUE(server_->stopped());
}

TEST_F(ServerTest, StopDoesNotWaitForNewConnectionsThatSendNothing) {
  const auto silent = connect();
  server_->stop();
  ring_.pass(seconds{5});
  EXPECT_TRUE(ring_.closed(silent));
  EXPECT_TRUE(server_->stopped());
}

TEST_F(ServerTest, SecondStopClosesEverythingAtOnce) {
  const auto client = connect();
  send(client, get_a);
  server_->stop();
  ring_.settle();
  EXPECT_FALSE(server_->stopped());
  server_->stop();
  ring_.settle();
  EXPECT_TRUE(ring_.closed(client));
  EXPECT_TRUE(server_->stopped());
}

class FewConnections : public ServerTest {
 protected:
  FewConnections() : ServerTest({.connections_max = 5, .connections_reserved = 2}) {}
};

TEST_F(FewConnections, GiveTheirPlaceToNewOnesTheLongestWaitingFirst) {
  answer_at_once();
  std::vector<MemoryRing::Client> clients;
  for (int index = 0; index < 10; ++index) clients.push_back(connect());
  EXPECT_EQ(server_->connection_count(), 3u);
  for (size_t index = 0; index < 7; ++index) EXPECT_TRUE(ring_.closed(clients[index])) << index;
  EXPECT_EQ(counters_.value(Counter::connections_displaced), 7u);
  EXPECT_EQ(counters_.value(Counter::connections_turned_away), 0u);
  // One that has had a request waits for the next one from then on.
  EXPECT_TRUE(ask(clients[7], get_a).starts_with("HTTP/1.1 200"));
  send(clients[8], "GET /half");
  EXPECT_TRUE(ask(connect(), get_a).starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(ring_.closed(clients[8])) << "half a head is none";
  EXPECT_FALSE(ring_.closed(clients[7]));
  EXPECT_FALSE(ring_.closed(clients[9]));
}

TEST_F(FewConnections, KeepThoseWhoseRequestIsInHand) {
  const auto waiting = connect();
  send(waiting, get_a);  // With the backend.
  const auto sending = connect();
  send(sending, "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe");
  const auto idle = connect();
  for (int count = 0; count < 20; ++count) connect();
  EXPECT_TRUE(ring_.closed(idle));
  EXPECT_FALSE(ring_.closed(waiting));
  EXPECT_FALSE(ring_.closed(sending));
  send(connect(), get_a);
  EXPECT_EQ(server_->connection_count(), 3u);
  EXPECT_TRUE(ring_.closed(connect())) << "all are at work";
  EXPECT_EQ(counters_.value(Counter::connections_turned_away), 1u);
  server_->answer(backend_.handles[0], {.body = "late"});
  ring_.settle();
  EXPECT_TRUE(ring_.output(waiting).ends_with("late"));
  send(sending, "llo");
  EXPECT_EQ(backend_.bodies.back(), "hello");
}

TEST_F(FewConnections, ServeWhoAsksAmongManyThatOnlyHoldThem) {
  answer_at_once();
  for (int round = 0; round < 200; ++round) {
    for (int count = 0; count < 5; ++count) ring_.connect();
    const auto good = ring_.connect();
    ring_.send_bytes(good, get_a);
    ring_.settle();
    EXPECT_TRUE(ring_.take_output(good).starts_with("HTTP/1.1 200")) << round;
  }
  EXPECT_LE(server_->connection_count(), 3u);
}

TEST_F(FewConnections, KeepAReserveForListenersThatTakeNoEvents) {
  answer_at_once();
  EXPECT_TRUE(server_->listen({.serves = {.api = true}}));
  backend_.answers = nullptr;
  for (int count = 0; count < 3; ++count) send(connect(), get_a);
  EXPECT_TRUE(ring_.closed(connect()));
  const auto first = ring_.connect(1);
  const auto second = ring_.connect(1);
  ring_.settle();
  EXPECT_TRUE(ring_.closed(connect())) << "and does not push out an operator's";
  EXPECT_FALSE(ring_.closed(first));
  ring_.connect(1);
  ring_.settle();
  EXPECT_TRUE(ring_.closed(first));
  EXPECT_FALSE(ring_.closed(second));
  answer_at_once();
  EXPECT_TRUE(ask(second, get_a).starts_with("HTTP/1.1 200"));
}

TEST_F(FewConnections, GoByTheLimitsOfNowAndStayBeyondThem) {
  answer_at_once();
  const auto first = connect();
  const auto second = connect();
  server_->set_limits({.connections_max = 2, .connections_reserved = 1});
  EXPECT_TRUE(ask(first, get_a).starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(ask(second, get_a).starts_with("HTTP/1.1 200"));
  server_->set_limits({.connections_max = 9, .connections_reserved = 1});
  for (int index = 0; index < 6; ++index) EXPECT_FALSE(ring_.closed(connect()));
  EXPECT_EQ(server_->connection_count(), 8u);
  connect();
  EXPECT_EQ(server_->connection_count(), 8u);
}

class FewPerAddress : public ServerTest {
 protected:
  FewPerAddress() : ServerTest({.connections_per_address_max = 3}) {}

  bool taken_from(const char* address) {
    ring_.peers = io::Address::parse(address).value();
    last_ = connect();
    return !ring_.closed(last_);
  }
  MemoryRing::Client last_{};
};

TEST_F(FewPerAddress, TakesNoMoreFromOneThanItMayHave) {
  for (int count = 0; count < 3; ++count) EXPECT_TRUE(taken_from("192.0.2.1:1000"));
  const auto third = last_;
  EXPECT_FALSE(taken_from("192.0.2.1:1001"));
  EXPECT_FALSE(taken_from("[::ffff:192.0.2.1]:1001")) << "the same one";
  EXPECT_TRUE(taken_from("192.0.2.2:1000"));
  EXPECT_EQ(counters_.value(Counter::connections_over_address), 2u);
  ring_.end(third);
  ring_.pass(seconds{3});
  EXPECT_TRUE(taken_from("192.0.2.1:1000")) << "one has gone";
  EXPECT_FALSE(taken_from("192.0.2.1:1000"));
}

TEST_F(FewPerAddress, TakesANetworkOfOneIpv6SubscriberForOneAddress) {
  for (const char* address : {"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:0:9::3]:1"}) {
    EXPECT_TRUE(taken_from(address)) << address;
  }
  EXPECT_FALSE(taken_from("[2001:db8::4]:1"));
  EXPECT_TRUE(taken_from("[2001:db8:0:1::1]:1"));
}

TEST_F(FewPerAddress, SetsNoBoundToThisMachine) {
  for (int count = 0; count < 5; ++count) {
    EXPECT_TRUE(taken_from("127.0.0.1:1"));
    EXPECT_TRUE(taken_from("127.9.9.9:1"));
    EXPECT_TRUE(taken_from("[::1]:1"));
    EXPECT_TRUE(taken_from("[::ffff:127.0.0.1]:1"));
    ring_.peers = io::Address{.family = io::Address::Family::unix_path};
    EXPECT_FALSE(ring_.closed(connect()));
  }
}

// --- memory --------------------------------------------------------------------------------------

class LittleRoom : public ServerTest {
 protected:
  LittleRoom() : ServerTest({.bodies_bytes_max = 2000}) {}

  static std::string post(size_t announced, size_t sent) {
    return "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(announced) +
           "\r\n\r\n" + std::string(sent, 'x');
  }
  static std::string chunk(size_t size) {
    std::string head(8, '\0');
    head.resize(static_cast<size_t>(std::snprintf(head.data(), head.size(), "%zx", size)));
    return head + "\r\n" + std::string(size, 'x') + "\r\n";
  }
  static std::string chunked_post() {
    return "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  }
  void expect_refused(MemoryRing::Client client, const std::string& answer) {
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 503")) << answer;
    EXPECT_NE(answer.find("\r\nRetry-After: 5\r\n"), std::string::npos) << answer;
    EXPECT_NE(answer.find("ingest.bodies_bytes_max"), std::string::npos) << answer;
    EXPECT_TRUE(ring_.half_closed(client));
  }
};

TEST_F(LittleRoom, RefusesABodyThatDoesNotFitBesideTheOthersByItsHead) {
  answer_at_once();
  const auto first = connect();
  const auto second = connect();
  EXPECT_EQ(ask(first, post(1000, 10)), "");
  EXPECT_EQ(ask(second, post(900, 0)), "");
  const auto third = connect();
  expect_refused(third, ask(third, post(101, 0)));
  EXPECT_EQ(backend_.refusals, 1u);
  EXPECT_TRUE(ask(connect(), post(100, 100)).starts_with("HTTP/1.1 200"));  // It fits exactly.
  EXPECT_TRUE(ask(connect(), get_a).starts_with("HTTP/1.1 200"));
  // Nobody who was let in is refused.
  EXPECT_TRUE(ask(first, std::string(990, 'x')).starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(ask(second, std::string(900, 'x')).starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(ask(connect(), post(1000, 1000)).starts_with("HTTP/1.1 200"));
}

TEST_F(LittleRoom, RefusesAChunkedBodyThatGrowsPastTheRoom) {
  answer_at_once();
  const auto first = connect();
  EXPECT_EQ(ask(first, post(1000, 0)), "");
  const auto second = connect();
  EXPECT_EQ(ask(second, chunked_post() + chunk(600)), "");
  const auto third = connect();
  EXPECT_EQ(ask(third, chunked_post() + chunk(400)), "");
  const auto fourth = connect();
  expect_refused(fourth, ask(fourth, chunked_post()));  // Nothing is left.
  expect_refused(second, ask(second, chunk(1)));
  EXPECT_TRUE(ask(third, chunk(600) + "0\r\n\r\n").starts_with("HTTP/1.1 200"));
  EXPECT_EQ(backend_.refusals, 2u);
}

TEST_F(LittleRoom, GivesAQuarterToThoseForWhomNothingVouches) {
  answer_at_once();
  backend_.vouched = false;
  const auto first = connect();
  EXPECT_EQ(ask(first, post(1000, 0)).substr(0, 12), "HTTP/1.1 503");
  const auto second = connect();
  const auto third = connect();
  EXPECT_EQ(ask(second, post(500, 0)), "");
  EXPECT_EQ(ask(third, post(500, 401)), "");  // The other one's claim takes nothing,
  expect_refused(second, ask(second, std::string(100, 'x')));  // its bytes would.
  backend_.vouched = true;
  EXPECT_TRUE(ask(connect(), post(1000, 1000)).starts_with("HTTP/1.1 200"));
}

TEST_F(LittleRoom, IsFreeAgainHoweverARequestEnds) {
  for (int round = 0; round < 3; ++round) {
    const auto reset = connect();
    send(reset, post(1000, 500));
    const auto ended = connect();
    send(ended, post(1000, 500));
    EXPECT_EQ(ask(connect(), post(1, 1)).substr(0, 12), "HTTP/1.1 503");
    ring_.reset(reset);
    ring_.end(ended);
    ring_.settle();
    // Waiting for its answer it holds its body still.
    const auto waiting = connect();
    send(waiting, post(1000, 1000));
    send(connect(), post(1000, 0));
    EXPECT_EQ(ask(connect(), post(1, 1)).substr(0, 12), "HTTP/1.1 503");
    server_->drop(backend_.handles.back());
    const auto slow = connect();
    EXPECT_EQ(ask(slow, post(1000, 0)), "");
    ring_.pass(seconds{35});  // The time of those that do not go on is up.
    EXPECT_TRUE(ring_.output(slow).starts_with("HTTP/1.1 408"));
  }
}

class SomeRoom : public ServerTest {
 protected:
  SomeRoom() : ServerTest({.bodies_bytes_max = 1'000'000}) { backend_.body_limit = 500'000; }

  static std::string announce(size_t size) {
    return "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
  }
};

TEST_F(SomeRoom, IsNotTakenByWhatIsOnlyAnnounced) {
  answer_at_once();
  std::vector<MemoryRing::Client> claimants;
  for (int count = 0; count < 17; ++count) {
    claimants.push_back(connect());
    send(claimants.back(), announce(500'000) + "x");
    EXPECT_FALSE(ring_.half_closed(claimants.back())) << count;
  }
  EXPECT_TRUE(ask(connect(), announce(400'000) + std::string(400'000, 'x')).ends_with("x"));
  EXPECT_EQ(counters_.value(Counter::bodies_without_room), 0u);
}

TEST_F(SomeRoom, IsKeptForASmallBodyFromItsHeadOn) {
  answer_at_once();
  const auto small = connect();
  send(small, announce(16'000));
  const auto first = connect();
  const auto second = connect();
  send(first, announce(500'000) + std::string(499'000, 'x'));
  send(second, announce(480'000) + std::string(479'000, 'x'));
  EXPECT_TRUE(ask(connect(), announce(100'000)).starts_with("HTTP/1.1 503"));
  EXPECT_TRUE(ask(small, std::string(16'000, 'x')).starts_with("HTTP/1.1 200"));
  EXPECT_EQ(counters_.value(Counter::bodies_without_room), 1u);
}

}  // namespace
}  // namespace ringpost::ingest
