#include "server/secrets.h"

#include "base/bytes.h"
#include "crypto/digest.h"
#include "io/posix_disk.h"
#include "server/admin_token.h"
#include "server/data_directory.h"
#include "server/key_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/stat.h>
#include <vector>

// Goal: the keys lie where they should, for their owner alone; no state that a failure or a crash
// can leave keeps the store from opening; nothing replaces or invents a key that secrets depend on.

namespace ringpost::server {
namespace {

namespace fs = std::filesystem;

class SecretsTest : public ::testing::Test {
 protected:
  SecretsTest() {
    std::string name = fs::temp_directory_path() / "ringpost-secrets-XXXXXX";
    place_ = ::mkdtemp(name.data());
    config_.data_dir = place_ / "data";
  }
  ~SecretsTest() override { fs::remove_all(place_); }

  /// Opens everything as a start does; tells what stands in its way.
  std::string start(uint64_t add_webhooks = 0) {
    const bool had_key = fs::exists(key_file());
    std::string problem;
    auto directory = open_data_directory(disk_, config_, IfAbsent::make, problem);
    made_key_ = !had_key && fs::exists(key_file());
    if (!directory) return problem;
    for (uint64_t i = 0; i < add_webhooks; ++i) {
      subscription::Webhook webhook;
      webhook.id.bytes[15] = static_cast<uint8_t>(++added_);
      webhook.secret = "secret " + std::to_string(added_);
      EXPECT_TRUE(directory->store->insert_webhook(webhook)) << directory->store->last_problem();
    }
    uint64_t whole = 0;
    const auto loaded = directory->store->load(
        [&](subscription::Webhook&& webhook) {
          whole += webhook.secret == "secret " + std::to_string(webhook.number) ? 1 : 0;
        },
        [](subscription::Token&&) {});
    EXPECT_TRUE(loaded) << directory->store->last_problem();
    EXPECT_EQ(whole, added_);
    disk_.close(directory->lock);
    return {};
  }

  std::string key_file() const { return place_ / "data.key"; }
  std::string text_of(const std::string& path) const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& path, const std::string& text, mode_t mode = 0600) {
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), mode);
  }
  size_t key_count() const {
    std::string why;
    const auto ring = control::Keyring::parse(text_of(key_file()), why);
    return ring ? ring->keys().size() : 0;
  }

  fs::path place_;
  Config config_;
  io::PosixDisk disk_;
  uint64_t added_ = 0;
  bool made_key_ = false;
};

TEST_F(SecretsTest, MakesAnAdminTokenForWhoHasLostTheirs) {
  ASSERT_EQ(start(), "");
  const std::string file = place_ / "admin.token";
  const AdminToken printed = make_admin_token(disk_, config_, "rescue", {});
  ASSERT_EQ(printed.problem, "");
  const AdminToken written = make_admin_token(disk_, config_, "rescue", file);
  ASSERT_EQ(written.problem, "");
  EXPECT_EQ(text_of(file), written.text + "\n");
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);

  std::string problem;
  auto directory = open_data_directory(disk_, config_, IfAbsent::refuse, problem);
  ASSERT_TRUE(directory) << problem;
  std::vector<subscription::Token> tokens;
  ASSERT_TRUE(
      directory->store->load([](subscription::Webhook&&) {},
                             [&](subscription::Token&& token) { tokens.push_back(token); }));
  ASSERT_EQ(tokens.size(), 2u);
  EXPECT_TRUE(tokens[0].has_hash(crypto::sha256(as_bytes(printed.text))));
  EXPECT_TRUE(tokens[1].has_hash(crypto::sha256(as_bytes(written.text))));
  EXPECT_TRUE(tokens[1].is_operator());
  EXPECT_FALSE(tokens[1].expires_at);
  EXPECT_EQ(tokens[1].name, "rescue");
  const auto entries = directory->store->audit().list(
      {.organization = "default", .since = {}, .until = {}, .before = {}, .limit = 10});
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ(entries->front().operation, "token.create");

  // A relay has the directory now, as far as the lock tells.
  EXPECT_NE(make_admin_token(disk_, config_, "rescue", {}).problem, "");
  directory->store.reset();
  disk_.close(directory->lock);
}

