#include "dialect/standard/standard.h"

#include "crypto/base64.h"
#include "crypto/hmac.h"
#include "crypto/random.h"
#include "dialect/dialect.h"
#include "dialect/head.h"
#include "http/syntax.h"

#include <algorithm>
#include <array>
#include <optional>

namespace ringpost::dialect::standard {
namespace {

using subscription::Webhook;

constexpr std::string_view secret_prefix = "whsec_";
constexpr std::string_view signature_prefix = "v1,";

/// Standard Webhooks 1.0: `whsec_` and the key in base64; a secret without the prefix is base64
/// too.
std::optional<crypto::HmacSha256Key> signing_key(std::string_view secret) {
  if (secret.starts_with(secret_prefix)) secret.remove_prefix(secret_prefix.size());
  const auto key = crypto::base64_decode(secret);
  if (!key || key->empty()) return std::nullopt;
  return crypto::HmacSha256Key{as_bytes(*key)};
}

crypto::Digest sign(const crypto::HmacSha256Key& key, std::string_view id,
                    std::string_view timestamp, Bytes body) {
  const std::array parts{as_bytes(id), as_bytes("."), as_bytes(timestamp), as_bytes("."), body};
  return key.sign(parts);
}

/// Signatures separated by spaces, each `v1,` and base64: a sender that changes its secret signs
/// with both. Those of other versions (`v1a`, with public keys) are passed over.
bool any_signature_is(std::string_view signatures, std::string_view wanted) {
  bool found = false;
  while (!signatures.empty()) {
    const size_t size = std::min(signatures.find(' '), signatures.size());
    std::string_view signature = signatures.substr(0, size);
    signatures.remove_prefix(std::min(size + 1, signatures.size()));
    if (!signature.starts_with(signature_prefix)) continue;
    signature.remove_prefix(signature_prefix.size());
    found |= crypto::constant_time_equal(as_bytes(signature), as_bytes(wanted));
  }
  return found;
}

/// The `standard` dialect: Standard Webhooks' three headers. `webhook-id` is the delivery's id: it
/// stays the same over all attempts and holds no full stop, which separates the signed parts.
class StandardRenderer final : public Renderer {
 public:
  explicit StandardRenderer(const Webhook& webhook)
      : fixed_(fixed_part(webhook)), key_(signing_key(webhook.secret)) {}

  std::optional<Error> render(const AttemptFacts& facts, Request& request) override {
    std::string& head = request.head;
    head.assign(fixed_);
    char id[Ulid::text_size];
    facts.delivery.write_text(id);
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, to_unix_seconds(facts.now)).ptr;
    const std::string_view id_text{id, sizeof id};
    const std::string_view timestamp{digits, static_cast<size_t>(end - digits)};
    append_header(head, "webhook-id", id_text);
    append_header(head, "webhook-timestamp", timestamp);
    if (key_) {
      const auto signature = sign(*key_, id_text, timestamp, facts.event.data);
      head.append("webhook-signature: ").append(signature_prefix);
      crypto::append_base64(head, crypto::bytes_of(signature));
      head.append("\r\n");
    }
    request.body = facts.event.data;
    finish(request, facts);
    return std::nullopt;
  }

 private:
  const std::string fixed_;
  const std::optional<crypto::HmacSha256Key> key_;
};

class Standard final : public Dialect {
 public:
  std::string_view name() const override { return "standard"; }

  Webhook defaults() const override {
    Webhook webhook;
    webhook.dialect = name();
    webhook.schedule_s = subscription::default_schedule();
    return webhook;
  }

  std::string mint_secret() const override {
    std::array<std::byte, 32> bytes;
    crypto::fill(bytes);
    return std::string{secret_prefix} + crypto::base64_encode(bytes);
  }

  std::string_view object_to_secret(std::string_view secret) const override {
    constexpr std::string_view rule = "must be \"whsec_\" and the base64 of 24 to 64 bytes";
    if (!secret.starts_with(secret_prefix)) return rule;
    const auto key = crypto::base64_decode(secret.substr(secret_prefix.size()));
    return key && key->size() >= 24 && key->size() <= 64 ? std::string_view{} : rule;
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
    const auto key = signing_key(secret);
    if (!key) return refuted("the secret is not \"whsec_\" and base64");
    const std::string_view id = received.header("webhook-id");
    const std::string_view timestamp = received.header("webhook-timestamp");
    const std::string_view signatures = received.header("webhook-signature");
    if (id.empty()) return refuted("webhook-id is missing, or stands more than once");
    if (timestamp.empty()) return refuted("webhook-timestamp is missing, or stands more than once");
    if (signatures.empty()) return refuted("webhook-signature is empty, or stands more than once");
    const auto wanted =
        crypto::base64_encode(crypto::bytes_of(sign(*key, id, timestamp, received.body)));
    if (!any_signature_is(signatures, wanted)) {
      return refuted("no signature of version v1 fits id, time, body and secret");
    }
    return check_freshness("webhook-timestamp", timestamp, freshness);
  }

  std::string_view delivery_of(const Received& received) const override {
    const std::string_view id = received.header("webhook-id");
    return id.empty() ? Dialect::delivery_of(received) : id;
  }
};

}  // namespace

const Dialect& dialect() {
  static const Standard dialect;
  return dialect;
}

}  // namespace ringpost::dialect::standard
