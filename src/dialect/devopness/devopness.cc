#include "dialect/devopness/devopness.h"

#include "api/json_body.h"
#include "api/webhook_fields.h"
#include "crypto/random.h"
#include "dialect/devopness/answers.h"
#include "dialect/devopness/api.h"
#include "dialect/devopness/hook.h"
#include "dialect/devopness/hook_reader.h"
#include "dialect/devopness/hook_renderer.h"
#include "dialect/devopness/hook_rule.h"
#include "dialect/devopness/hook_subject.h"
#include "dialect/devopness/hook_writer.h"
#include "dialect/devopness/names.h"
#include "dialect/dialect.h"
#include "json/text.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ringpost::dialect::devopness {
namespace {

using api::invalid;
using api::Problem;
using json::Kind;
using json::Path;
using subscription::EventFacts;
using subscription::Webhook;

constexpr size_t secret_characters = 40;

/// The members of the native API's `settings`; the order is that of write_settings.
constexpr std::array<std::string_view, 16> settings_members{
    "type",           "active",          "target_url",       "action_type",
    "pipeline_id",    "resource_type",   "resource_id",      "project_id",
    "environment_id", "requires_secret", "secret_algorithm", "secret_header_name",
    "variables",      "request_headers", "request_body",     "created_by"};

bool is_settings_member(std::string_view name) {
  return name == "trigger_when" ||
         std::ranges::find(settings_members, name) != settings_members.end();
}

/// `settings.` before what a Problem blames.
Problem in_settings(Problem problem) {
  problem.member = problem.member.empty() ? "settings" : "settings." + problem.member;
  return problem;
}

/// Reads `type`, which decides how the rest is read. It cannot change.
std::optional<Problem> read_type(simdjson::dom::object settings, const Webhook& webhook,
                                 Hook& hook) {
  simdjson::dom::element value;
  if (settings.at_key("type").get(value) != simdjson::SUCCESS) return std::nullopt;
  std::string type;
  if (auto problem = api::read(value, "type", 8, type)) return problem;
  if (type != "in" && type != "out") return invalid("type", "must be in or out");
  const bool incoming = type == "in";
  if (!webhook.settings.empty() && incoming != hook.incoming) {
    return invalid("type", "cannot be changed");
  }
  hook.incoming = incoming;
  return std::nullopt;
}

bool same_endpoint(const subscription::Destination& left, const subscription::Destination& right) {
  return left.tls == right.tls && left.host == right.host && left.port == right.port;
}

bool is_action(std::string_view type) {
  return type.starts_with("action.");
}

/// Whether settings say whose the hook is.
bool names_subject(simdjson::dom::object settings) {
  for (const auto [name, value] : settings) {
    if (name == "pipeline_id" || name == "resource_type" || name == "resource_id") return true;
  }
  return false;
}

/// The whole number at a path, in plain digits.
std::optional<std::string> number_at(json::Document& data, const Path& path) {
  const json::Found found = data.find(path);
  if (found.kind != Kind::integer && found.kind != Kind::number) return std::nullopt;
  return json::whole_number(found.text);
}

class Devopness final : public Dialect {
 public:
  std::string_view name() const override { return "devopness"; }

  /// Ten seconds for the whole exchange; attempts after 10, 60 and 300 s.
  Webhook defaults() const override {
    Webhook webhook;
    webhook.dialect = name();
    webhook.timeout_ms = 10'000;
    webhook.schedule_s = {10, 60, 300};
    webhook.events = {"action.*"};
    return webhook;
  }

  std::string mint_secret() const override {
    constexpr std::string_view letters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    constexpr size_t fair = 256 - 256 % letters.size();  // Beyond, some letters came more often.
    std::string secret;
    while (secret.size() < secret_characters) {
      std::array<std::byte, secret_characters> bytes{};
      crypto::fill(bytes);
      for (const std::byte byte : bytes) {
        const auto value = std::to_integer<size_t>(byte);
        if (value < fair && secret.size() < secret_characters) {
          secret += letters[value % letters.size()];
        }
      }
    }
    return secret;
  }

  /// `{{ hook.secret }}` can stand in a header.
  std::string_view object_to_secret(std::string_view secret) const override {
    const bool visible =
        std::ranges::all_of(secret, [](char byte) { return byte > 0x20 && byte < 0x7F; });
    return visible ? std::string_view{} : "must be of visible ASCII characters";
  }

  /// Nothing but what frames the message: what we write, a hook may write as well.
  bool writes_header(std::string_view) const override { return false; }

  /// Of its `action.…` events, which one a hook gets is decided by the status in the data.
  std::string object_to_event(std::string_view pattern) const override {
    if (pattern == "*" || (is_action(pattern) && pattern != action_created)) return {};
    return "matches nothing that a hook is sent for: leave it out, or take \"action.*\", and "
           "choose by settings.trigger_when.events among " +
           list_of(event_names);
  }
  std::string object_to_source(std::string_view pattern) const override {
    const bool open = pattern == "pipeline/*" || pattern == "resource/*";
    if (open || !is_alias(pattern) || subject_of(pattern)) return {};
    if (pattern.starts_with("pipeline/")) return "must name a pipeline by its number: pipeline/33";
    return "must name a resource as resource/TYPE/ID, ID being a number and TYPE one of " +
           list_of(resource_types);
  }

  std::string object_to_native_url(std::string_view url) const override {
    if (!url.contains("{{")) return {};
    return "is fixed text: give the URL with its {{ … }} as settings.target_url, and here what "
           "stands before them, such as https://ci.example.org/";
  }

