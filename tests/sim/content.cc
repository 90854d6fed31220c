#include "sim/content.h"

#include "base/assert.h"

#include <algorithm>
#include <cstring>

namespace ringpost::sim {

namespace {

const Content::Page zeros{};

}  // namespace

const Content::Page& page_or_zeros(const Content::PageRef& page) {
  return page == nullptr ? zeros : *page;
}

void Content::resize(uint64_t size) {
  pages_.resize((size + page_bytes - 1) / page_bytes);
  const size_t tail = size % page_bytes;
  if (size < size_ && tail != 0 && pages_.back() != nullptr) {
    auto page = std::make_shared<Page>(*pages_.back());
    std::fill(page->begin() + static_cast<ptrdiff_t>(tail), page->end(), std::byte{0});
    pages_.back() = std::move(page);
  }
  size_ = size;
}

void Content::read(uint64_t offset, MutableBytes into) const {
  RINGPOST_ASSERT(offset + into.size() <= size_);
  while (!into.empty()) {
    const size_t within = offset % page_bytes;
    const size_t count = std::min(into.size(), page_bytes - within);
    std::memcpy(into.data(), page_or_zeros(pages_[offset / page_bytes]).data() + within, count);
    into = into.subspan(count);
    offset += count;
  }
}

void Content::write(uint64_t offset, Bytes from) {
  if (offset + from.size() > size_) resize(offset + from.size());
  while (!from.empty()) {
    const size_t within = offset % page_bytes;
    const size_t count = std::min(from.size(), page_bytes - within);
    PageRef& place = pages_[offset / page_bytes];
    const bool whole_zeros =
        count == page_bytes && std::memcmp(from.data(), zeros.data(), page_bytes) == 0;
    if (whole_zeros) {
      place = nullptr;
    } else {
      auto page = std::make_shared<Page>(page_or_zeros(place));
      std::memcpy(page->data() + within, from.data(), count);
      place = std::move(page);
    }
    from = from.subspan(count);
    offset += count;
  }
}

}  // namespace ringpost::sim
