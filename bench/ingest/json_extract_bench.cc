// What it costs to read one event and to know that its `data` is JSON, beside simdjson's DOM (which
// also reads every byte) and beside the check of UTF-8 alone (which nothing can go below). Then
// what bodies cost that were made to be dear, taken or refused: per byte, small and sixteen times
// as large. Linear is a ratio of 1; twice that is the limit. Last the content hash of an event.
//
//   json_extract_bench [--smoke] [--rounds N]
//
// Rounds alternate and medians of this thread's CPU time are shown: the machine is not ours alone.

#include "../measure.h"
#include "base/assert.h"
#include "ingest/event_parser.h"
#include "ingest/idempotency.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::ingest {
namespace {

using bench::cpu_ns;
using bench::measure;
using bench::median;

/// An event as a CI server sends it, of about `bytes`.
std::string make_event(size_t bytes) {
  std::string text = R"({"type":"build/finished","source":"app/c0ffee1234abcd56","id":"build-128",)"
                     R"("data":{"build_slug":"7f3c9a10b2d44e6f","build_number":128,"steps":[)";
  for (int step = 0; text.size() + 100 < bytes; ++step) {
    text += step == 0 ? "" : ",";
    text += R"({"name":"step )" + std::to_string(step) +
            R"(","seconds":1.25,"ok":true,"log":"line one\nline \"two\""})";
  }
  return text + R"(],"git":{"src_branch":"feature/login","tag":null}}})";
}

http::Request make_request(const std::string& body,
                           std::string_view content_type = "application/json") {
  http::Request request;
  request.headers.push_back({"Content-Type", std::string{content_type}});
  request.body.reserve(body.size() + 64);
  request.body = body;
  return request;
}

void run(size_t bytes, uint64_t calls, int rounds) {
  const http::Request request = make_request(make_event(bytes));
  EventParser parser{EventLimits{}};
  std::vector<journal::EventView> events;
  simdjson::dom::parser dom;
  std::array<std::vector<double>, 3> times;
  for (int round = 0; round < rounds; ++round) {
    times[0].push_back(measure(calls, [&] { return !parser.parse(request, events); }));
    times[1].push_back(measure(calls, [&] {
      return dom.parse(request.body.data(), request.body.size(), false).error() ==
             simdjson::SUCCESS;
    }));
    times[2].push_back(measure(calls, [&] { return simdjson::validate_utf8(request.body); }));
  }
  const double ours = median(times[0]);
  const double reference = median(times[1]);
  std::printf("%9zu %12.0f %12.0f %7.2f %12.0f\n", request.body.size(), ours, reference,
              ours / reference, median(times[2]));
}

std::string repeat(std::string_view text, size_t bytes) {
  std::string all;
  while (all.size() < bytes) all += text;
  return all;
}

/// A body made of many times `part`, between `before` and `after`.
struct Shape {
  std::string_view name;
  std::string_view before;
  std::string_view part;
  std::string_view after;
  std::string_view content_type = "application/json";
};

constexpr std::string_view head = R"({"type":"t","source":"s","data":{"k":)";

