#include "control/forward_item.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/json_writer.h"
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

std::string_view content_type_of(ForwardForm form) {
  switch (form) {
    case ForwardForm::batch: return "application/cloudevents-batch+json";
    case ForwardForm::lines: return "application/x-ndjson";
    case ForwardForm::one: return "application/json";
  }
  RINGPOST_UNREACHABLE();
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
