#include "control/api/list_query.h"

#include "base/assert.h"
#include "base/siphash.h"
#include "http/syntax.h"
#include "index/format.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

namespace ringpost::control {

using journal::DeliveryStatus;

namespace {

Problem bad_parameter(std::string_view name, std::string_view what) {
  return api::refusal_of_member(400, name, what);
}

/// In a query `+` is a space. Where an offset begins it can only have been a plus.
std::optional<WallTime> parse_time(std::string text) {
  constexpr size_t offset_size = std::string_view{"+01:00"}.size();
  if (text.size() > offset_size) {
    char& sign = text[text.size() - offset_size];
    if (sign == ' ' && text[text.size() - 3] == ':') sign = '+';
  }
  return parse_rfc3339(text);
}

constexpr size_t number_digits = 8;
constexpr HashKey cursor_key{0x72696e67706f7374, 0x637572736f72};

std::string hexadecimal(uint32_t number) {
  char digits[number_digits + 1];
  std::snprintf(digits, sizeof digits, "%08x", number);
  return digits;
}

std::string cursor_of(const ListQuery& query, const index::DeliveryPlace& place) {
  const std::string text =
      static_cast<char>(query.kind) + place.uid.to_text() + hexadecimal(place.webhook_number);
  return text +
         hexadecimal(static_cast<uint32_t>(siphash(cursor_key, as_bytes(text + query.asked))));
}

std::optional<index::DeliveryPlace> parse_cursor(const ListQuery& query, std::string_view text) {
  if (text.size() != 1 + Ulid::text_size + 2 * number_digits) return std::nullopt;
  const auto uid = Ulid::parse(text.substr(1, Ulid::text_size));
  if (!uid) return std::nullopt;
  index::DeliveryPlace place{*uid};
  const std::string_view digits = text.substr(1 + Ulid::text_size, number_digits);
  const auto read =
      std::from_chars(digits.data(), digits.data() + digits.size(), place.webhook_number, 16);
  if (read.ec != std::errc{} || cursor_of(query, place) != text) return std::nullopt;
  return place;
}

using Value = const std::string&;

std::optional<Problem> set_limit(ListQuery& query, Value value) {
  const auto limit = http::parse_decimal(value);
  if (!limit || *limit < 1 || *limit > list_limit_max) {
    return bad_parameter("limit", "must be a number from 1 to 200");
  }
  query.limit = static_cast<uint32_t>(*limit);
  return std::nullopt;
}

/// Sets `to` to what was read of the parameter.
template <typename T>
std::optional<Problem> set(std::optional<T>& to, std::optional<T> read, std::string_view name,
                           std::string_view rule) {
  if (!read) return bad_parameter(name, rule);
  to = std::move(read);
  return std::nullopt;
}

std::optional<Problem> set_attempts(ListQuery& query, Value value) {
  if (value != "true" && value != "false")
    return bad_parameter("attempts", "must be true or false");
  query.attempts = value == "true";
  return std::nullopt;
}

std::optional<Problem> set_step(ListQuery& query, Value value) {
  if (value != "1h" && value != "1d") return bad_parameter("step", "must be 1h or 1d");
  query.step_hours = value == "1d" ? 24 : 1;
  return std::nullopt;
}

std::optional<Problem> set_by(ListQuery& query, Value value) {
  if (value != "webhook" && value != "time") return bad_parameter("by", "must be time or webhook");
  query.by_webhook = value == "webhook";
  return std::nullopt;
}

/// Totals are a list by webhook, of the whole time; otherwise there is one for each step.
std::optional<Problem> object_to_totals(const ListQuery& query,
                                        const http::QueryParameters& parameters) {
  for (const std::string_view name : {"limit", "cursor"}) {
    if (!query.by_webhook && parameters.find(name)) {
      return bad_parameter(name, "is a parameter only with by=webhook");
    }
  }
  for (const std::string_view name : {"step", "webhook"}) {
    if (query.by_webhook && parameters.find(name)) {
      return bad_parameter(name, "is not a parameter with by=webhook");
    }
  }
  return std::nullopt;
}

/// A stream tells of what has happened: nothing has ended in flight.
std::optional<Problem> set_status(ListQuery& query, Value value) {
  query.filter.status = parse_status(value);
  const bool is_stream = query.kind == ListKind::stream;
  const bool fits =
      query.filter.status && !(is_stream && query.filter.status == DeliveryStatus::in_flight);
  if (fits) return std::nullopt;
  return bad_parameter("status", is_stream ? "must be delivered, dead or cancelled, or pending for "
                                             "failed attempts that are followed by others"
                                           : status_rule);
}

std::optional<Problem> apply(const std::string& name, Value value, ListQuery& query) {
  constexpr std::string_view id_rule = "must be an id";
  DeliveryFilter& filter = query.filter;
  if (name == "limit") return set_limit(query, value);
  if (name == "status") return set_status(query, value);
  if (name == "error") return set(filter.error, parse_error_code(value), name, error_rule);
  if (name == "response_status") {
    return set(filter.http_statuses, parse_http_statuses(value), name, http_statuses_rule);
  }
  if (name == "since") return set(filter.since, parse_time(value), name, time_rule);
  if (name == "until") return set(filter.until, parse_time(value), name, time_rule);
  if (name == "webhook") return set(filter.webhook, Ulid::parse_either(value), name, id_rule);
  if (name == "redelivery_of") {
    return set(query.redelivery_of, Ulid::parse_either(value), name, id_rule);
  }
  if (name == "attempts") return set_attempts(query, value);
  if (name == "step") return set_step(query, value);
  if (name == "by") return set_by(query, value);
  if (name == "type") filter.type = value;
  if (name == "source") filter.source = value;
  if (name == "id") query.id = value;
  if (name == "text") {
    constexpr size_t text_bytes_max = 256;
    if (value.empty() || value.size() > text_bytes_max) {
      return bad_parameter(name, "must have 1 to 256 bytes");
    }
    query.text = value;
  }
  if (name != "organization") return std::nullopt;
  const auto objection = subscription::object_to_organization(value);
  if (!objection.empty()) return bad_parameter(name, objection);
  query.organization = value;
  return std::nullopt;
}

std::vector<std::string_view> filters_of(ListKind kind) {
  switch (kind) {
    case ListKind::webhooks: return {"source"};
    case ListKind::webhook_deliveries:
      return {"source", "type",  "status",        "error", "response_status",
              "since",  "until", "redelivery_of", "text"};
    case ListKind::deliveries:
      return {"webhook",         "source", "type",  "status",        "error",
              "response_status", "since",  "until", "redelivery_of", "text"};
    case ListKind::events: return {"source", "type", "id", "since", "until", "text"};
    case ListKind::replays: return {};
    case ListKind::tokens:
    case ListKind::users: return {"organization"};
    case ListKind::audit: return {"since", "until", "organization"};
    case ListKind::sources: return {};
    case ListKind::totals: return {"webhook", "since", "until", "step", "by"};
    case ListKind::webhook_totals: return {"since", "until", "step"};
    case ListKind::sessions: return {"organization"};
    case ListKind::set_aside: return {};
    case ListKind::stream:
      return {"webhook", "source",          "type",          "status",
              "error",   "response_status", "redelivery_of", "attempts"};
  }
  RINGPOST_UNREACHABLE();
}

/// Whatever the order of the parameters was.
std::string asked_for(const http::Request& request, const http::QueryParameters& parameters) {
  auto sorted = parameters.all();
  std::erase_if(sorted,
                [](const auto& one) { return one.first == "limit" || one.first == "cursor"; });
  std::ranges::sort(sorted);
  std::string text = request.path;
  for (const auto& [name, value] : sorted) {
    text += '&';
    http::append_percent_encoded(text, name);
    text += '=';
    http::append_percent_encoded(text, value);
  }
  return text;
}

}  // namespace

std::variant<http::QueryParameters, Problem> parse_query(
    std::string_view query, const std::vector<std::string_view>& allowed) {
  auto parsed = http::QueryParameters::parse(query);
  if (const auto* wrong = std::get_if<http::UrlProblem>(&parsed)) {
    return refusal(400, "the query cannot be read: " + wrong->reason);
  }
  auto& parameters = std::get<http::QueryParameters>(parsed);
  for (const auto& [name, value] : parameters.all()) {
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
      return bad_parameter(name, "is not a parameter here");
    }
  }
  return std::move(parameters);
}

