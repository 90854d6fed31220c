#pragma once

#include "api/call.h"
#include "base/clock.h"
#include "base/prng.h"
#include "dialect/dialect.h"
#include "journal/record.h"
#include "subscription/webhook.h"

#include <cstdint>
#include <span>

namespace ringpost::control {

/// An event that the control side made and a shard is to store and send: a redelivery, a ping, the
/// call of an incoming hook.
struct Outgoing {
  journal::EventRef event;
  uint32_t shard = 0;
  const dialect::Dialect* api = nullptr;  ///< Whose call made it; null: the native API's.
};

/// `event` as the start of a new delivery that repeats `delivery`: the same message once more,
/// until its data is replaced, which has to clear EventView::message. An event without a time has
/// that of its acceptance from now on: a CloudEvent is the same one in every sending.
/// @param time  holds it.
journal::EventView repetition(journal::EventView event, const Ulid& delivery, std::string& time);

/// Encodes an event for these webhooks, with a fresh uid if it has none. It takes no part in
/// idempotency: a later event with its id is no duplicate of it.
journal::EventRef encode_for(journal::EventView event, std::span<const uint32_t> webhook_numbers,
                             WallTime now, Prng& random);
/// The same for one webhook alone: it is addressed to it.
inline journal::EventRef encode_for(journal::EventView event, uint32_t webhook_number, WallTime now,
                                    Prng& random) {
  event.addressed = true;
  return encode_for(event, std::span{&webhook_number, 1}, now, random);
}

/// A ping for one webhook alone, made by `call`.
Outgoing ping_for(const subscription::Webhook& webhook, const dialect::Dialect::Ping& ping,
                  const api::Call& call, Prng& random, uint32_t shard_count);

}  // namespace ringpost::control
