#include "dialect/devopness/hook_renderer.h"

#include "dialect/devopness/compiled_hook.h"
#include "dialect/devopness/hook.h"
#include "dialect/devopness/hook_writer.h"
#include "dialect/head.h"
#include "dialect/renderer.h"
#include "http/serialiser.h"
#include "http/syntax.h"
#include "http/url.h"
#include "ringpost/version.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ringpost::dialect::devopness {
namespace {

using json::Found;
using json::Kind;
using json::Path;
using subscription::Webhook;

constexpr size_t head_bytes_max = 32 * 1024;

Error unrenderable(Unrenderable reason) {
  return {Errc::not_renderable, Side::producer, static_cast<int32_t>(reason)};
}

/// What templates can name: the event's data, and the hook.
class HookResolver final : public Resolver {
 public:
  /// @param hook  an object whose member `hook` is the hook; both are borrowed.
  HookResolver(json::Document& data, json::Document& hook) : data_(data), hook_(hook) {}

  Found find(const Path& path) override {
    const std::string_view root = path.root();
    if (root == "hook") return hook_.find(path);
    const Found found = data_.find(path);
    const bool opaque = found.kind == Kind::object || found.kind == Kind::array;
    // A resource's own members are plain; what is not is a relation, or holds one.
    return opaque && is_resource(root) ? Found{} : found;
  }

 private:
  json::Document& data_;
  json::Document& hook_;
};

/// Renderers are many and a document keeps memory, so all of a shard share one.
json::Document& shared_document() {
  static thread_local json::Document document;
  return document;
}

/// WHATWG MIME Sniffing, 7.1: what begins so is HTML.
bool begins_html(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  const auto begins = [text](std::string_view tag) {
    return http::begins_ignoring_case(text, tag) &&
           (text.size() == tag.size() || text[tag.size()] == ' ' || text[tag.size()] == '>');
  };
  constexpr std::array<std::string_view, 16> tags{
      "<!doctype html", "<html", "<head",  "<script", "<iframe", "<h1",   "<div", "<font",
      "<table",         "<a",    "<style", "<title",  "<b",      "<body", "<br",  "<p"};
  return std::ranges::any_of(tags, begins) || text.starts_with("<!--");
}

/// The Content-Type of a body that nobody gave one; of a text_body the values decide.
std::string_view default_type(const std::optional<Template>& body) {
  if (!body) return "application/json";
  switch (body->form()) {
    case Template::Form::form_body: return "application/x-www-form-urlencoded";
    case Template::Form::xml_body:
      return begins_html(body->beginning()) ? "text/html; charset=utf-8"
                                            : "application/xml; charset=utf-8";
    default: return "application/json";
  }
}

class HookRenderer final : public Renderer {
 public:
  HookRenderer(const Webhook& webhook, const Hook& hook, CompiledHook compiled)
      : destination_(webhook.destination), compiled_(std::move(compiled)) {
    JsonWriter json(hook_json_);
    json.begin_object().key("hook");
    write_hook(json, webhook, hook, Shape::named, {});
    json.end_object();
    hook_.assign(hook_json_);
    for (const auto& [name, value] : webhook.headers) {
      const bool clean = http::valid_header_name(name) && http::valid_header_value(value);
      if (clean && !names_header(name)) append_header(own_headers_, name, value);
    }
    add_default("Accept", "application/json");
    add_default("User-Agent", std::string("ringpost/") + version);
    types_text_ = lacks_header("Content-Type") && compiled_.body &&
                  compiled_.body->form() == Template::Form::text_body;
    if (!types_text_) add_default("Content-Type", default_type(compiled_.body));
    for (const auto& [name, value] : compiled_.headers) {
      if (shows_secret(value)) secret_headers_.push_back(name);
    }
  }

  std::optional<Error> render(const AttemptFacts& facts, Request& request) override {
    json::Document& data = shared_document();
    data.assign(as_text(facts.event.data));
    HookResolver values{data, hook_};
    auto error = append_target(values, request.head);
    if (!error) error = make_body(values, request);
    if (!error) error = append_headers(values, request);
    const std::string_view type = error ? std::string_view{} : text_type(values, request);
    data.assign({});
    if (error) return error;
    journal::EventView event = facts.event;
    event.trace_parent = {};  // Bare: the hook's headers and the three defaults.
    finish_bare(request, {.event = event, .delivery = facts.delivery}, type);
    return std::nullopt;
  }

  std::string masked(std::string_view head) const override {
    std::string shown = mask_credentials(head);
    for (const std::string& name : secret_headers_) mask_header(name, shown);
    if (shows_secret(*compiled_.target_url)) mask_target(shown);
    return shown;
  }

 private:
  static bool shows_secret(const Template& from) {
    return std::ranges::any_of(secret_paths(), [&](const Path& path) { return from.shows(path); });
  }

  bool names_header(std::string_view name) const {
    return std::ranges::any_of(compiled_.headers, [&](const auto& header) {
      return http::equal_ignoring_case(header.first, name);
    });
  }