TEST_F(SecretsTest, MakesNoAdminTokenWhereItCannotBeKept) {
  EXPECT_NE(make_admin_token(disk_, config_, "rescue", {}).problem, "") << "no such directory";
  EXPECT_FALSE(fs::exists(config_.data_dir));
  ASSERT_EQ(start(), "");
  const std::string there = place_ / "there";
  write(there, "precious");
  EXPECT_NE(make_admin_token(disk_, config_, "rescue", there).problem, "");
  EXPECT_EQ(text_of(there), "precious");
  for (const std::string& name : {std::string{}, std::string{"login ada"}, std::string{"a\nb"}}) {
    EXPECT_NE(make_admin_token(disk_, config_, name, {}).problem, "") << name;
  }
  std::string problem;
  auto directory = open_data_directory(disk_, config_, IfAbsent::refuse, problem);
  ASSERT_TRUE(directory) << problem;
  size_t tokens = 0;
  ASSERT_TRUE(directory->store->load([](subscription::Webhook&&) {},
                                     [&](subscription::Token&&) { ++tokens; }));
  EXPECT_EQ(tokens, 0u);
  disk_.close(directory->lock);
}

TEST_F(SecretsTest, TheKeyFileLiesBesideTheDataDirectoryUnlessItIsNamed) {
  Config config;
  EXPECT_EQ(key_file_path(config), "/var/lib/ringpost.key");
  config.data_dir = "/srv//relay/./one/";
  EXPECT_EQ(key_file_path(config), "/srv/relay/one.key");
  config.data_dir = ".";
  EXPECT_EQ(key_file_path(config), fs::current_path().string() + ".key");
  config.key_file = "/etc/ringpost/key";
  EXPECT_EQ(key_file_path(config), "/etc/ringpost/key");
}

