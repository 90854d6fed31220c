#include "githost/host_api.h"

#include <gtest/gtest.h>

namespace ringpost::githost {
namespace {

TEST(ReadRepository, finds_the_api_of_each_host) {
  const struct {
    GitHost host;
    const char* url;
    const char* api;
    const char* path;
  } rows[] = {
      {GitHost::github, "https://github.com/acme/shop.git", "https://api.github.com", "acme/shop"},
      {GitHost::github, "https://github.com/acme/shop/", "https://api.github.com", "acme/shop"},
      {GitHost::github, "https://git.acme.example/acme/shop", "https://git.acme.example/api/v3",
       "acme/shop"},
      {GitHost::gitlab, "https://gitlab.com/acme/web/shop.git", "https://gitlab.com/api/v4",
       "acme/web/shop"},
      {GitHost::bitbucket, "https://bitbucket.org/acme/shop.git", "https://api.bitbucket.org/2.0",
       "acme/shop"},
      {GitHost::gitea, "http://127.0.0.1:3000/git/acme/shop.git",
       "http://127.0.0.1:3000/git/api/v1", "acme/shop"},
      {GitHost::forgejo, "https://codeberg.example/acme/shop", "https://codeberg.example/api/v1",
       "acme/shop"},
      {GitHost::bitbucket_server, "https://git.acme.example/scm/ACME/shop.git",
       "https://git.acme.example/rest", "ACME/shop"},
      {GitHost::bitbucket_server, "https://git.acme.example/bb/projects/ACME/repos/shop/browse",
       "https://git.acme.example/bb/rest", "ACME/shop"},
  };
  for (const auto& row : rows) {
    const auto read = read_repository(row.host, row.url);
    const auto* repository = std::get_if<Repository>(&read);
    ASSERT_NE(repository, nullptr) << row.url << ": " << std::get<std::string>(read);
    EXPECT_EQ(repository->api, row.api) << row.url;
    EXPECT_EQ(repository->path, row.path) << row.url;
  }
}

TEST(ReadRepository, says_what_is_wrong) {
  const struct {
    GitHost host;
    const char* url;
    const char* says;
  } rows[] = {
      {GitHost::github, "git@github.com:acme/shop.git", "http or https"},
      {GitHost::github, "https://github.com/acme", "end with the repository's path"},
      {GitHost::gitlab, "https://gitlab.com/", "end with the repository's path"},
      {GitHost::github, "https://github.com/acme/shop?tab=1", "no query"},
      {GitHost::github, "https://me:secret@github.com/acme/shop", "must be the http"},
      {GitHost::gitea, "https://git.example/a%2fb/shop", "end with the repository's path"},
  };
  for (const auto& row : rows) {
    const auto read = read_repository(row.host, row.url);
    const auto* objection = std::get_if<std::string>(&read);
    ASSERT_NE(objection, nullptr) << row.url;
    EXPECT_NE(objection->find(row.says), std::string::npos) << row.url << ": " << *objection;
  }
}

std::string header_of(const std::vector<http::Header>& headers, std::string_view name) {
  for (const http::Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return "(none)";
}

TEST(ApiHeaders, show_the_token_as_each_host_wants_it) {
  EXPECT_EQ(header_of(api_headers(GitHost::github, "t"), "Authorization"), "Bearer t");
  EXPECT_EQ(header_of(api_headers(GitHost::github, "t"), "X-GitHub-Api-Version"), "2022-11-28");
  EXPECT_EQ(header_of(api_headers(GitHost::gitlab, "t"), "PRIVATE-TOKEN"), "t");
  EXPECT_EQ(header_of(api_headers(GitHost::bitbucket, "t"), "Authorization"), "Bearer t");
  EXPECT_EQ(header_of(api_headers(GitHost::bitbucket, "me:pw"), "Authorization"), "Basic bWU6cHc=");
  EXPECT_EQ(header_of(api_headers(GitHost::gitea, "t"), "Authorization"), "token t");
  EXPECT_EQ(header_of(api_headers(GitHost::bitbucket_server, "t"), "Authorization"), "Bearer t");
}

}  // namespace
}  // namespace ringpost::githost
