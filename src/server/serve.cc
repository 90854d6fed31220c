#include "server/serve.h"

#include "base/log.h"
#include "crypto/random.h"
#include "io/posix_disk.h"
#include "io/read_file.h"
#include "ringpost/version.h"
#include "server/control_thread.h"
#include "server/data_directory.h"
#include "server/hosts.h"
#include "server/key_file.h"
#include "server/log.h"
#include "server/shard_thread.h"

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace ringpost::server {
namespace {

int fail(const std::string& problem) {
  stop_logging();
  std::fprintf(stderr, "ringpost: %s\n", problem.c_str());
  return 1;
}

/// All descriptors that the hard limit gives, and no core files.
void set_limits() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  forbid_core_files();
}

/// Signals are for the main thread alone, which waits for them.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

/// Writes the first token to its file: readable by the owner alone from the first instant.
bool write_token(const std::string& path, const std::string& token) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return false;
  const std::string line = token + "\n";
  const bool written = fchmod(file, 0600) == 0 &&
                       write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
                       fsync(file) == 0;
  return close(file) == 0 && written;
}

/// By which name receivers know us: a DNS name, so nothing else of what a machine may be called.
std::string origin_of(const Config& config) {
  if (!config.public_host.empty()) return config.public_host;
  const std::string name = machine_name();
  return name.empty() ? "localhost" : name;
}

shard::RelayOptions relay_options(const Config& config, net::EgressPolicy policy) {
  shard::RelayOptions options;
  options.shard_count =
      config.shards != 0 ? config.shards : std::max(1u, std::thread::hardware_concurrency());
  options.data_dir = config.data_dir;
  options.segment_bytes = config.segment_bytes;
  options.accept_loss = config.accept_loss;
  options.idempotency = {.length = config.idempotency_window,
                         .entries_max = static_cast<uint32_t>(config.idempotency_entries_max)};
  options.retention = {.age = config.retention_age, .bytes = config.retention_bytes};
  options.history_deliveries_max = config.history_deliveries_max;
  options.webhook_ips = config.webhook_ips;
  options.policy = std::move(policy);
  options.event_limits = {.event_bytes_max = static_cast<uint32_t>(config.event_bytes_max),
                          .batch_bytes_max = static_cast<uint32_t>(config.batch_bytes_max),
                          .batch_events_max = config.batch_events_max};
  options.server.connections_max = config.ingest_connections_max;
  options.server.hosts = known_hosts(config);
  options.delivery.pending_max = config.pending_max;
  options.delivery.attempts_in_flight_max = config.attempts_in_flight_max;
  options.delivery.connections_per_endpoint_max = config.connections_per_endpoint_max;
  options.delivery.idle_max = config.idle_max;
  for (const UserConfig& user : config.users) {
    options.users.push_back({.email = user.email,
                             .scrypt_text = user.password.to_text(),
                             .organization = user.organization,
                             .scopes = user.scopes});
  }
  options.public_url = config.public_url;
  options.origin = origin_of(config);
  crypto::fill(std::as_writable_bytes(std::span{&options.seed, 1}));
  crypto::fill(std::as_writable_bytes(std::span{options.hash_keys}));
  options.keep_admin_token = [path = config.data_dir + "/admin.token"](const std::string& token) {
    return write_token(path, token);
  };
  return options;
}

void log_finding(const journal::Finding& finding) {
  using Kind = journal::Finding::Kind;
  const std::string text =
      finding.path + ", offset " + std::to_string(finding.offset) + ": " + finding.text;
  const bool harmless = finding.kind == Kind::torn_tail || finding.kind == Kind::note;
  harmless ? log_info(text) : log_warning(text);
}

void log_start(const shard::StartReport& report, const shard::Relay& relay,
               const std::string& features) {
  log_info("ringpost " + std::string(version) + ", " + features);
  for (const journal::Finding& finding : report.findings) log_finding(finding);
  log_info("journals read: " + std::to_string(report.recovery.events) + " events, " +
           std::to_string(report.recovery.outcomes) + " outcomes, " +
           std::to_string(report.pending_deliveries) + " deliveries pending, " +
           std::to_string(report.recovery.torn_tails) + " torn tails, " +
           std::to_string(report.recovery.damages) + " damaged places; " +
           std::to_string(relay.shard_count()) + " shards");
}

/// What a person, or a script, reads first: where the relay is and how to get in.
void announce(const Config& config, const std::vector<SharedListener>& listeners,
              const shard::StartReport& report, bool key_is_new) {
  for (const SharedListener& listener : listeners) {
    const bool is_unix = listener.bound.family == io::Address::Family::unix_path;
    const char* scheme = is_unix ? "" : listener.tls != nullptr ? "https://" : "http://";
    std::printf("ringpost %s ready: %s%s\n", version, scheme, listener.bound.to_text().c_str());
  }
  if (report.admin_token) {
    std::printf("first start: the admin token is in %s/admin.token\n", config.data_dir.c_str());
  }
  if (key_is_new) {
    std::printf("secrets are sealed with the new key in %s: keep a copy apart from %s\n",
                key_file_path(config).c_str(), config.data_dir.c_str());
  }
  std::fflush(stdout);
}

