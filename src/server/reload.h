#pragma once

#include "io/disk.h"
#include "net/own_addresses.h"
#include "server/budgets.h"
#include "server/config.h"
#include "server/machine.h"
#include "shard/relay.h"

#include <atomic>

namespace ringpost::server {

/// Reads the configuration of a running relay again, in the way in which its start did.
///
/// Thread safety: `reload` belongs to the control thread; `drain_max` may be asked from any.
class Reloader {
 public:
  /// @param disk     borrowed. @param call  how the relay was started.
  /// @param running  what it was started with, fitted to the machine (budgets.h: use).
  /// @param machine  what its limits follow from, until the next start.
  Reloader(io::Disk& disk, ServeCall call, const Config& running, Machine machine);

  /// The listeners are bound there. Before the control thread starts.
  void set_listeners(std::vector<io::Address> bound);
  /// Where the relay itself can be reached; kept up to date here.
  std::shared_ptr<const net::OwnAddresses> own_addresses() const { return own_addresses_; }

  /// Without problems the log uses the new configuration already; what else there is to change
  /// is in the result.
  shard::Reloaded reload();

  /// How long a stop waits, as of the last reload.
  Duration drain_max() const { return drain_max_.load(std::memory_order_relaxed); }

 private:
  Budgets fit(Config& read) const;

  io::Disk& disk_;
  const ServeCall call_;
  const Machine machine_;
  const Config started_;
  Config running_;
  std::vector<io::Address> listeners_;
  const std::shared_ptr<net::OwnAddresses> own_addresses_ = std::make_shared<net::OwnAddresses>();
  std::atomic<Duration> drain_max_;  ///< Written on the control thread, read on the main thread.
};

}  // namespace ringpost::server
