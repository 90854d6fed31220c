// Goal: requests are to the letter what sections 3.2 and 4 of the specification say, and what the
// verifier takes.

#include "../rendered.h"
#include "dialect/attempt_id.h"
#include "dialect/buildkite/settings.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace ringpost::dialect::buildkite {
namespace {

using subscription::Webhook;

constexpr std::string_view token = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
constexpr int64_t signed_at = 1'755'000'000;

/// The specification's vector, 199 bytes.
constexpr std::string_view vector_body =
    R"({"event":"build.finished","build":{"id":"018f6b1e-3c1a-4f0e-9d2b-5a7c8e9f0a1b","number":42,)"
    R"("state":"passed","branch":"main"},"sender":{"id":"018f6b1e-0000-4000-8000-000000000001",)"
    R"("name":"Ada Relay"}})";
constexpr std::string_view vector_signature =
    "timestamp=1755000000,"
    "signature=78fb9ff942246d01dc2bcb30fa590f6ce9a66558e7ab19d392c8432d6f6078be";

WallTime seconds(int64_t count) {
  return from_unix_ns(count * 1'000'000'000);
}

Webhook hook(TokenMode mode, std::optional<Creator> creator = {}) {
  Webhook made = webhook("buildkite", std::string{token});
  made.id = *Ulid::parse_uuid("018f6b1e-7777-4abc-8def-000000000007");
  made.settings = to_text({.token_mode = mode, .creator = std::move(creator)});
  return made;
}

void render(Rendered& made, std::string_view data, const Webhook& to) {
  made.event.source = "pipeline/app";
  made.event.type = "build.finished";
  made.event.data = as_bytes(data);
  made.now = seconds(signed_at);
  made.render(to);
}

TEST(BuildkiteRenderer, SendsTheDocumentedHeadersAndNoOthers) {
  Rendered made;
  made.event.trace_parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  made.event.data_content_type = "application/json; charset=utf-8";
  render(made, vector_body, hook(TokenMode::token));
  EXPECT_EQ(made.head,
            "POST /in?a=1 HTTP/1.1\r\n"
            "Host: ci.example.org\r\n"
            "User-Agent: Buildkite-Request\r\n"
            "X-Team: mobile\r\n"
            "Accept: */*\r\n"
            "Accept-Encoding: identity\r\n"
            "X-Buildkite-Token: 0f1e2d3c4b5a69788796a5b4c3d2e1f0\r\n"
            "X-Buildkite-Event: build.finished\r\n"
            "X-Buildkite-Request: " +
                Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV")->to_uuid_text() +
                "\r\n"
                "Content-Type: application/json\r\n"
                "ringpost-hops: 1\r\n"
                "Content-Length: 199\r\n\r\n");
}

TEST(BuildkiteRenderer, SignsAsTheVectorSays) {
  Rendered made;
  render(made, vector_body, hook(TokenMode::signature));
  EXPECT_EQ(made.body(), vector_body);
  EXPECT_EQ(made.header("X-Buildkite-Signature"), vector_signature);
  EXPECT_EQ(made.header("X-Buildkite-Token"), "(absent)");
}

TEST(BuildkiteRenderer, SendsTokenOrSignatureButNotBoth) {
  Rendered made;
  render(made, vector_body, hook(TokenMode::token));
  EXPECT_EQ(made.header("X-Buildkite-Token"), token);
  EXPECT_EQ(made.header("X-Buildkite-Signature"), "(absent)");
}

TEST(BuildkiteRenderer, GivesEachAttemptAnIdAndASignatureOfItsOwn) {
  Rendered made;
  render(made, vector_body, hook(TokenMode::signature));
  const std::string first_id = made.header("X-Buildkite-Request");
  const std::string first_signature = made.header("X-Buildkite-Signature");
  EXPECT_TRUE(Ulid::parse_uuid(first_id));
  made.attempt = 2;
  made.now += std::chrono::seconds(10);
  made.render(hook(TokenMode::signature));
  EXPECT_NE(made.header("X-Buildkite-Request"), first_id);
  EXPECT_NE(made.header("X-Buildkite-Signature"), first_signature);
}

TEST(BuildkiteRenderer, RelaysAWholeBodyByteForByte) {
  const std::string_view data = "{ \"event\":\"x\", \"n\":1.0,\"sender\":null }\n";
  Rendered made;
  render(made, data, hook(TokenMode::token));
  EXPECT_EQ(made.body(), data);
  EXPECT_FALSE(made.request.body_is_made);
}

TEST(BuildkiteRenderer, PutsEventInFrontAndSenderAtTheEnd) {
  const Creator ada{.id = *Ulid::parse_uuid("018f6b1e-0000-4000-8000-000000000001"),
                    .name = "Ada \"Relay\""};
  Rendered made;
  render(made, R"({"build":{"number":42.0}})", hook(TokenMode::signature, ada));
  EXPECT_EQ(made.body(),
            R"({"event":"build.finished","build":{"number":42.0},)"
            R"("sender":{"id":"018f6b1e-0000-4000-8000-000000000001","name":"Ada \"Relay\""}})");
  EXPECT_EQ(made.header("Content-Length"), std::to_string(made.body().size()));
}

