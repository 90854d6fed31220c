#include "dialect/content.h"

#include "rendered.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

// Goal: bytes that are not exactly one JSON text never stand where JSON is due, and nothing is
// called JSON that is none; in old journals too, where such events were not refused.

namespace ringpost::dialect {
namespace {

using journal::EventView;

/// Breaks out of an object that it is put into as it is.
constexpr std::string_view forged =
    R"({"ok":1},"type":"deploy.approved","source":"app/production")";

EventView event_with(std::string_view type, std::string_view data, bool checked) {
  return {.data_content_type = type, .data = as_bytes(data), .data_checked = checked};
}

TEST(Content, IsJsonOnlyIfItIsOneText) {
  for (const char* type : {"", "application/json", "application/x+json; a=b", "TEXT/JSON"}) {
    EXPECT_EQ(content_of(event_with(type, "{}", true)), Content::json) << type;
    for (const bool checked : {false, true}) {
      EXPECT_EQ(content_of(event_with(type, "", checked)), Content::none) << type;
    }
    for (std::string_view data : {"{}", " [1] ", "1e999", "null"}) {
      EXPECT_EQ(content_of(event_with(type, data, false)), Content::json) << type << data;
    }
    for (std::string_view data :
         {forged, std::string_view{"{} {}"}, std::string_view{" "},
          std::string_view{"\xef\xbb\xbf{}"}, std::string_view{"\"\xff\""}}) {
      const EventView event = event_with(type, data, false);
      EXPECT_EQ(content_of(event), Content::bytes) << type << data;
      EXPECT_EQ(content_type_of(event), "application/octet-stream");
      EXPECT_FALSE(data_is_json(event));
    }
  }
}

TEST(Content, IsTextIfItSaysSoAndIsUtf8) {
  EXPECT_EQ(content_of(event_with("text/plain", "{}", true)), Content::text);
  EXPECT_EQ(content_of(event_with("Text/XML; charset=utf-8", "é", true)), Content::text);
  EXPECT_EQ(content_of(event_with("text/plain", "\xff", true)), Content::bytes);
  EXPECT_EQ(content_of(event_with("image/png", "a", true)), Content::bytes);
  EXPECT_EQ(content_type_of(event_with("text/plain", "\xff", true)), "text/plain");
  EXPECT_EQ(content_type_of(event_with("", "{}", true)), "application/json");
}

// Where JSON is not due, data that is there may be empty.
TEST(Content, IsThereThoughItIsEmpty) {
  EXPECT_EQ(content_of(event_with("text/plain", "", true)), Content::text);
  EXPECT_EQ(content_of(event_with("image/png", "", true)), Content::bytes);
  EXPECT_EQ(content_type_of(event_with("text/plain", "", true)), "text/plain");
  const EventView none{.data_content_type = "text/plain", .data_checked = true};
  EXPECT_EQ(content_of(none), Content::none);
  EXPECT_EQ(content_type_of(none), "");
}

TEST(Content, LooksIntoOtherTypesForTheirBytes) {
  EXPECT_TRUE(data_is_json(event_with("text/plain", "{}", true)));
  EXPECT_FALSE(data_is_json(event_with("text/plain", forged, true)));
  EXPECT_FALSE(data_is_json(event_with("", "", true)));
}

struct Sent : Rendered {
  Sent(std::string_view type, std::string_view data, bool checked) {
    event.data_content_type = type;
    event.data = as_bytes(data);
    event.data_checked = checked;
  }
};

TEST(Content, NoDialectSendsOtherBytesAsJson) {
  for (const char* type : {"", "application/json", "text/plain", "application/octet-stream"}) {
    for (const char* dialect : {"standard", "bitrise", "buildkite", "cloudevents", "devopness"}) {
      Sent sent{type, forged, false};
      if (sent.try_render(webhook(dialect, ""))) continue;  // No request at all.
      const std::string sent_as = sent.header("Content-Type");
      if (sent_as.find("json") == std::string::npos) continue;
      simdjson::dom::parser parser;
      simdjson::dom::element root;
      ASSERT_EQ(parser.parse(std::string{sent.body()}).get(root), simdjson::SUCCESS)
          << dialect << ' ' << type << ": " << sent.body();
      std::string_view source;
      if (root["source"].get(source) == simdjson::SUCCESS) {
        EXPECT_EQ(source, "app/c0ffee1234abcd56") << dialect << ' ' << type;
      }
    }
  }
}

TEST(Content, WhatIsNotThereHasNoType) {
  for (const char* dialect : {"standard", "bitrise"}) {
    for (const char* type : {"", "application/json", "text/plain"}) {
      Sent sent{type, {}, true};
      sent.render(webhook(dialect, "secret-of-any-length-that-will-do"));
      EXPECT_EQ(sent.header("Content-Type"), "(absent)") << dialect;
      EXPECT_EQ(sent.header("Content-Length"), "0");
    }
  }
}

TEST(Content, BuildkiteHasNoRequestWithoutABody) {
  Sent sent{"", "", true};
  sent.render(webhook("buildkite", ""));
  EXPECT_TRUE(sent.body().starts_with(R"({"event":"build/finished","sender":{)")) << sent.body();
}

TEST(Content, CloudEventsSendATimeThatStrictReadersTake) {
  Sent sent{"", "{}", true};
  sent.event.time = "2020-06-17 12:52:43z";
  sent.render(webhook("cloudevents", ""));
  EXPECT_NE(sent.body().find(R"("time":"2020-06-17T12:52:43Z")"), std::string::npos) << sent.body();
}

}  // namespace
}  // namespace ringpost::dialect
