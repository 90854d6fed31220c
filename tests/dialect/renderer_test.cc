#include "rendered.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::dialect {
namespace {

const Ulid first_delivery = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAA");

// "…the unique identifier of the message … stays the same when the same webhook is resent"
// (Standard Webhooks); "source + id is unique for each distinct event" (CloudEvents).
TEST(Renderers, RepeatAMessageUnderItsIdAndAnotherUnderItsOwn) {
  const std::string id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";  // Of the delivery that is rendered.
  const std::string key = "whsec_" + std::string(32, 'a');
  Rendered request;
  request.event.id = "event-1";
  request.event.uid = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAB");
  subscription::Webhook binary = webhook("cloudevents", "");
  binary.settings = R"({"mode":"binary","handshake":false})";
  const auto ids = [&] {
    request.render(webhook("standard", key));
    const std::string message = request.header("webhook-id");
    EXPECT_EQ(request.header("ringpost-delivery"), id);
    request.render(binary);
    return message + " " + request.header("ce-id");
  };
  EXPECT_EQ(ids(), id + " event-1");
  request.event.redelivery_of = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAC");
  request.event.message = first_delivery;
  EXPECT_EQ(ids(), first_delivery.to_text() + " event-1");
  request.event.message = {};  // Its data was edited.
  EXPECT_EQ(ids(), id + " " + request.event.uid.to_text());
}

// Any URL may lead to a relay: proxies map paths.
TEST(Renderers, CountRelaysInEveryDelivery) {
  Rendered request;
  request.event.data = as_bytes(R"({"event":"build.finished","sender":null})");
  for (const char* dialect : {"standard", "bitrise", "cloudevents", "buildkite"}) {
    request.event.hops = 0;
    const std::string secret = dialect == std::string{"standard"} ? "whsec_" + std::string(32, 'a')
                                                                  : std::string{"secret"};
    request.render(webhook(dialect, secret));
    EXPECT_EQ(request.header("ringpost-hops"), "1") << dialect;
    request.event.hops = 3;
    request.render(webhook(dialect, secret));
    EXPECT_EQ(request.header("ringpost-hops"), "4") << dialect;
  }
}

// The vectors of the Bitrise specification, section 4.
TEST(BitriseRenderer, SignsTheBodyAsTheVectorsSay) {
  Rendered request;
  ASSERT_EQ(build_finished.size(), 245u);
  request.render(webhook("bitrise", "relay-demo-secret"));
  EXPECT_EQ(request.header("Bitrise-Hook-Signature"),
            "sha256=6ec7dae990eeafe2979a7512b55746da209220b24162dad1b30244403945a4ba");

  const std::string with_newline = std::string(build_finished) + "\n";
  request.event.data = as_bytes(with_newline);
  request.render(webhook("bitrise", "relay-demo-secret"));
  EXPECT_EQ(request.header("Bitrise-Hook-Signature"),
            "sha256=c8579f361cce9940ac913fd6a086c652bcdd34247569b6028967e8a8b916fe37");

  request.event.data = as_bytes(R"({"app_slug":"test-app-slug"})");
  request.render(webhook("bitrise", "my-super-secret"));
  EXPECT_EQ(request.header("Bitrise-Hook-Signature"),
            "sha256=0d86929661b1c7b216ca6a7ef4abe740ee6dc07d4afc2f21d78c888235d88713");
}

TEST(BitriseRenderer, NamesEventAndAppAndSignsOnlyWithASecret) {
  Rendered request;
  request.render(webhook("bitrise", ""));
  EXPECT_TRUE(request.head.starts_with("POST /in?a=1 HTTP/1.1\r\nHost: ci.example.org\r\n"));
  EXPECT_TRUE(request.head.ends_with("\r\n\r\n"));
  EXPECT_EQ(request.header("Bitrise-Event-Type"), "build/finished");
  EXPECT_EQ(request.header("Bitrise-App-Id"), "c0ffee1234abcd56");
  EXPECT_EQ(request.header("Bitrise-Hook-Signature"), "(absent)");
  EXPECT_EQ(request.header("Content-Type"), "application/json");
  EXPECT_EQ(request.header("Content-Length"), "245");
  EXPECT_EQ(request.header("User-Agent"), "ringpost/0.1.0");
  EXPECT_EQ(request.header("X-Team"), "mobile");
}

TEST(Renderer, KeepsTheEventsContentTypeAndTrace) {
  Rendered request;
  request.event.data_content_type = "application/vnd.acme+json; charset=utf-8";
  request.event.trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  request.render(webhook("standard", ""));
  EXPECT_EQ(request.header("Content-Type"), "application/vnd.acme+json; charset=utf-8");
  EXPECT_EQ(request.header("traceparent"),
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_EQ(request.header("webhook-signature"), "(absent)");
}

TEST(Renderer, AnAttemptsOwnTraceParentTakesThePlaceOfTheEvents) {
  Rendered request;
  request.event.trace_parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  request.event.extensions = R"({"tracestate":"a=1"})";
  request.trace_parent = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
  for (const char* dialect : {"standard", "bitrise", "cloudevents"}) {
    request.render(webhook(dialect, ""));
    EXPECT_EQ(request.header("traceparent"), request.trace_parent) << dialect;
    EXPECT_EQ(request.header("tracestate"), "a=1") << dialect;
  }
  // Receivers of a CloudEvent see in it where the trace began.
  EXPECT_NE(request.body().find(request.event.trace_parent), std::string_view::npos);
}

TEST(Renderer, PassesNoTraceStateOnThatIsNone) {
  Rendered request;
  request.event.extensions = R"({"tracestate":"a=1"})";
  request.render(webhook("standard", ""));
  EXPECT_EQ(request.header("tracestate"), "(absent)");
  request.trace_parent = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
  request.render(webhook("standard", ""));
  EXPECT_EQ(request.header("tracestate"), "(absent)") << "it belongs to the event's own trace";
  request.event.trace_parent = request.trace_parent;
  request.event.extensions = R"({"tracestate":"a=1\r\nX-Evil: 1"})";
  request.render(webhook("standard", ""));
  EXPECT_EQ(request.header("tracestate"), "(absent)");
}

TEST(Renderer, NamesThePortAndBracketsAnIpv6Host) {
  auto to = webhook("standard", "");
  to.destination.host = "2001:db8::1";
  to.destination.port = 8443;
  Rendered request;
  request.render(to);
  EXPECT_EQ(request.header("Host"), "[2001:db8::1]:8443");
}

// Goal: nothing that stands in data becomes a line of the head (reliability rule 9).
TEST(Renderer, LetsNoLineEndThrough) {
  Rendered request;
  request.event.data_content_type = "text/plain\r\nX-Evil: 1";
  request.event.trace_parent = "00\r\nX-Evil: 2";
  request.event.header_overrides = "X-Fine: yes\nX-Bad: a\rX-Evil: 3\n";
  auto to = webhook("standard", "");
  to.headers.emplace_back("X-Stored", "a\r\nX-Evil: 4");
  request.render(to);
  EXPECT_EQ(request.head.find("X-Evil"), std::string::npos) << request.head;
  EXPECT_EQ(request.header("X-Fine"), "yes");
}

TEST(Renderer, LetsARedeliveryReplaceAHeader) {
  Rendered request;
  request.event.header_overrides = "x-team: desktop\nX-New: 1\n";
  request.render(webhook("standard", ""));
  EXPECT_EQ(request.header("X-Team"), "(absent)");
  EXPECT_EQ(request.header("x-team"), "desktop");
  EXPECT_EQ(request.header("X-New"), "1");
}

TEST(NamesACredential, WhereverAWordOfOneStands) {
  for (const char* name : {"Authorization", "proxy-AUTHORIZATION", "Cookie", "Set-Cookie",
                           "X-Token", "PRIVATE-TOKEN", "tokens", "Client-Secret", "X-Api-Key",
                           "xapikey", "Password", "x-aws-credentials", "ttoken", "papi-key"}) {
    EXPECT_TRUE(names_a_credential(name)) << name;
  }
  for (const char* name : {"", "X-Team", "webhook-signature", "Accept", "tok-en", "api_key",
                           "passwor", "secre", "Content-Type", "ringpost-attempt", "traceparent"}) {
    EXPECT_FALSE(names_a_credential(name)) << name;
  }
}

TEST(MaskCredentials, HidesValuesOfCredentialHeadersOnly) {
  EXPECT_EQ(
      mask_credentials("POST /token:1 HTTP/1.1\r\nAuthorization: Bearer abc\r\nX-Api-Key: k\r\n"
                       "X-Team: mobile\r\nwebhook-signature: v1,abc\r\n\r\n"),
      "POST /token:1 HTTP/1.1\r\nAuthorization: *****\r\nX-Api-Key: *****\r\n"
      "X-Team: mobile\r\nwebhook-signature: v1,abc\r\n\r\n");
}

}  // namespace
}  // namespace ringpost::dialect
