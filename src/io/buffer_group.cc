#include "io/buffer_group.h"

#include "base/assert.h"
#include "io/lent_bytes.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <sys/mman.h>

namespace ringpost::io {

namespace {

void* map_pages(size_t bytes) {
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return pages == MAP_FAILED ? nullptr : pages;
}

}  // namespace

size_t BufferGroup::entries_bytes() const {
  return shape_.count * sizeof(io_uring_buf);
}

Result<std::unique_ptr<BufferGroup>> BufferGroup::create(io_uring& ring, const Shape& shape) {
  RINGPOST_ASSERT(std::has_single_bit(shape.count));
  RINGPOST_ASSERT(shape.count <= 32'768);
  RINGPOST_ASSERT(shape.circulating_first >= 1);
  std::unique_ptr<BufferGroup> group{new BufferGroup{ring, shape}};
  group->memory_ = static_cast<std::byte*>(map_pages(group->memory_bytes()));
  group->entries_ = static_cast<io_uring_buf_ring*>(map_pages(group->entries_bytes()));
  if (group->memory_ == nullptr || group->entries_ == nullptr) {
    return Error{Errc::unsupported, Side::operator_, ENOMEM};
  }
  // Huge pages would make a whole 2 MiB resident for the first small arrival.
  madvise(group->memory_, group->memory_bytes(), MADV_NOHUGEPAGE);
  io_uring_buf_ring_init(group->entries_);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uintptr_t>(group->entries_);
  registration.ring_entries = shape.count;
  registration.bgid = shape.id;
  const int registered = io_uring_register_buf_ring(&ring, &registration, 0);
  if (registered < 0) return Error{Errc::unsupported, Side::operator_, -registered};
  group->registered_ = true;
  const uint32_t first = std::min(shape.circulating_first, shape.count);
  while (group->circulating_ < first) {
    group->give_back(static_cast<uint16_t>(group->circulating_++));
  }
  group->publish();
  return group;
}

BufferGroup::~BufferGroup() {
  if (registered_) io_uring_unregister_buf_ring(&ring_, shape_.id);
  if (entries_ != nullptr) munmap(entries_, entries_bytes());
  if (memory_ == nullptr) return;
  RINGPOST_UNLOCK_BYTES(memory_, memory_bytes());
  munmap(memory_, memory_bytes());
}

Bytes BufferGroup::lend(uint16_t buffer, uint32_t size) {
  RINGPOST_ASSERT(buffer < circulating_);
  RINGPOST_ASSERT(size <= shape_.bytes);
  RINGPOST_UNLOCK_BYTES(begin_of(buffer), size);
  return {begin_of(buffer), size};
}

void BufferGroup::give_back(uint16_t buffer) {
  // From here a handler that kept the span reads another connection's bytes; ASan tells.
  RINGPOST_LOCK_BYTES(begin_of(buffer), shape_.bytes);
  io_uring_buf_ring_add(entries_, begin_of(buffer), shape_.bytes, buffer,
                        io_uring_buf_ring_mask(shape_.count), unpublished_);
  ++unpublished_;
}

void BufferGroup::grow() {
  const uint32_t target = std::min(circulating_ * 2, shape_.count);
  while (circulating_ < target) give_back(static_cast<uint16_t>(circulating_++));
}

void BufferGroup::publish() {
  if (unpublished_ == 0) return;
  io_uring_buf_ring_advance(entries_, unpublished_);
  unpublished_ = 0;
}

}  // namespace ringpost::io
