#include "ingest/cdevent.h"

#include <algorithm>
#include <array>

namespace ringpost::ingest {
namespace {

namespace json = simdjson::ondemand;

/// A member that the event needs: `<part>.<name>`, and the attribute that it becomes (CDEvents'
/// binding to CloudEvents).
struct Member {
  std::string_view part;
  std::string_view name;
  std::string_view path;
  std::string_view attribute;
};
constexpr std::array<Member, 5> members{{
    {"context", "id", "context.id", "id"},
    {"context", "source", "context.source", "source"},
    {"context", "type", "context.type", "type"},
    {"context", "timestamp", "context.timestamp", "time"},
    {"subject", "id", "subject.id", "subject"},
}};

const Member* find_member(std::string_view part, std::string_view name) {
  const auto found = std::ranges::find_if(
      members, [&](const Member& member) { return member.part == part && member.name == name; });
  return found == members.end() ? nullptr : &*found;
}

bool has_cdevents_type(json::value& context) {
  json::object object;
  if (context.get_object().get(object) != simdjson::SUCCESS) return false;
  bool found = false;
  for (auto field : object) {
    std::string_view name;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS) return false;
    if (name != "type") continue;
    std::string_view type;
    if (field.value().get_string().get(type) != simdjson::SUCCESS) return false;
    found = type.starts_with("dev.cdevents.");
  }
  return found;
}

class CdeventReader {
 public:
  CdeventReader(TextStore& texts, journal::EventView& event) : texts_(texts), event_(event) {}

  std::optional<Refusal> read(json::object& object) {
    for (auto field : object) {
      std::string_view name;
      if (const auto error = field.unescaped_key().get(name)) return not_json(error);
      json::value value;
      if (const auto error = field.value().get(value)) return not_json(error);
      if (name == "context") {
        if (auto refusal = read_part("context", value, context_seen_)) return refusal;
      } else if (name == "subject") {
        if (auto refusal = read_part("subject", value, subject_seen_)) return refusal;
      } else if (const auto error = walk(value, json_depth_max - 1)) {
        return not_json(error);
      }
    }
    return finish();
  }

 private:
  std::optional<Refusal> read_part(std::string_view part, json::value& value, bool& seen) {
    if (seen) return wrong(part, "appears more than once");
    seen = true;
    if (value.raw_json_token().front() != '{') return wrong(part, "must be an object");
    json::object object;
    if (const auto error = value.get_object().get(object)) return not_json(error);
    for (auto field : object) {
      std::string_view name;
      if (const auto error = field.unescaped_key().get(name)) return not_json(error);
      json::value inner;
      if (const auto error = field.value().get(inner)) return not_json(error);
      if (const Member* member = find_member(part, name)) {
        if (auto refusal = read_member(*member, inner)) return refusal;
      } else if (const auto error = walk(inner, json_depth_max - 2)) {
        return not_json(error);
      }
    }
    return std::nullopt;
  }

  std::optional<Refusal> read_member(const Member& member, json::value& value) {
    const Attribute& attribute = *find_attribute(member.attribute);
    if (!(event_.*attribute.place).empty()) return wrong(member.path, "appears more than once");
    std::optional<std::string_view> text;
    if (auto refusal = read_text(member.path, value, texts_, text)) return refusal;
    if (!text) return wrong(member.path, "must be a string");
    if (text->empty()) return wrong(member.path, "is empty");
    return set_attribute(attribute, member.path, *text, texts_, event_);
  }

  std::optional<Refusal> finish() {
    for (const Member& member : members) {
      if ((event_.*find_attribute(member.attribute)->place).empty()) {
        return wrong(member.path, "is missing");
      }
    }
    event_.id_given = true;
    return std::nullopt;
  }

  TextStore& texts_;
  journal::EventView& event_;
  bool context_seen_ = false;
  bool subject_seen_ = false;
};

}  // namespace

bool is_cdevent(json::document& document) {
  if (!document.is_alive()) return false;  // What is not JSON cannot be rewound.
  document.rewind();
  json::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS) return false;
  bool found = false;
  for (auto field : object) {
    std::string_view name;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS) return false;
    if (name == "type" || name == "source") return false;
    if (name != "context") continue;
    json::value value;
    if (field.value().get(value) != simdjson::SUCCESS) return false;
    found = has_cdevents_type(value);
    if (!found) return false;
  }
  return found;
}

std::optional<Refusal> read_cdevent(json::document& document, std::string_view text,
                                    TextStore& texts, journal::EventView& event) {
  document.rewind();
  json::object object;
  if (const auto error = document.get_object().get(object)) return not_json(error);
  CdeventReader reader{texts, event};
  if (auto refusal = reader.read(object)) return refusal;
  event.data = as_bytes(text);
  return std::nullopt;
}

}  // namespace ringpost::ingest
