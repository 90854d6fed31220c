#include "crypto/hmac.h"

#include "crypto/hex.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

// Goal: a signature is the RFC's and the receivers', whatever way the message is cut into parts.
// Method: the vectors of RFC 4231, those of the Bitrise dialect, and every cut of one message.

namespace ringpost::crypto {
namespace {

std::string sign(const std::string& secret, const std::string& message) {
  const HmacSha256Key key{as_bytes(secret)};
  return hex_encode(bytes_of(key.sign(as_bytes(message))));
}

std::string counting(size_t last) {
  std::string text;
  for (size_t i = 1; i <= last; ++i) text += static_cast<char>(i);
  return text;
}

TEST(HmacSha256Key, SignsAsRfc4231Says) {
  EXPECT_EQ(sign(std::string(20, '\x0b'), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(sign("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(sign(std::string(20, '\xaa'), std::string(50, '\xdd')),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  EXPECT_EQ(sign(counting(25), std::string(50, '\xcd')),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
}

TEST(HmacSha256Key, HashesKeysLongerThanABlock) {
  EXPECT_EQ(
      sign(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(sign(std::string(131, '\xaa'),
                 "This is a test using a larger than block-size key and a larger than block-size "
                 "data. The key needs to be hashed before being used by the HMAC algorithm."),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

constexpr std::string_view bitrise_body =
    R"({"build_slug":"7f3c9a10b2d44e6f","build_number":128,"app_slug":"c0ffee1234abcd56",)"
    R"("build_status":1,"build_triggered_workflow":"release","git":{"provider":"github",)"
    R"("src_branch":"feature/login","dst_branch":"main","pull_request_id":57,"tag":null}})";

TEST(HmacSha256Key, SignsAsBitriseReceiversExpect) {
  ASSERT_EQ(bitrise_body.size(), 245u);
  EXPECT_EQ(sign("relay-demo-secret", std::string{bitrise_body}),
            "6ec7dae990eeafe2979a7512b55746da209220b24162dad1b30244403945a4ba");
  EXPECT_EQ(sign("relay-demo-secret", std::string{bitrise_body} + "\n"),
            "c8579f361cce9940ac913fd6a086c652bcdd34247569b6028967e8a8b916fe37");
  EXPECT_EQ(sign("my-super-secret", R"({"app_slug":"test-app-slug"})"),
            "0d86929661b1c7b216ca6a7ef4abe740ee6dc07d4afc2f21d78c888235d88713");
}

TEST(HmacSha256Key, SignsPartsAsIfTheyStoodTogether) {
  const HmacSha256Key key{as_bytes("secret")};
  const std::string message = counting(200);
  const Digest whole = key.sign(as_bytes(message));
  for (size_t cut = 0; cut <= message.size(); ++cut) {
    const std::string_view text{message};
    const std::vector<Bytes> parts{as_bytes(text.substr(0, cut)), Bytes{},
                                   as_bytes(text.substr(cut))};
    EXPECT_EQ(key.sign(parts), whole) << "cut at " << cut;
  }
}

TEST(HmacSha256Key, TakesEmptyKeysAndMessages) {
  EXPECT_EQ(sign("", ""), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(HmacSha256Key, DiffersForKeysThatDifferInOneBitAtAnyPlace) {
  for (size_t place : {0u, 31u, 63u, 64u, 99u}) {
    std::string key(100, 'k');
    const std::string signature = sign(key, "m");
    key[place] = static_cast<char>(key[place] ^ 1);
    EXPECT_NE(sign(key, "m"), signature) << place;
  }
}

TEST(HmacSha256Key, SignsTheSameAfterACopyAndAfterOtherMessages) {
  const HmacSha256Key key{as_bytes("secret")};
  const Digest first = key.sign(as_bytes("one"));
  const HmacSha256Key copy = key;
  EXPECT_NE(key.sign(as_bytes("two")), first);
  EXPECT_EQ(copy.sign(as_bytes("one")), first);
  static_assert(sizeof(HmacSha256Key) == 64, "two hash states and nothing else");
}

// RFC 2202, section 3.
TEST(HmacSha1, SignsAsRfc2202Says) {
  const auto sign_sha1 = [](const std::string& secret, const std::string& message) {
    const auto digest = hmac_sha1(as_bytes(secret), as_bytes(message));
    return hex_encode(std::as_bytes(std::span{digest}));
  };
  EXPECT_EQ(sign_sha1(std::string(20, '\x0b'), "Hi There"),
            "b617318655057264e28bc0b6fb378c8ef146be00");
  EXPECT_EQ(sign_sha1("Jefe", "what do ya want for nothing?"),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  EXPECT_EQ(
      sign_sha1(std::string(80, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
      "aa4ae5e15272d00e95705637ce8a3b55ed402112");
}

}  // namespace
}  // namespace ringpost::crypto
