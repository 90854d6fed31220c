#include "server/reload.h"

#include "server/config_keys.h"
#include "server/hosts.h"
#include "server/key_file.h"
#include "server/log.h"
#include "server/settings.h"

#include <utility>

namespace ringpost::server {

namespace {

std::vector<io::Address> addresses_of(const std::vector<ListenerConfig>& listeners) {
  std::vector<io::Address> addresses;
  for (const ListenerConfig& listener : listeners) addresses.push_back(listener.address);
  return addresses;
}

}  // namespace

Reloader::Reloader(io::Disk& disk, ServeCall call, const Config& running)
    : disk_(disk), call_(std::move(call)), running_(running), drain_max_(running.drain_max) {
  set_listeners(addresses_of(running.listeners));
}

void Reloader::set_listeners(std::vector<io::Address> bound) {
  listeners_ = std::move(bound);
  own_addresses_->set(server::own_addresses(running_, listeners_));
}

shard::Reloaded Reloader::reload() {
  shard::Reloaded reloaded;
  ConfigResult read = check_config(disk_, call_);
  if (!read.problems.empty()) {
    reloaded.outcome.problems = std::move(read.problems);
    return reloaded;
  }
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
  reloaded.outcome.changed = std::move(change.changed);
  reloaded.outcome.needs_restart = std::move(change.needs_restart);
  reloaded.live = std::move(*live);
  reloaded.control = control_settings(running_);
  return reloaded;
}

}  // namespace ringpost::server
