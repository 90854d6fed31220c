#pragma once

#include "base/counters.h"
#include "control/begun_journals.h"
#include "control/control.h"
#include "control/journal_files.h"
#include "control/store/store.h"
#include "index/index.h"
#include "ingest/idempotency.h"
#include "io/disk.h"
#include "journal/reader.h"
#include "journal/recovery.h"
#include "journal/segments.h"
#include "shard/journal_desk.h"
#include "shard/live_settings.h"
#include "shard/mailroom.h"
#include "shard/recovered_pauses.h"
#include "shard/shard.h"
#include "subscription/table.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::shard {

/// What a reload of the configuration brings.
struct Reloaded {
  control::ReloadOutcome outcome;
  LiveSettings live;                   ///< Without problems in `outcome`: what is to be in force.
  control::Control::Settings control;  ///< Likewise.
};

struct RelayOptions {
  uint32_t shard_count = 1;
  std::string data_dir;
  uint32_t segment_bytes = 64u << 20;
  bool accept_loss = false;  ///< Start although segments are missing.
  /// Somebody calls Relay::password_turn. Otherwise the control thread checks passwords itself.
  bool password_thread = false;
  /// Somebody calls Relay::store_turn. Otherwise the store's changes are durable when made.
  bool store_thread = false;
  ingest::IdempotencyWindow::Options idempotency;
  uint64_t history_memory_max = uint64_t{64} << 20;  ///< index::Index::Options::memory_max.
  LiveSettings live;
  control::Control::Settings control;
  io::Engine engine = io::Engine::io_uring;  ///< What the shards run on.
  std::string engine_reason;                 ///< As control::Control::Options has it.
  /// Drawn from the system in production, from the run's seed in simulation.
  uint64_t seed = 0;
  std::array<HashKey, 5> hash_keys{};
  /// Keeps the first token for people, before anything else may fail: it is made only once.
  /// @returns false if it could not. May be empty.
  std::function<bool(const std::string& token)> keep_admin_token;
  /// For `GET /metrics`, on the control thread; may block, may be empty.
  control::MachineSource machine;
  /// Reads the configuration again, on the control thread. Empty: there is nothing to read.
  std::function<Reloaded()> reload;
  /// On the control thread: what was reloaded is in force on every shard, or was refused.
  std::function<void()> reload_done;
};

/// What a start found, for the log and for people.
struct StartReport {
  journal::RecoveryReport recovery;
  uint64_t pending_deliveries = 0;
};

/// A relay without its threads: what all shards share, and the control side. The server gives each
/// shard and the control side a thread; the simulation turns them all in one.
///
/// Life: `open` (blocking: store, recovery, first segments), `make_shard` for each shard on its
/// thread, `control_turn` from the control thread for as long as shards turn, destroy.
class Relay {
 public:
  /// @param store  open; @param problem  set on failure: a sentence that names the file.
  static std::unique_ptr<Relay> open(io::Disk& disk, control::Store& store,
                                     const RelayOptions& options, WallTime wall_now, Instant now,
                                     std::string& problem);

  ~Relay();

  const StartReport& report() const { return report_; }
  Mailroom& mailroom() { return mailroom_; }
  std::span<Counters> counters() { return {counters_.get(), options_.shard_count}; }
  uint32_t shard_count() const { return options_.shard_count; }
  /// Of a request with several events, at present. From any thread.
  uint64_t batch_bytes_max() const { return settings_.get()->event_limits.batch_bytes_max; }

  /// A shard with its first segment and the deliveries that a former life left open. On its thread.
  std::unique_ptr<Shard> make_shard(uint32_t index, io::Ring& ring, net::Resolver& resolver);

