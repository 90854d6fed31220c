#include "server/tracing_config.h"

#include "server/config.h"
#include "server/settings.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

namespace ringpost::server {
namespace {

std::string url_of(std::string_view text) {
  const auto parsed = parse_collector_url(text);
  if (const auto* problem = std::get_if<std::string>(&parsed)) return "refused: " + *problem;
  return std::get<http::Url>(parsed).text();
}

TEST(TracingConfig, ACollectorsUrlHasThePathOfOtlpIfItHasNone) {
  EXPECT_EQ(url_of("http://127.0.0.1:4318"), "http://127.0.0.1:4318/v1/traces");
  EXPECT_EQ(url_of("https://otlp.example.org/"), "https://otlp.example.org/v1/traces");
  EXPECT_EQ(url_of("https://otlp.example.org/otlp/v1/traces?a=1"),
            "https://otlp.example.org/otlp/v1/traces?a=1");
  EXPECT_TRUE(url_of("otlp.example.org:4318").starts_with("refused: "));
  EXPECT_TRUE(url_of("https://name:secret@otlp.example.org/").starts_with("refused: "));
}

std::string headers_of(std::string_view text) {
  const auto parsed = parse_collector_headers(text);
  if (const auto* problem = std::get_if<std::string>(&parsed)) return "refused: " + *problem;
  std::string all;
  for (const http::Header& header : std::get<std::vector<http::Header>>(parsed)) {
    all += header.name + "=" + header.value + ";";
  }
  return all;
}

TEST(TracingConfig, ReadsAFileOfHeaders) {
  EXPECT_EQ(headers_of("# of the vendor\nx-api-key: a:b c\r\n\n  Authorization:Bearer t  "),
            "x-api-key=a:b c;Authorization=Bearer t;");
  EXPECT_EQ(headers_of("a: 1"), "a=1;");
}

// A problem never repeats what is secret.
TEST(TracingConfig, RefusesHeadersThatAreNone) {
  EXPECT_EQ(headers_of(""), "refused: holds no header");
  EXPECT_EQ(headers_of("# nothing\n"), "refused: holds no header");
  EXPECT_EQ(headers_of("a: 1\nsecret"), "refused: line 2 is not of the form `Name: value`");
  EXPECT_EQ(headers_of("a b: 1"), "refused: line 1 does not begin with the name of a header");
  EXPECT_EQ(headers_of("a:"), "refused: line 1 has no value that a header can have");
  EXPECT_EQ(headers_of("a: \x01"), "refused: line 1 has no value that a header can have");
  EXPECT_EQ(headers_of("Content-Type: text/plain"),
            "refused: line 1 names a header that the relay writes itself");
  std::string many;
  for (int count = 0; count < 33; ++count) many += "a: 1\n";
  EXPECT_EQ(headers_of(many), "refused: holds more than 32 headers");
}

TEST(TracingConfig, ReadsAttributesOfTheResource) {
  const auto parsed = parse_resource_attribute("deployment.environment.name=a=b");
  ASSERT_EQ(parsed.index(), 0u);
  EXPECT_EQ(std::get<0>(parsed),
            (std::pair<std::string, std::string>{"deployment.environment.name", "a=b"}));
  for (const std::string& text :
       {std::string{""}, std::string{"a"}, std::string{"=b"}, std::string{"a="},
        std::string{"a=\x01"}, std::string{"service.name=x"}, "a=" + std::string(1024, 'x')}) {
    EXPECT_EQ(parse_resource_attribute(text).index(), 1u) << text;
  }
}

TEST(TracingConfig, BecomesTheSettings) {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("tracing_headers_" + std::to_string(::getpid()));
  std::ofstream{file} << "x-api-key: hush\n";
  const ConfigResult read = parse_config(
      "[tracing]\nendpoint = \"http://127.0.0.1:4318\"\nsample_ratio = 0.25\nheaders_file = \"" +
          file.string() + "\"\nservice_name = \"ci-relay\"\nattributes = [\"a=b\"]\n",
      "ringpost.toml", {});
  std::filesystem::remove(file);
  ASSERT_TRUE(read.problems.empty()) << read.problems[0].text;
  const control::TracingSettings tracing = control_settings(read.config).tracing;
  ASSERT_TRUE(tracing.endpoint);
  EXPECT_EQ(tracing.endpoint->text(), "http://127.0.0.1:4318/v1/traces");
  EXPECT_EQ(tracing.sample_ratio, 0.25);
  ASSERT_EQ(tracing.headers.size(), 1u);
  EXPECT_EQ(tracing.headers[0].value, "hush");
  EXPECT_EQ(tracing.resource, (std::vector<std::pair<std::string, std::string>>{
                                  {"service.name", "ci-relay"}, {"a", "b"}}));
  std::string why;
  const auto live = live_settings(read.config, nullptr, why);
  ASSERT_TRUE(live) << why;
  EXPECT_EQ(live->trace_ratio, 0.25);
}

TEST(TracingConfig, IsOffByDefault) {
  const ConfigResult read = parse_config("", "ringpost.toml", {});
  EXPECT_FALSE(control_settings(read.config).tracing.endpoint);
  std::string why;
  EXPECT_EQ(live_settings(read.config, nullptr, why)->trace_ratio, std::nullopt);
}

std::string problem_of(const std::string& section) {
  const ConfigResult read = parse_config("[tracing]\n" + section, "ringpost.toml", {});
  return read.problems.empty() ? "" : read.problems[0].text;
}

TEST(TracingConfig, SaysWhatIsWrong) {
  EXPECT_EQ(problem_of("endpoint = \"http://192.0.2.1:4318\""),
            "[tracing] endpoint = \"http://192.0.2.1:4318\" is not https: the names and addresses "
            "in the spans would be readable on the way; use https, or say allow_plain_http = true");
  EXPECT_EQ(problem_of("endpoint = \"http://192.0.2.1:4318\"\nallow_plain_http = true"), "");
  EXPECT_EQ(problem_of("endpoint = \"http://localhost:4318\""), "");
  EXPECT_EQ(problem_of("sample_ratio = 1.5"), "[tracing] sample_ratio = 1.5 is outside 0.0 to 1.0");
  EXPECT_EQ(problem_of("sample_ratio = nan"), "[tracing] sample_ratio = nan is outside 0.0 to 1.0");
  EXPECT_EQ(problem_of("sample_ratio = \"half\""),
            "[tracing] sample_ratio must be a number, not a string");
  EXPECT_EQ(problem_of("sample_ratio = 1"), "");
  EXPECT_EQ(problem_of("service_name = \"\""), "[tracing] service_name must not be empty");
  EXPECT_EQ(problem_of("attributes = [\"a\"]"),
            "[tracing] attributes: \"a\" is not of the form \"key=value\"");
  EXPECT_EQ(problem_of("sample_rate = 1.0"),
            "unknown key \"tracing.sample_rate\"; did you mean \"sample_ratio\"?");
}

}  // namespace
}  // namespace ringpost::server
