#pragma once

#include "io/disk.h"
#include "server/config.h"

#include <string>

namespace ringpost::server {

// Commands about secrets. Each returns the process's exit code, and has then said on standard error
// what went wrong.

/// What a rotation did, or why it did not end.
struct RotationResult {
  std::string problem;    ///< Empty: done.
  std::string key_id;     ///< The key that now seals.
  uint64_t webhooks = 0;  ///< Whose secrets were sealed anew.
};

/// Seals the secrets of a stopped relay's data directory with a new key: puts it in front of the
/// key file, seals everything anew in one transaction, sees that the new key opens everything, and
/// takes the old keys out of the file. Killed at any point, what is left is a directory that opens,
/// and running this again ends it.
RotationResult rotate_keys(io::Disk& disk, const Config& config);

/// `ringpost secrets rotate`.
int rotate_secrets(const Config& config);

/// `ringpost hash-password`: reads a password, the first line of standard input, without echo on a
/// terminal, and prints its hash for `[[user]]`.
int hash_password();

}  // namespace ringpost::server
