#pragma once

#include "base/mailbox.h"
#include "control/journal_orders.h"
#include "control/messages.h"
#include "control/password_checks.h"
#include "control/store_syncs.h"
#include "io/ring.h"
#include "journal/format.h"
#include "journal/position.h"
#include "journal/record.h"
#include "shard/dropped_files.h"
#include "shard/file_orders.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace ringpost::shard {

/// From the shard that accepted an event to a shard that owns endpoints of its webhooks.
struct Deliver {
  journal::EventRef event;
  std::vector<uint32_t> webhook_numbers;
  bool by_hand = false;  ///< As Dispatcher::submit has it.
};

/// A mailbox with room for what does not fit: the sender keeps it, in order, and tries again every
/// turn. Senders stop taking on work while `far_behind()`, which bounds what is kept by that and
/// what was under way already.
template <typename Message>
class Channel {
 public:
  explicit Channel(size_t capacity) : mailbox_(capacity) {}

  // Sender.
  void send(Message&& message) {
    // A full mailbox leaves the message as it was.
    const bool sent = kept_.empty() && mailbox_.push(std::move(message));
    if (!sent) kept_.push_back(std::move(message));  // NOLINT(bugprone-use-after-move)
    sent_ = true;
  }
  /// Moves kept messages on. @returns whether the receiver has something new since the last flush.
  bool flush() {
    while (!kept_.empty() && mailbox_.push(std::move(kept_.front()))) {
      kept_.pop_front();
      sent_ = true;
    }
    return std::exchange(sent_, false);
  }
  bool behind() const { return !kept_.empty(); }
  /// The receiver cannot keep up, not only for a moment.
  bool far_behind() const { return kept_.size() > 4 * mailbox_.capacity(); }
  /// Messages in the mailbox; from either end, near enough for the other one.
  size_t size() const { return mailbox_.size(); }
  /// The receiver should be woken for the sake of room alone.
  bool half_full() const { return mailbox_.size() * 2 > mailbox_.capacity(); }

  // Receiver.
  bool receive(Message& message) { return mailbox_.pop(message); }
  bool empty() const { return mailbox_.empty(); }

 private:
  Mailbox<Message> mailbox_;
  std::deque<Message> kept_;  ///< The sender's.
  bool sent_ = false;         ///< The sender's.
};

/// How far a shard's journal is durable, for the journal thread to remember.
class WrittenNews {
 public:
  /// By the shard. @returns whether the journal thread waits for it.
  bool set(const journal::Written& written) {
    latest_.store(pack(written));
    return awaited_.load() && awaited_.exchange(false);
  }
  /// By the journal thread: what is new since the last time. If nothing is, it is awaited from now
  /// on.
  std::optional<journal::Written> take() {
    if (latest_.load() == taken_) awaited_.store(true);
    const uint64_t latest = latest_.load();
    if (latest == taken_) return std::nullopt;
    taken_ = latest;
    return unpack(latest);
  }

 private:
  // 28 bits of segment, twice 16 of pages (a segment has at most 65,536).
  static uint64_t pack(const journal::Written& written) {
    return uint64_t{written.segment} << 32 | uint64_t{written.end / journal::page_bytes} << 16 |
           written.certain / journal::page_bytes;
  }
  static journal::Written unpack(uint64_t packed) {
    return {.segment = static_cast<uint32_t>(packed >> 32),
            .end = static_cast<uint32_t>(packed >> 16 & 0xffff) * journal::page_bytes,
            .certain = static_cast<uint32_t>(packed & 0xffff) * journal::page_bytes};
  }

  std::atomic<uint64_t> latest_{0};
  std::atomic<bool> awaited_{true};
  uint64_t taken_ = 0;  ///< The journal thread's.
};

/// All channels of one relay, and whom to wake. Built before the threads start.
///
/// Thread safety: each channel has one sender and one receiver, as its name says. A shard sets its
/// waker on its own thread, before its first turn, while others may send to it already; the waker
/// lives until nobody sends any more. Those of the other threads are set before the
/// first thread starts.
class Mailroom {
 public:
  /// Enough for what a shard sends in several turns; 64 KiB or so each.
  static constexpr size_t capacity = 1024;

  explicit Mailroom(uint32_t shard_count)
      : shard_count_(shard_count),
        journal_orders_(capacity),
        journal_news_(capacity),
        passwords_wanted_(capacity),
        passwords_checked_(capacity),
        store_syncs_wanted_(1),
        store_synced_(1),
        written_(shard_count),
        wakers_(shard_count) {
    for (uint32_t shard = 0; shard < shard_count; ++shard) {
      to_control_.push_back(std::make_unique<Channel<control::ToControl>>(capacity * 4));
      to_shard_.push_back(std::make_unique<Channel<control::ToShard>>(capacity));
      file_orders_.push_back(std::make_unique<Channel<FileOrder>>(64));
      files_opened_.push_back(std::make_unique<Channel<FileOpened>>(64));
      files_offered_.push_back(std::make_unique<Channel<FileOffered>>(64));
      files_settled_.push_back(std::make_unique<Channel<FileSettled>>(64));
    }
    for (uint32_t pair = 0; pair < shard_count * shard_count; ++pair) {
      between_.push_back(std::make_unique<Channel<Deliver>>(capacity));
    }
  }

