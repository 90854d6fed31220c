#include "replica/outcome_fold.h"

#include "base/prng.h"
#include "replica/checkpoint.h"

#include <gtest/gtest.h>

#include <vector>

namespace ringpost::replica {
namespace {

using Fact = OutcomeFold::Fact;
using Verdict = OutcomeFold::Verdict;

constexpr ClaimName older{1, 10};
constexpr ClaimName newer{1, 20};

Fact fact(Fact::Kind kind, DeliveryTag tag, uint32_t attempt = 1) {
  return {.kind = kind, .tag = tag, .attempt = attempt, .due = from_unix_ns(attempt * 1000)};
}

void add_event(OutcomeFold& fold, uint64_t offset, std::vector<DeliveryTag> tags,
               uint32_t epoch = 1) {
  std::vector<OutcomeFold::Target> targets;
  for (const DeliveryTag tag : tags) targets.push_back({static_cast<uint32_t>(tag % 7), tag});
  fold.on_event({offset, 0}, targets);
  fold.on_events_block({epoch, offset});
}

TEST(OutcomeFold, PendingIsEventsMinusFinalOutcomes) {
  OutcomeFold fold;
  add_event(fold, 0, {1, 2});
  add_event(fold, 1, {3});
  EXPECT_EQ(fold.on_outcome(older, fact(Fact::Kind::delivered, 1)), Verdict::counted);
  EXPECT_EQ(fold.on_outcome(older, fact(Fact::Kind::given_up, 3)), Verdict::counted);
  EXPECT_EQ(fold.on_outcome(older, fact(Fact::Kind::delivered, 1)), Verdict::ended);
  ASSERT_EQ(fold.pending_count(), 1u);
  EXPECT_TRUE(fold.is_pending(2));
  EXPECT_EQ(fold.low_water_mark(), 0u);
  fold.on_outcome(older, fact(Fact::Kind::delivered, 2));
  EXPECT_EQ(fold.low_water_mark(), 2u);
}

TEST(OutcomeFold, CountsAttempts) {
  OutcomeFold fold;
  add_event(fold, 0, {1});
  fold.on_outcome(older, fact(Fact::Kind::begun, 1, 3));
  EXPECT_TRUE(fold.pending()[0].under_way);
  EXPECT_EQ(fold.pending()[0].attempts, 3u);
  fold.on_outcome(older, fact(Fact::Kind::failed, 1, 0));  // It never began.
  EXPECT_EQ(fold.pending()[0].attempts, 2u);
  fold.on_outcome(older, fact(Fact::Kind::failed, 1, 3));
  fold.on_outcome(older, fact(Fact::Kind::failed, 1, 2));  // A repetition.
  EXPECT_EQ(fold.pending()[0].attempts, 3u);
  EXPECT_EQ(fold.pending()[0].due, from_unix_ns(3000));
}

TEST(OutcomeFold, OlderClaimsAreVoidBehindAFenceExceptDelivered) {
  OutcomeFold fold;
  add_event(fold, 0, {1, 2, 3});
  EXPECT_TRUE(fold.on_fence(newer));
  EXPECT_EQ(fold.on_outcome(older, fact(Fact::Kind::given_up, 1)), Verdict::void_);
  EXPECT_EQ(fold.on_outcome(older, fact(Fact::Kind::failed, 2, 9)), Verdict::void_);
  EXPECT_EQ(fold.on_outcome(older, fact(Fact::Kind::delivered, 3)), Verdict::counted);
  EXPECT_EQ(fold.on_outcome(newer, fact(Fact::Kind::given_up, 1)), Verdict::counted);
  EXPECT_EQ(fold.pending()[0].attempts, 0u);
  EXPECT_EQ(fold.pending_count(), 1u);
}

TEST(OutcomeFold, LowerFenceIsVoid) {
  OutcomeFold fold;
  add_event(fold, 0, {1});
  EXPECT_TRUE(fold.on_fence(newer));
  EXPECT_FALSE(fold.on_fence(older));
  EXPECT_TRUE(fold.on_fence(newer));
  EXPECT_EQ(fold.fence(), newer);
  EXPECT_EQ(fold.on_outcome(older, fact(Fact::Kind::given_up, 1)), Verdict::void_);
}

// Goal: after a rollback another event may lie where an old outcome points, and the old event
// elsewhere. Deliveries are known by their tags.
TEST(OutcomeFold, FollowsEventsThatMove) {
  OutcomeFold fold;
  fold.on_outcome(older, fact(Fact::Kind::delivered, 1));  // Its event is read later.
  add_event(fold, 0, {2}, 2);
  add_event(fold, 1, {1}, 2);
  add_event(fold, 2, {2}, 2);  // Appended again.
  ASSERT_EQ(fold.pending_count(), 1u);
  EXPECT_EQ(fold.pending()[0].event.offset, 0u);
}

TEST(OutcomeFold, RemembersABoundedNumberOfEnds) {
  OutcomeFold fold;
  for (DeliveryTag tag = 0; tag <= OutcomeFold::ended_max; ++tag) {
    fold.on_outcome(older, fact(Fact::Kind::delivered, tag));
  }
  add_event(fold, 0, {0, 1});
  EXPECT_TRUE(fold.is_pending(0));
  EXPECT_FALSE(fold.is_pending(1));
}

TEST(OutcomeFold, TagIsTheHashInTheDeliverysId) {
  Ulid id;
  for (uint8_t index = 0; index < 16; ++index) id.bytes[index] = index;
  EXPECT_EQ(tag_of(id), 0x0d0c0b0a09080706u);
}

/// A random history of both topics under one claim.
struct Step {
  bool is_event = false;
  uint64_t offset = 0;
  Fact fact;
};

std::vector<Step> random_history(Prng& random, size_t steps) {
  std::vector<Step> history;
  uint64_t events = 0;
  for (size_t index = 0; index < steps; ++index) {
    const bool is_event = events == 0 || random.chance(1, 3);
    if (is_event) {
      history.push_back({.is_event = true, .offset = events++, .fact = {}});
    } else {
      const auto kind = static_cast<Fact::Kind>(random.below(4));
      const DeliveryTag tag = random.below(events * 2);
      history.push_back({.fact = fact(kind, tag, static_cast<uint32_t>(random.below(5)))});
    }
  }
  return history;
}

void apply(OutcomeFold& fold, const Step& step) {
  if (step.is_event) return add_event(fold, step.offset, {step.offset * 2, step.offset * 2 + 1});
  fold.on_outcome(newer, step.fact);
}

// Goal: a state that begins with a checkpoint is the one that a full read makes. Method: random
// histories; a checkpoint at a random place, encoded and decoded, and the rest of the history.
TEST(OutcomeFold, RestoredStateIsThatOfAFullRead) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Prng random(seed);
    const std::vector<Step> history = random_history(random, 200);
    const size_t cut = random.below(history.size());
    OutcomeFold whole;
    whole.on_fence(newer);
    OutcomeFold restored;
    for (size_t index = 0; index < history.size(); ++index) {
      if (index == cut) {
        CheckpointReader reader;
        for (const CheckpointChunk& chunk : whole.checkpoint(newer)) {
          const auto decoded = decode_checkpoint(encode(chunk));
          ASSERT_TRUE(decoded);
          reader.on_chunk({}, *decoded, whole.fence());
        }
        ASSERT_TRUE(reader.whole());
        restored.restore(reader.whole()->head, reader.whole()->pending);
      }
      apply(whole, history[index]);
      if (index >= cut) apply(restored, history[index]);
    }
    ASSERT_EQ(restored.pending(), whole.pending()) << seed;
    ASSERT_EQ(restored.low_water_mark(), whole.low_water_mark()) << seed;
    ASSERT_EQ(restored.through(), whole.through()) << seed;
    ASSERT_EQ(restored.fence(), whole.fence()) << seed;
  }
}

