#include "server/serve.h"

#include "base/assert.h"
#include "base/log.h"
#include "crypto/random.h"
#include "io/engine.h"
#include "io/listener.h"
#include "io/posix_disk.h"
#include "io/process.h"
#include "ringpost/version.h"
#include "server/admin_token.h"
#include "server/budgets.h"
#include "server/control_thread.h"
#include "server/data_directory.h"
#include "server/drop_directories.h"
#include "server/helper_thread.h"
#include "server/hosts.h"
#include "server/key_file.h"
#include "server/log.h"
#include "server/reload.h"
#include "server/service_manager.h"
#include "server/settings.h"
#include "server/shard_thread.h"

#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <filesystem>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace ringpost::server {
namespace {

/// How long anything that is said outside of the log waits for a reader.
constexpr Duration said_time = std::chrono::seconds{1};

/// What the service manager allows a start between two reads of the journals, and how often it
/// hears of them; and what a stop may take beside the wait for deliveries.
constexpr Duration step_time = std::chrono::seconds{60};
constexpr Duration step_interval = std::chrono::seconds{5};

/// In `systemctl status`.
constexpr std::string_view serving = "serving";

int fail(const std::string& problem) {
  stop_logging();
  const std::string line =
      std::string{journal_prefix(LogLevel::error)} + "ringpost: " + problem + "\n";
  std::string_view left = line;
  io::write_within(STDERR_FILENO, left, said_time);
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

/// For `GET /metrics`.
control::MachineSource machine_source(io::Disk& disk, const std::string& data_dir) {
  return [&disk, data_dir, started_at = wall_clock_now()] {
    const auto free_bytes = disk.free_bytes(data_dir);
    return control::MachineFigures{
        .started_at = started_at,
        .process = io::process_figures(),
        .free_bytes = free_bytes ? std::optional{*free_bytes} : std::nullopt};
  };
}

/// What the shards run on: found out once, so that all have the same.
struct UsedEngine {
  io::Engine engine;
  std::string reason;  ///< Why not io_uring, if that was the first choice.
};

std::optional<UsedEngine> try_engine(const Config& config, std::string& problem) {
  io::OpenedRing opened = io::open_ring(config.engine, io::FileUse::write_and_read);
  problem = std::move(opened.problem);
  if (opened.ring == nullptr) return std::nullopt;
  return UsedEngine{opened.engine, std::move(opened.remark)};
}

void log_engine(const UsedEngine& used) {
  if (used.engine == io::Engine::io_uring) return;
  log_info("engine: epoll" + (used.reason.empty() ? "" : ", because " + used.reason));
}

/// The disk. While the relay starts, reads of it are the progress that the service manager hears
/// of.
class StartingDisk final : public io::PosixDisk {
 public:
  explicit StartingDisk(const ServiceManager& manager) : manager_(manager) {}

  Result<uint64_t> read_at(io::File file, uint64_t offset, MutableBytes into) override {
    if (starting_.load(std::memory_order_relaxed)) report();
    return PosixDisk::read_at(file, offset, into);
  }
  /// Before other threads use it.
  void started() { starting_.store(false, std::memory_order_relaxed); }

 private:
  void report() {
    const Instant now = monotonic_now();
    if (now < next_) return;
    next_ = now + step_interval;
    manager_.extend_start(step_time);
  }

  const ServiceManager& manager_;
  std::atomic<bool> starting_{true};
  Instant next_{};
};

shard::RelayOptions relay_options(io::Disk& disk, const Config& config, const UsedEngine& engine,
                                  shard::LiveSettings live, Reloader& reloader,
                                  const ServiceManager& manager) {
  shard::RelayOptions options;
  options.shard_count = config.shards;
  options.data_dir = config.data_dir;
  options.segment_bytes = config.segment_bytes;
  options.accept_loss = config.accept_loss;
  options.password_thread = true;
  options.store_thread = true;
  options.idempotency = {.length = config.idempotency_window,
                         .entries_max = static_cast<uint32_t>(config.idempotency_entries_max)};
  options.history_memory_max = config.history_memory_max;
  options.engine = engine.engine;
  options.engine_reason = engine.reason;
  options.live = std::move(live);
  options.control = control_settings(config);
  options.machine = machine_source(disk, config.data_dir);
  options.reload = [&reloader, &manager] {
    manager.reloading();
    return reloader.reload();
  };
  options.reload_done = [&manager] { manager.ready(serving); };
  crypto::fill(std::as_writable_bytes(std::span{&options.seed, 1}));
  crypto::fill(std::as_writable_bytes(std::span{options.hash_keys}));
  options.keep_admin_token = [path = config.data_dir + "/admin.token"](const std::string& token) {
    return write_token_file(path, token, true);
  };
  return options;
}

bool is_loopback(const io::Address& address) {
  switch (address.family) {
    case io::Address::Family::unix_path: return true;
    case io::Address::Family::ipv4: return address.ip[0] == 127;
    case io::Address::Family::ipv6: return address.to_text().starts_with("[::1]:");
  }
  RINGPOST_UNREACHABLE();
}

/// Tokens that anyone may read on their way, and figures that anyone may read.
void warn_of_open_listeners(const std::vector<SharedListener>& listeners) {
  for (const SharedListener& listener : listeners) {
    if (is_loopback(listener.bound)) continue;
    if (listener.config.serves.metrics) {
      log_info("the listener " + listener.bound.to_text() +
               " serves GET /metrics without a token; let only your monitoring reach it");
    }
    const bool takes_tokens = listener.config.serves.events || listener.config.serves.cloudevents ||
                              listener.config.serves.api;
    if (listener.config.tls != nullptr || !takes_tokens) continue;
    log_warning(
        "the listener " + listener.bound.to_text() +
        " has no TLS and is not on loopback: anyone on the network path can read the tokens "
        "and events that are sent to it; set `tls` for it, or let it listen on 127.0.0.1 "
        "behind a proxy that has TLS");
  }
}

void log_start(const shard::Relay& relay, const std::string& features) {
  const shard::StartReport& report = relay.report();
  log(LogLevel::debug, "engine features: " + features);
  log_info("journals read: " + std::to_string(report.recovery.events) + " events, " +
           std::to_string(report.recovery.outcomes) + " outcomes, " +
           std::to_string(report.pending_deliveries) + " deliveries pending, " +
           std::to_string(report.recovery.torn_tails) + " torn tails, " +
           std::to_string(report.recovery.damages) + " damaged places; " +
           std::to_string(relay.shard_count()) + (relay.shard_count() == 1 ? " shard" : " shards"));
}

/// In the store: that people were told where the first token and the key are. Until then every
/// start tells it: one that fails, or whose output is lost, may have come before.
constexpr std::string_view announced_name = "announced";

/// What a person, or a script, reads first: where the relay is and, once, how to get in. The store
/// must not be in use elsewhere.
void announce(const Config& config, const std::vector<SharedListener>& listeners,
              control::Store& store) {
  std::string text;
  for (const SharedListener& listener : listeners) {
    const bool is_unix = listener.bound.family == io::Address::Family::unix_path;
    const char* scheme = is_unix ? "" : listener.config.tls != nullptr ? "https://" : "http://";
    text.append("ringpost ").append(version).append(" ready: ").append(scheme);
    text.append(listener.bound.to_text()).append("\n");
  }
  const auto announced = store.meta(announced_name);
  const bool told = announced && *announced;
  if (!told) {
    const std::string token_file = config.data_dir + "/admin.token";
    if (access(token_file.c_str(), F_OK) == 0) {
      text += "first start: the admin token is in " + token_file + "\n";
    }
    text += "secrets are encrypted with the new key in " + key_file_path(config) +
            ": keep a copy elsewhere\n";
  }
  std::string_view left = text;
  if (io::write_within(STDOUT_FILENO, left, said_time) != io::Written::all) {
    return log_warning(
        "cannot write to standard output: the relay's addresses and the path of its "
        "token were not printed");
  }
  if (told) return;
  if (!store.set_meta(announced_name, "1")) {
    log_warning(
        "could not record that the start-up notice was shown; the next start shows it again: " +
        std::string(store.last_problem()));
  }
}

bool all_ended(const std::vector<std::unique_ptr<ShardThread>>& shards) {
  return std::ranges::all_of(shards, [](const auto& shard) { return shard->ended(); });
}

/// The threads without which the relay does nothing.
Watchdog make_watchdog(ControlThread& control, std::vector<std::unique_ptr<ShardThread>>& shards) {
  std::vector<Watchdog::Thread> threads{{.name = "control",
                                         .turns = [&control] { return control.turns(); },
                                         .wake = [&control] { control.wake(); }}};
  for (size_t index = 0; index < shards.size(); ++index) {
    ShardThread& shard = *shards[index];
    threads.push_back({.name = "shard-" + std::to_string(index),
                       .turns = [&shard] { return shard.turns(); },
                       .wake = [&shard] { shard.wake(); }});
  }
  return Watchdog{std::move(threads)};
}

/// The service manager restarts a relay that it does not hear from.
void report_life(Watchdog& watchdog, const ServiceManager& manager) {
  const std::vector<std::string> stuck = watchdog.look();
  for (const std::string& name : stuck) {
    log_error("the thread " + name +
              " hangs: it has done nothing since the last look of the watchdog");
  }
  if (stuck.empty()) manager.alive();
}

/// The next signal; 0 when `interval` has passed without one. Without an interval it waits on.
int next_signal(const sigset_t& signals, std::optional<Duration> interval) {
  if (!interval) return std::max(sigwaitinfo(&signals, nullptr), 0);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*interval);
  const timespec time{.tv_sec = seconds.count(), .tv_nsec = (*interval - seconds).count()};
  return std::max(sigtimedwait(&signals, nullptr, &time), 0);
}

/// Until the signal to stop.
void serve_signals(const sigset_t& signals, ControlThread& control,
                   std::vector<std::unique_ptr<ShardThread>>& shards,
                   const ServiceManager& manager) {
  const std::optional<Duration> interval = manager.watchdog_interval();
  std::optional<Watchdog> watchdog;
  if (interval) watchdog = make_watchdog(control, shards);
  Instant next_look = monotonic_now() + interval.value_or(Duration{});
  while (true) {
    std::optional<Duration> wait;
    if (interval) wait = std::max(next_look - monotonic_now(), Duration{});
    const int number = next_signal(signals, wait);
    if (number == SIGHUP) control.request_reload();
    if (number != 0 && number != SIGHUP) return;
    if (!interval || monotonic_now() < next_look) continue;
    next_look = monotonic_now() + *interval;
    report_life(*watchdog, manager);
  }
}

/// A second signal, or the end of the drain time, hastens it.
void stop_shards(Duration drain_max, const sigset_t& signals,
                 std::vector<std::unique_ptr<ShardThread>>& shards) {
  log_info("stopping: waiting up to " +
           std::to_string(std::chrono::duration_cast<std::chrono::seconds>(drain_max).count()) +
           " s for deliveries in flight; send the signal again to stop now");
  for (auto& shard : shards) shard->request_stop(1);
  const Instant deadline = monotonic_now() + drain_max;
  bool hastened = false;
  while (!all_ended(shards)) {
    timespec pause{.tv_sec = 0, .tv_nsec = 10'000'000};
    const int number = sigtimedwait(&signals, nullptr, &pause);
    const bool again = number > 0 && number != SIGHUP;  // Nothing is reloaded any more.
    if (!hastened && (again || monotonic_now() >= deadline)) {
      hastened = true;
      for (auto& shard : shards) shard->request_stop(2);
    }
  }
}

/// In this order: the control thread gives the helpers their last orders, and it and the journal
/// thread may wake any shard's ring until they are joined.
void join_all(ControlThread& control, const std::vector<HelperThread*>& helpers,
              std::vector<std::unique_ptr<ShardThread>>& shards) {
  control.join();
  for (HelperThread* helper : helpers) helper->join();
  for (auto& shard : shards) shard->join();
}

/// The files of our Unix sockets: we made them (io::Ring::listen replaces nothing that lives).
void remove_socket_files(const std::vector<SharedListener>& listeners) {
  for (const SharedListener& listener : listeners) {
    if (listener.bound.family != io::Address::Family::unix_path) continue;
    if (io::is_adopted(listener.bound)) continue;  // It waits for the next process.
    if (unlink(listener.bound.path.c_str()) != 0) {
      log_warning(listener.bound.path + " could not be removed; the next start replaces it");
    }
  }
}

std::vector<SharedListener> prepare_listeners(const Config& config) {
  std::vector<SharedListener> listeners;
  for (const ListenerConfig& listener : config.listeners) {
    listeners.push_back({listener, listener.address});
  }
  return listeners;
}

std::vector<io::Address> bound_addresses(const std::vector<SharedListener>& listeners) {
  std::vector<io::Address> addresses;
  for (const SharedListener& listener : listeners) addresses.push_back(listener.bound);
  return addresses;
}

/// A copy (`cp -a OLD NEW`) that came to lie one directory too deep: a first start beside it would
/// forget everything.
std::string object_to_nested_directory(const std::string& data_dir) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(data_dir, ignored)) {
    if (!fs::exists(entry.path() / "control.db", ignored)) continue;
    return data_dir + " holds no relay's data, but " + entry.path().string() +
           " does: set server.data_dir to that, or move its content up";
  }
  return {};
}

