#include "dialect/buildkite/renderer.h"

#include "base/json_writer.h"
#include "crypto/hex.h"
#include "crypto/hmac.h"
#include "dialect/attempt_id.h"
#include "dialect/buildkite/body.h"
#include "dialect/buildkite/settings.h"
#include "dialect/content.h"
#include "dialect/head.h"
#include "http/syntax.h"

#include <array>
#include <optional>

namespace ringpost::dialect::buildkite {

using subscription::Webhook;

namespace {

constexpr std::string_view token_header = "X-Buildkite-Token";
constexpr std::string_view signature_header = "X-Buildkite-Signature";
constexpr std::string_view request_header = "X-Buildkite-Request";
constexpr std::string_view timestamp_name = "timestamp=";
constexpr std::string_view signature_name = "signature=";

/// The token's text as it is keys the HMAC; time and a full stop stand before the body.
crypto::Digest sign(const crypto::HmacSha256Key& key, std::string_view timestamp, Bytes body) {
  const std::array parts{as_bytes(timestamp), as_bytes("."), body};
  return key.sign(parts);
}

std::string fixed_head(const Webhook& webhook, TokenMode mode) {
  std::string head = fixed_part(webhook, "POST", "Buildkite-Request");
  append_header(head, "Accept", "*/*");
  append_header(head, "Accept-Encoding", "identity");
  if (mode == TokenMode::token) append_header(head, token_header, webhook.secret);
  return head;
}

/// `"sender":{…}`: who made the webhook; where no user did, the webhook itself.
std::string sender_member(const Webhook& webhook, const std::optional<Creator>& creator) {
  std::string member = R"("sender":)";
  JsonWriter json{member};
  json.begin_object()
      .member("id", (creator ? creator->id : webhook.id).to_uuid_text())
      .member("name", creator ? creator->name : webhook.organization)
      .end_object();
  return member;
}

class BuildkiteRenderer final : public Renderer {
 public:
  BuildkiteRenderer(const Webhook& webhook, const Settings& settings)
      : fixed_(fixed_head(webhook, settings.token_mode)),
        sender_(sender_member(webhook, settings.creator)) {
    if (settings.token_mode == TokenMode::signature) key_.emplace(as_bytes(webhook.secret));
  }

  std::optional<Error> render(const AttemptFacts& facts, Request& request) override {
    if (!make_body(facts.event, request)) {
      return Error{Errc::not_renderable, Side::producer,
                   static_cast<int32_t>(Unrenderable::data_object)};
    }
    std::string& head = request.head;
    head.assign(fixed_);
    append_header(head, "X-Buildkite-Event", facts.event.type);
    char id[Ulid::uuid_text_size];
    attempt_id(facts.delivery, facts.attempt).write_uuid_text(id);
    append_header(head, request_header, std::string_view{id, sizeof id});
    if (key_) append_signature(head, facts.now, request.body);
    finish_untraced(request, facts, "application/json");
    return std::nullopt;
  }

 private:
  bool make_body(const journal::EventView& event, Request& request) {
    // The specification knows no request without a body.
    const std::string_view data = event.data.empty() ? "{}" : as_text(event.data);
    const BodyMembers members = find_body_members(data);
    if (!members.is_object || (!event.data.empty() && !data_is_json(event))) return false;
    request.body = event.data;
    if (members.event && members.sender) return true;
    event_.assign(R"("event":)");
    append_json_string(event_, event.type);
    append_body(request.made_body, data, members, event_, sender_);
    request.send_made_body();
    return true;
  }

  void append_signature(std::string& head, WallTime now, Bytes body) const {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, to_unix_seconds(now)).ptr;
    const std::string_view timestamp{digits, static_cast<size_t>(end - digits)};
    const auto signature = sign(*key_, timestamp, body);
    head.append(signature_header).append(": ").append(timestamp_name).append(timestamp);
    head.append(",").append(signature_name);
    crypto::append_hex(head, crypto::bytes_of(signature));
    head.append("\r\n");
  }

  const std::string fixed_;
  const std::string sender_;
  std::optional<crypto::HmacSha256Key> key_;
  std::string event_;  // Kept for its memory.
};

/// Where the settings cannot be read: a token that is to sign must not be sent in clear.
class NoRenderer final : public Renderer {
 public:
  std::optional<Error> render(const AttemptFacts&, Request&) override {
    return Error{Errc::corrupt, Side::self};
  }
};

/// What `name` is in `timestamp=…,signature=…`, in either order; empty if absent or there twice.
std::string_view part_of(std::string_view header, std::string_view name) {
  std::string_view value;
  size_t count = 0;
  http::for_each_list_member(header, [&](std::string_view part) {
    if (!part.starts_with(name)) return;
    value = part.substr(name.size());
    ++count;
  });
  return count == 1 ? value : std::string_view{};
}

Verdict verify_signature(const Received& received, std::string_view token,
                         const Freshness& freshness) {
  const std::string_view header = received.header(signature_header);
  const std::string_view timestamp = part_of(header, timestamp_name);
  const std::string_view signature = part_of(header, signature_name);
  if (timestamp.empty() || signature.empty()) {
    return refuted("X-Buildkite-Signature is not one timestamp and one signature");
  }
  const crypto::HmacSha256Key key{as_bytes(token)};
  const std::string wanted =
      crypto::hex_encode(crypto::bytes_of(sign(key, timestamp, received.body)));
  if (!crypto::constant_time_equal(as_bytes(signature), as_bytes(wanted))) {
    return refuted("the signature does not fit time, body and token");
  }
  return check_freshness("the timestamp of X-Buildkite-Signature", timestamp, freshness);
}

}  // namespace

std::unique_ptr<Renderer> make_request_renderer(const Webhook& webhook) {
  const auto settings = settings_of(webhook);
  if (!settings) return std::make_unique<NoRenderer>();
  return std::make_unique<BuildkiteRenderer>(webhook, *settings);
}

Verdict verify_request(const Received& received, std::string_view token,
                       const Freshness& freshness) {
  if (received.has_header(signature_header)) return verify_signature(received, token, freshness);
  if (!received.has_header(token_header)) {
    return not_signed("there is neither X-Buildkite-Signature nor X-Buildkite-Token");
  }
  const std::string_view sent = received.header(token_header);
  if (crypto::constant_time_equal(as_bytes(sent), as_bytes(token))) return {};
  return refuted("X-Buildkite-Token is a different token, or appears more than once");
}

std::string_view delivery_of_request(const Received& received) {
  constexpr size_t digits_of_attempt = 2;  // The last byte's.
  const std::string_view id = received.header(request_header);
  return id.substr(0, id.size() - std::min(id.size(), digits_of_attempt));
}

bool writes_request_header(std::string_view name) {
  constexpr std::array<std::string_view, 3> others{"user-agent", "accept", "accept-encoding"};
  return http::begins_ignoring_case(name, "x-buildkite-") ||
         std::ranges::any_of(others, [&](std::string_view other) {
           return http::equal_ignoring_case(name, other);
         });
}

}  // namespace ringpost::dialect::buildkite
