#include "io/timer_wheel.h"

#include "base/assert.h"

#include <algorithm>
#include <array>
#include <limits>

namespace ringpost::io {

namespace {

constexpr uint64_t no_tick = std::numeric_limits<uint64_t>::max();

/// Rounds up, so that a timer never runs early.
uint64_t tick_of_due(Instant due) {
  const int64_t ns = std::max<int64_t>(due.time_since_epoch().count(), 0);
  const int64_t tick_ns = TimerWheel::tick.count();
  return static_cast<uint64_t>(ns / tick_ns + (ns % tick_ns != 0 ? 1 : 0));
}

/// Rounds down: the last tick that has begun.
uint64_t tick_of_now(Instant now) {
  const int64_t ns = std::max<int64_t>(now.time_since_epoch().count(), 0);
  return static_cast<uint64_t>(ns / TimerWheel::tick.count());
}

Instant begin_of(uint64_t tick) {
  return Instant{TimerWheel::tick * static_cast<int64_t>(tick)};
}

}  // namespace

/// The slots, and over them two levels of minima: of each block of slots and of all blocks. A
/// minimum may be lower than the truth after a disarm, never higher.
struct TimerWheel::Slots {
  static constexpr uint32_t block_slots = 128;
  static constexpr uint32_t block_count = slot_count / block_slots;
  static_assert(block_slots * block_count == slot_count);

  std::array<IntrusiveList<Timer, &Timer::link_>, slot_count> timers;
  std::array<uint64_t, slot_count> slot_earliest;
  std::array<uint64_t, block_count> block_earliest;
  uint64_t earliest = no_tick;

  Slots() {
    slot_earliest.fill(no_tick);
    block_earliest.fill(no_tick);
  }

  static uint32_t slot_of(uint64_t tick) { return static_cast<uint32_t>(tick % slot_count); }

  void lower(uint32_t slot, uint64_t tick) {
    slot_earliest[slot] = std::min(slot_earliest[slot], tick);
    uint64_t& block = block_earliest[slot / block_slots];
    block = std::min(block, tick);
    earliest = std::min(earliest, tick);
  }

  void raise(uint32_t slot, uint64_t tick) {
    const uint64_t before = slot_earliest[slot];
    slot_earliest[slot] = tick;
    const uint32_t block = slot / block_slots;
    if (block_earliest[block] != before) return;
    const auto first = slot_earliest.begin() + block * block_slots;
    block_earliest[block] = *std::min_element(first, first + block_slots);
    if (earliest != before) return;
    earliest = *std::min_element(block_earliest.begin(), block_earliest.end());
  }
};

Timer::~Timer() {
  if (armed()) wheel_->disarm(*this);
}

TimerWheel::TimerWheel() : slots_(std::make_unique<Slots>()) {}
TimerWheel::~TimerWheel() = default;

void TimerWheel::arm(Timer& timer, Instant due, void* owner, Timer::Handler handler) {
  disarm(timer);
  const uint64_t due_tick = std::max(tick_of_due(due), expired_tick_ + 1);
  timer.due_ = std::max(due, begin_of(expired_tick_ + 1));
  timer.wheel_ = this;
  timer.owner_ = owner;
  timer.handler_ = handler;
  const uint32_t slot = Slots::slot_of(due_tick);
  slots_->timers[slot].push_back(timer);
  slots_->lower(slot, due_tick);
  ++armed_count_;
}

void TimerWheel::disarm(Timer& timer) {
  if (!timer.armed()) return;
  RINGPOST_ASSERT(timer.wheel_ == this);
  timer.link_.unlink();
  --armed_count_;
  const uint32_t slot = Slots::slot_of(tick_of_due(timer.due_));
  if (slots_->timers[slot].empty()) slots_->raise(slot, no_tick);
}

uint32_t TimerWheel::expire(Instant now) {
  const uint64_t now_tick = tick_of_now(now);
  if (now_tick <= expired_tick_) return 0;
  // Before the handlers: what they arm is due in the next tick at the earliest.
  expired_tick_ = now_tick;
  uint32_t count = 0;
  while (slots_->earliest <= now_tick) count += run_slot(slots_->earliest);
  return count;
}

uint32_t TimerWheel::run_slot(uint64_t tick_due) {
  const uint32_t slot = Slots::slot_of(tick_due);
  // Apart from the slot, because a handler may disarm or destroy any of those still to run.
  IntrusiveList<Timer, &Timer::link_> due;
  uint64_t earliest_left = no_tick;
  slots_->timers[slot].for_each([&](Timer& timer) {
    const uint64_t timer_tick = tick_of_due(timer.due_);
    if (timer_tick > tick_due) {
      earliest_left = std::min(earliest_left, timer_tick);
      return;
    }
    timer.link_.unlink();
    due.push_back(timer);
  });
  slots_->raise(slot, earliest_left);

  uint32_t count = 0;
  while (!due.empty()) {
    Timer& timer = due.pop_front();
    --armed_count_;
    ++count;
    timer.handler_(timer.owner_);
  }
  return count;
}

std::optional<Instant> TimerWheel::next_due() const {
  if (slots_->earliest == no_tick) return std::nullopt;
  return begin_of(slots_->earliest);
}

}  // namespace ringpost::io
