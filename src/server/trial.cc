#include "server/trial.h"

#include "http/response_parser.h"
#include "http/serialiser.h"
#include "io/engine.h"
#include "net/client_certificate.h"
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
constexpr uint32_t answer_bytes_max = 64 * 1024;

std::string listed(const std::vector<io::Address>& addresses) {
  std::string text;
  for (const io::Address& address : addresses) {
    text += (text.empty() ? "" : ", ") + address.to_text();
  }
  return text;
}

/// One server, on a ring of its own.
class Trial final : private net::StreamOwner {
 public:
  Trial(io::Ring& ring, net::NameService& names, const shard::LiveSettings& settings,
        const TrialServer& server)
      : ring_(ring),
        settings_(settings),
        server_(server),
        url_(server.url),
        resolver_(ring, names, counters_),
        stream_(ring, *this, io::ReceiveGroup::reply),
        parser_(http::ResponseLimits{.body_bytes_max = is_head() ? 0 : answer_bytes_max}) {}

  Findings run() {
    if (resolve() && choose() && open()) exchange();
    for (Finding& finding : findings_) finding.subject.insert(0, server_.subject);
    return std::move(findings_);
  }

 private:
  bool is_head() const { return server_.method == "HEAD"; }
  std::string the_server() const { return "the " + server_.noun; }

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

  std::optional<net::Denial> denial_of(const io::Address& address) const {
    return net::denial_of_request(settings_.policy, url_, address, server_.operator_named);
  }

  bool choose() {
    for (const io::Address& address : query_.addresses) {
      if (!denial_of(address)) allowed_.push_back(address);
    }
    const std::string what = server_.operator_named ? "connections to " : "deliveries to ";
    if (!allowed_.empty()) {
      return found(Verdict::ok, "policy", what + listed(allowed_) + " are allowed");
    }
    const io::Address& first = query_.addresses.front();
    const net::Denial denial = *denial_of(first);
    return found(Verdict::failure, "policy",
                 what + url_.authority() + " are not allowed: " + first.to_text() + " " +
                     std::string{describe(denial)},
                 "if it is meant: " + std::string{remedy_of(denial)});
  }

