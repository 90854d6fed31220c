#include "control/gap_filler.h"

#include "control/store/store.h"
#include "control_fakes.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace ringpost::control::testing {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using subscription::GitHost;

struct Call {
  int number = 0;
  std::string id;
  int status = 0;
  int64_t at = 0;  ///< Seconds, as testing::at.
  std::string event = "push";
};

class GapFillerTest : public ::testing::Test {
 protected:
  GapFillerTest() { start(); }

  /// As after a restart of the relay.
  void start() {
    sources_ = std::make_unique<GitSourceRegistry>(*store_, table_);
    links_ = std::make_unique<GitLinks>(*store_);
    EXPECT_TRUE(sources_->load());
    EXPECT_TRUE(links_->load());
    filler_ = std::make_unique<GapFiller>(
        GapFiller::Parts{*links_, *sources_}, host_.caller(),
        [this](std::string_view, std::string_view source, std::string_view id, Instant) {
          return known_.contains(std::string{source} + ' ' + std::string{id});
        },
        [] {});
    filler_->set({.interval = minutes(5), .asks_per_minute = 5, .window = std::chrono::hours(24)});
  }

  void add_source(GitHost host, const std::string& path_token = "token") {
    subscription::GitSource source;
    source.id = Ulid::mint(at(clock_), random_);
    source.organization = "default";
    source.host = host;
    source.path_token = path_token;
    source.secret = "a-secret-of-the-source";
    const auto created = sources_->create(source);
    ASSERT_TRUE(created);
    number_ = (*created)->number;
    GitLink link;
    link.source = number_;
    link.source_id = (*created)->id;
    link.url =
        host == GitHost::github ? "https://github.com/acme/shop" : "https://git.example/acme/shop";
    link.token = "token-of-the-host";
    link.hook = "5";
    link.registered_at = at(clock_);
    link.log_number = "0";
    ASSERT_TRUE(links_->put(link));
  }

  void step() { filler_->step(at(clock_), Instant{seconds(clock_)}); }
  void pass(int64_t time_s) {
    clock_ += time_s;
    step();
  }

  static std::string github_log(const std::vector<Call>& calls) {
    std::string text = "[";
    for (const Call& call : calls) {
      text += (text.size() > 1 ? "," : "") + std::string{R"({"id": )"} +
              std::to_string(call.number) + R"(, "guid": ")" + call.id + R"(", "delivered_at": ")" +
              to_rfc3339(testing::at(call.at)) + R"(", "status_code": )" +
              std::to_string(call.status) + R"(, "event": ")" + call.event + R"("})";
    }
    return text + "]";
  }
  /// The source's log is read, and says this.
  void read(const std::vector<Call>& calls) {
    step();
    const auto request = host_.answer(200, github_log(calls));
    EXPECT_TRUE(request.url.find("/deliveries?") != std::string::npos) << request.url;
    step();
  }
  std::string state(const std::string& delivery) {
    const GitGap* gap = links_->find_gap(number_, delivery);
    return gap == nullptr ? "none"
                          : std::string{name(gap->state)} + " " + std::to_string(gap->asks);
  }

  int64_t clock_ = 1000;
  Prng random_{3};
  std::unique_ptr<Store> store_ =
      Store::open(":memory:", {.keyring = Keyring{}.with_new_key()}).store;
  subscription::SubscriptionTable table_{1, HashKey{}};
  FakeGitHost host_;
  std::set<std::string> known_;
  std::unique_ptr<GitSourceRegistry> sources_;
  std::unique_ptr<GitLinks> links_;
  std::unique_ptr<GapFiller> filler_;
  uint32_t number_ = 0;
};

TEST_F(GapFillerTest, asks_for_what_did_not_come) {
  add_source(GitHost::github);
  known_.insert("repository/github/acme/shop came");
  clock_ += 600;
  read({{4, "failed", 502, 1500}, {3, "came", 202, 1400}, {2, "ping", 502, 1300, "ping"}});
  const auto asked = host_.answer(202, "");
  EXPECT_EQ(asked.method, "POST");
  EXPECT_EQ(asked.url, "https://api.github.com/repos/acme/shop/hooks/5/deliveries/4/attempts");
  step();
  EXPECT_EQ(state("failed"), "asked 1");
  EXPECT_EQ(state("came"), "none");
  EXPECT_EQ(state("ping"), "none");
  EXPECT_TRUE(host_.calls.empty());

  known_.insert("repository/github/acme/shop failed");
  pass(300);
  host_.answer(200, github_log({{5, "failed", 202, 1650}, {4, "failed", 502, 1500}}));
  step();
  EXPECT_EQ(state("failed"), "filled 1");
}

TEST_F(GapFillerTest, knows_what_came_although_the_host_did_not_hear_of_it) {
  add_source(GitHost::github);
  known_.insert("repository/github/acme/shop late");
  read({{4, "late", 0, 1000}});
  EXPECT_EQ(state("late"), "none");
}

