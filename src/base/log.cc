#include "base/log.h"

#include "base/assert.h"
#include "base/utf8.h"

#include <algorithm>
#include <atomic>

namespace ringpost {
namespace {

std::atomic<LogSink> current_sink{nullptr};
std::atomic<uint64_t> dropped_lines{0};  // Added to by the sink, read by anyone.

}  // namespace

std::string_view name(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
  }
  RINGPOST_UNREACHABLE();
}

void set_log_sink(LogSink sink) {
  current_sink.store(sink, std::memory_order_release);
}

void log(LogLevel level, std::string_view text) {
  const LogSink sink = current_sink.load(std::memory_order_acquire);  // Pairs with set_log_sink().
  if (sink != nullptr) sink(level, printable(text));
}

void count_dropped_log_lines(uint64_t count) {
  dropped_lines.fetch_add(count, std::memory_order_relaxed);
}

uint64_t dropped_log_lines() {
  return dropped_lines.load(std::memory_order_relaxed);
}

namespace {

constexpr char hex_digits[] = "0123456789abcdef";

void append_bytes(std::string& out, std::string_view text) {
  for (const char byte : text) {
    out += "\\x";
    out += hex_digits[static_cast<uint8_t>(byte) >> 4];
    out += hex_digits[static_cast<uint8_t>(byte) & 15];
  }
}

/// One of the first 65,536.
void append_code(std::string& out, uint32_t code) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += hex_digits[code >> shift & 15];
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Character character = first_character(text);
    const std::string_view bytes = text.substr(0, std::max(character.size, size_t{1}));
    if (character.size == 0 || !is_unprintable(character.code)) {
      out += bytes;
    } else if (character.code < 0xA0) {
      append_bytes(out, bytes);
    } else {
      append_code(out, character.code);
    }
    text.remove_prefix(bytes.size());
  }
  return out;
}

}  // namespace ringpost
