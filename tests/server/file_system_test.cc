#include "server/file_system.h"

#include <gtest/gtest.h>

#include <linux/magic.h>

namespace ringpost::server {
namespace {

using Verdict = Finding::Verdict;

TEST(FileSystem, KnowsWhichFileSystemsKeepAJournal) {
  EXPECT_EQ(judge_file_system(EXT4_SUPER_MAGIC).verdict, Verdict::ok);
  EXPECT_EQ(judge_file_system(0x123456).verdict, Verdict::ok);  // Unknown is not wrong.
  EXPECT_EQ(judge_file_system(TMPFS_MAGIC).verdict, Verdict::warning);
  EXPECT_EQ(judge_file_system(OVERLAYFS_SUPER_MAGIC).verdict, Verdict::warning);
  EXPECT_EQ(judge_file_system(NFS_SUPER_MAGIC).verdict, Verdict::failure);
  // What statfs gives for CIFS and SMB2 is negative.
  EXPECT_EQ(
      judge_file_system(static_cast<uint64_t>(static_cast<int32_t>(CIFS_SUPER_MAGIC))).verdict,
      Verdict::failure);
}

TEST(FileSystem, OfTheNetworkIsRefusedWithTheWayAroundIt) {
  for (const uint64_t type : {uint64_t{EXT4_SUPER_MAGIC}, uint64_t{TMPFS_MAGIC},
                              uint64_t{OVERLAYFS_SUPER_MAGIC}, uint64_t{0x123456}}) {
    EXPECT_EQ(object_to_file_system("/data", type), "") << type;
  }
  const std::string objection = object_to_file_system("/data", NFS_SUPER_MAGIC);
  EXPECT_NE(objection.find("/data is on NFS"), std::string::npos) << objection;
  EXPECT_NE(objection.find("journal.accept_network_disk"), std::string::npos) << objection;
  EXPECT_EQ(object_to_file_system("/no/such/directory"), "");
}

}  // namespace
}  // namespace ringpost::server
