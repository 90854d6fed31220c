#include "dialect/buildkite/services.h"

#include "api/json_body.h"
#include "api/sentence.h"
#include "base/bytes.h"
#include "base/json_writer.h"
#include "crypto/random.h"
#include "dialect/buildkite/ping.h"
#include "dialect/buildkite/request_log.h"
#include "dialect/buildkite/service_fields.h"
#include "dialect/buildkite/settings.h"
#include "http/query.h"
#include "http/serialiser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::dialect::buildkite {

using api::Answer;
using api::answer_json;
using api::Call;
using api::Management;
using api::Problem;
using api::refusal;
using subscription::Webhook;
using subscription::WebhookState;

namespace {

enum class Operation : uint16_t {
  list,
  create,
  show,
  update,
  remove,
  enable,
  disable,
  requests,
  redeliver,
  meta,
};

constexpr uint32_t per_page_default = 30;
constexpr uint32_t per_page_max = 100;

constexpr std::string_view services_pattern = "/v2/organizations/{org}/services";

constexpr api::Route route(Operation operation, std::string_view method, std::string_view pattern,
                           subscription::Scope scope) {
  return {static_cast<uint16_t>(operation), method, pattern, scope};
}

using enum subscription::Scope;

constexpr std::array routes{
    route(Operation::list, "GET", services_pattern, webhooks_read),
    route(Operation::create, "POST", services_pattern, webhooks_write),
    route(Operation::show, "GET", "/v2/organizations/{org}/services/{id}", webhooks_read),
    route(Operation::update, "PATCH", "/v2/organizations/{org}/services/{id}", webhooks_write),
    route(Operation::remove, "DELETE", "/v2/organizations/{org}/services/{id}", webhooks_write),
    route(Operation::enable, "PUT", "/v2/organizations/{org}/services/{id}/enable", webhooks_write),
    route(Operation::disable, "PUT", "/v2/organizations/{org}/services/{id}/disable",
          webhooks_write),
    // Ours: they show and repeat what events held, so they ask for what that takes elsewhere.
    route(Operation::requests, "GET", "/v2/organizations/{org}/services/{id}/requests",
          deliveries_read),
    route(Operation::redeliver, "POST",
          "/v2/organizations/{org}/services/{id}/requests/{request}/redeliver",
          deliveries_redeliver),
    api::Route{.operation = static_cast<uint16_t>(Operation::meta),
               .method = "GET",
               .pattern = "/v2/meta",
               .access = api::Access::open}};

Answer refuse(const Problem& problem) {
  return {refuse_call(problem)};
}

Answer refuse(const std::vector<FieldError>& errors) {
  std::string body;
  JsonWriter json{body};
  json.begin_object().member("message", "Validation Failed").key("errors").begin_array();
  for (const FieldError& error : errors) {
    json.begin_object()
        .member("field", error.field)
        .member("code", error.code)
        .member("message", error.message)
        .end_object();
  }
  json.end_array().end_object();
  return answer_json(422, std::move(body));
}

Problem no_service() {
  return refusal(404, "there is no such service");
}

/// Calls about one organization's services.
class Services {
 public:
  Services(const Call& call, Management& management) : call_(call), management_(management) {}

  Answer list();
  Answer create();
  Answer show();
  Answer update();
  Answer remove();
  Answer set_enabled(bool enabled);
  Answer requests();
  Answer redeliver();

 private:
  const Webhook* find() const;
  Answer answer(uint16_t status, const Webhook& webhook, Answer::When when) const;

