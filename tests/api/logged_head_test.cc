#include "api/logged_head.h"

#include "base/json_writer.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::api {
namespace {

std::string headers_of(std::string_view head) {
  std::string text;
  JsonWriter json{text};
  write_headers(json, parse_logged_head(head));
  return text;
}

TEST(LoggedHead, ShowsAResponseOrThatThereWasNone) {
  const auto shown = [](const journal::OutcomeView& outcome) {
    std::string text;
    JsonWriter json{text};
    json.begin_object();
    write_response(json, outcome);
    json.end_object();
    return text;
  };
  journal::OutcomeView outcome;
  EXPECT_EQ(shown(outcome), R"({"response":null})");
  outcome.http_status = 200;
  outcome.response_head = "HTTP/1.1 200 OK\r\nA: 1\r\n\r\n";
  outcome.response_body = as_bytes("ok");
  outcome.response_truncated = true;
  EXPECT_EQ(shown(outcome),
            R"({"response":{"status":200,"headers":{"A":"1"},"body":"ok","truncated":true}})");
  outcome.response_note = BadAnswer::body_cut;
  EXPECT_EQ(shown(outcome),
            R"({"response":{"status":200,"headers":{"A":"1"},"body":"ok","truncated":true,)"
            R"("note":"the answer's body was cut short"}})");
}

TEST(LoggedHead, NamesMethodAndUrlOfARequest) {
  const LoggedHead head =
      parse_logged_head("POST /in?a=1 HTTP/1.1\r\nhost: ci.example.org:8443\r\nX-Team: a\r\n\r\n");
  EXPECT_EQ(head.method(), "POST");
  EXPECT_EQ(head.url(true), "https://ci.example.org:8443/in?a=1");
  EXPECT_EQ(head.url(false), "http://ci.example.org:8443/in?a=1");
  EXPECT_EQ(head.header("x-team"), "a");
  EXPECT_EQ(head.header("x-none"), "");
}

TEST(LoggedHead, JoinsFieldsOfOneNameAndKeepsTheFirstsSpelling) {
  EXPECT_EQ(headers_of("HTTP/1.1 200 OK\r\nVia: a\r\nX: 1\r\nVIA: b\r\n\r\n"),
            R"({"Via":"a, b","X":"1"})");
}

TEST(LoggedHead, LeavesOutWhatIsNoHeaderLineAndTakesACutHead) {
  EXPECT_EQ(headers_of("HTTP/1.1 200 OK\nA: 1\nno colon\nB : 2\nC: \"\x01\"\nD: 4"),
            R"({"A":"1","D":"4"})");
  EXPECT_EQ(headers_of(""), "{}");
  EXPECT_EQ(parse_logged_head("").first_line, "");
  EXPECT_EQ(parse_logged_head("").method(), "");
  EXPECT_EQ(parse_logged_head("POST").url(true), "https://");
}

}  // namespace
}  // namespace ringpost::api
