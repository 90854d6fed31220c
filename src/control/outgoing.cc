#include "control/outgoing.h"

#include "base/bytes.h"

#include <string>
#include <vector>

namespace ringpost::control {

journal::EventView repetition(journal::EventView event, const Ulid& delivery, std::string& time) {
  if (event.time.empty()) {
    time = to_rfc3339(event.accepted_at);
    event.time = time;
  }
  event.message = journal::message_id(event, delivery);
  event.redelivery_of = delivery;
  event.uid = {};
  event.carried = {};
  return event;
}

journal::EventRef encode_for(journal::EventView event, std::span<const uint32_t> webhook_numbers,
                             WallTime now, Prng& random) {
  if (event.uid == Ulid{}) event.uid = Ulid::mint(now, random);
  event.accepted_at = now;
  event.id_given = false;
  const std::string minted = event.uid.to_text();
  if (event.id.empty()) event.id = minted;
  std::vector<std::byte> numbers(webhook_numbers.size() * sizeof(uint32_t));
  for (size_t index = 0; index < webhook_numbers.size(); ++index) {
    store_le(&numbers[index * sizeof(uint32_t)], webhook_numbers[index]);
  }
  event.webhook_numbers = numbers;
  return journal::EventCodec::encode(event);
}

Outgoing ping_for(const subscription::Webhook& webhook, const dialect::Dialect::Ping& ping,
                  const api::Call& call, Prng& random, uint32_t shard_count) {
  const journal::EventView event{.organization = webhook.organization,
                                 .source = ping.source,
                                 .type = ping.type,
                                 .data = as_bytes(ping.data),
                                 .hops = call.hops};
  return {encode_for(event, webhook.number, call.now, random),
          subscription::owner_shard(webhook, shard_count)};
}

}  // namespace ringpost::control
