// Goal: what the `cloudevents` dialect sends is CloudEvents 1.0.2 by our own ingest's reading, and
// by it the same event again.
// Method: tables of events, rendered in both modes, read as bytes by the HTTP parser and by ingest.

#include "base/json_writer.h"
#include "http/request_parser.h"
#include "ingest/event_parser.h"
#include "json/document.h"
#include "tests/dialect/rendered.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::dialect::cloudevents {
namespace {

using journal::EventView;
using subscription::Webhook;

constexpr std::string_view trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Webhook hook(std::string settings = {}, std::string secret = {}) {
  Webhook to = webhook("cloudevents", std::move(secret));
  to.settings = std::move(settings);
  return to;
}

const std::string binary = R"({"mode":"binary"})";

http::Request received(const Rendered& request) {
  http::RequestParser parser;
  const std::string bytes = request.head + std::string{request.body()};
  size_t consumed = 0;
  auto progress = parser.feed(as_bytes(bytes), consumed);
  if (progress == http::RequestParser::Progress::head_complete) {
    progress = parser.accept_body(64u << 20);
    if (progress == http::RequestParser::Progress::need_more) {
      size_t more = 0;
      progress = parser.feed(as_bytes(bytes).subspan(consumed), more);
    }
  }
  EXPECT_EQ(progress, http::RequestParser::Progress::complete);
  return parser.take_request();
}

Rendered example() {
  Rendered request;
  request.event.id = "b-128";
  request.event.time = "2031-05-04T09:08:07Z";
  request.event.subject = "main";
  request.event.trace_parent = trace;
  request.event.extensions = R"({"cluster":"eu","comexample":7,"flag":true})";
  return request;
}

TEST(CloudEventsRenderer, PutsAttributesAndDataIntoOneObject) {
  Rendered request = example();
  request.render(hook());
  EXPECT_EQ(request.body(),
            R"({"specversion":"1.0","id":"b-128","source":"app/c0ffee1234abcd56",)"
            R"("type":"build/finished","time":"2031-05-04T09:08:07Z","subject":"main",)"
            R"("traceparent":")" +
                std::string{trace} + R"(","cluster":"eu","comexample":7,"flag":true,"data":)" +
                std::string{build_finished} + "}");
  EXPECT_EQ(request.header("Content-Type"), "application/cloudevents+json; charset=utf-8");
  EXPECT_EQ(request.header("Content-Length"), std::to_string(request.body().size()));
  EXPECT_EQ(request.header("ringpost-delivery"), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  EXPECT_EQ(request.header("ringpost-attempt"), "1");
  EXPECT_EQ(request.header("traceparent"), trace);
  EXPECT_EQ(request.header("X-Team"), "mobile");
  EXPECT_EQ(request.header("WebHook-Request-Origin"), "relay.example.org");
  EXPECT_TRUE(request.request.body_is_made);
}

TEST(CloudEventsRenderer, PutsAttributesIntoHeadersAndSendsTheDataAsItIs) {
  Rendered request = example();
  request.event.subject = "caf\xc3\xa9 \"one\"";
  request.render(hook(binary));
  EXPECT_EQ(request.body(), build_finished);
  EXPECT_FALSE(request.request.body_is_made);
  EXPECT_EQ(request.header("ce-specversion"), "1.0");
  EXPECT_EQ(request.header("ce-id"), "b-128");
  EXPECT_EQ(request.header("ce-source"), "app/c0ffee1234abcd56");
  EXPECT_EQ(request.header("ce-type"), "build/finished");
  EXPECT_EQ(request.header("ce-time"), "2031-05-04T09:08:07Z");
  EXPECT_EQ(request.header("ce-subject"), "caf%C3%A9%20%22one%22");
  EXPECT_EQ(request.header("ce-traceparent"), trace);
  EXPECT_EQ(request.header("traceparent"), trace);
  EXPECT_EQ(request.header("ce-comexample"), "7");
  EXPECT_EQ(request.header("ce-flag"), "true");
  EXPECT_EQ(request.header("ce-datacontenttype"), "(absent)");
  EXPECT_EQ(request.header("Content-Type"), "application/json");
}

// A receiver that was promised binary mode may read the headers alone (HTTP binding, 3.1).
TEST(CloudEventsRenderer, SendsAnEventWithoutDataInTheModeOfTheWebhook) {
  Rendered structured = example();
  structured.event.data = {};
  structured.render(hook());
  EXPECT_EQ(structured.header("Content-Type"), "application/cloudevents+json; charset=utf-8");
  EXPECT_EQ(structured.body().find("\"data"), std::string_view::npos);
  Rendered request = example();
  request.event.data = {};
  request.render(hook(binary));
  EXPECT_EQ(request.header("ce-type"), "build/finished");
  EXPECT_EQ(request.header("Content-Type"), "(absent)");
  EXPECT_EQ(request.header("Content-Length"), "0");
  EXPECT_EQ(request.body(), "");
}