  bool lacks_header(std::string_view name) const {
    const std::string line = "\r\n" + std::string{name} + ":";
    const std::string lines = "\r\n" + own_headers_;
    const auto found = std::ranges::search(lines, line, [](char left, char right) {
      return http::to_lower(left) == http::to_lower(right);
    });
    return found.empty() && !names_header(name);
  }

  void add_default(std::string_view name, std::string_view value) {
    if (lacks_header(name)) append_header(own_headers_, name, value);
  }

  /// The Content-Type of a text that nobody gave one: JSON only where all of it is one value that
  /// is an object or array.
  std::string_view text_type(Resolver& values, const Request& request) const {
    if (!types_text_ || request.body.empty()) return {};
    const Path* path = compiled_.body->only_path();
    const Kind kind = path == nullptr ? Kind::string : values.find(*path).kind;
    return kind == Kind::object || kind == Kind::array ? "application/json"
                                                       : "text/plain; charset=utf-8";
  }

  std::optional<Error> append_target(Resolver& values, std::string& head) {
    const auto objection = compiled_.target_url->fill(values, text_);
    if (!objection.empty()) {
      return unrenderable(objection.starts_with("is longer") ? Unrenderable::target_bytes
                                                             : Unrenderable::target_path);
    }
    const auto parsed = http::parse_url(text_);
    const auto* url = std::get_if<http::Url>(&parsed);
    if (url == nullptr) return unrenderable(Unrenderable::target_bytes);  // Longer once encoded.
    if (url->tls != destination_.tls || url->host != destination_.host ||
        url->port != destination_.port) {
      return unrenderable(Unrenderable::target_path);
    }
    head.append("POST ").append(url->target).append(" HTTP/1.1\r\n");
    append_header(head, "Host", url->authority());
    return std::nullopt;
  }

  std::optional<Error> append_headers(Resolver& values, Request& request) {
    std::string& head = request.head;
    for (const auto& [name, value] : compiled_.headers) {
      // RFC 9110, 8.3: what is not there has no type.
      if (request.body.empty() && http::equal_ignoring_case(name, "content-type")) continue;
      if (!value.fill(values, text_).empty()) return unrenderable(Unrenderable::header_value);
      append_header(head, name, text_);
      if (head.size() > head_bytes_max) return unrenderable(Unrenderable::header_value);
    }
    head.append(own_headers_);
    return std::nullopt;
  }

  std::optional<Error> make_body(HookResolver& values, Request& request) {
    if (!compiled_.body) {
      request.made_body = "{}";
    } else if (!compiled_.body->fill(values, request.made_body).empty()) {
      return unrenderable(Unrenderable::body_bytes);
    } else if (shows_secret(*compiled_.body)) {
      MaskingResolver masked{values, secret_paths()};
      const auto objection = compiled_.body->fill(masked, request.logged_body);
      if (!objection.empty() || request.logged_body.empty()) request.logged_body = credential_mask;
    }
    request.send_made_body();
    return std::nullopt;
  }

  static void mask_header(std::string_view name, std::string& head) {
    for (size_t line = head.find("\r\n"); line != std::string::npos;
         line = head.find("\r\n", line + 2)) {
      const size_t begin = line + 2;
      const size_t colon = begin + name.size();
      if (colon >= head.size() || head[colon] != ':') continue;
      if (!http::equal_ignoring_case(std::string_view{head}.substr(begin, name.size()), name)) {
        continue;
      }
      const size_t end = std::min(head.find("\r\n", colon), head.size());
      head.replace(colon + 1, end - colon - 1, " " + std::string{credential_mask});
      return;
    }
  }

  void mask_target(std::string& head) const {
    const size_t begin = head.find(' ');
    const size_t end = head.find(' ', begin + 1);
    if (end == std::string::npos) return;
    head.replace(begin + 1, end - begin - 1, destination_.target + std::string{credential_mask});
  }

  const subscription::Destination destination_;
  const CompiledHook compiled_;
  std::string hook_json_;
  json::Document hook_;
  std::string own_headers_;  ///< Of the webhook, and the defaults.
  bool types_text_ = false;  ///< The body is text and has no Content-Type yet.
  std::vector<std::string> secret_headers_;
  std::string text_;
};

/// Of an incoming hook, and of a stored hook that is not taken any more: then it is its body, which
/// earlier versions took in whatever type it was sent as.
class NoRenderer final : public Renderer {
 public:
  explicit NoRenderer(Unrenderable reason) : reason_(reason) {}

  std::optional<Error> render(const AttemptFacts&, Request&) override {
    return Error{Errc::not_renderable, Side::operator_, static_cast<int32_t>(reason_)};
  }

 private:
  const Unrenderable reason_;
};

}  // namespace

std::unique_ptr<Renderer> make_hook_renderer(const Webhook& webhook) {
  const Hook hook = hook_of(webhook);
  if (hook.incoming) return std::make_unique<NoRenderer>(Unrenderable::sends_nothing);
  auto compiled = compile(hook, Layout::flat, webhook.headers);
  auto* made = std::get_if<CompiledHook>(&compiled);
  if (made == nullptr) return std::make_unique<NoRenderer>(Unrenderable::body_form);
  return std::make_unique<HookRenderer>(webhook, hook, std::move(*made));
}

}  // namespace ringpost::dialect::devopness
