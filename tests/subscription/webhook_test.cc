#include "subscription/webhook.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace ringpost::subscription {
namespace {

Webhook webhook_to(std::string host, uint16_t port, bool tls) {
  Webhook webhook;
  webhook.destination = {
      .url = "", .tls = tls, .host = std::move(host), .port = port, .target = "/in"};
  return webhook;
}

TEST(Webhook, NamesOfEnumerationsAreReadBack) {
  for (const WebhookState state :
       {WebhookState::active, WebhookState::disabled, WebhookState::broken}) {
    EXPECT_EQ(parse_webhook_state(name(state)), state);
  }
  EXPECT_FALSE(parse_webhook_state("active "));
}

// Goal: a pooled connection is never shared between different security settings.
TEST(Webhook, EndpointKeyTellsApartEverythingThatConnectionsMustShare) {
  const Webhook base = webhook_to("ci.example.org", 443, true);
  std::set<std::string> keys{endpoint_key(base)};
  const auto expect_new = [&](const Webhook& webhook) {
    EXPECT_TRUE(keys.insert(endpoint_key(webhook)).second) << endpoint_key(webhook);
  };
  expect_new(webhook_to("ci.example.com", 443, true));
  expect_new(webhook_to("ci.example.org", 8443, true));
  expect_new(webhook_to("ci.example.org", 443, false));
  expect_new(webhook_to("::1", 443, true));
  Webhook changed = base;
  changed.tls_verify = false;
  expect_new(changed);
  changed = base;
  changed.tls_ca = "PEM one";
  expect_new(changed);
  changed.tls_ca = "PEM two";
  expect_new(changed);
}

TEST(Webhook, EndpointKeyIgnoresWhatConnectionsNeedNotShare) {
  Webhook one = webhook_to("ci.example.org", 443, true);
  Webhook two = one;
  two.number = 9;
  two.destination.target = "/other";
  two.secret = "s";
  two.organization = "other";
  EXPECT_EQ(endpoint_key(one), endpoint_key(two));
  one = webhook_to("ci.example.org", 80, false);
  two = one;
  two.tls_ca = "PEM";
  EXPECT_EQ(endpoint_key(one), endpoint_key(two)) << "certificates mean nothing without TLS";
}

// Goal: deliveries that were pending before a restart find the same owner after it.
TEST(Webhook, OwnerShardIsFixedForAnEndpoint) {
  Webhook webhook = webhook_to("ci.example.org", 443, true);
  EXPECT_EQ(owner_shard(webhook, 1), 0u);
  // Written down once; a change would move every endpoint at the next upgrade.
  EXPECT_EQ(owner_shard(webhook, 64), 44u);
  EXPECT_EQ(owner_shard(webhook_to("127.0.0.1", 8080, false), 64), 56u);
  webhook.tls_ca = "PEM";
  webhook.tls_verify = false;
  EXPECT_EQ(owner_shard(webhook, 64), 44u) << "of the endpoint, not of the pool";
}

TEST(Webhook, OwnerShardsAreSpread) {
  std::set<uint32_t> owners;
  for (int index = 0; index < 400; ++index) {
    const uint32_t owner =
        owner_shard(webhook_to("host" + std::to_string(index) + ".example", 443, true), 16);
    ASSERT_LT(owner, 16u);
    owners.insert(owner);
  }
  EXPECT_EQ(owners.size(), 16u);
}

TEST(Webhook, DefaultScheduleIsThatOfStandardWebhooks) {
  EXPECT_EQ(default_schedule(), (std::vector<uint32_t>{5, 300, 1800, 7200, 18000, 36000, 50400}));
}

}  // namespace
}  // namespace ringpost::subscription
