#include "control/api/sources.h"

#include "api/json_body.h"
#include "api/webhook_fields.h"
#include "crypto/random.h"
#include "githost/hooks.h"
#include "githost/host_api.h"
#include "http/url.h"
#include "incoming/receiver.h"

#include <algorithm>
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

bool may_see(const Call& call, const GitSource& source) {
  return call.token->covers({incoming::events_source_of(source)});
}

Problem no_source() {
  return refusal(404, "there is no such source");
}

void write_text_or_null(JsonWriter& json, std::string_view member, std::string_view text) {
  json.key(member);
  if (text.empty()) {
    json.null();
  } else {
    json.value(text);
  }
}

void write_time_or_null(JsonWriter& json, std::string_view member, WallTime time) {
  json.key(member);
  if (time == WallTime{}) {
    json.null();
  } else {
    json.value(to_rfc3339(time));
  }
}

void write_registration(JsonWriter& json, const GitLink& link) {
  json.begin_object();
  write_text_or_null(json, "hook_id", link.hook);
  write_time_or_null(json, "registered_at", link.registered_at);
  json.member("failed", link.failed).member("result", link.result);
  write_time_or_null(json, "result_at", link.result_at);
  json.end_object();
}

std::string_view name_of(const GapFiller::State& state) {
  if (!state.has_log) return "not_offered";
  return state.is_on ? "on" : "off";
}

