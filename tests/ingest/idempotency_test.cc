#include "ingest/idempotency.h"

#include "base/prng.h"
#include "ingest/content_hash.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

// Goal: of all events with one key, one is stored; no key is forgotten early; memory is bounded.
// Method: the window against a model and a clock that the test turns; then from many threads.

namespace ringpost::ingest {
namespace {

using Reservation = IdempotencyWindow::Reservation;
using State = IdempotencyWindow::State;
using std::chrono::hours;
using std::chrono::seconds;

constexpr std::array<HashKey, 2> secret{HashKey{1, 2}, HashKey{3, 4}};
constexpr Instant start{hours{1000}};
constexpr ContentHash body{7};
constexpr ContentHash other_body{8};

// Two that CloudEvents call one, in whichever mode they came, are one content.
TEST(ContentHash, IsTheSameForTheSameEvent) {
  const auto hash = [](const journal::EventView& event) { return content_hash(event, secret); };
  journal::EventView event{.type = "t", .data = as_bytes("{}")};
  const uint64_t plain = hash(event);
  for (const char* type :
       {"application/json", "Application/JSON", "application/json; charset=UTF-8",
        "application/json;charset=\"utf-8\""}) {
    event.data_content_type = type;
    EXPECT_EQ(hash(event), plain) << type;
  }
  event.data = as_bytes(" {}\n");
  EXPECT_EQ(hash(event), plain);
  event.data_content_type = "application/vnd.x+json";
  EXPECT_NE(hash(event), plain);
  event.data_content_type = "text/plain";
  EXPECT_NE(hash(event), plain);
  const uint64_t text = hash(event);
  event.data = as_bytes("{}");
  EXPECT_NE(hash(event), text) << "white space is content where it is not JSON";
  event.data_content_type = "text/plain; format=flowed";
  const uint64_t flowed = hash(event);
  event.data_content_type = "TEXT/plain ;  Format=flowed";
  EXPECT_EQ(hash(event), flowed);
  event.data_content_type = "text/plain; format=fixed";
  EXPECT_NE(hash(event), flowed);
}

TEST(ContentHash, ComparesExtensionsByTheirText) {
  const auto hash = [](std::string_view extensions) {
    return content_hash({.extensions = extensions}, secret);
  };
  const uint64_t one = hash(R"({"n":7,"ok":true,"s":"a\"b"})");
  EXPECT_EQ(hash(R"({"n":"7","ok":"true","s":"a\u0022b"})"), one);
  EXPECT_EQ(hash(R"({"s":"a\"b","ok":true,"n":7})"), one);
  EXPECT_NE(hash(R"({"n":8,"ok":true,"s":"a\"b"})"), one);
  EXPECT_NE(hash(R"({"n":7,"ok":false,"s":"a\"b"})"), one);
  EXPECT_NE(hash(R"({"n":7,"ok":true})"), one);
  EXPECT_NE(hash(R"({"m":7,"ok":true,"s":"a\"b"})"), one);
  EXPECT_NE(hash(""), one);
  EXPECT_EQ(hash(R"({"n":-0})"), hash(R"({"n":"0"})"));
  EXPECT_NE(hash(R"({"teams":["a","b"],"x":1})"), hash(R"({"teams":["a"],"x":1})"));
  EXPECT_NE(hash(R"({"a":"1","b":"2"})"), hash(R"({"a":"2","b":"1"})"));
  EXPECT_EQ(hash(R"({"a":",}","b":"]["})"), hash(R"({"b":"][","a":",}"})"));
}

TEST(ContentHash, ComparesTimesAsTheyAreKeptNow) {
  const auto hash = [](std::string_view time) { return content_hash({.time = time}, secret); };
  EXPECT_EQ(hash("2031-05-04 09:08:07z"), hash("2031-05-04T09:08:07Z"));
  EXPECT_NE(hash("2031-05-04T09:08:08Z"), hash("2031-05-04T09:08:07Z"));
}

class IdempotencyWindowTest : public testing::Test {
 protected:
  IdempotencyWindow window_{{.length = hours{24}, .entries_max = 256 * 64}, secret};
  IdempotencyKey key_of(uint64_t number) const {
    return window_.key("o", "s", std::to_string(number));
  }
};

