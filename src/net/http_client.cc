#include "net/http_client.h"

#include "http/response_parser.h"
#include "http/serialiser.h"
#include "http/syntax.h"
#include "net/stream.h"
#include "ringpost/version.h"

#include <algorithm>
#include <utility>

namespace ringpost::net {
namespace {

/// Servers whose TLS tickets are kept.
constexpr size_t tls_kept_max = 16;

/// On whose account its names are asked for: nobody's, beside all organizations.
constexpr uint64_t resolver_share = 0;

/// Whether naming a server says that this does not hold for it.
bool is_meant(Denial denial) {
  return denial == Denial::special_network || denial == Denial::plain_http ||
         denial == Denial::port;
}

/// Whole lines only: behind the first one.
std::vector<http::Header> headers_of(std::string_view head) {
  std::vector<http::Header> headers;
  while (!head.empty()) {
    const size_t end = std::min(head.find("\r\n"), head.size());
    if (const auto field = http::parse_field_line(head.substr(0, end))) {
      headers.push_back({std::string{field->name}, std::string{field->value}});
    }
    head.remove_prefix(std::min(end + 2, head.size()));
  }
  return headers;
}

}  // namespace

std::optional<Denial> denial_of_request(const EgressPolicy& policy, const http::Url& url,
                                        const io::Address& address, bool operator_named) {
  if (policy.leads_back(url.host, url.port)) return Denial::own_address;
  const auto denial = policy.denial_of(address, url.tls);
  return denial && operator_named && is_meant(*denial) ? std::nullopt : denial;
}

std::string_view ClientAnswer::header(std::string_view name) const {
  for (const http::Header& header : headers) {
    if (http::equal_ignoring_case(header.name, name)) return header.value;
  }
  return {};
}

/// resolve ─> connect (and handshake) ─> exchange ─> closing. Any step may fail: the answer says
/// so, the connection closes.
class HttpClient::Call final : private StreamOwner {
 public:
  Call(HttpClient& client, ClientRequest&& request, Done&& done)
      : client_(client),
        request_(std::move(request)),
        done_(std::move(done)),
        stream_(client.ring_, *this, io::ReceiveGroup::reply),
        parser_(http::ResponseLimits{.body_bytes_max = request_.answer_bytes_max}) {}

  void begin() {
    client_.ring_.arm<&Call::on_deadline>(*this, timer_, request_.timeout);
    client_.resolver_.resolve<&Call::on_resolved>(*this, query_, request_.url.host, resolver_share);
  }

  void abort() { fail({Errc::cancelled, Side::self}); }

 private:
  bool allowed(const io::Address& address) const {
    return !denial_of_request(*client_.policy_, request_.url, address, request_.operator_named);
  }

  void on_resolved() {
    if (query_.error) return fail(*query_.error);
    for (io::Address& address : query_.addresses) {
      address.port = request_.url.port;
      if (allowed(address)) addresses_.push_back(address);
    }
    std::ranges::reverse(addresses_);
    if (addresses_.empty()) return fail({Errc::destination_denied, Side::operator_});
    if (request_.url.tls) tls_ = client_.tls_for(request_);
    if (request_.url.tls && tls_ == nullptr) {
      return fail({Errc::certificate_invalid, Side::operator_});
    }
    connect_next();
  }

  void connect_next() {
    const io::Address address = addresses_.back();
    addresses_.pop_back();
    stream_begun_ = true;
    stream_.connect(address, tls_.get(), request_.url.host);
  }

  void on_stream_open() override {
    addresses_.clear();
    asked_ = true;
    std::string head;
    http::append_request_head(head,
                              {.method = request_.method,
                               .target = request_.url.target,
                               .authority = request_.url.authority(),
                               .body_bytes = request_.body.size(),
                               .keep_alive = false},
                              request_.headers);
    stream_.send(as_bytes(head), as_bytes(request_.body));
  }

  void on_stream_bytes(Bytes bytes) override {
    using Progress = http::ResponseParser::Progress;
    if (done_ == nullptr) return;
    switch (parser_.feed(bytes)) {
      case Progress::need_more: return;
      case Progress::failed: return fail(parser_.error());
      case Progress::enough:
      case Progress::complete: return succeed();
    }
  }

  void on_stream_sent() override {}

