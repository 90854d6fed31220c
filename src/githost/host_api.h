#pragma once

#include "http/message.h"
#include "subscription/git_source.h"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

// Where the API of a git host is, and how a token is shown to it.

namespace ringpost::githost {

using subscription::GitHost;

/// The path at which the host's API begins, without a slash at its end: `path`, and the part that
/// all hosts of a kind have (`/api/v4`), if it is not there already.
/// @param name  of the host: GitHub's own API begins at the root.
std::string api_path(GitHost host, std::string_view name, std::string_view path);

/// The headers that the host wants, and the token. Bitbucket Cloud's may be `USER:PASSWORD`.
std::vector<http::Header> api_headers(GitHost host, std::string_view token);

/// What the path of the API of a host that somebody runs ends with: `/api/v4`.
std::string_view api_suffix(GitHost host);

/// Whether the host can have a repository of this path: two names with a slash between them, at
/// GitLab two or more.
bool is_repository(GitHost host, std::string_view path);

/// The repository's path at a host of this kind, out of that of its URL: `acme/shop` of
/// `git/acme/shop`, and of Data Center's `scm/ACME/shop` and `projects/ACME/repos/shop/browse`.
std::string repository_path(GitHost host, std::string_view path);

/// A repository, as the host's API knows it.
struct Repository {
  GitHost host{};
  std::string api;    ///< Where the API begins: `https://api.github.com`, without a slash.
  std::string path;   ///< `acme/shop`; of Bitbucket Data Center project and repository.
  std::string token;  ///< May manage its webhooks.
};

/// Reads the URL of a repository, as for `git clone` or as its page has it.
/// @returns why it cannot be one at a host of this kind, as a part of a sentence.
std::variant<Repository, std::string> read_repository(GitHost host, std::string_view url);

/// A request to the API.
struct Request {
  std::string method;
  std::string url;
  std::vector<http::Header> headers;
  std::string body;  ///< JSON; may be empty.
};

/// @param url  whole; it begins with `repository.api`, for the token goes there.
Request request_to(const Repository& repository, std::string_view method, std::string url,
                   std::string body = {});

}  // namespace ringpost::githost
