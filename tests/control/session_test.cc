// Goal: a browser that is signed in may do what its token may, from the relay's own pages, and for
// no longer than that token and the session's bounds.

#include "control/api/session.h"

#include "control/sessions.h"
#include "control_fixture.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using subscription::Scope;
using testing::ControlTest;
using testing::header_of;
using testing::Json;
using testing::monotonic;

class SessionTest : public ControlTest {
 protected:
  using Headers = std::vector<http::Header>;

  http::Response ask_with(const std::string& method, const std::string& path, Headers headers,
                          const std::string& body = {}) {
    auto request = std::make_unique<http::Request>();
    request->method = method;
    request->path = path;
    request->headers = std::move(headers);
    if (!body.empty()) request->headers.push_back({"Content-Type", "application/json"});
    request->body = body;
    tell(0, ApiRequest{{}, std::move(request), {}});
    settle();
    const auto response = answered();
    EXPECT_TRUE(response) << method << path;
    return response.value_or(http::Response{});
  }
  /// @returns the cookie as a browser sends it back.
  std::string sign_in(const std::string& token = "admin-token") {
    const auto response = ask("POST", "/v1/session", {}, token);
    EXPECT_EQ(response.status, 201) << response.body;
    const std::string cookie = header_of(response, "Set-Cookie");
    return cookie.substr(0, cookie.find(';'));
  }
  /// As a page of the relay asks.
  http::Response ask_from_page(const std::string& method, const std::string& path,
                               const std::string& cookie, const std::string& body = {}) {
    return ask_with(
        method, path,
        {{"Cookie", cookie}, {"Origin", "http://relay"}, {"Sec-Fetch-Site", "same-origin"}}, body);
  }
};

TEST_F(SessionTest, ExchangesATokenForACookie) {
  const auto response = ask("POST", "/v1/session");
  EXPECT_EQ(response.status, 201);
  const std::string cookie = header_of(response, "Set-Cookie");
  EXPECT_TRUE(cookie.starts_with("ringpost_session=")) << cookie;
  EXPECT_NE(cookie.find("; Path=/v1; Max-Age=43200; HttpOnly; SameSite=Strict"), std::string::npos)
      << cookie;
  EXPECT_EQ(cookie.find("Secure"), std::string::npos) << cookie;
  EXPECT_EQ(cookie.find("admin-token"), std::string::npos) << cookie;
  Json shown(response.body);
  EXPECT_EQ(shown.text("/token/name"), "admin-token");
  EXPECT_EQ(shown.text("/token/scopes/0"), "admin");
  EXPECT_EQ(response.body.find("sha256"), std::string::npos);
  const std::string mine = cookie.substr(0, cookie.find(';'));
  const auto again = ask_from_page("GET", "/v1/session", mine);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(Json(again.body).text("/expires_at"), shown.text("/expires_at"));
}

TEST_F(SessionTest, MarksTheCookieWhereTheBrowserUsesHttps) {
  for (const auto& [origin, secure] : std::vector<std::pair<std::string, bool>>{
           {"https://relay.example.org", true}, {"http://relay.example.org", false}}) {
    const auto response = ask_with("POST", "/v1/session",
                                   {{"Authorization", "Bearer admin-token"}, {"Origin", origin}});
    const bool marked = header_of(response, "Set-Cookie").find("; Secure") != std::string::npos;
    EXPECT_EQ(marked, secure) << origin;
  }
}

TEST_F(SessionTest, BeginsWithAValidTokenAlone) {
  EXPECT_EQ(ask("POST", "/v1/session", {}, "").status, 401);
  EXPECT_EQ(ask("POST", "/v1/session", {}, "garbage").status, 401);
  EXPECT_EQ(ask("POST", "/v1/session", R"({"token": "x"})").status, 422);
  const std::string cookie = sign_in();
  EXPECT_EQ(ask_from_page("POST", "/v1/session", cookie).status, 401);  // Or it would never end.
}

