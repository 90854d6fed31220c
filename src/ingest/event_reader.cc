#include "ingest/event_reader.h"

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/utf8.h"
#include "crypto/base64.h"
#include "http/syntax.h"
#include "json/fault.h"
#include "json/text.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace ringpost::ingest {
namespace {

namespace json = simdjson::ondemand;
using ringpost::json::declares_json;
using ringpost::json::describe;
using ringpost::json::find_fault;
using ringpost::json::is_json_literal;
using ringpost::json::trim_end;
using ringpost::json::unescape;
using ringpost::json::whole_number;

// Bits of `seen_` above those of the attributes.
constexpr uint32_t bit_spec_version = 1u << 16;
constexpr uint32_t bit_data = 1u << 17;
constexpr uint32_t bit_data_base64 = 1u << 18;

// Values stay where the parser made them: copying one costs a failed store forwarding, and there is
// one for each token.
simdjson::error_code walk_object(json::value& value, uint32_t levels_left) {
  if (levels_left == 0) return simdjson::DEPTH_ERROR;
  json::object object;
  if (const auto error = value.get_object().get(object)) return error;
  for (auto field : object) {
    if (const auto error = field.error()) return error;
    json::field&& member = std::move(field).value_unsafe();
    if (const auto error = walk(member.value(), levels_left - 1)) return error;
  }
  return simdjson::SUCCESS;
}

simdjson::error_code walk_array(json::value& value, uint32_t levels_left) {
  if (levels_left == 0) return simdjson::DEPTH_ERROR;
  json::array array;
  if (const auto error = value.get_array().get(array)) return error;
  for (auto element : array) {
    if (const auto error = element.error()) return error;
    json::value&& item = std::move(element).value_unsafe();
    if (const auto error = walk(item, levels_left - 1)) return error;
  }
  return simdjson::SUCCESS;
}

/// What CloudEvents calls Integer, whole and of 32 bits, in plain digits; empty for anything else.
std::string integer_of(std::string_view token) {
  const bool number = token.front() == '-' || http::is_digit(token.front());
  const auto digits = number ? whole_number(token) : std::nullopt;
  if (!digits) return {};
  int32_t value = 0;
  const auto read = std::from_chars(digits->data(), digits->data() + digits->size(), value);
  return read.ec == std::errc{} ? *digits : std::string{};
}

/// No webhook is meant to match such a name. CloudEvents itself takes any text.
bool is_padded(std::string_view name) {
  return name.front() == ' ' || name.back() == ' ';
}
constexpr std::string_view padded =
    "begins or ends with a space, so that no webhook would match it";

/// The rest of the sentence about a member that is not known, or not of this form or kind.
std::string did_you_mean(std::string_view name) {
  if (name == "data_base64") {
    return "; a CloudEvent may have it: send the event as one, with `Content-Type: "
           "application/cloudevents+json`";
  }
  const std::string_view intended = intended_member(name);
  if (intended.empty() || intended == name) return {};
  return "; perhaps it is meant to be `" + std::string{intended} + "`";
}

}  // namespace

simdjson::error_code walk(json::value& value, uint32_t levels_left) {
  const std::string_view token = value.raw_json_token();
  switch (token.front()) {
    case '{': return walk_object(value, levels_left);
    case '[': return walk_array(value, levels_left);
    case '"': return value.get_raw_json_string().error();
    default: return is_json_literal(trim_end(token)) ? simdjson::SUCCESS : simdjson::TAPE_ERROR;
  }
}

std::optional<Refusal> read_text(std::string_view name, json::value value, TextStore& texts,
                                 std::optional<std::string_view>& text) {
  const std::string_view token = trim_end(value.raw_json_token());
  if (token != "null" && !token.starts_with('"')) return wrong(name, "must be a string");
  if (const auto error = walk(value, 0)) return not_json(error);
  if (token == "null") return std::nullopt;
  text = token.substr(1, token.size() - 2);
  if (text->find('\\') == std::string_view::npos) return std::nullopt;
  std::string& plain = texts.emplace_back();
  if (!unescape(*text, plain)) return wrong(name, "holds an unpaired surrogate");
  text = plain;
  return std::nullopt;
}

Refusal not_json(simdjson::error_code code) {
  if (code == simdjson::DEPTH_ERROR) {
    return {400, "More than " + std::to_string(json_depth_max) +
                     " objects and arrays inside each other."};
  }
  std::string_view detail = "Not JSON: its structure is broken.";
  if (code == simdjson::UTF8_ERROR) detail = "Not JSON: the text is not UTF-8.";
  if (code == simdjson::INCORRECT_TYPE) detail = "An event is a JSON object.";
  return {.status = 400, .detail = std::string{detail}, .member = {}, .syntax = true};
}

std::optional<Refusal> set_attribute(const Attribute& attribute, std::string_view shown,
                                     std::string_view text, TextStore& texts,
                                     journal::EventView& event) {
  if (const auto reason = complaint(attribute, text)) return wrong(shown, *reason);
  if (attribute.shape == Attribute::Shape::time && !is_strict_rfc3339(text)) {
    std::string& strict = texts.emplace_back(text);
    make_strict_rfc3339(strict);
    text = strict;
  }
  event.*attribute.place = text;
  return std::nullopt;
}

