#include "dialect/devopness/template_compiler.h"

#include "base/json_writer.h"
#include "dialect/devopness/json_places.h"
#include "dialect/devopness/names.h"
#include "http/syntax.h"
#include "http/url.h"
#include "json/fault.h"
#include "json/text.h"

#include <algorithm>
#include <utility>

namespace ringpost::dialect::devopness {
namespace {

using json::Kind;

constexpr std::string_view opening = "{{";
constexpr std::string_view closing = "}}";

TemplateProblem problem(std::string_view reason) {
  return {std::string{reason}};
}

/// The start of `text`, for a message.
std::string excerpt(std::string_view text) {
  constexpr size_t shown_max = 48;
  std::string shown{text.substr(0, shown_max)};
  if (text.size() > shown_max) shown += "...";
  return '`' + shown + '`';
}

TemplateProblem bad_expansion(std::string_view text, std::string_view why) {
  return {excerpt(text) + " begins no expansion: " + std::string{why} +
          "; write {{ and a path such as action.id and }}"};
}

void skip_blanks(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

/// What a hook's Content-Type says of its body.
enum class BodyType : uint8_t { unset, json, form, xml, plain, other };

BodyType body_type_of(std::string_view content_type) {
  const std::string_view type = http::trim(content_type.substr(0, content_type.find(';')));
  if (type.empty()) return BodyType::unset;
  const auto ends_with = [type](std::string_view ending) {
    return type.size() > ending.size() &&
           http::equal_ignoring_case(type.substr(type.size() - ending.size()), ending);
  };
  if (json::declares_json(type)) return BodyType::json;
  if (ends_with("/x-www-form-urlencoded")) return BodyType::form;
  if (ends_with("/xml") || ends_with("+xml") || ends_with("/html")) return BodyType::xml;
  return http::equal_ignoring_case(type, "text/plain") ||
                 http::equal_ignoring_case(type, "text/markdown")
             ? BodyType::plain
             : BodyType::other;
}

/// What a text is by its looks, where its type does not say.
enum class Looks : uint8_t { json, markup, form, text };

bool begins_markup(std::string_view text) {
  if (!text.starts_with('<')) return false;
  if (text.size() == 1) return true;  // A value follows.
  const char next = http::to_lower(text[1]);
  return (next >= 'a' && next <= 'z') || next == '!' || next == '?' || next == '/';
}

bool in_form_name(char byte) {
  return json::is_name_character(byte) || std::string_view{".~*+%[]"}.contains(byte);
}

/// Whether `fixed` is a form of names and values (`a=…&b=…`) whose first value comes from an event.
bool looks_like_form(std::string_view fixed, size_t first_value) {
  const size_t name_size =
      static_cast<size_t>(std::ranges::find_if_not(fixed, in_form_name) - fixed.begin());
  const bool named = name_size > 0 && name_size < first_value && fixed[name_size] == '=';
  while (!fixed.empty() && is_blank(fixed.back())) fixed.remove_suffix(1);
  return named && std::ranges::all_of(fixed, [](char byte) {
           return static_cast<uint8_t>(byte) > ' ' &&
                  !std::string_view{"\"<>\\^`{|}"}.contains(byte);
         });
}

/// @param beginning  the text before the first value.
Looks looks_of(std::string_view beginning, std::string_view fixed, bool filled) {
  const std::string_view text = skip_white_space(beginning);
  if (text.empty()) return Looks::text;  // Nothing, or what a value says.
  if (std::string_view{"{[\""}.contains(text.front())) return Looks::json;
  if (begins_markup(text)) return Looks::markup;
  return filled && looks_like_form(fixed, beginning.size()) ? Looks::form : Looks::text;
}

/// Walks through XML or HTML: knows whether it is inside a tag and outside of quotes, where a value
/// could add an attribute however it is escaped.
class MarkupScan {
 public:
  /// @param rest  of the text, from this byte on.
  void step(std::string_view rest) {
    const char byte = rest.front();
    if (!until_.empty()) {
      if (rest.starts_with(until_)) until_ = {};
    } else if (!in_tag_) {
      if (rest.starts_with("<!--"))
        until_ = "-->";
      else if (rest.starts_with("<![CDATA["))
        until_ = "]]>";
      else
        in_tag_ = begins_markup(rest);
    } else if (quote_ != 0) {
      if (byte == quote_) quote_ = 0;
    } else if (byte == '"' || byte == '\'') {
      quote_ = byte;
    } else {
      in_tag_ = byte != '>';
    }
  }

  bool bare_in_tag() const { return in_tag_ && quote_ == 0; }
  bool in_comment() const { return !until_.empty(); }

 private:
  std::string_view until_;  ///< The end of a comment or of CDATA; empty: in neither.
  char quote_ = 0;
  bool in_tag_ = false;
};

/// Why XML or HTML has a value where no escape keeps it from being more; empty if it has none.
std::string_view object_to_markup(std::string_view fixed, std::span<const uint32_t> ends) {
  MarkupScan scan;
  size_t at = 0;
  for (const uint32_t end : ends) {
    for (; at < end; ++at) scan.step(fixed.substr(at, at + 1 == end ? 1 : std::string_view::npos));
    if (scan.bare_in_tag()) {
      return "a value inside a tag needs quotes around it: write <a href=\"{{ path }}\">";
    }
    if (scan.in_comment()) {
      return "a value cannot be filled into a comment or CDATA: write it as text or in quotes";
    }
  }
  return {};
}

/// Where what may be filled in begins in `url`: behind its authority; its end if there is none.
size_t authority_end(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return url.size();
  return std::min(url.find_first_of("/?#", scheme + 3), url.size());
}

}  // namespace

TemplateCompiler::Complaint TemplateCompiler::check_root(const json::Path& path) const {
  if (std::ranges::find(roots_, path.root()) != roots_.end()) {
    if (!leads_to_relation(path)) return std::nullopt;
    return TemplateProblem{excerpt(path.text()) +
                           " leads to a relation of the resource: only its "
                           "own members and application.source_provider.access_token can be named"};
  }
  std::string reason = excerpt(path.text()) + " begins with an unknown name; known names are";
  for (const std::string_view root : roots_) {
    reason.append(root == roots_.front() ? " " : ", ").append(root);
  }
  return TemplateProblem{std::move(reason)};
}

/// Takes the expansion at the front of `text`.
TemplateCompiler::Complaint TemplateCompiler::add_expansion(std::string_view& text, Template& out) {
  std::string_view rest = text.substr(opening.size());
  skip_blanks(rest);
  const auto in_path = [](char byte) { return byte == '.' || json::is_name_character(byte); };
  const auto path_end = std::ranges::find_if_not(rest, in_path);
  const std::string_view path_text{rest.begin(), path_end};
  if (const auto objection = json::Path::object_to(path_text); !objection.empty()) {
    return bad_expansion(text, "its path " + std::string{objection});
  }
  rest.remove_prefix(path_text.size());
  skip_blanks(rest);
  if (!rest.starts_with(closing)) return bad_expansion(text, "no }} follows its path");
  json::Path path = json::Path::constant(path_text);
  if (auto complaint = check_root(path)) return complaint;
  if (++expansions_count_ > expansions_max) {
    return problem("the templates of the hook hold more than 64 expansions");
  }
  out.ends_.push_back(static_cast<uint32_t>(out.fixed_.size()));
  out.paths_.push_back(std::move(path));
  text = rest.substr(closing.size());
  return std::nullopt;
}

TemplateCompiler::Complaint TemplateCompiler::add_text(std::string_view text, Template& out) {
  while (!text.empty()) {
    size_t plain = std::min(text.find(opening), text.size());
    while (plain + 2 < text.size() && text[plain + 2] == '{') ++plain;  // The last two count.
    if (out.form_ == Template::Form::json_body && !text_is_json_) {
      append_json_characters(out.fixed_, text.substr(0, plain));
    } else {
      out.fixed_.append(text.substr(0, plain));
    }
    text.remove_prefix(plain);
    if (text.empty()) break;
    if (auto complaint = add_expansion(text, out)) return complaint;
  }
  return std::nullopt;
}

TemplateResult TemplateCompiler::header(std::string_view text) {
  if (text.size() > Template::header_bytes_max) return problem("the template is over 8 KiB");
  if (!http::is_field_text(text)) {
    return problem("the template has a line end, NUL or another control byte");
  }
  Template made{Template::Form::header};
  if (auto complaint = add_text(text, made)) return *std::move(complaint);
  std::vector<uint32_t> ends = made.ends_;
  ends.push_back(static_cast<uint32_t>(made.fixed_.size()));
  const std::vector<bool> bare = bare_expansions(made.fixed_, ends);
  if (!bare.back()) return made;  // A quote is open at the end: it is text.
  for (size_t index = 0; index < made.ends_.size(); ++index) {
    made.places_.push_back({.bare = bare[index], .levels = 0});
  }
  return made;
}

TemplateResult TemplateCompiler::target_url(std::string_view text) {
  if (text.size() > Template::body_bytes_max) return problem("the template is over 256 KiB");
  Template made{Template::Form::target_url};
  const size_t path_begin = authority_end(text);
  if (text.substr(0, path_begin).find(opening) != std::string_view::npos) {
    return problem(
        "nothing can be expanded before the path: write scheme, host and port as they are");
  }
  if (auto complaint = add_text(text, made)) return *std::move(complaint);
  made.path_begin_ = static_cast<uint32_t>(path_begin);
  // What is wrong with the rest shows with a letter for each value, or with nothing.
  for (const std::string_view value : {"x", ""}) {
    const auto url = http::parse_url(made.sample(value));
    if (const auto* refused = std::get_if<http::UrlProblem>(&url)) return problem(refused->reason);
  }
  if (has_dot_segment(made.sample("x"), path_begin)) {
    return problem("the path has a segment '.' or '..': write the path that is meant");
  }
  return made;
}

/// The inside of a string value, as spelled.
TemplateCompiler::Complaint TemplateCompiler::add_json_string(std::string_view inside,
                                                              Template& out) {
  std::string plain;
  if (!json::unescape(inside, plain)) {
    return TemplateProblem{"the string " + excerpt(inside) + " holds an unpaired surrogate"};
  }
  return add_text(plain, out);
}

/// `json` is an object or array, and valid.
TemplateCompiler::Complaint TemplateCompiler::add_json(std::string_view json, Template& out) {
  while (!json.empty()) {
    const size_t size = json.front() == '"' ? string_size(json) : 1;
    const std::string_view token = json.substr(0, size);
    json.remove_prefix(size);
    if (is_blank(token.front())) continue;
    if (size == 1 || colon_follows(json)) {
      out.fixed_.append(token);
      continue;
    }
    out.fixed_ += '"';
    if (auto complaint = add_json_string(token.substr(1, size - 2), out)) return complaint;
    out.fixed_ += '"';
  }
  return std::nullopt;
}

/// Text that is JSON once it is filled in, whatever the values are.
/// @param why  it has to be JSON, for a refusal.
TemplateResult TemplateCompiler::json_text(std::string_view text, std::string_view why) {
  Template made{Template::Form::json_body};
  text_is_json_ = true;
  auto complaint = add_text(text, made);
  text_is_json_ = false;
  if (complaint) return *std::move(complaint);
  std::string objection =
      place_in_json({made.fixed_, made.ends_}, "the body " + std::string{why}, made.places_);
  if (!objection.empty()) return TemplateProblem{std::move(objection)};
  return made;
}

/// A form, of which a value may be JSON.
TemplateResult TemplateCompiler::form_text(std::string_view text) {
  auto made = plain_body(text, Template::Form::form_body);
  auto* filled = std::get_if<Template>(&made);
  if (filled == nullptr) return made;
  std::string objection = place_in_form({filled->fixed_, filled->ends_}, filled->places_);
  return objection.empty() ? std::move(made) : TemplateProblem{std::move(objection)};
}

TemplateResult TemplateCompiler::markup_text(std::string_view text) {
  auto made = plain_body(text, Template::Form::xml_body);
  const auto* filled = std::get_if<Template>(&made);
  if (filled == nullptr) return made;
  const std::string_view objection = object_to_markup(filled->fixed_, filled->ends_);
  return objection.empty() ? std::move(made) : problem(objection);
}

TemplateResult TemplateCompiler::plain_body(std::string_view text, Template::Form form) {
  Template made{form};
  if (auto complaint = add_text(text, made)) return *std::move(complaint);
  return made;
}

/// Text that has no type, or is said to be plain: there are receivers that read it as what it looks
/// like, so that is how values are written.
/// @param typed  it is said to be plain.
TemplateResult TemplateCompiler::text_by_looks(std::string_view text, bool typed) {
  const size_t expansions_before = expansions_count_;
  auto plain = plain_body(text, Template::Form::text_body);
  const auto* made = std::get_if<Template>(&plain);
  if (made == nullptr) return plain;
  const Looks looks = looks_of(made->beginning(), made->fixed_text(), made->expansions_count() > 0);
  if (leads_json({made->fixed_, made->ends_})) return problem(leads_json_objection);
  if (looks == Looks::text || (looks == Looks::form && typed)) return plain;
  expansions_count_ = expansions_before;  // They are the same ones.
  if (looks == Looks::markup) return markup_text(text);
  if (looks == Looks::form) return form_text(text);
  auto json = json_text(text, "begins as JSON");
  if (std::holds_alternative<Template>(json) || means_json(made->beginning())) return json;
  return plain;
}

TemplateResult TemplateCompiler::text_body(std::string_view text, std::string_view content_type) {
  switch (body_type_of(content_type)) {
    case BodyType::json: return json_text(text, "is sent as JSON");
    case BodyType::form: return form_text(text);
    case BodyType::xml: return markup_text(text);
    case BodyType::plain: return text_by_looks(text, true);
    case BodyType::unset: return text_by_looks(text, false);
    case BodyType::other: break;
  }
  auto made = plain_body(text, Template::Form::text_body);
  const auto* filled = std::get_if<Template>(&made);
  if (filled == nullptr || filled->expansions_count() == 0) return made;
  return TemplateProblem{"values cannot be filled into a text of the type " +
                         excerpt(content_type) +
                         ": send JSON, XML, a form (application/x-www-form-urlencoded) or "
                         "text/plain"};
}

TemplateResult TemplateCompiler::body(std::string_view json, std::string_view content_type) {
  if (json.size() > Template::body_bytes_max) return problem("the body is over 256 KiB");
  const BodyType type = body_type_of(content_type);
  const bool of_json = type != BodyType::form && type != BodyType::xml;
  json::Document document;
  document.assign(json);
  Kind kind = document.root().kind;
  std::string text;
  if (kind == Kind::string) {
    text = document.root().text;
    document.assign(text);
    kind = document.root().kind;
    if (!of_json || (kind != Kind::object && kind != Kind::array)) {
      return text_body(text, content_type);
    }
    json = text;
  }
  if (kind != Kind::object && kind != Kind::array) {
    return problem("the body must be a JSON string, object or array");
  }
  if (!of_json) {
    return TemplateProblem{"an object or array is sent as JSON, and Content-Type says " +
                           excerpt(content_type) + ": write the body as one string"};
  }
  Template made{Template::Form::json_body};
  if (auto complaint = add_json(json, made)) return *std::move(complaint);
  std::string objection = place_in_json({made.fixed_, made.ends_}, "the body", made.places_);
  if (!objection.empty()) return TemplateProblem{std::move(objection)};
  // Escapes can make fixed text longer than it came.
  if (made.fixed_.size() > Template::body_bytes_max) return problem("the body is over 256 KiB");
  return made;
}

}  // namespace ringpost::dialect::devopness
