#include "control/store/store.h"
#include "crypto/random.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

// Goal: no secret lies readable in any file of the store, at no time; the store opens with its own
// keys only and is left as it is by others.

namespace ringpost::control {
namespace {

using subscription::Webhook;

class Directory {
 public:
  Directory() {
    std::string name = std::filesystem::temp_directory_path() / "ringpost-sealed-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string file() const { return path_ / "control.db"; }

  /// Every file's bytes, by name.
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      std::ifstream file(entry.path(), std::ios::binary);
      files[entry.path().filename()] = {std::istreambuf_iterator<char>(file), {}};
    }
    return files;
  }

  /// The files in which `text` can be read.
  std::vector<std::string> files_with(const std::string& text) const {
    std::vector<std::string> found;
    for (const auto& [name, bytes] : contents()) {
      if (bytes.find(text) != std::string::npos) found.push_back(name);
    }
    return found;
  }

 private:
  std::filesystem::path path_;
};

/// What must not be found anywhere: known and unlike anything else.
std::string random_secret() {
  return crypto::token("whsec_", 24);
}

Webhook webhook_with(uint8_t last, const std::string& secret, const std::string& header) {
  Webhook webhook;
  webhook.id.bytes[15] = last;
  webhook.secret = secret;
  webhook.headers = {{"Authorization", "Bearer " + header}};
  return webhook;
}

std::unique_ptr<Store> open_or_fail(const Directory& directory, const Keyring& keyring) {
  StoreOpenResult opened = Store::open(directory.file(), {.keyring = keyring});
  EXPECT_NE(opened.store, nullptr) << opened.problem;
  return std::move(opened.store);
}

subscription::GitSource git_source_with(const std::string& path_token, const std::string& secret,
                                        const std::string& previous) {
  subscription::GitSource source;
  source.organization = "default";
  source.path_token = path_token;
  source.secret = secret;
  source.previous_secret = previous;
  return source;
}

std::vector<subscription::GitSource> git_sources_of(Store& store) {
  std::vector<subscription::GitSource> sources;
  const auto loaded = store.load_git_sources(
      [&](subscription::GitSource&& source) { sources.push_back(std::move(source)); });
  EXPECT_TRUE(loaded) << store.last_problem();
  return sources;
}

std::vector<Webhook> webhooks_of(Store& store) {
  std::vector<Webhook> webhooks;
  const auto loaded = store.load([&](Webhook&& one) { webhooks.push_back(std::move(one)); },
                                 [](subscription::Token&&) {});
  EXPECT_TRUE(loaded) << store.last_problem();
  return webhooks;
}

void run_sql(const std::string& path, const std::string& sql, bool keep_log = false) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  if (keep_log) {
    sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }
  char* message = nullptr;
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << message;
  sqlite3_close(database);
}

TEST(SealedStore, HoldsNoSecretInAnyFileWhateverIsDone) {
  const Directory directory;
  const Keyring keyring = Keyring{}.with_new_key();
  std::vector<std::string> secrets;
  const auto expect_none = [&](const char* after) {
    for (const std::string& secret : secrets) {
      EXPECT_TRUE(directory.files_with(secret).empty()) << after;
    }
  };
  const auto fresh = [&] {
    secrets.push_back(random_secret());
    return secrets.back();
  };
  {
    const auto store = open_or_fail(directory, keyring);
    Webhook webhook = webhook_with(1, fresh(), fresh());
    webhook.description = "can be read";
    ASSERT_TRUE(store->insert_webhook(webhook)) << store->last_problem();
    EXPECT_FALSE(directory.files_with("can be read").empty()) << "the search finds nothing at all";
    expect_none("insert");
    webhook.secret = fresh();
    webhook.headers[0].second = fresh();
    ASSERT_TRUE(store->update_webhook(webhook)) << store->last_problem();
    expect_none("update");
    auto source = git_source_with(fresh(), fresh(), fresh());
    ASSERT_TRUE(store->insert_git_source(source)) << store->last_problem();
    expect_none("a git source");
    GitLink link;
    link.source = source.number;
    link.source_id = source.id;
    link.token = fresh();
    ASSERT_TRUE(store->git_links().put(link)) << store->last_problem();
    expect_none("the repository of a git source");
    User user{.organization = "default", .name = "ann", .password = fresh()};
    ASSERT_TRUE(store->users().insert(user)) << store->last_problem();
    expect_none("a user");
  }
  expect_none("close");
  const auto store = open_or_fail(directory, keyring);
  const auto webhooks = webhooks_of(*store);
  ASSERT_EQ(webhooks.size(), 1u);
  EXPECT_EQ(webhooks[0].secret, secrets[2]);
  EXPECT_EQ(webhooks[0].headers[0].second, secrets[3]);
  ASSERT_TRUE(store->delete_webhook(1));
  expect_none("delete");
}

