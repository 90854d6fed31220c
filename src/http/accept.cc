#include "http/accept.h"

#include "http/syntax.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace ringpost::http {
namespace {

/// Calls `visit(piece)` for each trimmed piece between separators that are not within quotes.
template <typename Visit>
void for_each_piece(std::string_view text, char separator, Visit visit) {
  bool quoted = false;
  size_t begin = 0;
  for (size_t index = 0; index <= text.size(); ++index) {
    const bool ended = index == text.size();
    if (!ended && text[index] == '"') quoted = !quoted;
    if (!ended && quoted && text[index] == '\\' && index + 1 < text.size()) ++index;
    if (!ended && (quoted || text[index] != separator)) continue;
    visit(trim(text.substr(begin, index - begin)));
    begin = index + 1;
  }
}

std::string lower(std::string_view text) {
  std::string out{text};
  std::ranges::transform(out, out.begin(), to_lower);
  return out;
}

/// A token as it is, a quoted string without its quotes and backslashes.
std::string unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string{text};
  text = text.substr(1, text.size() - 2);
  std::string out;
  for (size_t index = 0; index < text.size(); ++index) {
    if (text[index] == '\\' && index + 1 < text.size()) ++index;
    out += text[index];
  }
  return out;
}

/// RFC 9110, 12.4.2: 0 to 1 with up to three decimals.
std::optional<uint32_t> parse_quality(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  uint32_t thousandths = text[0] == '1' ? 1000 : 0;
  uint32_t place = 100;
  for (const char digit : text.substr(std::min<size_t>(text.size(), 2))) {
    if (digit < '0' || digit > '9') return std::nullopt;
    thousandths += static_cast<uint32_t>(digit - '0') * place;
    place /= 10;
  }
  if (thousandths > 1000) return std::nullopt;
  return thousandths;
}

bool is_type(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != std::string_view::npos && is_token(text.substr(0, slash)) &&
         is_token(text.substr(slash + 1));
}

/// @param is_name  whether the part before the parameters is well formed.
std::optional<MediaRange> parse_range(std::string_view text, bool (*is_name)(std::string_view)) {
  MediaRange range;
  bool valid = true;
  bool first = true;
  for_each_piece(text, ';', [&](std::string_view piece) {
    if (std::exchange(first, false)) {
      valid = is_name(piece);
      range.type = lower(piece);
      return;
    }
    const size_t equals = piece.find('=');
    if (piece.empty() || equals == std::string_view::npos) return;
    std::string name = lower(trim(piece.substr(0, equals)));
    std::string value = unquoted(trim(piece.substr(equals + 1)));
    if (name != "q") {
      range.parameters.push_back({std::move(name), std::move(value)});
      return;
    }
    const auto quality = parse_quality(value);
    valid = valid && quality.has_value();
    range.quality = quality.value_or(0);
  });
  if (!valid) return std::nullopt;
  return range;
}

/// What all headers of this name list, in their order.
std::vector<MediaRange> ranges_of(const Request& request, std::string_view name,
                                  bool (*is_name)(std::string_view)) {
  std::vector<MediaRange> ranges;
  for (const Header& header : request.headers) {
    if (!equal_ignoring_case(header.name, name)) continue;
    for_each_piece(header.value, ',', [&](std::string_view piece) {
      if (auto range = parse_range(piece, is_name)) ranges.push_back(std::move(*range));
    });
  }
  return ranges;
}

/// Compared weakly: the mark of a weak tag has no part in it.
std::string_view opaque(std::string_view tag) {
  if (tag.starts_with("W/")) tag.remove_prefix(2);
  return tag;
}

}  // namespace

std::string_view MediaRange::parameter(std::string_view name) const {
  const auto found = std::ranges::find(parameters, name, &Parameter::name);
  return found == parameters.end() ? std::string_view{} : std::string_view{found->value};
}

std::vector<MediaRange> accepted_types(const Request& request) {
  return ranges_of(request, "accept", is_type);
}

bool accepts_gzip(const Request& request) {
  std::optional<uint32_t> named;
  std::optional<uint32_t> others;
  for (const MediaRange& coding : ranges_of(request, "accept-encoding", is_token)) {
    if (coding.type == "*") others = coding.quality;
    if (coding.type != "gzip" && coding.type != "x-gzip") continue;
    named = std::max(named.value_or(0), coding.quality);
  }
  return named.value_or(others.value_or(0)) > 0;
}

bool names_tag(std::string_view if_none_match, std::string_view tag) {
  bool found = false;
  for_each_list_member(if_none_match, [&](std::string_view member) {
    found |= member == "*" || opaque(member) == opaque(tag);
  });
  return found;
}

}  // namespace ringpost::http
