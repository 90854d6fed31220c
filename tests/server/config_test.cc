#include "server/config.h"

#include "io/posix_disk.h"
#include "subscription/token.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace ringpost::server {
namespace {

std::string first_problem(std::string_view toml, const std::vector<std::string>& assignments = {}) {
  const ConfigResult result = parse_config(toml, "test.toml", assignments);
  return result.problems.empty() ? "(none)" : result.problems.front().to_text();
}

/// The example with its listener uncommented, or as it is.
TEST(Config, AcceptsItsOwnExampleAndChangesNothingByIt) {
  const ConfigResult example = parse_config(example_config(), "example", {});
  for (const ConfigProblem& problem : example.problems) ADD_FAILURE() << problem.to_text();
  const Config plain;
  EXPECT_EQ(example.config.shards, plain.shards);
  EXPECT_EQ(example.config.data_dir, plain.data_dir);
  EXPECT_EQ(example.config.drain_max, plain.drain_max);
  EXPECT_EQ(example.config.public_url, plain.public_url);
  EXPECT_EQ(example.config.hosts, plain.hosts);
  EXPECT_EQ(example.config.webhook_ips, plain.webhook_ips);
  EXPECT_EQ(example.config.event_bytes_max, plain.event_bytes_max);
  EXPECT_EQ(example.config.batch_bytes_max, plain.batch_bytes_max);
  EXPECT_EQ(example.config.batch_events_max, plain.batch_events_max);
  EXPECT_EQ(example.config.ingest_connections_max, plain.ingest_connections_max);
  EXPECT_EQ(example.config.bodies_bytes_max, plain.bodies_bytes_max);
  EXPECT_EQ(example.config.idempotency_window, plain.idempotency_window);
  EXPECT_EQ(example.config.idempotency_entries_max, plain.idempotency_entries_max);
  EXPECT_EQ(example.config.gap_interval, plain.gap_interval);
  EXPECT_EQ(example.config.redeliveries_per_minute, plain.redeliveries_per_minute);
  EXPECT_EQ(example.config.forward_url, plain.forward_url);
  EXPECT_EQ(example.config.forward_token_file, plain.forward_token_file);
  EXPECT_EQ(example.config.forward_ca_file, plain.forward_ca_file);
  EXPECT_EQ(example.config.forward_certificate_file, plain.forward_certificate_file);
  EXPECT_EQ(example.config.forward_key_file, plain.forward_key_file);
  EXPECT_EQ(example.config.forward_plain_http, plain.forward_plain_http);
  EXPECT_EQ(example.config.forward_sources, plain.forward_sources);
  EXPECT_EQ(example.config.forward_events, plain.forward_events);
  EXPECT_EQ(example.config.forward_batch_events_max, plain.forward_batch_events_max);
  EXPECT_EQ(example.config.forward_batch_bytes_max, plain.forward_batch_bytes_max);
  EXPECT_EQ(example.config.forward_idempotency_window, plain.forward_idempotency_window);
  EXPECT_EQ(example.config.tracing_endpoint, plain.tracing_endpoint);
  EXPECT_EQ(example.config.tracing_sample_ratio, plain.tracing_sample_ratio);
  EXPECT_EQ(example.config.tracing_headers_file, plain.tracing_headers_file);
  EXPECT_EQ(example.config.tracing_ca_file, plain.tracing_ca_file);
  EXPECT_EQ(example.config.tracing_certificate_file, plain.tracing_certificate_file);
  EXPECT_EQ(example.config.tracing_key_file, plain.tracing_key_file);
  EXPECT_EQ(example.config.tracing_plain_http, plain.tracing_plain_http);
  EXPECT_EQ(example.config.tracing_timeout, plain.tracing_timeout);
  EXPECT_EQ(example.config.tracing_service_name, plain.tracing_service_name);
  EXPECT_EQ(example.config.tracing_attributes, plain.tracing_attributes);
  EXPECT_EQ(example.config.segment_bytes, plain.segment_bytes);
  EXPECT_EQ(example.config.retention_age, plain.retention_age);
  EXPECT_EQ(example.config.retention_bytes, plain.retention_bytes);
  EXPECT_EQ(example.config.accept_loss, plain.accept_loss);
  EXPECT_EQ(example.config.accept_network_disk, plain.accept_network_disk);
  EXPECT_EQ(example.config.outcome_delay, plain.outcome_delay);
  EXPECT_EQ(example.config.pending_max, plain.pending_max);
  EXPECT_EQ(example.config.attempts_in_flight_max, plain.attempts_in_flight_max);
  EXPECT_EQ(example.config.connections_per_endpoint_max, plain.connections_per_endpoint_max);
  EXPECT_EQ(example.config.circuit_failures, plain.circuit_failures);
  EXPECT_EQ(example.config.circuit_pause_max, plain.circuit_pause_max);
  EXPECT_EQ(example.config.idle_max, plain.idle_max);
  EXPECT_EQ(example.config.history_memory_max, plain.history_memory_max);
  EXPECT_EQ(example.config.key_file, plain.key_file);
  EXPECT_TRUE(example.config.users.empty());
  EXPECT_EQ(example.config.streams.count_max, plain.streams.count_max);
  EXPECT_EQ(example.config.streams.per_organization_max, plain.streams.per_organization_max);
  EXPECT_EQ(example.config.metrics_webhooks_max, plain.metrics_webhooks_max);
  EXPECT_EQ(example.config.log_level, plain.log_level);
  EXPECT_EQ(example.config.log_json, plain.log_json);
}

TEST(Config, ForwardsOnlyWhereTheTokenIsSafe) {
  const auto problem = [](const std::string& url, const std::string& more = {}) {
    return first_problem("[forward]\nurl = \"" + url + "\"\n" + more);
  };
  for (const char* url : {"https://a.example.org", "http://127.0.0.1:8420", "http://[::1]:1/x/",
                          "http://localhost:8420"}) {
    EXPECT_NE(problem(url).find("token_file is missing"), std::string::npos) << url;
  }
  for (const char* url : {"http://a.example.org", "http://10.0.0.1", "http://127.0.0.1.example"}) {
    EXPECT_NE(problem(url).find("is not https"), std::string::npos) << url;
    EXPECT_EQ(problem(url, "allow_plain_http = true\n").find("is not https"), std::string::npos);
  }
  EXPECT_NE(problem("https://a.example.org/?a").find("has a query"), std::string::npos);
  EXPECT_NE(problem("a.example.org").find("url = "), std::string::npos);
  EXPECT_EQ(parse_config("[forward]\nurl = \"https://a.example.org/relay\"\n", "test.toml", {})
                .config.forward_events_url,
            "https://a.example.org/relay/v1/events");
  EXPECT_NE(problem("https://a.example.org/v1/events").find("without it"), std::string::npos);
  const std::string longest = "https://a.example.org/" + std::string(2048 - 22 - 10, 'x');
  EXPECT_NE(problem(longest).find("token_file is missing"), std::string::npos);
  EXPECT_NE(problem(longest + 'x').find("too long"), std::string::npos);
}

TEST(Config, TakesATokenToForwardWithThatFitsAHeader) {
  const std::string path = testing::TempDir() + "forward.token";
  const auto problem_of = [&](const std::string& content) {
    std::ofstream{path} << content;
    return first_problem("[forward]\nurl = \"https://a.example.org\"\ntoken_file = \"" + path +
                         "\"\n");
  };
  EXPECT_EQ(problem_of("token\n"), "(none)");
  EXPECT_EQ(problem_of(std::string(4096, 'x') + "\r\n"), "(none)");
  EXPECT_NE(problem_of(std::string(4097, 'x')).find("too long for a token"), std::string::npos);
  EXPECT_NE(problem_of("two\nlines").find("on one line"), std::string::npos);
  EXPECT_NE(problem_of("").find("on one line"), std::string::npos);
}

TEST(Config, TakesACertificateToForwardWithOnlyWithItsKey) {
  for (const char* key : {"certificate_file", "key_file"}) {
    const ConfigResult read =
        parse_config("[forward]\n" + std::string{key} + " = \"/nowhere/file\"\n", "test.toml", {});
    ASSERT_EQ(read.problems.size(), 2u) << key;
    EXPECT_NE(read.problems[0].text.find("cannot be read"), std::string::npos);
    EXPECT_NE(read.problems[1].text.find("give both or neither"), std::string::npos);
  }
}

TEST(Config, SaysWhatBelongsToAUrlToForwardTo) {
  EXPECT_NE(first_problem("[forward]\nsources = [\"app/*\"]\n").find("url is missing"),
            std::string::npos);
  const std::string path = testing::TempDir() + "forward.token";
  std::ofstream{path} << "token";
  EXPECT_NE(first_problem("[forward]\ntoken_file = \"" + path + "\"\n").find("url is missing"),
            std::string::npos);
  EXPECT_EQ(first_problem("[forward]\nurl = \"\"\ntoken_file = \"" + path + "\"\n"), "(none)");
  EXPECT_EQ(first_problem("[forward]\nbatch_events_max = 5\n"), "(none)");
}

/// Nobody may ever write there: the reload would wait for it.
TEST(Config, TakesNoPipeForANamedFile) {
  const std::string pipe = testing::TempDir() + "config.fifo";
  std::filesystem::remove(pipe);
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const std::string named = " = \"" + pipe + "\"\n";
  for (const std::string& text :
       {"[forward]\ntoken_file" + named, "[forward]\nca_file" + named,
        "[forward]\ncertificate_file" + named, "[delivery]\nca_file" + named,
        "[[listener]]\naddress = \"127.0.0.1:1\"\n[listener.tls]\nkey" + named + "certificate" +
            named}) {
    EXPECT_NE(first_problem(text).find("it is not a file, but a pipe"), std::string::npos) << text;
  }
  std::filesystem::remove(pipe);
}

TEST(Config, SaysWhatAnOutdatedKeyDoesNotDoAnyMore) {
  EXPECT_EQ(parse_config("", "none", {}).config.outdated(), "");
  const ConfigResult result =
      parse_config("[delivery]\nhistory_deliveries_max = 1000000\n", "none", {});
  ASSERT_TRUE(result.problems.empty());
  const std::string text = result.config.outdated();
  EXPECT_NE(text.find("delivery.history_deliveries_max"), std::string::npos) << text;
  EXPECT_NE(text.find("journal.retention_age"), std::string::npos) << text;
}

TEST(Config, GivesOrganizationsAgesOfTheirOwn) {
  const ConfigResult result = parse_config(
      "[organizations.acme]\nretention_age = \"24h\"\n"
      "[organizations.\"b.example\"]\nretention_age = \"7d\"\n",
      "test.toml", {});
  ASSERT_TRUE(result.problems.empty()) << result.problems[0].to_text();
  EXPECT_EQ(result.config.organization_ages,
            (control::OrganizationAges{{"acme", std::chrono::hours{24}},
                                       {"b.example", std::chrono::hours{24 * 7}}}));
}

TEST(Config, RefusesAgesThatAnOrganizationCannotHave) {
  const std::string acme = "[organizations.acme]\n";
  const std::pair<std::string, std::string> cases[] = {
      {acme + "retention_age = \"8d\"\n",
       "test.toml:2:17: [organizations.acme] retention_age = 192h is longer than "
       "journal.retention_age = 168h"},
      {"[journal]\nretention_age = \"1h\"\n" + acme + "retention_age = \"2h\"\n",
       "test.toml:4:17: [organizations.acme] retention_age = 2h is longer than"},
      {acme, "test.toml:1:1: [organizations.acme] needs a retention_age"},
      {acme + "retention_age = \"0s\"\n",
       "test.toml:2:17: [organizations.acme] retention_age = 0s is outside"},
      {acme + "retention_age = 7\n",
       "test.toml:2:17: [organizations.acme] retention_age must be a number with a unit"},
      {acme + "retention_age = \"1h\"\nretention_bytes = 1\n",
       "test.toml:3:1: unknown key \"organizations.acme.retention_bytes\""},
      {"[organizations.Acme]\nretention_age = \"1h\"\n",
       "test.toml:1:1: [organizations] the name \"Acme\" must be of lower-case letters"},
      {"[organizations]\nretention_age = \"1h\"\n",
       "test.toml:2:17: [organizations] retention_age must be a table"},
      {"organizations = 1\n", "organizations must be a table"},
  };
  for (const auto& [toml, problem] : cases) {
    EXPECT_NE(first_problem(toml).find(problem), std::string::npos) << toml << first_problem(toml);
  }
  std::string many;
  for (int each = 0; each <= 1000; ++each) {
    many += "[organizations.o" + std::to_string(each) + "]\nretention_age = \"1h\"\n";
  }
  EXPECT_NE(first_problem(many).find("more than 1000"), std::string::npos);
}

TEST(Config, ListensOnLoopbackWithoutAFile) {
  const ConfigResult result = parse_config("", "none", {});
  ASSERT_TRUE(result.problems.empty());
  ASSERT_EQ(result.config.listeners.size(), 1u);
  EXPECT_EQ(result.config.listeners[0].address.to_text(), "127.0.0.1:8420");
}

TEST(Config, ReadsAPublicUrlAsSchemeAndAuthority) {
  struct Row {
    std::string url, read, host;
  };
  for (const Row& row :
       {Row{"https://Hooks.Example.com", "https://hooks.example.com", "hooks.example.com"},
        Row{"https://hooks.example.com:443/", "https://hooks.example.com", "hooks.example.com"},
        Row{"http://[::1]:8420", "http://[::1]:8420", "::1"}, Row{"", "", ""}}) {
    const ConfigResult result = parse_config("", "none", {"server.public_url=" + row.url});
    EXPECT_TRUE(result.problems.empty()) << row.url;
    EXPECT_EQ(result.config.public_url, row.read);
    EXPECT_EQ(result.config.public_host, row.host);
  }
  for (const char* wrong : {"hooks.example.com", "ftp://a.example", "https://a.example/relay",
                            "https://a.example/?a", "https://user@a.example", "https://a b"}) {
    EXPECT_NE(first_problem("", {std::string("server.public_url=") + wrong}).find("public_url"),
              std::string::npos)
        << wrong;
  }
}

TEST(Config, ReadsTheNamesThatTheRelayGoesBy) {
  const ConfigResult result =
      parse_config("", "none", {"server.hosts=[\"Relay.Example.org\", \"box\"]"});
  EXPECT_TRUE(result.problems.empty());
  EXPECT_EQ(result.config.hosts, (std::vector<std::string>{"relay.example.org", "box"}));
  for (const char* wrong :
       {"relay.example.org:8420", "https://relay.example.org", "", "a b", "*"}) {
    EXPECT_NE(first_problem("", {std::string("server.hosts=[\"") + wrong + "\"]"}).find("hosts: "),
              std::string::npos)
        << wrong;
  }
}

TEST(Config, ReadsSizesDurationsNetworksAndListeners) {
  const ConfigResult result = parse_config(R"([server]
shards = 2
webhook_ips = ["192.0.2.0/24", "2001:db8::/48"]
[ingest]
event_bytes_max = "2MiB"
idempotency_window = "90m"
[delivery]
allow_networks = ["10.0.0.0/8", "fd00::/8"]
[[listener]]
address = "[::1]:9000"
serves = ["events"]
[[listener]]
address = "unix:/run/ringpost/r.sock"
[[listener]]
address = "10.0.0.1:9100"
serves = ["metrics"]
[api]
streams_max = 5
streams_per_organization_max = 2
[metrics]
webhooks_max = 3
)",
                                           "test.toml", {});
  for (const ConfigProblem& problem : result.problems) ADD_FAILURE() << problem.to_text();
  EXPECT_EQ(result.config.shards, 2u);
  EXPECT_EQ(result.config.event_bytes_max, 2u << 20);
  EXPECT_EQ(result.config.idempotency_window, std::chrono::minutes{90});
  EXPECT_EQ(result.config.allow_networks.size(), 2u);
  EXPECT_EQ(result.config.webhook_ips, (std::vector<std::string>{"192.0.2.0/24", "2001:db8::/48"}));
  EXPECT_EQ(result.config.streams.count_max, 5u);
  EXPECT_EQ(result.config.streams.per_organization_max, 2u);
  EXPECT_EQ(result.config.metrics_webhooks_max, 3u);
  ASSERT_EQ(result.config.listeners.size(), 3u);
  EXPECT_EQ(result.config.listeners[0].serves, (Serves{true, false, false, false}));
  EXPECT_EQ(result.config.listeners[1].serves, (Serves{true, true, false, true}));
  EXPECT_EQ(result.config.listeners[2].serves, (Serves{false, false, true, false}));
}

