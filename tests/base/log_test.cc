#include "base/log.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

namespace ringpost {
namespace {

std::string last_line;

TEST(Log, ShowsControlBytesInsteadOfSendingThem) {
  EXPECT_EQ(printable("a\r\nb\x1b[31m\x7f"), "a\\x0d\\x0ab\\x1b[31m\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\\xc2\\x9b31m");  // CSI as C1.
  EXPECT_EQ(printable("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(printable("\xF0\x9F\x91\xA9 \xE7\x94\xB0"), "\xF0\x9F\x91\xA9 \xE7\x94\xB0");
  EXPECT_EQ(printable("\xFF\xE2\x80"), "\xFF\xE2\x80");  // No UTF-8 stays as it is.
}

// What turns the direction of other characters, or has no width, makes a text look like another.
TEST(Log, ShowsWhatNobodyWouldSee) {
  EXPECT_EQ(printable("a\u202Eb\u202Cc"), "a\\u202eb\\u202cc");
  for (const auto& [first, last] : {std::pair{0x200Bu, 0x200Fu},
                                    {0x2028u, 0x202Eu},
                                    {0x2060u, 0x2060u},
                                    {0x2066u, 0x2069u},
                                    {0x061Cu, 0x061Cu},
                                    {0xFEFFu, 0xFEFFu}}) {
    for (uint32_t code = first; code <= last; ++code) {
      std::string text;
      if (code < 0x800) {
        text = {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
      } else {
        text = {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
                static_cast<char>(0x80 | (code & 63))};
      }
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", code);
      EXPECT_EQ(printable("x" + text + "y"), std::string("x") + escaped + "y");
    }
  }
}

TEST(Log, GoesToTheSinkAsOneLine) {
  set_log_sink([](LogLevel level, std::string_view text) {
    last_line = std::string(name(level)) + " " + std::string(text);
  });
  log_warning("first\nsecond");
  set_log_sink(nullptr);
  log_error("nobody hears this");
  EXPECT_EQ(last_line, "warning first\\x0asecond");
}

}  // namespace
}  // namespace ringpost
