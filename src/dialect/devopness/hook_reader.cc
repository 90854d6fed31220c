#include "dialect/devopness/hook_reader.h"

#include "api/json_body.h"
#include "api/webhook_fields.h"
#include "base/json_writer.h"
#include "http/syntax.h"
#include "json/document.h"
#include "json/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

namespace ringpost::dialect::devopness {

using api::invalid;
using json::Found;
using json::Kind;
using json::Path;

namespace {

constexpr size_t target_url_characters_max = 64 * 1024;

using Outcome = std::optional<api::Problem>;

// What is looked for, and what a refusal names, is one path: `settings.variables.3.name`.
std::string within(std::string_view place, std::string_view member) {
  std::string path{place};
  return path.append(1, '.').append(member);
}

std::string within(std::string_view place, size_t index) {
  return within(place, std::to_string(index));
}

/// Reads the members of one object. Stops at the first that is wrong.
class Reader {
 public:
  Reader(std::string_view json, Layout layout, Hook& hook, std::string_view shown)
      : layout_(layout), hook_(hook) {
    document_.assign(json);
    shown_.assign(shown.empty() ? "{}" : shown);
  }

  Outcome read();

 private:
  Found find(std::string_view member) { return document_.find(Path::constant(member)); }
  bool has(std::string_view member) { return document_.has_member(Path::constant(member)); }
  /// Whether the member is there, and not as it was shown.
  bool says(std::string_view member);
  /// The path of a member of `settings`.
  std::string inner(std::string_view member) const {
    return layout_ == Layout::api ? within("settings", member) : std::string{member};
  }
  void refuse(std::string_view member, std::string_view reason) {
    if (!problem_) problem_ = invalid(member, reason);
  }

  void read_text(std::string_view member, size_t characters_max, std::string& out);
  void read_word(std::string_view member, auto words, std::string& out);
  void read_flag(std::string_view member, bool default_value, bool& out);
  std::optional<int64_t> read_id(std::string_view member);
  void read_ids();
  void read_secret_members();
  void read_settings();
  void read_headers();
  void read_body();
  void read_variables();
  void read_variable(const std::string& place);
  void read_default(const std::string& member, Variable& variable);
  void read_trigger_when();
  void read_events();
  void read_maker();

