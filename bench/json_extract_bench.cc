// What it costs to read one event and to know that its `data` is JSON, beside simdjson's DOM (which
// also reads every byte) and beside the check of UTF-8 alone (which nothing can go below).
//
//   json_extract_bench [--smoke] [--rounds N]
//
// Rounds alternate and medians of this thread's CPU time are shown: the machine is not ours alone.

#include "base/assert.h"
#include "ingest/event_parser.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <time.h>
#include <vector>

namespace ringpost::ingest {
namespace {

double cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

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

http::Request make_request(const std::string& body) {
  http::Request request;
  request.headers.push_back({"Content-Type", "application/json"});
  request.body.reserve(body.size() + 64);
  request.body = body;
  return request;
}

/// CPU per call of `work`, which answers whether it succeeded.
template <typename Work>
double measure(uint64_t calls, Work work) {
  const double start = cpu_ns();
  for (uint64_t call = 0; call < calls; ++call) RINGPOST_ASSERT(work());
  return (cpu_ns() - start) / static_cast<double>(calls);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
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
  return 0;
}
