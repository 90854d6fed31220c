#pragma once

#include "base/counters.h"
#include "base/intrusive_list.h"
#include "delivery/connection.h"
#include "delivery/endpoint.h"
#include "delivery/event_stock.h"
#include "delivery/host.h"
#include "delivery/limits.h"
#include "delivery/listened_attempt.h"
#include "delivery/round.h"
#include "delivery/target.h"
#include "io/ring.h"
#include "net/egress_policy.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "subscription/pending_counts.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace ringpost::delivery {

/// A delivery that a former life of the process left open.
struct PendingDelivery {
  Ulid id;
  journal::Position event;
  uint32_t webhook_number = 0;
  uint32_t attempts = 0;       ///< Started before.
  WallTime next_attempt_at{};  ///< Before now: due at once.
  /// Its next attempt may have begun, and left no record.
  bool perhaps_begun = false;
};

/// A pause that a receiver had asked for in a former life of the process.
struct PendingPause {
  subscription::WebhookVersion webhook;
  std::string url;  ///< The webhook's.
  WallTime until{};
};

/// All deliveries of one shard: queues them per webhook, picks fairly, carries them over pooled
/// connections, retries, and writes down what became of them.
///
/// Fairness: organizations with something ready take turns, and within each its webhooks; each pick
/// takes one delivery. What all share (attempts, connections, connects of a turn) has a part that
/// only webhooks in good standing may use, and no organization may take more of it than four times
/// what is left. A webhook has as many attempts in flight as its receiver was seen to take
/// (Window), `concurrency_max` at most; one that fails again and again gets one attempt at a time
/// (Circuit).
class Dispatcher {
 public:
  struct Dependencies {
    io::Ring& ring;
    net::Resolver& resolver;
    const net::EgressPolicy& policy;
    Counters& counters;
    Host& host;
    subscription::PendingCounts& pending_counts;  ///< Of this shard.
    /// The DNS name by which the relay introduces itself to receivers that are asked first.
    std::string origin;
    /// What receivers are verified by whose webhook names no CA; null: the system's roots.
    std::shared_ptr<net::CommonRoots> roots = nullptr;
    /// Nothing: traces are no business of the relay's, which passes on what events say. Else each
    /// attempt is a span of its own (dialect/event_trace.h, sample_ratio).
    std::optional<double> trace_ratio = {};
  };

  Dispatcher(const Dependencies& dependencies, const Limits& limits);
  ~Dispatcher();  // Only when `stopped()`.

  /// What an operator may change while the relay runs.
  struct Settings {
    const net::EgressPolicy& policy;  ///< Borrowed until the next call, or the dispatcher's end.
    const Limits& limits;
    const std::string& origin;
    std::shared_ptr<net::CommonRoots> roots = nullptr;  ///< As Dependencies::roots.
    std::optional<double> trace_ratio = {};             ///< As Dependencies::trace_ratio.
  };
  /// From now on. Attempts under way go on; connections to what is denied now carry no other one.
  /// Receivers that were asked under another origin are asked anew. Not while a handler runs.
  void reconfigure(const Settings& settings);

  /// Queues the delivery of `event` to the webhook. The caller checked `has_room()`.
  /// @param by_hand  a person asked for it: it does not wait for what others wait for.
  void submit(const journal::EventRef& event, uint32_t webhook_number, bool by_hand = false);
  void restore(const PendingDelivery& pending);
  /// At most retry_after_max is left of it: the wall clock may have been set back.
  void restore(const PendingPause& pause);
  /// The event of a delivery that asked for it; empty if its record is damaged or gone.
  void on_payload(uint64_t ticket, const journal::EventRef& event, const Error& error);
  /// The webhook was changed: what it waits for may be over.
  void on_changed(uint32_t webhook_number);
  /// Asks the webhook's receiver for its permission now, if its dialect has to and nobody has: so
  /// that people hear of it before there is an event. Only on the shard that owns its endpoint.
  void enquire(uint32_t webhook_number);
  /// The webhook was deleted or disabled: what is not in flight is cancelled, a part of it each
  /// turn, and what was known of its receiver forgotten.
  void cancel(uint32_t webhook_number);

