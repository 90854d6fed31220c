#include "control/forward_item.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/json_writer.h"
#include "dialect/cloudevents/attributes.h"
#include "dialect/content.h"

#include <array>
#include <utility>

namespace ringpost::control {

using journal::EventView;

namespace {

/// Inside a string of JSON a quote has a backslash before it, so this is the member itself.
constexpr std::string_view several_teams = R"("teams":[)";

ForwardForm form_of(const EventView& event) {
  if (event.extensions.find(several_teams) == std::string_view::npos) return ForwardForm::batch;
  const bool one_line = as_text(event.data).find_first_of("\r\n") == std::string_view::npos;
  return one_line ? ForwardForm::lines : ForwardForm::one;
}

void write_attributes(JsonWriter& json, const EventView& event) {
  json.member("specversion", "1.0").member("id", event.id).member("source", event.source);
  json.member("type", event.type);
  if (event.time.empty()) {
    json.member("time", to_rfc3339(event.accepted_at));
  } else {
    json.member("time", event.time);
  }
  const std::array<std::pair<std::string_view, std::string_view>, 4> optional{{
      {"subject", event.subject},
      {"branch", event.branch},
      {"orderingkey", event.ordering_key},
      {"traceparent", event.trace_parent},
  }};
  for (const auto& [name, value] : optional) {
    if (!value.empty()) json.member(name, value);
  }
}

}  // namespace

bool make_binary(ForwardItem& item, const EventView& event) {
  RINGPOST_ASSERT(item.form == ForwardForm::batch);
  constexpr size_t headers_bytes_max = 8 * 1024;  // Relays and proxies take 16 KiB, or little less.
  std::vector<http::Header> headers;
  size_t bytes = 0;
  dialect::cloudevents::AttributeWalk walk;
  walk(event, [&](std::string_view name, std::string_view text, bool) {
    http::Header header{"ce-" + std::string{name}, {}};
    // The walk makes a URI of it, as CloudEvents asks, and that would be another source.
    dialect::cloudevents::append_header_value(header.value, name == "source" ? event.source : text);
    bytes += header.name.size() + header.value.size() + 4;
    headers.push_back(std::move(header));
  });
  if (bytes > headers_bytes_max) return false;
  const bool plain_json =
      event.data_content_type.empty() && dialect::content_of(event) == dialect::Content::json;
  const std::string_view type = plain_json ? std::string_view{} : dialect::content_type_of(event);
  if (!type.empty()) headers.push_back({"Content-Type", std::string{type}});
  item.form = ForwardForm::binary;
  item.headers = std::move(headers);
  item.json = as_text(event.data);
  return true;
}

void append_headers(std::vector<http::Header>& headers, const ForwardItem& first) {
  const auto content = [&](const char* type) { headers.push_back({"Content-Type", type}); };
  switch (first.form) {
    case ForwardForm::batch: return content("application/cloudevents-batch+json");
    case ForwardForm::lines: return content("application/x-ndjson");
    case ForwardForm::one: return content("application/json");
    case ForwardForm::binary:
      headers.insert(headers.end(), first.headers.begin(), first.headers.end());
      return;
  }
  RINGPOST_UNREACHABLE();
}

size_t count_in_request(const std::deque<ForwardItem>& items) {
  return items.front().form == ForwardForm::binary ? 1 : items.size();
}

ForwardItem forward_item(const EventView& event, journal::Position position, uint64_t nth) {
  ForwardItem item{.position = position,
                   .nth = nth,
                   .uid = event.uid,
                   .accepted_at = event.accepted_at,
                   .organization = std::string{event.organization},
                   .id = std::string{event.id},
                   .source = std::string{event.source},
                   .type = std::string{event.type},
                   .hops = event.hops,
                   .form = form_of(event),
                   .json = {}};
  JsonWriter json{item.json};
  json.begin_object();
  write_attributes(json, event);
  if (event.extensions.size() > 2) {  // An object: its members as they are.
    item.json += ',';
    item.json += event.extensions.substr(1, event.extensions.size() - 2);
  }
  dialect::write_cloudevents_data(item.json, json, event, dialect::content_of(event));
  json.end_object();
  return item;
}

std::string forward_body(const std::deque<ForwardItem>& items, size_t count) {
  const bool array = items.front().form == ForwardForm::batch;
  std::string body = array ? "[" : "";
  for (size_t index = 0; index < count; ++index) {
    if (index > 0) body += array ? ',' : '\n';
    body += items[index].json;
  }
  if (array) body += ']';
  return body;
}

}  // namespace ringpost::control
