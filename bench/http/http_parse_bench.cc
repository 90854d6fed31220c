// How long one request and one answer take to read, with plain llhttp (callbacks that keep nothing)
// in the same run as the floor. Nothing here is timed as a test.

#include "http/request_parser.h"
#include "http/response_parser.h"
#include "http/serialiser.h"
#include "http/url.h"

#include <benchmark/benchmark.h>
#include <llhttp.h>

#include <string>
#include <string_view>

namespace ringpost::http {
namespace {

/// 302 bytes of headers and a 1 KiB body.
std::string request() {
  std::string bytes =
      "POST /v1/events HTTP/1.1\r\nHost: relay.internal:8420\r\n"
      "User-Agent: scheduler/4.11 (linux; amd64)\r\nAccept: application/json\r\n"
      "Authorization: Bearer 0123456789abcdef0123456789abcdef0123456789abcdef\r\n"
      "Content-Type: application/json; charset=utf-8\r\nAccept-Encoding: gzip\r\n"
      "Content-Length: 1024\r\n\r\n";
  return bytes + std::string(1024, 'x');
}

const std::string answer =
    "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: nginx\r\n"
    "Content-Type: text/plain\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok";

size_t read_request(RequestParser& parser, std::string_view bytes, size_t piece_bytes) {
  while (true) {
    size_t consumed = 0;
    auto progress = parser.feed(as_bytes(bytes.substr(0, piece_bytes)), consumed);
    bytes.remove_prefix(consumed);
    if (progress == RequestParser::Progress::head_complete) progress = parser.accept_body(1 << 20);
    if (progress == RequestParser::Progress::complete) return parser.take_request().body.size();
    if (progress == RequestParser::Progress::failed) return 0;
  }
}

/// @param piece  bytes per packet; 0 is all at once.
void request_parser(benchmark::State& state) {
  const std::string bytes = request();
  const auto piece = static_cast<size_t>(state.range(0));
  RequestParser parser;
  for (auto _ : state) {
    const size_t body_bytes = read_request(parser, bytes, piece == 0 ? bytes.size() : piece);
    if (body_bytes != 1024) state.SkipWithError("not read");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
}
BENCHMARK(request_parser)->Arg(0)->Arg(200)->Arg(1);

void response_parser(benchmark::State& state) {
  const auto piece = state.range(0) == 0 ? answer.size() : static_cast<size_t>(state.range(0));
  ResponseParser parser;
  for (auto _ : state) {
    auto progress = ResponseParser::Progress::need_more;
    for (size_t at = 0; at < answer.size(); at += piece) {
      progress = parser.feed(as_bytes(std::string_view{answer}.substr(at, piece)));
    }
    if (progress != ResponseParser::Progress::complete) state.SkipWithError("not read");
    parser.reset();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(answer.size()));
}
BENCHMARK(response_parser)->Arg(0)->Arg(1);

/// The reference: every callback set, none keeps anything.
void plain_llhttp(benchmark::State& state, llhttp_type_t type, const std::string& bytes) {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  const auto on_data = [](llhttp_t*, const char*, size_t) -> int { return 0; };
  settings.on_url = settings.on_header_field = settings.on_header_value = settings.on_body =
      on_data;
  llhttp_t parser;
  llhttp_init(&parser, type, &settings);
  for (auto _ : state) {
    if (llhttp_execute(&parser, bytes.data(), bytes.size()) != HPE_OK) {
      state.SkipWithError("not read");
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
}

void plain_llhttp_request(benchmark::State& state) {
  plain_llhttp(state, HTTP_REQUEST, request());
}
BENCHMARK(plain_llhttp_request);

void plain_llhttp_response(benchmark::State& state) {
  plain_llhttp(state, HTTP_RESPONSE, answer);
}
BENCHMARK(plain_llhttp_response);

void append_response_202(benchmark::State& state) {
  const Response response{.status = 202, .body = std::string(80, 'x')};
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_response(out, response, true, from_unix_ns(784'111'777'000'000'000));
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(append_response_202);

void url(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse_url("https://hooks.example.com:8443/services/T0/B0/XyZ?a=b"));
  }
}
BENCHMARK(url);

}  // namespace
}  // namespace ringpost::http
