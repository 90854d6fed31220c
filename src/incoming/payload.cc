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

}  // namespace ringpost::incoming
