#pragma once

#include "base/siphash.h"
#include "base/uint128.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ringpost::sink {

/// What one endpoint received: duplicates, losses and order. Deliveries are remembered by a hash of
/// 128 bits, so that millions fit into memory.
class Ledger {
 public:
  struct Sighting {
    std::string_view delivery;       ///< Its id; empty: unknown, so never a duplicate.
    std::optional<uint64_t> number;  ///< Of the event; absent: unknown, so neither loss nor order.
    /// Numbers of one key are to come in order; absent: the order does not matter.
    std::optional<std::string_view> key;
  };

  /// A delivery that was seen.
  struct Delivery {
    bool succeeded = false;  ///< It was answered with 2xx; for the sink to set.
  };

  /// @param expect  events 1 to this number are to come.
  Ledger(const HashKey& key, uint64_t expect) : key_(key), expect_(expect) {}

  /// @returns where to note that this request was answered with 2xx. Lives as long as the ledger;
  ///          null if the delivery is unknown.
  Delivery* note(const Sighting& sighting);

  /// Requests whose delivery had come before: further attempts, and repeats after a success.
  uint64_t duplicates() const { return duplicates_; }
  /// Those of them that came after the delivery had been answered with 2xx.
  uint64_t duplicates_after_success() const { return duplicates_after_success_; }
  uint64_t deliveries() const { return deliveries_.size(); }

  /// How many of 1 to `expect` have not come, and the first of them.
  uint64_t missing_count() const { return expect_ - numbers_seen_; }
  std::vector<uint64_t> first_missing(size_t count_max) const;

  /// Requests whose number is below one of the same key that came earlier, and that were not
  /// answered with 2xx before.
  uint64_t out_of_order() const { return out_of_order_; }
  struct Disorder {
    std::string key;
    uint64_t number = 0;
    uint64_t after = 0;  ///< The greatest number that had come.
  };
  /// The first ten.
  const std::vector<Disorder>& disorders() const { return disorders_; }

 private:
  struct Identity {
    size_t operator()(Uint128 hash) const { return static_cast<size_t>(hash); }
  };

  Uint128 hash_of(std::string_view text) const;
  void note_number(uint64_t number);
  void note_order(const Sighting& sighting);

  const HashKey key_;
  const uint64_t expect_;
  std::unordered_map<Uint128, Delivery, Identity> deliveries_;
  std::unordered_map<Uint128, uint64_t, Identity> greatest_;  ///< By the hash of the order's key.
  std::vector<bool> numbers_;  ///< At number - 1; as long as the greatest one that came.
  uint64_t numbers_seen_ = 0;
  uint64_t duplicates_ = 0;
  uint64_t duplicates_after_success_ = 0;
  uint64_t out_of_order_ = 0;
  std::vector<Disorder> disorders_;
};

}  // namespace ringpost::sink
