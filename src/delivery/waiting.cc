// The dispatcher's deliveries of which no attempt is under way: how they come, wait, get their
// events back, and go without one (README.md, `Waiting`).

#include "delivery/dispatcher.h"
#include "delivery/retry.h"

#include <algorithm>
#include <utility>

namespace ringpost::delivery {

using journal::DeliveryStatus;

namespace {

/// Retries that become ready in one go: more take another turn.
constexpr uint32_t retries_per_turn_max = 1024;
/// Likewise of those that are cancelled.
constexpr uint32_t cancelled_per_turn_max = 1024;

/// Of Waiting::due, as fine as the timer wheel's.
constexpr Duration retry_tick = io::TimerWheel::tick;

}  // namespace

// --- arrival -------------------------------------------------------------------------------------

void Dispatcher::submit(const journal::EventRef& event, uint32_t webhook_number, bool by_hand) {
  Target& target = target_for(webhook_number);
  count_in(target);
  counters_.add(Counter::deliveries_created);
  const Ulid id = journal::delivery_id(event->view().uid, webhook_number);
  if (target.supersession != nullptr && refresh(target) &&
      is_superseded(target, event->view(), {id, event->position()})) {
    record_cancelled(webhook_number, id, event->position(), Withdrawal::superseded);
    count_out(target.organization->key, webhook_number, DeliveryStatus::cancelled);
    return forget_if_unused(target);
  }
  Waiting waiting = Waiting::make(id, event->position(), 0);
  const bool room = stock_.bytes() < limits_.retained_bytes_max || stock_.has(event->position());
  if (room || by_hand) {
    stock_.hold(event);
    waiting.set_holds_event(true);
  }
  if (by_hand) {
    hasten(target);
    return make_first(make(target, waiting));
  }
  target.ready.push_back(waiting);
  activate(target);
}

void Dispatcher::restore(const PendingDelivery& pending) {
  Target& target = target_for(pending.webhook_number);
  count_in(target);
  Waiting waiting = Waiting::make(pending.id, pending.event, pending.attempts);
  if (pending.perhaps_begun) ++waiting.attempts;
  // The wall clock may have been set back since: a delivery never waits longer than it was to.
  const subscription::Webhook* webhook = host_.snapshot().webhook(pending.webhook_number);
  const Duration longest =
      webhook != nullptr ? longest_delay(webhook->schedule_s, pending.attempts) : Duration::zero();
  const Duration delay = std::min(pending.next_attempt_at - ring_.wall_now(), longest);
  // What it is about shows when its event is read, and a newer one has to find out: at once then.
  const bool waits = delay > Duration::zero() && target.supersession == nullptr;
  if (waits) return wait(target, waiting, delay);
  target.ready.push_back(waiting);
  activate(target);
}

void Dispatcher::count_in(Target& target) {
  ++pending_;
  pending_counts_.add(target.organization->key, target.webhook_number);
  counters_.add(Counter::deliveries_pending);
}

/// A delivery of the webhook has ended.
void Dispatcher::count_out(uint64_t organization_key, uint32_t webhook_number,
                           DeliveryStatus status) {
  RINGPOST_ASSERT(journal::is_end(status));
  RINGPOST_ASSERT(pending_ > 0);
  counters_.add(status == DeliveryStatus::delivered ? Counter::deliveries_delivered
                : status == DeliveryStatus::dead    ? Counter::deliveries_dead
                                                    : Counter::deliveries_cancelled);
  --pending_;
  pending_counts_.subtract(organization_key, webhook_number);
  counters_.subtract(Counter::deliveries_pending);
}

/// The delivery in that place, out of the queue.
Delivery& Dispatcher::take(Target& target, const ReadyQueue::Place& place) {
  if (place.delivery == nullptr) return make(target, place.lane->pop_front());
  place.delivery->ready_link.unlink();
  return *place.delivery;
}

Delivery& Dispatcher::make(Target& target, const Waiting& waiting) {
  auto* delivery = new Delivery;
  delivery->id = waiting.id;
  delivery->event_position = waiting.event();
  delivery->attempts = waiting.attempts;
  delivery->target = &target;
  if (waiting.holds_event()) delivery->event = stock_.find(waiting.event());
  target.members.push_back(*delivery);
  return *delivery;
}

/// It goes before all that are Waiting.
void Dispatcher::make_first(Delivery& delivery) {
  delivery.state = Delivery::State::ready;
  delivery.target->ready.push_first(delivery);
  activate(*delivery.target);
}

// --- between attempts ----------------------------------------------------------------------------

/// The delivery's attempt is over, and so is the delivery as an object.
void Dispatcher::wait(Delivery& delivery, Duration delay) {
  Target& target = *delivery.target;
  Waiting waiting = delivery.as_waiting();
  const bool keeps =
      delay <= limits_.retained_for_max && stock_.bytes() <= limits_.retained_bytes_max;
  if (!keeps) let_go(delivery);
  waiting.set_holds_event(static_cast<bool>(delivery.event));
  delete &delivery;
  wait(target, waiting, delay);
  activate(target);  // Its place is free for the next one.
}

void Dispatcher::wait(Target& target, Waiting waiting, Duration delay) {
  waiting.due = tick_at(ring_.now() + delay) + 1;
  target.retries.push(waiting);
  arm_retry_timer(target);
}

/// The last tick that has begun by then.
uint32_t Dispatcher::tick_at(Instant time) const {
  return static_cast<uint32_t>((time - first_tick_) / retry_tick);
}

void Dispatcher::arm_retry_timer(Target& target) {
  if (target.retries.empty()) return ring_.disarm(target.retry_timer);
  const auto ticks = static_cast<int32_t>(target.retries.front().due - tick_at(ring_.now()));
  ring_.arm<&Target::on_retry_due>(target, target.retry_timer, std::max(ticks, 0) * retry_tick);
}

void Dispatcher::on_retry_due(Target& target) {
  const uint32_t now = tick_at(ring_.now());
  for (uint32_t count = 0; count < retries_per_turn_max && !target.retries.empty(); ++count) {
    if (static_cast<int32_t>(target.retries.front().due - now) > 0) break;
    target.ready.push_back(target.retries.pop());
  }
  arm_retry_timer(target);
  activate(target);
}

/// What waits is cancelled in the turns to come.
void Dispatcher::cancel_waiting(Target& target) {
  ring_.disarm(target.retry_timer);
  Cancellation cancellation{.webhook_number = target.webhook_number,
                            .organization_key = target.organization->key,
                            .ready = target.ready.take_waiting(),
                            .retries = std::exchange(target.retries, {}),
                            .left = {}};
  if (target.supersession != nullptr) {
    cancellation.left = target.supersession->take_left();
    *target.supersession = {};
  }
  if (!cancellation.empty()) cancellations_.push_back(std::move(cancellation));
}

bool Dispatcher::may_cancel() const {
  return !cancellations_.empty() && !aborted_ && host_.has_room_for_attempt(in_flight_);
}

void Dispatcher::go_on_cancelling() {
  for (uint32_t count = 0; count < cancelled_per_turn_max && may_cancel(); ++count) {
    Cancellation& first = cancellations_.front();
    cancel(first, first.pop());
    if (first.empty()) cancellations_.pop_front();
  }
}

void Dispatcher::cancel(Cancellation& cancellation, const Waiting& waiting) {
  if (waiting.holds_event()) stock_.release(stock_.find(waiting.event()));
  if (cancellation.left.erase(waiting.id) > 0) return;
  record_cancelled(cancellation.webhook_number, waiting.id, waiting.event());
  count_out(cancellation.organization_key, cancellation.webhook_number, DeliveryStatus::cancelled);
}

// --- what a newer event makes pointless ----------------------------------------------------------

/// Whether there is a newer delivery about the same; if not, older ones that wait are dropped. What
/// a person asked for stands for itself. The target is refreshed.
bool Dispatcher::is_superseded(Target& target, const journal::EventView& event,
                               const Supersession::Pending& delivery) {
  const uint64_t subject = event.is_redelivery() ? 0 : target.renderer->subject(event);
  if (subject == 0) return false;
  const Supersession::Arrival arrival = target.supersession->add(subject, delivery);
  if (arrival.older) drop_waiting(target, *arrival.older);
  return arrival.superseded;
}

/// On record at once, so that it stays so after a restart; it is taken out of its queue later. One
/// that does not wait is looked at when it is picked, or its attempt has failed.
void Dispatcher::drop_waiting(Target& target, const Supersession::Pending& superseded) {
  bool waits = true;
  target.members.for_each([&](Delivery& delivery) { waits &= delivery.id != superseded.id; });
  if (!waits) return;
  record_cancelled(target.webhook_number, superseded.id, superseded.event, Withdrawal::superseded);
  target.supersession->on_end(superseded.id);
  target.supersession->leave_in_queue(superseded.id);
  count_out(target.organization->key, target.webhook_number, DeliveryStatus::cancelled);
}

/// Takes one that was left in the queue out of it. @returns false if this is none; the target may
/// be gone otherwise.
bool Dispatcher::drop_left(Target& target, const ReadyQueue::Place& place) {
  if (place.lane == nullptr) return false;
  if (!target.supersession->take_from_queue(place.lane->front().id)) return false;
  const Waiting waiting = place.lane->pop_front();
  if (waiting.holds_event()) stock_.release(stock_.find(waiting.event()));
  activate(target);
  forget_if_unused(target);
  return true;
}

/// One that is not Waiting any more.
void Dispatcher::drop(Delivery& superseded) {
  record_cancelled(superseded.target->webhook_number, superseded.id, superseded.event_position,
                   Withdrawal::superseded);
  finish(superseded, DeliveryStatus::cancelled);
}

// --- events read back from the journal -----------------------------------------------------------

/// @returns whether the delivery has its event: it did, another one has it, or it was read lately.
bool Dispatcher::find_event(const ReadyQueue::Place& place) {
  if (place.delivery != nullptr) return true;  // Those that go first have it.
  Waiting& waiting = place.lane->front();
  if (waiting.holds_event()) return true;
  journal::EventRef event = stock_.find(waiting.event());
  if (!event) event = host_.event_at_hand(waiting.event());
  if (!event) return false;
  stock_.hold(event);
  waiting.set_holds_event(true);
  return true;
}

/// One always has, or an event larger than the limit would never go. A part is for those in good
/// standing.
bool Dispatcher::has_room_for_bytes(const Target& target, const ReadyQueue::Place& place) const {
  if (in_flight_ == 0) return true;
  const journal::EventRef& event =
      place.delivery != nullptr ? place.delivery->event : stock_.at(place.lane->front().event());
  const uint64_t limit = limits_.bytes_in_flight_max;
  const uint64_t reserve = target.conduct.good ? 0 : limit / limits_.reserve_divisor;
  return bytes_in_flight_ + event->record().size() <= limit - reserve;
}

/// What is read back is bounded like what was never let go. Something is under way whenever it is
/// not allowed: that looks after those that are held when it ends.
bool Dispatcher::may_load() const {
  if (loading_.size() >= limits_.loads_max) return false;
  return stock_.bytes() < limits_.retained_bytes_max || in_flight_ == 0;
}

/// Asks for the event. It takes up a place of its webhook meanwhile, so that a long backlog is not
/// read into memory at once.
void Dispatcher::load(Delivery& delivery) {
  delivery.state = Delivery::State::loading;
  delivery.ticket = next_ticket_++;
  loading_.emplace(delivery.ticket, &delivery);
  take_place(delivery);
  host_.want_payload(delivery.event_position, delivery.ticket);
}

void Dispatcher::on_payload(uint64_t ticket, const journal::EventRef& event, const Error& error) {
  const auto found = loading_.find(ticket);
  if (found == loading_.end()) return;  // Cancelled meanwhile.
  Delivery& delivery = *found->second;
  loading_.erase(found);
  leave_place(delivery);
  if (event) {
    delivery.event = stock_.hold(event);
    return make_first(delivery);
  }
  const bool short_of_something = error.code == Errc::overloaded;
  short_of_something ? wait(delivery, limits_.shortage_pause) : give_up(delivery, error);
}

void Dispatcher::let_go(Delivery& delivery) {
  if (!delivery.event) return;
  stock_.release(delivery.event);
  delivery.event = {};
}

}  // namespace ringpost::delivery
