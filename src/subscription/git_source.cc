#include "subscription/git_source.h"

#include "base/assert.h"

#include <algorithm>

namespace ringpost::subscription {

std::string_view name(GitHost host) {
  switch (host) {  // No default: a new host has to get a name, or the build warns.
    case GitHost::github: return "github";
    case GitHost::gitlab: return "gitlab";
    case GitHost::bitbucket: return "bitbucket";
    case GitHost::bitbucket_server: return "bitbucket-server";
    case GitHost::gitea: return "gitea";
    case GitHost::forgejo: return "forgejo";
    case GitHost::gogs: return "gogs";
    case GitHost::buildkite: return "buildkite";
  }
  RINGPOST_UNREACHABLE();
}

std::string_view title(GitHost host) {
  switch (host) {
    case GitHost::github: return "GitHub";
    case GitHost::gitlab: return "GitLab";
    case GitHost::bitbucket: return "Bitbucket Cloud";
    case GitHost::bitbucket_server: return "Bitbucket Data Center";
    case GitHost::gitea: return "Gitea";
    case GitHost::forgejo: return "Forgejo";
    case GitHost::gogs: return "Gogs";
    case GitHost::buildkite: return "Buildkite pipeline trigger";
  }
  RINGPOST_UNREACHABLE();
}

std::optional<GitHost> parse_git_host(std::string_view text) {
  for (const GitHost host : all_git_hosts) {
    if (name(host) == text) return host;
  }
  return std::nullopt;
}

std::string_view object_to_git_secret(std::string_view secret) {
  if (secret.size() < git_secret_bytes_min) return "must have at least 16 characters";
  if (secret.size() > git_secret_bytes_max) return "must have at most 128 characters";
  const auto visible = [](char byte) { return byte > ' ' && byte < '\x7f'; };
  if (!std::ranges::all_of(secret, visible)) return "must be visible ASCII without spaces";
  return {};
}

bool GitSource::has_hash(const std::array<uint8_t, 32>& other) const {
  uint8_t difference = 0;
  for (size_t index = 0; index < sha256.size(); ++index) {
    difference = static_cast<uint8_t>(difference | (sha256[index] ^ other[index]));
  }
  return difference == 0;
}

}  // namespace ringpost::subscription
