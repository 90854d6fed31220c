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

}  // namespace

Connection::Connection(Dispatcher& dispatcher, Endpoint& endpoint)
    : dispatcher_(dispatcher),
      endpoint_(endpoint),
      stream_(dispatcher.ring(), *this, io::ReceiveGroup::reply),
      parser_(http::ResponseLimits{.body_bytes_max = dispatcher.limits().response_body_bytes_max}) {
}

void Connection::begin(const Attempt& attempt) {
  RINGPOST_ASSERT(step_ == Step::fresh || step_ == Step::idle);
  attempt_ = attempt;
  if (step_ == Step::fresh) {
    allow(connect_time());
    return resolve();
  }
  allow(answer_time());
  idle_link.unlink();
  reused_ = true;
  dispatcher_.counters().add(Counter::connections_reused);
  proceed();
}

/// Ends the attempt after `time`, and at its deadline in any case.
void Connection::allow(Duration time) {
  const Duration left = attempt_.deadline - dispatcher_.ring().now();
  dispatcher_.ring().arm<&Connection::on_deadline>(*this, timer_, std::min(left, time));
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
  dispatcher_.resolver().resolve<&Connection::on_resolved>(*this, query_, endpoint_.host);
}

bool Connection::allowed(const io::Address& address) const {
  return dispatcher_.policy().allows(address, endpoint_.tls_wanted);
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
  dispatcher_.counters().add(Counter::connections_opened);
  stream_.connect(address, endpoint_.tls.get(), endpoint_.host);
}

void Connection::on_stream_open() {
  if (step_ != Step::connect) return;
  addresses_.clear();
  if (endpoint_.tls != nullptr) {
    dispatcher_.counters().add(Counter::tls_handshakes);
    if (stream_.tls_resumed()) dispatcher_.counters().add(Counter::tls_resumptions);
  }
  allow(answer_time());
  proceed();
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
  const bool success = parser_.status() >= 200 && parser_.status() < 300;
  const auto interval = allowed_interval(parser_.header("webhook-allowed-rate"));
  const bool granted = success && interval &&
                       (allowed == "*" || http::equal_ignoring_case(allowed, dispatcher_.origin()));
  if (!granted) {
    settle(Error{Errc::origin_refused, Side::endpoint, parser_.status()});
    if (parser_.reusable()) return keep();
    return close(parser_.complete());
  }
  dispatcher_.on_permission(attempt_, *interval);
  attempt_.question = 0;
  if (parser_.reusable() && stream_.open()) return exchange();
  move_to_fresh();
}

/// This connection is at its end; the attempt is not.
void Connection::move_to_fresh() {
  const Attempt attempt = std::exchange(attempt_, {});
  close(false);
  dispatcher_.repeat(attempt, endpoint_);
}

// --- exchange ------------------------------------------------------------------------------------

void Connection::exchange() {
  parser_.reset();
  request_.clear();
  if (const auto error = dispatcher_.render(attempt_, request_)) {
    settle(error);
    return keep();  // Nothing was sent: the connection is as good as before.
  }
  step_ = Step::exchange;
  stream_.send(as_bytes(request_.head), request_.body);
}

void Connection::on_stream_bytes(Bytes bytes) {
  if (!exchanging()) {
    // An answer that nobody asked for: whatever comes next could not be told from it.
    if (step_ == Step::idle) close(false);
    return;
  }
  const auto progress = parser_.feed(bytes);
  if (progress == http::ResponseParser::Progress::need_more) return;
  if (progress == http::ResponseParser::Progress::failed) {
    settle(parser_.error());
    return close(false);
  }
  step_ == Step::ask ? on_permission_answer() : on_answer();
}

void Connection::on_stream_end(std::optional<Error> error) {
  switch (step_) {
    case Step::connect:
      // Another address may do better, as long as this one was not reached at all.
      if (!addresses_.empty() && error && !stream_.open()) return stream_.close(false);
      settle(error.value_or(Error{Errc::closed, Side::endpoint}));
      return close(false);
    case Step::ask:
    case Step::exchange: {
      if (reused_ && !attempt_.repeated && !parser_.begun()) {
        attempt_.repeated = true;
        return move_to_fresh();
      }
      const bool whole = !error && parser_.on_eof();
      if (whole) return step_ == Step::ask ? on_permission_answer() : on_answer();
      settle(error.value_or(Error{Errc::closed, Side::endpoint}));
      return close(false);
    }
    case Step::idle: return close(true);
    case Step::fresh:
    case Step::resolve:
    case Step::closing: return;
  }
}

void Connection::on_answer() {
  const bool success = parser_.status() >= 200 && parser_.status() < 300;
  if (success) {
    settle(std::nullopt);
  } else {
    settle(Error{Errc::bad_status, Side::endpoint, parser_.status()});
  }
  if (parser_.reusable()) return keep();
  close(parser_.complete());
}

void Connection::keep() {
  if (!stream_.open() || dispatcher_.stopping() || denied_) return close(true);
  step_ = Step::idle;
  if (const auto seconds = parser_.keep_alive_timeout_s()) {
    // Ours ends first, so that a request is rarely sent into a closing connection.
    const Duration theirs = std::chrono::seconds{*seconds > 5 ? *seconds - 4 : 1};
    endpoint_.idle_max = std::min(endpoint_.idle_max, theirs);
  }
  parser_.reset();
  if (request_.head.capacity() + request_.made_body.capacity() > request_bytes_kept_max) {
    request_ = {};
  }
  dispatcher_.ring().arm<&Connection::on_idle_too_long>(*this, timer_, endpoint_.idle_max);
  endpoint_.idle.push_front(*this);
  dispatcher_.on_connection_idle(*this);
}

// --- ends ----------------------------------------------------------------------------------------

void Connection::on_deadline() {
  settle(Error{Errc::timed_out, Side::endpoint});
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

void Connection::abort() {
  attempt_ = {};
  close(false);
}

void Connection::settle(std::optional<Error> error) {
  const Attempt attempt = std::exchange(attempt_, {});
  dispatcher_.ring().disarm(timer_);
  AttemptResult result{.error = error};
  if (parser_.begun() && exchanging()) {
    result.http_status = parser_.status();
    result.response_head = parser_.status() != 0 ? parser_.head() : parser_.refused_head();
    result.response_body = parser_.body();
    result.response_truncated = parser_.truncated();
    result.retry_after =
        parse_retry_after(parser_.header("retry-after"), dispatcher_.ring().wall_now());
  }
  if (exchanging()) result.request = &request_;
  dispatcher_.settle(attempt, result);
}

void Connection::close(bool graceful) {
  RINGPOST_ASSERT(attempt_.delivery == nullptr);
  idle_link.unlink();
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
