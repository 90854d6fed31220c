#include "replica/fault.h"

namespace ringpost::replica {

std::string_view describe(Fault fault) {
  switch (fault) {
    case Fault::short_header: return "the block is shorter than its header";
    case Fault::magic: return "the block does not begin with RPRB: ringpost did not write it";
    case Fault::newer_version: return "a newer ringpost wrote the block; update this one";
    case Fault::other_cluster:
      return "the block belongs to another cluster; check the topics and the brokers' addresses";
    case Fault::reserved: return "a reserved byte of the block is not zero";
    case Fault::body_size: return "the block is not as long as its header says";
    case Fault::too_large: return "the block is larger than a block may be";
    case Fault::checksum: return "the block does not match its checksum";
    case Fault::sequence: return "the block has the sequence 0; sequences count from 1";
    case Fault::record_header: return "a record's header is cut off or has unknown flags";
    case Fault::record_size: return "a record is longer than its block";
    case Fault::record_count: return "the block does not hold as many records as its header says";
    case Fault::unknown_record:
      return "the block has a record of a type that a newer ringpost wrote; update this one";
    case Fault::two_claims: return "the block holds two claims";
    case Fault::payload_short: return "a record ends too early";
    case Fault::payload_value: return "a record has a value that it cannot have";
  }
  return "unknown fault";
}

Error error_of(Fault fault) {
  const auto detail = static_cast<int32_t>(fault);
  switch (fault) {
    case Fault::newer_version:
    case Fault::unknown_record: return {Errc::unsupported, Side::disk, detail};
    case Fault::other_cluster: return {Errc::conflict, Side::disk, detail};
    default: return {Errc::corrupt, Side::disk, detail};
  }
}

}  // namespace ringpost::replica
