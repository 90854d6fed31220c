#include "net/egress_policy.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

// Goal: by default the relay connects to nothing but the public internet (reliability S-1), and
// each exception opens exactly what it names. Method: first and last address of every special
// range, and their neighbours outside.

namespace ringpost::net {
namespace {

io::Address address(const std::string& ip, uint16_t port = 443) {
  const auto parsed = io::Address::parse_ip(ip, port);
  RINGPOST_ASSERT(parsed);
  return *parsed;
}

EgressPolicy policy_of(const EgressPolicy::Options& options) {
  std::string why;
  auto made = EgressPolicy::create(options, why);
  RINGPOST_ASSERT(made);
  return *made;
}

TEST(EgressPolicy, DeniesEverySpecialRangeToItsEdges) {
  const EgressPolicy policy;
  for (const char* ip :
       {"0.0.0.0",         "0.255.255.255",  "10.0.0.0",        "10.255.255.255", "100.64.0.0",
        "100.127.255.255", "127.0.0.1",      "127.255.255.255", "169.254.0.0",    "169.254.169.254",
        "169.254.255.255", "172.16.0.0",     "172.31.255.255",  "192.0.0.0",      "192.0.0.255",
        "192.0.2.0",       "192.0.2.255",    "192.88.99.1",     "192.168.0.0",    "192.168.255.255",
        "198.18.0.0",      "198.19.255.255", "198.51.100.7",    "203.0.113.255",  "224.0.0.0",
        "239.255.255.255", "240.0.0.0",      "255.255.255.254", "255.255.255.255"}) {
    EXPECT_FALSE(policy.allows(address(ip), true)) << ip;
    EXPECT_FALSE(policy.allows(address(std::string{"::ffff:"} + ip), true)) << ip;
    EXPECT_FALSE(policy.allows(address(std::string{"64:ff9b::"} + ip), true)) << ip;
    EXPECT_FALSE(policy.allows(address(std::string{"::"} + ip), true)) << ip;
  }
}

TEST(EgressPolicy, AllowsTheNeighboursOfSpecialRanges) {
  const EgressPolicy policy;
  for (const char* ip : {"1.0.0.0",     "9.255.255.255",   "11.0.0.0",    "100.63.255.255",
                         "100.128.0.0", "126.255.255.255", "128.0.0.0",   "169.253.255.255",
                         "169.255.0.0", "172.15.255.255",  "172.32.0.0",  "192.0.1.0",
                         "192.0.3.0",   "192.167.255.255", "192.169.0.0", "198.17.255.255",
                         "198.20.0.0",  "203.0.112.255",   "203.0.114.0", "223.255.255.255"}) {
    EXPECT_TRUE(policy.allows(address(ip), true)) << ip;
    EXPECT_TRUE(policy.allows(address(std::string{"::ffff:"} + ip), true)) << ip;
    EXPECT_TRUE(policy.allows(address(std::string{"64:ff9b::"} + ip), true)) << ip;
    EXPECT_FALSE(policy.allows(address(std::string{"::"} + ip), true)) << ip;  // Compatible.
  }
}

TEST(EgressPolicy, DeniesAllOfIpv6ThatIsNotHandedOut) {
  const EgressPolicy policy;
  for (const char* ip : {"::",
                         "::1",
                         "::2",
                         "64:ff9b:1::808:808",
                         "100::1",
                         "fc00::1",
                         "fd00::1",
                         "fdff:ffff::1",
                         "fe80::1",
                         "febf::1",
                         "fec0::1",
                         "ff02::1",
                         "ff0e::1",
                         "1fff::1",
                         "4000::1",
                         "5f00::1",
                         "2001::1",
                         "2001:0:1::1",
                         "2001:2::1",
                         "2001:10::1",
                         "2001:20::1",
                         "2001:1ff::1",
                         "2001:db8::1",
                         "2001:db8:ffff::1",
                         "2002::1",
                         "2002:808:808::1",
                         "2002:7f00:1::1",
                         "3fff::1",
                         "3fff:fff::1",
                         "::fffe:8.8.8.8"}) {
    EXPECT_FALSE(policy.allows(address(ip), true)) << ip;
  }
  for (const char* ip : {"2000::1", "2001:200::1", "2001:4860:4860::8888", "2001:db7::1", "2003::1",
                         "2606:4700::1111", "3ffe::1", "3fff:1000::1"}) {
    EXPECT_TRUE(policy.allows(address(ip), true)) << ip;
  }
}

TEST(EgressPolicy, NeverConnectsToAUnixSocket) {
  io::Address path{.family = io::Address::Family::unix_path, .path = "/run/docker.sock"};
  path.port = 443;
  EXPECT_FALSE(policy_of({.allow_networks = {"0.0.0.0/0", "::/0"}}).allows(path, true));
}

TEST(EgressPolicy, OpensWhatIsAllowedAndNoMore) {
  const EgressPolicy policy = policy_of({.allow_networks = {"10.1.0.0/16", "fd00:1::/32"}});
  EXPECT_TRUE(policy.allows(address("10.1.255.255"), true));
  EXPECT_TRUE(policy.allows(address("::ffff:10.1.0.1"), true));
  EXPECT_TRUE(policy.allows(address("fd00:1::5"), true));
  EXPECT_TRUE(policy.allows(address("8.8.8.8"), true));
  EXPECT_FALSE(policy.allows(address("10.0.255.255"), true));
  EXPECT_FALSE(policy.allows(address("10.2.0.0"), true));
  EXPECT_FALSE(policy.allows(address("fd00:2::5"), true));
  EXPECT_FALSE(policy.allows(address("127.0.0.1"), true));
}

TEST(EgressPolicy, DeniesWhatIsDeniedWhateverIsAllowed) {
  const EgressPolicy policy = policy_of(
      {.allow_networks = {"0.0.0.0/0", "::/0"}, .deny_networks = {"10.9.0.0/16", "8.8.8.8"}});
  EXPECT_TRUE(policy.allows(address("10.8.0.1"), true));
  EXPECT_TRUE(policy.allows(address("::1"), true));
  for (const char* ip : {"10.9.0.1", "::ffff:10.9.0.1", "64:ff9b::10.9.0.1", "64:ff9b:1::10.9.0.1",
                         "8.8.8.8", "::ffff:8.8.8.8"}) {
    EXPECT_FALSE(policy.allows(address(ip), true)) << ip;
  }
  EXPECT_TRUE(policy.allows(address("8.8.8.9"), true));
}

TEST(EgressPolicy, JudgesWhatTheLocalNat64PrefixCarries) {
  const EgressPolicy policy = policy_of({.allow_networks = {"64:ff9b:1::/48"}});
  EXPECT_TRUE(policy.allows(address("64:ff9b:1::8.8.8.8"), true));
  EXPECT_FALSE(policy.allows(address("64:ff9b:1::10.0.0.1"), true));
}

TEST(EgressPolicy, SendsPlainHttpToNamedNetworksOnly) {
  EXPECT_FALSE(EgressPolicy{}.allows(address("8.8.8.8"), false));
  const EgressPolicy policy =
      policy_of({.allow_networks = {"127.0.0.0/8", "10.0.0.0/8"},
                 .allow_plain_http_networks = {"127.0.0.1/32", "192.168.0.0/16"}});
  EXPECT_TRUE(policy.allows(address("127.0.0.1"), false));
  EXPECT_FALSE(policy.allows(address("127.0.0.2"), false));
  EXPECT_FALSE(policy.allows(address("10.0.0.1"), false));
  EXPECT_FALSE(policy.allows(address("8.8.8.8"), false));
  // The list of plain networks opens none that is closed.
  EXPECT_FALSE(policy.allows(address("192.168.0.1"), false));
}

TEST(EgressPolicy, DeniesPortsThatActOnText) {
  const EgressPolicy policy = policy_of({.allow_ports = {25, 0}});
  EXPECT_FALSE(policy.allows(address("8.8.8.8", 22), true));
  EXPECT_FALSE(policy.allows(address("8.8.8.8", 0), true));
  EXPECT_TRUE(policy.allows(address("8.8.8.8", 25), true));
  EXPECT_TRUE(policy.allows(address("8.8.8.8", 8443), true));
  EXPECT_FALSE(EgressPolicy{}.allows(address("8.8.8.8", 25), true));
  EXPECT_FALSE(EgressPolicy{}.allows_host("hook.test", 25, true));
}

TEST(EgressPolicy, JudgesAHostAsFarAsItIsKnown) {
  const EgressPolicy policy;
  for (const char* host : {"127.0.0.1",        "::1",        "10.0.0.5",   "169.254.169.254",
                           "::ffff:127.0.0.1", "localhost",  "LOCALHOST",  "localhost.",
                           "api.localhost",    "127.1",      "2130706433", "0x7f000001",
                           "0x7f.1",           "0177.0.0.1", "1.2.3",      "hook.test.1",
                           "hook.0xAB",        "0x",         "",           ".",
                           "256.256.256.256"}) {
    EXPECT_FALSE(policy.allows_host(host, 443, true)) << host;
  }
  for (const char* host : {"hook.test", "8.8.8.8", "2606:4700::1111", "notlocalhost",
                           "localhost.test", "1e100.test", "xn--bcher-kva.test", "0xfoo"}) {
    EXPECT_TRUE(policy.allows_host(host, 443, true)) << host;
    EXPECT_FALSE(policy.allows_host(host, 80, false)) << host;
  }
  const EgressPolicy local = policy_of({.allow_networks = {"127.0.0.0/8"}});
  EXPECT_TRUE(local.allows_host("localhost", 443, true));
  EXPECT_FALSE(local.allows_host("127.1", 443, true));
}

TEST(Network, SaysWhatIsWrongWithAText) {
  const std::pair<const char*, const char*> cases[] = {
      {"10.0.0.0/33", "\"10.0.0.0/33\": the prefix length must be 0 to 32"},
      {"::/129", "\"::/129\": the prefix length must be 0 to 128"},
      {"10.0.0.0/", "\"10.0.0.0/\": the prefix length must be 0 to 32"},
      {"10.0.0.0/08", "\"10.0.0.0/08\": the prefix length must be 0 to 32"},
      {"10.0.0.0/+8", "\"10.0.0.0/+8\": the prefix length must be 0 to 32"},
      {"10.0.0.0/8/8", "\"10.0.0.0/8/8\": the prefix length must be 0 to 32"},
      {"10.0.0.1/8", "\"10.0.0.1/8\": has bits set after the first 8"},
      {"2001:db8::1/32", "\"2001:db8::1/32\": has bits set after the first 32"},
      {"10.0.0/8", "\"10.0.0/8\": not an IP address or network, like 10.0.0.0/8 or fd00::/8"},
      {"010.0.0.0/8", "\"010.0.0.0/8\": not an IP address or network, like 10.0.0.0/8 or fd00::/8"},
      {"", "\"\": not an IP address or network, like 10.0.0.0/8 or fd00::/8"},
      {"localhost", "\"localhost\": not an IP address or network, like 10.0.0.0/8 or fd00::/8"},
      {" 10.0.0.0/8", "\" 10.0.0.0/8\": not an IP address or network, like 10.0.0.0/8 or fd00::/8"},
  };
  for (const auto& [text, words] : cases) {
    std::string why;
    const auto network = Network::parse(text, why);
    ASSERT_FALSE(network) << text;
    EXPECT_EQ(network.error(), (Error{Errc::malformed, Side::operator_}));
    EXPECT_EQ(why, words);
  }
  std::string why;
  EXPECT_FALSE(EgressPolicy::create({.deny_networks = {"10.0.0.0/8", "x"}}, why));
  EXPECT_TRUE(why.starts_with("deny_networks: \"x\"")) << why;
}

TEST(Network, ContainsExactlyItsPrefix) {
  std::string why;
  // Method: for each length, an address that differs in the last bit inside, and the first outside.
  for (uint32_t bits = 1; bits <= 32; ++bits) {
    const auto network = Network::parse("0.0.0.0/" + std::to_string(bits), why);
    ASSERT_TRUE(network) << why;
    io::Address inside = address("0.0.0.0");
    io::Address outside = inside;
    if (bits < 32) inside.ip[bits / 8] = static_cast<uint8_t>(0x80 >> bits % 8);
    outside.ip[(bits - 1) / 8] = static_cast<uint8_t>(0x80 >> (bits - 1) % 8);
    EXPECT_TRUE(network->contains(inside)) << bits;
    EXPECT_FALSE(network->contains(outside)) << bits;
  }
  EXPECT_TRUE(Network::parse("0.0.0.0/0", why)->contains(address("255.255.255.255")));
  EXPECT_FALSE(Network::parse("0.0.0.0/0", why)->contains(address("::")));
  EXPECT_TRUE(Network::parse("::/0", why)->contains(address("ffff::")));
}

// Clouds hand out credentials and certificates there, to whoever connects from inside.
TEST(EgressPolicy, OpensNoProvidersInterfaceByANetworkAroundIt) {
  const char* interfaces[] = {"168.63.129.16",   "100.100.100.200", "192.0.0.192",
                              "169.254.169.254", "169.254.170.2",   "169.254.170.23",
                              "169.254.0.23",    "fd00:ec2::254",   "fd20:ce::254",
                              "fd00:42::42",     "fe80::a9fe:a9fe"};
  const EgressPolicy none;
  const EgressPolicy broad =
      policy_of({.allow_networks = {"0.0.0.0/0", "::/0", "168.63.129.0/24", "168.63.129.16/31",
                                    "169.254.0.0/16", "fd00::/8"}});
  for (const std::string ip : interfaces) {
    EXPECT_FALSE(none.allows(address(ip), true)) << ip;
    EXPECT_FALSE(none.allows_host(ip, 443, true)) << ip;
    EXPECT_FALSE(broad.allows(address(ip), true)) << ip;
    EXPECT_TRUE(policy_of({.allow_networks = {ip}}).allows(address(ip), true)) << ip;
    if (ip.find(':') != std::string::npos) continue;
    for (const char* form : {"::ffff:", "64:ff9b::", "64:ff9b:1::"}) {
      EXPECT_FALSE(broad.allows(address(form + ip), true)) << form << ip;
    }
  }
  EXPECT_TRUE(none.allows(address("168.63.129.15"), true));
  EXPECT_TRUE(none.allows(address("168.63.129.17"), true));
  EXPECT_TRUE(broad.allows(address("169.254.169.252"), true));
}

class OwnAddressesTest : public testing::Test {
 protected:
  EgressPolicy policy() const {
    return policy_of({.allow_networks = {"0.0.0.0/0", "::/0"},
                      .allow_plain_http_networks = {"0.0.0.0/0", "::/0"},
                      .own = own_});
  }
  void listen(std::vector<std::string> at) {
    OwnAddresses::Content content{.machine = {address("10.1.2.3", 0), address("fd00:1::3", 0)},
                                  .public_host = "relay.example.org",
                                  .public_port = 443,
                                  .hosts = {"hooks.example.org", "relay"}};
    for (const std::string& text : at) content.listeners.push_back(*io::Address::parse(text));
    own_->set(std::move(content));
  }

