#include "crypto/hex.h"

#include <cstdint>

namespace ringpost::crypto {
namespace {

/// The value of a digit; above 15 if it is none.
constexpr uint32_t digit_value(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<uint32_t>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<uint32_t>(digit - 'a' + 10);
  if (digit >= 'A' && digit <= 'F') return static_cast<uint32_t>(digit - 'A' + 10);
  return 16;
}

}  // namespace

void append_hex(std::string& out, Bytes bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  out.reserve(out.size() + 2 * bytes.size());
  for (const std::byte byte : bytes) {
    const auto value = std::to_integer<uint8_t>(byte);
    out += digits[value >> 4];
    out += digits[value & 15];
  }
}

std::string hex_encode(Bytes bytes) {
  std::string text;
  append_hex(text, bytes);
  return text;
}

Result<std::string> hex_decode(std::string_view text) {
  if (text.size() % 2 != 0) return Error{Errc::malformed, Side::producer};
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const uint32_t high = digit_value(text[i]);
    const uint32_t low = digit_value(text[i + 1]);
    if (high > 15 || low > 15) return Error{Errc::malformed, Side::producer};
    bytes += static_cast<char>((high << 4) | low);
  }
  return bytes;
}

}  // namespace ringpost::crypto
