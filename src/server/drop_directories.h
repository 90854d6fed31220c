#pragma once

#include "base/clock.h"
#include "server/drop_directory.h"
#include "shard/relay.h"

#include <memory>
#include <optional>
#include <vector>

namespace ringpost::server {

/// All drop directories of a relay, each with the shard that takes its files. Knows no thread.
class DropDirectories {
 public:
  /// Opens nothing yet. @param relay  outlives it.
  DropDirectories(const std::vector<SourceConfig>& sources, shard::Relay& relay);

  // As the other sides of a relay (shard::Relay), on a thread of their own.
  bool turn(Instant now);
  bool has_messages();
  std::optional<Instant> due() const;
  /// Readable when a file has come.
  std::vector<int> descriptors() const;

 private:
  shard::Relay& relay_;
  std::vector<std::unique_ptr<DropDirectory>> directories_;
};

}  // namespace ringpost::server
