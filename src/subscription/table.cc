#include "subscription/table.h"

#include "subscription/patterns.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

namespace ringpost::subscription {
namespace {

template <typename T>
void destroy_object(const void* object) {
  delete static_cast<const T*>(object);
}

void check_patterns(const Webhook& webhook) {
  RINGPOST_ASSERT(webhook.number != 0);
  RINGPOST_ASSERT(webhook.organization.size() <= organization_bytes_max);
  for (const std::string& source : webhook.sources) {
    RINGPOST_ASSERT(source.size() <= source_bytes_max);
  }
  for (const std::string& event : webhook.events) {
    RINGPOST_ASSERT(event.size() <= event_type_bytes_max);
  }
}

/// Calls `visit(sub_table, changes)` for each sub-table that changes. Sorts by hash, whose upper
/// bits name the sub-table.
template <typename Change, typename Visitor>
void for_each_sub_table(std::vector<Change>& changes, const Visitor& visit) {
  std::sort(changes.begin(), changes.end(),
            [](const Change& left, const Change& right) { return left.hash < right.hash; });
  for (size_t first = 0; first < changes.size();) {
    const uint32_t sub_table = Place{changes[first].hash}.sub_table;
    size_t end = first;
    while (end < changes.size() && Place{changes[end].hash}.sub_table == sub_table) ++end;
    visit(sub_table, std::span{changes}.subspan(first, end - first));
    first = end;
  }
}

bool has_rule(const Webhook* webhook) {
  return webhook != nullptr && webhook->rule != nullptr;
}

}  // namespace

/// Gives write access to a directory that is not published yet: a branch is copied, and the old one
/// retired, when it is first touched.
template <typename Ref>
class SubscriptionTable::Edit {
 public:
  Edit(SubscriptionTable& table, uint64_t version, Directory<Ref>& directory)
      : table_(table), version_(version), directory_(directory) {}

  Ref& at(uint32_t sub_table) {
    const uint32_t index = sub_table / branch_size;
    if (fresh_[index] == nullptr) {
      const Branch<Ref>* old = directory_.branch(index);
      fresh_[index] = new Branch<Ref>(*old);
      ++table_.blocks_live_;
      directory_.set_branch(index, fresh_[index]);
      if (!Directory<Ref>::is_empty(old)) {
        table_.retire(version_, old, destroy_object<Branch<Ref>>);
      }
    }
    return fresh_[index]->refs[sub_table % branch_size];
  }

