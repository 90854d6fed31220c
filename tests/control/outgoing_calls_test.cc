#include "control/outgoing_calls.h"

#include "control_fakes.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

// Goal: each call is answered once, when the store may be changed, and they stay bounded.

namespace ringpost::control {
namespace {

using testing::FakePost;

class OutgoingCallsTest : public ::testing::Test {
 protected:
  void start(const std::string& body = {}) {
    net::ClientRequest request{.url = {}, .headers = {}, .body = body};
    calls.start(std::move(request), [this](const net::ClientAnswer& answer) {
      answers.push_back(answer.error ? "error" : answer.body);
    });
  }
  std::vector<SendCall> sent() {
    std::vector<SendCall> all;
    for (uint32_t shard = 0; shard < 2; ++shard) {
      while (auto message = post.take<SendCall>(shard)) all.push_back(std::move(*message));
    }
    return all;
  }
  void answer(const SendCall& call, const std::string& body) {
    auto answer = std::make_unique<net::ClientAnswer>();
    answer->status = 200;
    answer->body = body;
    calls.on_answered({call.ticket, std::move(answer)});
  }

  FakePost post{2};
  OutgoingCalls calls{post, 2};
  std::vector<std::string> answers;
};

TEST_F(OutgoingCallsTest, TellsOfAnAnswerWhenItMay) {
  start("question");
  const auto asked = sent();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].request->body, "question");
  answer(asked[0], "yes");
  EXPECT_TRUE(answers.empty());
  calls.finish();
  EXPECT_EQ(answers, std::vector<std::string>{"yes"});
  answer(asked[0], "again");
  calls.finish();
  EXPECT_EQ(answers.size(), 1u);
}

TEST_F(OutgoingCallsTest, LetsTheOthersWait) {
  for (uint32_t i = 0; i < OutgoingCalls::under_way_max + 1; ++i) start();
  const auto first = sent();
  ASSERT_EQ(first.size(), size_t{OutgoingCalls::under_way_max});
  answer(first[0], "");
  EXPECT_EQ(sent().size(), 1u);
}

TEST_F(OutgoingCallsTest, RefusesWhenTooManyWait) {
  for (size_t i = 0; i < OutgoingCalls::under_way_max + OutgoingCalls::waiting_max; ++i) start();
  start();
  EXPECT_TRUE(answers.empty());
  calls.finish();
  EXPECT_EQ(answers, std::vector<std::string>{"error"});
}

TEST_F(OutgoingCallsTest, OneMayLeadToTheNext) {
  calls.start({.url = {}, .headers = {}, .body = {}},
              [this](const net::ClientAnswer&) { start("next"); });
  answer(sent()[0], "");
  calls.finish();
  EXPECT_EQ(sent()[0].request->body, "next");
}

}  // namespace
}  // namespace ringpost::control
