#pragma once

#include "server/config.h"
#include "server/finding.h"

#include <string>

namespace ringpost::server {

/// A receiver, and what a webhook says of its certificate.
struct Receiver {
  std::string url;
  std::string ca_pem;  ///< The one thing to trust; empty: the roots that the configuration names.
  bool verify = true;  ///< The certificate.
};

/// Connects to a receiver as a delivery would, step by step: name, network policy, TCP, TLS, and a
/// HEAD request. Blocks for at most 30 s; the last finding is of the step that failed, or of the
/// answer.
Findings try_receiver(const Config& config, const Receiver& receiver);

}  // namespace ringpost::server
