// Goal: what the `git-status` dialect sends is what each host documents, for every state of a build
// that the three vendors' events can say, and nothing that no host would take.
// Method: tables of events, rendered for webhooks of each host, read as bytes.

#include "dialect/git_status/build_status.h"
#include "dialect/git_status/hosts.h"
#include "dialect/git_status/text_template.h"
#include "json/document.h"
#include "tests/dialect/rendered.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

namespace ringpost::dialect::git_status {
namespace {

using subscription::Webhook;

constexpr std::string_view commit = "3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c";

Webhook hook(std::string_view host, std::string_view more = {}, std::string url = "/") {
  Webhook made = webhook("git-status", "a-token-of-the-host");
  made.settings = R"({"host":")" + std::string{host} + '"' + std::string{more} + "}";
  made.destination.host = "git.example.org";
  made.destination.target = std::move(url);
  return made;
}

const std::string acme = R"(,"repository":"acme/shop")";

/// A build of Buildkite that passed.
Rendered finished() {
  Rendered rendered;
  rendered.event.type = "build.finished";
  rendered.event.source = "pipeline/shop";
  static const std::string data =
      R"({"event":"build.finished","build":{"number":42,"state":"passed","blocked":false,)"
      R"("commit":")" +
      std::string{commit} +
      R"(","branch":"main","web_url":"https://ci.example.org/shop/builds/42"},)"
      R"("pipeline":{"slug":"shop","repository":"git@git.example.org:acme/shop.git"}})";
  rendered.event.data = as_bytes(data);
  return rendered;
}

std::string request_line(const Rendered& rendered) {
  return rendered.head.substr(0, rendered.head.find("\r\n"));
}

std::string member(const Rendered& rendered, std::string_view name) {
  json::Document document;
  document.assign(rendered.body());
  return std::string{document.find(json::Path::constant(name)).text};
}

std::optional<Error> refused(Unrenderable reason) {
  return Error{Errc::not_renderable, Side::producer, static_cast<int32_t>(reason)};
}

// --- requests ------------------------------------------------------------------------------------

