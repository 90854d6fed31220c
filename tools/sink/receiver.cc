#include "sink/receiver.h"

#include "base/log.h"
#include "crypto/digest.h"
#include "crypto/hex.h"
#include "crypto/random.h"
#include "dialect/dialect.h"
#include "http/request_parser.h"
#include "http/syntax.h"

#include <algorithm>

namespace ringpost::sink {
namespace {

using Kind = dialect::Verdict::Kind;

constexpr uint64_t body_bytes_max = 64u << 20;
constexpr Duration sweep_interval = std::chrono::milliseconds{10};

const char* word_for(Kind kind) {
  switch (kind) {
    case Kind::authentic: return "good";
    case Kind::refuted: return "bad";
    case Kind::not_signed: break;
  }
  return "none";
}

/// What names the delivery in whichever dialect the request is; empty: nothing does.
std::string_view delivery_of(const dialect::Received& received) {
  for (const dialect::Dialect* dialect : dialect::all()) {
    if (const auto id = dialect->delivery_of(received); !id.empty()) return id;
  }
  return {};
}

HashKey random_key() {
  HashKey key;
  crypto::fill(std::as_writable_bytes(std::span{key}));
  return key;
}

}  // namespace

/// One sender's connection: a request at a time, in order.
class Connection final : public net::StreamOwner {
 public:
  Connection(Receiver& receiver, const Receiver::Door& door, io::Socket socket)
      : receiver_(receiver),
        door_(door),
        stream_(receiver.ring_, *this, io::ReceiveGroup::ingress) {
    stream_.adopt(socket, door.tls);
  }

  const Receiver::Door& door() const { return door_; }

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
    if (error && !opened_) ++receiver_.totals_of(door_).handshakes_failed;
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
    ++receiver_.totals_of(door_).malformed;
    const std::string text = "HTTP/1.1 " + std::to_string(status) +
                             " Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream_.send(as_bytes(text));
    close(true);
  }

