#include "journal/format.h"

#include "base/assert.h"
#include "journal/position.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace ringpost::journal {
namespace {

// The line end betrays a copy that went through a text conversion.
constexpr std::string_view segment_magic = "RPJSEG\r\n";
constexpr uint32_t footer_magic = 0x45'4a'50'52;  // "RPJE"
constexpr uint32_t block_magic = 0x42'4a'50'52;   // "RPJB"
constexpr uint16_t record_magic = 0x52'4a;        // "JR"

constexpr uint32_t header_crc_at = page_bytes - 4;
constexpr uint32_t block_crc_at = block_header_bytes - 4;
constexpr uint32_t record_crc_at = record_header_bytes - 4;

constexpr uint32_t segment_digits = 8;
constexpr uint32_t segment_number_max = (uint32_t{1} << Position::segment_bits) - 1;

bool all_zero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{}; });
}

uint32_t record_crc(const Generation& generation, uint32_t offset, const std::byte* record,
                    size_t span) {
  const uint32_t crc = crc32c(generation.seed(offset), {record, record_crc_at});
  return crc32c(crc, {record + record_header_bytes, span - record_header_bytes});
}

}  // namespace

Generation::Generation(uint64_t directory_id, uint16_t journal, uint32_t segment)
    : journal_(journal), segment_(segment) {
  std::array<std::byte, 16> place{};
  store_le<uint64_t>(&place[0], directory_id);
  store_le<uint32_t>(&place[8], journal);
  store_le<uint32_t>(&place[12], segment);
  seed_ = crc32c(0, place);
}

uint32_t Generation::seed(uint32_t offset) const {
  std::array<std::byte, 4> bytes;
  store_le(bytes.data(), offset);
  return crc32c(seed_, bytes);
}

void write_segment_header(const SegmentHeader& header, MutableBytes page) {
  RINGPOST_ASSERT(page.size() == page_bytes);
  std::memset(page.data(), 0, page.size());
  std::byte* to = page.data();
  std::memcpy(to, segment_magic.data(), segment_magic.size());
  store_le<uint16_t>(to + 8, format_version);
  store_le<uint16_t>(to + 12, header.journal);
  store_le<uint8_t>(to + 14, static_cast<uint8_t>(header.previous_kind));
  store_le<uint32_t>(to + 16, header.segment);
  store_le<uint32_t>(to + 20, header.size);
  store_le<uint64_t>(to + 24, header.directory_id);
  store_le<int64_t>(to + 32, to_unix_ns(header.created_at));
  store_le<uint32_t>(to + 40, header.previous);
  store_le<uint32_t>(to + 44, header.previous_end);
  store_le<uint32_t>(to + header_crc_at, crc32c(0, page.first(header_crc_at)));
}

Result<SegmentHeader> read_segment_header(Bytes page) {
  const Error corrupt{Errc::corrupt, Side::disk};
  if (page.size() < page_bytes) return corrupt;
  const std::byte* from = page.data();
  if (as_text(page.first(segment_magic.size())) != segment_magic) return corrupt;
  if (load_le<uint32_t>(from + header_crc_at) != crc32c(0, page.first(header_crc_at))) {
    return corrupt;
  }
  const auto version = load_le<uint16_t>(from + 8);
  const auto features = load_le<uint16_t>(from + 10);
  if (version != format_version || features != 0) {
    return Error{Errc::unsupported, Side::disk, version};
  }
  SegmentHeader header;
  header.journal = load_le<uint16_t>(from + 12);
  const auto kind = load_le<uint8_t>(from + 14);
  header.segment = load_le<uint32_t>(from + 16);
  header.size = load_le<uint32_t>(from + 20);
  header.directory_id = load_le<uint64_t>(from + 24);
  header.created_at = from_unix_ns(load_le<int64_t>(from + 32));
  header.previous = load_le<uint32_t>(from + 40);
  header.previous_end = load_le<uint32_t>(from + 44);
  if (kind > static_cast<uint8_t>(PreviousEnd::torn)) return corrupt;
  header.previous_kind = static_cast<PreviousEnd>(kind);
  const bool sound = header.journal < Position::journals_max && header.segment > 0 &&
                     header.segment <= segment_number_max && header.previous < header.segment &&
                     header.size >= segment_bytes_min && header.size <= segment_bytes_max &&
                     header.size % page_bytes == 0 && header.previous_end <= segment_bytes_max;
  if (!sound) return corrupt;
  return header;
}

