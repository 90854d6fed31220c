#include "sink/receiver.h"

#include "base/log.h"
#include "crypto/digest.h"
#include "crypto/hex.h"
#include "dialect/dialect.h"
#include "http/serialiser.h"
#include "http/syntax.h"

#include <simdjson.h>

#include <algorithm>

namespace ringpost::sink {
namespace {

using Kind = dialect::Verdict::Kind;

constexpr uint64_t body_bytes_max = 64u << 20;

const char* word_for(Kind kind) {
  switch (kind) {
    case Kind::authentic: return "good";
    case Kind::refuted: return "bad";
    case Kind::not_signed: break;
  }
  return "none";
}

/// What names the delivery in whichever dialect the request is; empty: nothing does.
std::string delivery_of(const http::Request& request) {
  const dialect::Received received{request.headers, as_bytes(request.body)};
  for (const dialect::Dialect* dialect : dialect::all()) {
    if (const auto id = dialect->delivery_of(received); !id.empty()) return std::string{id};
  }
  return {};
}

bool is_content_type(const std::string& header) {
  return http::equal_ignoring_case(std::string_view{header}.substr(0, header.find(':')),
                                   "content-type");
}

std::string answer_text(const Options& options, uint16_t status) {
  std::string text = "HTTP/1.1 " + std::to_string(status) + " " +
                     std::string(http::reason_phrase(status)) + "\r\n";
  for (const std::string& header : options.answer_headers) text += header + "\r\n";
  if (status == 204 || status == 304) return text + "\r\n";
  if (std::ranges::none_of(options.answer_headers, is_content_type)) {
    text += "Content-Type: text/plain\r\n";
  }
  return text + "Content-Length: " + std::to_string(options.answer_body.size()) + "\r\n\r\n" +
         options.answer_body;
}

}  // namespace

/// One sender's connection: a request at a time, in order.
class Connection final : public net::StreamOwner {
 public:
  Connection(Receiver& receiver, io::Socket socket)
      : receiver_(receiver), stream_(receiver.ring_, *this, io::ReceiveGroup::ingress) {
    stream_.adopt(socket, receiver.tls_);
  }

  void on_stream_open() override {}
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
      if (progress == http::RequestParser::Progress::failed) return refuse();
      if (progress == http::RequestParser::Progress::complete) take();
    }
    if (busy_) waiting_.append(as_text(bytes));
  }

  void on_stream_end(std::optional<Error>) override { close(true); }

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
  void refuse() {
    ++receiver_.totals_.malformed;
    const std::string text = "HTTP/1.1 " + std::to_string(parser_.error().status) +
                             " Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream_.send(as_bytes(text));
    close(true);
  }

  void take() {
    const http::Request request = parser_.take_request();
    keep_alive_ = request.keep_alive;
    const uint16_t status = receiver_.take(request);
    busy_ = true;
    pending_answer_ = answer_text(receiver_.options_, status);
    if (receiver_.options_.delay > Duration::zero()) {
      receiver_.ring_.arm<&Connection::answer>(*this, timer_, receiver_.options_.delay);
    } else {
      answer();
    }
  }

  void answer() {
    switch (receiver_.options_.fault) {
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
    stream_.send(as_bytes(pending_answer_));
    busy_ = false;
    if (!keep_alive_) return close(true);
    if (waiting_.empty()) return;
    const std::string rest = std::exchange(waiting_, {});
    on_stream_bytes(as_bytes(rest));
  }

  void drip() {
    if (dripped_ == pending_answer_.size()) return close(true);
    stream_.send(as_bytes(pending_answer_).subspan(dripped_++, 1));
    receiver_.ring_.arm<&Connection::drip>(*this, timer_, std::chrono::seconds{1});
  }

  void pour() {
    static const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
    if (stream_.queued_bytes() < 1u << 20) stream_.send(as_bytes(chunk));
    receiver_.ring_.arm<&Connection::pour>(*this, timer_, std::chrono::milliseconds{4});
  }

  Receiver& receiver_;
  net::Stream stream_;
  http::RequestParser parser_;
  io::Timer timer_;
  std::string pending_answer_;
  std::string waiting_;
  size_t dripped_ = 0;
  bool keep_alive_ = true;
  bool busy_ = false;
  bool closing_ = false;
};

