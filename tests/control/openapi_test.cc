#include "control/api/openapi.h"

#include <gtest/gtest.h>
#include <simdjson.h>

namespace ringpost::control {
namespace {

std::string_view header(const Answer& answer, std::string_view name) {
  for (const http::Header& header : answer.response.headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

Answer show(std::vector<http::Header> headers = {}) {
  const http::Request request{.method = "GET",
                              .target = "/v1/openapi.json",
                              .path = "/v1/openapi.json",
                              .query = "",
                              .headers = std::move(headers),
                              .body = ""};
  return show_openapi(Call{.request = request,
                           .token = nullptr,
                           .organization = "",
                           .parameters = {},
                           .base_url = "",
                           .peer = nullptr});
}

TEST(OpenApi, IsOneDocumentOfVersion31) {
  const Answer answer = show();
  EXPECT_EQ(answer.response.status, 200);
  EXPECT_EQ(answer.response.content_type, "application/json");
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  ASSERT_EQ(parser.parse(answer.response.body).get(document), simdjson::SUCCESS);
  std::string_view version;
  ASSERT_EQ(document["openapi"].get(version), simdjson::SUCCESS);
  EXPECT_EQ(version, "3.1.0");
}

TEST(OpenApi, MayBeKeptAndAskedForAgain) {
  const Answer first = show();
  const std::string tag{header(first, "ETag")};
  ASSERT_GT(tag.size(), 2u);
  EXPECT_EQ(header(first, "Cache-Control"), "public, max-age=3600");
  for (const std::string& known : {tag, "W/" + tag, "\"other\", " + tag, std::string{"*"}}) {
    const Answer again = show({{"If-None-Match", known}});
    EXPECT_EQ(again.response.status, 304) << known;
    EXPECT_TRUE(again.response.body.empty());
    EXPECT_EQ(header(again, "ETag"), tag);
    EXPECT_EQ(header(again, "Cache-Control"), "public, max-age=3600");
  }
  EXPECT_EQ(show({{"If-None-Match", "\"other\""}}).response.status, 200);
  EXPECT_EQ(show({{"If-None-Match", tag.substr(1, 8)}}).response.status, 200);
}

}  // namespace
}  // namespace ringpost::control
