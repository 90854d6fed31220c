#include "incoming/build_trigger.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>
#include <utility>
#include <vector>

// Goal: each row of the rules of Bitrise's own receiver. Method: a small payload that starts a
// build, and the same with one thing changed.

namespace ringpost::incoming {
namespace {

using subscription::GitHost;

struct Case {
  GitHost host;
  const char* event;
  std::string payload;
};

Triggers triggers_of(const Case& one) {
  json::Document document;
  document.assign(one.payload);
  EXPECT_TRUE(document.valid()) << one.payload;
  return read_triggers(one.host, one.event, Payload{document});
}

enum class Starts { build, skipped, nothing, error };

Starts starts(const Triggers& triggers) {
  if (!triggers.error.empty()) return Starts::error;
  if (!triggers.message.empty()) return Starts::nothing;
  if (!triggers.skipped.empty()) return Starts::skipped;
  EXPECT_FALSE(triggers.builds.empty());
  return Starts::build;
}

/// What a payload starts with some of its text replaced.
struct Row {
  std::string from;
  std::string to;
  Starts expected;
};

void check(const Case& good, const std::vector<Row>& rows) {
  ASSERT_EQ(starts(triggers_of(good)), Starts::build) << good.payload;
  for (const Row& row : rows) {
    Case changed = good;
    const size_t place = changed.payload.find(row.from);
    ASSERT_NE(place, std::string::npos) << row.from;
    changed.payload.replace(place, row.from.size(), row.to);
    EXPECT_EQ(starts(triggers_of(changed)), row.expected) << row.from << " -> " << row.to;
  }
}

std::string event_data(const Case& one, size_t index = 0) {
  const Triggers triggers = triggers_of(one);
  if (index >= triggers.builds.size()) return {};
  std::string data;
  write_build(data, triggers.builds[index], "github", triggers.user);
  return data;
}

// --- skip markers

TEST(SkipMarker, IsFoundAsItIsSpelledAlone) {
  for (const char* text : {"Fix typo [skip ci]", "[ci skip] docs", "docs \\[skip bitrise\\]",
                           "[bitrise skip]", "\\\\[ci skip\\\\]", "a\n\n[skip bitrise]"}) {
    EXPECT_TRUE(has_skip_marker(text)) << text;
  }
  for (const char* text : {"[Skip CI]", "[skip  ci]", "[skip-ci]", "skip ci", "[ skip ci]",
                           "[skip ci", "", "\\[skip ci"}) {
    EXPECT_FALSE(has_skip_marker(text)) << text;
  }
}

// --- GitHub

const Case github_push{
    GitHost::github, "push",
    R"({"ref":"refs/heads/main","deleted":false,"after":"c1",)"
    R"("head_commit":{"id":"c1","message":"Add login"},)"
    R"("commits":[{"message":"First","added":["a"],"removed":[],"modified":["m"]},)"
    R"({"message":"Add login","added":[]}],)"
    R"("repository":{"private":true,"ssh_url":"git@h:a/b.git","clone_url":"https://h/a/b.git"},)"
    R"("pusher":{"name":"ada"},"sender":{"login":"sender"}})"};

TEST(GitHubTriggers, OfAPush) {
  check(github_push, {{R"("deleted":false)", R"("deleted":true)", Starts::nothing},
                      {"refs/heads/main", "refs/notes/commits", Starts::nothing},
                      {"refs/heads/main", "refs/tags/v1", Starts::build},
                      {R"("id":"c1")", R"("x":"c1")", Starts::error},
                      {R"("id":"c1","message":"Add login")",
                       R"("id":"c1","message":"Add login [skip ci]")", Starts::skipped},
                      {R"("message":"First")", R"("message":"First [skip ci]")", Starts::build}});
  EXPECT_EQ(event_data(github_push),
            R"({"hook_info":{"type":"bitrise"},"build_params":{"commit_hash":"c1",)"
            R"("commit_message":"Add login","commit_messages":["First","Add login"],)"
            R"("commit_paths":[{"added":["a"],"removed":[],"modified":["m"]},)"
            R"({"added":[],"removed":[],"modified":[]}],"branch":"main",)"
            R"("base_repository_url":"git@h:a/b.git"},"triggered_by":"webhook-github/ada"})");
}

TEST(GitHubTriggers, TakeTheHeadCommitWhereNoneIsListed) {
  Case tag = github_push;
  tag.payload.replace(tag.payload.find("refs/heads/main"), 15, "refs/tags/v1.0");
  const size_t begin = tag.payload.find(R"("commits":[)") + 11;
  tag.payload.erase(begin, tag.payload.find(R"(],"repository")") - begin);
  const Triggers triggers = triggers_of(tag);
  ASSERT_EQ(triggers.builds.size(), 1u);
  EXPECT_EQ(triggers.builds[0].commit_messages, std::vector<std::string>{"Add login"});
  EXPECT_EQ(triggers.builds[0].tag, "v1.0");
  EXPECT_EQ(triggers.builds[0].branch, "");
}

const Case github_pull{
    GitHost::github, "pull_request",
    R"({"action":"opened","number":57,"label":{"name":"ready"},"pull_request":{)"
    R"("title":"Login","body":"Text","merged":false,"mergeable":true,"draft":false,)"
    R"("user":{"login":"bob"},"labels":[{"name":"one"},{"name":"two"}],"diff_url":"https://h/57.diff",)"
    R"("head":{"ref":"feature","sha":"c1","repo":{"private":false,"owner":{"login":"bob"},)"
    R"("ssh_url":"git@h:bob/b.git","clone_url":"https://h/bob/b.git"}},)"
    R"("base":{"ref":"main","repo":{"private":true,"owner":{"login":"acme"},)"
    R"("ssh_url":"git@h:acme/b.git","clone_url":"https://h/acme/b.git"}}},)"
    R"("changes":{},"sender":{"login":"ada"}})"};

TEST(GitHubTriggers, OfAPullRequest) {
  const std::string opened = R"("action":"opened")";
  std::vector<Row> rows;
  for (const char* action : {"opened", "reopened", "synchronize", "ready_for_review", "labeled"}) {
    rows.push_back({opened, R"("action":")" + std::string{action} + "\"", Starts::build});
  }
  for (const char* action : {"closed", "assigned", "unlabeled", "converted_to_draft", "locked"}) {
    rows.push_back({opened, R"("action":")" + std::string{action} + "\"", Starts::nothing});
  }
  rows.push_back({R"("merged":false)", R"("merged":true)", Starts::nothing});
  rows.push_back({R"("merged":false)", R"("merged":null)", Starts::build});
  rows.push_back({R"("mergeable":true)", R"("mergeable":false)", Starts::nothing});
  rows.push_back({R"("mergeable":true)", R"("mergeable":null)", Starts::build});
  rows.push_back({R"("title":"Login")", R"("title":"Login [ci skip]")", Starts::skipped});
  rows.push_back({R"("body":"Text")", R"("body":"Text [skip bitrise]")", Starts::skipped});
  rows.push_back({R"("sha":"c1")", R"("x":"c1")", Starts::error});
  check(github_pull, rows);
}

