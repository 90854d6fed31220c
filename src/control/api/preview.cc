#include "api/logged_head.h"
#include "base/json_writer.h"
#include "control/api/api.h"
#include "control/api/history.h"
#include "control/management_desk.h"
#include "dialect/dialect.h"
#include "dialect/matcher.h"
#include "dialect/renderer.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace ringpost::control {

using journal::EventView;
using subscription::Webhook;

namespace {

bool names_a_signature(std::string_view header) {
  constexpr std::string_view word = "signature";
  return !std::ranges::search(header, word, {}, http::to_lower).empty();
}

/// The head without what proves that the relay sent it: who reads a preview may not sign with the
/// webhook's secret.
std::string unsigned_head(std::string_view head) {
  std::string shown;
  while (!head.empty()) {
    const size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    const auto field = http::parse_field_line(line);
    const bool signs = field && names_a_signature(field->name);
    shown.append(signs ? field->name : line);
    if (signs) shown.append(": ").append(dialect::credential_mask);
    shown.append("\r\n");
    head.remove_prefix(std::min(end + 2, head.size()));
  }
  return shown;
}

/// The first attempt's request as it may be shown: secrets are masked.
void write_request(JsonWriter& json, const Webhook& webhook, dialect::Renderer& renderer,
                   const dialect::Request& request) {
  const std::string masked = unsigned_head(renderer.masked(request.head));
  const api::LoggedHead head = api::parse_logged_head(masked);
  json.begin_object().member("method", head.method());
  json.member("url", head.url(webhook.destination.tls)).key("headers");
  api::write_headers(json, head);
  const bool has_secrets = !request.logged_body.empty();
  json.member("body", has_secrets ? std::string_view{request.logged_body} : as_text(request.body));
  json.end_object();
}

/// What would be sent for an event, as an object.
/// @param reason  why the webhook would not receive it; empty: it would.
std::string previewed(const Webhook& webhook, dialect::Renderer& renderer, const EventView& event,
                      const std::string& reason, WallTime now) {
  dialect::Request request;
  std::string problem;
  if (!dialect::of(webhook).can_send(event)) {
    problem = no_request_reason;
  } else if (const auto error = renderer.render({.event = event, .now = now}, request)) {
    problem = describe(*error);
  }
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("event");
  write_event_summary(json, event);
  json.member("would_receive", reason.empty()).key("reason");
  reason.empty() ? json.null() : json.value(reason);
  json.key("request");
  problem.empty() ? write_request(json, webhook, renderer, request) : void(json.null());
  json.key("problem");
  problem.empty() ? json.null() : json.value(problem);
  json.end_object();
  return text;
}

}  // namespace

Answer EventApi::preview(const Call& call) {
  JsonBody body;
  if (auto problem = body.parse(call.request.body)) return refuse(*problem);
  Webhook webhook;
  webhook.organization = call.organization;
  if (auto problem = create_webhook(body, checks_, *call.token, webhook)) return refuse(*problem);
  return show_request(call, std::move(webhook));
}

Answer EventApi::preview_of(const Call& call) {
  auto changed = changed_webhook(call);
  if (auto* problem = std::get_if<Problem>(&changed)) return refuse(*problem);
  return show_request(call, std::move(std::get<Webhook>(changed)));
}

/// Of the newest event that the webhook would receive, or else of the newest.
Answer EventApi::show_request(const Call& call, Webhook webhook) {
  if (!call.token->covers(webhook.sources)) return refuse(beyond_token());
  auto parsed = parse_list_query(call.request, ListKind::events);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  webhook.rule = dialect::make_rule(webhook);
  const auto renderer = dialect::make_renderer(webhook);
  dialect::Matcher matcher;
  std::string shown;
  bool fits = false;
  const EventPage::WriteItem consider = [&](JsonWriter& json, const EventView& event) {
    json.null();
    if (fits) return;
    const std::string reason = why_not(matcher, webhook, event);
    fits = reason.empty();
    if (fits || shown.empty()) shown = previewed(webhook, *renderer, event, reason, call.now);
  };
  EventPage page(query, call, {registry_, history_, journals_}, consider);
  if (const auto filled = fill(page, call, query); !filled) {
    return refuse(history_unreadable(filled.error()));
  }
  if (shown.empty()) {
    shown = R"({"event":null,"would_receive":false,"reason":null,"request":null,)"
            R"("problem":"there is no such event in the history"})";
  }
  return answer_json(200, std::move(shown));
}

}  // namespace ringpost::control
