#pragma once

#include "api/problem.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/ulid.h"
#include "http/message.h"
#include "http/query.h"
#include "index/index.h"
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
/// not among `allowed`.
std::variant<http::QueryParameters, Problem> parse_query(
    std::string_view query, const std::vector<std::string_view>& allowed);

enum class ListKind : char {
  webhooks = 'w',
  webhook_deliveries = 'd',  ///< Of the webhook that the path names.
  deliveries = 'o',          ///< Of the organization.
  events = 'e',
  replays = 'r',
  tokens = 't',
  users = 'u',
  audit = 'a',
  sources = 's',
  totals = 'n',          ///< Of the organization; a list only by webhook.
  webhook_totals = 'm',  ///< No list: of the webhook that the path names.
  sessions = 'i',
  set_aside = 'f',  ///< What a central relay refused.
  stream = 'l',     ///< No list: deliveries of the organization as they end.
};

/// Which deliveries are meant. `since` and `until` bound the time an event was accepted: from
/// `since` on, and before `until`.
struct DeliveryFilter {
  std::optional<Ulid> webhook;  ///< Its id.
  std::optional<std::string> source;
  std::optional<std::string> type;
  std::optional<journal::DeliveryStatus> status;
  std::optional<Errc> error;                            ///< As index::PageQuery.
  std::optional<index::HttpStatusRange> http_statuses;  ///< Likewise.
  std::optional<WallTime> since;
  std::optional<WallTime> until;
};

// The values of its members, as queries and bodies spell them.

std::optional<journal::DeliveryStatus> parse_status(std::string_view text);
std::optional<Errc> parse_error_code(std::string_view text);
/// `503`, or `5xx` for a class.
std::optional<index::HttpStatusRange> parse_http_statuses(std::string_view text);
std::string to_text(const index::HttpStatusRange& range);
/// Of the members above, when they are wrong: what they have to be.
inline constexpr std::string_view status_rule =
    "must be pending, in_flight, delivered, dead or cancelled";
inline constexpr std::string_view error_rule =
    "must be the code of an attempt's error, such as timed_out, refused or bad_status";
inline constexpr std::string_view http_statuses_rule =
    "must be a status from 100 to 599, or a class such as 5xx";
inline constexpr std::string_view time_rule = "must be a time like 2031-05-04T09:08:07Z";
inline constexpr std::string_view reversed_rule = "must not be before `since`";

/// What a list is asked for. In the audit log `since` and `until` bound the time of the change.
struct ListQuery {
  ListKind kind{};
  uint32_t limit = list_limit_default;
  /// Of the last item of the page before: its id; for a list of deliveries its event's uid and its
  /// webhook's number, for one of events the uid.
  std::optional<index::DeliveryPlace> cursor;
  DeliveryFilter filter;  ///< The source of webhooks: that its events may reach.
  std::optional<Ulid> redelivery_of;
  bool attempts = false;          ///< Of a stream: failed ones, too.
  std::optional<std::string> id;  ///< Of events.
  /// Anywhere in an event's data, or in what an attempt sent and got back. ASCII letters match in
  /// either case.
  std::optional<std::string> text;
  uint32_t step_hours = 1;                  ///< Of totals: 1 or 24.
  bool by_webhook = false;                  ///< Likewise.
  std::optional<std::string> organization;  ///< For the operator; others may name their own.

  /// The uid or id of the cursor.
  std::optional<Ulid> before() const { return cursor ? std::optional{cursor->uid} : std::nullopt; }

  std::string asked;  ///< The path and what it was asked for but limit and cursor, in one spelling.
};

/// Reads the query of a list's request.
std::variant<ListQuery, Problem> parse_list_query(const http::Request& request, ListKind kind);

/// Ends a page: writes the member `next_cursor`, which goes on behind the item `last` (as
/// ListQuery::cursor); null if nothing is left (nothing). Its text is opaque to clients, and good
/// for the same list with the same filters only: it ends with a checksum of itself and of these.
void write_next_cursor(JsonWriter& json, const ListQuery& query,
                       const std::optional<index::DeliveryPlace>& last);
inline void write_next_cursor(JsonWriter& json, const ListQuery& query, const Ulid* last) {
  write_next_cursor(json, query,
                    last != nullptr ? std::optional{index::DeliveryPlace{*last}} : std::nullopt);
}

/// Decodes `%2F`, `%5C` and `%25`, which a request's path still holds.
std::string decode_path_segment(std::string_view text);

}  // namespace ringpost::control
