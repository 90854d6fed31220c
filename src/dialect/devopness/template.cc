#include "dialect/devopness/template.h"

#include "base/assert.h"
#include "base/json_writer.h"
#include "dialect/devopness/names.h"
#include "dialect/renderer.h"
#include "http/query.h"
#include "http/syntax.h"
#include "http/url.h"

#include <algorithm>

namespace ringpost::dialect::devopness {
namespace {

using subscription::Objection;

/// Whether what stands at `path` is `secret` or holds it.
bool covers(const json::Path& path, const json::Path& secret) {
  const std::string_view inner = secret.text();
  const std::string_view outer = path.text();
  return inner.starts_with(outer) && (inner.size() == outer.size() || inner[outer.size()] == '.');
}

Objection finish_header(std::string& out) {
  if (!http::is_field_text(out)) return "has a line end, NUL or another control byte in a header";
  const std::string_view trimmed = http::trim(out);
  const auto front = static_cast<size_t>(trimmed.data() - out.data());
  out.resize(front + trimmed.size());
  out.erase(0, front);
  return {};
}

/// U+FFFE and U+FFFF, in UTF-8: no characters of XML (1.0, 2.2).
bool is_noncharacter(std::string_view text) {
  return text.starts_with("\xef\xbf\xbe") || text.starts_with("\xef\xbf\xbf");
}

/// For XML and HTML, in text and in quoted attributes, where a reader takes white space as it is
/// written for a space (XML 1.0, 3.3.3).
void append_xml_characters(std::string& out, std::string_view text) {
  for (size_t index = 0; index < text.size(); ++index) {
    const char byte = text[index];
    if (is_noncharacter(text.substr(index))) {
      out.append("\xef\xbf\xbd");
      index += 2;
      continue;
    }
    switch (byte) {
      case '\t': out.append("&#9;"); break;
      case '\n': out.append("&#10;"); break;
      case '\r': out.append("&#13;"); break;
      case '&': out.append("&amp;"); break;
      case '<': out.append("&lt;"); break;
      case '>': out.append("&gt;"); break;
      case '"': out.append("&quot;"); break;
      case '\'': out.append("&#39;"); break;
      default:
        // XML 1.0, 2.2: most control characters cannot be written at all.
        if (static_cast<uint8_t>(byte) < 0x20) {
          out.append("\xef\xbf\xbd");
        } else {
          out.push_back(byte);
        }
    }
  }
}

/// RFC 9110, 5.6.4: the inside of a quoted string.
void append_quoted_characters(std::string& out, std::string_view text) {
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') out.push_back('\\');
    out.push_back(byte);
  }
}

/// As a JSON value of its own.
void append_json_value(std::string& out, const json::Found& value) {
  switch (value.kind) {
    case json::Kind::missing:
    case json::Kind::null: out.append("null"); return;
    case json::Kind::string: append_json_string(out, value.text); return;
    case json::Kind::boolean:
    case json::Kind::integer:
    case json::Kind::number:
    case json::Kind::array:
    case json::Kind::object: out.append(value.text); return;
  }
}

/// As it is written where `place` is. Stops at a size that no body may have.
void append_placed(std::string& out, const json::Found& value, const Place& place) {
  if (place == Place{.bare = true}) return append_json_value(out, value);
  if (place == Place{.levels = 1}) return append_json_characters(out, value.text);
  std::string inner;
  if (place.bare) {
    append_json_value(inner, value);
  } else {
    inner = value.text;
  }
  for (size_t level = 0; level < place.levels && inner.size() <= Template::body_bytes_max;
       ++level) {
    std::string outer;
    append_json_characters(outer, inner);
    inner = std::move(outer);
  }
  out.append(inner);
}

void append_form_value(std::string& out, const json::Found& value, const Place& place) {
  if (place == Place{}) return http::append_percent_encoded(out, value.text);
  std::string json;
  append_placed(json, value, place);
  http::append_percent_encoded(out, json);
}

}  // namespace

