#include "subscription/data_condition.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::subscription {
namespace {

const std::string build = R"({
  "build": {"number": 128, "status": "failed", "duration_s": 61.5, "tags": ["nightly", ["x86", 7]],
            "pull_request": null, "big": 18446744073709551615, "huge": 1e9999, "tiny": -1e-9999},
  "branch": "release/2031.5", "steps": [{"name": "compile"}, {"name": "test", "code": 0}]})";

bool holds(std::string_view condition, std::string_view data = build) {
  auto compiled = DataCondition::compile(condition);
  if (const auto* problem = std::get_if<DataConditionProblem>(&compiled)) {
    ADD_FAILURE() << condition << ": " << problem->member << " " << problem->reason;
    return false;
  }
  json::Document document;
  document.assign(data);
  return std::get<DataCondition>(compiled).holds(document);
}

/// `{"path": PATH, REST}`
std::string test(std::string_view path, std::string_view rest) {
  return R"({"path":")" + std::string{path} + R"(",)" + std::string{rest} + "}";
}

TEST(DataCondition, AsksOneValue) {
  for (const auto& [path, rest] : std::vector<std::pair<std::string, std::string>>{
           {"build.status", R"("equals":"failed")"},
           {"build.status", R"("in":["aborted","failed"])"},
           {"build.number", R"("equals":128)"},
           {"build.number", R"("equals":"128")"},
           {"branch", R"("prefix":"release/")"},
           {"branch", R"("prefix":"release/2031.5")"},
           {"build.number", R"("at_least":128,"at_most":128)"},
           {"build.number", R"("above":127.5,"below":1e3)"},
           {"build.duration_s", R"("above":61,"below":62)"},
           {"build.big", R"("above":18446744073709551614)"},
           {"build.huge", R"("above":1e300)"},
           {"build.tiny", R"("at_least":0,"at_most":0)"},
           {"build.number", R"("exists":true)"},
           {"build", R"("exists":true)"},
           {"build.none", R"("exists":false)"},
           {"build.pull_request", R"("exists":false)"},
           {"build.pull_request", R"("equals":null)"},
           {"build.none", R"("equals":null)"},
           {"build.tags", R"("equals":"nightly")"},
           {"build.tags", R"("equals":7)"},
           {"build.tags", R"("prefix":"x8")"},
           {"build.tags", R"("above":6)"},
           {"steps.1.code", R"("equals":0)"}}) {
    EXPECT_TRUE(holds(test(path, rest))) << path << " " << rest;
  }
  for (const auto& [path, rest] : std::vector<std::pair<std::string, std::string>>{
           {"build.status", R"("equals":"Failed")"},
           {"build.status", R"("in":["aborted"])"},
           {"build.status", R"("prefix":"failed!")"},
           {"build.status", R"("at_least":0)"},
           {"build.number", R"("prefix":"12")"},
           {"build.number", R"("above":128)"},
           {"build.number", R"("below":128)"},
           {"build.number", R"("at_least":128,"at_most":127)"},
           {"build.big", R"("above":18446744073709551615)"},
           {"build.none", R"("exists":true)"},
           {"build.pull_request", R"("exists":true)"},
           {"build.number", R"("exists":false)"},
           {"build", R"("equals":"{}")"},
           {"build.tags", R"("equals":"x")"},
           {"build.tags", R"("in":[null])"},
           {"build.tags", R"("equals":"nightly","prefix":"x86")"},
           {"steps.name", R"("equals":"test")"}}) {
    EXPECT_FALSE(holds(test(path, rest))) << path << " " << rest;
  }
}

TEST(DataCondition, CombinesConditions) {
  const std::string yes = test("branch", R"("exists":true)");
  const std::string no = test("branch", R"("exists":false)");
  const auto all = [](const std::string& parts) { return R"({"all":[)" + parts + "]}"; };
  const auto any = [](const std::string& parts) { return R"({"any":[)" + parts + "]}"; };
  const auto negation = [](const std::string& part) { return R"({"not":)" + part + "}"; };
  EXPECT_TRUE(holds(all(yes)));
  EXPECT_TRUE(holds(all(yes + "," + yes)));
  EXPECT_FALSE(holds(all(yes + "," + no)));
  EXPECT_TRUE(holds(any(no + "," + yes)));
  EXPECT_FALSE(holds(any(no + "," + no)));
  EXPECT_TRUE(holds(negation(no)));
  EXPECT_FALSE(holds(negation(yes)));
  EXPECT_TRUE(holds(all(any(no + "," + negation(no)) + "," + yes)));
  EXPECT_FALSE(holds(negation(any(no + "," + all(yes)))));
}

