#include "ingest/event_parser.h"

#include "crypto/base64.h"
#include "tests/ingest/requests.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

// Goal: what design 6.1 calls an event is read as such, everything else is refused with the member
// named, and the bytes of `data` are never touched.
// Method: tables of bodies, each sent as one event, as a line, and where it makes sense in a batch.

namespace ringpost::ingest {
namespace {

using journal::EventView;
using test::request_of;

struct Parsed {
  std::optional<Refusal> refusal;
  std::vector<EventView> events;
};

class EventParserTest : public testing::Test {
 protected:
  Parsed parse(std::string_view content_type, std::string_view body) {
    request_ = request_of(content_type, body);
    return parse_request();
  }
  Parsed parse_request() {
    Parsed parsed;
    parsed.refusal = parser_.parse(request_, parsed.events);
    return parsed;
  }
  static std::string native(std::string_view data) {
    return R"({"type":"t","source":"s","data":)" + std::string{data} + "}";
  }

  EventParser parser_{EventLimits{}};
  http::Request request_;
};

TEST_F(EventParserTest, ReadsEveryAttribute) {
  const auto parsed = parse("application/json", R"({
    "specversion": "1.0", "type": "build/finished", "source": "app/c0ffee", "id": "b-128",
    "time": "2031-05-04T09:08:07Z", "subject": "main", "datacontenttype": "application/json",
    "branch": "release/1", "orderingkey": "c0ffee",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "cluster": "eu", "teams": ["a", "b\u0022"], "comexample": 7, "flag": true,
    "data": { "a" : 1.0 } })");
  ASSERT_FALSE(parsed.refusal) << parsed.refusal->detail;
  ASSERT_EQ(parsed.events.size(), 1u);
  const EventView& event = parsed.events[0];
  EXPECT_EQ(event.type, "build/finished");
  EXPECT_EQ(event.source, "app/c0ffee");
  EXPECT_EQ(event.id, "b-128");
  EXPECT_TRUE(event.id_given);
  EXPECT_EQ(event.time, "2031-05-04T09:08:07Z");
  EXPECT_EQ(event.subject, "main");
  EXPECT_EQ(event.data_content_type, "application/json");
  EXPECT_EQ(event.branch, "release/1");
  EXPECT_EQ(event.ordering_key, "c0ffee");
  EXPECT_EQ(event.trace_parent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_EQ(event.extensions, R"({"cluster":"eu","teams":["a","b\""],"comexample":7,"flag":true})");
  EXPECT_EQ(as_text(event.data), R"({ "a" : 1.0 })");
}

TEST_F(EventParserTest, LeavesIdEmptyWhereNoneIsGiven) {
  for (const char* id : {"", R"("id":null,)", R"("id":"",)"}) {
    const auto parsed =
        parse("application/json", "{" + std::string{id} + R"("type":"t","source":"s","data":{}})");
    ASSERT_FALSE(parsed.refusal) << id;
    EXPECT_EQ(parsed.events[0].id, "");
    EXPECT_FALSE(parsed.events[0].id_given);
  }
}

TEST_F(EventParserTest, UnescapesAttributes) {
  const auto parsed =
      parse("application/json",
            R"({"ty\u0070e":"build\/f\u00fcr \ud83d\ude00 \"x\\","source":"\u2028é","data":{}})");
  ASSERT_FALSE(parsed.refusal) << parsed.refusal->detail;
  EXPECT_EQ(parsed.events[0].type, "build/für 😀 \"x\\");
  EXPECT_EQ(parsed.events[0].source, "\u2028é");
}

// --- data, byte for byte -------------------------------------------------------------------------

const std::vector<std::string> good_data{
    "{}",
    "{ }",
    "{\n\t\"a\"\r\n:\t1 }",
    R"({"a":1.0})",
    R"({"a":1.50e+10,"b":1E400,"c":-0,"d":-0.0,"e":0e0,"f":1e-999})",
    R"({"a":1,"a":2,"a":{"a":1,"a":1}})",
    R"({"":""})",
    "{\"line\":\"\u2028\u2029\",\"bom\":\"\uFEFF\"}",
    R"({"nul":"\u0000","esc":"\b\f\n\r\t\/\\\"","lone":"\ud800","other":"\uDFFF\uD834"})",
    R"({"\u0061":"\u00e9","é":"é","\\":1})",
    R"({"big":123456789012345678901234567890,"neg":-99999999999999999999})",
    R"({"deep":[[[[{"a":[{}]}]]]]})",
    R"({"t":true,"f":false,"n":null,"list":[true,false,null,[],{},"",0]})",
    R"({"braces":"}{][,:","quote":"\"}"})",
    "{\"del\":\"\x7f\",\"c1\":\"\u0085\"}",
    R"({"emoji":"😀","pair":"\ud83d\ude00","nonchar":"\uFFFF"})",
    R"({"spaces"   :   [ 1 ,  2,3   ] , "end":1   })",
    R"({"type":"inner","source":5,"data":{"data":{}}})",
    R"({"slash":"\\","two":"\\\\","mix":"\\\"\\"})",
};

TEST_F(EventParserTest, KeepsDataByteForByte) {
  for (const std::string& data : good_data) {
    for (const char* space : {"", " ", "  \t"}) {
      const std::string last =
          R"({"type":"t","source":"s","data":)" + std::string{space} + data + space + "}";
      const std::string first =
          R"({"data")" + std::string{space} + ":" + data + space + R"(,"type":"t","source":"s"})";
      for (const std::string& body : {last, first, space + first + space}) {
        const auto parsed = parse("application/json", body);
        ASSERT_FALSE(parsed.refusal) << body << ": " << parsed.refusal->detail;
        EXPECT_EQ(as_text(parsed.events[0].data), data);
      }
    }
  }
}

TEST_F(EventParserTest, KeepsDataOfEveryLineByteForByte) {
  std::string body;
  std::vector<std::string> kept;
  for (const std::string& data : good_data) {
    if (data.find('\n') != std::string::npos) continue;
    body += native(data) + (kept.size() % 2 == 0 ? "\n" : "\r\n\n  \t\r\n");
    kept.push_back(data);
  }
  const auto parsed = parse("application/x-ndjson", body);
  ASSERT_FALSE(parsed.refusal) << parsed.refusal->line << parsed.refusal->detail;
  ASSERT_EQ(parsed.events.size(), kept.size());
  for (size_t index = 0; index < kept.size(); ++index) {
    EXPECT_EQ(as_text(parsed.events[index].data), kept[index]);
  }
}

TEST_F(EventParserTest, DataIsAViewIntoTheBody) {
  const auto parsed = parse("application/json", native(R"({"a":"\n"})"));
  const auto* begin = reinterpret_cast<const std::byte*>(request_.body.data());
  EXPECT_GE(parsed.events[0].data.data(), begin);
  EXPECT_LT(parsed.events[0].data.data(), begin + request_.body.size());
}