Case edited(const std::string& changes) {
  Case pull = github_pull;
  pull.payload.replace(pull.payload.find("opened"), 6, "edited");
  pull.payload.replace(pull.payload.find(R"("changes":{})"), 12, R"("changes":)" + changes);
  return pull;
}

TEST(GitHubTriggers, OfAnEditedPullRequestOnlyIfItMatters) {
  EXPECT_EQ(starts(triggers_of(edited("{}"))), Starts::nothing);
  EXPECT_EQ(starts(triggers_of(edited(R"({"title":{"from":"Old"}})"))), Starts::nothing);
  EXPECT_EQ(starts(triggers_of(edited(R"({"base":{"ref":{"from":"old"}}})"))), Starts::build);
  EXPECT_EQ(starts(triggers_of(edited(R"({"title":{"from":"Old [skip ci]"}})"))), Starts::build);
  EXPECT_EQ(starts(triggers_of(edited(R"({"body":{"from":"[ci skip]"}})"))), Starts::build);
}

TEST(GitHubTriggers, OfALabelOnlyIfItCanBeMerged) {
  Case labeled = github_pull;
  labeled.payload.replace(labeled.payload.find("opened"), 6, "labeled");
  EXPECT_EQ(triggers_of(labeled).builds.at(0).pull_request_labels_added,
            std::vector<std::string>{"ready"});
  labeled.payload.replace(labeled.payload.find(R"("mergeable":true)"), 16, R"("mergeable":null)");
  EXPECT_EQ(starts(triggers_of(labeled)), Starts::nothing);
}

