#include "control/api/forward.h"

#include "control/api/api.h"
#include "control/api/list_query.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace ringpost::control {
namespace {

void write_time(JsonWriter& json, std::string_view key, const std::optional<WallTime>& time) {
  json.key(key);
  if (time) {
    json.value(to_rfc3339(*time));
  } else {
    json.null();
  }
}

void write_text(JsonWriter& json, std::string_view key, const std::string& text) {
  json.key(key);
  if (text.empty()) {
    json.null();
  } else {
    json.value(text);
  }
}

void write_event(JsonWriter& json, const SetAsideEvent& event) {
  json.begin_object().member("id", event.id).member("source", event.source);
  json.member("type", event.type).member("organization", event.organization);
  json.member("accepted_at", to_rfc3339(event.accepted_at));
  json.member("set_aside_at", to_rfc3339(event.set_aside_at));
  json.key("status");
  if (event.status != 0) {
    json.value(event.status);
  } else {
    json.null();
  }
  json.member("reason", event.reason).member("send_again", event.again).end_object();
}

/// By id, by source, or by both; else all.
std::variant<SetAsideChoice, Problem> read_choice(const Call& call) {
  auto parsed = parse_query(call.request.query, {"id", "source"});
  if (auto* problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  const auto& parameters = std::get<http::QueryParameters>(parsed);
  const auto value = [&](std::string_view name) -> std::optional<std::string> {
    const auto found = parameters.find(name);
    if (!found) return std::nullopt;
    return std::string{*found};
  };
  return SetAsideChoice{.id = value("id"), .source = value("source")};
}

using Change = Result<uint64_t> (*)(Forward& forward, const SetAsideChoice& choice);

Answer change_set_aside(const Call& call, Forward& forward, std::string_view operation,
                        uint16_t status, Change change) {
  if (auto problem = refuse_members(call)) return refuse(*problem);
  auto read = read_choice(call);
  if (auto* problem = std::get_if<Problem>(&read)) return refuse(*problem);
  const SetAsideChoice& choice = std::get<SetAsideChoice>(read);
  const auto count = change(forward, choice);
  if (!count) {
    return refuse(refusal(503, "the list cannot be changed: " + describe(count.error())));
  }
  if (*count == 0 && choice.id) return refuse(refusal(404, "no such event was set aside"));
  std::string body;
  JsonWriter json(body);
  json.begin_object().member("events", *count).end_object();
  Answer answer = answer_json(status, std::move(body));
  answer.change = {.operation = operation,
                   .object = choice.id.value_or(choice.source.value_or("all")),
                   .members = {},
                   .organization = {}};
  return answer;
}

}  // namespace

void write_forward(JsonWriter& json, const ForwardStatus& status) {
  json.begin_object().member("state", name(status.state));
  write_text(json, "url", status.url);
  json.member("backlog_events", status.backlog);
  write_time(json, "oldest_at", status.oldest_at);
  json.member("forwarded", status.forwarded).member("duplicates", status.duplicates);
  json.member("set_aside", status.set_aside).member("send_again", status.again);
  json.member("lost", status.lost);
  write_text(json, "problem", status.problem);
  write_time(json, "problem_since", status.problem_since);
  write_time(json, "retry_at", status.retry_at);
  write_time(json, "last_success_at", status.last_success_at);
  json.end_object();
}

Answer show_forward(const ForwardStatus& status) {
  std::string body;
  JsonWriter json(body);
  write_forward(json, status);
  return answer_json(200, std::move(body));
}

Answer list_set_aside(const Call& call, Forward& forward) {
  auto parsed = parse_list_query(call.request, ListKind::set_aside);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  auto events = forward.set_aside().list(query.before(), query.limit + 1);
  if (!events) {
    return refuse(refusal(503, "what was set aside cannot be read: " + describe(events.error())));
  }
  const bool more = events->size() > query.limit;
  if (more) events->pop_back();
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("items").begin_array();
  for (const SetAsideEvent& event : *events) write_event(json, event);
  json.end_array();
  write_next_cursor(json, query, more ? &events->back().uid : nullptr);
  json.end_object();
  return answer_json(200, std::move(body));
}

Answer send_set_aside_again(const Call& call, Forward& forward) {
  if (!forward.is_on() && forward.set_aside().count() > 0) {
    return refuse(refusal(409, "nothing is forwarded: the configuration has no [forward] url"));
  }
  return change_set_aside(
      call, forward, "forward.send_again", 202,
      [](Forward& to, const SetAsideChoice& choice) { return to.send_again(choice); });
}

Answer drop_set_aside(const Call& call, Forward& forward) {
  return change_set_aside(
      call, forward, "forward.drop", 200,
      [](Forward& from, const SetAsideChoice& choice) { return from.set_aside().drop(choice); });
}

}  // namespace ringpost::control
