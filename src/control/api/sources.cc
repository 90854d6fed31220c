#include "control/api/sources.h"

#include "api/json_body.h"
#include "api/webhook_fields.h"
#include "base/json_writer.h"
#include "crypto/base64.h"
#include "crypto/random.h"
#include "incoming/receiver.h"

#include <array>
#include <chrono>
#include <utility>

namespace ringpost::control {

namespace dom = simdjson::dom;

using api::JsonBody;
using subscription::GitHost;
using subscription::GitSource;

namespace {

constexpr std::string_view create_operation = "source.create";
constexpr std::string_view update_operation = "source.update";
constexpr std::string_view delete_operation = "source.delete";
constexpr std::string_view rotate_operation = "source.rotate_secret";

constexpr uint32_t overlap_s_default = 24 * 3600;
constexpr uint32_t overlap_s_max = 30 * 24 * 3600;

/// A key of Standard Webhooks: GitLab may sign with it, and any host takes it as a text.
std::string new_secret() {
  std::array<std::byte, 32> bytes;
  crypto::fill(bytes);
  return "whsec_" + crypto::base64_encode(bytes);
}

bool may_see(const Call& call, const GitSource& source) {
  return call.token->covers({incoming::events_source_of(source)});
}

Problem no_source() {
  return refusal(404, "there is no such source");
}

void write_source(JsonWriter& json, const Call& call, const GitSource& source, bool with_secret) {
  json.begin_object()
      .member("id", source.id.to_text())
      .member("organization", source.organization)
      .member("host", name(source.host))
      .member("description", source.description)
      .key("app");
  if (const std::string_view app = incoming::app_of(source); !app.empty()) {
    json.value(app);
  } else {
    json.null();
  }
  json.key("pipeline");
  if (const std::string_view pipeline = incoming::pipeline_of(source); !pipeline.empty()) {
    json.value(pipeline);
  } else {
    json.null();
  }
  json.member("url", call.base_url + incoming::path_of(source)).member("enabled", source.enabled);
  if (with_secret) json.member("secret", source.secret);
  json.key("previous_secret_until");
  if (source.previous_secret.empty() || source.previous_secret_until <= call.now) {
    json.null();
  } else {
    json.value(to_rfc3339(source.previous_secret_until));
  }
  json.member("created_at", to_rfc3339(source.created_at))
      .member("updated_at", to_rfc3339(source.updated_at))
      .end_object();
}

std::string to_json(const Call& call, const GitSource& source, bool with_secret) {
  std::string text;
  JsonWriter json(text);
  write_source(json, call, source, with_secret);
  return text;
}

// --- bodies --------------------------------------------------------------------------------------

std::optional<Problem> read_host(dom::element value, GitHost& host) {
  constexpr size_t bytes_max = 64;
  std::string text;
  if (auto problem = read(value, "host", bytes_max, text)) return problem;
  const auto known = subscription::parse_git_host(text);
  if (!known) {
    return invalid("host",
                   "must be github, gitlab, bitbucket, bitbucket-server, gitea, forgejo, gogs or "
                   "buildkite");
  }
  host = *known;
  return std::nullopt;
}

std::optional<Problem> read_description(dom::element value, std::string& description) {
  return read(value, "description", api::webhook_text_bytes_max, description);
}

/// Of an app or a pipeline.
std::optional<Problem> read_slug(dom::element value, std::string_view member, std::string& slug) {
  constexpr size_t bytes_max = 64;
  std::string text;
  if (auto problem = read(value, member, bytes_max, text)) return problem;
  const auto objection = incoming::object_to_app_slug(text);
  if (!objection.empty()) return invalid(member, objection);
  slug = std::move(text);
  return std::nullopt;
}

std::optional<Problem> read_secret(dom::element value, std::string& secret) {
  std::string text;
  if (auto problem = read(value, "secret", subscription::git_secret_bytes_max, text)) {
    return problem;
  }
  const auto objection = subscription::object_to_git_secret(text);
  if (!objection.empty()) return invalid("secret", objection);
  secret = std::move(text);
  return std::nullopt;
}

Problem unknown_member(std::string_view name) {
  return invalid(name, "is not a member of this request");
}

/// What a body may say beside the members of a source.
struct Slugs {
  std::string app;
  std::string pipeline;
};

std::optional<Problem> check_slugs(const GitSource& source, const Slugs& slugs) {
  const bool trigger = source.host == GitHost::buildkite;
  if (trigger && slugs.pipeline.empty()) {
    return invalid("pipeline", "is required: the slug of the pipeline that is triggered");
  }
  if (!trigger && !slugs.pipeline.empty()) {
    return invalid("pipeline", "is a member of pipeline triggers alone (host buildkite)");
  }
  if (trigger && !slugs.app.empty()) return invalid("app", "is not a member of pipeline triggers");
  return std::nullopt;
}

std::optional<Problem> read_new_source(dom::object body, GitSource& source, Slugs& slugs) {
  bool has_host = false;
  for (const auto [name, value] : body) {
    std::optional<Problem> problem;
    if (name == "host") {
      problem = read_host(value, source.host);
      has_host = true;
    } else if (name == "description") {
      problem = read_description(value, source.description);
    } else if (name == "app") {
      problem = read_slug(value, "app", slugs.app);
    } else if (name == "pipeline") {
      problem = read_slug(value, "pipeline", slugs.pipeline);
    } else if (name == "secret") {
      problem = read_secret(value, source.secret);
    } else if (name == "enabled") {
      problem = read(value, "enabled", source.enabled);
    } else {
      problem = unknown_member(name);
    }
    if (problem) return problem;
  }
  if (!has_host) return invalid("host", "is required");
  return check_slugs(source, slugs);
}

/// How the path ends that is called: a secret, behind the slug of what it is for.
std::string new_path_token(const GitSource& source, const Slugs& slugs) {
  if (source.host == GitHost::buildkite) {
    return crypto::token(slugs.pipeline + '/' + std::string{incoming::trigger_prefix}, 24);
  }
  return slugs.app.empty() ? crypto::token("", 16) : crypto::token(slugs.app + '/', 16);
}

std::optional<Problem> read_change(dom::object body, GitSource& source) {
  for (const auto [name, value] : body) {
    std::optional<Problem> problem;
    if (name == "description") {
      problem = read_description(value, source.description);
    } else if (name == "enabled") {
      problem = read(value, "enabled", source.enabled);
    } else {
      problem = unknown_member(name);
    }
    if (problem) return problem;
  }
  return std::nullopt;
}

/// A source's secret is enough to send its events.
std::optional<Problem> refuse_without_events(const Call& call) {
  if (call.token->allows(subscription::Scope::events_write)) return std::nullopt;
  return refusal(403,
                 "the token needs the scope events:write as well: a source's secret is "
                 "enough to send events");
}

/// Puts a new secret in the place of the present one, which stays valid for a while.
std::optional<Problem> rotate(dom::object body, WallTime now, GitSource& source) {
  std::string secret = new_secret();
  uint32_t overlap_s = overlap_s_default;
  for (const auto [name, value] : body) {
    std::optional<Problem> problem;
    if (name == "secret") {
      problem = read_secret(value, secret);
    } else if (name == "overlap_s") {
      problem = read(value, "overlap_s", 0, overlap_s_max, overlap_s);
    } else {
      problem = unknown_member(name);
    }
    if (problem) return problem;
  }
  if (secret == source.secret) return invalid("secret", "is the present one");
  source.previous_secret = overlap_s > 0 ? source.secret : std::string{};
  source.previous_secret_until = overlap_s > 0 ? now + std::chrono::seconds{overlap_s} : WallTime{};
  source.secret = std::move(secret);
  return std::nullopt;
}

}  // namespace

Answer SourceApi::create(const Call& call) {
  if (auto problem = refuse_without_events(call)) return refuse(*problem);
  JsonBody body;
  if (auto problem = body.parse(call.request.body)) return refuse(*problem);
  GitSource source;
  Slugs slugs;
  if (auto problem = read_new_source(body.root(), source, slugs)) return refuse(*problem);
  const bool trigger = source.host == GitHost::buildkite;
  if (source.secret.empty() && !trigger) source.secret = new_secret();
  source.path_token = new_path_token(source, slugs);
  if (!may_see(call, source)) {
    return refuse(refusal(403, "events of " + incoming::events_source_of(source) +
                                   " are beyond the sources that the token is restricted to"));
  }
  if (registry_.count(call.organization) >= sources_per_organization_max) {
    return refuse(refusal(409, "the organization has 1,000 sources; delete some first"));
  }
  if (trigger && count_triggers(call.organization, slugs.pipeline) >= triggers_per_pipeline_max) {
    return refuse(refusal(409, "the pipeline has 10 triggers; delete some first"));
  }
  source.id = Ulid::mint(call.now, random_);
  source.organization = call.organization;
  source.sha256 = incoming::path_hash_of(source);
  source.created_at = source.updated_at = call.now;
  const auto created = registry_.create(std::move(source));
  if (!created) return refuse(store_failed(created.error()));
  Answer answer = answer_json(201, to_json(call, **created, true), Answer::When::published);
  const std::string id = (*created)->id.to_text();
  answer.response.headers.push_back({"Location", "/v1/sources/" + id});
  answer.change = {.operation = create_operation,
                   .object = id,
                   .members = api::member_names(body.root()),
                   .organization = {}};
  return answer;
}

size_t SourceApi::count_triggers(std::string_view organization, std::string_view pipeline) const {
  return registry_
      .list(organization, std::nullopt, triggers_per_pipeline_max,
            [&](const GitSource& source) { return incoming::pipeline_of(source) == pipeline; })
      .size();
}

Answer SourceApi::list(const Call& call) {
  auto parsed = parse_list_query(call.request, ListKind::sources);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  auto found = registry_.list(call.organization, query.before(), query.limit + 1,
                              [&](const GitSource& source) { return may_see(call, source); });
  const bool more = found.size() > query.limit;
  if (more) found.pop_back();
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("items").begin_array();
  for (const GitSource* source : found) write_source(json, call, *source, false);
  json.end_array();
  write_next_cursor(json, query, more ? &found.back()->id : nullptr);
  json.end_object();
  return answer_json(200, std::move(body));
}

const GitSource* SourceApi::find(const Call& call) const {
  const auto id = Ulid::parse_either(call.id());
  const GitSource* source = id ? registry_.find(call.organization, *id) : nullptr;
  return source != nullptr && may_see(call, *source) ? source : nullptr;
}

Answer SourceApi::show(const Call& call) {
  const GitSource* source = find(call);
  if (source == nullptr) return refuse(no_source());
  return answer_json(200, to_json(call, *source, false));
}

Answer SourceApi::update(const Call& call) {
  const GitSource* source = find(call);
  if (source == nullptr) return refuse(no_source());
  JsonBody body;
  if (auto problem = body.parse(call.request.body)) return refuse(*problem);
  GitSource changed = *source;
  if (auto problem = read_change(body.root(), changed)) return refuse(*problem);
  return store(call, std::move(changed), update_operation, api::member_names(body.root()));
}

Answer SourceApi::rotate_secret(const Call& call) {
  if (auto problem = refuse_without_events(call)) return refuse(*problem);
  const GitSource* source = find(call);
  if (source == nullptr) return refuse(no_source());
  JsonBody body;
  if (auto problem = body.parse_optional(call.request.body)) return refuse(*problem);
  GitSource changed = *source;
  if (auto problem = rotate(body.root(), call.now, changed)) return refuse(*problem);
  return store(call, std::move(changed), rotate_operation, {"secret"});
}

Answer SourceApi::store(const Call& call, GitSource source, std::string_view operation,
                        std::vector<std::string> members) {
  source.updated_at = call.now;
  const auto updated = registry_.update(std::move(source));
  if (!updated) return refuse(store_failed(updated.error()));
  const bool with_secret = operation == rotate_operation;
  Answer answer = answer_json(200, to_json(call, **updated, with_secret), Answer::When::published);
  answer.change = {.operation = operation,
                   .object = (*updated)->id.to_text(),
                   .members = std::move(members),
                   .organization = {}};
  return answer;
}

Answer SourceApi::remove(const Call& call) {
  const GitSource* source = find(call);
  if (source == nullptr) return refuse(no_source());
  Answer answer = answer_json(204, {}, Answer::When::published);
  answer.change = {.operation = delete_operation,
                   .object = source->id.to_text(),
                   .members = {},
                   .organization = {}};
  if (auto removed = registry_.remove(*source); !removed) {
    return refuse(store_failed(removed.error()));
  }
  return answer;
}

}  // namespace ringpost::control
