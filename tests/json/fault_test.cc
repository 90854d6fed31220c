#include "json/fault.h"

#include "base/prng.h"
#include "json/document.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

// Goal: what is no JSON is named with its first place and a reason that helps; and there is a fault
// exactly where the other readers of JSON find one.

namespace ringpost::json {
namespace {

constexpr uint32_t levels_max = 8;

std::string fault_of(std::string_view text) {
  const auto fault = find_fault(text, levels_max);
  return fault ? describe(*fault, text) : "none";
}

TEST(Fault, IsNotInJson) {
  for (const char* text : {"{}", "[]", " { } ", "0", "-0.5e+10", "true", "false", "null", "\"\"",
                           R"({"a":[1,{"b":"\u00e9\n\"ü"}],"a":1e999})", "\n[1 ,2\t]\r\n",
                           R"("\ud800")", "[[[[[[[[]]]]]]]]"}) {
    EXPECT_EQ(fault_of(text), "none") << text;
  }
}

TEST(Fault, IsNamedWithItsPlace) {
  struct Case {
    std::string_view text;
    std::string_view fault;
  };
  const std::vector<Case> cases{
      {"", "line 1, column 1: there is no JSON value"},
      {"\xef\xbb\xbf{}",
       "line 1, column 1: the text begins with a byte order mark (the bytes EF BB BF); save it "
       "without one"},
      {"{\"a\": 1 # one\n}", "line 1, column 9 (after 8 bytes): comments are not allowed in JSON"},
      {"// x\n{}", "line 1, column 1: comments are not allowed in JSON"},
      {"{\n  \"a\": 1\n  \"b\": 2\n}",
       "line 3, column 3 (after 13 bytes): a comma or } is missing"},
      {"{\"é\": 1 \"b\": 2}", "line 1, column 9 (after 9 bytes): a comma or } is missing"},
      {"[1 2]", "line 1, column 4 (after 3 bytes): a comma or ] is missing"},
      {"{\"a\":1,}", "line 1, column 8 (after 7 bytes): a member is missing after the comma"},
      {"[1,]", "line 1, column 4 (after 3 bytes): a value is missing after the comma"},
      {"{a:1}", "line 1, column 2 (after 1 bytes): a member's name in double quotes is missing"},
      {"{'a':1}", "line 1, column 2 (after 1 bytes): strings and names must be in double quotes"},
      {"{\"a\" 1}", "line 1, column 6 (after 5 bytes): a colon is missing after a member's name"},
      {"{\"a\":NaN}", "line 1, column 6 (after 5 bytes): this is not a JSON value"},
      {"{\"a\":01}", "line 1, column 6 (after 5 bytes): this is not a JSON value"},
      {"{\"a\":}", "line 1, column 6 (after 5 bytes): this is not a JSON value"},
      {"{} {}",
       "line 1, column 4 (after 3 bytes): there is more text after the end of the JSON value"},
      {"{\"a\":1", "line 1, column 7 (after 6 bytes): the text stops in the middle of a value"},
      {"{\"a\":\"b}",
       "line 1, column 6 (after 5 bytes): the string that begins here has no closing quote"},
      {"[\"a\nb\"]",
       "line 1, column 4 (after 3 bytes): a control character in a string is not escaped"},
      {R"(["\x"])", "line 1, column 3 (after 2 bytes): this escape does not exist in JSON"},
      {R"(["\u12g4"])", "line 1, column 3 (after 2 bytes): this escape does not exist in JSON"},
      {"[\"\xff\"]", "line 1, column 3 (after 2 bytes): the bytes are not UTF-8"},
      {"[\"\xc3", "line 1, column 3 (after 2 bytes): the bytes are not UTF-8"},
      {"[\xff]", "line 1, column 2 (after 1 bytes): the bytes are not UTF-8"},
      {"[[[[[[[[[]]]]]]]]]",
       "line 1, column 9 (after 8 bytes): objects and arrays are nested too deeply"},
  };
  for (const auto& [text, fault] : cases) EXPECT_EQ(fault_of(text), fault) << text;
}

TEST(Fault, IsWhereDocumentFindsOne) {
  const std::vector<std::string> seeds{
      R"({"a":[1,2.5,-3e10,true,false,null],"b":{"c":"d\n\u00e9\"","e":[]},"f":""})",
      R"({"ü":"😀","\ud83d\ude00":"\\","n":[0,-0,1E5,1e-5,10]})"};
  constexpr std::string_view alphabet =
      "{}[]:,\"\\ \n\t0123456789-+.eEtrufalsn/bx\x01\x7f\xc3\xa9\xff";
  Document document;
  uint32_t faults = 0;
  constexpr uint64_t rounds = 20'000;
  for (uint64_t seed = 1; seed <= rounds; ++seed) {
    Prng random{seed};
    std::string text = seeds[random.below(seeds.size())];
    for (uint64_t changes = random.between(1, 3); changes > 0 && !text.empty(); --changes) {
      const size_t at = random.below(text.size());
      switch (random.below(3)) {
        case 0: text[at] = alphabet[random.below(alphabet.size())]; break;
        case 1: text.insert(at, 1, alphabet[random.below(alphabet.size())]); break;
        default: text.erase(at, random.between(1, 3)); break;
      }
    }
    document.assign(text);
    const bool fault = find_fault(text, Document::depth_max).has_value();
    ASSERT_EQ(fault, !document.valid()) << "seed " << seed << ": " << text;
    faults += fault ? 1 : 0;
  }
  EXPECT_GT(faults, rounds / 4);
  EXPECT_LT(faults, rounds);
}

}  // namespace
}  // namespace ringpost::json
