#pragma once

#include "dialect/devopness/json_places.h"
#include "json/document.h"
#include "json/path.h"
#include "subscription/patterns.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::dialect::devopness {

/// Where the values of expansions come from: an event's data, the hook itself, a mask.
class Resolver {
 public:
  /// @returns the value at `path`; its text valid until the next call.
  virtual json::Found find(const json::Path& path) = 0;

 protected:
  ~Resolver() = default;
};

/// Finds what another resolver finds, but stars for secrets and for what holds one.
class MaskingResolver final : public Resolver {
 public:
  /// Both are borrowed for the life of this object.
  MaskingResolver(Resolver& values, std::span<const json::Path> secrets)
      : values_(values), secrets_(secrets) {}

  json::Found find(const json::Path& path) override;

 private:
  Resolver& values_;
  std::span<const json::Path> secrets_;
};

/// A text with expansions (`{{ action.id }}`), compiled by TemplateCompiler into pieces of fixed
/// text and paths, so that filling it in is appending. Immutable: any thread may fill it in.
class Template {
 public:
  /// What the text becomes, and so how values are written.
  enum class Form : uint8_t {
    header,      ///< A header's value: values as they are; in a quoted string escaped.
    target_url,  ///< Values percent-encoded, except letters, digits and `-._~/`.
    json_body,   ///< In a JSON string values are escaped; elsewhere they are JSON values.
    form_body,   ///< application/x-www-form-urlencoded: values percent-encoded, as JSON if in JSON.
    xml_body,    ///< XML or HTML: what is markup in a value becomes an entity.
    text_body    ///< Plain text: values as they are.
  };

  static constexpr size_t body_bytes_max = 256 * 1024;
  static constexpr size_t header_bytes_max = 8192;  ///< As http::valid_header_value has it.

  Form form() const { return form_; }
  size_t expansions_count() const { return paths_.size(); }
  /// The text before the first expansion; of a target_url at least scheme, host and port.
  std::string_view beginning() const {
    return std::string_view{fixed_}.substr(0, ends_.empty() ? fixed_.size() : ends_.front());
  }

  /// All text that is no expansion, one piece after the other.
  std::string_view fixed_text() const { return fixed_; }

  /// The path of a template that is one expansion and nothing else; null otherwise.
  const json::Path* only_path() const {
    return paths_.size() == 1 && fixed_.empty() ? &paths_.front() : nullptr;
  }

  /// Whether an expansion shows the value at `secret`: names it, or what contains it.
  bool shows(const json::Path& secret) const;

  /// Replaces `out` by the text filled in. Allocates only if `out` has to grow, and for values in
  /// JSON that is inside of something else.
  ///
  /// - header: without white space at its ends, which no reader would see.
  /// - target_url: scheme, host and port are those of the template; http::parse_url reads the rest.
  ///
  /// @returns why the delivery fails, as a part of a sentence ("is longer than ..."), and
  ///          `out` is empty then: a body above body_bytes_max, a header above header_bytes_max or
  ///          with CR, LF, NUL or another control byte, a URL above http::url_bytes_max or with a
  ///          segment `.` or `..` in its path. Empty if all is well.
  subscription::Objection fill(Resolver& values, std::string& out) const;

 private:
  friend class TemplateCompiler;

  explicit Template(Form form) : form_(form) {}

  size_t bytes_max() const;
  bool append_pieces(Resolver& values, std::string& out) const;
  void append_value(size_t index, const json::Found& value, std::string& out) const;
  /// The text with `value` in place of each expansion.
  std::string sample(std::string_view value) const;

  Form form_;
  uint32_t path_begin_ = 0;  ///< Of a target_url: where what may be filled in begins.
  /// Fixed text, one piece after the other: one before each expansion, and one behind the last.
  std::string fixed_;
  std::vector<uint32_t> ends_;  ///< In fixed_: the end of the piece before each expansion.
  std::vector<json::Path> paths_;
  /// Of a json_body: how each value is written. Of a form_body: how each is written that is in
  /// JSON (levels 0 and not bare: in none). Of a header: which are outside of quotes; empty where
  /// its quotes mean nothing. Else empty.
  std::vector<Place> places_;
};

/// Whether the path of `url`, from `path_begin` to its query, has a segment that is `.` or `..`,
/// plain or encoded.
bool has_dot_segment(std::string_view url, size_t path_begin);

}  // namespace ringpost::dialect::devopness
