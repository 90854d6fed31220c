#include "load/options.h"

#include "cli/json.h"
#include "cli/text.h"
#include "cli/webhook_body.h"
#include "crypto/random.h"
#include "http/syntax.h"
#include "load/clock.h"
#include "load/sink_webhooks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <span>

namespace ringpost::load {
namespace {

using cli::Usable;
using cli::UsageProblem;

constexpr uint64_t bytes_max = 16u << 20;
constexpr uint64_t count_max = 100'000'000;

// --- the command line ----------------------------------------------------------------------------

/// `--standard-secret` and so on: one for each dialect whose requests can be verified.
void add_secret_options(CLI::App& command, std::vector<sink::Secret>& secrets) {
  for (const dialect::Dialect* dialect : dialect::all()) {
    if (!dialect->verifies()) continue;
    const std::string name{dialect->name()};
    const std::string option = "--" + name + "-secret";
    command
        .add_option_function<std::string>(
            option,
            [&secrets, dialect, option](const std::string& from) {
              auto read = cli::read_secret(option, from, nullptr);
              if (const auto* problem = std::get_if<UsageProblem>(&read)) {
                throw CLI::ValidationError(problem->text);
              }
              auto text = std::get<std::string>(std::move(read));
              if (const auto objection = dialect->object_to_secret(text); !objection.empty()) {
                throw CLI::ValidationError(option + ": the secret " + std::string{objection});
              }
              secrets.push_back({dialect, std::move(text)});
            },
            "Sign requests of the " + name + " dialect with this: @FILE, or - for standard input")
        ->type_name("@FILE")
        ->group("Requests");
  }
}

std::vector<std::string> dialect_names() {
  std::vector<std::string> names;
  for (const dialect::Dialect* dialect : sink_dialects()) names.emplace_back(dialect->name());
  return names;
}

void add_target_options(CLI::App& command, RunOptions& options) {
  constexpr const char* group = "Target";
  if (options.to_relay) {
    command
        .add_option("--url", options.url,
                    "The relay: http://, https:// or unix:/path; default: RINGPOST_URL, or "
                    "http://127.0.0.1:8420")
        ->type_name("URL")
        ->group(group);
    command
        .add_option("--token", options.token_from,
                    "A token with the scope events:write, for --sink also webhooks:write: @FILE, "
                    "or - for standard input; default: RINGPOST_TOKEN, which may be the token or "
                    "@FILE")
        ->type_name("@FILE")
        ->group(group);
  } else {
    command
        .add_option("URL", options.url,
                    "The receiver: http://, https://, or unix:/path for plain HTTP to / on a Unix "
                    "socket")
        ->required();
  }
  command.add_option("--ca", options.ca_file, "PEM file of the target's private CA, for https")
      ->type_name("FILE")
      ->group(group);
  command
      .add_flag("--insecure", options.insecure, "Do not verify the target's certificate, for https")
      ->group(group);
  command
      .add_option("--i-own-this-target", options.owned_hosts,
                  options.to_relay
                      ? "Permit traffic to this host, by the URL or by a webhook that the relay "
                        "has already; repeatable; without: to this machine only"
                      : "Permit traffic to this host, which must be the URL's; without: to this "
                        "machine only")
      ->type_name("HOST")
      ->allow_extra_args(false)
      ->group(group);
}

void add_load_options(CLI::App& command, RunOptions& options) {
  constexpr const char* group = "Load";
  const std::string what = options.to_relay ? "Events" : "Requests";
  command
      .add_option("--rate", options.rate,
                  what +
                      " a second: 500, a ramp 100-1000, or stages with their times "
                      "100:10s,100-1000:30s,1000:10s; default: 100")
      ->type_name("RATE")
      ->group(group);
  command
      .add_option("--duration", options.duration,
                  "How long, of stages without their own time; 0: until Ctrl-C; default: 10s" +
                      std::string(options.to_relay ? ", of --replay: to the file's end" : ""))
      ->type_name("TIME")
      ->group(group);
  command
      .add_option("--count", options.count,
                  "End after that many " + std::string(options.to_relay ? "events" : "requests"))
      ->type_name("COUNT")
      ->check(CLI::Range(uint64_t{1}, count_max))
      ->group(group);
  command
      .add_flag("--closed", options.closed,
                "Closed loop: each connection sends when its answer is there. Finds the most that "
                "a target takes; its latencies leave out what waits")
      ->group(group);
  command
      .add_option("--arrivals", options.arrivals,
                  "even: at equal distances; random: as from many independent producers")
      ->type_name("KIND")
      ->check(CLI::IsMember({"even", "random"}))
      ->group(group)
      ->capture_default_str();
  command
      .add_option("--sweep", options.sweep,
                  "Run at rates from FROM to TO, each for --duration, and find the highest that "
                  "the target keeps up with")
      ->type_name("FROM-TO")
      ->group(group);
  command.add_option("--sweep-steps", options.sweep_steps, "How many rates a sweep has")
      ->type_name("COUNT")
      ->check(CLI::Range(2u, 50u))
      ->group(group)
      ->capture_default_str();
  command
      .add_option("--p99-limit", options.p99_limit,
                  "Of a sweep: a rate with a higher p99 counts as too high" +
                      std::string(options.to_relay
                                      ? "; with --sink also of the time until an event is delivered"
                                      : ""))
      ->type_name("TIME")
      ->group(group);
  command
      .add_option("--connections", options.connections,
                  "Connections, each with one request at a time (HTTP/1.1, kept alive)")
      ->type_name("COUNT")
      ->check(CLI::Range(1u, 20'000u))
      ->group(group)
      ->capture_default_str();
  command
      .add_option("--warm-up", options.warm_up,
                  "Do not measure what is due in this time after the start")
      ->type_name("TIME")
      ->group(group)
      ->capture_default_str();
  command.add_option("--timeout", options.timeout, "Of a request: connecting and its answer")
      ->type_name("TIME")
      ->group(group)
      ->capture_default_str();
  command
      .add_option("--drain", options.drain,
                  "How long to wait after the last request: for answers" +
                      std::string(options.to_relay ? ", and with --sink for deliveries" : ""))
      ->type_name("TIME")
      ->group(group)
      ->capture_default_str();
  command.add_option("--seed", options.seed, "Of all that is random: the same seed, the same run")
      ->type_name("NUMBER")
      ->check(CLI::Range(uint64_t{0}, uint64_t{std::numeric_limits<int64_t>::max()}))
      ->group(group)
      ->capture_default_str();
}

void add_event_options(CLI::App& command, RunOptions& options) {
  const char* group = options.to_relay ? "Events" : "Requests";
  command
      .add_option("--type", options.types,
                  "Event type, with placeholders; repeatable, with shares as in 3:build.finished")
      ->type_name("TYPE")
      ->allow_extra_args(false)
      ->group(group);
  command.add_option("--source", options.sources, "Source, likewise")
      ->type_name("SOURCE")
      ->allow_extra_args(false)
      ->group(group);
  command
      .add_option("--data", options.data,
                  "The data: a JSON object with placeholders, or @FILE; default: padding")
      ->type_name("JSON")
      ->group(group);
  command
      .add_option(
          "--size", options.size,
          "Bytes of data, where --data does not say: 1024, 16KiB or a range 500-4KiB" +
              std::string(options.to_relay ? "; with --sink never less than its mark, about 60"
                                           : ""))
      ->type_name("BYTES")
      ->group(group)
      ->capture_default_str();
  if (!options.to_relay) {
    command
        .add_option("--dialect", options.dialects,
                    "How requests look and are signed; repeatable: they take turns; default: "
                    "standard")
        ->type_name("DIALECT")
        ->check(CLI::IsMember(dialect_names()))
        ->allow_extra_args(false)
        ->group(group);
    add_secret_options(command, options.secrets);
    command
        .add_option("--setting", options.settings,
                    "key=value of the dialect's settings, as of ringpost webhook add; repeatable")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false)
        ->group(group);
    command.add_flag("--unsigned", options.is_unsigned, "Send requests without signatures")
        ->group(group);
    return;
  }
  command
      .add_option("--keys", options.keys, "Give events this many ordering keys in turn; 0: none")
      ->type_name("COUNT")
      ->check(CLI::Range(uint64_t{0}, uint64_t{1'000'000}))
      ->group(group);
  command.add_flag("--no-ids", options.no_ids, "Give events no ids")->group(group);
  command.add_option("--batch", options.batch, "Events in one request; more than one: as NDJSON")
      ->type_name("COUNT")
      ->check(CLI::Range(uint64_t{1}, uint64_t{10'000}))
      ->group(group)
      ->capture_default_str();
  command
      .add_option("--replay", options.replay_file,
                  "Send the events of this NDJSON file as they are, at the distances of their "
                  "\"time\", or with --rate at that rate")
      ->type_name("FILE")
      ->group(group);
  command
      .add_flag("--new-ids", options.new_ids,
                "Replay with other ids: a relay that has had these events takes them again; as "
                "always with --sink, which also adds a mark to their data")
      ->group(group);
  command.add_option("--speed", options.speed, "Replay that many times as fast")
      ->type_name("FACTOR")
      ->check(CLI::Range(0.001, 1e6))
      ->group(group);
}

void add_sink_options(CLI::App& command, RunOptions& options) {
  constexpr const char* group = "Receiver in this process";
  command
      .add_flag("--sink", options.sink,
                "Receive the events, too: makes webhooks for them, verifies signatures, measures "
                "delivery, loss, duplicates and order, and removes the webhooks at the end")
      ->group(group);
  command
      .add_option("--fan-out", options.fan_out,
                  "With --sink: webhooks for each event; default: one of each --dialect")
      ->type_name("COUNT")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1000}))
      ->group(group);
  command
      .add_option("--dialect", options.dialects,
                  "With --sink: of the webhooks; repeatable: they take turns, and all get every "
                  "event; default: standard")
      ->type_name("DIALECT")
      ->check(CLI::IsMember(dialect_names()))
      ->allow_extra_args(false)
      ->group(group);
}

void add_result_options(CLI::App& command, RunOptions& options) {
  constexpr const char* group = "Results";
  command
      .add_option("--pid", options.pids,
                  "Watch this process: CPU, memory, file descriptors; repeatable")
      ->type_name("PID")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()))
      ->allow_extra_args(false)
      ->group(group);
  command.add_flag("--json", options.json, "Print the results as JSON")->group(group);
  command
      .add_option("--hgrm", options.hgrm_file,
                  "Write the latencies to this file, as HdrHistogram's tools read them")
      ->type_name("FILE")
      ->group(group);
  command
      .add_option("--html", options.html_file,
                  "Write a report with plots to this file: one page that needs nothing else")
      ->type_name("FILE")
      ->group(group);
  command.add_option("--svg", options.svg_file, "Write the plots alone to this file, as one SVG")
      ->type_name("FILE")
      ->group(group);
  command.add_flag("--quiet", options.quiet, "No live line on the terminal")->group(group);
}

// --- reading it ----------------------------------------------------------------------------------

/// Whatever of `options` is wrong ends the reading.
struct Problem {
  std::string text;
};

template <typename T>
T take(Usable<T> read, const std::string& option) {
  if (auto* problem = std::get_if<UsageProblem>(&read))
    throw Problem{option + ": " + problem->text};
  return std::get<T>(std::move(read));
}

Duration span_of(const std::string& option, const std::string& text) {
  const auto read = cli::read_duration(option, text);
  if (const auto* problem = std::get_if<UsageProblem>(&read)) throw Problem{problem->text};
  return std::get<std::chrono::milliseconds>(read);
}

std::optional<uint64_t> parse_bytes(std::string_view text) {
  uint64_t unit = 1;
  for (const auto& [suffix, size] :
       {std::pair<std::string_view, uint64_t>{"KiB", 1024}, {"MiB", 1024 * 1024}}) {
    if (!text.ends_with(suffix)) continue;
    unit = size;
    text.remove_suffix(suffix.size());
  }
  const auto number = http::parse_decimal(text);
  if (!number || *number > bytes_max / unit) return std::nullopt;
  return *number * unit;
}

Mix mix_of(const std::string& option, const std::vector<std::string>& texts,
           std::string_view otherwise) {
  Mix mix;
  for (const std::string& text : texts) {
    const std::string problem = add_to_mix(mix, text);
    if (!problem.empty()) throw Problem{option + ": " + problem};
  }
  if (mix.empty()) add_to_mix(mix, otherwise);
  return mix;
}

/// The data's template, if it makes JSON objects.
std::optional<TextTemplate> data_of(const std::string& option) {
  if (option.empty()) return std::nullopt;
  const std::string text = take(cli::read_text_or_file(option), "--data");
  const auto compiled = take(TextTemplate::compile(text), "--data");
  Prng random(1);
  simdjson::dom::parser parser;
  simdjson::dom::element json;
  const std::string tried = compiled.filled({.random = random});
  if (!cli::parse_json(tried, parser, json) || !json.is_object()) {
    throw Problem{"--data must be a JSON object once its placeholders are filled in, and is: " +
                  cli::shown(tried.substr(0, 200))};
  }
  return compiled;
}

using Dialects = std::span<const dialect::Dialect* const>;

/// Their source where --source does not say. In a relay one that is not in use: webhooks that it
/// has for others are left alone, unless they want all events.
std::string source_for(const RunOptions& options, const std::string& run, Dialects dialects) {
  if (options.to_relay) return "app/load-" + run;
  return std::string{dialects.front()->example_event().source};
}

/// What the events for these dialects look like.
EventForm form_of(const RunOptions& options, const std::string& run, Dialects dialects) {
  const auto sizes = take(parse_sizes(options.size), "--size");
  const bool action =
      std::ranges::any_of(dialects, [](const auto* dialect) { return needs_action(*dialect); });
  return {.run = run,
          .types = mix_of("--type", options.types, type_for(dialects)),
          .sources = mix_of("--source", options.sources, source_for(options, run, dialects)),
          .data = data_of(options.data),
          .bytes_min = sizes.first,
          .bytes_max = sizes.second,
          .keys = options.keys,
          .ids = !options.no_ids,
          .marked = options.sink,
          .action = action,
          .seed = options.seed};
}

/// Of the first event, where they vary.
std::vector<std::string> examples_of(const Mix& mix, uint64_t seed) {
  Prng random(seed);
  std::vector<std::string> examples;
  for (const TextTemplate& text : mix.texts()) examples.push_back(text.filled({.random = random}));
  return examples;
}

EventNames names_of(const std::vector<std::string>& recorded) {
  EventNames names;
  std::set<std::string, std::less<>> types;
  std::set<std::string, std::less<>> sources;
  simdjson::dom::parser parser;
  simdjson::dom::element json;
  for (const std::string& event : recorded) {
    if (!cli::parse_json(event, parser, json)) continue;
    types.emplace(cli::raw_text_of(json, "/type"));
    sources.emplace(cli::raw_text_of(json, "/source"));
  }
  names.types.assign(types.begin(), types.end());
  names.sources.assign(sources.begin(), sources.end());
  return names;
}

/// Requests to a receiver take turns, each with an event of its own dialect.
void read_forms(const RunOptions& options, RunSetup& setup) {
  const std::string run = crypto::token("", 16).substr(0, 8);
  setup.form = form_of(options, run, setup.dialects);
  setup.names = setup.recorded.empty() ? EventNames{examples_of(setup.form.types, options.seed),
                                                    examples_of(setup.form.sources, options.seed)}
                                       : names_of(setup.recorded);
  for (const dialect::Dialect* const& dialect : setup.dialects) {
    setup.request_forms.push_back(form_of(options, run, {&dialect, 1}));
  }
}

/// @throws Problem if webhooks of a dialect would not get such events.
void require_gets(const RunSetup& setup, const std::string& type, std::string_view data) {
  for (const dialect::Dialect* dialect : setup.dialects) {
    if (gets(*dialect, type, data)) continue;
    throw Problem{"a webhook of the " + std::string{dialect->name()} +
                  " dialect gets no events of the type " + cli::shown(type) +
                  ": choose another --type, or leave this --dialect out"};
  }
}

void require_no_own_action(const RunSetup& setup, const std::string& option) {
  for (const dialect::Dialect* dialect : setup.dialects) {
    if (!needs_action(*dialect)) continue;
    throw Problem{option + " cannot be combined with --sink and --dialect " +
                  std::string{dialect->name()} +
                  ": its requests are made from the data of an action alone, and this receiver "
                  "would not know them again"};
  }
}

/// Whether the webhooks of --sink get the events that are made.
void check_sink(const RunOptions& options, const RunSetup& setup) {
  if (!options.data.empty()) require_no_own_action(setup, "--data");
  EventMaker maker(setup.form);
  std::string data;
  maker.append_data(data, 0, {});
  for (const std::string& type : setup.names.types) require_gets(setup, type, data);
}

/// The same for recorded events, which get their mark.
void mark_recording(const RunOptions& options, RunSetup& setup) {
  require_no_own_action(setup, "--replay");
  std::set<std::string, std::less<>> types;
  simdjson::dom::parser parser;
  for (size_t index = 0; index < setup.recorded.size(); ++index) {
    std::string& event = setup.recorded[index];
    auto marked = with_mark(event, setup.form.run, index);
    const std::string place =
        "event " + std::to_string(index + 1) + " of " + cli::shown(options.replay_file);
    if (!marked) {
      throw Problem{"--sink: " + place +
                    " has no data that is a JSON object, so the receiver would not know it again"};
    }
    event = *std::move(marked);
    simdjson::dom::element json;
    std::string_view type;
    if (!cli::parse_json(event, parser, json) || json["type"].get(type) != simdjson::SUCCESS) {
      throw Problem{"--sink: " + place + " has no \"type\""};
    }
    if (!types.insert(std::string{type}).second) continue;
    const std::string data = simdjson::minify(json["data"].value());
    require_gets(setup, std::string{type}, data);
  }
}

/// What the file of --replay says itself cannot be said by an option as well.
void check_replay(const RunOptions& options) {
  if (options.replay_file.empty()) {
    if (options.new_ids) throw Problem{"--new-ids needs --replay"};
    return;
  }
  const std::pair<const char*, bool> said[] = {
      {"--type", !options.types.empty()}, {"--source", !options.sources.empty()},
      {"--data", !options.data.empty()},  {"--keys", options.keys > 0},
      {"--no-ids", options.no_ids},       {"--sweep", !options.sweep.empty()}};
  for (const auto& [option, given] : said) {
    if (!given) continue;
    throw Problem{"--replay sends the events of its file as they are: " + std::string{option} +
                  " cannot be combined with it"};
  }
}

/// How the load goes over time.
void read_load(const RunOptions& options, RunSetup& setup) {
  const bool replays = !options.replay_file.empty();
  const bool timed = replays && options.rate.empty() && !options.closed;
  const Duration span = span_of("--duration", !options.duration.empty() ? options.duration
                                              : replays                 ? "0"
                                                                        : "10s");
  const bool endless = span == Duration::zero();
  setup.seconds = endless ? std::numeric_limits<double>::infinity() : to_seconds(span);
  setup.closed = options.closed;
  setup.arrivals = options.arrivals == "random" ? Arrivals::random : Arrivals::even;
  if (options.closed + !options.sweep.empty() + !options.rate.empty() > 1) {
    throw Problem{"give only one of --rate, --closed and --sweep"};
  }
  check_replay(options);
  if (replays) {
    const auto text = take(cli::read_text_file(options.replay_file), "--replay");
    auto recording = take(read_recording(text, options.speed, timed), "--replay");
    setup.recorded = std::move(recording.events);
    setup.recorded_at = std::move(recording.due);
    if (timed && options.batch > 1) throw Problem{"--batch needs --rate when a file is replayed"};
    if (timed && !options.duration.empty()) {
      throw Problem{
          "--duration needs --rate when a file is replayed: by their own times the events "
          "take as long as they took; --speed makes them faster, --count fewer"};
    }
  }
  if (!options.sweep.empty()) {
    if (endless) throw Problem{"--sweep needs a --duration"};
    setup.sweep_rates = take(parse_sweep(options.sweep, options.sweep_steps), "--sweep");
  } else if (!options.closed && !timed) {
    const std::string rate = options.rate.empty() ? "100" : options.rate;
    setup.stages = take(parse_stages(rate, setup.seconds), "--rate");
    setup.seconds = 0;
    for (const Stage& stage : setup.stages) setup.seconds += stage.seconds;
  }
  setup.warm_up = span_of("--warm-up", options.warm_up);
  setup.timeout = span_of("--timeout", options.timeout);
  setup.drain = span_of("--drain", options.drain);
  if (setup.timeout == Duration::zero()) throw Problem{"--timeout must be greater than 0"};
  if (!timed && to_seconds(setup.warm_up) >= setup.seconds) {
    throw Problem{"--warm-up must be shorter than the run"};
  }
  if (!options.p99_limit.empty()) {
    if (options.sweep.empty()) throw Problem{"--p99-limit needs --sweep"};
    setup.p99_limit = span_of("--p99-limit", options.p99_limit);
  }
}

subscription::Webhook webhook_of(const dialect::Dialect& dialect, const RunOptions& options,
                                 const subscription::Destination& destination,
                                 std::string_view run) {
  subscription::Webhook webhook = dialect.defaults();
  webhook.destination = destination;
  const auto secret = std::ranges::find(options.secrets, &dialect, &sink::Secret::dialect);
  if (secret != options.secrets.end()) {
    webhook.secret = secret->text;
  } else if (dialect.verifies() && !options.is_unsigned) {
    throw Problem{"give the secret that requests are signed with, --" +
                  std::string{dialect.name()} +
                  "-secret @FILE; or send them without signatures, --unsigned"};
  }
  const std::string own = sink_settings(dialect, run);
  const std::string settings = options.settings.empty() && !own.empty()
                                   ? own
                                   : take(cli::settings_object(options.settings), "--setting");
  if (const auto problem = dialect.read_settings(settings, webhook)) {
    throw Problem{cli::shown("--setting: " + problem->member + ": " + problem->detail)};
  }
  return webhook;
}

}  // namespace