void write_segment_footer(const SegmentFooter& footer, const Generation& generation,
                          uint32_t offset, MutableBytes page) {
  RINGPOST_ASSERT(page.size() == page_bytes);
  std::memset(page.data(), 0, page.size());
  std::byte* to = page.data();
  store_le<uint32_t>(to, footer_magic);
  store_le<uint32_t>(to + 4, generation.segment());
  store_le<uint32_t>(to + 8, footer.blocks);
  store_le<uint32_t>(to + 12, footer.records);
  store_le<uint32_t>(to + 16, footer.end);
  store_le<uint32_t>(to + 20, footer.blocks_crc);
  store_le<uint32_t>(to + block_crc_at,
                     crc32c(generation.seed(offset), {page.data(), block_crc_at}));
}

SegmentFooter peek_segment_footer(Bytes page) {
  RINGPOST_ASSERT(page.size() == page_bytes);
  const std::byte* from = page.data();
  return {.blocks = load_le<uint32_t>(from + 8),
          .records = load_le<uint32_t>(from + 12),
          .end = load_le<uint32_t>(from + 16),
          .blocks_crc = load_le<uint32_t>(from + 20)};
}

std::optional<SegmentFooter> read_segment_footer(const Generation& generation, uint32_t offset,
                                                 Bytes page) {
  if (page.size() < page_bytes) return std::nullopt;
  const std::byte* from = page.data();
  if (load_le<uint32_t>(from) != footer_magic) return std::nullopt;
  if (load_le<uint32_t>(from + 4) != generation.segment()) return std::nullopt;
  const uint32_t crc = crc32c(generation.seed(offset), page.first(block_crc_at));
  if (load_le<uint32_t>(from + block_crc_at) != crc) return std::nullopt;
  if (!all_zero(page.subspan(block_header_bytes, page_bytes - block_header_bytes))) {
    return std::nullopt;
  }
  const SegmentFooter footer = peek_segment_footer(page.first(page_bytes));
  const bool sound =
      footer.end >= page_bytes && footer.end <= offset && footer.end % page_bytes == 0;
  return sound ? std::optional{footer} : std::nullopt;
}

void write_block_header(const BlockHeader& header, uint32_t segment, std::byte* to) {
  store_le<uint32_t>(to, block_magic);
  store_le<uint32_t>(to + 4, segment);
  store_le<uint32_t>(to + 8, header.sequence);
  store_le<uint32_t>(to + 12, header.payload_bytes);
  store_le<uint32_t>(to + 16, header.record_count);
  store_le<uint32_t>(to + 20, header.durable_offset);
  store_le<uint32_t>(to + 24, 0);
}

uint32_t seal_block(std::byte* header, uint32_t records_crc) {
  const uint32_t crc = crc32c(records_crc, {header, block_crc_at});
  store_le<uint32_t>(header + block_crc_at, crc);
  return crc;
}

std::optional<BlockHeader> peek_block_header(Bytes bytes, uint32_t segment) {
  if (bytes.size() < block_header_bytes) return std::nullopt;
  const std::byte* from = bytes.data();
  if (load_le<uint32_t>(from) != block_magic) return std::nullopt;
  if (load_le<uint32_t>(from + 4) != segment) return std::nullopt;
  BlockHeader header;
  header.sequence = load_le<uint32_t>(from + 8);
  header.payload_bytes = load_le<uint32_t>(from + 12);
  header.record_count = load_le<uint32_t>(from + 16);
  header.durable_offset = load_le<uint32_t>(from + 20);
  header.crc = load_le<uint32_t>(from + block_crc_at);
  return header;
}

bool verify_block(const BlockHeader& header, const Generation& generation, uint32_t offset,
                  Bytes bytes) {
  if (bytes.size() < block_header_bytes ||
      bytes.size() - block_header_bytes < header.payload_bytes) {
    return false;
  }
  Bytes records = bytes.subspan(block_header_bytes, header.payload_bytes);
  uint32_t crc = generation.seed(offset);
  for (uint32_t index = 0; index < header.record_count; ++index) {
    const auto record = peek_record_header(records, records.size());
    if (!record) return false;
    crc = crc32c(crc, records.first(record_header_bytes));
    records = records.subspan(record_span(record->payload_bytes));
  }
  return records.empty() && crc32c(crc, bytes.first(block_crc_at)) == header.crc;
}

