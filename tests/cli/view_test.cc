#include "cli/view.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ringpost::cli {
namespace {

template <typename View>
std::string seen(View view, const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  EXPECT_EQ(parser.parse(json).get(document), simdjson::SUCCESS) << json;
  return view(document);
}

TEST(View, ShowsAWebhookWithItsFilterPaceAndSettings) {
  EXPECT_EQ(show_webhook(R"({"id":"01J","dialect":"standard","description":"","url":"https://h/",
      "organization":"default","sources":["app/a","app/b"],"events":["*"],
      "filter":{"branches":"main release/*","teams":["x","y"],"clusters":[],
      "data":{"path":"build.status","equals":"failed"}},
      "headers":{"X-A":"1"},"tls":{"verify":true,"ca":""},"schedule":[5,300],"timeout_ms":30000,
      "concurrency_max":64,"rate_per_second":20,"settings":{"mode":"binary","n":{"a":1}},
      "state":"broken","state_reason":"refused too often","created_at":"2031-05-04T09:08:07.123Z",
      "updated_at":"2031-05-05T09:08:07Z","previous_secret_until":"2031-05-06T00:00:00Z"})"),
            "id            01J\n"
            "url           https://h/\n"
            "dialect       standard\n"
            "state         broken\n"
            "reason        refused too often\n"
            "organization  default\n"
            "sources       app/a, app/b\n"
            "events        *\n"
            "filter        branches main release/*; teams x, y; data build.status = \"failed\"\n"
            "schedule      after 5 s, 5 min\n"
            "timeout       30000 ms\n"
            "concurrency   64\n"
            "rate          20 a second\n"
            "TLS           verified\n"
            "created       2031-05-04 09:08:07\n"
            "changed       2031-05-05 09:08:07\n"
            "old secret    also signs until 2031-05-06 00:00:00\n"
            "headers\n"
            "  X-A: 1\n"
            "settings\n"
            "  mode: binary\n"
            "  n: {\"a\":1}\n");
}

// JSON is RFC 8259's: what the DOM cannot read is shown as it is spelled.
TEST(View, ShowsSettingsAsTheyAreSpelled) {
  const std::string said = show_webhook(
      R"({"id":"01J","settings":{"request_body":{"n":1e400, "m":12345678901234567890123},)"
      R"("lone":"\ud800","small":-1e-400,"plain":"a\nb"}})");
  EXPECT_NE(said.find("id            01J\n"), std::string::npos) << said;
  EXPECT_NE(said.find("  request_body: {\"n\":1e400,\"m\":12345678901234567890123}\n"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("  small: -1e-400\n"), std::string::npos) << said;
  EXPECT_NE(said.find("  plain: a\\x0ab\n"), std::string::npos) << said;
}

TEST(View, WarnsOfAnUnverifiedReceiverAndShowsASecretOnce) {
  const std::string said =
      show_webhook(R"({"tls":{"verify":false,"ca":""},"schedule":[],"secret":"s3"})");
  EXPECT_NE(said.find("TLS           NOT VERIFIED"), std::string::npos) << said;
  EXPECT_NE(said.find("schedule      none: one attempt"), std::string::npos) << said;
  EXPECT_NE(said.find("secret        s3\n"), std::string::npos) << said;
  EXPECT_NE(said.find("shown only this once"), std::string::npos) << said;
}

TEST(View, DoesNotRepeatASecretThatTheUserGave) {
  const std::string said =
      show_webhook(R"({"tls":{"verify":true},"schedule":[],"secret":"s3"})", "s3");
  EXPECT_NE(said.find("secret        as you gave it\n"), std::string::npos) << said;
  EXPECT_EQ(said.find("shown only this once"), std::string::npos) << said;
}

constexpr const char* delivery =
    R"({"id":"D","webhook":null,"event":{"id":"E","type":"t","source":"s"},
  "status":"dead","redelivery_of":null,"next_attempt_at":null,"attempts":[
   {"number":1,"started_at":"2031-05-04T09:08:07Z","duration_ms":12,
    "error":{"code":"refused","side":"endpoint","detail":"connection refused"},
    "request":null,"response":null},
   {"number":2,"started_at":"2031-05-04T09:08:09Z","duration_ms":null,"error":null,
    "tls":{"version":"TLSv1.3","cipher":"TLS_AES_128_GCM_SHA256","group":"X25519MLKEM768","resumed":true},
    "request":{"method":"POST","url":"https://h/in","headers":{"Host":"h"},"body":null},
    "response":{"status":500,"headers":{"X-E":"\u001b[31m"},"body":"a\r\n\u001b]0;x\u0007\u009bz",
                "truncated":true,"note":"the answer's body was cut short"}},
   {"number":null,"started_at":null,"duration_ms":null,
    "error":{"code":"corrupt","side":"disk","detail":"bad checksum"},"request":null,"response":null}
  ]})";

