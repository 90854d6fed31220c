#include "cli/event_stream.h"

#include <utility>

namespace ringpost::cli {

bool EventStreamReader::feed(std::string_view bytes, const Take& take) {
  for (const char c : bytes) {
    const bool same_end = std::exchange(after_return_, c == '\r') && c == '\n';
    if (same_end) continue;
    if (c == '\r' || c == '\n') {
      if (!take_line(take)) return false;
    } else if (line_.size() < bytes_max_) {
      line_ += c;
    } else {
      return false;
    }
  }
  return true;
}

void EventStreamReader::reset() {
  line_.clear();
  after_return_ = false;
  event_ = {};
  has_data_ = false;
  id_ = last_id_;
}

bool EventStreamReader::take_line(const Take& take) {
  const std::string line = std::exchange(line_, {});
  if (!line.empty()) {
    const size_t colon = line.find(':');
    std::string_view value;
    if (colon != std::string::npos) value = std::string_view{line}.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    take_field(std::string_view{line}.substr(0, colon), value);
    return event_.data.size() <= bytes_max_;
  }
  last_id_ = id_;
  StreamEvent event = std::exchange(event_, {});
  if (!std::exchange(has_data_, false)) return true;
  if (event.type.empty()) event.type = "message";
  return take(event);
}

void EventStreamReader::take_field(std::string_view name, std::string_view value) {
  if (name == "event") {
    event_.type = value;
  } else if (name == "data") {
    if (std::exchange(has_data_, true)) event_.data += '\n';
    event_.data += value;
  } else if (name == "id" && value.find('\0') == std::string_view::npos) {
    id_ = value;
  }
}

}  // namespace ringpost::cli
