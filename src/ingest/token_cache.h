#pragma once

#include "base/siphash.h"
#include "subscription/table.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace ringpost::ingest {

/// Finds the token that a request shows, without a SHA-256 for each request of a producer that was
/// just here. One per shard.
///
/// It keeps no token's text, only keyed hashes of it; and what it found is good for one version of
/// the snapshot, so that a revoked token is refused with the snapshot that revoked it. Expiry is
/// looked at each time.
class TokenCache {
 public:
  /// @param secret  two keys of SipHash, drawn at start.
  explicit TokenCache(const std::array<HashKey, 2>& secret) : secret_(secret) {}

  /// @param text  the token (http::presented_token); may be empty.
  /// @returns nullptr if it is no token of `snapshot`, or one that has expired; otherwise good as
  ///          long as the snapshot is.
  const subscription::Token* find(std::string_view text, const subscription::Snapshot& snapshot,
                                  WallTime now);

 private:
  const subscription::Token* look_up(std::string_view text, const subscription::Snapshot& snapshot);

  struct Entry {
    uint64_t high = 0;
    uint64_t low = 0;
    uint64_t version = 0;
    const subscription::Token* token = nullptr;
  };
  static constexpr size_t entry_count = 64;

  const std::array<HashKey, 2> secret_;
  std::array<Entry, entry_count> entries_{};
};

}  // namespace ringpost::ingest
