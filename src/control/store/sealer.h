#pragma once

#include "base/result.h"
#include "control/store/keyring.h"

#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

/// Seals what must not lie readable in the store, and opens it.
///
/// A sealed value is `1 (format) | key id (8) | nonce (12) | ciphertext | tag (16)`, AES-256-GCM.
/// What comes before the nonce and the place of the value are authenticated with it, so
/// that nobody who can write to the file moves a secret to another row or column.
class Sealer {
 public:
  /// Where a value is in the store. `row` is the row's id, which never changes.
  struct Place {
    std::string_view table;
    std::string_view column;
    std::string_view row;
  };

  /// @param keyring  not empty.
  explicit Sealer(const Keyring& keyring);

  /// With the first key.
  std::string seal(const Place& place, std::string_view plain) const;

  /// With the key that the value names. @returns Errc::not_found if the ring does not have it;
  /// Errc::corrupt if the value was changed, or was not sealed for this place.
  Result<std::string> open(const Place& place, Bytes sealed) const;

  /// The key of a sealed value: for people; empty if the value names none.
  static std::string key_of(Bytes sealed);

 private:
  struct Key {
    KeyId id;
    crypto::AeadKey key;
  };

  std::vector<Key> keys_;
};

}  // namespace ringpost::control
