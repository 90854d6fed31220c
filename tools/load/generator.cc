#include "load/generator.h"

#include "load/clock.h"
#include "net/tls.h"

#include <algorithm>
#include <fstream>
#include <utility>

namespace ringpost::load {
namespace {

constexpr Duration tick = std::chrono::milliseconds{250};
constexpr Duration interval_min = std::chrono::milliseconds{990};
/// A wait shorter than this is not slept through: falling asleep and waking take as long.
constexpr Duration sleep_min = std::chrono::microseconds{50};

/// How long this thread has computed or waited for a processor so far: the rest it slept. The
/// second is 0 where the kernel does not count it.
Duration thread_busy() {
  int64_t computed_ns = 0;
  int64_t waited_ns = 0;
  std::ifstream("/proc/thread-self/schedstat") >> computed_ns >> waited_ns;
  if (computed_ns > 0) return Duration{computed_ns + waited_ns};
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds{used.tv_sec} + Duration{used.tv_nsec};
}

std::string kind_of(const Error& error) {
  return error.code == Errc::certificate_invalid || error.code == Errc::tls_failed
             ? net::describe_tls(error)
             : describe(error);
}

}  // namespace

Generator::Generator(io::Ring& ring, Pacer& pacer, const Endpoint& endpoint, Workload& workload,
                     Plan plan, const volatile std::sig_atomic_t& stop)
    : ring_(ring),
      pacer_(pacer),
      endpoint_(endpoint),
      workload_(workload),
      plan_(std::move(plan)),
      stop_(stop),
      noticing_(plan_.schedule),
      sending_(plan_.schedule) {
  ExchangeOwner& owner = *this;
  for (uint32_t index = 0; index < plan_.connections; ++index) {
    exchanges_.push_back(std::make_unique<Exchange>(ring_, endpoint_, owner, plan_.timeout));
  }
}

// --- connections ---------------------------------------------------------------------------------

std::optional<Error> Generator::connect() {
  opening_ = plan_.connections;
  for (const auto& exchange : exchanges_) exchange->open();
  while (opening_ > 0 && !open_error_ && stop_ == 0) ring_.turn(true);
  return open_error_;
}

void Generator::on_free(Exchange& exchange) {
  if (opening_ > 0 && exchange.connected()) --opening_;
  if (!std::exchange(exchange.listed, true)) free_.push_back(&exchange);
}

Exchange* Generator::take_free() {
  while (!free_.empty()) {
    Exchange* exchange = free_.back();
    free_.pop_back();
    exchange->listed = false;
    if (exchange->ready()) return exchange;
    // It is closing, and comes again.
  }
  return nullptr;
}

void Generator::close() {
  for (const auto& exchange : exchanges_) exchange->stop();
  while (!std::ranges::all_of(exchanges_, [](const auto& one) { return one->stopped(); })) {
    ring_.turn(true);
  }
}

// --- the loop ------------------------------------------------------------------------------------

void Generator::run(const Watch& watch) {
  watch_ = &watch;
  ring_.turn(false);
  results_.started_at = ring_.wall_now();
  results_.open_loop = plan_.schedule.has_value();
  start_ = last_answer_ = interval_begins_ = read_monotonic();
  running_ = true;
  const Duration busy_before = thread_busy();
  ring_.arm<&Generator::on_tick>(*this, tick_, tick);
  pump();
  while (!finished(read_monotonic())) {
    const bool soon = !starved_ && noticing_ && noticing_->due() &&
                      start_ + *noticing_->due() - read_monotonic() < sleep_min;
    ring_.turn(!soon);
    pump();
  }
  ring_.disarm(tick_);
  const Instant end = read_monotonic();
  results_.busy_share = to_seconds(thread_busy() - busy_before) / to_seconds(end - start_);
  abandon_rest();
  running_ = false;
  end_interval(end);
  results_.interrupted = stop_ != 0;
  const double window = window_s();
  results_.seconds = std::max(to_seconds(last_answer_ - start_ - plan_.warm_up), window);
  if (window > 0) results_.offered_rate = static_cast<double>(results_.events) / window;
  for (const auto& exchange : exchanges_) results_.connections += exchange->connections();
}

/// Of the measured part of the schedule, as far as it came to be; 0: closed loop.
double Generator::window_s() const {
  if (!noticing_ || due_count_ == 0) return 0;
  // A run that a count ended is as long as if the next request had ended it.
  const double end = stop_ != 0         ? to_seconds(last_due_ - start_)
                     : noticing_->due() ? to_seconds(*noticing_->due())
                                        : noticing_->seconds();
  return std::max(end - to_seconds(plan_.warm_up), 0.0);
}

/// Whether nothing more will become due.
bool Generator::over(Instant now) const {
  if (stop_ != 0 || due_count_ >= plan_.sends_max) return true;
  if (noticing_) return !noticing_->due();
  return to_seconds(now - start_) >= plan_.seconds;
}

bool Generator::finished(Instant now) {
  if (!over(now)) return false;
  if (!over_since_) over_since_ = now;
  const bool unsent = stop_ == 0 && sent_ < due_count_;
  // Whoever asks twice does not want to wait for answers either.
  return (sent_ == settled_ && !unsent) || now - *over_since_ > plan_.drain || stop_ > 1;
}

void Generator::pump() {
  const Instant now = read_monotonic();
  notice_due(now);
  starved_ = false;
  while (const auto scheduled = next_to_send(read_monotonic())) {
    Exchange* exchange = take_free();
    if (exchange == nullptr) {
      starved_ = sending_.has_value();
      starved_until_ = now;
      break;
    }
    send(*exchange, *scheduled);
  }
  results_.backlog_max = std::max(results_.backlog_max, backlog());
  // While nothing can be sent, what becomes due is noticed with the next answer.
  if (!starved_ && noticing_ && noticing_->due() && !over(now)) {
    pacer_.wake_at(start_ + *noticing_->due());
  }
}

void Generator::notice_due(Instant now) {
  if (!noticing_) return;
  while (!over(now) && noticing_->due() && start_ + *noticing_->due() <= now) {
    const Instant due = start_ + *noticing_->due();
    if (measured(due) && !starved_) results_.lateness.record(now - due);
    last_due_ = due;
    ++due_count_;
    noticing_->advance();
  }
}

/// When the next request that can be sent now was due.
std::optional<Instant> Generator::next_to_send(Instant now) const {
  if (stop_ != 0) return std::nullopt;
  if (!sending_) return over(now) ? std::nullopt : std::optional{now};
  if (sent_ == due_count_) return std::nullopt;
  return start_ + *sending_->due();
}

void Generator::send(Exchange& exchange, Instant scheduled) {
  const uint64_t number = sent_++;
  if (sending_) {
    sending_->advance();
  } else {
    ++due_count_;
    scheduled = read_monotonic();
  }
  if (measured(scheduled)) {
    ++results_.requests;
    results_.events += workload_.events_in(number);
    if (sending_ && scheduled <= starved_until_) ++results_.waited;
  } else {
    ++results_.warm_up_requests;
  }
  request_.head.clear();
  request_.body.clear();
  if (const auto error = workload_.make(number, ring_.wall_now(), request_)) {
    ++settled_;
    count_failure(scheduled, "the request cannot be made: " + describe(*error));
    return on_free(exchange);
  }
  exchange.send(request_, number, scheduled);
}

// --- answers -------------------------------------------------------------------------------------

void Generator::on_answer(Exchange& exchange, uint16_t status, Bytes body) {
  const Instant now = read_monotonic();
  ++settled_;
  last_answer_ = now;
  const bool success = workload_.take_answer(exchange.number(), status, body, now);
  if (!success) {
    if (results_.first_refusal.empty()) {
      results_.first_refusal = workload_.explain(status, body);
    }
    return count_failure(exchange.scheduled(), "status " + std::to_string(status));
  }
  const Duration latency = now - exchange.scheduled();
  ++interval_.answered;
  interval_latency_.record(latency);
  if (!measured(exchange.scheduled())) return;
  ++results_.succeeded;
  results_.events_succeeded += workload_.events_in(exchange.number());
  results_.latency.record(latency);
}

void Generator::on_failure(Exchange& exchange, const Error& error, bool had_request) {
  if (had_request) {
    ++settled_;
    return count_failure(exchange.scheduled(), kind_of(error));
  }
  if (!open_error_) open_error_ = error;
}

void Generator::count_failure(Instant scheduled, const std::string& kind) {
  ++interval_.failed;
  if (!measured(scheduled)) return;
  ++results_.failed;
  ++results_.errors[kind];
}

/// The time for answers is up, or nobody wants to wait any more.
void Generator::abandon_rest() {
  for (const auto& exchange : exchanges_) {
    if (exchange->ready() || exchange->stopped()) continue;
    if (exchange->waiting()) {
      ++settled_;
      count_failure(exchange->scheduled(), "no answer by the end of the run");
    }
    exchange->stop();
  }
  if (stop_ != 0 || !sending_) return;
  for (; sent_ < due_count_; sending_->advance()) {
    const Instant scheduled = start_ + *sending_->due();
    if (measured(scheduled)) {
      ++results_.requests;
      results_.events += workload_.events_in(sent_);
    }
    ++sent_;
    count_failure(scheduled, "not sent: no connection became free in time");
    ++settled_;
  }
}

// --- for whoever watches -------------------------------------------------------------------------

void Generator::on_tick() {
  if (!running_) return;
  const Instant now = read_monotonic();
  if (now - interval_begins_ >= interval_min) end_interval(now);
  if (*watch_) (*watch_)(progress(now));
  ring_.arm<&Generator::on_tick>(*this, tick_, tick);
}

void Generator::end_interval(Instant now) {
  interval_.begins_s = to_seconds(interval_begins_ - start_);
  interval_.seconds = to_seconds(now - interval_begins_);
  interval_.due = due_count_ - due_before_;
  interval_.backlog = backlog();
  interval_.p50 = interval_latency_.quantile(0.5);
  interval_.p99 = interval_latency_.quantile(0.99);
  interval_.max = interval_latency_.max();
  if (interval_.seconds > 0) {
    last_rate_ = static_cast<double>(interval_.answered) / interval_.seconds;
  }
  results_.timeline.push_back(std::exchange(interval_, {}));
  interval_latency_.clear();
  interval_begins_ = now;
  due_before_ = due_count_;
}

Progress Generator::progress(Instant now) const {
  const double total_s = plan_.schedule ? plan_.schedule->seconds() : plan_.seconds;
  const bool counted = plan_.sends_max != std::numeric_limits<uint64_t>::max();
  return {.elapsed_s = to_seconds(now - start_),
          .total_s = total_s,
          .due = due_count_,
          .total = counted ? plan_.sends_max : 0,
          .succeeded = results_.succeeded,
          .failed = results_.failed,
          .backlog = backlog(),
          .over = over_since_.has_value(),
          .rate = last_rate_,
          .p50 = results_.latency.quantile(0.5),
          .p99 = results_.latency.quantile(0.99)};
}

}  // namespace ringpost::load
