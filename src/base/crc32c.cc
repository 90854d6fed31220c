#include "base/crc32c.h"

#include <array>
#include <cstddef>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

namespace ringpost {
namespace {

constexpr uint32_t polynomial = 0x82f63b78;  // Castagnoli's, bits reversed.

constexpr std::array<uint32_t, 256> make_byte_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
    table[byte] = crc;
  }
  return table;
}

constexpr std::array<uint32_t, 256> byte_table = make_byte_table();

#if defined(__SSE4_2__) || defined(__ARM_FEATURE_CRC32)

uint32_t step8(uint32_t crc, const std::byte* from) {
#if defined(__SSE4_2__)
  return static_cast<uint32_t>(_mm_crc32_u64(crc, load_le<uint64_t>(from)));
#else
  return __crc32cd(crc, load_le<uint64_t>(from));
#endif
}

uint32_t step1(uint32_t crc, std::byte byte) {
#if defined(__SSE4_2__)
  return _mm_crc32_u8(crc, static_cast<uint8_t>(byte));
#else
  return __crc32cb(crc, static_cast<uint8_t>(byte));
#endif
}

/// What a checksum becomes when `lane_bytes` zero bytes follow. That is linear in its bits, so four
/// tables of one byte each hold it.
template <size_t lane_bytes>
struct Shift {
  using Tables = std::array<std::array<uint32_t, 256>, 4>;

  static constexpr Tables make() {
    std::array<uint32_t, 32> of_bit{};
    for (size_t bit = 0; bit < 32; ++bit) {
      uint32_t crc = uint32_t{1} << bit;
      for (size_t zero = 0; zero < lane_bytes; ++zero) crc = (crc >> 8) ^ byte_table[crc & 0xff];
      of_bit[bit] = crc;
    }
    Tables tables{};
    for (size_t part = 0; part < 4; ++part) {
      for (size_t value = 0; value < 256; ++value) {
        for (size_t bit = 0; bit < 8; ++bit) {
          if ((value >> bit & 1) != 0) tables[part][value] ^= of_bit[part * 8 + bit];
        }
      }
    }
    return tables;
  }

  static constexpr Tables tables = make();

  static uint32_t apply(uint32_t crc) {
    return tables[0][crc & 0xff] ^ tables[1][crc >> 8 & 0xff] ^ tables[2][crc >> 16 & 0xff] ^
           tables[3][crc >> 24];
  }
};

/// Three lanes side by side: the instruction takes three cycles but starts one each cycle.
template <size_t lane_bytes>
uint32_t three_lanes(uint32_t crc, const std::byte*& from, size_t& size) {
  while (size >= 3 * lane_bytes) {
    uint32_t second = 0;
    uint32_t third = 0;
    for (size_t at = 0; at < lane_bytes; at += 8) {
      crc = step8(crc, from + at);
      second = step8(second, from + lane_bytes + at);
      third = step8(third, from + 2 * lane_bytes + at);
    }
    crc = Shift<lane_bytes>::apply(crc) ^ second;
    crc = Shift<lane_bytes>::apply(crc) ^ third;
    from += 3 * lane_bytes;
    size -= 3 * lane_bytes;
  }
  return crc;
}

uint32_t by_instruction(uint32_t crc, const std::byte* from, size_t size) {
  crc = three_lanes<2048>(crc, from, size);
  crc = three_lanes<256>(crc, from, size);
  for (; size >= 8; size -= 8, from += 8) crc = step8(crc, from);
  for (; size > 0; --size, ++from) crc = step1(crc, *from);
  return crc;
}

#endif

}  // namespace

uint32_t crc32c_by_table(uint32_t crc, Bytes bytes) {
  crc = ~crc;
  for (const std::byte byte : bytes) {
    crc = (crc >> 8) ^ byte_table[(crc ^ static_cast<uint32_t>(byte)) & 0xff];
  }
  return ~crc;
}

uint32_t crc32c(uint32_t crc, Bytes bytes) {
#if defined(__SSE4_2__) || defined(__ARM_FEATURE_CRC32)
  return ~by_instruction(~crc, bytes.data(), bytes.size());
#else
  return crc32c_by_table(crc, bytes);
#endif
}

}  // namespace ringpost
