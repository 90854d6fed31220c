#pragma once

#include "http/message.h"
#include "ingest/event_reader.h"

#include <optional>

namespace ringpost::ingest {

/// Reads the attributes of an event in CloudEvents' binary mode from its `ce-` headers and
/// Content-Type (HTTP protocol binding, section 3.1). `data` stays with the caller.
std::optional<Refusal> read_binary_attributes(const http::Request& request, TextStore& texts,
                                              journal::EventView& event);

}  // namespace ringpost::ingest