TEST_F(IdempotencyWindowTest, KeysDifferWhereverTheirPartsDo) {
  const auto key = window_.key("ab", "c", "d");
  EXPECT_EQ(key, window_.key("ab", "c", "d"));
  EXPECT_NE(key, window_.key("a", "bc", "d"));
  EXPECT_NE(key, window_.key("ab", "cd", ""));
  EXPECT_NE(key, window_.key("ab", "", "cd"));
  EXPECT_NE(key, window_.key("abc", "", "d"));
  const IdempotencyWindow other{{}, {HashKey{1, 2}, HashKey{3, 5}}};
  EXPECT_NE(key, other.key("ab", "c", "d"));
}

TEST_F(IdempotencyWindowTest, ContentsDifferWhereverAnAttributeOrAByteOfDataDoes) {
  const std::string_view data = R"({"n":1.0})";
  const journal::EventView event{.organization = "o",
                                 .id = "1",
                                 .id_given = true,
                                 .source = "s",
                                 .type = "t",
                                 .time = "2031-05-04T09:08:07Z",
                                 .subject = "x",
                                 .data = as_bytes(data)};
  const ContentHash content = window_.content(event);
  std::vector<journal::EventView> others;
  for (auto place : {&journal::EventView::type, &journal::EventView::time,
                     &journal::EventView::subject, &journal::EventView::data_content_type,
                     &journal::EventView::branch, &journal::EventView::ordering_key}) {
    others.push_back(event);
    others.back().*place = "y";
  }
  others.push_back(event);
  others.back().extensions = R"({"y":1})";
  for (const std::string_view other : {R"({"n":1})", R"({"n": 1.0})", ""}) {
    others.push_back(event);
    others.back().data = as_bytes(other);
  }
  // What moves from one attribute to the next leaves their texts, one behind the other, the same.
  others.push_back(event);
  others.back().time = "2031-05-04T09:08:07Zx";
  others.back().subject = "";
  for (size_t index = 0; index < others.size(); ++index) {
    EXPECT_NE(window_.content(others[index]), content) << index;
  }
  // What the key covers, and what is ours, is no content.
  journal::EventView same = event;
  same.organization = same.id = same.source = "other";
  same.uid = Ulid{{1}};
  same.accepted_at = from_unix_ns(5);
  same.webhook_numbers = as_bytes(data);
  // A producer that sends the event again does so in another span.
  same.trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  same.extensions = R"({"tracestate":"a=1"})";
  EXPECT_EQ(window_.content(same), content);
  const IdempotencyWindow other{{}, {HashKey{1, 2}, HashKey{3, 5}}};
  EXPECT_NE(other.content(event), content) << "anyone could aim for a collision";
}

// The same instant is the same time, however it is spelled; another one is not.
TEST_F(IdempotencyWindowTest, ATimeIsTheInstantThatItIs) {
  journal::EventView event{.id = "1", .source = "s", .type = "t"};
  const auto with_time = [&](std::string_view time) {
    event.time = time;
    return window_.content(event);
  };
  const ContentHash content = with_time("2031-05-04T09:08:07.120Z");
  for (const char* time :
       {"2031-05-04T09:08:07.12Z", "2031-05-04T09:08:07.120000000Z", "2031-05-04t09:08:07.12z",
        "2031-05-04 09:08:07.12Z", "2031-05-04T11:08:07.12+02:00", "2031-05-04T09:08:07.12-00:00",
        "2031-05-03T19:38:07.12-13:30", "2031-05-04T09:08:07.1200000001Z"}) {
    EXPECT_EQ(with_time(time), content) << time;
  }
  for (const char* time :
       {"2031-05-04T09:08:07.121Z", "2031-05-04T09:08:07Z", "2031-05-04T09:08:07.12+02:00", ""}) {
    EXPECT_NE(with_time(time), content) << time;
  }
  EXPECT_NE(with_time("0001-01-01T00:00:00Z"), with_time("0002-01-01T00:00:00Z"));
  EXPECT_NE(with_time("9998-01-01T00:00:00Z"), with_time("9999-01-01T00:00:00Z"));
}

