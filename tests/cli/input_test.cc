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

TEST_F(Input, AsksWhetherAFilesNameWasMeantAsTheFile) {
  setenv("RINGPOST_TEST_SECRET", name_.c_str(), 1);
  const auto read = read_secret("--secret", "", "RINGPOST_TEST_SECRET");
  ASSERT_TRUE(std::holds_alternative<UsageProblem>(read));
  EXPECT_EQ(std::get<UsageProblem>(read).text,
            "RINGPOST_TEST_SECRET is the name of a file: did you mean @" + name_ + "?");
  setenv("RINGPOST_TEST_SECRET", "a/b+c==", 1);
  EXPECT_EQ(text_of(read_secret("--secret", "", "RINGPOST_TEST_SECRET")), "a/b+c==");
}

TEST_F(Input, NamesWhatMakesATextNoSecret) {
  const auto problem_of = [this](std::string_view content) {
    std::ofstream(name_, std::ios::binary) << content;
    const auto read = read_secret("--secret", "@" + name_, nullptr);
    const auto* problem = std::get_if<UsageProblem>(&read);
    return problem == nullptr ? std::string{} : problem->text;
  };
  using namespace std::string_view_literals;
  for (const auto& [content, what] : {std::pair{"\xff\xfeh\0u\0s\0h\0\n\0"sv, "is UTF-16 text"sv},
                                      {"\xfe\xff\0h\0u\0s\0h"sv, "is UTF-16 text"},
                                      {"h\0u\0s\0h\0"sv, "holds a NUL byte"},
                                      {"hush\nhush\n"sv, "has more than one line"},
                                      {"hush\r\nhush"sv, "has more than one line"},
                                      {"hush\n\n"sv, "has more than one line"},
                                      {"\nhush"sv, "has more than one line"}}) {
    EXPECT_NE(problem_of(content).find(what), std::string::npos) << problem_of(content);
  }
  for (const auto content : {"hush"sv, "hush\n"sv, "hush\r\n"sv, " hush "sv, "h\xc3\xbcsh"sv}) {
    EXPECT_EQ(problem_of(content), "");
  }
  setenv("RINGPOST_TEST_SECRET", "hush\nhush", 1);
  const auto read = read_secret("--secret", "", "RINGPOST_TEST_SECRET");
  ASSERT_TRUE(std::holds_alternative<UsageProblem>(read));
  EXPECT_NE(std::get<UsageProblem>(read).text.find("RINGPOST_TEST_SECRET has more"),
            std::string::npos);
}

// The text becomes a part of a request: places count from its own front, not the request's.
TEST_F(Input, NamesThePlaceWhereJsonIsBroken) {
  const auto problem_of = [](const std::string& value) {
    const auto read = read_json("--data", value);
    const auto* problem = std::get_if<UsageProblem>(&read);
    return problem == nullptr ? std::string{} : problem->text;
  };
  EXPECT_TRUE(
      problem_of("{\"a\":1,,}").starts_with("--data is not JSON: line 1, column 8 (after 7"))
      << problem_of("{\"a\":1,,}");
  EXPECT_TRUE(problem_of("").starts_with("--data is not JSON: line 1, column 1"));
  EXPECT_TRUE(problem_of("{} {}").starts_with("--data is not JSON: line 1, column 4"));
  std::ofstream(name_, std::ios::binary) << "{\n  \"a\": nul\n}\n";
  EXPECT_TRUE(problem_of("@" + name_).starts_with("--data @" + name_ + " is not JSON: line 2,"));
  EXPECT_EQ(problem_of("{\"a\": 1}\n"), "");
  EXPECT_EQ(problem_of("@/nonexistent").find("not JSON"), std::string::npos);
}

TEST_F(Input, AFileOfBytesStaysAsItIs) {
  EXPECT_EQ(text_of(read_file(name_)), "\xef\xbb\xbfhush\n");
}

}  // namespace
}  // namespace ringpost::cli