Receiver::Receiver(io::Ring& ring, io::Socket listener, net::ServerTls* tls, const Options& options)
    : ring_(ring), listener_(listener), tls_(tls), options_(options) {
  if (!options.ledger_file.empty()) ledger_ = std::fopen(options.ledger_file.c_str(), "ae");
  ring_.accept<&Receiver::on_accept>(*this, accepting_, listener_);
}

Receiver::~Receiver() {
  if (ledger_ != nullptr) std::fclose(ledger_);
}

void Receiver::on_accept(const io::Outcome& outcome) {
  if (!outcome) return;
  ++totals_.connections;
  connections_.insert(new Connection(*this, outcome.socket()));
}

/// By the first of the secrets whose dialect finds something to verify.
dialect::Verdict Receiver::verify(const http::Request& request) const {
  dialect::Verdict verdict = dialect::not_signed("there is no secret to verify it with");
  for (const Secret& secret : options_.secrets) {
    verdict = secret.dialect->verify({request.headers, as_bytes(request.body)}, secret.text,
                                     {.now = ring_.wall_now()});
    if (verdict.kind != Kind::not_signed) break;
  }
  return verdict;
}

uint16_t Receiver::take(const http::Request& request) {
  ++totals_.requests;
  const Judgement judgement{
      .signature = verify(request),
      .delivery = delivery_of(request),
      .status = totals_.requests <= options_.fail_first ? uint16_t{503} : options_.status};
  switch (judgement.signature.kind) {
    case Kind::authentic: ++totals_.signatures_good; break;
    case Kind::refuted: ++totals_.signatures_bad; break;
    case Kind::not_signed: ++totals_.unsigned_requests; break;
  }
  const std::string& delivery = judgement.delivery;
  if (!delivery.empty() && !deliveries_.insert(delivery).second) ++totals_.duplicates;
  if (!options_.id_member.empty()) {
    simdjson::dom::parser parser;
    uint64_t number = 0;
    if (parser.parse(request.body).at_pointer("/" + options_.id_member).get(number) ==
        simdjson::SUCCESS) {
      numbers_.insert(number);
    }
  }
  if (judgement.status >= 200 && judgement.status < 300) ++totals_.answered_2xx;
  note(request, judgement);
  if (options_.on_request) options_.on_request(request, judgement.signature);
  return judgement.status;
}

void Receiver::note(const http::Request& request, const Judgement& judgement) {
  const char* signature = word_for(judgement.signature.kind);
  if (ledger_ != nullptr) {
    const std::string hash =
        crypto::hex_encode(crypto::bytes_of(crypto::sha256(as_bytes(request.body))));
    std::fprintf(ledger_, "%lld\t%s\t%s\t%s\t%s\t%u\n",
                 static_cast<long long>(to_unix_ns(ring_.wall_now())),
                 printable(judgement.delivery).c_str(),
                 printable(request.header("ringpost-attempt")).c_str(), hash.c_str(), signature,
                 judgement.status);
    std::fflush(ledger_);  // A killed sink has noted what it answered.
  }
  if (!options_.print) return;
  std::printf("%s %s  signature %s  answered %u\n", request.method.c_str(),
              printable(request.target).c_str(), signature, judgement.status);
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

std::vector<uint64_t> Receiver::missing() const {
  std::vector<uint64_t> missing;
  for (uint64_t number = 1; number <= options_.expect; ++number) {
    if (!numbers_.contains(number)) missing.push_back(number);
  }
  return missing;
}

void Receiver::stop() {
  ring_.cancel(accepting_);
  const std::vector<Connection*> open(connections_.begin(), connections_.end());
  for (Connection* connection : open) connection->close(false);
}

}  // namespace ringpost::sink
