#include "json/document.h"

#include "base/assert.h"
#include "json/text.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ringpost::json {
namespace {

namespace ondemand = simdjson::ondemand;

/// A value of the text. The values inside an array or object follow it directly, each with its own.
struct Node {
  uint32_t begin = 0;      ///< Of the value, in the text.
  uint32_t size = 0;       ///< Of a scalar as spelled, in bytes; 0 for arrays and objects.
  uint32_t after = 0;      ///< The node behind this value and all inside it.
  uint32_t key_begin = 0;  ///< Of the member's name as spelled, without quotes.
  uint32_t key_size : 31 = 0;
  uint32_t key_escaped : 1 = 0;
  Kind kind = Kind::missing;
  bool last = false;  ///< Nothing follows it in its array or object.
};

constexpr size_t text_bytes_max = INT32_MAX;

/// A look-up that stepped over so many children of one array or object was a long one; after so
/// many long ones its children get an index.
constexpr uint32_t long_steps = 32;
constexpr uint32_t long_look_ups_max = 16;
/// A text with escapes of this size, as spelled, is made once and kept.
constexpr uint32_t long_text_bytes = 1024;

/// A child of an array or object that was looked into often.
struct Child {
  std::string_view name;  ///< What it stands for; empty in an array.
  uint32_t node = 0;
};

/// What is known of an array or object with many children.
struct Family {
  uint32_t long_look_ups = 0;
  bool indexed = false;
  /// Of an array: by place. Of an object: by name, and those of one name by place.
  std::vector<Child> children;
};

Kind kind_of_literal(std::string_view token) {
  switch (token.front()) {
    case 't':
    case 'f': return Kind::boolean;
    case 'n': return Kind::null;
    default:
      return token.find_first_of(".eE") == std::string_view::npos ? Kind::integer : Kind::number;
  }
}

/// The size of a name as spelled, whose closing quote is known to come.
size_t key_size(const char* key, bool& escaped) {
  size_t size = 0;
  while (key[size] != '"') {
    const bool escape = key[size] == '\\';
    escaped |= escape;
    size += escape ? 2 : 1;
  }
  return size;
}

/// Appends the array or object at the front of `json`, which is valid, without its white space.
void append_compact(std::string& out, std::string_view json) {
  uint32_t depth = 0;
  bool in_string = false;
  for (size_t at = 0; at < json.size(); ++at) {
    const char byte = json[at];
    if (in_string) {
      out += byte;
      if (byte == '\\') out += json[++at];
      in_string = byte != '"';
      continue;
    }
    if (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t') continue;
    out += byte;
    in_string = byte == '"';
    if (byte == '{' || byte == '[') ++depth;
    if ((byte == '}' || byte == ']') && --depth == 0) return;
  }
}

/// The size of the array or object at the front of `json`, which is valid.
size_t size_of_container(std::string_view json) {
  uint32_t depth = 0;
  bool in_string = false;
  for (size_t at = 0;; ++at) {
    const char byte = json[at];
    if (byte == '\\') ++at;
    if (byte == '"') in_string = !in_string;
    if (in_string) continue;
    if (byte == '{' || byte == '[') ++depth;
    if ((byte == '}' || byte == ']') && --depth == 0) return at + 1;
  }
}

}  // namespace

struct Document::State {
  enum class Progress { unread, indexed, broken };

  void assign(std::string_view from);
  /// Whether there is an index: makes it if nobody asked before.
  bool index();
  simdjson::error_code build();
  simdjson::error_code add(ondemand::value& value, uint32_t levels_left);
  simdjson::error_code add_members(ondemand::value& value, uint32_t levels_left);
  simdjson::error_code add_elements(ondemand::value& value, uint32_t levels_left);
  /// Ends the array or object `node`, whose last value is `last_child` (node itself if it is
  /// empty).
  void close(uint32_t node, uint32_t last_child);
  uint32_t place(const char* at) const;

  bool is_named(const Node& member, std::string_view name);
  uint32_t member(uint32_t object, std::string_view name);
  uint32_t element(uint32_t array, uint32_t index);
  const Family* family_of(uint32_t parent) const;
  void note_steps(uint32_t parent, uint32_t steps);
  void add_children(uint32_t parent, Family& family);
  uint32_t look_up(const Path& path);
  Found text_of(uint32_t place);
  std::string_view unescaped(uint32_t place, std::string_view inside);

