#include "load/sink_webhooks.h"

#include "dialect/renderer.h"

#include <gtest/gtest.h>

namespace ringpost::load {
namespace {

/// What a webhook of `--sink` sends for event 7 of the run `0123abcd`.
std::string body_of(const dialect::Dialect& dialect) {
  subscription::Webhook webhook = dialect.defaults();
  webhook.destination = {
      .url = "https://localhost/0", .host = "localhost", .port = 443, .target = "/0"};
  const std::string settings = sink_settings(dialect, "0123abcd");
  const auto problem = dialect.read_settings(settings.empty() ? "{}" : settings, webhook);
  EXPECT_FALSE(problem) << problem->detail;
  EventMaker maker({.run = "0123abcd", .action = needs_action(dialect)});
  std::string data;
  maker.append_data(data, 7, {});
  const std::string type = type_for(std::vector{&dialect});
  const journal::EventView event{.id = "0123abcd-7",
                                 .source = "app/load",
                                 .type = type,
                                 .data = as_bytes(data),
                                 .data_checked = true};
  dialect::Request request;
  const auto error = dialect.make_renderer(webhook)->render({.event = event}, request);
  EXPECT_FALSE(error);
  return std::string{as_text(request.body)};
}

TEST(SinkWebhooks, RequestsOfEachDialectCarryTheMark) {
  for (const dialect::Dialect* dialect : sink_dialects()) {
    const std::string body = body_of(*dialect);
    EXPECT_EQ(marked_number(body, "0123abcd"), 7u) << dialect->name() << ": " << body;
  }
}

TEST(SinkWebhooks, WebhooksOfEachDialectGetTheType) {
  std::vector<const dialect::Dialect*> some;
  for (const dialect::Dialect* dialect : sink_dialects()) {
    some.push_back(dialect);
    const std::string type = type_for(some);
    const std::string alone = type_for(std::vector{dialect});
    EventMaker maker({.run = "r", .action = true});
    std::string data;
    maker.append_data(data, 0, {});
    for (const dialect::Dialect* one : some) {
      EXPECT_TRUE(gets(*one, type, data)) << one->name() << " " << type;
      EXPECT_NE(sink_events(*one, {type}), std::vector<std::string>{});
    }
    EXPECT_EQ(dialect->object_to_event(alone), "") << dialect->name();
  }
}

TEST(SinkWebhooks, ADialectWithNamesOfItsOwnSubscribesToAllOthers) {
  const dialect::Dialect& bitrise = *dialect::find("bitrise");
  EXPECT_EQ(sink_events(bitrise, {"build/finished"}), std::vector<std::string>{"build/finished"});
  EXPECT_EQ(sink_events(bitrise, {"build/finished", "load.test"}), std::vector<std::string>{"*"});
  EXPECT_FALSE(gets(*dialect::find("devopness"), "load.test", "{}"));
  EXPECT_FALSE(gets(*dialect::find("buildkite"), "ping", "{}"));
}

}  // namespace
}  // namespace ringpost::load
