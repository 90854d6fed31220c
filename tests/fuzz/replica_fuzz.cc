#include "base/assert.h"
#include "base/crc32c.h"
#include "fuzz.h"
#include "replica/checkpoint.h"
#include "replica/outcome_fold.h"
#include "replica/ownership.h"
#include "replica/sequence_check.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

// Goal: no bytes from an engine, however broken, crash a reader or one of the folds, and what is
// read is written back as it was. Method: the input is a block, as it is and with its checksum and
// length put right (so that what lies behind these is reached), and a payload of each type.

namespace {

using namespace ringpost;
using namespace ringpost::replica;

constexpr uint64_t cluster_id = 1;

template <typename Record>
void expect_same(const Result<Record>& decoded, Bytes payload) {
  if (!decoded) return;
  const std::vector<std::byte> again = encode(*decoded);
  RINGPOST_ASSERT(again.size() <= payload.size());
  RINGPOST_ASSERT(std::equal(again.begin(), again.end(), payload.begin()));
}

void decode_all(Bytes payload) {
  expect_same(decode_claim(payload), payload);
  expect_same(decode_renew(payload), payload);
  expect_same(decode_release(payload), payload);
  expect_same(decode_fence(payload), payload);
  expect_same(decode_outcome(payload), payload);
  expect_same(decode_forwarded(payload), payload);
  if (const auto settled = decode_settled(payload)) {
    RINGPOST_ASSERT(*decode_settled(encode(*settled)) == *settled);
  }
  if (const auto chunk = decode_checkpoint(payload);
      chunk && chunk->pending.size() <= pending_per_chunk_max) {
    expect_same(chunk, payload);
  }
}

struct Folds {
  Ownership ownership{{1, 1}};
  OutcomeFold fold;
  CheckpointReader checkpoints;
  SequenceCheck sequences{true};
  Instant now{};
};

void feed(Folds& folds, const BlockName& at, const RecordView& record) {
  folds.now += std::chrono::milliseconds(700);
  if (const auto claim = decode_claim(record.payload); claim && record.type == RecordType::claim) {
    folds.ownership.on_claim(at, *claim, folds.now);
  }
  if (const auto renew = decode_renew(record.payload); renew && record.type == RecordType::renew) {
    folds.ownership.on_renew(at, *renew, folds.now);
  }
  if (const auto named = decode_release(record.payload)) {
    if (record.type == RecordType::release) folds.ownership.on_release(at, *named);
    if (record.type == RecordType::fence) folds.fold.on_fence(named->claim);
  }
  if (const auto chunk = decode_checkpoint(record.payload);
      chunk && record.type == RecordType::checkpoint) {
    folds.checkpoints.on_chunk(at, *chunk, folds.fold.fence());
  }
  if (const auto fence = folds.fold.fence()) folds.ownership.on_fence(*fence);
}

void read(Folds& folds, Bytes bytes, uint64_t offset) {
  const auto block = read_block(bytes, cluster_id);
  if (!block) {
    RINGPOST_ASSERT(describe(static_cast<Fault>(block.error().detail)) != "unknown fault");
    return;
  }
  static_cast<void>(folds.sequences.check(offset, block->header));
  for (const RecordView& record : block->records) {
    RINGPOST_ASSERT(record.payload.data() >= bytes.data());
    RINGPOST_ASSERT(record.payload.data() + record.payload.size() <= bytes.data() + bytes.size());
    decode_all(record.payload);
    feed(folds, {1, offset}, record);
  }
  folds.ownership.on_block({1, offset});
  if (const auto& whole = folds.checkpoints.whole()) {
    OutcomeFold restored;
    restored.restore(whole->head, whole->pending);
    RINGPOST_ASSERT(restored.pending_count() <= whole->pending.size());
  }
  while (folds.ownership.next(folds.now, {})) {
  }
}

/// As an engine that damages blocks in a way that their checksums do not show.
std::vector<std::byte> put_right(Bytes bytes) {
  std::vector<std::byte> block(bytes.begin(), bytes.end());
  if (block.size() < block_header_bytes) return block;
  store_le(&block[36], static_cast<uint32_t>(block.size() - block_header_bytes));
  store_le<uint32_t>(&block[44], 0);
  store_le(&block[44], crc32c(0, block));
  return block;
}

std::string seed_of(RecordType type, Bytes payload) {
  BlockBuilder builder;
  builder.add(type, payload);
  builder.add(RecordType::event, as_bytes("event"));
  return std::string(as_text(builder.seal({1, 1}, cluster_id, 1)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes = std::as_bytes(std::span{data, size});
  decode_all(bytes);
  Folds folds;
  folds.ownership.on_assigned();
  while (folds.ownership.next(folds.now, {})) {
  }
  read(folds, bytes, 0);
  read(folds, put_right(bytes), 1);
  return 0;
}

/// A block with a record of each type.
std::vector<std::string> fuzz_seeds() {
  const ClaimName claim{1, 0};
  const PendingDelivery pending{.event = {3, 0}, .webhook_number = 1, .tag = 5};
  return {
      seed_of(RecordType::claim, encode(Claim{{1, 1}, 1})),
      seed_of(RecordType::renew, encode(Renew{claim, 3, Instant{}, 1})),
      seed_of(RecordType::release, encode(Release{claim})),
      seed_of(RecordType::fence, encode(Fence{claim})),
      seed_of(RecordType::outcome, encode(ClaimedOutcome{claim, as_bytes("outcome")})),
      seed_of(RecordType::checkpoint, encode(CheckpointChunk{{claim, 3, 4, 1, 1}, 0, {pending}})),
      seed_of(RecordType::settled, encode(Settled{claim, 3, {1, 4}, BlockName{1, 2}})),
      seed_of(RecordType::forwarded, encode(Forwarded{4096}))};
}
