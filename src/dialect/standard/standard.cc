#include "dialect/standard/standard.h"

#include "api/json_body.h"
#include "api/webhook_fields.h"
#include "base/json_writer.h"
#include "crypto/base64.h"
#include "crypto/ed25519.h"
#include "crypto/hmac.h"
#include "dialect/dialect.h"
#include "dialect/head.h"
#include "dialect/standard/secret.h"
#include "http/syntax.h"

#include <algorithm>
#include <array>
#include <optional>

namespace ringpost::dialect::standard {
namespace {

using subscription::Webhook;

/// A message that is larger is not kept for its memory.
constexpr size_t message_bytes_kept_max = 64 * 1024;

/// Calls `visit` with each of the signatures, which spaces separate: `v1,<base64>` and the like. A
/// sender that changes its secret signs with both.
template <typename Visit>
void for_each_signature(std::string_view signatures, Visit visit) {
  while (!signatures.empty()) {
    const size_t size = std::min(signatures.find(' '), signatures.size());
    visit(signatures.substr(0, size));
    signatures.remove_prefix(std::min(size + 1, signatures.size()));
  }
}

/// @param prefix  id and time, each with a full stop behind it.
/// @returns nothing if `secret` is none.
std::optional<bool> any_signature_fits(std::string_view signatures, std::string_view secret,
                                       const std::string& prefix, Bytes body) {
  bool fits = false;
  if (secret.starts_with(public_prefix)) {
    const auto key = crypto::base64_decode(secret.substr(public_prefix.size()));
    if (!key || key->size() != sizeof(crypto::Ed25519PublicKey)) return std::nullopt;
    const std::string message = prefix + std::string{as_text(body)};
    const std::string version = std::string{signature_name(SignatureKind::v1a)} + ",";
    for_each_signature(signatures, [&](std::string_view signature) {
      if (!signature.starts_with(version)) return;
      const auto bytes = crypto::base64_decode(signature.substr(version.size()));
      fits |= bytes && crypto::ed25519_verify(as_bytes(*key), as_bytes(message), as_bytes(*bytes));
    });
    return fits;
  }
  // Receivers' libraries take a symmetric secret without its prefix, too.
  const bool named = kind_of(secret).has_value();
  const auto signer = Signer::from(named ? std::string{secret}
                                         : std::string{symmetric_prefix} + std::string{secret});
  if (!signer) return std::nullopt;
  std::string wanted;
  std::string buffer;
  signer->append_signature(wanted, prefix, body, buffer);
  for_each_signature(signatures, [&](std::string_view signature) {
    fits |= crypto::constant_time_equal(as_bytes(signature), as_bytes(wanted));
  });
  return fits;
}

/// The `standard` dialect: Standard Webhooks' three headers. `webhook-id` is the id of the delivery
/// that first carried the message: it stays the same over all attempts and redeliveries, and holds
/// no full stop, which separates the signed parts.
class StandardRenderer final : public Renderer {
 public:
  explicit StandardRenderer(const Webhook& webhook)
      : fixed_(fixed_part(webhook)),
        signer_(Signer::from(webhook.secret)),
        previous_signer_(Signer::from(webhook.previous_secret)),
        previous_until_(webhook.previous_secret_until) {}

  std::optional<Error> render(const AttemptFacts& facts, Request& request) override {
    std::string& head = request.head;
    head.assign(fixed_);
    char signed_prefix[Ulid::text_size + 22];  // `id.time.`
    char* const end = write_prefix(signed_prefix, facts);
    const std::string_view prefix{signed_prefix, static_cast<size_t>(end - signed_prefix)};
    append_header(head, "webhook-id", prefix.substr(0, Ulid::text_size));
    append_header(head, "webhook-timestamp",
                  prefix.substr(Ulid::text_size + 1, prefix.size() - Ulid::text_size - 2));
    if (signer_) append_signatures(head, prefix, facts);
    request.body = facts.event.data;
    finish(request, facts);
    return std::nullopt;
  }

 private:
  static char* write_prefix(char* out, const AttemptFacts& facts) {
    journal::message_id(facts.event, facts.delivery).write_text(out);
    out += Ulid::text_size;
    *out++ = '.';
    out = std::to_chars(out, out + 20, to_unix_seconds(facts.now)).ptr;
    *out++ = '.';
    return out;
  }

  /// The newest first. Which secrets sign is decided anew for each attempt.
  void append_signatures(std::string& head, std::string_view prefix, const AttemptFacts& facts) {
    head.append("webhook-signature: ");
    signer_->append_signature(head, prefix, facts.event.data, message_);
    if (previous_signer_ && facts.now < previous_until_) {
      head.append(" ");
      previous_signer_->append_signature(head, prefix, facts.event.data, message_);
    }
    head.append("\r\n");
    if (message_.capacity() > message_bytes_kept_max) message_ = {};
  }

