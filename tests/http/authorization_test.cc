#include "http/authorization.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::http {
namespace {

std::string token_of(const std::vector<std::string>& values, TokenForm form) {
  Request request;
  request.headers.push_back({"X-Other", "Bearer other"});
  for (const std::string& value : values) request.headers.push_back({"AUTHORIZATION", value});
  return std::string{presented_token(request, form)};
}

TEST(Authorization, ReadsATokenInTheFormThatTheApiTakes) {
  struct Row {
    const char* value;
    const char* bearer;
    const char* bare;
    const char* either;
  };
  const Row rows[] = {
      {"Bearer abc", "abc", "", "abc"},
      {"bEARER   abc ", "abc", "", "abc"},
      {"abc", "", "abc", "abc"},
      {" abc ", "", "abc", "abc"},
      {"Bearer", "", "Bearer", "Bearer"},
      {"Bearer ", "", "Bearer", "Bearer"},  // Without its blank it is a word like others.
      {"Bearerabc", "", "Bearerabc", "Bearerabc"},
      {"Basic abc", "", "", ""},
      {"token abc", "", "", ""},
      {"Bearer a b", "", "", ""},
      {"", "", "", ""},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(token_of({row.value}, TokenForm::bearer), row.bearer) << row.value;
    EXPECT_EQ(token_of({row.value}, TokenForm::bare), row.bare) << row.value;
    EXPECT_EQ(token_of({row.value}, TokenForm::either), row.either) << row.value;
  }
}

TEST(Authorization, ReadsNothingFromTwoHeadersOrATokenThatIsTooLong) {
  EXPECT_EQ(token_of({}, TokenForm::either), "");
  EXPECT_EQ(token_of({"abc", "abc"}, TokenForm::either), "");
  EXPECT_EQ(token_of({"Bearer abc", "Bearer abc"}, TokenForm::bearer), "");
  const std::string longest(token_bytes_max, 'x');
  EXPECT_EQ(token_of({"Bearer " + longest}, TokenForm::bearer), longest);
  EXPECT_EQ(token_of({"Bearer " + longest + "x"}, TokenForm::bearer), "");
}

TEST(Authorization, ReadsAnotherHeaderOnlyWhereItMayAndThereIsNoAuthorization) {
  Request request;
  request.headers.push_back({"x-addon-token", "abc"});
  EXPECT_EQ(presented_token(request, TokenForm::either), "");
  EXPECT_EQ(presented_token(request, TokenForm::bearer, "X-Addon-Token"), "abc");
  EXPECT_EQ(presented_token(request, TokenForm::bearer, "X-Other"), "");
  request.headers[0].value = "Bearer abc";
  EXPECT_EQ(presented_token(request, TokenForm::either, "X-Addon-Token"), "");
  request.headers[0].value = std::string(token_bytes_max + 1, 'x');
  EXPECT_EQ(presented_token(request, TokenForm::either, "X-Addon-Token"), "");
  request.headers[0].value = "abc";
  request.headers.push_back({"Authorization", "Bearer def"});
  EXPECT_EQ(presented_token(request, TokenForm::bearer, "X-Addon-Token"), "def");
  request.headers[1].value = "Basic def";
  EXPECT_EQ(presented_token(request, TokenForm::bearer, "X-Addon-Token"), "")
      << "a wrong Authorization is not passed over";
}

}  // namespace
}  // namespace ringpost::http
