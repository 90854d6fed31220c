#include "control_fixture.h"

namespace ringpost::control::testing {
namespace {

class RegistrationsTest : public ControlTest {
 protected:
  RegistrationsTest() {
    settings_.public_url = "https://relay.example";
    settings_.gaps.interval = Duration::zero();  // The host is asked for nothing else.
    restart();
  }

  /// A git host that the shards call.
  class Host {
   public:
    explicit Host(RegistrationsTest& test) : test_(test) {}

    /// Answers the oldest call. @returns what was asked.
    net::ClientRequest answer(uint16_t status, std::string body = "[]",
                              std::vector<http::Header> headers = {}) {
      return finish({.status = status, .headers = std::move(headers), .body = std::move(body)});
    }
    net::ClientRequest fail(const Error& error) { return finish({.error = error}); }
    size_t calls() {
      for (uint32_t shard = 0; shard < shard_count; ++shard) {
        while (auto call = test_.post_.take<SendCall>(shard)) {
          calls_.emplace_back(shard, std::move(*call));
        }
      }
      return calls_.size();
    }

   private:
    net::ClientRequest finish(net::ClientAnswer answer) {
      EXPECT_GT(calls(), 0u) << "the host was not called";
      if (calls_.empty()) return {};
      auto [shard, call] = std::move(calls_.front());
      calls_.erase(calls_.begin());
      test_.tell(shard,
                 CallAnswered{call.ticket, std::make_unique<net::ClientAnswer>(std::move(answer))});
      return std::move(*call.request);
    }

    RegistrationsTest& test_;
    std::vector<std::pair<uint32_t, SendCall>> calls_;
  };

  /// @returns the id.
  std::string make_source(const std::string& members = {}) {
    const auto response =
        ask("POST", "/v1/sources",
            R"({"host": "github", "git": {"url": "https://github.com/acme/shop.git", )"
            R"("token": "token-of-the-host"})" +
                members + "}");
    EXPECT_EQ(response.status, 201) << response.body;
    return Json(response.body).text("/id");
  }
  std::string url_of(const std::string& id) {
    return Json(ask("GET", "/v1/sources/" + id).body).text("/url");
  }
  std::string list_of(const std::string& url) {
    return R"([{"id": 7, "config": {"url": ")" + url + R"("}}])";
  }
  void step() {
    settle();
    control_->step(at(clock_), monotonic(clock_));
    settle();
    control_->step(at(clock_), monotonic(clock_));
    settle();
  }
  subscription::GitSource source(const std::string& id) {
    subscription::GitSource found;
    EXPECT_TRUE(store_->load_git_sources([&](subscription::GitSource&& each) {
      if (each.id.to_text() == id) found = std::move(each);
    }));
    return found;
  }
  /// The host answers both calls. @returns the second one.
  net::ClientRequest register_source(const std::string& id, const std::string& hooks = "[]",
                                     const std::string& answer = R"({"id": 7})") {
    send("POST", "/v1/sources/" + id + "/register");
    step();
    host_.answer(200, hooks);
    step();
    const auto written = host_.answer(201, answer);
    step();
    return written;
  }

