#include "base/log.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost {
namespace {

std::string last_line;

TEST(Log, ShowsControlBytesInsteadOfSendingThem) {
  EXPECT_EQ(printable("a\r\nb\x1b[31m\x7f"), "a\\x0d\\x0ab\\x1b[31m\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\\xc2\\x9b31m");  // CSI as C1.
  EXPECT_EQ(printable("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
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
