// Whether GET /v1/openapi.json tells of what is served: here, because a shard's routes are the last
// of the three kinds of tables.

#include "control/api/openapi.h"

#include "control/api/routes.h"
#include "dialect/dialect.h"
#include "shard/routes.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <string>

namespace ringpost::shard {
namespace {

namespace dom = simdjson::dom;

struct Door {
  std::string scope;  ///< Empty: open to anybody; `any`: to any token.
  bool operator==(const Door&) const = default;
};

/// Who is let in, by operation: `GET /v1/webhooks/{}`.
using Doors = std::map<std::string, Door>;

/// Placeholders have other names in a document than in a table, if any.
std::string without_names(std::string_view pattern) {
  std::string out;
  bool inside = false;
  for (const char byte : pattern) {
    if (byte == '}') inside = false;
    if (!inside) out += byte;
    if (byte == '{') inside = true;
  }
  return out;
}

std::string door_of(const api::Route& route) {
  if (route.access == api::Access::open) return {};
  if (route.scope == subscription::Scope{}) return "any";
  return std::string{subscription::name(route.scope)};
}

Doors served() {
  Doors doors;
  const auto add = [&](std::span<const api::Route> routes) {
    for (const api::Route& route : routes) {
      doors[std::string{route.method} + " " + without_names(route.pattern)] = {door_of(route)};
    }
  };
  add(own_routes());
  add(control::native_routes());
  for (const dialect::Dialect* dialect : dialect::all()) add(dialect->routes());
  return doors;
}

bool is_method(std::string_view name) {
  constexpr std::array<std::string_view, 8> methods = {"get",     "put",  "post",  "delete",
                                                       "options", "head", "patch", "trace"};
  return std::ranges::find(methods, name) != methods.end();
}

std::string upper(std::string_view text) {
  std::string out{text};
  for (char& byte : out) byte = static_cast<char>(std::toupper(static_cast<unsigned char>(byte)));
  return out;
}

class OpenApi : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(parser_.parse(std::string{control::openapi_document()}).get(document_),
              simdjson::SUCCESS);
  }

  /// Calls `visit(name, operation)` for each operation of the document.
  template <typename Visit>
  void for_each_operation(Visit visit) {
    dom::object paths;
    ASSERT_EQ(document_["paths"].get(paths), simdjson::SUCCESS);
    for (const auto [path, item] : paths) {
      for (const auto [method, operation] : item.get_object()) {
        if (is_method(method)) visit(upper(method) + " " + without_names(path), operation);
      }
    }
  }

  /// Whether an operation asks for nothing: `"security": []`.
  static bool is_open(dom::element operation) {
    dom::array security;
    return operation["security"].get(security) == simdjson::SUCCESS && security.size() == 0;
  }

  dom::parser parser_;
  dom::element document_;
};

TEST_F(OpenApi, TellsOfEveryRouteItsScopeAndOfNoOther) {
  Doors told;
  for_each_operation([&](const std::string& name, dom::element operation) {
    std::string_view scope;
    if (operation["x-ringpost-scope"].get(scope) != simdjson::SUCCESS) scope = {};
    EXPECT_TRUE(told.emplace(name, Door{std::string{scope}}).second) << name << " stands twice";
  });
  const Doors real = served();
  for (const auto& [name, door] : real) {
    ASSERT_TRUE(told.contains(name)) << name << " is served and not in openapi.json";
    EXPECT_EQ(told.at(name).scope, door.scope) << "x-ringpost-scope of " << name;
  }
  for (const auto& [name, door] : told) {
    EXPECT_TRUE(real.contains(name)) << name << " is in openapi.json and not served";
  }
  EXPECT_GT(real.size(), 20u);
}

TEST_F(OpenApi, AsksForATokenWhereAndOnlyWhereARouteDoes) {
  const Doors real = served();
  for_each_operation([&](const std::string& name, dom::element operation) {
    if (!real.contains(name)) return;
    EXPECT_EQ(is_open(operation), real.at(name).scope.empty()) << "security of " << name;
  });
  dom::array security;
  ASSERT_EQ(document_["security"].get(security), simdjson::SUCCESS);
  EXPECT_GT(security.size(), 0u);
}

TEST_F(OpenApi, TellsOfTheRefusalsThatAScopeBrings) {
  for_each_operation([&](const std::string& name, dom::element operation) {
    if (is_open(operation)) return;
    dom::element refusal;
    EXPECT_EQ(operation["responses"]["401"].get(refusal), simdjson::SUCCESS) << name;
  });
}

}  // namespace
}  // namespace ringpost::shard
