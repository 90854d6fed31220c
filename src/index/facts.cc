#include "index/facts.h"

#include <algorithm>
#include <map>
#include <utility>

namespace ringpost::index {
namespace {

// A record may hold any number: those that no clock of ours shows are cut to the nearest.

WallTime whole_microseconds(WallTime time) {
  return std::chrono::floor<std::chrono::microseconds>(std::max(time, WallTime{}));
}

/// As far as there are such times.
WallTime end_of(WallTime started_at, Duration duration) {
  const WallTime start = whole_microseconds(started_at);
  return start + std::clamp(duration, Duration::zero(), WallTime::max() - start);
}

/// Rounded up: an attempt is never due early.
WallTime whole_seconds(WallTime time) {
  constexpr WallTime last = from_unix_ns(int64_t{0xffff'ffff} * 1'000'000'000);
  return std::chrono::ceil<std::chrono::seconds>(std::clamp(time, WallTime{}, last));
}

/// One attempt: by its start, until its end is known.
struct Attempt {
  bool ended = false;
  DeliveryStatus status{};
  Position record;
  WallTime next_attempt_at{};
  bool failed = false;
  Errc error{};
  uint16_t http_status = 0;
};

/// Attempts by their numbers, while outcomes are told one after the other.
class Attempts {
 public:
  void tell(const Outcome& outcome) {
    if (rank_of_end(outcome.status) > rank_of_end(end_)) end_ = outcome.status;
    if (outcome.attempt > 0) return tell_attempt(outcome);
    superseded_ = superseded_ || is_superseded(outcome);
    if (outcome.status == DeliveryStatus::pending) take_back(outcome);
  }

  /// Adds what another journal tells: attempts of another time, when its shard was the owner.
  void add(const Attempts& other) {
    if (rank_of_end(other.end_) > rank_of_end(end_)) end_ = other.end_;
    for (const auto& [number, attempt] : other.attempts_) {
      Attempt& mine = attempts_[number];
      if (attempt.ended || !mine.ended) mine = attempt;
    }
    superseded_ = superseded_ || other.superseded_;
    back_ = std::max(back_, other.back_);  // The clock may have been set back in between.
  }

  DeliveryState state() const {
    DeliveryState state{.status = end_, .attempts = count()};
    state.superseded = superseded_ && end_ == DeliveryStatus::cancelled;
    if (rank_of_end(end_) == 0 && !attempts_.empty()) {
      const Attempt& newest = attempts_.rbegin()->second;
      state.status = newest.status;
      state.next_attempt_at = newest.next_attempt_at;
    }
    bool ended = false;
    for (auto one = attempts_.rbegin(); one != attempts_.rend(); ++one) {
      const Attempt& attempt = one->second;
      if (attempt.record.valid()) state.records.push_back(attempt.record);
      if (!attempt.ended || std::exchange(ended, true)) continue;
      state.failed = attempt.failed;
      state.error = attempt.error;
      state.http_status = attempt.http_status;
    }
    if (state.status == DeliveryStatus::pending && back_ &&
        back_->attempts_left == state.attempts) {
      state.next_attempt_at = back_->due;
    }
    return state;
  }

 private:
  struct TakenBack {
    uint32_t attempts_left = 0;
    WallTime at{};
    WallTime due{};

    friend auto operator<=>(const TakenBack&, const TakenBack&) = default;
  };

  uint32_t count() const { return attempts_.empty() ? 0 : attempts_.rbegin()->first; }

  void tell_attempt(const Outcome& outcome) {
    const bool ends = outcome.status != DeliveryStatus::in_flight;
    Attempt& attempt = attempts_[outcome.attempt];
    if (attempt.ended && !ends) return;
    attempt = {.ended = ends,
               .status = status_of(outcome),
               .record = outcome.record.valid() ? outcome.record : attempt.record,
               .next_attempt_at = outcome.next_attempt_at,
               .failed = outcome.failed,
               .error = outcome.error,
               .http_status = outcome.http_status};
  }
  static DeliveryStatus status_of(const Outcome& outcome) {
    const bool died = outcome.status == DeliveryStatus::in_flight && outcome.of_earlier_run;
    return died ? DeliveryStatus::pending : outcome.status;
  }

  /// The attempt that began last was put back before it reached anybody: it is none.
  void take_back(const Outcome& outcome) {
    const bool begun = !attempts_.empty() && !attempts_.rbegin()->second.ended;
    const uint32_t left = begun ? count() - 1 : count();
    if (begun) attempts_.erase(count());
    back_ = {left, outcome.started_at, outcome.next_attempt_at};
  }

  std::map<uint32_t, Attempt> attempts_;
  DeliveryStatus end_ = DeliveryStatus::pending;  // Pending: none is known.
  bool superseded_ = false;
  std::optional<TakenBack> back_;  // The last one.
};

/// All of one journal in their order; those without a record are the newest of all.
bool told_before(const Outcome& a, const Outcome& b) {
  if (a.record.valid() != b.record.valid()) return a.record.valid();
  return a.record < b.record;
}

}  // namespace

bool is_superseded(const Outcome& outcome) {
  return outcome.status == DeliveryStatus::cancelled && outcome.failed;
}

int rank_of_end(DeliveryStatus status) {
  switch (status) {
    case DeliveryStatus::pending:
    case DeliveryStatus::in_flight: return 0;
    case DeliveryStatus::cancelled: return 1;
    case DeliveryStatus::dead: return 2;
    case DeliveryStatus::delivered: return 3;
  }
  RINGPOST_UNREACHABLE();
}

Outcome to_outcome(const journal::OutcomeView& outcome, Position record) {
  return {.delivery = {outcome.event, outcome.webhook_number},
          .record = record,
          .attempt = outcome.attempt,
          .status = outcome.status,
          .failed = outcome.failed,
          .error = outcome.failed ? outcome.error.code : Errc{},
          .http_status = outcome.http_status,
          .started_at = whole_microseconds(outcome.started_at),
          .next_attempt_at =
              journal::is_end(outcome.status) ? WallTime{} : whole_seconds(outcome.next_attempt_at),
          .accepted_at = outcome.delivery.time(),
          .ended_at = end_of(outcome.started_at, outcome.duration)};
}

DeliveryState resolve(std::vector<Outcome>& outcomes) {
  std::ranges::stable_sort(outcomes, told_before);
  Attempts attempts;
  size_t next = 0;
  while (next < outcomes.size() && outcomes[next].record.valid()) {
    const uint32_t journal = outcomes[next].record.journal();
    Attempts of_journal;
    for (; next < outcomes.size() && outcomes[next].record.valid() &&
           outcomes[next].record.journal() == journal;
         ++next) {
      of_journal.tell(outcomes[next]);
    }
    attempts.add(of_journal);
  }
  for (; next < outcomes.size(); ++next) attempts.tell(outcomes[next]);
  return attempts.state();
}

}  // namespace ringpost::index
