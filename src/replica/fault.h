#pragma once

#include "base/result.h"

#include <cstdint>
#include <string_view>

namespace ringpost::replica {

/// What is wrong with a block or a record that came from the engine: the `detail` of the Errors of
/// this folder.
enum class Fault : int32_t {
  short_header = 1,  ///< Fewer bytes than a header has.
  magic,             ///< Does not begin with RPRB.
  newer_version,     ///< Errc::unsupported: a newer ringpost wrote it.
  other_cluster,     ///< Errc::conflict: the id of another cluster.
  reserved,          ///< A byte that has to be zero is not.
  body_size,         ///< Longer or shorter than its header says.
  too_large,         ///< More than one record, and larger than a block may be.
  checksum,          ///< The bytes do not match their checksum.
  sequence,          ///< Sequence 0; they count from 1.
  record_header,     ///< A record's header is cut off, or its flags are not known.
  record_size,       ///< A record is longer than the rest of the block.
  record_count,      ///< More or fewer records than the header says.
  unknown_record,    ///< Errc::unsupported: a required record of a type from a newer ringpost.
  two_claims,        ///< Two CLAIMs in one block; they could not be told apart.
  payload_short,     ///< A record ends before its fields do.
  payload_value,     ///< A field has a value that it cannot have.
};

/// For people: what the fault means. The number may come from a log or a file.
std::string_view describe(Fault fault);

/// The Error for it, with the code that says whether it is damage.
Error error_of(Fault fault);

}  // namespace ringpost::replica
