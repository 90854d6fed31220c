#include "dialect/buildkite/settings.h"

#include "api/json_body.h"
#include "base/json_writer.h"
#include "dialect/buildkite/events.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <utility>

namespace ringpost::dialect::buildkite {

namespace dom = simdjson::dom;
using api::invalid;
using api::Problem;

namespace {

constexpr std::array<std::string_view, 4> scope_names{"all", "some_projects", "some_teams",
                                                      "some_clusters"};
constexpr std::array<std::string_view, 2> token_mode_names{"token", "signature"};

/// One of a few words, by its place among them.
template <typename Enum, size_t count>
std::optional<Problem> read_word(dom::element value, std::string_view member,
                                 const std::array<std::string_view, count>& words, Enum& out) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) {
    const auto found = std::ranges::find(words, text);
    if (found != words.end()) {
      out = static_cast<Enum>(found - words.begin());
      return std::nullopt;
    }
  }
  std::string known;
  for (const std::string_view word : words) {
    known.append(known.empty() ? "" : ", ").append(word);
  }
  return invalid(member, "must be one of " + known);
}

std::optional<Problem> read_uuid(dom::element value, std::string_view member, Ulid& out) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return invalid(member, "must be a string");
  const auto id = Ulid::parse_uuid(text);
  if (!id) return invalid(member, "must be a UUID");
  out = *id;
  return std::nullopt;
}

std::optional<Problem> read_time(dom::element value, std::string_view member, WallTime& out) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return invalid(member, "must be a string");
  const auto time = parse_rfc3339(text);
  if (!time) return invalid(member, "must be a time as RFC 3339 has it");
  out = *time;
  return std::nullopt;
}

std::optional<Problem> read_creator(dom::element value, Settings& settings) {
  if (value.is_null()) {
    settings.creator.reset();
    return std::nullopt;
  }
  dom::object object;
  if (auto problem = api::read_object(value, "settings.sender", object)) return problem;
  Creator creator = settings.creator.value_or(Creator{});
  for (const auto [name, part] : object) {
    const std::string member = "settings.sender." + std::string{name};
    std::optional<Problem> problem;
    if (name == "id") {
      problem = read_uuid(part, member, creator.id);
    } else if (name == "name") {
      problem = api::read(part, member, sender_name_bytes_max, creator.name);
    } else if (name == "created_at") {
      problem = read_time(part, member, creator.created_at);
    } else {
      problem = invalid(member, "is not a member of a sender");
    }
    if (problem) return problem;
  }
  dom::element id;
  if (!settings.creator && object.at_key("id").get(id) != simdjson::SUCCESS) {
    return invalid("settings.sender.id", "is required");
  }
  settings.creator = std::move(creator);
  return std::nullopt;
}

}  // namespace

std::string_view name(Scope scope) {
  return scope_names[static_cast<size_t>(scope)];
}

std::string_view name(TokenMode mode) {
  return token_mode_names[static_cast<size_t>(mode)];
}

// --- reading -------------------------------------------------------------------------------------

std::optional<Problem> read_scope(dom::element value, std::string_view member, Settings& settings) {
  return read_word(value, member, scope_names, settings.scope);
}

std::optional<Problem> read_scope_ids(dom::element value, std::string_view member,
                                      Settings& settings) {
  dom::array entries;
  if (auto problem = api::read_array(value, member, scope_ids_max, entries)) return problem;
  std::vector<Ulid> ids;
  for (const dom::element entry : entries) {
    const std::string place = std::string{member} + "[" + std::to_string(ids.size()) + "]";
    if (auto problem = read_uuid(entry, place, ids.emplace_back())) return problem;
  }
  settings.scope_ids = std::move(ids);
  return std::nullopt;
}

std::optional<Problem> read_token_mode(dom::element value, std::string_view member,
                                       Settings& settings) {
  return read_word(value, member, token_mode_names, settings.token_mode);
}

std::optional<Problem> read_build_states(dom::element value, std::string_view member,
                                         Settings& settings) {
  dom::object object;
  if (auto problem = api::read_object(value, member, object)) return problem;
  for (const auto [name, flag] : object) {
    const std::string place = std::string{member} + "." + std::string{name};
    const auto found = std::ranges::find(build_state_names, name);
    if (found == build_state_names.end()) return invalid(place, "is not a build state");
    bool& state = settings.build_states[static_cast<size_t>(found - build_state_names.begin())];
    if (flag.is_null()) {
      state = false;
    } else if (auto problem = api::read(flag, place, state)) {
      return problem;
    }
  }
  return std::nullopt;
}

std::optional<Problem> check_scope(const Settings& settings, std::string_view member) {
  if (settings.scope == Scope::all && !settings.scope_ids.empty()) {
    return invalid(member, "must be empty, or left out, where the scope is all");
  }
  return std::nullopt;
}

std::optional<Problem> read_settings(dom::object object, Settings& settings) {
  for (const auto [name, value] : object) {
    const std::string member = "settings." + std::string{name};
    std::optional<Problem> problem;
    if (name == "scope") {
      problem = read_scope(value, member, settings);
    } else if (name == "scope_uuids") {
      problem = read_scope_ids(value, member, settings);
    } else if (name == "token_mode") {
      problem = read_token_mode(value, member, settings);
    } else if (name == "build_states") {
      problem = read_build_states(value, member, settings);
    } else if (name == "sender") {
      problem = read_creator(value, settings);
    } else if (name == "empty_description") {
      problem = api::read(value, member, settings.empty_description);
    } else if (name == "empty_branches") {
      problem = api::read(value, member, settings.empty_branches);
    } else {
      problem = invalid(member, "is not a setting of this dialect");
    }
    if (problem) return problem;
  }
  return check_scope(settings, "settings.scope_uuids");
}

