#include "dialect/attempt_id.h"

namespace ringpost::dialect {

Ulid attempt_id(const Ulid& delivery, uint32_t attempt) {
  Ulid id = delivery;
  id.bytes[15] = static_cast<uint8_t>(id.bytes[15] ^ ((attempt - 1) & 0xFF));
  return id;
}

}  // namespace ringpost::dialect
