#pragma once

#include "base/counters.h"
#include "fake_disk.h"
#include "fake_ring.h"
#include "journal/journal_mark.h"
#include "journal/reader.h"
#include "journal/recovery.h"
#include "journal/segments.h"
#include "journal/writer.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::journal::test {

inline constexpr uint64_t directory_id = 0x0123456789abcdef;
inline const std::string data_directory = "/data/journal";

/// An event whose id is `name` and whose data has `data_bytes` bytes that depend on the name.
inline EventRef make_event(const std::string& name, size_t data_bytes = 100) {
  static const uint32_t webhooks[2] = {7, 11};
  std::string data(data_bytes, '.');
  for (size_t index = 0; index < data.size(); ++index) {
    data[index] = static_cast<char>('a' + (index * 7 + name.size() + name.back()) % 26);
  }
  EventView event;
  for (size_t index = 0; index < name.size(); ++index) {
    event.uid.bytes[index % 16] ^= static_cast<uint8_t>(name[index] + static_cast<char>(index));
  }
  event.accepted_at = from_unix_ns(1'900'000'000'000'000'000);
  event.organization = "acme";
  event.id = name;
  event.id_given = true;
  event.source = "ci/app";
  event.type = "build.finished";
  event.data = as_bytes(data);
  event.webhook_numbers = std::as_bytes(std::span{webhooks});
  return EventCodec::encode(event);
}

inline std::vector<std::byte> make_outcome(Position event, uint32_t attempt = 1) {
  OutcomeView outcome;
  outcome.event = event;
  outcome.attempt = attempt;
  outcome.status = DeliveryStatus::delivered;
  outcome.http_status = 204;
  std::vector<std::byte> record;
  encode_outcome(outcome, record);
  return record;
}

/// What a recovery told.
struct Told final : RecoveryVisitor {
  std::vector<std::pair<Position, std::string>> events;  ///< With their ids.
  std::map<std::string, std::vector<std::byte>> records;
  std::vector<std::pair<Position, Position>> outcomes;  ///< And the event of each.
  std::vector<Finding> findings;

  void on_event(Position position, const EventView& event, Bytes record) override {
    events.emplace_back(position, std::string(event.id));
    records[std::string(event.id)] = {record.begin(), record.end()};
  }
  void on_outcome(Position position, const OutcomeView& outcome) override {
    outcomes.emplace_back(position, outcome.event);
  }
  void on_finding(const Finding& finding) override { findings.push_back(finding); }

  std::vector<Finding> of_kind(Finding::Kind kind) const {
    std::vector<Finding> found;
    for (const Finding& one : findings) {
      if (one.kind == kind) found.push_back(one);
    }
    return found;
  }
  std::vector<std::string> ids() const {
    std::vector<std::string> ids;
    for (const auto& [position, id] : events) ids.push_back(id);
    return ids;
  }
};

/// One shard's journal on a fake disk: keeper, writer and what the writer tells.
class Journal final : public WriterEvents {
 public:
  struct Setup {
    uint32_t segment_bytes = 4 * 1024 * 1024;
    Writer::Options writer{.directory_id = directory_id};
    uint32_t prepared = 2;      ///< Segments handed out at the start.
    bool more_segments = true;  ///< And whenever the writer wants one.
  };

  Journal(FakeDisk& disk, const Setup& setup, const JournalEnd& end = {})
      : setup_(setup),
        ring(disk),
        keeper(disk, {.journal_directory = data_directory,
                      .directory_id = directory_id,
                      .segment_bytes = setup.segment_bytes}),
        writer(std::make_unique<Writer>(ring, counters, *this, setup.writer)) {
    JournalEnd begin = end;
    begin.journal = setup.writer.journal;
    EXPECT_TRUE(keeper.open(begin));
    // A file that is there and says nothing yet: tests that need more write it themselves.
    const std::string note = journal_path(data_directory, begin.journal) + '/' + written_name;
    if (!disk.exists(note)) {
      EXPECT_TRUE(keeper.note_written(begin.journal, {}));
    }
    for (uint32_t index = 0; index < setup.prepared; ++index) prepare();
    writer->segments_delayed(!setup.more_segments);
  }
  ~Journal() override {
    if (!failed) flush();
  }

  void prepare() {
    keeper.want(setup_.writer.journal);
    while (keeper.busy()) {
      const auto progress = keeper.step(from_unix_ns(1));
      ASSERT_NE(progress, SegmentKeeper::Progress::failed) << describe(keeper.error());
      ASSERT_NE(progress, SegmentKeeper::Progress::no_space);
    }
    while (auto ready = keeper.take()) {
      segments.push_back(ready->segment);
      writer->provide(ready->segment);
    }
  }

  /// Appends an event and makes it durable.
  Position add(const std::string& name, size_t data_bytes = 100) {
    const Position position = append(name, data_bytes);
    flush();
    return position;
  }
  Position append(const std::string& name, size_t data_bytes = 100) {
    const auto event = make_event(name, data_bytes);
    const auto position = writer->append(RecordType::event, event->record());
    EXPECT_TRUE(position) << describe(position.error());
    return *position;
  }
  Position add_outcome(Position event) {
    const auto position = writer->append(RecordType::outcome, make_outcome(event));
    EXPECT_TRUE(position);
    flush();
    return *position;
  }
  void flush() {
    while (!writer->idle() && !failed) {
      writer->commit();
      ring.finish_all();
      if (wanted && setup_.more_segments) {
        wanted = false;
        prepare();
      }
    }
  }

  void on_durable(Position through) override {
    EXPECT_LT(durable.empty() ? Position{} : durable.back(), through);
    durable.push_back(through);
  }
  void on_segment_wanted() override {
    wanted = true;
    ++wanted_count;
  }
  void on_segment_sealed(uint32_t number) override {
    sealed.push_back(number);
    keeper.sealed(setup_.writer.journal, number);
  }
  void on_storage_failed(const Error& error) override {
    EXPECT_FALSE(failed);
    failed = error;
  }

 private:
  const Setup setup_;

 public:
  FakeRing ring;
  // Not in this object, which stands on the stack: there g++ 12's AddressSanitizer forgets its
  // alignment of 64.
  const std::unique_ptr<Counters> counters_memory = std::make_unique<Counters>();
  Counters& counters = *counters_memory;
  SegmentKeeper keeper;
  std::vector<PreparedSegment> segments;
  std::vector<Position> durable;
  std::vector<uint32_t> sealed;
  bool wanted = false;
  uint32_t wanted_count = 0;
  std::optional<Error> failed;
  std::unique_ptr<Writer> writer;
};

inline Result<RecoveryReport> recover_all(FakeDisk& disk, Told& told, bool accept_loss = false) {
  return recover(disk, data_directory, {.directory_id = directory_id, .accept_loss = accept_loss},
                 told);
}

inline std::string segment(uint32_t number, uint16_t journal = 0) {
  return segment_path(data_directory, journal, number);
}

}  // namespace ringpost::journal::test
