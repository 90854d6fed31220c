#pragma once

#include "base/clock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::backup {

/// One file of the data directory, as the backup has it.
struct ManifestFile {
  std::string path;    ///< In the data directory, such as `journal/000/00000042.seg`.
  std::string stored;  ///< In the backup's directory `files`: a name without a slash.
  uint64_t size = 0;
  uint32_t crc = 0;    ///< crc32c(0, all of it).
  bool final = false;  ///< It never changes any more: the next backup need not copy it again.

  bool operator==(const ManifestFile&) const = default;
};

/// What a backup holds: its file `backup.json`. Without one it is no backup.
struct Manifest {
  uint64_t directory_id = 0;  ///< Of the data directory.
  uint64_t number = 0;        ///< Of the backups in this place, from 1.
  WallTime began_at{};        ///< What was accepted before is in it.
  std::vector<ManifestFile> files;
};

inline constexpr const char* manifest_name = "backup.json";
inline constexpr const char* files_name = "files";
inline constexpr const char* store_name = "control.db";

std::string to_json(const Manifest& manifest);
/// @returns nothing, with `problem` as a part of a sentence ("is not JSON"), for a text that is no
/// manifest of ours. Paths that do not belong into a data directory are refused.
std::optional<Manifest> parse_manifest(std::string_view json, std::string& problem);

}  // namespace ringpost::backup