// --- checkpoints in chunks ---

std::vector<CheckpointChunk> two_chunks(const ClaimName& claim) {
  OutcomeFold fold;
  for (uint64_t offset = 0; offset <= pending_per_chunk_max; ++offset) {
    add_event(fold, offset, {offset + 1});
  }
  return fold.checkpoint(claim);
}

TEST(Checkpoint, FitsIntoBlocks) {
  const auto chunks = two_chunks(newer);
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].pending.size(), pending_per_chunk_max);
  EXPECT_EQ(chunks[1].pending.size(), 1u);
  BlockBuilder builder;
  builder.add(RecordType::checkpoint, encode(chunks[0]));
  EXPECT_LE(builder.seal({1, 1}, 1, 1).size(), block_bytes_max);
  EXPECT_EQ(OutcomeFold().checkpoint(newer).size(), 1u);  // Also of nothing.
}

TEST(Checkpoint, IsWholeOnlyWithAllChunksInOrder) {
  const auto chunks = two_chunks(newer);
  CheckpointReader reader;
  reader.on_chunk({1, 5}, chunks[1], std::nullopt);
  EXPECT_FALSE(reader.whole());
  reader.on_chunk({1, 6}, chunks[0], std::nullopt);
  EXPECT_FALSE(reader.whole());
  reader.on_chunk({1, 7}, chunks[1], std::nullopt);
  ASSERT_TRUE(reader.whole());
  EXPECT_EQ(reader.whole()->at, (BlockName{1, 6}));
  EXPECT_EQ(reader.whole()->pending.size(), pending_per_chunk_max + 1);
  reader.on_chunk({1, 8}, chunks[0], std::nullopt);  // Unfinished: the last whole one counts.
  EXPECT_EQ(reader.whole()->at, (BlockName{1, 6}));
}

TEST(Checkpoint, OfAnOlderClaimIsVoidBehindAFence) {
  CheckpointReader reader;
  for (const CheckpointChunk& chunk : two_chunks(older)) reader.on_chunk({1, 5}, chunk, newer);
  EXPECT_FALSE(reader.whole());
}

TEST(Checkpoint, ChunksOfTwoAreNotMixed) {
  auto first = two_chunks(newer);
  auto second = two_chunks({1, 21});
  CheckpointReader reader;
  reader.on_chunk({1, 5}, first[0], std::nullopt);
  reader.on_chunk({1, 6}, second[1], std::nullopt);
  EXPECT_FALSE(reader.whole());
}

}  // namespace
}  // namespace ringpost::replica
