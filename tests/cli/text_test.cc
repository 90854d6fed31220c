#include "cli/text.h"

#include <gtest/gtest.h>

namespace ringpost::cli {
namespace {

TEST(Text, EncodesEverythingThatMeansSomethingInATarget) {
  EXPECT_EQ(percent_encoded("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encoded("a/b?c&d=e f\r\n%\xC3\xBC"), "a%2Fb%3Fc%26d%3De%20f%0D%0A%25%C3%BC");
}

TEST(Text, PutsParametersBehindATarget) {
  EXPECT_EQ(with_query("/v1/audit", {}), "/v1/audit");
  EXPECT_EQ(with_query("/v1/audit", {{"since", ""}, {"until", "a:b"}, {"limit", "2"}}),
            "/v1/audit?until=a%3Ab&limit=2");
  EXPECT_EQ(with_query("/v1/audit?until=1", {{"cursor", "x&y"}}), "/v1/audit?until=1&cursor=x%26y");
}

TEST(Text, ShowsBytesThatAreNoUtf8AsNumbers) {
  EXPECT_EQ(shown("gr\xC3\xBC\x1b[2J"), "gr\xC3\xBC\\x1b[2J");
  EXPECT_EQ(shown("a\x9b"
                  "31m\xff"),
            "a\\x9B31m\\xFF");
}

TEST(Text, JsonKeepsItsMeaningWithoutControlBytes) {
  EXPECT_EQ(shown_json("{\"a\":\"\x7f\xC2\x9B\xC3\xBC\\u001b\"}"),
            "{\"a\":\"\\u007F\\u009B\xC3\xBC\\u001b\"}");
  EXPECT_EQ(shown_json("{\n\"\u202Eb\u2066\uFEFF\": 1}"), "{\n\"\\u202Eb\\u2066\\uFEFF\": 1}");
  EXPECT_EQ(shown("\u202E\u200D"), "\\u202e\\u200d");
}

TEST(Text, LinesAreCutBetweenCharacters) {
  EXPECT_EQ(shown_lines("one\r\ntwo\n\nfour", "> ", 100), "> one\n> two\n> \n> four\n");
  EXPECT_EQ(shown_lines("\x1b]0;x\x07", "", 100), "\\x1b]0;x\\x07\n");
  // The cut falls into the second of two characters of two bytes.
  EXPECT_EQ(shown_lines("\xC3\xBC\xC3\xBC", "", 3), "\xC3\xBC\n… 2 bytes more (--json has all)\n");
  EXPECT_EQ(shown_lines("", "> ", 100), "");
}

TEST(Text, TextOfNestedValuesHasNoControlBytes) {
  simdjson::dom::parser parser;
  const std::string json = "{\"a\":{\"b\":\"\x7f\xC2\x9B\"},\"c\":\"\\u001b[31m\",\"d\":null}";
  const simdjson::dom::element document = parser.parse(json);
  EXPECT_EQ(text_of(document, "/a"), "{\"b\":\"\\x7f\\xc2\\x9b\"}");
  EXPECT_EQ(text_of(document, "/c"), "\\x1b[31m");
  EXPECT_EQ(text_of(document, "/d"), "");
  EXPECT_EQ(raw_text_of(document, "/c"), "\x1b[31m");
}

TEST(Text, RowsLeaveOutWhatIsEmpty) {
  Rows rows(6);
  rows.add("id", "1").add("none", "").add("längeres", "2");
  EXPECT_EQ(rows.take(), "id     1\nlängeres 2\n");
}

}  // namespace
}  // namespace ringpost::cli