TEST(GitStatusRenderer, TellsGitHub) {
  Rendered rendered = finished();
  rendered.render(hook("github"));
  EXPECT_EQ(request_line(rendered),
            "POST /api/v3/repos/acme/shop/statuses/" + std::string{commit} + " HTTP/1.1");
  EXPECT_EQ(
      rendered.body(),
      R"({"state":"success","context":"pipeline/shop",)"
      R"("target_url":"https://ci.example.org/shop/builds/42","description":"Build 42 passed"})");
  EXPECT_EQ(rendered.header("Host"), "git.example.org");
  EXPECT_EQ(rendered.header("Authorization"), "Bearer a-token-of-the-host");
  EXPECT_EQ(rendered.header("Accept"), "application/vnd.github+json");
  EXPECT_EQ(rendered.header("X-GitHub-Api-Version"), "2022-11-28");
  EXPECT_EQ(rendered.header("Content-Type"), "application/json");
  EXPECT_EQ(rendered.header("Content-Length"), std::to_string(rendered.body().size()));
  EXPECT_EQ(rendered.header("X-Team"), "mobile");
  EXPECT_EQ(rendered.header("ringpost-hops"), "1");
  EXPECT_EQ(rendered.header("ringpost-attempt"), "1");
  EXPECT_TRUE(rendered.request.body_is_made);
}

TEST(GitStatusRenderer, TellsGitLab) {
  Rendered rendered = finished();
  rendered.render(hook("gitlab", R"(,"repository":"acme/mobile/shop")"));
  EXPECT_EQ(request_line(rendered), "POST /api/v4/projects/acme%2Fmobile%2Fshop/statuses/" +
                                        std::string{commit} + " HTTP/1.1");
  EXPECT_EQ(member(rendered, "state"), "success");
  EXPECT_EQ(member(rendered, "context"), "pipeline/shop");
  EXPECT_EQ(rendered.header("PRIVATE-TOKEN"), "a-token-of-the-host");
  EXPECT_EQ(rendered.header("Authorization"), "(absent)");
}

TEST(GitStatusRenderer, TellsBitbucketWhichWantsAKeyAndAUrl) {
  Rendered rendered = finished();
  rendered.render(hook("bitbucket"));
  EXPECT_EQ(request_line(rendered), "POST /2.0/repositories/acme/shop/commit/" +
                                        std::string{commit} + "/statuses/build HTTP/1.1");
  EXPECT_EQ(rendered.body(),
            R"({"state":"SUCCESSFUL","key":"pipeline/shop","name":"pipeline/shop",)"
            R"("url":"https://ci.example.org/shop/builds/42","description":"Build 42 passed"})");
  EXPECT_EQ(rendered.header("Authorization"), "Bearer a-token-of-the-host");

  Webhook with_password = hook("bitbucket", R"(,"target_url":"no link")");
  with_password.secret = "ada:app-password";
  rendered.render(with_password);
  EXPECT_EQ(rendered.header("Authorization"), "Basic YWRhOmFwcC1wYXNzd29yZA==");
  EXPECT_EQ(member(rendered, "url"),
            "https://bitbucket.org/acme/shop/commits/" + std::string{commit});
}

TEST(GitStatusRenderer, TellsBitbucketDataCenter) {
  Rendered rendered = finished();
  Webhook to = hook("bitbucket-server", {}, "/git");
  rendered.render(to);
  const std::string path = "/projects/acme/repos/shop/commits/" + std::string{commit};
  EXPECT_EQ(request_line(rendered), "POST /git/rest/api/latest" + path + "/builds HTTP/1.1");
  EXPECT_EQ(rendered.body(),
            R"({"state":"SUCCESSFUL","key":"pipeline/shop","name":"pipeline/shop",)"
            R"("url":"https://ci.example.org/shop/builds/42","description":"Build 42 passed"})");
  EXPECT_EQ(rendered.header("Authorization"), "Bearer a-token-of-the-host");

  to.settings = R"({"host":"bitbucket-server","repository":"ACME/shop","target_url":"{{ none }}"})";
  to.destination.port = 7990;
  to.destination.tls = false;
  for (const char* url : {"/", "/rest", "/rest/"}) {
    to.destination.target = url;
    rendered.render(to);
    EXPECT_EQ(
        member(rendered, "url"),
        "http://git.example.org:7990/projects/ACME/repos/shop/commits/" + std::string{commit});
  }
}

// Each host has its own way to put a repository's path into its URLs.
TEST(GitStatusRenderer, FindsTheRepositoryInAnyOfItsUrls) {
  struct Case {
    const char* host;
    const char* repository;
    const char* path;
  };
  for (const Case& each :
       {Case{"github", "https://github.com/acme/shop.git", "/repos/acme/shop/"},
        {"gitea", "https://example.org/git/acme/shop", "/repos/acme/shop/"},
        {"gitlab", "git@gitlab.com:acme/mobile/shop.git", "/projects/acme%2Fmobile%2Fshop/"},
        {"bitbucket", "git@bitbucket.org:acme/shop.git", "/repositories/acme/shop/"},
        {"bitbucket-server", "https://example.org/git/scm/ACME/shop.git",
         "/projects/ACME/repos/shop/"},
        {"bitbucket-server", "ssh://git@example.org:7999/acme/shop.git",
         "/projects/acme/repos/shop/"},
        {"bitbucket-server", "https://example.org/projects/ACME/repos/shop/browse",
         "/projects/ACME/repos/shop/"},
        {"bitbucket-server", "https://example.org/scm/~ada/shop.git",
         "/projects/~ada/repos/shop/"}}) {
    Rendered rendered;
    rendered.event.type = "build.finished";
    const std::string data = R"({"build":{"state":"passed","commit":")" + std::string{commit} +
                             R"("},"pipeline":{"repository":")" + each.repository + R"("}})";
    rendered.event.data = as_bytes(data);
    rendered.render(hook(each.host));
    EXPECT_NE(request_line(rendered).find(each.path), std::string::npos) << request_line(rendered);
  }
}

TEST(GitStatusRenderer, TellsGiteaAndForgejo) {
  for (const char* host : {"gitea", "forgejo"}) {
    Rendered rendered = finished();
    rendered.render(hook(host));
    EXPECT_EQ(request_line(rendered),
              "POST /api/v1/repos/acme/shop/statuses/" + std::string{commit} + " HTTP/1.1");
    EXPECT_EQ(member(rendered, "state"), "success");
    EXPECT_EQ(rendered.header("Authorization"), "token a-token-of-the-host");
  }
}

