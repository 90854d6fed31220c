#pragma once

#include "base/clock.h"
#include "base/prng.h"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost {

/// An id of 16 bytes that begins with its time. It has two spellings, which are one id everywhere:
/// 26 characters of Crockford's base 32 (ULID), or a UUID.
struct Ulid {
  static constexpr size_t text_size = 26;
  static constexpr size_t uuid_text_size = 36;
  /// Ids that were minted at times so far apart sort by them.
  static constexpr std::chrono::nanoseconds resolution{245};

  std::array<uint8_t, 16> bytes{};

  /// A fresh id: a UUID of version 7 (RFC 9562, 5.7), which is a ULID as well. It sorts by time, to
  /// a quarter of a microsecond (6.2, method 3).
  static Ulid mint(WallTime now, Prng& random);
  static std::optional<Ulid> parse(std::string_view text);
  /// `018f6b1e-7777-4abc-8def-000000000007`, in either case; any version and variant.
  static std::optional<Ulid> parse_uuid(std::string_view text);
  /// Either spelling: for whatever names a thing of the relay's.
  static std::optional<Ulid> parse_either(std::string_view text);

  /// The id as RFC 9562, 4 has it: itself if it is a UUID, else with the bits of version 8 and of
  /// the variant set. Ids that are derived from a hash are printed so. Two ids with one `as_uuid`
  /// are one id to whoever looks it up.
  Ulid as_uuid() const;

  std::string to_text() const;
  /// Writes 26 characters, without a terminating zero.
  void write_text(char* to) const;
  /// `as_uuid` in hexadecimal digits.
  std::string to_uuid_text() const;
  /// Writes 36 characters, without a terminating zero.
  void write_uuid_text(char* to) const;
  /// As `to_uuid_text`, with all bits as they are: for an id that somebody else gave.
  std::string to_given_uuid_text() const;
  /// The time part, milliseconds since 1970.
  uint64_t time_ms() const;
  /// The same; the last instant that a WallTime can tell if it is beyond that.
  WallTime time() const;

  friend auto operator<=>(const Ulid&, const Ulid&) = default;
};

/// The hash of a Ulid for in-memory tables: its low bits are random already.
struct UlidHash {
  size_t operator()(const Ulid& id) const;
};

}  // namespace ringpost
