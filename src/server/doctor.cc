#include "server/doctor.h"

#include "base/json_writer.h"
#include "io/engine.h"
#include "io/listener.h"
#include "io/process.h"
#include "io/read_file.h"
#include "server/budgets.h"
#include "server/data_directory.h"
#include "server/file_system.h"
#include "server/helper_thread.h"
#include "server/key_file.h"
#include "server/own_servers.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <list>
#include <semaphore>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace ringpost::server {
namespace {

using Verdict = Finding::Verdict;

constexpr Duration slow_write = std::chrono::milliseconds{10};
constexpr uint64_t descriptors_few = 4096;
constexpr uint64_t store_room = uint64_t{8} << 20;
/// Of a relay besides its shards: control, journal, passwords, store, names, log.
constexpr uint32_t threads_besides = 6;

// --- the system ----------------------------------------------------------------------------------

Finding examine_kernel() {
  utsname name{};
  uname(&name);
  return judge_kernel(name.release);
}

Finding judge_ring(const io::OpenedRing& opened) {
  if (opened.ring == nullptr) {
    return failure("io_uring", opened.problem, "see \"Needs\" and \"In a container\" in README.md");
  }
  if (opened.engine == io::Engine::io_uring) return ok("io_uring", "works");
  if (opened.remark.empty()) return ok("io_uring", "not used: server.engine is epoll");
  return warning("io_uring", opened.remark,
                 "nothing has to be done: the relay runs on epoll, which costs more CPU");
}

/// Starts as many as a relay has, and ends them.
Finding examine_threads(uint32_t shards, io::Engine engine) {
  const uint32_t of_shard = engine == io::Engine::epoll ? 1 + io::file_threads_of_ring : 1;
  const uint32_t wanted = shards * of_shard + threads_besides;
  std::counting_semaphore<> end{0};
  std::list<std::thread> threads;
  bool started = true;
  while (started && threads.size() < wanted) {
    started = io::start_thread(threads.emplace_back(), "doctor", [&end] { end.acquire(); });
    if (!started) threads.pop_back();
  }
  end.release(static_cast<std::ptrdiff_t>(threads.size()));
  for (std::thread& thread : threads) thread.join();
  if (started) return ok("threads", std::to_string(wanted) + " can be started");
  return failure("threads",
                 "only " + std::to_string(threads.size()) + " of " + std::to_string(wanted) +
                     " can be started",
                 "raise the limit of processes: ulimit -u, TasksMax of systemd, or the "
                 "container's limit of pids");
}

Finding examine_memory(const Budgets& budgets) {
  if (std::string text = object_to(budgets); !text.empty()) {
    return failure("memory", std::move(text), "give it more memory");
  }
  if (std::string text = warning_of(budgets); !text.empty()) {
    return warning("memory", std::move(text), "change the configuration as it says");
  }
  const control::MemoryLimits& limits = budgets.limits;
  return ok("memory", "up to " + in_mib(limits.memory_total) + " of " + in_mib(limits.memory_max) +
                          " (" + budgets.memory_limit + ") for " + std::to_string(limits.shards) +
                          (limits.shards == 1 ? " shard" : " shards"));
}

Finding examine_descriptors(const Machine& machine, const Budgets& budgets) {
  std::string text = std::to_string(machine.descriptors) +
                     " open files allowed: " + std::to_string(budgets.limits.connections_max) +
                     " connections in and " +
                     std::to_string(budgets.limits.delivery_connections_max) +
                     " out for each shard";
  if (machine.descriptors >= descriptors_few) return ok("open files", std::move(text));
  return warning("open files", std::move(text),
                 "raise the limit: ulimit -n, or LimitNOFILE of systemd");
}

Finding examine_user() {
  if (geteuid() != 0) return ok("user", "number " + std::to_string(geteuid()) + ", not root");
  return warning("user", "root", "run the relay as another user: it needs no rights of root");
}

Finding examine_clock() {
  if (!is_set(wall_clock_now())) {
    return failure("clock", "it is wrong: it shows a time before 2025",
                   "set it: signatures and tokens have times, and receivers refuse old ones");
  }
  timex state{};
  const bool is_known = adjtimex(&state) >= 0;
  if (is_known && (state.status & STA_UNSYNC) == 0) return ok("clock", "is synchronized");
  return warning("clock", "the kernel does not know whether it is right: nothing synchronizes it",
                 "run chronyd or systemd-timesyncd here or on the host: receivers refuse "
                 "signatures whose time is minutes wrong");
}

Finding examine_names() {
  const auto text = io::read_file("/etc/resolv.conf");
  return judge_name_servers(text ? *text : std::string{});
}

// --- the data directory --------------------------------------------------------------------------

/// The directory itself, or the one that is there of those above.
std::string existing_part(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  fs::path path = fs::absolute(directory, ignored);
  while (!fs::is_directory(path, ignored) && path.has_relative_path()) path = path.parent_path();
  return path.string();
}

/// A file of the doctor's own, as durable as a journal, without a name as soon as it is open.
class TrialFile {
 public:
  explicit TrialFile(const std::string& directory) {
    std::string name = directory + "/.doctor-XXXXXX";
    descriptor_ = mkostemp(name.data(), O_DSYNC | O_CLOEXEC);
    if (descriptor_ < 0) {
      fault_ = errno;
    } else {
      unlink(name.c_str());
    }
  }
  TrialFile(const TrialFile&) = delete;
  TrialFile& operator=(const TrialFile&) = delete;
  ~TrialFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }

