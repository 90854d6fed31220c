#include "base/crc32c.h"

#include "base/prng.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace ringpost {
namespace {

// RFC 3720, B.4, and the check value of the catalogues.
TEST(Crc32c, AgreesWithPublishedValues) {
  EXPECT_EQ(crc32c(0, as_bytes("123456789")), 0xe3069283);
  std::array<std::byte, 32> bytes{};
  EXPECT_EQ(crc32c(0, bytes), 0x8a9136aa);
  bytes.fill(std::byte{0xff});
  EXPECT_EQ(crc32c(0, bytes), 0x62a8ab43);
  for (size_t index = 0; index < bytes.size(); ++index) bytes[index] = std::byte(index);
  EXPECT_EQ(crc32c(0, bytes), 0x46dd794e);
}

// Goal: the fast path is the plain one, at every length at which it takes another turn.
TEST(Crc32c, InstructionAgreesWithTable) {
  Prng random(7);
  std::vector<std::byte> bytes(20'000);
  for (std::byte& byte : bytes) byte = std::byte(random.below(256));
  for (size_t size = 0; size < 1700; ++size) {
    const Bytes part = Bytes{bytes}.subspan(size % 9, size);
    ASSERT_EQ(crc32c(0, part), crc32c_by_table(0, part)) << size;
  }
  for (int round = 0; round < 300; ++round) {
    const size_t from = random.below(64);
    const Bytes part = Bytes{bytes}.subspan(from, random.below(bytes.size() - from));
    const auto seed = static_cast<uint32_t>(random.next());
    ASSERT_EQ(crc32c(seed, part), crc32c_by_table(seed, part)) << part.size();
  }
}

TEST(Crc32c, ContinuesWhereItStopped) {
  const std::string text(5000, 'x');
  const uint32_t whole = crc32c(0, as_bytes(text));
  for (size_t cut : {size_t{0}, size_t{1}, size_t{767}, size_t{4096}, text.size()}) {
    const uint32_t first = crc32c(0, as_bytes(text.substr(0, cut)));
    EXPECT_EQ(crc32c(first, as_bytes(text.substr(cut))), whole) << cut;
  }
}

}  // namespace
}  // namespace ringpost