TEST_F(IdempotencyWindowTest, ContentOfAStoredEventIsThatOfTheEventAccepted) {
  const std::string_view data = R"({"a":[1,2]})";
  journal::EventView event{.organization = "o",
                           .id = "1",
                           .id_given = true,
                           .source = "s",
                           .type = "t",
                           .branch = "main",
                           .extensions = R"({"teams":["a"]})",
                           .data = as_bytes(data)};
  const ContentHash content = window_.content(event);
  EXPECT_EQ(window_.content(journal::EventCodec::encode(event)->view()), content);
  event.data = {};
  EXPECT_EQ(window_.content(journal::EventCodec::encode(event)->view()), window_.content(event));
}

TEST_F(IdempotencyWindowTest, RefusesAKnownKeyWithAnotherContentWhilePendingAndAfter) {
  const auto key = key_of(1);
  EXPECT_EQ(window_.reserve(key, body, start), Reservation::fresh);
  EXPECT_EQ(window_.reserve(key, other_body, start), Reservation::conflict);
  window_.confirm(key);
  EXPECT_EQ(window_.reserve(key, other_body, start), Reservation::conflict);
  EXPECT_EQ(window_.reserve(key, body, start), Reservation::duplicate_durable);
  // The window's end is the end of that.
  EXPECT_EQ(window_.reserve(key, other_body, start + hours{24}), Reservation::fresh);
  window_.abandon(key);
  EXPECT_EQ(window_.reserve(key, body, start + hours{24}), Reservation::fresh);
}

TEST_F(IdempotencyWindowTest, RestoresContents) {
  window_.restore(key_of(1), body, hours{1}, start);
  EXPECT_EQ(window_.reserve(key_of(1), other_body, start), Reservation::conflict);
  EXPECT_EQ(window_.reserve(key_of(1), body, start), Reservation::duplicate_durable);
}

TEST_F(IdempotencyWindowTest, ReservesOnceAndTellsPendingFromDurable) {
  const auto key = key_of(1);
  EXPECT_EQ(window_.state(key, start), State::absent);
  EXPECT_EQ(window_.reserve(key, body, start), Reservation::fresh);
  EXPECT_EQ(window_.reserve(key, body, start), Reservation::duplicate_pending);
  EXPECT_EQ(window_.state(key, start), State::pending);
  window_.confirm(key);
  EXPECT_EQ(window_.reserve(key, body, start), Reservation::duplicate_durable);
  EXPECT_EQ(window_.state(key, start), State::durable);
}

TEST_F(IdempotencyWindowTest, AbandonedKeyIsAsIfNeverReserved) {
  const auto key = key_of(1);
  window_.reserve(key, body, start);
  window_.abandon(key);
  EXPECT_EQ(window_.state(key, start), State::absent);
  EXPECT_EQ(window_.size(), 0u);
  EXPECT_EQ(window_.reserve(key, body, start), Reservation::fresh);
}

TEST_F(IdempotencyWindowTest, ForgetsAtTheEndOfTheWindowAndNotBefore) {
  const auto key = key_of(1);
  window_.reserve(key, body, start);
  window_.confirm(key);
  EXPECT_EQ(window_.reserve(key, body, start + hours{24} - seconds{1}),
            Reservation::duplicate_durable);
  EXPECT_EQ(window_.state(key, start + hours{24}), State::absent);
  EXPECT_EQ(window_.reserve(key, body, start + hours{24}), Reservation::fresh);
}

TEST_F(IdempotencyWindowTest, NeverForgetsAPendingKey) {
  const auto key = key_of(1);
  window_.reserve(key, body, start);
  EXPECT_EQ(window_.reserve(key, body, start + hours{100}), Reservation::duplicate_pending);
  for (uint64_t number = 2; number < 100'000; ++number) {
    const auto other = key_of(number);
    ASSERT_EQ(window_.reserve(other, body, start), Reservation::fresh);
    window_.confirm(other);
  }
  EXPECT_EQ(window_.state(key, start), State::pending);
  window_.confirm(key);
}

TEST_F(IdempotencyWindowTest, ForgetsTheOldestBeyondItsBound) {
  constexpr uint64_t count = 50'000;
  for (uint64_t number = 0; number < count; ++number) {
    const auto key = key_of(number);
    ASSERT_EQ(window_.reserve(key, body, start + seconds{number / 100}), Reservation::fresh);
    window_.confirm(key);
  }
  EXPECT_LE(window_.size(), 256u * 64u);
  EXPECT_GT(window_.size(), 256u * 60u);
  for (uint64_t number = count - 10'000; number < count; ++number) {
    ASSERT_EQ(window_.state(key_of(number), start + seconds{600}), State::durable) << number;
  }
  EXPECT_EQ(window_.state(key_of(0), start), State::absent);
}

