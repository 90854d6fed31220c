#include "delivery/target.h"

#include <algorithm>

namespace ringpost::delivery {
namespace {

/// Of a webhook's starts and of its places, what retries may have while fresh deliveries wait: one
/// in so many.
constexpr uint32_t retry_share_divisor = 5;

}  // namespace

ReadyQueue::Place ReadyQueue::next(uint32_t places, uint32_t retries_in_place) {
  if (!first_.empty()) return {.delivery = &first_.front()};
  if (retries_.empty()) return {.lane = &fresh_};
  if (fresh_.empty()) return {.lane = &retries_};
  const bool turn = ++choices_ % retry_share_divisor == 0;
  const bool room = retries_in_place < std::max(places / retry_share_divisor, 1u);
  return {.lane = turn && room ? &retries_ : &fresh_};
}

ReadyQueue::Place ReadyQueue::oldest() {
  Place oldest;
  if (!first_.empty()) oldest = {.delivery = &first_.front()};
  for (Lane* lane : {&fresh_, &retries_}) {
    if (lane->empty()) continue;
    const bool none = oldest.delivery == nullptr && oldest.lane == nullptr;
    if (none || lane->front().id < oldest.id()) oldest = {.lane = lane};
  }
  return oldest;
}

}  // namespace ringpost::delivery
