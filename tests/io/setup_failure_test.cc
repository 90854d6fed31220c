#include "io/setup_failure.h"

#include "io/linux_ring.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ringpost::io {
namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(SetupFailure, NamesTheKernelOrTheSettingThatIsNeeded) {
  struct Case {
    int errno_value;
    SystemFacts facts;
    const char* needed;
  };
  const Case cases[] = {
      {ENOSYS, {"5.0.1", {}}, "Linux 6.1 or later"},
      {ENOSYS, {"6.1.0", {}}, "seccomp"},
      {EPERM, {"6.18.0", 2}, "kernel.io_uring_disabled is 2; set it to 0"},
      {EPERM, {"6.18.0", 1}, "kernel.io_uring_group"},
      {EPERM, {"6.18.0", 0}, "seccomp"},
      {EPERM, {"6.1.0", {}}, "seccomp"},
      {EINVAL, {"5.15.0", {}}, "this kernel is 5.15.0"},
      {EOPNOTSUPP, {"5.15.0", {}}, "Linux 6.1 or later"},
      {ENOMEM, {"6.1.0", {}}, "LimitMEMLOCK"},
      {EMFILE, {"6.1.0", {}}, "LimitNOFILE"},
      {EIO, {"6.1.0", {}}, "EIO"},
      {99999, {"6.1.0", {}}, "error 99999"},
  };
  for (const Case& each : cases) {
    const std::string text = setup_failure_text(each.errno_value, each.facts);
    EXPECT_TRUE(contains(text, "io_uring")) << text;
    EXPECT_TRUE(contains(text, each.needed)) << text;
    EXPECT_FALSE(contains(text, "\n")) << text;
  }
}

/// Lets the kernel refuse io_uring_setup with `errno_value`, as a container's profile does. For the
/// rest of the process.
bool forbid_io_uring(uint32_t errno_value) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errno_value),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = 4, .filter = program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// Goal: a forbidden or missing io_uring is an error with its cause, not a crash.
// Method: a child process installs the filter and reports what `create` said.
TEST(SetupFailure, CreateReportsAForbiddenRing) {
  for (const int errno_value : {EPERM, ENOSYS}) {
    const pid_t child = fork();
    if (child == 0) {
      if (!forbid_io_uring(static_cast<uint32_t>(errno_value))) _exit(2);
      const auto ring = LinuxRing::create({});
      if (ring || ring.error().code != Errc::unsupported) _exit(3);
      if (ring.error().detail != errno_value) _exit(4);
      _exit(contains(explain_setup_failure(ring.error()), "seccomp") ? 0 : 5);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
}

}  // namespace
}  // namespace ringpost::io
