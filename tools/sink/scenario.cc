#include "sink/scenario.h"

#include "base/duration.h"
#include "cli/input.h"
#include "dialect/dialect.h"
#include "http/serialiser.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <span>

namespace ringpost::sink {
namespace {

/// Ends the reading of a file at its first problem; never leaves parse_scenario.
struct Wrong {
  ScenarioProblem problem;
};

[[noreturn]] void fail(const toml::source_region& where, std::string text) {
  throw Wrong{{where.begin.line, where.begin.column, std::move(text)}};
}

std::string listed(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) {
    text += (text.empty() ? "\"" : ", \"") + std::string{name} + "\"";
  }
  return text;
}

/// A table of the file. Every key is asked for by name; what nobody asked for is a problem.
class Table {
 public:
  Table(const toml::table& table, std::string name) : table_(table), name_(std::move(name)) {}

  const toml::node* take(std::string_view key) {
    known_.insert(std::string{key});
    return table_.get(key);
  }
  bool has(std::string_view key) const { return table_.contains(key); }
  const toml::source_region& where() const { return table_.source(); }

  std::optional<std::string> text(std::string_view key) {
    const toml::node* node = take(key);
    return node == nullptr ? std::nullopt : std::optional{text_of(key, *node)};
  }

  std::optional<uint64_t> integer(std::string_view key, uint64_t low, uint64_t high) {
    const toml::node* node = take(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->value_exact<int64_t>();
    if (!value || *value < 0 || static_cast<uint64_t>(*value) < low ||
        static_cast<uint64_t>(*value) > high) {
      wrong(key, *node,
            "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    }
    return static_cast<uint64_t>(*value);
  }

  std::optional<double> share(std::string_view key) {
    const toml::node* node = take(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->value<double>();
    if (!value || !(*value >= 0 && *value <= 1)) wrong(key, *node, "a number from 0 to 1");
    return value;
  }

  std::optional<Duration> duration(std::string_view key, Duration low = {}) {
    const toml::node* node = take(key);
    return node == nullptr ? std::nullopt : std::optional{duration_of(key, *node, low)};
  }

  /// The index of a key's text among `names`.
  std::optional<size_t> one_of(std::string_view key, std::span<const std::string_view> names) {
    const toml::node* node = take(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->value_exact<std::string>();
    const auto found = value ? std::ranges::find(names, *value) : names.end();
    if (found == names.end()) wrong(key, *node, "one of " + listed(names));
    return static_cast<size_t>(found - names.begin());
  }

  /// The tables of `[[name.key]]`.
  std::vector<Table> tables(std::string_view key) {
    std::vector<Table> found;
    const toml::node* node = take(key);
    if (node == nullptr) return found;
    const toml::array* array = node->as_array();
    const std::string name = qualified(key);
    if (array == nullptr || !array->is_homogeneous(toml::node_type::table)) {
      wrong(key, *node, "written as [[" + name + "]] tables");
    }
    for (const toml::node& element : *array) found.emplace_back(*element.as_table(), name);
    return found;
  }

  /// Reports keys that nobody asked for.
  void finish() const {
    for (const auto& [key, node] : table_) {
      if (known_.contains(std::string{key.str()})) continue;
      std::string all;
      for (const std::string& name : known_) all += (all.empty() ? "" : ", ") + name;
      fail(key.source(), "unknown key \"" + qualified(key.str()) + "\"; known here: " + all);
    }
  }

  [[noreturn]] void wrong(std::string_view key, const toml::node& node,
                          std::string_view wanted) const {
    fail(node.source(), qualified(key) + " must be " + std::string{wanted});
  }

  std::string text_of(std::string_view key, const toml::node& node) const {
    auto value = node.value_exact<std::string>();
    if (!value) wrong(key, node, "a string");
    return *value;
  }

  Duration duration_of(std::string_view key, const toml::node& node, Duration low = {}) const {
    const auto written = node.value_exact<std::string>();
    const auto value = written ? parse_duration(*written) : std::nullopt;
    constexpr Duration high = std::chrono::hours{24 * 365};
    if (!value || *value > high) {
      wrong(key, node, std::string{duration_forms} + ", at most 365d");
    }
    if (*value < low) wrong(key, node, "at least 1 ms long");
    return *value;
  }

  std::string qualified(std::string_view key) const {
    return (name_.empty() ? "" : name_ + ".") + std::string{key};
  }

 private:
  const toml::table& table_;
  std::string name_;
  std::set<std::string> known_;
};

constexpr Duration tick = std::chrono::milliseconds{1};

uint16_t read_status(const Table& table, const toml::node& where, std::string_view digits) {
  uint16_t status = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), status);
  if (error != std::errc{} || end != digits.data() + digits.size() || status < 200 ||
      status > 599) {
    table.wrong("status", where, "from 200 to 599");
  }
  return status;
}

/// `200`, or a table of weights: `{ 200 = 95, 503 = 5 }`.
void read_statuses(Table& table, std::vector<StatusShare>& statuses) {
  const toml::node* node = table.take("status");
  if (node == nullptr) return;
  if (const auto number = node->value_exact<int64_t>()) {
    statuses = {{read_status(table, *node, std::to_string(*number)), 1}};
    return;
  }
  const toml::table* weights = node->as_table();
  if (weights == nullptr || weights->empty()) {
    table.wrong("status", *node,
                "a status such as 200, or a table of weights such as { 200 = 95, 503 = 5 }");
  }
  statuses.clear();
  uint64_t total = 0;
  for (const auto& [key, weight] : *weights) {
    const auto number = weight.value_exact<int64_t>();
    if (!number || *number < 0 || *number > 1'000'000) {
      table.wrong("status", weight, "a table of weights, whole numbers from 0 to 1000000");
    }
    statuses.push_back({read_status(table, weight, key.str()), static_cast<uint32_t>(*number)});
    total += statuses.back().weight;
  }
  if (total == 0) table.wrong("status", *node, "a table in which some weight is not 0");
}

/// `"20ms"`, `{ min, max }`, `{ mean }` or `{ median, p99 }`.
void read_delay(Table& table, Delay& delay) {
  constexpr std::string_view forms =
      "a duration such as \"20ms\", or one of { min = \"10ms\", max = \"50ms\" }, "
      "{ mean = \"20ms\" } and { median = \"20ms\", p99 = \"400ms\" }";
  const toml::node* node = table.take("delay");
  if (node == nullptr) return;
  if (node->is_string()) {
    delay = {.first = table.duration_of("delay", *node)};
    return;
  }
  if (!node->is_table()) table.wrong("delay", *node, forms);
  Table inner(*node->as_table(), table.qualified("delay"));
  if (inner.has("mean")) {
    delay = {.kind = Delay::Kind::exponential, .first = *inner.duration("mean")};
  } else if (inner.has("min") && inner.has("max")) {
    delay = {.kind = Delay::Kind::uniform,
             .first = *inner.duration("min"),
             .second = *inner.duration("max")};
    if (delay.second < delay.first)
      table.wrong("delay", *node, "a range whose max is not below min");
  } else if (inner.has("median") && inner.has("p99")) {
    delay = {.kind = Delay::Kind::lognormal,
             .first = *inner.duration("median", tick),
             .second = *inner.duration("p99", tick)};
    if (delay.second <= delay.first) table.wrong("delay", *node, "one whose p99 is above median");
  } else {
    table.wrong("delay", *node, forms);
  }
  inner.finish();
}

void read_headers(Table& table, std::vector<std::string>& headers) {
  const toml::node* node = table.take("headers");
  if (node == nullptr) return;
  if (!node->is_table()) table.wrong("headers", *node, "a table such as { X-Name = \"value\" }");
  headers.clear();
  for (const auto& [key, value] : *node->as_table()) {
    std::string header = std::string{key.str()} + ": " + table.text_of("headers", value);
    if (!valid_answer_header(header)) {
      table.wrong("headers", value, "names and values that a header may have");
    }
    headers.push_back(std::move(header));
  }
}

/// The keys that an endpoint and each of its phases may have.
void read_behaviour(Table& table, Behaviour& behaviour) {
  read_statuses(table, behaviour.statuses);
  read_delay(table, behaviour.delay);
  read_headers(table, behaviour.headers);
  if (const auto body = table.text("body")) behaviour.body = *body;
  if (const auto seconds = table.integer("retry_after", 0, 31'536'000)) {
    behaviour.retry_after = static_cast<uint32_t>(*seconds);
  }
  std::vector<std::string_view> names;
  for (const Fault fault : all_faults) names.push_back(name(fault));
  if (const auto index = table.one_of("fault", names)) behaviour.fault = all_faults[*index];
  if (const auto share = table.share("fault_share")) behaviour.fault_share = *share;
  if (const auto interval = table.duration("drip_interval", tick)) {
    behaviour.drip_interval = *interval;
  }
}

void read_phases(Table& table, EndpointPlan& plan) {
  for (Table& entry : table.tables("phase")) {
    const auto from = entry.duration("from", tick);
    if (!from) fail(entry.where(), entry.qualified("from") + " is missing: when it begins");
    if (*from <= plan.phases.back().from) {
      fail(entry.where(),
           "phases must be in the order of their time: this one begins no later "
           "than the one before");
    }
    Phase phase{.from = *from, .behaviour = plan.phases.back().behaviour};
    read_behaviour(entry, phase.behaviour);
    entry.finish();
    plan.phases.push_back(std::move(phase));
  }
  const toml::node* node = table.take("repeat");
  if (node == nullptr) return;
  plan.repeat = table.duration_of("repeat", *node, tick);
  if (plan.repeat <= plan.phases.back().from) {
    table.wrong("repeat", *node, "later than the last phase begins");
  }
}

void read_outages(Table& table, EndpointPlan& plan) {
  for (Table& entry : table.tables("outage")) {
    Outage outage;
    outage.from = entry.duration("from").value_or(Duration::zero());
    const auto length = entry.duration("for", tick);
    if (!length) fail(entry.where(), entry.qualified("for") + " is missing: how long it lasts");
    outage.length = *length;
    outage.every = entry.duration("every").value_or(Duration::zero());
    if (outage.every != Duration::zero() && outage.every <= outage.length) {
      fail(entry.where(), entry.qualified("every") + " must be longer than for");
    }
    if (const auto kind = entry.one_of("kind", outage_names)) {
      outage.kind = static_cast<Outage::Kind>(*kind);
    }
    entry.finish();
    plan.outages.push_back(outage);
  }
}

/// `secrets = { standard = "@FILE" }`.
void read_secrets(Table& table, std::vector<Secret>& secrets) {
  const toml::node* node = table.take("secrets");
  if (node == nullptr) return;
  if (!node->is_table()) table.wrong("secrets", *node, "a table such as { standard = \"@FILE\" }");
  secrets.clear();
  for (const auto& [key, value] : *node->as_table()) {
    const std::string named = table.qualified("secrets") + "." + std::string{key.str()};
    const dialect::Dialect* dialect = dialect::find(key.str());
    if (dialect == nullptr || !dialect->verifies()) {
      fail(key.source(), named + ": no dialect of this name can be verified");
    }
    const std::string from = table.text_of("secrets", value);
    if (!from.starts_with('@')) fail(value.source(), named + " must name a file: \"@FILE\"");
    auto secret = cli::read_secret(named, from, nullptr);
    if (const auto* problem = std::get_if<cli::UsageProblem>(&secret)) {
      fail(value.source(), problem->text);
    }
    Secret made{dialect, std::get<std::string>(std::move(secret))};
    const std::string_view objection = dialect->object_to_secret(made.text);
    if (!objection.empty()) {
      fail(value.source(), named + ": the secret " + std::string{objection});
    }
    secrets.push_back(std::move(made));
  }
}

bool valid_name(std::string_view name) {
  const auto allowed = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-';
  };
  return !name.empty() && name.size() <= 50 && name.front() != '-' && name.back() != '-' &&
         std::ranges::all_of(name, allowed);
}

/// The keys of an endpoint, but those that make it one among others.
void read_plan(Table& table, EndpointPlan& plan) {
  constexpr std::string_view versions[] = {"both", "1.2", "1.3", "off"};
  if (const auto index = table.one_of("tls", versions)) {
    plan.tls = *index != 3;
    if (plan.tls) plan.versions = static_cast<net::ServerTls::Versions>(*index);
  }
  if (const auto kind = table.one_of("certificate", certificate_names)) {
    plan.certificate = static_cast<CertificateKind>(*kind);
  }
  constexpr uint64_t count_max = 1'000'000'000'000;
  if (const auto count = table.integer("fail_first", 0, count_max)) plan.fail_first = *count;
  read_behaviour(table, plan.phases.front().behaviour);
  read_secrets(table, plan.secrets);
  read_phases(table, plan);
  read_outages(table, plan);
}

/// One table may stand for several endpoints: `count = 3` of the name `slow` are slow-1 to slow-3.
void read_endpoint(Table& table, const EndpointPlan& base, std::set<std::string>& names,
                   Scenario& scenario) {
  EndpointPlan plan = base;
  const uint64_t count = table.integer("count", 1, endpoints_max).value_or(1);
  const auto port = table.integer("port", 1, 65'535);
  if (port && *port + count > 65'536)
    fail(table.where(), "endpoint.port + count is beyond the last port, 65535");
  const toml::node* name_node = table.take("name");
  const auto name = name_node != nullptr
                        ? table.text_of("name", *name_node)
                        : "endpoint-" + std::to_string(scenario.endpoints.size() + 1);
  if (!valid_name(name)) {
    table.wrong("name", *name_node, "lower-case letters, digits and hyphens, at most 50 of them");
  }
  read_plan(table, plan);
  table.finish();
  for (uint64_t number = 0; number < count; ++number) {
    plan.name = count == 1 ? name : name + "-" + std::to_string(number + 1);
    plan.port = port ? static_cast<uint16_t>(*port + number) : uint16_t{0};
    if (!names.insert(plan.name).second) {
      fail(table.where(), "two endpoints have the name \"" + plan.name + "\"");
    }
    if (scenario.endpoints.size() == endpoints_max) {
      fail(table.where(), "more than " + std::to_string(endpoints_max) + " endpoints");
    }
    scenario.endpoints.push_back(plan);
  }
}

Scenario read_scenario(const toml::table& root, const EndpointPlan& base) {
  Table table(root, "");
  Scenario scenario;
  scenario.seed = table.integer("seed", 0, uint64_t{1} << 62).value_or(scenario.seed);
  std::set<std::string> names;
  for (Table& entry : table.tables("endpoint")) read_endpoint(entry, base, names, scenario);
  table.finish();
  if (scenario.endpoints.empty()) throw Wrong{{0, 0, "there is no [[endpoint]] in it"}};
  return scenario;
}

}  // namespace

bool Outage::covers(Duration elapsed) const {
  if (elapsed < from) return false;
  const Duration since = elapsed - from;
  return (every == Duration::zero() ? since : since % every) < length;
}

const Phase& EndpointPlan::phase_at(Duration elapsed) const {
  if (repeat != Duration::zero()) elapsed %= repeat;
  auto later = std::ranges::upper_bound(phases, elapsed, {}, &Phase::from);
  return *std::prev(later);
}

const Outage* EndpointPlan::outage_at(Duration elapsed) const {
  const auto found = std::ranges::find_if(
      outages, [elapsed](const Outage& outage) { return outage.covers(elapsed); });
  return found == outages.end() ? nullptr : &*found;
}

bool EndpointPlan::refuses_ever() const {
  return std::ranges::find(outages, Outage::Kind::refuse, &Outage::kind) != outages.end();
}

std::variant<Scenario, ScenarioProblem> parse_scenario(std::string_view text,
                                                       const EndpointPlan& base) {
  try {
    return read_scenario(toml::parse(text), base);
  } catch (const Wrong& wrong) {
    return wrong.problem;
  } catch (const toml::parse_error& error) {
    const toml::source_position where = error.source().begin;
    return ScenarioProblem{where.line, where.column, std::string{error.description()}};
  }
}

bool valid_answer_header(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  std::string_view value = text.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  return http::valid_header_name(text.substr(0, colon)) && http::valid_header_value(value);
}

}  // namespace ringpost::sink
