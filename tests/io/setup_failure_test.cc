#include "io/setup_failure.h"

#include "forbidden_calls.h"
#include "io/linux_ring.h"

#include <gtest/gtest.h>

#include <cerrno>

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

// Goal: a forbidden or missing io_uring is an error with its cause, not a crash.
// Method: a child process installs the filter and reports what `create` said.
TEST(SetupFailure, CreateReportsAForbiddenRing) {
  for (const int errno_value : {EPERM, ENOSYS}) {
    EXPECT_EQ(in_child_without({SYS_io_uring_setup}, errno_value,
                               [errno_value] {
                                 const auto ring = LinuxRing::create({});
                                 if (ring || ring.error().code != Errc::unsupported) return 3;
                                 if (ring.error().detail != errno_value) return 4;
                                 const std::string text = explain_setup_failure(ring.error());
                                 return contains(text, "seccomp") ? 0 : 5;
                               }),
              0);
  }
}

}  // namespace
}  // namespace ringpost::io