TEST(Config, NamesThePlaceOfEachProblem) {
  EXPECT_EQ(
      first_problem("[ingest]\nevent_byte_max = 5\n"),
      "test.toml:2:1: unknown key \"ingest.event_byte_max\"; did you mean \"event_bytes_max\"?");
  EXPECT_TRUE(first_problem("[server]\nshards = \"two\"\n")
                  .starts_with("test.toml:2:10: [server] shards must be an integer, not a string"));
  EXPECT_TRUE(first_problem("[server]\nshards = 65\n").find("outside 0 to 64") !=
              std::string::npos);
  EXPECT_TRUE(first_problem("[server\n").starts_with("test.toml:1:"));
  EXPECT_TRUE(first_problem("[server]\nshards = 1\nshards = 2\n").starts_with("test.toml:3:"));
  EXPECT_TRUE(first_problem("[log]\nlevel = \"loud\"\n").find("known: debug") != std::string::npos);
  EXPECT_TRUE(first_problem("[server]\ndrain_max = 30\n").find("\"30s\"") != std::string::npos);
  EXPECT_TRUE(first_problem("[ingest]\nevent_bytes_max = \"1MB\"\n").find("\"64MiB\"") !=
              std::string::npos);
  EXPECT_NE(first_problem("[ingest]\nbodies_bytes_max = \"3MiB\"\n").find("outside 4MiB to 64GiB"),
            std::string::npos);
  EXPECT_NE(first_problem("[ingest]\nbodies_bytes_max = \"31MiB\"\n")
                .find("must be at least twice ingest.batch_bytes_max"),
            std::string::npos);
  EXPECT_EQ(
      parse_config("[ingest]\nbodies_bytes_max = \"32MiB\"\n", "t", {}).config.bodies_bytes_max,
      uint64_t{32} << 20);
  EXPECT_TRUE(first_problem("[delivery]\nallow_networks = [\"10.0.0.1/8\"]\n")
                  .ends_with("allow_networks: \"10.0.0.1/8\": has bits set after the first 8"));
  EXPECT_TRUE(first_problem("[ingest]\nevent_bytes_max = \"1MB\"\n").ends_with(", not \"1MB\""));
  EXPECT_TRUE(
      first_problem("[ingest]\nidempotency_window = \"1 day\"\n").ends_with(", not \"1 day\""));
  EXPECT_TRUE(first_problem("[ingest]\nidempotency_window = 24\n").ends_with(", not an integer"));
  EXPECT_TRUE(
      first_problem("[server]\nwebhook_ips = [\"everywhere\"]\n").starts_with("test.toml:2:"));
  EXPECT_TRUE(first_problem("[[listener]]\nserves = [\"events\"]\n").find("needs an address") !=
              std::string::npos);
  EXPECT_TRUE(first_problem("[listener]\naddress = \"127.0.0.1:1\"\n").find("two brackets") !=
              std::string::npos);
  EXPECT_TRUE(first_problem("[[listener]]\naddress = \"localhost:80\"\n").find("must be") !=
              std::string::npos);
  EXPECT_TRUE(first_problem("[[listener]]\naddress = \"127.0.0.1:80\"\n[listener.tls]\n"
                            "certificate = \"/nonexistent.crt\"\nkey = \"/nonexistent.key\"\n")
                  .find("/nonexistent.crt") != std::string::npos);
  EXPECT_TRUE(first_problem("[[listener]]\naddress = \"127.0.0.1:80\"\n[listener.tls]\n"
                            "certificate = \"/x.crt\"\n")
                  .find("both certificate and key") != std::string::npos);
}

