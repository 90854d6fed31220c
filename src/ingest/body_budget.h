#pragma once

#include "base/memory.h"
#include "io/ring.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>

namespace ringpost::ingest {

/// How many bytes of request bodies the connections of a shard may hold together (reliability rule
/// 5: the bound of one body times the bound of connections is no bound).
///
/// Who has not shown a token yet (the management APIs look at theirs when the body is here) gets a
/// quarter of it: nobody without one can take producers' room away. An organization may have four
/// times what is left, so that there is always something left for the next one; its only body may
/// have all of it.
///
/// After heavy use, the pages that it needed go back to the system.
class BodyBudget {
 public:
  struct Options {
    uint64_t bytes_max = uint64_t{256} << 20;
    uint64_t large_use = 16u << 20;            ///< From here on memory is given back afterwards.
    uint64_t small_use = 1u << 20;             ///< Below, heavy use has ended.
    Duration quiet = std::chrono::seconds{1};  ///< How long it has to be over.
    void (*give_back)() = &return_free_memory;
  };

  /// The part of one connection.
  struct Share {
    uint64_t bytes = 0;
    /// Its subscription::organization_key, if a token was shown. Changed only while `bytes` is 0.
    std::optional<uint64_t> organization;
  };

  BodyBudget(io::Ring& ring, const Options& options);

  /// For what is let in from now on.
  void set_bytes_max(uint64_t bytes_max) { options_.bytes_max = bytes_max; }

  /// Whether the share may become `bytes` in all.
  bool fits(const Share& share, uint64_t bytes) const;
  /// Makes the share `bytes` in all, if it is less. @returns false, and changes nothing, if that
  /// does not fit.
  bool grow(Share& share, uint64_t bytes);
  /// The body is gone.
  void drop(Share& share);

  uint64_t used() const { return used_; }

 private:
  bool fits_organization(const Share& share, uint64_t more) const;
  void count_out(const Share& share);
  void on_quiet();

  io::Ring& ring_;
  Options options_;
  uint64_t used_ = 0;
  uint64_t unvouched_ = 0;                          ///< Of `used_`: without a token.
  std::unordered_map<uint64_t, uint64_t> used_by_;  ///< Of `used_`: of organizations, not 0.

  bool owing_ = false;       ///< There was a large use, and its pages were not given back.
  bool used_again_ = false;  ///< A large use since the timer was armed.
  io::Timer quiet_timer_;    ///< Armed after heavy use: a shard at rest sleeps.
};

}  // namespace ringpost::ingest
