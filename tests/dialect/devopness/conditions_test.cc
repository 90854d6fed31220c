#include "dialect/devopness/conditions.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ringpost::dialect::devopness {
namespace {

constexpr std::array<std::string_view, 2> roots{"action", "user"};

Conditions conditions(std::string_view json, std::span<const std::string_view> allowed = roots) {
  auto result = Conditions::compile(json, allowed);
  if (const auto* problem = std::get_if<ConditionsProblem>(&result)) {
    ADD_FAILURE() << json << ": " << problem->member << ' ' << problem->reason;
    return {};
  }
  return std::get<Conditions>(std::move(result));
}

bool hold(std::string_view json, std::string_view data,
          std::span<const std::string_view> allowed = roots) {
  json::Document document;
  document.assign(data);
  return conditions(json, allowed).hold(document);
}

/// Whether the value `value` (empty for a missing one) holds against `accepted`.
bool holds(std::string_view value, std::string_view accepted) {
  const std::string condition =
      R"([{"path":"action.v","accepted_values":)" + std::string{accepted} + "}]";
  const std::string member = value.empty() ? "" : R"("v":)" + std::string{value};
  return hold(condition, R"({"action":{)" + member + "}}");
}

TEST(Conditions, CompareAsTheTableSays) {
  struct Case {
    std::string_view value;
    std::string_view accepted;
    bool holds;
  };
  const std::vector<Case> cases{
      {"123", R"([123, "x"])", true},
      {"123", R"(["123"])", true},
      {R"("main")", R"(["Main"])", false},
      {"true", R"(["true"])", true},
      {"", R"(["x"])", false},
      {"", "[null]", true},
      {R"("")", "[null]", false},
      {R"(["a", "b"])", R"(["b"])", true},
      {R"({"a": 1})", "[1]", false},
      {"1", "[]", false},
      {R"("x")", "[]", false},
      {"", "[]", false},
      {"null", "[]", false},
      // What the rules say besides.
      {"null", "[null]", true},
      {"null", R"([""])", false},
      {"", R"([""])", false},
      {R"("")", R"([""])", true},
      {R"("123")", "[123]", true},
      {"false", "[false]", true},
      {"false", "[true]", false},
      {"1.50", R"(["1.50"])", true},
      {"1.50", "[1.5]", false},  // Numbers are their spelling.
      {"-0", "[0]", true},
      {R"("a\u0062")", R"(["\u0061b"])", true},
      {R"({"a": 1})", R"(["{\"a\":1}"])", false},
      {R"(["a"])", R"(["[\"a\"]"])", false},
      {R"([1, [2, [3]]])", "[3]", true},
      {R"([{"a": 3}])", "[3]", false},
      {R"([1, null])", "[null]", true},
      {"[]", "[null]", false},
      {"[]", R"([""])", false},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(holds(one.value, one.accepted), one.holds) << one.value << " in " << one.accepted;
  }
}

TEST(Conditions, HoldWhenEachOfThemHolds) {
  const std::string_view two =
      R"([{"path":"action.status","accepted_values":["failed","completed"]},)"
      R"({"path":"user.name","accepted_values":["Ada"]}])";
  EXPECT_TRUE(hold(two, R"({"action":{"status":"failed"},"user":{"name":"Ada"}})"));
  EXPECT_FALSE(hold(two, R"({"action":{"status":"failed"},"user":{"name":"Bob"}})"));
  EXPECT_FALSE(hold(two, R"({"action":{"status":"queued"},"user":{"name":"Ada"}})"));
  EXPECT_FALSE(hold(two, "no JSON"));
}

TEST(Conditions, RestrictNothingWhenThereAreNone) {
  EXPECT_TRUE(hold("[]", "{}"));
  EXPECT_TRUE(hold("null", "no JSON"));
  EXPECT_TRUE(conditions("[]").empty());
  json::Document document;
  EXPECT_TRUE(Conditions{}.hold(document));
}

TEST(Conditions, KnowThePipelineByItsDocumentedPath) {
  const std::string_view json = R"([{"path":"action.pipeline.id","accepted_values":[33]}])";
  EXPECT_TRUE(hold(json, R"({"action":{"pipeline_id":33}})"));
  EXPECT_FALSE(hold(json, R"({"action":{"pipeline_id":34,"pipeline":{"id":33}}})"));
  // The body of an incoming call is not an action.
  EXPECT_TRUE(hold(json, R"({"action":{"pipeline":{"id":33}}})", {}));
}

TEST(Conditions, ReadTheBodyOfAnIncomingCallUnderAnyName) {
  const std::string_view json = R"([{"name":"who","type":"request_body","path":"sender.login",)"
                                R"("accepted_values":["ada","bob"]}])";
  EXPECT_TRUE(hold(json, R"({"sender":{"login":"bob"}})", {}));
  EXPECT_FALSE(hold(json, R"({"sender":{"login":"eve"}})", {}));
}

TEST(Conditions, RefuseWhatTheyCannotMeanAndSayWhere) {
  const auto many = [](size_t count, std::string_view item) {
    std::string text = "[";
    for (size_t index = 0; index < count; ++index) text.append(index > 0 ? "," : "").append(item);
    return text + "]";
  };
  const std::string good = R"({"path":"user.name","accepted_values":[1]})";
  struct Case {
    std::string json;
    std::string_view member;
    std::string_view reason;
  };
  const std::vector<Case> cases{
      {"", "", "array"},
      {"{}", "", "array"},
      {"[1", "", "array"},
      {"[1]", "0", "object"},
      {"[" + good + ",null]", "1", "object"},
      {"[{}]", "0.path", "string"},
      // The form of 2022.
      {R"([{"type":"action_status","accepted_values":["failed"]}])", "0.type", "request_body"},
      {R"([{"path":7,"accepted_values":[]}])", "0.path", "string"},
      {R"([{"path":"action..id","accepted_values":[]}])", "0.path", "empty name"},
      {R"([{"path":"Action.id","accepted_values":[]}])", "0.path", "known names are action, user"},
      {R"([{"path":"user.name"}])", "0.accepted_values", "array"},
      {R"([{"path":"user.name","accepted_values":"x"}])", "0.accepted_values", "array"},
      {R"([{"path":"user.name","accepted_values":[1,[2]]}])", "0.accepted_values.1", "string"},
      {R"([{"path":"user.name","accepted_values":[{}]}])", "0.accepted_values.0", "string"},
      {many(65, good), "", "64"},
      {R"([{"path":"user.name","accepted_values":)" + many(257, "1") + "}]", "0.accepted_values",
       "256"},
      {"[" + std::string(64 * 1024, ' ') + "]", "", "64 KiB"},
  };
  for (const Case& one : cases) {
    const auto result = Conditions::compile(one.json, roots);
    const auto* problem = std::get_if<ConditionsProblem>(&result);
    ASSERT_NE(problem, nullptr) << one.json;
    EXPECT_EQ(problem->member, one.member) << one.json;
    EXPECT_NE(problem->reason.find(one.reason), std::string::npos) << problem->reason;
  }
  conditions(many(64, good));
  conditions(R"([{"path":"user.name","accepted_values":)" + many(256, "1") + "}]");
}

}  // namespace
}  // namespace ringpost::dialect::devopness
