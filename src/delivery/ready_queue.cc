#include "delivery/target.h"

#include <algorithm>

namespace ringpost::delivery {
namespace {

/// Of a webhook's starts and of its places, what retries may have while fresh deliveries wait: one
/// in so many.
constexpr uint32_t retry_share_divisor = 5;

}  // namespace

Delivery& ReadyQueue::next(uint32_t places, uint32_t retries_in_place) {
  if (retries_.empty()) return fresh_.front();
  if (fresh_.empty()) return retries_.front();
  if (fresh_.front().by_hand) return fresh_.front();
  const bool turn = ++choices_ % retry_share_divisor == 0;
  const bool room = retries_in_place < std::max(places / retry_share_divisor, 1u);
  return turn && room ? retries_.front() : fresh_.front();
}

Delivery& ReadyQueue::oldest() {
  if (retries_.empty()) return fresh_.front();
  if (fresh_.empty()) return retries_.front();
  return retries_.front().id < fresh_.front().id ? retries_.front() : fresh_.front();
}

}  // namespace ringpost::delivery
