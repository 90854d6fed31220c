#include "server/config.h"

#include "base/bytes.h"
#include "base/duration.h"
#include "control/forward_settings.h"
#include "http/host.h"
#include "http/url.h"
#include "io/listener.h"
#include "io/read_file.h"
#include "journal/format.h"
#include "net/egress_policy.h"
#include "server/budgets.h"
#include "server/credentials.h"
#include "server/key_file.h"
#include "server/tracing_config.h"
#include "subscription/patterns.h"
#include "subscription/token.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <sstream>
#include <variant>

namespace ringpost::server {
namespace {

/// `64MiB`, `10GiB`, `512KiB`; a bare number is bytes.
std::optional<uint64_t> parse_size(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number > (uint64_t{1} << 40)) return std::nullopt;
  const std::string_view unit{end, static_cast<size_t>(text.data() + text.size() - end)};
  if (unit.empty()) return number;
  if (unit == "KiB") return number << 10;
  if (unit == "MiB") return number << 20;
  if (unit == "GiB" && number <= (uint64_t{1} << 20)) return number << 30;
  return std::nullopt;
}

/// How a value differs from what was asked: a word for people.
std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    case toml::node_type::string: return "a string";
    case toml::node_type::integer: return "an integer";
    case toml::node_type::floating_point: return "a number with a fraction";
    case toml::node_type::boolean: return "true or false";
    default: return "a date or time";
  }
}

size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<size_t> row(right.size() + 1);
  for (size_t column = 0; column <= right.size(); ++column) row[column] = column;
  for (size_t line = 1; line <= left.size(); ++line) {
    size_t diagonal = row[0];
    row[0] = line;
    for (size_t column = 1; column <= right.size(); ++column) {
      const size_t substitution = diagonal + (left[line - 1] == right[column - 1] ? 0 : 1);
      diagonal = row[column];
      row[column] = std::min({row[column] + 1, row[column - 1] + 1, substitution});
    }
  }
  return row[right.size()];
}

/// What came from --set names its assignment as its file.
constexpr std::string_view assignment_prefix = "--set ";

bool is_assignment(std::string_view file) {
  return file.starts_with(assignment_prefix);
}

class Problems {
 public:
  Problems(std::string file, std::vector<ConfigProblem>& out) : file_(std::move(file)), out_(out) {}

  void add(const toml::source_region& where, std::string text) {
    if (where.path && is_assignment(*where.path)) {
      out_.push_back({*where.path, 0, 0, std::move(text)});
      return;
    }
    out_.push_back({file_, where.begin.line, where.begin.column, std::move(text)});
  }
  void add(std::string text) { out_.push_back({file_, 0, 0, std::move(text)}); }
  size_t count() const { return out_.size(); }

 private:
  std::string file_;
  std::vector<ConfigProblem>& out_;
};

/// One table of the file: reads the keys it is asked for, then reports the others as unknown.
class Section {
 public:
  /// @param given  gets the full names of the keys that are there; null: nobody asks.
  Section(const toml::table* table, std::string name, Problems& problems,
          std::set<std::string, std::less<>>* given = nullptr)
      : table_(table), name_(std::move(name)), problems_(problems), given_(given) {}

