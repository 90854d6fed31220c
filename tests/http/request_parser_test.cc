#include "http/request_parser.h"

#include "base/prng.h"
#include "http/problem.h"
#include "http/reading.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::http {
namespace {

using Progress = RequestParser::Progress;

const std::string get = "GET /v1/events/7?limit=2 HTTP/1.1\r\nHost: relay.test\r\n\r\n";
const std::string post =
    "POST /v1/events HTTP/1.1\r\nHost: relay.test:8420\r\nContent-Type: application/json\r\n"
    "Content-Length: 13\r\n\r\n{\"type\":\"a\"}\n";
const std::string chunked =
    "POST /v1/events HTTP/1.1\r\nHost: relay.test\r\nTransfer-Encoding: Chunked\r\n\r\n"
    "5\r\nhello\r\n6;name=value;flag\r\n world\r\n00\r\nChecksum: 1\r\n\r\n";

/// The status with which a request of this head is refused; 0 if it is read.
uint16_t refusal_of(std::string_view bytes) {
  const Reading whole = read_whole(bytes);
  const Reading cut = read_byte_by_byte(bytes);
  EXPECT_EQ(whole, cut) << shown(bytes);
  EXPECT_EQ(whole.requests.size(), whole.status == 0 ? 1 : 0) << shown(bytes);
  return whole.status;
}

std::string with_line(std::string_view line) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string{line} + "\r\n\r\n";
}

TEST(RequestParser, ReadsARequestWithoutABody) {
  const Reading reading = read_whole(get);
  ASSERT_EQ(reading.requests.size(), 1);
  const Request& request = reading.requests[0];
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, "/v1/events/7?limit=2");
  EXPECT_EQ(request.path, "/v1/events/7");
  EXPECT_EQ(request.query, "limit=2");
  EXPECT_EQ(request.header("hOST"), "relay.test");
  EXPECT_TRUE(request.has_header("Host"));
  EXPECT_FALSE(request.has_header("Content-Length"));
  EXPECT_EQ(request.header("Absent"), "");
  EXPECT_TRUE(request.keep_alive);
  EXPECT_TRUE(reading.idle);
}

TEST(RequestParser, ReadsABodyByItsLength) {
  const Reading reading = read_whole(post);
  ASSERT_EQ(reading.requests.size(), 1);
  EXPECT_EQ(reading.requests[0].body, "{\"type\":\"a\"}\n");
}

TEST(RequestParser, TakesTheFramingOffChunksAndThrowsTrailersAway) {
  const Reading reading = read_whole(chunked);
  ASSERT_EQ(reading.requests.size(), 1);
  EXPECT_EQ(reading.requests[0].body, "hello world");
  EXPECT_FALSE(reading.requests[0].has_header("Checksum"));
  EXPECT_EQ(reading.requests[0].headers.size(), 2);
}

// Goal: the result does not depend on packets. Method: three pipelined requests, cut at every
// place, at every pair of places, and after every byte.
TEST(RequestParser, ReadsTheSameHoweverTheBytesAreCut) {
  const std::string bytes = chunked + get + "\r\n" + post;
  const Reading whole = read_whole(bytes);
  ASSERT_EQ(whole.requests.size(), 3);
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    ASSERT_EQ(read_pieces(bytes, {cut}, 1000), whole) << cut;
    for (size_t second = cut + 1; second < bytes.size(); second += 7) {
      ASSERT_EQ(read_pieces(bytes, {cut, second}, 1000), whole) << cut << ' ' << second;
    }
  }
  EXPECT_EQ(read_byte_by_byte(bytes), whole);
}

TEST(RequestParser, StopsAtTheHeadUntilTheBodyIsAccepted) {
  RequestParser parser;
  size_t consumed = 0;
  EXPECT_TRUE(parser.idle());
  ASSERT_EQ(parser.feed(as_bytes(post), consumed), Progress::head_complete);
  EXPECT_EQ(consumed, post.find("\r\n\r\n") + 4);
  EXPECT_TRUE(parser.has_body());
  EXPECT_EQ(parser.content_length(), 13);
  EXPECT_EQ(parser.request().path, "/v1/events");
  ASSERT_EQ(parser.accept_body(13), Progress::need_more);
  ASSERT_EQ(parser.feed(as_bytes(post).subspan(consumed), consumed), Progress::complete);
  EXPECT_EQ(consumed, 13);
  EXPECT_EQ(parser.take_request().body.size(), 13);
  EXPECT_TRUE(parser.idle());
}

