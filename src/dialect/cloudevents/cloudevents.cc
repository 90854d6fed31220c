#include "dialect/cloudevents/cloudevents.h"

#include "dialect/cloudevents/renderer.h"
#include "dialect/dialect.h"
#include "http/syntax.h"

#include <algorithm>
#include <array>

namespace ringpost::dialect::cloudevents {
namespace {

using subscription::Webhook;

/// RFC 6750, 2.1: `b64token`.
bool is_bearer_token(std::string_view text) {
  const size_t end = std::min(text.find_last_not_of('=') + 1, text.size());
  return end > 0 && std::ranges::all_of(text.substr(0, end), [](char byte) {
           return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                  http::is_digit(byte) ||
                  std::string_view{"-._~+/"}.find(byte) != std::string_view::npos;
         });
}

class CloudEvents final : public Dialect {
 public:
  std::string_view name() const override { return "cloudevents"; }

  Webhook defaults() const override {
    Webhook webhook;
    webhook.dialect = name();
    webhook.schedule_s = subscription::default_schedule();
    return webhook;
  }

  std::string_view object_to_secret(std::string_view secret) const override {
    if (is_bearer_token(secret)) return {};
    return "is the access token sent as Authorization: Bearer (this dialect has no signing key); "
           "it "
           "may have letters, digits, - . _ ~ + / and = at its end";
  }

  bool writes_header(std::string_view name) const override {
    constexpr std::array<std::string_view, 3> ours = {
        "webhook-request-origin", "webhook-request-rate", "webhook-request-callback"};
    return Dialect::writes_header(name) ||
           (name.size() >= 3 && http::equal_ignoring_case(name.substr(0, 3), "ce-")) ||
           std::ranges::any_of(
               ours, [&](auto written) { return http::equal_ignoring_case(name, written); });
  }

  std::optional<api::Problem> read_settings(std::string_view json,
                                            Webhook& webhook) const override {
    Settings settings = Settings::of(webhook);
    if (auto problem = settings.merge(json)) return problem;
    webhook.settings.clear();
    JsonWriter writer{webhook.settings};
    settings.write(writer);
    return std::nullopt;
  }

  void write_settings(JsonWriter& json, const Webhook& webhook) const override {
    Settings::of(webhook).write(json);
  }

  std::unique_ptr<Renderer> make_renderer(const Webhook& webhook) const override {
    return cloudevents::make_renderer(webhook);
  }

  /// HTTP webhook binding, 2.2: 415 says that the format is not understood, and it stays the same.
  bool retries_status(uint16_t http_status) const override { return http_status != 415; }

  bool asks_first(const Webhook& webhook) const override { return Settings::of(webhook).handshake; }
};

}  // namespace

const Dialect& dialect() {
  static const CloudEvents dialect;
  return dialect;
}

}  // namespace ringpost::dialect::cloudevents
