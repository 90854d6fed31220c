#include "ingest/attribute.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "http/trace_context.h"

#include <algorithm>
#include <array>

namespace ringpost::ingest {
namespace {

using journal::EventView;
using Shape = Attribute::Shape;

// Limits: type, source and id as design 6.1 says; a subject is a path or title; a branch is at most
// what the branch patterns take; a trace parent has one size (W3C Trace Context, version 00).
constexpr std::array<Attribute, 9> attributes{{
    {"type", &EventView::type, 256, Shape::text, true},
    {"source", &EventView::source, 256, Shape::text, true},
    {"id", &EventView::id, 128, Shape::text, true},
    {"time", &EventView::time, 64, Shape::time, true},
    {"subject", &EventView::subject, 1024, Shape::text, true},
    {"datacontenttype", &EventView::data_content_type, 256, Shape::media_type, true},
    {"branch", &EventView::branch, 1024, Shape::text, false},
    {"orderingkey", &EventView::ordering_key, 256, Shape::text, false},
    {"traceparent", &EventView::trace_parent, 128, Shape::trace_parent, false},
}};

/// Members of an event that have no field of their own in EventView.
constexpr std::array<std::string_view, 6> other_members{"data",    "data_base64", "specversion",
                                                        "cluster", "teams",       "dataschema"};

char to_lower(char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte | 0x20) : byte;
}

/// Whether `given` is `name`, or one slip away from it.
bool is_slip_for(std::string_view given, std::string_view name) {
  const auto same = [](char left, char right) { return to_lower(left) == right; };
  while (!given.empty() && !name.empty() && same(given.front(), name.front())) {
    given.remove_prefix(1);
    name.remove_prefix(1);
  }
  while (!given.empty() && !name.empty() && same(given.back(), name.back())) {
    given.remove_suffix(1);
    name.remove_suffix(1);
  }
  if (given.size() <= 1 && name.size() <= 1) return true;
  return given.size() == 2 && name.size() == 2 && same(given[0], name[1]) &&
         same(given[1], name[0]);
}

/// A coarse sieve for RFC 2045 types: it becomes the value of a header, so ASCII without controls.
bool is_media_type(std::string_view text) {
  const auto plain = [](char byte) { return byte >= ' ' && byte < '\x7f'; };
  const size_t slash = text.find('/');
  return slash != std::string_view::npos && slash > 0 && slash + 1 < text.size() &&
         text.front() != ' ' && text.back() != ' ' && std::ranges::all_of(text, plain);
}

}  // namespace

const Attribute* find_attribute(std::string_view name) {
  const auto found = std::ranges::find(attributes, name, &Attribute::name);
  return found == attributes.end() ? nullptr : &*found;
}

uint16_t attribute_bit(const Attribute& attribute) {
  return static_cast<uint16_t>(&attribute - attributes.data());
}

bool is_attribute_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
  });
}

std::string_view intended_member(std::string_view name) {
  for (const Attribute& attribute : attributes) {
    if (is_slip_for(name, attribute.name)) return attribute.name;
  }
  const auto found = std::ranges::find_if(
      other_members, [name](std::string_view member) { return is_slip_for(name, member); });
  return found == other_members.end() ? std::string_view{} : *found;
}

bool is_text_extension(std::string_view name) {
  return name == "cluster" || name == "teams" || name == "dataschema";
}

std::optional<std::string_view> complaint(const Attribute& attribute, std::string_view value) {
  if (value.size() > attribute.bytes_max) return "is too long";
  if (has_forbidden_character(value)) return "holds a control character or a noncharacter";
  switch (attribute.shape) {
    case Shape::text: return std::nullopt;
    case Shape::time:
      if (!parse_rfc3339(value)) return "is not an RFC 3339 timestamp";
      return std::nullopt;
    case Shape::media_type:
      if (!is_media_type(value)) return "is not a media type";
      return std::nullopt;
    case Shape::trace_parent:
      if (!http::parse_trace_parent(value)) return "is not a W3C trace parent";
      return std::nullopt;
  }
  RINGPOST_UNREACHABLE();
}

}  // namespace ringpost::ingest
