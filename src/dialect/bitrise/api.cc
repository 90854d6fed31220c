#include "dialect/bitrise/api.h"

#include "api/sentence.h"
#include "api/webhook_fields.h"
#include "base/assert.h"
#include "base/json_writer.h"
#include "dialect/bitrise/api_json.h"
#include "dialect/bitrise/bitrise.h"
#include "dialect/bitrise/groups.h"
#include "dialect/bitrise/webhook_body.h"
#include "dialect/dialect.h"
#include "http/query.h"
#include "http/syntax.h"
#include "subscription/stopped.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace ringpost::dialect::bitrise {

using api::Answer;
using api::Call;
using api::Management;
using api::Problem;
using api::refusal;
using subscription::Scope;
using subscription::Webhook;

namespace {

constexpr std::string_view app_kind = "app/";
constexpr std::string_view addon_header = "Bitrise-Addon-Auth-Token";
constexpr uint32_t limit_max = 50;  // Of a page; the default too.

// What a webhook's log shows.
constexpr size_t deliveries_max = 100;
constexpr auto delivery_age_max = std::chrono::days(7);

/// A page of deliveries ends early beyond this: each item holds its event's whole payload.
constexpr size_t page_bytes_max = 4 * 1024 * 1024;

enum class Operation : uint16_t {
  list,
  create,
  replace,
  remove,
  log,
  delivery,
  redeliver,
  register_webhook
};

constexpr std::array<api::Route, 9> table = {{
    {static_cast<uint16_t>(Operation::list), "GET", "/v0.1/apps/{app}/outgoing-webhooks",
     Scope::webhooks_read, api::Access::token, addon_header},
    {static_cast<uint16_t>(Operation::create), "POST", "/v0.1/apps/{app}/outgoing-webhooks",
     Scope::webhooks_write, api::Access::token, addon_header},
    {static_cast<uint16_t>(Operation::replace), "PUT",
     "/v0.1/apps/{app}/outgoing-webhooks/{webhook}", Scope::webhooks_write},
    {static_cast<uint16_t>(Operation::replace), "PATCH",
     "/v0.1/apps/{app}/outgoing-webhooks/{webhook}", Scope::webhooks_write},
    {static_cast<uint16_t>(Operation::remove), "DELETE",
     "/v0.1/apps/{app}/outgoing-webhooks/{webhook}", Scope::webhooks_write},
    {static_cast<uint16_t>(Operation::log), "GET",
     "/v0.1/apps/{app}/outgoing-webhooks/{webhook}/delivery-items", Scope::deliveries_read},
    {static_cast<uint16_t>(Operation::delivery), "GET",
     "/v0.1/apps/{app}/outgoing-webhooks/{webhook}/delivery-items/{item}", Scope::deliveries_read},
    {static_cast<uint16_t>(Operation::redeliver), "POST",
     "/v0.1/apps/{app}/outgoing-webhooks/{webhook}/delivery-items/{item}/redeliver",
     Scope::deliveries_redeliver},
    {static_cast<uint16_t>(Operation::register_webhook), "POST",
     "/v0.1/apps/{app}/register-webhook", Scope::webhooks_write},
}};

Answer refuse_with(const Problem& problem) {
  return {refuse(problem)};
}

// --- slugs and pages -----------------------------------------------------------------------------

std::optional<Problem> check_slugs(const Call& call) {
  constexpr std::array<std::string_view, 3> names{"app-slug", "app-webhook-slug",
                                                  "webhook-delivery-item-slug"};
  RINGPOST_ASSERT(call.parameters.size() <= names.size());
  for (size_t index = 0; index < call.parameters.size(); ++index) {
    if (is_slug(call.parameters[index])) continue;
    return api::refusal_of_member(400, names[index],
                                  "must be 1 to 64 letters, digits, \"-\" and \"_\"");
  }
  return std::nullopt;
}

/// The webhook of the path, if it is this app's.
std::variant<const Webhook*, Problem> find_webhook(const Call& call, const Management& management) {
  const auto id = Ulid::parse_either(call.parameters[1]);
  const Webhook* webhook = id ? management.webhook(call.organization, *id) : nullptr;
  const bool ours = webhook != nullptr && &of(*webhook) == &dialect();
  if (!ours || app_of(*webhook) != call.parameters[0]) {
    return refusal(404, "there is no such outgoing webhook");
  }
  return webhook;
}

struct Page {
  uint32_t limit = limit_max;
  std::string next;  ///< The slug of the first item; empty: the list's.
};

std::variant<Page, Problem> read_page(std::string_view query) {
  const auto parsed = http::QueryParameters::parse(query);
  if (const auto* wrong = std::get_if<http::UrlProblem>(&parsed)) {
    return refusal(400, "the query cannot be read: " + wrong->reason);
  }
  const auto& parameters = std::get<http::QueryParameters>(parsed);
  Page page;
  if (const auto next = parameters.find("next")) page.next = *next;
  if (const auto text = parameters.find("limit")) {
    const auto limit = http::parse_decimal(*text);
    if (!limit || *limit < 1 || *limit > limit_max) {
      return api::refusal_of_member(400, "limit", "must be a whole number from 1 to 50");
    }
    page.limit = static_cast<uint32_t>(*limit);
  }
  return page;
}

/// Where a page begins among the slugs of all items.
std::optional<size_t> first_of(const Page& page, const std::vector<std::string>& slugs) {
  if (page.next.empty()) return 0;
  const auto found = std::ranges::find(slugs, page.next);
  if (found == slugs.end()) return std::nullopt;
  return static_cast<size_t>(found - slugs.begin());
}

/// Writes one page: `{"data": […], "paging": {…}}`.
/// @param write  writes the item of an index; what cannot be written any more is left out.
template <typename Write>
Answer list_page(const Call& call, const std::vector<std::string>& slugs, Write write) {
  auto read = read_page(call.request.query);
  if (const auto* problem = std::get_if<Problem>(&read)) return refuse_with(*problem);
  const Page& page = std::get<Page>(read);
  const auto first = first_of(page, slugs);
  if (!first)
    return refuse_with(
        api::refusal_of_member(400, "next", "is not the id of an item of this list"));
  std::string body;
  JsonWriter json{body};
  json.begin_object().key("data").begin_array();
  size_t index = *first;
  const size_t end = std::min(slugs.size(), *first + page.limit);
  for (; index < end && body.size() < page_bytes_max; ++index) write(json, index);
  json.end_array();
  write_paging(json, index < slugs.size() ? slugs[index] : std::string_view{}, page.limit,
               slugs.size());
  json.end_object();
  return api::answer_json(200, std::move(body));
}

// --- webhooks ------------------------------------------------------------------------------------

Answer answer_webhook(uint16_t status, const Webhook& webhook) {
  std::string body;
  JsonWriter json{body};
  json.begin_object().key("data");
  write_webhook(json, webhook, status == 201);
  json.end_object();
  return api::answer_json(status, std::move(body), Answer::When::published);
}

Answer list(const Call& call, const Management& management) {
  const auto webhooks = management.webhooks(
      {.organization = call.organization, .dialect = dialect().name(), .name = call.parameters[0]});
  std::vector<std::string> slugs;
  for (const Webhook* webhook : webhooks) slugs.push_back(webhook->id.to_text());
  return list_page(call, slugs,
                   [&](JsonWriter& json, size_t index) { write_webhook(json, *webhooks[index]); });
}

Answer create(const Call& call, Management& management) {
  Webhook webhook = dialect().defaults();
  webhook.organization = call.organization;
  webhook.sources = {std::string{app_kind} + call.parameters[0]};
  const bool by_addon =
      !call.request.has_header("authorization") && call.request.has_header(addon_header);
  write_settings({.groups = {}, .registered_by_addon = by_addon}, webhook);
  if (auto problem = read_webhook(call.request.body, Change::create, management, webhook)) {
    return refuse_with(*problem);
  }
  auto created = management.create(std::move(webhook));
  if (const auto* problem = std::get_if<Problem>(&created)) return refuse_with(*problem);
  return answer_webhook(201, *std::get<const Webhook*>(created));
}

Answer replace(const Call& call, Management& management, const Webhook& found) {
  Webhook webhook = found;
  if (auto problem = read_webhook(call.request.body, Change::replace, management, webhook)) {
    return refuse_with(*problem);
  }
  // This API shows no state, and mending the webhook is how one goes on after a 410.
  if (subscription::stopped_by_endpoint(webhook)) {
    webhook.state = subscription::WebhookState::active;
    webhook.state_reason.clear();
  }
  auto updated = management.update(std::move(webhook), api::webhook_update);
  if (const auto* problem = std::get_if<Problem>(&updated)) return refuse_with(*problem);
  return answer_webhook(200, *std::get<const Webhook*>(updated));
}

Answer remove(const Webhook& webhook, Management& management) {
  Answer answer = answer_webhook(200, webhook);  // First: it is gone afterwards.
  if (const auto problem = management.remove(webhook)) return refuse_with(*problem);
  return answer;
}

// --- deliveries ----------------------------------------------------------------------------------

/// The deliveries that the log shows, newest first.
std::vector<Ulid> shown(const Call& call, const Management& management, const Webhook& webhook) {
  std::vector<Ulid> ids = management.newest(webhook, deliveries_max);
  const auto oldest = std::chrono::floor<std::chrono::milliseconds>(
      (call.now - delivery_age_max).time_since_epoch());
  std::erase_if(ids, [&](const Ulid& id) {
    return id.time_ms() < static_cast<uint64_t>(std::max<int64_t>(oldest.count(), 0));
  });
  return ids;
}

Answer log(const Call& call, Management& management, const Webhook& webhook) {
  const std::vector<Ulid> ids = shown(call, management, webhook);
  std::vector<std::string> slugs;
  for (const Ulid& id : ids) slugs.push_back(id.to_text());
  return list_page(call, slugs, [&](JsonWriter& json, size_t index) {
    const auto delivery = management.delivery(webhook, ids[index]);
    if (delivery) write_delivery(json, *delivery, webhook);
  });
}

std::optional<api::LoggedDelivery> find_delivery(const Call& call, Management& management,
                                                 const Webhook& webhook) {
  const auto id = Ulid::parse_either(call.parameters[2]);
  auto delivery = id ? management.delivery(webhook, *id) : std::nullopt;
  if (!delivery) return std::nullopt;
  const auto ids = shown(call, management, webhook);
  if (std::ranges::find(ids, delivery->id) == ids.end()) return std::nullopt;
  return delivery;
}

Answer show(const api::LoggedDelivery& delivery, const Webhook& webhook) {
  std::string body;
  JsonWriter json{body};
  write_delivery(json, delivery, webhook);
  return api::answer_json(200, std::move(body));
}

Answer redeliver(const api::LoggedDelivery& delivery, Management& management) {
  const auto made = management.redeliver(delivery, {});
  if (const auto* problem = std::get_if<Problem>(&made)) return refuse_with(*problem);
  return api::answer_json(200, R"({"message":"ok"})", Answer::When::stored);
}

Answer handle_delivery(Operation operation, const Call& call, Management& management,
                       const Webhook& webhook) {
  const auto delivery = find_delivery(call, management, webhook);
  if (!delivery) return refuse_with(refusal(404, "there is no such delivery item"));
  if (operation == Operation::delivery) return show(*delivery, webhook);
  return redeliver(*delivery, management);
}

/// Makes the webhook at the git host of the app.
Answer register_webhook(const Call& call, Management& management) {
  auto begun =
      management.register_at_host(call.parameters[0], [](const std::optional<Problem>& problem) {
        if (problem) return refuse_with(*problem);
        return api::answer_json(200, R"({"status":"ok"})", Answer::When::published);
      });
  if (const auto* problem = std::get_if<Problem>(&begun)) return refuse_with(*problem);
  return std::get<Answer>(std::move(begun));
}

}  // namespace

