#include "dialect/devopness/template.h"

#include "base/json_writer.h"
#include "dialect/devopness/template_compiler.h"
#include "http/query.h"
#include "http/serialiser.h"
#include "http/url.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ringpost::dialect::devopness {
namespace {

constexpr std::array<std::string_view, 4> roots{"action", "hook", "user", "application"};

/// The event of the specification's examples, and some more.
constexpr std::string_view data = R"({
  "action": {"id": 8801, "status": "in-progress", "retry_of": null, "pi": 3.10,
    "triggered_from": {"hook_parsed_variables": {"pull_request_id": 57, "ready": true,
      "pull_request_title": "Say \"hi\" & <b>"}},
    "summary": {"targets": { "count" : 2 , "failed" : 0 }}, "targets": [{"id": 5}],
    "again": "{{ action.id }}", "lines": "a\r\nX: y", "nul": "\u0000", "no_character": "\ufffe\uffff\ufffd.", "bell": "\u0007",
    "up": "..", "dot": ".", "spaced": " a b\t", "pair": "a&admin=1", "markup": "</by><ok>", "accent": "caf\u00e9", "quote": "\",\"x\":\"\\"},
  "user": {"name": "Ada"},
  "application": {"name": "shop", "repository": "acme/shop",
    "source_provider": {"access_token": "t0ken"}},
  "hook": {"secret": "hush"}
})";

class DataResolver final : public Resolver {
 public:
  explicit DataResolver(std::string_view text = data) { document_.assign(text); }
  json::Found find(const json::Path& path) override { return document_.find(path); }

 private:
  json::Document document_;
};

Template made(TemplateResult result) {
  if (const auto* problem = std::get_if<TemplateProblem>(&result)) {
    ADD_FAILURE() << problem->reason;
  }
  return std::get<Template>(std::move(result));
}

Template header(std::string_view text) {
  return made(TemplateCompiler{roots}.header(text));
}

Template target_url(std::string_view text) {
  return made(TemplateCompiler{roots}.target_url(text));
}

Template body(std::string_view json, std::string_view content_type = {}) {
  return made(TemplateCompiler{roots}.body(json, content_type));
}

/// As a text is written in JSON.
std::string as_json(std::string_view text) {
  std::string json;
  append_json_string(json, text);
  return json;
}

std::string filled(const Template& from) {
  DataResolver values;
  std::string out = "what stood there before";
  EXPECT_EQ(from.fill(values, out), "");
  return out;
}

/// Why it cannot be filled in.
std::string failure(const Template& from) {
  DataResolver values;
  std::string out = "what stood there before";
  const std::string reason{from.fill(values, out)};
  EXPECT_EQ(out, "");
  return reason;
}

std::string refusal(const TemplateResult& result) {
  const auto* problem = std::get_if<TemplateProblem>(&result);
  return problem == nullptr ? "" : problem->reason;
}

void expect_holds(const std::string& text, std::string_view part) {
  EXPECT_NE(text.find(part), std::string::npos) << '"' << text << "\" lacks " << part;
}

TEST(Template, GivesWhatTheTableSays) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases{
      {"{{ action.status }}", "in-progress"},
      {"{{action.id}}", "8801"},
      {"PR {{ action.triggered_from.hook_parsed_variables.pull_request_id }}", "PR 57"},
      {"{{ action.retry_of }}", ""},
      {"{{ action.nothing.here }}", ""},
      {"{{ action.triggered_from.hook_parsed_variables.ready }}", "true"},
      {"{{ action.summary.targets }}", R"({"count":2,"failed":0})"},
      {"{{ action.targets.0.id }}", "5"},
      {"{{{ action.id }}}", "{8801}"},
      {"{ { action.id } }", "{ { action.id } }"},
      // Besides.
      {"", ""},
      {"{{{{action.id}}}}", "{{8801}}"},
      {"{{\t action.id \t}}", "8801"},
      {"{{action.id}}{{action.id}}", "88018801"},
      {"a}}b{c}", "a}}b{c}"},
      {"{{ action.pi }}", "3.10"},
      {"{{ action.targets.1.id }}", ""},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(filled(header(text)), expected) << text;
}

