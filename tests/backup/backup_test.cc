// Goal: what a manifest may say, and that no backup and no restore that is cut off leaves something
// that looks whole and is not. Backups of relays that run are made in tests/e2e/backup_test.py.

#include "backup/backup.h"

#include "backup/copy.h"
#include "backup/manifest.h"
#include "control/begun_journals.h"
#include "control/store/store.h"
#include "control/stored_journals.h"
#include "io/linux_world.h"
#include "io/posix_disk.h"
#include "io/read_file.h"
#include "journal/format.h"
#include "journal/segments.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

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

// --- cut off -------------------------------------------------------------------------------------

/// No power is lost here, so nothing need be durable.
class UnsyncedDisk : public io::PosixDisk {
 public:
  Result<void> sync(io::File) override { return {}; }
  Result<void> sync_directory(const std::string&) override { return {}; }
};

/// A disk whose process is killed at a call that changes something.
class KilledDisk final : public UnsyncedDisk {
 public:
  explicit KilledDisk(uint32_t calls) : calls_left_(calls) {}
  bool was_killed() const { return killed_; }

  Result<void> make_directory(const std::string& path) override {
    return lives() ? PosixDisk::make_directory(path) : dead();
  }
  Result<io::File> open(const std::string& path, OpenMode mode) override {
    if (mode == OpenMode::create && !lives()) return dead().error();
    return PosixDisk::open(path, mode);
  }
  Result<void> write_at(io::File file, uint64_t offset, Bytes from) override {
    return lives() ? PosixDisk::write_at(file, offset, from) : dead();
  }
  Result<void> sync(io::File file) override { return lives() ? UnsyncedDisk::sync(file) : dead(); }
  Result<void> sync_directory(const std::string& path) override {
    return lives() ? UnsyncedDisk::sync_directory(path) : dead();
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return lives() ? PosixDisk::rename(from, to) : dead();
  }
  Result<void> remove(const std::string& path) override {
    return lives() ? PosixDisk::remove(path) : dead();
  }

 private:
  static Result<void> dead() { return Error{Errc::io_failed, Side::disk}; }
  bool lives() {
    killed_ = killed_ || calls_left_-- == 0;
    return !killed_;
  }

  uint32_t calls_left_;
  bool killed_ = false;
};

/// A data directory with a journal that grows.
class DirectoryTest : public ::testing::Test {
 public:
  static constexpr uint64_t directory_id = 77;
  static constexpr uint32_t segment_bytes = 64 * 1024;

 protected:
  DirectoryTest() {
    EXPECT_TRUE(disk_.make_directory(data_));
    EXPECT_TRUE(disk_.make_directory(data_ + "/journal"));
    store_ =
        control::Store::open(data_ + "/control.db", {.keyring = control::Keyring{}.with_new_key()})
            .store;
    keeper_.emplace(disk_, journal::SegmentKeeper::Options{.journal_directory = data_ + "/journal",
                                                           .directory_id = directory_id,
                                                           .segment_bytes = segment_bytes,
                                                           .free_bytes_min = 0});
    EXPECT_TRUE(keeper_->open({.journal = 0}));
    EXPECT_TRUE(
        store_->set_meta(control::directory_id_name, control::directory_id_text(directory_id)));
    control::BegunJournals begun(*store_);
    EXPECT_TRUE(begun.load());
    EXPECT_TRUE(begun.replace({{0, 1}}));
    grow();
  }

  void grow() {
    keeper_->want(0);
    while (true) {
      const auto progress = keeper_->step(WallTime{});
      ASSERT_NE(progress, journal::SegmentKeeper::Progress::failed) << keeper_->path();
      if (progress == journal::SegmentKeeper::Progress::ready) break;
    }
    ASSERT_TRUE(keeper_->take());
  }
  std::optional<BackupReport> back_up(io::Disk& disk, const std::string& to) {
    return make_backup(disk, data_, to, WallTime{}, problem_);
  }
  /// Whether a data directory made of the backup has everything of backup `number`.
  void expect_whole(const std::string& backup, const std::string& target, uint32_t segments) {
    ASSERT_TRUE(restore_backup(disk_, backup, target, problem_)) << problem_;
    for (uint32_t number = 1; number <= 2; ++number) {
      const std::string path = journal::segment_path("/journal", 0, number);
      const auto original = io::read_file(data_ + path);
      const auto restored = io::read_file(target + path);
      ASSERT_EQ(restored.has_value(), number <= segments) << path;
      if (restored) {
        EXPECT_EQ(*restored, *original) << path;
      }
    }
    EXPECT_TRUE(io::read_file(target + "/control.db"));
  }
  static void copy(const std::string& from, const std::string& to) {
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
  }

  UnsyncedDisk disk_;
  io::TemporaryDirectory place_;
  const std::string data_ = place_ / "data";
  std::unique_ptr<control::Store> store_;
  std::optional<journal::SegmentKeeper> keeper_;
  std::string problem_;
};

// --- of a journal that is written ----------------------------------------------------------------