bool all_ended(const std::vector<std::unique_ptr<ShardThread>>& shards) {
  return std::ranges::all_of(shards, [](const auto& shard) { return shard->ended(); });
}

/// Waits for the signal to stop, then for the stop: a second signal, or the end of the drain time,
/// hastens it.
void wait_and_stop(const Config& config, const sigset_t& signals,
                   std::vector<std::unique_ptr<ShardThread>>& shards) {
  int number = 0;
  do {
    sigwait(&signals, &number);
    if (number == SIGHUP) log_warning("SIGHUP: this version reads its configuration at start only");
  } while (number == SIGHUP);
  log_info(
      "stopping: deliveries under way get " +
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(config.drain_max).count()) +
      " s; a second signal shortens that");
  for (auto& shard : shards) shard->request_stop(1);
  const Instant deadline = monotonic_now() + config.drain_max;
  bool hastened = false;
  while (!all_ended(shards)) {
    timespec pause{.tv_sec = 0, .tv_nsec = 10'000'000};
    const bool again = sigtimedwait(&signals, nullptr, &pause) > 0;
    if (!hastened && (again || monotonic_now() >= deadline)) {
      hastened = true;
      for (auto& shard : shards) shard->request_stop(2);
    }
  }
}

/// In this order: until the control thread is joined, it may wake any shard's ring.
void join_all(ControlThread& control, std::vector<std::unique_ptr<ShardThread>>& shards) {
  control.join();
  for (auto& shard : shards) shard->join();
}

/// The files of our Unix sockets: we made them (io::Ring::listen replaces nothing that lives).
void remove_socket_files(const std::vector<SharedListener>& listeners) {
  for (const SharedListener& listener : listeners) {
    if (listener.bound.family != io::Address::Family::unix_path) continue;
    if (unlink(listener.bound.path.c_str()) != 0) {
      log_warning(listener.bound.path + " cannot be removed; the next start replaces it");
    }
  }
}

std::vector<SharedListener> prepare_listeners(const Config& config) {
  std::vector<SharedListener> listeners;
  for (const ListenerConfig& listener : config.listeners) {
    SharedListener& added =
        listeners.emplace_back(SharedListener{listener, nullptr, listener.address});
    if (listener.certificate_file.empty()) continue;
    auto tls = net::ServerTls::create(io::read_file(listener.certificate_file).value_or(""),
                                      io::read_file(listener.key_file).value_or(""));
    if (tls) added.tls = std::move(*tls);  // load_config has checked the files.
  }
  return listeners;
}

int run(const Config& config, const sigset_t& signals, shard::Relay& relay, bool key_is_new) {
  const shard::StartReport& report = relay.report();
  net::NameService names{{}};
  std::vector<SharedListener> listeners = prepare_listeners(config);
  ControlThread control(relay);
  control.start();
  std::vector<std::unique_ptr<ShardThread>> shards;
  std::string problem;
  for (uint32_t index = 0; index < relay.shard_count() && problem.empty(); ++index) {
    shards.push_back(std::make_unique<ShardThread>(relay, names, index, listeners));
    problem = shards.back()->start();
  }
  if (!problem.empty()) {
    for (auto& shard : shards) shard->request_stop(2);
    while (!all_ended(shards)) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    join_all(control, shards);
    return fail(problem);
  }
  log_start(report, relay, shards.front()->features());
  announce(config, listeners, report, key_is_new);
  wait_and_stop(config, signals, shards);
  join_all(control, shards);
  remove_socket_files(listeners);
  log_info("stopped");
  stop_logging();
  return 0;
}

}  // namespace

int serve(const Config& config) {
  const sigset_t signals = block_signals();
  set_limits();
  start_logging(config.log_level, config.log_json);

  std::string why;
  auto policy = net::EgressPolicy::create({.allow_networks = config.allow_networks,
                                           .deny_networks = config.deny_networks,
                                           .allow_plain_http_networks = config.plain_http_networks,
                                           .allow_ports = {}},
                                          why);
  if (!policy) return fail(why);

  io::PosixDisk disk;
  std::string problem;
  const auto directory = open_data_directory(disk, config, IfAbsent::make, problem);
  if (!directory) return fail(problem);
  const auto relay =
      shard::Relay::open(disk, *directory->store, relay_options(config, std::move(*policy)),
                         wall_clock_now(), monotonic_now(), problem);
  if (relay == nullptr) return fail(problem);
  return run(config, signals, *relay, directory->key_is_new);
}

}  // namespace ringpost::server