TEST_F(EventParserTest, AcceptsDepthUpToItsLimitAndNotBeyond) {
  const auto nested = [](uint32_t levels, const char* open, const char* close) {
    std::string text = "{\"a\":";
    for (uint32_t level = 0; level + 2 < levels; ++level) text += open;
    text += "1";
    for (uint32_t level = 0; level + 2 < levels; ++level) text += close;
    return text + "}";
  };
  for (const auto& [open, close] : {std::pair{"[", "]"}, std::pair{"{\"a\":", "}"}}) {
    EXPECT_FALSE(parse("application/json", native(nested(128, open, close))).refusal);
    const auto deep = parse("application/json", native(nested(129, open, close)));
    ASSERT_TRUE(deep.refusal);
    EXPECT_EQ(deep.refusal->status, 400);
    EXPECT_NE(deep.refusal->detail.find("128"), std::string::npos);
    EXPECT_EQ(parse("application/json", native(nested(100'000, open, close))).refusal->status, 400);
  }
}

TEST_F(EventParserTest, AcceptsAHundredThousandKeysAndAMillionDigits) {
  std::string keys = "{";
  for (int index = 0; index < 60'000; ++index) {
    keys += (index == 0 ? "\"" : ",\"") + std::to_string(index) + "\":1";
  }
  const auto many = parse("application/json", native(keys + "}"));
  ASSERT_FALSE(many.refusal);
  EXPECT_EQ(as_text(many.events[0].data), keys + "}");
  EXPECT_FALSE(
      parse("application/json", native("{\"n\":" + std::string(1'000'000, '7') + "}")).refusal);
}

// --- what is not JSON ----------------------------------------------------------------------------

const std::vector<std::string> bad_values{
    "",
    "{",
    "}",
    "{]",
    "[}",
    "{,}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\":1,,\"b\":2}",
    "{\"a\" 1}",
    "{\"a\"::1}",
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":[1,]}",
    "{\"a\":[,1]}",
    "{\"a\":[1 2]}",
    "{\"a\":[1}",
    "{\"a\":[1}]",
    "{\"a\":{\"b\":1]}",
    "{\"a\":\"b\":1}",
    "{\"a\":\"b\" \"c\"}",
    "{\"a\":\"b\"c}",
    "{\"a\":\"b\"1}",
    "{\"a\":tru}",
    "{\"a\":truex}",
    "{\"a\":True}",
    "{\"a\":nul}",
    "{\"a\":nulll}",
    "{\"a\":NaN}",
    "{\"a\":Infinity}",
    "{\"a\":-Infinity}",
    "{\"a\":undefined}",
    "{\"a\":01}",
    "{\"a\":-01}",
    "{\"a\":+1}",
    "{\"a\":.5}",
    "{\"a\":5.}",
    "{\"a\":-}",
    "{\"a\":1e}",
    "{\"a\":1e+}",
    "{\"a\":1.e1}",
    "{\"a\":1.2.3}",
    "{\"a\":0x10}",
    "{\"a\":1_0}",
    "{\"a\":1-}",
    "{\"a\":--1}",
    "{\"a\":1 000}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\\"}",
    "{\"a\":\"\\u12\"}",
    "{\"a\":\"\\u12g4\"}",
    "{\"a\":\"\\U0041\"}",
    "{\"a\":\"\\'\"}",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\t\"}",
    "{\"a\":\"\x01\"}",
    "{\"a\":\"\x1f\"}",
    "{\"a\":\"open}",
    "{\"a\":\"\\ud800\\\"}",
    "{\"\\q\":1}",
    "{\"a\nb\":1}",
    "{\"a\":\"\xff\"}",
    "{\"a\":\"\xc0\xaf\"}",
    "{\"a\":\"\xed\xa0\x80\"}",
    "{\"a\":\"\xf5\x80\x80\x80\"}",
    "{\"a\":\"\xe2\x82\"}",
    "{\"\x80\":1}",
    "{\"a\":\xc3\xa9}",
    "{\"a\":1}/**/",
    "{/*c*/\"a\":1}",
    "{\"a\":1}//",
    "{\"a\":1}}",
    "{\"a\":1}]",
    "{\"a\":1},",
    "{\"a\":1}{}",
    "{\"a\":1}1",
    "{}{}",
    "{\"a\":\\n}",
    "{\"a\":1\\}",
    "{\"a\":\xe2\x80\xa8 1}",
    "{\"a\":\xc2\xa0 1}",
    "{\"a\":\f1}",
    "{\"a\":\v1}",
    "\xef\xbb\xbf{}",
    "{\"a\":`b`}",
    "{\"a\":b}",
    "{{}}",
    "{[]}",
    "{\"a\":[{]}]}",
    "{\"a\":(1)}",
    "{\"a\":1;\"b\":2}",
    "{\"a\"=1}",
    "{\"a\":*}",
    "{\"a\":[\"\",]}",
    "{\"a\":[[]}",
    "{\"a\":[]]}",
    "{\"a\":\"\"\"\"}",
    "{\"a\":1,\"b\"}",
    "{\"a\":1,b:2}",
    "{\"a\":1,\"b\":}",
    "{,\"a\":1}",
    "{\"a\":1e1.5}",
    "{\"a\":- 1}",
    "{\"a\":\"\\u00\n00\"}",
    "{\"a\":\"\\ \"}",
};

TEST_F(EventParserTest, RefusesDataThatIsNotJson) {
  for (std::string data : bad_values) {
    const auto one = parse("application/json", native(data));
    ASSERT_TRUE(one.refusal) << data;
    EXPECT_EQ(one.refusal->status, 400) << data << ": " << one.refusal->detail;
    EXPECT_TRUE(one.events.empty());
    const auto early =
        parse("application/json", "{\"data\":" + data + R"(,"type":"t","source":"s"})");
    ASSERT_TRUE(early.refusal) << data;
    const auto alone = parse("application/json", data);
    ASSERT_TRUE(alone.refusal) << data;
  }
}

TEST_F(EventParserTest, RefusesANulByteAnywhere) {
  const std::string body = native("{\"a\":[1, \"x\"]}");
  for (size_t at = 0; at <= body.size(); ++at) {
    std::string with_nul = body;
    with_nul.insert(at, 1, '\0');
    EXPECT_TRUE(parse("application/json", with_nul).refusal) << at;
  }
}

TEST_F(EventParserTest, RefusesEveryTruncation) {
  const std::string body = native("{\"a\":[1.5,{\"b\":\"\\u00e9 é\"}],\"c\":null} ");
  for (size_t size = 0; size < body.size(); ++size) {
    const auto parsed = parse("application/json", body.substr(0, size));
    ASSERT_TRUE(parsed.refusal) << size;
    EXPECT_EQ(parsed.refusal->status, 400) << size;
  }
}

TEST_F(EventParserTest, RefusesWhatIsNoObject) {
  for (const char* body : {"[]", "1", "\"text\"", "null", "true", "[{}]"}) {
    const auto parsed = parse("application/json", body);
    ASSERT_TRUE(parsed.refusal) << body;
    EXPECT_EQ(parsed.refusal->status, 400);
    EXPECT_NE(parsed.refusal->detail.find("object"), std::string::npos) << parsed.refusal->detail;
  }
}

// --- JSON, but no event --------------------------------------------------------------------------

struct BadEvent {
  const char* member;
  std::string body;
};

std::string with(std::string_view members) {
  return R"({"type":"t","source":"s","data":{},)" + std::string{members} + "}";
}

const std::vector<BadEvent> bad_events{
    {"type", R"({"source":"s","data":{}})"},
    {"type", R"({"type":null,"source":"s","data":{}})"},
    {"type", R"({"type":"","source":"s","data":{}})"},
    {"type", R"({"type":1,"source":"s","data":{}})"},
    {"type", R"({"type":["t"],"source":"s","data":{}})"},
    {"type", R"({"type":{"t":1},"source":"s","data":{}})"},
    {"type", R"({"type":true,"source":"s","data":{}})"},
    {"type", R"({"type":"a\nb","source":"s","data":{}})"},
    {"type", R"({"type":"a\u0000b","source":"s","data":{}})"},
    {"type", R"({"type":"a\u007fb","source":"s","data":{}})"},
    {"type", R"({"type":"a\u0085b","source":"s","data":{}})"},
    {"type", "{\"type\":\"a\x7f\",\"source\":\"s\",\"data\":{}}"},
    {"type", "{\"type\":\"a\xc2\x9f\",\"source\":\"s\",\"data\":{}}"},
    {"type", R"({"type":"\ud800","source":"s","data":{}})"},
    {"type", R"({"type":"\udc00\ud800","source":"s","data":{}})"},
    {"type", R"({"type":")" + std::string(257, 'x') + R"(","source":"s","data":{}})"},
    {"type", with(R"("type":"t")")},
    {"type", with(R"("ty\u0070e":"t")")},
    {"source", R"({"type":"t","data":{}})"},
    {"source", R"({"type":"t","source":"","data":{}})"},
    {"source", R"({"type":"t","source":")" + std::string(257, 'x') + R"(","data":{}})"},
    {"source", R"({"type":"t","source":"\r\n","data":{}})"},
    {"source", with(R"("source":null)")},
    {"id", with(R"("id":5)")},
    {"id", with(R"("id":")" + std::string(129, 'x') + "\"")},
    {"id", with(R"("id":"a\tb")")},
    {"id", with(R"("id":"a","id":"a")")},
    {"id", with(R"("id":null,"id":"a")")},
    {"time", with(R"("time":"yesterday")")},
    {"time", with(R"("time":"2031-02-30T00:00:00Z")")},
    {"time", with(R"("time":1700000000)")},
    {"subject", with(R"("subject":")" + std::string(1025, 'x') + "\"")},
    {"datacontenttype", with(R"("datacontenttype":"json")")},
    {"datacontenttype", with(R"("datacontenttype":"text/plain\r\nX: y")")},
    {"datacontenttype", with(R"("datacontenttype":"a/é")")},
    {"branch", with(R"("branch":[])")},
    {"branch", with(R"("branch":"a\u001b[0m")")},
    {"orderingkey", with(R"("orderingkey":")" + std::string(257, 'x') + "\"")},
    {"traceparent", with(R"("traceparent":"00-xyz")")},
    {"traceparent",
     with(R"("traceparent":"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01")")},
    {"specversion", with(R"("specversion":"0.3")")},
    {"specversion", with(R"("specversion":1.0)")},
    {"specversion", with(R"("specversion":null)")},
    {"specversion", with(R"("specversion":"1.0","specversion":"1.0")")},
    {"data", R"({"type":"t","source":"s","data":[]})"},
    {"data", R"({"type":"t","source":"s","data":"{}"})"},
    {"data", R"({"type":"t","source":"s","data":1})"},
    {"data", with(R"("data":{})")},
    {"data_base64", with(R"("data_base64":"")")},
    {"Type", with(R"("Type":"t")")},
    {"", with(R"("":"t")")},
    {"a-b", with(R"("a-b":"t")")},
    {"a b", with(R"("a b":"t")")},
    {"é", with(R"("é":"t")")},
    {"extra", with(R"("extra":{})")},
    {"extra", with(R"("extra":[1])")},
    {"extra", with(R"("extra":1.5)")},
    {"extra", with(R"("extra":1.5)")},
    {"extra", with(R"("extra":2147483648)")},
    {"extra", with(R"("extra":"\n")")},
    {"extra", with(R"("extra":"\udead")")},
    {"extra", with(R"("extra":1,"extra":1)")},
    {"extra", with(R"("extra":null,"extra":1)")},
    {"extra", with(R"("extra":")" + std::string(1025, 'x') + "\"")},
    {"teams", with(R"("teams":[1])")},
    {"teams", with(R"("teams":["a",null])")},
    {"teams", with(R"("teams":["a\n"])")},
    {"teams", with(R"("teams":[["a"]])")},
    {"teams", with(R"("teams":{"a":1})")},
    {"teams", with(R"("teams":[],"teams":"a")")},
    {"cluster", with(R"("cluster":["eu"])")},
    {"cluster", with(R"("cluster":5)")},
    {"cluster", with(R"("cluster":true)")},
    {"cluster", with(R"("cluster":"eu","cluster":"eu")")},
    {"teams", with(R"("teams":5)")},
    {"teams", with(R"("teams":false)")},
    {"teams", with(R"("teams":[""])")},
    {"dataschema", with(R"("dataschema":5)")},
    {"type", R"({"type":"a\ufffeb","source":"s","data":{}})"},
    {"type", R"({"type":"\ufdd0","source":"s","data":{}})"},
    {"id", with(R"("id":"\udbff\udfff")")},
};