TEST(GitHubTriggers, SayAllOfAPullRequest) {
  EXPECT_EQ(
      event_data(github_pull),
      R"({"hook_info":{"type":"bitrise"},"build_params":{"commit_hash":"c1",)"
      R"("commit_message":"Login\n\nText","branch":"feature","branch_repo_owner":"bob",)"
      R"("branch_dest":"main","branch_dest_repo_owner":"acme","pull_request_id":57,)"
      R"("base_repository_url":"git@h:acme/b.git","head_repository_url":"https://h/bob/b.git",)"
      R"("pull_request_repository_url":"https://h/bob/b.git","pull_request_head_branch":"pull/57/head",)"
      R"("pull_request_merge_branch":"pull/57/merge","pull_request_author":"bob",)"
      R"("pull_request_ready_state":"ready_for_review","pull_request_labels":["one","two"],)"
      R"("diff_url":"https://h/57.diff"},"triggered_by":"webhook-github/ada"})");
  Case draft = github_pull;
  draft.payload.replace(draft.payload.find(R"("draft":false)"), 13, R"("draft":true)");
  draft.payload.replace(draft.payload.find(R"("mergeable":true)"), 16, R"("mergeable":null)");
  const Build build = triggers_of(draft).builds.at(0);
  EXPECT_EQ(build.pull_request_ready_state, "draft");
  EXPECT_EQ(build.environments, (decltype(build.environments){{"GITHUB_PR_IS_DRAFT", "true"}}));
  EXPECT_EQ(build.pull_request_merge_branch, "") << "it is not known whether it can be merged";
  EXPECT_EQ(build.pull_request_unverified_merge_branch, "pull/57/merge");
}

const Case github_comment{
    GitHost::github, "issue_comment",
    R"({"action":"created","issue":{"number":57,"title":"Login","body":null,"state":"open",)"
    R"("user":{"login":"bob"},"labels":[],"pull_request":{"merged_at":null,"diff_url":"d"}},)"
    R"("comment":{"id":4,"body":"run the tests"},"repository":{"private":false,)"
    R"("clone_url":"https://h/a/b.git"},"sender":{"login":"ada"}})"};

TEST(GitHubTriggers, OfACommentOnAnOpenPullRequest) {
  check(github_comment,
        {{R"("action":"created")", R"("action":"edited")", Starts::build},
         {R"("action":"created")", R"("action":"deleted")", Starts::nothing},
         {R"("pull_request":{)", R"("other":{)", Starts::nothing},
         {R"("state":"open")", R"("state":"closed")", Starts::nothing},
         {R"("merged_at":null)", R"("merged_at":"2031-01-01T00:00:00Z")", Starts::nothing},
         {"run the tests", "[skip ci]", Starts::skipped}});
  const Build build = triggers_of(github_comment).builds.at(0);
  EXPECT_EQ(build.pull_request_comment, "run the tests");
  EXPECT_EQ(build.pull_request_comment_id, "4");
  EXPECT_EQ(build.commit_message, "Login");
  EXPECT_EQ(build.pull_request_unverified_merge_branch, "pull/57/merge");
}

TEST(GitHubTriggers, OfNothingElse) {
  EXPECT_EQ(starts(triggers_of({GitHost::github, "ping", "{}"})), Starts::nothing);
  EXPECT_EQ(starts(triggers_of({GitHost::github, "release", "{}"})), Starts::nothing);
}

// --- GitLab

const std::string gitlab_project =
    R"("project":{"visibility_level":0,"git_ssh_url":"git@h:a/b.git","git_http_url":"https://h/a/b.git"})";
const Case gitlab_push{GitHost::gitlab, "Push Hook",
                       R"({"object_kind":"push","ref":"refs/heads/main","checkout_sha":"c2",)"
                       R"("user_username":"ada","commits":[{"id":"c1","message":"First"},)"
                       R"({"id":"c2","message":"Add login"}],)" +
                           gitlab_project + "}"};

TEST(GitLabTriggers, OfAPush) {
  check(gitlab_push, {{"refs/heads/main", "refs/tags/v1", Starts::nothing},
                      {R"("checkout_sha":"c2")", R"("checkout_sha":null)", Starts::nothing},
                      {R"("checkout_sha":"c2")", R"("checkout_sha":"c3")", Starts::error},
                      {"Add login", "Add login [skip ci]", Starts::skipped},
                      {"First", "First [skip ci]", Starts::build},
                      {R"("visibility_level":0)", R"("visibility_level":20)", Starts::build}});
  const Build build = triggers_of(gitlab_push).builds.at(0);
  EXPECT_EQ(build.commit_message, "Add login");
  EXPECT_EQ(build.base_repository_url, "git@h:a/b.git");
  EXPECT_EQ(build.environments.at(0).first, "BITRISE_WEBHOOK_COMMIT_MESSAGES");
  EXPECT_EQ(build.environments.at(0).second, "- First\n- Add login\n");
  Case none = gitlab_push;
  const size_t begin = none.payload.find(R"("commits":[)") + 11;
  none.payload.erase(begin, none.payload.find(R"(],"project")") - begin);
  EXPECT_EQ(starts(triggers_of(none)), Starts::nothing);
}

TEST(GitLabTriggers, ListMessagesUpToALimit) {
  std::string commits;
  for (int number = 0; number < 25; ++number) {
    commits += (number > 0 ? "," : "") + std::string{R"({"id":"c)"} + std::to_string(number) +
               R"(","message":")" + std::string(20'000, 'x') + "\"}";
  }
  const Case many{GitHost::gitlab, "Push Hook",
                  R"({"ref":"refs/heads/main","checkout_sha":"c24","commits":[)" + commits + "]}"};
  const std::string list = triggers_of(many).builds.at(0).environments.at(0).second;
  EXPECT_LE(list.size(), 256u * 1024);
  EXPECT_GT(list.size(), 255u * 1024);
  EXPECT_EQ(std::count(list.begin(), list.end(), '\n'), 20);
  EXPECT_NE(list.find("xxx...\n- x"), std::string::npos);
}

const Case gitlab_tag{
    GitHost::gitlab, "Tag Push Hook",
    R"({"object_kind":"tag_push","ref":"refs/tags/v1","checkout_sha":"c1","commits":[]})"};

TEST(GitLabTriggers, OfATag) {
  check(gitlab_tag, {{"tag_push", "push", Starts::error},
                     {R"("checkout_sha":"c1")", R"("checkout_sha":null)", Starts::nothing},
                     {"refs/tags/v1", "refs/heads/main", Starts::error}});
  EXPECT_EQ(triggers_of(gitlab_tag).builds.at(0).tag, "v1");
}

const std::string gitlab_ends =
    R"("source":{"visibility_level":20,"namespace":"bob","git_ssh_url":"git@h:bob/b.git","git_http_url":"https://h/bob/b.git"},)"
    R"("target":{"visibility_level":0,"namespace":"acme","git_ssh_url":"git@h:acme/b.git","git_http_url":"https://h/acme/b.git"})";
const Case gitlab_request{
    GitHost::gitlab, "Merge Request Hook",
    R"({"object_kind":"merge_request","user":{"username":"ada"},"object_attributes":{"iid":7,)"
    R"("title":"Login","description":"Text","source_branch":"feature","target_branch":"main",)"
    R"("state":"opened","action":"open","draft":false,"merge_status":"can_be_merged",)"
    R"("merge_commit_sha":null,"merge_error":null,"labels":[{"title":"one"}],"last_commit":{"id":"c1"},)" +
        gitlab_ends + R"(},"changes":{}})"};

TEST(GitLabTriggers, OfAMergeRequest) {
  const std::string open = R"("action":"open")";
  const std::string update = R"("action":"update")";
  check(gitlab_request,
        {{open, update, Starts::nothing},
         {open, R"("action":"update","oldrev":"c0")", Starts::build},
         {open, R"("action":"close")", Starts::nothing},
         {open, R"("action":"reopen")", Starts::nothing},
         {open, R"("action":"approved")", Starts::nothing},
         {R"("state":"opened")", R"("state":"reopened")", Starts::build},
         {R"("state":"opened")", R"("state":"merged")", Starts::nothing},
         {R"("state":"opened")", R"("state":"closed")", Starts::nothing},
         {R"("merge_commit_sha":null)", R"("merge_commit_sha":"c9")", Starts::nothing},
         {R"("merge_error":null)", R"("merge_error":"conflict")", Starts::nothing},
         {"can_be_merged", "cannot_be_merged", Starts::nothing},
         {"can_be_merged", "unchecked", Starts::build},
         {R"("title":"Login")", R"("title":"Login [skip ci]")", Starts::skipped},
         {R"("description":"Text")", R"("description":"[ci skip]")", Starts::skipped},
         {R"("description":"Text")", R"("description":null)", Starts::build}});
}

Case updated(const std::string& changes) {
  Case request = gitlab_request;
  request.payload.replace(request.payload.find(R"("action":"open")"), 15, R"("action":"update")");
  request.payload.replace(request.payload.find(R"("changes":{})"), 12, R"("changes":)" + changes);
  return request;
}

TEST(GitLabTriggers, OfAnUpdateThatMatters) {
  EXPECT_EQ(starts(triggers_of(updated(R"({"title":{"previous":"a","current":"b"}})"))),
            Starts::nothing);
  const Case ready = updated(R"({"draft":{"previous":true,"current":false}})");
  EXPECT_EQ(triggers_of(ready).builds.at(0).pull_request_ready_state,
            "converted_to_ready_for_review");
  EXPECT_EQ(starts(triggers_of(updated(R"({"draft":{"previous":false,"current":true}})"))),
            Starts::nothing);
  const Case labels = updated(
      R"({"labels":{"previous":[{"title":"one"}],"current":[{"title":"one"},{"title":"two"}]}})");
  EXPECT_EQ(triggers_of(labels).builds.at(0).pull_request_labels_added,
            std::vector<std::string>{"two"});
  EXPECT_EQ(
      starts(triggers_of(updated(R"({"labels":{"previous":[{"title":"one"}],"current":[]}})"))),
      Starts::nothing);
}

TEST(GitLabTriggers, SayWhereAMergeRequestComesFromAndGoesTo) {
  const Build build = triggers_of(gitlab_request).builds.at(0);
  EXPECT_EQ(build.commit_message, "Login\n\nText");
  EXPECT_EQ(build.base_repository_url, "git@h:acme/b.git");
  EXPECT_EQ(build.head_repository_url, "https://h/bob/b.git") << "it is public";
  EXPECT_EQ(build.branch_repo_owner, "bob");
  EXPECT_EQ(build.branch_dest_repo_owner, "acme");
  EXPECT_EQ(build.pull_request_head_branch, "merge-requests/7/head");
  EXPECT_EQ(build.pull_request_merge_branch, "merge-requests/7/merge");
  for (const char* status : {"preparing", "unchecked"}) {
    Case request = gitlab_request;
    request.payload.replace(request.payload.find("can_be_merged"), 13, status);
    EXPECT_EQ(triggers_of(request).builds.at(0).pull_request_merge_branch, "") << status;
  }
}

const Case gitlab_note{
    GitHost::gitlab, "Note Hook",
    R"({"object_kind":"note","user":{"username":"ada"},"object_attributes":{"id":5,"note":"run",)"
    R"("noteable_type":"MergeRequest"},"merge_request":{"iid":7,"title":"Login","state":"opened",)"
    R"("merge_status":"can_be_merged","last_commit":{"id":"c1"},"source_branch":"feature",)"
    R"("target_branch":"main",)" +
        gitlab_ends + "}}"};

TEST(GitLabTriggers, OfACommentOnAMergeRequest) {
  check(gitlab_note,
        {{R"("noteable_type":"MergeRequest")", R"("noteable_type":"Commit")", Starts::nothing},
         {R"("state":"opened")", R"("state":"merged")", Starts::nothing},
         {R"("note":"run")", R"("note":"[skip bitrise]")", Starts::skipped}});
  EXPECT_EQ(triggers_of(gitlab_note).builds.at(0).pull_request_comment, "run");
  EXPECT_EQ(starts(triggers_of({GitHost::gitlab, "Pipeline Hook", "{}"})), Starts::nothing);
}

// --- Bitbucket Cloud

std::string cloud_change(const std::string& type, const std::string& name,
                         const std::string& message = "Add login") {
  return R"({"old":null,"new":{"type":")" + type + R"(","name":")" + name +
         R"(","target":{"type":"commit","hash":"c1","message":")" + message + R"("}}})";
}

