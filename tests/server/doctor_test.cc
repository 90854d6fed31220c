#include "server/doctor.h"

#include "server/own_servers.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <tuple>

namespace ringpost::server {
namespace {

using Verdict = Finding::Verdict;

TEST(Doctor, KnowsWhichKernelsAreNewEnough) {
  for (const char* release :
       {"6.1.0", "6.1", "6.1.0-18-amd64", "6.18.44-fc", "7.0.0-rc1", "10.2"}) {
    EXPECT_EQ(judge_kernel(release).verdict, Verdict::ok) << release;
  }
  for (const char* release : {"5.15.0-91-generic", "6.0.19", "4.19.0", "6", "", "x.y"}) {
    EXPECT_EQ(judge_kernel(release).verdict, Verdict::warning) << release;
  }
}

TEST(Doctor, FindsNameServersAsResolversReadThem) {
  const auto servers = [](const char* text) { return judge_name_servers(text).text; };
  EXPECT_EQ(servers("search x\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 # second\n"),
            "192.0.2.1, 2001:db8::1");
  EXPECT_EQ(servers("nameserver 192.0.2.1\r\noptions ndots:2"), "192.0.2.1");
  for (const char* text : {"", "\n", "#nameserver 192.0.2.1\n", "nameserver\n", "nameserver \n",
                           "nameserverx 192.0.2.1\n", "options x\n"}) {
    EXPECT_EQ(judge_name_servers(text).verdict, Verdict::warning) << text;
  }
}

TEST(Doctor, SaysWhatToDoBelowWhatIsWrong) {
  const Findings findings{{Verdict::ok, "a", "fine", ""},
                          {Verdict::warning, "disk", "slow", "buy another"},
                          {Verdict::failure, "b", "gone\n", "mend \"it\""}};
  EXPECT_EQ(to_text({findings[0], findings[1]}),
            "ok   a     fine\nwarn disk  slow\n           -> buy another\n");
  EXPECT_TRUE(all_well({findings[0], findings[1]}));
  EXPECT_FALSE(all_well(findings));
  EXPECT_EQ(to_json({findings[2]}),
            R"({"ok":false,"findings":[{"subject":"b","verdict":"failure","text":"gone\n",)"
            R"("remedy":"mend \"it\""}]})");
}

constexpr WallTime now{std::chrono::hours{24 * 365 * 60}};  // In December 2029.

Verdict verdict_after(int days) {
  return judge_certificate("certificate", "a.pem", now + std::chrono::hours{24 * days}, now,
                           "renew")
      .verdict;
}

TEST(Doctor, SaysInTimeThatACertificateEnds) {
  EXPECT_EQ(verdict_after(200), Verdict::ok);
  EXPECT_EQ(verdict_after(20), Verdict::warning);
  EXPECT_EQ(verdict_after(-1), Verdict::failure);
  EXPECT_EQ(judge_certificate("certificate", "a.pem", std::nullopt, now, "renew").verdict,
            Verdict::failure);
}

/// As `GET /v1/session` shows a token.
std::string session(const std::string& scopes, const std::string& sources = R"("*")",
                    const std::string& expires_at = "null",
                    const std::string& more = R"(,"idempotency_window_s":86400)") {
  return R"({"token":{"id":"x","name":"sidecar","organization":"default","scopes":[)" + scopes +
         R"(],"sources":[)" + sources + R"(],"created_at":"2026-01-01T00:00:00Z","expires_at":)" +
         expires_at + R"(},"operator":false,"version":"1")" + more + "}";
}

TEST(Doctor, SaysWhetherATokenIsGoodForForwarding) {
  Config config;
  const auto judged = [&](const std::string& answer) { return judge_session(config, answer, now); };
  const std::string both = R"("events:write","deliveries:read")";
  EXPECT_TRUE(judged("").empty());
  EXPECT_TRUE(judged(R"({"token":"x"})").empty());
  EXPECT_TRUE(judged("<html>").empty());
  for (const auto& [answer, verdict, text] : {
           std::tuple{session(both), Verdict::ok, "taken"},
           std::tuple{session(R"("admin")"), Verdict::ok, "taken"},
           std::tuple{session(R"("deliveries:read")"), Verdict::failure, "events:write"},
           std::tuple{session(R"("events:write")"), Verdict::warning, "deliveries:read"},
           std::tuple{session(both, R"("app/*")"), Verdict::warning, "forward.sources"},
           std::tuple{session(both, R"("*")", R"("2029-12-20T00:00:00Z")"), Verdict::warning,
                      "until 2029-12-20"},
           std::tuple{session(both, R"("*")", R"("2031-01-01T00:00:00Z")"), Verdict::ok,
                      "until 2031-01-01"},
       }) {
    const Findings found = judged(answer);
    ASSERT_EQ(found.size(), 2u) << answer;
    EXPECT_EQ(found[0].verdict, verdict) << answer;
    EXPECT_NE(found[0].text.find(text), std::string::npos) << found[0].text;
    EXPECT_EQ(found[0].remedy.empty(), verdict == Verdict::ok);
  }
  config.forward_sources = {"app/x", "app/y"};
  EXPECT_EQ(judged(session(both, R"("app/*")"))[0].verdict, Verdict::ok);
}

TEST(Doctor, ComparesIdempotencyWindows) {
  Config config;
  const auto judged = [&](const std::string& more) {
    return judge_session(config, session(R"("admin")", R"("*")", "null", more), now)[1];
  };
  EXPECT_EQ(judged(R"(,"idempotency_window_s":86400)").verdict, Verdict::ok);
  EXPECT_EQ(judged("").verdict, Verdict::warning);
  const Finding shorter = judged(R"(,"idempotency_window_s":3600)");
  EXPECT_EQ(shorter.verdict, Verdict::failure);
  EXPECT_NE(shorter.remedy.find("set forward.idempotency_window to 1h"), std::string::npos)
      << shorter.remedy;
}

}  // namespace
}  // namespace ringpost::server