  /// How long durable writes of one block took, in order of their length; fewer if one failed.
  std::vector<Duration> write(size_t count) {
    const std::vector<char> block(4096);
    std::vector<Duration> times;
    for (size_t number = 0; number < count && descriptor_ >= 0; ++number) {
      const Instant begin = monotonic_now();
      const auto written = pwrite(descriptor_, block.data(), block.size(),
                                  static_cast<off_t>(number * block.size()));
      if (written != static_cast<ssize_t>(block.size())) {
        fault_ = written < 0 ? errno : ENOSPC;
        break;
      }
      times.push_back(monotonic_now() - begin);
    }
    std::ranges::sort(times);
    return times;
  }
  int fault() const { return fault_; }

 private:
  int descriptor_ = -1;
  int fault_ = 0;
};

Finding examine_writes(const std::string& directory) {
  constexpr size_t count = 33;
  TrialFile file{directory};
  const std::vector<Duration> times = file.write(count);
  if (times.size() < count) {
    return failure("disk writes", directory + " cannot be written: " + std::strerror(file.fault()),
                   "give the relay's user the directory, or make room");
  }
  std::string text = "a durable write of 4 KiB takes " + in_ms(times[count / 2]) + ", at worst " +
                     in_ms(times.back()) + " (of " + std::to_string(count) + " writes)";
  if (times[count / 2] <= slow_write) return ok("disk writes", std::move(text));
  return warning("disk writes", std::move(text),
                 "every acknowledgement waits for such a write: put the data directory on a "
                 "faster disk");
}

Finding examine_file_system(const std::string& directory) {
  struct statfs facts {};
  if (statfs(directory.c_str(), &facts) != 0) {
    return failure("file system", directory + ": " + std::strerror(errno),
                   "give the relay's user the directory");
  }
  Finding finding = judge_file_system(static_cast<uint64_t>(facts.f_type));
  finding.text = directory + " is " + finding.text;
  return finding;
}

/// A first start makes two journal files for each shard, and the store; later ones need room for
/// the next file.
Finding examine_room(io::Disk& disk, const Config& config, uint32_t shards,
                     const std::string& directory) {
  const auto room = disk.free_bytes(directory);
  if (!room) {
    return failure("disk space", directory + ": " + describe(room.error()),
                   "give the relay's user the directory");
  }
  const bool is_new = ::access(store_path(config).c_str(), F_OK) != 0;
  const uint64_t of_shard = uint64_t{config.segment_bytes} * (is_new ? 2 : 1);
  const uint64_t least = of_shard * shards + (is_new ? store_room : 0);
  const std::string text = in_mib(*room) + " free in " + directory;
  if (*room < least) {
    return failure("disk space",
                   text + (is_new ? "; a first start needs " : "; the next journal files need ") +
                       in_mib(least),
                   "make room, or lower journal.segment_bytes or server.shards");
  }
  if (*room >= config.retention_bytes) return ok("disk space", text);
  return warning("disk space",
                 text + "; the journal may grow to " + in_mib(config.retention_bytes) +
                     " (journal.retention_bytes)",
                 "make room, or lower journal.retention_bytes: with a full disk events are "
                 "refused");
}

