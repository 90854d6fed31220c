#pragma once

#include "server/finding.h"

#include <cstdint>
#include <string>

namespace ringpost::server {

/// What the file system of a directory means for a journal: for the `f_type` of statfs(2).
Finding judge_file_system(uint64_t type);

/// Why a relay does not start with its data in this directory, which exists: locks and durable
/// writes cannot be relied on there. Empty if it does, and if nobody can tell.
std::string object_to_file_system(const std::string& directory);
/// The same for a type.
std::string object_to_file_system(const std::string& directory, uint64_t type);

}  // namespace ringpost::server
