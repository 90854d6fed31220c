#pragma once

#include "base/counters.h"
#include "base/prng.h"
#include "control/api/api.h"
#include "control/api/authenticate.h"
#include "control/api/session.h"
#include "control/api/sources.h"
#include "control/api/tokens.h"
#include "control/api/users.h"
#include "control/audit.h"
#include "control/carrier.h"
#include "control/dead_letter_log.h"
#include "control/durability.h"
#include "control/forward.h"
#include "control/gap_filler.h"
#include "control/git_links.h"
#include "control/git_source_registry.h"
#include "control/host_talk.h"
#include "control/journal_access.h"
#include "control/late_answers.h"
#include "control/listeners.h"
#include "control/login.h"
#include "control/management_desk.h"
#include "control/memory_limits.h"
#include "control/messages.h"
#include "control/outgoing_calls.h"
#include "control/password_checks.h"
#include "control/password_gate.h"
#include "control/pending_table.h"
#include "control/pending_tally.h"
#include "control/publisher.h"
#include "control/rate_limiter.h"
#include "control/registrations.h"
#include "control/reload.h"
#include "control/replays.h"
#include "control/retention.h"
#include "control/segment_ledger.h"
#include "control/streams.h"
#include "control/token_registry.h"
#include "control/tracing.h"
#include "control/user_registry.h"
#include "control/visible_history.h"
#include "control/webhook_registry.h"
#include "index/index.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace ringpost::dialect {
class Dialect;
}

namespace ringpost::control {

class Store;

/// What the control thread does: everything that may block on the disk or is asked over an API. It
/// owns what the management API shows, and answers the shards' messages. Knows no thread and no
/// mailbox, so that a simulation can drive it.
///
/// Life: construct; `load`; feed the recovery to `recovered()`; `finish_recovery`,
/// `take_recovered`; then `handle`, `flush` and `step` from one thread, for as long as the shards
/// run.
class Control {
 public:
  /// What may change while it runs.
  struct Settings {
    Retention::Options retention;
    /// Scheme and authority under which clients reach the relay; empty: as each request says.
    std::string public_url;
    std::vector<LoginUser> users;          ///< Who may log in with a password.
    std::vector<std::string> webhook_ips;  ///< As Call::webhook_ips.
    MemoryLimits limits;                   ///< For `GET /v1/status`.
    MetricSettings metrics;
    StreamLimits streams;
    std::vector<ConfigValue> configuration;  ///< For `GET /v1/admin/config`.
    GapSettings gaps;
    ForwardSettings forward;
    TracingSettings tracing;
  };

  struct Options {
    WebhookChecks checks;
    Settings settings;
    io::Engine engine = io::Engine::io_uring;  ///< What the shards run on.
    std::string engine_reason;                 ///< As StatusFacts has it.
    Reload reload;  ///< It calls `reconfigure`. Empty: there is nothing to read again.
    std::function<void()> reload_done;  ///< As Reloads' `done`.
    uint64_t prng_seed = 0;
  };

  /// What it uses; all outlive it.
  struct Parts {
    Store& store;
    subscription::SubscriptionTable& table;
    JournalAccess& journals;
    /// The history: of the control thread only. With the parts of all segments when it starts.
    index::Index& history;
    Post& post;
    journal::CarriedPlaces& places;         ///< Kept up to date for the shards.
    std::vector<const Counters*> counters;  ///< One for each shard.
    /// Null: passwords are checked at once, and everything else waits.
    PasswordChecks* passwords = nullptr;
    /// Null: the store's changes are durable when it returns from them.
    StoreSyncs* syncs = nullptr;
    /// Of all shards; may be empty: then no webhook has metrics of its own.
    std::span<const subscription::PendingCounts> pending_counts{};
    /// May be empty: then there are no metrics of the process.
    MachineSource machine{};
    /// Empty: no event is known.
    IsKnown is_known{};
  };

  Control(const Parts& parts, const Options& options);

  /// Reads webhooks and tokens from the store, publishes them. Before the shards start.
  Result<void> load();
  PendingTable& recovered() { return *recovered_; }
  /// All journals have been read, and JournalAccess has taken charge of their segments.
  Result<void> finish_recovery();
  /// What is to be done, once: the caller's from now on.
  std::unique_ptr<PendingTable> take_recovered() { return std::move(recovered_); }

  /// @param damages  places of the journals that the start could not read.
  void note_damages(uint64_t damages) { journal_damages_ = damages; }

