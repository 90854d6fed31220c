#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/connection_facts.h"
#include "base/result.h"
#include "base/tls_session.h"
#include "base/ulid.h"
#include "journal/position.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::journal {

/// What is known of a delivery when its event is carried forward.
struct CarriedState {
  uint32_t attempts = 0;       ///< Begun so far.
  WallTime next_attempt_at{};  ///< Whole seconds; the epoch: at once.
};

/// Why an event is on record again: it was pending, and the segment that had it was to go. Its
/// position stays that of its first record (`origin`): all outcomes name it by that.
struct Carried {
  Position origin;
  uint32_t times = 0;  ///< How often it was carried.
  WallTime at{};
  std::vector<CarriedState> states;  ///< One for each of its webhooks.
  /// By journal: outcomes in segments before this one are in `states`. Of a journal that is not
  /// here, all may be newer.
  std::vector<uint32_t> floors;
};

/// An accepted event and whom it goes to. All members are views into somebody's bytes.
struct EventView {
  Ulid uid;  ///< Ours, generated for each event; delivery ids derive from it.
  WallTime accepted_at{};
  std::string_view organization;
  std::string_view id;    ///< The producer's, or `uid` as text where none was given.
  bool id_given = false;  ///< The producer chose `id`: it takes part in idempotency.
  std::string_view source;
  std::string_view type;
  std::string_view time;  ///< CloudEvents attributes, as they came; empty where absent.
  std::string_view subject;
  std::string_view data_content_type;
  std::string_view branch;
  std::string_view ordering_key;
  std::string_view trace_parent;
  std::string_view extensions;  ///< Other CloudEvents attributes, a JSON object; may be empty.
  Bytes data;                   ///< As it came. Null: there is none; else it may be empty.
  /// Looked at when it came: where `data_content_type` says JSON or nothing, `data` is exactly one
  /// JSON text, or empty. Not set in journals of earlier versions, which hold other bytes as well.
  bool data_checked = false;
  Bytes webhook_numbers;              ///< Packed little-endian uint32, one per matched webhook.
  Ulid redelivery_of{};               ///< The delivery that this one repeats; all zero for none.
  std::string_view header_overrides;  ///< Redelivery only: `Name: value` lines; may be empty.
  /// Redelivery only: the delivery that first carried these very bytes. All zero: the data was
  /// changed, so it is a message for itself.
  Ulid message{};
  uint32_t hops = 0;  ///< Over how many relays it came here.
  /// Made for the one webhook that it names: a ping, a notice, a redelivery. Nobody else's
  /// business.
  bool addressed = false;
  Bytes carried;  ///< A `Carried`, packed; empty for the first record of an event.

  uint32_t webhook_count() const { return static_cast<uint32_t>(webhook_numbers.size() / 4); }
  uint32_t webhook_number(uint32_t index) const {
    return load_le<uint32_t>(webhook_numbers.data() + size_t{index} * 4);
  }
  bool is_carried() const { return !carried.empty(); }
  /// What outcomes name the event by. @param record  where this record of it is.
  Position position(Position record) const;
  /// Only of one that is carried.
  Carried unpack_carried() const;
  bool is_redelivery() const { return redelivery_of != Ulid{}; }
  /// A redelivery with other data.
  bool is_edited() const { return is_redelivery() && message == Ulid{}; }
};

/// For EventView::carried.
std::vector<std::byte> pack(const Carried& carried);

/// The id of the delivery of one event to one webhook: the event's time, and 80 bits of a hash of
/// its uid and the webhook's number. Derived, so a restart finds the same id again.
Ulid delivery_id(const Ulid& event_uid, uint32_t webhook_number);

/// What a receiver knows the message of `delivery` by: the same for all attempts, and for every
/// redelivery that sends the same bytes once more.
inline const Ulid& message_id(const EventView& event, const Ulid& delivery) {
  return event.message == Ulid{} ? delivery : event.message;
}

enum class DeliveryStatus : uint8_t { pending, in_flight, delivered, dead, cancelled };

std::string_view name(DeliveryStatus status);

