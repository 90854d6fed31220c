#include "ingest/token_cache.h"

#include "crypto/digest.h"

#include <algorithm>

namespace ringpost::ingest {
namespace {

/// A token of ours is far shorter; what is longer is no token, and is not hashed.
constexpr size_t token_bytes_max = 256;

/// RFC 6750, 2.1; the scheme is read without regard to case (RFC 9110, 11.1).
std::string_view bearer_token(std::string_view authorization) {
  constexpr std::string_view scheme = "bearer ";
  if (authorization.size() <= scheme.size()) return {};
  const bool bearer = std::ranges::equal(
      scheme, authorization.substr(0, scheme.size()),
      [](char left, char right) { return left == (left == ' ' ? right : right | 0x20); });
  if (!bearer) return {};
  std::string_view token = authorization.substr(scheme.size());
  while (token.starts_with(' ')) token.remove_prefix(1);
  return token;
}

}  // namespace

const subscription::Token* TokenCache::find(std::string_view authorization,
                                            const subscription::Snapshot& snapshot) {
  const std::string_view text = bearer_token(authorization);
  if (text.empty() || text.size() > token_bytes_max) return nullptr;
  const uint64_t high = siphash(secret_[0], as_bytes(text));
  const uint64_t low = siphash(secret_[1], as_bytes(text));
  Entry& entry = entries_[low % entry_count];
  if (entry.token != nullptr && entry.high == high && entry.low == low &&
      entry.version == snapshot.version()) {
    return entry.token;
  }
  const subscription::Token* token = snapshot.token(crypto::sha256(as_bytes(text)));
  if (token != nullptr) entry = {high, low, snapshot.version(), token};
  return token;
}

}  // namespace ringpost::ingest
