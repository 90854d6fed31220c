// Goal: what the `standard` dialect sends verifies by the rules of Standard Webhooks 1.0, with
// either kind of key, and during a rotation with both secrets.
// Method: the reference libraries' vector, messages put together here and verified with bare
// primitives, and the overlap's edges. The published libraries verify in tests/e2e.

#include "api/webhook_fields.h"
#include "base/json_writer.h"
#include "crypto/base64.h"
#include "dialect/standard/secret.h"
#include "tests/dialect/rendered.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::dialect::standard {
namespace {

using subscription::Webhook;

const std::string first = "whsec_" + crypto::base64_encode(as_bytes(std::string(24, 'a')));
const std::string second = "whsec_" + crypto::base64_encode(as_bytes(std::string(64, 'b')));
// RFC 8032, 7.1, test 1: seed and public key.
const std::string seed_bytes =
    "\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4"
    "\x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";
const std::string public_bytes =
    "\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a"
    "\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a";

std::string private_secret(const std::string& bytes) {
  return "whsk_" + crypto::base64_encode(as_bytes(bytes));
}

std::string message_of(const Rendered& request) {
  return request.header("webhook-id") + "." + request.header("webhook-timestamp") + "." +
         std::string{request.body()};
}

/// Verified with the bare primitive. @param signature  with its `v1,`.
bool symmetric_verifies(const std::string& secret, const Rendered& request,
                        std::string_view signature) {
  const auto key = crypto::base64_decode(std::string_view{secret}.substr(6));
  const auto expected = crypto::HmacSha256Key{as_bytes(*key)}.sign(as_bytes(message_of(request)));
  return signature == "v1," + crypto::base64_encode(crypto::bytes_of(expected));
}

bool asymmetric_verifies(const std::string& public_key, const Rendered& request,
                         std::string_view signature) {
  if (!signature.starts_with("v1a,")) return false;
  const auto bytes = crypto::base64_decode(signature.substr(4));
  return bytes && crypto::ed25519_verify(as_bytes(public_key), as_bytes(message_of(request)),
                                         as_bytes(*bytes));
}

std::vector<std::string> signatures_of(const Rendered& request) {
  const std::string header = request.header("webhook-signature");
  std::vector<std::string> signatures;
  size_t begin = 0;
  while (begin <= header.size()) {
    const size_t end = std::min(header.find(' ', begin), header.size());
    signatures.push_back(header.substr(begin, end - begin));
    begin = end + 1;
  }
  return signatures;
}

TEST(StandardRenderer, SignsIdTimeAndBody) {
  Rendered request;
  request.attempt = 3;
  request.render(webhook("standard", second));
  EXPECT_EQ(request.header("webhook-id"), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  EXPECT_EQ(request.header("webhook-timestamp"), "1935738487");
  EXPECT_EQ(request.header("ringpost-delivery"), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  EXPECT_EQ(request.header("ringpost-attempt"), "3");
  ASSERT_EQ(signatures_of(request).size(), 1u);
  EXPECT_TRUE(symmetric_verifies(second, request, signatures_of(request)[0]));
  EXPECT_FALSE(symmetric_verifies(first, request, signatures_of(request)[0]));
}

// The example of the Standard Webhooks specification's reference libraries.
TEST(StandardSigner, AgreesWithTheReferenceLibraries) {
  const auto signer = Signer::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  ASSERT_TRUE(signer);
  std::string signature;
  std::string buffer;
  signer->append_signature(signature, "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.",
                           as_bytes(R"({"test": 2432232314})"), buffer);
  EXPECT_EQ(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(StandardSigner, SignsWithEd25519ByASeedAndByAPair) {
  for (const std::string& key : {seed_bytes, seed_bytes + public_bytes}) {
    Rendered request;
    const std::string large(100'000, 'x');
    for (const std::string_view body : {build_finished, std::string_view{large}}) {
      request.event.data = as_bytes(body);
      request.render(webhook("standard", private_secret(key)));
      ASSERT_EQ(signatures_of(request).size(), 1u);
      EXPECT_TRUE(asymmetric_verifies(public_bytes, request, signatures_of(request)[0]));
    }
    EXPECT_EQ(Signer::from(private_secret(key))->public_key(),
              "whpk_" + crypto::base64_encode(as_bytes(public_bytes)));
  }
}

TEST(StandardSigner, MintsWhatItTakes) {
  for (const SignatureKind kind : {SignatureKind::v1, SignatureKind::v1a}) {
    const std::string secret = mint(kind);
    EXPECT_EQ(object_to(secret), "");
    EXPECT_EQ(kind_of(secret), kind);
    EXPECT_NE(secret, mint(kind));
    EXPECT_EQ(Signer::from(secret)->public_key().empty(), kind == SignatureKind::v1);
  }
}

TEST(StandardSigner, TakesKeysOfTheRightSizesOnly) {
  const auto symmetric = [](size_t size) {
    return "whsec_" + crypto::base64_encode(as_bytes(std::string(size, 'k')));
  };
  for (const size_t size : {24u, 32u, 64u}) EXPECT_EQ(object_to(symmetric(size)), "") << size;
  for (const size_t size : {0u, 1u, 23u, 65u, 100u}) EXPECT_NE(object_to(symmetric(size)), "");
  std::string wrong_pair = seed_bytes + public_bytes;
  wrong_pair.back() = static_cast<char>(wrong_pair.back() ^ 1);
  for (const std::string& secret :
       {std::string{}, std::string{"plain"}, first.substr(6), first + "=",
        "whpk_" + first.substr(6), private_secret(seed_bytes.substr(1)),
        private_secret(seed_bytes + "x"), private_secret(wrong_pair), std::string{"whsk_"},
        "WHSEC_" + first.substr(6)}) {
    EXPECT_NE(object_to(secret), "") << secret;
  }
}

TEST(StandardRenderer, SignsWithBothSecretsUntilTheOverlapEnds) {
  Webhook to = webhook("standard", second);
  to.previous_secret = first;
  Rendered request;
  const WallTime sent = request.now;
  for (const auto& [until, count] : {std::pair{sent + Duration{1}, 2u},
                                     {sent + std::chrono::hours{24}, 2u},
                                     {sent, 1u},
                                     {sent - Duration{1}, 1u},
                                     {WallTime{}, 1u}}) {
    to.previous_secret_until = until;
    request.render(to);
    const auto signatures = signatures_of(request);
    ASSERT_EQ(signatures.size(), count);
    EXPECT_TRUE(symmetric_verifies(second, request, signatures[0]));  // The newest first.
    if (count == 2) {
      EXPECT_TRUE(symmetric_verifies(first, request, signatures[1]));
    }
  }
}

// Goal: each attempt decides for itself, so a retry after the overlap carries one signature.
TEST(StandardRenderer, DecidesOnTheOverlapAnewForEachAttempt) {
  Webhook to = webhook("standard", private_secret(seed_bytes));
  to.previous_secret = first;
  Rendered request;
  to.previous_secret_until = request.now + std::chrono::seconds{5};
  const auto renderer = make_renderer(to);
  const auto render = [&] {
    request.request.clear();
    ASSERT_FALSE(renderer->render({.event = request.event,
                                   .delivery = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
                                   .attempt = 1,
                                   .now = request.now},
                                  request.request));
  };
  render();
  auto signatures = signatures_of(request);
  ASSERT_EQ(signatures.size(), 2u);
  EXPECT_TRUE(asymmetric_verifies(public_bytes, request, signatures[0]));
  EXPECT_TRUE(symmetric_verifies(first, request, signatures[1]));
  request.now += std::chrono::seconds{5};
  render();
  signatures = signatures_of(request);
  ASSERT_EQ(signatures.size(), 1u);
  EXPECT_TRUE(asymmetric_verifies(public_bytes, request, signatures[0]));
}

// --- settings ------------------------------------------------------------------------------------

struct Outcome {
  Webhook webhook;
  std::string refused;  ///< The member; empty: taken.
};

Outcome with_settings(const std::string& secret, std::string_view json) {
  Outcome outcome;
  outcome.webhook.secret = secret;
  const auto problem = find("standard")->read_settings(json, outcome.webhook);
  if (problem) outcome.refused = problem->member;
  return outcome;
}

std::string written(const Webhook& webhook) {
  std::string text;
  JsonWriter json{text};
  find("standard")->write_settings(json, webhook);
  return text;
}

TEST(StandardSettings, MintTheSecretOfTheChosenKind) {
  EXPECT_TRUE(with_settings("", R"({"signature":"v1"})").webhook.secret.starts_with("whsec_"));
  EXPECT_TRUE(with_settings("", R"({"signature":"v1a"})").webhook.secret.starts_with("whsk_"));
  EXPECT_EQ(with_settings("", "{}").webhook.secret, "");  // The relay mints by the default then.
  EXPECT_EQ(with_settings(first, "{}").webhook.secret, first);
}

TEST(StandardSettings, RefuseWhatTheSecretContradicts) {
  const std::string key = private_secret(seed_bytes);
  EXPECT_EQ(with_settings(first, R"({"signature":"v1"})").refused, "");
  EXPECT_EQ(with_settings(key, R"({"signature":"v1a"})").refused, "");
  EXPECT_EQ(with_settings(first, R"({"signature":"v1a"})").refused, "settings.signature");
  EXPECT_EQ(with_settings(key, R"({"signature":"v1"})").refused, "settings.signature");
  EXPECT_EQ(with_settings("", R"({"signature":"v2"})").refused, "settings.signature");
  EXPECT_EQ(with_settings("", R"({"signature":1})").refused, "settings.signature");
  EXPECT_EQ(with_settings("", R"({"algorithm":"v1"})").refused, "settings.algorithm");
  EXPECT_EQ(with_settings(first, R"({"public_key":"whpk_x"})").refused, "settings.public_key");
}

TEST(StandardSettings, ShowThePublicKeyAndNoSecretAndCanBeSentBack) {
  const std::string key = private_secret(seed_bytes);
  const auto symmetric = with_settings(first, "{}").webhook;
  EXPECT_EQ(written(symmetric), R"({"signature":"v1"})");
  const auto asymmetric = with_settings(key, "{}").webhook;
  EXPECT_EQ(written(asymmetric), R"({"signature":"v1a","public_key":"whpk_)" +
                                     crypto::base64_encode(as_bytes(public_bytes)) + R"("})");
  EXPECT_EQ(with_settings(key, written(asymmetric)).refused, "");
}

TEST(StandardSettings, RotateToASecretOfTheSameKind) {
  const Dialect& dialect = *find("standard");
  EXPECT_TRUE(dialect.next_secret(webhook("standard", first)).starts_with("whsec_"));
  EXPECT_TRUE(
      dialect.next_secret(webhook("standard", private_secret(seed_bytes))).starts_with("whsk_"));
}

}  // namespace
}  // namespace ringpost::dialect::standard