  template <typename Integer>
  void integer(std::string_view key, Integer& into, uint64_t low, uint64_t high) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto value = node->value_exact<int64_t>();
    if (!value) return wrong_kind(key, *node, "an integer");
    if (*value < 0 || static_cast<uint64_t>(*value) < low || static_cast<uint64_t>(*value) > high) {
      return problem(*node, std::string(key) + " = " + std::to_string(*value) + " is outside " +
                                std::to_string(low) + " to " + std::to_string(high));
    }
    into = static_cast<Integer>(*value);
  }

  void number(std::string_view key, double& into, double low, double high) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto value = node->value<double>();
    if (!value || !node->is_number()) return wrong_kind(key, *node, "a number");
    if (!(*value >= low && *value <= high)) {
      return problem(*node, std::string(key) + " = " + format_number(*value) + " is outside " +
                                format_number(low) + " to " + format_number(high));
    }
    into = *value;
  }

  void boolean(std::string_view key, bool& into) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto value = node->value_exact<bool>();
    if (!value) return wrong_kind(key, *node, "true or false");
    into = *value;
  }

  const toml::node* text(std::string_view key, std::string& into) {
    const toml::node* node = take(key);
    if (node == nullptr) return nullptr;
    auto value = node->value_exact<std::string>();
    if (!value) {
      wrong_kind(key, *node, "a string");
      return nullptr;
    }
    into = std::move(*value);
    return node;
  }

  /// The path of a file; `@credential:NAME` is one that the service manager passes.
  const toml::node* file(std::string_view key, std::string& into) {
    const toml::node* node = text(key, into);
    if (node == nullptr) return nullptr;
    std::string why;
    if (const auto path = resolve_credential(into, why)) {
      into = *path;
      return node;
    }
    problem(*node, std::string(key) + " = \"" + into + "\": " + why);
    into.clear();
    return nullptr;
  }

  /// Whether the key holds this word; then it is read.
  bool is_word(std::string_view key, std::string_view word) {
    const toml::node* found = node(key);
    if (found == nullptr || found->value_exact<std::string>() != word) return false;
    take(key);
    return true;
  }

  template <typename Size>
  void size(std::string_view key, Size& into, uint64_t low, uint64_t high, uint64_t multiple = 1) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    std::optional<uint64_t> value;
    if (const auto number = node->value_exact<int64_t>(); number && *number >= 0) {
      value = static_cast<uint64_t>(*number);
    } else if (const auto written = node->value_exact<std::string>()) {
      value = parse_size(*written);
    }
    if (!value) return wrong_form(key, *node, R"(a size such as "64MiB" or a count of bytes)");
    if (*value < low || *value > high) {
      return problem(*node, std::string(key) + " = " + format_size(*value) + " is outside " +
                                format_size(low) + " to " + format_size(high));
    }
    if (*value % multiple != 0) {
      return problem(*node, std::string(key) + " = " + format_size(*value) +
                                " is not a multiple of " + format_size(multiple) +
                                "; the nearest are " +
                                std::to_string(*value / multiple * multiple) + " and " +
                                std::to_string((*value / multiple + 1) * multiple));
    }
    into = static_cast<Size>(*value);
  }

  void duration(std::string_view key, Duration& into, Duration low, Duration high) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto written = node->value_exact<std::string>();
    const auto value = written ? parse_duration(*written) : std::nullopt;
    if (!value) {
      return wrong_form(
          key, *node,
          R"(a number with a unit (ms, s, m, h or d) in quotes, such as "30s" or "12h")");
    }
    if (*value < low || *value > high) {
      return problem(*node, std::string(key) + " = " + *written + " is outside " +
                                format_duration(low) + " to " + format_duration(high));
    }
    into = *value;
  }

  /// Calls `visit(text, node)` for each string of an array.
  void texts(std::string_view key,
             const std::function<void(const std::string&, const toml::node&)>& visit) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    if (array == nullptr) return wrong_kind(key, *node, "an array of strings");
    for (const toml::node& element : *array) {
      const auto value = element.value_exact<std::string>();
      if (!value) {
        wrong_kind(key, element, "a string in the array");
        continue;
      }
      visit(*value, element);
    }
  }

  Section table(std::string_view key) {
    const toml::node* node = take(key);
    if (node != nullptr && !node->is_table()) {
      wrong_kind(key, *node, "a table");
      node = nullptr;
    }
    return {node != nullptr ? node->as_table() : nullptr, qualified(key), problems_, given_};
  }

  const toml::node* take(std::string_view key) {
    known_.insert(std::string(key));
    const toml::node* node = table_ != nullptr ? table_->get(key) : nullptr;
    if (node != nullptr && given_ != nullptr) given_->insert(qualified(key));
    return node;
  }

  /// What the key holds; null if it is not there. Does not count as reading it.
  const toml::node* node(std::string_view key) const {
    return table_ != nullptr ? table_->get(key) : nullptr;
  }

  bool present() const { return table_ != nullptr; }
  const toml::source_region& where() const { return table_->source(); }

  void problem(const toml::node& node, std::string text) {
    problems_.add(node.source(), (name_.empty() ? "" : "[" + name_ + "] ") + std::move(text));
  }

  /// Reports the keys that nobody asked for.
  void finish() {
    if (table_ == nullptr) return;
    for (const auto& [key, node] : *table_) {
      if (known_.contains(std::string(key.str()))) continue;
      // A key that --set made stands nowhere; its value does.
      const auto& where =
          node.source().path && is_assignment(*node.source().path) ? node.source() : key.source();
      problems_.add(where, "unknown key \"" + qualified(key.str()) + "\"" + hint(key.str()));
    }
  }

 private:
  std::string qualified(std::string_view key) const {
    return (name_.empty() ? "" : name_ + ".") + std::string(key);
  }

  std::string hint(std::string_view unknown) const {
    const auto nearest = std::ranges::min_element(
        known_, {}, [&](const std::string& key) { return edit_distance(key, unknown); });
    if (nearest == known_.end()) return "";
    const size_t distance = edit_distance(*nearest, unknown);
    // Half of the letters may differ: beyond that it is another word.
    if (distance <= std::clamp<size_t>(unknown.size() / 2, 1, 3) && distance < unknown.size())
      return "; did you mean \"" + *nearest + "\"?";
    std::string all;
    for (const std::string& key : known_) all += (all.empty() ? "" : ", ") + key;
    return "; known here: " + all;
  }

  void wrong_kind(std::string_view key, const toml::node& node, std::string_view wanted) {
    problem(node, std::string(key) + " must be " + std::string(wanted) + ", not " +
                      std::string(kind_of(node)));
  }

  /// For values that may be strings of a certain form: shows the string that has another.
  void wrong_form(std::string_view key, const toml::node& node, std::string_view wanted) {
    const auto written = node.value_exact<std::string>();
    if (!written) return wrong_kind(key, node, wanted);
    problem(node,
            std::string(key) + " must be " + std::string(wanted) + ", not \"" + *written + "\"");
  }

  const toml::table* table_;
  std::string name_;
  Problems& problems_;
  std::set<std::string, std::less<>>* given_;
  std::set<std::string> known_;
};

