#include "load/process_watch.h"

#include <gtest/gtest.h>

#include <unistd.h>

namespace ringpost::load {
namespace {

TEST(ProcessWatch, SeesWhatThisProcessUses) {
  auto watch = ProcessWatch::begin(getpid());
  ASSERT_TRUE(watch);
  EXPECT_FALSE(watch->use().name.empty());
  EXPECT_GT(watch->use().resident_bytes_last, 1'000'000u);
  EXPECT_GE(watch->use().descriptors_last, 3u);
  // Until the system has counted some of it: its clock ticks a hundred times a second.
  uint64_t sum = 0;
  while (watch->use().cpu_s() < 0.03) {
    for (uint64_t round = 0; round < 1'000'000; ++round) sum += round * sum + 1;
    watch->look();
  }
  EXPECT_NE(sum, 1u);
  EXPECT_FALSE(watch->use().ended);
}

TEST(ProcessWatch, ThereIsNoSuchProcess) {
  EXPECT_FALSE(ProcessWatch::begin(0x7fffffff));
}

TEST(ThisMachine, HasAKernel) {
  EXPECT_NE(this_machine().kernel.find("Linux"), std::string::npos);
  EXPECT_GT(this_machine().cpus, 0u);
}

}  // namespace
}  // namespace ringpost::load
