#include "githost/deliveries.h"

#include <gtest/gtest.h>

namespace ringpost::githost {
namespace {

constexpr WallTime now = from_unix_ns(1'935'000'000'000'000'000);

Repository at(GitHost host) {
  const char* url =
      host == GitHost::github ? "https://github.com/acme/shop" : "https://git.example/acme/shop";
  return std::get<Repository>(read_repository(host, url));
}

std::string github_call(const std::string& number, const std::string& id, const std::string& time,
                        int status) {
  return R"({"id": )" + number + R"(, "guid": ")" + id + R"(", "delivered_at": ")" + time +
         R"(", "redelivery": false, "duration": 0.2, "status": "x", "status_code": )" +
         std::to_string(status) + R"(, "event": "push", "action": null})";
}

std::vector<std::string> numbers(const DeliveryLog& log) {
  std::vector<std::string> found;
  for (const LoggedCall& call : log.calls()) found.push_back(call.number);
  return found;
}

using Texts = std::vector<std::string>;

TEST(DeliveryLog, follows_the_cursor_of_github_to_the_end_that_is_wanted) {
  DeliveryLog log(at(GitHost::github), "5",
                  {.before = *parse_rfc3339("2031-04-26T00:00:00Z"), .number = {}});
  EXPECT_EQ(log.request().url,
            "https://api.github.com/repos/acme/shop/hooks/5/deliveries?per_page=100");
  const std::string first = "[" + github_call("12", "aa", "2031-04-26T12:00:00Z", 502) + "]";
  EXPECT_FALSE(log.add(
      {200, "Link: <https://api.github.com/next?cursor=v1>; rel=\"next\"\r\n", first}, now));
  ASSERT_FALSE(log.is_complete());
  // A call came in between: the page begins with one that was there already.
  const std::string second = "[" + github_call("12", "aa", "2031-04-26T12:00:00Z", 502) + "," +
                             github_call("11", "bb", "2031-04-26T01:00:00Z", 200) + "," +
                             github_call("10", "cc", "2031-04-25T23:59:59Z", 502) + "]";
  EXPECT_FALSE(log.add(
      {200, "Link: <https://api.github.com/next?cursor=v2>; rel=\"next\"\r\n", second}, now));
  EXPECT_TRUE(log.is_complete());
  EXPECT_FALSE(log.is_cut());
  EXPECT_EQ(numbers(log), (Texts{"12", "11"}));
  EXPECT_EQ(log.calls()[0].id, "aa");
  EXPECT_EQ(log.calls()[0].event, "push");
  EXPECT_EQ(log.calls()[0].status, 502);
  EXPECT_FALSE(log.calls()[0].is_accepted());
  EXPECT_TRUE(log.calls()[1].is_accepted());
}

TEST(DeliveryLog, counts_what_it_cannot_read) {
  DeliveryLog log(at(GitHost::github), "5", {});
  const std::string good = github_call("12", "aa", "2031-04-26T12:00:00Z", 502);
  const std::string body = R"([7, null, {"guid": "x"}, )" + good + "," +
                           github_call("11", "", "2031-04-26T12:00:00Z", 502) + "," +
                           github_call("-1", "bb", "2031-04-26T12:00:00Z", 502) + "]";
  EXPECT_FALSE(log.add({200, "", body}, now));
  EXPECT_EQ(numbers(log), (Texts{"12"}));
  EXPECT_EQ(log.unreadable(), 5u);
}

TEST(DeliveryLog, reads_the_events_of_gitlab_up_to_the_last_known_one) {
  DeliveryLog log(at(GitHost::gitlab), "5", {.before = {}, .number = "9"});
  EXPECT_EQ(log.request().url,
            "https://git.example/api/v4/projects/acme%2Fshop/hooks/5/events?per_page=20");
  const std::string body = R"([
    {"id": 11, "trigger": "push_hooks", "response_status": "internal error",
     "request_headers": {"X-Gitlab-Event": "Push Hook", "idempotency-key": "k1"}},
    {"id": 10, "trigger": "note_hooks", "response_status": "200",
     "request_headers": {"X-Gitlab-Event-UUID": "u2"}},
    {"id": 9, "response_status": 200, "request_headers": {"Idempotency-Key": "k0"}}])";
  EXPECT_FALSE(log.add({200, {}, body}, now));
  EXPECT_TRUE(log.is_complete());
  ASSERT_EQ(numbers(log), (Texts{"11", "10"}));
  EXPECT_EQ(log.calls()[0].id, "k1");
  EXPECT_EQ(log.calls()[0].event, "Push Hook");
  EXPECT_EQ(log.calls()[0].status, 0);
  EXPECT_EQ(log.calls()[1].id, "u2");
  EXPECT_TRUE(log.calls()[1].is_accepted());
}

TEST(DeliveryLog, ends_although_the_host_does_not) {
  DeliveryLog log(at(GitHost::github), "5", {});
  size_t pages = 0;
  while (!log.is_complete() && pages < 1000) {
    const std::string body =
        "[" + github_call(std::to_string(++pages), "aa", "2031-04-26T12:00:00Z", 200) + "]";
    EXPECT_FALSE(log.add({200, "Link: <https://api.github.com/n>; rel=\"next\"\r\n", body}, now));
  }
  EXPECT_EQ(pages, 50u);
  EXPECT_TRUE(log.is_cut());
}

TEST(DeliveryLog, leaves_out_what_it_cannot_use) {
  DeliveryLog log(at(GitHost::github), "5", {});
  EXPECT_FALSE(log.add({200,
                        {},
                        R"([{}, 7, {"id": "../x", "guid": "a"}, {"id": 3}, {"id": 4, "guid": ""},)"
                        R"( {"id": 5, "guid": "a\nb"}])"},
                       now));
  EXPECT_TRUE(log.calls().empty());
  for (const std::string_view body : {"", "{}", "<html>"}) {
    DeliveryLog broken(at(GitHost::github), "5", {});
    EXPECT_TRUE(broken.add({200, {}, body}, now)) << body;
  }
}

TEST(AskAgain, names_the_call) {
  const Request github = ask_again(at(GitHost::github), "5", "12");
  EXPECT_EQ(github.method, "POST");
  EXPECT_EQ(github.url, "https://api.github.com/repos/acme/shop/hooks/5/deliveries/12/attempts");
  EXPECT_EQ(ask_again(at(GitHost::gitlab), "5", "12").url,
            "https://git.example/api/v4/projects/acme%2Fshop/hooks/5/events/12/resend");
}

TEST(IsOlder, compares_numbers) {
  EXPECT_TRUE(is_older("9", "10"));
  EXPECT_FALSE(is_older("10", "9"));
  EXPECT_TRUE(is_older("18", "19"));
  EXPECT_FALSE(is_older("19", "19"));
}

}  // namespace
}  // namespace ringpost::githost
