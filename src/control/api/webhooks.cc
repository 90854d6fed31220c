#include "base/json_writer.h"
#include "control/api/api.h"
#include "control/webhook_warnings.h"
#include "crypto/random.h"
#include "dialect/dialect.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

using subscription::Webhook;
using subscription::WebhookState;

namespace {

constexpr uint32_t overlap_s_default = 24 * 3600;
constexpr uint32_t overlap_s_max = 30 * 24 * 3600;

Problem no_webhook() {
  return refusal(404, "there is no such webhook");
}

/// Puts a new secret in the place of the present one, which signs beside it for a while if the
/// dialect can do that. One that a former rotation kept is given up.
std::optional<Problem> rotate(simdjson::dom::object body, WallTime now, Webhook& webhook) {
  const dialect::Dialect& dialect = dialect::of(webhook);
  const std::string_view required = dialect.why_secret_is_required();
  std::string secret = dialect.next_secret(webhook);
  if (secret.empty() && required.empty()) secret = crypto::token("", 32);  // It takes any text.
  uint32_t overlap_s = dialect.signs_twice() ? overlap_s_default : 0;
  for (const auto [name, value] : body) {
    std::optional<Problem> problem;
    if (name == "secret") {
      problem = read(value, "secret", api::webhook_secret_bytes_max, secret);
    } else if (name == "overlap_s") {
      problem = read(value, "overlap_s", 0, overlap_s_max, overlap_s);
    } else {
      problem = invalid(name, "is not a member of this request");
    }
    if (problem) return problem;
  }
  if (auto problem = check_secret(webhook.dialect, secret)) return problem;
  if (overlap_s > 0 && !dialect.signs_twice()) {
    return invalid("overlap_s", "must be 0: requests of this dialect carry one signature");
  }
  if (secret == webhook.secret) return invalid("secret", "is the present one");
  const bool overlaps = overlap_s > 0 && !webhook.secret.empty();
  webhook.previous_secret = overlaps ? webhook.secret : std::string{};
  webhook.previous_secret_until = overlaps ? now + std::chrono::seconds{overlap_s} : WallTime{};
  webhook.secret = std::move(secret);
  return std::nullopt;
}

/// Whether the answer to a request that makes or sets a secret shows it: whoever gave a git host's
/// token has it.
bool shows_secret(const Webhook& webhook) {
  return !webhook.secret.empty() && dialect::of(webhook).why_secret_is_required().empty();
}

}  // namespace

Answer refuse(const Problem& problem) {
  return {http::problem_response(problem)};
}

Problem store_failed(const Error& error) {
  Problem problem = refusal(
      503, "the change could not be stored: " + describe(error) + "; the relay's log says more");
  problem.retry_after_s = 5;
  return problem;
}

std::optional<Problem> refuse_members(const Call& call) {
  JsonBody body;
  if (auto problem = body.parse_optional(call.request.body)) return problem;
  for (const auto [name, value] : body.root()) {
    return invalid(name, "is not a member of this request, which takes none");
  }
  return std::nullopt;
}

const Webhook* WebhookApi::find(const Call& call) const {
  const auto id = Ulid::parse_either(call.id());
  return id ? management_.webhook(call.organization, *id) : nullptr;
}

bool WebhookApi::sends_events(std::string_view organization, WallTime now) const {
  const auto sends = [now](const subscription::Token& token) {
    return token.allows(subscription::Scope::events_write) && !token.expired(now);
  };
  return !tokens_.list(organization, std::nullopt, 1, sends).empty();
}

std::string WebhookApi::to_json(const Call& call, const Webhook& webhook, bool with_secret) const {
  std::string body;
  JsonWriter json(body);
  write_webhook(json, webhook, with_secret, registry_.receivers().of(webhook.number, call.now),
                warnings_of(webhook, sends_events(webhook.organization, call.now)));
  return body;
}

Answer WebhookApi::create(const Call& call, bool is_listener) {
  JsonBody body;
  if (auto problem = body.parse(call.request.body)) return refuse(*problem);
  Webhook webhook;
  webhook.organization = call.organization;
  webhook.is_listener = is_listener;
  if (auto problem = create_webhook(body, checks_, *call.token, webhook)) {
    return refuse(*problem);
  }
  const auto created = management_.create(std::move(webhook));
  if (const auto* problem = std::get_if<Problem>(&created)) return refuse(*problem);
  const Webhook& stored = *std::get<const Webhook*>(created);
  Answer answer = answer_json(201, to_json(call, stored, shows_secret(stored)));
  answer.response.headers.push_back({"Location", "/v1/webhooks/" + stored.id.to_text()});
  answer.when = Answer::When::published;
  return answer;
}

