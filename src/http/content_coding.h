#pragma once

#include "http/message.h"

#include <cstdint>

namespace ringpost::http {

/// How a body is packed (RFC 9110, 8.4).
enum class ContentCoding : uint8_t {
  identity,  ///< Not at all.
  gzip,
  other  ///< Another one, or several.
};

ContentCoding content_coding(const Request& head);

}  // namespace ringpost::http
