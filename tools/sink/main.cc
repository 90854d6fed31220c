// ringpost-sink: a receiver that counts, verifies and misbehaves on request.

#include "base/json_writer.h"
#include "cli/input.h"
#include "cli/manual.h"
#include "cli/output.h"
#include "cli/usage.h"
#include "dialect/dialect.h"
#include "io/linux_ring.h"
#include "io/listener.h"
#include "io/process.h"
#include "io/read_file.h"
#include "net/tls.h"
#include "ringpost/version.h"
#include "sink/certificate.h"
#include "sink/receiver.h"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <map>

namespace ringpost::sink {
namespace {

volatile std::sig_atomic_t stop_requested = 0;
io::Waker* waker = nullptr;

void on_signal(int) {
  stop_requested = 1;
  waker->wake();
}

struct Setup {
  Options options;
  std::string listen = "127.0.0.1:8443";
  bool plain = false;
  std::string certificate_file;
  std::string key_file;
  std::string ca_out;
  uint64_t quit_after = 0;
  uint32_t delay_ms = 0;
  bool json = false;
};

/// Of requests. CLI11 takes -1 for the largest number unless there is a bound.
constexpr uint64_t count_max = 1'000'000'000'000;

/// @returns whether `file` could be read; else `problem` says why.
bool read_into(std::string& text, const std::string& option, const std::string& file,
               std::string& problem) {
  auto content = io::read_file(file);
  if (!content) {
    problem = option + " " + file + " cannot be read: " + describe(content.error());
    return false;
  }
  text = std::move(*content);
  return true;
}

/// The TLS side, or nullptr with `problem` set.
std::unique_ptr<net::ServerTls> make_tls(const Setup& setup, std::string& problem) {
  std::string certificate;
  std::string key;
  if (!setup.certificate_file.empty()) {
    if (!read_into(certificate, "--certificate", setup.certificate_file, problem) ||
        !read_into(key, "--key", setup.key_file, problem)) {
      return nullptr;
    }
  } else {
    Certificates made = make_certificates();
    certificate = std::move(made.leaf_pem);
    key = std::move(made.key_pem);
    if (!setup.ca_out.empty()) {
      std::ofstream out(setup.ca_out, std::ios::binary | std::ios::trunc);
      out << made.ca_pem;
      if (!out.flush()) {
        problem = "--ca-out " + setup.ca_out + " cannot be written: " + std::strerror(errno);
        return nullptr;
      }
    }
  }
  auto tls = net::ServerTls::create(certificate, key);
  if (tls) return std::move(*tls);
  problem = "--certificate and --key must name a PEM certificate and the key that belongs to it";
  return nullptr;
}

void print_totals(const Setup& setup, const Receiver& receiver) {
  const Totals& totals = receiver.totals();
  const auto missing = receiver.missing();
  if (setup.json) {
    std::string text;
    JsonWriter json{text};
    json.begin_object()
        .member("requests", totals.requests)
        .member("answered_2xx", totals.answered_2xx)
        .member("duplicates", totals.duplicates)
        .member("signatures_good", totals.signatures_good)
        .member("signatures_bad", totals.signatures_bad)
        .member("unsigned", totals.unsigned_requests)
        .member("malformed", totals.malformed)
        .member("connections", totals.connections)
        .member("missing", missing.size())
        .end_object();
    std::printf("%s\n", text.c_str());
    return;
  }
  const auto row = [](const char* label, uint64_t value) {
    std::printf("  %-22s %llu\n", label, static_cast<unsigned long long>(value));
  };
  std::printf("ringpost-sink received\n");
  row("requests", totals.requests);
  row("answered 2xx", totals.answered_2xx);
  row("signatures good", totals.signatures_good);
  row("signatures bad", totals.signatures_bad);
  row("without signature", totals.unsigned_requests);
  row("duplicate deliveries", totals.duplicates);
  row("malformed requests", totals.malformed);
  row("connections", totals.connections);
  if (setup.options.expect > 0) row("missing events", missing.size());
  for (size_t index = 0; index < missing.size() && index < 10; ++index) {
    std::printf("    missing: %llu\n", static_cast<unsigned long long>(missing[index]));
  }
}

/// What is wrong with the options; empty if nothing is.
std::string problem_of(const Options& options) {
  if (options.expect > 0 && options.id_member.empty()) return "--expect needs --id-member";
  for (const std::string& header : options.answer_headers) {
    const size_t colon = header.find(':');
    if (colon == std::string::npos || colon == 0 ||
        header.find_first_of("\r\n") != std::string::npos) {
      return "--answer-header must have the form 'Name: value'";
    }
  }
  if (options.ledger_file.empty()) return "";
  std::FILE* ledger = std::fopen(options.ledger_file.c_str(), "ae");
  if (ledger == nullptr)
    return "--ledger " + options.ledger_file + " cannot be written: " + std::strerror(errno);
  std::fclose(ledger);
  return "";
}

int run(const Setup& setup) {
  if (const std::string problem = problem_of(setup.options); !problem.empty()) {
    std::fprintf(stderr, "ringpost-sink: %s\n", problem.c_str());
    return 2;
  }
  const auto address = io::Address::parse(setup.listen);
  if (!address) {
    std::fprintf(stderr,
                 "ringpost-sink: --listen %s must be an address like 127.0.0.1:8443, [::1]:8443 or "
                 "unix:/path\n",
                 setup.listen.c_str());
    return 2;
  }
  auto ring = io::LinuxRing::create({});
  if (!ring) {
    std::fprintf(stderr, "ringpost-sink: %s\n", io::explain_setup_failure(ring.error()).c_str());
    return 1;
  }
  std::unique_ptr<net::ServerTls> tls;
  std::string problem;
  if (!setup.plain && (tls = make_tls(setup, problem)) == nullptr) {
    std::fprintf(stderr, "ringpost-sink: %s\n", problem.c_str());
    return 2;
  }
  const auto listener = (*ring)->listen(*address, {.reuse_port = false});
  if (!listener) {
    std::fprintf(stderr, "ringpost-sink: %s\n",
                 io::explain_listen_failure(*address, listener.error()).c_str());
    return 1;
  }
  waker = &(*ring)->waker();
  struct sigaction stop {};
  stop.sa_handler = on_signal;
  // A write that nobody reads is interrupted, too; a second signal ends the process at once.
  stop.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &stop, nullptr);
  sigaction(SIGTERM, &stop, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const auto local = (*ring)->local_address(*listener);
  const std::string shown = local ? local->to_text() : setup.listen;
  std::printf("ringpost-sink %s listening on %s%s\n", version,
              shown.starts_with("unix:") ? "" : (setup.plain ? "http://" : "https://"),
              shown.c_str());
  std::fflush(stdout);

  Receiver receiver(**ring, *listener, tls.get(), setup.options);
  while (stop_requested == 0 &&
         (setup.quit_after == 0 || receiver.totals().requests < setup.quit_after)) {
    (*ring)->turn(true);
  }
  receiver.stop();
  while ((*ring)->pending_count() > 0) (*ring)->turn(true);
  print_totals(setup, receiver);
  const bool lost = setup.options.expect > 0 && !receiver.missing().empty();
  return receiver.totals().signatures_bad > 0 || lost ? 1 : 0;
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

int run(int argc, char** argv) {
  Setup setup;
  Options& options = setup.options;
  CLI::App app{
      "A webhook receiver that counts, verifies and misbehaves on request.\n"
      "SIGINT or SIGTERM ends it with a summary.",
      "ringpost-sink"};
  app.set_version_flag("--version", std::string("ringpost-sink ") + version);
  app.add_option("--listen", setup.listen,
                 "Address: IP:port or unix:/path; port 0 picks a free port")
      ->capture_default_str();
  app.add_flag("--plain", setup.plain, "Plain http instead of TLS");
  app.add_option("--certificate", setup.certificate_file,
                 "PEM certificate; default: one is generated for loopback");
  app.add_option("--key", setup.key_file, "PEM private key of --certificate");
  app.add_option("--ca-out", setup.ca_out,
                 "Write the CA of the generated certificate to this file");
  add_secret_options(app, options.secrets);
  app.add_option("--status", options.status, "HTTP status of every answer")
      ->check(CLI::Range(200, 599))
      ->capture_default_str();
  app.add_option("--body", options.answer_body, "Body of every answer")->capture_default_str();
  app.add_option("--answer-header", options.answer_headers,
                 "'Name: value' for every answer; repeatable");
  app.add_option("--delay-ms", setup.delay_ms, "Wait this many milliseconds before each answer");
  app.add_option("--fail-first", options.fail_first, "Answer the first N requests with 503")
      ->check(CLI::Range(uint64_t{0}, count_max));
  const std::map<std::string, Fault> faults{{"none", Fault::none},       {"reset", Fault::reset},
                                            {"hang", Fault::hang},       {"drip", Fault::drip},
                                            {"endless", Fault::endless}, {"huge", Fault::huge},
                                            {"cut", Fault::cut}};
  app.add_option_function<std::string>(
         "--fault", [&](const std::string& name) { options.fault = faults.at(name); },
         "What to do wrong after each request")
      ->check(CLI::IsMember(faults));
  app.add_flag("--print", options.print, "Print a line for every request");
  app.add_option("--ledger", options.ledger_file,
                 "Append a line per request to this file: time, delivery, attempt, SHA-256 of the "
                 "body, signature, status");
  app.add_option("--id-member", options.id_member,
                 "Member of the body that numbers the events from 1, e.g. build_number");
  app.add_option("--expect", options.expect,
                 "With --id-member: report which of 1…N were not received")
      ->check(CLI::Range(uint64_t{0}, uint64_t{100'000'000}));
  app.add_option("--quit-after", setup.quit_after, "Exit after N requests")
      ->check(CLI::Range(uint64_t{0}, count_max));
  app.add_flag("--json", setup.json, "Print the summary as JSON");
  app.footer(
      "A secret may also be given literally, but then every user of the machine can read it: only "
      "for\n"
      "tests.\n"
      "\n"
      "Exit codes: 0 all well; 1 a signature was bad, an event is missing, or it cannot run; 2 "
      "wrong usage.");
  if (const auto done = ringpost::cli::write_manual(
          app, argc, argv,
          {.version = std::string("ringpost ") + ringpost::version, .see_also = {"ringpost"}})) {
    return *done;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return ringpost::cli::report_parse_error(app, error);
  }
  options.delay = std::chrono::milliseconds{setup.delay_ms};
  return run(setup);
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
