// ringpost-sink: a receiver that counts, verifies and misbehaves on request.

#include "cli/completion.h"
#include "cli/input.h"
#include "cli/manual.h"
#include "cli/output.h"
#include "cli/usage.h"
#include "dialect/dialect.h"
#include "io/engine.h"
#include "io/listener.h"
#include "io/process.h"
#include "io/read_file.h"
#include "net/tls.h"
#include "ringpost/version.h"
#include "sink/certificate.h"
#include "sink/control.h"
#include "sink/doors.h"
#include "sink/report.h"
#include "sink/worker.h"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <map>
#include <sys/resource.h>

namespace ringpost::sink {
namespace {

volatile std::sig_atomic_t stop_requested = 0;
volatile std::sig_atomic_t report_requested = 0;
io::Waker* waker = nullptr;

void on_signal(int) {
  stop_requested = 1;
  waker->wake();
}

void on_report_signal(int) {
  report_requested = 1;
  waker->wake();
}

struct Setup {
  Options options;
  EndpointPlan plan;  ///< Of each endpoint, as far as the options say it.
  std::string scenario_file;
  uint32_t endpoints = 1;
  uint32_t threads = 1;
  bool by_name = false;
  std::string listen = "127.0.0.1:8443";
  std::string control;
  bool plain = false;
  std::string certificate_file;
  std::string key_file;
  std::string ca_out;
  std::string urls_out;
  uint64_t quit_after = 0;
  uint32_t delay_ms = 0;
  bool json = false;
  std::string completion;
};

constexpr uint32_t threads_max = 64;

/// Of requests. CLI11 takes -1 for the largest number unless there is a bound.
constexpr uint64_t count_max = 1'000'000'000'000;

/// Ends the program with a message and an exit code; only before it serves.
struct Failure {
  int code;
  std::string text;
};

[[noreturn]] void fail_usage(std::string text) {
  throw Failure{2, std::move(text)};
}

std::string read_named(const std::string& option, const std::string& file) {
  auto content = io::read_file(file);
  if (!content) {
    fail_usage(option + " " + file + " cannot be read: " + describe(content.error()));
  }
  return std::move(*content);
}

void write_named(const std::string& option, const std::string& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text;
  if (!out.flush()) {
    fail_usage(option + " " + file + " cannot be written: " + std::strerror(errno));
  }
}

/// The TLS sides of the endpoints: those with the same certificate and versions share one.
class Identities {
 public:
  explicit Identities(const Setup& setup) {
    if (!setup.certificate_file.empty()) {
      given_ = Authority::Identity{read_named("--certificate", setup.certificate_file),
                                   read_named("--key", setup.key_file)};
    } else if (!setup.ca_out.empty()) {
      write_named("--ca-out", setup.ca_out, authority_.ca_pem());
    }
  }

  /// Lives as long as this object; null for plain http.
  net::ServerTls* of(const EndpointPlan& plan) {
    if (!plan.tls) return nullptr;
    auto& tls = made_[{plan.certificate, plan.versions}];
    if (tls != nullptr) return tls.get();
    const auto identity = given_ && plan.certificate == CertificateKind::good
                              ? *given_
                              : authority_.issue(plan.certificate);
    auto made = net::ServerTls::create(identity.certificate_pem, identity.key_pem, plan.versions);
    if (!made) {
      fail_usage(
          "--certificate and --key must name a PEM certificate and the key that belongs to it");
    }
    tls = std::move(*made);
    return tls.get();
  }

