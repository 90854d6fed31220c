// Goal: a delivery ends once, whatever ends it and whatever becomes of the record of its end: what
// is counted as pending is right all the time, nothing that was promised is lost, and nothing is
// sent again but for a crash. Method: relays with tiny segments, of which few are kept, so that
// events that wait are carried forward. While their requests are under way webhooks are deleted,
// disabled and moved, deliveries are sent again, the disk is full, the history's files are damaged;
// answers come late, broken or never; and the relay goes down, and comes back with another number
// of shards. All that is counted is checked after each turn of the control side.
//
// SIM_SEEDS=1000 runs more of them, SIM_SEED=17 just that one.

#include "sim/relay/lives.h"
#include "sim/relay/seeds.h"
#include "sim/relay/small_world.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace ringpost::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Answer = HttpReceiver::Answer;
using Request = HttpReceiver::Request;

constexpr uint32_t segment_bytes = 64 * 1024;

void keep_little(shard::RelayOptions& options) {
  options.segment_bytes = segment_bytes;
  options.control.retention.bytes = 6 * uint64_t{segment_bytes};
}

/// A webhook whose deliveries end in all ways, and one whose events fill the journals.
struct EndsWorld : SmallWorld {
  explicit EndsWorld(uint64_t seed, uint32_t shard_count = 1)
      : SmallWorld(seed, shard_count, keep_little) {
    // What fills the journals leads to SmallWorld's own receiver, which is always well.
    hook(R"(,"sources":["app/filler"])");
    make_held();
  }

