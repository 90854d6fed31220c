#include "base/ulid.h"

#include <gtest/gtest.h>

namespace ringpost {
namespace {

TEST(Ulid, PrintsAndReadsBack) {
  Prng random{7};
  for (int round = 0; round < 100; ++round) {
    const Ulid id = Ulid::mint(from_unix_ns(1'935'738'487'123'456'789), random);
    EXPECT_EQ(id.to_text().size(), Ulid::text_size);
    EXPECT_EQ(Ulid::parse(id.to_text()), id);
    EXPECT_EQ(id.time_ms(), 1'935'738'487'123u);
  }
}

TEST(Ulid, AgreesWithTheSpecificationsExample) {
  const auto id = Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->time_ms(), 1'469'922'850'259u);
  EXPECT_EQ(id->to_text(), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
}

TEST(Ulid, RefusesWhatIsNone) {
  EXPECT_FALSE(Ulid::parse(""));
  EXPECT_FALSE(Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FA"));
  EXPECT_FALSE(Ulid::parse("81ARZ3NDEKTSV4RRFFQ69G5FAV"));  // Above 128 bits.
  EXPECT_FALSE(Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAU"));  // U is no digit.
  EXPECT_FALSE(Ulid::parse(std::string_view("01ARZ3NDEKTSV4RRFFQ69G5FA\0", 26)));
}

TEST(Ulid, SortsByTime) {
  Prng random{1};
  EXPECT_LT(Ulid::mint(from_unix_ns(1'000'000'000), random),
            Ulid::mint(from_unix_ns(2'000'000'000), random));
}

}  // namespace
}  // namespace ringpost
