#include "replica/block.h"

#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::replica {
namespace {

constexpr uint64_t cluster = 0x1122334455667788;
constexpr Writer writer{3, 42};

std::vector<std::byte> block_of(std::initializer_list<std::string_view> payloads) {
  BlockBuilder builder;
  for (const std::string_view payload : payloads) builder.add(RecordType::event, as_bytes(payload));
  return builder.seal(writer, cluster, 7);
}

void reseal(std::vector<std::byte>& block) {
  store_le<uint32_t>(&block[44], 0);
  store_le(&block[44], crc32c(0, block));
}

Fault fault_of(Bytes block) {
  const auto read = read_block(block, cluster);
  EXPECT_FALSE(read);
  return read ? Fault{} : static_cast<Fault>(read.error().detail);
}

TEST(Block, ComesBack) {
  const auto bytes = block_of({"one", "", "three"});
  const auto block = read_block(bytes, cluster);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->header.writer, writer);
  EXPECT_EQ(block->header.sequence, 7u);
  EXPECT_EQ(block->header.cluster_id, cluster);
  ASSERT_EQ(block->records.size(), 3u);
  EXPECT_EQ(as_text(block->records[0].payload), "one");
  EXPECT_EQ(as_text(block->records[2].payload), "three");
  EXPECT_EQ(block->records[2].ordinal, 2);
}

TEST(Block, NoticesEveryFlippedBitAndEveryCut) {
  auto bytes = block_of({"payload", "another"});
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= std::byte(1 << bit % 8);
    ASSERT_FALSE(read_block(bytes, cluster)) << bit;
    bytes[bit / 8] ^= std::byte(1 << bit % 8);
  }
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(read_block(Bytes{bytes}.first(size), cluster)) << size;
  }
}

TEST(Block, NamesEachFault) {
  const auto changed = [](size_t at, auto value) {
    auto bytes = block_of({"payload", "another"});
    store_le(&bytes[at], value);
    reseal(bytes);
    return fault_of(bytes);
  };
  auto bytes = block_of({"payload"});
  EXPECT_EQ(fault_of(Bytes{bytes}.first(47)), Fault::short_header);
  EXPECT_EQ(fault_of(Bytes{bytes}.first(50)), Fault::body_size);
  bytes[50] ^= std::byte{1};
  EXPECT_EQ(fault_of(bytes), Fault::checksum);
  EXPECT_EQ(changed(0, uint32_t{1}), Fault::magic);
  EXPECT_EQ(changed(4, uint16_t{2}), Fault::newer_version);
  EXPECT_EQ(changed(8, cluster + 1), Fault::other_cluster);
  EXPECT_EQ(changed(24, uint64_t{0}), Fault::sequence);
  EXPECT_EQ(changed(32, uint32_t{1}), Fault::record_count);
  EXPECT_EQ(changed(32, uint32_t{3}), Fault::record_count);
  EXPECT_EQ(changed(40, uint32_t{1}), Fault::reserved);
  EXPECT_EQ(changed(48, uint32_t{1000}), Fault::record_size);
  EXPECT_EQ(changed(48, uint32_t{0xffffffff}), Fault::record_size);
  EXPECT_EQ(changed(53, uint8_t{2}), Fault::record_header);
  EXPECT_EQ(changed(54, uint16_t{1}), Fault::reserved);
  EXPECT_EQ(changed(52, uint8_t{99}), Fault::unknown_record);
}

TEST(Block, SaysWhetherItIsDamageOrSomebodyElses) {
  EXPECT_EQ(error_of(Fault::checksum).code, Errc::corrupt);
  EXPECT_EQ(error_of(Fault::newer_version).code, Errc::unsupported);
  EXPECT_EQ(error_of(Fault::unknown_record).code, Errc::unsupported);
  EXPECT_EQ(error_of(Fault::other_cluster).code, Errc::conflict);
  for (int number = 1; number <= static_cast<int>(Fault::payload_value); ++number) {
    EXPECT_NE(describe(static_cast<Fault>(number)), "unknown fault") << number;
  }
  EXPECT_EQ(describe(Fault{99}), "unknown fault");
}

TEST(Block, SkipsUnknownOptionalRecordsAndKeepsTheOrdinals) {
  BlockBuilder builder;
  builder.add_optional(200, as_bytes("of a newer release"));
  builder.add(RecordType::event, as_bytes("known"));
  const auto bytes = builder.seal(writer, cluster, 1);
  const auto block = read_block(bytes, cluster);
  ASSERT_TRUE(block);
  ASSERT_EQ(block->records.size(), 1u);
  EXPECT_EQ(block->records[0].ordinal, 1);
}

TEST(Block, HoldsOneClaimAtMost) {
  BlockBuilder builder;
  builder.add(RecordType::claim, {});
  builder.add(RecordType::claim, {});
  EXPECT_EQ(fault_of(builder.seal(writer, cluster, 1)), Fault::two_claims);
}

// Goal: a block is at most 256 KiB, or one larger record alone.
TEST(Block, HasALimit) {
  BlockBuilder builder;
  const std::string all(block_bytes_max - block_header_bytes - record_header_bytes, 'a');
  EXPECT_TRUE(builder.fits(all.size() + 1));
  EXPECT_FALSE(builder.fits(lone_block_bytes_max));
  builder.add(RecordType::event, as_bytes(all));
  EXPECT_FALSE(builder.fits(0));
  EXPECT_EQ(builder.seal(writer, cluster, 1).size(), block_bytes_max);

  const std::string lone(all.size() + 1, 'a');
  builder.add(RecordType::event, as_bytes(lone));
  EXPECT_FALSE(builder.fits(0));
  auto bytes = builder.seal(writer, cluster, 1);
  EXPECT_TRUE(read_block(bytes, cluster));
  bytes.insert(bytes.end(), record_header_bytes, std::byte{});  // An empty record behind it.
  store_le(&bytes[bytes.size() - 4], uint8_t{1});
  store_le<uint32_t>(&bytes[32], 2);
  store_le(&bytes[36], static_cast<uint32_t>(bytes.size() - block_header_bytes));
  reseal(bytes);
  EXPECT_EQ(fault_of(bytes), Fault::too_large);
}

TEST(Block, IsEmptyAgainOnceSealed) {
  BlockBuilder builder;
  builder.add(RecordType::event, as_bytes("one"));
  const auto first = builder.seal(writer, cluster, 1);
  EXPECT_TRUE(builder.empty());
  builder.add(RecordType::event, as_bytes("one"));
  EXPECT_EQ(builder.seal(writer, cluster, 1), first);
}

}  // namespace
}  // namespace ringpost::replica
