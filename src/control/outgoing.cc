#include "control/outgoing.h"

#include "base/bytes.h"

#include <string>
#include <vector>

namespace ringpost::control {

journal::EventView repetition(journal::EventView event, const Ulid& delivery) {
  event.redelivery_of = delivery;
  event.uid = {};
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

}  // namespace ringpost::control
