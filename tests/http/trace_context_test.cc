#include "http/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::http {
namespace {

constexpr std::string_view example = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string text_of(const TraceContext& context) {
  std::string text(TraceContext::text_size, ' ');
  write_trace_parent(context, text.data());
  return text;
}

TEST(TraceContext, ReadsWhatItWrites) {
  const auto context = parse_trace_parent(example);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace[0], std::byte{0x0a});
  EXPECT_EQ(context->trace[15], std::byte{0x9c});
  EXPECT_EQ(context->span[0], std::byte{0xb7});
  EXPECT_EQ(context->span[7], std::byte{0x31});
  EXPECT_TRUE(context->sampled);
  EXPECT_FALSE(context->random);
  EXPECT_EQ(text_of(*context), example);
}

TEST(TraceContext, KnowsTwoFlagsAndPassesNoOthersOn) {
  const auto with_flags = [](const char* flags) {
    const auto context = parse_trace_parent(std::string{example.substr(0, 53)} + flags);
    return context ? text_of(*context).substr(53) : "refused";
  };
  EXPECT_EQ(with_flags("00"), "00");
  EXPECT_EQ(with_flags("02"), "02");
  EXPECT_EQ(with_flags("03"), "03");
  EXPECT_EQ(with_flags("ff"), "03");
  EXPECT_EQ(with_flags("fc"), "00");
}

// W3C Trace Context, 3.2.4 and the hints on parsing: of a later version, what 00 knows.
TEST(TraceContext, ReadsLaterVersions) {
  for (const std::string behind : {"", "-", "-more", "-what=comes,later"}) {
    const auto context = parse_trace_parent("cc" + std::string{example.substr(2)} + behind);
    ASSERT_TRUE(context) << behind;
    EXPECT_EQ(text_of(*context), example);
  }
}

TEST(TraceContext, RefusesWhatIsNone) {
  const std::string good{example};
  const auto with = [&](size_t at, std::string_view what) {
    std::string text = good;
    return text.replace(at, what.size(), what);
  };
  for (const std::string& text : {
           std::string{},
           std::string{"00"},
           with(0, "ff"),
           with(0, "0A"),
           with(3, "0A"),
           with(36, "B7"),
           with(53, "0G"),
           with(53, ".1"),
           with(3, "00000000000000000000000000000000"),
           with(36, "0000000000000000"),
           with(2, "_"),
           with(35, "_"),
           with(52, "_"),
           good.substr(0, 54),
           good + "1",
           good + "-",
           good + "-more",
           with(0, "cc") + ".more",
           with(0, "cc") + "-two words",
           with(0, "cc") + "-\r\nx: 1",
           " " + good,
           good + " ",
           good + ", " + good,
           with(0, "01") + std::string(1, '\0'),
       }) {
    EXPECT_FALSE(parse_trace_parent(text)) << text;
  }
}

TEST(TraceContext, BearsALongHeader) {
  EXPECT_FALSE(parse_trace_parent(std::string(1 << 20, '0')));
  EXPECT_TRUE(
      parse_trace_parent("01" + std::string{example.substr(2)} + "-" + std::string(1 << 20, 'x')));
}

TEST(TraceState, IsAListOfEntries) {
  for (const std::string_view text :
       {"a=1", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a=1, b=2 ,,c=3", "fw529a3039@dt=FfAA",
        R"(a=!"#$%&'()*+-./:;<>?@[\]^_`{|}~)"}) {
    EXPECT_TRUE(is_trace_state(text)) << text;
  }
  for (const std::string_view text : {"", ",", "a", "a=", "=1", "A=1", "a=1=2", "a b=1", "a=\t",
                                      "a=1,b", "a=\x7f", "a=1\r\nx: 1", "\xc3\xa9=1"}) {
    EXPECT_FALSE(is_trace_state(text)) << text;
  }
}

TEST(TraceState, HasLimits) {
  std::string entries = "k=v";
  for (int count = 1; count < 32; ++count) entries += ",k" + std::to_string(count) + "=v";
  EXPECT_TRUE(is_trace_state(entries));
  EXPECT_FALSE(is_trace_state(entries + ",one=more"));
  EXPECT_TRUE(is_trace_state("a=" + std::string(256, 'x')));
  EXPECT_FALSE(is_trace_state("a=" + std::string(257, 'x')));
  EXPECT_FALSE(is_trace_state("a=" + std::string(254, 'x') + ",b=" + std::string(254, 'x')));
}

}  // namespace
}  // namespace ringpost::http
