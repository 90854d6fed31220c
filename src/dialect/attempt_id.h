#pragma once

#include "api/webhook_fields.h"
#include "base/ulid.h"

#include <cstdint>

namespace ringpost::dialect {

/// The id of one attempt: the delivery's id, with the attempt's number (from 0) mixed into its last
/// byte. The first attempt's is the delivery's own; of the rest each can be led back to it.
/// @param attempt  1 for the first.
Ulid attempt_id(const Ulid& delivery, uint32_t attempt);

/// The delivery that an attempt's id leads back to. Its number is not known, so all that a delivery
/// can have are tried: the first, and one after each entry of the longest schedule.
/// @param look_up  of a delivery's id and the attempt's number: what was found, or a value that is
///                 false.
/// @returns the first that was found, or what `look_up` said last.
auto find_by_attempt(const Ulid& id, const auto& look_up) {
  constexpr uint32_t attempts_max = static_cast<uint32_t>(api::webhook_schedule_max) + 1;
  uint32_t attempt = 1;
  auto found = look_up(attempt_id(id, attempt), attempt);  // Mixed in twice, a number is gone.
  while (!found && attempt < attempts_max) {
    ++attempt;
    found = look_up(attempt_id(id, attempt), attempt);
  }
  return found;
}

}  // namespace ringpost::dialect