std::optional<Refusal> EventReader::read(json::object object, journal::EventView& event) {
  event_ = &event;
  seen_ = 0;
  data_is_text_ = data_is_base64_ = false;
  extension_names_.clear();
  extensions_.clear();
  for (auto field : object) {
    std::string_view name;
    if (const auto error = field.unescaped_key().get(name)) return not_json(error);
    Value value;
    if (const auto error = field.value().get(value)) return not_json(error);
    if (auto refusal = read_member(name, value)) return refusal;
  }
  return finish();
}

std::optional<Refusal> EventReader::read_member(std::string_view name, Value value) {
  if (const Attribute* attribute = find_attribute(name)) return read_attribute(*attribute, value);
  if (name == "data") return read_data(value);
  if (name == "specversion") return read_spec_version(value);
  if (form_ == Form::cloudevents && name == "data_base64") return read_data_base64(value);
  if (form_ == Form::native && name == "teams" && value.raw_json_token().front() == '[') {
    return read_teams(value);
  }
  return read_extension(name, value);
}

bool EventReader::first_time(uint32_t bit) {
  const bool first = (seen_ & bit) == 0;
  seen_ |= bit;
  return first;
}

std::optional<Refusal> EventReader::read_attribute(const Attribute& attribute, Value value) {
  if (!first_time(1u << attribute_bit(attribute)))
    return wrong(attribute.name, "appears more than once");
  std::optional<std::string_view> text;
  if (auto refusal = read_text(attribute.name, value, texts_, text)) return refusal;
  if (!text) return std::nullopt;  // null is absent, says the JSON format of CloudEvents, 2.2.
  if (text->empty()) {
    // Natively a producer may fill in a form and leave fields empty, the required ones excepted.
    if (form_ == Form::native || !attribute.core) return std::nullopt;
    return wrong(attribute.name, "is empty");
  }
  return set_attribute(attribute, attribute.name, *text, texts_, *event_);
}

std::optional<Refusal> EventReader::read_spec_version(Value value) {
  if (!first_time(bit_spec_version)) return wrong("specversion", "appears more than once");
  std::optional<std::string_view> text;
  if (auto refusal = read_text("specversion", value, texts_, text)) return refusal;
  if (text != "1.0") return wrong("specversion", "must be \"1.0\"");
  return std::nullopt;
}

std::optional<Refusal> EventReader::walk_span(Value value, std::string_view& span) {
  const std::string_view token = value.raw_json_token();
  // One level is the event's own object.
  if (const auto error = walk(value, json_depth_max - 1)) return not_json(error);
  const bool container = token.front() == '{' || token.front() == '[';
  if (!container) {
    span = trim_end(token);
    return std::nullopt;
  }
  const char* next = nullptr;  // The first byte of the token behind the value: `,` or `}`.
  if (const auto error = document_.current_location().get(next)) return not_json(error);
  span = trim_end({token.data(), static_cast<size_t>(next - token.data())});
  return std::nullopt;
}

std::optional<Refusal> EventReader::read_data(Value value) {
  if (!first_time(bit_data)) return wrong("data", "appears more than once");
  std::string_view span;
  if (auto refusal = walk_span(value, span)) return refusal;
  if (form_ == Form::native) {
    if (span == "null") return std::nullopt;  // As for any other member.
    if (!span.starts_with('{')) return wrong("data", "must be a JSON object");
  }
  data_is_text_ = span.starts_with('"');
  event_->data = as_bytes(span);
  return std::nullopt;
}

std::optional<Refusal> EventReader::read_data_base64(Value value) {
  if (!first_time(bit_data_base64)) return wrong("data_base64", "appears more than once");
  std::optional<std::string_view> text;
  if (auto refusal = read_text("data_base64", value, texts_, text)) return refusal;
  if (!text) return std::nullopt;  // null is absent.
  auto bytes = crypto::base64_decode(*text);
  if (!bytes) return wrong("data_base64", "is not base64");
  data_is_base64_ = true;
  event_->data = as_bytes(texts_.emplace_back(std::move(*bytes)));
  return std::nullopt;
}

