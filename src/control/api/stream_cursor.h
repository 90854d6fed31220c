#pragma once

#include "control/api/list_query.h"
#include "index/facts.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

/// Up to where a stream has told everything of a journal.
struct StreamPosition {
  static constexpr uint64_t segment_ms_max = 0xffff'ffff'ffff;

  journal::Position position;
  /// When its segment was prepared, in milliseconds since 1970; 0: not known. The number alone does
  /// not say which segment it was: a relay that was restored from a backup writes others under the
  /// numbers that came after it.
  uint64_t segment_ms = 0;

  friend bool operator==(const StreamPosition&, const StreamPosition&) = default;
};
/// By journal.
using StreamPlace = std::vector<StreamPosition>;

/// The id of an event of a stream, opaque to clients: its place, and a checksum of that, of the
/// stream's path and filters, and of the data directory whose journals are meant.
std::string stream_cursor(const StreamPlace& place, const ListQuery& query,
                          const index::TextHash& hash);
/// Nothing: it is none of this stream.
std::optional<StreamPlace> parse_stream_cursor(std::string_view text, const ListQuery& query,
                                               const index::TextHash& hash);

}  // namespace ringpost::control