TEST_F(EventParserTest, NamesTheMemberOfWhatIsNoEvent) {
  for (const BadEvent& bad : bad_events) {
    const auto parsed = parse("application/json", bad.body);
    ASSERT_TRUE(parsed.refusal) << bad.body;
    EXPECT_EQ(parsed.refusal->status, 422) << bad.body << ": " << parsed.refusal->detail;
    EXPECT_EQ(parsed.refusal->member, bad.member) << bad.body << ": " << parsed.refusal->detail;
    EXPECT_EQ(parsed.refusal->line, 0u);
    EXPECT_TRUE(parsed.events.empty());
  }
}

// CloudEvents 1.0.2: names of attributes are lower-case letters and digits. What is misspelt is an
// extension, or refused; either way the producer learns which member was meant.
TEST_F(EventParserTest, SaysWhatAMisspeltMemberIsMeantToBe) {
  struct Case {
    const char* event;
    std::string_view member;
    std::string_view intended;
  };
  for (const Case& one : {
           Case{R"({"type":"t","sorce":"s"})", "source", "`sorce`"},
           Case{R"({"type":"t","soruce":"s"})", "source", "`soruce`"},
           Case{R"({"type":"t","sources":"s"})", "source", "`sources`"},
           Case{R"({"tpye":"t","source":"s"})", "type", "`tpye`"},
           Case{R"({"type":"t","source":"s","Data":{}})", "Data", "`data`"},
           Case{R"({"Type":"t","source":"s"})", "Type", "`type`"},
           Case{R"({"type":"t","source":"s","data_":{}})", "data_", "`data`"},
           Case{R"({"type":"t","source":"s","dta":{"a":1}})", "dta", "`data`"},
           Case{R"({"type":"t","source":"s","trace-parent":"x"})", "trace-parent", "`traceparent`"},
       }) {
    const auto parsed = parse("application/json", one.event);
    ASSERT_TRUE(parsed.refusal) << one.event;
    EXPECT_EQ(parsed.refusal->status, 422);
    EXPECT_EQ(parsed.refusal->member, one.member) << one.event;
    EXPECT_NE(parsed.refusal->detail.find("perhaps"), std::string::npos) << parsed.refusal->detail;
    EXPECT_NE(parsed.refusal->detail.find(one.intended), std::string::npos)
        << parsed.refusal->detail;
  }
  for (const char* event : {R"({"type":"t","kind":"s"})", R"({"type":"t","source":"s","x":{}})"}) {
    const auto parsed = parse("application/json", event);
    ASSERT_TRUE(parsed.refusal);
    EXPECT_EQ(parsed.refusal->detail.find("perhaps"), std::string::npos) << parsed.refusal->detail;
  }
  EXPECT_FALSE(parse("application/json", R"({"type":"t","source":"s","date":"x"})").refusal);
}

TEST_F(EventParserTest, RefusesSpacesAroundTypeAndSourceNatively) {
  for (const char* event : {R"({"type":" t","source":"s"})", R"({"type":"t ","source":"s"})",
                            R"({"type":"t","source":"s "})", R"({"type":"t","source":" "})"}) {
    const auto parsed = parse("application/json", event);
    ASSERT_TRUE(parsed.refusal) << event;
    EXPECT_NE(parsed.refusal->detail.find("a space"), std::string::npos) << parsed.refusal->detail;
  }
  // CloudEvents itself has no such rule, and no rule against one inside of a text.
  EXPECT_FALSE(parse("application/json", R"({"type":"build done","source":"my app"})").refusal);
  EXPECT_FALSE(parse("application/cloudevents+json",
                     R"({"specversion":"1.0","id":"1","type":"t ","source":"s"})")
                   .refusal);
}

TEST_F(EventParserTest, NamesTheLineOfWhatIsNoEvent) {
  const std::string good = native("{}");
  for (const BadEvent& bad : bad_events) {
    const auto parsed =
        parse("application/x-ndjson", good + "\r\n\n" + bad.body + "\n" + good + "\n");
    ASSERT_TRUE(parsed.refusal) << bad.body;
    EXPECT_EQ(parsed.refusal->line, 3u);
    EXPECT_EQ(parsed.refusal->member, bad.member);
    EXPECT_TRUE(parsed.events.empty());
  }
}

TEST_F(EventParserTest, RefusesMoreThanSixtyFourExtensions) {
  for (const uint32_t count : {64u, 65u}) {
    std::string members;
    for (uint32_t index = 0; index < count; ++index) {
      members += (index == 0 ? "" : ",") + ("\"x" + std::to_string(index)) + "\":1";
    }
    const auto parsed = parse("application/json", with(members));
    EXPECT_EQ(parsed.refusal.has_value(), count == 65);
  }
}

TEST_F(EventParserTest, TakesAttributesUpToTheirLimits) {
  const std::string long_type(256, 't');
  const std::string long_id(128, 'i');
  const auto parsed =
      parse("application/json", R"({"type":")" + long_type + R"(","source":")" + long_type +
                                    R"(","id":")" + long_id + R"(","data":{}})");
  ASSERT_FALSE(parsed.refusal);
  EXPECT_EQ(parsed.events[0].id, long_id);
}

TEST_F(EventParserTest, EmptyOptionalAttributesAreAbsentNatively) {
  const auto parsed =
      parse("application/json",
            with(R"("branch":"","subject":"","time":null,"orderingkey":"","x":null)"));
  ASSERT_FALSE(parsed.refusal) << parsed.refusal->detail;
  EXPECT_EQ(parsed.events[0].branch, "");
  EXPECT_EQ(parsed.events[0].extensions, "");
}

// --- batches -------------------------------------------------------------------------------------

TEST_F(EventParserTest, BatchOfLinesNeedsNoLastLineEnd) {
  const auto parsed = parse("application/x-ndjson", native("{}") + "\n" + native("{ }"));
  ASSERT_FALSE(parsed.refusal);
  EXPECT_EQ(parsed.events.size(), 2u);
}