TEST(GitStatusRenderer, FindsTheApiBehindAnyUrlOfTheHost) {
  struct Case {
    const char* host;
    const char* name;
    const char* url;
    const char* path;
  };
  const std::vector<Case> cases = {
      {"github", "api.github.com", "/", ""},
      {"github", "api.acme.ghe.com", "/", ""},
      {"github", "git.example.org", "/", "/api/v3"},
      {"github", "git.example.org", "/api/v3", "/api/v3"},
      {"github", "git.example.org", "/api/v3/", "/api/v3"},
      {"gitlab", "gitlab.com", "/", "/api/v4"},
      {"gitlab", "example.org", "/gitlab", "/gitlab/api/v4"},
      {"gitlab", "example.org", "/gitlab/api/v4/", "/gitlab/api/v4"},
      {"bitbucket", "api.bitbucket.org", "/2.0", "/2.0"},
      {"bitbucket-server", "example.org", "/", "/rest"},
      {"bitbucket-server", "example.org", "/bitbucket/rest/", "/bitbucket/rest"},
      {"gitea", "git.example.org", "/?a=1", "/api/v1"},
  };
  for (const Case& each : cases) {
    const auto host = parse_host(each.host);
    ASSERT_TRUE(host);
    const subscription::Destination to{.url = "", .host = each.name, .target = each.url};
    EXPECT_EQ(api_path(*host, to), each.path) << each.name << each.url;
  }
}

TEST(GitStatusRenderer, ShowsNoToken) {
  for (const char* host :
       {"github", "gitlab", "bitbucket", "bitbucket-server", "gitea", "forgejo"}) {
    Rendered rendered = finished();
    const Webhook to = hook(host);
    rendered.render(to);
    EXPECT_NE(rendered.head.find(to.secret), std::string::npos);
    const std::string shown = make_renderer(to)->masked(rendered.head);
    EXPECT_EQ(shown.find(to.secret), std::string::npos) << shown;
    EXPECT_EQ(rendered.body().find(to.secret), std::string_view::npos);
    for (const char* ours : {"Authorization", "private-token", "Accept", "ringpost-delivery"}) {
      EXPECT_TRUE(find("git-status")->writes_header(ours)) << ours;
    }
  }
}

// --- states --------------------------------------------------------------------------------------

struct Said {
  const char* type;
  const char* data;
  const char* github;  ///< Empty: no status.
  const char* gitlab;
  const char* bitbucket;
};

const std::vector<Said> everything_said = {
    {"build/triggered", R"({"build_status":0})", "pending", "running", "INPROGRESS"},
    {"build/triggered", "{}", "pending", "running", "INPROGRESS"},
    {"build/finished", R"({"build_status":0})", "pending", "running", "INPROGRESS"},
    {"build/finished", R"({"build_status":1})", "success", "success", "SUCCESSFUL"},
    {"build/finished", R"({"build_status":2})", "failure", "failed", "FAILED"},
    {"build/finished", R"({"build_status":3})", "error", "canceled", "STOPPED"},
    {"build/finished", R"({"build_status":4})", "success", "success", "SUCCESSFUL"},
    {"build/finished", R"({"build_status":5})", "", "", ""},
    {"build/finished", R"({"build_status":true})", "", "", ""},
    {"build/finished", "{}", "", "", ""},
    {"build.scheduled", R"({"build":{"state":"scheduled"}})", "pending", "pending", "INPROGRESS"},
    {"build.running", R"({"build":{"state":"running"}})", "pending", "running", "INPROGRESS"},
    // A retry may still pass, and GitLab takes nothing after a verdict.
    {"build.failing", R"({"build":{"state":"failing"}})", "pending", "running", "INPROGRESS"},
    {"build.finished", R"({"build":{"state":"passed"}})", "success", "success", "SUCCESSFUL"},
    {"build.finished", R"({"build":{"state":"passed","blocked":true}})", "pending", "pending",
     "INPROGRESS"},
    {"build.finished", R"({"build":{"state":"failed"}})", "failure", "failed", "FAILED"},
    {"build.finished", R"({"build":{"state":"canceled"}})", "error", "canceled", "STOPPED"},
    {"build.finished", R"({"build":{"state":"not_run"}})", "error", "canceled", "STOPPED"},
    {"build.finished", R"({"build":{"state":"odd"}})", "", "", ""},
    {"build.skipped", R"({"build":{"state":"skipped"}})", "error", "canceled", "STOPPED"},
    {"action.created", R"({"action":{"status":"pending"}})", "pending", "pending", "INPROGRESS"},
    {"action.status_changed", R"({"action":{"status":"waiting"}})", "pending", "pending",
     "INPROGRESS"},
    {"action.queued", R"({"action":{"status":"queued"}})", "pending", "pending", "INPROGRESS"},
    {"action.started", R"({"action":{"status":"in-progress"}})", "pending", "running",
     "INPROGRESS"},
    {"action.completed", R"({"action":{"status":"completed"}})", "success", "success",
     "SUCCESSFUL"},
    {"action.failed", R"({"action":{"status":"failed"}})", "failure", "failed", "FAILED"},
    {"action.status_changed", R"({"action":{"status":"skipped"}})", "error", "canceled", "STOPPED"},
    {"action.failed", R"({"action":{"status":"odd"}})", "", "", ""},
    {"job.finished", R"({"job":{"state":"passed"},"build":{"state":"passed"}})", "", "", ""},
    {"build/trigger", R"({"build_status":1})", "", "", ""},
    {"git.push", "{}", "", "", ""},
};

