#include "base/json_writer.h"

#include <gtest/gtest.h>

namespace ringpost {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(JsonWriter, WritesAPieceOfAStringWithoutQuotes) {
  std::string out = "\"a";
  append_json_characters(out, "\"\n\x01\xFF");
  append_json_characters(out, "");
  append_json_characters(out, "b\"");
  EXPECT_EQ(out,
            "\"a\\\"\\n\\u0001\xEF\xBF\xBD"
            "b\\\"");
}

TEST(JsonWriter, PlacesCommasBetweenMembersAndElements) {
  std::string out;
  JsonWriter json{out};
  json.begin_object()
      .member("a", 1)
      .key("b")
      .begin_array()
      .value(true)
      .null()
      .value("x")
      .end_array();
  json.key("c").begin_object().end_object().member("d", -5).end_object();
  EXPECT_EQ(out, R"({"a":1,"b":[true,null,"x"],"c":{},"d":-5})");
}

TEST(JsonWriter, EscapesWhatWouldEndALineOrAString) {
  EXPECT_EQ(quoted("a\"b\\c\n\r\t\x01\x1b\x7f"), R"("a\"b\\c\n\r\t\u0001\u001b\u007f")");
  EXPECT_EQ(quoted(std::string_view("\0", 1)), R"("\u0000")");
  EXPECT_EQ(quoted("\xE2\x80\xA8|\xE2\x80\xA9"), R"("\u2028|\u2029")");
}

TEST(JsonWriter, KeepsValidUtf8AndReplacesTheRest) {
  EXPECT_EQ(quoted("gr\xC3\xBC\xC3\x9F \xF0\x9F\x9A\x80"),
            "\"gr\xC3\xBC\xC3\x9F \xF0\x9F\x9A\x80\"");
  EXPECT_EQ(quoted("\xC0\xAF"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");      // Overlong.
  EXPECT_EQ(quoted("\xED\xA0\x80x").substr(0, 4), "\"\xEF\xBF\xBD");  // Surrogate.
  EXPECT_EQ(quoted("\xE2\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");      // Cut short.
  EXPECT_EQ(quoted("\xFF"), "\"\xEF\xBF\xBD\"");
}

TEST(JsonWriter, WritesNumbersThatReadBack) {
  std::string out;
  JsonWriter json{out};
  json.begin_array().value(0.5).value(uint64_t{18446744073709551615u}).value(1.0 / 0.0).end_array();
  EXPECT_EQ(out, "[0.5,18446744073709551615,null]");
}

}  // namespace
}  // namespace ringpost