void add_run_options(CLI::App& command, RunOptions& options) {
  add_target_options(command, options);
  add_load_options(command, options);
  add_event_options(command, options);
  if (options.to_relay) add_sink_options(command, options);
  add_result_options(command, options);
}

Usable<RunSetup> set_up(const RunOptions& options) {
  try {
    RunSetup setup;
    if (!options.sink && options.fan_out > 0) throw Problem{"--fan-out needs --sink"};
    if (options.to_relay && !options.sink && !options.dialects.empty()) {
      throw Problem{"--dialect needs --sink: without it the relay's own webhooks decide"};
    }
    for (const std::string& name : options.dialects) setup.dialects.push_back(dialect::find(name));
    if (setup.dialects.empty()) setup.dialects.push_back(dialect::find("standard"));
    setup.fan_out = options.fan_out > 0 ? options.fan_out : setup.dialects.size();
    if (setup.fan_out < setup.dialects.size()) {
      throw Problem{"--fan-out must be at least the number of dialects, " +
                    std::to_string(setup.dialects.size())};
    }
    read_load(options, setup);
    read_forms(options, setup);
    if (options.sink) {
      setup.recorded.empty() ? check_sink(options, setup) : mark_recording(options, setup);
    }
    if (options.new_ids || options.sink) {
      for (size_t index = 0; index < setup.recorded.size(); ++index) {
        setup.recorded[index] = with_new_id(setup.recorded[index], setup.form.run, index);
      }
    }
    return setup;
  } catch (const Problem& problem) {
    return UsageProblem{problem.text};
  }
}

