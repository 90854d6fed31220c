#include "load/compare.h"

#include "base/json_writer.h"
#include "cli/json.h"
#include "cli/text.h"
#include "load/figures.h"
#include "load/options.h"

#include <simdjson.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace ringpost::load {
namespace {

enum class Unit : uint8_t { number, micros, bytes };

struct Line {
  const char* label;
  const char* pointer;  ///< Within a run.
  Unit unit = Unit::number;
};

constexpr Line lines[] = {
    {"offered/s", "/offered_per_s"},
    {"achieved/s", "/achieved_per_s"},
    {"requests", "/requests"},
    {"failed", "/failed"},
    {"p50", "/latency/p50_us", Unit::micros},
    {"p90", "/latency/p90_us", Unit::micros},
    {"p99", "/latency/p99_us", Unit::micros},
    {"p99.9", "/latency/p99_9_us", Unit::micros},
    {"max", "/latency/max_us", Unit::micros},
    {"mean", "/latency/mean_us", Unit::micros},
    {"delivery p50", "/sink/accepted_to_delivered/p50_us", Unit::micros},
    {"delivery p99", "/sink/accepted_to_delivered/p99_us", Unit::micros},
    {"delivery max", "/sink/accepted_to_delivered/max_us", Unit::micros},
    {"missing", "/sink/missing"},
    {"duplicates", "/sink/duplicates"},
    {"CPU us/event", "/processes/0/cpu_us_per_event"},
    {"CPU us/delivery", "/processes/0/cpu_us_per_delivery"},
    {"CPU us/request", "/processes/0/cpu_us_per_request"},
    {"memory max", "/processes/0/resident_bytes_max", Unit::bytes},
};

std::string text_of(double value, Unit unit) {
  switch (unit) {
    case Unit::micros: return duration_text(Duration{static_cast<int64_t>(value * 1000)});
    case Unit::bytes: return decimal_text(value / 1048576, 1) + " MiB";
    case Unit::number: break;
  }
  return number_text(value);
}

std::optional<double> figure(simdjson::dom::element run, const char* pointer) {
  double value = 0;
  if (run.at_pointer(pointer).get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

std::string ratio_text(double a, double b) {
  if (a == b) return "1.00";
  return a == 0 ? "-" : decimal_text(b / a, 2);
}

/// The runs of a result; nothing if it is not one.
std::optional<simdjson::dom::array> runs_of(simdjson::dom::element result) {
  simdjson::dom::array runs;
  if (cli::raw_text_of(result, "/program") != "ringpost-load" ||
      result["runs"].get(runs) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  return runs;
}

/// Both figures of a line; nothing if neither run has it.
struct Pair {
  std::optional<double> a;
  std::optional<double> b;
};
std::optional<Pair> pair_of(const Line& line, simdjson::dom::element a, simdjson::dom::element b) {
  const Pair pair{figure(a, line.pointer), figure(b, line.pointer)};
  return pair.a || pair.b ? std::optional{pair} : std::nullopt;
}

void add_run(cli::Table& table, simdjson::dom::element a, simdjson::dom::element b) {
  for (const Line& line : lines) {
    const auto pair = pair_of(line, a, b);
    if (!pair) continue;
    table.add({line.label, pair->a ? text_of(*pair->a, line.unit) : "-",
               pair->b ? text_of(*pair->b, line.unit) : "-",
               pair->a && pair->b ? ratio_text(*pair->a, *pair->b) : "-"});
  }
}

void write_figure(JsonWriter& json, const char* name, const std::optional<double>& value) {
  json.key(name);
  value ? json.value(*value) : json.null();
}

/// `{"a", "b", "ratio"}`; null: there is none.
void write_pair(JsonWriter& json, const std::optional<double>& a, const std::optional<double>& b) {
  json.begin_object();
  write_figure(json, "a", a);
  write_figure(json, "b", b);
  const bool has_ratio = a && b && *a != 0;
  write_figure(json, "ratio", has_ratio ? std::optional{*b / *a} : std::nullopt);
  json.end_object();
}

/// The name of a figure: its place in a run. The first process has no number.
std::string name_of(const Line& line) {
  constexpr std::string_view process = "processes/0/";
  std::string name = line.pointer + 1;
  if (name.starts_with(process)) name.erase(0, process.size());
  for (char& letter : name) letter = letter == '/' ? '.' : letter;
  return name;
}

bool is_valid(simdjson::dom::element run) {
  bool valid = true;
  return run["valid"].get(valid) != simdjson::SUCCESS || valid;
}

void write_run(JsonWriter& json, simdjson::dom::element a, simdjson::dom::element b) {
  json.begin_object().member("valid", is_valid(a) && is_valid(b));
  json.key("figures").begin_object();
  for (const Line& line : lines) {
    const auto pair = pair_of(line, a, b);
    if (!pair) continue;
    json.key(name_of(line));
    write_pair(json, pair->a, pair->b);
  }
  json.end_object().end_object();
}

/// What a reader should know before believing the ratios.
std::string warnings(simdjson::dom::element a, simdjson::dom::element b) {
  std::string text;
  for (const auto& [name, run] : {std::pair{"A", a}, {"B", b}}) {
    if (!is_valid(run)) {
      text += std::string{name} +
              " is INVALID: " + cli::shown(cli::raw_text_of(run, "/why_invalid")) + "\n";
    }
  }
  return text;
}

/// Two results, read; their texts are borrowed.
struct Results {
  simdjson::dom::parser parsers[2];
  simdjson::dom::element results[2];
  std::vector<simdjson::dom::element> runs[2];
};

/// @returns what is wrong; empty: nothing.
std::string read_results(std::string_view a, std::string_view b, Results& into) {
  for (const auto& [index, text, name] : {std::tuple{0, a, "A"}, {1, b, "B"}}) {
    std::optional<simdjson::dom::array> runs;
    if (cli::parse_json(text, into.parsers[index], into.results[index]) &&
        into.results[index].is_object()) {
      runs = runs_of(into.results[index]);
    }
    if (!runs) return std::string{name} + " is not a result of ringpost-load --json";
    into.runs[index].assign(runs->begin(), runs->end());
  }
  return into.runs[0].empty() || into.runs[1].empty() ? "there is no run to compare" : "";
}

std::string table_of(const Results& read) {
  const size_t count = std::min(read.runs[0].size(), read.runs[1].size());
  std::string text;
  if (read.runs[0].size() != read.runs[1].size()) text = "The sweeps differ in length.\n";
  for (size_t index = 0; index < count; ++index) {
    const auto left = read.runs[0][index];
    const auto right = read.runs[1][index];
    cli::Table table({count > 1 ? "run " + std::to_string(index + 1) : "", "A", "B", "B / A"});
    add_run(table, left, right);
    text += table.to_text() + warnings(left, right) + (index + 1 < count ? "\n" : "");
  }
  const auto knee_a = figure(read.results[0], "/knee_per_s");
  const auto knee_b = figure(read.results[1], "/knee_per_s");
  if (knee_a && knee_b) {
    text += "\nhighest rate kept up with: A " + number_text(*knee_a) + "/s, B " +
            number_text(*knee_b) + "/s, B / A " + ratio_text(*knee_a, *knee_b) + "\n";
  }
  return text;
}

std::string json_of(const Results& read) {
  std::string text;
  JsonWriter json{text};
  json.begin_object().key("runs").begin_array();
  for (size_t index = 0; index < std::min(read.runs[0].size(), read.runs[1].size()); ++index) {
    write_run(json, read.runs[0][index], read.runs[1][index]);
  }
  json.end_array().key("knee_per_s");
  write_pair(json, figure(read.results[0], "/knee_per_s"), figure(read.results[1], "/knee_per_s"));
  json.end_object();
  return text + "\n";
}

int run_compare(const std::string& a, const std::string& b, bool as_json) {
  std::string texts[2];
  for (const auto& [file, text] : {std::pair{&a, &texts[0]}, {&b, &texts[1]}}) {
    auto read = cli::read_text_file(*file);
    if (const auto* problem = std::get_if<cli::UsageProblem>(&read)) {
      std::fprintf(stderr, "ringpost-load: %s\n", problem->text.c_str());
      return exit_usage;
    }
    *text = std::get<std::string>(std::move(read));
  }
  const auto made = as_json ? compare_as_json(texts[0], texts[1]) : compare(texts[0], texts[1]);
  if (const auto* problem = std::get_if<cli::UsageProblem>(&made)) {
    std::fprintf(stderr, "ringpost-load: %s\n", problem->text.c_str());
    return exit_usage;
  }
  if (!as_json) std::printf("A  %s\nB  %s\n\n", cli::shown(a).c_str(), cli::shown(b).c_str());
  std::fputs(std::get<std::string>(made).c_str(), stdout);
  return exit_done;
}

}  // namespace

cli::Usable<std::string> compare(std::string_view a, std::string_view b) {
  Results read;
  const std::string problem = read_results(a, b, read);
  if (!problem.empty()) return cli::UsageProblem{problem};
  return table_of(read);
}

cli::Usable<std::string> compare_as_json(std::string_view a, std::string_view b) {
  Results read;
  const std::string problem = read_results(a, b, read);
  if (!problem.empty()) return cli::UsageProblem{problem};
  return json_of(read);
}

void add_compare_command(CLI::App& app, cli::Action& action) {
  CLI::App* command = app.add_subcommand("compare", "Show two results of --json side by side");
  auto a = std::make_shared<std::string>();
  auto b = std::make_shared<std::string>();
  auto as_json = std::make_shared<bool>(false);
  command->add_option("A", *a, "Results of --json")->required()->type_name("FILE");
  command->add_option("B", *b, "Other results")->required()->type_name("FILE");
  command->add_flag("--json", *as_json, "Print the figures and their ratios as JSON");
  command->footer(
      "  ringpost-load relay --rate 500 --json > before.json\n"
      "  ringpost-load relay --rate 500 --json > after.json\n"
      "  ringpost-load compare before.json after.json\n"
      "\n"
      "Exit codes: 0 done; 2 wrong usage.");
  command->callback([&action, a, b, as_json] {
    action = [a, b, as_json] { return run_compare(*a, *b, *as_json); };
  });
}

}  // namespace ringpost::load
