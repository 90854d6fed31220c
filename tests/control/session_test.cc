// Goal: a browser that is signed in may do what its token may, from the relay's own pages, and for
// no longer than that token and the session's bounds.

#include "control/api/session.h"

#include "control/session_links.h"
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
    request->path = path.substr(0, path.find('?'));
    if (path.find('?') != std::string::npos) request->query = path.substr(path.find('?') + 1);
    request->headers = std::move(headers);
    if (!body.empty()) request->headers.push_back({"Content-Type", "application/json"});
    request->body = body;
    tell(0, ApiRequest{{}, std::move(request), from_});
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
  std::string link_of(const std::string& token = "admin-token") {
    const auto made = ask("POST", "/v1/session-links", {}, token);
    EXPECT_EQ(made.status, 201) << made.body;
    return Json(made.body).text("/code");
  }
  http::Response use_link(const std::string& code) {
    return ask_with("POST", "/v1/session-links/use",
                    {{"Origin", "https://relay"}, {"Sec-Fetch-Site", "same-origin"}},
                    R"({"code": ")" + code + R"("})");
  }

  io::Address from_ = *io::Address::parse_ip("192.0.2.7", 1234);
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

// --- sign-in links -------------------------------------------------------------------------------

TEST_F(SessionTest, BeginsWithALinkOnce) {
  add_token("reader", "default", static_cast<uint8_t>(Scope::webhooks_read));
  const auto made = ask("POST", "/v1/session-links", {}, "reader");
  Json link(made.body);
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(link.text("/path"), "/console/#code=" + link.text("/code"));
  EXPECT_EQ(link.text("/expires_at"), to_rfc3339(testing::at(clock_ + 60)));
  EXPECT_EQ(made.body.find("reader"), std::string::npos) << made.body;
  const auto used = use_link(link.text("/code"));
  EXPECT_EQ(used.status, 201) << used.body;
  EXPECT_EQ(Json(used.body).text("/token/name"), "reader");
  const std::string cookie = header_of(used, "Set-Cookie");
  EXPECT_NE(cookie.find("; HttpOnly; SameSite=Strict; Secure"), std::string::npos) << cookie;
  const std::string mine = cookie.substr(0, cookie.find(';'));
  EXPECT_EQ(ask_from_page("GET", "/v1/webhooks", mine).status, 200);
  EXPECT_EQ(ask_from_page("GET", "/v1/tokens", mine).status, 403);
  const auto again = use_link(link.text("/code"));
  EXPECT_EQ(again.status, 401);
  EXPECT_EQ(Json(again.body).text("/type"), "urn:ringpost:link-over");
}

TEST_F(SessionTest, TakesNoLinkThatIsOverOrNeverWas) {
  const std::string late = link_of();
  const std::string early = link_of();
  clock_ += 59;
  EXPECT_EQ(use_link(early).status, 201);
  clock_ += 1;
  EXPECT_EQ(use_link(late).status, 401);
  EXPECT_EQ(use_link("garbage").status, 401);
  EXPECT_EQ(use_link("").status, 422);
  EXPECT_EQ(ask_with("POST", "/v1/session-links/use", {}, R"({"token": "admin-token"})").status,
            422);
  EXPECT_EQ(ask_with("POST", "/v1/session-links/use", {}, "[]").status, 400);
}

TEST_F(SessionTest, GuessesOfLinksCountAsWrongTokens) {
  http::Response last;
  for (int guess = 0; guess < 100 && last.status != 429; ++guess) last = use_link("garbage");
  EXPECT_EQ(last.status, 429);
  EXPECT_NE(header_of(last, "Retry-After"), "");
  EXPECT_EQ(use_link(link_of()).status, 201);  // A good one is still taken.
}

TEST_F(SessionTest, ALinkEndsWithItsToken) {
  const auto made = ask("POST", "/v1/tokens", R"({"name": "a", "scopes": ["webhooks:read"]})");
  Json token(made.body);
  const std::string code = link_of(token.text("/token"));
  EXPECT_EQ(ask("DELETE", "/v1/tokens/" + token.text("/id")).status, 204);
  EXPECT_EQ(use_link(code).status, 401);
}