  void take() {
    const http::Request request = parser_.take_request();
    keep_alive_ = request.keep_alive;
    Endpoint* endpoint = receiver_.endpoint_of(door_, request);
    if (endpoint == nullptr) return refuse(421);  // RFC 9110, 15.5.20.
    taken_ = receiver_.take(*endpoint, request);
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

  void note_success() {
    const uint16_t status = taken_.decision.status;
    if (taken_.delivery != nullptr && status >= 200 && status < 300) {
      taken_.delivery->succeeded = true;
    }
  }

  void send_answer() {
    note_success();
    stream_.send(as_bytes(*taken_.decision.answer));
    busy_ = false;
    if (!keep_alive_) return close(true);
    if (waiting_.empty()) return;
    const std::string rest = std::exchange(waiting_, {});
    on_stream_bytes(as_bytes(rest));
  }

  void drip() {
    if (dripped_ == taken_.decision.answer->size()) {
      note_success();
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
  const Receiver::Door& door_;
  net::Stream stream_;
  http::RequestParser parser_;
  io::Timer timer_;
  Receiver::Taken taken_;
  std::string waiting_;
  size_t dripped_ = 0;
  bool keep_alive_ = true;
  bool busy_ = false;
  bool closing_ = false;
  bool opened_ = false;
};

Receiver::Receiver(io::Ring& ring, const Options& options)
    : ring_(ring), options_(options), start_(ring.now()), key_(random_key()) {
  if (!options.ledger_file.empty()) ledger_ = std::fopen(options.ledger_file.c_str(), "ae");
}

Receiver::~Receiver() {
  if (ledger_ != nullptr) std::fclose(ledger_);
}

Endpoint& Receiver::add(EndpointPlan plan) {
  const uint64_t seed = options_.seed + endpoints_.size();
  Endpoint& endpoint = endpoints_.emplace_back(std::move(plan), seed, key_, options_.expect);
  by_host_[endpoint.name() + ".sink.localhost"] = &endpoint;
  return endpoint;
}

// --- doors ---------------------------------------------------------------------------------------

void Receiver::serve(io::Socket listener, const io::Address& address, net::ServerTls* tls,
                     Endpoint& endpoint) {
  open_door(listener, address, tls, &endpoint);
  const std::string text = address.to_text();
  endpoint.url =
      text.starts_with("unix:") ? text : (tls == nullptr ? "http://" : "https://") + text;
  if (endpoint.plan().refuses_ever() && !sweeping_.armed()) sweep();
}

void Receiver::serve_by_name(io::Socket listener, const io::Address& address, net::ServerTls* tls) {
  open_door(listener, address, tls, nullptr);
  for (Endpoint& endpoint : endpoints_) {
    endpoint.url = (tls == nullptr ? "http://" : "https://") + endpoint.name() +
                   ".sink.localhost:" + std::to_string(address.port);
  }
}

Receiver::Door& Receiver::open_door(io::Socket listener, const io::Address& address,
                                    net::ServerTls* tls, Endpoint* endpoint) {
  Door& door = doors_.emplace_back(*this, endpoint, address, tls, listener);
  ring_.accept<&Door::on_accept>(door, door.accepting, listener);
  return door;
}

void Receiver::Door::on_accept(const io::Outcome& outcome) {
  if (!outcome) return;
  ++receiver.totals_of(*this).connections;
  receiver.connections_.insert(new Connection(receiver, *this, outcome.socket()));
}

void Receiver::shut(Door& door) {
  ring_.close<&Door::on_closed>(door, door.closing, std::exchange(door.listener, {}));
  const std::vector<Connection*> open(connections_.begin(), connections_.end());
  for (Connection* connection : open) {
    if (&connection->door() == &door) connection->close(false);
  }
}

void Receiver::reopen(Door& door) {
  const auto listener = ring_.listen(door.address, {.reuse_port = false});
  if (!listener) return;  // Somebody took the port: tried again by the next sweep.
  door.listener = *listener;
  ring_.accept<&Door::on_accept>(door, door.accepting, door.listener);
}

void Receiver::sweep() {
  for (Door& door : doors_) {
    if (door.endpoint == nullptr || door.closing.pending()) continue;
    const Outage* outage = door.endpoint->plan().outage_at(elapsed());
    const bool refuses = outage != nullptr && outage->kind == Outage::Kind::refuse;
    if (refuses && door.listener.valid()) shut(door);
    if (!refuses && !door.listener.valid()) reopen(door);
  }
  ring_.arm<&Receiver::sweep>(*this, sweeping_, sweep_interval);
}

// --- requests ------------------------------------------------------------------------------------

Totals& Receiver::totals_of(const Door& door) {
  return door.endpoint == nullptr ? unnamed_ : door.endpoint->totals;
}

Endpoint* Receiver::endpoint_of(const Door& door, const http::Request& request) {
  if (door.endpoint != nullptr) return door.endpoint;
  const std::string_view host = request.header("host");
  const auto found = by_host_.find(std::string{host.substr(0, host.find(':'))});
  return found == by_host_.end() ? nullptr : found->second;
}

Receiver::Taken Receiver::take(Endpoint& endpoint, const http::Request& request) {
  last_request_ = ring_.now();
  if (++requests_ == 1) first_request_ = last_request_;
  endpoint.totals.body_bytes += request.body.size();
  const dialect::Received received{request.headers, as_bytes(request.body)};
  Taken taken{.decision = endpoint.decide(elapsed())};
  const Judgement judgement{.signature = endpoint.verify(received, ring_.wall_now()),
                            .delivery = delivery_of(received),
                            .status = taken.decision.status};
  taken.delivery = enter_in_ledger(endpoint, request, judgement.delivery);
  note(endpoint, request, judgement);
  if (options_.on_request) options_.on_request(request, judgement.signature);
  return taken;
}

Ledger::Delivery* Receiver::enter_in_ledger(Endpoint& endpoint, const http::Request& request,
                                            std::string_view delivery) {
  Ledger::Sighting sighting{.delivery = delivery};
  std::string key;
  if (!options_.id_member.empty()) {
    simdjson::dom::element body;
    uint64_t number = 0;
    if (parser_.parse(request.body).get(body) == simdjson::SUCCESS &&
        body.at_pointer("/" + options_.id_member).get(number) == simdjson::SUCCESS) {
      sighting.number = number;
    }
    simdjson::dom::element value;
    if (sighting.number && !options_.order_key.empty() &&
        body.at_pointer("/" + options_.order_key).get(value) == simdjson::SUCCESS) {
      key = simdjson::minify(value);
      sighting.key = key;
    }
  }
  return endpoint.ledger.note(sighting);
}

void Receiver::note(const Endpoint& endpoint, const http::Request& request,
                    const Judgement& judgement) {
  if (ledger_ != nullptr) write_line(endpoint, request, judgement);
  if (!options_.print) return;
  std::printf("%s%s%s %s  signature %s  answered %u\n",
              endpoints_.size() > 1 ? endpoint.name().c_str() : "",
              endpoints_.size() > 1 ? ": " : "", request.method.c_str(),
              printable(request.target).c_str(), word_for(judgement.signature.kind),
              judgement.status);
  if (judgement.signature.kind == Kind::refuted) {
    std::printf("  because %s\n", printable(judgement.signature.reason).c_str());
  }
  for (const http::Header& header : request.headers) {
    std::printf("  %s: %s\n", printable(header.name).c_str(), printable(header.value).c_str());
  }
  constexpr size_t shown = 2000;
  std::printf("  %s%s\n\n", printable(std::string_view(request.body).substr(0, shown)).c_str(),
              request.body.size() > shown ? " …" : "");
  std::fflush(stdout);
}

void Receiver::write_line(const Endpoint& endpoint, const http::Request& request,
                          const Judgement& judgement) {
  const std::string hash =
      crypto::hex_encode(crypto::bytes_of(crypto::sha256(as_bytes(request.body))));
  std::fprintf(
      ledger_, "%lld\t%s\t%s\t%s\t%s\t%u%s%s\n",
      static_cast<long long>(to_unix_ns(ring_.wall_now())), printable(judgement.delivery).c_str(),
      printable(request.header("ringpost-attempt")).c_str(), hash.c_str(),
      word_for(judgement.signature.kind), judgement.status, endpoints_.size() > 1 ? "\t" : "",
      endpoints_.size() > 1 ? endpoint.name().c_str() : "");
  std::fflush(ledger_);  // A killed sink has noted what it answered.
}

// --- sums ----------------------------------------------------------------------------------------

Totals Receiver::totals() const {
  Totals sum = unnamed_;
  for (const Endpoint& endpoint : endpoints_) sum.add(endpoint.totals);
  return sum;
}

uint64_t Receiver::missing_count() const {
  uint64_t sum = 0;
  for (const Endpoint& endpoint : endpoints_) sum += endpoint.ledger.missing_count();
  return sum;
}

uint64_t Receiver::duplicates() const {
  uint64_t sum = 0;
  for (const Endpoint& endpoint : endpoints_) sum += endpoint.ledger.duplicates();
  return sum;
}

uint64_t Receiver::duplicates_after_success() const {
  uint64_t sum = 0;
  for (const Endpoint& endpoint : endpoints_) sum += endpoint.ledger.duplicates_after_success();
  return sum;
}

uint64_t Receiver::out_of_order() const {
  uint64_t sum = 0;
  for (const Endpoint& endpoint : endpoints_) sum += endpoint.ledger.out_of_order();
  return sum;
}

void Receiver::stop() {
  ring_.disarm(sweeping_);
  for (Door& door : doors_) ring_.cancel(door.accepting);
  const std::vector<Connection*> open(connections_.begin(), connections_.end());
  for (Connection* connection : open) connection->close(false);
}

}  // namespace ringpost::sink