Case cloud_push(const std::string& changes) {
  return {GitHost::bitbucket, "repo:push",
          R"({"actor":{"nickname":"ada"},"repository":{"full_name":"acme/shop","is_private":true},)"
          R"("push":{"changes":[)" +
              changes + "]}}"};
}

TEST(BitbucketTriggers, OfEachBranchAndTagOfAPush) {
  for (const char* type : {"branch", "tag", "named_branch"}) {
    EXPECT_EQ(starts(triggers_of(cloud_push(cloud_change(type, "x")))), Starts::build) << type;
  }
  const Triggers two = triggers_of(
      cloud_push(cloud_change("branch", "main") + ",{\"new\":null}," + cloud_change("tag", "v1")));
  ASSERT_EQ(two.builds.size(), 2u);
  EXPECT_EQ(two.builds[0].branch, "main");
  EXPECT_EQ(two.builds[1].tag, "v1");
  EXPECT_EQ(two.builds[0].base_repository_url, "git@bitbucket.org:acme/shop.git");
  for (const std::string& none :
       {std::string{}, std::string{R"({"new":null})"}, cloud_change("bookmark", "x")}) {
    EXPECT_EQ(starts(triggers_of(cloud_push(none))), Starts::error) << none;
  }
  const Triggers skipped = triggers_of(
      cloud_push(cloud_change("branch", "a", "[skip ci]") + "," + cloud_change("branch", "b")));
  EXPECT_EQ(skipped.builds.size(), 1u);
  EXPECT_EQ(skipped.skipped.size(), 1u);
}