  void make_held() {
    std::string schedule = "1";
    for (int more = 0; more < 31; ++more) schedule += ",4";
    held = api.create_webhook(
        R"({"url":"http://10.0.0.3/held","sources":["app/held"],"timeout_ms":1500,"schedule":[)" +
        schedule + "]}");
  }
  /// @returns whether it was accepted.
  bool post_held() {
    const std::string id = "held-" + std::to_string(posted_count++);
    const bool accepted =
        api.post_event(id, "app/held", "build/done", R"({"id":")" + id + R"("})") == 202;
    if (accepted) promised[id] = true;
    return accepted;
  }
  void fill(size_t count) {
    const std::string data = R"({"filler":")" + std::string(6000, 'x') + R"("})";
    for (size_t left = count; left > 0; --left) {
      api.post_event("", "app/filler", "build/done", data);
      world.run_for(milliseconds{10});
    }
  }
  /// What was promised of the webhook is not any more.
  void withdraw() {
    for (auto& [id, holds] : promised) holds = false;
  }
  void remove_held() {
    EXPECT_EQ(api.call("DELETE", "/v1/webhooks/" + held).status(), 204);
    withdraw();
  }
  void move_held() {
    moved = !moved;
    const std::string host = moved ? "10.0.0.4" : "10.0.0.3";
    const HttpMessage changed =
        api.call("PATCH", "/v1/webhooks/" + held, R"({"url":"http://)" + host + R"(/held"})");
    EXPECT_EQ(changed.status(), 200) << changed.body;
  }
  void send_again() {
    if (deliveries.empty()) return;
    const std::string id = deliveries[world.random().below(deliveries.size())];
    api.call("POST", "/v1/deliveries/" + id + "/redeliver", "{}");  // It may be gone.
  }
  void fill_disk() { world.disk().set_capacity(world.disk().used_bytes()); }
  void free_disk() {
    world.disk().set_capacity(uint64_t{1} << 40);
    world.run_for(seconds{2});  // Until segments are prepared again.
  }
  /// What no relay does to its indexes.
  void spoil_an_index() {
    std::vector<std::string> indexes;
    for (const std::string& file : world.disk().files()) {
      if (file.ends_with(".idx")) indexes.push_back(file);
    }
    if (indexes.empty()) return;
    world.disk().truncate(indexes[world.random().below(indexes.size())], 0);
  }
  std::string status_member(std::string_view name) {
    const std::string body = api.call("GET", "/v1/status").body;
    const std::string key = "\"" + std::string{name} + "\":";
    const size_t at = body.find(key);
    if (at == std::string::npos) return body;
    return body.substr(at + key.size(), body.find_first_of(",}", at) - at - key.size());
  }
  bool fill_until_carried(const std::string& at_least = "1") {
    for (int round = 0; round < 40; ++round) {
      const std::string carried = status_member("events_carried");
      if (std::stoull(carried) >= std::stoull(at_least)) return true;
      fill(10);
      world.run_for(seconds{1});
    }
    return false;
  }
  /// Everything ends well: @returns what does not.
  std::vector<std::string> judge() {
    calm = true;
    free_disk();
    std::vector<std::string> wrong;
    if (!settle()) wrong.push_back("it did not settle");
    if (const auto left = status_member("backlog"); left != "0") wrong.push_back("backlog " + left);
    if (const auto at = status_member("oldest_undelivered_at"); at != "null") {
      wrong.push_back("the oldest is of " + at);
    }
    for (const auto& [id, holds] : promised) {
      if (holds && good[id] == 0) wrong.push_back(id + " never arrived");
    }
    return wrong;
  }

  Answer answer_held(const Request& request) {
    const std::string delivery{request.header("webhook-id")};
    if (std::ranges::find(deliveries, delivery) == deliveries.end()) {
      deliveries.push_back(delivery);
    }
    const Answer drawn = calm ? Answer{} : draw(request);
    if (drawn.status == 200 && drawn.way == Answer::Way::whole) {
      const std::string& body = request.body();
      const size_t begin = body.find("held-");
      if (begin != std::string::npos) ++good[body.substr(begin, body.find('"', begin) - begin)];
    }
    return drawn;
  }
  Answer draw_answer() {
    Answer drawn{.delay = world.between({}, milliseconds{1400})};
    switch (world.random().below(8)) {
      case 0: drawn.status = 500; break;
      case 1: drawn.way = Answer::Way::never; break;
      case 2: drawn.way = Answer::Way::reset; break;
      case 3:
        drawn.status = 503;
        drawn.headers = {{"Retry-After", "1"}};
        break;
      case 4: break;
      default: drawn.status = 502; break;
    }
    return drawn;
  }

  std::string held;
  bool moved = false;
  bool calm = false;
  size_t posted_count = 0;
  std::map<std::string, bool> promised;  ///< By event: whether it has to arrive.
  std::map<std::string, size_t> good;    ///< By event: answers that make a delivery of it.
  std::vector<std::string> deliveries;
  std::function<Answer(const Request&)> draw = [this](const Request&) { return draw_answer(); };
  HttpReceiver here{world, address("10.0.0.3", 80),
                    [this](const Request& request) { return answer_held(request); }};
  HttpReceiver elsewhere{world, address("10.0.0.4", 80),
                         [this](const Request& request) { return answer_held(request); }};
};

void act(EndsWorld& ends) {
  Prng& random = ends.world.random();
  switch (random.below(10)) {
    case 0:
      ends.remove_held();
      ends.make_held();
      break;
    case 1: {
      const std::string path = "/v1/webhooks/" + ends.held;
      EXPECT_EQ(ends.api.call("POST", path + "/disable").status(), 200);
      ends.withdraw();
      EXPECT_EQ(ends.api.call("POST", path + "/enable").status(), 200);
      break;
    }
    case 2: ends.move_held(); break;
    case 3: ends.send_again(); break;
    case 4: ends.fill_disk(); break;
    case 5: ends.free_disk(); break;
    case 6: ends.spoil_an_index(); break;
    case 7: ends.post_held(); break;
    default: ends.fill(15); break;
  }
}

TEST(RelayEnds, EachCountsOnce) {
  const Seeds seeds = seeds_to_run(60);
  uint64_t carried = 0;
  for (uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    SCOPED_TRACE(seed);
    EndsWorld ends(seed, 1 + static_cast<uint32_t>(seed % 3));
    for (int life = 0; life < 3; ++life) {
      for (uint64_t more = ends.world.random().between(1, 4); more > 0; --more) ends.post_held();
      for (uint64_t more = ends.world.random().between(3, 12); more > 0; --more) {
        act(ends);
        ends.world.run_for(ends.world.between({}, milliseconds{900}));
      }
      carried += std::stoull(ends.status_member("events_carried"));
      end_life(ends.world, ends.relay);
      ends.world.disk().set_capacity(uint64_t{1} << 40);  // A start needs room.
      ASSERT_EQ(begin_life(ends.world, ends.relay), "");
    }
    for (const bool again : {false, true}) {
      if (again) ends.restart(Crash::kill);
      const auto wrong = ends.judge();
      ASSERT_TRUE(wrong.empty()) << joined(wrong);
    }
    if (::testing::Test::HasFailure()) return;
  }
  if (seeds.last - seeds.first < 30) return;
  EXPECT_GT(carried, seeds.last);  // Or nothing was tested.
}

/// What becomes of the request that is under way when its delivery is cancelled.
const std::vector<Answer>& late_answers() {
  static const std::vector<Answer> answers{
      {.delay = seconds{1}},
      {.status = 500, .delay = seconds{1}},
      {.delay = seconds{1}, .way = Answer::Way::reset},
      {.way = Answer::Way::never},
  };
  return answers;
}

enum class Stop : uint8_t { none, orderly, hastened, killed };

// Goal: of each way in which the last request of a deleted webhook can end, and the relay with it,
// one end is counted. Method: all of them, once before the event is carried forward and once after.
TEST(RelayEnds, OfADeletedWebhookCountOnce) {
  for (const bool carried : {false, true}) {
    for (const Answer& late : late_answers()) {
      for (const Stop stop : {Stop::none, Stop::orderly, Stop::hastened, Stop::killed}) {
        EndsWorld ends(1, 2);
        bool is_last = false;
        ends.draw = [&](const Request&) { return is_last ? late : Answer{.status = 500}; };
        ASSERT_TRUE(ends.post_held());
        if (carried) {
          ASSERT_TRUE(ends.fill_until_carried());
        }
        is_last = true;
        const size_t before = ends.here.requests().size();
        ASSERT_TRUE(
            ends.world.run_until([&] { return ends.here.requests().size() > before; }, minutes{1}));
        ends.remove_held();
        if (stop == Stop::orderly) ends.relay.stop(seconds{30});
        if (stop == Stop::hastened) ends.relay.stop(milliseconds{100});
        if (stop == Stop::killed) ends.relay.crash(Crash::kill);
        if (!ends.relay.running()) ends.start();
        ends.world.run_for(seconds{5});
        const auto wrong = ends.judge();
        EXPECT_TRUE(wrong.empty()) << carried << static_cast<int>(stop) << joined(wrong);
        ends.fill(60);
        EXPECT_EQ(ends.here.requests().size(), before + 1);
      }
    }
  }
}

// Goal: an end whose record there is no room for, or that is lost, counts as long as the relay
// runs, and is made once more after a restart at most. Method: attempts fail, then the disk is full
// or fails, and then the receiver takes them.
TEST(RelayEnds, WithoutARecordCountOnce) {
  for (const bool full : {false, true}) {
    for (const bool carried : {false, true}) {
      for (uint64_t seed = 1; seed <= 4; ++seed) {
        EndsWorld ends(seed, 1 + static_cast<uint32_t>(seed % 2));
        ends.draw = [](const Request&) { return Answer{.status = 500}; };
        for (int count = 0; count < 3; ++count) ASSERT_TRUE(ends.post_held());
        if (carried) {
          ASSERT_TRUE(ends.fill_until_carried());
        }
        full ? ends.fill_disk() : ends.world.disk().fail_next(Disk::Call::write, 1);
        ends.fill(150);
        ends.calm = true;
        ends.world.run_for(minutes{2});
        const std::string what = std::string{full ? "full" : "failed"} +
                                 (carried ? ", carried, seed " : ", seed ") + std::to_string(seed);
        EXPECT_EQ(ends.status_member("backlog"), "0") << what;
        EXPECT_EQ(ends.good.size(), 3u) << what;
        ends.free_disk();
        ends.restart(Crash::kill);
        const auto wrong = ends.judge();
        EXPECT_TRUE(wrong.empty()) << what << joined(wrong);
        for (const auto& [id, times] : ends.good) EXPECT_LE(times, 2u) << what << ": " << id;
      }
    }
  }
}

}  // namespace
}  // namespace ringpost::sim
