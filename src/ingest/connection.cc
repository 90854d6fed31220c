#include "ingest/connection.h"

#include "http/problem.h"
#include "ingest/refusal.h"
#include "ingest/server.h"

#include <algorithm>
#include <memory>
#include <utility>

// opening ─> reading ⟲ ─> waiting ────────┬─> answering ─┐       Any step may end: straight to
//               ↑        (the backend)    │     ↑        │       closing.
//               │                         └─> streaming ⟲│
//               └─────────── keep-alive ────────┴────────┴─> closing ─> unused

namespace ringpost::ingest {
namespace {

/// What a new connection has for its first request when the server stops.
constexpr Duration first_request_time = std::chrono::seconds{2};

/// What of an announced body's room is kept for it before it comes.
constexpr uint64_t kept_bytes_max = 16 * 1024;

using Progress = http::RequestParser::Progress;

}  // namespace

Connection::Connection(Server& server, uint32_t index)
    : server_(server), index_(index), stream_(server.ring_, *this, io::ReceiveGroup::ingress) {}

void Connection::open(io::Socket socket, net::ServerTls* tls, Serves serves) {
  RINGPOST_ASSERT(step_ == Step::unused);
  step_ = Step::opening;
  serves_ = serves;
  tls_ = tls != nullptr;
  in_body_ = peer_ended_ = paused_ = false;
  head_begun_ = true;  // Its time runs from here: a new connection was made for a request.
  form_ = {};
  parser_.emplace();
  arm(server_.limits_.head_time);
  stream_.adopt(socket, tls);
  source_ = Server::source_of(stream_.peer());
  if (source_ && !server_.admit(*source_)) {
    source_.reset();
    return close(false);
  }
  server_.waiting(serves_).push_back(*this);
}

void Connection::on_stream_open() {
  RINGPOST_ASSERT(step_ == Step::opening);
  step_ = Step::reading;
  if (tls_) server_.counters_.add(Counter::tls_accepted);
}

// --- reading -------------------------------------------------------------------------------------

void Connection::on_stream_bytes(Bytes bytes) {
  switch (step_) {
    case Step::reading: return read(bytes);
    case Step::waiting:
    case Step::streaming:
    case Step::answering:
      ahead_.append(as_text(bytes));
      paused_ = true;
      return stream_.pause();
    case Step::unused:
    case Step::opening:
    case Step::closing: return;
  }
}

void Connection::read(Bytes bytes) {
  while (true) {
    size_t consumed = 0;
    const Progress progress = parser_->feed(bytes, consumed);
    bytes = bytes.subspan(consumed);
    if (in_body_ && progress != Progress::failed && !charge_body()) {
      return refuse_for_room();
    }
    switch (progress) {
      case Progress::need_more:
        if (!head_begun_ && !parser_->idle()) {
          head_begun_ = true;
          arm(server_.limits_.head_time);
        }
        return;
      case Progress::head_complete:
        switch (judge_head(!bytes.empty())) {
          case HeadVerdict::refused: return;
          case HeadVerdict::complete: return hand_over(bytes);
          case HeadVerdict::body_follows: break;
        }
        if (bytes.empty()) return;
        break;
      case Progress::complete: return hand_over(bytes);
      case Progress::failed: return refuse(http::to_problem(parser_->error()));
    }
  }
}

Connection::HeadVerdict Connection::judge_head(bool body_is_here) {
  const http::Request& head = parser_->request();
  form_ = {.http_1_0 = parser_->http_1_0(), .head_only = head.method == "HEAD"};
  if (const auto problem = server_.object_to_browser(head, tls_, stream_.peer())) {
    refuse(*problem);
    return HeadVerdict::refused;
  }
  BodyTerms terms;
  if (parser_->has_body()) {
    const Origin origin{stream_.peer(), tls_, serves_};
    if (const auto problem = server_.backend_.before_body(head, origin, terms)) {
      refuse(*problem);  // And close: the body that was not read stands before the next request.
      return HeadVerdict::refused;
    }
  }
  switch (parser_->accept_body(terms.bytes_max)) {
    case Progress::complete: return HeadVerdict::complete;
    case Progress::need_more: break;
    case Progress::head_complete:
    case Progress::failed: refuse(http::to_problem(parser_->error())); return HeadVerdict::refused;
  }
  if (!take_room(terms.organization)) {
    refuse_for_room();
    return HeadVerdict::refused;
  }
  begin_body(terms.bytes_max);
  // RFC 9110, 10.1.1: no need for it once some of the body is here.
  if (parser_->expect_continue() && !body_is_here) {
    stream_.send(as_bytes(http::continue_answer));
  }
  return HeadVerdict::body_follows;
}

void Connection::begin_body(uint64_t bytes_max) {
  waiting_link.unlink();
  in_body_ = true;
  paced_bytes_ = 0;
  const Duration time = transfer_time(parser_->content_length().value_or(bytes_max));
  body_deadline_ = server_.ring_.now() + time;
  arm(std::min(time, server_.limits_.pace_time));
}

/// Whether there is room for the body as announced. Of that a sender with a token keeps a little,
/// so that a small body is not refused half-way; all else is taken as it comes: a claim costs its
/// maker nothing, so it must not cost others anything either.
bool Connection::take_room(std::optional<uint64_t> organization) {
  share_ = {.bytes = 0, .organization = organization};
  const uint64_t length = parser_->content_length().value_or(1);
  if (!server_.bodies_.fits(share_, length)) return false;
  return !organization || server_.bodies_.grow(share_, std::min(length, kept_bytes_max));
}

bool Connection::charge_body() {
  return hold(parser_->request().body.size());
}

bool Connection::hold(uint64_t bytes) {
  return server_.bodies_.grow(share_, bytes);
}

/// @param rest  what came behind the request.
void Connection::hand_over(Bytes rest) {
  server_.ring_.disarm(deadline_);
  waiting_link.unlink();
  server_.counters_.add(Counter::http_requests);
  auto request = std::make_unique<http::Request>(parser_->take_request());
  form_.head_only = request->method == "HEAD";
  keep_alive_ = request->keep_alive;
  in_body_ = false;
  if (reading_ahead_) {
    ahead_read_ = ahead_.size() - rest.size();
  } else {
    ahead_.assign(as_text(rest));
    ahead_read_ = 0;
  }
  step_ = Step::waiting;
  ++generation_;
  const Origin origin{stream_.peer(), tls_, serves_};
  server_.backend_.on_request(handle(), std::move(request), origin);
}

// --- answering -----------------------------------------------------------------------------------

bool Connection::awaits(http::RequestHandle handle) const {
  const bool unanswered = step_ == Step::waiting || step_ == Step::streaming;
  return unanswered && generation_ == handle.generation;
}

bool Connection::may_keep_alive() const {
  const bool last_one = peer_ended_ && ahead_read_ == ahead_.size();
  return keep_alive_ && !last_one && !server_.stopping_;
}

void Connection::answer(const http::Response& response) {
  RINGPOST_ASSERT(step_ == Step::waiting);
  send(response, may_keep_alive());
}

void Connection::drop() {
  RINGPOST_ASSERT(step_ == Step::waiting);
  close(false);
}

void Connection::refuse_for_room() {
  server_.counters_.add(Counter::bodies_without_room);
  refuse(bodies_refusal());
}

void Connection::refuse(const http::Problem& problem) {
  waiting_link.unlink();
  const Origin origin{stream_.peer(), tls_, serves_};
  send(server_.backend_.refuse(parser_->request(), origin, problem), false);
}

void Connection::send(const http::Response& response, bool keep_alive) {
  std::string& bytes = server_.scratch_;
  bytes.clear();
  http::append_response(bytes, response, keep_alive, server_.ring_.wall_now(), form_);
  server_.bodies_.drop(share_);
  step_ = Step::answering;
  arm(transfer_time(bytes.size()));
  stream_.send(as_bytes(bytes));
  if (!keep_alive) close(true);
}

void Connection::on_stream_sent() {
  if (step_ == Step::answering) return next_request();  // Not for `100 Continue`.
  if (step_ != Step::streaming) return;
  server_.ring_.disarm(deadline_);
  const uint64_t taken = std::exchange(pieces_bytes_, 0);
  if (taken > 0) server_.backend_.on_pieces_taken(handle(), taken);
}

// --- answering in pieces -------------------------------------------------------------------------

bool Connection::open_answer(const http::Response& head) {
  RINGPOST_ASSERT(step_ == Step::waiting);
  if (peer_ended_ && !form_.head_only) {
    close(false);
    return false;
  }
  keep_alive_ = keep_alive_ && !form_.http_1_0 && !server_.stopping_;
  std::string& bytes = server_.scratch_;
  bytes.clear();
  http::append_stream_head(bytes, head, keep_alive_, server_.ring_.wall_now(), form_);
  server_.bodies_.drop(share_);
  const bool wanted = !form_.head_only && !server_.stopping_;
  step_ = Step::streaming;
  arm(transfer_time(bytes.size()));
  stream_.send(as_bytes(bytes));
  if (!wanted) end_answer();
  return wanted;
}

void Connection::add_to_answer(std::string_view piece) {
  RINGPOST_ASSERT(step_ == Step::streaming);
  std::string& bytes = server_.scratch_;
  bytes.clear();
  if (form_.http_1_0) {
    bytes = piece;
  } else {
    http::append_chunk(bytes, piece);
  }
  pieces_bytes_ += piece.size();
  // Not anew with each piece: who takes nothing is not kept by what is added.
  if (!deadline_.armed()) arm(transfer_time(bytes.size()));
  stream_.send(as_bytes(bytes));
}

void Connection::end_answer() {
  RINGPOST_ASSERT(step_ == Step::streaming);
  step_ = Step::answering;
  pieces_bytes_ = 0;
  const bool has_last_chunk = !form_.http_1_0 && !form_.head_only;
  arm(transfer_time(stream_.queued_bytes()));
  if (has_last_chunk) stream_.send(as_bytes(http::last_chunk));
  if (!may_keep_alive()) return close(true);
  // A HEAD's head was given to `send` just now, and `on_stream_sent` comes for it.
}

/// The server stops, and what the backend would still have to say is not waited for.
void Connection::cut_answer() {
  end_answer();
  server_.backend_.on_answer_cut(handle());
}

void Connection::next_request() {
  step_ = Step::reading;
  head_begun_ = false;
  form_ = {};
  arm(server_.limits_.idle_time);
  server_.waiting(serves_).push_back(*this);
  read_ahead();
  if (step_ != Step::reading) return;
  if (peer_ended_ || (server_.stopping_ && idle())) return close(true);
  if (std::exchange(paused_, false)) stream_.resume();
}

/// Without moving what stays: many small requests in one packet must not cost their square.
void Connection::read_ahead() {
  if (ahead_read_ < ahead_.size()) {
    reading_ahead_ = true;
    read(as_bytes(std::string_view{ahead_}.substr(ahead_read_)));
    reading_ahead_ = false;
  }
  if (step_ == Step::reading) {
    ahead_ = {};
    ahead_read_ = 0;
  }
}

// --- the end -------------------------------------------------------------------------------------

void Connection::on_stream_end(std::optional<Error> error) {
  if (error) return close(false);
  // A client may end its side and still read the answers to what it sent. What it did not finish is
  // no request.
  peer_ended_ = true;
  if (step_ == Step::opening || step_ == Step::reading) return close(true);
  // Of an endless answer nobody can tell whether somebody still reads it.
  if (step_ == Step::streaming) close(false);
}

void Connection::on_deadline() {
  switch (step_) {
    case Step::reading:
      if (idle()) return close(true);
      if (keeps_pace()) return;
      server_.counters_.add(Counter::requests_too_slow);
      return refuse({.status = 408,
                     .type = "urn:ringpost:too-slow",
                     .detail = "The request did not arrive in time."});
    case Step::opening:
    case Step::streaming:
    case Step::answering: return close(false);
    case Step::unused:
    case Step::waiting:
    case Step::closing: RINGPOST_UNREACHABLE();
  }
}

/// Whether the body in hand may go on to come; sets its next deadline if so.
bool Connection::keeps_pace() {
  const Duration left = body_deadline_ - server_.ring_.now();
  if (!in_body_ || left <= Duration::zero()) return false;
  const uint64_t here = parser_->request().body.size();
  if (here - std::exchange(paced_bytes_, here) < server_.limits_.pace_bytes) return false;
  arm(std::min(left, server_.limits_.pace_time));
  return true;
}

void Connection::make_way() {
  leaving_ = true;
  ++server_.connections_leaving_;
  close(false);
}

void Connection::finish() {
  if (step_ == Step::streaming) return cut_answer();
  if (step_ != Step::opening && !idle()) return;
  const bool is_new = head_begun_;  // As `open` set it: no request has come yet.
  if (!is_new) return close(true);
  arm(std::min(server_.limits_.head_time, first_request_time));
}

void Connection::close(bool graceful) {
  const bool cuts_answer = step_ == Step::streaming;
  step_ = Step::closing;
  waiting_link.unlink();
  server_.ring_.disarm(deadline_);
  ahead_ = {};
  ahead_read_ = 0;
  parser_.reset();  // With a body that will not be whole: the close may take its time.
  pieces_bytes_ = 0;
  server_.bodies_.drop(share_);
  stream_.close(graceful);
  if (cuts_answer) server_.backend_.on_answer_cut(handle());
}

void Connection::on_stream_closed() {
  step_ = Step::unused;
  if (source_) server_.dismiss(*source_);
  source_.reset();
  if (std::exchange(leaving_, false)) --server_.connections_leaving_;
  server_.release(*this);
}

// --- time ----------------------------------------------------------------------------------------

Duration Connection::transfer_time(uint64_t bytes) const {
  return server_.limits_.transfer_time +
         std::chrono::seconds{bytes / server_.limits_.bytes_per_second_min};
}

void Connection::arm(Duration delay) {
  server_.ring_.arm<&Connection::on_deadline>(*this, deadline_, delay);
}

}  // namespace ringpost::ingest
