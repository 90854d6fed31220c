#include "githost/reply.h"

#include <gtest/gtest.h>

namespace ringpost::githost {
namespace {

using std::chrono::seconds;

constexpr WallTime now = from_unix_ns(1'935'000'000'000'000'000);

Failure failure(uint16_t status, std::string_view head, std::string_view body = {}) {
  const auto found = failure_of(GitHost::github, {status, head, body}, now);
  EXPECT_TRUE(found);
  return found.value_or(Failure{});
}

bool says(const Failure& failure, std::string_view text) {
  return failure.text.find(text) != std::string::npos;
}

TEST(Reply, has_headers_of_any_case_and_line_end) {
  const Reply reply{200, "Link: <a>\r\nretry-AFTER: 7\nX: \r\n\r\n", {}};
  EXPECT_EQ(reply.header("link"), "<a>");
  EXPECT_EQ(reply.header("Retry-After"), "7");
  EXPECT_EQ(reply.header("none"), "");
}

TEST(FailureOf, tells_people_what_to_mend) {
  EXPECT_FALSE(failure_of(GitHost::github, {204, {}, {}}, now));
  const Failure expired = failure(401, {}, R"({"message": "Bad credentials"})");
  EXPECT_TRUE(says(expired, "expired")) << expired.text;
  EXPECT_TRUE(says(expired, "Bad credentials")) << expired.text;
  EXPECT_TRUE(expired.lasting);
  EXPECT_TRUE(failure(403, {}).lasting);
  EXPECT_TRUE(failure(404, {}).lasting);
  const Failure moved = failure(301, "Location: https://api.github.com/repositories/7/hooks\r\n");
  EXPECT_TRUE(says(moved, "moved") && says(moved, "repositories/7")) << moved.text;
  const Failure broken = failure(502, {}, "<html>");
  EXPECT_FALSE(broken.lasting);
  EXPECT_FALSE(broken.retry_after);
}

TEST(FailureOf, waits_as_long_as_a_rate_limit_says) {
  const Failure primary =
      failure(403, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1935000090\r\n");
  EXPECT_EQ(primary.retry_after, seconds{90});
  EXPECT_FALSE(primary.lasting);
  EXPECT_EQ(failure(403, "Retry-After: 60\r\nX-RateLimit-Remaining: 12\r\n").retry_after,
            seconds{60});
  EXPECT_EQ(failure(429, "RateLimit-Reset: 1935000030\r\n").retry_after, seconds{30});
  EXPECT_EQ(failure(429, "Retry-After: 99999999999\r\n").retry_after, std::chrono::hours{24});
  EXPECT_EQ(failure(429, "Retry-After: soon\r\n").retry_after, std::nullopt);
  // Every answer of GitHub's says when the limit begins anew.
  EXPECT_EQ(
      failure(404, "X-RateLimit-Remaining: 12\r\nX-RateLimit-Reset: 1935000090\r\n").retry_after,
      std::nullopt);
}

TEST(FailureOf, says_what_the_host_says) {
  const auto words = [](std::string_view body) {
    return failure_of(GitHost::github, {422, {}, body}, now)->text;
  };
  const std::string refused = "GitHub answered 422: it refused the request";
  EXPECT_EQ(words(R"({"message": "Validation Failed", "errors": [{"resource": "Hook", "message":)"
                  R"( "url is not reachable"}, "and more", 7]})"),
            refused + R"( ("Validation Failed: url is not reachable: and more"))");
  EXPECT_EQ(words(R"({"errors": [{"context": null, "message": "no such project"}]})"),
            refused + R"( ("no such project"))");
  EXPECT_EQ(words(R"({"message": ["a"], "errors": "b"})"), refused);
  EXPECT_EQ(words("[]"), refused);
  EXPECT_LT(words(R"({"message": ")" + std::string(5000, 'a') + "\"}").size(), 400u);
}

// A host may know itself by another name than the relay does, and the token goes nowhere else.
TEST(NextPage, is_of_the_list_that_is_read) {
  const std::string list = "https://git.internal/api/v3/repos/acme/shop/hooks";
  const auto next = [&](std::string_view head) { return next_page(list, {200, head, {}}); };
  EXPECT_EQ(
      next("Link: <https://git.example.org/api/v3/repositories/7/hooks?page=1>; rel=\"prev\", "
           "<https://git.example.org/api/v3/repositories/7/hooks?page=3>; rel=\"next\"\r\n"),
      list + "?page=3");
  EXPECT_EQ(next("Link: <https://api.github.com/x?page=9>; rel=\"last\"\r\n"), "");
  EXPECT_EQ(next("Link: <https://evil.example/x?page=2#top>; rel=\"next\"\r\n"), list + "?page=2");
  EXPECT_EQ(next("Link: <https://api.github.com/x>; rel=\"next\"\r\n"),
            list);  // For ever: bounded.
  EXPECT_EQ(next("Link: rel=\"next\"\r\n"), "");
}

}  // namespace
}  // namespace ringpost::githost