  bool open() {
    if (url_.tls) {
      auto tls = net::ClientTls::create({.verify = server_.verify,
                                         .ca_pem = server_.trust.ca_pem,
                                         .roots = settings_.roots.get(),
                                         .certificate_pem = server_.trust.certificate_pem,
                                         .key_pem = server_.trust.key_pem});
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
    connected_at_.reset();
    has_ended_ = false;
    is_closed_ = false;
    error_.reset();
    begun_at_ = ring_.now();
    stream_.connect(address, tls_.get(), url_.host);
    turn_until([this] { return stream_.open() || has_ended_; });
    return stream_.open();
  }

  Finding failure_at(const io::Address& address) const {
    const std::string at = address.to_text() + ": ";
    if (error_ && error_->code == Errc::certificate_invalid) {
      return failure(
          "TLS", at + net::describe_tls(*error_),
          "mend the " + server_.noun + "'s certificate, or give its CA in " + server_.ca_place);
    }
    if (error_ && error_->code == Errc::tls_failed) return tls_failure(at, *error_);
    if (connected_at_ && !has_ended_) {
      return failure("TLS", at + "no TLS handshake within 10 s",
                     "is it a TLS port, and is " + the_server() + " overloaded?");
    }
    const std::string why = error_       ? net::describe_tls(*error_)
                            : has_ended_ ? the_server() + " closed the connection"
                                         : "no connection within 10 s";
    return failure(
        "connection", at + why,
        "is " + the_server() + " running there, and does a firewall let this machine through?");
  }

  /// @param at  begins the text.
  Finding tls_failure(const std::string& at, const Error& error) const {
    std::string remedy = "is it a TLS port, and does " + the_server() + " take TLS 1.2 or 1.3?";
    if (net::is_about_client_certificate(error) && !server_.certificate_place.empty()) {
      remedy =
          server_.trust.certificate_pem.empty()
              ? "it wants a certificate: name one that it trusts in " + server_.certificate_place
              : "it does not take the certificate of " + server_.certificate_place +
                    ": is it of the authority that " + the_server() + " trusts, and in force?";
    }
    return failure("TLS", at + net::describe_tls(error), remedy);
  }

  void on_stream_connected() override { connected_at_ = ring_.now(); }

  bool opened() {
    const std::string after =
        "open after " + in_ms(connected_at_.value_or(ring_.now()) - begun_at_);
    if (!url_.tls) return found(Verdict::ok, "connection", after + ", plain http");
    found(Verdict::ok, "connection", after);
    const TlsSession session = stream_.tls_session();
    return found(Verdict::ok, "TLS",
                 (server_.verify ? "open and verified after " : "open, NOT verified, after ") +
                     in_ms(took_) + ": " + net::tls_version_name(session.version) + ", " +
                     net::tls_cipher_name(session.cipher) + ", " +
                     net::tls_group_name(session.group));
  }

  void exchange() {
    std::string head;
    std::vector<http::Header> headers = server_.headers;
    headers.push_back({"User-Agent", std::string{"ringpost/"} + version});
    http::append_request_head(head,
                              {.method = server_.method,
                               .target = url_.target,
                               .authority = url_.authority(),
                               .body_bytes = server_.body.size(),
                               .keep_alive = false},
                              headers);
    stream_.send(as_bytes(head), as_bytes(server_.body));
    turn_until([this] { return answered_ || has_ended_; });
    if (!answered_ && parser_.status() != 0) parser_.on_end(error_);
    judge();
    end();
  }

  void judge() {
    if (parser_.status() != 0) {
      TrialAnswer answer{.status = parser_.status(),
                         .location = std::string{parser_.header("location")},
                         .body = parser_.take_body(),
                         .took = took_};
      for (Finding& finding : server_.judge(answer)) findings_.push_back(std::move(finding));
    } else if (answered_) {
      found(Verdict::failure, "answer", "what " + the_server() + " sends is not an HTTP answer",
            "is this the port of an HTTP server?");
    } else if (error_ && error_->code == Errc::tls_failed) {
      findings_.push_back(tls_failure({}, *error_));  // With TLS 1.3 the refusal comes so late.
    } else {
      const std::string to = " to a " + server_.method + " request";
      found(server_.silence, "answer",
            has_ended_ ? the_server() + " closed the connection without an answer" + to
                       : "no answer" + to + " within 10 s",
            server_.silence_remedy);
    }
  }

  void end() {
    stream_.close(false);
    while (!is_closed_) ring_.turn(true);
  }

  void on_stream_open() override {}
  void on_stream_bytes(Bytes bytes) override {
    if (answered_) return;  // It is enough, and after a fault the parser takes no more.
    const auto progress = parser_.feed(bytes);
    // Of a HEAD request's answer the status is enough: its length is that of no body.
    const bool has_enough = is_head() && parser_.status() != 0;
    answered_ = progress != http::ResponseParser::Progress::need_more || has_enough;
  }
  void on_stream_sent() override {}
  void on_stream_end(std::optional<Error> error) override {
    has_ended_ = true;
    error_ = error;
  }
  void on_stream_closed() override { is_closed_ = true; }

  io::Ring& ring_;
  const shard::LiveSettings& settings_;
  const TrialServer& server_;
  const http::Url& url_;
  Counters counters_;
  net::ShardResolver resolver_;
  net::Query query_;
  std::vector<io::Address> allowed_;
  std::unique_ptr<net::ClientTls> tls_;
  net::Stream stream_;
  http::ResponseParser parser_;
  io::Timer deadline_;
  Instant begun_at_{};
  std::optional<Instant> connected_at_;
  std::optional<Error> error_;
  Duration took_{};
  bool answered_ = false;
  bool timed_out_ = false;
  bool has_ended_ = false;
  bool is_closed_ = true;
  Findings findings_;
};

Findings failed(const std::string& subject, const std::string& text, const std::string& remedy) {
  return {failure(subject + "URL", text, remedy)};
}

Findings judge_receiver(const TrialAnswer& answer) {
  const std::string text =
      "HTTP " + std::to_string(answer.status) + " to a HEAD request after " + in_ms(answer.took);
  if (answer.status >= 300 && answer.status < 400) {
    return {warning("answer", text, "redirects are not followed: give the new URL")};
  }
  if (answer.status == 410) {
    return {warning("answer", text, "to a delivery, 410 disables the webhook")};
  }
  if (answer.status >= 500) return {warning("answer", text, "see the receiver's log")};
  return {ok("answer", text)};
}

}  // namespace

Findings try_server(const Config& config, TrialServer server) {
  const auto own = std::make_shared<net::OwnAddresses>();
  std::vector<io::Address> listeners;
  for (const ListenerConfig& listener : config.listeners) listeners.push_back(listener.address);
  own->set(own_addresses(config, listeners));
  std::string why;
  const auto settings = live_settings(config, own, why);
  if (!settings) return failed(server.subject, why, "mend the configuration");
  const io::OpenedRing opened = io::open_ring(config.engine, io::FileUse::none);
  if (opened.ring == nullptr) {
    return failed(server.subject, opened.problem, "see what it says of io_uring");
  }
  io::Ring& ring = *opened.ring;
  net::NameService names{{}};
  Findings findings = Trial{ring, names, *settings, server}.run();
  while (ring.pending_count() > 0) ring.turn(true);
  return findings;
}

Findings try_receiver(const Config& config, const Receiver& receiver) {
  auto parsed = http::parse_url(receiver.url);
  if (const auto* problem = std::get_if<http::UrlProblem>(&parsed)) {
    return failed({}, "the URL " + problem->reason, "give one as in https://ci.example.org/hook");
  }
  return try_server(config,
                    {.noun = "receiver",
                     .subject = {},
                     .url = std::get<http::Url>(std::move(parsed)),
                     .trust = {.ca_pem = receiver.ca_pem, .certificate_pem = {}, .key_pem = {}},
                     .verify = receiver.verify,
                     .ca_place = "delivery.ca_file or with the webhook",
                     .certificate_place = {},
                     .headers = {},
                     .body = {},
                     .judge = judge_receiver,
                     .silence = Verdict::warning,
                     .silence_remedy = "a POST may be answered all the same; send a test event: "
                                       "ringpost webhook ping ID"});
}

}  // namespace ringpost::server
