#include "dialect/buildkite/service_fields.h"

#include "api/json_body.h"
#include "api/sentence.h"
#include "api/webhook_fields.h"
#include "base/json_writer.h"
#include "dialect/buildkite/events.h"
#include "dialect/buildkite/ping.h"
#include "dialect/buildkite/settings.h"
#include "subscription/branch_patterns.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ringpost::dialect::buildkite {

namespace dom = simdjson::dom;
using api::invalid;
using api::Problem;
using subscription::Webhook;
using subscription::WebhookState;

namespace {

constexpr std::string_view provider_id = "webhook";
constexpr std::string_view provider_name = "Webhook";
constexpr uint32_t version = 3;
/// Seconds before attempts 2 to 5, which so begin 10, 60, 300 and 1800 s after the first.
constexpr std::array<uint32_t, 4> schedule_s{10, 50, 240, 1500};
constexpr uint32_t timeout_ms = 10'000;  // Five seconds to connect, five for the answer.

/// The names among `events` that Buildkite knows. The native API may have said it with stars.
std::vector<std::string_view> names_of(const std::vector<std::string>& events) {
  std::vector<std::string_view> names;
  for (const std::string& pattern : events) {
    for (const std::string_view name : event_names()) {
      if (subscription::event_matches(pattern, name) &&
          std::ranges::find(names, name) == names.end()) {
        names.push_back(name);
      }
    }
  }
  return names;
}

}  // namespace

Webhook default_webhook() {
  Webhook webhook;
  webhook.dialect = "buildkite";
  webhook.schedule_s.assign(schedule_s.begin(), schedule_s.end());
  webhook.timeout_ms = timeout_ms;
  return webhook;
}

std::string_view object_to_token(std::string_view token) {
  const bool visible =
      std::ranges::all_of(token, [](char byte) { return byte > 0x20 && byte < 0x7F; });
  return visible ? std::string_view{} : "must hold visible ASCII characters only, and no spaces";
}

std::string to_milliseconds(WallTime time) {
  constexpr size_t digits_dropped = 4;  // Three of six, and the Z.
  std::string text = to_rfc3339(time);
  text.resize(text.size() - digits_dropped);
  return text + "Z";
}

// --- writing -------------------------------------------------------------------------------------