/// One attempt's end; `attempt` 0: a cancellation without one, or (pending) a start taken back.
struct OutcomeView {
  Ulid delivery;
  Position event;
  uint32_t webhook_number = 0;
  uint32_t attempt = 0;     ///< 1 for the first.
  DeliveryStatus status{};  ///< After this attempt: pending, delivered, dead or cancelled.
  WallTime started_at{};
  Duration duration{};
  WallTime next_attempt_at{};  ///< Only while `status` is pending.
  bool failed = false;         ///< `error` says why.
  Error error{};
  uint16_t http_status = 0;  ///< 0: no answer.
  /// Not all of the answer was kept: more of its body or head came, or its body is incomplete.
  bool response_truncated = false;
  /// What was wrong with an answer that counts by its status all the same; 0: nothing.
  BadAnswer response_note{};
  std::string_view request_head;  ///< Request line and headers as sent, credentials masked.
  /// Status line and headers, at most 16 KiB. Without a status: the first bytes of what
  /// came instead of an answer, which may be anything, or nothing.
  std::string_view response_head;
  Bytes response_body;             ///< At most the capture limit (16 KiB).
  bool request_truncated = false;  ///< The request's body was longer than was kept.
  /// What was sent is `request_body`, and not the event's data as it is.
  bool request_made = false;
  /// Only if `request_made`: at most the capture limit, secrets masked; may be empty.
  Bytes request_body;
  /// What the connection's handshake agreed on; empty for plain http, and without a handshake.
  TlsSession tls;
  ConnectionFacts connection;
  /// Not 0: the four texts above (heads and bodies) are recorded as changes to those of an earlier
  /// outcome at this offset of the same segment, and empty here until `restore_texts`.
  uint32_t base_offset = 0;
  Bytes changes;
};

/// An encoded EVENT record, shared by the journal's writer, the shards that deliver it and the
/// control thread. The bytes never change; its position is set once, before it is shared.
///
/// Thread safety: the count is atomic; everything else is read-only after creation.
class StoredEvent {
 public:
  const EventView& view() const { return view_; }
  Bytes record() const { return {record_.get(), record_size_}; }
  /// What outcomes name the event by.
  Position position() const { return view_.position(place_); }
  /// Where the record is: the same, unless the event was carried.
  Position place() const { return place_; }
  void set_position(Position place) { place_ = place; }

 private:
  friend class EventRef;
  friend class EventCodec;

  mutable std::atomic<uint32_t> references_{1};
  Position place_;
  EventView view_;  // Into record_.
  std::unique_ptr<std::byte[]> record_;
  size_t record_size_ = 0;
};

/// Shares a StoredEvent. Copying from any thread.
class EventRef {
 public:
  EventRef() = default;
  /// Takes over the creator's reference.
  explicit EventRef(StoredEvent* event) : event_(event) {}
  EventRef(const EventRef& other) : event_(other.event_) { acquire(); }
  EventRef(EventRef&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  EventRef& operator=(EventRef other) noexcept {
    std::swap(event_, other.event_);
    return *this;
  }
  ~EventRef() { release(); }

  explicit operator bool() const { return event_ != nullptr; }
  StoredEvent* operator->() const { return event_; }
  StoredEvent& operator*() const { return *event_; }

 private:
  void acquire() {
    if (event_ != nullptr) event_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  void release() {
    if (event_ != nullptr && event_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete event_;
    }
    event_ = nullptr;
  }

  StoredEvent* event_ = nullptr;
};

/// Encodes and decodes the payloads of records. The byte tables are in src/journal/README.md.
class EventCodec {
 public:
  /// Encodes `event` into a new StoredEvent whose view points into its own bytes.
  static EventRef encode(const EventView& event);
  /// Decodes a record's bytes, which it copies. Errc::corrupt if they break the format.
  static Result<EventRef> decode(Bytes record, Position position);
  /// Decodes without copying: the view points into `record`.
  static Result<EventView> decode_view(Bytes record);
};

/// An OUTCOME record with neither a request nor an answer in it.
inline constexpr uint32_t bare_outcome_bytes = 72;
/// Whether nothing more is tried after an attempt that left the delivery so.
constexpr bool is_end(DeliveryStatus status) {
  return status == DeliveryStatus::delivered || status == DeliveryStatus::dead ||
         status == DeliveryStatus::cancelled;
}

/// The four texts of an outcome in one, as what others are changes to.
std::string outcome_texts(const OutcomeView& outcome);

/// An outcome that others resemble: an earlier one of the same webhook.
struct OutcomeBase {
  uint32_t offset = 0;     ///< In the segment that the others are in as well.
  std::string_view texts;  ///< outcome_texts.
};

/// Appends the encoded record to `out`.
/// @param base  with an offset: the texts are recorded as changes to it.
void encode_outcome(const OutcomeView& outcome, std::vector<std::byte>& out,
                    const OutcomeBase& base = {});
/// The view points into `record`. Errc::corrupt if the bytes break the format.
Result<OutcomeView> decode_outcome(Bytes record);
/// Gives an outcome with a base its texts. Errc::corrupt if they cannot be made of the base's.
/// @param memory  holds them.
Result<void> restore_texts(OutcomeView& outcome, std::string_view base_texts,
                           std::vector<std::byte>& memory);

}  // namespace ringpost::journal