  const Call& call_;
  Management& management_;
};

// --- one service ---------------------------------------------------------------------------------

/// The path's service. Webhooks of other dialects are none.
const Webhook* Services::find() const {
  const auto id = Ulid::parse_either(call_.parameters[1]);
  const Webhook* webhook = id ? management_.webhook(call_.organization, *id) : nullptr;
  return webhook != nullptr && webhook->dialect == default_webhook().dialect ? webhook : nullptr;
}

Answer Services::answer(uint16_t status, const Webhook& webhook, Answer::When when) const {
  std::string body;
  JsonWriter json{body};
  write_service(json, webhook, call_.base_url);
  return answer_json(status, std::move(body), when);
}

Answer Services::create() {
  api::JsonBody body;
  if (auto problem = body.parse(call_.request.body)) return refuse(*problem);
  Webhook webhook = default_webhook();
  webhook.organization = call_.organization;
  webhook.secret = crypto::token("", 16);
  webhook.settings = to_text({.creator = creator_of(*call_.token)});
  const auto errors = create_service(body.root(), management_, webhook);
  if (!errors.empty()) return refuse(errors);
  const auto created = management_.create(std::move(webhook));
  if (const auto* problem = std::get_if<Problem>(&created)) return refuse(*problem);
  return answer(201, *std::get<const Webhook*>(created), Answer::When::published);
}

Answer Services::show() {
  const Webhook* webhook = find();
  if (webhook == nullptr) return refuse(no_service());
  return answer(200, *webhook, Answer::When::now);
}

Answer Services::update() {
  const Webhook* webhook = find();
  if (webhook == nullptr) return refuse(no_service());
  api::JsonBody body;
  if (auto problem = body.parse(call_.request.body)) return refuse(*problem);
  Webhook changed = *webhook;
  const auto errors = update_service(body.root(), management_, call_.base_url, changed);
  if (!errors.empty()) return refuse(errors);
  const auto updated = management_.update(std::move(changed), api::webhook_update);
  if (const auto* problem = std::get_if<Problem>(&updated)) return refuse(*problem);
  return answer(200, *std::get<const Webhook*>(updated), Answer::When::published);
}

Answer Services::remove() {
  const Webhook* webhook = find();
  if (webhook == nullptr) return refuse(no_service());
  if (const auto problem = management_.remove(*webhook)) return refuse(*problem);
  return answer_json(204, {}, Answer::When::published);
}

Answer Services::set_enabled(bool enabled) {
  const Webhook* webhook = find();
  if (webhook == nullptr) return refuse(no_service());
  Webhook changed = *webhook;
  changed.state = enabled ? WebhookState::active : WebhookState::disabled;
  changed.state_reason = enabled ? "" : "disabled over the API";
  const auto updated =
      management_.update(std::move(changed), enabled ? api::webhook_enable : api::webhook_disable);
  if (const auto* problem = std::get_if<Problem>(&updated)) return refuse(*problem);
  return answer(200, *std::get<const Webhook*>(updated), Answer::When::published);
}

// --- lists ---------------------------------------------------------------------------------------

/// Which part of the list is asked for. A cursor is the id of a service; ids sort by age.
struct Page {
  uint32_t size = per_page_default;
  std::optional<Ulid> after;
  std::optional<Ulid> before;
};

std::optional<Problem> read_cursor(const http::QueryParameters& query, std::string_view name,
                                   std::optional<Ulid>& out) {
  const auto text = query.find(name);
  if (!text) return std::nullopt;
  out = Ulid::parse_either(*text);
  if (out) return std::nullopt;
  return api::refusal_of_member(400, name, "is not a cursor from the links of this list");
}

std::variant<Page, Problem> read_page(const std::string& text) {
  const auto parsed = http::QueryParameters::parse(text);
  if (const auto* wrong = std::get_if<http::UrlProblem>(&parsed)) {
    return refusal(400, "the query cannot be read: " + wrong->reason);
  }
  const auto& query = std::get<http::QueryParameters>(parsed);
  Page page;
  if (const auto size = query.find("per_page")) {
    const auto [end, error] = std::from_chars(size->data(), size->data() + size->size(), page.size);
    if (error != std::errc{} || end != size->data() + size->size() || page.size < 1 ||
        page.size > per_page_max) {
      return api::refusal_of_member(400, "per_page", "must be a whole number from 1 to 100");
    }
  }
  if (auto problem = read_cursor(query, "after", page.after)) return *problem;
  if (auto problem = read_cursor(query, "before", page.before)) return *problem;
  if (page.after && page.before) return refusal(400, "give only one of `after` and `before`");
  return page;
}

/// The part of `all`, which is sorted by age.
std::span<const Webhook* const> cut(const std::vector<const Webhook*>& all, const Page& page) {
  const auto id = [](const Webhook* webhook) { return webhook->id; };
  auto begin = all.begin();
  auto end = all.end();
  if (page.after) begin = std::ranges::upper_bound(all, *page.after, {}, id);
  if (page.before) end = std::ranges::lower_bound(all, *page.before, {}, id);
  const auto size = std::min<std::ptrdiff_t>(end - begin, page.size);
  if (page.before) begin = end - size;
  return {begin, static_cast<size_t>(size)};
}

void write_links(JsonWriter& json, const std::string& url, const std::string& query,
                 std::span<const Webhook* const> shown, const std::vector<const Webhook*>& all,
                 uint32_t per_page) {
  const auto link = [&](std::string_view name, std::string_view direction, const Webhook& edge) {
    json.member(name, url + "?per_page=" + std::to_string(per_page) + "&" + std::string{direction} +
                          "=" + edge.id.to_uuid_text());
  };
  json.key("links").begin_object().member("self", query.empty() ? url : url + "?" + query);
  if (!shown.empty() && shown.front() != all.front()) link("prev", "before", *shown.front());
  if (!shown.empty() && shown.back() != all.back()) link("next", "after", *shown.back());
  json.end_object();
}

Answer Services::list() {
  const auto read = read_page(call_.request.query);
  if (const auto* problem = std::get_if<Problem>(&read)) return refuse(*problem);
  const Page& page = std::get<Page>(read);
  const std::string dialect = default_webhook().dialect;
  const auto all =
      management_.webhooks({.organization = call_.organization, .dialect = dialect, .name = {}});
  const auto shown = cut(all, page);
  std::string body;
  JsonWriter json{body};
  json.begin_object().key("items").begin_array();
  for (const Webhook* webhook : shown) write_service(json, *webhook, call_.base_url);
  json.end_array();
  const std::string url = organization_url(call_.base_url, call_.organization) + "/services";
  write_links(json, url, call_.request.query, shown, all, page.size);
  json.end_object();
  return answer_json(200, std::move(body));
}

// --- the request log -----------------------------------------------------------------------------

Answer Services::requests() {
  const Webhook* webhook = find();
  if (webhook == nullptr) return refuse(no_service());
  std::string body;
  JsonWriter json{body};
  json.begin_object().key("items");
  write_request_log(json, *webhook, management_);
  json.end_object();
  return answer_json(200, std::move(body));
}

Answer Services::redeliver() {
  const Webhook* webhook = find();
  if (webhook == nullptr) return refuse(no_service());
  const auto delivery = find_request(*webhook, call_.parameters[2], management_);
  if (!delivery) return refuse(refusal(404, "there is no such request"));
  const auto made = management_.redeliver(*delivery, {});
  if (const auto* problem = std::get_if<Problem>(&made)) return refuse(*problem);
  return answer_json(202, R"({"message":"The event will be sent again."})", Answer::When::stored);
}

Answer show_meta(const Call& call) {
  std::string body;
  JsonWriter json{body};
  json.begin_object().key("webhook_ips").begin_array();
  for (const std::string& network : call.webhook_ips) json.value(network);
  json.end_array().end_object();
  return answer_json(200, std::move(body));
}

}  // namespace

