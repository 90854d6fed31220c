// Goal: people sign in with a name and a password and may do what they may as of now; who manages
// them gives nobody more than they have; nobody learns who there is, and nobody is locked out.

#include "control_fixture.h"
#include "crypto/scrypt.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::control {
namespace {

using subscription::Scope;
using testing::at;
using testing::ControlTest;
using testing::header_of;
using testing::Json;

constexpr const char* good = "correct horse battery";

class UsersTest : public ControlTest {
 protected:
  std::string user(const std::string& name, const std::string& more = R"("scopes": ["admin"])",
                   const std::string& token = "admin-token") {
    const auto response =
        ask("POST", "/v1/users",
            R"({"name": ")" + name + R"(", "password": ")" + good + "\", " + more + "}", token);
    EXPECT_EQ(response.status, 201) << response.body;
    return Json(response.body).text("/id");
  }
  /// What a browser sends. @param cookie  empty: it has none.
  http::Response ask_from_page(const std::string& method, const std::string& path,
                               const std::string& cookie, const std::string& body = {},
                               const std::string& site = "same-origin") {
    auto request = std::make_unique<http::Request>();
    request->method = method;
    request->path = path;
    request->headers = {{"Origin", "http://relay"}, {"Sec-Fetch-Site", site}};
    if (!cookie.empty()) request->headers.push_back({"Cookie", cookie});
    if (!body.empty()) request->headers.push_back({"Content-Type", "application/json"});
    request->body = body;
    tell(0, ApiRequest{{}, std::move(request), from_});
    settle();
    const auto response = answered();
    EXPECT_TRUE(response) << method << path;
    return response.value_or(http::Response{});
  }
  http::Response try_sign_in(const std::string& name, const std::string& password = good) {
    clock_ += 1;
    return ask_from_page("POST", "/v1/session/sign-in", {},
                         R"({"name": ")" + name + R"(", "password": ")" + password + R"("})");
  }
  /// @returns the cookie as a browser sends it back.
  std::string sign_in(const std::string& name, const std::string& password = good) {
    const auto response = try_sign_in(name, password);
    EXPECT_EQ(response.status, 201) << response.body;
    const std::string cookie = header_of(response, "Set-Cookie");
    return cookie.substr(0, cookie.find(';'));
  }
  uint16_t seen(const std::string& path, const std::string& cookie) {
    return ask_from_page("GET", path, cookie).status;
  }
  http::Response change(const std::string& id, const std::string& body) {
    return ask("PATCH", "/v1/users/" + id, body);
  }
  std::vector<std::string> operations() {
    std::vector<std::string> names;
    const auto entries = store_->audit().list(
        {.organization = "default", .since = {}, .until = {}, .before = {}, .limit = 100});
    for (const AuditEntry& entry : *entries) {
      names.push_back(entry.operation + " by " + entry.token_name);
    }
    return names;
  }
  void come_from(const std::string& address) { from_ = *io::Address::parse_ip(address, 7); }

  io::Address from_ = *io::Address::parse_ip("192.0.2.7", 7);
};

TEST_F(UsersTest, AreShownWithoutTheirPasswords) {
  const std::string id = user("ann@example.org", R"("scopes": ["webhooks:read"],
                                                    "sources": ["app/*"])");
  user("bob");
  for (const std::string& path : {"/v1/users/" + id, std::string{"/v1/users"}}) {
    const auto response = ask("GET", path);
    EXPECT_EQ(response.status, 200) << path;
    EXPECT_EQ(response.body.find("scrypt"), std::string::npos) << response.body;
    EXPECT_EQ(response.body.find("assword"), std::string::npos) << response.body;
  }
  Json shown(ask("GET", "/v1/users/" + id).body);
  EXPECT_EQ(shown.text("/name"), "ann@example.org");
  EXPECT_EQ(shown.text("/sign_in_name"), "ann@example.org");
  EXPECT_EQ(shown.text("/organization"), "default");
  EXPECT_EQ(shown.text("/scopes/0"), "webhooks:read");
  EXPECT_EQ(shown.text("/sources/0"), "app/*");
  EXPECT_TRUE(shown.is_true("/enabled"));
  EXPECT_EQ(Json(ask("GET", "/v1/users").body).size("/items"), 2u);
  std::vector<User> stored;
  ASSERT_TRUE(store_->users().load([&](User&& one) { stored.push_back(std::move(one)); }));
  std::string why;
  const auto hash = crypto::PasswordHash::parse(stored.at(0).password, why);
  ASSERT_TRUE(hash) << why;
  EXPECT_TRUE(hash->matches(good));
  EXPECT_NE(stored.at(0).password, stored.at(1).password) << "each has a salt of its own";
}

