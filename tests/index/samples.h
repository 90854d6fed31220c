#pragma once

#include "index/open_part.h"
#include "segment_maker.h"
#include "sim/disk.h"
#include "sim/world.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::index::testing {

/// Events and outcomes of one segment: to a file of the segment, and to a part.
class Sample {
 public:
  Sample(uint16_t journal, uint32_t segment)
      : maker(journal, segment), part(journal, segment, TextHash(directory_id), false) {}

  /// @param at  milliseconds since 1970.
  EventFacts event(uint64_t at, const std::string& id, std::vector<uint32_t> webhooks) {
    journal::EventView view;
    view.uid = Ulid::mint(from_unix_ns(static_cast<int64_t>(at) * 1'000'000), random_);
    view.organization = "default";
    view.id = id;
    view.type = "build/finished";
    view.source = "app/1";
    view.webhook_numbers = std::as_bytes(std::span{webhooks});
    const Position position = maker.next();
    part.add(view, position);
    maker.append(view);
    return {.uid = view.uid, .position = position};
  }

  /// @returns the event with its record here.
  EventFacts carried(const EventFacts& event, const std::string& id,
                     std::vector<uint32_t> webhooks) {
    const auto packed =
        journal::pack({.origin = event.first().position,
                       .times = 1,
                       .at = event.uid.time(),
                       .states = std::vector<journal::CarriedState>(webhooks.size()),
                       .floors = {}});
    journal::EventView view;
    view.uid = event.uid;
    view.organization = "default";
    view.id = id;
    view.type = "build/finished";
    view.source = "app/1";
    view.webhook_numbers = std::as_bytes(std::span{webhooks});
    view.carried = packed;
    const Position position = maker.next();
    part.add(view, position);
    maker.append(view);
    return {.uid = event.uid, .position = position, .origin = event.first().position};
  }

  /// @param event  where it has its first record.
  Position outcome(const EventFacts& event, uint32_t webhook, uint32_t attempt,
                   DeliveryStatus status) {
    journal::OutcomeView view;
    view.event = event.position;
    view.webhook_number = webhook;
    view.attempt = attempt;
    view.status = status;
    view.started_at = event.uid.time();
    if (status == DeliveryStatus::pending) {
      view.next_attempt_at = event.uid.time() + std::chrono::seconds(300);
    }
    const Position record = maker.next();
    part.add(to_outcome(view, record));
    maker.append(view);
    return record;
  }

  SegmentMaker maker;
  OpenPart part;

 private:
  Prng random_{1};
};

/// A disk with the folder of one journal.
struct DiskWithJournal {
  DiskWithJournal() : DiskWithJournal(1) {}
  explicit DiskWithJournal(uint64_t seed) : world({.seed = seed}) {
    for (const std::string& path :
         {std::string("/data"), journal_directory, journal::journal_path(journal_directory, 0)}) {
      EXPECT_TRUE(disk().make_directory(path));
    }
  }
  sim::Disk& disk() { return world.disk(); }
  void write(const SegmentMaker& maker, bool sealed = true) {
    disk().write_file(journal::segment_path(journal_directory, maker.journal(), maker.segment()),
                      maker.file(sealed));
  }

  sim::World world;
};

inline std::string index_file(uint32_t segment) {
  return index_path(journal_directory, 0, segment);
}

}  // namespace ringpost::index::testing
