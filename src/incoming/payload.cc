#include "incoming/payload.h"

namespace ringpost::incoming {

using json::Kind;

std::string Payload::text(const json::Path& path) const {
  const json::Found found = document_.scalar(path);
  const bool is_text = found.kind == Kind::string || found.kind == Kind::integer;
  return is_text && !found.broken ? std::string{found.text} : std::string{};
}

std::string Payload::text(const json::Path& path, const json::Path& otherwise) const {
  std::string first = text(path);
  return first.empty() ? text(otherwise) : first;
}

bool Payload::is_true(const json::Path& path) const {
  const json::Found found = document_.scalar(path);
  return found.kind == Kind::boolean && found.text == "true";
}

bool Payload::is_object(const json::Path& path) const {
  return document_.scalar(path).kind == Kind::object;
}

std::string_view Payload::array(const std::string& path) const {
  const std::string_view value = spelled(json::Path::constant(path));
  return value.starts_with('[') ? value : std::string_view{};
}

std::string Payload::element_with(const std::string& array, std::string_view member,
                                  std::string_view value) const {
  for (size_t index = 0; index < elements_max; ++index) {
    std::string element = array + '.' + std::to_string(index);
    if (!has(element)) break;
    if (text(element + '.' + std::string{member}) == value) return element;
  }
  return {};
}

http::Problem not_of_event(std::string_view event, std::string_view member) {
  return {.status = 422,
          .type = "urn:ringpost:invalid-event",
          .detail = "The event header says `" + std::string{event} +
                    "`, but the body is not of such an event: `" + std::string{member} +
                    "` is missing.",
          .member = std::string{member}};
}

http::Problem disagreement(std::string_view header, std::string_view event, std::string_view member,
                           std::string_view value) {
  return {.status = 422,
          .type = "urn:ringpost:invalid-event",
          .detail = "The header " + std::string{header} + " says `" + std::string{event} +
                    "`, but `" + std::string{member} + "` in the body is `" + std::string{value} +
                    "`.",
          .member = std::string{member}};
}

std::optional<http::Problem> read_changes(
    std::string_view event, const Payload& payload, const std::string& changes, const Facts& common,
    void (*read_change)(const Payload& payload, const std::string& place, Facts& facts),
    std::vector<Facts>& out) {
  const auto place_of = [&](size_t index) { return changes + '.' + std::to_string(index); };
  if (payload.array(changes).empty()) return not_of_event(event, changes);
  if (payload.has(place_of(changes_max))) {
    out.push_back(common);
    out.back().type = push_type;
    out.back().action = "updated";
    return std::nullopt;
  }
  for (size_t index = 0; payload.has(place_of(index)); ++index) {
    const std::string place = place_of(index);
    if (!payload.is_object(json::Path::constant(place))) return not_of_event(event, place);
    out.push_back(common);
    read_change(payload, place, out.back());
  }
  return std::nullopt;
}

}  // namespace ringpost::incoming
