#include "control/api/tokens.h"

#include "api/json_body.h"
#include "base/json_writer.h"
#include "control/api/rights.h"
#include "control/user_registry.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ringpost::control {

namespace dom = simdjson::dom;

using subscription::Token;

void write_token(JsonWriter& json, const Token& token, std::string_view text) {
  json.begin_object().member("id", token.id.to_text()).member("name", token.name);
  write_rights(json, token.organization, token.scopes, token.sources);
  json.member("created_at", to_rfc3339(token.created_at)).key("expires_at");
  if (token.expires_at) {
    json.value(to_rfc3339(*token.expires_at));
  } else {
    json.null();
  }
  if (!text.empty()) json.member("token", text);
  json.end_object();
}

namespace {

// --- create --------------------------------------------------------------------------------------

/// A create request in the making.
struct Reading {
  Token& token;
  WallTime now;
  std::optional<std::string> organization;
};

std::optional<Problem> read_name(Reading& reading, dom::element value) {
  std::string& name = reading.token.name;
  if (auto problem = read(value, "name", token_name_bytes_max, name)) return problem;
  const auto objection = subscription::object_to_name(name, token_name_bytes_max);
  if (!objection.empty()) return invalid("name", objection);
  if (name.starts_with(login_token_prefix) || name.starts_with(user_token_prefix)) {
    return invalid("name", "must not start with \"login \" or \"user \", which are reserved");
  }
  return std::nullopt;
}

std::optional<Problem> set_expiry(Reading& reading, std::string_view member, WallTime expires_at) {
  if (reading.token.expires_at) {
    return invalid(member,
                   "cannot be combined with the other one; give only one of expires_at and "
                   "expires_in_s");
  }
  if (expires_at <= reading.now) return invalid(member, "is in the past");
  reading.token.expires_at = expires_at;
  return std::nullopt;
}

std::optional<Problem> read_expires_at(Reading& reading, dom::element value) {
  constexpr size_t bytes_max = 64;  // RFC 3339 needs 35 at most.
  std::string text;
  if (auto problem = read(value, "expires_at", bytes_max, text)) return problem;
  const auto time = parse_rfc3339(text);
  if (!time) return invalid("expires_at", "must be a time like 2031-05-04T09:08:07Z");
  return set_expiry(reading, "expires_at", *time);
}

std::optional<Problem> read_expires_in(Reading& reading, dom::element value) {
  uint32_t seconds = 0;
  if (auto problem = read(value, "expires_in_s", 1, token_expires_in_s_max, seconds)) {
    return problem;
  }
  return set_expiry(reading, "expires_in_s", reading.now + std::chrono::seconds(seconds));
}

std::optional<Problem> read_member(Reading& reading, std::string_view name, dom::element value) {
  if (name == "name") return read_name(reading, value);
  if (name == "organization") return read_organization(value, reading.organization);
  if (name == "scopes") return read_scopes(value, reading.token.scopes);
  if (name == "sources") return read_sources(value, reading.token.sources);
  if (name == "expires_at") return read_expires_at(reading, value);
  if (name == "expires_in_s") return read_expires_in(reading, value);
  return invalid(name, "is not a member of a token");
}

std::optional<Problem> read_token_request(dom::object body, Reading& reading) {
  for (const auto [name, value] : body) {
    if (auto problem = read_member(reading, name, value)) return problem;
  }
  if (reading.token.name.empty()) return invalid("name", "is required");
  if (reading.token.scopes == 0) return invalid("scopes", "is required, with at least one scope");
  return std::nullopt;
}

}  // namespace

