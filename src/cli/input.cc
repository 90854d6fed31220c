#include "cli/input.h"

#include "base/duration.h"
#include "cli/text.h"
#include "io/read_file.h"
#include "json/fault.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace ringpost::cli {
namespace {

/// Of a secret that was read from `from`: all of it becomes the key, so what nobody means to be a
/// part of it is named.
std::optional<UsageProblem> object_to_secret(const std::string& from, std::string_view secret) {
  if (secret.find('\0') != std::string_view::npos) {
    return UsageProblem{from + " holds a NUL byte: save it as UTF-8 or ASCII text"};
  }
  if (secret.find_first_of("\r\n") != std::string_view::npos) {
    return UsageProblem{from + " has more than one line: a secret is one line"};
  }
  if (secret.size() > secret_file_bytes_max)
    return UsageProblem{from + " is too long for a secret"};
  return std::nullopt;
}

bool names_file(const std::string& text) {
  std::error_code ignored;  // Such as a name that is too long for a file.
  return !text.empty() && std::filesystem::is_regular_file(text, ignored);
}

}  // namespace

void remove_byte_order_mark(std::string& text) {
  if (text.starts_with(json::byte_order_mark)) text.erase(0, json::byte_order_mark.size());
}

bool is_utf16(std::string_view text) {
  return text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff");
}

Usable<std::string> read_file(const std::string& name) {
  if (name == "-") {
    return std::string{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  }
  auto content = io::read_file(name);
  if (!content) return UsageProblem{shown(name) + " cannot be read: " + describe(content.error())};
  return std::move(*content);
}

Usable<std::string> read_text_file(const std::string& name) {
  auto read = read_file(name);
  auto* text = std::get_if<std::string>(&read);
  if (text == nullptr) return read;
  if (is_utf16(*text)) return UsageProblem{shown(name) + " is UTF-16 text: save it as UTF-8"};
  remove_byte_order_mark(*text);
  return read;
}

Usable<std::string> read_text_or_file(const std::string& value) {
  if (!value.starts_with('@')) return value;
  return read_text_file(value.substr(1));
}

Usable<std::string> read_json(const std::string& option, const std::string& value) {
  auto read = read_text_or_file(value);
  const auto* text = std::get_if<std::string>(&read);
  if (text == nullptr) return read;
  constexpr uint32_t levels_max = 1024;  // Beyond what a relay takes: the relay decides.
  const auto fault = json::find_fault(*text, levels_max);
  if (!fault) return read;
  const std::string place = value.starts_with('@') ? option + " " + shown(value) : option;
  return UsageProblem{place + " is not JSON: " + json::describe(*fault, *text)};
}

Usable<std::chrono::milliseconds> read_duration(const std::string& option,
                                                const std::string& value) {
  const auto duration = parse_duration(value);
  if (duration) return std::chrono::duration_cast<std::chrono::milliseconds>(*duration);
  return UsageProblem{option + " \"" + shown(value) + "\" must be " + duration_forms};
}

std::string object_to_duration(const std::string& value) {
  if (parse_duration(value)) return {};
  return "\"" + shown(value) + "\" must be " + std::string{duration_forms};
}

Usable<int64_t> read_seconds(const std::string& option, const std::string& value) {
  const auto duration = parse_duration(value);
  const auto whole = duration ? std::chrono::floor<std::chrono::seconds>(*duration) : Duration{};
  if (duration && whole == *duration) return whole / std::chrono::seconds{1};
  return UsageProblem{option + " \"" + shown(value) +
                      "\" must be a whole number of seconds with its unit (s, m, h or d), as in "
                      "90s or 12h"};
}

Usable<std::vector<PlacedLine>> read_lines(const std::string& option, const std::string& value) {
  if (!value.starts_with('@')) return std::vector<PlacedLine>{{option, value}};
  const std::string file = value.substr(1);
  auto read = read_text_file(file);
  if (auto* problem = std::get_if<UsageProblem>(&read)) return std::move(*problem);
  std::vector<PlacedLine> lines;
  std::string_view rest = std::get<std::string>(read);
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    lines.push_back({shown(file) + ", line " + std::to_string(number) + ":", std::string{line}});
  }
  return lines;
}

Usable<std::string> read_secret(const std::string& option, const std::string& from,
                                const char* environment) {
  if (from.empty()) {
    const char* text = environment == nullptr ? nullptr : std::getenv(environment);
    std::string secret{text == nullptr ? "" : text};
    if (secret.starts_with('@')) return read_secret(environment, secret, nullptr);
    remove_byte_order_mark(secret);
    if (names_file(secret)) {
      return UsageProblem{std::string{environment} + " is the name of a file: did you mean @" +
                          shown(secret) + "?"};
    }
    if (auto problem = object_to_secret(environment == nullptr ? "" : environment, secret)) {
      return *std::move(problem);
    }
    return secret;
  }
  if (from != "-" && !from.starts_with('@')) {
    std::string text = option + " takes @FILE, or - for standard input: every user of this ";
    text += "machine can read arguments";
    if (environment != nullptr)
      text += std::string{"; the environment variable "} + environment + " is private";
    return UsageProblem{std::move(text)};
  }
  auto read = read_text_file(from == "-" ? from : from.substr(1));
  if (const auto* problem = std::get_if<UsageProblem>(&read)) {
    return UsageProblem{option + ": " + problem->text};
  }
  std::string secret = std::get<std::string>(std::move(read));
  if (secret.ends_with('\n')) secret.pop_back();
  if (secret.ends_with('\r')) secret.pop_back();
  if (secret.empty()) return UsageProblem{option + " " + shown(from) + " is empty"};
  if (auto problem = object_to_secret(option + " " + shown(from), secret)) {
    return *std::move(problem);
  }
  return secret;
}

}  // namespace ringpost::cli
