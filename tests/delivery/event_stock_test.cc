#include "delivery/event_stock.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::delivery {
namespace {

journal::EventRef make_event(uint32_t number, size_t bytes) {
  const std::string data(bytes, 'x');
  journal::EventRef event = journal::EventCodec::encode({.data = as_bytes(data)});
  event->set_position(journal::Position::make(0, 1, number * 8));
  return event;
}

TEST(EventStock, CountsAnEventOnceHoweverManyHoldIt) {
  EventStock stock;
  const journal::EventRef event = make_event(1, 1000);
  for (int holder = 0; holder < 100; ++holder) stock.hold(event);
  EXPECT_EQ(stock.bytes(), event->record().size());
  for (int holder = 0; holder < 99; ++holder) stock.release(event);
  EXPECT_TRUE(stock.has(event->position()));
  EXPECT_EQ(stock.bytes(), event->record().size());
  stock.release(event);
  EXPECT_FALSE(stock.has(event->position()));
  EXPECT_EQ(stock.bytes(), 0u);
}

// Two that were read apart are the same event: one of them is enough.
TEST(EventStock, GivesEveryHolderTheSameOne) {
  EventStock stock;
  const journal::EventRef first = make_event(1, 10);
  const journal::EventRef again = make_event(1, 10);
  EXPECT_EQ(&*stock.hold(first), &*first);
  EXPECT_EQ(&*stock.hold(again), &*first);
  EXPECT_EQ(&*stock.find(first->position()), &*first);
  EXPECT_FALSE(stock.find(journal::Position::make(0, 1, 16)));
  stock.release(again);
  EXPECT_TRUE(stock.has(first->position()));
}

}  // namespace
}  // namespace ringpost::delivery
