#include "crypto/hex.h"
#include "crypto/hmac.h"
#include "dialect/head.h"

#include <array>
#include <optional>

namespace ringpost::dialect {
namespace {

/// The app slug of a source: `app/<slug>` names it; any other source stands for itself.
std::string_view app_slug(std::string_view source) {
  constexpr std::string_view kind = "app/";
  return source.starts_with(kind) ? source.substr(kind.size()) : source;
}

/// The `bitrise` dialect: event type and app in headers; with a secret, an HMAC-SHA256 of the body
/// alone, keyed with the secret's bytes as they are, in lower-case hexadecimal digits.
class BitriseRenderer final : public Renderer {
 public:
  explicit BitriseRenderer(const subscription::Webhook& webhook) : fixed_(fixed_part(webhook)) {
    if (!webhook.secret.empty()) key_.emplace(as_bytes(webhook.secret));
  }

  void render(const AttemptFacts& facts, std::string& head) const override {
    head.assign(fixed_);
    append_header(head, "Bitrise-Event-Type", facts.event.type);
    append_header(head, "Bitrise-App-Id", app_slug(facts.event.source));
    if (key_) {
      const auto signature = key_->sign(facts.event.data);
      head.append("Bitrise-Hook-Signature: sha256=");
      crypto::append_hex(head, crypto::bytes_of(signature));
      head.append("\r\n");
    }
    finish(head, facts);
  }

 private:
  const std::string fixed_;
  std::optional<crypto::HmacSha256Key> key_;
};

}  // namespace

std::unique_ptr<Renderer> make_bitrise_renderer(const subscription::Webhook& webhook) {
  return std::make_unique<BitriseRenderer>(webhook);
}

}  // namespace ringpost::dialect
