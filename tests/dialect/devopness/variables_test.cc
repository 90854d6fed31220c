#include "dialect/devopness/variables.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace ringpost::dialect::devopness {
namespace {

constexpr std::string_view vector_body =
    R"({"action":"opened","pull_request":{"number":7,"head":{"ref":"feature/login","sha":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"}}})";

/// The object, or `member: detail`.
std::string read(const std::vector<Variable>& variables, std::string_view body) {
  json::Document document;
  document.assign(body);
  const auto result = read_variables(variables, document);
  if (const auto* problem = std::get_if<api::Problem>(&result)) {
    EXPECT_EQ(problem->status, 422);
    return problem->member + ": " + problem->detail;
  }
  return std::get<std::string>(result);
}

std::string converted(VariableType type, const std::string& value) {
  const std::string text = read({{.name = "v", .type = type}}, R"({"v":)" + value + "}");
  return text.starts_with("v: ") ? "(refused)" : text.substr(5, text.size() - 6);
}

TEST(Variables, AreReadAsTheVectorSays) {
  const std::vector<Variable> variables{
      {.name = "source_type", .type = VariableType::string, .default_value = "\"branch\""},
      {.name = "source_ref",
       .path = "pull_request.head.ref",
       .type = VariableType::string,
       .default_value = "\"main\""},
      {.name = "pull_request_id", .path = "pull_request.number", .type = VariableType::integer},
      {.name = "pull_request_title", .path = "pull_request.title", .type = VariableType::string},
      {.name = "commit_hash", .path = "pull_request.head.sha", .type = VariableType::string},
  };
  EXPECT_EQ(
      read(variables, vector_body),
      R"({"source_type":"branch","source_ref":"feature/login","pull_request_id":7,)"
      R"("pull_request_title":null,"commit_hash":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"})");
}

TEST(Variables, TakeWhatTheirTypeTakes) {
  struct Case {
    VariableType type;
    std::string value;
    std::string result;
  };
  using enum VariableType;
  const std::vector<Case> cases{
      {integer, "7", "7"},
      {integer, "-7", "-7"},
      {integer, R"("7")", "7"},
      {integer, R"("-007")", "-7"},
      {integer, R"("-0")", "0"},
      {integer, R"("123456789012345678901234567890")", "123456789012345678901234567890"},
      {integer, R"("")", "(refused)"},
      {integer, R"("-")", "(refused)"},
      {integer, R"("+7")", "(refused)"},
      {integer, R"("7a")", "(refused)"},
      {integer, R"(" 7")", "(refused)"},
      {integer, "7.0", "7"},
      {integer, "true", "(refused)"},
      {integer, "[7]", "(refused)"},
      {boolean, "true", "true"},
      {boolean, R"("false")", "false"},
      {boolean, R"("True")", "(refused)"},
      {boolean, "1", "(refused)"},
      {string, R"("a\"b")", R"("a\"b")"},
      {string, "7", R"("7")"},
      {string, "7.50", R"("7.50")"},
      {string, "true", R"("true")"},
      {string, "{}", "(refused)"},
      {string, "[]", "(refused)"},
      {array, R"([1, "a"])", R"([1,"a"])"},
      {array, R"("[]")", "(refused)"},
      {array, "{}", "(refused)"},
  };
  for (const auto& [type, value, result] : cases) {
    EXPECT_EQ(converted(type, value), result) << name(type) << ' ' << value;
    EXPECT_EQ(parse_variable_type(name(type)), type);
  }
}

TEST(Variables, FallBackToTheirDefaultAndThenToNull) {
  const Variable required{.name = "v", .type = VariableType::string, .required = true};
  EXPECT_TRUE(read({required}, "{}").starts_with("v: is required")) << read({required}, "{}");
  EXPECT_TRUE(read({required}, R"({"v":null})").starts_with("v: is required"));
  Variable with_default = required;
  with_default.default_value = "\"x\"";
  EXPECT_EQ(read({with_default}, "{}"), R"({"v":"x"})");
  EXPECT_EQ(read({with_default}, R"({"v":"y"})"), R"({"v":"y"})");
  EXPECT_EQ(read({{.name = "v", .type = VariableType::array}}, "{}"), R"({"v":null})");
  EXPECT_EQ(read({}, "{}"), "{}");
}

TEST(Variables, AreLimitedTogether) {
  const std::string body = R"({"v":")" + std::string(100 * 1024, 'x') + "\"}";
  std::vector<Variable> variables;
  for (const char* name : {"a", "b", "c"}) {
    variables.push_back({.name = name, .path = "v", .type = VariableType::string});
  }
  EXPECT_TRUE(read(variables, body).starts_with("c: ")) << read(variables, body).substr(0, 80);
}

}  // namespace
}  // namespace ringpost::dialect::devopness
