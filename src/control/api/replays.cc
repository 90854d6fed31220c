#include "api/json_body.h"
#include "base/json_writer.h"
#include "control/api/api.h"
#include "control/api/history.h"

#include <utility>

namespace ringpost::control {

using api::JsonBody;
using subscription::Webhook;

namespace {

constexpr size_t text_bytes_max = 256;  // As an event's type and source have.

/// Reads a time of the order. @returns what is wrong.
std::optional<Problem> read_time(simdjson::dom::element value, std::string_view member,
                                 WallTime& time) {
  std::string text;
  if (auto problem = api::read(value, member, text_bytes_max, text)) return problem;
  const auto read = parse_rfc3339(text);
  if (!read || *read <= WallTime{}) return invalid(member, time_rule);
  time = *read;
  return std::nullopt;
}

/// Reads a text of the order that has to obey a rule.
template <typename Parse>
std::optional<Problem> read_checked(simdjson::dom::element value, std::string_view member,
                                    Parse parse, std::string_view rule, std::string& text) {
  if (auto problem = api::read(value, member, text_bytes_max, text)) return problem;
  if (!parse(text)) return invalid(member, rule);
  return std::nullopt;
}

/// A webhook that something can be sent to.
std::optional<Problem> find_webhook(const Call& call, const api::Management& management,
                                    std::string_view member, std::string& id, uint32_t& number) {
  const auto parsed = Ulid::parse_either(id);
  const Webhook* webhook = parsed ? management.webhook(call.organization, *parsed) : nullptr;
  if (webhook == nullptr) return invalid(member, "is not the id of a webhook");
  number = webhook->number;
  id = webhook->id.to_text();
  return std::nullopt;
}

std::optional<Problem> read_id(simdjson::dom::element value, std::string_view member,
                               std::string& id) {
  if (auto problem = api::read(value, member, text_bytes_max, id)) return problem;
  if (id.empty()) return invalid(member, "is not the id of a webhook");
  return std::nullopt;
}

std::optional<Problem> read_member(std::string_view name, simdjson::dom::element value,
                                   bool webhook_in_path, ReplayOrder& order) {
  if (value.is_null()) return std::nullopt;  // As good as absent.
  if (name == "webhook" && !webhook_in_path) return read_id(value, name, order.webhook);
  if (name == "into") return read_id(value, name, order.into);
  if (name == "source") return api::read(value, name, text_bytes_max, order.source);
  if (name == "type") return api::read(value, name, text_bytes_max, order.type);
  if (name == "status") return read_checked(value, name, parse_status, status_rule, order.status);
  if (name == "error") return read_checked(value, name, parse_error_code, error_rule, order.error);
  if (name == "response_status") {
    return read_checked(value, name, parse_http_statuses, http_statuses_rule,
                        order.response_status);
  }
  if (name == "since") return read_time(value, name, order.since);
  if (name == "until") return read_time(value, name, order.until);
  if (name == "dry_run") return api::read(value, name, order.dry_run);
  if (name == "again") return api::read(value, name, order.again);
  return invalid(name, "is not a member of a replay");
}

/// What is missing, or contradicts itself.
std::optional<Problem> check(const ReplayOrder& order) {
  if (order.since == WallTime{} && order.status.empty()) {
    return invalid("since",
                   "is required, unless `status` is there: so that nobody sends the whole "
                   "history again by mistake");
  }
  const bool reversed = order.until != WallTime{} && order.until < order.since;
  if (reversed) return invalid("until", reversed_rule);
  return std::nullopt;
}

std::optional<Problem> find_webhooks(const Call& call, const api::Management& management,
                                     ReplayOrder& order) {
  if (!order.webhook.empty()) {
    auto problem = find_webhook(call, management, "webhook", order.webhook, order.webhook_number);
    if (problem) return problem;
  }
  if (!order.into.empty()) {
    if (auto problem = find_webhook(call, management, "into", order.into, order.into_number)) {
      return problem;
    }
  }
  const uint32_t target = order.into_number > 0 ? order.into_number : order.webhook_number;
  if (target > 0 && !management.webhook(target)->active()) {
    return refusal(409, "the webhook is not active: enable it before deliveries are sent to it");
  }
  return std::nullopt;
}

void write_text(JsonWriter& json, std::string_view name, std::string_view text) {
  json.key(name);
  if (text.empty()) {
    json.null();
  } else {
    json.value(text);
  }
}

void write_time(JsonWriter& json, std::string_view name, WallTime time) {
  write_text(json, name, time == WallTime{} ? std::string{} : to_rfc3339(time));
}

/// Of the deliveries that are done, the oldest's time; nothing: none is.
WallTime reached(const StoredReplay& replay) {
  const Ulid& uid = replay.progress.done_uid;
  const bool begun = uid.bytes[0] != 0xff && uid != Ulid{};
  return begun ? uid.time() : WallTime{};
}

void write_replay(JsonWriter& json, const StoredReplay& replay) {
  const ReplayOrder& order = replay.order;
  const ReplayProgress& progress = replay.progress;
  json.begin_object().member("id", replay.id.to_text()).member("state", name(progress.state));
  json.member("state_reason", progress.state_reason);
  write_text(json, "webhook", order.webhook);
  write_text(json, "into", order.into);
  write_text(json, "source", order.source);
  write_text(json, "type", order.type);
  write_text(json, "status", order.status);
  write_text(json, "error", order.error);
  write_text(json, "response_status", order.response_status);
  write_time(json, "since", order.since);
  write_time(json, "until", order.until);
  json.member("dry_run", order.dry_run).member("again", order.again);
  json.member("matched", progress.matched)
      .member("sent", progress.sent)
      .member("skipped", progress.skipped);
  json.key("sample").begin_array();
  for (const std::string& id : progress.sample) json.value(id);
  json.end_array();
  write_time(json, "reached", reached(replay));
  write_time(json, "created_at", replay.created_at);
  write_time(json, "updated_at", progress.updated_at);
  json.end_object();
}

Answer answer_replay(uint16_t status, const StoredReplay& replay) {
  std::string body;
  JsonWriter json(body);
  write_replay(json, replay);
  return answer_json(status, std::move(body));
}

/// Whoever may touch fewer sources than who started it sees nothing of it.
bool may_see(const Call& call, const StoredReplay& replay) {
  return call.token->covers(replay.order.token_sources);
}

std::string_view operation_of(ReplayState state) {
  switch (state) {
    case ReplayState::running: return "replay.resume";
    case ReplayState::paused: return "replay.pause";
    default: return "replay.cancel";
  }
}

}  // namespace

Answer ReplayApi::start(const Call& call) {
  const bool webhook_in_path = !call.parameters.empty();
  ReplayOrder order{.organization = call.organization, .token_sources = call.token->sources};
  if (webhook_in_path) {
    const auto id = Ulid::parse_either(call.id());
    const Webhook* webhook = id ? management_.webhook(call.organization, *id) : nullptr;
    if (webhook == nullptr) return refuse(refusal(404, "there is no such webhook"));
    order.webhook = webhook->id.to_text();
  }
  JsonBody body;
  if (auto problem = body.parse(call.request.body)) return refuse(*problem);
  for (const auto [name, value] : body.root()) {
    if (auto problem = read_member(name, value, webhook_in_path, order)) return refuse(*problem);
  }
  if (auto problem = check(order)) return refuse(*problem);
  if (auto problem = find_webhooks(call, management_, order)) return refuse(*problem);
  const WallTime until = order.until == WallTime{} ? call.now : order.until;
  order.until = std::min(until, call.now);  // What it sends itself is not its business.
  const auto started = replays_.start(Ulid::mint(call.now, random_), std::move(order), call.now);
  if (const auto* problem = std::get_if<Problem>(&started)) return refuse(*problem);
  const StoredReplay& replay = *std::get<const StoredReplay*>(started);
  Answer answer = answer_replay(201, replay);
  answer.response.headers.push_back({"Location", "/v1/replays/" + replay.id.to_text()});
  answer.change = Change{.operation = "replay.start",
                         .object = replay.id.to_text(),
                         .members = api::member_names(body.root()),
                         .organization = {}};
  return answer;
}

const StoredReplay* ReplayApi::find(const Call& call) const {
  const auto id = Ulid::parse_either(call.id());
  const StoredReplay* replay = id ? replays_.find(call.organization, *id) : nullptr;
  return replay != nullptr && may_see(call, *replay) ? replay : nullptr;
}

Answer ReplayApi::show(const Call& call) {
  const StoredReplay* replay = find(call);
  if (replay == nullptr) return refuse(refusal(404, "there is no such replay"));
  return answer_replay(200, *replay);
}

Answer ReplayApi::list(const Call& call) {
  auto parsed = parse_list_query(call.request, ListKind::replays);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  auto found = replays_.list(call.organization, query.before(), query.limit + 1);
  const bool more = found.size() > query.limit;
  if (more) found.pop_back();
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("items").begin_array();
  for (const StoredReplay* replay : found) {
    if (may_see(call, *replay)) write_replay(json, *replay);
  }
  json.end_array();
  write_next_cursor(json, query, more ? &found.back()->id : nullptr);
  json.end_object();
  return answer_json(200, std::move(body));
}

Answer ReplayApi::set_state(const Call& call, ReplayState state) {
  const StoredReplay* replay = find(call);
  if (replay == nullptr) return refuse(refusal(404, "there is no such replay"));
  if (auto problem = refuse_members(call)) return refuse(*problem);
  const ReplayState before = replay->progress.state;
  if (auto problem = replays_.set_state(replay->id, state, call.now)) return refuse(*problem);
  Answer answer = answer_replay(200, *replay);
  if (replay->progress.state == before) return answer;
  answer.change = Change{.operation = operation_of(state),
                         .object = replay->id.to_text(),
                         .members = {},
                         .organization = {}};
  return answer;
}

}  // namespace ringpost::control