/// RFC 7914's third vector: the password is `pleaseletmein`.
const std::string password =
    "scrypt$14$8$1$U29kaXVtQ2hsb3JpZGU=$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI=";

std::string user(const std::string& rest = "", const std::string& email = "ada@example.org") {
  return "[[user]]\nemail = \"" + email + "\"\npassword = \"" + password + "\"\n" + rest;
}

// A company's own CA for all receivers; what is wrong with its file shows at once.
TEST(Config, ReadsCertificatesForReceivers) {
  const auto problem_of = [](const std::string& content) {
    const std::string path = testing::TempDir() + "receivers-ca.pem";
    std::ofstream{path} << content;
    const ConfigResult read = load_config("", {"delivery.ca_file=" + path});
    return read.problems.empty() ? std::string{} : read.problems.front().text;
  };
  EXPECT_NE(problem_of("").find("PEM"), std::string::npos);
  EXPECT_NE(problem_of("no certificate\n").find("PEM"), std::string::npos);
  EXPECT_NE(
      problem_of("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").find("PEM"),
      std::string::npos);
  const ConfigResult absent = load_config("", {"delivery.ca_file=/nowhere/ca.pem"});
  ASSERT_EQ(absent.problems.size(), 1u);
  EXPECT_NE(absent.problems[0].text.find("/nowhere/ca.pem cannot be read: not found"),
            std::string::npos);
  EXPECT_TRUE(load_config("", {"delivery.ca_file="}).problems.empty());
}

