#include "subscription/keyed_hash.h"

namespace ringpost::subscription {

KeyedHash::KeyedHash(const HashKey& secret) {
  uint64_t counter = 0;
  const auto fill = [&](auto& words) {
    for (uint64_t& word : words) {
      std::array<std::byte, 8> position;
      store_le(position.data(), counter++);
      word = siphash(secret, position);
    }
  };
  fill(last_words_);
  fill(source_words_);
  fill(organization_words_);
}

}  // namespace ringpost::subscription
