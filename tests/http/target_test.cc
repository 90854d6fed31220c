#include "http/target.h"

#include <gtest/gtest.h>

#include <string_view>

namespace ringpost::http {
namespace {

TEST(Target, NormalisesPaths) {
  const struct {
    std::string_view target;
    std::string_view path;
    std::string_view query = "";
  } cases[] = {
      {"/", "/"},
      {"/a/b", "/a/b"},
      {"/a/b?c=%20d&e", "/a/b", "c=%20d&e"},
      {"/a?", "/a"},
      {"/a?b?c/..", "/a", "b?c/.."},
      {"/%61%2D%7e", "/a-~"},
      {"/a%2fb", "/a%2Fb"},
      {"/a%5cb", "/a%5Cb"},
      {"/a%252fb", "/a%252fb"},
      {"/100%25", "/100%25"},
      {"/%c3%a4", "/\xc3\xa4"},
      {"/a%20b", "/a b"},
      {"/a/./b", "/a/b"},
      {"/a/../b", "/b"},
      {"/a/%2e%2E/b", "/b"},
      {"/a/.%2e", "/"},
      {"/a/b/..", "/a/"},
      {"/a/b/.", "/a/b/"},
      {"/.", "/"},
      {"/a/...", "/a/..."},
      {"/a/..b", "/a/..b"},
      {"/a//b", "/a//b"},
      {"//a", "//a"},
      {"/a//../b", "/a/b"},
      {"/a/", "/a/"},
      {"/a;b=c", "/a;b=c"},
      {"/a?{|}\\^`[]'", "/a", "{|}\\^`[]'"},
      {"/%3F%23", "/?#"},
  };
  for (const auto& [target, path, query] : cases) {
    const auto result = parse_target(target);
    ASSERT_TRUE(std::holds_alternative<Target>(result)) << target;
    EXPECT_EQ(std::get<Target>(result).path, path) << target;
    EXPECT_EQ(std::get<Target>(result).query, query) << target;
  }
}

TEST(Target, RefusesWhatCouldMeanSomethingElse) {
  for (const std::string_view target : {"",           "*",          "a",
                                        "http://a/",  "?a",         "/..",
                                        "/../a",      "/a/../..",   "/%2e%2e/a",
                                        "/a/../../b", "/%00",       "/%1f",
                                        "/%7F",       "/%0a",       "/%",
                                        "/%4",        "/%4g",       "/%g4",
                                        "/a%",        "/a b",       "/a\tb",
                                        "/a\\b",      "/a#b",       "/a?b#c",
                                        "/a?b c",     "/a?\x80",    "/\x80",
                                        "/\x7f",      "/%ff",       "/%c3",
                                        "/%c0%af",    "/%ed%a0%80", "/%f4%90%80%80",
                                        "/\"",        "/<a>",       "/{a}",
                                        "/`",         "/^",         "/a?<",
                                        "/a?\""}) {
    EXPECT_TRUE(std::holds_alternative<TargetProblem>(parse_target(target))) << target;
  }
}

TEST(Utf8, IsJudgedStrictly) {
  for (const std::string_view good :
       {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good));
  }
  for (const std::string_view bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2",
        "\xc2"
        "a",
        "\xe0\x9f\xbf", "\xe1\x80", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xfe"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

}  // namespace
}  // namespace ringpost::http
