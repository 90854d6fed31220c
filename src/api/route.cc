#include "api/route.h"

#include <algorithm>

namespace ringpost::api {
namespace {

/// Takes the text up to the next slash off the front, and the slash.
std::string_view take_segment(std::string_view& path) {
  const size_t size = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, size);
  path.remove_prefix(std::min(size + 1, path.size()));
  return segment;
}

}  // namespace

std::optional<std::vector<std::string>> match_path(std::string_view pattern,
                                                   std::string_view path) {
  std::vector<std::string> parameters;
  if (std::ranges::count(path, '/') < std::ranges::count(pattern, '/')) return std::nullopt;
  while (!pattern.empty()) {
    const std::string_view wanted = take_segment(pattern);
    if (wanted.ends_with("...}")) {
      if (path.empty()) return std::nullopt;
      parameters.emplace_back(path);
      return parameters;
    }
    const bool last_of_path = path.find('/') == std::string_view::npos;
    const std::string_view segment = take_segment(path);
    if (wanted.starts_with('{')) {
      if (segment.empty()) return std::nullopt;
      parameters.emplace_back(segment);
    } else if (segment != wanted) {
      return std::nullopt;
    }
    if (pattern.empty() != last_of_path) return std::nullopt;
  }
  return parameters;
}

Problem to_problem(const WrongMethod& wrong) {
  return refusal(405, "this path accepts only: " + wrong.allow);
}

std::variant<Match, NoSuchPath, WrongMethod> find_route(std::span<const Route> routes,
                                                        std::string_view method,
                                                        std::string_view path) {
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  std::string allow;
  for (const Route& route : routes) {
    auto parameters = match_path(route.pattern, path);
    if (!parameters) continue;
    if (route.method == wanted) return Match{&route, std::move(*parameters)};
    if (!allow.empty()) allow += ", ";
    allow += route.method;
    if (route.method == "GET") allow += ", HEAD";
  }
  if (allow.empty()) return NoSuchPath{};
  return WrongMethod{allow};
}

}  // namespace ringpost::api