TEST_F(EventParserTest, RefusesLinesWithoutEvents) {
  EXPECT_EQ(parse("application/x-ndjson", "").refusal->status, 400);
  EXPECT_EQ(parse("application/x-ndjson", "\n\r\n  \n").refusal->status, 400);
}

// The JSON format of CloudEvents, 4: a batch may be empty.
TEST_F(EventParserTest, TakesTheEmptyBatchOfCloudEvents) {
  for (const char* body : {"[]", " [\n] \r\n"}) {
    const auto parsed = parse("application/cloudevents-batch+json", body);
    EXPECT_FALSE(parsed.refusal) << body;
    EXPECT_TRUE(parsed.events.empty());
  }
}

TEST_F(EventParserTest, KnowsTheLineOfEachEventOfABatch) {
  const std::string event = native("{}");
  ASSERT_FALSE(parse("application/x-ndjson", "\n" + event + "\r\n\n \n" + event).refusal);
  EXPECT_EQ(parser_.line_of(0), 2u);
  EXPECT_EQ(parser_.line_of(1), 5u);
  ASSERT_FALSE(parse("application/json", "\n" + event).refusal);
  EXPECT_EQ(parser_.line_of(0), 0u);
}

// A tester of JSON parsers may put the damage anywhere.
TEST_F(EventParserTest, AnswersThatItIsNoJsonWhereverElseItIsNoEvent) {
  for (const char* body :
       {R"({"type":1,"source":"s","data":{},})", R"({"type":"","x":[1,],"data":{}})",
        R"({"extra":{},"data":{"a":01}})", R"({"source":5,"data":{}}})", R"({"a":[],"b":tru})",
        R"({"a":[],"b":"\x"})", "{\"a\":[],\"b\":\"\xff\"}", R"({"context":{"type":1},"b":})",
        R"({"context":{"type":"dev.cdevents.a.b.0.1.0"},"subject":{"id":1},"b":})"}) {
    for (const char* type :
         {"application/json", "application/x-ndjson", "application/cloudevents+json"}) {
      const auto parsed = parse(type, body);
      ASSERT_TRUE(parsed.refusal) << body;
      EXPECT_EQ(parsed.refusal->status, 400) << type << body << parsed.refusal->detail;
    }
    const auto batch = parse("application/cloudevents-batch+json", "[" + std::string{body} + "]");
    ASSERT_TRUE(batch.refusal) << body;
    EXPECT_EQ(batch.refusal->status, 400) << body << batch.refusal->detail;
  }
  EXPECT_EQ(parse("application/cloudevents-batch+json", R"([{"id":5},{"id":}])").refusal->status,
            400);
}

TEST_F(EventParserTest, RefusesTwoContentTypes) {
  request_ = request_of("application/json", native("{}"), {{"content-TYPE", "application/json"}});
  const auto parsed = parse_request();
  ASSERT_TRUE(parsed.refusal);
  EXPECT_EQ(parsed.refusal->status, 400);
  EXPECT_EQ(parsed.refusal->member, "Content-Type");
}

TEST_F(EventParserTest, RefusesAnEventSpreadOverLines) {
  const auto parsed =
      parse("application/x-ndjson", "{\"type\":\"t\",\n\"source\":\"s\",\"data\":{}}");
  ASSERT_TRUE(parsed.refusal);
  EXPECT_EQ(parsed.refusal->status, 400);
  EXPECT_EQ(parsed.refusal->line, 1u);
}

TEST_F(EventParserTest, RefusesMoreEventsThanTheLimit) {
  EventParser small{EventLimits{.batch_events_max = 3}};
  const std::string line = native("{}") + "\n";
  std::vector<EventView> events;
  EXPECT_FALSE(small.parse(request_of("application/x-ndjson", line + line + line), events));
  const auto refusal =
      small.parse(request_of("application/x-ndjson", line + line + line + line), events);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->status, 413);
  EXPECT_EQ(refusal->line, 4u);
  EXPECT_TRUE(events.empty());
}

TEST_F(EventParserTest, LimitsTheSizeOfEachEventAndOfTheBatch) {
  EventParser small{EventLimits{.event_bytes_max = 100, .batch_bytes_max = 250}};
  std::vector<EventView> events;
  const auto event_of = [](size_t size) {
    const std::string text = R"({"specversion":"1.0","id":"i","type":"t","source":"s","data":""})";
    return text.substr(0, text.size() - 2) + std::string(size - text.size(), 'x') + "\"}";
  };
  const auto status = [&](const char* type, const std::string& body) {
    const auto refusal = small.parse(request_of(type, body), events);
    return refusal ? refusal->status : 200;
  };
  EXPECT_EQ(status("application/cloudevents+json", event_of(100)), 200);
  EXPECT_EQ(status("application/cloudevents+json", event_of(101)), 413);
  EXPECT_EQ(status("application/cloudevents-batch+json", "[" + event_of(100) + "]"), 200);
  EXPECT_EQ(status("application/cloudevents-batch+json", "[" + event_of(101) + "]"), 413);
  EXPECT_EQ(status("application/cloudevents-batch+json",
                   "[" + event_of(99) + "," + event_of(99) + "," + event_of(99) + "]"),
            413);
}

// --- CloudEvents ---------------------------------------------------------------------------------

std::string cloud(std::string_view members) {
  return R"({"specversion":"1.0","id":"1","type":"t","source":"/s")" +
         (members.empty() ? "" : "," + std::string{members}) + "}";
}

/// A name that is right elsewhere is no slip for itself.
TEST_F(EventParserTest, SaysWhereAMemberBelongs) {
  const auto native =
      parse("application/json", R"({"type":"t","source":"s","data_base64":"AA=="})");
  ASSERT_TRUE(native.refusal);
  EXPECT_EQ(native.refusal->member, "data_base64");
  EXPECT_EQ(native.refusal->detail.find("perhaps"), std::string::npos) << native.refusal->detail;
  EXPECT_NE(native.refusal->detail.find("application/cloudevents+json"), std::string::npos);
  for (const char* member : {R"("teams":["a"])", R"("cluster":{})", R"("dataschema":[])"}) {
    const auto parsed = parse("application/cloudevents+json", cloud(member));
    ASSERT_TRUE(parsed.refusal) << member;
    EXPECT_EQ(parsed.refusal->detail.find("perhaps"), std::string::npos) << parsed.refusal->detail;
  }
}

TEST_F(EventParserTest, CloudEventsTakeAnyData) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", ""},
      {R"("data":{"a":1.0})", R"({"a":1.0})"},
      {R"("data":[1, 2])", "[1, 2]"},
      {R"("data":"text\n")", R"("text\n")"},
      {R"("data":1.50 )", "1.50"},
      {R"("data":null)", "null"},
      {R"("datacontenttype":"application/vnd.x+json","data":"t")", R"("t")"},
      {R"("datacontenttype":"application/JSON; a=b","data":"t")", R"("t")"},
      {R"("data":"a\u00e9\"b","datacontenttype":"text/plain")", "aé\"b"},
      {R"("datacontenttype":"text/xml","data":"<a/>")", "<a/>"},
      {R"("datacontenttype":"text/xml","data":{"a":1})", R"({"a":1})"},
      {R"("data_base64":"AAH/")", std::string{"\x00\x01\xff", 3}},
      {R"("data_base64":"")", ""},
      {R"("data_base64":null)", ""},
      {R"("data_base64":null,"data":{"a":1})", R"({"a":1})"},
      {R"("data":7,"data_base64":null)", "7"},
  };
  for (const auto& [members, data] : cases) {
    const auto one = parse("application/cloudevents+json; charset=utf-8", cloud(members));
    ASSERT_FALSE(one.refusal) << members << ": " << one.refusal->detail;
    EXPECT_EQ(as_text(one.events[0].data), data) << members;
    const auto batch = parse("application/cloudevents-batch+json",
                             "[ " + cloud(members) + " , " + cloud(members) + "]");
    ASSERT_FALSE(batch.refusal) << members << ": " << batch.refusal->detail;
    ASSERT_EQ(batch.events.size(), 2u);
    EXPECT_EQ(as_text(batch.events[1].data), data) << members;
  }
}