  // Of webhooks that a program listens for (Webhook::is_listener): nothing begins while it does
  // not.

  /// A program listens for the webhook now, or does not any more: what it was asked is taken back.
  void set_listening(uint32_t webhook_number, bool listening);
  /// The answer to Host::on_listener_request, as it came, or why there is none. One that comes late
  /// is dropped.
  void on_listener_answer(uint64_t ticket, Bytes answer, const std::optional<Error>& error);

  /// Starts what is ready. Once per turn of the loop.
  void turn();
  /// Whether `turn` would start something now: the loop must not sleep.
  bool has_work() const { return !resting_.empty() || may_pick() || may_cancel(); }
  bool has_room() const { return pending_ < limits_.pending_max; }
  uint64_t pending_count() const { return pending_; }
  uint32_t in_flight_count() const { return in_flight_; }

  /// For simulations, between turns: all that is counted adds up. Takes as long as there are
  /// webhooks in use, connections, and deliveries under way.
  void check();

  /// Starts nothing more; what is in flight goes on, and so does cancelling.
  void stop();
  /// Ends both: what is in flight stays pending and is repeated after a restart.
  void abort();
  /// After `stop`: no connection is left, the dispatcher may be destroyed.
  bool stopped() const {
    return stopping_ && connections_.empty() && listened_.empty() &&
           (cancellations_.empty() || aborted_);
  }

  // --- for Connection, ListenedAttempt, Target and Endpoint
  // -------------------------------------------------------

  void on_retry_due(Target& target);
  void on_pace_due(Target& target) { activate(target); }
  void on_probe_due(Endpoint& endpoint) { release(endpoint); }
  void on_start_due();
  /// The attempt's connection stands: whatever becomes of the attempt, its endpoint can be reached.
  void on_connected(Attempt& attempt, Endpoint& endpoint);
  /// The receiver was asked and lets us send. @param interval  between starts, as it says; 0: none.
  /// @param first  when the attempt that asked goes on.
  void on_permission(const Attempt& attempt, Duration interval, Instant first);
  /// The attempt's end. The connection calls it before it goes idle or closes.
  void settle(const Attempt& attempt, const AttemptResult& result);
  /// The receiver answers so: 429 and 503 with a time make the webhook wait. May be called as soon
  /// as the answer's head is here; `settle` does it as well.
  void heed_pause(const Attempt& attempt, uint16_t http_status,
                  std::optional<Duration> retry_after);
  /// The kept connection died before any byte of an answer: the attempt goes on a fresh one.
  void repeat(const Attempt& attempt, Endpoint& endpoint);
  void on_connection_idle(Connection& connection);
  /// `connection.go_on()` at the start of the next `turn`.
  void rest(Connection& connection) { resting_.push_back(connection); }
  /// The endpoint's receiver sent what was no answer to a request: from now on each attempt gets a
  /// new connection.
  void distrust(Endpoint& endpoint);
  /// The endpoint's receiver closes connections that are idle: ours are kept for `idle_max` at
  /// most.
  void limit_idle_time(Endpoint& endpoint, Duration idle_max);
  /// Of the loop: the handlers of a turn of the ring and the `turn` after it have the same.
  uint64_t turn_number() const { return turn_number_; }
  void on_connection_closed(Connection& connection);
  void ask_listener(const Attempt& attempt, const dialect::Request& request, uint64_t ticket);
  void forget_request(const Attempt& attempt, uint64_t ticket);
  void on_listened_over(ListenedAttempt& attempt);

  io::Ring& ring() { return ring_; }
  net::Resolver& resolver() { return resolver_; }
  const net::EgressPolicy& policy() const { return *policy_; }
  Counters& counters() { return counters_; }
  const Limits& limits() const { return limits_; }
  const std::string& origin() const { return origin_; }
  bool stopping() const { return stopping_; }