TEST(Config, ReadsUsersAndTheKeyFile) {
  using enum subscription::Scope;
  const ConfigResult result =
      parse_config("[secrets]\nkey_file = \"/etc/ringpost/key\"\n" + user() +
                       user("organization = \"acme\"\nscopes = [\"webhooks:read\", \"admin\"]\n",
                            "Bob+ci@example.org"),
                   "test.toml", {});
  for (const ConfigProblem& problem : result.problems) ADD_FAILURE() << problem.to_text();
  EXPECT_EQ(result.config.key_file, "/etc/ringpost/key");
  ASSERT_EQ(result.config.users.size(), 2u);
  const UserConfig& first = result.config.users[0];
  EXPECT_EQ(first.email, "ada@example.org");
  EXPECT_EQ(first.organization, "default");
  EXPECT_EQ(first.scopes, 31) << "all but admin";
  EXPECT_TRUE(first.password.matches("pleaseletmein"));
  EXPECT_FALSE(first.password.matches("pleaseletmeout"));
  const UserConfig& second = result.config.users[1];
  EXPECT_EQ(second.organization, "acme");
  EXPECT_EQ(second.scopes, static_cast<uint8_t>(webhooks_read) | static_cast<uint8_t>(admin));
}

TEST(Config, NamesThePlaceOfEachProblemWithAUser) {
  const std::string good = user();
  const std::pair<std::string, std::string> bad[] = {
      {"[[user]]\npassword = \"" + password + "\"\n", "test.toml:1:1: [[user]] needs an email"},
      {"[[user]]\nemail = \"a@b\"\n", "test.toml:1:1: [[user]] needs a password"},
      {user("", "ada"), "test.toml:2:9: [user] email must have the form"},
      {user("", "@b"), "test.toml:2:9: [user] email must"},
      {user("", "a@"), "test.toml:2:9: [user] email must"},
      {user("", "a@b@c"), "test.toml:2:9: [user] email must"},
      {user("", "a b@c"), "test.toml:2:9: [user] email must"},
      {user("", std::string(254, 'a') + "@b"), "test.toml:2:9: [user] email is longer"},
      {good + user("", "ADA@example.org"), "test.toml:5:9: [user] email \"ADA@example.org\" is"},
      {user("organization = \"\"\n"), "test.toml:4:16: [user] organization is empty"},
      {user("scopes = [\"root\"]\n"),
       "test.toml:4:11: [user] scopes: \"root\" is unknown; known: "},
      {user("scopes = []\n"), "test.toml:4:10: [user] scopes must name at least one"},
      {user("scopes = \"admin\"\n"), "test.toml:4:10: [user] scopes must be an array"},
      {user("mail = 1\n"), "test.toml:4:1: unknown key \"user.mail\"; did you mean \"email\"?"},
      {"[user]\nemail = \"a@b\"\n", "test.toml:1:1: user must be written as [[user]]"},
      {"[secrets]\nkey_file = 3\n", "test.toml:2:12: [secrets] key_file must be a string"},
      {"[secrets]\nkey = \"x\"\n", "test.toml:2:1: unknown key \"secrets.key\""},
  };
  for (const auto& [toml, told] : bad) {
    EXPECT_TRUE(first_problem(toml).starts_with(told)) << first_problem(toml) << "\nnot " << told;
  }
}

