#pragma once

#include "base/counters.h"
#include "base/forward_clock.h"
#include "http/message.h"
#include "http/problem.h"
#include "ingest/answers.h"
#include "ingest/backend.h"
#include "ingest/event_parser.h"
#include "ingest/idempotency.h"
#include "ingest/token_cache.h"
#include "io/ring.h"
#include "journal/record.h"
#include "journal/writer.h"
#include "net/failure_throttle.h"
#include "subscription/git_source.h"
#include "subscription/table.h"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::ingest {

/// Where accepted events go: the shard's journal::Writer, whose `append` and `admit` these are.
class EventLog {
 public:
  virtual ~EventLog() = default;
  virtual Result<void> admit(uint32_t count, uint64_t bytes) const = 0;
  virtual Result<journal::Position> append(Bytes record) = 0;
};

/// The EventLog of a shard. Borrows the writer.
class WriterLog final : public EventLog {
 public:
  explicit WriterLog(journal::Writer& writer) : writer_(writer) {}
  Result<void> admit(uint32_t count, uint64_t bytes) const override {
    auto admitted = writer_.admit(count, bytes);
    if (!admitted && admitted.error().code == Errc::out_of_space) short_ = true;
    return admitted;
  }
  Result<journal::Position> append(Bytes record) override {
    short_ = false;
    return writer_.append(journal::RecordType::event, record);
  }

  /// Whether the last event that came found no room. `note_room`: there is some again.
  bool is_short() const { return short_; }
  void note_room() { short_ = false; }

 private:
  journal::Writer& writer_;
  mutable bool short_ = false;
};

/// Who hears of durable events: the shard.
class IntakeSink {
 public:
  virtual ~IntakeSink() = default;
  /// Whether an event of the organization for these webhooks is refused, because too many of their
  /// deliveries are pending; nothing: it is taken. @param adding  as subscription::over_share has
  /// it.
  virtual std::optional<http::Problem> refuse_share(std::string_view organization,
                                                    std::span<const uint32_t> webhook_numbers,
                                                    uint64_t adding) = 0;
  /// The event is on stable storage: its deliveries may begin. Called once for each.
  /// @param by_hand  as `append_own` has it; false for events of producers.
  virtual void on_event_durable(journal::EventRef event, bool by_hand) = 0;
  /// The end of `append_own`: nothing, after its on_event_durable; or why it was not stored
  /// (after a storage failure: why nobody knows).
  virtual void on_own_event_settled(uint64_t ticket, const Ulid& event_uid,
                                    std::optional<Error> error) = 0;
};

/// `POST /v1/events`, and the calls of git hosts, on one shard: from a whole request to its answer.
///
///     authenticate ─> (unpack ⟲) ─> parse ─> sources ─> (reserve key ─> match, encode) ⟲ ─> admit
///     ─> append … … on_durable ─> confirm keys ─> sink ─> answer 202
///
/// A turn of the shard does a bounded amount of this: a request with more to do goes on in later
/// turns, taking turns with others, so that one producer's large batch, or one organization's
/// thousands of webhooks, keep nobody else waiting.
///
/// Invariants: 202 is answered only when all events of the request are durable, and so is the event
/// that each duplicate repeats; any other status only when none of them was stored. Where neither
/// is certain the connection is closed without an answer.
class Intake {
 public:
  struct Options {
    EventLimits limits;
    uint32_t retry_after_s = 1;  ///< What an overloaded relay asks a producer to wait.
    std::array<HashKey, 2> token_hash_keys{};  ///< Drawn at start (crypto/random.h).
    WallTime ids_after{};  ///< Ids of events tell no earlier time (base/forward_clock.h).
  };

  /// Everything is borrowed, for the life of the Intake.
  struct Parts {
    io::Ring& ring;
    Counters& counters;
    EventLog& log;
    IdempotencyWindow& window;
    Answers& answers;
    IntakeSink& sink;
  };

  Intake(const Parts& parts, const Options& options);
  ~Intake();  // After on_storage_failed, or when idle.

  /// For what is read from now on; a request whose head was read already is held to both.
  void set_limits(const EventLimits& limits);

  /// For Backend::before_body: what can be refused before the body is read, and the body's terms.
  /// @param peer  whom to blame for a wrong token.
  std::optional<http::Problem> before_body(const http::Request& head, const io::Address& peer,
                                           const subscription::Snapshot& snapshot,
                                           BodyTerms& terms);

  /// Answers sooner or later, at most once.
  /// @param snapshot  in force; the events go to the webhooks that it matches, or those in force in
  ///                  the turn in which they are read.
  void on_request(http::RequestHandle handle, std::unique_ptr<http::Request> request,
                  const io::Address& peer, const subscription::Snapshot& snapshot);

  /// The same two for a call of a git host (src/incoming): it shows no token, and its path says
  /// which source it is for.
  std::optional<http::Problem> before_call_body(const http::Request& head,
                                                const subscription::Snapshot& snapshot,
                                                BodyTerms& terms);
  void on_call(http::RequestHandle handle, std::unique_ptr<http::Request> request,
               const subscription::Snapshot& snapshot);

  /// The same for a file of a drop directory (server/drop_directory.h), which comes without token
  /// and connection: what the directory's owner may do is its organization's.
  /// @param id  events without an id get this one, with their line behind it in a batch: a file
  ///            that is offered twice is a duplicate.
  void on_file(http::RequestHandle handle, std::unique_ptr<http::Request> request,
               std::string organization, std::string id, const subscription::Snapshot& snapshot);

