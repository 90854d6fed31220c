// Goal: json::Document finds in any text what simdjson's DOM holds there, the last of members that
// stand twice, and nothing in what is no JSON. Method: the first line of the input is a path, the
// rest the text.

#include "base/assert.h"
#include "dom_judge.h"
#include "fuzz.h"
#include "json/document.h"

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>

namespace ringpost::json {
namespace {

namespace dom = simdjson::dom;

/// The DOM refuses a few numbers and strings that are JSON by the grammar, and is deeper.
bool may_differ(simdjson::error_code error) {
  return error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR;
}

Kind kind_of(dom::element value) {
  switch (value.type()) {
    case dom::element_type::ARRAY: return Kind::array;
    case dom::element_type::OBJECT: return Kind::object;
    case dom::element_type::INT64:
    case dom::element_type::UINT64: return Kind::integer;
    case dom::element_type::DOUBLE: return Kind::number;
    case dom::element_type::STRING: return Kind::string;
    case dom::element_type::BOOL: return Kind::boolean;
    case dom::element_type::NULL_VALUE: return Kind::null;
  }
  RINGPOST_UNREACHABLE();
}

void check_text(const Found& found, dom::element expected) {
  if (found.kind == Kind::null) return RINGPOST_ASSERT(found.text.empty());
  if (found.kind == Kind::string) {
    return RINGPOST_ASSERT(found.text == std::string_view{expected});
  }
  static dom::parser again;
  dom::element value;
  // Padded by the array: a root number must end somewhere.
  RINGPOST_ASSERT(again.parse('[' + std::string{found.text} + ']').at(0).get(value) ==
                  simdjson::SUCCESS);
  RINGPOST_ASSERT(simdjson::minify(value) == simdjson::minify(expected));
}

void check_elements(Document& document, const Path& path, dom::element array) {
  auto expected = dom::array{array}.begin();
  const auto end = dom::array{array}.end();
  document.for_each_element(path, [&](const Found& found) {
    RINGPOST_ASSERT(expected != end);
    RINGPOST_ASSERT(found.kind == kind_of(*expected));
    check_text(found, *expected);
    ++expected;
    return true;
  });
  RINGPOST_ASSERT(!(expected != end));
}

void check(const Path& path, std::string_view text) {
  static dom::parser judge;
  static Document document;
  document.assign(text);
  const Found found = document.find(path);
  RINGPOST_ASSERT((found.kind != Kind::missing) == document.has_member(path));
  dom::element root;
  const auto error = judge.parse(std::string{text}).get(root);
  if (may_differ(error)) return;
  std::optional<dom::element> expected;
  if (error == simdjson::SUCCESS) expected = look_up(root, path);
  if (!expected) return RINGPOST_ASSERT(found.kind == Kind::missing);
  RINGPOST_ASSERT(found.kind == kind_of(*expected));
  check_text(document.find(path), *expected);
  if (found.kind == Kind::array) check_elements(document, path, *expected);
}

}  // namespace
}  // namespace ringpost::json

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using ringpost::json::Path;
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const size_t line = input.find('\n');
  if (line == std::string_view::npos) return 0;
  const auto path = Path::parse(input.substr(0, line));
  RINGPOST_ASSERT(path.has_value() == Path::object_to(input.substr(0, line)).empty());
  if (path) ringpost::json::check(*path, input.substr(line + 1));
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  return {
      "action.targets.0.id\n"
      R"({"action":{"id":8801,"targets":[{"id":5},{"id":6}]},"user":{"name":"Ada"}})",
      "a.b\n"
      R"({"a":{"b":1},"a":{"b":2,"\u0062":[3, 4.50 ,"x\n\"",null,{"c":{}}]}})",
      "a\n"
      R"({ "a" : [ [ ] , { } , true , false , "\ud83d\ude00 \u00e9" , -0 , 1E5 ] })",
      "1.k\n"
      R"( [ 1 , { "k" : { "count" : 2 , "failed" : 0.0 } , "l" : "" } ] )",
      "a\n"
      R"({"a":1},{"a":2})",
  };
}
