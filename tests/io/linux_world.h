#pragma once

#include "io/linux_ring.h"
#include "io/posix_disk.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

namespace ringpost::io {

/// A directory of its own for a test, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(std::filesystem::temp_directory_path() / "ringpost-io-XXXXXX") {
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::unique_ptr<LinuxRing> make_ring(const LinuxRing::Options& options = {}) {
  auto ring = LinuxRing::create(options);
  if (!ring) {
    ADD_FAILURE() << explain_setup_failure(ring.error());
    std::abort();
  }
  return std::move(*ring);
}

/// The contract's world on this machine's kernel (ring_contract.h).
class LinuxWorld {
 public:
  explicit LinuxWorld(const LinuxRing::Options& options = {}) : ring_(make_ring(options)) {}

  Ring& ring() { return *ring_; }
  Disk& disk() { return disk_; }
  const std::string& directory() { return directory_.path(); }
  Address listen_address() { return Address::parse("127.0.0.1:0").value(); }

  LinuxRing& linux_ring() { return *ring_; }

 private:
  TemporaryDirectory directory_;
  PosixDisk disk_;
  std::unique_ptr<LinuxRing> ring_;
};

}  // namespace ringpost::io