  /// A turn begins. @param queued_messages  from shards, that wait to be handled.
  void note_queue(uint64_t queued_messages) { queued_messages_ = queued_messages; }

  /// @param shard     whose message it is.
  /// @param wall_now  for records and answers; @param now  for uptime.
  void handle(uint32_t shard, ToControl&& message, WallTime wall_now, Instant now);
  /// Answers the call that waits for it.
  void on_password_checked(const PasswordChecked& checked, WallTime wall_now, Instant now);
  /// Answers and publishes what waits for it.
  void on_store_synced(const StoreSynced& synced, WallTime wall_now, Instant now);
  /// Uses these settings from now on.
  void reconfigure(Settings settings);
  /// Reads the configuration again, as `POST /v1/admin/reload` does; the log tells what became of
  /// it.
  void reload(WallTime wall_now) { reloads_.run(wall_now); }
  /// Call when no more messages wait: makes durable what they changed, and publishes it, all of it
  /// at once, as soon as it is.
  void flush();

  /// Housekeeping: prepares segments, removes old ones, frees old snapshots; one bounded piece.
  /// @returns whether more is waiting to be done now.
  bool step(WallTime wall_now, Instant now);
  /// For simulations, between turns: what is counted adds up.
  void check() const { pending_.check(); }
  /// When `step` is wanted next without a message before; nothing: not before the next message.
  std::optional<Instant> next_due() const { return next_due_; }

 private:
  struct Storing {
    uint32_t shard = 0;
    ApiReply reply;
    const dialect::Dialect* api = nullptr;  ///< Whose refusals it gets; null: the native API's.
  };

  /// An answer that is ready.
  struct Reply {
    uint32_t shard = 0;
    ApiReply reply;
    Answer::When when = Answer::When::now;
    Outgoing outgoing;
  };

  /// A call that may change something while nothing may be changed.
  struct Waiting {
    uint32_t shard = 0;
    ApiRequest request;
    std::optional<PasswordVerdict> verdict;
  };

  /// Why a webhook is to be stopped.
  struct Stop {
    subscription::WebhookVersion webhook;
    subscription::WebhookState state{};
    std::string reason;
  };

  /// A call while its password is worked on.
  struct Verifying {
    uint32_t shard = 0;
    ApiRequest request;
    std::string text;  ///< The hash that the password is held against.
  };

  void on(uint32_t shard, ApiRequest&& message);
  void respond(uint32_t shard, ApiRequest&& message, const PasswordVerdict* verdict);
  void send(Reply&& ready);
  void send_or_hold(Reply&& ready, bool changing);
  void send_late_answers();
  void open_stream(uint32_t shard, http::RequestHandle handle, http::Response& head);
  void publish();
  void go_on_changing();
  std::optional<PasswordVerdict> work(PasswordWanted&& wanted);
  void on(uint32_t shard, EventAccepted&& message);
  void on(uint32_t shard, OutcomeRecorded&& message);
  void on(uint32_t shard, EndpointGone&& message);
  void on(uint32_t shard, ReceiverPaused&& message);
  void on(uint32_t shard, CircuitChanged&& message);
  void on(uint32_t shard, PermissionAsked&& message);
  void on(uint32_t shard, SegmentWanted&& message);
  void on(uint32_t shard, SegmentSealed&& message);
  void on(uint32_t shard, SnapshotSeen&& message);
  void on(uint32_t shard, SettingsSeen&& message);
  void on(uint32_t shard, StoreEventDone&& message);
  void on(uint32_t shard, StorageFailed&& message);
  void on(uint32_t shard, StreamTaken&& message);
  void on(uint32_t shard, StreamGone&& message);
  void on(uint32_t shard, CallAnswered&& message);
  void on(uint32_t shard, std::unique_ptr<ListenerRequest>&& message);
  void on(uint32_t shard, ListenerRequestOver&& message);
  void on(uint32_t shard, std::unique_ptr<AttemptTraced>&& message);
  void on(uint32_t, std::monostate&&) {}

