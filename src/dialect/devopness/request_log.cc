#include "dialect/devopness/request_log.h"

#include "api/logged_head.h"
#include "dialect/attempt_id.h"
#include "dialect/devopness/hook_writer.h"

#include <algorithm>
#include <string>

namespace ringpost::dialect::devopness {
namespace {

using api::LoggedDelivery;
using journal::OutcomeView;
using json::Kind;
using json::Path;
using subscription::Webhook;

/// Writes what stands at `path` as it is, if it is of that kind; `otherwise` if not.
void write_found(JsonWriter& json, json::Document& document, std::string_view path, Kind kind,
                 std::string_view otherwise) {
  const json::Found found = document.find(Path::constant(path));
  if (found.kind != kind) {
    json.raw(otherwise);
  } else if (kind == Kind::string) {
    json.value(found.text);
  } else {
    json.raw(found.text);
  }
}

Ulid id_of(const HookRequest& request) {
  if (request.attempt == nullptr) return request.delivery->id;
  return attempt_id(request.delivery->id, request.attempt->attempt);
}

void write_retry_of(JsonWriter& json, const HookRequest& request) {
  json.key("retry_of");
  const journal::EventView& event = request.delivery->event->view();
  if (request.attempt != nullptr && request.attempt->attempt > 1) {
    json.value(request.delivery->id.to_uuid_text());
  } else if (event.is_redelivery()) {
    json.value(event.redelivery_of.to_uuid_text());
  } else {
    json.null();
  }
}

void write_attempt(JsonWriter& json, const Webhook& webhook, const OutcomeView& attempt) {
  const api::LoggedHead head = api::parse_logged_head(attempt.request_head);
  json.member(
      "url", head.first_line.empty() ? webhook.destination.url : head.url(webhook.destination.tls));
  json.key("request_headers");
  api::write_headers(json, head);
  json.key("request_body");
  if (head.first_line.empty()) {  // It ended before there was a request.
    json.raw("{}");
  } else {
    write_logged_body(json, as_text(attempt.request_body));
  }
  json.member("response_status_code", attempt.http_status).key("response_headers");
  if (attempt.http_status == 0) {
    json.raw("{}").key("response_body").begin_object();
    const std::string reason = api::no_answer_reason(attempt);
    if (!reason.empty()) json.member("error", reason);
    json.end_object();
  } else {
    api::write_headers(json, api::parse_logged_head(attempt.response_head));
    json.key("response_body");
    write_logged_body(json, as_text(attempt.response_body));
  }
}

/// The event that stands for a call holds the request and the answer.
void write_call(JsonWriter& json, json::Document& event) {
  json.key("url");
  write_found(json, event, "request.url", Kind::string, "\"\"");
  json.key("request_headers");
  write_found(json, event, "request.headers", Kind::object, "{}");
  json.key("request_body");
  write_found(json, event, "request.body", Kind::object, "{}");
  json.key("response_status_code");
  write_found(json, event, "response.status", Kind::integer, "0");
  json.key("response_headers").raw(R"({"Content-Type":"application/json"})").key("response_body");
  write_found(json, event, "response.body", Kind::object, "{}");
}

}  // namespace

WallTime time_of(const HookRequest& request) {
  return request.attempt != nullptr ? request.attempt->started_at
                                    : request.delivery->event->view().accepted_at;
}

void write_logged_body(JsonWriter& json, std::string_view body) {
  if (body.size() <= logged_body_bytes_max) {
    json::Document document;
    document.assign(body);
    const json::Found root = document.root();
    if (root.kind == Kind::object) {
      json.raw(root.text);
      return;
    }
  }
  json.begin_object().member("raw", body.substr(0, logged_body_bytes_max)).end_object();
}

std::vector<HookRequest> requests_of(const Hook& hook, const std::vector<LoggedDelivery>& log,
                                     WallTime now) {
  std::vector<HookRequest> requests;
  for (const LoggedDelivery& delivery : log) {
    if (hook.incoming) requests.push_back({.delivery = &delivery});
    for (const journal::StoredOutcome& outcome : delivery.attempts) {
      const bool attempted = !hook.incoming && outcome.view.attempt > 0;  // 0: was cancelled.
      if (attempted) requests.push_back({.delivery = &delivery, .attempt = &outcome.view});
    }
  }
  std::erase_if(requests, [now](const HookRequest& request) {
    return now - time_of(request) > logged_for_max;
  });
  std::ranges::stable_sort(requests, std::ranges::greater{}, time_of);
  if (requests.size() > logged_requests_max) requests.resize(logged_requests_max);
  return requests;
}

std::optional<FoundRequest> find_request(api::Management& management, std::string_view organization,
                                         std::string_view dialect, const Ulid& id) {
  return find_by_attempt(id, [&](const Ulid& of, uint32_t attempt) -> std::optional<FoundRequest> {
    auto delivery = management.delivery(organization, of);
    if (!delivery) return std::nullopt;
    const journal::EventView& event = delivery->event->view();
    for (uint32_t index = 0; index < event.webhook_count(); ++index) {
      const uint32_t number = event.webhook_number(index);
      if (journal::delivery_id(event.uid, number) != delivery->id) continue;
      const Webhook* webhook = management.webhook(number);
      if (webhook == nullptr || webhook->dialect != dialect) return std::nullopt;
      return FoundRequest{std::move(*delivery), webhook, attempt};
    }
    return std::nullopt;
  });
}

std::optional<HookRequest> request_in(const Hook& hook, const FoundRequest& found) {
  if (hook.incoming) {
    if (found.attempt != 1) return std::nullopt;
    return HookRequest{.delivery = &found.delivery};
  }
  for (const journal::StoredOutcome& outcome : found.delivery.attempts) {
    if (outcome.view.attempt != found.attempt) continue;
    return HookRequest{.delivery = &found.delivery, .attempt = &outcome.view};
  }
  return std::nullopt;
}

void write_request(JsonWriter& json, const Webhook& webhook, const Hook& hook,
                   const HookRequest& request, RequestShape shape, std::string_view base_url) {
  json::Document event;
  event.assign(as_text(request.delivery->event->view().data));
  json.begin_object()
      .member("id", id_of(request).to_uuid_text())
      .member("hook_id", webhook.id.to_uuid_text())
      .key("action_id");
  write_found(json, event, "action.id", Kind::integer, "null");
  write_retry_of(json, request);
  json.key("ip_address");
  if (request.attempt == nullptr) {
    write_found(json, event, "request.ip_address", Kind::string, "\"\"");
  } else {
    json.value("");
  }
  if (shape == RequestShape::full) {
    if (request.attempt != nullptr) {
      write_attempt(json, webhook, *request.attempt);
    } else {
      write_call(json, event);
    }
    json.key("hook");
    write_hook(json, webhook, hook, Shape::relation, base_url);
  }
  const WallTime begun = time_of(request);
  const Duration took = request.attempt != nullptr ? request.attempt->duration : Duration{};
  json.member("created_at", to_rfc3339(begun))
      .member("updated_at", to_rfc3339(begun + took))
      .end_object();
}

}  // namespace ringpost::dialect::devopness
