#include "control/listeners.h"

#include "base/json_writer.h"
#include "control/api/list_query.h"
#include "crypto/base64.h"

#include <algorithm>
#include <array>
#include <limits>

// open ─> begin ─> on_request ─> answer ⟲     The stream is gone: the lease runs, until `expired`.

namespace ringpost::control {

using subscription::Webhook;

namespace {

/// How soon a program comes back whose connection was lost (the field `retry`).
constexpr std::string_view preamble = "retry: 1000\n\n";

/// What a program may say in the place of an answer.
constexpr std::array failures{Errc::refused,    Errc::timed_out,          Errc::closed,
                              Errc::reset,      Errc::unreachable,        Errc::name_unresolved,
                              Errc::tls_failed, Errc::certificate_invalid};

std::string failure_rule() {
  std::string rule = "must be one of";
  for (const Errc code : failures) rule += " " + std::string{name(code)};
  return rule;
}

struct Given {
  uint64_t attempt = 0;
  std::string answer;
  std::optional<Error> error;
};

std::optional<Problem> read_failure(simdjson::dom::element value, std::optional<Error>& error) {
  std::string text;
  if (auto problem = read(value, "error", api::webhook_text_bytes_max, text)) return problem;
  const auto found = std::ranges::find_if(failures, [&](Errc code) { return name(code) == text; });
  if (found == failures.end()) return invalid("error", failure_rule());
  error = Error{*found, Side::endpoint};
  return std::nullopt;
}

std::optional<Problem> read_response(simdjson::dom::element value, std::string& answer) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return invalid("response", "must be a string");
  auto decoded = crypto::base64_decode(text);
  if (!decoded || decoded->empty()) {
    return invalid("response", "must be the bytes of an HTTP answer, encoded as base64");
  }
  answer = std::move(*decoded);
  return std::nullopt;
}

std::variant<Given, Problem> read_given(const Call& call) {
  JsonBody body;
  if (auto problem = body.parse(call.request.body)) return *problem;
  Given given;
  std::optional<Problem> problem;
  for (const auto [name, value] : body.root()) {
    if (name == "attempt") {
      const bool good = value.get(given.attempt) == simdjson::SUCCESS && given.attempt > 0 &&
                        given.attempt <= std::numeric_limits<int32_t>::max();
      if (!good) problem = invalid("attempt", "must be a positive integer");
    } else if (name == "error") {
      problem = read_failure(value, given.error);
    } else if (name == "response") {
      problem = read_response(value, given.answer);
    } else {
      problem = invalid(name, "is not a member of an answer");
    }
    if (problem) return *problem;
  }
  if (given.attempt == 0) return invalid("attempt", "is required");
  if (given.answer.empty() == !given.error) {
    return invalid("response", "is required, or error in its place");
  }
  return given;
}

}  // namespace

// --- listeners -----------------------------------------------------------------------------------

void Listeners::begin_leases(Instant now) {
  parts_.table.current().for_each_webhook([&](const Webhook& webhook) {
    if (webhook.is_listener) add(webhook, now);
  });
}

std::optional<Problem> Listeners::object_to_count(std::string_view organization) const {
  const auto count = static_cast<size_t>(std::ranges::count_if(
      listeners_, [&](const auto& one) { return one.second.organization == organization; }));
  if (count < per_organization_max) return std::nullopt;
  Problem problem = refusal(429, "the organization has " + std::to_string(count) +
                                     " listeners, which is all it may have; end one of them first");
  problem.retry_after_s = 60;
  return problem;
}

void Listeners::add(const Webhook& webhook, Instant now) {
  Listener& listener = listeners_[webhook.number];
  listener.organization = webhook.organization;
  listener.lease_until = now + lease_of(webhook.number);
}

/// The webhook of the path: one that is listened for.
std::variant<const Webhook*, Problem> Listeners::find(const Call& call) const {
  const auto id = Ulid::parse(call.id());
  const Webhook* webhook = id ? parts_.registry.find(call.organization, *id) : nullptr;
  const bool known = webhook != nullptr && call.token->covers(webhook->sources) &&
                     listeners_.contains(webhook->number);
  if (known) return webhook;
  return refusal(404, "there is no listener of this id; it may have ended: begin a new one");
}

// --- streams -------------------------------------------------------------------------------------

Answer Listeners::open(const Call& call) {
  const auto found = find(call);
  if (const auto* problem = std::get_if<Problem>(&found)) return refuse(*problem);
  const Webhook& webhook = *std::get<const Webhook*>(found);
  opening_ = std::make_unique<Opening>(Opening{webhook.number, call.token->sha256});
  return {.response = {.content_type = "text/event-stream",
                       .headers = {{"X-Accel-Buffering", "no"}},
                       .body = {}}};
}

void Listeners::begin(uint32_t shard, http::RequestHandle handle, Instant now) {
  RINGPOST_ASSERT(opening_ != nullptr);
  const Opening opening = *std::exchange(opening_, nullptr);
  Listener& listener = listeners_.at(opening.webhook_number);
  if (listener.stream) {
    end_stream(opening.webhook_number, listener, "replaced", "another program listens now", now);
  }
  listener.stream = Stream{shard, handle, opening.token_sha256, now};
  send(*listener.stream, std::string{preamble}, now);
  tell_shards(opening.webhook_number, true);
}

void Listeners::tell_shards(uint32_t webhook_number, bool listening) {
  for (uint32_t shard = 0; shard < parts_.shard_count; ++shard) {
    parts_.post.send(shard, ListenerChanged{webhook_number, listening});
  }
}

void Listeners::send(Stream& stream, std::string piece, Instant now, bool last) {
  stream.sent_at = now;
  parts_.post.send(stream.shard, StreamPiece{stream.handle, std::move(piece), last});
}

