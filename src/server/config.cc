#include "server/config.h"

#include "http/host.h"
#include "http/url.h"
#include "io/listener.h"
#include "io/read_file.h"
#include "journal/format.h"
#include "net/egress_policy.h"
#include "server/budgets.h"
#include "server/config_forward.h"
#include "server/config_listener.h"
#include "server/config_organization.h"
#include "server/config_section.h"
#include "server/config_tracing.h"
#include "server/config_user.h"
#include "server/key_file.h"
#include "subscription/token.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <variant>

namespace ringpost::server {
namespace {

/// Why no files can be taken from there beside the other sources; empty if they can.
std::string object_to_drop_directory(const std::string& directory, const Config& config) {
  namespace fs = std::filesystem;
  const fs::path path = fs::path(directory).lexically_normal();
  if (directory.empty() || !path.is_absolute()) return "must be an absolute path";
  const auto same = [&](const SourceConfig& other) {
    return fs::path(other.directory).lexically_normal() == path;
  };
  return std::ranges::any_of(config.sources, same) ? "is another [[source]]'s, too" : std::string{};
}

void read_source(const toml::table& table, Config& config, Problems& problems) {
  Section section(&table, "source", problems);
  SourceConfig source;
  if (const toml::node* node = section.text("directory", source.directory)) {
    while (source.directory.size() > 1 && source.directory.back() == '/') {
      source.directory.pop_back();
    }
    const std::string objection = object_to_drop_directory(source.directory, config);
    if (!objection.empty()) {
      section.problem(*node, "directory = \"" + source.directory + "\" " + objection);
    }
  } else if (table.get("directory") == nullptr) {
    problems.add(table.source(), "[[source]] needs a directory");
  }
  if (const toml::node* node = section.text("organization", source.organization)) {
    const auto objection = subscription::object_to_organization(source.organization);
    if (!objection.empty()) section.problem(*node, "organization " + std::string(objection));
  }
  section.finish();
  config.sources.push_back(std::move(source));
}

constexpr size_t users_max = 1000;
constexpr size_t listeners_max = 64;
constexpr size_t sources_max = 64;

/// The relay's own address is a scheme and an authority: what the APIs append to it begins with a
/// slash.
void read_public_url(Section& section, Config& config) {
  std::string text;
  const toml::node* node = section.text("public_url", text);
  if (node == nullptr || text.empty()) return;
  const auto parsed = http::parse_url(text);
  const auto* url = std::get_if<http::Url>(&parsed);
  if (url == nullptr) {
    return section.problem(
        *node, "public_url = \"" + text + "\" " + std::get<http::UrlProblem>(parsed).reason);
  }
  if (url->target != "/") {
    return section.problem(*node, "public_url = \"" + text +
                                      "\" must end after the host, or its port: the relay's APIs "
                                      "begin at the root");
  }
  config.public_port = url->port;
  config.public_url = url->text();
  config.public_url.pop_back();
  config.public_host = url->host;
}

/// Names without port: the port that a request names says nothing.
void read_hosts(Section& section, Config& config) {
  section.texts("hosts", [&](const std::string& text, const toml::node& node) {
    const auto parsed = http::parse_host(text);
    if (const auto* host = std::get_if<http::Host>(&parsed)) {
      config.hosts.push_back(host->text);
    } else {
      section.problem(node, "hosts: \"" + text + "\" " + std::get<http::UrlProblem>(parsed).reason +
                                "; give host names without scheme and port");
    }
  });
}

void read_engine(Section& section, Config& config) {
  std::string text;
  const toml::node* node = section.text("engine", text);
  if (node == nullptr) return;
  const auto choice = io::parse_engine_choice(text);
  if (!choice) {
    return section.problem(*node,
                           "engine = \"" + text + "\" is unknown; known: auto, io_uring, epoll");
  }
  config.engine = *choice;
}

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

void read_server(Section section, Config& config) {
  section.integer("shards", config.shards, 0, 64);
  read_engine(section, config);
  if (!section.is_word("memory_max", "auto")) {
    section.size("memory_max", config.memory_max, memory_min, uint64_t{1} << 50);
  }
  section.text("data_dir", config.data_dir);
  section.duration("drain_max", config.drain_max, seconds{0}, hours{1});
  read_public_url(section, config);
  read_hosts(section, config);
  section.networks("webhook_ips", config.webhook_ips);
  section.finish();
}

void read_ingest(Section section, Config& config) {
  section.size("event_bytes_max", config.event_bytes_max, 1024, 16u << 20);
  section.size("batch_bytes_max", config.batch_bytes_max, 1024, 64u << 20);
  section.integer("batch_events_max", config.batch_events_max, 1, 100'000);
  section.integer("connections_max", config.ingest_connections_max, 1, 1'000'000);
  section.integer("connections_per_address_max", config.connections_per_address_max, 1, 1'000'000);
  section.size("bodies_bytes_max", config.bodies_bytes_max, 4u << 20, uint64_t{64} << 30);
  section.duration("idempotency_window", config.idempotency_window, seconds{1}, hours{24 * 30});
  section.integer("idempotency_entries_max", config.idempotency_entries_max, 1024, 100'000'000);
  section.finish();
}

void read_incoming(Section section, Config& config) {
  section.duration("gap_interval", config.gap_interval, seconds{0}, hours{24});
  section.integer("redeliveries_per_minute", config.redeliveries_per_minute, 1, 60);
  section.finish();
}

void read_journal(Section section, Config& config) {
  section.size("segment_bytes", config.segment_bytes, 4u << 20, journal::segment_bytes_max,
               journal::page_bytes);
  section.duration("retention_age", config.retention_age, seconds{1}, hours{24 * 3650});
  section.size("retention_bytes", config.retention_bytes, 8u << 20, uint64_t{1} << 50);
  section.boolean("accept_loss", config.accept_loss);
  section.boolean("accept_network_disk", config.accept_network_disk);
  section.duration("outcome_delay", config.outcome_delay, seconds{0}, milliseconds{500});
  section.size("history_memory_max", config.history_memory_max, 1u << 20, uint64_t{1} << 40);
  section.finish();
}

void read_delivery(Section section, Config& config) {
  section.integer("pending_max", config.pending_max, 1, 100'000'000);
  section.integer("attempts_in_flight_max", config.attempts_in_flight_max, 1, 65'536);
  section.integer("connections_per_endpoint_max", config.connections_per_endpoint_max, 1, 1024);
  section.integer("circuit_failures", config.circuit_failures, 0, 1000);
  section.duration("circuit_pause_max", config.circuit_pause_max, seconds{1}, hours{1});
  section.duration("idle_max", config.idle_max, milliseconds{100}, hours{1});
  section.take("history_deliveries_max");  // Config::outdated.
  section.networks("allow_networks", config.allow_networks);
  section.networks("deny_networks", config.deny_networks);
  section.networks("plain_http_networks", config.plain_http_networks);
  section.boolean("allow_own_addresses", config.allow_own_addresses);
  section.ca_file(config.ca_file, config.ca_pem);
  section.finish();
}

void read_api(Section section, Config& config) {
  section.integer("streams_max", config.streams.count_max, 0, 10'000);
  section.integer("streams_per_organization_max", config.streams.per_organization_max, 0, 10'000);
  section.finish();
}

void read_metrics(Section section, Config& config) {
  section.integer("webhooks_max", config.metrics_webhooks_max, 0, 1000);
  section.finish();
}

void read_log(Section section, Config& config) {
  if (const toml::node* node = section.text("level", config.log_level)) {
    constexpr std::array levels{"debug", "info", "warning", "error"};
    if (std::ranges::find(levels, config.log_level) == levels.end()) {
      section.problem(*node, "level = \"" + config.log_level +
                                 "\" is unknown; known: debug, info, warning, error");
    }
  }
  section.boolean("json", config.log_json);
  section.finish();
}

void read_secrets(Section section, Config& config) {
  section.file("key_file", config.key_file);
  section.finish();
}

void read_sections(Section& root, Config& config, Problems& problems) {
  read_server(root.table("server"), config);
  read_ingest(root.table("ingest"), config);
  read_incoming(root.table("incoming"), config);
  read_journal(root.table("journal"), config);
  read_delivery(root.table("delivery"), config);
  read_forward(root.table("forward"), config);
  read_tracing(root.table("tracing"), config);
  read_api(root.table("api"), config);
  read_metrics(root.table("metrics"), config);
  read_log(root.table("log"), config);
  read_secrets(root.table("secrets"), config);
  root.tables("listener", listeners_max,
              [&](const toml::table& table) { read_listener(table, config, problems); });
  root.tables("source", sources_max,
              [&](const toml::table& table) { read_source(table, config, problems); });
  root.tables("user", users_max,
              [&](const toml::table& table) { read_user(table, config, problems); });
  read_organizations(root, config, problems);
  root.finish();
}

/// What the keys demand of each other.
void check_together(Config& config, Problems& problems) {
  if (config.batch_bytes_max < config.event_bytes_max) {
    problems.add("ingest.batch_bytes_max must be at least ingest.event_bytes_max");
  }
  // Beside the quarter that requests without a token may hold, the largest batch has to fit.
  if (config.bodies_bytes_max < config.batch_bytes_max * 2) {
    problems.add("ingest.bodies_bytes_max must be at least twice ingest.batch_bytes_max");
  }
  if (!segments_hold_events(config)) {
    problems.add("journal.segment_bytes must be at least three times ingest.event_bytes_max");
  }
  if (config.data_dir.empty()) problems.add("server.data_dir must not be empty");
  if (config.listeners.empty()) {
    ListenerConfig listener;
    listener.address = *io::Address::parse("127.0.0.1:8420");
    config.listeners.push_back(std::move(listener));
  }
}

/// The document, or what is wrong with it. (The packaged library reports errors by exceptions; they
/// end here.)
std::optional<toml::table> parse_toml(std::string_view text, const std::string& name,
                                      ConfigProblem& problem) {
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    const toml::source_position where = error.source().begin;
    problem = {name, where.line, where.column, std::string(error.description())};
    return std::nullopt;
  }
}

/// Puts the value of `section.key=value` into `root`. What is no TOML value is taken as a string,
/// so that `--set log.level=debug` needs no quotes.
void assign(toml::table& root, const std::string& assignment, std::vector<ConfigProblem>& out) {
  const std::string origin = std::string{assignment_prefix} + assignment;
  if (const auto objection = object_to_assignment(assignment); !objection.empty()) {
    out.push_back({origin, 0, 0, std::string{objection}});
    return;
  }
  const size_t equals = assignment.find('=');
  const std::string key = assignment.substr(0, equals);
  const size_t dot = key.find('.');
  const std::string value = assignment.substr(equals + 1);
  ConfigProblem problem;
  auto parsed = parse_toml("value = " + value, origin, problem);
  if (!parsed && value.find_first_of("'\n\r") == std::string::npos) {
    parsed = parse_toml("value = '" + value + "'", origin, problem);
  }
  if (!parsed || parsed->size() != 1) {
    out.push_back({origin, 0, 0, "the value is neither TOML nor a plain word"});
    return;
  }
  const std::string section = key.substr(0, dot);
  if (root.get(section) == nullptr) {
    auto made = parse_toml("section = {}", origin, problem);
    root.insert(section, std::move(*made->get("section")));
  }
  toml::table* table = root.get(section)->as_table();
  if (table == nullptr) {
    out.push_back({origin, 0, 0, "[" + section + "] is not a table"});
    return;
  }
  table->insert_or_assign(key.substr(dot + 1), std::move(*parsed->get("value")));
}

/// `--listen`
void read_listen_option(const std::string& text, ConfigResult& result) {
  const auto address = io::Address::parse(text);
  if (!address) {
    result.problems.push_back({"--listen " + text, 0, 0, std::string{object_to_listen(text)}});
    return;
  }
  const std::string objection = object_to_listener(*address, result.config.listeners);
  if (!objection.empty()) result.problems.push_back({"--listen " + text, 0, 0, objection});
  ListenerConfig listener;
  listener.address = *address;
  result.config.listeners.push_back(std::move(listener));
}

}  // namespace

std::string format_size(uint64_t bytes) {
  if (bytes != 0 && bytes % (1u << 30) == 0) return std::to_string(bytes >> 30) + "GiB";
  if (bytes != 0 && bytes % (1u << 20) == 0) return std::to_string(bytes >> 20) + "MiB";
  if (bytes != 0 && bytes % (1u << 10) == 0) return std::to_string(bytes >> 10) + "KiB";
  return std::to_string(bytes);
}

std::string format_duration(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (ms % 1000 != 0) return std::to_string(ms) + "ms";
  if (ms % 3'600'000 == 0 && ms > 0) return std::to_string(ms / 3'600'000) + "h";
  return std::to_string(ms / 1000) + "s";
}

std::string format_number(double number) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  std::string text{digits, end};
  return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
}

std::vector<io::Address> addresses_of(const std::vector<ListenerConfig>& listeners) {
  std::vector<io::Address> addresses;
  for (const ListenerConfig& listener : listeners) addresses.push_back(listener.address);
  return addresses;
}

std::string Config::outdated() const {
  if (!gives("delivery.history_deliveries_max")) return {};
  return "delivery.history_deliveries_max has no effect any more: the API lists and shows "
         "deliveries for as long as the journal keeps them (journal.retention_age and "
         "journal.retention_bytes); remove it from the configuration";
}

bool segments_hold_events(const Config& config) {
  return config.segment_bytes >= config.event_bytes_max * 3;
}

ConfigResult parse_config(std::string_view toml_text, const std::string& file_name,
                          const std::vector<std::string>& assignments) {
  ConfigResult result;
  ConfigProblem unreadable;
  auto parsed = parse_toml(toml_text, file_name, unreadable);
  if (!parsed) {
    result.problems.push_back(std::move(unreadable));
    return result;
  }
  toml::table& root = *parsed;
  for (const std::string& assignment : assignments) assign(root, assignment, result.problems);
  Problems problems(file_name, result.problems);
  Section top(&root, "", problems, &result.config.given);
  read_sections(top, result.config, problems);
  check_together(result.config, problems);
  return result;
}

ConfigResult load_config(const std::string& file, const std::vector<std::string>& assignments) {
  if (file.empty()) return parse_config("", "configuration", assignments);
  const auto text = io::read_file(file);
  if (!text) {
    ConfigResult result;
    result.problems.push_back({file, 0, 0, "cannot be read: " + describe(text.error())});
    return result;
  }
  return parse_config(*text, file, assignments);
}

std::string_view object_to_assignment(std::string_view text) {
  const size_t equals = text.find('=');
  const std::string_view key = text.substr(0, equals);
  const size_t dot = key.find('.');
  const bool is_one = equals != std::string_view::npos && dot != std::string_view::npos &&
                      dot > 0 && dot + 1 < key.size();
  return is_one ? "" : "must have the form section.key=value";
}

std::string_view object_to_listen(std::string_view text) {
  return io::Address::parse(text)
             ? ""
             : "must be an address like 127.0.0.1:8420, [::1]:8420 or unix:/path";
}

ConfigResult load_config(const ServeCall& call) {
  ConfigResult result = load_config(call.config_file, call.assignments);
  if (!call.listen.empty()) {
    result.config.listeners.clear();
    for (const std::string& text : call.listen) read_listen_option(text, result);
  }
  if (call.data_dir) {
    result.config.data_dir = *call.data_dir;
    if (call.data_dir->empty()) {
      result.problems.push_back({"--data-dir", 0, 0, "must not be empty; is a variable unset?"});
    }
  }
  return result;
}

namespace {

/// Why a file or folder could not be made at `path`, for want of the folder that it would be in;
/// empty if that is there.
std::string object_to_place(const std::string& path) {
  namespace fs = std::filesystem;
  fs::path place = fs::absolute(path).lexically_normal();
  if (!place.has_filename()) place = place.parent_path();
  std::error_code ignored;
  if (fs::is_directory(place.parent_path(), ignored)) return {};
  return place.string() + " cannot be made: " + place.parent_path().string() +
         " is not a directory; make it first";
}

/// What is wrong with the key file, or with the place where the start would make one.
std::string object_to_key_file(io::Disk& disk, const Config& config) {
  const KeyFile keys = read_key_file(disk, config);
  if (keys.keyring) return {};
  return keys.absent ? object_to_place(key_file_path(config)) : keys.problem;
}

}  // namespace

std::string object_to_data_dir(const std::string& data_dir) {
  std::error_code ignored;
  if (!std::filesystem::exists(data_dir, ignored)) {
    if (std::filesystem::is_symlink(data_dir, ignored)) {
      return "server.data_dir: " + data_dir + " is a link to a place that is not there";
    }
    return object_to_place(data_dir);
  }
  if (std::filesystem::is_directory(data_dir, ignored)) return {};
  return "server.data_dir: " + data_dir + " is not a directory; name another one";
}

ConfigResult check_config(io::Disk& disk, const ServeCall& call) {
  ConfigResult result = load_config(call);
  if (!result.problems.empty()) return result;
  const auto object = [&](const std::string& text) {
    if (!text.empty()) result.problems.push_back({call.config_file, 0, 0, text});
  };
  object(object_to(budgets_of(result.config, this_machine())));
  object(object_to_data_dir(result.config.data_dir));
  object(object_to_key_file(disk, result.config));
  if (result.config.engine == io::EngineChoice::io_uring) {
    object(io::open_ring(result.config.engine, io::FileUse::none).problem);
  }
  for (const ListenerConfig& listener : result.config.listeners) {
    if (const auto checked = io::check_address(listener.address); !checked) {
      object(io::explain_listen_failure(listener.address, checked.error()));
    }
  }
  return result;
}

}  // namespace ringpost::server
