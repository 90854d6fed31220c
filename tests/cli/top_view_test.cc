#include "cli/top_view.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace ringpost::cli {
namespace {

struct Document {
  explicit Document(const std::string& json) {
    EXPECT_EQ(parser.parse(json).get(root), simdjson::SUCCESS) << json;
  }
  simdjson::dom::parser parser;
  simdjson::dom::element root;
};

std::string status_of(uint64_t uptime_s, uint64_t events, const std::string& more = {}) {
  const std::string count = std::to_string(events);
  return R"({"version":"1.0","uptime_s":)" + std::to_string(uptime_s) +
         R"(,"storage":{"state":"ok","detail":null,"store_state":"ok","journal_bytes":134217728},
             "backlog":7,"oldest_undelivered_at":"2031-05-04T09:08:07Z",
             "latency":{"accept":{"p50_us":900,"p99_us":2500},"delivery":{"p50_us":0,"p99_us":0}},
             "totals":{"events_accepted":)" +
         count + R"(,"events_refused":2,"deliveries_delivered":30,"deliveries_dead":1,
                     "attempts_failed":4,"attempts_started":34,"deliveries_in_flight":3},
             "shards":[{"events_accepted":)" +
         count + R"(,"deliveries_delivered":30,"deliveries_pending":7}])" + more + "}";
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(TopView, ShowsRatesBetweenTwoReadings) {
  const Document before(status_of(60, 1000));
  const Document now(status_of(62, 4000, R"(,"last_failure":{"delivery":"01J"})"));
  const std::vector<TroubledWebhook> worst{{"01W", "Board", "broken: refused", 1}};
  EXPECT_EQ(joined(show_top({.status = now.root,
                             .before = &before.root,
                             .seconds = 2,
                             .worst = &worst,
                             .url = "http://relay",
                             .hint = "q ends",
                             .notice = "old",
                             .now = "2031-05-04T09:09:17Z"})),
            "ringpost 1.0 at http://relay, up 1 min 2 s   q ends\n"
            "old\n"
            "\n"
            "  events              1,500/s, 4,000 accepted, 2 refused\n"
            "  deliveries          0.0/s, 30 delivered, 1 dead\n"
            "  failed attempts     0.0/s, 4 of 34\n"
            "  backlog             7, 3 in flight\n"
            "  oldest undelivered  1 min 10 s\n"
            "  latency to 202      50 % in 900 µs, 99 % in 2.5 ms\n"
            "  latency to delivery 50 % in -, 99 % in -\n"
            "  disk                ok, journal 128 MiB\n"
            "  last failure        ringpost delivery show 01J\n"
            "\n"
            "  WEBHOOK  NAME   TROUBLE\n"
            "  01W      Board  broken: refused\n"
            "\n"
            "  SHARD  EVENTS   DELIVERED  PENDING  IN FLIGHT  CONNECTIONS OUT\n"
            "  0      1,500/s  0.0/s      7        0          0\n");
}

TEST(TopView, HasNoRatesAtFirstAndAfterARestart) {
  const Document before(status_of(60, 1000));
  const Document now(status_of(2, 4000));
  for (const bool first : {true, false}) {
    const auto text = joined(show_top({.status = now.root,
                                       .before = first ? nullptr : &before.root,
                                       .seconds = 1,
                                       .now = "2031-05-04T09:08:00Z"}));
    EXPECT_NE(text.find("events              -, 4,000 accepted"), std::string::npos) << text;
    EXPECT_NE(text.find("oldest undelivered  0 s"), std::string::npos) << text;
    EXPECT_EQ(text.find("webhook"), std::string::npos) << text;  // They could not be asked for.
  }
}

TEST(TopView, SaysWhatIsWrongWithTheDisk) {
  const Document now(R"({"storage":{"state":"failed","detail":"no space\u001b[2J"}})");
  const std::vector<TroubledWebhook> worst;
  const auto text = joined(show_top({.status = now.root, .worst = &worst}));
  EXPECT_NE(text.find("STORAGE FAILED"), std::string::npos) << text;
  EXPECT_NE(text.find("disk                failed (no space\\x1b[2J)"), std::string::npos) << text;
  EXPECT_NE(text.find("No webhook is in trouble."), std::string::npos) << text;
}

TEST(TopView, KeepsTheWorstWebhooks) {
  std::vector<TroubledWebhook> worst;
  for (
      const char* json :
      {R"({"id":"a","url":"https://a/","state":"active","circuit":{"failures":3,"last_failure":"x\u202e"}})",
       R"({"id":"b","state":"active","circuit":null,"warnings":[]})",
       R"({"id":"c","description":"C","state":"disabled","state_reason":"disabled over the API"})",
       R"({"id":"d","description":"D","state":"broken","state_reason":"failed for 24 hours"})",
       R"({"id":"e","description":"E","state":"active","circuit":{"failures":9,"last_failure":"y"}})",
       R"({"id":"f","description":"F","state":"active","warnings":["No token."]})",
       R"({"id":"g","state":"disabled","settings":{"type":"in"}})"}) {
    const Document webhook(json);
    add_if_troubled(webhook.root, 3, worst);
  }
  ASSERT_EQ(worst.size(), 3u);
  EXPECT_EQ(worst[0].trouble, "broken: failed for 24 hours");
  EXPECT_EQ(worst[1].id, "e");
  EXPECT_EQ(worst[2].name, "https://a/");
  EXPECT_EQ(worst[2].trouble, "3 attempts in a row failed at this host: x\\u202e");
}

TEST(TopView, FitsItsScreen) {
  EXPECT_EQ(fit({"grün und", "b", "c"}, 4, 3), (std::vector<std::string>{"grün", "b", "c"}));
  EXPECT_EQ(fit({"a", "b", "c"}, 80, 2), (std::vector<std::string>{"a", "… 2 lines more"}));
  EXPECT_EQ(fit({"a"}, 0, 0), std::vector<std::string>{});
}

}  // namespace
}  // namespace ringpost::cli
