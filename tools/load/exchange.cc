#include "load/exchange.h"

#include <utility>

namespace ringpost::load {
namespace {

/// The answer to a batch lists the ids of its events, at most 10,000.
constexpr uint32_t answer_bytes_max = 4u << 20;

}  // namespace

Exchange::Exchange(io::Ring& ring, const Endpoint& endpoint, ExchangeOwner& owner, Duration timeout)
    : ring_(ring),
      endpoint_(endpoint),
      owner_(owner),
      timeout_(timeout),
      stream_(ring, *this, io::ReceiveGroup::reply),
      parser_(http::ResponseLimits{.body_bytes_max = answer_bytes_max}) {}

// open ─> (request) ─> send ─> answer ─> free      Lost connections are opened with the next
// request.

void Exchange::open() {
  ring_.arm<&Exchange::on_deadline>(*this, deadline_, timeout_);
  connect();
}

void Exchange::send(Outgoing& request, uint64_t number, Instant scheduled) {
  std::swap(request_, request);
  number_ = number;
  scheduled_ = scheduled;
  waiting_ = true;
  ring_.arm<&Exchange::on_deadline>(*this, deadline_, timeout_);
  state_ == State::idle ? write() : connect();
}

void Exchange::connect() {
  state_ = State::opening;
  ++connections_;
  stream_.connect(endpoint_.address, endpoint_.tls, endpoint_.host);
}

void Exchange::on_stream_open() {
  if (state_ != State::opening) return;
  tls_session_ = stream_.tls_session();
  if (waiting_) return write();
  ring_.disarm(deadline_);
  state_ = State::idle;
  owner_.on_free(*this);
}

void Exchange::write() {
  state_ = State::busy;
  parser_.reset();
  stream_.send(as_bytes(request_.head), as_bytes(request_.body));
}

void Exchange::on_stream_bytes(Bytes bytes) {
  if (state_ == State::idle) return close(false);  // Nobody asked.
  if (state_ != State::busy) return;
  const auto progress = parser_.feed(bytes);
  if (progress == http::ResponseParser::Progress::need_more) return;
  if (progress == http::ResponseParser::Progress::failed) return fail(parser_.error());
  finish();
}

void Exchange::finish() {
  ring_.disarm(deadline_);
  waiting_ = false;
  owner_.on_answer(*this, parser_.status(), parser_.body());
  if (state_ != State::busy) return;  // Stopped by its owner.
  if (!parser_.reusable()) return close(true);
  state_ = State::idle;
  owner_.on_free(*this);
}

void Exchange::on_stream_end(std::optional<Error> error) {
  if (state_ == State::idle) return close(true);
  if (state_ == State::busy && parser_.on_end(error)) return finish();
  fail(error.value_or(Error{Errc::closed, Side::endpoint}));
}

void Exchange::on_deadline() {
  fail(Error{Errc::timed_out, Side::endpoint});
}

void Exchange::fail(const Error& error) {
  ring_.disarm(deadline_);
  state_ = State::closing;
  stream_.close(false);
  owner_.on_failure(*this, error, std::exchange(waiting_, false));
}

void Exchange::stop() {
  stopping_ = true;
  waiting_ = false;
  ring_.disarm(deadline_);
  if (state_ != State::closed) close(state_ == State::idle);
}

void Exchange::close(bool graceful) {
  state_ = State::closing;
  stream_.close(graceful);
}

void Exchange::on_stream_closed() {
  state_ = State::closed;
  if (!stopping_) owner_.on_free(*this);
}

}  // namespace ringpost::load