/// A file as schema version 1 wrote it, with everything that may lie about: rows, free pages of
/// deleted and replaced rows, and a write-ahead log that was not copied back.
class VersionOne {
 public:
  VersionOne() {
    run_sql(directory.file(), schema() + "PRAGMA secure_delete = OFF; PRAGMA journal_mode = WAL;" +
                                  insert(1, live[0], live[1]) + insert(2, "", "") +
                                  insert(3, gone[0], gone[1]) + "INSERT INTO token VALUES (1, '" +
                                  Ulid{}.to_text() + "', 'n', 'default', 3, zeroblob(32), 9);");
    run_sql(directory.file(),
            "PRAGMA secure_delete = OFF; DELETE FROM webhook WHERE number = 3;"
            "UPDATE webhook SET secret = CAST('" +
                in_log + "' AS BLOB) WHERE number = 2",
            true);
  }

  Directory directory;
  const std::string live[2]{random_secret(), random_secret()};
  const std::string gone[2]{random_secret(), random_secret()};
  const std::string in_log = random_secret();

  std::vector<std::string> all() const { return {live[0], live[1], gone[0], gone[1], in_log}; }

 private:
  static std::string schema() {
    return R"sql(PRAGMA application_id = 1381004148; PRAGMA user_version = 1;
CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE webhook (
  number INTEGER PRIMARY KEY AUTOINCREMENT CHECK (number BETWEEN 1 AND 4294967295),
  id TEXT NOT NULL UNIQUE, dialect TEXT NOT NULL, description TEXT NOT NULL,
  organization TEXT NOT NULL, url TEXT NOT NULL, tls INTEGER NOT NULL, host TEXT NOT NULL,
  port INTEGER NOT NULL, target TEXT NOT NULL, sources TEXT NOT NULL, events TEXT NOT NULL,
  headers TEXT NOT NULL, secret BLOB NOT NULL, tls_verify INTEGER NOT NULL, tls_ca TEXT NOT NULL,
  schedule TEXT NOT NULL, timeout_ms INTEGER NOT NULL, concurrency_max INTEGER NOT NULL,
  state TEXT NOT NULL, state_reason TEXT NOT NULL, created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL) STRICT;
CREATE TABLE token (
  number INTEGER PRIMARY KEY AUTOINCREMENT CHECK (number BETWEEN 1 AND 4294967295),
  id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, organization TEXT NOT NULL,
  scopes INTEGER NOT NULL, sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
  created_at INTEGER NOT NULL) STRICT;)sql";
  }

  static std::string insert(uint8_t number, const std::string& secret, const std::string& header) {
    Ulid id;
    id.bytes[15] = number;
    const std::string headers = header.empty() ? "[]" : R"([["X-Key",")" + header + R"("]])";
    return "INSERT INTO webhook VALUES (" + std::to_string(number) + ", '" + id.to_text() +
           "', 'bitrise', 'd', 'default', 'https://h/', 1, 'h', 443, '/', '[\"*\"]', '[\"*\"]', '" +
           headers + "', CAST('" + secret +
           "' AS BLOB), 1, '', '[5]', 30000, 64, 'active', '', 7, 8);";
  }
};

TEST(SealedStore, SealsWhatTheFirstVersionKeptReadableAndLeavesNothing) {
  const VersionOne old;
  for (const std::string& secret : old.all()) {
    ASSERT_FALSE(old.directory.files_with(secret).empty()) << "there is nothing to clean away";
  }
  const Keyring keyring = Keyring{}.with_new_key();
  const auto store = open_or_fail(old.directory, keyring);
  for (const std::string& secret : old.all()) {
    EXPECT_TRUE(old.directory.files_with(secret).empty()) << old.directory.files_with(secret)[0];
  }
  const auto webhooks = webhooks_of(*store);
  ASSERT_EQ(webhooks.size(), 2u);
  EXPECT_EQ(webhooks[0].secret, old.live[0]);
  ASSERT_EQ(webhooks[0].headers.size(), 1u);
  EXPECT_EQ(webhooks[0].headers[0].second, old.live[1]);
  EXPECT_EQ(webhooks[0].schedule_s, std::vector<uint32_t>{5});
  EXPECT_EQ(webhooks[1].secret, old.in_log);
  EXPECT_TRUE(webhooks[1].headers.empty());
  EXPECT_TRUE(webhooks[0].settings.empty());
  EXPECT_TRUE(webhooks[0].previous_secret.empty());
  EXPECT_TRUE(webhooks[0].filter.empty());
  std::vector<subscription::Token> tokens;
  ASSERT_TRUE(store->load(
      [](Webhook&&) {}, [&](subscription::Token&& token) { tokens.push_back(std::move(token)); }));
  ASSERT_EQ(tokens.size(), 1u);
  EXPECT_TRUE(tokens[0].sources.empty());
  EXPECT_FALSE(tokens[0].expires_at);
  EXPECT_TRUE(store->audit().list({.organization = "default", .limit = 1}));
  Webhook next = webhook_with(9, "", "");
  ASSERT_TRUE(store->insert_webhook(next)) << store->last_problem();
  EXPECT_EQ(next.number, 4u) << "the numbers of deleted webhooks stay used";
}