std::string cannot_read(const std::string& file, const Error& error) {
  return file + " cannot be read: " + describe(error);
}

/// Certificate and key must be readable and belong together now, not when the first client comes.
void read_tls_files(ListenerConfig& listener, const toml::source_region& where,
                    Problems& problems) {
  const auto certificate = io::read_file(listener.certificate_file);
  const auto key = io::read_file(listener.key_file);
  if (!certificate || !key) {
    problems.add(where, certificate ? cannot_read(listener.key_file, key.error())
                                    : cannot_read(listener.certificate_file, certificate.error()));
    return;
  }
  auto tls = net::ServerTls::create(*certificate, *key);
  if (!tls) {
    return problems.add(where, listener.certificate_file + " and " + listener.key_file +
                                   " are not a PEM certificate and the key that belongs to it");
  }
  if (!net::certificate_in_force(*certificate)) {
    return problems.add(where,
                        listener.certificate_file +
                            " is not valid now: it has expired, or is not valid yet; renew it");
  }
  listener.tls = std::move(*tls);
  listener.tls_expires_at = net::certificate_expires_at(*certificate).value_or(WallTime{});
  listener.tls_digest = crypto::sha256(as_bytes(*certificate + *key));
}

/// An IPv4 address in the form of an IPv6 one: IPv6 sockets take no IPv4 here (io/listener.cc).
bool is_mapped_ipv4(const io::Address& address) {
  constexpr std::array<uint8_t, 12> prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return address.family == io::Address::Family::ipv6 &&
         std::equal(prefix.begin(), prefix.end(), address.ip.begin());
}

/// Why nobody can listen there, or not beside those before it; empty if it can. The start would
/// fail.
std::string object_to_listener(const io::Address& address,
                               const std::vector<ListenerConfig>& before) {
  if (is_mapped_ipv4(address)) return "write an IPv4 address as one, as in 127.0.0.1:8420";
  const auto found = std::ranges::find_if(
      before, [&](const ListenerConfig& other) { return io::collide(other.address, address); });
  if (found == before.end()) return {};
  if (found->address == address) return "another listener has this address, too";
  return "it cannot be opened beside " + found->address.to_text() +
         " of another listener: one of the two includes the other";
}