TEST(RequestParser, AllocatesPaddingBeyondTheBody) {
  for (const std::string& bytes : {get, post, chunked}) {
    const Reading reading = read_whole(bytes);
    const std::string& body = reading.requests.at(0).body;
    EXPECT_GE(body.capacity() - body.size(), body_padding_bytes);
  }
}

TEST(RequestParser, LeavesPipelinedRequestsToTheNextTurn) {
  RequestParser parser;
  const std::string bytes = get + get;
  size_t consumed = 0;
  ASSERT_EQ(parser.feed(as_bytes(bytes), consumed), Progress::head_complete);
  EXPECT_EQ(consumed, get.size());
  EXPECT_EQ(parser.accept_body(0), Progress::complete);
}

TEST(RequestParser, IsNotIdleOnceAByteCame) {
  RequestParser parser;
  size_t consumed = 0;
  ASSERT_EQ(parser.feed(as_bytes("G"), consumed), Progress::need_more);
  EXPECT_FALSE(parser.idle());
}

TEST(RequestParser, SkipsOneEmptyLineBeforeARequestAndNoMore) {
  EXPECT_EQ(refusal_of("\r\n" + get), 0);
  EXPECT_EQ(refusal_of("\r\n\r\n" + get), 400);
  EXPECT_EQ(refusal_of("\n" + get), 400);
}

TEST(RequestParser, KeepsTheConnectionAsVersionAndHeaderSay) {
  const auto keeps = [](std::string_view version, std::string_view connection) {
    std::string bytes = "GET / " + std::string{version} + "\r\nHost: a\r\n";
    if (!connection.empty()) bytes += "Connection: " + std::string{connection} + "\r\n";
    const Reading reading = read_whole(bytes + "\r\n");
    return reading.requests.at(0).keep_alive;
  };
  EXPECT_TRUE(keeps("HTTP/1.1", ""));
  EXPECT_FALSE(keeps("HTTP/1.1", "close"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Upgrade, CLOSE"));
  EXPECT_FALSE(keeps("HTTP/1.1", "keep-alive, close"));
  EXPECT_TRUE(keeps("HTTP/1.1", "close-not"));
  EXPECT_FALSE(keeps("HTTP/1.0", ""));
  EXPECT_TRUE(keeps("HTTP/1.0", "Keep-Alive"));
  EXPECT_FALSE(keeps("HTTP/1.0", "keep-alive,close"));
  EXPECT_EQ(refusal_of(with_line("Connection: a b")), 400);
}

TEST(RequestParser, ReadsHttp10WithoutHost) {
  EXPECT_EQ(refusal_of("GET / HTTP/1.0\r\n\r\n"), 0);
  EXPECT_EQ(refusal_of("POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx"), 0);
}

// --- Expect --------------------------------------------------------------------------------------

bool expects_continue(std::string_view head) {
  RequestParser parser;
  size_t consumed = 0;
  EXPECT_EQ(parser.feed(as_bytes(head), consumed), Progress::head_complete) << head;
  return parser.expect_continue();
}

TEST(RequestParser, SaysWhenAClientWaitsForContinue) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n";
  EXPECT_TRUE(expects_continue(head + "Content-Length: 1\r\n\r\n"));
  EXPECT_TRUE(expects_continue(head + "Transfer-Encoding: chunked\r\n\r\n"));
  EXPECT_FALSE(expects_continue(head + "Content-Length: 0\r\n\r\n"));
  EXPECT_FALSE(expects_continue(head + "\r\n"));
  EXPECT_FALSE(
      expects_continue("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"));
}

TEST(RequestParser, RefusesUnknownExpectations) {
  for (const char* value : {"200-ok", "100-continue, 100-continue", "", "100-continue;x", "100"}) {
    EXPECT_EQ(refusal_of(with_line("Expect: " + std::string{value})), 417) << value;
  }
  EXPECT_EQ(refusal_of(with_line("Expect: 100-continue\r\nExpect: 100-continue")), 417);
}

// --- limits (I-6) --------------------------------------------------------------------------------

std::string request_line_of(size_t bytes) {
  const std::string frame = "GET / HTTP/1.1";
  return "GET /" + std::string(bytes - frame.size(), 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

TEST(RequestParser, RefusesATlsHelloAtItsFirstByte) {
  EXPECT_EQ(refusal_of("\x16"), 400);
  EXPECT_EQ(refusal_of(std::string("\x16\x03\x01\x02\x00\x01", 6)), 400);
  EXPECT_EQ(refusal_of("\r\n\x16"), 400);
}

TEST(RequestParser, LimitsTheRequestLine) {
  EXPECT_EQ(refusal_of(request_line_of(8192)), 0);
  EXPECT_EQ(refusal_of(request_line_of(8193)), 414);
  EXPECT_EQ(refusal_of(std::string(8194, 'A')), 414);  // Never ends.
}

// Whose API is to word the refusal shows in the path.
TEST(RequestParser, NotesThePathOfWhatItRefuses) {
  struct Row {
    const char* line;
    uint16_t status;
    const char* path;
  };
  for (const Row& row : {
           Row{"QUERY /v0.1/apps HTTP/1.1", 501, "/v0.1/apps"},
           Row{"PROPFIND /v0.1/apps?a=b HTTP/1.1", 501, "/v0.1/apps"},
           Row{"CONNECT /v0.1/apps HTTP/1.1", 501, "/v0.1/apps"},
           Row{"get /v0.1/apps HTTP/1.1", 501, "/v0.1/apps"},
           Row{"g@t /v0.1/apps HTTP/1.1", 400, "/v0.1/apps"},
           Row{"GET /v0.1/apps HTTP/2.0", 505, "/v0.1/apps"},
           Row{"GET /v0.1/%61pps HTTP/2.0", 505, "/v0.1/apps"},
           Row{"GET http://a/v0.1/apps HTTP/3", 400, "/v0.1/apps"},
           Row{"GET /v0.1/apps HTTP/one", 400, "/v0.1/apps"},
           Row{"GET /v0.1/apps", 400, "/v0.1/apps"},
           Row{"GET /v0.1/apps/%00 HTTP/1.1", 400, "/v0.1/apps/%00"},
           Row{"GET /v0.1/apps/%zz HTTP/1.1", 400, "/v0.1/apps/%zz"},
           Row{"GET /v0.1/apps/\x01 HTTP/1.1", 400, "/v0.1/apps/\x01"},
           Row{"GET", 400, ""},
       }) {
    RequestParser parser;
    size_t consumed = 0;
    const std::string bytes = std::string{row.line} + "\r\nHost: a\r\n\r\n";
    EXPECT_EQ(parser.feed(as_bytes(bytes), consumed), Progress::failed) << row.line;
    EXPECT_EQ(parser.error().status, row.status) << row.line;
    EXPECT_EQ(parser.request().path, row.path) << row.line;
  }
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}) {
    EXPECT_EQ(refusal_of(std::string{method} + " / HTTP/1.1\r\nHost: a\r\n\r\n"), 0) << method;
  }
}

std::string header_line_of(size_t bytes) {
  return "X: " + std::string(bytes - 3, 'a');
}

TEST(RequestParser, LimitsAHeaderLine) {
  EXPECT_EQ(refusal_of(with_line(header_line_of(8192))), 0);
  EXPECT_EQ(refusal_of(with_line(header_line_of(8193))), 431);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(8192, 'a')), 431);
}

