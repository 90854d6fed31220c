#include "server/reload.h"

#include "server/config_keys.h"
#include "server/key_file.h"
#include "server/log.h"
#include "server/settings.h"

#include <utility>

namespace ringpost::server {

shard::Reloaded Reloader::reload() {
  shard::Reloaded reloaded;
  ConfigResult read = check_config(disk_, call_);
  if (!read.problems.empty()) {
    reloaded.outcome.problems = std::move(read.problems);
    return reloaded;
  }
  ConfigChange change = change_of(running_, std::move(read.config));
  std::string why;
  auto live = live_settings(change.config, why);
  if (!live) {
    reloaded.outcome.problems.push_back({call_.config_file, 0, 0, why});
    return reloaded;
  }
  running_ = std::move(change.config);
  set_log_level(running_.log_level);
  drain_max_.store(running_.drain_max, std::memory_order_relaxed);
  reloaded.outcome.changed = std::move(change.changed);
  reloaded.outcome.needs_restart = std::move(change.needs_restart);
  reloaded.live = std::move(*live);
  reloaded.control = control_settings(running_);
  return reloaded;
}

}  // namespace ringpost::server
