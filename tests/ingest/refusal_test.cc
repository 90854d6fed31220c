#include "ingest/refusal.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace ringpost::ingest {
namespace {

// Goal: operators see whose fault a refusal is: the producer's, its token's, its receivers', or
// ours. Method: every refusal of the intake, by status and type; each is counted once as a whole.
TEST(Refusal, IsCountedByItsReason) {
  const std::vector<std::pair<http::Problem, Counter>> rows = {
      {{.status = 400}, Counter::events_refused_invalid},
      {{.status = 408}, Counter::events_refused_invalid},
      {{.status = 409}, Counter::events_refused_invalid},
      {{.status = 413}, Counter::events_refused_invalid},
      {{.status = 415}, Counter::events_refused_invalid},
      {{.status = 422}, Counter::events_refused_invalid},
      {{.status = 508}, Counter::events_refused_invalid},
      {{.status = 401}, Counter::events_refused_unauthorized},
      {{.status = 403}, Counter::events_refused_unauthorized},
      {{.status = 421}, Counter::events_refused_unauthorized},
      {{.status = 429, .type = "urn:ringpost:too-many-failures"},
       Counter::events_refused_throttled},
      {share_refusal("detail", 30), Counter::events_over_share},
      {{.status = 503, .type = "urn:ringpost:overloaded"}, Counter::events_refused_overloaded},
      {journal_refusal({Errc::overloaded, Side::self}, 5), Counter::events_refused_overloaded},
      {journal_refusal({Errc::out_of_space, Side::disk}, 5), Counter::events_refused_no_space},
      {journal_refusal({Errc::io_failed, Side::disk}, 5), Counter::events_refused_storage_failed},
      {journal_refusal({Errc::too_large, Side::producer}, 5), Counter::events_refused_invalid},
  };
  for (const auto& [problem, counter] : rows) {
    Counters counters;
    count_refusal(counters, problem);
    EXPECT_EQ(counters.value(counter), 1u) << problem.status << " " << problem.type;
    EXPECT_EQ(counters.value(Counter::events_refused), 1u);
    uint64_t sum = 0;
    for (const CounterInfo& row : counter_table()) {
      if (row.label.name == "reason" && row.family.name == info(counter).family.name) {
        sum += counters.value(row.counter);
      }
    }
    EXPECT_EQ(sum, 1u) << problem.status;
  }
}

TEST(Refusal, OfAShareSaysWhenToComeBack) {
  const http::Problem problem = share_refusal("who has how many", 30);
  EXPECT_EQ(problem.status, 429);
  EXPECT_EQ(problem.type, "urn:ringpost:share-used-up");
  EXPECT_EQ(problem.detail, "who has how many");
  EXPECT_EQ(problem.retry_after_s, 30u);
}

}  // namespace
}  // namespace ringpost::ingest