struct Payload {
  std::string type;  ///< datacontenttype
  std::string data;
  std::string member;       ///< Of the envelope: its spelling, from the name on.
  std::string binary_type;  ///< Content-Type in binary mode.
};

const std::vector<Payload> payloads = {
    {"", R"({ "a" : 1.0, "a": 1e999 })", R"("data":{ "a" : 1.0, "a": 1e999 })", "application/json"},
    {"application/json", R"("text")", R"("data":"text")", "application/json"},
    {"application/vnd.x+json; charset=utf-8", "[1,2]", R"("data":[1,2])",
     "application/vnd.x+json; charset=utf-8"},
    {"text/plain", "line\n\"two\" \xc3\xa9", "\"data\":\"line\\n\\\"two\\\" \xc3\xa9\"",
     "text/plain"},
    {"text/plain", "\xff\xfe", R"("data_base64":"//4=")", "text/plain"},
    {"text/plain", "", R"("data":"")", "text/plain"},
    {"application/octet-stream", "", R"("data_base64":"")", "application/octet-stream"},
    {"application/octet-stream", std::string("\0\1", 2), R"("data_base64":"AAE=")",
     "application/octet-stream"},
    {"application/xml", "<a/>", R"("data_base64":"PGEvPg==")", "application/xml"},
    {"", "not json", R"("data_base64":"bm90IGpzb24=")", "application/octet-stream"},
};

TEST(CloudEventsRenderer, KeepsEveryKindOfContentToTheByte) {
  for (const Payload& payload : payloads) {
    for (const bool is_binary : {false, true}) {
      Rendered request = example();
      request.event.data_content_type = payload.type;
      request.event.data = as_bytes(payload.data);
      request.render(hook(is_binary ? binary : ""));
      if (is_binary) {
        EXPECT_EQ(request.header("Content-Type"), payload.binary_type);
      } else {
        EXPECT_NE(request.body().find("," + payload.member + "}"), std::string_view::npos)
            << request.body();
      }
      const http::Request wire = received(request);
      ingest::EventParser parser{ingest::EventLimits{}};
      std::vector<EventView> events;
      const auto refusal = parser.parse(wire, events);
      ASSERT_FALSE(refusal) << refusal->detail << request.body();
      ASSERT_EQ(events.size(), 1u);
      EXPECT_EQ(as_text(events[0].data), payload.data);
    }
  }
}

TEST(CloudEventsRenderer, RoundTripsThroughIngestInBothModes) {
  for (const bool is_binary : {false, true}) {
    Rendered request = example();
    request.event.branch = "feature/\xc3\xa9 x%20";
    request.event.ordering_key = "key";
    request.event.subject = "a \"b\" \\ c";
    request.event.id = "caf\xc3\xa9%";
    request.event.data_content_type = "application/json";
    request.render(hook(is_binary ? binary : ""));
    const http::Request wire = received(request);
    ingest::EventParser parser{ingest::EventLimits{}};
    std::vector<EventView> events;
    const auto refusal = parser.parse(wire, events);
    ASSERT_FALSE(refusal) << refusal->detail;
    ASSERT_EQ(events.size(), 1u);
    const EventView& event = events[0];
    for (const auto place : {&EventView::id, &EventView::source, &EventView::type, &EventView::time,
                             &EventView::subject, &EventView::branch, &EventView::ordering_key,
                             &EventView::trace_parent, &EventView::data_content_type}) {
      EXPECT_EQ(event.*place, request.event.*place);
    }
    // In headers there are no types: everything is text (HTTP binding, 3.1.3).
    EXPECT_EQ(event.extensions, is_binary ? R"({"cluster":"eu","comexample":"7","flag":"true"})"
                                          : R"({"cluster":"eu","comexample":7,"flag":true})");
    EXPECT_EQ(as_text(event.data), build_finished);
  }
}

TEST(CloudEventsRenderer, SendsTheSecretAsABearerTokenInPlaceOfTheUsersHeader) {
  Webhook to = hook("", "mF_9.B5f-4.1JqM");
  to.headers.emplace_back("authorization", "Basic dTpw");
  Rendered request;
  request.render(to);
  EXPECT_EQ(request.header("Authorization"), "Bearer mF_9.B5f-4.1JqM");
  EXPECT_EQ(request.header("authorization"), "(absent)");
  EXPECT_EQ(request.header("webhook-signature"), "(absent)");
  to.secret.clear();
  request.render(to);
  EXPECT_EQ(request.header("authorization"), "Basic dTpw");
}

TEST(CloudEventsRenderer, RefusesAHeadThatNoServerWouldTake) {
  Rendered request = example();
  std::string extensions = "{";
  for (int index = 0; index < 12; ++index) {
    extensions += (index == 0 ? "\"" : ",\"") + ("e" + std::to_string(index)) + "\":\"" +
                  std::string(1024, ' ') + "\"";
  }
  extensions += "}";
  request.event.extensions = extensions;
  const auto error = request.try_render(hook(binary));
  EXPECT_EQ(error, (Error{Errc::not_renderable, Side::producer,
                          static_cast<int32_t>(Unrenderable::head_bytes)}));
  EXPECT_FALSE(request.try_render(hook()));
}

// --- the question --------------------------------------------------------------------------------

TEST(CloudEventsQuestion, NamesTheOriginAndTheRateThatTheWebhookWants) {
  Webhook to = hook("", "token");
  std::string head;
  make_renderer(to)->render_question("relay.example.org", head);
  EXPECT_EQ(head,
            "OPTIONS /in?a=1 HTTP/1.1\r\nHost: ci.example.org\r\nUser-Agent: ringpost/0.1.0\r\n"
            "X-Team: mobile\r\nAuthorization: Bearer token\r\n"
            "WebHook-Request-Origin: relay.example.org\r\n\r\n");
  to.rate_per_second = 2;
  make_renderer(to)->render_question("relay.example.org", head);
  EXPECT_TRUE(head.ends_with("WebHook-Request-Rate: 120\r\n\r\n")) << head;
}

TEST(CloudEventsQuestion, IsNotAskedWhereSettingsSaySo) {
  const Dialect& dialect = *find("cloudevents");
  EXPECT_TRUE(dialect.asks_first(hook()));
  EXPECT_TRUE(dialect.asks_first(hook(binary)));
  const Webhook to = hook(R"({"handshake":false})");
  EXPECT_FALSE(dialect.asks_first(to));
  Rendered request;
  request.render(to);
  EXPECT_EQ(request.header("WebHook-Request-Origin"), "(absent)");
}

// --- what a webhook may say ----------------------------------------------------------------------

std::string settings_after(std::string_view before, std::string_view json) {
  Webhook webhook = hook(std::string{before});
  const auto problem = find("cloudevents")->read_settings(json, webhook);
  return problem ? problem->member + " " + problem->detail : webhook.settings;
}

TEST(CloudEventsSettings, MergeAndAreShown) {
  const std::string plain = R"({"mode":"structured","handshake":true})";
  EXPECT_EQ(settings_after("", "{}"), plain);
  EXPECT_EQ(settings_after("", R"({"mode":"binary"})"), R"({"mode":"binary","handshake":true})");
  EXPECT_EQ(settings_after(binary, R"({"handshake":false})"),
            R"({"mode":"binary","handshake":false})");
  EXPECT_EQ(
      settings_after(R"({"mode":"binary","handshake":false})", R"({"mode":null,"handshake":null})"),
      plain);
  std::string shown;
  JsonWriter json{shown};
  find("cloudevents")->write_settings(json, hook(binary));
  EXPECT_EQ(shown, R"({"mode":"binary","handshake":true})");
}

TEST(CloudEventsSettings, RefuseWhatTheyDoNotKnow) {
  for (const auto& [json, member] : {std::pair{R"({"mode":"batch"})", "settings.mode"},
                                     {R"({"mode":1})", "settings.mode"},
                                     {R"({"handshake":"yes"})", "settings.handshake"},
                                     {R"({"origin":"x"})", "settings.origin"}}) {
    EXPECT_TRUE(settings_after("", json).starts_with(member)) << json;
  }
}

TEST(CloudEventsDialect, TakesAccessTokensAsSecrets) {
  const Dialect& dialect = *find("cloudevents");
  for (const char* token : {"a", "mF_9.B5f-4.1JqM", "abc==", "~+/-._"}) {
    EXPECT_EQ(dialect.object_to_secret(token), "") << token;
  }
  for (const char* wrong : {"=", "a b", "a=b", "a\r\nX: y", "caf\xc3\xa9", "a\"b", " a"}) {
    EXPECT_NE(dialect.object_to_secret(wrong).find("Bearer"), std::string_view::npos) << wrong;
  }
  EXPECT_EQ(dialect.mint_secret(), "");
  EXPECT_FALSE(dialect.signs_twice());
}

TEST(CloudEventsDialect, KeepsItsOwnHeadersToItself) {
  const Dialect& dialect = *find("cloudevents");
  for (const char* ours : {"ce-id", "CE-x", "WebHook-Request-Origin", "webhook-request-rate",
                           "Content-Type", "ringpost-delivery"}) {
    EXPECT_TRUE(dialect.writes_header(ours)) << ours;
  }
  for (const char* free : {"Authorization", "X-Ce", "ce", "webhook-id"}) {
    EXPECT_FALSE(dialect.writes_header(free)) << free;
  }
}

// HTTP webhook binding, 2.2: 415 means that the format is not understood.
TEST(CloudEventsDialect, DoesNotRepeatWhatIsNotUnderstood) {
  const Dialect& dialect = *find("cloudevents");
  EXPECT_FALSE(dialect.retries_status(415));
  for (const uint16_t status : {uint16_t{400}, uint16_t{404}, uint16_t{429}, uint16_t{503}}) {
    EXPECT_TRUE(dialect.retries_status(status));
  }
}

}  // namespace
}  // namespace ringpost::dialect::cloudevents
