#pragma once

#include "api/answer.h"
#include "base/prng.h"
#include "control/store/audit_log.h"
#include "io/address.h"
#include "subscription/token.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

class Store;

using api::Change;

/// The audit log: every change that is made over a management API, native or a dialect's. Written
/// after the change and before its answer. Refused logins and tokens are not in it; they are
/// counted.
class Audit {
 public:
  /// How long entries are kept, as long as there are not more than AuditLog::entries_max.
  static constexpr Duration age_max = std::chrono::hours(400 * 24);

  Audit(Store& store, Prng& random) : store_(store), random_(random) {}

  struct Entry {
    const subscription::Token& by;
    const io::Address& peer;
    WallTime at{};
    uint16_t status = 0;  ///< Of the answer.
    Change change;
  };
  /// As durable on return as the change that it describes. The change is made already: if the store
  /// fails now, the entry goes to the log of the process instead, as an error.
  void record(const Entry& entry);

  Result<std::vector<AuditEntry>> list(const AuditQuery& query);

  /// Removes old entries, one small step. @param wall_now  if the wall clock can be believed.
  /// @returns whether there is more to remove now.
  bool step(std::optional<WallTime> wall_now, Instant now);
  /// Whether time alone can make entries removable.
  bool pending() const { return any_left_; }

 private:
  static constexpr Duration prune_interval = std::chrono::hours(1);
  static constexpr uint32_t recorded_between_prunes = 256;

  Store& store_;
  Prng& random_;
  std::optional<Instant> pruned_at_;
  uint32_t recorded_ = 0;  // Since then.
  bool any_left_ = false;
};

}  // namespace ringpost::control