TEST_F(UsersTest, RefusesThoseThatCannotBe) {
  user("ann");
  struct Row {
    std::string body;
    uint16_t status;
    const char* member;
  };
  const std::string password = R"("password": "correct horse battery")";
  const std::string scopes = R"("scopes": ["admin"])";
  for (const Row& row : std::vector<Row>{
           {"{" + password + ", " + scopes + "}", 422, "name"},
           {R"({"name": "", )" + password + ", " + scopes + "}", 422, "name"},
           {R"({"name": "Ann", )" + password + ", " + scopes + "}", 422, "name"},
           {R"({"name": "acme/ann", )" + password + ", " + scopes + "}", 422, "name"},
           {R"({"name": "ann", )" + password + ", " + scopes + "}", 409, "name"},
           {R"({"name": "bob", )" + password + "}", 422, "scopes"},
           {R"({"name": "bob", )" + password + R"(, "scopes": []})", 422, "scopes"},
           {R"({"name": "bob", )" + scopes + "}", 422, "password"},
           {R"({"name": "bob", "password": "eleven char", )" + scopes + "}", 422, "password"},
           {R"({"name": "bob", "password": "ééééééééééé", )" + scopes + "}", 422, "password"},
           {R"({"name": "bob", "password": ")" + std::string(1025, 'x') + "\", " + scopes + "}",
            422, "password"},
           {R"({"name": "bob", "password": null, )" + scopes + "}", 422, "password"},
           {R"({"name": "bob", "enabled": true, )" + password + ", " + scopes + "}", 422,
            "enabled"},
       }) {
    const auto response = ask("POST", "/v1/users", row.body);
    EXPECT_EQ(response.status, row.status) << row.body;
    EXPECT_EQ(Json(response.body).text("/member"), row.member) << row.body;
  }
  const std::string id = Json(ask("GET", "/v1/users").body).text("/items/0/id");
  EXPECT_EQ(change(id, R"({"name": "bob"})").status, 422);
  EXPECT_EQ(change(id, R"({"scopes": []})").status, 422);
  EXPECT_EQ(change(id, R"({"password": "short"})").status, 422);
}

TEST_F(UsersTest, SignInWithAnyPasswordOfUtf8UpToAKibibyte) {
  const std::string long_one(1024, 'x');
  const std::string odd = "\\u0000 пароль 🔑 \\\"";
  for (const auto& [name, password] :
       std::vector<std::pair<std::string, std::string>>{{"long", long_one}, {"odd", odd}}) {
    ASSERT_EQ(ask("POST", "/v1/users",
                  R"({"name": ")" + name + R"(", "scopes": ["admin"], "password": ")" + password +
                      R"("})")
                  .status,
              201);
    const auto response = try_sign_in(name, password);
    EXPECT_EQ(response.status, 201) << response.body;
    Json session(response.body);
    EXPECT_EQ(session.text("/user"), name);
    EXPECT_EQ(session.text("/token/name"), "user " + name);
  }
  EXPECT_EQ(try_sign_in("long", std::string(1023, 'x')).status, 401);
  EXPECT_EQ(try_sign_in("LONG", long_one).status, 201) << "names are told apart without their case";
}

TEST_F(UsersTest, MayDoWhatTheyMayAsOfNow) {
  const std::string id = user("ann", R"("scopes": ["webhooks:read"])");
  const std::string cookie = sign_in("ann");
  EXPECT_EQ(seen("/v1/webhooks", cookie), 200);
  EXPECT_EQ(seen("/v1/deliveries", cookie), 403);
  EXPECT_EQ(change(id, R"({"scopes": ["deliveries:read"]})").status, 200);
  EXPECT_EQ(seen("/v1/webhooks", cookie), 403);
  EXPECT_EQ(seen("/v1/deliveries", cookie), 200);
  EXPECT_EQ(change(id, R"({"enabled": false})").status, 200);
  EXPECT_EQ(seen("/v1/deliveries", cookie), 401);
  EXPECT_EQ(try_sign_in("ann").status, 401);
  EXPECT_EQ(change(id, R"({"enabled": true})").status, 200);
  EXPECT_EQ(seen("/v1/deliveries", cookie), 401) << "what has ended does not come back";
  const std::string later = sign_in("ann");
  EXPECT_EQ(seen("/v1/deliveries", later), 200);
  EXPECT_EQ(ask("DELETE", "/v1/users/" + id).status, 204);
  EXPECT_EQ(seen("/v1/deliveries", later), 401);
  EXPECT_EQ(try_sign_in("ann").status, 401);
  EXPECT_EQ(ask("GET", "/v1/users/" + id).status, 404);
}

