#include "http/trace_context.h"

#include "http/syntax.h"

#include <algorithm>
#include <span>

namespace ringpost::http {
namespace {

constexpr size_t trace_state_bytes_max = 512;
constexpr uint32_t trace_state_entries_max = 32;
constexpr uint8_t sampled_flag = 0x01;
constexpr uint8_t random_flag = 0x02;

/// 3.2.2: lower case alone. -1: it is no digit.
int digit_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

/// `text` has two digits for each byte of `into`.
bool read_hex(std::string_view text, std::span<std::byte> into) {
  for (size_t at = 0; at < into.size(); ++at) {
    const int high = digit_value(text[2 * at]);
    const int low = digit_value(text[2 * at + 1]);
    if (high < 0 || low < 0) return false;
    into[at] = static_cast<std::byte>(high << 4 | low);
  }
  return true;
}

char* write_hex(std::span<const std::byte> bytes, char* to) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const std::byte byte : bytes) {
    *to++ = digits[std::to_integer<size_t>(byte >> 4)];
    *to++ = digits[std::to_integer<size_t>(byte & std::byte{0x0f})];
  }
  return to;
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{}; });
}

/// Behind the last field of version 00 there is nothing; of a later one, more fields.
bool ends_well(std::string_view text, std::byte version) {
  if (text.size() == TraceContext::text_size) return true;
  return version != std::byte{} && text[TraceContext::text_size] == '-' &&
         std::ranges::all_of(text, [](char byte) { return byte > ' ' && byte < 0x7f; });
}

/// `key` or `tenant@system`: what 3.3.1.3.1 lets stand in either, whichever comes first.
bool is_state_key(std::string_view key) {
  const auto fits = [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
           std::string_view{"_-*/@"}.find(byte) != std::string_view::npos;
  };
  return !key.empty() && key.size() <= 256 && std::ranges::all_of(key, fits);
}

bool is_state_value(std::string_view value) {
  const auto fits = [](char byte) {
    return byte >= ' ' && byte < 0x7f && byte != ',' && byte != '=';
  };
  return !value.empty() && value.size() <= 256 && std::ranges::all_of(value, fits);
}

}  // namespace

std::optional<TraceContext> parse_trace_parent(std::string_view text) {
  if (text.size() < TraceContext::text_size) return std::nullopt;
  if (text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  TraceContext context;
  std::byte version{};
  std::byte flags{};
  const bool digits =
      read_hex(text.substr(0, 2), {&version, 1}) && read_hex(text.substr(3, 32), context.trace) &&
      read_hex(text.substr(36, 16), context.span) && read_hex(text.substr(53, 2), {&flags, 1});
  if (!digits || version == std::byte{0xff} || !ends_well(text, version)) return std::nullopt;
  if (all_zero(context.trace) || all_zero(context.span)) return std::nullopt;
  context.sampled = (flags & std::byte{sampled_flag}) != std::byte{};
  context.random = (flags & std::byte{random_flag}) != std::byte{};
  return context;
}

void write_trace_parent(const TraceContext& context, char* to) {
  *to++ = '0';
  *to++ = '0';
  *to++ = '-';
  to = write_hex(context.trace, to);
  *to++ = '-';
  to = write_hex(context.span, to);
  *to++ = '-';
  const int flags = (context.sampled ? sampled_flag : 0) | (context.random ? random_flag : 0);
  const auto byte = static_cast<std::byte>(flags);
  write_hex({&byte, 1}, to);
}

bool is_trace_state(std::string_view text) {
  if (text.empty() || text.size() > trace_state_bytes_max) return false;
  uint32_t entries = 0;
  bool fits = true;
  for_each_list_member(text, [&](std::string_view entry) {
    if (entry.empty()) return;
    const size_t equals = std::min(entry.find('='), entry.size());
    fits &= is_state_key(entry.substr(0, equals)) &&
            is_state_value(entry.substr(std::min(equals + 1, entry.size())));
    ++entries;
  });
  return fits && entries > 0 && entries <= trace_state_entries_max;
}

}  // namespace ringpost::http
