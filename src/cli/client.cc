#include "cli/client.h"

#include "http/response_parser.h"
#include "http/url.h"
#include "io/engine.h"
#include "io/read_file.h"
#include "net/egress_policy.h"
#include "net/stream.h"
#include "net/tls.h"
#include "ringpost/version.h"

#include <memory>
#include <netdb.h>
#include <sys/socket.h>

namespace ringpost::cli {
namespace {

constexpr Duration request_time_max = std::chrono::seconds{60};
constexpr uint32_t answer_bytes_max = 64u << 20;

/// Over our own engine, so that plain, TLS and Unix sockets work as they do in the relay.
class StreamClient final : public Client, private net::StreamOwner {
 public:
  StreamClient(std::unique_ptr<io::Ring> ring, io::Address address, std::string host,
               std::unique_ptr<net::ClientTls> tls, std::string token)
      : ring_(std::move(ring)),
        address_(std::move(address)),
        host_(std::move(host)),
        tls_(std::move(tls)),
        token_(std::move(token)),
        stream_(*ring_, *this, io::ReceiveGroup::reply),
        parser_(http::ResponseLimits{.body_bytes_max = answer_bytes_max}) {}

  ~StreamClient() override {
    if (state_ == State::unused || state_ == State::closed) return;
    stream_.close(false);
    while (state_ != State::closed) ring_->turn(true);
  }

  std::optional<Answer> request(std::string_view method, std::string_view target,
                                std::string_view content_type, std::string_view body,
                                std::string& problem) override {
    std::string head = begin_head(method, target);
    if (!body.empty()) head += "Content-Type: " + std::string(content_type) + "\r\n";
    head += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    exchange(head, body);
    if (!done_) {
      problem = describe_failure();
      return std::nullopt;
    }
    Answer answer = take_answer();
    close_if_spent();
    return answer;
  }

  Followed follow(std::string_view target, std::string_view last_id,
                  const std::function<bool(std::string_view)>& take) override {
    std::string head = begin_head("GET", target) + "Accept: text/event-stream\r\n";
    if (!last_id.empty()) head += "Last-Event-ID: " + std::string(last_id) + "\r\n";
    take_ = &take;
    exchange(head + "\r\n", {});
    take_ = nullptr;
    Followed followed{.begun = is_stream(), .refusal = {}, .problem = {}};
    if (!done_) {
      followed.problem =
          followed.begun && !error_ ? "the connection was closed" : describe_failure();
    } else if (!followed.begun) {
      followed.refusal = take_answer();
    }
    close_if_spent();
    return followed;
  }

 private:
  enum class State : uint8_t { unused, opening, open, closing, closed };

  std::string begin_head(std::string_view method, std::string_view target) const {
    std::string head = std::string(method) + " " + std::string(target) +
                       " HTTP/1.1\r\nHost: " + host_ + "\r\nUser-Agent: ringpost/" + version +
                       "\r\n";
    if (!token_.empty()) head += "Authorization: Bearer " + token_ + "\r\n";
    return head;
  }

  /// Until the answer is done, or cannot be any more.
  void exchange(const std::string& head, std::string_view body) {
    error_.reset();
    parser_.reset();
    done_ = false;
    ring_->turn(false);
    ring_->arm<&StreamClient::on_deadline>(*this, deadline_, request_time_max);
    const bool kept = state_ == State::open;
    if (!kept) open();
    while (state_ == State::opening) ring_->turn(true);
    if (state_ == State::open) stream_.send(as_bytes(head), as_bytes(body));
    while (!done_ && state_ == State::open) ring_->turn(true);
    ring_->disarm(deadline_);
  }

  Answer take_answer() const {
    return {parser_.status(), std::string(as_text(parser_.body())),
            std::string(parser_.header("retry-after"))};
  }

  void close_if_spent() {
    if (parser_.reusable() || state_ != State::open) return;
    stream_.close(!is_stream());
    while (state_ != State::closed) ring_->turn(true);
  }

  bool is_stream() const {
    return parser_.status() == 200 && parser_.header("content-type") == "text/event-stream";
  }

  void open() {
    while (state_ == State::closing) ring_->turn(true);
    state_ = State::opening;
    stream_.connect(address_, tls_.get(), host_name_);
  }

  std::string describe_failure() const {
    if (!error_) {
      const std::string closed = "the connection was closed without an answer";
      return tls_ ? closed : closed + ": is that the relay's port, and does it use http?";
    }
    std::string text = net::describe_tls(*error_);
    if (error_->code != Errc::refused && error_->code != Errc::not_found) return text;
    return text + ": is the relay running there? (ringpost serve)";
  }

  void fail(std::optional<Error> error) {
    if (!error_) error_ = error;
    if (state_ == State::closing) return;
    state_ = State::closing;
    stream_.close(false);
  }

