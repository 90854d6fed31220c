#include "index/rows.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace ringpost::index {
namespace {

constexpr Error corrupt{Errc::corrupt, Side::disk};
constexpr uint32_t unit_bytes = 8;  // Records begin at multiples of it.
constexpr int64_t units_max = journal::segment_bytes_max / unit_bytes;
constexpr int64_t us_max = INT64_MAX / 1000;

int64_t units_of(uint32_t offset) {
  return offset / unit_bytes;
}

int64_t us_of(WallTime time) {
  return to_unix_ns(time) / 1000;
}

int64_t us_of(const Ulid& uid) {
  return us_of(uid.time());
}

/// a + b as far as there are such numbers: bytes may hold any.
int64_t plus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

bool is_time(int64_t us) {
  return us >= 0 && us <= us_max;
}

bool is_offset(int64_t units) {
  return units >= 0 && units < units_max;
}

template <typename Value>
void write_values(Encoder& out, const std::vector<Value>& values) {
  out.number(values.size());
  for (const Value value : values) out.fixed(value);
}

template <typename Value>
bool read_values(Decoder& in, std::vector<Value>& values) {
  const uint64_t count = in.number();
  if (count > dictionary_entries_max) return false;
  for (uint64_t index = 0; index < count; ++index) values.push_back(in.fixed<Value>());
  return !in.failed();
}

/// Seconds from the start to when the next attempt is due, if one will be.
int64_t due_after_start(const Outcome& outcome) {
  const int64_t due = to_unix_seconds(outcome.next_attempt_at);
  return due == 0 ? DeliveryRow::due_at_once : due - to_unix_seconds(outcome.started_at);
}

void set_due(Outcome& outcome, int64_t due_s) {
  if (due_s == DeliveryRow::due_at_once) return;
  const int64_t seconds = plus(to_unix_seconds(outcome.started_at), due_s);
  outcome.next_attempt_at =
      from_unix_ns(std::clamp<int64_t>(seconds, 0, 0xffff'ffff) * 1'000'000'000);
}

// The number 0 is "at once".
void write_due(Encoder& out, int64_t due_s) {
  out.number(due_s == DeliveryRow::due_at_once ? 0 : 1);
  if (due_s != DeliveryRow::due_at_once) out.signed_number(due_s);
}

int64_t read_due(Decoder& in) {
  return in.number() == 0 ? DeliveryRow::due_at_once : in.signed_number();
}

}  // namespace

// --- dictionaries --------------------------------------------------------------------------------

void Dictionaries::write(std::vector<std::byte>& bytes) const {
  Encoder out(bytes);
  write_values(out, types.values());
  write_values(out, sources.values());
  write_values(out, results.values());
}

Result<Dictionaries> Dictionaries::read(Bytes bytes) {
  Decoder in(bytes);
  std::vector<uint32_t> types;
  std::vector<uint32_t> sources;
  std::vector<uint64_t> results;
  if (!read_values(in, types) || !read_values(in, sources) || !read_values(in, results)) {
    return corrupt;
  }
  return Dictionaries{Dictionary{std::move(types)}, Dictionary{std::move(sources)},
                      Dictionary{std::move(results)}};
}

// --- events --------------------------------------------------------------------------------------

void EventRow::write(Encoder& out, State& state, Dictionaries& dictionaries) const {
  const UidHalves halves = halves_of(uid);
  if (!state.begun) out.number(first_match);
  out.number(halves.high - state.high);
  out.fixed(halves.low);
  out.signed_number(units_of(offset) - state.units);
  dictionaries.types.write(out, type_hash);
  dictionaries.sources.write(out, source_hash);
  out.number(uint64_t{matches} * 2 + (origin.valid() ? 1 : 0));
  if (origin.valid()) out.fixed(origin.packed);
  state = {true, halves.high, units_of(offset), first_match + matches};
}

bool EventRow::read(Decoder& in, State& state, const Dictionaries& dictionaries) {
  if (!state.begun) state.match = static_cast<uint32_t>(in.number());
  state.begun = true;
  state.high += in.number();
  uid = uid_of({state.high, in.fixed<uint64_t>()});
  state.units = plus(state.units, in.signed_number());
  if (!is_offset(state.units)) return false;
  offset = static_cast<uint32_t>(state.units) * unit_bytes;
  if (!dictionaries.types.read(in, type_hash)) return false;
  if (!dictionaries.sources.read(in, source_hash)) return false;
  first_match = state.match;
  const uint64_t coded = in.number();
  matches = static_cast<uint32_t>(coded / 2);
  state.match += matches;
  origin = {};
  if (coded % 2 == 0) return true;
  origin.packed = in.fixed<uint64_t>();
  return origin.valid() && origin.offset() % unit_bytes == 0;
}

// --- matches -------------------------------------------------------------------------------------

void MatchRow::write(Encoder& out, State& state, Dictionaries&) const {
  out.signed_number(webhook_number - state.webhook);
  state.webhook = webhook_number;
}

bool MatchRow::read(Decoder& in, State& state, const Dictionaries&) {
  state.webhook = plus(state.webhook, in.signed_number());
  webhook_number = static_cast<uint32_t>(state.webhook);
  return state.webhook >= 0 && state.webhook <= UINT32_MAX;
}

// --- deliveries ----------------------------------------------------------------------------------

void DeliveryRow::set_outcome(const Outcome& outcome, const EventFacts& event) {
  told = LocalDelivery::Told::one;
  result = pack_result(outcome);
  started_us = us_of(outcome.started_at) - us_of(event.uid);
  record_units = units_of(outcome.record.offset()) - units_of(event.position.offset());
  due_s = due_after_start(outcome);
}

Result<Outcome> DeliveryRow::outcome(const EventFacts& event) const {
  Outcome outcome{.delivery = {event.position, webhook_number}};
  if (auto unpacked = unpack_result(result, outcome); !unpacked) return unpacked.error();
  const int64_t us = plus(us_of(event.uid), started_us);
  const int64_t units = plus(units_of(event.position.offset()), record_units);
  if (!is_time(us) || !is_offset(units)) return corrupt;
  outcome.started_at = from_unix_ns(us * 1000);
  outcome.record = Position::make(event.position.journal(), event.position.segment(),
                                  static_cast<uint32_t>(units) * unit_bytes);
  set_due(outcome, due_s);
  return outcome;
}

bool DeliveryRow::may_be_open() const {
  Outcome unpacked;
  if (told != LocalDelivery::Told::one) return true;
  return !unpack_result(result, unpacked) || !journal::is_end(unpacked.status);
}

void DeliveryRow::write(Encoder& out, State& state, Dictionaries& dictionaries) const {
  // The lowest bit: of another webhook than the row before.
  const bool same = state.begun && webhook_number == state.webhook;
  const uint32_t step = same ? event_row - state.event_row : webhook_number - state.webhook;
  out.number(uint64_t{step} << 1 | (same ? 0u : 1u));
  if (!same) out.number(event_row);
  state = {webhook_number, event_row, true};
  out.number(static_cast<uint64_t>(told));
  if (told != LocalDelivery::Told::one) return;
  dictionaries.results.write(out, result);
  out.signed_number(started_us);
  out.signed_number(record_units);
  Outcome unpacked;
  if (unpack_result(result, unpacked) && !journal::is_end(unpacked.status)) write_due(out, due_s);
}

bool DeliveryRow::read(Decoder& in, State& state, const Dictionaries& dictionaries) {
  const uint64_t step = in.number();
  const bool same = (step & 1) == 0;
  if (same && !state.begun) return false;
  webhook_number = state.webhook + (same ? 0 : static_cast<uint32_t>(step >> 1));
  event_row = static_cast<uint32_t>(same ? state.event_row + (step >> 1) : in.number());
  state = {webhook_number, event_row, true};
  const uint64_t kind = in.number();
  if (kind > static_cast<uint64_t>(LocalDelivery::Told::several)) return false;
  told = static_cast<LocalDelivery::Told>(kind);
  if (told != LocalDelivery::Told::one) return true;
  if (!dictionaries.results.read(in, result)) return false;
  started_us = in.signed_number();
  record_units = in.signed_number();
  Outcome unpacked;
  if (!unpack_result(result, unpacked)) return false;
  due_s = journal::is_end(unpacked.status) ? due_at_once : read_due(in);
  return true;
}

// --- ids -----------------------------------------------------------------------------------------

void IdRow::write(Encoder& out, State& state, Dictionaries&) const {
  out.number(hash - state.hash);
  out.number(event_row);
  state.hash = hash;
}

bool IdRow::read(Decoder& in, State& state, const Dictionaries&) {
  state.hash += static_cast<uint32_t>(in.number());
  hash = state.hash;
  event_row = static_cast<uint32_t>(in.number());
  return true;
}

// --- outcomes ------------------------------------------------------------------------------------

void OutcomeRow::write(Encoder& out, State& state, Dictionaries& dictionaries) const {
  const auto& [event, webhook] = outcome.delivery;
  const bool same = event.packed == state.event;
  out.number(event.packed - state.event);
  out.number(webhook - (same ? state.webhook : 0));
  out.signed_number(units_of(outcome.record.offset()) - state.record_units);
  out.signed_number(us_of(outcome.started_at) - state.started_us);
  dictionaries.results.write(out, pack_result(outcome));
  if (!journal::is_end(outcome.status)) write_due(out, due_after_start(outcome));
  state = {event.packed, webhook, units_of(outcome.record.offset()), us_of(outcome.started_at)};
}

bool OutcomeRow::read(Decoder& in, State& state, const Dictionaries& dictionaries) {
  const uint64_t step = in.number();
  if (step > 0) state.webhook = 0;
  state.event += step;
  state.webhook += static_cast<uint32_t>(in.number());
  state.record_units = plus(state.record_units, in.signed_number());
  state.started_us = plus(state.started_us, in.signed_number());
  if (!is_offset(state.record_units) || !is_time(state.started_us)) return false;
  uint64_t result = 0;
  if (!dictionaries.results.read(in, result)) return false;
  outcome = {.delivery = {{state.event}, state.webhook},
             .record = {static_cast<uint64_t>(state.record_units) * unit_bytes},
             .started_at = from_unix_ns(state.started_us * 1000)};
  if (!unpack_result(result, outcome)) return false;
  if (!journal::is_end(outcome.status)) set_due(outcome, read_due(in));
  return true;
}

// --- totals --------------------------------------------------------------------------------------

// What was delivered is told by its latencies.

void TotalsRow::write(Encoder& out, State& state, Dictionaries&) const {
  out.number(key.webhook_number - state.webhook);
  out.signed_number(key.hour - state.hour);
  state = {key.webhook_number, key.hour};
  const std::array rare{totals.failed, totals.dead, totals.cancelled};
  uint64_t told = 0;
  uint64_t bit = 1;
  for (const uint64_t count : rare) {
    if (count > 0) told |= bit;
    bit <<= 1;
  }
  out.number(totals.events);
  out.number(told);
  for (const uint64_t count : rare) {
    if (count > 0) out.number(count);
  }
  out.number(totals.latencies.ranges().size());
  uint8_t before = 0;
  for (const LatencyHistogram::Range& range : totals.latencies.ranges()) {
    out.number(range.number - std::exchange(before, range.number));
    out.number(range.count);
  }
}

namespace {

bool read_latencies(Decoder& in, Totals& totals) {
  const uint64_t ranges = in.number();
  if (ranges > LatencyHistogram::ranges_max) return false;
  uint64_t number = 0;
  for (uint64_t index = 0; index < ranges; ++index) {
    const uint64_t step = in.number();
    const uint64_t count = in.number();
    number += step;
    const bool fits = step < LatencyHistogram::ranges_max &&
                      number < LatencyHistogram::ranges_max && (index == 0 || step > 0) &&
                      count > 0 && count <= UINT32_MAX;
    if (!fits) return false;
    totals.latencies.add(static_cast<uint8_t>(number), static_cast<uint32_t>(count));
    totals.delivered += count;
  }
  return true;
}

}  // namespace

bool TotalsRow::read(Decoder& in, State& state, const Dictionaries&) {
  state.webhook += static_cast<uint32_t>(in.number());
  state.hour = plus(state.hour, in.signed_number());
  if (state.hour < 0 || state.hour > UINT32_MAX) return false;
  key = {state.webhook, static_cast<uint32_t>(state.hour)};
  totals = {.events = in.number()};
  const uint64_t told = in.number();
  const std::array rare{&totals.failed, &totals.dead, &totals.cancelled};
  if (told >> rare.size() != 0) return false;
  uint64_t bit = 1;
  for (uint64_t* const count : rare) {
    if ((told & bit) != 0) *count = in.number();
    bit <<= 1;
  }
  return read_latencies(in, totals);
}

}  // namespace ringpost::index
