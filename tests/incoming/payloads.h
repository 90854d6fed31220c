#pragma once

#include <string_view>

// Small payloads of each host, in our own words: the members that are read, and a few that are not.

namespace ringpost::incoming::test {

inline constexpr std::string_view github_push =
    R"({"ref":"refs/heads/feature/login","before":"1111111111111111111111111111111111111111",)"
    R"("after":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c","created":false,"deleted":false,)"
    R"("forced":false,"base_ref":null,)"
    R"("compare":"https://git.example.org/acme/shop/compare/1111...3b1f","commits":[{)"
    R"("id":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c",)"
    R"("tree_id":"2222222222222222222222222222222222222222","distinct":true,)"
    R"("message":"Add login","timestamp":"2031-05-04T11:08:07+02:00",)"
    R"("url":"https://git.example.org/c/3b1f","author":{"name":"Ada Relay",)"
    R"("email":"ada@example.org"},"committer":{"name":"Ada Relay","email":"ada@example.org"},)"
    R"("added":["login.cc"],"removed":[],"modified":["main.cc"]}],"head_commit":{)"
    R"("id":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c",)"
    R"("tree_id":"2222222222222222222222222222222222222222","distinct":true,)"
    R"("message":"Add login","timestamp":"2031-05-04T11:08:07+02:00",)"
    R"("url":"https://git.example.org/c/3b1f","author":{"name":"Ada Relay",)"
    R"("email":"ada@example.org"},"committer":{"name":"Ada Relay","email":"ada@example.org"},)"
    R"("added":["login.cc"],"removed":[],"modified":["main.cc"]},"repository":{"id":7,)"
    R"("name":"shop","full_name":"acme/shop","private":true,"owner":{"login":"acme"},)"
    R"("clone_url":"https://git.example.org/acme/shop.git",)"
    R"("ssh_url":"git@git.example.org:acme/shop.git","default_branch":"main"},"pusher":{)"
    R"("name":"ada","email":"ada@example.org"},"sender":{"login":"ada","id":3}})";

inline constexpr std::string_view github_pull_request =
    R"({"action":"synchronize","number":57,"before":"1111111111111111111111111111111111111111",)"
    R"("after":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c","pull_request":{"id":99,"number":57,)"
    R"("state":"open","title":"Login","body":null,"draft":false,"merged":false,"mergeable":null,)"
    R"("merge_commit_sha":null,"user":{"login":"ada"},"labels":[],)"
    R"("diff_url":"https://git.example.org/acme/shop/pull/57.diff","head":{)"
    R"("label":"ada:feature/login","ref":"feature/login",)"
    R"("sha":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c","user":{"login":"ada"},"repo":{)"
    R"("full_name":"ada/shop","private":false,"owner":{"login":"ada"},)"
    R"("clone_url":"https://git.example.org/ada/shop.git",)"
    R"("ssh_url":"git@git.example.org:ada/shop.git"}},"base":{"label":"acme:main","ref":"main",)"
    R"("sha":"1111111111111111111111111111111111111111","user":{"login":"acme"},"repo":{)"
    R"("full_name":"acme/shop","private":false,"owner":{"login":"acme"},)"
    R"("clone_url":"https://git.example.org/acme/shop.git",)"
    R"("ssh_url":"git@git.example.org:acme/shop.git"}}},"repository":{"id":7,)"
    R"("full_name":"acme/shop","private":false,"owner":{"login":"acme"}},"sender":{"login":"ada",)"
    R"("id":3}})";

inline constexpr std::string_view gitlab_push =
    R"({"object_kind":"push","event_name":"push",)"
    R"("before":"1111111111111111111111111111111111111111",)"
    R"("after":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c","ref":"refs/heads/main",)"
    R"("ref_protected":true,"checkout_sha":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c",)"
    R"("message":null,"user_id":3,"user_name":"Ada Relay","user_username":"ada","user_email":"",)"
    R"("user_avatar":null,"project_id":7,"project":{"id":7,"name":"shop","description":"",)"
    R"("web_url":"https://git.example.org/acme/shop","avatar_url":null,)"
    R"("git_ssh_url":"git@git.example.org:acme/shop.git",)"
    R"("git_http_url":"https://git.example.org/acme/shop.git","namespace":"acme",)"
    R"("visibility_level":0,"path_with_namespace":"acme/shop","default_branch":"main",)"
    R"("ci_config_path":null,"homepage":"https://git.example.org/acme/shop",)"
    R"("url":"git@git.example.org:acme/shop.git","ssh_url":"git@git.example.org:acme/shop.git",)"
    R"("http_url":"https://git.example.org/acme/shop.git"},"repository":{"name":"shop",)"
    R"("url":"git@git.example.org:acme/shop.git","description":"",)"
    R"("homepage":"https://git.example.org/acme/shop",)"
    R"("git_http_url":"https://git.example.org/acme/shop.git",)"
    R"("git_ssh_url":"git@git.example.org:acme/shop.git","visibility_level":0},"commits":[{)"
    R"("id":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c","message":"Add login\n",)"
    R"("title":"Add login","timestamp":"2031-05-04T11:08:07+02:00",)"
    R"("url":"https://git.example.org/c/3b1f","author":{"name":"Ada Relay",)"
    R"("email":"ada@example.org"},"added":["login.cc"],"modified":["main.cc"],"removed":[]}],)"
    R"("total_commits_count":1,"push_options":{}})";

