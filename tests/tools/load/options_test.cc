#include "load/options.h"

#include "io/address.h"
#include "load/sink_webhooks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>

namespace ringpost::load {
namespace {

using Sizes = std::pair<uint64_t, uint64_t>;

std::string problem_of(const auto& read) {
  const auto* problem = std::get_if<cli::UsageProblem>(&read);
  return problem == nullptr ? "" : problem->text;
}

TEST(ObjectToTarget, ThisMachineIsPermittedAndOthersByName) {
  const auto judge = [](const char* ip, const std::string& host, const std::string& owned) {
    const std::vector<std::string> hosts(owned.empty() ? 0 : 1, owned);
    return object_to_target(*io::Address::parse_ip(ip, 80), host, hosts);
  };
  EXPECT_EQ(judge("127.0.0.1", "localhost", ""), "");
  EXPECT_EQ(judge("127.9.8.7", "127.9.8.7", ""), "");
  EXPECT_EQ(judge("::1", "::1", ""), "");
  EXPECT_EQ(object_to_target(*io::Address::parse("unix:/tmp/x"), "localhost", {}), "");
  for (const char* ip : {"192.0.2.1", "10.0.0.1", "0.0.0.0", "2001:db8::1", "::ffff:192.0.2.1"}) {
    EXPECT_NE(judge(ip, "ci.example", "").find("--i-own-this-target ci.example"), std::string::npos)
        << ip;
    EXPECT_EQ(judge(ip, "ci.example", "CI.example"), "") << ip;
  }
  EXPECT_NE(judge("192.0.2.1", "ci.example", "other.example"), "");
}

TEST(ObjectToBystanders, OneThatLeadsElsewhereMustBeNamed) {
  const EventNames names{{"load.test"}, {"app/load-1"}};
  const auto judge = [&names](Bystander webhook, std::vector<std::string> owned = {}) {
    webhook.id = "01J";
    return object_to_bystanders(std::vector{webhook}, names, owned);
  };
  const std::string url = "https://hooks.example/in";
  EXPECT_NE(judge({.url = url, .sources = {"*"}, .events = {"*"}})
                .find("--i-own-this-target hooks.example"),
            std::string::npos);
  EXPECT_NE(judge({.url = url, .sources = {"x", "app/*"}, .events = {"y", "load.*"}}), "");
  EXPECT_NE(judge({.url = "https://192.0.2.1/", .sources = {"*"}, .events = {"*"}}), "");
  EXPECT_EQ(judge({.url = url, .sources = {"*"}, .events = {"*"}}, {"a", "Hooks.Example"}), "");
  EXPECT_EQ(judge({.url = url, .sources = {"app/shop"}, .events = {"*"}}), "");
  EXPECT_EQ(judge({.url = url, .sources = {"*"}, .events = {"build.*"}}), "");
  for (const char* here : {"http://127.0.0.1:1/", "https://[::1]/", "https://a.localhost/in"}) {
    EXPECT_EQ(judge({.url = here, .sources = {"*"}, .events = {"*"}}), "") << here;
  }
}

TEST(ParseSizes, BytesUnitsAndRanges) {
  EXPECT_EQ(std::get<Sizes>(parse_sizes("1024")), Sizes(1024, 1024));
  EXPECT_EQ(std::get<Sizes>(parse_sizes("500-4KiB")), Sizes(500, 4096));
  EXPECT_EQ(std::get<Sizes>(parse_sizes("16MiB")), Sizes(16u << 20, 16u << 20));
  for (const char* text : {"", "-", "5-", "9-8", "17MiB", "1KB", "-1", "99999999999999999999"}) {
    EXPECT_NE(problem_of(parse_sizes(text)), "") << text;
  }
}

TEST(ParseSweep, RatesGrowByOneFactor) {
  const auto rates = std::get<std::vector<double>>(parse_sweep("100-1600", 5));
  ASSERT_EQ(rates.size(), 5u);
  for (size_t step = 0; step < 5; ++step) EXPECT_NEAR(rates[step], 100 << step, 1e-6);
  for (const char* text : {"", "100", "200-100", "0-100", "1-2:3s", "1-2,3-4", "x-y"}) {
    EXPECT_NE(problem_of(parse_sweep(text, 5)), "") << text;
  }
}

TEST(ReadRecording, TimesAreDistancesFromTheFirst) {
  const auto read = read_recording(
      "{\"type\":\"a\",\"time\":\"2031-05-04T09:08:07Z\"}\r\n\n"
      "{\"type\":\"c\",\"time\":\"2031-05-04T09:08:11+00:00\"}\n"
      "{\"type\":\"b\",\"time\":\"2031-05-04T09:08:09Z\"}",
      2, true);
  const auto& recording = std::get<Recording>(read);
  ASSERT_EQ(recording.events.size(), 3u);
  EXPECT_EQ(recording.due,
            (std::vector<Duration>{Duration{0}, std::chrono::seconds{1}, std::chrono::seconds{2}}));
  EXPECT_NE(recording.events[1].find("\"b\""), std::string::npos);  // In the order of the times.
}

TEST(ReadRecording, NamesTheLineThatIsNoEvent) {
  EXPECT_EQ(problem_of(read_recording("{}\n\n[1]\n", 1, false)), "line 3 is not a JSON object");
  EXPECT_EQ(problem_of(read_recording("{\"time\":5}\n", 1, true)),
            "line 1 has no \"time\" (RFC 3339): give a --rate to send at");
  EXPECT_NE(problem_of(read_recording(" \n", 1, false)), "");
  EXPECT_EQ(std::get<Recording>(read_recording("{\"time\":5}\n{}", 1, false)).events.size(), 2u);
}

TEST(SetUp, WhatDoesNotFitTogetherIsRefused) {
  RunOptions options;
  EXPECT_EQ(problem_of(set_up(options)), "");
  const auto refused = [](auto change) {
    RunOptions changed;
    change(changed);
    return problem_of(set_up(changed));
  };
  EXPECT_NE(refused([](RunOptions& o) { o.rate = "5", o.closed = true; }), "");
  EXPECT_NE(refused([](RunOptions& o) { o.fan_out = 2; }), "");
  EXPECT_NE(refused([](RunOptions& o) {
              o.sink = true, o.fan_out = 1, o.dialects = {"bitrise", "standard"};
            }),
            "");
  EXPECT_NE(refused([](RunOptions& o) { o.new_ids = true; }), "");
  EXPECT_NE(refused([](RunOptions& o) { o.dialects = {"bitrise"}; }), "");
  EXPECT_NE(refused([](RunOptions& o) { o.warm_up = "10s"; }), "");
  EXPECT_NE(refused([](RunOptions& o) { o.data = "[1]"; }), "");
  EXPECT_NE(refused([](RunOptions& o) { o.data = R"({"a":{{nothing}}})"; }), "");
  EXPECT_NE(refused([](RunOptions& o) { o.sweep = "1-9", o.duration = "0"; }), "");
  EXPECT_NE(refused([](RunOptions& o) { o.p99_limit = "1s"; }), "");
  EXPECT_NE(refused([](RunOptions& o) { o.duration = "x"; }), "");
  EXPECT_NE(refused([](RunOptions& o) { o.timeout = "0"; }), "");
  EXPECT_NE(refused([](RunOptions& o) { o.replay_file = "/nonexistent"; }), "");
  EXPECT_NE(refused([](RunOptions& o) { o.types = {"{{x}}"}; }), "");
}

TEST(SetUp, WebhooksAreOneOfEachDialectUnlessTheUserWantsMore) {
  RunOptions options{.sink = true};
  EXPECT_EQ(std::get<RunSetup>(set_up(options)).fan_out, 1u);
  for (const dialect::Dialect* one : sink_dialects()) options.dialects.emplace_back(one->name());
  EXPECT_EQ(std::get<RunSetup>(set_up(options)).fan_out, sink_dialects().size());
  options.fan_out = 12;
  EXPECT_EQ(std::get<RunSetup>(set_up(options)).fan_out, 12u);
}

TEST(SetUp, ATypeThatSomeWebhookWouldNotGetIsRefused) {
  RunOptions options{.types = {"build.finished"}, .dialects = {"devopness"}, .sink = true};
  EXPECT_NE(problem_of(set_up(options)).find("devopness"), std::string::npos);
  options.types = {"action.failed"};
  EXPECT_EQ(problem_of(set_up(options)), "");
  options.data = R"({"action":{"status":"failed"}})";
  EXPECT_NE(problem_of(set_up(options)).find("--data"), std::string::npos);
  options = {.types = {"ping"}, .dialects = {"buildkite"}, .sink = true};
  EXPECT_NE(problem_of(set_up(options)).find("buildkite"), std::string::npos);
}

class Replayed : public testing::Test {
 protected:
  ~Replayed() override { std::remove(file_.c_str()); }

