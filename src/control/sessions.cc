#include "control/sessions.h"

#include "base/bytes.h"
#include "crypto/random.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {
namespace {

constexpr size_t key_bytes = 32;

bool is_over(const Sessions::Session& session, Instant now) {
  return now >= session.ends_at || now - session.used_at >= Sessions::idle_max;
}

crypto::Digest hash_of(std::string_view key) {
  return crypto::sha256(as_bytes(key));
}

}  // namespace

std::string Sessions::create(const subscription::Token& token, Instant now) {
  make_room(token.sha256, now);
  std::string key = crypto::token("", key_bytes);
  sessions_[hash_of(key)] = {
      .token_sha256 = token.sha256, .ends_at = now + life_max, .used_at = now};
  return key;
}

const Sessions::Session* Sessions::use(std::string_view key, Instant now, bool by_person) {
  const auto found = sessions_.find(hash_of(key));
  if (found == sessions_.end()) return nullptr;
  if (is_over(found->second, now)) {
    sessions_.erase(found);
    return nullptr;
  }
  if (by_person) found->second.used_at = now;
  return &found->second;
}

bool Sessions::lasts(const crypto::Digest& key_sha256, Instant now) const {
  const auto found = sessions_.find(key_sha256);
  return found != sessions_.end() && !is_over(found->second, now);
}

void Sessions::remove(std::string_view key) {
  sessions_.erase(hash_of(key));
}

/// For one more session of the token.
void Sessions::make_room(const crypto::Digest& token_sha256, Instant now) {
  std::erase_if(sessions_, [&](const auto& entry) { return is_over(entry.second, now); });
  const auto of_token = [&](const auto& entry) {
    return entry.second.token_sha256 == token_sha256;
  };
  const bool token_full =
      static_cast<size_t>(std::ranges::count_if(sessions_, of_token)) >= per_token_max;
  if (!token_full && sessions_.size() < count_max) return;
  auto oldest = sessions_.end();
  for (auto entry = sessions_.begin(); entry != sessions_.end(); ++entry) {
    if (token_full && !of_token(*entry)) continue;
    if (oldest == sessions_.end() || entry->second.used_at < oldest->second.used_at) oldest = entry;
  }
  sessions_.erase(oldest);
}

}  // namespace ringpost::control
