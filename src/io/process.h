#pragma once

#include "base/clock.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <signal.h>
#include <string>
#include <string_view>
#include <thread>

namespace ringpost::io {

/// The first thing that each of our programs does: opens descriptors 0 to 2 where the caller closed
/// them, so that no file, socket or lock of ours gets such a number and is written to as if it were
/// standard error. What is opened fails every read and write (EBADF), as a closed one does. And a
/// write beyond the limit of a file's size (RLIMIT_FSIZE) fails with EFBIG instead of ending the
/// process by SIGXFSZ.
void secure_process();

/// What a write that would end at `end` failed for. The kernel cuts a write at the limit of a
/// file's size, and refuses what it leaves of a direct one for not being aligned (EINVAL): that is
/// EFBIG.
int errno_of_write(int errno_value, uint64_t end);

/// For a server, first of all. Of the signals that end a process unless it says otherwise, ignores
/// those that mean nothing to it: SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO,
/// SIGSTKFLT and the real-time ones. SIGHUP waits until somebody asks for it. SIGQUIT says so on
/// standard error, and ends the process.
void ignore_stray_signals();

/// For a server, before its first thread: blocks the signals that mean something to it.
/// @returns them, for sigwait: SIGHUP; and SIGTERM, SIGINT, SIGPWR (the power fails) and SIGXCPU
///          (the time allowed for computing is used up), which ask for a stop. SIGQUIT keeps its
///          meaning: it ends the process at once.
sigset_t block_signals();

/// Runs `work` on a thread. @param name  what `ps -L` and `top -H` show: 15 characters at most.
/// @returns false if the system allows no further one, or has no room for
///          its stack: `explain_thread_failure` says so in words.
bool start_thread(std::thread& thread, const std::string& name, std::function<void()> work);
std::string explain_thread_failure();

/// What the kernel counts for this process.
struct ProcessFigures {
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t descriptors_open = 0;
  uint64_t descriptors_max = 0;  ///< What RLIMIT_NOFILE allows.
  Duration cpu_time{};           ///< Of all threads, in user and kernel mode.
};
/// @returns nothing without /proc. Before Linux 6.2 it lists the open descriptors: some
///          milliseconds for 10,000.
std::optional<ProcessFigures> process_figures();

enum class Written : uint8_t { all, timed_out, failed };

/// Writes `text`, and waits no longer than `time` for whoever reads it (a full pipe). The
/// descriptor stays as it is: others may share it, and its flags.
/// @param text  becomes what is left of it.
Written write_within(int descriptor, std::string_view& text, Duration time);

}  // namespace ringpost::io
