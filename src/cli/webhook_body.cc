#include "cli/webhook_body.h"

#include "base/json_writer.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/where.h"
#include "json/document.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ringpost::cli {
namespace {

using Outcome = std::optional<UsageProblem>;

/// The request in the making.
struct Writing {
  const WebhookOptions& options;
  JsonWriter& json;
  bool creates = false;
};

void write_text(JsonWriter& json, std::string_view key, const std::optional<std::string>& text) {
  if (text) json.member(key, *text);
}

Outcome write_secret(Writing& writing) {
  // A variable that was left in the environment must not change a secret by the way.
  const char* environment = writing.creates ? "RINGPOST_SECRET" : nullptr;
  auto secret = read_secret("--secret", writing.options.secret, environment);
  if (auto* problem = std::get_if<UsageProblem>(&secret)) return std::move(*problem);
  const auto& text = std::get<std::string>(secret);
  if (!text.empty()) writing.json.member("secret", text);
  return std::nullopt;
}

Outcome write_sources(Writing& writing) {
  const WebhookOptions& options = writing.options;
  std::vector<std::string> sources = options.sources;
  for (const std::string& app : options.apps) sources.push_back("app/" + app);
  for (const std::string& pipeline : options.pipelines) sources.push_back("pipeline/" + pipeline);
  for (const std::string& resource : options.resources) {
    if (resource.find('/') == std::string::npos) {
      return UsageProblem{"--resource \"" + shown(resource) +
                          "\" must have the form TYPE/ID, as in application/44"};
    }
    sources.push_back("resource/" + resource);
  }
  write_texts(writing.json, "sources", sources);
  return std::nullopt;
}

Outcome write_filter(Writing& writing) {
  const WebhookOptions& options = writing.options;
  if (!options.branches && options.teams.empty() && options.clusters.empty() &&
      options.where.empty()) {
    return std::nullopt;
  }
  writing.json.key("filter").begin_object();
  write_text(writing.json, "branches", options.branches);
  write_texts(writing.json, "teams", options.teams);
  write_texts(writing.json, "clusters", options.clusters);
  if (!options.where.empty()) {
    auto condition = data_condition(options.where);
    if (auto* problem = std::get_if<UsageProblem>(&condition)) return std::move(*problem);
    writing.json.key("data").raw(std::get<std::string>(condition));
  }
  writing.json.end_object();
  return std::nullopt;
}

/// One `Name: value`. In an update a name without a value takes the header away.
Outcome write_header(JsonWriter& json, std::string_view header, std::string_view place,
                     bool creates) {
  const size_t colon = std::min(header.find(':'), header.size());
  if (colon == header.size() || colon == 0) {
    return UsageProblem{std::string{place} + " \"" + shown(header) +
                        "\" must have the form 'Name: value'"};
  }
  std::string_view value = header.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  value = value.substr(0, value.find_last_not_of(" \t\r") + 1);
  json.key(header.substr(0, colon));
  if (value.empty() && !creates) {
    json.null();
  } else {
    json.value(value);
  }
  return std::nullopt;
}

Outcome write_own_headers(Writing& writing) {
  return write_headers(writing.json, writing.options.headers, writing.creates);
}

Outcome write_tls(Writing& writing) {
  const WebhookOptions& options = writing.options;
  if (!options.no_verify && options.ca_file.empty()) return std::nullopt;
  writing.json.key("tls").begin_object();
  if (options.no_verify) writing.json.member("verify", false);
  if (!options.ca_file.empty()) {
    auto ca = read_text_file(options.ca_file);
    if (const auto* problem = std::get_if<UsageProblem>(&ca)) {
      return UsageProblem{"--ca: " + problem->text};
    }
    writing.json.member("ca", std::get<std::string>(ca));
  }
  writing.json.end_object();
  return std::nullopt;
}

/// JSON as it is; everything else is a word.
void write_setting_value(JsonWriter& json, const std::string& text) {
  if (!is_json(text)) {
    json.value(text);
    return;
  }
  json::Document document;
  document.assign(text);
  const json::Found root = document.root();
  const bool nested = root.kind == json::Kind::object || root.kind == json::Kind::array;
  json.raw(nested ? root.text : std::string_view{text});
}

Outcome write_settings(Writing& writing) {
  if (writing.options.settings.empty()) return std::nullopt;
  auto object = settings_object(writing.options.settings);
  if (auto* problem = std::get_if<UsageProblem>(&object)) return std::move(*problem);
  writing.json.key("settings").raw(std::get<std::string>(object));
  return std::nullopt;
}

Outcome write_pace(Writing& writing) {
  const WebhookOptions& options = writing.options;
  if (options.no_retries || !options.schedule.empty()) {
    writing.json.key("schedule").begin_array();
    for (const std::string& text : options.schedule) {
      const auto seconds = read_seconds("--schedule", text);
      if (const auto* problem = std::get_if<UsageProblem>(&seconds)) return *problem;
      writing.json.value(std::get<int64_t>(seconds));
    }
    writing.json.end_array();
  }
  if (!options.timeout.empty()) {
    const auto timeout = read_duration("--timeout", options.timeout);
    if (const auto* problem = std::get_if<UsageProblem>(&timeout)) return *problem;
    writing.json.member("timeout_ms", std::get<std::chrono::milliseconds>(timeout).count());
  }
  if (options.concurrency) writing.json.member("concurrency_max", *options.concurrency);
  if (options.rate) writing.json.member("rate_per_second", *options.rate);
  return std::nullopt;
}

}  // namespace