// Goal: a crash between the migration and the end of its cleaning leaves nothing for ever.
// Method: the note that stands in the file until then.
TEST(SealedStore, CleansAtTheNextOpenWhatACrashLeft) {
  const Directory directory;
  const Keyring keyring = Keyring{}.with_new_key();
  open_or_fail(directory, keyring);
  run_sql(directory.file(),
          "PRAGMA secure_delete = OFF; CREATE TABLE x (a); INSERT INTO x VALUES ('left behind');"
          "DROP TABLE x; INSERT INTO meta VALUES ('scrub_due', '1')");
  ASSERT_FALSE(directory.files_with("left behind").empty()) << "there has to be something to clean";
  const auto store = open_or_fail(directory, keyring);
  EXPECT_TRUE(directory.files_with("left behind").empty());
  EXPECT_EQ(*store->meta("scrub_due"), std::nullopt);
}

TEST(SealedStore, RefusesAWrongKeyAndChangesNothing) {
  for (const bool has_webhook : {false, true}) {
    const Directory directory;
    const Keyring keyring = Keyring{}.with_new_key();
    {
      const auto store = open_or_fail(directory, keyring);
      Webhook webhook = webhook_with(1, "secret", "header");
      if (has_webhook) {
        ASSERT_TRUE(store->insert_webhook(webhook));
      }
    }
    const auto before = directory.contents();
    const StoreOpenResult opened =
        Store::open(directory.file(), {.keyring = Keyring{}.with_new_key()});
    EXPECT_EQ(opened.store, nullptr);
    EXPECT_EQ(opened.error.code, Errc::unauthenticated);
    EXPECT_NE(opened.problem.find("wrong key: the secrets in it are encrypted with key " +
                                  to_text(keyring.keys()[0].id)),
              std::string::npos)
        << opened.problem;
    EXPECT_EQ(directory.contents().at("control.db"), before.at("control.db"));
    EXPECT_EQ(webhooks_of(*open_or_fail(directory, keyring)).size(), has_webhook ? 1u : 0u);
  }
}

TEST(SealedStore, TellsAChangedKeyAndADamagedCheckApart) {
  const Directory directory;
  std::string why;
  const auto one = Keyring::parse("0123456789abcdef " + std::string(43, 'A') + "=", why);
  const auto other = Keyring::parse("0123456789abcdef B" + std::string(42, 'A') + "=", why);
  open_or_fail(directory, *one);
  StoreOpenResult opened = Store::open(directory.file(), {.keyring = *other});
  EXPECT_EQ(opened.error.code, Errc::unauthenticated);
  EXPECT_NE(opened.problem.find("wrong key"), std::string::npos) << opened.problem;
  for (const char* damage : {"UPDATE meta SET value = 'x' WHERE name = 'key_check'",
                             "DELETE FROM meta WHERE name = 'key_check'"}) {
    run_sql(directory.file(), damage);
    opened = Store::open(directory.file(), {.keyring = *one});
    EXPECT_EQ(opened.error.code, Errc::corrupt) << damage;
    EXPECT_NE(opened.problem.find("damaged"), std::string::npos) << opened.problem;
  }
}

TEST(SealedStore, TakesNoEmptyRing) {
  EXPECT_EQ(Store::open(":memory:", {}).error.code, Errc::malformed);
}

