#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::dialect::devopness {

/// JSON strings that hold JSON and values, inside each other. Each level may double what a value
/// takes.
inline constexpr size_t json_levels_max = 4;

/// A text into which values are filled: its fixed text, one piece after the other, and where the
/// pieces end behind which a value follows.
struct Pieces {
  std::string text;
  std::vector<uint32_t> ends;
};

/// How a value is written in JSON.
struct Place {
  bool bare = false;   ///< Outside of strings, in the innermost JSON: as a JSON value.
  uint8_t levels = 0;  ///< In how many JSON strings it stands, one inside the other.

  bool operator==(const Place&) const = default;
};

/// Space, tab, CR or LF: what JSON calls white space.
bool is_blank(char byte);
/// The size of the JSON string at the front of `json`, which is valid, with its quotes.
size_t string_size(std::string_view json);
/// Whether the next thing in `json` is the colon behind a member's name.
bool colon_follows(std::string_view json);
/// `text` behind what receivers skip before they look at it: white space of any kind, a byte order
/// mark.
std::string_view skip_white_space(std::string_view text);
/// Whether a text that begins so was meant to be JSON, though it may be none: as an object with a
/// member, or an array of strings or objects.
bool means_json(std::string_view beginning);
/// Why a text that `leads_json` is refused.
inline constexpr std::string_view leads_json_objection =
    "a value before JSON may be empty, and the rest is read as JSON then: put text before it, or "
    "leave the value out";
/// Whether the values before `text`, if they are empty, leave a text that is read as JSON.
bool leads_json(const Pieces& text);
/// Which of the expansions that end the pieces `ends` of `fixed` are outside of double quotes.
std::vector<bool> bare_expansions(std::string_view fixed, std::span<const uint32_t> ends);

/// Adds to `places` how each value in `json` is written, so that no value ends the string that it
/// stands in, at any level: a string that begins as JSON is read as JSON, and so on inside of it.
/// @returns empty if `json` is JSON whatever the values are and none of them stands in a member's
///          name, here and in each such string; otherwise why not, as a sentence about `what`.
std::string place_in_json(const Pieces& json, std::string_view what, std::vector<Place>& places,
                          size_t depth = 0);
/// The same for a text that is JSON only if it begins as an object or array, and is valid or means
/// to be JSON (means_json).
std::string place_in_text(const Pieces& text, std::string_view what, std::vector<Place>& places,
                          size_t depth);
/// The same for a form of names and values, of which a value may be JSON.
std::string place_in_form(const Pieces& form, std::vector<Place>& places);

}  // namespace ringpost::dialect::devopness
