#include "githost/host_api.h"

#include "base/assert.h"
#include "crypto/base64.h"
#include "http/syntax.h"
#include "http/url.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace ringpost::githost {
namespace {

bool is_name(std::string_view text) {
  const auto in_name = [](char byte) {
    return http::is_digit(byte) || (http::to_lower(byte) >= 'a' && http::to_lower(byte) <= 'z') ||
           byte == '.' || byte == '_' || byte == '-' || byte == '~';
  };
  return !text.empty() && text != "." && text != ".." && std::ranges::all_of(text, in_name);
}

/// The last two names of a path; what is before them is where the host's own pages begin.
std::pair<std::string_view, std::string_view> split_path(std::string_view path) {
  const size_t last = path.rfind('/');
  if (last == std::string_view::npos || last == 0) return {{}, path};
  const size_t before = path.rfind('/', last - 1);
  if (before == std::string_view::npos) return {{}, path};
  return {path.substr(0, before), path.substr(before + 1)};
}

/// Data Center: `/scm/ACME/shop.git` to clone, `/projects/ACME/repos/shop` as a page.
std::pair<std::string, std::string> place_at_data_center(std::string_view path) {
  constexpr std::string_view projects = "/projects/";
  constexpr std::string_view repositories = "/repos/";
  const size_t at = path.find(projects);
  const size_t repository = path.find(repositories);
  if (at != std::string_view::npos && repository != std::string_view::npos && repository > at) {
    const size_t project = at + projects.size();
    std::string_view rest = path.substr(repository + repositories.size());
    return {std::string{path.substr(0, at)},
            std::string{path.substr(project, repository - project)} + "/" +
                std::string{rest.substr(0, rest.find('/'))}};
  }
  const auto [before, name] = split_path(path);
  std::string_view prefix = before;
  if (prefix.ends_with("/scm")) prefix.remove_suffix(4);
  return {std::string{prefix}, std::string{name}};
}

/// What stands before the part of the path that names the repository, and that part.
std::pair<std::string, std::string> place_of(GitHost host, std::string_view path) {
  if (host == GitHost::bitbucket_server) return place_at_data_center(path);
  if (host == GitHost::gitlab)
    return {{}, std::string{path.substr(std::min<size_t>(1, path.size()))}};
  const auto [before, name] = split_path(path);
  return {std::string{before}, std::string{name}};
}

std::string api_host(GitHost host, const http::Url& url) {
  if (host == GitHost::github && (url.host == "github.com" || url.host == "www.github.com")) {
    return "api.github.com";
  }
  if (host == GitHost::bitbucket && url.host == "bitbucket.org") return "api.bitbucket.org";
  return url.host;
}

}  // namespace

std::string_view api_suffix(GitHost host) {
  switch (host) {
    case GitHost::github: return "/api/v3";
    case GitHost::gitlab: return "/api/v4";
    case GitHost::bitbucket: return "/2.0";
    case GitHost::bitbucket_server: return "/rest";
    case GitHost::gitea:
    case GitHost::forgejo:
    case GitHost::gogs: return "/api/v1";
    case GitHost::buildkite: return {};
  }
  RINGPOST_UNREACHABLE();
}

std::string api_path(GitHost host, std::string_view name, std::string_view path) {
  std::string begin{path};
  while (begin.ends_with('/')) begin.pop_back();
  // github.com's API, and that of its customers' own domains, begins at the root.
  const bool at_root = host == GitHost::github && name.starts_with("api.");
  if (!at_root && !begin.ends_with(api_suffix(host))) begin.append(api_suffix(host));
  return begin;
}

std::vector<http::Header> api_headers(GitHost host, std::string_view token) {
  const std::string text{token};
  switch (host) {
    case GitHost::github:
      return {{"Accept", "application/vnd.github+json"},
              {"X-GitHub-Api-Version", "2022-11-28"},
              {"Authorization", "Bearer " + text}};
    case GitHost::gitlab: return {{"Accept", "application/json"}, {"PRIVATE-TOKEN", text}};
    case GitHost::bitbucket: {  // No token of its own has a colon.
      const bool password = text.find(':') != std::string::npos;
      return {{"Accept", "application/json"},
              {"Authorization",
               password ? "Basic " + crypto::base64_encode(as_bytes(text)) : "Bearer " + text}};
    }
    case GitHost::bitbucket_server:
      return {{"Accept", "application/json"}, {"Authorization", "Bearer " + text}};
    case GitHost::gitea:
    case GitHost::forgejo:
    case GitHost::gogs: return {{"Accept", "application/json"}, {"Authorization", "token " + text}};
    case GitHost::buildkite: return {};
  }
  RINGPOST_UNREACHABLE();
}

bool is_repository(GitHost host, std::string_view path) {
  size_t slashes = 0;
  for (std::string_view rest = path;; ++slashes) {
    const size_t slash = rest.find('/');
    if (!is_name(rest.substr(0, slash))) return false;
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  return host == GitHost::gitlab ? slashes >= 1 : slashes == 1;
}

std::string repository_path(GitHost host, std::string_view path) {
  return place_of(host, "/" + std::string{path}).second;
}

std::variant<Repository, std::string> read_repository(GitHost host, std::string_view text) {
  const auto parsed = http::parse_url(text);
  const auto* url = std::get_if<http::Url>(&parsed);
  if (url == nullptr) {
    return "must be the http or https URL of a repository: it " +
           std::get<http::UrlProblem>(parsed).reason;
  }
  if (url->target.find('?') != std::string::npos) return "must have no query";
  std::string_view path = url->target;
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.ends_with(".git")) path.remove_suffix(4);
  Repository found{.host = host, .api = {}, .path = {}, .token = {}};
  std::string before;
  std::tie(before, found.path) = place_of(host, path);
  if (!is_repository(host, found.path)) {
    return "must end with the repository's path, as in https://git.example.org/acme/shop.git";
  }
  http::Url api = *url;
  api.host = api_host(host, *url);
  api.target = api_path(host, api.host, before);
  found.api = api.text();
  while (found.api.ends_with('/')) found.api.pop_back();
  return found;
}

Request request_to(const Repository& repository, std::string_view method, std::string url,
                   std::string body) {
  RINGPOST_ASSERT(url.starts_with(repository.api));
  Request request{.method = std::string{method},
                  .url = std::move(url),
                  .headers = api_headers(repository.host, repository.token),
                  .body = std::move(body)};
  if (!request.body.empty()) request.headers.push_back({"Content-Type", "application/json"});
  return request;
}

}  // namespace ringpost::githost
