#include "load/run.h"

#include "cli/commands.h"
#include "cli/refusal.h"
#include "cli/text.h"
#include "crypto/hex.h"
#include "crypto/random.h"
#include "http/url.h"
#include "io/engine.h"
#include "load/clock.h"
#include "load/generator.h"
#include "load/live_line.h"
#include "load/relay_target.h"
#include "load/report.h"
#include "load/sink_thread.h"
#include "load/sink_webhooks.h"
#include "ringpost/version.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>
#include <limits>
#include <thread>

namespace ringpost::load {
namespace {

/// How often: the first time nothing more is sent, the second time nothing more is waited for.
volatile std::sig_atomic_t stop_requested = 0;
io::Waker* waker = nullptr;

void on_signal(int signal) {
  if (stop_requested == 2) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
    return;
  }
  stop_requested = stop_requested + 1;
  if (waker != nullptr) waker->wake();
}

/// Why there is no result, or no further one.
struct Stop {
  int code = exit_usage;
  std::string text;
};

/// How many runs of a sweep may be beyond the knee before it ends.
constexpr size_t beyond_max = 2;

/// What is open as long as the program runs.
struct Session {
  const RunOptions& options;
  RunSetup setup;
  cli::ClientOptions client;
  std::string authority;  ///< For Host.
  std::string path = "/";
  std::unique_ptr<net::ClientTls> tls;
  Endpoint endpoint;
  subscription::Destination destination;
  std::vector<subscription::Webhook> webhooks;  ///< Of a receiver: what it is sent.
  std::unique_ptr<io::Ring> ring;
  std::unique_ptr<RelayTarget> relay;
};

// --- before the first run ------------------------------------------------------------------------

void read_unix_target(Session& session) {
  const auto address = io::Address::parse(session.client.url);
  if (!address) {
    throw Stop{exit_usage, "the URL " + cli::shown(session.client.url) +
                               " must be unix:/path, with a path of at most 107 bytes"};
  }
  session.endpoint.address = *address;
  session.endpoint.host = session.authority = "localhost";
  session.destination = {
      .url = "http://localhost/", .tls = false, .host = "localhost", .port = 80, .target = "/"};
}

void read_target(Session& session) {
  const RunOptions& options = session.options;
  session.client = {.url = options.to_relay ? cli::relay_url(options.url) : options.url,
                    .token = {},
                    .ca_file = options.ca_file,
                    .verify = !options.insecure};
  if (session.client.url.starts_with("unix:")) return read_unix_target(session);
  const auto parsed = http::parse_url(session.client.url);
  if (const auto* problem = std::get_if<http::UrlProblem>(&parsed)) {
    throw Stop{exit_usage, "the URL " + cli::shown(session.client.url) + " " + problem->reason};
  }
  const auto& url = std::get<http::Url>(parsed);
  const auto address = cli::resolve(url.host, url.port);
  if (!address) {
    throw Stop{exit_unreachable, "the name " + cli::shown(url.host) + " does not resolve"};
  }
  const std::string objection = object_to_target(*address, url.host, options.owned_hosts);
  if (!objection.empty()) throw Stop{exit_usage, objection};
  session.endpoint.address = *address;
  session.endpoint.host = url.host;
  session.authority = url.authority();
  session.path = url.target;
  session.destination = {.url = session.client.url,
                         .tls = url.tls,
                         .host = url.host,
                         .port = url.port,
                         .target = url.target};
  if (!url.tls) return;
  std::string problem;
  session.tls = cli::make_tls(session.client, problem);
  if (session.tls == nullptr) throw Stop{exit_usage, problem};
  session.endpoint.tls = session.tls.get();
}

/// How to mend what a TLS client says of a certificate that nobody vouches for.
std::string with_hint(const Session& session, std::string problem) {
  if (session.endpoint.tls == nullptr || session.options.insecure ||
      problem.find("ertificate") == std::string::npos) {
    return problem;
  }
  return problem + " (name its CA with --ca FILE, or do not verify it: --insecure)";
}

void read_webhooks(Session& session) {
  auto webhooks = receiver_webhooks(session.options, session.setup, session.destination);
  if (const auto* problem = std::get_if<cli::UsageProblem>(&webhooks)) {
    throw Stop{exit_usage, problem->text};
  }
  session.webhooks = std::get<std::vector<subscription::Webhook>>(std::move(webhooks));
}

/// A token that may not see webhooks has nobody to ask: the results say how many deliveries others
/// got.
void spare_bystanders(Session& session) {
  const std::string objection = object_to_bystanders(
      session.relay->active_webhooks(), session.setup.names, session.options.owned_hosts);
  if (!objection.empty()) throw Stop{exit_usage, objection};
}

void open_relay(Session& session) {
  auto token = cli::read_secret("--token", session.options.token_from, "RINGPOST_TOKEN");
  if (const auto* problem = std::get_if<cli::UsageProblem>(&token)) {
    throw Stop{exit_usage, problem->text};
  }
  session.client.token = std::get<std::string>(std::move(token));
  std::string problem;
  bool wrong_usage = false;
  session.relay = RelayTarget::create(session.client, problem, wrong_usage);
  if (session.relay == nullptr) {
    throw Stop{wrong_usage ? exit_usage : exit_unreachable, cli::shown(problem)};
  }
  const auto state = session.relay->check(problem);
  if (state == RelayTarget::State::good) return spare_bystanders(session);
  const bool refuses = state == RelayTarget::State::refuses;
  throw Stop{refuses ? exit_faults : exit_unreachable,
             cli::shown(session.client.url) + ": " + with_hint(session, problem)};
}

// --- one run -------------------------------------------------------------------------------------

/// A new secret that the dialect takes.
std::string new_secret(const dialect::Dialect& dialect) {
  if (!dialect.verifies()) return "";
  const std::string made = dialect.mint_secret();
  return made.empty() ? crypto::token("", 20) : made;
}

/// Sources or types as a webhook subscribes to them: what a template varies becomes a `*`.
std::vector<std::string> patterns_of(const Mix& mix) {
  std::vector<std::string> patterns;
  for (const TextTemplate& text : mix.texts()) {
    std::string pattern = text.beginning();
    if (!text.fixed()) pattern.resize(pattern.find_last_of("/.") + 1);
    if (!text.fixed()) pattern += '*';
    if (std::ranges::find(patterns, pattern) == patterns.end()) patterns.push_back(pattern);
  }
  return patterns;
}

/// What a webhook of --sink subscribes to; recorded events can have any name.
std::vector<std::string> wanted(const Session& session, const Mix& mix) {
  return session.setup.recorded.empty() ? patterns_of(mix) : std::vector<std::string>{"*"};
}

void add_webhook(Session& session, const EventForm& form, const SinkThread& sink, uint64_t number,
                 const std::vector<sink::Secret>& secrets) {
  const dialect::Dialect& dialect = *session.setup.dialects[number % session.setup.dialects.size()];
  const auto secret = std::ranges::find(secrets, &dialect, &sink::Secret::dialect);
  std::string problem;
  if (session.relay->add_webhook({.dialect = std::string{dialect.name()},
                                  .url = sink.url(number),
                                  .ca_pem = sink.ca_pem(),
                                  .secret = secret == secrets.end() ? "" : secret->text,
                                  .sources = wanted(session, form.sources),
                                  .events = sink_events(dialect, wanted(session, form.types)),
                                  .settings = sink_settings(dialect, form.run)},
                                 problem)) {
    return;
  }
  throw Stop{exit_faults,
             "the relay made no webhook for the receiver in this process: " + cli::shown(problem)};
}

std::unique_ptr<SinkThread> open_sink(Session& session, const EventForm& form) {
  SinkThread::Options options{.run = form.run,
                              .webhooks = session.setup.fan_out,
                              .keys = form.keys,
                              .dialects = session.setup.dialects,
                              .secrets = {}};
  for (const dialect::Dialect* dialect : session.setup.dialects) {
    if (dialect->verifies()) options.secrets.push_back({dialect, new_secret(*dialect)});
  }
  const auto secrets = options.secrets;
  auto started = SinkThread::start(std::move(options));
  if (const auto* problem = std::get_if<std::string>(&started)) {
    throw Stop{exit_unreachable, *problem};
  }
  auto sink = std::get<std::unique_ptr<SinkThread>>(std::move(started));
  for (uint64_t number = 0; number < session.setup.fan_out; ++number) {
    add_webhook(session, form, *sink, number, secrets);
  }
  return sink;
}

/// 0: no limit.
uint64_t events_max(const Session& session) {
  const uint64_t recorded = session.setup.recorded.size();
  const uint64_t count = session.options.count;
  return recorded > 0 && count > 0 ? std::min(recorded, count) : std::max(recorded, count);
}

Plan plan_of(const Session& session, const std::vector<Stage>& stages) {
  const RunOptions& options = session.options;
  const RunSetup& setup = session.setup;
  Plan plan{.seconds = setup.seconds,
            .warm_up = setup.warm_up,
            .connections = options.connections,
            .timeout = setup.timeout,
            .drain = setup.drain};
  if (!setup.recorded_at.empty()) {
    plan.schedule.emplace(std::make_shared<const std::vector<Duration>>(setup.recorded_at));
  } else if (!stages.empty()) {
    plan.schedule.emplace(stages, setup.arrivals, static_cast<double>(options.batch), options.seed);
  }
  const uint64_t events = events_max(session);
  if (events > 0) plan.sends_max = (events + options.batch - 1) / options.batch;
  return plan;
}

std::unique_ptr<RelayWorkload> relay_workload(const Session& session, const EventForm& form) {
  RequestFrame frame{.authority = session.authority, .headers = {}};
  frame.headers.push_back({"User-Agent", std::string{"ringpost-load/"} + version});
  if (!session.client.token.empty()) {
    frame.headers.push_back({"Authorization", "Bearer " + session.client.token});
  }
  const RunOptions& options = session.options;
  const uint64_t limit = events_max(session);
  if (!session.setup.recorded.empty()) {
    return std::make_unique<RecordedEvents>(std::move(frame), session.setup.recorded, options.batch,
                                            limit, options.sink);
  }
  return std::make_unique<MadeEvents>(std::move(frame), form, options.batch,
                                      limit > 0 ? limit : std::numeric_limits<uint64_t>::max(),
                                      options.sink);
}

std::unique_ptr<WebhookRequests> receiver_workload(const Session& session) {
  const auto& webhooks = session.webhooks;
  auto workload = std::make_unique<WebhookRequests>(webhooks, session.setup.request_forms);
  for (uint64_t number = 0; number < webhooks.size(); ++number) {
    Outgoing request;
    if (const auto error = workload->make(number, session.ring->wall_now(), request)) {
      throw Stop{exit_usage, "the " + webhooks[number].dialect +
                                 " dialect makes no request of this event: " + describe(*error)};
    }
  }
  return workload;
}

/// Waits until what was accepted has arrived, or nobody wants to wait any more.
void drain_sink(const Session& session, const SinkThread& sink, uint64_t expected, LiveLine& line) {
  const Instant deadline = read_monotonic() + session.setup.drain;
  while (sink.delivered() < expected && stop_requested < 2 && read_monotonic() < deadline) {
    const auto left = static_cast<uint64_t>(to_seconds(deadline - read_monotonic()));
    line.show("waiting for " + cli::grouped(expected - sink.delivered()) + " deliveries, at most " +
              cli::span_of(left) + (stop_requested > 0 ? "; Ctrl-C: not at all" : ""));
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  // Duplicates come late.
  if (expected > 0) std::this_thread::sleep_for(std::chrono::milliseconds{100});
}

void check_processes(const std::vector<int>& pids) {
  for (const int pid : pids) {
    if (ProcessWatch::begin(pid)) continue;
    throw Stop{exit_usage, "--pid " + std::to_string(pid) + ": there is no such process"};
  }
}

/// One that has ended since it was checked is left out.
std::vector<ProcessWatch> watch_processes(const std::vector<int>& pids) {
  std::vector<ProcessWatch> watches;
  for (const int pid : pids) {
    if (auto watch = ProcessWatch::begin(pid)) watches.push_back(std::move(*watch));
  }
  return watches;
}

/// Removes the webhooks of a run, whatever becomes of it.
class WebhookRemover {
 public:
  explicit WebhookRemover(RelayTarget* relay) : relay_(relay) {}
  ~WebhookRemover() { remove(); }
  WebhookRemover(const WebhookRemover&) = delete;
  WebhookRemover& operator=(const WebhookRemover&) = delete;

  void remove() {
    std::string problem;
    if (relay_ != nullptr && !relay_->remove_webhooks(problem)) {
      std::fprintf(stderr, "ringpost-load: %s\n", cli::shown(problem).c_str());
    }
    relay_ = nullptr;
  }

 private:
  RelayTarget* relay_;
};

RunResults run_once(Session& session, const std::vector<Stage>& stages, const std::string& label) {
  const RunOptions& options = session.options;
  EventForm form = session.setup.form;
  if (!label.empty()) form.run += "s" + label;  // Each run of a sweep marks its own events.
  WebhookRemover remover(options.sink ? session.relay.get() : nullptr);
  const std::unique_ptr<SinkThread> sink = options.sink ? open_sink(session, form) : nullptr;

  std::unique_ptr<RelayWorkload> to_relay;
  std::unique_ptr<WebhookRequests> to_receiver;
  if (options.to_relay) {
    to_relay = relay_workload(session, form);
  } else {
    to_receiver = receiver_workload(session);
  }
  Workload& workload = to_relay ? static_cast<Workload&>(*to_relay) : *to_receiver;

  Pacer pacer(session.ring->waker());
  Generator generator(*session.ring, pacer, session.endpoint, workload, plan_of(session, stages),
                      stop_requested);
  if (const auto error = generator.connect()) {
    generator.close();
    throw Stop{exit_unreachable, cli::shown(session.client.url) + ": " +
                                     with_hint(session, net::describe_tls(*error))};
  }
  auto watches = watch_processes(options.pids);
  LiveLine line(!options.quiet && !options.json);
  uint64_t ticks = 0;
  generator.run([&](const Progress& progress) {
    line.show((label.empty() ? "" : "run " + label + "  ") + live_line(progress));
    if (++ticks % 4 == 0) std::ranges::for_each(watches, &ProcessWatch::look);
  });
  generator.close();

  RunResults results = std::move(generator.results());
  if (to_relay) results.relay = to_relay->totals();
  if (sink != nullptr) {
    drain_sink(session, *sink, to_relay->totals().accepted * session.setup.fan_out, line);
  }
  for (ProcessWatch& watch : watches) {
    watch.look();
    results.processes.push_back(watch.use());
  }
  remover.remove();
  if (sink == nullptr) return results;
  sink->stop();
  results.sink = sink->results({.accepted_at = to_relay->accepted_at(),
                                .schedule = generator.schedule(),
                                .start = generator.started(),
                                .warm_up = generator.warm_up(),
                                .batch = options.batch});
  return results;
}

void run_sweep(Session& session, Report& report) {
  report.sweep = true;
  report.p99_limit = session.setup.p99_limit;
  size_t beyond = 0;
  for (const double rate : session.setup.sweep_rates) {
    const std::vector<Stage> stages{
        {.rate_from = rate, .rate_to = rate, .seconds = session.setup.seconds}};
    report.runs.push_back(run_once(session, stages, std::to_string(report.runs.size() + 1)));
    const RunResults& results = report.runs.back();
    if (stop_requested != 0) return;
    const bool kept_up = why_beyond_knee(results, session.setup.p99_limit).empty();
    if (kept_up && beyond == 0 && why_invalid(results).empty()) report.knee = results.offered_rate;
    beyond += kept_up ? 0 : 1;
    if (beyond == beyond_max) return;
  }
}

// --- what is printed -----------------------------------------------------------------------------

void write_file(const std::string& option, const std::string& file, const std::string& text) {
  if (file.empty()) return;
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text;
  if (out.flush()) return;
  throw Stop{exit_faults,
             option + " " + cli::shown(file) + " cannot be written: " + std::strerror(errno)};
}

/// Finds out before the run whether the files can be written.
void try_files(const RunOptions& options) {
  write_file("--hgrm", options.hgrm_file, "");
  write_file("--html", options.html_file, "");
  write_file("--svg", options.svg_file, "");
}

std::vector<std::pair<std::string, std::string>> settings_of(const Session& session) {
  const RunOptions& options = session.options;
  std::vector<std::pair<std::string, std::string>> settings;
  const auto add = [&settings](const char* name, const std::string& value) {
    if (!value.empty()) settings.emplace_back(name, value);
  };
  const bool timed = !session.setup.recorded_at.empty();
  add("load", options.closed           ? "closed loop"
              : !options.sweep.empty() ? "sweep " + options.sweep
              : timed                ? "replay at its own times x " + std::to_string(options.speed)
              : options.rate.empty() ? "100/s"
                                     : options.rate + "/s");
  add("duration", timed                      ? ""
                  : options.duration.empty() ? (options.replay_file.empty() ? "10s" : "")
                                             : options.duration);
  add("count", options.count > 0 ? std::to_string(options.count) : "");
  add("arrivals", options.closed || timed ? "" : options.arrivals);
  add("connections", std::to_string(options.connections));
  add("warm-up", options.warm_up);
  add("batch", options.to_relay ? std::to_string(options.batch) : "");
  add("replay", options.replay_file);
  add("data",
      options.data.empty() && options.replay_file.empty() ? options.size + " bytes" : options.data);
  add("keys", options.keys > 0 ? std::to_string(options.keys) : "");
  add("webhooks", options.sink ? std::to_string(session.setup.fan_out) : "");
  std::string dialects;
  for (const dialect::Dialect* dialect : session.setup.dialects) {
    dialects += (dialects.empty() ? "" : ", ") + std::string{dialect->name()};
  }
  add("dialects", options.sink || !options.to_relay ? dialects : "");
  add("seed", std::to_string(options.seed));
  return settings;
}

/// A sweep goes on beyond what the target can do, so failed requests are no fault of it.
int code_of_sweep(const Report& report) {
  if (std::ranges::any_of(report.runs, is_harmed)) return exit_faults;
  if (report.knee || stop_requested != 0) return exit_done;
  return why_no_knee(report).empty() ? exit_faults : exit_invalid;
}

int code_of(const Report& report) {
  if (report.sweep) return code_of_sweep(report);
  for (const RunResults& run : report.runs) {
    if (is_harmed(run)) return exit_faults;
    if (!why_invalid(run).empty()) return exit_invalid;
    if (run.failed > 0) return exit_faults;
  }
  return exit_done;
}

void print(const RunOptions& options, const Report& report) {
  const std::string text = options.json ? to_json(report) : to_text(report);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  LatencyHistogram all;
  for (const RunResults& run : report.runs) all.add(run.latency);
  if (!options.hgrm_file.empty()) write_file("--hgrm", options.hgrm_file, to_hgrm(all));
  if (!options.html_file.empty()) write_file("--html", options.html_file, to_html(report));
  if (!options.svg_file.empty()) write_file("--svg", options.svg_file, to_svg(report));
}

void catch_signals(io::Ring& ring) {
  waker = &ring.waker();
  struct sigaction stop {};
  stop.sa_handler = on_signal;
  sigaction(SIGINT, &stop, nullptr);
  sigaction(SIGTERM, &stop, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int run_all(const RunOptions& options) {
  auto setup = set_up(options);
  if (const auto* problem = std::get_if<cli::UsageProblem>(&setup)) {
    throw Stop{exit_usage, problem->text};
  }
  Session session{.options = options, .setup = std::get<RunSetup>(std::move(setup))};
  read_target(session);
  if (!options.to_relay) read_webhooks(session);
  check_processes(options.pids);
  try_files(options);
  io::OpenedRing opened = io::open_ring(io::EngineChoice::automatic, io::FileUse::none);
  if (opened.ring == nullptr) throw Stop{exit_unreachable, opened.problem};
  session.ring = std::move(opened.ring);
  catch_signals(*session.ring);
  if (options.to_relay) open_relay(session);

  Report report{.command = options.to_relay ? "relay" : "receiver",
                .target = session.client.url,
                .machine = this_machine(),
                .settings = settings_of(session)};
  const auto before = options.to_relay ? session.relay->counters() : std::nullopt;
  if (!session.setup.sweep_rates.empty()) {
    run_sweep(session, report);
  } else {
    report.runs.push_back(run_once(session, session.setup.stages, ""));
  }
  const auto after = before ? session.relay->counters() : std::nullopt;
  if (before && after) report.relay_counters = *after - *before;
  while (session.ring->pending_count() > 0) session.ring->turn(true);
  waker = nullptr;
  print(options, report);
  return code_of(report);
}

}  // namespace

int run(const RunOptions& options) {
  try {
    return run_all(options);
  } catch (const Stop& stop) {
    std::fprintf(stderr, "ringpost-load: %s\n", stop.text.c_str());
    return stop.code;
  }
}

}  // namespace ringpost::load
