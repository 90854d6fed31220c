#pragma once

#include "base/result.h"
#include "io/disk.h"

#include <cstdint>
#include <string>

namespace ringpost::backup {

struct Copied {
  uint64_t size = 0;
  uint64_t written = 0;  ///< Bytes of it that are no hole.
  uint32_t crc = 0;      ///< crc32c(0, all of it).
};

/// A segment with room is zeros for the most part.
enum class Zeros : uint8_t { write, leave_holes };

/// A file that is being made has the name that it will get, and this behind it.
inline constexpr const char* draft_suffix = ".part";

/// Copies a file to `to`, which is replaced as a whole, and makes its contents durable; its name is
/// once its directory is synced. Errc::not_found: there is no `from`.
Result<Copied> copy_file(io::Disk& disk, const std::string& from, const std::string& to,
                         Zeros zeros);
/// Writes a file in the same way.
Result<Copied> write_file(io::Disk& disk, const std::string& text, const std::string& to);
/// What a file has.
Result<Copied> examine_file(io::Disk& disk, const std::string& path);
/// Removes a file if it is there.
Result<void> remove_file(io::Disk& disk, const std::string& path);

}  // namespace ringpost::backup
