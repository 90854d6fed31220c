#include "server/trial.h"

#include "http/response_parser.h"
#include "http/url.h"
#include "io/engine.h"
#include "net/egress_policy.h"
#include "net/shard_resolver.h"
#include "net/stream.h"
#include "ringpost/version.h"
#include "server/hosts.h"
#include "server/settings.h"

#include <optional>
#include <utility>

namespace ringpost::server {
namespace {

using Verdict = Finding::Verdict;

constexpr Duration step_max = std::chrono::seconds{10};

std::string listed(const std::vector<io::Address>& addresses) {
  std::string text;
  for (const io::Address& address : addresses) {
    text += (text.empty() ? "" : ", ") + address.to_text();
  }
  return text;
}

/// One receiver, on a ring of its own.
class Trial final : private net::StreamOwner {
 public:
  Trial(io::Ring& ring, net::NameService& names, const shard::LiveSettings& settings,
        const Receiver& receiver, http::Url url)
      : ring_(ring),
        settings_(settings),
        receiver_(receiver),
        url_(std::move(url)),
        resolver_(ring, names, counters_),
        stream_(ring, *this, io::ReceiveGroup::reply),
        parser_(http::ResponseLimits{.body_bytes_max = 0}) {}

  Findings run() {
    if (resolve() && choose() && open()) exchange();
    return std::move(findings_);
  }

 private:
  bool found(Verdict verdict, std::string step, std::string text, std::string remedy = {}) {
    findings_.push_back({verdict, std::move(step), std::move(text), std::move(remedy)});
    return verdict != Verdict::failure;
  }

  template <typename Done>
  bool turn_until(Done done) {
    const Instant begin = ring_.now();
    timed_out_ = false;
    ring_.arm<&Trial::on_deadline>(*this, deadline_, step_max);
    while (!done() && !timed_out_) {
      ring_.turn(true);
      resolver_.poll();
    }
    ring_.disarm(deadline_);
    took_ = ring_.now() - begin;
    return done();
  }
  void on_deadline() { timed_out_ = true; }

  bool resolve() {
    resolver_.resolve<&Trial::on_addresses>(*this, query_, url_.host, 0);
    while (query_.pending()) {
      ring_.turn(true);
      resolver_.poll();
    }
    if (query_.error) {
      return found(Verdict::failure, "name", url_.host + ": " + describe(*query_.error),
                   "check the name, and the name servers in /etc/resolv.conf");
    }
    for (io::Address& address : query_.addresses) address.port = url_.port;
    return found(Verdict::ok, "name", url_.host + " is at " + listed(query_.addresses));
  }
  void on_addresses() {}

  bool choose() {
    for (const io::Address& address : query_.addresses) {
      if (settings_.policy.allows(address, url_.tls)) allowed_.push_back(address);
    }
    if (!allowed_.empty()) {
      return found(Verdict::ok, "policy", "deliveries to " + listed(allowed_) + " are allowed");
    }
    const io::Address& first = query_.addresses.front();
    const net::Denial denial = *settings_.policy.denial_of(first, url_.tls);
    return found(Verdict::failure, "policy",
                 "deliveries to " + url_.authority() + " are not allowed: " + first.to_text() +
                     " " + std::string{describe(denial)},
                 "if it is meant: " + std::string{remedy_of(denial)});
  }

  bool open() {
    if (url_.tls) {
      auto tls = net::ClientTls::create(
          {.verify = receiver_.verify, .ca_pem = receiver_.ca_pem, .roots = settings_.roots.get()});
      if (!tls) {
        return found(Verdict::failure, "TLS", net::describe_tls(tls.error()),
                     "give a PEM file of certificates as the CA");
      }
      tls_ = std::move(*tls);
    }
    for (const io::Address& address : allowed_) {
      if (connect(address)) return opened();
      findings_.push_back(failure_at(address));
      end();
    }
    return false;
  }

  bool connect(const io::Address& address) {
    has_ended_ = false;
    is_closed_ = false;
    error_.reset();
    stream_.connect(address, tls_.get(), url_.host);
    turn_until([this] { return stream_.open() || has_ended_; });
    return stream_.open();
  }

  Finding failure_at(const io::Address& address) const {
    const std::string at = address.to_text() + ": ";
    if (error_ && error_->code == Errc::certificate_invalid) {
      return {Verdict::failure, "TLS", at + net::describe_tls(*error_),
              "mend the receiver's certificate, or give its CA in delivery.ca_file or with the "
              "webhook"};
    }
    if (error_ && error_->code == Errc::tls_failed) {
      return {Verdict::failure, "TLS", at + net::describe_tls(*error_),
              "is it a TLS port, and does the receiver take TLS 1.2 or 1.3?"};
    }
    const std::string why = error_       ? net::describe_tls(*error_)
                            : has_ended_ ? "the receiver closed the connection"
                            : url_.tls   ? "no connection, or no TLS handshake, within 10 s"
                                         : "no connection within 10 s";
    return {Verdict::failure, "connection", at + why,
            "is the receiver running there, and does a firewall let this machine through?"};
  }