struct Service {
  std::string_view name;
  bool Serves::*member;
};
constexpr std::array services = {Service{"events", &Serves::events}, Service{"api", &Serves::api},
                                 Service{"console", &Serves::console},
                                 Service{"metrics", &Serves::metrics},
                                 Service{"cloudevents", &Serves::cloudevents}};

void read_serves(const toml::table& table, Section& section, Serves& into) {
  const toml::node* serves = table.get("serves");
  if (serves == nullptr) return;
  into = {.events = false, .api = false, .metrics = false, .console = false, .cloudevents = false};
  section.texts("serves", [&](const std::string& what, const toml::node& node) {
    const auto found = std::ranges::find(services, what, &Service::name);
    if (found != services.end()) {
      into.*found->member = true;
    } else {
      section.problem(node, "serves: \"" + what +
                                "\" is unknown; known: events, api, console, metrics, cloudevents");
    }
  });
  if (into.console && !into.api) {
    section.problem(*serves,
                    "serves: \"console\" needs \"api\" beside it: the console's pages call the "
                    "API of the same listener");
  }
  if (serves->is_array() && serves->as_array()->empty()) {
    section.problem(
        *serves,
        "serves must name some of events, api, console, metrics and cloudevents; to serve nothing, "
        "remove the [[listener]]");
  }
}

void read_listener(const toml::table& table, Config& config, Problems& problems) {
  Section section(&table, "listener", problems);
  ListenerConfig listener;
  std::string address;
  if (const toml::node* node = section.text("address", address)) {
    const auto parsed = io::Address::parse(address);
    if (parsed) {
      listener.address = *parsed;
      const std::string objection = object_to_listener(*parsed, config.listeners);
      if (!objection.empty()) section.problem(*node, "address = \"" + address + "\": " + objection);
    } else {
      section.problem(*node, "address = \"" + address +
                                 "\" must be an address like \"127.0.0.1:8420\", \"[::1]:8420\" or "
                                 "\"unix:/run/ringpost/ringpost.sock\"");
    }
  } else if (table.get("address") == nullptr) {
    problems.add(table.source(), "[[listener]] needs an address");
  }
  read_serves(table, section, listener.serves);
  Section tls = section.table("tls");
  const size_t problems_before = problems.count();
  tls.file("certificate", listener.certificate_file);
  tls.file("key", listener.key_file);
  tls.finish();
  if (tls.present() && problems.count() == problems_before) {
    if (listener.certificate_file.empty() || listener.key_file.empty()) {
      problems.add(tls.where(), "[listener.tls] needs both certificate and key");
    } else {
      read_tls_files(listener, tls.where(), problems);
    }
  }
  section.finish();
  config.listeners.push_back(std::move(listener));
}

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

constexpr size_t email_bytes_max = 254;  // RFC 5321, 4.5.3.1.3, without the angle brackets.
constexpr size_t users_max = 1000;
constexpr size_t listeners_max = 64;
constexpr size_t sources_max = 64;

/// Why an address cannot name a user; empty if it can. No post is sent: it only has to be one name.
std::string_view object_to_email(std::string_view email) {
  if (email.size() > email_bytes_max) return "is longer than 254 bytes";
  const bool printable = std::ranges::all_of(email, [](char c) { return c > ' ' && c < 0x7f; });
  const size_t at = email.find('@');
  const bool has_parts = at != 0 && at != std::string_view::npos && at + 1 < email.size();
  if (!printable || !has_parts || std::ranges::count(email, '@') != 1) {
    return "must have the form \"name@example.org\", in ASCII and without spaces";
  }
  return {};
}

bool same_email(std::string_view left, std::string_view right) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(left, right, {}, lower, lower);
}

uint8_t scopes_of(std::initializer_list<subscription::Scope> scopes) {
  uint8_t bits = 0;
  for (const subscription::Scope scope : scopes) bits |= static_cast<uint8_t>(scope);
  return bits;
}