TEST_F(GapFillerTest, gives_up_after_three_times) {
  add_source(GitHost::github);
  std::vector<Call> log{{1, "bad", 422, 1000}};
  read(log);
  for (int round = 1; round <= 3; ++round) {
    EXPECT_EQ(state("bad"), "asked " + std::to_string(round));
    host_.answer(202, "");
    step();
    log.insert(log.begin(), {round + 1, "bad", 422, clock_});
    pass(300);
    host_.answer(200, github_log(log));
    step();
  }
  EXPECT_EQ(state("bad"), "given_up 3");
  EXPECT_TRUE(host_.calls.empty());
  start();  // Nor after a restart.
  read(log);
  EXPECT_EQ(state("bad"), "given_up 3");
  EXPECT_TRUE(host_.calls.empty());
}

TEST_F(GapFillerTest, asks_no_faster_than_it_may) {
  add_source(GitHost::github);
  read({{3, "c", 0, 1000}, {2, "b", 0, 1000}, {1, "a", 0, 1000}});
  EXPECT_TRUE(host_.answer(202, "").url.find("/1/") != std::string::npos);  // The oldest first.
  pass(11);
  EXPECT_TRUE(host_.calls.empty());
  EXPECT_EQ(filler_->due(), Instant{seconds(1012)});
  pass(1);
  EXPECT_TRUE(host_.answer(202, "").url.find("/2/") != std::string::npos);
}

TEST_F(GapFillerTest, does_not_ask_for_what_may_have_come_too_long_ago) {
  add_source(GitHost::github);
  clock_ += 30 * 3600;
  read({{2, "young", 0, clock_ - 3600}, {1, "old", 0, clock_ - 25 * 3600}});
  EXPECT_EQ(state("old"), "too_old 0");
  EXPECT_EQ(state("young"), "asked 1");
  EXPECT_TRUE(host_.answer(202, "").url.find("/2/") != std::string::npos);
}

TEST_F(GapFillerTest, asks_once_for_what_was_accepted_and_is_not_known) {
  add_source(GitHost::github);
  read({{2, "lost", 202, 1000}});
  EXPECT_EQ(state("lost"), "none");  // Perhaps nothing is known by this name of the repository.
  known_.insert("repository/github/acme/shop other");
  pass(300);
  host_.answer(200, github_log({{3, "other", 202, 1000}, {2, "lost", 202, 1000}}));
  step();
  EXPECT_EQ(state("lost"), "asked 1");
  host_.answer(202, "");
  pass(300);
  host_.answer(200, github_log({{4, "lost", 202, 1310}, {2, "lost", 202, 1000}}));
  step();
  EXPECT_EQ(state("lost"), "filled 1");
}

TEST_F(GapFillerTest, leaves_calls_alone_that_start_no_build) {
  add_source(GitHost::github, "c0ffee/token");
  known_.insert("app/c0ffee built");
  read({{3, "built", 201, 1000}, {2, "skipped", 200, 1000}, {1, "missed", 0, 1000}});
  EXPECT_EQ(state("skipped"), "none");
  EXPECT_EQ(state("missed"), "asked 1");
}

TEST_F(GapFillerTest, reads_on_where_it_was) {
  add_source(GitHost::gitlab);
  step();
  const std::string failed = R"([{"id": 12, "response_status": "internal error",
    "request_headers": {"Idempotency-Key": "k", "X-Gitlab-Event": "Push Hook"}},)";
  host_.answer(200, failed + R"({"id": 11, "response_status": "200",
    "request_headers": {"Idempotency-Key": "j"}}])");
  step();
  EXPECT_EQ(state("k"), "asked 1");
  EXPECT_EQ(host_.answer(201, "{}").url,
            "https://git.example/api/v4/projects/acme%2Fshop/hooks/5/events/12/resend");
  EXPECT_EQ(links_->find(number_)->log_number, "12");
  start();
  step();
  host_.answer(200, R"([{"id": 13, "response_status": "200",
    "request_headers": {"Idempotency-Key": "k"}}, {"id": 12, "response_status": "500",
    "request_headers": {"Idempotency-Key": "never-read"}}])");
  step();
  EXPECT_EQ(state("k"), "filled 1");
  EXPECT_EQ(state("never-read"), "none");
}

TEST_F(GapFillerTest, does_not_judge_what_a_webhook_sent_before_it_was_ours) {
  add_source(GitHost::gitlab);
  GitLink link = *links_->find(number_);
  link.log_number.clear();
  ASSERT_TRUE(links_->put(link));
  step();
  host_.answer(200, R"([{"id": 12, "response_status": "500",
    "request_headers": {"Idempotency-Key": "k"}}])");
  step();
  EXPECT_EQ(state("k"), "none");
  EXPECT_EQ(links_->find(number_)->log_number, "12");
}

