#include "control/publisher.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

Publisher::Publisher(WebhookRegistry& registry, Post& post, uint32_t shard_count)
    : registry_(registry), post_(post), seen_(shard_count) {}

void Publisher::send_when_seen(uint32_t shard, ToShard message) {
  waiting_.push_back({0, shard, std::move(message)});
  dirty_ = true;
}

void Publisher::flush() {
  if (!dirty_) return;
  dirty_ = false;
  if (const auto published = registry_.publish()) {
    published_ = published->version;
    for (uint32_t shard = 0; shard < seen_.size(); ++shard) {
      post_.send(shard,
                 SnapshotPublished{published->version, published->ended, published->changed});
    }
  }
  for (auto item = waiting_.rbegin(); item != waiting_.rend() && item->version == 0; ++item) {
    item->version = published_;
  }
  answer();
}

void Publisher::on_seen(uint32_t shard, uint64_t version) {
  seen_[shard] = std::max(seen_[shard], version);
  answer();
}

bool Publisher::settled() const {
  return std::all_of(seen_.begin(), seen_.end(),
                     [&](uint64_t version) { return version >= published_; });
}

void Publisher::answer() {
  const uint64_t everywhere = *std::min_element(seen_.begin(), seen_.end());
  while (!waiting_.empty()) {
    Waiting& first = waiting_.front();
    const bool unpublished = first.version == 0 && dirty_;
    if (unpublished || first.version > everywhere) return;
    post_.send(first.shard, std::move(first.message));
    waiting_.pop_front();
  }
}

}  // namespace ringpost::control
