#include "control/api/delivery_json.h"

#include "api/logged_head.h"
#include "io/address.h"
#include "net/tls.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

using journal::OutcomeView;

namespace {

bool is_start(const OutcomeView& outcome) {
  return outcome.status == journal::DeliveryStatus::in_flight;
}

/// @param received  what came instead of an answer; empty: nothing did, or it is left out.
void write_error(JsonWriter& json, const Error* error, std::string_view received = {}) {
  json.key("error");
  if (error == nullptr) {
    json.null();
    return;
  }
  json.begin_object()
      .member("code", name(error->code))
      .member("side", name(error->side))
      .member("detail", net::describe_tls(*error));
  if (!received.empty()) json.member("received", received);
  json.end_object();
}

void write_request(JsonWriter& json, const DeliveryParts& parts, const OutcomeView& outcome,
                   bool with_body) {
  json.key("request");
  const api::LoggedHead head = api::parse_logged_head(outcome.request_head);
  if (head.first_line.empty()) {  // The attempt ended before there was a request.
    json.null();
    return;
  }
  const bool tls =
      parts.webhook != nullptr ? parts.webhook->destination.tls : static_cast<bool>(outcome.tls);
  json.begin_object().member("method", head.method()).member("url", head.url(tls)).key("headers");
  api::write_headers(json, head);
  if (with_body) {
    // What is not recorded was the event's data; but a question, by OPTIONS, has no body.
    const bool is_question = head.method() == "OPTIONS";
    const Bytes sent =
        is_question || outcome.request_made ? outcome.request_body : parts.event.data;
    json.member("body", as_text(sent)).member("truncated", outcome.request_truncated);
  } else {
    json.key("body").null();
  }
  json.end_object();
}

/// What the handshake agreed on: null for plain http, and where it did not come to it.
void write_tls(JsonWriter& json, const TlsSession& tls) {
  json.key("tls");
  if (!tls) {
    json.null();
    return;
  }
  json.begin_object()
      .member("version", net::tls_version_name(tls.version))
      .member("cipher", net::tls_cipher_name(tls.cipher))
      .key("group");
  if (tls.group == 0) {
    json.null();
  } else {
    json.value(net::tls_group_name(tls.group));
  }
  json.member("resumed", tls.resumed).end_object();
}

void write_connection(JsonWriter& json, const ConnectionFacts& facts) {
  json.key("connection");
  if (facts.ip_bytes == 0) {
    json.null();
    return;
  }
  const io::Address address{
      .family = facts.ip_bytes == 16 ? io::Address::Family::ipv6 : io::Address::Family::ipv4,
      .port = facts.port,
      .ip = facts.ip};
  json.begin_object()
      .member("address", address.to_text())
      .member("reused", facts.reused)
      .end_object();
}

void write_milliseconds(JsonWriter& json, std::string_view name,
                        const std::optional<Duration>& taken) {
  json.key(name);
  if (!taken) {
    json.null();
    return;
  }
  json.value(std::chrono::duration<double, std::milli>(*taken).count());
}

/// null: the attempt had none of these steps, or they were not recorded.
void write_timings(JsonWriter& json, const AttemptTimings& timings) {
  json.key("timings");
  if (timings == AttemptTimings{}) {
    json.null();
    return;
  }
  json.begin_object();
  write_milliseconds(json, "name_ms", timings.name);
  write_milliseconds(json, "connect_ms", timings.connect);
  write_milliseconds(json, "tls_ms", timings.tls);
  write_milliseconds(json, "first_byte_ms", timings.first_byte);
  json.end_object();
}

/// A word that no Errc has: nothing failed that anybody saw.
void write_interrupted(JsonWriter& json) {
  json.key("error")
      .begin_object()
      .member("code", "interrupted")
      .member("side", name(Side::self))
      .member("detail", "the relay stopped during this attempt; whether it arrived is not known")
      .end_object();
}

/// A record of a start has no end yet: it is under way, or a crash or a full disk swallowed the
/// end.
void write_timing(JsonWriter& json, const OutcomeView& outcome, bool under_way,
                  bool with_received) {
  json.member("number", outcome.attempt).member("started_at", to_rfc3339(outcome.started_at));
  json.key("duration_ms");
  if (is_start(outcome)) {
    json.null();
    return under_way ? write_error(json, nullptr) : write_interrupted(json);
  }
  json.value(std::chrono::duration_cast<std::chrono::milliseconds>(outcome.duration).count());
  const bool received = with_received && outcome.http_status == 0;
  write_error(json, outcome.failed ? &outcome.error : nullptr,
              received ? outcome.response_head : std::string_view{});
}

/// The attempt was made, and its record cannot be read any more.
void write_unreadable(JsonWriter& json, const Error& error) {
  json.begin_object().key("number").null();
  json.key("started_at").null().key("duration_ms").null();
  write_error(json, &error);
  json.key("connection").null().key("timings").null();
  json.key("tls").null().key("request").null().key("response").null().end_object();
}

}  // namespace

