// Goal: every key of the configuration is known to take a reload or to wait for a restart, the
// example says the same to people, and no new value is lost between the two.

#include "server/config_keys.h"

#include "net/test_certificates.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace ringpost::server {
namespace {

using Takes = ConfigKey::Takes;

/// Files that keys name, until the program ends.
class Files {
 public:
  Files() {
    std::string name = std::filesystem::temp_directory_path() / "ringpost-keys-XXXXXX";
    place_ = ::mkdtemp(name.data());
    const auto identity = ringpost::testing::TestAuthority{}.issue({.dns_names = {"sidecar"}});
    write("headers", "x-api-key: hush");
    for (const char* which : {"", "2"}) {
      write(std::string{"token"} + which, "a-token");
      write(std::string{"certificate"} + which, identity.certificate_pem);
      write(std::string{"key"} + which, identity.key_pem);
    }
  }
  ~Files() { std::filesystem::remove_all(place_); }
  std::string operator()(const std::string& name) const { return place_ / name; }

 private:
  void write(const std::string& name, const std::string& content) const {
    std::ofstream{place_ / name} << content;
  }

  std::filesystem::path place_;
};
const Files files;

/// Keys that need each other.
const std::vector<std::string> needed = {"forward.url=https://a.example.org",
                                         "forward.token_file=" + files("token"),
                                         "forward.certificate_file=" + files("certificate"),
                                         "forward.key_file=" + files("key"),
                                         "tracing.certificate_file=" + files("certificate"),
                                         "tracing.key_file=" + files("key")};

/// A value for each key that is not its default, nor among `needed`, as `--set` takes it.
const std::map<std::string, std::string> other_values = {
    {"forward.url", "https://b.example.org"},
    {"forward.token_file", files("token2")},
    {"forward.ca_file", files("certificate")},
    {"forward.certificate_file", files("certificate2")},
    {"forward.key_file", files("key2")},
    {"forward.allow_plain_http", "true"},
    {"forward.sources", "[\"app/*\"]"},
    {"forward.events", "[\"build/*\"]"},
    {"forward.batch_events_max", "9"},
    {"forward.batch_bytes_max", "2MiB"},
    {"forward.idempotency_window", "9s"},
    {"tracing.endpoint", "https://c.example.org"},
    {"tracing.sample_ratio", "0.5"},
    {"tracing.headers_file", files("headers")},
    {"tracing.ca_file", files("certificate")},
    {"tracing.certificate_file", files("certificate2")},
    {"tracing.key_file", files("key2")},
    {"tracing.allow_plain_http", "true"},
    {"tracing.timeout", "9s"},
    {"tracing.service_name", "ci"},
    {"tracing.attributes", "[\"a=b\"]"},
    {"server.shards", "3"},
    {"server.engine", "epoll"},
    {"server.memory_max", "1GiB"},
    {"server.data_dir", "/elsewhere"},
    {"server.drain_max", "31s"},
    {"server.public_url", "https://hooks.example.org"},
    {"server.hosts", "[\"relay.example.org\"]"},
    {"server.webhook_ips", "[\"192.0.2.0/24\"]"},
    {"ingest.event_bytes_max", "2MiB"},
    {"ingest.batch_bytes_max", "17MiB"},
    {"ingest.batch_events_max", "9"},
    {"ingest.connections_max", "9"},
    {"ingest.bodies_bytes_max", "64MiB"},
    {"ingest.idempotency_window", "1h"},
    {"incoming.gap_interval", "90s"},
    {"incoming.redeliveries_per_minute", "3"},
    {"ingest.connections_per_address_max", "20"},
    {"ingest.idempotency_entries_max", "2048"},
    {"journal.segment_bytes", "128MiB"},
    {"journal.retention_age", "1h"},
    {"journal.retention_bytes", "1GiB"},
    {"journal.accept_loss", "true"},
    {"journal.accept_network_disk", "true"},
    {"journal.outcome_delay", "\"9ms\""},
    {"journal.history_memory_max", "9MiB"},
    {"delivery.allow_own_addresses", "true"},
    {"delivery.ca_file", "/etc/ssl/certs/ca-certificates.crt"},
    {"delivery.pending_max", "9"},
    {"delivery.attempts_in_flight_max", "9"},
    {"delivery.connections_per_endpoint_max", "9"},
    {"delivery.circuit_failures", "9"},
    {"delivery.circuit_pause_max", "\"9s\""},
    {"delivery.idle_max", "9s"},
    {"delivery.allow_networks", "[\"10.0.0.0/8\"]"},
    {"delivery.deny_networks", "[\"10.0.0.0/8\"]"},
    {"delivery.plain_http_networks", "[\"10.0.0.0/8\"]"},
    {"secrets.key_file", "/elsewhere.key"},
    {"api.streams_max", "3"},
    {"api.streams_per_organization_max", "3"},
    {"metrics.webhooks_max", "3"},
    {"log.level", "debug"},
    {"log.json", "true"},
};

Config with(const std::vector<std::string>& assignments, std::string_view toml = {}) {
  const ConfigResult result = parse_config(toml, "test.toml", assignments);
  for (const ConfigProblem& problem : result.problems) ADD_FAILURE() << problem.to_text();
  return result.config;
}

Config with_address(const std::string& address) {
  return with({}, "[[listener]]\naddress = \"" + address + "\"\n");
}

/// The example's keys, and whether the comment above each says that it waits.
std::map<std::string, Takes> example_keys() {
  std::map<std::string, Takes> keys;
  std::istringstream lines{std::string{example_config()}};
  std::string section;
  std::string comment;
  bool comment_ended = false;  // One may stand above several keys.
  for (std::string line; std::getline(lines, line);) {
    const bool is_named = line.starts_with("# [organizations.");
    if (line.starts_with("#") && !line.starts_with("# [[") && !is_named) {
      comment = comment_ended ? line : comment + line;
      comment_ended = false;
      continue;
    }
    const bool waits = comment.find("(restart)") != std::string::npos;
    const Takes takes = waits ? Takes::restart : Takes::reload;
    const size_t equals = line.find(" = ");
    if (line.starts_with("# [[")) keys[line.substr(4, line.find(']') - 4)] = takes;
    if (is_named) keys["organizations"] = takes;
    if (line.starts_with("[")) section = line.substr(1, line.find(']') - 1);
    if (equals != std::string::npos) keys[section + "." + line.substr(0, equals)] = takes;
    comment_ended = true;
  }
  return keys;
}

TEST(ConfigKeys, AreAllThatTheExampleHasAndWaitAsItSays) {
  std::map<std::string, Takes> table;
  for (const ConfigKey& key : config_keys()) {
    EXPECT_TRUE(table.emplace(key.name, key.takes).second) << key.name << " stands twice";
  }
  table.erase("listener.tls");  // The example's text says it of the listener.
  EXPECT_EQ(example_keys(), table);
}

TEST(ConfigKeys, AreShownAsTheFileWritesThem) {
  std::vector<std::string> assignments;
  for (const auto& [name, value] : other_values) assignments.push_back(name + "=" + value);
  std::map<std::string, control::ConfigValue> shown;
  for (const auto& value : values_of(with(assignments))) shown[value.key] = value;
  EXPECT_EQ(shown.size(), config_keys().size());
  for (const auto& [name, value] : other_values) {
    std::string plain = value;
    std::erase_if(plain, [](char byte) { return byte == '"' || byte == '[' || byte == ']'; });
    EXPECT_EQ(shown[name].value, plain) << name;
    EXPECT_TRUE(shown[name].given) << name;
  }
  EXPECT_TRUE(shown["log.level"].takes_reload);
  EXPECT_FALSE(shown["log.json"].takes_reload);
  for (const auto& value : values_of(with({}))) EXPECT_FALSE(value.given) << value.key;
}

TEST(ConfigKeys, ShowNoSecret) {
  const std::string hash =
      "scrypt$14$8$1$U29kaXVtQ2hsb3JpZGU=$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI=";
  Config config = with_address("127.0.0.1:8420");
  std::string why;
  const auto password = crypto::PasswordHash::parse(hash, why);
  if (password) config.users.push_back({.email = "ada@example.org", .password = *password});
  ASSERT_TRUE(password) << why;
  std::map<std::string, std::string> shown;
  for (const auto& value : values_of(config)) shown[value.key] = value.value;
  EXPECT_EQ(shown["user"], "ada@example.org of default, password *****");
  EXPECT_EQ(shown["listener"], "127.0.0.1:8420 serves events, api, console");
}

TEST(ConfigChange, TakesEachKeyOrNamesItAsWaiting) {
  for (const ConfigKey& key : config_keys()) {
    const std::string name{key.name};
    if (name == "user" || name == "source" || name == "organizations") continue;
    if (name.starts_with("listener")) continue;
    ASSERT_TRUE(other_values.contains(name)) << name;
    std::vector<std::string> assignments = needed;
    assignments.push_back(name + "=" + other_values.at(name));
    const Config read = with(assignments);
    const ConfigChange change = change_of(Config{with(needed)}, read);
    const std::vector<std::string> one{name};
    const bool taken = key.takes == Takes::reload;
    EXPECT_EQ(change.changed, taken ? one : std::vector<std::string>{}) << name;
    EXPECT_EQ(change.needs_restart, taken ? std::vector<std::string>{} : one) << name;
    EXPECT_EQ(key.same(change.config, read), taken) << name;
  }
}

TEST(ConfigChange, LetsSourcesWaitForARestart) {
  const std::string toml = "[[source]]\ndirectory = \"/var/spool/ringpost\"\n";
  const ConfigChange change = change_of(with({}), with({}, toml));
  EXPECT_EQ(change.needs_restart, std::vector<std::string>{"source"});
  EXPECT_TRUE(change.config.sources.empty());
  EXPECT_TRUE(change_of(with({}, toml), with({}, toml)).needs_restart.empty());
}

TEST(ConfigChange, SeesTheAgeOfAnOrganization) {
  const auto acme = [](const std::string& age) {
    return with({}, "[organizations.acme]\nretention_age = \"" + age + "\"\n");
  };
  EXPECT_TRUE(change_of(acme("1h"), acme("1h")).changed.empty());
  for (const Config& read : {acme("2h"), with({})}) {
    const ConfigChange change = change_of(acme("1h"), read);
    EXPECT_EQ(change.changed, std::vector<std::string>{"organizations"});
    EXPECT_EQ(change.config.organization_ages, read.organization_ages);
  }
  std::map<std::string, std::string> shown;
  for (const auto& value : values_of(acme("90s"))) shown[value.key] = value.value;
  EXPECT_EQ(shown["organizations"], "acme 90s");
}

TEST(ConfigChange, IsNothingWhereNothingChanged) {
  const ConfigChange change = change_of(with({}), with({}));
  EXPECT_TRUE(change.changed.empty());
  EXPECT_TRUE(change.needs_restart.empty());
}

TEST(ConfigChange, NamesWhatWaitsUntilTheFileSaysAsItRuns) {
  const Config running = with({});
  const ConfigChange first = change_of(running, with({"server.shards=3"}));
  const ConfigChange second = change_of(first.config, with({"server.shards=3"}));
  EXPECT_EQ(second.needs_restart, std::vector<std::string>{"server.shards"});
  EXPECT_TRUE(change_of(second.config, with({})).needs_restart.empty());
}

TEST(ConfigChange, TakesNoEventThatTheSegmentsOfNowDoNotHold) {
  const Config running = with({"journal.segment_bytes=4MiB"});
  const ConfigChange change =
      change_of(running, with({"journal.segment_bytes=64MiB", "ingest.event_bytes_max=2MiB"}));
  EXPECT_EQ(change.config.event_bytes_max, 1u << 20);
  EXPECT_EQ(change.needs_restart,
            (std::vector<std::string>{"journal.segment_bytes", "ingest.event_bytes_max"}));
  EXPECT_TRUE(change.changed.empty());
}

TEST(ConfigChange, SeesEachMemberOfAUser) {
  const std::string hash =
      "scrypt$14$8$1$U29kaXVtQ2hsb3JpZGU=$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI=";
  const auto user = [&](const std::string& email, const std::string& more = {}) {
    return with({}, "[[user]]\nemail = \"" + email + "\"\npassword = \"" + hash + "\"\n" + more);
  };
  const Config running = user("a@example.org");
  EXPECT_TRUE(change_of(running, user("a@example.org")).changed.empty());
  for (const Config& read :
       {user("b@example.org"), user("a@example.org", "organization = \"other\"\n"),
        user("a@example.org", "scopes = [\"events:write\"]\n"), with({})}) {
    EXPECT_EQ(change_of(running, read).changed, std::vector<std::string>{"user"});
  }
}

TEST(ConfigChange, KeepsTheListenersThatThereAre) {
  const ConfigChange change =
      change_of(with_address("127.0.0.1:8420"), with_address("127.0.0.1:8421"));
  EXPECT_EQ(change.needs_restart, std::vector<std::string>{"listener"});
  EXPECT_EQ(change.config.listeners[0].address.to_text(), "127.0.0.1:8420");
  Config closed = with_address("127.0.0.1:8420");
  closed.listeners[0].serves.api = false;
  EXPECT_EQ(change_of(with_address("127.0.0.1:8420"), closed).needs_restart,
            std::vector<std::string>{"listener"});
}

}  // namespace
}  // namespace ringpost::server
