#include "control_fixture.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

// Goal: a listener lives as long as its stream and its lease, and what it is asked and answers gets
// to the shard and back.

namespace ringpost::control {
namespace {

using testing::at;
using testing::ControlTest;
using testing::Json;
using testing::monotonic;

class ListenersTest : public ControlTest {
 protected:
  ListenersTest() { make(); }

  void make() {
    const auto answer = ask("POST", "/v1/listeners", R"({"url": "http://localhost:3000/hook"})");
    ASSERT_EQ(answer.status, 201) << answer.body;
    id_ = Json{answer.body}.text("/id");
  }
  bool exists() { return ask("GET", "/v1/webhooks/" + id_).status == 200; }
  void open() {
    send("GET", "/v1/listeners/" + id_ + "/stream");
    EXPECT_TRUE(post_.take<StreamOpened>(0));
  }
  std::optional<ListenerChanged> told() {
    std::optional<ListenerChanged> told;
    for (uint32_t shard = 0; shard < testing::shard_count; ++shard) {
      told = post_.take<ListenerChanged>(shard);
      EXPECT_TRUE(told);
    }
    return told;
  }
  void pass(int64_t seconds) {
    clock_ += seconds;
    control_->step(at(clock_), monotonic(clock_));
    settle();
  }

  std::string id_;
};

TEST_F(ListenersTest, GoesWhenNobodyListens) {
  pass(89);  // A minute, and the time of an attempt.
  EXPECT_TRUE(exists());
  pass(2);
  EXPECT_FALSE(exists());
}

TEST_F(ListenersTest, StaysWhileSomebodyListens) {
  open();
  EXPECT_TRUE(told()->listening);
  pass(600);
  EXPECT_TRUE(exists());
  tell(0, StreamGone{});
  EXPECT_FALSE(told()->listening);
  pass(89);
  EXPECT_TRUE(exists());
  pass(2);
  EXPECT_FALSE(exists());
}

TEST_F(ListenersTest, HasItsLeaseAfterARestart) {
  pass(50);
  restart();
  pass(10'000);  // The clock counts from the machine's start, not the relay's.
  EXPECT_TRUE(exists());
  pass(89);
  EXPECT_TRUE(exists());
  pass(2);
  EXPECT_FALSE(exists());
}

TEST_F(ListenersTest, SendsNothingWhileNobodyListens) {
  auto request = std::make_unique<ListenerRequest>();
  request->webhook_number = 1;
  tell(0, std::move(request));
  EXPECT_FALSE(post_.take<StreamPiece>(0));
}

TEST_F(ListenersTest, SaysThatItIsThere) {
  open();
  while (post_.take<StreamPiece>(0)) {
  }
  pass(15);
  EXPECT_EQ(post_.take<StreamPiece>(0)->bytes, ": still here\n\n");
}

}  // namespace
}  // namespace ringpost::control