 private:
  using Deliveries = std::unordered_map<uint64_t, Delivery*>;
  /// What an attempt's end means for its delivery.
  struct Verdict {
    journal::DeliveryStatus status{};
    std::optional<Duration> delay;  ///< Until the next attempt, while it is pending.
  };

  /// What an attempt's end says of its receiver.
  enum class Showing : uint8_t {
    success,
    answered,  ///< It works, and did not want this one.
    too_much,  ///< It works, and said when to come back.
    failure,   ///< It has too much, or does not work.
    nothing,   ///< The cause was elsewhere.
  };

  bool may_pick() const {
    return !stopping_ && !round_.empty() && in_flight_ < in_flight_limit() &&
           host_.has_room_for_attempt(in_flight_);
  }
  Target& target_for(uint32_t webhook_number);
  bool refresh(Target& target);
  Endpoint& endpoint_for(const subscription::Webhook& webhook);
  Standing* standing_for(const subscription::Webhook& webhook, bool asks_first);
  bool may_start(Target& target);
  bool circuits_admit(Target& target);
  bool has_share(const Target& target) const;
  bool find_connection(Target& target);
  void take_place(Delivery& delivery);
  void leave_place(Delivery& delivery);
  void give_up(Delivery& delivery, const Error& error);
  bool overdue(const Target& target, const ReadyQueue::Place& place) const;
  void put_back(Delivery& delivery, bool for_descriptors);
  void hasten(Target& target);
  void limit_pauses();
  bool is_current(const Target& target);
  static Error last_failure_of(const Target& target);
  void tell_of_circuits(Target& target);
  void tell_all_of_circuits(Endpoint& endpoint);
  static Showing showing(const AttemptResult& result);
  void learn(const Attempt& attempt, const AttemptResult& result);
  void learn_of_endpoint(const Attempt& attempt, const AttemptResult& result);
  void release(Endpoint& endpoint);
  void release_held();
  void release_all_held();
  void on_shortage_over();
  void check_deliveries();
  void check_connections();
  Organization& organization_for(std::string_view name);
  void forget(Target& target);
  void count_in(Target& target);
  void count_out(uint64_t organization_key, uint32_t webhook_number,
                 journal::DeliveryStatus status);
  Delivery& take(Target& target, const ReadyQueue::Place& place);
  Delivery& make(Target& target, const Waiting& waiting);
  void make_first(Delivery& delivery);
  void activate(Target& target);
  Endpoint::Learnt& learnt_of(Endpoint& endpoint);
  std::unique_ptr<net::ClientTls> tls_for(const Endpoint& endpoint,
                                          const subscription::Webhook& webhook);
  void keep_tls(Endpoint& endpoint);
  void go_on_with_rested();
  void pick(Target& target);
  void start(Delivery& delivery);
  void note_start(Delivery& delivery, const Attempt& attempt);
  bool start_may_wait(const Delivery& delivery) const;
  void record_start(const Target& target, const Waiting& waiting, WallTime started_at,
                    journal::Urgency urgency);
  void record_first_start();
  std::optional<Error> render(const Attempt& attempt, dialect::Request& request) const;
  void leave_flight(const Attempt& attempt, const AttemptResult& result);
  void count_end(const Delivery& delivery, const AttemptResult& result);
  Verdict judge(const Attempt& attempt, const AttemptResult& result);
  bool retries(const Target& target, const AttemptResult& result) const;
  void record(const Attempt& attempt, const AttemptResult& result, const Verdict& verdict);
  void put_request_body(const dialect::Request& request, journal::OutcomeView& outcome) const;
  void load(Delivery& delivery);
  void wait(Delivery& delivery, Duration delay);
  void wait(Target& target, Waiting waiting, Duration delay);
  uint32_t tick_at(Instant time) const;
  void arm_retry_timer(Target& target);
  void finish(Delivery& delivery, journal::DeliveryStatus status);
  void cancel(Delivery& delivery);
  void cancel_waiting(Target& target);
  bool may_cancel() const;
  void go_on_cancelling();
  void cancel(Cancellation& cancellation, const Waiting& waiting);
  void record_cancelled(uint32_t webhook_number, const Ulid& id, journal::Position event,
                        Withdrawal reason = {});
  bool is_superseded(Target& target, const journal::EventView& event,
                     const Supersession::Pending& delivery);
  void drop_waiting(Target& target, const Supersession::Pending& superseded);
  bool drop_left(Target& target, const ReadyQueue::Place& place);
  void drop(Delivery& superseded);
  void discard(Delivery& enquiry);
  void forget_if_unused(Target& target);
  bool find_event(const ReadyQueue::Place& place);
  bool may_load() const;
  bool has_room_for_bytes(const Target& target, const ReadyQueue::Place& place) const;
  void let_go(Delivery& delivery);
  void open_connection(Endpoint& endpoint, const Attempt& attempt);
  void begin_listened(const Attempt& attempt);
  ListenedAttempt* find_listened(uint64_t ticket);
  void tidy(Endpoint& endpoint);
  void set_limits(const Limits& limits);
  void set_origin(const std::string& origin);
  void set_roots(std::shared_ptr<net::CommonRoots> roots);
  uint32_t in_flight_limit() const { return limits_.attempts_in_flight_max; }

