// Goal: a page in a browser can neither pass for the relay's own by a name that was made to lead
// here, nor change anything from another site; programs notice nothing of it.

#include "ingest/known_hosts.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace ringpost::ingest {
namespace {

TEST(KnownHosts, AreTheNamesGivenLocalhostAndAddresses) {
  const KnownHosts hosts({"Relay.example.org", "box"}, "");
  for (const char* host :
       {"relay.example.org", "RELAY.example.org:8420", "relay.example.org.", "box", "box:1",
        "localhost", "LOCALHOST:3000", "localhost.:1", "127.0.0.1", "127.0.0.1:8420", "192.0.2.7",
        "[::1]", "[::1]:8420", "[2001:db8::1]:80", ""}) {
    EXPECT_TRUE(hosts.accept(host)) << host;
  }
  for (const char* host :
       {"evil.example", "evil.example:8420", "localhost.evil.example", "127.0.0.1.evil.example",
        "sub.box", "boxx", "relay.example.org.evil.example", "[::1", "[::1].evil.example", "[evil]",
        ".", "..", "localhost..", "box evil", "256.0.0.1"}) {
    EXPECT_FALSE(hosts.accept(host)) << host;
  }
}

TEST(UnknownHost, NamesTheKeyThatWouldChangeIt) {
  const http::Problem problem = unknown_host("evil.example");
  EXPECT_EQ(problem.status, 421);
  EXPECT_NE(problem.detail.find("\"evil.example\""), std::string::npos);
  EXPECT_NE(problem.detail.find("server.hosts"), std::string::npos);
  EXPECT_LT(unknown_host(std::string(8000, 'x')).detail.size(), 500u);
}

using Headers = std::vector<http::Header>;

std::string blamed(const std::string& method, Headers headers, std::string_view public_url = "",
                   bool tls = false) {
  headers.insert(headers.begin(), {"Host", "relay:8420"});
  http::Request request;
  request.method = method;
  request.headers = std::move(headers);
  const auto problem = object_to_site(request, public_url, tls);
  if (!problem) return "(taken)";
  EXPECT_EQ(problem->status, 403);
  return problem->member;
}

TEST(ForeignSite, ChangesNothing) {
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"}) {
    EXPECT_EQ(blamed(method, {}), "(taken)");
    EXPECT_EQ(blamed(method, {{"Origin", "https://evil.example"}}), "Origin");
    EXPECT_EQ(blamed(method, {{"origin", "null"}}), "Origin");
    EXPECT_EQ(blamed(method, {{"Origin", "http://relay:3000"}}), "Origin") << "another port";
    EXPECT_EQ(blamed(method, {{"Origin", "http://relay:8420.evil.example"}}), "Origin");
    EXPECT_EQ(blamed(method, {{"Origin", ""}}), "Origin");
    EXPECT_EQ(blamed(method, {{"Sec-Fetch-Site", "cross-site"}}), "Sec-Fetch-Site");
    EXPECT_EQ(blamed(method, {{"Origin", "http://relay:8420"}}), "(taken)");
    EXPECT_EQ(blamed(method, {{"Origin", "https://RELAY:8420"}, {"sec-fetch-site", "same-origin"}}),
              "(taken)");
    EXPECT_EQ(blamed(method, {{"Sec-Fetch-Site", "none"}}), "(taken)");
  }
}

TEST(ForeignSite, IsNotTheRelaysPublicUrl) {
  const Headers headers{{"Origin", "https://hooks.example.org"}};
  EXPECT_EQ(blamed("POST", headers), "Origin");
  EXPECT_EQ(blamed("POST", headers, "https://hooks.example.org"), "(taken)");
  EXPECT_EQ(blamed("POST", {{"Origin", "https://hooks.example.org.evil.example"}},
                   "https://hooks.example.org"),
            "Origin");
}

// Goal: who can write what a page without TLS says changes nothing over TLS.
TEST(ForeignSite, IsAPageWithoutTlsForAListenerWithIt) {
  EXPECT_EQ(blamed("POST", {{"Origin", "http://relay:8420"}}, "", true), "Origin");
  EXPECT_EQ(blamed("POST", {{"Origin", "HTTP://relay:8420"}}, "", true), "Origin");
  EXPECT_EQ(blamed("POST", {{"Origin", "https://relay:8420"}}, "", true), "(taken)");
  EXPECT_EQ(blamed("POST", {{"Origin", "https://relay:8420"}}), "(taken)") << "by way of a proxy";
  EXPECT_EQ(blamed("POST", {{"Origin", "ftp://relay:8420"}}), "Origin");
}

TEST(ForeignSite, MayRead) {
  for (const char* method : {"GET", "HEAD", "OPTIONS"}) {
    EXPECT_EQ(blamed(method, {{"Origin", "https://evil.example"}}), "(taken)");
    EXPECT_EQ(blamed(method, {{"Sec-Fetch-Site", "cross-site"}}), "(taken)");
  }
}

}  // namespace
}  // namespace ringpost::ingest
