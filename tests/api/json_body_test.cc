#include "api/json_body.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::api {
namespace {

TEST(JsonBody, HandsOutTheBytesOfAnObjectAsTheyCame) {
  JsonBody body;
  ASSERT_FALSE(
      body.parse(R"({"headers": {}, "data" : { "a":1.0,  "b" : 1e2, "s":"\u2028" } , "x":1})"));
  EXPECT_EQ(body.raw_object("data"), R"({ "a":1.0,  "b" : 1e2, "s":"\u2028" })");
  EXPECT_EQ(body.raw_object("x"), "");
  EXPECT_EQ(body.raw_object("absent"), "");
}

TEST(JsonBody, SaysWhereTheBodyIsNotJson) {
  JsonBody body;
  const auto comment = body.parse("{\n  \"a\": 1 // one\n}");
  ASSERT_TRUE(comment);
  EXPECT_NE(comment->detail.find("line 2, column 10 (after 11 bytes): this is no JSON"),
            std::string::npos)
      << comment->detail;
  const auto marked = body.parse("\xef\xbb\xbf{}");
  ASSERT_TRUE(marked);
  EXPECT_EQ(marked->status, 400);
  EXPECT_NE(marked->detail.find("byte order mark"), std::string::npos) << marked->detail;
}

TEST(JsonBody, RefusesAMemberThatStandsTwiceAtAnyDepth) {
  struct Row {
    const char* body;
    const char* place;
  };
  for (const Row& row : {
           Row{R"({"a": 1, "b": 2, "a": 3})", "a"},
           Row{R"({"a": {"b": 1, "b": 1}})", "a.b"},
           Row{R"({"a": {"b": {"c": 1, "\u0063": 1}}})", "a.b.c"},
           Row{R"({"a": [1, [{"b": 0}, {"c": 1, "c": 2}]]})", "a[1][1].c"},
       }) {
    JsonBody body;
    const auto problem = body.parse(row.body);
    ASSERT_TRUE(problem) << row.body;
    EXPECT_EQ(problem->status, 400);
    EXPECT_EQ(problem->member, row.place);
  }
  JsonBody body;
  EXPECT_FALSE(body.parse(R"({"a": [{"b": 1}, {"b": 1}], "b": {"a": 1, "A": 2}})"));
}

}  // namespace
}  // namespace ringpost::api
