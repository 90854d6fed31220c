#include "server/config_section.h"

#include "base/duration.h"
#include "base/meant_word.h"
#include "http/host.h"
#include "io/read_file.h"
#include "net/egress_policy.h"
#include "server/credentials.h"

#include <algorithm>
#include <charconv>

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

bool is_assignment(std::string_view file) {
  return file.starts_with(assignment_prefix);
}

}  // namespace

void Problems::add(const toml::source_region& where, std::string text) {
  if (where.path && is_assignment(*where.path)) {
    out_.push_back({*where.path, 0, 0, std::move(text)});
    return;
  }
  out_.push_back({file_, where.begin.line, where.begin.column, std::move(text)});
}

std::optional<uint64_t> Section::read_integer(std::string_view key, uint64_t low, uint64_t high) {
  const toml::node* node = take(key);
  if (node == nullptr) return std::nullopt;
  const auto value = node->value_exact<int64_t>();
  if (!value) {
    wrong_kind(key, *node, "an integer");
    return std::nullopt;
  }
  if (*value < 0 || static_cast<uint64_t>(*value) < low || static_cast<uint64_t>(*value) > high) {
    problem(*node, std::string(key) + " = " + std::to_string(*value) + " is outside " +
                       std::to_string(low) + " to " + std::to_string(high));
    return std::nullopt;
  }
  return static_cast<uint64_t>(*value);
}

std::optional<uint64_t> Section::read_size(std::string_view key, uint64_t low, uint64_t high,
                                           uint64_t multiple) {
  const toml::node* node = take(key);
  if (node == nullptr) return std::nullopt;
  std::optional<uint64_t> value;
  if (const auto number = node->value_exact<int64_t>(); number && *number >= 0) {
    value = static_cast<uint64_t>(*number);
  } else if (const auto written = node->value_exact<std::string>()) {
    value = parse_size(*written);
  }
  if (!value) {
    wrong_form(key, *node, R"(a size such as "64MiB" or a count of bytes)");
    return std::nullopt;
  }
  if (*value < low || *value > high) {
    problem(*node, std::string(key) + " = " + format_size(*value) + " is outside " +
                       format_size(low) + " to " + format_size(high));
    return std::nullopt;
  }
  if (*value % multiple != 0) {
    problem(*node, std::string(key) + " = " + format_size(*value) + " is not a multiple of " +
                       format_size(multiple) + "; the nearest are " +
                       std::to_string(*value / multiple * multiple) + " and " +
                       std::to_string((*value / multiple + 1) * multiple));
    return std::nullopt;
  }
  return value;
}

