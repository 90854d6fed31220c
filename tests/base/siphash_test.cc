#include "base/siphash.h"

#include <gtest/gtest.h>

#include <vector>

namespace ringpost {
namespace {

// The reference vectors of the SipHash paper's code: key 00..0f, message 00, 00 01, 00 01 02, …
TEST(SipHash, AgreesWithTheReferenceVectors) {
  const HashKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::vector<std::byte> message;
  const uint64_t expected[] = {0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
                               0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
                               0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462};
  for (uint64_t value : expected) {
    EXPECT_EQ(siphash(key, message), value) << message.size() << " bytes";
    message.push_back(static_cast<std::byte>(message.size()));
  }
}

}  // namespace
}  // namespace ringpost
