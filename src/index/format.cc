#include "index/format.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ringpost::index {
namespace {

constexpr std::array<char, 8> magic = {'R', 'P', 'I', 'D', 'X', '1', '\r', '\n'};
constexpr Error corrupt{Errc::corrupt, Side::disk};

constexpr size_t at_version = 8;
constexpr size_t at_features = 10;
constexpr size_t at_journal = 12;
constexpr size_t at_segment = 16;
constexpr size_t at_pages = 20;
constexpr size_t at_directory = 24;
constexpr size_t at_open = 32;
constexpr size_t at_oldest = 40;
constexpr size_t at_newest = 56;
constexpr size_t at_sections = 72;
constexpr size_t extent_bytes = 12;
constexpr size_t at_hours = at_sections + section_count * extent_bytes;
static_assert(at_hours + sizeof(HourRange) <= page_payload_bytes);

Ulid load_uid(const std::byte* from) {
  Ulid uid;
  std::memcpy(uid.bytes.data(), from, uid.bytes.size());
  return uid;
}

/// The sections follow each other from the second page to the end of the file.
bool fits_together(const Header& header) {
  uint64_t next = 1;
  for (size_t index = 0; index < section_count; ++index) {
    const Extent& extent = header.sections[index];
    if (extent.first_page != next) return false;
    next += extent.pages;
    const uint64_t room = uint64_t{extent.pages} * page_payload_bytes;
    if (extent.rows > room) return false;
  }
  return next == header.pages && header.pages <= pages_max;
}

}  // namespace

void write_header(const Header& header, MutableBytes page) {
  std::memcpy(page.data(), magic.data(), magic.size());
  store_le(&page[at_version], format_version);
  store_le(&page[at_journal], header.journal);
  store_le(&page[at_segment], header.segment);
  store_le(&page[at_pages], header.pages);
  store_le(&page[at_directory], header.directory_id);
  store_le(&page[at_open], header.open);
  std::memcpy(&page[at_oldest], header.oldest.bytes.data(), header.oldest.bytes.size());
  std::memcpy(&page[at_newest], header.newest.bytes.data(), header.newest.bytes.size());
  for (size_t index = 0; index < section_count; ++index) {
    std::byte* to = &page[at_sections + index * extent_bytes];
    store_le(to, header.sections[index].first_page);
    store_le(to + 4, header.sections[index].pages);
    store_le(to + 8, header.sections[index].rows);
  }
  store_le(&page[at_hours], header.hours.begin);
  store_le(&page[at_hours + 4], header.hours.end);
}

Result<Header> read_header(Bytes page) {
  if (std::memcmp(page.data(), magic.data(), magic.size()) != 0) return corrupt;
  const auto version = load_le<uint16_t>(&page[at_version]);
  if (version != format_version || load_le<uint16_t>(&page[at_features]) != 0) {
    return Error{Errc::unsupported, Side::disk, version};
  }
  Header header{
      .journal = load_le<uint16_t>(&page[at_journal]),
      .segment = load_le<uint32_t>(&page[at_segment]),
      .directory_id = load_le<uint64_t>(&page[at_directory]),
      .pages = load_le<uint32_t>(&page[at_pages]),
      .open = load_le<uint32_t>(&page[at_open]),
      .oldest = load_uid(&page[at_oldest]),
      .newest = load_uid(&page[at_newest]),
      .hours = {load_le<uint32_t>(&page[at_hours]), load_le<uint32_t>(&page[at_hours + 4])},
      .sections = {}};
  for (size_t index = 0; index < section_count; ++index) {
    const std::byte* from = &page[at_sections + index * extent_bytes];
    header.sections[index] = {load_le<uint32_t>(from), load_le<uint32_t>(from + 4),
                              load_le<uint32_t>(from + 8)};
  }
  if (!fits_together(header)) return corrupt;
  return header;
}

void PageSeal::seal(uint32_t page_number, MutableBytes page) const {
  const uint32_t crc = crc32c(generation_.seed(page_number), Bytes{page}.first(page_payload_bytes));
  store_le(&page[page_payload_bytes], crc);
}

bool PageSeal::is_whole(uint32_t page_number, Bytes page) const {
  return page.size() == page_bytes &&
         load_le<uint32_t>(&page[page_payload_bytes]) ==
             crc32c(generation_.seed(page_number), page.first(page_payload_bytes));
}

UidHalves halves_of(const Ulid& uid) {
  UidHalves halves;
  std::memcpy(&halves.high, &uid.bytes[0], 8);
  std::memcpy(&halves.low, &uid.bytes[8], 8);
  return {std::byteswap(halves.high), std::byteswap(halves.low)};
}

Ulid uid_of(const UidHalves& halves) {
  const uint64_t high = std::byteswap(halves.high);
  const uint64_t low = std::byteswap(halves.low);
  Ulid uid;
  std::memcpy(&uid.bytes[0], &high, 8);
  std::memcpy(&uid.bytes[8], &low, 8);
  return uid;
}

uint64_t pack_result(const Outcome& outcome) {
  return uint64_t{outcome.attempt} | uint64_t{outcome.http_status} << 32 |
         static_cast<uint64_t>(outcome.error) << 48 | static_cast<uint64_t>(outcome.status) << 56 |
         uint64_t{outcome.failed} << 63;
}

Result<void> unpack_result(uint64_t packed, Outcome& outcome) {
  const auto status = static_cast<uint8_t>(packed >> 56 & 0x7f);
  const auto error = static_cast<uint8_t>(packed >> 48);
  if (status > static_cast<uint8_t>(DeliveryStatus::cancelled)) return corrupt;
  if (error > static_cast<uint8_t>(last_error)) return corrupt;
  outcome.attempt = static_cast<uint32_t>(packed);
  outcome.http_status = static_cast<uint16_t>(packed >> 32);
  outcome.error = static_cast<Errc>(error);
  outcome.status = static_cast<DeliveryStatus>(status);
  outcome.failed = packed >> 63 != 0;
  return {};
}

std::string index_path(const std::string& journal_directory, uint16_t journal, uint32_t segment) {
  return journal::journal_path(journal_directory, journal) + '/' + journal::index_name(segment);
}

std::string ids_name(uint32_t last) {
  std::string name = journal::index_name(last);
  name.replace(name.rfind('.'), std::string::npos, ".ids");
  return name;
}

std::string unfinished_ids_name(uint32_t last) {
  return ids_name(last) + ".new";
}

}  // namespace ringpost::index
