// Goal: any answer is read the same for every cut, within the limits; once the head of a final
// answer was read its status counts, whatever follows; a byte that is left over is never read as
// the next answer; and what is complete and without a fault means to plain llhttp what it means to
// us. Method: the first byte seeds the cuts; the table of answers gives the seeds.

#include "base/assert.h"
#include "base/prng.h"
#include "fuzz.h"
#include "http/answers/table.h"
#include "http/response_parser.h"

#include <llhttp.h>

#include <algorithm>

namespace ringpost::http {
namespace {

using Progress = ResponseParser::Progress;
constexpr ResponseLimits limits{.body_bytes_max = 64};

struct Reading {
  Progress progress = Progress::need_more;
  bool complete = false;
  uint16_t status = 0;
  std::string head;
  std::string body;
  Errc code{};
  std::optional<BadAnswer> fault;
  bool surplus = false;

  friend bool operator==(const Reading&, const Reading&) = default;
};

Reading read(std::string_view bytes, size_t piece_bytes_max, Prng& random) {
  ResponseParser parser(limits);
  Reading reading;
  size_t at = 0;
  while (at < bytes.size() && reading.progress == Progress::need_more) {
    const size_t piece = std::min(bytes.size() - at, random.between(1, piece_bytes_max));
    reading.progress = parser.feed(as_bytes(bytes.substr(at, piece)));
    at += piece;
  }
  const bool answered = reading.progress == Progress::need_more
                            ? parser.on_end(std::nullopt)
                            : reading.progress != Progress::failed;
  RINGPOST_ASSERT(answered == (parser.status() != 0));
  // Whether surplus bytes are seen depends on the cut, and they are the last fault there can be.
  reading.surplus = parser.complete() && (at < bytes.size() || parser.surplus());
  RINGPOST_ASSERT(!(parser.reusable() && parser.surplus()));
  if (parser.fault() != BadAnswer::surplus) reading.fault = parser.fault();
  reading.complete = parser.complete();
  reading.status = parser.status();
  reading.head = parser.head();
  reading.body = as_text(parser.body());
  if (reading.progress == Progress::failed) reading.code = parser.error().code;
  RINGPOST_ASSERT(reading.body.size() <= limits.body_bytes_max);
  RINGPOST_ASSERT(reading.head.size() <= limits.status_line_bytes_max + limits.head_bytes_max + 4);
  RINGPOST_ASSERT(reading.status == 0 || (reading.status >= 200 && reading.status < 600));
  RINGPOST_ASSERT(!parser.reusable() || parser.complete());
  parser.keep_alive_timeout_s();
  return reading;
}

struct Plain {
  std::string body;
  uint16_t status = 0;
  bool complete = false;
};

Plain& plain(llhttp_t* parser) {
  return *static_cast<Plain*>(parser->data);
}

llhttp_settings_t plain_settings() {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_headers_complete = [](llhttp_t* parser) -> int {
    // llhttp leaves it to its user that these have no body, whatever their headers say.
    return parser->status_code == 204 || parser->status_code == 304 ? 1 : 0;
  };
  settings.on_body = [](llhttp_t* parser, const char* at, size_t size) -> int {
    plain(parser).body.append(at, size);
    return 0;
  };
  settings.on_message_complete = [](llhttp_t* parser) -> int {
    plain(parser).status = parser->status_code;
    if (parser->status_code < 200) return 0;
    plain(parser).complete = true;
    return HPE_PAUSED;
  };
  return settings;
}

void check_with_plain_llhttp(std::string_view bytes, const Reading& reading) {
  static const llhttp_settings_t settings = plain_settings();
  Plain to;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_RESPONSE, &settings);
  parser.data = &to;
  llhttp_set_lenient_keep_alive(&parser, 1);
  const auto result = llhttp_execute(&parser, bytes.data(), bytes.size());
  if (result == HPE_PAUSED_UPGRADE) return;  // An upgrade that we ignore.
  // White space behind a chunk size, which RFC 9112, 7.1.1 wants removed.
  if (result == HPE_INVALID_CHUNK_SIZE || result == HPE_STRICT) return;
  RINGPOST_ASSERT(result == HPE_PAUSED);
  RINGPOST_ASSERT(to.complete);
  RINGPOST_ASSERT(to.status == reading.status);
  RINGPOST_ASSERT(to.body == reading.body);
}

/// As llhttp wants it: we take other white space and later versions, too.
bool has_plain_status_line(std::string_view head) {
  const bool version = head.starts_with("HTTP/1.1 ") || head.starts_with("HTTP/1.0 ");
  return version && head[9] != ' ' && head[9] != '\t' && (head[12] == ' ' || head[12] == '\r');
}

void check(std::string_view bytes, uint64_t seed) {
  Prng random(seed);
  const Reading whole = read(bytes, 1 << 20, random);
  RINGPOST_ASSERT(read(bytes, 1, random) == whole);
  RINGPOST_ASSERT(read(bytes, 40, random) == whole);
  const bool plain = whole.progress == Progress::complete && !whole.fault;
  if (plain && has_plain_status_line(whole.head)) check_with_plain_llhttp(bytes, whole);
}

}  // namespace
}  // namespace ringpost::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  ringpost::http::check({reinterpret_cast<const char*>(data + 1), size - 1}, data[0]);
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  std::vector<std::string> seeds{
      "1" + ok + "Content-Length: 2\r\nKeep-Alive: timeout=5\r\n\r\nok",
      "2" + ok + "Transfer-Encoding: chunked\r\n\r\n3;a\r\nabc\r\n0\r\nT: 1\r\n\r\n",
      "3" + ok + "Connection: close\r\n\r\nuntil the end of the stream",
      "4HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + ok +
          "Content-Length: 0\r\n\r\n",
      "5HTTP/1.1 204 No Content\r\n\r\n",
      "6HTTP/1.1 304\r\nContent-Length: 9\r\n\r\n",
      "7HTTP/1.0 503 Busy\r\nRetry-After: 120\r\nContent-Length: 1\r\nConnection: "
      "keep-alive\r\n\r\nx",
      "8" + ok + "Content-Length: 100\r\n\r\n" + std::string(100, 'a'),
      "9" + ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  };
  for (const auto& row : ringpost::http::answer_table()) {
    if (row.bytes.size() <= 1000) seeds.push_back("0" + row.bytes);
  }
  return seeds;
}
