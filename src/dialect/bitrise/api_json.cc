#include "dialect/bitrise/api_json.h"

#include "api/logged_head.h"
#include "api/webhook_fields.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "dialect/bitrise/groups.h"
#include "dialect/renderer.h"

#include <chrono>
#include <string>

namespace ringpost::dialect::bitrise {

using journal::OutcomeView;
using subscription::Webhook;

namespace {

/// The URL as it was sent, if it still is that one.
std::string url_of(const Webhook& webhook, const Settings& settings) {
  const std::string& url = webhook.destination.url;
  const bool is_sent =
      !settings.url_as_sent.empty() && url == std::string{url_scheme_unsaid} + settings.url_as_sent;
  return is_sent ? settings.url_as_sent : url;
}

}  // namespace

void write_webhook(JsonWriter& json, const Webhook& webhook, bool created) {
  const Settings settings = read_settings(webhook);
  const std::vector<std::string> groups = groups_of(webhook);
  json.begin_object().member("slug", webhook.id.to_text()).member("url", url_of(webhook, settings));
  json.key("events").begin_array();
  for (const std::string& group : groups) json.value(group);
  json.end_array().key("headers").begin_object();
  for (const auto& [name, value] : webhook.headers) {
    json.member(name, !created && names_a_credential(name) ? credential_mask : value);
  }
  json.end_object()
      .member("registered_by_addon", settings.registered_by_addon)
      .member("created_at", to_rfc3339(webhook.created_at))
      .member("updated_at", to_rfc3339(webhook.updated_at));
  const bool says_all = webhook.filter.empty() && types_of(groups) == webhook.events;
  if (!says_all) api::write_extension(json, webhook);
  json.end_object();
}

namespace {

std::string headers_text(const api::LoggedHead& head) {
  std::string text;
  JsonWriter json{text};
  api::write_headers(json, head);
  return text;
}

void write_response(JsonWriter& json, const OutcomeView* outcome) {
  if (outcome == nullptr || outcome->http_status == 0) {
    json.key("response_http_status").null().key("response_seconds").null();
    json.key("response_headers").null().key("response_body").null();
    const std::string reason = outcome != nullptr ? api::no_answer_reason(*outcome) : "";
    if (!reason.empty()) json.member("error", reason);
    return;
  }
  const auto elapsed = std::chrono::floor<std::chrono::seconds>(outcome->duration);
  json.member("response_http_status", outcome->http_status)
      .member("response_seconds", elapsed.count())
      .member("response_headers", headers_text(api::parse_logged_head(outcome->response_head)))
      .member("response_body", as_text(outcome->response_body));
}

}  // namespace

void write_delivery(JsonWriter& json, const api::LoggedDelivery& delivery, const Webhook& webhook) {
  const journal::EventView& event = delivery.event->view();
  // One attempt is all there is, unless the native API gave the webhook a schedule: then the last.
  const OutcomeView* outcome = delivery.attempts.empty() ? nullptr : &delivery.attempts.back().view;
  const api::LoggedHead head =
      api::parse_logged_head(outcome != nullptr ? outcome->request_head : std::string_view{});
  const bool sent = !head.first_line.empty();
  const WallTime updated_at =
      outcome != nullptr ? outcome->started_at + outcome->duration : event.accepted_at;
  json.begin_object()
      .member("slug", delivery.id.to_text())
      .member("request_url", sent ? head.url(webhook.destination.tls) : webhook.destination.url)
      .member("request_headers", headers_text(head))
      .member("request_payload", as_text(event.data));
  write_response(json, outcome);
  json.member("created_at", to_rfc3339(event.accepted_at))
      .member("updated_at", to_rfc3339(updated_at))
      .end_object();
}

void write_paging(JsonWriter& json, std::string_view next, uint32_t limit, size_t total) {
  json.key("paging").begin_object();
  if (!next.empty()) json.member("next", next);
  json.member("page_item_limit", limit).member("total_item_count", total).end_object();
}

}  // namespace ringpost::dialect::bitrise
