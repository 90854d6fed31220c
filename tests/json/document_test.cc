#include "json/document.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace {
size_t allocations = 0;
}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace ringpost::json {
namespace {

struct Fact {
  Kind kind;
  std::string text;

  bool operator==(const Fact&) const = default;
};

void PrintTo(const Fact& fact, std::ostream* out) {
  *out << static_cast<int>(fact.kind) << " '" << fact.text << '\'';
}

Fact find(Document& document, std::string_view path) {
  const Found found = document.find(Path::constant(path));
  return {found.kind, std::string{found.text}};
}

Fact find(std::string_view text, std::string_view path) {
  Document document;
  document.assign(text);
  return find(document, path);
}

const Fact nothing{Kind::missing, ""};

// Rule 2 of the template language: missing and null empty, strings as they are, integers in
// decimal, other numbers as in JSON, `true`, `false`, objects and arrays compact.
TEST(Document, GivesTheBytesThatStandAtAPath) {
  Document document;
  document.assign(R"( {"a" : { "b" :[ 1.0 , "}]\\\"" ] } , "c":  -1e400 ,"d":"x\ud800"} )");
  EXPECT_EQ(document.spelled(Path::constant("a")), R"({ "b" :[ 1.0 , "}]\\\"" ] })");
  EXPECT_EQ(document.spelled(Path::constant("a.b")), R"([ 1.0 , "}]\\\"" ])");
  EXPECT_EQ(document.spelled(Path::constant("c")), "-1e400");
  EXPECT_EQ(document.spelled(Path::constant("d")), R"("x\ud800")");
  EXPECT_EQ(document.spelled(Path::constant("e")), "");
  EXPECT_TRUE(document.find(Path::constant("d")).broken);
  EXPECT_FALSE(document.find(Path::constant("c")).broken);
}

TEST(Document, GivesEachKindOfValueItsText) {
  Document document;
  document.assign(R"({"null": null, "t": true, "f": false, "i": 8801, "n": -17, "z": -0,
    "big": 123456789012345678901234567890, "d": 2.50, "e": -1E+400, "s": "main", "empty": "",
    "esc": "Say \"hi\" \u00e9\ud83d\ude00\n\u0000.", "lone": "a\ud800b",
    "a": [ 1 , "x \" ] y" , { } , [ ] ], "o": { "count" : 2,
 "failed" : 0.0 }})");
  EXPECT_EQ(find(document, "null"), (Fact{Kind::null, ""}));
  EXPECT_EQ(find(document, "nope"), nothing);
  EXPECT_EQ(find(document, "t"), (Fact{Kind::boolean, "true"}));
  EXPECT_EQ(find(document, "f"), (Fact{Kind::boolean, "false"}));
  EXPECT_EQ(find(document, "i"), (Fact{Kind::integer, "8801"}));
  EXPECT_EQ(find(document, "n"), (Fact{Kind::integer, "-17"}));
  EXPECT_EQ(find(document, "z"), (Fact{Kind::integer, "0"}));
  EXPECT_EQ(find(document, "big"), (Fact{Kind::integer, "123456789012345678901234567890"}));
  EXPECT_EQ(find(document, "d"), (Fact{Kind::number, "2.50"}));
  EXPECT_EQ(find(document, "e"), (Fact{Kind::number, "-1E+400"}));
  EXPECT_EQ(find(document, "s"), (Fact{Kind::string, "main"}));
  EXPECT_EQ(find(document, "empty"), (Fact{Kind::string, ""}));
  EXPECT_EQ(find(document, "esc"),
            (Fact{Kind::string, std::string("Say \"hi\" \xC3\xA9\xF0\x9F\x98\x80\n\0.", 18)}));
  EXPECT_EQ(find(document, "lone"), (Fact{Kind::string, R"(a\ud800b)"}));
  EXPECT_EQ(find(document, "a"), (Fact{Kind::array, R"([1,"x \" ] y",{},[]])"}));
  EXPECT_EQ(find(document, "o"), (Fact{Kind::object, R"({"count":2,"failed":0.0})"}));
}

