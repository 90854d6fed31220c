#include "control/visible_history.h"

#include "control/pending_tally.h"
#include "control/webhook_registry.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

WallTime VisibleHistory::visible_since(std::string_view organization, WallTime now) const {
  const auto age = ages_.find(organization);
  if (age == ages_.end()) return WallTime{};
  // To a millisecond, as uids tell time.
  return std::max<WallTime>(std::chrono::floor<std::chrono::milliseconds>(now - age->second), {});
}

index::Horizon VisibleHistory::View::horizon() const {
  return {.since = since_, .pending_since = {}};
}

/// A list ends where nothing is pending any more.
/// @param webhook_number  nothing: of all of the organization.
index::Horizon VisibleHistory::View::horizon_of_list(std::optional<uint32_t> webhook_number) const {
  index::Horizon bounded = horizon();
  if (since_ == WallTime{}) return bounded;
  const PendingTally& pending = history_.pending_;
  const auto oldest = webhook_number
                          ? pending.oldest_at(*webhook_number)
                          : pending.oldest_at([this](uint32_t number) { return is_own(number); });
  bounded.pending_since = oldest.value_or(since_);
  return bounded;
}

/// Whose a deleted webhook was, nothing tells.
bool VisibleHistory::View::is_own(uint32_t webhook_number) const {
  const subscription::Webhook* webhook = history_.registry_.find(webhook_number);
  return webhook == nullptr || webhook->organization == organization_;
}

Result<index::Page> VisibleHistory::View::page(index::PageQuery query) const {
  query.horizon = horizon_of_list(query.webhook_number);
  return history_.index_.page(query);
}

Result<index::EventList> VisibleHistory::View::event_list(index::EventListQuery query) const {
  query.horizon = horizon_of_list(std::nullopt);
  return history_.index_.event_list(query);
}

Result<std::optional<index::DeliveryFacts>> VisibleHistory::View::delivery(const Ulid& id) const {
  return history_.index_.delivery(id, horizon());
}

Result<index::EventPage> VisibleHistory::View::events(index::EventQuery query) const {
  query.horizon = horizon();
  return history_.index_.events(query);
}

Result<std::vector<index::DeliveryFacts>> VisibleHistory::View::deliveries_of(
    const index::EventFacts& event) const {
  return history_.index_.deliveries_of(event, horizon());
}

Result<index::TotalsAnswer> VisibleHistory::View::totals(index::TotalsQuery query) const {
  query.horizon = {.since = since_};
  return history_.index_.totals(query);
}

bool VisibleHistory::View::shows(journal::DeliveryStatus status, WallTime accepted_at) const {
  return accepted_at >= since_ || !journal::is_end(status);
}

}  // namespace ringpost::control