  /// Answers all messages that wait, then does one piece of housekeeping. On the control thread.
  /// @returns whether more is waiting to be done now.
  bool control_turn(WallTime wall_now, Instant now);
  /// When `control_turn` is wanted next without a message before.
  std::optional<Instant> control_due() const { return control_->next_due(); }
  bool control_has_messages();
  /// The same for the journal thread: files that shards read from, segment files.
  bool journal_turn(WallTime wall_now, Instant now) { return desk_->turn(wall_now, now); }
  std::optional<Instant> journal_due() const { return desk_->due(); }
  bool journal_has_messages() { return desk_->has_messages(); }
  /// The same for the password thread: checks one password.
  bool password_turn();
  bool password_has_messages() { return !mailroom_.passwords_wanted().empty(); }
  /// The same for the store thread. @param log  of the relay's store.
  bool store_turn(control::LogSync& log);
  bool store_has_messages() { return !mailroom_.store_syncs_wanted().empty(); }
  /// Reads the configuration again, as SIGHUP wants it: all of what can change takes effect, or
  /// nothing. On the control thread; a `control_turn` has to follow.
  void reload(WallTime wall_now) { control_->reload(wall_now); }
  /// For simulations, between control turns: what the control side counts adds up.
  void check() const { control_->check(); }

 private:
  class Visitor;
  class ToShards;
  class ToDesk;
  class ToPasswords;
  class ToStore;

  Relay(io::Disk& disk, control::Store& store, const RelayOptions& options);

  Result<void> identify(std::string& problem);
  Result<void> recover(WallTime wall_now, Instant now, std::string& problem);
  std::vector<uint16_t> all_journals() const;
  Result<void> open_journals(std::string& problem);
  Result<void> prepare_segments(WallTime wall_now, std::string& problem);
  Error no_segment(const Error& error, std::string& problem) const;
  void distribute_pending();
  void restore(Shard& shard, uint32_t index);
  bool perhaps_begun(const delivery::PendingDelivery& pending) const;
  control::WebhookChecks webhook_checks() const;
  control::ReloadOutcome apply_reload();

  io::Disk& disk_;
  control::Store& store_;
  const RelayOptions options_;
  const std::string journal_directory_;
  uint64_t directory_id_ = 0;
  Prng random_;

  SettingsInForce settings_;  ///< Replaced on the control thread, fetched on the shards'.
  Mailroom mailroom_;
  const std::unique_ptr<Counters[]> counters_;
  const std::unique_ptr<subscription::PendingCounts[]> pending_counts_;
  subscription::SubscriptionTable table_;
  ingest::IdempotencyWindow window_;
  journal::CarriedPlaces places_;  ///< Written by the control thread, read by shards.
  control::BegunJournals begun_;
  std::vector<journal::BegunJournal> expected_;  ///< The same, for recovery.
  std::unique_ptr<journal::Reader> reader_;
  std::unique_ptr<journal::SegmentKeeper> keeper_;
  std::unique_ptr<index::Index> history_;  ///< The control thread's, from the end of `open` on.
  std::unique_ptr<ToDesk> orders_;
  std::unique_ptr<control::JournalFiles> files_;
  std::unique_ptr<JournalDesk> desk_;  ///< Has the keeper from the end of `open` on.
  std::unique_ptr<ToPasswords> passwords_;
  std::unique_ptr<ToStore> syncs_;
  std::unique_ptr<ToShards> post_;
  std::unique_ptr<control::Control> control_;
  std::vector<control::ToControl> requests_;  ///< Of people, while news is read first.
  std::vector<uint32_t> request_shards_;
  std::vector<std::optional<journal::PreparedSegment>> first_segments_;
  std::unique_ptr<control::PendingTable> recovered_;  ///< Until each shard has restored its part.
  std::atomic<uint32_t> shards_to_restore_{0};
  RecoveredPauses recovered_pauses_;
  std::vector<std::vector<delivery::PendingPause>> pauses_;
  StartReport report_;
  WallTime latest_id_{};  ///< The time of the newest event's id.
  WallTime
      latest_record_{};  ///< When the newest record of all journals was made, or a little before.
  std::string last_finding_;  ///< Of recovery: what ends it is reported right before.
};

}  // namespace ringpost::shard
