#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace ringpost::load {

/// What a process used between two looks.
struct ProcessUse {
  pid_t pid = 0;
  std::string name;
  double user_s = 0;
  double system_s = 0;
  uint64_t resident_bytes_first = 0;
  uint64_t resident_bytes_last = 0;
  uint64_t resident_bytes_max = 0;  ///< Of the looks in between, too.
  uint64_t descriptors_last = 0;    ///< 0: not permitted to see them.
  uint64_t descriptors_max = 0;
  bool ended = false;  ///< It ended during the run: the figures are those of the look before.

  double cpu_s() const { return user_s + system_s; }
};

/// Looks at a process in /proc. Blocks for some microseconds at each look.
class ProcessWatch {
 public:
  /// @returns nothing if there is no such process.
  static std::optional<ProcessWatch> begin(pid_t pid);

  void look();
  const ProcessUse& use() const { return use_; }

 private:
  struct Cpu {
    double user_s = 0;
    double system_s = 0;
    double both_s = 0;
  };

  void split(double both_s, double user_ticks_s, double system_ticks_s);

  ProcessUse use_;
  Cpu first_;
};

/// The processor's name and the kernel, for reports: figures mean little without them.
struct Machine {
  std::string kernel;
  std::string cpu;
  uint32_t cpus = 0;
};
Machine this_machine();

}  // namespace ringpost::load
