#pragma once

#include "index/format.h"
#include "index/rows.h"

#include <cstdint>
#include <vector>

namespace ringpost::index {

/// Puts the rows of one table into pages: a count (2 bytes), rows, zeros, and room for the
/// checksum.
template <typename Row>
class TableWriter {
 public:
  explicit TableWriter(Dictionaries& dictionaries) : dictionaries_(dictionaries) {}

  /// @param fence  what the row's page is found by, if the row is the first in it.
  void add(const Row& row, Fence fence) {
    if (!encode(row)) {
      finish_page();
      encode(row);
    }
    if (rows_in_page_ == 0) {
      fence.first_row = rows_;
      fences_.push_back(fence);
    }
    fences_.back().statuses |= fence.statuses;
    pages_.insert(pages_.end(), scratch_.begin(), scratch_.end());
    state_ = next_state_;
    ++rows_in_page_;
    ++rows_;
  }
  void finish() {
    if (rows_in_page_ > 0) finish_page();
  }

  uint32_t rows() const { return rows_; }
  const std::vector<Fence>& fences() const { return fences_; }
  const std::vector<std::byte>& pages() const { return pages_; }

 private:
  using State = typename Row::State;

  /// False: there is no room for it in this page.
  bool encode(const Row& row) {
    if (rows_in_page_ == 0) begin_page();
    scratch_.clear();
    Encoder out(scratch_);
    next_state_ = state_;
    row.write(out, next_state_, dictionaries_);
    return pages_.size() - page_begin_ + scratch_.size() <= page_payload_bytes;
  }
  void begin_page() {
    page_begin_ = pages_.size();
    pages_.resize(page_begin_ + sizeof(uint16_t));
    state_ = {};
  }
  void finish_page() {
    store_le(&pages_[page_begin_], static_cast<uint16_t>(rows_in_page_));
    pages_.resize(page_begin_ + page_bytes);
    rows_in_page_ = 0;
  }

  Dictionaries& dictionaries_;
  std::vector<Fence> fences_;
  std::vector<std::byte> pages_;
  std::vector<std::byte> scratch_;
  size_t page_begin_ = 0;
  State state_;
  State next_state_;
  uint32_t rows_in_page_ = 0;
  uint32_t rows_ = 0;
};

}  // namespace ringpost::index
