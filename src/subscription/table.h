#pragma once

#include "base/assert.h"
#include "base/siphash.h"
#include "subscription/git_source.h"
#include "subscription/keyed_hash.h"
#include "subscription/reclaimer.h"
#include "subscription/snapshot.h"
#include "subscription/source_table.h"
#include "subscription/token.h"
#include "subscription/webhook.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

namespace ringpost::subscription {

/// All subscriptions, tokens and git sources: written by one thread (control), read by every shard
/// without locks, fences or waiting.
///
/// Thread safety: everything here belongs to the control thread, but for `reader(i)`, whose methods
/// belong to shard i. Readers must be offline, and their threads past their last call, when the
/// table is destroyed. The reclamation argument is in src/subscription/README.md.
class SubscriptionTable {
 public:
  class Reader;

  struct Stats {
    uint64_t version = 0;
    size_t webhooks = 0;
    size_t tokens = 0;
    size_t blocks_live = 0;     ///< Allocations held: snapshots, parts of them, what they show.
    size_t blocks_retired = 0;  ///< Of these: replaced, waiting for readers.
    size_t source_bytes = 0;    ///< Of the current source index (slots, keys, rows).
  };

  /// @param reader_count  shards; each starts offline.
  /// @param secret        random; with it nobody can aim keys at one place of the table.
  SubscriptionTable(uint32_t reader_count, const HashKey& secret);
  ~SubscriptionTable();
  SubscriptionTable(const SubscriptionTable&) = delete;
  SubscriptionTable& operator=(const SubscriptionTable&) = delete;

  Reader& reader(uint32_t index);

  /// Adds a webhook, or replaces the one of the same number. Readers see it with the next publish.
  /// Sources, events and organization have passed the checks of patterns.h.
  void put(Webhook webhook);
  /// No effect if there is none.
  void remove(uint32_t number);
  /// Adds a token, or replaces the one of the same number. No two numbers share a hash.
  void put_token(Token token);
  void remove_token(uint32_t number);
  /// The same for a git source.
  void put_git_source(GitSource source);
  void remove_git_source(uint32_t number);

  /// Makes every change since the last publish visible, all at once, and frees what readers have
  /// passed. Without a change there is no new version. Costs one sub-table copy per changed key:
  /// gather changes rather than publish each (at most 1,000 publishes a second).
  /// @returns the version in force.
  uint64_t publish();

  /// Frees what all readers have passed. `publish` does it too; call this when a publish is
  /// followed by silence, so that the last replaced parts do not stay. @returns whether nothing
  /// waits any more.
  bool reclaim();

  /// The snapshot in force, for the control thread itself: valid until its next `publish`.
  const Snapshot& current() const { return *current_; }

  /// The oldest version that an online reader may still look at; the current one if none is online.
  uint64_t version_passed() const;

  Stats stats() const;

 private:
  template <typename Ref>
  class Edit;
  using WebhookChange = PointerChange<Webhook>;

  /// What is found by a hash: as it is to be, and as it is published. A place is a hash, so one
  /// that gets another hash goes in one place and comes in another.
  template <typename T>
  struct Hashed {
    std::map<uint32_t, std::unique_ptr<const T>> pending;  ///< Null: to be removed.
    std::unordered_map<uint32_t, const T*> by_number;      ///< As published.
    std::vector<PointerChange<T>> changes;                 ///< Of one publish.

    void put(T object);
    void remove(uint32_t number) { pending[number] = nullptr; }
  };

  void collect_changes();
  void collect_source_changes(const Webhook& webhook, bool added);
  template <typename T>
  void collect_changes(Hashed<T>& hashed);
  void edit_sources(Snapshot& next);
  template <typename T>
  void edit_pointers(uint64_t version, Directory<PointerTable<T>>& directory,
                     std::vector<PointerChange<T>>& changes);
  void retire(uint64_t version, const void* object, Reclaimer::Destroy destroy);
  template <typename Ref>
  void destroy_directory(const Directory<Ref>& directory);

  // Constant after construction.
  const KeyedHash hash_;
  const uint32_t reader_count_;
  const std::unique_ptr<Reader[]> readers_;

  // The control thread's.
  const Snapshot* current_;  ///< What `shared_.current` holds. Owned.
  std::map<uint32_t, std::unique_ptr<const Webhook>> pending_webhooks_;  ///< Null: to be removed.
  Hashed<Token> tokens_;
  Hashed<GitSource> git_sources_;
  std::vector<SourceChange> source_changes_;  ///< These two: of one publish.
  std::vector<WebhookChange> webhook_changes_;
  SourceTableBuilder builder_;
  Reclaimer reclaimer_;
  size_t blocks_live_ = 0;
  size_t source_bytes_ = 0;

  struct {
    // Padding rather than alignas: g++ 12 misplaces over-aligned objects on the stack when the
    // address sanitizer looks for uses after return.
    std::byte apart_before[64];
    std::atomic<const Snapshot*> current;  ///< Stored by publish(), loaded by Reader.
    std::byte apart_after[64];
  } shared_;
};

/// One shard's view. Only that shard's thread calls it.
class SubscriptionTable::Reader {
 public:
  /// The snapshot in force; it, and all it hands out, stay valid until `quiescent` or `offline`.
  /// Two calls in one turn may give two versions. Not while offline.
  const Snapshot& snapshot() const {
    RINGPOST_DCHECK(online_);
    return *current_->load(std::memory_order_acquire);  // Pairs with publish().
  }

  /// The end of a turn: nothing obtained from a snapshot before is used any more (webhooks that
  /// outlive a turn are kept by number).
  /// @returns the version that this reader has reached: nothing older is used from now on.
  uint64_t quiescent() {
    RINGPOST_DCHECK(online_);
    const uint64_t version = current_->load(std::memory_order_acquire)->version();
    seen_.store(version, std::memory_order_release);  // Pairs with version_passed().
    return version;
  }

  /// Before the shard sleeps: a `quiescent` that holds until `online`, so that a sleeping shard
  /// keeps no old snapshot alive.
  void offline() {
    online_ = false;
    seen_.store(gone, std::memory_order_release);  // Pairs with version_passed().
  }

  /// After waking, before the first `snapshot`.
  void online() {
    // Either the writer sees this store before it frees anything, or the load below sees what the
    // writer published before it looked: both are sequentially consistent, as are the writer's.
    seen_.store(0, std::memory_order_seq_cst);
    const Snapshot* snapshot = current_->load(std::memory_order_seq_cst);
    seen_.store(snapshot->version(), std::memory_order_release);
    online_ = true;
  }

 private:
  friend class SubscriptionTable;
  static constexpr uint64_t gone = UINT64_MAX;

  alignas(64) std::atomic<uint64_t> seen_{gone};  ///< Written here, read by version_passed().
  bool online_ = false;                           ///< The shard's own.
  const std::atomic<const Snapshot*>* current_ = nullptr;
};

}  // namespace ringpost::subscription
