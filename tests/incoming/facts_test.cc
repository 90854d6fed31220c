#include "incoming/facts.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::incoming {
namespace {

TEST(Facts, TellBranchesFromTags) {
  Facts branch;
  set_ref(branch, "refs/heads/feature/login");
  EXPECT_EQ(branch.type, "git.push");
  EXPECT_EQ(branch.branch, "feature/login");
  EXPECT_EQ(branch.subject, "refs/heads/feature/login");
  EXPECT_TRUE(branch.tag.empty());
  Facts tag;
  set_ref(tag, "refs/tags/v1");
  EXPECT_EQ(tag.type, "git.tag");
  EXPECT_EQ(tag.tag, "v1");
  EXPECT_TRUE(tag.branch.empty());
  Facts note;
  set_ref(note, "refs/notes/commits");
  EXPECT_EQ(note.type, "git.push");
  EXPECT_TRUE(note.branch.empty() && note.tag.empty());
}

TEST(Facts, TellWhatAPushDid) {
  struct Row {
    std::string before;
    std::string after;
    const char* action;
  };
  const std::string zeros(40, '0');
  const std::string long_zeros(64, '0');
  const Row rows[] = {{"a1", "b2", "updated"},       {zeros, "b2", "created"},
                      {"", "b2", "created"},         {"a1", zeros, "deleted"},
                      {"a1", "", "deleted"},         {long_zeros, "b2", "created"},
                      {"a1", long_zeros, "deleted"}, {zeros, zeros, "deleted"}};
  for (const Row& row : rows) {
    Facts facts;
    set_move(facts, row.before, row.after);
    EXPECT_EQ(facts.action, row.action) << row.before << ' ' << row.after;
    EXPECT_EQ(facts.commit.find('0'), std::string::npos);
    EXPECT_EQ(facts.before.find('0'), std::string::npos);
  }
}

TEST(Facts, TakeTheFirstLine) {
  EXPECT_EQ(first_line("Add login\n\nWith tests"), "Add login");
  EXPECT_EQ(first_line("Add login \r\nmore"), "Add login");
  EXPECT_EQ(first_line("\nsecond"), "");
  EXPECT_EQ(first_line(""), "");
  EXPECT_EQ(first_line(std::string(300, 'x')).size(), 250u);
  std::string umlauts;
  for (int count = 0; count < 200; ++count) umlauts += "ü";
  EXPECT_EQ(first_line(umlauts), umlauts.substr(0, 250)) << "two bytes each";
  EXPECT_EQ(first_line("x" + umlauts), "x" + umlauts.substr(0, 248)) << "none is cut in half";
}

TEST(Facts, NameOtherEventsAsTheHostDoes) {
  EXPECT_EQ(other_type("check_run"), "git.check_run");
  EXPECT_EQ(other_type("repo:commit_status_created"), "git.repo_commit_status_created");
  EXPECT_EQ(other_type("Wiki Page Hook"), "git.wiki_page_hook");
}

}  // namespace
}  // namespace ringpost::incoming
