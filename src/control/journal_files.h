#pragma once

#include "control/begun_journals.h"
#include "control/journal_access.h"
#include "control/journal_orders.h"
#include "index/index.h"
#include "journal/reader.h"
#include "journal/segments.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace ringpost::control {

/// JournalAccess on the real files. Of the segments it knows which there are; the work on them is
/// the journal thread's, and is never waited for. Only records that people ask for are read here.
class JournalFiles final : public JournalAccess {
 public:
  /// All outlive it.
  JournalFiles(journal::Reader& reader, BegunJournals& begun, JournalOrders& orders,
               index::Index& history)
      : reader_(reader), begun_(begun), orders_(orders), history_(history) {}

  /// At start: the segments that the keeper has, before the journal thread takes it over.
  void adopt(const journal::SegmentKeeper& keeper, const std::vector<uint16_t>& journals);
  /// At start, behind `adopt`: opens the indexes of all segments. The few that are missing as a
  /// rule, of the newest segments after a crash, are made at once; more are left to the journal
  /// thread, which one line of the log says.
  void open_indexes(const std::vector<uint16_t>& journals);
  /// What the journal thread says.
  void on_news(JournalNews&& news);

  Result<journal::EventRef> read_event(journal::Position position) override {
    return reader_.read_event(position);
  }
  Result<StoredOutcome> read_outcome(journal::Position position) override {
    return reader_.read_outcome(position);
  }
  Result<journal::Passage> pass_outcomes(journal::Position from, journal::Position through,
                                         uint32_t bytes_max,
                                         const journal::VisitOutcome& visit) override {
    return reader_.pass_outcomes(from, through, bytes_max, visit);
  }
  Result<journal::Passage> pass_events(journal::Position from, journal::Position through,
                                       uint32_t bytes_max,
                                       const journal::VisitEvent& visit) override {
    return reader_.pass_events(from, through, bytes_max, visit);
  }
  Result<WallTime> created_at(uint32_t journal, uint32_t segment) override {
    return reader_.created_at(static_cast<uint16_t>(journal), segment);
  }
  std::vector<Segment> segments() const override;
  uint32_t oldest(uint32_t journal) const override {
    const auto found = begun_.oldest().find(journal);
    return found == begun_.oldest().end() ? 0 : found->second;
  }
  void want(uint32_t journal) override { orders_.send(PrepareSegment{journal}); }
  std::optional<Ready> take() override;
  void on_sealed(uint32_t journal, uint32_t segment) override;
  void write_index(std::shared_ptr<const index::OpenPart> part) override;
  uint64_t unindexed() const override { return unindexed_.size(); }
  Result<void> note_expiry(uint32_t journal, uint32_t first_needed) override {
    return begun_.expire(journal, first_needed);
  }
  void expire(uint32_t journal, uint32_t first_needed) override;
  std::optional<Error> failure() const override { return failure_; }
  uint64_t bytes() const override;

 private:
  using Numbers = std::map<uint32_t, bool>;  ///< And whether the segment is open.
  using SegmentName = std::pair<uint32_t, uint32_t>;

  void on(SegmentPrepared&& news);
  void on(PreparingFailed&& news) { failure_ = news.error; }
  void on(SegmentIndexed&& news);
  void on(IndexPostponed&& news);
  void on(IndexFailed&& news);
  void on(IdsGrouped&& news);
  void open_ids(uint16_t journal);
  void group_ids(uint32_t journal);
  bool is_group_full(uint32_t journal, uint32_t last) const;
  bool has(uint32_t journal, uint32_t number) const;
  void on(std::monostate&&) {}

  journal::Reader& reader_;
  BegunJournals& begun_;
  JournalOrders& orders_;
  index::Index& history_;
  uint64_t segment_bytes_ = 0;
  std::map<uint32_t, Numbers> journals_;
  std::deque<Ready> ready_;
  std::optional<Error> failure_;
  std::map<SegmentName, bool> unindexed_;  ///< And whether it is of an earlier run.
  std::set<SegmentName> grouping_;         ///< Groups of ids being made, by their last segment.
};

}  // namespace ringpost::control
