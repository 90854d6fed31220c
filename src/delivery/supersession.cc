#include "delivery/supersession.h"

namespace ringpost::delivery {

Supersession::Arrival Supersession::add(uint64_t subject, const Pending& delivery) {
  const auto known = subjects_.find(delivery.id);
  if (known != subjects_.end() && known->second != subject) on_end(delivery.id);
  Newest& newest = newest_.try_emplace(subject, Newest{delivery}).first->second;
  if (newest.delivery.id == delivery.id && !newest.ended) {
    subjects_[delivery.id] = subject;
    return {};
  }
  if (subjects_.contains(delivery.id) || delivery.id.time_ms() < newest.delivery.id.time_ms()) {
    return {.superseded = true};
  }
  Arrival arrival;
  if (!newest.ended) arrival.older = newest.delivery;
  newest = {delivery};
  subjects_[delivery.id] = subject;
  return arrival;
}

bool Supersession::is_superseded(const Ulid& id) const {
  const auto subject = subjects_.find(id);
  if (subject == subjects_.end()) return false;
  const auto newest = newest_.find(subject->second);
  return newest != newest_.end() && newest->second.delivery.id != id;
}

void Supersession::on_end(const Ulid& id) {
  const auto subject = subjects_.find(id);
  if (subject == subjects_.end()) return;
  const auto newest = newest_.find(subject->second);
  if (newest != newest_.end() && newest->second.delivery.id == id) {
    newest->second.ended = true;
    note_ended(subject->second);
  }
  subjects_.erase(subject);
}

/// Forgets the first to have ended, unless something newer has come since.
void Supersession::note_ended(uint64_t subject) {
  ended_.push_back(subject);
  if (ended_.size() <= ended_max) return;
  const auto first = newest_.find(ended_.front());
  if (first != newest_.end() && first->second.ended) newest_.erase(first);
  ended_.pop_front();
}

}  // namespace ringpost::delivery
