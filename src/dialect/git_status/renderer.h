#pragma once

#include "dialect/renderer.h"
#include "subscription/webhook.h"

#include <memory>

namespace ringpost::dialect::git_status {

/// The renderer of a webhook of this dialect.
std::unique_ptr<Renderer> make_status_renderer(const subscription::Webhook& webhook);

}  // namespace ringpost::dialect::git_status
