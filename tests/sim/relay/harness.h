#pragma once

#include "shard/relay.h"
#include "sim/disk.h"
#include "sim/relay/resolver.h"
#include "sim/relay/store_disk.h"
#include "sim/ring.h"
#include "sim/world.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ringpost::sim {

/// A whole relay in a world: its shards on simulated rings, its control side as an actor. It dies
/// and lives again on the same disk and the same control store (in memory: a sync takes its time,
/// and a loss of power takes what was not synced).
///
/// The world outlives it. Not to be started, stopped or crashed from inside an actor's turn.
class RelayHarness {
 public:
  /// The token that every request carries: all scopes, organization `default`.
  static constexpr std::string_view token = "rp_simulated";
  static const io::Address address;

  using Adjust = std::function<void(shard::RelayOptions& options)>;

  /// @param adjust  changes the options of every start; absent: the harness's own.
  explicit RelayHarness(World& world, uint32_t shard_count = 1, Adjust adjust = {});
  ~RelayHarness();
  RelayHarness(const RelayHarness&) = delete;
  RelayHarness& operator=(const RelayHarness&) = delete;

  /// Opens the relay and runs its shards from now on. @returns why it does not start; empty if it
  /// does.
  std::string start();
  bool running() const { return relay_ != nullptr; }

  /// The control thread, or the journal thread, stands still for as long as `held`: it has
  /// something long to do for a person, or its disk does not answer. Until the end of this life at
  /// most.
  void hold_control(bool held);
  void hold_journal(bool held);
  /// Syncs of the control store take until then.
  void hold_store(bool held);

  /// The process ends at once, with what that does to the disk; the world may go on.
  void crash(Crash kind = Crash::power);

  /// Asks for an orderly stop, as the first SIGTERM does. The world has to run for it to end.
  void request_stop();
  /// As the second SIGTERM does, or the end of the drain time.
  void hasten();
  bool stopped() const;
  /// After `stopped()`: the process is gone.
  void leave();
  /// All of it: asks, runs the world for at most `drain`, hastens, runs on, leaves.
  void stop(Duration drain = std::chrono::seconds{30});

  /// From the next start on.
  void set_shard_count(uint32_t count) { shard_count_ = count; }
  uint32_t shard_count() const { return shard_count_; }

  Names& names() { return names_; }
  World& world() { return world_; }
  shard::Relay& relay() { return *relay_; }
  /// The sum over all shards since the last start.
  uint64_t count(Counter counter) const;
  /// Runs the world until nothing is pending, and what became of it is on record.
  bool settle(Duration within);

 private:
  class ShardActor;
  class HelperActor;
  class StoreSyncer;

  shard::RelayOptions options();
  void insert_token();
  void start_helpers();

  World& world_;
  const Adjust adjust_;
  StoreDisk store_;
  uint32_t shard_count_;
  Names names_;
  std::unique_ptr<shard::Relay> relay_;
  std::unique_ptr<HelperActor> control_;
  std::unique_ptr<HelperActor> journal_;
  std::unique_ptr<StoreSyncer> syncer_;
  std::unique_ptr<HelperActor> store_thread_;
  std::vector<std::unique_ptr<ShardActor>> shards_;
};

}  // namespace ringpost::sim
