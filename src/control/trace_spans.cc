#include "control/trace_spans.h"

#include "dialect/event_trace.h"
#include "http/url.h"
#include "io/address.h"
#include "net/tls.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace ringpost::control {
namespace {

using Attributes = std::vector<OtlpAttribute>;

void add_text(Attributes& attributes, std::string_view key, std::string_view text) {
  if (!text.empty()) attributes.push_back({key, std::string{text}});
}

void add_number(Attributes& attributes, std::string_view key, uint64_t number) {
  attributes.push_back({key, static_cast<int64_t>(number)});
}

void add_seconds(Attributes& attributes, std::string_view key,
                 const std::optional<Duration>& duration) {
  if (!duration) return;
  attributes.push_back({key, std::chrono::duration<double>{*duration}.count()});
}

/// What both kinds of span say of the event.
void add_event(Attributes& attributes, const journal::EventView& event) {
  add_text(attributes, "cloudevents.event_id", event.id);
  add_text(attributes, "cloudevents.event_source", event.source);
  add_text(attributes, "cloudevents.event_type", event.type);
  add_text(attributes, "ringpost.organization", event.organization);
}

struct RequestLine {
  std::string_view method;
  std::string_view target;
};

RequestLine parse_request_line(std::string_view line) {
  const size_t space = std::min(line.find(' '), line.size());
  RequestLine parsed{.method = line.substr(0, space), .target = {}};
  line.remove_prefix(std::min(space + 1, line.size()));
  parsed.target = line.substr(0, line.find(' '));
  return parsed;
}

/// Queries hold secrets now and then: that there is one is all that is said.
std::string url_of(const subscription::Destination& to, std::string_view target) {
  const size_t query = std::min(target.find('?'), target.size());
  http::Url url{.tls = to.tls,
                .host = to.host,
                .port = to.port,
                .target = std::string{target.substr(0, query)}};
  if (to.host.find(':') != std::string::npos) url.host_kind = http::Url::HostKind::ipv6;
  return query < target.size() ? url.text() + "?REDACTED" : url.text();
}

void add_request(Attributes& attributes, const RequestLine& line,
                 const subscription::Webhook* webhook) {
  add_text(attributes, "http.request.method", line.method.empty() ? "_OTHER" : line.method);
  if (webhook == nullptr) return;
  const subscription::Destination& to = webhook->destination;
  add_text(attributes, "url.full", url_of(to, line.target.empty() ? to.target : line.target));
  add_text(attributes, "server.address", to.host);
  add_number(attributes, "server.port", to.port);
  add_text(attributes, "ringpost.webhook.id", webhook->id.to_text());
  add_text(attributes, "ringpost.webhook.dialect", webhook->dialect);
}

/// Without brackets and port.
std::string ip_of(const ConnectionFacts& connection) {
  const bool ipv6 = connection.ip_bytes == 16;
  const io::Address address{.family = ipv6 ? io::Address::Family::ipv6 : io::Address::Family::ipv4,
                            .ip = connection.ip};
  std::string text = address.to_text();
  text.resize(text.rfind(ipv6 ? ']' : ':'));
  return ipv6 ? text.substr(1) : text;
}

void add_connection(Attributes& attributes, const ConnectionFacts& connection) {
  if (connection.ip_bytes == 0) return;
  add_text(attributes, "network.peer.address", ip_of(connection));
  add_number(attributes, "network.peer.port", connection.port);
  attributes.push_back({"ringpost.connection.reused", connection.reused});
  const AttemptTimings& timings = connection.timings;
  add_seconds(attributes, "ringpost.time.name", timings.name);
  add_seconds(attributes, "ringpost.time.connect", timings.connect);
  add_seconds(attributes, "ringpost.time.tls", timings.tls);
  add_seconds(attributes, "ringpost.time.first_byte", timings.first_byte);
}

void add_result(Attributes& attributes, const AttemptTraced& attempt) {
  if (attempt.http_status != 0) {
    add_number(attributes, "http.response.status_code", attempt.http_status);
  }
  if (attempt.attempt > 1) add_number(attributes, "http.request.resend_count", attempt.attempt - 1);
  add_text(attributes, "ringpost.delivery.id", attempt.delivery.to_text());
  add_text(attributes, "ringpost.delivery.status", journal::name(attempt.status));
  add_number(attributes, "ringpost.delivery.attempt", attempt.attempt);
  if (!attempt.error) return;
  const bool by_status = attempt.error->code == Errc::bad_status;
  add_text(attributes, "error.type",
           by_status ? std::to_string(attempt.http_status) : name(attempt.error->code));
}

}  // namespace

OtlpSpan span_of(const journal::EventView& event, WallTime durable_at, double sample_ratio) {
  const dialect::EventTrace trace = dialect::trace_of(event, sample_ratio);
  OtlpSpan span{.context = trace.context,
                .parent = trace.parent,
                .parent_is_remote = trace.parent != http::SpanId{} && !event.is_redelivery(),
                .trace_state = dialect::trace_state_of(event),
                .name = event.is_redelivery() ? "redeliver" : "accept",
                .kind = event.addressed || event.is_redelivery() ? OtlpSpan::Kind::internal
                                                                 : OtlpSpan::Kind::server,
                .begin = event.accepted_at,
                .end = std::max(event.accepted_at, durable_at)};
  add_event(span.attributes, event);
  add_text(span.attributes, "cloudevents.event_subject", event.subject);
  add_text(span.attributes, "ringpost.event.uid", event.uid.to_text());
  add_number(span.attributes, "ringpost.event.data_bytes", event.data.size());
  add_number(span.attributes, "ringpost.event.webhooks", event.webhook_count());
  return span;
}

OtlpSpan span_of(const AttemptTraced& attempt, const subscription::Webhook* webhook,
                 double sample_ratio) {
  const journal::EventView& event = attempt.event->view();
  const dialect::EventTrace trace = dialect::trace_of(event, sample_ratio);
  const RequestLine line = parse_request_line(attempt.request_line);
  OtlpSpan span{.context = trace.context,
                .parent = trace.context.span,
                .trace_state = dialect::trace_state_of(event),
                .name = line.method.empty() ? "HTTP" : std::string{line.method},
                .kind = OtlpSpan::Kind::client,
                .begin = attempt.started_at,
                .end = attempt.started_at + std::max(attempt.duration, Duration::zero())};
  span.context.span = dialect::attempt_span(attempt.delivery, attempt.attempt);
  add_request(span.attributes, line, webhook);
  add_result(span.attributes, attempt);
  add_connection(span.attributes, attempt.connection);
  add_event(span.attributes, event);
  if (event.is_redelivery()) {
    http::TraceContext repeated = trace.context;
    repeated.span = dialect::attempt_span(event.redelivery_of, 1);
    span.links.push_back(repeated);
  }
  if (attempt.error) span.failure = net::describe_tls(*attempt.error);
  return span;
}

}  // namespace ringpost::control