void read_scopes(Section& section, const toml::table& table, uint8_t& scopes) {
  using enum subscription::Scope;
  const toml::node* written = table.get("scopes");
  if (written == nullptr) {
    scopes = scopes_of(
        {events_write, webhooks_read, webhooks_write, deliveries_read, deliveries_redeliver});
  } else if (written->is_array() && written->as_array()->empty()) {
    section.problem(
        *written, "scopes must name at least one; leave it out for all but metrics:read and admin");
  }
  section.texts("scopes", [&](const std::string& text, const toml::node& node) {
    if (const auto scope = subscription::parse_scope(text)) {
      scopes |= static_cast<uint8_t>(*scope);
      return;
    }
    std::string known;
    for (const subscription::Scope scope : subscription::all_scopes) {
      known += (known.empty() ? "" : ", ") + std::string(name(scope));
    }
    section.problem(node, "scopes: \"" + text + "\" is unknown; known: " + known);
  });
}

void read_user(const toml::table& table, Config& config, Problems& problems) {
  Section section(&table, "user", problems);
  UserConfig user;
  if (const toml::node* node = section.text("email", user.email)) {
    const auto same = [&](const UserConfig& other) { return same_email(other.email, user.email); };
    if (const auto objection = object_to_email(user.email); !objection.empty()) {
      section.problem(*node, "email " + std::string(objection));
    } else if (std::ranges::any_of(config.users, same)) {
      section.problem(*node, "email \"" + user.email + "\" is used by another user, too");
    }
  } else if (table.get("email") == nullptr) {
    problems.add(table.source(), "[[user]] needs an email");
  }
  std::string text;
  if (const toml::node* node = section.text("password", text)) {
    std::string why;  // The text itself is never told: it may be the password.
    auto password = crypto::PasswordHash::parse(text, why);
    if (password) {
      user.password = std::move(*password);
    } else {
      section.problem(*node, "password is not what `ringpost hash-password` prints: " + why);
    }
  } else if (table.get("password") == nullptr) {
    problems.add(table.source(), "[[user]] needs a password: `ringpost hash-password` makes it");
  }
  if (const toml::node* node = section.text("organization", user.organization)) {
    const auto objection = subscription::object_to_organization(user.organization);
    if (!objection.empty()) section.problem(*node, "organization " + std::string(objection));
  }
  read_scopes(section, table, user.scopes);
  section.finish();
  config.users.push_back(std::move(user));
}

void read_networks(Section& section, std::string_view key, std::vector<std::string>& into) {
  section.texts(key, [&](const std::string& network, const toml::node& node) {
    std::string why;
    if (net::Network::parse(network, why)) {
      into.push_back(network);
    } else {
      section.problem(node, std::string(key) + ": " + why);
    }
  });
}

/// The files that the configuration names are read with it: what is wrong with them shows before
/// anything depends on them. @returns the key's node if there is a file, and it was read.
const toml::node* read_named_file(Section& section, std::string_view key, std::string& file,
                                  std::string& content) {
  const toml::node* node = section.file(key, file);
  if (node == nullptr || file.empty()) return nullptr;
  auto read = io::read_file(file);
  if (!read) {
    section.problem(*node, std::string{key} + ": " + cannot_read(file, read.error()));
    return nullptr;
  }
  content = std::move(*read);
  return node;
}

void read_ca_file(Section& section, std::string& file, std::string& pem) {
  const toml::node* node = read_named_file(section, "ca_file", file, pem);
  if (node == nullptr) return;
  if (pem.empty() || !net::CommonRoots::create(pem)) {
    section.problem(*node, "ca_file: " + file +
                               " is not a list of certificates in PEM form (blocks that "
                               "begin with -----BEGIN CERTIFICATE-----)");
  }
}

// --- [forward] -----------------------------------------------------------------------------------

bool is_loopback(const http::Url& url) {
  if (url.host_is_ip()) return url.host.starts_with("127.") || url.host == "::1";
  return net::names_this_host(url.host);
}

void read_forward_url(Section& section, Config& config) {
  const toml::node* node = section.text("url", config.forward_url);
  if (node == nullptr || config.forward_url.empty()) return;
  const std::string shown = "url = \"" + config.forward_url + "\" ";
  const auto parsed = http::parse_url(config.forward_url);
  if (const auto* problem = std::get_if<http::UrlProblem>(&parsed)) {
    return section.problem(*node, shown + problem->reason);
  }
  http::Url url = std::get<http::Url>(parsed);
  if (url.target.find('?') != std::string::npos) {
    return section.problem(*node, shown + "has a query; give the central relay's address alone");
  }
  if (!url.tls && !config.forward_plain_http && !is_loopback(url)) {
    return section.problem(*node, shown +
                                      "is not https: the token and all events would be readable on "
                                      "the way; use https, or say allow_plain_http = true");
  }
  if (!url.target.ends_with('/')) url.target += '/';
  url.target += "v1/events";
  config.forward_events_url = url.text();
}

