#include "http/url.h"

#include "base/prng.h"
#include "http/host.h"
#include "http/query.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <string>
#include <string_view>

namespace ringpost::http {
namespace {

/// The URL as read and written again, or "refused".
std::string reading_of(std::string_view text) {
  const auto result = parse_url(text);
  if (const auto* problem = std::get_if<UrlProblem>(&result)) {
    EXPECT_FALSE(problem->reason.empty()) << text;
    return "refused";
  }
  const Url& url = std::get<Url>(result);
  const auto again = parse_url(url.text());
  const Url* same = std::get_if<Url>(&again);
  EXPECT_TRUE(same != nullptr && *same == url) << text;
  return url.text();
}

TEST(Url, TakesAUrlApart) {
  const auto result = parse_url("HTTPS://Hooks.Example.COM:8443/a/b?c=d");
  ASSERT_TRUE(std::holds_alternative<Url>(result));
  const Url& url = std::get<Url>(result);
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(url.host, "hooks.example.com");
  EXPECT_FALSE(url.host_is_ip());
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.target, "/a/b?c=d");
  EXPECT_EQ(url.authority(), "hooks.example.com:8443");
  EXPECT_EQ(url.text(), "https://hooks.example.com:8443/a/b?c=d");
}

TEST(Url, KeepsBracketsOutOfTheHostAndInTheAuthority) {
  const Url url = std::get<Url>(parse_url("http://[2001:DB8::0:1]:8080/"));
  EXPECT_EQ(url.host, "2001:db8::1");
  EXPECT_EQ(url.host_kind, Url::HostKind::ipv6);
  EXPECT_EQ(url.authority(), "[2001:db8::1]:8080");
}

// Goal: the WHATWG reading or none. Method: a table of spellings and what that standard makes of
// them; where we refuse what it reads, url.h says so.
TEST(Url, ReadsAsTheStandardDoes) {
  const struct {
    std::string_view text;
    std::string_view reading;
  } cases[] = {
      // Scheme, port, empty parts.
      {"https://a", "https://a/"},
      {"http://a", "http://a/"},
      {"hTTp://A.B/", "http://a.b/"},
      {"https://a:443/", "https://a/"},
      {"http://a:80/", "http://a/"},
      {"http://a:443/", "http://a:443/"},
      {"https://a:80/", "https://a:80/"},
      {"https://a:/x", "https://a/x"},
      {"https://a:00443/", "https://a/"},
      {"https://a:0000000000000000065535/", "https://a:65535/"},
      {"https://a:1/", "https://a:1/"},
      {"https://a?b", "https://a/?b"},
      {"https://a?", "https://a/?"},
      {"https://a/?", "https://a/?"},
      // Hosts.
      {"https://a-b_c.d/", "https://a-b_c.d/"},
      {"https://-a.b-/", "https://-a.b-/"},
      {"https://1a/", "https://1a/"},
      {"https://a1.b2/", "https://a1.b2/"},
      {"https://1.2.3.a/", "https://1.2.3.a/"},
      {"https://0xg/", "https://0xg/"},
      {"https://a.0xg/", "https://a.0xg/"},
      {"https://localhost/", "https://localhost/"},
      {"https://r3---sn.test/", "https://r3---sn.test/"},
      {"https://xn--mnchen-3ya.de/", "https://xn--mnchen-3ya.de/"},
      {"https://XN--FSQ.cn/", "https://xn--fsq.cn/"},
      {"https://xn--p1ai/", "https://xn--p1ai/"},
      {"https://xn--r8jz45g.jp/", "https://xn--r8jz45g.jp/"},
      {"https://xn--strae-oqa.de/", "https://xn--strae-oqa.de/"},
      // IPv4 in every form.
      {"http://127.0.0.1/", "http://127.0.0.1/"},
      {"http://127.1/", "http://127.0.0.1/"},
      {"http://127.0.1/", "http://127.0.0.1/"},
      {"http://127.0.0.1./", "http://127.0.0.1/"},
      {"http://2130706433/", "http://127.0.0.1/"},
      {"http://0x7f000001/", "http://127.0.0.1/"},
      {"http://0X7F000001/", "http://127.0.0.1/"},
      {"http://0x7F.1/", "http://127.0.0.1/"},
      {"http://017700000001/", "http://127.0.0.1/"},
      {"http://0177.0.0.1/", "http://127.0.0.1/"},
      {"http://0177.0x0.00.1/", "http://127.0.0.1/"},
      {"http://0x7f.0x0.0x0.0x1/", "http://127.0.0.1/"},
      {"http://0/", "http://0.0.0.0/"},
      {"http://0x/", "http://0.0.0.0/"},
      {"http://0x.0x.0/", "http://0.0.0.0/"},
      {"http://00000000000000000000000000000000000000001/", "http://0.0.0.1/"},
      {"http://4294967295/", "http://255.255.255.255/"},
      {"http://0xffffffff/", "http://255.255.255.255/"},
      {"http://1.16777215/", "http://1.255.255.255/"},
      {"http://1.2.65535/", "http://1.2.255.255/"},
      {"http://192.168.257/", "http://192.168.1.1/"},
      {"http://169.254.43518/", "http://169.254.169.254/"},
      {"http://2852039166/", "http://169.254.169.254/"},
      {"http://0xA9FEA9FE/", "http://169.254.169.254/"},
      {"http://0251.0376.0251.0376/", "http://169.254.169.254/"},
      // IPv6.
      {"http://[::1]/", "http://[::1]/"},
      {"http://[::]/", "http://[::]/"},
      {"http://[0:0:0:0:0:0:0:1]/", "http://[::1]/"},
      {"http://[1::]/", "http://[1::]/"},
      {"http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"},
      {"http://[::127.0.0.1]/", "http://[::7f00:1]/"},
      {"http://[0:0:0:0:0:ffff:7f00:0001]/", "http://[::ffff:7f00:1]/"},
      {"http://[1:2:3:4:5:6:7:8]/", "http://[1:2:3:4:5:6:7:8]/"},
      {"http://[1:2:3:4:5:6:7::]/", "http://[1:2:3:4:5:6:7:0]/"},
      {"http://[::2:3:4:5:6:7:8]/", "http://[0:2:3:4:5:6:7:8]/"},
      {"http://[1:0:0:2:0:0:0:3]/", "http://[1:0:0:2::3]/"},
      {"http://[1:0:0:2:0:0:3:4]/", "http://[1::2:0:0:3:4]/"},
      {"http://[2001:0DB8::00Ff]:80/", "http://[2001:db8::ff]/"},
      {"http://[FE80::1]/", "http://[fe80::1]/"},
      {"http://[1:2:3:4:5:6:1.2.3.4]/", "http://[1:2:3:4:5:6:102:304]/"},
      // Path and query.
      {"https://a/b/../c", "https://a/c"},
      {"https://a/../../b", "https://a/b"},
      {"https://a/..", "https://a/"},
      {"https://a/b/.", "https://a/b/"},
      {"https://a/./b/./c", "https://a/b/c"},
      {"https://a/b/%2e%2E/c", "https://a/c"},
      {"https://a/b/.%2e", "https://a/"},
      {"https://a/%2e", "https://a/"},
      {"https://a/...", "https://a/..."},
      {"https://a/%2e%2e%2e", "https://a/%2e%2e%2e"},
      {"https://a/b//../c", "https://a/b/c"},
      {"https://a//b//", "https://a//b//"},
      {"https://a/b c", "https://a/b%20c"},
      {"https://a/\xc3\xa4", "https://a/%C3%A4"},
      {"https://a/%c3%a4", "https://a/%c3%a4"},
      {"https://a/\"<>`{}", "https://a/%22%3C%3E%60%7B%7D"},
      {"https://a/b|c[d]'e~", "https://a/b|c[d]'e~"},
      {"https://a/;:@&=+$,!*()", "https://a/;:@&=+$,!*()"},
      {"https://a/%2F%00", "https://a/%2F%00"},
      {"https://a/?b c\"<>'", "https://a/?b%20c%22%3C%3E%27"},
      {"https://a/?`{|}^[]", "https://a/?`{|}^[]"},
      {"https://a/?b=../c/./d?e", "https://a/?b=../c/./d?e"},
      {"https://a/?\xe2\x82\xac", "https://a/?%E2%82%AC"},
      {"https://a/b@c:d", "https://a/b@c:d"},
      {"https://a/?x@127.0.0.1", "https://a/?x@127.0.0.1"},
  };
  for (const auto& [text, reading] : cases) EXPECT_EQ(reading_of(text), reading) << text;
}

TEST(Url, RefusesWhatCouldBeReadInTwoWays) {
  for (const std::string_view text :
       {// Forms of confusion, S-6.
        "http://foo@127.0.0.1:80@ok.test/", "http://ok.test\\@127.0.0.1/", "http:///127.0.0.1/",
        "http://ok.test:80#@127.0.0.1/", "http://ok.\ttest/", "http://ok.te\nst/", "ht\ntp://a/",
        "http://ok.test\r/", "\thttp://a/", "http://a/\n", " http://a/", "http://a/ ",
        "http:\\\\a\\b", "http://a\\b", "https://a/b\\c", "http:/a", "http:a", "http:////a",
        "//a/b", "/a", "a", "", "http:", "http:/", "http://", "https://", "http://?", "http:///",
        "http://:80/", "http://@/", "http://a@b/", "http://a:b@c/", "http://@a/", "http://:@a/",
        "https://a#", "https://a/#b", "https://a/?#", "https://a/b#c?d",
        // Schemes.
        "ftp://a/", "file:///etc/passwd", "gopher://a/", "javascript:alert(1)", "data:,x",
        "unix:/run/a", "ws://a/", "httpss://a/", "xhttp://a/", "http+unix://a/", "h ttp://a/",
        // Ports.
        "http://a:0/", "http://a:65536/", "http://a:99999999999999999999/", "http://a:-1/",
        "http://a:+1/", "http://a:1x/", "http://a:0x50/", "http://a: 80/", "http://a:80 /",
        "http://a:80:80/", "http://a::/", "http://[::1]:0/", "http://[::1]x/", "http://[::1]80/",
        // Hosts.
        "http://a b/", "http://%61/", "http://a%00b/", "http://%31%32%37.1/", "http://ok%2etest/",
        "http://\xc3\xa4.test/", "http://\xef\xbc\x91.1/",
        "http://a\xe3\x80\x82"
        "b/",
        "http://\xc2\xad.test/", "http://a,b/", "http://a;b/", "http://a'b/", "http://a\"b/",
        "http://a<b/", "http://a>b/", "http://a^b/", "http://a|b/", "http://a`b/", "http://a{b}/",
        "http://a*b/", "http://*/", "http://a!b/", "http://$a/", "http://a&b/", "http://a(b)/",
        "http://a=b/", "http://a+b/", "http://a~b/", "http://a]b/", "http://a[b/", "http://./",
        "http://../", "http://a./", "http://.a/", "http://a..b/", "http://a../", "http://\x7f/",
        "http://\x01/", "http://a\x1f/",
        // International names.
        "http://xn--/", "http://xn---/", "http://xn--a/", "http://xn--a-/", "http://xn--abc-/",
        "http://a.xn--zn7c.com/", "http://xn--1ug/", "http://xn--0/", "http://xn--a-ecp.ru/",
        "http://xn--99999999/", "http://xn--!/", "http://xn--_/", "http://xn--4gbwdl/",
        // Numbers that are no address.
        "http://256.1.1.1/", "http://1.2.3.256/", "http://1.2.3.4.5/", "http://1.2.3.4../",
        "http://1..2/", "http://4294967296/", "http://0x100000000/", "http://040000000000/",
        "http://08/", "http://1.2.3.08/", "http://09.1/", "http://0xg.1/", "http://a.1/",
        "http://a.0x1/", "http://foo.0x/", "http://1.2.3.0x100/", "http://1.16777216/",
        "http://1.2.65536/", "http://.1/", "http://1.2.3.4.0x/", "http://a.b.09/",
        "http://99999999999999999999999999/", "http://127.0.0.1.a.2/",
        // IPv6.
        "http://[/", "http://]/", "http://[]/", "http://[:]/", "http://[:::]/", "http://[1]/",
        "http://[1:2:3:4:5:6:7]/", "http://[1:2:3:4:5:6:7:8:9]/", "http://[1::2::3]/",
        "http://[1:2:3:4:5:6:7::8]/", "http://[::1:2:3:4:5:6:7:8]/", "http://[12345::]/",
        "http://[g::]/", "http://[::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1.2.3]/",
        "http://[::1.2.3.4.5]/", "http://[::1.2.3.256]/", "http://[::01.2.3.4]/",
        "http://[::1.2.3.4:5]/", "http://[1.2.3.4::]/", "http://[1.2.3.4]/", "http://[::1/",
        "http://::1/", "http://::1]/", "http://[[::1]]/", "http://[::1]]/", "http://[ ::1]/",
        "http://[:1]/", "http://[1:]/", "http://[::1.2.3.]/", "http://[::.1.2.3]/",
        "http://[1:2:3:4:5:6:7:1.2.3.4]/", "http://[v1.a]/", "http://[::0x1]/",
        // Escapes and bytes.
        "http://a/%", "http://a/%1", "http://a/%zz", "http://a/?%", "http://a/?%g0",
        "http://a/\xff", "http://a/\xc3", "http://a/?\xed\xa0\x80", "http://a/\x01",
        "http://a/?\x7f"}) {
    EXPECT_EQ(reading_of(text), "refused") << text;
  }
  EXPECT_EQ(reading_of(std::string_view{"http://a\0b/", 11}), "refused");
  EXPECT_EQ(reading_of(std::string_view{"http://a/\0", 10}), "refused");
}

TEST(Url, LimitsItsSize) {
  const std::string start = "https://a/";
  EXPECT_NE(reading_of(start + std::string(2048 - start.size(), 'b')), "refused");
  EXPECT_EQ(reading_of(start + std::string(2049 - start.size(), 'b')), "refused");
  EXPECT_EQ(reading_of(start + std::string(700, '"')), "refused");  // Three times as long encoded.
  const std::string label(63, 'a');
  EXPECT_NE(reading_of("https://" + label + "/"), "refused");
  EXPECT_EQ(reading_of("https://" + label + "a/"), "refused");
  const std::string name = label + "." + label + "." + label + ".";
  EXPECT_NE(reading_of("https://" + name + std::string(61, 'a') + "/"), "refused");
  EXPECT_EQ(reading_of("https://" + name + std::string(62, 'a') + "/"), "refused");
}

// Goal: our IPv6 reader and the system's agree on what is an address, and which one. Method: seeded
// edits of addresses; only scope ids and such extras, of which we have none, could differ.
TEST(Url, AgreesWithTheSystemOnIpv6) {
  Prng random(66);
  const std::string_view seeds[] = {
      "::1",        "1:2:3:4:5:6:7:8", "fe80::1:0:0:2", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4",
      "2001:db8::", "0:0:1::0:0"};
  const std::string_view pool = "0123456789abcdefF::::....g";
  for (int round = 0; round < 50'000; ++round) {
    std::string text{seeds[random.below(std::size(seeds))]};
    for (uint64_t edit = random.below(4); edit > 0; --edit) {
      const size_t at = random.below(text.size());
      const char byte = pool[random.below(pool.size())];
      if (random.chance(1, 2))
        text[at] = byte;
      else if (random.chance(1, 2))
        text.insert(at, 1, byte);
      else if (text.size() > 1)
        text.erase(at, 1);
    }
    uint8_t bytes[16];
    const bool system = inet_pton(AF_INET6, text.c_str(), bytes) == 1;
    const auto ours = parse_ipv6(text);
    ASSERT_EQ(ours.has_value(), system) << text;
    if (!ours) continue;
    for (size_t index = 0; index < 8; ++index) {
      ASSERT_EQ((*ours)[index], bytes[2 * index] << 8 | bytes[2 * index + 1]) << text;
    }
    ASSERT_EQ(parse_ipv6(ipv6_text(*ours)), ours) << text;
  }
}

TEST(Punycode, AcceptsOnlyLettersThatNeedNoTables) {
  for (const char* good : {"mnchen-3ya", "fsq", "p1ai", "strae-oqa", "r8jz45g", "bcher-kva",
                           "hxajbheg2az3al", "3e0b707e", "wgbl6a"}) {
    const bool right_to_left = std::string_view{good} == "wgbl6a";
    EXPECT_EQ(acceptable_punycode(good), !right_to_left) << good;
  }
  for (const char* bad :
       {"", "-", "a", "a-", "-a", "99999999", "ls8h", "zn7c", "1ug", "mnchen-3y", "\xff", "aa!"}) {
    EXPECT_FALSE(acceptable_punycode(bad)) << bad;
  }
}

TEST(PercentEncoding, KeepsWhatIsUnreservedAndWhatIsNamed) {
  std::string out = "x";
  append_percent_encoded(out, "aZ09-._~/ %\r\xC3\xBC");
  EXPECT_EQ(out, "xaZ09-._~%2F%20%25%0D%C3%BC");
  out.clear();
  append_percent_encoded(out, "a/b?", "/");
  EXPECT_EQ(out, "a/b%3F");
}

TEST(PercentDecode, DecodesOnce) {
  EXPECT_EQ(percent_decode("a%20b%2525"), "a b%25");
  EXPECT_EQ(percent_decode("a+b"), "a+b");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
  EXPECT_EQ(percent_decode("%00"), std::string(1, '\0'));
  EXPECT_EQ(percent_decode(""), "");
  for (const char* bad : {"%", "%1", "a%g0", "%0g", "%%", "% 1"}) {
    EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
  }
}

TEST(QueryParameters, ReadsNamesAndValues) {
  const auto result = QueryParameters::parse("limit=10&cursor=a%2Bb%3D&since=&flag&&t=a+b=c");
  ASSERT_TRUE(std::holds_alternative<QueryParameters>(result));
  const auto& parameters = std::get<QueryParameters>(result);
  EXPECT_EQ(parameters.find("limit"), "10");
  EXPECT_EQ(parameters.find("cursor"), "a+b=");
  EXPECT_EQ(parameters.find("since"), "");
  EXPECT_EQ(parameters.find("flag"), "");
  EXPECT_EQ(parameters.find("t"), "a b=c");
  EXPECT_EQ(parameters.find("Limit"), std::nullopt);
  EXPECT_EQ(parameters.all().size(), 5);
  EXPECT_TRUE(std::get<QueryParameters>(QueryParameters::parse("")).all().empty());
}

TEST(QueryParameters, RefusesWhatIsNotCertain) {
  for (const char* query : {"a=1&a=2", "a=1&%61=2", "=1", "&=", "a=%", "a=%zz", "%=1", "a=%00",
                            "a=%0a", "a=%ff", "%7f=1"}) {
    EXPECT_TRUE(std::holds_alternative<UrlProblem>(QueryParameters::parse(query))) << query;
  }
  std::string many;
  for (int index = 0; index < 32; ++index) many += "a" + std::to_string(index) + "=1&";
  EXPECT_TRUE(std::holds_alternative<QueryParameters>(QueryParameters::parse(many)));
  EXPECT_TRUE(std::holds_alternative<UrlProblem>(QueryParameters::parse(many + "b")));
}

}  // namespace
}  // namespace ringpost::http