inline constexpr std::string_view bitbucket_push =
    R"({"actor":{"uuid":"{018f6b1e-0000-4000-8000-000000000001}","account_id":"1",)"
    R"("nickname":"ada","display_name":"Ada Relay"},"repository":{"uuid":"{)"
    R"(018f6b1e-0000-4000-8000-000000000007}","full_name":"acme/shop","name":"shop","scm":"git",)"
    R"("is_private":true,"owner":{"nickname":"acme"}},"push":{"changes":[{"created":false,)"
    R"("closed":false,"forced":false,"truncated":false,"old":{"type":"branch","name":"main",)"
    R"("target":{"type":"commit","hash":"1111111111111111111111111111111111111111"}},"new":{)"
    R"("type":"branch","name":"main","target":{"type":"commit",)"
    R"("hash":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c","message":"Add login\n",)"
    R"("date":"2031-05-04T09:08:07+00:00"}},"commits":[{)"
    R"("hash":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c","message":"Add login\n"}]}]}})";

inline constexpr std::string_view bitbucket_server_push =
    R"({"eventKey":"repo:refs_changed","date":"2031-05-04T09:08:07+0000","actor":{"name":"ada",)"
    R"("emailAddress":"ada@example.org","id":3,"displayName":"Ada Relay","active":true,)"
    R"("slug":"ada","type":"NORMAL"},"repository":{"slug":"shop","id":7,"name":"shop",)"
    R"("scmId":"git","public":false,"project":{"key":"ACME","id":2,"name":"Acme","public":false,)"
    R"("type":"NORMAL"}},"changes":[{"ref":{"id":"refs/heads/main","displayId":"main",)"
    R"("type":"BRANCH"},"refId":"refs/heads/main",)"
    R"("fromHash":"1111111111111111111111111111111111111111",)"
    R"("toHash":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c","type":"UPDATE"}]})";

inline constexpr std::string_view github_tag =
    R"({"ref":"refs/tags/v1.0","before":"0000000000000000000000000000000000000000",)"
    R"("after":"4444444444444444444444444444444444444444","created":true,"deleted":false,)"
    R"("forced":false,"base_ref":null,"commits":[],"head_commit":{)"
    R"("id":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c","message":"Add login\n\nWith tests"},)"
    R"("repository":{"id":7,"full_name":"acme/shop"},"pusher":{"name":"ada"},"sender":{)"
    R"("login":"ada"}})";

inline constexpr std::string_view github_deletion =
    R"({"ref":"refs/heads/old","before":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c",)"
    R"("after":"0000000000000000000000000000000000000000","created":false,"deleted":true,)"
    R"("commits":[],"head_commit":null,"repository":{"id":7,"full_name":"acme/shop"},"pusher":{)"
    R"("name":"ada"},"sender":{"login":"ada"}})";

inline constexpr std::string_view github_comment =
    R"({"action":"created","issue":{"number":57,"title":"Login","state":"open","pull_request":{)"
    R"("url":"https://git.example.org/acme/shop/pull/57"}},"comment":{"id":4,)"
    R"("body":"Looks good\r\nship it","user":{"login":"bob"}},"repository":{"id":7,)"
    R"("full_name":"acme/shop"},"sender":{"login":"bob"}})";

inline constexpr std::string_view github_release =
    R"({"action":"published","release":{"tag_name":"v1.0"},"repository":{"id":7,)"
    R"("full_name":"acme/shop"},"sender":{"login":"ada"}})";

inline constexpr std::string_view github_membership =
    R"({"action":"added","scope":"team","member":{"login":"bob"},"organization":{"login":"acme"},)"
    R"("sender":{"login":"ada"}})";

inline constexpr std::string_view gitlab_tag =
    R"({"object_kind":"tag_push","event_name":"tag_push",)"
    R"("before":"0000000000000000000000000000000000000000",)"
    R"("after":"4444444444444444444444444444444444444444","ref":"refs/tags/v1.0",)"
    R"("checkout_sha":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c","user_username":"ada",)"
    R"("project":{"id":7,"path_with_namespace":"acme/tools/shop"},"commits":[{)"
    R"("id":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c","message":"Add login\n"}]})";

inline constexpr std::string_view gitlab_merge_request =
    R"({"object_kind":"merge_request","event_type":"merge_request","user":{"id":3,)"
    R"("username":"ada"},"project":{"id":7,"path_with_namespace":"acme/tools/shop"},)"
    R"("object_attributes":{"id":99,"iid":57,"source_branch":"feature/login",)"
    R"("target_branch":"main","title":"Login","state":"opened","action":"update",)"
    R"("oldrev":"1111111111111111111111111111111111111111","last_commit":{)"
    R"("id":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"}}})";

