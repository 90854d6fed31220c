#include "control/password_gate.h"

#include "base/bytes.h"
#include "crypto/scrypt.h"
#include "http/syntax.h"
#include "net/failure_throttle.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <utility>

namespace ringpost::control {
namespace {

constexpr KeyedLimiter::Options failures{
    .burst = PasswordGate::failures_per_minute,
    .interval = Duration{std::chrono::minutes(1)} / PasswordGate::failures_per_minute};
constexpr KeyedLimiter::Options user_failures{
    .burst = PasswordGate::user_failures_per_minute,
    .interval = Duration{std::chrono::minutes(1)} / PasswordGate::user_failures_per_minute};
constexpr KeyedLimiter::Options verifications{
    .burst = PasswordGate::verifications_per_second,
    .interval = Duration{std::chrono::seconds(1)} / PasswordGate::verifications_per_second};

/// Of whom it is known where they have signed in before; users come and go.
constexpr size_t known_users_max = 20'000;

/// Of an organization: what is made at once, and then two a second.
constexpr KeyedLimiter::Options hashes{.burst = PasswordGate::hashes_at_once,
                                       .interval = verifications.interval};

/// One part in so many of the thread's time: for all strangers, or one organization's hashes.
constexpr uint32_t small_share = 4;
/// For a known user at a source.
constexpr uint32_t large_share = 2;

/// Longer than any takes: the machine slept, say.
constexpr Duration time_max = std::chrono::seconds(10);

/// Of verifications: all strangers together, and each known user at a source.
uint64_t verification_key(bool known, uint64_t user_at_source) {
  return known ? user_at_source : 0;
}

std::string lower(std::string_view text) {
  std::string out{text};
  std::ranges::transform(out, out.begin(), http::to_lower);
  return out;
}

}  // namespace

uint32_t to_seconds_up(Duration wait) {
  return static_cast<uint32_t>(std::chrono::ceil<std::chrono::seconds>(wait).count());
}

PasswordChecked check_password(const PasswordWanted& wanted) {
  PasswordChecked checked{.ticket = wanted.ticket, .right = true, .next_text = {}};
  if (!wanted.text.empty()) {
    std::string why;
    const auto hash = crypto::PasswordHash::parse(wanted.text, why);
    checked.right = hash && hash->matches(wanted.password);
  }
  if (checked.right && !wanted.next_password.empty()) {
    checked.next_text = crypto::PasswordHash::of(wanted.next_password).to_text();
  }
  return checked;
}

PasswordGate::PasswordGate(Prng& random, Counters& counters, Work work)
    : counters_(counters),
      work_(std::move(work)),
      key_{random.next(), random.next()},
      failures_by_user_(user_failures),
      failures_by_source_(failures),
      failures_by_user_at_source_(failures),
      verifications_(verifications),
      hashes_(hashes) {}

void PasswordGate::begin(const PasswordVerdict* verdict, Instant now) {
  verdict_ = verdict;
  if (verdict_ == nullptr || working_.empty()) return;
  measure(working_.front(), now);
  working_.pop_front();
}

/// One after the other is worked on.
void PasswordGate::measure(const Place& done, Instant now) {
  const Duration took = now - std::max(done.since, measured_at_);
  usual_time_ += (std::clamp(took, Duration{}, time_max) - usual_time_) / 4;
  measured_at_ = now;
}

/// What one more costs whoever has one part in `share` of the thread's time.
Duration PasswordGate::time_of_next(uint32_t share) const {
  return std::max(verifications.interval, usual_time_ * share);
}

bool PasswordGate::has_room(const Place& place) const {
  const auto of_kind = [&](const Place& one) { return one.kind == place.kind; };
  if (std::ranges::count_if(working_, of_kind) >= working_of_kind_max) return false;
  if (place.kind != Kind::known && place.kind != Kind::hash) return true;
  return std::ranges::count_if(working_, [&](const Place& one) {
           return of_kind(one) && one.organization == place.organization;
         }) < working_of_organization_max;
}

// attempt ─> throttled, or work_ ─> (later, with begin) judge

PasswordGate::Result PasswordGate::attempt(const Attempt& attempt) {
  const Keys keys = keys_of(attempt);
  if (verdict_ != nullptr) return judge(attempt, keys, *verdict_);
  const bool known = knows(keys);
  const Place place = place_of(attempt, known);
  const bool stranger = place.kind == Kind::stranger;
  if (const Duration left = wait(keys, known, attempt.now); left > Duration{})
    return throttle(left);
  const uint64_t share = verification_key(!stranger, keys.user_at_source);
  const Duration left = verifications_.wait(share, attempt.now);
  if (left > Duration{}) return throttle(left);
  if (!has_room(place)) return throttle(std::chrono::seconds(1));
  verifications_.take(share, attempt.now, time_of_next(stranger ? small_share : large_share));
  const auto verdict = work_({.password = std::string{attempt.password},
                              .text = std::string{attempt.text.value_or(attempt.decoy)},
                              .next_password = std::string{attempt.next_password}});
  if (verdict) return judge(attempt, keys, *verdict);
  working_.push_back(place);
  return {.outcome = Outcome::working, .next_text = {}};
}

/// The user's hash may be another one by now.
PasswordGate::Result PasswordGate::judge(const Attempt& attempt, const Keys& keys,
                                         const PasswordVerdict& verdict) {
  if (verdict.right && attempt.text && *attempt.text == verdict.text) {
    remember(keys);
    return {.outcome = Outcome::right, .next_text = verdict.next_text};
  }
  counters_.add(Counter::passwords_refused);
  count_failure(keys, attempt.now);
  return {.outcome = Outcome::wrong, .next_text = {}};
}

PasswordGate::Place PasswordGate::place_of(const Attempt& attempt, bool known) const {
  Kind kind = Kind::stranger;
  if (known || attempt.signed_in) {
    const bool operators = attempt.organization == subscription::operator_organization;
    kind = operators ? Kind::known_operator : Kind::known;
  }
  return {.kind = kind, .organization = user_key(attempt.organization), .since = attempt.now};
}

PasswordGate::Result PasswordGate::hash(const NewPassword& given) {
  if (verdict_ != nullptr) return {.outcome = Outcome::right, .next_text = verdict_->next_text};
  const Place place{.kind = given.by_operator ? Kind::operator_hash : Kind::hash,
                    .organization = user_key(given.organization),
                    .since = given.now};
  if (!has_room(place)) return throttle(std::chrono::seconds(1));
  if (!given.by_operator) {
    const Duration left = hashes_.wait(place.organization, given.now);
    if (left > Duration{}) return throttle(left);
    hashes_.take(place.organization, given.now, time_of_next(small_share));
  }
  auto verdict = work_({.password = {}, .text = {}, .next_password = std::string{given.password}});
  if (verdict) return {.outcome = Outcome::right, .next_text = std::move(verdict->next_text)};
  working_.push_back(place);
  return {.outcome = Outcome::working, .next_text = {}};
}

PasswordGate::Result PasswordGate::throttle(Duration wait) {
  counters_.add(Counter::passwords_throttled);
  return {.outcome = Outcome::throttled, .retry_after_s = to_seconds_up(wait), .next_text = {}};
}

size_t PasswordGate::pick(std::string_view user, size_t count) const {
  return user_key(user) % count;
}

uint64_t PasswordGate::user_key(std::string_view user) const {
  return siphash(key_, as_bytes(lower(user)));
}

std::optional<uint64_t> PasswordGate::source_key(const io::Address& peer) const {
  return net::source_key(peer, key_);
}

/// Unknown users have keys like others, or the throttle would tell who is known.
PasswordGate::Keys PasswordGate::keys_of(const Attempt& attempt) const {
  Keys keys{.user = user_key(attempt.user), .source = source_key(attempt.peer)};
  const std::array<uint64_t, 2> both{keys.user, keys.source.value_or(0)};
  keys.user_at_source = siphash(key_, std::as_bytes(std::span{both}));
  return keys;
}

Duration PasswordGate::wait(const Keys& keys, bool known, Instant now) const {
  Duration wait = failures_by_user_at_source_.wait(keys.user_at_source, now);
  if (known) return wait;
  bool failed = !failures_by_user_at_source_.idle(keys.user_at_source, now);
  if (keys.source) {
    wait = std::max(wait, failures_by_source_.wait(*keys.source, now));
    failed = failed || !failures_by_source_.idle(*keys.source, now);
  }
  return failed ? std::max(wait, failures_by_user_.wait(keys.user, now)) : wait;
}

void PasswordGate::count_failure(const Keys& keys, Instant now) {
  failures_by_user_at_source_.take(keys.user_at_source, now);
  if (keys.source) failures_by_source_.take(*keys.source, now);
  // A stranger with many addresses goes on failing past the limit: that must not make it longer.
  if (failures_by_user_.wait(keys.user, now) == Duration{}) failures_by_user_.take(keys.user, now);
}

bool PasswordGate::knows(const Keys& keys) const {
  const auto found = known_sources_.find(keys.user);
  return found != known_sources_.end() &&
         std::ranges::find(found->second, keys.user_at_source) != found->second.end();
}

void PasswordGate::remember(const Keys& keys) {
  const bool full = known_sources_.size() >= known_users_max;
  if (full && !known_sources_.contains(keys.user)) known_sources_.erase(known_sources_.begin());
  std::vector<uint64_t>& sources = known_sources_[keys.user];
  std::erase(sources, keys.user_at_source);
  if (sources.size() == known_sources_max) sources.erase(sources.begin());
  sources.push_back(keys.user_at_source);
}

}  // namespace ringpost::control
