#include "server/support_facts.h"

#include "base/log.h"
#include "io/read_file.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <string_view>
#include <vector>

namespace ringpost::server {
namespace {

constexpr size_t files_max = 10'000;

/// Keys whose values are nobody else's business.
constexpr std::array<std::string_view, 2> masked_keys = {"password", "email"};

/// Whether `key` stands before an equals sign in the line, as a whole word.
bool sets(std::string_view line, std::string_view key) {
  for (size_t at = line.find(key); at != line.npos; at = line.find(key, at + 1)) {
    const bool begins = at == 0 || !std::isalnum(static_cast<unsigned char>(line[at - 1]));
    const std::string_view rest = line.substr(at + key.size());
    const size_t next = rest.find_first_not_of(" \t\"'");
    if (begins && next != rest.npos && rest[next] == '=') return true;
  }
  return false;
}

std::string masked(std::string_view line) {
  const bool is_secret =
      std::ranges::any_of(masked_keys, [line](std::string_view key) { return sets(line, key); });
  return is_secret ? "# (masked)" : printable(line);
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
