#include "sink/control.h"

#include "http/request_parser.h"
#include "http/serialiser.h"
#include "net/stream.h"
#include "sink/endpoints.h"
#include "sink/page.h"
#include "sink/report.h"

namespace ringpost::sink {
namespace {

constexpr uint64_t body_bytes_max = 0;
constexpr size_t connections_max = 64;

/// Everything that the page needs comes from here; nobody may frame it.
constexpr std::string_view policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

http::Response answer(uint16_t status, std::string_view type, std::string body) {
  return {.status = status,
          .content_type = std::string{type},
          .headers = {{"Content-Security-Policy", std::string{policy}},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cross-Origin-Resource-Policy", "same-origin"}},
          .body = std::move(body)};
}

http::Response refusal(uint16_t status, std::string_view text) {
  return answer(status, "text/plain; charset=utf-8", std::string{text} + "\n");
}

/// Whether the Host is this machine itself: an address, or `localhost`. Any other name could be
/// bound to loopback by whoever owns it.
bool names_loopback(std::string_view host) {
  if (host.starts_with('[')) return host.starts_with("[::1]");
  host = host.substr(0, host.find(':'));
  return host.empty() || host == "localhost" || io::Address::parse_ip(host, 0);
}

http::Response respond(const http::Request& request, const Endpoints& endpoints, Instant now) {
  if (!names_loopback(request.header("host"))) {
    return refusal(421, "This page is for this machine: call it by its address");
  }
  if (request.method != "GET" && request.method != "HEAD") {
    return refusal(405, "Only GET and HEAD are served here");
  }
  if (request.path == "/") return answer(200, "text/html; charset=utf-8", std::string{page_html()});
  if (request.path == "/page.css") {
    return answer(200, "text/css; charset=utf-8", std::string{page_css()});
  }
  if (request.path == "/page.js") {
    return answer(200, "text/javascript; charset=utf-8", std::string{page_js()});
  }
  if (request.path == "/report.json") {
    return answer(200, "application/json", report_json(endpoints, now - endpoints.start()) + "\n");
  }
  return refusal(404, "There is / and /report.json");
}

}  // namespace

class ControlConnection final : public net::StreamOwner {
 public:
  ControlConnection(Control& control, io::Socket socket)
      : control_(control), stream_(control.ring_, *this, io::ReceiveGroup::ingress) {
    stream_.adopt(socket, nullptr);
  }

  void on_stream_open() override {}
  void on_stream_sent() override {}

  void on_stream_bytes(Bytes bytes) override {
    using Progress = http::RequestParser::Progress;
    while (!bytes.empty() && !closing_) {
      size_t consumed = 0;
      Progress progress = parser_.feed(bytes, consumed);
      bytes = bytes.subspan(consumed);
      if (progress == Progress::head_complete) progress = parser_.accept_body(body_bytes_max);
      if (progress == Progress::failed) {
        send(refusal(parser_.error().status, parser_.error().detail), false, {});
      } else if (progress == Progress::complete) {
        const http::ResponseForm form{.http_1_0 = parser_.http_1_0(),
                                      .head_only = parser_.request().method == "HEAD"};
        const http::Request request = parser_.take_request();
        send(respond(request, control_.endpoints_, control_.ring_.now()), request.keep_alive, form);
      }
    }
  }

  void on_stream_end(std::optional<Error>) override { close(true); }

  void on_stream_closed() override {
    control_.connections_.erase(this);
    delete this;
  }

  void close(bool graceful) {
    closing_ = true;
    stream_.close(graceful);
  }

 private:
  void send(const http::Response& response, bool keep_alive, http::ResponseForm form) {
    std::string text;
    http::append_response(text, response, keep_alive, control_.ring_.wall_now(), form);
    stream_.send(as_bytes(text));
    if (!keep_alive) close(true);
  }

  Control& control_;
  net::Stream stream_;
  http::RequestParser parser_;
  bool closing_ = false;
};

Control::Control(io::Ring& ring, io::Socket listener, const Endpoints& endpoints)
    : ring_(ring), endpoints_(endpoints) {
  ring_.accept<&Control::on_accept>(*this, accepting_, listener);
}

void Control::on_accept(const io::Outcome& outcome) {
  if (!outcome) return;
  auto* connection = new ControlConnection(*this, outcome.socket());
  connections_.insert(connection);
  if (connections_.size() > connections_max) connection->close(false);
}

void Control::stop() {
  ring_.cancel(accepting_);
  const std::vector<ControlConnection*> open(connections_.begin(), connections_.end());
  for (ControlConnection* connection : open) connection->close(false);
}

}  // namespace ringpost::sink