TEST_F(EventParserTest, CloudEventsHoldToTheLetter) {
  const std::vector<BadEvent> cases{
      {"specversion", R"({"id":"1","type":"t","source":"s"})"},
      {"specversion", R"({"specversion":"1","id":"1","type":"t","source":"s"})"},
      {"id", R"({"specversion":"1.0","type":"t","source":"s"})"},
      {"id", R"({"specversion":"1.0","id":"","type":"t","source":"s"})"},
      {"type", R"({"specversion":"1.0","id":"1","source":"s"})"},
      {"source", R"({"specversion":"1.0","id":"1","type":"t"})"},
      {"subject", cloud(R"("subject":"")")},
      {"data_base64", cloud(R"("data":1,"data_base64":"AA==")")},
      {"data_base64", cloud(R"("data_base64":"AA==","data":1)")},
      {"data_base64", cloud(R"("data_base64":"A")")},
      {"data_base64", cloud(R"("data_base64":"AAH_")")},
      {"data_base64", cloud(R"("data_base64":null,"data_base64":null)")},
      {"data_base64", cloud(R"("data_base64":"AA==","data_base64":"AA==")")},
      {"data", cloud(R"("datacontenttype":"text/plain","data":"\ud800")")},
      {"data", cloud(R"("data":1,"data":1)")},
      {"teams", cloud(R"("teams":["a"])")},
      {"Upper", cloud(R"("Upper":"a")")},
      {"x", cloud(R"("x":{})")},
  };
  for (const BadEvent& bad : cases) {
    const auto one = parse("application/cloudevents+json", bad.body);
    ASSERT_TRUE(one.refusal) << bad.body;
    EXPECT_EQ(one.refusal->status, 422);
    EXPECT_EQ(one.refusal->member, bad.member) << bad.body << ": " << one.refusal->detail;
    const auto batch =
        parse("application/cloudevents-batch+json", "[" + cloud("") + "," + bad.body + "]");
    ASSERT_TRUE(batch.refusal) << bad.body;
    EXPECT_EQ(batch.refusal->line, 2u);
    EXPECT_EQ(batch.refusal->member, bad.member);
    EXPECT_TRUE(batch.events.empty());
  }
}

TEST_F(EventParserTest, RefusesBatchesThatAreNoArrayOfObjects) {
  const std::string event = cloud("");
  const std::vector<std::string> bodies{"{}",
                                        event,
                                        "[" + event,
                                        event + "]",
                                        "[" + event + "]]",
                                        "[" + event + ",]",
                                        "[," + event + "]",
                                        "[" + event + " " + event + "]",
                                        "[" + event + "]{}",
                                        "[1]",
                                        "[[]]",
                                        "[null]",
                                        "[" + event + ",\"x\"]",
                                        "[",
                                        "]",
                                        "",
                                        "[" + event.substr(0, event.size() - 1) + "]"};
  for (const std::string& body : bodies) {
    const auto parsed = parse("application/cloudevents-batch+json", body);
    ASSERT_TRUE(parsed.refusal) << body;
    EXPECT_EQ(parsed.refusal->status, 400) << body << ": " << parsed.refusal->detail;
  }
}

TEST_F(EventParserTest, ReadsBinaryMode) {
  request_ = request_of("application/json", "{ \"a\" : 1.0 }",
                        {{"ce-specversion", "1.0"},
                         {"CE-Type", "t"},
                         {"ce-source", "/s%20%C3%A9"},
                         {"ce-id", "7"},
                         {"ce-branch", "main"},
                         {"ce-comexample", "a%22b"},
                         {"ce-empty", ""},
                         {"Other", "x"}});
  const auto parsed = parse_request();
  ASSERT_FALSE(parsed.refusal) << parsed.refusal->detail;
  const EventView& event = parsed.events[0];
  EXPECT_EQ(event.type, "t");
  EXPECT_EQ(event.source, "/s é");
  EXPECT_EQ(event.id, "7");
  EXPECT_EQ(event.branch, "main");
  EXPECT_EQ(event.data_content_type, "application/json");
  EXPECT_EQ(event.extensions, R"({"comexample":"a\"b","empty":""})");
  EXPECT_EQ(as_text(event.data), "{ \"a\" : 1.0 }");
}

// HTTP binding, 3.1.3.2.
TEST_F(EventParserTest, BinaryModeDecodesHeaderValuesOnce) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u20ac \U0001f600"},
      {"%e2%82%ac", "\u20ac"},  // Lower-case digits.
      {"%61%62c", "abc"},       // More was encoded than is needed.
      {"%2541", "%41"},         // One round, no second.
      {"%22%5C%25", "\"\\%"},
      {"a b\tc", ""},      // A tab is a control character.
      {"\"a b\"", "a b"},  // What senders of version 1.0 wrote.
      {"\"a \\\"b\\\" \\\\\"", "a \"b\" \\"},
      {"x\"y\"z", "xyz"},
      {"\"%C3%A9\"", "\u00e9"},
      {"a\\b", "a\\b"},      // Outside quotes a backslash is one.
      {"\u00e9", "\u00e9"},  // Not encoded at all: UTF-8 all the same.
      // What encodes nothing is what SDKs in wide use send.
      {"x \u00e9 %", "x \u00e9 %"},
      {"100% of 5%", "100% of 5%"},
      {"%", "%"},
      {"%4", "%4"},
      {"%4g", "%4g"},
      {"%%41", "%A"},
      {"\"", "\""},
      {"\"a", "\"a"},
      {"3.5\" disk", "3.5\" disk"},
      {"\"a\\\"", "\"a\\\""},
      {"\"a\\", "\"a\\"},
      {"%C0%A0", ""},     // Overlong.
      {"%ED%A0%80", ""},  // A surrogate.
      {"%FF", ""},
      {"\xff", ""},
      {"%00", ""},
      {"%7F", ""},
      {"%C2%85", ""},
      {"%EF%BF%BE", ""},     // U+FFFE.
      {"%EF%B7%90", ""},     // U+FDD0.
      {"%F0%9F%BF%BF", ""},  // U+1FFFF.
      {"%F4%8F%BF%BE", ""},  // U+10FFFE.
      {"%EF%BF%BD%EF%B7%8F%EF%B7%B0", "\ufffd\ufdcf\ufdf0"},
      {"%F0%9F%BF%BD", "\U0001fffd"},
  };
  for (const auto& [value, text] : cases) {
    request_ = request_of("", "",
                          {{"ce-specversion", "1.0"},
                           {"ce-type", "t"},
                           {"ce-source", "s"},
                           {"ce-id", "i"},
                           {"ce-subject", value}});
    const auto parsed = parse_request();
    EXPECT_EQ(parsed.refusal.has_value(), text.empty()) << value;
    if (parsed.refusal) {
      EXPECT_EQ(parsed.refusal->status, 422);
      EXPECT_EQ(parsed.refusal->member, "ce-subject") << parsed.refusal->detail;
    } else {
      EXPECT_EQ(parsed.events.at(0).subject, text) << value;
    }
  }
}

