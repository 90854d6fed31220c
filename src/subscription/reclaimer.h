#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace ringpost::subscription {

/// What a publish replaced, in the order of the publishes, until no reader can still look at it.
class Reclaimer {
 public:
  using Destroy = void (*)(const void*);

  Reclaimer() = default;
  Reclaimer(const Reclaimer&) = delete;
  Reclaimer& operator=(const Reclaimer&) = delete;
  ~Reclaimer() { release(UINT64_MAX); }

  /// @param version  the first one without `object`; never smaller than that of the call before.
  void retire(uint64_t version, const void* object, Destroy destroy) {
    retired_.push_back({.version = version, .object = object, .destroy = destroy});
  }

  /// Frees what only versions below `passed` hold. @returns how many objects.
  size_t release(uint64_t passed) {
    size_t count = 0;
    for (; !retired_.empty() && retired_.front().version <= passed; ++count) {
      retired_.front().destroy(retired_.front().object);
      retired_.pop_front();
    }
    return count;
  }

  size_t size() const { return retired_.size(); }

 private:
  struct Retired {
    uint64_t version;
    const void* object;
    Destroy destroy;
  };

  std::deque<Retired> retired_;
};

}  // namespace ringpost::subscription