// --- the API -------------------------------------------------------------------------------------

bool is_slug(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char byte) {
    const char lower = http::to_lower(byte);
    return (lower >= 'a' && lower <= 'z') || http::is_digit(byte) || byte == '-' || byte == '_';
  });
}

std::string_view app_of(const Webhook& webhook) {
  if (webhook.sources.size() != 1) return {};
  std::string_view source = webhook.sources.front();
  if (!source.starts_with(app_kind)) return {};
  source.remove_prefix(app_kind.size());
  return is_slug(source) ? source : std::string_view{};
}

std::span<const api::Route> routes() {
  return table;
}

http::Response refuse(const Problem& problem) {
  http::Response response;
  const std::string message = api::full_sentence(problem);
  switch (problem.status) {  // This API knows fewer; what HTTP itself says stays as it is.
    case 403:                // Whatever it is that the token may not do.
      return refuse(
          refusal(404, "the token does not have the scope for this, or there is no such thing"));
    case 409:
    case 422: response.status = 400; break;
    case 503:
    case 507: response.status = 500; break;
    default: response.status = problem.status;
  }
  JsonWriter json{response.body};
  json.begin_object().member("message", message).end_object();
  if (problem.retry_after_s > 0) {
    response.headers.push_back({"Retry-After", std::to_string(problem.retry_after_s)});
  }
  return response;
}

Answer handle(const api::Route& route, const Call& call, Management& management) {
  if (auto problem = check_slugs(call)) return refuse_with(*problem);
  const auto operation = static_cast<Operation>(route.operation);
  if (operation == Operation::list) return list(call, management);
  if (operation == Operation::create) return create(call, management);
  if (operation == Operation::register_webhook) return register_webhook(call, management);
  const auto found = find_webhook(call, management);
  if (const auto* problem = std::get_if<Problem>(&found)) return refuse_with(*problem);
  const Webhook& webhook = *std::get<const Webhook*>(found);
  switch (operation) {
    case Operation::replace: return replace(call, management, webhook);
    case Operation::remove: return remove(webhook, management);
    case Operation::log: return log(call, management, webhook);
    case Operation::delivery:
    case Operation::redeliver: return handle_delivery(operation, call, management, webhook);
    case Operation::list:
    case Operation::create:
    case Operation::register_webhook: break;
  }
  RINGPOST_UNREACHABLE();
}

}  // namespace ringpost::dialect::bitrise