json::Found MaskingResolver::find(const json::Path& path) {
  const bool secret =
      std::ranges::any_of(secrets_, [&path](const json::Path& one) { return covers(path, one); });
  return secret ? json::Found{json::Kind::string, credential_mask} : values_.find(path);
}

bool has_dot_segment(std::string_view url, size_t path_begin) {
  std::string_view path = url.substr(path_begin);
  path = path.substr(0, path.find('?'));
  while (!path.empty()) {
    const size_t size = std::min(path.find('/'), path.size());
    std::string_view segment = path.substr(0, size);
    path.remove_prefix(std::min(size + 1, path.size()));
    size_t dots = 0;
    while (!segment.empty()) {
      const bool encoded = segment.starts_with("%2e") || segment.starts_with("%2E");
      if (!encoded && segment.front() != '.') break;
      segment.remove_prefix(encoded ? 3 : 1);
      ++dots;
    }
    if (segment.empty() && (dots == 1 || dots == 2)) return true;
  }
  return false;
}

std::string Template::sample(std::string_view value) const {
  std::string out;
  size_t begin = 0;
  for (const uint32_t end : ends_) {
    out.append(fixed_, begin, end - begin).append(value);
    begin = end;
  }
  return out.append(fixed_, begin);
}

bool Template::shows(const json::Path& secret) const {
  return std::ranges::any_of(paths_,
                             [&secret](const json::Path& path) { return covers(path, secret); });
}

size_t Template::bytes_max() const {
  switch (form_) {
    case Form::header: return header_bytes_max;
    case Form::target_url: return http::url_bytes_max;
    case Form::json_body:
    case Form::form_body:
    case Form::xml_body:
    case Form::text_body: return body_bytes_max;
  }
  RINGPOST_UNREACHABLE();
}

void Template::append_value(size_t index, const json::Found& value, std::string& out) const {
  switch (form_) {
    case Form::header:
      if (!places_.empty() && !places_[index].bare)
        return append_quoted_characters(out, value.text);
      out.append(value.text);
      return;
    case Form::text_body: out.append(value.text); return;
    case Form::target_url: http::append_percent_encoded(out, value.text, "/"); return;
    case Form::form_body: return append_form_value(out, value, places_[index]);
    case Form::xml_body: append_xml_characters(out, value.text); return;
    case Form::json_body: return append_placed(out, value, places_[index]);
  }
}

/// @returns whether all of it fits; a value is never written that cannot.
bool Template::append_pieces(Resolver& values, std::string& out) const {
  const size_t most = bytes_max();
  size_t begin = 0;
  for (size_t index = 0; index < paths_.size(); ++index) {
    out.append(fixed_, begin, ends_[index] - begin);
    begin = ends_[index];
    const json::Found found = values.find(paths_[index]);
    if (out.size() > most || found.text.size() > most - out.size()) return false;
    append_value(index, found, out);
  }
  out.append(fixed_, begin);
  return out.size() <= most;
}

Objection Template::fill(Resolver& values, std::string& out) const {
  out.clear();
  Objection objection;
  if (!append_pieces(values, out)) {
    objection = form_ == Form::header       ? "is longer than 8 KiB once filled in"
                : form_ == Form::target_url ? "is longer than 2048 bytes once filled in"
                                            : "is longer than 256 KiB once filled in";
    static_assert(header_bytes_max == 8192 && http::url_bytes_max == 2048);
    static_assert(body_bytes_max == 256 * 1024, "the sentences say so");
  } else if (form_ == Form::header) {
    objection = finish_header(out);
  } else if (form_ == Form::target_url && has_dot_segment(out, path_begin_)) {
    objection = "has a segment '.' or '..' in its path once filled in";
  }
  if (!objection.empty()) out.clear();
  return objection;
}

}  // namespace ringpost::dialect::devopness
