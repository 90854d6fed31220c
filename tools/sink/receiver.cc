#include "sink/receiver.h"

#include "http/request_parser.h"
#include "http/syntax.h"
#include "net/stream.h"

namespace ringpost::sink {
namespace {

constexpr uint64_t body_bytes_max = 64u << 20;

}  // namespace

/// One sender's connection: a request at a time, in order.
class Connection final : public net::StreamOwner {
 public:
  Connection(Receiver& receiver, const Door& door, io::Socket socket)
      : receiver_(receiver),
        door_(door),
        stream_(receiver.ring_, *this, io::ReceiveGroup::ingress) {
    stream_.adopt(socket, door.tls);
  }

  const Door& door() const { return door_; }

  void on_stream_open() override { opened_ = true; }
  void on_stream_sent() override {}

  void on_stream_bytes(Bytes bytes) override {
    if (busy_) {  // A pipelined request: kept until its turn.
      waiting_.append(as_text(bytes));
      return;
    }
    while (!bytes.empty() && !busy_ && !closing_) {
      size_t consumed = 0;
      auto progress = parser_.feed(bytes, consumed);
      bytes = bytes.subspan(consumed);
      if (progress == http::RequestParser::Progress::head_complete) {
        if (parser_.expect_continue()) stream_.send(as_bytes(http::continue_answer));
        progress = parser_.accept_body(body_bytes_max);
      }
      if (progress == http::RequestParser::Progress::failed) return refuse(parser_.error().status);
      if (progress == http::RequestParser::Progress::complete) take();
    }
    if (busy_) waiting_.append(as_text(bytes));
  }

  void on_stream_end(std::optional<Error> error) override {
    if (error && !opened_) {
      receiver_.endpoints_.count(door_.endpoint, &Totals::handshakes_failed);
    }
    close(true);
  }

  void on_stream_closed() override {
    receiver_.connections_.erase(this);
    delete this;
  }

  void close(bool graceful) {
    closing_ = true;
    receiver_.ring_.disarm(timer_);
    stream_.close(graceful);
  }

 private:
  void refuse(uint16_t status) {
    receiver_.endpoints_.count(door_.endpoint, &Totals::malformed);
    const std::string text = "HTTP/1.1 " + std::to_string(status) +
                             " Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream_.send(as_bytes(text));
    close(true);
  }

  void take() {
    const http::Request request = parser_.take_request();
    keep_alive_ = request.keep_alive;
    endpoint_ = door_.endpoint != nullptr ? door_.endpoint
                                          : receiver_.endpoints_.find(request.header("host"));
    if (endpoint_ == nullptr) return refuse(421);  // RFC 9110, 15.5.20.
    const Endpoints::Moment now{receiver_.ring_.now(), receiver_.ring_.wall_now()};
    taken_ = receiver_.endpoints_.take(*endpoint_, request, now, receiver_.parser_);
    busy_ = true;
    if (taken_.decision.delay > Duration::zero()) {
      receiver_.ring_.arm<&Connection::answer>(*this, timer_, taken_.decision.delay);
    } else {
      answer();
    }
  }

  void answer() {
    switch (taken_.decision.fault) {
      case Fault::none: return send_answer();
      case Fault::reset: return close(false);
      case Fault::hang: return;
      case Fault::drip: return drip();
      case Fault::endless:
        stream_.send(as_bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
        return pour();
      case Fault::huge:
        stream_.send(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n"));
        return pour();
      case Fault::cut:
        stream_.send(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort"));
        return close(true);
    }
  }

  void send_answer() {
    endpoint_->note_answer(taken_);
    stream_.send(as_bytes(*taken_.decision.answer));
    busy_ = false;
    if (!keep_alive_) return close(true);
    if (waiting_.empty()) return;
    const std::string rest = std::exchange(waiting_, {});
    on_stream_bytes(as_bytes(rest));
  }

  void drip() {
    if (dripped_ == taken_.decision.answer->size()) {
      endpoint_->note_answer(taken_);
      return close(true);
    }
    stream_.send(as_bytes(*taken_.decision.answer).subspan(dripped_++, 1));
    receiver_.ring_.arm<&Connection::drip>(*this, timer_, taken_.decision.drip_interval);
  }

  void pour() {
    static const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
    if (stream_.queued_bytes() < 1u << 20) stream_.send(as_bytes(chunk));
    receiver_.ring_.arm<&Connection::pour>(*this, timer_, std::chrono::milliseconds{4});
  }

  Receiver& receiver_;
  const Door& door_;
  net::Stream stream_;
  http::RequestParser parser_;
  io::Timer timer_;
  Endpoint* endpoint_ = nullptr;  ///< Of the request that is being answered.
  Endpoint::Taken taken_;
  std::string waiting_;
  size_t dripped_ = 0;
  bool keep_alive_ = true;
  bool busy_ = false;
  bool closing_ = false;
  bool opened_ = false;
};

void Receiver::adopt(io::Socket socket, const Door& door) {
  endpoints_.count(door.endpoint, &Totals::connections);
  connections_.insert(new Connection(*this, door, socket));
}

void Receiver::drop(const Door& door) {
  const std::vector<Connection*> open(connections_.begin(), connections_.end());
  for (Connection* connection : open) {
    if (&connection->door() == &door) connection->close(false);
  }
}

void Receiver::stop() {
  const std::vector<Connection*> open(connections_.begin(), connections_.end());
  for (Connection* connection : open) connection->close(false);
}

}  // namespace ringpost::sink
