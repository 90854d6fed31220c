#include "replica/ownership.h"

#include <algorithm>

namespace ringpost::replica {

void Ownership::on_assigned() {
  assigned_ = true;
  must_look_ = lost_;
  lost_ = false;
  leaving_ = false;
  leave_at_.reset();
}

void Ownership::on_assigned_elsewhere(Instant now) {
  assigned_ = false;
  lost_ = false;
  if (held_ && !leave_at_) leave_at_ = now + timing_.leave_after;
}

void Ownership::on_revoked() {
  assigned_ = false;
  claim_open_ = false;  // One that comes back now is nobody's.
  leaving_ = held_.has_value();
}

void Ownership::on_lost() {
  assigned_ = false;
  lost_ = true;
  leave_at_.reset();
}

void Ownership::on_claim(const ClaimName& name, const Claim& claim, Instant now) {
  const bool mine = is_mine(claim);
  const bool at_once = released_ == name.epoch;
  latest_ = name;
  released_.reset();
  looking_since_.reset();
  let_go();  // Any CLAIM ends what was held, a late one of its own too.
  if (!mine) return;
  claim_open_ = false;
  hold(name, at_once ? now : now + timing_.wait);
}

void Ownership::on_renew(const BlockName& at, const Renew& renew, Instant now) {
  looking_since_.reset();
  if (renew.claim != latest_) return;
  const bool same_log = renew.read_epoch == at.epoch && renew.low_water_mark <= at.offset;
  if (same_log && renew.low_water_mark >= firm_mark_.offset) {
    firm_mark_ = {renew.low_water_mark, at, renew.claim};
  }
  if (renew.claim != held_ || renew.sent_at > now) return;
  renews_open_ -= std::min(renews_open_, 1u);
  const Instant until = renew.sent_at + timing_.lease;
  lease_until_ = std::max(lease_until_.value_or(until), until);
}

void Ownership::on_release(const BlockName& at, const Release& release) {
  if (release.claim == latest_) released_ = at.epoch;
}

void Ownership::on_end_of_log(Instant now) {
  if (!looking_since_ || now - end_seen_at_ > timing_.look_gap) looking_since_ = now;
  end_seen_at_ = now;
}

void Ownership::on_fence(const ClaimName& fence) {
  if (!held_) return;
  if (fence == *held_) fenced_ = true;
  // There is a newer owner, whose CLAIM this node reads later, or which a rollback took away. What
  // this one writes is void.
  if (fence > *held_) let_go();
}

uint64_t Ownership::on_rollback(Instant now, uint64_t first, uint64_t end) {
  let_go();
  latest_.reset();
  released_.reset();
  looking_since_.reset();
  claim_open_ = false;
  claim_sent_at_ = now;
  const bool mark_stands = firm_mark_.offset > first && firm_mark_.offset <= end;
  if (!mark_stands) firm_mark_ = {};
  // No CLAIM lies between the one that the mark was sent under and the RENEW behind the mark.
  if (mark_stands && firm_mark_.claim.offset < firm_mark_.offset) latest_ = firm_mark_.claim;
  return mark_stands ? firm_mark_.offset : first;
}

Ownership::State Ownership::state(Instant now) const {
  if (!held_) return State::none;
  if (leaving_) return State::leaving;
  if (now < wait_until_) return State::waiting;
  if (!lease_until_ || now >= *lease_until_) return State::expired;
  return fenced_ ? State::owning : State::fencing;
}

std::optional<Ownership::Action> Ownership::next(Instant now, const Work& work) {
  if (held_ && leave_at_ && now >= *leave_at_ && work.may_leave) leaving_ = true;
  // Only an owner whose own wait is over may write RELEASE: the lease of the one before may run.
  if (leaving_ && now < wait_until_) let_go();
  if (leaving_ && work.idle) return make_release();
  if (fence_due(now)) {
    fence_sent_at_ = now;
    return Fence{*held_};
  }
  if (renew_due(now)) return make_renew(now, work);
  if (may_claim(now)) return make_claim(now);
  return std::nullopt;
}

void Ownership::hold(const ClaimName& name, Instant wait_until) {
  held_ = name;
  wait_until_ = wait_until;
}

void Ownership::let_go() {
  held_.reset();
  lease_until_.reset();
  fenced_ = false;
  fence_sent_at_.reset();
  renew_sent_at_.reset();
  renews_open_ = 0;
  leaving_ = false;
  leave_at_.reset();
}

bool Ownership::is_mine(const Claim& claim) const {
  return claim_open_ && claim.writer == self_ && claim.attempt == attempt_;
}

bool Ownership::may_claim(Instant now) const {
  if (held_ || !assigned_ || (must_look_ && !looked(now))) return false;
  const Duration pause = claim_open_ ? timing_.write_again : timing_.claim_every;
  return !claim_sent_at_ || now - *claim_sent_at_ >= pause;
}

/// Whether the partition looks as if nobody owned it.
bool Ownership::looked(Instant now) const {
  if (released_) return true;
  return looking_since_ && now - end_seen_at_ <= timing_.look_gap &&
         end_seen_at_ - *looking_since_ >= timing_.look;
}

bool Ownership::fence_due(Instant now) const {
  if (!held_ || fenced_ || leaving_ || now < wait_until_) return false;
  return !fence_sent_at_ || now - *fence_sent_at_ >= timing_.write_again;
}

bool Ownership::renew_due(Instant now) const {
  if (!held_) return false;
  const bool many_open = renews_open_ >= timing_.renews_open_max;
  const Duration pause = many_open ? timing_.write_again : timing_.renew_every;
  return !renew_sent_at_ || now - *renew_sent_at_ >= pause;
}

Claim Ownership::make_claim(Instant now) {
  claim_open_ = true;
  claim_sent_at_ = now;
  return {.writer = self_, .attempt = ++attempt_};
}

Renew Ownership::make_renew(Instant now, const Work& work) {
  renew_sent_at_ = now;
  ++renews_open_;
  // Before its FENCE it does not know what the owner before it has settled.
  const uint64_t mark = fenced_ ? work.low_water_mark : firm_mark_.offset;
  return {.claim = *held_, .low_water_mark = mark, .sent_at = now, .read_epoch = read_epoch_};
}

Release Ownership::make_release() {
  const Release release{*held_};
  let_go();
  return release;
}

}  // namespace ringpost::replica
