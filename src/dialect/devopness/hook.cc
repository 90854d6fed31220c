#include "dialect/devopness/hook.h"

#include "api/webhook_fields.h"
#include "dialect/devopness/hook_writer.h"
#include "dialect/devopness/template_compiler.h"
#include "http/syntax.h"
#include "json/document.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

namespace ringpost::dialect::devopness {

using api::invalid;
using json::Found;
using json::Kind;
using json::Path;
using subscription::Webhook;

namespace {

using Outcome = std::optional<api::Problem>;

/// Numbers that every JSON reader keeps.
constexpr int64_t id_max = (int64_t{1} << 53) - 1;

/// Nothing is ever sent there: the name cannot exist (RFC 6761, 6.4), and the webhook of an
/// incoming hook is never active.
constexpr std::string_view nowhere = "https://incoming.invalid/";

std::string list_of(auto names) {
  std::string text;
  for (const std::string_view name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

// --- reading -------------------------------------------------------------------------------------

/// Reads the members of one object. Stops at the first that is wrong.
class Reader {
 public:
  Reader(std::string_view json, Layout layout, Hook& hook) : layout_(layout), hook_(hook) {
    document_.assign(json);
  }

  Outcome read();

 private:
  Found find(std::string_view member) { return document_.find(Path::constant(member)); }
  bool has(std::string_view member) { return document_.has_member(Path::constant(member)); }
  /// The path of a member of `settings`.
  std::string inner(std::string_view member) const {
    return (layout_ == Layout::api ? "settings." : "") + std::string{member};
  }
  void refuse(std::string_view member, std::string_view reason) {
    if (!problem_) problem_ = invalid(member, reason);
  }

  void read_text(std::string_view member, size_t characters_max, std::string& out);
  void read_word(std::string_view member, auto words, std::string& out);
  void read_flag(std::string_view member, bool default_value, bool& out);
  std::optional<int64_t> read_id(std::string_view member);
  void read_ids();
  void read_secret_members();
  void read_settings();
  void read_headers();
  void read_body();
  void read_variables();
  void read_variable(const std::string& place);
  void read_default(const std::string& member, Variable& variable);
  void read_trigger_when();
  void read_events();

  const Layout layout_;
  Hook& hook_;
  json::Document document_;
  Outcome problem_;
};

void Reader::read_text(std::string_view member, size_t characters_max, std::string& out) {
  if (!has(member)) return;
  const Found found = find(member);
  if (found.kind == Kind::null) return out.clear();
  if (found.kind != Kind::string) return refuse(member, "must be a string");
  if (count_characters(found.text) > characters_max) {
    return refuse(member, "must be at most " + std::to_string(characters_max) + " characters");
  }
  out = found.text;
}

void Reader::read_word(std::string_view member, auto words, std::string& out) {
  std::string word = out;
  read_text(member, 64, word);
  if (!word.empty() && std::ranges::find(words, word) == words.end()) {
    return refuse(member, "must be one of " + list_of(words));
  }
  out = std::move(word);
}

void Reader::read_flag(std::string_view member, bool default_value, bool& out) {
  if (!has(member)) return;
  const Found found = find(member);
  if (found.kind == Kind::null) {
    out = default_value;
  } else if (found.kind != Kind::boolean) {
    refuse(member, "must be true or false");
  } else {
    out = found.text == "true";
  }
}

/// Nothing for null, and for what is wrong.
std::optional<int64_t> Reader::read_id(std::string_view member) {
  const Found found = find(member);
  if (found.kind == Kind::null) return std::nullopt;
  int64_t id = 0;
  const auto read = std::from_chars(found.text.data(), found.text.data() + found.text.size(), id);
  if (found.kind == Kind::integer && read.ec == std::errc{} && id >= 0 && id <= id_max) return id;
  refuse(member, "must be an integer from 0 to 9007199254740991");
  return std::nullopt;
}

void Reader::read_ids() {
  if (has("pipeline_id")) hook_.pipeline_id = read_id("pipeline_id");
  if (has("resource_id")) hook_.resource_id = read_id("resource_id").value_or(0);
  if (has("project_id")) hook_.project_id = read_id("project_id").value_or(0);
  if (has("environment_id")) hook_.environment_id = read_id("environment_id").value_or(0);
}

void Reader::read_secret_members() {
  read_flag("requires_secret", false, hook_.requires_secret);
  read_word("secret_algorithm", std::array<std::string_view, 1>{"sha256"}, hook_.secret_algorithm);
  read_text("secret_header_name", secret_header_name_bytes_max, hook_.secret_header_name);
  if (!hook_.secret_header_name.empty() && !http::is_token(hook_.secret_header_name)) {
    refuse("secret_header_name", "must be the name of an HTTP header");
  }
}

Outcome Reader::read() {
  if (document_.root().kind != Kind::object) return invalid("", "must be an object");
  read_word("action_type", action_types, hook_.action_type);
  read_word("resource_type", resource_types, hook_.resource_type);
  read_ids();
  read_secret_members();
  if (!hook_.incoming) read_text("target_url", 64 * 1024, hook_.target_url);
  if (layout_ == Layout::flat && hook_.incoming) read_flag("active", true, hook_.takes_calls);
  read_settings();
  read_trigger_when();
  return problem_;
}

void Reader::read_settings() {
  if (layout_ == Layout::api) {
    if (!has("settings")) return;
    const Kind kind = find("settings").kind;
    if (kind != Kind::object && kind != Kind::null) return refuse("settings", "must be an object");
    hook_.request_headers.clear();
    hook_.request_body.clear();
    hook_.variables.clear();
  }
  if (hook_.incoming) return read_variables();
  read_headers();
  read_body();
}

void Reader::read_headers() {
  const std::string list = inner("request_headers");
  if (!has(list)) return;
  hook_.request_headers.clear();
  const Kind kind = find(list).kind;
  if (kind == Kind::null) return;
  if (kind != Kind::array) return refuse(list, "must be an array of {name, value}");
  for (size_t index = 0;; ++index) {
    const std::string place = list + "." + std::to_string(index);
    if (!has(place)) return;
    if (index == api::webhook_headers_max) return refuse(list, "must be at most 32 headers");
    for (const char* member : {".name", ".value"}) {
      if (find(place + member).kind != Kind::string) {
        return refuse(place + member, "is required and must be a string");
      }
    }
    std::string name{find(place + ".name").text};
    std::string value;
    if (auto problem = api::check_header_name(place + ".name", name, header_name_bytes_max)) {
      return refuse(problem->member, problem->detail);
    }
    read_text(place + ".value", header_value_characters_max, value);
    const bool twice = api::find_header(hook_.request_headers, name) != hook_.request_headers.end();
    if (twice) return refuse(place + ".name", "stands twice (case does not count)");
    hook_.request_headers.emplace_back(std::move(name), std::move(value));
  }
}

void Reader::read_body() {
  const std::string member = inner("request_body");
  if (!has(member)) return;
  const Found found = find(member);
  hook_.request_body.clear();
  if (found.kind == Kind::null) return;
  if (found.kind == Kind::string) {
    append_json_string(hook_.request_body, found.text);
  } else if (found.kind == Kind::object || found.kind == Kind::array) {
    hook_.request_body = found.text;
  } else {
    refuse(member, "must be a string, an object or an array");
  }
}

void Reader::read_variables() {
  const std::string list = inner("variables");
  if (!has(list)) return;
  hook_.variables.clear();
  const Kind kind = find(list).kind;
  if (kind == Kind::null) return;
  if (kind != Kind::array) return refuse(list, "must be an array of variables");
  for (size_t index = 0;; ++index) {
    const std::string place = list + "." + std::to_string(index);
    if (problem_ || !has(place)) return;
    if (index == variables_max) return refuse(list, "must be at most 64 variables");
    read_variable(place);
  }
}

void Reader::read_variable(const std::string& place) {
  Variable variable;
  read_text(place + ".name", Variable::name_bytes_max, variable.name);
  if (variable.name.empty() || !std::ranges::all_of(variable.name, json::is_name_character)) {
    return refuse(place + ".name", "is required and must be of letters, digits, `_` and `-`");
  }
  const auto same_name = [&](const Variable& other) { return other.name == variable.name; };
  if (std::ranges::any_of(hook_.variables, same_name)) {
    return refuse(place + ".name", "stands twice");
  }
  read_text(place + ".path", Path::bytes_max, variable.path);
  if (!variable.path.empty()) {
    const auto objection = Path::object_to(variable.path);
    if (!objection.empty()) {
      return refuse(place + ".path", "is no path: it " + std::string{objection});
    }
  }
  const Found type = find(place + ".type");
  const auto parsed = parse_variable_type(type.kind == Kind::string ? type.text : "");
  if (!parsed) {
    return refuse(place + ".type", "is required: one of string, integer, array, boolean");
  }
  variable.type = *parsed;
  if (find(place + ".required").kind != Kind::boolean) {
    return refuse(place + ".required", "is required and must be true or false");
  }
  read_flag(place + ".required", false, variable.required);
  read_default(place + ".default_value", variable);
  hook_.variables.push_back(std::move(variable));
}

void Reader::read_default(const std::string& member, Variable& variable) {
  const Kind kind = find(member).kind;
  if (kind == Kind::missing || kind == Kind::null) return;
  bool scalars = true;
  document_.for_each_element(Path::constant(member), [&](const Found& element) {
    scalars = element.kind != Kind::array && element.kind != Kind::object;
    return scalars;
  });
  if (kind == Kind::object || !scalars) {
    return refuse(member, "must be a string, number, boolean, an array of these, or null");
  }
  auto value = convert(variable.type, find(member));
  if (!value) return refuse(member, "is not of the variable's type");
  variable.default_value = *std::move(value);
}

void Reader::read_trigger_when() {
  if (!has("trigger_when")) return;
  hook_.events = 0;
  hook_.conditions.clear();
  const Kind kind = find("trigger_when").kind;
  if (kind == Kind::null) return;
  if (kind != Kind::object) {
    return refuse("trigger_when", "must be an object with events and conditions");
  }
  if (!hook_.incoming) read_events();
  const Found conditions = find("trigger_when.conditions");
  if (conditions.kind == Kind::missing || conditions.kind == Kind::null) return;
  if (conditions.kind != Kind::array) {
    return refuse("trigger_when.conditions", "must be an array of conditions");
  }
  hook_.conditions = conditions.text;
}

void Reader::read_events() {
  const Kind kind = find("trigger_when.events").kind;
  if (kind == Kind::missing || kind == Kind::null) return;
  if (kind != Kind::array) return refuse("trigger_when.events", "must be an array of events");
  size_t index = 0;
  document_.for_each_element(Path::constant("trigger_when.events"), [&](const Found& event) {
    const EventSet bit = event.kind == Kind::string ? event_bit(event.text) : EventSet{0};
    if (bit == 0) {
      refuse("trigger_when.events." + std::to_string(index),
             "must be one of " + list_of(event_names));
    }
    hook_.events |= bit;
    ++index;
    return bit != 0;
  });
}

}  // namespace

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<uint8_t>(byte) & 0xC0) != 0x80; }));
}

