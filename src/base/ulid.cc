#include "base/ulid.h"

#include "base/uint128.h"

#include <cstring>

namespace ringpost {
namespace {

constexpr char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

int digit_value(char digit) {
  if (digit >= 'a' && digit <= 'z') digit = static_cast<char>(digit - 'a' + 'A');
  const char* found = digit != '\0' ? std::strchr(alphabet, digit) : nullptr;
  return found != nullptr ? static_cast<int>(found - alphabet) : -1;
}

}  // namespace

Ulid Ulid::mint(WallTime now, Prng& random) {
  const auto ms = static_cast<uint64_t>(to_unix_ns(now)) / 1'000'000;
  Ulid id;
  for (size_t index = 0; index < 6; ++index) {
    id.bytes[index] = static_cast<uint8_t>(ms >> (40 - 8 * index));
  }
  const uint64_t high = random.next();
  const uint64_t low = random.next();
  std::memcpy(&id.bytes[6], &high, 8);
  std::memcpy(&id.bytes[14], &low, 2);
  return id;
}

std::optional<Ulid> Ulid::parse(std::string_view text) {
  // 26 digits hold 130 bits: the first one has two to spare.
  if (text.size() != text_size || digit_value(text[0]) > 7) return std::nullopt;
  Ulid id;
  Uint128 value = 0;
  for (char digit : text) {
    const int part = digit_value(digit);
    if (part < 0) return std::nullopt;
    value = (value << 5) | static_cast<unsigned>(part);
  }
  for (size_t index = 0; index < 16; ++index) {
    id.bytes[15 - index] = static_cast<uint8_t>(value >> (8 * index));
  }
  return id;
}

void Ulid::write_text(char* to) const {
  Uint128 value = 0;
  for (uint8_t byte : bytes) value = (value << 8) | byte;
  for (size_t index = 0; index < text_size; ++index) {
    to[text_size - 1 - index] = alphabet[static_cast<size_t>(value & 31)];
    value >>= 5;
  }
}

std::string Ulid::to_text() const {
  std::string text(text_size, '\0');
  write_text(text.data());
  return text;
}

uint64_t Ulid::time_ms() const {
  uint64_t ms = 0;
  for (size_t index = 0; index < 6; ++index) ms = (ms << 8) | bytes[index];
  return ms;
}

size_t UlidHash::operator()(const Ulid& id) const {
  uint64_t random_bits = 0;
  std::memcpy(&random_bits, &id.bytes[8], sizeof random_bits);
  return random_bits;
}

}  // namespace ringpost
