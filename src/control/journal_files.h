#pragma once

#include "control/begun_journals.h"
#include "control/journal_access.h"
#include "journal/reader.h"
#include "journal/segments.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace ringpost::control {

/// JournalAccess on the real files: a reader, a keeper and the store's list of journals, which
/// outlive it.
class JournalFiles final : public JournalAccess {
 public:
  /// @param journals  all that the keeper has opened.
  JournalFiles(journal::Reader& reader, journal::SegmentKeeper& keeper, BegunJournals& begun,
               std::vector<uint16_t> journals)
      : reader_(reader), keeper_(keeper), begun_(begun), journals_(std::move(journals)) {}

  Result<journal::EventRef> read_event(journal::Position position) override {
    return reader_.read_event(position);
  }
  Result<StoredOutcome> read_outcome(journal::Position position) override {
    return reader_.read_outcome(position);
  }
  std::vector<Segment> segments() const override;
  void want(uint32_t journal) override { keeper_.want(static_cast<uint16_t>(journal)); }
  std::optional<Ready> take() override;
  void on_sealed(uint32_t journal, uint32_t segment) override {
    keeper_.sealed(static_cast<uint16_t>(journal), segment);
  }
  Result<void> expire(uint32_t journal, uint32_t first_needed) override;
  Progress step(WallTime wall_now) override;
  std::optional<Error> failure() const override { return failure_; }
  uint64_t bytes() const override;

 private:
  journal::Reader& reader_;
  journal::SegmentKeeper& keeper_;
  BegunJournals& begun_;
  const std::vector<uint16_t> journals_;
  std::optional<Error> failure_;
};

}  // namespace ringpost::control
