#pragma once

#include "crypto/aead.h"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

/// Names a key: random, no secret. Part of everything that the key sealed.
using KeyId = std::array<std::byte, 8>;

/// 16 hexadecimal digits.
std::string to_text(const KeyId& id);

/// The keys of a data directory's secrets, as its key file holds them. The first one seals, all of
/// them open. More than one: a rotation is under way or was cut short.
class Keyring {
 public:
  /// Wiped when destroyed.
  struct Key {
    KeyId id;
    std::array<std::byte, crypto::AeadKey::key_size> bytes;

    Key() = default;
    Key(const Key&) = default;
    Key& operator=(const Key&) = default;
    ~Key();
  };

  static constexpr size_t keys_max = 64;
  static constexpr size_t text_bytes_max = 16u << 10;

  /// No key: opens nothing; a store takes no such ring.
  Keyring() = default;

  /// Reads a key file's text: a line `<id> <base64 of 32 bytes>` for each key. Empty lines and
  /// those that begin with `#` are passed over.
  /// @returns nothing if it is malformed, too long, without a key, or has one id twice; `why` then
  ///          says which and in which line, without the key.
  static std::optional<Keyring> parse(std::string_view text, std::string& why);

  /// What `parse` reads, with a heading. Secret.
  std::string to_text() const;

  /// The same keys behind a new random one. At most `keys_max` keys: asserted.
  Keyring with_new_key() const;
  /// The key that seals, alone.
  Keyring first_only() const;

  const std::vector<Key>& keys() const { return keys_; }

 private:
  std::vector<Key> keys_;
};

}  // namespace ringpost::control