TEST_F(IdempotencyWindowTest, CountsWhatItForgetsBeforeItsTimeAndNothingElse) {
  const auto accept = [this](uint64_t number, Instant now) {
    EXPECT_EQ(window_.reserve(key_of(number), body, now), Reservation::fresh);
    window_.confirm(key_of(number));
  };
  for (uint64_t number = 0; number < 1000; ++number) accept(number, start);
  for (uint64_t number = 0; number < 1000; ++number) accept(number, start + hours{25});
  window_.reserve(key_of(5000), body, start + hours{25});
  window_.abandon(key_of(5000));
  EXPECT_EQ(window_.forgotten_early(), 0u) << "their time was over";
  constexpr uint64_t many = 256 * 64 * 3;
  for (uint64_t number = 10'000; number < 10'000 + many; ++number)
    accept(number, start + hours{26});
  EXPECT_EQ(window_.forgotten_early(), 1000 + many - window_.size());
  EXPECT_GT(window_.forgotten_early(), many / 2);
}

TEST_F(IdempotencyWindowTest, ForgetsNothingOfSmallOrganizationsForALargeOne) {
  const auto accept = [this](std::string_view organization, uint64_t number) {
    const auto key = window_.key(organization, "s", std::to_string(number));
    if (window_.reserve(key, body, start) == Reservation::fresh) window_.confirm(key);
  };
  const auto known = [this](std::string_view organization, uint64_t count) {
    uint64_t found = 0;
    for (uint64_t number = 0; number < count; ++number) {
      const auto key = window_.key(organization, "s", std::to_string(number));
      found += window_.state(key, start) == State::durable ? 1 : 0;
    }
    return found;
  };
  constexpr uint64_t room = 256 * 64;
  for (uint64_t number = 0; number < 100; ++number) accept("small", number);
  for (uint64_t number = 0; number < 1000; ++number) accept("medium", number);
  for (uint64_t number = 0; number < room * 10; ++number) {
    accept("large", number);
    if (number % 100 == 0) accept("late", number / 100);  // While there is no room any more.
  }
  EXPECT_EQ(known("small", 100), 100u);
  EXPECT_EQ(known("medium", 1000), 1000u);
  EXPECT_EQ(known("late", room / 10), room / 10);
  EXPECT_GT(known("large", room * 10), room / 2);
  EXPECT_LE(window_.size(), room);

  // Two that want everything have about the same.
  for (uint64_t number = 0; number < room * 10; ++number) {
    accept("large", number);
    accept("other", number);
  }
  EXPECT_GT(known("large", room * 10), room / 4);
  EXPECT_GT(known("other", room * 10), room / 4);
  EXPECT_EQ(known("small", 100), 100u);
}

TEST_F(IdempotencyWindowTest, TakesEachNewKeyOfThousandsOfOrganizations) {
  for (uint64_t number = 0; number < 200'000; ++number) {
    const auto key = window_.key(std::to_string(number % 5000), "s", std::to_string(number));
    ASSERT_EQ(window_.reserve(key, body, start), Reservation::fresh);
    window_.confirm(key);
    ASSERT_EQ(window_.state(key, start), State::durable);
  }
  EXPECT_LE(window_.size(), 256u * 64u);
}

TEST_F(IdempotencyWindowTest, SaysFullWhenNothingButPendingKeysAreThere) {
  uint64_t fresh = 0;
  uint64_t full = 0;
  for (uint64_t number = 0; number < 256 * 64 * 2; ++number) {
    const auto result = window_.reserve(key_of(number), body, start);
    ASSERT_TRUE(result == Reservation::fresh || result == Reservation::full);
    ++(result == Reservation::fresh ? fresh : full);
  }
  EXPECT_GT(full, 0u);
  EXPECT_LE(fresh, 256u * 64u);
  EXPECT_EQ(window_.size(), fresh);
}

