#include "githost/hooks.h"

#include <gtest/gtest.h>

namespace ringpost::githost {
namespace {

constexpr WallTime now = from_unix_ns(1'935'000'000'000'000'000);

Repository at(GitHost host, const char* url = "https://git.example/acme/shop") {
  Repository repository = std::get<Repository>(read_repository(host, url));
  repository.token = "t";
  return repository;
}

std::vector<std::string> ids(const HookList& list) {
  std::vector<std::string> found;
  for (const Hook& hook : list.hooks()) found.push_back(hook.id + " " + hook.url);
  return found;
}

using Texts = std::vector<std::string>;

TEST(HookList, follows_the_link_header) {
  HookList list(at(GitHost::github, "https://github.com/acme/shop"));
  EXPECT_EQ(list.request().method, "GET");
  EXPECT_EQ(list.request().url, "https://api.github.com/repos/acme/shop/hooks?per_page=50&page=1");
  EXPECT_FALSE(
      list.add({200, "Link: <https://api.github.com/repositories/7/hooks?page=2>; rel=\"next\"\r\n",
                R"([{"id": 1, "url": "https://api.github.com/own",)"
                R"( "config": {"url": "https://a"}}])"},
               now));
  ASSERT_FALSE(list.is_complete());
  EXPECT_EQ(list.request().url, "https://api.github.com/repos/acme/shop/hooks?page=2");
  EXPECT_FALSE(
      list.add({200, {}, R"([{"id": 2, "config": {"url": "https://b"}}, {"id": null}])"}, now));
  EXPECT_TRUE(list.is_complete());
  EXPECT_EQ(ids(list), (Texts{"1 https://a", "2 https://b"}));
}

TEST(HookList, counts_as_gitea_says) {
  HookList list(at(GitHost::gitea));
  EXPECT_EQ(list.request().url, "https://git.example/api/v1/repos/acme/shop/hooks?limit=50&page=1");
  EXPECT_FALSE(
      list.add({200, "X-Total-Count: 2\r\n", R"([{"id": 1, "config": {"url": "u"}}])"}, now));
  ASSERT_FALSE(list.is_complete());
  EXPECT_TRUE(list.request().url.ends_with("&page=2"));
  EXPECT_FALSE(list.add({200, "X-Total-Count: 2\r\n", "[]"}, now));  // One was removed meanwhile.
  EXPECT_TRUE(list.is_complete());
}

TEST(HookList, reads_the_pages_of_bitbucket) {
  HookList cloud(at(GitHost::bitbucket, "https://bitbucket.org/acme/shop"));
  EXPECT_FALSE(
      cloud.add({200,
                 {},
                 R"({"values": [{"uuid": "{9f}", "url": "https://a"}],)"
                 R"( "next": "https://api.bitbucket.org/2.0/repositories/%7B7%7D/hooks?page=2"})"},
                now));
  EXPECT_EQ(cloud.request().url,
            "https://api.bitbucket.org/2.0/repositories/acme/shop/hooks?page=2");
  EXPECT_FALSE(cloud.add({200, {}, R"({"values": [], "next": ""})"}, now));
  EXPECT_TRUE(cloud.is_complete());
  EXPECT_EQ(ids(cloud), (Texts{"{9f} https://a"}));
  EXPECT_EQ(hook_url(at(GitHost::bitbucket, "https://bitbucket.org/acme/shop"), "{9f}"),
            "https://api.bitbucket.org/2.0/repositories/acme/shop/hooks/%7B9f%7D");

  HookList center(at(GitHost::bitbucket_server, "https://git.example/scm/ACME/shop.git"));
  EXPECT_EQ(center.request().url,
            "https://git.example/rest/api/1.0/projects/ACME/repos/shop/webhooks?limit=50&start=0");
  EXPECT_FALSE(center.add({200,
                           {},
                           R"({"values": [{"id": 3, "url": "https://a"}], "isLastPage": false,)"
                           R"( "nextPageStart": 50})"},
                          now));
  EXPECT_TRUE(center.request().url.ends_with("&start=50"));
  EXPECT_FALSE(
      center.add({200, {}, R"({"values": [], "isLastPage": true, "nextPageStart": null})"}, now));
  EXPECT_TRUE(center.is_complete());
}

TEST(HookList, ends_although_the_host_does_not) {
  HookList list(at(GitHost::gitlab));
  size_t pages = 0;
  while (!list.is_complete() && pages < 1000) {
    ++pages;
    const auto failure =
        list.add({200, "Link: <https://git.example/api/v4/again>; rel=\"next\"\r\n",
                  R"([{"id": 1, "url": "https://a"}])"},
                 now);
    EXPECT_EQ(failure.has_value(), pages == 20) << "no second one is made where there may be one";
  }
  EXPECT_EQ(pages, 20u);
}

TEST(HookList, refuses_what_is_no_list) {
  for (const std::string_view body : {"", "{}", "<html>", "[", R"({"values": 1})"}) {
    HookList list(at(GitHost::github));
    const auto failure = list.add({200, {}, body}, now);
    ASSERT_TRUE(failure) << body;
    EXPECT_NE(failure->text.find("not a list of webhooks"), std::string::npos) << failure->text;
  }
  HookList list(at(GitHost::github));
  EXPECT_TRUE(list.add({401, {}, {}}, now));
}

TEST(Hooks, are_made_as_each_host_wants_it) {
  const HookSettings settings{"https://relay.example/in/x", "whsec_AAAA"};
  const struct {
    GitHost host;
    const char* method;
    std::vector<const char*> has;
  } rows[] = {
      {GitHost::github,
       "PATCH",
       {R"("name":"web")", R"("content_type":"json")", R"("secret":"whsec_AAAA")",
        R"("events":["push","pull_request","issue_comment"])"}},
      {GitHost::gitlab,
       "PUT",
       {R"("token":"whsec_AAAA")", R"("merge_requests_events":true)",
        R"("url":"https://relay.example/in/x")"}},
      {GitHost::bitbucket, "PUT", {R"("secret":"whsec_AAAA")", R"("repo:push")"}},
      {GitHost::bitbucket_server,
       "PUT",
       {R"("configuration":{"secret":"whsec_AAAA"})", R"("repo:refs_changed")"}},
      {GitHost::gitea,
       "PATCH",
       {R"("type":"gitea")", R"("secret":"whsec_AAAA")",
        R"("events":["push","create","delete","pull_request","issue_comment"])"}},
      {GitHost::forgejo, "PATCH", {R"("type":"gitea")"}},
      {GitHost::gogs, "PATCH", {R"("type":"gogs")"}},
  };
  for (const auto& row : rows) {
    const Request made = create_hook(at(row.host), settings);
    EXPECT_EQ(made.method, "POST");
    EXPECT_EQ(made.url, hooks_url(at(row.host)));
    for (const char* part : row.has) {
      EXPECT_NE(made.body.find(part), std::string::npos) << name(row.host) << ": " << made.body;
    }
    const Request changed = update_hook(at(row.host), "7", settings);
    EXPECT_EQ(changed.method, row.method) << name(row.host);
    EXPECT_EQ(changed.url, hook_url(at(row.host), "7"));
    EXPECT_NE(changed.body.find("whsec_AAAA"), std::string::npos) << changed.body;
  }
}

TEST(Hooks, have_an_id) {
  EXPECT_EQ(
      std::get<std::string>(read_hook_id(GitHost::github, {201, {}, R"({"id": 12345678901})"})),
      "12345678901");
  EXPECT_EQ(
      std::get<std::string>(read_hook_id(GitHost::bitbucket, {201, {}, R"({"uuid": "{9f}"})"})),
      "{9f}");
  for (const std::string_view body : {"", "[]", R"({"id": "a\nb"})", R"({"id": {}})"}) {
    EXPECT_TRUE(std::holds_alternative<Failure>(read_hook_id(GitHost::github, {201, {}, body})))
        << body;
  }
}

}  // namespace
}  // namespace ringpost::githost