Usable<std::vector<subscription::Webhook>> receiver_webhooks(
    const RunOptions& options, const RunSetup& setup,
    const subscription::Destination& destination) {
  try {
    std::vector<subscription::Webhook> webhooks;
    for (const dialect::Dialect* dialect : setup.dialects) {
      webhooks.push_back(webhook_of(*dialect, options, destination, setup.form.run));
    }
    return webhooks;
  } catch (const Problem& problem) {
    return UsageProblem{problem.text};
  }
}

bool is_this_machine(const io::Address& address) {
  std::array<uint8_t, 16> loopback{};
  loopback[15] = 1;
  switch (address.family) {
    case io::Address::Family::unix_path: return true;
    case io::Address::Family::ipv4: return address.ip[0] == 127;
    case io::Address::Family::ipv6: return address.ip == loopback;
  }
  return false;
}

std::string object_to_target(const io::Address& address, const std::string& host,
                             std::span<const std::string> owned_hosts) {
  if (is_this_machine(address)) return "";
  const bool owned = std::ranges::any_of(owned_hosts, [&host](const std::string& one) {
    return http::equal_ignoring_case(host, one);
  });
  if (owned) return "";
  if (!owned_hosts.empty()) {
    return "--i-own-this-target " + cli::shown(owned_hosts.front()) + " is not the URL's host, " +
           cli::shown(host);
  }
  return cli::shown(host) +
         " is not this machine. Load on a host that is not yours is an attack; if you are "
         "responsible for it, say so with --i-own-this-target " +
         cli::shown(host);
}

