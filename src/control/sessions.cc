#include "control/sessions.h"

#include "base/bytes.h"
#include "control/bounded_table.h"
#include "crypto/random.h"

#include <algorithm>
#include <functional>
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

std::string Sessions::create(const Beginning& beginning) {
  make_room(beginning.token_sha256, beginning.now);
  std::string key = crypto::token("", key_bytes);
  sessions_[hash_of(key)] = {.id = beginning.id,
                             .token_sha256 = beginning.token_sha256,
                             .ends_at = beginning.now + life_max,
                             .used_at = beginning.now,
                             .used_from = beginning.from};
  return key;
}

const Sessions::Session* Sessions::use(std::string_view key, Instant now, const io::Address* from) {
  const auto found = sessions_.find(hash_of(key));
  if (found == sessions_.end()) return nullptr;
  if (is_over(found->second, now)) {
    sessions_.erase(found);
    return nullptr;
  }
  if (from != nullptr) {
    found->second.used_at = now;
    found->second.used_from = *from;
  }
  return &found->second;
}

bool Sessions::lasts(const crypto::Digest& key_sha256, Instant now) const {
  const auto found = sessions_.find(key_sha256);
  return found != sessions_.end() && !is_over(found->second, now);
}

std::vector<const Sessions::Session*> Sessions::list(
    Instant now, const std::function<bool(const Session&)>& wanted) const {
  std::vector<const Session*> found;
  for (const auto& [key, session] : sessions_) {
    if (!is_over(session, now) && wanted(session)) found.push_back(&session);
  }
  std::ranges::sort(found, std::greater{}, [](const Session* session) { return session->id; });
  return found;
}

void Sessions::remove(std::string_view key) {
  sessions_.erase(hash_of(key));
}

void Sessions::remove(const Ulid& id) {
  std::erase_if(sessions_, [&](const auto& entry) { return entry.second.id == id; });
}

void Sessions::remove_all(const crypto::Digest& token_sha256, std::string_view but_key) {
  const crypto::Digest kept = hash_of(but_key);
  std::erase_if(sessions_, [&](const auto& entry) {
    return entry.second.token_sha256 == token_sha256 && entry.first != kept;
  });
}

/// For one more session of the token.
void Sessions::make_room(const crypto::Digest& token_sha256, Instant now) {
  std::erase_if(sessions_, [&](const auto& entry) { return is_over(entry.second, now); });
  control::make_room(
      sessions_, per_token_max, count_max,
      [&](const auto& entry) { return entry.second.token_sha256 == token_sha256; },
      [](const auto& entry) { return entry.second.used_at; });
}

}  // namespace ringpost::control