  Host host_{*this};
};

// A change leaves its secret as it was, so that the host would sign with the old one for ever.
TEST_F(RegistrationsTest, replaces_the_webhook_of_gitea_by_a_new_one) {
  const auto response = ask(
      "POST", "/v1/sources",
      R"({"host": "gitea", "git": {"url": "https://git.example/acme/shop.git", "token": "t"}})");
  const std::string id = Json(response.body).text("/id");
  const std::string old_hook = R"({"id": 7, "config": {"url": ")" + url_of(id) + R"("}})";
  const auto made = register_source(id, "[" + old_hook + "]", R"({"id": 9})");
  EXPECT_EQ(made.method, "POST");
  EXPECT_NE(made.body.find(source(id).secret), std::string::npos) << made.body;
  EXPECT_FALSE(answered());
  const auto deleted = host_.answer(204, "");
  EXPECT_EQ(deleted.method, "DELETE");
  EXPECT_EQ(deleted.url.text(), "https://git.example/api/v1/repos/acme/shop/hooks/7");
  step();
  const auto done = answered();
  ASSERT_TRUE(done);
  EXPECT_EQ(Json(done->body).text("/result"), "made webhook 9 in place of 7");
  EXPECT_EQ(Json(done->body).text("/hook_id"), "9");
}

TEST_F(RegistrationsTest, tells_of_a_webhook_that_could_not_be_replaced) {
  const auto response =
      ask("POST", "/v1/sources",
          R"({"host": "gogs", "git": {"url": "https://git.example/acme/shop.git", "token": "t"}})");
  const std::string id = Json(response.body).text("/id");
  const std::string ours = R"("config": {"url": ")" + url_of(id) + R"("}})";
  register_source(id, R"([{"id": 7, )" + ours + R"(, {"id": 8, )" + ours + "]", R"({"id": 9})");
  host_.answer(404, "");  // Somebody deleted it meanwhile.
  step();
  host_.fail({Errc::timed_out, Side::endpoint});
  step();
  const auto done = answered();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->status, 200);
  const std::string result = Json(done->body).text("/result");
  EXPECT_TRUE(
      result.starts_with("made webhook 9 in place of 8; webhook 7, which it replaces, "
                         "could not be deleted"))
      << result;
}

TEST_F(RegistrationsTest, makes_a_webhook_and_answers_when_the_host_has) {
  const std::string id = make_source();
  const std::string secret = source(id).secret;
  send("POST", "/v1/sources/" + id + "/register");
  step();
  EXPECT_FALSE(answered());
  const auto listed = host_.answer(200);
  EXPECT_EQ(listed.url.text(), "https://api.github.com/repos/acme/shop/hooks?per_page=50&page=1");
  EXPECT_EQ(source(id).secret, secret);
  step();
  // Calls with either secret are taken before the host hears of the new one.
  EXPECT_NE(source(id).secret, secret);
  EXPECT_EQ(source(id).previous_secret, secret);
  EXPECT_GT(source(id).previous_secret_until, at(clock_) + std::chrono::hours(24 * 365));
  EXPECT_FALSE(answered());
  const auto made = host_.answer(201, R"({"id": 7})");
  EXPECT_EQ(made.method, "POST");
  EXPECT_NE(made.body.find(source(id).secret), std::string::npos) << made.body;
  EXPECT_NE(made.body.find(url_of(id)), std::string::npos) << made.body;
  step();
  const auto response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200) << response->body;
  EXPECT_EQ(Json(response->body).text("/hook_id"), "7");
  EXPECT_EQ(Json(response->body).text("/result"), "made webhook 7");
  EXPECT_EQ(source(id).previous_secret_until, at(clock_) + std::chrono::hours(24));
  Json shown(ask("GET", "/v1/sources/" + id).body);
  EXPECT_EQ(shown.text("/git/url"), "https://github.com/acme/shop.git");
  EXPECT_EQ(shown.text("/git/registration/hook_id"), "7");
  EXPECT_FALSE(shown.is_true("/git/registration/failed"));
  const auto audit = ask("GET", "/v1/audit").body;
  EXPECT_NE(audit.find("source.register"), std::string::npos);
}

TEST_F(RegistrationsTest, changes_the_webhook_that_is_there) {
  const std::string id = make_source();
  register_source(id);
  ASSERT_EQ(answered()->status, 200);
  const auto changed = register_source(id, list_of(url_of(id)), R"({"id": 7})");
  EXPECT_EQ(changed.method, "PATCH");
  EXPECT_EQ(changed.url.text(), "https://api.github.com/repos/acme/shop/hooks/7");
  const auto response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(Json(response->body).text("/result"), "changed webhook 7");
}

TEST_F(RegistrationsTest, changes_the_one_of_the_app_although_its_token_is_another) {
  const std::string id = make_source(R"(, "app": "c0ffee")");
  const auto changed =
      register_source(id, list_of("https://relay.example/h/github/c0ffee/an-older-token"));
  EXPECT_EQ(changed.method, "PATCH");
  ASSERT_TRUE(answered());
  const auto made = register_source(id, list_of("https://relay.example/h/github/other/token"));
  EXPECT_EQ(made.method, "POST");
}

TEST_F(RegistrationsTest, answers_bitrise_with_its_words) {
  make_source(R"(, "app": "c0ffee")");
  send("POST", "/v0.1/apps/c0ffee/register-webhook");
  step();
  host_.answer(200);
  step();
  host_.answer(201, R"({"id": 7})");
  step();
  auto response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, R"({"status":"ok"})");

  send("POST", "/v0.1/apps/c0ffee/register-webhook");
  step();
  host_.answer(401, R"({"message": "Bad credentials"})");
  step();
  response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 400);
  EXPECT_NE(Json(response->body).text("/message").find("expired"), std::string::npos)
      << response->body;
}

