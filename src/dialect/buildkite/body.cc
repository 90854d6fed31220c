#include "dialect/buildkite/body.h"

#include <algorithm>
#include <cstring>

namespace ringpost::dialect::buildkite {
namespace {

constexpr std::string_view white_space = " \t\r\n";
constexpr std::string_view event_name = R"("event")";
constexpr std::string_view sender_name = R"("sender")";

/// The place after the string that begins at `at`; the text's end if it does not end.
size_t end_of_string(std::string_view json, size_t at) {
  for (size_t place = at + 1; place < json.size(); ++place) {
    if (json[place] == '"') return place + 1;
    if (json[place] == '\\') ++place;
  }
  return json.size();
}

/// Whether the string that ends before `at` is a member's name.
bool names_member(std::string_view json, size_t at) {
  const size_t next = json.find_first_not_of(white_space, at);
  return next != std::string_view::npos && json[next] == ':';
}

/// The first place from which `name`, with its quotes, can be a member's name at some depth: in a
/// JSON text nothing else is a quote, the name, a quote and a colon, once an escaped first quote is
/// ruled out.
size_t find_member(std::string_view json, std::string_view name) {
  size_t from = 0;
  while (const void* found =
             memmem(json.data() + from, json.size() - from, name.data(), name.size())) {
    const auto at = static_cast<size_t>(static_cast<const char*>(found) - json.data());
    const bool escaped = at > 0 && json[at - 1] == '\\';
    if (!escaped && names_member(json, at + name.size())) return at;
    from = at + 1;
  }
  return std::string_view::npos;
}

/// Steps over a JSON text from a place between two tokens, and counts how deep it goes.
class Walk {
 public:
  Walk(std::string_view json, size_t at) : json_(json), at_(at) {}

  bool ended() const { return at_ >= json_.size(); }
  int64_t depth() const { return depth_; }  ///< Beyond that of the beginning.
  bool at_member(std::string_view name) const {
    return json_.substr(at_, name.size()) == name && names_member(json_, at_ + name.size());
  }
  void step() {
    const char byte = json_[at_];
    if (byte == '"') {
      at_ = end_of_string(json_, at_);
      return;
    }
    if (byte == '{' || byte == '[') ++depth_;
    if (byte == '}' || byte == ']') --depth_;
    ++at_;
  }

 private:
  const std::string_view json_;
  size_t at_;
  int64_t depth_ = 0;
};

/// From the front: the member is expected there.
bool has_event(std::string_view json) {
  if (find_member(json, event_name) == std::string_view::npos) return false;
  for (Walk walk(json, 0); !walk.ended(); walk.step()) {
    if (walk.depth() == 1 && walk.at_member(event_name)) return true;
  }
  return false;
}

/// From its first place to the end: the member is expected there. All brackets are closed at the
/// end, so the depth there says how deep each place was.
bool has_sender(std::string_view json) {
  const size_t first = find_member(json, sender_name);
  if (first == std::string_view::npos) return false;
  Walk walk(json, first);
  int64_t shallowest = 0;  // The first one is where the walk begins.
  for (; !walk.ended(); walk.step()) {
    if (walk.depth() < shallowest && walk.at_member(sender_name)) shallowest = walk.depth();
  }
  return shallowest == walk.depth() + 1;
}

}  // namespace

BodyMembers find_body_members(std::string_view json) {
  const size_t first = json.find_first_not_of(white_space);
  const size_t last = json.find_last_not_of(white_space);
  if (first == std::string_view::npos || first == last || json[first] != '{' || json[last] != '}') {
    return {};
  }
  return {.is_object = true, .event = has_event(json), .sender = has_sender(json)};
}

void append_body(std::string& out, std::string_view data, const BodyMembers& members,
                 std::string_view event, std::string_view sender) {
  const size_t open = data.find('{') + 1;
  const size_t close = data.rfind('}');
  const std::string_view content = data.substr(open, close - open);
  const bool empty = content.find_first_not_of(white_space) == std::string_view::npos;
  out.reserve(out.size() + data.size() + event.size() + sender.size() + 2);
  out.append(data.substr(0, open));
  if (!members.event) out.append(event).append(empty ? "" : ",");
  out.append(content);
  if (!members.sender) out.append(empty && members.event ? "" : ",").append(sender);
  out.append(data.substr(close));
}

}  // namespace ringpost::dialect::buildkite
