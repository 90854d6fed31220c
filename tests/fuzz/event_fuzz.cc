// Goal: any body is an event, or a batch of them, or is refused; what is accepted keeps the
// promises of EventParser, and its `data` is JSON to simdjson's DOM too. Method: the first byte
// chooses the packing, the rest is the body.

#include "base/assert.h"
#include "fuzz.h"
#include "ingest/attribute.h"
#include "ingest/event_parser.h"

#include <simdjson.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::ingest {
namespace {

constexpr std::array<std::string_view, 4> content_types{"application/json", "application/x-ndjson",
                                                        "application/cloudevents+json",
                                                        "application/cloudevents-batch+json"};
constexpr EventLimits limits{
    .event_bytes_max = 2048, .batch_bytes_max = 8192, .batch_events_max = 16};

http::Request make_request(std::string_view content_type, std::string_view body) {
  http::Request request;
  request.headers.push_back({"Content-Type", std::string{content_type}});
  // What stands behind the body is as misleading as can be.
  request.body.reserve(body.size() + 64);
  request.body.append(body).append(64, '}').resize(body.size());
  return request;
}

/// The DOM refuses a few numbers and strings that are JSON by the grammar.
bool is_json(simdjson::dom::parser& dom, std::string_view text) {
  const auto error = dom.parse(std::string{text}).error();
  return error == simdjson::SUCCESS || error == simdjson::NUMBER_ERROR ||
         error == simdjson::STRING_ERROR;
}

void check(const journal::EventView& event, bool native) {
  static simdjson::dom::parser dom;
  for (const std::string_view text :
       {event.type, event.source, event.id, event.subject, event.branch, event.ordering_key,
        event.trace_parent, event.time, event.data_content_type}) {
    RINGPOST_ASSERT(!has_forbidden_character(text));
    RINGPOST_ASSERT(simdjson::validate_utf8(text.data(), text.size()));
  }
  RINGPOST_ASSERT(!event.type.empty() && event.type.size() <= 256);
  RINGPOST_ASSERT(!event.source.empty() && event.source.size() <= 256);
  RINGPOST_ASSERT(event.id_given == !event.id.empty());
  if (!event.extensions.empty()) RINGPOST_ASSERT(is_json(dom, event.extensions));
  if (!native) return;
  RINGPOST_ASSERT(event.id.size() <= 128);
  const std::string_view data = as_text(event.data);
  RINGPOST_ASSERT(data.starts_with('{') && data.ends_with('}'));
  RINGPOST_ASSERT(is_json(dom, data));
}

}  // namespace
}  // namespace ringpost::ingest

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringpost::ingest;
  if (size == 0) return 0;
  static EventParser parser{limits};
  std::vector<ringpost::journal::EventView> events;
  const size_t packing = data[0] % content_types.size();
  const auto request =
      make_request(content_types[packing], {reinterpret_cast<const char*>(data + 1), size - 1});
  const auto refusal = parser.parse(request, events);
  RINGPOST_ASSERT(refusal.has_value() == events.empty());
  RINGPOST_ASSERT(events.size() <= limits.batch_events_max);
  for (const auto& event : events) check(event, packing < 2);
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  const std::string event =
      R"({"specversion":"1.0","id":"1","type":"build/finished","source":"app/c0ffee","branch":"main",)"
      R"("time":"2031-05-04T09:08:07Z","comexample":7,"flag":true,)"
      R"("data":{"a":[1,2.50,-3e10,null,{"b":"\u00e9 \ud83d\ude00\n"}],"c":{}}})";
  return {
      "0" + event,  // '0' is 48: application/json.
      "1" + event + "\n\r\n" + event + "\r\n",
      "2" + event,
      R"(2{"specversion":"1.0","id":"1","type":"t","source":"s","data_base64":"AAEC"})",
      R"(2{"specversion":"1.0","id":"1","type":"t","source":"s","datacontenttype":"text/xml","data":"<a\/>"})",
      "3[" + event + "," + event + "]",
      R"(0{"type":"t","source":"s","teams":["a","b"],"data":{}})",
  };
}
