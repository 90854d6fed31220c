#include "control/otlp.h"

#include "control/trace_spans.h"
#include "dialect/event_trace.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

// Goal: what a collector reads, byte for byte. tests/e2e/foreign/tracing_test.py has it read by the
// decoder that others wrote.

namespace ringpost::control {
namespace {

using journal::EventView;

constexpr std::string_view producers = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

OtlpSpan span() {
  OtlpSpan made{.context = *http::parse_trace_parent(producers), .name = "accept"};
  made.begin = from_unix_ns(1'935'738'487'123'456'789);
  made.end = from_unix_ns(1'935'738'487'123'456'790);
  return made;
}

TEST(Otlp, WritesTheLeastThatASpanSays) {
  EXPECT_EQ(to_otlp(span()),
            R"({"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331",)"
            R"("flags":257,"name":"accept","kind":1,"startTimeUnixNano":"1935738487123456789",)"
            R"("endTimeUnixNano":"1935738487123456790","attributes":[]})");
}

TEST(Otlp, WritesTheMost) {
  OtlpSpan one = span();
  one.parent = one.context.span;
  one.parent_is_remote = true;
  one.context.span = {std::byte{1}};
  one.context.random = true;
  one.trace_state = "rojo=1";
  one.kind = OtlpSpan::Kind::client;
  one.attributes = {{"text", std::string{"a \"b\""}},
                    {"number", int64_t{-5}},
                    {"fraction", 0.25},
                    {"flag", true}};
  one.links = {*http::parse_trace_parent(producers)};
  one.failure = "it was refused";
  EXPECT_EQ(to_otlp(one),
            R"({"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"0100000000000000",)"
            R"("traceState":"rojo=1","parentSpanId":"b7ad6b7169203331","flags":771,)"
            R"("name":"accept","kind":3,"startTimeUnixNano":"1935738487123456789",)"
            R"("endTimeUnixNano":"1935738487123456790","attributes":[)"
            R"({"key":"text","value":{"stringValue":"a \"b\""}},)"
            R"({"key":"number","value":{"intValue":"-5"}},)"
            R"({"key":"fraction","value":{"doubleValue":0.25}},)"
            R"({"key":"flag","value":{"boolValue":true}}],)"
            R"("links":[{"traceId":"0af7651916cd43dd8448eb211c80319c",)"
            R"("spanId":"b7ad6b7169203331","flags":257}],)"
            R"("status":{"message":"it was refused","code":2}})");
}

TEST(Otlp, WritesARequest) {
  const std::vector<OtlpAttribute> resource{{"service.name", std::string{"ringpost"}}};
  const std::vector<std::string> spans{R"({"a":1})", R"({"b":2})"};
  EXPECT_EQ(otlp_request(resource, spans),
            R"({"resourceSpans":[{"resource":{"attributes":[)"
            R"({"key":"service.name","value":{"stringValue":"ringpost"}}]},)"
            R"("scopeSpans":[{"scope":{"name":"ringpost","version":"0.1.0"},)"
            R"("spans":[{"a":1},{"b":2}]}]}]})");
}

// --- what the relay's spans say ------------------------------------------------------------------