 private:
  Authority authority_;
  std::optional<Authority::Identity> given_;
  std::map<std::pair<CertificateKind, net::ServerTls::Versions>, std::unique_ptr<net::ServerTls>>
      made_;
};

io::Address parse_address(const std::string& option, const std::string& text) {
  const auto address = io::Address::parse(text);
  if (!address) {
    fail_usage(option + " " + text +
               " must be an address like 127.0.0.1:8443, [::1]:8443 or unix:/path");
  }
  return *address;
}

bool is_loopback(const io::Address& address) {
  switch (address.family) {
    case io::Address::Family::unix_path: return true;
    case io::Address::Family::ipv4: return address.ip[0] == 127;
    case io::Address::Family::ipv6: return address.to_text().starts_with("[::1]:");
  }
  return false;
}

/// What is wrong with the options; empty if nothing is.
std::string problem_of(const Setup& setup) {
  const Options& options = setup.options;
  if (options.expect > 0 && options.id_member.empty()) return "--expect needs --id-member";
  if (!options.order_key.empty() && options.id_member.empty()) {
    return "--order-key needs --id-member";
  }
  if (setup.certificate_file.empty() != setup.key_file.empty()) {
    return "--certificate and --key belong together";
  }
  if (!setup.ca_out.empty() && !setup.certificate_file.empty()) {
    return "--ca-out is for the generated certificate: it cannot be combined with --certificate";
  }
  if (!setup.control.empty() && !is_loopback(parse_address("--control", setup.control))) {
    return "--control " + setup.control + " must be a loopback address: the page has no login";
  }
  for (const std::string& header : setup.plan.phases.front().behaviour.headers) {
    if (!valid_answer_header(header)) return "--answer-header must have the form 'Name: value'";
  }
  if (options.ledger_file.empty()) return "";
  std::FILE* ledger = std::fopen(options.ledger_file.c_str(), "ae");
  if (ledger == nullptr)
    return "--ledger " + options.ledger_file + " cannot be written: " + std::strerror(errno);
  std::fclose(ledger);
  return "";
}

/// The endpoints of the scenario, or as many as the options say.
Scenario scenario_of(const Setup& setup) {
  Scenario scenario;
  if (setup.scenario_file.empty()) {
    for (uint32_t number = 1; number <= setup.endpoints; ++number) {
      scenario.endpoints.push_back(setup.plan);
      scenario.endpoints.back().name = "endpoint-" + std::to_string(number);
    }
    return scenario;
  }
  auto parsed = parse_scenario(read_named("--scenario", setup.scenario_file), setup.plan);
  if (const auto* problem = std::get_if<ScenarioProblem>(&parsed)) {
    std::string place = setup.scenario_file;
    if (problem->line > 0) {
      place += ":" + std::to_string(problem->line) + ":" + std::to_string(problem->column);
    }
    fail_usage(place + ": " + problem->text);
  }
  return std::get<Scenario>(std::move(parsed));
}

/// Each endpoint has a socket, and each connection another.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

io::Socket listen(io::Ring& ring, io::Address& address) {
  const auto listener = ring.listen(address, {.reuse_port = false});
  if (!listener) throw Failure{1, io::explain_listen_failure(address, listener.error())};
  if (auto local = ring.local_address(*listener)) address = *local;
  return *listener;
}

/// What runs: the endpoints, and who serves them.
struct Service {
  Service(io::Ring& its_ring, const Setup& its_setup)
      : setup(its_setup), ring(its_ring), endpoints(setup.options, ring.now()) {}