TEST_F(SessionTest, ASessionMakesNoLink) {
  EXPECT_EQ(ask_from_page("POST", "/v1/session-links", sign_in()).status, 401);
  EXPECT_EQ(ask("POST", "/v1/session-links", {}, "").status, 401);
  EXPECT_EQ(ask("POST", "/v1/session-links", R"({"for": "ever"})").status, 422);
}

// The new cookie replaces it: nobody has its key any more.
TEST_F(SessionTest, EndsWhenItsBrowserSignsInAgain) {
  const std::string cookie = sign_in();
  const auto again = ask_with("POST", "/v1/session",
                              {{"Authorization", "Bearer admin-token"}, {"Cookie", cookie}});
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(ask_from_page("GET", "/v1/webhooks", cookie).status, 401);
}

// --- who is signed in ----------------------------------------------------------------------------

std::vector<std::string> names_in(const http::Response& page) {
  Json json(page.body);
  std::vector<std::string> names;
  for (size_t index = 0; index < json.size("/items"); ++index) {
    names.push_back(json.text("/items/" + std::to_string(index) + "/token/name"));
  }
  return names;
}

TEST_F(SessionTest, ListsWhoIsSignedIn) {
  const std::string cookie = sign_in();
  clock_ += 600;
  from_ = *io::Address::parse_ip("192.0.2.8", 4321);
  Json own(ask_from_page("GET", "/v1/session", cookie).body);
  Json page(ask_from_page("GET", "/v1/sessions", cookie).body);
  EXPECT_EQ(page.size("/items"), 1u);
  EXPECT_EQ(page.text("/items/0/id"), own.text("/id"));
  EXPECT_EQ(page.text("/items/0/token/name"), "admin-token");
  EXPECT_EQ(page.text("/items/0/began_at"), to_rfc3339(testing::at(clock_ - 600)));
  EXPECT_EQ(page.text("/items/0/used_at"), to_rfc3339(testing::at(clock_)));
  EXPECT_EQ(page.text("/items/0/expires_at"), own.text("/expires_at"));
  EXPECT_EQ(page.text("/items/0/address"), "192.0.2.8:4321");
  EXPECT_TRUE(Json(ask("GET", "/v1/session").body).is_null("/id"));  // A token's request has none.
}

TEST_F(SessionTest, ShowsSessionsOfOwnTokenAndToAdministratorsThoseOfTheOrganization) {
  add_token("reader", "default", static_cast<uint8_t>(Scope::webhooks_read));
  add_token("theirs", "mobile", static_cast<uint8_t>(Scope::admin));
  const std::string reader = sign_in("reader");
  const std::string theirs = sign_in("theirs");
  clock_ += 1;
  const std::string admin = sign_in();
  using Names = std::vector<std::string>;
  EXPECT_EQ(names_in(ask_from_page("GET", "/v1/sessions", reader)), Names{"reader"});
  EXPECT_EQ(names_in(ask_from_page("GET", "/v1/sessions", theirs)), Names{"theirs"});
  EXPECT_EQ(names_in(ask_from_page("GET", "/v1/sessions", admin)),
            (Names{"admin-token", "reader"}));
  EXPECT_EQ(names_in(ask("GET", "/v1/sessions?organization=mobile")), Names{"theirs"});
  EXPECT_EQ(ask("GET", "/v1/sessions?organization=default", {}, "theirs").status, 404);
  EXPECT_EQ(ask("GET", "/v1/sessions?source=x").status, 400);
}

TEST_F(SessionTest, ListsPageByPage) {
  for (int64_t index = 0; index < 3; ++index, ++clock_) sign_in();
  Json first(ask("GET", "/v1/sessions?limit=2").body);
  EXPECT_EQ(first.size("/items"), 2u);
  Json second(ask("GET", "/v1/sessions?limit=2&cursor=" + first.text("/next_cursor")).body);
  EXPECT_EQ(second.size("/items"), 1u);
  EXPECT_TRUE(second.is_null("/next_cursor"));
  EXPECT_LT(second.text("/items/0/id"), first.text("/items/1/id"));
}