void write_record(const RecordHeader& header, const Generation& generation, uint32_t offset,
                  Bytes payload, std::byte* to) {
  RINGPOST_ASSERT(header.payload_bytes == payload.size());
  const auto span = static_cast<size_t>(record_span(payload.size()));
  store_le<uint64_t>(to + span - 8, 0);  // The padding lies in here; what else does comes next.
  store_le<uint32_t>(to, header.payload_bytes);
  store_le<uint8_t>(to + 4, header.type);
  store_le<uint8_t>(to + 5, header.flags);
  store_le<uint16_t>(to + 6, record_magic);
  store_le<uint32_t>(to + 8, header.ordinal);
  if (!payload.empty()) std::memcpy(to + record_header_bytes, payload.data(), payload.size());
  store_le<uint32_t>(to + record_crc_at, record_crc(generation, offset, to, span));
}

std::optional<RecordHeader> peek_record_header(Bytes bytes, uint64_t room) {
  if (bytes.size() < record_header_bytes) return std::nullopt;
  const std::byte* from = bytes.data();
  if (load_le<uint16_t>(from + 6) != record_magic) return std::nullopt;
  RecordHeader header;
  header.payload_bytes = load_le<uint32_t>(from);
  header.type = load_le<uint8_t>(from + 4);
  header.flags = load_le<uint8_t>(from + 5);
  header.ordinal = load_le<uint32_t>(from + 8);
  header.crc = load_le<uint32_t>(from + record_crc_at);
  if (record_span(header.payload_bytes) > room) return std::nullopt;
  return header;
}

bool verify_record(const RecordHeader& header, const Generation& generation, uint32_t offset,
                   Bytes bytes) {
  const auto span = static_cast<size_t>(record_span(header.payload_bytes));
  return bytes.size() >= span && record_crc(generation, offset, bytes.data(), span) == header.crc;
}

namespace {

std::string padded(uint32_t number, size_t digits) {
  std::string text = std::to_string(number);
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  return text;
}

/// Exactly the text that `padded` makes: one file has one name.
std::optional<uint32_t> parse_padded(std::string_view text, size_t digits, uint32_t max) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (number > max || padded(number, digits) != text) return std::nullopt;
  return number;
}

std::optional<uint32_t> parse_segment(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  const auto number = parse_padded(name, segment_digits, segment_number_max);
  return number && *number > 0 ? number : std::nullopt;
}

}  // namespace

std::string journal_name(uint16_t journal) {
  return padded(journal, 3);
}
std::string segment_name(uint32_t segment) {
  return padded(segment, segment_digits) + ".seg";
}
std::string unfinished_name(uint32_t segment) {
  return padded(segment, segment_digits) + ".new";
}
std::string index_name(uint32_t segment) {
  return padded(segment, segment_digits) + ".idx";
}
std::string unfinished_index_name(uint32_t segment) {
  return index_name(segment) + ".new";
}

std::optional<uint16_t> parse_journal_name(std::string_view name) {
  const auto number = parse_padded(name, 3, Position::journals_max - 1);
  return number ? std::optional{static_cast<uint16_t>(*number)} : std::nullopt;
}

std::optional<uint32_t> parse_segment_name(std::string_view name) {
  return parse_segment(name, ".seg");
}

std::optional<uint32_t> parse_unfinished_name(std::string_view name) {
  return parse_segment(name, ".new");
}

std::optional<uint32_t> parse_index_name(std::string_view name) {
  const std::string_view finished =
      name.ends_with(".new") ? name.substr(0, name.size() - std::string_view(".new").size()) : name;
  const auto index = parse_segment(finished, ".idx");
  return index ? index : parse_segment(finished, ".ids");
}

std::string journal_path(const std::string& journal_directory, uint16_t journal) {
  return journal_directory + '/' + journal_name(journal);
}

std::string segment_path(const std::string& journal_directory, uint16_t journal, uint32_t segment) {
  return journal_path(journal_directory, journal) + '/' + segment_name(segment);
}

}  // namespace ringpost::journal
