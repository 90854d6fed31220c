#pragma once

#include "base/clock.h"

#include <chrono>
#include <optional>
#include <string_view>

namespace ringpost::http {

/// `Sun, 06 Nov 1994 08:49:37 GMT` (IMF-fixdate of RFC 9110, 5.6.7), the form in which dates are
/// sent. Made once a second and thread; valid until the thread's next call.
std::string_view http_date(WallTime time);

/// Reads the three forms that a recipient must accept (RFC 9110, 5.6.7): IMF-fixdate, RFC 850's
/// `Sunday, 06-Nov-94 08:49:37 GMT`, and asctime's `Sun Nov  6 08:49:37 1994`. Years that WallTime
/// cannot hold become its first or last second. Whether the day's name fits the date is not looked
/// at.
/// @param now  gives the century of a year of two digits: it is at most 50 years ahead.
/// @returns nothing if the text is none of these.
std::optional<WallTime> parse_http_date(std::string_view text, WallTime now);

/// Reads Retry-After (RFC 9110, 10.2.3): seconds, or a date in any of the three forms. A date in
/// the past is 0; what a Duration cannot hold is its last second. Nothing if it is neither.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, WallTime now);

}  // namespace ringpost::http
