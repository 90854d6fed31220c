#include "control/user_registry.h"

#include "base/assert.h"
#include "control/store/store.h"
#include "crypto/random.h"

#include <utility>

namespace ringpost::control {

using subscription::Token;

namespace {

/// Of their tokens in the table: the numbers of tokens that the store gives never get so far.
constexpr uint32_t user_numbers = uint32_t{1} << 31;

crypto::Digest hash_of_nothing() {
  crypto::Digest hash{};
  crypto::fill(std::as_writable_bytes(std::span{hash}));
  return hash;
}

}  // namespace

Result<void> UserRegistry::load() {
  return store_.users().load([this](User&& user) { put(std::move(user)); });
}

Token UserRegistry::token_of(const User& user) const {
  return {.number = user_numbers | user.number,
          .id = user.id,
          .name = std::string{user_token_prefix} + user.name,
          .organization = user.organization,
          .scopes = user.scopes,
          .sha256 = hashes_.at(user.id.as_uuid()),
          .created_at = user.created_at,
          .sources = user.sources,
          .expires_at = {}};
}

const User* UserRegistry::put(User user) {
  const Ulid key = user.id.as_uuid();
  hashes_.try_emplace(key, hash_of_nothing());
  User& kept = users_[key];
  kept = std::move(user);
  Names& names = organizations_[kept.organization];
  names.by_id[kept.id] = &kept;
  names.by_name[kept.name] = &kept;
  if (kept.enabled) {
    table_.put_token(token_of(kept));
  } else {
    table_.remove_token(user_numbers | kept.number);
  }
  return &kept;
}

Result<const User*> UserRegistry::create(User user) {
  if (auto stored = store_.users().insert(user); !stored) return stored.error();
  return put(std::move(user));
}

Result<const User*> UserRegistry::update(User user) {
  if (auto stored = store_.users().update(user); !stored) return stored.error();
  return put(std::move(user));
}

Result<void> UserRegistry::remove(const User& user) {
  if (auto removed = store_.users().remove(user.number); !removed) return removed;
  table_.remove_token(user_numbers | user.number);
  const auto names = organizations_.find(user.organization);
  names->second.by_id.erase(user.id);
  names->second.by_name.erase(user.name);
  if (names->second.by_id.empty()) organizations_.erase(names);
  const Ulid key = user.id.as_uuid();
  hashes_.erase(key);
  users_.erase(key);  // `user` goes with it.
  return {};
}

const User* UserRegistry::find(const Ulid& id) const {
  const auto found = users_.find(id.as_uuid());
  return found == users_.end() ? nullptr : &found->second;
}

const User* UserRegistry::find(std::string_view organization, std::string_view name) const {
  const auto names = organizations_.find(organization);
  if (names == organizations_.end()) return nullptr;
  const auto found = names->second.by_name.find(name);
  return found == names->second.by_name.end() ? nullptr : found->second;
}

std::vector<const User*> UserRegistry::list(std::string_view organization,
                                            const std::optional<Ulid>& before, size_t count,
                                            const std::function<bool(const User&)>& wanted) const {
  std::vector<const User*> found;
  const auto names = organizations_.find(organization);
  if (names == organizations_.end()) return found;
  const auto& users = names->second.by_id;
  auto place = before ? users.lower_bound(*before) : users.end();
  while (found.size() < count && place != users.begin()) {
    const User* user = (--place)->second;
    if (wanted(*user)) found.push_back(user);
  }
  return found;
}

size_t UserRegistry::count(std::string_view organization) const {
  const auto names = organizations_.find(organization);
  return names == organizations_.end() ? 0 : names->second.by_id.size();
}

}  // namespace ringpost::control
