#include "dialect/devopness/api.h"

#include "api/json_body.h"
#include "api/webhook_fields.h"
#include "dialect/devopness/answers.h"
#include "dialect/devopness/devopness.h"
#include "dialect/devopness/hook.h"
#include "dialect/devopness/hook_reader.h"
#include "dialect/devopness/hook_subject.h"
#include "dialect/devopness/hook_writer.h"
#include "dialect/devopness/page.h"
#include "dialect/devopness/request_log.h"
#include "dialect/devopness/trigger.h"
#include "dialect/dialect.h"
#include "http/syntax.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <variant>

namespace ringpost::dialect::devopness {

using api::Answer;
using api::Call;
using api::invalid;
using api::Management;
using api::Problem;
using api::refusal;
using api::Route;
using subscription::Scope;
using subscription::Webhook;
using subscription::WebhookState;

// --- routes --------------------------------------------------------------------------------------

namespace {

enum class Operation : uint8_t {
  create_for_pipeline,
  create_for_resource,
  list_of_pipeline,
  list_of_application,
  show,
  update,
  remove,
  requests,
  show_request,
  trigger,
  login,
  refresh,
  logout
};

enum class Kind : uint8_t { outgoing, incoming };

/// A route's number holds both.
constexpr uint16_t code(Operation operation, Kind kind) {
  return static_cast<uint16_t>(static_cast<uint16_t>(operation) << 1 | static_cast<uint16_t>(kind));
}

constexpr Route row(Operation operation, Kind kind, std::string_view method,
                    std::string_view pattern, Scope scope) {
  return {.operation = code(operation, kind), .method = method, .pattern = pattern, .scope = scope};
}

/// A route for anybody: a hook's callers know its id, and somebody who logs in has no token yet.
constexpr Route open_row(Operation operation, std::string_view pattern) {
  return {.operation = code(operation, Kind::incoming),
          .method = "POST",
          .pattern = pattern,
          .access = api::Access::open,
          .takes_forms = operation == Operation::trigger};
}

using enum Operation;
using enum Kind;
using enum Scope;

constexpr Scope any_token{};  ///< As Route::scope has it.

constexpr std::array table{
    row(create_for_pipeline, incoming, "POST", "/pipelines/{pipeline_id}/hooks/incoming",
        webhooks_write),
    row(create_for_pipeline, outgoing, "POST", "/pipelines/{pipeline_id}/hooks/outgoing",
        webhooks_write),
    row(create_for_resource, incoming, "POST", "/hooks/incoming", webhooks_write),
    row(create_for_resource, outgoing, "POST", "/hooks/outgoing", webhooks_write),
    row(list_of_pipeline, outgoing, "GET", "/pipelines/{pipeline_id}/hooks", webhooks_read),
    row(list_of_application, outgoing, "GET", "/applications/{application_id}/hooks",
        webhooks_read),
    row(show, incoming, "GET", "/hooks/incoming/{hook_id}", webhooks_read),
    row(show, outgoing, "GET", "/hooks/outgoing/{hook_id}", webhooks_read),
    row(update, incoming, "PUT", "/hooks/incoming/{hook_id}", webhooks_write),
    row(update, outgoing, "PUT", "/hooks/outgoing/{hook_id}", webhooks_write),
    row(remove, incoming, "DELETE", "/hooks/incoming/{hook_id}", webhooks_write),
    row(remove, outgoing, "DELETE", "/hooks/outgoing/{hook_id}", webhooks_write),
    row(requests, incoming, "GET", "/hooks/incoming/{hook_id}/requests", deliveries_read),
    row(requests, outgoing, "GET", "/hooks/outgoing/{hook_id}/requests", deliveries_read),
    row(show_request, outgoing, "GET", "/hook-requests/{hook_request_id}", deliveries_read),
    open_row(trigger, "/hooks/{hook_id}/trigger"),
    open_row(trigger, "/hooks/incoming/{hook_id}"),
    open_row(trigger, "/hooks-incoming/{hook_id}"),
    open_row(login, "/users/login"),
    open_row(refresh, "/users/refresh-token"),
    Route{.operation = code(logout, outgoing),
          .method = "GET",
          .pattern = "/users/logout",
          .scope = any_token,
          .get_changes = true},
};

Problem no_such_hook() {
  return refusal(404, "there is no such hook");
}

/// The id in a path; nothing if it is none.
std::optional<int64_t> id_of(std::string_view text) {
  if (text.starts_with('0')) return std::nullopt;  // Its path has one form, which is short.
  const auto id = http::parse_decimal(text);
  if (!id || *id > static_cast<uint64_t>(id_max)) return std::nullopt;
  return static_cast<int64_t>(*id);
}

// --- one call ------------------------------------------------------------------------------------

class Desk {
 public:
  Desk(const Call& call, Management& management, Kind kind)
      : call_(call), management_(management), incoming_(kind == Kind::incoming) {}

