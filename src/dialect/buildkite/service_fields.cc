#include "dialect/buildkite/service_fields.h"

#include "api/json_body.h"
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

/// A token stands for the user, and has neither address nor picture.
void write_creator(JsonWriter& json, const std::optional<Creator>& creator) {
  json.key("created_by");
  if (!creator) {
    json.null();
    return;
  }
  const std::string id = creator->id.to_uuid_text();
  json.begin_object().member("id", id).member("graphql_id", graphql_id("User", id));
  json.member("name", creator->name).key("email").null().key("avatar_url").null();
  json.member("created_at", to_milliseconds(creator->created_at)).end_object();
}

void write_scope(JsonWriter& json, const Settings& settings) {
  json.member("scope", name(settings.scope)).key("scope_uuids").begin_array();
  for (const Ulid& id : settings.scope_ids) json.value(id.to_uuid_text());
  json.end_array();
}

void write_build_states(JsonWriter& json, const Settings& settings) {
  json.key("build_states").begin_object();
  for (size_t index = 0; index < build_state_names.size(); ++index) {
    json.member(build_state_names[index], settings.build_states[index]);
  }
  json.end_object();
}

}  // namespace

void write_service(JsonWriter& json, const Webhook& webhook, std::string_view base_url) {
  const Settings settings = settings_of(webhook).value_or(Settings{});
  const std::string id = webhook.id.to_uuid_text();
  json.begin_object().member("id", id).key("graphql_id").null();
  json.member("url", organization_url(base_url, webhook.organization) + "/services/" + id);
  write_provider(json);
  json.member("description", webhook.description);
  // A broken webhook is stopped, and still enabled.
  json.member("enabled", webhook.state != WebhookState::disabled);
  write_scope(json, settings);
  json.member("branch_configuration", webhook.filter.branches);
  write_build_states(json, settings);
  write_webhook_settings(json, webhook, settings);
  json.member("created_at", to_milliseconds(webhook.created_at));
  write_creator(json, settings.creator);
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
  bool names_scope_ids = false;

  void add(std::string_view field, std::string_view code, std::string_view message) {
    errors.push_back({std::string{field}, std::string{code}, std::string{message}});
  }
  void add(const std::optional<Problem>& problem) {
    if (problem) add(problem->member, "invalid", problem->detail);
  }
};

void read_description(Reading& reading, dom::element value) {
  reading.add(
      api::read(value, "description", api::webhook_text_bytes_max, reading.webhook.description));
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
        reading.add("provider." + std::string{name}, "invalid", "is not the provider's");
      }
    }
    if (object.at_key("id").get(id) != simdjson::SUCCESS) id = {};
  } else if (value.get(id) != simdjson::SUCCESS) {
    id = {};
  }
  if (id != provider_id) {
    reading.add("provider", "invalid", "must be \"webhook\": there are no others here");
  }
}

void read_service_scope(Reading& reading, dom::element value) {
  reading.add(read_scope(value, "scope", reading.settings));
}

void read_service_scope_ids(Reading& reading, dom::element value) {
  reading.names_scope_ids = true;
  reading.add(read_scope_ids(value, "scope_uuids", reading.settings));
}

void read_branches(Reading& reading, dom::element value) {
  constexpr std::string_view member = "branch_configuration";
  std::string text;
  if (auto problem = api::read(value, member, subscription::BranchPatterns::bytes_max, text)) {
    return reading.add(problem);
  }
  const auto objection = subscription::BranchPatterns::object_to(text);
  if (!objection.empty()) return reading.add(member, "invalid", objection);
  reading.webhook.filter.branches = std::move(text);
}

