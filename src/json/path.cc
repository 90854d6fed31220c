#include "json/path.h"

#include "base/assert.h"

#include <algorithm>
#include <charconv>

namespace ringpost::json {

std::string_view Path::object_to(std::string_view text) {
  if (text.empty()) return "is empty";
  if (text.size() > bytes_max) return "is longer than 512 bytes";
  static_assert(bytes_max == 512, "the sentence says so");
  if (text.front() == '.' || text.back() == '.' || text.find("..") != std::string_view::npos) {
    return "has an empty name: names are separated by single dots";
  }
  const auto fits = [](char byte) { return byte == '.' || is_name_character(byte); };
  if (!std::ranges::all_of(text, fits)) {
    return "has a character other than letters, digits, '_', '-' and '.'";
  }
  return {};
}

std::optional<Path> Path::parse(std::string_view text) {
  if (!object_to(text).empty()) return std::nullopt;
  return Path{text};
}

Path Path::constant(std::string_view text) {
  RINGPOST_ASSERT(object_to(text).empty());
  return Path{text};
}

Path::Path(std::string_view text) : text_(text) {
  size_t begin = 0;
  while (begin < text_.size()) {
    const size_t end = std::min(text_.find('.', begin), text_.size());
    add_name(begin, end);
    begin = end + 1;
  }
}

void Path::add_name(size_t begin, size_t end) {
  const char* const last = text_.data() + end;
  uint32_t number = 0;
  const bool begins_with_digit = text_[begin] >= '0' && text_[begin] <= '9';
  const auto [stop, error] = std::from_chars(text_.data() + begin, last, number);
  const bool picks = begins_with_digit && error == std::errc{} && stop == last;
  names_.push_back({static_cast<uint16_t>(begin), static_cast<uint16_t>(end - begin),
                    picks ? number : no_element});
}

std::string_view Path::name(size_t index) const {
  const Name& one = names_[index];
  return std::string_view{text_}.substr(one.begin, one.size);
}

std::optional<uint32_t> Path::element(size_t index) const {
  const uint32_t number = names_[index].element;
  return number == no_element ? std::nullopt : std::optional{number};
}

}  // namespace ringpost::json
