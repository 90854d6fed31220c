#include "cli/forwarder.h"

#include "cli/client.h"

#include <algorithm>
#include <utility>

namespace ringpost::cli {

Forwarder::Forwarder(std::unique_ptr<io::Ring> ring, http::Url url,
                     std::unique_ptr<net::ClientTls> tls)
    : ring_(std::move(ring)),
      url_(std::move(url)),
      tls_(std::move(tls)),
      stream_(*ring_, *this, io::ReceiveGroup::reply) {}

Forwarder::~Forwarder() = default;

Forwarder::Forwarded Forwarder::forward(std::string_view request, Duration timeout) {
  const auto address = resolve(url_.host, url_.port);
  if (!address) return {.answer = {}, .error = Error{Errc::name_unresolved, Side::operator_}};
  forwarded_ = {};
  request_ = request;
  parser_.emplace(http::ResponseLimits{.body_bytes_max = answer_bytes_max});
  done_ = closed_ = false;
  ring_->turn(false);
  ring_->arm<&Forwarder::on_deadline>(*this, timer_, timeout);
  stream_.connect(*address, tls_.get(), url_.host);
  while (!closed_) ring_->turn(true);
  ring_->disarm(timer_);
  if (!forwarded_.error) forwarded_.status = parser_->status();
  return std::move(forwarded_);
}

void Forwarder::on_stream_open() {
  stream_.send(as_bytes(request_));
}

void Forwarder::on_stream_bytes(Bytes bytes) {
  if (done_) return;
  const size_t room = answer_bytes_max - forwarded_.answer.size();
  forwarded_.answer.append(as_text(bytes.first(std::min(room, bytes.size()))));
  const bool full = bytes.size() >= room;
  const auto progress = parser_->feed(bytes);
  if (progress == http::ResponseParser::Progress::failed) return end(parser_->error());
  if (full || progress != http::ResponseParser::Progress::need_more) end(std::nullopt);
}

void Forwarder::on_stream_end(std::optional<Error> error) {
  if (done_) return;
  if (parser_->on_end(error)) return end(std::nullopt);
  end(error.value_or(Error{Errc::closed, Side::endpoint}));
}

void Forwarder::on_deadline() {
  if (done_) return;
  const Error late{Errc::timed_out, Side::endpoint};
  // The head decides, as for the relay.
  if (parser_->on_end(late)) return end(std::nullopt);
  forwarded_.answer.clear();
  end(late);
}

void Forwarder::end(std::optional<Error> error) {
  done_ = true;
  forwarded_.error = error;
  stream_.close(false);
}

}  // namespace ringpost::cli
