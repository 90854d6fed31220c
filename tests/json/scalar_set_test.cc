#include "json/scalar_set.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::json {
namespace {

/// Whether a set of the one scalar holds the value; an empty value: the one that is missing.
bool equal(const std::string& scalar, const std::string& value) {
  const std::string text =
      R"({"scalar":)" + scalar + (value.empty() ? "" : R"(,"value":)" + value) + "}";
  Document document;
  document.assign(text);
  ScalarSet set;
  set.add(document.find(Path::constant("scalar")));
  return set.holds(document.scalar(Path::constant("value")));
}

TEST(ScalarSet, ComparesTextsAndWholeNumbersByTheirValue) {
  for (const auto& [scalar, value] : {std::pair{R"("a")", R"("a")"},
                                      {R"("a")", R"("\u0061")"},
                                      {"5", R"("5")"},
                                      {R"("5")", "5"},
                                      {"60", "60.0"},
                                      {"6e1", "60"},
                                      {R"("true")", "true"},
                                      {"0", "-0"},
                                      {R"("")", R"("")"},
                                      {"null", "null"},
                                      {"null", ""}}) {
    EXPECT_TRUE(equal(scalar, value)) << scalar << " and " << value;
  }
  for (const auto& [scalar, value] : {std::pair{R"("a")", R"("A")"},
                                      {R"("a")", R"("ab")"},
                                      {"5", "5.5"},
                                      {"5", "50"},
                                      {R"("null")", "null"},
                                      {R"("")", ""},
                                      {R"("")", "null"},
                                      {"null", R"("null")"},
                                      {R"("[]")", "[]"},
                                      {R"("{}")", "{}"}}) {
    EXPECT_FALSE(equal(scalar, value)) << scalar << " and " << value;
  }
}

TEST(ScalarSet, HoldsEachOfManyInWhateverOrderTheyCame) {
  ScalarSet set;
  EXPECT_TRUE(set.empty());
  for (const char* text : {"m", "z", "a", "m", "k"}) set.add({Kind::string, text});
  for (const char* text : {"a", "k", "m", "z"}) EXPECT_TRUE(set.holds({Kind::string, text}));
  for (const char* text : {"", "b", "zz"}) EXPECT_FALSE(set.holds({Kind::string, text}));
  EXPECT_FALSE(set.holds({}));
  EXPECT_FALSE(set.empty());
}

}  // namespace
}  // namespace ringpost::json