TEST(Document, FollowsPathsThroughObjectsAndArrays) {
  Document document;
  document.assign(R"({"action":{"targets":[{"id":5},{"id":6},[7]],"e":{},"0":"zero"},"after":1})");
  EXPECT_EQ(find(document, "action.targets.0.id").text, "5");
  EXPECT_EQ(find(document, "action.targets.1.id").text, "6");
  EXPECT_EQ(find(document, "action.targets.2.0").text, "7");
  EXPECT_EQ(find(document, "action.0").text, "zero");
  EXPECT_EQ(find(document, "after").text, "1");
  for (const char* path :
       {"action.targets.3", "action.targets.2.1", "action.targets.id", "action.targets.-1",
        "action.targets.0.id.x", "action.e.x", "Action", "targets", "after.0", "0"}) {
    EXPECT_EQ(find(document, path), nothing) << path;
  }
}

TEST(Document, TakesTheLastOfMembersThatStandTwice) {
  const std::string_view text =
      R"({"a":{"b":1,"c":9},"a":{"b":2,"b":3},"k":1,"\u006b":2,"l":1,"l":null})";
  EXPECT_EQ(find(text, "a.b").text, "3");
  EXPECT_EQ(find(text, "a.c"), nothing);  // The first `a` counts for nothing.
  EXPECT_EQ(find(text, "k").text, "2");
  EXPECT_EQ(find(text, "l").kind, Kind::null);
}

TEST(Document, ReadsEscapedNames) {
  EXPECT_EQ(find(R"({"\u0062ranch":"x"})", "branch").text, "x");
  EXPECT_EQ(find(R"({"a\"b":1,"branch":"y"})", "branch").text, "y");
  EXPECT_EQ(find(R"({"\ud800":1,"branch":"z"})", "branch").text, "z");
}

TEST(Document, AnswersAnArrayAtTheRoot) {
  EXPECT_EQ(find(R"( [ {"a":1} , 2 ] )", "0.a").text, "1");
  EXPECT_EQ(find(R"( [ {"a":1} , 2 ] )", "1").text, "2");
}

TEST(Document, FindsNothingInWhatIsNoJson) {
  for (const std::string& text : std::vector<std::string>{"",
                                                          " ",
                                                          "a",
                                                          R"({"a":1)",
                                                          R"({"a":1}})",
                                                          R"({"a":1} x)",
                                                          R"({"a":1}{"a":1})",
                                                          R"({"a":1,})",
                                                          R"({"a":01})",
                                                          R"({"a":1 "b":2})",
                                                          R"({"a":1,"b":tru})",
                                                          R"({"a":1,"b":"\x"})",
                                                          R"({"a":1,"b":[1,]})",
                                                          R"({"a":1,"b":+1})",
                                                          "{\"a\":1,\"b\":\"\n\"}",
                                                          "{\"a\":1,\"b\":\"\xFF\"}",
                                                          R"({"a":1],[2})",
                                                          R"({'a':1})",
                                                          R"({"a":1,"b":"})",
                                                          R"({"a":1},{"a":1})",
                                                          R"("a")",
                                                          "1",
                                                          "null"}) {
    EXPECT_EQ(find(text, "a"), nothing) << text;
    EXPECT_EQ(find(text, "0"), nothing) << text;
  }
}

