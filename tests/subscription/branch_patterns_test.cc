#include "subscription/branch_patterns.h"

#include "branch_cases.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::subscription {
namespace {

bool matches(std::string_view patterns, std::string_view branch) {
  const auto compiled = BranchPatterns::compile(patterns);
  EXPECT_TRUE(compiled) << patterns;
  return compiled && compiled->matches(branch);
}

TEST(BranchPatterns, MatchAsTheTablesOfBuildkitesSpecSay) {
  for (const BranchCase& one : branch_cases) {
    EXPECT_EQ(matches(one.patterns, one.branch), one.match) << one.patterns << ": " << one.branch;
  }
}

TEST(BranchPatterns, LetNoTwoPiecesShareAByte) {
  EXPECT_FALSE(matches("ab*ba", "aba"));
  EXPECT_TRUE(matches("ab*ba", "abba"));
  EXPECT_FALSE(matches("a*ab*b", "aab"));
  EXPECT_TRUE(matches("a*ab*b", "aabb"));
  EXPECT_FALSE(matches("*aa*aa*", "aaa"));
  EXPECT_TRUE(matches("*aa*aa*", "xaaaax"));
}

TEST(BranchPatterns, AreSeparatedByAnyWhiteSpace) {
  for (const std::string_view patterns : {"main\tdev", "main\ndev", "\n main \r\n dev\t"}) {
    EXPECT_TRUE(matches(patterns, "main"));
    EXPECT_TRUE(matches(patterns, "dev"));
    EXPECT_FALSE(matches(patterns, "main dev"));
  }
  EXPECT_TRUE(matches(" \t\n", "anything"));
}

TEST(BranchPatterns, KnowThatTheyMatchNothing) {
  for (const std::string_view patterns :
       {"!*", "!**", "main !main", "main !*", "main !m*n", "release/* !release/*",
        "release/1.* !release/*", "a*c !a*", "main dev !*", "main dev !main !dev", "!* !main"}) {
    EXPECT_TRUE(BranchPatterns::compile(patterns)->matches_nothing()) << patterns;
  }
  for (const std::string_view patterns :
       {"", "main", "!main", "*", "* !main", "!a* !b*", "main dev !main", "release/* !release/1.*",
        "a* !a*c", "main !mai", "main !Main"}) {
    EXPECT_FALSE(BranchPatterns::compile(patterns)->matches_nothing()) << patterns;
  }
}

TEST(BranchPatterns, NegateOnceOnly) {
  EXPECT_FALSE(matches("!!a", "!a"));
  EXPECT_TRUE(matches("!!a", "a"));
  EXPECT_TRUE(matches("a!", "a!"));
}

TEST(BranchPatterns, AreEveryBranchByDefault) {
  EXPECT_TRUE(BranchPatterns{}.matches("main"));
  EXPECT_TRUE(BranchPatterns{}.matches(""));
  EXPECT_FALSE(matches("main", ""));
  EXPECT_TRUE(matches("*", ""));
}

TEST(BranchPatterns, RefuseALoneNegationAndWhatIsTooLong) {
  const auto words = [](size_t count) {
    std::string text;
    for (size_t word = 0; word < count; ++word) text += "w ";
    return text;
  };
  EXPECT_EQ(BranchPatterns::object_to(words(64)), "");
  EXPECT_NE(BranchPatterns::object_to(words(65)).find("64 words"), Objection::npos);
  EXPECT_EQ(BranchPatterns::object_to(std::string(4096, 'a')), "");
  EXPECT_NE(BranchPatterns::object_to(std::string(4097, ' ')).find("4096 bytes"), Objection::npos);
  for (const std::string_view text : {"!", "main !", "! main", "a\t!\nb"}) {
    EXPECT_NE(BranchPatterns::object_to(text).find("'!'"), Objection::npos) << text;
    EXPECT_FALSE(BranchPatterns::compile(text)) << text;
  }
}

TEST(BranchPatterns, MatchNoNameThatIsLongerThanABranchCanBe) {
  const std::string longest(BranchPatterns::branch_bytes_max, 'a');
  for (const std::string_view pattern : {"*", "a*", "*a*a*a", "!b", "* !b"}) {
    EXPECT_TRUE(matches(pattern, longest)) << pattern;
    EXPECT_FALSE(matches(pattern, longest + "a")) << pattern;
  }
}

// A matcher that tries every place of every star would not come back in our lifetime.
TEST(BranchPatterns, DoNotBlowUp) {
  std::string pattern;
  while (pattern.size() + 5 < BranchPatterns::bytes_max) pattern += "*aa";
  const std::string branch(BranchPatterns::branch_bytes_max, 'a');
  EXPECT_FALSE(matches(pattern + "*", branch)) << "there are not as many";
  EXPECT_FALSE(matches(pattern + "*b*", branch));
  EXPECT_FALSE(matches(pattern + "*b", branch));
}

}  // namespace
}  // namespace ringpost::subscription
