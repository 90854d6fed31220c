#include "cli/where.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace ringpost::cli {
namespace {

std::string made(const std::vector<std::string>& where) {
  const auto condition = data_condition(where);
  if (const auto* problem = std::get_if<UsageProblem>(&condition)) return "! " + problem->text;
  return std::get<std::string>(condition);
}

std::string read(const std::string& condition) {
  simdjson::dom::parser parser;
  simdjson::dom::element element;
  EXPECT_EQ(parser.parse(condition).get(element), simdjson::SUCCESS) << condition;
  return condition_text(element);
}

TEST(Where, MakesAConditionOfAComparisonAndShowsItAgain) {
  struct Case {
    std::string where;
    std::string condition;
    std::string text;
  };
  for (const Case& one : std::vector<Case>{
           {"build.status=failed", R"({"path":"build.status","equals":"failed"})",
            R"(build.status = "failed")"},
           {" build.number = 128 ", R"({"path":"build.number","equals":"128"})",
            R"(build.number = "128")"},
           {"commit=12345e6", R"({"path":"commit","equals":"12345e6"})", R"(commit = "12345e6")"},
           {"flaky=true", R"({"path":"flaky","equals":"true"})", R"(flaky = "true")"},
           {R"(build.number="128")", R"({"path":"build.number","equals":"128"})",
            R"(build.number = "128")"},
           {"a=", R"({"path":"a","equals":""})", R"(a = "")"},
           {"a=b=c", R"({"path":"a","equals":"b=c"})", R"(a = "b=c")"},
           {"a=null", R"({"path":"a","equals":null})", "a = null"},
           {R"(a=["x",7])", R"({"path":"a","in":["x",7]})", R"(a in ("x", 7))"},
           {"a!=b", R"({"not":{"path":"a","equals":"b"}})", R"(not (a = "b"))"},
           {"a-b_c.0^=7", R"({"path":"a-b_c.0","prefix":"7"})", R"(a-b_c.0 ^= "7")"},
           {"n>=1.5", R"({"path":"n","at_least":1.5})", "n >= 1.5"},
           {"n<=2", R"({"path":"n","at_most":2})", "n <= 2"},
           {"n>3", R"({"path":"n","above":3})", "n > 3"},
           {"n < 4", R"({"path":"n","below":4})", "n < 4"},
           {"a.b", R"({"path":"a.b","exists":true})", "a.b exists"},
           {"!a.b", R"({"path":"a.b","exists":false})", "a.b is missing"},
           {R"({"any":[{"path":"a","exists":true}]})", R"({"any":[{"path":"a","exists":true}]})",
            "a exists"}}) {
    EXPECT_EQ(made({one.where}), one.condition) << one.where;
    EXPECT_EQ(read(one.condition), one.text) << one.where;
  }
}

TEST(Where, JoinsSeveralAndClearsWithAnEmptyOne) {
  EXPECT_EQ(made({"a=1", "!b"}),
            R"({"all":[{"path":"a","equals":"1"},{"path":"b","exists":false}]})");
  EXPECT_EQ(made({""}), "null");
}

TEST(Where, SaysWhatItCannotRead) {
  for (const std::string where :
       {"=x", "a b=c", "a..b=c", "!a=b", "!", "a~b", "{", "@/no/such/file", "a==b", "a=[x", "a=>3",
        "n>x", "n<=", R"(a={"b":1})", "-"}) {
    EXPECT_EQ(made({where}).substr(0, 1), "!") << where;
    EXPECT_EQ(made({"a=1", where}).substr(0, 1), "!") << where;
  }
  EXPECT_EQ(made({"a\x1b b"}).find('\x1b'), std::string::npos);
}

TEST(Where, ShowsNestedConditionsWithParentheses) {
  EXPECT_EQ(read(R"({"all":[{"any":[{"path":"a","equals":"x\u001b"},{"path":"b","exists":true}]},)"
                 R"({"not":{"path":"n","at_least":1,"below":2}}]})"),
            R"((a = "x\u001b" or b exists) and not (n >= 1 and n < 2))");
}

}  // namespace
}  // namespace ringpost::cli
