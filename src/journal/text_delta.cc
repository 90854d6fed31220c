#include "journal/text_delta.h"

#include <algorithm>

namespace ringpost::journal {
namespace {

// Steps {copy, skip, insert: each a number of 7 bits a byte, the last byte with its high bit clear;
// then the bytes to insert}: copy so many bytes of the base, skip so many, then insert.

void put_number(uint64_t number, std::vector<std::byte>& out) {
  for (; number >= 0x80; number >>= 7) out.push_back(static_cast<std::byte>(number | 0x80));
  out.push_back(static_cast<std::byte>(number));
}

std::optional<uint64_t> take_number(Bytes& from) {
  uint64_t number = 0;
  for (unsigned shift = 0; shift < 63 && !from.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(from.front());
    from = from.subspan(1);
    number |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return number;
  }
  return std::nullopt;
}

/// Up to and with the next line feed.
std::string_view first_line(std::string_view text) {
  const size_t end = text.find('\n');
  return end == std::string_view::npos ? text : text.substr(0, end + 1);
}

/// Collects steps, and joins those that follow each other.
class Steps {
 public:
  explicit Steps(std::vector<std::byte>& out) : out_(out) {}

  void copy(size_t bytes) {
    if (bytes == 0) return;
    if (skipped_ > 0 || !inserted_.empty()) flush();
    copied_ += bytes;
  }
  void replace(size_t skipped, std::string_view by) {
    if (!inserted_.empty() && inserted_.data() + inserted_.size() != by.data()) flush();
    inserted_ =
        inserted_.empty() ? by : std::string_view{inserted_.data(), inserted_.size() + by.size()};
    skipped_ += skipped;
  }
  void flush() {
    if (copied_ == 0 && skipped_ == 0 && inserted_.empty()) return;
    put_number(copied_, out_);
    put_number(skipped_, out_);
    put_number(inserted_.size(), out_);
    const Bytes bytes = as_bytes(inserted_);
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    copied_ = skipped_ = 0;
    inserted_ = {};
  }

 private:
  std::vector<std::byte>& out_;
  size_t copied_ = 0;
  size_t skipped_ = 0;
  std::string_view inserted_;  ///< Of the text, in one piece.
};

/// A run that two lines have in common costs three bytes to mention.
constexpr size_t worth_copying = 4;

void encode_line(std::string_view base, std::string_view line, Steps& steps) {
  const size_t most = std::min(base.size(), line.size());
  const auto [from_base, from_line] =
      std::mismatch(base.begin(), base.begin() + static_cast<ptrdiff_t>(most), line.begin());
  auto front = static_cast<size_t>(from_line - line.begin());
  if (front < worth_copying && front != line.size()) front = 0;
  const size_t rest = most - front;
  size_t back = 0;
  while (back < rest && base[base.size() - 1 - back] == line[line.size() - 1 - back]) ++back;
  if (back < worth_copying) back = 0;
  steps.copy(front);
  if (base.size() > front + back || line.size() > front + back) {
    steps.replace(base.size() - front - back, line.substr(front, line.size() - front - back));
  }
  steps.copy(back);
}

}  // namespace

void encode_delta(std::string_view base, std::string_view text, std::vector<std::byte>& out) {
  Steps steps(out);
  while (!text.empty()) {
    const std::string_view of_base = first_line(base);
    const std::string_view line = first_line(text);
    encode_line(of_base, line, steps);
    base.remove_prefix(of_base.size());
    text.remove_prefix(line.size());
  }
  steps.flush();
}

bool apply_delta(std::string_view base, Bytes delta, size_t bytes_max,
                 std::vector<std::byte>& out) {
  const size_t begin = out.size();
  while (!delta.empty()) {
    const auto copied = take_number(delta);
    const auto skipped = copied ? take_number(delta) : std::nullopt;
    const auto inserted = skipped ? take_number(delta) : std::nullopt;
    if (!inserted || *copied > base.size() || *skipped > base.size() - *copied) return false;
    if (*inserted > delta.size()) return false;
    if (*copied + *inserted > bytes_max - (out.size() - begin)) return false;
    const Bytes kept = as_bytes(base.substr(0, *copied));
    out.insert(out.end(), kept.begin(), kept.end());
    base.remove_prefix(*copied + *skipped);
    out.insert(out.end(), delta.begin(), delta.begin() + static_cast<ptrdiff_t>(*inserted));
    delta = delta.subspan(*inserted);
  }
  return true;
}

}  // namespace ringpost::journal