const char* data_centers_word(const char* clouds) {
  return std::string_view{clouds} == "STOPPED" ? "CANCELLED" : clouds;
}

bool is_wanted(const Webhook& to, const Rendered& rendered) {
  json::Document data;
  json::Document extensions;
  data.assign(as_text(rendered.event.data));
  const subscription::EventFacts facts({.organization = {},
                                        .source = rendered.event.source,
                                        .type = rendered.event.type,
                                        .branch = {}},
                                       data, extensions, {});
  const auto rule = find("git-status")->make_rule(to);
  EXPECT_EQ(rule->why_not(facts).empty(), rule->wants(facts));
  return rule->wants(facts);
}

TEST(GitStatusStates, AreEachHostsWordForWhatTheEventSays) {
  const std::string more = acme + R"(,"commit":")" + std::string{commit} + '"';
  for (const Said& said : everything_said) {
    Rendered rendered;
    rendered.event.type = said.type;
    rendered.event.data = as_bytes(std::string_view{said.data});
    for (const auto& [host, word] : {std::pair{"github", said.github},
                                     {"gitlab", said.gitlab},
                                     {"bitbucket", said.bitbucket},
                                     {"bitbucket-server", data_centers_word(said.bitbucket)},
                                     {"gitea", said.github},
                                     {"forgejo", said.github}}) {
      const Webhook to = hook(host, more);
      const std::string what = std::string{said.type} + said.data;
      EXPECT_EQ(is_wanted(to, rendered), *word != '\0') << what;
      const auto error = rendered.try_render(to);
      if (*word == '\0') {
        EXPECT_EQ(error, refused(Unrenderable::no_state)) << what;
      } else {
        ASSERT_FALSE(error) << what;
        EXPECT_EQ(member(rendered, "state"), word) << what;
      }
    }
  }
}

// Buildkite's builds may begin before the commit is known.
TEST(GitStatusStates, WaitForABuildsCommit) {
  Rendered rendered = finished();
  const std::string_view data = R"({"build":{"state":"scheduled","commit":"HEAD"}})";
  rendered.event.type = "build.scheduled";
  rendered.event.data = as_bytes(data);
  EXPECT_FALSE(is_wanted(hook("github"), rendered));
}

// --- what a status is about ----------------------------------------------------------------------

TEST(GitStatusSubject, TakesCommitAndRepositoryFromWhereverTheEventHasThem) {
  struct Case {
    const char* type;
    std::string data;
    std::string extensions;
  };
  const std::string id{commit};
  const std::vector<Case> cases = {
      {"build/finished", R"({"build_status":1})",
       R"({"gitcommit":")" + id + R"(","gitrepository":"acme/shop"})"},
      {"build.finished",
       R"({"build":{"state":"passed","commit":")" + id +
           R"("},"pipeline":{"repository":"https://git.example.org/acme/shop.git"}})",
       ""},
      {"build.finished",
       R"({"build":{"state":"passed","commit":")" + id +
           R"("},"pipeline":{"repository":"ssh://git@git.example.org:22/acme/shop.git/"}})",
       ""},
      {"action.completed",
       R"({"action":{"status":"completed","action_data":{"commit":{"hash":")" + id +
           R"(","repository":"acme/shop"}}}})",
       ""},
      // The attribute is what the sender says of its own accord: it goes before the data.
      {"build.finished",
       R"({"build":{"state":"passed","commit":"0000000000000000000000000000000000000000"},)"
       R"("pipeline":{"repository":"other/one"}})",
       R"({"gitcommit":")" + id + R"(","gitrepository":"acme/shop"})"},
  };
  for (const Case& each : cases) {
    Rendered rendered;
    rendered.event.type = each.type;
    rendered.event.data = as_bytes(each.data);
    rendered.event.extensions = each.extensions;
    ASSERT_FALSE(rendered.try_render(hook("github"))) << each.data;
    EXPECT_EQ(request_line(rendered), "POST /api/v3/repos/acme/shop/statuses/" + id + " HTTP/1.1");
  }
}

