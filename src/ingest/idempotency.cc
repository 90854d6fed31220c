#include "ingest/idempotency.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "ingest/content_hash.h"

#include <algorithm>
#include <bit>
#include <mutex>
#include <string>
#include <vector>

namespace ringpost::ingest {

// entries (a ring, oldest at the head)      slots (open addressing, linear probing)
//
//   head ─> [key, content, time, status]      low half of key & mask ─> place in the ring + 1
//           [key, content, time, status]
//   tail ─> …                                 0: empty slot
//
// Twice as many slots as entries: the load is at most one half. Entries leave at the head, by age
// or for want of room; an abandoned one leaves a gone entry behind, which leaves when it is the
// head.

/// How many keys each organization has in all stripes, and who has to give way.
///
/// Thread safety: every function, from any thread.
class IdempotencyWindow::Shares {
 public:
  static constexpr int organization_bits = 12;  ///< Two with one hash share a share.
  static constexpr size_t organizations = 1 << organization_bits;

  void add(uint16_t organization) {
    shared_counts_[organization].fetch_add(1, std::memory_order_relaxed);
  }
  void remove(uint16_t organization) {
    shared_counts_[organization].fetch_sub(1, std::memory_order_relaxed);
  }
  /// A key has to leave for want of room.
  void begin_to_forget() {
    const uint64_t before = shared_wants_.fetch_add(1, std::memory_order_relaxed);
    if (before % look_interval == 0) look();
  }
  void forget_early() { shared_forgotten_early_.fetch_add(1, std::memory_order_relaxed); }
  /// Whether the organization has so little that others' keys go first.
  bool spares(uint16_t organization) const {
    return shared_counts_[organization].load(std::memory_order_relaxed) <
           shared_spared_below_.load(std::memory_order_relaxed);
  }
  uint64_t forgotten_early() const {
    return shared_forgotten_early_.load(std::memory_order_relaxed);
  }

 private:
  static constexpr uint64_t look_interval = 1024;

  void look() {
    uint32_t most = 0;
    for (const auto& count : shared_counts_) {
      most = std::max(most, count.load(std::memory_order_relaxed));
    }
    shared_spared_below_.store(most / 2, std::memory_order_relaxed);
  }

  std::array<std::atomic<uint32_t>, organizations> shared_counts_{};
  std::atomic<uint32_t> shared_spared_below_{0};
  std::atomic<uint64_t> shared_wants_{0};
  std::atomic<uint64_t> shared_forgotten_early_{0};
};

/// Thread safety: the caller holds `mutex`.
class alignas(64) IdempotencyWindow::Stripe {
 public:
  static constexpr uint32_t entries_at_first = 16;
  /// Passed over in a row, at most: an insertion is bounded work.
  static constexpr uint32_t spared_max = 64;

  std::mutex mutex;

  /// @param shares  of all stripes. Borrowed.
  void set_up(Duration length, uint32_t entries_max, Shares& shares) {
    length_ = length;
    entries_max_ = entries_max;
    shares_ = &shares;
  }

  Reservation reserve(const IdempotencyKey& key, ContentHash content, Instant now) {
    forget_old(now);
    if (Entry* known = find(key)) {
      const bool pending = known->status() == Status::pending;
      if (pending || young(*known, now)) {
        if (known->content != content) return Reservation::conflict;
        return pending ? Reservation::duplicate_pending : Reservation::duplicate_durable;
      }
      remove(*known);  // Not at the head: restored out of order.
    }
    const bool inserted = insert({key, content, now, Status::pending});
    return inserted ? Reservation::fresh : Reservation::full;
  }

  void confirm(const IdempotencyKey& key) { pending_entry(key).set_status(Status::durable); }
  void abandon(const IdempotencyKey& key) { remove(pending_entry(key)); }

  State state(const IdempotencyKey& key, Instant now) {
    const Entry* known = find(key);
    if (known == nullptr) return State::absent;
    if (known->status() == Status::pending) return State::pending;
    return young(*known, now) ? State::durable : State::absent;
  }

  void restore(const IdempotencyKey& key, ContentHash content, Instant at, Instant now) {
    if (now - at < length_ && find(key) == nullptr) insert({key, content, at, Status::durable});
  }

  uint32_t size() const { return tail_ - head_ - gone_; }

 private:
  enum class Status : uint8_t { gone, pending, durable };

  /// 32 bytes: status and organization stand in the lowest bits of the nanoseconds, which leaves a
  /// time to 16 us.
  class Entry {
   public:
    Entry() = default;
    Entry(const IdempotencyKey& key, ContentHash content_of, Instant at, Status status)
        : content(content_of),
          high_(key.high),
          low_(key.low),
          at_and_marks_((at.time_since_epoch().count() & ~marks) |
                        int64_t{key.organization} << status_bits | static_cast<int64_t>(status)) {}