  Answer create(std::optional<int64_t> pipeline_id);
  Answer list(const std::string& group);
  Answer show();
  Answer update();
  Answer remove();
  Answer requests();
  Answer show_request();
  Answer login();
  Answer refresh();
  Answer logout();

 private:
  using Granted = std::variant<Management::Granted, Problem>;
  Answer answer_granted(const Granted& result) const;
  const Webhook* find() const;
  std::optional<Problem> parse(api::JsonBody& body) const;
  std::optional<Problem> read_body(api::JsonBody& body, Webhook& webhook, Hook& hook,
                                   const std::string& shown);
  std::optional<Problem> read_name(simdjson::dom::object body, Webhook& webhook) const;
  std::optional<Problem> read_flags(simdjson::dom::object body, Webhook& webhook, Hook& hook) const;
  std::optional<Problem> read_id(simdjson::dom::object body, const Webhook& webhook) const;
  std::optional<Problem> change(const Hook& before, const Hook& hook, Webhook& webhook) const;
  std::optional<Problem> check_destination(const Webhook& webhook) const;
  std::string body_of(const Webhook& webhook, Shape shape) const;

  const Call& call_;
  Management& management_;
  const bool incoming_;
};

const Webhook* Desk::find() const {
  const auto id = Ulid::parse_either(call_.id());
  const Webhook* webhook = id ? management_.webhook(call_.organization, *id) : nullptr;
  if (webhook == nullptr || webhook->dialect != dialect().name()) return nullptr;
  return is_incoming(*webhook) == incoming_ ? webhook : nullptr;
}

std::string Desk::body_of(const Webhook& webhook, Shape shape) const {
  std::string body;
  JsonWriter json(body);
  write_hook(json, webhook, hook_of(webhook), shape, call_.base_url);
  return body;
}

std::optional<Problem> Desk::read_name(simdjson::dom::object body, Webhook& webhook) const {
  simdjson::dom::element value;
  std::string_view name;
  if (body.at_key("name").get(value) != simdjson::SUCCESS || value.get(name) != simdjson::SUCCESS) {
    return invalid("name", "is required and must be a string");
  }
  const bool stays = webhook.number != 0 && name == webhook.description;  // Whoever gave it.
  if (stays) return std::nullopt;
  if (name.empty()) return invalid("name", "must not be empty");
  if (count_characters(name) > hook_name_characters_max) {
    return invalid("name", "must be at most 60 characters");
  }
  static_assert(hook_name_characters_max == 60, "the sentence says so");
  webhook.description = name;
  return std::nullopt;
}

/// Null brings the default back, which is true.
std::optional<Problem> read_flag(simdjson::dom::element value, std::string_view member, bool& out) {
  if (!value.is_null()) return api::read(value, member, out);
  out = true;
  return std::nullopt;
}

std::optional<Problem> Desk::read_flags(simdjson::dom::object body, Webhook& webhook,
                                        Hook& hook) const {
  simdjson::dom::element value;
  bool active = incoming_ ? hook.takes_calls : webhook.active();
  const bool was = active;
  if (body.at_key("active").get(value) == simdjson::SUCCESS) {
    if (auto problem = read_flag(value, "active", active)) return problem;
  }
  if (body.at_key("verify_ssl").get(value) == simdjson::SUCCESS) {
    if (auto problem = read_flag(value, "verify_ssl", webhook.tls_verify)) return problem;
  }
  if (incoming_) {
    hook.takes_calls = active;
  } else if (active != was) {
    webhook.state = active ? WebhookState::active : WebhookState::disabled;
    webhook.state_reason = active ? "" : "disabled over the API";
  }
  return std::nullopt;
}

/// Whatever is wrong with a body is 422 in this API.
std::optional<Problem> Desk::parse(api::JsonBody& body) const {
  auto problem = body.parse(call_.request.body);
  if (problem) problem->status = 422;
  return problem;
}

/// @param shown  the hook as a client reads it; empty: there is none yet.
std::optional<Problem> Desk::read_body(api::JsonBody& body, Webhook& webhook, Hook& hook,
                                       const std::string& shown) {
  if (auto problem = parse(body)) return problem;
  if (auto problem = read_name(body.root(), webhook)) return problem;
  if (auto problem = read_flags(body.root(), webhook, hook)) return problem;
  const Hook before = hook;
  if (auto problem = read_hook(call_.request.body, Layout::api, hook, shown)) return problem;
  return restore_credentials(before, Layout::api, hook);
}

std::optional<Problem> Desk::check_destination(const Webhook& webhook) const {
  if (incoming_) return std::nullopt;
  const auto objection = management_.object_to_destination(webhook.destination);
  if (!objection) return std::nullopt;
  return invalid("target_url", *objection);
}

Answer Desk::create(std::optional<int64_t> pipeline_id) {
  Webhook webhook = dialect().defaults();
  webhook.organization = call_.organization;
  Hook hook;
  hook.incoming = incoming_;
  hook.made_by = Maker{.id = call_.token->id, .name = call_.token->name};
  api::JsonBody body;
  if (auto problem = read_body(body, webhook, hook, {})) return refuse(*problem);
  if (pipeline_id) hook.pipeline_id = pipeline_id;
  if (!pipeline_id) {
    hook.pipeline_id.reset();
    if (hook.resource_type.empty()) return refuse(invalid("resource_type", "is required"));
    if (hook.resource_id == 0) return refuse(invalid("resource_id", "is required"));
  }
  webhook.secret = dialect().mint_secret();
  if (auto problem = apply(hook, Layout::api, webhook)) return refuse(*problem);
  if (auto problem = check_destination(webhook)) return refuse(*problem);
  const auto created = management_.create(std::move(webhook));
  if (const auto* problem = std::get_if<Problem>(&created)) return refuse(*problem);
  return api::answer_json(201, body_of(*std::get<const Webhook*>(created), Shape::created),
                          Answer::When::published);
}

Answer Desk::list(const std::string& group) {
  auto webhooks = management_.webhooks(
      {.organization = call_.organization, .dialect = dialect().name(), .name = group});
  const auto page = Page::read(call_, webhooks.size());
  if (const auto* problem = std::get_if<Problem>(&page)) return refuse(*problem);
  const Page& range = std::get<Page>(page);
  std::string body;
  JsonWriter json(body);
  json.begin_array();
  for (size_t index = range.begin(); index < range.end(); ++index) {
    const Webhook& webhook = *webhooks[index];
    write_hook(json, webhook, hook_of(webhook), Shape::relation, call_.base_url);
  }
  json.end_array();
  return range.answer(std::move(body));
}

Answer Desk::show() {
  const Webhook* webhook = find();
  if (webhook == nullptr) return refuse(no_such_hook());
  return api::answer_json(200, body_of(*webhook, Shape::full));
}

std::optional<Problem> Desk::read_id(simdjson::dom::object body, const Webhook& webhook) const {
  std::string_view text;
  if (body.at_key("id").get(text) != simdjson::SUCCESS) {
    return invalid("id", "is required and must be the hook's id");
  }
  const auto id = Ulid::parse_either(text);
  if (id && id->as_uuid() == webhook.id.as_uuid()) return std::nullopt;
  return invalid("id", "must be the id that the path names");
}

/// Brings the webhook in line with its hook, where that changed. Sources that the native API has
/// given it stay, unless the hook is of something else now.
std::optional<Problem> Desk::change(const Hook& before, const Hook& hook, Webhook& webhook) const {
  if (hook == before) return std::nullopt;
  const subscription::Destination destination = webhook.destination;
  std::vector<std::string> sources = webhook.sources;
  if (auto problem = apply(hook, Layout::api, webhook)) return problem;
  if (source_of(hook) == source_of(before)) webhook.sources = std::move(sources);
  // What is there may stay, also if it would not be taken today.
  if (api::same_destination(destination, webhook.destination)) return std::nullopt;
  return check_destination(webhook);
}

Answer Desk::update() {
  const Webhook* before = find();
  if (before == nullptr) return refuse(no_such_hook());
  Webhook webhook = *before;
  const Hook hook_before = hook_of(webhook);
  Hook hook = hook_before;
  api::JsonBody body;
  if (auto problem = read_body(body, webhook, hook, body_of(webhook, Shape::full))) {
    return refuse(*problem);
  }
  if (auto problem = read_id(body.root(), webhook)) return refuse(*problem);
  hook.pipeline_id = hook_before.pipeline_id;  // A hook does not move.
  if (auto problem = change(hook_before, hook, webhook)) return refuse(*problem);
  const auto updated = management_.update(std::move(webhook), api::webhook_update);
  if (const auto* problem = std::get_if<Problem>(&updated)) return refuse(*problem);
  return api::answer_json(204, {}, Answer::When::published);
}

Answer Desk::remove() {
  const Webhook* webhook = find();
  if (webhook == nullptr) return refuse(no_such_hook());
  if (auto problem = management_.remove(*webhook)) return refuse(*problem);
  return api::answer_json(204, {}, Answer::When::published);
}

Answer Desk::requests() {
  const Webhook* webhook = find();
  if (webhook == nullptr) return refuse(no_such_hook());
  const Hook hook = hook_of(*webhook);
  const auto log = management_.log(*webhook, logged_requests_max);
  const auto requests = requests_of(hook, log, call_.now);
  const auto page = Page::read(call_, requests.size());
  if (const auto* problem = std::get_if<Problem>(&page)) return refuse(*problem);
  const Page& range = std::get<Page>(page);
  std::string body;
  JsonWriter json(body);
  json.begin_array();
  for (size_t index = range.begin(); index < range.end(); ++index) {
    write_request(json, *webhook, hook, requests[index], RequestShape::relation, call_.base_url);
  }
  json.end_array();
  return range.answer(std::move(body));
}

Answer Desk::show_request() {
  const Problem none = refusal(404, "there is no such hook request");
  const auto id = Ulid::parse_either(call_.id());
  if (!id) return refuse(none);
  const auto found = find_request(management_, call_.organization, dialect().name(), *id);
  if (!found) return refuse(none);
  const Hook hook = hook_of(*found->webhook);
  const auto request = request_in(hook, *found);
  if (!request || call_.now - time_of(*request) > logged_for_max) return refuse(none);
  std::string body;
  JsonWriter json(body);
  write_request(json, *found->webhook, hook, *request, RequestShape::full, call_.base_url);
  return api::answer_json(200, std::move(body));
}

Answer Desk::login() {
  api::JsonBody body;
  if (auto problem = parse(body)) return refuse(*problem);
  std::string_view email;
  std::string_view password;
  if (body.root().at_key("email").get(email) != simdjson::SUCCESS) {
    return refuse(invalid("email", "is required and must be a string"));
  }
  if (body.root().at_key("password").get(password) != simdjson::SUCCESS) {
    return refuse(invalid("password", "is required and must be a string"));
  }
  return answer_granted(management_.login(email, password));
}

Answer Desk::refresh() {
  api::JsonBody body;
  if (auto problem = parse(body)) return refuse(*problem);
  std::string_view token;
  if (body.root().at_key("refresh_token").get(token) != simdjson::SUCCESS) {
    return refuse(invalid("refresh_token", "is required and must be a string"));
  }
  return answer_granted(management_.refresh(token));
}

Answer Desk::logout() {
  if (auto problem = management_.logout()) return refuse(*problem);
  return api::answer_json(204, {}, Answer::When::published);
}

Answer Desk::answer_granted(const Granted& result) const {
  if (const auto* problem = std::get_if<Problem>(&result)) return refuse(*problem);
  const auto& granted = std::get<Management::Granted>(result);
  const Duration left = granted.expires_at - call_.now;
  std::string text;
  JsonWriter json(text);
  json.begin_object()
      .member("access_token", granted.token)
      .member("token_type", "Bearer")
      .member("expires_in", std::chrono::duration_cast<std::chrono::seconds>(left).count())
      .member("refresh_token", granted.refresh_token)
      .end_object();
  return api::answer_json(200, std::move(text), Answer::When::published);
}

}  // namespace

std::span<const Route> routes() {
  return table;
}

bool owns_path(std::string_view path) {
  constexpr std::array<std::string_view, 6> roots{"hooks",     "hooks-incoming", "hook-requests",
                                                  "pipelines", "applications",   "users"};
  path.remove_prefix(std::min<size_t>(path.size(), 1));
  return std::ranges::find(roots, path.substr(0, path.find('/'))) != roots.end();
}

std::string pipeline_group(int64_t id) {
  return "pipeline/" + std::to_string(id);
}

std::string application_group(int64_t id) {
  return "application/" + std::to_string(id);
}

Answer handle(const Route& route, const Call& call, Management& management) {
  const auto operation = static_cast<Operation>(route.operation >> 1);
  Desk desk(call, management, static_cast<Kind>(route.operation & 1));
  const auto number = id_of(call.id());
  switch (operation) {
    case Operation::create_for_pipeline:
      if (!number) return refuse(refusal(404, "there is no such pipeline"));
      return desk.create(number);
    case Operation::create_for_resource: return desk.create(std::nullopt);
    case Operation::list_of_pipeline:
      if (!number) return refuse(refusal(404, "there is no such pipeline"));
      return desk.list(pipeline_group(*number));
    case Operation::list_of_application:
      if (!number) return refuse(refusal(404, "there is no such application"));
      return desk.list(application_group(*number));
    case Operation::show: return desk.show();
    case Operation::update: return desk.update();
    case Operation::remove: return desk.remove();
    case Operation::requests: return desk.requests();
    case Operation::show_request: return desk.show_request();
    case Operation::trigger: return devopness::trigger(call, management);
    case Operation::login: return desk.login();
    case Operation::refresh: return desk.refresh();
    case Operation::logout: return desk.logout();
  }
  return refuse(refusal(404, "there is no such path"));
}

}  // namespace ringpost::dialect::devopness
