#include "control/store/store.h"

#include "crypto/hex.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace ringpost::control {
namespace {

using subscription::Token;
using subscription::Webhook;
using subscription::WebhookState;

class Directory {
 public:
  Directory() {
    std::string name = std::filesystem::temp_directory_path() / "ringpost-store-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name = "control.db") const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// The key of every store here that does not say otherwise.
const Keyring& keyring() {
  static const Keyring ring = Keyring{}.with_new_key();
  return ring;
}

StoreOptions with_key() {
  return {.keyring = keyring()};
}

std::unique_ptr<Store> open_or_fail(const std::string& path,
                                    const StoreOptions& options = with_key()) {
  StoreOpenResult opened = Store::open(path, options);
  EXPECT_NE(opened.store, nullptr) << opened.problem;
  return std::move(opened.store);
}

/// Another program's hands on the file.
void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  char* message = nullptr;
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << message;
  sqlite3_close(database);
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Ulid ulid(uint8_t last) {
  Ulid id;
  id.bytes[0] = 1;
  id.bytes[15] = last;
  return id;
}

Webhook full_webhook() {
  Webhook webhook;
  webhook.id = ulid(1);
  webhook.dialect = "bitrise";
  webhook.description = std::string("line\nwith \"quotes\", a NUL \0 and \xE6\x97\xA5", 35);
  webhook.organization = "acme";
  webhook.destination = {.url = "http://[::1]:8080/in?a=b",
                         .tls = false,
                         .host = "::1",
                         .port = 8080,
                         .target = "/in?a=b"};
  webhook.sources = {"app/x", "app/*", "caf\xC3\xA9", "a\"b\\c"};
  webhook.events = {"build/*"};
  webhook.headers = {{"X-Team", "mobile"}, {"X-Team", "again"}, {"X-Empty", ""}};
  webhook.secret = std::string("any bytes \0\xFF\x01", 13);
  webhook.tls_verify = false;
  webhook.tls_ca = "-----BEGIN CERTIFICATE-----\n";
  webhook.schedule_s = {0, 5, UINT32_MAX};
  webhook.timeout_ms = 1;
  webhook.concurrency_max = UINT32_MAX;
  webhook.state = WebhookState::broken;
  webhook.state_reason = "410";
  webhook.created_at = from_unix_ns(1'893'456'000'123'456'789);
  webhook.updated_at = from_unix_ns(-1);
  webhook.filter = {.branches = "main !x*",
                    .teams = {"t\"1", "t2"},
                    .clusters = {"c"},
                    .data = R"({"path":"a","in":[1e300,"x\\u0000y"]})"};
  webhook.previous_secret = "old";
  webhook.previous_secret_until = from_unix_ns(5);
  webhook.settings = "{\"token_mode\":\"signature\"}";
  webhook.rate_per_second = 7;
  return webhook;
}

void expect_equal(const Webhook& left, const Webhook& right) {
  EXPECT_EQ(left.number, right.number);
  EXPECT_EQ(left.id, right.id);
  EXPECT_EQ(left.dialect, right.dialect);
  EXPECT_EQ(left.description, right.description);
  EXPECT_EQ(left.organization, right.organization);
  EXPECT_EQ(left.destination.url, right.destination.url);
  EXPECT_EQ(left.destination.tls, right.destination.tls);
  EXPECT_EQ(left.destination.host, right.destination.host);
  EXPECT_EQ(left.destination.port, right.destination.port);
  EXPECT_EQ(left.destination.target, right.destination.target);
  EXPECT_EQ(left.sources, right.sources);
  EXPECT_EQ(left.events, right.events);
  EXPECT_EQ(left.headers, right.headers);
  EXPECT_EQ(left.secret, right.secret);
  EXPECT_EQ(left.tls_verify, right.tls_verify);
  EXPECT_EQ(left.tls_ca, right.tls_ca);
  EXPECT_EQ(left.filter, right.filter);
  EXPECT_EQ(left.previous_secret, right.previous_secret);
  EXPECT_EQ(left.previous_secret_until, right.previous_secret_until);
  EXPECT_EQ(left.settings, right.settings);
  EXPECT_EQ(left.rate_per_second, right.rate_per_second);
  EXPECT_EQ(left.schedule_s, right.schedule_s);
  EXPECT_EQ(left.timeout_ms, right.timeout_ms);
  EXPECT_EQ(left.concurrency_max, right.concurrency_max);
  EXPECT_EQ(left.state, right.state);
  EXPECT_EQ(left.state_reason, right.state_reason);
  EXPECT_EQ(left.created_at, right.created_at);
  EXPECT_EQ(left.updated_at, right.updated_at);
}

struct Loaded {
  std::vector<Webhook> webhooks;
  std::vector<Token> tokens;
  Result<void> result;

  explicit Loaded(Store& store)
      : result(store.load([this](Webhook&& one) { webhooks.push_back(std::move(one)); },
                          [this](Token&& one) { tokens.push_back(std::move(one)); })) {}
};

Webhook insert_plain(Store& store, uint8_t id) {
  Webhook webhook;
  webhook.id = ulid(id);
  const auto inserted = store.insert_webhook(webhook);
  EXPECT_TRUE(inserted) << store.last_problem();
  return webhook;
}

TEST(Store, GivesBackEveryFieldAfterAReopen) {
  const Directory directory;
  Webhook full = full_webhook();
  Webhook plain;
  plain.id = ulid(2);
  plain.sources.clear();
  plain.events.clear();
  {
    const auto store = open_or_fail(directory.file());
    ASSERT_TRUE(store->insert_webhook(full)) << store->last_problem();
    ASSERT_TRUE(store->insert_webhook(plain)) << store->last_problem();
  }
  EXPECT_EQ(full.number, 1u);
  EXPECT_EQ(plain.number, 2u);
  const auto store = open_or_fail(directory.file(), {.keyring = keyring(), .quick_check = true});
  const Loaded loaded(*store);
  ASSERT_TRUE(loaded.result) << store->last_problem();
  ASSERT_EQ(loaded.webhooks.size(), 2u);
  expect_equal(loaded.webhooks[0], full);
  expect_equal(loaded.webhooks[1], plain);
}

TEST(Store, UpdateReplacesEveryField) {
  const auto store = open_or_fail(":memory:");
  const Webhook old = insert_plain(*store, 9);
  Webhook changed = full_webhook();
  changed.number = old.number;
  ASSERT_TRUE(store->update_webhook(changed)) << store->last_problem();
  const Loaded loaded(*store);
  ASSERT_EQ(loaded.webhooks.size(), 1u);
  expect_equal(loaded.webhooks[0], changed);
}

TEST(Store, SaysNotFoundForNumbersThatAreNotThere) {
  const auto store = open_or_fail(":memory:");
  Webhook webhook = insert_plain(*store, 1);
  ASSERT_TRUE(store->delete_webhook(webhook.number));
  EXPECT_EQ(store->delete_webhook(webhook.number).error().code, Errc::not_found);
  EXPECT_EQ(store->update_webhook(webhook).error().code, Errc::not_found);
  EXPECT_EQ(store->delete_token(1).error().code, Errc::not_found);
  EXPECT_EQ(store->last_problem(), "there is no token 1");
}

TEST(Store, NeverGivesANumberTwiceEvenAfterAReopen) {
  const Directory directory;
  uint32_t last = 0;
  for (uint8_t round = 1; round <= 3; ++round) {
    const auto store = open_or_fail(directory.file());
    const Webhook webhook = insert_plain(*store, round);
    EXPECT_GT(webhook.number, last);
    last = webhook.number;
    ASSERT_TRUE(store->delete_webhook(webhook.number));
  }
}

TEST(Store, RefusesNumbersBeyond32Bits) {
  const Directory directory;
  {
    const auto store = open_or_fail(directory.file());
    insert_plain(*store, 1);
  }
  run_sql(directory.file(), "UPDATE sqlite_sequence SET seq = 4294967294 WHERE name = 'webhook'");
  const auto store = open_or_fail(directory.file());
  EXPECT_EQ(insert_plain(*store, 2).number, UINT32_MAX);
  Webhook over;
  over.id = ulid(3);
  EXPECT_EQ(store->insert_webhook(over).error().code, Errc::conflict);
  EXPECT_EQ(over.number, 0u);
}

TEST(Store, RefusesASecondWebhookOfOneId) {
  const auto store = open_or_fail(":memory:");
  insert_plain(*store, 1);
  Webhook again;
  again.id = ulid(1);
  EXPECT_EQ(store->insert_webhook(again).error().code, Errc::conflict);
  EXPECT_NE(store->last_problem().find("webhook.id"), std::string_view::npos);
  insert_plain(*store, 2);  // The statement is whole again after the error.
}

// Goal: nothing is stored that would come back as something else, or that the table cannot take.
TEST(Store, RefusesWhatItCouldNotGiveBack) {
  const auto store = open_or_fail(":memory:");
  std::vector<Webhook> bad(6);
  bad[0].sources = {"bad\xFF"};
  bad[1].sources = {"a/b/*"};
  bad[2].events = {std::string(257, 'e')};
  bad[3].headers = {{"X-Name", "\xFF"}};
  bad[4].organization = "";
  bad[5].organization = std::string(129, 'o');
  for (Webhook& webhook : bad) {
    EXPECT_EQ(store->insert_webhook(webhook).error().code, Errc::malformed);
    EXPECT_FALSE(store->last_problem().empty());
  }
  EXPECT_TRUE(Loaded(*store).webhooks.empty());
}

TEST(Store, KeepsTokens) {
  const Directory directory;
  Token token;
  token.id = ulid(1);
  token.name = "ci";
  token.organization = "acme";
  token.scopes = 0xFF;
  token.sha256.fill(0xAB);
  token.created_at = from_unix_ns(17);
  {
    const auto store = open_or_fail(directory.file());
    ASSERT_TRUE(store->insert_token(token)) << store->last_problem();
    Token twin = token;
    twin.id = ulid(2);
    EXPECT_EQ(store->insert_token(twin).error().code, Errc::conflict) << "one hash, one token";
  }
  const auto store = open_or_fail(directory.file());
  const Loaded loaded(*store);
  ASSERT_EQ(loaded.tokens.size(), 1u);
  const Token& found = loaded.tokens[0];
  EXPECT_EQ(found.number, token.number);
  EXPECT_EQ(found.id, token.id);
  EXPECT_EQ(found.name, "ci");
  EXPECT_EQ(found.organization, "acme");
  EXPECT_EQ(found.scopes, 0xFF);
  EXPECT_EQ(found.sha256, token.sha256);
  EXPECT_EQ(found.created_at, token.created_at);
  ASSERT_TRUE(store->delete_token(token.number));
  EXPECT_TRUE(Loaded(*store).tokens.empty());
}

subscription::GitSource git_source(uint8_t id) {
  subscription::GitSource source;
  source.id = ulid(id);
  source.organization = "acme";
  source.host = subscription::GitHost::bitbucket_server;
  source.description = "all of \"acme\"";
  source.path_token = "t0ken";
  source.secret = "a-secret-of-sixteen";
  source.previous_secret = "the one before it";
  source.previous_secret_until = from_unix_ns(18);
  source.enabled = false;
  source.created_at = from_unix_ns(16);
  source.updated_at = from_unix_ns(17);
  return source;
}

std::vector<subscription::GitSource> git_sources_of(Store& store) {
  std::vector<subscription::GitSource> sources;
  const auto loaded = store.load_git_sources(
      [&](subscription::GitSource&& source) { sources.push_back(std::move(source)); });
  EXPECT_TRUE(loaded) << store.last_problem();
  return sources;
}

TEST(Store, KeepsRepositoriesAndGaps) {
  const Directory directory;
  GitLink link{.source = 3,
               .source_id = ulid(1),
               .url = "https://github.com/acme/shop",
               .token = "t0ken",
               .hook = "{9f}",
               .secret_pending = true,
               .registered_at = from_unix_ns(11),
               .result = "made webhook {9f}",
               .failed = true,
               .result_at = from_unix_ns(12),
               .log_number = "77",
               .log_read_at = from_unix_ns(13)};
  const GitGap gap{.source = 3,
                   .delivery = "d1",
                   .number = "76",
                   .event = "push",
                   .at = from_unix_ns(14),
                   .status = 502,
                   .state = GapState::asked,
                   .asks = 2,
                   .asked_at = from_unix_ns(15),
                   .found_at = from_unix_ns(16),
                   .detail = "why"};
  {
    const auto store = open_or_fail(directory.file());
    ASSERT_TRUE(store->git_links().put(link)) << store->last_problem();
    link.log_number = "78";
    ASSERT_TRUE(store->git_links().put(link)) << store->last_problem();
    for (const auto state : {GapState::open, GapState::asked}) {
      GitGap put = gap;
      put.state = state;
      ASSERT_TRUE(store->git_links().put_gap(put)) << store->last_problem();
    }
    GitGap other = gap;
    other.source = 4;
    ASSERT_TRUE(store->git_links().put_gap(other));
  }
  const auto store = open_or_fail(directory.file());
  std::vector<GitLink> links;
  std::vector<GitGap> gaps;
  ASSERT_TRUE(store->git_links().load([&](GitLink&& each) { links.push_back(std::move(each)); }));
  ASSERT_TRUE(
      store->git_links().load_gaps([&](GitGap&& each) { gaps.push_back(std::move(each)); }));
  ASSERT_EQ(links.size(), 1u);
  EXPECT_EQ(links[0].source_id, link.source_id);
  EXPECT_EQ(links[0].url, link.url);
  EXPECT_EQ(links[0].token, link.token);
  EXPECT_EQ(links[0].hook, link.hook);
  EXPECT_TRUE(links[0].secret_pending && links[0].failed);
  EXPECT_EQ(links[0].registered_at, link.registered_at);
  EXPECT_EQ(links[0].result, link.result);
  EXPECT_EQ(links[0].result_at, link.result_at);
  EXPECT_EQ(links[0].log_number, "78");
  EXPECT_EQ(links[0].log_read_at, link.log_read_at);
  ASSERT_EQ(gaps.size(), 2u);
  EXPECT_EQ(gaps[0].delivery, "d1");
  EXPECT_EQ(gaps[0].number, "76");
  EXPECT_EQ(gaps[0].event, "push");
  EXPECT_EQ(gaps[0].at, gap.at);
  EXPECT_EQ(gaps[0].status, 502);
  EXPECT_EQ(gaps[0].state, GapState::asked);
  EXPECT_EQ(gaps[0].asks, 2u);
  EXPECT_EQ(gaps[0].asked_at, gap.asked_at);
  EXPECT_EQ(gaps[0].found_at, gap.found_at);
  EXPECT_EQ(gaps[0].detail, "why");
  ASSERT_TRUE(store->git_links().remove(3));  // And its gaps, but no other's.
  links.clear();
  gaps.clear();
  ASSERT_TRUE(store->git_links().load([&](GitLink&& each) { links.push_back(std::move(each)); }));
  ASSERT_TRUE(
      store->git_links().load_gaps([&](GitGap&& each) { gaps.push_back(std::move(each)); }));
  EXPECT_TRUE(links.empty());
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].source, 4u);
}

TEST(Store, KeepsUsers) {
  const Directory directory;
  User ann{.id = Ulid{{1}},
           .organization = "acme",
           .name = "ann",
           .scopes = 34,
           .sources = {"app/*"},
           .password = "scrypt$of ann",
           .enabled = false,
           .created_at = from_unix_ns(7),
           .updated_at = from_unix_ns(8)};
  User bob = ann;
  bob.id = Ulid{{2}};
  bob.name = "bob";
  {
    const auto store = open_or_fail(directory.file());
    ASSERT_TRUE(store->users().insert(ann)) << store->last_problem();
    User twin = ann;
    twin.id = Ulid{{3}};
    EXPECT_FALSE(store->users().insert(twin)) << "a name twice";
    ASSERT_TRUE(store->users().insert(bob)) << store->last_problem();
    ann.password = "scrypt$another";
    ASSERT_TRUE(store->users().update(ann)) << store->last_problem();
    ASSERT_TRUE(store->users().remove(bob.number)) << store->last_problem();
  }
  const auto store = open_or_fail(directory.file());
  std::vector<User> users;
  ASSERT_TRUE(store->users().load([&](User&& user) { users.push_back(std::move(user)); }));
  ASSERT_EQ(users.size(), 1u);
  EXPECT_EQ(users[0].number, ann.number);
  EXPECT_EQ(users[0].id, ann.id);
  EXPECT_EQ(users[0].organization, "acme");
  EXPECT_EQ(users[0].name, "ann");
  EXPECT_EQ(users[0].scopes, 34);
  EXPECT_EQ(users[0].sources, std::vector<std::string>{"app/*"});
  EXPECT_EQ(users[0].password, "scrypt$another");
  EXPECT_FALSE(users[0].enabled);
  EXPECT_EQ(users[0].created_at, ann.created_at);
  EXPECT_EQ(users[0].updated_at, ann.updated_at);
}

TEST(Store, KeepsGitSources) {
  const Directory directory;
  subscription::GitSource source = git_source(1);
  {
    const auto store = open_or_fail(directory.file());
    ASSERT_TRUE(store->insert_git_source(source)) << store->last_problem();
    subscription::GitSource twin = source;
    EXPECT_EQ(store->insert_git_source(twin).error().code, Errc::conflict) << "one id, one source";
    subscription::GitSource bad = git_source(2);
    bad.secret = "short";
    EXPECT_EQ(store->insert_git_source(bad).error().code, Errc::malformed);
  }
  const auto store = open_or_fail(directory.file());
  auto found = git_sources_of(*store);
  ASSERT_EQ(found.size(), 1u);
  const subscription::GitSource& kept = found[0];
  EXPECT_EQ(kept.number, source.number);
  EXPECT_EQ(kept.id, source.id);
  EXPECT_EQ(kept.organization, "acme");
  EXPECT_EQ(kept.host, subscription::GitHost::bitbucket_server);
  EXPECT_EQ(kept.description, source.description);
  EXPECT_EQ(kept.path_token, "t0ken");
  EXPECT_EQ(kept.secret, source.secret);
  EXPECT_EQ(kept.previous_secret, source.previous_secret);
  EXPECT_EQ(kept.previous_secret_until, from_unix_ns(18));
  EXPECT_FALSE(kept.enabled);
  EXPECT_EQ(kept.created_at, from_unix_ns(16));
  EXPECT_EQ(kept.updated_at, from_unix_ns(17));
  EXPECT_NE(kept.sha256, (std::array<uint8_t, 32>{})) << "of the path's token";

  source.enabled = true;
  source.secret = "another-secret-here";
  ASSERT_TRUE(store->update_git_source(source)) << store->last_problem();
  found = git_sources_of(*store);
  EXPECT_TRUE(found.at(0).enabled);
  EXPECT_EQ(found.at(0).secret, source.secret);
  ASSERT_TRUE(store->delete_git_source(source.number));
  EXPECT_EQ(store->delete_git_source(source.number).error().code, Errc::not_found);
  EXPECT_EQ(store->update_git_source(source).error().code, Errc::not_found);
  EXPECT_TRUE(git_sources_of(*store).empty());
}

TEST(Store, NamesTheGitSourceThatCannotBeUsed) {
  const std::pair<const char*, const char*> rows[] = {{"host = 'sourceforge'", "host"},
                                                      {"id = 'x'", "id"},
                                                      {"enabled = 2", "enabled"},
                                                      {"secret = x'00'", "secret"},
                                                      {"path_token = secret", "path_token"},
                                                      {"organization = ''", "organization"}};
  for (const auto& [change, column] : rows) {
    const Directory directory;
    {
      const auto store = open_or_fail(directory.file());
      subscription::GitSource source = git_source(1);
      ASSERT_TRUE(store->insert_git_source(source)) << store->last_problem();
    }
    run_sql(directory.file(), "UPDATE git_source SET " + std::string{change});
    const auto store = open_or_fail(directory.file());
    EXPECT_EQ(store->load_git_sources([](subscription::GitSource&&) {}).error().code,
              Errc::corrupt);
    EXPECT_NE(store->last_problem().find("git source 1: "), std::string::npos);
    EXPECT_NE(store->last_problem().find(column), std::string::npos) << store->last_problem();
  }
}

TEST(Store, KeepsATokensSourcesAndExpiry) {
  const Directory directory;
  Token token;
  token.id = ulid(1);
  token.sources = {"app/*", "caf\xC3\xA9", "a\"b"};
  token.expires_at = from_unix_ns(1'893'456'000'123'456'789);
  {
    const auto store = open_or_fail(directory.file());
    ASSERT_TRUE(store->insert_token(token)) << store->last_problem();
    Token bad;
    bad.sources = {"*x"};
    EXPECT_EQ(store->insert_token(bad).error().code, Errc::malformed);
    bad.sources.clear();
    bad.organization = " ";
    EXPECT_EQ(store->insert_token(bad).error().code, Errc::malformed);
  }
  const Loaded loaded(*open_or_fail(directory.file()));
  ASSERT_EQ(loaded.tokens.size(), 1u);
  EXPECT_EQ(loaded.tokens[0].sources, token.sources);
  EXPECT_EQ(loaded.tokens[0].expires_at, token.expires_at);
}

TEST(Store, KeepsFactsByName) {
  const Directory directory;
  {
    const auto store = open_or_fail(directory.file());
    EXPECT_EQ(*store->meta("directory_id"), std::nullopt);
    ASSERT_TRUE(store->set_meta("directory_id", "one"));
    ASSERT_TRUE(store->set_meta("directory_id", "two"));
    ASSERT_TRUE(store->set_meta("empty", ""));
  }
  const auto store = open_or_fail(directory.file());
  EXPECT_EQ(*store->meta("directory_id"), "two");
  EXPECT_EQ(*store->meta("empty"), "");
}

TEST(Store, ATransactionIsAllOrNothing) {
  const auto store = open_or_fail(":memory:");
  const auto failed = store->transaction([&]() -> Result<void> {
    insert_plain(*store, 1);
    return store->delete_webhook(77);
  });
  EXPECT_EQ(failed.error().code, Errc::not_found);
  EXPECT_EQ(store->last_problem(), "there is no webhook 77") << "the first error is told";
  EXPECT_TRUE(Loaded(*store).webhooks.empty());
  ASSERT_TRUE(store->transaction([&]() -> Result<void> {
    insert_plain(*store, 1);
    insert_plain(*store, 2);
    return {};
  }));
  EXPECT_EQ(Loaded(*store).webhooks.size(), 2u);
}

TEST(Store, FilesAreForTheirOwnerOnly) {
  const Directory directory;
  const mode_t old_mask = ::umask(0);
  const auto mode_of = [&](const std::string& suffix) {
    struct stat status {};
    EXPECT_EQ(::stat((directory.file() + suffix).c_str(), &status), 0) << suffix;
    return status.st_mode & 0777;
  };
  {
    const auto store = open_or_fail(directory.file());
    insert_plain(*store, 1);
    for (const char* suffix : {"", "-wal", "-shm"}) EXPECT_EQ(mode_of(suffix), 0600u) << suffix;
  }
  ::chmod(directory.file().c_str(), 0644);
  {
    const auto store = open_or_fail(directory.file());
    insert_plain(*store, 2);
    for (const char* suffix : {"", "-wal", "-shm"}) EXPECT_EQ(mode_of(suffix), 0600u) << suffix;
  }
  ::umask(old_mask);
}

TEST(Store, LeavesTheFileOfANewerRingpostAsItIs) {
  const Directory directory;
  {
    const auto store = open_or_fail(directory.file());
    insert_plain(*store, 1);
  }
  run_sql(directory.file(), "PRAGMA user_version = 99");
  const std::string before = bytes_of(directory.file());
  const StoreOpenResult opened = Store::open(directory.file(), with_key());
  EXPECT_EQ(opened.store, nullptr);
  EXPECT_EQ(opened.error.code, Errc::unsupported);
  EXPECT_NE(opened.problem.find("schema version 99"), std::string::npos) << opened.problem;
  EXPECT_NE(opened.problem.find(directory.file()), std::string::npos) << opened.problem;
  EXPECT_EQ(bytes_of(directory.file()), before);
}

TEST(Store, LeavesOtherFilesAsTheyAre) {
  const Directory directory;
  run_sql(directory.file("foreign.db"), "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
  run_sql(directory.file("versioned.db"), "PRAGMA user_version = 1");
  run_sql(directory.file("owned.db"), "PRAGMA application_id = 77; CREATE TABLE t (a)");
  std::ofstream(directory.file("text.db")) << std::string(5000, 'x');
  for (const char* name : {"foreign.db", "versioned.db", "owned.db", "text.db"}) {
    const std::string before = bytes_of(directory.file(name));
    const StoreOpenResult opened = Store::open(directory.file(name), with_key());
    EXPECT_EQ(opened.store, nullptr) << name;
    EXPECT_FALSE(opened.problem.empty()) << name;
    EXPECT_EQ(bytes_of(directory.file(name)), before) << name;
  }
}

TEST(Store, TakesAnEmptyFileAsNew) {
  const Directory directory;
  std::ofstream(directory.file()).close();  // A crash between making the file and the first commit.
  insert_plain(*open_or_fail(directory.file()), 1);
}

TEST(Store, SaysWhyItCannotOpen) {
  const Directory directory;
  EXPECT_EQ(Store::open(directory.file("none/control.db"), with_key()).error.code, Errc::not_found);
  std::filesystem::create_directory(directory.file("folder"));
  EXPECT_NE(Store::open(directory.file("folder"), with_key()).problem, "");
  std::filesystem::create_symlink(directory.file("elsewhere"), directory.file("link"));
  EXPECT_EQ(Store::open(directory.file("link"), with_key()).store, nullptr);
  EXPECT_FALSE(std::filesystem::exists(directory.file("elsewhere")));
}

// Goal: a damaged row stops the load and is named; it is never skipped and never half read.
// Method: each change another program or a flipped bit could make, and the words that must be told.
TEST(Store, NamesTheRowThatCannotBeUsed) {
  const std::pair<const char*, const char*> damages[] = {
      {"id = 'not a ulid'", "'id'"},
      {"dialect = 'klingon'", "'dialect'"},
      {"tls = 2", "'tls'"},
      {"port = 65536", "'port'"},
      {"port = -1", "'port'"},
      {"sources = '[\"a\"'", "'sources'"},
      {"sources = '{}'", "'sources'"},
      {"sources = '[1]'", "'sources'"},
      {"sources = ''", "'sources'"},
      {"sources = '[\"a/b/*\"]'", "a source is not a kind"},
      {"events = 'null'", "'events'"},
      {"headers = x''", "'headers' cannot be opened"},
      {"headers = secret", "'headers' cannot be opened"},
      {"secret = (SELECT secret FROM webhook WHERE number = 1)", "'secret' cannot be opened"},
      {"secret = CAST(x'01' || zeroblob(8) || substr(secret, 10) AS BLOB)",
       "which the key file does not have"},
      {"schedule = '[-1]'", "'schedule'"},
      {"schedule = '[4294967296]'", "'schedule'"},
      {"schedule = '[1.5]'", "'schedule'"},
      {"timeout_ms = 4294967296", "'timeout_ms'"},
      {"concurrency_max = -1", "'concurrency_max'"},
      {"state = ''", "'state'"},
      {"organization = ''", "organization is empty"},
  };
  for (const auto& [damage, told] : damages) {
    const Directory directory;
    {
      const auto store = open_or_fail(directory.file());
      insert_plain(*store, 1);
      insert_plain(*store, 2);
    }
    run_sql(directory.file(), std::string("UPDATE webhook SET ") + damage + " WHERE number = 2");
    const auto store = open_or_fail(directory.file());
    const Loaded loaded(*store);
    ASSERT_FALSE(loaded.result) << damage;
    EXPECT_EQ(loaded.result.error().code, Errc::corrupt);
    EXPECT_NE(store->last_problem().find("webhook 2: "), std::string_view::npos) << damage;
    EXPECT_NE(store->last_problem().find(told), std::string_view::npos) << store->last_problem();
  }
}

// Goal: lists that are whole as sealed values and wrong inside are named, too.
TEST(Store, NamesTheRowWhoseSealedListCannotBeUsed) {
  for (const char* json : {R"([["one"]])", R"([["a","b","c"]])", R"(["ab"])", "", "null"}) {
    const Directory directory;
    insert_plain(*open_or_fail(directory.file()), 1);
    const std::string id = ulid(1).to_text();
    const std::string sealed =
        Sealer(keyring()).seal({.table = "webhook", .column = "headers", .row = id}, json);
    run_sql(directory.file(),
            "UPDATE webhook SET headers = x'" + crypto::hex_encode(as_bytes(sealed)) + "'");
    const auto store = open_or_fail(directory.file());
    ASSERT_FALSE(Loaded(*store).result) << json;
    EXPECT_EQ(store->last_problem(), "webhook 1: column 'headers' contains an invalid value");
  }
}

TEST(Store, NamesTheTokenThatCannotBeUsed) {
  for (const char* damage : {"id = 'x'", "scopes = 256", "scopes = -1", "sources = '{}'",
                             "sources = '[\"*x\"]'", "organization = ''"}) {
    const Directory directory;
    {
      Token token;
      token.id = ulid(1);
      ASSERT_TRUE(open_or_fail(directory.file())->insert_token(token));
    }
    run_sql(directory.file(), std::string("UPDATE token SET ") + damage);
    const auto store = open_or_fail(directory.file());
    const Loaded loaded(*store);
    ASSERT_FALSE(loaded.result) << damage;
    EXPECT_NE(store->last_problem().find("token 1: "), std::string_view::npos) << damage;
  }
}

// Goal: a file with overwritten pages is never taken for a smaller, healthy one.
TEST(Store, NoticesOverwrittenPages) {
  const Directory directory;
  {
    const auto store = open_or_fail(directory.file());
    for (uint8_t id = 1; id < 200; ++id) insert_plain(*store, id);
  }
  {
    std::fstream file(directory.file(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(8 * 4096);
    file << std::string(16 * 4096, '\x5A');
  }
  const StoreOpenResult opened =
      Store::open(directory.file(), {.keyring = keyring(), .quick_check = true});
  EXPECT_EQ(opened.store, nullptr);
  EXPECT_EQ(opened.error.code, Errc::corrupt) << opened.problem;
}

TEST(Store, SaysLockedWhileAnotherProcessWrites) {
  const Directory directory;
  const auto store = open_or_fail(directory.file(), {.keyring = keyring(), .busy_timeout_ms = 1});
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(directory.file().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  Webhook webhook;
  webhook.id = ulid(1);
  EXPECT_EQ(store->insert_webhook(webhook).error().code, Errc::locked);
  EXPECT_EQ(store->transaction([] { return Result<void>{}; }).error().code, Errc::locked);
  sqlite3_close(other);
  EXPECT_TRUE(store->insert_webhook(webhook)) << store->last_problem();
}

// Goal: a disk that refuses is an error with a reason, nothing of the change stays, and the store
// works again when there is room.
// Method: the process's limit of file size stands for the full disk.
TEST(Store, RecoversAfterTheDiskRefused) {
  const Directory directory;
  const auto store = open_or_fail(directory.file());
  insert_plain(*store, 1);
  rlimit old_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = old_limit;
  limit.rlim_cur = std::filesystem::file_size(directory.file() + "-wal");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  Webhook refused;
  refused.id = ulid(2);
  const auto result = store->insert_webhook(refused);
  const std::string problem{store->last_problem()};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().side, Side::disk);
  EXPECT_FALSE(problem.empty());
  EXPECT_EQ(Loaded(*store).webhooks.size(), 1u);
  EXPECT_TRUE(store->insert_webhook(refused)) << store->last_problem();
  EXPECT_EQ(Loaded(*store).webhooks.size(), 2u);
}

// Goal: what insert_webhook reported is there after kill -9, and its number is not given again.
// Method: a child inserts and deletes as fast as it can and tells each success over a pipe; it is
// killed in the middle, several times over one file.
TEST(Store, KeepsEveryReportedChangeAfterAKill) {
  const Directory directory;
  open_or_fail(directory.file());
  uint32_t highest = 0;
  std::vector<uint32_t> expected;
  for (int cycle = 0; cycle < 5; ++cycle) {
    int channel[2];
    ASSERT_EQ(::pipe(channel), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      StoreOpenResult opened = Store::open(directory.file(), with_key());
      for (uint64_t count = 0; opened.store != nullptr; ++count) {
        Webhook webhook;
        webhook.id.bytes[0] = static_cast<uint8_t>(cycle);
        std::memcpy(&webhook.id.bytes[1], &count, sizeof count);
        if (!opened.store->insert_webhook(webhook)) break;
        if (::write(channel[1], &webhook.number, sizeof webhook.number) < 0) break;
      }
      ::_exit(1);
    }
    ::close(channel[1]);
    uint32_t number = 0;
    while (::read(channel[0], &number, sizeof number) == sizeof number) {
      EXPECT_GT(number, highest);
      highest = number;
      expected.push_back(number);
      if (expected.size() == static_cast<size_t>(cycle + 1) * 30) ::kill(child, SIGKILL);
    }
    ::close(channel[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the child failed by itself";
    const auto store = open_or_fail(directory.file(), {.keyring = keyring(), .quick_check = true});
    const Loaded loaded(*store);
    std::vector<uint32_t> found;
    for (const Webhook& webhook : loaded.webhooks) found.push_back(webhook.number);
    EXPECT_TRUE(std::includes(found.begin(), found.end(), expected.begin(), expected.end()));
    expected = found;  // One more may have been durable before the child could tell.
    if (!found.empty()) highest = found.back();
  }
}

}  // namespace
}  // namespace ringpost::control
