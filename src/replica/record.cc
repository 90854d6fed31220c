#include "replica/record.h"

#include "base/assert.h"

#include <cstring>

namespace ringpost::replica {
namespace {

constexpr uint32_t under_way_bit = 1u << 31;
constexpr uint32_t name_bytes = 16;

/// Appends numbers to a payload.
class Fields {
 public:
  explicit Fields(size_t bytes) { out_.reserve(bytes); }

  template <typename T>
  Fields& add(T value) {
    const size_t at = out_.size();
    out_.resize(at + sizeof value);
    store_le(&out_[at], value);
    return *this;
  }
  Fields& add(const BlockName& name) { return add(name.offset).add(name.epoch).add(uint32_t{0}); }
  Fields& add(Bytes bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  std::vector<std::byte> take() { return std::move(out_); }

 private:
  std::vector<std::byte> out_;
};

/// Reads them again. Short payloads read as zeros and are reported once, by `fault`.
class FieldReader {
 public:
  explicit FieldReader(Bytes payload) : rest_(payload) {}

  template <typename T>
  T take() {
    if (rest_.size() < sizeof(T)) {
      rest_ = {};
      report(Fault::payload_short);
      return T{};
    }
    const T value = load_le<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }
  BlockName take_name() {
    BlockName name;
    name.offset = take<uint64_t>();
    name.epoch = take<uint32_t>();
    require(take<uint32_t>() == 0);
    return name;
  }
  void require(bool sound) {
    if (!sound) report(Fault::payload_value);
  }
  Bytes rest() const { return rest_; }

  /// `value`, or what was wrong.
  template <typename T>
  Result<T> finish(T value) const {
    if (fault_) return error_of(*fault_);
    return value;
  }

 private:
  void report(Fault fault) {
    if (!fault_) fault_ = fault;
  }

