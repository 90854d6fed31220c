#include "api/json_body.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace ringpost::api {
namespace {

// Numbers and strings that RFC 8259 allows and hardly a parser reads.
constexpr std::array odd_values = {"12345678901234567890123",
                                   "1e400",
                                   "-1e400",
                                   "1e-400",
                                   "-0",
                                   "0.1000000000000000055511151231257827021181583404541015625",
                                   "1e99999999999999999999",
                                   R"("\ud800")",
                                   R"("\udc00\ud800x")"};

std::string nested(size_t levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

TEST(JsonBody, HandsOutTheBytesOfAMemberAsTheyCame) {
  JsonBody body;
  ASSERT_FALSE(body.parse(
      R"({"headers": {}, "d\u0061ta" : { "a":1.0,  "b" : 1e2, "s":"\u2028" } , "x":1})"));
  EXPECT_EQ(body.spelled("data"), R"({ "a":1.0,  "b" : 1e2, "s":"\u2028" })");
  EXPECT_EQ(body.compact("data"), R"({"a":1.0,"b":1e2,"s":"\u2028"})");
  EXPECT_EQ(body.spelled("x"), "1");
  EXPECT_EQ(body.spelled("absent"), "");
}

// Goal: what nobody reads does not matter, at any place; what is read is refused by its name.
// Method: each odd value as a member, in an array, deep inside, and as what is asked for.
TEST(JsonBody, TakesWhateverIsJson) {
  for (const std::string value : odd_values) {
    for (const std::string& text : {"{\"a\":" + value + "}", "{\"a\":[1," + value + " ]}",
                                    "{\"a\":{\"b\":{\"c\" : " + value + "}}}"}) {
      JsonBody body;
      EXPECT_FALSE(body.parse(text)) << text;
      EXPECT_EQ("{\"a\":" + std::string{body.spelled("a")} + "}", text);
    }
  }
  JsonBody body;
  EXPECT_FALSE(body.parse(R"({"\ud800": 1, "\ud801": 2, "a\\": 3})"));
  const std::string deepest = nested(json::Document::depth_max - 1);
  EXPECT_FALSE(body.parse("{\"a\":" + deepest + "}"));
  EXPECT_TRUE(body.parse("{\"a\":[" + deepest + "]}"));
}

TEST(JsonBody, NamesTheMemberWhoseValueCannotBeRead) {
  for (const std::string value : odd_values) {
    JsonBody body;
    ASSERT_FALSE(body.parse("{\"a\":" + value + "}"));
    const auto member = body.root().at_key("a").value_unsafe();
    std::string text;
    uint32_t number = 0;
    for (const auto& problem :
         {read(member, "a", 100, text), read(member, "a", 1, UINT32_MAX, number)}) {
      ASSERT_TRUE(problem) << value;
      EXPECT_EQ(problem->status, 422);
      EXPECT_EQ(problem->member, "a");
    }
    if (value[0] == '"') {
      EXPECT_EQ(read(member, "a", 100, text)->detail, "holds an unpaired surrogate");
    }
  }
}

TEST(JsonBody, CountsAnyNumberWithoutAFractionAsWhole) {
  for (const char* spelled :
       {"60", "60.0", "6e1", "6E+1", "0.6e2", "6000e-2", "60.00000000000000000000"}) {
    JsonBody body;
    ASSERT_FALSE(body.parse(std::string{"{\"a\":"} + spelled + "}"));
    uint32_t number = 0;
    EXPECT_FALSE(read(body.root().at_key("a").value_unsafe(), "a", 0, 60, number)) << spelled;
    EXPECT_EQ(number, 60u) << spelled;
  }
  for (const char* spelled : {"60.5", "1e400", "60.00000000000000000001", "-60", "61.0", "0.5"}) {
    JsonBody body;
    ASSERT_FALSE(body.parse(std::string{"{\"a\":"} + spelled + "}"));
    uint32_t number = 0;
    EXPECT_TRUE(read(body.root().at_key("a").value_unsafe(), "a", 0, 60, number)) << spelled;
  }
}

TEST(JsonBody, LooksIntoNothingThatIsPassedOn) {
  JsonBody body;
  EXPECT_FALSE(body.parse(R"({"data": {"a": 1, "a": 2}})", "data"));
  EXPECT_TRUE(body.parse(R"({"data": {"a": 1, "a": 2}})"));
  EXPECT_TRUE(body.parse(R"({"data": {}, "data": {}})", "data"));
  EXPECT_TRUE(body.parse(R"({"data": {}, "other": {"a": 1, "a": 2}})", "data"));
}

TEST(JsonBody, RefusesWhatIsNotJson) {
  for (const char* text :
       {"", "{", "[]", "1", "{}x", "{\"a\":01}", "{\"a\":1.}", "{\"a\":+1}", "{\"a\":.5}",
        "{\"a\":1e}", "{\"a\":NaN}", "{\"a\":\"\\x\"}", "{\"a\":\"\xff\"}", "{\"a\":\"\n\"}"}) {
    JsonBody body;
    const auto problem = body.parse(text);
    ASSERT_TRUE(problem) << text;
    EXPECT_EQ(problem->status, 400) << text;
  }
}

TEST(JsonBody, SaysWhereTheBodyIsNotJson) {
  JsonBody body;
  const auto comment = body.parse("{\n  \"a\": 1 // one\n}");
  ASSERT_TRUE(comment);
  EXPECT_NE(comment->detail.find("line 2, column 10 (after 11 bytes): comments are not"),
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