TEST(Document, ReadsAsDeepAsItSaysAndNoDeeper) {
  const auto nested = [](size_t levels) {
    std::string text = "{\"a\":1,\"n\":";
    for (size_t level = 1; level < levels; ++level) text += '[';
    text += '1';
    for (size_t level = 1; level < levels; ++level) text += ']';
    return text + '}';
  };
  EXPECT_EQ(find(nested(Document::depth_max), "a").text, "1");
  EXPECT_EQ(find(nested(Document::depth_max + 1), "a"), nothing);
  EXPECT_EQ(find(nested(100'000), "a"), nothing);
}

// Method: what stands behind the borrowed text would make another document of it.
TEST(Document, ReadsNothingBehindItsText) {
  const std::string whole = R"({"a":12345})";
  EXPECT_EQ(find(std::string_view{whole}.substr(0, whole.size() - 1), "a"), nothing);
  const std::string longer =
      R"({"a":1}{"b":2}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}})";
  EXPECT_EQ(find(std::string_view{longer}.substr(0, 7), "a").text, "1");
}

TEST(Document, VisitsTheElementsOfAnArrayUntilToldToStop) {
  Document document;
  document.assign(R"({"a":["x",1,null,[2, 3],{"b":4}],"n":[],"o":{"p":1},"after":[9]})");
  const auto elements = [&](std::string_view path, size_t visits_max) {
    std::vector<Fact> facts;
    document.for_each_element(Path::constant(path), [&](const Found& found) {
      facts.push_back({found.kind, std::string{found.text}});
      return facts.size() < visits_max;
    });
    return facts;
  };
  EXPECT_EQ(elements("a", 99), (std::vector<Fact>{{Kind::string, "x"},
                                                  {Kind::integer, "1"},
                                                  {Kind::null, ""},
                                                  {Kind::array, "[2,3]"},
                                                  {Kind::object, R"({"b":4})"}}));
  EXPECT_EQ(elements("a.3", 99).size(), 2u);
  EXPECT_EQ(elements("a", 2).size(), 2u);
  EXPECT_EQ(elements("after", 99), (std::vector<Fact>{{Kind::integer, "9"}}));
  for (const char* path : {"n", "o", "a.0", "nope"}) EXPECT_TRUE(elements(path, 99).empty());
}

TEST(Document, OpensArraysInsideAnArrayForLeaves) {
  Document document;
  document.assign(R"({"a":[1,[],[[2,{"b":[9]}],"x"],[[[3]]]],"n":[[],[[]]],"after":[4]})");
  const auto leaves = [&](std::string_view path, size_t visits_max) {
    std::string texts;
    size_t visits = 0;
    document.for_each_leaf(Path::constant(path), [&](const Found& found) {
      texts.append(found.text).append(";");
      return ++visits < visits_max;
    });
    return texts;
  };
  EXPECT_EQ(leaves("a", 99), "1;2;;x;3;");
  EXPECT_EQ(leaves("a", 2), "1;2;");
  EXPECT_EQ(leaves("n", 99), "");
  EXPECT_EQ(leaves("a.0", 99), "");
  EXPECT_EQ(leaves("nope", 99), "");
}

TEST(Document, LooksAtTheFirstLeavesOfALargeArray) {
  const auto count = [](const std::string& text) {
    Document document;
    document.assign(text);
    size_t leaves = 0;
    document.for_each_leaf(Path::constant("a"), [&](const Found&) { return ++leaves > 0; });
    return leaves;
  };
  const auto array_of = [](size_t items, const std::string& item) {
    std::string text = R"({"a":[)";
    for (size_t index = 0; index < items; ++index) text += (index > 0 ? "," : "") + item;
    return text + "]}";
  };
  EXPECT_EQ(count(array_of(Document::leaves_max, "1")), Document::leaves_max);
  EXPECT_EQ(count(array_of(Document::leaves_max + 1, "1")), Document::leaves_max);
  EXPECT_EQ(count(array_of(Document::leaves_max, "[1]")), Document::leaves_max / 2);
  EXPECT_EQ(count(array_of(100'000, "[]")), 0u);
}

/// An object of many members, each with its number; some names are spelled with escapes.
std::string many_members(size_t count) {
  std::string text = "{";
  for (size_t member = 0; member < count; ++member) {
    text += (member > 0 ? "," : "") + std::string{"\""} + (member % 7 == 0 ? "\\u006d" : "m") +
            std::to_string(member) + "\":" + std::to_string(member);
  }
  return text + "}";
}

TEST(Document, FindsTheSameWithAndWithoutAnIndex) {
  std::string text = many_members(500);
  text.insert(text.size() - 1, R"(,"m7":"again","":0,"\ud800":1)");
  text = R"({"object":)" + text + R"(,"array":[0,1,2)";
  for (int item = 3; item < 500; ++item) text += "," + std::to_string(item);
  text += "]}";
  Document document;
  document.assign(text);
  for (int round = 0; round < 3; ++round) {
    for (int number = 0; number < 500; ++number) {
      const std::string digits = std::to_string(number);
      EXPECT_EQ(find(document, "object.m" + digits).text, number == 7 ? "again" : digits);
      EXPECT_EQ(find(document, "array." + digits).text, digits);
    }
    EXPECT_EQ(find(document, "object.m500"), nothing);
    EXPECT_EQ(find(document, "object.a"), nothing);
    EXPECT_EQ(find(document, "object.z"), nothing);
    EXPECT_EQ(find(document, "array.500"), nothing);
  }
}

// However often something is asked, a text costs about what reading it a few times does.
TEST(Document, TakesLittleWorkForManyLookUps) {
  const std::string members = many_members(60'000);
  const std::string deep = R"({"list":[)" + std::string(300'000, ' ') + members + "]}";
  Document document;
  document.assign(deep);
  for (int number = 0; number < 20'000; ++number) {
    document.scalar(Path::constant("list.0.m" + std::to_string(number)));
    document.scalar(Path::constant("list.0.absent"));
    document.scalar(Path::constant("list"));
  }
  EXPECT_GT(document.work(), deep.size());
  EXPECT_LT(document.work(), deep.size() + 20 * 60'000 + 20'000 * 10);
}

TEST(Document, MakesALongTextOnce) {
  std::string text = R"({"a":"\n)" + std::string(500'000, 'x') + R"(","b":"\n)" +
                     std::string(500'000, 'y') + R"("})";
  Document document;
  document.assign(text);
  for (int round = 0; round < 100; ++round) {
    EXPECT_EQ(find(document, "a").text, "\n" + std::string(500'000, 'x'));
    EXPECT_EQ(find(document, "b").text, "\n" + std::string(500'000, 'y'));
  }
  EXPECT_LT(document.work(), 3 * text.size());
}

TEST(Document, GivesScalarsWithoutTheTextOfArraysAndObjects) {
  Document document;
  document.assign(R"({"a":[1],"o":{"b":2},"s":"x\n","n":null})");
  const auto scalar = [&](std::string_view path) {
    const Found found = document.scalar(Path::constant(path));
    return Fact{found.kind, std::string{found.text}};
  };
  EXPECT_EQ(scalar("a"), (Fact{Kind::array, ""}));
  EXPECT_EQ(scalar("o"), (Fact{Kind::object, ""}));
  EXPECT_EQ(scalar("o.b"), (Fact{Kind::integer, "2"}));
  EXPECT_EQ(scalar("s"), (Fact{Kind::string, "x\n"}));
  EXPECT_EQ(scalar("n"), (Fact{Kind::null, ""}));
  EXPECT_EQ(scalar("x"), nothing);
}

TEST(Document, GivesItsRoot) {
  Document document;
  const auto root = [&](std::string_view text) {
    document.assign(text);
    const Found found = document.root();
    return Fact{found.kind, std::string{found.text}};
  };
  EXPECT_EQ(root(R"( { "a" : 1 } )"), (Fact{Kind::object, R"({"a":1})"}));
  EXPECT_EQ(root(R"("a\n")"), (Fact{Kind::string, "a\n"}));
  EXPECT_EQ(root(" 1 "), (Fact{Kind::integer, "1"}));
  EXPECT_EQ(root("1 2"), nothing);
  EXPECT_EQ(root(""), nothing);
}

TEST(Document, TellsNullFromMissing) {
  Document document;
  document.assign(R"({"a":null,"b":[null]})");
  EXPECT_TRUE(document.has_member(Path::constant("a")));
  EXPECT_TRUE(document.has_member(Path::constant("b.0")));
  EXPECT_FALSE(document.has_member(Path::constant("b.1")));
  EXPECT_FALSE(document.has_member(Path::constant("c")));
}

TEST(Document, ForgetsTheTextBefore) {
  Document document;
  EXPECT_EQ(find(document, "a"), nothing);
  document.assign(R"({"a":1})");
  EXPECT_EQ(find(document, "a").text, "1");
  document.assign("{");
  EXPECT_EQ(find(document, "a"), nothing);
  document.assign(R"({"b":1})");
  EXPECT_EQ(find(document, "a"), nothing);
  Document moved = std::move(document);
  EXPECT_EQ(find(moved, "b").text, "1");
}

TEST(Document, AllocatesNothingOnceWarm) {
  const std::string text =
      R"({"s":"\u00e9)" + std::string(1000, 'x') + R"(","a":[1,2,{"b":[3]}],"\u006b":1})";
  const Path string = Path::constant("s");
  const Path array = Path::constant("a");
  const Path escaped = Path::constant("k");
  Document document;
  const auto use = [&] {
    document.assign(text);
    size_t size = document.find(string).text.size() + document.find(array).text.size();
    document.for_each_element(array, [&](const Found& found) {
      size += found.text.size();
      return true;
    });
    return size + document.find(escaped).text.size();
  };
  const size_t expected = use();
  const size_t before = allocations;
  EXPECT_EQ(use(), expected);
  EXPECT_EQ(allocations, before);
}

TEST(Document, GivesBackWhatABigTextTook) {
  const std::string small = R"({"a":1})";
  const std::string big = R"({"a":")" + std::string(Document::kept_bytes_max, 'x') + R"("})";
  const Path path = Path::constant("a");
  Document document;
  document.assign(big);
  EXPECT_EQ(document.find(path).text.size(), Document::kept_bytes_max);
  const size_t before = allocations;
  document.assign(small);
  EXPECT_EQ(document.find(path).text, "1");
  EXPECT_GT(allocations, before);  // The parser, its index and the copy are made anew.
}

}  // namespace
}  // namespace ringpost::json
