#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/ulid.h"
#include "index/facts.h"
#include "index/totals.h"
#include "journal/format.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

// The bytes of an index file, as src/index/README.md defines them. Nothing here touches a disk, and
// nothing read is believed before its checksum says so.

namespace ringpost::index {

inline constexpr uint32_t page_bytes = 4096;
inline constexpr uint32_t page_payload_bytes = page_bytes - 4;  ///< The checksum follows.
inline constexpr uint16_t format_version = 3;
/// Texts and results that are named by a short number; others are spelled out.
inline constexpr size_t dictionary_entries_max = 1024;
inline constexpr uint32_t pages_max = 1u << 20;  ///< 4 GiB: far more than any segment needs.

enum class Section : uint8_t {
  fences,        ///< Of each page of the tables below: its first key.
  dictionaries,  ///< Hashes of types and sources, and results.
  filters,       ///< What is kept in memory.
  events,        ///< By uid.
  matches,       ///< Webhooks of each event, in the order of `events`.
  deliveries,    ///< By webhook and event.
  ids,           ///< By the hash of the event's id.
  outcomes,      ///< By event, webhook and position, but for those that `deliveries` tells.
  totals,        ///< By webhook and hour.
};
inline constexpr size_t section_count = 9;
inline constexpr size_t first_table = static_cast<size_t>(Section::events);

/// Where a section lies in the file.
struct Extent {
  uint32_t first_page = 0;
  uint32_t pages = 0;
  uint32_t rows = 0;  ///< Of a table; bytes of any other.

  friend bool operator==(const Extent&, const Extent&) = default;
};

/// Statuses of deliveries as a set.
using StatusSet = uint8_t;
constexpr StatusSet set_of(DeliveryStatus status) {
  return static_cast<StatusSet>(1u << static_cast<unsigned>(status));
}
inline constexpr StatusSet open_statuses =
    set_of(DeliveryStatus::pending) | set_of(DeliveryStatus::in_flight);

/// The first row of a table's page.
struct Fence {
  uint64_t high = 0;  ///< events: the uid's first half. deliveries: webhook. outcomes: position of
                      ///< the event. ids: hash. totals: webhook.
  uint64_t low = 0;   ///< events: the second half. deliveries: row of the event. outcomes: webhook.
                      ///< totals: hour.
  uint32_t first_row = 0;
  StatusSet statuses = 0;  ///< deliveries: as this segment tells them, of all rows in the page.

  std::pair<uint64_t, uint64_t> key() const { return {high, low}; }
};

/// The first page.
struct Header {
  uint16_t journal = 0;
  uint32_t segment = 0;
  uint64_t directory_id = 0;
  uint32_t pages = 0;  ///< Of the file.
  uint32_t open = 0;   ///< Deliveries whose end this segment does not tell.
  Ulid oldest;         ///< Of the events' uids; zeros if there is none.
  Ulid newest;
  HourRange hours;  ///< Of `totals`.
  std::array<Extent, section_count> sections;

  const Extent& extent(Section section) const { return sections[static_cast<size_t>(section)]; }
  Extent& extent(Section section) { return sections[static_cast<size_t>(section)]; }
};

/// @param page  page_bytes of zeros; the checksum is sealed with seal_page.
void write_header(const Header& header, MutableBytes page);
/// @param page  a whole page whose checksum was right for its place.
/// @returns Errc::corrupt if it is no header or contradicts itself; Errc::unsupported, with the
///          version as detail, if another ringpost wrote it.
Result<Header> read_header(Bytes page);

/// Checksums begin with the place, so that a page of another file or offset never passes.
class PageSeal {
 public:
  PageSeal(uint64_t directory_id, uint16_t journal, uint32_t segment)
      : generation_(directory_id, journal, segment) {}
  void seal(uint32_t page_number, MutableBytes page) const;
  bool is_whole(uint32_t page_number, Bytes page) const;

 private:
  journal::Generation generation_;
};

/// The halves of a uid, which order as it does.
struct UidHalves {
  uint64_t high = 0;
  uint64_t low = 0;
};
UidHalves halves_of(const Ulid& uid);
Ulid uid_of(const UidHalves& halves);

/// The greatest number that a code has: ringpost/error.h.
inline constexpr Errc last_error = Errc::name_timed_out;

/// An outcome but for its place and times, in one number: it repeats.
uint64_t pack_result(const Outcome& outcome);
/// Errc::corrupt if no outcome has such a number.
Result<void> unpack_result(uint64_t packed, Outcome& outcome);

/// `<journal_directory>/007/00000042.idx`.
std::string index_path(const std::string& journal_directory, uint16_t journal, uint32_t segment);
/// Of the ids of a group (index/id_group.h), by the last of its segments: `00000063.ids`, and the
/// same while it is written, `00000063.ids.new`.
std::string ids_name(uint32_t last);
std::string unfinished_ids_name(uint32_t last);

}  // namespace ringpost::index