  const Setup& setup;
  io::Ring& ring;
  Endpoints endpoints;
  Receiver receiver{ring, endpoints};
  std::vector<std::unique_ptr<Worker>> workers;
  Doors doors{ring, endpoints, receiver, workers};
  std::unique_ptr<Control> control;
};

/// Listens for every endpoint, one port after the other from the first one's.
void serve_by_port(Service& service, io::Address address, Identities& identities,
                   const Scenario& scenario) {
  const bool any_port = address.port == 0;
  const bool many = scenario.endpoints.size() > 1 || scenario.endpoints.front().port != 0;
  if (many && address.family == io::Address::Family::unix_path) {
    fail_usage("several endpoints on a Unix socket need --by-name");
  }
  uint32_t next = address.port;
  for (const EndpointPlan& plan : scenario.endpoints) {
    if (plan.port != 0) next = plan.port;
    if (next > 65'535) fail_usage("--listen leaves too few ports for all endpoints");
    address.port = static_cast<uint16_t>(next);
    net::ServerTls* tls = identities.of(plan);
    const io::Socket listener = listen(service.ring, address);
    service.doors.open(listener, address, tls, service.endpoints.add(plan));
    next = any_port && plan.port == 0 ? 0 : next + 1;
  }
}

/// Listens at one port for all endpoints.
void serve_by_name(Service& service, io::Address address, Identities& identities,
                   const Scenario& scenario) {
  const EndpointPlan& common = service.setup.plan;
  for (const EndpointPlan& plan : scenario.endpoints) {
    if (plan.port != 0 || plan.certificate != common.certificate || plan.tls != common.tls ||
        plan.versions != common.versions) {
      fail_usage("with --by-name all endpoints share one port, certificate and TLS: endpoint " +
                 plan.name + " cannot have others");
    }
    service.endpoints.add(plan);
  }
  net::ServerTls* tls = identities.of(common);
  const io::Socket listener = listen(service.ring, address);
  service.doors.open_by_name(listener, address, tls);
}

void start_workers(Service& service) {
  for (uint32_t number = 1; number < service.setup.threads; ++number) {
    auto started = Worker::start(service.endpoints);
    if (auto* problem = std::get_if<std::string>(&started)) throw Failure{1, std::move(*problem)};
    service.workers.push_back(std::get<std::unique_ptr<Worker>>(std::move(started)));
  }
}

void handle_signals(io::Ring& ring) {
  waker = &ring.waker();
  struct sigaction stop {};
  stop.sa_handler = on_signal;
  // A write that nobody reads is interrupted, too; a second signal ends the process at once.
  stop.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &stop, nullptr);
  sigaction(SIGTERM, &stop, nullptr);
  struct sigaction report {};
  report.sa_handler = on_report_signal;
  report.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &report, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

/// Where it says what it does: standard output has nothing but JSON if that was asked for.
FILE* talk(const Setup& setup) {
  return setup.json ? stderr : stdout;
}

void announce(const Service& service) {
  const auto& endpoints = service.endpoints.all();
  FILE* out = talk(service.setup);
  std::fprintf(out, "ringpost-sink %s listening on %s\n", version, endpoints.front().url.c_str());
  if (endpoints.size() > 1) {
    std::fprintf(out, "  and for %zu more %s, the last at %s\n", endpoints.size() - 1,
                 endpoints.size() == 2 ? "endpoint" : "endpoints", endpoints.back().url.c_str());
  }
}

void print_report(const Service& service) {
  const Duration elapsed = service.ring.now() - service.endpoints.start();
  const std::string text = service.setup.json ? report_json(service.endpoints, elapsed) + "\n"
                                              : report_table(service.endpoints, elapsed);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

std::string urls_of(const Endpoints& endpoints) {
  std::string text;
  for (const Endpoint& endpoint : endpoints.all()) text += endpoint.url + "\n";
  return text;
}

/// Starts the page, if it is asked for.
void start_control(Service& service) {
  if (service.setup.control.empty()) return;
  io::Address address = parse_address("--control", service.setup.control);
  const io::Socket listener = listen(service.ring, address);
  const std::string shown = address.to_text();
  std::fprintf(talk(service.setup), "  live page at %s%s\n",
               shown.starts_with("unix:") ? "" : "http://", shown.c_str());
  service.control = std::make_unique<Control>(service.ring, listener, service.endpoints);
}

/// Listens for all endpoints, and says where.
void start(Service& service, const Scenario& scenario, Identities& identities) {
  const Setup& setup = service.setup;
  const io::Address address = parse_address("--listen", setup.listen);
  start_workers(service);
  service.endpoints.wake_at(setup.quit_after, service.ring.waker());
  if (setup.by_name) {
    serve_by_name(service, address, identities, scenario);
  } else {
    serve_by_port(service, address, identities, scenario);
  }
  handle_signals(service.ring);
  if (!setup.urls_out.empty())
    write_named("--urls-out", setup.urls_out, urls_of(service.endpoints));
  announce(service);
  start_control(service);
  std::fflush(stdout);
}

void turn_until_stopped(Service& service) {
  const uint64_t enough = service.setup.quit_after;
  while (stop_requested == 0 && (enough == 0 || service.endpoints.requests() < enough)) {
    service.ring.turn(true);
    if (report_requested == 0) continue;
    report_requested = 0;
    print_report(service);
  }
}

/// Until nothing is pending: then everything may be destroyed.
void stop(Service& service) {
  service.doors.stop();
  service.receiver.stop();
  if (service.control != nullptr) service.control->stop();
  while (service.ring.pending_count() > 0) service.ring.turn(true);
  for (const auto& worker : service.workers) worker->stop();
}

int run(Setup& setup) {
  if (std::string problem = problem_of(setup); !problem.empty()) fail_usage(std::move(problem));
  const Scenario scenario = scenario_of(setup);
  setup.options.seed = scenario.seed;
  raise_descriptor_limit();
  const io::OpenedRing opened = io::open_ring(io::EngineChoice::automatic, io::FileUse::none);
  if (opened.ring == nullptr) throw Failure{1, opened.problem};
  io::Ring& ring = *opened.ring;
  Identities identities(setup);
  Service service(ring, setup);
  try {
    start(service, scenario, identities);
  } catch (const Failure&) {
    stop(service);
    throw;
  }
  turn_until_stopped(service);
  stop(service);
  print_report(service);
  const Endpoints& endpoints = service.endpoints;
  const bool wrong = endpoints.sum(&Ledger::missing_count) > 0 ||
                     endpoints.sum(&Ledger::out_of_order) > 0 ||
                     endpoints.totals().signatures_bad > 0;
  return wrong ? 1 : 0;
}

/// The secret that an option names: `@FILE`, `-`, or the text itself, which is for secrets that
/// protect nothing.
std::string secret_of(const std::string& option, const std::string& value) {
  if (value != "-" && !value.starts_with('@')) return value;
  auto secret = cli::read_secret(option, value, nullptr);
  if (const auto* problem = std::get_if<cli::UsageProblem>(&secret)) {
    throw CLI::ValidationError(problem->text);
  }
  return std::get<std::string>(std::move(secret));
}

/// `--standard-secret` and so on: one for each dialect whose requests can be verified.
void add_secret_options(CLI::App& app, std::vector<Secret>& secrets) {
  for (const dialect::Dialect* dialect : dialect::all()) {
    if (!dialect->verifies()) continue;
    const std::string name{dialect->name()};
    const std::string option = "--" + name + "-secret";
    app.add_option_function<std::string>(
           option,
           [&secrets, dialect, option](const std::string& value) {
             std::string text = secret_of(option, value);
             const std::string_view objection = dialect->object_to_secret(text);
             if (!objection.empty()) {
               throw CLI::ValidationError(option + ": the secret " + std::string{objection});
             }
             secrets.push_back({dialect, std::move(text)});
           },
           "Verify requests of the " + name + " dialect with this: @FILE, or - for standard input")
        ->type_name("@FILE");
  }
}

void add_behaviour_options(CLI::App& app, Setup& setup) {
  Behaviour& behaviour = setup.plan.phases.front().behaviour;
  app.add_option("--status", behaviour.statuses.front().status, "HTTP status of every answer")
      ->check(CLI::Range(200, 599))
      ->capture_default_str();
  app.add_option("--body", behaviour.body, "Body of every answer")->capture_default_str();
  app.add_option("--answer-header", behaviour.headers,
                 "'Name: value' for every answer; repeatable");
  app.add_option("--delay-ms", setup.delay_ms, "Wait this many milliseconds before each answer");
  app.add_option("--fail-first", setup.plan.fail_first,
                 "Answer the first N requests of each endpoint with 503")
      ->check(CLI::Range(uint64_t{0}, count_max));
  std::vector<std::string> names;
  for (const Fault fault : all_faults) names.emplace_back(name(fault));
  app.add_option_function<std::string>(
         "--fault", [&](const std::string& text) { behaviour.fault = *find_fault(text); },
         "What to do wrong after each request")
      ->check(CLI::IsMember(names));
}

void add_endpoint_options(CLI::App& app, Setup& setup) {
  app.add_option("--listen", setup.listen,
                 "Address: IP:port or unix:/path; port 0 picks a free port")
      ->capture_default_str();
  auto* endpoints = app.add_option("--endpoints", setup.endpoints,
                                   "Serve N endpoints, on N ports from that of --listen")
                        ->check(CLI::Range(uint32_t{1}, endpoints_max))
                        ->capture_default_str();
  app.add_option("--scenario", setup.scenario_file,
                 "TOML file that says what each endpoint does, and when; see below")
      ->type_name("FILE")
      ->excludes(endpoints);
  app.add_option("--threads", setup.threads,
                 "Serve connections on N threads, each of which needs a CPU")
      ->check(CLI::Range(uint32_t{1}, threads_max))
      ->capture_default_str();
  app.add_flag("--by-name", setup.by_name,
               "All endpoints on one port, told apart by name: NAME.sink.localhost");
  app.add_option("--urls-out", setup.urls_out, "Write the URL of each endpoint to this file")
      ->type_name("FILE");
  app.add_option("--control", setup.control,
                 "Serve a live page (/) and the report (/report.json) at this loopback address");
  app.add_flag("--plain", setup.plain, "Plain http instead of TLS");
  app.add_option("--certificate", setup.certificate_file,
                 "PEM certificate; default: one is generated for loopback");
  app.add_option("--key", setup.key_file, "PEM private key of --certificate");
  app.add_option("--ca-out", setup.ca_out,
                 "Write the CA of the generated certificate to this file");
}

constexpr const char* scenario_help =
    "A scenario has an [[endpoint]] table for each endpoint. Its keys, all optional:\n"
    "  name, count, port        count = 3 makes NAME-1 to NAME-3, on ports one after the other\n"
    "  tls                      \"both\" (1.2 and 1.3), \"1.2\", \"1.3\" or \"off\"\n"
    "  certificate              \"good\", \"expired\", \"not_yet_valid\", \"wrong_name\",\n"
    "                           \"unknown_issuer\" or \"self_signed\"\n"
    "  secrets                  { standard = \"@FILE\" }: by dialect, to verify with\n"
    "  fail_first               this number of requests gets 503 first\n"
    "  status                   200, or weights: { 200 = 95, 503 = 5 }\n"
    "  delay                    \"20ms\", { min = \"10ms\", max = \"50ms\" }, { mean = \"20ms\" }\n"
    "                           (exponential) or { median = \"20ms\", p99 = \"400ms\" } "
    "(lognormal)\n"
    "  fault, fault_share       as --fault, and the share of requests: 0.1\n"
    "  drip_interval            between the bytes of \"drip\": \"1s\"\n"
    "  retry_after              seconds, in answers with 429 and 503\n"
    "  body, headers            of every answer: { X-Name = \"value\" }\n"
    "  [[endpoint.outage]]      from, for, every (again after), kind: \"refuse\", \"reset\", "
    "\"hang\" or \"503\"\n"
    "  [[endpoint.phase]]       from, and what changes then: status to headers\n"
    "  repeat                   the phases begin again after this\n"
    "At the top: seed, of all that is drawn. Times count from the start of the sink.\n"
    "\n";

int run(int argc, char** argv) {
  Setup setup;
  Options& options = setup.options;
  CLI::App app{
      "A webhook receiver that counts, verifies and misbehaves on request.\n"
      "SIGUSR1 prints a summary; SIGINT or SIGTERM ends it with one.",
      "ringpost-sink"};
  app.set_version_flag("--version", std::string("ringpost-sink ") + version);
  add_endpoint_options(app, setup);
  add_secret_options(app, setup.plan.secrets);
  add_behaviour_options(app, setup);
  app.add_flag("--print", options.print, "Print a line for every request");
  app.add_option("--ledger", options.ledger_file,
                 "Append a line per request to this file: time, delivery, attempt, SHA-256 of the "
                 "body, signature, status, and of several endpoints the name");
  app.add_option(
      "--id-member", options.id_member,
      "Member of the body that numbers the events from 1, e.g. build_number or build/number");
  app.add_option(
      "--order-key", options.order_key,
      "With --id-member: member of the body that is the ordering key; report numbers that "
      "came after a greater one of the same key");
  app.add_option("--expect", options.expect,
                 "With --id-member: report which of 1…N an endpoint did not receive")
      ->check(CLI::Range(uint64_t{0}, uint64_t{100'000'000}));
  app.add_option("--quit-after", setup.quit_after,
                 "Exit after N requests; with --threads, after a few more")
      ->check(CLI::Range(uint64_t{0}, count_max));
  app.add_flag("--json", setup.json, "Print the summary as JSON");
  CLI::App* completion =
      app.add_subcommand("completion", "Print a script that completes in a shell");
  completion->add_option("SHELL", setup.completion, "Shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  app.footer(
      std::string{scenario_help} +
      "A secret may also be given literally, but then every user of the machine can read it: only "
      "for\n"
      "tests.\n"
      "\n"
      "Exit codes: 0 all well; 1 a signature was bad, an event is missing or out of order, or it "
      "cannot\n"
      "run; 2 wrong usage, or something is wrong in the scenario.");
  if (const auto done = ringpost::cli::write_manual(
          app, argc, argv,
          {.version = std::string("ringpost ") + ringpost::version, .see_also = {"ringpost"}})) {
    return *done;
  }
  try {
    cli::parse(app, argc, argv);
  } catch (const CLI::ParseError& error) {
    return ringpost::cli::report_parse_error(app, error);
  }
  if (const auto shell = cli::parse_shell(setup.completion)) {
    const std::string script = cli::completion_script(cli::facts_of(app), *shell);
    return std::fwrite(script.data(), 1, script.size(), stdout) == script.size() ? 0 : 1;
  }
  setup.plan.phases.front().behaviour.delay.first = std::chrono::milliseconds{setup.delay_ms};
  setup.plan.tls = !setup.plain;
  try {
    return run(setup);
  } catch (const Failure& failure) {
    std::fprintf(stderr, "ringpost-sink: %s\n", failure.text.c_str());
    return failure.code;
  }
}

}  // namespace
}  // namespace ringpost::sink

int main(int argc, char** argv) {
  ringpost::io::secure_process();
  try {
    return ringpost::cli::finish_output("ringpost-sink", ringpost::sink::run(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ringpost-sink: %s\n", error.what());
    return 1;
  }
}
