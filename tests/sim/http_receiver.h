#pragma once

#include "sim/http.h"
#include "sim/peer.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::sim {

/// A webhook receiver: plain HTTP/1.1 with keep-alive and pipelining. It records every whole
/// request and answers as the test's callback decides.
class HttpReceiver {
 public:
  struct Request {
    size_t number = 0;      ///< From 0, over all connections, in order of arrival.
    size_t connection = 0;  ///< From 0, in order of accepting.
    HttpMessage message;
    Instant at{};  ///< When its last byte arrived.

    std::string_view method() const { return message.method(); }
    std::string_view target() const { return message.target(); }
    std::string_view header(std::string_view name) const { return message.header(name); }
    const std::string& body() const { return message.body; }
  };

  struct Answer {
    enum class Way : uint8_t {
      whole,    ///< All of it, and keep the connection.
      never,    ///< Nothing, and keep the connection open.
      drop,     ///< Nothing; close the connection in order.
      reset,    ///< Nothing; break the connection.
      cut,      ///< The first `bytes` of the answer, then close.
      drip,     ///< One byte every `interval`.
      endless,  ///< The head of a chunked answer, then 1 KiB every `interval` until the other side
                ///< closes.
      raw,      ///< `body` instead of an answer, as it stands, then `end`.
    };
    enum class End : uint8_t { open, closed, reset };

    int status = 200;
    HttpHeaders headers{};
    std::string body{};
    Duration delay{};  ///< Before the first byte.
    Way way = Way::whole;
    size_t bytes = 0;
    Duration interval = std::chrono::seconds{1};
    End end = End::open;  ///< raw only.
    /// whole: the same bytes once more, so much later.
    std::optional<Duration> again_after{};
    /// whole: the connection is closed so long after the answer, as by an idle timeout.
    std::optional<Duration> close_after{};
    bool close = false;  ///< whole and drip: say `Connection: close` and do it afterwards.
  };
  using Answerer = std::function<Answer(const Request& request)>;

  /// @param answerer  called once per request, when it is whole; absent: always 200.
  HttpReceiver(World& world, const io::Address& at, Answerer answerer = {});
  ~HttpReceiver();

  const io::Address& address() const { return endpoint_.address(); }
  /// All whole requests so far. References stay valid.
  const std::deque<Request>& requests() const { return requests_; }
  /// Connections on which something other than a request came.
  size_t broken_count() const { return broken_count_; }
  size_t connection_count() const { return endpoint_.peers().size(); }

  /// Refuses new connections, and takes them again.
  void stop() { endpoint_.stop(); }
  void start() { endpoint_.start(); }

 private:
  struct Session;

  void on_accept(Peer& peer);
  void on_change(Session& session);
  void answer_next(Session& session);
  void send_answer(Session& session, const Answer& answer);
  void send_whole(Session& session, const Answer& answer, const std::string& bytes);
  void send_raw(Session& session, const Answer& answer);
  void drip(Session& session, size_t sent);
  void flood(Session& session, Duration interval);
  void finish_answer(Session& session, bool close);

  World& world_;
  const Answerer answerer_;
  std::deque<Request> requests_;
  std::vector<std::unique_ptr<Session>> sessions_;
  size_t broken_count_ = 0;
  Endpoint endpoint_;
};

}  // namespace ringpost::sim
