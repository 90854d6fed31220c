#pragma once

#include "api/problem.h"
#include "subscription/token.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ringpost::api {

/// Who may call a route.
enum class Access : uint8_t {
  token,  ///< A token with the route's scope.
  open    ///< Anybody: the route checks for itself, or has nothing to hide.
};

/// One line of a table that decides who may do what (reliability A-1). Each API has one.
struct Route {
  uint16_t operation = 0;  ///< A number of the table's owner.
  std::string_view method;
  /// `{name}` matches one segment; as the last segment, `{name...}` for everything left.
  std::string_view pattern;
  subscription::Scope scope{};  ///< `Scope{}`: any token will do.
  Access access = Access::token;
  /// A header that may hold the token instead of Authorization; empty: none.
  std::string_view token_header = {};
  bool get_changes = false;  ///< Although it is a GET it changes something.
  bool takes_forms = false;  ///< The body may also be a form with the JSON in one of its fields.

  /// Whether a call may change what the relay keeps.
  bool changes() const { return method != "GET" || get_changes; }
};

/// What stood for the placeholders, in order, or nothing if the path is another one.
/// @param path  as http::Request::path: decoded once.
std::optional<std::vector<std::string>> match_path(std::string_view pattern, std::string_view path);

struct Match {
  const Route* route = nullptr;
  std::vector<std::string> parameters;
};
struct NoSuchPath {};
struct WrongMethod {
  std::string allow;  ///< For the header: `GET, HEAD, POST`.
};
Problem to_problem(const WrongMethod& wrong);

/// A HEAD is answered by the GET route of its path (RFC 9110, 9.1 and 9.3.2): who writes the answer
/// leaves its body out. No table has a row for it.
std::variant<Match, NoSuchPath, WrongMethod> find_route(std::span<const Route> routes,
                                                        std::string_view method,
                                                        std::string_view path);

}  // namespace ringpost::api
