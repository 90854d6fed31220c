#pragma once

#include "base/clock.h"
#include "io/address.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::server {

/// What the service manager (systemd) that started this process hears of it: datagrams to the
/// socket in NOTIFY_SOCKET, as sd_notify(3) describes them. Without that variable nothing is sent.
///
/// The protocol is a few lines of text, so there is no library: libsystemd would bring liblzma,
/// libzstd and others into the relay's process.
///
/// Thread safety: all but construction from any thread.
class ServiceManager {
 public:
  /// Reads the environment.
  ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;
  ~ServiceManager();

  /// Why nothing can be sent although it is wanted; empty if all is well.
  const std::string& problem() const { return problem_; }

  /// The relay serves. @param status  one line for `systemctl status`.
  void ready(std::string_view status) const;
  /// A reload begins; `ready` ends it.
  void reloading() const;
  /// The stop begins, and takes at most `time`.
  void stopping(Duration time) const;
  /// The start goes on, and speaks again within `time`.
  void extend_start(Duration time) const;
  /// Nothing hangs; see `watchdog_interval`.
  void alive() const;

  /// How often `alive` is due: half of the time after which the service is restarted. Nothing: no
  /// watchdog.
  std::optional<Duration> watchdog_interval() const { return watchdog_interval_; }

 private:
  void notify(const std::string& text) const;

  std::string address_;  ///< As sockaddr_un::sun_path has it; empty: nobody listens.
  int socket_ = -1;
  std::string problem_;
  std::optional<Duration> watchdog_interval_;
};

/// Takes the sockets that the service manager passes (LISTEN_FDS, sd_listen_fds(3)), if they are
/// meant for this process: listeners at their addresses use them from then on (io::adopt_listener).
/// Before the first ring.
/// @param configured  where the relay is to listen: each passed socket must be at one of these.
/// @returns a problem; empty if all is well.
std::string adopt_passed_sockets(const std::vector<io::Address>& configured);

/// Whether standard error goes to the journal of systemd itself (JOURNAL_STREAM), which reads a
/// priority in front of each line.
bool logs_to_journal();

/// Judges whether threads still turn. Each look wakes every thread once, so that one that sleeps
/// can show that it is well.
class Watchdog {
 public:
  struct Thread {
    std::string name;
    std::function<uint64_t()> turns;  ///< How many it has made; from any thread.
    std::function<void()> wake;       ///< It then makes one, if it is well.
  };

  /// Wakes all of them.
  explicit Watchdog(std::vector<Thread> threads);

  /// @returns the names of those that have made no turn since the last look; wakes all again.
  std::vector<std::string> look();

 private:
  struct Seen {
    Thread thread;
    uint64_t turns = 0;
  };

  std::vector<Seen> threads_;
};

}  // namespace ringpost::server
