#include "api/route.h"

#include <gtest/gtest.h>

#include <array>

namespace ringpost::api {
namespace {

using Parameters = std::vector<std::string>;

TEST(MatchPath, TakesOneSegmentForEachPlaceholder) {
  EXPECT_EQ(match_path("/v1/webhooks", "/v1/webhooks"), Parameters{});
  EXPECT_EQ(match_path("/v1/webhooks/{id}", "/v1/webhooks/a"), Parameters{"a"});
  EXPECT_EQ(match_path("/apps/{app}/hooks/{hook}/send", "/apps/x/hooks/y/send"),
            (Parameters{"x", "y"}));
  EXPECT_EQ(match_path("/apps/{app}/hooks/{hook}", "/apps/x/hooks/y%2Fz"),
            (Parameters{"x", "y%2Fz"}));
}

TEST(MatchPath, RefusesOtherPaths) {
  for (const char* path : {"", "/", "/v1", "/v1/webhooks", "/v1/webhooks/", "/v1/webhooks//",
                           "/v1/webhooks/a/", "/v1/webhooks/a/b", "/v2/webhooks/a", "v1/webhooks/a",
                           "/v1/webhook/a", "/v1/webhooks/a/b/c"}) {
    EXPECT_FALSE(match_path("/v1/webhooks/{id}", path)) << path;
  }
  EXPECT_FALSE(match_path("/v1/webhooks", "/v1/webhooks/"));
  EXPECT_FALSE(match_path("/v1/webhooks/{id}/ping", "/v1/webhooks//ping"));
}

TEST(MatchPath, TakesEverythingThatIsLeftForTheLast) {
  EXPECT_EQ(match_path("/v1/events/{id...}", "/v1/events/a"), Parameters{"a"});
  EXPECT_EQ(match_path("/v1/events/{id...}", "/v1/events/a/b/"), Parameters{"a/b/"});
  EXPECT_FALSE(match_path("/v1/events/{id...}", "/v1/events/"));
  EXPECT_FALSE(match_path("/v1/events/{id...}", "/v1/events"));
}

TEST(FindRoute, TellsAnUnknownPathFromAnUnknownMethod) {
  const std::array routes = {Route{1, "GET", "/a/{id}"}, Route{2, "DELETE", "/a/{id}"},
                             Route{3, "POST", "/a"}};
  const auto found = find_route(routes, "DELETE", "/a/7");
  ASSERT_TRUE(std::holds_alternative<Match>(found));
  EXPECT_EQ(std::get<Match>(found).route->operation, 2);
  EXPECT_EQ(std::get<Match>(found).parameters, Parameters{"7"});
  EXPECT_TRUE(std::holds_alternative<NoSuchPath>(find_route(routes, "GET", "/b")));
  const auto wrong = find_route(routes, "PUT", "/a/7");
  ASSERT_TRUE(std::holds_alternative<WrongMethod>(wrong));
  EXPECT_EQ(std::get<WrongMethod>(wrong).allow, "GET, HEAD, DELETE");
}

TEST(FindRoute, TakesHeadForGetAndForNothingElse) {
  const std::array routes = {Route{1, "DELETE", "/a"}, Route{2, "GET", "/a"},
                             Route{3, "POST", "/b"}};
  const auto found = find_route(routes, "HEAD", "/a");
  ASSERT_TRUE(std::holds_alternative<Match>(found));
  EXPECT_EQ(std::get<Match>(found).route->operation, 2);
  const auto wrong = find_route(routes, "HEAD", "/b");
  ASSERT_TRUE(std::holds_alternative<WrongMethod>(wrong));
  EXPECT_EQ(std::get<WrongMethod>(wrong).allow, "POST");
}

}  // namespace
}  // namespace ringpost::api