std::string source(const std::string& directory, const std::string& rest = "") {
  return "[[source]]\ndirectory = \"" + directory + "\"\n" + rest;
}

TEST(Config, ReadsSources) {
  const ConfigResult result = parse_config(
      source("/var/spool/ringpost/") + source("/srv/drop", "organization = \"acme\"\n"),
      "test.toml", {});
  for (const ConfigProblem& problem : result.problems) ADD_FAILURE() << problem.to_text();
  const std::vector<SourceConfig> wanted{{"/var/spool/ringpost", "default"}, {"/srv/drop", "acme"}};
  EXPECT_EQ(result.config.sources, wanted);
}

TEST(Config, NamesThePlaceOfEachProblemWithASource) {
  const std::pair<std::string, std::string> bad[] = {
      {"[[source]]\n", "test.toml:1:1: [[source]] needs a directory"},
      {source(""), "test.toml:2:13: [source] directory = \"\" must be an absolute path"},
      {source("spool"), "test.toml:2:13: [source] directory = \"spool\" must be an absolute path"},
      {source("/a/b") + source("/a/./c/../b/"),
       "test.toml:4:13: [source] directory = \"/a/./c/../b\" is another [[source]]'s, too"},
      {source("/a", "organization = \"\"\n"), "test.toml:3:16: [source] organization is empty"},
      {source("/a", "directry = 1\n"),
       "test.toml:3:1: unknown key \"source.directry\"; did you mean \"directory\"?"},
      {"[source]\ndirectory = \"/a\"\n", "test.toml:1:1: source must be written as [[source]]"},
  };
  for (const auto& [toml, told] : bad) {
    EXPECT_TRUE(first_problem(toml).starts_with(told)) << first_problem(toml) << "\nnot " << told;
  }
}

