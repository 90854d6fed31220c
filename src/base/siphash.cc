#include "base/siphash.h"

#include <bit>

namespace ringpost {
namespace {

struct State {
  uint64_t a, b, c, d;

  void round() {
    a += b;
    b = std::rotl(b, 13) ^ a;
    a = std::rotl(a, 32);
    c += d;
    d = std::rotl(d, 16) ^ c;
    a += d;
    d = std::rotl(d, 21) ^ a;
    c += b;
    b = std::rotl(b, 17) ^ c;
    c = std::rotl(c, 32);
  }

  void absorb(uint64_t word) {
    d ^= word;
    round();
    round();
    a ^= word;
  }
};

}  // namespace

uint64_t siphash(const HashKey& key, Bytes bytes) {
  State state{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
              key[1] ^ 0x7465646279746573};
  const size_t whole = bytes.size() / 8 * 8;
  for (size_t at = 0; at < whole; at += 8) state.absorb(load_le<uint64_t>(bytes.data() + at));
  uint64_t last = static_cast<uint64_t>(bytes.size()) << 56;
  for (size_t at = whole; at < bytes.size(); ++at) {
    last |= std::to_integer<uint64_t>(bytes[at]) << (8 * (at - whole));
  }
  state.absorb(last);
  state.c ^= 0xff;
  for (int round = 0; round < 4; ++round) state.round();
  return state.a ^ state.b ^ state.c ^ state.d;
}

}  // namespace ringpost
