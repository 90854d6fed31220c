// Goal: `event` and `sender` are added where the top of the data lacks them, and nowhere else;
// every other byte stays.

#include "dialect/buildkite/body.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::dialect::buildkite {
namespace {

struct MembersCase {
  const char* json;
  bool event;
  bool sender;
};

constexpr MembersCase members_cases[] = {
    {R"({})", false, false},
    {R"({"event":"x"})", true, false},
    {R"({"sender":{}})", false, true},
    {R"({"event":"x","sender":{}})", true, true},
    {R"({"sender":1,"event":2})", true, true},
    {R"({"build":{"event":1,"sender":2}})", false, false},
    {R"({"build":{"sender":2},"sender":3})", false, true},
    {R"({"sender":3,"build":{"sender":2}})", false, true},
    {R"({"list":[{"sender":1,"event":1}],"a":{"b":{"event":0}},"event":1})", true, false},
    {R"({"a":"event","b":"sender"})", false, false},
    {R"({"a":["event","sender"]})", false, false},
    {R"({"a":"\"sender\":1","b":"\"event\":1"})", false, false},
    {R"({"say \"sender":1,"say \"event":1})", false, false},
    {R"({"a\\":1,"sender":"\\"})", false, true},
    {R"({"a":"}","sender":1})", false, true},
    {R"({"a":"[","event":1})", true, false},
    {"{ \"event\" \t\r\n: 1 , \"sender\" : 2 }\n", true, true},
    {R"({"events":1,"senders":2,"_event":3})", false, false},
    {R"({"Event":1,"SENDER":2})", false, false},
    {R"({"\u0065vent":1})", false, false},
};

TEST(FindBodyMembers, SeesNamesAtTheTopOnly) {
  for (const MembersCase& expected : members_cases) {
    const BodyMembers members = find_body_members(expected.json);
    EXPECT_TRUE(members.is_object) << expected.json;
    EXPECT_EQ(members.event, expected.event) << expected.json;
    EXPECT_EQ(members.sender, expected.sender) << expected.json;
  }
}

TEST(FindBodyMembers, TakesObjectsOnly) {
  for (const char* json : {"", " ", "[]", "1", "null", R"("{}")", "{", "}", "{]", "\xff"}) {
    EXPECT_FALSE(find_body_members(json).is_object) << json;
  }
  EXPECT_TRUE(find_body_members(" \n{}\r\n").is_object);
}

TEST(FindBodyMembers, EndsInTextsThatAreNoJson) {
  // Binary events may hold anything between two braces.
  for (const char* text : {R"({"sender":"})", R"({"event":\})", R"({"sender":{{{})",
                           R"({"sender"})", R"({"sender":]]]]})", "{\"event\":\"\\}"}) {
    EXPECT_TRUE(find_body_members(text).is_object) << text;
  }
}

TEST(FindBodyMembers, LooksThroughALongAndDeepText) {
  std::string json = R"({"top":0)";
  for (int index = 0; index < 200; ++index) json += R"(,"a":{"sender":{"event":[0)";
  for (int index = 0; index < 200; ++index) json += "]}}";
  for (int index = 0; index < 200; ++index) json += R"(,"b":{"sender":{"event":0}})";
  EXPECT_FALSE(find_body_members(json + "}").sender);
  EXPECT_FALSE(find_body_members(json + "}").event);
  EXPECT_TRUE(find_body_members(json + R"(,"sender":0})").sender);
  EXPECT_TRUE(find_body_members(json + R"(,"event":0})").event);
}

struct BodyCase {
  const char* data;
  const char* body;
};

constexpr BodyCase body_cases[] = {
    {R"({})", R"({"event":"e","sender":"s"})"},
    {R"({ })", R"({"event":"e" ,"sender":"s"})"},
    {R"({"a":1})", R"({"event":"e","a":1,"sender":"s"})"},
    {R"( { "a" : 1.0 } )", R"( {"event":"e", "a" : 1.0 ,"sender":"s"} )"},
    {R"({"event":"own","a":"}"})", R"({"event":"own","a":"}","sender":"s"})"},
    {R"({"sender":"own"})", R"({"event":"e","sender":"own"})"},
};

TEST(AppendBody, AddsWhatLacksAndKeepsEveryByte) {
  for (const BodyCase& expected : body_cases) {
    std::string body;
    append_body(body, expected.data, find_body_members(expected.data), R"("event":"e")",
                R"("sender":"s")");
    EXPECT_EQ(body, expected.body) << expected.data;
  }
}

}  // namespace
}  // namespace ringpost::dialect::buildkite
