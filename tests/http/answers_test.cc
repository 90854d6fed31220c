// Goal: what a receiver may answer is read as the table of answers says, however it is cut.
// Method: each row in pieces of several sizes; each answer whose head is whole broken off at every
// byte behind it, in every way.

#include "http/answers/table.h"
#include "http/response_parser.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace ringpost::http {
namespace {

using Progress = ResponseParser::Progress;

/// How a stream ends, as a Connection passes it on.
std::optional<Error> end_named(std::string_view name) {
  if (name == "open") return Error{Errc::timed_out, Side::endpoint};
  if (name == "cut") return Error{Errc::closed, Side::endpoint};
  if (name == "reset") return Error{Errc::reset, Side::endpoint, ECONNRESET};
  return std::nullopt;
}

/// Feeds `bytes` in pieces. @returns whether the final answer's head was read.
bool read(ResponseParser& parser, std::string_view bytes, size_t piece_bytes,
          const std::optional<Error>& end) {
  Progress progress = Progress::need_more;
  while (!bytes.empty() && progress == Progress::need_more) {
    const std::string_view piece = bytes.substr(0, piece_bytes);
    progress = parser.feed(as_bytes(piece));
    bytes.remove_prefix(piece.size());
  }
  return progress == Progress::need_more ? parser.on_end(end) : progress != Progress::failed;
}

void expect_row(const AnswerRow& row, size_t piece_bytes) {
  SCOPED_TRACE(row.name + ", in pieces of " + std::to_string(piece_bytes));
  ResponseParser parser;
  const bool answered = read(parser, row.bytes, piece_bytes, end_named(row.end));
  EXPECT_EQ(answered, row.status != 0);
  EXPECT_EQ(parser.status(), row.status);
  EXPECT_EQ(answered && parser.status() < 300, row.success);
  EXPECT_EQ(as_text(parser.body()), row.body);
  if (!answered) {
    EXPECT_EQ(describe(parser.error()), row.note);
    EXPECT_TRUE(row.bytes.starts_with(parser.refused_head()));
    return;
  }
  // What stands behind the answer shows in the piece that ends it, or later: to the connection.
  const std::string_view surplus = describe(BadAnswer::surplus);
  if (row.note != surplus || piece_bytes >= row.bytes.size()) {
    EXPECT_EQ(parser.reusable(), row.kept);
    EXPECT_EQ(parser.fault() ? describe(*parser.fault()) : "", row.note);
  }
  EXPECT_TRUE(parser.head().starts_with("HTTP/1."));
  EXPECT_LE(parser.kept_head().size(), ResponseParser::kept_head_bytes_max);
  EXPECT_TRUE(parser.kept_head().ends_with("\r\n"));
  EXPECT_TRUE(parser.head().starts_with(parser.kept_head()));
}

TEST(Answers, AreReadAsTheTableSays) {
  const auto rows = answer_table();
  ASSERT_GT(rows.size(), 80u);
  for (const AnswerRow& row : rows) {
    for (const size_t piece_bytes : {row.bytes.size() + 1, size_t{1}, size_t{7}}) {
      expect_row(row, piece_bytes);
    }
  }
}

// RFC 9110, 15: the status of the final answer's head is the answer.
TEST(Answers, CountByTheirHeadWhereverAndHoweverTheyBreakBehindIt) {
  for (const AnswerRow& row : answer_table()) {
    if (row.status == 0 || row.bytes.size() > 1000) continue;
    size_t head_end = 1;
    for (ResponseParser parser; head_end <= row.bytes.size(); ++head_end) {
      parser.feed(as_bytes(std::string_view{row.bytes}.substr(head_end - 1, 1)));
      if (parser.status() != 0) break;
    }
    for (size_t size = head_end; size <= row.bytes.size(); ++size) {
      for (const char* end : {"open", "closed", "cut", "reset"}) {
        ResponseParser parser;
        EXPECT_TRUE(read(parser, row.bytes.substr(0, size), 1000, end_named(end)))
            << row.name << ", " << size << " bytes, " << end;
        EXPECT_EQ(parser.status(), row.status) << row.name << ", " << size << " bytes, " << end;
        EXPECT_TRUE(parser.complete() || parser.truncated()) << row.name;
        EXPECT_TRUE(parser.complete() || !parser.reusable()) << row.name;
      }
    }
  }
}

TEST(Answers, AreShownWithoutWhatWasWrongInTheirHead) {
  ResponseParser parser;
  parser.feed(
      as_bytes("HTTP/1.1 200 O\x1bK\n dropped\r\nA : 1\r\nB: x\r\n\t y \n  z\r\nC: a\rb\n"
               "Retry-After : 8\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(parser.head(),
            "HTTP/1.1 200 O K\r\nA: 1\r\nB: x y z\r\nC: a b\r\nRetry-After: 8\r\n"
            "Content-Length: 0\r\n\r\n");
  EXPECT_EQ(parser.header("retry-after"), "8");
  EXPECT_EQ(parser.header("b"), "x y z");
}

// What is on record of a large head is whole lines; what is read of it is all.
TEST(Answers, KeepsWholeLinesOfALargeHeadAndReadsAllOfIt) {
  std::string bytes = "HTTP/1.1 503 Busy\r\n";
  for (int line = 0; line < 300; ++line) bytes += "Set-Cookie: " + std::string(60, 'a') + "\r\n";
  bytes += "Retry-After: 8\r\nContent-Length: 0\r\n\r\n";
  ResponseParser parser;
  ASSERT_EQ(parser.feed(as_bytes(bytes)), Progress::complete);
  EXPECT_TRUE(parser.reusable());
  EXPECT_EQ(parser.header("Retry-After"), "8");
  EXPECT_EQ(parser.head(), bytes);
  EXPECT_TRUE(parser.truncated());
  const std::string_view kept = parser.kept_head();
  EXPECT_GT(kept.size(), ResponseParser::kept_head_bytes_max - 100);
  EXPECT_LE(kept.size(), ResponseParser::kept_head_bytes_max);
  EXPECT_TRUE(kept.ends_with("a\r\n"));
}

}  // namespace
}  // namespace ringpost::http