  friend class Connection;
  friend class ListenedAttempt;

  io::Ring& ring_;
  net::Resolver& resolver_;
  Counters& counters_;
  Host& host_;
  subscription::PendingCounts& pending_counts_;

  const net::EgressPolicy* policy_;  ///< Never null.
  Limits limits_;
  std::string origin_;
  std::shared_ptr<net::CommonRoots> roots_;
  std::optional<double> trace_ratio_;
  uint64_t roots_version_ = 0;  ///< Part of the key of endpoints that trust them.

  /// By webhook number; of those with a pace, a permission to ask for or a pause, in use or not.
  std::unordered_map<uint32_t, Standing> standings_;
  std::unordered_map<uint32_t, std::unique_ptr<Target>> targets_;
  std::unordered_map<std::string, std::unique_ptr<Endpoint>> endpoints_;
  std::unordered_map<std::string, std::unique_ptr<Organization>> organizations_;
  std::unordered_map<uint32_t, Conduct> conducts_;  ///< Telling ones of webhooks not in use.
  ActiveRound round_;
  HeldRound held_;  ///< Have something ready and wait for room in what all share.
  std::deque<Cancellation> cancellations_;
  IntrusiveList<Connection, &Connection::member_link> connections_;
  IntrusiveList<Connection, &Connection::idle_link> resting_;
  IntrusiveList<Connection, &Connection::spare_link> spare_;  ///< Idle, least recently used first.
  std::map<std::string, Endpoint::Learnt> learnt_;            ///< By key; outlives the endpoints.
  /// By key, of endpoints that are not in use: tickets, for receivers that close each connection.
  std::unordered_map<std::string, std::unique_ptr<net::ClientTls>> kept_tls_;
  std::unordered_set<uint32_t> listening_;  ///< By webhook number.
  IntrusiveList<ListenedAttempt, &ListenedAttempt::link> listened_;
  Deliveries loading_;  ///< By ticket.
  uint64_t next_ticket_ = 1;
  uint64_t turn_number_ = 0;
  uint64_t pending_ = 0;
  EventStock stock_;
  uint32_t in_flight_ = 0;
  uint64_t bytes_in_flight_ = 0;
  uint32_t connection_count_ = 0;
  uint32_t others_in_flight_ = 0;  ///< Of in_flight_: those not in good standing.
  uint32_t connects_left_ = 0;     ///< This turn.
  /// In flight, and their starts not recorded yet; the first to have begun comes first.
  IntrusiveList<Delivery, &Delivery::ready_link> unrecorded_;
  io::Timer start_timer_;     ///< While `unrecorded_` has any: for its first one.
  Instant first_tick_{};      ///< Of Waiting::due.
  io::Timer shortage_timer_;  ///< While no connection is opened, for want of something here.
  bool stopping_ = false;
  bool aborted_ = false;
};

}  // namespace ringpost::delivery