  Bytes rest_;
  std::optional<Fault> fault_;
};

template <typename Record>
Result<Record> decode_name_only(Bytes payload) {
  FieldReader reader(payload);
  return reader.finish(Record{reader.take_name()});
}

void add_pending(Fields& fields, const PendingDelivery& pending) {
  RINGPOST_ASSERT(pending.attempts <= PendingDelivery::attempts_max);
  RINGPOST_ASSERT(pending.event.offset <= EventPlace::offset_max);
  fields.add(pending.event.packed())
      .add(pending.webhook_number)
      .add(pending.attempts | (pending.under_way ? under_way_bit : 0))
      .add(to_unix_ns(pending.due))
      .add(pending.tag);
}

PendingDelivery take_pending(FieldReader& reader) {
  PendingDelivery pending;
  const auto packed = reader.take<uint64_t>();
  reader.require(packed >> 56 == 0);
  pending.event = EventPlace::unpack(packed);
  pending.webhook_number = reader.take<uint32_t>();
  const auto attempts = reader.take<uint32_t>();
  pending.attempts = attempts & ~under_way_bit;
  pending.under_way = (attempts & under_way_bit) != 0;
  pending.due = from_unix_ns(reader.take<int64_t>());
  pending.tag = reader.take<uint64_t>();
  return pending;
}

}  // namespace

std::vector<std::byte> encode(const Claim& claim) {
  return Fields(16)
      .add(claim.writer.node)
      .add(uint16_t{0})
      .add(claim.attempt)
      .add(claim.writer.incarnation)
      .take();
}

std::vector<std::byte> encode(const Renew& renew) {
  return Fields(40)
      .add(renew.claim)
      .add(renew.low_water_mark)
      .add(int64_t{renew.sent_at.time_since_epoch().count()})
      .add(renew.read_epoch)
      .add(uint32_t{0})
      .take();
}

std::vector<std::byte> encode(const Release& release) {
  return Fields(name_bytes).add(release.claim).take();
}

std::vector<std::byte> encode(const Fence& fence) {
  return Fields(name_bytes).add(fence.claim).take();
}

std::vector<std::byte> encode(const ClaimedOutcome& outcome) {
  return Fields(name_bytes + outcome.outcome.size()).add(outcome.claim).add(outcome.outcome).take();
}

std::vector<std::byte> encode(const CheckpointChunk& chunk) {
  RINGPOST_ASSERT(chunk.pending.size() <= pending_per_chunk_max);
  Fields fields(checkpoint_head_bytes + chunk.pending.size() * pending_delivery_bytes);
  fields.add(chunk.head.claim)
      .add(chunk.head.low_water_mark)
      .add(chunk.head.through)
      .add(chunk.head.through_epoch)
      .add(chunk.index)
      .add(chunk.head.chunk_count)
      .add(static_cast<uint32_t>(chunk.pending.size()));
  for (const PendingDelivery& pending : chunk.pending) add_pending(fields, pending);
  return fields.take();
}

std::vector<std::byte> encode(const Settled& settled) {
  const BlockName checkpoint = settled.checkpoint.value_or(BlockName{});
  return Fields(56)
      .add(settled.claim)
      .add(settled.low_water_mark)
      .add(settled.witness)
      .add(checkpoint.offset)
      .add(checkpoint.epoch)
      .add(uint32_t{settled.checkpoint ? 1u : 0u})
      .take();
}

std::vector<std::byte> encode(const Forwarded& forwarded) {
  return Fields(8).add(forwarded.position).take();
}

Result<Claim> decode_claim(Bytes payload) {
  FieldReader reader(payload);
  Claim claim;
  claim.writer.node = reader.take<uint16_t>();
  reader.require(reader.take<uint16_t>() == 0);
  claim.attempt = reader.take<uint32_t>();
  claim.writer.incarnation = reader.take<uint64_t>();
  return reader.finish(claim);
}

Result<Renew> decode_renew(Bytes payload) {
  FieldReader reader(payload);
  Renew renew;
  renew.claim = reader.take_name();
  renew.low_water_mark = reader.take<uint64_t>();
  renew.sent_at = Instant{Duration{reader.take<int64_t>()}};
  renew.read_epoch = reader.take<uint32_t>();
  reader.require(reader.take<uint32_t>() == 0);
  return reader.finish(renew);
}

Result<Release> decode_release(Bytes payload) {
  return decode_name_only<Release>(payload);
}

Result<Fence> decode_fence(Bytes payload) {
  return decode_name_only<Fence>(payload);
}

Result<ClaimedOutcome> decode_outcome(Bytes payload) {
  FieldReader reader(payload);
  ClaimedOutcome outcome;
  outcome.claim = reader.take_name();
  outcome.outcome = reader.rest();
  return reader.finish(outcome);
}

Result<CheckpointChunk> decode_checkpoint(Bytes payload) {
  FieldReader reader(payload);
  CheckpointChunk chunk;
  chunk.head.claim = reader.take_name();
  chunk.head.low_water_mark = reader.take<uint64_t>();
  chunk.head.through = reader.take<uint64_t>();
  chunk.head.through_epoch = reader.take<uint32_t>();
  chunk.index = reader.take<uint32_t>();
  chunk.head.chunk_count = reader.take<uint32_t>();
  const auto count = reader.take<uint32_t>();
  reader.require(chunk.index < chunk.head.chunk_count);
  reader.require(chunk.head.low_water_mark <= chunk.head.through);
  if (count > reader.rest().size() / pending_delivery_bytes) return error_of(Fault::payload_short);
  chunk.pending.reserve(count);
  for (uint32_t index = 0; index < count; ++index) chunk.pending.push_back(take_pending(reader));
  return reader.finish(std::move(chunk));
}

Result<Settled> decode_settled(Bytes payload) {
  FieldReader reader(payload);
  Settled settled;
  settled.claim = reader.take_name();
  settled.low_water_mark = reader.take<uint64_t>();
  settled.witness = reader.take_name();
  BlockName checkpoint;
  checkpoint.offset = reader.take<uint64_t>();
  checkpoint.epoch = reader.take<uint32_t>();
  const auto present = reader.take<uint32_t>();
  reader.require(present <= 1);
  if (present == 1) settled.checkpoint = checkpoint;
  return reader.finish(settled);
}

Result<Forwarded> decode_forwarded(Bytes payload) {
  FieldReader reader(payload);
  return reader.finish(Forwarded{reader.take<uint64_t>()});
}

}  // namespace ringpost::replica