TEST(BuildkiteRenderer, NamesTheWebhookAsSenderWhereNoUserMadeIt) {
  Rendered made;
  render(made, R"({"event":"build.finished"})", hook(TokenMode::token));
  EXPECT_EQ(made.body(),
            R"({"event":"build.finished",)"
            R"("sender":{"id":"018f6b1e-7777-4abc-8def-000000000007","name":"default"}})");
}

TEST(BuildkiteRenderer, HasNoRequestForDataThatIsNoObject) {
  for (const char* data : {"[1]", "\"text\"", "\x01\x02", "{},\"event\":{}"}) {
    Rendered made;
    made.event.data = as_bytes(std::string_view{data});
    const auto error = made.try_render(hook(TokenMode::token));
    ASSERT_TRUE(error) << data;
    EXPECT_EQ(error->code, Errc::not_renderable);
    EXPECT_EQ(error->detail, static_cast<int32_t>(Unrenderable::data_object));
  }
}

TEST(BuildkiteRenderer, SendsNothingWithSettingsThatItCannotRead) {
  Webhook broken = hook(TokenMode::signature);
  broken.settings = R"({"token_mode":"signat)";
  Rendered made;
  EXPECT_TRUE(made.try_render(broken));
  EXPECT_TRUE(made.head.empty());
}

TEST(BuildkiteRenderer, MasksTheTokenInTheLog) {
  const Webhook to = hook(TokenMode::token);
  Rendered made;
  render(made, vector_body, to);
  const std::string masked = make_renderer(to)->masked(made.head);
  EXPECT_NE(masked.find("X-Buildkite-Token: *****"), std::string::npos);
  EXPECT_EQ(masked.find(token), std::string::npos);
}

TEST(BuildkiteRenderer, LeavesItsHeadersToNobodyElse) {
  for (const char* name : {"X-Buildkite-Event", "x-buildkite-token", "X-Buildkite-Anything",
                           "user-agent", "Accept", "accept-encoding", "Content-Type"}) {
    EXPECT_TRUE(find("buildkite")->writes_header(name)) << name;
  }
  EXPECT_FALSE(find("buildkite")->writes_header("X-Team"));
  EXPECT_FALSE(find("buildkite")->writes_header("X-Buildkit"));
}

// --- the receiver's side -------------------------------------------------------------------------

struct Reception {
  std::vector<http::Header> headers;
  std::string body{vector_body};
  int64_t now = signed_at;

  Verdict::Kind verify(std::string_view secret = token) const {
    const Received received{.headers = headers, .body = as_bytes(body)};
    return find("buildkite")->verify(received, secret, {.now = seconds(now)}).kind;
  }
};

Reception with(std::string name, std::string value) {
  return {.headers = {{std::move(name), std::move(value)}}};
}