TEST_F(EventParserTest, BinaryModeTakesTheSpecificationsExample) {
  request_ = request_of("application/json; charset=utf-8", "{ }",
                        {{"ce-specversion", "1.0"},
                         {"ce-type", "com.example.someevent"},
                         {"ce-time", "2018-04-05T03:56:24Z"},
                         {"ce-id", "1234-1234-1234"},
                         {"ce-source", "/mycontext/subcontext"},
                         {"ce-dataschema", "https://example.org/schema"}});
  const auto parsed = parse_request();
  ASSERT_FALSE(parsed.refusal) << parsed.refusal->detail;
  EXPECT_EQ(parsed.events[0].time, "2018-04-05T03:56:24Z");
  EXPECT_EQ(parsed.events[0].data_content_type, "application/json; charset=utf-8");
  EXPECT_EQ(parsed.events[0].extensions, R"({"dataschema":"https://example.org/schema"})");
}

TEST_F(EventParserTest, BinaryModeNeedsNeitherDataNorItsType) {
  for (const char* body : {"", "any bytes"}) {
    request_ = request_of(
        "", body,
        {{"ce-specversion", "1.0"}, {"ce-type", "t"}, {"ce-source", "s"}, {"ce-id", "i"}});
    const auto parsed = parse_request();
    ASSERT_FALSE(parsed.refusal) << body;
    EXPECT_EQ(as_text(parsed.events[0].data), body);
  }
}

// Goal: empty data is told from none, and stays so in the journal. Method: each mode, with a type
// and without.
TEST_F(EventParserTest, DataMayBeThereAndEmpty) {
  const auto has_data = [](const journal::EventView& event) {
    EXPECT_TRUE(event.data.empty());
    const bool stored = journal::EventCodec::encode(event)->view().data.data() != nullptr;
    EXPECT_EQ(stored, event.data.data() != nullptr);
    return stored;
  };
  for (const auto& [members, there] :
       {std::pair{R"("datacontenttype":"text/plain","data":"")", true},
        {R"("datacontenttype":"application/octet-stream","data_base64":"")", true},
        {R"("datacontenttype":"text/plain")", false},
        {R"("subject":"x")", false}}) {
    const auto parsed = parse("application/cloudevents+json", cloud(members));
    ASSERT_FALSE(parsed.refusal) << members;
    EXPECT_EQ(has_data(parsed.events[0]), there) << members;
  }
  for (const auto& [type, there] : {std::pair{"text/plain", true}, {"", false}}) {
    request_ = request_of(
        type, "",
        {{"ce-specversion", "1.0"}, {"ce-type", "t"}, {"ce-source", "s"}, {"ce-id", "i"}});
    const auto parsed = parse_request();
    ASSERT_FALSE(parsed.refusal) << type;
    EXPECT_EQ(has_data(parsed.events[0]), there) << type;
  }
}

// HTTP binding, 3: CloudEvents' own content types go before the headers, which may stand beside.
TEST_F(EventParserTest, StructuredModeGoesBeforeHeaders) {
  request_ = request_of("Application/CloudEvents+JSON; charset=UTF-8", cloud(""),
                        {{"ce-specversion", "1.0"}, {"ce-type", "other"}, {"ce-id", "other"}});
  const auto parsed = parse_request();
  ASSERT_FALSE(parsed.refusal) << parsed.refusal->detail;
  EXPECT_EQ(parsed.events[0].type, "t");
  EXPECT_EQ(parsed.events[0].id, "1");
}

TEST_F(EventParserTest, CloudEventsExtensionsHaveTheTypesOfTheSpecification) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"("x":true,"y":false)", R"({"x":true,"y":false})"},
      {R"("x":-2147483648,"y":2147483647)", R"({"x":-2147483648,"y":2147483647})"},
      {R"("x":0,"y":"")", R"({"x":0,"y":""})"},
      {R"("x":null,"y":"a")", R"({"y":"a"})"},
      {R"("x":"\u00e9\n")", "?"},
      {R"("x":"\ufffe")", "?"},
      {R"("x":"\ud83f\udfff")", "?"},  // U+1FFFF.
      {"\"x\":\"\xef\xb7\x90\"", "?"},
      {R"("x":"\u00e9")", R"({"x":"\u00e9"})"},
      {R"("x":-2147483649)", "?"},
      {R"("x":1.0)", R"({"x":1})"},
      {R"("x":6e1,"y":-0,"z":-21474836480e-1)", R"({"x":60,"y":0,"z":-2147483648})"},
      {R"("x":1.5)", "?"},
      {R"("x":1e400)", "?"},
      {R"("x":12345678901234567890123)", "?"},
      {R"("dataschema":"https://example.org")", R"({"dataschema":"https://example.org"})"},
      {R"("dataschema":"")", "?"},
      {R"("dataschema":1)", "?"},
      {R"("branch":"","orderingkey":"")", ""},  // Extensions of ours: empty is none.
      {R"("subject":null,"time":null,"datacontenttype":null)", ""},
      {R"("teams":"a","cluster":"eu")", R"({"teams":"a","cluster":"eu"})"},
      {R"("cluster":"")", R"({"cluster":""})"},
      {R"("cluster":5)", "?"},
      {R"("teams":true)", "?"},
  };
  for (const auto& [members, extensions] : cases) {
    const auto parsed = parse("application/cloudevents+json", cloud(members));
    if (extensions == "?") {
      ASSERT_TRUE(parsed.refusal) << members;
      EXPECT_EQ(parsed.refusal->status, 422) << members;
    } else {
      ASSERT_FALSE(parsed.refusal) << members << parsed.refusal->detail;
      EXPECT_EQ(parsed.events[0].extensions, extensions) << members;
    }
  }
}

// Design, 6.1: what webhooks are filtered by is text, in one place and under one name.
TEST_F(EventParserTest, RoutingAttributesAreText) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"("cluster":"eu","teams":"a")", R"({"cluster":"eu","teams":"a"})"},
      {R"("teams":["a", "b"])", R"({"teams":["a","b"]})"},
      {R"("teams":[])", R"({"teams":[]})"},
      {R"("cluster":null,"teams":null)", ""},
      {R"("cluster":"","teams":"")", ""},
  };
  for (const auto& [members, extensions] : cases) {
    const auto parsed = parse("application/json", with(members));
    ASSERT_FALSE(parsed.refusal) << members << parsed.refusal->detail;
    EXPECT_EQ(parsed.events[0].extensions, extensions) << members;
  }
  request_ = request_of("", "",
                        {{"ce-specversion", "1.0"},
                         {"ce-type", "t"},
                         {"ce-source", "s"},
                         {"ce-id", "i"},
                         {"ce-cluster", "eu"},
                         {"ce-teams", "a"}});
  const auto binary = parse_request();
  ASSERT_FALSE(binary.refusal) << binary.refusal->detail;
  EXPECT_EQ(binary.events[0].extensions, R"({"cluster":"eu","teams":"a"})");
}

// --- CDEvents ------------------------------------------------------------------------------------

/// A document of CDEvents with members more (or other ones first) in its parts.
std::string cdevent(std::string_view more_context = "", std::string_view more_subject = "",
                    std::string_view more = "") {
  return R"({ "context": {"version":"0.4.1","id":"271069a8","source":"/event/source/123",)"
         R"("type":"dev.cdevents.pipelinerun.finished.0.2.0",)"
         R"("timestamp":"2031-03-20T14:27:05.315384Z")" +
         std::string{more_context} +
         R"(}, "subject":{"id":"mySubject","source":"/s","type":"pipelineRun",)"
         R"("content":{"outcome":"failure", "score":1.0})" +
         std::string{more_subject} + "}" + std::string{more} + " }";
}

TEST_F(EventParserTest, ReadsABareDocumentOfCdevents) {
  for (const std::string& document :
       {cdevent(), cdevent(R"(,"chainId":"4c8c","links":[{"linkType":"END","tags":{"a":[]}}])"),
        cdevent("", "",
                R"(,"customData":{"a":1,"a":2},"customDataContentType":"application/json")"),
        cdevent("", R"(,"extra":[{}])", R"(,"customData":"text\ud800")")}) {
    for (const char* space : {"", " \t"}) {
      const auto one = parse("application/json", space + document + space);
      ASSERT_FALSE(one.refusal) << document << one.refusal->detail;
      ASSERT_EQ(one.events.size(), 1u);
      const EventView& event = one.events[0];
      EXPECT_EQ(event.type, "dev.cdevents.pipelinerun.finished.0.2.0");
      EXPECT_EQ(event.source, "/event/source/123");
      EXPECT_EQ(event.id, "271069a8");
      EXPECT_TRUE(event.id_given);
      EXPECT_EQ(event.time, "2031-03-20T14:27:05.315384Z");
      EXPECT_EQ(event.subject, "mySubject");
      EXPECT_EQ(event.extensions, "");
      EXPECT_EQ(as_text(event.data), document);
    }
    const auto lines =
        parse("application/x-ndjson", native("{}") + "\n" + document + "\r\n" + document + "\n");
    ASSERT_FALSE(lines.refusal) << document << lines.refusal->detail;
    ASSERT_EQ(lines.events.size(), 3u);
    EXPECT_EQ(as_text(lines.events[1].data), document);
    EXPECT_EQ(as_text(lines.events[2].data), document);
  }
}

TEST_F(EventParserTest, ReadsCdeventsWhateverTheOrderOfMembers) {
  const std::string document =
      R"({"customData":[1],"subject":{"content":{},"id":"\u0073\"1"},)"
      R"("context":{"timestamp":"2031-01-01T00:00:00Z","type":"dev.cdevents.\u0061.b.0.1.0-draft",)"
      R"("source":"s","id":"1"}})";
  const auto parsed = parse("application/json", document);
  ASSERT_FALSE(parsed.refusal) << parsed.refusal->detail;
  EXPECT_EQ(parsed.events[0].type, "dev.cdevents.a.b.0.1.0-draft");
  EXPECT_EQ(parsed.events[0].subject, "s\"1");
  EXPECT_EQ(as_text(parsed.events[0].data), document);
}

