#include "incoming/authenticity.h"

#include "tests/incoming/calls.h"

#include <gtest/gtest.h>

#include <string>

// Goal: a call is authentic if and only if it was made with the secret, by each host's own rule.
// Method: published and recomputed vectors, and each of them changed in one place.

namespace ringpost::incoming {
namespace {

using subscription::GitHost;
using subscription::GitSource;
using test::call_of;
using test::Headers;

GitSource with_secret(GitHost host, std::string_view secret) {
  GitSource source;
  source.host = host;
  source.secret = secret;
  return source;
}

bool accepts(const GitSource& source, std::string_view body, const Headers& headers,
             WallTime now = {}, std::string_view json = {}) {
  const http::Request request = call_of(body, headers);
  return authentic(source, request, as_bytes(json.empty() ? body : json), now);
}

constexpr std::string_view zen = R"({"zen":"Speak like a human.","hook_id":1})";
constexpr std::string_view zen_form =
    "payload=%7B%22zen%22%3A%22Speak+like+a+human.%22%2C%22hook_id%22%3A1%7D";
constexpr std::string_view zen_signature =
    "sha256=df2eb6354ed9715c60d4cd6478e9443e15a764f7d3bc4004c6cdb2cb09287d23";

TEST(Authenticity, HoldsForTheVectorsOfGitHub) {
  const Headers own{{"X-Hub-Signature-256",
                     "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}};
  EXPECT_TRUE(
      accepts(with_secret(GitHost::github, "It's a Secret to Everybody"), "Hello, World!", own));
  const GitSource source = with_secret(GitHost::github, "gh-demo-secret");
  EXPECT_TRUE(accepts(source, zen, {{"x-hub-signature-256", std::string{zen_signature}}}));
  const Headers form{{"X-Hub-Signature-256",
                      "sha256=a12b55804a03514cf9167e67266b6e0ad65ec1afc791982b4040ea8eb737a580"}};
  EXPECT_TRUE(accepts(source, zen_form, form, {}, zen)) << "the body as sent, not the JSON in it";
}

TEST(Authenticity, RefusesWhatGitHubDidNotSign) {
  const GitSource source = with_secret(GitHost::github, "gh-demo-secret");
  const std::string good{zen_signature};
  const std::string digits = good.substr(7);
  EXPECT_FALSE(accepts(source, zen, {})) << "no header";
  EXPECT_FALSE(accepts(source, zen, {{"X-Hub-Signature-256", ""}}));
  EXPECT_FALSE(accepts(source, zen, {{"X-Hub-Signature-256", digits}})) << "no scheme";
  EXPECT_FALSE(accepts(source, zen, {{"X-Hub-Signature-256", "sha1=" + digits}}));
  EXPECT_FALSE(accepts(source, std::string{zen} + "\n", {{"X-Hub-Signature-256", good}}));
  EXPECT_FALSE(accepts(with_secret(GitHost::github, "gh-demo-secreT"), zen,
                       {{"X-Hub-Signature-256", good}}));
  const Headers twice{{"X-Hub-Signature-256", good}, {"X-Hub-Signature-256", good}};
  EXPECT_FALSE(accepts(source, zen, twice)) << "which of them counts?";
  const Headers old{{"X-Hub-Signature", "sha1=617741f3539a2eb56d172a3129e01a660f47f43d"}};
  EXPECT_FALSE(accepts(source, zen, old)) << "SHA-1 alone";
  EXPECT_FALSE(accepts(source, zen, {{"X-Hub-Signature", good}})) << "Bitbucket's header";
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(accepts(source, zen, {{"X-Hub-Signature-256", good.substr(0, size)}})) << size;
  }
  for (size_t place = 7; place < good.size(); ++place) {
    std::string changed = good;
    changed[place] = changed[place] == '0' ? '1' : '0';
    EXPECT_FALSE(accepts(source, zen, {{"X-Hub-Signature-256", changed}})) << changed;
  }
}

TEST(Authenticity, ComparesTheSecretThatGitLabShows) {
  const GitSource source = with_secret(GitHost::gitlab, "gitlab-demo-secret");
  EXPECT_TRUE(accepts(source, "{}", {{"X-Gitlab-Token", "gitlab-demo-secret"}}));
  for (const char* shown : {"", "gitlab-demo-secre", "gitlab-demo-secretx", "Gitlab-demo-secret"}) {
    EXPECT_FALSE(accepts(source, "{}", {{"X-Gitlab-Token", shown}})) << shown;
  }
  EXPECT_FALSE(accepts(source, "{}", {}));
}

constexpr std::string_view signing_secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
constexpr std::string_view gitlab_body = R"({"object_kind":"push","ref":"refs/heads/main"})";
const WallTime signed_at{std::chrono::seconds{1755000000}};

Headers gitlab_signature(const std::string& signature) {
  return {{"webhook-id", "9f1c2d3e-4b5a-4678-9876-a5b4c3d2e1f0"},
          {"webhook-timestamp", "1755000000"},
          {"webhook-signature", signature}};
}

TEST(Authenticity, VerifiesTheSignatureOfGitLab) {
  const GitSource source = with_secret(GitHost::gitlab, signing_secret);
  const std::string good = "v1,a0Mz+kOB7E2hnKk+TYVFECqa3mG55wU2Hc0KHjELJt0=";
  EXPECT_TRUE(accepts(source, gitlab_body, gitlab_signature(good), signed_at));
  const std::string several = "v1,AAAA v1a,x " + good + " v2,y";
  EXPECT_TRUE(accepts(source, gitlab_body, gitlab_signature(several), signed_at));
  EXPECT_FALSE(accepts(source, gitlab_body, gitlab_signature(good.substr(3)), signed_at));
  EXPECT_FALSE(accepts(source, gitlab_body, gitlab_signature("v2" + good.substr(2)), signed_at));
  EXPECT_FALSE(accepts(source, "{}", gitlab_signature(good), signed_at));
  Headers other_id = gitlab_signature(good);
  other_id[0].second = "9f1c2d3e";
  EXPECT_FALSE(accepts(source, gitlab_body, other_id, signed_at));
  Headers other_time = gitlab_signature(good);
  other_time[1].second = "1755000001";
  EXPECT_FALSE(accepts(source, gitlab_body, other_time, signed_at));
  Headers downgraded = gitlab_signature("v1,AAAA");
  downgraded.push_back({"X-Gitlab-Token", std::string{signing_secret}});
  EXPECT_FALSE(accepts(source, gitlab_body, downgraded, signed_at)) << "a signature is preferred";
  EXPECT_TRUE(accepts(source, gitlab_body, {{"X-Gitlab-Token", std::string{signing_secret}}}))
      << "GitLab may not sign yet";
}

TEST(Authenticity, AsksGitLabForAFreshSignature) {
  const GitSource source = with_secret(GitHost::gitlab, signing_secret);
  const Headers headers = gitlab_signature("v1,a0Mz+kOB7E2hnKk+TYVFECqa3mG55wU2Hc0KHjELJt0=");
  const auto accepted = [&](WallTime now) { return accepts(source, gitlab_body, headers, now); };
  EXPECT_TRUE(accepted(signed_at + signed_time_tolerance));
  EXPECT_TRUE(accepted(signed_at - signed_time_tolerance));
  EXPECT_FALSE(accepted(signed_at + signed_time_tolerance + Duration{1}));
  EXPECT_FALSE(accepted(signed_at - signed_time_tolerance - Duration{1}));
  for (const char* time : {"", "x", "-1", "1755000000.5", "18446744073709551615", "8589934593"}) {
    Headers odd = headers;
    odd[1].second = time;
    EXPECT_FALSE(accepts(source, gitlab_body, odd, signed_at)) << time;
  }
}

TEST(Authenticity, HoldsForTheVectorOfBitbucket) {
  const std::string good =
      "sha256=218113f1549203efc69a8e14c23c7c38dda1207fec7675f13e3c4c9de06f914b";
  for (const GitHost host : {GitHost::bitbucket, GitHost::bitbucket_server}) {
    const GitSource source = with_secret(host, "bb-demo-secret");
    constexpr std::string_view body = R"({"push":{"changes":[]}})";
    EXPECT_TRUE(accepts(source, body, {{"X-Hub-Signature", good}}));
    EXPECT_FALSE(accepts(source, body, {{"X-Hub-Signature-256", good}}));
    EXPECT_FALSE(accepts(source, body, {{"X-Hub-Signature", good.substr(7)}}));
    EXPECT_FALSE(accepts(source, "{}", {{"X-Hub-Signature", good}}));
    EXPECT_FALSE(accepts(source, body, {}));
  }
}

constexpr std::string_view gitea_body = R"({
  "ref": "refs/heads/main",
  "after": "3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"
})";
constexpr std::string_view gitea_digits =
    "8b33571527bbd05902d76e34286d4fbeb649cde384218be25884324b81f8dba9";

TEST(Authenticity, HoldsForTheVectorOfGiteaAndItsKin) {
  const std::pair<GitHost, const char*> rows[] = {{GitHost::gitea, "X-Gitea-Signature"},
                                                  {GitHost::forgejo, "X-Forgejo-Signature"},
                                                  {GitHost::forgejo, "X-Gitea-Signature"},
                                                  {GitHost::gogs, "X-Gogs-Signature"}};
  for (const auto& [host, header] : rows) {
    const GitSource source = with_secret(host, "gitea-demo-secret");
    const std::string digits{gitea_digits};
    EXPECT_TRUE(accepts(source, gitea_body, {{header, digits}})) << header;
    EXPECT_TRUE(accepts(source, "payload=…", {{header, digits}}, {}, gitea_body))
        << "the JSON is signed, not the form around it";
    EXPECT_FALSE(accepts(source, gitea_body, {{header, "sha256=" + digits}})) << header;
    EXPECT_FALSE(accepts(source, gitea_body, {{header, ""}})) << "as sent without a secret";
    EXPECT_FALSE(accepts(source, "{}", {{header, digits}})) << header;
  }
  const GitSource forgejo = with_secret(GitHost::forgejo, "gitea-demo-secret");
  const Headers own_is_wrong{{"X-Forgejo-Signature", ""},
                             {"X-Gitea-Signature", std::string{gitea_digits}}};
  EXPECT_FALSE(accepts(forgejo, gitea_body, own_is_wrong));
}

TEST(Authenticity, TakesTheSecretBeforeWhileItIsGood) {
  GitSource source = with_secret(GitHost::bitbucket, "the new secret here");
  source.previous_secret = "bb-demo-secret";
  source.previous_secret_until = signed_at;
  const Headers old{{"X-Hub-Signature",
                     "sha256=218113f1549203efc69a8e14c23c7c38dda1207fec7675f13e3c4c9de06f914b"}};
  constexpr std::string_view body = R"({"push":{"changes":[]}})";
  EXPECT_TRUE(accepts(source, body, old, signed_at - Duration{1}));
  EXPECT_FALSE(accepts(source, body, old, signed_at));
  source.previous_secret.clear();
  EXPECT_FALSE(accepts(source, body, old, signed_at - Duration{1}));
}

}  // namespace
}  // namespace ringpost::incoming
