#include "dialect/verifier.h"

#include "http/syntax.h"

#include <limits>

namespace ringpost::dialect {
namespace {

std::string in_seconds(uint64_t seconds) {
  return std::to_string(seconds) + " s";
}

}  // namespace

std::string_view Received::header(std::string_view name) const {
  std::string_view value;
  size_t count = 0;
  for (const http::Header& header : headers) {
    if (!http::equal_ignoring_case(header.name, name)) continue;
    value = header.value;
    ++count;
  }
  return count == 1 ? value : std::string_view{};
}

bool Received::has_header(std::string_view name) const {
  for (const http::Header& header : headers) {
    if (http::equal_ignoring_case(header.name, name)) return true;
  }
  return false;
}

Verdict check_freshness(std::string_view place, std::string_view seconds,
                        const Freshness& freshness) {
  const auto signed_at = http::parse_decimal(seconds);
  constexpr uint64_t seconds_max = std::numeric_limits<int64_t>::max();
  if (!signed_at || *signed_at > seconds_max) {
    return refuted(std::string{place} + " is not a time in whole seconds since 1970");
  }
  const auto at = static_cast<int64_t>(*signed_at);
  const int64_t now = to_unix_seconds(freshness.now);
  const auto apart = static_cast<uint64_t>(at < now ? now - at : at - now);
  const auto allowed = std::chrono::floor<std::chrono::seconds>(freshness.tolerance).count();
  if (apart <= static_cast<uint64_t>(allowed)) return {};
  return refuted(std::string{place} + " lies " + in_seconds(apart) + " in the " +
                 (at < now ? "past" : "future") + ", and " +
                 in_seconds(static_cast<uint64_t>(allowed)) + " are allowed");
}

}  // namespace ringpost::dialect