TEST(View, ShowsEveryAttemptWithBodiesErrorsAndWhatIsMissing) {
  EXPECT_EQ(seen(show_delivery, delivery),
            "delivery   D\n"
            "status     dead\n"
            "webhook    removed\n"
            "event      E  t  s\n"
            "\n"
            "  attempt 1 at 2031-05-04 09:08:07, 12 ms\n"
            "    error     refused (endpoint): connection refused\n"
            "\n"
            "  attempt 2 at 2031-05-04 09:08:09\n"
            "    TLS       TLSv1.3, TLS_AES_128_GCM_SHA256, X25519MLKEM768, resumed\n"
            "    request   POST https://h/in\n"
            "      Host: h\n"
            "      (the body is left out, the attempts are too large together)\n"
            "    response  500\n"
            "    note      the answer's body was cut short\n"
            "      X-E: \\x1b[31m\n"
            "      a\n"
            "      \\x1b]0;x\\x07\\xc2\\x9bz\n"
            "      (truncated: the relay stored only this much)\n"
            "\n"
            "  attempt\n"
            "    error     corrupt (disk): bad checksum\n");
}

TEST(View, NoControlByteGetsThrough) {
  // Every control character, as member names and values, at every place.
  std::string controls;
  for (int code = 0; code < 0xA0; ++code) {
    if (code >= 0x20 && code < 0x7F) continue;
    char text[8];
    std::snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned>(code));
    controls += text;
  }
  std::string json =
      R"({"id":"@","webhook":"@","event":{"id":"@","type":"@","source":"@"},"status":"@",
    "redelivery_of":"@","next_attempt_at":"@","url":"@","dialect":"@","description":"@","sources":["@"],
    "filter":{"branches":"@","teams":["@"]},"headers":{"@":"@"},"settings":{"@":{"@":"@"}},"secret":"@",
    "schedule":["@"],"attempts":[{"number":"@","started_at":"@","duration_ms":"@","tls":{"version":"@","cipher":"@","group":"@","resumed":"@"},
      "error":{"code":"@","side":"@","detail":"@"},
      "request":{"method":"@","url":"@","headers":{"@":["@"]},"body":"@"},
      "response":{"status":"@","headers":{"@":"@"},"body":"@"}}]})";
  for (size_t at = json.find('@'); at != std::string::npos; at = json.find('@', at)) {
    json.replace(at, 1, controls);
  }
  for (const std::string& said : {seen(show_delivery, json), show_webhook(json),
                                  seen(filter_of, json), seen(result_of, json)}) {
    for (size_t index = 0; index < said.size(); ++index) {
      const auto byte = static_cast<uint8_t>(said[index]);
      EXPECT_TRUE(byte == '\n' || (byte >= 0x20 && byte < 0x7F)) << index << ": " << int{byte};
    }
  }
}

TEST(View, TheResultIsAStatusOrTheErrorsName) {
  EXPECT_EQ(seen(result_of, R"({"last_attempt":{"response_status":204,"error":null}})"), "204");
  EXPECT_EQ(
      seen(result_of, R"({"last_attempt":{"response_status":null,"error":{"code":"reset"}}})"),
      "reset");
  EXPECT_EQ(seen(result_of, R"({"last_attempt":null})"), "-");
  // The receiver answered the question for permission with 200, and gave none.
  EXPECT_EQ(seen(result_of, R"({"last_attempt":{"response_status":200,)"
                            R"("error":{"code":"origin_refused"}}})"),
            "origin_refused");
  EXPECT_EQ(seen(result_of, R"({"last_attempt":{"response_status":503,)"
                            R"("error":{"code":"bad_status"}}})"),
            "503");
}

}  // namespace
}  // namespace ringpost::cli
