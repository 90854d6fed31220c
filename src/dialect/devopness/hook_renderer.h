#pragma once

#include "dialect/renderer.h"
#include "subscription/webhook.h"

#include <memory>

namespace ringpost::dialect::devopness {

/// The request of an outgoing hook: POST to the URL, with the headers and the body that its
/// templates make of the event, and nothing else of ours but Content-Type, Accept and User-Agent
/// where the hook names none.
std::unique_ptr<Renderer> make_hook_renderer(const subscription::Webhook& webhook);

}  // namespace ringpost::dialect::devopness
