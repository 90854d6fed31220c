#pragma once

#include "base/bytes.h"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace ringpost::sim {

/// The bytes of a file in pages that copies share until one of them writes. A page that was never
/// written, or is all zeros, takes no memory: zero-filled segments and snapshots are cheap.
class Content {
 public:
  static constexpr size_t page_bytes = 4096;
  static constexpr size_t sector_bytes = 512;  ///< What a disk writes whole or not at all.
  using Page = std::array<std::byte, page_bytes>;
  using PageRef = std::shared_ptr<const Page>;  ///< Null for zeros.

  uint64_t size() const { return size_; }
  size_t page_count() const { return pages_.size(); }

  /// Cuts, or grows with zeros.
  void resize(uint64_t size);
  /// `offset + into.size()` is at most `size()`.
  void read(uint64_t offset, MutableBytes into) const;
  /// Grows as needed.
  void write(uint64_t offset, Bytes from);

  const PageRef& page(size_t index) const { return pages_[index]; }
  void set_page(size_t index, PageRef page) { pages_[index] = std::move(page); }

 private:
  uint64_t size_ = 0;
  std::vector<PageRef> pages_;  // As many as `size_` takes; bytes beyond `size_` are zero.
};

/// The bytes of a page; for a null one, zeros.
const Content::Page& page_or_zeros(const Content::PageRef& page);

}  // namespace ringpost::sim
