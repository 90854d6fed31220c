#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <vector>

namespace ringpost::index {

/// Appends numbers to memory: 7 bits a byte, lowest first, the high bit in all but the last.
class Encoder {
 public:
  explicit Encoder(std::vector<std::byte>& out) : out_(out) {}

  void number(uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<std::byte>(value | 0x80));
    out_.push_back(static_cast<std::byte>(value));
  }
  /// Small ones of either sign are short.
  void signed_number(int64_t value) {
    number((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
  }
  /// As many bytes as the type has.
  template <typename T>
  void fixed(T value) {
    const size_t at = out_.size();
    out_.resize(at + sizeof value);
    store_le(out_.data() + at, value);
  }
  void bytes(Bytes bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

 private:
  std::vector<std::byte>& out_;
};

/// Reads what Encoder wrote. Bytes that are missing read as 0, and `failed` says so from then on.
class Decoder {
 public:
  explicit Decoder(Bytes bytes) : bytes_(bytes) {}

  uint64_t number() {
    uint64_t value = 0;
    for (unsigned shift = 0; at_ < bytes_.size() && shift < 64; shift += 7) {
      const auto byte = std::to_integer<uint64_t>(bytes_[at_++]);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    failed_ = true;
    return 0;
  }
  int64_t signed_number() {
    const uint64_t value = number();
    return static_cast<int64_t>((value >> 1) ^ (0 - (value & 1)));
  }
  template <typename T>
  T fixed() {
    const Bytes from = bytes(sizeof(T));
    return from.empty() ? T{} : load_le<T>(from.data());
  }
  /// Empty if fewer are left.
  Bytes bytes(size_t size) {
    failed_ |= size > bytes_.size() - at_;
    if (failed_) return {};
    at_ += size;
    return bytes_.subspan(at_ - size, size);
  }

  bool failed() const { return failed_; }

 private:
  Bytes bytes_;
  size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace ringpost::index
