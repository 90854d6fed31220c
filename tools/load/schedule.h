#pragma once

#include "base/clock.h"
#include "base/prng.h"
#include "cli/input.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::load {

/// A stretch of time in which the rate changes evenly from one value to another.
struct Stage {
  double rate_from = 0;  ///< A second.
  double rate_to = 0;
  double seconds = 0;  ///< May be infinite, if the rate does not change.

  double total() const { return (rate_from + rate_to) / 2 * seconds; }
};

/// Reads `500`, `100-1000` (a ramp) or a list of such with their own times:
/// `100:10s,100-1000:30s,1000:1m`.
/// @param seconds  of stages that say no time.
cli::Usable<std::vector<Stage>> parse_stages(std::string_view text, double seconds);

enum class Arrivals : uint8_t {
  even,    ///< Equal distances.
  random,  ///< A Poisson process: as from many producers that know nothing of each other.
};

/// When each send is due: fixed before the first, whatever the target does. A copy is a second
/// cursor over the same times.
class Schedule {
 public:
  /// @param per_send  how much of the rate one send makes: events in a batch.
  Schedule(std::vector<Stage> stages, Arrivals arrivals, double per_send, uint64_t seed);
  /// At exactly these times, which do not decrease.
  explicit Schedule(std::shared_ptr<const std::vector<Duration>> times);

  /// Of the next send, from the start; nothing after the last.
  const std::optional<Duration>& due() const { return due_; }
  void advance();

  /// The end of the last stage; infinite if it has none.
  double seconds() const { return seconds_; }
  /// About how many sends there are in all; infinite likewise.
  double total() const { return total_; }

 private:
  void find_due();

  std::vector<Stage> stages_;  ///< Their rates are of sends.
  std::shared_ptr<const std::vector<Duration>> times_;
  size_t next_time_ = 0;
  Arrivals arrivals_ = Arrivals::even;
  Prng random_{0};
  double seconds_ = 0;
  double total_ = 0;

  size_t stage_ = 0;
  double stage_begins_s_ = 0;
  double before_stage_ = 0;  ///< Sends before it, as `reached_`.
  double reached_ = 0;       ///< The next send's place among all, in units of sends.
  std::optional<Duration> due_;
};

}  // namespace ringpost::load
