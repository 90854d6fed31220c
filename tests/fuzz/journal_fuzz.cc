#include "fuzz.h"
#include "journal/format.h"
#include "journal/record.h"
#include "journal/segment_scan.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

// Goal: no file, however broken, makes a reader of the journal crash, read outside of its bytes, or
// deliver a record whose checksum is wrong. Method: the input is a segment file (its first page is
// cheap to get right), scanned as sealed and as unsealed; it is also a payload of each type.

namespace {

using namespace ringpost;

class Input final : public journal::SegmentInput {
 public:
  explicit Input(Bytes bytes) : bytes_(bytes) {}
  Result<Bytes> at(uint32_t offset, uint32_t size) override {
    if (offset >= bytes_.size()) return Bytes{};
    return bytes_.subspan(offset, std::min<size_t>(size, bytes_.size() - offset));
  }

 private:
  Bytes bytes_;
};

class Sink final : public journal::RecordSink {
 public:
  explicit Sink(const journal::Generation& generation) : generation_(generation) {}
  Result<void> on_record(const journal::ScannedRecord& record) override {
    const Bytes bytes{record.payload.data() - journal::record_header_bytes,
                      static_cast<size_t>(journal::record_span(record.payload.size()))};
    RINGPOST_ASSERT(journal::verify_record(record.header, generation_, record.offset, bytes));
    static_cast<void>(journal::EventCodec::decode_view(record.payload));
    static_cast<void>(journal::decode_outcome(record.payload));
    return {};
  }

 private:
  const journal::Generation& generation_;
};

void scan(Bytes file, const journal::SegmentHeader& header) {
  const journal::Generation generation(header.directory_id, header.journal, header.segment);
  Input input(file);
  Sink sink(generation);
  journal::ScanRequest request{
      .generation = generation, .file_bytes = file.size(), .size = header.size};
  RINGPOST_ASSERT(scan_segment(input, request, sink).has_value());
  request.end_kind = header.previous_kind;
  request.known_end = header.previous_end;
  RINGPOST_ASSERT(scan_segment(input, request, sink).has_value());
  const uint32_t footer_at = header.size - journal::page_bytes;
  if (file.size() < header.size) return;
  request.footer = read_segment_footer(generation, footer_at, file.subspan(footer_at));
  if (request.footer) RINGPOST_ASSERT(scan_segment(input, request, sink).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes = std::as_bytes(std::span{data, size});
  static_cast<void>(journal::EventCodec::decode_view(bytes));
  if (auto outcome = journal::decode_outcome(bytes); outcome && outcome->base_offset != 0) {
    std::vector<std::byte> texts;
    static_cast<void>(journal::restore_texts(*outcome, "POST / HTTP/1.1\r\nA: b\r\n\r\n", texts));
  }
  const auto header = journal::read_segment_header(bytes);
  const auto file_size = static_cast<uint32_t>(std::clamp<size_t>(
      size / journal::page_bytes * journal::page_bytes, journal::segment_bytes_min, 1024 * 1024));
  scan(bytes, header ? *header : journal::SegmentHeader{.segment = 1, .size = file_size});
  return 0;
}

/// A payload of each type, and the first pages of a segment with its header in order.
std::vector<std::string> fuzz_seeds() {
  journal::EventView event;
  event.organization = "default";
  event.id = "1";
  event.source = "app/demo";
  event.type = "build/finished";
  event.data = as_bytes(R"({"n":1})");
  journal::OutcomeView outcome;
  outcome.attempt = 1;
  outcome.status = journal::DeliveryStatus::delivered;
  outcome.http_status = 200;
  outcome.response_head = "HTTP/1.1 200 OK\r\n\r\n";
  std::vector<std::byte> encoded;
  journal::encode_outcome(outcome, encoded);
  std::vector<std::byte> changes;
  journal::encode_outcome(outcome, changes,
                          {.offset = 4096, .texts = "POST / HTTP/1.1\r\nA: b\r\n\r\n"});
  std::string segment(journal::segment_bytes_min, '\0');
  journal::write_segment_header(
      {.segment = 1, .size = journal::segment_bytes_min, .directory_id = 7},
      std::as_writable_bytes(std::span{segment.data(), journal::page_bytes}));
  return {std::string(as_text(journal::EventCodec::encode(event)->record())),
          std::string(as_text(encoded)), std::string(as_text(changes)), segment};
}
