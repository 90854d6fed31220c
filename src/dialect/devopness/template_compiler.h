#pragma once

#include "dialect/devopness/template.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace ringpost::dialect::devopness {

/// Why a template is refused on create and update: one sentence without a full stop.
struct TemplateProblem {
  std::string reason;
};

using TemplateResult = std::variant<Template, TemplateProblem>;

/// Compiles the templates of one hook: its target URL, its headers' values, its body. One compiler
/// per hook, for the limit on expansions is the hook's.
///
///   expansion = "{{" *( SP / HTAB ) path *( SP / HTAB ) "}}"      (path: json::Path)
///
/// Of more than two braces side by side the last two count. A `{{` that begins no expansion is
/// refused; `}}` alone is text.
class TemplateCompiler {
 public:
  static constexpr size_t expansions_max = 64;

  /// @param roots  the first names that a path may have; borrowed for the life of this object.
  explicit TemplateCompiler(std::span<const std::string_view> roots) : roots_(roots) {}

  /// A header's value.
  TemplateResult header(std::string_view text);

  /// An http or https URL as http::parse_url takes it, with nothing expanded before its path.
  TemplateResult target_url(std::string_view text);

  /// @param json  the JSON value that is the body: a string, an object or an array, at most
  ///              Template::body_bytes_max. An object or array becomes compact JSON whose string
  ///              values, at any depth, are templates; names of members are not. One that is JSON
  ///              itself has its values escaped for each string that they are in. So does a string
  ///              that is the text of one. Any other string is a template of text, and what it is
  ///              sent as decides how values are written (Template::Form). Where that is nothing
  ///              or plain text, its looks decide: JSON (`{"id":{{ action.id }}}`), XML or HTML,
  ///              and a form if it has no type.
  /// @param content_type  that the hook sets; empty: none. Refused: a text that is not of this
  ///              type, one with expansions of a type whose grammar is not known here, and one with
  ///              an expansion where no escape keeps a value from being more than a value (the name
  ///              of a member of JSON, a tag outside of quotes).
  TemplateResult body(std::string_view json, std::string_view content_type = {});

 private:
  using Complaint = std::optional<TemplateProblem>;

  TemplateResult text_body(std::string_view text, std::string_view content_type);
  TemplateResult json_text(std::string_view text, std::string_view why);
  TemplateResult form_text(std::string_view text);
  TemplateResult markup_text(std::string_view text);
  TemplateResult text_by_looks(std::string_view text, bool typed);
  TemplateResult plain_body(std::string_view text, Template::Form form);
  Complaint add_text(std::string_view text, Template& out);
  Complaint add_expansion(std::string_view& text, Template& out);
  Complaint add_json(std::string_view json, Template& out);
  Complaint add_json_string(std::string_view inside, Template& out);
  Complaint check_root(const json::Path& path) const;

  std::span<const std::string_view> roots_;
  size_t expansions_count_ = 0;
  bool text_is_json_ = false;  ///< Fixed text of a json_body is JSON already, to be kept.
};

}  // namespace ringpost::dialect::devopness