std::variant<ListQuery, Problem> parse_list_query(const http::Request& request, ListKind kind) {
  std::vector<std::string_view> allowed = filters_of(kind);
  if (kind != ListKind::stream && kind != ListKind::webhook_totals)
    allowed.insert(allowed.end(), {"limit", "cursor"});
  const auto parsed = parse_query(request.query, allowed);
  if (const auto* problem = std::get_if<Problem>(&parsed)) return *problem;
  const auto& parameters = std::get<http::QueryParameters>(parsed);
  ListQuery query{.kind = kind, .asked = asked_for(request, parameters)};
  for (const auto& [name, value] : parameters.all()) {
    if (auto problem = apply(name, value, query)) return *problem;
  }
  const auto& since = query.filter.since;
  const auto& until = query.filter.until;
  if (since && until && *until < *since) return bad_parameter("until", reversed_rule);
  if (kind == ListKind::totals) {
    if (auto problem = object_to_totals(query, parameters)) return *problem;
  }
  if (const auto text = parameters.find("cursor")) {
    query.cursor = parse_cursor(query, *text);
    if (!query.cursor) {
      return bad_parameter(
          "cursor",
          "is not a cursor of this list with these filters; pass `next_cursor` as it was answered, "
          "and the same filters as before");
    }
  }
  return query;
}