TEST(GitStatusSubject, IsNothingThatNoHostCanHave) {
  const auto error_with = [](const std::string& name, const std::string& value) {
    Rendered rendered = finished();
    const std::string extensions = R"({"said":")" + value + R"("})";
    rendered.event.extensions = extensions;
    return rendered.try_render(hook("github", R"(,")" + name + R"(":"{{ event.said }}")"));
  };
  for (const char* wrong : {"", "HEAD", "3b1f6c0", "3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4",
                            "3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4cd",
                            "3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4g", "../../../../x"}) {
    EXPECT_EQ(error_with("commit", wrong), refused(Unrenderable::no_commit)) << wrong;
  }
  for (const char* wrong : {"", "acme", "acme/", "/shop", "acme/shop/more", "acme/..", "./shop",
                            "acme/shop?x=1", "acme/sh op", "acme/shop%2f", "acme\\\\shop"}) {
    EXPECT_EQ(error_with("repository", wrong), refused(Unrenderable::no_repository)) << wrong;
  }
  EXPECT_EQ(error_with("commit", "3B1F6C0D9E8A7B6C5D4E3F2A1B0C9D8E7F6A5B4C"), std::nullopt);
  EXPECT_EQ(error_with("commit", std::string(64, 'a')), std::nullopt);
}

TEST(GitStatusSubject, NeedsDataThatIsAnObject) {
  Rendered rendered = finished();
  rendered.event.data = as_bytes(std::string_view{"[1]"});
  EXPECT_EQ(rendered.try_render(hook("github")), refused(Unrenderable::data_object));
  EXPECT_FALSE(find("git-status")->can_send(rendered.event));
  rendered.event.data = {};
  EXPECT_EQ(rendered.try_render(hook("github")), refused(Unrenderable::data_object));
}

// --- texts ---------------------------------------------------------------------------------------

TEST(GitStatusTexts, AreFilledInFromDataAndAttributes) {
  Rendered rendered = finished();
  rendered.event.extensions = R"({"team":"mobile","n":7})";
  rendered.render(
      hook("github",
           R"(,"context":"ci/{{ pipeline.slug }}/{{event.team}}",)"
           R"("description":"{{ event.type }} {{ build.nothing }}{{ event.n }}",)"
           R"("target_url":"https://ci.example.org/{{ build.branch }}?b={{ event.source }}")"));
  EXPECT_EQ(member(rendered, "context"), "ci/shop/mobile");
  EXPECT_EQ(member(rendered, "description"), "build.finished 7");
  EXPECT_EQ(member(rendered, "target_url"), "https://ci.example.org/main?b=pipeline/shop");
  // `event` alone is Buildkite's member, and an object is no text.
  rendered.render(hook("github", R"(,"context":"{{ event }}","description":"{{ build }}")"));
  EXPECT_EQ(member(rendered, "context"), "build.finished");
  EXPECT_EQ(rendered.body().find("description"), std::string_view::npos);
}

TEST(GitStatusTexts, CannotBecomeAnythingElse) {
  Rendered rendered = finished();
  const std::string hostile = R"({"build":{"state":"passed","commit":")" + std::string{commit} +
                              R"(","message":"\r\nX: y\"}{{ build.state }} &?#/../é"},)"
                              R"("pipeline":{"repository":"acme/shop"}})";
  rendered.event.data = as_bytes(hostile);
  rendered.render(hook("github",
                       R"(,"description":"{{ build.message }}",)"
                       R"("target_url":"https://ci.example.org/m?q={{ build.message }}")"));
  EXPECT_EQ(rendered.head.find("X: y"), std::string::npos);
  EXPECT_EQ(member(rendered, "description"), "\r\nX: y\"}{{ build.state }} &?#/../é");
  EXPECT_EQ(
      member(rendered, "target_url"),
      "https://ci.example.org/m?q=%0D%0AX%3A%20y%22%7D%7B%7B%20build.state%20%7D%7D%20%26%3F%23/"
      "../%C3%A9");
}

TEST(GitStatusTexts, AreCutToWhatTheHostTakes) {
  std::string long_text;
  while (long_text.size() < 600) long_text += "\xc3\xa9";
  const std::string more = R"(,"context":")" + long_text + R"(","description":")" + long_text + '"';
  for (const auto& [host, context, description] :
       {std::tuple{"github", 255u, 140u}, {"gitlab", 255u, 255u}, {"bitbucket", 40u, 255u}}) {
    Rendered rendered = finished();
    rendered.render(hook(host, more));
    const std::string key = member(rendered, host == std::string{"bitbucket"} ? "key" : "context");
    EXPECT_LE(key.size(), context);
    EXPECT_GT(key.size(), context - 4);
    EXPECT_LE(member(rendered, "description").size(), description);
    EXPECT_EQ(rendered.body().find("\xef\xbf\xbd"), std::string_view::npos)
        << "a character was cut";
    // Two that differ only behind the cut stay two.
    Rendered other = finished();
    other.render(hook(host, R"(,"context":")" + long_text + R"(!")"));
    EXPECT_NE(member(other, host == std::string{"bitbucket"} ? "key" : "context"), key);
  }
}