EventView event() {
  return {.uid = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
          .accepted_at = from_unix_ns(1'000'000'000),
          .organization = "default",
          .id = "build-128",
          .source = "pipeline/demo",
          .type = "build.finished",
          .trace_parent = producers};
}

std::string text_of(const OtlpSpan& span, std::string_view key) {
  for (const OtlpAttribute& attribute : span.attributes) {
    if (attribute.key != key) continue;
    if (const auto* number = std::get_if<int64_t>(&attribute.value)) return std::to_string(*number);
    if (const auto* text = std::get_if<std::string>(&attribute.value)) return *text;
    return "(another type)";
  }
  return "(absent)";
}

subscription::Webhook webhook() {
  subscription::Webhook made;
  made.dialect = "standard";
  made.destination = {.url = "https://ci.example.org/in?token=hush",
                      .tls = true,
                      .host = "ci.example.org",
                      .port = 8443,
                      .target = "/in?token=hush"};
  return made;
}

AttemptTraced attempt(const EventView& of) {
  return {.event = journal::EventCodec::encode(of),
          .delivery = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAW"),
          .webhook_number = 1,
          .attempt = 1,
          .status = journal::DeliveryStatus::delivered,
          .started_at = from_unix_ns(2'000'000'000),
          .duration = std::chrono::milliseconds{5},
          .error = {},
          .http_status = 204,
          .request_line = "POST /in?token=hush HTTP/1.1",
          .connection = {.ip = {127, 0, 0, 1}, .ip_bytes = 4, .port = 8443}};
}

TEST(TraceSpans, TheEventsIsBeneathTheProducers) {
  const OtlpSpan made = span_of(event(), from_unix_ns(1'000'500'000), 1);
  EXPECT_EQ(made.parent, http::parse_trace_parent(producers)->span);
  EXPECT_TRUE(made.parent_is_remote);
  EXPECT_EQ(made.kind, OtlpSpan::Kind::server);
  EXPECT_EQ(made.end - made.begin, std::chrono::microseconds{500});
  EXPECT_EQ(text_of(made, "cloudevents.event_id"), "build-128");
  EXPECT_EQ(text_of(made, "ringpost.event.uid"), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  EXPECT_EQ(text_of(made, "cloudevents.event_subject"), "(absent)");
}

TEST(TraceSpans, ItEndsNotBeforeItBegins) {
  const OtlpSpan made = span_of(event(), WallTime{}, 1);
  EXPECT_EQ(made.end, made.begin);
}

TEST(TraceSpans, TheAttemptsIsBeneathTheEvents) {
  const subscription::Webhook to = webhook();
  const OtlpSpan made = span_of(attempt(event()), &to, 1);
  EXPECT_EQ(made.parent, span_of(event(), WallTime{}, 1).context.span);
  EXPECT_FALSE(made.parent_is_remote);
  EXPECT_EQ(made.context.span,
            dialect::attempt_span(*Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAW"), 1));
  EXPECT_EQ(made.name, "POST");
  EXPECT_EQ(made.kind, OtlpSpan::Kind::client);
  EXPECT_EQ(made.end - made.begin, std::chrono::milliseconds{5});
  EXPECT_EQ(text_of(made, "http.request.method"), "POST");
  EXPECT_EQ(text_of(made, "url.full"), "https://ci.example.org:8443/in?REDACTED");
  EXPECT_EQ(text_of(made, "server.address"), "ci.example.org");
  EXPECT_EQ(text_of(made, "server.port"), "8443");
  EXPECT_EQ(text_of(made, "network.peer.address"), "127.0.0.1");
  EXPECT_EQ(text_of(made, "http.response.status_code"), "204");
  EXPECT_EQ(text_of(made, "http.request.resend_count"), "(absent)");
  EXPECT_EQ(text_of(made, "error.type"), "(absent)");
  EXPECT_EQ(text_of(made, "ringpost.delivery.status"), "delivered");
  EXPECT_TRUE(made.failure.empty());
  EXPECT_TRUE(made.links.empty());
  EXPECT_EQ(to_otlp(made).find("hush"), std::string::npos);
}

TEST(TraceSpans, ARetryThatFails) {
  AttemptTraced second = attempt(event());
  second.attempt = 2;
  second.http_status = 503;
  second.error = Error{Errc::bad_status, Side::endpoint, 503};
  second.status = journal::DeliveryStatus::pending;
  const subscription::Webhook to = webhook();
  const OtlpSpan made = span_of(second, &to, 1);
  EXPECT_EQ(text_of(made, "error.type"), "503");
  EXPECT_EQ(text_of(made, "http.request.resend_count"), "1");
  EXPECT_EQ(text_of(made, "ringpost.delivery.status"), "pending");
  EXPECT_FALSE(made.failure.empty());
}

TEST(TraceSpans, AnAttemptThatCameToNoRequestAndAWebhookThatIsGone) {
  AttemptTraced refused = attempt(event());
  refused.http_status = 0;
  refused.request_line.clear();
  refused.error = Error{Errc::refused, Side::endpoint};
  refused.connection = {.ip = {0x20, 0x01, 0x0d, 0xb8}, .ip_bytes = 16, .port = 443};
  const OtlpSpan made = span_of(refused, nullptr, 1);
  EXPECT_EQ(made.name, "HTTP");
  EXPECT_EQ(text_of(made, "http.request.method"), "_OTHER");
  EXPECT_EQ(text_of(made, "error.type"), "refused");
  EXPECT_EQ(text_of(made, "http.response.status_code"), "(absent)");
  EXPECT_EQ(text_of(made, "network.peer.address"), "2001:db8::");
  const subscription::Webhook to = webhook();
  EXPECT_EQ(text_of(span_of(refused, &to, 1), "url.full"),
            "https://ci.example.org:8443/in?REDACTED");
}

TEST(TraceSpans, ARedeliveryLinksToTheDeliveryThatItRepeats) {
  EventView again = event();
  again.redelivery_of = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAW");
  again.uid = *Ulid::parse("01BX5ZZKBKACTAV9WEVGEMMVRZ");
  const OtlpSpan made = span_of(again, WallTime{}, 1);
  EXPECT_EQ(made.name, "redeliver");
  EXPECT_EQ(made.kind, OtlpSpan::Kind::internal);
  EXPECT_EQ(made.parent, span_of(event(), WallTime{}, 1).context.span);
  AttemptTraced repeated = attempt(again);
  repeated.delivery = *Ulid::parse("01BX5ZZKBKACTAV9WEVGEMMVS0");
  const subscription::Webhook to = webhook();
  const OtlpSpan second = span_of(repeated, &to, 1);
  EXPECT_EQ(second.parent, made.context.span);
  ASSERT_EQ(second.links.size(), 1u);
  EXPECT_EQ(second.links[0].span, span_of(attempt(event()), &to, 1).context.span);
  EXPECT_EQ(second.links[0].trace, second.context.trace);
}

}  // namespace
}  // namespace ringpost::control
