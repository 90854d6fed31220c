#include "cli/input.h"

#include "cli/text.h"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string_view>

namespace ringpost::cli {
namespace {

std::string read_all(std::istream& in) {
  return std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

Usable<std::string> read_file(const std::string& name) {
  if (name == "-") return read_all(std::cin);
  std::ifstream in(name, std::ios::binary);
  std::string content = in ? read_all(in) : "";
  if (!in || in.bad()) return UsageProblem{shown(name) + " cannot be read"};
  return content;
}

Usable<std::string> read_text_or_file(const std::string& value) {
  if (!value.starts_with('@')) return value;
  return read_file(value.substr(1));
}

Usable<std::string> read_secret(const std::string& option, const std::string& from,
                                const char* environment) {
  if (from.empty()) {
    const char* text = environment == nullptr ? nullptr : std::getenv(environment);
    return std::string{text == nullptr ? "" : text};
  }
  if (from != "-" && !from.starts_with('@')) {
    std::string text = option + " takes @FILE, or - for standard input: arguments can be read by ";
    text += "every user of this machine";
    if (environment != nullptr) text += std::string{"; "} + environment + " is private, too";
    return UsageProblem{std::move(text)};
  }
  auto read = read_file(from == "-" ? from : from.substr(1));
  if (std::holds_alternative<UsageProblem>(read)) return read;
  std::string secret = std::get<std::string>(std::move(read));
  if (secret.ends_with('\n')) secret.pop_back();
  if (secret.ends_with('\r')) secret.pop_back();
  if (secret.empty()) return UsageProblem{option + " " + shown(from) + " is empty"};
  if (secret.size() > secret_file_bytes_max) {
    return UsageProblem{option + " " + shown(from) + " is too long for a secret"};
  }
  return secret;
}

}  // namespace ringpost::cli
