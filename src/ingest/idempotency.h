#pragma once

#include "base/clock.h"
#include "base/siphash.h"
#include "journal/record.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

namespace ringpost::ingest {

/// What the window remembers of an event: 128 bits of a keyed hash of its organization, source and
/// id. Two events have the same key by accident once in 2^64 of them, and nobody can aim for it.
struct IdempotencyKey {
  uint64_t high = 0;
  uint64_t low = 0;
  uint16_t organization = 0;  ///< Whose share of the window it takes: a hash of its name.

  friend bool operator==(const IdempotencyKey& one, const IdempotencyKey& other) {
    return one.high == other.high && one.low == other.low;
  }
};

/// What an event says, apart from its key: 64 bits of a keyed hash. Two contents are taken for one
/// by accident once in 2^64 pairs.
enum class ContentHash : uint64_t {};

/// Which events were accepted lately, so that a producer that did not hear our answer may send them
/// again. Shared by all shards.
///
/// A key is reserved before its event is written, and confirmed when the event is durable. Only
/// then may a second event with that key be answered as a duplicate. Each key has the hash
/// of its event's content: the same key with another content is a conflict, never a duplicate.
///
/// Memory: nothing at first; 40 bytes for each key remembered (32 of an entry, 8 of its index),
/// growing by doubling up to the bound in Options. Beyond the bound the oldest of those
/// organizations that have the most are forgotten, before their time: `forgotten_early` counts
/// them. One that has less than half as many as the largest loses none to it. A pending key is
/// never forgotten.
///
/// Thread safety: every function, from any thread. 256 stripes, each with a lock held for one look
/// into a hash table.
class IdempotencyWindow {
 public:
  struct Options {
    Duration length = std::chrono::hours{24};
    uint32_t entries_max = 4 * 1024 * 1024;  ///< Rounded up to a power of two; at least 4,096.
  };

  enum class Reservation : uint8_t {
    fresh,              ///< Reserved for the caller, who confirms or abandons it.
    duplicate_durable,  ///< An event with this key is stored.
    duplicate_pending,  ///< Another one reserved it; `state` tells what becomes of it.
    conflict,           ///< An event with this key and another content is stored or pending.
    full                ///< Nothing but pending keys in this stripe: overloaded.
  };

  enum class State : uint8_t { absent, pending, durable };

  /// @param secret  drawn at start: 32 random bytes, as two keys of SipHash.
  IdempotencyWindow(const Options& options, const std::array<HashKey, 2>& secret);
  ~IdempotencyWindow();

  IdempotencyKey key(std::string_view organization, std::string_view source,
                     std::string_view id) const;

  /// Covers all attributes that a producer sets, but those of the key, and `data`; each as
  /// EventView has it, so a number spelled otherwise is another content. An event read back from
  /// the journal has the hash that it was accepted with.
  ContentHash content(const journal::EventView& event) const;

  /// @param now  the monotonic clock of the caller's ring.
  Reservation reserve(const IdempotencyKey& key, ContentHash content, Instant now);
  /// The event of a key that the caller reserved is durable.
  void confirm(const IdempotencyKey& key);
  /// The event of a key that the caller reserved will not be stored: as if never reserved.
  void abandon(const IdempotencyKey& key);
  State state(const IdempotencyKey& key, Instant now) const;

  /// At recovery: an event with this key was stored `age` ago (by the wall clock; below 0 counts as
  /// 0). Ignored if it is beyond the window or known already.
  void restore(const IdempotencyKey& key, ContentHash content, Duration age, Instant now);

  /// Durable keys that were forgotten before the window's length was over, because there was no
  /// room. Costs one load.
  uint64_t forgotten_early() const;

  /// Keys remembered now. For tests and metrics: looks at each stripe in turn.
  uint64_t size() const;

 private:
  class Stripe;
  class Shares;
  static constexpr uint32_t stripe_count = 256;

  Stripe& stripe(const IdempotencyKey& key) const;

  const Options options_;
  const std::array<HashKey, 2> secret_;
  const std::unique_ptr<Shares> shared_shares_;  ///< Outlives the stripes.
  const std::unique_ptr<Stripe[]> shared_stripes_;
};

}  // namespace ringpost::ingest
