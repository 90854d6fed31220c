// Goal: a template that was accepted is filled in or fails, and nothing in a value can end a
// header, break JSON or lead to another host. Method: the first byte chooses what the template is
// for, the rest of the first line is the template, what follows is the event. Texts are filled in
// by a regular expression too.

#if defined(__GNUC__) && !defined(__clang__)
// A false alarm of g++ 12 inside <regex>, in builds with sanitizers.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "base/assert.h"
#include "dialect/devopness/template.h"
#include "dialect/devopness/template_compiler.h"
#include "fuzz.h"
#include "http/serialiser.h"
#include "http/syntax.h"
#include "http/url.h"
#include "json/fault.h"

#include <algorithm>
#include <array>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace ringpost::dialect::devopness {
namespace {

constexpr std::array<std::string_view, 3> roots{"a", "action", "user"};

class EventResolver final : public Resolver {
 public:
  explicit EventResolver(std::string_view event) { document_.assign(event); }
  json::Found find(const json::Path& path) override { return document_.find(path); }

 private:
  json::Document document_;
};

std::string fill_by_expression(const std::string& text, Resolver& values) {
  static const std::regex expansion{R"(\{\{[ \t]*([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)[ \t]*\}\})"};
  std::string out;
  auto begin = text.begin();
  for (std::sregex_iterator at{text.begin(), text.end(), expansion}; at != std::sregex_iterator{};
       ++at) {
    out.append(begin, text.begin() + at->position());
    out.append(values.find(json::Path::constant((*at)[1].str())).text);
    begin = text.begin() + at->position() + at->length();
  }
  return out.append(begin, text.end());
}

void check_header(std::string_view text, const std::string& out, Resolver& values) {
  RINGPOST_ASSERT(http::valid_header_value(out));
  constexpr size_t expression_bytes_max = 512;  // std::regex takes a stack frame for each byte.
  if (text.size() > expression_bytes_max) return;
  RINGPOST_ASSERT(http::trim(fill_by_expression(std::string{text}, values)) == out);
}

void check_url(const Template& made, const std::string& out) {
  EventResolver nothing{""};
  std::string empty;
  const auto url = http::parse_url(out);
  if (!std::holds_alternative<http::Url>(url)) {
    // Only what the URL reader encodes besides can make it too long.
    RINGPOST_ASSERT(out.size() * 3 > http::url_bytes_max);
    return;
  }
  if (!made.fill(nothing, empty).empty()) return;  // `.` and nothing.
  const auto& filled = std::get<http::Url>(url);
  const auto fixed = http::parse_url(empty);
  const auto* same = std::get_if<http::Url>(&fixed);
  if (same == nullptr) return RINGPOST_ASSERT(empty.size() * 3 > http::url_bytes_max);
  RINGPOST_ASSERT(filled.tls == same->tls);
  RINGPOST_ASSERT(filled.authority() == same->authority());
  const size_t query = std::min(out.find('?'), out.size());
  const size_t query_of_target = std::min(filled.target.find('?'), filled.target.size());
  // No segment was resolved away: as many slashes in the path as were written.
  const auto slashes = [](std::string_view path) { return std::ranges::count(path, '/'); };
  const size_t path_begin = std::min(out.find('/', out.find("://") + 3), query);
  const auto written = slashes(std::string_view{out}.substr(path_begin, query - path_begin));
  RINGPOST_ASSERT(slashes(std::string_view{filled.target}.substr(0, query_of_target)) ==
                  std::max<ptrdiff_t>(written, 1));
}

void check_body(const Template& made, const std::string& out) {
  RINGPOST_ASSERT(out.size() <= Template::body_bytes_max);
  if (made.form() != Template::Form::json_body) return;
  json::Document document;
  document.assign(out);
  // A value may itself be as deep as a document can be.
  if (json::find_fault(out, 2 * json::Document::depth_max)) RINGPOST_ASSERT(false);
  const json::Found root = document.root();
  RINGPOST_ASSERT(root.kind == json::Kind::object || root.kind == json::Kind::array ||
                  root.kind == json::Kind::missing);
}

void check(uint8_t use, std::string_view text, std::string_view event) {
  TemplateCompiler compiler{roots};
  auto result = use % 3 == 0   ? compiler.header(text)
                : use % 3 == 1 ? compiler.target_url(text)
                               : compiler.body(text);
  if (const auto* problem = std::get_if<TemplateProblem>(&result)) {
    RINGPOST_ASSERT(!problem->reason.empty());
    return;
  }
  const Template& made = std::get<Template>(result);
  RINGPOST_ASSERT(made.expansions_count() <= TemplateCompiler::expansions_max);
  EventResolver values{event};
  std::string out;
  if (!made.fill(values, out).empty()) return RINGPOST_ASSERT(out.empty());
  switch (made.form()) {
    case Template::Form::header: return check_header(text, out, values);
    case Template::Form::target_url: return check_url(made, out);
    case Template::Form::json_body:
    case Template::Form::form_body:
    case Template::Form::xml_body:
    case Template::Form::text_body: return check_body(made, out);
  }
}

}  // namespace
}  // namespace ringpost::dialect::devopness

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input{reinterpret_cast<const char*>(data) + 1, size - 1};
  const size_t line = std::min(input.find('\n'), input.size());
  ringpost::dialect::devopness::check(data[0], input.substr(0, line),
                                      input.substr(std::min(line + 1, input.size())));
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  const std::string event =
      "\n"
      R"({"a":{"b":"..","c":"/","d":[1,"\r\n\"\\",{"e":null}],"f":"?#@:%2e\\"},)"
      R"("action":{"id":8801,"status":"in-progress"},"user":{"name":"Ad\u00e9"}})";
  // '0' is 48: a header.
  return {
      "0Bearer {{ action.id }} {{{user.name}}} {{\ta.d }}" + event,
      "0{ { action.id } } }}{{a.c}}{{a.b}}" + event,
      "1https://git.example.org/{{ a.c }}x{{ a.b }}/{{ a.f }}/{{user.name}}?q={{ a.d.1 }}" + event,
      "1http://[2001:db8::1]:8080/%2e{{ a.b }}.{{ a.c }}?{{ a.b }}" + event,
      R"(2{"body":"{{ a.d }}: \u007b{ a.f }}","{{ a }}":1,"l":["{{ user.name }}",2.50,null]})" +
          event,
      R"(2"{\"n\" : \"{{ a.d.1 }}\"}")" + event,
      R"(2"{\"n\" : {{ a.d }}, \"s\":\"{{ a.d.1 }}\"}")" + event,
      R"(2"id={{ action.id }}&name={{ user.name }}")" + event,
  };
}