constexpr const char* signature_header = "X-Buildkite-Signature";
constexpr auto authentic = Verdict::Kind::authentic;
constexpr auto refuted = Verdict::Kind::refuted;

TEST(BuildkiteVerify, TakesTheVector) {
  EXPECT_EQ(with(signature_header, std::string{vector_signature}).verify(), authentic);
  // Names in any order, spaces around them.
  const size_t comma = vector_signature.find(',');
  const std::string turned = std::string{vector_signature.substr(comma + 1)} + " , " +
                             std::string{vector_signature.substr(0, comma)};
  EXPECT_EQ(with(signature_header, turned).verify(), authentic);
}

TEST(BuildkiteVerify, RefutesTheSignatureWithoutTheFullStop) {
  EXPECT_EQ(with(signature_header,
                 "timestamp=1755000000,"
                 "signature=7572637502a34b82ddd575720b6434658fb516f8f1e325696c44d857fe4c3b32")
                .verify(),
            refuted);
}

TEST(BuildkiteVerify, RefutesWhatIsChangedStaleOrMalformed) {
  Reception reception = with(signature_header, std::string{vector_signature});
  EXPECT_EQ(reception.verify("another"), refuted);
  for (const auto& [offset, kind] : std::vector<std::pair<int64_t, Verdict::Kind>>{
           {300, authentic}, {301, refuted}, {-300, authentic}, {-301, refuted}}) {
    reception.now = signed_at + offset;
    EXPECT_EQ(reception.verify(), kind) << offset;
  }
  reception.now = signed_at;
  reception.body += " ";
  EXPECT_EQ(reception.verify(), refuted);
  const std::string text{vector_signature};
  for (const std::string& value :
       {std::string{}, std::string{"timestamp=1755000000"}, text + ",timestamp=1755000000",
        std::string{"timestamp=1755000000,signature=yo"}, "timestamp=1" + text.substr(20)}) {
    EXPECT_EQ(with(signature_header, value).verify(), refuted) << value;
  }
  reception = with(signature_header, text);
  reception.headers.push_back(reception.headers.front());
  EXPECT_EQ(reception.verify(), refuted);
}

TEST(BuildkiteVerify, ComparesTokens) {
  EXPECT_EQ(with("x-buildkite-token", std::string{token}).verify(), authentic);
  EXPECT_EQ(with("X-Buildkite-Token", "wrong").verify(), refuted);
  EXPECT_EQ(with("X-Buildkite-Token", "").verify(), refuted);
  EXPECT_EQ(Reception{}.verify(), Verdict::Kind::not_signed);
}

TEST(BuildkiteVerify, TakesWhatIsRendered) {
  for (const TokenMode mode : {TokenMode::token, TokenMode::signature}) {
    Rendered made;
    render(made, R"({"build":{}})", hook(mode));
    Reception reception{.body = std::string{made.body()}};
    for (const char* name : {"X-Buildkite-Token", "X-Buildkite-Signature"}) {
      const std::string value = made.header(name);
      if (value != "(absent)") reception.headers.push_back({name, value});
    }
    EXPECT_EQ(reception.verify(), authentic) << name(mode);
  }
}

TEST(BuildkiteDeliveryOf, IsTheSameInAllAttemptsOfADelivery) {
  const Ulid delivery = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV");
  std::string first;
  for (uint32_t attempt = 1; attempt <= 5; ++attempt) {
    const std::vector<http::Header> headers{
        {"X-Buildkite-Request", attempt_id(delivery, attempt).to_uuid_text()}};
    const std::string id{find("buildkite")->delivery_of({.headers = headers, .body = {}})};
    if (attempt == 1) first = id;
    EXPECT_EQ(id, first);
  }
  EXPECT_EQ(first.size(), 34u);
  EXPECT_EQ(find("buildkite")->delivery_of({.headers = {}, .body = {}}), "");
}

}  // namespace
}  // namespace ringpost::dialect::buildkite
