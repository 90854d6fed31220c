#pragma once

#include "control/host_talk.h"
#include "control/journal_access.h"
#include "control/messages.h"
#include "index/index.h"
#include "journal/record.h"
#include "sim/disk.h"
#include "sim/world.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::control::testing {

inline constexpr int64_t second_ns = 1'000'000'000;

/// A time some seconds after a fixed beginning in 2031.
inline WallTime at(int64_t seconds) {
  return from_unix_ns((1'935'000'000 + seconds) * second_ns);
}

inline std::vector<std::byte> pack_numbers(const std::vector<uint32_t>& numbers) {
  std::vector<std::byte> bytes(numbers.size() * 4);
  for (size_t index = 0; index < numbers.size(); ++index) {
    store_le(bytes.data() + index * 4, numbers[index]);
  }
  return bytes;
}

/// Journals in memory: records by position, segments by number.
class FakeJournals final : public JournalAccess {
 public:
  std::map<uint64_t, std::vector<std::byte>> events;
  std::map<uint64_t, std::vector<std::byte>> outcomes;
  std::vector<Segment> files;
  std::deque<uint32_t> wants;
  std::map<uint32_t, uint32_t> next_segment;  // By journal.
  uint32_t prepared_max = 1000;
  uint64_t segment_bytes = 1 << 20;
  uint64_t segments_unindexed = 0;
  std::map<uint32_t, uint32_t> expired;                  ///< By journal: segments below.
  std::function<Result<void>(uint32_t, uint32_t)> note;  ///< As `note_expiry`; empty: nothing.

  journal::EventRef put_event(const journal::EventView& view, journal::Position position) {
    journal::EventRef event = journal::EventCodec::encode(view);
    event->set_position(position);
    events[position.packed].assign(event->record().begin(), event->record().end());
    return event;
  }
  void put_outcome(const journal::OutcomeView& view, journal::Position position) {
    auto& bytes = outcomes[position.packed];
    bytes.clear();
    journal::encode_outcome(view, bytes);
  }

  Result<journal::EventRef> read_event(journal::Position position) override {
    const auto found = events.find(position.packed);
    if (found == events.end()) return Error{Errc::not_found, Side::disk};
    return journal::EventCodec::decode(found->second, position);
  }
  Result<StoredOutcome> read_outcome(journal::Position position) override {
    const auto found = outcomes.find(position.packed);
    if (found == outcomes.end()) return Error{Errc::not_found, Side::disk};
    StoredOutcome stored{found->second, {}};
    const auto view = journal::decode_outcome(stored.record);
    if (!view) return view.error();
    stored.view = *view;
    return stored;
  }
  Result<journal::Passage> pass_outcomes(journal::Position from, journal::Position through,
                                         uint32_t, const journal::VisitOutcome& visit) override {
    ++passages;
    journal::Passage passage{.reached = from};
    for (auto next = outcomes.upper_bound(from.packed); next != outcomes.end(); ++next) {
      const journal::Position position{next->first};
      if (position > through || position.segment() != from.segment()) break;
      if (position.journal() != from.journal()) break;
      const auto view = journal::decode_outcome(next->second);
      if (!view) return view.error();
      passage.reached = position;
      if (!visit(*view, position)) return passage;
    }
    passage.at_end = true;
    return passage;
  }
  Result<journal::Passage> pass_events(journal::Position from, journal::Position through, uint32_t,
                                       const journal::VisitEvent& visit) override {
    journal::Passage passage{.reached = from};
    for (auto next = events.upper_bound(from.packed); next != events.end(); ++next) {
      const journal::Position position{next->first};
      if (position > through || position.segment() != from.segment()) break;
      if (position.journal() != from.journal()) break;
      const auto view = journal::EventCodec::decode_view(next->second);
      if (!view) return view.error();
      passage.reached = position;
      if (!visit(*view, position)) return passage;
    }
    passage.at_end = true;
    return passage;
  }
  uint32_t passages = 0;                                      ///< Of pass_outcomes.
  std::map<std::pair<uint32_t, uint32_t>, WallTime> created;  ///< By journal and segment.
  Result<WallTime> created_at(uint32_t journal, uint32_t segment) override {
    const auto known = created.find({journal, segment});
    return known != created.end() ? known->second : at(segment);
  }
  std::vector<Segment> segments() const override { return files; }
  uint32_t oldest(uint32_t journal) const override {
    const auto found = expired.find(journal);
    return found == expired.end() ? 1 : found->second;
  }
  void want(uint32_t journal) override { wants.push_back(journal); }
  std::optional<Ready> take() override {
    if (wants.empty() || prepared_max == 0) return std::nullopt;
    --prepared_max;
    const uint32_t journal = wants.front();
    wants.pop_front();
    const uint32_t number = ++next_segment[journal];
    files.push_back({journal, number, true});
    return Ready{journal, {.number = number, .size = static_cast<uint32_t>(segment_bytes)}};
  }
  void on_sealed(uint32_t journal, uint32_t segment) override {
    for (Segment& file : files) {
      if (file.journal == journal && file.number == segment) file.open = false;
    }
  }
  void write_index(std::shared_ptr<const index::OpenPart>) override {}  // It stays in memory.
  uint64_t unindexed() const override { return segments_unindexed; }
  Result<void> note_expiry(uint32_t journal, uint32_t first_needed) override {
    return note ? note(journal, first_needed) : Result<void>{};
  }
  void expire(uint32_t journal, uint32_t first_needed) override {
    expired[journal] = first_needed;
    const auto gone = [&](uint64_t packed) {
      const journal::Position position{packed};
      return position.journal() == journal && position.segment() < first_needed;
    };
    std::erase_if(files, [&](const Segment& file) {
      return file.journal == journal && file.number < first_needed;
    });
    std::erase_if(events, [&](const auto& record) { return gone(record.first); });
    std::erase_if(outcomes, [&](const auto& record) { return gone(record.first); });
  }
  std::optional<Error> failure() const override {
    if (wants.empty() || prepared_max > 0) return std::nullopt;
    return Error{Errc::out_of_space, Side::disk};
  }
  uint64_t bytes() const override { return files.size() * segment_bytes; }
};

/// A history without files: all of it stays in memory.
class FakeHistory {
  sim::World world_{{.seed = 1}};

 public:
  index::Index index{world_.disk(), index::Index::Options{}, [](const journal::Finding&) {}};
};

/// Keeps the calls to git hosts until a test answers them.
class FakeGitHost {
 public:
  struct Call {
    githost::Request request;
    std::function<void(HostAnswer)> done;
  };

  HostCaller caller() {
    return [this](githost::Request request, std::function<void(HostAnswer)> done) {
      calls.push_back({std::move(request), std::move(done)});
    };
  }
  /// Answers the oldest call. @returns what was asked.
  githost::Request answer(uint16_t status, std::string body = "[]", std::string head = {}) {
    return finish({.status = status, .head = std::move(head), .body = std::move(body)});
  }
  githost::Request fail(const Error& error) {
    return finish({.error = error, .head = {}, .body = {}});
  }

  std::deque<Call> calls;

 private:
  githost::Request finish(HostAnswer answer) {
    EXPECT_FALSE(calls.empty()) << "the host was not called";
    if (calls.empty()) return {};
    Call call = std::move(calls.front());
    calls.pop_front();
    call.done(std::move(answer));
    return std::move(call.request);
  }
};

/// Keeps what was sent to each shard.
class FakePost final : public Post {
 public:
  explicit FakePost(uint32_t shard_count) : sent(shard_count) {}
  void send(uint32_t shard, ToShard&& message) override {
    sent.at(shard).push_back(std::move(message));
  }

  /// Takes the first message of this kind for `shard`, leaving the others.
  template <typename Message>
  std::optional<Message> take(uint32_t shard) {
    for (auto message = sent[shard].begin(); message != sent[shard].end(); ++message) {
      if (auto* wanted = std::get_if<Message>(&*message)) {
        std::optional<Message> taken{std::move(*wanted)};
        sent[shard].erase(message);
        return taken;
      }
    }
    return std::nullopt;
  }

  std::vector<std::deque<ToShard>> sent;
};

}  // namespace ringpost::control::testing
