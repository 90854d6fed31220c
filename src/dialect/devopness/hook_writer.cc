#include "dialect/devopness/hook_writer.h"

#include "api/webhook_fields.h"
#include "base/clock.h"
#include "dialect/devopness/hook_reader.h"
#include "dialect/devopness/hook_subject.h"
#include "dialect/devopness/template_compiler.h"
#include "dialect/renderer.h"
#include "http/syntax.h"

#include <algorithm>
#include <array>
#include <variant>

namespace ringpost::dialect::devopness {
namespace {

using subscription::Webhook;

void write_text(JsonWriter& json, std::string_view name, std::string_view text) {
  json.key(name);
  if (text.empty()) {
    json.null();
  } else {
    json.value(text);
  }
}

void write_pipeline_id(JsonWriter& json, const Hook& hook) {
  json.key("pipeline_id");
  if (hook.pipeline_id) {
    json.value(*hook.pipeline_id);
  } else {
    json.null();
  }
}

void write_headers(JsonWriter& json, const Hook& hook, Credentials credentials) {
  json.key("request_headers").begin_array();
  for (const auto& [name, value] : hook.request_headers) {
    const bool starred = credentials == Credentials::starred && holds_credential(name, value);
    json.begin_object()
        .member("name", name)
        .member("value", starred ? credential_mask : std::string_view{value})
        .end_object();
  }
  json.end_array();
}

void write_body(JsonWriter& json, const Hook& hook) {
  json.key("request_body");
  json.raw(hook.request_body.empty() ? "null" : std::string_view{hook.request_body});
}

void write_variables(JsonWriter& json, const Hook& hook) {
  json.key("variables").begin_array();
  for (const Variable& variable : hook.variables) {
    json.begin_object().member("name", variable.name);
    if (!variable.path.empty()) json.member("path", variable.path);
    json.member("type", name(variable.type)).member("required", variable.required);
    if (!variable.default_value.empty()) json.key("default_value").raw(variable.default_value);
    json.end_object();
  }
  json.end_array();
}

void write_trigger_when(JsonWriter& json, const Hook& hook) {
  json.key("trigger_when").begin_object().key("events").begin_array();
  for (const std::string_view event : event_names) {
    if ((hook.events & event_bit(event)) != 0) json.value(event);
  }
  json.end_array().key("conditions");
  json.raw(hook.conditions.empty() ? "[]" : std::string_view{hook.conditions}).end_object();
}

/// The API's `settings`, null if there is nothing in them.
void write_api_settings(JsonWriter& json, const Hook& hook, Credentials credentials) {
  json.key("settings");
  if (hook.request_headers.empty() && hook.request_body.empty() && hook.variables.empty()) {
    json.null();
    return;
  }
  json.begin_object();
  if (hook.incoming) {
    write_variables(json, hook);
  } else {
    write_headers(json, hook, credentials);
    write_body(json, hook);
  }
  json.end_object();
}

/// A number that every JSON reader keeps, and that the user of another id hardly has: the id's
/// milliseconds, and five bits of its random ones.
int64_t number_of(const Ulid& id) {
  return static_cast<int64_t>(id.time_ms() << 5 | (id.bytes[9] & 31)) & id_max;
}

/// A token stands for the user. Its address can never be reached (RFC 6761, 6.4), and its name is
/// as long as Devopness wants names.
void write_user(JsonWriter& json, const std::optional<Maker>& maker) {
  constexpr size_t name_characters_min = 3;
  json.key("created_by_user");
  if (!maker) {
    json.null();
    return;
  }
  const bool is_short = count_characters(maker->name) < name_characters_min;
  const std::string id = maker->id.to_uuid_text();
  json.begin_object()
      .member("id", number_of(maker->id))
      .member("name", is_short ? "token " + maker->name : maker->name)
      .member("email", id + "@users.invalid")
      .member("url_slug", id)
      .end_object();
}

void write_secret(JsonWriter& json, const Webhook& webhook, const Hook& hook, Shape shape) {
  const bool shown = shape == Shape::created || shape == Shape::named;
  json.member("secret", shown ? std::string_view{webhook.secret} : credential_mask);
  write_text(json, "secret_algorithm", hook.secret_algorithm);
  write_text(json, "secret_header_name", hook.secret_header_name);
  write_user(json, hook.made_by);
}

/// Whether the hook's own members say which events it gets. All of Devopness' are of one kind.
bool shows_subscription(const Webhook& webhook, const Hook& hook) {
  if (hook.incoming) return true;
  const std::string source = source_of(hook);
  const std::vector<std::string> sources{source.empty() ? "*" : source};
  const auto all_actions = [](std::string_view pattern) {
    return pattern == "*" || pattern == "action.*";
  };
  return webhook.filter.empty() && webhook.sources == sources &&
         std::ranges::any_of(webhook.events, all_actions);
}

}  // namespace

void write_settings(JsonWriter& json, const Hook& hook, Credentials credentials) {
  json.begin_object().member("type", hook.incoming ? "in" : "out");
  if (hook.incoming) json.member("active", hook.takes_calls);
  if (!hook.incoming) write_text(json, "target_url", hook.target_url);
  write_text(json, "action_type", hook.action_type);
  write_pipeline_id(json, hook);
  write_text(json, "resource_type", hook.resource_type);
  json.member("resource_id", hook.resource_id)
      .member("project_id", hook.project_id)
      .member("environment_id", hook.environment_id)
      .member("requires_secret", hook.requires_secret);
  write_text(json, "secret_algorithm", hook.secret_algorithm);
  write_text(json, "secret_header_name", hook.secret_header_name);
  if (hook.incoming) {
    write_variables(json, hook);
  } else {
    write_headers(json, hook, credentials);
    write_body(json, hook);
  }
  write_trigger_when(json, hook);
  if (hook.made_by) {
    json.key("created_by")
        .begin_object()
        .member("id", hook.made_by->id.to_uuid_text())
        .member("name", hook.made_by->name)
        .end_object();
  }
  json.end_object();
}

void write_hook(JsonWriter& json, const Webhook& webhook, const Hook& hook, Shape shape,
                std::string_view base_url) {
  const std::string id = webhook.id.to_uuid_text();
  json.begin_object()
      .member("id", id)
      .member("name", webhook.description)
      .member("type", hook.incoming ? "in" : "out");
  json.member("action_type", hook.action_type.empty() ? action_type_unsaid : hook.action_type);
  std::string url;
  if (hook.incoming) url.append(base_url).append("/hooks/incoming/").append(id);
  write_text(json, "url", url);
  write_text(json, "target_url", hook.target_url);
  json.member("is_auto_generated", false)
      .member("requires_secret", hook.requires_secret)
      .member("verify_ssl", webhook.tls_verify)
      .member("active", hook.incoming ? hook.takes_calls : webhook.active())
      .member("project_id", hook.project_id)
      .member("environment_id", hook.environment_id);
  write_pipeline_id(json, hook);
  json.member("resource_type",
              hook.resource_type.empty() ? resource_type_unsaid : hook.resource_type)
      .member("resource_id", hook.resource_id);
  write_api_settings(json, hook,
                     shape == Shape::created ? Credentials::shown : Credentials::starred);
  write_trigger_when(json, hook);
  if (shape != Shape::relation) write_secret(json, webhook, hook, shape);
  if (!shows_subscription(webhook, hook)) api::write_extension(json, webhook);
  json.member("created_at", to_rfc3339(webhook.created_at))
      .member("updated_at", to_rfc3339(webhook.updated_at))
      .end_object();
}

bool holds_credential(std::string_view name, std::string_view value) {
  constexpr std::array<std::string_view, 3> schemes{"bearer", "basic", "token"};
  if (!names_a_credential(name)) return false;
  const auto roots = roots_for({});
  const auto compiled = TemplateCompiler{roots}.header(value);
  const auto* parts = std::get_if<Template>(&compiled);
  if (parts == nullptr || parts->expansions_count() == 0) return true;
  const std::string_view behind = parts->fixed_text().substr(parts->beginning().size());
  const std::string_view scheme = http::trim(parts->beginning());
  const bool known = scheme.empty() || std::ranges::any_of(schemes, [&](std::string_view one) {
                       return http::equal_ignoring_case(scheme, one);
                     });
  return !known || !http::trim(behind).empty();
}

std::optional<api::Problem> restore_credentials(const Hook& before, Layout layout, Hook& hook) {
  api::Headers stored = before.request_headers;
  size_t index = 0;
  for (auto& [name, value] : hook.request_headers) {
    if (value == credential_mask && names_a_credential(name)) {
      const auto found = api::find_header(stored, name);
      if (found == stored.end()) {
        const std::string list =
            layout == Layout::api ? "settings.request_headers." : "request_headers.";
        return api::invalid(list + std::to_string(index) + ".value",
                            "is the placeholder for a hidden value; send the real value");
      }
      value = found->second;
    }
    ++index;
  }
  return std::nullopt;
}

}  // namespace ringpost::dialect::devopness
