#include "cli/input.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <variant>

namespace ringpost::cli {
namespace {

class Input : public testing::Test {
 protected:
  void SetUp() override { std::ofstream(name_, std::ios::binary) << "\xef\xbb\xbfhush\n"; }
  void TearDown() override {
    std::remove(name_.c_str());
    unsetenv("RINGPOST_TEST_SECRET");
  }
  static std::string text_of(const Usable<std::string>& read) {
    return std::holds_alternative<std::string>(read) ? std::get<std::string>(read) : "(a problem)";
  }

  const std::string name_ = testing::TempDir() + "cli_input_test";
};

// Some editors put one before every text that they save.
TEST_F(Input, AByteOrderMarkIsNoPartOfAText) {
  EXPECT_EQ(text_of(read_text_file(name_)), "hush\n");
  EXPECT_EQ(text_of(read_text_or_file("@" + name_)), "hush\n");
  EXPECT_EQ(text_of(read_secret("--secret", "@" + name_, nullptr)), "hush");
  setenv("RINGPOST_TEST_SECRET", "\xef\xbb\xbfhush", 1);
  EXPECT_EQ(text_of(read_secret("--secret", "", "RINGPOST_TEST_SECRET")), "hush");
  const auto lines = read_lines("--header", "@" + name_);
  EXPECT_EQ(std::get<std::vector<PlacedLine>>(lines).at(0).text, "hush");
}

TEST_F(Input, AFileOfBytesStaysAsItIs) {
  EXPECT_EQ(text_of(read_file(name_)), "\xef\xbb\xbfhush\n");
}

}  // namespace
}  // namespace ringpost::cli
