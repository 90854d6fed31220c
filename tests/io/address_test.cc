#include "io/address.h"

#include <gtest/gtest.h>

namespace ringpost::io {
namespace {

TEST(Address, WritesWhatItReads) {
  for (const char* text :
       {"127.0.0.1:8420", "0.0.0.0:0", "255.255.255.255:65535", "[::]:1", "[::1]:8420",
        "[2001:db8::8:800:200c:417a]:443", "[fe80::1%2]:80", "[::ffff:1.2.3.4]:5",
        "unix:/run/ringpost/ringpost.sock", "unix:relative.sock"}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_text(), text);
  }
}

TEST(Address, ReadsTheParts) {
  const Address ipv4 = Address::parse("192.168.7.9:8420").value();
  EXPECT_EQ(ipv4.family, Address::Family::ipv4);
  EXPECT_EQ(ipv4.port, 8420);
  EXPECT_EQ(ipv4.ip, (std::array<uint8_t, 16>{192, 168, 7, 9}));
  const Address ipv6 = Address::parse("[fe80::ab:cd%7]:1").value();
  EXPECT_EQ(ipv6.family, Address::Family::ipv6);
  EXPECT_EQ(ipv6.scope, 7u);
  EXPECT_EQ(ipv6.ip,
            (std::array<uint8_t, 16>{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0, 0xcd}));
  const Address path = Address::parse("unix:/run/x.sock").value();
  EXPECT_EQ(path.family, Address::Family::unix_path);
  EXPECT_EQ(path.path, "/run/x.sock");
}

TEST(Address, RefusesEverythingElse) {
  using namespace std::string_view_literals;
  for (std::string_view text : {""sv,
                                ":"sv,
                                ":80"sv,
                                "127.0.0.1"sv,
                                "127.0.0.1:"sv,
                                "127.0.0.1:65536"sv,
                                "127.0.0.1:-1"sv,
                                "127.0.0.1:+1"sv,
                                "127.0.0.1:080"sv,
                                "127.0.0.1:80 "sv,
                                " 127.0.0.1:80"sv,
                                "127.0.0.1:80:80"sv,
                                "127.0.0.1:0x50"sv,
                                "127.0.0.1:8\0"sv,
                                "localhost:80"sv,
                                "example.org:80"sv,
                                "::1:80"sv,
                                "::1"sv,
                                "[::1]"sv,
                                "[::1]:"sv,
                                "[::1]80"sv,
                                "[::1:80"sv,
                                "[::1]]:80"sv,
                                "[]:80"sv,
                                "[127.0.0.1]:80"sv,
                                "[::1%]:80"sv,
                                "[::1%0]:80"sv,
                                "[::1%eth0]:80"sv,
                                "[::1%01]:80"sv,
                                "[::1%4294967296]:80"sv,
                                "[::1\0]:80"sv,
                                "unix:"sv,
                                "unix"sv,
                                "unix:/a\0b"sv,
                                "UNIX:/run/x.sock"sv}) {
    const auto address = Address::parse(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, Errc::malformed);
  }
}

TEST(Address, ReadsIpLiterals) {
  for (std::string_view text : {"0.0.0.0", "1.2.3.4", "255.255.255.255", "::", "::1",
                                "1::", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "FE80::ABCD"}) {
    const auto address = Address::parse_ip(text, 443);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->port, 443);
  }
}

// Old resolvers read 010.1, 0x7f.1 and 127.1 as addresses, each in its own way: a policy that reads
// them otherwise than the connect does can be got around.
TEST(Address, RefusesIpLiteralsThatOthersReadDifferently) {
  using namespace std::string_view_literals;
  for (std::string_view text : {""sv,
                                "."sv,
                                "1"sv,
                                "127.1"sv,
                                "1.2.3"sv,
                                "1.2.3.4.5"sv,
                                "1.2.3."sv,
                                ".1.2.3"sv,
                                "1..2.3"sv,
                                "01.2.3.4"sv,
                                "1.2.3.04"sv,
                                "00.0.0.0"sv,
                                "256.1.1.1"sv,
                                "1.2.3.256"sv,
                                "0x7f.0.0.1"sv,
                                "2130706433"sv,
                                "1.2.3.4 "sv,
                                "+1.2.3.4"sv,
                                "-1.2.3.4"sv,
                                "1.2.3.4\0"sv,
                                "[::1]"sv,
                                ":::"sv,
                                ":1"sv,
                                "1:"sv,
                                "1:2:3:4:5:6:7"sv,
                                "1:2:3:4:5:6:7:8:9"sv,
                                "1::2::3"sv,
                                "12345::"sv,
                                "g::"sv,
                                "::1%2"sv,
                                "::1\0"sv,
                                "::01.2.3.4"sv,
                                "::256.2.3.4"sv,
                                "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa"sv,
                                "::1/64"sv}) {
    EXPECT_FALSE(Address::parse_ip(text, 1)) << text;
  }
}

TEST(Address, UnixPathsEndWhereTheKernelsDo) {
  EXPECT_TRUE(Address::parse("unix:" + std::string(107, 'x')));
  EXPECT_FALSE(Address::parse("unix:" + std::string(108, 'x')));
}

}  // namespace
}  // namespace ringpost::io