TEST_F(EventParserTest, NamesTheMemberOfACdeventThatIsWrong) {
  const auto context = [](std::string_view members) {
    return R"({"context":{)" + std::string{members} + R"(},"subject":{"id":"s"}})";
  };
  const std::string type = R"("type":"dev.cdevents.a.b.0.1.0")";
  const std::string rest = R"(,"id":"1","source":"s","timestamp":"2031-01-01T00:00:00Z")";
  const std::string whole = R"({"context":{)" + type + rest + "}";
  const std::vector<BadEvent> cases{
      {"context.id", context(type)},
      {"context.id", context(type + R"(,"source":"s","timestamp":"2031-01-01T00:00:00Z")")},
      {"context.source", context(type + R"(,"id":"1","timestamp":"2031-01-01T00:00:00Z")")},
      {"context.timestamp", context(type + R"(,"id":"1","source":"s")")},
      {"context.timestamp", context(type + R"(,"id":"1","source":"s","timestamp":"now")")},
      {"context.id", context(type + R"(,"id":1)")},
      {"context.id", context(type + R"(,"id":null)")},
      {"context.id", context(type + R"(,"id":"")")},
      {"context.id", context(type + R"(,"id":")" + std::string(129, 'x') + "\"")},
      {"context.id", context(type + R"(,"id":"a\n")")},
      {"context.id", context(type + R"(,"id":"\ud800")")},
      {"context.id", context(type + R"(,"id":"1","id":"1")")},
      {"context.source", context(type + R"(,"source":["s"])")},
      {"context.type", context(type + rest + "," + type)},
      {"context.type", context(R"("type":"dev.cdevents.)" + std::string(256, 'x') + "\"" + rest)},
      {"subject.id", whole + "}"},
      {"subject.id", whole + R"(,"subject":{}})"},
      {"subject.id", whole + R"(,"subject":{"id":""}})"},
      {"subject.id", whole + R"(,"subject":{"id":{}}})"},
      {"subject", whole + R"(,"subject":"s"})"},
      {"subject", whole + R"(,"subject":{"id":"s"},"subject":{}})"},
      {"context", whole + R"(,"context":{)" + type + "}}"},
  };
  for (const BadEvent& bad : cases) {
    const auto one = parse("application/json", bad.body);
    ASSERT_TRUE(one.refusal) << bad.body;
    EXPECT_EQ(one.refusal->status, 422) << bad.body << one.refusal->detail;
    EXPECT_EQ(one.refusal->member, bad.member) << bad.body << one.refusal->detail;
    const auto lines = parse("application/x-ndjson", cdevent() + "\n" + bad.body);
    ASSERT_TRUE(lines.refusal) << bad.body;
    EXPECT_EQ(lines.refusal->line, 2u);
    EXPECT_EQ(lines.refusal->member, bad.member);
  }
}

TEST_F(EventParserTest, TakesNothingElseForACdevent) {
  const std::string type = R"("context":{"type":"dev.cdevents.a.b.0.1.0"})";
  const std::vector<BadEvent> cases{
      {"context", "{" + type + R"(,"type":"t"})"},
      {"context", "{" + type + R"(,"source":"s"})"},
      {"context", R"({"context":{"type":"dev.cdevent.a.b.0.1.0"}})"},
      {"context", R"({"context":{"type":5}})"},
      {"context", R"({"context":{}})"},
      {"context", R"({"context":["dev.cdevents.a.b"]})"},
      {"type", R"({"context":"dev.cdevents.a.b"})"},
      {"subject", R"({"subject":{"id":"s"}})"},
  };
  for (const BadEvent& bad : cases) {
    const auto parsed = parse("application/json", bad.body);
    ASSERT_TRUE(parsed.refusal) << bad.body;
    EXPECT_EQ(parsed.refusal->status, 422);
    EXPECT_EQ(parsed.refusal->member, bad.member) << bad.body << parsed.refusal->detail;
  }
  // Nor is it one where CloudEvents are promised.
  EXPECT_EQ(parse("application/cloudevents+json", cdevent()).refusal->status, 422);
}

TEST_F(EventParserTest, KeepsCdeventsInCloudEventsAsTheyAre) {
  const auto parsed = parse("application/cloudevents+json",
                            R"({"specversion":"1.0","id":"1","source":"s","subject":"x",)"
                            R"("type":"dev.cdevents.pipelinerun.finished.0.2.0","data":)" +
                                cdevent() + "}");
  ASSERT_FALSE(parsed.refusal) << parsed.refusal->detail;
  EXPECT_EQ(parsed.events[0].type, "dev.cdevents.pipelinerun.finished.0.2.0");
  EXPECT_EQ(as_text(parsed.events[0].data), cdevent());
}

TEST_F(EventParserTest, LimitsTheDepthOfCdevents) {
  const auto nested = [](size_t levels) {
    return cdevent("", "",
                   ",\"customData\":" + std::string(levels, '[') + std::string(levels, ']'));
  };
  EXPECT_FALSE(parse("application/json", nested(127)).refusal);
  EXPECT_EQ(parse("application/json", nested(128)).refusal->status, 400);
}

TEST_F(EventParserTest, BinaryModeTakesAnyBytesThatAreNotSaidToBeJson) {
  const std::string bytes{"\x00\xff{", 3};
  request_ =
      request_of("application/octet-stream", bytes,
                 {{"ce-specversion", "1.0"}, {"ce-type", "t"}, {"ce-source", "s"}, {"ce-id", "i"}});
  const auto parsed = parse_request();
  ASSERT_FALSE(parsed.refusal);
  EXPECT_EQ(as_text(parsed.events[0].data), bytes);
}

TEST_F(EventParserTest, BinaryModeRefusesJsonThatIsNone) {
  for (std::string body : {"{", "1 2", "1],[2", "1,2", "]", "[", "\"", "tru", "\xef\xbb\xbf{}"}) {
    request_ = request_of(
        "application/json", body,
        {{"ce-specversion", "1.0"}, {"ce-type", "t"}, {"ce-source", "s"}, {"ce-id", "i"}});
    const auto parsed = parse_request();
    ASSERT_TRUE(parsed.refusal) << body;
    EXPECT_EQ(parsed.refusal->status, 400) << body;
  }
}

TEST_F(EventParserTest, SaysWhereATextIsNotJson) {
  const auto detail = [this](std::string_view type, std::string_view body) {
    const auto parsed = parse(type, body);
    EXPECT_TRUE(parsed.refusal) << body;
    if (!parsed.refusal) return std::string{};
    EXPECT_EQ(parsed.refusal->status, 400) << body;
    return parsed.refusal->detail;
  };
  const std::string fault = "{\n  \"type\": \"t\", # the type\n  \"source\": \"s\"\n}";
  const std::string place = "line 2, column 16 (after 17 bytes)";
  for (const char* type : {"application/json", "application/cloudevents+json"}) {
    EXPECT_EQ(detail(type, fault), "Not JSON: " + place + ": comments are not allowed in JSON.");
  }
  EXPECT_EQ(
      detail("application/json", "\xef\xbb\xbf" + native("{}")),
      "Not JSON: line 1, column 1: the text begins with a byte order mark (the bytes EF BB BF); "
      "save it without one.");
  EXPECT_EQ(
      detail("application/cloudevents-batch+json", "[\n" + cloud("") + "\n" + cloud("") + "]"),
      "Not JSON: line 3, column 1 (after " + std::to_string(3 + cloud("").size()) +
          " bytes): a comma or ] is missing.");
  for (const auto& [body, at] :
       {std::pair{"[\n" + cloud("") + "\n" + cloud("") + "]", 3u},
        {"[" + cloud("") + ",\n\n" + cloud("\"data\":{\n\"a\":01}") + "]", 4u},
        {"[" + cloud("") + "," + cloud("") + ",]", 1u},
        {"[" + cloud("") + "]\n]", 2u}}) {
    const auto parsed = parse("application/cloudevents-batch+json", body);
    ASSERT_TRUE(parsed.refusal) << body;
    EXPECT_EQ(parsed.refusal->line, at) << body;
    EXPECT_TRUE(parsed.refusal->detail.starts_with("Not JSON: line " + std::to_string(at) + ","))
        << parsed.refusal->detail;
  }
  const std::string line = native("{}") + "\n";
  const auto lines = parse("application/x-ndjson", line + line + native("{\"a\":1,}"));
  ASSERT_TRUE(lines.refusal);
  EXPECT_EQ(lines.refusal->line, 3u);
  EXPECT_TRUE(lines.refusal->detail.starts_with("Not JSON: line 3, column 40 (after "))
      << lines.refusal->detail;
  EXPECT_NE(detail("application/json", "[1]").find("An event is a JSON object."),
            std::string::npos);

  request_ =
      request_of("application/json", "{\"a\":1}\n{\"a\":2}",
                 {{"ce-specversion", "1.0"}, {"ce-type", "t"}, {"ce-source", "s"}, {"ce-id", "i"}});
  EXPECT_EQ(parse_request().refusal->detail,
            "Not JSON: line 2, column 1 (after 8 bytes): there is more text after the end of the "
            "JSON value.");
}