const Case cloud_pull{
    GitHost::bitbucket, "pullrequest:created",
    R"({"actor":{"nickname":"ada"},"comment":{"id":4,"content":{"raw":"run"}},"pullrequest":{"id":57,)"
    R"("title":"Login","description":"Text","state":"OPEN","author":{"nickname":"bob"},)"
    R"("source":{"branch":{"name":"feature"},"commit":{"hash":"c1"},"repository":{"full_name":"bob/shop","is_private":false}},)"
    R"("destination":{"branch":{"name":"main"},"repository":{"full_name":"acme/shop","is_private":true}}}})"};

TEST(BitbucketTriggers, OfAnOpenPullRequest) {
  check(cloud_pull, {{R"("state":"OPEN")", R"("state":"MERGED")", Starts::nothing},
                     {R"("state":"OPEN")", R"("state":"DECLINED")", Starts::nothing},
                     {R"("title":"Login")", R"("title":"[ci skip]")", Starts::skipped},
                     {R"("hash":"c1")", R"("x":"c1")", Starts::error}});
  const Build build = triggers_of(cloud_pull).builds.at(0);
  EXPECT_EQ(build.head_repository_url, "https://bitbucket.org/bob/shop.git");
  EXPECT_EQ(build.branch_repo_owner, "bob");
  EXPECT_EQ(build.pull_request_comment, "") << "it is not the event of a comment";
  for (const char* event :
       {"pullrequest:updated", "pullrequest:comment_created", "pullrequest:comment_updated"}) {
    EXPECT_EQ(starts(triggers_of({GitHost::bitbucket, event, cloud_pull.payload})), Starts::build);
  }
  Case comment = cloud_pull;
  comment.event = "pullrequest:comment_created";
  EXPECT_EQ(triggers_of(comment).builds.at(0).pull_request_comment, "run");
  comment.payload.replace(comment.payload.find(R"("raw":"run")"), 11, R"("raw":"[skip ci]")");
  EXPECT_EQ(starts(triggers_of(comment)), Starts::skipped);
  for (const char* event : {"pullrequest:fulfilled", "repo:fork"}) {
    EXPECT_EQ(starts(triggers_of({GitHost::bitbucket, event, cloud_pull.payload})),
              Starts::nothing);
  }
}