  void on_stream_end(std::optional<Error> error) override {
    if (done_ == nullptr) return;
    const bool untried = !addresses_.empty() && error && !asked_;
    if (untried) return stream_.close(false);
    if (asked_ && parser_.on_end(error)) return succeed();
    fail(asked_ ? parser_.error() : error.value_or(Error{Errc::closed, Side::endpoint}));
  }

  void on_stream_closed() override {
    stream_begun_ = false;
    if (done_ != nullptr) return connect_next();
    client_.forget(*this);
  }

  void on_deadline() {
    const bool unasked = query_.pending() && !query_.asked();
    const Error late = !query_.pending() ? Error{Errc::timed_out, Side::endpoint}
                       : unasked         ? Error{Errc::overloaded, Side::self}
                                         : Error{Errc::name_timed_out, Side::operator_};
    if (asked_ && parser_.on_end(late)) return succeed();
    fail(late);
  }

  void succeed() {
    finish({.status = parser_.status(),
            .headers = headers_of(parser_.head()),
            .body = parser_.take_body(),
            .truncated = parser_.truncated()});
  }
  void fail(const Error& error) { finish({.error = error}); }

  /// May be the last thing this object does.
  void finish(ClientAnswer&& answer) {
    if (done_ != nullptr) std::exchange(done_, nullptr)(std::move(answer));
    client_.ring_.disarm(timer_);
    client_.resolver_.cancel(query_);
    if (stream_begun_) return stream_.close(false);
    client_.forget(*this);
  }

  HttpClient& client_;
  ClientRequest request_;
  Done done_;  ///< Null: called.
  std::shared_ptr<ClientTls> tls_;
  Stream stream_;
  http::ResponseParser parser_;
  Query query_;
  std::vector<io::Address> addresses_;  ///< Allowed ones that were not tried yet, last first.
  io::Timer timer_;
  bool stream_begun_ = false;  ///< Then its close has to be waited for.
  bool asked_ = false;
};

HttpClient::HttpClient(io::Ring& ring, Resolver& resolver, const EgressPolicy& policy,
                       std::shared_ptr<CommonRoots> roots)
    : ring_(ring), resolver_(resolver), policy_(&policy), roots_(std::move(roots)) {}

HttpClient::~HttpClient() {
  RINGPOST_ASSERT(idle());
}

void HttpClient::reconfigure(const EgressPolicy& policy, std::shared_ptr<CommonRoots> roots) {
  policy_ = &policy;
  if (roots_ != roots) tls_.clear();
  roots_ = std::move(roots);
}

void HttpClient::send(ClientRequest&& request, Done done) {
  if (stopping_) return done({.error = Error{Errc::cancelled, Side::self}});
  if (calls_.size() >= requests_max) return done({.error = Error{Errc::overloaded, Side::self}});
  request.headers.push_back({"User-Agent", std::string{"ringpost/"} + version});
  auto call = std::make_unique<Call>(*this, std::move(request), std::move(done));
  Call& begun = *call;
  calls_.emplace(&begun, std::move(call));
  begun.begin();
}

void HttpClient::stop() {
  stopping_ = true;
  std::vector<Call*> calls;
  for (const auto& [address, call] : calls_) calls.push_back(call.get());
  for (Call* call : calls) call->abort();
}

/// Null if the system has no roots, or what is to be trusted or shown is of no use.
std::shared_ptr<ClientTls> HttpClient::tls_for(const ClientRequest& request) {
  const std::string authority = request.url.authority();
  KnownServer& known = tls_[authority];
  if (known.tls != nullptr && known.trust == request.trust) return known.tls;
  ClientTls::Options options{.roots = roots_.get()};
  if (request.trust != nullptr) {
    options.ca_pem = request.trust->ca_pem;
    options.certificate_pem = request.trust->certificate_pem;
    options.key_pem = request.trust->key_pem;
  }
  auto made = ClientTls::create(options);
  known = {.trust = request.trust, .tls = made ? std::move(*made) : nullptr};
  std::shared_ptr<ClientTls> tls = known.tls;
  if (tls == nullptr || tls_.size() > tls_kept_max) tls_.erase(authority);
  return tls;
}

void HttpClient::forget(Call& call) {
  calls_.erase(&call);
}

}  // namespace ringpost::net