 private:
  SubscriptionTable& table_;
  const uint64_t version_;
  Directory<Ref>& directory_;
  std::array<Branch<Ref>*, branch_count> fresh_{};
};

SubscriptionTable::SubscriptionTable(uint32_t reader_count, const HashKey& secret)
    : hash_(secret),
      reader_count_(reader_count),
      readers_(std::make_unique<Reader[]>(reader_count)),
      current_(new Snapshot(hash_)),
      builder_(hash_),
      blocks_live_(1),
      shared_{.apart_before = {}, .current = current_, .apart_after = {}} {
  for (uint32_t index = 0; index < reader_count; ++index) {
    readers_[index].current_ = &shared_.current;
  }
}

SubscriptionTable::~SubscriptionTable() {
  for (uint32_t index = 0; index < reader_count_; ++index) {
    RINGPOST_ASSERT(readers_[index].seen_.load(std::memory_order_acquire) == Reader::gone);
  }
  blocks_live_ -= reclaimer_.release(Reader::gone);
  destroy_directory(current_->sources_);
  destroy_directory(current_->webhooks_);
  destroy_directory(current_->tokens_);
  destroy_directory(current_->git_sources_);
  delete current_;
  --blocks_live_;
  RINGPOST_ASSERT(blocks_live_ == 0);
}

template <typename Ref>
void SubscriptionTable::destroy_directory(const Directory<Ref>& directory) {
  for (uint32_t index = 0; index < branch_count; ++index) {
    const Branch<Ref>* branch = directory.branch(index);
    if (Directory<Ref>::is_empty(branch)) continue;
    for (const Ref& ref : branch->refs) {
      if (ref.empty()) continue;
      if constexpr (std::is_same_v<Ref, SourceTable>) {
        SourceTableBuilder::destroy(SourceTableBuilder::memory_of(ref));
      } else {
        ref.for_each([this](const auto* entry) {
          delete entry;
          --blocks_live_;
        });
        Ref::destroy(Ref::memory_of(ref));
      }
      --blocks_live_;
    }
    delete branch;
    --blocks_live_;
  }
}

SubscriptionTable::Reader& SubscriptionTable::reader(uint32_t index) {
  RINGPOST_ASSERT(index < reader_count_);
  return readers_[index];
}

void SubscriptionTable::put(Webhook webhook) {
  check_patterns(webhook);
  const uint32_t number = webhook.number;
  pending_webhooks_[number] = std::make_unique<const Webhook>(std::move(webhook));
}

void SubscriptionTable::remove(uint32_t number) {
  pending_webhooks_[number] = nullptr;
}

template <typename T>
void SubscriptionTable::Hashed<T>::put(T object) {
  const uint32_t number = object.number;
  pending[number] = std::make_unique<const T>(std::move(object));
}

void SubscriptionTable::put_token(Token token) {
  tokens_.put(std::move(token));
}

void SubscriptionTable::remove_token(uint32_t number) {
  tokens_.remove(number);
}

void SubscriptionTable::put_git_source(GitSource source) {
  git_sources_.put(std::move(source));
}

void SubscriptionTable::remove_git_source(uint32_t number) {
  git_sources_.remove(number);
}

// publish ─> collect_changes ─> edit (copies beside the current snapshot) ─> store ─> retire ─>
// reclaim

uint64_t SubscriptionTable::publish() {
  collect_changes();
  collect_changes(tokens_);
  collect_changes(git_sources_);
  if (webhook_changes_.empty() && tokens_.changes.empty() && git_sources_.changes.empty()) {
    return current_->version();
  }
  auto next = std::unique_ptr<Snapshot>(new Snapshot(*current_));
  ++blocks_live_;
  next->version_ += 1;
  edit_sources(*next);
  for (const WebhookChange& change : webhook_changes_) {
    next->webhook_count_ += static_cast<size_t>(change.added != nullptr);
    next->webhook_count_ -= static_cast<size_t>(change.removed != nullptr);
    next->rule_count_ += static_cast<size_t>(has_rule(change.added));
    next->rule_count_ -= static_cast<size_t>(has_rule(change.removed));
  }
  next->token_count_ = tokens_.by_number.size();
  edit_pointers(next->version_, next->webhooks_, webhook_changes_);
  edit_pointers(next->version_, next->tokens_, tokens_.changes);
  edit_pointers(next->version_, next->git_sources_, git_sources_.changes);
  retire(next->version_, current_, destroy_object<Snapshot>);
  current_ = next.release();
  // Release: readers see the parts before the pointer. Sequentially consistent: see Reader::online.
  shared_.current.store(current_, std::memory_order_seq_cst);
  reclaim();
  return current_->version();
}

/// Compares what is pending with what is published, so that any number of changes of one webhook
/// between two publishes is one.
void SubscriptionTable::collect_changes() {
  source_changes_.clear();
  webhook_changes_.clear();
  for (auto& [number, pending] : pending_webhooks_) {
    const Webhook* old = current_->webhook(number);
    if (old == nullptr && pending == nullptr) continue;
    if (old != nullptr) collect_source_changes(*old, false);
    const Webhook* added = pending.release();
    if (added != nullptr) {
      ++blocks_live_;
      collect_source_changes(*added, true);
    }
    webhook_changes_.push_back({.hash = hash_of_number(number), .removed = old, .added = added});
  }
  pending_webhooks_.clear();
}

void SubscriptionTable::collect_source_changes(const Webhook& webhook, bool added) {
  if (!webhook.active()) return;
  const KeyedHash::Organization organization = hash_.organization(webhook.organization);
  for (const std::string& source : webhook.sources) {
    source_changes_.push_back({.hash = hash_.hash(organization, source),
                               .webhook = &webhook,
                               .source = source,
                               .added = added});
  }
}

template <typename T>
void SubscriptionTable::collect_changes(Hashed<T>& hashed) {
  hashed.changes.clear();
  for (auto& [number, pending] : hashed.pending) {
    if (const auto old = hashed.by_number.find(number); old != hashed.by_number.end()) {
      hashed.changes.push_back({.hash = hash_of(*old->second), .removed = old->second});
      hashed.by_number.erase(old);
    }
    if (pending == nullptr) continue;
    const T* added = pending.release();
    ++blocks_live_;
    hashed.by_number[number] = added;
    hashed.changes.push_back({.hash = hash_of(*added), .added = added});
  }
  hashed.pending.clear();
}

void SubscriptionTable::edit_sources(Snapshot& next) {
  Edit<SourceTable> edit(*this, next.version_, next.sources_);
  for_each_sub_table(source_changes_, [&](uint32_t sub_table, std::span<SourceChange> changes) {
    SourceTable& table = edit.at(sub_table);
    const SourceTable built = builder_.build(table, changes);
    source_bytes_ += built.bytes() - table.bytes();
    if (!table.empty()) {
      retire(next.version_, SourceTableBuilder::memory_of(table), SourceTableBuilder::destroy);
    }
    blocks_live_ += static_cast<size_t>(!built.empty());
    table = built;
  });
}

template <typename T>
void SubscriptionTable::edit_pointers(uint64_t version, Directory<PointerTable<T>>& directory,
                                      std::vector<PointerChange<T>>& changes) {
  Edit<PointerTable<T>> edit(*this, version, directory);
  for_each_sub_table(changes, [&](uint32_t sub_table, std::span<PointerChange<T>> part) {
    PointerTable<T>& table = edit.at(sub_table);
    const PointerTable<T> built = PointerTable<T>::build(table, part);
    if (!table.empty()) {
      retire(version, PointerTable<T>::memory_of(table), PointerTable<T>::destroy);
    }
    blocks_live_ += static_cast<size_t>(!built.empty());
    table = built;
  });
  for (const PointerChange<T>& change : changes) {
    if (change.removed != nullptr) retire(version, change.removed, destroy_object<T>);
  }
}

void SubscriptionTable::retire(uint64_t version, const void* object, Reclaimer::Destroy destroy) {
  reclaimer_.retire(version, object, destroy);
}

uint64_t SubscriptionTable::version_passed() const {
  uint64_t passed = current_->version();
  for (uint32_t index = 0; index < reader_count_; ++index) {
    // Acquire: what the reader did before its store is over. Sequentially consistent:
    // Reader::online.
    passed = std::min(passed, readers_[index].seen_.load(std::memory_order_seq_cst));
  }
  return passed;
}

bool SubscriptionTable::reclaim() {
  blocks_live_ -= reclaimer_.release(version_passed());
  return reclaimer_.size() == 0;
}

SubscriptionTable::Stats SubscriptionTable::stats() const {
  return {.version = current_->version(),
          .webhooks = current_->webhook_count(),
          .tokens = current_->token_count(),
          .blocks_live = blocks_live_,
          .blocks_retired = reclaimer_.size(),
          .source_bytes = source_bytes_};
}

}  // namespace ringpost::subscription
