#include "io/process.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>
#include <signal.h>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Goal: nothing that the caller closed, fills or sends us writes into our files, holds us up or
// ends us. Method: children that are treated so, and pipes that nobody reads.

namespace ringpost::io {
namespace {

using std::chrono::milliseconds;

/// Runs `work` in a child. @returns the child's wait status.
template <typename Work>
int in_child(Work work) {
  const pid_t child = fork();
  if (child == 0) _exit(work());
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST(Process, OpensWhatTheCallerClosedAndLetsNothingThrough) {
  for (unsigned closed = 1; closed < 8; ++closed) {
    const int status = in_child([closed] {
      for (int descriptor = 0; descriptor < 3; ++descriptor) {
        if ((closed & (1u << descriptor)) != 0) close(descriptor);
      }
      secure_process();
      char byte = 'x';
      for (int descriptor = 0; descriptor < 3; ++descriptor) {
        if (fcntl(descriptor, F_GETFD) < 0) return 1;
        if ((closed & (1u << descriptor)) == 0) continue;
        const ssize_t moved = descriptor == 0 ? read(0, &byte, 1) : write(descriptor, &byte, 1);
        if (moved >= 0 || errno != EBADF) return 2;
      }
      return open("/dev/null", O_RDONLY) > 2 ? 0 : 3;
    });
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0) << closed;
  }
}

TEST(Process, HearsOfAFileThatGrowsTooLarge) {
  const int status = in_child([] {
    secure_process();
    const rlimit small{.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &small) != 0) return 1;
    std::string name = testing::TempDir() + "process-XXXXXX";
    const int file = mkstemp(name.data());
    unlink(name.c_str());
    const std::string page(4096, 'x');
    if (write(file, page.data(), page.size()) != 4096) return 2;
    return write(file, page.data(), page.size()) == -1 && errno == EFBIG ? 0 : 3;
  });
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Process, OutlivesSignalsThatMeanNothing) {
  const int status = in_child([] {
    ignore_stray_signals();
    const sigset_t waited_for = block_signals();
    for (int number = 1; number <= SIGRTMAX; ++number) {
      const bool internal = number > SIGSYS && number < SIGRTMIN;  // The C library's own.
      const bool fault = number == SIGILL || number == SIGTRAP || number == SIGABRT ||
                         number == SIGBUS || number == SIGFPE || number == SIGSEGV ||
                         number == SIGSYS;
      const bool final = number == SIGKILL || number == SIGQUIT;
      const bool stopping = number == SIGSTOP || number == SIGTSTP || number == SIGTTIN ||
                            number == SIGTTOU || number == SIGXFSZ;  // secure_process.
      if (!internal && !fault && !final && !stopping) raise(number);
    }
    int asked_for = 0;
    for (int number = 0; asked_for < 5; ++asked_for) {
      const timespec none{};
      siginfo_t info;
      number = sigtimedwait(&waited_for, &info, &none);
      if (number < 0) break;
    }
    return asked_for;  // SIGHUP, SIGTERM, SIGINT, SIGPWR, SIGXCPU.
  });
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 5);
}

// Goal: a process that is told to quit says so, and waits for nobody who reads it.
TEST(Process, SaysThatItQuits) {
  for (const bool full : {false, true}) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    const std::string filler(65536, 'x');
    if (full) {
      while (write(ends[1], filler.data(), filler.size()) > 0) {
      }
    }
    const int status = in_child([&] {
      dup2(ends[1], STDERR_FILENO);
      ignore_stray_signals();
      block_signals();
      raise(SIGQUIT);
      return 0;
    });
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT) << status;
    std::string said(4096, ' ');
    said.resize(static_cast<size_t>(std::max<ssize_t>(read(ends[0], said.data(), 4096), 0)));
    EXPECT_EQ(said.find("SIGQUIT") != std::string::npos, !full) << said;
    close(ends[0]);
    close(ends[1]);
  }
}

TEST(Process, WritesToAPipeThatNobodyReadsAsMuchAsItTakes) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  fcntl(ends[1], F_SETPIPE_SZ, 65536);
  const std::string text(100'000, 'x');
  std::string_view left = text;
  EXPECT_EQ(write_within(ends[1], left, milliseconds{20}), Written::timed_out);
  EXPECT_EQ(text.size() - left.size(), 65536u);
  EXPECT_EQ(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0) << "others may share it";
  std::string taken(40'000, ' ');
  ASSERT_EQ(read(ends[0], taken.data(), taken.size()), 40'000);
  EXPECT_EQ(write_within(ends[1], left, milliseconds{20}), Written::all);
  EXPECT_TRUE(left.empty());
  close(ends[0]);
  signal(SIGPIPE, SIG_IGN);
  left = text;
  EXPECT_EQ(write_within(ends[1], left, milliseconds{20}), Written::failed);
  close(ends[1]);
  EXPECT_EQ(write_within(ends[1], left, milliseconds{20}), Written::failed);
}

TEST(Process, CountsWhatItUses) {
  const auto before = process_figures();
  ASSERT_TRUE(before);
  EXPECT_GT(before->resident_bytes, 100'000u);
  EXPECT_GT(before->virtual_bytes, before->resident_bytes);
  rlimit files{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  EXPECT_EQ(before->descriptors_max, files.rlim_cur);
  int opened[3];
  for (int& descriptor : opened) descriptor = open("/dev/null", O_RDONLY);
  EXPECT_EQ(process_figures()->descriptors_open, before->descriptors_open + 3);
  for (const int descriptor : opened) close(descriptor);
  EXPECT_EQ(process_figures()->descriptors_open, before->descriptors_open);
  uint64_t work = 1;
  while (process_figures()->cpu_time == before->cpu_time) work = work * 3 + 1;
  EXPECT_GT(process_figures()->cpu_time, before->cpu_time) << work;
}

}  // namespace
}  // namespace ringpost::io
