#include "server/hosts.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::server {
namespace {

TEST(KnownHosts, HoldWhatIsConfiguredAndTheMachinesName) {
  const ConfigResult read = parse_config(
      "", "none",
      {"server.hosts=[\"relay.example.org\"]", "server.public_url=https://hooks.example.org:8443"});
  const auto hosts = known_hosts(read.config);
  for (const std::string host : {"relay.example.org", "hooks.example.org:8443"}) {
    EXPECT_TRUE(hosts->accept(host)) << host;
  }
  EXPECT_TRUE(machine_name().empty() || hosts->accept(machine_name() + ":8420"));
  EXPECT_FALSE(hosts->accept("evil.example"));
  EXPECT_EQ(hosts->public_url(), "https://hooks.example.org:8443");
}

}  // namespace
}  // namespace ringpost::server
