#pragma once

#include "base/connection_facts.h"
#include "base/intrusive_list.h"
#include "delivery/target.h"
#include "dialect/renderer.h"
#include "http/response_parser.h"
#include "io/ring.h"
#include "net/resolver.h"
#include "net/stream.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::delivery {

/// One attempt while it is under way.
struct Attempt {
  Delivery* delivery = nullptr;
  Endpoint* endpoint = nullptr;  ///< Where it goes; lives as long as its connections.
  /// Of the webhook as it was when the attempt began. A change while it is under way waits for the
  /// next attempt: this one's connection leads to the previous endpoint, which must see nothing
  /// of what is new, and what it was sent is to be masked as it was made.
  std::shared_ptr<dialect::Renderer> renderer;
  WallTime started_at{};
  Instant started{};
  Instant deadline{};
  bool repeated = false;  ///< A kept connection had died under it: it was moved to a fresh one.
  uint64_t question = 0;  ///< Not 0: the receiver's permission comes first (Standing::question).
  bool trial = false;     ///< The first after a pause (Standing::trial).
  subscription::WebhookVersion webhook;  ///< That it was begun for.
  bool probes_webhook = false;           ///< Of Conduct::circuit.
  bool probes_endpoint = false;          ///< Of Endpoint::circuit; over once it is connected.
};

/// How an attempt ended. Views into the connection, valid during Dispatcher::settle.
struct AttemptResult {
  std::optional<Error> error;  ///< Nothing: a 2xx came.
  bool connected = false;      ///< Its endpoint was reached.
  bool name_unasked = false;   ///< Its time was over before it was its name's turn to be asked for.
  uint16_t http_status = 0;
  bool response_truncated = false;
  BadAnswer response_note{};
  const dialect::Request* request = nullptr;  ///< As sent; null: it was not sent.
  std::string_view response_head;             ///< As OutcomeView::response_head.
  Bytes response_body;
  std::optional<Duration> retry_after;
  TlsSession tls;              ///< As OutcomeView::tls.
  ConnectionFacts connection;  ///< As OutcomeView::connection.

  /// 410: the receiver wants nothing more, ever.
  bool gone() const { return error && http_status == 410; }
};

/// When an attempt took the steps of a connection.
class StepTimes {
 public:
  enum class Step : uint8_t { resolve, connect, handshake, open, ask, answer };

  void clear() { times_.fill(never); }
  void set(Step step, Instant time) { times_[index(step)] = time; }
  void unset(Step step) { set(step, never); }
  /// Keeps the first.
  void set_once(Step step, Instant time) {
    if (times_[index(step)] == never) set(step, time);
  }
  /// @param end  of the attempt, and of the step that it ended in.
  AttemptTimings timings(Instant end) const;

 private:
  static constexpr Instant never = Instant::min();
  static constexpr size_t index(Step step) { return static_cast<size_t>(step); }
  /// From one step to the first of those that may follow it.
  std::optional<Duration> between(Step step, Step next, Instant end) const;

  std::array<Instant, 6> times_ = {never, never, never, never, never, never};
};

/// One connection to an endpoint and the attempt it carries.
///
/// resolve ─> connect (and handshake) ─> (listen ─>) (ask ─>) exchange ─> (early ─>) idle … ─>
/// closing
///                                                     └─────── resting <── begin ──┘
/// A receiver that speaks before it is asked does not read what it answers, so the first
/// connections of an endpoint begin with a moment of silence (`listen`).
/// Two requests on one connection never share a turn of the ring: between them the ring has looked
/// for bytes that nobody asked for (`resting`). A 2xx that came before the receiver had the whole
/// request counts once it has (`early`). Any step may fail: the attempt is settled, the connection
/// closes. The attempt's deadline runs over all steps together; where the dialect has a
/// `connect_time`, connecting may take that and what follows the rest of the attempt's time,
/// however soon the connection stood.
class Connection final : public net::StreamOwner {
 public:
  enum class Step : uint8_t {
    fresh,
    resolve,
    connect,
    listen,
    idle,
    resting,  ///< Carries an attempt, which goes on with the next turn.
    ask,
    exchange,
    early,
    closing,
  };

