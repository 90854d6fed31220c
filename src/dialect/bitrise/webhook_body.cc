#include "dialect/bitrise/webhook_body.h"

#include "api/json_body.h"
#include "api/webhook_fields.h"
#include "base/json_writer.h"
#include "dialect/bitrise/api_json.h"
#include "dialect/bitrise/groups.h"
#include "dialect/dialect.h"

#include <string>
#include <variant>

namespace ringpost::dialect::bitrise {

namespace dom = simdjson::dom;
using api::invalid;
using api::Problem;
using subscription::Webhook;

namespace {

/// The member's value; nothing if it is absent or null, as clients write what they do not have.
std::optional<dom::element> find(dom::object body, std::string_view name) {
  dom::element value;
  if (body.at_key(name).get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return value;
}

/// `host.tld/path` stands for `https://host.tld/path`.
std::optional<Problem> read_url(dom::element value, const api::Management& management,
                                Webhook& webhook) {
  std::string text;
  if (auto problem = api::read(value, "url", api::webhook_url_bytes_max, text)) return problem;
  if (text.empty()) return invalid("url", "must not be empty");
  const bool has_scheme = text.find("://") != std::string::npos;
  auto read =
      api::read_destination("url", has_scheme ? text : std::string{url_scheme_unsaid}.append(text));
  if (auto* problem = std::get_if<Problem>(&read)) return std::move(*problem);
  auto& destination = std::get<subscription::Destination>(read);
  if (!destination.tls) return invalid("url", "must begin with https://, or have no scheme");
  if (const auto denied = management.object_to_destination(destination)) {
    return invalid("url", *denied);
  }
  webhook.destination = std::move(destination);
  Settings settings = read_settings(webhook);
  settings.url_as_sent = has_scheme ? std::string{} : text;
  write_settings(settings, webhook);
  return std::nullopt;
}

/// @param stored  the headers until now, for those that come back as answers show them.
std::optional<Problem> add_header(std::string_view name, dom::element value, const Dialect& dialect,
                                  api::Headers& stored, api::Headers& headers) {
  const std::string member =
      "headers." + std::string{name.substr(0, api::webhook_header_name_bytes_max)};
  std::string text;
  if (auto problem = api::read(value, member, api::webhook_header_value_bytes_max, text)) {
    return problem;
  }
  if (auto problem = api::check_header(member, name, text)) return problem;
  if (dialect.writes_header(name)) return invalid(member, "is reserved and cannot be set");
  if (is_masked_credential(name, text)) {
    const auto found = api::find_header(stored, name);
    if (found == stored.end()) {
      return invalid(member, "is the placeholder for a hidden value; send the real value");
    }
    text = found->second;
  }
  headers.emplace_back(name, std::move(text));
  return std::nullopt;
}

std::optional<Problem> read_headers(dom::element value, Webhook& webhook) {
  dom::object object;
  if (auto problem = api::read_object(value, "headers", object)) return problem;
  if (auto problem = api::check_names_differ("headers", object)) return problem;
  api::Headers headers;
  for (const auto [name, content] : object) {
    if (content.is_null()) continue;  // As clients write what they do not have.
    if (auto problem = add_header(name, content, of(webhook), webhook.headers, headers)) {
      return problem;
    }
  }
  if (auto problem = api::check_headers("headers", headers)) return problem;
  webhook.headers = std::move(headers);
  return std::nullopt;
}

std::optional<Problem> read_secret(dom::element value, Webhook& webhook) {
  std::string secret;
  if (auto problem = api::read(value, "secret", api::webhook_secret_bytes_max, secret)) {
    return problem;
  }
  webhook.secret = std::move(secret);
  webhook.previous_secret.clear();
  return std::nullopt;
}

std::optional<Problem> read_events(dom::element value, Webhook& webhook) {
  Settings settings = read_settings(webhook);
  if (auto problem = read_groups(value, "events", settings.groups)) return problem;
  webhook.events = types_of(settings.groups);
  write_settings(settings, webhook);
  return std::nullopt;
}

/// The item as it was read, whose members a client sends back as they are.
class Shown {
 public:
  /// @param webhook  as it is stored; one that is only being made shows nothing.
  explicit Shown(const Webhook& webhook) {
    if (webhook.number == 0) return;
    JsonWriter json{text_};
    write_webhook(json, webhook);
    known_ = parser_.parse(text_).get(item_) == simdjson::SUCCESS;
  }
  /// Whether a value says what the member says already: it stays then, also where Bitrise's words
  /// say less than the webhook is.
  bool repeats(std::string_view member, dom::element value) const {
    dom::element present;
    return known_ && item_.at_key(member).get(present) == simdjson::SUCCESS &&
           api::equal_values(value, present);
  }

 private:
  std::string text_;
  dom::parser parser_;
  dom::object item_;
  bool known_ = false;
};

}  // namespace

std::optional<Problem> read_webhook(std::string_view text, Change change,
                                    const api::Management& management, Webhook& webhook) {
  api::JsonBody body;
  if (auto problem = body.parse(text)) return problem;
  const Shown shown{webhook};
  const auto events = find(body.root(), "events");
  if (!events) return invalid("events", "is required");
  if (!shown.repeats("events", *events)) {
    if (auto problem = read_events(*events, webhook)) return problem;
  }
  const auto url = find(body.root(), "url");
  if (!url) return invalid("url", "is required");
  if (!shown.repeats("url", *url)) {
    if (auto problem = read_url(*url, management, webhook)) return problem;
  }
  const auto headers = find(body.root(), "headers");
  if (headers && !shown.repeats("headers", *headers)) {
    if (auto problem = read_headers(*headers, webhook)) return problem;
  }
  if (!headers && change == Change::replace) webhook.headers.clear();
  const auto secret = find(body.root(), "secret");
  return secret ? read_secret(*secret, webhook) : std::nullopt;
}

}  // namespace ringpost::dialect::bitrise