TEST_F(RegistrationsTest, refuses_apps_without_a_repository) {
  ask("POST", "/v1/sources", R"({"host": "github", "app": "bare"})");
  for (const std::string app : {"bare", "unknown"}) {
    const auto response = ask("POST", "/v0.1/apps/" + app + "/register-webhook");
    EXPECT_EQ(response.status, 400);
    EXPECT_NE(response.body.find("ringpost source add"), std::string::npos) << response.body;
  }
}

TEST_F(RegistrationsTest, is_no_way_into_other_organizations_or_sources) {
  add_token("other", "other", static_cast<uint8_t>(subscription::Scope::admin));
  add_token("reader", "default", static_cast<uint8_t>(subscription::Scope::webhooks_read));
  const std::string id = make_source(R"(, "app": "c0ffee")");
  EXPECT_EQ(ask("POST", "/v1/sources/" + id + "/register", {}, "other").status, 404);
  EXPECT_EQ(ask("GET", "/v1/sources/" + id + "/gaps", {}, "other").status, 404);
  EXPECT_EQ(ask("POST", "/v0.1/apps/c0ffee/register-webhook", {}, "other").status, 400);
  EXPECT_EQ(ask("POST", "/v1/sources/" + id + "/register", {}, "reader").status, 403);
  EXPECT_EQ(host_.calls(), 0u);
}

TEST_F(RegistrationsTest, offers_the_same_secret_again_if_the_host_may_not_have_it) {
  const std::string id = make_source();
  send("POST", "/v1/sources/" + id + "/register");
  step();
  host_.answer(200);
  step();
  host_.fail({Errc::timed_out, Side::endpoint});
  step();
  auto response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 503) << response->body;
  EXPECT_NE(response->body.find("could not be asked"), std::string::npos) << response->body;
  EXPECT_EQ(header_of(*response, "Retry-After"), "60");
  const std::string secret = source(id).secret;
  const std::string before = source(id).previous_secret;
  EXPECT_EQ(ask("POST", "/v1/sources/" + id + "/rotate-secret").status, 409);

  clock_ += 7 * 24 * 3600;  // Both are still good, also after a restart.
  restart();
  const auto made = register_source(id);
  EXPECT_NE(made.body.find(secret), std::string::npos) << made.body;
  EXPECT_EQ(source(id).secret, secret);
  EXPECT_EQ(source(id).previous_secret, before);
  ASSERT_TRUE(answered());
}

TEST_F(RegistrationsTest, keeps_what_the_host_said) {
  const std::string id = make_source();
  const std::string secret = source(id).secret;
  send("POST", "/v1/sources/" + id + "/register");
  step();
  host_.answer(403, R"({"message": "API rate limit exceeded"})",
               {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1935000090"}});
  step();
  auto response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 503);
  EXPECT_NE(header_of(*response, "Retry-After"), "(absent)");
  EXPECT_EQ(source(id).secret, secret);  // The host never heard of another one.
  Json shown(ask("GET", "/v1/sources/" + id).body);
  EXPECT_TRUE(shown.is_true("/git/registration/failed"));
  EXPECT_NE(shown.text("/git/registration/result").find("rate limit"), std::string::npos);
  EXPECT_TRUE(shown.is_null("/git/registration/hook_id"));

  send("POST", "/v1/sources/" + id + "/register");
  step();
  host_.answer(301, "{}", {{"Location", "https://api.github.com/repositories/1/hooks"}});
  step();
  response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 409);
  EXPECT_NE(response->body.find("moved"), std::string::npos) << response->body;
}

TEST_F(RegistrationsTest, lists_again_if_somebody_made_it_in_between) {
  const std::string id = make_source();
  send("POST", "/v1/sources/" + id + "/register");
  step();
  host_.answer(200);
  step();
  host_.answer(422, R"({"message": "Hook already exists on this repository"})");
  step();
  host_.answer(200, list_of(url_of(id)));
  step();
  const auto changed = host_.answer(200, R"({"id": 7})");
  EXPECT_EQ(changed.method, "PATCH");
  step();
  EXPECT_EQ(answered()->status, 200);
}

TEST_F(RegistrationsTest, is_one_at_a_time_for_a_source) {
  const std::string id = make_source();
  send("POST", "/v1/sources/" + id + "/register");
  step();
  const auto second = ask("POST", "/v1/sources/" + id + "/register");
  EXPECT_EQ(second.status, 409);
  EXPECT_EQ(host_.calls(), 1u);
}

