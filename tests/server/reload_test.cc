// Goal: a reload reads what the start read, with its checks: all of it or nothing.
// Method: real files, certificates made on the spot.

#include "server/reload.h"

#include "io/posix_disk.h"
#include "net/test_certificates.h"
#include "server/budgets.h"
#include "server/helper_thread.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::server {
namespace {

namespace fs = std::filesystem;
using ringpost::testing::CertificateOptions;
using ringpost::testing::TestAuthority;
using ringpost::testing::TestIdentity;
using Names = std::vector<std::string>;

class ReloadTest : public ::testing::Test {
 protected:
  ReloadTest() {
    std::string name = fs::temp_directory_path() / "ringpost-reload-XXXXXX";
    place_ = ::mkdtemp(name.data());
    call_.config_file = place_ / "ringpost.toml";
    call_.data_dir = place_ / "data";
  }
  ~ReloadTest() override { fs::remove_all(place_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(place_ / name, std::ios::binary) << text;
  }
  void configure(const std::string& toml) { write("ringpost.toml", toml); }
  void write_certificate(const std::string& name, const CertificateOptions& options = {}) {
    const TestIdentity identity = authority_.issue(options);
    write(name + ".crt", identity.certificate_pem);
    write(name + ".key", identity.key_pem);
  }
  std::string tls(const std::string& certificate, const std::string& key) {
    return "[[listener]]\naddress = \"127.0.0.1:0\"\ntls = {certificate = \"" +
           (place_ / (certificate + ".crt")).string() + "\", key = \"" +
           (place_ / (key + ".key")).string() + "\"}\n";
  }
  Reloader& start(const std::string& toml) {
    configure(toml);
    const ConfigResult result = load_config(call_);
    for (const ConfigProblem& problem : result.problems) ADD_FAILURE() << problem.to_text();
    return reloader_.emplace(disk_, call_, fitted(result.config), machine_);
  }
  Config fitted(Config config) const {
    use(budgets_of(config, machine_), config);
    return config;
  }
  std::string first_problem(const std::string& toml) {
    configure(toml);
    const shard::Reloaded reloaded = reloader_->reload();
    return reloaded.outcome.problems.empty() ? "(none)"
                                             : reloaded.outcome.problems.front().to_text();
  }

  const Machine machine_{
      .memory_bytes = uint64_t{24} << 30, .memory_limit = "a test", .descriptors = 65'536};
  fs::path place_;
  io::PosixDisk disk_;
  ServeCall call_;
  TestAuthority authority_;
  std::optional<Reloader> reloader_;
};

TEST_F(ReloadTest, BringsWhatAFileSaysNow) {
  Reloader& reloader = start("[ingest]\nevent_bytes_max = \"64KiB\"\n");
  configure(
      "[server]\ndrain_max = \"7s\"\nshards = 9\npublic_url = \"https://a.example\"\n"
      "[ingest]\nevent_bytes_max = \"32KiB\"\nconnections_max = 2\n"
      "[journal]\nretention_age = \"1h\"\n"
      "[delivery]\npending_max = 5\nallow_networks = [\"10.0.0.0/8\"]\n"
      "[metrics]\nwebhooks_max = 0\n"
      "[organizations.acme]\nretention_age = \"1m\"\n");
  const shard::Reloaded reloaded = reloader.reload();
  ASSERT_TRUE(reloaded.outcome.problems.empty());
  EXPECT_EQ(reloaded.outcome.needs_restart, Names{"server.shards"});
  EXPECT_EQ(reloaded.outcome.changed,
            (Names{"server.drain_max", "server.public_url", "ingest.event_bytes_max",
                   "ingest.connections_max", "journal.retention_age", "organizations",
                   "delivery.pending_max", "delivery.allow_networks", "metrics.webhooks_max"}));
  EXPECT_EQ(reloader.drain_max(), std::chrono::seconds{7});
  EXPECT_EQ(reloaded.live.event_limits.event_bytes_max, 32u << 10);
  EXPECT_EQ(reloaded.live.server.connections_max, 2u);
  EXPECT_LT(reloaded.live.server.connections_reserved, 2u);
  EXPECT_EQ(reloaded.live.delivery.pending_max, 5u);
  EXPECT_EQ(reloaded.live.origin, "a.example");
  EXPECT_TRUE(reloaded.live.policy.allows(*io::Address::parse("10.1.2.3:443"), true));
  EXPECT_EQ(reloaded.control.public_url, "https://a.example");
  EXPECT_EQ(reloaded.control.retention.age, std::chrono::hours{1});
  EXPECT_EQ(reloaded.control.retention.organization_ages,
            (control::OrganizationAges{{"acme", std::chrono::minutes{1}}}));
  EXPECT_EQ(reloaded.control.metrics.webhooks_max, 0u);
}

TEST_F(ReloadTest, KeepsToTheCommandLine) {
  call_.assignments = {"delivery.pending_max=7"};
  call_.listen = {"127.0.0.1:0"};
  Reloader& reloader = start("");
  configure(
      "[server]\ndata_dir = \"/elsewhere\"\n[delivery]\npending_max = 5\n"
      "[[listener]]\naddress = \"127.0.0.1:9\"\n");
  const shard::Reloaded reloaded = reloader.reload();
  ASSERT_TRUE(reloaded.outcome.problems.empty());
  EXPECT_TRUE(reloaded.outcome.changed.empty());
  EXPECT_TRUE(reloaded.outcome.needs_restart.empty());
  EXPECT_EQ(reloaded.live.delivery.pending_max, 7u);
}

TEST_F(ReloadTest, TakesNothingOfAFileWithAProblem) {
  Reloader& reloader = start("");
  const std::string good = "[server]\ndrain_max = \"7s\"\n";
  EXPECT_NE(first_problem(good + "shard = 3\n").find("ringpost.toml:3:1: unknown key"),
            std::string::npos);
  EXPECT_NE(first_problem(good + "= 3\n").find("ringpost.toml:3:"), std::string::npos);
  EXPECT_NE(first_problem(good + "[log]\nlevel = \"loud\"\n").find("known: debug"),
            std::string::npos);
  fs::remove(place_ / "ringpost.toml");
  EXPECT_NE(reloader.reload().outcome.problems.at(0).text.find("cannot be read"),
            std::string::npos);
  EXPECT_EQ(reloader.drain_max(), std::chrono::seconds{30});
  EXPECT_EQ(first_problem(good), "(none)");
  EXPECT_EQ(reloader.drain_max(), std::chrono::seconds{7});
}

TEST_F(ReloadTest, FindsWhatWouldKeepTheNextStartFromItsKeys) {
  start("");
  EXPECT_NE(
      first_problem("[secrets]\nkey_file = \"" + (place_ / "data" / "in.key").string() + "\"\n"),
      "(none)");
}

TEST_F(ReloadTest, ReadsRenewedCertificatesUnderTheSameNames) {
  write_certificate("own");
  Reloader& reloader = start(tls("own", "own"));
  const shard::Reloaded same = reloader.reload();
  EXPECT_TRUE(same.outcome.changed.empty());
  write_certificate("own");
  const shard::Reloaded renewed = reloader.reload();
  EXPECT_EQ(renewed.outcome.changed, Names{"listener.tls"});
  ASSERT_EQ(renewed.live.certificates.size(), 1u);
  EXPECT_NE(renewed.live.certificates[0], nullptr);
  EXPECT_NE(renewed.live.certificates[0], same.live.certificates[0]);
  EXPECT_TRUE(reloader.reload().outcome.changed.empty());
}

// Goal: an operator is warned before the certificate that is used expires, not the one before it.
TEST_F(ReloadTest, SaysWhenCertificatesExpire) {
  const auto expires_in = [](const shard::Reloaded& reloaded) {
    const auto& certificates = reloaded.control.metrics.certificates;
    EXPECT_EQ(certificates.size(), 1u);
    EXPECT_EQ(certificates.front().listener, "127.0.0.1:0");
    return std::chrono::duration_cast<std::chrono::hours>(
        certificates.front().expires_at - wall_clock_now() + std::chrono::minutes{30});
  };
  write_certificate("own", {.valid_until_seconds = 3 * 86'400});
  Reloader& reloader = start(tls("own", "own"));
  EXPECT_EQ(expires_in(reloader.reload()), std::chrono::hours{72});
  write_certificate("own", {.valid_until_seconds = 30 * 86'400});
  EXPECT_EQ(expires_in(reloader.reload()), std::chrono::hours{720});
  EXPECT_EQ(net::certificate_expires_at("no certificate"), std::nullopt);
}

TEST_F(ReloadTest, RefusesACertificateWithoutItsKey) {
  write_certificate("own");
  write_certificate("next");
  start(tls("own", "own"));
  EXPECT_NE(first_problem(tls("next", "own")).find("the key that belongs to it"),
            std::string::npos);
  EXPECT_EQ(first_problem(tls("next", "next")), "(none)");
}

TEST_F(ReloadTest, RefusesACertificateThatIsNotInForce) {
  write_certificate("own");
  write_certificate("old", {.valid_from_seconds = -7200, .valid_until_seconds = -3600});
  write_certificate("early", {.valid_from_seconds = 3600, .valid_until_seconds = 7200});
  start(tls("own", "own"));
  for (const char* name : {"old", "early"}) {
    EXPECT_NE(first_problem(tls(name, name)).find("is not valid now"), std::string::npos) << name;
  }
}

TEST_F(ReloadTest, SwitchesTlsNeitherOnNorOff) {
  write_certificate("own");
  Reloader& reloader = start(tls("own", "own"));
  configure("[[listener]]\naddress = \"127.0.0.1:0\"\n");
  const shard::Reloaded reloaded = reloader.reload();
  EXPECT_EQ(reloaded.outcome.needs_restart, Names{"listener"});
  ASSERT_EQ(reloaded.live.certificates.size(), 1u);
  EXPECT_NE(reloaded.live.certificates[0], nullptr);
}

TEST_F(ReloadTest, FindsTheCertificateOfAnAddressWhereverItStands) {
  write_certificate("own");
  Reloader& reloader = start("[[listener]]\naddress = \"127.0.0.1:1\"\n" + tls("own", "own"));
  write_certificate("next");
  configure(tls("next", "next"));
  const shard::Reloaded reloaded = reloader.reload();
  EXPECT_EQ(reloaded.outcome.needs_restart, Names{"listener"});
  EXPECT_EQ(reloaded.outcome.changed, Names{"listener.tls"});
  ASSERT_EQ(reloaded.live.certificates.size(), 2u);
  EXPECT_EQ(reloaded.live.certificates[0], nullptr);
  EXPECT_NE(reloaded.live.certificates[1], nullptr);
}

TEST_F(ReloadTest, FitsWhatIsReadToTheMemoryOfTheStart) {
  Reloader& reloader = start("[server]\nmemory_max = \"64MiB\"\n");
  configure("[server]\nmemory_max = \"1GiB\"\n[delivery]\npending_max = 5000\n");
  const shard::Reloaded reloaded = reloader.reload();
  EXPECT_EQ(reloaded.outcome.changed, std::vector<std::string>{"delivery.pending_max"});
  EXPECT_EQ(reloaded.outcome.needs_restart, std::vector<std::string>{"server.memory_max"});
  EXPECT_EQ(reloaded.live.delivery.pending_max, 5000u);
  EXPECT_LT(reloaded.live.delivery.attempts_in_flight_max, 1000u);
}

TEST_F(ReloadTest, WorksWithoutAFile) {
  call_.config_file.clear();
  const ConfigResult result = load_config(call_);
  Reloader reloader(disk_, call_, fitted(result.config), machine_);
  EXPECT_TRUE(reloader.reload().outcome.problems.empty());
}

}  // namespace
}  // namespace ringpost::server
