#include "githost/hooks.h"

#include "base/assert.h"
#include "base/json_writer.h"
#include "githost/json_values.h"
#include "http/query.h"
#include "http/syntax.h"

#include <array>
#include <initializer_list>
#include <utility>

namespace ringpost::githost {
namespace {

namespace dom = simdjson::dom;

constexpr size_t pages_max = 20;
constexpr size_t page_size = 50;  // What Gitea gives at most; all others give more.
constexpr size_t hooks_max = pages_max * page_size;
constexpr size_t id_bytes_max = 64;

void write_events(JsonWriter& json, std::initializer_list<std::string_view> events) {
  json.key("events").begin_array();
  for (const std::string_view event : events) json.value(event);
  json.end_array();
}

void write_config(JsonWriter& json, GitHost host, const HookSettings& settings) {
  json.key("config").begin_object().member("url", settings.url);
  json.member("content_type", "json").member("secret", settings.secret);
  if (host == GitHost::github) json.member("insecure_ssl", "0");
  json.end_object();
}

/// GitHub, Gitea, Forgejo and Gogs.
void write_like_github(JsonWriter& json, GitHost host, const HookSettings& settings, bool is_new) {
  if (is_new && host == GitHost::github) json.member("name", "web");
  if (is_new && host != GitHost::github) {
    json.member("type", host == GitHost::gogs ? "gogs" : "gitea");
  }
  json.member("active", true);
  if (host == GitHost::github) {
    write_events(json, {"push", "pull_request", "issue_comment"});
  } else {  // They send no push when a branch goes, and Bitrise's rules read a tag's `create`.
    write_events(json, {"push", "create", "delete", "pull_request", "issue_comment"});
  }
  write_config(json, host, settings);
}

void write_gitlab(JsonWriter& json, const HookSettings& settings) {
  json.member("url", settings.url).member("token", settings.secret);
  for (const std::string_view events :
       {"push_events", "tag_push_events", "merge_requests_events", "note_events"}) {
    json.member(events, true);
  }
  json.member("enable_ssl_verification", true);
}

void write_bitbucket(JsonWriter& json, const HookSettings& settings) {
  json.member("description", "ringpost")
      .member("url", settings.url)
      .member("active", true)
      .member("secret", settings.secret);
  write_events(json, {"repo:push", "pullrequest:created", "pullrequest:updated",
                      "pullrequest:comment_created", "pullrequest:comment_updated"});
}

void write_data_center(JsonWriter& json, const HookSettings& settings) {
  json.member("name", "ringpost").member("url", settings.url).member("active", true);
  write_events(json, {"repo:refs_changed", "pr:opened", "pr:modified", "pr:from_ref_updated",
                      "pr:merged", "pr:comment:added", "pr:comment:edited"});
  json.key("configuration").begin_object().member("secret", settings.secret).end_object();
  json.member("sslVerificationRequired", true);
}

std::string body_of(GitHost host, const HookSettings& settings, bool is_new) {
  std::string body;
  JsonWriter json{body};
  json.begin_object();
  switch (host) {
    case GitHost::gitlab: write_gitlab(json, settings); break;
    case GitHost::bitbucket: write_bitbucket(json, settings); break;
    case GitHost::bitbucket_server: write_data_center(json, settings); break;
    case GitHost::github:
    case GitHost::gitea:
    case GitHost::forgejo:
    case GitHost::gogs:
    case GitHost::buildkite: write_like_github(json, host, settings, is_new); break;
  }
  json.end_object();
  return body;
}

bool changes_by_put(GitHost host) {
  return host == GitHost::gitlab || host == GitHost::bitbucket || host == GitHost::bitbucket_server;
}

/// Bitbucket's hosts have the list in a member.
bool is_paged_object(GitHost host) {
  return host == GitHost::bitbucket || host == GitHost::bitbucket_server;
}

Hook hook_of(dom::element value) {
  Hook hook{.id = text_at(value, "/id"), .url = text_at(value, "/url")};
  if (hook.id.empty()) hook.id = text_at(value, "/uuid");
  // GitHub's `url` is that of the webhook itself.
  if (auto called = text_at(value, "/config/url"); !called.empty()) hook.url = std::move(called);
  return hook;
}

bool is_usable_id(std::string_view id) {
  return !id.empty() && id.size() <= id_bytes_max && http::is_field_text(id);
}

}  // namespace

bool has_hooks(GitHost host) {
  return host != GitHost::buildkite;
}

std::string hooks_url(const Repository& repository) {
  const std::string& path = repository.path;
  switch (repository.host) {
    case GitHost::gitlab: {
      std::string url = repository.api + "/projects/";
      http::append_percent_encoded(url, path);
      return url + "/hooks";
    }
    case GitHost::bitbucket: return repository.api + "/repositories/" + path + "/hooks";
    case GitHost::bitbucket_server: {
      const size_t slash = path.find('/');
      return repository.api + "/api/1.0/projects/" + path.substr(0, slash) + "/repos" +
             path.substr(slash) + "/webhooks";
    }
    case GitHost::github:
    case GitHost::gitea:
    case GitHost::forgejo:
    case GitHost::gogs:
    case GitHost::buildkite: return repository.api + "/repos/" + path + "/hooks";
  }
  RINGPOST_UNREACHABLE();
}

std::string hook_url(const Repository& repository, std::string_view id) {
  std::string url = hooks_url(repository) + "/";
  http::append_percent_encoded(url, id);
  return url;
}

Request create_hook(const Repository& repository, const HookSettings& settings) {
  return request_to(repository, "POST", hooks_url(repository),
                    body_of(repository.host, settings, true));
}

Request update_hook(const Repository& repository, std::string_view id,
                    const HookSettings& settings) {
  return request_to(repository, changes_by_put(repository.host) ? "PUT" : "PATCH",
                    hook_url(repository, id), body_of(repository.host, settings, false));
}

/// Gitea's API (1.25) reads the secret only when a webhook is made; Forgejo and Gogs share the
/// code.
bool keeps_secret(GitHost host) {
  return host == GitHost::gitea || host == GitHost::forgejo || host == GitHost::gogs;
}

Request delete_hook(const Repository& repository, std::string_view id) {
  return request_to(repository, "DELETE", hook_url(repository, id));
}

std::variant<std::string, Failure> read_hook_id(GitHost host, const Reply& reply) {
  dom::parser parser;
  dom::element root;
  const bool parsed = !parser.parse(reply.body.data(), reply.body.size()).get(root);
  Hook hook = parsed ? hook_of(root) : Hook{};
  if (!is_usable_id(hook.id)) return not_understood(host, "a webhook");
  return std::move(hook.id);
}

HookList::HookList(const Repository& repository) : repository_(repository), next_(url_of_page(1)) {}

std::string HookList::url_of_page(size_t number) const {
  const std::string size = std::to_string(page_size);
  const std::string page = "&page=" + std::to_string(number);
  switch (repository_.host) {
    case GitHost::bitbucket: return hooks_url(repository_) + "?pagelen=" + size + page;
    case GitHost::bitbucket_server:
      return hooks_url(repository_) + "?limit=" + size +
             "&start=" + std::to_string((number - 1) * page_size);
    case GitHost::gitea:
    case GitHost::forgejo:
    case GitHost::gogs: return hooks_url(repository_) + "?limit=" + size + page;
    case GitHost::github:
    case GitHost::gitlab:
    case GitHost::buildkite: return hooks_url(repository_) + "?per_page=" + size + page;
  }
  RINGPOST_UNREACHABLE();
}

Request HookList::request() const {
  RINGPOST_ASSERT(!is_complete());
  return request_to(repository_, "GET", next_);
}

std::optional<Failure> HookList::add(const Reply& reply, WallTime now) {
  if (auto failure = failure_of(repository_.host, reply, now)) return failure;
  dom::parser parser;
  dom::element root;
  dom::array hooks;
  bool wrong = parser.parse(reply.body.data(), reply.body.size()).get(root);
  wrong = wrong || (is_paged_object(repository_.host) ? root.at_pointer("/values").get(hooks)
                                                      : root.get(hooks));
  if (wrong) return not_understood(repository_.host, "a list of webhooks");
  ++pages_;
  for (const dom::element value : hooks) {
    Hook hook = hook_of(value);
    if (hooks_.size() < hooks_max && is_usable_id(hook.id)) hooks_.push_back(std::move(hook));
  }
  next_ = next_of(reply, hooks.size());
  if (pages_ < pages_max || next_.empty()) return std::nullopt;
  next_.clear();
  return Failure{"the repository has more than " + std::to_string(hooks_max) +
                     " webhooks, or its list has no end, so that nobody can tell whether this one "
                     "is among them",
                 {},
                 true};
}

/// Bitbucket's hosts say in the body what is next, the others in a header. Gitea, older ones of
/// which say nothing of webhooks, says how many there are.
std::string HookList::next_of(const Reply& reply, size_t found) const {
  dom::parser parser;
  dom::element root;
  if (is_paged_object(repository_.host) &&
      !parser.parse(reply.body.data(), reply.body.size()).get(root)) {
    if (repository_.host == GitHost::bitbucket) {
      return page_at(hooks_url(repository_), text_at(root, "/next"));
    }
    const std::string start = text_at(root, "/nextPageStart");
    return start.empty()
               ? std::string{}
               : hooks_url(repository_) + "?limit=" + std::to_string(page_size) + "&start=" + start;
  }
  if (!reply.header("Link").empty()) return next_page(hooks_url(repository_), reply);
  const auto total = http::parse_decimal(reply.header("X-Total-Count"));
  const bool more = total ? found > 0 && hooks_.size() < *total : found >= page_size;
  return more ? url_of_page(pages_ + 1) : std::string{};
}

}  // namespace ringpost::githost
