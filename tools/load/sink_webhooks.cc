#include "load/sink_webhooks.h"

#include "base/json_writer.h"
#include "json/document.h"
#include "subscription/event_rule.h"

#include <algorithm>

namespace ringpost::load {
namespace {

constexpr std::string_view plain_type = "load.test";

/// A hook sends nothing but what its template says. Outside of JSON strings the expansions become
/// JSON values: the event's number, and a text with its quotes.
std::string hook_settings(std::string_view run) {
  const std::string body = R"({"ringpost_load":{"run":")" + std::string{run} +
                           R"(","event":{{ action.id }}},"padding":{{ action.padding }}})";
  std::string settings;
  JsonWriter json{settings};
  json.begin_object().member("request_body", body);
  json.key("trigger_when").begin_object().key("events").begin_array();
  json.value("action.completed").end_array().end_object().end_object();
  return settings;
}

bool knows(const dialect::Dialect& dialect, std::string_view type) {
  return dialect.object_to_event(type).empty();
}

std::string example_data(uint64_t number) {
  EventMaker maker({.run = "run", .action = true});
  std::string data;
  maker.append_data(data, number, {});
  return data;
}

}  // namespace

std::vector<const dialect::Dialect*> sink_dialects() {
  std::vector<const dialect::Dialect*> usable;
  for (const dialect::Dialect* dialect : dialect::all()) {
    if (dialect->name() != "git-status") usable.push_back(dialect);
  }
  return usable;
}

std::string sink_settings(const dialect::Dialect& dialect, std::string_view run) {
  if (needs_action(dialect)) return hook_settings(run);
  // Nobody has to be asked: the receiver is ours.
  return dialect.name() == "cloudevents" ? R"({"handshake":false})" : "";
}

std::vector<std::string> sink_events(const dialect::Dialect& dialect,
                                     std::vector<std::string> patterns) {
  const bool all_known = std::ranges::all_of(
      patterns, [&dialect](const std::string& pattern) { return knows(dialect, pattern); });
  return all_known ? std::move(patterns) : std::vector<std::string>{"*"};
}

bool needs_action(const dialect::Dialect& dialect) {
  return dialect.name() == "devopness";
}

bool gets(const dialect::Dialect& dialect, std::string_view type, std::string_view data) {
  subscription::Webhook webhook = dialect.defaults();
  webhook.destination = {.url = "http://localhost/", .host = "localhost", .port = 80};
  const std::string settings = sink_settings(dialect, "run");
  if (dialect.read_settings(settings.empty() ? "{}" : settings, webhook)) return false;
  const auto rule = dialect.make_rule(webhook);
  if (rule == nullptr) return true;
  json::Document facts;
  json::Document extensions;
  facts.assign(data);
  extensions.assign("{}");
  return rule->wants(subscription::EventFacts({.source = "load", .type = type}, facts, extensions,
                                              dialect::routing(type)));
}

std::string type_for(std::span<const dialect::Dialect* const> dialects) {
  std::vector<std::string> candidates{std::string{plain_type}};
  for (const auto* dialect : dialects) candidates.emplace_back(dialect->example_event().type);
  const std::string data = example_data(0);
  const auto all_get = [&](const std::string& type) {
    return std::ranges::all_of(dialects,
                               [&](const auto* dialect) { return gets(*dialect, type, data); });
  };
  const auto all_know = [&](const std::string& type) {
    return std::ranges::all_of(dialects,
                               [&](const auto* dialect) { return knows(*dialect, type); });
  };
  std::erase_if(candidates, [&](const std::string& type) { return !all_get(type); });
  const auto known = std::ranges::find_if(candidates, all_know);
  if (known != candidates.end()) return *known;
  return candidates.empty() ? std::string{plain_type} : candidates.back();
}

}  // namespace ringpost::load
