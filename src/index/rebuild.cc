#include "index/rebuild.h"

#include "index/file_image.h"
#include "journal/reader.h"
#include "journal/segment_scan.h"

#include <algorithm>

namespace ringpost::index {
namespace {

using journal::RecordType;

class ToPart final : public journal::RecordSink {
 public:
  explicit ToPart(OpenPart& part) : part_(part) {}

  /// What is whole and makes no sense is left out: a start of the relay has said so.
  Result<void> on_record(const journal::ScannedRecord& record) override {
    const auto position = Position::make(part_.journal(), part_.segment(), record.offset);
    if (record.header.type == static_cast<uint8_t>(RecordType::event)) {
      const auto event = journal::EventCodec::decode_view(record.payload);
      if (event) part_.add(*event, position);
    } else if (record.header.type == static_cast<uint8_t>(RecordType::outcome)) {
      const auto outcome = journal::decode_outcome(record.payload);
      if (outcome) part_.add(to_outcome(*outcome, position));
    }
    return {};
  }

 private:
  OpenPart& part_;
};

/// The size that its header names; of a file with a damaged header, its own.
uint32_t segment_size(const Result<journal::SegmentHeader>& header, uint64_t file_bytes) {
  if (header) return header->size;
  const uint64_t bytes =
      std::clamp<uint64_t>(file_bytes, journal::segment_bytes_min, journal::segment_bytes_max);
  return static_cast<uint32_t>(bytes) / journal::page_bytes * journal::page_bytes;
}

Result<void> scan(io::Disk& disk, io::File file, uint64_t directory_id, OpenPart& part) {
  const auto file_bytes = disk.size(file);
  if (!file_bytes) return file_bytes.error();
  journal::FileInput input(disk, file);
  const auto first = input.at(0, journal::page_bytes);
  if (!first) return first.error();
  const auto header = journal::read_segment_header(*first);
  if (!header && header.error().code == Errc::unsupported) return header.error();
  const uint32_t size = segment_size(header, *file_bytes);
  const journal::Generation generation(directory_id, part.journal(), part.segment());
  journal::ScanRequest request{.generation = generation, .file_bytes = *file_bytes, .size = size};
  if (*file_bytes >= size) {
    const uint32_t footer_at = size - journal::page_bytes;
    const auto last = input.at(footer_at, journal::page_bytes);
    if (!last) return last.error();
    request.footer = journal::read_segment_footer(generation, footer_at, *last);
  }
  ToPart sink(part);
  input.reset(file);
  const auto scanned = journal::scan_segment(input, request, sink);
  return scanned ? Result<void>{} : scanned.error();
}

}  // namespace

Result<std::unique_ptr<OpenPart>> read_segment(io::Disk& disk, const std::string& journal_directory,
                                               uint64_t directory_id, uint16_t journal,
                                               uint32_t segment, bool of_earlier_run) {
  const auto file = journal::open_segment(disk, journal_directory, journal, segment);
  if (!file) return file.error();
  auto part = std::make_unique<OpenPart>(journal, segment, TextHash(directory_id), of_earlier_run);
  const auto scanned = scan(disk, *file, directory_id, *part);
  disk.close(*file);
  if (!scanned) return scanned.error();
  return part;
}

Result<void> rebuild_index(io::Disk& disk, const std::string& journal_directory,
                           uint64_t directory_id, uint16_t journal, uint32_t segment) {
  const auto part = read_segment(disk, journal_directory, directory_id, journal, segment, true);
  return part ? write_index(disk, journal_directory, directory_id, **part) : part.error();
}

}  // namespace ringpost::index