  uint32_t shard_count() const { return shard_count_; }
  Channel<control::ToControl>& to_control(uint32_t from_shard) { return *to_control_[from_shard]; }
  /// That wait for the control thread, from all shards.
  uint64_t control_messages() const {
    uint64_t count = 0;
    for (const auto& channel : to_control_) count += channel->size();
    return count;
  }
  Channel<control::ToShard>& to_shard(uint32_t shard) { return *to_shard_[shard]; }
  /// To and from the journal thread.
  Channel<FileOrder>& file_orders(uint32_t shard) { return *file_orders_[shard]; }
  Channel<FileOpened>& files_opened(uint32_t shard) { return *files_opened_[shard]; }
  /// To and from the thread of the drop directories.
  Channel<FileOffered>& files_offered(uint32_t shard) { return *files_offered_[shard]; }
  Channel<FileSettled>& files_settled(uint32_t shard) { return *files_settled_[shard]; }
  WrittenNews& written(uint32_t shard) { return written_[shard]; }
  /// Between the control thread and the journal thread.
  Channel<control::JournalOrder>& journal_orders() { return journal_orders_; }
  Channel<control::JournalNews>& journal_news() { return journal_news_; }
  /// Between the control thread and the password thread.
  Channel<control::PasswordWanted>& passwords_wanted() { return passwords_wanted_; }
  Channel<control::PasswordChecked>& passwords_checked() { return passwords_checked_; }
  /// Between the control thread and the store thread: one at a time.
  Channel<control::StoreSyncWanted>& store_syncs_wanted() { return store_syncs_wanted_; }
  Channel<control::StoreSynced>& store_synced() { return store_synced_; }
  Channel<Deliver>& between(uint32_t from, uint32_t to) {
    return *between_[from * shard_count_ + to];
  }

  void set_shard_waker(uint32_t shard, io::Waker* waker) { wakers_[shard].store(waker); }
  void set_control_waker(io::Waker* waker) { control_waker_ = waker; }
  void set_journal_waker(io::Waker* waker) { journal_waker_ = waker; }
  void set_password_waker(io::Waker* waker) { password_waker_ = waker; }
  void set_store_waker(io::Waker* waker) { store_waker_ = waker; }
  /// There is none without drop directories.
  void set_drop_waker(io::Waker* waker) { drop_waker_ = waker; }
  /// A shard without a waker needs none yet: it looks into its mailboxes before it first sleeps.
  void wake_shard(uint32_t shard) {
    if (io::Waker* waker = wakers_[shard].load()) waker->wake();
  }
  void wake_control() {
    if (control_waker_ != nullptr) control_waker_->wake();
  }
  void wake_passwords() {
    if (password_waker_ != nullptr) password_waker_->wake();
  }
  void wake_store() {
    if (store_waker_ != nullptr) store_waker_->wake();
  }
  void wake_drops() {
    if (drop_waker_ != nullptr) drop_waker_->wake();
  }
  void wake_journal() {
    if (journal_waker_ != nullptr) journal_waker_->wake();
  }

 private:
  const uint32_t shard_count_;
  std::vector<std::unique_ptr<Channel<control::ToControl>>> to_control_;
  std::vector<std::unique_ptr<Channel<control::ToShard>>> to_shard_;
  std::vector<std::unique_ptr<Channel<FileOrder>>> file_orders_;
  std::vector<std::unique_ptr<Channel<FileOpened>>> files_opened_;
  std::vector<std::unique_ptr<Channel<FileOffered>>> files_offered_;
  std::vector<std::unique_ptr<Channel<FileSettled>>> files_settled_;
  Channel<control::JournalOrder> journal_orders_;
  Channel<control::JournalNews> journal_news_;
  std::vector<std::unique_ptr<Channel<Deliver>>> between_;
  Channel<control::PasswordWanted> passwords_wanted_;
  Channel<control::PasswordChecked> passwords_checked_;
  Channel<control::StoreSyncWanted> store_syncs_wanted_;
  Channel<control::StoreSynced> store_synced_;
  std::vector<WrittenNews> written_;
  std::vector<std::atomic<io::Waker*>> wakers_;
  io::Waker* control_waker_ = nullptr;
  io::Waker* journal_waker_ = nullptr;
  io::Waker* password_waker_ = nullptr;
  io::Waker* store_waker_ = nullptr;
  io::Waker* drop_waker_ = nullptr;
};

}  // namespace ringpost::shard
