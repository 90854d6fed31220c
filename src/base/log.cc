#include "base/log.h"

#include "base/assert.h"

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

std::string printable(std::string_view text) {
  constexpr char hex[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  const auto byte = [&](size_t index) { return static_cast<uint8_t>(text[index]); };
  const auto escape = [&](uint8_t code) {
    out += "\\x";
    out += hex[code >> 4];
    out += hex[code & 15];
  };
  for (size_t index = 0; index < text.size(); ++index) {
    // C1 controls come as C2 80 … C2 9F in UTF-8.
    const bool c1 = byte(index) == 0xC2 && index + 1 < text.size() && byte(index + 1) >= 0x80 &&
                    byte(index + 1) < 0xA0;
    if (c1) {
      escape(byte(index));
      escape(byte(++index));
    } else if (byte(index) < 0x20 || byte(index) == 0x7F) {
      escape(byte(index));
    } else {
      out += text[index];
    }
  }
  return out;
}

}  // namespace ringpost
