#include "sim/world.h"

#include "sim/disk.h"
#include "sim/network.h"
#include "sim/ring.h"

#include <algorithm>

namespace ringpost::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;

struct World::Seat {
  uint64_t number = 0;
  Actor* actor = nullptr;
  Ring* ring = nullptr;  // Null for an actor without one.
  bool scheduled = false;
  std::optional<Instant> timer_due;  // As of the last look at the ring's wheel.
};

/// Wakes an actor without a ring; a crash leaves it without effect.
class World::SeatWaker final : public io::Waker {
 public:
  SeatWaker(World& world, uint64_t seat) : world_(world), seat_(seat) {}
  void wake() override {
    if (Seat* seat = world_.find_seat(seat_)) world_.schedule_turn(*seat);
  }

 private:
  World& world_;
  const uint64_t seat_;
};

World::World(const Options& options)
    : options_(options),
      prng_(options.seed),
      network_(std::make_unique<Network>(*this)),
      disk_(std::make_unique<Disk>(*this)) {}

World::~World() = default;

Ring& World::add_ring() {
  RINGPOST_ASSERT(!crashed_);
  return *rings_.emplace_back(std::make_unique<Ring>(*this, prng_.next()));
}

void World::remove_ring(Ring& ring) {
  for (const auto& [number, seat] : seats_) RINGPOST_ASSERT(seat->ring != &ring);
  const auto found = std::ranges::find(rings_, &ring, &std::unique_ptr<Ring>::get);
  RINGPOST_ASSERT(found != rings_.end());
  rings_.erase(found);
}

// --- actors --------------------------------------------------------------------------------------

void World::add_actor(Actor& actor, Ring& ring) {
  RINGPOST_ASSERT(ring.seat() == 0);
  ring.set_seat(seat_actor(actor, &ring));
}

io::Waker& World::add_actor(Actor& actor) {
  return *wakers_.emplace_back(std::make_unique<SeatWaker>(*this, seat_actor(actor, nullptr)));
}

uint64_t World::seat_actor(Actor& actor, Ring* ring) {
  RINGPOST_ASSERT(!crashed_);
  auto seat = std::make_unique<Seat>();
  seat->number = ++seat_count_;
  seat->actor = &actor;
  seat->ring = ring;
  schedule_turn(*seat);
  seats_.emplace(seat_count_, std::move(seat));
  return seat_count_;
}

void World::remove_actor(Actor& actor) {
  std::erase_if(seats_, [&actor](const auto& entry) {
    if (entry.second->actor != &actor) return false;
    if (entry.second->ring != nullptr) entry.second->ring->set_seat(0);
    return true;
  });
}

World::Seat* World::find_seat(uint64_t number) {
  const auto found = seats_.find(number);
  return found == seats_.end() ? nullptr : found->second.get();
}

void World::notify(Ring& ring) {
  if (Seat* seat = find_seat(ring.seat())) schedule_turn(*seat);
}

void World::schedule_turn(Seat& seat) {
  // The actor that runs right now is looked at again when its turn is over.
  if (seat.scheduled || seat.number == running_seat_) return;
  seat.scheduled = true;
  Duration delay = turn_time();
  if (chance(faults().pause)) delay += between(milliseconds{1}, milliseconds{500});
  schedule(now_ + delay, Kind::turn, [this, number = seat.number] { run_turn(number); });
}

void World::run_turn(uint64_t number) {
  Seat* seat = find_seat(number);
  if (seat == nullptr) return;  // Removed in the meantime.
  RINGPOST_ASSERT(running_seat_ == 0);
  seat->scheduled = false;
  seat->timer_due.reset();
  running_seat_ = number;
  seat->actor->turn();
  running_seat_ = 0;
  seat = find_seat(number);
  if (seat == nullptr || seat->ring == nullptr) return;
  refresh_timer(*seat);
  if (seat->ring->ready()) schedule_turn(*seat);
}

void World::refresh_timer(Seat& seat) {
  seat.timer_due = seat.ring->next_timer();
  if (seat.timer_due && *seat.timer_due <= now_) {
    // Due by the wheel's word, yet not run: its tick is not over. One tick later it is.
    seat.timer_due = now_ + io::TimerWheel::tick;
  }
}

void World::refresh_timers() {
  for (const auto& [number, seat] : seats_) {
    if (seat->ring != nullptr) refresh_timer(*seat);
  }
}

void World::refresh_clocks() {
  for (const auto& ring : rings_) ring->refresh_clock();
}