/// One line, of what may stand in a header.
void read_forward_token(Section& section, Config& config) {
  const toml::node* node =
      read_named_file(section, "token_file", config.forward_token_file, config.forward_token);
  if (node == nullptr) return;
  std::string& token = config.forward_token;
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  const bool fits = std::ranges::all_of(token, [](char byte) { return byte > ' ' && byte < 0x7f; });
  if (token.empty() || !fits) {
    section.problem(*node, "token_file: " + config.forward_token_file +
                               " must hold the token alone, on one line");
  }
}

/// What a server is shown, if it asks: two files, and what they hold.
struct ClientCertificate {
  std::string& certificate_file;
  std::string& certificate_pem;
  std::string& key_file;
  std::string& key_pem;
};

void read_client_certificate(Section& section, const ClientCertificate& into) {
  const toml::node* certificate =
      read_named_file(section, "certificate_file", into.certificate_file, into.certificate_pem);
  const toml::node* key = read_named_file(section, "key_file", into.key_file, into.key_pem);
  if (into.certificate_file.empty() != into.key_file.empty()) {
    return section.problem(certificate != nullptr ? *certificate : *section.node("key_file"),
                           "certificate_file and key_file belong together: give both or neither");
  }
  if (certificate == nullptr || key == nullptr) return;
  if (!net::ServerTls::create(into.certificate_pem, into.key_pem)) {
    section.problem(*certificate, into.certificate_file + " and " + into.key_file +
                                      " are not a PEM certificate and the key that belongs to it");
  }
}

using ObjectToPattern = subscription::Objection (*)(std::string_view pattern);

void read_patterns(Section& section, std::string_view key, ObjectToPattern object_to,
                   std::vector<std::string>& into) {
  const toml::node* node = section.node(key);
  if (node == nullptr) return;
  into.clear();
  section.texts(key, [&](const std::string& pattern, const toml::node& element) {
    const auto objection = object_to(pattern);
    if (objection.empty()) {
      into.push_back(pattern);
    } else {
      section.problem(element,
                      std::string{key} + ": \"" + pattern + "\" " + std::string{objection});
    }
  });
  if (node->is_array() && node->as_array()->empty()) {
    section.problem(*node, std::string{key} + " must name at least one; [\"*\"] is all of them");
  }
}

void read_forward(Section& section, Config& config) {
  section.boolean("allow_plain_http", config.forward_plain_http);
  read_forward_url(section, config);
  read_forward_token(section, config);
  read_ca_file(section, config.forward_ca_file, config.forward_ca_pem);
  read_client_certificate(section, {config.forward_certificate_file, config.forward_certificate_pem,
                                    config.forward_key_file, config.forward_key_pem});
  read_patterns(section, "sources", subscription::object_to_source_pattern, config.forward_sources);
  read_patterns(section, "events", subscription::object_to_event_pattern, config.forward_events);
  section.integer("batch_events_max", config.forward_batch_events_max, 1,
                  control::ForwardSettings::batch_events_limit);
  section.size("batch_bytes_max", config.forward_batch_bytes_max, 1024, 32u << 20);
  section.duration("idempotency_window", config.forward_idempotency_window, std::chrono::seconds{1},
                   std::chrono::hours{24 * 30});
  if (!config.forward_url.empty() && config.forward_token_file.empty()) {
    section.problem(*section.node("url"),
                    "token_file is missing: a file with a token of the central relay that has the "
                    "scopes events:write and deliveries:read");
  }
  section.finish();
}

// --- [tracing] -----------------------------------------------------------------------------------

