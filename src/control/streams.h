#pragma once

#include "base/clock.h"
#include "control/api/api.h"
#include "control/api/session.h"
#include "control/api/stream_cursor.h"
#include "control/journal_access.h"
#include "control/messages.h"
#include "control/stream_limits.h"
#include "control/visible_history.h"
#include "control/webhook_registry.h"
#include "crypto/digest.h"
#include "index/index.h"
#include "subscription/table.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::control {

/// The live streams (`GET /v1/stream`): each tells of deliveries as they end, to one client, and
/// can be resumed.
///
/// A stream is a place in each journal: everything up to it was told. The newest outcomes are kept
/// in memory while somebody listens; a stream that is further behind, because it was resumed or its
/// client is slow, reads them from the journals. What is on its way to a client is bounded, and so
/// is the control thread's time: after each piece of work streams rest four times as long.
///
/// While nobody listens an outcome costs a comparison and the storing of its place.
class Streams {
 public:
  struct Parts {
    const WebhookRegistry& registry;
    const subscription::SubscriptionTable& table;
    const SessionApi& sessions;
    const VisibleHistory& history;
    JournalAccess& journals;
    Post& post;
  };

  /// On its way to a client and not taken yet, of each stream: so much, and one delivery.
  static constexpr uint64_t window_bytes = 32 * 1024;
  /// A client that takes nothing for so long although more waits is cut off.
  static constexpr Duration slow_max = std::chrono::seconds{20};
  /// So often something is sent, so that both ends and what is between them know of each other.
  static constexpr Duration heartbeat_interval = std::chrono::seconds{15};
  /// Of the newest outcomes, in memory.
  static constexpr size_t recent_max = 8192;

  explicit Streams(const Parts& parts) : parts_(parts) {}

  void set_limits(const StreamLimits& limits) { limits_ = limits; }

  /// `GET /v1/stream`: the head of its answer, and `begin` has to follow (`is_opening`); or a
  /// refusal.
  Answer open(const Call& call, Instant now);
  bool is_opening() const { return opening_ != nullptr; }
  /// The head was sent there.
  void begin(uint32_t shard, http::RequestHandle handle, Instant now);

  /// Every outcome that a shard tells of.
  void on_outcome(const index::Outcome& outcome, const Ulid& delivery);
  void on_taken(uint32_t shard, const StreamTaken& taken, Instant now);
  void on_gone(uint32_t shard, http::RequestHandle handle);

  /// Tells what there is to tell; one bounded piece.
  void step(WallTime wall_now, Instant now);
  /// When `step` has something to do without a message before.
  std::optional<Instant> due(WallTime wall_now, Instant now) const;

  size_t count() const { return streams_.size(); }

 private:
  struct News {
    index::Outcome outcome;
    Ulid delivery;
  };

  struct Stream {
    uint32_t shard = 0;
    http::RequestHandle handle;
    crypto::Digest token_sha256{};
    std::optional<crypto::Digest> session;  ///< Of the console, whose token it is.
    std::string organization;
    ListQuery query;
    std::optional<uint32_t> webhook_number;
    std::vector<journal::Position> reached;  ///< By journal: everything up to there was told.
    StreamPlace place;                       ///< The same, as it was last written.
    bool of_other_history = false;           ///< It cannot go on just where it was.
    /// The next one of `recent_`, counted from the first outcome on; nothing: it is behind, and
    /// reads journals.
    std::optional<uint64_t> next;
    uint64_t bytes_sent = 0;  ///< And not taken.
    std::optional<Instant> full_since;
    Instant sent_at{};
    std::string piece;     ///< In the making.
    bool is_over = false;  ///< Its end was sent.
  };

  static bool is_of(const Stream& stream, uint32_t shard, http::RequestHandle handle);
  std::optional<Problem> object_to_count(const std::string& organization) const;
  std::vector<journal::Position> heads() const;
  std::optional<journal::Position> told(uint32_t journal) const;
  void start_at(Stream& stream, const std::optional<StreamPlace>& place) const;
  std::map<uint32_t, std::vector<uint32_t>> numbers() const;
  journal::Position resumed(const StreamPosition& before, const std::vector<uint32_t>& there,
                            bool& of_other_history) const;
  uint64_t prepared_ms(journal::Position position) const;

  const subscription::Token* token_of(const Stream& stream) const;
  bool has_room(const Stream& stream) const;
  bool has_work(const Stream& stream) const;
  void end_those_that_must();
  void work();
  void serve(Stream& stream);
  void tell_recent(Stream& stream);
  void catch_up(Stream& stream);
  static bool is_hidden(const VisibleHistory::View& visible, const News& news);
  bool find_segment(Stream& stream, journal::Position& reached, journal::Position head);
  void tell_gap(Stream& stream);
  bool wants(const Stream& stream, const index::Outcome& outcome) const;
  void consider(Stream& stream, const News& news);
  Result<journal::EventRef> read_event(const News& news);
  bool may_be_told(const Stream& stream, const News& news, const journal::EventView* event,
                   const subscription::Token& token) const;
  index::DeliveryFacts facts_of(const News& news, const journal::EventView* event) const;
  void write(Stream& stream, const News& news, const journal::EventView* event);
  std::string cursor(Stream& stream) const;
  void send(Stream& stream, bool last = false);
  void end(Stream& stream, std::string_view code, std::string_view detail);
  void forget_ended();

  const Parts parts_;
  StreamLimits limits_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::unique_ptr<Stream> opening_;
  size_t turn_ = 0;                      // Whose turn it is.
  std::vector<journal::Position> told_;  // By journal: the last outcome that was told.
  std::deque<News> recent_;              // Empty while nobody listens.
  uint64_t recent_begin_ = 0;            // The number of the first of these.
  int64_t left_ = 0;                     // What may still be done in this step.
  Instant next_work_{};
  WallTime wall_now_{};
  Instant now_{};
};

}  // namespace ringpost::control
