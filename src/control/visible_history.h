#pragma once

#include "base/clock.h"
#include "control/organization_ages.h"
#include "index/index.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::control {

class PendingTally;
class WebhookRegistry;

/// The history as organizations may see it. Whatever is asked for one of them is asked here: an
/// event that is older than its organization's age is not found by anybody, wherever its bytes
/// still are. What is pending is found until it has ended.
///
/// The wall clock decides: when it is set forward, what it hides comes back with the right time.
class VisibleHistory {
 public:
  /// All outlive it.
  VisibleHistory(index::Index& index, const PendingTally& pending, const WebhookRegistry& registry)
      : index_(index), pending_(pending), registry_(registry) {}

  void set_ages(OrganizationAges ages) { ages_ = std::move(ages); }
  /// From when on the organization's events are visible; the epoch: as long as they are stored.
  WallTime visible_since(std::string_view organization, WallTime now) const;

  /// What one organization may see. Questions and errors are those of index::Index, which sets the
  /// horizon. Good for one call: it borrows the name.
  class View {
   public:
    Result<index::Page> page(index::PageQuery query) const;
    Result<index::EventList> event_list(index::EventListQuery query) const;
    Result<std::optional<index::DeliveryFacts>> delivery(const Ulid& id) const;
    Result<index::EventPage> events(index::EventQuery query) const;
    Result<std::vector<index::DeliveryFacts>> deliveries_of(const index::EventFacts& event) const;
    Result<index::TotalsAnswer> totals(index::TotalsQuery query) const;
    /// A delivery in this state. @param accepted_at  of its event.
    bool shows(journal::DeliveryStatus status, WallTime accepted_at) const;
    WallTime since() const { return since_; }

   private:
    friend VisibleHistory;
    View(const VisibleHistory& history, std::string_view organization, WallTime since)
        : history_(history), organization_(organization), since_(since) {}

    index::Horizon horizon() const;
    index::Horizon horizon_of_list(std::optional<uint32_t> webhook_number) const;
    bool is_own(uint32_t webhook_number) const;

    const VisibleHistory& history_;
    const std::string_view organization_;
    const WallTime since_;
  };
  View of(std::string_view organization, WallTime now) const {
    return {*this, organization, visible_since(organization, now)};
  }
  /// For news of a delivery at the moment when it ends, whatever its age.
  View of_what_ends() const { return {*this, {}, WallTime{}}; }

  const index::TextHash& hash() const { return index_.hash(); }
  uint64_t pages_read() const { return index_.pages_read(); }

 private:
  index::Index& index_;
  const PendingTally& pending_;
  const WebhookRegistry& registry_;
  OrganizationAges ages_;
};

}  // namespace ringpost::control
