// Goal: the simulated disk keeps what was made durable, and only that: everything else is kept,
// lost or torn, and each of these does happen.
// Method: small files over many seeds, a crash, and a look at each sector.

#include "sim/disk.h"

#include "io/ring_contract.h"
#include "sim/ring.h"
#include "sim/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ringpost::sim {
namespace {

using io::Watched;
using Mode = io::Disk::OpenMode;
using std::chrono::hours;
using std::chrono::milliseconds;

constexpr size_t sector = Content::sector_bytes;

/// Memory as direct I/O wants it; on the heap, because a sanitizer's stack keeps no such alignment.
struct Block {
  struct alignas(4096) Storage {
    std::byte bytes[16'384];
  };
  explicit Block(char fill) { std::fill(std::begin(bytes), std::end(bytes), std::byte(fill)); }

  const std::unique_ptr<Storage> storage = std::make_unique<Storage>();
  std::byte (&bytes)[16'384] = storage->bytes;
};

io::File make_file(Disk& disk, const std::string& path, std::string_view content) {
  const io::File file = disk.open(path, Mode::create).value();
  EXPECT_TRUE(disk.write_at(file, 0, as_bytes(content)));
  return file;
}

/// The first letter of each sector; all letters of a sector are the same, or it is torn inside.
std::string sector_letters(const std::string& content) {
  std::string letters;
  for (size_t at = 0; at < content.size(); at += sector) {
    const std::string_view one = std::string_view{content}.substr(at, sector);
    EXPECT_EQ(one.find_first_not_of(one[0]), std::string_view::npos);
    letters += one[0];
  }
  return letters;
}

TEST(Disk, ReadsWhatWasWrittenAndGrowsWithZeros) {
  World world({});
  Disk& disk = world.disk();
  const io::File file = make_file(disk, "/f", "head");
  ASSERT_TRUE(disk.write_at(file, 5'000, as_bytes("tail")));
  EXPECT_EQ(disk.size(file).value(), 5'004u);
  std::byte bytes[6'000];
  EXPECT_EQ(disk.read_at(file, 0, bytes).value(), 5'004u);
  EXPECT_EQ(as_text({bytes, 4}), "head");
  EXPECT_EQ(bytes[4'999], std::byte{0});
  EXPECT_EQ(as_text({bytes + 5'000, 4}), "tail");
  EXPECT_EQ(disk.read_at(file, 5'004, bytes).value(), 0u);
}

TEST(Disk, SaysNoAsAFileSystemDoes) {
  World world({});
  Disk& disk = world.disk();
  EXPECT_EQ(disk.open("/absent", Mode::read).error().code, Errc::not_found);
  EXPECT_EQ(disk.open("/no/directory", Mode::create).error().code, Errc::not_found);
  EXPECT_EQ(disk.remove("/absent").error().code, Errc::not_found);
  EXPECT_EQ(disk.rename("/absent", "/other").error().code, Errc::not_found);
  EXPECT_EQ(disk.list("/absent").error().code, Errc::not_found);
  disk.close(make_file(disk, "/f", "x"));
  EXPECT_EQ(disk.open("/f", Mode::create).error().code, Errc::conflict);
}

TEST(Disk, ListsNamesOfOneDirectorySorted) {
  World world({});
  Disk& disk = world.disk();
  ASSERT_TRUE(disk.make_directory("/d"));
  ASSERT_TRUE(disk.make_directory("/d/sub"));
  ASSERT_TRUE(disk.make_directory("/d"));  // Existing is success.
  for (const char* path : {"/d/b", "/d/a", "/d/sub/deep", "/other"}) make_file(disk, path, "");
  EXPECT_EQ(disk.list("/d").value(), (std::vector<std::string>{"a", "b", "sub"}));
}

TEST(Disk, LocksOnceUntilClosedOrCrashed) {
  World world({});
  Disk& disk = world.disk();
  const io::File lock = disk.lock("/lock").value();
  EXPECT_EQ(disk.lock("/lock").error().code, Errc::locked);
  disk.close(lock);
  ASSERT_TRUE(disk.lock("/lock"));
  world.crash(Crash::kill);
  EXPECT_EQ(disk.lock("/lock").error().code, Errc::io_failed);
  world.restart();
  EXPECT_TRUE(disk.lock("/lock"));
}

// --- what a crash leaves -------------------------------------------------------------------------

TEST(Disk, KeepsWhatWasSyncedWithItsNameThroughAPowerLoss) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    World world({.seed = seed});
    Disk& disk = world.disk();
    const io::File file = make_file(disk, "/f", std::string(10'000, 'a'));
    ASSERT_TRUE(disk.sync(file));
    ASSERT_TRUE(disk.sync_directory("/"));
    world.crash();
    EXPECT_EQ(disk.read_file("/f"), std::string(10'000, 'a')) << "seed " << seed;
  }
}

TEST(Disk, TearsUnsyncedBytesBySectorAndTouchesNoOthers) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    World world({.seed = seed});
    Disk& disk = world.disk();
    disk.write_file("/f", std::string(12 * sector, 'o'));
    const io::File file = disk.open("/f", Mode::read_write).value();
    ASSERT_TRUE(disk.write_at(file, 0, as_bytes(std::string(2 * sector, 's'))));
    ASSERT_TRUE(disk.sync(file));
    ASSERT_TRUE(disk.write_at(file, 4 * sector, as_bytes(std::string(4 * sector, 'u'))));
    world.crash();
    const std::string letters = sector_letters(disk.read_file("/f"));
    EXPECT_EQ(letters.substr(0, 4), "ssoo") << "seed " << seed;
    EXPECT_EQ(letters.substr(8), "oooo") << "seed " << seed;
    outcomes.insert(letters.substr(4, 4));
  }
  EXPECT_TRUE(outcomes.contains("oooo"));  // All lost,
  EXPECT_TRUE(outcomes.contains("uuuu"));  // all kept,
  EXPECT_GT(outcomes.size(), 10u);         // and most of the 16 in between.
}

TEST(Disk, AnUnsyncedSizeIsKeptOrLostAndNeverShowsForeignBytes) {
  std::set<uint64_t> sizes;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    World world({.seed = seed});
    Disk& disk = world.disk();
    disk.write_file("/f", "short");
    const io::File file = disk.open("/f", Mode::read_write).value();
    ASSERT_TRUE(disk.write_at(file, 5, as_bytes(std::string(3'000, 'n'))));
    world.crash();
    const std::string content = disk.read_file("/f");
    sizes.insert(content.size());
    EXPECT_EQ(content.substr(0, 5), "short");
    EXPECT_EQ(content.find_first_not_of(std::string_view{"n\0", 2}, 5), std::string::npos);
  }
  EXPECT_EQ(sizes, (std::set<uint64_t>{5, 3'005}));
}

TEST(Disk, UnsyncedNamesAreKeptOrLost) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    World world({.seed = seed});
    Disk& disk = world.disk();
    disk.write_file("/stays", "");
    disk.write_file("/renamed", "");
    disk.write_file("/removed", "");
    make_file(disk, "/synced", "");
    ASSERT_TRUE(disk.sync_directory("/"));
    make_file(disk, "/created", "");
    ASSERT_TRUE(disk.rename("/renamed", "/to"));
    ASSERT_TRUE(disk.remove("/removed"));
    world.crash();
    EXPECT_TRUE(disk.exists("/stays"));
    EXPECT_TRUE(disk.exists("/synced"));
    EXPECT_NE(disk.exists("/renamed"), disk.exists("/to"));  // A rename is whole.
    outcomes.insert(std::string{} + (disk.exists("/created") ? 'c' : '-') +
                    (disk.exists("/to") ? 'r' : '-') + (disk.exists("/removed") ? '-' : 'x'));
  }
  EXPECT_EQ(outcomes.size(), 8u);  // Every combination, also out of order.
}

TEST(Disk, AKilledProcessLosesNothingItWrote) {
  World world({});
  Disk& disk = world.disk();
  make_file(disk, "/f", "unsynced");
  world.crash(Crash::kill);
  EXPECT_EQ(disk.read_file("/f"), "unsynced");
  world.restart();
  world.crash(Crash::power);
  EXPECT_TRUE(!disk.exists("/f") || disk.read_file("/f").size() <= 8);
}

// --- durable writes ------------------------------------------------------------------------------

/// A journal of 'o's on the disk of a world, and a ring to write it with.
struct Journal {
  explicit Journal(const World::Options& options, size_t pages = 8) : world(options) {
    world.disk().write_file("/journal", std::string(pages * 4'096, 'o'));
    bool direct = false;
    file = world.disk().open_journal("/journal", direct).value();
  }
  std::string letters() { return sector_letters(world.disk().read_file("/journal")); }

  World world;
  Ring& ring = world.add_ring();
  io::File file;
};

TEST(Disk, ADurableWriteSurvivesFromTheMomentItsHandlerRuns) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Journal journal({.seed = seed});
    Block block('j');
    Watched writing;
    io::write(journal.ring, writing, journal.file, 4'096, {block.bytes, 8'192});
    ASSERT_TRUE(io::turn_until(journal.ring, [&] { return writing.ended(); }));
    EXPECT_EQ(writing.last(), 8'192);
    journal.world.crash();
    EXPECT_EQ(journal.letters(), std::string(8, 'o') + std::string(16, 'j') + std::string(40, 'o'));
  }
}

TEST(Disk, WritesInFlightAreKeptLostOrTornByAPowerLoss) {
  int kept = 0, lost = 0, torn = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Journal journal({.seed = seed});
    Block block('j');
    Watched writing;
    io::write(journal.ring, writing, journal.file, 8'192, {block.bytes, 8'192});
    journal.world.crash();
    journal.ring.abandon_all();
    const std::string letters = journal.letters();
    EXPECT_EQ(letters.substr(0, 16) + letters.substr(32), std::string(48, 'o'));
    const auto written = std::ranges::count(letters, 'j');
    (written == 16 ? kept : written == 0 ? lost : torn) += 1;
  }
  EXPECT_GT(kept, 60);
  EXPECT_GT(lost, 60);
  EXPECT_GT(torn, 60);
}

TEST(Disk, AKillNeverTearsAWriteInFlight) {
  std::set<ptrdiff_t> written;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Journal journal({.seed = seed});
    Block block('j');
    Watched writing;
    io::write(journal.ring, writing, journal.file, 0, block.bytes);
    journal.world.crash(Crash::kill);
    journal.ring.abandon_all();
    written.insert(std::ranges::count(journal.letters(), 'j'));
  }
  EXPECT_EQ(written, (std::set<ptrdiff_t>{0, 32}));
}

TEST(Disk, WritesEndInAnyOrder) {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Journal journal({.seed = seed});
    Block block('j');
    Watched writes[3];
    std::string order;
    for (size_t i = 0; i < 3; ++i) {
      writes[i].then = [&order, i](const io::Outcome&) { order += static_cast<char>('0' + i); };
      io::write(journal.ring, writes[i], journal.file, i * 4'096, {block.bytes, 4'096});
    }
    io::turn_until(journal.ring, [&] { return order.size() == 3; });
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 6u);
}

TEST(Disk, FailsWhatIsAskedToFailAndThenNoMore) {
  Journal journal({});
  Disk& disk = journal.world.disk();
  Block block('j');
  disk.fail_next(Disk::Call::write, 1);
  Watched first, second;
  io::write(journal.ring, first, journal.file, 0, block.bytes);
  io::turn_until(journal.ring, [&] { return first.ended(); });
  EXPECT_EQ(first.last(), -EIO);
  io::write(journal.ring, second, journal.file, 0, block.bytes);
  io::turn_until(journal.ring, [&] { return second.ended(); });
  EXPECT_EQ(second.last(), 16'384);
  disk.fail_next(Disk::Call::read, 1);
  EXPECT_EQ(disk.read_at(journal.file, 0, block.bytes).error().code, Errc::io_failed);
  EXPECT_TRUE(disk.read_at(journal.file, 0, block.bytes));
}

TEST(Disk, FailsWritesAsOftenAsAskedAndTearsThem) {
  Journal journal({.faults = {.write_error = 2'000}});
  int failed = 0, torn = 0;
  for (int i = 0; i < 500; ++i) {
    journal.world.disk().overwrite("/journal", 0, std::string(4'096, 'o'));
    Block block('j');
    Watched writing;
    io::write(journal.ring, writing, journal.file, 0, {block.bytes, 4'096});
    io::turn_until(journal.ring, [&] { return writing.ended(); });
    if (writing.last() == 4'096) continue;
    EXPECT_EQ(writing.last(), -EIO);
    ++failed;
    const auto written = std::ranges::count(journal.letters(), 'j');
    torn += written > 0 && written < 8;
  }
  EXPECT_NEAR(failed, 100, 40);
  EXPECT_GT(torn, failed / 2);
}

TEST(Disk, AFailedSyncDropsTheBytesAndTheNextOneLiesAboutThem) {
  int missing = 0, shown = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    World world({.seed = seed});
    Disk& disk = world.disk();
    disk.write_file("/f", std::string(4'096, 'o'));
    const io::File file = disk.open("/f", Mode::read_write).value();
    const std::string fresh(4'096, 'n');
    ASSERT_TRUE(disk.write_at(file, 0, as_bytes(fresh)));
    disk.fail_next(Disk::Call::sync, 1);
    EXPECT_FALSE(disk.sync(file));
    shown += disk.read_file("/f") == fresh;
    EXPECT_TRUE(disk.sync(file));
    world.crash();
    missing += disk.read_file("/f") != fresh;
  }
  EXPECT_GT(missing, 40);
  EXPECT_GT(shown, 20);
}

TEST(Disk, IsFullAtItsCapacityForNewBytesOnly) {
  Journal journal({}, 4);
  Disk& disk = journal.world.disk();
  disk.set_capacity(6 * 4'096);
  EXPECT_EQ(disk.free_bytes("/").value(), 2u * 4'096);
  const io::File file = disk.open("/f", Mode::create).value();
  EXPECT_TRUE(disk.write_at(file, 0, as_bytes(std::string(8'192, 'x'))));
  EXPECT_EQ(disk.write_at(file, 8'192, as_bytes("x")).error().code, Errc::out_of_space);
  EXPECT_TRUE(disk.write_at(file, 0, as_bytes("overwritten")));
  Block block('j');
  Watched inside, beyond;
  io::write(journal.ring, inside, journal.file, 0, block.bytes);
  io::write(journal.ring, beyond, journal.file, 4 * 4'096, block.bytes);
  io::turn_until(journal.ring, [&] { return inside.ended() && beyond.ended(); });
  EXPECT_EQ(inside.last(), 16'384);
  EXPECT_EQ(beyond.last(), -ENOSPC);
  disk.set_capacity(100 * 4'096);
  EXPECT_TRUE(disk.write_at(file, 8'192, as_bytes("x")));
}

TEST(DiskDeathTest, InsistsOnAlignmentAndOnLentBuffers) {
  Journal journal({});
  Block block('j');
  Watched writing;
  EXPECT_DEATH(io::write(journal.ring, writing, journal.file, 512, block.bytes), "alignment");
  EXPECT_DEATH(io::write(journal.ring, writing, journal.file, 0, {block.bytes, 100}), "alignment");
  EXPECT_DEATH(io::write(journal.ring, writing, journal.file, 0, {block.bytes + 8, 4'096}),
               "alignment");
  EXPECT_DEATH(
      {
        io::write(journal.ring, writing, journal.file, 0, block.bytes);
        block.bytes[77] = std::byte{0};  // Still the kernel's.
        io::turn_until(journal.ring, [&] { return writing.ended(); });
      },
      "lent");
}

// --- the stranger's hand -------------------------------------------------------------------------

TEST(Disk, DamageIsExactAndDurable) {
  World world({});
  Disk& disk = world.disk();
  disk.write_file("/dir/f", "abcdef");
  disk.flip_bit("/dir/f", 2, 1);
  EXPECT_EQ(disk.read_file("/dir/f"), "abadef");
  disk.overwrite("/dir/f", 4, "XY");
  disk.copy("/dir/f", "/dir/g");
  disk.truncate("/dir/f", 3);
  world.crash();
  EXPECT_EQ(disk.read_file("/dir/f"), "aba");
  EXPECT_EQ(disk.read_file("/dir/g"), "abadXY");
  disk.erase("/dir/f");
  EXPECT_EQ(disk.files(), std::vector<std::string>{"/dir/g"});
}

TEST(Disk, ASnapshotComesBackAsOftenAsWantedWithWhatWasUnsynced) {
  World world({});
  Disk& disk = world.disk();
  disk.write_file("/f", "first");
  const io::File file = make_file(disk, "/unsynced", "u");
  disk.close(file);
  const Disk::Snapshot snapshot = disk.snapshot();
  std::set<bool> kept;
  for (int i = 0; i < 40; ++i) {
    disk.overwrite("/f", 0, "SECOND");
    disk.erase("/f");
    disk.restore(snapshot);
    EXPECT_EQ(disk.read_file("/f"), "first");
    EXPECT_TRUE(disk.exists("/unsynced"));
    world.crash();
    kept.insert(disk.exists("/unsynced"));
    world.restart();
  }
  EXPECT_EQ(kept.size(), 2u);
}

}  // namespace
}  // namespace ringpost::sim