void read_tracing_endpoint(Section& section, Config& config) {
  const toml::node* node = section.text("endpoint", config.tracing_endpoint);
  if (node == nullptr || config.tracing_endpoint.empty()) return;
  const std::string shown = "endpoint = \"" + config.tracing_endpoint + "\" ";
  const auto parsed = parse_collector_url(config.tracing_endpoint);
  if (const auto* problem = std::get_if<std::string>(&parsed)) {
    return section.problem(*node, shown + *problem);
  }
  const auto& url = std::get<http::Url>(parsed);
  if (!url.tls && !config.tracing_plain_http && !is_loopback(url)) {
    section.problem(*node, shown +
                               "is not https: the names and addresses in the spans would be "
                               "readable on the way; use https, or say allow_plain_http = true");
  }
}

void read_tracing_headers(Section& section, Config& config) {
  const toml::node* node =
      read_named_file(section, "headers_file", config.tracing_headers_file, config.tracing_headers);
  if (node == nullptr) return;
  const auto parsed = parse_collector_headers(config.tracing_headers);
  if (const auto* problem = std::get_if<std::string>(&parsed)) {
    section.problem(*node, "headers_file: " + config.tracing_headers_file + ": " + *problem);
  }
}

void read_tracing_attributes(Section& section, Config& config) {
  section.texts("attributes", [&](const std::string& text, const toml::node& node) {
    const auto parsed = parse_resource_attribute(text);
    if (const auto* problem = std::get_if<std::string>(&parsed)) {
      return section.problem(node, "attributes: \"" + text + "\" " + *problem);
    }
    config.tracing_attributes.push_back(text);
  });
}

void read_tracing(Section& section, Config& config) {
  section.boolean("allow_plain_http", config.tracing_plain_http);
  read_tracing_endpoint(section, config);
  section.number("sample_ratio", config.tracing_sample_ratio, 0, 1);
  read_tracing_headers(section, config);
  read_ca_file(section, config.tracing_ca_file, config.tracing_ca_pem);
  read_client_certificate(section, {config.tracing_certificate_file, config.tracing_certificate_pem,
                                    config.tracing_key_file, config.tracing_key_pem});
  section.duration("timeout", config.tracing_timeout, std::chrono::milliseconds{100},
                   std::chrono::minutes{1});
  const toml::node* name = section.text("service_name", config.tracing_service_name);
  if (name != nullptr && config.tracing_service_name.empty()) {
    section.problem(*name, "service_name must not be empty");
  }
  read_tracing_attributes(section, config);
  section.finish();
}

/// Calls `read` for each `[[key]]`.
void read_tables(Section& root, const std::string& key, size_t count_max,
                 const std::function<void(const toml::table&)>& read) {
  const toml::node* node = root.take(key);
  if (node == nullptr) return;
  const std::string form = key + " must be written as [[" + key + "]], with two brackets";
  const toml::array* array = node->as_array();
  if (array == nullptr) return root.problem(*node, form);
  if (array->size() > count_max) {
    return root.problem(
        *node, "there are more than " + std::to_string(count_max) + " [[" + key + "]] sections");
  }
  for (const toml::node& element : *array) {
    if (const toml::table* table = element.as_table()) {
      read(*table);
    } else {
      root.problem(element, form);
    }
  }
}

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

