// Goal: what a manifest may say, and that no restore leaves a directory that looks whole and is
// not. Backups of real data directories are made in tests/e2e/backup_test.py.

#include "backup/backup.h"

#include "backup/copy.h"
#include "backup/manifest.h"
#include "io/linux_world.h"
#include "io/posix_disk.h"
#include "io/read_file.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::backup {
namespace {

Manifest sample() {
  Manifest manifest;
  manifest.directory_id = UINT64_MAX;
  manifest.number = 7;
  manifest.began_at = *parse_rfc3339("2031-05-04T09:08:07Z");
  manifest.files = {
      {"journal/000/00000042.seg", "journal-000-00000042.seg", 4096, 0xffffffff, true},
      {"journal/000/00000042.idx", "journal-000-00000042.idx", 10, 0, true},
      {"journal/000/oldest", "journal-000-oldest.7", 5, 1, false},
      {"control.db", "control.db.7", 5, 1, false}};
  return manifest;
}

std::string why_refused(const std::string& text) {
  std::string problem;
  EXPECT_FALSE(parse_manifest(text, problem)) << text;
  return problem;
}

TEST(Manifest, BringsBackEveryMember) {
  std::string problem;
  const Manifest manifest = sample();
  const auto read = parse_manifest(to_json(manifest), problem);
  ASSERT_TRUE(read) << problem;
  EXPECT_EQ(read->directory_id, manifest.directory_id);
  EXPECT_EQ(read->number, manifest.number);
  EXPECT_EQ(read->began_at, manifest.began_at);
  EXPECT_EQ(read->files, manifest.files);
}

TEST(Manifest, RefusesWhatIsNone) {
  EXPECT_EQ(why_refused(""), "is not a JSON object");
  EXPECT_EQ(why_refused("[]"), "is not a JSON object");
  EXPECT_EQ(why_refused("{}"), "lacks members that a backup has");
  EXPECT_EQ(why_refused(R"({"format":2})"), "is of a newer ringpost; use that one");
  const std::string whole = to_json(sample());
  EXPECT_EQ(why_refused(whole.substr(0, whole.size() / 2)), "is not a JSON object");
  Manifest no_store = sample();
  no_store.files.pop_back();
  EXPECT_EQ(why_refused(to_json(no_store)), "names no control.db");
}

// Goal: a manifest that somebody made up cannot have files written or read elsewhere.
TEST(Manifest, RefusesPathsOutOfTheDataDirectory) {
  const std::string outside = "names a file that does not belong into a data directory";
  for (const char* path :
       {"../control.db", "/etc/passwd", "journal/000/../../x.seg", "journal/000/x", "journal/x",
        "journal/000/00000042.seg/x", "journal//00000042.seg", "admin.token", "", "control.db2"}) {
    Manifest manifest = sample();
    manifest.files.front().path = path;
    EXPECT_EQ(why_refused(to_json(manifest)), outside) << path;
  }
  for (const char* stored : {"", "..", ".x", "a/b", "A", "a b", "\n"}) {
    Manifest manifest = sample();
    manifest.files.front().stored = stored;
    EXPECT_EQ(why_refused(to_json(manifest)), outside) << stored;
  }
  Manifest twice = sample();
  twice.files.push_back(twice.files.front());
  EXPECT_EQ(why_refused(to_json(twice)), outside);
}

TEST(CopyFile, LeavesHolesForZerosAndKeepsEveryByte) {
  io::PosixDisk disk;
  io::TemporaryDirectory place;
  constexpr size_t mebibyte = 1024 * 1024;
  for (const size_t size : {size_t{0}, size_t{1}, mebibyte, 3 * mebibyte + 5}) {
    for (const size_t at : {size_t{0}, mebibyte + 7, 3 * mebibyte + 4}) {
      std::string text(size, '\0');
      if (at < size) text[at] = 'x';
      const std::string from = place / "from";
      const std::string to = place / "to";
      ASSERT_TRUE(write_file(disk, text, from));
      const auto copied = copy_file(disk, from, to, Zeros::leave_holes);
      ASSERT_TRUE(copied);
      EXPECT_EQ(copied->size, size);
      EXPECT_LE(copied->written, mebibyte);
      EXPECT_EQ(*io::read_file(to), text) << size << ' ' << at;
    }
  }
}

class RestoreTest : public ::testing::Test {
 protected:
  void make_backup() {
    Manifest manifest = sample();
    for (const std::string& path : {backup_, backup_ + "/files"}) {
      ASSERT_TRUE(disk_.make_directory(path));
    }
    for (ManifestFile& file : manifest.files) {
      const auto written = write_file(disk_, "of " + file.path, backup_ + "/files/" + file.stored);
      ASSERT_TRUE(written);
      file.size = written->size;
      file.crc = written->crc;
    }
    ASSERT_TRUE(write_file(disk_, to_json(manifest), backup_ + "/backup.json"));
  }
  std::string why_not() {
    std::string problem;
    EXPECT_FALSE(restore_backup(disk_, backup_, target_, problem));
    return problem;
  }
  bool exists(const std::string& path) { return io::read_file(path).has_value(); }