void write_gap(JsonWriter& json, const GitGap& gap) {
  json.begin_object().member("delivery", gap.delivery).member("event", gap.event);
  write_time_or_null(json, "sent_at", gap.at);
  json.key("status");
  if (gap.status == 0) {
    json.null();
  } else {
    json.value(uint64_t{gap.status});
  }
  json.member("state", name(gap.state)).member("asked", uint64_t{gap.asks});
  write_time_or_null(json, "asked_at", gap.asked_at);
  json.member("found_at", to_rfc3339(gap.found_at));
  write_text_or_null(json, "detail", gap.detail);
  json.end_object();
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

/// The repository that a body gives a source.
struct Git {
  bool is_said = false;
  bool is_null = false;
  std::string url;
  std::string token;
};

std::string_view object_to_host_token(std::string_view token) {
  const auto visible = [](char byte) { return byte > ' ' && byte < '\x7f'; };
  if (token.empty()) return "must not be empty";
  return std::ranges::all_of(token, visible) ? "" : "must be visible ASCII without spaces";
}

std::optional<Problem> read_git(dom::element value, Git& git) {
  constexpr size_t token_bytes_max = 1024;
  git.is_said = true;
  git.is_null = value.is_null();
  if (git.is_null) return std::nullopt;
  dom::object object;
  if (auto problem = api::read_object(value, "git", object)) return problem;
  bool has_token = false;
  for (const auto [name, member] : object) {
    std::optional<Problem> problem;
    if (name == "url") {
      problem = read(member, "git.url", http::url_bytes_max, git.url);
    } else if (name == "token") {
      has_token = true;
      problem = read(member, "git.token", token_bytes_max, git.token);
    } else {
      problem = invalid("git." + std::string{name}, "is not a member of this request");
    }
    if (problem) return problem;
  }
  if (!has_token) return std::nullopt;
  const auto objection = object_to_host_token(git.token);
  return objection.empty() ? std::nullopt : std::optional{invalid("git.token", objection)};
}

/// Whether both are known to one API.
bool is_at(const std::string& url, const githost::Repository& repository) {
  const auto read = githost::read_repository(repository.host, url);
  const auto* other = std::get_if<githost::Repository>(&read);
  return other != nullptr && other->api == repository.api;
}

/// @param known  the repository that the source has; null: none.
std::optional<Problem> check_git(GitHost host, const Git& git, const GitLink* known) {
  if (!git.is_said || git.is_null) return std::nullopt;
  if (!githost::has_hooks(host)) return invalid("git", "is not a member of pipeline triggers");
  if (git.url.empty() && known == nullptr) return invalid("git.url", "is required");
  if (git.token.empty() && known == nullptr) {
    return invalid("git.token", "is required: one that may manage the repository's webhooks");
  }
  if (git.url.empty()) return std::nullopt;
  const auto read = githost::read_repository(host, git.url);
  const auto* repository = std::get_if<githost::Repository>(&read);
  if (repository == nullptr) return invalid("git.url", std::get<std::string>(read));
  if (known == nullptr || !git.token.empty() || is_at(known->url, *repository)) return std::nullopt;
  return invalid("git.token",
                 "is required with a URL at another host: the token that the relay has is not sent "
                 "to a host that it was not given for");
}

/// What a body may say beside the members of a source.
struct Slugs {
  std::string app;
  std::string pipeline;
  Git git;
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
  return check_git(source.host, slugs.git, nullptr);
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
    } else if (name == "git") {
      problem = read_git(value, slugs.git);
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

std::optional<Problem> read_change(dom::object body, GitSource& source, Git& git) {
  for (const auto [name, value] : body) {
    std::optional<Problem> problem;
    if (name == "description") {
      problem = read_description(value, source.description);
    } else if (name == "enabled") {
      problem = read(value, "enabled", source.enabled);
    } else if (name == "git") {
      problem = read_git(value, git);
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
  std::string secret = new_git_secret();
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

/// Puts what a body says of the repository in force.
Result<void> change_git(GitLinks& links, const GitSource& source, Git git) {
  if (!git.is_said) return {};
  const GitLink* known = links.find(source.number);
  if (git.is_null) return known != nullptr ? links.remove(source.number) : Result<void>{};
  GitLink link = known != nullptr ? *known : GitLink{};
  link.source = source.number;
  link.source_id = source.id;
  if (!git.token.empty()) link.token = std::move(git.token);
  if (!git.url.empty() && git.url != link.url) {  // Another place knows nothing of the webhook.
    link.url = std::move(git.url);
    link.hook.clear();
    link.registered_at = link.result_at = link.log_read_at = {};
    link.failed = false;
    link.result.clear();
    link.log_number.clear();
  }
  return links.put(std::move(link));
}

}  // namespace

/// A gap that is over is as old as what is missing.
std::vector<const GitGap*> SourceApi::visible_gaps(const Call& call,
                                                   const GitSource& source) const {
  const WallTime since = parts_.history.visible_since(source.organization, call.now);
  auto gaps = parts_.links.gaps(source.number);
  std::erase_if(gaps, [&](const GitGap* gap) {
    return is_over(gap->state) && (gap->at == WallTime{} ? gap->found_at : gap->at) < since;
  });
  return gaps;
}

void SourceApi::write_git(JsonWriter& json, const Call& call, const GitSource& source) const {
  const GitLink* link = parts_.links.find(source.number);
  json.key("git");
  if (link == nullptr) {
    json.null();
    return;
  }
  const auto gaps = visible_gaps(call, source);
  const auto count = [&](auto wanted) {
    return static_cast<uint64_t>(std::ranges::count_if(gaps, wanted));
  };
  const GapFiller::State state = parts_.gaps.state(source);
  json.begin_object().member("url", link->url).key("registration");
  write_registration(json, *link);
  json.key("gaps").begin_object().member("search", name_of(state));
  write_time_or_null(json, "searched_at", link->log_read_at);
  write_text_or_null(json, "problem", state.problem);
  write_text_or_null(json, "not_searched", state.not_searched);
  json.member("missing", count([](const GitGap* gap) { return !is_over(gap->state); }))
      .member("given_up", count([](const GitGap* gap) { return gap->state == GapState::given_up; }))
      .end_object()
      .end_object();
}

void SourceApi::write(JsonWriter& json, const Call& call, const GitSource& source,
                      bool with_secret) const {
  json.begin_object()
      .member("id", source.id.to_text())
      .member("organization", source.organization)
      .member("host", name(source.host))
      .member("description", source.description);
  write_text_or_null(json, "app", incoming::app_of(source));
  write_text_or_null(json, "pipeline", incoming::pipeline_of(source));
  json.member("url", call.base_url + incoming::path_of(source)).member("enabled", source.enabled);
  if (with_secret) json.member("secret", source.secret);
  const bool has_previous =
      !source.previous_secret.empty() && source.previous_secret_until > call.now;
  write_time_or_null(json, "previous_secret_until",
                     has_previous ? source.previous_secret_until : WallTime{});
  write_git(json, call, source);
  json.member("created_at", to_rfc3339(source.created_at))
      .member("updated_at", to_rfc3339(source.updated_at))
      .end_object();
}

std::string SourceApi::to_json(const Call& call, const GitSource& source, bool with_secret) const {
  std::string text;
  JsonWriter json(text);
  write(json, call, source, with_secret);
  return text;
}

Answer SourceApi::create(const Call& call) {
  if (auto problem = refuse_without_events(call)) return refuse(*problem);
  JsonBody body;
  if (auto problem = body.parse(call.request.body)) return refuse(*problem);
  GitSource source;
  Slugs slugs;
  if (auto problem = read_new_source(body.root(), source, slugs)) return refuse(*problem);
  const bool trigger = source.host == GitHost::buildkite;
  if (source.secret.empty() && !trigger) source.secret = new_git_secret();
  source.path_token = new_path_token(source, slugs);
  if (!may_see(call, source)) {
    return refuse(refusal(403, "events of " + incoming::events_source_of(source) +
                                   " are beyond the sources that the token is restricted to"));
  }
  if (parts_.sources.count(call.organization) >= sources_per_organization_max) {
    return refuse(refusal(409, "the organization has 1,000 sources; delete some first"));
  }
  if (trigger && count_triggers(call.organization, slugs.pipeline) >= triggers_per_pipeline_max) {
    return refuse(refusal(409, "the pipeline has 10 triggers; delete some first"));
  }
  source.id = Ulid::mint(call.now, parts_.random);
  source.organization = call.organization;
  source.sha256 = incoming::path_hash_of(source);
  source.created_at = source.updated_at = call.now;
  const auto created = parts_.sources.create(std::move(source));
  if (!created) return refuse(store_failed(created.error()));
  if (auto put = change_git(parts_.links, **created, std::move(slugs.git)); !put) {
    return refuse(store_failed(put.error()));
  }
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
  return parts_.sources
      .list(organization, std::nullopt, triggers_per_pipeline_max,
            [&](const GitSource& source) { return incoming::pipeline_of(source) == pipeline; })
      .size();
}

Answer SourceApi::list(const Call& call) {
  auto parsed = parse_list_query(call.request, ListKind::sources);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  auto found = parts_.sources.list(call.organization, query.before(), query.limit + 1,
                                   [&](const GitSource& source) { return may_see(call, source); });
  const bool more = found.size() > query.limit;
  if (more) found.pop_back();
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("items").begin_array();
  for (const GitSource* source : found) write(json, call, *source, false);
  json.end_array();
  write_next_cursor(json, query, more ? &found.back()->id : nullptr);
  json.end_object();
  return answer_json(200, std::move(body));
}

const GitSource* SourceApi::find(const Call& call) const {
  const auto id = Ulid::parse_either(call.id());
  const GitSource* source = id ? parts_.sources.find(call.organization, *id) : nullptr;
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
  Git git;
  if (auto problem = read_change(body.root(), changed, git)) return refuse(*problem);
  const GitLink* known = parts_.links.find(source->number);
  if (auto problem = check_git(source->host, git, known)) return refuse(*problem);
  if (auto put = change_git(parts_.links, *source, std::move(git)); !put) {
    return refuse(store_failed(put.error()));
  }
  return store(call, std::move(changed), update_operation, api::member_names(body.root()));
}

Answer SourceApi::rotate_secret(const Call& call) {
  if (auto problem = refuse_without_events(call)) return refuse(*problem);
  const GitSource* source = find(call);
  if (source == nullptr) return refuse(no_source());
  JsonBody body;
  if (auto problem = body.parse_optional(call.request.body)) return refuse(*problem);
  GitSource changed = *source;
  const GitLink* link = parts_.links.find(source->number);
  if (link != nullptr && link->secret_pending) {
    return refuse(refusal(409,
                          "the git host may not have the present secret yet; register the source "
                          "first"));
  }
  if (auto problem = rotate(body.root(), call.now, changed)) return refuse(*problem);
  return store(call, std::move(changed), rotate_operation, {"secret"});
}

Answer SourceApi::store(const Call& call, GitSource source, std::string_view operation,
                        std::vector<std::string> members) {
  source.updated_at = call.now;
  const auto updated = parts_.sources.update(std::move(source));
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
  if (auto removed = parts_.links.remove(source->number); !removed) {
    return refuse(store_failed(removed.error()));
  }
  if (auto removed = parts_.sources.remove(*source); !removed) {
    return refuse(store_failed(removed.error()));
  }
  return answer;
}

Answer SourceApi::register_at_host(const Call& call, Instant now) {
  const GitSource* source = find(call);
  if (source == nullptr) return refuse(no_source());
  if (auto problem = refuse_members(call)) return refuse(*problem);
  auto begun = parts_.registrations.begin(
      *source,
      [this, number = source->number](const std::optional<Problem>& problem) {
        if (problem) return refuse(*problem);
        return answer_json(200, registration_json(number), Answer::When::published);
      },
      now);
  if (const auto* problem = std::get_if<Problem>(&begun)) return refuse(*problem);
  return std::get<Answer>(std::move(begun));
}

std::string SourceApi::registration_json(uint32_t source) const {
  std::string text;
  JsonWriter json(text);
  const GitLink* link = parts_.links.find(source);
  write_registration(json, link != nullptr ? *link : GitLink{});
  return text;
}

Answer SourceApi::gaps(const Call& call) {
  const GitSource* source = find(call);
  if (source == nullptr) return refuse(no_source());
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("items").begin_array();
  for (const GitGap* gap : visible_gaps(call, *source)) write_gap(json, *gap);
  json.end_array().end_object();
  return answer_json(200, std::move(body));
}

}  // namespace ringpost::control