TEST_F(UsersTest, AreKeptAcrossARestart) {
  user("ann");
  const std::string cookie = sign_in("ann");
  restart();
  EXPECT_EQ(seen("/v1/webhooks", cookie), 401);
  EXPECT_EQ(seen("/v1/webhooks", sign_in("ann")), 200);
}

TEST_F(UsersTest, AnotherPasswordEndsTheOtherSessions) {
  const std::string id = user("ann");
  const std::string one = sign_in("ann");
  const std::string two = sign_in("ann");
  const auto own =
      ask_from_page("PATCH", "/v1/users/" + id, two, R"({"password": "another one that is long"})");
  EXPECT_EQ(own.status, 403) << "nobody locks out whose session they have found";
  EXPECT_EQ(Json(own.body).text("/member"), "password");
  EXPECT_NE(own.body.find("/v1/session/password"), std::string::npos) << own.body;
  EXPECT_EQ(seen("/v1/webhooks", one), 200);
  const std::string bob = user("bob");
  const auto others = ask_from_page("PATCH", "/v1/users/" + bob, two,
                                    R"({"password": "another one that is long"})");
  EXPECT_EQ(others.status, 200) << others.body;
  EXPECT_EQ(change(id, R"({"password": "yet another of them"})").status, 200);
  EXPECT_EQ(seen("/v1/webhooks", two), 401);
  EXPECT_EQ(try_sign_in("ann").status, 401);
  EXPECT_EQ(try_sign_in("ann", "yet another of them").status, 201);
}

TEST_F(UsersTest, ChangeTheirOwnPasswordByTheOneTheyHave) {
  user("ann", R"("scopes": ["webhooks:read"])");
  const std::string other = sign_in("ann");
  const std::string mine = sign_in("ann");
  const auto ask_change = [&](const std::string& current, const std::string& next) {
    clock_ += 1;
    return ask_from_page(
        "POST", "/v1/session/password", mine,
        R"({"current_password": ")" + current + R"(", "password": ")" + next + R"("})");
  };
  const auto wrong = ask_change("something else entirely", "a new one of mine");
  EXPECT_EQ(wrong.status, 403);
  EXPECT_EQ(Json(wrong.body).text("/member"), "current_password");
  EXPECT_EQ(ask_change(good, "short").status, 422);
  EXPECT_EQ(seen("/v1/webhooks", other), 200);
  EXPECT_EQ(ask_change(good, "a new one of mine").status, 200);
  EXPECT_EQ(seen("/v1/webhooks", other), 401);
  EXPECT_EQ(seen("/v1/webhooks", mine), 200);
  EXPECT_EQ(try_sign_in("ann", "a new one of mine").status, 201);
  EXPECT_EQ(ask("POST", "/v1/session/password",
                R"({"current_password": "x", "password": "a new one of mine"})")
                .status,
            409)
      << "a token has none";
  const auto names = operations();
  EXPECT_EQ(std::ranges::count(names, "user.update by user ann"), 1);
}

TEST_F(UsersTest, AreManagedWithinAnOrganizationAlone) {
  add_token("acme-admin", "acme", static_cast<uint8_t>(Scope::admin));
  const std::string mine = user("ann");
  const std::string theirs = user("ann", R"("scopes": ["admin"])", "acme-admin");
  for (const auto& [method, body] : std::vector<std::pair<std::string, std::string>>{
           {"GET", ""}, {"PATCH", R"({"enabled": false})"}, {"DELETE", ""}}) {
    EXPECT_EQ(ask(method, "/v1/users/" + mine, body, "acme-admin").status, 404) << method;
  }
  EXPECT_EQ(ask("GET", "/v1/users?organization=default", {}, "acme-admin").status, 404);
  EXPECT_EQ(Json(ask("GET", "/v1/users", {}, "acme-admin").body).text("/items/0/id"), theirs);
  EXPECT_EQ(ask("POST", "/v1/users",
                R"({"name": "eve", "password": "correct horse battery", "scopes": ["admin"],
                    "organization": "default"})",
                "acme-admin")
                .status,
            404);
  EXPECT_EQ(Json(ask("GET", "/v1/users/" + theirs).body).text("/sign_in_name"), "acme/ann");
  const std::string cookie = sign_in("acme/ann");
  EXPECT_EQ(seen("/v1/users/" + theirs, cookie), 200);
  EXPECT_EQ(seen("/v1/users/" + mine, cookie), 404);
  EXPECT_EQ(seen("/v1/status", cookie), 403) << "no operator";
  EXPECT_EQ(seen("/v1/status", sign_in("ann")), 200);
}

