#pragma once

#include "server/config.h"

#include <string>
#include <vector>

namespace ringpost::server {

/// What a relay's first start creates, so that one that fails before it serves leaves nothing
/// behind: the next start, with whatever was wrong mended, is a first start again.
class NewFiles {
 public:
  /// Nothing.
  NewFiles() = default;
  /// Looks which files and directories are absent now. Nothing where the data directory has a
  /// store: then this is no first start, and all is kept.
  explicit NewFiles(const Config& config);

  /// Whether there is no store yet.
  bool first_start() const { return !absent_.empty(); }
  /// Removes those that are there by now; what was there before stays. Only for whoever holds the
  /// data directory's lock, and only while no event can have been accepted.
  void remove() const;

 private:
  std::vector<std::string> absent_;  ///< In the order of removal.
};

}  // namespace ringpost::server
