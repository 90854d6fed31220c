#include "delivery/connection.h"

#include "delivery/dispatcher.h"
#include "delivery/retry.h"
#include "dialect/dialect.h"
#include "http/syntax.h"

#include <algorithm>
#include <utility>

namespace ringpost::delivery {
namespace {

/// Idle connections are many, and their next request may be much smaller.
constexpr size_t request_bytes_kept_max = 4096;

/// What TCP sends at once on a fresh connection (RFC 6928): of a request no larger, no receiver
/// answers one part while another is held back, and the kernel takes all of it or nothing.
constexpr size_t flight_bytes = 14'000;
/// How often a request that was answered early is looked after.
constexpr Duration early_pause = std::chrono::milliseconds{20};
/// A receiver that closes connections sooner than this is taken for one that restarts.
constexpr Duration idle_learnt_min = std::chrono::seconds{1};

}  // namespace

std::optional<Duration> StepTimes::between(Step step, Step next, Instant end) const {
  const Instant begun = times_[index(step)];
  if (begun == never) return std::nullopt;
  for (size_t after = index(next); after < times_.size(); ++after) {
    if (times_[after] != never) return times_[after] - begun;
  }
  return end - begun;
}

AttemptTimings StepTimes::timings(Instant end) const {
  return {.name = between(Step::resolve, Step::connect, end),
          .connect = between(Step::connect, Step::handshake, end),
          .tls = between(Step::handshake, Step::open, end),
          .first_byte = between(Step::ask, Step::answer, end)};
}

Connection::Connection(Dispatcher& dispatcher, Endpoint& endpoint)
    : dispatcher_(dispatcher),
      endpoint_(endpoint),
      stream_(dispatcher.ring(), *this, io::ReceiveGroup::reply),
      parser_(http::ResponseLimits{.body_bytes_max = dispatcher.limits().response_body_bytes_max}) {
}

void Connection::begin(const Attempt& attempt) {
  RINGPOST_ASSERT(step_ == Step::fresh || step_ == Step::idle);
  attempt_ = attempt;
  times_.clear();
  if (step_ == Step::fresh) {
    allow(connect_time());
    return resolve();
  }
  allow(answer_time());
  idle_link.unlink();
  spare_link.unlink();
  if (kept_in_turn_ == dispatcher_.turn_number()) return rest();
  proceed_again();
}

/// What the receiver may have sent behind its answer shows by the next turn.
void Connection::rest() {
  step_ = Step::resting;
  dispatcher_.rest(*this);
}

void Connection::go_on() {
  if (kept_in_turn_ == dispatcher_.turn_number()) return rest();
  if (endpoint_.distrusted || !stream_.open()) return move_to_fresh();
  proceed_again();
}

void Connection::proceed_again() {
  reused_ = true;
  dispatcher_.counters().add(Counter::connections_reused);
  proceed();
}

/// Ends the attempt after `time`, and at its deadline in any case.
void Connection::allow(Duration time) {
  const Instant now = dispatcher_.ring().now();
  time_over_ = now + std::min(attempt_.deadline - now, time);
  dispatcher_.ring().arm<&Connection::on_deadline>(*this, timer_, time_over_ - now);
}

Duration Connection::connect_time() const {
  const Duration whole = attempt_.deadline - attempt_.started;
  const Duration connect = attempt_.delivery->target->dialect->connect_time();
  return connect > Duration::zero() ? std::min(connect, whole) : whole;
}

Duration Connection::answer_time() const {
  const Duration whole = attempt_.deadline - attempt_.started;
  const Duration connect = connect_time();
  return connect < whole ? whole - connect : whole;
}

// --- resolve -------------------------------------------------------------------------------------

void Connection::resolve() {
  step_ = Step::resolve;
  const bool is_name = !io::Address::parse_ip(endpoint_.host, endpoint_.port);
  if (is_name) times_.set(StepTimes::Step::resolve, dispatcher_.ring().now());
  dispatcher_.resolver().resolve<&Connection::on_resolved>(
      *this, query_, endpoint_.host, attempt_.delivery->target->organization->key);
}

bool Connection::allowed(const io::Address& address) const {
  const net::EgressPolicy& policy = dispatcher_.policy();
  return policy.allows(address, endpoint_.tls_wanted) &&
         !policy.leads_back(endpoint_.host, endpoint_.port);
}

void Connection::on_resolved() {
  RINGPOST_ASSERT(step_ == Step::resolve);
  if (query_.error) {
    settle(query_.error);
    return close(false);
  }
  // Rule 8: the address that was checked is the address that is connected, under today's policy.
  for (io::Address& address : query_.addresses) {
    address.port = endpoint_.port;
    if (allowed(address)) addresses_.push_back(address);
  }
  std::ranges::reverse(addresses_);
  if (addresses_.empty()) {
    settle(Error{Errc::destination_denied, Side::operator_});
    return close(false);
  }
  connect_next();
}

// --- connect -------------------------------------------------------------------------------------

void Connection::connect_next() {
  step_ = Step::connect;
  denied_ = false;
  if (endpoint_.tls_wanted && endpoint_.tls == nullptr) {
    settle(Error{Errc::certificate_invalid, Side::operator_});  // The webhook's CA is unreadable.
    return close(false);
  }
  // Judged once more: the address before took its time, and the policy may be another one now.
  while (!addresses_.empty() && !allowed(addresses_.back())) addresses_.pop_back();
  if (addresses_.empty()) {
    settle(Error{Errc::destination_denied, Side::operator_});
    return close(false);
  }
  const io::Address address = addresses_.back();
  addresses_.pop_back();
  stream_begun_ = true;
  times_.set_once(StepTimes::Step::connect, dispatcher_.ring().now());
  times_.unset(StepTimes::Step::handshake);  // With the address before.
  dispatcher_.counters().add(Counter::connections_opened);
  stream_.connect(address, endpoint_.tls.get(), endpoint_.host);
}

void Connection::on_stream_connected() {
  if (endpoint_.tls != nullptr) times_.set(StepTimes::Step::handshake, dispatcher_.ring().now());
}

void Connection::on_stream_open() {
  if (step_ != Step::connect) return;
  addresses_.clear();
  times_.set(StepTimes::Step::open, dispatcher_.ring().now());
  dispatcher_.on_connected(attempt_, endpoint_);
  if (endpoint_.tls != nullptr) {
    dispatcher_.counters().add(Counter::tls_handshakes);
    if (stream_.tls_session().resumed) dispatcher_.counters().add(Counter::tls_resumptions);
  }
  allow(answer_time());
  endpoint_.proved_patient && !endpoint_.distrusted ? proceed() : listen();
}

// --- listen --------------------------------------------------------------------------------------

void Connection::listen() {
  step_ = Step::listen;
  const Duration left = time_over_ - dispatcher_.ring().now();
  const Duration time = std::min(left, dispatcher_.limits().listen_time);
  dispatcher_.ring().arm<&Connection::on_heard_nothing>(*this, timer_, time);
}

void Connection::on_heard_nothing() {
  endpoint_.proved_patient = true;
  const Duration left = time_over_ - dispatcher_.ring().now();
  dispatcher_.ring().arm<&Connection::on_deadline>(*this, timer_, left);
  proceed();
}

/// Bytes came before the request.
void Connection::on_spoken() {
  early_ = heeded_ = false;
  parser_.reset();
  request_.clear();
  const Duration left = time_over_ - dispatcher_.ring().now();
  dispatcher_.ring().arm<&Connection::on_deadline>(*this, timer_, left);
  on_unasked();
}

/// What came belongs to no request. It is read like an answer all the same: it may say why there is
/// none to be had (503).
void Connection::on_unasked() {
  unasked_ = true;
  dispatcher_.distrust(endpoint_);
  step_ = Step::exchange;
}

// --- ask -----------------------------------------------------------------------------------------

/// The attempt's next request.
void Connection::proceed() {
  attempt_.question != 0 ? ask() : exchange();
}

/// Asks for permission (CloudEvents' HTTP webhook binding, 4): on this connection, within the same
/// attempt and deadline.
void Connection::ask() {
  parser_.reset();
  request_.clear();
  attempt_.renderer->render_question(dispatcher_.origin(), request_.head);
  step_ = Step::ask;
  times_.set(StepTimes::Step::ask, dispatcher_.ring().now());
  stream_.send(as_bytes(request_.head));
}

namespace {

/// The pause between starts that `WebHook-Allowed-Rate` asks for: requests in a minute, or `*` or
/// nothing for no limit. @returns nothing if it is none of these.
std::optional<Duration> allowed_interval(std::string_view rate) {
  if (rate.empty() || rate == "*") return Duration::zero();
  const auto number = http::parse_decimal(rate);
  if (!number || *number == 0) return std::nullopt;
  const auto per_minute = static_cast<int64_t>(std::min<uint64_t>(*number, 1'000'000'000));
  return Duration{std::chrono::minutes{1}} / per_minute;
}

}  // namespace

void Connection::on_permission_answer() {
  const std::string_view allowed = parser_.header("webhook-allowed-origin");
  const auto interval = allowed_interval(parser_.header("webhook-allowed-rate"));
  const bool granted = success() && interval &&
                       (allowed == "*" || http::equal_ignoring_case(allowed, dispatcher_.origin()));
  if (!granted) {
    settle(Error{Errc::origin_refused, Side::endpoint, parser_.status()});
    if (parser_.reusable()) return keep();
    return close(parser_.complete());
  }
  const bool proved = endpoint_.proved_silent;
  const Duration silence = proved ? Duration::zero() : dispatcher_.limits().silence_time;
  dispatcher_.on_permission(attempt_, *interval, dispatcher_.ring().now() + silence);
  attempt_.question = 0;
  if (parser_.surplus()) dispatcher_.distrust(endpoint_);
  if (!parser_.reusable() || !stream_.open()) return move_to_fresh();
  kept_in_turn_ = dispatcher_.turn_number();
  if (proved) return rest();
  step_ = Step::resting;
  const Duration left = time_over_ - dispatcher_.ring().now();
  dispatcher_.ring().arm<&Connection::on_silent_question>(*this, timer_, std::min(left, silence));
}

void Connection::on_silent_question() {
  endpoint_.proved_silent = true;
  const Duration left = time_over_ - dispatcher_.ring().now();
  dispatcher_.ring().arm<&Connection::on_deadline>(*this, timer_, left);
  go_on();
}

/// This connection is at its end; the attempt is not.
void Connection::move_to_fresh() {
  const Attempt attempt = std::exchange(attempt_, {});
  close(false);
  dispatcher_.repeat(attempt, endpoint_);
}

// --- exchange ------------------------------------------------------------------------------------

void Connection::exchange() {
  early_ = heeded_ = false;
  parser_.reset();
  request_.clear();
  if (const auto error = dispatcher_.render(attempt_, request_)) {
    settle(error);
    return keep();  // Nothing was sent: the connection is as good as before.
  }
  step_ = Step::exchange;
  times_.set(StepTimes::Step::ask, dispatcher_.ring().now());
  times_.unset(StepTimes::Step::answer);  // To a question that came before it.
  stream_.send(as_bytes(request_.head), request_.body);
}

void Connection::on_stream_bytes(Bytes bytes) {
  if (step_ == Step::listen) on_spoken();
  if (!exchanging()) return on_surplus();
  times_.set_once(StepTimes::Step::answer, dispatcher_.ring().now());
  if (!parser_.begun() && answers_nothing()) on_unasked();
  const auto progress = parser_.feed(bytes);
  if (progress == http::ResponseParser::Progress::need_more) return heed_head();
  if (progress == http::ResponseParser::Progress::failed) {
    settle(parser_.error());
    return close(false);
  }
  step_ == Step::ask ? on_permission_answer() : on_answer(false);
}

/// What the head asks of later attempts counts at once: a body may be long in coming.
void Connection::heed_head() {
  if (step_ != Step::exchange || parser_.status() == 0 || std::exchange(heeded_, true)) return;
  dispatcher_.heed_pause(attempt_, parser_.status(), retry_after());
}

std::optional<Duration> Connection::retry_after() const {
  return parse_retry_after(parser_.header("retry-after"), dispatcher_.ring().wall_now());
}

/// An answer that nobody asked for: whatever comes next could not be told from it.
void Connection::on_surplus() {
  if (step_ == Step::resting) {
    move_to_fresh();
  } else if (step_ == Step::idle) {
    close(false);
  } else if (step_ != Step::early) {
    return;
  }
  dispatcher_.distrust(endpoint_);
}

void Connection::on_stream_sent() {
  if (step_ == Step::early && request_taken()) finish();
}

void Connection::on_stream_end(std::optional<Error> error) {
  switch (step_) {
    case Step::connect:
      // Another address may do better, as long as this one was not reached at all.
      if (!addresses_.empty() && error && !stream_.open()) return stream_.close(false);
      settle(error.value_or(Error{Errc::closed, Side::endpoint}));
      return close(false);
    case Step::listen:
      settle(error.value_or(Error{Errc::closed, Side::endpoint}));
      return close(false);
    case Step::ask:
    case Step::exchange: return on_exchange_end(error);
    case Step::early:
      if (request_taken()) return finish();
      if (error) fail_early();  // Else it may read on; we can still send.
      return;
    case Step::idle: learn_idle_time(dispatcher_.ring().now() - kept_at_); return close(true);
    case Step::resting: return move_to_fresh();
    case Step::fresh:
    case Step::resolve:
    case Step::closing: return;
  }
}

void Connection::on_exchange_end(const std::optional<Error>& error) {
  const bool may_repeat = reused_ && !attempt_.repeated && !parser_.begun();
  if (may_repeat && (step_ == Step::ask || known_untaken(error))) {
    learn_idle_time(attempt_.started - kept_at_);
    attempt_.repeated = true;
    return move_to_fresh();
  }
  if (!parser_.on_end(error)) {
    settle(parser_.error());
    return close(false);
  }
  step_ == Step::ask ? on_permission_answer() : on_answer(error.has_value());
}

/// RFC 9110, 9.2.2: a POST is repeated without being asked to only where it is known that it was
/// not taken. Some of it never left, or the receiver had ended its stream before it had all of it.
/// Where the connection was reset the receiver may have read everything and not acknowledged it
/// yet.
bool Connection::known_untaken(const std::optional<Error>& error) const {
  const bool in_order = !error || error->code == Errc::closed;
  return stream_.unsent() || (in_order && stream_.unacknowledged_bytes() > 0);
}

/// Whether the receiver's system has the whole request.
bool Connection::request_taken() const {
  if (stream_.unsent()) return false;
  return request_.head.size() + request_.body.size() <= flight_bytes ||
         stream_.unacknowledged_bytes() == 0;
}

/// Whether what comes now was written before the receiver's system had a byte of the request: each
/// of its segments acknowledges all that had arrived when it was sent (RFC 9293, 3.4). A kept
/// connection is seen to be silent before each request, and is not asked again.
bool Connection::answers_nothing() const {
  if (unasked_ || reused_) return false;
  const size_t request_bytes = request_.head.size() + request_.body.size();
  if (stream_.unsent()) return request_bytes <= flight_bytes;
  return stream_.unacknowledged_bytes() >= request_bytes;
}

/// The final answer's head is here, whatever became of its body.
/// @param stream_over  nothing more can be sent.
void Connection::on_answer(bool stream_over) {
  early_ = unasked_ || !request_taken();
  if (early_ || parser_.surplus()) dispatcher_.distrust(endpoint_);
  if (!early_ || !success()) return finish();
  if (unasked_) return fail_early();
  step_ = Step::early;
  stream_over ? fail_early() : on_request_due();
}

/// A 2xx is no success before the receiver has the request: it is watched until it has.
void Connection::on_request_due() {
  if (request_taken()) return finish();
  const Duration left = time_over_ - dispatcher_.ring().now();
  if (left <= Duration::zero()) return fail_early();
  dispatcher_.ring().arm<&Connection::on_request_due>(*this, timer_, std::min(left, early_pause));
}

void Connection::fail_early() {
  settle(Error{Errc::closed, Side::endpoint, static_cast<int32_t>(BadAnswer::early)});
  close(false);
}

void Connection::finish() {
  const bool good = parser_.reusable() && !early_;
  const bool in_order = parser_.complete() && !stream_.unsent();
  if (success()) {
    settle(std::nullopt);
  } else {
    settle(Error{Errc::bad_status, Side::endpoint, parser_.status()});
  }
  good ? keep() : close(in_order);
}

BadAnswer Connection::note() const {
  if (early_) return BadAnswer::early;
  if (const auto fault = parser_.fault()) return *fault;
  return endpoint_.distrusted ? BadAnswer::distrusted : BadAnswer{};
}

void Connection::keep() {
  if (!stream_.open() || dispatcher_.stopping() || denied_ || endpoint_.distrusted) {
    return close(true);
  }
  step_ = Step::idle;
  kept_at_ = dispatcher_.ring().now();
  kept_in_turn_ = dispatcher_.turn_number();
  if (const auto seconds = parser_.keep_alive_timeout_s()) {
    // Ours ends first, so that a request is rarely sent into a closing connection.
    const Duration theirs = std::chrono::seconds{*seconds > 5 ? *seconds - 4 : 1};
    endpoint_.idle_max = std::min(endpoint_.idle_max, theirs);
  }
  parser_.reset();
  if (request_.head.capacity() + request_.made_body.capacity() > request_bytes_kept_max) {
    request_ = {};
  }
  if (endpoint_.proved_silent) return become_usable();
  endpoint_.proving.push_back(*this);
  dispatcher_.ring().arm<&Connection::on_silent>(*this, timer_, dispatcher_.limits().silence_time);
}

void Connection::on_silent() {
  endpoint_.proved_silent = true;
  become_usable();
  while (!endpoint_.proving.empty()) endpoint_.proving.front().become_usable();
}

void Connection::become_usable() {
  RINGPOST_ASSERT(step_ == Step::idle);
  idle_link.unlink();
  dispatcher_.ring().arm<&Connection::on_idle_too_long>(*this, timer_, endpoint_.idle_max);
  endpoint_.idle.push_front(*this);
  dispatcher_.on_connection_idle(*this);
}

/// The receiver closed the connection after `idle`: the next ones are closed from here, sooner, so
/// that a request is seldom sent into a closing one.
void Connection::learn_idle_time(Duration idle) {
  if (idle < idle_learnt_min) return;
  dispatcher_.limit_idle_time(endpoint_, idle * 3 / 4);
}

// --- ends ----------------------------------------------------------------------------------------

/// What the time was spent on.
Error Connection::late() const {
  if (step_ != Step::resolve) return {Errc::timed_out, Side::endpoint};
  return query_.asked() ? Error{Errc::name_timed_out, Side::operator_}
                        : Error{Errc::overloaded, Side::self};
}

/// The head of the final answer decides, also where its body is late.
void Connection::on_deadline() {
  const Error late = this->late();
  if (exchanging() && parser_.on_end(late)) {
    return step_ == Step::ask ? on_permission_answer() : on_answer(true);
  }
  settle(late);
  close(false);
}

void Connection::on_idle_too_long() {
  retire();
}

void Connection::retire() {
  RINGPOST_ASSERT(step_ == Step::idle);
  close(true);
}

void Connection::judge_again() {
  if (!stream_begun_ || step_ == Step::closing || allowed(stream_.peer())) return;
  if (step_ == Step::idle) return retire();
  denied_ = true;
}

void Connection::stop_asking() {
  RINGPOST_ASSERT(step_ == Step::ask);
  settle(Error{Errc::overloaded, Side::self});
  close(false);
}

void Connection::abort() {
  attempt_ = {};
  close(false);
}

ConnectionFacts Connection::facts() const {
  ConnectionFacts facts{.reused = reused_, .timings = times_.timings(dispatcher_.ring().now())};
  if (!facts.timings.connect && !reused_) return facts;
  const io::Address& peer = stream_.peer();
  facts.ip = peer.ip;
  facts.ip_bytes = peer.family == io::Address::Family::ipv6 ? 16 : 4;
  facts.port = peer.port;
  return facts;
}

void Connection::settle(std::optional<Error> error) {
  const Attempt attempt = std::exchange(attempt_, {});
  dispatcher_.ring().disarm(timer_);
  const bool connected = step_ != Step::resolve && step_ != Step::connect;
  AttemptResult result{.error = error,
                       .connected = connected,
                       .name_unasked = step_ == Step::resolve && !query_.asked(),
                       .tls = stream_.tls_session(),
                       .connection = facts()};
  if (parser_.begun() && asked()) {
    result.http_status = parser_.status();
    result.response_head = parser_.status() != 0 ? parser_.kept_head() : parser_.refused_head();
    result.response_body = parser_.body();
    result.response_truncated = parser_.truncated();
    if (parser_.status() != 0) result.response_note = note();
    result.retry_after = retry_after();
  }
  if (asked() && !request_.head.empty()) result.request = &request_;
  dispatcher_.settle(attempt, result);
}

void Connection::close(bool graceful) {
  RINGPOST_ASSERT(attempt_.delivery == nullptr);
  idle_link.unlink();
  spare_link.unlink();
  dispatcher_.ring().disarm(timer_);
  if (step_ == Step::resolve) dispatcher_.resolver().cancel(query_);
  const bool again = step_ == Step::closing;
  step_ = Step::closing;
  addresses_.clear();
  if (stream_begun_) return stream_.close(graceful);
  if (!again) dispatcher_.on_connection_closed(*this);  // May be the last thing this object does.
}

void Connection::on_stream_closed() {
  stream_begun_ = false;
  if (step_ == Step::connect) return connect_next();
  step_ = Step::closing;
  dispatcher_.on_connection_closed(*this);
}

}  // namespace ringpost::delivery
