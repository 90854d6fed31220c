#include "control/token_registry.h"

#include "base/assert.h"
#include "control/store/store.h"
#include "crypto/digest.h"
#include "crypto/random.h"

#include <utility>

namespace ringpost::control {

using subscription::Token;

namespace {

constexpr size_t expired_at_once_max = 100;

}  // namespace

void TokenRegistry::add_loaded(Token&& token) {
  table_.put_token(token);
  ids_[token.organization].insert(token.id);
  if (token.expires_at) expiring_.emplace(*token.expires_at, token.id);
  if (lasting_operator(token)) ++operators_;
  const Ulid key = token.id.as_uuid();
  tokens_.emplace(key, std::move(token));
}

Result<const Token*> TokenRegistry::create(Token token) {
  if (auto stored = store_.insert_token(token); !stored) return stored.error();
  const Ulid id = token.id;
  add_loaded(std::move(token));
  return find(id);
}

Result<void> TokenRegistry::remove(const Ulid& id) {
  const Token* token = find(id);
  RINGPOST_ASSERT(token != nullptr);
  const Token* companion = find(companion_of(token->id));
  const auto removed = store_.transaction([&]() -> Result<void> {
    if (companion == nullptr) return store_.delete_token(token->number);
    if (auto deleted = store_.delete_token(companion->number); !deleted) return deleted;
    return store_.delete_token(token->number);
  });
  if (!removed) return removed;
  if (companion != nullptr) forget(*companion);
  forget(*token);
  return {};
}

void TokenRegistry::forget(const Token& token) {
  table_.remove_token(token.number);
  const auto ids = ids_.find(token.organization);
  ids->second.erase(token.id);
  if (ids->second.empty()) ids_.erase(ids);
  if (token.expires_at) expiring_.erase({*token.expires_at, token.id});
  if (lasting_operator(token)) --operators_;
  tokens_.erase(token.id.as_uuid());  // `token` goes with it.
}

const Token* TokenRegistry::find(const Ulid& id) const {
  const auto found = tokens_.find(id.as_uuid());
  return found == tokens_.end() ? nullptr : &found->second;
}

const Token* TokenRegistry::find_by_hash(const std::array<uint8_t, 32>& sha256) const {
  const Token* published = table_.current().token(sha256);
  return published == nullptr ? nullptr : find(published->id);  // It may be removed since.
}

std::vector<const Token*> TokenRegistry::list(
    std::string_view organization, const std::optional<Ulid>& before, size_t count,
    const std::function<bool(const Token&)>& wanted) const {
  std::vector<const Token*> found;
  const auto ids = ids_.find(organization);
  if (ids == ids_.end()) return found;
  auto place = before ? ids->second.lower_bound(*before) : ids->second.end();
  while (found.size() < count && place != ids->second.begin()) {
    const Token* token = find(*--place);
    if (wanted(*token)) found.push_back(token);
  }
  return found;
}

size_t TokenRegistry::count(std::string_view organization) const {
  const auto ids = ids_.find(organization);
  return ids == ids_.end() ? 0 : ids->second.size();
}

Result<size_t> TokenRegistry::remove_expired(WallTime now) {
  std::vector<Ulid> expired;
  for (const auto& [expires_at, id] : expiring_) {
    if (expires_at > now || expired.size() == expired_at_once_max) break;
    expired.push_back(id);
  }
  if (expired.empty()) return size_t{0};
  const auto removed = store_.transaction([&]() -> Result<void> {
    for (const Ulid& id : expired) {
      if (auto deleted = store_.delete_token(find(id)->number); !deleted) return deleted;
    }
    return {};
  });
  if (!removed) return removed.error();
  for (const Ulid& id : expired) forget(*find(id));
  return expired.size();
}

Ulid companion_of(const Ulid& id) {
  Ulid companion = id;
  companion.bytes.back() ^= 1;
  return companion;
}

MintedToken mint_token(WallTime now, Prng& random) {
  MintedToken minted;
  minted.text = crypto::token("rp_", 32);
  minted.token.id = Ulid::mint(now, random);
  minted.token.sha256 = crypto::sha256(as_bytes(minted.text));
  minted.token.created_at = now;
  return minted;
}

}  // namespace ringpost::control