  std::string_view text;
  Progress progress = Progress::unread;
  std::vector<Node> nodes;
  std::string scratch;  ///< The text of what was found last, if it is not in `text` as it is.
  std::unordered_map<uint32_t, Family> families;  ///< By node; of the large ones.
  std::unordered_map<uint32_t, std::string> long_texts;
  std::deque<std::string> unescaped_names;
  uint64_t work = 0;

  // For parsing only.
  std::unique_ptr<ondemand::parser> parser = std::make_unique<ondemand::parser>();
  std::string padded;  ///< `[`, the text, `]` and simdjson's padding; grows only.
};

void Document::State::assign(std::string_view from) {
  if (nodes.capacity() * sizeof(Node) > kept_bytes_max) nodes = {};
  if (scratch.capacity() > kept_bytes_max) scratch = {};
  nodes.clear();
  families.clear();
  long_texts.clear();
  unescaped_names.clear();
  text = from;
  progress = Progress::unread;
  work = 0;
}

bool Document::State::index() {
  if (progress == Progress::unread) {
    work += text.size();
    progress = build() == simdjson::SUCCESS ? Progress::indexed : Progress::broken;
    if (text.size() > kept_bytes_max) {
      parser = std::make_unique<ondemand::parser>();
      padded = {};
    }
  }
  return progress == Progress::indexed;
}

uint32_t Document::State::place(const char* at) const {
  return static_cast<uint32_t>(at - padded.data() - 1);  // Without the array around it.
}

simdjson::error_code Document::State::build() {
  if (text.size() > text_bytes_max) return simdjson::CAPACITY;
  if (!escapes_are_valid(text)) return simdjson::STRING_ERROR;
  // An array around it makes one rule of texts whose root is a scalar and of others.
  const size_t size = text.size() + 2;
  if (padded.size() < size + simdjson::SIMDJSON_PADDING) {
    padded.resize(size + simdjson::SIMDJSON_PADDING);
  }
  padded.front() = '[';
  if (!text.empty()) std::memcpy(padded.data() + 1, text.data(), text.size());
  padded[size - 1] = ']';
  ondemand::document document;
  if (const auto error =
          parser->iterate(std::string_view{padded.data(), size}, padded.size()).get(document)) {
    return error;
  }
  ondemand::array array;
  if (const auto error = document.get_array().get(array)) return error;
  uint32_t count = 0;
  for (auto element : array) {
    if (const auto error = element.error()) return error;
    if (++count > 1) return simdjson::TAPE_ERROR;
    ondemand::value&& root = std::move(element).value_unsafe();
    if (const auto error = add(root, depth_max)) return error;
  }
  // Only at the very end is there no place.
  const bool at_end = document.current_location().error() == simdjson::OUT_OF_BOUNDS;
  return count == 1 && at_end ? simdjson::SUCCESS : simdjson::TAPE_ERROR;
}

simdjson::error_code Document::State::add(ondemand::value& value, uint32_t levels_left) {
  const std::string_view token = value.raw_json_token();
  const auto index = static_cast<uint32_t>(nodes.size());
  Node& node = nodes.emplace_back();
  node.begin = place(token.data());
  node.after = index + 1;
  switch (token.front()) {
    case '{': node.kind = Kind::object; return add_members(value, levels_left);
    case '[': node.kind = Kind::array; return add_elements(value, levels_left);
    default: break;
  }
  const std::string_view scalar = trim_end(token);
  node.size = static_cast<uint32_t>(scalar.size());
  if (scalar.front() == '"') {
    node.kind = Kind::string;
    return value.get_raw_json_string().error();
  }
  if (!is_json_literal(scalar)) return simdjson::TAPE_ERROR;
  node.kind = kind_of_literal(scalar);
  return simdjson::SUCCESS;
}

// Values stay where the parser made them, as in ingest's walk: copying one for each token is dear.
simdjson::error_code Document::State::add_members(ondemand::value& value, uint32_t levels_left) {
  if (levels_left == 0) return simdjson::DEPTH_ERROR;
  const auto parent = static_cast<uint32_t>(nodes.size() - 1);
  uint32_t child = parent;
  ondemand::object object;
  if (const auto error = value.get_object().get(object)) return error;
  for (auto field : object) {
    if (const auto error = field.error()) return error;
    ondemand::field&& member = std::move(field).value_unsafe();
    child = static_cast<uint32_t>(nodes.size());
    const char* const key = member.key().raw();
    if (const auto error = add(member.value(), levels_left - 1)) return error;
    bool escaped = false;
    nodes[child].key_begin = place(key);
    nodes[child].key_size = static_cast<uint32_t>(key_size(key, escaped)) & text_bytes_max;
    nodes[child].key_escaped = escaped;
  }
  close(parent, child);
  return simdjson::SUCCESS;
}

simdjson::error_code Document::State::add_elements(ondemand::value& value, uint32_t levels_left) {
  if (levels_left == 0) return simdjson::DEPTH_ERROR;
  const auto parent = static_cast<uint32_t>(nodes.size() - 1);
  uint32_t child = parent;
  ondemand::array array;
  if (const auto error = value.get_array().get(array)) return error;
  for (auto element : array) {
    if (const auto error = element.error()) return error;
    ondemand::value&& item = std::move(element).value_unsafe();
    child = static_cast<uint32_t>(nodes.size());
    if (const auto error = add(item, levels_left - 1)) return error;
  }
  close(parent, child);
  return simdjson::SUCCESS;
}

void Document::State::close(uint32_t node, uint32_t last_child) {
  nodes[node].after = static_cast<uint32_t>(nodes.size());
  if (last_child != node) nodes[last_child].last = true;
}

bool Document::State::is_named(const Node& member, std::string_view name) {
  const std::string_view key = text.substr(member.key_begin, member.key_size);
  if (!member.key_escaped) return key == name;
  scratch.clear();
  return unescape(key, scratch) && scratch == name;
}

uint32_t Document::State::member(uint32_t object, std::string_view name) {
  if (const Family* family = family_of(object)) {
    const auto after = std::ranges::upper_bound(family->children, name, {}, &Child::name);
    const bool found = after != family->children.begin() && std::prev(after)->name == name;
    return found ? std::prev(after)->node : no_node;
  }
  uint32_t found = no_node;
  uint32_t steps = 0;
  for (uint32_t node = object + 1; node < nodes[object].after; node = nodes[node].after) {
    if (is_named(nodes[node], name)) found = node;
    ++steps;
  }
  note_steps(object, steps);
  return found;
}

uint32_t Document::State::element(uint32_t array, uint32_t index) {
  if (const Family* family = family_of(array)) {
    return index < family->children.size() ? family->children[index].node : no_node;
  }
  uint32_t node = array + 1;
  uint32_t steps = 0;
  for (; node < nodes[array].after && steps < index; ++steps) node = nodes[node].after;
  note_steps(array, steps);
  return node < nodes[array].after ? node : no_node;
}

// --- arrays and objects with many children -------------------------------------------------------

const Family* Document::State::family_of(uint32_t parent) const {
  if (families.empty()) return nullptr;
  const auto found = families.find(parent);
  return found != families.end() && found->second.indexed ? &found->second : nullptr;
}

void Document::State::note_steps(uint32_t parent, uint32_t steps) {
  work += steps;
  if (steps < long_steps) return;
  Family& family = families[parent];
  if (++family.long_look_ups == long_look_ups_max) add_children(parent, family);
}

void Document::State::add_children(uint32_t parent, Family& family) {
  const bool named = nodes[parent].kind == Kind::object;
  for (uint32_t node = parent + 1; node < nodes[parent].after; node = nodes[node].after) {
    const Node& child = nodes[node];
    std::string_view name = named ? text.substr(child.key_begin, child.key_size) : "";
    if (named && child.key_escaped) {
      std::string& made = unescaped_names.emplace_back();
      if (!unescape(name, made)) continue;  // It stands for no text, so no path leads to it.
      name = made;
    }
    family.children.push_back({name, node});
  }
  work += family.children.size();
  if (named) std::ranges::stable_sort(family.children, {}, &Child::name);
  family.indexed = true;
}

// -------------------------------------------------------------------------------------------------

uint32_t Document::State::look_up(const Path& path) {
  if (!index()) return no_node;
  uint32_t node = 0;
  for (size_t name = 0; name < path.names_count() && node != no_node; ++name) {
    if (nodes[node].kind == Kind::object) {
      node = member(node, path.name(name));
    } else if (const auto index = path.element(name); index && nodes[node].kind == Kind::array) {
      node = element(node, *index);
    } else {
      node = no_node;
    }
  }
  return node;
}

Found Document::State::text_of(uint32_t place) {
  const Node& node = nodes[place];
  const std::string_view spelled = text.substr(node.begin, node.size);
  switch (node.kind) {
    case Kind::missing:
    case Kind::null: return {node.kind, {}};
    case Kind::boolean:
    case Kind::number: return {node.kind, spelled};
    case Kind::integer: return {node.kind, spelled == "-0" ? "0" : spelled};
    case Kind::string: {
      const std::string_view inside = spelled.substr(1, spelled.size() - 2);
      if (inside.find('\\') == std::string_view::npos) return {node.kind, inside};
      // Each escape is longer than what it stands for: only what could not be read keeps its size.
      const std::string_view plain = unescaped(place, inside);
      return {node.kind, plain, plain.size() == inside.size()};
    }
    case Kind::array:
    case Kind::object:
      scratch.clear();
      append_compact(scratch, text.substr(node.begin));
      work += scratch.size();
      return {node.kind, scratch};
  }
  RINGPOST_UNREACHABLE();
}

/// What the string at `place` stands for; as it is spelled where that is no text.
std::string_view Document::State::unescaped(uint32_t place, std::string_view inside) {
  const bool is_long = inside.size() >= long_text_bytes;
  std::string& made = is_long ? long_texts[place] : scratch;
  if (is_long && !made.empty()) return made;
  made.clear();
  work += inside.size();
  if (!unescape(inside, made)) made = inside;
  return made;
}

Document::Document() : state_(std::make_unique<State>()) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

void Document::assign(std::string_view text) {
  state_->assign(text);
}

Found Document::find(const Path& path) {
  const uint32_t node = state_->look_up(path);
  return node == no_node ? Found{} : at(node);
}

std::string_view Document::spelled(const Path& path) {
  const uint32_t index = state_->look_up(path);
  if (index == no_node) return {};
  const Node& node = state_->nodes[index];
  const std::string_view rest = state_->text.substr(node.begin);
  const bool container = node.kind == Kind::array || node.kind == Kind::object;
  return rest.substr(0, container ? size_of_container(rest) : node.size);
}

Found Document::root() {
  return state_->index() ? at(0) : Found{};
}

bool Document::valid() {
  return state_->index();
}

Found Document::scalar(const Path& path) {
  const uint32_t node = state_->look_up(path);
  return node == no_node ? Found{} : scalar_at(node);
}

uint64_t Document::work() const {
  return state_->work;
}

bool Document::has_member(const Path& path) {
  return state_->look_up(path) != no_node;
}

std::vector<std::string> Document::member_names(const Path& path) {
  std::vector<std::string> names;
  const uint32_t object = state_->look_up(path);
  if (object == no_node || state_->nodes[object].kind != Kind::object) return names;
  for (uint32_t node = object + 1; node < state_->nodes[object].after;
       node = state_->nodes[node].after) {
    const Node& member = state_->nodes[node];
    const std::string_view key = state_->text.substr(member.key_begin, member.key_size);
    std::string& name = names.emplace_back();
    if (!unescape(key, name)) name = key;
  }
  return names;
}

uint32_t Document::first_element(const Path& path) {
  const uint32_t array = state_->look_up(path);
  if (array == no_node || state_->nodes[array].kind != Kind::array) return no_node;
  return state_->element(array, 0);
}

uint32_t Document::next_element(uint32_t node) const {
  const Node& element = state_->nodes[node];
  return element.last ? no_node : element.after;
}

Document::Leaves Document::leaves_of(const Path& path) {
  const uint32_t array = state_->look_up(path);
  if (array == no_node || state_->nodes[array].kind != Kind::array) return {0, 0};
  return {array + 1, state_->nodes[array].after};
}

bool Document::open_arrays(Leaves& leaves) const {
  const auto is_array = [this](uint32_t node) { return state_->nodes[node].kind == Kind::array; };
  while (leaves.left > 0 && leaves.next < leaves.end && is_array(leaves.next)) {
    ++leaves.next;
    --leaves.left;
  }
  return leaves.left > 0 && leaves.next < leaves.end;
}

void Document::step_over(Leaves& leaves) const {
  --leaves.left;
  ++state_->work;
  leaves.next = state_->nodes[leaves.next].after;
}

Found Document::at(uint32_t node) {
  return state_->text_of(node);
}

Found Document::scalar_at(uint32_t node) {
  const Kind kind = state_->nodes[node].kind;
  return kind == Kind::array || kind == Kind::object ? Found{kind, {}} : at(node);
}

}  // namespace ringpost::json
