#pragma once

#include "base/clock.h"
#include "io/disk.h"

#include <cstdint>
#include <optional>
#include <string>

namespace ringpost::backup {

struct BackupReport {
  uint64_t number = 0;         ///< Of the backups in this place, from 1.
  uint64_t files = 0;          ///< In the backup.
  uint64_t files_copied = 0;   ///< By this run; the others were there.
  uint64_t bytes = 0;          ///< Of the files.
  uint64_t bytes_copied = 0;   ///< Without the zeros of segments that have room.
  uint64_t files_removed = 0;  ///< Of the backup before that are needed no more.
};

/// Copies a data directory into `directory`: journals, index and control store. The relay may run;
/// it is not slowed but by the reading. Every event that was acknowledged when it began is in the
/// backup, and every webhook that one of them goes to. What ended while it ran may be pending in
/// it: a relay that is restored from it delivers that again with the same ids, as after a crash.
///
/// A backup of the same data directory that is there is brought up to date: full segments are not
/// copied again. Until the new one is complete and durable the old one is whole. The key file of
/// the store is not in it.
///
/// @returns nothing, with `problem` for people.
std::optional<BackupReport> make_backup(io::Disk& disk, const std::string& data_dir,
                                        const std::string& directory, WallTime now,
                                        std::string& problem);

struct RestoreReport {
  uint64_t files = 0;
  uint64_t bytes = 0;
  WallTime began_at{};  ///< Of the backup.
};

/// Copies a backup into `data_dir`, which must not exist or be empty, and checks every byte. The
/// store comes last: without it no relay starts on half of a restored directory.
std::optional<RestoreReport> restore_backup(io::Disk& disk, const std::string& directory,
                                            const std::string& data_dir, std::string& problem);

}  // namespace ringpost::backup
