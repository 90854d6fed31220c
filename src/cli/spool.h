#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ringpost::cli {

/// A drop directory (server/README.md, "Drop directories"), as one who sends sees it.
class Spool {
 public:
  /// @param directory  it and its `new/` are made if they are missing.
  explicit Spool(std::string directory) : directory_(std::move(directory)) {}

  /// Keeps a batch of events in a file of its own; durable, and whole when a relay sees it.
  /// @returns why it could not; empty: it is kept.
  std::string keep(std::string_view events);

  const std::string& directory() const { return directory_; }

 private:
  const std::string directory_;
  uint32_t files_ = 0;
};

/// Why `text` can be no event, whatever relay reads it: `is not JSON: …`. Empty: it may be one.
std::string object_to_event(std::string_view text);

/// `event` with an id of our own if it is a JSON object without one, so that it can be sent twice.
/// Anything else as it is. `data` is not changed.
std::string with_id(std::string_view event);
/// The same for each line.
std::string with_ids(std::string_view lines);

}  // namespace ringpost::cli
