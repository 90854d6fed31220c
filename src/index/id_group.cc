#include "index/id_group.h"

#include "index/filter.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace ringpost::index {
namespace {

constexpr std::array<char, 8> magic = {'R', 'P', 'I', 'D', 'S', '1', '\r', '\n'};
constexpr Error corrupt{Errc::corrupt, Side::disk};

constexpr uint16_t ids_format_version = 1;
constexpr size_t at_version = 8;
constexpr size_t at_features = 10;
constexpr size_t at_journal = 12;
constexpr size_t at_last = 16;
constexpr size_t at_pages = 20;
constexpr size_t at_directory = 24;
constexpr size_t at_segments = 32;

/// A page's rows of one bit for each segment.
constexpr uint32_t rows_per_page = page_payload_bytes / sizeof(SegmentMask);
constexpr uint32_t bits_per_id = 16;
constexpr uint32_t probes = 6;
constexpr uint32_t bits_per_probe = 10;  ///< Of the hash.
constexpr uint64_t hashes = uint64_t{1} << 32;

/// Pages of a file of ids are checked as those of an index file of 4 GiB and more: one of these
/// never passes for one of the other.
constexpr uint32_t first_sealed_page = pages_max;

uint32_t page_of(uint32_t id_hash, uint32_t pages) {
  return static_cast<uint32_t>(uint64_t{id_hash} * pages / hashes);
}
/// The smallest hash of a page.
uint64_t first_hash_of(uint32_t page, uint32_t pages) {
  return (page * hashes + pages - 1) / pages;
}

/// Where in its page an id has its bits.
std::array<uint32_t, probes> rows_of(uint32_t id_hash) {
  std::array<uint32_t, probes> rows{};
  uint64_t hash = mix(id_hash);
  for (uint32_t& row : rows) {
    const uint64_t part = hash % (1u << bits_per_probe);
    row = static_cast<uint32_t>(part * rows_per_page >> bits_per_probe);
    hash >>= bits_per_probe;
  }
  return rows;
}

size_t row_at(uint32_t row) {
  return row * sizeof(SegmentMask);
}

Result<std::vector<std::byte>> read_page(io::Disk& disk, const std::string& path,
                                         const PageSeal& seal, uint32_t page) {
  const auto file = disk.open(path, io::Disk::OpenMode::read);
  if (!file) return file.error();
  std::vector<std::byte> bytes(page_bytes);
  const auto read = disk.read_at(*file, uint64_t{page} * page_bytes, bytes);
  disk.close(*file);
  if (!read) return read.error();
  if (*read < bytes.size() || !seal.is_whole(first_sealed_page + page, bytes)) return corrupt;
  return bytes;
}

}  // namespace

std::string IdGroupKey::path() const {
  return journal::journal_path(journal_directory, journal) + '/' + ids_name(last);
}

// --- writing -------------------------------------------------------------------------------------

IdGroupWriter::IdGroupWriter(io::Disk& disk, const IdGroupKey& key, SegmentMask segments)
    : disk_(disk),
      key_(key),
      segments_(segments),
      seal_(key.directory_id, key.journal, key.last),
      file_(disk, journal::journal_path(key.journal_directory, key.journal), ids_name(key.last),
            unfinished_ids_name(key.last)) {}

Result<bool> IdGroupWriter::step() {
  if (pages_ == 0) {
    if (auto begun = begin(); !begun) return begun.error();
    return false;
  }
  if (next_page_ < pages_) {
    if (auto written = write_slice(); !written) return written.error();
    return false;
  }
  if (auto written = write_header(); !written) return written.error();
  if (auto finished = file_.finish(); !finished) return finished.error();
  return true;
}

/// @param visit  of a segment's number and its part.
template <typename Visit>
Result<void> IdGroupWriter::for_each_segment(Visit visit) {
  OpenFiles files(disk_);
  for (uint32_t number = first_of_group(key_.last); number <= key_.last; ++number) {
    if ((segments_ & mask_of(number)) == 0) continue;
    auto part = FilePart::open(files, key_.journal_directory, key_.directory_id, key_.journal,
                               number, false);
    auto visited = part ? visit(number, **part) : Result<void>(part.error());
    if (!visited && !is_of_no_use(visited.error())) return visited;
    if (!visited) segments_ &= ~mask_of(number);
  }
  return {};
}

