#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::crypto {

/// What a guess costs (RFC 7914): 128 * r * 2^log2_n bytes of memory, and time in proportion to
/// r * p * 2^log2_n.
struct ScryptCost {
  uint32_t log2_n = 15;
  uint32_t r = 8;
  uint32_t p = 3;

  uint64_t memory() const { return (uint64_t{128} * r) << log2_n; }
  friend bool operator==(const ScryptCost&, const ScryptCost&) = default;
};

/// Limits for the cost in a text: whoever may write one may not take more than 128 MiB and less
/// than a second from us, nor make us keep passwords that are guessed quickly.
inline constexpr uint64_t scrypt_memory_max = uint64_t{128} << 20;
inline constexpr uint64_t scrypt_work_max = uint64_t{1} << 17;  ///< r / 8 * p * 2^log2_n
inline constexpr uint32_t scrypt_log2_n_min = 14;
inline constexpr size_t scrypt_text_bytes_max = 256;
inline constexpr size_t password_bytes_max = 1024;

/// The function of RFC 7914. `out` gets as many bytes as it is large.
/// @returns Errc::malformed for a cost that the RFC does not allow; Errc::too_large beyond
///          `scrypt_memory_max`.
Result<void> scrypt(Bytes password, Bytes salt, ScryptCost cost, MutableBytes out);

/// A password's hash, as in configurations:
/// `scrypt$<log2 N>$<r>$<p>$<salt, base64>$<hash, base64>`. Takes 32 MiB and some 0.2 s: not for a
/// shard's thread.
class PasswordHash {
 public:
  /// The hash of a password, with a new salt of 16 bytes and the default cost.
  static PasswordHash of(std::string_view password);

  /// One that belongs to no password that anybody knows, at the cost of `of`: what a password is
  /// held against where there is nobody. Takes no time.
  static PasswordHash nobodys();

  /// @returns nothing if the text has another form, breaks a limit above, or has a salt outside 8
  /// to
  ///          64 or a hash outside 16 to 64 bytes. `why` then says which.
  static std::optional<PasswordHash> parse(std::string_view text, std::string& why);

  std::string to_text() const;

  /// Whether this is the password. The comparison takes the same time for every wrong one.
  bool matches(std::string_view password) const;

 private:
  ScryptCost cost_;
  std::string salt_;
  std::string hash_;
};

}  // namespace ringpost::crypto