  Connection(Dispatcher& dispatcher, Endpoint& endpoint);
  ~Connection() override = default;

  /// Carries `attempt`: over a new connection from `fresh`, over the kept one from `idle`.
  void begin(const Attempt& attempt);
  /// Closes an idle connection (it may be in use nowhere else).
  void retire();
  /// A turn has passed: the attempt that it rests with goes on.
  void go_on();
  /// The endpoint's receivers keep to one answer a request: this one may be used again.
  void become_usable();
  /// The egress policy is another one: what it denies now carries no further attempt.
  void judge_again();
  /// The relay stops, and nothing but the question (`ask`) was sent: the attempt is put back.
  void stop_asking();
  /// Ends whatever goes on without settling: the relay stops.
  void abort();

  Step step() const { return step_; }
  Endpoint& endpoint() { return endpoint_; }

  ListLink idle_link;    ///< In a list of its endpoint's, or among those that rest.
  ListLink spare_link;   ///< Among all that are idle, least recently used first.
  ListLink member_link;  ///< In the dispatcher's list of all connections.

 private:
  void allow(Duration time);
  Duration connect_time() const;
  Duration answer_time() const;
  void resolve();
  void on_resolved();
  bool allowed(const io::Address& address) const;
  void connect_next();
  void on_stream_connected() override;
  void on_stream_open() override;
  void listen();
  void on_spoken();
  void on_unasked();
  void on_heard_nothing();
  void rest();
  void proceed();
  void proceed_again();
  void ask();
  void on_permission_answer();
  void on_silent_question();
  void exchange();
  void on_stream_bytes(Bytes bytes) override;
  void heed_head();
  std::optional<Duration> retry_after() const;
  void on_surplus();
  void on_stream_sent() override;
  void on_stream_end(std::optional<Error> error) override;
  void on_exchange_end(const std::optional<Error>& error);
  bool known_untaken(const std::optional<Error>& error) const;
  bool request_taken() const;
  bool answers_nothing() const;
  bool success() const { return parser_.status() >= 200 && parser_.status() < 300; }
  void on_answer(bool stream_over);
  void finish();
  void fail_early();
  BadAnswer note() const;
  void keep();
  void on_silent();
  void on_request_due();
  void learn_idle_time(Duration idle);
  Error late() const;
  void on_deadline();
  void on_idle_too_long();
  void move_to_fresh();
  bool exchanging() const { return step_ == Step::ask || step_ == Step::exchange; }
  bool asked() const { return exchanging() || step_ == Step::early; }
  ConnectionFacts facts() const;
  void settle(std::optional<Error> error);
  void close(bool graceful);
  void on_stream_closed() override;

  Dispatcher& dispatcher_;
  Endpoint& endpoint_;
  net::Stream stream_;
  http::ResponseParser parser_;
  net::Query query_;
  std::vector<io::Address> addresses_;  ///< Allowed ones that were not tried yet, last first.
  dialect::Request request_;
  Attempt attempt_;
  StepTimes times_;      ///< Of the attempt.
  io::Timer timer_;      ///< The attempt's deadline, or the end of idleness.
  Instant time_over_{};  ///< Of the attempt, as `allow` decided.
  Instant kept_at_{};    ///< Since when it was idle last.
  uint64_t kept_in_turn_ = 0;
  Step step_ = Step::fresh;
  bool denied_ = false;        ///< The policy changed against its address: not to be kept.
  bool reused_ = false;        ///< This exchange is not the connection's first.
  bool heeded_ = false;        ///< What the answer's head asks of later attempts was passed on.
  bool early_ = false;         ///< The answer came before the receiver had the whole request.
  bool unasked_ = false;       ///< It was written before a byte of the request had arrived.
  bool stream_begun_ = false;  ///< Then the stream's close has to be waited for.
};

}  // namespace ringpost::delivery
