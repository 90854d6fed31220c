#pragma once

#include "server/config.h"
#include "server/finding.h"

#include <string>

namespace ringpost::server {

/// Connects to a receiver as a delivery would, step by step: name, network policy, TCP, TLS, and a
/// HEAD request. Blocks for at most 30 s; the last finding is of the step that failed, or of the
/// answer.
///
/// The certificate is verified by the roots that the configuration names: a webhook with a CA of
/// its own has others.
Findings try_receiver(const Config& config, const std::string& url);

}  // namespace ringpost::server
