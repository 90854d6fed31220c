#include "io/posix_disk.h"

#include "linux_world.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ringpost::io {
namespace {

class PosixDiskTest : public testing::Test {
 protected:
  void make_file(const std::string& name, std::string_view text) {
    const File file = disk_.open(directory_ / name, Disk::OpenMode::create).value();
    ASSERT_TRUE(disk_.write_at(file, 0, as_bytes(text)));
    disk_.close(file);
  }

  TemporaryDirectory directory_;
  PosixDisk disk_;
};

TEST_F(PosixDiskTest, ReadsBackWhatItWroteUpToTheEnd) {
  const File file = disk_.open(directory_ / "a", Disk::OpenMode::create).value();
  ASSERT_TRUE(disk_.write_at(file, 10, as_bytes("hello")));
  ASSERT_TRUE(disk_.sync(file));
  EXPECT_EQ(disk_.size(file).value(), 15u);
  std::array<std::byte, 20> bytes{};
  EXPECT_EQ(disk_.read_at(file, 10, bytes).value(), 5u);
  EXPECT_EQ(as_text(Bytes{bytes}.first(5)), "hello");
  EXPECT_EQ(disk_.read_at(file, 15, bytes).value(), 0u);
  EXPECT_EQ(disk_.read_at(file, 1000, bytes).value(), 0u);
  disk_.close(file);
  const File reader = disk_.open(directory_ / "a", Disk::OpenMode::read).value();
  EXPECT_FALSE(disk_.write_at(reader, 0, as_bytes("x")));
  disk_.close(reader);
}

TEST_F(PosixDiskTest, CreatesPrivateFilesAndOnlyNewOnes) {
  make_file("a", "x");
  struct stat status;
  ASSERT_EQ(stat((directory_ / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(disk_.open(directory_ / "a", Disk::OpenMode::create).error().code, Errc::conflict);
  EXPECT_EQ(disk_.open(directory_ / "b", Disk::OpenMode::read).error().code, Errc::not_found);
  EXPECT_EQ(disk_.open(directory_ / "b", Disk::OpenMode::read_write).error().code, Errc::not_found);
}

TEST_F(PosixDiskTest, OpensNeitherLinksNorDirectoriesNorPipes) {
  make_file("a", "x");
  ASSERT_EQ(symlink((directory_ / "a").c_str(), (directory_ / "link").c_str()), 0);
  ASSERT_EQ(mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  ASSERT_TRUE(disk_.make_directory(directory_ / "directory"));
  bool direct = false;
  for (const char* name : {"link", "pipe", "directory"}) {
    EXPECT_FALSE(disk_.open(directory_ / name, Disk::OpenMode::read)) << name;
    EXPECT_FALSE(disk_.open(directory_ / name, Disk::OpenMode::read_write)) << name;
    EXPECT_FALSE(disk_.open_journal(directory_ / name, direct)) << name;
    EXPECT_FALSE(disk_.lock(directory_ / name)) << name;
  }
  ASSERT_EQ(symlink((directory_ / "nowhere").c_str(), (directory_ / "dangling").c_str()), 0);
  EXPECT_FALSE(disk_.open(directory_ / "dangling", Disk::OpenMode::create));
  EXPECT_FALSE(disk_.lock(directory_ / "dangling"));
}

TEST_F(PosixDiskTest, ListsNamesInOrder) {
  for (const char* name : {"b", "a", "B", ".hidden", "10", "9"}) make_file(name, "");
  EXPECT_EQ(disk_.list(directory_.path()).value(),
            (std::vector<std::string>{".hidden", "10", "9", "B", "a", "b"}));
  EXPECT_EQ(disk_.list(directory_ / "absent").error().code, Errc::not_found);
}

TEST_F(PosixDiskTest, MakesPrivateDirectoriesOnce) {
  ASSERT_TRUE(disk_.make_directory(directory_ / "d"));
  ASSERT_TRUE(disk_.make_directory(directory_ / "d"));
  struct stat status;
  ASSERT_EQ(stat((directory_ / "d").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  make_file("f", "");
  EXPECT_EQ(disk_.make_directory(directory_ / "f").error().code, Errc::conflict);
  EXPECT_EQ(disk_.make_directory(directory_ / "no/d").error().code, Errc::not_found);
}

TEST_F(PosixDiskTest, RenamesAndRemoves) {
  make_file("a", "x");
  ASSERT_TRUE(disk_.rename(directory_ / "a", directory_ / "b"));
  ASSERT_TRUE(disk_.sync_directory(directory_.path()));
  EXPECT_EQ(disk_.list(directory_.path()).value(), std::vector<std::string>{"b"});
  ASSERT_TRUE(disk_.remove(directory_ / "b"));
  EXPECT_EQ(disk_.remove(directory_ / "b").error().code, Errc::not_found);
  EXPECT_EQ(disk_.rename(directory_ / "b", directory_ / "c").error().code, Errc::not_found);
  EXPECT_FALSE(disk_.sync_directory(directory_ / "absent"));
}

TEST_F(PosixDiskTest, JournalFilesAreSynchronousAndWait) {
  make_file("segment", std::string(8192, '\0'));
  bool direct = false;
  const File file = disk_.open_journal(directory_ / "segment", direct).value();
  const int flags = fcntl(file.handle, F_GETFL);
  EXPECT_NE(flags & O_DSYNC, 0);
  EXPECT_EQ((flags & O_DIRECT) != 0, direct);
  EXPECT_EQ(flags & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(file.handle, F_GETFD) & FD_CLOEXEC, 0);
  disk_.close(file);
}

TEST_F(PosixDiskTest, KnowsTheFreeSpace) {
  EXPECT_GT(disk_.free_bytes(directory_.path()).value(), 0u);
  EXPECT_FALSE(disk_.free_bytes(directory_ / "absent"));
}

TEST_F(PosixDiskTest, LockHasOneHolder) {
  const File held = disk_.lock(directory_ / "lock").value();
  EXPECT_EQ(disk_.lock(directory_ / "lock").error().code, Errc::locked);
  const pid_t child = fork();
  if (child == 0) {
    const auto second = PosixDisk{}.lock(directory_ / "lock");
    _exit(!second && second.error().code == Errc::locked ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  disk_.close(held);
  const auto next = disk_.lock(directory_ / "lock");
  ASSERT_TRUE(next);
  disk_.close(*next);
}

TEST_F(PosixDiskTest, LockEndsWithItsProcessHoweverItEnds) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const bool held = PosixDisk{}.lock(directory_ / "lock").has_value();
    if (write(ready[1], held ? "y" : "n", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_EQ(disk_.lock(directory_ / "lock").error().code, Errc::locked);
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  const auto next = disk_.lock(directory_ / "lock");
  ASSERT_TRUE(next);
  disk_.close(*next);
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
}  // namespace ringpost::io
