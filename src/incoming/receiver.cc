#include "incoming/receiver.h"

#include "base/json_writer.h"
#include "base/utf8.h"
#include "crypto/digest.h"
#include "http/authorization.h"
#include "http/form.h"
#include "http/syntax.h"
#include "incoming/authenticity.h"
#include "incoming/build_trigger.h"
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
constexpr std::string_view app_path_prefix = "/h/";
constexpr std::string_view trigger_path_prefix = "/deliver/";
constexpr std::string_view build_type = "build/trigger";
constexpr std::string_view trigger_type = "pipeline.triggered";
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

/// Of a call that makes no event.
Receiver::Notice notice(uint16_t status, std::string_view member, std::string_view text) {
  Receiver::Notice answer{.status = status, .body = {}};
  JsonWriter{answer.body}.begin_object().member(member, text).end_object();
  return answer;
}

Receiver::Notice message(std::string_view text) {
  return notice(200, "message", text);
}

HostHeaders headers_of(GitHost host, const http::Request& request) {
  switch (host) {
    case GitHost::github: return {"X-GitHub-Event", "X-GitHub-Delivery"};
    case GitHost::gitlab: {
      // Of a signed call the id that is signed: the others may be changed under way.
      if (request.has_header("webhook-signature")) return {"X-Gitlab-Event", "webhook-id"};
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
    case GitHost::buildkite: return {};  // Its calls have none.
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

std::optional<Problem> refuse_content_type(GitHost host, const http::Request& request) {
  if (http::equal_ignoring_case(media_type(request), "application/json")) return std::nullopt;
  const bool forms = takes_forms(host);
  if (forms && http::is_form(request)) return std::nullopt;
  return problem_of(415, "urn:ringpost:unknown-content-type",
                    "Set the content type of the webhook to application/json" +
                        std::string{forms ? " or application/x-www-form-urlencoded." : "."},
                    "Content-Type");
}

// --- bodies --------------------------------------------------------------------------------------

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
    case GitHost::gogs:
    case GitHost::buildkite: return read_github(event, payload, out);
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

namespace {

/// As the paths of Bitrise's receiver spell a host.
std::string_view service_name(GitHost host) {
  switch (host) {
    case GitHost::github:
    case GitHost::gitlab:
    case GitHost::bitbucket_server:
    case GitHost::buildkite: return name(host);
    case GitHost::bitbucket: return "bitbucket-v2";
    case GitHost::gitea:
    case GitHost::forgejo:
    case GitHost::gogs: return "gogs";
  }
  RINGPOST_UNREACHABLE();
}

/// Takes the segment up to the next slash off the front; empty if there is no slash.
std::string_view take_segment(std::string_view& path) {
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view segment = path.substr(0, slash);
  path.remove_prefix(slash + 1);
  return segment;
}

}  // namespace

std::string_view app_of(const GitSource& source) {
  std::string_view path = source.path_token;
  return source.host == GitHost::buildkite ? std::string_view{} : take_segment(path);
}

std::string_view pipeline_of(const GitSource& source) {
  std::string_view path = source.path_token;
  return source.host == GitHost::buildkite ? take_segment(path) : std::string_view{};
}

std::string events_source_of(const GitSource& source) {
  if (source.host == GitHost::buildkite) return "pipeline/" + std::string{pipeline_of(source)};
  const std::string_view app = app_of(source);
  return app.empty() ? "repository/*" : "app/" + std::string{app};
}

std::string_view object_to_app_slug(std::string_view slug) {
  constexpr size_t bytes_max = 64;
  const auto plain = [](char byte) {
    const char lower = http::to_lower(byte);
    return (lower >= 'a' && lower <= 'z') || http::is_digit(byte) || byte == '-' || byte == '_';
  };
  const bool good = !slug.empty() && slug.size() <= bytes_max && std::ranges::all_of(slug, plain);
  return good ? std::string_view{} : "must be 1 to 64 letters, digits, \"-\" and \"_\"";
}

bool Address::names(const GitSource& source) const {
  if (host.empty() || source.host == GitHost::buildkite) {
    return host.empty() && source.host == GitHost::buildkite;
  }
  if (app != app_of(source)) return false;
  return host == (app.empty() ? name(source.host) : service_name(source.host));
}

std::optional<Address> read_address(std::string_view path) {
  constexpr size_t token_bytes_max = 128;
  if (path.starts_with(trigger_path_prefix)) {
    path.remove_prefix(trigger_path_prefix.size());
    if (!path.starts_with(trigger_prefix) || path.size() > token_bytes_max) return std::nullopt;
    return Address{.host = {}, .app = {}, .sha256 = crypto::sha256(as_bytes(path))};
  }
  const bool of_app = path.starts_with(app_path_prefix);
  if (!of_app && !path.starts_with(path_prefix)) return std::nullopt;
  path.remove_prefix(of_app ? app_path_prefix.size() : path_prefix.size());
  Address address{.host = take_segment(path), .app = {}};
  const std::string_view token = path;
  if (of_app) address.app = take_segment(path);
  if (address.host.empty() || (of_app && address.app.empty())) return std::nullopt;
  if (path.empty() || token.size() > token_bytes_max) return std::nullopt;
  address.sha256 = crypto::sha256(as_bytes(token));
  return address;
}

std::optional<Problem> refuse_call(std::string_view path, const GitSource* source) {
  if (!path.starts_with(trigger_path_prefix)) {
    if (source != nullptr && source->enabled) return std::nullopt;
    return Problem{
        .status = 404,
        .type = "about:blank",
        .detail = "No enabled git source has this URL; `ringpost source list` shows them."};
  }
  const auto refused = [](uint16_t status, std::string_view title) {
    return Problem{.status = status, .type = "about:blank", .title = std::string{title}};
  };
  // In Buildkite's own words.
  if (!read_address(path)) return refused(400, "Invalid pipeline trigger token");
  if (source == nullptr) return refused(404, "Pipeline trigger not found");
  if (!source->enabled) return refused(403, "Pipeline trigger is disabled");
  return std::nullopt;
}

namespace {

/// The part of a trigger's path_token that is in its URL.
std::string_view trigger_token_of(const GitSource& source) {
  std::string_view token = source.path_token;
  take_segment(token);
  return token;
}

}  // namespace

std::array<uint8_t, 32> path_hash_of(const GitSource& source) {
  const bool trigger = source.host == GitHost::buildkite;
  return crypto::sha256(
      as_bytes(trigger ? trigger_token_of(source) : std::string_view{source.path_token}));
}

std::string path_of(const GitSource& source) {
  if (source.host == GitHost::buildkite) {
    return std::string{trigger_path_prefix}.append(trigger_token_of(source));
  }
  const bool of_app = !app_of(source).empty();
  std::string path{of_app ? app_path_prefix : path_prefix};
  path.append(of_app ? service_name(source.host) : name(source.host));
  return path.append("/").append(source.path_token);
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
    case GitHost::gogs:
    case GitHost::buildkite: return 5 * mib;  // What Buildkite takes.
  }
  RINGPOST_UNREACHABLE();
}

// content type ─> JSON out of the form ─> authentic ─> ping ─> parse ─┬─> facts ──┬─> events
//                                                                     └─> builds ─┘

Receiver::Outcome Receiver::receive(const http::Request& request, const GitSource& source,
                                    WallTime now, std::vector<journal::EventView>& events) {
  events.clear();
  if (source.host == GitHost::buildkite) return receive_trigger(request, source, now, events);
  if (is_connection_test(source.host, request)) {
    return message("This relay takes calls here. The test was not checked for a signature.");
  }
  if (auto problem = refuse_content_type(source.host, request)) return std::move(*problem);
  if (auto problem = read_body(request)) return std::move(*problem);
  if (!authentic(source, request, as_bytes(json_), now)) return not_authentic();
  return read(request, source, events);
}

/// Whatever the body says, as long as it is JSON.
Receiver::Outcome Receiver::receive_trigger(const http::Request& request, const GitSource& source,
                                            WallTime now, std::vector<journal::EventView>& events) {
  if (!authentic(source, request, as_bytes(request.body), now)) {
    return notice(401, "message", "The signature is missing or wrong.");
  }
  if (!http::equal_ignoring_case(media_type(request), "application/json")) {
    return notice(415, "message", "The body must be sent as application/json.");
  }
  document_.assign(request.body);
  const bool valid = document_.valid();
  document_.assign({});
  if (!valid) return notice(400, "message", not_json(request.body).detail);
  texts_.resize(1);
  Texts& texts = texts_.front();
  texts.data.clear();
  JsonWriter json{texts.data};
  json.begin_object()
      .key("trigger")
      .begin_object()
      .member("id", source.id.to_uuid_text())
      .member("description", source.description)
      .end_object()
      .key("pipeline")
      .begin_object()
      .member("slug", pipeline_of(source))
      .end_object()
      .key("webhook")
      .raw(request.body)
      .end_object();
  id_ = {};  // Each call starts a build, as at Buildkite.
  journal::EventView& view = add_view(events, events_source_of(source));
  view.type = trigger_type;
  view.data = as_bytes(texts.data);
  return Accepted{.answer = std::nullopt, .answers_id = true};
}

std::optional<Problem> Receiver::read_body(const http::Request& request) {
  json_ = request.body;
  if (!http::is_form(request)) return std::nullopt;
  auto field = http::form_field(request.body, "payload");
  if (!field) return malformed("The form must have the field `payload` once.", "payload");
  decoded_ = std::move(*field);
  json_ = decoded_;
  return std::nullopt;
}

Receiver::Outcome Receiver::read(const http::Request& request, const GitSource& source,
                                 std::vector<journal::EventView>& events) {
  const std::string_view header = headers_of(source.host, request).event;
  const std::string_view event = http::only_header(request, header);
  if (!is_plain(event, event_bytes_max)) {
    return malformed("The header " + std::string{header} + " is missing or invalid.", header);
  }
  if (source.host == GitHost::github && event == "ping") {
    return message("pong: the signature is right, and this relay takes the calls of this webhook.");
  }
  document_.assign(json_);
  if (!begins_object(json_) || !document_.valid()) return not_json(json_);
  if (auto problem = read_id(request, source.host)) return std::move(*problem);
  Outcome outcome = app_of(source).empty() ? read_event(source.host, event, events)
                                           : read_builds(source, event, events);
  document_.assign({});  // All are copies: a large body's index is of no more use.
  return outcome;
}

std::optional<Problem> Receiver::read_id(const http::Request& request, GitHost host) {
  const std::string_view header = headers_of(host, request).id;
  id_ = http::only_header(request, header);
  if (!request.has_header(header) || is_plain(id_, id_bytes_max)) return std::nullopt;
  return malformed("The header " + std::string{header} + " is invalid.", header);
}

Receiver::Outcome Receiver::read_event(GitHost host, std::string_view event,
                                       std::vector<journal::EventView>& events) {
  facts_.clear();
  auto problem = read_facts(host, event, Payload{document_}, facts_);
  if (problem) return std::move(*problem);
  if (facts_.empty()) return message("Nothing changed, so there is no event.");
  if (facts_.front().repository.empty()) {
    if (is_shared_type(facts_.front().type)) return not_of_event(event, "repository");
    return message("Calls that name no repository make no event: " + std::string{event} + '.');
  }
  problem = write_events(host, event, events);
  if (problem) return std::move(*problem);
  return Accepted{};
}

/// One more event, the texts of which are those of `texts_` with its index.
journal::EventView& Receiver::add_view(std::vector<journal::EventView>& events,
                                       std::string_view source) {
  Texts& texts = texts_[events.size()];
  texts.source = source;
  texts.id = id_;
  if (!id_.empty() && !events.empty()) texts.id += '.' + std::to_string(events.size() + 1);
  journal::EventView& view = events.emplace_back();
  view.id = texts.id;
  view.id_given = !texts.id.empty();
  view.source = texts.source;
  view.data_content_type = "application/json";
  view.data_checked = true;
  return view;
}

std::optional<Problem> Receiver::write_events(GitHost host, std::string_view event,
                                              std::vector<journal::EventView>& events) {
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
    write_extensions(texts.extensions, host, event, texts.facts);
    journal::EventView& view = add_view(events, source);
    view.type = texts.facts.type;
    view.subject = texts.facts.subject;
    view.branch = texts.facts.branch;
    view.extensions = texts.extensions;
    view.data = as_bytes(json_);
  }
  return std::nullopt;
}

// --- builds --------------------------------------------------------------------------------------

namespace {

/// What Bitrise's receiver answers of builds that were started or skipped.
Receiver::Notice results_of(const Triggers& triggers, GitHost host) {
  const bool any = !triggers.builds.empty();
  const bool at_once = host == GitHost::gitlab;  // It never waits for a trigger call.
  Receiver::Notice answer{.status = static_cast<uint16_t>(any && !at_once ? 201 : 200), .body = {}};
  JsonWriter json{answer.body};
  json.begin_object().key("success_responses").begin_array();
  for (const Build& build : triggers.builds) {
    json.begin_object().member("status", "ok").member("message", "the build's trigger was stored");
    json.member("commit_hash", build.commit_hash).end_object();
  }
  json.end_array();
  if (!triggers.skipped.empty()) {
    json.key("skipped_responses").begin_array();
    for (const Build& build : triggers.skipped) {
      json.begin_object()
          .member("message", "Build skipped because the commit message or comment asks for it")
          .member("commit_hash", build.commit_hash)
          .member("commit_message", build.commit_message)
          .member("branch", build.branch)
          .end_object();
    }
    json.end_array();
  }
  if (any && at_once) json.member("did_not_wait_for_trigger_response", true);
  json.end_object();
  return answer;
}

}  // namespace

Receiver::Outcome Receiver::read_builds(const GitSource& source, std::string_view event,
                                        std::vector<journal::EventView>& events) {
  const Triggers triggers = read_triggers(source.host, event, Payload{document_});
  if (!triggers.error.empty()) return notice(400, "error", triggers.error);
  if (!triggers.message.empty()) return message(triggers.message);
  Notice answer = results_of(triggers, source.host);
  if (triggers.builds.empty()) return answer;
  texts_.resize(triggers.builds.size());
  for (const Build& build : triggers.builds) {
    Texts& texts = texts_[events.size()];
    texts.data.clear();
    write_build(texts.data, build, service_name(source.host), triggers.user);
    texts.facts.branch = build.branch;
    make_plain(texts.facts.branch);
    journal::EventView& view = add_view(events, events_source_of(source));
    view.type = build_type;
    view.branch = texts.facts.branch;
    view.data = as_bytes(texts.data);
  }
  return Accepted{std::move(answer)};
}

}  // namespace ringpost::incoming
