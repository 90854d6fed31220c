#pragma once

#include "http/url.h"
#include "server/config.h"
#include "subscription/patterns.h"

#include <toml++/toml.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::server {

/// What came from --set names its assignment as its file.
inline constexpr std::string_view assignment_prefix = "--set ";

/// Collects what is wrong with a configuration, each with its place.
class Problems {
 public:
  Problems(std::string file, std::vector<ConfigProblem>& out) : file_(std::move(file)), out_(out) {}

  void add(const toml::source_region& where, std::string text);
  void add(std::string text) { out_.push_back({file_, 0, 0, std::move(text)}); }
  size_t count() const { return out_.size(); }

 private:
  std::string file_;
  std::vector<ConfigProblem>& out_;
};

/// Two files, and what they hold.
struct ClientCertificate {
  std::string& certificate_file;
  std::string& certificate_pem;
  std::string& key_file;
  std::string& key_pem;
};

/// One table of the file: reads the keys it is asked for, then reports the others as unknown. A
/// value that is wrong is reported, and what it should be read into stays as it was.
class Section {
 public:
  /// @param given  gets the full names of the keys that are there; null: nobody asks.
  Section(const toml::table* table, std::string name, Problems& problems,
          std::set<std::string, std::less<>>* given = nullptr)
      : table_(table), name_(std::move(name)), problems_(problems), given_(given) {}

  template <typename Integer>
  void integer(std::string_view key, Integer& into, uint64_t low, uint64_t high) {
    if (const auto value = read_integer(key, low, high)) into = static_cast<Integer>(*value);
  }
  template <typename Size>
  void size(std::string_view key, Size& into, uint64_t low, uint64_t high, uint64_t multiple = 1) {
    if (const auto value = read_size(key, low, high, multiple)) into = static_cast<Size>(*value);
  }
  void number(std::string_view key, double& into, double low, double high);
  void boolean(std::string_view key, bool& into);
  void duration(std::string_view key, Duration& into, Duration low, Duration high);
  /// @returns the key's node if there is a string.
  const toml::node* text(std::string_view key, std::string& into);
  /// The path of a file; `@credential:NAME` is one that the service manager passes.
  const toml::node* file(std::string_view key, std::string& into);
  /// Whether the key holds this word; then it is read.
  bool is_word(std::string_view key, std::string_view word);
  /// Calls `visit(text, node)` for each string of an array.
  void texts(std::string_view key,
             const std::function<void(const std::string&, const toml::node&)>& visit);
  /// Calls `read` for each `[[key]]`.
  void tables(const std::string& key, size_t count_max,
              const std::function<void(const toml::table&)>& read);
  Section table(std::string_view key);

  /// The files that the configuration names are read with it: what is wrong with them shows before
  /// anything depends on them. @returns the key's node if there is a file, and it was read.
  const toml::node* named_file(std::string_view key, std::string& file, std::string& content);
  /// `ca_file`: certificates in PEM form.
  void ca_file(std::string& file, std::string& pem);
  /// `certificate_file` and `key_file`: what a server is shown, if it asks.
  void client_certificate(const ClientCertificate& into);
  void networks(std::string_view key, std::vector<std::string>& into);
  using ObjectToPattern = subscription::Objection (*)(std::string_view pattern);
  void patterns(std::string_view key, ObjectToPattern object_to, std::vector<std::string>& into);

  const toml::node* take(std::string_view key);
  /// What the key holds; null if it is not there. Does not count as reading it.
  const toml::node* node(std::string_view key) const {
    return table_ != nullptr ? table_->get(key) : nullptr;
  }
  /// Of the table, whatever they are. Does not count as reading them.
  std::vector<std::string> keys() const;
  bool present() const { return table_ != nullptr; }
  const toml::source_region& where() const { return table_->source(); }

  void problem(const toml::node& node, std::string text);
  /// Reports the keys that nobody asked for.
  void finish();

 private:
  std::optional<uint64_t> read_integer(std::string_view key, uint64_t low, uint64_t high);
  std::optional<uint64_t> read_size(std::string_view key, uint64_t low, uint64_t high,
                                    uint64_t multiple);
  std::string qualified(std::string_view key) const;
  std::string hint(std::string_view unknown) const;
  void wrong_kind(std::string_view key, const toml::node& node, std::string_view wanted);
  /// For values that may be strings of a certain form: shows the string that has another.
  void wrong_form(std::string_view key, const toml::node& node, std::string_view wanted);

  const toml::table* table_;
  std::string name_;
  Problems& problems_;
  std::set<std::string, std::less<>>* given_;
  std::set<std::string> known_;
};

/// Whether what is sent there stays on this machine.
bool is_loopback(const http::Url& url);

std::string cannot_read(const std::string& file, const Error& error);

}  // namespace ringpost::server
