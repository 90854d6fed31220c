#include "io/setup_failure.h"

#include "io/linux_ring.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <sys/utsname.h>

namespace ringpost::io {

namespace {

constexpr std::string_view subject = "io_uring is not available: ";

SystemFacts read_system_facts() {
  SystemFacts facts;
  utsname system{};
  if (uname(&system) == 0) facts.kernel_release = system.release;
  const std::unique_ptr<FILE, int (*)(FILE*)> setting{
      std::fopen("/proc/sys/kernel/io_uring_disabled", "re"), std::fclose};
  int value = 0;
  if (setting && std::fscanf(setting.get(), "%d", &value) == 1) facts.io_uring_disabled = value;
  return facts;
}

std::string forbidden_text(const SystemFacts& facts) {
  if (facts.io_uring_disabled == 2) {
    return "the sysctl kernel.io_uring_disabled is 2; set it to 0";
  }
  if (facts.io_uring_disabled == 1) {
    return "the sysctl kernel.io_uring_disabled is 1; set it to 0, or run ringpost in the group "
           "named by kernel.io_uring_group";
  }
  return "the system call is forbidden, by a seccomp filter or a security module; allow "
         "io_uring_setup, io_uring_enter and io_uring_register (in a container: with its seccomp "
         "profile)";
}

}  // namespace

std::string setup_failure_text(int errno_value, const SystemFacts& facts) {
  const std::string text{subject};
  const std::string kernel = "this kernel is " + facts.kernel_release;
  switch (errno_value) {
    case ENOSYS:
      return text +
             "the kernel does not have it, or a seccomp filter hides it; it needs Linux 6.1 or "
             "later (" +
             kernel + ")";
    case EPERM:
    case EACCES: return text + forbidden_text(facts);
    case EINVAL:
    case EOPNOTSUPP:
      return text + "the kernel lacks features of it that ringpost needs; Linux 6.1 or later has " +
             "them (" + kernel + ")";
    case ENOMEM:
      return text +
             "no memory for its queues; raise the limit on locked memory (ulimit -l, systemd "
             "LimitMEMLOCK=) or the memory of the machine or container";
    case EMFILE:
    case ENFILE:
      return text + "too many open files; raise the limit (ulimit -n, systemd LimitNOFILE=)";
    default: {
      const char* symbol = strerrorname_np(errno_value);
      return text + (symbol != nullptr ? symbol : "error " + std::to_string(errno_value)) +
             "; it needs Linux 6.1 or later (" + kernel + ")";
    }
  }
}

std::string explain_setup_failure(const Error& error) {
  return setup_failure_text(error.detail, read_system_facts());
}

}  // namespace ringpost::io
