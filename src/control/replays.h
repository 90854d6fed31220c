#pragma once

#include "api/problem.h"
#include "base/prng.h"
#include "control/api/list_query.h"
#include "control/journal_access.h"
#include "control/messages.h"
#include "control/store/replay_table.h"
#include "control/visible_history.h"
#include "control/webhook_registry.h"
#include "index/index.h"
#include "subscription/pending_counts.h"
#include "subscription/token.h"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace ringpost::control {

class Store;

/// Replays: deliveries of the past that are sent again, many at a time, in the background.
/// README.md, "Replays", says what is promised.
///
/// A replay goes from the newest delivery to the oldest, batch by batch: a batch is chosen, its end
/// is written to the store, and only when that is durable its events go to the shards. When all of
/// them are durable in the journals, the next batch follows. So after a crash the store says which
/// few deliveries may have been sent, and of these the history tells which were.
class Replays {
 public:
  /// All borrowed; they outlive it.
  struct Parts {
    Store& store;
    const WebhookRegistry& registry;
    const VisibleHistory& history;
    JournalAccess& journals;
    Post& post;
    Prng& random;
    std::span<const subscription::PendingCounts> pending_counts;  ///< May be empty.
    uint32_t shard_count = 1;
  };

  static constexpr size_t unfinished_max = 4;  ///< Of one organization.
  static constexpr size_t finished_max = 50;   ///< Likewise; of more the oldest are forgotten.
  static constexpr uint32_t batch_max = 100;
  /// From one batch to the next, of all replays together: at most 1,000 deliveries a second.
  static constexpr Duration batch_interval = std::chrono::milliseconds(100);
  /// A webhook with so many pending deliveries gets no more of a replay at once, but waits.
  static constexpr uint32_t webhook_pending_max = 200;
  static constexpr Duration webhook_wait_max = std::chrono::seconds(5);

  explicit Replays(const Parts& parts) : parts_(parts) {}

  /// Reads them from the store: those that are running go on with `step`. Call once.
  Result<void> load();

  /// @param order  with what was checked by the caller: webhooks that are there and active.
  std::variant<const StoredReplay*, api::Problem> start(const Ulid& id, ReplayOrder order,
                                                        WallTime now);
  /// nullptr: there is none, or it is another organization's. Valid until the next `start`.
  const StoredReplay* find(std::string_view organization, const Ulid& id) const;
  /// Up to `count` of those before `before` (nothing: the newest), newest first.
  std::vector<const StoredReplay*> list(std::string_view organization,
                                        const std::optional<Ulid>& before, size_t count) const;
  /// Pauses, resumes or cancels one that `find` knows. What was given to the shards is delivered.
  /// One that is done stays done. @returns what forbids it.
  std::optional<api::Problem> set_state(const Ulid& id, ReplayState state, WallTime now);

  // --- in the background

  /// One bounded piece of work, which may change the store. Only while everything in the store is
  /// durable. @returns whether there is more to do now.
  bool step(WallTime wall_now, Instant now);
  /// When there is something to do without news from a shard; nothing: never.
  std::optional<Instant> due() const;
  /// @returns false if the event was not one of a replay.
  bool on_stored(const StoreEventDone& message, Instant now);

 private:
  using Place = index::DeliveryPlace;

  struct Counts {
    uint64_t matched = 0;
    uint64_t sent = 0;
    uint64_t skipped = 0;
  };
  struct Job {
    StoredReplay replay;  ///< Its progress is as of the last batch that is done.
    StoredReplay shown;   ///< The same with what is done of this batch.
    DeliveryFilter filter;
    subscription::Token token;     ///< With the sources that it is restricted to.
    std::optional<Place> resumed;  ///< What is not before it may have been sent by an earlier run.
    std::vector<index::DeliveryFacts> batch;
    size_t next = 0;                            ///< Of the batch.
    std::vector<index::DeliveryFacts> refused;  ///< To be sent again.
    std::optional<Place> rest;                  ///< Behind the batch; nothing: it is the last.
    Counts counts;                              ///< Of the batch.
    uint32_t outstanding = 0;                   ///< Events that are not durable yet.
    Instant not_before{};
    std::optional<Instant> waits_since;  ///< For its webhooks to have less to do.
    Instant stored_at{};
  };
  enum class Fate { taken, later };
  enum class SentBefore { no, by_this, otherwise, unknown };
  struct Ticket {
    Ulid replay;
    index::DeliveryFacts delivery;
  };

  static Place done(const Job& job);
  void show(Job& job) const;
  bool is_due(const Job& job, Instant now) const;
  bool waits_for_another(const Job& job) const;
  Instant due_of(const Job& job) const;
  void advance(Job& job, WallTime wall_now, Instant now);
  void plan(Job& job, WallTime wall_now, Instant now);
  void send_some(Job& job, WallTime wall_now, Instant now);
  Fate handle(Job& job, const index::DeliveryFacts& delivery, WallTime wall_now, Instant now);
  Fate handle_event(Job& job, const index::DeliveryFacts& delivery, const journal::EventRef& event,
                    WallTime wall_now, Instant now);
  Fate without_target(Job& job, const subscription::Webhook* target, WallTime wall_now,
                      Instant now);
  SentBefore sent_before(const VisibleHistory::View& visible, const Job& job,
                         const index::DeliveryFacts& delivery, const journal::EventView& event,
                         uint32_t target);
  bool is_being_sent(const VisibleHistory::View& visible, const index::EventFacts& event,
                     const Ulid& delivery, uint32_t target);
  void post(Job& job, const index::DeliveryFacts& delivery, const journal::EventView& event,
            const subscription::Webhook& target, WallTime wall_now);
  bool must_wait(Job& job, Instant now);
  void wait(Job& job, Instant until, std::string reason);
  void end_batch(Job& job, WallTime wall_now, Instant now);
  void end(Job& job, ReplayState state, std::string reason, WallTime wall_now, Instant now);
  bool save(Job& job, WallTime wall_now, Instant now);
  void forget_finished(const std::string& organization);
  void put(StoredReplay replay);
  uint32_t target_of(const Job& job, const index::DeliveryFacts& delivery) const;

  const Parts parts_;
  std::map<Ulid, Job> jobs_;
  std::vector<Ulid> running_;  // In turns.
  size_t turn_ = 0;
  Instant next_batch_at_{};
  std::unordered_map<uint64_t, Ticket> tickets_;
  uint64_t next_ticket_ = uint64_t{1} << 63;  // The others of Control are below.
};

}  // namespace ringpost::control
