#pragma once

#include "journal/record.h"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>

namespace ringpost::shard {

/// By webhook, the outcome that the next ones are recorded as changes to: requests to one webhook
/// are alike, and so are its answers. Of the segment that is being written.
///
/// Memory: about a kilobyte for each of `webhooks_max`.
class OutcomeBases {
 public:
  static constexpr size_t webhooks_max = 1024;
  /// A damaged base takes the texts of as many with it.
  static constexpr uint32_t uses_max = 256;

  /// @returns without an offset if the outcome is to be recorded whole.
  journal::OutcomeBase find(uint32_t webhook_number, uint32_t segment) {
    const auto found = bases_.find(webhook_number);
    if (found == bases_.end()) return {};
    Base& base = found->second;
    if (base.position.segment() != segment || ++base.uses > uses_max) return {};
    return {.offset = base.position.offset(), .texts = base.texts};
  }
  void put(uint32_t webhook_number, journal::Position position, std::string texts) {
    if (bases_.size() >= webhooks_max && !bases_.contains(webhook_number)) bases_.clear();
    bases_[webhook_number] = {.position = position, .texts = std::move(texts)};
  }

 private:
  struct Base {
    journal::Position position;
    std::string texts;
    uint32_t uses = 0;
  };
  std::unordered_map<uint32_t, Base> bases_;
};

}  // namespace ringpost::shard
