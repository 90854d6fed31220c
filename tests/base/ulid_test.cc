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

TEST(Ulid, PrintsAsAUuidAndReadsBack) {
  const auto id = Ulid::parse_uuid("018f6b1e-7777-4abc-8def-00000000000A");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->to_uuid_text(), "018f6b1e-7777-4abc-8def-00000000000a");
  EXPECT_EQ(Ulid::parse(id->to_text()), id);
  EXPECT_FALSE(Ulid::parse_uuid("018f6b1e-7777-4abc-8def-00000000000"));
  EXPECT_FALSE(Ulid::parse_uuid("018f6b1e-7777-4abc-8def-00000000000g"));
  EXPECT_FALSE(Ulid::parse_uuid("018f6b1e07777-4abc-8def-00000000000a"));
  EXPECT_FALSE(Ulid::parse_uuid("{18f6b1e-7777-4abc-8def-00000000000}"));
}

TEST(Ulid, MintsUuidsOfVersion7) {
  Prng random{3};
  for (int round = 0; round < 100; ++round) {
    const Ulid id = Ulid::mint_uuid(from_unix_ns(1'935'738'487'123'456'789), random);
    EXPECT_EQ(id.time_ms(), 1'935'738'487'123u);
    EXPECT_EQ(id.to_uuid_text()[14], '7');
    EXPECT_NE(std::string_view("89ab").find(id.to_uuid_text()[19]), std::string_view::npos);
  }
}

TEST(Ulid, SortsByTime) {
  Prng random{1};
  EXPECT_LT(Ulid::mint(from_unix_ns(1'000'000'000), random),
            Ulid::mint(from_unix_ns(2'000'000'000), random));
}

}  // namespace
}  // namespace ringpost
