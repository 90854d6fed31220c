#pragma once

#include "base/result.h"
#include "control/store/store.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::control {

/// Which journals were begun, and with which segment each of them starts today. The control store
/// keeps it, beside the journals' own files: so a folder that is gone is missed, too. As durable on
/// return as any change of the store.
class BegunJournals {
 public:
  /// By number of the journal: its oldest segment that has not expired.
  using Oldest = std::map<uint32_t, uint32_t>;

  /// @param store  outlives it.
  explicit BegunJournals(Store& store) : store_(store) {}

  /// Before anything else. @returns Errc::corrupt if what the store has makes no sense.
  Result<void> load();
  const Oldest& oldest() const { return oldest_; }

  /// These journals and no others are in use. Only once their folders and marks are
  /// durable; it has to be durable before one of them is written to.
  Result<void> replace(Oldest oldest);
  /// Segments below `oldest` will go, once this is durable. A journal that is not in use is left
  /// alone.
  Result<void> expire(uint32_t journal, uint32_t oldest);

 private:
  Store& store_;
  Oldest oldest_;
};

/// Those that a store has; none in a new one. Errc::corrupt if what it has makes no sense.
Result<BegunJournals::Oldest> read_begun_journals(const ReadMeta& meta);

/// As the store keeps them: `0:1,1:13`. Nothing if the text is none.
std::string to_text(const BegunJournals::Oldest& oldest);
std::optional<BegunJournals::Oldest> parse_begun_journals(std::string_view text);

}  // namespace ringpost::control
