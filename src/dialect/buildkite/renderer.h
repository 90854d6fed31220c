#pragma once

#include "dialect/renderer.h"
#include "dialect/verifier.h"

#include <memory>
#include <string_view>

namespace ringpost::dialect::buildkite {

/// Requests as specification 3.2 and 4 have them, and nothing besides: no headers of ours, no
/// traces.
std::unique_ptr<Renderer> make_request_renderer(const subscription::Webhook& webhook);

/// Either mode: whichever the request came in.
Verdict verify_request(const Received& received, std::string_view token,
                       const Freshness& freshness);

/// What is the same in `X-Buildkite-Request` of all attempts of one delivery: see attempt_id.
std::string_view delivery_of_request(const Received& received);

/// Whether requests carry the header.
bool writes_request_header(std::string_view name);

}  // namespace ringpost::dialect::buildkite