inline constexpr std::string_view gitlab_note =
    R"({"object_kind":"note","user":{"username":"bob"},"project":{"id":7,)"
    R"("path_with_namespace":"acme/tools/shop"},"object_attributes":{"id":5,"note":"Looks good",)"
    R"("noteable_type":"MergeRequest"},"merge_request":{"iid":57,"source_branch":"feature/login",)"
    R"("target_branch":"main","last_commit":{"id":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"}}})";

inline constexpr std::string_view gitlab_pipeline =
    R"({"object_kind":"pipeline","object_attributes":{"id":1,"status":"success"},"user":{)"
    R"("username":"ada"},"project":{"id":7,"path_with_namespace":"acme/tools/shop"}})";

inline constexpr std::string_view bitbucket_two_changes =
    R"({"actor":{"nickname":"ada"},"repository":{"full_name":"acme/shop","scm":"git"},"push":{)"
    R"("changes":[{"old":null,"new":{"type":"tag","name":"v1.0","target":{"type":"commit",)"
    R"("hash":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c","message":"Add login\n"}}},{"old":{)"
    R"("type":"branch","name":"old","target":{"type":"commit",)"
    R"("hash":"1111111111111111111111111111111111111111"}},"new":null}]}})";

inline constexpr std::string_view bitbucket_pull_request =
    R"({"actor":{"nickname":"ada"},"repository":{"full_name":"acme/shop","scm":"git"},)"
    R"("pullrequest":{"id":57,"title":"Login","state":"OPEN","source":{"branch":{)"
    R"("name":"feature/login"},"commit":{"hash":"3b1f6c0d9e8a"}},"destination":{"branch":{)"
    R"("name":"main"}}}})";

inline constexpr std::string_view bitbucket_comment =
    R"({"actor":{"nickname":"bob"},"repository":{"full_name":"acme/shop","scm":"git"},"comment":{)"
    R"("id":4,"content":{"raw":"Looks good"}},"pullrequest":{"id":57,"title":"Login","source":{)"
    R"("branch":{"name":"feature/login"},"commit":{"hash":"3b1f6c0d9e8a"}},"destination":{)"
    R"("branch":{"name":"main"}}}})";

inline constexpr std::string_view bitbucket_server_pull_request =
    R"({"eventKey":"pr:from_ref_updated","date":"2031-05-04T09:08:07+0000","actor":{)"
    R"("name":"ada"},"pullRequest":{"id":57,"title":"Login","fromRef":{)"
    R"("id":"refs/heads/feature/login","displayId":"feature/login",)"
    R"("latestCommit":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c","repository":{"slug":"shop",)"
    R"("project":{"key":"ACME"}}},"toRef":{"id":"refs/heads/main","displayId":"main",)"
    R"("latestCommit":"1111111111111111111111111111111111111111","repository":{"slug":"shop",)"
    R"("project":{"key":"ACME"}}}}})";

inline constexpr std::string_view bitbucket_server_comment =
    R"({"eventKey":"pr:comment:added","date":"2031-05-04T09:08:07+0000","actor":{"name":"ada"},)"
    R"("pullRequest":{"id":57,"title":"Login","fromRef":{"id":"refs/heads/feature/login",)"
    R"("displayId":"feature/login","latestCommit":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c",)"
    R"("repository":{"slug":"shop","project":{"key":"ACME"}}},"toRef":{"id":"refs/heads/main",)"
    R"("displayId":"main","latestCommit":"1111111111111111111111111111111111111111",)"
    R"("repository":{"slug":"shop","project":{"key":"ACME"}}}},"comment":{"id":4,)"
    R"("text":"Looks good"}})";

inline constexpr std::string_view gitea_push =
    R"({
  "ref": "refs/heads/main",
  "before": "1111111111111111111111111111111111111111",
  "after": "3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c",
  "compare_url": "",
  "commits": [
    {
      "id": "3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c",
      "message": "Add login\n"
    }
  ],
  "repository": {
    "id": 7,
    "full_name": "acme/shop"
  },
  "pusher": {
    "login": "ada"
  },
  "sender": {
    "login": "ada"
  }
})";

inline constexpr std::string_view gitea_pull_request =
    R"({
  "action": "synchronized",
  "number": 57,
  "pull_request": {
    "number": 57,
    "title": "Login",
    "merged": false,
    "head": {
      "ref": "feature/login",
      "sha": "3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"
    },
    "base": {
      "ref": "main"
    }
  },
  "repository": {
    "id": 7,
    "full_name": "acme/shop"
  },
  "sender": {
    "login": "ada"
  }
})";

inline constexpr std::string_view gitea_comment =
    R"({
  "action": "created",
  "issue": {
    "number": 57,
    "title": "Login"
  },
  "comment": {
    "id": 4,
    "body": "Looks good"
  },
  "is_pull": true,
  "repository": {
    "id": 7,
    "full_name": "acme/shop"
  },
  "sender": {
    "login": "bob"
  }
})";

}  // namespace ringpost::incoming::test
