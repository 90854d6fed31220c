// Goal: a request is authentic if and only if its dialect's specification says so.
// Method: the specifications' vectors, and each of them with one thing changed.

#include "dialect/verifier.h"

#include "crypto/base64.h"
#include "crypto/hmac.h"
#include "rendered.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::dialect {
namespace {

using Kind = Verdict::Kind;
using Headers = std::vector<http::Header>;

WallTime at(int64_t seconds) {
  return from_unix_ns(seconds * 1'000'000'000);
}

Verdict verify(std::string_view dialect, const Headers& headers, std::string_view body,
               std::string_view secret, const Freshness& freshness = {}) {
  return find(dialect)->verify({headers, as_bytes(body)}, secret, freshness);
}

// --- freshness -----------------------------------------------------------------------------------

TEST(CheckFreshness, TakesTimesWithinTheTolerance) {
  const Freshness freshness{.now = at(1'000'000)};
  for (const char* fresh : {"1000000", "999700", "1000300", "0001000000"}) {
    EXPECT_TRUE(check_freshness("t", fresh, freshness).authentic()) << fresh;
  }
  EXPECT_EQ(check_freshness("t", "999699", freshness).reason,
            "t lies 301 s in the past, and 300 s are allowed");
  EXPECT_EQ(check_freshness("t", "1000301", freshness).reason,
            "t lies 301 s in the future, and 300 s are allowed");
  for (const char* wrong :
       {"", "x", "-1", "1.5", " 1000000", "99999999999999999999", "18446744073709551615"}) {
    EXPECT_EQ(check_freshness("t", wrong, freshness).kind, Kind::refuted) << wrong;
  }
  EXPECT_TRUE(
      check_freshness("t", "1000000", {.now = at(1'000'000), .tolerance = Duration{}}).authentic());
}

TEST(Received, ReadsAHeaderThatStandsOnce) {
  const Headers headers{{"A", "1"}, {"B", "2"}, {"b", "3"}};
  const Received received{headers, {}};
  EXPECT_EQ(received.header("a"), "1");
  EXPECT_EQ(received.header("b"), "");
  EXPECT_EQ(received.header("c"), "");
  EXPECT_TRUE(received.has_header("B"));
  EXPECT_FALSE(received.has_header("c"));
}

// --- standard ------------------------------------------------------------------------------------

// The example of the Standard Webhooks specification's reference libraries.
struct Example {
  std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  std::string body = R"({"test": 2432232314})";
  Headers headers{{"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"},
                  {"webhook-timestamp", "1614265330"},
                  {"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}};
  Freshness freshness{.now = at(1'614'265'330)};

  std::string& signature() { return headers[2].value; }
  Verdict verdict() const { return verify("standard", headers, body, secret, freshness); }
};

TEST(StandardVerifier, TakesTheReferenceLibrariesExample) {
  Example example;
  EXPECT_TRUE(example.verdict().authentic()) << example.verdict().reason;
  example.secret.erase(0, 6);
  EXPECT_TRUE(example.verdict().authentic()) << "the prefix is optional";
}

TEST(StandardVerifier, TakesOneOfSeveralSignaturesAndPassesOtherVersionsOver) {
  Example example;
  const std::string good = example.signature();
  for (const std::string& both :
       {"v1,AAAA " + good, good + " v1,AAAA", "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw " + good}) {
    example.signature() = both;
    EXPECT_TRUE(example.verdict().authentic()) << both;
  }
  for (const std::string& wrong :
       {std::string{"v1,"}, "v2," + good.substr(3), good.substr(3), "V1," + good.substr(3),
        good + ",", good.substr(0, good.size() - 1), std::string{"v1a,AAAA"}}) {
    example.signature() = wrong;
    EXPECT_EQ(example.verdict().kind, Kind::refuted) << wrong;
  }
}

TEST(StandardVerifier, RefutesWhateverWasChanged) {
  const auto refuted_with = [](auto change) {
    Example example;
    change(example);
    const Verdict verdict = example.verdict();
    return verdict.kind == Kind::refuted ? verdict.reason : "(not refuted)";
  };
  const std::string mismatch = "no signature fits id, time, body and secret";
  EXPECT_EQ(refuted_with([](Example& e) { e.body += "\n"; }), mismatch);
  EXPECT_EQ(refuted_with([](Example& e) { e.headers[0].value += "x"; }), mismatch);
  EXPECT_EQ(refuted_with([](Example& e) { e.headers[1].value = "1614265331"; }), mismatch);
  EXPECT_EQ(refuted_with([](Example& e) { e.secret[10] = 'x'; }), mismatch);
  EXPECT_EQ(refuted_with([](Example& e) { e.freshness.now = at(1'614'265'631); }),
            "webhook-timestamp lies 301 s in the past, and 300 s are allowed");
  EXPECT_EQ(refuted_with([](Example& e) { e.headers.erase(e.headers.begin()); }),
            "webhook-id is missing, or appears more than once");
  EXPECT_EQ(refuted_with([](Example& e) { e.headers.push_back(e.headers[1]); }),
            "webhook-timestamp is missing, or appears more than once");
  EXPECT_EQ(refuted_with([](Example& e) { e.headers.push_back(e.headers[2]); }),
            "webhook-signature is empty, or appears more than once");
  EXPECT_EQ(refuted_with([](Example& e) { e.secret = "whsec_?"; }),
            "the secret is not valid: it must be \"whsec_\" and the base64 of 24 to 64 bytes, or "
            "\"whsk_\" "
            "and an Ed25519 key");
}

TEST(StandardVerifier, TellsWhatIsNotSignedFromWhatIsWrong) {
  Example example;
  example.headers.pop_back();
  EXPECT_EQ(example.verdict().kind, Kind::not_signed);
}

// --- bitrise -------------------------------------------------------------------------------------

struct Vector {
  const char* secret;
  std::string body;
  const char* signature;
};

// The specification's section 4.
std::vector<Vector> bitrise_vectors() {
  return {{"relay-demo-secret", std::string{build_finished},
           "sha256=6ec7dae990eeafe2979a7512b55746da209220b24162dad1b30244403945a4ba"},
          {"relay-demo-secret", std::string{build_finished} + "\n",
           "sha256=c8579f361cce9940ac913fd6a086c652bcdd34247569b6028967e8a8b916fe37"},
          {"my-super-secret", R"({"app_slug":"test-app-slug"})",
           "sha256=0d86929661b1c7b216ca6a7ef4abe740ee6dc07d4afc2f21d78c888235d88713"},
          {"89fa2fae2f7c89eca9d4dc1406ee5e1a", R"({"message":"test content"})",
           "sha1=c48856de832335695d0d1d4e3bca31d4687c0e0d"}};
}

TEST(BitriseVerifier, TakesTheVectorsAndNothingBesideThem) {
  for (const Vector& vector : bitrise_vectors()) {
    const auto kind = [&](const std::string& signature, const std::string& body,
                          const std::string& secret) {
      return verify("bitrise", {{"Bitrise-Hook-Signature", signature}}, body, secret).kind;
    };
    const std::string good = vector.signature;
    EXPECT_EQ(kind(good, vector.body, vector.secret), Kind::authentic) << good;
    EXPECT_EQ(kind(good, vector.body + " ", vector.secret), Kind::refuted) << good;
    EXPECT_EQ(kind(good, vector.body, "other"), Kind::refuted) << good;
    const size_t equals = good.find('=');
    std::string upper = good;
    for (size_t at = equals; at < upper.size(); ++at) {
      if (upper[at] >= 'a') upper[at] = static_cast<char>(upper[at] - 32);
    }
    for (const std::string& wrong :
         {upper, good + " ", good.substr(0, good.size() - 1), good.substr(equals + 1),
          "md5=" + good.substr(equals + 1), "SHA256=" + good.substr(equals + 1), std::string{"="},
          std::string{"sha256"}}) {
      EXPECT_EQ(kind(wrong, vector.body, vector.secret), Kind::refuted) << wrong;
    }
  }
}

TEST(BitriseVerifier, TellsWhatIsNotSignedAndRefusesTwoSignatures) {
  EXPECT_EQ(verify("bitrise", {}, "{}", "secret").kind, Kind::not_signed);
  const auto vector = bitrise_vectors()[0];
  const http::Header signature{"bitrise-hook-signature", vector.signature};
  EXPECT_EQ(verify("bitrise", {signature, signature}, vector.body, vector.secret).kind,
            Kind::refuted);
}

// --- all of them ---------------------------------------------------------------------------------

Headers headers_of(const std::string& head) {
  Headers headers;
  size_t line = head.find("\r\n") + 2;
  while (line < head.size()) {
    const size_t end = head.find("\r\n", line);
    const size_t colon = head.find(": ", line);
    if (colon < end) {
      headers.push_back({head.substr(line, colon - line), head.substr(colon + 2, end - colon - 2)});
    }
    line = end + 2;
  }
  return headers;
}

// Goal: what a renderer signs, its verifier takes; what another key signed, it does not.
TEST(Verifier, AgreesWithTheRendererOfEachDialectThatVerifies) {
  size_t verified = 0;
  for (const Dialect* dialect : all()) {
    if (!dialect->verifies()) continue;
    const std::string minted = dialect->mint_secret();
    const std::string secret = minted.empty() ? "a secret of some length" : minted;
    Rendered request;
    request.render(webhook(std::string{dialect->name()}, secret));
    const Headers headers = headers_of(request.head);
    const Received received{headers, request.request.body};
    const Freshness freshness{.now = request.now};
    EXPECT_TRUE(dialect->verify(received, secret, freshness).authentic()) << dialect->name();
    EXPECT_FALSE(dialect->delivery_of(received).empty()) << dialect->name();
    const std::string other = minted.empty() ? "another secret" : dialect->mint_secret();
    EXPECT_EQ(dialect->verify(received, other, freshness).kind, Kind::refuted) << dialect->name();
    ++verified;
  }
  EXPECT_GE(verified, 2u);
}

TEST(Verifier, NamesADeliveryTheSameInAllItsAttempts) {
  Rendered request;
  const auto to = webhook("standard", find("standard")->mint_secret());
  request.render(to);
  const Headers first = headers_of(request.head);
  request.attempt = 2;
  request.now += std::chrono::seconds(5);
  request.render(to);
  const Headers second = headers_of(request.head);
  EXPECT_EQ(find("standard")->delivery_of({first, {}}), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  EXPECT_EQ(find("standard")->delivery_of({second, {}}), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  const Headers ours{{"ringpost-delivery", "abc"}};
  EXPECT_EQ(find("standard")->delivery_of({ours, {}}), "abc");
  EXPECT_EQ(find("bitrise")->delivery_of({ours, {}}), "abc");
}

}  // namespace
}  // namespace ringpost::dialect
