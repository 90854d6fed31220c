#include "load/results.h"

#include "load/figures.h"

namespace ringpost::load {

namespace {

/// A generator that is busy for longer than this is what limits the rate.
constexpr double busy_share_max = 0.9;
constexpr double done_share_min = 0.95;

constexpr const char* remedy =
    ". This machine cannot make this rate now: lower --rate, send larger batches with --batch, or "
    "stop other programs";

}  // namespace

std::string why_invalid(const RunResults& results) {
  if (!results.open_loop) return "";
  if (results.busy_share > busy_share_max &&
      results.achieved_rate() < done_share_min * results.offered_rate) {
    return "the generator computed, or waited for a processor, for " +
           decimal_text(results.busy_share * 100, 0) +
           " % of the time and did not send all that was due" + remedy;
  }
  if (results.latency.count() == 0) return "";  // Nothing was measured that could be wrong.
  const Duration late = results.lateness.quantile(0.99);
  const Duration measured = results.latency.quantile(0.99);
  if (late <= lateness_floor || late * 10 <= measured) return "";
  return "the generator was late: 1 % of the requests were noticed " + duration_text(late) +
         " after they were due, or later, which is more than a tenth of the measured p99 (" +
         duration_text(measured) + ")" + remedy;
}

bool is_harmed(const RunResults& results) {
  return results.sink && (results.sink->missing > 0 || results.sink->signatures_bad > 0 ||
                          results.sink->unsigned_requests > 0);
}

}  // namespace ringpost::load
