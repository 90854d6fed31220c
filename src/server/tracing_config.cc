#include "server/tracing_config.h"

#include "base/utf8.h"
#include "http/serialiser.h"
#include "http/syntax.h"

#include <algorithm>
#include <array>

namespace ringpost::server {
namespace {

constexpr std::string_view usual_path = "/v1/traces";
constexpr size_t headers_max = 32;
constexpr size_t attribute_bytes_max = 1024;

/// What the relay says of itself.
constexpr std::array own_attributes = {"service.name", "service.version", "service.instance.id"};

std::string of_line(size_t line, std::string_view problem) {
  return "line " + std::to_string(line) + " " + std::string{problem};
}

/// Nothing is wrong: empty.
std::string_view object_to_header(std::string_view name, std::string_view value) {
  if (!http::valid_header_name(name)) return "does not begin with the name of a header";
  if (http::reserved_request_header(name)) return "names a header that the relay writes itself";
  if (value.empty() || !http::valid_header_value(value))
    return "has no value that a header can have";
  return {};
}

}  // namespace

std::variant<http::Url, std::string> parse_collector_url(std::string_view text) {
  auto parsed = http::parse_url(text);
  if (const auto* problem = std::get_if<http::UrlProblem>(&parsed)) return problem->reason;
  http::Url url = std::get<http::Url>(std::move(parsed));
  if (url.target == "/") url.target = usual_path;
  return url;
}

std::variant<std::vector<http::Header>, std::string> parse_collector_headers(
    std::string_view text) {
  std::vector<http::Header> headers;
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view written =
        http::trim(text.substr(0, end - (end > 0 && text[end - 1] == '\r')));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (written.empty() || written.starts_with('#')) continue;
    const size_t colon = written.find(':');
    if (colon == std::string_view::npos) return of_line(line, "is not of the form `Name: value`");
    http::Header header{std::string{written.substr(0, colon)},
                        std::string{http::trim(written.substr(colon + 1))}};
    const auto objection = object_to_header(header.name, header.value);
    if (!objection.empty()) return of_line(line, objection);
    headers.push_back(std::move(header));
  }
  if (headers.empty()) return "holds no header";
  if (headers.size() > headers_max) return "holds more than 32 headers";
  return headers;
}

std::variant<std::pair<std::string, std::string>, std::string> parse_resource_attribute(
    std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size()) {
    return "is not of the form \"key=value\"";
  }
  if (text.size() > attribute_bytes_max) return "is longer than 1024 bytes";
  if (has_forbidden_character(text)) return "holds a control character";
  std::pair attribute{std::string{text.substr(0, equals)}, std::string{text.substr(equals + 1)}};
  if (std::ranges::find(own_attributes, attribute.first) != own_attributes.end()) {
    return "names what the relay says itself (tracing.service_name sets its name)";
  }
  return attribute;
}

}  // namespace ringpost::server