TEST(Config, DoesNotRepeatWhatStandsForAPassword) {
  const std::string told =
      first_problem("[[user]]\nemail = \"a@b\"\npassword = \"correct horse\"\n");
  EXPECT_TRUE(
      told.starts_with("test.toml:3:12: [user] password is not what `ringpost hash-password`"))
      << told;
  EXPECT_EQ(told.find("horse"), std::string::npos);
}

TEST(Config, HasALimitOfUsers) {
  std::string toml;
  for (int i = 0; i <= 1000; ++i) toml += user("", "u" + std::to_string(i) + "@example.org");
  EXPECT_NE(first_problem(toml).find("more than 1000 [[user]] sections"), std::string::npos);
}

TEST(Config, FindsAllProblemsAtOnce) {
  const ConfigResult result =
      parse_config("[server]\nshards = -1\nfoo = 1\n[log]\njson = 3\n", "test.toml", {});
  EXPECT_EQ(result.problems.size(), 3u);
}

TEST(Config, TakesAssignmentsLastAndWithoutQuotes) {
  const ConfigResult result = parse_config("[log]\nlevel = \"error\"\n", "test.toml",
                                           {"log.level=debug", "ingest.event_bytes_max=2MiB",
                                            "delivery.allow_networks=[\"127.0.0.0/8\"]"});
  for (const ConfigProblem& problem : result.problems) ADD_FAILURE() << problem.to_text();
  EXPECT_EQ(result.config.log_level, "debug");
  EXPECT_EQ(result.config.event_bytes_max, 2u << 20);
  EXPECT_EQ(result.config.allow_networks.size(), 1u);
}

