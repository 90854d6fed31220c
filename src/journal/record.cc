#include "journal/record.h"

#include "base/assert.h"
#include "base/siphash.h"
#include "journal/text_delta.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace ringpost::journal {
namespace {

// Both payloads: a head of fixed size, then fields {id, flags, size, bytes} in rising order of ids.
// Empty fields are left out.

constexpr uint8_t payload_version = 1;
constexpr uint32_t field_header_bytes = 6;
constexpr uint8_t field_flag_required = 1;  ///< A reader that does not know the field must stop.

constexpr uint32_t event_head_bytes = 32;
constexpr uint8_t event_flag_id_given = 1;
constexpr uint8_t event_flag_data_checked = 2;
constexpr uint8_t event_flag_addressed = 4;

constexpr uint32_t outcome_head_bytes = bare_outcome_bytes;
constexpr uint8_t outcome_flag_failed = 1;
constexpr uint8_t outcome_flag_truncated = 2;
constexpr uint8_t outcome_flag_request_truncated = 4;
constexpr uint8_t outcome_flag_request_made = 8;

constexpr Error corrupt{Errc::corrupt, Side::disk};

enum class EventField : uint8_t {
  organization = 1,
  id = 2,
  source = 3,
  type = 4,
  time = 5,
  subject = 6,
  data_content_type = 7,
  branch = 8,
  ordering_key = 9,
  trace_parent = 10,
  extensions = 11,
  data = 12,
  webhook_numbers = 13,
  redelivery_of = 14,
  header_overrides = 15,
  message = 16,
  hops = 17,
  carried = 18,
};

enum class OutcomeField : uint8_t {
  request_head = 1,
  response_head = 2,
  response_body = 3,
  request_body = 4,
  tls = 5,
  changes = 6,
  connection = 7,
};

/// Before the delta of OutcomeField::changes: offset of the base, then the sizes of request head,
/// request body and response head; the rest is the response's body.
constexpr uint32_t changes_head_bytes = 16;
constexpr uint32_t changes_bytes_usual = 256;
/// More than four texts at their limits take.
constexpr size_t texts_bytes_max = 1u << 20;

// The numbers of these enumerations on disk are theirs here, so that the enumerations may change.
// 0 stands for nothing; a new code goes to the end.
constexpr std::array stored_codes = {
    Errc::refused,         Errc::unreachable,    Errc::reset,
    Errc::closed,          Errc::timed_out,      Errc::cancelled,
    Errc::overloaded,      Errc::malformed,      Errc::too_large,
    Errc::out_of_space,    Errc::corrupt,        Errc::io_failed,
    Errc::not_found,       Errc::conflict,       Errc::locked,
    Errc::unauthenticated, Errc::not_permitted,  Errc::destination_denied,
    Errc::name_unresolved, Errc::tls_failed,     Errc::certificate_invalid,
    Errc::bad_status,      Errc::unsupported,    Errc::not_renderable,
    Errc::origin_refused,  Errc::name_timed_out,
};
constexpr std::array stored_sides = {Side::producer, Side::endpoint, Side::disk, Side::operator_,
                                     Side::self};
constexpr std::array stored_statuses = {DeliveryStatus::pending, DeliveryStatus::in_flight,
                                        DeliveryStatus::delivered, DeliveryStatus::dead,
                                        DeliveryStatus::cancelled};

template <typename Enum, size_t size>
uint8_t to_stored(const std::array<Enum, size>& table, Enum value) {
  const auto found = std::find(table.begin(), table.end(), value);
  RINGPOST_ASSERT(found != table.end());  // A code without a number: add it to its table.
  return static_cast<uint8_t>(found - table.begin() + 1);
}

template <typename Enum, size_t size>
std::optional<Enum> from_stored(const std::array<Enum, size>& table, uint8_t number) {
  if (number == 0 || number > size) return std::nullopt;
  return table[number - 1];
}

/// Writes fields into memory that is large enough.
class FieldWriter {
 public:
  explicit FieldWriter(std::byte* to) : to_(to) {}