  const std::shared_ptr<OwnAddresses> own_ = std::make_shared<OwnAddresses>();
};

TEST_F(OwnAddressesTest, AreNoDestinationWhateverIsAllowed) {
  listen({"127.0.0.1:8420", "10.1.2.3:9000"});
  const EgressPolicy policy = this->policy();
  EXPECT_FALSE(policy.allows(address("127.0.0.1", 8420), false));
  EXPECT_FALSE(policy.allows(address("::ffff:127.0.0.1", 8420), false));
  EXPECT_FALSE(policy.allows(address("0.0.0.0", 8420), false));
  EXPECT_FALSE(policy.allows(address("10.1.2.3", 9000), true));
  EXPECT_TRUE(policy.allows(address("127.0.0.1", 8421), false));
  EXPECT_TRUE(policy.allows(address("127.0.0.2", 8420), false));
  EXPECT_TRUE(policy.allows(address("10.1.2.3", 8420), true));
  EXPECT_TRUE(policy.allows(address("::1", 8420), true));
  EXPECT_FALSE(policy.allows_host("localhost", 8420, false));
  EXPECT_FALSE(policy.allows_host("localhost.", 8420, false));
  EXPECT_FALSE(policy.allows_host("127.0.0.1", 8420, false));
  EXPECT_TRUE(policy.allows_host("localhost", 8421, false));
}

TEST_F(OwnAddressesTest, OfAnUnspecifiedListenerAreAllOfTheMachine) {
  listen({"0.0.0.0:8420", "unix:/run/ringpost.sock"});
  const EgressPolicy policy = this->policy();
  for (const char* ip : {"127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "::ffff:10.1.2.3"}) {
    EXPECT_FALSE(policy.allows(address(ip, 8420), true)) << ip;
    EXPECT_TRUE(policy.allows(address(ip, 8421), true)) << ip;
  }
  EXPECT_TRUE(policy.allows(address("10.1.2.4", 8420), true));
  EXPECT_TRUE(policy.allows(address("fd00:1::3", 8420), true)) << "it hears IPv4 alone";
  listen({"[::]:8420"});
  for (const char* ip : {"127.0.0.1", "::1", "::", "10.1.2.3", "fd00:1::3"}) {
    EXPECT_FALSE(policy.allows(address(ip, 8420), true)) << ip;
  }
  EXPECT_TRUE(policy.allows(address("fd00:1::4", 8420), true));
}

TEST_F(OwnAddressesTest, AreKnownByThePublicNameToo) {
  listen({"127.0.0.1:8420"});
  const EgressPolicy policy = this->policy();
  for (const char* host : {"relay.example.org", "RELAY.example.org", "relay.example.org."}) {
    EXPECT_TRUE(policy.leads_back(host, 443)) << host;
    EXPECT_FALSE(policy.allows_host(host, 443, true)) << host;
    EXPECT_FALSE(policy.leads_back(host, 8443)) << host;
  }
  for (const char* host : {"hooks.example.org", "Hooks.Example.org.", "relay", "RELAY"}) {
    for (const uint16_t port : {uint16_t{443}, uint16_t{80}, uint16_t{8420}}) {
      EXPECT_TRUE(policy.leads_back(host, port)) << host << port;
      EXPECT_FALSE(policy.allows_host(host, port, true)) << host << port;
    }
    EXPECT_TRUE(policy.allows_host(host, 8443, true)) << "another service: " << host;
  }
  EXPECT_FALSE(policy.leads_back("other.example.org", 443));
  EXPECT_FALSE(EgressPolicy{}.leads_back("relay.example.org", 443));
}

TEST(EgressPolicy, SaysWhyItDenies) {
  const EgressPolicy policy =
      policy_of({.allow_networks = {"127.0.0.0/8"}, .deny_networks = {"192.0.0.0/4"}});
  const auto why = [&](const char* ip, bool tls = true, uint16_t port = 443) {
    return policy.denial_of(*io::Address::parse_ip(ip, port), tls);
  };
  EXPECT_EQ(why("8.8.8.8"), std::nullopt);
  EXPECT_EQ(why("127.0.0.1"), std::nullopt);
  EXPECT_EQ(why("8.8.8.8", false), Denial::plain_http);
  EXPECT_EQ(why("8.8.8.8", true, 25), Denial::port);
  EXPECT_EQ(why("10.0.0.1"), Denial::special_network);
  EXPECT_EQ(why("10.0.0.1", false), Denial::special_network);  // First what opens it at all.
  EXPECT_EQ(why("::1"), Denial::special_network);
  EXPECT_EQ(why("193.0.0.1"), Denial::denied_network);
  EXPECT_EQ(why("::ffff:193.0.0.1"), Denial::denied_network);
  EXPECT_EQ(why("169.254.169.254"), Denial::provider_interface);
  for (const Denial denial :
       {Denial::port, Denial::denied_network, Denial::plain_http, Denial::own_address,
        Denial::provider_interface, Denial::special_network}) {
    EXPECT_FALSE(describe(denial).empty());
    EXPECT_FALSE(remedy_of(denial).empty());
  }
}

}  // namespace
}  // namespace ringpost::net
