#include "dialect/git_status/settings.h"

#include "api/json_body.h"
#include "githost/host_api.h"
#include "http/url.h"

#include <algorithm>

namespace ringpost::dialect::git_status {
namespace {

using api::Problem;

std::optional<Problem> read_host(simdjson::dom::element value, std::optional<Host>& out) {
  std::string text;
  if (auto problem = api::read(value, "settings.host", 64, text)) return problem;
  out = parse_host(text);
  if (out) return std::nullopt;
  return api::invalid("settings.host", "must be one of " + host_names());
}

std::optional<Problem> read_text(simdjson::dom::element value, const std::string& place,
                                 std::string& out) {
  out.clear();
  if (value.is_null()) return std::nullopt;
  std::string text;
  if (auto problem = api::read(value, place, TextTemplate::bytes_max, text)) return problem;
  const auto compiled = TextTemplate::compile(text);
  if (const auto* objection = std::get_if<std::string>(&compiled)) {
    return api::invalid(place, *objection);
  }
  out = std::move(text);
  return std::nullopt;
}

/// Fixed text shows at once whether it can be what it is to be.
std::optional<Problem> check_fixed(const Settings& settings) {
  const auto is_fixed = [](const std::string& text) {
    return !text.empty() && text.find("{{") == std::string::npos;
  };
  const std::string& repository = settings.text(Settings::Text::repository);
  if (is_fixed(repository) && !githost::is_repository(*settings.host, repository)) {
    return api::invalid("settings.repository",
                        "must be the repository's path at the host, for example \"acme/shop\"");
  }
  const std::string& commit = settings.text(Settings::Text::commit);
  if (is_fixed(commit) && !is_commit(commit)) {
    return api::invalid("settings.commit",
                        "must be a whole commit id (40 or 64 hexadecimal digits), or name a value "
                        "of the event such as {{ build.commit }}");
  }
  const std::string& link = settings.text(Settings::Text::target_url);
  if (is_fixed(link)) {
    const auto url = http::parse_url(link);
    if (const auto* problem = std::get_if<http::UrlProblem>(&url)) {
      return api::invalid("settings.target_url",
                          "must be an http or https URL: it " + problem->reason);
    }
  }
  return std::nullopt;
}

}  // namespace

Settings Settings::of(const subscription::Webhook& webhook) {
  Settings settings;
  if (!webhook.settings.empty()) settings.merge(webhook.settings);
  return settings;
}

std::optional<Problem> Settings::merge(std::string_view json) {
  api::JsonBody body;
  if (auto problem = body.parse(json)) return problem;
  for (const auto [name, value] : body.root()) {
    const std::string place = "settings." + std::string{name};
    const auto text = std::ranges::find(text_names, name);
    std::optional<Problem> problem;
    if (name == "host") {
      problem = read_host(value, host);
    } else if (text != text_names.end()) {
      problem = read_text(value, place, texts[static_cast<size_t>(text - text_names.begin())]);
    } else {
      problem = api::invalid(place,
                             "is not a setting of this dialect; it has \"host\", \"repository\", "
                             "\"commit\", \"context\", \"description\" and \"target_url\"");
    }
    if (problem) return problem;
  }
  if (!host) return api::invalid("settings.host", "is required: one of " + host_names());
  return check_fixed(*this);
}

void Settings::write(JsonWriter& json) const {
  json.begin_object().key("host");
  if (host) {
    json.value(name(*host));
  } else {
    json.null();
  }
  for (size_t index = 0; index < texts.size(); ++index) {
    json.key(text_names[index]);
    if (texts[index].empty()) {
      json.null();
    } else {
      json.value(texts[index]);
    }
  }
  json.end_object();
}

}  // namespace ringpost::dialect::git_status
