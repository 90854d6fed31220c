#include "dialect/bitrise/groups.h"

#include "api/json_body.h"
#include "base/json_writer.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <array>

namespace ringpost::dialect::bitrise {

namespace dom = simdjson::dom;
using subscription::Webhook;

namespace {

constexpr std::string_view all = "all";
constexpr std::string_view build = "build";
constexpr std::string_view pipeline = "pipeline";
constexpr std::array<std::string_view, 2> build_types{"build/triggered", "build/finished"};

bool contains(const std::vector<std::string>& groups, std::string_view group) {
  return std::ranges::find(groups, group) != groups.end();
}

}  // namespace

Settings read_settings(const Webhook& webhook) {
  Settings settings;
  if (webhook.settings.empty()) return settings;
  dom::parser parser;
  dom::element root;
  if (parser.parse(webhook.settings).get(root) != simdjson::SUCCESS) return settings;
  dom::array groups;
  if (root["events"].get(groups) == simdjson::SUCCESS) {
    for (const dom::element group : groups) {
      std::string_view text;
      if (group.get(text) == simdjson::SUCCESS) settings.groups.emplace_back(text);
    }
  }
  if (root["registered_by_addon"].get(settings.registered_by_addon) != simdjson::SUCCESS) {
    settings.registered_by_addon = false;
  }
  std::string_view url;
  if (root["url_as_sent"].get(url) == simdjson::SUCCESS) settings.url_as_sent = url;
  return settings;
}

void write_settings(const Settings& settings, Webhook& webhook) {
  webhook.settings.clear();
  JsonWriter json{webhook.settings};
  json.begin_object().key("events").begin_array();
  for (const std::string& group : settings.groups) json.value(group);
  json.end_array().member("registered_by_addon", settings.registered_by_addon);
  if (!settings.url_as_sent.empty()) json.member("url_as_sent", settings.url_as_sent);
  json.end_object();
}

std::optional<api::Problem> read_groups(dom::element value, std::string_view member,
                                        std::vector<std::string>& groups) {
  dom::array entries;
  if (auto problem = api::read_array(value, member, groups_max, entries)) return problem;
  if (entries.size() == 0) return api::invalid(member, "must have at least one entry");
  std::vector<std::string> read;
  for (const dom::element entry : entries) {
    std::string_view group;
    if (entry.get(group) != simdjson::SUCCESS ||
        (group != all && group != build && group != pipeline)) {
      return api::invalid(std::string{member} + "[" + std::to_string(read.size()) + "]",
                          "must be \"all\", \"build\" or \"pipeline\"");
    }
    read.emplace_back(group);
  }
  groups = std::move(read);
  return std::nullopt;
}

bool is_build_type(std::string_view type) {
  return std::ranges::find(build_types, type) != build_types.end();
}

std::string object_to_type(std::string_view pattern) {
  const auto matched = [&](std::string_view type) {
    return subscription::event_matches(pattern, type);
  };
  // What follows `pipeline/` no public source says.
  if (std::ranges::any_of(build_types, matched) || pattern.starts_with("pipeline/")) return {};
  if (pattern == all || pattern == build || pattern == pipeline) {
    return "is a group of events: name it in settings.events, as [\"" + std::string{pattern} +
           "\"], or the types here: \"build/triggered\", \"build/finished\", \"build/*\", "
           "\"pipeline/*\" or \"*\"";
  }
  return "is not one of Bitrise's event types: \"build/triggered\" and \"build/finished\" "
         "(\"build/*\" is both), those of pipelines are \"pipeline/*\", and all of them \"*\"";
}

std::vector<std::string> types_of(const std::vector<std::string>& groups) {
  if (contains(groups, all)) return {"*"};
  if (contains(groups, build)) return {build_types.begin(), build_types.end()};
  return {};
}

std::vector<std::string> groups_of(const Webhook& webhook) {
  Settings settings = read_settings(webhook);
  if (!settings.groups.empty() && types_of(settings.groups) == webhook.events) {
    return std::move(settings.groups);
  }
  if (contains(webhook.events, "*")) return {std::string{all}};
  std::vector<std::string> groups;
  for (const std::string_view group : {build, pipeline}) {
    const bool named = std::ranges::any_of(webhook.events, [&](const std::string& type) {
      return type.starts_with(group) && type.substr(group.size()).starts_with('/');
    });
    if (named) groups.emplace_back(group);
  }
  return groups;
}

}  // namespace ringpost::dialect::bitrise