    Status status() const { return static_cast<Status>(at_and_marks_ & status_mask); }
    void set_status(Status status) {
      at_and_marks_ = (at_and_marks_ & ~status_mask) | static_cast<int64_t>(status);
    }
    Instant at() const { return Instant{Duration{at_and_marks_ & ~marks}}; }
    IdempotencyKey key() const {
      return {high_, low_, static_cast<uint16_t>((at_and_marks_ & marks) >> status_bits)};
    }

    ContentHash content{};

   private:
    static constexpr int status_bits = 2;
    static constexpr int64_t status_mask = (1 << status_bits) - 1;
    static constexpr int64_t marks = (1 << (status_bits + Shares::organization_bits)) - 1;

    uint64_t high_ = 0;
    uint64_t low_ = 0;
    int64_t at_and_marks_ = 0;
  };
  static_assert(sizeof(Entry) == 32);

  uint32_t capacity() const { return static_cast<uint32_t>(entries_.size()); }
  Entry& entry(uint32_t sequence) { return entries_[sequence & (capacity() - 1)]; }
  bool young(const Entry& known, Instant now) const { return now - known.at() < length_; }

  uint32_t slot_mask() const { return static_cast<uint32_t>(slots_.size() - 1); }
  /// The high half chose the stripe; the low one is still evenly spread within it.
  uint32_t home_slot(const IdempotencyKey& key) const {
    return static_cast<uint32_t>(key.low) & slot_mask();
  }

  Entry* find(const IdempotencyKey& key) {
    if (slots_.empty()) return nullptr;
    for (uint32_t slot = home_slot(key); slots_[slot] != 0; slot = (slot + 1) & slot_mask()) {
      Entry& candidate = entries_[slots_[slot] - 1];
      if (candidate.key() == key) return &candidate;
    }
    return nullptr;
  }

  Entry& pending_entry(const IdempotencyKey& key) {
    Entry* found = find(key);
    RINGPOST_ASSERT(found != nullptr);
    RINGPOST_ASSERT(found->status() == Status::pending);
    return *found;
  }

  bool insert(const Entry& added) {
    if (tail_ - head_ == capacity() && !make_room()) return false;
    entry(tail_) = added;
    shares_->add(added.key().organization);
    occupy_slot(tail_ & (capacity() - 1));
    ++tail_;
    return true;
  }

  /// Grows, or forgets the oldest entry that may be forgotten and is not spared.
  bool make_room() {
    if (capacity() < entries_max_) {
      grow();
      return true;
    }
    shares_->begin_to_forget();
    uint32_t spared = 0;
    for (uint32_t looked = 0; looked < capacity(); ++looked) {
      const Entry& oldest = entry(head_);
      const bool is_known = oldest.status() == Status::durable;
      const bool is_spared = is_known && spared < std::min(spared_max, capacity() / 2) &&
                             shares_->spares(oldest.key().organization);
      if (oldest.status() != Status::pending && !is_spared) {
        if (is_known) shares_->forget_early();
        drop_head();
        return true;
      }
      // The ring is full, so its head and tail are one place: the entry is now the newest.
      spared += is_spared ? 1 : 0;
      ++head_;
      ++tail_;
    }
    return false;
  }

  void grow() {
    std::vector<Entry> old = std::move(entries_);
    const uint32_t old_mask = static_cast<uint32_t>(old.size() - 1);
    entries_.assign(old.empty() ? entries_at_first : old.size() * 2, Entry{});
    slots_.assign(entries_.size() * 2, 0);
    uint32_t kept = 0;
    for (uint32_t sequence = head_; sequence != tail_; ++sequence) {
      const Entry& moved = old[sequence & old_mask];
      if (moved.status() == Status::gone) continue;
      entries_[kept] = moved;
      occupy_slot(kept++);
    }
    head_ = 0;
    tail_ = kept;
    gone_ = 0;
  }

  void forget_old(Instant now) {
    while (head_ != tail_) {
      const Entry& oldest = entry(head_);
      if (oldest.status() == Status::pending) return;
      if (oldest.status() == Status::durable && young(oldest, now)) return;
      drop_head();
    }
  }

  void drop_head() {
    Entry& oldest = entry(head_++);
    if (oldest.status() == Status::gone) {
      --gone_;
    } else {
      leave(oldest);
    }
  }

  void leave(const Entry& leaving) {
    shares_->remove(leaving.key().organization);
    vacate_slot(leaving.key());
  }

  void remove(Entry& leaving) {
    leave(leaving);
    leaving.set_status(Status::gone);
    ++gone_;
  }

  void occupy_slot(uint32_t place) {
    uint32_t slot = home_slot(entries_[place].key());
    while (slots_[slot] != 0) slot = (slot + 1) & slot_mask();
    slots_[slot] = place + 1;
  }

