#include "ingest/binary_event.h"

#include "base/json_writer.h"
#include "base/utf8.h"
#include "ingest/attribute.h"

#include <simdjson.h>

#include <algorithm>

namespace ringpost::ingest {
namespace {

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

/// HTTP binding, 3.1.3.2, the first step: quoted strings (RFC 9110, 5.6.4) without their quotes and
/// backslashes, as senders of older versions wrote them. Where a quote has no partner there is no
/// quoted string: senders that encode nothing write a plain `"`.
std::string unquote(std::string_view value) {
  std::string text;
  text.reserve(value.size());
  bool quoted = false;
  for (size_t index = 0; index < value.size(); ++index) {
    if (value[index] == '"') {
      quoted = !quoted;
      continue;
    }
    if (quoted && value[index] == '\\' && index + 1 < value.size()) ++index;
    text.push_back(value[index]);
  }
  return quoted ? std::string{value} : text;
}

/// The second step: `%XX` stands for a byte, decoded once. Another `%` stands for itself: SDKs in
/// wide use send a value as it is. Nothing if the result is not UTF-8.
std::optional<std::string> decode(std::string_view value) {
  std::string text;
  text.reserve(value.size());
  for (size_t index = 0; index < value.size(); ++index) {
    const bool encoded = value[index] == '%' && index + 2 < value.size();
    const int high = encoded ? hex_value(value[index + 1]) : -1;
    const int low = encoded ? hex_value(value[index + 2]) : -1;
    if (high < 0 || low < 0) {
      text.push_back(value[index]);
      continue;
    }
    text.push_back(static_cast<char>(high * 16 + low));
    index += 2;
  }
  if (!simdjson::validate_utf8(text)) return std::nullopt;
  return text;
}

std::string lower_case(std::string_view text) {
  std::string result{text};
  for (char& byte : result) {
    if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte | 0x20);
  }
  return result;
}

/// Collects the attributes of one request.
class HeaderReader {
 public:
  HeaderReader(TextStore& texts, journal::EventView& event) : texts_(texts), event_(event) {}

  std::optional<Refusal> add(const http::Header& header) {
    const std::string name = lower_case(header.name);
    if (!name.starts_with("ce-")) return std::nullopt;
    if (std::ranges::find(names_, name) != names_.end())
      return wrong(name, "appears more than once");
    names_.push_back(name);
    auto text = decode(unquote(header.value));
    if (!text) return wrong(name, "is not UTF-8");
    const std::string_view attribute = std::string_view{name}.substr(3);
    if (attribute == "specversion") {
      if (*text != "1.0") return wrong(name, "must be 1.0");
      return std::nullopt;
    }
    // Content-Type says it: there is no header of CloudEvents' own (3.1.1).
    if (attribute == "datacontenttype") return wrong(name, "does not exist: use Content-Type");
    if (const Attribute* known = find_attribute(attribute)) {
      if (text->empty()) {
        if (known->core) return wrong(name, "is empty");
        return std::nullopt;
      }
      return set_attribute(*known, name, texts_.emplace_back(std::move(*text)), texts_, event_);
    }
    return add_extension(name, attribute, *text);
  }

  std::optional<Refusal> finish() {
    if (event_.type.empty()) return missing("ce-type", slip_for("type"));
    if (event_.source.empty()) return missing("ce-source", slip_for("source"));
    if (event_.id.empty()) return wrong("ce-id", "is missing");
    event_.id_given = true;
    if (extensions_.empty()) return std::nullopt;
    extensions_ += '}';
    event_.extensions = texts_.emplace_back(std::move(extensions_));
    return std::nullopt;
  }

 private:
  std::optional<Refusal> add_extension(const std::string& header, std::string_view attribute,
                                       std::string_view text) {
    if (!is_attribute_name(attribute) || attribute.size() > extension_name_bytes_max ||
        attribute == "data") {
      return wrong(header, "is not a valid extension attribute name");
    }
    if (text.empty() && attribute == "dataschema") return wrong(header, "is empty");
    if (text.size() > extension_value_bytes_max) return wrong(header, "is too long");
    if (has_forbidden_character(text)) {
      return wrong(header, "holds a control character or a noncharacter");
    }
    extensions_ += extensions_.empty() ? "{\"" : ",\"";
    extensions_.append(attribute).append("\":");
    append_json_string(extensions_, text);
    return std::nullopt;
  }

  /// The header that may be meant as this attribute's; empty if there is none.
  std::string_view slip_for(std::string_view attribute) const {
    const auto slip = std::ranges::find_if(names_, [attribute](std::string_view name) {
      return intended_member(name.substr(3)) == attribute;
    });
    return slip == names_.end() ? std::string_view{} : *slip;
  }

  TextStore& texts_;
  journal::EventView& event_;
  std::vector<std::string> names_;  // A request has at most a hundred headers.
  std::string extensions_;
};

}  // namespace

std::optional<Refusal> read_binary_attributes(const http::Request& request, TextStore& texts,
                                              journal::EventView& event) {
  HeaderReader reader{texts, event};
  for (const http::Header& header : request.headers) {
    if (auto refusal = reader.add(header)) return refusal;
  }
  const std::string_view content_type = request.header("content-type");
  if (!content_type.empty()) {
    const Attribute& attribute = *find_attribute("datacontenttype");
    if (auto refusal = set_attribute(attribute, "Content-Type", content_type, texts, event)) {
      return refusal;
    }
  }
  return reader.finish();
}

}  // namespace ringpost::ingest
