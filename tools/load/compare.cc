#include "load/compare.h"

#include "cli/json.h"
#include "cli/text.h"
#include "load/figures.h"
#include "load/options.h"

#include <simdjson.h>

#include <cstdio>
#include <memory>
#include <optional>

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

void add_run(cli::Table& table, simdjson::dom::element a, simdjson::dom::element b) {
  for (const Line& line : lines) {
    const auto left = figure(a, line.pointer);
    const auto right = figure(b, line.pointer);
    if (!left && !right) continue;
    table.add({line.label, left ? text_of(*left, line.unit) : "-",
               right ? text_of(*right, line.unit) : "-",
               left && right ? ratio_text(*left, *right) : "-"});
  }
}

/// What a reader should know before believing the ratios.
std::string warnings(simdjson::dom::element a, simdjson::dom::element b) {
  std::string text;
  for (const auto& [name, run] : {std::pair{"A", a}, {"B", b}}) {
    bool valid = true;
    if (run["valid"].get(valid) == simdjson::SUCCESS && !valid) {
      text += std::string{name} +
              " is INVALID: " + cli::shown(cli::raw_text_of(run, "/why_invalid")) + "\n";
    }
  }
  return text;
}

int run_compare(const std::string& a, const std::string& b) {
  std::string texts[2];
  for (const auto& [file, text] : {std::pair{&a, &texts[0]}, {&b, &texts[1]}}) {
    auto read = cli::read_text_file(*file);
    if (const auto* problem = std::get_if<cli::UsageProblem>(&read)) {
      std::fprintf(stderr, "ringpost-load: %s\n", problem->text.c_str());
      return exit_usage;
    }
    *text = std::get<std::string>(std::move(read));
  }
  const auto made = compare(texts[0], texts[1]);
  if (const auto* problem = std::get_if<cli::UsageProblem>(&made)) {
    std::fprintf(stderr, "ringpost-load: %s\n", problem->text.c_str());
    return exit_usage;
  }
  std::printf("A  %s\nB  %s\n\n%s", cli::shown(a).c_str(), cli::shown(b).c_str(),
              std::get<std::string>(made).c_str());
  return exit_done;
}

}  // namespace

std::variant<std::string, cli::UsageProblem> compare(std::string_view a, std::string_view b) {
  simdjson::dom::parser parsers[2];
  simdjson::dom::element results[2];
  std::optional<simdjson::dom::array> runs[2];
  for (const auto& [index, text, name] : {std::tuple{0, a, "A"}, {1, b, "B"}}) {
    if (cli::parse_json(text, parsers[index], results[index]) && results[index].is_object()) {
      runs[index] = runs_of(results[index]);
    }
    if (!runs[index]) {
      return cli::UsageProblem{std::string{name} + " is not a result of ringpost-load --json"};
    }
  }
  std::string text;
  const size_t count = std::min(runs[0]->size(), runs[1]->size());
  if (count == 0) return cli::UsageProblem{"there is no run to compare"};
  if (runs[0]->size() != runs[1]->size()) text = "The sweeps differ in length.\n";
  for (size_t index = 0; index < count; ++index) {
    const auto left = runs[0]->at(index).value();
    const auto right = runs[1]->at(index).value();
    cli::Table table({count > 1 ? "run " + std::to_string(index + 1) : "", "A", "B", "B / A"});
    add_run(table, left, right);
    text += table.to_text() + warnings(left, right) + (index + 1 < count ? "\n" : "");
  }
  const auto knee_a = figure(results[0], "/knee_per_s");
  const auto knee_b = figure(results[1], "/knee_per_s");
  if (knee_a && knee_b) {
    text += "\nhighest rate kept up with: A " + number_text(*knee_a) + "/s, B " +
            number_text(*knee_b) + "/s, B / A " + ratio_text(*knee_a, *knee_b) + "\n";
  }
  return text;
}

void add_compare_command(CLI::App& app, cli::Action& action) {
  CLI::App* command = app.add_subcommand("compare", "Show two results of --json side by side");
  auto a = std::make_shared<std::string>();
  auto b = std::make_shared<std::string>();
  command->add_option("A", *a, "Results of --json")->required()->type_name("FILE");
  command->add_option("B", *b, "Other results")->required()->type_name("FILE");
  command->footer(
      "  ringpost-load relay --rate 500 --json > before.json\n"
      "  ringpost-load relay --rate 500 --json > after.json\n"
      "  ringpost-load compare before.json after.json\n"
      "\n"
      "Exit codes: 0 done; 2 wrong usage.");
  command->callback([&action, a, b] { action = [a, b] { return run_compare(*a, *b); }; });
}

}  // namespace ringpost::load
