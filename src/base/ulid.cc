#include "base/ulid.h"

#include "base/uint128.h"

#include <algorithm>
#include <cstring>

namespace ringpost {
namespace {

constexpr char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

int digit_value(char digit) {
  if (digit >= 'a' && digit <= 'z') digit = static_cast<char>(digit - 'a' + 'A');
  const char* found = digit != '\0' ? std::strchr(alphabet, digit) : nullptr;
  return found != nullptr ? static_cast<int>(found - alphabet) : -1;
}

/// A UUID's dashes stand behind 8, 4, 4 and 4 digits.
bool is_dash_place(size_t index) {
  return index == 8 || index == 13 || index == 18 || index == 23;
}

/// The byte that holds the variant of RFC 9562, 4.1 in its first bits.
uint8_t with_variant(uint8_t byte) {
  return static_cast<uint8_t>((byte & 0x3F) | 0x80);
}

/// Writes 16 bytes as they are.
void write_digits(const std::array<uint8_t, 16>& bytes, char* to) {
  constexpr char digits[] = "0123456789abcdef";
  for (size_t index = 0; index < bytes.size(); ++index) {
    if (index == 4 || index == 6 || index == 8 || index == 10) *to++ = '-';
    *to++ = digits[bytes[index] >> 4];
    *to++ = digits[bytes[index] & 15];
  }
}

int hexadecimal_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

Ulid Ulid::mint(WallTime now, Prng& random) {
  const auto ns = static_cast<uint64_t>(to_unix_ns(now));
  const uint64_t ms = ns / 1'000'000;
  const uint64_t fraction = ns % 1'000'000 * 4096 / 1'000'000;  // Of a millisecond, in 12 bits.
  Ulid id;
  for (size_t index = 0; index < 6; ++index) {
    id.bytes[index] = static_cast<uint8_t>(ms >> (40 - 8 * index));
  }
  id.bytes[6] = static_cast<uint8_t>(0x70 | fraction >> 8);  // Version 7.
  id.bytes[7] = static_cast<uint8_t>(fraction);
  const uint64_t random_bits = random.next();
  std::memcpy(&id.bytes[8], &random_bits, sizeof random_bits);
  id.bytes[8] = with_variant(id.bytes[8]);
  return id;
}

Ulid Ulid::as_uuid() const {
  const int version = bytes[6] >> 4;
  if (version >= 1 && version <= 8 && bytes[8] == with_variant(bytes[8])) return *this;
  Ulid id = *this;
  id.bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0F) | 0x80);  // Version 8.
  id.bytes[8] = with_variant(bytes[8]);
  return id;
}

std::optional<Ulid> Ulid::parse_either(std::string_view text) {
  return text.size() == uuid_text_size ? parse_uuid(text) : parse(text);
}

std::optional<Ulid> Ulid::parse_uuid(std::string_view text) {
  if (text.size() != uuid_text_size) return std::nullopt;
  Ulid id;
  size_t digit_count = 0;
  for (size_t index = 0; index < text.size(); ++index) {
    if (is_dash_place(index)) {
      if (text[index] != '-') return std::nullopt;
      continue;
    }
    const int value = hexadecimal_value(text[index]);
    if (value < 0) return std::nullopt;
    uint8_t& byte = id.bytes[digit_count / 2];
    byte = static_cast<uint8_t>(byte << 4 | value);
    ++digit_count;
  }
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

void Ulid::write_uuid_text(char* to) const {
  write_digits(as_uuid().bytes, to);
}

std::string Ulid::to_uuid_text() const {
  return as_uuid().to_given_uuid_text();
}

std::string Ulid::to_given_uuid_text() const {
  std::string text(uuid_text_size, '\0');
  write_digits(bytes, text.data());
  return text;
}

uint64_t Ulid::time_ms() const {
  uint64_t ms = 0;
  for (size_t index = 0; index < 6; ++index) ms = (ms << 8) | bytes[index];
  return ms;
}

WallTime Ulid::time() const {
  constexpr auto ms_max = static_cast<uint64_t>(INT64_MAX / 1'000'000);
  return from_unix_ns(static_cast<int64_t>(std::min(time_ms(), ms_max)) * 1'000'000);
}

size_t UlidHash::operator()(const Ulid& id) const {
  uint64_t random_bits = 0;
  std::memcpy(&random_bits, &id.bytes[8], sizeof random_bits);
  return random_bits;
}

}  // namespace ringpost
