#include "sim/http_receiver.h"

#include "base/assert.h"

#include <algorithm>
#include <utility>

namespace ringpost::sim {

/// One connection. Its requests are answered one after the other.
struct HttpReceiver::Session {
  size_t number = 0;
  Peer* peer = nullptr;
  HttpReader reader{HttpReader::Kind::request};
  bool answering = false;
  bool over = false;  // Our direction has ended: nothing more is answered.
  std::string dripping;
  Answer answer;
};

HttpReceiver::HttpReceiver(World& world, const io::Address& at, Answerer answerer)
    : world_(world),
      answerer_(std::move(answerer)),
      endpoint_(world, at, [this](Peer& peer) { on_accept(peer); }) {}

HttpReceiver::~HttpReceiver() = default;

void HttpReceiver::on_accept(Peer& peer) {
  auto session = std::make_unique<Session>();
  session->number = sessions_.size();
  session->peer = &peer;
  peer.set_on_change([this, raw = session.get()] { on_change(*raw); });
  sessions_.push_back(std::move(session));
}

void HttpReceiver::on_change(Session& session) {
  session.reader.push(session.peer->take_received());
  answer_next(session);
  // What the other side left unfinished is no request; its end is answered by ours.
  if (session.peer->ended() && !session.answering) session.peer->close();
}

void HttpReceiver::answer_next(Session& session) {
  if (session.answering || session.over || session.peer->closed()) return;
  auto message = session.reader.next();
  if (session.reader.broken()) {
    ++broken_count_;
    return session.peer->close();
  }
  if (!message) return;
  const Request& request = requests_.emplace_back(
      Request{requests_.size(), session.number, std::move(*message), world_.now()});
  session.answering = true;
  session.answer = answerer_ ? answerer_(request) : Answer{};
  if (session.answer.delay == Duration{}) return send_answer(session, session.answer);
  session.peer->after(session.answer.delay,
                      [this, &session] { send_answer(session, session.answer); });
}

void HttpReceiver::send_answer(Session& session, const Answer& answer) {
  Peer& peer = *session.peer;
  if (peer.closed() || peer.ended().value_or(0) < 0) return;
  HttpHeaders headers = answer.headers;
  if (answer.close) headers.emplace_back("Connection", "close");
  const std::string status_line = "HTTP/1.1 " + std::to_string(answer.status) + " Simulated";
  switch (answer.way) {
    case Answer::Way::never: return;
    case Answer::Way::drop: return peer.close();
    case Answer::Way::reset: return peer.reset();
    case Answer::Way::whole:
      return send_whole(session, answer, http_bytes(status_line, headers, answer.body));
    case Answer::Way::raw: return send_raw(session, answer);
    case Answer::Way::cut:
      peer.send(http_bytes(status_line, headers, answer.body).substr(0, answer.bytes));
      return finish_answer(session, true);
    case Answer::Way::drip:
      session.dripping = http_bytes(status_line, headers, answer.body);
      return drip(session, 0);
    case Answer::Way::endless:
      peer.send(status_line + "\r\nTransfer-Encoding: chunked\r\n\r\n");
      return flood(session, answer.interval);
  }
}

void HttpReceiver::send_whole(Session& session, const Answer& answer, const std::string& bytes) {
  Peer& peer = *session.peer;
  peer.send(bytes);
  if (answer.again_after) {
    peer.after(*answer.again_after, [&peer, bytes] { peer.send(bytes); });
  }
  if (answer.close_after) {
    peer.after(*answer.close_after, [&session, &peer] {
      session.over = true;
      peer.close();
    });
  }
  finish_answer(session, answer.close);
}

void HttpReceiver::send_raw(Session& session, const Answer& answer) {
  Peer& peer = *session.peer;
  peer.send(answer.body);
  if (answer.end == Answer::End::closed) return finish_answer(session, true);
  session.answering = false;
  // Later: a reset overtakes what is on its way.
  if (answer.end == Answer::End::reset)
    peer.after(std::chrono::milliseconds{500}, [&peer] { peer.reset(); });
}

void HttpReceiver::finish_answer(Session& session, bool close) {
  session.answering = false;
  // An orderly end, so that a reset does not overtake the answer; the rest when the peer ends.
  session.over = close;
  if (close) return session.peer->shutdown_send();
  answer_next(session);
}

void HttpReceiver::drip(Session& session, size_t sent) {
  Peer& peer = *session.peer;
  if (peer.closed() || peer.ended()) return;
  if (sent == session.dripping.size()) return finish_answer(session, session.answer.close);
  peer.send(std::string_view{session.dripping}.substr(sent, 1));
  peer.after(session.answer.interval, [this, &session, sent] { drip(session, sent + 1); });
}

void HttpReceiver::flood(Session& session, Duration interval) {
  RINGPOST_ASSERT(interval > Duration{});
  Peer& peer = *session.peer;
  if (peer.closed()) return;
  if (peer.ended()) return peer.close();
  // Not beyond what the other side takes: a test's memory has an end.
  if (peer.unsent_bytes() == 0) peer.send("400\r\n" + std::string(1024, 'x') + "\r\n");
  peer.after(interval, [this, &session, interval] { flood(session, interval); });
}

}  // namespace ringpost::sim
