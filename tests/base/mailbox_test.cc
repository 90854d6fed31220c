#include "base/mailbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace ringpost {
namespace {

TEST(Mailbox, RefusesWhatDoesNotFitAndKeepsIt) {
  Mailbox<std::unique_ptr<int>> mailbox(2);
  EXPECT_TRUE(mailbox.push(std::make_unique<int>(1)));
  EXPECT_TRUE(mailbox.push(std::make_unique<int>(2)));
  auto third = std::make_unique<int>(3);
  EXPECT_FALSE(mailbox.push(std::move(third)));
  ASSERT_NE(third, nullptr);
  std::unique_ptr<int> out;
  ASSERT_TRUE(mailbox.pop(out));
  EXPECT_EQ(*out, 1);
  EXPECT_TRUE(mailbox.push(std::move(third)));
}

// Goal: no message is lost, doubled or reordered between two threads.
// Method: a small mailbox, so that both ends meet full and empty often; run under TSan in check.
TEST(Mailbox, KeepsOrderBetweenTwoThreads) {
  constexpr uint64_t count = 50'000;
  Mailbox<uint64_t> mailbox(8);
  std::thread sender([&] {
    for (uint64_t sent = 0; sent < count;) {
      uint64_t message = sent;
      if (mailbox.push(std::move(message)))
        ++sent;
      else
        std::this_thread::yield();
    }
  });
  for (uint64_t expected = 0; expected < count;) {
    uint64_t message = 0;
    if (!mailbox.pop(message)) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(message, expected++);
  }
  sender.join();
  EXPECT_TRUE(mailbox.empty());
}

}  // namespace
}  // namespace ringpost
