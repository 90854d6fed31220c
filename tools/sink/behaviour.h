#pragma once

#include "base/clock.h"
#include "base/prng.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::sink {

/// How an endpoint misbehaves after it has read a request.
enum class Fault : uint8_t {
  none,
  reset,    ///< Closes without an answer.
  hang,     ///< Never answers.
  drip,     ///< Answers one byte at a time.
  endless,  ///< Answers 200 with chunks for ever.
  huge,     ///< Announces 10 GiB and sends a little of it.
  cut,      ///< Announces more than it sends, then closes.
};
inline constexpr Fault all_faults[] = {Fault::none,    Fault::reset, Fault::hang, Fault::drip,
                                       Fault::endless, Fault::huge,  Fault::cut};
std::string_view name(Fault fault);
/// Whether a request with this fault gets its answer all the same: slowly, in the case of `drip`.
bool is_answered(Fault fault);
std::optional<Fault> find_fault(std::string_view name);

/// How long an answer is waited with: drawn anew for each request.
struct Delay {
  enum class Kind : uint8_t {
    fixed,        ///< Always `first`.
    uniform,      ///< From `first` to `second`.
    exponential,  ///< With the mean `first`.
    lognormal,    ///< With the median `first` and the 99th percentile `second`, which is larger.
  };

  Kind kind = Kind::fixed;
  Duration first{};
  Duration second{};

  bool always_zero() const { return kind == Kind::fixed && first == Duration::zero(); }
  /// At most an hour.
  Duration draw(Prng& random) const;
};

struct StatusShare {
  uint16_t status = 200;
  uint32_t weight = 1;
};

/// What an endpoint does with a request, at one time of its life.
struct Behaviour {
  std::vector<StatusShare> statuses{{}};  ///< At least one; the weights add up to more than 0.
  std::string body = "ok";
  std::vector<std::string> headers;     ///< `Name: value`, of every answer.
  std::optional<uint32_t> retry_after;  ///< Seconds; in answers with 429 or 503.
  Delay delay;
  Fault fault = Fault::none;
  double fault_share = 1;  ///< Of the requests that get the fault: 0 to 1.
  Duration drip_interval = std::chrono::seconds{1};

  uint16_t draw_status(Prng& random) const;
  Fault draw_fault(Prng& random) const;
  /// The whole answer.
  std::string answer(uint16_t status) const;
};

}  // namespace ringpost::sink
