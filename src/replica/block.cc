#include "replica/block.h"

#include "base/assert.h"
#include "base/crc32c.h"

#include <array>
#include <optional>
#include <utility>

namespace ringpost::replica {
namespace {

constexpr uint32_t magic = 0x42525052;  // "RPRB"
constexpr size_t crc_at = 44;
constexpr uint8_t flag_optional = 1;

/// Of the header with zeros in place of the checksum, then of the body.
uint32_t checksum(Bytes block) {
  constexpr std::array<std::byte, 4> none{};
  const uint32_t head = crc32c(crc32c(0, block.first(crc_at)), none);
  return crc32c(head, block.subspan(block_header_bytes));
}

bool is_known(uint8_t type) {
  switch (static_cast<RecordType>(type)) {
    case RecordType::event:
    case RecordType::claim:
    case RecordType::renew:
    case RecordType::release:
    case RecordType::fence:
    case RecordType::outcome:
    case RecordType::checkpoint:
    case RecordType::settled:
    case RecordType::forwarded: return true;
  }
  return false;
}

BlockHeader load_header(const std::byte* from) {
  return {
      .writer = {.node = load_le<uint16_t>(from + 6), .incarnation = load_le<uint64_t>(from + 16)},
      .cluster_id = load_le<uint64_t>(from + 8),
      .sequence = load_le<uint64_t>(from + 24),
      .record_count = load_le<uint32_t>(from + 32),
      .body_bytes = load_le<uint32_t>(from + 36),
      .crc = load_le<uint32_t>(from + crc_at)};
}

/// What can be said before the checksum is known to be right.
std::optional<Fault> check_start(Bytes bytes) {
  if (bytes.size() < block_header_bytes) return Fault::short_header;
  if (load_le<uint32_t>(bytes.data()) != magic) return Fault::magic;
  // A newer version may have its checksum elsewhere.
  if (load_le<uint16_t>(bytes.data() + 4) > block_version) return Fault::newer_version;
  const auto body_bytes = load_le<uint32_t>(bytes.data() + 36);
  if (bytes.size() - block_header_bytes != body_bytes) return Fault::body_size;
  if (checksum(bytes) != load_le<uint32_t>(bytes.data() + crc_at)) return Fault::checksum;
  return std::nullopt;
}

std::optional<Fault> check_header(const BlockHeader& header, Bytes bytes, uint64_t cluster_id) {
  if (header.cluster_id != cluster_id) return Fault::other_cluster;
  if (load_le<uint16_t>(bytes.data() + 4) == 0) return Fault::newer_version;
  if (load_le<uint32_t>(bytes.data() + 40) != 0) return Fault::reserved;
  if (header.sequence == 0) return Fault::sequence;
  const size_t bytes_max = header.record_count > 1 ? block_bytes_max : lone_block_bytes_max;
  if (bytes.size() > bytes_max) return Fault::too_large;
  return std::nullopt;
}

/// Takes the record at the front of `body`, if it is of a known type.
std::optional<Fault> take_record(Bytes& body, uint32_t ordinal, std::vector<RecordView>& records) {
  if (body.size() < record_header_bytes) return Fault::record_header;
  const auto size = load_le<uint32_t>(body.data());
  const auto type = load_le<uint8_t>(body.data() + 4);
  const auto flags = load_le<uint8_t>(body.data() + 5);
  if ((flags & ~flag_optional) != 0) return Fault::record_header;
  if (load_le<uint16_t>(body.data() + 6) != 0) return Fault::reserved;
  if (size > body.size() - record_header_bytes) return Fault::record_size;
  if (is_known(type)) {
    records.push_back({static_cast<RecordType>(type), static_cast<uint16_t>(ordinal),
                       body.subspan(record_header_bytes, size)});
  } else if ((flags & flag_optional) == 0) {
    return Fault::unknown_record;
  }
  body = body.subspan(record_header_bytes + size);
  return std::nullopt;
}

bool has_two_claims(const std::vector<RecordView>& records) {
  int claims = 0;
  for (const RecordView& record : records) claims += record.type == RecordType::claim ? 1 : 0;
  return claims > 1;
}

}  // namespace

BlockBuilder::BlockBuilder() : bytes_(block_header_bytes) {}

bool BlockBuilder::fits(size_t payload_bytes) const {
  const size_t size = bytes_.size() + record_header_bytes + payload_bytes;
  return size <= (empty() ? lone_block_bytes_max : block_bytes_max);
}

void BlockBuilder::add(RecordType type, Bytes payload) {
  append(static_cast<uint8_t>(type), 0, payload);
}

void BlockBuilder::add_optional(uint8_t type, Bytes payload) {
  append(type, flag_optional, payload);
}

void BlockBuilder::append(uint8_t type, uint8_t flags, Bytes payload) {
  RINGPOST_ASSERT(fits(payload.size()));
  std::array<std::byte, record_header_bytes> header{};
  store_le(header.data(), static_cast<uint32_t>(payload.size()));
  store_le(header.data() + 4, type);
  store_le(header.data() + 5, flags);
  bytes_.insert(bytes_.end(), header.begin(), header.end());
  bytes_.insert(bytes_.end(), payload.begin(), payload.end());
  ++record_count_;
}

std::vector<std::byte> BlockBuilder::seal(const Writer& writer, uint64_t cluster_id,
                                          uint64_t sequence) {
  RINGPOST_ASSERT(!empty());
  RINGPOST_ASSERT(sequence > 0);
  std::byte* to = bytes_.data();
  store_le(to, magic);
  store_le(to + 4, block_version);
  store_le(to + 6, writer.node);
  store_le(to + 8, cluster_id);
  store_le(to + 16, writer.incarnation);
  store_le(to + 24, sequence);
  store_le(to + 32, record_count_);
  store_le(to + 36, static_cast<uint32_t>(bytes_.size() - block_header_bytes));
  store_le(to + crc_at, checksum(bytes_));
  record_count_ = 0;
  return std::exchange(bytes_, std::vector<std::byte>(block_header_bytes));
}

Result<Block> read_block(Bytes bytes, uint64_t cluster_id) {
  if (const auto fault = check_start(bytes)) return error_of(*fault);
  Block block{.header = load_header(bytes.data()), .records = {}};
  if (const auto fault = check_header(block.header, bytes, cluster_id)) return error_of(*fault);
  Bytes body = bytes.subspan(block_header_bytes);
  for (uint32_t ordinal = 0; ordinal < block.header.record_count; ++ordinal) {
    if (body.empty()) return error_of(Fault::record_count);
    if (const auto fault = take_record(body, ordinal, block.records)) return error_of(*fault);
  }
  if (!body.empty()) return error_of(Fault::record_count);
  if (has_two_claims(block.records)) return error_of(Fault::two_claims);
  return block;
}

}  // namespace ringpost::replica