void read_sections(Section& root, Config& config, Problems& problems) {
  using std::chrono::hours;
  using std::chrono::milliseconds;
  using std::chrono::seconds;

  Section server = root.table("server");
  server.integer("shards", config.shards, 0, 64);
  read_engine(server, config);
  if (!server.is_word("memory_max", "auto")) {
    server.size("memory_max", config.memory_max, memory_min, uint64_t{1} << 50);
  }
  server.text("data_dir", config.data_dir);
  server.duration("drain_max", config.drain_max, seconds{0}, hours{1});
  read_public_url(server, config);
  read_hosts(server, config);
  read_networks(server, "webhook_ips", config.webhook_ips);
  server.finish();

  Section ingest = root.table("ingest");
  ingest.size("event_bytes_max", config.event_bytes_max, 1024, 16u << 20);
  ingest.size("batch_bytes_max", config.batch_bytes_max, 1024, 64u << 20);
  ingest.integer("batch_events_max", config.batch_events_max, 1, 100'000);
  ingest.integer("connections_max", config.ingest_connections_max, 1, 1'000'000);
  ingest.integer("connections_per_address_max", config.connections_per_address_max, 1, 1'000'000);
  ingest.size("bodies_bytes_max", config.bodies_bytes_max, 4u << 20, uint64_t{64} << 30);
  ingest.duration("idempotency_window", config.idempotency_window, seconds{1}, hours{24 * 30});
  ingest.integer("idempotency_entries_max", config.idempotency_entries_max, 1024, 100'000'000);
  ingest.finish();

  Section incoming = root.table("incoming");
  incoming.duration("gap_interval", config.gap_interval, seconds{0}, hours{24});
  incoming.integer("redeliveries_per_minute", config.redeliveries_per_minute, 1, 60);
  incoming.finish();

  Section journal = root.table("journal");
  journal.size("segment_bytes", config.segment_bytes, 4u << 20, journal::segment_bytes_max,
               journal::page_bytes);
  journal.duration("retention_age", config.retention_age, seconds{1}, hours{24 * 3650});
  journal.size("retention_bytes", config.retention_bytes, 8u << 20, uint64_t{1} << 50);
  journal.boolean("accept_loss", config.accept_loss);
  journal.boolean("accept_network_disk", config.accept_network_disk);
  journal.duration("outcome_delay", config.outcome_delay, seconds{0}, milliseconds{500});
  journal.size("history_memory_max", config.history_memory_max, 1u << 20, uint64_t{1} << 40);
  journal.finish();

  Section delivery = root.table("delivery");
  delivery.integer("pending_max", config.pending_max, 1, 100'000'000);
  delivery.integer("attempts_in_flight_max", config.attempts_in_flight_max, 1, 65'536);
  delivery.integer("connections_per_endpoint_max", config.connections_per_endpoint_max, 1, 1024);
  delivery.integer("circuit_failures", config.circuit_failures, 0, 1000);
  delivery.duration("circuit_pause_max", config.circuit_pause_max, seconds{1}, hours{1});
  delivery.duration("idle_max", config.idle_max, milliseconds{100}, hours{1});
  delivery.take("history_deliveries_max");  // Config::outdated.
  read_networks(delivery, "allow_networks", config.allow_networks);
  read_networks(delivery, "deny_networks", config.deny_networks);
  read_networks(delivery, "plain_http_networks", config.plain_http_networks);
  delivery.boolean("allow_own_addresses", config.allow_own_addresses);
  read_ca_file(delivery, config.ca_file, config.ca_pem);
  delivery.finish();

  Section forward = root.table("forward");
  read_forward(forward, config);

  Section tracing = root.table("tracing");
  read_tracing(tracing, config);

  Section api = root.table("api");
  api.integer("streams_max", config.streams.count_max, 0, 10'000);
  api.integer("streams_per_organization_max", config.streams.per_organization_max, 0, 10'000);
  api.finish();

  Section metrics = root.table("metrics");
  metrics.integer("webhooks_max", config.metrics_webhooks_max, 0, 1000);
  metrics.finish();

  Section log = root.table("log");
  if (const toml::node* node = log.text("level", config.log_level)) {
    constexpr std::array levels{"debug", "info", "warning", "error"};
    if (std::ranges::find(levels, config.log_level) == levels.end()) {
      log.problem(*node, "level = \"" + config.log_level +
                             "\" is unknown; known: debug, info, warning, error");
    }
  }
  log.boolean("json", config.log_json);
  log.finish();

  Section secrets = root.table("secrets");
  secrets.file("key_file", config.key_file);
  secrets.finish();

  read_tables(root, "listener", listeners_max,
              [&](const toml::table& table) { read_listener(table, config, problems); });
  read_tables(root, "source", sources_max,
              [&](const toml::table& table) { read_source(table, config, problems); });
  read_tables(root, "user", users_max,
              [&](const toml::table& table) { read_user(table, config, problems); });
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
  const size_t equals = assignment.find('=');
  const std::string key = assignment.substr(0, equals);
  const size_t dot = key.find('.');
  if (equals == std::string::npos || dot == std::string::npos || dot == 0 ||
      dot + 1 == key.size()) {
    out.push_back({origin, 0, 0, "must have the form section.key=value"});
    return;
  }
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
    result.problems.push_back({"--listen " + text, 0, 0,
                               "must be an address like 127.0.0.1:8420, [::1]:8420 or unix:/path"});
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