  void on_deadline() { fail(Error{Errc::timed_out, Side::self}); }
  void on_stream_open() override { state_ = State::open; }
  void on_stream_bytes(Bytes bytes) override {
    if (done_ || error_) return;
    const auto progress = parser_.feed(bytes);
    if (take_ != nullptr && is_stream()) {
      ring_->arm<&StreamClient::on_deadline>(*this, deadline_, request_time_max);
      done_ = !(*take_)(parser_.take_body());
      if (done_) return;
    }
    if (progress == http::ResponseParser::Progress::need_more) return;
    if (progress == http::ResponseParser::Progress::failed) return fail(parser_.error());
    if (const auto fault = parser_.fault(); fault && !parser_.complete()) {
      return fail(Error{Errc::malformed, Side::endpoint, static_cast<int32_t>(*fault)});
    }
    done_ = true;
  }
  void on_stream_sent() override {}
  void on_stream_end(std::optional<Error> error) override {
    // An answer may end the connection while the request is still being sent.
    if (!error && !done_ && !error_ && parser_.begun()) {
      done_ = parser_.on_end(error) && parser_.complete();
    }
    fail(error);
  }
  void on_stream_closed() override { state_ = State::closed; }

  friend class Client;

  std::unique_ptr<io::Ring> ring_;
  const io::Address address_;
  const std::string host_;
  std::string host_name_;  ///< Without port, for TLS.
  const std::unique_ptr<net::ClientTls> tls_;
  const std::string token_;
  net::Stream stream_;
  http::ResponseParser parser_;
  io::Timer deadline_;
  std::optional<Error> error_;
  State state_ = State::unused;
  bool done_ = false;
  const std::function<bool(std::string_view)>* take_ = nullptr;  ///< While a stream is followed.
};

}  // namespace

// A command waits for its one answer: the only place that looks a name up in the blocking way.
std::optional<io::Address> resolve(const std::string& host, uint16_t port) {
  if (const auto literal = io::Address::parse_ip(host, port)) return *literal;
  // Not every system's resolver knows the names below it.
  if (net::names_this_host(host) && host != "localhost") {
    return *io::Address::parse_ip("127.0.0.1", port);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return std::nullopt;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> guard(found, freeaddrinfo);
  char text[NI_MAXHOST];
  if (getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0,
                  NI_NUMERICHOST) != 0) {
    return std::nullopt;
  }
  const auto address = io::Address::parse_ip(text, port);
  return address ? std::optional{*address} : std::nullopt;
}

std::unique_ptr<net::ClientTls> make_tls(const ClientOptions& options, std::string& problem) {
  net::ClientTls::Options tls;
  tls.verify = options.verify;
  if (!options.ca_file.empty()) {
    const auto text = io::read_file(options.ca_file);
    if (!text || text->empty()) {
      problem = "--ca " + options.ca_file +
                (text ? " is empty" : " cannot be read: " + describe(text.error()));
      return nullptr;
    }
    tls.ca_pem = *text;
  }
  auto made = net::ClientTls::create(tls);
  if (!made) {
    problem = options.ca_file.empty()
                  ? net::describe_tls(made.error())
                  : "--ca " + options.ca_file + " contains no certificate in PEM form";
    return nullptr;
  }
  return std::move(*made);
}

std::unique_ptr<Client> Client::create(const ClientOptions& options, std::string& problem,
                                       bool& wrong_usage) {
  wrong_usage = true;
  if (options.token.find_first_of("\r\n") != std::string::npos) {
    problem = "the token must be one line";
    return nullptr;
  }
  io::OpenedRing opened = io::open_ring(io::EngineChoice::automatic, io::FileUse::none);
  if (opened.ring == nullptr) {
    wrong_usage = false;
    problem = opened.problem;
    return nullptr;
  }
  if (options.url.starts_with("unix:")) {
    const auto address = io::Address::parse(options.url);
    if (!address) {
      problem = "the relay's URL " + options.url +
                " must be unix:/path, with a path of at most 107 bytes";
      return nullptr;
    }
    return std::make_unique<StreamClient>(std::move(opened.ring), *address, "localhost", nullptr,
                                          options.token);
  }
  const auto parsed = http::parse_url(options.url);
  if (const auto* reason = std::get_if<http::UrlProblem>(&parsed)) {
    problem = "the relay's URL " + options.url + " " + reason->reason;
    return nullptr;
  }
  const auto& url = std::get<http::Url>(parsed);
  if (url.target != "/") {
    problem = "the relay's URL " + options.url + " has a path or a query: leave " + url.target +
              " out; the relay answers at the root of its host";
    return nullptr;
  }
  const auto address = resolve(url.host, url.port);
  if (!address) {
    wrong_usage = false;
    problem = "the name " + url.host + " does not resolve";
    return nullptr;
  }
  std::unique_ptr<net::ClientTls> tls;
  if (url.tls && (tls = make_tls(options, problem)) == nullptr) return nullptr;
  auto client = std::make_unique<StreamClient>(std::move(opened.ring), *address, url.authority(),
                                               std::move(tls), options.token);
  client->host_name_ = url.host;
  return client;
}

}  // namespace ringpost::cli