std::optional<api::Problem> read_hook(std::string_view json, Layout layout, Hook& hook) {
  return Reader{json, layout, hook}.read();
}

namespace {

/// Whether the template's fixed beginning is the destination. It is not once the native API has set
/// another URL.
bool leads_to(const std::string& target_url, const subscription::Destination& destination) {
  const auto roots = roots_for({});
  const auto compiled = TemplateCompiler{roots}.target_url(target_url);
  const auto* url = std::get_if<Template>(&compiled);
  if (url == nullptr) return false;
  const auto beginning = api::read_destination("target_url", url->beginning());
  const auto* read = std::get_if<subscription::Destination>(&beginning);
  return read != nullptr && read->url == destination.url;
}

}  // namespace

bool is_incoming(const Webhook& webhook) {
  static const Path type = Path::constant("type");
  json::Document document;
  document.assign(webhook.settings);
  return document.find(type).text == "in";
}

Hook hook_of(const Webhook& webhook) {
  Hook hook;
  hook.incoming = is_incoming(webhook);
  // What is stored was written by write_settings.
  static_cast<void>(read_hook(webhook.settings, Layout::flat, hook));
  if (!hook.incoming && !leads_to(hook.target_url, webhook.destination)) {
    hook.target_url = webhook.destination.url;
  }
  return hook;
}

