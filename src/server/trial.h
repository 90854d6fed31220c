#pragma once

#include "http/message.h"
#include "http/url.h"
#include "net/http_client.h"
#include "server/config.h"
#include "server/finding.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ringpost::server {

/// What a server said to the request of a trial.
struct TrialAnswer {
  uint16_t status = 0;
  std::string location;  ///< Of a redirect, which is not followed; else empty.
  std::string body;      ///< The first 64 KiB; empty after a HEAD request.
  Duration took{};
};

/// A server that is tried: how it is met, and how it is spoken of.
struct TrialServer {
  std::string noun;     ///< Behind "the".
  std::string subject;  ///< The subjects of its findings begin with it; empty: with nothing.
  http::Url url;
  net::ServerTrust trust;
  bool verify = true;             ///< Its certificate.
  bool operator_named = false;    ///< As ClientRequest has it.
  std::string ca_place;           ///< Where its CA is named: "forward.ca_file".
  std::string certificate_place;  ///< Where a certificate to show is named; empty: nowhere.

  std::string method = "HEAD";
  std::vector<http::Header> headers;
  std::string body;
  std::function<Findings(const TrialAnswer& answer)> judge;  ///< Of any status.
  /// What it means, and what to do, where there is no answer; the text is added.
  Finding::Verdict silence = Finding::Verdict::failure;
  std::string silence_remedy;
};

/// Connects as the relay would, step by step: name, network policy, TCP, TLS, and one request.
/// Blocks for at most 30 s; the last findings are of the step that failed, or of the answer.
Findings try_server(const Config& config, TrialServer server);

/// A receiver, and what a webhook says of its certificate.
struct Receiver {
  std::string url;
  std::string ca_pem;  ///< The one thing to trust; empty: the roots that the configuration names.
  bool verify = true;  ///< The certificate.
};

/// `try_server` for a receiver, as a delivery would connect, with a HEAD request.
Findings try_receiver(const Config& config, const Receiver& receiver);

}  // namespace ringpost::server
