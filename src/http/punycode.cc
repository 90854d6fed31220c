#include "http/host.h"
#include "http/syntax.h"

#include <cstdint>
#include <optional>
#include <string_view>

// RFC 3492, decoding only, and only to answer whether a label is surely what a browser would
// accept.

namespace ringpost::http {
namespace {

constexpr uint32_t base = 36;
constexpr uint32_t threshold_min = 1;
constexpr uint32_t threshold_max = 26;
constexpr uint32_t code_point_max = 0x10FFFF;

uint32_t adapt(uint32_t delta, uint32_t count, bool first) {
  constexpr uint32_t skew = 38;
  constexpr uint32_t damp = 700;
  delta = first ? delta / damp : delta / 2;
  delta += delta / count;
  uint32_t k = 0;
  while (delta > (base - threshold_min) * threshold_max / 2) {
    delta /= base - threshold_min;
    k += base;
  }
  return k + (base - threshold_min + 1) * delta / (delta + skew);
}

std::optional<uint32_t> digit_value(char byte) {
  if (byte >= 'a' && byte <= 'z') return static_cast<uint32_t>(byte - 'a');
  if (is_digit(byte)) return static_cast<uint32_t>(byte - '0') + 26;
  return std::nullopt;
}

/// One variable-length integer, added to `index`; removes it from `text`.
bool decode_delta(std::string_view& text, uint32_t bias, uint32_t& index) {
  uint32_t weight = 1;
  for (uint32_t k = base;; k += base) {
    if (text.empty()) return false;
    const auto digit = digit_value(text.front());
    text.remove_prefix(1);
    uint32_t step;
    if (!digit || __builtin_mul_overflow(*digit, weight, &step)) return false;
    if (__builtin_add_overflow(index, step, &index)) return false;
    const uint32_t threshold = k <= bias                   ? threshold_min
                               : k >= bias + threshold_max ? threshold_max
                                                           : k - bias;
    if (*digit < threshold) return true;
    if (__builtin_mul_overflow(weight, base - threshold, &weight)) return false;
  }
}

bool between(uint32_t code, uint32_t low, uint32_t high) {
  return code >= low && code <= high;
}

/// Latin Extended-A holds capitals and small letters in turn, with a few that map to others.
bool small_latin_extended(uint32_t code) {
  if (code == 0x133 || code == 0x140 || code == 0x149 || code == 0x17F) return false;
  const bool odd_is_small = between(code, 0x100, 0x137) || between(code, 0x14A, 0x177);
  if (code == 0x138) return true;
  return odd_is_small ? code % 2 == 1 : between(code, 0x139, 0x17E) && code % 2 == 0;
}

/// Letters that UTS 46 leaves as they are, that are normalised (NFC) in every neighbourhood of
/// their kind, and that no rule for right-to-left text or joiners speaks about.
bool plain_letter(uint32_t code) {
  return between(code, 0xDF, 0xF6) || between(code, 0xF8, 0xFF) || small_latin_extended(code) ||
         between(code, 0x3AC, 0x3CE) || between(code, 0x430, 0x45F) ||
         between(code, 0x3041, 0x3096) || between(code, 0x30A1, 0x30FA) || code == 0x30FC ||
         between(code, 0x4E00, 0x9FEF) || between(code, 0xAC00, 0xD7A3);
}

}  // namespace

bool acceptable_punycode(std::string_view encoded) {
  const size_t hyphen = encoded.rfind('-');
  if (hyphen == 0) return false;  // A delimiter without anything before it.
  uint32_t count = 0;
  if (hyphen != std::string_view::npos) {
    count = static_cast<uint32_t>(hyphen);
    encoded.remove_prefix(hyphen + 1);
  }
  if (encoded.empty()) return false;  // Nothing but ASCII: it needs no xn--.
  uint32_t code = 0x80;
  uint32_t index = 0;
  uint32_t bias = 72;
  bool first = true;
  while (!encoded.empty()) {
    const uint32_t before = index;
    if (!decode_delta(encoded, bias, index)) return false;
    ++count;
    bias = adapt(index - before, count, first);
    first = false;
    if (__builtin_add_overflow(code, index / count, &code) || code > code_point_max) return false;
    if (!plain_letter(code)) return false;
    index = index % count + 1;
  }
  return true;
}

}  // namespace ringpost::http