TEST(Template, RefusesABadExpansionAndShowsIt) {
  const std::vector<std::pair<std::string, std::string_view>> cases{
      {"{{ Action.id }}", "known names are action, hook, user, application"},
      {"{{ action.id", "no }} follows"},
      {"{{ action..id }}", "empty name"},
      {"{{}}", "path is empty"},
      {"{{ }}", "path is empty"},
      {"{{", "path is empty"},
      {"a {{ action.id } }", "no }} follows"},
      {"{{ action.id | upper }}", "no }} follows"},
      {"{{ action[0] }}", "no }} follows"},
      {"{{ action.\xC3\xA9 }}", "empty name"},
      {"{{\naction.id }}", "path is empty"},
      {"{{ nothing }}", "unknown name"},
      {"{{ action." + std::string(512, 'x') + " }}", "512 bytes"},
      {"{{ action.{{ user.name }} }}", "empty name"},
  };
  for (const auto& [text, reason] : cases) {
    std::string json = "\"" + text + "\"";
    if (const size_t line = json.find('\n'); line != std::string::npos)
      json.replace(line, 1, "\\n");
    const std::string refused = refusal(TemplateCompiler{roots}.body(json));
    expect_holds(refused, reason);
    expect_holds(refused, "`");
  }
  body(R"("{{ action.)" + std::string(505, 'x') + R"( }}")");  // 512 bytes.
}

TEST(Template, NeverExpandsAValueAgain) {
  EXPECT_EQ(filled(header("{{ action.again }}")), "{{ action.id }}");
  EXPECT_EQ(filled(body(R"("x {{ action.again }}")")), "x {{ action.id }}");
}

TEST(Template, FillsStringValuesOfAJsonBodyAndKeepsTheRest) {
  const Template one = body(
      R"({"body":"{{ application.name }}: {{ action.triggered_from.hook_parsed_variables.pull_request_title }}","n":"{{ action.id }}","{{ action.id }}":1,"l":["{{ user.name }}",2,null]})");
  EXPECT_EQ(
      filled(one),
      R"({"body":"shop: Say \"hi\" & <b>","n":"8801","{{ action.id }}":1,"l":["Ada",2,null]})");
  EXPECT_EQ(one.form(), Template::Form::json_body);
  EXPECT_EQ(one.expansions_count(), 4u);
}

TEST(Template, WritesAJsonBodyCompactWithItsMembersInOrder) {
  EXPECT_EQ(
      filled(body(
          " { \"z\" : [ 1 , 2.50 , { \"a\" : \"x  y\" } ] ,\n \"a\\u0022\" : \"\\u00e9\\n\" } ")),
      "{\"z\":[1,2.50,{\"a\":\"x  y\"}],\"a\\u0022\":\"\xC3\xA9\\n\"}");
  EXPECT_EQ(filled(body(R"([{"a":"{{ user.name }}"},{"a":"\u007b{ user.name }}"}])")),
            R"([{"a":"Ada"},{"a":"Ada"}])");
  EXPECT_EQ(filled(body("{}")), "{}");
  EXPECT_EQ(filled(body(R"({"a":{},"b":[],"c":""})")), R"({"a":{},"b":[],"c":""})");
}

TEST(Template, LetsNoValueBreakTheJsonAroundIt) {
  const std::string text =
      filled(body(R"({"a":"{{ action.quote }}{{ action.lines }}{{ action.nul }}","b":1})"));
  EXPECT_EQ(text, R"({"a":"\",\"x\":\"\\a\r\nX: y\u0000","b":1})");
  json::Document document;
  document.assign(text);
  EXPECT_EQ(document.find(json::Path::constant("x")).kind, json::Kind::missing);
  EXPECT_EQ(document.find(json::Path::constant("a")).text,
            std::string("\",\"x\":\"\\a\r\nX: y\0", 16));
}

/// The string at `path` of `json`.
std::string text_at(const std::string& json, std::string_view path) {
  json::Document document;
  document.assign(json);
  return std::string{document.find(json::Path::constant(path)).text};
}

