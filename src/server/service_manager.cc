#include "server/service_manager.h"

#include "base/log.h"
#include "base/result.h"
#include "io/listener.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace ringpost::server {
namespace {

/// The first descriptor that a service manager passes (SD_LISTEN_FDS_START).
constexpr int first_passed = 3;
/// How long a message waits for a manager that does not read.
constexpr timeval send_time{.tv_sec = 1, .tv_usec = 0};

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view{} : std::string_view{value};
}

std::optional<uint64_t> number_in(const char* name) {
  const std::string_view text = variable(name);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string microseconds(Duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

bool is_for_us(const char* pid_variable) {
  return number_in(pid_variable) == static_cast<uint64_t>(getpid());
}

std::optional<Duration> read_watchdog_interval() {
  const auto time_us = number_in("WATCHDOG_USEC");
  const bool others = !variable("WATCHDOG_PID").empty() && !is_for_us("WATCHDOG_PID");
  if (!time_us || *time_us == 0 || *time_us > uint64_t{INT64_MAX} / 1000 || others) {
    return std::nullopt;
  }
  return Duration{std::chrono::microseconds{*time_us}} / 2;
}

/// `systemd names it "relay"`, or nothing: FileDescriptorName=.
std::string name_of_passed(size_t index) {
  std::string_view names = variable("LISTEN_FDNAMES");
  for (; index > 0 && !names.empty(); --index) {
    const size_t colon = names.find(':');
    names = colon == std::string_view::npos ? std::string_view{} : names.substr(colon + 1);
  }
  const std::string_view name = names.substr(0, names.find(':'));
  return name.empty() ? "" : " (\"" + std::string{name} + "\")";
}

std::string in_words(const std::vector<io::Address>& addresses) {
  std::string list;
  for (const io::Address& each : addresses) list += (list.empty() ? "" : ", ") + each.to_text();
  return list;
}

/// @returns a problem; empty if it is a listener's.
std::string adopt(int descriptor, const std::string& name,
                  const std::vector<io::Address>& configured) {
  const auto address = io::adopt_listener(descriptor);
  if (!address) {
    const std::string passed =
        "descriptor " + std::to_string(descriptor) + name + ", which the service manager passes, ";
    if (address.error().code == Errc::conflict) {
      return passed +
             "has the address of another one that it passes: list the address once in the "
             "socket unit";
    }
    return passed +
           "is not a listening stream socket: the socket unit may only have ListenStream= "
           "with addresses, and no Accept=yes";
  }
  const auto is_it = [&](const io::Address& each) { return io::same_address(each, *address); };
  if (std::ranges::any_of(configured, is_it)) return {};
  return "the service manager passes a socket at " + address->to_text() + name +
         ", but no [[listener]] has this address: add one, or change ListenStream= of the socket "
         "unit; configured: " +
         in_words(configured);
}

}  // namespace

// --- messages ------------------------------------------------------------------------------------

ServiceManager::ServiceManager() : address_(variable("NOTIFY_SOCKET")) {
  if (address_.empty()) return;
  const bool known = address_.front() == '/' || address_.front() == '@';
  if (!known || address_.size() >= sizeof(sockaddr_un::sun_path)) {
    problem_ = "NOTIFY_SOCKET=" + address_ +
               " is neither a path nor an abstract address: the service manager hears nothing";
    address_.clear();
    return;
  }
  if (address_.front() == '@') address_.front() = '\0';
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_ >= 0) setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &send_time, sizeof send_time);
  watchdog_interval_ = read_watchdog_interval();
}

ServiceManager::~ServiceManager() {
  if (socket_ >= 0) ::close(socket_);
}

void ServiceManager::notify(const std::string& text) const {
  if (socket_ < 0) return;
  sockaddr_un to{.sun_family = AF_UNIX, .sun_path = {}};
  std::memcpy(to.sun_path, address_.data(), address_.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  ssize_t sent = 0;
  do {
    sent = sendto(socket_, text.data(), text.size(), MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&to), size);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return;
  log_warning(
      "the service manager does not hear " + text.substr(0, text.find('\n')) + ": " +
      (errno == EAGAIN ? "it does not read" : describe(error_from_errno(errno, Side::self))));
}

void ServiceManager::ready(std::string_view status) const {
  notify("READY=1\nSTATUS=" + std::string{status} + "\nMAINPID=" + std::to_string(getpid()));
}

void ServiceManager::reloading() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const Duration time = std::chrono::seconds{now.tv_sec} + Duration{now.tv_nsec};
  notify("RELOADING=1\nMONOTONIC_USEC=" + microseconds(time) +
         "\nSTATUS=reading the configuration");
}

void ServiceManager::stopping(Duration time) const {
  notify("STOPPING=1\nSTATUS=stopping: waiting for deliveries in flight\nEXTEND_TIMEOUT_USEC=" +
         microseconds(time));
}

void ServiceManager::extend_start(Duration time) const {
  notify("STATUS=reading the journals\nEXTEND_TIMEOUT_USEC=" + microseconds(time));
}

void ServiceManager::alive() const {
  notify("WATCHDOG=1");
}

// --- what is passed ------------------------------------------------------------------------------

std::string adopt_passed_sockets(const std::vector<io::Address>& configured) {
  const auto count = number_in("LISTEN_FDS");
  if (!count || !is_for_us("LISTEN_PID")) return {};
  if (*count > 1000) return "LISTEN_FDS=" + std::to_string(*count) + " is not a count of sockets";
  for (size_t index = 0; index < *count; ++index) {
    std::string problem =
        adopt(first_passed + static_cast<int>(index), name_of_passed(index), configured);
    if (!problem.empty()) return problem;
  }
  return {};
}

bool logs_to_journal() {
  struct stat status {};
  if (fstat(STDERR_FILENO, &status) != 0) return false;
  const std::string stream = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  return variable("JOURNAL_STREAM") == stream;
}

// --- the watchdog --------------------------------------------------------------------------------

Watchdog::Watchdog(std::vector<Thread> threads) {
  for (Thread& thread : threads) {
    const uint64_t turns = thread.turns();
    threads_.push_back({std::move(thread), turns});
    threads_.back().thread.wake();
  }
}

std::vector<std::string> Watchdog::look() {
  std::vector<std::string> stuck;
  for (Seen& seen : threads_) {
    const uint64_t turns = seen.thread.turns();
    if (std::exchange(seen.turns, turns) == turns) stuck.push_back(seen.thread.name);
    seen.thread.wake();
  }
  return stuck;
}

}  // namespace ringpost::server
