#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/ulid.h"
#include "control/store/sqlite.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

/// What a replay is to send again, as who started it spelled it. Empty texts and times: any.
struct ReplayOrder {
  std::string organization;
  std::vector<std::string> token_sources;  ///< Of the token that started it; empty: all.
  uint32_t webhook_number = 0;             ///< 0: deliveries to all webhooks.
  std::string webhook;                     ///< Its id.
  uint32_t into_number = 0;                ///< 0: each to its own webhook once more.
  std::string into;
  std::string source;
  std::string type;
  std::string status;
  std::string error;
  std::string response_status;
  WallTime since{};
  WallTime until{};
  bool dry_run = false;
  bool again = false;  ///< Also what was sent again before.
};

enum class ReplayState : uint8_t { running, paused, done, cancelled, failed };
std::string_view name(ReplayState state);
constexpr bool is_over(ReplayState state) {
  return state != ReplayState::running && state != ReplayState::paused;
}

/// How far a replay has come. It goes from the newest delivery to the oldest; a place is an event's
/// uid and a webhook's number, as index::DeliveryPlace.
struct ReplayProgress {
  ReplayState state = ReplayState::running;
  std::string state_reason;  ///< A sentence; may be empty.
  Ulid done_uid;             ///< What is not before this place is done.
  uint32_t done_webhook = 0;
  Ulid planned_uid;  ///< What is not before this place may have been sent.
  uint32_t planned_webhook = 0;
  uint64_t matched = 0;
  uint64_t sent = 0;
  uint64_t skipped = 0;
  std::vector<std::string>
      sample;  ///< Deliveries that were sent again, or would be: the first few.
  WallTime updated_at{};
};

struct StoredReplay {
  Ulid id;
  ReplayOrder order;
  ReplayProgress progress;
  WallTime created_at{};
};

/// The table `replay` of the control store. Part of Store: see there for threads and durability.
class ReplayTable {
 public:
  Result<void> prepare(Database& database);

  /// `id` is the caller's, and new.
  Result<void> insert(const StoredReplay& replay);
  /// @returns Errc::not_found if there is none with this id.
  Result<void> set_progress(const Ulid& id, const ReplayProgress& progress);
  /// Nothing happens if there is none.
  Result<void> remove(const Ulid& id);

  /// All, the oldest first. @returns Errc::corrupt at a row that cannot be used.
  Result<void> load(const std::function<void(StoredReplay&&)>& visit);

 private:
  Database* database_ = nullptr;  // The store's; outlives this.
  Statement insert_;
  Statement update_;
  Statement remove_;
};

}  // namespace ringpost::control
