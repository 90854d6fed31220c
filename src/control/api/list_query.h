#pragma once

#include "api/problem.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/ulid.h"
#include "http/query.h"
#include "journal/record.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ringpost::control {

using api::invalid;
using api::Problem;
using api::refusal;

inline constexpr uint32_t list_limit_default = 50;
inline constexpr uint32_t list_limit_max = 200;

/// @returns the parameters, or a Problem (400) for a query that cannot be read or a name that is
/// not
///          among `allowed`.
std::variant<http::QueryParameters, Problem> parse_query(
    std::string_view query, const std::vector<std::string_view>& allowed);

/// What a list is asked for. `since` and `until` bound the time an event was accepted: from `since`
/// on, and before `until`; in the audit log, the time of the change.
struct ListQuery {
  uint32_t limit = list_limit_default;
  /// Of the last item of the page before: its id, for a list of deliveries its event's uid.
  std::optional<Ulid> cursor;
  std::optional<journal::DeliveryStatus> status;
  std::optional<std::string> type;
  std::optional<std::string> source;  ///< Of webhooks: those that its events may reach.
  std::optional<WallTime> since;
  std::optional<WallTime> until;
  std::optional<std::string> organization;  ///< For the operator; others may name their own.
};

enum class ListKind : char {
  webhooks = 'w',
  deliveries = 'd',
  tokens = 't',
  audit = 'a',
  sources = 's'
};

std::variant<ListQuery, Problem> parse_list_query(std::string_view query, ListKind kind);

/// Ends a page: writes the member `next_cursor`, which goes on behind the item `last` (as
/// ListQuery::cursor); null if nothing is left (nullptr). Its text is opaque to clients, good for
/// lists of its kind only.
void write_next_cursor(JsonWriter& json, ListKind kind, const Ulid* last);

/// Decodes `%2F`, `%5C` and `%25`, which a request's path still holds.
std::string decode_path_segment(std::string_view text);

}  // namespace ringpost::control