void Section::number(std::string_view key, double& into, double low, double high) {
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

void Section::boolean(std::string_view key, bool& into) {
  const toml::node* node = take(key);
  if (node == nullptr) return;
  const auto value = node->value_exact<bool>();
  if (!value) return wrong_kind(key, *node, "true or false");
  into = *value;
}

const toml::node* Section::text(std::string_view key, std::string& into) {
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

const toml::node* Section::file(std::string_view key, std::string& into) {
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

bool Section::is_word(std::string_view key, std::string_view word) {
  const toml::node* found = node(key);
  if (found == nullptr || found->value_exact<std::string>() != word) return false;
  take(key);
  return true;
}

void Section::duration(std::string_view key, Duration& into, Duration low, Duration high) {
  const toml::node* node = take(key);
  if (node == nullptr) return;
  const auto written = node->value_exact<std::string>();
  const auto value = written ? parse_duration(*written) : std::nullopt;
  if (!value) {
    return wrong_form(
        key, *node, R"(a number with a unit (ms, s, m, h or d) in quotes, such as "30s" or "12h")");
  }
  if (*value < low || *value > high) {
    return problem(*node, std::string(key) + " = " + *written + " is outside " +
                              format_duration(low) + " to " + format_duration(high));
  }
  into = *value;
}

void Section::texts(std::string_view key,
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

Section Section::table(std::string_view key) {
  const toml::node* node = take(key);
  if (node != nullptr && !node->is_table()) {
    wrong_kind(key, *node, "a table");
    node = nullptr;
  }
  return {node != nullptr ? node->as_table() : nullptr, qualified(key), problems_, given_};
}

const toml::node* Section::take(std::string_view key) {
  known_.insert(std::string(key));
  const toml::node* node = table_ != nullptr ? table_->get(key) : nullptr;
  if (node != nullptr && given_ != nullptr) given_->insert(qualified(key));
  return node;
}

std::vector<std::string> Section::keys() const {
  std::vector<std::string> names;
  if (table_ == nullptr) return names;
  for (const auto& [key, node] : *table_) names.emplace_back(key.str());
  return names;
}

void Section::problem(const toml::node& node, std::string text) {
  problems_.add(node.source(), (name_.empty() ? "" : "[" + name_ + "] ") + std::move(text));
}

void Section::finish() {
  if (table_ == nullptr) return;
  for (const auto& [key, node] : *table_) {
    if (known_.contains(std::string(key.str()))) continue;
    // A key that --set made stands nowhere; its value does.
    const auto& where =
        node.source().path && is_assignment(*node.source().path) ? node.source() : key.source();
    problems_.add(where, "unknown key \"" + qualified(key.str()) + "\"" + hint(key.str()));
  }
}

std::string Section::qualified(std::string_view key) const {
  return (name_.empty() ? "" : name_ + ".") + std::string(key);
}

std::string Section::hint(std::string_view unknown) const {
  if (known_.empty()) return "";
  const auto meant = meant_word({known_.begin(), known_.end()}, unknown);
  if (meant) return "; did you mean \"" + *meant + "\"?";
  std::string all;
  for (const std::string& key : known_) all += (all.empty() ? "" : ", ") + key;
  return "; known here: " + all;
}

void Section::wrong_kind(std::string_view key, const toml::node& node, std::string_view wanted) {
  problem(node, std::string(key) + " must be " + std::string(wanted) + ", not " +
                    std::string(kind_of(node)));
}

void Section::wrong_form(std::string_view key, const toml::node& node, std::string_view wanted) {
  const auto written = node.value_exact<std::string>();
  if (!written) return wrong_kind(key, node, wanted);
  problem(node,
          std::string(key) + " must be " + std::string(wanted) + ", not \"" + *written + "\"");
}

void Section::tables(const std::string& key, size_t count_max,
                     const std::function<void(const toml::table&)>& read) {
  const toml::node* node = take(key);
  if (node == nullptr) return;
  const std::string form = key + " must be written as [[" + key + "]], with two brackets";
  const toml::array* array = node->as_array();
  if (array == nullptr) return problem(*node, form);
  if (array->size() > count_max) {
    return problem(
        *node, "there are more than " + std::to_string(count_max) + " [[" + key + "]] sections");
  }
  for (const toml::node& element : *array) {
    if (const toml::table* table = element.as_table()) {
      read(*table);
    } else {
      problem(element, form);
    }
  }
}

const toml::node* Section::named_file(std::string_view key, std::string& path,
                                      std::string& content) {
  const toml::node* node = file(key, path);
  if (node == nullptr || path.empty()) return nullptr;
  auto read = io::read_regular_file(path);
  if (!read) {
    problem(*node, std::string{key} + ": " + cannot_read(path, read.error()));
    return nullptr;
  }
  content = std::move(*read);
  return node;
}

void Section::ca_file(std::string& path, std::string& pem) {
  const toml::node* node = named_file("ca_file", path, pem);
  if (node == nullptr) return;
  if (pem.empty() || !net::CommonRoots::create(pem)) {
    problem(*node, "ca_file: " + path +
                       " is not a list of certificates in PEM form (blocks that "
                       "begin with -----BEGIN CERTIFICATE-----)");
  }
}

void Section::client_certificate(const ClientCertificate& into) {
  const toml::node* certificate =
      named_file("certificate_file", into.certificate_file, into.certificate_pem);
  const toml::node* key = named_file("key_file", into.key_file, into.key_pem);
  if (into.certificate_file.empty() != into.key_file.empty()) {
    return problem(*node(into.key_file.empty() ? "certificate_file" : "key_file"),
                   "certificate_file and key_file belong together: give both or neither");
  }
  if (certificate == nullptr || key == nullptr) return;
  if (!net::ServerTls::create(into.certificate_pem, into.key_pem)) {
    problem(*certificate, into.certificate_file + " and " + into.key_file +
                              " are not a PEM certificate and the key that belongs to it");
  }
}

void Section::networks(std::string_view key, std::vector<std::string>& into) {
  texts(key, [&](const std::string& network, const toml::node& node) {
    std::string why;
    if (net::Network::parse(network, why)) {
      into.push_back(network);
    } else {
      problem(node, std::string(key) + ": " + why);
    }
  });
}

void Section::patterns(std::string_view key, ObjectToPattern object_to,
                       std::vector<std::string>& into) {
  const toml::node* written = node(key);
  if (written == nullptr) return;
  into.clear();
  texts(key, [&](const std::string& pattern, const toml::node& element) {
    const auto objection = object_to(pattern);
    if (objection.empty()) {
      into.push_back(pattern);
    } else {
      problem(element, std::string{key} + ": \"" + pattern + "\" " + std::string{objection});
    }
  });
  if (written->is_array() && written->as_array()->empty()) {
    problem(*written, std::string{key} + " must name at least one; [\"*\"] is all of them");
  }
}

bool is_loopback(const http::Url& url) {
  if (url.host_is_ip()) return url.host.starts_with("127.") || url.host == "::1";
  return net::names_this_host(url.host);
}

std::string cannot_read(const std::string& file, const Error& error) {
  if (error.code == Errc::unsupported) {
    return file + " cannot be read: it is not a file, but a pipe, a socket or a device";
  }
  return file + " cannot be read: " + describe(error);
}

}  // namespace ringpost::server