TEST(DataCondition, FindsNothingInWhatIsNoJson) {
  for (const std::string_view data : {"", "plain text", R"({"branch":"x")", "[1]", "7"}) {
    EXPECT_FALSE(holds(test("branch", R"("exists":true)"), data)) << data;
    EXPECT_TRUE(holds(test("branch", R"("exists":false)"), data)) << data;
  }
}

TEST(DataCondition, RefusesWhatItCannotAskAndSaysWhere) {
  std::string deep = test("a", R"("exists":true)");
  for (int level = 0; level < 8; ++level) deep = R"({"not":)" + deep + "}";
  std::string many = test("a", R"("exists":true)");
  for (int count = 1; count < 100; ++count) many += "," + test("a", R"("exists":true)");
  std::string values = "0";
  for (int count = 1; count < 257; ++count) values += "," + std::to_string(count);
  struct Case {
    std::string condition;
    std::string member;
  };
  for (const Case& one : std::vector<Case>{
           {"", ""},
           {"7", ""},
           {"[]", ""},
           {"{}", ""},
           {R"({"alle":[]})", ""},
           {R"({"all":[]})", "all"},
           {R"({"all":{}})", "all"},
           {R"({"any":[7]})", "any[0]"},
           {R"({"not":[]})", "not"},
           {R"({"all":[{"path":"a","exists":true}],"any":[{"path":"a","exists":true}]})", ""},
           {R"({"all":[{"path":"a","exists":true},{"path":"a..b","exists":true}]})", "all[1].path"},
           {R"({"path":7,"exists":true})", "path"},
           {R"({"path":"a"})", ""},
           {R"({"path":"a","matches":"x"})", ""},
           {R"({"path":"a","all":[]})", ""},
           {R"({"path":"a","a b\u0000c.d":"x"})", ""},
           {test("a", R"("equals":[1])"), "equals"},
           {test("a", R"("equals":"\ud800")"), "equals"},
           {test("a", R"("equals":123456789012345678901)"), "equals"},
           {test("a", R"("equals":1,"in":[2])"), "in"},
           {test("a", R"("in":[2],"equals":1)"), "equals"},
           {test("a", R"("in":[])"), "in"},
           {test("a", R"("in":7)"), "in"},
           {test("a", R"("in":[1,{"a":1}])"), "in[1]"},
           {test("a", R"("in":[)" + values + "]"), "in"},
           {test("a", R"("prefix":"")"), "prefix"},
           {test("a", R"("prefix":7)"), "prefix"},
           {test("a", R"("at_least":"7")"), "at_least"},
           {test("a", R"("below":1e999)"), "below"},
           {test("a", R"("exists":"true")"), "exists"},
           {deep, "not.not.not.not.not.not.not.not"},
           {R"({"any":[)" + many + "]}", "any[99]"},
           {R"({"path":"a","equals":")" + std::string(16 * 1024, 'x') + R"("})", ""}}) {
    const auto compiled = DataCondition::compile(one.condition);
    const auto* problem = std::get_if<DataConditionProblem>(&compiled);
    ASSERT_NE(problem, nullptr) << one.condition;
    EXPECT_EQ(problem->member, one.member) << one.condition;
    EXPECT_FALSE(problem->reason.empty()) << one.condition;
  }
}

TEST(DataCondition, TakesWhatIsJustWithinTheBounds) {
  std::string deep = test("branch", R"("exists":true)");
  for (int level = 0; level < 7; ++level) deep = R"({"not":)" + deep + "}";
  EXPECT_FALSE(holds(deep));
  std::string many = test("branch", R"("exists":true)");
  for (int count = 2; count < 100; ++count) many += "," + test("branch", R"("exists":true)");
  EXPECT_TRUE(holds(R"({"all":[)" + many + "]}"));
  std::string values = "128";
  for (int count = 1; count < 256; ++count) values += ",-" + std::to_string(count);
  EXPECT_TRUE(holds(test("build.number", R"("in":[)" + values + "]")));
}

}  // namespace
}  // namespace ringpost::subscription
