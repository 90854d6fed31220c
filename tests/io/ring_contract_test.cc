#include "ring_contract.h"

#include "linux_world.h"

namespace ringpost::io {
namespace {

/// Everything scarce: one-entry-deep queues of submissions overflow into memory, and each receive
/// finds its group empty sooner or later.
class ScarceLinuxWorld : public LinuxWorld {
 public:
  ScarceLinuxWorld()
      : LinuxWorld({.sq_entries = 2,
                    .cq_entries = 4,
                    .ingress_buffers = 2,
                    .ingress_buffer_bytes = 1024,
                    .reply_buffers = 1,
                    .reply_buffer_bytes = 512,
                    .buffers_circulating_first = 1}) {}
};

/// Looks for completions a while before it sleeps.
class SpinningLinuxWorld : public LinuxWorld {
 public:
  SpinningLinuxWorld() : LinuxWorld({.spin = std::chrono::microseconds{50}}) {}
};

/// Each message takes several receives, and files have no thread to spare.
class ScarceEpollWorld : public EpollWorld {
 public:
  ScarceEpollWorld() : EpollWorld({.receive_bytes = 512, .file_threads = 2}) {}
};

using Worlds =
    testing::Types<LinuxWorld, ScarceLinuxWorld, SpinningLinuxWorld, EpollWorld, ScarceEpollWorld>;
INSTANTIATE_TYPED_TEST_SUITE_P(Linux, RingContract, Worlds);

}  // namespace
}  // namespace ringpost::io
