#include "http/serialiser.h"

#include "http/problem.h"
#include "http/reading.h"
#include "http/response_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::http {
namespace {

const WallTime noon = from_unix_ns(784'111'777'123'456'789);

std::string written(const Response& response, bool keep_alive = true, ResponseForm form = {}) {
  std::string out;
  append_response(out, response, keep_alive, noon, form);
  return out;
}

TEST(Serialiser, WritesAnAnswer) {
  EXPECT_EQ(written({.status = 202, .body = "{}"}),
            "HTTP/1.1 202 Accepted\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\n"
            "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n{}");
}

TEST(Serialiser, WritesWhatOurOwnClientReads) {
  for (const uint16_t status : std::initializer_list<uint16_t>{200, 204, 304, 404, 503}) {
    for (const bool keep_alive : {true, false}) {
      const bool with_body = status != 204 && status != 304;
      const std::string bytes = written(
          {.status = status, .headers = {{"Location", "/a"}}, .body = with_body ? "body" : ""},
          keep_alive);
      ResponseParser parser;
      ASSERT_EQ(parser.feed(as_bytes(bytes)), ResponseParser::Progress::complete) << bytes;
      EXPECT_EQ(parser.status(), status);
      EXPECT_EQ(parser.reusable(), keep_alive);
      EXPECT_EQ(parser.header("location"), "/a");
      EXPECT_EQ(as_text(parser.body()), with_body ? "body" : "");
    }
  }
}

/// Our own client reads the pieces as one body, however they were cut.
TEST(Serialiser, WritesAnAnswerInPieces) {
  std::string bytes;
  append_stream_head(bytes, {.content_type = "text/plain", .headers = {{"X-A", "b"}}}, true, noon);
  EXPECT_EQ(bytes,
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"
            "X-Content-Type-Options: nosniff\r\nX-A: b\r\nCache-Control: no-store\r\n\r\n");
  append_chunk(bytes, "hello ");
  append_chunk(bytes, std::string(300, 'x'));
  ResponseParser parser;
  ASSERT_EQ(parser.feed(as_bytes(bytes)), ResponseParser::Progress::need_more);
  ASSERT_EQ(parser.feed(as_bytes(last_chunk)), ResponseParser::Progress::complete);
  EXPECT_TRUE(parser.reusable());
  EXPECT_EQ(as_text(parser.body()), "hello " + std::string(300, 'x'));
}

TEST(Serialiser, EndsPiecesWithTheConnectionForHttp10) {
  std::string bytes;
  append_stream_head(bytes, {}, false, noon, {.http_1_0 = true});
  EXPECT_EQ(bytes.find("Transfer-Encoding"), std::string::npos);
  EXPECT_NE(bytes.find("\r\nConnection: close\r\n"), std::string::npos);
}

TEST(Serialiser, LeavesOutWhatAnAnswerDoesNotHave) {
  EXPECT_EQ(written({.status = 204}).find("Content-"),
            written({.status = 204}).find("Content-Type-"));
  EXPECT_EQ(written({.status = 200}).find("Content-Type:"), std::string::npos);
  EXPECT_NE(written({.status = 200}).find("Content-Length: 0\r\n"), std::string::npos);
  const std::string head = written({.body = "body"}, true, {.head_only = true});
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
  EXPECT_NE(head.find("Content-Length: 4\r\n"), std::string::npos);
}

TEST(Serialiser, SaysWhetherTheConnectionStays) {
  EXPECT_EQ(written({}).find("Connection:"), std::string::npos);
  EXPECT_NE(written({}, false).find("Connection: close\r\n"), std::string::npos);
  EXPECT_NE(written({}, true, {.http_1_0 = true}).find("Connection: keep-alive\r\n"),
            std::string::npos);
  EXPECT_NE(written({}, false, {.http_1_0 = true}).find("Connection: close\r\n"),
            std::string::npos);
}

TEST(Serialiser, LetsAnAnswerBringItsOwnCacheControl) {
  const std::string bytes = written({.headers = {{"Cache-Control", "max-age=60"}}});
  EXPECT_EQ(bytes.find("no-store"), std::string::npos);
  EXPECT_NE(bytes.find("Cache-Control: max-age=60\r\n"), std::string::npos);
}

TEST(Serialiser, WritesARequestHead) {
  std::string out;
  const Header headers[] = {{"X-A", "b"}};
  append_request_head(
      out, {.method = "POST", .target = "/in?a", .authority = "a:81", .body_bytes = 12}, headers);
  EXPECT_EQ(out, "POST /in?a HTTP/1.1\r\nHost: a:81\r\nX-A: b\r\nContent-Length: 12\r\n\r\n");
  out.clear();
  append_request_head(out, {.method = "GET", .target = "/", .authority = "a", .keep_alive = false},
                      {});
  EXPECT_EQ(out, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(read_whole(out).requests.size(), 1);
  out.clear();
  append_request_head(out, {.method = "HEAD", .target = "/", .authority = "a"}, {});
  EXPECT_EQ(out, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(SerialiserDeathTest, NeverWritesALineThatNobodyMeant) {
  std::string out;
  EXPECT_DEATH(append_header(out, "X", "a\r\nY: b"), "valid_header_value");
  EXPECT_DEATH(append_header(out, "X: a\r\nY", "b"), "valid_header_name");
  EXPECT_DEATH(written({.headers = {{"Content-Length", "5"}}}), "named");
  const Header length[] = {{"transfer-encoding", "chunked"}};
  EXPECT_DEATH(append_request_head(out, {.method = "GET", .target = "/", .authority = "a"}, length),
               "named");
  EXPECT_DEATH(append_request_head(
                   out, {.method = "GET", .target = "/ HTTP/1.1\r\nX: ", .authority = "a"}, {}),
               "visible");
}

// --- what users may configure (S-7) --------------------------------------------------------------

TEST(HeaderRules, RefuseNamesThatAreNoTokens) {
  for (const char* name :
       {"", "a b", "a:", ":a", "a\r", "\xc3\xa4", "a\x01", "a/b", "a,b", "a\""}) {
    EXPECT_FALSE(valid_header_name(name)) << name;
  }
  EXPECT_FALSE(valid_header_name(std::string(257, 'a')));
  EXPECT_TRUE(valid_header_name("X-Team_1.~"));
}

TEST(HeaderRules, RefuseValuesThatCouldEndALine) {
  for (const char* value :
       {"a\r\nX: b", "a\nb", "a\rb", "\x7f", "\x01", " a", "a ", "\ta", "a\x1b"}) {
    EXPECT_FALSE(valid_header_value(value)) << value;
  }
  EXPECT_FALSE(valid_header_value(std::string_view{"a\0b", 3}));
  EXPECT_FALSE(valid_header_value(std::string(65536, 'a')));
  EXPECT_FALSE(
      valid_header_value("12345678\x7f"
                         "2345678"));
  EXPECT_TRUE(valid_header_value(""));
  EXPECT_TRUE(valid_header_value("a\tb: c \xc3\xa4"));
}

TEST(HeaderRules, ReserveWhatTheRelayWrites) {
  for (const char* name :
       {"Host", "CONTENT-LENGTH", "Transfer-Encoding", "connection", "Keep-Alive", "TE", "Trailer",
        "Upgrade", "Expect", "Content-Type", "User-Agent", "webhook-signature", "Webhook-Id",
        "WEBHOOK-TIMESTAMP", "ringpost-delivery", "Content-Encoding", "Proxy-Connection"}) {
    EXPECT_TRUE(reserved_request_header(name)) << name;
  }
  for (const char* name : {"Authorization", "X-Team", "Webhook", "hosts", "X-Host", "Cookie", ""}) {
    EXPECT_FALSE(reserved_request_header(name)) << name;
  }
}

TEST(Problem, SpeaksInWholeSentences) {
  const auto said = [](const char* detail, const char* member, bool of_member) {
    return Problem{.detail = detail, .member = member, .of_member = of_member}.sentence();
  };
  EXPECT_EQ(said("is required", "url", true), "`url` is required.");
  EXPECT_EQ(said("there is no such webhook", "", false), "There is no such webhook.");
  EXPECT_EQ(said("The disk is full.", "", false), "The disk is full.");
  EXPECT_EQ(said("`data` is too large", "data", false), "`data` is too large.");
  EXPECT_EQ(said("is it a relay?", "", false), "Is it a relay?");
  EXPECT_EQ(said("", "url", true), "");
}

TEST(Problem, BecomesAnAnswer) {
  const Response full = problem_response({.status = 429,
                                          .type = "urn:ringpost:overloaded",
                                          .title = "Slow down",
                                          .detail = "a \"quote\"\n.",
                                          .line = 7,
                                          .member = "data",
                                          .retry_after_s = 3});
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(full.content_type, "application/problem+json");
  EXPECT_EQ(full.body, R"({"type":"urn:ringpost:overloaded","title":"Slow down","status":429,)"
                       R"("detail":"A \"quote\"\n.","line":7,"member":"data"})");
  EXPECT_NE(written(full).find("Retry-After: 3\r\n"), std::string::npos);
  const Response least = problem_response({.status = 404});
  EXPECT_EQ(least.body, R"({"type":"about:blank","title":"Not Found","status":404})");
  EXPECT_TRUE(least.headers.empty());
}

}  // namespace
}  // namespace ringpost::http
