#pragma once

#include "base/result.h"
#include "base/ulid.h"
#include "subscription/git_source.h"
#include "subscription/table.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ringpost::control {

class Store;

/// A key of Standard Webhooks: GitLab may sign with it, and any host takes it as a text.
std::string new_git_secret();

/// All git sources as the management API sees them; kept in step with the store and the
/// subscription table. A change is in the store when the call returns, and in force everywhere with
/// the next publish (Publisher).
class GitSourceRegistry {
 public:
  GitSourceRegistry(Store& store, subscription::SubscriptionTable& table)
      : store_(store), table_(table) {}

  /// Reads all of the store into the table. Call once; the table's next publish shows them.
  Result<void> load();

  /// The store gives the number; the id is the caller's. Errors of these three are the store's.
  Result<const subscription::GitSource*> create(subscription::GitSource source);
  Result<const subscription::GitSource*> update(subscription::GitSource source);
  Result<void> remove(const subscription::GitSource& source);

  /// By its id in either spelling. nullptr if there is none, or it is another organization's. Valid
  /// until the source changes.
  const subscription::GitSource* find(std::string_view organization, const Ulid& id) const;
  /// Up to `count` sources that `wanted` says yes to, older than `before` (nothing: the newest),
  /// newest first.
  std::vector<const subscription::GitSource*> list(
      std::string_view organization, const std::optional<Ulid>& before, size_t count,
      const std::function<bool(const subscription::GitSource&)>& wanted) const;
  size_t count(std::string_view organization) const;
  /// nullptr: there is none. Good as long as `find`'s.
  const subscription::GitSource* find_number(uint32_t number) const;
  /// Grows with every change.
  uint64_t version() const { return version_; }

 private:
  using Key = std::pair<std::string, Ulid>;  // Organization and Ulid::as_uuid: sorts by age.
  using Sources = std::map<Key, subscription::GitSource>;

  const subscription::GitSource* put(subscription::GitSource source);
  Sources::const_iterator begin_of(std::string_view organization) const;

  Store& store_;
  subscription::SubscriptionTable& table_;
  Sources sources_;
  std::unordered_map<uint32_t, const subscription::GitSource*> by_number_;  // Of `sources_`.
  uint64_t version_ = 0;
};

}  // namespace ringpost::control