// --- Bitbucket Data Center

std::string server_change(const std::string& of, const std::string& type) {
  return R"({"ref":{"displayId":"x","type":")" + of + R"("},"toHash":"c1","type":")" + type + "\"}";
}

Case server_push(const std::string& changes) {
  return {GitHost::bitbucket_server, "repo:refs_changed",
          R"({"actor":{"name":"ada"},"commits":[{"id":"c1","message":"Add login"}],"changes":[)" +
              changes + "]}"};
}

TEST(BitbucketServerTriggers, OfBranchesAndNewTags) {
  const std::pair<std::string, Starts> rows[] = {
      {server_change("BRANCH", "ADD"), Starts::build},
      {server_change("BRANCH", "UPDATE"), Starts::build},
      {server_change("BRANCH", "DELETE"), Starts::nothing},
      {server_change("TAG", "ADD"), Starts::build},
      {server_change("TAG", "UPDATE"), Starts::nothing},
      {server_change("TAG", "DELETE"), Starts::nothing}};
  for (const auto& [change, expected] : rows) {
    EXPECT_EQ(starts(triggers_of(server_push(change))), expected) << change;
  }
  const std::string one = server_change("BRANCH", "ADD");
  EXPECT_EQ(triggers_of(server_push(one)).builds.at(0).commit_message, "Add login");
  const Triggers two = triggers_of(server_push(one + "," + server_change("TAG", "ADD")));
  ASSERT_EQ(two.builds.size(), 2u);
  EXPECT_EQ(two.builds[0].commit_message, "") << "the commits are those of both";
}

