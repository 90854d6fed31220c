#pragma once

#include "control/store/keyring.h"
#include "io/disk.h"
#include "server/config.h"

#include <optional>
#include <string>

namespace ringpost::server {

// The file with the keys that seal the secrets in the data directory (control/store/keyring.h). It
// lies outside of that directory, so that a copy of the one is not a copy of the other, and belongs
// to one relay alone: a rotation takes keys away.

/// `secrets.key_file`, or the data directory's path with `.key` behind it; absolute.
std::string key_file_path(const Config& config);

struct KeyFile {
  std::optional<control::Keyring> keyring;
  bool absent = false;  ///< There is no such file.
  std::string problem;  ///< If there is no keyring: why, and how to mend it.
};

/// Reads it. Refuses a file inside of the data directory, one that other users may read (but for
/// credentials.h), and one that is no regular file or no keyring. Changes nothing.
KeyFile read_key_file(io::Disk& disk, const Config& config);

/// Makes it, with mode 0600 and durable with its name, or replaces it as a whole: after a crash
/// there is the old file or the new one. @returns a problem as text; empty on success.
std::string write_key_file(io::Disk& disk, const Config& config, const control::Keyring& keyring);

}  // namespace ringpost::server
