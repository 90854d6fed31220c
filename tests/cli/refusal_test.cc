#include "cli/refusal.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ringpost::cli {
namespace {

TEST(Refusal, SaysHowToMendIt) {
  const char* webhook = "/v1/webhooks/01J";
  EXPECT_EQ(explain_refusal({401, R"({"status":401,"detail":"a token is needed"})", ""}, webhook),
            "the relay answered 401: a token is needed; give a token with --token @FILE or "
            "RINGPOST_TOKEN; the first start wrote one to admin.token in its data directory");
  EXPECT_EQ(explain_refusal({404, R"({"detail":"there is no such webhook"})", ""}, webhook),
            "the relay answered 404: there is no such webhook; ringpost webhook list shows those "
            "that this token may see");
  EXPECT_EQ(
      explain_refusal(
          {422, R"({"detail":"`filter.branches` has no end.","member":"filter.branches"})", ""},
          "/v1/webhooks"),
      "the relay answered 422: `filter.branches` has no end (--branches)");
  EXPECT_EQ(explain_refusal({422, R"({"detail":"Not UTF-8.","member":"url"})", ""}, "/v1/webhooks"),
            "the relay answered 422: `url`: Not UTF-8 (--url)");
  EXPECT_EQ(explain_refusal({429, R"({"detail":"too many wrong tokens"})", "3"}, webhook),
            "the relay answered 429: too many wrong tokens; try again in 3 s");
  EXPECT_EQ(explain_refusal({429, R"({"title":"Too Many"})", ""}, webhook),
            "the relay answered 429: Too Many; wait a little and try again");
  EXPECT_EQ(explain_refusal({503, R"({"detail":"busy"})", "5"}, "/v1/events"),
            "the relay answered 503: busy; try again in 5 s");
}

TEST(Refusal, NamesALineAndNoOptionForAnEvent) {
  EXPECT_EQ(
      explain_refusal({422, R"({"detail":"`type` is required.","member":"type","line":3})", ""},
                      "/v1/events"),
      "the relay answered 422: line 3: `type` is required");
  EXPECT_EQ(
      explain_refusal({422, R"({"detail":"`type` is required.","member":"type","line":500})", ""},
                      "/v1/events", 2000),
      "the relay answered 422: line 2500: `type` is required");
  EXPECT_EQ(
      explain_refusal(
          {400, R"({"detail":"Not JSON: line 3, column 8 (after 9 bytes): x.","line":3})", ""},
          "/v1/events", 2000),
      "the relay answered 400: Not JSON: line 2003, column 8: x");
  EXPECT_EQ(
      explain_refusal(
          {400, R"({"detail":"Not JSON: line 3, column 8 (after 9 bytes): x.","line":3})", ""},
          "/v1/events"),
      "the relay answered 400: Not JSON: line 3, column 8 (after 9 bytes): x");
}

TEST(Refusal, ListsTheProblemsOfAConfiguration) {
  EXPECT_EQ(explain_refusal({422,
                             R"({"detail":"2 problems","errors":[)"
                             R"({"file":"r.toml","line":3,"column":7,"text":"is \u001b[2J wrong"},)"
                             R"({"file":"--set a","line":0,"column":0,"text":"is no key"}]})",
                             ""},
                            "/v1/admin/reload"),
            "the relay answered 422: 2 problems\n  r.toml:3:7: is \\x1b[2J wrong\n"
            "  --set a: is no key");
  std::string many = R"({"detail":"many","errors":[{})";
  for (int index = 0; index < 5000; ++index) many += ",{}";
  const std::string said = explain_refusal({422, many + "]}", ""}, "/v1/admin/reload");
  EXPECT_LE(std::ranges::count(said, '\n'), 100);
}

TEST(Refusal, IsOneLineAndHarmlessWhoeverAnswered) {
  const std::string said =
      explain_refusal({502, "<html>\r\n\x1b[2J\x9b" + std::string(5000, 'x'), ""}, "/v1/status");
  EXPECT_TRUE(said.starts_with("the relay answered 502: <html>\\x0d\\x0a\\x1b[2J\\x9Bxx")) << said;
  EXPECT_TRUE(said.ends_with("that serves its API? (RINGPOST_URL)")) << said;
  EXPECT_LT(said.size(), 500u);
  for (const std::string body : {"", "[]", "{}", "null", R"({"detail":7})"}) {
    EXPECT_EQ(explain_refusal({500, body, ""}, "/").find('\n'), std::string::npos);
  }
  EXPECT_EQ(explain_refusal({429, "{}", "9\x1b\n"}, "/"),
            "the relay answered 429: {}; try again in 9\\x1b\\x0a s");
}

}  // namespace
}  // namespace ringpost::cli
