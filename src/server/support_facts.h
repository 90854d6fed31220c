#pragma once

#include "server/config.h"

#include <string>

namespace ringpost::server {

/// The configuration file's lines, but those that might hold a secret: what is no known key, or has
/// a user's. Why not, if it cannot be read.
std::string masked_config(const std::string& file);

/// Names, sizes and times of the files in the data directory, a line for each.
std::string listed_files(const std::string& data_dir);

}  // namespace ringpost::server
