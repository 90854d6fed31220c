#include "sink/ledger.h"

namespace ringpost::sink {
namespace {

constexpr size_t disorders_kept = 10;

}  // namespace

Ledger::Delivery* Ledger::note(const Sighting& sighting) {
  Delivery* delivery = nullptr;
  bool succeeded_before = false;
  if (!sighting.delivery.empty()) {
    const auto [place, added] = deliveries_.try_emplace(hash_of(sighting.delivery));
    delivery = &place->second;
    succeeded_before = delivery->succeeded;
    if (!added) ++duplicates_;
    if (succeeded_before) ++duplicates_after_success_;
  }
  if (!sighting.number) return delivery;
  note_number(*sighting.number);
  if (sighting.key && !succeeded_before) note_order(sighting);
  return delivery;
}

void Ledger::note_number(uint64_t number) {
  if (number == 0 || number > expect_) return;
  if (number > numbers_.size()) numbers_.resize(number);
  if (numbers_[number - 1]) return;
  numbers_[number - 1] = true;
  ++numbers_seen_;
}

void Ledger::note_order(const Sighting& sighting) {
  uint64_t& greatest = greatest_[hash_of(*sighting.key)];
  if (*sighting.number >= greatest) {
    greatest = *sighting.number;
    return;
  }
  ++out_of_order_;
  if (disorders_.size() == disorders_kept) return;
  disorders_.push_back({std::string{*sighting.key}, *sighting.number, greatest});
}

std::vector<uint64_t> Ledger::first_missing(size_t count_max) const {
  std::vector<uint64_t> missing;
  for (uint64_t number = 1; number <= expect_ && missing.size() < count_max; ++number) {
    if (number > numbers_.size() || !numbers_[number - 1]) missing.push_back(number);
  }
  return missing;
}

Uint128 Ledger::hash_of(std::string_view text) const {
  const HashKey other{key_[1], ~key_[0]};
  return static_cast<Uint128>(siphash(key_, as_bytes(text))) << 64 | siphash(other, as_bytes(text));
}

}  // namespace ringpost::sink
