#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "http/response_parser.h"
#include "http/url.h"
#include "io/ring.h"
#include "net/stream.h"
#include "net/tls.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::cli {

/// Sends whole requests, as they are, to a receiver that the relay cannot reach. Blocks.
class Forwarder final : private net::StreamOwner {
 public:
  /// Of an answer: more is not read.
  static constexpr size_t answer_bytes_max = 256 * 1024;

  struct Forwarded {
    std::string answer;  ///< Its bytes as they came; empty: there was none, and `error` says why.
    uint16_t status = 0;
    std::optional<Error> error;
  };

  /// @param tls  null: the system's roots are trusted (for https).
  Forwarder(std::unique_ptr<io::Ring> ring, http::Url url, std::unique_ptr<net::ClientTls> tls);
  ~Forwarder() override;

  /// Over a new connection. @param timeout  for all of it.
  Forwarded forward(std::string_view request, Duration timeout);

 private:
  void on_stream_open() override;
  void on_stream_bytes(Bytes bytes) override;
  void on_stream_sent() override {}
  void on_stream_end(std::optional<Error> error) override;
  void on_stream_closed() override { closed_ = true; }
  void on_deadline();
  void end(std::optional<Error> error);

  std::unique_ptr<io::Ring> ring_;
  const http::Url url_;
  const std::unique_ptr<net::ClientTls> tls_;
  net::Stream stream_;
  std::optional<http::ResponseParser> parser_;
  io::Timer timer_;
  std::string_view request_;
  Forwarded forwarded_;
  bool done_ = false;
  bool closed_ = true;
};

}  // namespace ringpost::cli