TEST_F(GapFillerTest, follows_pages_one_at_a_time) {
  add_source(GitHost::github);
  step();
  host_.answer(200, github_log({{2, "b", 0, 1000}}),
               "Link: <https://api.github.com/x?cursor=v1>; rel=\"next\"\r\n");
  step();
  EXPECT_EQ(host_.calls.size(), 1u);
  EXPECT_EQ(state("b"), "none");
  EXPECT_EQ(host_.answer(200, github_log({{1, "a", 0, 1000}})).url,
            "https://api.github.com/repos/acme/shop/hooks/5/deliveries?cursor=v1");
  step();
  EXPECT_NE(state("a"), "none");
  EXPECT_NE(state("b"), "none");
}

TEST_F(GapFillerTest, leaves_a_host_alone_that_is_away_for_longer_and_longer) {
  add_source(GitHost::github);
  std::vector<int64_t> pauses;
  for (int round = 0; round < 6; ++round) {
    step();
    host_.fail({Errc::refused, Side::endpoint});
    step();
    ASSERT_TRUE(host_.calls.empty());
    const int64_t due = filler_->due()->time_since_epoch() / seconds(1);
    pauses.push_back((due - clock_) / 60);
    clock_ = due;
  }
  EXPECT_EQ(pauses, (std::vector<int64_t>{5, 10, 20, 40, 60, 60}));
  const auto* source = sources_->find_number(number_);
  EXPECT_NE(filler_->state(*source).problem.find("could not be asked"), std::string::npos);
  read({});
  EXPECT_EQ(filler_->state(*source).problem, "");
  EXPECT_TRUE(filler_->state(*source).is_on);
}

TEST_F(GapFillerTest, waits_as_long_as_the_host_wants) {
  add_source(GitHost::github);
  step();
  host_.answer(403, "{}", "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1935004600\r\n");
  step();
  EXPECT_EQ(filler_->due(), Instant{seconds(4600)});
}

TEST_F(GapFillerTest, counts_no_call_that_the_host_did_not_get) {
  add_source(GitHost::github);
  read({{1, "a", 0, 1000}});
  host_.fail({Errc::refused, Side::endpoint});
  step();
  EXPECT_EQ(state("a"), "open 0");
  EXPECT_TRUE(host_.calls.empty());
  pass(300);
  host_.answer(200, github_log({{1, "a", 0, 1000}}));
  step();
  host_.fail({Errc::timed_out, Side::endpoint});  // It may have got this one.
  step();
  EXPECT_EQ(state("a"), "open 1");
}

TEST_F(GapFillerTest, gives_up_what_the_host_refuses) {
  add_source(GitHost::github);
  read({{1, "a", 0, 1000}});
  host_.answer(422, R"({"message": "too old"})");
  step();
  EXPECT_EQ(state("a"), "given_up 1");
  EXPECT_NE(links_->find_gap(number_, "a")->detail.find("too old"), std::string::npos);
}

TEST_F(GapFillerTest, keeps_so_many_gaps_and_no_more) {
  add_source(GitHost::github);
  std::vector<Call> calls;
  for (int number = 300; number > 0; --number) {
    calls.push_back({number, "d" + std::to_string(number), 0, 1000});
  }
  read(calls);
  EXPECT_EQ(links_->gaps(number_).size(), GitLinks::gaps_max);
  EXPECT_NE(state("d1"), "none");  // The oldest are looked for first.
  EXPECT_EQ(state("d300"), "none");
  EXPECT_EQ(links_->find(number_)->log_read_at, WallTime{});  // So the rest is found later.
}

TEST_F(GapFillerTest, says_what_of_the_log_it_could_not_use) {
  add_source(GitHost::github);
  const auto not_searched = [this] {
    return filler_->state(*sources_->find_number(number_)).not_searched;
  };
  step();
  host_.answer(200, "[{}]");
  step();
  EXPECT_EQ(not_searched(), "1 entry of the host's log without a usable number or delivery id");
  clock_ += 1000;
  read({{1, "d1", 200, 1000}});
  EXPECT_EQ(not_searched(), "");
}

TEST_F(GapFillerTest, watches_only_what_is_registered_enabled_and_has_a_log) {
  add_source(GitHost::gitea);
  step();
  EXPECT_TRUE(host_.calls.empty());
  EXPECT_FALSE(filler_->due());
  EXPECT_FALSE(filler_->state(*sources_->find_number(number_)).has_log);

  add_source(GitHost::github, "another");
  subscription::GitSource source = *sources_->find_number(number_);
  source.enabled = false;
  ASSERT_TRUE(sources_->update(source));
  step();
  EXPECT_TRUE(host_.calls.empty());
  source.enabled = true;
  ASSERT_TRUE(sources_->update(source));
  step();
  EXPECT_EQ(host_.calls.size(), 1u);
  ASSERT_TRUE(links_->remove(number_));  // While it is read.
  host_.answer(200);
  step();
  EXPECT_FALSE(filler_->due());
  filler_->set({.interval = Duration::zero()});
  step();
  EXPECT_FALSE(filler_->due());
}

}  // namespace
}  // namespace ringpost::control::testing