TEST_F(IdempotencyWindowTest, RestoresWhatIsStillInTheWindow) {
  window_.restore(key_of(1), body, hours{23}, start);
  window_.restore(key_of(2), body, hours{24}, start);
  window_.restore(key_of(3), body, -hours{5}, start);  // The wall clock went back meanwhile.
  EXPECT_EQ(window_.state(key_of(1), start), State::durable);
  EXPECT_EQ(window_.state(key_of(2), start), State::absent);
  EXPECT_EQ(window_.state(key_of(3), start), State::durable);
  EXPECT_EQ(window_.state(key_of(1), start + hours{1}), State::absent);
  EXPECT_EQ(window_.state(key_of(3), start + hours{24}), State::absent);
  window_.restore(key_of(3), body, hours{1}, start);  // Known already: not twice.
  EXPECT_EQ(window_.size(), 2u);
}

TEST_F(IdempotencyWindowTest, ReservesARestoredKeyThatIsTooOldBehindAYoungerOne) {
  window_.restore(key_of(1), body, hours{0}, start);
  for (uint64_t number = 2; number < 2000; ++number)
    window_.restore(key_of(number), body, hours{20}, start);
  for (uint64_t number = 2; number < 2000; ++number) {
    EXPECT_EQ(window_.reserve(key_of(number), body, start + hours{5}), Reservation::fresh);
  }
}

// A model with unlimited memory says what each answer must be; keys come, go and age at random.
TEST(IdempotencyWindow, AgreesWithAModel) {
  struct Known {
    Instant at;
    bool pending;
    ContentHash content;
  };
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Prng random{seed};
    IdempotencyWindow window{{.length = seconds{50}, .entries_max = 1u << 20}, secret};
    std::unordered_map<uint64_t, Known> model;
    Instant now = start;
    for (int step = 0; step < 20'000; ++step) {
      now += std::chrono::milliseconds{random.below(20)};
      const uint64_t number = random.below(3000);
      const auto key = window.key("o", "s", std::to_string(number));
      const auto known = model.find(number);
      const bool alive =
          known != model.end() && (known->second.pending || now - known->second.at < seconds{50});
      if (alive && known->second.pending && random.chance(2, 3)) {
        if (random.chance(1, 3)) {
          window.abandon(key);
          model.erase(known);
        } else {
          window.confirm(key);
          known->second.pending = false;
        }
        continue;
      }
      const ContentHash content{random.below(2)};
      const auto expected = !alive                             ? Reservation::fresh
                            : known->second.content != content ? Reservation::conflict
                            : known->second.pending            ? Reservation::duplicate_pending
                                                               : Reservation::duplicate_durable;
      ASSERT_EQ(window.reserve(key, content, now), expected) << "seed " << seed << " step " << step;
      if (!alive) model[number] = {now, true, content};
    }
  }
}

TEST(IdempotencyWindow, LetsOneThreadInWhenManyReserveTheSameKeys) {
  constexpr uint32_t thread_count = 4;
  constexpr uint64_t key_count = 5000;
  IdempotencyWindow window{{.entries_max = 1u << 16}, secret};
  std::vector<std::atomic<uint32_t>> stored(key_count);
  std::atomic<uint32_t> misordered{0};
  const auto run = [&](uint64_t seed) {
    Prng random{seed};
    for (int step = 0; step < 40'000; ++step) {
      const uint64_t number = random.below(key_count);
      const auto key = window.key("o", "s", std::to_string(number));
      switch (window.reserve(key, body, start)) {
        case Reservation::fresh:
          if (random.chance(1, 4)) {
            window.abandon(key);
          } else {
            stored[number].fetch_add(1);
            window.confirm(key);
          }
          break;
        case Reservation::duplicate_durable:
          // Whoever hears that it is stored must find it stored.
          if (stored[number].load() == 0) misordered.fetch_add(1);
          break;
        case Reservation::conflict: misordered.fetch_add(1); break;
        case Reservation::duplicate_pending:
        case Reservation::full: break;
      }
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t index = 0; index < thread_count; ++index) threads.emplace_back(run, index + 1);
  for (std::thread& thread : threads) thread.join();
  for (const auto& count : stored) EXPECT_LE(count.load(), 1u);
  EXPECT_EQ(misordered.load(), 0u);
}

}  // namespace
}  // namespace ringpost::ingest
