#include "fuzz.h"
#include "index/file_image.h"
#include "index/file_part.h"
#include "index/open_part.h"

#include <algorithm>
#include <string>
#include <vector>

// Goal: no index file, however broken or made up, makes a reader crash, read outside of its bytes
// or run on without end. Method: the input is a file, once as it is, and once with the right
// checksum in each page, so that what is behind the checksums is reached; everything that can be
// asked is asked.

namespace {

using namespace ringpost;

constexpr uint64_t directory_id = 7;
constexpr uint32_t rows_max = 100'000;

/// One file, read only.
class OneFile final : public io::Disk {
 public:
  explicit OneFile(Bytes bytes) : bytes_(bytes) {}

  Result<io::File> open(const std::string&, OpenMode) override { return io::File{1}; }
  void close(io::File) override {}
  Result<uint64_t> size(io::File) override { return bytes_.size(); }
  Result<uint64_t> read_at(io::File, uint64_t offset, MutableBytes into) override {
    if (offset >= bytes_.size()) return uint64_t{0};
    const Bytes part =
        bytes_.subspan(offset, std::min<size_t>(into.size(), bytes_.size() - offset));
    std::ranges::copy(part, into.begin());
    return uint64_t{part.size()};
  }

  Result<std::vector<std::string>> list(const std::string&) override { return none; }
  Result<void> make_directory(const std::string&) override { return none; }
  Result<io::File> open_journal(const std::string&, bool&) override { return none; }
  Result<void> write_at(io::File, uint64_t, Bytes) override { return none; }
  Result<void> sync(io::File) override { return none; }
  Result<void> sync_directory(const std::string&) override { return none; }
  Result<void> rename(const std::string&, const std::string&) override { return none; }
  Result<void> remove(const std::string&) override { return none; }
  Result<uint64_t> free_bytes(const std::string&) override { return none; }
  Result<io::File> lock(const std::string&) override { return none; }

 private:
  static constexpr Error none{Errc::unsupported};
  Bytes bytes_;
};

void walk(const index::FilePart& part, uint32_t webhook, index::StatusSet statuses) {
  Ulid last;
  last.bytes.fill(0xff);
  const auto walk = part.walk(webhook, last, statuses);
  if (!walk) return;
  for (uint32_t row = 0; row < rows_max; ++row) {
    const auto next = (*walk)->next();
    if (!next || *next == nullptr) return;
  }
  RINGPOST_ASSERT(false);  // There are not that many in a few pages.
}

void ask(Bytes bytes) {
  OneFile disk(bytes);
  index::OpenFiles files(disk);
  const auto opened = index::FilePart::open(files, "/", directory_id, 0, 1, true);
  if (!opened) return;
  const index::FilePart& part = **opened;
  walk(part, 7, 0xff);
  walk(part, 8, index::set_of(index::DeliveryStatus::dead));
  std::vector<index::LocalDelivery> open;
  std::vector<index::Outcome> outcomes;
  std::vector<index::EventFacts> events;
  static_cast<void>(part.open_deliveries(open));
  static_cast<void>(part.outcomes_of_segment(index::Position::make(0, 1, 0), outcomes));
  static_cast<void>(part.outcomes_of_segment(index::Position::make(0, 3, 0), outcomes));
  static_cast<void>(part.events_of_id(index::TextHash(directory_id).of("default", "1"), events));
  static_cast<void>(part.events_at(part.oldest().time_ms()));
  static_cast<void>(part.event(part.newest()));
  if (open.size() > 10) open.resize(10);
  for (const index::LocalDelivery& delivery : open) {
    static_cast<void>(part.outcomes_of(delivery.event, delivery.webhook_number, outcomes));
  }
  static_cast<void>(part.may_have_outcomes({index::Position::make(0, 3, 4096), 7}));
  static_cast<void>(index::resolve(outcomes));
}

std::vector<std::byte> sealed(Bytes bytes) {
  std::vector<std::byte> pages(bytes.begin(), bytes.end());
  pages.resize((pages.size() + index::page_bytes - 1) / index::page_bytes * index::page_bytes);
  const index::PageSeal seal(directory_id, 0, 1);
  for (uint32_t page = 0; page < pages.size() / index::page_bytes; ++page) {
    seal.seal(page,
              MutableBytes{pages}.subspan(size_t{page} * index::page_bytes, index::page_bytes));
  }
  return pages;
}

void add_event(index::OpenPart& part, uint32_t at) {
  static constexpr uint32_t webhooks[] = {7, 8};
  journal::EventView event;
  event.uid = index::uid_of({(uint64_t{1'900'000'000'000} << 16) + at, at});
  event.organization = "default";
  event.id = at % 2 == 0 ? "1" : "2";
  event.source = "app/demo";
  event.type = "build/finished";
  event.webhook_numbers = std::as_bytes(std::span{webhooks});
  part.add(event, index::Position::make(0, 1, 4096 + at * 256));
}

void add_outcome(index::OpenPart& part, index::Position event, uint32_t offset,
                 index::DeliveryStatus status) {
  part.add({.delivery = {event, 7},
            .record = index::Position::make(0, 1, offset),
            .attempt = 1,
            .status = status,
            .http_status = 200,
            .started_at = from_unix_ns(1'900'000'000'000'000'000)});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes = std::as_bytes(std::span{data, size});
  ask(bytes);
  ask(sealed(bytes));
  return 0;
}

/// Small files: of a few events with outcomes, of many events, of nothing.
std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds;
  for (const uint32_t count : {3u, 40u, 0u}) {
    index::OpenPart part(0, 1, index::TextHash(directory_id), true);
    for (uint32_t at = 0; at < count; ++at) add_event(part, at);
    for (uint32_t at = 0; at < count; ++at) {
      const auto event = index::Position::make(0, at % 3 == 0 ? 3 : 1, 4096 + at * 256);
      add_outcome(part, event, 1'000'000 + at * 512, index::DeliveryStatus::pending);
      if (at % 2 == 0) {
        add_outcome(part, event, 1'000'256 + at * 512, index::DeliveryStatus::delivered);
      }
    }
    seeds.emplace_back(as_text(make_image(part, directory_id)));
  }
  return seeds;
}
