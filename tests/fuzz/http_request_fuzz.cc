// Goal: any bytes are read the same for every cut, and what is accepted means to plain llhttp, fed
// with everything at once, exactly what it means to us. Method: the first byte seeds the cuts.

#include "base/assert.h"
#include "base/prng.h"
#include "fuzz.h"
#include "http/request_parser.h"
#include "http/syntax.h"

#include <llhttp.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace ringpost::http {
namespace {

constexpr uint64_t body_bytes_max = 4096;

struct Reading {
  std::vector<Request> requests;
  std::vector<size_t> ends;  ///< Of each request, in the input.
  uint16_t status = 0;
};

bool same(const Request& left, const Request& right) {
  return left.method == right.method && left.path == right.path && left.query == right.query &&
         left.target == right.target && left.body == right.body &&
         left.keep_alive == right.keep_alive &&
         std::ranges::equal(left.headers, right.headers, [](const Header& a, const Header& b) {
           return a.name == b.name && a.value == b.value;
         });
}

Reading read(std::string_view bytes, size_t piece_bytes_max, Prng& random) {
  RequestParser parser;
  Reading reading;
  for (size_t at = 0; at < bytes.size();) {
    const size_t piece = std::min(bytes.size() - at, random.between(1, piece_bytes_max));
    size_t consumed = 0;
    auto progress = parser.feed(as_bytes(bytes.substr(at, piece)), consumed);
    if (progress == RequestParser::Progress::head_complete) {
      progress = parser.accept_body(body_bytes_max);
    }
    if (progress == RequestParser::Progress::failed) {
      reading.status = parser.error().status;
      RINGPOST_ASSERT(reading.status >= 400);
      RINGPOST_ASSERT(!parser.error().detail.empty());
      return reading;
    }
    at += consumed;
    if (progress != RequestParser::Progress::complete) continue;
    reading.requests.push_back(parser.take_request());
    reading.ends.push_back(at);
    RINGPOST_ASSERT(parser.idle());
  }
  return reading;
}

/// What llhttp alone makes of one request.
struct Plain {
  std::string target;
  std::string body;
  std::vector<Header> headers;
  bool name_ended = true;
  bool trailer = false;
  bool complete = false;
};

Plain& plain(llhttp_t* parser) {
  return *static_cast<Plain*>(parser->data);
}

llhttp_settings_t plain_settings() {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_url = [](llhttp_t* parser, const char* at, size_t size) -> int {
    plain(parser).target.append(at, size);
    return 0;
  };
  settings.on_header_field = [](llhttp_t* parser, const char* at, size_t size) -> int {
    Plain& to = plain(parser);
    if (to.trailer) return 0;
    if (std::exchange(to.name_ended, false)) to.headers.emplace_back();
    to.headers.back().name.append(at, size);
    return 0;
  };
  settings.on_header_field_complete = [](llhttp_t* parser) -> int {
    plain(parser).name_ended = true;
    return 0;
  };
  settings.on_header_value = [](llhttp_t* parser, const char* at, size_t size) -> int {
    if (!plain(parser).trailer) plain(parser).headers.back().value.append(at, size);
    return 0;
  };
  settings.on_headers_complete = [](llhttp_t* parser) -> int {
    plain(parser).trailer = true;
    return 0;
  };
  settings.on_body = [](llhttp_t* parser, const char* at, size_t size) -> int {
    plain(parser).body.append(at, size);
    return 0;
  };
  settings.on_message_complete = [](llhttp_t* parser) -> int {
    plain(parser).complete = true;
    return HPE_PAUSED;
  };
  return settings;
}

/// Whether the target as sent says what we took it for: the same bytes, or behind the Host.
bool same_target(std::string_view sent, const Request& request) {
  if (sent == request.target) return true;
  const size_t scheme = begins_ignoring_case(sent, "https://") ? 8 : 7;
  if (!begins_ignoring_case(sent, "http")) return false;
  sent.remove_prefix(scheme);
  const std::string_view host = request.header("Host");
  if (host.empty() || !begins_ignoring_case(sent, host)) return false;
  sent.remove_prefix(host.size());
  return sent == request.target ||
         (!sent.starts_with('/') && "/" + std::string{sent} == request.target);
}

void check_with_plain_llhttp(std::string_view bytes, const Request& request) {
  static const llhttp_settings_t settings = plain_settings();
  // An upgrade that we ignore would make llhttp stop: not a difference in reading.
  if (request.has_header("Upgrade")) return;
  Plain to;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &to;
  const auto result = llhttp_execute(&parser, bytes.data(), bytes.size());
  RINGPOST_ASSERT(result == HPE_PAUSED);
  RINGPOST_ASSERT(to.complete);
  RINGPOST_ASSERT(llhttp_get_error_pos(&parser) == bytes.data() + bytes.size());
  RINGPOST_ASSERT(same_target(to.target, request));
  RINGPOST_ASSERT(to.body == request.body);
  RINGPOST_ASSERT(
      std::ranges::equal(to.headers, request.headers, [](const Header& theirs, const Header& ours) {
        return theirs.name == ours.name && trim(theirs.value) == ours.value;
      }));
}

void check(std::string_view bytes, uint64_t seed) {
  Prng random(seed);
  const Reading whole = read(bytes, 1 << 20, random);
  const Reading single = read(bytes, 1, random);
  const Reading pieces = read(bytes, 40, random);
  for (const Reading& cut : {single, pieces}) {
    RINGPOST_ASSERT(cut.status == whole.status);
    RINGPOST_ASSERT(cut.ends.size() == whole.requests.size());
    RINGPOST_ASSERT(std::ranges::equal(cut.requests, whole.requests, same));
  }
  size_t start = 0;
  for (size_t index = 0; index < whole.requests.size(); ++index) {
    const Request& request = whole.requests[index];
    RINGPOST_ASSERT(request.path.starts_with('/'));
    RINGPOST_ASSERT(request.body.capacity() - request.body.size() >= body_padding_bytes);
    const size_t end = single.ends[index];
    check_with_plain_llhttp(bytes.substr(start, end - start), request);
    start = end;
  }
}

}  // namespace
}  // namespace ringpost::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  ringpost::http::check({reinterpret_cast<const char*>(data + 1), size - 1}, data[0]);
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  const std::string host = " HTTP/1.1\r\nHost: a\r\n";
  return {
      "1GET /a/%62/../c?d=e" + host + "Connection: close\r\n\r\n",
      "2POST /v1/events" + host + "Content-Length: 5\r\n\r\nhelloGET /" + host + "\r\n",
      "3POST /" + host + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
      "4PUT / HTTP/1.0\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc\r\nGET /" + host +
          "\r\n",
      "5POST /" + host + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
      "6POST /" + host + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
      "7GET /" + host + "X: a\r\n b\r\n\r\n",
      "8OPTIONS *" + host + "\r\n",
      "aGET http://a/b?c" + host + "\r\nGET https://A?c" + host + "\r\n",
      "9GET /" + host + "Empty:\r\nTab:\ta\t\r\nText: \xe4\r\nUpgrade: h2c\r\n\r\n",
  };
}