TEST(SealedStore, KnowsWhetherAFileIsSealed) {
  std::string problem;
  const Directory directory;
  EXPECT_EQ(*Store::is_sealed(directory.file(), problem), false) << "no file";
  EXPECT_TRUE(directory.contents().empty());
  std::ofstream(directory.file()).close();
  EXPECT_EQ(*Store::is_sealed(directory.file(), problem), false) << "an empty one";
  open_or_fail(directory, Keyring{}.with_new_key());
  EXPECT_EQ(*Store::is_sealed(directory.file(), problem), true);
  const VersionOne old;
  EXPECT_EQ(*Store::is_sealed(old.directory.file(), problem), false);
  EXPECT_FALSE(old.directory.files_with(old.live[0]).empty()) << "nothing is changed";
  run_sql(directory.file(), "PRAGMA user_version = 99");
  EXPECT_EQ(Store::is_sealed(directory.file(), problem).error().code, Errc::unsupported);
  EXPECT_NE(problem.find("99"), std::string::npos) << problem;
}

TEST(SealedStore, ResealsEverythingSoThatTheNewKeyIsEnough) {
  const Directory directory;
  const Keyring old = Keyring{}.with_new_key();
  const Keyring both = old.with_new_key();
  {
    const auto store = open_or_fail(directory, old);
    for (uint8_t id = 1; id <= 20; ++id) {
      Webhook webhook = webhook_with(id, "secret " + std::to_string(id), "header");
      ASSERT_TRUE(store->insert_webhook(webhook));
    }
    ASSERT_TRUE(store->delete_webhook(7));
    auto source = git_source_with("t0ken", "a-secret-of-sixteen", "the-one-before-it");
    ASSERT_TRUE(store->insert_git_source(source)) << store->last_problem();
    GitLink link;
    link.source = source.number;
    link.source_id = source.id;
    link.token = "a-token-of-the-host";
    ASSERT_TRUE(store->git_links().put(link)) << store->last_problem();
    User user{.organization = "default", .name = "ann", .password = "a hash"};
    ASSERT_TRUE(store->users().insert(user)) << store->last_problem();
    ASSERT_TRUE(store->reseal(both)) << store->last_problem();
    EXPECT_TRUE(directory.files_with(std::string{as_text(old.keys()[0].id)}).empty())
        << "a value of the old key is left";
    Webhook later = webhook_with(21, "secret 21", "header");
    ASSERT_TRUE(store->insert_webhook(later));
  }
  EXPECT_EQ(Store::open(directory.file(), {.keyring = old}).error.code, Errc::unauthenticated);
  const auto store = open_or_fail(directory, both.first_only());
  const auto sources = git_sources_of(*store);
  ASSERT_EQ(sources.size(), 1u);
  EXPECT_EQ(sources[0].path_token, "t0ken");
  EXPECT_EQ(sources[0].secret, "a-secret-of-sixteen");
  EXPECT_EQ(sources[0].previous_secret, "the-one-before-it");
  std::string token;
  EXPECT_TRUE(store->git_links().load([&](GitLink&& link) { token = link.token; }));
  EXPECT_EQ(token, "a-token-of-the-host");
  std::string password;
  EXPECT_TRUE(store->users().load([&](User&& user) { password = user.password; }));
  EXPECT_EQ(password, "a hash");
  const auto webhooks = webhooks_of(*store);
  ASSERT_EQ(webhooks.size(), 20u);
  for (const Webhook& webhook : webhooks) {
    EXPECT_EQ(webhook.secret, "secret " + std::to_string(webhook.number));
    EXPECT_EQ(webhook.headers[0].second, "Bearer header");
  }
}

TEST(SealedStore, ResealsNothingIfOneValueCannotBeOpened) {
  const Directory directory;
  const Keyring old = Keyring{}.with_new_key();
  {
    const auto store = open_or_fail(directory, old);
    for (uint8_t id = 1; id <= 3; ++id) {
      Webhook webhook = webhook_with(id, "secret", "header");
      ASSERT_TRUE(store->insert_webhook(webhook));
    }
  }
  run_sql(directory.file(), "UPDATE webhook SET secret = headers WHERE number = 3");
  const auto store = open_or_fail(directory, old);
  const auto resealed = store->reseal(old.with_new_key());
  ASSERT_FALSE(resealed);
  EXPECT_EQ(store->last_problem(), "webhook 3: column 'secret' cannot be opened");
  EXPECT_NE(Store::open(directory.file(), {.keyring = old}).store, nullptr);
  Webhook later = webhook_with(4, "secret", "header");
  EXPECT_TRUE(store->insert_webhook(later)) << "the old key goes on sealing";
}

}  // namespace
}  // namespace ringpost::control
