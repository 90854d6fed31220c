#include "io/process.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <system_error>
#include <time.h>
#include <unistd.h>
#include <utility>

namespace ringpost::io {
namespace {

Instant read_clock() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Instant{std::chrono::seconds{now.tv_sec} + Duration{now.tv_nsec}};
}

/// The lowest free descriptor is taken, which is the closed one: those below are open by now.
void open_if_closed(int descriptor) {
  if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) return;
  const int direction = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;
  if (open("/dev/null", direction) == descriptor) return;
  if (open("/", O_PATH | O_DIRECTORY) != descriptor) _exit(1);  // A root without /dev.
}

/// Until something can be written without waiting.
Written wait_writable(int descriptor, Instant deadline) {
  while (true) {
    const Duration left = std::max(deadline - read_clock(), Duration::zero());
    const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    pollfd waiting{.fd = descriptor, .events = POLLOUT, .revents = 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left_ms, INT_MAX)));
    if (ready > 0) return Written::all;  // Or it is broken: the write says so.
    if (ready == 0) return Written::timed_out;
    if (errno != EINTR) return Written::failed;
  }
}

/// The last word before the end that the signal asks for. In a signal handler: so it neither waits
/// nor allocates.
void on_quit(int number) {
  constexpr std::string_view text =
      "ringpost: SIGQUIT: ended at once; nothing that was acknowledged is lost\n";
  pollfd ready{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (poll(&ready, 1, 0) > 0) {
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
  }
  raise(number);  // SA_RESETHAND: the default action, when this handler returns.
}

}  // namespace

void secure_process() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    open_if_closed(descriptor);
  }
  signal(SIGXFSZ, SIG_IGN);
}

int errno_of_write(int errno_value, uint64_t end) {
  rlimit limit;
  const bool cut = errno_value == EINVAL && getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
                   limit.rlim_cur != RLIM_INFINITY && end > limit.rlim_cur;
  return cut ? EFBIG : errno_value;
}

void ignore_stray_signals() {
  for (const int number :
       {SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGSTKFLT}) {
    signal(number, SIG_IGN);
  }
  for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) signal(number, SIG_IGN);
  struct sigaction quit {};
  quit.sa_handler = on_quit;
  quit.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGQUIT, &quit, nullptr);
  sigset_t reload;
  sigemptyset(&reload);
  sigaddset(&reload, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &reload, nullptr);
}

sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGHUP, SIGTERM, SIGINT, SIGPWR, SIGXCPU}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

namespace {

/// Two numbers of /proc/self/statm, in pages: all, and what is resident.
bool read_memory(ProcessFigures& figures) {
  const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  char text[128];
  const ssize_t size = read(file, text, sizeof text);
  close(file);
  if (size <= 0) return false;
  const char* const end = text + size;
  const auto whole = std::from_chars(text, end, figures.virtual_bytes);
  if (whole.ptr == end) return false;
  if (std::from_chars(whole.ptr + 1, end, figures.resident_bytes).ec != std::errc{}) return false;
  const auto page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  figures.virtual_bytes *= page_bytes;
  figures.resident_bytes *= page_bytes;
  return true;
}

/// Since Linux 6.2 the directory's size is the number of descriptors.
uint64_t count_descriptors() {
  constexpr const char* path = "/proc/self/fd";
  struct stat found {};
  if (stat(path, &found) == 0 && found.st_size > 0) return static_cast<uint64_t>(found.st_size);
  DIR* const directory = opendir(path);
  if (directory == nullptr) return 0;
  uint64_t count = 0;
  while (const dirent* entry = readdir(directory)) count += entry->d_name[0] != '.';
  closedir(directory);
  return count - 1;  // Without the directory's own.
}

Duration duration_of(const timeval& time) {
  return std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_usec};
}

}  // namespace

bool start_thread(std::thread& thread, const std::string& name, std::function<void()> work) {
  try {
    thread = std::thread{[name, work = std::move(work)] {
      pthread_setname_np(pthread_self(), name.c_str());
      work();
    }};
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

std::string explain_thread_failure() {
  return "no further thread can be started; raise the limit of processes (ulimit -u, TasksMax, the "
         "container's limit of pids), of open files (ulimit -n) or of address space (ulimit -v)";
}

std::optional<ProcessFigures> process_figures() {
  ProcessFigures figures;
  if (!read_memory(figures)) return std::nullopt;
  figures.descriptors_open = count_descriptors();
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) figures.descriptors_max = files.rlim_cur;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    figures.cpu_time = duration_of(usage.ru_utime) + duration_of(usage.ru_stime);
  }
  return figures;
}

Written write_within(int descriptor, std::string_view& text, Duration time) {
  const Instant deadline = read_clock() + time;
  while (!text.empty()) {
    const Written ready = wait_writable(descriptor, deadline);
    if (ready != Written::all) return ready;
    // A pipe that is ready takes this many bytes at once (POSIX, poll and PIPE_BUF).
    const ssize_t written = write(descriptor, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
    if (written > 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      return Written::failed;
    }
  }
  return Written::all;
}

}  // namespace ringpost::io
