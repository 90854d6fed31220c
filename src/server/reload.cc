#include "server/reload.h"

#include "base/log.h"
#include "server/budgets.h"
#include "server/config_keys.h"
#include "server/hosts.h"
#include "server/key_file.h"
#include "server/log.h"
#include "server/settings.h"

#include <utility>

namespace ringpost::server {

Reloader::Reloader(io::Disk& disk, ServeCall call, const Config& running, Machine machine)
    : disk_(disk),
      call_(std::move(call)),
      machine_(std::move(machine)),
      started_(running),
      running_(running),
      drain_max_(running.drain_max) {
  set_listeners(addresses_of(running.listeners));
}

void Reloader::set_listeners(std::vector<io::Address> bound) {
  listeners_ = std::move(bound);
  own_addresses_->set(server::own_addresses(running_, listeners_));
}

/// What memory and shards of the next start will come to is not used before, nor reported as a
/// change: nobody made one.
Budgets Reloader::fit(Config& read) const {
  Config basis = read;
  basis.memory_max = started_.memory_max;
  if (read.shards == 0) read.shards = budgets_of(basis, machine_).limits.shards;
  const uint32_t shards = read.shards;
  basis.shards = started_.shards;
  Budgets budgets = budgets_of(basis, machine_);
  use(budgets, read);
  read.shards = shards;
  const auto keep = [&](std::string_view key, auto Config::*limit) {
    if (!read.gives(key) && !started_.gives(key)) read.*limit = started_.*limit;
  };
  keep("journal.history_memory_max", &Config::history_memory_max);
  keep("journal.segment_bytes", &Config::segment_bytes);
  keep("ingest.idempotency_entries_max", &Config::idempotency_entries_max);
  return budgets;
}

shard::Reloaded Reloader::reload() {
  shard::Reloaded reloaded;
  ConfigResult read = check_config(disk_, call_);
  if (!read.problems.empty()) {
    reloaded.outcome.problems = std::move(read.problems);
    return reloaded;
  }
  const Budgets budgets = fit(read.config);
  ConfigChange change = change_of(running_, std::move(read.config));
  std::string why;
  auto live = live_settings(change.config, own_addresses_, why);
  if (!live) {
    reloaded.outcome.problems.push_back({call_.config_file, 0, 0, why});
    return reloaded;
  }
  running_ = std::move(change.config);
  own_addresses_->set(server::own_addresses(running_, listeners_));
  set_log_level(running_.log_level);
  drain_max_.store(running_.drain_max, std::memory_order_relaxed);
  if (const std::string warning = warning_of(budgets); !warning.empty()) log_warning(warning);
  reloaded.outcome.changed = std::move(change.changed);
  reloaded.outcome.needs_restart = std::move(change.needs_restart);
  reloaded.live = std::move(*live);
  reloaded.control = control_settings(running_);
  return reloaded;
}

}  // namespace ringpost::server
