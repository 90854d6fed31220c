#pragma once

#include "cli/client.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace ringpost::cli {

/// Why the relay refused, in one printable line without its end: what, where, and how to mend it.
/// Where the answer lists `errors` (those of a configuration), each follows on its own line.
///
/// @param answer  of a status that is no success, whoever it came from: it need not be a relay.
/// @param target  what was asked for, as in the request line.
/// @param lines_before  of the input, before those that the request carried: a line that the answer
///                      names is one of the input then.
std::string explain_refusal(const Answer& answer, std::string_view target,
                            uint64_t lines_before = 0);

}  // namespace ringpost::cli
