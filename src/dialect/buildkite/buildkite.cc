#include "dialect/buildkite/buildkite.h"

#include "api/json_body.h"
#include "base/json_writer.h"
#include "crypto/random.h"
#include "dialect/buildkite/events.h"
#include "dialect/buildkite/ping.h"
#include "dialect/buildkite/renderer.h"
#include "dialect/buildkite/rule.h"
#include "dialect/buildkite/service_fields.h"
#include "dialect/buildkite/services.h"
#include "dialect/buildkite/settings.h"
#include "dialect/content.h"
#include "dialect/dialect.h"

#include <chrono>
#include <utility>

namespace ringpost::dialect::buildkite {
namespace {

using api::Problem;
using subscription::EventFacts;
using subscription::EventRule;
using subscription::Webhook;

/// With the scope that a filter of the webhook is, if it is one: what filters is seen.
Settings shown_settings(const Webhook& webhook) {
  Settings settings = settings_of(webhook).value_or(Settings{});
  if (auto filter_scope = filter_scope_of(webhook, settings)) {
    settings.scope = filter_scope->scope;
    settings.scope_ids = std::move(filter_scope->ids);
  }
  return settings;
}

class Buildkite final : public Dialect {
 public:
  std::string_view name() const override { return "buildkite"; }

  Webhook defaults() const override { return default_webhook(); }

  std::string mint_secret() const override { return crypto::token("", 16); }
  std::string_view object_to_secret(std::string_view secret) const override {
    return object_to_token(secret);
  }
  bool writes_header(std::string_view name) const override {
    return Dialect::writes_header(name) || writes_request_header(name);
  }
  std::string object_to_event(std::string_view pattern) const override {
    return object_to_event_name(pattern);
  }

  std::optional<Problem> read_settings(std::string_view json, Webhook& webhook) const override {
    api::JsonBody body;
    if (auto problem = body.parse(json)) return problem;
    const Settings before = settings_of(webhook).value_or(Settings{});
    const Settings shown = shown_settings(webhook);
    Settings settings = shown;
    std::string_view scope;
    const bool names_scope = body.root().at_key("scope").get(scope) == simdjson::SUCCESS;
    if (names_scope && scope != buildkite::name(shown.scope)) settings.scope_ids = before.scope_ids;
    if (auto problem = buildkite::read_settings(body.root(), settings)) return problem;
    if (settings.scope == shown.scope && settings.scope_ids == shown.scope_ids) {
      settings.scope = before.scope;  // As a filter says it: that stays the one to say it.
      settings.scope_ids = before.scope_ids;
    }
    // Where the scope is not of projects, or the same as before, sources stay what the user says.
    const bool of_projects =
        settings.scope == Scope::some_projects || before.scope == Scope::some_projects;
    if (of_projects && (settings.scope != before.scope || settings.scope_ids != before.scope_ids)) {
      webhook.sources = sources_of(settings, webhook.events);
    }
    webhook.settings = to_text(settings);
    return std::nullopt;
  }
  void note_maker(const subscription::Token& maker, Webhook& webhook) const override {
    auto settings = settings_of(webhook);
    if (!settings || settings->creator) return;  // Or another one is named.
    settings->creator = creator_of(maker);
    webhook.settings = to_text(*settings);
  }
  void take_sources(std::string_view json, const subscription::Token& by,
                    Webhook& webhook) const override {
    api::JsonBody body;
    auto settings = settings_of(webhook);
    if (!settings || body.parse(json)) return;
    simdjson::dom::element scope;
    for (const char* member : {"scope", "scope_uuids"}) {  // What is said so decides.
      if (body.root().at_key(member).get(scope) == simdjson::SUCCESS) return;
    }
    buildkite::take_sources(by, *settings, webhook);
    webhook.settings = to_text(*settings);
  }
  void write_settings(JsonWriter& json, const Webhook& webhook) const override {
    buildkite::write_settings(json, shown_settings(webhook));
  }

  std::unique_ptr<const EventRule> make_rule(const Webhook& webhook) const override {
    return make_scope_rule(webhook);
  }
  std::string why_nothing_matches(const Webhook& webhook) const override {
    return why_scope_matches_nothing(webhook);
  }
  std::optional<EventFacts::RoutingPaths> routing(std::string_view type) const override {
    return routing_of(type);
  }
  void add_aliases(const EventFacts& event, std::vector<std::string>& aliases) const override {
    add_pipeline_names(event, aliases);
  }
  bool is_alias(std::string_view source) const override { return is_pipeline_name(source); }

  std::unique_ptr<Renderer> make_renderer(const Webhook& webhook) const override {
    return make_request_renderer(webhook);
  }
  bool can_send(const journal::EventView& event) const override {
    return event.data.empty() || data_is_object(event);
  }
  bool retries_status(uint16_t status) const override {
    return status == 408 || status == 429 || status >= 500;
  }
  Duration connect_time() const override { return std::chrono::seconds(5); }
  Duration broken_after() const override { return std::chrono::hours(7 * 24); }
  bool pings_changes() const override { return true; }
  std::variant<Ping, std::string> ping(const Webhook& webhook,
                                       std::string_view base_url) const override {
    return Ping{.source = "webhook/" + webhook.id.to_text(), .data = ping_body(webhook, base_url)};
  }

  ExampleEvent example_event() const override { return {"build.finished", "pipeline/app"}; }
  bool verifies() const override { return true; }
  Verdict verify(const Received& received, std::string_view secret,
                 const Freshness& freshness) const override {
    return verify_request(received, secret, freshness);
  }
  std::string_view delivery_of(const Received& received) const override {
    return delivery_of_request(received);
  }

  std::span<const api::Route> routes() const override { return service_routes(); }
  bool owns_path(std::string_view path) const override { return owns_service_path(path); }
  http::Response refuse(const Problem& problem) const override { return refuse_call(problem); }
  std::optional<api::RateLimits> rate_limits() const override {
    return api::RateLimits{.organization_max = 200, .token_max = 50};
  }
  void write_rate(const api::Rate& rate, http::Response& response) const override {
    write_rate_headers(rate, response);
  }
  http::Response refuse_rate(const api::Rate& rate) const override {
    return refuse_over_rate(rate);
  }
  api::Answer handle(const api::Route& route, const api::Call& call,
                     api::Management& management) const override {
    return handle_service(route, call, management);
  }
};

}  // namespace

const Dialect& dialect() {
  static const Buildkite dialect;
  return dialect;
}

}  // namespace ringpost::dialect::buildkite
