// The sums that the dispatcher keeps, added up anew.

#include "delivery/dispatcher.h"

namespace ringpost::delivery {
namespace {

/// What deliveries come to.
struct Sums {
  uint64_t pending = 0;
  uint64_t bytes_in_flight = 0;
  uint32_t in_flight = 0;
  uint32_t retries_in_flight = 0;
  uint32_t others_in_flight = 0;
  uint32_t loading = 0;

  void add(const Delivery& delivery) {
    pending += delivery.enquiry ? 0 : 1;
    if (delivery.state == Delivery::State::ready) return;
    ++in_flight;
    loading += delivery.state == Delivery::State::loading ? 1 : 0;
    bytes_in_flight += delivery.place_bytes;
    retries_in_flight += delivery.retry_place ? 1 : 0;
    others_in_flight += delivery.good_place ? 0 : 1;
  }
  void add(const Sums& other) {
    pending += other.pending;
    bytes_in_flight += other.bytes_in_flight;
    in_flight += other.in_flight;
    retries_in_flight += other.retries_in_flight;
    others_in_flight += other.others_in_flight;
    loading += other.loading;
  }
};

Sums sums_of(Target& target) {
  Sums sums;
  sums.pending = target.ready.waiting() + target.retries.size();
  if (target.supersession != nullptr) sums.pending -= target.supersession->left_in_queue();
  target.members.for_each([&](const Delivery& delivery) {
    RINGPOST_ASSERT(delivery.target == &target);
    sums.add(delivery);
  });
  RINGPOST_ASSERT(target.in_flight == sums.in_flight);
  RINGPOST_ASSERT(target.retries_in_flight == sums.retries_in_flight);
  RINGPOST_ASSERT(target.retries.empty() != target.retry_timer.armed());
  return sums;
}

}  // namespace

void Dispatcher::check() {
  check_deliveries();
  check_connections();
}

void Dispatcher::check_deliveries() {
  Sums all;
  std::unordered_map<const Organization*, uint32_t> targets;
  std::unordered_map<const Organization*, uint32_t> in_flight;
  for (const auto& [number, target] : targets_) {
    const Sums sums = sums_of(*target);
    all.add(sums);
    ++targets[target->organization];
    in_flight[target->organization] += sums.in_flight;
  }
  for (const Cancellation& cancellation : cancellations_) {
    RINGPOST_ASSERT(!cancellation.empty());
    all.pending += cancellation.ready[0].size() + cancellation.ready[1].size() +
                   cancellation.retries.size() - cancellation.left.size();
  }
  RINGPOST_ASSERT(pending_ == all.pending);
  RINGPOST_ASSERT(in_flight_ == all.in_flight);
  RINGPOST_ASSERT(bytes_in_flight_ == all.bytes_in_flight);
  RINGPOST_ASSERT(others_in_flight_ == all.others_in_flight);
  RINGPOST_ASSERT(loading_.size() == all.loading);
  RINGPOST_ASSERT(organizations_.size() == targets.size());
  for (const auto& [organization, count] : targets) {
    RINGPOST_ASSERT(organization->target_count == count);
    RINGPOST_ASSERT(organization->in_flight == in_flight[organization]);
  }
  unrecorded_.for_each([](const Delivery& delivery) {
    RINGPOST_ASSERT(delivery.state == Delivery::State::in_flight && !delivery.start_recorded);
  });
  RINGPOST_ASSERT(unrecorded_.empty() || start_timer_.armed());
}

void Dispatcher::check_connections() {
  std::unordered_map<const Endpoint*, uint32_t> connections;
  uint32_t count = 0;
  connections_.for_each([&](Connection& connection) {
    ++connections[&connection.endpoint()];
    ++count;
  });
  RINGPOST_ASSERT(connection_count_ == count);
  listened_.for_each([&](ListenedAttempt& attempt) { ++connections[&attempt.endpoint()]; });
  for (const auto& [key, endpoint] : endpoints_) {
    RINGPOST_ASSERT(endpoint->key == key);
    RINGPOST_ASSERT(endpoint->connection_count == connections[endpoint.get()]);
    endpoint->targets.for_each(
        [&](const Target& target) { RINGPOST_ASSERT(target.endpoint == endpoint.get()); });
  }
}

}  // namespace ringpost::delivery