  template <typename Id>
  void add(Id id, Bytes bytes, uint8_t flags = 0) {
    if (!bytes.empty()) add_always(id, bytes, flags);
  }
  template <typename Id>
  void add_always(Id id, Bytes bytes, uint8_t flags = 0) {
    store_le<uint8_t>(to_, static_cast<uint8_t>(id));
    store_le<uint8_t>(to_ + 1, flags);
    store_le<uint32_t>(to_ + 2, static_cast<uint32_t>(bytes.size()));
    if (!bytes.empty()) std::memcpy(to_ + field_header_bytes, bytes.data(), bytes.size());
    to_ += field_header_bytes + bytes.size();
  }
  template <typename Id>
  void add(Id id, std::string_view text) {
    add(id, as_bytes(text));
  }

  const std::byte* end() const { return to_; }

 private:
  std::byte* to_;
};

size_t field_size(size_t bytes) {
  return bytes == 0 ? 0 : field_header_bytes + bytes;
}

/// Gives `take(id, bytes)` each field; `take` answers whether it knows the id and, by its argument
/// `sound`, whether the bytes are right.
template <typename Take>
Result<void> read_fields(Bytes bytes, Take take) {
  int last_id = 0;
  while (!bytes.empty()) {
    if (bytes.size() < field_header_bytes) return corrupt;
    const auto id = load_le<uint8_t>(bytes.data());
    const auto flags = load_le<uint8_t>(bytes.data() + 1);
    const auto size = load_le<uint32_t>(bytes.data() + 2);
    bytes = bytes.subspan(field_header_bytes);
    if (id <= last_id || size > bytes.size()) return corrupt;
    last_id = id;
    bool sound = true;
    const bool known = take(id, bytes.first(size), sound);
    if (!sound) return corrupt;
    if (!known && (flags & field_flag_required) != 0) {
      return Error{Errc::unsupported, Side::disk, id};
    }
    bytes = bytes.subspan(size);
  }
  return {};
}

Bytes id_bytes(const Ulid& id) {
  return std::as_bytes(std::span{id.bytes});
}

Ulid load_id(const std::byte* from) {
  Ulid id;
  std::memcpy(id.bytes.data(), from, id.bytes.size());
  return id;
}

// Carried: origin, time, count, zero; then for each webhook attempts and due; then the floors.
constexpr size_t carried_head_bytes = 24;
constexpr size_t carried_state_bytes = 8;

bool is_sound_carried(const EventView& event, Bytes bytes) {
  const size_t states = carried_head_bytes + carried_state_bytes * event.webhook_count();
  if (bytes.size() < states || (bytes.size() - states) % 4 != 0) return false;
  if ((bytes.size() - states) / 4 > Position::journals_max) return false;
  const Position origin{load_le<uint64_t>(bytes.data())};
  return origin.valid() && origin.offset() % 8 == 0 && origin.journal() < Position::journals_max;
}

bool take_event_field(EventView& event, uint8_t id, Bytes bytes, bool& sound) {
  switch (static_cast<EventField>(id)) {
    case EventField::organization: event.organization = as_text(bytes); return true;
    case EventField::id: event.id = as_text(bytes); return true;
    case EventField::source: event.source = as_text(bytes); return true;
    case EventField::type: event.type = as_text(bytes); return true;
    case EventField::time: event.time = as_text(bytes); return true;
    case EventField::subject: event.subject = as_text(bytes); return true;
    case EventField::data_content_type: event.data_content_type = as_text(bytes); return true;
    case EventField::branch: event.branch = as_text(bytes); return true;
    case EventField::ordering_key: event.ordering_key = as_text(bytes); return true;
    case EventField::trace_parent: event.trace_parent = as_text(bytes); return true;
    case EventField::extensions: event.extensions = as_text(bytes); return true;
    case EventField::data: event.data = bytes; return true;
    case EventField::webhook_numbers:
      event.webhook_numbers = bytes;
      sound = bytes.size() % 4 == 0;
      return true;
    case EventField::redelivery_of:
      sound = bytes.size() == sizeof(Ulid::bytes);
      if (sound) event.redelivery_of = load_id(bytes.data());
      return true;
    case EventField::header_overrides: event.header_overrides = as_text(bytes); return true;
    case EventField::message:
      sound = bytes.size() == sizeof(Ulid::bytes);
      if (sound) event.message = load_id(bytes.data());
      return true;
    case EventField::hops:
      sound = bytes.size() == sizeof(uint32_t);
      if (sound) event.hops = load_le<uint32_t>(bytes.data());
      return true;
    case EventField::carried:
      sound = is_sound_carried(event, bytes);
      event.carried = bytes;
      return true;
  }
  return false;
}

/// Data that is there and empty is a field without bytes. Only where it has a type: JSON's are
/// never empty.
bool writes_data(const EventView& event) {
  return !event.data.empty() || (event.data.data() != nullptr && !event.data_content_type.empty());
}

size_t event_size(const EventView& event) {
  return event_head_bytes + field_size(event.organization.size()) + field_size(event.id.size()) +
         field_size(event.source.size()) + field_size(event.type.size()) +
         field_size(event.time.size()) + field_size(event.subject.size()) +
         field_size(event.data_content_type.size()) + field_size(event.branch.size()) +
         field_size(event.ordering_key.size()) + field_size(event.trace_parent.size()) +
         field_size(event.extensions.size()) +
         (writes_data(event) ? field_header_bytes + event.data.size() : 0) +
         field_size(event.webhook_numbers.size()) +
         field_size(event.is_redelivery() ? sizeof(Ulid::bytes) : 0) +
         field_size(event.header_overrides.size()) +
         field_size(event.message != Ulid{} ? sizeof(Ulid::bytes) : 0) +
         field_size(event.hops != 0 ? sizeof(uint32_t) : 0) + field_size(event.carried.size());
}

void write_event_head(const EventView& event, std::byte* to) {
  std::memset(to, 0, event_head_bytes);
  store_le<uint8_t>(to, payload_version);
  const int flags = (event.id_given ? event_flag_id_given : 0) |
                    (event.data_checked ? event_flag_data_checked : 0) |
                    (event.addressed ? event_flag_addressed : 0);
  store_le<uint8_t>(to + 1, static_cast<uint8_t>(flags));
  std::memcpy(to + 8, event.uid.bytes.data(), event.uid.bytes.size());
  store_le<int64_t>(to + 24, to_unix_ns(event.accepted_at));
}

void write_event(const EventView& event, std::byte* to, size_t size) {
  write_event_head(event, to);
  FieldWriter fields(to + event_head_bytes);
  fields.add(EventField::organization, event.organization);
  fields.add(EventField::id, event.id);
  fields.add(EventField::source, event.source);
  fields.add(EventField::type, event.type);
  fields.add(EventField::time, event.time);
  fields.add(EventField::subject, event.subject);
  fields.add(EventField::data_content_type, event.data_content_type);
  fields.add(EventField::branch, event.branch);
  fields.add(EventField::ordering_key, event.ordering_key);
  fields.add(EventField::trace_parent, event.trace_parent);
  fields.add(EventField::extensions, event.extensions);
  if (writes_data(event)) fields.add_always(EventField::data, event.data);
  fields.add(EventField::webhook_numbers, event.webhook_numbers);
  if (event.is_redelivery()) fields.add(EventField::redelivery_of, id_bytes(event.redelivery_of));
  fields.add(EventField::header_overrides, event.header_overrides);
  if (event.message != Ulid{}) fields.add(EventField::message, id_bytes(event.message));
  if (event.hops != 0) {
    std::array<std::byte, sizeof(uint32_t)> hops{};
    store_le<uint32_t>(hops.data(), event.hops);
    fields.add(EventField::hops, hops);
  }
  fields.add(EventField::carried, event.carried, field_flag_required);
  RINGPOST_ASSERT(fields.end() == to + size);
}

void write_outcome_head(const OutcomeView& outcome, std::byte* to) {
  std::memset(to, 0, outcome_head_bytes);
  const int flags = (outcome.failed ? outcome_flag_failed : 0) |
                    (outcome.response_truncated ? outcome_flag_truncated : 0) |
                    (outcome.request_truncated ? outcome_flag_request_truncated : 0) |
                    (outcome.request_made ? outcome_flag_request_made : 0);
  store_le<uint8_t>(to, payload_version);
  store_le<uint8_t>(to + 1, to_stored(stored_statuses, outcome.status));
  store_le<uint8_t>(to + 2, static_cast<uint8_t>(flags));
  if (outcome.failed) {
    store_le<uint8_t>(to + 3, to_stored(stored_codes, outcome.error.code));
    store_le<uint8_t>(to + 4, to_stored(stored_sides, outcome.error.side));
    store_le<int32_t>(to + 64, outcome.error.detail);
  }
  store_le<uint8_t>(to + 5, static_cast<uint8_t>(outcome.response_note));
  store_le<uint16_t>(to + 6, outcome.http_status);
  std::memcpy(to + 8, outcome.delivery.bytes.data(), outcome.delivery.bytes.size());
  store_le<uint64_t>(to + 24, outcome.event.packed);
  store_le<uint32_t>(to + 32, outcome.webhook_number);
  store_le<uint32_t>(to + 36, outcome.attempt);
  store_le<int64_t>(to + 40, to_unix_ns(outcome.started_at));
  store_le<int64_t>(to + 48, outcome.duration.count());
  store_le<int64_t>(to + 56, to_unix_ns(outcome.next_attempt_at));
}

/// @returns false if the head breaks the format.
bool read_outcome_head(const std::byte* from, OutcomeView& outcome) {
  const auto status = from_stored(stored_statuses, load_le<uint8_t>(from + 1));
  if (!status) return false;
  outcome.status = *status;
  const auto flags = load_le<uint8_t>(from + 2);
  outcome.failed = (flags & outcome_flag_failed) != 0;
  outcome.response_truncated = (flags & outcome_flag_truncated) != 0;
  outcome.request_truncated = (flags & outcome_flag_request_truncated) != 0;
  outcome.request_made = (flags & outcome_flag_request_made) != 0;
  if (outcome.failed) {
    // A code that a later version added is still a failure of some kind.
    const auto code = from_stored(stored_codes, load_le<uint8_t>(from + 3));
    const auto side = from_stored(stored_sides, load_le<uint8_t>(from + 4));
    outcome.error = {code.value_or(Errc::unsupported), side.value_or(Side::self),
                     load_le<int32_t>(from + 64)};
  }
  outcome.response_note = static_cast<BadAnswer>(load_le<uint8_t>(from + 5));
  outcome.http_status = load_le<uint16_t>(from + 6);
  outcome.delivery = load_id(from + 8);
  outcome.event.packed = load_le<uint64_t>(from + 24);
  outcome.webhook_number = load_le<uint32_t>(from + 32);
  outcome.attempt = load_le<uint32_t>(from + 36);
  outcome.started_at = from_unix_ns(load_le<int64_t>(from + 40));
  outcome.duration = Duration{load_le<int64_t>(from + 48)};
  outcome.next_attempt_at = from_unix_ns(load_le<int64_t>(from + 56));
  return true;
}

/// @returns nothing if `record` has a head that we can read.
std::optional<Error> check_head(Bytes record, size_t head_bytes) {
  if (record.empty()) return corrupt;
  const auto version = load_le<uint8_t>(record.data());
  if (version == 0) return corrupt;
  if (version > payload_version) return Error{Errc::unsupported, Side::disk, version};
  if (record.size() < head_bytes) return corrupt;
  return std::nullopt;
}

}  // namespace