void read_states(Reading& reading, dom::element value) {
  reading.add(read_build_states(value, "build_states", reading.settings));
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
  // What is there may stay, also if it would not be taken today.
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
  // What the native API may have said with stars is not spelled out by a repetition of the names.
  if (std::ranges::equal(events, names_of(reading.webhook.events))) return;
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

struct Field {
  std::string_view name;
  void (*read)(Reading&, dom::element);
};

constexpr std::array setting_fields{Field{"url", read_url},
                                    Field{"token", read_token},
                                    Field{"token_mode", read_mode},
                                    Field{"events", read_events},
                                    Field{"tls_verify", read_tls_verify},
                                    Field{"version", read_version}};

void read_webhook_settings(Reading& reading, dom::element value) {
  dom::object object;
  if (auto problem = api::read_object(value, "settings", object)) return reading.add(problem);
  for (const auto [name, part] : object) {
    const auto field = std::ranges::find(setting_fields, name, &Field::name);
    if (field != setting_fields.end()) {
      field->read(reading, part);
    } else {
      reading.add("settings." + std::string{name}, "unknown_field",
                  "is not a setting of a webhook");
    }
  }
}

constexpr std::array fields{
    Field{"provider", read_provider},
    Field{"description", read_description},
    Field{"scope", read_service_scope},
    Field{"scope_uuids", read_service_scope_ids},
    Field{"branch_configuration", read_branches},
    Field{"build_states", read_states},
    Field{"settings", read_webhook_settings},
};

constexpr std::array<std::string_view, 6> read_only_fields{"id",      "graphql_id", "url",
                                                           "enabled", "created_at", "created_by"};

bool equal(dom::element left, dom::element right);

bool equal_objects(dom::object left, dom::object right) {
  if (left.size() != right.size()) return false;
  for (const auto [name, value] : left) {
    dom::element other;
    if (right.at_key(name).get(other) != simdjson::SUCCESS || !equal(value, other)) return false;
  }
  return true;
}

/// Of values as a service shows them: no arrays and no numbers among those that are read-only.
bool equal(dom::element left, dom::element right) {
  dom::object left_object;
  dom::object right_object;
  if (left.get(left_object) == simdjson::SUCCESS) {
    return right.get(right_object) == simdjson::SUCCESS && equal_objects(left_object, right_object);
  }
  return simdjson::minify(left) == simdjson::minify(right);
}

/// @param shown  the service as a GET shows it; empty where there is none yet.
void read_fields(Reading& reading, dom::object body, const std::string& shown) {
  dom::parser parser;
  dom::object now;
  const bool exists = !shown.empty() && parser.parse(shown).get(now) == simdjson::SUCCESS;
  for (const auto [name, value] : body) {
    const auto field = std::ranges::find(fields, name, &Field::name);
    if (field != fields.end()) {
      field->read(reading, value);
      continue;
    }
    if (std::ranges::find(read_only_fields, name) == read_only_fields.end()) {
      reading.add(name, "unknown_field", "is not a member of a service");
      continue;
    }
    dom::element present;
    const bool unchanged =
        exists && now.at_key(name).get(present) == simdjson::SUCCESS && equal(value, present);
    if (!unchanged) {
      reading.add(name, "read_only",
                  name == "enabled" ? "is changed by PUT …/enable and …/disable" : "cannot be set");
    }
  }
}

/// Takes what was read together into the webhook.
void finish(Reading& reading) {
  Settings& settings = reading.settings;
  const Scope before = settings_of(reading.webhook).value_or(Settings{}).scope;
  // The ids of another scope are of other things: they go with it.
  if (settings.scope != before && !reading.names_scope_ids) settings.scope_ids.clear();
  reading.add(check_scope(settings, "scope_uuids"));
  if (!reading.errors.empty()) return;
  const bool by_source = settings.scope == Scope::some_projects || before == Scope::some_projects;
  if (by_source) reading.webhook.sources = sources_of(settings, reading.webhook.events);
  reading.webhook.settings = to_text(settings);
}

}  // namespace

std::vector<FieldError> create_service(dom::object body, const api::Management& management,
                                       Webhook& webhook) {
  Reading reading{webhook, settings_of(webhook).value_or(Settings{}), management};
  webhook.events.clear();
  read_fields(reading, body, {});
  dom::element value;
  if (body.at_key("provider").get(value) != simdjson::SUCCESS) {
    reading.add("provider", "missing_field", "is required: \"webhook\"");
  }
  if (body.at_pointer("/settings/url").get(value) != simdjson::SUCCESS) {
    reading.add("settings.url", "missing_field", "is required");
  }
  finish(reading);
  return std::move(reading.errors);
}

std::vector<FieldError> update_service(dom::object body, const api::Management& management,
                                       std::string_view base_url, Webhook& webhook) {
  Reading reading{webhook, settings_of(webhook).value_or(Settings{}), management};
  std::string shown;
  JsonWriter json{shown};
  write_service(json, webhook, base_url);
  read_fields(reading, body, shown);
  finish(reading);
  return std::move(reading.errors);
}

}  // namespace ringpost::dialect::buildkite
