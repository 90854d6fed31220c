#include "delivery/circuit.h"

#include <gtest/gtest.h>

namespace ringpost::delivery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = Circuit::State;

class CircuitTest : public testing::Test {
 protected:
  /// One attempt after the other, as the circuit admits them.
  void fail(int count) {
    for (int index = 0; index < count; ++index) {
      if (!circuit_.closed()) now_ = circuit_.probe_at();
      ASSERT_TRUE(circuit_.admits(now_));
      circuit_.on_failure(circuit_.on_start(), now_, options_, random_);
    }
  }

  Circuit circuit_;
  Circuit::Options options_;
  Prng random_{3};
  Instant now_{seconds{100}};
};

TEST_F(CircuitTest, OpensAfterFailuresInARowAlone) {
  fail(4);
  EXPECT_TRUE(circuit_.closed());
  circuit_.on_success();
  fail(4);
  EXPECT_TRUE(circuit_.closed());
  fail(1);
  EXPECT_EQ(circuit_.state(), State::open);
  EXPECT_EQ(circuit_.opened_at(), now_);
  EXPECT_FALSE(circuit_.admits(now_));
  EXPECT_TRUE(circuit_.admits(circuit_.probe_at()));
}

TEST_F(CircuitTest, LetsOneProbeThrough) {
  fail(5);
  now_ = circuit_.probe_at();
  EXPECT_TRUE(circuit_.on_start());
  EXPECT_EQ(circuit_.state(), State::half_open);
  EXPECT_FALSE(circuit_.admits(now_ + seconds{3600}));
  EXPECT_TRUE(circuit_.on_success());
  EXPECT_TRUE(circuit_.admits(now_));
  EXPECT_FALSE(circuit_.on_start());
  EXPECT_FALSE(circuit_.on_success());
}

// Goal: a receiver that stays away costs ever less, up to a limit, and never a wave of probes.
// Method: the pauses of many failures, each within a quarter of what it should be.
TEST_F(CircuitTest, PausesLongerAndLongerUpToALimit) {
  fail(5);
  const Instant opened = circuit_.opened_at();
  for (const int planned_s : {1, 2, 4, 8, 16, 32, 60, 60, 60}) {
    const Duration pause = circuit_.probe_at() - now_;
    EXPECT_GE(pause, milliseconds{planned_s * 750}) << planned_s;
    EXPECT_LE(pause, milliseconds{planned_s * 1250}) << planned_s;
    fail(1);
  }
  EXPECT_EQ(circuit_.opened_at(), opened);
  circuit_.on_success();
  fail(5);
  EXPECT_LE(circuit_.probe_at() - now_, milliseconds{1250}) << "it begins anew";
}

TEST_F(CircuitTest, IsNotMovedByAttemptsThatBeganBeforeItOpened) {
  fail(5);
  const Instant probe_at = circuit_.probe_at();
  EXPECT_FALSE(circuit_.on_failure(false, now_ + seconds{1}, options_, random_));
  EXPECT_EQ(circuit_.probe_at(), probe_at);
  EXPECT_TRUE(circuit_.on_success()) << "but their success counts";
}

TEST_F(CircuitTest, ProbesAgainWhereAProbeShowedNothing) {
  fail(5);
  now_ = circuit_.probe_at();
  circuit_.on_no_result(circuit_.on_start());
  EXPECT_TRUE(circuit_.admits(now_));
  EXPECT_EQ(circuit_.state(), State::open);
}

TEST_F(CircuitTest, ProbesAtOnceForAPerson) {
  fail(9);
  circuit_.hasten(now_);
  EXPECT_TRUE(circuit_.admits(now_));
  circuit_.hasten(now_ + seconds{60});
  EXPECT_TRUE(circuit_.admits(now_));
}

TEST_F(CircuitTest, NeverOpensWhereThatIsSwitchedOff) {
  options_.failures_max = 0;
  fail(100);
  EXPECT_TRUE(circuit_.closed());
}

TEST_F(CircuitTest, ClosesWhenItIsSwitchedOff) {
  fail(5);
  options_.failures_max = 0;
  fail(1);
  EXPECT_TRUE(circuit_.closed());
}

}  // namespace
}  // namespace ringpost::delivery