Creator creator_of(const subscription::Token& token) {
  return {.id = token.id, .name = token.name, .created_at = token.created_at};
}

std::optional<Settings> settings_of(const subscription::Webhook& webhook) {
  Settings settings;
  if (webhook.settings.empty()) return settings;
  dom::parser parser;
  dom::object object;
  if (parser.parse(webhook.settings).get(object) != simdjson::SUCCESS) return std::nullopt;
  if (read_settings(object, settings)) return std::nullopt;
  return settings;
}

// --- writing -------------------------------------------------------------------------------------

void write_settings(JsonWriter& json, const Settings& settings) {
  json.begin_object().member("scope", name(settings.scope)).key("scope_uuids").begin_array();
  for (const Ulid& id : settings.scope_ids) json.value(id.to_given_uuid_text());
  json.end_array().member("token_mode", name(settings.token_mode));
  json.key("build_states").begin_object();
  for (size_t index = 0; index < build_state_names.size(); ++index) {
    json.member(build_state_names[index], settings.build_states[index]);
  }
  json.end_object().key("sender");
  if (settings.creator) {
    json.begin_object()
        .member("id", settings.creator->id.to_given_uuid_text())
        .member("name", settings.creator->name)
        .member("created_at", to_rfc3339(settings.creator->created_at))
        .end_object();
  } else {
    json.null();
  }
  if (settings.empty_description) json.member("empty_description", true);
  if (settings.empty_branches) json.member("empty_branches", true);
  json.end_object();
}

std::string to_text(const Settings& settings) {
  std::string text;
  JsonWriter json{text};
  write_settings(json, settings);
  return text;
}

std::vector<std::string> sources_of(const Settings& settings,
                                    const std::vector<std::string>& events) {
  // An empty scope wants no source, which no list of sources says: the rule does.
  if (settings.scope != Scope::some_projects || settings.scope_ids.empty()) return {"*"};
  std::vector<std::string> sources;
  for (const Ulid& id : settings.scope_ids)
    sources.push_back("pipeline/" + id.to_given_uuid_text());
  const bool from_anywhere = std::ranges::any_of(event_names(), [&](std::string_view event) {
    return subject_of(event) == Subject::agent && subscription::any_event_matches(events, event);
  });
  if (from_anywhere) sources.push_back("*");
  return sources;
}

namespace {

/// The UUIDs in `pipeline/<UUID>`; none if another source is among them, or more than a scope has.
std::vector<Ulid> pipelines_in(const std::vector<std::string>& sources) {
  constexpr std::string_view kind = "pipeline/";
  std::vector<Ulid> ids;
  for (const std::string_view source : sources) {
    const auto id =
        source.starts_with(kind) ? Ulid::parse_uuid(source.substr(kind.size())) : std::nullopt;
    if (!id || ids.size() == scope_ids_max) return {};
    ids.push_back(*id);
  }
  return ids;
}

}  // namespace

namespace {

/// The names as UUIDs; none if one of them is none, or there are more than a scope has.
std::vector<Ulid> ids_in(const std::vector<std::string>& names) {
  std::vector<Ulid> ids;
  for (const std::string& name : names) {
    const auto id = Ulid::parse_uuid(name);
    if (!id || id->to_given_uuid_text() != name || ids.size() == scope_ids_max) return {};
    ids.push_back(*id);
  }
  return ids;
}

}  // namespace

std::optional<FilterScope> filter_scope_of(const subscription::Webhook& webhook,
                                           const Settings& settings) {
  const subscription::Filter& filter = webhook.filter;
  if (settings.scope != Scope::all || filter.teams.empty() == filter.clusters.empty()) {
    return std::nullopt;
  }
  const bool by_team = !filter.teams.empty();
  auto ids = ids_in(by_team ? filter.teams : filter.clusters);
  if (ids.empty()) return std::nullopt;
  return FilterScope{by_team ? Scope::some_teams : Scope::some_clusters, std::move(ids)};
}

void take_sources(const subscription::Token& by, Settings& settings,
                  subscription::Webhook& webhook) {
  std::vector<std::string> named = webhook.sources;
  const bool had_scope = settings.scope == Scope::some_projects;
  if (had_scope && named == sources_of(settings, webhook.events)) return;
  // As sources_of has added it, and the API has shown it.
  if (had_scope && named.size() > 1) std::erase(named, "*");
  std::vector<Ulid> ids = pipelines_in(named);
  if (!ids.empty() && (had_scope || settings.scope == Scope::all)) {
    settings.scope = Scope::some_projects;
    settings.scope_ids = std::move(ids);
    webhook.sources = sources_of(settings, webhook.events);
    if (!by.covers(webhook.sources)) std::erase(webhook.sources, "*");
  } else if (had_scope) {
    settings.scope = Scope::all;
    settings.scope_ids.clear();
  }
}

}  // namespace ringpost::dialect::buildkite