World::Seat* World::earliest_timer() {
  Seat* earliest = nullptr;
  for (const auto& [number, seat] : seats_) {
    if (!seat->timer_due || seat->scheduled) continue;
    if (earliest == nullptr || *seat->timer_due < *earliest->timer_due) earliest = seat.get();
  }
  return earliest;
}

/// What a thread takes to come round.
Duration World::turn_time() {
  return between(microseconds{1}, microseconds{20});
}

// --- time ----------------------------------------------------------------------------------------

void World::after(Duration delay, std::function<void()> run) {
  schedule(now_ + delay, Kind::test, std::move(run));
}

void World::schedule(Instant due, Kind kind, std::function<void()> run) {
  RINGPOST_ASSERT(due >= now_);
  events_.push({due, ++event_count_, kind, std::move(run)});
}

void World::advance_to(Instant time) {
  now_ = std::max(now_, time);
}

bool World::step_until(Instant limit) {
  Seat* timed = earliest_timer();
  const bool timer_first =
      timed != nullptr && (events_.empty() || *timed->timer_due < events_.top().due);
  if (timer_first) {
    if (*timed->timer_due > limit) return false;
    advance_to(*timed->timer_due);
    ++step_count_;
    note(static_cast<uint64_t>(Kind::turn) << 56 | timed->number);
    run_turn(timed->number);
    return true;
  }
  if (events_.empty() || events_.top().due > limit) return false;
  // The queue shows its top as const; it is popped before it runs, so it may be moved from.
  Event event = std::move(const_cast<Event&>(events_.top()));
  events_.pop();
  advance_to(event.due);
  ++step_count_;
  note(static_cast<uint64_t>(event.kind) << 56 | event.number);
  if (event.kind != Kind::test) {
    event.run();
    return true;
  }
  refresh_clocks();
  event.run();
  refresh_timers();
  return true;
}

bool World::step() {
  refresh_timers();
  return step_until(Instant::max());
}

bool World::run_until(const std::function<bool()>& done, Duration within) {
  const Instant limit = now_ + within;
  refresh_timers();
  bool is_done = done();
  while (!is_done && step_until(limit)) is_done = done();
  if (!is_done && (!events_.empty() || earliest_timer() != nullptr)) advance_to(limit);
  refresh_clocks();
  return is_done;
}

bool World::run_until_idle(Duration within) {
  run_until([] { return false; }, within);
  return events_.empty() && earliest_timer() == nullptr;
}

void World::run_for(Duration time) {
  const Instant limit = now_ + time;
  run_until([] { return false; }, time);
  advance_to(limit);
  refresh_clocks();
}

void World::pass_time(Ring& ring, bool may_sleep) {
  if (running_seat_ != 0) return;  // Turned by another ring's actor: time passes there.
  run_for(turn_time());
  if (!may_sleep) return;
  refresh_timers();
  while (!ring.ready()) {
    const auto timer = ring.next_timer();
    if (timer && *timer <= now_) return;
    if (step_until(timer.value_or(Instant::max()))) continue;
    if (timer) advance_to(*timer);
    return;  // With nothing armed and nothing on its way a real ring would sleep for ever.
  }
}

Duration World::between(Duration low, Duration high) {
  return Duration{static_cast<int64_t>(
      prng_.between(static_cast<uint64_t>(low.count()), static_cast<uint64_t>(high.count())))};
}

void World::note(uint64_t fact) {
  const auto mix = [this](uint64_t word) {
    for (int byte = 0; byte < 8; ++byte) {
      trace_hash_ = (trace_hash_ ^ ((word >> (byte * 8)) & 0xff)) * 0x100000001b3;
    }
  };
  mix(static_cast<uint64_t>(now_.time_since_epoch().count()));
  mix(fact);
}

// --- crash ---------------------------------------------------------------------------------------

void World::crash(Crash kind) {
  RINGPOST_ASSERT(running_seat_ == 0);
  RINGPOST_ASSERT(!crashed_);
  crashed_ = true;
  note(static_cast<uint64_t>(kind));
  for (const auto& [number, seat] : seats_) {
    if (seat->ring != nullptr) seat->ring->set_seat(0);
  }
  seats_.clear();
  network_->crash_process(kind);
  disk_->crash(kind);
  for (const auto& ring : rings_) ring->die();
}

void World::restart() {
  RINGPOST_ASSERT(crashed_);
  crashed_ = false;
  disk_->restart();
}

}  // namespace ringpost::sim