/// A disk of whose first two segments the first becomes full, and the second begins, when somebody
/// has looked at one of them and goes on to the other.
class GrowingDisk final : public UnsyncedDisk {
 public:
  explicit GrowingDisk(std::string journal) : journal_(std::move(journal)) {}

  Result<io::File> open(const std::string& path, OpenMode mode) override {
    if (path.starts_with(journal_) && path.ends_with(".seg")) opened_.insert(path);
    if (opened_.size() == 2 && !std::exchange(grown_, true)) grow();
    return UnsyncedDisk::open(path, mode);
  }

 private:
  void grow() {
    std::vector<std::byte> page(journal::page_bytes);
    const uint32_t last = DirectoryTest::segment_bytes - journal::page_bytes;
    journal::write_segment_footer({.end = last}, {DirectoryTest::directory_id, 0, 1}, last, page);
    write(journal_ + "/00000001.seg", last, as_text(page));
    write(journal_ + "/00000002.seg", journal::page_bytes, "RPJB");
  }
  static void write(const std::string& path, uint32_t offset, std::string_view bytes) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  const std::string journal_;
  std::set<std::string> opened_;
  bool grown_ = false;
};

// Or the start of a restored directory misses the end of the first.
TEST_F(DirectoryTest, NoSegmentIsCopiedBeforeItsEndWithTheBeginningOfTheNext) {
  grow();
  GrowingDisk growing(data_ + "/journal/000");
  ASSERT_TRUE(back_up(growing, place_ / "backup")) << problem_;
  ASSERT_TRUE(restore_backup(disk_, place_ / "backup", place_ / "target", problem_)) << problem_;
  const std::string restored = place_ / "target";
  const auto first = io::read_file(restored + journal::segment_path("/journal", 0, 1));
  const auto second = io::read_file(restored + journal::segment_path("/journal", 0, 2));
  ASSERT_TRUE(first && second);
  const bool is_full = first->substr(segment_bytes - journal::page_bytes, 4) == "RPJE";
  const bool has_begun = second->substr(journal::page_bytes, 4) == "RPJB";
  EXPECT_TRUE(is_full || !has_begun);
}

TEST_F(DirectoryTest, ABackupLeavesTheOneBeforeWhole) {
  ASSERT_TRUE(back_up(disk_, place_ / "first")) << problem_;
  grow();
  uint32_t calls = 0;
  for (bool through = false; !through; ++calls) {
    SCOPED_TRACE(calls);
    const std::string backup = place_ / ("backup-" + std::to_string(calls));
    const std::string target = place_ / ("target-" + std::to_string(calls));
    copy(place_ / "first", backup);
    KilledDisk killed(calls);
    back_up(killed, backup);
    through = !killed.was_killed();
    std::string problem;
    const auto manifest = parse_manifest(*io::read_file(backup + "/backup.json"), problem);
    ASSERT_TRUE(manifest) << problem;
    expect_whole(backup, target, static_cast<uint32_t>(manifest->number));
    const auto again = back_up(disk_, backup);
    ASSERT_TRUE(again) << problem_;
    EXPECT_EQ(again->number, manifest->number + 1);
    expect_whole(backup, target + "-again", 2);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(calls, 15u);
}

TEST_F(DirectoryTest, AFirstBackupIsNoneOrWhole) {
  uint32_t calls = 0;
  for (bool through = false; !through; ++calls) {
    SCOPED_TRACE(calls);
    const std::string backup = place_ / ("backup-" + std::to_string(calls));
    KilledDisk killed(calls);
    back_up(killed, backup);
    through = !killed.was_killed();
    const std::string target = place_ / ("target-" + std::to_string(calls));
    if (io::read_file(backup + "/backup.json")) {
      expect_whole(backup, target, 1);
    } else {
      EXPECT_FALSE(restore_backup(disk_, backup, target, problem_));
    }
    ASSERT_TRUE(back_up(disk_, backup)) << problem_;
    expect_whole(backup, target + "-again", 1);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(calls, 10u);
}

TEST_F(DirectoryTest, ARestoreIsWholeWhereItsStoreIs) {
  ASSERT_TRUE(back_up(disk_, place_ / "backup")) << problem_;
  uint32_t calls = 0;
  for (bool through = false; !through; ++calls) {
    SCOPED_TRACE(calls);
    const std::string target = place_ / ("target-" + std::to_string(calls));
    KilledDisk killed(calls);
    const auto restored = restore_backup(killed, place_ / "backup", target, problem_);
    through = !killed.was_killed();
    EXPECT_EQ(restored.has_value(), through);
    const auto stored = control::read_stored_journals(target + "/control.db", problem_);
    const bool looks_whole = stored && *stored && (*stored)->directory_id;
    if (!looks_whole) continue;
    const std::string path = journal::segment_path("/journal", 0, 1);
    EXPECT_EQ(*io::read_file(target + path), *io::read_file(data_ + path));
    EXPECT_TRUE(io::read_file(target + "/journal/000/oldest"));
  }
  EXPECT_GT(calls, 8u);
}

}  // namespace
}  // namespace ringpost::backup
