#include "dialect/buildkite/request_log.h"

#include "api/logged_head.h"
#include "base/bytes.h"
#include "dialect/attempt_id.h"
#include "dialect/buildkite/service_fields.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::dialect::buildkite {

using api::LoggedDelivery;
using journal::DeliveryStatus;
using journal::OutcomeView;
using subscription::Webhook;

namespace {

/// How many deliveries are looked through: a retry of an older one may be a newer request.
constexpr size_t deliveries_looked_at = 3 * logged_requests_max;

struct LoggedRequest {
  const LoggedDelivery* delivery;
  const OutcomeView* outcome;
};

bool is_under_way(const OutcomeView& outcome) {
  return outcome.status == DeliveryStatus::in_flight;
}

std::vector<LoggedRequest> newest_requests(const std::vector<LoggedDelivery>& deliveries) {
  std::vector<LoggedRequest> requests;
  for (const LoggedDelivery& delivery : deliveries) {
    for (const journal::StoredOutcome& attempt : delivery.attempts) {
      // A delivery that was cancelled before its first attempt has an outcome of no attempt.
      if (attempt.view.attempt != 0) requests.push_back({&delivery, &attempt.view});
    }
  }
  std::ranges::stable_sort(requests, [](const LoggedRequest& left, const LoggedRequest& right) {
    return left.outcome->started_at > right.outcome->started_at;
  });
  if (requests.size() > logged_requests_max) requests.resize(logged_requests_max);
  return requests;
}

void write_request(JsonWriter& json, const Webhook& webhook, const LoggedRequest& request) {
  json.key("request");
  const OutcomeView& outcome = *request.outcome;
  const api::LoggedHead head = api::parse_logged_head(outcome.request_head);
  if (head.first_line.empty()) {  // It ended before there was one.
    json.null();
    return;
  }
  const Bytes body =
      outcome.request_made ? outcome.request_body : request.delivery->event->view().data;
  json.begin_object().member("method", head.method());
  json.member("url", head.url(webhook.destination.tls)).key("headers");
  api::write_headers(json, head);
  json.member("body", as_text(body)).member("truncated", outcome.request_truncated).end_object();
}

void write_entry(JsonWriter& json, const Webhook& webhook, const LoggedRequest& request) {
  const OutcomeView& outcome = *request.outcome;
  json.begin_object()
      .member("id", attempt_id(request.delivery->id, outcome.attempt).to_uuid_text())
      .member("event", request.delivery->event->view().type)
      .member("attempt", outcome.attempt)
      .member("created_at", to_milliseconds(outcome.started_at));
  json.key("duration_ms");
  if (is_under_way(outcome)) {
    json.null();
  } else {
    json.value(std::chrono::duration_cast<std::chrono::milliseconds>(outcome.duration).count());
  }
  json.key("error");
  if (outcome.failed) {
    const std::string reason = api::no_answer_reason(outcome);
    json.value(reason.empty() ? describe(outcome.error) : reason);
  } else {
    json.null();
  }
  write_request(json, webhook, request);
  api::write_response(json, outcome);
  json.end_object();
}

}  // namespace

void write_request_log(JsonWriter& json, const Webhook& webhook, api::Management& management) {
  const std::vector<LoggedDelivery> deliveries = management.log(webhook, deliveries_looked_at);
  json.begin_array();
  for (const LoggedRequest& request : newest_requests(deliveries)) {
    write_entry(json, webhook, request);
  }
  json.end_array();
}

std::optional<LoggedDelivery> find_request(const Webhook& webhook, std::string_view id,
                                           api::Management& management) {
  const auto request = Ulid::parse_either(id);
  if (!request) return std::nullopt;
  return find_by_attempt(*request, [&](const Ulid& of, uint32_t attempt) {
    auto delivery = management.delivery(webhook, of);
    const auto made = [&](const journal::StoredOutcome& outcome) {
      return outcome.view.attempt == attempt;
    };
    if (delivery && !std::ranges::any_of(delivery->attempts, made)) delivery.reset();
    return delivery;
  });
}

}  // namespace ringpost::dialect::buildkite