std::optional<Refusal> EventReader::read_extension(std::string_view name, Value value) {
  if (!is_attribute_name(name) || name.size() > extension_name_bytes_max) {
    const std::string_view shown = name.substr(0, extension_name_bytes_max);
    return wrong(shown,
                 "is neither a member of an event nor an extension attribute, which has a "
                 "name of a to z and 0 to 9" +
                     did_you_mean(name));
  }
  const char first = value.raw_json_token().front();
  if (first == '{' || first == '[') {
    return wrong(name,
                 "is not a member of an event, and an extension attribute cannot be an object or "
                 "an array" +
                     did_you_mean(name));
  }
  std::string_view span;
  if (auto refusal = walk_span(value, span)) return refusal;
  if (first == '"') {
    std::string plain;
    if (!unescape(span.substr(1, span.size() - 2), plain)) {
      return wrong(name, "holds an unpaired surrogate");
    }
    if (plain.size() > extension_value_bytes_max) return wrong(name, "is too long");
    if (has_forbidden_character(plain)) {
      return wrong(name, "holds a control character or a noncharacter");
    }
    if (plain.empty() && is_text_extension(name)) {
      if (form_ == Form::native) return add_extension(name, "null");  // As for any attribute.
      if (name == "dataschema") return wrong(name, "is empty");
    }
  } else if (is_text_extension(name) && span != "null") {
    return wrong(name, "must be a string");
  } else if (span != "true" && span != "false" && span != "null") {
    const std::string digits = integer_of(span);
    if (digits.empty()) {
      return wrong(name, "must be a string, a boolean or an integer of 32 bits");
    }
    return add_extension(name, digits);
  }
  return add_extension(name, span);
}

std::optional<Refusal> EventReader::read_teams(Value value) {
  json::array array;
  if (const auto error = value.get_array().get(array)) return not_json(error);
  std::string teams;
  JsonWriter writer{teams};
  writer.begin_array();
  for (auto element : array) {
    Value item;
    if (const auto error = element.get(item)) return not_json(error);
    std::optional<std::string_view> text;
    if (auto refusal = read_text("teams", item, texts_, text)) return refusal;
    if (!text || text->empty() || has_forbidden_character(*text)) {
      return wrong("teams", "must be a string or an array of strings");
    }
    writer.value(*text);
    if (teams.size() > extension_value_bytes_max) return wrong("teams", "is too long");
  }
  writer.end_array();
  return add_extension("teams", teams);
}

std::optional<Refusal> EventReader::add_extension(std::string_view name, std::string_view json) {
  if (std::ranges::find(extension_names_, name) != extension_names_.end()) {
    return wrong(name, "appears more than once");
  }
  if (extension_names_.size() == extensions_max) {
    return Refusal{422, "More than " + std::to_string(extensions_max) + " extension attributes."};
  }
  extension_names_.push_back(name);
  if (json == "null") return std::nullopt;
  extensions_ += extensions_.empty() ? "{\"" : ",\"";
  extensions_.append(name).append("\":").append(json);
  return std::nullopt;
}

std::optional<Refusal> EventReader::finish() {
  const bool strict = form_ == Form::cloudevents;
  if (strict && (seen_ & bit_spec_version) == 0) return wrong("specversion", "is missing");
  if (event_->type.empty()) return missing("type", slip_for("type"));
  if (event_->source.empty()) return missing("source", slip_for("source"));
  if (strict && event_->id.empty()) return wrong("id", "is missing");
  if (!strict && is_padded(event_->type)) return wrong("type", padded);
  if (!strict && is_padded(event_->source)) return wrong("source", padded);
  event_->id_given = !event_->id.empty();
  if (!extensions_.empty()) {
    extensions_ += '}';
    event_->extensions = texts_.emplace_back(extensions_);
  }
  return finish_data();
}

/// The extension that may be meant as this member; empty if there is none.
std::string_view EventReader::slip_for(std::string_view member) const {
  const auto slip = std::ranges::find(extension_names_, member, intended_member);
  return slip == extension_names_.end() ? std::string_view{} : *slip;
}

std::optional<Refusal> EventReader::finish_data() {
  if (data_is_base64_) return finish_data_base64();
  return data_is_text_ ? finish_data_text() : std::nullopt;
}

/// CloudEvents' JSON format, 3.1.1: where the content type is not JSON's, a string is the content.
std::optional<Refusal> EventReader::finish_data_text() {
  if (declares_json(event_->data_content_type)) return std::nullopt;
  std::string_view text = as_text(event_->data);
  text = text.substr(1, text.size() - 2);
  if (text.find('\\') != std::string_view::npos) {
    std::string& plain = texts_.emplace_back();
    if (!unescape(text, plain)) return wrong("data", "holds an unpaired surrogate");
    text = plain;
  }
  event_->data = as_bytes(text);
  return std::nullopt;
}

/// Bytes are put where JSON is due only if they are JSON: elsewhere they could say anything.
std::optional<Refusal> EventReader::finish_data_base64() {
  if ((seen_ & bit_data) != 0) return wrong("data_base64", "cannot be combined with `data`");
  const std::string_view data = as_text(event_->data);
  if (data.empty()) return std::nullopt;
  // The JSON format, 3.1: without a content type `data` is JSON, and these bytes are not `data`.
  if (event_->data_content_type.empty()) event_->data_content_type = unknown_content_type;
  if (!declares_json(event_->data_content_type)) return std::nullopt;
  const auto fault = find_fault(data, json_depth_max - 1);
  if (!fault) return std::nullopt;
  return wrong("data_base64",
               "is not the JSON that `datacontenttype` says it is: " + describe(*fault, data));
}

}  // namespace ringpost::ingest
