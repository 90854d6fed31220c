#include "crypto/base64.h"

#include <array>
#include <cstdint>

namespace ringpost::crypto {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr uint8_t invalid = 0xff;

constexpr std::array<uint8_t, 256> values = [] {
  std::array<uint8_t, 256> table{};
  table.fill(invalid);
  for (size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<uint8_t>(alphabet[i])] = static_cast<uint8_t>(i);
  }
  return table;
}();

/// Four characters of six bits each from the 24 bits of `group`.
void append_group(std::string& out, uint32_t group) {
  for (int shift = 18; shift >= 0; shift -= 6) out += alphabet[(group >> shift) & 63];
}

/// The bits of `digits` characters, as the top of a 24-bit group. @returns false on a foreign one.
bool read_group(std::string_view digits, uint32_t& group) {
  group = 0;
  for (const char digit : digits) {
    const uint8_t value = values[static_cast<uint8_t>(digit)];
    if (value == invalid) return false;
    group = (group << 6) | value;
  }
  group <<= 6 * (4 - digits.size());
  return true;
}

}  // namespace

void append_base64(std::string& out, Bytes bytes) {
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  const auto at = [&](size_t i) { return std::to_integer<uint32_t>(bytes[i]); };
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    append_group(out, (at(i) << 16) | (at(i + 1) << 8) | at(i + 2));
  }
  const size_t rest = bytes.size() - i;
  if (rest == 0) return;
  append_group(out, (at(i) << 16) | (rest == 2 ? at(i + 1) << 8 : 0));
  const size_t padding = 3 - rest;
  out.replace(out.size() - padding, padding, padding, '=');
}

std::string base64_encode(Bytes bytes) {
  std::string text;
  append_base64(text, bytes);
  return text;
}

Result<std::string> base64_decode(std::string_view text) {
  const Error malformed{Errc::malformed, Side::producer};
  if (text.size() % 4 != 0) return malformed;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (size_t i = 0; i < text.size(); i += 4) {
    std::string_view digits = text.substr(i, 4);
    if (i + 4 == text.size()) {  // Only the last group may be padded, by one or two.
      if (digits[3] == '=') digits.remove_suffix(digits[2] == '=' ? 2 : 1);
    }
    uint32_t group = 0;
    if (!read_group(digits, group)) return malformed;
    const size_t count = digits.size() - 1;
    if ((group & (0xffffffu >> (8 * count))) != 0) return malformed;  // Unused bits.
    for (size_t k = 0; k < count; ++k, group <<= 8) bytes += static_cast<char>(group >> 16);
  }
  return bytes;
}

}  // namespace ringpost::crypto