TEST(GitStatusTexts, LeaveOutALinkThatIsNone) {
  for (const char* wrong : {"javascript:alert(1)", "ftp://ci.example.org/", "/builds/1", "x"}) {
    Rendered rendered = finished();
    rendered.render(hook("github", R"(,"target_url":")" + std::string{wrong} + '"'));
    EXPECT_EQ(rendered.body().find("target_url"), std::string_view::npos) << wrong;
  }
  Rendered rendered = finished();
  rendered.render(
      hook("gitlab", R"(,"target_url":"https://ci.example.org/)" + std::string(300, 'a') + '"'));
  EXPECT_EQ(rendered.body().find("target_url"), std::string_view::npos);
}

TEST(GitStatusTexts, AreRefusedWhereTheyAreNoTemplates) {
  for (const char* wrong : {"{{ build.number", "{{}}", "{{ a b }}", "{{ .a }}", "a\nb"}) {
    EXPECT_TRUE(std::holds_alternative<std::string>(TextTemplate::compile(wrong))) << wrong;
  }
  EXPECT_TRUE(std::holds_alternative<std::string>(TextTemplate::compile(std::string(1025, 'a'))));
  std::string many;
  for (int index = 0; index < 17; ++index) many += "{{ a }}";
  EXPECT_TRUE(std::holds_alternative<std::string>(TextTemplate::compile(many)));
  for (const char* right : {"", "plain", "}} {", "{{ a }}", "{{a.0.b}} and {{\tc }}"}) {
    EXPECT_TRUE(std::holds_alternative<TextTemplate>(TextTemplate::compile(right))) << right;
  }
}

// --- what a newer event makes pointless ----------------------------------------------------------

uint64_t subject_of(const Rendered& rendered, const Webhook& to) {
  return make_renderer(to)->subject(rendered.event);
}

TEST(GitStatusSubject, IsTheSameForAllStatesOfACommitsContext) {
  const Webhook to = hook("github");
  const Rendered passed = finished();
  Rendered running = finished();
  const std::string data = R"({"build":{"number":41,"state":"running","commit":")" +
                           std::string{commit} + R"("},"pipeline":{"repository":"acme/shop"}})";
  running.event.type = "build.running";
  running.event.data = as_bytes(data);
  EXPECT_NE(subject_of(passed, to), 0u);
  EXPECT_EQ(subject_of(passed, to), subject_of(running, to));
  running.event.source = "pipeline/other";
  EXPECT_NE(subject_of(passed, to), subject_of(running, to));
  running.event.type = "git.push";
  EXPECT_EQ(subject_of(running, to), 0u);
  EXPECT_TRUE(find("git-status")->newer_supersedes_older(to));
}

// --- the webhook ---------------------------------------------------------------------------------