void write_event_reference(JsonWriter& json, const journal::EventView& event) {
  json.key("event")
      .begin_object()
      .member("id", event.id)
      .member("type", event.type)
      .member("source", event.source)
      .end_object();
}

namespace {

/// When the next attempt is due. The wall clock may have been set back since that was written down;
/// the delivery itself waits by another clock, and never longer than its schedule has pauses.
WallTime next_attempt_at(const DeliveryParts& parts) {
  if (parts.webhook == nullptr) return parts.facts.state.next_attempt_at;
  Duration longest = std::chrono::hours{1};  // As a receiver may ask for.
  for (const uint32_t pause_s : parts.webhook->schedule_s) {
    longest = std::max<Duration>(longest, std::chrono::milliseconds{uint64_t{pause_s} * 1250});
  }
  return std::min(parts.facts.state.next_attempt_at, parts.now + longest);
}

}  // namespace

namespace {

std::string_view reason_of(const index::DeliveryState& state) {
  if (state.status != journal::DeliveryStatus::cancelled) return "";
  return state.superseded ? "a newer event says more about the same"
                          : "the webhook was deleted or disabled";
}

}  // namespace

void begin_delivery(JsonWriter& json, const DeliveryParts& parts) {
  const DeliveryFacts& facts = parts.facts;
  json.begin_object().member("id", facts.id.to_text()).key("webhook");
  if (parts.webhook != nullptr) {
    json.value(parts.webhook->id.to_text());
  } else {
    json.null();
  }
  write_event_reference(json, parts.event);
  json.member("status", journal::name(facts.state.status))
      .member("status_reason", reason_of(facts.state))
      .key("redelivery_of");
  if (parts.event.is_redelivery()) {
    json.value(parts.event.redelivery_of.to_text());
  } else {
    json.null();
  }
  json.key("next_attempt_at");
  const WallTime planned =
      facts.state.next_attempt_at != WallTime{} ? next_attempt_at(parts) : WallTime{};
  const WallTime next = std::max(planned, parts.paused_until);
  if (facts.state.status == journal::DeliveryStatus::pending && next != WallTime{}) {
    json.value(to_rfc3339(next));
  } else {
    json.null();
  }
  json.member("created_at", to_rfc3339(parts.event.accepted_at))
      .member("attempt_count", facts.state.attempts);
}

namespace {

/// By number; of an attempt with both, only the end.
void sort_attempts(std::vector<const OutcomeView*>& attempts) {
  const auto key = [](const OutcomeView* outcome) {
    return std::pair(outcome->attempt, is_start(*outcome) ? 1 : 0);
  };
  std::stable_sort(attempts.begin(), attempts.end(),
                   [&](const auto* a, const auto* b) { return key(a) < key(b); });
  const auto repeats = [](const auto* first, const auto* second) {
    return first->attempt == second->attempt && is_start(*second);
  };
  attempts.erase(std::unique(attempts.begin(), attempts.end(), repeats), attempts.end());
}

}  // namespace

void write_attempts(JsonWriter& json, const DeliveryParts& parts,
                    const std::vector<Result<JournalAccess::StoredOutcome>>& outcomes) {
  std::vector<const OutcomeView*> order;
  json.key("attempts").begin_array();
  for (const auto& outcome : outcomes) {
    if (!outcome) {
      write_unreadable(json, outcome.error());
    } else {
      order.push_back(&outcome->view);
    }
  }
  sort_attempts(order);
  const bool in_flight = parts.facts.state.status == journal::DeliveryStatus::in_flight;
  const size_t bodies_max =
      answer_bodies_bytes_max / std::max<size_t>(parts.event.data.size(), 1) + 1;
  for (size_t index = 0; index < order.size(); ++index) {
    const size_t left = order.size() - index;
    json.begin_object();
    write_timing(json, *order[index], in_flight && left == 1, true);
    write_connection(json, order[index]->connection);
    write_timings(json, order[index]->connection.timings);
    write_tls(json, order[index]->tls);
    write_request(json, parts, *order[index], left <= bodies_max);
    api::write_response(json, *order[index]);
    json.end_object();
  }
  json.end_array();
}

void write_last_attempt(JsonWriter& json, const DeliveryFacts& facts, const OutcomeView* outcome) {
  json.key("last_attempt");
  if (outcome == nullptr) {
    json.null();
    return;
  }
  json.begin_object();
  write_timing(json, *outcome, facts.state.status == journal::DeliveryStatus::in_flight, false);
  json.key("response_status");
  if (outcome->http_status == 0) {
    json.null();
  } else {
    json.value(outcome->http_status);
  }
  json.end_object();
}

}  // namespace ringpost::control