  /// Empties the key's slot and moves up what had to probe past it, so that no tombstones remain
  /// (Knuth, volume 3, 6.4, algorithm R).
  void vacate_slot(const IdempotencyKey& key) {
    uint32_t hole = home_slot(key);
    while (entries_[slots_[hole] - 1].key() != key) hole = (hole + 1) & slot_mask();
    slots_[hole] = 0;
    for (uint32_t slot = (hole + 1) & slot_mask(); slots_[slot] != 0;
         slot = (slot + 1) & slot_mask()) {
      const uint32_t home = home_slot(entries_[slots_[slot] - 1].key());
      const bool reachable = ((slot - home) & slot_mask()) < ((slot - hole) & slot_mask());
      if (reachable) continue;
      slots_[hole] = slots_[slot];
      slots_[slot] = 0;
      hole = slot;
    }
  }

  Duration length_{};
  uint32_t entries_max_ = 0;
  Shares* shares_ = nullptr;

  std::vector<Entry> entries_;
  std::vector<uint32_t> slots_;
  uint32_t head_ = 0;  // Sequence numbers: they wrap, and so does their difference, rightly.
  uint32_t tail_ = 0;
  uint32_t gone_ = 0;
};

IdempotencyWindow::IdempotencyWindow(const Options& options, const std::array<HashKey, 2>& secret)
    : options_(options),
      secret_(secret),
      shared_shares_(std::make_unique<Shares>()),
      shared_stripes_(std::make_unique<Stripe[]>(stripe_count)) {
  RINGPOST_ASSERT(options_.length > Duration::zero());
  const uint32_t per_stripe =
      std::max(Stripe::entries_at_first, options_.entries_max / stripe_count);
  for (uint32_t index = 0; index < stripe_count; ++index) {
    shared_stripes_[index].set_up(options_.length, std::bit_ceil(per_stripe), *shared_shares_);
  }
}

IdempotencyWindow::~IdempotencyWindow() = default;

IdempotencyKey IdempotencyWindow::key(std::string_view organization, std::string_view source,
                                      std::string_view id) const {
  // Sizes first: no two triples give the same text. Its memory is used again.
  thread_local std::string text;
  text.clear();
  const uint32_t sizes[] = {static_cast<uint32_t>(organization.size()),
                            static_cast<uint32_t>(source.size())};
  text.append(reinterpret_cast<const char*>(sizes), sizeof sizes);
  text.append(organization).append(source).append(id);
  constexpr uint64_t organization_mask = Shares::organizations - 1;
  return {siphash(secret_[0], as_bytes(text)), siphash(secret_[1], as_bytes(text)),
          static_cast<uint16_t>(siphash(secret_[0], as_bytes(organization)) & organization_mask)};
}

ContentHash IdempotencyWindow::content(const journal::EventView& event) const {
  return ContentHash{content_hash(event, secret_)};
}

IdempotencyWindow::Stripe& IdempotencyWindow::stripe(const IdempotencyKey& key) const {
  return shared_stripes_[key.high % stripe_count];
}

IdempotencyWindow::Reservation IdempotencyWindow::reserve(const IdempotencyKey& key,
                                                          ContentHash content, Instant now) {
  Stripe& owner = stripe(key);
  const std::lock_guard lock{owner.mutex};
  return owner.reserve(key, content, now);
}

void IdempotencyWindow::confirm(const IdempotencyKey& key) {
  Stripe& owner = stripe(key);
  const std::lock_guard lock{owner.mutex};
  owner.confirm(key);
}

void IdempotencyWindow::abandon(const IdempotencyKey& key) {
  Stripe& owner = stripe(key);
  const std::lock_guard lock{owner.mutex};
  owner.abandon(key);
}

IdempotencyWindow::State IdempotencyWindow::state(const IdempotencyKey& key, Instant now) const {
  Stripe& owner = stripe(key);
  const std::lock_guard lock{owner.mutex};
  return owner.state(key, now);
}

void IdempotencyWindow::restore(const IdempotencyKey& key, ContentHash content, Duration age,
                                Instant now) {
  Stripe& owner = stripe(key);
  const std::lock_guard lock{owner.mutex};
  owner.restore(key, content, now - std::max(age, Duration::zero()), now);
}

uint64_t IdempotencyWindow::forgotten_early() const {
  return shared_shares_->forgotten_early();
}

uint64_t IdempotencyWindow::size() const {
  uint64_t total = 0;
  for (uint32_t index = 0; index < stripe_count; ++index) {
    const std::lock_guard lock{shared_stripes_[index].mutex};
    total += shared_stripes_[index].size();
  }
  return total;
}

}  // namespace ringpost::ingest