// Bytes that are not exactly one JSON text never stand where JSON is due.
TEST_F(EventParserTest, Base64HoldsTheJsonThatItSays) {
  for (const char* type : {"application/json", "text/json", "application/vnd.x+json; a=b"}) {
    const std::string declared =
        R"("datacontenttype":")" + std::string{type} + R"(","data_base64":")";
    for (std::string_view bytes :
         {R"({"ok":1},"type":"deploy.approved","source":"app/production")", "{} {}", "{}\n{}", "{",
          "nul", "\xef\xbb\xbf{}", "\"\xff\"", " "}) {
      const auto parsed = parse("application/cloudevents+json",
                                cloud(declared + crypto::base64_encode(as_bytes(bytes)) + '"'));
      ASSERT_TRUE(parsed.refusal) << bytes;
      EXPECT_EQ(parsed.refusal->status, 422);
      EXPECT_EQ(parsed.refusal->member, "data_base64");
    }
    for (std::string_view bytes : {"{}", " {\"a\":[1e999]}\n", "\"x\"", "null", ""}) {
      const auto parsed = parse("application/cloudevents+json",
                                cloud(declared + crypto::base64_encode(as_bytes(bytes)) + '"'));
      ASSERT_FALSE(parsed.refusal) << bytes;
      EXPECT_EQ(as_text(parsed.events[0].data), bytes);
      EXPECT_TRUE(parsed.events[0].data_checked);
    }
  }
  const std::string deep(128, '[');
  const std::string closed = deep + std::string(128, ']');
  EXPECT_TRUE(parse("application/cloudevents+json",
                    cloud(R"("datacontenttype":"application/json","data_base64":")" +
                          crypto::base64_encode(as_bytes(closed)) + '"'))
                  .refusal);
}

TEST_F(EventParserTest, NamesTheTypeOfBytesThatCameWithoutOne) {
  // Base64 without a content type is not JSON (JSON format, 3.1), whatever its bytes are.
  const auto structured = parse("application/cloudevents+json", cloud(R"("data_base64":"e30=")"));
  ASSERT_FALSE(structured.refusal);
  EXPECT_EQ(structured.events[0].data_content_type, "application/octet-stream");
  EXPECT_EQ(as_text(structured.events[0].data), "{}");
  for (const auto& [body, type] :
       {std::pair{"{}", ""}, std::pair{"{", "application/octet-stream"}, std::pair{"", ""}}) {
    request_ = request_of(
        "", body,
        {{"ce-specversion", "1.0"}, {"ce-type", "t"}, {"ce-source", "s"}, {"ce-id", "i"}});
    const auto binary = parse_request();
    ASSERT_FALSE(binary.refusal);
    EXPECT_EQ(binary.events[0].data_content_type, type) << body;
  }
}

TEST_F(EventParserTest, AnEventMayHaveNoData) {
  for (const char* body :
       {R"({"type":"t","source":"s"})", R"({"type":"t","source":"s","data":null})"}) {
    for (const char* type : {"application/json", "application/x-ndjson"}) {
      const auto parsed = parse(type, body);
      ASSERT_FALSE(parsed.refusal) << body;
      EXPECT_TRUE(parsed.events[0].data.empty());
    }
  }
}

TEST_F(EventParserTest, SpellsATimeForStrictReaders) {
  for (const auto& [sent, kept] :
       {std::pair{"2020-06-17 12:52:43Z", "2020-06-17T12:52:43Z"},
        std::pair{"2020-06-17t12:52:43.123456789012z", "2020-06-17T12:52:43.123456789Z"},
        std::pair{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
        std::pair{"9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z"},
        std::pair{"2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"}}) {
    const std::string member = R"("time":")" + std::string{sent} + '"';
    const auto structured = parse("application/cloudevents+json", cloud(member));
    ASSERT_FALSE(structured.refusal) << sent;
    EXPECT_EQ(structured.events[0].time, kept);
    request_ = request_of("", "",
                          {{"ce-specversion", "1.0"},
                           {"ce-type", "t"},
                           {"ce-source", "s"},
                           {"ce-id", "i"},
                           {"ce-time", sent}});
    const auto binary = parse_request();
    ASSERT_FALSE(binary.refusal) << sent;
    EXPECT_EQ(binary.events[0].time, kept);
  }
}

TEST_F(EventParserTest, BinaryModeNamesTheHeader) {
  using Headers = std::vector<std::pair<std::string_view, std::string_view>>;
  const std::vector<std::pair<std::string, Headers>> cases{
      {"ce-specversion", {{"ce-specversion", "0.3"}}},
      {"ce-type", {{"ce-specversion", "1.0"}, {"ce-source", "s"}, {"ce-id", "i"}}},
      {"ce-source", {{"ce-specversion", "1.0"}, {"ce-type", "t"}, {"ce-id", "i"}}},
      {"ce-id", {{"ce-specversion", "1.0"}, {"ce-type", "t"}, {"ce-source", "s"}}},
      {"ce-type", {{"ce-specversion", "1.0"}, {"ce-type", "t"}, {"CE-TYPE", "t"}}},
      {"ce-type", {{"ce-specversion", "1.0"}, {"ce-type", "%0a"}}},
      {"ce-type", {{"ce-specversion", "1.0"}, {"ce-type", "%ff"}}},
      {"ce-type", {{"ce-specversion", "1.0"}, {"ce-type", ""}}},
      {"ce-a-b", {{"ce-specversion", "1.0"}, {"ce-a-b", "x"}}},
      {"ce-data", {{"ce-specversion", "1.0"}, {"ce-data", "x"}}},
      {"ce-", {{"ce-specversion", "1.0"}, {"ce-", "x"}}},
      {"ce-dataschema", {{"ce-specversion", "1.0"}, {"ce-dataschema", ""}}},
      {"ce-subject", {{"ce-specversion", "1.0"}, {"ce-subject", ""}}},
      {"ce-time", {{"ce-specversion", "1.0"}, {"ce-time", "noon"}}},
      {"ce-specversion", {{"ce-specversion", "1.1"}}},
      {"ce-datacontenttype", {{"ce-specversion", "1.0"}, {"ce-datacontenttype", "a/b"}}},
  };
  for (const auto& [header, headers] : cases) {
    request_ = request_of("application/json", "{}", headers);
    const auto parsed = parse_request();
    ASSERT_TRUE(parsed.refusal) << header;
    EXPECT_EQ(parsed.refusal->status, 422);
    EXPECT_EQ(parsed.refusal->member, header) << parsed.refusal->detail;
  }
}

// --- content types -------------------------------------------------------------------------------

TEST_F(EventParserTest, RefusesOtherContentTypes) {
  for (const char* type :
       {"", "text/plain", "application/x-www-form-urlencoded", "json", "application/json+x",
        "application/jsonx", "application/json;charset=latin1", "application/json; charset=utf-16",
        "application/cloudevents+avro"}) {
    const auto parsed = parse(type, native("{}"));
    ASSERT_TRUE(parsed.refusal) << type;
    EXPECT_EQ(parsed.refusal->status, 415) << type;
  }
}

TEST_F(EventParserTest, ReadsContentTypesWithParameters) {
  for (const char* type : {"application/json", "Application/JSON", "application/json;charset=utf-8",
                           "application/json; charset=\"UTF-8\"",
                           "application/json ; x=y; charset=UTF-8", "application/json;"}) {
    EXPECT_FALSE(parse(type, native("{}")).refusal) << type;
  }
}

TEST(BodyBytesMax, IsABatchsForBatchesOnly) {
  const EventLimits limits;
  EXPECT_EQ(body_bytes_max(Packing::native_one, limits), 1u << 20);
  EXPECT_EQ(body_bytes_max(Packing::cloudevents_one, limits), 1u << 20);
  EXPECT_EQ(body_bytes_max(Packing::cloudevents_binary, limits), 1u << 20);
  EXPECT_EQ(body_bytes_max(std::nullopt, limits), 1u << 20);
  EXPECT_EQ(body_bytes_max(Packing::native_lines, limits), 16u << 20);
  EXPECT_EQ(body_bytes_max(Packing::cloudevents_batch, limits), 16u << 20);
}

}  // namespace
}  // namespace ringpost::ingest
