#include "json/readable_copy.h"

#include "base/json_writer.h"
#include "json/text.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace ringpost::json {

namespace {

constexpr std::string_view unreadable_number = "0.5";
constexpr std::string_view unreadable_text = "-0.5";  // unreadable_text_value.

bool fits_64_bits(std::string_view digits) {
  int64_t low = 0;
  uint64_t high = 0;
  const char* const end = digits.data() + digits.size();
  return std::from_chars(digits.data(), end, low).ec == std::errc{} ||
         std::from_chars(digits.data(), end, high).ec == std::errc{};
}

/// Writes the copy.
class Copy {
 public:
  explicit Copy(std::string_view json) : json_(json) { out_.reserve(json.size()); }

  std::string write() {
    while (at_ < json_.size()) {
      const char byte = json_[at_];
      if (byte == '"') {
        write_string();
      } else if (byte == '-' || (byte >= '0' && byte <= '9')) {
        write_number();
      } else {
        out_ += byte;
        ++at_;
      }
    }
    return std::move(out_);
  }

 private:
  void write_number() {
    const size_t end = std::min(json_.find_first_of(",]} \t\r\n", at_), json_.size());
    const auto whole = whole_number(json_.substr(at_, end - at_));
    out_ += whole && fits_64_bits(*whole) ? std::string_view{*whole} : unreadable_number;
    at_ = end;
  }

  void write_string() {
    size_t end = at_ + 1;
    while (json_[end] != '"') end += json_[end] == '\\' ? 2 : 1;
    const std::string_view inside = json_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    scratch_.clear();
    const bool plain = inside.find('\\') == std::string_view::npos;
    if (plain || unescape(inside, scratch_)) {
      out_.append(1, '"').append(inside).append(1, '"');
    } else if (names_member()) {
      append_json_string(out_, inside);  // No text: it goes by its spelling.
    } else {
      out_ += unreadable_text;
    }
  }

  bool names_member() const {
    const size_t next = json_.find_first_not_of(" \t\r\n", at_);
    return next != std::string_view::npos && json_[next] == ':';
  }

  const std::string_view json_;
  size_t at_ = 0;
  std::string out_;
  std::string scratch_;
};

}  // namespace

std::string readable_copy(std::string_view json) {
  return Copy{json}.write();
}

}  // namespace ringpost::json