  const std::string fixed_;
  const std::optional<Signer> signer_;
  const std::optional<Signer> previous_signer_;
  const WallTime previous_until_;
  std::string message_;  ///< Of Ed25519.
};

/// Reads the settings of one webhook; members in any order.
struct Settings {
  std::optional<SignatureKind> kind;
  std::string public_key;

  std::optional<api::Problem> read(std::string_view json) {
    api::JsonBody body;
    if (auto problem = body.parse(json)) return problem;
    for (const auto [member, value] : body.root()) {
      const std::string place = "settings." + std::string{member};
      std::string text;
      if (member != "signature" && member != "public_key") {
        return api::invalid(place, "is not a setting of this dialect; it has \"signature\"");
      }
      if (auto problem = api::read(value, place, api::webhook_secret_bytes_max, text)) {
        return problem;
      }
      if (member == "public_key") {
        public_key = text;
      } else if (text == signature_name(SignatureKind::v1) ||
                 text == signature_name(SignatureKind::v1a)) {
        kind = text == signature_name(SignatureKind::v1) ? SignatureKind::v1 : SignatureKind::v1a;
      } else {
        return api::invalid(place, "must be \"v1\" (HMAC-SHA256) or \"v1a\" (Ed25519)");
      }
    }
    return std::nullopt;
  }
};

std::string public_key_of(const Webhook& webhook) {
  const auto signer = Signer::from(webhook.secret);
  return signer ? signer->public_key() : std::string{};
}

class Standard final : public Dialect {
 public:
  std::string_view name() const override { return "standard"; }

  Webhook defaults() const override {
    Webhook webhook;
    webhook.dialect = name();
    webhook.schedule_s = subscription::default_schedule();
    return webhook;
  }

  std::string mint_secret() const override { return mint(SignatureKind::v1); }

  std::string next_secret(const Webhook& webhook) const override {
    return mint(kind_of(webhook.secret).value_or(SignatureKind::v1));
  }

  bool signs_twice() const override { return true; }

  std::string_view object_to_secret(std::string_view secret) const override {
    return object_to(secret);
  }

  /// The kind of signature decides what is minted; otherwise the secret decides it.
  std::optional<api::Problem> read_settings(std::string_view json,
                                            Webhook& webhook) const override {
    Settings settings;
    if (auto problem = settings.read(json)) return problem;
    if (settings.kind && webhook.secret.empty()) webhook.secret = mint(*settings.kind);
    if (settings.kind && kind_of(webhook.secret) != settings.kind) {
      return api::invalid("settings.signature",
                          "does not fit the secret (whsec_: v1, whsk_: v1a); rotate the secret to "
                          "one of the other kind");
    }
    if (!settings.public_key.empty() && settings.public_key != public_key_of(webhook)) {
      return api::invalid("settings.public_key", "cannot be set: it is derived from the secret");
    }
    return std::nullopt;
  }

  void write_settings(JsonWriter& json, const Webhook& webhook) const override {
    json.begin_object().member("signature",
                               signature_name(kind_of(webhook.secret).value_or(SignatureKind::v1)));
    if (const std::string key = public_key_of(webhook); !key.empty()) {
      json.member("public_key", key);
    }
    json.end_object();
  }

  bool writes_header(std::string_view name) const override {
    return Dialect::writes_header(name) || http::equal_ignoring_case(name, "webhook-id") ||
           http::equal_ignoring_case(name, "webhook-timestamp") ||
           http::equal_ignoring_case(name, "webhook-signature");
  }

  std::unique_ptr<Renderer> make_renderer(const Webhook& webhook) const override {
    return std::make_unique<StandardRenderer>(webhook);
  }

  bool verifies() const override { return true; }

  /// Standard Webhooks 1.0, "Verifying signatures": the signature first, since the time is worth
  /// nothing without it.
  Verdict verify(const Received& received, std::string_view secret,
                 const Freshness& freshness) const override {
    if (!received.has_header("webhook-signature")) {
      return not_signed("there is no webhook-signature");
    }
    const std::string_view id = received.header("webhook-id");
    const std::string_view timestamp = received.header("webhook-timestamp");
    const std::string_view signatures = received.header("webhook-signature");
    if (id.empty()) return refuted("webhook-id is missing, or appears more than once");
    if (timestamp.empty())
      return refuted("webhook-timestamp is missing, or appears more than once");
    if (signatures.empty()) return refuted("webhook-signature is empty, or appears more than once");
    const std::string prefix = std::string{id} + "." + std::string{timestamp} + ".";
    const auto fits = any_signature_fits(signatures, secret, prefix, received.body);
    if (!fits) return refuted("the secret is not valid: it " + std::string{object_to(secret)});
    if (!*fits) return refuted("no signature fits id, time, body and secret");
    return check_freshness("webhook-timestamp", timestamp, freshness);
  }

  std::string_view delivery_of(const Received& received) const override {
    const std::string_view delivery = Dialect::delivery_of(received);
    return delivery.empty() ? received.header("webhook-id") : delivery;
  }
};

}  // namespace

const Dialect& dialect() {
  static const Standard dialect;
  return dialect;
}

}  // namespace ringpost::dialect::standard
