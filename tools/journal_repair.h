#pragma once

#include "journal/recovery.h"

#include <cstdint>
#include <functional>
#include <string>

namespace ringpost::tools {

/// What `ringpost-journal repair` is to do.
struct RepairOrder {
  std::string data_directory;
  uint64_t directory_id = 0;
  uint16_t journal = 0;
  uint32_t segment = 0;
  std::string output;  ///< The new file; there is none yet.
  /// Has a visitor hear what all journals hold, as far as they can be read.
  std::function<void(journal::RecoveryVisitor&)> read_journals;
};

enum class Repair : uint8_t {
  not_needed,  ///< The segment is sound; nothing was written.
  done,
  failed,  ///< `problem` says why; nothing was written.
};

/// Makes a sound segment file of what can be read of a damaged one, which it leaves alone, and
/// prints what was kept and what is lost.
Repair repair(const RepairOrder& order, std::string& problem);

}  // namespace ringpost::tools