TEST(RequestParser, LimitsTheNumberOfHeaders) {
  const auto with_headers = [](size_t count) {
    std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (size_t index = 1; index < count; ++index) bytes += "X: a\r\n";
    return bytes + "\r\n";
  };
  EXPECT_EQ(refusal_of(with_headers(100)), 0);
  EXPECT_EQ(refusal_of(with_headers(101)), 431);
}

TEST(RequestParser, LimitsTheHeadersTogether) {
  const auto with_header_bytes = [](size_t bytes) {
    std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
    size_t left = bytes - 9;
    for (; left > 6000; left -= 4000) head += header_line_of(3998) + "\r\n";
    return head + header_line_of(left - 2) + "\r\n\r\n";
  };
  EXPECT_EQ(refusal_of(with_header_bytes(32 * 1024)), 0);
  EXPECT_EQ(refusal_of(with_header_bytes(32 * 1024 + 1)), 431);
}

TEST(RequestParser, RefusesABodyBeyondTheLimitBeforeReadingIt) {
  RequestParser parser;
  const std::string head =
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n";
  size_t consumed = 0;
  ASSERT_EQ(parser.feed(as_bytes(head), consumed), Progress::head_complete);
  EXPECT_EQ(parser.accept_body(100), Progress::failed);
  EXPECT_EQ(parser.error().status, 413);
}

