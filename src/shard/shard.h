#pragma once

#include "base/counters.h"
#include "base/prng.h"
#include "delivery/dispatcher.h"
#include "ingest/intake.h"
#include "ingest/server.h"
#include "io/ring.h"
#include "journal/carried_places.h"
#include "journal/extent_reader.h"
#include "journal/writer.h"
#include "net/http_client.h"
#include "shard/live_settings.h"
#include "shard/mailroom.h"
#include "shard/outcome_bases.h"
#include "subscription/pending_counts.h"
#include "subscription/table.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ringpost::shard {

struct ShardOptions {
  journal::Writer::Options journal;
  std::array<HashKey, 2> token_hash_keys{};  ///< As ingest::Intake::Options::token_hash_keys.
  WallTime ids_after{};                      ///< As ingest::Intake::Options::ids_after.
};

/// One core's engine: one of everything, and the loop that drives it. Introduces ingest to the
/// journal, the journal to delivery, and all of them to the other shards and the control thread.
///
/// One turn: ring (handlers run) ─> messages ─> batches go on ─> deliveries start ─> journal
/// commits ─> messages out
///
/// Built and used on its ring's thread. Life: construct, `provide` the first segment, `restore`
/// what a former life left open, `listen`, turns, `stop`, turns until `stopped()`, destroy.
class Shard final : private journal::WriterEvents,
                    private ingest::Backend,
                    private ingest::Answers,
                    private ingest::IntakeSink,
                    private journal::ExtentEvents,
                    private delivery::Host {
 public:
  /// Everything is borrowed, for the shard's life.
  struct Parts {
    uint32_t index = 0;
    io::Ring& ring;
    net::Resolver& resolver;
    const SettingsInForce& settings;
    subscription::SubscriptionTable::Reader& reader;
    ingest::IdempotencyWindow& window;
    const journal::CarriedPlaces& places;
    Mailroom& mailroom;
    std::span<Counters> counters;  ///< Of all shards; this one writes its own.
    std::span<subscription::PendingCounts> pending_counts;  ///< Likewise.
  };

  Shard(const Parts& parts, const ShardOptions& options);
  ~Shard();

  void provide(const journal::PreparedSegment& segment) { writer_.provide(segment); }
  void restore(const delivery::PendingDelivery& pending);
  /// For simulations, between turns: all that is counted adds up.
  void check();
  void restore(const delivery::PendingPause& pause) { dispatcher_.restore(pause); }
  /// @param listener  its number in LiveSettings::certificates, which say whether it is TLS's.
  /// @param options   without `tls`.
  Result<io::Address> listen(size_t listener, ingest::Server::ListenerOptions options);

  /// One turn of the loop. @param may_sleep  false if the caller has something to do at once.
  void turn(bool may_sleep);
  /// Whether the next turn has something to do at once, and would not sleep.
  bool busy() const;

  /// Takes nothing new, answers what was read, lets attempts under way end.
  void stop();
  /// Ends what `stop` waits for: attempts under way stay pending, connections close.
  void hasten();
  bool stopped() const;

 private:
  // Backend: the routes.
  std::optional<http::Problem> before_body(const http::Request& head, const ingest::Origin& origin,
                                           ingest::BodyTerms& terms) override;
  http::Response refuse(const http::Request& head, const ingest::Origin& origin,
                        const http::Problem& problem) override;
  void on_request(http::RequestHandle handle, std::unique_ptr<http::Request> request,
                  const ingest::Origin& origin) override;
  void on_pieces_taken(http::RequestHandle handle, uint64_t bytes) override;
  void on_answer_cut(http::RequestHandle handle) override;
  // Answers: of the intake, to the server's clients and to drop directories.
  void answer(http::RequestHandle handle, const http::Response& response) override;
  bool hold(http::RequestHandle handle, uint64_t bytes) override;
  void drop(http::RequestHandle handle) override;
  void answer_health(http::RequestHandle handle, bool ready_wanted);
  std::string_view hindrance() const;
  std::optional<http::Problem> overloaded() const;

  // The journal.
  void on_durable(journal::Position through) override;
  void on_segment_wanted() override;
  void on_segment_sealed(uint32_t number) override;
  void on_storage_failed(const Error& error) override;

  // Events that are durable.
  std::optional<http::Problem> refuse_share(std::string_view organization,
                                            std::span<const uint32_t> webhook_numbers,
                                            uint64_t adding) override;
  void on_event_durable(journal::EventRef event, bool by_hand) override;
  void on_own_event_settled(uint64_t ticket, const Ulid& event_uid,
                            std::optional<Error> error) override;
  void take(const Deliver& message);

  // Deliveries.
  const subscription::Snapshot& snapshot() override { return reader_.snapshot(); }
  bool has_room_for_attempt(uint32_t in_flight) const override;
  void record(const journal::OutcomeView& outcome, journal::Urgency urgency) override;
  void tell_outcome(const journal::OutcomeView& outcome, Result<journal::Position> position,
                    journal::DeliveryStatus status);
  void on_attempt_traced(const journal::OutcomeView& outcome,
                         const journal::EventRef& event) override;
  void note_shortage();
  Result<journal::Position> append(const journal::OutcomeView& outcome, journal::Claim claim,
                                   journal::Urgency urgency);
  journal::EventRef event_at_hand(journal::Position event) override {
    return extents_.at_hand(places_.place_of(event));
  }
  void want_payload(journal::Position event, uint64_t ticket) override;
  void on_file_wanted(uint16_t journal, uint32_t segment) override;
  void on_file_unused(io::File file) override;
  void on_receiver_paused(const subscription::WebhookVersion& webhook, WallTime until) override;
  void on_circuit_open(const subscription::WebhookVersion& webhook,
                       const delivery::OpenCircuit& circuit) override;
  void on_circuit_closed(const subscription::WebhookVersion& webhook) override;
  void on_permission(const subscription::WebhookVersion& webhook,
                     const std::optional<Error>& why_not) override;
  void on_listener_request(const ListenerRequest& request) override;
  void on_listener_request_over(uint32_t webhook_number, uint64_t ticket) override;
  void on_endpoint_gone(const subscription::WebhookVersion& webhook) override;

  // Messages.
  void tell_control(control::ToControl&& message, bool urgent);
  void read_messages();
  void on(control::ApiReply&& message);
  void on(control::SnapshotPublished&& message);
  void on(control::SettingsPublished&& message);
  void on(control::SegmentReady&& message);
  void on(control::SegmentsDelayed&& message);
  void take_opened_files();
  void take_offered_files();
  void take(FileOffered&& file);
  void hand_over_events();
  void on(control::StoreEvent&& message);
  void carry(control::StoreEvent&& message);
  void on(control::StreamOpened&& message);
  void on(control::StreamPiece&& message);
  void on(control::SendCall&& message);
  void on(control::ListenerChanged&& message);
  void on(control::ListenerAnswered&& message);
  void on(std::monostate&&) {}
  void flush_messages();
  void on_flush_due();
  void keep_room();
  void note_journal_room();
  void note_forgotten_ids();
  void note_ring();
  void commit();
  std::optional<Duration> commit_delay() const;
  void on_commit_due() { commit_due_ = true; }
  bool behind() const;
  bool far_behind() const;
  bool drained() const;
  bool has_messages() const;

  const uint32_t index_;
  io::Ring& ring_;
  subscription::SubscriptionTable::Reader& reader_;
  Mailroom& mailroom_;
  const std::span<Counters> all_counters_;
  Counters& counters_;
  const std::span<const subscription::PendingCounts> pending_counts_;
  const SettingsInForce& settings_in_force_;
  const ingest::IdempotencyWindow& window_;
  const journal::CarriedPlaces& places_;

  /// What this shard uses; the dispatcher borrows the policy.
  std::shared_ptr<const LiveSettings> settings_;

  journal::Writer writer_;
  journal::ExtentReader extents_;
  ingest::WriterLog log_;
  ingest::Server server_;
  ingest::Intake intake_;
  delivery::Dispatcher dispatcher_;
  net::HttpClient client_;

  std::vector<size_t> listeners_;  ///< Their numbers, as the server has them.
  std::vector<std::vector<uint32_t>> webhooks_by_shard_;  ///< Of the event in hand.
  std::vector<std::byte> record_;                         ///< The outcome in hand, encoded.
  OutcomeBases bases_;
  struct Wanted {
    journal::Position event;
    journal::Position place;
  };
  std::unordered_map<uint64_t, Wanted> wanted_;    ///< Events that are being read, by ticket.
  std::deque<control::OutcomeRecorded> outcomes_;  ///< Appended, not durable yet.
  io::Timer flush_timer_;
  io::Timer commit_timer_;  ///< While records wait for others to share their write.
  bool commit_due_ = false;
  bool control_wake_due_ = false;
  bool storage_failed_ = false;
  bool segments_delayed_ = false;  ///< Records make do with the room there is.
  bool shortage_noted_ = false;
  std::optional<Instant> forgotten_told_at_;
  bool sealed_ = false;
  bool stopping_ = false;
};

}  // namespace ringpost::shard