  /// Once in each turn of the shard: goes on with requests that have more to do.
  /// @param snapshot  in force.
  void turn(const subscription::Snapshot& snapshot);
  /// Whether the next `turn` has something to do at once.
  bool has_work() const { return !readings_.empty(); }

  /// Stores an event that the relay made itself: encoded already, its webhooks in it.
  /// @param by_hand  as delivery::Dispatcher::submit has it.
  void append_own(journal::EventRef event, uint64_t ticket, bool by_hand = true);

  /// From WriterEvents: everything that begins below `through` is durable.
  void on_durable(journal::Position through);
  /// From WriterEvents: what is not durable yet never will be known to be. Its requests are
  /// dropped.
  void on_storage_failed(const Error& error);

  /// Nothing is being read, and nothing waits for the disk or for another shard's event.
  bool idle() const {
    return readings_.empty() && events_.empty() && requests_.empty() && waiting_.empty();
  }

 private:
  /// An event that was appended and is not known to be durable.
  struct PendingEvent {
    journal::Position position;
    journal::EventRef event;
    std::optional<IdempotencyKey> key;
    std::optional<uint64_t> ticket = {};  ///< Of a redelivery.
    bool by_hand = false;
  };

  /// A request whose answer waits.
  struct PendingRequest {
    http::RequestHandle handle;
    Instant received_at;
    journal::Position last;  ///< Of its events; not valid if all are duplicates.
    uint32_t accepted = 0;
    uint32_t duplicates = 0;
    uint64_t deliveries = 0;                ///< Of the accepted events to webhooks, all together.
    uint32_t unmatched = 0;                 ///< Accepted events that go to none.
    std::string body;                       ///< Of the answer.
    bool is_call = false;                   ///< Of a git host.
    uint16_t status = 202;                  ///< Of the answer.
    std::vector<IdempotencyKey> unsettled;  ///< Duplicates of events that are not durable yet.
  };

  /// An event of a request that is being read, and no duplicate.
  struct Fresh {
    journal::EventRef event;
    std::optional<IdempotencyKey> key;
  };

  /// A request that is being read, and all that its events view. Used again for its memory.
  struct Reading;
  using ReadingOwner = std::unique_ptr<Reading>;

  std::optional<http::Problem> authenticate(const http::Request& request, const io::Address& peer,
                                            const subscription::Snapshot& snapshot,
                                            const subscription::Token*& token);
  http::Problem unauthenticated(const http::Request& request, const io::Address& peer);
  void begin(ReadingOwner reading, http::RequestHandle handle,
             std::unique_ptr<http::Request> request, const subscription::Snapshot& snapshot);
  ReadingOwner take_reading();
  void read(ReadingOwner reading, const subscription::Snapshot& snapshot);
  std::optional<http::Problem> unpack(Reading& reading, int64_t& work_left);
  std::optional<http::Problem> parse(Reading& reading);
  std::optional<http::Problem> parse_events(Reading& reading);
  static void give_ids(Reading& reading);
  static void continue_trace(Reading& reading);
  std::optional<http::Problem> parse_call(Reading& reading);
  void answer_notice(const Reading& reading);
  std::optional<http::Problem> read_events(Reading& reading, const subscription::Snapshot& snapshot,
                                           int64_t& work_left);
  std::optional<http::Problem> store(Reading& reading);
  void give_way(ReadingOwner reading);
  void end(ReadingOwner reading);
  std::optional<http::Problem> refuse_sources(const Reading& reading) const;
  std::optional<http::Problem> admit(uint32_t count, uint64_t bytes) const;
  std::optional<http::Problem> reserve(Reading& reading);
  std::optional<http::Problem> refuse_share(const Reading& reading) const;
  static Refusal id_conflict(const Reading& reading);
  void encode(Reading& reading, const subscription::Snapshot& snapshot);
  static void write_acceptance(Reading& reading);
  void append_all(Reading& reading);
  void abandon_fresh(Reading& reading);

  void settle(PendingRequest&& request);
  bool drop_settled_keys(PendingRequest& request);
  void look_again();
  void reply(const PendingRequest& request);
  void refuse(http::RequestHandle handle, const http::Problem& problem);
  http::Problem problem_of(const Error& error) const;
  http::Problem overloaded() const;

  Parts parts_;
  Options options_;
  TokenCache tokens_;
  net::FailureThrottle throttle_;
  ForwardClock id_clock_;
  std::vector<std::byte> webhook_numbers_;  ///< Of the event in hand.
  http::Response answer_;                   ///< The one in hand; all share its memory.

  std::deque<ReadingOwner> readings_;  ///< Those with more to do, in the order of their turns.
  std::vector<ReadingOwner> spare_readings_;
  int64_t work_left_;  ///< In this turn.

  // In the order of their positions.
  std::deque<PendingEvent> events_;
  std::deque<PendingRequest> requests_;
  /// Own events durable (or none), duplicates of other shards' pending events: looked at again on a
  /// timer, because a shard has no other way to hear of another's commit.
  std::vector<PendingRequest> waiting_;
  io::Timer look_again_timer_;
};

}  // namespace ringpost::ingest