TEST(RequestParser, RefusesChunksBeyondTheLimitOnceTheirSizeIsKnown) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string fits = head + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  EXPECT_EQ(read_whole(fits, 5).requests.size(), 1);
  EXPECT_EQ(read_whole(fits, 4).status, 413);
  EXPECT_EQ(read_byte_by_byte(fits, 4), read_whole(fits, 4));
  EXPECT_EQ(read_whole(head + "3\r\nabc\r\n3\r\n", 5).status, 413);
  EXPECT_EQ(read_whole(head + "FFFFFFFFFFFFFFFF\r\n", 5).status, 413);
  EXPECT_EQ(read_whole(head + "1\r\na\r\nFFFFFFFFFFFFFFFF\r\n", UINT64_MAX).status, 413);
}

TEST(RequestParser, DoesNotBelieveALengthWithItsMemory) {
  RequestParser parser;
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n";
  size_t consumed = 0;
  ASSERT_EQ(parser.feed(as_bytes(head), consumed), Progress::head_complete);
  ASSERT_EQ(parser.accept_body(UINT64_MAX), Progress::need_more);
  EXPECT_LT(parser.request().body.capacity(), 128 * 1024);
}

// --- refusals for people -------------------------------------------------------------------------

TEST(RequestParser, SaysToAClientOfHttp2WhatIsSpoken) {
  RequestParser parser;
  size_t consumed = 0;
  ASSERT_EQ(parser.feed(as_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), consumed), Progress::failed);
  EXPECT_EQ(parser.error().status, 505);
  EXPECT_NE(parser.error().detail.find("HTTP/1.1, not HTTP/2"), std::string::npos);
}

TEST(Problem, SaysWhichContentTypeIsWanted) {
  Request request;
  EXPECT_EQ(wrong_content_type(request),
            "The body came without a content type: add the header Content-Type: application/json.");
  request.headers = {{"content-type", "application/x-www-form-urlencoded"}};
  EXPECT_EQ(
      wrong_content_type(request),
      "The body came as `application/x-www-form-urlencoded`: send JSON, and replace the header "
      "Content-Type with application/json.");
  for (const char* json :
       {"application/json; charset=latin1", "Application/JSON ;charset=\"utf-16\"",
        "application/problem+json;charset=iso-8859-1"}) {
    request.headers = {{"content-type", json}};
    EXPECT_EQ(wrong_content_type(request),
              "The body came as `" + std::string{json} +
                  "`: JSON is read in UTF-8 only, so send it in UTF-8, with the header "
                  "Content-Type: application/json.");
  }
}

TEST(RequestParser, ExplainsARefusal) {
  RequestParser parser;
  size_t consumed = 0;
  ASSERT_EQ(parser.feed(as_bytes("GET / HTTP/2.0\r\n"), consumed), Progress::failed);
  EXPECT_EQ(parser.error().status, 505);
  EXPECT_EQ(parser.error().title, "HTTP Version Not Supported");
  EXPECT_NE(parser.error().detail.find("HTTP/1.1, not HTTP/2"), std::string::npos);
  const Problem problem = to_problem(parser.error());
  EXPECT_EQ(problem.status, 505);
  EXPECT_EQ(problem.detail, parser.error().detail);
}

// Goal: no crash, and one reading, for anything. Method: seeded mutations of good requests, each
// read whole, byte by byte and with random cuts.
TEST(RequestParser, ReadsMutationsTheSameHoweverTheyAreCut) {
  Prng random(20311);
  const std::string seeds[] = {get + post, chunked + get, post + chunked};
  const std::string_view pool = "\r\n \t:;,0159afAF\x00\x7f\x80\xff/%.?#HTTP";
  for (int round = 0; round < 4000; ++round) {
    std::string bytes = seeds[random.below(3)];
    for (uint64_t edit = random.between(1, 4); edit > 0; --edit) {
      const size_t at = random.below(bytes.size());
      const char byte = pool[random.below(pool.size())];
      switch (random.below(3)) {
        case 0: bytes[at] = byte; break;
        case 1: bytes.insert(at, 1, byte); break;
        default: bytes.erase(at, 1);
      }
    }
    const Reading whole = read_whole(bytes, 50);
    ASSERT_EQ(read_byte_by_byte(bytes, 50), whole) << shown(bytes);
    const size_t cut = random.below(bytes.size());
    ASSERT_EQ(read_pieces(bytes, {cut, cut + random.below(9)}, 50), whole) << shown(bytes);
  }
}

}  // namespace
}  // namespace ringpost::http
