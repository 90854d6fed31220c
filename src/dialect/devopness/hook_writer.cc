#include "dialect/devopness/hook_writer.h"

#include "base/clock.h"

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

void write_headers(JsonWriter& json, const Hook& hook) {
  json.key("request_headers").begin_array();
  for (const auto& [name, value] : hook.request_headers) {
    json.begin_object().member("name", name).member("value", value).end_object();
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
  json.key("trigger_when");
  if (hook.events == 0 && hook.conditions.empty()) {
    json.null();
    return;
  }
  json.begin_object().key("events").begin_array();
  for (const std::string_view event : event_names) {
    if ((hook.events & event_bit(event)) != 0) json.value(event);
  }
  json.end_array().key("conditions");
  json.raw(hook.conditions.empty() ? "[]" : std::string_view{hook.conditions}).end_object();
}

/// The API's `settings`, null if there is nothing in them.
void write_api_settings(JsonWriter& json, const Hook& hook) {
  json.key("settings");
  if (hook.request_headers.empty() && hook.request_body.empty() && hook.variables.empty()) {
    json.null();
    return;
  }
  json.begin_object();
  if (hook.incoming) {
    write_variables(json, hook);
  } else {
    write_headers(json, hook);
    write_body(json, hook);
  }
  json.end_object();
}

void write_secret(JsonWriter& json, const Webhook& webhook, const Hook& hook, Shape shape) {
  json.member("secret", shape == Shape::created ? std::string_view{webhook.secret} : stars);
  write_text(json, "secret_algorithm", hook.secret_algorithm);
  write_text(json, "secret_header_name", hook.secret_header_name);
  json.key("created_by_user").null();
}

}  // namespace

void write_settings(JsonWriter& json, const Hook& hook) {
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
    write_headers(json, hook);
    write_body(json, hook);
  }
  write_trigger_when(json, hook);
  json.end_object();
}

void write_hook(JsonWriter& json, const Webhook& webhook, const Hook& hook, Shape shape,
                std::string_view base_url) {
  const std::string id = webhook.id.to_uuid_text();
  json.begin_object()
      .member("id", id)
      .member("name", webhook.description)
      .member("type", hook.incoming ? "in" : "out");
  write_text(json, "action_type", hook.action_type);
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
  write_text(json, "resource_type", hook.resource_type);
  json.member("resource_id", hook.resource_id);
  write_api_settings(json, hook);
  write_trigger_when(json, hook);
  if (shape != Shape::relation) write_secret(json, webhook, hook, shape);
  json.member("created_at", to_rfc3339(webhook.created_at))
      .member("updated_at", to_rfc3339(webhook.updated_at))
      .end_object();
}

}  // namespace ringpost::dialect::devopness
