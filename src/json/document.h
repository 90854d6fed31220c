#pragma once

#include "json/path.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::json {

enum class Kind : uint8_t { missing, null, boolean, integer, number, string, array, object };

/// The value at a path.
struct Found {
  Kind kind = Kind::missing;
  /// Missing and null: empty. Strings: their text, without quotes and escapes; one with an
  /// unpaired surrogate has no text and is given as it is spelled. Integers: in decimal, of
  /// any length (`-0` is `0`). Other numbers: as spelled. Booleans: `true`, `false`. Arrays and
  /// objects: JSON without the white space, everything else as spelled.
  std::string_view text;
  bool broken = false;  ///< A string with an unpaired surrogate.
};

/// Reads single facts out of a JSON text, an event's `data` above all. The text is parsed at the
/// first look-up, once, into an index of its values; a look-up then steps over what it does not
/// want. What is accepted is what ingest accepts: RFC 8259 in UTF-8, numbers of any size. In
/// anything else, and in what is nested deeper than depth_max, everything is missing.
///
/// A member that appears twice: the last one counts, at every level, as in most receivers' parsers.
///
/// Memory is kept from text to text: look-ups and texts no bigger than an earlier one allocate
/// nothing. What a text or an index above kept_bytes_max took is given back, at the next assign()
/// at the latest. An index takes 24 bytes for a value, so at most 12 (24 while it grows) for a byte
/// of text; parsing takes 8 more.
///
/// An array or object with many children that is looked into again and again gets an index of them,
/// by name or place (24 bytes for a child): a thousand look-ups in an object of 60,000 members cost
/// about what twenty do. So no text makes look-ups expensive, whatever is asked of it.
///
/// One thread at a time.
class Document {
 public:
  static constexpr uint32_t depth_max = 128;
  static constexpr size_t kept_bytes_max = 1024 * 1024;
  static constexpr uint32_t leaves_max = 1000;  ///< Values and inner arrays of one array.

  Document();
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  /// From now on look-ups are made in `text`: borrowed until the next assign(), needs no padding.
  void assign(std::string_view text);

  /// @returns `text` valid until the next call of any function of this object.
  Found find(const Path& path);

  /// As find(), but arrays and objects have no text: theirs is as long as the document and is made
  /// anew each time. For callers that only compare or want a string.
  Found scalar(const Path& path);

  /// What look-ups in this text have cost so far, in steps of a few nanoseconds: bytes parsed,
  /// values stepped over, bytes of text made. For callers that let others work after a while.
  uint64_t work() const;

  /// The value at `path` as it was spelled, white space inside it included: a piece of the text.
  /// Empty if nothing does.
  std::string_view spelled(const Path& path);

  /// Whether the text is JSON.
  bool valid();

  /// The whole text as one value: missing if it is no JSON. As find() otherwise.
  Found root();

  /// Whether there is a value at `path`, null included. Cheaper than find(): no text is made.
  bool has_member(const Path& path);

  /// The names of the object at `path`, in their order; one with an unpaired surrogate as it is
  /// spelled. Something that is no object has none.
  std::vector<std::string> member_names(const Path& path);

  /// Calls `visit(const Found&)` for each element of the array at `path`, in order, as long as it
  /// returns true. Something that is no array has no elements. `visit` makes no call on this
  /// object; what it gets is valid until it returns.
  template <typename Visit>
  void for_each_element(const Path& path, Visit visit) {
    for (uint32_t node = first_element(path); node != no_node; node = next_element(node)) {
      if (!visit(at(node))) return;
    }
  }

  /// The same, but arrays inside the array are opened, however deep, instead of visited, and
  /// objects have no text (scalar()). Of all these together the first leaves_max are looked at.
  template <typename Visit>
  void for_each_leaf(const Path& path, Visit visit) {
    for (Leaves leaves = leaves_of(path); open_arrays(leaves); step_over(leaves)) {
      if (!visit(scalar_at(leaves.next))) return;
    }
  }

 private:
  struct State;
  static constexpr uint32_t no_node = UINT32_MAX;

  /// What is left to visit of an array.
  struct Leaves {
    uint32_t next;
    uint32_t end;
    uint32_t left = leaves_max;
  };

  uint32_t first_element(const Path& path);
  uint32_t next_element(uint32_t node) const;
  Leaves leaves_of(const Path& path);
  /// Goes to the next that is no array. @returns whether there is one.
  bool open_arrays(Leaves& leaves) const;
  void step_over(Leaves& leaves) const;
  Found at(uint32_t node);
  Found scalar_at(uint32_t node);

  std::unique_ptr<State> state_;
};

}  // namespace ringpost::json
