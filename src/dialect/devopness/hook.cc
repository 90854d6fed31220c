#include "dialect/devopness/hook.h"

#include "api/webhook_fields.h"
#include "dialect/devopness/compiled_hook.h"
#include "dialect/devopness/hook_reader.h"
#include "dialect/devopness/hook_subject.h"
#include "dialect/devopness/hook_writer.h"
#include "dialect/devopness/template_compiler.h"
#include "json/document.h"

#include <utility>

namespace ringpost::dialect::devopness {

using api::invalid;
using json::Path;
using subscription::Webhook;

// --- of a webhook --------------------------------------------------------------------------------

namespace {

/// Whether the template's fixed beginning is the destination. It is not once the native API has set
/// another URL.
bool leads_to(const std::string& target_url, const subscription::Destination& destination) {
  const auto roots = roots_for({});
  const auto compiled = TemplateCompiler{roots}.target_url(target_url);
  const auto* url = std::get_if<Template>(&compiled);
  if (url == nullptr) return false;
  const auto beginning = api::read_destination("target_url", url->beginning());
  const auto* read = std::get_if<subscription::Destination>(&beginning);
  return read != nullptr && api::same_destination(*read, destination);
}

/// Makes the hook the one source's. Not if its templates name what that has not: the native API can
/// change the sources alone, and such a hook would never be sent.
void take_subject(const Webhook& webhook, Hook& hook) {
  const std::vector<std::string>& sources = webhook.sources;
  if (sources.size() != 1 || sources.front() == source_of(hook)) return;
  const auto subject = subject_of(sources.front());
  if (!subject) return;
  Hook moved = hook;
  moved.pipeline_id = subject->pipeline_id;
  if (!subject->pipeline_id) {
    moved.resource_type = subject->resource_type;
    moved.resource_id = subject->resource_id;
  }
  const auto compiled = compile(moved, Layout::flat, webhook.headers);
  if (std::holds_alternative<CompiledHook>(compiled)) hook = std::move(moved);
}

}  // namespace

bool is_incoming(const Webhook& webhook) {
  static const Path type = Path::constant("type");
  json::Document document;
  document.assign(webhook.settings);
  return document.find(type).text == "in";
}

Hook hook_of(const Webhook& webhook) {
  Hook hook;
  hook.incoming = is_incoming(webhook);
  // What is stored was written by write_settings.
  static_cast<void>(read_hook(webhook.settings, Layout::flat, hook));
  // The URL as it was read, not as it was spelled: a template is made of it.
  if (!hook.incoming && !leads_to(hook.target_url, webhook.destination)) {
    hook.target_url = api::plain_url(webhook.destination);
  }
  take_subject(webhook, hook);
  return hook;
}

std::vector<std::string> own_sources(const Webhook& webhook) {
  Hook hook;
  static_cast<void>(read_hook(webhook.settings, Layout::flat, hook));
  std::string source = source_of(hook);
  return {source.empty() ? "*" : std::move(source)};
}

// --- into a webhook ------------------------------------------------------------------------------

namespace {

using Outcome = std::optional<api::Problem>;

/// Nothing is ever sent there: the name cannot exist (RFC 6761, 6.4), and the webhook of an
/// incoming hook is never active.
constexpr std::string_view nowhere = "https://incoming.invalid/";

Outcome check_secret_members(const Hook& hook) {
  if (!hook.requires_secret) return std::nullopt;
  if (hook.secret_algorithm.empty()) {
    return invalid("secret_algorithm", "is required with requires_secret: sha256");
  }
  if (hook.secret_header_name.empty()) {
    return invalid("secret_header_name", "is required with requires_secret");
  }
  return std::nullopt;
}

Outcome set_destination(std::string_view url, Webhook& webhook) {
  auto destination = api::read_destination("target_url", url);
  if (auto* problem = std::get_if<api::Problem>(&destination)) return std::move(*problem);
  webhook.destination = std::get<subscription::Destination>(std::move(destination));
  return std::nullopt;
}

}  // namespace

std::optional<api::Problem> apply(const Hook& hook, Layout layout, Webhook& webhook) {
  if (auto problem = check_secret_members(hook)) return problem;
  if (!hook.incoming && hook.target_url.empty()) return invalid("target_url", "is required");
  std::string source = source_of(hook);
  if (hook.incoming && source.empty()) {
    return invalid("pipeline_id", "is required, unless resource_type and resource_id are given");
  }
  const auto compiled = compile(hook, layout, webhook.headers);
  if (const auto* problem = std::get_if<api::Problem>(&compiled)) return *problem;
  const auto& url = std::get<CompiledHook>(compiled).target_url;
  if (auto problem = set_destination(url ? url->beginning() : nowhere, webhook)) return problem;
  webhook.settings.clear();
  JsonWriter json(webhook.settings);
  write_settings(json, hook, Credentials::shown);
  if (webhook.settings.size() > api::webhook_settings_bytes_max) {
    return invalid("settings", "is longer than 65536 bytes");
  }
  static_assert(api::webhook_settings_bytes_max == 65536, "the sentence says so");
  if (!source.empty()) webhook.sources = {std::move(source)};
  if (hook.incoming) {
    webhook.state = subscription::WebhookState::disabled;
    webhook.state_reason = "an incoming hook sends nothing";
    webhook.events.clear();
    webhook.schedule_s.clear();
  }
  return std::nullopt;
}

}  // namespace ringpost::dialect::devopness
