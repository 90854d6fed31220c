#include "cli/line_input.h"

#include "base/result.h"
#include "cli/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace ringpost::cli {
namespace {

/// How long more is waited for when there is something to send already.
constexpr int linger_ms = 20;

}  // namespace

Usable<std::unique_ptr<LineInput>> LineInput::open(const std::string& name) {
  const bool is_standard = name == "-";
  const int descriptor = is_standard ? STDIN_FILENO : ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return UsageProblem{shown(name) +
                        " cannot be read: " + describe(error_from_errno(errno, Side::operator_))};
  }
  return std::unique_ptr<LineInput>(
      new LineInput(descriptor, is_standard ? "standard input" : shown(name)));
}

LineInput::~LineInput() {
  if (descriptor_ != STDIN_FILENO) close(descriptor_);
}

std::string LineInput::fill() {
  std::array<char, 64 * 1024> chunk;
  const ssize_t size = read(descriptor_, chunk.data(), chunk.size());
  if (size < 0) {
    return name_ + " cannot be read: " + describe(error_from_errno(errno, Side::operator_));
  }
  buffer_.append(chunk.data(), static_cast<size_t>(size));
  ended_ = size == 0;
  if (!begun_ && (buffer_.size() >= 3 || ended_)) {
    begun_ = true;
    if (is_utf16(buffer_)) return name_ + " is UTF-16 text: save it as UTF-8";
    remove_byte_order_mark(buffer_);
  }
  return {};
}

bool LineInput::more_comes() const {
  pollfd ready{.fd = descriptor_, .events = POLLIN, .revents = 0};
  return poll(&ready, 1, linger_ms) > 0;
}

/// How many bytes the whole lines take that are there, within the limits; 0: there is none.
size_t LineInput::whole_lines(size_t lines_limit, size_t bytes_limit) const {
  size_t size = 0;
  for (size_t lines = 0; lines < lines_limit; ++lines) {
    const size_t end = buffer_.find('\n', std::max(size, searched_));
    if (end == std::string::npos || (size > 0 && end >= bytes_limit)) break;
    size = end + 1;
  }
  return size;
}

std::string LineInput::cut(size_t size) {
  std::string taken = buffer_.substr(0, size);
  buffer_.erase(0, size);
  searched_ = 0;
  return taken;
}

Usable<std::string> LineInput::take(size_t lines_limit, size_t bytes_limit) {
  while (true) {
    const size_t size = begun_ ? whole_lines(lines_limit, bytes_limit) : 0;
    if (ended_) return cut(size > 0 ? size : buffer_.size());
    const bool is_full = size > 0 && buffer_.find('\n', size) != std::string::npos;
    if (is_full || (size > 0 && !more_comes())) return cut(size);
    if (buffer_.size() > bytes_max) {
      return UsageProblem{name_ + " has a line of more than 256 MiB: is it a file of events?"};
    }
    if (size == 0 && begun_) searched_ = buffer_.size();
    if (std::string problem = fill(); !problem.empty()) return UsageProblem{std::move(problem)};
  }
}

Usable<std::string> LineInput::rest() {
  while (!ended_) {
    if (std::string problem = fill(); !problem.empty()) return UsageProblem{std::move(problem)};
    if (buffer_.size() > bytes_max) {
      return UsageProblem{name_ + " is larger than 256 MiB, and its first line is not an event"};
    }
  }
  return cut(buffer_.size());
}

}  // namespace ringpost::cli