/// Why a first start cannot serve, found out before it has made anything: each address. Their
/// sockets are closed again. Later starts find out when they listen: their files are
/// there anyway, and a relay that uses them already has to be named first.
std::string object_to_first_start(const Config& config) {
  std::string problem = object_to_nested_directory(config.data_dir);
  if (!problem.empty()) return problem;
  std::vector<io::Socket> sockets;
  for (const ListenerConfig& listener : config.listeners) {
    if (io::is_adopted(listener.address)) continue;
    const auto socket =
        io::open_listener(listener.address, {.reuse_port = true, .must_be_free = true});
    if (!socket) {
      problem = io::explain_listen_failure(listener.address, socket.error());
      break;
    }
    sockets.push_back(*socket);
    if (listener.address.family == io::Address::Family::unix_path) {
      unlink(listener.address.path.c_str());
    }
  }
  for (const io::Socket socket : sockets) close(socket.handle);
  return problem;
}

int run(const Config& config, io::Engine engine, const Budgets& budgets, Reloader& reloader,
        const sigset_t& signals, shard::Relay& relay, DataDirectory& directory,
        const ServiceManager& manager) {
  std::string problem;
  control::Store& store = *directory.store;
  const auto log = store.take_log(problem);
  if (log == nullptr) return fail(problem);
  net::NameService names{{}};
  std::vector<SharedListener> listeners = prepare_listeners(config);
  ControlThread control(relay);
  HelperThread journal({.name = "journal",
                        .turn = [&relay](WallTime wall_now,
                                         Instant now) { return relay.journal_turn(wall_now, now); },
                        .has_messages = [&relay] { return relay.journal_has_messages(); },
                        .due = [&relay] { return relay.journal_due(); }});
  relay.mailroom().set_journal_waker(&journal);
  HelperThread passwords({.name = "passwords",
                          .turn = [&relay](WallTime, Instant) { return relay.password_turn(); },
                          .has_messages = [&relay] { return relay.password_has_messages(); },
                          .due = [] { return std::optional<Instant>{}; }});
  relay.mailroom().set_password_waker(&passwords);
  HelperThread store_syncs(
      {.name = "store",
       .turn = [&relay, &log](WallTime, Instant) { return relay.store_turn(*log); },
       .has_messages = [&relay] { return relay.store_has_messages(); },
       .due = [] { return std::optional<Instant>{}; }});
  relay.mailroom().set_store_waker(&store_syncs);
  DropDirectories directories{config.sources, relay};
  HelperThread drops(
      {.name = "drops",
       .turn = [&directories](WallTime, Instant now) { return directories.turn(now); },
       .has_messages = [&directories] { return directories.has_messages(); },
       .due = [&directories] { return directories.due(); },
       .also_wake = directories.descriptors()});
  std::vector<HelperThread*> helpers{&journal, &passwords, &store_syncs};
  if (!config.sources.empty()) {
    relay.mailroom().set_drop_waker(&drops);
    helpers.push_back(&drops);
  }
  std::vector<std::unique_ptr<ShardThread>> shards;
  const auto starts = [](HelperThread* helper) { return helper->start(); };
  if (!control.start() || !std::ranges::all_of(helpers, starts)) {
    join_all(control, helpers, shards);
    directory.made.remove();
    return fail(io::explain_thread_failure());
  }
  for (uint32_t index = 0; index < relay.shard_count() && problem.empty(); ++index) {
    shards.push_back(
        std::make_unique<ShardThread>(relay, names, io::choice_of(engine), index, listeners));
    problem = shards.back()->start();
  }
  if (problem.empty()) {
    reloader.set_listeners(bound_addresses(listeners));
    log_start(relay, shards.front()->features());
    if (!is_set(wall_clock_now())) {
      log_warning(
          "the clock is not set: it shows a time before 2025. Events are taken with that time, and "
          "receivers refuse signatures and certificates until it is right");
    }
    log_info(to_text(budgets));
    if (const std::string warning = warning_of(budgets); !warning.empty()) log_warning(warning);
    if (const std::string outdated = config.outdated(); !outdated.empty()) log_warning(outdated);
    warn_of_open_listeners(listeners);
    announce(config, listeners, store);
    manager.ready(serving);
  }
  for (HelperThread* helper : helpers) helper->go();
  control.go();  // The store is its own from here on; what the shards have sent it waits.
  if (!problem.empty()) {
    for (auto& shard : shards) shard->request_stop(2);
    while (!all_ended(shards)) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    join_all(control, helpers, shards);
    return fail(problem);
  }
  serve_signals(signals, control, shards, manager);
  manager.stopping(reloader.drain_max() + step_time);
  stop_shards(reloader.drain_max(), signals, shards);
  join_all(control, helpers, shards);
  remove_socket_files(listeners);
  log_info("stopped");
  stop_logging();
  return 0;
}

}  // namespace

