// Goal: once the log is taken the store's own thread waits for no sync, whatever it commits, and
// what the log's sync reported is there after a crash. Method: all syncs of the process are counted
// here, SQLite's too; a crash is a copy of the files as they lie there.

#include "control/store/log_sync.h"

#include "control/store/store.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

int syncs = 0;
int failing_errno = 0;  // Of each; 0: they succeed.

int sync_by(long call, int descriptor) {
  ++syncs;
  if (failing_errno != 0) {
    errno = failing_errno;
    return -1;
  }
  return static_cast<int>(::syscall(call, descriptor));
}

}  // namespace

// In place of the C library's.
extern "C" int fsync(int descriptor) {
  return sync_by(SYS_fsync, descriptor);
}
extern "C" int fdatasync(int descriptor) {
  return sync_by(SYS_fdatasync, descriptor);
}

namespace ringpost::control {
namespace {

class LogSyncTest : public ::testing::Test {
 protected:
  LogSyncTest() {
    std::string name = std::filesystem::temp_directory_path() / "ringpost-log-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    store_ = open(file());
    std::string problem;
    log_ = store_->take_log(problem);
    EXPECT_NE(log_, nullptr) << problem;
    syncs = 0;
  }
  ~LogSyncTest() override {
    failing_errno = 0;
    log_.reset();
    store_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::string file() const { return directory_ / "control.db"; }
  std::unique_ptr<Store> open(const std::string& path) const {
    auto opened = Store::open(path, {.keyring = keyring_, .quick_check = true});
    EXPECT_NE(opened.store, nullptr) << opened.problem;
    return std::move(opened.store);
  }
  void put(const std::string& value) {
    EXPECT_TRUE(store_->set_meta("fact", value)) << store_->last_problem();
  }
  /// The fact as a start after a crash would find it.
  std::string after_crash() const {
    const std::string copy = directory_ / "copy.db";
    for (const std::string suffix : {"", "-wal"}) {
      std::filesystem::copy_file(file() + suffix, copy + suffix,
                                 std::filesystem::copy_options::overwrite_existing);
    }
    const auto fact = open(copy)->meta("fact");
    return fact && *fact ? **fact : "(none)";
  }
  uintmax_t log_bytes() const { return std::filesystem::file_size(file() + "-wal"); }
  /// @returns the last fact. The log is then longer than it may become.
  std::string fill() {
    std::string fact;
    for (int index = 0; log_bytes() < WriteAheadLog::bytes_max; ++index) {
      put(fact = std::to_string(index) + std::string(20'000, 'x'));
    }
    return fact;
  }

  const Keyring keyring_ = Keyring{}.with_new_key();
  std::filesystem::path directory_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<LogSync> log_;
};

TEST_F(LogSyncTest, SyncsInPlaceOfTheStore) {
  put("one");
  EXPECT_EQ(syncs, 0);
  EXPECT_TRUE(log_->sync());
  EXPECT_GT(syncs, 0);
  EXPECT_EQ(after_crash(), "one");
}

TEST_F(LogSyncTest, BeginsALongLogAnewInPlaceOfTheStore) {
  for (int round = 0; round < 3; ++round) {
    syncs = 0;
    const std::string fact = fill();
    EXPECT_EQ(syncs, 0);
    EXPECT_TRUE(log_->sync());
    EXPECT_LT(log_bytes(), uintmax_t{100'000});
    EXPECT_EQ(after_crash(), fact);
    syncs = 0;
    put("after");
    EXPECT_EQ(syncs, 0);
    EXPECT_TRUE(log_->sync());
    EXPECT_EQ(after_crash(), "after");
  }
}

// A backup, or somebody with `sqlite3`.
TEST_F(LogSyncTest, GoesOnWithALongLogWhileAnotherProgramReads) {
  sqlite3* reader = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &reader), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(reader, "BEGIN; SELECT * FROM meta", nullptr, nullptr, nullptr),
            SQLITE_OK);
  std::string fact = fill();
  EXPECT_TRUE(log_->sync());
  EXPECT_GE(log_bytes(), uintmax_t{WriteAheadLog::bytes_max});
  EXPECT_EQ(after_crash(), fact);
  sqlite3_close(reader);
  while (log_bytes() < 3 * uintmax_t{WriteAheadLog::bytes_max}) put(fact += "y");
  EXPECT_TRUE(log_->sync());
  EXPECT_LT(log_bytes(), uintmax_t{100'000});
  EXPECT_EQ(after_crash(), fact);
}

TEST_F(LogSyncTest, SaysThatASyncFailed) {
  put("one");
  failing_errno = EIO;
  const auto synced = log_->sync();
  ASSERT_FALSE(synced);
  EXPECT_EQ(synced.error().code, Errc::io_failed);
}

TEST_F(LogSyncTest, IsAllInTheFileAfterAnOrderlyEnd) {
  put("one");
  log_.reset();
  store_.reset();
  EXPECT_FALSE(std::filesystem::exists(file() + "-wal"));
  EXPECT_EQ(**open(file())->meta("fact"), "one");
}

TEST_F(LogSyncTest, TheStoreRefusesChangesWithTheReason) {
  put("one");
  store_->refuse_changes({Errc::out_of_space, Side::disk, ENOSPC});
  const auto refused = store_->set_meta("fact", "two");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::out_of_space);
  const auto nothing = store_->transaction([&] { return store_->set_meta("fact", "two"); });
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, Errc::out_of_space);
  EXPECT_EQ(**store_->meta("fact"), "one");
}

}  // namespace
}  // namespace ringpost::control
