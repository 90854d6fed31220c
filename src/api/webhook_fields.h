#pragma once

#include "api/problem.h"
#include "subscription/webhook.h"

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// What a webhook may say, whichever API says it.

namespace ringpost {
class JsonWriter;
}

namespace ringpost::api {

inline constexpr size_t webhook_text_bytes_max = 1024;  ///< Description, name.
inline constexpr size_t webhook_url_bytes_max = 2048;   ///< Fits any request line limit.
inline constexpr size_t webhook_patterns_max = 256;     ///< Sources; events likewise.
inline constexpr size_t webhook_headers_max = 32;       ///< The whole head stays below 32 KiB.
inline constexpr size_t webhook_header_name_bytes_max = 128;
inline constexpr size_t webhook_header_value_bytes_max = 4096;
inline constexpr size_t webhook_headers_bytes_max = 16 * 1024;
inline constexpr size_t webhook_ca_bytes_max = 64 * 1024;
inline constexpr size_t webhook_secret_bytes_max = 256;
inline constexpr size_t webhook_settings_bytes_max = 64 * 1024;
inline constexpr size_t webhook_filter_entries_max = 256;  ///< Teams; clusters likewise.
inline constexpr size_t webhook_schedule_max = 32;
inline constexpr uint32_t webhook_schedule_s_max = 7 * 24 * 3600;
inline constexpr uint32_t webhook_timeout_ms_min = 100;
inline constexpr uint32_t webhook_timeout_ms_max = 120'000;
inline constexpr uint32_t webhook_concurrency_max = 256;
inline constexpr uint32_t webhook_rate_per_second_max = 100'000;

using Headers = std::vector<std::pair<std::string, std::string>>;

/// The header of this name, whatever its case; `headers.end()` if there is none.
Headers::iterator find_header(Headers& headers, std::string_view name);

/// Whether a user may name a header so: a token of at most `bytes_max`, and none of the names that
/// frame the message.
std::optional<Problem> check_header_name(std::string_view member, std::string_view name,
                                         size_t bytes_max);
/// Whether a request may carry this header because a user says so: a token and a value of visible
/// bytes, and none of the names that frame the message. A dialect refuses more (writes_header).
std::optional<Problem> check_header(std::string_view member, std::string_view name,
                                    std::string_view value);
/// What is wrong if two members are the same header: names of headers do not differ by case.
std::optional<Problem> check_names_differ(std::string_view member, simdjson::dom::object headers);

/// Whether the headers are few and small enough together.
std::optional<Problem> check_headers(std::string_view member, const Headers& headers);

/// The destination that an absolute URL names, in the one reading that everything uses. Its `url`
/// is the text as it was given; if that has characters that cannot be printed, as it was read.
std::variant<subscription::Destination, Problem> read_destination(std::string_view member,
                                                                  std::string_view url);
/// Whether requests go to the same place, however the two URLs are spelled.
bool same_destination(const subscription::Destination& left,
                      const subscription::Destination& right);
/// Writes the members `sources`, `events` and `filter`: which events the webhook gets, in the words
/// that all dialects share.
void write_subscription(JsonWriter& json, const subscription::Webhook& webhook);

/// The member, no part of any vendor's API, in which a dialect's API shows what
/// `write_subscription` writes, where the vendor's own members cannot say all of it: what filters
/// is always seen.
inline constexpr std::string_view extension_member = "ringpost";
void write_extension(JsonWriter& json, const subscription::Webhook& webhook);

/// The URL as it was read: in lower case, encoded, with its path.
std::string plain_url(const subscription::Destination& destination);

}  // namespace ringpost::api
