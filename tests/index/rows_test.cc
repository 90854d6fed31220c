// Goal: each row reads as it was written, and no bytes make a reader do more than say no.
// Method: rows with ordinary and extreme numbers, one after the other; random bytes.

#include "index/rows.h"

#include "base/prng.h"
#include "index/format.h"

#include <gtest/gtest.h>

namespace ringpost::index {
namespace {

template <typename Row>
std::vector<Row> through_bytes(const std::vector<Row>& rows) {
  Dictionaries dictionaries;
  std::vector<std::byte> bytes;
  Encoder out(bytes);
  typename Row::State written;
  for (const Row& row : rows) row.write(out, written, dictionaries);

  std::vector<std::byte> dictionary_bytes;
  dictionaries.write(dictionary_bytes);
  const auto read_back = Dictionaries::read(dictionary_bytes);
  EXPECT_TRUE(read_back);
  Decoder in(bytes);
  typename Row::State state;
  std::vector<Row> read(rows.size());
  for (Row& row : read) EXPECT_TRUE(row.read(in, state, *read_back));
  EXPECT_FALSE(in.failed());
  return read;
}

Ulid uid(uint64_t high, uint64_t low) {
  return uid_of({high, low});
}

TEST(Rows, EventsReadAsTheyWereWritten) {
  const std::vector<EventRow> rows = {
      {.uid = uid(0, 0), .offset = 4096, .type_hash = 1, .source_hash = 2, .matches = 3},
      {.uid = uid(7, UINT64_MAX), .offset = 8, .type_hash = 1, .first_match = 3},
      {.uid = uid(UINT64_MAX, 1),
       .offset = journal::segment_bytes_max - 8,
       .first_match = 3,
       .matches = 100'000}};
  const auto read = through_bytes(rows);
  for (size_t index = 0; index < rows.size(); ++index) {
    EXPECT_EQ(read[index].uid, rows[index].uid);
    EXPECT_EQ(read[index].offset, rows[index].offset);
    EXPECT_EQ(read[index].type_hash, rows[index].type_hash);
    EXPECT_EQ(read[index].source_hash, rows[index].source_hash);
    EXPECT_EQ(read[index].first_match, rows[index].first_match);
    EXPECT_EQ(read[index].matches, rows[index].matches);
  }
}

TEST(Rows, MatchesAndIdsReadAsTheyWereWritten) {
  const auto matches = through_bytes<MatchRow>({{5}, {UINT32_MAX}, {0}, {1}});
  EXPECT_EQ(matches[1].webhook_number, UINT32_MAX);
  EXPECT_EQ(matches[3].webhook_number, 1u);
  const auto ids = through_bytes<IdRow>({{0, 9}, {0, 10}, {UINT32_MAX, 0}});
  EXPECT_EQ(ids[1].event_row, 10u);
  EXPECT_EQ(ids[2].hash, UINT32_MAX);
}

Outcome some_outcome(DeliveryStatus status) {
  return {.delivery = {Position::make(3, 9, 8192), 7},
          .record = Position::make(3, 9, 4096),
          .attempt = 3,
          .status = status,
          .failed = true,
          .error = Errc::bad_status,
          .http_status = 503,
          .started_at = from_unix_ns(1'900'000'000'000'123'000),
          .next_attempt_at =
              journal::is_end(status) ? WallTime{} : from_unix_ns(1'900'000'123'000'000'000)};
}

TEST(Rows, DeliveriesReadAsTheyWereWritten) {
  const EventFacts event{.uid = uid(uint64_t{1'900'000'000'000} << 16, 5),
                         .position = Position::make(3, 9, 8192)};
  std::vector<DeliveryRow> rows;
  for (const auto status : {DeliveryStatus::pending, DeliveryStatus::in_flight,
                            DeliveryStatus::delivered, DeliveryStatus::dead}) {
    rows.push_back({.webhook_number = 7, .event_row = static_cast<uint32_t>(rows.size())});
    rows.back().set_outcome(some_outcome(status), event);
  }
  rows.push_back({.webhook_number = 9, .event_row = 0});
  rows.push_back({.webhook_number = UINT32_MAX,
                  .event_row = UINT32_MAX,
                  .told = LocalDelivery::Told::several});
  const auto read = through_bytes(rows);
  for (size_t index = 0; index < rows.size(); ++index) {
    EXPECT_EQ(read[index].webhook_number, rows[index].webhook_number);
    EXPECT_EQ(read[index].event_row, rows[index].event_row);
    EXPECT_EQ(read[index].told, rows[index].told);
  }
  for (size_t index = 0; index < 4; ++index) {
    const auto outcome = read[index].outcome(event);
    ASSERT_TRUE(outcome);
    Outcome expected = some_outcome(outcome->status);
    EXPECT_EQ(*outcome, expected);
  }
}

TEST(Rows, OutcomesReadAsTheyWereWritten) {
  std::vector<OutcomeRow> rows;
  for (const auto status : {DeliveryStatus::pending, DeliveryStatus::delivered}) {
    rows.push_back({some_outcome(status)});
  }
  rows.push_back({some_outcome(DeliveryStatus::dead)});
  rows.back().outcome.delivery = {{UINT64_MAX}, UINT32_MAX};
  const auto read = through_bytes(rows);
  for (size_t index = 0; index < rows.size(); ++index) {
    Outcome expected = rows[index].outcome;
    expected.record = {expected.record.offset()};  // The segment is known elsewhere.
    EXPECT_EQ(read[index].outcome, expected);
  }
}

TEST(Rows, ManyDifferentValuesAreSpelledOut) {
  std::vector<EventRow> rows;
  for (uint32_t index = 0; index < 3 * dictionary_entries_max; ++index) {
    rows.push_back({.uid = uid(index, 0), .offset = 4096, .type_hash = index * 7919});
  }
  const auto read = through_bytes(rows);
  for (size_t index = 0; index < rows.size(); ++index) {
    EXPECT_EQ(read[index].type_hash, rows[index].type_hash);
  }
}

template <typename Row>
void read_garbage(Bytes bytes, const Dictionaries& dictionaries) {
  Decoder in(bytes);
  typename Row::State state;
  Row row;
  for (int count = 0; count < 100 && !in.failed(); ++count) {
    if (!row.read(in, state, dictionaries)) break;
  }
}

TEST(Rows, AnyBytesAreReadWithoutHarm) {
  Prng random(1);
  const EventFacts event{.uid = uid(UINT64_MAX, 0), .position = Position::make(0, 1, 4096)};
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> bytes(random.below(64));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
    static_cast<void>(Dictionaries::read(bytes));
    const Dictionaries dictionaries;
    read_garbage<EventRow>(bytes, dictionaries);
    read_garbage<MatchRow>(bytes, dictionaries);
    read_garbage<IdRow>(bytes, dictionaries);
    read_garbage<OutcomeRow>(bytes, dictionaries);
    Decoder in(bytes);
    DeliveryRow row;
    DeliveryRow::State state;
    if (row.read(in, state, dictionaries)) static_cast<void>(row.outcome(event));
  }
}

TEST(Result, EveryErrorCodeComesBack) {
  for (int code = 0; code <= static_cast<int>(Errc::name_timed_out); ++code) {
    Outcome outcome;
    outcome.failed = true;
    outcome.error = static_cast<Errc>(code);
    Outcome unpacked;
    ASSERT_TRUE(unpack_result(pack_result(outcome), unpacked)) << code;
    EXPECT_EQ(unpacked.error, outcome.error) << code;
    EXPECT_FALSE(name(unpacked.error).empty());
  }
}

}  // namespace
}  // namespace ringpost::index
