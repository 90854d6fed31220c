#pragma once

#include "base/intrusive_list.h"
#include "delivery/target.h"

#include <cstdint>
#include <string>

namespace ringpost::delivery {

/// What the webhooks of one organization have in common on a shard.
struct Organization {
  using Targets = IntrusiveList<Target, &Target::active_link>;

  std::string name;
  uint64_t key = 0;  ///< In subscription::PendingCounts.
  uint32_t target_count = 0;
  uint32_t in_flight = 0;  ///< Attempts, and events being read back for one.
  Targets active;
  ListLink active_link;  ///< In the round of those that have something to do.
  Targets held;
  ListLink held_link;  ///< In the round of those that wait for room.
};

/// Whose turn it is: organizations take turns, and within each its webhooks. So an organization
/// with a thousand webhooks gets no more of a shard than one with a single webhook, while both have
/// something to send. A target is in one round at most.
template <Organization::Targets Organization::*Targets, ListLink Organization::*Link>
class Round {
 public:
  /// `target` is in no list.
  void push_back(Target& target) {
    Organization& organization = *target.organization;
    (organization.*Targets).push_back(target);
    if (!(organization.*Link).linked()) organizations_.push_back(organization);
  }

  /// Whether `pop_front` may find one. Webhooks leave on their own when they are forgotten.
  bool empty() const { return organizations_.empty(); }

  /// @returns null if those that were in it left.
  Target* pop_front() {
    Organization& organization = organizations_.pop_front();
    auto& targets = organization.*Targets;
    if (targets.empty()) return nullptr;
    Target& target = targets.pop_front();
    if (!targets.empty()) organizations_.push_back(organization);
    return &target;
  }

 private:
  IntrusiveList<Organization, Link> organizations_;
};

using ActiveRound = Round<&Organization::active, &Organization::active_link>;
using HeldRound = Round<&Organization::held, &Organization::held_link>;

}  // namespace ringpost::delivery