constexpr std::array<Shape, 15> shapes{{
    {"[ without end", head, "[", ""},
    {"{\"a\": without end", head, "{\"a\":", ""},
    {"digits", head, "7", "}}"},
    {"backslashes", R"({"type":"t","source":"s","data":{"k":")", "\\\\", "\"}}"},
    {"\\u escapes", R"({"type":"t","source":"s","data":{"k":")", "\\u00e9", "\"}}"},
    {"quotes", head, "\"", ""},
    {"one key many times", R"({"type":"t","source":"s","data":{)", "\"a\":1,", "\"a\":1}}"},
    {"empty arrays", R"({"type":"t","source":"s","data":{"k":[)", "[],", "1]}}"},
    {"nulls, no event", R"({"x":{},"k":[)", "null,", "1]}"},
    {"nulls, then damage", R"({"x":{},"k":[)", "null,", "1]"},
    {"attributes", R"({"type":"t","source":"s","data":{})", ",\"x\":1", "}"},
    {"long attribute", R"({"type":")", "\\n", R"(","source":"s","data":{}})"},
    {"CDEvents",
     R"({"subject":{"id":"1"},"context":{"id":"1","source":"s","type":"dev.cdevents.a.b.0.1.0",)"
     R"("timestamp":"2031-01-01T00:00:00Z"},"customData":[)",
     "{\"a\":1},", "1]}"},
    {"small lines", "", "{\"type\":\"t\",\"source\":\"s\",\"data\":{}}\n", "",
     "application/x-ndjson"},
    {"batch, last one bad", "[", R"({"specversion":"1.0","id":"1","type":"t","source":"s"},)",
     "{}]", "application/cloudevents-batch+json"},
}};

double per_byte(const Shape& shape, size_t bytes, int rounds) {
  std::string body{shape.before};
  body += repeat(shape.part, bytes);
  body += shape.after;
  const http::Request request = make_request(body, shape.content_type);
  EventParser parser{EventLimits{
      .event_bytes_max = 1u << 24, .batch_bytes_max = 1u << 24, .batch_events_max = 1u << 24}};
  std::vector<journal::EventView> events;
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    times.push_back(measure(1, [&] {
      (void)parser.parse(request, events);
      return true;
    }));
  }
  return median(times) / static_cast<double>(body.size());
}

void run_shapes(int rounds) {
  std::printf("\nhostile body           ns/byte 64 KiB   ns/byte 1 MiB   ratio (limit 2)\n");
  for (const Shape& shape : shapes) {
    const double small = per_byte(shape, 64 << 10, rounds * 3);
    const double large = per_byte(shape, 1 << 20, rounds);
    std::printf("%-22.*s %14.2f %15.2f %7.2f\n", static_cast<int>(shape.name.size()),
                shape.name.data(), small, large, large / small);
  }
}

void run_content_hash(uint64_t calls, int rounds) {
  const IdempotencyWindow window{{}, {HashKey{1, 2}, HashKey{3, 4}}};
  std::printf("\n    bytes   content hash (ns)\n");
  for (const size_t bytes : {256u, 1024u, 16'384u}) {
    const std::string data = repeat("x", bytes);
    const journal::EventView event{
        .source = "app/c0ffee", .type = "build/finished", .data = as_bytes(std::string_view{data})};
    std::vector<double> times;
    for (int round = 0; round < rounds; ++round) {
      times.push_back(measure(calls, [&] { return window.content(event) != ContentHash{}; }));
    }
    std::printf("%9zu %19.0f\n", bytes, median(times));
  }
}

}  // namespace
}  // namespace ringpost::ingest

int main(int argc, char** argv) {
  bool smoke = false;
  int rounds = 9;
  for (int index = 1; index < argc; ++index) {
    const std::string_view argument = argv[index];
    if (argument == "--smoke") {
      smoke = true;
    } else if (argument == "--rounds" && index + 1 < argc) {
      rounds = std::max(1, std::atoi(argv[++index]));
    } else {
      std::fprintf(stderr, "usage: %s [--smoke] [--rounds N]\n", argv[0]);
      return 2;
    }
  }
  std::printf("simdjson uses %s\n", simdjson::get_active_implementation()->name().c_str());
  std::printf("    bytes   event (ns)     DOM (ns)   ratio   UTF-8 (ns)\n");
  if (smoke) rounds = 1;
  for (const size_t bytes : {1024u, 16'384u, 262'144u}) {
    ringpost::ingest::run(bytes, smoke ? 2 : 20'000'000 / bytes, rounds);
  }
  ringpost::ingest::run_shapes(rounds);
  ringpost::ingest::run_content_hash(smoke ? 2 : 20'000, rounds);
  return 0;
}
