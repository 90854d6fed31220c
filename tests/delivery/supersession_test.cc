// Goal: of the deliveries about one subject only the newest is left, whatever the order in which
// they come and end; and what is remembered is bounded.
// Method: sequences of arrivals and ends, by hand.

#include "delivery/supersession.h"

#include <gtest/gtest.h>

namespace ringpost::delivery {
namespace {

/// The delivery that came in that millisecond.
Supersession::Pending at(uint8_t ms, uint8_t more = 0) {
  Ulid id;
  id.bytes[5] = ms;
  id.bytes[15] = more;
  return {id, journal::Position{uint64_t{ms} * 8}};
}

TEST(Supersession, DropsAnOlderOneThatIsPending) {
  Supersession some;
  EXPECT_FALSE(some.add(1, at(1)).older);
  EXPECT_FALSE(some.add(2, at(2)).older) << "another subject";
  const auto arrival = some.add(1, at(3));
  EXPECT_FALSE(arrival.superseded);
  ASSERT_TRUE(arrival.older);
  EXPECT_EQ(arrival.older->id, at(1).id);
  EXPECT_EQ(arrival.older->event.packed, at(1).event.packed);
  EXPECT_TRUE(some.is_superseded(at(1).id));
  EXPECT_FALSE(some.is_superseded(at(3).id));
  EXPECT_FALSE(some.is_superseded(at(2).id));
}

TEST(Supersession, KnowsAnOlderOneThatComesLate) {
  Supersession some;
  some.add(1, at(5));
  EXPECT_TRUE(some.add(1, at(4)).superseded);
  some.on_end(at(5).id);
  EXPECT_TRUE(some.add(1, at(4)).superseded) << "after the newer one has ended";
  const auto newer = some.add(1, at(6));
  EXPECT_FALSE(newer.superseded);
  EXPECT_FALSE(newer.older) << "it has ended";
}

TEST(Supersession, TakesTheLaterOfOneMillisecondForNewer) {
  Supersession some;
  some.add(1, at(5, 9));
  const auto arrival = some.add(1, at(5, 1));
  EXPECT_FALSE(arrival.superseded);
  ASSERT_TRUE(arrival.older);
  EXPECT_EQ(arrival.older->id, at(5, 9).id);
}

TEST(Supersession, LooksAgainWithoutEffect) {
  Supersession some;
  some.add(1, at(1));
  EXPECT_FALSE(some.add(1, at(1)).older);
  EXPECT_FALSE(some.add(1, at(1)).superseded);
  some.add(1, at(2));
  EXPECT_TRUE(some.add(1, at(1)).superseded);
  EXPECT_FALSE(some.add(1, at(2)).superseded);
}

TEST(Supersession, FollowsADeliveryToAnotherSubject) {
  Supersession some;
  some.add(1, at(1));
  some.add(2, at(1));  // Its webhook was changed.
  EXPECT_FALSE(some.add(1, at(3)).older) << "it is not about that any more";
  const auto arrival = some.add(2, at(4));
  ASSERT_TRUE(arrival.older);
  EXPECT_EQ(arrival.older->id, at(1).id);
}

TEST(Supersession, ForgetsTheFirstSubjectsToHaveEnded) {
  Supersession some;
  const auto id_of = [](size_t number) {
    Supersession::Pending made = at(9);
    made.id.bytes[10] = static_cast<uint8_t>(number >> 8);
    made.id.bytes[11] = static_cast<uint8_t>(number);
    return made;
  };
  for (size_t number = 0; number <= Supersession::ended_max; ++number) {
    some.add(number + 1, id_of(number));
    some.on_end(id_of(number).id);
  }
  EXPECT_FALSE(some.add(1, at(1)).superseded) << "the first is forgotten";
  EXPECT_TRUE(some.add(2, at(1, 1)).superseded) << "the second is not";
}

TEST(Supersession, KeepsWhatIsLeftInQueuesUntilItIsTaken) {
  Supersession some;
  some.leave_in_queue(at(1).id);
  EXPECT_EQ(some.left_in_queue(), 1u);
  EXPECT_FALSE(some.take_from_queue(at(2).id));
  EXPECT_TRUE(some.take_from_queue(at(1).id));
  EXPECT_FALSE(some.take_from_queue(at(1).id));
  some.leave_in_queue(at(3).id);
  EXPECT_EQ(some.take_left().size(), 1u);
  EXPECT_EQ(some.left_in_queue(), 0u);
}

}  // namespace
}  // namespace ringpost::delivery