namespace {

void write_provider(JsonWriter& json) {
  json.key("provider").begin_object();
  json.member("id", provider_id).member("name", provider_name).end_object();
}

void write_webhook_settings(JsonWriter& json, const Webhook& webhook, const Settings& settings) {
  json.key("settings").begin_object().member("url", webhook.destination.url);
  json.member("version", version).member("token", webhook.secret);
  json.member("token_mode", name(settings.token_mode)).key("events").begin_array();
  for (const std::string_view event : names_of(webhook.events)) json.value(event);
  json.end_array().member("tls_verify", webhook.tls_verify).end_object();
}

/// A token stands for the user. It has neither address nor picture: what stands here as such can
/// never be reached (RFC 6761, 6.4).
void write_creator(JsonWriter& json, const std::optional<Creator>& creator) {
  json.key("created_by");
  if (!creator) {
    json.null();
    return;
  }
  const std::string id = creator->id.to_uuid_text();
  json.begin_object().member("id", id).member("graphql_id", graphql_id("User", id));
  json.member("name", creator->name).member("email", id + "@users.invalid");
  json.member("avatar_url", "https://users.invalid/" + id);
  json.member("created_at", to_milliseconds(creator->created_at)).end_object();
}

/// @param said_empty  whether an empty text was given, or none at all.
void write_text(JsonWriter& json, std::string_view name, const std::string& text, bool said_empty) {
  json.key(name);
  if (text.empty() && !said_empty) {
    json.null();
  } else {
    json.value(text);
  }
}

void write_scope(JsonWriter& json, const FilterScope& scope) {
  json.member("scope", name(scope.scope)).key("scope_uuids").begin_array();
  for (const Ulid& id : scope.ids) json.value(id.to_given_uuid_text());
  json.end_array();
}

void write_build_states(JsonWriter& json, const Settings& settings) {
  json.key("build_states").begin_object();
  for (size_t index = 0; index < build_state_names.size(); ++index) {
    json.member(build_state_names[index], settings.build_states[index]);
  }
  json.end_object();
}

bool filters_by_group(const Webhook& webhook) {
  return !webhook.filter.teams.empty() || !webhook.filter.clusters.empty();
}

/// Whether Buildkite's own members say which events the webhook gets.
bool shows_subscription(const Webhook& webhook, const Settings& settings) {
  if (filters_by_group(webhook) && !filter_scope_of(webhook, settings)) return false;
  return webhook.sources == sources_of(settings, webhook.events);
}

/// The scope that is shown. It never says that the webhook gets events which it does not get: what
/// no scope says is shown as one without UUIDs, which gets nothing, and whole in the extension.
FilterScope shown_scope_of(const Webhook& webhook, const Settings& settings) {
  if (shows_subscription(webhook, settings)) {
    auto filter_scope = filter_scope_of(webhook, settings);
    return filter_scope ? *std::move(filter_scope)
                        : FilterScope{settings.scope, settings.scope_ids};
  }
  if (settings.scope != Scope::all) {
    return {settings.scope, filters_by_group(webhook) ? std::vector<Ulid>{} : settings.scope_ids};
  }
  if (!filters_by_group(webhook)) return {Scope::some_projects, {}};
  return {webhook.filter.teams.empty() ? Scope::some_clusters : Scope::some_teams, {}};
}

}  // namespace

void write_service(JsonWriter& json, const Webhook& webhook, std::string_view base_url) {
  const Settings settings = settings_of(webhook).value_or(Settings{});
  const std::string id = webhook.id.to_uuid_text();
  json.begin_object().member("id", id).key("graphql_id").null();
  json.member("url", organization_url(base_url, webhook.organization) + "/services/" + id);
  write_provider(json);
  write_text(json, "description", webhook.description, settings.empty_description);
  // A broken webhook is stopped, and still enabled.
  json.member("enabled", webhook.state != WebhookState::disabled);
  write_scope(json, shown_scope_of(webhook, settings));
  write_text(json, "branch_configuration", webhook.filter.branches, settings.empty_branches);
  write_build_states(json, settings);
  write_webhook_settings(json, webhook, settings);
  json.member("created_at", to_milliseconds(webhook.created_at));
  write_creator(json, settings.creator);
  if (!shows_subscription(webhook, settings)) api::write_extension(json, webhook);
  json.end_object();
}

// --- reading -------------------------------------------------------------------------------------

namespace {

/// One reading of a body: what it changes, and what was wrong so far.
struct Reading {
  Webhook& webhook;
  Settings settings;
  const api::Management& management;
  std::vector<FieldError> errors{};
  bool names_scope = false;
  bool names_scope_ids = false;