  io::PosixDisk disk_;
  io::TemporaryDirectory place_;
  const std::string backup_ = place_ / "backup";
  const std::string target_ = place_ / "data";
};

TEST_F(RestoreTest, BringsBackEveryFile) {
  make_backup();
  std::string problem;
  const auto report = restore_backup(disk_, backup_, target_, problem);
  ASSERT_TRUE(report) << problem;
  EXPECT_EQ(report->files, 4u);
  for (const ManifestFile& file : sample().files) {
    const auto text = io::read_file(target_ + "/" + file.path);
    ASSERT_TRUE(text) << file.path;
    EXPECT_EQ(*text, "of " + file.path);
  }
}

TEST_F(RestoreTest, LeavesNoStoreWhereAFileIsDamaged) {
  make_backup();
  ASSERT_TRUE(write_file(disk_, "of journal/000/oldesT", backup_ + "/files/journal-000-oldest.7"));
  EXPECT_NE(why_not().find("journal-000-oldest.7 is damaged"), std::string::npos);
  EXPECT_FALSE(exists(target_ + "/control.db"));
}

TEST_F(RestoreTest, LeavesNoStoreWhereAFileIsMissing) {
  make_backup();
  ASSERT_TRUE(remove_file(disk_, backup_ + "/files/journal-000-00000042.seg"));
  EXPECT_NE(why_not().find("journal-000-00000042.seg: "), std::string::npos);
  EXPECT_FALSE(exists(target_ + "/control.db"));
}

TEST_F(RestoreTest, OverwritesNothing) {
  make_backup();
  ASSERT_TRUE(disk_.make_directory(target_));
  ASSERT_TRUE(write_file(disk_, "mine", target_ + "/control.db"));
  EXPECT_EQ(why_not(), target_ + " is not empty; give a new directory");
  EXPECT_EQ(*io::read_file(target_ + "/control.db"), "mine");
}

TEST_F(RestoreTest, SaysWhereThereIsNoBackup) {
  EXPECT_NE(why_not().find(backup_), std::string::npos);
  ASSERT_TRUE(disk_.make_directory(backup_));
  EXPECT_EQ(why_not(), backup_ + " holds no backup");
  ASSERT_TRUE(write_file(disk_, "x", backup_ + "/notes.txt"));
  EXPECT_NE(why_not().find("holds something else (notes.txt)"), std::string::npos);
  ASSERT_TRUE(write_file(disk_, "x", backup_ + "/backup.json"));
  EXPECT_EQ(why_not(), backup_ + "/backup.json is not a JSON object");
}

}  // namespace
}  // namespace ringpost::backup