// --- the whole -----------------------------------------------------------------------------------

std::variant<CompiledHook, api::Problem> compile(const Hook& hook, Layout layout) {
  const auto roots = roots_for(hook.resource_type);
  const std::string inner = layout == Layout::api ? "settings." : "";
  TemplateCompiler compiler{roots};
  CompiledHook made;
  if (!hook.incoming) {
    auto url = compiler.target_url(hook.target_url);
    if (auto* problem = std::get_if<TemplateProblem>(&url)) {
      return invalid("target_url", problem->reason);
    }
    made.target_url = std::get<Template>(std::move(url));
  }
  for (const auto& [name, value] : hook.request_headers) {
    auto header = compiler.header(value);
    if (auto* problem = std::get_if<TemplateProblem>(&header)) {
      return invalid(inner + "request_headers." + std::to_string(made.headers.size()) + ".value",
                     problem->reason);
    }
    made.headers.emplace_back(name, std::get<Template>(std::move(header)));
  }
  if (!hook.request_body.empty()) {
    auto body = compiler.body(hook.request_body);
    if (auto* problem = std::get_if<TemplateProblem>(&body)) {
      return invalid(inner + "request_body", problem->reason);
    }
    made.body = std::get<Template>(std::move(body));
  }
  if (!hook.conditions.empty()) {
    auto conditions = Conditions::compile(
        hook.conditions, hook.incoming ? std::span<const std::string_view>{} : roots);
    if (auto* problem = std::get_if<ConditionsProblem>(&conditions)) {
      const std::string dot = problem->member.empty() ? "" : ".";
      return invalid("trigger_when.conditions" + dot + problem->member, problem->reason);
    }
    made.conditions = std::get<Conditions>(std::move(conditions));
  }
  return made;
}

