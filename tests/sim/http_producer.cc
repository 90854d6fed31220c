#include "sim/http_producer.h"

#include "base/assert.h"

#include <algorithm>
#include <utility>

namespace ringpost::sim {

/// One kept connection, or the wish for one.
struct HttpProducer::Line {
  std::unique_ptr<Peer> peer;
  std::unique_ptr<Peer>
      retired;  // The one before: it may be on the call stack when it is replaced.
  HttpReader reader{HttpReader::Kind::response};
  Exchange* exchange = nullptr;  // Sent and not ended.
  bool waiting = false;          // A new try at connecting is scheduled.
};

HttpProducer::HttpProducer(World& world, Options options, OnEnd on_end)
    : world_(world),
      options_(std::move(options)),
      on_end_(std::move(on_end)),
      life_(std::make_shared<HttpProducer*>(this)) {
  RINGPOST_ASSERT(options_.connections > 0);
  for (size_t index = 0; index < options_.connections; ++index) {
    lines_.push_back(std::make_unique<Line>());
  }
}

HttpProducer::~HttpProducer() = default;

size_t HttpProducer::post(std::string target, std::string body, HttpHeaders headers) {
  return request("POST", std::move(target), std::move(body), std::move(headers));
}

size_t HttpProducer::request(std::string method, std::string target, std::string body,
                             HttpHeaders headers) {
  Exchange& exchange = exchanges_.emplace_back();
  exchange.number = exchanges_.size() - 1;
  exchange.method = std::move(method);
  exchange.target = std::move(target);
  exchange.body = std::move(body);
  extra_headers_.push_back(std::move(headers));
  queue_.push_back(exchange.number);
  ++open_count_;
  for (const auto& line : lines_) {
    if (queue_.empty()) break;
    if (line->exchange == nullptr) feed(*line);
  }
  return exchange.number;
}

size_t HttpProducer::answered_count(int status) const {
  return static_cast<size_t>(std::ranges::count(exchanges_, status, &Exchange::status));
}

/// Gives an idle line something to do, if there is something.
void HttpProducer::feed(Line& line) {
  if (queue_.empty() || line.exchange != nullptr || line.waiting) return;
  if (line.peer == nullptr) return connect(line);
  if (line.peer->connected()) send_next(line);
}

void HttpProducer::connect(Line& line) {
  line.reader = HttpReader{HttpReader::Kind::response};
  line.peer = std::make_unique<Peer>(world_, options_.to);
  line.peer->set_on_change([this, &line] { on_change(line); });
}

void HttpProducer::send_next(Line& line) {
  Exchange& exchange = exchanges_[queue_.front()];
  queue_.pop_front();
  exchange.state = Exchange::State::sent;
  exchange.sent_at = world_.now();
  line.exchange = &exchange;
  HttpHeaders headers{{"Host", "relay.test"}};
  headers.insert(headers.end(), options_.headers.begin(), options_.headers.end());
  const HttpHeaders& extra = extra_headers_[exchange.number];
  headers.insert(headers.end(), extra.begin(), extra.end());
  line.peer->after(options_.timeout, [this, &line, &exchange] {
    if (line.exchange != &exchange) return;
    disconnect(line);
    end_exchange(line, Exchange::State::indeterminate);
  });
  line.peer->send(
      http_bytes(exchange.method + " " + exchange.target + " HTTP/1.1", headers, exchange.body));
}

void HttpProducer::on_change(Line& line) {
  line.reader.push(line.peer->take_received());
  if (line.peer->ended()) line.reader.end_of_stream();
  if (line.exchange != nullptr) {
    if (auto answer = line.reader.next()) {
      const bool last = equals_ignoring_case(answer->header("Connection"), "close");
      line.exchange->answer = std::move(*answer);
      if (last || line.peer->ended()) disconnect(line);
      return end_exchange(line, Exchange::State::answered);
    }
  }
  if (!line.peer->ended() && !line.reader.broken()) return feed(line);
  disconnect(line);
  if (line.exchange != nullptr) return end_exchange(line, Exchange::State::indeterminate);
  feed(line);
}

void HttpProducer::end_exchange(Line& line, Exchange::State state) {
  Exchange& exchange = *std::exchange(line.exchange, nullptr);
  exchange.state = state;
  exchange.ended_at = world_.now();
  --open_count_;
  if (on_end_) on_end_(exchange);
  feed(line);
}

/// Gives the connection up. The line connects again after a moment, if there is something to send.
void HttpProducer::disconnect(Line& line) {
  line.peer->close();
  line.retired = std::move(line.peer);
  line.waiting = true;
  world_.after(world_.between(Duration{1}, options_.reconnect_after),
               [this, &line, life = std::weak_ptr<HttpProducer*>(life_)] {
                 if (life.expired()) return;
                 line.waiting = false;
                 line.retired.reset();
                 feed(line);
               });
}

}  // namespace ringpost::sim
