#include "json/text.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace ringpost::json {
namespace {

TEST(Text, ReadsAWholeNumberByItsValue) {
  struct Row {
    const char* token;
    const char* digits;  ///< nullptr: not whole, or too large.
  };
  for (const Row& row : {
           Row{"60", "60"},
           Row{"60.0", "60"},
           Row{"6e1", "60"},
           Row{"6E+1", "60"},
           Row{"0.6e2", "60"},
           Row{"600e-1", "60"},
           Row{"60.000000000000000000000000000000000", "60"},
           Row{"-6.0e1", "-60"},
           Row{"0", "0"},
           Row{"-0", "0"},
           Row{"-0.0e999999999999999999999", "0"},
           Row{"0e-99999999999999999999999", "0"},
           Row{"18446744073709551615", "18446744073709551615"},
           Row{"1e19", "10000000000000000000"},
           Row{"9007199254740993.0", "9007199254740993"},
           Row{"60.5", nullptr},
           Row{"6e-1", nullptr},
           Row{"0.0000000000000000000000000000000000001", nullptr},
           Row{"1e20", nullptr},
           Row{"1e400", nullptr},
           Row{"1e-400", nullptr},
           Row{"1e99999999999999999999999999", nullptr},
           Row{"12345678901234567890123", nullptr},
       }) {
    const auto digits = whole_number(row.token);
    EXPECT_EQ(digits, row.digits == nullptr ? std::nullopt : std::optional<std::string>{row.digits})
        << row.token;
  }
}

}  // namespace
}  // namespace ringpost::json