std::string source_of(const Hook& hook) {
  if (hook.pipeline_id) return "pipeline/" + std::to_string(*hook.pipeline_id);
  if (hook.resource_type.empty() || hook.resource_id == 0) return {};
  return "resource/" + hook.resource_type + "/" + std::to_string(hook.resource_id);
}

namespace {

Outcome check_secret_members(const Hook& hook) {
  if (!hook.requires_secret) return std::nullopt;
  if (hook.secret_algorithm.empty()) {
    return invalid("secret_algorithm", "is required with requires_secret: sha256");
  }
  if (hook.secret_header_name.empty()) {
    return invalid("secret_header_name", "is required with requires_secret");
  }
  return std::nullopt;
}

Outcome set_destination(std::string_view url, Webhook& webhook) {
  auto destination = api::read_destination("target_url", url);
  if (auto* problem = std::get_if<api::Problem>(&destination)) return std::move(*problem);
  webhook.destination = std::get<subscription::Destination>(std::move(destination));
  return std::nullopt;
}

}  // namespace

std::optional<api::Problem> apply(const Hook& hook, Layout layout, Webhook& webhook) {
  if (auto problem = check_secret_members(hook)) return problem;
  if (!hook.incoming && hook.target_url.empty()) return invalid("target_url", "is required");
  std::string source = source_of(hook);
  if (hook.incoming && source.empty()) {
    return invalid("pipeline_id", "is required, or resource_type and resource_id: what it starts");
  }
  const auto compiled = compile(hook, layout);
  if (const auto* problem = std::get_if<api::Problem>(&compiled)) return *problem;
  const auto& url = std::get<CompiledHook>(compiled).target_url;
  if (auto problem = set_destination(url ? url->beginning() : nowhere, webhook)) return problem;
  webhook.settings.clear();
  JsonWriter json(webhook.settings);
  write_settings(json, hook, Credentials::shown);
  if (webhook.settings.size() > api::webhook_settings_bytes_max) {
    return invalid("settings", "is longer than 65536 bytes");
  }
  static_assert(api::webhook_settings_bytes_max == 65536, "the sentence says so");
  if (!source.empty()) webhook.sources = {std::move(source)};
  if (hook.incoming) {
    webhook.state = subscription::WebhookState::disabled;
    webhook.state_reason = "an incoming hook sends nothing";
    webhook.events.clear();
    webhook.schedule_s.clear();
  }
  return std::nullopt;
}

}  // namespace ringpost::dialect::devopness
