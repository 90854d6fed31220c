#pragma once

#include "io/disk.h"
#include "server/config.h"

#include <string>

namespace ringpost::server {

/// Writes a token to a file that its owner alone can read, from the first instant.
/// @param replace  whether a file that is there is overwritten.
/// @returns whether it is there now, durably.
bool write_token_file(const std::string& path, const std::string& token, bool replace);

struct AdminToken {
  std::string problem;  ///< Empty: done.
  std::string text;     ///< The token, which is nowhere else unless it was written to a file.
};

/// Makes a token of the relay's operator (scope admin, organization `default`) in the data
/// directory of a stopped relay, for operators who lost theirs. Anyone who may open the directory
/// and its key file holds all its secrets anyway. The audit log gets an entry.
/// @param name  for people.
/// @param file  a new file to write the token to, before it is good; empty: none.
AdminToken make_admin_token(io::Disk& disk, const Config& config, const std::string& name,
                            const std::string& file);

/// `ringpost token add --data-dir`. @returns the process's exit code; what went wrong was said on
/// standard error then.
int add_admin_token(const Config& config, const std::string& name, const std::string& file);

}  // namespace ringpost::server