std::string_view name(DeliveryStatus status) {
  switch (status) {
    case DeliveryStatus::pending: return "pending";
    case DeliveryStatus::in_flight: return "in_flight";
    case DeliveryStatus::delivered: return "delivered";
    case DeliveryStatus::dead: return "dead";
    case DeliveryStatus::cancelled: return "cancelled";
  }
  RINGPOST_UNREACHABLE();
}

Ulid delivery_id(const Ulid& event_uid, uint32_t webhook_number) {
  // Fixed keys: the id must come out the same after a restart, on any machine. They guard nothing.
  constexpr HashKey high_key = {0x72696e67706f7374, 0x64656c6976657279};  // "ringpost", "delivery"
  constexpr HashKey low_key = {0x72696e67706f7374, 0x6964656e74697479};   // "ringpost", "identity"
  std::array<std::byte, 20> input;
  std::memcpy(input.data(), event_uid.bytes.data(), event_uid.bytes.size());
  store_le<uint32_t>(&input[16], webhook_number);
  const uint64_t high = siphash(high_key, input);
  const uint64_t low = siphash(low_key, input);
  Ulid id;
  std::memcpy(&id.bytes[0], &event_uid.bytes[0], 6);
  std::memcpy(&id.bytes[6], &high, 8);
  std::memcpy(&id.bytes[14], &low, 2);
  return id;
}