Usable<std::pair<uint64_t, uint64_t>> parse_sizes(std::string_view text) {
  const size_t dash = text.find('-');
  const auto low = parse_bytes(text.substr(0, dash));
  const auto high = dash == std::string_view::npos ? low : parse_bytes(text.substr(dash + 1));
  if (low && high && *low <= *high) return std::pair{*low, *high};
  return UsageProblem{cli::shown(text) +
                      " must be a number of bytes up to 16MiB (1024, 16KiB), or a range of two "
                      "(500-4KiB)"};
}

Usable<std::vector<double>> parse_sweep(std::string_view text, uint32_t steps) {
  const auto stages = parse_stages(text, 1);
  const auto* list = std::get_if<std::vector<Stage>>(&stages);
  if (list == nullptr || list->size() != 1 || text.find(':') != std::string_view::npos ||
      !(list->front().rate_from > 0) || !(list->front().rate_to > list->front().rate_from)) {
    return UsageProblem{cli::shown(text) + " must be two rates, the lower one first: 100-10000"};
  }
  const auto& [from, to, seconds] = list->front();
  std::vector<double> rates;
  for (uint32_t step = 0; step < steps; ++step) {
    rates.push_back(from * std::pow(to / from, static_cast<double>(step) / (steps - 1)));
  }
  return rates;
}

