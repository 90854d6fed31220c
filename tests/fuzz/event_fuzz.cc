// Goal: any body is an event, or a batch of them, or is refused; what is accepted keeps the
// promises of EventParser, and its `data` is JSON to simdjson's DOM too. Method: the first byte
// chooses the packing, the rest is the body; in binary mode `name: value` lines stand before it.

#include "base/assert.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "ingest/attribute.h"
#include "ingest/event_parser.h"
#include "json/text.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::ingest {
namespace {

constexpr std::array<std::string_view, 4> content_types{"application/json", "application/x-ndjson",
                                                        "application/cloudevents+json",
                                                        "application/cloudevents-batch+json"};
constexpr size_t binary_mode = content_types.size();
constexpr EventLimits limits{
    .event_bytes_max = 2048, .batch_bytes_max = 8192, .batch_events_max = 16};

/// Takes header lines, up to an empty one, off `input`.
std::vector<http::Header> take_headers(std::string_view& input) {
  std::vector<http::Header> headers;
  while (!input.empty()) {
    const size_t size = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, size);
    input.remove_prefix(std::min(size + 1, input.size()));
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) break;
    headers.push_back({std::string{line.substr(0, colon)}, std::string{line.substr(colon + 2)}});
  }
  return headers;
}

http::Request make_request(size_t packing, std::string_view body) {
  http::Request request;
  if (packing == binary_mode) {
    request.headers = take_headers(body);
  } else {
    request.headers.push_back({"Content-Type", std::string{content_types[packing]}});
  }
  // What stands behind the body is as misleading as can be.
  request.body.reserve(body.size() + 64);
  request.body.append(body).append(64, '}').resize(body.size());
  return request;
}

/// The DOM refuses a few numbers and strings that are JSON by the grammar.
bool is_json(std::string_view text) {
  static simdjson::dom::parser dom;
  const auto error = dom.parse(std::string{text}).error();
  return error == simdjson::SUCCESS || error == simdjson::NUMBER_ERROR ||
         error == simdjson::STRING_ERROR;
}

void check(const journal::EventView& event, size_t packing) {
  for (const std::string_view text :
       {event.type, event.source, event.id, event.subject, event.branch, event.ordering_key,
        event.trace_parent, event.time, event.data_content_type}) {
    RINGPOST_ASSERT(!has_forbidden_character(text));
    RINGPOST_ASSERT(simdjson::validate_utf8(text.data(), text.size()));
  }
  RINGPOST_ASSERT(!event.type.empty() && event.type.size() <= 256);
  RINGPOST_ASSERT(!event.source.empty() && event.source.size() <= 256);
  RINGPOST_ASSERT(event.id_given == !event.id.empty());
  if (!event.extensions.empty()) RINGPOST_ASSERT(is_json(event.extensions));
  RINGPOST_ASSERT(event.id.size() <= 128);
  const std::string_view data = as_text(event.data);
  RINGPOST_ASSERT(event.data_checked);
  if (data.empty()) return;
  // What passes for JSON is JSON, however it came.
  if (ringpost::json::declares_json(event.data_content_type)) RINGPOST_ASSERT(is_json(data));
  if (packing >= 2) return;
  RINGPOST_ASSERT(data.starts_with('{') && data.ends_with('}'));
  RINGPOST_ASSERT(is_json(data));
}

}  // namespace
}  // namespace ringpost::ingest

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringpost::ingest;
  if (size == 0) return 0;
  static EventParser parser{limits};
  std::vector<ringpost::journal::EventView> events;
  const size_t packing = static_cast<uint8_t>(data[0] - '0') % (binary_mode + 1);
  const auto request = make_request(packing, {reinterpret_cast<const char*>(data + 1), size - 1});
  const auto refusal = parser.parse(request, events);
  if (refusal) {
    RINGPOST_ASSERT(events.empty());
    RINGPOST_ASSERT(refusal->status == 400 || refusal->status == 413 || refusal->status == 415 ||
                    refusal->status == 422);
    RINGPOST_ASSERT(!refusal->detail.empty());
    // What is not JSON is 400, whatever else is wrong with it.
    if (refusal->status == 422 && packing != 1 && packing != binary_mode) {
      RINGPOST_ASSERT(is_json(request.body));
    }
  } else {
    RINGPOST_ASSERT(!events.empty() || packing_of(request) == Packing::cloudevents_batch);  // `[]`
  }
  RINGPOST_ASSERT(events.size() <= limits.batch_events_max);
  for (const auto& event : events) check(event, packing);
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  const std::string event =
      R"({"specversion":"1.0","id":"1","type":"build/finished","source":"app/c0ffee","branch":"main",)"
      R"("time":"2031-05-04T09:08:07Z","comexample":7,"flag":true,)"
      R"("data":{"a":[1,2.50,-3e10,null,{"b":"\u00e9 \ud83d\ude00\n"}],"c":{}}})";
  const std::string cdevent =
      R"({"context":{"version":"0.4.1","id":"1","source":"/s","type":"dev.cdevents.a.b.0.1.0",)"
      R"("timestamp":"2031-05-04T09:08:07Z","links":[{"tags":{}}]},)"
      R"("subject":{"id":"x","content":{"n":1.0}},"customData":{"a":[1]}})";
  const std::string headers =
      "ce-specversion: 1.0\nCe-Type: t%20%C3%A9\nce-source: \"s \\\"x\\\"\"\nce-id: 1\nce-x: 7\n"
      "ce-time: 2031-05-04T09:08:07Z\nce-dataschema: a\nce-branch: main\n";
  return {
      "0" + event,
      "1" + event + "\n\r\n" + event + "\r\n",
      "2" + event,
      R"(2{"specversion":"1.0","id":"1","type":"t","source":"s","data_base64":"AAEC"})",
      R"(2{"specversion":"1.0","id":"1","type":"t","source":"s","datacontenttype":"text/xml","data":"<a\/>"})",
      "3[" + event + "," + event + "]",
      R"(0{"type":"t","source":"s","teams":["a","b"],"cluster":"eu","data":{}})",
      "0" + cdevent,
      "1" + cdevent + "\n" + event + "\n" + cdevent,
      "3[]",
      "4" + headers + "Content-Type: application/json\n\n{\"a\":[1.0,\"\\u00e9\"]}",
      "4" + headers + "Content-Type: text/plain\n\nany \xff bytes",
      "4" + headers + "Content-Type: application/cloudevents+json\n\n" + event,
  };
}
