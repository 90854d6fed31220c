#include "replica/record.h"

#include "journal/record.h"
#include "replica/outcome_fold.h"

#include <gtest/gtest.h>

#include <vector>

namespace ringpost::replica {
namespace {

constexpr ClaimName name{7, 0x123456789a};

template <typename Decode>
void expect_needs_every_byte(const std::vector<std::byte>& payload, Decode decode) {
  for (size_t size = 0; size < payload.size(); ++size) {
    const auto decoded = decode(Bytes{payload}.first(size));
    ASSERT_FALSE(decoded) << size;
    EXPECT_EQ(decoded.error().detail, static_cast<int32_t>(Fault::payload_short)) << size;
  }
}

template <typename Record, typename Decode>
void expect_comes_back(const Record& record, Decode decode) {
  std::vector<std::byte> payload = encode(record);
  const auto decoded = decode(payload);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, record);
  expect_needs_every_byte(payload, decode);
  payload.resize(payload.size() + 8);  // Of a later release.
  const auto longer = decode(payload);
  ASSERT_TRUE(longer);
  EXPECT_EQ(*longer, record);
}

TEST(Record, ComesBack) {
  expect_comes_back(Claim{{65'535, ~uint64_t{0}}, 99}, decode_claim);
  expect_comes_back(Renew{name, 5, Instant{Duration{123}}, 7}, decode_renew);
  expect_comes_back(Release{name}, decode_release);
  expect_comes_back(Fence{name}, decode_fence);
  expect_comes_back(Forwarded{77}, decode_forwarded);
  expect_comes_back(Settled{name, 9, {7, 11}, std::nullopt}, decode_settled);
  expect_comes_back(Settled{name, 9, {7, 11}, BlockName{6, 4}}, decode_settled);
}

TEST(Record, CheckpointComesBack) {
  const PendingDelivery pending{.event = {EventPlace::offset_max, 65'535},
                                .webhook_number = 3,
                                .attempts = PendingDelivery::attempts_max,
                                .under_way = true,
                                .due = from_unix_ns(-5),
                                .tag = ~uint64_t{0}};
  const CheckpointHead head{name, 4, 9, 7, 2};
  expect_comes_back(CheckpointChunk{head, 1, {pending, PendingDelivery{}}}, decode_checkpoint);
}

TEST(Record, RefusesImpossibleValues) {
  const auto refused = [](std::vector<std::byte> payload, size_t at, auto value, auto decode) {
    store_le(&payload[at], value);
    const auto decoded = decode(payload);
    return !decoded && decoded.error().detail == static_cast<int32_t>(Fault::payload_value);
  };
  const auto chunk = encode(CheckpointChunk{{name, 4, 9, 7, 2}, 1, {PendingDelivery{}}});
  EXPECT_TRUE(refused(encode(Claim{}), 2, uint16_t{1}, decode_claim));
  EXPECT_TRUE(refused(encode(Fence{}), 12, uint32_t{1}, decode_fence));
  EXPECT_TRUE(refused(encode(Settled{}), 52, uint32_t{2}, decode_settled));
  EXPECT_TRUE(refused(chunk, 36, uint32_t{2}, decode_checkpoint));   // The third of two.
  EXPECT_TRUE(refused(chunk, 16, uint64_t{10}, decode_checkpoint));  // Mark beyond `through`.
  EXPECT_TRUE(refused(chunk, 48, ~uint64_t{0}, decode_checkpoint));  // A position's journal.
}

// Goal: a count of entries that the payload does not have takes no memory.
TEST(Record, ChunkThatClaimsTooMuchIsRefused) {
  auto payload = encode(CheckpointChunk{{name, 4, 9, 7, 2}, 1, {PendingDelivery{}}});
  store_le(&payload[44], ~uint32_t{0});
  EXPECT_FALSE(decode_checkpoint(payload));
}

// Goal: an OUTCOME is the journal's, byte for byte, behind its claim; and a delivery's tag is the
// same from the event as from the outcome.
TEST(Record, OutcomeHoldsTheJournals) {
  const Ulid event = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV");
  journal::OutcomeView view;
  view.delivery = journal::delivery_id(event, 7);
  view.webhook_number = 7;
  view.attempt = 2;
  view.status = journal::DeliveryStatus::delivered;
  view.http_status = 200;
  view.response_head = "HTTP/1.1 200 OK\r\n\r\n";
  std::vector<std::byte> record;
  journal::encode_outcome(view, record);

  const auto payload = encode(ClaimedOutcome{name, record});
  const auto outcome = decode_outcome(payload);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->claim, name);
  EXPECT_EQ(as_text(outcome->outcome), as_text(record));
  const auto decoded = journal::decode_outcome(outcome->outcome);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(tag_of(decoded->delivery), tag_of(journal::delivery_id(event, 7)));
  EXPECT_NE(tag_of(decoded->delivery), tag_of(journal::delivery_id(event, 8)));
}

TEST(Record, EventPlaceIsAPosition) {
  const EventPlace place{4096 * 5 + 3, 9};
  EXPECT_EQ(EventPlace::unpack(place.packed()), place);
  const journal::Position position{uint64_t{64} << 56 | place.packed()};
  EXPECT_EQ(position.journal(), 64u);
  EXPECT_EQ(position.segment(), 5u);  // The offset by 4,096.
}

}  // namespace
}  // namespace ringpost::replica
