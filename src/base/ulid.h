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
/// characters of Crockford's base 32.
struct Ulid {
  static constexpr size_t text_size = 26;

  std::array<uint8_t, 16> bytes{};

  static Ulid mint(WallTime now, Prng& random);
  static std::optional<Ulid> parse(std::string_view text);

  std::string to_text() const;
  /// Writes 26 characters, without a terminating zero.
  void write_text(char* to) const;
  /// The time part, milliseconds since 1970.
  uint64_t time_ms() const;

  friend auto operator<=>(const Ulid&, const Ulid&) = default;
};

/// The hash of a Ulid for in-memory tables: its low bits are random already.
struct UlidHash {
  size_t operator()(const Ulid& id) const;
};

}  // namespace ringpost
