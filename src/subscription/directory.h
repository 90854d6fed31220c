#pragma once

#include <array>
#include <cstdint>
#include <cstring>

namespace ringpost::subscription {

/// Sub-tables of each index in a snapshot. An update copies one of them: 1/4,096 of the index.
inline constexpr uint32_t sub_table_count = 4096;
inline constexpr uint32_t branch_size = 64;
inline constexpr uint32_t branch_count = sub_table_count / branch_size;

/// Where a hash leads: the sub-table, the point to begin at in it, and what tells keys there apart.
struct Place {
  uint32_t sub_table = 0;
  uint32_t point = 0;
  uint32_t tag = 0;

  explicit Place(uint64_t hash)
      : sub_table(static_cast<uint32_t>(hash >> 52)),
        point(static_cast<uint32_t>(hash >> 20)),
        tag(static_cast<uint32_t>(hash)) {}

  /// Spreads the points over any count of slots, so that a sub-table is as large as it needs to be.
  uint32_t slot(uint32_t slot_count) const {
    return static_cast<uint32_t>(static_cast<uint64_t>(point) * slot_count >> 32);
  }
};
static_assert(sub_table_count == 1u << (64 - 52));

template <typename Ref>
struct Branch {
  std::array<Ref, branch_size> refs{};
};

/// 4,096 references to sub-tables in two levels. A flat array would be copied whole (64 KiB) for
/// each publish, and every reader would fetch every line of it again from the writer's cache; here
/// an update touches 512 bytes of root and one branch.
template <typename Ref>
class Directory {
 public:
  using BranchType = Branch<Ref>;

  const Ref& operator[](uint32_t sub_table) const {
    return branches_[sub_table / branch_size]->refs[sub_table % branch_size];
  }
  const BranchType* branch(uint32_t index) const { return branches_[index]; }
  void set_branch(uint32_t index, const BranchType* branch) { branches_[index] = branch; }

  /// Shared by all places where nothing is: an empty index costs no memory and needs no branch.
  static bool is_empty(const BranchType* branch) { return branch == &empty_branch; }

 private:
  static constexpr BranchType empty_branch{};

  static constexpr std::array<const BranchType*, branch_count> all_empty() {
    std::array<const BranchType*, branch_count> branches{};
    branches.fill(&empty_branch);
    return branches;
  }

  std::array<const BranchType*, branch_count> branches_ = all_empty();
};

}  // namespace ringpost::subscription
