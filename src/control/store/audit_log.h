#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/ulid.h"
#include "control/store/sqlite.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

/// One change that somebody made over a management API. Names of members, never their values: a
/// URL, a header or a template may hold a secret.
struct AuditEntry {
  Ulid id;
  WallTime at{};
  std::string organization;          ///< Whose object was changed.
  Ulid token;                        ///< Who changed it.
  std::string token_name;            ///< As it was then.
  std::string token_organization;    ///< Differs from `organization` if the operator did it.
  std::string operation;             ///< `webhook.update`
  std::string object;                ///< The object's id.
  std::vector<std::string> members;  ///< What was set or changed.
  std::string peer;                  ///< From where: an address as text.
  uint16_t status = 0;               ///< That was answered.
};

/// Which entries a list is to hold: of one organization, newest first.
struct AuditQuery {
  std::string organization;
  std::optional<WallTime> since;  ///< From then on.
  std::optional<WallTime> until;  ///< Before then.
  std::optional<Ulid> before;     ///< Entries that come after this one in the list.
  uint32_t limit = 0;
};

/// The table `audit` of the control store. Part of Store: see there for threads and
/// durability.
class AuditLog {
 public:
  static constexpr int64_t entries_max = 100'000;
  /// Of the oldest entries, those that one `prune` looks at: a few milliseconds.
  static constexpr int64_t prune_step = 500;

  Result<void> prepare(Database& database);

  /// `id` is the caller's, and new.
  Result<void> insert(const AuditEntry& entry);

  /// @returns Errc::corrupt at an entry that cannot be used. An unknown `before` is the end: what
  ///          comes after it is older, and was removed before it.
  Result<std::vector<AuditEntry>> list(const AuditQuery& query);

  struct Pruned {
    int64_t removed = 0;
    bool any_left = false;
  };
  /// Removes up to `prune_step` of the oldest entries, if they are from before `oldest`. Then,
  /// beyond `entries_max`, up to as many of the oldest of the organization that has most: nobody
  /// can wash out what others did by changing things over and over.
  Result<Pruned> prune(std::optional<WallTime> oldest);

 private:
  struct Place {
    int64_t at;
    int64_t number;
  };
  Result<int64_t> count();
  Result<std::optional<Place>> place_of(const AuditQuery& query);

  Database* database_ = nullptr;  // The store's; outlives this.
  Statement insert_;
  Statement place_;
  Statement list_;
  Statement prune_old_;
  Statement count_;
  Statement prune_many_;
};

}  // namespace ringpost::control