  bool opened() {
    if (!url_.tls) {
      return found(Verdict::ok, "connection", "open after " + in_ms(took_) + ", plain http");
    }
    const TlsSession session = stream_.tls_session();
    return found(Verdict::ok, "TLS",
                 (receiver_.verify ? "open and verified after " : "open, NOT verified, after ") +
                     in_ms(took_) + ": " + net::tls_version_name(session.version) + ", " +
                     net::tls_cipher_name(session.cipher) + ", " +
                     net::tls_group_name(session.group));
  }

  void judge(uint16_t status) {
    const std::string text =
        "HTTP " + std::to_string(status) + " to a HEAD request after " + in_ms(took_);
    if (status >= 300 && status < 400) {
      found(Verdict::warning, "answer", text, "redirects are not followed: give the new URL");
    } else if (status == 410) {
      found(Verdict::warning, "answer", text, "to a delivery, 410 disables the webhook");
    } else if (status >= 500) {
      found(Verdict::warning, "answer", text, "see the receiver's log");
    } else {
      found(Verdict::ok, "answer", text);
    }
  }

  void exchange() {
    const std::string head = "HEAD " + url_.target + " HTTP/1.1\r\nHost: " + url_.authority() +
                             "\r\nUser-Agent: ringpost/" + version + "\r\n\r\n";
    stream_.send(as_bytes(head));
    turn_until([this] { return answered_ || has_ended_; });
    if (parser_.status() != 0) {
      judge(parser_.status());
    } else if (answered_) {
      found(Verdict::failure, "answer", "what the receiver sends is not an HTTP answer",
            "is this the port of an HTTP server?");
    } else {
      found(Verdict::warning, "answer",
            has_ended_ ? "the receiver closed the connection without an answer to a HEAD request"
                       : "no answer to a HEAD request within 10 s",
            "a POST may be answered all the same; send a test event: ringpost webhook ping ID");
    }
    end();
  }

  void end() {
    stream_.close(false);
    while (!is_closed_) ring_.turn(true);
  }

  void on_stream_open() override {}
  void on_stream_bytes(Bytes bytes) override {
    if (answered_) return;  // The status is enough, and after a fault the parser takes no more.
    const auto progress = parser_.feed(bytes);
    answered_ = progress != http::ResponseParser::Progress::need_more || parser_.status() != 0;
  }
  void on_stream_sent() override {}
  void on_stream_end(std::optional<Error> error) override {
    has_ended_ = true;
    error_ = error;
  }
  void on_stream_closed() override { is_closed_ = true; }

  io::Ring& ring_;
  const shard::LiveSettings& settings_;
  const Receiver& receiver_;
  const http::Url url_;
  Counters counters_;
  net::ShardResolver resolver_;
  net::Query query_;
  std::vector<io::Address> allowed_;
  std::unique_ptr<net::ClientTls> tls_;
  net::Stream stream_;
  http::ResponseParser parser_;
  io::Timer deadline_;
  std::optional<Error> error_;
  Duration took_{};
  bool answered_ = false;
  bool timed_out_ = false;
  bool has_ended_ = false;
  bool is_closed_ = true;
  Findings findings_;
};

Findings failed(const std::string& text, const std::string& remedy) {
  return {{Verdict::failure, "URL", text, remedy}};
}

}  // namespace

Findings try_receiver(const Config& config, const Receiver& receiver) {
  auto parsed = http::parse_url(receiver.url);
  if (const auto* problem = std::get_if<http::UrlProblem>(&parsed)) {
    return failed("the URL " + problem->reason, "give one as in https://ci.example.org/hook");
  }
  const auto own = std::make_shared<net::OwnAddresses>();
  std::vector<io::Address> listeners;
  for (const ListenerConfig& listener : config.listeners) listeners.push_back(listener.address);
  own->set(own_addresses(config, listeners));
  std::string why;
  const auto settings = live_settings(config, own, why);
  if (!settings) return failed(why, "mend the configuration");
  const io::OpenedRing opened = io::open_ring(config.engine, io::FileUse::none);
  if (opened.ring == nullptr) return failed(opened.problem, "");
  io::Ring& ring = *opened.ring;
  net::NameService names{{}};
  Findings findings =
      Trial{ring, names, *settings, receiver, std::get<http::Url>(std::move(parsed))}.run();
  while (ring.pending_count() > 0) ring.turn(true);
  return findings;
}

}  // namespace ringpost::server
