#include "cli/where.h"

#include "base/json_writer.h"
#include "cli/json.h"
#include "cli/text.h"
#include "json/path.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace ringpost::cli {
namespace {

using simdjson::dom::element;

/// How a comparison is written, and the API's member for it. Longer signs before their beginnings.
struct Operator {
  std::string_view sign;
  std::string_view member;
};

constexpr std::array operators = {Operator{"!=", "equals"},   Operator{"^=", "prefix"},
                                  Operator{">=", "at_least"}, Operator{"<=", "at_most"},
                                  Operator{">", "above"},     Operator{"<", "below"},
                                  Operator{"=", "equals"}};

std::string_view trim(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

UsageProblem bad_condition(const std::string& text) {
  return {"--where \"" + shown(text) +
          "\" must have the form PATH=VALUE, as in build.status=failed (after >, >=, < and <= a "
          "number; a list as JSON: [\"a\",\"b\"]), or be a condition as JSON"};
}

bool is_number(std::string_view value) {
  return is_json(value) && value.find_first_of("-0123456789") == 0;
}

bool is_array(std::string_view value) {
  return value.starts_with('[') && is_json(value);
}

/// What to compare with. Numbers equal the words that they are written as, so that a commit such
/// as 12345e6 stays a word.
void write_value(JsonWriter& json, std::string_view value) {
  if (is_array(value) || value == "null" || (value.starts_with('"') && is_json(value))) {
    json.raw(value);
  } else {
    json.value(value);
  }
}

/// `PATH` and `!PATH`.
std::optional<std::string> existence(std::string_view text) {
  const bool exists = !text.starts_with('!');
  const std::string_view path = trim(text.substr(exists ? 0 : 1));
  if (!json::Path::object_to(path).empty() || path == "-") return std::nullopt;
  std::string out;
  JsonWriter{out}.begin_object().member("path", path).member("exists", exists).end_object();
  return out;
}

std::optional<std::string> comparison(std::string_view text) {
  const auto ends_path = [](char byte) { return byte != '.' && !json::is_name_character(byte); };
  const auto end = std::ranges::find_if(text, ends_path) - text.begin();
  const std::string_view path = text.substr(0, static_cast<size_t>(end));
  const std::string_view rest = trim(text.substr(path.size()));
  const auto found = std::ranges::find_if(
      operators, [rest](const Operator& one) { return rest.starts_with(one.sign); });
  if (found == operators.end() || !json::Path::object_to(path).empty()) return std::nullopt;
  const std::string_view value = trim(rest.substr(found->sign.size()));
  const bool bounds = found->member != "equals" && found->member != "prefix";
  // Another sign behind the first, an object, no number: nothing that was meant.
  if (value.find_first_of("=<>{") == 0 || (value.starts_with('[') && !is_array(value))) {
    return std::nullopt;
  }
  if (bounds && !is_number(value)) return std::nullopt;
  const bool negated = found->sign == "!=";
  std::string out;
  JsonWriter json{out};
  json.begin_object();
  if (negated) json.key("not").begin_object();
  json.member("path", path);
  json.key(found->member == "equals" && is_array(value) ? "in" : found->member);
  if (found->member == "prefix") {
    json.value(value);
  } else if (bounds) {
    json.raw(value);
  } else {
    write_value(json, value);
  }
  if (negated) json.end_object();
  json.end_object();
  return out;
}

Usable<std::string> condition_of(const std::string& text) {
  const std::string_view trimmed = trim(text);
  if (trimmed.starts_with('{') || trimmed.starts_with('@')) return read_json("--where", text);
  if (auto condition = existence(trimmed)) return *std::move(condition);
  if (auto condition = comparison(trimmed)) return *std::move(condition);
  return bad_condition(text);
}

// --- for reading ---------------------------------------------------------------------------------

std::string values_text(simdjson::dom::array values) {
  std::string out;
  for (const element value : values) {
    out.append(out.empty() ? "" : ", ").append(printable(simdjson::minify(value)));
  }
  return "(" + out + ")";
}

std::string test_text(std::string_view path, std::string_view name, element value) {
  const std::string subject = printable(path) + " ";
  simdjson::dom::array values;
  bool exists = false;
  if (name == "exists" && value.get(exists) == simdjson::SUCCESS) {
    return subject + (exists ? "exists" : "is missing");
  }
  if (name == "in" && value.get(values) == simdjson::SUCCESS) {
    return subject + "in " + values_text(values);
  }
  // From the back: "=" is the sign of `equals`, "!=" is how its opposite is written.
  const auto found =
      std::ranges::find(operators.rbegin(), operators.rend(), name, &Operator::member);
  const std::string sign{found == operators.rend() ? name : found->sign};
  return subject + sign + " " + printable(simdjson::minify(value));
}

std::string tests_text(simdjson::dom::object condition, std::string_view path) {
  std::string out;
  for (const auto& [name, value] : condition) {
    if (name == "path") continue;
    out.append(out.empty() ? "" : " and ").append(test_text(path, name, value));
  }
  return out;
}

std::string joined(simdjson::dom::array parts, std::string_view word) {
  std::string out;
  for (const element part : parts) {
    simdjson::dom::object inner;
    const bool is_list =
        part.get(inner) == simdjson::SUCCESS &&
        (inner["all"].error() == simdjson::SUCCESS || inner["any"].error() == simdjson::SUCCESS);
    const std::string text = condition_text(part);
    out.append(out.empty() ? "" : word).append(is_list ? "(" + text + ")" : text);
  }
  return out;
}

}  // namespace

Usable<std::string> data_condition(const std::vector<std::string>& where) {
  if (where.size() == 1 && where.front().empty()) return std::string{"null"};
  std::string all;
  for (const std::string& text : where) {
    auto condition = condition_of(text);
    if (where.size() == 1 || std::holds_alternative<UsageProblem>(condition)) return condition;
    all.append(all.empty() ? "" : ",").append(std::get<std::string>(condition));
  }
  return "{\"all\":[" + all + "]}";
}

std::string condition_text(element condition) {
  simdjson::dom::object object;
  if (condition.get(object) != simdjson::SUCCESS) return "";
  simdjson::dom::array parts;
  if (object["all"].get(parts) == simdjson::SUCCESS) return joined(parts, " and ");
  if (object["any"].get(parts) == simdjson::SUCCESS) return joined(parts, " or ");
  element inner;
  if (object["not"].get(inner) == simdjson::SUCCESS) return "not (" + condition_text(inner) + ")";
  std::string_view path;
  if (object["path"].get(path) != simdjson::SUCCESS) return "";
  return tests_text(object, path);
}

}  // namespace ringpost::cli