TEST(Config, ReadsTheEngine) {
  EXPECT_EQ(parse_config("", "", {}).config.engine, io::EngineChoice::automatic);
  for (const auto& [word, choice] : {std::pair{"auto", io::EngineChoice::automatic},
                                     std::pair{"io_uring", io::EngineChoice::io_uring},
                                     std::pair{"epoll", io::EngineChoice::epoll}}) {
    const ConfigResult result = parse_config("", "", {"server.engine=" + std::string(word)});
    EXPECT_TRUE(result.problems.empty()) << word;
    EXPECT_EQ(result.config.engine, choice) << word;
  }
  EXPECT_TRUE(first_problem("[server]\nengine = \"kqueue\"\n")
                  .starts_with("test.toml:2:10: [server] engine = \"kqueue\" is unknown; known: "
                               "auto, io_uring, epoll"));
  EXPECT_TRUE(first_problem("[server]\nengine = true\n").starts_with("test.toml:2:10: [server] "));
}

TEST(Config, NamesTheAssignmentThatIsWrong) {
  EXPECT_TRUE(first_problem("", {"shards=2"}).starts_with("--set shards=2"));
  EXPECT_TRUE(first_problem("", {"server.shards=many"}).starts_with("--set server.shards=many"));
  EXPECT_TRUE(first_problem("", {"foo.bar=1"})
                  .starts_with("--set foo.bar=1: unknown key \"foo\"; known here: "));
  EXPECT_EQ(first_problem("", {"log.levle=debug"}),
            "--set log.levle=debug: unknown key \"log.levle\"; did you mean \"level\"?");
  EXPECT_EQ(first_problem("", {"jornal.segment_bytes=1"}),
            "--set jornal.segment_bytes=1: unknown key \"jornal\"; did you mean \"journal\"?");
  EXPECT_EQ(first_problem("[log]\nlevel = \"debug\"\n", {"log.colour=true"}),
            "--set log.colour=true: unknown key \"log.colour\"; known here: json, level");
  EXPECT_TRUE(first_problem("", {"server.shard=2"}).find("did you mean \"shards\"") !=
              std::string::npos);
}

// Goal: what a component would not take is refused here, with its place, and never reaches it.
TEST(Config, RefusesWhatComponentsDoNotTake) {
  EXPECT_EQ(
      first_problem("[journal]\nsegment_bytes = 5000001\n"),
      "test.toml:2:17: [journal] segment_bytes = 5000001 is not a multiple of 4KiB; the nearest "
      "are 4997120 and 5001216");
  EXPECT_EQ(first_problem("[ingest]\nidempotency_window = \"0s\"\n"),
            "test.toml:2:22: [ingest] idempotency_window = 0s is outside 1s to 720h");
  EXPECT_EQ(
      first_problem("", {"ingest.idempotency_window=999ms"}),
      "--set ingest.idempotency_window=999ms: [ingest] idempotency_window = 999ms is outside 1s "
      "to 720h");
}

// Goal: a duration that does not fit into 64 bits of nanoseconds never passes for a short one.
TEST(Config, RefusesDurationsOfAnyLength) {
  for (const char* unit : {"ms", "s", "m", "h", "d"}) {
    for (std::string number = "1"; number.size() < 25; number += "0") {
      const std::string duration = number + unit;
      const ConfigResult result =
          parse_config("", "none", {"ingest.idempotency_window=" + duration});
      if (!result.problems.empty()) continue;
      EXPECT_GE(result.config.idempotency_window, std::chrono::seconds{1}) << duration;
      EXPECT_LE(number.size(), 10u) << duration;
    }
    EXPECT_NE(first_problem("", {"ingest.idempotency_window=99999999999" + std::string(unit)}),
              "(none)")
        << unit;
  }
}

