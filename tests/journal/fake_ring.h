#pragma once

#include "fake_disk.h"
#include "io/ring.h"

#include <cstring>
#include <vector>

namespace ringpost::journal::test {

/// A ring that only writes and reads, and only when the test says so: in any order, or not at all.
class FakeRing final : public io::Ring {
 public:
  explicit FakeRing(FakeDisk& disk) : disk_(disk) {}

  struct Write {
    io::Completion* op = nullptr;
    io::File file;
    uint64_t offset = 0;
    Bytes bytes;
  };

  struct Read {
    io::Completion* op = nullptr;
    io::File file;
    uint64_t offset = 0;
    MutableBytes into;
  };

  const std::vector<Read>& reads() const { return reads_; }
  /// Ends the oldest read with what the file has.
  void finish_read() {
    const Read read = take_read();
    const auto& file = disk_.contents(read.file);
    const size_t there = file.size() - std::min<size_t>(file.size(), read.offset);
    const size_t count = std::min(there, read.into.size());
    if (count > 0) std::memcpy(read.into.data(), file.data() + read.offset, count);
    read.op->complete({.result = static_cast<int32_t>(count)});
  }
  void fail_read(int error) { take_read().op->complete({.result = -error}); }

  const std::vector<Write>& writes() const { return writes_; }
  uint64_t writes_started() const { return writes_started_; }

  /// Ends the write at `index`: the bytes are in the file, and the handler runs.
  void finish(size_t index = 0) {
    const Write write = take(index);
    auto& file = disk_.contents(write.file);
    RINGPOST_ASSERT(write.offset + write.bytes.size() <= file.size());
    std::memcpy(file.data() + write.offset, write.bytes.data(), write.bytes.size());
    write.op->complete({.result = static_cast<int32_t>(write.bytes.size())});
  }
  /// Ends the write at `index` with an error, after `kept` bytes reached the file.
  void fail(size_t index, int error, size_t kept = 0) {
    const Write write = take(index);
    std::memcpy(disk_.contents(write.file).data() + write.offset, write.bytes.data(), kept);
    write.op->complete({.result = -error});
  }
  void finish_all() {
    while (!writes_.empty()) finish();
  }

  Prng& random() override { return random_; }
  Result<io::Socket> listen(const io::Address&, const io::ListenOptions&) override {
    return Error{Errc::unsupported};
  }
  Result<io::Address> local_address(io::Socket) override { return Error{Errc::unsupported}; }
  Result<io::Address> peer_address(io::Socket) override { return Error{Errc::unsupported}; }
  uint64_t unacknowledged_bytes(io::Socket) override { return 0; }
  void shutdown_send(io::Socket) override {}
  void cancel(io::Completion&) override {}
  void turn(bool) override { finish_all(); }
  io::Waker& waker() override { return waker_; }
  uint32_t pending_count() const override {
    return static_cast<uint32_t>(writes_.size() + reads_.size());
  }

 protected:
  void submit_accept(io::Completion&) override { RINGPOST_UNREACHABLE(); }
  void submit_connect(io::Completion&, const io::Address&) override { RINGPOST_UNREACHABLE(); }
  void submit_receive(io::Completion&, io::ReceiveGroup) override { RINGPOST_UNREACHABLE(); }
  void submit_send(io::Completion&, Bytes) override { RINGPOST_UNREACHABLE(); }
  void submit_close(io::Completion&) override { RINGPOST_UNREACHABLE(); }
  void submit_write(io::Completion& op, io::File file, uint64_t offset, Bytes bytes) override {
    RINGPOST_ASSERT(offset % 4096 == 0);
    RINGPOST_ASSERT(bytes.size() % 4096 == 0);
    RINGPOST_ASSERT(reinterpret_cast<uintptr_t>(bytes.data()) % 4096 == 0);
    ++writes_started_;
    writes_.push_back({&op, file, offset, bytes});
  }
  void submit_read(io::Completion& op, io::File file, uint64_t offset, MutableBytes into) override {
    RINGPOST_ASSERT(offset % 4096 == 0);
    RINGPOST_ASSERT(into.size() % 4096 == 0);
    RINGPOST_ASSERT(reinterpret_cast<uintptr_t>(into.data()) % 4096 == 0);
    reads_.push_back({&op, file, offset, into});
  }

 private:
  class NoWaker final : public io::Waker {
   public:
    void wake() override {}
  };

  Read take_read() {
    const Read read = reads_.at(0);
    reads_.erase(reads_.begin());
    return read;
  }
  Write take(size_t index) {
    const Write write = writes_.at(index);
    writes_.erase(writes_.begin() + static_cast<ptrdiff_t>(index));
    return write;
  }

  FakeDisk& disk_;
  Prng random_{1};
  NoWaker waker_;
  std::vector<Read> reads_;
  std::vector<Write> writes_;
  uint64_t writes_started_ = 0;
};

}  // namespace ringpost::journal::test
