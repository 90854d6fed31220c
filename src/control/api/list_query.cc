#include "control/api/list_query.h"

#include "http/syntax.h"
#include "subscription/patterns.h"

#include <algorithm>

namespace ringpost::control {

using journal::DeliveryStatus;

namespace {

Problem bad_parameter(std::string_view name, std::string_view what) {
  return api::refusal_of_member(400, name, what);
}

std::optional<DeliveryStatus> parse_status(std::string_view text) {
  for (const DeliveryStatus status :
       {DeliveryStatus::pending, DeliveryStatus::in_flight, DeliveryStatus::delivered,
        DeliveryStatus::dead, DeliveryStatus::cancelled}) {
    if (journal::name(status) == text) return status;
  }
  return std::nullopt;
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

std::optional<Ulid> parse_cursor(ListKind kind, std::string_view text) {
  if (text.empty() || text.front() != static_cast<char>(kind)) return std::nullopt;
  return Ulid::parse(text.substr(1));
}

std::optional<Problem> apply(ListKind kind, const std::string& name, const std::string& value,
                             ListQuery& query) {
  if (name == "limit") {
    const auto limit = http::parse_decimal(value);
    if (!limit || *limit < 1 || *limit > list_limit_max) {
      return bad_parameter(name, "must be a number from 1 to 200");
    }
    query.limit = static_cast<uint32_t>(*limit);
  } else if (name == "cursor") {
    query.cursor = parse_cursor(kind, value);
    if (!query.cursor) return bad_parameter(name, "is not a cursor of this list");
  } else if (name == "status") {
    query.status = parse_status(value);
    if (!query.status) {
      return bad_parameter(name, "must be pending, in_flight, delivered, dead or cancelled");
    }
  } else if (name == "type") {
    query.type = value;
  } else if (name == "source") {
    query.source = value;
  } else if (name == "organization") {
    const auto objection = subscription::object_to_organization(value);
    if (!objection.empty()) return bad_parameter(name, objection);
    query.organization = value;
  } else {
    auto& time = name == "since" ? query.since : query.until;
    time = parse_time(value);
    if (!time) return bad_parameter(name, "must be a time like 2031-05-04T09:08:07Z");
  }
  return std::nullopt;
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

std::variant<ListQuery, Problem> parse_list_query(std::string_view text, ListKind kind) {
  std::vector<std::string_view> allowed{"limit", "cursor"};
  switch (kind) {
    case ListKind::webhooks: allowed.push_back("source"); break;
    case ListKind::deliveries:
      allowed.insert(allowed.end(), {"status", "type", "since", "until"});
      break;
    case ListKind::tokens: allowed.push_back("organization"); break;
    case ListKind::sources: break;
    case ListKind::audit: allowed.insert(allowed.end(), {"since", "until", "organization"}); break;
  }
  const auto parsed = parse_query(text, allowed);
  if (const auto* problem = std::get_if<Problem>(&parsed)) return *problem;
  ListQuery query;
  for (const auto& [name, value] : std::get<http::QueryParameters>(parsed).all()) {
    if (auto problem = apply(kind, name, value, query)) return *problem;
  }
  return query;
}

void write_next_cursor(JsonWriter& json, ListKind kind, const Ulid* last) {
  json.key("next_cursor");
  if (last == nullptr) {
    json.null();
  } else {
    json.value(static_cast<char>(kind) + last->to_text());
  }
}

std::string decode_path_segment(std::string_view text) {
  return http::percent_decode(text).value_or(std::string{text});
}

}  // namespace ringpost::control