// The verdict of the check is that of the start.
TEST(Config, RefusesTwoListenersOfWhichOneCannotBeOpened) {
  const auto problems = [](const std::string& one, const std::string& other) {
    const auto result = parse_config(
        "[[listener]]\naddress = \"" + one + "\"\n[[listener]]\naddress = \"" + other + "\"\n",
        "c.toml", {});
    return result.problems;
  };
  for (const auto& [one, other] :
       {std::pair{"127.0.0.1:8420", "127.0.0.1:8420"}, std::pair{"0.0.0.0:8420", "127.0.0.1:8420"},
        std::pair{"[::1]:8420", "[::]:8420"}, std::pair{"unix:/run/a", "unix:/run/./a"}}) {
    const auto found = problems(one, other);
    ASSERT_EQ(found.size(), 1u) << one << " " << other;
    EXPECT_EQ(found[0].line, 4u) << "the second is the one too many";
    EXPECT_NE(found[0].text.find("another listener"), std::string::npos) << found[0].text;
  }
  EXPECT_TRUE(problems("127.0.0.1:8420", "[::1]:8420").empty());
  EXPECT_TRUE(problems("127.0.0.1:0", "127.0.0.1:0").empty());
  const auto called = load_config({.listen = {"127.0.0.1:1", "0.0.0.0:1"}});
  ASSERT_EQ(called.problems.size(), 1u);
  EXPECT_EQ(
      called.problems[0].to_text(),
      "--listen 0.0.0.0:1: it cannot be opened beside 127.0.0.1:1 of another listener: one of "
      "the two includes the other");
}

// Goal: what the start would refuse for what this machine is, the check refuses, and names it.
TEST(Config, CheckFindsWhatTheStartWouldMiss) {
  char name[] = "/tmp/ringpost-check-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const std::string place = name;
  std::ofstream(place + "/file") << "";
  io::PosixDisk disk;
  const auto problems = [&](const std::vector<std::string>& listen, const std::string& data_dir,
                            const std::vector<std::string>& assignments = {}) {
    const ServeCall call{.assignments = assignments, .data_dir = data_dir, .listen = listen};
    std::string text;
    for (const ConfigProblem& problem : check_config(disk, call).problems) {
      text += problem.to_text() + "\n";
    }
    return text;
  };
  const std::string data = place + "/data";
  EXPECT_EQ(problems({"127.0.0.1:1", "unix:" + place + "/socket"}, data), "");
  const std::pair<std::string, std::string> wrong[] = {
      {"[::ffff:127.0.0.1]:8420", "write an IPv4 address as one"},
      {"192.0.2.1:8420", "no such address"},
      {"[2001:db8::1]:8420", "no such address"},
      {"unix:" + place + "/missing/socket", "directory does not exist"},
      {"unix:" + place + "/file/socket", "directory"},
      {"unix:" + place + "/file", "not a socket"},
  };
  for (const auto& [address, why] : wrong) {
    EXPECT_NE(problems({"127.0.0.1:8420", address}, data).find(why), std::string::npos)
        << address << ": " << problems({address}, data);
  }
  EXPECT_NE(problems({}, place + "/missing/data").find("make it first"), std::string::npos);
  EXPECT_NE(problems({}, place + "/file").find("is not a directory"), std::string::npos);
  for (const char* key_file : {"/missing/key", "/file/key"}) {
    EXPECT_NE(problems({}, data, {"secrets.key_file=" + place + key_file}), "") << key_file;
  }
  EXPECT_FALSE(std::filesystem::exists(data)) << "the check makes nothing";
  std::filesystem::remove_all(place);
}

TEST(Config, ListenersServeSomething) {
  EXPECT_NE(first_problem("[[listener]]\naddress = \"127.0.0.1:1\"\nserves = []\n")
                .find("serves must name"),
            std::string::npos);
}

TEST(Config, AConsoleNeedsItsApi) {
  const std::string listener = "[[listener]]\naddress = \"127.0.0.1:1\"\nserves = ";
  EXPECT_NE(first_problem(listener + "[\"console\"]\n").find("needs \"api\" beside it"),
            std::string::npos);
  EXPECT_EQ(first_problem(listener + "[\"api\", \"console\"]\n"), "(none)");
  EXPECT_NE(first_problem(listener + "[\"pages\"]\n").find("events, api, console, metrics"),
            std::string::npos);
}

}  // namespace
}  // namespace ringpost::server