const Case server_pull{
    GitHost::bitbucket_server, "pr:opened",
    R"({"actor":{"name":"ada"},"comment":{"id":4,"text":"run"},"pullRequest":{"id":57,"title":"Login",)"
    R"("state":"OPEN","author":{"user":{"name":"bob"}},)"
    R"("fromRef":{"displayId":"feature","latestCommit":"c1","repository":{"project":{"key":"BOB"}}},)"
    R"("toRef":{"displayId":"main","repository":{"project":{"key":"ACME"}}}}})"};

TEST(BitbucketServerTriggers, OfAnOpenPullRequest) {
  check(server_pull, {{R"("state":"OPEN")", R"("state":"MERGED")", Starts::nothing},
                      {R"("title":"Login")", R"("title":"[ci skip]")", Starts::skipped}});
  for (const char* event : {"pr:modified", "pr:from_ref_updated", "pr:comment:added",
                            "pr:comment:edited", "pr:merged"}) {
    EXPECT_EQ(starts(triggers_of({GitHost::bitbucket_server, event, server_pull.payload})),
              Starts::build)
        << event;
  }
  EXPECT_EQ(starts(triggers_of({GitHost::bitbucket_server, "pr:declined", server_pull.payload})),
            Starts::nothing);
}

// --- Gogs, Gitea

const Case gogs_push{GitHost::gogs, "push",
                     R"({"ref":"refs/heads/main","before":"c0","after":"c1","commits":[)"
                     R"({"id":"c1","message":"Add login"}],"repository":{"private":false,)"
                     R"("clone_url":"https://h/a/b.git"},"sender":{"username":"ada"}})"};

TEST(GogsTriggers, OfBranchesAndNewTags) {
  check(gogs_push, {{"refs/heads/main", "refs/tags/v1", Starts::nothing},
                    {R"("after":"c1")", R"("after":"c2")", Starts::error},
                    {R"("after":"c1")", R"("after":"0000000000")", Starts::nothing},
                    {"Add login", "[skip ci]", Starts::skipped}});
  const Case tag{GitHost::gitea, "create",
                 R"({"ref":"v1","ref_type":"tag","sha":"c1","sender":{"login":"ada"}})"};
  check(tag, {{R"("ref_type":"tag")", R"("ref_type":"branch")", Starts::nothing}});
  EXPECT_EQ(triggers_of(tag).builds.at(0).tag, "v1");
  EXPECT_EQ(triggers_of(tag).user, "ada");
  EXPECT_EQ(starts(triggers_of({GitHost::forgejo, "pull_request", "{}"})), Starts::nothing);
}

}  // namespace
}  // namespace ringpost::incoming
