#pragma once

#include "base/clock.h"
#include "base/ulid.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::subscription {

/// What kind of git host sends: each has its own headers, signature and payloads.
enum class GitHost : uint8_t {
  github,
  gitlab,
  bitbucket,         ///< Bitbucket Cloud.
  bitbucket_server,  ///< Bitbucket Data Center.
  gitea,
  forgejo,
  gogs,
  buildkite,  ///< No git host: a pipeline trigger of Buildkite's, which anything may call.
};

inline constexpr std::array all_git_hosts{
    GitHost::github, GitHost::gitlab,  GitHost::bitbucket, GitHost::bitbucket_server,
    GitHost::gitea,  GitHost::forgejo, GitHost::gogs,      GitHost::buildkite};

/// As the API, URLs and the events' sources spell it: `bitbucket-server`.
std::string_view name(GitHost host);
std::optional<GitHost> parse_git_host(std::string_view text);
/// As people call it: "Bitbucket Data Center".
std::string_view title(GitHost host);

inline constexpr size_t git_secret_bytes_min = 16;
/// Bitbucket Cloud takes no longer one.
inline constexpr size_t git_secret_bytes_max = 128;
/// Why a text cannot be the secret, as a part of a sentence ("is too short"); empty if it can be.
/// What is neither ASCII nor visible may be changed on its way through a host's form.
std::string_view object_to_git_secret(std::string_view secret);

/// A webhook at a git host, whose calls become events: `repository/<host>/<path>`.
struct GitSource {
  uint32_t number = 0;
  Ulid id;
  std::string organization;  ///< Whose events they are.
  GitHost host = GitHost::github;
  std::string description;
  std::string path_token;            ///< How the path ends that the host calls (src/incoming).
  std::array<uint8_t, 32> sha256{};  ///< Of `path_token`.
  /// What the host signs with, or shows. Empty: only of a trigger, whose path is proof enough.
  std::string secret;
  std::string previous_secret;  ///< Good beside it until the time below; empty: none.
  WallTime previous_secret_until{};
  bool enabled = true;
  WallTime created_at{};
  WallTime updated_at{};

  /// Whether it is the source of this hash, in a time that does not depend on where they differ.
  bool has_hash(const std::array<uint8_t, 32>& other) const;
};

}  // namespace ringpost::subscription
