#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::json {

/// ALPHA / DIGIT / "_" / "-": what the names of a path are made of.
constexpr bool is_name_character(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
}

/// A place in a JSON document: names joined by dots, `action.targets.0.id`, compiled. A name picks
/// the member of an object, case counts; a name of digits only also picks an element of an array,
/// from 0. There is no path to the root itself.
class Path {
 public:
  static constexpr size_t bytes_max = 512;

  /// Why `text` is no path, as a part of a sentence ("is empty"); empty if it is one. Points
  /// to static text.
  static std::string_view object_to(std::string_view text);

  /// Nothing if object_to(text) objects.
  static std::optional<Path> parse(std::string_view text);

  /// For paths in our own code: `text` must be one.
  static Path constant(std::string_view text);

  /// As it was parsed.
  const std::string& text() const { return text_; }
  size_t names_count() const { return names_.size(); }
  /// @param index  below names_count().
  std::string_view name(size_t index) const;
  /// The first name.
  std::string_view root() const { return name(0); }
  /// The array element that this name picks; nothing if it is not of digits only, or beyond 32
  /// bits.
  std::optional<uint32_t> element(size_t index) const;

  bool operator==(const Path& other) const { return text_ == other.text_; }

 private:
  static constexpr uint32_t no_element = UINT32_MAX;

  struct Name {
    uint16_t begin;    ///< In text_.
    uint16_t size;     ///< In bytes.
    uint32_t element;  ///< no_element if it picks none.
  };
  static_assert(bytes_max <= UINT16_MAX, "names are kept as 16-bit places");

  explicit Path(std::string_view text);
  void add_name(size_t begin, size_t end);

  std::string text_;
  std::vector<Name> names_;
};

}  // namespace ringpost::json