Answer TokenApi::create(const Call& call) {
  JsonBody body;
  if (auto problem = body.parse(call.request.body)) return refuse(*problem);
  MintedToken minted = mint_token(call.now, random_);
  Reading reading{minted.token, call.now, {}};
  if (auto problem = read_token_request(body.root(), reading)) return refuse(*problem);
  auto organization = organization_of(call, reading.organization);
  if (auto* problem = std::get_if<Problem>(&organization)) return refuse(*problem);
  minted.token.organization = std::move(std::get<std::string>(organization));
  if (auto problem = refuse_to_give(call, minted.token.scopes, minted.token.sources)) {
    return refuse(*problem);
  }
  if (registry_.count(minted.token.organization) >= tokens_per_organization_max) {
    return refuse(refusal(409, "the organization has 10,000 tokens; delete some first"));
  }
  const auto created = registry_.create(std::move(minted.token));
  if (!created) return refuse(store_failed(created.error()));
  const Token& token = **created;
  std::string text;
  JsonWriter json(text);
  write_token(json, token, minted.text);
  Answer answer = answer_json(201, std::move(text));
  answer.when = Answer::When::published;
  answer.change = {.operation = "token.create",
                   .object = token.id.to_text(),
                   .members = member_names(body.root()),
                   .organization = token.organization};
  return answer;
}

// --- list and delete -----------------------------------------------------------------------------

Answer TokenApi::list(const Call& call) {
  auto parsed = parse_list_query(call.request, ListKind::tokens);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  const auto organization = organization_of(call, query.organization);
  if (const auto* problem = std::get_if<Problem>(&organization)) return refuse(*problem);
  auto found =
      registry_.list(std::get<std::string>(organization), query.before(), query.limit + 1,
                     [&](const Token& token) { return call.token->covers(token.sources); });
  const bool more = found.size() > query.limit;
  if (more) found.pop_back();
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("items").begin_array();
  for (const Token* token : found) write_token(json, *token, {});
  json.end_array();
  write_next_cursor(json, query, more ? &found.back()->id : nullptr);
  json.end_object();
  return answer_json(200, std::move(body));
}

Answer TokenApi::remove(const Call& call) {
  const auto id = Ulid::parse_either(call.id());
  const Token* token = id ? registry_.find(*id) : nullptr;
  const bool own = token != nullptr && may_manage(call, token->organization, token->sources);
  if (!own) return refuse(refusal(404, "there is no such token"));
  if (registry_.is_last_operator(*token)) {
    return refuse(
        refusal(409,
                "it is the last admin token of the organization default that does not expire; "
                "without it nobody could make another. Make the new one first"));
  }
  Answer answer = answer_json(204, {});
  answer.when = Answer::When::published;
  answer.change = {.operation = "token.delete",
                   .object = token->id.to_text(),
                   .members = {},
                   .organization = token->organization};
  if (auto removed = registry_.remove(*id); !removed) return refuse(store_failed(removed.error()));
  return answer;
}

// --- the audit log -------------------------------------------------------------------------------

namespace {

void write_entry(JsonWriter& json, const AuditEntry& entry) {
  json.begin_object().member("id", entry.id.to_text()).member("at", to_rfc3339(entry.at));
  json.member("organization", entry.organization).key("token").begin_object();
  json.member("id", entry.token.to_text()).member("name", entry.token_name);
  json.member("organization", entry.token_organization).end_object();
  json.member("operation", entry.operation).member("object", entry.object);
  json.key("members").begin_array();
  for (const std::string& member : entry.members) json.value(member);
  json.end_array().member("peer", entry.peer).member("status", entry.status).end_object();
}

}  // namespace

Answer list_audit(const Call& call, Audit& audit) {
  auto parsed = parse_list_query(call.request, ListKind::audit);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  const auto organization = organization_of(call, query.organization);
  if (const auto* problem = std::get_if<Problem>(&organization)) return refuse(*problem);
  if (call.token->restricted()) {
    return refuse(refusal(403, "a token that is restricted to sources may not read this"));
  }
  auto entries = audit.list({.organization = std::get<std::string>(organization),
                             .since = query.filter.since,
                             .until = query.filter.until,
                             .before = query.before(),
                             .limit = query.limit + 1});
  if (!entries) {
    return refuse(refusal(503, "the audit log cannot be read: " + describe(entries.error())));
  }
  const bool more = entries->size() > query.limit;
  if (more) entries->pop_back();
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("items").begin_array();
  for (const AuditEntry& entry : *entries) write_entry(json, entry);
  json.end_array();
  write_next_cursor(json, query, more ? &entries->back().id : nullptr);
  json.end_object();
  return answer_json(200, std::move(body));
}

}  // namespace ringpost::control
