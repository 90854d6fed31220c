#include "control/audit.h"

#include "base/log.h"
#include "control/store/store.h"

namespace ringpost::control {

void Audit::record(const Entry& entry) {
  const Change& change = entry.change;
  AuditEntry stored;
  stored.id = Ulid::mint(entry.at, random_);
  stored.at = entry.at;
  stored.organization = change.organization.empty() ? entry.by.organization : change.organization;
  stored.token = entry.by.id;
  stored.token_name = entry.by.name;
  stored.token_organization = entry.by.organization;
  stored.operation = change.operation;
  stored.object = change.object;
  stored.members = change.members;
  stored.peer = entry.peer.to_text();
  stored.status = entry.status;
  ++recorded_;
  any_left_ = true;
  if (const auto done = store_.audit().insert(stored); !done) {
    log_error("a change is missing in the audit log, because the control store failed (" +
              describe(done.error()) + "): " + stored.operation + " of " + stored.object +
              " by token " + stored.token.to_text() + " from " + stored.peer);
  }
}

Result<std::vector<AuditEntry>> Audit::list(const AuditQuery& query) {
  return store_.audit().list(query);
}

bool Audit::step(std::optional<WallTime> wall_now, Instant now) {
  const bool due =
      !pruned_at_ || now - *pruned_at_ >= prune_interval || recorded_ >= recorded_between_prunes;
  if (!due) return false;
  pruned_at_ = now;
  recorded_ = 0;
  const auto pruned =
      store_.audit().prune(wall_now ? std::optional{*wall_now - age_max} : std::nullopt);
  if (!pruned) {
    log_error("could not delete old entries of the audit log: " + describe(pruned.error()));
    return false;
  }
  any_left_ = pruned->any_left;
  if (pruned->removed < AuditLog::prune_step) return false;
  pruned_at_.reset();
  return true;
}

}  // namespace ringpost::control
