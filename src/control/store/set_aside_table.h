#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/ulid.h"
#include "control/store/sqlite.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::control {

/// An event that the central relay refused for good.
struct SetAsideEvent {
  Ulid uid;
  std::string organization;
  std::string id;
  std::string source;
  std::string type;
  WallTime accepted_at{};
  WallTime set_aside_at{};
  uint16_t status = 0;  ///< Of the answer; 0: it was never sent.
  std::string reason;   ///< A sentence.
  bool again = false;   ///< It is to be sent again.
};

/// Which of them are meant; nothing: whatever it is.
struct SetAsideChoice {
  std::optional<std::string> id;
  std::optional<std::string> source;
};

/// The table `forward_aside` of the control store. Part of Store: see there for threads and
/// durability.
class SetAsideTable {
 public:
  /// Beyond, the oldest are forgotten: the events themselves stay in the history.
  static constexpr int64_t entries_max = 10'000;

  Result<void> prepare(Database& database);

  /// One of the same uid is replaced.
  Result<void> insert(const SetAsideEvent& event);
  /// Up to `limit`, those that were set aside last first.
  /// @param before  go on behind this one; an unknown one is the end.
  /// @returns Errc::corrupt at a row that cannot be used.
  Result<std::vector<SetAsideEvent>> list(const std::optional<Ulid>& before, uint32_t limit);
  Result<uint64_t> count();

  /// Marks them: they are to be sent again. @returns how many were chosen.
  Result<uint64_t> mark(const SetAsideChoice& choice);
  /// Up to `limit` marked ones, those that were set aside first first. Errors as `list`.
  Result<std::vector<SetAsideEvent>> marked(uint32_t limit);
  Result<uint64_t> marked_count();
  Result<bool> contains(const Ulid& uid);
  /// @returns how many were chosen, and are forgotten.
  Result<uint64_t> remove(const SetAsideChoice& choice);
  Result<void> remove(const Ulid& uid);

 private:
  Result<uint64_t> change(Statement& statement, const SetAsideChoice& choice);
  Result<std::vector<SetAsideEvent>> read(Statement& statement);

  Database* database_ = nullptr;  // The store's; outlives this.
  Statement insert_;
  Statement prune_;
  Statement list_;
  Statement mark_;
  Statement marked_;
  Statement contains_;
  Statement remove_;
  Statement remove_one_;
};

}  // namespace ringpost::control
