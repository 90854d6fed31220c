#pragma once

#include "base/bytes.h"
#include "base/intrusive_list.h"
#include "http/message.h"
#include "http/request_parser.h"
#include "http/serialiser.h"
#include "ingest/backend.h"
#include "ingest/body_budget.h"
#include "io/ring.h"
#include "net/stream.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace ringpost::ingest {

class Server;

/// One inbound connection: reads a request, hands it over, writes its answer, and only then looks
/// at the next one, so that answers are in order and a peer that pipelines takes no more than
/// others.
///
/// Pooled: opened again after it was closed. While idle it keeps no buffers.
class Connection final : public net::StreamOwner {
 public:
  Connection(Server& server, uint32_t index);

  void open(io::Socket socket, net::ServerTls* tls, Serves serves);

  /// Whether `handle` names the request that waits for its answer, or for more of it.
  bool awaits(http::RequestHandle handle) const;
  void answer(const http::Response& response);
  void drop();
  /// As Answers::hold.
  bool hold(uint64_t bytes);

  // As of Server.
  bool open_answer(const http::Response& head);
  void add_to_answer(std::string_view piece);
  void end_answer();

  /// The server stops: a connection closes with its answer, and at once if it has had one and waits
  /// for another request. One that is new has a moment left to send its first request: it was made
  /// for one, and its client may not try again.
  void finish();
  void abort() { close(false); }
  /// Closes at once, for another connection: this one waits for a head.
  void make_way();

  bool in_use() const { return step_ != Step::unused; }
  uint32_t index() const { return index_; }

  ListLink waiting_link;  ///< In the server's list, while it has no request.

 private:
  enum class Step : uint8_t {
    unused,
    opening,    ///< TLS handshake.
    reading,    ///< A head or a body; idle if there is no byte of it yet.
    waiting,    ///< The request is with the backend.
    streaming,  ///< Some of the answer is on its way; more is with the backend.
    answering,  ///< The answer is on its way to the kernel.
    closing
  };

  void on_stream_open() override;
  void on_stream_bytes(Bytes bytes) override;
  void on_stream_sent() override;
  void on_stream_end(std::optional<Error> error) override;
  void on_stream_closed() override;

  void read(Bytes bytes);
  enum class HeadVerdict : uint8_t { refused, body_follows, complete };
  HeadVerdict judge_head(bool body_is_here);
  void begin_body(uint64_t bytes_max);
  bool take_room(std::optional<uint64_t> organization);
  bool keeps_pace();
  bool charge_body();
  void hand_over(Bytes rest);
  void next_request();
  void read_ahead();
  void refuse(const http::Problem& problem);
  void refuse_for_room();
  void send(const http::Response& response, bool keep_alive);
  bool may_keep_alive() const;
  void cut_answer();
  http::RequestHandle handle() const { return {index_, generation_}; }
  void close(bool graceful);
  void on_deadline();

  bool idle() const { return step_ == Step::reading && !in_body_ && parser_->idle(); }
  Duration transfer_time(uint64_t bytes) const;
  void arm(Duration delay);

  // Constant.
  Server& server_;
  const uint32_t index_;

  net::Stream stream_;
  std::optional<http::RequestParser> parser_;  ///< Until it closes.
  io::Timer deadline_;
  Serves serves_;
  bool tls_ = false;

  Step step_ = Step::unused;
  bool in_body_ = false;
  bool head_begun_ = false;  ///< The head's deadline is set.
  bool keep_alive_ = false;
  BodyBudget::Share share_;  ///< Of the body in hand, until its answer.
  Instant body_deadline_{};
  uint64_t paced_bytes_ = 0;  ///< What was there of it when its pace was looked at.
  std::optional<std::array<uint8_t, 16>> source_;  ///< Counted by the server (Server::Source).
  bool leaving_ = false;                           ///< Counted by the server: it makes way.
  http::ResponseForm form_;
  bool peer_ended_ = false;  ///< It has stopped sending; it may still read.
  bool paused_ = false;
  uint32_t generation_ = 0;    ///< Of the request in hand.
  uint64_t pieces_bytes_ = 0;  ///< Of an answer in pieces: given, and not known to be taken.

  /// What came behind the request in hand: at most what a stream that was just paused holds
  /// (128 KiB). From `ahead_read_` on it is still to be read.
  std::string ahead_;
  size_t ahead_read_ = 0;
  bool reading_ahead_ = false;
};

}  // namespace ringpost::ingest