  RunOptions options(const std::string& text) const {
    std::ofstream(file_) << text;
    return {.rate = "100", .replay_file = file_};
  }

  const std::string file_ = testing::TempDir() + "load-replay.ndjson";
};

TEST_F(Replayed, EventsGetAMarkAndAnIdForTheReceiver) {
  const std::string text =
      "{\"id\":\"a\",\"type\":\"t\",\"data\" : { \"x\":1.50}}\n{\"type\":\"u\",\"data\":{}}\n";
  RunOptions wanted = options(text);
  EXPECT_EQ(std::get<RunSetup>(set_up(wanted)).recorded[0],
            "{\"id\":\"a\",\"type\":\"t\",\"data\" : { \"x\":1.50}}");
  wanted.sink = true;
  const auto setup = std::get<RunSetup>(set_up(wanted));
  const std::string& run = setup.form.run;
  EXPECT_EQ(setup.recorded[0], "{\"id\":\"" + run + "-0\",\"type\":\"t\",\"data\" : " +
                                   "{\"ringpost_load\":{\"run\":\"" + run +
                                   "\",\"event\":0},\"x\":1.50}}");
  EXPECT_EQ(marked_number(setup.recorded[1], run), 1u);
}

TEST_F(Replayed, WhatTheReceiverWouldNotKnowAgainIsRefused) {
  for (const char* text : {"{\"type\":\"t\",\"data\":[1]}", "{\"type\":\"t\"}", "{\"data\":{}}"}) {
    RunOptions wanted = options(text);
    EXPECT_EQ(problem_of(set_up(wanted)), "") << text;
    wanted.sink = true;
    EXPECT_NE(problem_of(set_up(wanted)).find("event 1 of"), std::string::npos) << text;
  }
  RunOptions wanted = options("{\"type\":\"action.completed\",\"data\":{}}");
  wanted.sink = true;
  wanted.dialects = {"devopness"};
  EXPECT_NE(problem_of(set_up(wanted)), "");
  wanted = options("{\"type\":\"ping\",\"data\":{}}");
  wanted.sink = true;
  wanted.dialects = {"buildkite"};
  EXPECT_NE(problem_of(set_up(wanted)), "");
}

TEST_F(Replayed, WhatTheFileSaysIsNotSaidByAnOption) {
  const auto refused = [this](auto change) {
    RunOptions changed = options("{\"type\":\"t\"}\n");
    change(changed);
    return problem_of(set_up(changed));
  };
  EXPECT_EQ(refused([](RunOptions&) {}), "");
  EXPECT_NE(refused([](RunOptions& o) { o.types = {"t"}; }).find("--type"), std::string::npos);
  EXPECT_NE(refused([](RunOptions& o) { o.sources = {"t"}; }).find("--source"), std::string::npos);
  EXPECT_NE(refused([](RunOptions& o) { o.data = "{}"; }).find("--data"), std::string::npos);
  EXPECT_NE(refused([](RunOptions& o) { o.keys = 2; }).find("--keys"), std::string::npos);
  EXPECT_NE(refused([](RunOptions& o) { o.no_ids = true; }).find("--no-ids"), std::string::npos);
  EXPECT_NE(refused([](RunOptions& o) { o.rate = "", o.sweep = "1-2"; }).find("--sweep"),
            std::string::npos);
}

/// Ten seconds are for events that are made; a file has an end of its own.
TEST_F(Replayed, GoesOnToTheEndOfTheFile) {
  RunOptions wanted = options("{\"type\":\"t\"}\n");
  EXPECT_TRUE(std::isinf(std::get<RunSetup>(set_up(wanted)).seconds));
  wanted.duration = "5s";
  EXPECT_EQ(std::get<RunSetup>(set_up(wanted)).seconds, 5);
  EXPECT_EQ(std::get<RunSetup>(set_up({})).seconds, 10);
}

subscription::Destination receiver() {
  return {.url = "https://localhost:8443/in", .host = "localhost", .port = 8443, .target = "/in"};
}

TEST(ReceiverWebhooks, AReceiverNeedsASecretOrAWord) {
  RunOptions options{.to_relay = false};
  const auto setup = std::get<RunSetup>(set_up(options));
  EXPECT_NE(problem_of(receiver_webhooks(options, setup, receiver())).find("--standard-secret"),
            std::string::npos);
  options.is_unsigned = true;
  EXPECT_EQ(problem_of(receiver_webhooks(options, setup, receiver())), "");
}

TEST(ReceiverWebhooks, ThereIsOneOfEachDialect) {
  RunOptions options{.to_relay = false, .is_unsigned = true};
  for (const dialect::Dialect* one : sink_dialects()) options.dialects.emplace_back(one->name());
  const auto setup = std::get<RunSetup>(set_up(options));
  const auto webhooks = receiver_webhooks(options, setup, receiver());
  ASSERT_EQ(problem_of(webhooks), "");
  EXPECT_EQ(std::get<std::vector<subscription::Webhook>>(webhooks).size(), sink_dialects().size());
}

class ScenarioTest : public testing::Test {
 protected:
  ScenarioTest() {
    RunOptions& options = options_;
    add_run_options(app_, options);
  }
  ~ScenarioTest() override { std::remove(file_.c_str()); }

