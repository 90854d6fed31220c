#include "http/accept.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::http {
namespace {

std::vector<MediaRange> accepted(const std::vector<std::string>& values) {
  Request request;
  for (const std::string& value : values) request.headers.push_back({"accept", value});
  return accepted_types(request);
}

// Goal: what a real Prometheus sends is understood as it means it.
TEST(Accept, ReadsWhatAScraperSends) {
  const auto ranges = accepted(
      {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q="
       "0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"});
  ASSERT_EQ(ranges.size(), 4u);
  EXPECT_EQ(ranges[0].type, "application/openmetrics-text");
  EXPECT_EQ(ranges[0].parameter("version"), "1.0.0");
  EXPECT_EQ(ranges[0].quality, 1000u);
  EXPECT_EQ(ranges[1].quality, 750u);
  EXPECT_EQ(ranges[2].parameter("version"), "0.0.4");
  EXPECT_EQ(ranges[3].type, "*/*");
  EXPECT_EQ(ranges[3].quality, 100u);
}

TEST(Accept, JoinsHeadersAndIgnoresCase) {
  const auto ranges = accepted({"Text/PLAIN ; Version = \"0.0.4\" ; Q=0", "a/b"});
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].type, "text/plain");
  EXPECT_EQ(ranges[0].parameter("version"), "0.0.4");
  EXPECT_EQ(ranges[0].quality, 0u);
  EXPECT_EQ(ranges[1].type, "a/b");
}

// Goal: separators within quotes separate nothing (RFC 9110, 5.6.4).
TEST(Accept, LeavesQuotedSeparatorsAlone) {
  const auto ranges = accepted({R"(a/b;x="1,2;q=0\",";q=0.25,c/d)"});
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].parameter("x"), R"(1,2;q=0",)");
  EXPECT_EQ(ranges[0].quality, 250u);
}

TEST(Accept, LeavesOutWhatBreaksTheGrammar) {
  for (const char* value : {"", ",", "text", "/", "text/", "/plain", "te xt/plain", "a/b/c",
                            "text/plain;q=2", "text/plain;q=1.001", "text/plain;q=0.1234",
                            "text/plain;q=", "text/plain;q=-1", "text/plain;q=.5", "\"a/b"}) {
    EXPECT_TRUE(accepted({value}).empty()) << value;
  }
  EXPECT_EQ(accepted({"bad, a/b;;q=1.000;flag, also bad"}).size(), 1u);
  EXPECT_TRUE(accepted({}).empty());
}

TEST(Accept, ReadsEveryQualityOfTheGrammar) {
  for (const auto& [text, thousandths] :
       std::vector<std::pair<std::string, uint32_t>>{{"0", 0},
                                                     {"0.", 0},
                                                     {"0.0", 0},
                                                     {"0.001", 1},
                                                     {"0.9", 900},
                                                     {"1", 1000},
                                                     {"1.", 1000},
                                                     {"1.000", 1000}}) {
    const auto ranges = accepted({"a/b;q=" + text});
    ASSERT_EQ(ranges.size(), 1u) << text;
    EXPECT_EQ(ranges[0].quality, thousandths) << text;
  }
}

Request encodings(const std::vector<std::string>& values) {
  Request request;
  for (const std::string& value : values) request.headers.push_back({"Accept-Encoding", value});
  return request;
}

TEST(Accept, KnowsWhoReadsGzip) {
  for (const auto& [values, accepts] :
       std::vector<std::pair<std::vector<std::string>, bool>>{{{"gzip"}, true},
                                                              {{"deflate", "br, GZip;q=0.1"}, true},
                                                              {{"*"}, true},
                                                              {{"gzip;q=0, x-gzip"}, true},
                                                              {{}, false},
                                                              {{""}, false},
                                                              {{"gzip;q=0"}, false},
                                                              {{"gzip;q=0.000, *"}, false},
                                                              {{"*;q=0"}, false},
                                                              {{"gzip;q=2"}, false},
                                                              {{"gz ip"}, false},
                                                              {{"identity"}, false}}) {
    EXPECT_EQ(accepts_gzip(encodings(values)), accepts) << (values.empty() ? "" : values[0]);
  }
}

TEST(Accept, ComparesTagsWeakly) {
  EXPECT_TRUE(names_tag("\"a\", W/\"b\"", "\"b\""));
  EXPECT_TRUE(names_tag("\"b\"", "W/\"b\""));
  EXPECT_TRUE(names_tag("*", "\"b\""));
  EXPECT_FALSE(names_tag("", "\"b\""));
  EXPECT_FALSE(names_tag("b", "\"b\""));
}

}  // namespace
}  // namespace ringpost::http
