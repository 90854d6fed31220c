#include "journal/text_delta.h"

#include "base/prng.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::journal {
namespace {

std::string made_of(std::string_view base, Bytes delta) {
  std::vector<std::byte> text;
  EXPECT_TRUE(apply_delta(base, delta, 1 << 20, text));
  return std::string{as_text(text)};
}

size_t delta_size(std::string_view base, std::string_view text) {
  std::vector<std::byte> delta;
  encode_delta(base, text, delta);
  EXPECT_EQ(made_of(base, delta), text);
  return delta.size();
}

TEST(TextDelta, IsSmallForRequestsToOneWebhook) {
  const auto request = [](std::string_view id, std::string_view signature) {
    return "POST /hook/of/some/length HTTP/1.1\r\nHost: ci.example.org\r\nUser-Agent: "
           "ringpost/0.1\r\n"
           "webhook-id: " +
           std::string{id} + "\r\nwebhook-timestamp: 1900000000\r\nwebhook-signature: v1," +
           std::string{signature} + "\r\nContent-Length: 1024\r\n\r\n";
  };
  const std::string first =
      request("01J0000000AAAAAAAAAAAAAAAA", "K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=");
  const std::string second =
      request("01J0000000BBBBBBBBBBBBBBBB", "Pz7LgyQ2rP0aXmKQJ0m1nA1bVbRbX3r1u9z2s6a8h3E=");
  EXPECT_LT(delta_size(first, second), 80u);
  EXPECT_LE(delta_size(first, first), 4u);
}

TEST(TextDelta, WorksForAnyTwoTexts) {
  for (const auto& [base, text] : std::initializer_list<std::pair<std::string, std::string>>{
           {"", ""},
           {"", "a"},
           {"a", ""},
           {"a\nb", "b\na"},
           {"\n\n\n", "\n"},
           {"\n", "\n\n\n"},
           {"same\r\n", "same\r\nand more\r\n"},
           {"abcdabcd", "abcdXabcd"},
           {"aaaa", "aaaaaaaa"}}) {
    delta_size(base, text);
  }
  Prng random(5);
  for (int round = 0; round < 5000; ++round) {
    std::string base;
    for (uint64_t count = random.below(60); count > 0; --count) {
      base.push_back("ab\nc\r"[random.below(6)]);
    }
    std::string text = base;
    for (uint64_t changes = random.below(6); changes > 0; --changes) {
      const size_t at = random.below(text.size() + 1);
      if (random.chance(1, 2)) {
        text.insert(at, 1, "xyz\n"[random.below(4)]);
      } else if (at < text.size()) {
        text.erase(at, 1 + random.below(5));
      }
    }
    delta_size(base, text);
  }
}

// Goal: no delta makes a read out of bounds, or more than the limit. Method: every cut and flip.
TEST(TextDelta, RefusesWhatDoesNotFit) {
  const std::string base = "POST / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n";
  std::vector<std::byte> delta;
  encode_delta(base, "POST / HTTP/1.1\r\nA: 7\r\nC: 9, and more\r\n\r\n", delta);
  std::vector<std::byte> out;
  EXPECT_FALSE(apply_delta("short", delta, 1 << 20, out));
  EXPECT_FALSE(apply_delta(base, delta, 10, out));
  for (size_t cut = 0; cut < delta.size(); ++cut) {
    out.clear();
    static_cast<void>(apply_delta(base, Bytes{delta}.first(cut), 1 << 20, out));
    for (int bit = 0; bit < 8; ++bit) {
      std::vector<std::byte> changed = delta;
      changed[cut] ^= std::byte(1 << bit);
      out.clear();
      static_cast<void>(apply_delta(base, changed, 1 << 20, out));
      EXPECT_LE(out.size(), 1u << 20);
    }
  }
}

}  // namespace
}  // namespace ringpost::journal
