#include "subscription/patterns.h"

#include "base/utf8.h"

#include <algorithm>

namespace ringpost::subscription {
namespace {

Objection object_to_stars(std::string_view fixed_part) {
  if (fixed_part.find('*') == std::string_view::npos) return {};
  return "has a '*' that is neither alone nor the last segment";
}

/// The text before the star of `build/*`, with its separator; empty if the pattern is an exact
/// name.
std::string_view open_prefix(std::string_view pattern, std::string_view separators) {
  const size_t size = pattern.size();
  if (size < 2 || pattern[size - 1] != '*') return {};
  if (separators.find(pattern[size - 2]) == std::string_view::npos) return {};
  return pattern.substr(0, size - 1);
}

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

/// Whether `text` is `.MAJOR.MINOR.PATCH`, perhaps with `-` and a suffix.
bool is_version(std::string_view text) {
  for (int number = 0; number < 3; ++number) {
    if (text.size() < 2 || text[0] != '.' || !is_digit(text[1])) return false;
    text.remove_prefix(2);
    while (!text.empty() && is_digit(text[0])) text.remove_prefix(1);
  }
  return text.empty() || (text[0] == '-' && text.size() > 1);
}

/// @param unversioned  of `type`.
bool matches(std::string_view pattern, std::string_view type, std::string_view unversioned) {
  if (pattern == "*" || pattern == type) return true;
  if (!unversioned.empty() && pattern == unversioned) return true;
  const std::string_view prefix = open_prefix(pattern, "/.");
  return !prefix.empty() && type.size() > prefix.size() && type.starts_with(prefix);
}

}  // namespace

Objection object_to_name(std::string_view text, size_t bytes_max) {
  if (text.empty()) return "is empty";
  if (text.size() > bytes_max) return "is too long";
  if (text.front() == ' ' || text.back() == ' ') return "begins or ends with a space";
  while (!text.empty()) {
    const Utf8Character character = first_character(text);
    if (character.size == 0) return "is not valid UTF-8";
    if (is_unprintable(character.code)) return "has a character that cannot be printed";
    text.remove_prefix(character.size);
  }
  return {};
}

Objection object_to_organization(std::string_view text) {
  if (text.empty()) return "is empty";
  if (text.size() > organization_bytes_max) return "is too long";
  const auto letter_or_digit = [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
  };
  const bool allowed = std::ranges::all_of(text, [&](char byte) {
    return letter_or_digit(byte) || byte == '-' || byte == '_' || byte == '.';
  });
  if (allowed && letter_or_digit(text.front())) return {};
  return "must be of lower-case letters, digits, '-', '_' and '.', and begin with one of the first "
         "two";
}

Objection object_to_source_pattern(std::string_view pattern) {
  if (const Objection objection = object_to_name(pattern, source_bytes_max); !objection.empty()) {
    return objection;
  }
  if (pattern == "*") return {};
  const std::string_view prefix = open_prefix(pattern, "/");
  if (prefix.empty()) return object_to_stars(pattern);
  if (prefix == "/") return "has no kind before '/*'";
  if (prefix.find('/') != prefix.size() - 1) {
    return "is not a kind: only the part before the first '/' can be followed by '/*'";
  }
  return object_to_stars(prefix);
}

Objection object_to_event_pattern(std::string_view pattern) {
  if (const Objection objection = object_to_name(pattern, event_type_bytes_max);
      !objection.empty()) {
    return objection;
  }
  if (pattern == "*") return {};
  const std::string_view prefix = open_prefix(pattern, "/.");
  if (prefix.empty()) return object_to_stars(pattern);
  if (prefix.size() == 1) return "has nothing before its last segment '*'";
  return object_to_stars(prefix);
}

size_t kind_prefix_size(std::string_view source) {
  const size_t slash = source.find('/');
  return slash == std::string_view::npos || slash == 0 ? 0 : slash + 1;
}

bool source_matches(std::string_view pattern, std::string_view source) {
  if (pattern == "*" || pattern == source) return true;
  const size_t kind = kind_prefix_size(source);
  return kind != 0 && open_prefix(pattern, "/") == source.substr(0, kind);
}

std::string_view unversioned_type(std::string_view type) {
  constexpr std::string_view prefix = "dev.cdevents.";
  if (!type.starts_with(prefix)) return {};
  size_t dot = type.find('.', prefix.size());
  // The first place that fits: a suffix may hold dots itself.
  while (dot != std::string_view::npos && !is_version(type.substr(dot))) {
    dot = type.find('.', dot + 1);
  }
  return dot == std::string_view::npos ? std::string_view{} : type.substr(0, dot);
}

bool event_matches(std::string_view pattern, std::string_view type) {
  return matches(pattern, type, unversioned_type(type));
}

bool any_event_matches(const std::vector<std::string>& patterns, std::string_view type) {
  const std::string_view unversioned = unversioned_type(type);
  for (const std::string& pattern : patterns) {
    if (matches(pattern, type, unversioned)) return true;
  }
  return false;
}

}  // namespace ringpost::subscription
