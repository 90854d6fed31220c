#pragma once

#include "base/result.h"
#include "control/store/git_link_table.h"
#include "githost/host_api.h"
#include "subscription/git_source.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace ringpost::control {

class Store;

/// The repositories of git sources, and the gaps in what came from there, as the store has them. A
/// change is in the store when the call returns; errors are the store's.
class GitLinks {
 public:
  /// Of one source. Of more, those that are over are forgotten, the oldest first.
  static constexpr size_t gaps_max = 200;

  explicit GitLinks(Store& store) : store_(store) {}

  /// Reads all of the store. Call once.
  Result<void> load();

  /// nullptr: the source has none. Good until it is removed.
  const GitLink* find(uint32_t source) const;
  Result<void> put(GitLink link);
  /// With its gaps.
  Result<void> remove(uint32_t source);
  const std::map<uint32_t, GitLink>& all() const { return links_; }

  /// The gaps of a source, the newest first.
  std::vector<const GitGap*> gaps(uint32_t source) const;
  const GitGap* find_gap(uint32_t source, std::string_view delivery) const;
  /// The oldest that is to be asked for; nullptr: none is.
  const GitGap* oldest_open(uint32_t source) const;
  /// Whether one more would be kept.
  bool has_room(uint32_t source) const;
  Result<void> put_gap(GitGap gap);

  /// Grows with every change of a link.
  uint64_t version() const { return version_; }

 private:
  using Gaps = std::vector<GitGap>;  // The oldest first.

  Store& store_;
  std::map<uint32_t, GitLink> links_;
  std::map<uint32_t, Gaps> gaps_;
  uint64_t version_ = 0;
};

/// The repository of a link; nothing if another version stored what this one cannot read.
std::optional<githost::Repository> repository_of(const subscription::GitSource& source,
                                                 const GitLink& link);

}  // namespace ringpost::control
