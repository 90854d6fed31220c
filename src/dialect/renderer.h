#pragma once

#include "base/clock.h"
#include "base/ulid.h"
#include "journal/record.h"
#include "subscription/webhook.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ringpost::dialect {

/// What one attempt adds to its webhook's fixed part.
struct AttemptFacts {
  const journal::EventView& event;
  Ulid delivery;
  uint32_t attempt = 1;  ///< 1 for the first.
  WallTime now{};        ///< Goes into signatures: every attempt is signed afresh.
};

/// Renders the requests of one webhook in its dialect. Built when the webhook is first used, with
/// everything that does not depend on the event prepared: the fixed headers as bytes, the signing
/// key's pad states. Rendering allocates only if `head` has to grow.
///
/// The body is always the event's `data`, byte for byte.
class Renderer {
 public:
  Renderer() = default;
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;
  virtual ~Renderer() = default;

  /// Replaces `head` by the request line and all headers, up to and with the blank line.
  virtual void render(const AttemptFacts& facts, std::string& head) const = 0;
};

/// The renderer of a webhook's dialect.
std::unique_ptr<Renderer> make_renderer(const subscription::Webhook& webhook);

/// The request head as it may be stored and shown: values of headers that carry credentials
/// (Authorization, Cookie, and names that speak of tokens, secrets, keys or passwords) become
/// `***`. Signatures stay: they help a receiver's author and reveal no key.
std::string mask_credentials(std::string_view head);

}  // namespace ringpost::dialect
