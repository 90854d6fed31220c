#include "cli/spool.h"

#include "cli/json.h"
#include "crypto/random.h"
#include "json/fault.h"

#include <simdjson.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ringpost::cli {
namespace {

/// A native event or a CloudEvent without an id. (A document of CDEvents has its own in `context`,
/// and no type.)
bool lacks_id(std::string_view event) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (!parse_json(event, parser, root) || !root.is_object()) return false;
  return root["type"].error() == simdjson::SUCCESS && root["id"].error() != simdjson::SUCCESS;
}

bool make_directory(const std::string& path) {
  return mkdir(path.c_str(), 0777) == 0 || errno == EEXIST;
}

bool write_durably(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written < 0 && errno != EINTR) return false;
    text.remove_prefix(static_cast<size_t>(std::max<ssize_t>(written, 0)));
  }
  return fsync(file) == 0;
}

/// A rename is durable when its directory is.
bool make_durable(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool done = fsync(fd) == 0;
  close(fd);
  return done;
}

std::string cannot_write(const std::string& path) {
  return path + " cannot be written: " + std::strerror(errno);
}

}  // namespace

std::string Spool::keep(std::string_view events) {
  const std::string place = directory_ + "/new";
  if (!make_directory(directory_) || !make_directory(place)) return cannot_write(place);
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const std::string number = std::to_string(100'000 + ++files_);  // They sort as they were made.
  const std::string name = std::to_string(now.tv_sec) + '-' + std::to_string(getpid()) + '-' +
                           number + '-' + crypto::token("", 16);
  const std::string hidden = place + "/." + name;  // No relay looks at it.
  const int file = open(hidden.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (file < 0) return cannot_write(hidden);
  const bool written = write_durably(file, events);
  std::string problem = written ? "" : cannot_write(hidden);
  close(file);
  const std::string path = place + '/' + name;
  if (written && rename(hidden.c_str(), path.c_str()) != 0) problem = cannot_write(path);
  if (problem.empty() && !make_durable(place)) problem = cannot_write(place);
  if (!problem.empty()) unlink(hidden.c_str());
  return problem;
}

std::string object_to_event(std::string_view text) {
  constexpr uint32_t levels_max = 1024;
  if (const auto fault = json::find_fault(text, levels_max)) {
    return "is not JSON: " + std::string{fault->what};
  }
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (!parse_json(text, parser, root) || !root.is_object()) return "is not a JSON object";
  if (root["context"].error() == simdjson::SUCCESS) return {};  // CDEvents have their type there.
  for (const char* member : {"type", "source"}) {
    std::string_view value;
    if (root[member].get(value) != simdjson::SUCCESS || value.empty()) {
      return "has no \"" + std::string{member} + '"';
    }
  }
  return {};
}

std::string with_id(std::string_view event) {
  const size_t begin = event.find('{');
  if (begin == std::string_view::npos || !lacks_id(event)) return std::string{event};
  const std::string id = R"("id":")" + crypto::token("", 16) + R"(",)";
  return std::string{event.substr(0, begin + 1)} + id + std::string{event.substr(begin + 1)};
}

std::string with_ids(std::string_view lines) {
  std::string all;
  while (!lines.empty()) {
    const size_t end = lines.find('\n');
    const size_t size = end == std::string_view::npos ? lines.size() : end + 1;
    all += with_id(lines.substr(0, size));
    lines.remove_prefix(size);
  }
  return all;
}

}  // namespace ringpost::cli