namespace {

/// The event's `time`; nothing if it has none that can be read.
std::optional<WallTime> time_of(std::string_view event, simdjson::dom::parser& parser,
                                bool& is_object) {
  simdjson::dom::element json;
  std::string_view text;
  is_object = cli::parse_json(event, parser, json) && json.is_object();
  if (!is_object || json["time"].get(text) != simdjson::SUCCESS) return std::nullopt;
  return parse_rfc3339(text);
}

}  // namespace

Usable<Recording> read_recording(std::string_view text, double speed, bool timed) {
  Recording recording;
  simdjson::dom::parser parser;
  std::optional<WallTime> first;
  for (uint64_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view event = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (event.ends_with('\r')) event.remove_suffix(1);
    if (event.find_first_not_of(" \t") == std::string_view::npos) continue;
    bool is_object = false;
    const auto time = time_of(event, parser, is_object);
    const std::string place = "line " + std::to_string(line);
    if (!is_object) return UsageProblem{place + " is not a JSON object"};
    recording.events.emplace_back(event);
    if (!timed) continue;
    if (!time) {
      return UsageProblem{place + " has no \"time\" (RFC 3339): give a --rate to send at"};
    }
    if (!first) first = *time;
    const Duration after{
        static_cast<int64_t>(static_cast<double>((*time - *first).count()) / speed)};
    recording.due.push_back(std::max(after, Duration::zero()));
  }
  // Recorded by several machines, they may be out of order: each goes out when it happened.
  std::vector<size_t> order(recording.due.size());
  for (size_t index = 0; index < order.size(); ++index) order[index] = index;
  std::ranges::stable_sort(order, {}, [&recording](size_t index) { return recording.due[index]; });
  if (timed) {
    Recording sorted;
    for (const size_t index : order) {
      sorted.events.push_back(std::move(recording.events[index]));
      sorted.due.push_back(recording.due[index]);
    }
    recording = std::move(sorted);
  }
  if (recording.events.empty()) return UsageProblem{"there is no event in it"};
  return recording;
}

}  // namespace ringpost::load
