#include "dialect/event_trace.h"

#include "crypto/hex.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::dialect {
namespace {

using journal::EventView;

constexpr std::string_view producers = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

EventView event() {
  return {.uid = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
          .organization = "default",
          .id = "build-128",
          .source = "pipeline/demo",
          .type = "build.finished"};
}

std::string hex(Bytes bytes) {
  return crypto::hex_encode(bytes);
}

TEST(EventTrace, ContinuesTheProducersTrace) {
  EventView told = event();
  told.trace_parent = producers;
  const EventTrace trace = trace_of(told, 0);
  EXPECT_EQ(hex(trace.context.trace), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(hex(trace.parent), "b7ad6b7169203331");
  EXPECT_NE(trace.context.span, trace.parent);
  EXPECT_TRUE(trace.context.sampled) << "the producer's word counts, not the ratio";
  told.trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
  EXPECT_FALSE(trace_of(told, 1).context.sampled);
}

// The ids are for good: a start of another version must come to the same.
TEST(EventTrace, IdsFollowFromTheEvent) {
  const EventTrace trace = trace_of(event(), 1);
  EXPECT_EQ(hex(trace.context.trace), "c429db099e910c75395301dfb1b56244");
  EXPECT_EQ(hex(trace.context.span), "ce19948088d8901b");
  EXPECT_EQ(trace.parent, http::SpanId{});
  const Ulid delivery = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAW");
  EXPECT_EQ(hex(attempt_span(delivery, 1)), "b43987a6116b71c3");
  EXPECT_EQ(hex(attempt_span(delivery, 2)), "51ca5a16844635c8");
}

TEST(EventTrace, OthersHaveOthers) {
  const EventTrace trace = trace_of(event(), 1);
  EventView moved = event();  // The same bytes, one behind the other.
  moved.organization = "defaultp";
  moved.source = "ipeline/demo";
  for (const auto place : {&EventView::organization, &EventView::id, &EventView::source}) {
    EventView other = event();
    other.*place = "other";
    EXPECT_NE(trace_of(other, 1).context.trace, trace.context.trace);
    EXPECT_NE(trace_of(other, 1).context.span, trace.context.span);
  }
  EXPECT_NE(trace_of(moved, 1).context.trace, trace.context.trace);
}

TEST(EventTrace, ARedeliveryIsBeneathTheEventThatItRepeats) {
  const EventTrace original = trace_of(event(), 1);
  EventView again = event();
  again.uid = *Ulid::parse("01BX5ZZKBKACTAV9WEVGEMMVRZ");
  again.redelivery_of = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAW");
  const EventTrace trace = trace_of(again, 1);
  EXPECT_EQ(trace.context.trace, original.context.trace);
  EXPECT_EQ(trace.parent, original.context.span);
  EXPECT_NE(trace.context.span, original.context.span);
}

TEST(EventTrace, TheRatioDecidesAlikeForEveryone) {
  int sampled = 0;
  for (int number = 0; number < 2000; ++number) {
    const std::string id = std::to_string(number);
    EventView one = event();
    one.id = id;
    EXPECT_FALSE(trace_of(one, 0).context.sampled);
    EXPECT_TRUE(trace_of(one, 1).context.sampled);
    const bool quarter = trace_of(one, 0.25).context.sampled;
    EXPECT_LE(quarter, trace_of(one, 0.5).context.sampled) << "what fewer keep, more keep";
    sampled += quarter ? 1 : 0;
  }
  EXPECT_GT(sampled, 400);
  EXPECT_LT(sampled, 600);
}

TEST(EventTrace, StateGoesOnlyWithAParentAndOnlyIfItIsOne) {
  EventView one = event();
  one.extensions = R"({"tracestate":"rojo=00f0,a=\"\\","other":1})";
  EXPECT_EQ(trace_state_of(one), "");
  one.trace_parent = producers;
  EXPECT_EQ(trace_state_of(one), R"(rojo=00f0,a="\)");
  for (const std::string_view extensions :
       {"", "{}", R"({"tracestate":1})", R"({"tracestate":""})", R"({"tracestate":"A=1"})",
        R"({"tracestate":"a=1\r\nX-Evil: 1"})", R"({"other":"\"tracestate\":\"a=1\""})"}) {
    one.extensions = extensions;
    EXPECT_EQ(trace_state_of(one), "") << extensions;
  }
}

}  // namespace
}  // namespace ringpost::dialect
