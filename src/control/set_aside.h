#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "control/forward_item.h"
#include "control/journal_access.h"
#include "control/store/set_aside_table.h"
#include "index/index.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::control {

/// What the central relay refused, and what of it is to be sent again: a list in the store; the
/// events themselves are in the journals, as long as these keep them.
///
/// Changes the store: only while everything in there is durable.
class SetAside {
 public:
  /// Of one batch: each is read from a place of its own.
  static constexpr uint32_t again_max = 100;

  /// All are borrowed.
  SetAside(SetAsideTable& table, JournalAccess& journals, index::Index& history)
      : table_(table), journals_(journals), history_(history) {}

  Result<void> load();

  uint64_t count() const { return count_; }
  /// Of them, those that are to be sent again.
  uint64_t again_count() const { return again_count_; }
  /// As SetAsideTable::list.
  Result<std::vector<SetAsideEvent>> list(const std::optional<Ulid>& before, uint32_t limit) {
    return table_.list(before, limit);
  }

  /// One that is to be sent again is in the list behind all others then, unless it was dropped.
  /// @param status  of the answer; 0: it was not sent. @returns false, and the log says why, if it
  ///                could not be stored.
  bool put(const ForwardItem& item, uint16_t status, std::string reason, WallTime now);
  /// Has them sent again. @returns how many.
  Result<uint64_t> send_again(const SetAsideChoice& choice);
  /// @returns how many are forgotten.
  Result<uint64_t> drop(const SetAsideChoice& choice);

  /// The next that are to be sent again, with `set_aside_status`. Those that no journal has any
  /// more are set aside for that. An error if the list or a journal cannot be read, which may pass.
  Result<std::vector<ForwardItem>> next(WallTime now);
  /// The central relay has it. If that cannot be stored, which the log says, it is sent once more.
  void remove(const ForwardItem& item);

 private:
  Result<std::optional<ForwardItem>> find(const SetAsideEvent& event);
  Result<void> count_again();

  SetAsideTable& table_;
  JournalAccess& journals_;
  index::Index& history_;
  uint64_t count_ = 0;
  uint64_t again_count_ = 0;
};

}  // namespace ringpost::control
