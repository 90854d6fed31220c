#include "ingest/content_hash.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "http/syntax.h"
#include "json/text.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace ringpost::ingest {
namespace {

/// Sizes before the texts: no two lists of texts give the same bytes.
void append(std::string& out, std::string_view text) {
  const auto size = static_cast<uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof size).append(text);
}

void append(std::string& out, uint64_t number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

/// The size of the JSON value at the front of `json`: up to the comma or brace behind it.
size_t value_size(std::string_view json) {
  bool in_string = false;
  uint32_t depth = 0;  // `teams` may be an array.
  for (size_t at = 0; at < json.size(); ++at) {
    const char byte = json[at];
    if (byte == '"') in_string = !in_string;
    if (in_string) {
      if (byte == '\\') ++at;
      continue;
    }
    if (depth == 0 && (byte == ',' || byte == '}')) return at;
    if (byte == '[') ++depth;
    if (byte == ']' && depth > 0) --depth;
  }
  return json.size();
}

/// What a header would say of the value, spelled as in JSON.
void append_attribute_text(std::string& out, std::string_view value) {
  if (!value.starts_with('"') || value.size() < 2) return append(out, value == "-0" ? "0" : value);
  value = value.substr(1, value.size() - 2);
  if (value.find('\\') == std::string_view::npos) return append(out, value);
  std::string plain;
  json::unescape(value, plain);
  append(out, plain);
}

/// The instant, however it is spelled. Where WallTime cannot hold it, what is spelled. Earlier
/// versions kept a time as it came.
void append_time(std::string& out, std::string_view time) {
  std::string strict{time};
  if (!time.empty() && !is_strict_rfc3339(time)) make_strict_rfc3339(strict);
  const auto instant = parse_rfc3339(strict);
  const bool held = instant && *instant != WallTime::min() && *instant != WallTime::max();
  append(out, held ? std::to_string(to_unix_ns(*instant)) : strict);
}

/// Of `{"name":value,…}`, as ingest writes it: names are lower-case letters and digits. The sum
/// does not depend on the order.
uint64_t hash_extensions(std::string_view json, const HashKey& secret) {
  thread_local std::string text;
  uint64_t sum = 0;
  while (json.size() > 1) {
    json.remove_prefix(1);  // The brace or comma.
    const size_t colon = std::min(json.find(':'), json.size());
    const std::string_view name = json.substr(0, colon);
    json.remove_prefix(std::min(colon + 1, json.size()));
    const std::string_view value = json.substr(0, value_size(json));
    json.remove_prefix(value.size());
    if (name.empty() || name == "\"tracestate\"") continue;
    text.clear();
    append(text, name);
    append_attribute_text(text, value);
    sum += siphash(secret, as_bytes(text));
  }
  return sum;
}

std::string lower_case(std::string_view text) {
  std::string lower{text};
  std::ranges::transform(lower, lower.begin(), http::to_lower);
  return lower;
}

/// `name=value`, the name in lower case; empty for what says nothing that JSON is not by default.
std::string plain_parameter(std::string_view parameter, bool json) {
  const size_t equals = std::min(parameter.find('='), parameter.size());
  const std::string name = lower_case(parameter.substr(0, equals));
  std::string value{parameter.substr(std::min(equals + 1, parameter.size()))};
  const bool quoted = value.size() >= 2 && value.starts_with('"') && value.ends_with('"');
  if (quoted && http::is_token(std::string_view{value}.substr(1, value.size() - 2))) {
    value = value.substr(1, value.size() - 2);
  }
  if (name == "charset") value = lower_case(value);
  if (json && name == "charset" && value == "utf-8") return {};
  return name + "=" + value;
}

/// Absent is JSON, say CloudEvents.
void append_content_type(std::string& out, std::string_view type) {
  constexpr std::string_view usual = "application/json";
  if (type.empty() || type == usual) return append(out, usual);
  const size_t end = std::min(type.find(';'), type.size());
  const bool json = json::declares_json(type);
  std::string plain = lower_case(http::trim(type.substr(0, end)));
  type.remove_prefix(std::min(end + 1, type.size()));
  while (!type.empty()) {
    const size_t size = std::min(type.find(';'), type.size());
    const std::string parameter = plain_parameter(http::trim(type.substr(0, size)), json);
    if (!parameter.empty()) plain.append(";").append(parameter);
    type.remove_prefix(std::min(size + 1, type.size()));
  }
  append(out, plain);
}

/// JSON without the white space around it, which a body may have and a member has not.
Bytes essence_of(const journal::EventView& event) {
  if (!json::declares_json(event.data_content_type)) return event.data;
  const std::string_view data = json::trim_end(as_text(event.data));
  return as_bytes(data.substr(std::min(data.find_first_not_of(" \t\r\n"), data.size())));
}

}  // namespace

uint64_t content_hash(const journal::EventView& event, const std::array<HashKey, 2>& secret) {
  thread_local std::string text;  // Its memory is used again.
  text.clear();
  for (const std::string_view attribute :
       {event.type, event.subject, event.branch, event.ordering_key}) {
    append(text, attribute);
  }
  append_time(text, event.time);
  append_content_type(text, event.data_content_type);
  append(text, hash_extensions(event.extensions, secret[1]));
  append(text, siphash(secret[1], essence_of(event)));  // Hashed where it lies: it may be large.
  return siphash(secret[0], as_bytes(text));
}

}  // namespace ringpost::ingest