/// Whether a relay uses the data directory now.
bool is_in_use(io::Disk& disk, const Config& config) {
  std::error_code ignored;
  if (!std::filesystem::exists(config.data_dir + "/lock", ignored)) return false;
  const auto lock = disk.lock(config.data_dir + "/lock");
  if (lock) disk.close(*lock);
  return !lock && lock.error().code == Errc::locked;
}

/// Whether the files that are there belong to this user, as after a start by root they do not.
Finding examine_rights(const Config& config) {
  std::string problem = object_to_rights(config);
  if (problem.empty()) return ok("data directory", {});
  return failure("data directory", std::move(problem), "run this as the relay's user");
}

/// A store whose secrets are encrypted needs its key file.
Finding examine_keys(io::Disk& disk, const Config& config) {
  if (::access(store_path(config).c_str(), F_OK) != 0) return ok("data directory", {});
  std::string problem;
  const auto sealed = control::Store::is_sealed(store_path(config), problem);
  if (!sealed) return failure("data directory", problem, "restore it from a copy");
  if (!*sealed || !read_key_file(disk, config).absent) return ok("data directory", {});
  return failure("data directory",
                 key_file_path(config) + " is missing, and the secrets in " + store_path(config) +
                     " cannot be read without it",
                 "restore it from a copy, or set secrets.key_file to its path");
}

void examine_directory(io::Disk& disk, const Config& config, uint32_t shards, bool is_running,
                       Findings& findings) {
  const std::string directory = existing_part(config.data_dir);
  findings.push_back(examine_file_system(directory));
  findings.push_back(examine_room(disk, config, shards, directory));
  findings.push_back(examine_writes(directory));
  if (Finding rights = examine_rights(config); rights.verdict != Verdict::ok) {
    findings.push_back(std::move(rights));
  } else if (Finding keys = examine_keys(disk, config); keys.verdict != Verdict::ok) {
    findings.push_back(std::move(keys));
  } else if (is_running) {
    findings.push_back(ok("data directory", config.data_dir + ": a relay is running with it"));
  } else if (::access(store_path(config).c_str(), F_OK) == 0) {
    findings.push_back(ok("data directory", config.data_dir + ": of a relay that is stopped"));
  } else {
    findings.push_back(ok("data directory", config.data_dir + ": a first start will make it"));
  }
}

// --- listeners -----------------------------------------------------------------------------------

Finding examine_address(const ListenerConfig& listener, bool is_running) {
  const std::string address = listener.address.to_text();
  std::error_code ignored;
  if (listener.address.family == io::Address::Family::unix_path &&
      std::filesystem::is_socket(listener.address.path, ignored)) {
    return ok("listener", address + " is there; a start replaces it if no process uses it");
  }
  const auto socket =
      io::open_listener(listener.address, {.reuse_port = true, .must_be_free = true});
  if (socket) {
    close(socket->handle);
    if (listener.address.family == io::Address::Family::unix_path) {
      unlink(listener.address.path.c_str());
    }
    if (!is_running) return ok("listener", address + " is free");
    return warning("listener", address + " is free, although a relay is running",
                   "it is still starting, or was started with other options: its log says which");
  }
  if (is_running && socket.error().code == Errc::conflict) {
    return ok("listener", address + " is in use; a relay is running");
  }
  return failure(
      "listener", io::explain_listen_failure(listener.address, socket.error()),
      "change `address` of the listener, or end what uses it; if that is your relay, give its "
      "--config or --data-dir");
}

Finding examine_certificate(const ListenerConfig& listener) {
  return judge_certificate("certificate", listener.certificate_file, listener.tls_expires_at,
                           wall_clock_now(), "renew it, then: ringpost reload");
}

void examine_listeners(const Config& config, bool is_running, Findings& findings) {
  for (const ListenerConfig& listener : config.listeners) {
    findings.push_back(examine_address(listener, is_running));
    if (listener.tls != nullptr) findings.push_back(examine_certificate(listener));
  }
}

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok: return "ok";
    case Verdict::warning: return "warning";
    case Verdict::failure: break;
  }
  return "failure";
}

