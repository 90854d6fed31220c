#pragma once

#include "io/engine.h"
#include "io/epoll_ring.h"
#include "io/linux_ring.h"
#include "io/posix_disk.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

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

inline std::unique_ptr<EpollRing> make_epoll_ring(const EpollRing::Options& options = {}) {
  auto ring = EpollRing::create(options);
  if (!ring) {
    ADD_FAILURE() << explain_epoll_failure(ring.error());
    std::abort();
  }
  return std::move(*ring);
}

inline std::unique_ptr<Ring> make_ring(Engine engine) {
  if (engine == Engine::epoll) return make_epoll_ring();
  return make_ring();
}

/// The contract's world on this machine's kernel (ring_contract.h).
class KernelWorld {
 public:
  explicit KernelWorld(std::unique_ptr<Ring> ring) : ring_(std::move(ring)) {}

  Ring& ring() { return *ring_; }
  Disk& disk() { return disk_; }
  const std::string& directory() { return directory_.path(); }
  Address listen_address() { return Address::parse("127.0.0.1:0").value(); }

 private:
  TemporaryDirectory directory_;
  PosixDisk disk_;
  std::unique_ptr<Ring> ring_;
};

class LinuxWorld : public KernelWorld {
 public:
  explicit LinuxWorld(const LinuxRing::Options& options = {}) : KernelWorld(make_ring(options)) {}
};

class EpollWorld : public KernelWorld {
 public:
  explicit EpollWorld(const EpollRing::Options& options = {})
      : KernelWorld(make_epoll_ring(options)) {}
};

}  // namespace ringpost::io