std::string settings_after(std::string_view before, std::string_view json,
                           const std::string& host = "git.example.org") {
  Webhook made = webhook("git-status", "token");
  made.settings = before;
  made.destination.host = host;
  made.destination.target = "/";
  const auto problem = find("git-status")->read_settings(json, made);
  return problem ? problem->member + " " + problem->detail : made.settings;
}

TEST(GitStatusSettings, MergeAndAreShown) {
  const std::string plain =
      R"({"host":"github","repository":null,"commit":null,"context":null,"description":null,)"
      R"("target_url":null})";
  EXPECT_EQ(settings_after("", R"({"host":"github"})"), plain);
  const std::string full = settings_after(plain, R"({"context":"ci/{{ event.source }}"})");
  EXPECT_NE(full.find(R"("context":"ci/{{ event.source }}")"), std::string::npos);
  EXPECT_EQ(settings_after(full, R"({"context":null})"), plain);
  EXPECT_NE(settings_after(full, R"({"host":"gitlab"})").find(R"("host":"gitlab")"),
            std::string::npos);
  EXPECT_NE(settings_after(plain, full), plain);
}

TEST(GitStatusSettings, RefuseWhatCannotBe) {
  for (const auto& [json, start] :
       {std::pair{R"({})", "settings.host is required"},
        {R"({"host":"gogs"})", "settings.host must be one of"},
        {R"({"host":null})", "settings.host"},
        {R"({"host":"github","repository":"acme"})", "settings.repository must be"},
        {R"({"host":"github","repository":"acme/shop/x"})", "settings.repository must be"},
        {R"({"host":"github","commit":"main"})", "settings.commit must be"},
        {R"({"host":"github","target_url":"javascript:x"})", "settings.target_url must be"},
        {R"({"host":"github","context":"{{ a"})", "settings.context has {{"},
        {R"({"host":"github","state":"x"})", "settings.state is not a setting"},
        {R"({"host":"github","context":1})", "settings.context"}}) {
    EXPECT_TRUE(settings_after("", json).starts_with(start))
        << json << ": " << settings_after("", json);
  }
  EXPECT_TRUE(settings_after("", R"({"host":"github"})", "github.com").starts_with("url must be"));
  EXPECT_TRUE(settings_after("", R"({"host":"bitbucket-server"})", "api.bitbucket.org")
                  .starts_with("url is Bitbucket Cloud's"));
  EXPECT_TRUE(
      settings_after("", R"({"host":"bitbucket"})", "bitbucket.org").starts_with("url must be"));
}

TEST(GitStatusDialect, SaysWhatItNeeds) {
  const Dialect& dialect = *find("git-status");
  EXPECT_FALSE(dialect.why_secret_is_required().empty());
  EXPECT_EQ(dialect.mint_secret(), "");
  for (const char* good : {"ghp_abc", "glpat-x_1", "user:pass=word", "a"}) {
    EXPECT_EQ(dialect.object_to_secret(good), "") << good;
  }
  for (const char* wrong : {"a b", "a\r\nX: y", "caf\xc3\xa9", "\x7f"}) {
    EXPECT_NE(dialect.object_to_secret(wrong), "") << wrong;
  }
  for (const char* pattern : {"*", "build/*", "build.*", "action.*", "build.finished"}) {
    EXPECT_EQ(dialect.object_to_event(pattern), "") << pattern;
  }
  for (const char* pattern : {"job.*", "git.push", "build/trigger", "agent.lost"}) {
    EXPECT_NE(dialect.object_to_event(pattern), "") << pattern;
  }
  EXPECT_EQ(dialect.defaults().concurrency_max, 1u);
  EXPECT_TRUE(std::holds_alternative<std::string>(dialect.ping(hook("github"), "")));
}

// A token, a permission or a limit may be put right in between; a request that is wrong stays so.
TEST(GitStatusDialect, RepeatsWhatMayStillSucceed) {
  for (const int status : {401, 403, 404, 408, 409, 429, 500, 503}) {
    EXPECT_TRUE(find("git-status")->retries_status(static_cast<uint16_t>(status))) << status;
  }
  for (const int status : {400, 405, 413, 414, 415, 422}) {
    EXPECT_FALSE(find("git-status")->retries_status(static_cast<uint16_t>(status))) << status;
  }
}

}  // namespace
}  // namespace ringpost::dialect::git_status
