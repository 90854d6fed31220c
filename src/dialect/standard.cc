#include "crypto/base64.h"
#include "crypto/hmac.h"
#include "dialect/head.h"

#include <array>
#include <optional>

namespace ringpost::dialect {
namespace {

/// Standard Webhooks 1.0: `whsec_` and the key in base64; a secret without the prefix is base64
/// too.
std::optional<crypto::HmacSha256Key> signing_key(std::string_view secret) {
  constexpr std::string_view prefix = "whsec_";
  if (secret.starts_with(prefix)) secret.remove_prefix(prefix.size());
  const auto key = crypto::base64_decode(secret);
  if (!key || key->empty()) return std::nullopt;
  return crypto::HmacSha256Key{as_bytes(*key)};
}

/// The `standard` dialect: Standard Webhooks' three headers. `webhook-id` is the delivery's id: it
/// stays the same over all attempts and holds no full stop, which separates the signed parts.
class StandardRenderer final : public Renderer {
 public:
  explicit StandardRenderer(const subscription::Webhook& webhook)
      : fixed_(fixed_part(webhook)), key_(signing_key(webhook.secret)) {}

  void render(const AttemptFacts& facts, std::string& head) const override {
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
    finish(head, facts);
  }

 private:
  const std::string fixed_;
  const std::optional<crypto::HmacSha256Key> key_;
};

}  // namespace

std::unique_ptr<Renderer> make_standard_renderer(const subscription::Webhook& webhook) {
  return std::make_unique<StandardRenderer>(webhook);
}

}  // namespace ringpost::dialect