TEST_F(RegistrationsTest, ends_if_the_source_goes_meanwhile) {
  const std::string id = make_source();
  send("POST", "/v1/sources/" + id + "/register");
  step();
  ask("DELETE", "/v1/sources/" + id);
  host_.answer(200);
  step();
  const auto response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 409) << response->body;
  EXPECT_EQ(host_.calls(), 0u);
}

// Who may change a source is not shown its token, and gets it no other way either.
TEST_F(RegistrationsTest, takes_a_token_to_no_other_host) {
  const std::string id = make_source();
  const auto change = [&](const std::string& git) {
    return ask("PATCH", "/v1/sources/" + id, R"({"git": )" + git + "}");
  };
  for (const char* url : {"https://evil.example/acme/shop", "http://github.com/acme/shop",
                          "https://github.com:8443/acme/shop"}) {
    const auto response = change(R"({"url": ")" + std::string{url} + "\"}");
    EXPECT_EQ(response.status, 422) << url << response.body;
    EXPECT_EQ(Json(response.body).text("/member"), "git.token") << url;
  }
  EXPECT_EQ(change(R"({"url": "https://github.com/acme/tools"})").status, 200);
  EXPECT_EQ(change(R"({"url": "https://other.example/acme/shop", "token": "another"})").status,
            200);
}

TEST_F(RegistrationsTest, says_nothing_of_the_token_that_a_host_repeats) {
  const std::string id = make_source();
  send("POST", "/v1/sources/" + id + "/register");
  step();
  host_.answer(401, R"({"message": "bad credentials token-of-the-host"})");
  step();
  const auto response = answered();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body.find("token-of-the-host"), std::string::npos) << response->body;
  EXPECT_NE(response->body.find("bad credentials *****"), std::string::npos) << response->body;
}

TEST_F(RegistrationsTest, needs_an_address_of_the_relay) {
  settings_.public_url.clear();
  restart();
  const auto response = ask("POST", "/v1/sources/" + make_source() + "/register");
  EXPECT_EQ(response.status, 409);
  EXPECT_NE(response.body.find("server.public_url"), std::string::npos) << response.body;
}

TEST_F(RegistrationsTest, takes_repositories_that_it_can_use) {
  const struct {
    const char* git;
    const char* member;
  } rows[] = {
      {R"({"url": "https://github.com/acme/shop"})", "git.token"},
      {R"({"token": "t"})", "git.url"},
      {R"({"url": "https://github.com/acme", "token": "t"})", "git.url"},
      {R"({"url": "git@github.com:acme/shop", "token": "t"})", "git.url"},
      {R"({"url": "https://github.com/acme/shop", "token": "two words"})", "git.token"},
      {R"({"url": "https://github.com/acme/shop", "token": ""})", "git.token"},
      {R"({"url": "https://github.com/acme/shop", "token": "t", "x": 1})", "git.x"},
      {R"(7)", "git"},
  };
  for (const auto& row : rows) {
    const auto response =
        ask("POST", "/v1/sources", R"({"host": "github", "git": )" + std::string{row.git} + "}");
    EXPECT_EQ(response.status, 422) << row.git << response.body;
    EXPECT_EQ(Json(response.body).text("/member"), row.member) << response.body;
  }
  const auto trigger =
      ask("POST", "/v1/sources",
          R"({"host": "buildkite", "pipeline": "p", "git": {"url": "https://a/b/c",)"
          R"( "token": "t"}})");
  EXPECT_EQ(trigger.status, 422);
}

TEST_F(RegistrationsTest, forget_the_webhook_with_the_repository) {
  const std::string id = make_source();
  register_source(id);
  ASSERT_TRUE(answered());
  const auto patch = [&](const std::string& git) {
    return ask("PATCH", "/v1/sources/" + id, R"({"git": )" + git + "}");
  };
  EXPECT_EQ(Json(patch(R"({"token": "another"})").body).text("/git/registration/hook_id"), "7");
  Json moved(patch(R"({"url": "https://github.com/acme/moved"})").body);
  EXPECT_TRUE(moved.is_null("/git/registration/hook_id"));
  EXPECT_EQ(moved.text("/git/url"), "https://github.com/acme/moved");
  EXPECT_TRUE(Json(patch("null").body).is_null("/git"));
  restart();
  EXPECT_TRUE(Json(ask("GET", "/v1/sources/" + id).body).is_null("/git"));
}

}  // namespace
}  // namespace ringpost::control::testing
