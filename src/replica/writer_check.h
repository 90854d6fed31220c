#pragma once

#include "base/clock.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace ringpost::replica {

/// The writer's detector of rollbacks, for one topic of one partition. A reader notices that a log
/// lost its tail only if it had read that far; a writer knows that blocks of its own were
/// acknowledged and must be there. It keeps the newest one, and reads it again at every connect,
/// when the partition has another leader, and each minute.
///
/// Until that is done it keeps the newest one of each leader: what a new leader acknowledges says
/// nothing about the blocks that the old one had. So the news of a new leader has to come before
/// its first acknowledgement, and acknowledgements of a partition in the order of its appends.
class WriterCheck {
 public:
  static constexpr size_t kept_max = 8;
  static constexpr Duration every = std::chrono::minutes(1);

  struct Acknowledged {
    uint64_t offset = 0;
    uint32_t crc = 0;  ///< As in the block's header.

    friend bool operator==(const Acknowledged&, const Acknowledged&) = default;
  };

  /// @returns false if that shows a rollback: offsets only rise.
  [[nodiscard]] bool on_acknowledged(const Acknowledged& block);
  void on_connected() { begin(); }
  void on_leader_changed() { begin(); }

  /// The offset to read now, if it is time and no answer is awaited. @param now  monotonic.
  std::optional<uint64_t> next(Instant now);
  /// @param crc  of the block there; nothing: no block is there any more.
  /// @returns false if that shows a rollback.
  [[nodiscard]] bool on_read(uint64_t offset, std::optional<uint32_t> crc);
  /// The read failed without an answer; it is asked again.
  void on_read_failed() { awaited_ = false; }
  /// Blocks below it were trimmed and cannot be read any more.
  void on_trimmed(uint64_t first);
  /// After a rollback: nothing is known any more.
  void forget();

  /// For the store, to be kept over a restart; oldest first.
  std::span<const Acknowledged> kept() const { return {kept_.data(), kept_count_}; }
  /// What `kept` said before the restart. All of them are read again.
  void restore(std::span<const Acknowledged> blocks);

 private:
  void begin() {
    reading_ = 0;
    may_replace_newest_ = awaited_ = false;
  }
  bool is_reading() const { return reading_ < kept_count_; }

  std::array<Acknowledged, kept_max> kept_{};  // Oldest first.
  size_t kept_count_ = 0;
  size_t reading_ = 0;  // The next to read; kept_count_: all were read.
  bool may_replace_newest_ = false;
  bool awaited_ = false;
  std::optional<Instant> checked_at_;
};

}  // namespace ringpost::replica
