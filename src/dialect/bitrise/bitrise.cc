#include "dialect/bitrise/bitrise.h"

#include "crypto/hex.h"
#include "crypto/hmac.h"
#include "dialect/dialect.h"
#include "dialect/head.h"
#include "http/syntax.h"

#include <array>
#include <optional>

namespace ringpost::dialect::bitrise {
namespace {

using subscription::Webhook;

/// The app slug of a source: `app/<slug>` names it; any other source stands for itself.
std::string_view app_slug(std::string_view source) {
  constexpr std::string_view kind = "app/";
  return source.starts_with(kind) ? source.substr(kind.size()) : source;
}

/// The `bitrise` dialect: event type and app in headers; with a secret, an HMAC-SHA256 of the body
/// alone, keyed with the secret's bytes as they are, in lower-case hexadecimal digits.
class BitriseRenderer final : public Renderer {
 public:
  explicit BitriseRenderer(const Webhook& webhook) : fixed_(fixed_part(webhook)) {
    if (!webhook.secret.empty()) key_.emplace(as_bytes(webhook.secret));
  }

  std::optional<Error> render(const AttemptFacts& facts, Request& request) override {
    std::string& head = request.head;
    head.assign(fixed_);
    append_header(head, "Bitrise-Event-Type", facts.event.type);
    append_header(head, "Bitrise-App-Id", app_slug(facts.event.source));
    if (key_) {
      const auto signature = key_->sign(facts.event.data);
      head.append("Bitrise-Hook-Signature: sha256=");
      crypto::append_hex(head, crypto::bytes_of(signature));
      head.append("\r\n");
    }
    request.body = facts.event.data;
    finish(request, facts);
    return std::nullopt;
  }

 private:
  const std::string fixed_;
  std::optional<crypto::HmacSha256Key> key_;
};

class Bitrise final : public Dialect {
 public:
  std::string_view name() const override { return "bitrise"; }

  /// One attempt, ten seconds: what Bitrise's receivers are used to.
  Webhook defaults() const override {
    Webhook webhook;
    webhook.dialect = name();
    webhook.timeout_ms = 10'000;
    return webhook;
  }

  std::string_view object_to_secret(std::string_view) const override { return {}; }

  bool writes_header(std::string_view name) const override {
    return Dialect::writes_header(name) || http::equal_ignoring_case(name, "bitrise-event-type") ||
           http::equal_ignoring_case(name, "bitrise-app-id") ||
           http::equal_ignoring_case(name, "bitrise-hook-signature");
  }

  std::unique_ptr<Renderer> make_renderer(const Webhook& webhook) const override {
    return std::make_unique<BitriseRenderer>(webhook);
  }
};

}  // namespace

const Dialect& dialect() {
  static const Bitrise dialect;
  return dialect;
}

}  // namespace ringpost::dialect::bitrise