void Listeners::end_stream(uint32_t webhook_number, Listener& listener, std::string_view code,
                           std::string_view detail, Instant now) {
  std::string piece = "event: notice\ndata: ";
  JsonWriter{piece}.begin_object().member("code", code).member("detail", detail).end_object();
  send(*listener.stream, piece + "\n\n", now, true);
  listener.stream.reset();
  listener.asked.clear();
  listener.lease_until = now + lease_of(webhook_number);
  tell_shards(webhook_number, false);
}

void Listeners::on_gone(uint32_t shard, http::RequestHandle handle, Instant now) {
  for (auto& [number, listener] : listeners_) {
    const auto& stream = listener.stream;
    const bool is_its = stream && stream->shard == shard && stream->handle.index == handle.index &&
                        stream->handle.generation == handle.generation;
    if (!is_its) continue;
    listener.stream.reset();
    listener.asked.clear();
    listener.lease_until = now + lease_of(number);
    tell_shards(number, false);
  }
}

Duration Listeners::lease_of(uint32_t webhook_number) const {
  const Webhook* webhook = parts_.registry.find(webhook_number);
  const uint32_t timeout_ms = webhook != nullptr ? webhook->timeout_ms : 0;
  return lease + std::chrono::milliseconds{timeout_ms};
}

/// The token is looked at again: the webhook may have been changed since.
std::optional<Listeners::Notice> Listeners::why_it_must_end(const Stream& stream,
                                                            uint32_t webhook_number,
                                                            WallTime wall_now) const {
  const auto* token = parts_.table.current().token(stream.token_sha256);
  const Webhook* webhook = parts_.registry.find(webhook_number);
  if (token == nullptr || token->expired(wall_now)) {
    return Notice{"signed_out", "the token has expired or was deleted"};
  }
  if (webhook == nullptr) return Notice{"deleted", "the listener was deleted"};
  if (!token->covers(webhook->sources)) {
    return Notice{"signed_out", "the listener's sources go beyond those of the token"};
  }
  if (webhook->active()) return std::nullopt;
  return Notice{"disabled", "the listener is disabled: " + webhook->state_reason};
}

// --- requests ------------------------------------------------------------------------------------

void Listeners::on_request(uint32_t shard, ListenerRequest&& request, WallTime wall_now,
                           Instant now) {
  const auto found = listeners_.find(request.webhook_number);
  if (found == listeners_.end() || !found->second.stream) return;  // The shard hears of its end.
  Listener& listener = found->second;
  const auto why = why_it_must_end(*listener.stream, request.webhook_number, wall_now);
  if (why) return end_stream(request.webhook_number, listener, why->code, why->detail, now);
  listener.asked[request.delivery] = {shard, request.ticket, request.attempt};
  std::string piece = "event: request\ndata: ";
  JsonWriter{piece}
      .begin_object()
      .member("delivery", request.delivery.to_text())
      .member("attempt", request.attempt)
      .member("type", request.event_type)
      .member("source", request.event_source)
      .member("request", crypto::base64_encode(as_bytes(request.bytes)))
      .end_object();
  send(*listener.stream, piece + "\n\n", now);
}

void Listeners::on_request_over(uint32_t shard, const ListenerRequestOver& over) {
  const auto found = listeners_.find(over.webhook_number);
  if (found == listeners_.end()) return;
  std::erase_if(found->second.asked, [&](const auto& asked) {
    return asked.second.shard == shard && asked.second.ticket == over.ticket;
  });
}

Answer Listeners::answer(const Call& call) {
  const auto found = find(call);
  if (const auto* problem = std::get_if<Problem>(&found)) return refuse(*problem);
  const Webhook& webhook = *std::get<const Webhook*>(found);
  const auto read = read_given(call);
  if (const auto* problem = std::get_if<Problem>(&read)) return refuse(*problem);
  const Given& given = std::get<Given>(read);
  auto& asked = listeners_.at(webhook.number).asked;
  const auto delivery = Ulid::parse(call.parameters[1]);
  const auto waiting = delivery ? asked.find(*delivery) : asked.end();
  if (waiting == asked.end() || waiting->second.attempt != given.attempt) {
    return refuse(refusal(404,
                          "no attempt of this delivery waits for an answer; its time may be up "
                          "(timeout_ms of the listener)"));
  }
  parts_.post.send(waiting->second.shard,
                   ListenerAnswered{waiting->second.ticket, given.answer, given.error});
  asked.erase(waiting);
  return answer_json(204, "");
}

// --- time ----------------------------------------------------------------------------------------

void Listeners::step(WallTime wall_now, Instant now) {
  for (auto& [number, listener] : listeners_) {
    if (!listener.stream) continue;
    if (const auto why = why_it_must_end(*listener.stream, number, wall_now)) {
      end_stream(number, listener, why->code, why->detail, now);
    } else if (now - listener.stream->sent_at >= heartbeat_interval) {
      send(*listener.stream, ": still here\n\n", now);
    }
  }
}

std::vector<const Webhook*> Listeners::expired(Instant now) {
  std::vector<const Webhook*> expired;
  std::erase_if(listeners_, [&](const auto& one) {
    const auto& [number, listener] = one;
    const Webhook* webhook = parts_.registry.find(number);
    const bool over = !listener.stream && (webhook == nullptr || now >= listener.lease_until);
    if (over && webhook != nullptr) expired.push_back(webhook);
    return over;
  });
  return expired;
}

std::optional<Instant> Listeners::due() const {
  std::optional<Instant> first;
  for (const auto& [number, listener] : listeners_) {
    const Instant due =
        listener.stream ? listener.stream->sent_at + heartbeat_interval : listener.lease_until;
    first = std::min(first.value_or(due), due);
  }
  return first;
}

}  // namespace ringpost::control
