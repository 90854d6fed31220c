#pragma once

#include "base/clock.h"
#include "base/prng.h"
#include "control/forward_reader.h"
#include "control/forward_settings.h"
#include "control/outgoing_calls.h"
#include "control/set_aside.h"
#include "control/store/store.h"
#include "net/http_client.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

enum class ForwardState : uint8_t {
  off,
  idle,     ///< The central relay has everything.
  sending,  ///< Events are on their way to it.
  waiting,  ///< It is away, or asks to wait: tried again by itself.
  held,     ///< Somebody has to mend something; tried again all the same.
};
std::string_view name(ForwardState state);

/// For people.
struct ForwardStatus {
  ForwardState state = ForwardState::off;
  std::string url;                    ///< Empty: nothing is forwarded.
  uint64_t backlog = 0;               ///< Events that are not done yet, and not lost.
  std::optional<WallTime> oldest_at;  ///< When the next one was accepted.
  uint64_t forwarded = 0;             ///< Events that the central relay has taken, since the start.
  uint64_t duplicates = 0;            ///< Of them, those that it had already.
  uint64_t set_aside = 0;             ///< Events in the list.
  uint64_t again = 0;                 ///< Of them, those that are to be sent again.
  uint64_t lost = 0;    ///< Removed for want of room before they were forwarded, ever.
  std::string problem;  ///< A sentence; empty: there is none.
  std::optional<WallTime> problem_since;
  std::optional<WallTime> retry_at;
  std::optional<WallTime> last_success_at;
};

/// Sends events to a central relay: those of all journals, in the order in which they were taken,
/// one request at a time. What is done is remembered in the store when the central relay has said
/// that it has it. So after a crash or a lost answer events are sent again, with the same ids: the
/// central relay knows them. Those that it may have forgotten by then are asked for first.
///
/// What it refuses is set aside. When somebody wants it to be sent again, it takes turns with what
/// is new: a batch of these, a batch of those.
///
/// fill ─> ask for what may be there already ⟲ ─> send ─> on_sent ─> store ─> fill
///                        └──────────────┴─> fails: again, later and later
class Forward {
 public:
  /// All borrowed; they outlive it.
  struct Parts {
    Store& store;
    JournalAccess& journals;
    index::Index& history;
    OutgoingCalls& calls;
    Prng& random;
  };

  static constexpr Duration pause_min = std::chrono::seconds(1);
  static constexpr Duration pause_max = std::chrono::minutes(1);
  static constexpr Duration asked_pause_max = std::chrono::hours(1);  ///< Of Retry-After.
  static constexpr Duration call_timeout = std::chrono::seconds(60);
  static constexpr uint32_t questions_max = 4;      ///< At a time.
  static constexpr size_t packed_bytes_min = 1024;  ///< A smaller body is sent as it is.
  /// So many refused in a row, and the central relay is what is wrong: one is tried at a time.
  static constexpr uint32_t refused_in_a_row_max = 100;

  /// @param wake  called when an answer has come and `step` is wanted.
  Forward(const Parts& parts, std::function<void()> wake);

  void set(ForwardSettings settings);
  /// At start, when the journals' segments are known. Where there is nothing in the store, what
  /// comes from now on is forwarded.
  Result<void> load();

  /// Every event that a shard tells of.
  void on_event(const journal::EventView& event, journal::Position position);
  /// One bounded piece of work, which may change the store. Only while everything in the store is
  /// durable. @returns whether there is more to do at once.
  bool step(WallTime wall_now, Instant now);
  /// When there is something to do without news; nothing: never.
  std::optional<Instant> due() const;

  /// Whether a segment has events that are to be forwarded.
  bool needs(uint32_t journal, uint32_t segment) const;
  /// The segment is about to go: its events are lost to the central relay. May change the store.
  void on_removing(uint32_t journal, uint32_t segment);

