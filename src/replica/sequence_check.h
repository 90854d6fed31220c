#pragma once

#include "replica/block.h"

#include <array>
#include <cstdint>
#include <map>

namespace ringpost::replica {

/// Notices what an engine lost or changed, by the sequences of a partition's blocks as one reader
/// gets them. A repetition is lawful: a block whose fate was unknown is appended again. A hole, or
/// other contents under a known sequence, is not.
///
/// It remembers `window` blocks of each of `writers_max` runs of relays. What is older counts as
/// new: each record of the cluster may be read twice without harm, and events have their uids.
class SequenceCheck {
 public:
  static constexpr uint64_t window = 32;
  static constexpr size_t writers_max = 256;

  enum class Verdict : uint8_t {
    fresh,     ///< Use it.
    repeated,  ///< Known; drop it.
    hole,      ///< Use it, and raise the alarm: blocks before it are missing.
    altered,   ///< Drop it, and raise the alarm: the engine gave other contents before.
  };

  /// @param from_the_beginning  the first block to come is the first that the partition ever had.
  explicit SequenceCheck(bool from_the_beginning) : knows_all_(from_the_beginning) {}

  /// @param offset  of the block in its partition.
  Verdict check(uint64_t offset, const BlockHeader& header);

  /// The partition is read again, from another place, because of a hole or a rollback.
  /// @param known_end  holes in front of blocks below it are known by now: they stay in the log for
  ///                   ever, and are not reported again.
  void begin_again(bool from_the_beginning, uint64_t known_end);

 private:
  struct Run {
    uint64_t last = 0;  // Highest sequence so far.
    /// Its first blocks were read. Where reading began in the middle, the first one seen may be a
    /// late repetition: only one and its successor show where the run is.
    bool anchored = false;
    uint64_t used = 0;  // For the choice of the one that is forgotten.
    std::array<uint32_t, window> crcs{};
    std::array<bool, window> seen{};
  };
  void forget_oldest();
  Verdict check_known(Run& run, const BlockHeader& header);
  Verdict check_next(Run& run, const BlockHeader& header);

  bool knows_all_;
  uint64_t known_end_ = 0;
  uint64_t clock_ = 0;
  std::map<Writer, Run> runs_;
};

}  // namespace ringpost::replica
