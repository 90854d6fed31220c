// Goal: a listener that serves the console answers its paths and no others, so that a browser keeps
// what cannot change, asks again for what can, and runs nothing but the console's own files.

#include "console/site.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace ringpost::console {
namespace {

constexpr File sample_page{"", "text/html; charset=utf-8", "<p>page", "gzipped page", "W/\"p1\""};
constexpr std::array sample_assets{
    File{"app.ABC.js", "text/javascript; charset=utf-8", "let a", "gzipped app", "W/\"a1\""}};

std::optional<http::Response> ask(const std::string& path, std::vector<http::Header> headers = {},
                                  const std::string& method = "GET") {
  http::Request request;
  request.method = method;
  request.path = path;
  request.headers = std::move(headers);
  return answer(request, sample_page, sample_assets);
}

std::string header(const http::Response& response, std::string_view name) {
  for (const http::Header& header : response.headers) {
    if (header.name == name) return header.value;
  }
  return "(absent)";
}

TEST(Site, ShowsThePageAtEveryAddressOfTheConsole) {
  for (const char* path : {"/console/", "/console/webhooks", "/console/webhooks/01J/edit"}) {
    const auto response = ask(path);
    ASSERT_TRUE(response) << path;
    EXPECT_EQ(response->status, 200) << path;
    EXPECT_EQ(response->body, "<p>page") << path;
    EXPECT_EQ(header(*response, "Cache-Control"), "no-cache") << path;
  }
}

TEST(Site, LeavesOtherPathsToOthers) {
  for (const char* path : {"/v1/webhooks", "/consoles", "/consol", "/healthz", "/index.html"}) {
    EXPECT_FALSE(ask(path)) << path;
  }
  EXPECT_FALSE(ask("/", {}, "POST"));
}

TEST(Site, LeadsToThePage) {
  for (const char* path : {"/", "/console"}) {
    const auto response = ask(path);
    ASSERT_TRUE(response) << path;
    EXPECT_EQ(response->status, 302) << path;
    EXPECT_EQ(header(*response, "Location"), "/console/") << path;
  }
}

TEST(Site, CompressesWhereTheClientCanReadThat) {
  for (const auto& [said, compressed] :
       std::vector<std::pair<std::string, bool>>{{"gzip, deflate, br", true},
                                                 {"br;q=1, *;q=0.5", true},
                                                 {"X-GZIP", true},
                                                 {"gzip;q=0", false},
                                                 {"*, gzip;q=0", false},
                                                 {"br", false},
                                                 {"", false},
                                                 {"identity", false}}) {
    const auto response = ask("/console/assets/app.ABC.js", {{"Accept-Encoding", said}});
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, compressed ? "gzipped app" : "let a") << said;
    EXPECT_EQ(header(*response, "Content-Encoding"), compressed ? "gzip" : "(absent)") << said;
    EXPECT_EQ(header(*response, "Vary"), "Accept-Encoding") << said;
  }
  EXPECT_EQ(ask("/console/assets/app.ABC.js")->body, "let a");
}

TEST(Site, LetsAssetsBeKeptForGood) {
  const auto response = ask("/console/assets/app.ABC.js");
  EXPECT_EQ(header(*response, "Cache-Control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(response->content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(ask("/console/assets/app.OLD.js")->status, 404);
  EXPECT_EQ(ask("/console/assets/")->status, 404);
}

TEST(Site, SendsNothingTwice) {
  EXPECT_EQ(header(*ask("/console/"), "ETag"), "W/\"p1\"");
  const auto again = ask("/console/", {{"If-None-Match", "\"x\", W/\"p1\""}});
  EXPECT_EQ(again->status, 304);
  EXPECT_EQ(again->body, "");
  EXPECT_EQ(header(*again, "ETag"), "W/\"p1\"");
  EXPECT_EQ(ask("/console/", {{"If-None-Match", "W/\"p2\""}})->status, 200);
}

TEST(Site, SaysWhatMayRunOnEveryAnswer) {
  for (const char* path : {"/", "/console/", "/console/assets/app.ABC.js", "/console/assets/no"}) {
    const auto response = ask(path);
    ASSERT_TRUE(response) << path;
    const std::string policy = header(*response, "Content-Security-Policy");
    EXPECT_NE(policy.find("default-src 'none'; script-src 'self'"), std::string::npos) << path;
    EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos) << path;
    EXPECT_EQ(policy.find("unsafe"), std::string::npos) << path;
    EXPECT_EQ(header(*response, "Referrer-Policy"), "no-referrer") << path;
    EXPECT_EQ(header(*response, "Cross-Origin-Opener-Policy"), "same-origin") << path;
  }
}

TEST(Site, TakesOnlyReads) {
  const auto refused = ask("/console/webhooks", {}, "POST");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 405);
  EXPECT_EQ(header(*refused, "Allow"), "GET, HEAD");
  EXPECT_EQ(ask("/console/", {}, "HEAD")->status, 200);
}

TEST(Site, SaysThatABuildHasNone) {
  http::Request request;
  request.method = "GET";
  request.path = "/console/";
  const auto response = answer(request, File{}, {});
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 404);
  EXPECT_NE(response->body.find("built without the console"), std::string::npos);
  request.path = "/";
  EXPECT_FALSE(answer(request, File{}, {}));
}

}  // namespace
}  // namespace ringpost::console
