#pragma once

#include "cli/commands.h"
#include "cli/event_stream.h"

#include <cstddef>
#include <functional>
#include <string>

namespace ringpost::cli {

/// What a command does with a stream of the relay.
struct StreamUse {
  std::function<void()> on_begin;  ///< The relay answers: from now on nothing is missed.
  EventStreamReader::Take take;
  std::function<bool()> is_over;  ///< Whether `take` ended it.
  size_t bytes_max = EventStreamReader::usual_bytes_max;
};

/// Follows a stream until `take` ends it. After a lost connection, or a restart of the relay, it
/// goes on behind the last event, and says so. @returns the exit code.
int follow_stream(Session& session, const std::string& target, const StreamUse& use);

}  // namespace ringpost::cli
