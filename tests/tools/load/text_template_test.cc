#include "load/text_template.h"

#include <gtest/gtest.h>

#include <set>

namespace ringpost::load {
namespace {

std::string filled(std::string_view text, uint64_t counter = 0) {
  const auto compiled = TextTemplate::compile(text);
  if (const auto* problem = std::get_if<cli::UsageProblem>(&compiled)) return problem->text;
  Prng random(counter + 1);
  const WallTime now = from_unix_ns(1'930'000'000'123'456'789);
  return std::get<TextTemplate>(compiled).filled({counter, now, random});
}

TEST(TextTemplate, FillsInWhatItKnows) {
  EXPECT_EQ(filled("plain"), "plain");
  EXPECT_EQ(filled("n {{counter}}.", 7), "n 7.");
  EXPECT_EQ(filled("{{counter 100}}{{ counter }}", 7), "1077");
  EXPECT_EQ(filled("{{timestamp}}"), "2031-02-27T23:06:40.123456Z");
  EXPECT_EQ(filled("{{timestamp_ms}}"), "1930000000123");
  EXPECT_EQ(filled("{{uuid}}").size(), 36u);
  EXPECT_EQ(filled(R"({"a":{"n":{{counter}}}})", 3), R"({"a":{"n":3}})");
}

TEST(TextTemplate, RandomNumbersAndWordsAreAllReached) {
  std::set<std::string> numbers;
  std::set<std::string> words;
  for (uint64_t counter = 0; counter < 200; ++counter) {
    numbers.insert(filled("{{random 3 5}}", counter));
    words.insert(filled("{{choice main dev}}", counter));
  }
  EXPECT_EQ(numbers, (std::set<std::string>{"3", "4", "5"}));
  EXPECT_EQ(words, (std::set<std::string>{"dev", "main"}));
}

TEST(TextTemplate, UnknownPlaceholdersAreRefusedAndNamed) {
  for (const char* text : {"{{count}}", "{{}}", "{{random 5 3}}", "{{random 1}}", "{{counter x}}",
                           "{{choice}}", "{{uuid 4}}", "{{random 0 18446744073709551615}}"}) {
    EXPECT_NE(filled(text).find("the placeholder " + std::string{text}), std::string::npos) << text;
  }
}

TEST(TextTemplate, SaysWhetherItVaries) {
  EXPECT_TRUE(std::get<TextTemplate>(TextTemplate::compile("a {{ b")).fixed());
  const auto varies = std::get<TextTemplate>(TextTemplate::compile("app/{{random}}"));
  EXPECT_FALSE(varies.fixed());
  EXPECT_EQ(varies.beginning(), "app/");
}

}  // namespace
}  // namespace ringpost::load