  const Layout layout_;
  Hook& hook_;
  json::Document document_;
  json::Document shown_;
  Outcome problem_;
};

bool Reader::says(std::string_view member) {
  const Path path = Path::constant(member);
  if (!document_.has_member(path)) return false;
  if (!shown_.has_member(path)) return true;
  const Found found = document_.find(path);
  const Found shown = shown_.find(path);
  if (found.kind != shown.kind) return true;
  const bool nested = found.kind == Kind::object || found.kind == Kind::array;
  return nested ? !api::equal_values(found.text, shown.text) : found.text != shown.text;
}

void Reader::read_text(std::string_view member, size_t characters_max, std::string& out) {
  if (!has(member)) return;
  const Found found = find(member);
  if (found.kind == Kind::null) return out.clear();
  if (found.kind != Kind::string) return refuse(member, "must be a string");
  if (found.broken) return refuse(member, "holds an unpaired surrogate");
  if (count_characters(found.text) > characters_max) {
    return refuse(member, "must be at most " + std::to_string(characters_max) + " characters");
  }
  out = found.text;
}

void Reader::read_word(std::string_view member, auto words, std::string& out) {
  if (!says(member)) return;
  std::string word;
  read_text(member, 64, word);
  if (!word.empty() && std::ranges::find(words, word) == words.end()) {
    return refuse(member, "must be one of " + list_of(words));
  }
  out = std::move(word);
}

void Reader::read_flag(std::string_view member, bool default_value, bool& out) {
  if (!has(member)) return;
  const Found found = find(member);
  if (found.kind == Kind::null) {
    out = default_value;
  } else if (found.kind != Kind::boolean) {
    refuse(member, "must be true or false");
  } else {
    out = found.text == "true";
  }
}

/// Nothing for null, and for what is wrong.
std::optional<int64_t> Reader::read_id(std::string_view member) {
  const Found found = find(member);
  if (found.kind == Kind::null) return std::nullopt;
  int64_t id = 0;
  const bool number = found.kind == Kind::integer || found.kind == Kind::number;
  const std::string digits = number ? json::whole_number(found.text).value_or("") : "";
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (read.ec == std::errc{} && id >= 0 && id <= id_max) return id;
  refuse(member, "must be an integer from 0 to 9007199254740991");
  return std::nullopt;
}

void Reader::read_ids() {
  if (says("pipeline_id")) hook_.pipeline_id = read_id("pipeline_id");
  if (says("resource_id")) hook_.resource_id = read_id("resource_id").value_or(0);
  if (says("project_id")) hook_.project_id = read_id("project_id").value_or(0);
  if (says("environment_id")) hook_.environment_id = read_id("environment_id").value_or(0);
}

void Reader::read_secret_members() {
  read_flag("requires_secret", false, hook_.requires_secret);
  read_word("secret_algorithm", std::array<std::string_view, 1>{"sha256"}, hook_.secret_algorithm);
  read_text("secret_header_name", secret_header_name_bytes_max, hook_.secret_header_name);
  if (!hook_.secret_header_name.empty() && !http::is_token(hook_.secret_header_name)) {
    refuse("secret_header_name", "must be the name of an HTTP header");
  }
}

Outcome Reader::read() {
  if (document_.root().kind != Kind::object) return invalid("", "must be an object");
  read_word("action_type", action_types, hook_.action_type);
  read_word("resource_type", resource_types, hook_.resource_type);
  read_ids();
  read_secret_members();
  const bool has_target = find("target_url").kind != Kind::null;  // Null: as if it were absent.
  if (!hook_.incoming && has_target && says("target_url")) {
    read_text("target_url", target_url_characters_max, hook_.target_url);
  }
  if (layout_ == Layout::flat && hook_.incoming) read_flag("active", true, hook_.takes_calls);
  read_settings();
  read_trigger_when();
  if (layout_ == Layout::flat && says("created_by")) read_maker();
  return problem_;
}

void Reader::read_maker() {
  hook_.made_by.reset();
  const Kind kind = find("created_by").kind;
  if (kind == Kind::null) return;
  if (kind != Kind::object) return refuse("created_by", "must be an object with id and name");
  const Found id = find("created_by.id");
  const auto read = Ulid::parse_either(id.kind == Kind::string ? id.text : "");
  if (!read) return refuse("created_by.id", "is required and must be a UUID");
  Maker maker{.id = *read, .name = {}};
  read_text("created_by.name", Maker::name_characters_max, maker.name);
  hook_.made_by = std::move(maker);
}

void Reader::read_settings() {
  if (layout_ == Layout::api) {
    if (!says("settings")) return;
    const Kind kind = find("settings").kind;
    if (kind != Kind::object && kind != Kind::null) return refuse("settings", "must be an object");
    if (kind == Kind::null) {
      hook_.request_headers.clear();
      hook_.request_body.clear();
      hook_.variables.clear();
    }
  }
  if (hook_.incoming) return read_variables();
  read_headers();
  read_body();
}

void Reader::read_headers() {
  const std::string list = inner("request_headers");
  if (!says(list)) return;
  hook_.request_headers.clear();
  const Kind kind = find(list).kind;
  if (kind == Kind::null) return;
  if (kind != Kind::array) return refuse(list, "must be an array of {name, value}");
  for (size_t index = 0;; ++index) {
    const std::string place = within(list, index);
    if (!has(place)) return;
    if (index == api::webhook_headers_max) return refuse(list, "must be at most 32 headers");
    const std::string name_place = within(place, "name");
    const std::string value_place = within(place, "value");
    for (const std::string& member : {name_place, value_place}) {
      if (find(member).kind != Kind::string) {
        return refuse(member, "is required and must be a string");
      }
    }
    std::string name{find(name_place).text};
    std::string value;
    if (auto problem = api::check_header_name(name_place, name, header_name_bytes_max)) {
      return refuse(problem->member, problem->detail);
    }
    read_text(value_place, header_value_characters_max, value);
    const bool twice = api::find_header(hook_.request_headers, name) != hook_.request_headers.end();
    if (twice) return refuse(name_place, "appears more than once (names are case-insensitive)");
    hook_.request_headers.emplace_back(std::move(name), std::move(value));
  }
}

void Reader::read_body() {
  const std::string member = inner("request_body");
  if (!says(member)) return;
  const Found found = find(member);
  hook_.request_body.clear();
  if (found.kind == Kind::null) return;
  if (found.broken) {
    refuse(member, "holds an unpaired surrogate");
  } else if (found.kind == Kind::string) {
    append_json_string(hook_.request_body, found.text);
  } else if (found.kind == Kind::object || found.kind == Kind::array) {
    hook_.request_body = found.text;
  } else {
    refuse(member, "must be a string, an object or an array");
  }
}

void Reader::read_variables() {
  const std::string list = inner("variables");
  if (!says(list)) return;
  hook_.variables.clear();
  const Kind kind = find(list).kind;
  if (kind == Kind::null) return;
  if (kind != Kind::array) return refuse(list, "must be an array of variables");
  for (size_t index = 0;; ++index) {
    const std::string place = within(list, index);
    if (problem_ || !has(place)) return;
    if (index == variables_max) return refuse(list, "must be at most 64 variables");
    read_variable(place);
  }
}

void Reader::read_variable(const std::string& place) {
  Variable variable;
  read_text(within(place, "name"), Variable::name_bytes_max, variable.name);
  if (variable.name.empty() || !std::ranges::all_of(variable.name, json::is_name_character)) {
    return refuse(within(place, "name"), "is required and must be of letters, digits, `_` and `-`");
  }
  const auto same_name = [&](const Variable& other) { return other.name == variable.name; };
  if (std::ranges::any_of(hook_.variables, same_name)) {
    return refuse(within(place, "name"), "appears more than once");
  }
  read_text(within(place, "path"), Path::bytes_max, variable.path);
  if (!variable.path.empty()) {
    const auto objection = Path::object_to(variable.path);
    if (!objection.empty()) {
      return refuse(within(place, "path"), "is not a path: it " + std::string{objection});
    }
  }
  const Found type = find(within(place, "type"));
  const auto parsed = parse_variable_type(type.kind == Kind::string ? type.text : "");
  if (!parsed) {
    return refuse(within(place, "type"), "is required: one of string, integer, array, boolean");
  }
  variable.type = *parsed;
  if (find(within(place, "required")).kind != Kind::boolean) {
    return refuse(within(place, "required"), "is required and must be true or false");
  }
  read_flag(within(place, "required"), false, variable.required);
  read_default(within(place, "default_value"), variable);
  hook_.variables.push_back(std::move(variable));
}

void Reader::read_default(const std::string& member, Variable& variable) {
  const Kind kind = find(member).kind;
  if (kind == Kind::missing || kind == Kind::null) return;
  bool scalars = true;
  document_.for_each_element(Path::constant(member), [&](const Found& element) {
    scalars = element.kind != Kind::array && element.kind != Kind::object;
    return scalars;
  });
  if (kind == Kind::object || !scalars) {
    return refuse(member, "must be a string, number, boolean, an array of these, or null");
  }
  auto value = convert(variable.type, find(member));
  if (!value) return refuse(member, "is not of the variable's type");
  variable.default_value = *std::move(value);
}

void Reader::read_trigger_when() {
  if (!says("trigger_when")) return;
  hook_.events = 0;
  hook_.conditions.clear();
  const Kind kind = find("trigger_when").kind;
  if (kind == Kind::null) return;
  if (kind != Kind::object) {
    return refuse("trigger_when", "must be an object with events and conditions");
  }
  if (!hook_.incoming) read_events();
  const Found conditions = find("trigger_when.conditions");
  if (conditions.kind == Kind::missing || conditions.kind == Kind::null) return;
  if (conditions.kind != Kind::array) {
    return refuse("trigger_when.conditions", "must be an array of conditions");
  }
  if (has("trigger_when.conditions.0")) hook_.conditions = conditions.text;
}

void Reader::read_events() {
  const Kind kind = find("trigger_when.events").kind;
  if (kind == Kind::missing || kind == Kind::null) return;
  if (kind != Kind::array) return refuse("trigger_when.events", "must be an array of events");
  size_t index = 0;
  document_.for_each_element(Path::constant("trigger_when.events"), [&](const Found& event) {
    const EventSet bit = event.kind == Kind::string ? event_bit(event.text) : EventSet{0};
    if (bit == 0) {
      refuse(within("trigger_when.events", index), "must be one of " + list_of(event_names));
    }
    hook_.events |= bit;
    ++index;
    return bit != 0;
  });
}

}  // namespace

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<uint8_t>(byte) & 0xC0) != 0x80; }));
}

std::optional<api::Problem> read_hook(std::string_view json, Layout layout, Hook& hook,
                                      std::string_view shown) {
  return Reader{json, layout, hook, shown}.read();
}

}  // namespace ringpost::dialect::devopness
