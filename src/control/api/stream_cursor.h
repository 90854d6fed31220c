#pragma once

#include "control/api/list_query.h"
#include "index/facts.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

/// Up to where a stream has told everything: a place in each journal, by journal.
using StreamPlace = std::vector<journal::Position>;

/// The id of an event of a stream, opaque to clients: its place, and a checksum of that, of the
/// stream's path and filters, and of the data directory whose journals are meant.
std::string stream_cursor(const StreamPlace& place, const ListQuery& query,
                          const index::TextHash& hash);
/// Nothing: it is none of this stream.
std::optional<StreamPlace> parse_stream_cursor(std::string_view text, const ListQuery& query,
                                               const index::TextHash& hash);

}  // namespace ringpost::control
