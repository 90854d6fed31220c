#include "load/event_maker.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <map>

namespace ringpost::load {
namespace {

EventForm form() {
  EventForm form{.run = "0123abcd"};
  EXPECT_EQ(add_to_mix(form.types, "3:build.finished"), "");
  EXPECT_EQ(add_to_mix(form.types, "build.started"), "");
  EXPECT_EQ(add_to_mix(form.sources, "app/{{counter}}"), "");
  return form;
}

TEST(EventMaker, MakesEventsOfTheSizeWithIdKeyAndMark) {
  EventForm wanted = form();
  wanted.bytes_min = wanted.bytes_max = 300;
  wanted.keys = 4;
  EventMaker maker(wanted);
  std::string text;
  maker.append_event(text, 6, {});
  simdjson::dom::parser parser;
  simdjson::dom::element event = parser.parse(text);
  EXPECT_EQ(std::string_view{event["id"]}, "0123abcd-6");
  EXPECT_EQ(std::string_view{event["source"]}, "app/6");
  EXPECT_EQ(std::string_view{event["orderingkey"]}, "key-2");
  EXPECT_EQ(simdjson::minify(event["data"]).size(), 300u);
  EXPECT_EQ(uint64_t{event["data"]["ringpost_load"]["event"]}, 6u);
  EXPECT_EQ(marked_number(text, "0123abcd"), 6u);
}

TEST(EventMaker, SizesAreSpreadOverTheirRange) {
  EventForm wanted = form();
  wanted.bytes_min = 200;
  wanted.bytes_max = 210;
  EventMaker maker(wanted);
  std::map<size_t, int> sizes;
  for (uint64_t number = 0; number < 500; ++number) {
    std::string data;
    maker.append_data(data, number, {});
    ++sizes[data.size()];
  }
  EXPECT_EQ(sizes.size(), 11u);
  EXPECT_EQ(sizes.begin()->first, 200u);
}

TEST(EventMaker, SharesOfAMix) {
  EventMaker maker(form());
  std::map<std::string, int> types;
  for (uint64_t number = 0; number < 4000; ++number) ++types[maker.next_type(number, {})];
  EXPECT_NEAR(types["build.finished"], 3000, 150);
  EXPECT_EQ(types["build.finished"] + types["build.started"], 4000);
}

TEST(EventMaker, ATemplateGetsTheMarkIfWanted) {
  EventForm wanted = form();
  for (const auto& [data, marked] :
       {std::pair{R"({"n":{{counter}}})",
                  R"({"ringpost_load":{"run":"0123abcd","event":5},"n":5})"},
        {" { } ", R"({"ringpost_load":{"run":"0123abcd","event":5}} )"}}) {
    wanted.data = std::get<TextTemplate>(TextTemplate::compile(data));
    std::string text;
    EventMaker(wanted).append_data(text, 5, {});
    EXPECT_EQ(text, marked);
  }
  wanted.marked = false;
  std::string text;
  EventMaker(wanted).append_data(text, 5, {});
  EXPECT_EQ(text, " { } ");
}

TEST(EventMaker, AnActionHasWhatARequestIsMadeFrom) {
  EventForm wanted = form();
  wanted.action = true;
  for (const uint64_t size : {10u, 200u}) {
    wanted.bytes_min = wanted.bytes_max = size;
    std::string text;
    EventMaker(wanted).append_data(text, 7, {});
    simdjson::dom::parser parser;
    simdjson::dom::element data = parser.parse(text);
    EXPECT_EQ(uint64_t{data["action"]["id"]}, 7u);
    EXPECT_EQ(std::string_view{data["action"]["status"]}, "completed");
    EXPECT_EQ(text.size() == size, size == 200) << text;  // The least it needs is more than 10.
  }
}

TEST(WithMark, EverythingElseStaysAsItIs) {
  const std::string mark = R"("ringpost_load":{"run":"r","event":3})";
  EXPECT_EQ(with_mark(R"({"data":{ "a" : 1.0 } ,"id":"data"})", "r", 3),
            R"({"data":{)" + mark + R"(,"a" : 1.0 } ,"id":"data"})");
  EXPECT_EQ(with_mark(R"({"data":{ }})", "r", 3), R"({"data":{)" + mark + "}}");
  for (const char* event : {R"({"data":[{}]})", R"({"x":{}})", R"({"data":"{}"})", "{}", "["}) {
    EXPECT_EQ(with_mark(event, "r", 3), std::nullopt) << event;
  }
}

TEST(WithNewId, OneThatIsThereIsReplaced) {
  EXPECT_EQ(with_new_id(R"({"x":"a","id" : "a\"b","data":{"id":"a"}})", "r", 3),
            R"({"x":"a","id" : "r-3","data":{"id":"a"}})");
  EXPECT_EQ(with_new_id(R"({"data":{"id":"a"}})", "r", 3), R"({"data":{"id":"a"}})");
}

TEST(AddToMix, RefusesWhatIsNoShare) {
  Mix mix;
  EXPECT_NE(add_to_mix(mix, ""), "");
  for (const char* text : {"0:x", "-1:x", "+1:x", "99999999999999999999:x", "1000001:x"}) {
    EXPECT_NE(add_to_mix(mix, text).find("from 1 to 1,000,000"), std::string::npos) << text;
  }
  EXPECT_NE(add_to_mix(mix, "a\nb").find("control character"), std::string::npos);
  EXPECT_NE(add_to_mix(mix, "3:"), "");
  EXPECT_NE(add_to_mix(mix, "a{{nothing}}"), "");
  EXPECT_TRUE(mix.empty());
  EXPECT_EQ(add_to_mix(mix, "urn:app"), "");  // No number before the colon: a name.
  EXPECT_EQ(mix.texts().front().beginning(), "urn:app");
}

TEST(MarkedNumber, IsThatOfTheRunAlone) {
  const std::string body = R"(x"ringpost_load":{"run":"ab","event":12},)";
  EXPECT_EQ(marked_number(body, "ab"), 12u);
  EXPECT_EQ(marked_number(body, "a"), std::nullopt);
  EXPECT_EQ(marked_number(body, "abc"), std::nullopt);
  EXPECT_EQ(marked_number("", "ab"), std::nullopt);
  EXPECT_EQ(marked_number(R"("ringpost_load":{"run":"ab","event":)", "ab"), std::nullopt);
}

}  // namespace
}  // namespace ringpost::load
