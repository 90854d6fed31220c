#include "dialect/devopness/json_places.h"

#include "http/query.h"
#include "json/document.h"
#include "json/fault.h"
#include "json/text.h"

#include <algorithm>
#include <optional>

namespace ringpost::dialect::devopness {
namespace {

/// `json` with a value in each place.
/// @param bare  in place of each that `is_bare` names.
std::string sample(const Pieces& json, const std::vector<bool>& is_bare, std::string_view bare) {
  std::string out;
  size_t begin = 0;
  for (size_t index = 0; index < json.ends.size(); ++index) {
    out.append(json.text, begin, json.ends[index] - begin).append(is_bare[index] ? bare : "x");
    begin = json.ends[index];
  }
  return out.append(json.text, begin);
}

/// Whether one of the values is, or is a part of, the name of a member.
bool names_a_member(const Pieces& json, const std::vector<bool>& bare) {
  for (size_t index = 0; index < json.ends.size(); ++index) {
    if (bare[index]) continue;
    size_t at = json.ends[index];
    while (at < json.text.size() && json.text[at] != '"') at += json.text[at] == '\\' ? 2 : 1;
    if (at < json.text.size() && colon_follows(std::string_view{json.text}.substr(at + 1))) {
      return true;
    }
  }
  return false;
}

/// What the inside of a string means, of which `ends` are offsets too; nothing if it has no
/// meaning as text.
std::optional<Pieces> unescaped(std::string_view inside, std::span<const uint32_t> ends,
                                size_t offset) {
  Pieces pieces;
  size_t begin = 0;
  for (const uint32_t end : ends) {
    if (!json::unescape(inside.substr(begin, end - offset - begin), pieces.text)) return {};
    pieces.ends.push_back(static_cast<uint32_t>(pieces.text.size()));
    begin = end - offset;
  }
  if (!json::unescape(inside.substr(begin), pieces.text)) return {};
  return pieces;
}

std::string form_decoded(std::string_view piece) {
  return http::percent_decode(piece, true).value_or(std::string{piece});
}

/// The values of one string, whose inside begins at `offset`.
std::string place_in_string(std::string_view inside, std::span<const uint32_t> ends, size_t offset,
                            std::vector<Place>& places, size_t depth) {
  const size_t first = places.size();
  std::string objection;
  if (const auto text = unescaped(inside, ends, offset)) {
    objection = place_in_text(*text, "a string in the body", places, depth + 1);
  } else {
    places.resize(first + ends.size());
  }
  for (size_t index = first; index < places.size(); ++index) ++places[index].levels;
  return objection;
}

}  // namespace

bool is_blank(char byte) {
  return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

size_t string_size(std::string_view json) {
  size_t size = 1;
  while (json[size] != '"') size += json[size] == '\\' ? 2 : 1;
  return size + 1;
}

bool colon_follows(std::string_view json) {
  const auto next = std::ranges::find_if_not(json, is_blank);
  return next != json.end() && *next == ':';
}

std::string_view skip_white_space(std::string_view text) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  constexpr std::string_view no_break_space = "\xC2\xA0";
  while (!text.empty()) {
    size_t size = 0;
    if (static_cast<uint8_t>(text.front()) <= ' ') size = 1;
    if (text.starts_with(mark)) size = mark.size();
    if (text.starts_with(no_break_space)) size = no_break_space.size();
    if (size == 0) break;
    text.remove_prefix(size);
  }
  return text;
}

bool means_json(std::string_view beginning) {
  const std::string_view text = skip_white_space(beginning);
  if (text.empty() || !std::string_view{"{[\""}.contains(text.front())) return false;
  const std::string_view next = skip_white_space(text.substr(1));
  return next.starts_with('"') ? text.front() != '"' : text.front() == '[' && next.starts_with('{');
}

std::vector<bool> bare_expansions(std::string_view fixed, std::span<const uint32_t> ends) {
  std::vector<bool> bare;
  bool in_string = false;
  size_t at = 0;
  for (const uint32_t end : ends) {
    for (; at < end; ++at) {
      if (fixed[at] == '"') in_string = !in_string;
      if (in_string && fixed[at] == '\\') ++at;
    }
    bare.push_back(!in_string);
  }
  return bare;
}

bool leads_json(const Pieces& text) {
  return !text.ends.empty() && means_json(text.text) &&
         skip_white_space(std::string_view{text.text}.substr(0, text.ends.front())).empty();
}

std::string place_in_json(const Pieces& json, std::string_view what, std::vector<Place>& places,
                          size_t depth) {
  if (depth > json_levels_max) {
    return "a value inside of JSON in more than 4 strings of JSON cannot be filled in";
  }
  static_assert(json_levels_max == 4, "the sentence says so");
  const std::vector<bool> bare = bare_expansions(json.text, json.ends);
  // A string shows what is wrong around a value; a number, that it stands for a member's name.
  for (const std::string_view value : {"\"x\"", "0"}) {
    const auto fault = json::find_fault(sample(json, bare, value), json::Document::depth_max);
    if (fault) {
      return std::string{what} +
             " but is not valid JSON once filled in: " + std::string{fault->what} +
             (depth == 0 ? "; write JSON, or send another Content-Type"
                         : "; write JSON, or put a word before it");
    }
  }
  if (names_a_member(json, bare)) {
    return "a member of the JSON has a name that would be filled in: only values can be";
  }
  const std::span<const uint32_t> ends = json.ends;
  size_t next = 0;
  for (size_t at = 0; next < ends.size() && at < json.text.size();) {
    const size_t size =
        json.text[at] == '"' ? string_size(std::string_view{json.text}.substr(at)) : 1;
    for (; next < ends.size() && ends[next] <= at; ++next) places.push_back({.bare = true});
    const size_t first = next;
    while (next < ends.size() && ends[next] < at + size) ++next;
    if (next > first) {
      const auto inside = std::string_view{json.text}.substr(at + 1, size - 2);
      std::string objection =
          place_in_string(inside, ends.subspan(first, next - first), at + 1, places, depth);
      if (!objection.empty()) return objection;
    }
    at += size;
  }
  for (; next < ends.size(); ++next) places.push_back({.bare = true});
  return {};
}

std::string place_in_text(const Pieces& text, std::string_view what, std::vector<Place>& places,
                          size_t depth) {
  if (leads_json(text)) return std::string{leads_json_objection};
  const size_t places_before = places.size();
  const std::string_view beginning = skip_white_space(
      text.ends.empty() ? std::string_view{}
                        : std::string_view{text.text}.substr(0, text.ends.front()));
  if (beginning.starts_with('{') || beginning.starts_with('[')) {
    std::string objection =
        place_in_json(text, std::string{what} + " begins as JSON", places, depth);
    if (objection.empty() || means_json(beginning)) return objection;
    places.resize(places_before);
  }
  places.resize(places_before + text.ends.size());
  return {};
}

std::string place_in_form(const Pieces& form, std::vector<Place>& places) {
  const std::string_view text = form.text;
  size_t next = 0;
  for (size_t begin = 0; next < form.ends.size();) {
    const size_t end = std::min(text.find('&', begin), text.size());
    const size_t value = std::min(text.find('=', begin), end);
    for (; next < form.ends.size() && form.ends[next] <= value; ++next) places.emplace_back();
    Pieces pieces;
    size_t at = value + 1;
    for (; next < form.ends.size() && form.ends[next] <= end; ++next) {
      pieces.text += form_decoded(text.substr(at, form.ends[next] - at));
      pieces.ends.push_back(static_cast<uint32_t>(pieces.text.size()));
      at = form.ends[next];
    }
    if (at < end) pieces.text += form_decoded(text.substr(at, end - at));
    std::string objection = place_in_text(pieces, "a value of the form", places, 1);
    if (!objection.empty()) return objection;
    begin = end + 1;
  }
  return {};
}

}  // namespace ringpost::dialect::devopness
