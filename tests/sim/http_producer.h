#pragma once

#include "sim/http.h"
#include "sim/peer.h"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ringpost::sim {

/// A producer: posts bodies over a few kept connections, one request at a time on each, and records
/// what became of every one. It reconnects by itself when it has something to post; it never posts
/// anything twice by itself.
class HttpProducer {
 public:
  struct Options {
    io::Address to{};
    size_t connections = 4;
    HttpHeaders headers{};  ///< Of every request: Host is added, Authorization is not.
    Duration timeout = std::chrono::seconds{30};  ///< Of one exchange; then indeterminate.
    Duration reconnect_after = std::chrono::milliseconds{20};  ///< At most; a random part of it.
  };

  struct Exchange {
    enum class State : uint8_t {
      queued,         ///< Not sent yet.
      sent,           ///< Sent, at least in part; no answer yet.
      answered,       ///< `answer` is whole.
      indeterminate,  ///< The connection ended, or time was up, before the answer was whole.
    };

    size_t number = 0;  ///< From 0, in order of posting.
    std::string method;
    std::string target;
    std::string body;
    State state = State::queued;
    HttpMessage answer;
    Instant sent_at{};
    Instant ended_at{};

    int status() const { return state == State::answered ? answer.status() : 0; }
  };
  /// Called once per exchange, when it is answered or indeterminate. It may post.
  using OnEnd = std::function<void(const Exchange& exchange)>;

  HttpProducer(World& world, Options options, OnEnd on_end = {});
  ~HttpProducer();

  /// Queues a POST; @returns the exchange's number.
  size_t post(std::string target, std::string body, HttpHeaders headers = {});
  /// The same for any method; without a body for GET and DELETE.
  size_t request(std::string method, std::string target, std::string body,
                 HttpHeaders headers = {});

  /// All there were. References stay valid.
  const std::deque<Exchange>& exchanges() const { return exchanges_; }
  /// Queued or sent, and not ended.
  size_t open_count() const { return open_count_; }
  size_t answered_count(int status) const;

 private:
  struct Line;

  void feed(Line& line);
  void connect(Line& line);
  void send_next(Line& line);
  void on_change(Line& line);
  void end_exchange(Line& line, Exchange::State state);
  void disconnect(Line& line);

  World& world_;
  const Options options_;
  const OnEnd on_end_;
  std::deque<Exchange> exchanges_;
  std::deque<HttpHeaders> extra_headers_;  // By exchange number.
  std::deque<size_t> queue_;               // Numbers of what is not sent.
  size_t open_count_ = 0;
  std::vector<std::unique_ptr<Line>> lines_;
  std::shared_ptr<HttpProducer*> life_;  // What delayed calls watch.
};

}  // namespace ringpost::sim
