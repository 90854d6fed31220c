#pragma once

#include <algorithm>
#include <cstddef>

namespace ringpost::control {

/// For one more entry of an owner in a table that is small enough to be looked through: beyond
/// `per_owner_max` the owner's oldest entry goes, beyond `count_max` the oldest of all.
/// @param is_owners  whether an entry is the owner's.  @param age_of  what sorts entries by age.
template <typename Table, typename IsOwners, typename AgeOf>
void make_room(Table& table, size_t per_owner_max, size_t count_max, IsOwners is_owners,
               AgeOf age_of) {
  const bool owner_full =
      static_cast<size_t>(std::ranges::count_if(table, is_owners)) >= per_owner_max;
  if (!owner_full && table.size() < count_max) return;
  auto oldest = table.end();
  for (auto entry = table.begin(); entry != table.end(); ++entry) {
    if (owner_full && !is_owners(*entry)) continue;
    if (oldest == table.end() || age_of(*entry) < age_of(*oldest)) oldest = entry;
  }
  table.erase(oldest);
}

}  // namespace ringpost::control
