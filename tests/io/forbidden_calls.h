#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace ringpost::io {

/// Lets the kernel refuse system calls with `errno_value`, as a container's profile does. For the
/// rest of the process.
inline bool forbid_calls(std::initializer_list<uint32_t> calls, int errno_value) {
  std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const uint32_t call : calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    program.push_back(
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<uint32_t>(errno_value)));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{.len = static_cast<unsigned short>(program.size()),
                          .filter = program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// Runs `check` in a child process where these calls are forbidden.
/// @returns what `check` returned: 0 is good, at most 99; 100 if there can be no filter.
template <typename Check>
int in_child_without(std::initializer_list<uint32_t> calls, int errno_value, const Check& check) {
  const pid_t child = fork();
  if (child == 0) _exit(forbid_calls(calls, errno_value) ? check() : 100);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return 101;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 102;
}

}  // namespace ringpost::io