/// Whether events of `source` may reach the webhook; of any source, if none is named.
bool takes_source(const Webhook& webhook, const std::optional<std::string>& source) {
  return !source || std::ranges::any_of(webhook.sources, [&](const std::string& pattern) {
    return subscription::source_matches(pattern, *source);
  });
}

/// Up to `count` webhooks that the caller may see and asks for, newest first.
std::vector<const Webhook*> WebhookApi::visible(const Call& call, const ListQuery& query,
                                                size_t count) const {
  std::vector<const Webhook*> found;
  std::optional<Ulid> before = query.before();
  while (found.size() < count) {
    const auto some = registry_.list(call.organization, before, count);
    for (const Webhook* webhook : some) {
      before = webhook->id;
      const bool wanted =
          call.token->covers(webhook->sources) && takes_source(*webhook, query.filter.source);
      if (wanted && found.size() < count) found.push_back(webhook);
    }
    if (some.size() < count) break;
  }
  return found;
}

Answer WebhookApi::list(const Call& call) {
  auto parsed = parse_list_query(call.request, ListKind::webhooks);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  auto found = visible(call, query, query.limit + 1);
  const bool more = found.size() > query.limit;
  if (more) found.pop_back();
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("items").begin_array();
  const bool organization_sends = sends_events(call.organization, call.now);
  for (const Webhook* webhook : found) {
    write_webhook(json, *webhook, false, registry_.receivers().of(webhook->number, call.now),
                  warnings_of(*webhook, organization_sends));
  }
  json.end_array();
  write_next_cursor(json, query, more ? &found.back()->id : nullptr);
  json.end_object();
  return answer_json(200, std::move(body));
}

Answer WebhookApi::show(const Call& call) {
  const Webhook* webhook = find(call);
  if (webhook == nullptr) return refuse(no_webhook());
  return answer_json(200, to_json(call, *webhook, false));
}

Answer WebhookApi::update(const Call& call) {
  const Webhook* webhook = find(call);
  if (webhook == nullptr) return refuse(no_webhook());
  JsonBody body;
  if (auto problem = body.parse(call.request.body)) return refuse(*problem);
  Webhook changed = *webhook;
  if (auto problem = patch_webhook(body, checks_, *call.token, changed)) {
    return refuse(*problem);
  }
  return store(call, std::move(changed), api::webhook_update);
}

Answer WebhookApi::remove(const Call& call) {
  const Webhook* webhook = find(call);
  if (webhook == nullptr) return refuse(no_webhook());
  if (const auto problem = management_.remove(*webhook)) return refuse(*problem);
  return answer_json(204, {}, Answer::When::published);
}

Answer WebhookApi::set_active(const Call& call, bool active) {
  const Webhook* webhook = find(call);
  if (webhook == nullptr) return refuse(no_webhook());
  if (auto problem = refuse_members(call)) return refuse(*problem);
  if (active && dialect::of(*webhook).takes_calls(*webhook)) {
    return refuse(refusal(409,
                          "the webhook is called and sends nothing, so it is never active; "
                          "`settings.active` says whether it takes calls"));
  }
  Webhook changed = *webhook;
  changed.state = active ? WebhookState::active : WebhookState::disabled;
  changed.state_reason = active ? "" : "disabled over the API";
  return store(call, std::move(changed), active ? api::webhook_enable : api::webhook_disable);
}

Answer WebhookApi::rotate_secret(const Call& call) {
  const Webhook* webhook = find(call);
  if (webhook == nullptr) return refuse(no_webhook());
  JsonBody body;
  if (auto problem = body.parse_optional(call.request.body)) return refuse(*problem);
  Webhook changed = *webhook;
  if (auto problem = rotate(body.root(), call.now, changed)) return refuse(*problem);
  return store(call, std::move(changed), api::webhook_rotate_secret);
}

Answer WebhookApi::store(const Call& call, Webhook webhook, std::string_view operation) {
  const auto updated = management_.update(std::move(webhook), operation);
  if (const auto* problem = std::get_if<Problem>(&updated)) return refuse(*problem);
  const Webhook& stored = *std::get<const Webhook*>(updated);
  const bool with_secret = operation == api::webhook_rotate_secret && shows_secret(stored);
  return answer_json(200, to_json(call, stored, with_secret), Answer::When::published);
}

}  // namespace ringpost::control
