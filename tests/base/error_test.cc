#include "ringpost/error.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

// Goal: whoever reads an error learns what was wrong, in words of its own.

namespace ringpost {
namespace {

constexpr auto last = static_cast<int32_t>(BadAnswer::distrusted);

TEST(Error, SaysWhatIsWrongWithAnAnswer) {
  std::set<std::string> texts;
  for (int32_t reason = 1; reason <= last; ++reason) {
    const std::string text = describe(Error{Errc::malformed, Side::endpoint, reason});
    EXPECT_TRUE(text.starts_with("malformed message: ")) << text;
    EXPECT_EQ(text.find("does not know"), std::string::npos) << reason;
    EXPECT_TRUE(texts.insert(text).second) << text;
  }
  EXPECT_EQ(describe(Error{Errc::too_large, Side::endpoint,
                           static_cast<int32_t>(BadAnswer::header_count)}),
            "too large: the answer has too many header lines");
}

// Journals keep the numbers.
TEST(Error, KeepsTheNumbersOfBadAnswers) {
  EXPECT_EQ(static_cast<int32_t>(BadAnswer::binary), 1);
  EXPECT_EQ(static_cast<int32_t>(BadAnswer::status_range), 12);
  EXPECT_EQ(static_cast<int32_t>(BadAnswer::length_and_coding), 20);
  EXPECT_EQ(static_cast<int32_t>(BadAnswer::interim_count), 23);
  EXPECT_EQ(static_cast<int32_t>(BadAnswer::trailer_bytes), 28);
  EXPECT_EQ(last, 36);
}

TEST(Error, SurvivesNumbersOfOtherVersions) {
  for (int32_t reason : {last + 1, 503, -1, INT32_MIN, INT32_MAX}) {
    EXPECT_EQ(describe(Error{Errc::malformed, Side::endpoint, reason}),
              "malformed message: unknown reason");
  }
  EXPECT_EQ(describe(Error{Errc::malformed}), "malformed message");
  EXPECT_EQ(describe(Error{Errc::too_large}), "too large");
}

}  // namespace
}  // namespace ringpost