Usable<std::string> settings_object(const std::vector<std::string>& settings) {
  std::string object;
  JsonWriter json{object};
  json.begin_object();
  for (const std::string& setting : settings) {
    const size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      return UsageProblem{"--setting \"" + shown(setting) + "\" must have the form key=value"};
    }
    auto value = read_text_or_file(setting.substr(equals + 1));
    if (auto* problem = std::get_if<UsageProblem>(&value)) return std::move(*problem);
    json.key(setting.substr(0, equals));
    write_setting_value(json, std::get<std::string>(value));
  }
  json.end_object();
  return object;
}

Usable<std::string> webhook_body(const WebhookOptions& options, bool creates) {
  std::string body;
  JsonWriter json{body};
  Writing writing{options, json, creates};
  json.begin_object();
  write_text(json, "dialect", options.dialect);
  write_text(json, "url", options.url);
  write_text(json, "description", options.description);
  write_text(json, "organization", options.organization);
  if (auto problem = write_sources(writing)) return std::move(*problem);
  write_texts(json, "events", options.events);
  for (const auto part :
       {write_filter, write_own_headers, write_secret, write_tls, write_pace, write_settings}) {
    if (auto problem = part(writing)) return std::move(*problem);
  }
  for (const std::string& member : options.reset) json.key(member).null();
  json.end_object();
  return body;
}

Usable<std::string> rotation_body(const RotationOptions& options) {
  auto secret = read_secret("--secret", options.secret, nullptr);
  if (std::holds_alternative<UsageProblem>(secret)) return secret;
  const auto& text = std::get<std::string>(secret);
  if (text.empty() && options.overlap.empty()) return std::string{};
  std::string body;
  JsonWriter json{body};
  json.begin_object();
  if (!text.empty()) json.member("secret", text);
  if (!options.overlap.empty()) {
    const auto seconds = read_seconds("--overlap", options.overlap);
    if (const auto* problem = std::get_if<UsageProblem>(&seconds)) return *problem;
    json.member("overlap_s", std::get<int64_t>(seconds));
  }
  json.end_object();
  return body;
}

std::optional<UsageProblem> write_headers(JsonWriter& json, const std::vector<std::string>& headers,
                                          bool creates) {
  if (headers.empty()) return std::nullopt;
  json.key("headers").begin_object();
  for (const std::string& header : headers) {
    auto lines = read_lines("--header", header);
    if (auto* problem = std::get_if<UsageProblem>(&lines)) return std::move(*problem);
    for (const auto& [place, line] : std::get<std::vector<PlacedLine>>(lines)) {
      if (auto problem = write_header(json, line, place, creates)) return problem;
    }
  }
  json.end_object();
  return std::nullopt;
}

std::string_view option_of_member(std::string_view member) {
  using Pair = std::pair<std::string_view, std::string_view>;
  constexpr std::array pairs = {
      Pair{"url", "--url"},
      Pair{"dialect", "--dialect"},
      Pair{"description", "--description"},
      Pair{"organization", "--organization"},
      Pair{"sources", "--source"},
      Pair{"events", "--event"},
      Pair{"filter.branches", "--branches"},
      Pair{"filter.teams", "--team"},
      Pair{"filter.clusters", "--cluster"},
      Pair{"filter.data", "--where"},
      Pair{"headers", "--header"},
      Pair{"secret", "--secret"},
      Pair{"tls.ca", "--ca"},
      Pair{"schedule", "--schedule"},
      Pair{"timeout_ms", "--timeout"},
      Pair{"concurrency_max", "--concurrency"},
      Pair{"rate_per_second", "--rate"},
      Pair{"settings", "--setting"},
      Pair{"overlap_s", "--overlap"},
      Pair{"name", "--name"},
      Pair{"scopes", "--scope"},
      Pair{"expires_in_s", "--expires-in"},
      Pair{"status", "--status"},
      Pair{"source", "--source"},
      Pair{"error", "--error"},
      Pair{"response_status", "--response-status"},
      Pair{"redelivery_of", "--redelivery-of"},
      Pair{"into", "--into"},
      Pair{"cursor", "--cursor"},
      Pair{"data", "--data"},
      Pair{"type", "--type"},
      Pair{"since", "--since"},
      Pair{"until", "--until"},
      Pair{"limit", "--limit"},
  };
  for (const auto& [name, option] : pairs) {
    if (!member.starts_with(name)) continue;
    const std::string_view rest = member.substr(name.size());
    if (rest.empty() || rest.front() == '.' || rest.front() == '[') return option;
  }
  return {};
}

}  // namespace ringpost::cli
