#include "incoming/receiver.h"

#include "base/json_writer.h"
#include "base/utf8.h"
#include "crypto/digest.h"
#include "http/authorization.h"
#include "http/query.h"
#include "http/syntax.h"
#include "incoming/authenticity.h"
#include "incoming/payload.h"
#include "json/fault.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <utility>

namespace ringpost::incoming {
namespace {

using http::Problem;
using subscription::GitHost;
using subscription::GitSource;

constexpr std::string_view path_prefix = "/in/";
constexpr size_t id_bytes_max = 120;     // An event's id has 128; a number may be appended.
constexpr size_t event_bytes_max = 100;  // Of a host's name for an event: a type has 256.

Problem problem_of(uint16_t status, std::string_view type, std::string detail,
                   std::string_view member = {}) {
  return {.status = status,
          .type = std::string{type},
          .detail = std::move(detail),
          .member = std::string{member}};
}

Problem malformed(std::string detail, std::string_view member = {}) {
  return problem_of(400, "urn:ringpost:malformed", std::move(detail), member);
}

Problem not_authentic() {
  return problem_of(401, "urn:ringpost:unauthenticated",
                    "The signature or secret of this call is missing or wrong.");
}

// --- headers -------------------------------------------------------------------------------------

struct HostHeaders {
  std::string_view event;
  std::string_view id;
};

HostHeaders headers_of(GitHost host, const http::Request& request) {
  switch (host) {
    case GitHost::github: return {"X-GitHub-Event", "X-GitHub-Delivery"};
    case GitHost::gitlab: {
      const bool has_key = request.has_header("Idempotency-Key");
      return {"X-Gitlab-Event", has_key ? "Idempotency-Key" : "X-Gitlab-Event-UUID"};
    }
    case GitHost::bitbucket: return {"X-Event-Key", "X-Request-UUID"};
    case GitHost::bitbucket_server: return {"X-Event-Key", "X-Request-Id"};
    case GitHost::gitea: return {"X-Gitea-Event", "X-Gitea-Delivery"};
    case GitHost::forgejo: {
      const bool own = request.has_header("X-Forgejo-Event");
      return own ? HostHeaders{"X-Forgejo-Event", "X-Forgejo-Delivery"}
                 : HostHeaders{"X-Gitea-Event", "X-Gitea-Delivery"};
    }
    case GitHost::gogs: return {"X-Gogs-Event", "X-Gogs-Delivery"};
  }
  RINGPOST_UNREACHABLE();
}

/// A short text that may become an attribute of an event.
bool is_plain(std::string_view text, size_t bytes_max) {
  return subscription::object_to_name(text, bytes_max).empty() && !has_forbidden_character(text);
}

/// The connection test of Bitbucket Data Center. It is not documented whether it is signed, so it
/// is answered, and nothing of it is read.
bool is_connection_test(GitHost host, const http::Request& request) {
  return host == GitHost::bitbucket_server &&
         http::only_header(request, "X-Event-Key") == "diagnostics:ping";
}

bool takes_forms(GitHost host) {
  return host == GitHost::github || host == GitHost::gitea || host == GitHost::forgejo ||
         host == GitHost::gogs;
}

std::string_view media_type(const http::Request& request) {
  const std::string_view type = http::only_header(request, "Content-Type");
  return http::trim(type.substr(0, type.find(';')));
}

bool is_form(const http::Request& request) {
  return http::equal_ignoring_case(media_type(request), "application/x-www-form-urlencoded");
}

std::optional<Problem> refuse_content_type(GitHost host, const http::Request& request) {
  if (http::equal_ignoring_case(media_type(request), "application/json")) return std::nullopt;
  const bool forms = takes_forms(host);
  if (forms && is_form(request)) return std::nullopt;
  return problem_of(415, "urn:ringpost:unknown-content-type",
                    "Set the content type of the webhook to application/json" +
                        std::string{forms ? " or application/x-www-form-urlencoded." : "."},
                    "Content-Type");
}

// --- bodies --------------------------------------------------------------------------------------

/// The one field `payload` of a form, decoded; nothing if there is none, or more than one.
std::optional<std::string> payload_field(std::string_view form) {
  constexpr std::string_view name = "payload=";
  std::optional<std::string_view> found;
  while (!form.empty()) {
    const std::string_view field = form.substr(0, form.find('&'));
    form.remove_prefix(std::min(field.size() + 1, form.size()));
    if (!field.starts_with(name)) continue;
    if (found) return std::nullopt;
    found = field.substr(name.size());
  }
  return found ? http::percent_decode(*found, true) : std::nullopt;
}

bool begins_object(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && text[begin] == '{';
}

Problem not_json(std::string_view text) {
  const auto fault = json::find_fault(text, json::Document::depth_max);
  const std::string where = fault ? json::describe(*fault, text) : "it must be an object";
  return malformed("The payload is not a JSON object: " + where + '.');
}

// --- events --------------------------------------------------------------------------------------

std::optional<Problem> read_facts(GitHost host, std::string_view event, const Payload& payload,
                                  std::vector<Facts>& out) {
  switch (host) {
    case GitHost::gitlab: return read_gitlab(event, payload, out);
    case GitHost::bitbucket: return read_bitbucket(event, payload, out);
    case GitHost::bitbucket_server: return read_bitbucket_server(event, payload, out);
    case GitHost::github:
    case GitHost::gitea:
    case GitHost::forgejo:
    case GitHost::gogs: return read_github(event, payload, out);
  }
  RINGPOST_UNREACHABLE();
}

/// An attribute's text has no control characters: a title's tabs, for example, become spaces. What
/// is still no such text, or too long for a header, is left out.
void make_plain(std::string& text) {
  constexpr size_t bytes_max = 1024;
  for (char& byte : text) {
    if (static_cast<uint8_t>(byte) < ' ' || byte == '\x7f') byte = ' ';
  }
  if (text.size() > bytes_max || has_forbidden_character(text)) text.clear();
}

void make_plain(Facts& facts) {
  for (std::string Facts::*member :
       {&Facts::subject, &Facts::action, &Facts::ref, &Facts::branch, &Facts::tag, &Facts::base,
        &Facts::commit, &Facts::before, &Facts::number, &Facts::title, &Facts::author}) {
    make_plain(facts.*member);
  }
}

void write_extensions(std::string& out, GitHost host, std::string_view event, const Facts& facts) {
  out.clear();
  JsonWriter json{out};
  json.begin_object().member("githost", name(host)).member("gitevent", event);
  const auto add = [&](std::string_view attribute, const std::string& text) {
    if (!text.empty()) json.member(attribute, text);
  };
  add("gitrepository", facts.repository);
  add("gitaction", facts.action);
  add("gitref", facts.ref);
  add("gittag", facts.tag);
  add("gitbase", facts.base);
  add("gitcommit", facts.commit);
  add("gitbefore", facts.before);
  add("gitnumber", facts.number);
  add("gittitle", facts.title);
  add("gitauthor", facts.author);
  json.end_object();
}

Problem bad_repository(std::string_view objection) {
  return problem_of(422, "urn:ringpost:invalid-event",
                    "The repository's name cannot be part of an event's source: the source " +
                        std::string{objection} + '.');
}

bool is_shared_type(std::string_view type) {
  return type == push_type || type == tag_type || type == pull_request_type || type == comment_type;
}

}  // namespace

std::optional<Address> read_address(std::string_view path) {
  constexpr size_t token_bytes_max = 128;
  if (!path.starts_with(path_prefix)) return std::nullopt;
  path.remove_prefix(path_prefix.size());
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view token = path.substr(slash + 1);
  if (token.empty() || token.size() > token_bytes_max) return std::nullopt;
  return Address{.host = path.substr(0, slash), .sha256 = crypto::sha256(as_bytes(token))};
}

std::string path_of(const GitSource& source) {
  return std::string{path_prefix} + std::string{name(source.host)} + '/' + source.path_token;
}

uint64_t body_bytes_max(GitHost host) {
  constexpr uint64_t mib = 1024 * 1024;
  switch (host) {
    case GitHost::github: return 25 * mib;    // What GitHub sends at most.
    case GitHost::bitbucket: return 1 * mib;  // It sends 256 KB at most.
    case GitHost::gitlab:
    case GitHost::bitbucket_server:
    case GitHost::gitea:
    case GitHost::forgejo:
    case GitHost::gogs: return 5 * mib;
  }
  RINGPOST_UNREACHABLE();
}

// content type ─> JSON out of the form ─> authentic ─> ping ─> parse ─> facts ─> events

Receiver::Outcome Receiver::receive(const http::Request& request, const GitSource& source,
                                    WallTime now, std::vector<journal::EventView>& events) {
  events.clear();
  if (is_connection_test(source.host, request)) {
    return Notice{"This relay takes calls here. The test was not checked for a signature."};
  }
  if (auto problem = refuse_content_type(source.host, request)) return std::move(*problem);
  if (auto problem = read_body(request)) return std::move(*problem);
  if (!authentic(source, request, as_bytes(json_), now)) return not_authentic();
  return read(request, source.host, events);
}

std::optional<Problem> Receiver::read_body(const http::Request& request) {
  json_ = request.body;
  if (!is_form(request)) return std::nullopt;
  auto field = payload_field(request.body);
  if (!field) return malformed("The form must have the field `payload` once.", "payload");
  decoded_ = std::move(*field);
  json_ = decoded_;
  return std::nullopt;
}

Receiver::Outcome Receiver::read(const http::Request& request, GitHost host,
                                 std::vector<journal::EventView>& events) {
  const std::string_view header = headers_of(host, request).event;
  const std::string_view event = http::only_header(request, header);
  if (!is_plain(event, event_bytes_max)) {
    return malformed("The header " + std::string{header} + " is missing or invalid.", header);
  }
  if (host == GitHost::github && event == "ping") {
    return Notice{"pong: the signature is right, and this relay takes the calls of this webhook."};
  }
  document_.assign(json_);
  if (!begins_object(json_) || !document_.valid()) return not_json(json_);
  facts_.clear();
  auto problem = read_facts(host, event, Payload{document_}, facts_);
  document_.assign({});  // The facts are copies: a large body's index is of no more use.
  if (problem) return std::move(*problem);
  if (facts_.empty()) return Notice{"Nothing changed, so there is no event."};
  if (facts_.front().repository.empty()) {
    if (is_shared_type(facts_.front().type)) return not_of_event(event, "repository");
    return Notice{"Calls that name no repository make no event: " + std::string{event} + '.'};
  }
  problem = write_events(request, host, event, events);
  if (problem) return std::move(*problem);
  return {};
}

std::optional<Problem> Receiver::write_events(const http::Request& request, GitHost host,
                                              std::string_view event,
                                              std::vector<journal::EventView>& events) {
  const std::string_view id_header = headers_of(host, request).id;
  const std::string_view id = http::only_header(request, id_header);
  if (request.has_header(id_header) && !is_plain(id, id_bytes_max)) {
    return malformed("The header " + std::string{id_header} + " is invalid.", id_header);
  }
  const std::string source =
      "repository/" + std::string{name(host)} + '/' + facts_.front().repository;
  if (const auto objection = subscription::object_to_name(source, subscription::source_bytes_max);
      !objection.empty()) {
    return bad_repository(objection);
  }
  texts_.resize(facts_.size());
  for (size_t index = 0; index < facts_.size(); ++index) {
    Texts& texts = texts_[index];
    texts.facts = std::move(facts_[index]);
    make_plain(texts.facts);
    texts.source = source;
    texts.id = id;
    if (!id.empty() && index > 0) texts.id += '.' + std::to_string(index + 1);
    write_extensions(texts.extensions, host, event, texts.facts);
    journal::EventView& view = events.emplace_back();
    view.id = texts.id;
    view.id_given = !texts.id.empty();
    view.source = texts.source;
    view.type = texts.facts.type;
    view.subject = texts.facts.subject;
    view.branch = texts.facts.branch;
    view.extensions = texts.extensions;
    view.data_content_type = "application/json";
    view.data = as_bytes(json_);
    view.data_checked = true;
  }
  return std::nullopt;
}

}  // namespace ringpost::incoming
