#include "control/store/rows.h"

#include "base/json_writer.h"
#include "crypto/digest.h"
#include "dialect/dialect.h"
#include "incoming/receiver.h"
#include "subscription/branch_patterns.h"
#include "subscription/data_condition.h"
#include "subscription/patterns.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <variant>

namespace ringpost::control {
namespace {

using subscription::Token;
using subscription::Webhook;

/// Where each column stands in `webhook_columns`.
enum Column : int {
  id,
  dialect,
  description,
  organization,
  url,
  tls,
  host,
  port,
  target,
  sources,
  events,
  headers,
  secret,
  tls_verify,
  tls_ca,
  schedule,
  timeout_ms,
  concurrency_max,
  state,
  state_reason,
  created_at,
  updated_at,
  filter,
  previous_secret,
  previous_secret_until,
  settings,
  rate_per_second,
  is_listener,
  number,  ///< Only read.
};

constexpr std::array<std::string_view, number> column_names{"id",
                                                            "dialect",
                                                            "description",
                                                            "organization",
                                                            "url",
                                                            "tls",
                                                            "host",
                                                            "port",
                                                            "target",
                                                            "sources",
                                                            "events",
                                                            "headers",
                                                            "secret",
                                                            "tls_verify",
                                                            "tls_ca",
                                                            "schedule",
                                                            "timeout_ms",
                                                            "concurrency_max",
                                                            "state",
                                                            "state_reason",
                                                            "created_at",
                                                            "updated_at",
                                                            "filter",
                                                            "previous_secret",
                                                            "previous_secret_until",
                                                            "settings",
                                                            "rate_per_second",
                                                            "is_listener"};
static_assert(column_names.back() == "is_listener");

constexpr std::string_view name_of(Column column) {
  return column_names[static_cast<size_t>(column)];
}

// --- secrets: the one way in and the one way out -------------------------------------------------

/// A further column is sealed by standing here, and by the two functions below.
constexpr std::array sealed_columns{name_of(headers), name_of(secret), name_of(previous_secret),
                                    name_of(settings)};

std::string seal_secret(const Sealer& sealer, Column column, std::string_view id,
                        std::string_view value) {
  return sealer.seal(webhook_place(name_of(column), id), value);
}

void bind_secret(Statement& statement, Column column, std::string_view sealed) {
  statement.bind(column + 1, as_bytes(sealed));
}

/// @returns what is wrong with the value, for people; empty if `value` is whole.
std::string open_secret(const Sealer& sealer, const Sealer::Place& where, Bytes sealed,
                        std::string& value) {
  auto opened = sealer.open(where, sealed);
  if (opened) {
    value = std::move(*opened);
    return {};
  }
  const std::string place = "column '" + std::string{where.column} + "' ";
  if (opened.error().code == Errc::not_found) {
    return place + "was encrypted with key " + Sealer::key_of(sealed) +
           ", which the key file does not have; restore the key file that has it";
  }
  return place + "cannot be opened: it was damaged, or it belongs to another row or column";
}

std::string read_secret(const Sealer& sealer, const Statement& row, Column column,
                        std::string& value) {
  return open_secret(sealer, webhook_place(name_of(column), row.text(id)), row.blob(column), value);
}

// --- lists ---------------------------------------------------------------------------------------

std::string headers_to_json(const Webhook& webhook) {
  std::string json;
  JsonWriter writer(json);
  writer.begin_array();
  for (const auto& [name, value] : webhook.headers) {
    writer.begin_array().value(name).value(value).end_array();
  }
  writer.end_array();
  return json;
}

std::string schedule_to_json(const Webhook& webhook) {
  std::string json;
  JsonWriter writer(json);
  writer.begin_array();
  for (const uint32_t seconds : webhook.schedule_s) writer.value(seconds);
  writer.end_array();
  return json;
}

std::string filter_to_json(const subscription::Filter& filter) {
  std::string json;
  JsonWriter writer(json);
  writer.begin_object().member("branches", filter.branches);
  writer.key("teams").raw(texts_to_json(filter.teams));
  writer.key("clusters").raw(texts_to_json(filter.clusters));
  // A text, as simdjson's DOM does not read every number that a condition may have.
  if (!filter.data.empty()) writer.member("data", filter.data);
  writer.end_object();
  return json;
}

using Element = simdjson::dom::element;

bool read_element(const Element& element, std::string& out) {
  std::string_view text;
  if (element.get(text) != simdjson::SUCCESS) return false;
  out = text;
  return true;
}

bool read_element(const Element& element, uint32_t& out) {
  uint64_t value = 0;
  if (element.get(value) != simdjson::SUCCESS) return false;
  if (value > std::numeric_limits<uint32_t>::max()) return false;
  out = static_cast<uint32_t>(value);
  return true;
}

bool read_element(const Element& element, std::pair<std::string, std::string>& out) {
  simdjson::dom::array pair;
  if (element.get(pair) != simdjson::SUCCESS || pair.size() != 2) return false;
  auto at = pair.begin();
  if (!read_element(*at, out.first)) return false;
  return read_element(*++at, out.second);
}

template <typename Item>
bool read_list(simdjson::dom::parser& parser, std::string_view json, std::vector<Item>& out) {
  if (json.empty()) return false;  // Not JSON, and SQLite has no address for it.
  simdjson::dom::array array;
  if (parser.parse(json.data(), json.size()).get(array) != simdjson::SUCCESS) return false;
  out.clear();
  for (const Element element : array) {
    if (!read_element(element, out.emplace_back())) return false;
  }
  return true;
}

bool takes_data(const std::string& condition) {
  return condition.empty() || std::holds_alternative<subscription::DataCondition>(
                                  subscription::DataCondition::compile(condition));
}

/// Absent members are empty: that is what rows of older releases have.
bool read_filter(simdjson::dom::parser& parser, std::string_view json,
                 subscription::Filter& filter) {
  simdjson::dom::object object;
  if (json.empty() || parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS) {
    return false;
  }
  const auto read_names = [&](std::string_view name, std::vector<std::string>& names) {
    simdjson::dom::array array;
    if (object[name].get(array) != simdjson::SUCCESS) return true;
    for (const Element element : array) {
      if (!read_element(element, names.emplace_back())) return false;
    }
    return true;
  };
  const auto text_of = [&](std::string_view name) {
    std::string_view text;
    return object[name].get(text) == simdjson::SUCCESS ? std::string{text} : std::string{};
  };
  filter = {.branches = text_of("branches"), .data = text_of("data")};
  return read_names("teams", filter.teams) && read_names("clusters", filter.clusters) &&
         subscription::BranchPatterns::object_to(filter.branches).empty() &&
         takes_data(filter.data);
}

// --- single values -------------------------------------------------------------------------------

bool read_flag(const Statement& row, int column, bool& out) {
  const int64_t value = row.integer(column);
  out = value == 1;
  return value == 0 || value == 1;
}

template <typename Integer>
bool read_integer(const Statement& row, int column, Integer& out) {
  const int64_t value = row.integer(column);
  out = static_cast<Integer>(value);
  return value >= 0 && static_cast<uint64_t>(value) <= std::numeric_limits<Integer>::max();
}

template <typename T>
bool take(const std::optional<T>& parsed, T& out) {
  if (parsed) out = *parsed;
  return parsed.has_value();
}

bool valid_utf8(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace

std::string texts_to_json(const std::vector<std::string>& texts) {
  std::string json;
  JsonWriter writer(json);
  writer.begin_array();
  for (const std::string& text : texts) writer.value(text);
  writer.end_array();
  return json;
}

bool read_texts(std::string_view json, std::vector<std::string>& out) {
  simdjson::dom::parser parser;
  return read_list(parser, json, out);
}

std::string webhook_columns() {
  std::string columns;
  for (const std::string_view name : column_names) {
    if (!columns.empty()) columns += ", ";
    columns += name;
  }
  return columns;
}

std::string webhook_parameters() {
  std::string parameters;
  for (int column = 0; column < Column::number; ++column) {
    if (!parameters.empty()) parameters += ", ";
    parameters += '?' + std::to_string(column + 1);
  }
  return parameters;
}

int webhook_number_index() {
  return Column::number + 1;
}

std::span<const std::string_view> sealed_webhook_columns() {
  return sealed_columns;
}

std::string object_to_webhook(const Webhook& webhook) {
  namespace patterns = subscription;
  const auto says = [](std::string_view member, std::string_view objection) {
    return std::string{member} + " " + std::string{objection};
  };
  if (const auto objection = patterns::object_to_organization(webhook.organization);
      !objection.empty()) {
    return says("organization", objection);
  }
  for (const std::string& source : webhook.sources) {
    const auto objection = patterns::object_to_source_pattern(source);
    if (!objection.empty()) return says("a source", objection);
  }
  for (const std::string& event : webhook.events) {
    const auto objection = patterns::object_to_event_pattern(event);
    if (!objection.empty()) return says("an event", objection);
  }
  if (const auto objection = patterns::BranchPatterns::object_to(webhook.filter.branches);
      !objection.empty()) {
    return says("filter.branches", objection);
  }
  // JSON texts hold UTF-8 only; anything else would come back as other bytes.
  for (const auto& [name, value] : webhook.headers) {
    if (!valid_utf8(name) || !valid_utf8(value)) return says("a header", "is not valid UTF-8");
  }
  return {};
}

WebhookTexts::WebhookTexts(const Webhook& webhook, const Sealer& sealer)
    : id(webhook.id.to_text()),
      sources(texts_to_json(webhook.sources)),
      events(texts_to_json(webhook.events)),
      headers(seal_secret(sealer, Column::headers, id, headers_to_json(webhook))),
      secret(seal_secret(sealer, Column::secret, id, webhook.secret)),
      previous_secret(seal_secret(sealer, Column::previous_secret, id, webhook.previous_secret)),
      settings(seal_secret(sealer, Column::settings, id, webhook.settings)),
      schedule(schedule_to_json(webhook)),
      filter(filter_to_json(webhook.filter)) {}

void bind_webhook(Statement& statement, const Webhook& webhook, const WebhookTexts& texts) {
  const auto text = [&](Column column, std::string_view value) {
    statement.bind(column + 1, value);
  };
  const auto integer = [&](Column column, int64_t value) { statement.bind(column + 1, value); };
  text(id, texts.id);
  text(dialect, webhook.dialect);
  text(description, webhook.description);
  text(organization, webhook.organization);
  text(url, webhook.destination.url);
  integer(tls, webhook.destination.tls ? 1 : 0);
  text(host, webhook.destination.host);
  integer(port, webhook.destination.port);
  text(target, webhook.destination.target);
  text(sources, texts.sources);
  text(events, texts.events);
  bind_secret(statement, headers, texts.headers);
  bind_secret(statement, secret, texts.secret);
  integer(tls_verify, webhook.tls_verify ? 1 : 0);
  text(tls_ca, webhook.tls_ca);
  text(schedule, texts.schedule);
  integer(timeout_ms, webhook.timeout_ms);
  integer(concurrency_max, webhook.concurrency_max);
  text(state, name(webhook.state));
  text(state_reason, webhook.state_reason);
  integer(created_at, to_unix_ns(webhook.created_at));
  integer(updated_at, to_unix_ns(webhook.updated_at));
  text(filter, texts.filter);
  bind_secret(statement, previous_secret, texts.previous_secret);
  integer(previous_secret_until, to_unix_ns(webhook.previous_secret_until));
  bind_secret(statement, settings, texts.settings);
  integer(rate_per_second, webhook.rate_per_second);
  integer(is_listener, webhook.is_listener ? 1 : 0);
}

struct WebhookReader::Parser {
  simdjson::dom::parser json;
};

WebhookReader::WebhookReader(const Sealer& sealer)
    : parser_(std::make_unique<Parser>()), sealer_(sealer) {}
WebhookReader::~WebhookReader() = default;

std::string WebhookReader::read(const Statement& row, Webhook& webhook) {
  simdjson::dom::parser& json = parser_->json;
  Column failed = number;
  const auto need = [&](Column column, bool good) {
    if (!good && failed == number) failed = column;
  };
  std::string locked;
  const auto unseal = [&](Column column, std::string& into) {
    if (failed == id) return;  // It is part of the place: nothing opens, and it is to blame.
    if (locked.empty()) locked = read_secret(sealer_, row, column, into);
  };
  const bool has_number = read_integer(row, number, webhook.number) && webhook.number != 0;
  need(id, take(Ulid::parse(row.text(id)), webhook.id));
  webhook.dialect = row.text(dialect);
  need(dialect, dialect::find(webhook.dialect) != nullptr);
  webhook.description = row.text(description);
  webhook.organization = row.text(organization);
  webhook.destination.url = row.text(url);
  need(tls, read_flag(row, tls, webhook.destination.tls));
  webhook.destination.host = row.text(host);
  need(port, read_integer(row, port, webhook.destination.port));
  webhook.destination.target = row.text(target);
  need(sources, read_list(json, row.text(sources), webhook.sources));
  need(events, read_list(json, row.text(events), webhook.events));
  std::string headers_json;
  unseal(headers, headers_json);
  need(headers, read_list(json, headers_json, webhook.headers));
  unseal(secret, webhook.secret);
  need(tls_verify, read_flag(row, tls_verify, webhook.tls_verify));
  webhook.tls_ca = row.text(tls_ca);
  need(schedule, read_list(json, row.text(schedule), webhook.schedule_s));
  need(timeout_ms, read_integer(row, timeout_ms, webhook.timeout_ms));
  need(concurrency_max, read_integer(row, concurrency_max, webhook.concurrency_max));
  need(state, take(subscription::parse_webhook_state(row.text(state)), webhook.state));
  webhook.state_reason = row.text(state_reason);
  webhook.created_at = from_unix_ns(row.integer(created_at));
  webhook.updated_at = from_unix_ns(row.integer(updated_at));
  need(filter, read_filter(json, row.text(filter), webhook.filter));
  unseal(previous_secret, webhook.previous_secret);
  webhook.previous_secret_until = from_unix_ns(row.integer(previous_secret_until));
  unseal(settings, webhook.settings);
  need(rate_per_second, read_integer(row, rate_per_second, webhook.rate_per_second));
  need(is_listener, read_flag(row, is_listener, webhook.is_listener));

  const std::string prefix = "webhook " + std::to_string(row.integer(number)) + ": ";
  if (!has_number) return prefix + "the number is out of range";
  if (!locked.empty()) return prefix + locked;
  if (failed != number) {
    return prefix + "column '" + std::string{name_of(failed)} + "' contains an invalid value";
  }
  const std::string objection = object_to_webhook(webhook);
  return objection.empty() ? objection : prefix + objection;
}

std::string object_to_token(const Token& token) {
  const auto objection = subscription::object_to_organization(token.organization);
  if (!objection.empty()) return "organization " + std::string{objection};
  for (const std::string& source : token.sources) {
    const auto wrong = subscription::object_to_source_pattern(source);
    if (!wrong.empty()) return "a source " + std::string{wrong};
  }
  return {};
}

TokenTexts::TokenTexts(const Token& token)
    : id(token.id.to_text()), sources(texts_to_json(token.sources)) {}

void bind_token(Statement& statement, const Token& token, const TokenTexts& texts) {
  statement.bind(1, texts.id);
  statement.bind(2, token.name);
  statement.bind(3, token.organization);
  statement.bind(4, static_cast<int64_t>(token.scopes));
  statement.bind(
      5, Bytes{reinterpret_cast<const std::byte*>(token.sha256.data()), token.sha256.size()});
  statement.bind(6, to_unix_ns(token.created_at));
  statement.bind(7, texts.sources);
  if (token.expires_at) statement.bind(8, to_unix_ns(*token.expires_at));
}

std::string read_token(const Statement& row, Token& token) {
  constexpr int number = 8;  // Behind token_columns.
  const std::string prefix = "token " + std::to_string(row.integer(number)) + ": ";
  const Bytes sha256 = row.blob(4);
  if (!read_integer(row, number, token.number) || token.number == 0) {
    return prefix + "the number is out of range";
  }
  if (!take(Ulid::parse(row.text(0)), token.id)) return prefix + "column 'id' is not a ULID";
  if (!read_integer(row, 3, token.scopes)) return prefix + "column 'scopes' is out of range";
  if (sha256.size() != token.sha256.size()) return prefix + "column 'sha256' is not 32 bytes long";
  if (!read_texts(row.text(6), token.sources)) return prefix + "column 'sources' is not a list";
  token.name = row.text(1);
  token.organization = row.text(2);
  std::memcpy(token.sha256.data(), sha256.data(), sha256.size());
  token.created_at = from_unix_ns(row.integer(5));
  if (!row.is_null(7)) token.expires_at = from_unix_ns(row.integer(7));
  const std::string objection = object_to_token(token);
  return objection.empty() ? objection : prefix + objection;
}

// --- git sources ---------------------------------------------------------------------------------

namespace {

using subscription::GitSource;

constexpr std::array<std::string_view, 3> sealed_git_columns{"path_token", "secret",
                                                             "previous_secret"};

}  // namespace

std::span<const std::string_view> sealed_git_source_columns() {
  return sealed_git_columns;
}

std::string object_to_git_source(const GitSource& source) {
  const auto objection = subscription::object_to_organization(source.organization);
  if (!objection.empty()) return "organization " + std::string{objection};
  if (source.secret.empty() && source.host == subscription::GitHost::buildkite) return {};
  const auto wrong = subscription::object_to_git_secret(source.secret);
  return wrong.empty() ? std::string{} : "the secret " + std::string{wrong};
}

GitSourceTexts::GitSourceTexts(const GitSource& source, const Sealer& sealer)
    : id(source.id.to_text()),
      path_token(sealer.seal(git_source_place("path_token", id), source.path_token)),
      secret(sealer.seal(git_source_place("secret", id), source.secret)),
      previous_secret(
          sealer.seal(git_source_place("previous_secret", id), source.previous_secret)) {}

void bind_git_source(Statement& statement, const GitSource& source, const GitSourceTexts& texts) {
  statement.bind(1, texts.id);
  statement.bind(2, source.organization);
  statement.bind(3, subscription::name(source.host));
  statement.bind(4, source.description);
  statement.bind(5, as_bytes(texts.path_token));
  statement.bind(6, as_bytes(texts.secret));
  statement.bind(7, as_bytes(texts.previous_secret));
  statement.bind(8, to_unix_ns(source.previous_secret_until));
  statement.bind(9, int64_t{source.enabled ? 1 : 0});
  statement.bind(10, to_unix_ns(source.created_at));
  statement.bind(11, to_unix_ns(source.updated_at));
}

std::string read_git_source(const Statement& row, const Sealer& sealer, GitSource& source) {
  constexpr int number = 11;  // Behind git_source_columns.
  const std::string prefix = "git source " + std::to_string(row.integer(number)) + ": ";
  if (!read_integer(row, number, source.number) || source.number == 0) {
    return prefix + "the number is out of range";
  }
  const std::string_view id = row.text(0);
  if (!take(Ulid::parse(id), source.id)) return prefix + "column 'id' is not a ULID";
  if (!take(subscription::parse_git_host(row.text(2)), source.host)) {
    return prefix + "column 'host' contains an invalid value";
  }
  source.organization = row.text(1);
  source.description = row.text(3);
  const std::pair<int, std::string*> sealed[] = {
      {4, &source.path_token}, {5, &source.secret}, {6, &source.previous_secret}};
  for (size_t index = 0; index < sealed_git_columns.size(); ++index) {
    const auto& [column, text] = sealed[index];
    const auto locked = open_secret(sealer, git_source_place(sealed_git_columns[index], id),
                                    row.blob(column), *text);
    if (!locked.empty()) return prefix + locked;
  }
  source.sha256 = incoming::path_hash_of(source);
  source.previous_secret_until = from_unix_ns(row.integer(7));
  if (!read_flag(row, 8, source.enabled)) {
    return prefix + "column 'enabled' contains an invalid value";
  }
  source.created_at = from_unix_ns(row.integer(9));
  source.updated_at = from_unix_ns(row.integer(10));
  const std::string objection = object_to_git_source(source);
  return objection.empty() ? objection : prefix + objection;
}

}  // namespace ringpost::control
