#include "dialect/bitrise/bitrise.h"

#include "api/json_body.h"
#include "base/json_writer.h"
#include "crypto/hex.h"
#include "crypto/hmac.h"
#include "dialect/bitrise/api.h"
#include "dialect/bitrise/groups.h"
#include "dialect/dialect.h"
#include "dialect/head.h"
#include "http/syntax.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <variant>

namespace ringpost::dialect::bitrise {
namespace {

using subscription::Webhook;

constexpr std::string_view app_kind = "app/";

/// The app slug of a source: `app/<slug>` names it; any other source stands for itself.
std::string_view app_slug(std::string_view source) {
  return source.starts_with(app_kind) ? source.substr(app_kind.size()) : source;
}

constexpr std::string_view signature_header = "Bitrise-Hook-Signature";

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
      head.append(signature_header).append(": sha256=");
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
           http::equal_ignoring_case(name, signature_header);
  }

  std::string object_to_event(std::string_view pattern) const override {
    return object_to_type(pattern);
  }
  std::string object_to_source(std::string_view pattern) const override {
    if (!pattern.starts_with(app_kind) || pattern == "app/*" || is_slug(app_slug(pattern))) {
      return {};
    }
    return "must name an app by its slug: \"app/\" and 1 to 64 letters, digits, \"-\" and \"_\"";
  }

  /// `{"events": ["build"]}`: groups instead of the types that `events` of the native API names.
  std::optional<api::Problem> read_settings(std::string_view json,
                                            Webhook& webhook) const override {
    api::JsonBody body;
    if (auto problem = body.parse(json)) return problem;
    Settings settings = bitrise::read_settings(webhook);
    for (const auto [name, value] : body.root()) {
      const std::string member = "settings." + std::string{name};
      std::optional<api::Problem> problem;
      if (name == "events") {
        problem = read_groups(value, member, settings.groups);
        if (!problem) webhook.events = types_of(settings.groups);
      } else if (name == "registered_by_addon") {
        problem = api::read(value, member, settings.registered_by_addon);
      } else {
        problem = api::invalid(member, "is not a setting of this dialect");
      }
      if (problem) return problem;
    }
    bitrise::write_settings(settings, webhook);
    return std::nullopt;
  }

  void write_settings(JsonWriter& json, const Webhook& webhook) const override {
    json.begin_object();
    const auto groups = groups_of(webhook);
    if (!groups.empty() && types_of(groups) == webhook.events) {
      json.key("events").begin_array();
      for (const std::string& group : groups) json.value(group);
      json.end_array();
    }
    json.member("registered_by_addon", bitrise::read_settings(webhook).registered_by_addon)
        .end_object();
  }

  std::unique_ptr<Renderer> make_renderer(const Webhook& webhook) const override {
    return std::make_unique<BitriseRenderer>(webhook);
  }

  /// Receivers look the app up by the header Bitrise-App-Id and answer 404 where there is none of
  /// that slug, so the ping speaks of the webhook's own app. Its type is none that starts anything.
  std::variant<Ping, std::string> ping(const Webhook& webhook, std::string_view) const override {
    const auto app = std::ranges::find_if(webhook.sources, [](std::string_view source) {
      return source.starts_with(app_kind) && is_slug(app_slug(source));
    });
    if (app == webhook.sources.end()) {
      return "A ping names an app, and this webhook's sources name none: send an event of one of "
             "its apps instead, for example with `ringpost send`.";
    }
    Ping ping{.source = *app};
    JsonWriter json{ping.data};
    json.begin_object().member("app_slug", app_slug(*app)).end_object();
    return ping;
  }

  ExampleEvent example_event() const override { return {"build/finished", "app/c0ffee1234abcd56"}; }
  bool verifies() const override { return true; }

  /// Signs no time: a request that was recorded verifies for ever.
  Verdict verify(const Received& received, std::string_view secret,
                 const Freshness&) const override {
    if (!received.has_header(signature_header)) {
      return not_signed("there is no Bitrise-Hook-Signature");
    }
    const std::string_view signature = received.header(signature_header);
    if (signature.empty()) {
      return refuted("Bitrise-Hook-Signature is empty, or appears more than once");
    }
    std::string wanted{signature.substr(0, signature.find('=') + 1)};
    if (wanted == "sha256=") {
      const crypto::HmacSha256Key key{as_bytes(secret)};
      crypto::append_hex(wanted, crypto::bytes_of(key.sign(received.body)));
    } else if (wanted == "sha1=") {  // Sent or planned once; never by us.
      const auto digest = crypto::hmac_sha1(as_bytes(secret), received.body);
      crypto::append_hex(wanted, std::as_bytes(std::span{digest}));
    } else {
      return refuted("Bitrise-Hook-Signature begins with neither \"sha256=\" nor \"sha1=\"");
    }
    if (crypto::constant_time_equal(as_bytes(signature), as_bytes(wanted))) return {};
    return refuted("the signature does not fit body and secret");
  }

  /// A build's own branch, not the one that a pull request goes to. A tag has an empty one: it is
  /// of no branch.
  std::optional<subscription::EventFacts::RoutingPaths> routing(
      std::string_view type) const override {
    static const json::Path branch = json::Path::constant("git.src_branch");
    if (!is_build_type(type)) return std::nullopt;
    return subscription::EventFacts::RoutingPaths{.branch = &branch};
  }

  std::span<const api::Route> routes() const override { return bitrise::routes(); }
  bool owns_path(std::string_view path) const override { return path.starts_with("/v0.1/"); }
  bool takes_bare_token() const override { return true; }
  http::Response refuse(const api::Problem& problem) const override {
    return bitrise::refuse(problem);
  }
  api::Answer handle(const api::Route& route, const api::Call& call,
                     api::Management& management) const override {
    return bitrise::handle(route, call, management);
  }
  std::string group(const Webhook& webhook) const override { return std::string{app_of(webhook)}; }
};

}  // namespace

const Dialect& dialect() {
  static const Bitrise dialect;
  return dialect;
}

}  // namespace ringpost::dialect::bitrise