/// Room as the largest segment needs it, but not much more than they need in the mean: one that is
/// larger by far is named more often.
Result<void> IdGroupWriter::begin() {
  uint64_t ids = 0;
  uint64_t largest = 0;
  const auto counted = for_each_segment([&](uint32_t, const FilePart& part) -> Result<void> {
    ids += part.event_count();
    largest = std::max(largest, part.event_count());
    return {};
  });
  if (!counted) return counted;
  const auto segments = std::max<uint64_t>(std::popcount(segments_), 1);
  const uint64_t rows = std::min(largest, 2 * ids / segments) * bits_per_id;
  pages_ = static_cast<uint32_t>(std::min<uint64_t>(rows / rows_per_page, pages_max - 2)) + 1;
  return file_.create();
}

Result<void> IdGroupWriter::write_slice() {
  const uint32_t end = std::min(next_page_ + slice_pages, pages_);
  std::vector<std::byte> slice(size_t{end - next_page_} * page_bytes);
  const auto first = static_cast<uint32_t>(first_hash_of(next_page_, pages_));
  const auto last = static_cast<uint32_t>(first_hash_of(end, pages_) - 1);
  std::vector<uint32_t> ids;
  const auto read = for_each_segment([&](uint32_t number, const FilePart& part) -> Result<void> {
    ids.clear();
    if (auto found = part.id_hashes(first, last, ids); !found) return found;
    for (const uint32_t id : ids) {
      std::byte* const page = &slice[size_t{page_of(id, pages_) - next_page_} * page_bytes];
      for (const uint32_t row : rows_of(id)) {
        std::byte* const at = page + row_at(row);
        store_le(at, load_le<SegmentMask>(at) | mask_of(number));
      }
    }
    return {};
  });
  if (!read) return read;
  for (uint32_t page = next_page_; page < end; ++page) {
    seal_.seal(first_sealed_page + 1 + page,
               MutableBytes{slice}.subspan(size_t{page - next_page_} * page_bytes, page_bytes));
  }
  auto written = file_.write_at((uint64_t{next_page_} + 1) * page_bytes, slice);
  next_page_ = end;
  return written;
}

Result<void> IdGroupWriter::write_header() {
  std::vector<std::byte> page(page_bytes);
  std::memcpy(page.data(), magic.data(), magic.size());
  store_le(&page[at_version], ids_format_version);
  store_le(&page[at_journal], key_.journal);
  store_le(&page[at_last], key_.last);
  store_le(&page[at_pages], pages_);
  store_le(&page[at_directory], key_.directory_id);
  store_le(&page[at_segments], segments_);
  seal_.seal(first_sealed_page, page);
  return file_.write_at(0, page);
}

// --- asking --------------------------------------------------------------------------------------

Result<IdGroup> IdGroup::open(io::Disk& disk, const IdGroupKey& key) {
  IdGroup group(key.path(), PageSeal(key.directory_id, key.journal, key.last));
  const auto page = read_page(disk, group.path_, group.seal_, 0);
  if (!page) return page.error();
  const std::byte* const at = page->data();
  if (std::memcmp(at, magic.data(), magic.size()) != 0) return corrupt;
  const auto version = load_le<uint16_t>(at + at_version);
  if (version != ids_format_version || load_le<uint16_t>(at + at_features) != 0) {
    return Error{Errc::unsupported, Side::disk, version};
  }
  const bool ours = load_le<uint16_t>(at + at_journal) == key.journal &&
                    load_le<uint32_t>(at + at_last) == key.last &&
                    load_le<uint64_t>(at + at_directory) == key.directory_id;
  group.pages_ = load_le<uint32_t>(at + at_pages);
  group.segments_ = load_le<SegmentMask>(at + at_segments);
  if (!ours || group.pages_ == 0 || group.pages_ >= pages_max) return corrupt;
  return group;
}

Result<SegmentMask> IdGroup::may_have(OpenFiles& files, uint32_t id_hash) const {
  files.count_pages(1);
  const auto page = read_page(files.disk(), path_, seal_, 1 + page_of(id_hash, pages_));
  if (!page) return page.error();
  SegmentMask found = segments_;
  for (const uint32_t row : rows_of(id_hash)) {
    found &= load_le<SegmentMask>(page->data() + row_at(row));
  }
  return found;
}

}  // namespace ringpost::index