/// As it stands at the beginning of a line.
std::string_view mark_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::ok: return "ok   ";
    case Verdict::warning: return "warn ";
    case Verdict::failure: break;
  }
  return "FAIL ";
}

}  // namespace

Finding judge_kernel(const std::string& release) {
  int major = 0;
  int minor = 0;
  const char* const end = release.data() + release.size();
  const auto [dot, fault] = std::from_chars(release.data(), end, major);
  if (fault == std::errc{} && dot != end) std::from_chars(dot + 1, end, minor);
  if (major > 6 || (major == 6 && minor >= 1)) return ok("kernel", "Linux " + release);
  return warning("kernel", "Linux " + release,
                 "with 6.1 or newer the relay uses io_uring, which costs less CPU than epoll");
}

Finding judge_name_servers(const std::string& resolv_conf) {
  std::string servers;
  size_t begin = 0;
  while (begin < resolv_conf.size()) {
    const size_t end = std::min(resolv_conf.find('\n', begin), resolv_conf.size());
    const std::string line = resolv_conf.substr(begin, end - begin);
    begin = end + 1;
    if (!line.starts_with("nameserver") || line.size() < 12) continue;
    const size_t address = line.find_first_not_of(" \t", 10);
    if (address == 10 || address == std::string::npos) continue;
    servers += (servers.empty() ? "" : ", ") +
               line.substr(address, line.find_first_of(" \t\r;#", address) - address);
  }
  if (!servers.empty()) return ok("name servers", servers);
  return warning("name servers", "/etc/resolv.conf names none",
                 "without one only addresses, localhost and the names in /etc/hosts are found");
}

Findings examine(io::Disk& disk, const ServeCall& call) {
  Findings findings{examine_kernel(), examine_user(), examine_clock(), examine_names()};
  const ConfigResult checked = check_config(disk, call);
  for (const ConfigProblem& problem : checked.problems) {
    findings.push_back(failure("configuration", problem.to_text(),
                               "mend it; if files cannot be read, run this as the relay's user"));
  }
  if (!load_config(call).problems.empty()) return findings;  // What follows needs its values.
  const Config& config = checked.config;
  if (checked.problems.empty()) {
    findings.push_back(
        ok("configuration", call.config_file.empty() ? "no file: the defaults" : call.config_file));
  }
  const Machine machine = this_machine();
  const Budgets budgets = budgets_of(config, machine);
  const bool is_running = is_in_use(disk, config);
  findings.push_back(examine_memory(budgets));
  findings.push_back(examine_descriptors(machine, budgets));
  std::vector<io::OpenedRing> rings;  // As many as the relay has, at a time.
  do {
    rings.push_back(io::open_ring(config.engine, io::FileUse::none));
  } while (rings.back().ring != nullptr && rings.size() < budgets.limits.shards);
  findings.push_back(judge_ring(rings.back()));
  findings.push_back(examine_threads(budgets.limits.shards, rings.back().engine));
  rings.clear();
  examine_directory(disk, config, budgets.limits.shards, is_running, findings);
  examine_listeners(config, is_running, findings);
  return findings;
}

std::string to_text(const Findings& findings) {
  size_t width = 0;
  for (const Finding& finding : findings) width = std::max(width, finding.subject.size());
  std::string text;
  for (const Finding& finding : findings) {
    text.append(mark_of(finding.verdict)).append(finding.subject);
    text.append(width - finding.subject.size() + 2, ' ').append(finding.text).append("\n");
    if (finding.remedy.empty()) continue;
    text.append(5 + width + 2, ' ').append("-> ").append(finding.remedy).append("\n");
  }
  return text;
}

std::string to_json(const Findings& findings) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().member("ok", all_well(findings)).key("findings").begin_array();
  for (const Finding& finding : findings) {
    json.begin_object()
        .member("subject", finding.subject)
        .member("verdict", name_of(finding.verdict))
        .member("text", finding.text)
        .member("remedy", finding.remedy)
        .end_object();
  }
  json.end_array().end_object();
  return text;
}

bool all_well(const Findings& findings) {
  return std::ranges::none_of(
      findings, [](const Finding& finding) { return finding.verdict == Verdict::failure; });
}

}  // namespace ringpost::server