  Answer answer(uint32_t shard, const ApiRequest& message, const PasswordVerdict* verdict,
                Outgoing& outgoing);
  std::variant<Answer, std::optional<subscription::Token>> let_in(const ApiRequest& message,
                                                                  const dialect::Dialect* dialect,
                                                                  const api::Route& route);
  std::variant<Answer, std::optional<subscription::Token>> let_in_session(const ApiRequest& message,
                                                                          std::string_view key,
                                                                          const api::Route& route);
  Call call_of(const ApiRequest& message, const api::Match& match,
               const subscription::Token* token) const;
  Answer run(const dialect::Dialect& dialect, const api::Route& route, const Call& call);
  Answer run(Operation operation, const Call& call);
  Answer run_session(Operation operation, const Call& call);
  void use(const Settings& settings);
  Answer create_listener(const Call& call);
  void remove_listeners();
  void ping_changed(const Call& call, const Change& change);
  StatusFacts status_facts() const;
  MetricSources metric_sources(const StatusFacts& facts) const;
  void send_outgoing(uint32_t shard, ApiReply reply, Outgoing outgoing);
  void provide_segments();
  void tell_of_delay();
  bool tidy_store(std::optional<WallTime> trusted, WallTime wall_now, Instant now);
  void set_next_due(bool reclaimed);
  bool tidy_tokens(WallTime wall_now);
  void judge(const OutcomeRecorded& outcome);
  void stop_webhook(const subscription::Webhook& webhook, subscription::WebhookState state,
                    std::string reason);
  void begin(Instant now);

  Store& store_;
  subscription::SubscriptionTable& table_;
  JournalAccess& journals_;
  index::Index& history_;
  Post& post_;
  PasswordChecks* const passwords_;
  const std::vector<const Counters*> counters_;
  const std::span<const subscription::PendingCounts> pending_counts_;
  const MachineSource machine_;
  const WebhookChecks checks_;
  Settings settings_;
  const io::Engine engine_;
  const std::string engine_reason_;

  Prng random_;
  Counters own_counters_;
  WebhookRegistry registry_;
  TokenRegistry tokens_;
  UserRegistry users_;
  GitSourceRegistry git_sources_;
  GitLinks git_links_;
  Audit audit_;
  Authenticator authenticator_;
  Publisher publisher_;
  Durability durability_;
  SegmentLedger ledger_;
  std::unique_ptr<PendingTable> recovered_;  ///< At the start.
  PendingTally pending_;
  VisibleHistory visible_history_;
  Carrier carrier_;
  Retention retention_;
  PasswordGate password_gate_;
  Login login_;
  Registrations registrations_;
  GapFiller gap_filler_;
  ManagementDesk desk_;
  WebhookApi webhook_api_;
  DeliveryApi delivery_api_;
  TotalsApi totals_api_;
  EventApi event_api_;
  Replays replays_;
  ReplayApi replay_api_;
  TokenApi token_api_;
  SourceApi source_api_;
  SessionApi session_api_;
  UserApi user_api_;
  Streams streams_;
  Listeners listeners_;
  OutgoingCalls calls_;
  Forward forward_;
  Tracing tracing_;
  LateAnswers late_answers_;
  Reloads reloads_;
  WallClockTrust wall_clock_;
  RateLimiter rate_limiter_;

  WallTime wall_now_{};
  Instant now_{};
  std::optional<Instant> started_at_;
  std::optional<Instant> next_due_ = Instant{};        // The first step is due at once.
  std::unordered_map<uint64_t, Storing> storing_;      // By ticket.
  std::unordered_map<uint64_t, Verifying> verifying_;  // By ticket.
  std::vector<Reply> unsaved_;                         // To changes that are not durable yet.
  std::vector<Waiting> waiting_;                       // For the end of a sync; so are these:
  std::vector<Stop> stops_;
  uint64_t next_ticket_ = 1;
  uint64_t journal_damages_ = 0;
  uint64_t queued_messages_ = 0;  // When this turn began.
  std::optional<Error> storage_failure_;
  std::optional<LastFailure> last_failure_;
  DeadLetterLog dead_letters_;
  bool segments_delayed_ = false;
};

/// Makes the first token if the store has none: scope admin, of the organization `default`.
/// @param keep  writes down its text, which is nowhere else (the store keeps the hash); asked
///              before the store takes the token, so that a crash in between locks nobody out.
/// @returns the text; nothing if there are tokens; Errc::io_failed if `keep` answers false.
Result<std::optional<std::string>> mint_admin_token(
    Store& store, WallTime now, Prng& random, const std::function<bool(const std::string&)>& keep);
/// Makes one more such token, and notes it in the audit log: for operators who lost theirs. The
/// store is nobody else's meanwhile. @param keep  as for `mint_admin_token`.
Result<std::string> add_admin_token(Store& store, WallTime now, Prng& random,
                                    const std::string& name,
                                    const std::function<bool(const std::string&)>& keep);

}  // namespace ringpost::control