  ForwardStatus status() const;
  SetAside& set_aside() { return set_aside_; }
  /// As SetAside::send_again, as soon as it can be.
  Result<uint64_t> send_again(const SetAsideChoice& choice);
  bool is_on() const { return settings_.url.has_value(); }

 private:
  enum class Phase : uint8_t { filling, asking, sending };
  struct Failure {
    bool lasting = false;  ///< Somebody has to mend something.
    std::string text;
    std::optional<Duration> retry_after{};
  };

  bool wants(const journal::EventView& event) const;
  Result<void> begin();
  bool fill();
  bool fill_new();
  bool fill_again();
  bool fits(const ForwardItem& item, uint64_t bytes) const;
  bool is_again() const;
  bool take_answers();
  using Handle = std::function<void(const net::ClientAnswer& answer)>;
  void call(net::ClientRequest&& request, Handle handle);
  bool set_aside_travelled(const ForwardItem& item);
  void advance();
  bool must_ask(const ForwardItem& item) const;
  void ask();
  void ask(size_t index);
  void on_asked(size_t index, const net::ClientAnswer& answer);
  void on_there(ForwardItem& item);
  void on_sent_before();
  void send();
  void on_packing_refused();
  void on_sent(size_t count, const net::ClientAnswer& answer);
  void on_taken(size_t count, uint64_t duplicates);
  bool on_refused(size_t count, const net::ClientAnswer& answer);
  bool make_smaller(ForwardItem& item);
  void give_back();
  void finish_batch();
  uint64_t count_only_here() const;
  bool store();
  void store_now_and_then();
  net::ClientRequest request(std::string method) const;
  Failure failure_of(const net::ClientAnswer& answer) const;
  std::string told_by(const net::ClientAnswer& answer) const;
  void fail(Failure failure);
  void succeed();
  void tell_gap();

  const Parts parts_;
  const std::function<void()> wake_;
  ForwardSettings settings_;
  ForwardReader reader_;
  SetAside set_aside_;

  // As the store has it.
  bool begun_ = false;
  ForwardPlaces done_;
  WallTime done_at_{};  ///< When `done_` was written: nothing behind it was sent before.
  uint64_t lost_ = 0;   ///< There beside them: what is only here.
  std::optional<Instant> stored_at_;

  Phase phase_ = Phase::filling;
  std::deque<ForwardItem> batch_;  ///< All new, or all to be sent again.
  bool was_again_ = false;         ///< The last batch, so that the next one is new.
  ForwardPlaces batch_end_;        ///< Where `done_` is when the batch is.
  uint32_t resumed_ = 0;           ///< Of the next events, an earlier run may have sent so many,
  WallTime resumed_at_{};          ///< and at this time at the earliest.
  bool packs_ = true;              ///< As long as nobody has refused it.
  size_t count_max_ = SIZE_MAX;    ///< Events of a request: fewer after a refusal.
  uint32_t refused_in_a_row_ = 0;
  uint32_t calls_ = 0;  ///< Under way, or answered and not handled yet.
  std::deque<std::pair<net::ClientAnswer, Handle>> answers_;
  std::optional<Failure> question_failure_;
  WallTime sent_at_{};

  uint32_t failures_ = 0;
  Instant not_before_{};
  std::string problem_;
  bool lasting_ = false;
  WallTime problem_since_{};
  WallTime retry_at_{};
  std::string told_problem_;  ///< In the log.
  Instant told_at_{};
  std::optional<WallTime> last_success_at_;
  uint64_t forwarded_ = 0;
  uint64_t duplicates_ = 0;

  WallTime wall_now_{};
  Instant now_{};
  std::optional<Instant> due_;
};

/// How far the events of a data directory were forwarded, by the facts of its store; nothing: none
/// ever was. Errc::corrupt if it cannot be read.
Result<std::optional<ForwardPlaces>> read_forward_places(const ReadMeta& read);

}  // namespace ringpost::control