  cli::Usable<std::vector<std::string>> read(const std::string& text) {
    std::ofstream(file_) << text;
    return read_scenario(file_, app_);
  }

  CLI::App app_{"", "relay"};
  RunOptions options_;
  const std::string file_ = testing::TempDir() + "load-scenario.toml";
};

TEST_F(ScenarioTest, KeysAreTheLongOptions) {
  const auto read_words = read(
      "rate = 500\nspeed = 2.5\nsink = true\nclosed = false\n"
      "type = [\"3:a\", \"b\"]\ndata = '{\"n\":{{counter}}}'\n");
  ASSERT_EQ(problem_of(read_words), "");
  auto words = std::get<std::vector<std::string>>(read_words);
  std::ranges::sort(words);
  EXPECT_EQ(words, (std::vector<std::string>{"--data={\"n\":{{counter}}}", "--rate=500", "--sink",
                                             "--speed=2.5", "--type=3:a", "--type=b"}));
}

TEST_F(ScenarioTest, WhatItDoesNotKnowIsNamedWithItsLine) {
  EXPECT_EQ(problem_of(read("rate = 5\nrtae = 6\n")),
            file_ + ":2: there is no key rtae; keys are the long options of ringpost-load relay");
  EXPECT_NE(problem_of(read("[relay]\nrate = 5\n")), "");
  EXPECT_NE(problem_of(read("rate = 2031-05-04\n")), "");
  EXPECT_EQ(problem_of(read("rate = [1, 2]\n")), file_ + ":1: rate must be one value, not a list");
  EXPECT_EQ(problem_of(read("type = [[\"a\"]]\n")), file_ + ":1: type must be text or a number");
  EXPECT_EQ(problem_of(read("json = \"yes\"\n")), file_ + ":1: json must be true or false");
  EXPECT_EQ(problem_of(read("json = [true]\n")), file_ + ":1: json must be true or false");
  EXPECT_EQ(problem_of(read("rate = true\n")), file_ + ":1: rate needs a value");
  EXPECT_NE(problem_of(read("rate = \n")).find(":1: "), std::string::npos);
  EXPECT_NE(problem_of(read_scenario("/nonexistent", app_)), "");
}

}  // namespace
}  // namespace ringpost::load
