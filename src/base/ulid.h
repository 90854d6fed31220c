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

/// A ULID: 48 bits of Unix time in milliseconds, then 80 random bits. Sorts by time, prints as 26
/// characters of Crockford's base 32, or as a UUID: both hold 16 bytes.
struct Ulid {
  static constexpr size_t text_size = 26;
  static constexpr size_t uuid_text_size = 36;

  std::array<uint8_t, 16> bytes{};

  static Ulid mint(WallTime now, Prng& random);
  /// A ULID whose bytes are a UUID of version 7 as well (RFC 9562, 5.7): for things that some API
  /// names by a UUID.
  static Ulid mint_uuid(WallTime now, Prng& random);
  static std::optional<Ulid> parse(std::string_view text);
  /// `018f6b1e-7777-4abc-8def-000000000007`, in either case; any version and variant.
  static std::optional<Ulid> parse_uuid(std::string_view text);

  std::string to_text() const;
  /// Writes 26 characters, without a terminating zero.
  void write_text(char* to) const;
  std::string to_uuid_text() const;
  /// Writes 36 characters, without a terminating zero.
  void write_uuid_text(char* to) const;
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
