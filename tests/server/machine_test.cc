// Goal: the memory that a relay may use is the smallest of all limits on its way, wherever they are
// written. Method: a /proc and a /sys/fs/cgroup of files.

#include "server/machine.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

namespace ringpost::server {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t mib = uint64_t{1} << 20;

class MachineTest : public testing::Test {
 protected:
  MachineTest()
      : place_(fs::temp_directory_path() / ("ringpost-machine-" + std::to_string(getpid()))) {
    fs::remove_all(place_);
    write("proc/meminfo", "MemTotal:       2097152 kB\nMemFree:  1 kB\n");
  }
  ~MachineTest() override { fs::remove_all(place_); }

  void write(const std::string& file, const std::string& text) {
    fs::create_directories((place_ / file).parent_path());
    std::ofstream{place_ / file} << text;
  }
  Machine read() const {
    Machine machine;
    read_memory_limits((place_ / "proc").string(), (place_ / "cgroup").string(), machine);
    return machine;
  }

 private:
  fs::path place_;
};

TEST_F(MachineTest, HasItsMemory) {
  EXPECT_EQ(read().memory_bytes, 2048 * mib);
  EXPECT_EQ(read().memory_limit, "the machine's memory");
}

TEST_F(MachineTest, HasTheLimitOfItsCgroup) {
  write("proc/self/cgroup", "0::/system.slice/ringpost.service\n");
  write("cgroup/system.slice/ringpost.service/memory.max", "268435456\n");
  write("cgroup/system.slice/ringpost.service/memory.high", "max\n");
  EXPECT_EQ(read().memory_bytes, 256 * mib);
  EXPECT_NE(read().memory_limit.find("ringpost.service/memory.max"), std::string::npos);
  write("cgroup/system.slice/ringpost.service/memory.high", "134217728\n");
  EXPECT_EQ(read().memory_bytes, 128 * mib);
}

TEST_F(MachineTest, HasTheLimitsOfAllThatItsCgroupIsIn) {
  write("proc/self/cgroup", "0::/a/b/c\n");
  write("cgroup/a/b/c/memory.max", "max\n");
  write("cgroup/a/memory.max", "104857600\n");
  EXPECT_EQ(read().memory_bytes, 100 * mib);
}

// A container sees its own cgroup as the root, under a path of the world outside.
TEST_F(MachineTest, HasTheLimitAtTheRootThatAContainerSees) {
  write("proc/self/cgroup", "4:cpu,memory:/docker/0123\n0::/docker/0123\n");
  write("cgroup/memory/memory.limit_in_bytes", "67108864\n");
  EXPECT_EQ(read().memory_bytes, 64 * mib);
}

TEST_F(MachineTest, HasTheLimitOfAnOlderCgroup) {
  write("proc/self/cgroup", "3:cpuset:/x\n4:memory:/relay\n0::/\n");
  write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("cgroup/memory/relay/memory.limit_in_bytes", "268435456\n");
  EXPECT_EQ(read().memory_bytes, 256 * mib);
}

TEST_F(MachineTest, IsNotConfusedByWhatItCannotRead) {
  write("proc/self/cgroup", "\n:\n::\nx\n0::\n0::relative\n7:memory\n4:memory:/none\n");
  write("cgroup/memory/none/memory.limit_in_bytes", "unlimited\n");
  EXPECT_EQ(read().memory_bytes, 2048 * mib);
}

}  // namespace
}  // namespace ringpost::server