// Goal: a value stays one value in JSON that is in a string of JSON, at any level, in every form
// that the outer JSON may have. Method: read back level by level.
TEST(Template, EscapesAValueForEachStringThatItIsIn) {
  const std::string_view quote = "\",\"x\":\"\\";
  const std::string inner =
      R"({"a":"{{ action.quote }}","id":{{ action.id }},"o":{{ action.summary }}})";
  const std::string middle = R"({"b":[1,)" + as_json(inner) + R"(],"by":"{{ action.quote }}"})";
  const std::string outer = R"({"c":)" + as_json(middle) + R"(,"plain":"x {{ action.quote }}"})";
  const std::string with_bare = R"({"n":{{ action.id }},)" + outer.substr(1);
  for (const std::string& json :
       {outer, as_json(outer), as_json(with_bare), as_json("[" + outer + "]").insert(1, " ")}) {
    std::string text = filled(body(json));
    if (text.starts_with('[')) text = text.substr(1, text.size() - 2);
    EXPECT_EQ(text_at(text, "plain"), "x " + std::string{quote});
    const std::string level_2 = text_at(text, "c");
    EXPECT_EQ(text_at(level_2, "by"), quote) << level_2;
    const std::string level_3 = text_at(level_2, "b.1");
    EXPECT_EQ(text_at(level_3, "a"), quote) << level_3;
    EXPECT_EQ(text_at(level_3, "id"), "8801");
    EXPECT_EQ(text_at(level_3, "x"), "");
  }
  EXPECT_EQ(filled(body(R"({"text":"{\"a\":\"{{ action.quote }}\"}"})")),
            R"({"text":"{\"a\":\"\\\",\\\"x\\\":\\\"\\\\\"}"})");
}

TEST(Template, TakesAStringInsideOfJsonForTextUnlessItIsJson) {
  for (const std::string_view text :
       {"[{{ action.quote }}] build", "{{{ action.quote }}}", "\"{{ action.quote }}\"",
        "<b>{{ action.quote }}</b>", "a {\"b\":\"{{ action.quote }}\"}"}) {
    const std::string written = filled(body(R"({"text":)" + as_json(text) + "}"));
    std::string expected{text};
    expected.replace(expected.find("{{ action.quote }}"), 18, "\",\"x\":\"\\");
    EXPECT_EQ(text_at(written, "text"), expected);
  }
  // What has no values is not looked at.
  EXPECT_EQ(filled(body(R"({"text":"{\"a\":"})")), R"({"text":"{\"a\":"})");
  // One that has no meaning as text is none.
  EXPECT_EQ(filled(body(as_json(R"({"n":{{ action.id }},"t":"{\"\ud800{{ user.name }}"})"))),
            R"({"n":8801,"t":"{\"\ud800Ada"})");
}

TEST(Template, RefusesAValueInJsonInsideOfJsonWhereItCannotBeOne) {
  for (const auto& [text, reason] :
       {std::pair<std::string_view, std::string_view>{R"({"a":"{{ user.name }}")",
                                                      "string in the body"},
        {R"({"a":{{ user.name }}1})", "not valid JSON"},
        {R"({"{{ user.name }}":1,"a":{{ user.name }}})", "name"},
        {R"(["{{ user.name }}":1])", "not valid JSON"},
        {R"({{ user.name }}{"a":"b"})", "before JSON"},
        {"\xEF\xBB\xBF{\"a\":\"{{ user.name }}\"}", "not valid JSON"}}) {
    const std::string json = R"({"text":)" + as_json(text) + "}";
    expect_holds(refusal(TemplateCompiler{roots}.body(json)), reason);
    expect_holds(refusal(TemplateCompiler{roots}.body(as_json(json))), reason);
  }
  std::string json = R"({"a":"{{ user.name }}"})";
  for (size_t level = 0; level < json_levels_max; ++level) {
    json = R"({"a":)" + as_json(json) + "}";
    EXPECT_EQ(refusal(TemplateCompiler{roots}.body(json)), "");
  }
  json = R"({"a":)" + as_json(json) + "}";
  expect_holds(refusal(TemplateCompiler{roots}.body(json)), "more than 4");
}

TEST(Template, EndsADeliveryIfEscapesMakeAValueTooLong) {
  std::string json = R"({"a":"{{ action.long }}"})";
  for (size_t level = 0; level < json_levels_max; ++level) json = R"({"a":)" + as_json(json) + "}";
  const Template one = body(json);
  for (const auto& [size, fits] : {std::pair{5'000, true}, {20'000, false}, {250'000, false}}) {
    const std::string event = R"({"action":{"long":)" + as_json(std::string(size, '"')) + "}}";
    DataResolver values{event};
    std::string out;
    EXPECT_EQ(one.fill(values, out).empty(), fits) << size;
  }
}

// A form of one value that is JSON is how some chat services are called.
TEST(Template, EscapesAValueInTheJsonOfAForm) {
  const std::string_view type = "application/x-www-form-urlencoded";
  for (
      const std::string_view form :
      {R"(n={{ action.quote }}&payload={"a":"{{ action.quote }}","id":{{ action.id }}}&m=1)",
       R"(n={{ action.quote }}&payload=%7B%22a%22:+%22{{ action.quote }}%22,%22id%22:{{ action.id }}}&m=1)"}) {
    const std::string written = filled(body(as_json(form), type));
    const auto parsed = http::QueryParameters::parse(written);
    const auto* parameters = std::get_if<http::QueryParameters>(&parsed);
    ASSERT_NE(parameters, nullptr) << written;
    EXPECT_EQ(parameters->find("n"), "\",\"x\":\"\\");
    const std::string payload{parameters->find("payload").value_or("")};
    EXPECT_EQ(text_at(payload, "a"), "\",\"x\":\"\\") << payload;
    EXPECT_EQ(text_at(payload, "id"), "8801");
  }
  expect_holds(refusal(TemplateCompiler{roots}.body(as_json(R"(p={"a":"{{ user.name }})"), type)),
               "a value of the form");
}

TEST(Template, TakesAStringThatIsJsonForJson) {
  const Template object = body(R"(" {\"n\" : \"{{ action.quote }}\", \"{{\": 1}")");
  EXPECT_EQ(object.form(), Template::Form::json_body);
  EXPECT_EQ(filled(object), R"({"n":"\",\"x\":\"\\","{{":1})");
  EXPECT_EQ(filled(body(R"("[ \"{{ user.name }}\" ]")")), R"(["Ada"])");
}

TEST(Template, FillsAnyOtherStringAsText) {
  EXPECT_EQ(body(R"("x {{ action.id }}")").form(), Template::Form::text_body);
  EXPECT_EQ(filled(body(R"("{ {{ action.id }} }")")), "{ 8801 }");
  EXPECT_EQ(filled(body(R"("a={{ user.name }}\r\n&b")")), "a=Ada\r\n&b");
  EXPECT_EQ(filled(body(R"("")")), "");
}

// `{"n": {{ action.id }}}` is no JSON before it is filled in, and always afterwards.
TEST(Template, FillsTextThatBecomesJsonWithJsonValues) {
  const std::string text =
      R"({ "by": "{{ action.quote }}", "id": {{ action.id }}, "l": [{{ action.pi }},{{user.name}}],)"
      R"( "o": {{ action.summary }}, "none": {{ action.nothing }}, "null":{{ action.retry_of }} })";
  const Template one = body(as_json(text));
  EXPECT_EQ(one.form(), Template::Form::json_body);
  EXPECT_EQ(filled(one),
            R"({ "by": "\",\"x\":\"\\", "id": 8801, "l": [3.10,"Ada"],)"
            R"( "o": {"targets":{"count":2,"failed":0}}, "none": null, "null":null })");
  EXPECT_EQ(filled(body(as_json(R"({"q":{{ action.quote }},"l":{{ action.lines }}})"))),
            R"({"q":"\",\"x\":\"\\","l":"a\r\nX: y"})");
  EXPECT_EQ(filled(body(as_json(R"([{{ user.name }}])"), "application/json")), R"(["Ada"])");
  EXPECT_EQ(filled(body(as_json("{{ action.targets }}"), "application/x+json")), R"([{"id":5}])");
  EXPECT_EQ(filled(body(as_json("{{ user.name }}"), "application/json; charset=utf-8")),
            R"("Ada")");
}

TEST(Template, RefusesTextThatNeverBecomesTheJsonItIsSentAs) {
  for (const std::string_view text :
       {R"({"a":{{ action.id }},})", R"({"a":1{{ action.id }}})", R"({{{ action.id }}:1, "a":2})",
        R"({"a":"\{{ action.id }}"})", R"({"a":"\u00{{ action.id }}"})", R"({"a":{{ action.id }})",
        R"({"a":{{ action.id }}{{ action.id }}})", R"({"a":-{{ action.id }}})",
        R"({ "a": {{ action.id }} # one })", R"({"a":"{{ action.id }})"}) {
    expect_holds(refusal(TemplateCompiler{roots}.body(as_json(text), "application/json")),
                 "sent as JSON");
  }
  for (const std::string_view text :
       {"Hello {{ user.name }}", "", "{{ action.id }} {{ action.id }}"}) {
    expect_holds(refusal(TemplateCompiler{roots}.body(as_json(text), "application/json")),
                 "sent as JSON");
    EXPECT_EQ(body(as_json(text)).form(), Template::Form::text_body) << text;
  }
  // Nobody writes this who does not mean JSON.
  expect_holds(refusal(TemplateCompiler{roots}.body(as_json(R"({ "a":{{ action.id }},})"))),
               "a member is missing after the comma");
}

TEST(Template, WritesValuesAsTheContentTypeAsks) {
  const std::string form =
      as_json("by={{ action.quote }}&l={{ action.lines }}&n={{ action.accent }}/");
  EXPECT_EQ(filled(body(form, "application/x-www-form-urlencoded; charset=utf-8")),
            "by=%22%2C%22x%22%3A%22%5C&l=a%0D%0AX%3A%20y&n=caf%C3%A9/");
  const std::string title = "{{ action.triggered_from.hook_parsed_variables.pull_request_title }}";
  for (const char* type :
       {"application/xml", "text/xml; charset=utf-8", "application/atom+xml", "text/html"}) {
    EXPECT_EQ(
        filled(body(as_json("<a t='" + title + "'>{{ action.bell }}{{ action.lines }}</a>"), type)),
        "<a t='Say &quot;hi&quot; &amp; &lt;b&gt;'>\xef\xbf\xbd"
        "a&#13;&#10;X: y</a>")
        << type;
  }
  EXPECT_EQ(filled(body(as_json("{{ action.quote }}"), "text/plain")), R"(","x":"\)");
  for (const char* type :
       {"application/yaml", "multipart/form-data; boundary=x", "text/csv", "x"}) {
    expect_holds(refusal(TemplateCompiler{roots}.body(as_json("a: {{ user.name }}"), type)), type);
    EXPECT_EQ(filled(body(as_json("a: 1"), type)), "a: 1");
    EXPECT_EQ(filled(body(R"({"a":"{{ user.name }}"})", type)), R"({"a":"Ada"})");
  }
  for (const char* type : {"application/x-www-form-urlencoded", "application/xml"}) {
    expect_holds(refusal(TemplateCompiler{roots}.body(R"({"a":"{{ user.name }}"})", type)),
                 "sent as JSON");
  }
}

// A text that has no type, or a plain one, is read by many receivers as what it looks like.
TEST(Template, WritesValuesAsAnUntypedOrPlainTextLooks) {
  using Form = Template::Form;
  struct Case {
    std::string_view text;
    Form form;
    std::string_view expected;
  };
  const std::vector<Case> cases{
      {R"([{"by":"{{ action.quote }}"},{{ action.id }}])", Form::json_body,
       R"([{"by":"\",\"x\":\"\\"},8801])"},
      {R"( [ "{{ action.quote }}", {{ action.quote }} ] )", Form::json_body,
       R"( [ "\",\"x\":\"\\", "\",\"x\":\"\\" ] )"},
      {R"([{{ action.quote }}])", Form::json_body, R"(["\",\"x\":\"\\"])"},
      {R"("by {{ action.quote }}")", Form::json_body, R"("by \",\"x\":\"\\")"},
      {R"({"a":{{ action.quote }}})", Form::json_body, R"({"a":"\",\"x\":\"\\"})"},
      {R"({{{ action.id }}})", Form::text_body, "{8801}"},
      {"<by t=\"{{ action.quote }}\">{{ action.markup }}</by>", Form::xml_body,
       "<by t=\"&quot;,&quot;x&quot;:&quot;\\\">&lt;/by&gt;&lt;ok&gt;</by>"},
      {"\n<?xml version='1.0'?><by>{{ action.markup }}</by>", Form::xml_body,
       "\n<?xml version='1.0'?><by>&lt;/by&gt;&lt;ok&gt;</by>"},
      {"<!DOCTYPE html><!-- don't --><p>{{ action.markup }}", Form::xml_body,
       "<!DOCTYPE html><!-- don't --><p>&lt;/by&gt;&lt;ok&gt;"},
      {"<by>{{ action.no_character }}</by>", Form::xml_body,
       "<by>\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd.</by>"},
      {"<![CDATA[ <b ]]>{{ action.id }}", Form::xml_body, "<![CDATA[ <b ]]>8801"},
      // Text that cannot be anything else, whatever the values are.
      {"[{{ action.id }}] build {{ user.name }}", Form::text_body, "[8801] build Ada"},
      {R"("{{ action.id }}" is {{ action.status }})", Form::text_body, R"("8801" is in-progress)"},
      {"<3 {{ user.name }}", Form::text_body, "<3 Ada"},
      {"{{ action.quote }}", Form::text_body, R"(","x":"\)"},
  };
  for (const std::string_view type : {"", "text/plain", "text/markdown; charset=utf-8"}) {
    for (const auto& [text, form, expected] : cases) {
      const Template one = body(as_json(text), type);
      EXPECT_EQ(one.form(), form) << text;
      EXPECT_EQ(filled(one), expected) << text;
    }
  }
  // A form is read as one only where it is sent as one.
  const std::string form = as_json("by={{ action.pair }}&n[]={{ action.id }}");
  EXPECT_EQ(filled(body(form)), "by=a%26admin%3D1&n[]=8801");
  EXPECT_EQ(filled(body(form, "text/plain")), "by=a&admin=1&n[]=8801");
  for (const std::string_view text :
       {"by={{ user.name }} id={{ action.id }}", "https://a.example/?by={{ user.name }}",
        "{{ user.name }}=1&b=2", "={{ user.name }}"}) {
    EXPECT_EQ(body(as_json(text)).form(), Template::Form::text_body) << text;
  }
}

TEST(Template, CountsTheExpansionsOfATextOnceWhateverItLooksLike) {
  for (const std::string_view piece : {"[{{ action.id }}] ", "<b>{{ action.id }}</b>"}) {
    std::string text;
    for (size_t count = 0; count < TemplateCompiler::expansions_max; ++count) text += piece;
    EXPECT_EQ(refusal(TemplateCompiler{roots}.body(as_json(text))), "") << piece;
    expect_holds(refusal(TemplateCompiler{roots}.body(as_json(text.append(piece)))), "64");
  }
}

TEST(Template, RefusesAnUntypedTextThatBeginsAsJsonAndIsNone) {
  for (const std::string_view type : {"", "text/plain"}) {
    for (const std::string_view text :
         {R"(["{{ user.name }}",])", R"([ {"a":{{ action.id }}}, ])", R"({"a":{{ action.id }})",
          "{\"a\":\"{{ user.name }}\"}\n{\"a\":\"{{ user.name }}\"}"}) {
      expect_holds(refusal(TemplateCompiler{roots}.body(as_json(text), type)), "begins as JSON");
    }
  }
}

// No escape keeps a value there from being more than a value.
TEST(Template, RefusesAValueForANameAndWithinATag) {
  for (const std::string_view text : {R"({"{{ user.name }}":1,"n":{{ action.id }}})",
                                      R"({"n":{{ action.id }},"a{{ user.name }}\"b" :1})"}) {
    for (const std::string_view type : {"", "application/json", "text/plain"}) {
      expect_holds(refusal(TemplateCompiler{roots}.body(as_json(text), type)), "name");
    }
  }
  for (const std::string_view text :
       {"<a href={{ user.name }}>", "<a {{ user.name }}/>", "<{{ user.name }}/>",
        "<a t='>' {{ user.name }}>", "<!-- ' --><a x={{ user.name }}>", "</{{ user.name }}>",
        "<![CDATA[<]]><b {{ user.name }}>"}) {
    for (const std::string_view type : {"", "text/html", "application/xml", "text/plain"}) {
      if (type.ends_with("plain") && text.starts_with("<![")) continue;
      expect_holds(refusal(TemplateCompiler{roots}.body(as_json(text), type)), "quotes");
    }
  }
}

TEST(Template, RefusesAValueWhereMarkupHasNoEscape) {
  for (const std::string_view text :
       {"<p/><!-- {{ user.name }} -->", "<a><![CDATA[{{ user.name }}]]></a>"}) {
    for (const std::string_view type : {"", "text/html", "application/xml", "text/plain"}) {
      expect_holds(refusal(TemplateCompiler{roots}.body(as_json(text), type)), "comment or CDATA");
    }
  }
}

// Goal: what receivers skip, and a value that is empty, hide nothing of what a text is read as.
TEST(Template, LooksBehindWhatReceiversSkip) {
  for (const std::string_view mark : {"\xEF\xBB\xBF", "\xC2\xA0", "\f\v\n "}) {
    const std::string json = std::string{mark} + R"({"by":"{{ user.name }}"})";
    expect_holds(refusal(TemplateCompiler{roots}.body(as_json(json))), "begins as JSON");
    const Template markup = body(as_json(std::string{mark} + "<a>{{ action.markup }}</a>"));
    EXPECT_EQ(markup.form(), Template::Form::xml_body);
  }
  expect_holds(
      refusal(TemplateCompiler{roots}.body(as_json(R"({{ action.id }} {"by":"{{ user.name }}"})"))),
      "before JSON");
  EXPECT_EQ(filled(body(as_json("by={{ action.pair }}&n=1\r\n"))), "by=a%26admin%3D1&n=1\r\n");
}

// RFC 9110, 5.6.4.
TEST(Template, KeepsAValueInsideTheQuotedStringOfAHeader) {
  EXPECT_EQ(filled(header("Digest user=\"{{ action.quote }}\", x={{ action.id }}")),
            R"(Digest user="\",\"x\":\"\\", x=8801)");
  EXPECT_EQ(filled(header(R"({"by":"\"{{ action.quote }}"})")), R"({"by":"\"\",\"x\":\"\\"})");
  EXPECT_EQ(filled(header("5\" {{ action.quote }}")), R"(5" ","x":"\)");  // No quoted string.
  EXPECT_EQ(filled(header("{{ action.quote }} \"a\"")), R"(","x":"\ "a")");
}

TEST(Template, RefusesABodyOfAnotherKind) {
  for (const std::string_view json : {"1", "null", "true", "", "{", "{}{}", "[1,]", "\"a"}) {
    expect_holds(refusal(TemplateCompiler{roots}.body(json)), "string, object or array");
  }
  expect_holds(refusal(TemplateCompiler{roots}.body(R"({"a":["\ud800"]})")), "surrogate");
}

TEST(Template, PercentEncodesValuesInAUrl) {
  EXPECT_EQ(
      filled(target_url("https://git.example.org/repos/{{ application.repository }}/issues/{{ "
                        "action.triggered_from.hook_parsed_variables.pull_request_id }}?t={{ "
                        "action.triggered_from.hook_parsed_variables.pull_request_title }}")),
      "https://git.example.org/repos/acme/shop/issues/57?t=Say%20%22hi%22%20%26%20%3Cb%3E");
  EXPECT_EQ(filled(target_url("https://a.example/{{ action.accent }}?{{ action.lines }}")),
            "https://a.example/caf%C3%A9?a%0D%0AX%3A%20y");
  EXPECT_EQ(filled(target_url("http://[2001:db8::1]:8080/~{{ user.name }}_-.")),
            "http://[2001:db8::1]:8080/~Ada_-.");
  EXPECT_EQ(filled(target_url("https://a.example?{{ user.name }}")), "https://a.example?Ada");
  EXPECT_EQ(filled(target_url("https://a.example")), "https://a.example");
}

TEST(Template, LetsNoValueChangeWhereAUrlLeads) {
  for (const std::string_view text :
       {"{{ user.name }}", "https://{{ user.name }}/", "https://{{ user.name }}",
        "https://a.example:{{ action.id }}/", "{{ action.status }}://a.example/",
        "https://a.example{{ action.id }}", "https://a.{{ user.name }}.example/x",
        "https://{{ user.name }}@a.example/"}) {
    expect_holds(refusal(TemplateCompiler{roots}.target_url(text)), "before the path");
  }
  for (const std::string_view text :
       {"", "ftp://a.example/", "a.example/{{ user.name }}", "https://a.example/#{{ user.name }}",
        "https://a.example/%{{ user.name }}", "https://a.example/%4{{ action.id }}",
        "https://u:p@a.example/", "https://a.example/?q= {{ user.name }}",
        "https://a.example\\{{ user.name }}", "https:///x"}) {
    EXPECT_NE(refusal(TemplateCompiler{roots}.target_url(text)), "") << text;
  }
}

TEST(Template, FailsWhenAPathClimbsOnceFilledIn) {
  for (const std::string_view text :
       {"https://a.example/{{ action.up }}", "https://a.example/x/{{ action.up }}/y",
        "https://a.example/x/{{ action.dot }}", "https://a.example/{{ action.dot }}.",
        "https://a.example/{{ action.dot }}{{ action.dot }}/",
        "https://a.example/%2e{{ action.dot }}", "https://a.example/{{ action.dot }}%2E/x",
        "https://a.example/x/{{ action.up }}?q"}) {
    expect_holds(failure(target_url(text)), "'..'");
  }
  for (const std::string_view text :
       {"https://a.example/../{{ user.name }}", "https://a.example/a/./b",
        "https://a.example/%2E%2e/", "https://a.example/{{ user.name }}/.%2e"}) {
    expect_holds(refusal(TemplateCompiler{roots}.target_url(text)), "'..'");
  }
  EXPECT_EQ(filled(target_url("https://a.example/x{{ action.up }}?/{{ action.up }}/../")),
            "https://a.example/x..?/../../");
  EXPECT_EQ(filled(target_url("https://a.example/...")), "https://a.example/...");
}

TEST(Template, FailsWhenAHeaderWouldEndItsLine) {
  for (const std::string_view text :
       {"{{ action.lines }}", "a {{ action.nul }} b", "{{ action.bell }}"}) {
    expect_holds(failure(header(text)), "line end");
  }
  for (const std::string_view text :
       {std::string_view{"a\r\nb"}, std::string_view{"a\0b", 3}, std::string_view{"\n"}}) {
    expect_holds(refusal(TemplateCompiler{roots}.header(text)), "line end");
  }
}

TEST(Template, MakesHeadersThatCanBeSent) {
  for (const std::string_view text : {"PR {{ action.retry_of }}", "{{ action.spaced }}",
                                      "{{ action.accent }}", "{{ action.retry_of }}", " x "}) {
    EXPECT_TRUE(http::valid_header_value(filled(header(text)))) << text;
  }
  EXPECT_EQ(filled(header(" {{ action.spaced }} ")), "a b");
}

TEST(Template, CountsTheExpansionsOfTheWholeHook) {
  TemplateCompiler compiler{roots};
  made(compiler.target_url("https://a.example/{{ action.id }}"));
  made(compiler.header("{{ action.id }}"));
  std::string text;
  for (size_t index = 2; index < TemplateCompiler::expansions_max; ++index)
    text += "{{ action.id }}";
  made(compiler.body('"' + text + '"'));
  expect_holds(refusal(compiler.header("{{ action.id }}")), "64");
  made(compiler.header("no expansion"));
}

TEST(Template, StopsAtItsLimits) {
  const auto with_name = [](size_t bytes) {
    return R"({"user":{"name":")" + std::string(bytes, 'x') + R"("}})";
  };
  const auto fill = [](const Template& from, const std::string& text) {
    DataResolver values{text};
    std::string out;
    const std::string reason{from.fill(values, out)};
    EXPECT_EQ(reason.empty(), !out.empty());
    return reason;
  };
  const Template text = body(R"("{{ user.name }}.")");
  EXPECT_EQ(fill(text, with_name(256 * 1024 - 1)), "");
  expect_holds(fill(text, with_name(256 * 1024)), "256 KiB");
  const Template json = body(R"({"a":"{{ user.name }}"})");
  EXPECT_EQ(fill(json, with_name(256 * 1024 - 8)), "");
  expect_holds(fill(json, with_name(256 * 1024 - 7)), "256 KiB");
  const Template value = header("{{ user.name }}");
  EXPECT_EQ(fill(value, with_name(8192)), "");
  expect_holds(fill(value, with_name(8193)), "8 KiB");
  const Template url = target_url("https://a.example/{{ user.name }}");
  EXPECT_EQ(fill(url, with_name(2048 - 18)), "");
  expect_holds(fill(url, with_name(2048 - 17)), "2048");
  expect_holds(refusal(TemplateCompiler{roots}.header(std::string(8193, 'a'))), "8 KiB");
  expect_holds(refusal(TemplateCompiler{roots}.body('"' + std::string(256 * 1024, 'a') + '"')),
               "256 KiB");
  expect_holds(
      refusal(TemplateCompiler{roots}.body("[\"" + std::string(100 * 1024, '\x7F') + "\"]")),
      "256 KiB");
  EXPECT_NE(
      refusal(TemplateCompiler{roots}.target_url("https://a.example/" + std::string(2048, 'a'))),
      "");
}

TEST(Template, KnowsWhichSecretsItShows) {
  const json::Path token = json::Path::constant("application.source_provider.access_token");
  const json::Path secret = json::Path::constant("hook.secret");
  EXPECT_TRUE(header("Bearer {{ application.source_provider.access_token }}").shows(token));
  EXPECT_FALSE(header("Bearer {{ application.source_provider.access_token }}").shows(secret));
  EXPECT_TRUE(header("{{ application.source_provider }}").shows(token));
  EXPECT_TRUE(header("{{ application }}").shows(token));
  EXPECT_TRUE(header("{{ user.name }}{{ hook }}").shows(secret));
  EXPECT_FALSE(header("{{ hook.secret_header_name }}").shows(secret));
  EXPECT_FALSE(header("{{ application.name }}").shows(token));
  EXPECT_FALSE(header("hook.secret").shows(secret));
}

TEST(Template, IsFilledWithStarsInPlaceOfSecrets) {
  const std::array secrets{json::Path::constant("application.source_provider.access_token"),
                           json::Path::constant("hook.secret")};
  DataResolver values;
  MaskingResolver masked{values, secrets};
  std::string out;
  const Template one = body(
      R"({"a":"{{ hook.secret }} {{ user.name }}","b":"{{ hook }}","c":"{{ application.source_provider }}"})");
  EXPECT_EQ(one.fill(masked, out), "");
  EXPECT_EQ(out, R"({"a":"***** Ada","b":"*****","c":"*****"})");
}

}  // namespace
}  // namespace ringpost::dialect::devopness