Position EventView::position(Position record) const {
  return is_carried() ? Position{load_le<uint64_t>(carried.data())} : record;
}

Carried EventView::unpack_carried() const {
  RINGPOST_ASSERT(is_carried());
  Carried unpacked{.origin = {load_le<uint64_t>(carried.data())},
                   .times = load_le<uint32_t>(carried.data() + 16),
                   .at = from_unix_ns(load_le<int64_t>(carried.data() + 8)),
                   .states = {},
                   .floors = {}};
  Bytes rest = carried.subspan(carried_head_bytes);
  for (uint32_t index = 0; index < webhook_count(); ++index) {
    unpacked.states.push_back(
        {load_le<uint32_t>(rest.data()),
         from_unix_ns(int64_t{load_le<uint32_t>(rest.data() + 4)} * 1'000'000'000)});
    rest = rest.subspan(carried_state_bytes);
  }
  for (; !rest.empty(); rest = rest.subspan(4)) {
    unpacked.floors.push_back(load_le<uint32_t>(rest.data()));
  }
  return unpacked;
}

std::vector<std::byte> pack(const Carried& carried) {
  std::vector<std::byte> bytes(carried_head_bytes + carried_state_bytes * carried.states.size() +
                               4 * carried.floors.size());
  store_le<uint64_t>(bytes.data(), carried.origin.packed);
  store_le<int64_t>(&bytes[8], to_unix_ns(carried.at));
  store_le<uint32_t>(&bytes[16], carried.times);
  std::byte* to = bytes.data() + carried_head_bytes;
  for (const CarriedState& state : carried.states) {
    store_le<uint32_t>(to, state.attempts);
    store_le<uint32_t>(to + 4, static_cast<uint32_t>(to_unix_seconds(state.next_attempt_at)));
    to += carried_state_bytes;
  }
  for (const uint32_t floor : carried.floors) {
    store_le<uint32_t>(to, floor);
    to += 4;
  }
  return bytes;
}

EventRef EventCodec::encode(const EventView& event) {
  const size_t size = event_size(event);
  auto* stored = new StoredEvent;
  stored->record_ = std::make_unique_for_overwrite<std::byte[]>(size);
  stored->record_size_ = size;
  write_event(event, stored->record_.get(), size);
  auto view = decode_view(stored->record());
  RINGPOST_ASSERT(view.has_value());
  stored->view_ = *view;
  return EventRef(stored);
}

Result<EventRef> EventCodec::decode(Bytes record, Position position) {
  if (auto view = decode_view(record); !view) return view.error();
  auto* stored = new StoredEvent;
  stored->record_ = std::make_unique_for_overwrite<std::byte[]>(record.size());
  stored->record_size_ = record.size();
  stored->place_ = position;
  std::memcpy(stored->record_.get(), record.data(), record.size());
  stored->view_ = *decode_view(stored->record());
  return EventRef(stored);
}

Result<EventView> EventCodec::decode_view(Bytes record) {
  if (auto problem = check_head(record, event_head_bytes)) return *problem;
  EventView event;
  const std::byte* from = record.data();
  const auto flags = load_le<uint8_t>(from + 1);
  event.id_given = (flags & event_flag_id_given) != 0;
  event.data_checked = (flags & event_flag_data_checked) != 0;
  event.addressed = (flags & event_flag_addressed) != 0;
  event.uid = load_id(from + 8);
  event.accepted_at = from_unix_ns(load_le<int64_t>(from + 24));
  auto fields =
      read_fields(record.subspan(event_head_bytes), [&](uint8_t id, Bytes bytes, bool& sound) {
        return take_event_field(event, id, bytes, sound);
      });
  if (!fields) return fields.error();
  return event;
}

namespace {

using TlsBytes = std::array<std::byte, 8>;
constexpr uint8_t tls_flag_resumed = 1;

TlsBytes tls_bytes(const TlsSession& tls) {
  TlsBytes bytes{};
  store_le<uint16_t>(&bytes[0], tls.version);
  store_le<uint16_t>(&bytes[2], tls.cipher);
  store_le<uint16_t>(&bytes[4], tls.group);
  store_le<uint8_t>(&bytes[6], tls.resumed ? tls_flag_resumed : 0);
  return bytes;
}

TlsSession read_tls(Bytes bytes) {
  return {.version = load_le<uint16_t>(&bytes[0]),
          .cipher = load_le<uint16_t>(&bytes[2]),
          .group = load_le<uint16_t>(&bytes[4]),
          .resumed = (load_le<uint8_t>(&bytes[6]) & tls_flag_resumed) != 0};
}

constexpr uint8_t connection_flag_reused = 1;
constexpr size_t connection_head_bytes = 4;
constexpr size_t connection_bytes_max = connection_head_bytes + 16 + 4 * sizeof(uint32_t);
/// The steps of AttemptTimings, in the order of their bits and of their times.
constexpr std::array timed_steps = {&AttemptTimings::name, &AttemptTimings::connect,
                                    &AttemptTimings::tls, &AttemptTimings::first_byte};

/// A field with what the attempt had; empty: it had come to nothing.
class ConnectionField {
 public:
  explicit ConnectionField(const ConnectionFacts& facts) {
    if (facts == ConnectionFacts{}) return;
    store_le<uint16_t>(&bytes_[0], facts.port);
    store_le<uint8_t>(&bytes_[2], facts.reused ? connection_flag_reused : 0);
    size_ = connection_head_bytes;
    std::memcpy(&bytes_[size_], facts.ip.data(), facts.ip_bytes);
    size_ += facts.ip_bytes;
    int steps = 0;
    for (size_t step = 0; step < timed_steps.size(); ++step) {
      const std::optional<Duration>& taken = facts.timings.*timed_steps[step];
      if (!taken) continue;
      steps |= 1 << step;
      store_le<uint32_t>(&bytes_[size_], microseconds(*taken));
      size_ += sizeof(uint32_t);
    }
    store_le<uint8_t>(&bytes_[3], static_cast<uint8_t>((steps << 4) | (facts.ip_bytes / 4)));
  }

  Bytes bytes() const { return {bytes_.data(), size_}; }

 private:
  static uint32_t microseconds(Duration taken) {
    const auto count = std::chrono::duration_cast<std::chrono::microseconds>(taken).count();
    return static_cast<uint32_t>(std::clamp<int64_t>(count, 0, UINT32_MAX));
  }

  std::array<std::byte, connection_bytes_max> bytes_{};
  size_t size_ = 0;
};

/// @returns false if the bytes break the format. More than we know of may follow.
bool read_connection(Bytes bytes, ConnectionFacts& facts) {
  if (bytes.size() < connection_head_bytes) return false;
  const auto layout = load_le<uint8_t>(&bytes[3]);
  const size_t ip_bytes = size_t{layout & 0x0fu} * 4;
  const auto steps = static_cast<unsigned>(layout >> 4);
  if (ip_bytes != 0 && ip_bytes != 4 && ip_bytes != 16) return false;
  if (bytes.size() < connection_head_bytes + ip_bytes +
                         static_cast<size_t>(std::popcount(steps)) * sizeof(uint32_t)) {
    return false;
  }
  facts.port = load_le<uint16_t>(&bytes[0]);
  facts.reused = (load_le<uint8_t>(&bytes[2]) & connection_flag_reused) != 0;
  facts.ip_bytes = static_cast<uint8_t>(ip_bytes);
  std::memcpy(facts.ip.data(), &bytes[connection_head_bytes], ip_bytes);
  const std::byte* at = bytes.data() + connection_head_bytes + ip_bytes;
  for (size_t step = 0; step < timed_steps.size(); ++step) {
    if ((steps >> step & 1) == 0) continue;
    facts.timings.*timed_steps[step] = std::chrono::microseconds{load_le<uint32_t>(at)};
    at += sizeof(uint32_t);
  }
  return true;
}

bool take_outcome_field(OutcomeView& outcome, uint8_t id, Bytes bytes, bool& sound) {
  switch (static_cast<OutcomeField>(id)) {
    case OutcomeField::request_head: outcome.request_head = as_text(bytes); return true;
    case OutcomeField::response_head: outcome.response_head = as_text(bytes); return true;
    case OutcomeField::response_body: outcome.response_body = bytes; return true;
    case OutcomeField::request_body:
      outcome.request_made = true;  // Older records have no flag for it.
      outcome.request_body = bytes;
      return true;
    case OutcomeField::tls:
      sound = bytes.size() >= sizeof(TlsBytes);
      if (sound) outcome.tls = read_tls(bytes);
      return true;
    case OutcomeField::changes:
      sound = bytes.size() >= changes_head_bytes && load_le<uint32_t>(bytes.data()) != 0;
      if (!sound) return true;
      outcome.base_offset = load_le<uint32_t>(bytes.data());
      outcome.changes = bytes;
      return true;
    case OutcomeField::connection: sound = read_connection(bytes, outcome.connection); return true;
  }
  return false;
}

void encode_changes(const OutcomeView& outcome, const OutcomeBase& base,
                    std::vector<std::byte>& out) {
  out.reserve(changes_bytes_usual);
  out.resize(changes_head_bytes);
  store_le<uint32_t>(&out[0], base.offset);
  store_le<uint32_t>(&out[4], static_cast<uint32_t>(outcome.request_head.size()));
  store_le<uint32_t>(&out[8], static_cast<uint32_t>(outcome.request_body.size()));
  store_le<uint32_t>(&out[12], static_cast<uint32_t>(outcome.response_head.size()));
  encode_delta(base.texts, outcome_texts(outcome), out);
}

OutcomeView without_texts(OutcomeView outcome) {
  outcome.request_head = outcome.response_head = {};
  outcome.request_body = outcome.response_body = {};
  return outcome;
}

void encode(const OutcomeView& outcome, Bytes changes, std::vector<std::byte>& out) {
  const size_t begin = out.size();
  const TlsBytes tls = tls_bytes(outcome.tls);
  const Bytes tls_field{tls.data(), outcome.tls ? tls.size() : 0};
  const ConnectionField connection(outcome.connection);
  const size_t size = outcome_head_bytes + field_size(outcome.request_head.size()) +
                      field_size(outcome.response_head.size()) +
                      field_size(outcome.response_body.size()) +
                      field_size(outcome.request_body.size()) + field_size(tls_field.size()) +
                      field_size(changes.size()) + field_size(connection.bytes().size());
  out.resize(begin + size);
  write_outcome_head(outcome, &out[begin]);
  FieldWriter fields(&out[begin] + outcome_head_bytes);
  fields.add(OutcomeField::request_head, outcome.request_head);
  fields.add(OutcomeField::response_head, outcome.response_head);
  fields.add(OutcomeField::response_body, outcome.response_body);
  fields.add(OutcomeField::request_body, outcome.request_body);
  fields.add(OutcomeField::tls, tls_field);
  fields.add(OutcomeField::changes, changes, field_flag_required);
  fields.add(OutcomeField::connection, connection.bytes());
}

}  // namespace

std::string outcome_texts(const OutcomeView& outcome) {
  std::string texts;
  texts.reserve(outcome.request_head.size() + outcome.request_body.size() +
                outcome.response_head.size() + outcome.response_body.size());
  texts.append(outcome.request_head).append(as_text(outcome.request_body));
  texts.append(outcome.response_head).append(as_text(outcome.response_body));
  return texts;
}

void encode_outcome(const OutcomeView& outcome, std::vector<std::byte>& out,
                    const OutcomeBase& base) {
  if (base.offset == 0) return encode(outcome, {}, out);
  std::vector<std::byte> changes;
  encode_changes(outcome, base, changes);
  encode(without_texts(outcome), changes, out);
}

Result<void> restore_texts(OutcomeView& outcome, std::string_view base_texts,
                           std::vector<std::byte>& memory) {
  RINGPOST_ASSERT(outcome.base_offset != 0);
  const Bytes head = outcome.changes.first(changes_head_bytes);
  memory.clear();
  if (!apply_delta(base_texts, outcome.changes.subspan(changes_head_bytes), texts_bytes_max,
                   memory)) {
    return corrupt;
  }
  Bytes rest = memory;
  const auto take = [&](uint32_t size) {
    const Bytes taken = rest.first(std::min<size_t>(size, rest.size()));
    rest = rest.subspan(taken.size());
    return taken;
  };
  outcome.request_head = as_text(take(load_le<uint32_t>(&head[4])));
  outcome.request_body = take(load_le<uint32_t>(&head[8]));
  outcome.response_head = as_text(take(load_le<uint32_t>(&head[12])));
  outcome.response_body = rest;
  outcome.base_offset = 0;
  outcome.changes = {};
  return {};
}

Result<OutcomeView> decode_outcome(Bytes record) {
  if (auto problem = check_head(record, outcome_head_bytes)) return *problem;
  OutcomeView outcome;
  if (!read_outcome_head(record.data(), outcome)) return corrupt;
  auto fields =
      read_fields(record.subspan(outcome_head_bytes), [&](uint8_t id, Bytes bytes, bool& sound) {
        return take_outcome_field(outcome, id, bytes, sound);
      });
  if (!fields) return fields.error();
  return outcome;
}

}  // namespace ringpost::journal