  void add(std::string_view field, std::string_view code, std::string_view message) {
    errors.push_back({std::string{field}, std::string{code}, invalid(field, message).sentence()});
  }
  void add(const std::optional<Problem>& problem) {
    if (problem) errors.push_back({problem->member, "invalid", api::full_sentence(*problem)});
  }
};

void read_description(Reading& reading, dom::element value) {
  std::string& text = reading.webhook.description;
  reading.add(api::read(value, "description", api::webhook_text_bytes_max, text));
  reading.settings.empty_description = text.empty();
}

void clear_description(Reading& reading) {
  reading.webhook.description.clear();
  reading.settings.empty_description = false;
}

/// `"webhook"`, or the object that a GET shows.
void read_provider(Reading& reading, dom::element value) {
  std::string_view id;
  dom::object object;
  if (value.get(object) == simdjson::SUCCESS) {
    for (const auto [name, part] : object) {
      std::string_view text;
      const bool known = name == "id" || (name == "name" && part.get(text) == simdjson::SUCCESS &&
                                          text == provider_name);
      if (!known) {
        reading.add("provider." + std::string{name}, "invalid", "is not what the provider has");
      }
    }
    if (object.at_key("id").get(id) != simdjson::SUCCESS) id = {};
  } else if (value.get(id) != simdjson::SUCCESS) {
    id = {};
  }
  if (id != provider_id) {
    reading.add("provider", "invalid", "must be \"webhook\", the only provider here");
  }
}

void read_service_scope(Reading& reading, dom::element value) {
  reading.names_scope = true;
  reading.add(read_scope(value, "scope", reading.settings));
}

void read_service_scope_ids(Reading& reading, dom::element value) {
  reading.names_scope_ids = true;
  reading.add(read_scope_ids(value, "scope_uuids", reading.settings));
}

void clear_scope(Reading& reading) {
  reading.names_scope = true;
  reading.settings.scope = Scope::all;
}

void clear_scope_ids(Reading& reading) {
  reading.names_scope_ids = true;
  reading.settings.scope_ids.clear();
}

void read_branches(Reading& reading, dom::element value) {
  constexpr std::string_view member = "branch_configuration";
  std::string text;
  if (auto problem = api::read(value, member, subscription::BranchPatterns::bytes_max, text)) {
    return reading.add(problem);
  }
  const auto objection = subscription::BranchPatterns::object_to(text);
  if (!objection.empty()) return reading.add(member, "invalid", objection);
  reading.settings.empty_branches = text.empty();
  reading.webhook.filter.branches = std::move(text);
}

void clear_branches(Reading& reading) {
  reading.webhook.filter.branches.clear();
  reading.settings.empty_branches = false;
}

void read_states(Reading& reading, dom::element value) {
  reading.add(read_build_states(value, "build_states", reading.settings));
}

void clear_states(Reading& reading) {
  reading.settings.build_states = {};
}

void read_url(Reading& reading, dom::element value) {
  constexpr std::string_view member = "settings.url";
  std::string text;
  if (auto problem = api::read(value, member, api::webhook_url_bytes_max, text)) {
    return reading.add(problem);
  }
  auto parsed = api::read_destination(member, text);
  if (auto* problem = std::get_if<Problem>(&parsed)) return reading.add(*problem);
  auto& destination = std::get<subscription::Destination>(parsed);
  if (!api::same_destination(destination, reading.webhook.destination)) {
    if (const auto denied = reading.management.object_to_destination(destination)) {
      return reading.add(member, "invalid", *denied);
    }
  }
  reading.webhook.destination = std::move(destination);
}

void read_token(Reading& reading, dom::element value) {
  constexpr std::string_view member = "settings.token";
  std::string token;
  if (auto problem = api::read(value, member, api::webhook_secret_bytes_max, token)) {
    return reading.add(problem);
  }
  if (token.empty()) return reading.add(member, "invalid", "is empty; leave it out instead");
  if (const auto objection = object_to_token(token); !objection.empty()) {
    return reading.add(member, "invalid", objection);
  }
  reading.webhook.secret = std::move(token);
}

void read_mode(Reading& reading, dom::element value) {
  reading.add(read_token_mode(value, "settings.token_mode", reading.settings));
}

void read_events(Reading& reading, dom::element value) {
  constexpr std::string_view member = "settings.events";
  dom::array entries;
  if (auto problem = api::read_array(value, member, api::webhook_patterns_max, entries)) {
    return reading.add(problem);
  }
  std::vector<std::string> events;
  size_t index = 0;
  for (const dom::element entry : entries) {
    std::string_view name;
    const std::string place = std::string{member} + "[" + std::to_string(index++) + "]";
    if (entry.get(name) != simdjson::SUCCESS || !is_event_name(name)) {
      reading.add(place, "invalid", "is not the name of an event");
    } else if (std::ranges::find(events, name) == events.end()) {
      events.emplace_back(name);
    }
  }
  reading.webhook.events = std::move(events);
}

void read_tls_verify(Reading& reading, dom::element value) {
  reading.add(api::read(value, "settings.tls_verify", reading.webhook.tls_verify));
}

void read_version(Reading& reading, dom::element value) {
  uint64_t number = 0;
  if (!value.is_uint64() || value.get(number) != simdjson::SUCCESS || number != version) {
    reading.add("settings.version", "invalid", "must be 3, the only version here");
  }
}

/// How a member is read, and what null does to it (nothing: null is not taken).
struct Field {
  std::string_view name;
  void (*read)(Reading&, dom::element);
  void (*clear)(Reading&) = nullptr;
};

constexpr std::array setting_fields{
    Field{"url", read_url},
    // A webhook always has one: null leaves it to the relay, which keeps what there is.
    Field{"token", read_token, [](Reading&) {}},
    Field{"token_mode", read_mode,
          [](Reading& reading) { reading.settings.token_mode = TokenMode::token; }},
    Field{"events", read_events, [](Reading& reading) { reading.webhook.events.clear(); }},
    Field{"tls_verify", read_tls_verify,
          [](Reading& reading) { reading.webhook.tls_verify = true; }},
    Field{"version", read_version, [](Reading&) {}}};

void read_field(Reading& reading, const Field& field, std::string_view place, dom::element value) {
  if (!value.is_null()) return field.read(reading, value);
  if (field.clear == nullptr) return reading.add(place, "invalid", "must not be null");
  field.clear(reading);
}

/// The member as a GET shows it now, if it says the same as `value`: then nobody wants it changed,
/// also where Buildkite's members say less than the webhook is, or where what is there would not be
/// taken today.
bool repeats(std::optional<dom::object> shown, std::string_view name, dom::element value) {
  dom::element present;
  return shown && shown->at_key(name).get(present) == simdjson::SUCCESS &&
         api::equal_values(value, present);
}

void read_webhook_settings(Reading& reading, std::optional<dom::object> shown, dom::element value) {
  if (value.is_null()) return;  // None of them is set.
  dom::object object;
  if (auto problem = api::read_object(value, "settings", object)) return reading.add(problem);
  std::optional<dom::object> shown_settings;
  if (shown) shown_settings = shown->at_key("settings").get_object().value_unsafe();
  for (const auto [name, part] : object) {
    if (repeats(shown_settings, name, part)) continue;
    const std::string place = "settings." + std::string{name};
    const auto field = std::ranges::find(setting_fields, name, &Field::name);
    if (field != setting_fields.end()) {
      read_field(reading, *field, place, part);
    } else {
      reading.add(place, "unknown_field", "is not a setting of a webhook");
    }
  }
}

constexpr std::array fields{
    Field{"provider", read_provider, [](Reading&) {}},  // There is one: null leaves it.
    Field{"description", read_description, clear_description},
    Field{"scope", read_service_scope, clear_scope},
    Field{"scope_uuids", read_service_scope_ids, clear_scope_ids},
    Field{"branch_configuration", read_branches, clear_branches},
    Field{"build_states", read_states, clear_states},
};

constexpr std::array<std::string_view, 7> read_only_fields{
    "id", "graphql_id", "url", "enabled", "created_at", "created_by", api::extension_member};

void read_member(Reading& reading, std::string_view name, dom::element value) {
  const auto field = std::ranges::find(fields, name, &Field::name);
  if (field != fields.end()) return read_field(reading, *field, name, value);
  if (std::ranges::find(read_only_fields, name) == read_only_fields.end()) {
    return reading.add(name, "unknown_field", "is not a member of a service");
  }
  bool enabled = false;
  const bool is_so = name == "enabled" && value.get(enabled) == simdjson::SUCCESS && enabled &&
                     reading.webhook.state != WebhookState::disabled;
  if (is_so || value.is_null()) return;  // As clients write what they do not set.
  reading.add(name, "read_only",
              name == "enabled" ? "is changed by PUT …/enable and …/disable" : "cannot be set");
}

/// @param shown_text  the service as a GET shows it; empty where there is none yet.
void read_fields(Reading& reading, dom::object body, const std::string& shown_text) {
  dom::parser parser;
  std::optional<dom::object> shown;
  if (!shown_text.empty()) shown = parser.parse(shown_text).get_object().value_unsafe();
  for (const auto [name, value] : body) {
    if (name == "settings") {
      read_webhook_settings(reading, shown, value);
    } else if (!repeats(shown, name, value)) {
      read_member(reading, name, value);
    } else if (name == "scope_uuids") {
      reading.names_scope_ids = true;  // They may go over into another scope.
    }
  }
}

/// Takes what was read together into the webhook.
/// @param before  the webhook until now.
void finish(Reading& reading, const Webhook& before) {
  Settings& settings = reading.settings;
  Webhook& webhook = reading.webhook;
  const Settings settings_before = settings_of(before).value_or(Settings{});
  const FilterScope shown = shown_scope_of(before, settings_before);
  const bool rescoped = reading.names_scope || settings.scope_ids != shown.ids;
  // The ids of another scope are of other things: they go with it.
  if (settings.scope != shown.scope && !reading.names_scope_ids) settings.scope_ids.clear();
  reading.add(check_scope(settings, "scope_uuids"));
  if (!reading.errors.empty()) return;
  const bool derived =
      shown.scope != settings_before.scope || shown.ids != settings_before.scope_ids;
  if (derived && rescoped) {  // The scope takes the place of what was shown as one.
    webhook.filter.teams.clear();
    webhook.filter.clusters.clear();
  } else if (derived) {
    settings.scope = settings_before.scope;
    settings.scope_ids = settings_before.scope_ids;
  }
  const bool by_source =
      settings.scope == Scope::some_projects || settings_before.scope == Scope::some_projects;
  if ((derived && rescoped) || (by_source && (rescoped || webhook.events != before.events))) {
    webhook.sources = sources_of(settings, webhook.events);
  }
  webhook.settings = to_text(settings);
}

/// Begins with the scope that is shown.
Reading begin(Webhook& webhook, const api::Management& management) {
  Reading reading{webhook, settings_of(webhook).value_or(Settings{}), management};
  FilterScope shown = shown_scope_of(webhook, reading.settings);
  reading.settings.scope = shown.scope;
  reading.settings.scope_ids = std::move(shown.ids);
  return reading;
}

}  // namespace

std::vector<FieldError> create_service(dom::object body, const api::Management& management,
                                       Webhook& webhook) {
  const Webhook before = webhook;
  Reading reading = begin(webhook, management);
  webhook.events.clear();
  read_fields(reading, body, {});
  dom::element value;
  if (body.at_key("provider").get(value) != simdjson::SUCCESS || value.is_null()) {
    reading.add("provider", "missing_field", "is required: \"webhook\"");
  }
  if (body.at_pointer("/settings/url").get(value) != simdjson::SUCCESS) {
    reading.add("settings.url", "missing_field", "is required");
  }
  finish(reading, before);
  return std::move(reading.errors);
}

std::vector<FieldError> update_service(dom::object body, const api::Management& management,
                                       std::string_view base_url, Webhook& webhook) {
  const Webhook before = webhook;
  Reading reading = begin(webhook, management);
  std::string shown;
  JsonWriter json{shown};
  write_service(json, webhook, base_url);
  read_fields(reading, body, shown);
  finish(reading, before);
  return std::move(reading.errors);
}

}  // namespace ringpost::dialect::buildkite
