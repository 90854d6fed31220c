#include "json/path.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::json {
namespace {

TEST(Path, IsNamesJoinedByDots) {
  const auto path = Path::parse("action.triggered_from.x-1.0.id");
  ASSERT_TRUE(path);
  ASSERT_EQ(path->names_count(), 5u);
  EXPECT_EQ(path->root(), "action");
  EXPECT_EQ(path->name(1), "triggered_from");
  EXPECT_EQ(path->name(2), "x-1");
  EXPECT_EQ(path->name(4), "id");
  EXPECT_EQ(path->text(), "action.triggered_from.x-1.0.id");
  EXPECT_EQ(*path, Path::constant("action.triggered_from.x-1.0.id"));
  EXPECT_NE(*path, Path::constant("action"));
}

TEST(Path, PicksElementsByNamesOfDigitsOnly) {
  const Path path = Path::constant("a.0.17.1x.-1.99999999999.4294967295.007");
  EXPECT_EQ(path.element(0), std::nullopt);
  EXPECT_EQ(path.element(1), 0u);
  EXPECT_EQ(path.element(2), 17u);
  EXPECT_EQ(path.element(3), std::nullopt);
  EXPECT_EQ(path.element(4), std::nullopt);
  EXPECT_EQ(path.element(5), std::nullopt);
  EXPECT_EQ(path.element(6), std::nullopt);  // No array is that long.
  EXPECT_EQ(path.element(7), 7u);
}

TEST(Path, RefusesWhatIsNoPathAndSaysWhy) {
  struct Case {
    std::string text;
    std::string_view reason;
  };
  const std::vector<Case> cases{{"", "empty"},
                                {".", "empty name"},
                                {".a", "empty name"},
                                {"a.", "empty name"},
                                {"a..b", "empty name"},
                                {"a b", "character"},
                                {"a/b", "character"},
                                {"a[0]", "character"},
                                {"caf\xC3\xA9", "character"},
                                {std::string("a\0b", 3), "character"},
                                {std::string(513, 'a'), "512"}};
  for (const Case& one : cases) {
    EXPECT_FALSE(Path::parse(one.text)) << one.text;
    EXPECT_NE(Path::object_to(one.text).find(one.reason), std::string_view::npos) << one.text;
  }
  EXPECT_TRUE(Path::parse(std::string(512, 'a')));
}

}  // namespace
}  // namespace ringpost::json