TEST_F(SessionTest, MayDoWhatItsTokenMay) {
  add_token("reader", "default", static_cast<uint8_t>(Scope::webhooks_read));
  const std::string cookie = sign_in("reader");
  EXPECT_EQ(ask_from_page("GET", "/v1/webhooks", cookie).status, 200);
  const auto refused =
      ask_from_page("POST", "/v1/webhooks", cookie, R"({"url": "https://ci.example.org/"})");
  EXPECT_EQ(refused.status, 403);
  EXPECT_NE(refused.body.find("webhooks:write"), std::string::npos) << refused.body;
  EXPECT_EQ(ask_from_page("GET", "/v1/tokens", cookie).status, 403);
  EXPECT_EQ(
      ask_from_page("POST", "/v1/webhooks", sign_in(), R"({"url": "https://ci.example.org/"})")
          .status,
      201);
}

TEST_F(SessionTest, ServesTheRelaysOwnPagesAlone) {
  const std::string cookie = sign_in();
  const std::string path = "/v1/webhooks/" + make_webhook();
  struct Case {
    SessionTest::Headers headers;
    int read;
    int change;
  };
  for (const Case& each : std::vector<Case>{
           {{{"Origin", "http://relay"}, {"Sec-Fetch-Site", "same-origin"}}, 200, 200},
           {{{"Origin", "http://relay"}}, 200, 200},  // Without TLS, or an old browser.
           {{{"Sec-Fetch-Site", "same-origin"}}, 200, 200},
           {{}, 200, 403},
           {{{"Sec-Fetch-Site", "none"}}, 200, 403},       // An address that was typed.
           {{{"Sec-Fetch-Site", "same-site"}}, 403, 403},  // Another port of this host.
           {{{"Sec-Fetch-Site", "cross-site"}}, 403, 403}}) {
    Headers headers = each.headers;
    headers.push_back({"Cookie", "other=1; " + cookie + "; more=2"});
    EXPECT_EQ(ask_with("GET", path, headers).status, each.read);
    EXPECT_EQ(ask_with("POST", path + "/disable", headers).status, each.change);
  }
}

// Another server on this host may set a cookie for a path of ours: it would decide who acts.
TEST_F(SessionTest, TakesNoRequestWithTwoCookies) {
  const std::string mine = sign_in();
  const std::string theirs = sign_in();
  EXPECT_EQ(ask_from_page("GET", "/v1/webhooks", mine + "; " + theirs).status, 400);
  EXPECT_EQ(ask_from_page("GET", "/v1/webhooks", theirs + ";" + mine).status, 400);
  EXPECT_EQ(ask_from_page("GET", "/v1/webhooks", mine + "; other=1").status, 200);
}

TEST_F(SessionTest, OpensNoDialectsApi) {
  const std::string cookie = sign_in();
  for (const char* path : {"/v0.1/apps/a/outgoing-webhooks", "/v2/organizations/default/services",
                           "/pipelines/1/hooks"}) {
    EXPECT_EQ(ask_from_page("GET", path, cookie).status, 401) << path;
  }
}

TEST_F(SessionTest, ATokenCountsBeforeACookie) {
  const std::string cookie = sign_in();
  EXPECT_EQ(
      ask_with("GET", "/v1/webhooks", {{"Cookie", cookie}, {"Authorization", "Bearer no"}}).status,
      401);
}

TEST_F(SessionTest, EndsAtOnceWithItsToken) {
  const auto made = ask("POST", "/v1/tokens", R"({"name": "a", "scopes": ["webhooks:read"]})");
  Json token(made.body);
  const std::string cookie = sign_in(token.text("/token"));
  EXPECT_EQ(ask_from_page("GET", "/v1/webhooks", cookie).status, 200);
  EXPECT_EQ(ask("DELETE", "/v1/tokens/" + token.text("/id")).status, 204);
  const auto over = ask_from_page("GET", "/v1/webhooks", cookie);
  EXPECT_EQ(over.status, 401);
  EXPECT_EQ(Json(over.body).text("/type"), "urn:ringpost:session-over");
  EXPECT_EQ(header_of(over, "WWW-Authenticate"), "Bearer realm=\"ringpost\"");
}

TEST_F(SessionTest, EndsWhenSomebodySignsOut) {
  const std::string cookie = sign_in();
  const std::string other = sign_in();
  const auto out = ask_from_page("DELETE", "/v1/session", cookie);
  EXPECT_EQ(out.status, 204);
  EXPECT_TRUE(header_of(out, "Set-Cookie").starts_with("ringpost_session=; Path=/v1; Max-Age=0;"));
  EXPECT_EQ(ask_from_page("GET", "/v1/webhooks", cookie).status, 401);
  EXPECT_EQ(ask_from_page("GET", "/v1/webhooks", other).status, 200);
}

TEST_F(SessionTest, EndsWithoutUseAndAfterItsTime) {
  const std::string idle = sign_in();
  const std::string used = sign_in();
  constexpr int64_t minute = 60;
  for (int64_t minutes = 0; minutes < 12 * 60; minutes += 59) {
    EXPECT_EQ(ask_from_page("GET", "/v1/webhooks", used).status, 200) << minutes;
    clock_ += 59 * minute;
  }
  EXPECT_EQ(ask_from_page("GET", "/v1/webhooks", idle).status, 401);
  EXPECT_EQ(ask_from_page("GET", "/v1/webhooks", used).status, 401);
}

// --- the table -----------------------------------------------------------------------------------

subscription::Token token_of(uint8_t number) {
  subscription::Token token;
  token.sha256[0] = number;
  return token;
}

// A page that is left open asks for ever.
TEST_F(SessionTest, IsNotUsedByAPageThatNobodyTouches) {
  const std::string cookie = sign_in();
  const auto ask_alone = [&] {
    return ask_with("GET", "/v1/webhooks",
                    {{"Cookie", cookie}, {"Sec-Fetch-Site", "same-origin"}, {"Ringpost-Idle", "1"}})
        .status;
  };
  constexpr int64_t minute = 60;
  clock_ += 50 * minute;
  EXPECT_EQ(ask_alone(), 200);
  clock_ += 20 * minute;
  EXPECT_EQ(ask_alone(), 401);
}

TEST(Sessions, AreBoundedForEachToken) {
  Sessions sessions;
  const std::string others = sessions.create(token_of(2), monotonic(0));
  std::vector<std::string> keys;
  for (size_t index = 0; index < Sessions::per_token_max; ++index) {
    keys.push_back(sessions.create(token_of(1), monotonic(static_cast<int64_t>(index))));
  }
  EXPECT_NE(sessions.use(keys[0], monotonic(100)), nullptr);  // So the second is the oldest.
  const std::string newest = sessions.create(token_of(1), monotonic(101));
  EXPECT_EQ(sessions.count(), Sessions::per_token_max + 1);
  EXPECT_EQ(sessions.use(keys[1], monotonic(102)), nullptr);
  for (const std::string& key : {others, keys[0], keys[2], newest}) {
    EXPECT_NE(sessions.use(key, monotonic(102)), nullptr);
  }
}

TEST(Sessions, AreForgottenWhenTheyAreOver) {
  Sessions sessions;
  sessions.create(token_of(1), monotonic(0));
  sessions.create(token_of(2), monotonic(3600));
  EXPECT_EQ(sessions.count(), 1u);
  EXPECT_EQ(sessions.use("", monotonic(3600)), nullptr);
}

}  // namespace
}  // namespace ringpost::control