std::span<const api::Route> service_routes() {
  return routes;
}

bool owns_service_path(std::string_view path) {
  return path.starts_with("/v2/") || path.starts_with("/deliver/");
}

Answer handle_service(const api::Route& route, const Call& call, Management& management) {
  const auto operation = static_cast<Operation>(route.operation);
  if (operation == Operation::meta) return show_meta(call);
  if (call.parameters[0] != call.organization) {
    return refuse(
        refusal(404, "there is no such organization, or the token belongs to another one"));
  }
  Services services{call, management};
  switch (operation) {
    case Operation::list: return services.list();
    case Operation::create: return services.create();
    case Operation::show: return services.show();
    case Operation::update: return services.update();
    case Operation::remove: return services.remove();
    case Operation::enable: return services.set_enabled(true);
    case Operation::disable: return services.set_enabled(false);
    case Operation::requests: return services.requests();
    case Operation::redeliver: return services.redeliver();
    case Operation::meta: break;
  }
  RINGPOST_UNREACHABLE();
}

http::Response refuse_call(const Problem& problem) {
  if (problem.status == 422 && !problem.member.empty()) {
    return refuse({{problem.member, "invalid", api::full_sentence(problem)}}).response;
  }
  http::Response response;
  response.status = problem.status;
  // Buildkite's own words for it, where they are known, are the title.
  const std::string sentence = problem.detail.empty() ? problem.title : api::full_sentence(problem);
  JsonWriter json{response.body};
  json.begin_object()
      .member("message",
              sentence.empty() ? http::reason_phrase(problem.status) : std::string_view{sentence})
      .end_object();
  if (problem.status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  if (problem.retry_after_s != 0) {
    response.headers.push_back({"Retry-After", std::to_string(problem.retry_after_s)});
  }
  return response;
}

// --- rate ----------------------------------------------------------------------------------------

namespace {

/// Whose calls a window counts.
constexpr std::string_view organization_scope = "rest";
constexpr std::string_view user_scope = "rest_user";

void write_use(http::Response& response, const std::string& prefix, std::string_view scope,
               const api::RateUse& use) {
  response.headers.push_back({prefix + "Scope", std::string{scope}});
  response.headers.push_back({prefix + "Limit", std::to_string(use.limit)});
  response.headers.push_back({prefix + "Remaining", std::to_string(use.remaining())});
  response.headers.push_back({prefix + "Reset", std::to_string(use.reset_s)});
}

}  // namespace

void write_rate_headers(const api::Rate& rate, http::Response& response) {
  write_use(response, "RateLimit-", organization_scope, rate.organization);
  write_use(response, "RateLimit-User-", user_scope, rate.token);
}

http::Response refuse_over_rate(const api::Rate& rate) {
  const api::RateUse& use = rate.tightest();
  const bool of_user = &use == &rate.token;
  http::Response response;
  response.status = 429;
  JsonWriter json{response.body};
  json.begin_object()
      .member("message", "Too many requests. Try again in " + std::to_string(use.reset_s) + " s.")
      .member("scope", of_user ? user_scope : organization_scope)
      .member("limit", use.limit)
      .member("current", use.used)
      .member("reset", use.reset_s)
      .end_object();
  response.headers.push_back({"Retry-After", std::to_string(use.reset_s)});
  return response;
}

}  // namespace ringpost::dialect::buildkite
