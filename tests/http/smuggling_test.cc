// Goal: what can be read in two ways is refused (reliability I-1 to I-5). Method: tables of the
// forms by which one parser is made to see what another does not, and generated disguises, each
// read whole and byte by byte.

#include "http/reading.h"
#include "http/syntax.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::http {
namespace {

/// Expects one refusal with `status`, no request, and the same for any cut.
void expect_refused(const std::string& bytes, uint16_t status) {
  const Reading whole = read_whole(bytes);
  EXPECT_EQ(whole.status, status) << shown(bytes) << "\n" << whole.detail;
  EXPECT_TRUE(whole.requests.empty()) << shown(bytes);
  EXPECT_EQ(read_byte_by_byte(bytes), whole) << shown(bytes);
}

/// Expects exactly one request with `body`, and the same for any cut.
void expect_read(const std::string& bytes, std::string_view body) {
  const Reading whole = read_whole(bytes);
  EXPECT_EQ(whole.status, 0) << shown(bytes) << "\n" << whole.detail;
  EXPECT_TRUE(whole.idle) << shown(bytes);
  ASSERT_EQ(whole.requests.size(), 1) << shown(bytes);
  EXPECT_EQ(whole.requests[0].body, body) << shown(bytes);
  EXPECT_EQ(read_byte_by_byte(bytes), whole) << shown(bytes);
}

std::string post_with(std::string_view headers, std::string_view body) {
  return "POST /e HTTP/1.1\r\nHost: x\r\n" + std::string{headers} + "\r\n\r\n" + std::string{body};
}

std::string text(std::string_view from) {
  return std::string{from};
}

// --- I-1 -----------------------------------------------------------------------------------------

TEST(Smuggling, RefusesLengthAndChunkedTogether) {
  const std::string both = "Content-Length: 6\r\nTransfer-Encoding: chunked";
  expect_refused(post_with(both, "0\r\n\r\nX"), 400);
  expect_refused(post_with("Transfer-Encoding: chunked\r\nContent-Length: 6", "0\r\n\r\nX"), 400);
  expect_refused(post_with("Content-Length: 4\r\nX: y\r\ntransfer-encoding: CHUNKED",
                           "5c\r\nGET / HTTP/1.1\r\n"),
                 400);
  expect_refused(post_with("Content-Length: 0\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400);
}

// --- I-2 -----------------------------------------------------------------------------------------

TEST(Smuggling, RefusesEveryContentLengthThatIsNotOneDecimalNumber) {
  const std::vector<std::string> values{"5, 5",
                                        "5,5",
                                        "+5",
                                        "-5",
                                        "0x5",
                                        "5 5",
                                        "5;",
                                        "",
                                        " ",
                                        "1_0",
                                        "18446744073709551616",
                                        "5\x0b",
                                        text({"5\0", 2}),
                                        "\xa0"
                                        "5",
                                        "5\xa0",
                                        "5.0",
                                        "5e0",
                                        "\"5\"",
                                        "'5'",
                                        "five",
                                        "5\t5",
                                        "٥",
                                        "99999999999999999999999999999999",
                                        "5\r",
                                        ",5",
                                        "5,",
                                        "0b101",
                                        "5h",
                                        "５"};
  for (const std::string& value : values) {
    expect_refused(post_with("Content-Length: " + value, "hello"), 400);
  }
}

TEST(Smuggling, RefusesMoreThanOneContentLength) {
  expect_refused(post_with("Content-Length: 5\r\nContent-Length: 5", "hello"), 400);
  expect_refused(post_with("Content-Length: 5\r\nContent-Length: 6", "hello!"), 400);
  expect_refused(post_with("Content-Length: 5\r\nX: y\r\ncontent-length: 0", "hello"), 400);
  expect_refused(post_with("Content-Length:\r\nContent-Length: 5", "hello"), 400);
}

TEST(Smuggling, ReadsGoodContentLengths) {
  expect_read(post_with("Content-Length: 5", "hello"), "hello");
  expect_read(post_with("Content-Length:5", "hello"), "hello");
  expect_read(post_with("Content-Length:   5  ", "hello"), "hello");
  expect_read(post_with("cONTENT-lENGTH: 005", "hello"), "hello");
  expect_read(post_with("Content-Length: 00000000000000000000000000011", "hello world"),
              "hello world");
  expect_read(post_with("Content-Length: 0", ""), "");
  expect_read(post_with("X: neither length nor chunked", ""), "");
}

// --- I-3 -----------------------------------------------------------------------------------------

/// Header lines that try to say `Transfer-Encoding: chunked` to one parser and not to another.
std::set<std::string> disguises() {
  const std::string name = "Transfer-Encoding";
  std::set<std::string> lines;
  for (int code = 0; code < 256; ++code) {
    const std::string byte(1, static_cast<char>(code));
    lines.insert(byte + name + ": chunked");
    lines.insert(name + byte + ": chunked");
    lines.insert(name + ":" + byte + "chunked");
    lines.insert(name + ": " + byte + "chunked");
    lines.insert(name + ": chunked" + byte);
    lines.insert(name + ": chunked" + byte + "x");
    lines.insert("X: y" + byte + name + ": chunked");
    lines.insert("X: y\r" + byte + name + ": chunked");
    lines.insert("X: y" + byte + "\n" + name + ": chunked");
    lines.insert("Transfer" + byte + "Encoding: chunked");
  }
  const std::vector<std::string> values{
      "chunked",     "CHUNKED",   "cHuNkEd",        "chunked, chunked",  ",chunked",
      "chunked,",    "identity",  "gzip, chunked",  "chunked,gzip",      "chunked;q=1",
      "\"chunked\"", "'chunked'", "x chunked",      "chunked chunked",   "chunke",
      "chunkedd",    "",          "xchunked",       "identity, chunked", "chunked, identity",
      "deflate",     "compress",  "chunked\t,gzip", "[chunked]",         "{chunked}",
      "chunk ed",    "chun\tked", "gzip;chunked",   ", ,chunked",        "chunked,,"};
  for (const std::string& value : values) {
    for (const std::string& spelled :
         {name, text("transfer-encoding"), text("TRANSFER-ENCODING")}) {
      for (const char* separator : {": ", ":", ":\t", " : ", "\t: ", ":\r\n ", ":\r\n\t", ":\n ",
                                    ":\x0b", ":\x0c", "\r: ", "\n: ", " ", "=", "::"}) {
        lines.insert(spelled + separator + value);
      }
    }
    lines.insert(name + ": " + value + "\r\n" + name + ": chunked");
    lines.insert(name + ": identity\r\n" + name + ": " + value);
  }
  return lines;
}

/// Whether `line` is one header, of a name that is only like the real one: to be read as what it
/// is.
bool is_simply_another_header(const std::string& line) {
  const auto field = parse_field_line(line);
  return field && !equal_ignoring_case(field->name, "transfer-encoding") &&
         !equal_ignoring_case(field->name, "content-length");
}

TEST(Smuggling, RefusesEveryDisguiseOfTransferEncoding) {
  const std::string body = "0\r\n\r\n";
  size_t refused = 0;
  for (const std::string& line : disguises()) {
    for (const bool length_first : {true, false}) {
      const std::string length = "Content-Length: 5";
      const std::string bytes =
          post_with(length_first ? length + "\r\n" + line : line + "\r\n" + length, body);
      if (is_simply_another_header(line)) {
        expect_read(bytes, body);
        continue;
      }
      const Reading whole = read_whole(bytes);
      EXPECT_TRUE(whole.status == 400 || whole.status == 501) << shown(line);
      EXPECT_TRUE(whole.requests.empty()) << shown(line);
      EXPECT_EQ(read_byte_by_byte(bytes), whole) << shown(line);
      ++refused;
    }
  }
  EXPECT_GT(refused, 4000);
}

// Without a length beside it a disguise must be refused too, unless it is no disguise at all.
TEST(Smuggling, ReadsChunksOnlyWhenTheHeaderSaysSoPlainly) {
  for (const std::string& line : disguises()) {
    if (line == "X: y\r\nTransfer-Encoding: chunked") continue;  // Two headers, each plain.
    const std::string bytes = post_with(line, "1\r\na\r\n0\r\n\r\n");
    const Reading whole = read_whole(bytes);
    EXPECT_EQ(read_byte_by_byte(bytes), whole) << shown(line);
    const auto field = parse_field_line(line);
    const bool plain = field && line.find('\t') == std::string::npos &&
                       equal_ignoring_case(field->name, "transfer-encoding") &&
                       equal_ignoring_case(field->value, "chunked");
    if (plain) {
      ASSERT_EQ(whole.requests.size(), 1) << shown(line);
      EXPECT_EQ(whole.requests[0].body, "a") << shown(line);
    } else if (is_simply_another_header(line)) {
      ASSERT_EQ(whole.requests.size(), 1) << shown(line);
      EXPECT_EQ(whole.requests[0].body, "") << shown(line);
      EXPECT_EQ(whole.status, 400) << shown(line);
    } else {
      EXPECT_TRUE(whole.requests.empty()) << shown(line);
      EXPECT_TRUE(whole.status == 400 || whole.status == 501) << shown(line);
    }
  }
}

TEST(Smuggling, ReadsNamesThatAreOnlyAlike) {
  expect_read(post_with("Content-Length: 5\r\nTransfer_Encoding: chunked", "0\r\n\r\n"),
              "0\r\n\r\n");
  expect_read(post_with("Content-Length: 5\r\nContent-Encoding: chunked", "0\r\n\r\n"),
              "0\r\n\r\n");
}

TEST(Smuggling, TellsUnknownCodingsFromMalformedOnes) {
  const auto coding = [](std::string_view value) {
    return post_with("Transfer-Encoding: " + text(value), "0\r\n\r\n");
  };
  expect_refused(coding("gzip"), 501);
  expect_refused(coding("identity"), 501);
  for (const char* unknown : {"gzip, chunked", "GZIP , chunked", "x;q=1, chunked", "gzip, br",
                              "identity, gzip, chunked"}) {
    expect_refused(coding(unknown), 501);
  }
  for (const char* not_last : {"chunked, gzip", "chunked, identity", "gzip, chunked, br"}) {
    expect_refused(coding(not_last), 400);
  }
  expect_refused(coding("chunked;q=1"), 400);
  expect_refused(coding("gzip chunked, chunked"), 400);
  expect_refused(coding("gzip,"), 400);
  expect_refused(coding("chunked, chunked"), 400);
  expect_refused(coding(",chunked"), 400);
  expect_refused(coding(""), 400);
  expect_refused(coding("chunked\t"), 400);
  expect_refused(coding("\tchunked"), 400);
  expect_refused(post_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
                 400);
  expect_refused("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
}

// --- I-4 -----------------------------------------------------------------------------------------

std::string chunks(std::string_view body) {
  return post_with("Transfer-Encoding: chunked", body);
}

TEST(Smuggling, RefusesMalformedChunks) {
  const std::string end = "\r\n0\r\n\r\n";
  const std::vector<std::string> bodies{"0x5\r\nhello" + end,
                                        "+5\r\nhello" + end,
                                        "-5\r\nhello" + end,
                                        " 5\r\nhello" + end,
                                        "5 \r\nhello" + end,
                                        "5\t\r\nhello" + end,
                                        "5_0\r\nhello" + end,
                                        "\r\nhello" + end,
                                        "FFFFFFFFFFFFFFFF5\r\nhello" + end,
                                        "00000000000000005\r\nhello" + end,
                                        "g\r\nhello" + end,
                                        "5h\r\nhello" + end,
                                        "5,5\r\nhello" + end,
                                        "5.0\r\nhello" + end,
                                        "\"5\"\r\nhello" + end,
                                        "5\nhello" + end,
                                        "5\r\r\nhello" + end,
                                        "5\r\r;x\nhello" + end,
                                        "5\r;\nhello" + end,
                                        "5\rhello" + end,
                                        "5;\nhello" + end,
                                        "5;a\nhello" + end,
                                        "5;a\rb\r\nhello" + end,
                                        "5;\r\nhello" + end,
                                        "5; a\r\nhello" + end,
                                        "5 ;a\r\nhello" + end,
                                        "5;a=\r\nhello" + end,
                                        "5;=b\r\nhello" + end,
                                        "5;a=b=c\r\nhello" + end,
                                        "5;a=\"b\"\r\nhello" + end,
                                        "5;a=\"\r\nhello" + end,
                                        "5;a;\r\nhello" + end,
                                        "5;a\x80\r\nhello" + end,
                                        "5\r\nhello0\r\n\r\n",
                                        "5\r\nhello\n0\r\n\r\n",
                                        "5\r\nhello\r0\r\n\r\n",
                                        "5\r\nhello!\r\n0\r\n\r\n",
                                        "5\r\nhell\r\n0\r\n\r\n",
                                        "5\r\nhello\r\n\r\n0\r\n\r\n",
                                        "5;" + std::string(65536, 'a') + "\r\nhello" + end,
                                        "5\r\nhello\r\n0\n\n",
                                        "5\r\nhello\r\n0\r\n\n",
                                        "5\r\nhello\r\n0\r\n\rX"};
  for (const std::string& body : bodies) expect_refused(chunks(body), 400);
}

TEST(Smuggling, RefusesTrailersThatMeanSomethingInAHead) {
  expect_refused(chunks("0\r\nContent-Length: 9\r\nAuthorization: x\r\n\r\n"), 400);
  expect_refused(chunks("0\r\nAuthorization: x\r\n\r\n"), 400);
  expect_refused(chunks("0\r\ntransfer-encoding: chunked\r\n\r\n"), 400);
  expect_refused(chunks("0\r\nX:POST / HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
}

TEST(Smuggling, RefusesMalformedAndLargeTrailers) {
  expect_refused(chunks("0\r\nX : a\r\n\r\n"), 400);
  expect_refused(chunks("0\r\nX: a\r\n b\r\n\r\n"), 400);
  expect_refused(chunks("0\r\nX\r\n\r\n"), 400);
  expect_refused(chunks("0\r\n: a\r\n\r\n"), 400);
  expect_refused(chunks("0\r\nX: a\nY: b\r\n\r\n"), 400);
  expect_refused(chunks("0\r\nX: a\rY: b\r\n\r\n"), 400);
  expect_refused(chunks(text({"0\r\nX: \0\r\n\r\n", 10})), 400);
  expect_refused(chunks("0\r\nX: " + std::string(3000, 'a') + "\r\n\r\n"), 400);
  std::string many = "0\r\n";
  for (int line = 0; line < 2000; ++line) many += "X: a\r\n";
  expect_refused(chunks(many + "\r\n"), 400);
}

TEST(Smuggling, ReadsGoodChunks) {
  expect_read(chunks("5\r\nhello\r\n0\r\n\r\n"), "hello");
  expect_read(chunks("0000000000000005\r\nhello\r\n000\r\n\r\n"), "hello");
  expect_read(chunks("a\r\n0123456789\r\nA;x\r\n0123456789\r\n0;y=z\r\n\r\n"),
              "01234567890123456789");
  expect_read(chunks("2\r\n\r\n\r\n0\r\n\r\n"), "\r\n");
  expect_read(chunks("0\r\nX:POST / HTTP/1.1\r\n\r\n"), "");
}

TEST(Smuggling, NeverCompletesABodyThatWasCutShort) {
  const std::string bytes = chunks("5\r\nhello\r\n0\r\nX: a\r\n\r\n");
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Reading reading = read_whole(bytes.substr(0, size));
    EXPECT_TRUE(reading.requests.empty()) << size;
    EXPECT_EQ(reading.status, 0) << size;
  }
}

// --- I-5 -----------------------------------------------------------------------------------------

TEST(Smuggling, RefusesBadHeaderBytes) {
  const std::vector<std::string> lines{"X: a\rB: c",
                                       text({"X: a\0", 5}),
                                       "X: a\n b",
                                       "X: a\r\n b",
                                       "X: a\r\n\tb",
                                       "X : a",
                                       "X\t: a",
                                       ": a",
                                       " : a",
                                       "X\x85: a",
                                       "X",
                                       "X a",
                                       "X: a\nB: c",
                                       "X: a\x01",
                                       "X: a\x1b[2J",
                                       "X: a\x7f",
                                       "X(y): a",
                                       "X@y: a",
                                       "X[]: a",
                                       "\"X\": a",
                                       "X,Y: a",
                                       "X/Y: a",
                                       "X;: a",
                                       "{X}: a",
                                       "=: a",
                                       "X\x0b: a",
                                       "X: a\x0b",
                                       "X: a\x0c",
                                       "X\\: a",
                                       "X<: a",
                                       "\r",
                                       "X: a\r\r\nB: c",
                                       "\xef\xbb\xbfX: a",
                                       text({"\0: a", 4}),
                                       text({"X\0Y: a", 6})};
  for (const std::string& line : lines) expect_refused(post_with(line, ""), 400);
  expect_refused("GET / HTTP/1.1\r\n X: a\r\nHost: x\r\n\r\n", 400);
  expect_refused("GET / HTTP/1.1\r\n\tHost: x\r\n\r\n", 400);
}

TEST(Smuggling, ReadsHeaderValuesThatAreUnusualButCertain) {
  for (const char* value :
       {"\xe4\xf6", "a\tb", "a: b", "=?utf-8?q?x?=", "\"a,b\"", ";;;", "a  b"}) {
    expect_read(post_with("X: " + text(value), ""), "");
  }
  const Reading reading = read_whole(post_with("X:  a b \t", ""));
  EXPECT_EQ(reading.requests.at(0).header("x"), "a b");
  EXPECT_EQ(read_whole(post_with("X:\r\nY:   ", "")).requests.at(0).headers.size(), 3);
}

TEST(Smuggling, RefusesBareLineFeeds) {
  expect_refused("GET / HTTP/1.1\nHost: x\n\n", 400);
  expect_refused("GET / HTTP/1.1\r\nHost: x\n\r\n", 400);
  expect_refused("GET / HTTP/1.1\r\nHost: x\r\n\n", 400);
  expect_refused("GET / HTTP/1.1\nHost: x\r\n\r\n", 400);
}

TEST(Smuggling, RefusesHostsThatAreNotOneHost) {
  const auto with_host = [](std::string_view lines) {
    return "GET / HTTP/1.1\r\n" + text(lines) + "\r\n";
  };
  expect_refused(with_host(""), 400);
  expect_refused(with_host("Host: a\r\nHost: a\r\n"), 400);
  expect_refused(with_host("Host: a\r\nX: y\r\nhOST: b\r\n"), 400);
  for (const char* host :
       {"a, b",   "a,b",     "",         " ",       "a b",   "a/b",  "a@b",  "a#b",
        "a?b",    "a\\b",    "a:b",      "a:99999", "a:1:2", "[::1", "[]",   "::1",
        "[::g]",  ":80",     "http://a", "a:+80",   "a:-1",  "\xe4", "a%00", "a;b",
        "[::1]x", "[::1]:x", "a:000080", "<a>",     "a|b",   "a&b",  "'a'"}) {
    expect_refused(with_host("Host: " + text(host) + "\r\n"), 400);
  }
  for (const char* host : {"a", "A.b-c_d.e", "a:80", "a:", "127.0.0.1:8420", "[::1]", "[::1]:443",
                           "[::ffff:1.2.3.4]", "localhost"}) {
    expect_read(with_host("Host: " + text(host) + "\r\n"), "");
  }
}

// RFC 9112, 3.2.2.
TEST(Smuggling, ReadsAnAbsoluteTargetAsTheOriginFormOfItsHost) {
  const auto read = [](std::string_view target, std::string_view host) {
    return read_whole("GET " + text(target) + " HTTP/1.1\r\nHost: " + text(host) + "\r\n\r\n");
  };
  const struct {
    std::string_view target;
    std::string_view host;
    std::string_view origin;
  } cases[] = {{"http://x/a?b=c", "x", "/a?b=c"},
               {"https://x/a/../b", "x", "/a/../b"},
               {"HTTP://X.Y:8420/a", "x.y:8420", "/a"},
               {"http://x.y/", "X.Y", "/"},
               {"http://x", "x", "/"},
               {"http://x?a", "x", "/?a"},
               {"http://x//y", "x", "//y"},
               {"http://x/http://y/", "x", "/http://y/"},
               {"http://[::1]:80/a", "[::1]:80", "/a"}};
  for (const auto& [target, host, origin] : cases) {
    const Reading absolute = read(target, host);
    EXPECT_EQ(absolute.requests.size(), 1u) << target << absolute.detail;
    EXPECT_EQ(absolute, read(origin, host)) << target;
  }
  // The authority is of one request: the next one on the connection is not held against it.
  const Reading two = read_whole("GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n" +
                                 text("GET / HTTP/1.1\r\nHost: y\r\n\r\n"));
  EXPECT_EQ(two.requests.size(), 2u) << two.detail;
  // HTTP/1.0 needs no Host, but then nothing bears an authority out.
  expect_refused("GET http://x/ HTTP/1.0\r\n\r\n", 400);
  EXPECT_EQ(read_whole("GET http://x/ HTTP/1.0\r\nHost: x\r\n\r\n").requests.size(), 1u);
}

TEST(Smuggling, RefusesBadRequestLines) {
  const std::vector<std::pair<std::string, uint16_t>> lines{{"GET / HTTP/1.32", 505},
                                                            {"GET / HTTP/2.0", 505},
                                                            {"GET / HTTP/0.9", 505},
                                                            {"GET / HTTP/1.2", 505},
                                                            {"GET / HTTP/11.1", 505},
                                                            {"PRI * HTTP/2.0", 505},
                                                            {"GET / HTTP/3", 400},
                                                            {"GET / HTTP/1.", 400},
                                                            {"GET / HTTP/1.1.1", 400},
                                                            {"GET / HTTP/.1", 400},
                                                            {"GET / http/1.1", 400},
                                                            {"GET / HTP/1.1", 400},
                                                            {"GET / HTTP/1.1 ", 400},
                                                            {"GET / HTTP/ 1.1", 400},
                                                            {"GET / HTTP/1.1\t", 400},
                                                            {"GET / HTTP/1.a", 400},
                                                            {"GET / RTSP/1.0", 400},
                                                            {"GET / ICE/1.0", 400},
                                                            {"get / HTTP/1.1", 501},
                                                            {"Get / HTTP/1.1", 501},
                                                            {"gET / HTTP/1.1", 501},
                                                            {"GET /", 400},
                                                            {"GET", 400},
                                                            {"GET  / HTTP/1.1", 400},
                                                            {"GET /  HTTP/1.1", 400},
                                                            {"GET\t/ HTTP/1.1", 400},
                                                            {" GET / HTTP/1.1", 400},
                                                            {"GET / a HTTP/1.1", 400},
                                                            {"GET /\tHTTP/1.1", 400},
                                                            {"G ET / HTTP/1.1", 400},
                                                            {"G@T / HTTP/1.1", 400},
                                                            {"GE\x80T / HTTP/1.1", 400},
                                                            {"/ HTTP/1.1", 400},
                                                            {"BREW / HTTP/1.1", 501},
                                                            {"CONNECT a:1 HTTP/1.1", 501},
                                                            {"M-SEARCH / HTTP/1.1", 501},
                                                            {"GETS / HTTP/1.1", 501},
                                                            {"GE / HTTP/1.1", 501},
                                                            {"OPTIONS * HTTP/1.1", 400},
                                                            {"GET http://y/ HTTP/1.1", 400},
                                                            {"GET http:///x HTTP/1.1", 400},
                                                            {"GET http:/x/ HTTP/1.1", 400},
                                                            {"GET http:x HTTP/1.1", 400},
                                                            {"GET http:// HTTP/1.1", 400},
                                                            {"GET http://?x HTTP/1.1", 400},
                                                            {"GET http://u@x/ HTTP/1.1", 400},
                                                            {"GET http://x:80/ HTTP/1.1", 400},
                                                            {"GET http://x:/ HTTP/1.1", 400},
                                                            {"GET http://x./ HTTP/1.1", 400},
                                                            {"GET http://%78/ HTTP/1.1", 400},
                                                            {"GET http://x\\/ HTTP/1.1", 400},
                                                            {"GET http://x#/ HTTP/1.1", 400},
                                                            {"GET http://x/../.. HTTP/1.1", 400},
                                                            {"GET http://x/%00 HTTP/1.1", 400},
                                                            {"GET http://x/a#b HTTP/1.1", 400},
                                                            {"GET ftp://x/ HTTP/1.1", 400},
                                                            {"GET ws://x/ HTTP/1.1", 400},
                                                            {"GET //x/ HTTP/1.0 HTTP/1.1", 400},
                                                            {"GET x HTTP/1.1", 400},
                                                            {"GET ?a HTTP/1.1", 400},
                                                            {"GET /\x01 HTTP/1.1", 400},
                                                            {"GET /\x7f HTTP/1.1", 400},
                                                            {"GET /\xc3\xa4 HTTP/1.1", 400},
                                                            {"GET /a#b HTTP/1.1", 400},
                                                            {"GET /a\\b HTTP/1.1", 400},
                                                            {"GET /%00 HTTP/1.1", 400},
                                                            {"GET /%0d%0aX:y HTTP/1.1", 400},
                                                            {"GET /%zz HTTP/1.1", 400}};
  for (const auto& [line, status] : lines) {
    expect_refused(line + "\r\nHost: x\r\n\r\n", status);
  }
  expect_refused(text({"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 28}), 400);
  expect_refused("\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n", 400);
}

TEST(Smuggling, ParsesNothingAfterARefusal) {
  const std::string next = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";
  const Reading reading = read_whole(post_with("Content-Length: 5, 5", "hello") + next);
  EXPECT_EQ(reading.status, 400);
  EXPECT_TRUE(reading.requests.empty());
}

}  // namespace
}  // namespace ringpost::http
