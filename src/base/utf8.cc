#include "base/utf8.h"

namespace ringpost {

size_t utf8_sequence_size(std::string_view text) {
  const auto byte = [&](size_t index) { return static_cast<uint8_t>(text[index]); };
  const auto continues = [&](size_t index) { return (byte(index) & 0xC0) == 0x80; };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < size) return 0;
  for (size_t index = 1; index < size; ++index) {
    if (!continues(index)) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;
  if (lead == 0xED && byte(1) > 0x9F) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;
  return size;
}

Utf8Character first_character(std::string_view text) {
  const size_t size = utf8_sequence_size(text);
  if (size == 0) return {};
  const auto lead = static_cast<uint8_t>(text[0]);
  if (size == 1) return {lead, 1};
  uint32_t code = lead & (0x7Fu >> size);
  for (size_t index = 1; index < size; ++index) {
    code = code << 6 | (static_cast<uint8_t>(text[index]) & 0x3Fu);
  }
  return {code, size};
}

bool is_unprintable(uint32_t code) {
  const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  const bool invisible = code == 0xAD || code == 0x061C || code == 0xFEFF ||
                         (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
                         (code >= 0x2060 && code <= 0x206F);
  return control || invisible;
}

bool has_forbidden_character(std::string_view value) {
  const auto byte_at = [value](size_t index) {
    return index < value.size() ? static_cast<uint8_t>(value[index]) : uint8_t{0};
  };
  for (size_t index = 0; index < value.size(); ++index) {
    const uint8_t byte = byte_at(index);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte < 0xc2) continue;
    // U+0080 to U+009F are C2 80 to C2 9F.
    const uint8_t second = byte_at(index + 1);
    if (byte == 0xc2 && second < 0xa0) return true;
    // U+FDD0 to U+FDEF, and the last two of each plane: U+FFFE, U+FFFF, U+1FFFE, …
    const uint8_t third = byte_at(index + 2);
    if (byte == 0xef && second == 0xb7 && third >= 0x90 && third <= 0xaf) return true;
    if (byte == 0xef && second == 0xbf && third >= 0xbe) return true;
    if (byte >= 0xf0 && (second & 0x0f) == 0x0f && third == 0xbf && byte_at(index + 3) >= 0xbe) {
      return true;
    }
  }
  return false;
}

}  // namespace ringpost
