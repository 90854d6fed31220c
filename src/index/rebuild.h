#pragma once

#include "index/open_part.h"
#include "io/disk.h"

#include <memory>
#include <string>

namespace ringpost::index {

/// Reads a segment's file, and makes the part of its records: of all whose checksum is right, as a
/// start of the relay takes them. Blocking: the whole file is read.
///
/// @param of_earlier_run  as OpenPart's.
/// Errors: Errc::not_found if there is no such file, or it is another segment's by now;
/// Errc::unsupported if a newer ringpost wrote it; otherwise the file system's.
Result<std::unique_ptr<OpenPart>> read_segment(io::Disk& disk, const std::string& journal_directory,
                                               uint64_t directory_id, uint16_t journal,
                                               uint32_t segment, bool of_earlier_run);

/// Makes the index file of a segment from the segment. Errors: as `read_segment` and `write_index`.
Result<void> rebuild_index(io::Disk& disk, const std::string& journal_directory,
                           uint64_t directory_id, uint16_t journal, uint32_t segment);

}  // namespace ringpost::index