  std::optional<Problem> read_settings(std::string_view text, Webhook& webhook) const override {
    const std::vector<std::string> sources_before = own_sources(webhook);
    Hook hook = hook_of(webhook);
    api::JsonBody body;
    if (auto problem = body.parse(text)) return in_settings(std::move(*problem));
    for (const auto [name, value] : body.root()) {
      if (!is_settings_member(name)) {
        return in_settings(invalid(name, "is not a member of a hook's settings"));
      }
    }
    if (auto problem = read_type(body.root(), webhook, hook)) return in_settings(*problem);
    const Hook before = hook;
    std::string shown;
    if (!webhook.settings.empty()) {
      JsonWriter json{shown};
      devopness::write_settings(json, hook, Credentials::starred);
    }
    if (auto problem = read_hook(text, Layout::flat, hook, shown)) return in_settings(*problem);
    if (!webhook.settings.empty() && hook == before) return std::nullopt;
    if (auto problem = restore_credentials(before, Layout::flat, hook)) {
      return in_settings(*problem);
    }
    if (!hook.incoming && hook.target_url.empty()) {
      hook.target_url = api::plain_url(webhook.destination);
    }
    const subscription::Destination given = webhook.destination;
    std::vector<std::string> sources = webhook.sources;
    if (auto problem = apply(hook, Layout::flat, webhook)) return in_settings(*problem);
    if (!hook.incoming && !same_endpoint(given, webhook.destination)) {
      return in_settings(invalid("target_url", "must have the scheme, host and port of url"));
    }
    if (api::same_destination(given, webhook.destination)) webhook.destination.url = given.url;
    if (!names_subject(body.root())) {
      webhook.sources = std::move(sources);  // As they are, or were said beside the settings.
    } else if (sources != webhook.sources && sources != sources_before) {
      return invalid("sources", "does not match settings, which imply " + webhook.sources.front() +
                                    "; give only one of the two");
    }
    return std::nullopt;
  }

  void note_maker(const subscription::Token& maker, Webhook& webhook) const override {
    Hook hook = hook_of(webhook);
    if (hook.made_by) return;  // Or another one is named.
    hook.made_by = Maker{.id = maker.id, .name = maker.name};
    webhook.settings.clear();
    JsonWriter json{webhook.settings};
    devopness::write_settings(json, hook, Credentials::shown);
  }

  void write_settings(JsonWriter& json, const Webhook& webhook) const override {
    devopness::write_settings(json, hook_of(webhook), Credentials::starred);
  }

  std::unique_ptr<const subscription::EventRule> make_rule(const Webhook& webhook) const override {
    return make_hook_rule(webhook);
  }

  std::string why_nothing_matches(const Webhook& webhook) const override {
    return why_no_action_matches(webhook);
  }

  /// A deployment's source, which is a branch more often than a tag or a commit.
  std::optional<EventFacts::RoutingPaths> routing(std::string_view type) const override {
    static const Path branch = Path::constant("action.action_data.deployment.source_ref");
    if (!is_action(type)) return std::nullopt;
    return EventFacts::RoutingPaths{.branch = &branch};
  }

  void add_aliases(const EventFacts& event, std::vector<std::string>& aliases) const override {
    static const Path pipeline = Path::constant("action.pipeline_id");
    static const Path type = Path::constant("action.resource.type");
    static const Path id = Path::constant("action.resource.id");
    if (!is_action(event.type())) return;
    json::Document& data = event.data();
    if (const auto number = number_at(data, pipeline)) aliases.push_back("pipeline/" + *number);
    const std::string resource{data.find(type).text};
    const auto number = number_at(data, id);
    if (number && !resource.empty()) aliases.push_back("resource/" + resource + "/" + *number);
  }
  bool is_alias(std::string_view source) const override {
    return source.starts_with("pipeline/") || source.starts_with("resource/");
  }

  std::unique_ptr<Renderer> make_renderer(const Webhook& webhook) const override {
    return make_hook_renderer(webhook);
  }

  /// A request of a hook does what its author wrote, at a git host for example, and there is no
  /// action to fill it from.
  std::variant<Ping, std::string> ping(const Webhook& webhook, std::string_view) const override {
    if (is_incoming(webhook)) return "This hook takes calls and sends nothing.";
    return "A hook's request is filled from an action and has a real effect where it arrives, so "
           "there is no ping: send an action of your own to try it out, for example with "
           "`ringpost send`.";
  }

  ExampleEvent example_event() const override { return {"action.completed", "pipeline/33"}; }

  bool retries_status(uint16_t status) const override {
    return status == 408 || status == 429 || status >= 500;
  }

  std::span<const api::Route> routes() const override { return devopness::routes(); }
  bool owns_path(std::string_view path) const override { return devopness::owns_path(path); }
  http::Response refuse(const Problem& problem) const override { return refusal_response(problem); }

  api::Answer handle(const api::Route& route, const api::Call& call,
                     api::Management& management) const override {
    return devopness::handle(route, call, management);
  }

  std::vector<std::string> groups(const Webhook& webhook) const override {
    const Hook hook = hook_of(webhook);
    std::vector<std::string> groups;
    if (hook.pipeline_id) groups.push_back(pipeline_group(*hook.pipeline_id));
    if (hook.resource_type == "application" && hook.resource_id != 0) {
      groups.push_back(application_group(hook.resource_id));
    }
    return groups;
  }

  bool takes_calls(const Webhook& webhook) const override { return is_incoming(webhook); }
};

}  // namespace

const Dialect& dialect() {
  static const Devopness dialect;
  return dialect;
}

}  // namespace ringpost::dialect::devopness