void write_next_cursor(JsonWriter& json, const ListQuery& query,
                       const std::optional<index::DeliveryPlace>& last) {
  json.key("next_cursor");
  if (last) {
    json.value(cursor_of(query, *last));
  } else {
    json.null();
  }
}

// --- values --------------------------------------------------------------------------------------

std::optional<DeliveryStatus> parse_status(std::string_view text) {
  for (const DeliveryStatus status :
       {DeliveryStatus::pending, DeliveryStatus::in_flight, DeliveryStatus::delivered,
        DeliveryStatus::dead, DeliveryStatus::cancelled}) {
    if (journal::name(status) == text) return status;
  }
  return std::nullopt;
}

std::optional<Errc> parse_error_code(std::string_view text) {
  for (uint8_t code = 0; code <= static_cast<uint8_t>(index::last_error); ++code) {
    if (name(static_cast<Errc>(code)) == text) return static_cast<Errc>(code);
  }
  return std::nullopt;
}

std::optional<index::HttpStatusRange> parse_http_statuses(std::string_view text) {
  if (text.size() != 3 || text[0] < '1' || text[0] > '5') return std::nullopt;
  const auto first = static_cast<uint16_t>((text[0] - '0') * 100);
  if (text.substr(1) == "xx")
    return index::HttpStatusRange{first, static_cast<uint16_t>(first + 99)};
  const auto status = http::parse_decimal(text);
  if (!status) return std::nullopt;
  const auto one = static_cast<uint16_t>(*status);
  return index::HttpStatusRange{one, one};
}

std::string to_text(const index::HttpStatusRange& range) {
  const std::string first = std::to_string(range.first);
  return range.first == range.last ? first : first.substr(0, 1) + "xx";
}

std::string decode_path_segment(std::string_view text) {
  return http::percent_decode(text).value_or(std::string{text});
}

}  // namespace ringpost::control
