#include "ringpost/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <set>
#include <string>

// Goal: whoever reads an error learns what was wrong, in words of its own.

namespace ringpost {
namespace {

constexpr auto last = static_cast<int32_t>(BadAnswer::distrusted);

TEST(Error, SaysWhatIsWrongWithAnAnswer) {
  std::set<std::string> texts;
  for (int32_t reason = 1; reason <= last; ++reason) {
    const std::string text = describe(Error{Errc::malformed, Side::endpoint, reason});
    EXPECT_TRUE(text.starts_with("malformed message: ")) << text;
    EXPECT_EQ(text.find("does not know"), std::string::npos) << reason;
    EXPECT_TRUE(texts.insert(text).second) << text;
  }
  EXPECT_EQ(describe(Error{Errc::too_large, Side::endpoint,
                           static_cast<int32_t>(BadAnswer::header_count)}),
            "too large: the answer has too many header lines");
}

// Journals keep the numbers.
TEST(Error, KeepsTheNumbersOfBadAnswers) {
  EXPECT_EQ(static_cast<int32_t>(BadAnswer::binary), 1);
  EXPECT_EQ(static_cast<int32_t>(BadAnswer::status_range), 12);
  EXPECT_EQ(static_cast<int32_t>(BadAnswer::length_and_coding), 20);
  EXPECT_EQ(static_cast<int32_t>(BadAnswer::interim_count), 23);
  EXPECT_EQ(static_cast<int32_t>(BadAnswer::trailer_bytes), 28);
  EXPECT_EQ(last, 36);
}

// What is to be done differs: a full disk, a limit of this process, one of the system.
TEST(Error, SaysOfEachShortageWhatIsShort) {
  std::set<std::string> texts;
  for (const int number : {ENOSPC, EDQUOT, EFBIG, EMFILE, ENFILE, ENOMEM, ENOBUFS, EIO, EROFS,
                           EACCES, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG}) {
    const std::string text = describe(error_from_errno(number, Side::disk));
    const std::string symbol = std::string{" ("} + strerrorname_np(number) + ")";
    ASSERT_TRUE(text.ends_with(symbol)) << text;
    EXPECT_TRUE(texts.insert(text.substr(0, text.size() - symbol.size())).second) << text;
    EXPECT_EQ(text.find("limit of the relay"), std::string::npos) << text;
    EXPECT_EQ(text.find("input/output error"), std::string::npos) << text;
  }
  EXPECT_EQ(describe(error_from_errno(EMFILE, Side::disk)),
            "this process has too many open files (ulimit -n, systemd LimitNOFILE=) (EMFILE)");
  EXPECT_EQ(describe(Error{Errc::overloaded}), "a limit of this relay is reached");
  EXPECT_EQ(describe(Error{Errc::out_of_space}), "no space left");
  EXPECT_EQ(error_from_errno(EFBIG, Side::disk).code, Errc::io_failed);
}

TEST(Error, SurvivesNumbersOfOtherVersions) {
  for (int32_t reason : {last + 1, 503, -1, INT32_MIN, INT32_MAX}) {
    EXPECT_EQ(describe(Error{Errc::malformed, Side::endpoint, reason}),
              "malformed message: unknown reason");
  }
  EXPECT_EQ(describe(Error{Errc::malformed}), "malformed message");
  EXPECT_EQ(describe(Error{Errc::too_large}), "too large");
}

TEST(Error, SaysThatTheNameTookTooLong) {
  const Error error{Errc::name_timed_out, Side::operator_};
  EXPECT_EQ(name(error.code), "name_timed_out");
  EXPECT_EQ(describe(error),
            "the name servers did not answer in time when they were asked for the addresses of the "
            "host name");
  EXPECT_TRUE(retryable(error.code));
}

}  // namespace
}  // namespace ringpost
