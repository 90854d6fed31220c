#include "server/support_facts.h"

#include "base/log.h"
#include "io/read_file.h"
#include "server/config_keys.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <string_view>
#include <vector>

namespace ringpost::server {
namespace {

constexpr size_t files_max = 10'000;

/// Of a listener's table; all other keys are in config_keys().
constexpr std::array<std::string_view, 3> listener_keys = {"address", "serves", "tls"};

bool is_name(char byte) {
  return std::isalnum(static_cast<unsigned char>(byte)) != 0 || byte == '_' || byte == '.';
}

/// Whether a configuration has such a key, and its value is no secret. Users' keys are not among
/// them.
bool may_show(std::string_view key) {
  const auto is_this = [key](const ConfigKey& one) {
    const size_t dot = one.name.rfind('.');  // Without one it is a table.
    return dot != one.name.npos && one.name.substr(dot + 1) == key;
  };
  return std::ranges::any_of(config_keys(), is_this) ||
         std::ranges::find(listener_keys, key) != listener_keys.end();
}

/// What is certain to be no secret, by its form: a table's head, or a key that is known. A URL may
/// have a password before its `@`.
std::string masked(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  if (line.empty()) return {};
  if (line.front() == '[') {
    const std::string_view name = line.substr(0, line.find_last_of(']') + 1);
    const std::string_view inside = name.substr(name.find_first_not_of('['));
    if (std::ranges::all_of(inside.substr(0, inside.find(']')), is_name)) return std::string{name};
  }
  const auto end = std::ranges::find_if_not(line, is_name);
  const std::string_view key = line.substr(0, static_cast<size_t>(end - line.begin()));
  if (may_show(key) && line.find('@') == line.npos) return printable(line);
  return "# (left out)";
}

std::string line_of(const std::filesystem::directory_entry& entry, const std::string& root) {
  std::error_code error;
  const uint64_t size = entry.is_regular_file(error) ? entry.file_size(error) : 0;
  const auto time = std::chrono::file_clock::to_sys(entry.last_write_time(error));
  return to_rfc3339(std::chrono::time_point_cast<Duration>(time)) + "  " + std::to_string(size) +
         "  " + printable(entry.path().string().substr(root.size())) + "\n";
}

}  // namespace

std::string masked_config(const std::string& file) {
  if (file.empty()) return "no file: the defaults\n";
  const auto read = io::read_file(file);
  if (!read) return file + ": " + describe(read.error()) + "\n";
  std::string_view text = *read;
  std::string out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    out += masked(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string listed_files(const std::string& data_dir) {
  std::error_code error;
  std::vector<std::string> lines;
  std::filesystem::recursive_directory_iterator files(data_dir, error);
  for (; !error && files != std::filesystem::end(files); files.increment(error)) {
    if (lines.size() < files_max) lines.push_back(line_of(*files, data_dir + "/"));
  }
  std::string out = data_dir + "\n";
  if (error) out += error.message() + "\n";
  for (const std::string& line : lines) out += line;
  return out;
}

}  // namespace ringpost::server
