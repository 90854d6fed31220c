#include "dialect/standard/standard.h"

#include "crypto/base64.h"
#include "crypto/hmac.h"
#include "crypto/random.h"
#include "dialect/dialect.h"
#include "dialect/head.h"
#include "http/syntax.h"

#include <array>
#include <optional>

namespace ringpost::dialect::standard {
namespace {

using subscription::Webhook;

constexpr std::string_view secret_prefix = "whsec_";

/// Standard Webhooks 1.0: `whsec_` and the key in base64; a secret without the prefix is base64
/// too.
std::optional<crypto::HmacSha256Key> signing_key(std::string_view secret) {
  if (secret.starts_with(secret_prefix)) secret.remove_prefix(secret_prefix.size());
  const auto key = crypto::base64_decode(secret);
  if (!key || key->empty()) return std::nullopt;
  return crypto::HmacSha256Key{as_bytes(*key)};
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
      const std::array parts{as_bytes(id_text), as_bytes("."), as_bytes(timestamp), as_bytes("."),
                             facts.event.data};
      const auto signature = key_->sign(parts);
      head.append("webhook-signature: v1,");
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
};

}  // namespace

const Dialect& dialect() {
  static const Standard dialect;
  return dialect;
}

}  // namespace ringpost::dialect::standard