int serve(const ServeCall& call, Config config) {
  const sigset_t signals = io::block_signals();
  set_limits();
  start_logging(config.log_level, config.log_json);

  const Machine machine = this_machine();
  const Budgets budgets = budgets_of(config, machine);
  if (const std::string objection = object_to(budgets); !objection.empty()) return fail(objection);
  use(budgets, config);
  const ServiceManager manager;
  if (!manager.problem().empty()) log_warning(manager.problem());
  StartingDisk disk(manager);
  Reloader reloader(disk, call, config, machine);
  std::string why;
  auto live = live_settings(config, reloader.own_addresses(), why);
  if (!live) return fail(why);

  std::string problem = adopt_passed_sockets(addresses_of(config.listeners));
  if (!problem.empty()) return fail(problem);
  const auto engine = try_engine(config, problem);
  if (!engine) return fail(problem);
  if (NewFiles{config}.first_start()) problem = object_to_first_start(config);
  if (!problem.empty()) return fail(problem);
  auto directory = open_data_directory(disk, config, IfAbsent::make, problem);
  if (!directory) return fail(problem);
  log_engine(*engine);
  // What follows takes as long as the disk takes: people should see what it is busy with.
  log_info("ringpost " + std::string(version) + ": reading the journals in " + config.data_dir);
  const auto relay =
      shard::Relay::open(disk, *directory->store,
                         relay_options(disk, config, *engine, std::move(*live), reloader, manager),
                         wall_clock_now(), monotonic_now(), problem);
  if (relay == nullptr) {
    directory->made.remove();
    return fail(problem);
  }
  disk.started();
  return run(config, engine->engine, budgets, reloader, signals, *relay, *directory, manager);
}

}  // namespace ringpost::server
