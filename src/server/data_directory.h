#pragma once

#include "control/store/store.h"
#include "io/disk.h"
#include "server/config.h"
#include "server/new_files.h"

#include <memory>
#include <optional>
#include <string>

namespace ringpost::server {

/// A data directory in our hands: its lock, its keys and its store. The lock ends with the process,
/// or when the caller closes `lock`.
struct DataDirectory {
  io::File lock;
  control::Keyring keyring;
  std::unique_ptr<control::Store> store;
  NewFiles made;  ///< By a first start.
};

std::string store_path(const Config& config);

/// What of a data directory this user may not read and write, and what to do; empty if nothing is
/// wrong, or nothing is there.
std::string object_to_rights(const Config& config);

enum class IfAbsent : uint8_t { make, refuse };

/// In this order, so that a failure has changed as little as possible: directory, lock, key file,
/// store. A key file is made only if there is none and the store holds nothing sealed. What a first
/// start has made is removed after a failure.
/// @returns nothing, with `problem` saying why and how to mend it in one line.
std::optional<DataDirectory> open_data_directory(io::Disk& disk, const Config& config,
                                                 IfAbsent if_absent, std::string& problem);

/// No core files of this process, and no reading of its memory by other processes of its user: both
/// would give secrets away.
void forbid_core_files();

}  // namespace ringpost::server
