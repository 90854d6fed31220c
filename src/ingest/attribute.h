#pragma once

#include "journal/record.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace ringpost::ingest {

/// An attribute of CloudEvents, or one of ours, that an EventView has a place for.
struct Attribute {
  enum class Shape : uint8_t { text, time, media_type, trace_parent };

  std::string_view name;
  std::string_view journal::EventView::*place;
  uint16_t bytes_max;
  Shape shape;
  bool core;  ///< Defined by CloudEvents itself, where it is never empty; else an extension.
};

/// Everything that is not in EventView goes into its `extensions`. Their limits have one reason:
/// they are copied into each request of the `cloudevents` dialect, as headers.
inline constexpr size_t extensions_max = 64;
inline constexpr size_t extension_name_bytes_max = 64;
inline constexpr size_t extension_value_bytes_max = 1024;

/// By its name in JSON; nullptr if EventView has no field for it.
const Attribute* find_attribute(std::string_view name);
/// Which attribute it is, counted from 0 and below 16: a bit in a set of those seen.
uint16_t attribute_bit(const Attribute& attribute);

/// Whether `name` may name a CloudEvents attribute: lower-case letters and digits of ASCII.
bool is_attribute_name(std::string_view name);

/// The member of an event that `name` may be a slip for: the same in other letter case, or with one
/// character too many, too few, wrong, or exchanged with the next. Empty if there is none.
std::string_view intended_member(std::string_view name);

/// Whether an attribute without its own field is text nevertheless, not a boolean or a number:
/// the routing attributes `cluster` and `teams`, and `dataschema`.
bool is_text_extension(std::string_view name);

/// What is wrong with `value` (UTF-8) for the attribute, as the end of a sentence that begins with
/// the attribute's name; nothing if it fits.
std::optional<std::string_view> complaint(const Attribute& attribute, std::string_view value);

}  // namespace ringpost::ingest
