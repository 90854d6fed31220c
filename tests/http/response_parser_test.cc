#include "http/response_parser.h"

#include "base/prng.h"
#include "http/reading.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace ringpost::http {
namespace {

using Progress = ResponseParser::Progress;

const std::string ok =
    "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
    "Keep-Alive: timeout=5, max=100\r\nContent-Length: 2\r\n\r\nok";
const std::string chunked_ok =
    "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x\r\nd\r\n0\r\nT: "
    "1\r\n\r\n";

/// Everything a caller can learn, to compare.
struct Answer {
  Progress progress = Progress::need_more;
  uint16_t status = 0;
  std::string head;
  std::string body;
  bool reusable = false;
  bool truncated = false;
  Errc code{};

  friend bool operator==(const Answer&, const Answer&) = default;
};

Answer answer_of(const ResponseParser& parser, Progress progress) {
  Answer answer{progress,
                parser.status(),
                std::string{parser.head()},
                std::string{as_text(parser.body())},
                parser.reusable(),
                parser.truncated()};
  if (progress == Progress::failed) answer.code = parser.error().code;
  return answer;
}

Answer read_in_pieces(std::string_view bytes, size_t piece_bytes) {
  ResponseParser parser;
  Progress progress = Progress::need_more;
  while (!bytes.empty() && progress == Progress::need_more) {
    const std::string_view piece = bytes.substr(0, piece_bytes);
    progress = parser.feed(as_bytes(piece));
    bytes.remove_prefix(piece.size());
  }
  return answer_of(parser, progress);
}

Answer read_answer(std::string_view bytes) {
  const Answer whole = read_in_pieces(bytes, bytes.size());
  const Answer cut = read_in_pieces(bytes, 1);
  EXPECT_EQ(whole.progress, cut.progress) << shown(bytes);
  EXPECT_EQ(whole.status, cut.status) << shown(bytes);
  EXPECT_EQ(whole.body, cut.body) << shown(bytes);
  EXPECT_EQ(whole.code, cut.code) << shown(bytes);
  return whole;
}

std::string with_headers(std::string_view headers, std::string_view body = "") {
  return "HTTP/1.1 200 OK\r\n" + std::string{headers} + "\r\n\r\n" + std::string{body};
}

TEST(ResponseParser, ReadsAnOrdinaryAnswer) {
  ResponseParser parser;
  EXPECT_FALSE(parser.begun());
  ASSERT_EQ(parser.feed(as_bytes(ok)), Progress::complete);
  EXPECT_TRUE(parser.begun());
  EXPECT_TRUE(parser.complete());
  EXPECT_TRUE(parser.reusable());
  EXPECT_EQ(parser.status(), 200);
  EXPECT_EQ(parser.head(), std::string_view{ok}.substr(0, ok.size() - 2));
  EXPECT_EQ(as_text(parser.body()), "ok");
  EXPECT_EQ(parser.body_bytes_seen(), 2);
  EXPECT_FALSE(parser.truncated());
  EXPECT_EQ(parser.header("content-TYPE"), "text/plain");
  EXPECT_EQ(parser.header("content"), "");
  EXPECT_EQ(parser.header("HTTP/1.1 200 OK"), "");
  EXPECT_EQ(parser.keep_alive_timeout_s(), 5);
}

TEST(ResponseParser, ReadsTheSameHoweverTheBytesAreCut) {
  for (const std::string& bytes : {ok, chunked_ok, "HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + ok}) {
    const Answer whole = read_in_pieces(bytes, bytes.size());
    ASSERT_EQ(whole.progress, Progress::complete);
    for (size_t piece = 1; piece < bytes.size(); ++piece) {
      ASSERT_EQ(read_in_pieces(bytes, piece), whole) << piece;
    }
  }
}

TEST(ResponseParser, ReadsManyAnswersOfOneConnection) {
  ResponseParser parser;
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(parser.feed(as_bytes(ok)), Progress::complete);
    ASSERT_TRUE(parser.reusable());
    parser.reset();
    EXPECT_FALSE(parser.begun());
    EXPECT_EQ(parser.status(), 0);
    ASSERT_EQ(parser.feed(as_bytes(chunked_ok)), Progress::complete);
    EXPECT_EQ(as_text(parser.body()), "abcd");
    parser.reset();
  }
}

TEST(ResponseParser, ReadsEveryStatusFrom200To599) {
  for (int status = 200; status < 600; ++status) {
    const std::string line = "HTTP/1.1 " + std::to_string(status);
    for (const char* reason : {"", " ", " Any Reason \xe4"}) {
      const Answer answer = read_answer(line + reason + "\r\nContent-Length: 0\r\n\r\n");
      EXPECT_EQ(answer.progress, Progress::complete) << line << reason;
      EXPECT_EQ(answer.status, status);
    }
  }
}

TEST(ResponseParser, RefusesMalformedStatusLines) {
  for (const char* line : {"HTTP/1.1 99 x",
                           "HTTP/1.1 600 x",
                           "HTTP/1.1 099 x",
                           "HTTP/1.1 000 x",
                           "HTTP/1.1 2000 x",
                           "HTTP/1.1 20 x",
                           "HTTP/1.1 200x",
                           "HTTP/1.1200 x",
                           "HTTP/1.1",
                           "HTTP/1.1 ",
                           "HTTP/2 200 x",
                           "HTTP/1.x 200 x",
                           "HTTP/0.9 200 x",
                           "http/1.1 200 x",
                           "ICY 200 OK",
                           " HTTP/1.1 200 x",
                           "",
                           "200 OK",
                           "HTTP/1.1 2x0 OK",
                           "HTTP/1.1 +20 OK",
                           "HTTP/1.1 -20 OK",
                           "HTTP/1.10 200 OK",
                           "HTTP/1.1 999 x",
                           "<html>",
                           "SSH-2.0-OpenSSH",
                           "220 smtp ready"}) {
    const Answer answer = read_answer(std::string{line} + "\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(answer.progress, Progress::failed) << line;
    EXPECT_EQ(answer.code, Errc::malformed) << line;
    EXPECT_EQ(answer.status, 0) << line;
  }
}

// The connection pays for it, not the delivery: what delimits the body is in doubt.
TEST(ResponseParser, UsesNoConnectionAgainWhoseFramingIsInDoubt) {
  for (const char* headers : {"Content-Length: 2\r\nTransfer-Encoding: chunked",
                              "Transfer-Encoding: chunked\r\nContent-Length: 2",
                              "Content-Length: 2\r\nContent-Length: 2",
                              "Content-Length: 2\r\nContent-Length: 3",
                              "Content-Length: 2, 2",
                              "Content-Length: +2",
                              "Content-Length: -2",
                              "Content-Length: 0x2",
                              "Content-Length:",
                              "Content-Length: 2 2",
                              "Content-Length: 18446744073709551616",
                              "Content-Length : 2",
                              " Content-Length: 2",
                              "X: a\r\n Content-Length: 2",
                              "X: a\nContent-Length: 2",
                              "X: a\rContent-Length: 2",
                              "X",
                              ": a",
                              "X\x80: a",
                              "X: \x01",
                              "Transfer-Encoding: gzip",
                              "Transfer-Encoding: identity",
                              "Transfer-Encoding: gzip, chunked",
                              "Transfer-Encoding: chunked, chunked",
                              "Transfer-Encoding:",
                              "Transfer-Encoding: chunked\t",
                              "Content-Length:\t2",
                              "Transfer-Encoding: \x0b"
                              "chunked",
                              "Transfer-Encoding : chunked",
                              "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"}) {
    ResponseParser parser;
    const Progress progress = parser.feed(as_bytes(with_headers(headers, "2\r\nok\r\n0\r\n\r\n")));
    EXPECT_TRUE(progress != Progress::need_more || parser.on_end(std::nullopt)) << shown(headers);
    EXPECT_EQ(parser.status(), 200) << shown(headers);
    EXPECT_TRUE(parser.fault()) << shown(headers);
    EXPECT_FALSE(parser.reusable()) << shown(headers);
  }
}

TEST(ResponseParser, ReadsNoFurtherThanAMalformedChunk) {
  for (const char* body :
       {"x\r\n", "0x1\r\na\r\n", " 1\r\na\r\n", "1 x\r\na\r\n", "1\r\nab\r\n", "1\rx\na\r\n",
        "FFFFFFFFFFFFFFFF5\r\n", "\r\n", "0\r\nContent-Length: 1\r\n\r\n", "1;a\rb\r\na\r\n",
        "-1\r\n", "0\r\nX\r\n\r\n"}) {
    const Answer answer = read_answer(with_headers("Transfer-Encoding: chunked", body));
    EXPECT_EQ(answer.progress, Progress::enough) << shown(body);
    EXPECT_EQ(answer.status, 200) << shown(body);
    EXPECT_FALSE(answer.reusable) << shown(body);
    EXPECT_TRUE(answer.truncated) << shown(body);
  }
}

TEST(ResponseParser, LimitsTheHead) {
  const std::string line = "X: " + std::string(4000, 'a') + "\r\n";
  std::string large = "HTTP/1.1 200 OK\r\n";
  for (int count = 0; count < 9; ++count) large += line;
  std::string many = "HTTP/1.1 200 OK\r\n";
  for (int header = 0; header < 1001; ++header) many += "X: a\r\n";
  for (const std::string& bytes : {large, many, "HTTP/1.1 200 OK\r\nX: " + std::string(33'000, 'a'),
                                   "HTTP/1.1 200 " + std::string(9000, 'a')}) {
    const Answer answer = read_answer(bytes);
    EXPECT_EQ(answer.progress, Progress::enough);
    EXPECT_EQ(answer.status, 200);
    EXPECT_LE(answer.head.size(), 8u * 1024 + 32 * 1024 + 4);
    EXPECT_FALSE(answer.reusable);
  }
}

// --- reasons -------------------------------------------------------------------------------------

TEST(ResponseParser, TellsWhyAndKeepsTheFirstBytesOfAHeadThatItRefuses) {
  std::string many_interim;
  for (int index = 0; index < 2000; ++index) many_interim += "HTTP/1.1 100 Continue\r\n\r\n";
  struct Case {
    std::string bytes;
    BadAnswer reason;
    Errc code = Errc::malformed;
  };
  const Case cases[] = {
      {"\x16\x03\x01 hello", BadAnswer::binary},
      {"HTTP/1.1 100 " + std::string(9000, 'a'), BadAnswer::status_line_bytes, Errc::too_large},
      {"HTTP/1.1 100 C\r\nX: " + std::string(40'000, 'a'), BadAnswer::header_bytes,
       Errc::too_large},
      {" HTTP/1.1 200 OK\r\n\r\n", BadAnswer::leading_space},
      {"\r\n\r\n", BadAnswer::no_status_line},
      {"220 smtp ready\r\n", BadAnswer::http_version},
      {"HTTP/1.1 2x0 OK\r\n", BadAnswer::status_digits},
      {"HTTP/1.1 600 No\r\nContent-Length: 0\r\n\r\n", BadAnswer::status_range},
      {"HTTP/1.1 101 Switching\r\n\r\n", BadAnswer::upgrade},
      {many_interim, BadAnswer::interim_count, Errc::too_large},
  };
  for (const Case& one : cases) {
    for (const size_t piece_bytes : {one.bytes.size(), size_t{1}}) {
      ResponseParser parser;
      Progress progress = Progress::need_more;
      for (size_t at = 0; at < one.bytes.size() && progress == Progress::need_more;
           at += piece_bytes) {
        progress = parser.feed(as_bytes(std::string_view{one.bytes}.substr(at, piece_bytes)));
      }
      const std::string about =
          shown(one.bytes.substr(0, 100)) + " in pieces of " + std::to_string(piece_bytes);
      ASSERT_EQ(progress, Progress::failed) << about;
      EXPECT_EQ(parser.error(), (Error{one.code, Side::endpoint, static_cast<int32_t>(one.reason)}))
          << about << ": " << describe(parser.error());
      const std::string_view refused = parser.refused_head();
      EXPECT_LE(refused.size(), ResponseParser::refused_head_bytes_max) << about;
      EXPECT_FALSE(refused.empty()) << about;
      EXPECT_TRUE(one.bytes.starts_with(refused)) << about;
      EXPECT_TRUE(parser.head().empty()) << about;
      parser.reset();
      EXPECT_TRUE(parser.refused_head().empty());
    }
  }
}

TEST(ResponseParser, KeepsTheFirstBytesOfAHeadThatNeverEnds) {
  ResponseParser parser;
  {
    std::string piece = "HTTP/1.1 200 OK\r\nX: ";
    ASSERT_EQ(parser.feed(as_bytes(piece)), Progress::need_more);
    piece.assign(piece.size(), '!');  // Borrowed for the call only.
  }
  EXPECT_FALSE(parser.on_end(std::nullopt));
  EXPECT_EQ(parser.error(),
            (Error{Errc::closed, Side::endpoint, static_cast<int32_t>(BadAnswer::head_cut)}));
  EXPECT_EQ(parser.refused_head(), "HTTP/1.1 200 OK\r\nX: ");
}

// --- interim answers -----------------------------------------------------------------------------

std::string interim_times(int count) {
  std::string bytes;
  for (int index = 0; index < count; ++index) bytes += "HTTP/1.1 100 Continue\r\n\r\n";
  return bytes + ok;
}

TEST(ResponseParser, SkipsAFewInterimAnswers) {
  const Answer answer = read_answer(interim_times(32));
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.reusable);
  EXPECT_TRUE(answer.head.starts_with("HTTP/1.1 200"));
  EXPECT_EQ(read_answer(interim_times(33)).code, Errc::too_large);
}

TEST(ResponseParser, ReadsNoBodyOfAnInterimAnswer) {
  EXPECT_EQ(read_answer("HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n").code, Errc::malformed);
  for (const char* header : {"Content-Length: 5", "Transfer-Encoding: chunked"}) {
    const Answer answer = read_answer("HTTP/1.1 100 C\r\n" + std::string{header} + "\r\n\r\n" + ok);
    EXPECT_EQ(answer.status, 200);
    EXPECT_FALSE(answer.reusable);
  }
  EXPECT_EQ(read_answer("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 204 N\r\n\r\n").status, 204);
}

// --- what may be used again ----------------------------------------------------------------------

TEST(ResponseParser, KeepsAConnectionOnlyIfTheBoundaryIsCertain) {
  const struct {
    std::string bytes;
    bool reusable;
  } cases[] = {
      {ok, true},
      {chunked_ok, true},
      {ok + "H", false},
      {ok + "\r\n", false},
      {chunked_ok + ok, false},
      {with_headers("Content-Length: 0\r\nConnection: close"), false},
      {with_headers("Content-Length: 0\r\nConnection: x, Close"), false},
      {with_headers("Content-Length: 0\r\nConnection: keep-alive, close"), false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", true},
      {"HTTP/1.1 204 No Content\r\n\r\n", true},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", true},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", false},
      {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", false},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", true},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", false},
  };
  for (const auto& [bytes, reusable] : cases) {
    const Answer answer = read_in_pieces(bytes, bytes.size());
    EXPECT_EQ(answer.progress, Progress::complete) << bytes;
    EXPECT_EQ(answer.reusable, reusable) << bytes;
  }
}

TEST(ResponseParser, ReadsUntilTheEndOfTheStreamWithoutALength) {
  ResponseParser parser;
  ASSERT_EQ(parser.feed(as_bytes(with_headers("X: a", "some"))), Progress::need_more);
  ASSERT_EQ(parser.feed(as_bytes(" text")), Progress::need_more);
  EXPECT_FALSE(parser.complete());
  EXPECT_TRUE(parser.on_end(std::nullopt));
  EXPECT_TRUE(parser.complete());
  EXPECT_FALSE(parser.reusable());
  EXPECT_EQ(as_text(parser.body()), "some text");
}

TEST(ResponseParser, IsNoAnswerWhenTheStreamEndsWithinTheHead) {
  for (const std::string& bytes : {ok, chunked_ok}) {
    const size_t head_bytes = bytes.find("\r\n\r\n") + 4;
    for (size_t size = 0; size < head_bytes; ++size) {
      ResponseParser parser;
      ASSERT_EQ(parser.feed(as_bytes(bytes.substr(0, size))), Progress::need_more) << size;
      EXPECT_EQ(parser.begun(), size > 0);
      EXPECT_FALSE(parser.on_end(std::nullopt)) << size;
      EXPECT_EQ(parser.error().code, Errc::closed);
      EXPECT_EQ(parser.error().side, Side::endpoint);
      EXPECT_EQ(parser.status(), 0);
      EXPECT_FALSE(parser.reusable());
    }
  }
}

// --- capture (N-4) -------------------------------------------------------------------------------

TEST(ResponseParser, StopsAtTheCaptureLimit) {
  for (const size_t piece_bytes : {size_t{1}, size_t{1000}, size_t{100'000}}) {
    const Answer exact =
        read_in_pieces(with_headers("Content-Length: 16384", std::string(16384, 'a')), piece_bytes);
    EXPECT_EQ(exact.progress, Progress::complete);
    EXPECT_FALSE(exact.truncated);
    const Answer more = read_in_pieces(
        with_headers("Content-Length: 10737418240", std::string(16385, 'a')), piece_bytes);
    EXPECT_EQ(more.progress, Progress::enough);
    EXPECT_EQ(more.status, 200);
    EXPECT_EQ(more.body.size(), 16384);
    EXPECT_TRUE(more.truncated);
    EXPECT_FALSE(more.reusable);
  }
}

TEST(ResponseParser, StopsAtTheCaptureLimitOfEndlessChunks) {
  ResponseParser parser({.body_bytes_max = 10});
  ASSERT_EQ(parser.feed(as_bytes(with_headers("Transfer-Encoding: chunked"))), Progress::need_more);
  ASSERT_EQ(parser.feed(as_bytes("8\r\n12345678\r\n")), Progress::need_more);
  ASSERT_EQ(parser.feed(as_bytes("8\r\n12345678\r\n")), Progress::enough);
  EXPECT_EQ(as_text(parser.body()), "1234567812");
  EXPECT_FALSE(parser.complete());
}

// --- headers -------------------------------------------------------------------------------------

TEST(ResponseParser, FindsHeaders) {
  ResponseParser parser;
  parser.feed(as_bytes(with_headers(
      "Retry-After:\t120 \r\nX-Retry-After: 1\r\nEmpty:\r\nretry-after: 2\r\nContent-Length: 0")));
  EXPECT_EQ(parser.header("Retry-After"), "120");
  EXPECT_EQ(parser.header("Empty"), "");
  EXPECT_EQ(parser.header("Missing"), "");
  EXPECT_EQ(parser.header(""), "");
}

TEST(ResponseParser, ReadsTheKeepAliveTimeout) {
  const auto timeout = [](std::string_view value) {
    ResponseParser parser;
    parser.feed(as_bytes(with_headers("Content-Length: 0\r\nKeep-Alive: " + std::string{value})));
    return parser.keep_alive_timeout_s();
  };
  EXPECT_EQ(timeout("timeout=60"), 60);
  EXPECT_EQ(timeout("max=5, Timeout=7"), 7);
  EXPECT_EQ(timeout("timeout=99999999999"), 4294967295);
  EXPECT_EQ(timeout("timeout=x"), std::nullopt);
  EXPECT_EQ(timeout("timeout"), std::nullopt);
  EXPECT_EQ(timeout(""), std::nullopt);
}

TEST(ResponseParser, ReadsMutationsTheSameHoweverTheyAreCut) {
  Prng random(7771);
  const std::string_view pool = "\r\n \t:;,0159afAF\x00\x7f\x80\xff/HTTP";
  for (int round = 0; round < 6000; ++round) {
    std::string bytes = random.chance(1, 2) ? ok : interim_times(1) + chunked_ok;
    for (uint64_t edit = random.between(1, 4); edit > 0; --edit) {
      const size_t at = random.below(bytes.size());
      bytes[at] = pool[random.below(pool.size())];
      if (random.chance(1, 4)) bytes.erase(at, 1);
    }
    Answer whole = read_in_pieces(bytes, bytes.size());
    for (const size_t piece : {size_t{1}, random.between(2, 60)}) {
      Answer cut = read_in_pieces(bytes, piece);
      whole.reusable = cut.reusable = false;  // Whether more came depends on the cut.
      ASSERT_EQ(cut, whole) << shown(bytes);
    }
  }
}

}  // namespace
}  // namespace ringpost::http