TEST_F(SecretsTest, TheFirstStartMakesAKeyForItsUserAlone) {
  const mode_t old_mask = ::umask(0);
  EXPECT_EQ(start(3), "");
  ::umask(old_mask);
  EXPECT_TRUE(made_key_);
  struct stat status {};
  ASSERT_EQ(::stat(key_file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(key_count(), 1u);
  const std::string before = text_of(key_file());
  EXPECT_EQ(start(), "");
  EXPECT_FALSE(made_key_);
  EXPECT_EQ(text_of(key_file()), before);
}

TEST_F(SecretsTest, RefusesAKeyFileThatOthersMayRead) {
  EXPECT_EQ(start(1), "");
  for (const mode_t mode : {0640, 0604, 0620, 0601, 0777}) {
    ::chmod(key_file().c_str(), mode);
    const std::string told = start();
    EXPECT_NE(told.find("can be read by other users (mode 0"), std::string::npos) << told;
    EXPECT_NE(told.find(key_file()), std::string::npos) << told;
  }
  ::chmod(key_file().c_str(), 0400);
  EXPECT_EQ(start(), "");
}

TEST_F(SecretsTest, RefusesAKeyFileInsideOfTheDataDirectory) {
  fs::create_directories(place_ / "data" / "deep");
  fs::create_directory_symlink(place_ / "data", place_ / "other-name");
  for (const char* inside :
       {"data/key", "data/deep/key", "data/../data/key", "other-name/key", "data/deep/../key"}) {
    config_.key_file = place_ / inside;
    const std::string told = start();
    EXPECT_NE(told.find("is inside the data directory"), std::string::npos) << inside << told;
    EXPECT_NE(told.find("secrets.key_file"), std::string::npos) << told;
    EXPECT_FALSE(fs::exists(config_.key_file)) << inside;
  }
  for (const char* outside : {"data.key", "data2", "data/../key"}) {
    config_.key_file = place_ / outside;
    EXPECT_EQ(start(), "") << outside;
    fs::remove_all(place_ / "data");
  }
}

TEST_F(SecretsTest, RefusesWhatIsNoKeyFile) {
  EXPECT_EQ(start(1), "");
  const std::string good = text_of(key_file());
  for (const std::string& text : {std::string{}, std::string{"x"}, good + "x",
                                  good.substr(0, good.size() - 3), std::string(100'000, '#')}) {
    write(key_file(), text);
    const std::string told = start();
    EXPECT_NE(told.find(key_file() + " is not a key file: "), std::string::npos) << told;
    EXPECT_EQ(text_of(key_file()), text) << "it is left as it is";
  }
  fs::remove(key_file());
  write(place_ / "elsewhere", good);
  fs::create_symlink(place_ / "elsewhere", key_file());
  EXPECT_NE(start().find("cannot be opened"), std::string::npos);
  fs::remove(key_file());
  fs::create_directory(key_file());
  EXPECT_NE(start().find("cannot be opened"), std::string::npos);
}

TEST_F(SecretsTest, MakesNoNewKeyForSealedSecrets) {
  EXPECT_EQ(start(1), "");
  const std::string good = text_of(key_file());
  fs::remove(key_file());
  const std::string told = start();
  EXPECT_NE(told.find("data.key is missing"), std::string::npos) << told;
  EXPECT_NE(told.find("no new key was created"), std::string::npos) << told;
  EXPECT_FALSE(fs::exists(key_file()));
  write(key_file(), good);
  EXPECT_EQ(start(), "");
}

TEST_F(SecretsTest, MakesNoNewKeyForAStoreThatItCannotJudge) {
  EXPECT_EQ(start(1), "");
  fs::remove(key_file());
  fs::remove(place_ / "data" / "control.db-wal");
  write(place_ / "data" / "control.db", std::string(8192, 'x'));
  EXPECT_NE(start().find("control.db: "), std::string::npos);
  EXPECT_FALSE(fs::exists(key_file()));
}

TEST_F(SecretsTest, RefusesTheKeyOfAnotherDirectory) {
  EXPECT_EQ(start(1), "");
  const std::string good = text_of(key_file());
  const std::string store = text_of(place_ / "data" / "control.db");
  write(key_file(), control::Keyring{}.with_new_key().to_text());
  EXPECT_NE(start().find("wrong key"), std::string::npos);
  EXPECT_EQ(text_of(place_ / "data" / "control.db"), store);
  EXPECT_NE(rotate_keys(disk_, config_).problem.find("wrong key"), std::string::npos);
  EXPECT_EQ(key_count(), 1u);
  write(key_file(), good);
  EXPECT_EQ(start(), "");
}

TEST_F(SecretsTest, SaysWhyTheKeyFileCannotBeWritten) {
  config_.key_file = place_ / "none" / "key";
  const std::string told = start();
  EXPECT_NE(told.find("none/key cannot be written"), std::string::npos) << told;
  EXPECT_NE(told.find("directory must exist"), std::string::npos) << told;
}

TEST_F(SecretsTest, RotationLeavesOneNewKeyThatOpensEverything) {
  EXPECT_EQ(start(5), "");
  const std::string old = text_of(key_file());
  const RotationResult result = rotate_keys(disk_, config_);
  ASSERT_EQ(result.problem, "");
  EXPECT_EQ(result.webhooks, 5u);
  EXPECT_EQ(key_count(), 1u);
  EXPECT_NE(text_of(key_file()).find(result.key_id), std::string::npos);
  EXPECT_EQ(old.find(result.key_id), std::string::npos);
  EXPECT_EQ(start(1), "");
  write(key_file(), old);
  EXPECT_NE(start().find("wrong key"), std::string::npos);
}

TEST_F(SecretsTest, RotationWaitsForNobody) {
  EXPECT_EQ(start(1), "");
  std::string problem;
  auto running = open_data_directory(disk_, config_, IfAbsent::make, problem);
  ASSERT_TRUE(running) << problem;
  const std::string before = text_of(key_file());
  EXPECT_NE(rotate_keys(disk_, config_).problem.find("stop it first"), std::string::npos);
  EXPECT_EQ(text_of(key_file()), before);
  disk_.close(running->lock);
}

TEST_F(SecretsTest, RotationMakesNoDataDirectory) {
  EXPECT_NE(rotate_keys(disk_, config_).problem.find("control.db does not exist"),
            std::string::npos);
  EXPECT_TRUE(fs::is_empty(place_));
}

/// Stands still at the n-th change of the disk: that one and all later ones are not made.
class DyingDisk final : public io::PosixDisk {
 public:
  explicit DyingDisk(int changes) : changes_(changes) {}
  bool dead() const { return changes_ < 0; }

  Result<io::File> open(const std::string& path, OpenMode mode) override {
    if (mode == OpenMode::create && dies()) return failure();
    return PosixDisk::open(path, mode);
  }
  Result<void> write_at(io::File file, uint64_t offset, Bytes from) override {
    if (dies()) return failure();
    return PosixDisk::write_at(file, offset, from);
  }
  Result<void> sync(io::File file) override { return dies() ? failure() : PosixDisk::sync(file); }
  Result<void> sync_directory(const std::string& path) override {
    return dies() ? failure() : PosixDisk::sync_directory(path);
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return dies() ? failure() : PosixDisk::rename(from, to);
  }
  Result<void> remove(const std::string& path) override {
    return dies() ? failure() : PosixDisk::remove(path);
  }

 private:
  static Error failure() { return {Errc::io_failed, Side::disk, EIO}; }
  bool dies() { return changes_ < 0 || --changes_ < 0; }

  int changes_;
};

// Method: each change of the disk in turn is the last one that is made.
TEST_F(SecretsTest, WhereverARotationEndsTheStoreOpensAndTheNextRotationEndsIt) {
  EXPECT_EQ(start(3), "");
  int deaths = 0;
  for (int changes = 0;; ++changes) {
    DyingDisk disk(changes);
    const RotationResult result = rotate_keys(disk, config_);
    EXPECT_EQ(start(), "") << "after " << changes << " changes";
    if (!disk.dead()) {
      EXPECT_EQ(result.problem, "");
      EXPECT_EQ(key_count(), 1u);
      break;
    }
    ++deaths;
    EXPECT_EQ(start(static_cast<uint64_t>(changes % 2)), "")
        << "also with a secret that is sealed in between";
    const RotationResult again = rotate_keys(disk_, config_);
    EXPECT_EQ(again.problem, "") << "after " << changes << " changes";
    EXPECT_EQ(again.webhooks, added_);
    EXPECT_EQ(key_count(), 1u);
    EXPECT_EQ(start(), "");
    EXPECT_FALSE(fs::exists(key_file() + ".new"));
  }
  EXPECT_GE(deaths, 10) << "two writes of the file, five changes each";
}

TEST_F(SecretsTest, AFirstStartThatFailsAnywhereIsMadeGoodByTheNext) {
  for (int changes = 0;; ++changes) {
    DyingDisk disk(changes);
    std::string problem;
    auto directory = open_data_directory(disk, config_, IfAbsent::make, problem);
    if (directory) disk_.close(directory->lock);
    EXPECT_EQ(directory.has_value(), problem.empty());
    EXPECT_EQ(start(), "") << "after " << changes << " changes";
    EXPECT_EQ(key_count(), 1u);
    fs::remove_all(place_ / "data");
    fs::remove(key_file());
    if (!disk.dead()) break;
  }
}

TEST_F(SecretsTest, RotationHasALimitOfKeys) {
  EXPECT_EQ(start(1), "");
  std::string why;
  auto ring = control::Keyring::parse(text_of(key_file()), why);
  ASSERT_TRUE(ring) << why;
  while (ring->keys().size() < control::Keyring::keys_max) *ring = ring->with_new_key();
  write(key_file(), ring->to_text());
  EXPECT_EQ(start(), "");
  EXPECT_NE(rotate_keys(disk_, config_).problem.find("64 keys"), std::string::npos);
}

}  // namespace
}  // namespace ringpost::server
