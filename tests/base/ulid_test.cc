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

/// What strict readers (zod, npm `uuid`) ask of a UUID.
bool is_rfc_9562(std::string_view uuid) {
  return uuid.size() == Ulid::uuid_text_size && uuid[14] >= '1' && uuid[14] <= '8' &&
         std::string_view("89ab").find(uuid[19]) != std::string_view::npos;
}

TEST(Ulid, MintsUuidsOfVersion7) {
  Prng random{3};
  for (int round = 0; round < 100; ++round) {
    const Ulid id = Ulid::mint(from_unix_ns(1'935'738'487'123'456'789), random);
    EXPECT_EQ(id.time_ms(), 1'935'738'487'123u);
    EXPECT_EQ(id.to_uuid_text()[14], '7');
    EXPECT_TRUE(is_rfc_9562(id.to_uuid_text()));
    EXPECT_EQ(id.as_uuid(), id);
  }
}

TEST(Ulid, SortsByTimeWithinAMillisecond) {
  Prng random{1};
  constexpr int64_t begin = 1'935'738'487'123'000'000;
  for (int64_t ns = 0; ns + 250 < 1'000'000; ns += 250) {
    EXPECT_LT(Ulid::mint(from_unix_ns(begin + ns), random),
              Ulid::mint(from_unix_ns(begin + ns + 250), random))
        << ns;
  }
  EXPECT_LT(Ulid::mint(from_unix_ns(1'000'000'000), random),
            Ulid::mint(from_unix_ns(2'000'000'000), random));
}

/// Ids of before, and ids that are hashes, are no UUIDs by themselves.
TEST(Ulid, PrintsWhateverBytesItHasAsAUuid) {
  Prng random{5};
  for (int round = 0; round < 1000; ++round) {
    Ulid id;
    for (uint8_t& byte : id.bytes) byte = static_cast<uint8_t>(random.next());
    const std::string uuid = id.to_uuid_text();
    EXPECT_TRUE(is_rfc_9562(uuid)) << uuid;
    EXPECT_EQ(Ulid::parse_uuid(uuid), id.as_uuid());
    EXPECT_EQ(id.as_uuid().as_uuid(), id.as_uuid());
    EXPECT_EQ(Ulid::parse_uuid(id.to_given_uuid_text()), id);
    EXPECT_EQ(id.as_uuid().time_ms(), id.time_ms());
  }
}

TEST(Ulid, ReadsEitherSpelling) {
  const auto id = Ulid::parse_uuid("018f6b1e-7777-4abc-8def-00000000000a");
  ASSERT_TRUE(id);
  EXPECT_EQ(Ulid::parse_either("018F6B1E-7777-4ABC-8DEF-00000000000A"), id);
  EXPECT_EQ(Ulid::parse_either(id->to_text()), id);
  for (const std::string_view none : {"", "018f6b1e", "018f6b1e77774abc8def00000000000a"}) {
    EXPECT_FALSE(Ulid::parse_either(none)) << none;
  }
}

}  // namespace
}  // namespace ringpost