TEST_F(SessionTest, EndsAtOnceWhenItIsRevoked) {
  add_token("reader", "default", static_cast<uint8_t>(Scope::webhooks_read));
  add_token("theirs", "mobile", static_cast<uint8_t>(Scope::admin));
  const std::string reader = sign_in("reader");
  const std::string admin = sign_in();
  const auto path_of = [&](const std::string& cookie) {
    return "/v1/sessions/" + Json(ask_from_page("GET", "/v1/session", cookie).body).text("/id");
  };
  const std::string readers = path_of(reader);
  EXPECT_EQ(ask("DELETE", readers, {}, "theirs").status, 404);
  EXPECT_EQ(ask_from_page("DELETE", path_of(admin), reader).status, 404);
  EXPECT_EQ(ask_from_page("DELETE", readers, admin).status, 204);
  EXPECT_EQ(ask_from_page("GET", "/v1/webhooks", reader).status, 401);
  EXPECT_EQ(ask_from_page("GET", "/v1/webhooks", admin).status, 200);
  EXPECT_EQ(ask("DELETE", readers).status, 404);
  EXPECT_EQ(ask("DELETE", "/v1/sessions/x").status, 404);
  Json audit(ask("GET", "/v1/audit").body);
  EXPECT_EQ(audit.text("/items/0/operation"), "session.delete");
}

TEST_F(SessionTest, IsNotListedOnceItsTokenIsGone) {
  const auto made = ask("POST", "/v1/tokens", R"({"name": "a", "scopes": ["webhooks:read"]})");
  Json token(made.body);
  sign_in(token.text("/token"));
  EXPECT_EQ(names_in(ask("GET", "/v1/sessions")), std::vector<std::string>{"a"});
  EXPECT_EQ(ask("DELETE", "/v1/tokens/" + token.text("/id")).status, 204);
  EXPECT_EQ(names_in(ask("GET", "/v1/sessions")).size(), 0u);
}

// --- the table -----------------------------------------------------------------------------------

crypto::Digest token_of(uint8_t number) {
  return {number};
}

const io::Address somewhere = *io::Address::parse_ip("192.0.2.1", 1);

std::string begin(Sessions& sessions, uint8_t token, int64_t seconds) {
  return sessions.create(
      {.token_sha256 = token_of(token), .from = somewhere, .now = monotonic(seconds)});
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
  const std::string others = begin(sessions, 2, 0);
  std::vector<std::string> keys;
  for (size_t index = 0; index < Sessions::per_token_max; ++index) {
    keys.push_back(begin(sessions, 1, static_cast<int64_t>(index)));
  }
  // So the second is the oldest: it is looked at, and not used.
  EXPECT_NE(sessions.use(keys[0], monotonic(100), &somewhere), nullptr);
  EXPECT_NE(sessions.use(keys[1], monotonic(100)), nullptr);
  const std::string newest = begin(sessions, 1, 101);
  EXPECT_EQ(sessions.count(), Sessions::per_token_max + 1);
  EXPECT_EQ(sessions.use(keys[1], monotonic(102)), nullptr);
  for (const std::string& key : {others, keys[0], keys[2], newest}) {
    EXPECT_NE(sessions.use(key, monotonic(102)), nullptr);
  }
}

TEST(Sessions, AreForgottenWhenTheyAreOver) {
  Sessions sessions;
  begin(sessions, 1, 0);
  begin(sessions, 2, 3600);
  EXPECT_EQ(sessions.count(), 1u);
  EXPECT_EQ(sessions.use("", monotonic(3600)), nullptr);
  const auto all = [](const Sessions::Session&) { return true; };
  EXPECT_EQ(sessions.list(monotonic(3600), all).size(), 1u);
  EXPECT_EQ(sessions.list(monotonic(7200), all).size(), 0u);
}

TEST(SessionLinks, AreBoundedAndForgotten) {
  SessionLinks links;
  const std::string others = links.create(token_of(2), monotonic(0));
  const std::string oldest = links.create(token_of(1), monotonic(0));
  for (size_t index = 1; index <= SessionLinks::per_token_max; ++index) {
    links.create(token_of(1), monotonic(static_cast<int64_t>(index)));
  }
  EXPECT_EQ(links.count(), SessionLinks::per_token_max + 1);
  EXPECT_FALSE(links.take(oldest, monotonic(21)));
  EXPECT_EQ(links.take(others, monotonic(21)), token_of(2));
  EXPECT_FALSE(links.take(others, monotonic(21)));
  links.create(token_of(3), monotonic(100));
  EXPECT_EQ(links.count(), 1u);
}

}  // namespace
}  // namespace ringpost::control
