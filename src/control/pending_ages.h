#pragma once

#include "base/assert.h"
#include "base/clock.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ringpost::control {

/// When the events were accepted that somebody waits for, without a note of each: for the age of
/// the oldest. Exact while there are at most 64 different times; of more, neighbours are counted
/// together, and the oldest is told too old by at most about a thirtieth of the time between the
/// first and the last that were there at once.
///
/// Memory: 24 bytes for each time, 1.5 KiB at most.
class PendingAges {
 public:
  void add(WallTime time) {
    auto next = behind(time);
    if (next != groups_.begin()) {
      Group& home = *(next - 1);
      if (time <= home.newest) {
        ++home.count;
        return;
      }
    }
    groups_.insert(next, {time, time, 1});
    if (groups_.size() > groups_max) join_nearest();
  }
  /// One that was added.
  void remove(WallTime time) {
    RINGPOST_ASSERT(!groups_.empty());
    auto home = behind(time);
    if (home != groups_.begin()) --home;
    if (--home->count == 0) groups_.erase(home);
  }

  bool empty() const { return groups_.empty(); }
  /// There is one.
  WallTime oldest() const { return groups_.front().oldest; }
  uint64_t count() const {
    uint64_t count = 0;
    for (const Group& group : groups_) count += group.count;
    return count;
  }
  size_t memory_bytes() const { return groups_.capacity() * sizeof(Group); }

 private:
  static constexpr size_t groups_max = 64;

  struct Group {
    WallTime oldest;
    WallTime newest;
    uint32_t count = 0;
  };

  /// The first group that is all newer.
  std::vector<Group>::iterator behind(WallTime time) {
    return std::ranges::upper_bound(groups_, time, {}, &Group::oldest);
  }
  void join_nearest() {
    auto nearest = groups_.begin();
    for (auto one = groups_.begin(); one + 1 != groups_.end(); ++one) {
      if (span(one) < span(nearest)) nearest = one;
    }
    const auto next = nearest + 1;
    nearest->newest = next->newest;
    nearest->count += next->count;
    groups_.erase(next);
  }
  static WallTime::duration span(std::vector<Group>::iterator group) {
    return (group + 1)->newest - group->oldest;
  }

  std::vector<Group> groups_;  ///< Rising; their times do not overlap.
};

}  // namespace ringpost::control
