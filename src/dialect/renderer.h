#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ulid.h"
#include "journal/record.h"
#include "subscription/webhook.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::dialect {

/// The largest body that a dialect makes of an event, beyond what the event itself takes.
inline constexpr size_t rendered_body_bytes_max = 256 * 1024;

/// What one attempt adds to its webhook's fixed part.
struct AttemptFacts {
  const journal::EventView& event;
  Ulid delivery;
  uint32_t attempt = 1;       ///< 1 for the first.
  WallTime now{};             ///< Goes into signatures: every attempt is signed afresh.
  std::string_view origin{};  ///< The DNS name by which this relay introduces itself.
  /// The attempt's own, which goes into the header `traceparent`; empty: the event's, if any.
  std::string_view trace_parent{};
};

/// One request as it goes out, and as it may be shown. Used again and again for its memory.
struct Request {
  std::string head;         ///< Request line and all headers, up to and with the blank line.
  Bytes body;               ///< Into the event, or into `made_body`.
  std::string made_body;    ///< If the dialect makes its body.
  std::string logged_body;  ///< `made_body` without its secrets; empty: there are none in it.

  bool body_is_made = false;  ///< `body` is `made_body`, which may be empty.

  /// The dialect has written `made_body`, and sends that.
  void send_made_body() {
    body_is_made = true;
    body = as_bytes(made_body);
  }
  void clear() {
    head.clear();
    body = {};
    body_is_made = false;
    made_body.clear();
    logged_body.clear();
  }
};

/// Renders the requests of one webhook in its dialect. Built when the webhook is first used, with
/// everything that does not depend on the event prepared: the fixed headers as bytes, the signing
/// key's pad states, compiled templates. Rendering allocates only if `request` has to grow.
///
/// Belongs to one shard.
class Renderer {
 public:
  Renderer() = default;
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;
  virtual ~Renderer() = default;

  /// Fills `request`, which is clear. @returns why there is no request for this event, as a small
  /// value: the delivery fails then for good.
  virtual std::optional<Error> render(const AttemptFacts& facts, Request& request) = 0;

  /// The request that asks the receiver whether it takes deliveries at all (Dialect::asks_first).
  /// @param origin  as AttemptFacts::origin.
  virtual void render_question(std::string_view origin, std::string& head) const;

  /// What the event is about, where a newer event about the same makes it pointless
  /// (Dialect::newer_supersedes_older): a hash. 0: it stands for itself.
  virtual uint64_t subject(const journal::EventView&) { return 0; }

  /// `head` as it may be stored and shown: see mask_credentials.
  virtual std::string masked(std::string_view head) const;
};

/// The renderer of a webhook's dialect.
std::unique_ptr<Renderer> make_renderer(const subscription::Webhook& webhook);

/// Whether a header of this name carries a credential: Authorization, Cookie, and names that speak
/// of tokens, secrets, keys or passwords.
bool names_a_credential(std::string_view header);

/// The placeholder for a credential that is not shown.
inline constexpr std::string_view credential_mask = "*****";
/// Whether this is such a header as answers show it: a change that brings it back means to keep the
/// value that is stored.
inline bool is_masked_credential(std::string_view header, std::string_view value) {
  return value == credential_mask && names_a_credential(header);
}

/// The request head as it may be stored and shown: values of headers that carry credentials become
/// `credential_mask`. Signatures stay: they help a receiver's author and reveal no key.
std::string mask_credentials(std::string_view head);

}  // namespace ringpost::dialect