TEST_F(UsersTest, GetNoMoreThanWhoMakesThemHas) {
  const std::string all = user("root");
  user("ann", R"("scopes": ["admin"], "sources": ["app/*"])");
  const std::string cookie = sign_in("ann");
  const auto made = [&](const std::string& sources) {
    return ask_from_page("POST", "/v1/users", cookie,
                         R"({"name": "eve", "password": "correct horse battery",
                             "scopes": ["admin"])" +
                             sources + "}");
  };
  EXPECT_EQ(made("").status, 403);
  EXPECT_EQ(made(R"(, "sources": ["*"])").status, 403);
  const auto response = made(R"(, "sources": ["app/x"])");
  EXPECT_EQ(response.status, 201);
  const std::string path = "/v1/users/" + Json(response.body).text("/id");
  EXPECT_EQ(ask_from_page("PATCH", path, cookie, R"({"sources": ["*"]})").status, 403);
  EXPECT_EQ(
      ask_from_page("PATCH", "/v1/users/" + all, cookie, R"({"password": "one that I know of"})")
          .status,
      404)
      << "or it would sign in as them";
  const std::string reader = user("reader", R"("scopes": ["webhooks:read"])");
  EXPECT_EQ(seen("/v1/users", sign_in("reader")), 403);
}

TEST_F(UsersTest, NobodyLearnsWhoThereIs) {
  user("ann");
  const std::string id = user("off");
  change(id, R"({"enabled": false})");
  const std::string expected = try_sign_in("ann", "wrong wrong wrong").body;
  EXPECT_NE(expected.find("urn:ringpost:wrong-password"), std::string::npos) << expected;
  come_from("192.0.2.8");
  EXPECT_EQ(try_sign_in("nobody").body, expected);
  EXPECT_EQ(try_sign_in("off").body, expected);
  EXPECT_EQ(try_sign_in("").status, 422);
  come_from("192.0.2.9");
  EXPECT_EQ(try_sign_in("acme/ann").body, expected);
  EXPECT_EQ(try_sign_in("/").body, expected);
  EXPECT_EQ(try_sign_in("default/ann").status, 201);
}

TEST_F(UsersTest, AreNotLockedOutByAStranger) {
  user("ann");
  sign_in("ann");
  uint16_t last = 0;
  come_from("198.51.100.1");
  for (int count = 0; count < 6; ++count) last = try_sign_in("ann", "wrong wrong wrong").status;
  EXPECT_EQ(last, 429);
  come_from("192.0.2.7");
  EXPECT_EQ(try_sign_in("ann").status, 201);
  const auto status = ask("GET", "/v1/status");
  EXPECT_EQ(Json(status.body).number("/totals/passwords_refused"), 5);
  EXPECT_EQ(Json(status.body).number("/totals/passwords_throttled"), 1);
}

TEST_F(UsersTest, StandInTheAuditLogWithWhoDidIt) {
  const std::string id = user("ann");
  const std::string cookie = sign_in("ann");
  try_sign_in("ann", "wrong wrong wrong");
  ask_from_page("PATCH", "/v1/users/" + id, cookie, R"({"scopes": ["admin", "webhooks:read"]})");
  ask_from_page("DELETE", "/v1/users/" + id, cookie);
  EXPECT_EQ(operations(),
            (std::vector<std::string>{"user.delete by user ann", "user.update by user ann",
                                      "session.create by user ann", "user.create by admin-token"}));
  EXPECT_EQ(ask("POST", "/v1/tokens", R"({"name": "user ann", "scopes": ["admin"]})").status, 422)
      << "a token that looks like a person";
}

TEST_F(UsersTest, AreNoTokens) {
  const std::string id = user("ann");
  EXPECT_EQ(ask("GET", "/v1/tokens").body.find("ann"), std::string::npos);
  EXPECT_EQ(ask("DELETE", "/v1/tokens/" + id).status, 404);
}

}  // namespace
}  // namespace ringpost::control
